package cms

import (
	"bytes"
	"fmt"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// AddUnsigned returns the message with one more unsigned attribute of its only
// signer: how a time-stamp token joins a signature. The edit is made on the raw
// bytes: apart from the lengths around it nothing changes, and attributes that
// this package does not know stay as they are. Where the existing attributes are
// in DER order the new one goes to its place in it, otherwise to the end; the
// order of the existing ones never changes.
func AddUnsigned(der []byte, attr []byte) ([]byte, error) {
	sd, err := Parse(der)
	if err != nil {
		return nil, err
	}
	if err := checkAttribute(attr); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	si, err := sd.Signer()
	if err != nil {
		return nil, err
	}
	if len(si.UnsignedAttrs) >= MaxAttributes || len(der)+len(attr) > MaxMessage-64 {
		return nil, fmt.Errorf("%w: no room for another unsigned attribute", ErrLimit)
	}
	return sd.rebuild(si, si.insertUnsigned(attr)), nil
}

// insertUnsigned returns the content of the unsigned attributes with attr.
func (si *SignerInfo) insertUnsigned(attr []byte) []byte {
	at := len(si.unsigned)
	if isSorted(si.UnsignedAttrs) {
		at = 0
		for _, a := range si.UnsignedAttrs {
			if bytes.Compare(a.Raw, attr) > 0 {
				break
			}
			at += len(a.Raw)
		}
	}
	out := make([]byte, 0, len(si.unsigned)+len(attr))
	out = append(out, si.unsigned[:at]...)
	out = append(out, attr...)
	return append(out, si.unsigned[at:]...)
}

// rebuild writes the message with other unsigned attributes: new headers around
// the old bytes.
func (sd *SignedData) rebuild(si *SignerInfo, unsigned []byte) []byte {
	signers := wrap(cbasn1.SET, wrap(cbasn1.SEQUENCE, si.prefix, wrap(tag1, unsigned)))
	body := wrap(cbasn1.SEQUENCE, sd.pieces.head, signers)
	return wrap(cbasn1.SEQUENCE, sd.pieces.contentTypeOID, wrap(tag0, body))
}
