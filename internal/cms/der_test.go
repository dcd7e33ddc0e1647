package cms

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// X.690, 10.1: lengths take as few octets as they can, at every border.
func TestHeadersAreThoseOfAnotherEncoder(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 1<<16 - 1, 1 << 16, 1<<24 - 1, 1 << 24} {
		content := bytes.Repeat([]byte{7}, n)
		for _, tag := range []cbasn1.Tag{cbasn1.SEQUENCE, cbasn1.OCTET_STRING, tag0, tag1} {
			want := encoded(func(b *cryptobyte.Builder) { b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(content) }) })
			if got := wrap(tag, content[:n/3], nil, content[n/3:]); !bytes.Equal(got, want) {
				t.Errorf("%d bytes: % x, want % x", n, got[:min(8, len(got))], want[:min(8, len(want))])
			}
		}
	}
}
