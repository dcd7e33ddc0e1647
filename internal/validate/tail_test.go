package validate_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// behind is an update that adds, to us, an object that nothing refers to. All else in it is for
// readers who find fault with the cross-reference and search the file.
type behind struct {
	hidden  string // between the objects
	head    string // in front of the table
	back    int    // how far in front of the table startxref leads
	entries string // further lines of the table
	gap     string // between the table and its trailer
	trailer string // further keys
	size    int    // 300 if not given
	between string // in front of startxref
	end     string // behind the end
}

const hiddenPage = "4 0 obj\n<< /Length 50 >>\nstream\nBT /F1 11 Tf 70 760 Td (The rent is 999999.) Tj ET\nendstream\nendobj\n"

func (b behind) after(signed []byte) []byte {
	out := bytes.Clone(signed)
	at := len(out)
	if b.size == 0 {
		b.size = 300
	}
	out = append(out, "150 0 obj\n<< /Nothing true >>\nendobj\n"+b.hidden+b.head...)
	table := len(out) - b.back
	return append(out, fmt.Sprintf("xref\n%s150 1\n%010d 00000 n \n%strailer\n<< /Size %d /Root 1 0 R /Info 8 0 R %s /Prev %s >>\n%sstartxref\n%d\n%%%%EOF\n%s",
		b.entries, at, b.gap, b.size, b.trailer, startxref(signed), b.between, table, b.end)...)
}

// D16, ADE-04: an update that nobody signed may hold nothing but the objects that it lists, and be of the one form that
// all readers forgive. MuPDF, qpdf or pdf.js drew the hidden page from the files marked so.
func TestD16AnUpdateHoldsWhatItLists(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, contract(), true)
	long := strings.Repeat("\n", 5000)
	comment := "%" + strings.Repeat("x", 1500)
	for name, c := range map[string]struct {
		b     behind
		valid bool
	}{
		"honest":                                {behind{}, true},
		"honest, a free object":                 {behind{entries: "0 1\n0000000000 65535 f \n"}, true},
		"honest, a free object 0 as of MuPDF":   {behind{entries: "0 1\n0000000000 65536 f \n"}, true},
		"honest, a blank line at the end":       {behind{end: "\r\n\r\n"}, true},
		"honest, words":                         {behind{hidden: "% an object, its objective, 7 objects; trailers\n"}, true},
		"honest, as MuPDF writes it":            {behind{gap: "\n"}, true},
		"honest, as iText writes it":            {behind{between: "%iText-Core-8.0.1 pdfSweep-4.0\n%of a product\r"}, true},
		"a word behind a comment":               {behind{between: "%iText\rstream\n"}, false},
		"a page that is not listed":             {behind{hidden: hiddenPage}, false},
		"a comment in its head":                 {behind{hidden: strings.Replace(hiddenPage, "4 0 obj", "4 % 1\n0 %\n%\nobj", 1)}, false},
		"it stands in a stream":                 {behind{hidden: "% << >> stream\n" + hiddenPage + "\n%endstream\n"}, false},
		"a trailer that is not listed":          {behind{hidden: "trailer\n<< /Root 1 0 R /Size 200 >>\n"}, false},
		"an offset outside (MuPDF)":             {behind{entries: "151 1\n9999999990 00000 n \n"}, false},
		"an offset to elsewhere":                {behind{entries: "151 1\n0000000100 00000 n \n"}, false},
		"lines of another length (MuPDF)":       {behind{entries: "151 1\n100 0 n \n"}, false},
		"object 0 in use (pdf.js)":              {behind{entries: "0 1\n0000000100 00000 n \n"}, false},
		"object 0 in use at 0 (pdf.js)":         {behind{entries: "0 1\n0000000000 00000 n \n"}, false},
		"a free object 1 that is meant to be 0": {behind{entries: "1 1\n0000000000 65535 f \n"}, false},
		"a free line in the table (MuPDF)":      {behind{entries: "\n"}, false},
		"listed twice":                          {behind{entries: "150 1\n0000000000 00001 f \n"}, false},
		"blanks in front of the table (qpdf)":   {behind{head: "    ", back: 4}, false},
		"blanks behind the end (MuPDF, qpdf)":   {behind{end: long}, false},
		"NULs behind the end (MuPDF, qpdf)":     {behind{end: strings.Repeat("\x00", 5000)}, false},
		"a comment behind the end (MuPDF)":      {behind{end: comment}, false},
		"words behind the end":                  {behind{end: "x"}, false},
		"/Size too small":                       {behind{size: 150}, false},
		"a word in the trailer":                 {behind{trailer: "/X foo"}, false},
		"a number in the trailer":               {behind{trailer: "/X 1-2"}, false},
		"a number too large (qpdf)":             {behind{trailer: "/X 99999999999999999999"}, false},
		"/Size too large (MuPDF)":               {behind{size: 9_000_000}, false},
		"/Size much too large (Poppler)":        {behind{size: 2147483647}, false},
		"a word behind the trailer (Poppler)":   {behind{between: "stream\n"}, false},
		"honest, a comment behind the trailer":  {behind{between: "% a stream\n"}, true},
		"a hidden section":                      {behind{trailer: "/XRefStm 9"}, false},
	} {
		f := c.b.after(signed)
		rep, err := validate.File(t.Context(), "a.pdf", bytes.NewReader(f), int64(len(f)), k.trust())
		if got := err == nil && rep.Verdict == validate.Valid; got != c.valid {
			t.Errorf("%s: valid %v, %v: %+v", name, got, err, rep.Signatures)
		}
	}
	f := behind{hidden: hiddenPage}.after(signed)
	if s := k.look(t, f, k.trust()).Signatures[0]; !strings.Contains(strings.Join(s.Why, " "), "no cross-reference lists") {
		t.Errorf("not named: %v", s.Why)
	}
}

// D16, ADE-04: an update that lists nothing wrong, and says that the file has fewer objects than it has: Poppler misses one of them, and
// draws what it finds in a search, which here the author has left for it.
func TestD16AnUpdateMayNotMakeTheFileSmaller(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, behind{hidden: hiddenPage}.after(contract()), true)
	root := map[int]string{1: with(current(signed, 1), " /DSS << >>")}
	for size, valid := range map[string]bool{"/Size 200": false, "/Size 400": true} {
		f := updKeys(signed, root, "/Info 8 0 R")
		f = append(f[:len(signed)], bytes.Replace(f[len(signed):], []byte("/Size 200 "), []byte(size+" "), 1)...)
		if rep := k.look(t, f, k.trust()); (rep.Verdict == validate.Valid) != valid {
			t.Errorf("%s: %s %v", size, rep.Verdict, rep.Signatures[0].Why)
		}
	}
}

// D16, ADE-04: each signature is asked about what is behind it, also where what is behind an earlier one is too much to be listed.
func TestD16OddUpdatesBehindEachSignature(t *testing.T) {
	k := newKit(t)
	first := k.sign(t, contract(), true)
	odd := behind{hidden: strings.Repeat(hiddenPage, 20), entries: "151 1\n100 0 n \n"}.after(first)
	second := k.sign(t, odd, true)
	if rep := k.look(t, second, k.trust()); rep.Verdict == validate.Valid || rep.Signatures[1].Verdict != validate.Valid {
		t.Fatalf("%+v", rep.Signatures)
	}
	if rep := k.look(t, behind{hidden: hiddenPage}.after(second), k.trust()); rep.Signatures[1].Verdict != validate.NotValid {
		t.Errorf("%+v", rep.Signatures[1])
	}
}

// ADE-04: before it signs, a worker warns of a file in which others would find more than we do.
func TestADE04ObjectsThatAreNotListedAreAHazard(t *testing.T) {
	for name, c := range map[string]struct {
		b      behind
		hazard bool
	}{
		"honest":                {behind{}, false},
		"as MuPDF writes it":    {behind{gap: "\r\n"}, false},
		"as iText writes it":    {behind{between: "%iText-7.1.16 \xa92000-2021 iText Group NV\n"}, false},
		"blanks behind the end": {behind{end: strings.Repeat("\n", 5000)}, false},
		"a page":                {behind{hidden: hiddenPage}, true},
		"a line of a table":     {behind{entries: "151 1\n100 0 n \n"}, true},
	} {
		f := c.b.after(contract())
		s, err := pdf.Inspect(bytes.NewReader(f), int64(len(f)), pdf.Limits{})
		if err != nil || s.Damaged != c.hazard || c.hazard != (len(s.Hazards()) > 0) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// Where the table that counts stands before an older one, a search finds the older object.
func TestADE04AnOlderObjectBehindItsPlaceIsAHazard(t *testing.T) {
	newer := "4 0 obj\n" + stream("", "BT /F1 11 Tf 70 760 Td (The rent is 1 euro.) Tj ET") + "\nendobj\n"
	head, old, _ := strings.Cut(string(contract()), "\n")
	head += "\n"
	by := len(newer) + 200
	moved := regexp.MustCompile(`\d{10} 00000 n|startxref\n\d+`).ReplaceAllStringFunc(old, func(s string) string {
		if digits, ok := strings.CutPrefix(s, "startxref\n"); ok {
			n, _ := strconv.Atoi(digits)
			return fmt.Sprintf("startxref\n%d", n+by)
		}
		n, _ := strconv.Atoi(s[:10])
		return fmt.Sprintf("%010d 00000 n", n+by)
	})
	table := fmt.Sprintf("xref\n4 1\n%010d 00000 n \ntrailer\n<< /Size 9 /Root 1 0 R /Info 8 0 R /Prev %s >>\n", len(head), startxref([]byte(moved)))
	f := []byte(fmt.Sprintf("%s%-*s%sstartxref\n%d\n%%%%EOF\n", head, by, newer+table, moved, len(head)+len(newer)))
	d, err := pdf.Open(bytes.NewReader(f), int64(len(f)), pdf.Limits{})
	if err != nil || d.Repaired() {
		t.Fatal(err)
	}
	s, err := pdf.Inspect(bytes.NewReader(f), int64(len(f)), pdf.Limits{})
	if err != nil || !s.Damaged {
		t.Errorf("%+v, %v", s, err)
	}
}
