package cms

import (
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// MaxStatements bounds the certificates and statements about revocation that are taken from a message beside its certificates.
const MaxStatements = 1000

// Object identifiers of what a message carries about revocation: the formats of RFC 5940, section 2, and of EN 319 122-1, 5.4.2.2; the attributes of ISO
// 32000-1, 12.8.3.3.2, and EN 319 122-1, A.1.1.2 and A.1.1.4.
var (
	oidRIOCSP           = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 16, 2}
	oidOCSPBasic        = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidAdobeRevocation  = asn1.ObjectIdentifier{1, 2, 840, 113583, 1, 1, 8}
	oidRevocationValues = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 24}
	oidCertValues       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 23}
)

// Statements are what a message carries about revocation, DER, not parsed and not believed: of SignedData.crls, of the signed attribute
// adbe-revocationInfoArchival and of the unsigned attributes revocation-values and certificate-values.
type Statements struct {
	Certs, CRLs, OCSPs [][]byte
	Bad                int // items, or lists of them, that cannot be read
}

// Statements reads them. Past MaxStatements it is ErrLimit.
func (sd *SignedData) Statements() (*Statements, error) {
	out := &Statements{}
	if err := out.choices(sd.RawCRLs); err != nil {
		return nil, err
	}
	for _, si := range sd.Signers {
		for _, part := range []struct {
			attrs []Attr
			oid   asn1.ObjectIdentifier
			read  func(cryptobyte.String) error
		}{
			{si.SignedAttrs, oidAdobeRevocation, func(s cryptobyte.String) error { return out.tagged(s, out.ocsp) }},
			{si.UnsignedAttrs, oidRevocationValues, func(s cryptobyte.String) error { return out.tagged(s, out.basic) }},
			{si.UnsignedAttrs, oidCertValues, func(s cryptobyte.String) error { return out.each(s, out.cert) }},
		} {
			if err := inAttributes(part.attrs, part.oid, part.read); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func inAttributes(attrs []Attr, oid asn1.ObjectIdentifier, take func(cryptobyte.String) error) error {
	for _, a := range attrs {
		if !a.Type.Equal(oid) {
			continue
		}
		for _, v := range a.Values {
			if err := take(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// choices reads RevocationInfoChoices (RFC 5652, 10.2.1).
func (o *Statements) choices(in cryptobyte.String) error {
	for !in.Empty() {
		item, tag, err := readAny(&in, "revocation information")
		if err != nil {
			return o.unread()
		}
		if tag == cbasn1.SEQUENCE {
			if err := o.add(&o.CRLs, item); err != nil {
				return err
			}
			continue
		}
		if err := o.other(item, tag); err != nil {
			return err
		}
	}
	return nil
}

// other reads an OtherRevocationInfoFormat.
func (o *Statements) other(item cryptobyte.String, tag cbasn1.Tag) error {
	body, err := read(&item, tag, "OtherRevocationInfoFormat")
	if err != nil || tag != tag1 {
		return o.unread()
	}
	format, err := ReadOID(&body, "otherRevInfoFormat")
	switch {
	case err == nil && format.Equal(oidRIOCSP):
		return o.ocsp(body)
	case err == nil && format.Equal(oidOCSPBasic):
		return o.basic(body)
	}
	return o.unread()
}

// tagged reads lists of CRLs [0] and of OCSP answers [1], as both attributes have them; other forms [2] are passed over.
func (o *Statements) tagged(in cryptobyte.String, answer func(cryptobyte.String) error) error {
	body, err := read(&in, cbasn1.SEQUENCE, "revocation values")
	if err != nil {
		return o.unread()
	}
	for _, list := range []struct {
		tag  cbasn1.Tag
		take func(cryptobyte.String) error
	}{{tag0, func(s cryptobyte.String) error { return o.add(&o.CRLs, s) }}, {tag1, answer}} {
		if !body.PeekASN1Tag(list.tag) {
			continue
		}
		values, err := read(&body, list.tag, "revocation values")
		if err != nil {
			return o.unread()
		}
		if err := o.each(values, list.take); err != nil {
			return err
		}
	}
	return nil
}

// each reads a SEQUENCE OF.
func (o *Statements) each(in cryptobyte.String, take func(cryptobyte.String) error) error {
	list, err := read(&in, cbasn1.SEQUENCE, "list of statements")
	if err != nil {
		return o.unread()
	}
	for !list.Empty() {
		item, _, err := readAny(&list, "statement")
		if err != nil {
			return o.unread()
		}
		if err := take(item); err != nil {
			return err
		}
	}
	return nil
}

func (o *Statements) cert(der cryptobyte.String) error { return o.add(&o.Certs, der) }
func (o *Statements) ocsp(der cryptobyte.String) error { return o.add(&o.OCSPs, der) }

// basic takes a BasicOCSPResponse, as the OCSPResponse that it was in.
func (o *Statements) basic(der cryptobyte.String) error {
	oid := encoded(func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidOCSPBasic) })
	return o.add(&o.OCSPs, wrap(cbasn1.SEQUENCE, []byte{byte(cbasn1.ENUM), 1, 0}, wrap(tag0, wrap(cbasn1.SEQUENCE, oid, wrap(cbasn1.OCTET_STRING, der)))))
}

// unread passes over what cannot be read: it says nothing, and is no fault of the signature.
func (o *Statements) unread() error {
	o.Bad++
	return nil
}

func (o *Statements) add(dst *[][]byte, der []byte) error {
	if len(o.Certs)+len(o.CRLs)+len(o.OCSPs) >= MaxStatements {
		return fmt.Errorf("%w: more than %d statements about revocation", ErrLimit, MaxStatements)
	}
	*dst = append(*dst, der)
	return nil
}
