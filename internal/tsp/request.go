package tsp

import (
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/cms"
)

// MaxRequest is the largest request that is read, in bytes. Real ones have
// about a hundred.
const MaxRequest = 16 << 10

// maxInteger bounds nonces and serial numbers, in bytes of their encoding.
const maxInteger = 64

// Request is a TimeStampReq (RFC 3161 section 2.4.1).
type Request struct {
	Hash     crypto.Hash
	Imprint  []byte
	Policy   asn1.ObjectIdentifier // nil: any
	Nonce    *big.Int              // nil: none
	CertReq  bool                  // the token shall hold the certificate
	Extended bool                  // request extensions are present
}

// Marshal returns the DER of the request. Extensions are not written.
func (r *Request) Marshal() ([]byte, error) {
	if err := checkImprint(r.Hash, r.Imprint); err != nil {
		return nil, err
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		addImprint(b, r.Hash, r.Imprint)
		if r.Policy != nil {
			b.AddASN1ObjectIdentifier(r.Policy)
		}
		if r.Nonce != nil {
			b.AddASN1BigInt(r.Nonce)
		}
		if r.CertReq {
			b.AddASN1Boolean(true)
		}
	})
	return b.Bytes()
}

// ParseRequest reads a request. The error is a *Refusal with the failure that
// RFC 3161 section 2.4.2 has for it.
func ParseRequest(der []byte) (*Request, error) {
	if len(der) > MaxRequest {
		return nil, refuse(BadDataFormat, "request of %d bytes", len(der))
	}
	input := cryptobyte.String(der)
	var body cryptobyte.String
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, refuse(BadDataFormat, "not a TimeStampReq")
	}
	var version int
	if !body.ReadASN1Integer(&version) {
		return nil, refuse(BadDataFormat, "version")
	}
	if version != 1 {
		return nil, refuse(BadRequest, "version %d", version)
	}
	req := &Request{}
	var err error
	if req.Hash, req.Imprint, err = readImprint(&body); err != nil {
		return nil, imprintRefusal(err)
	}
	if err := req.readOptional(&body); err != nil {
		return nil, &Refusal{BadDataFormat, err}
	}
	return req, nil
}

func imprintRefusal(err error) error {
	if errors.Is(err, cms.ErrAlgorithm) {
		return &Refusal{BadAlg, err}
	}
	return &Refusal{BadDataFormat, err}
}

func (r *Request) readOptional(body *cryptobyte.String) error {
	var err error
	if body.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) {
		if r.Policy, err = cms.ReadOID(body, "reqPolicy"); err != nil {
			return err
		}
	}
	if body.PeekASN1Tag(cbasn1.INTEGER) {
		if r.Nonce, err = readBig(body, "nonce"); err != nil {
			return err
		}
	}
	if body.PeekASN1Tag(cbasn1.BOOLEAN) && !body.ReadASN1Boolean(&r.CertReq) {
		return fmt.Errorf("%w: certReq", ErrMalformed)
	}
	if !body.Empty() {
		var ext cryptobyte.String
		if !body.ReadASN1(&ext, cbasn1.Tag(0).ContextSpecific().Constructed()) || !body.Empty() {
			return fmt.Errorf("%w: extra elements in the request", ErrMalformed)
		}
		r.Extended = true
	}
	return nil
}

func refuse(f FailInfo, format string, args ...any) *Refusal {
	return &Refusal{f, fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)}
}

// addImprint writes MessageImprint.
func addImprint(b *cryptobyte.Builder, h crypto.Hash, imprint []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		cms.AddDigestAlgorithm(b, h)
		b.AddASN1OctetString(imprint)
	})
}

// readImprint takes a MessageImprint; the value has the digest's length.
func readImprint(s *cryptobyte.String) (crypto.Hash, []byte, error) {
	var body, value cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) {
		return 0, nil, fmt.Errorf("%w: messageImprint", ErrMalformed)
	}
	h, err := cms.ReadDigestAlgorithm(&body)
	if err != nil {
		return 0, nil, err
	}
	if !body.ReadASN1(&value, cbasn1.OCTET_STRING) || !body.Empty() {
		return 0, nil, fmt.Errorf("%w: messageImprint", ErrMalformed)
	}
	if len(value) != h.Size() {
		return 0, nil, fmt.Errorf("%w: imprint of %d bytes for %s", ErrMalformed, len(value), algo.HashName(h))
	}
	return h, value, nil
}

func readBig(s *cryptobyte.String, what string) (*big.Int, error) {
	var element cryptobyte.String
	n := new(big.Int)
	if !s.ReadASN1Element(&element, cbasn1.INTEGER) || len(element) > maxInteger+2 || !element.ReadASN1Integer(n) {
		return nil, fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	return n, nil
}

func checkImprint(h crypto.Hash, imprint []byte) error {
	if algo.HashName(h) == "" || len(imprint) != h.Size() {
		return fmt.Errorf("%w: hash %d with %d bytes", ErrInput, h, len(imprint))
	}
	return nil
}
