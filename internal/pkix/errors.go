package pkix

import "errors"

// Why a certificate or path is refused. Every error of this package wraps one of
// these, or ErrMalformed or ErrLimit of package der.
var (
	ErrNoAnchors     = errors.New("pkix: no trust anchors are given")
	ErrUnknownIssuer = errors.New("pkix: no path to a trust anchor")
	ErrSignature     = errors.New("pkix: signature of a certificate does not verify")
	ErrAlgorithm     = errors.New("pkix: signature algorithm or key is not accepted")
	ErrExpired       = errors.New("pkix: certificate has expired at the time in question")
	ErrNotYetValid   = errors.New("pkix: certificate is not yet valid at the time in question")
	ErrNotCA         = errors.New("pkix: issuer is not a certification authority")
	ErrPathLength    = errors.New("pkix: path is longer than a certificate of it allows")
	ErrKeyUsage      = errors.New("pkix: key usage does not allow this use")
	ErrExtKeyUsage   = errors.New("pkix: extended key usage does not allow this use")
	ErrPolicy        = errors.New("pkix: no acceptable certificate policy")
	ErrConstraint    = errors.New("pkix: name is outside the name constraints of the path")
	ErrNoRevAvail    = errors.New("pkix: certificate says that nothing tells of its revocation, and what does (RFC 9608)")
	ErrCritical      = errors.New("pkix: critical extension is not understood")
	ErrBounds        = errors.New("pkix: validation exceeds its bounds")
)
