package tsp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/paths"
)

// Info is what a verified token says.
type Info struct {
	Time     time.Time
	Accuracy time.Duration // 0: not given
	Policy   asn1.ObjectIdentifier
	Serial   *big.Int
	Nonce    *big.Int // nil: none
	Hash     crypto.Hash
	Imprint  []byte
	Ordering bool
	// Certificate is the one whose key made the signature; Chain leads from it to
	// an anchor.
	Certificate *x509.Certificate
	Chain       []*x509.Certificate
}

// VerifyToken verifies a time-stamp token found somewhere: it is over the
// imprint, signed by a certificate for time-stamping only, inside the token,
// named by the token's signing-certificate attribute, and with a path to an
// anchor. The path must be valid at the time at; the zero time means the
// token's own time, which is right as long as the authority's certificate has
// not expired or been revoked since (TIM-02).
func VerifyToken(token []byte, h crypto.Hash, imprint []byte, anchors []*x509.Certificate, at time.Time) (Info, error) {
	return VerifyTokenAmong(token, h, imprint, Beside{}, anchors, at)
}

// Beside is where certificates are that a token does not carry.
type Beside struct {
	// Issuers gives certificates that can be part of the path of those known, the authority's own first; nil gives none.
	Issuers func(known ...*x509.Certificate) []*x509.Certificate
	// Authorities gives certificates that can be the authority's own. It is asked for a token without any certificate: they
	// are there only if who asked for the token wanted them (RFC 3161, 2.4.1, certReq). nil gives none.
	Authorities func() []*x509.Certificate
}

// VerifyTokenAmong is VerifyToken with further certificates.
func VerifyTokenAmong(token []byte, h crypto.Hash, imprint []byte, beside Beside, anchors []*x509.Certificate, at time.Time) (Info, error) {
	if err := checkImprint(h, imprint); err != nil {
		return Info{}, err
	}
	return verifyToken(token, h, imprint, nil, nil, beside, anchors, at)
}

// verifyToken is VerifyTokenAmong with the nonce and policy that were asked for; nil
// stands for any. The cheap comparisons come first.
func verifyToken(token []byte, h crypto.Hash, imprint []byte, nonce *big.Int, policy asn1.ObjectIdentifier, beside Beside, anchors []*x509.Certificate, at time.Time) (Info, error) {
	sd, si, t, err := parseToken(token)
	if err != nil {
		return Info{}, err
	}
	if t.hash != h || !bytes.Equal(t.imprint, imprint) {
		return Info{}, ErrImprint
	}
	if nonce != nil && (t.nonce == nil || t.nonce.Cmp(nonce) != 0) {
		return Info{}, ErrNonce
	}
	if policy != nil && !t.policy.Equal(policy) {
		return Info{}, fmt.Errorf("%w: %s, want %s", ErrPolicy, t.policy, policy)
	}
	if t.hasCritical {
		return Info{}, ErrExtension
	}
	leaf, err := verifySignature(sd, si, beside.Authorities)
	if err != nil {
		return Info{}, err
	}
	if t.tsaName != nil && !bytes.Equal(t.tsaName, leaf.RawSubject) {
		return Info{}, ErrName
	}
	if at.IsZero() {
		at = t.time
	}
	between := others(sd, leaf)
	if issuers := beside.Issuers; issuers != nil {
		between = append(between, issuers(append([]*x509.Certificate{leaf}, between...)...)...)
	}
	chain, err := paths.Verify(context.Background(), leaf, between, anchors, at, certs.TimeStamp)
	if err != nil {
		return Info{}, fmt.Errorf("%w: %w", ErrChain, err)
	}
	return Info{
		Time: t.time, Accuracy: t.accuracy, Policy: t.policy, Serial: t.serial, Nonce: t.nonce,
		Hash: t.hash, Imprint: bytes.Clone(t.imprint), Ordering: t.ordering, Certificate: leaf, Chain: chain,
	}, nil
}

// ImprintHash reads the algorithm of a token's imprint, so that one digest of a large file is enough to verify it. Nothing is verified.
func ImprintHash(token []byte) (crypto.Hash, error) {
	_, _, t, err := parseToken(token)
	if err != nil {
		return 0, err
	}
	return t.hash, nil
}

// Claims are the time and the serial number that a token says. Nothing is verified: it is to name the token.
func Claims(token []byte) (time.Time, *big.Int, error) {
	_, _, t, err := parseToken(token)
	if err != nil {
		return time.Time{}, nil, err
	}
	return t.time, t.serial, nil
}

func parseToken(token []byte) (*cms.SignedData, *cms.SignerInfo, *tstInfo, error) {
	if len(token) > MaxResponse {
		return nil, nil, nil, fmt.Errorf("%w: token of %d bytes", ErrTooLarge, len(token))
	}
	sd, err := cms.ParseBER(token) // in a response it is DER: that is taken apart as DER
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: token: %w", ErrMalformed, err)
	}
	// RFC 3161 section 2.4.2: no signature but the authority's.
	si, err := sd.Signer()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: token: %w", ErrMalformed, err)
	}
	if !sd.ContentType.Equal(cms.OIDTSTInfo) || sd.Content == nil {
		return nil, nil, nil, fmt.Errorf("%w: the token's content is %s, not a TSTInfo", ErrMalformed, sd.ContentType)
	}
	t, err := parseTSTInfo(sd.Content)
	if err != nil {
		return nil, nil, nil, err
	}
	return sd, si, t, nil
}

// verifySignature returns the certificate that signed and is for time-stamping
// only. Purpose and chain are checked on this one, whatever other certificates
// the token carries: with CVE-2026-39984 an injected certificate was checked in
// place of the signer's.
func verifySignature(sd *cms.SignedData, si *cms.SignerInfo, authorities func() []*x509.Certificate) (*x509.Certificate, error) {
	var more []*x509.Certificate
	if len(sd.RawCertificates) == 0 {
		if authorities == nil {
			return nil, ErrNoCertificate
		}
		more = authorities()
	}
	leaf, err := sd.Verify(si, nil, cms.VerifyOptions{Certificates: more, ContentType: cms.OIDTSTInfo, AllowESSv1: true, AllowAnyKey: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", tokenCause(err), err)
	}
	if err := certs.CheckUsage(leaf, certs.TimeStamp); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPurpose, err)
	}
	return leaf, nil
}

func tokenCause(err error) error {
	switch {
	case errors.Is(err, cms.ErrNoCertificate):
		return ErrNoCertificate
	case errors.Is(err, cms.ErrESSMismatch), errors.Is(err, cms.ErrNoESS):
		return ErrESS
	case errors.Is(err, cms.ErrAlgorithm):
		return ErrAlgorithm
	case errors.Is(err, cms.ErrSignature), errors.Is(err, cms.ErrMessageDigest):
		return ErrSignature
	}
	return ErrMalformed
}

// others returns the token's certificates except the leaf, as possible issuers.
func others(sd *cms.SignedData, leaf *x509.Certificate) []*x509.Certificate {
	var out []*x509.Certificate
	for _, c := range sd.Certificates() {
		if !c.Equal(leaf) {
			out = append(out, c)
		}
	}
	return out
}
