// Package ber reads what others write in BER, in the one point in which it differs from DER in practice: elements of
// indefinite length, and strings in segments. It depends on nothing, never recurses, and bounds depth and number.
package ber

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What can be wrong with an encoding. Every error of this package wraps one.
var (
	ErrMalformed = errors.New("ber: not well-formed")
	ErrLimit     = errors.New("ber: size or count limit exceeded")
)

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// Bounds of ToDER. Real messages have three to six elements of indefinite length, one inside the other, and content
// in a few segments of kilobytes.
const (
	maxDepth  = 16
	maxPieces = 100_000
)

const (
	indefinite  = 0x80
	octets      = 0x04
	octetsOf    = 0x24 // constructed OCTET STRING: its content is that of the strings in it
	constructed = 0x20
	highTag     = 0x1f
)

// Indefinite tells whether an element's length is of the indefinite form (X.690, 8.1.3.6), which DER has not.
func Indefinite(in []byte) bool { return len(in) >= 2 && in[1] == indefinite }

// ToDER returns the first element of in with definite lengths and strings in one piece (X.690, 10.1 and 10.2), and how
// many bytes of in it took. Many programs write CMS messages so: what is meant is what DER says, and what was signed is
// (RFC 5652, 5.4: signed attributes are hashed in DER). An element of definite length is taken as it is, so that a
// certificate keeps its bytes; if it is no DER itself, whoever reads the result finds out. What is DER comes back as a copy.
func ToDER(in []byte) (out []byte, n int, err error) {
	b := message{in: in}
	if err := b.split(); err != nil {
		return nil, 0, err
	}
	return b.join(), b.at, nil
}

// message is one in pieces: headers that are written anew, and bytes that are kept.
type message struct {
	in     []byte
	at     int
	pieces []piece
	open   []opened
	room   int // bytes that the result has at most
}

type piece struct {
	kind kind
	tag  byte
	data []byte
}

type kind byte

const (
	kept kind = iota
	begin
	ending
)

type opened struct {
	tag byte
	end int // of its content; 0 if two zero bytes end it
}

// split reads one element.
func (b *message) split() error {
	for {
		if err := b.closeAll(); err != nil {
			return err
		}
		if len(b.pieces) > 0 && len(b.open) == 0 {
			return nil
		}
		if len(b.pieces) >= maxPieces {
			return fmt.Errorf("%w: more than %d pieces", ErrLimit, maxPieces)
		}
		if err := b.next(); err != nil {
			return err
		}
	}
}

// closeAll ends the open elements whose end is here.
func (b *message) closeAll() error {
	for len(b.open) > 0 {
		last := b.open[len(b.open)-1]
		switch {
		case last.end > 0 && b.at == last.end:
		case last.end > 0 || b.limit()-b.at < 2 || b.in[b.at] != 0 || b.in[b.at+1] != 0:
			return nil
		default:
			b.at += 2
		}
		b.open = b.open[:len(b.open)-1]
		b.pieces = append(b.pieces, piece{kind: ending, tag: last.tag})
	}
	return nil
}

// limit is where the bytes that belong to the innermost open element end at the latest.
func (b *message) limit() int {
	for i := len(b.open) - 1; i >= 0; i-- {
		if b.open[i].end > 0 {
			return b.open[i].end
		}
	}
	return len(b.in)
}

// next reads a header, and the content if that is kept.
func (b *message) next() error {
	rest := b.in[b.at:b.limit()]
	if len(rest) < 2 || rest[0]&highTag == highTag || rest[0] == 0 {
		return malformed("an element")
	}
	tag := rest[0]
	inString := len(b.open) > 0 && b.open[len(b.open)-1].tag == octetsOf
	if inString && tag != octets && tag != octetsOf {
		return malformed("something else in an octet string")
	}
	if rest[1] == indefinite {
		if tag&constructed == 0 {
			return malformed("indefinite length of a primitive element")
		}
		b.at += 2
		return b.push(tag, 0)
	}
	head, size, err := length(rest)
	if err != nil {
		return err
	}
	if tag == octetsOf {
		b.at += head
		return b.push(tag, b.at+size)
	}
	data := rest[:head+size]
	if inString {
		data = rest[head : head+size]
	}
	b.pieces = append(b.pieces, piece{kind: kept, data: data})
	b.room += len(data)
	b.at += head + size
	return nil
}

func (b *message) push(tag byte, end int) error {
	if len(b.open) >= maxDepth {
		return fmt.Errorf("%w: elements deeper than %d", ErrLimit, maxDepth)
	}
	b.open = append(b.open, opened{tag, end})
	b.pieces = append(b.pieces, piece{kind: begin, tag: tag})
	b.room += 6
	return nil
}

// length reads a definite length of at most four bytes: those of the header, and those of the content, which are there.
func length(in []byte) (head, size int, err error) {
	head, size = 2, int(in[1])
	if in[1] > indefinite {
		k := int(in[1] & 0x7f)
		if k > 4 || len(in) < 2+k {
			return 0, 0, malformed("a length")
		}
		var long [4]byte
		copy(long[4-k:], in[2:2+k])
		head, size = 2+k, int(binary.BigEndian.Uint32(long[:]))
	}
	if size > len(in)-head {
		return 0, 0, malformed("an element is longer than what it is in")
	}
	return head, size, nil
}

// join writes the pieces from the last to the first, so that each length is known when its header is written.
func (b *message) join() []byte {
	out := make([]byte, b.room)
	at := len(out)
	var ends []int
	strings := 0 // octet strings around what is written
	for i := len(b.pieces) - 1; i >= 0; i-- {
		p := b.pieces[i]
		switch p.kind {
		case kept:
			at -= len(p.data)
			copy(out[at:], p.data)
		case ending:
			ends = append(ends, at)
			if p.tag == octetsOf {
				strings++
			}
		case begin:
			size := ends[len(ends)-1] - at
			ends = ends[:len(ends)-1]
			tag := p.tag
			if tag == octetsOf {
				tag = octets
				if strings--; strings > 0 {
					continue // a segment of a string that is in segments
				}
			}
			at = putHeader(out, at, tag, size)
		}
	}
	return out[at:]
}

// putHeader writes a tag and a length of the shortest form before at, and returns where they begin.
func putHeader(out []byte, at int, tag byte, size int) int {
	if size < 0x80 {
		at--
		out[at] = byte(size)
	} else {
		k := 0
		for n := size; n > 0; n >>= 8 {
			at--
			out[at] = byte(n)
			k++
		}
		at--
		out[at] = 0x80 | byte(k)
	}
	at--
	out[at] = tag
	return at
}
