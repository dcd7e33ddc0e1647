package pdf

import (
	"bytes"
	"compress/flate"
	"io"
	"regexp"
	"slices"
)

// imageKeys are the short names of the entries of an inline image, and of what they say (ISO 32000-2, tables 91 and 92).
var imageKeys = map[string]string{
	"BPC": "BitsPerComponent", "CS": "ColorSpace", "D": "Decode", "DP": "DecodeParms", "F": "Filter", "H": "Height",
	"IM": "ImageMask", "I": "Interpolate", "L": "Length", "W": "Width",
}

var imageFilters = map[string]string{
	"AHx": "ASCIIHexDecode", "A85": "ASCII85Decode", "LZW": "LZWDecode", "Fl": "FlateDecode", "RL": "RunLengthDecode",
	"CCF": "CCITTFaxDecode", "DCT": "DCTDecode",
}

// imageComponents is how many numbers each colour has; what begins with a bracket is an array.
var imageComponents = map[string]int64{
	"DeviceGray": 1, "G": 1, "DeviceRGB": 3, "RGB": 3, "DeviceCMYK": 4, "CMYK": 4,
	"[DeviceGray": 1, "[G": 1, "[DeviceRGB": 3, "[RGB": 3, "[DeviceCMYK": 4, "[CMYK": 4,
	"[CalGray": 1, "[CalRGB": 3, "[I": 1, "[Indexed": 1,
}

// inlineImage is what stands between BI and ID, as far as it says where the data ends.
type inlineImage struct {
	width, height, bits int64
	mask                bool
	space               string // "" for none, or one that resources define
	filter              string // the first
	early               bool   // of LZWDecode
	parms               []byte // of the filters, as they are written
}

// image goes over an inline image, whose end must be the same to those who reckon it and those who look for EI.
func (w *contentWalk) image() string {
	begin := w.pos
	w.drawn.other = true
	img, ok := w.imageHead()
	if !ok {
		return "an inline image of an unusual form"
	}
	if img.space != "" && img.space[0] != '[' && imageComponents[img.space] == 0 {
		w.drawn.uses.name("ColorSpace", img.space)
	}
	from := w.pos + 1
	if w.pos >= len(w.b) || !isSpace(w.b[w.pos]) {
		return "no blank behind ID"
	}
	starts := []int{from}
	if w.b[w.pos] == '\r' && from < len(w.b) && w.b[from] == '\n' {
		starts = append(starts, from+1) // some readers count both
	}
	for _, start := range starts {
		for _, end := range img.ends(w.b[start:]) {
			if at, found := eiBehind(w.b, start+end); found && img.sameEnd(w.b, from, at) {
				w.pos = at + len("EI")
				if i, _ := slices.BinarySearch(w.joints, begin); i < len(w.joints) && w.joints[i] < w.pos {
					return "an inline image that is cut between two streams"
				}
				return ""
			}
		}
	}
	return "an inline image that ends in two places"
}

// sameEnd tells whether pdf.js ends the image at the same place.
func (img inlineImage) sameEnd(b []byte, from, at int) bool {
	switch img.filter {
	case "DCTDecode", "ASCII85Decode", "ASCIIHexDecode":
		return true // it reckons, too
	}
	return searchedEI(b, from) == at
}

// imageHead reads the entries up to ID, which stands in front of pos then.
func (w *contentWalk) imageHead() (img inlineImage, ok bool) {
	img = inlineImage{width: -1, height: -1, bits: 1, early: true}
	seen := map[string]bool{}
	for {
		if w.blank() {
			return img, false
		}
		t, err := w.next()
		if err != nil {
			return img, false
		}
		word := w.b[t.start:t.end]
		if t.kind == tokWord && string(word) == "ID" {
			return img, img.width >= 0 && img.height >= 0 && img.width <= 1<<20 && img.height <= 1<<20
		}
		if t.kind != tokName {
			return img, false
		}
		key := string(decodeName(word))
		if long, short := imageKeys[key]; short {
			key = long
		}
		l := lexer{b: w.b, pos: w.pos, eof: true, maxDepth: contentDepth}
		start, end, err := l.value()
		if err != nil || seen[key] || isOperator(w.b[start]) && !constant(string(w.b[start:end])) {
			return img, false
		}
		seen[key] = true
		w.pos = end
		if !img.set(key, value{raw: w.b[start:end]}) {
			return img, false
		}
	}
}

// set notes an entry, and tells whether it is of a usual form.
func (img *inlineImage) set(key string, v value) bool {
	number := func(to *int64) bool {
		n, ok := v.asInt()
		*to = n
		return ok && n >= 0
	}
	switch key {
	case "Width":
		return number(&img.width)
	case "Height":
		return number(&img.height)
	case "BitsPerComponent":
		return number(&img.bits) && img.bits <= 16
	case "ImageMask":
		img.mask = string(v.raw) == "true"
		return img.mask || string(v.raw) == "false"
	case "ColorSpace", "Filter":
		first, ok := firstName(v)
		if key == "ColorSpace" {
			if img.space = first; v.isArray() {
				img.space = "[" + first
			}
		} else {
			img.filter = first
			if long, short := imageFilters[first]; short {
				img.filter = long
			}
		}
		return ok
	case "DecodeParms":
		img.early, img.parms = !bytes.Contains(v.raw, []byte("/EarlyChange 0")), v.raw
	}
	return true
}

// firstName is a name, or the first of an array.
func firstName(v value) (string, bool) {
	if !v.isArray() {
		return v.name(), v.name() != ""
	}
	name, n := "", 0
	err := v.eachElem(func(e value) bool {
		name = e.name()
		n++
		return false
	})
	return name, err == nil && (n == 0 || name != "")
}

// ends are the places where the data may end; readers do not find the end of CCITT data in one way.
func (img inlineImage) ends(data []byte) []int {
	switch img.filter {
	case "":
		return img.plainEnds(len(data))
	case "FlateDecode":
		if !zlibHead(data) {
			return nil
		}
		r := bytes.NewReader(data[2:])
		if n, err := io.Copy(io.Discard, io.LimitReader(flate.NewReader(r), maxImage)); err != nil || n == maxImage {
			return nil
		}
		end := len(data) - r.Len()
		return []int{min(end+4, len(data)), end, min(end+3, len(data)), min(end+2, len(data)), min(end+1, len(data))} // its checksum may be cut off
	case "LZWDecode":
		if !img.plainParms() {
			return nil
		}
		if _, end, how := lzwDecode(data, img.early, maxImage); how == lzwWhole {
			return []int{end}
		}
	case "RunLengthDecode":
		if end, whole := runLengthEnd(data); whole {
			return []int{end}
		}
	case "ASCII85Decode":
		if end := bytes.Index(data, []byte("~>")); end >= 0 && !bytes.ContainsFunc(data[:end], notASCII85) {
			return []int{end + 2}
		}
	case "ASCIIHexDecode":
		if end := bytes.IndexByte(data, '>'); end >= 0 && !bytes.ContainsFunc(data[:end], notHexadecimal) {
			return []int{end + 1}
		}
	case "DCTDecode":
		if end := jpegEnd(data); end > 0 {
			return []int{end}
		}
	case "CCITTFaxDecode":
		if at := searchedEI(data, 0); at >= 0 {
			return []int{at}
		}
	}
	return nil
}

// maxImage bounds what an inline image is decoded to; 4 KiB are recommended as the most.
const maxImage = 16 << 20

// plainEnds reckons. Without a colour space PDFium takes one bit, of a mask that has one it takes its colours, and of one of the
// resources it is not known here what those are.
func (img inlineImage) plainEnds(room int) []int {
	n, bits := imageComponents[img.space], img.bits
	switch {
	case img.mask && (n > 1 || bits != 1 || n == 0 && img.space != ""):
		n = 0
	case img.mask:
		n = 1
	}
	if size := img.height * ((img.width*bits*n + 7) / 8); n > 0 && size <= int64(room) {
		return []int{int(size)}
	}
	return nil
}

// earlyChange is the one parameter that counts for the end of LZWDecode, as it is usually written.
var earlyChange = regexp.MustCompile(`^<<[^#<]*/EarlyChange [01][\t\n\f\r />]`)

// plainParms tells whether the parameters of LZWDecode say in one way how its codes grow.
func (img inlineImage) plainParms() bool {
	if bytes.ContainsAny(img.parms, "#[%(") {
		return false
	}
	n := bytes.Count(img.parms, []byte("EarlyChange"))
	return n == 0 || n == 1 && earlyChange.Match(img.parms)
}

// eiBehind tells whether EI stands behind white space at a place, and where.
func eiBehind(b []byte, at int) (int, bool) {
	for at < len(b) && isSpace(b[at]) {
		at++
	}
	if !bytes.HasPrefix(b[min(at, len(b)):], []byte("EI")) {
		return 0, false
	}
	return at, at+2 == len(b) || isSpace(b[at+2])
}

// constant tells the words that are none.
func constant(word string) bool { return word == "true" || word == "false" || word == "null" }

// isOperator tells what begins one.
func isOperator(c byte) bool {
	return isRegular(c) && !isDigit(c) && c != '+' && c != '-' && c != '.'
}

// jpegEnd is the place behind the marker that ends a JPEG, 0 if there is none.
func jpegEnd(b []byte) int {
	for i := 0; i+1 < len(b); i++ {
		if b[i] != 0xff {
			continue
		}
		m := b[i+1]
		switch {
		case m == 0xd9:
			return i + 2
		case m == 0xff:
		case m >= 0xc0 && m <= 0xcf && m != 0xc8, m >= 0xda && m <= 0xef, m == 0xfe:
			if i+3 >= len(b) {
				return 0
			}
			if n := int(b[i+2])<<8 | int(b[i+3]); n > 2 {
				i += 1 + n
			} else {
				i++
			}
		default:
			i++
		}
	}
	return 0
}

func notASCII85(r rune) bool { return (r < '!' || r > 'u') && r != 'z' && !pdfSpace(r) }
