package pdf

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
)

// maxDrawn bounds the decoded contents of one file, and with them the memory: one content is held as a whole. A file with more
// cannot be examined completely; the largest of some thousand ordinary ones have a third of it.
const maxDrawn = 32 << 20

// errUndecoded says that a content is not one that is decoded here, or that its data is damaged in a way in which readers go on in
// different ways.
var errUndecoded = errors.New("pdf: a content that cannot be decoded")

// content returns the decoded data of a stream that is drawn. Data that is cut off is damaged (ADE-04).
// Errors: errUndecoded; ErrLimit if the contents are too many; those of reading.
func (d *Document) content(o object) ([]byte, error) {
	length, err := d.streamLength(o)
	if err != nil {
		return nil, err
	}
	if length >= maxDrawn {
		return nil, overLimit("more than %d bytes of contents", maxDrawn)
	}
	filter, parms, err := d.filtersOf(o)
	if err != nil {
		return nil, err
	}
	raw, err := d.view(int(length), o.stream)
	if err != nil {
		return nil, err
	}
	if d.crypt != nil {
		// One with an encryption of its own is not drawn: none of those that other programs write has it.
		if first, _, err := d.firstOf(filter); err != nil || first.nameIs("Crypt") {
			return nil, firstError(err, errUndecoded)
		}
		r, _, _, err := d.openData(o, bytes.NewReader(raw), filter, parms)
		if err != nil {
			return nil, err
		}
		if raw, err = io.ReadAll(io.LimitReader(r, length)); err != nil {
			return nil, err
		}
	}
	filters, err1 := d.elements(filter)
	params, err2 := d.elements(parms)
	if err := firstError(err1, err2); err != nil {
		return nil, err
	}
	for i, f := range filters {
		p := nullValue()
		if i < len(params) {
			p = params[i]
		}
		if raw, err = d.undo(f.name(), p, raw); err != nil {
			return nil, err
		}
	}
	if d.drawn += int64(len(raw)); d.drawn >= maxDrawn {
		return nil, overLimit("more than %d bytes of contents", maxDrawn)
	}
	return raw, nil
}

// undo decodes one filter.
func (d *Document) undo(filter string, parms value, data []byte) ([]byte, error) {
	room := maxDrawn - d.drawn
	predictor, early := int64(1), int64(1)
	if parms.isDict() {
		var err1, err2 error
		predictor, err1 = d.parameter(parms, "Predictor", 1)
		early, err2 = d.parameter(parms, "EarlyChange", 1)
		if err := firstError(err1, err2); err != nil {
			return nil, err
		}
	}
	var out []byte
	var err error
	switch filter {
	case "FlateDecode":
		out, err = inflateAll(data, room)
	case "LZWDecode":
		var how lzwEnd
		if out, _, how = lzwDecode(data, early == 1, room); how == lzwBad {
			err = errUndecoded
		}
	case "RunLengthDecode":
		out = runLengthDecode(data, room)
	case "ASCIIHexDecode":
		out, err = hexDecode(data)
	case "ASCII85Decode":
		out, err = ascii85Decode(data)
	default:
		return nil, errUndecoded
	}
	if int64(len(out)) >= room {
		return nil, overLimit("more than %d bytes of contents", maxDrawn)
	}
	// What the next filter throws away was made all the same.
	if err := d.spend(int64(len(data) + len(out))); err != nil {
		return nil, err
	}
	if err == nil && predictor != 1 && (filter == "FlateDecode" || filter == "LZWDecode") {
		out, err = d.unpredict(out, parms, predictor)
	}
	return out, err
}

// unpredict undoes a predictor of one octet for each sample.
func (d *Document) unpredict(data []byte, parms value, predictor int64) ([]byte, error) {
	columns, err1 := d.parameter(parms, "Columns", 1)
	colors, err2 := d.parameter(parms, "Colors", 1)
	bits, err3 := d.parameter(parms, "BitsPerComponent", 8)
	if err := firstError(err1, err2, err3); err != nil {
		return nil, err
	}
	if predictor < 10 || colors != 1 || bits != 8 || columns < 1 || columns > 4096 || int64(len(data))%(columns+1) != 0 {
		return nil, errUndecoded
	}
	p := pngReader{r: bytes.NewReader(data), cur: make([]byte, columns+1), prev: make([]byte, columns+1)}
	out, err := io.ReadAll(&p)
	if err != nil {
		return nil, errUndecoded
	}
	return out, nil
}

// inflateAll inflates zlib data. The checksum and what stands behind count to no reader; where the data is damaged, some draw what
// came before and others nothing, and where it is cut off, they differ about the last octets.
func inflateAll(data []byte, room int64) ([]byte, error) {
	if len(bytes.TrimFunc(data, pdfSpace)) == 0 {
		return nil, nil
	}
	if !zlibHead(data) {
		return nil, errUndecoded
	}
	var out bytes.Buffer
	_, err := io.Copy(&out, io.LimitReader(flate.NewReader(bytes.NewReader(data[2:])), room))
	if err != nil {
		return nil, errUndecoded
	}
	return out.Bytes(), nil
}

// zlibHead tells whether data begins as every reader wants it (RFC 1950): behind another head, or one of a window of more than 32 KiB,
// some decode it all the same.
func zlibHead(data []byte) bool {
	return len(data) >= 2 && data[0]&0x0f == 8 && data[0]>>4 <= 7 && (int(data[0])<<8|int(data[1]))%31 == 0 && data[1]&0x20 == 0
}

type lzwEnd uint8

const (
	lzwBad lzwEnd = iota
	lzwCut
	lzwWhole
)

// lzwDecode decodes LZWDecode (ISO 32000-2, 7.4.4), as far as it goes and to a bound. It tells where the data ended, and
// whether with the code that ends it, before it, or at a code that is none.
func lzwDecode(data []byte, early bool, most int64) (out []byte, end int, how lzwEnd) {
	const clear, eod = 256, 257
	type entry struct {
		from, n int // in out
	}
	var table [4096]entry
	next, width, prev := 258, 9, -1
	acc, bits := 0, 0
	ahead := 0
	if early {
		ahead = 1
	}
	var last entry
	for i := 0; ; {
		for bits < width {
			if i >= len(data) {
				return out, i, lzwCut
			}
			acc, bits, i = acc<<8|int(data[i]), bits+8, i+1
		}
		code := acc >> (bits - width) & (1<<width - 1)
		bits -= width
		acc &= 1<<bits - 1
		switch code {
		case eod:
			return out, i, lzwWhole
		case clear:
			next, width, prev = 258, 9, -1
			continue
		}
		at := len(out)
		switch {
		case code < 256:
			out = append(out, byte(code))
		case prev >= 0 && code < next:
			out = append(out, out[table[code].from:table[code].from+table[code].n]...)
		case prev >= 0 && code == next && next < 4096:
			out = append(append(out, out[last.from:last.from+last.n]...), out[last.from])
		default:
			return out, i, lzwBad
		}
		if prev >= 0 && next < 4096 {
			table[next] = entry{last.from, last.n + 1} // what follows in out is its last octet
			next++
		}
		last, prev = entry{at, len(out) - at}, code
		if next+ahead >= 1<<width && width < 12 {
			width++
		}
		if int64(len(out)) >= most {
			return out, i, lzwCut
		}
	}
}

// runLengthEnd is the place behind the octet that ends RunLengthDecode (ISO 32000-2, 7.4.5).
func runLengthEnd(data []byte) (int, bool) {
	for i := 0; i < len(data); {
		switch n := int(data[i]); {
		case n == 128:
			return i + 1, true
		case n < 128:
			i += n + 2
		default:
			i += 2
		}
	}
	return 0, false
}

func runLengthDecode(data []byte, room int64) (out []byte) {
	for i := 0; i < len(data) && data[i] != 128 && int64(len(out)) < room; {
		n := int(data[i])
		if n < 128 {
			out = append(out, data[i+1:min(i+n+2, len(data))]...)
			i += n + 2
			continue
		}
		if i+1 < len(data) {
			out = append(out, bytes.Repeat(data[i+1:i+2], 257-n)...)
		}
		i += 2
	}
	return out
}

// hexDecode decodes ASCIIHexDecode; other characters each reader takes in its own way.
func hexDecode(data []byte) ([]byte, error) {
	if end := bytes.IndexByte(data, '>'); end >= 0 {
		data = data[:end]
	}
	var out []byte
	half := -1
	for _, c := range data {
		n := hexValue(c)
		switch {
		case n < 0 && !isSpace(c):
			return nil, errUndecoded
		case n < 0:
		case half < 0:
			half = n
		default:
			out, half = append(out, byte(half<<4|n)), -1
		}
	}
	if half >= 0 {
		out = append(out, byte(half<<4))
	}
	return out, nil
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// ascii85Decode decodes ASCII85Decode (ISO 32000-2, 7.4.3). A mark "<~" in front ends the data to most readers; who leaves it out draws what the signer does not see.
func ascii85Decode(data []byte) ([]byte, error) {
	if end := bytes.IndexByte(data, '~'); end >= 0 {
		data = data[:end]
	}
	var out []byte
	var group [5]uint32
	n := 0
	for _, c := range data {
		switch {
		case isSpace(c):
			continue
		case c == 'z' && n == 0:
			out = append(out, 0, 0, 0, 0)
			continue
		case c < '!' || c > 'u':
			return nil, errUndecoded
		}
		group[n] = uint32(c - '!')
		if n++; n == 5 {
			out, n = appendGroup(out, group, 4), 0
		}
	}
	if n == 1 {
		return nil, errUndecoded
	}
	if n > 0 {
		for i := n; i < 5; i++ {
			group[i] = 84
		}
		out = appendGroup(out, group, n-1)
	}
	return out, nil
}

func appendGroup(out []byte, g [5]uint32, n int) []byte {
	v := (((g[0]*85+g[1])*85+g[2])*85+g[3])*85 + g[4]
	return append(out, []byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}[:n]...)
}
