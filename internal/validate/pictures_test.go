package validate_test

import (
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/validate"
)

// D16, ADE-04: a later signature brings nothing that is drawn over a page, whatever it calls itself and however small it says that it is.
// All readers draw a highlight, ink or a line where it says; Ghostscript draws a look in its own size where the
// field has none, and what is not for the screen is printed.
func TestD16ALaterSignatureDrawsNothing(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, formDoc(), true)
	const look = " /AP << /N 101 0 R >>"
	for name, c := range map[string]struct {
		widget string
		valid  bool
	}{
		"honest":                          {"/Subtype /Widget /Rect [0 0 0 0] /F 132", true},
		"honest, hidden":                  {"/Subtype /Widget /Rect [0 0 300 200] /F 2" + look, true},
		"honest, an empty look":           {"/Subtype /Widget /Rect [0 0 0 0] /F 132 /AP << /N 102 0 R >>", true},
		"a look":                          {"/Subtype /Widget /Rect [0 0 300 200] /F 4" + look, false},
		"a look of no size (Ghostscript)": {"/Subtype /Widget /Rect [0 0 0 0] /F 4" + look, false},
		"no height (Ghostscript)":         {"/Subtype /Widget /Rect [0 0 300 0] /F 4" + look, false},
		"looks of states":                 {"/Subtype /Widget /Rect [0 0 0 0] /F 4 /AP << /N << /On 101 0 R >> >> /AS /On", false},
		"on paper only":                   {"/Subtype /Widget /Rect [0 0 300 200] /F 36" + look, false},
		"not on the screen":               {"/Subtype /Widget /Rect [0 0 300 200] /F 32" + look, false},
		"switched on":                     {"/Subtype /Widget /Rect [0 0 300 200] /F 292" + look, false},
		"flags of 33 bits (PDFium)":       {"/Subtype /Widget /Rect [0 0 300 200] /F 4294967298" + look, false},
		"negative flags":                  {"/Subtype /Widget /Rect [0 0 300 200] /F -2" + look, false},
		"a highlight":                     {"/Subtype /Highlight /Rect [0 0 0 0] /F 4 /QuadPoints [0 200 300 200 0 0 300 0] /C [0 0 0]", false},
		"ink":                             {"/Subtype /Ink /Rect [0 0 0 0] /F 4 /InkList [[10 10 200 180]] /C [1 0 0]", false},
		"a line":                          {"/Subtype /Line /Rect [0 0 0 0] /F 4 /L [10 10 290 190] /C [1 0 0]", false},
		"a note":                          {"/Subtype /Text /Rect [9 9 9 9] /F 4 /Contents (a million)", false},
	} {
		u := upd(signed, map[int]string{3: strings.Replace(current(signed, 3), "[", "[100 0 R ", 1), 6: strings.Replace(current(signed, 6), "[", "[100 0 R ", 1),
			100: "<< /Type /Annot /FT /Sig /T (fresh) /P 3 0 R " + c.widget + " >>",
			101: stream(page300, "BT /F1 14 Tf 20 150 Td (a million) Tj ET"),
			102: stream("/Type /XObject /Subtype /Form /BBox [0 0 0 0]", "q Q")})
		rep := k.look(t, k.signField(t, u, "fresh"), k.trust())
		if s := rep.Signatures[0]; (s.Verdict == validate.Valid) != c.valid {
			t.Errorf("%s: %s %v", name, s.Verdict, s.Why)
		}
	}
}
