package validate_test

import (
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// answers is an OCSP response by nobody with so many statements, each current for a second and at another time.
func answers(t *testing.T, n int, from time.Time) []byte {
	t.Helper()
	explicit := func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }
	digest := func(b *cryptobyte.Builder, oid string) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(oid)) })
		})
	}
	basic := cryptobyte.NewBuilder(nil)
	basic.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(explicit(2), func(b *cryptobyte.Builder) { b.AddASN1OctetString([]byte("nobody")) })
			b.AddASN1GeneralizedTime(from.UTC())
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for i := range n {
					at := from.Add(time.Duration(i) * 5 * time.Minute).UTC()
					b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
							digest(b, "\x2b\x0e\x03\x02\x1a")
							b.AddASN1OctetString([]byte("name"))
							b.AddASN1OctetString([]byte("key"))
							b.AddASN1Int64(1)
						})
						b.AddASN1(asn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
						b.AddASN1GeneralizedTime(at)
						b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(at.Add(time.Second)) })
					})
				}
			})
		})
		digest(b, "\x2a\x86\x48\xce\x3d\x04\x03\x02")
		b.AddASN1BitString([]byte("no signature"))
	})
	inner, err := basic.Bytes()
	must(t, err)
	out := cryptobyte.NewBuilder(nil)
	out.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.ENUM, func(b *cryptobyte.Builder) { b.AddUint8(0) })
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte("\x2b\x06\x01\x05\x05\x07\x30\x01\x01")) })
				b.AddASN1OctetString(inner)
			})
		})
	})
	der, err := out.Bytes()
	must(t, err)
	return der
}

// I9: anybody can add validation data to a signed file, and statements of ever other times in it. Looking for the times to ask at is not
// interrupted, and takes no longer than reading them.
func TestI9StatementsOfManyTimes(t *testing.T) {
	k := newKit(t)
	var data pdf.ValidationData
	from := time.Now().AddDate(-4, 0, 0)
	for i := range 1200 {
		data.OCSPs = append(data.OCSPs, answers(t, 64, from.Add(time.Duration(i)*64*5*time.Minute)))
	}
	f := stored(t, k.sign(t, contract(), true), data)
	begin := time.Now()
	rep := k.look(t, f, k.trust())
	if len(rep.Signatures) != 1 || rep.Indication == validate.TotalPassed {
		t.Errorf("%+v", rep)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("%d bytes took %s", len(f), took)
	}
}
