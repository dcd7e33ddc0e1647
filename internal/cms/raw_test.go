package cms_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/cms"
)

// raw writes SignedData without any of Assemble's checks: what a hostile or
// careless author would write.
type raw struct {
	signedAttrs []byte // element as it stands in SignerInfo; nil: none
	digestOID   asn1.ObjectIdentifier
	sigAlg      func(*cryptobyte.Builder)
	signature   []byte
	sidFrom     []byte // certificate named by sid
	certs       [][]byte
	contentType asn1.ObjectIdentifier
	content     []byte
	signers     int
	ski         []byte
}

var (
	oidSHA256    = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA512    = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	oidES256     = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidEd25519   = asn1.ObjectIdentifier{1, 3, 101, 112}
	ctx0         = cbasn1.Tag(0).ContextSpecific().Constructed()
	algES256     = func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidES256) }
	implicitAttr = func(set []byte) []byte { out := bytes.Clone(set); out[0] = 0xA0; return out }
)

func (r raw) der(t testing.TB) []byte {
	t.Helper()
	sid, err := x509.ParseCertificate(r.sidFrom)
	if err != nil {
		t.Fatal(err)
	}
	b := cryptobyte.NewBuilder(nil)
	seq := func(b *cryptobyte.Builder, f func(*cryptobyte.Builder)) { b.AddASN1(cbasn1.SEQUENCE, f) }
	seq(b, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(cms.OIDSignedData)
		b.AddASN1(ctx0, func(b *cryptobyte.Builder) {
			seq(b, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(r.digestOID) })
				})
				seq(b, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(r.contentType)
					if r.content != nil {
						b.AddASN1(ctx0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(r.content) })
					}
				})
				b.AddASN1(ctx0, func(b *cryptobyte.Builder) {
					for _, c := range r.certs {
						b.AddBytes(c)
					}
				})
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
					for range r.signers {
						seq(b, func(b *cryptobyte.Builder) { r.addSigner(b, sid) })
					}
				})
			})
		})
	})
	return b.BytesOrPanic()
}

func (r raw) addSigner(b *cryptobyte.Builder, sid *x509.Certificate) {
	if r.ski != nil {
		b.AddASN1Int64(3)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(r.ski) })
	} else {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(sid.RawIssuer)
			b.AddASN1BigInt(sid.SerialNumber)
		})
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(r.digestOID) })
	b.AddBytes(r.signedAttrs)
	b.AddASN1(cbasn1.SEQUENCE, r.sigAlg)
	b.AddASN1OctetString(r.signature)
}

// rawFor is a correct raw message with the given attributes in the given order.
func rawFor(t testing.TB, list [][]byte) raw {
	t.Helper()
	set := cryptobyte.NewBuilder(nil)
	set.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
		for _, a := range list {
			b.AddBytes(a)
		}
	})
	attrs := set.BytesOrPanic()
	chain := pki().chain(algo.P256)
	return raw{
		signedAttrs: implicitAttr(attrs), digestOID: oidSHA256, sigAlg: algES256, signature: signES256(t, attrs),
		sidFrom: chain[0], certs: chain, contentType: cms.OIDData, signers: 1,
	}
}

func signES256(t testing.TB, data []byte) []byte {
	t.Helper()
	sig, err := pki().key(algo.P256).Sign(rand.Reader, digest(crypto.SHA256, data), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func sorted(list ...[]byte) [][]byte {
	var out [][]byte
	set := cryptobyte.String(cms.SortedSet(list))
	var body cryptobyte.String
	set.ReadASN1(&body, cbasn1.SET)
	for !body.Empty() {
		var e cryptobyte.String
		body.ReadASN1Element(&e, cbasn1.SEQUENCE)
		out = append(out, e)
	}
	return out
}

// essV1 is signing-certificate of RFC 2634 for a certificate.
func essV1(cert []byte) []byte {
	sum := sha1.Sum(cert)
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum[:]) })
		})
	})
	return cms.Attribute(cms.OIDSigningCertificate, b.BytesOrPanic())
}

// essV2Serial is signing-certificate-v2 with issuerSerial.
func essV2Serial(c *x509.Certificate, serial *big.Int) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(digest(crypto.SHA256, c.Raw))
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(c.RawIssuer) })
					})
					b.AddASN1BigInt(serial)
				})
			})
		})
	})
	return cms.Attribute(cms.OIDSigningCertificateV2, b.BytesOrPanic())
}

var (
	oidPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	algRSA = func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1})
		b.AddASN1NULL()
	}
	emptySeq = func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, func(*cryptobyte.Builder) {}) }
)

func octet(v []byte) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1OctetString(v)
	return b.BytesOrPanic()
}

func reversed(list [][]byte) [][]byte {
	out := make([][]byte, 0, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		out = append(out, list[i])
	}
	return out
}
