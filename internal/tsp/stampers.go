package tsp

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/cms"
)

// Clients is a list of authorities that are tried in turn.
type Clients struct {
	List []Stamper
	// OnFailure, which may be nil, is told of every authority that failed. One
	// that answers wrongly should not go unnoticed because another one helped out.
	OnFailure func(error)
}

// Stamp implements Stamper: the first usable token. When all fail the error
// wraps ErrAllFailed and every cause.
func (c *Clients) Stamp(ctx context.Context, h crypto.Hash, imprint []byte) ([]byte, Info, error) {
	if len(c.List) == 0 {
		return nil, Info{}, fmt.Errorf("%w: no time-stamp authority", ErrConfig)
	}
	var failures []error
	for _, s := range c.List {
		token, info, err := s.Stamp(ctx, h, imprint)
		if err == nil {
			return token, info, nil
		}
		failures = append(failures, err)
		if c.OnFailure != nil {
			c.OnFailure(err)
		}
		if ctx.Err() != nil {
			break // the caller has gone; the others would fail alike
		}
	}
	return nil, Info{}, fmt.Errorf("%w: %w", ErrAllFailed, errors.Join(failures...))
}

// InProcess is a Stamper on an authority in this process, with every check that
// a Client makes. It must not be copied after first use.
type InProcess struct {
	Authority Authority
	Anchors   []*x509.Certificate
	Clock     func() time.Time

	seen serials
}

// Stamp implements Stamper.
func (p *InProcess) Stamp(ctx context.Context, h crypto.Hash, imprint []byte) ([]byte, Info, error) {
	x := exchange{anchors: p.Anchors, clock: p.Clock, seen: &p.seen, send: func(ctx context.Context, query []byte) ([]byte, error) {
		return refusalKept(p.Authority.Respond(ctx, query))
	}}
	return x.stamp(ctx, h, imprint)
}

// refusalKept lets the caller see the cause of a rejection, which the wire does
// not carry.
func refusalKept(resp []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRejected, err)
	}
	return resp, nil
}

// StampSignature obtains a time-stamp over the signature value of the only
// signer of a CMS message (RFC 3161 appendix A; never over the document's
// digest) and returns the message with the token as unsigned attribute. What
// the message was is unchanged when it fails: nothing is returned.
func StampSignature(ctx context.Context, s Stamper, message []byte, h crypto.Hash) ([]byte, Info, error) {
	imprint, err := signatureImprint(message, h)
	if err != nil {
		return nil, Info{}, err
	}
	token, info, err := s.Stamp(ctx, h, imprint)
	if err != nil {
		return nil, Info{}, err
	}
	stamped, err := cms.AddUnsigned(message, cms.Attribute(cms.OIDTimeStampToken, token))
	if err != nil {
		return nil, Info{}, err
	}
	return stamped, info, nil
}

func signatureImprint(message []byte, h crypto.Hash) ([]byte, error) {
	sd, err := cms.Parse(message)
	if err != nil {
		return nil, err
	}
	si, err := sd.Signer()
	if err != nil {
		return nil, err
	}
	return hashOf(h, si.Signature)
}

// VerifySignatureTimeStamps verifies every signature time-stamp of a signer and
// returns what they say, in message order. No token at all is an empty list and
// no error. The parameters are those of VerifyToken.
func VerifySignatureTimeStamps(si *cms.SignerInfo, anchors []*x509.Certificate, at time.Time) ([]Info, error) {
	var infos []Info
	for i, token := range si.TimeStampTokens() {
		_, _, t, err := parseToken(token)
		if err != nil {
			return nil, fmt.Errorf("time-stamp %d: %w", i+1, err)
		}
		imprint, err := hashOf(t.hash, si.Signature)
		if err != nil {
			return nil, fmt.Errorf("time-stamp %d: %w", i+1, err)
		}
		info, err := VerifyToken(token, t.hash, imprint, anchors, at)
		if err != nil {
			return nil, fmt.Errorf("time-stamp %d: %w", i+1, err)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

func hashOf(h crypto.Hash, data []byte) ([]byte, error) {
	if h != crypto.SHA256 && h != crypto.SHA384 && h != crypto.SHA512 {
		return nil, fmt.Errorf("%w: hash %d", ErrInput, h)
	}
	d := h.New()
	d.Write(data)
	return d.Sum(nil), nil
}
