package validate_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// row is an entry of a cross-reference stream.
type row struct{ typ, a, b uint64 }

// xrefStream is a cross-reference stream without compression; more are further keys.
func xrefStream(num int, w [3]int, index string, size int, rows []row, more string) string {
	var b bytes.Buffer
	for _, r := range rows {
		for i, v := range []uint64{r.typ, r.a, r.b} {
			for n := w[i] - 1; n >= 0; n-- {
				b.WriteByte(byte(v >> (8 * n)))
			}
		}
	}
	return fmt.Sprintf("%d 0 obj\n<< /Type /XRef /Index [%s] /W [%d %d %d] /Size %d %s /Length %d >>\nstream\n%s\nendstream\nendobj\n",
		num, index, w[0], w[1], w[2], size, more, b.Len(), b.String())
}

var plainW = [3]int{1, 4, 2}

// streamed is contract with a cross-reference stream, and a page that it does not list, which a search of the file finds.
func streamed() []byte {
	f := contract()
	f = append(f[:bytes.LastIndex(f, []byte("xref\n0 9"))], hiddenPage...)
	rows := []row{{0, 0, 65535}}
	for n := 1; n <= 8; n++ {
		rows = append(rows, row{1, uint64(bytes.Index(f, fmt.Appendf(nil, "\n%d 0 obj", n)) + 1), 0})
	}
	at := len(f)
	f = append(f, xrefStream(9, plainW, "0 10", 10, append(rows, row{1, uint64(at), 0}), "/Root 1 0 R /Info 8 0 R")...)
	return fmt.Appendf(f, "startxref\n%d\n%%%%EOF\n", at)
}

// behindStream is an update with a cross-reference stream that adds, to us, an object that nothing refers to.
type behindStream struct {
	w        [3]int
	keys     string
	old, new string // replaced in the stream's object
	pack     string // the object is an object stream of these keys, with the entries packed in it
	packed   []row
}

func (b behindStream) after(signed []byte) []byte {
	if b.w == ([3]int{}) {
		b.w = plainW
	}
	object := "350 0 obj\n<< /Nothing true >>\nendobj\n"
	if b.pack != "" {
		head, body, _ := strings.Cut(b.pack, "|")
		object = "350 0 obj\n" + stream(fmt.Sprintf("/Type /ObjStm /N %d /First %d", len(strings.Fields(head))/2, len(head)), head+body) + "\nendobj\n"
	}
	at := len(signed) + len(object)
	rows := append([]row{{1, uint64(len(signed)), 0}, {1, uint64(at), 0}}, b.packed...)
	x := xrefStream(351, b.w, fmt.Sprintf("350 %d", len(rows)), 400, rows, "/Root 1 0 R /Info 8 0 R /Prev "+startxref(signed)+" "+b.keys)
	if b.old != "" {
		x = strings.Replace(x, b.old, b.new, 1)
	}
	return fmt.Appendf(bytes.Clone(signed), "%s%sstartxref\n%d\n%%%%EOF\n", object, x, at)
}

// D16, ADE-04: an update whose cross-reference is a stream has one form, too. The readers that are named drew the page
// that no cross-reference lists, or other objects.
func TestD16AStreamOfAnUpdateHasOneForm(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, streamed(), true)
	plain := contract()
	at := bytes.LastIndex(plain, []byte("xref\n0 9"))
	plain = slices.Concat(plain[:at], []byte(hiddenPage), bytes.Replace(plain[at:], fmt.Append(nil, at), fmt.Append(nil, at+len(hiddenPage)), 1))
	table := k.sign(t, plain, true)
	is := func(old, by string) behindStream { return behindStream{old: old, new: by} }
	for name, c := range map[string]struct {
		b     behindStream
		valid bool
	}{
		"honest":                             {behindStream{}, true},
		"honest, no types":                   {behindStream{w: [3]int{0, 4, 2}}, true},
		"honest, long fields":                {behindStream{w: [3]int{1, 8, 4}}, true},
		"honest, CR LF":                      {is("stream\n", "stream\r\n"), true},
		"honest, a key of a product":         {behindStream{keys: "/DocChecksum /0FF0"}, true},
		"honest, an object stream":           {behindStream{pack: "352 0 |<< /Nothing true >>", packed: []row{{2, 350, 0}}}, true},
		"a type of two bytes (Ghostscript)":  {behindStream{w: [3]int{2, 4, 2}}, false},
		"a type of eight bytes (Poppler)":    {behindStream{w: [3]int{8, 4, 2}}, false},
		"four widths (PDFBox)":               {is("/W [1 4 2]", "/W [1 4 2 3]"), false},
		"an odd index (pdf.js, PDFBox)":      {is("/Index [350 2]", "/Index [350 2 5]"), false},
		"an empty range (iText)":             {is("/Index [350 2]", "/Index [350 2 8000000 0]"), false},
		"/Filter null (Ghostscript)":         {behindStream{keys: "/Filter null"}, false},
		"/DecodeParms null (Ghostscript)":    {behindStream{keys: "/DecodeParms null"}, false},
		"/Filter of none":                    {behindStream{keys: "/Filter []"}, false},
		"no end of line (MuPDF, PDFium)":     {is("stream\n", "stream"), false},
		"a comment (pypdf)":                  {is("stream\n", "%\nstream\n"), false},
		"a head in lines (pypdf)":            {is("351 0 obj", "351\n0\nobj"), false},
		"a negative length (Poppler)":        {is("/Length 14", "/Length -1"), false},
		"no length (iText)":                  {is("/Length 14", ""), false},
		"a length that is too small":         {is("/Length 14", "/Length 7"), false},
		"a length behind a reference":        {is("/Length 14", "/Length 350 0 R"), false},
		"a reference that is none (iText)":   {behindStream{keys: "/X 1 99999 R"}, false},
		"a negative reference (iText)":       {behindStream{keys: "/X [1 -1 R]"}, false},
		"/XRefStm 0":                         {behindStream{keys: "/XRefStm 0"}, false},
		"an object stream, too":              {behindStream{keys: "/N 1 /First 0"}, false},
		"a page that an object stream holds": {behindStream{pack: "352 0 3 20 |<< /Nothing true >> " + clearedPage, packed: []row{{2, 350, 0}}}, false},
		"an object stream that none lists":   {behindStream{pack: "3 0 |" + clearedPage}, false},
	} {
		f := c.b.after(signed)
		rep, err := validate.File(t.Context(), "a.pdf", bytes.NewReader(f), int64(len(f)), k.trust())
		if got := err == nil && rep.Verdict == validate.Valid; got != c.valid {
			t.Errorf("%s: valid %v, %v: %+v", name, got, err, rep.Signatures)
		}
	}
	for name, f := range map[string][]byte{
		"a stream behind a table (iText)":              behindStream{}.after(table),
		"a table behind a stream (Ghostscript, iText)": behind{size: 400}.after(signed),
		"/XRefStm 0 (Poppler, Ghostscript, qpdf)":      behind{size: 400, trailer: "/XRefStm 0"}.after(table),
		"/XRefStm null":                    behind{size: 400, trailer: "/XRefStm null"}.after(table),
		"a reference that is none (iText)": behind{size: 400, trailer: "/X 1 99999 R"}.after(table),
	} {
		if rep := k.look(t, f, k.trust()); rep.Verdict == validate.Valid {
			t.Errorf("%s: valid", name)
		}
	}
}

// clearedPage is page 1 without content.
const clearedPage = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"

// D16, ADE-04: an update leads to the newest section of the revision before it, and to no other that its author left there:
// MuPDF, PDFium and Ghostscript find fault with this one, search the file, and draw the hidden page.
func TestD16AnUpdateIsBasedOnTheRevisionBeforeIt(t *testing.T) {
	k := newKit(t)
	f := append(contract(), hiddenPage...)
	dormant := len(f)
	table := contract()
	table = table[bytes.LastIndex(table, []byte("xref\n0 9")):bytes.LastIndex(table, []byte("startxref"))]
	f = append(f, bytes.ReplaceAll(table, []byte(" 00000 n \n"), []byte(" 0 n \n"))...)
	f = append(f, table...)
	f = fmt.Appendf(f, "startxref\n%d\n%%%%EOF\n", len(f)-len(table))
	signed := k.sign(t, f, true)
	var lines string // what the signature brought
	at := startxref(signed)
	if i := bytes.LastIndex(signed, []byte("xref\n")); bytes.Contains(signed[:i], []byte("\nxref\n")) {
		s := string(signed[bytes.LastIndex(signed[:i], []byte("\nxref\n"))+len("\nxref\n"):])
		lines = s[:strings.Index(s, "trailer")]
	}
	honest := behind{size: 400, entries: lines}.after(signed)
	if rep := k.look(t, honest, k.trust()); rep.Verdict != validate.Valid {
		t.Fatalf("honest: %+v", rep.Signatures)
	}
	lying := bytes.Replace(honest, []byte("/Prev "+at+" >>\nstartxref\n"+startxref(honest)), fmt.Appendf(nil, "/Prev %-*d >>\nstartxref\n%s", len(at), dormant, startxref(honest)), 1)
	if bytes.Equal(honest, lying) {
		t.Fatal("the same")
	}
	rep := k.look(t, lying, k.trust())
	if why := strings.Join(rep.Signatures[0].Why, " "); rep.Verdict == validate.Valid || !strings.Contains(why, "not based on the revision before it") {
		t.Errorf("%s %s", rep.Verdict, why)
	}
}

// linear is contract with a first object that says how long the file is, and behind it the cross-reference of another document.
func linear(length int) []byte {
	page := &writer{}
	page.obj(11, "<< /Type /Catalog /Pages 13 0 R >>")
	page.obj(12, "<< /Type /Page /Parent 13 0 R /MediaBox [0 0 595 842] /Contents 14 0 R /Resources << /Font << /F1 15 0 R >> >> >>")
	page.obj(13, "<< /Type /Pages /Kids [12 0 R] /Count 1 >>")
	page.obj(14, stream("", "BT /F1 11 Tf 70 760 Td (The rent is 999999.) Tj ET"))
	page.obj(15, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	w := &writer{}
	w.buf.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	w.obj(9, fmt.Sprintf("<< /Linearized 1 /L %010d /H [ 1000 50 ] /O 12 /E 2000 /N 1 /T 1500 >>", length))
	at := w.buf.Len()
	first := func(from int) string {
		rows := []row{{0, 0, 65535}, {1, uint64(at), 0}}
		for n := 11; n <= 15; n++ {
			rows = append(rows, row{1, uint64(from + page.offs[n]), 0})
		}
		return xrefStream(10, plainW, "0 1 10 6", 16, rows, "/Root 11 0 R")
	}
	from := at + len(first(0))
	w.offs[10] = at
	w.buf.WriteString(first(from))
	for n, off := range page.offs {
		w.offs[n] = from + off
	}
	w.buf.Write(page.buf.Bytes())
	old := contract()
	for n := 1; n <= 8; n++ {
		w.obj(n, current(old, n))
	}
	return w.finish(15, "/Info 8 0 R")
}

// D16, ADE-04: pdf.js and Poppler take a file for linearized if it is as long as its first object says, and begin with the
// cross-reference behind that: an author can have them draw another document from the signed file, or from the one that somebody
// added to.
func TestD16AFileOfTheLengthThatItsAuthorForesaw(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, linear(0), true)
	update := behind{size: 400}
	whole := len(update.after(signed))
	for length, valid := range map[int]bool{0: true, 9999: true, whole: false} {
		f := update.after(k.sign(t, linear(length), true))
		if len(f) != whole {
			t.Fatalf("%d bytes, not %d", len(f), whole)
		}
		if rep := k.look(t, f, k.trust()); (rep.Verdict == validate.Valid) != valid {
			t.Errorf("/L %d: %s %v", length, rep.Verdict, rep.Signatures[0].Why)
		}
	}
	for length, hazard := range map[int]bool{0: false, len(linear(0)): true} {
		f := linear(length)
		if s, err := pdf.Inspect(bytes.NewReader(f), int64(len(f)), pdf.Limits{}); err != nil || s.Damaged != hazard {
			t.Errorf("/L %d: %+v, %v", length, s, err)
		}
	}
	f := []byte(strings.Replace(string(linear(0)), "/L 0000000000", "/L 0000000.0 ", 1))
	if s, err := pdf.Inspect(bytes.NewReader(f), int64(len(f)), pdf.Limits{}); err != nil || !s.Damaged {
		t.Errorf("a length that is a real: %+v, %v", s, err)
	}
}
