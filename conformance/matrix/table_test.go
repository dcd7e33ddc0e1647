package matrix

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

func theTable(t *testing.T) []*Row {
	t.Helper()
	f, err := os.Open(filepath.Join(testenv.Root(), "conformance", "requirements.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// tier1 is stated a second time here: nobody moves a row out of it by an edit of
// the table alone.
const tier1 = `ROL-02 ROL-04 ROL-05 IAM-01 IAM-04 IAM-05 IAM-06 KEY-02 KEY-03 KEY-05 KEY-06 KEY-07 KEY-10
KPR-01 KPR-02 KPR-05 KPR-07 KPR-08 KPR-11 ENR-01 ENR-03 ENR-04
SAP-01 SAP-02 SAP-03 SAP-04 SAP-05 SAP-06 SAP-07 SAP-08 SAP-09 SAP-10 SAP-11 SAP-12 SAP-13 SAP-14 SAP-15
SGN-01 SGN-02 SGN-03 SGN-05 BLK-02 BLK-03 AFL-01 AFL-02 AUD-01 AUD-05 AUD-06 CRY-01 FPT-01 FPT-03 FPT-05 PRV-01 PRV-04`

// The table has all 120 rows, group by group without gaps, and 54 of tier 1.
func TestTableIsWhole(t *testing.T) {
	want := map[string]int{
		"ROL": 7, "IAM": 7, "KEY": 11, "KPR": 11, "ENR": 7, "SAP": 15, "SGN": 5, "BLK": 4, "AFL": 4, "DLG": 4,
		"AUD": 11, "TIM": 2, "CHN": 3, "CRY": 6, "FPT": 6, "BKP": 3, "PRV": 4, "OPS": 4, "ADE": 6,
	}
	rows := theTable(t)
	got := map[string]int{}
	var first []string
	for _, r := range rows {
		got[r.Group()]++
		if r.Tier == 1 {
			first = append(first, r.ID)
		}
	}
	if len(rows) != 120 {
		t.Errorf("%d rows, want 120", len(rows))
	}
	for g, n := range want {
		if got[g] != n {
			t.Errorf("%s: %d rows, want %d", g, got[g], n)
		}
	}
	if list := strings.Fields(tier1); !slices.Equal(first, list) {
		t.Errorf("tier 1 is %v, want %v", first, list)
	}
}

// Whatever rows name is there, in the sources of this revision: code that cites
// the row, tests that cite it, documents and commands. (That the tests ran and
// passed is decided after a run, by assent conformance report.)
func TestWhatRowsNameExists(t *testing.T) {
	all, err := Judge(theTable(t), NewSource(testenv.Root()), nil)
	if err != nil {
		t.Fatal(err)
	}
	places, tests := 0, 0
	for _, v := range all {
		places, tests = places+len(v.Places), tests+len(v.Ran)
		for _, a := range v.Against {
			t.Errorf("%s (%s): %s", v.ID, v.Status, a)
		}
	}
	if places < 50 || tests < 80 {
		t.Errorf("only %d places and %d tests are named", places, tests)
	}
}

const goodRow = "SAP-03\t1\tF,P\tF: crash\tSRA_SAP.1.4; PP FPT_RPL.1 [R]\tonce\tSAM\tsam/a.go:F\tsam.TestA/sub_1; doc:docs/a.md#b\tproven"

func tableOf(rows ...string) string {
	return "# words\n" + strings.Join(columns, "\t") + "\n" + strings.Join(rows, "\n") + "\n"
}

func edited(field int, s string) string {
	f := strings.Split(goodRow, "\t")
	f[field] = s
	return strings.Join(f, "\t")
}

// A table is read strictly: each breach of its form is an error that names the
// line.
func TestReadIsStrict(t *testing.T) {
	rows, err := Read(strings.NewReader(tableOf(goodRow)))
	if err != nil || len(rows) != 1 {
		t.Fatal(err)
	}
	r := rows[0]
	if r.Tests[0] != (Test{"sam", "TestA/sub_1"}) || r.Evidence[0] != (Evidence{"doc", "docs/a.md#b"}) || r.Code[0] != (Place{"sam/a.go", "F"}) {
		t.Errorf("%+v", r)
	}
	for name, text := range map[string]string{
		"no header":           goodRow + "\n",
		"other header":        "id\ttier\n",
		"a field too few":     tableOf(goodRow[:strings.LastIndexByte(goodRow, '\t')]),
		"a field too many":    tableOf(goodRow + "\tx"),
		"id":                  tableOf(edited(0, "SAP-3")),
		"unknown group":       tableOf(edited(0, "XXX-03")),
		"id twice":            tableOf(goodRow, goodRow),
		"order":               tableOf(goodRow, edited(0, "SAP-02")),
		"order of groups":     tableOf(goodRow, edited(0, "ROL-01")),
		"tier":                tableOf(edited(1, "3")),
		"kind":                tableOf(edited(2, "F,X")),
		"no source":           tableOf(edited(4, "")),
		"recalled, unmarked":  tableOf(edited(4, "own; PP FPT_RPL.1")),
		"component":           tableOf(edited(6, "SAM,ABC")),
		"code without symbol": tableOf(edited(7, "sam/a.go")),
		"test without name":   tableOf(edited(8, "sam.a")),
		"test with spaces":    tableOf(edited(8, "sam.TestA/sub 1")),
		"test twice":          tableOf(edited(8, "sam.TestA; sam.TestA")),
		"evidence, no anchor": tableOf(edited(8, "doc:docs/a.md")),
		"evidence, no word":   tableOf(edited(8, "cmd:")),
		"status":              tableOf(edited(9, "done")),
		"proven with words":   tableOf(edited(9, "proven: nearly")),
		"planned, no reason":  tableOf(edited(9, "planned")),
		"planned, short":      tableOf(edited(9, "planned: later")),
		"organisational":      tableOf(edited(9, "organisational: people")),
		"white space":         tableOf(edited(5, "once ")),
		"empty line":          tableOf(goodRow, ""),
		"too long":            tableOf(edited(5, strings.Repeat("x", maxTable))),
	} {
		if _, err := Read(strings.NewReader(text)); !errors.Is(err, ErrTable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
