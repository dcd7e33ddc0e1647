package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/algo"
)

// Why a chain is refused. Every error of Verify wraps one of these.
var (
	ErrExpired       = errors.New("certs: certificate has expired at the time in question")
	ErrNotYetValid   = errors.New("certs: certificate is not yet valid at the time in question")
	ErrUnknownIssuer = errors.New("certs: no path to a trusted certificate")
	ErrKeyUsage      = errors.New("certs: key usage does not allow this use")
	ErrExtKeyUsage   = errors.New("certs: extended key usage does not allow this use")
	ErrConstraint    = errors.New("certs: a constraint of the path is violated")
	ErrWeakKey       = errors.New("certs: the key of an authority is too weak")
	ErrCritical      = errors.New("certs: a critical extension is not understood")
	ErrChain         = errors.New("certs: chain does not verify")
	ErrNoAnchors     = errors.New("certs: no trusted certificates are configured")
	ErrLimit         = errors.New("certs: size or count limit exceeded")
	ErrMalformed     = errors.New("certs: not a certificate")
)

// Usage is what the leaf's key was used for.
type Usage uint8

// The usages that Verify knows.
const (
	AnyUsage  Usage = iota // no demand on the leaf
	Document               // signature over a document: digitalSignature or contentCommitment
	TimeStamp              // RFC 3161 section 2.3: critical, timeStamping and nothing else
	TLSServer
	TLSClient
)

var oidExtKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}

// maxIntermediates bounds the work of path building; x509 bounds the number of
// signature checks besides.
const maxIntermediates = 100

// Verify builds a path from the leaf over the intermediates to one of the
// anchors that is valid at the given time, and returns it leaf first. The key
// usage of the leaf must allow the use. Anchors are trusted as they are; their
// own validity period counts. No key that signed a certificate of the path is one
// that can be computed (CRY-02): x509 takes RSA of 1024 bits and P-224. Intermediates whose keys are too long to be verified with (I9,
// algo.MaxRSA) are as if they were not there. also, if given, is asked about each path
// that is otherwise good; its error is a constraint that is violated.
func Verify(leaf *x509.Certificate, intermediates, anchors []*x509.Certificate, at time.Time, usage Usage, also ...func(path []*x509.Certificate) error) ([]*x509.Certificate, error) {
	if len(anchors) == 0 {
		return nil, ErrNoAnchors
	}
	if len(intermediates) > maxIntermediates {
		return nil, fmt.Errorf("%w: %d intermediates", ErrLimit, len(intermediates))
	}
	if err := CheckUsage(leaf, usage); err != nil {
		return nil, err
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots:         pool(anchors),
		Intermediates: pool(slices.DeleteFunc(slices.Clone(intermediates), func(c *x509.Certificate) bool { return algo.TooLong(c.PublicKey) })),
		CurrentTime:   at,
		KeyUsages:     []x509.ExtKeyUsage{extUsage(usage)},
	})
	if err != nil {
		return nil, explain(leaf, at, err)
	}
	var first error
	for _, chain := range chains {
		if err = checkAuthorities(chain, usage); err == nil {
			err = ask(chain, also)
		}
		if err == nil {
			return chain, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

func ask(path []*x509.Certificate, also []func([]*x509.Certificate) error) error {
	for _, f := range also {
		if err := f(path); err != nil {
			return fmt.Errorf("%w: %w", ErrConstraint, err)
		}
	}
	return nil
}

// CheckPath makes the demands of Verify on a path that another builder has found: on the use of the leaf, and on those above it.
func CheckPath(path []*x509.Certificate, usage Usage) error {
	if err := CheckUsage(path[0], usage); err != nil {
		return err
	}
	for _, c := range path[1:] {
		if err := mayIssue(c, extUsage(usage)); err != nil {
			return err
		}
	}
	return checkAuthorities(path, usage)
}

// mayIssue makes the demands of x509 on an issuer, the anchor included, to whom RFC 5280, section 6.1, makes none: lists of trusted
// certificates have those of services, too, that issue none.
func mayIssue(c *x509.Certificate, want x509.ExtKeyUsage) error {
	if c.Version == 3 && !c.BasicConstraintsValid || c.BasicConstraintsValid && !c.IsCA {
		return fmt.Errorf("%w: %s is no authority", ErrConstraint, c.Subject)
	}
	if c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0 {
		return fmt.Errorf("%w: %s may not sign certificates", ErrKeyUsage, c.Subject)
	}
	anything := want == x509.ExtKeyUsageAny || len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
	if !anything && !slices.Contains(c.ExtKeyUsage, want) {
		return fmt.Errorf("%w: %s may not issue for this use", ErrExtKeyUsage, c.Subject)
	}
	return nil
}

// checkAuthorities looks at what x509 leaves open about those above the leaf: how strong their
// keys are, and, of a person's signature, that none is an authority of machines. Who runs one of servers
// under the same anchor proofed no signer, and may be anybody.
func checkAuthorities(chain []*x509.Certificate, usage Usage) error {
	for i, c := range chain[1:] {
		if !strong(c.PublicKey) {
			return algo.OfKey(c.PublicKey, fmt.Errorf("%w: %s", ErrWeakKey, c.Subject))
		}
		anchor := i == len(chain)-2
		if usage == Document && !anchor && forMachinesOnly(c) {
			return fmt.Errorf("%w: the authority %s is for other purposes than signing documents", ErrExtKeyUsage, c.Subject)
		}
	}
	return nil
}

// strong tells whether nobody can compute the private key (CRY-02; ETSI TS 119 312, clause 6).
func strong(key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize >= 256
	case ed25519.PublicKey:
		return true
	}
	return false
}

// CheckUsage tells whether the leaf's key usage extensions allow the use.
func CheckUsage(leaf *x509.Certificate, usage Usage) error {
	signing := x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	if (usage == Document || usage == TimeStamp) && leaf.KeyUsage != 0 && leaf.KeyUsage&signing == 0 {
		return fmt.Errorf("%w: %s has neither digitalSignature nor contentCommitment", ErrKeyUsage, leaf.Subject)
	}
	if usage == TimeStamp {
		return checkTimeStamping(leaf)
	}
	if usage == Document && forMachinesOnly(leaf) {
		return fmt.Errorf("%w: %s is for other purposes than signing documents", ErrExtKeyUsage, leaf.Subject)
	}
	if want := extUsage(usage); want != x509.ExtKeyUsageAny && !slices.Contains(leaf.ExtKeyUsage, want) {
		return fmt.Errorf("%w: %s", ErrExtKeyUsage, leaf.Subject)
	}
	return nil
}

// forMachinesOnly tells whether every purpose that the certificate is limited to
// is one of servers, callers, code, time-stamps or revocation answers. Their keys
// sign what others choose, without a person's will, and the issuer proofed no
// signer; a certificate that names no purpose, or one besides, is left to its key
// usage (RFC 5280 section 4.2.1.12).
func forMachinesOnly(leaf *x509.Certificate) bool {
	for _, u := range leaf.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageOCSPSigning:
		default:
			return false
		}
	}
	return len(leaf.ExtKeyUsage) > 0 && len(leaf.UnknownExtKeyUsage) == 0
}

// checkTimeStamping enforces RFC 3161 section 2.3: exactly one purpose, in a
// critical extension, so that a key that signs time can sign nothing else.
func checkTimeStamping(leaf *x509.Certificate) error {
	if len(leaf.ExtKeyUsage) != 1 || len(leaf.UnknownExtKeyUsage) != 0 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping {
		return fmt.Errorf("%w: %s must have timeStamping and nothing else", ErrExtKeyUsage, leaf.Subject)
	}
	for _, e := range leaf.Extensions {
		if e.Id.Equal(oidExtKeyUsage) && e.Critical {
			return nil
		}
	}
	return fmt.Errorf("%w: timeStamping of %s is not critical", ErrExtKeyUsage, leaf.Subject)
}

func extUsage(u Usage) x509.ExtKeyUsage {
	switch u {
	case TimeStamp:
		return x509.ExtKeyUsageTimeStamping
	case TLSServer:
		return x509.ExtKeyUsageServerAuth
	case TLSClient:
		return x509.ExtKeyUsageClientAuth
	}
	return x509.ExtKeyUsageAny
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

// explain maps the errors of x509 to the sentinels.
func explain(leaf *x509.Certificate, at time.Time, err error) error {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var critical x509.UnhandledCriticalExtension
	cause := ErrChain
	switch {
	case errors.As(err, &unknown):
		cause = ErrUnknownIssuer
	case errors.As(err, &critical):
		cause = ErrCritical
	case errors.As(err, &invalid):
		cause = invalidReason(invalid, at)
	}
	return fmt.Errorf("%w: %s at %s: %w", cause, leaf.Subject, at.UTC().Format(time.RFC3339), err)
}

func invalidReason(e x509.CertificateInvalidError, at time.Time) error {
	switch e.Reason {
	case x509.Expired:
		if e.Cert != nil && at.Before(e.Cert.NotBefore) {
			return ErrNotYetValid
		}
		return ErrExpired
	case x509.IncompatibleUsage:
		return ErrExtKeyUsage
	case x509.NotAuthorizedToSign, x509.TooManyIntermediates, x509.NameConstraintsWithoutSANs, x509.CANotAuthorizedForThisName,
		x509.UnconstrainedName, x509.CANotAuthorizedForExtKeyUsage, x509.TooManyConstraints, x509.NameMismatch:
		return ErrConstraint
	}
	return ErrChain
}
