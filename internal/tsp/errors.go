package tsp

import "errors"

// Refusals of the client and of token verification.
var (
	// ErrConfig: the client or responder is not usable as configured.
	ErrConfig = errors.New("tsp: not usable as configured")
	// ErrInput: the caller's imprint or hash is not usable.
	ErrInput = errors.New("tsp: unusable imprint")
	// ErrUnavailable: no HTTP answer, or one that broke off.
	ErrUnavailable = errors.New("tsp: time-stamp authority not reachable")
	// ErrDeadline: the answer was not complete in time.
	ErrDeadline = errors.New("tsp: time-stamp authority too slow")
	// ErrTooLarge: the answer is larger than the limit.
	ErrTooLarge = errors.New("tsp: answer too large")
	// ErrHTTPStatus: an HTTP status other than 200.
	ErrHTTPStatus = errors.New("tsp: unexpected HTTP status")
	// ErrRedirect: the authority redirects. Redirects are not followed: a request
	// could be led to any address.
	ErrRedirect = errors.New("tsp: redirect refused")
	// ErrContentType: not application/timestamp-reply.
	ErrContentType = errors.New("tsp: unexpected content type")
	// ErrMalformed: request, response or token is not DER of the expected form.
	ErrMalformed = errors.New("tsp: malformed")
	// ErrNoToken: the status says granted but there is no token.
	ErrNoToken = errors.New("tsp: granted without a token")
	// ErrAllFailed: every authority of a list failed.
	ErrAllFailed = errors.New("tsp: no time-stamp authority gave a usable answer")

	// The PKIStatus values other than granted (RFC 3161 section 2.4.2).
	// grantedWithMods is refused too: our requests leave nothing to modify.
	ErrGrantedWithMods        = errors.New("tsp: granted with modifications")
	ErrRejected               = errors.New("tsp: request rejected")
	ErrWaiting                = errors.New("tsp: authority answers later, which HTTP cannot carry")
	ErrRevocationWarning      = errors.New("tsp: authority is about to be revoked")
	ErrRevocationNotification = errors.New("tsp: authority has been revoked")
	ErrStatus                 = errors.New("tsp: unknown status")

	// ErrImprint: the token is over another hash algorithm or value.
	ErrImprint = errors.New("tsp: imprint differs")
	// ErrNonce: the nonce is absent or another one: an old answer.
	ErrNonce = errors.New("tsp: nonce differs")
	// ErrPolicy: the token is under another policy than demanded.
	ErrPolicy = errors.New("tsp: policy differs")
	// ErrNoCertificate: the token does not hold the certificate that signed it.
	ErrNoCertificate = errors.New("tsp: token without its signer's certificate")
	// ErrESS: the certificate named by the protected attribute did not sign.
	ErrESS = errors.New("tsp: signing-certificate attribute is missing or names another certificate")
	// ErrAlgorithm: an algorithm outside the closed set.
	ErrAlgorithm = errors.New("tsp: algorithm not accepted")
	// ErrSignature: the token's signature or message digest does not verify.
	ErrSignature = errors.New("tsp: token signature does not verify")
	// ErrPurpose: the certificate that signed is not for time-stamping only.
	ErrPurpose = errors.New("tsp: certificate is not for time-stamping")
	// ErrChain: no valid path to an anchor; the error also wraps the cause of
	// package certs.
	ErrChain = errors.New("tsp: certificate of the authority is not trusted")
	// ErrName: the tsa field names somebody else than the certificate.
	ErrName = errors.New("tsp: tsa field differs from the certificate's subject")
	// ErrExtension: a critical extension of the token is not understood.
	ErrExtension = errors.New("tsp: critical extension is not understood")
	// ErrFuture and ErrPast: genTime is outside the tolerance around the request.
	ErrFuture = errors.New("tsp: time-stamp lies in the future")
	ErrPast   = errors.New("tsp: time-stamp lies before the request")
	// ErrSerialReused: the authority gave the same serial number twice.
	ErrSerialReused = errors.New("tsp: serial number used twice")
)

// FailInfo is PKIFailureInfo (RFC 3161 section 2.4.2): a bit number.
type FailInfo int

// The defined failures.
const (
	BadAlg              FailInfo = 0
	BadRequest          FailInfo = 2
	BadDataFormat       FailInfo = 5
	TimeNotAvailable    FailInfo = 14
	UnacceptedPolicy    FailInfo = 15
	UnacceptedExtension FailInfo = 16
	AddInfoNotAvailable FailInfo = 17
	SystemFailure       FailInfo = 25
)

// String returns the name in RFC 3161.
func (f FailInfo) String() string {
	switch f {
	case BadAlg:
		return "badAlg"
	case BadRequest:
		return "badRequest"
	case BadDataFormat:
		return "badDataFormat"
	case TimeNotAvailable:
		return "timeNotAvailable"
	case UnacceptedPolicy:
		return "unacceptedPolicy"
	case UnacceptedExtension:
		return "unacceptedExtension"
	case AddInfoNotAvailable:
		return "addInfoNotAvailable"
	case SystemFailure:
		return "systemFailure"
	}
	return "unknown failure"
}

// Refusal is why the responder answers with a rejection. Failure goes to the
// requester; Cause stays with the operator.
type Refusal struct {
	Failure FailInfo
	Cause   error
}

// Error implements error.
func (r *Refusal) Error() string { return "tsp: " + r.Failure.String() + ": " + r.Cause.Error() }

// Unwrap implements errors.Unwrap.
func (r *Refusal) Unwrap() error { return r.Cause }
