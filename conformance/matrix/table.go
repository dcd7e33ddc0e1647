package matrix

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// ErrTable is returned for a table that is not in the one accepted form. The
// message names line and field.
var ErrTable = errors.New("matrix: requirements table")

// Kinds of proof that a requirement asks for.
const (
	KindUnit        = "U"
	KindProperty    = "P" // property or fuzz test
	KindIntegration = "I"
	KindFault       = "F" // fault injection
	KindMutation    = "M" // of inputs
	KindBuild       = "B" // check at build time
	KindReview      = "R" // something to read: a document or the output of a command
)

// Status is what a row claims about itself.
type Status string

// Statuses. All but StatusProven carry a reason or a document.
const (
	StatusProven         Status = "proven"
	StatusPlanned        Status = "planned"             // not yet, or not whole: the reason
	StatusOrganisational Status = "organisational"      // people do it: the document section
	StatusToken          Status = "not-with-this-token" // needs a certified module: the reason
)

// Row is one requirement.
type Row struct {
	ID          string
	Tier        int      // 1 is automated before anything else; else 2
	Kinds       []string // of proof asked for
	Asked       string   // the proof asked for, in words
	Source      string   // standard reference; [R] marks what was recalled and is to be checked against the bought text
	Requirement string   // in our words
	Component   []string // SAM, SSA, CM, SIC, SCA, ENR, OPS
	Code        []Place
	Tests       []Test
	Evidence    []Evidence
	Status      Status
	Why         string // reason or document section of a status other than proven
}

// Group is the letters of the id.
func (r *Row) Group() string { return r.ID[:3] }

// Place is a declaration that implements a requirement: a Go function, method
// (Type.Method), type, constant or variable; in other files any text.
type Place struct{ File, Symbol string }

// String is the form in the table.
func (p Place) String() string { return p.File + ":" + p.Symbol }

// Test is a Go test, or a subtest, by the package's path in this module.
type Test struct{ Package, Name string }

// String is the form in the table.
func (t Test) String() string { return t.Package + "." + t.Name }

// Func is the test function.
func (t Test) Func() string { f, _, _ := strings.Cut(t.Name, "/"); return f }

// Evidence is something to read: "doc:path#section" or "cmd:command".
type Evidence struct{ Kind, Text string }

// String is the form in the table.
func (e Evidence) String() string { return e.Kind + ":" + e.Text }

// columns is the first line of the table.
var columns = []string{"id", "tier", "kinds", "asked", "source", "requirement", "component", "code", "tests", "status"}

var (
	idForm     = regexp.MustCompile(`^[A-Z]{3}-[0-9]{2}$`)
	placeForm  = regexp.MustCompile(`^[A-Za-z0-9_./-]+\.[a-z]+:.+$`)
	testForm   = regexp.MustCompile(`^([a-z0-9_/]+)\.((?:Test|Fuzz)[A-Za-z0-9_]*(?:/\S+)?)$`)
	docForm    = regexp.MustCompile(`^[A-Za-z0-9_./-]+\.md#[a-z0-9-]+$`)
	components = []string{"SAM", "SSA", "CM", "SIC", "SCA", "ENR", "OPS"}
	groups     = []string{"ROL", "IAM", "KEY", "KPR", "ENR", "SAP", "SGN", "BLK", "AFL", "DLG", "AUD", "TIM", "CHN", "CRY", "FPT", "BKP", "PRV", "OPS", "ADE"}
	recalled   = regexp.MustCompile(`^(?:PP|CM|T\.|OT\.|OE\.|AVA_)`)
	kinds      = []string{KindUnit, KindProperty, KindIntegration, KindFault, KindMutation, KindBuild, KindReview}
)

// maxTable bounds a table, in bytes.
const maxTable = 1 << 20

// Read reads a table. Lines that begin with # are comments. Rows stand in the
// order of groups and numbers, each id once.
func Read(in io.Reader) ([]*Row, error) {
	b, err := io.ReadAll(io.LimitReader(in, maxTable+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTable, err)
	}
	if len(b) > maxTable {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrTable, maxTable)
	}
	var rows []*Row
	header := false
	for i, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if !header {
			if line != strings.Join(columns, "\t") {
				return nil, fmt.Errorf("%w: line %d: want the columns %s", ErrTable, i+1, strings.Join(columns, ", "))
			}
			header = true
			continue
		}
		r, err := readRow(line)
		if err == nil && len(rows) > 0 && !before(rows[len(rows)-1].ID, r.ID) {
			err = fmt.Errorf("%s does not come after %s", r.ID, rows[len(rows)-1].ID)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrTable, i+1, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func before(a, b string) bool {
	x, y := index(groups, a[:3]), index(groups, b[:3])
	return x < y || x == y && a < b
}

func index(list []string, s string) int {
	for i, x := range list {
		if x == s {
			return i
		}
	}
	return -1
}

func readRow(line string) (*Row, error) {
	f := strings.Split(line, "\t")
	if len(f) != len(columns) {
		return nil, fmt.Errorf("%d fields, want %d", len(f), len(columns))
	}
	for i, s := range f {
		if s != strings.TrimSpace(s) {
			return nil, fmt.Errorf("%s: white space at an end", columns[i])
		}
		if s == "" && columns[i] != "code" && columns[i] != "tests" {
			return nil, fmt.Errorf("%s: empty", columns[i])
		}
	}
	r := &Row{ID: f[0], Kinds: strings.Split(f[2], ","), Asked: f[3], Source: f[4], Requirement: f[5], Component: strings.Split(f[6], ",")}
	if !idForm.MatchString(r.ID) || index(groups, r.ID[:3]) < 0 {
		return nil, fmt.Errorf("id %q", r.ID)
	}
	switch f[1] {
	case "1":
		r.Tier = 1
	case "2":
		r.Tier = 2
	default:
		return nil, fmt.Errorf("%s: tier %q", r.ID, f[1])
	}
	if err := r.words(); err != nil {
		return nil, fmt.Errorf("%s: %w", r.ID, err)
	}
	if err := r.lists(f[7], f[8]); err != nil {
		return nil, fmt.Errorf("%s: %w", r.ID, err)
	}
	if err := r.status(f[9]); err != nil {
		return nil, fmt.Errorf("%s: %w", r.ID, err)
	}
	return r, nil
}

// words checks the closed sets, and that a recalled source says so.
func (r *Row) words() error {
	for _, k := range r.Kinds {
		if index(kinds, k) < 0 {
			return fmt.Errorf("kind %q", k)
		}
	}
	for _, c := range r.Component {
		if index(components, c) < 0 {
			return fmt.Errorf("component %q", c)
		}
	}
	for _, s := range strings.Split(r.Source, "; ") {
		if recalled.MatchString(s) && !strings.HasSuffix(s, "[R]") {
			return fmt.Errorf("source %q: recalled names carry the mark [R]", s)
		}
	}
	return nil
}

func (r *Row) lists(code, tests string) error {
	for _, s := range split(code) {
		if !placeForm.MatchString(s) {
			return fmt.Errorf("code %q: want file:symbol", s)
		}
		file, symbol, _ := strings.Cut(s, ":")
		r.Code = append(r.Code, Place{file, symbol})
	}
	seen := map[string]bool{}
	for _, s := range split(tests) {
		if seen[s] {
			return fmt.Errorf("%q is named twice", s)
		}
		seen[s] = true
		kind, text, _ := strings.Cut(s, ":")
		switch m := testForm.FindStringSubmatch(s); {
		case m != nil:
			r.Tests = append(r.Tests, Test{m[1], m[2]})
		case kind == "doc" && docForm.MatchString(text), kind == "cmd" && text != "":
			r.Evidence = append(r.Evidence, Evidence{kind, text})
		default:
			return fmt.Errorf("tests: %q: want package.TestName, doc:file.md#section or cmd:command", s)
		}
	}
	return nil
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "; ")
}

func (r *Row) status(s string) error {
	word, why, has := strings.Cut(s, ": ")
	r.Status, r.Why = Status(word), why
	switch r.Status {
	case StatusProven:
		if has {
			return errors.New("proven has no reason")
		}
		return nil
	case StatusOrganisational:
		if !docForm.MatchString(why) {
			return fmt.Errorf("organisational: %q: want file.md#section", why)
		}
		return nil
	case StatusPlanned, StatusToken:
		if len(why) < 10 {
			return fmt.Errorf("%s: say why", word)
		}
		return nil
	}
	return fmt.Errorf("status %q", s)
}

// Asks tells whether the row asks for a kind of proof.
func (r *Row) Asks(kind string) bool { return index(r.Kinds, kind) >= 0 }

// runs tells whether some proof that the row asks for is a test that runs.
func (r *Row) runs() bool { return len(r.Kinds) > 1 || r.Kinds[0] != KindReview }
