package matrix

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree is a small module with one implementation and one test.
func tree(t *testing.T) *Source {
	t.Helper()
	root := t.TempDir()
	for path, text := range map[string]string{
		"go.mod":          "module example.org/m\n\ngo 1.26\n",
		"Makefile":        "all:\n\nbench: ## x\n",
		"sam/a.go":        "// Package sam (SAP-01).\npackage sam\n\n// F does it once (SAP-03).\nfunc F() {}\n\ntype T[K any] struct{}\n\n// G of T. SAP-031 is another thing.\nfunc (t *T[K]) G() {\n\t// (SAP-02)\n}\n\n// The rows SAP-04 and SAP-05.\nconst (\n\tA = 1 // SAP-04\n\tB = 2\n)\n",
		"sam/a_test.go":   "package sam\n\n// SAP-03: once.\nfunc TestA(t *testing.T) {}\n\nfunc TestSAP02B(t *testing.T) {}\n\nfunc TestSAP01(t *testing.T) {}\n\nfunc TestNone(t *testing.T) {}\n",
		"web/x.ts":        "// SAP-08\nexport function show() {}\n",
		"docs/a.md":       "# Title\n\n## How, and when\n\ntext\n",
		"other/x_test.go": "package other\n",
	} {
		p := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return NewSource(root)
}

func event(action, test string) string {
	return fmt.Sprintf(`{"Time":"2026-11-21T12:00:00Z","Action":%q,"Package":"example.org/m/sam","Test":%q,"Elapsed":0.25}`, action, test) + "\n"
}

func results(t *testing.T, runs ...string) *Results {
	t.Helper()
	r := NewResults()
	for _, run := range runs {
		if err := r.Read(strings.NewReader(run)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func row(change func(*Row)) *Row {
	r := &Row{
		ID: "SAP-03", Tier: 1, Kinds: []string{KindFault}, Asked: "F", Source: "own", Requirement: "once", Component: []string{"SAM"},
		Code: []Place{{"sam/a.go", "F"}}, Tests: []Test{{"sam", "TestA"}}, Status: StatusProven,
	}
	if change != nil {
		change(r)
	}
	return r
}

func judge(t *testing.T, r *Row, res *Results) *Verdict {
	t.Helper()
	all, err := Judge([]*Row{r}, tree(t), res)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

const ran = "pass"

// A row is proven by a run in which its test ran and passed, and by nothing
// less.
func TestOnlyAPassedRunProves(t *testing.T) {
	good := event("run", "TestA") + event(ran, "TestA")
	for name, c := range map[string]struct {
		runs    []string
		against string // "" when it is proven
	}{
		"passed":                       {[]string{good}, ""},
		"passed with a subtest":        {[]string{good + event(ran, "TestA/x")}, ""},
		"failed":                       {[]string{event("fail", "TestA")}, "failed"},
		"skipped":                      {[]string{event("skip", "TestA")}, "was skipped"},
		"a subtest skipped":            {[]string{good + event("skip", "TestA/x/y")}, "was skipped"},
		"began and never ended":        {[]string{event("run", "TestA")}, "did not end"},
		"a subtest never ended":        {[]string{good + event("run", "TestA/x")}, "did not end"},
		"another test passed":          {[]string{event(ran, "TestAB")}, "did not run"},
		"a subtest of another name":    {[]string{event(ran, "TestAB/x") + good}, ""},
		"passed, then failed":          {[]string{good, event("fail", "TestA")}, "failed"},
		"failed, then passed":          {[]string{event("fail", "TestA"), good}, "failed"},
		"passed, then never ended":     {[]string{good, event("run", "TestA")}, "did not end"},
		"passed in another package":    {[]string{strings.ReplaceAll(good, "m/sam", "m/other")}, "did not run"},
		"passed in another module":     {[]string{strings.ReplaceAll(good, "example.org", "example.com")}, "did not run"},
		"what go itself has to say":    {[]string{"go: downloading\n" + good}, ""},
		"an output that says it ended": {[]string{event("output", "TestA")}, "did not run"},
	} {
		v := judge(t, row(nil), results(t, c.runs...))
		if said := strings.Join(v.Against, "; "); v.Proven != (c.against == "") || !strings.Contains(said, c.against) {
			t.Errorf("%s: proven %v, against %q, want %q", name, v.Proven, said, c.against)
		}
	}
	if v := judge(t, row(nil), nil); v.Proven || len(v.Against) > 0 {
		t.Errorf("without results: %+v", v)
	}
}

// A row that is marked proven names tests, code that cites it, and evidence where
// it asks for some; all of that is there.
func TestWhatStandsAgainstARow(t *testing.T) {
	passed := results(t, event(ran, "TestA")+event(ran, "TestSAP01")+event(ran, "TestSAP02B")+event(ran, "TestNone"))
	for name, c := range map[string]struct {
		change  func(*Row)
		against string
	}{
		"no test":                 {func(r *Row) { r.Tests = nil }, "without a test"},
		"no code":                 {func(r *Row) { r.Code = nil }, "without code"},
		"file of code missing":    {func(r *Row) { r.Code[0].File = "sam/b.go" }, "not there"},
		"outside the tree":        {func(r *Row) { r.Code[0].File = "../a.go" }, "outside"},
		"symbol missing":          {func(r *Row) { r.Code[0].Symbol = "H" }, "not there"},
		"code cites another":      {func(r *Row) { r.Code[0].Symbol = "T.G" }, "does not cite"},
		"cited in the group only": {func(r *Row) { r.ID = "SAP-05"; r.Code[0].Symbol = "B" }, "does not cite"},
		"text file, other id":     {func(r *Row) { r.Code[0] = Place{"web/x.ts", "function show"} }, "does not cite"},
		"text file, no symbol":    {func(r *Row) { r.Code[0] = Place{"web/x.ts", "hide"} }, "not there"},
		"test is not there":       {func(r *Row) { r.Tests[0].Name = "TestGone" }, "not there"},
		"package has no tests":    {func(r *Row) { r.Tests[0].Package = "docs" }, "no tests"},
		"test does not cite":      {func(r *Row) { r.Tests[0].Name = "TestNone" }, "does not cite"},
		"no evidence":             {func(r *Row) { r.Kinds = []string{KindReview} }, "without the document"},
		"section missing":         {func(r *Row) { r.Evidence = []Evidence{{"doc", "docs/a.md#when"}} }, "no such section"},
		"document missing":        {func(r *Row) { r.Evidence = []Evidence{{"doc", "docs/b.md#when"}} }, "not there"},
		"target missing":          {func(r *Row) { r.Evidence = []Evidence{{"cmd", "make soak"}} }, "not there"},
		"foreign command":         {func(r *Row) { r.Evidence = []Evidence{{"cmd", "rm -r"}} }, "want a make target"},
		"organisational":          {func(r *Row) { r.Status, r.Why = StatusOrganisational, "docs/a.md#nowhere" }, "no such section"},
		"token row, test failed": {func(r *Row) {
			r.Status, r.Why, r.Tests = StatusToken, "certified module", []Test{{"sam", "TestA/sub"}}
		}, "did not run"},
	} {
		v := judge(t, row(c.change), passed)
		if said := strings.Join(v.Against, "; "); v.Proven || !strings.Contains(said, c.against) {
			t.Errorf("%s: proven %v, against %q, want %q", name, v.Proven, said, c.against)
		}
	}
	for name, change := range map[string]func(*Row){
		"method of a generic type": func(r *Row) {
			r.ID, r.Code[0].Symbol, r.Tests = "SAP-02", "T.G", []Test{{"sam", "TestSAP02B"}}
		},
		"package comment":     func(r *Row) { r.ID, r.Code[0].Symbol, r.Tests[0].Name = "SAP-01", "package", "TestSAP01" },
		"evidence that is so": func(r *Row) { r.Evidence = []Evidence{{"doc", "docs/a.md#how-and-when"}, {"cmd", "make bench"}} },
		"a reader's row": func(r *Row) {
			r.Kinds, r.Code, r.Tests, r.Evidence = []string{KindReview}, nil, nil, []Evidence{{"doc", "docs/a.md#title"}}
		},
	} {
		if v := judge(t, row(change), passed); !v.Proven {
			t.Errorf("%s: %v", name, v.Against)
		}
	}
}

// A planned row is never proven, and its tests, which may be under way, decide
// nothing; what it names has to be there all the same.
func TestPlannedRowsProveNothing(t *testing.T) {
	planned := func(r *Row) { r.Status, r.Why = StatusPlanned, "to be built" }
	if v := judge(t, row(planned), results(t, event("fail", "TestA"))); v.Proven || len(v.Against) > 0 || v.Word() != "planned" {
		t.Errorf("%+v", v)
	}
	v := judge(t, row(func(r *Row) { planned(r); r.Tests[0].Name = "TestGone" }), results(t, event(ran, "TestA")))
	if len(v.Against) == 0 {
		t.Error("a planned row may name a test that is not there")
	}
}

// Counts, words, and what makes a build fail.
func TestCountsAndWords(t *testing.T) {
	why := func(s Status, why string) func(*Row) { return func(r *Row) { r.Status, r.Why = s, why } }
	rows := []*Row{
		row(nil),
		row(func(r *Row) { r.Tests[0].Name = "TestA/none"; r.Tier = 2 }),
		row(why(StatusPlanned, "to be built")),
		row(why(StatusOrganisational, "docs/a.md#title")),
		row(why(StatusToken, "needs a certified module")),
		row(func(r *Row) { r.Tests = []Test{{"sam", "TestA/skipped"}}; r.Tier = 2 }),
	}
	res := results(t, event(ran, "TestA")+event("skip", "TestA/skipped"))
	for _, r := range []*Row{rows[0], rows[3], rows[4]} {
		r.Tests = []Test{{"sam", "TestA/ok"}}
	}
	if err := res.Read(strings.NewReader(event(ran, "TestA/ok"))); err != nil {
		t.Fatal(err)
	}
	all, err := Judge(rows, tree(t), res)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Count(all, 0), (Counts{6, 1, 2, 1, 1, 1}); got != want {
		t.Errorf("all: %+v, want %+v", got, want)
	}
	if got, want := Count(all, 1), (Counts{4, 1, 0, 1, 1, 1}); got != want {
		t.Errorf("tier 1: %+v, want %+v", got, want)
	}
	wrong := Wrong(all)
	if len(wrong) != 2 || wrong[0].OnlySkipped() || !wrong[1].OnlySkipped() {
		t.Errorf("%d wrong", len(wrong))
	}
	var out bytes.Buffer
	if err := (&Report{Rows: all, Results: res}).Words(&out); err != nil {
		t.Fatal(err)
	}
	for _, say := range []string{"WRONG SAP-03 (proven): sam.TestA/none did not run", "TIER 1, NOT PROVEN YET: SAP-03 planned: to be built", "tier 1: 4 rows: 1 proven, 1 planned", "2 NOT PROVEN"} {
		if !strings.Contains(out.String(), say) {
			t.Errorf("lacks %q:\n%s", say, out.String())
		}
	}
}

// Results without a single event are an error: a run that did not happen is not
// a run in which nothing failed.
func TestEmptyResultsAreAnError(t *testing.T) {
	for _, in := range []string{"", "FAIL\n", "{}x\n"} {
		if err := NewResults().Read(strings.NewReader(in)); !errors.Is(err, ErrResults) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// The page holds every row with its anchor, escapes what it shows, and runs no
// script.
func TestPage(t *testing.T) {
	r := row(func(r *Row) { r.Requirement = "<script>alert(1)</script>" })
	all, err := Judge([]*Row{r}, tree(t), results(t, event(ran, "TestA")))
	if err != nil {
		t.Fatal(err)
	}
	var page, tsv bytes.Buffer
	rep := &Report{Rows: all, Results: results(t, event(ran, "TestA")), Revision: "abc", Up: "../.."}
	if err := rep.HTML(&page); err != nil {
		t.Fatal(err)
	}
	if err := rep.TSV(&tsv); err != nil {
		t.Fatal(err)
	}
	for _, say := range []string{`id="SAP-03"`, `&lt;script&gt;`, `href="../../sam/a.go#L5"`, `href="../../sam/a_test.go#L4"`, "0.25 s", "#only-SAM:target", "1 tests passed"} {
		if !strings.Contains(page.String(), say) {
			t.Errorf("the page lacks %s", say)
		}
	}
	if strings.Contains(page.String(), "<script") || strings.Contains(page.String(), "ZgotmplZ") {
		t.Error("the page runs a script, or the template refused a value")
	}
	if want := "SAP-03\t1\tproven\t\tsam.TestA\t1/1\t0.25\t\n"; !strings.HasSuffix(tsv.String(), want) {
		t.Errorf("got %q", tsv.String())
	}
}

// FuzzRead: no table makes the reader panic, and what it reads has its form.
func FuzzRead(f *testing.F) {
	f.Add(tableOf(goodRow))
	f.Add(tableOf(goodRow, strings.Replace(goodRow, "SAP-03", "SAP-04", 1)))
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := Read(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, r := range rows {
			if r.ID == "" || r.Tier < 1 || r.Tier > 2 || len(r.Kinds) == 0 || r.Status == "" {
				t.Errorf("%+v", r)
			}
		}
	})
}
