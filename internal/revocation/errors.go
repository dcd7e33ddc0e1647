package revocation

import "errors"

// What can be wrong. ErrRevoked and ErrUndetermined are the two outcomes beside
// good; the others say why a statement did not count, and are wrapped together with
// ErrUndetermined.
var (
	ErrRevoked      = errors.New("revocation: certificate is revoked")
	ErrUndetermined = errors.New("revocation: no usable statement about the certificate")

	ErrMalformed    = errors.New("revocation: not a well-formed statement")
	ErrLimit        = errors.New("revocation: size or count limit exceeded")
	ErrSignature    = errors.New("revocation: signature of the statement does not verify")
	ErrUnauthorized = errors.New("revocation: its signer may not make the statement")
	ErrScope        = errors.New("revocation: statement is about other certificates")
	ErrCritical     = errors.New("revocation: critical extension is not understood")
	ErrStale        = errors.New("revocation: statement is no longer current")
	ErrFuture       = errors.New("revocation: statement is of the future")
	ErrTooEarly     = errors.New("revocation: statement is older than what it is wanted for")
	ErrExpired      = errors.New("revocation: statement was made after the certificate expired")
	ErrReasons      = errors.New("revocation: lists do not cover all reasons")
	ErrNotGood      = errors.New("revocation: responder does not know the certificate")
	ErrRefused      = errors.New("revocation: responder refused to answer")
	ErrNonce        = errors.New("revocation: answer is not to this request (nonce)")
)
