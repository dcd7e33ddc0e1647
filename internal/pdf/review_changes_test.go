package pdf

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// unexpected returns the changes that a verifier must not pass over.
func unexpected(t *testing.T, b []byte) (all, bad []Change) {
	t.Helper()
	d := open(t, b)
	sigs, err := d.Signatures()
	if err != nil {
		t.Fatal(err)
	}
	if all, err = d.LaterChanges(sigs[0]); err != nil {
		t.Logf("LaterChanges: %v", err)
		return nil, []Change{{Text: err.Error()}}
	}
	for _, c := range all {
		if !c.Expected() {
			bad = append(bad, c)
		}
	}
	return all, bad
}

// D16, T12 (promise 3): the page's stream says in the signed bytes that it is
// longer than the file. Signed, readers take what there is up to "endstream"; an
// update that looks harmless makes the file long enough, and the same object, at
// the same place, shows what the update holds. The same with an object whose
// place lies behind the signed file.
func TestReviewStreamThatGrowsIntoALaterUpdate(t *testing.T) {
	const reach = 9000
	doc := buildPDF("/Root 1 0 R", plainCatalog, plainPages, plainPage, fmt.Sprintf("<< /Length %d >>\nstream\n0 m S\nendstream", reach))
	at := bytes.Index(doc, []byte("stream\n0 m")) + len("stream\n")
	signed := sign(t, doc, testOptions())
	pad := at + reach - len(signed) - len("900 0 obj\n<< /Length 00000 >>\nstream\n")
	b := appendUpdate(signed, newestOffset(t, signed), "/Size 1000 /Root 1 0 R", map[int]string{
		900: fmt.Sprintf("<< /Length %05d >>\nstream\n%s\nendstream", pad, strings.Repeat("E", pad-1)),
	})
	d := open(t, b)
	o, err := d.loadNumber(4)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := d.streamLength(o); err != nil || n != reach {
		t.Fatalf("the attack is not built well: %d, %v", n, err)
	}
	if all, bad := unexpected(t, b); len(bad) == 0 || bad[0].Kind != ChangePageContent {
		t.Errorf("page 1 shows other content and nothing is said: %+v", all)
	}

	hollow := bytes.Clone(signed)
	row := []byte(fmt.Sprintf("%010d 00000 n", bytes.Index(doc, []byte("4 0 obj"))))
	if bytes.Count(hollow, row) != 1 {
		t.Fatal("no entry of object 4")
	}
	place := bytes.Index(b, []byte("900 0 obj"))
	hollow = bytes.Replace(hollow, row, []byte(fmt.Sprintf("%010d 00000 n", place)), 1)
	b = appendUpdate(hollow, newestOffset(t, hollow), "/Size 1000 /Root 1 0 R", map[int]string{900: "(x)"})
	b = bytes.Replace(b, []byte("900 0 obj\n(x)"), []byte("4 0 obj  \n(x)"), 1)
	if all, bad := unexpected(t, b); len(bad) == 0 {
		t.Errorf("object 4 stands behind the signed file and nothing is said: %+v", all)
	}
}

// D16, T12 (promise 3): a document time-stamp, or a further signature, brings a
// picture over the whole page. The page object is as signed; what a reader sees is
// not. A picture in the box of an empty field that was there is expected.
func TestReviewSignaturePictureOverThePage(t *testing.T) {
	const picture = "<< /Type /XObject /Subtype /Form /BBox [0 0 200 200] /Length 24 >>\nstream\n1 g 0 0 200 200 re f   \nendstream"
	const trailer = "/Size 1000 /Root 1 0 R /Info 5 0 R"
	signed := sign(t, docSpec{kind: "table", form: "indirect", sigField: true}.build(), testOptions())
	later := func(sub, name string, change func(widget string) string) []byte {
		opt := testOptions()
		opt.SubFilter, opt.Field = sub, name
		twice := sign(t, signed, opt)
		d := open(t, twice)
		form, err := d.form()
		if err != nil {
			t.Fatal(err)
		}
		widget := 0
		if _, err := d.eachField(form, func(f field) error {
			if f.name == name {
				widget = f.id.num
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		val := objectOf(t, twice, widget)
		evil := change(val)
		if evil == val {
			t.Fatalf("nothing to change in %s", val)
		}
		return appendUpdate(twice, newestOffset(t, twice), trailer, map[int]string{widget: evil, 500: picture})
	}
	over := func(w string) string {
		return strings.Replace(strings.Replace(w, "/Rect [0 0 0 0]", "/Rect [0 0 200 200] /AP << /N 500 0 R >>", 1), "/F 132", "/F 4", 1)
	}
	for _, sub := range []string{SubFilterRFC3161, SubFilterCAdES} {
		if all, bad := unexpected(t, later(sub, "Second", over)); len(bad) == 0 || bad[0].Kind != ChangeAnnotation {
			t.Errorf("%s: a picture over the page counts as expected: %+v", sub, all)
		}
	}
	moved := func(w string) string { return strings.Replace(w, "[5 5 50 20]", "[0 0 200 200]", 1) }
	if all, bad := unexpected(t, later(SubFilterCAdES, "Approval", moved)); len(bad) == 0 {
		t.Errorf("a field that grew over the page counts as expected: %+v", all)
	}
	inBox := func(w string) string { return strings.Replace(w, "/Rect", "/AP << /N 500 0 R >> /Rect", 1) }
	if all, bad := unexpected(t, later(SubFilterCAdES, "Approval", inBox)); len(bad) != 0 {
		t.Errorf("a picture in the box that was there: %+v", all)
	}
}

// T12 (promise 3): the unsigned bytes of /Contents are digits and nothing else;
// objects between the digits are for readers that repair files.
func TestReviewContentsHoldsDigitsOnly(t *testing.T) {
	signed := sign(t, plainPDF(), testOptions())
	s := signatures(t, signed)[0]
	at := int(s.ContentsOffset+s.ContentsLength) - 60
	b := bytes.Clone(signed)
	copy(b[at:], "\n4 0 obj[1 0 R]endobj\n")
	s = signatures(t, b)[0]
	if len(s.Problems) != 1 || s.Problems[0].Kind != ProblemContents {
		t.Errorf("%+v", s.Problems)
	}
}
