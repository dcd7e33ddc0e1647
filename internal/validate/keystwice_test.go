package validate_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/validate"
)

// D16: a later update that gives an object a key for a second time is never valid: of two values some readers take the first and some the last. The values
// are such that, side by side, they look like the one that was signed.
func TestD16KeysThatAnUpdateRepeats(t *testing.T) {
	k := newKit(t)
	text, form := k.sign(t, contract(), true), k.sign(t, formDoc(), true)
	for name, c := range map[string]struct {
		file   []byte
		object int
		is     string
		behind string // what is put behind it
	}{
		"the box of a page":           {text, 3, "/MediaBox [0 0 595 842]", "/MediaBox [0 700 595 750]"},
		"the resources of a page":     {text, 3, "/Resources << /Font << /F1 7 0 R >> >>", "/Resources << /Font << /F1 9 0 R >> >>"},
		"the content of a page":       {text, 3, "/Contents 4 0 R", "/Contents 6 0 R"},
		"the box that pages inherit":  {form, 2, "/MediaBox [0 0 300 200]", "/MediaBox [0 0 300 60]"},
		"what pages inherit":          {form, 2, "/Resources << /XObject << /X 9 0 R >> /Font << /F1 5 0 R >> >>", "/Resources << /XObject << /X 8 0 R >> /Font << /F1 5 0 R >> >>"},
		"the look of a field":         {form, 7, "/AP << /N 8 0 R >>", "/AP << /N 9 0 R >>"},
		"the place of a field":        {form, 7, "/Rect [20 100 200 130]", "/Rect [20 10 200 30]"},
		"the value of a field":        {form, 7, "/V (240)", "/V (999)"},
		"the annotations of a page":   {form, 3, "/Annots  [7 0 R 11 0 R]", "/Annots [11 0 R]"},
		"the content of another page": {form, 3, "/Contents 4 0 R", "/Contents 9 0 R"},
	} {
		was := current(c.file, c.object)
		if !strings.Contains(was, c.is) {
			t.Errorf("%s: %q is not in %q", name, c.is, was)
		}
		changed := update(c.file, 60, map[int]string{c.object: strings.Replace(was, c.is, c.is+" "+c.behind, 1)})
		if rep, err := validate.File(t.Context(), "test.pdf", bytes.NewReader(changed), int64(len(changed)), k.trust()); err == nil && rep.Verdict == validate.Valid {
			t.Errorf("%s: valid; later: %v", name, rep.Signatures[0].Later)
		}
	}
}
