package sigpolicy

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/cms"
)

// Object identifiers of EN 319 122-1. They must not be modified.
var (
	OIDAttribute     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 15} // id-aa-ets-sigPolicyId
	oidURI           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 5, 1}
	oidNotice        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 5, 2}
	oidSpecification = asn1.ObjectIdentifier{0, 4, 0, 19122, 2, 1}
)

// FromAttribute reads the value of the signature-policy-identifier attribute of a CMS message (EN 319 122-1, 5.2.9),
// in DER. A digest algorithm that is not accepted leaves Hash 0. ErrPolicy.
func FromAttribute(der []byte) (*Policy, error) {
	s := cryptobyte.String(der)
	if s.PeekASN1Tag(cbasn1.NULL) {
		var null cryptobyte.String
		if !s.ReadASN1(&null, cbasn1.NULL) || !null.Empty() || !s.Empty() {
			return nil, fmt.Errorf("%w: the implied policy", ErrPolicy)
		}
		return &Policy{Implied: true}, nil
	}
	p, err := fromID(&s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	return p, p.Check()
}

func fromID(s *cryptobyte.String) (*Policy, error) {
	var body, hash, algorithm, digest cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() {
		return nil, errors.New("SignaturePolicyId")
	}
	id, err := cms.ReadOID(&body, "sigPolicyId")
	if err != nil {
		return nil, err
	}
	p := &Policy{ID: id.String(), ASN1: true}
	if !body.ReadASN1(&hash, cbasn1.SEQUENCE) || !hash.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) || !hash.ReadASN1(&digest, cbasn1.OCTET_STRING) || !hash.Empty() {
		return nil, errors.New("sigPolicyHash")
	}
	p.Digest = digest
	if err := p.algorithm(algorithm); err != nil {
		return nil, err
	}
	if body.Empty() {
		return p, nil
	}
	var list cryptobyte.String
	if !body.ReadASN1(&list, cbasn1.SEQUENCE) || !body.Empty() || list.Empty() {
		return nil, errors.New("sigPolicyQualifiers")
	}
	for !list.Empty() {
		if len(p.Qualifiers) == maxQualifiers {
			return nil, fmt.Errorf("more than %d qualifiers", maxQualifiers)
		}
		q, err := qualifier(&list)
		if err != nil {
			return nil, err
		}
		p.Qualifiers = append(p.Qualifiers, q)
	}
	return p, nil
}

func (p *Policy) algorithm(element cryptobyte.String) error {
	known := element
	if h, err := cms.ReadDigestAlgorithm(&known); err == nil {
		p.Hash, p.HashName = h, h.String()
		return nil
	}
	var body cryptobyte.String
	if !element.ReadASN1(&body, cbasn1.SEQUENCE) {
		return errors.New("hashAlgorithm")
	}
	oid, err := cms.ReadOID(&body, "hashAlgorithm")
	if err == nil {
		p.HashName = oid.String()
	}
	return err
}

func qualifier(list *cryptobyte.String) (Qualifier, error) {
	var body, value cryptobyte.String
	if !list.ReadASN1(&body, cbasn1.SEQUENCE) {
		return Qualifier{}, errors.New("SigPolicyQualifierInfo")
	}
	oid, err := cms.ReadOID(&body, "sigPolicyQualifierId")
	if err != nil {
		return Qualifier{}, err
	}
	var tag cbasn1.Tag
	if !body.ReadAnyASN1Element(&value, &tag) || !body.Empty() {
		return Qualifier{}, errors.New("qualifier")
	}
	ok := true
	q := Qualifier{Kind: KindOther, Text: oid.String()}
	switch {
	case oid.Equal(oidURI):
		q.Kind = KindURI
		q.Text, ok = display(&value)
	case oid.Equal(oidNotice):
		q.Kind = KindNotice
		q.Text, ok = notice(value)
	case oid.Equal(oidSpecification):
		q.Kind = KindSpecification
		if tag == cbasn1.OBJECT_IDENTIFIER {
			oid, err = cms.ReadOID(&value, "SPDocSpecification")
			return Qualifier{q.Kind, oid.String()}, err
		}
		q.Text, ok = display(&value)
	}
	if !ok || len(q.Text) > maxText {
		return Qualifier{}, fmt.Errorf("qualifier %s", oid)
	}
	return q, nil
}

// notice reads SPUserNotice: who says it, by which numbers, and the text.
func notice(value cryptobyte.String) (string, bool) {
	var body, ref, numbers cryptobyte.String
	if !value.ReadASN1(&body, cbasn1.SEQUENCE) || !value.Empty() {
		return "", false
	}
	var parts []string
	if body.PeekASN1Tag(cbasn1.SEQUENCE) {
		if !body.ReadASN1(&ref, cbasn1.SEQUENCE) {
			return "", false
		}
		who, ok := display(&ref)
		if !ok || !ref.ReadASN1(&numbers, cbasn1.SEQUENCE) || !ref.Empty() {
			return "", false
		}
		for !numbers.Empty() {
			var n int64
			if !numbers.ReadASN1Integer(&n) {
				return "", false
			}
			who += fmt.Sprintf(" %d", n)
			if len(who) > maxText {
				return "", false
			}
		}
		parts = append(parts, who)
	}
	if !body.Empty() {
		text, ok := display(&body)
		if !ok {
			return "", false
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ": "), body.Empty()
}

// display reads a text of one of the types that DisplayText and SPuri have.
func display(s *cryptobyte.String) (string, bool) {
	const visible, bmp = cbasn1.Tag(26), cbasn1.Tag(30)
	var b cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&b, &tag) || len(b) > maxText {
		return "", false
	}
	switch tag {
	case cbasn1.IA5String, cbasn1.UTF8String, cbasn1.PrintableString, visible:
		return string(b), utf8.Valid(b)
	case bmp:
		if len(b)%2 != 0 {
			return "", false
		}
		units := make([]uint16, 0, len(b)/2)
		for i := 0; i < len(b); i += 2 {
			units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
		}
		return string(utf16.Decode(units)), true
	}
	return "", false
}
