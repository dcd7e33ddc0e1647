package revocation

import (
	"crypto"
	_ "crypto/sha1"   // CertIDs are SHA-1 for most responders; nothing stands on its collision resistance
	_ "crypto/sha512" // others
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/der"
	"github.com/assent-sign/assent/internal/pkix"
)

// idOf names a certificate for OCSP: hashes of the issuer's name as the certificate
// has it and of the bits of the issuer's key (not of its SubjectPublicKeyInfo).
func idOf(cert, issuer *pkix.Certificate, h crypto.Hash) certID {
	sum := func(b []byte) string {
		d := h.New()
		d.Write(b)
		return string(d.Sum(nil))
	}
	return certID{h, sum(cert.Issuer.Raw), sum(issuer.KeyBits), cert.Serial}
}

// names tells whether the identifier is of the certificate, whichever of the known
// hashes it is made with.
func (id certID) names(cert, issuer *pkix.Certificate) bool {
	return id.hash != 0 && id == idOf(cert, issuer, id.hash)
}

// MarshalRequest writes an OCSP request about one certificate (RFC 6960 section
// 4.1) with the given hash in the CertID (SHA-1, SHA-256, SHA-384, SHA-512) and,
// unless nil, a nonce.
func MarshalRequest(cert, issuer *pkix.Certificate, h crypto.Hash, nonce []byte) ([]byte, error) {
	if hashOIDOf(h) == "" {
		return nil, fmt.Errorf("%w: hash %v in a CertID", ErrMalformed, h)
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // OCSPRequest
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // TBSRequest
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // requestList
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { // Request
					idOf(cert, issuer, h).add(b)
				})
			})
			if nonce != nil {
				b.AddASN1(der.Context(2), func(b *cryptobyte.Builder) { addNonce(b, nonce) })
			}
		})
	})
	return b.Bytes()
}

func hashOIDOf(h crypto.Hash) der.OID {
	for _, oid := range []der.OID{oidSHA1, oidSHA256, oidSHA384, oidSHA512} {
		if h != 0 && hashOf(oid) == h {
			return oid
		}
	}
	return ""
}

func (id certID) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addOID(b, hashOIDOf(id.hash))
			b.AddASN1NULL()
		})
		b.AddASN1OctetString([]byte(id.nameHash))
		b.AddASN1OctetString([]byte(id.keyHash))
		b.AddASN1(asn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(id.serial)) })
	})
}

func addOID(b *cryptobyte.Builder, oid der.OID) {
	b.AddASN1(asn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes([]byte(oid)) })
}

// addNonce is Extensions with the nonce of RFC 9654 section 2.
func addNonce(b *cryptobyte.Builder, nonce []byte) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addOID(b, oidNonce)
			b.AddASN1(asn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
		})
	})
}
