package validate_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/testenv"
)

// pageVectors are changes of one file, which the signer's app judges, too: twofaced.json.
type pageVectors struct {
	Objects    []string
	Odd, Sound []pageChange
}

type pageChange = testenv.PageChange

func (v pageVectors) file(c pageChange) []byte {
	w := &writer{}
	w.buf.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	for i, body := range v.Objects {
		w.obj(i+1, c.Made(i+1, body))
	}
	return w.finish(len(v.Objects), "/Info 8 0 R")
}

func readPageVectors(t *testing.T) pageVectors {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "internal/pdf/testdata/twofaced.json"))
	must(t, err)
	var v pageVectors
	must(t, json.Unmarshal(text, &v))
	if len(v.Odd) < 215 || len(v.Sound) < 68 {
		t.Fatalf("%d odd files, %d sound ones", len(v.Odd), len(v.Sound))
	}
	return v
}

// ADE-04: pages that readers take for different ones are a hazard, before anybody signs them. What is in brackets was seen with
// pdf.js 6, MuPDF, Poppler, Ghostscript 10, PDFium, PDFBox 3, pypdf and iText 8.
func TestADE04PagesOfTwoMeaningsAreAHazard(t *testing.T) {
	v := readPageVectors(t)
	plain := v.file(pageChange{})
	for _, c := range v.Odd {
		f := v.file(c)
		if bytes.Equal(f, plain) {
			t.Fatalf("%s: no change", c.Name)
		}
		if s, err := pdf.Inspect(bytes.NewReader(f), int64(len(f)), pdf.Limits{}); err == nil && !s.Twofaced {
			t.Errorf("%s: no hazard", c.Name)
		}
	}
	for _, c := range v.Sound {
		f := v.file(c)
		if s, err := pdf.Inspect(bytes.NewReader(f), int64(len(f)), pdf.Limits{}); err != nil || len(s.Hazards()) > 0 {
			t.Errorf("%s: %v, %v", c.Name, s.Hazards(), err)
		}
	}
}

// ADE-04: a trailer that does not say how many objects there are is damaged, to the worker as to the signer's app.
func TestADE04ATrailerWithoutSizeIsAHazard(t *testing.T) {
	f := readPageVectors(t).file(pageChange{})
	at := bytes.LastIndex(f, []byte("/Size"))
	for _, key := range []string{"/Was ", "/Size /", "/Size -"} {
		odd := slices.Concat(f[:at], []byte(key), f[at+len("/Size "):])
		if s, err := pdf.Inspect(bytes.NewReader(odd), int64(len(odd)), pdf.Limits{}); err == nil && !s.Damaged {
			t.Errorf("%s: no hazard", key)
		}
	}
}

// ADE-04: LibreOffice shows the document that /AdditionalStreams of a trailer leads to in place of the pages, be it that of an older
// revision.
func TestADE04AnotherDocumentInTheTrailerIsAHazard(t *testing.T) {
	v := readPageVectors(t)
	v.Objects = append(v.Objects, "<< /Length 2 >>\nstream\nPK\nendstream")
	plain := v.file(pageChange{})
	for name, key := range map[string]string{"as it is": "/AdditionalStreams", "escaped": "/Additional#53treams"} {
		f := bytes.Replace(plain, []byte("/Info 8 0 R"), []byte("/Info 8 0 R "+key+" [/application#2Fvnd.oasis.opendocument.text 12 0 R]"), 1)
		for how, f := range map[string][]byte{"first": f, "updated": upd(f, map[int]string{11: "<< /Type /Other /X 1 >>"})} {
			s, err := pdf.Inspect(bytes.NewReader(f), int64(len(f)), pdf.Limits{})
			if err != nil || !s.OtherDocument || len(s.Hazards()) == 0 {
				t.Errorf("%s, %s: %v, %v", name, how, s.Hazards(), err)
			}
			d, err := pdf.Open(bytes.NewReader(f), int64(len(f)), pdf.Limits{})
			must(t, err)
			if why, err := d.Faces(d.Size()); err != nil || len(why) != 1 || !strings.Contains(why[0], "LibreOffice") {
				t.Errorf("%s, %s: %q, %v", name, how, why, err)
			}
		}
	}
}
