package revocation

import (
	"crypto"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/der"
	"github.com/assent-sign/assent/internal/pkix"
)

// Bounds of an OCSP response.
const (
	MaxResponse       = 256 << 10 // bytes
	maxSingles        = 64
	maxResponderCerts = 16
	maxNonce          = 128 // bytes; RFC 9654 section 2.1
)

const (
	oidBasicResponse der.OID = "\x2b\x06\x01\x05\x05\x07\x30\x01\x01"
	oidNonce         der.OID = "\x2b\x06\x01\x05\x05\x07\x30\x01\x02"
	oidArchiveCutoff der.OID = "\x2b\x06\x01\x05\x05\x07\x30\x01\x06"
	oidExtendedRevok der.OID = "\x2b\x06\x01\x05\x05\x07\x30\x01\x09"
	oidSHA1          der.OID = "\x2b\x0e\x03\x02\x1a"
	oidSHA256        der.OID = "\x60\x86\x48\x01\x65\x03\x04\x02\x01"
	oidSHA384        der.OID = "\x60\x86\x48\x01\x65\x03\x04\x02\x02"
	oidSHA512        der.OID = "\x60\x86\x48\x01\x65\x03\x04\x02\x03"
)

// Response is an OCSP response taken apart (RFC 6960 section 4.2.1).
type Response struct {
	Raw        []byte
	ProducedAt time.Time
	Nonce      []byte // nil: none

	tbs, algorithm, signature []byte
	byName                    *pkix.Name // the responder's name, or
	byKey                     []byte     // the SHA-1 of its key
	singles                   []single
	certs                     []*pkix.Certificate
	unknown                   []der.OID
}

type certStatus uint8

const (
	statusGood certStatus = iota
	statusRevoked
	statusUnknown
)

// certID names a certificate (section 4.1.1).
type certID struct {
	hash              crypto.Hash // 0: one that is not known here
	nameHash, keyHash string
	serial            string
}

type single struct {
	id                     certID
	status                 certStatus
	revokedAt              time.Time
	reason                 Reason
	thisUpdate, nextUpdate time.Time
	// keepsExpired is archiveCutoff: since when expired certificates are spoken about.
	keepsExpired time.Time
	unknown      der.OID
}

// ParseResponse reads an OCSP response in DER. One that says no (malformedRequest,
// tryLater, ...) is ErrRefused.
func ParseResponse(in []byte) (*Response, error) {
	if len(in) > MaxResponse {
		return nil, fmt.Errorf("%w: OCSP response of %d bytes", ErrLimit, len(in))
	}
	outer, err := der.Only(in, asn1.SEQUENCE, "OCSP response")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	code, err := der.Read(&outer, asn1.ENUM, "response status")
	if err != nil || len(code) != 1 {
		return nil, fmt.Errorf("%w: OCSP response status", ErrMalformed)
	}
	if code[0] != 0 {
		return nil, fmt.Errorf("%w: response status %d (%s)", ErrRefused, code[0], refusal(code[0]))
	}
	r := &Response{Raw: in}
	if err := r.parse(outer); err != nil {
		return nil, fmt.Errorf("%w: OCSP response: %w", ErrMalformed, err)
	}
	return r, nil
}

// Span is when a statement is current; Until is zero when it does not say.
type Span struct{ From, Until time.Time }

// Spans are those of a list.
func (c *CRL) Spans() []Span { return []Span{{c.ThisUpdate, c.NextUpdate}} }

// Spans are those of the statements in a response. None begins before the response was
// produced, since until then it is of the future.
func (r *Response) Spans() (out []Span) {
	for _, x := range r.singles {
		span := Span{x.thisUpdate, x.nextUpdate}
		if r.ProducedAt.After(span.From) {
			span.From = r.ProducedAt
		}
		out = append(out, span)
	}
	return out
}

func refusal(code byte) string {
	switch code {
	case 1:
		return "malformedRequest"
	case 2:
		return "internalError"
	case 3:
		return "tryLater"
	case 5:
		return "sigRequired"
	case 6:
		return "unauthorized"
	}
	return "not defined"
}

func (r *Response) parse(outer cryptobyte.String) error {
	wrapped, err := der.Read(&outer, der.Context(0), "response bytes")
	if err != nil {
		return err
	}
	if !outer.Empty() {
		return der.Malformed("fields behind the response bytes")
	}
	body, err := der.Only(wrapped, asn1.SEQUENCE, "response bytes")
	if err != nil {
		return err
	}
	typ, err := der.ReadOID(&body, "response type")
	if err != nil {
		return err
	}
	octets, err := der.Read(&body, asn1.OCTET_STRING, "response")
	if err != nil {
		return err
	}
	if typ != oidBasicResponse || !body.Empty() {
		return der.Malformed("response type " + typ.String())
	}
	basic, err := der.Only(octets, asn1.SEQUENCE, "basic response")
	if err != nil {
		return err
	}
	var tbs cryptobyte.String
	if tbs, r.algorithm, r.signature, err = readSigned(&basic); err != nil {
		return err
	}
	r.tbs = tbs
	certs, present, err := der.ReadOptional(&basic, der.Context(0), "certificates")
	if err != nil {
		return err
	}
	if !basic.Empty() {
		return der.Malformed("fields behind the certificates")
	}
	if present {
		if err := r.parseCerts(certs); err != nil {
			return err
		}
	}
	data, err := der.Only(tbs, asn1.SEQUENCE, "response data")
	if err != nil {
		return err
	}
	return r.parseData(data)
}

func (r *Response) parseCerts(in []byte) error {
	list, err := der.Only(in, asn1.SEQUENCE, "certificates")
	for err == nil && !list.Empty() {
		if len(r.certs) == maxResponderCerts {
			return der.TooMany("certificates of a responder", maxResponderCerts)
		}
		var one cryptobyte.String
		if one, err = der.ReadElement(&list, asn1.SEQUENCE, "certificate"); err != nil {
			break
		}
		var c *pkix.Certificate
		if c, err = pkix.Parse(one); err == nil {
			r.certs = append(r.certs, c)
		}
	}
	return err
}

func (r *Response) parseData(s cryptobyte.String) error {
	if v, present, err := der.ReadOptional(&s, der.Context(0), "version"); err != nil || (present && string(v) != "\x02\x01\x00") {
		return der.Malformed("version of an OCSP response")
	}
	name, isName, err := der.ReadOptional(&s, der.Context(1), "responder")
	if err != nil {
		return err
	}
	key, isKey, err := der.ReadOptional(&s, der.Context(2), "responder")
	if err != nil {
		return err
	}
	switch {
	case isName == isKey:
		return der.Malformed("responder")
	case isName:
		n, err := pkix.ParseName(name)
		if err != nil {
			return err
		}
		r.byName = &n
	default:
		if r.byKey, err = der.Only(key, asn1.OCTET_STRING, "responder"); err != nil {
			return err
		}
	}
	if r.ProducedAt, err = der.ReadGeneralized(&s, "producedAt"); err != nil {
		return err
	}
	list, err := der.Read(&s, asn1.SEQUENCE, "responses")
	if err != nil {
		return err
	}
	for !list.Empty() {
		if len(r.singles) == maxSingles {
			return der.TooMany("single responses", maxSingles)
		}
		one, err := der.Read(&list, asn1.SEQUENCE, "single response")
		if err != nil {
			return err
		}
		var x single
		if err := x.parse(one); err != nil {
			return err
		}
		r.singles = append(r.singles, x)
	}
	return r.parseExtensions(&s)
}

func (r *Response) parseExtensions(s *cryptobyte.String) error {
	ext, present, err := der.ReadOptional(s, der.Context(1), "extensions")
	if err != nil {
		return err
	}
	if !s.Empty() {
		return der.Malformed("fields behind the extensions")
	}
	if !present {
		return nil
	}
	r.Nonce, r.unknown, err = readExtensions(ext)
	return err
}

// readExtensions reads the extensions of a response or of a request: the nonce, and
// critical ones that are not understood.
func readExtensions(ext []byte) (nonce []byte, unknown []der.OID, err error) {
	err = pkix.EachExtension(ext, func(oid der.OID, critical bool, value []byte) error {
		switch {
		case oid == oidNonce:
			n, err := der.Only(value, asn1.OCTET_STRING, "nonce")
			if err != nil || len(n) > maxNonce {
				return der.Malformed("nonce")
			}
			nonce = append([]byte{}, n...)
		case oid == oidExtendedRevok: // RFC 6960 section 4.4.8: may be critical; revoked stays revoked
		case critical:
			unknown = append(unknown, oid)
		}
		return nil
	})
	return nonce, unknown, err
}

func (x *single) parse(s cryptobyte.String) error {
	id, err := der.Read(&s, asn1.SEQUENCE, "CertID")
	if err != nil {
		return err
	}
	if err := x.id.parse(id); err != nil {
		return err
	}
	if err := x.parseStatus(&s); err != nil {
		return err
	}
	if x.thisUpdate, err = der.ReadGeneralized(&s, "thisUpdate"); err != nil {
		return err
	}
	next, present, err := der.ReadOptional(&s, der.Context(0), "nextUpdate")
	if err != nil {
		return err
	}
	if present {
		if x.nextUpdate, err = der.ReadGeneralized(&next, "nextUpdate"); err != nil || !next.Empty() {
			return der.Malformed("nextUpdate")
		}
	}
	ext, present, err := der.ReadOptional(&s, der.Context(1), "extensions of a single response")
	if err != nil {
		return err
	}
	if !s.Empty() {
		return der.Malformed("single response")
	}
	if !present {
		return nil
	}
	return pkix.EachExtension(ext, func(oid der.OID, critical bool, value []byte) (err error) {
		v := cryptobyte.String(value)
		switch {
		case oid == oidArchiveCutoff:
			if x.keepsExpired, err = der.ReadGeneralized(&v, "archive cutoff"); err == nil && !v.Empty() {
				err = der.Malformed("archive cutoff")
			}
		case critical:
			x.unknown = oid
		}
		return err
	})
}

func (id *certID) parse(s cryptobyte.String) error {
	alg, err := der.Read(&s, asn1.SEQUENCE, "hash of a CertID")
	if err != nil {
		return err
	}
	oid, err := der.ReadOID(&alg, "hash of a CertID")
	if err != nil {
		return err
	}
	id.hash = hashOf(oid)
	name, err := der.Read(&s, asn1.OCTET_STRING, "name of a CertID")
	if err != nil {
		return err
	}
	key, err := der.Read(&s, asn1.OCTET_STRING, "key of a CertID")
	if err != nil {
		return err
	}
	id.nameHash, id.keyHash = string(name), string(key)
	if id.serial, err = der.ReadInteger(&s, "serial number of a CertID"); err == nil && !s.Empty() {
		err = der.Malformed("CertID")
	}
	return err
}

func hashOf(oid der.OID) crypto.Hash {
	switch oid {
	case oidSHA1:
		return crypto.SHA1
	case oidSHA256:
		return crypto.SHA256
	case oidSHA384:
		return crypto.SHA384
	case oidSHA512:
		return crypto.SHA512
	}
	return 0
}

func (x *single) parseStatus(s *cryptobyte.String) error {
	element, tag, err := der.ReadAny(s, "status")
	if err != nil {
		return err
	}
	body, err := der.Only(element, tag, "status")
	if err != nil {
		return err
	}
	switch tag {
	case der.Primitive(0):
		x.status = statusGood
	case der.Primitive(2):
		x.status = statusUnknown
	case der.Context(1):
		x.status = statusRevoked
		return x.parseRevoked(body)
	default:
		return der.Malformed("status")
	}
	if !body.Empty() {
		return der.Malformed("status")
	}
	return nil
}

func (x *single) parseRevoked(s cryptobyte.String) error {
	var err error
	if x.revokedAt, err = der.ReadGeneralized(&s, "revocation time"); err != nil {
		return err
	}
	reason, present, err := der.ReadOptional(&s, der.Context(0), "reason of revocation")
	if err != nil {
		return err
	}
	if present {
		if x.reason, err = parseReason(reason); err != nil {
			return err
		}
	}
	if !s.Empty() {
		return der.Malformed("revocation")
	}
	return nil
}
