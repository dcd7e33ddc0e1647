package cms

import "errors"

// What can be wrong with a message. Every error of this package wraps one of
// these.
var (
	// ErrMalformed: the bytes are not DER of the expected structure.
	ErrMalformed = errors.New("cms: not well-formed DER")
	// ErrBER: an indefinite length or a constructed string where DER is demanded: in
	// what we make or ask for. ParseBER reads such messages of others.
	ErrBER = errors.New("cms: BER encoding (indefinite length or constructed string) is not supported")
	// ErrTrailing: bytes follow the message. ParsePadded allows zero bytes.
	ErrTrailing = errors.New("cms: bytes after the end of the message")
	// ErrLimit: the message exceeds a size or count limit of this package.
	ErrLimit = errors.New("cms: size or count limit exceeded")
	// ErrNotSignedData: the ContentInfo holds something else.
	ErrNotSignedData = errors.New("cms: content is not SignedData")
	// ErrSignerCount: the operation needs exactly one signer.
	ErrSignerCount = errors.New("cms: the message must have exactly one signer")
	// ErrInput: the caller's input to Assemble or AddUnsigned is unusable.
	ErrInput = errors.New("cms: unusable input")

	// ErrNoSignedAttrs: the signer has no signed attributes.
	ErrNoSignedAttrs = errors.New("cms: signed attributes are missing")
	// ErrUnsorted: signed attributes are not in DER order.
	ErrUnsorted = errors.New("cms: signed attributes are not DER-sorted")
	// ErrAttribute: an attribute is absent, present twice or has the wrong
	// number or form of values.
	ErrAttribute = errors.New("cms: attribute missing, duplicated or malformed")
	// ErrContentType: the content-type attribute, the encapsulated type and the
	// expected type are not all the same.
	ErrContentType = errors.New("cms: content type differs")
	// ErrMessageDigest: the message-digest attribute is not the digest of the
	// content.
	ErrMessageDigest = errors.New("cms: message digest differs from the content")
	// ErrAlgorithm: a digest or signature algorithm outside the closed set, or
	// one that does not fit the key or the digest.
	ErrAlgorithm = errors.New("cms: algorithm not accepted")
	// ErrNoCertificate: no certificate fits the signer identifier.
	ErrNoCertificate = errors.New("cms: the signer's certificate is not in the message")
	// ErrNoESS: no ESS signing-certificate attribute of an accepted version.
	ErrNoESS = errors.New("cms: signing-certificate attribute is missing")
	// ErrESSMismatch: the signing-certificate attribute names another certificate
	// than the signer identifier.
	ErrESSMismatch = errors.New("cms: signing-certificate attribute names another certificate")
	// ErrSignature: the signature does not verify.
	ErrSignature = errors.New("cms: signature does not verify")
)
