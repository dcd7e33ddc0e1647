package validate_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/validate"
)

// D16: a key that a later update wrote twice, of which readers take the first or the last, hides nothing where it is one of those that
// may change: not in a page, in the catalog or in the form, spelt otherwise, nor beside metadata that changed. Such a file is refused as a
// whole or its signature does not pass.
func TestD16KeysThatAreThereTwice(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, formDoc(), true)
	page, root, form := current(signed, 3), current(signed, 1), current(signed, 6)
	first := func(dict, more string) string { return strings.Replace(dict, "<<", "<< "+more, 1) }
	added := map[int]string{
		60: "<< /Type /Annot /Subtype /Stamp /Rect [0 0 300 200] /AP << /N 61 0 R >> >>",
		61: stream(page300, "BT /F1 14 Tf 2 8 Td (999 000) Tj ET"),
		62: "<< /Fields [7 0 R] /NeedAppearances true /XFA 61 0 R >>",
	}
	for name, objs := range map[string]map[int]string{
		"annotations, last":    {3: with(page, " /Annots [60 0 R]")},
		"annotations, first":   {3: first(page, "/Annots [60 0 R]")},
		"annotations, escaped": {3: with(page, " /#41nnots [60 0 R]")},
		"resources":            {3: with(page, " /Resources << >> /Resources << /Font << >> >>")},
		"form, last":           {1: with(root, " /AcroForm 62 0 R")},
		"form, first":          {1: first(root, "/AcroForm 62 0 R")},
		"form, escaped":        {1: with(root, " /AcroF#6frm 62 0 R")},
		"fields, last":         {6: with(form, " /Fields [60 0 R]")},
		"pages, first":         {1: first(root, "/Pages 62 0 R /Metadata 61 0 R")},
		"defaults":             {6: with(form, " /DA (/F1 9 Tf) /DA (/F1 99 Tf)")},
	} {
		for n, body := range added {
			objs[n] = body
		}
		later := bytes.Replace(upd(signed, objs)[len(signed):], []byte("/Size 200"), []byte("/Size 300"), 1)
		file := append(bytes.Clone(signed), later...)
		rep, err := validate.File(t.Context(), "x.pdf", bytes.NewReader(file), int64(len(file)), k.trust())
		if err == nil && (rep.Verdict == validate.Valid || rep.Signatures[0].Verdict == validate.Valid) {
			t.Errorf("%s: %s, later %q", name, rep.Verdict, rep.Signatures[0].Later)
		}
	}
}
