package validate

import (
	"errors"
	"fmt"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// Indication is the main word of EN 319 102-1, 5.1.3, about a signature.
type Indication string

// The indications.
const (
	TotalPassed Indication = "TOTAL-PASSED"  // all checks succeeded, under the policy that the report names
	TotalFailed Indication = "TOTAL-FAILED"  // the signature is broken, or was proven to be made when it must not be
	InDoubt     Indication = "INDETERMINATE" // what is at hand does not decide
)

// SubIndication says why a signature is not TOTAL-PASSED (EN 319 102-1, tables 5 and 6).
type SubIndication string

// Of TOTAL-FAILED.
const (
	FormatFailure    SubIndication = "FORMAT_FAILURE"     // not the form that its standard demands, or the file was changed in a way that no signature covers
	HashFailure      SubIndication = "HASH_FAILURE"       // a digest is not that of the data
	SigCryptoFailure SubIndication = "SIG_CRYPTO_FAILURE" // the value does not fit the key
	Revoked          SubIndication = "REVOKED"            // proven to be made after the certificate was revoked
	Expired          SubIndication = "EXPIRED"            // proven to be made after the certificate expired
	NotYetValid      SubIndication = "NOT_YET_VALID"      // proven to be made before the certificate was valid
)

// Of INDETERMINATE.
const (
	SigConstraintsFailure       SubIndication = "SIG_CONSTRAINTS_FAILURE"
	ChainConstraintsFailure     SubIndication = "CHAIN_CONSTRAINTS_FAILURE"
	ChainGeneralFailure         SubIndication = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
	CryptoConstraintsFailure    SubIndication = "CRYPTO_CONSTRAINTS_FAILURE"
	CryptoNoPOE                 SubIndication = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
	TimestampOrderFailure       SubIndication = "TIMESTAMP_ORDER_FAILURE"
	NoSigningCertificateFound   SubIndication = "NO_SIGNING_CERTIFICATE_FOUND"
	NoCertificateChainFound     SubIndication = "NO_CERTIFICATE_CHAIN_FOUND"
	RevokedNoPOE                SubIndication = "REVOKED_NO_POE"
	RevokedCANoPOE              SubIndication = "REVOKED_CA_NO_POE"
	OutOfBoundsNoPOE            SubIndication = "OUT_OF_BOUNDS_NO_POE"
	NoPOE                       SubIndication = "NO_POE"
	TryLater                    SubIndication = "TRY_LATER"
	SignedDataNotFound          SubIndication = "SIGNED_DATA_NOT_FOUND"
	SignaturePolicyNotAvailable SubIndication = "SIGNATURE_POLICY_NOT_AVAILABLE"
	PolicyProcessingError       SubIndication = "POLICY_PROCESSING_ERROR"
	noSubIndication             SubIndication = ""
)

// indication is the main word that a sub-indication belongs to.
func (sub SubIndication) indication() Indication {
	switch sub {
	case noSubIndication:
		return TotalPassed
	case FormatFailure, HashFailure, SigCryptoFailure, Revoked, Expired, NotYetValid:
		return TotalFailed
	}
	return InDoubt
}

// Status is an answer in the words of EN 319 102-1. The verdict in plain words goes
// along with it: Valid if and only if the indication is TotalPassed. NotValid is wider
// than TotalFailed: where the standard leaves open whether a signature might be older
// than what speaks against it, this package does not.
type Status struct {
	Indication    Indication    `json:"indication,omitempty"`
	SubIndication SubIndication `json:"sub_indication,omitempty"`
}

// Words writes both.
func (s Status) Words() string {
	if s.SubIndication == noSubIndication {
		return string(s.Indication)
	}
	return fmt.Sprintf("%s, %s", s.Indication, s.SubIndication)
}

func passed() Status { return Status{Indication: TotalPassed} }

// worsen takes a sub-indication in; of two of the same rank the first stays.
func (s *Status) worsen(sub SubIndication) {
	if in := sub.indication(); s.Indication != in && s.Indication != TotalFailed {
		s.Indication, s.SubIndication = in, sub
	}
}

// fail says that the signature is not valid, and why.
func (s *Signature) fail(sub SubIndication, format string, args ...any) {
	s.Verdict = NotValid
	s.worsen(sub)
	s.Why = append(s.Why, fmt.Sprintf(format, args...))
}

// doubt says why nothing can be decided.
func (s *Signature) doubt(sub SubIndication, format string, args ...any) {
	if s.Verdict == Valid {
		s.Verdict = Indeterminate
	}
	s.worsen(sub)
	s.Why = append(s.Why, fmt.Sprintf(format, args...))
}

// first returns the sub-indication of the first error that err wraps.
func first(err error, otherwise SubIndication, table ...reason) SubIndication {
	for _, r := range table {
		if errors.Is(err, r.err) {
			return r.sub
		}
	}
	return otherwise
}

type reason struct {
	err error
	sub SubIndication
}

// subOfCMS is EN 319 102-1, 5.2.2 to 5.2.4 and 5.2.7, for a message.
func subOfCMS(err error) SubIndication {
	return first(err, FormatFailure,
		reason{cms.ErrMessageDigest, HashFailure}, reason{cms.ErrSignature, SigCryptoFailure},
		reason{cms.ErrNoCertificate, NoSigningCertificateFound}, reason{cms.ErrESSMismatch, NoSigningCertificateFound},
		reason{cms.ErrNoESS, SigConstraintsFailure}, reason{cms.ErrAlgorithm, CryptoConstraintsFailure})
}

// subOfStamp is the same for a time-stamp on its own (5.4).
func subOfStamp(err error) SubIndication {
	return first(err, FormatFailure,
		reason{tsp.ErrImprint, HashFailure}, reason{tsp.ErrSignature, SigCryptoFailure},
		reason{tsp.ErrNoCertificate, NoSigningCertificateFound}, reason{tsp.ErrESS, NoSigningCertificateFound},
		reason{tsp.ErrAlgorithm, CryptoConstraintsFailure}, reason{tsp.ErrPurpose, ChainConstraintsFailure}, reason{tsp.ErrChain, subOfChain(err)})
}

// subOfChain is 5.2.6, at a time that may be proven.
func subOfChain(err error) SubIndication {
	return first(err, ChainGeneralFailure,
		reason{certs.ErrNoAnchors, NoCertificateChainFound}, reason{certs.ErrUnknownIssuer, NoCertificateChainFound},
		reason{certs.ErrExpired, OutOfBoundsNoPOE}, reason{certs.ErrNotYetValid, OutOfBoundsNoPOE},
		reason{certs.ErrWeakKey, CryptoConstraintsFailure}, reason{certs.ErrKeyUsage, ChainConstraintsFailure}, reason{certs.ErrExtKeyUsage, ChainConstraintsFailure},
		reason{certs.ErrConstraint, ChainConstraintsFailure}, reason{certs.ErrCritical, ChainConstraintsFailure})
}

// subOfXML is 5.2.2 to 5.2.4, 5.2.7 and 5.2.8 for an XML signature, in the order of the standard.
func subOfXML(err error) SubIndication {
	return first(err, FormatFailure,
		reason{xmlsig.ErrStructure, FormatFailure}, reason{xmlsig.ErrCertificate, NoSigningCertificateFound}, reason{xmlsig.ErrDetached, SignedDataNotFound},
		reason{xmlsig.ErrNoData, SignedDataNotFound}, reason{xmlsig.ErrDigest, HashFailure}, reason{xmlsig.ErrSignature, SigCryptoFailure},
		reason{xmlsig.ErrUnsupported, SigConstraintsFailure}, reason{xmlsig.ErrTooLarge, SigConstraintsFailure}, reason{xmlsig.ErrAlgorithm, CryptoConstraintsFailure})
}

func subOfProblem(kind pdf.ProblemKind) SubIndication {
	if kind == pdf.ProblemBeyondEnd {
		return SignedDataNotFound
	}
	return FormatFailure
}
