package validate_test

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/validate"
)

// place is a line of a cross-reference stream.
type place struct{ num, kind, a, b int }

// packedPage is a page that can stand in an object stream; its text is another object.
func packedPage(contents int) string {
	return fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources << /Font << /F1 7 0 R >> >> >>", contents)
}

// packed writes a file, or an update, that has object streams.
type packed struct {
	buf    bytes.Buffer
	places []place
}

func (p *packed) obj(n int, body string) {
	p.places = append(p.places, place{n, 1, p.buf.Len(), 0})
	fmt.Fprintf(&p.buf, "%d 0 obj\n%s\nendobj\n", n, body)
}

func (p *packed) finish(n int, keys string, edit func([]byte) []byte) []byte {
	p.places = append(p.places, place{n, 1, p.buf.Len(), 0})
	var rows []byte
	index := ""
	for _, e := range p.places {
		index += fmt.Sprintf("%d 1 ", e.num)
		rows = append(rows, byte(e.kind), byte(e.a>>16), byte(e.a>>8), byte(e.a), byte(e.b))
	}
	if edit != nil {
		rows = edit(rows)
	}
	start := p.buf.Len()
	fmt.Fprintf(&p.buf, "%d 0 obj\n<< /Type /XRef /Size %d /W [1 3 1] /Index [%s] /Root 1 0 R %s /Length %d >>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n",
		n, n+100, index, keys, len(rows), rows, start)
	return p.buf.Bytes()
}

// packedContract has its second page, object 35, in an object stream.
func packedContract() []byte {
	p := &packed{}
	p.buf.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	p.obj(1, "<< /Type /Catalog /Pages 2 0 R >>")
	p.obj(2, "<< /Type /Pages /Kids [3 0 R 35 0 R] /Count 2 >>")
	p.obj(3, packedPage(4))
	p.obj(4, stream("", "BT /F1 11 Tf 70 760 Td (First page.) Tj ET"))
	p.obj(6, stream("", "BT /F1 11 Tf 70 760 Td (The rent is 240 euros.) Tj ET"))
	p.obj(7, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	data := "35 0 " + packedPage(6)
	p.obj(10, fmt.Sprintf("<< /Type /ObjStm /N 1 /First 5 /Length %d >>\nstream\n%s\nendstream", len(data), data))
	p.places = append(p.places, place{35, 2, 10, 0})
	return p.finish(11, "", nil)
}

// repack is an update by which page 35 comes from another object stream, and to some
// readers is another page.
type repack struct {
	keys, data string
	index      int // of object 35 in the object stream
	xref       string
	rows       func([]byte) []byte
}

func (r repack) after(signed []byte) []byte {
	p := &packed{}
	p.buf.Write(signed)
	p.obj(200, fmt.Sprintf("<< /Type /ObjStm %s /Length %d >>\nstream\n%s\nendstream", r.keys, len(r.data), r.data))
	p.obj(201, stream("", "BT /F1 11 Tf 70 760 Td (The rent is 240000 euros.) Tj ET"))
	p.places = append(p.places, place{35, 2, 200, r.index})
	return p.finish(202, r.xref+" /Prev "+startxref(signed), r.rows)
}

// several is an object stream of the given objects: number, value, number, value.
func several(keys string, objs ...any) repack {
	index, data := "", ""
	for i := 0; i < len(objs); i += 2 {
		index += fmt.Sprintf("%d %d ", objs[i], len(data))
		data += objs[i+1].(string) + " "
	}
	return repack{keys: fmt.Sprintf("/N %d /First %d %s", len(objs)/2, len(index), keys), data: index + data}
}

func deflated(data []byte) string {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write(data)
	_ = w.Close()
	return z.String()
}

// hexadecimal is an object stream that a reader cuts into other numbers when it undoes
// ASCIIHexDecode: "3 3 35 2030 ..." or "35 0 0 130 ...".
func hexadecimal(keys string) repack {
	const first = 40
	evil := fmt.Sprintf("%-*s", first, fmt.Sprintf("35 0 36 %d ", len(packedPage(201)))) + packedPage(201) + " null "
	digits := strings.ToUpper(hex.EncodeToString([]byte(evil)))
	raw := "3 3 35 2030 " + digits[len("3335")+4:] + ">"
	return repack{keys: fmt.Sprintf("/N 2 /First %d %s", first, keys), data: fmt.Sprintf("%-*s", first+2030, raw) + packedPage(6) + " ", index: 1}
}

// predicted is an object stream in which another object stands at the same place once
// the predictor is undone.
func predicted(keys string) repack {
	const first, at = 40, 250*1001 + 1 + 10 // as it is: row 250, column 10; undone: row 250, column 261
	var raw []byte
	for i := range 251 {
		row := ""
		switch i {
		case 0:
			row = fmt.Sprintf("35 %d ", at-first)
		case 250:
			row = fmt.Sprintf("%-261s", "          "+packedPage(6)) + packedPage(201)
		}
		raw = append(append(raw, 0), fmt.Sprintf("%-1000s", row)...)
	}
	return repack{keys: fmt.Sprintf("/N 1 /First %d /Filter /FlateDecode %s", first, keys), data: deflated(raw)}
}

// D16, ADE-04: an update that nobody signed may not hold an object stream, or a
// cross-reference stream, that readers take for different things: pdf.js, MuPDF and
// Poppler would show a page that the signer never saw, where this one sees his.
func TestADE04StreamsOfTwoMeaningsAreRefused(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, packedContract(), true)
	good, evil := packedPage(6), packedPage(201)
	honest := several("", 35, good)
	cut := func(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }
	withXref := func(keys string, rows func([]byte) []byte) repack {
		r := honest
		r.xref, r.rows = keys, rows
		return r
	}
	second := several("", 35, evil, 36, good)
	second.index = 1
	last := several("", 36, "null", 35, good)
	last.index = 1
	beyond := honest
	beyond.index = 7
	at := len("35 000 36 000 ")
	moved := func(a, b int, data string) repack {
		return repack{keys: fmt.Sprintf("/N 2 /First %d", at), data: fmt.Sprintf("35 %03d 36 %03d ", a, b) + data}
	}
	for name, c := range map[string]struct {
		r     repack
		valid bool
	}{
		"honest":                        {honest, true},
		"honest, deflated":              {repack{keys: honest.keys + " /Filter [/FlateDecode] /DecodeParms [null]", data: deflated([]byte(honest.data))}, true},
		"an object that is not listed":  {last, false},
		"/F for /Filter":                {hexadecimal("/F /ASCIIHexDecode"), false},
		"/F beside /Filter":             {several("/F /ASCIIHexDecode /Filter null", 35, good), false},
		"/F null":                       {several("/#46 null", 35, good), false},
		"/FFilter":                      {several("/FFilter /ASCIIHexDecode", 35, good), false},
		"/DP for /DecodeParms":          {predicted("/DP << /Predictor 12 /Columns 1000 >>"), false},
		"/FDecodeParms":                 {predicted("/FDecodeParms << /Predictor 12 /Columns 1000 >>"), false},
		"a list beside a name":          {predicted("/DecodeParms [<< /Predictor 1 >>]"), false},
		"parameters that are no list":   {predicted("/DecodeParms /None"), false},
		"a predictor that is a real":    {predicted("/DecodeParms << /Predictor 12.0 /Columns 1000 >>"), false},
		"a width that is a real":        {predicted("/DecodeParms << /Predictor 12 /Columns 1000.0 >>"), false},
		"a crypt filter":                {several("/Filter /Crypt", 35, good), false},
		"another number in the place":   {several("", 36, evil, 35, good), false},
		"the number in another place":   {second, false},
		"a place that is not there":     {beyond, false},
		"a number twice":                {several("", 35, good, 35, evil), false},
		"falling offsets":               {moved(len(evil)+1, 0, evil+" "+good), false},
		"one offset twice":              {moved(0, 0, good+" "+evil), false},
		"an object across the next one": {moved(0, 20, good+" "+evil), false},
		"the index cut in a number":     {repack{keys: "/N 1 /First 4", data: "35 011 " + "x       " + good}, false},
		"a stream in it":                {several("", 35, good+" stream\n0 0 m\nendstream"), false},

		"/F of the cross-reference":           {withXref("/F /ASCIIHexDecode", nil), false},
		"/DP of the cross-reference":          {withXref("/DP << /Predictor 12 /Columns 5 >>", nil), false},
		"a crypt filter of it":                {withXref("/Filter [/Crypt]", nil), false},
		"a list beside a name in it":          {withXref("/Filter /FlateDecode /DecodeParms [<< /Predictor 12 /Columns 5 >>]", func(b []byte) []byte { return []byte(deflated(b)) }), false},
		"a reference in it":                   {withXref("/Filter 250 0 R", nil), false},
		"it ends early":                       {withXref("", cut(5)), false},
		"it ends within an entry":             {withXref("", cut(2)), false},
		"it ends within a row of a predictor": {withXref("/Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 100 >>", func(b []byte) []byte { return []byte(deflated(append([]byte{0}, b...))) }), false},
	} {
		f := c.r.after(signed)
		rep, err := validate.File(t.Context(), "a.pdf", bytes.NewReader(f), int64(len(f)), k.trust())
		if got := err == nil && rep.Verdict == validate.Valid; got != c.valid {
			t.Errorf("%s: valid %v, %v: %+v", name, got, err, rep.Signatures)
		}
	}
}
