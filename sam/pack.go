package sam

import (
	"encoding/base64"
	"errors"
	"strconv"

	"github.com/assent-sign/assent/internal/jcs"
)

// A packed text is a text in which base64 is kept as the octets that it encodes:
// an answer has base64 within base64, and an activation is written twice. It is
// made of segments, each a kind, three octets of length and as many octets
// (docs/audit-format.md, section 4).
const (
	packText   = 'T' // as it is
	packStd    = 'S' // base64, padded
	packURL    = 'U' // base64url, not padded
	packNested = 'N' // base64url, not padded, of a packed text
	packGiven  = 'G' // base64url, not padded, of what the redemption brought: one octet, which

	packHead  = 4
	packDepth = 2
	maxPack   = 1<<24 - 1 // octets of a segment
)

// given is what a redemption brought and a byte-identical repetition brings again:
// the answer holds it, and nobody needs to keep it for the repetition.
type given [2][]byte

// Places in given.
const (
	givenSAD byte = iota
	givenProof
)

// packer composes a packed text.
type packer struct {
	out  []byte
	open int // where the segment of text begins that is being written, or -1
}

// newPacker appends to out.
func newPacker(out []byte) *packer { return &packer{out: out, open: -1} }

func (p *packer) text() {
	if p.open < 0 {
		p.open = len(p.out)
		p.out = append(p.out, packText, 0, 0, 0)
	}
}

func (p *packer) close() {
	if p.open >= 0 {
		setPackLen(p.out[p.open:], len(p.out)-p.open-packHead)
		p.open = -1
	}
}

func setPackLen(head []byte, n int) { head[1], head[2], head[3] = byte(n>>16), byte(n>>8), byte(n) }

func (p *packer) lit(s string) { p.text(); p.out = append(p.out, s...) }
func (p *packer) str(s string) { p.text(); p.out = jcs.AppendString(p.out, s) }
func (p *packer) int(n int64)  { p.text(); p.out = strconv.AppendInt(p.out, n, 10) }
func (p *packer) bool(b bool)  { p.text(); p.out = strconv.AppendBool(p.out, b) }

func (p *packer) octets(kind byte, b []byte) {
	p.close()
	if len(b) > maxPack {
		kind = 0 // no such kind: unpack refuses it, and nothing is cut
	}
	p.out = append(p.out, kind, 0, 0, 0)
	setPackLen(p.out[len(p.out)-packHead:], len(b))
	p.out = append(p.out, b...)
}

func (p *packer) given(which byte) {
	p.close()
	p.out = append(p.out, packGiven, 0, 0, 1, which)
}

// done ends the text.
func (p *packer) done() []byte {
	p.close()
	return p.out
}

var errPacked = errors.New("sam: a packed text is broken")

// unpacker writes out packed texts. nested, when it is there, is the text of the
// nested ones. Each of the given texts is written once at most, so that a text is no
// longer than the packed one and the given ones in base64, twice.
type unpacker struct {
	given  given
	nested []byte
	used   [len(given{})]bool
}

// unpack appends the text of a packed text.
func unpack(out, packed []byte, g given) ([]byte, error) {
	u := unpacker{given: g}
	return u.unpack(out, packed, packDepth)
}

func (u *unpacker) unpack(out, packed []byte, depth int) ([]byte, error) {
	if depth == 0 {
		return nil, errPacked
	}
	for len(packed) > 0 {
		if len(packed) < packHead {
			return nil, errPacked
		}
		n := int(packed[1])<<16 | int(packed[2])<<8 | int(packed[3])
		kind, rest := packed[0], packed[packHead:]
		if n > len(rest) {
			return nil, errPacked
		}
		var err error
		if out, err = u.segment(out, kind, rest[:n], depth); err != nil {
			return nil, err
		}
		packed = rest[n:]
	}
	return out, nil
}

func (u *unpacker) segment(out []byte, kind byte, b []byte, depth int) ([]byte, error) {
	switch kind {
	case packText:
		return append(out, b...), nil
	case packStd:
		return base64.StdEncoding.AppendEncode(out, b), nil
	case packURL:
		return base64.RawURLEncoding.AppendEncode(out, b), nil
	case packGiven:
		if len(b) != 1 || int(b[0]) >= len(u.given) || u.given[b[0]] == nil || u.used[b[0]] {
			return nil, errPacked
		}
		u.used[b[0]] = true
		return base64.RawURLEncoding.AppendEncode(out, u.given[b[0]]), nil
	case packNested:
		inner := u.nested
		if inner == nil {
			var err error
			if inner, err = u.unpack(make([]byte, 0, 2*(len(b)+len(u.given[givenSAD])+len(u.given[givenProof]))), b, depth-1); err != nil {
				return nil, err
			}
		}
		return base64.RawURLEncoding.AppendEncode(out, inner), nil
	}
	return nil, errPacked
}
