package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"sort"
	"strings"
)

// docSpec describes a document to generate: the shapes that writers in the wild
// produce and that a signature must survive.
type docSpec struct {
	kind     string // table, stream, hybrid
	packed   bool   // catalog, pages and forms in an object stream (stream, hybrid)
	flate    bool   // compress object and cross-reference streams
	annots   string // absent, null, direct, indirect
	form     string // absent, direct, indirect
	fields   string // direct, indirect, absent
	untyped  bool   // page without /Type
	junk     int    // bytes before %PDF-
	eol      string // line end of structure
	padding  string // behind %%EOF
	trailer  string // more trailer keys
	catalog  string // more catalog keys
	pages    int
	sigField bool // an empty signature field "Approval"
	lock     *lockSpec
}

// objects returns the bodies of the document by number and the numbers to pack.
func (s docSpec) objects() map[int]string {
	n := max(1, s.pages)
	objs := map[int]string{}
	var kids []string
	for i := range n {
		num := 20 + 2*i
		kids = append(kids, fmt.Sprintf("%d 0 R", num))
		typ := "/Type /Page "
		if s.untyped {
			typ = ""
		}
		annots := ""
		if i == 0 {
			annots = map[string]string{
				"null": "/Annots null ", "direct": "/Annots [ << /Subtype /Text /Rect [1 1 2 2] /Contents (in)line) >> 9 0 R % c\n ] ",
				"indirect": "/Annots 10 0 R ",
			}[s.annots]
			annots = strings.ReplaceAll(annots, "(in)line)", `(in\)line)`)
		}
		objs[num] = "<< " + typ + "/Parent 2 0 R /MediaBox [0 0 200 200] /Resources << >> " + annots + fmt.Sprintf("/Contents %d 0 R >>", num+1)
		text := fmt.Sprintf("%d 0 m BT (/ByteRange[0 ********** ********** **********] /Contents<0000000000>) Tj ET S\n", i)
		objs[num+1] = fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(text), text)
	}
	objs[2] = fmt.Sprintf("<< /Type /Pages /Count %d /Kids [%s] >>", n, strings.Join(kids, " "))
	objs[9] = "<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /Border [0 0 0] >>"
	objs[10] = "[ 9 0 R ]"
	objs[5] = "<< /Title (Contract \\(final\\)) /Producer <FEFF0041> >>"
	objs[6] = "<< /FT /Tx /T (name) /V (x) /Subtype /Widget /Rect [0 0 1 1] >>"
	fields := "6 0 R"
	if s.sigField {
		objs[7] = "<< /FT /Sig /T (Approval) /Subtype /Widget /Rect [5 5 50 20] /P 20 0 R >>"
		fields += " 7 0 R"
	}
	form := "<< /NeedAppearances false /DA (/Helv 0 Tf\\)) /DR << /Font << >> >> "
	switch s.fields {
	case "indirect":
		form += "/Fields 8 0 R >>"
		objs[8] = "[" + fields + "]"
	case "absent":
		form += ">>"
	default:
		form += "/Fields [" + fields + "] >>"
	}
	catalog := "<< /Type /Catalog /Pages 2 0 R " + s.catalog
	switch s.form {
	case "direct":
		catalog += " /AcroForm " + form
	case "indirect":
		catalog += " /AcroForm 4 0 R"
		objs[4] = form
	}
	objs[1] = catalog + " >>"
	return objs
}

// build writes the document.
func (s docSpec) build() []byte {
	eol := s.eol
	if eol == "" {
		eol = "\n"
	}
	var b bytes.Buffer
	b.WriteString(strings.Repeat("junk\n", s.junk))
	base := b.Len()
	b.WriteString("%PDF-1.7" + eol + "%\xe2\xe3\xcf\xd3" + eol)
	objs := s.objects()
	trailer := s.trailer
	var lock *crypt
	if s.lock != nil {
		var dict string
		lock, dict = s.lock.make()
		if s.lock.direct {
			trailer += "\n/Encrypt " + dict
		} else {
			objs[encryptNum] = dict
			trailer += fmt.Sprintf("\n/Encrypt %d 0 R", encryptNum)
		}
	}
	var nums []int
	for n := range objs {
		nums = append(nums, n)
	}
	sort.Ints(nums)
	places := map[int][2]int{} // number -> type, offset; or 2, index
	var packed []int
	for _, n := range nums {
		if n != encryptNum && s.packed && s.kind != "table" && !strings.Contains(objs[n], "stream\n") && (s.kind == "stream" || n == 9 || n == 10) {
			packed = append(packed, n)
			continue
		}
		places[n] = [2]int{1, b.Len() - base}
		body := objs[n]
		if lock != nil && n != encryptNum {
			body = lock.sealBody(n, body)
		}
		fmt.Fprintf(&b, "%d 0 obj%s%s%sendobj%s", n, eol, body, eol, eol)
	}
	if len(packed) > 0 {
		places[90] = [2]int{1, b.Len() - base}
		s.objectStream(&b, packed, objs, lock)
		for i, n := range packed {
			places[n] = [2]int{2, i}
		}
	}
	trailer = "/Root 1 0 R /Info 5 0 R /ID [<0102> <0304>] " + trailer
	start := s.section(&b, base, places, trailer, eol)
	fmt.Fprintf(&b, "startxref%s%d%s%%%%EOF%s", eol, start, eol, s.padding)
	return b.Bytes()
}

func (s docSpec) objectStream(b *bytes.Buffer, packed []int, objs map[int]string, lock *crypt) {
	var index, data string
	for _, n := range packed {
		index += fmt.Sprintf("%d %d ", n, len(data))
		data += objs[n] + "\n"
	}
	s.stream(b, 90, fmt.Sprintf("/Type /ObjStm /N %d /First %d", len(packed), len(index)), []byte(index+data), lock)
}

// stream writes a stream object.
func (s docSpec) stream(b *bytes.Buffer, num int, keys string, data []byte, lock *crypt) {
	if s.flate {
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		_, _ = w.Write(data)
		_ = w.Close()
		data = z.Bytes()
		keys += " /Filter /FlateDecode"
	}
	if lock != nil && lock.streams {
		data = lock.sealData(ref{num: num}, data)
	}
	fmt.Fprintf(b, "%d 0 obj\n<< %s /Length %d >>\nstream\n", num, keys, len(data))
	b.Write(data)
	b.WriteString("\nendstream\nendobj\n")
}

// section writes the cross-reference and returns its offset from the header.
func (s docSpec) section(b *bytes.Buffer, base int, places map[int][2]int, trailer, eol string) int {
	const size = 100
	start := b.Len() - base
	if s.kind == "stream" {
		places[91] = [2]int{1, start}
		s.stream(b, 91, fmt.Sprintf("/Type /XRef /Size %d /W [1 3 1] %s", size, trailer), xrefRows(places, 0, size), nil)
		return start
	}
	hidden := -1
	if s.kind == "hybrid" {
		hidden = start
		rows := map[int][2]int{}
		for n, p := range places {
			if p[0] == 2 {
				rows[n] = p
			}
		}
		s.stream(b, 91, fmt.Sprintf("/Type /XRef /Size %d /W [1 3 1] /Index [9 2]", size), xrefRows(rows, 9, 11), nil)
		places[91] = [2]int{1, hidden}
		start = b.Len() - base
	}
	two := eol
	if len(two) == 1 {
		two = " " + eol
	}
	fmt.Fprintf(b, "xref%s0 %d%s0000000000 65535 f%s", eol, size, eol, two)
	for n := 1; n < size; n++ {
		if p := places[n]; p[0] == 1 {
			fmt.Fprintf(b, "%010d 00000 n%s", p[1], two)
		} else {
			fmt.Fprintf(b, "0000000000 00000 f%s", two)
		}
	}
	fmt.Fprintf(b, "trailer%s<< /Size %d %s", eol, size, trailer)
	if hidden >= 0 {
		fmt.Fprintf(b, " /XRefStm %d", hidden)
	}
	fmt.Fprintf(b, " >>%s", eol)
	return start
}

func xrefRows(places map[int][2]int, from, to int) []byte {
	var out []byte
	for n := from; n < to; n++ {
		p := places[n]
		switch p[0] {
		case 1:
			out = append(out, 1, byte(p[1]>>16), byte(p[1]>>8), byte(p[1]), 0)
		case 2:
			out = append(out, 2, 0, 0, 90, byte(p[1]))
		default:
			out = append(out, 0, 0, 0, 0, 0)
		}
	}
	return out
}

// appendUpdate appends a revision with a table that redefines objects, as anybody
// could do to a signed file.
func appendUpdate(in []byte, prev int64, trailer string, objs map[int]string) []byte {
	var b bytes.Buffer
	b.Write(in)
	var nums []int
	for n := range objs {
		nums = append(nums, n)
	}
	sort.Ints(nums)
	section := "xref\n"
	for _, n := range nums {
		section += fmt.Sprintf("%d 1\n%010d 00000 n \n", n, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", n, objs[n])
	}
	start := b.Len()
	fmt.Fprintf(&b, "%strailer\n<< %s /Prev %d >>\nstartxref\n%d\n%%%%EOF\n", section, trailer, prev, start)
	return b.Bytes()
}
