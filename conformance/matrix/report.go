package matrix

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
)

// Report is a judged table with what it was judged by.
type Report struct {
	Rows     []*Verdict
	Results  *Results
	Revision string // of the sources; "" when unknown
	Up       string // from the report's folder to the root of the sources, for links; "" makes no links
}

//go:embed report.html
var page string

var titles = map[string]string{
	"ROL": "Roles, separation, dual control", "IAM": "Identification, authentication, access control of users",
	"KEY": "Key generation and assignment", "KPR": "Key protection, backup, destruction", "ENR": "Signer enrolment",
	"SAP": "Activation protocol and data", "SGN": "Signing", "BLK": "Several signatures with one approval",
	"AFL": "Failed authentication, lockout", "DLG": "Delegated authentication", "AUD": "Audit", "TIM": "Time",
	"CHN": "Channels", "CRY": "Cryptography", "FPT": "Self-test, secure failure state", "BKP": "Backup of the module",
	"PRV": "Limits of privileged users", "OPS": "Operation", "ADE": "Signature formats",
}

// section is the rows of one group.
type section struct {
	Group, Title string
	Rows         []*Verdict
}

// words are the standings of rows, the worst first.
var words = []string{"not proven", "proven", "planned", "organisational", "not-with-this-token"}

// HTML writes the report as one page that needs no other file and runs no
// script.
func (r *Report) HTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"class":   func(s string) string { return strings.ReplaceAll(s, " ", "-") },
		"join":    func(s []string) string { return strings.Join(s, " ") },
		"show":    func(s string) string { return strings.ReplaceAll(s, "_", " ") },
		"seconds": seconds,
		"percent": func(n, of int) string { return fmt.Sprintf("%.4g", 100*float64(n)/float64(max(1, of))) },
	}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, map[string]any{
		"R": r, "Sections": r.sections(), "Tier1": Count(r.Rows, 1), "All": Count(r.Rows, 0),
		"Components": components, "Words": words, "Wrong": Wrong(r.Rows),
	})
}

func (r *Report) sections() []section {
	var out []section
	for _, v := range r.Rows {
		if len(out) == 0 || out[len(out)-1].Group != v.Group() {
			out = append(out, section{Group: v.Group(), Title: titles[v.Group()]})
		}
		s := &out[len(out)-1]
		s.Rows = append(s.Rows, v)
	}
	return out
}

// seconds shows a test's time; tests below the clock of "go test" show none.
func seconds(d time.Duration) string {
	if d < 10*time.Millisecond {
		return "<0.01 s"
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// TSV writes the report for programs: one line a row.
func (r *Report) TSV(w io.Writer) error {
	if _, err := fmt.Fprintln(w, "id\ttier\tstanding\twhy\ttests\tpassed\tseconds\tagainst"); err != nil {
		return err
	}
	for _, v := range r.Rows {
		var tests []string
		passed, took := 0, 0.0
		for _, t := range v.Ran {
			tests = append(tests, t.String())
			if t.Outcome == Passed {
				passed++
			}
			took += t.Took.Seconds()
		}
		_, err := fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%d/%d\t%.2f\t%s\n", v.ID, v.Tier, v.Word(), v.Why,
			strings.Join(tests, "; "), passed, len(v.Ran), took, strings.Join(v.Against, "; "))
		if err != nil {
			return err
		}
	}
	return nil
}

// Words prints the counts, every row that has something against it, and the rows
// of tier 1 that are still planned.
func (r *Report) Words(w io.Writer) error {
	var b strings.Builder
	for _, v := range Wrong(r.Rows) {
		fmt.Fprintf(&b, "WRONG %s (%s): %s\n", v.ID, v.Status, strings.Join(v.Against, "; "))
	}
	for _, v := range r.Rows {
		if v.Tier == 1 && v.Status != StatusProven {
			fmt.Fprintf(&b, "TIER 1, NOT PROVEN YET: %s %s: %s\n", v.ID, v.Status, v.Why)
		}
	}
	fmt.Fprintf(&b, "tier 1: %s\nall:    %s\n", Count(r.Rows, 1), Count(r.Rows, 0))
	_, err := io.WriteString(w, b.String())
	return err
}
