package matrix

import (
	"fmt"
	"strings"
)

// Verdict is what a run proves of a row.
type Verdict struct {
	*Row
	Proven  bool
	Against []string // why a row that is marked proven is not, or what else is wrong with any row
	Ran     []Ran
	Places  []Cited
}

// Ran is a named test with its outcome.
type Ran struct {
	Test
	Result
	Ended bool // it ran in this run
	File  string
	Line  int
}

// Cited is a place with its line.
type Cited struct {
	Place
	Line int
}

// Word is the row's standing in one word, for counts and filters.
func (v *Verdict) Word() string {
	if v.Status == StatusProven && !v.Proven {
		return "not proven"
	}
	return string(v.Status)
}

// Judge decides about each row. What is wrong in the table itself, such as code
// that does not exist, is found without results too (nil).
func Judge(rows []*Row, src *Source, res *Results) ([]*Verdict, error) {
	module, err := src.Module()
	if err != nil {
		return nil, err
	}
	out := make([]*Verdict, len(rows))
	for i, r := range rows {
		v := &Verdict{Row: r}
		v.static(src)
		if res != nil {
			v.ran(module, res)
		}
		v.Proven = r.Status == StatusProven && len(v.Against) == 0 && res != nil
		out[i] = v
	}
	return out, nil
}

func (v *Verdict) against(format string, args ...any) {
	v.Against = append(v.Against, fmt.Sprintf(format, args...))
}

// static checks what stands in the sources.
func (v *Verdict) static(src *Source) {
	for _, p := range v.Code {
		line, err := src.Cites(p, v.ID)
		if err != nil {
			v.against("code: %v", err)
		}
		v.Places = append(v.Places, Cited{p, line})
	}
	for _, t := range v.Tests {
		file, line, err := src.TestCites(t, v.ID)
		if err != nil {
			v.against("test: %v", err)
		}
		v.Ran = append(v.Ran, Ran{Test: t, File: file, Line: line})
	}
	evidence := v.Evidence
	if v.Status == StatusOrganisational {
		evidence = append([]Evidence{{"doc", v.Why}}, evidence...)
	}
	for _, e := range evidence {
		if err := src.Evidence(e); err != nil {
			v.against("evidence: %v", err)
		}
	}
	if v.Status != StatusProven {
		return
	}
	if v.runs() && len(v.Tests) == 0 {
		v.against("marked proven without a test")
	}
	if v.runs() && len(v.Code) == 0 {
		v.against("marked proven without code that implements it")
	}
	if v.Asks(KindReview) && len(v.Evidence) == 0 {
		v.against("marked proven without the document or command that it asks for")
	}
}

// skipped ends the words against a row whose test did not really run.
const skipped = "was skipped, or something below it"

// ran looks up the results. A planned row's tests are shown and decide nothing:
// they may be of a part that is under way; everybody else's must pass.
func (v *Verdict) ran(module string, res *Results) {
	for i := range v.Ran {
		r := &v.Ran[i]
		r.Result, r.Ended = res.Test(module, r.Test)
		if v.Status == StatusPlanned {
			continue
		}
		switch {
		case !r.Ended:
			v.against("%s did not run", r.Test)
		case r.Outcome == Skipped:
			v.against("%s %s", r.Test, skipped)
		case r.Outcome == Failed:
			v.against("%s failed", r.Test)
		case r.Outcome != Passed:
			v.against("%s did not end", r.Test)
		}
	}
}

// Counts of rows, by what they are.
type Counts struct{ Rows, Proven, NotProven, Planned, Organisational, Token int }

// Count counts the rows of a tier; 0 counts all.
func Count(all []*Verdict, tier int) Counts {
	var c Counts
	for _, v := range all {
		if tier != 0 && v.Tier != tier {
			continue
		}
		c.Rows++
		switch {
		case v.Proven:
			c.Proven++
		case v.Status == StatusProven:
			c.NotProven++
		case v.Status == StatusPlanned:
			c.Planned++
		case v.Status == StatusOrganisational:
			c.Organisational++
		case v.Status == StatusToken:
			c.Token++
		}
	}
	return c
}

// String is the counts in one line.
func (c Counts) String() string {
	return fmt.Sprintf("%d rows: %d proven, %d planned, %d organisational, %d not with this token, %d NOT PROVEN",
		c.Rows, c.Proven, c.Planned, c.Organisational, c.Token, c.NotProven)
}

// Wrong lists the rows with something against them, whatever their status but
// "planned": the list that makes a build fail.
func Wrong(all []*Verdict) []*Verdict {
	var out []*Verdict
	for _, v := range all {
		if len(v.Against) > 0 {
			out = append(out, v)
		}
	}
	return out
}

// OnlySkipped tells whether all that is against a row is that tests were
// skipped, as happens where a judge or a corpus is not installed.
func (v *Verdict) OnlySkipped() bool {
	for _, a := range v.Against {
		if !strings.HasSuffix(a, skipped) {
			return false
		}
	}
	return len(v.Against) > 0
}
