package tsp

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// MaxResponse is the largest response that is parsed, in bytes.
const MaxResponse = 1 << 20

// Response is a TimeStampResp (RFC 3161 section 2.4.2) that has been read but
// not verified.
type Response struct {
	Status   int
	Text     string     // of the authority, at most 200 bytes; quote it in logs
	Failures []FailInfo // bits that are set
	Token    []byte     // DER of the TimeStampToken, nil when absent
}

// ParseResponse reads a response. It verifies nothing: use Client or Verify.
func ParseResponse(der []byte) (*Response, error) {
	if len(der) > MaxResponse {
		return nil, fmt.Errorf("%w: response of %d bytes", ErrTooLarge, len(der))
	}
	input := cryptobyte.String(der)
	var body, status cryptobyte.String
	if !input.ReadASN1(&body, cbasn1.SEQUENCE) || !input.Empty() || !body.ReadASN1(&status, cbasn1.SEQUENCE) {
		return nil, fmt.Errorf("%w: not a TimeStampResp", ErrMalformed)
	}
	r := &Response{}
	if err := r.readStatus(&status); err != nil {
		return nil, err
	}
	if !body.Empty() {
		var token cryptobyte.String
		if !body.ReadASN1Element(&token, cbasn1.SEQUENCE) || !body.Empty() {
			return nil, fmt.Errorf("%w: timeStampToken", ErrMalformed)
		}
		r.Token = token
	}
	return r, nil
}

func (r *Response) readStatus(s *cryptobyte.String) error {
	if !s.ReadASN1Integer(&r.Status) {
		return fmt.Errorf("%w: PKIStatus", ErrMalformed)
	}
	if s.PeekASN1Tag(cbasn1.SEQUENCE) {
		if err := r.readText(s); err != nil {
			return err
		}
	}
	if s.Empty() {
		return nil
	}
	var bits cryptobyte.String
	var element []byte
	if !s.ReadASN1(&bits, cbasn1.BIT_STRING) || !s.Empty() || len(bits) > 8 || len(bits) < 1 {
		return fmt.Errorf("%w: PKIFailureInfo", ErrMalformed)
	}
	element = bits[1:]
	for i := range len(element) * 8 {
		if element[i/8]&(0x80>>(i%8)) != 0 {
			r.Failures = append(r.Failures, FailInfo(i))
		}
	}
	return nil
}

// readText keeps the beginning of PKIFreeText.
func (r *Response) readText(s *cryptobyte.String) error {
	const limit = 200
	var texts cryptobyte.String
	if !s.ReadASN1(&texts, cbasn1.SEQUENCE) {
		return fmt.Errorf("%w: statusString", ErrMalformed)
	}
	for !texts.Empty() && len(r.Text) < limit {
		var text cryptobyte.String
		if !texts.ReadASN1(&text, cbasn1.UTF8String) {
			return fmt.Errorf("%w: statusString", ErrMalformed)
		}
		r.Text += string(text[:min(len(text), limit-len(r.Text))])
	}
	r.Text = strings.ToValidUTF8(r.Text, "?")
	return nil
}

// Err returns nil when a token was granted as requested, and otherwise an error
// that wraps the sentinel of the status.
func (r *Response) Err() error {
	sentinel := ErrStatus
	switch r.Status {
	case 0:
		if r.Token == nil {
			return ErrNoToken
		}
		if len(r.Failures) != 0 {
			return fmt.Errorf("%w: granted, but with failure %v", ErrMalformed, r.Failures)
		}
		return nil
	case 1:
		sentinel = ErrGrantedWithMods
	case 2:
		sentinel = ErrRejected
	case 3:
		sentinel = ErrWaiting
	case 4:
		sentinel = ErrRevocationWarning
	case 5:
		sentinel = ErrRevocationNotification
	}
	return fmt.Errorf("%w: status %d, failure %v, the authority says %q", sentinel, r.Status, r.Failures, r.Text)
}

// granted writes a response around a token.
func granted(token []byte) ([]byte, error) {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(0) })
		b.AddBytes(token)
	})
	return b.Bytes()
}

// Rejection returns the response for an error of Responder: status rejection,
// the failure bit of a *Refusal or systemFailure, and the name of the failure as
// text. The cause is not told.
func Rejection(err error) []byte {
	failure := SystemFailure
	var refusal *Refusal
	if errors.As(err, &refusal) {
		failure = refusal.Failure
	}
	n := int(failure)
	bits := make([]byte, n/8+1)
	bits[n/8] = 0x80 >> (n % 8)
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(2)
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(failure.String())) })
			})
			b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) {
				b.AddUint8(uint8(7 - n%8)) // named bits: no trailing zeros
				b.AddBytes(bits)
			})
		})
	})
	return b.BytesOrPanic()
}
