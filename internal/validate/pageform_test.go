package validate_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/pdf"
)

// ADE-04: pages that readers take for different ones are a hazard, before anybody signs them. What is in brackets was seen with
// pdf.js 6, MuPDF, Poppler, Ghostscript 10, PDFium, PDFBox 3, pypdf and iText 8.
func TestADE04PagesOfTwoMeaningsAreAHazard(t *testing.T) {
	const page = "/Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4"
	for name, change := range map[string][2]string{
		"/Contents twice (the last; pypdf, Ghostscript: the first)": {"/Contents 4 0 R", "/Contents 6 0 R /Contents 4 0 R"},
		"the same, escaped": {"/Contents 4 0 R", "/C#6fntents 6 0 R /Contents 4 0 R"},
		"a font twice":      {"/F1 7 0 R", "/F1 8 0 R /F1 7 0 R"},
		"another parent (Poppler, Ghostscript, pypdf, iText inherit from above)":       {"/Parent 2 0 R", "/Parent 8 0 R"},
		"another generation (MuPDF, PDFium, Ghostscript draw it, pdf.js fails)":        {"/Contents 4 0 R", "/Contents 4 1 R"},
		"a count that is too small (pdf.js shows one page; PDFBox, pypdf two)":         {"/Count 2", "/Count 1"},
		"a count of none (MuPDF, Poppler: no page)":                                    {"/Count 2", ""},
		"a page with kids (pdf.js draws it; PDFium, PDFBox, iText draw what is below)": {page, strings.Replace(page, "/Contents", "/Kids [5 0 R] /Contents", 1)},
		"a page called /Pages (MuPDF, pypdf, PDFBox leave it out)":                     {page, strings.Replace(page, "/Type /Page ", "/Type /Pages ", 1)},
		"a page of another type (pypdf, PDFBox leave it out)":                          {page, strings.Replace(page, "/Type /Page ", "/Type /Other ", 1)},
		"a page that is missing (pdf.js fails, MuPDF shows one page)":                  {"/Kids [3 0 R", "/Kids [99 0 R 3 0 R"},
		"a page in place (Poppler shows none)":                                         {"/Kids [3 0 R", "/Kids [<< " + page + " 0 R >>"},
		"a content that is missing (Poppler draws nothing)":                            {"/Contents 4 0 R", "/Contents [4 0 R 99 0 R]"},
		"a content that is no stream (Poppler draws nothing)":                          {"/Contents 4 0 R", "/Contents [4 0 R (BT)]"},
		"a negative length (Poppler draws nothing)":                                    {"/Length 60", "/Length -5"},
		"a filter that none knows (pdf.js, MuPDF, PDFium draw it as it is)":            {"/Length 60", "/Filter /Foo /Length 60"},
	} {
		w := &writer{}
		w.buf.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
		old := contract()
		for n := 1; n <= 8; n++ {
			body := current(old, n)
			if n < 5 {
				body = strings.Replace(body, change[0], change[1], 1)
			}
			w.obj(n, body)
		}
		f := w.finish(8, "/Info 8 0 R")
		if bytes.Equal(f, old) {
			t.Fatalf("%s: no change", name)
		}
		s, err := pdf.Inspect(bytes.NewReader(f), int64(len(f)), pdf.Limits{})
		if err == nil && len(s.Hazards()) == 0 {
			t.Errorf("%s: no hazard", name)
		}
	}
}
