package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// ADE-04: the invisible field of a signature in a PDF/A-1 file has an appearance, an empty one, as ISO 19005-1, 6.9,
// wants of every field; in others there is none. The second signature of the file has one too, what is prepared is read back, and
// what was added after a signature is what signing adds.
func TestADE04FieldsOfPDFA1HaveAnAppearance(t *testing.T) {
	element, attribute := "<rdf:Description><pdfaid:part>\n1</pdfaid:part>", `<rdf:Description pdfaid:part = '1' pdfaid:conformance="B"/>`
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write([]byte(element)) // memory
	_ = z.Close()
	for name, c := range map[string]struct {
		keys, xmp, metadata string
		want                bool
	}{
		"element":     {"", element, "5 0 R", true},
		"attribute":   {"", attribute, "5 0 R", true},
		"packed":      {" /Filter /FlateDecode", packed.String(), "5 0 R", true},
		"part 2":      {"", strings.Replace(element, "1<", "2<", 1), "5 0 R", false},
		"part 11":     {"", strings.Replace(element, "1<", "11<", 1), "5 0 R", false},
		"another key": {"", strings.ReplaceAll(element, "pdfaid:part", "xpdfaid:part"), "5 0 R", false},
		"no metadata": {"", element, "null", false},
		"no stream":   {"", element, "3 0 R", false},
		"nothing":     {"", element, "99 0 R", false},
		"not packed":  {" /Filter /FlateDecode", "not packed", "5 0 R", false},
		"too long":    {"", strings.Repeat(" ", maxMetadata) + element, "5 0 R", false},
	} {
		t.Run(name, func(t *testing.T) {
			in := buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R /Metadata "+c.metadata+" >>", plainPages, plainPage, plainContent,
				fmt.Sprintf("<< /Type /Metadata /Subtype /XML%s /Length %d >>\nstream\n%s\nendstream", c.keys, len(c.xmp), c.xmp))
			for n := 1; n <= 2; n++ {
				out, p := prepare(t, in, testOptions())
				if _, err := ReadPrepared(out, p.Size); err != nil {
					t.Fatalf("not read back: %v", err)
				}
				in = sign(t, in, testOptions())
				if got := bytes.Count(in, []byte("/F 132 /AP << /N ")); (got == n) != c.want || (got == 0) == c.want {
					t.Errorf("%d fields with an appearance after %d signatures", got, n)
				}
			}
			if name != "not packed" { // which qpdf warns of, before too
				qpdfClean(t, in)
			}
			for _, s := range signatures(t, in) {
				changes, err := open(t, in).LaterChanges(s)
				if err != nil || len(s.Problems) > 0 || slices.ContainsFunc(changes, func(c Change) bool { return !c.Expected() }) {
					t.Errorf("%s: %v %v %v", s.Field, changes, s.Problems, err)
				}
			}
		})
	}
}
