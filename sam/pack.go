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

	packHead  = 4
	packDepth = 2
	maxPack   = 1<<24 - 1 // octets of a segment
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

// done ends the text.
func (p *packer) done() []byte {
	p.close()
	return p.out
}

var errPacked = errors.New("sam: a packed text is broken")

// unpack appends the text of a packed text. Its length is known before: no
// segment becomes longer than maxPack by more than base64 does, twice.
func unpack(out, packed []byte) ([]byte, error) { return unpackTo(out, packed, packDepth, nil) }

// unpackTo takes the text of a nested packed text from known, if it is there.
func unpackTo(out, packed []byte, depth int, known []byte) ([]byte, error) {
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
		b := rest[:n]
		packed = rest[n:]
		switch kind {
		case packText:
			out = append(out, b...)
		case packStd:
			out = base64.StdEncoding.AppendEncode(out, b)
		case packURL:
			out = base64.RawURLEncoding.AppendEncode(out, b)
		case packNested:
			inner := known
			if inner == nil {
				var err error
				if inner, err = unpackTo(make([]byte, 0, 2*len(b)), b, depth-1, nil); err != nil {
					return nil, err
				}
			}
			out = base64.RawURLEncoding.AppendEncode(out, inner)
		default:
			return nil, errPacked
		}
	}
	return out, nil
}
