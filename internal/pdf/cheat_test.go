package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// newestOffset is what a later revision names as /Prev.
func newestOffset(t testing.TB, b []byte) int64 {
	t.Helper()
	d := open(t, b)
	return d.newest - d.base
}

const otherPage = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 99 0 R /Resources << >> >>"

// D16: a later unsigned update is named for what it does.
func TestD16LaterChangesAreNamed(t *testing.T) {
	spec := docSpec{kind: "table", pages: 3, form: "indirect", annots: "indirect",
		trailer: "", catalog: "/Outlines 60 0 R /Names 61 0 R"}
	signed := sign(t, spec.build(), testOptions())
	prev := newestOffset(t, signed)
	const trailer = "/Size 200 /Root 1 0 R /Info 5 0 R"
	content := "<< /Length 3 >>\nstream\n0 w\nendstream"
	for _, c := range []struct {
		name    string
		trailer string
		objs    map[int]string
		kind    ChangeKind
		page    int
		text    string
	}{
		{"page 2 replaced", trailer, map[int]string{22: otherPage, 99: content}, ChangePageContent, 2, "/Contents"},
		{"content of page 2", trailer, map[int]string{23: content}, ChangePageContent, 2, "page 2 shows other content"},
		{"page tree", trailer, map[int]string{2: "<< /Type /Pages /Count 2 /Kids [20 0 R 24 0 R] >>"}, ChangePageTree, 0, "3 pages when signed and has 2"},
		{"pages swapped", trailer, map[int]string{2: "<< /Type /Pages /Count 3 /Kids [20 0 R 24 0 R 22 0 R] >>"}, ChangePageContent, 2, "page 2 replaced"},
		{"annotation", trailer, map[int]string{9: "<< /Type /Annot /Subtype /FreeText /Rect [0 0 200 200] >>"}, ChangeAnnotation, 1, ""},
		{"annotation added", trailer, map[int]string{10: "[9 0 R 104 0 R << /Subtype /Stamp >>]"}, ChangeAnnotation, 1, ""},
		{"field filled", trailer, map[int]string{6: "<< /FT /Tx /T (name) /V (other) /Subtype /Widget /Rect [0 0 1 1] >>"}, ChangeFormFill, 0, `"name"`},
		{"catalog", trailer, map[int]string{1: objectOf(t, signed, 1)[:len(objectOf(t, signed, 1))-2] + " /OpenAction << /S /Launch >> >>"}, ChangeCatalog, 0, "/OpenAction"},
		{"outlines", trailer, map[int]string{60: "<< /Type /Outlines >>"}, ChangeCatalog, 0, ""},
		{"info", trailer, map[int]string{5: "<< /Title (Another) >>"}, ChangeMetadata, 0, ""},
		{"hidden behind a parent", trailer, map[int]string{20: strings.Replace(objectOf(t, signed, 20), "/Parent", "/B [150 0 R] /Parent", 1),
			150: "<< /Hidden true >>"}, ChangeUnknown, 0, "object 150"},
		{"object removed", trailer, map[int]string{25: "null"}, ChangePageContent, 3, ""},
		{"other root", "/Size 200 /Root 120 0 R", map[int]string{120: "<< /Type /Catalog /Pages 121 0 R >>",
			121: "<< /Kids [122 0 R] /Count 1 >>", 122: "<< /Parent 121 0 R >>"}, ChangePageContent, 1, "page 1 replaced"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := appendUpdate(signed, prev, c.trailer, c.objs)
			d := open(t, b)
			sigs, err := d.Signatures()
			if err != nil {
				t.Fatal(err)
			}
			if len(sigs) == 0 { // the update took the field away: the old reading still knows it
				sigs = signatures(t, signed)
			}
			if sigs[0].CoveredEnd != int64(len(signed)) {
				t.Fatalf("%+v", sigs[0])
			}
			changes, err := d.LaterChanges(sigs[0])
			if err != nil {
				t.Fatal(err)
			}
			for _, ch := range changes {
				if ch.Kind == c.kind && ch.Page == c.page && strings.Contains(ch.Text, c.text) && !ch.Expected() {
					return
				}
			}
			t.Errorf("no change of kind %s, page %d, %q in %+v", c.kind, c.page, c.text, changes)
		})
	}
}

// D16: what a signing process adds is named and expected: a document time-stamp,
// validation data, and objects that are left over.
func TestD16ExpectedChangesAreExpected(t *testing.T) {
	signed := sign(t, docSpec{kind: "table", form: "indirect"}.build(), testOptions())
	opt := testOptions()
	opt.SubFilter = SubFilterRFC3161
	stamped := sign(t, signed, opt)
	if s := signatures(t, stamped); len(s) != 2 || s[1].Type != "DocTimeStamp" {
		t.Fatalf("%+v", s)
	}
	catalog := objectOf(t, stamped, 1)
	b := appendUpdate(stamped, newestOffset(t, stamped), "/Size 200 /Root 1 0 R /Info 5 0 R", map[int]string{
		1:   catalog[:len(catalog)-2] + " /DSS 150 0 R >>",
		150: "<< /Certs [151 0 R] >>", 151: "<< /Length 2 >>\nstream\nab\nendstream", 152: "(left over)",
	})
	changes, err := open(t, b).LaterChanges(signatures(t, b)[0])
	if err != nil {
		t.Fatal(err)
	}
	var kinds []ChangeKind
	for _, c := range changes {
		kinds = append(kinds, c.Kind)
		if !c.Expected() {
			t.Errorf("not expected: %+v", c)
		}
	}
	if want := []ChangeKind{ChangeTimestamp, ChangeDSS, ChangeUnused}; !slices.Equal(kinds, want) {
		t.Errorf("%v, want %v", kinds, want)
	}
}

// D16: nothing hides behind what a signing process adds: objects that a new
// signature or a filled field refers to are still named for what they are.
func TestD16AChangeCannotHideBehindASignature(t *testing.T) {
	signed := sign(t, docSpec{kind: "table", pages: 2, form: "indirect"}.build(), testOptions())
	twice := sign(t, signed, testOptions())
	s := signatures(t, twice)[1]
	dict := objectOf(t, twice, s.Object)
	b := appendUpdate(twice, newestOffset(t, twice), "/Size 200 /Root 1 0 R", map[int]string{
		s.Object: dict[:len(dict)-2] + " /X 23 0 R >>",
		23:       "<< /Length 3 >>\nstream\n0 w\nendstream",
		6:        "<< /FT /Tx /T (name) /V (x) /Subtype /Widget /Rect [0 0 1 1] /A << /D [22 0 R] /E 23 0 R >> >>",
	})
	d := open(t, b)
	sigs, err := d.Signatures()
	if err != nil {
		t.Fatal(err)
	}
	changes, err := d.LaterChanges(sigs[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if c.Kind == ChangePageContent && c.Page == 2 {
			return
		}
	}
	t.Errorf("the changed content of page 2 is not named: %+v", changes)
}

// D16: bytes behind a signed revision are not passed over, whatever they are.
func TestD16BytesBehindTheSignatureAreNamed(t *testing.T) {
	signed := sign(t, plainPDF(), testOptions())
	for _, tail := range []string{"\n\n", "% a comment\n", "hello"} {
		b := append(bytes.Clone(signed), tail...)
		sigs := signatures(t, b)
		if len(sigs) != 1 || sigs[0].CoversWholeFile {
			t.Fatalf("%q: %+v", tail, sigs)
		}
		changes, err := open(t, b).LaterChanges(sigs[0])
		if err != nil || len(changes) != 1 || changes[0].Kind != ChangeTail {
			t.Errorf("%q: %+v, %v", tail, changes, err)
		}
	}
}

// Coverage anomalies of the corpus are each named by their kind.
func TestCoverageAnomaliesAreProblems(t *testing.T) {
	dir := testenv.Corpora(t, "pdf/pyhanko/coverage-anomalies")
	for name, want := range map[string]ProblemKind{
		"one-byterange.pdf":         ProblemRangeForm,
		"signature-gap-too-big.pdf": ProblemGap,
		"tail-uncovered.pdf":        ProblemRevisionEnd,
		"weird-byterange.pdf":       ProblemGap,
		"base.pdf":                  "",
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sigs := signatures(t, b)
		if len(sigs) != 1 {
			t.Fatalf("%s: %d signatures", name, len(sigs))
		}
		var kinds []ProblemKind // the files of this set were never signed
		for _, p := range sigs[0].Problems {
			if p.Kind != ProblemUnsigned {
				kinds = append(kinds, p.Kind)
			}
		}
		if want == "" != (len(kinds) == 0) || want != "" && !slices.Contains(kinds, want) {
			t.Errorf("%s: want %q, found %+v", name, want, sigs[0].Problems)
		}
	}
}

// D16: a signature dictionary that no field leads to is reported, not counted.
func TestD16SignatureOutsideTheFormIsAProblem(t *testing.T) {
	signed := sign(t, plainPDF(), testOptions())
	s := signatures(t, signed)[0]
	b := appendUpdate(signed, newestOffset(t, signed), "/Size 200 /Root 1 0 R", map[int]string{
		150: "<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /Contents <3000> /ByteRange [0 10 20 30] >>",
	})
	sigs := signatures(t, b)
	if len(sigs) != 2 {
		t.Fatalf("%+v", sigs)
	}
	for _, x := range sigs {
		outside := false
		for _, p := range x.Problems {
			outside = outside || p.Kind == ProblemOutsideTree
		}
		if outside == (x.Object == s.Object) {
			t.Errorf("%+v", x)
		}
	}
}

// tamper builds a prepared file and lets fn turn it into a cheat.
func refusedAsPrepared(t *testing.T, name string, b []byte) {
	t.Helper()
	_, err := ReadPrepared(bytes.NewReader(b), int64(len(b)))
	if err == nil {
		t.Errorf("%s: passes as a prepared file", name)
	} else if !errors.Is(err, ErrNotPrepared) && !errors.Is(err, ErrMalformed) {
		t.Errorf("%s: %v", name, err)
	}
}

// Cheats with a prepared file: a wide gap, a tail that replaces a page, more
// revisions, a second hole, other bytes in the hole, a signed file.
func TestReadPreparedRefusesCheats(t *testing.T) {
	in := docSpec{kind: "table", pages: 3}.build()
	out, p := prepare(t, in, testOptions())
	prepared := out.b
	if _, err := ReadPrepared(out, p.Size); err != nil {
		t.Fatal(err)
	}
	edit := func(old, repl string) []byte {
		if bytes.Count(prepared[p.OriginalSize:], []byte(old)) < 1 || len(old) != len(repl) {
			t.Fatalf("bad edit %q", old)
		}
		return append(bytes.Clone(in), bytes.Replace(prepared[p.OriginalSize:], []byte(old), []byte(repl), 1)...)
	}
	wide := fmt.Sprintf("[0 %d %d", p.ByteRange[1], p.ByteRange[2])
	refusedAsPrepared(t, "the original", in)
	refusedAsPrepared(t, "wide gap at the end", edit(wide, fmt.Sprintf("[0 %d %d", p.ByteRange[1], p.ByteRange[2]+1)))
	refusedAsPrepared(t, "wide gap at the start", edit(wide, fmt.Sprintf("[0 %d %d", p.ByteRange[1]-9, p.ByteRange[2])))
	refusedAsPrepared(t, "range from 1", edit("[0 ", "[1 "))
	refusedAsPrepared(t, "hole not zero", edit("<0000", "<0001"))
	refusedAsPrepared(t, "blank in the hole", edit("<0000", "< 000"))
	refusedAsPrepared(t, "comment key", edit("/F 132", "/F 164"))
	refusedAsPrepared(t, "bytes behind the end", append(bytes.Clone(prepared), "% x\n"...))
	refusedAsPrepared(t, "no last line end", prepared[:len(prepared)-1])
	refusedAsPrepared(t, "page replaced behind", appendUpdate(prepared, newestOffset(t, prepared), "/Size 200 /Root 1 0 R",
		map[int]string{22: otherPage, 99: "<< /Length 3 >>\nstream\n0 w\nendstream"}))
	refusedAsPrepared(t, "unchanged revision behind", appendUpdate(prepared, newestOffset(t, prepared), "/Size 200 /Root 1 0 R", nil))
	signed := sign(t, in, testOptions())
	refusedAsPrepared(t, "signed already", signed)
	again, p2 := prepare(t, prepared, testOptions())
	if hole, err := ReadPrepared(again, p2.Size); err != nil || hole.ByteRange != p2.ByteRange {
		t.Errorf("a hole that is itself covered is of no use to anyone: %+v, %v", hole, err)
	}
}

// A dictionary of the original that claims the prepared file as its own, with a
// hole of its own, would be another place to sign for a reader that walks all
// objects; whether its name is spelt plainly makes no difference (D16).
func TestReadPreparedRefusesARivalOutsideTheForm(t *testing.T) {
	build := func(key string, at, size int64) []byte {
		rival := fmt.Sprintf("<< /Type /Sig /%s [0 %08d %08d %08d] /Contents <%s> >>", key, at, at+66, size-at-66, strings.Repeat("0", 64))
		return buildPDF("/Root 1 0 R", plainCatalog, plainPages, plainPage, rival)
	}
	for _, key := range []string{"ByteRange", "Byte#52ange"} {
		out, p := prepare(t, build(key, 0, 0), testOptions())
		if _, err := ReadPrepared(out, p.Size); err != nil {
			t.Fatalf("%s: a dictionary that claims nothing: %v", key, err)
		}
		at := int64(bytes.Index(out.b, []byte("/Contents <0"))) + int64(len("/Contents "))
		out, _ = prepare(t, build(key, at, p.Size), testOptions())
		refusedAsPrepared(t, key, out.b)
		if _, err := ReadPrepared(out, p.Size); err == nil || !strings.Contains(err.Error(), "object 4") {
			t.Errorf("%s: refused for another reason: %v", key, err)
		}
	}
}

// A tail that replaces a page within the update of the signature itself.
func TestReadPreparedRefusesAPageReplacedInTheUpdate(t *testing.T) {
	in := docSpec{kind: "table", pages: 3}.build()
	d := open(t, in)
	u, _, _, err := d.plan(withDefaults(testOptions()))
	if err != nil {
		t.Fatal(err)
	}
	for name, objs := range map[string][]changedObject{
		"page":    {{ref{num: 22}, []byte(otherPage)}},
		"unused":  {{ref{num: 150}, []byte("(hello)")}},
		"content": {{ref{num: 23}, []byte("<< /Length 3 >>\nstream\n0 w\nendstream")}},
	} {
		evil := &update{d: d, objs: append(append([]changedObject{}, u.objs...), objs...), next: 151, firstNew: u.firstNew}
		tail, err := evil.bytes(d.size)
		if err != nil {
			t.Fatal(err)
		}
		b := append(bytes.Clone(in), tail...)
		hole := bytes.Index(tail, []byte("/Contents <")) + len("/Contents ") + len(in)
		end := hole + 2*testOptions().Reserve + 2
		r := byteRangeText([4]int64{0, int64(hole), int64(end), int64(len(b) - end)})
		copy(b[end+len(byteRangeKey):], r)
		if s := signatures(t, b); !s[0].CoversWholeFile {
			t.Fatalf("the cheat is not well made: %+v", s)
		}
		refusedAsPrepared(t, name, b)
	}
}

// What is written into the hole later must not be reachable as anything but the
// signature: neither as an object, nor as part of a stream. The second case is
// real: a page whose content is ASCIIHexDecode over the hole would show what the
// one who fills the hole hides in unsigned attributes.
func TestReadPreparedRefusesAHoleThatOthersCanRead(t *testing.T) {
	// Object 50 of the original "lies" where the hole will be.
	build := func(off int64) []byte {
		b := docSpec{kind: "table"}.build()
		at := bytes.Index(b, []byte("xref\n0 100\n")) + len("xref\n0 100\n") + 50*20
		copy(b[at:], fmt.Sprintf("%010d 00000 n \n", off))
		return b
	}
	_, p := prepare(t, build(1), testOptions())
	out, _ := prepare(t, build(p.ContentsOffset+200), testOptions())
	refusedAsPrepared(t, "object in the hole", out.b)

	// The last stream of the original claims a length that reaches over the hole
	// to an endstream in a later part of the file.
	long := func(n int64) []byte {
		content := fmt.Sprintf("<< /Filter /ASCIIHexDecode /Length %6d >>\nstream\n30206d\n", n)
		return buildPDF("/Root 1 0 R", plainCatalog, plainPages, plainPage, content)
	}
	in := long(1)
	start := int64(bytes.Index(in, []byte("30206d")))
	_, p = prepare(t, in, testOptions())
	out, _ = prepare(t, long(p.ContentsOffset+300-start), testOptions())
	refusedAsPrepared(t, "stream over the hole", out.b)

	// The same with a stream that never ends, so that readers look for its end.
	refusedAsPrepared(t, "stream without end", func() []byte { out, _ := prepare(t, in, testOptions()); return out.b }())
}
