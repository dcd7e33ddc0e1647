package revocation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/der"
	"github.com/assent-sign/assent/internal/pkix"
)

// MaxRequest bounds an OCSP request, in bytes.
const MaxRequest = 16 << 10

const maxRequested = 16 // certificates in a request

// Record is what a responder knows about a certificate.
type Record struct {
	Revoked bool
	At      time.Time
	Reason  Reason
}

// Responder answers OCSP requests about the certificates of one issuer. It is for
// the demo and for tests: it signs each answer at once, with a key in memory.
type Responder struct {
	// Issuer is whose certificates it speaks about; Certificate is its own, which is
	// sent along unless it is the issuer's.
	Issuer, Certificate *pkix.Certificate
	Key                 crypto.Signer
	// Lookup tells what is known about a serial number (the content of the INTEGER);
	// false for a number that was never given.
	Lookup func(serial string) (Record, bool)
	Clock  func() time.Time
	// Validity is the time to nextUpdate.
	Validity time.Duration
}

// Respond answers a request in DER with a response in DER. A request that cannot be
// read is answered with malformedRequest, one about another issuer with unauthorized.
func (r *Responder) Respond(request []byte) []byte {
	ids, nonce, err := parseRequest(request)
	if err != nil {
		return refuse(1)
	}
	now := r.Clock().UTC().Truncate(time.Second)
	a := answer{responder: r.Certificate, producedAt: now, nonce: nonce}
	if !r.Certificate.Equal(r.Issuer) {
		a.certs = [][]byte{r.Certificate.Raw}
	}
	for _, id := range ids {
		if want := idOf(&pkix.Certificate{Issuer: r.Issuer.Subject, Serial: id.serial}, r.Issuer, id.hash); id != want {
			return refuse(6)
		}
		x := single{id: id, thisUpdate: now, nextUpdate: now.Add(r.Validity)}
		switch rec, known := r.Lookup(id.serial); {
		case !known:
			x.status = statusUnknown
		case rec.Revoked:
			x.status, x.revokedAt, x.reason = statusRevoked, rec.At, rec.Reason
		}
		a.singles = append(a.singles, x)
	}
	out, err := a.sign(r.Key)
	if err != nil {
		return refuse(2)
	}
	return out
}

// refuse is an OCSPResponse without response bytes.
func refuse(status byte) []byte { return []byte{0x30, 3, 0x0a, 1, status} }

// parseRequest reads an OCSPRequest. Its signature, if any, is passed over: anybody
// may ask.
func parseRequest(in []byte) (ids []certID, nonce []byte, err error) {
	if len(in) > MaxRequest {
		return nil, nil, fmt.Errorf("%w: OCSP request of %d bytes", ErrLimit, len(in))
	}
	outer, err := der.Only(in, asn1.SEQUENCE, "OCSP request")
	if err != nil {
		return nil, nil, err
	}
	tbs, err := der.Read(&outer, asn1.SEQUENCE, "tbsRequest")
	if err != nil {
		return nil, nil, err
	}
	for tag := uint8(0); tag <= 1; tag++ { // version, requestorName
		if _, _, err := der.ReadOptional(&tbs, der.Context(tag), "tbsRequest"); err != nil {
			return nil, nil, err
		}
	}
	list, err := der.Read(&tbs, asn1.SEQUENCE, "requests")
	if err != nil {
		return nil, nil, err
	}
	for !list.Empty() {
		if len(ids) == maxRequested {
			return nil, nil, der.TooMany("certificates in a request", maxRequested)
		}
		one, err := der.Read(&list, asn1.SEQUENCE, "request")
		if err != nil {
			return nil, nil, err
		}
		body, err := der.Read(&one, asn1.SEQUENCE, "CertID")
		if err != nil {
			return nil, nil, err
		}
		var id certID
		if err := id.parse(body); err != nil {
			return nil, nil, err
		}
		if id.hash == 0 {
			return nil, nil, der.Malformed("hash of a CertID")
		}
		ids = append(ids, id)
	}
	ext, present, err := der.ReadOptional(&tbs, der.Context(2), "extensions")
	if err != nil || len(ids) == 0 {
		return nil, nil, der.Malformed("OCSP request")
	}
	if present {
		if nonce, _, err = readExtensions(ext); err != nil {
			return nil, nil, err
		}
	}
	return ids, nonce, nil
}

// answer is a BasicOCSPResponse to be signed.
type answer struct {
	responder  *pkix.Certificate
	producedAt time.Time
	singles    []single
	nonce      []byte
	certs      [][]byte
}

// sign encodes and signs with ECDSA or RSA PKCS #1 v1.5 and SHA-256.
func (a *answer) sign(key crypto.Signer) ([]byte, error) {
	algorithm := oidECDSASHA256
	switch key.Public().(type) {
	case *ecdsa.PublicKey:
	case *rsa.PublicKey:
		algorithm = oidRSASHA256
	default:
		return nil, fmt.Errorf("%w: key of type %T", pkix.ErrAlgorithm, key.Public())
	}
	tbs, err := a.marshal()
	if err != nil {
		return nil, err
	}
	sum := crypto.SHA256.New()
	sum.Write(tbs)
	sig, err := key.Sign(rand.Reader, sum.Sum(nil), crypto.SHA256)
	if err != nil {
		return nil, err
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addOID(b, algorithm)
			if algorithm == oidRSASHA256 {
				b.AddASN1NULL()
			}
		})
		b.AddASN1BitString(sig)
		if len(a.certs) > 0 {
			b.AddASN1(der.Context(0), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, c := range a.certs {
						b.AddBytes(c)
					}
				})
			})
		}
	})
	basic, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	return wrapResponse(basic)
}

const (
	oidECDSASHA256 der.OID = "\x2a\x86\x48\xce\x3d\x04\x03\x02"
	oidRSASHA256   der.OID = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
)

// wrapResponse is an OCSPResponse of status successful.
func wrapResponse(basic []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.ENUM, func(b *cryptobyte.Builder) { b.AddUint8(0) })
		b.AddASN1(der.Context(0), func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				addOID(b, oidBasicResponse)
				b.AddASN1OctetString(basic)
			})
		})
	})
	return b.Bytes()
}

// marshal is ResponseData.
func (a *answer) marshal() ([]byte, error) {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(der.Context(1), func(b *cryptobyte.Builder) { b.AddBytes(a.responder.Subject.Raw) })
		b.AddASN1GeneralizedTime(a.producedAt)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, x := range a.singles {
				x.add(b)
			}
		})
		if a.nonce != nil {
			b.AddASN1(der.Context(1), func(b *cryptobyte.Builder) { addNonce(b, a.nonce) })
		}
	})
	return b.Bytes()
}

func (x *single) add(b *cryptobyte.Builder) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		x.id.add(b)
		switch x.status {
		case statusGood:
			b.AddASN1(der.Primitive(0), func(*cryptobyte.Builder) {})
		case statusUnknown:
			b.AddASN1(der.Primitive(2), func(*cryptobyte.Builder) {})
		case statusRevoked:
			b.AddASN1(der.Context(1), func(b *cryptobyte.Builder) {
				b.AddASN1GeneralizedTime(x.revokedAt.UTC())
				b.AddASN1(der.Context(0), func(b *cryptobyte.Builder) {
					b.AddASN1(asn1.ENUM, func(b *cryptobyte.Builder) { b.AddUint8(uint8(x.reason)) })
				})
			})
		}
		b.AddASN1GeneralizedTime(x.thisUpdate)
		if !x.nextUpdate.IsZero() {
			b.AddASN1(der.Context(0), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(x.nextUpdate) })
		}
	})
}
