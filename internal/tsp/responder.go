package tsp

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
)

// Responder is a time-stamp authority. Fill the fields, call Check once at
// start, and do not change them afterwards; it must not be copied. It is safe
// for concurrent use if Signer, Clock and Serial are.
type Responder struct {
	// Signer holds the key of Chain[0]. It may be nil when only Prepare and
	// Finish are used.
	Signer crypto.Signer
	// Alg is any of the closed set but RSASSA-PSS, which common readers of tokens
	// do not know.
	Alg algo.Algorithm
	// Chain is the certificate of the authority and its issuers, DER. Its extended
	// key usage must be timeStamping, critical and alone.
	Chain [][]byte
	// Policy is written into tokens when the request names none. A request may
	// name it or one of Policies.
	Policy   asn1.ObjectIdentifier
	Policies []asn1.ObjectIdentifier
	// Accuracy of Clock, to the microsecond; 0 leaves the field out.
	Accuracy time.Duration
	// OmitName leaves out the tsa field, which repeats the certificate's subject.
	OmitName bool
	// Clock is the trusted time source; nil means time.Now.
	Clock func() time.Time
	// Serial gives a positive number that was never given before; nil means 128
	// random bits.
	Serial func() (*big.Int, error)

	once sync.Once
	leaf *x509.Certificate
	err  error
}

// Pending is a token before its signature. It can be stored between the phases.
type Pending struct {
	TSTInfo     []byte         `json:"tst_info"`
	SignedAttrs []byte         `json:"signed_attrs"`
	Alg         algo.Algorithm `json:"alg"`
	CertReq     bool           `json:"cert_req"`
}

// Digest returns what is to be signed: the digest of the signed attributes.
func (p *Pending) Digest() []byte {
	h := p.Alg.Hash().New()
	h.Write(p.SignedAttrs)
	return h.Sum(nil)
}

// Check tells whether the responder can work: certificate, purpose, algorithm
// and key fit together. The error wraps ErrConfig.
func (r *Responder) Check() error {
	r.once.Do(func() { r.leaf, r.err = r.check() })
	return r.err
}

func (r *Responder) check() (*x509.Certificate, error) {
	if len(r.Chain) == 0 || len(r.Policy) == 0 {
		return nil, fmt.Errorf("%w: responder needs a certificate chain and a policy", ErrConfig)
	}
	leaf, err := x509.ParseCertificate(r.Chain[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := certs.CheckUsage(leaf, certs.TimeStamp); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	kt, err := algo.KeyTypeOf(leaf.PublicKey)
	if err != nil || !kt.Fits(r.Alg) {
		return nil, fmt.Errorf("%w: %s does not fit the key of %s", ErrConfig, r.Alg, leaf.Subject)
	}
	if r.Alg.IsPSS() {
		return nil, fmt.Errorf("%w: %s: the time-stamp reader of OpenSSL 3.0 cannot verify RSASSA-PSS tokens; use RS256 to RS512 or ECDSA", ErrConfig, r.Alg)
	}
	if r.Signer != nil {
		eq, ok := r.Signer.Public().(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !eq.Equal(leaf.PublicKey) {
			return nil, fmt.Errorf("%w: the key does not belong to %s", ErrConfig, leaf.Subject)
		}
	}
	return leaf, nil
}

// Respond answers a request. It always returns a response that can be sent; the
// error tells why it is a rejection and is nil when a token was granted.
func (r *Responder) Respond(ctx context.Context, reqDER []byte) ([]byte, error) {
	resp, err := r.respond(ctx, reqDER)
	if err != nil {
		return Rejection(err), err
	}
	return resp, nil
}

func (r *Responder) respond(ctx context.Context, reqDER []byte) ([]byte, error) {
	p, err := r.Prepare(reqDER)
	if err != nil {
		return nil, err
	}
	if r.Signer == nil {
		return nil, &Refusal{SystemFailure, fmt.Errorf("%w: no signer", ErrConfig)}
	}
	if err := ctx.Err(); err != nil {
		return nil, &Refusal{SystemFailure, err}
	}
	sig, err := r.Signer.Sign(rand.Reader, p.Digest(), r.Alg.SignerOpts())
	if err != nil {
		return nil, &Refusal{SystemFailure, fmt.Errorf("tsp: signing: %w", err)}
	}
	return r.Finish(p, sig)
}

// Prepare checks a request and builds the token up to its signature. The time is
// the time of this call. The error is a *Refusal.
func (r *Responder) Prepare(reqDER []byte) (*Pending, error) {
	if err := r.Check(); err != nil {
		return nil, &Refusal{SystemFailure, err}
	}
	req, err := ParseRequest(reqDER)
	if err != nil {
		return nil, err
	}
	info, err := r.info(req)
	if err != nil {
		return nil, err
	}
	der, err := info.marshal()
	if err != nil {
		return nil, &Refusal{SystemFailure, err}
	}
	h := r.Alg.Hash()
	d := h.New()
	d.Write(der)
	attrs := cms.SortedSet([][]byte{
		cms.ContentTypeAttr(cms.OIDTSTInfo),
		cms.MessageDigestAttr(d.Sum(nil)),
		cms.SigningCertificateV2Attr(r.leaf.Raw, h),
	})
	return &Pending{TSTInfo: der, SignedAttrs: attrs, Alg: r.Alg, CertReq: req.CertReq}, nil
}

// info fills TSTInfo for an acceptable request.
func (r *Responder) info(req *Request) (*tstInfo, error) {
	if req.Extended {
		return nil, &Refusal{UnacceptedExtension, ErrExtension}
	}
	policy := r.Policy
	if req.Policy != nil {
		policy = req.Policy
		accepted := func(o asn1.ObjectIdentifier) bool { return o.Equal(policy) }
		if !accepted(r.Policy) && !slices.ContainsFunc(r.Policies, accepted) {
			return nil, &Refusal{UnacceptedPolicy, fmt.Errorf("%w: %s", ErrPolicy, policy)}
		}
	}
	now := r.now().UTC().Truncate(time.Millisecond)
	if now.Before(r.leaf.NotBefore) || now.After(r.leaf.NotAfter) {
		// Either the clock or the certificate is wrong; a token would be void.
		return nil, &Refusal{TimeNotAvailable, fmt.Errorf("%w: the certificate is not valid at %s", ErrConfig, now)}
	}
	serial, err := r.serial()
	if err != nil {
		return nil, &Refusal{SystemFailure, err}
	}
	info := &tstInfo{policy: policy, hash: req.Hash, imprint: req.Imprint, serial: serial, time: now,
		accuracy: r.Accuracy.Truncate(time.Microsecond), nonce: req.Nonce}
	if !r.OmitName {
		info.tsaName = r.leaf.RawSubject
	}
	return info, nil
}

// Finish puts the signature in and returns the response. A signature that does
// not verify (a failing module, a wrong key) is never sent.
func (r *Responder) Finish(p *Pending, signature []byte) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, &Refusal{SystemFailure, err}
	}
	if err := algo.Verify(r.leaf.PublicKey, p.Alg, p.Digest(), signature); err != nil {
		return nil, &Refusal{SystemFailure, fmt.Errorf("%w: %w", ErrSignature, err)}
	}
	token, err := cms.Assemble(cms.Input{
		SignedAttrs: p.SignedAttrs, Alg: p.Alg, Signature: signature, Chain: r.Chain,
		OmitCertificates: !p.CertReq, ContentType: cms.OIDTSTInfo, Content: p.TSTInfo,
	})
	if err != nil {
		return nil, &Refusal{SystemFailure, err}
	}
	return granted(token)
}

func (r *Responder) now() time.Time {
	if r.Clock != nil {
		return r.Clock()
	}
	return time.Now()
}

func (r *Responder) serial() (*big.Int, error) {
	if r.Serial == nil {
		return randomNumber()
	}
	n, err := r.Serial()
	if err != nil {
		return nil, err
	}
	if n == nil || n.Sign() <= 0 || n.BitLen() > 159 { // RFC 3161: up to 160 bits
		return nil, errors.New("tsp: serial numbers must be positive and below 160 bits")
	}
	return n, nil
}

// randomNumber returns a positive number of exactly 128 bits.
func randomNumber() (*big.Int, error) {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	raw[0] |= 0x80
	return new(big.Int).SetBytes(raw), nil
}
