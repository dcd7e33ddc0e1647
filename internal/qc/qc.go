// Package qc reads from a certificate what makes it a qualified one: certificate
// policies (ETSI EN 319 411-2) and qualified certificate statements (ETSI EN 319
// 412-5). A label such as QES is computed from them and never configured.
package qc

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Identifiers of EN 319 411-2 clause 5.3 and EN 319 412-5 clauses 4.2 and 4.3.
var (
	policyNaturalQSCD = asn1.ObjectIdentifier{0, 4, 0, 194112, 1, 2} // QCP-n-qscd
	oidStatements     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}
	oidCompliance     = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 1} // QcCompliance
	oidSSCD           = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 4} // QcSSCD
	oidType           = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 6} // QcType
	oidTypeSign       = asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 6, 1}
)

// maxStatements bounds the list: EN 319 412-5 knows nine.
const maxStatements = 32

// ErrForm is returned for an extension that is not in the one form of the standard.
var ErrForm = errors.New("qc: qualified certificate statements cannot be read")

// Facts are what a certificate says of itself.
type Facts struct {
	Policy     bool // QCP-n-qscd: natural person, key in a QSCD
	Compliance bool // QcCompliance
	SSCD       bool // QcSSCD
	Types      bool // QcType is present
	Signature  bool // QcType names electronic signatures; absent means signatures
}

// Qualified tells whether the certificate is a qualified one for electronic
// signatures of a natural person whose key is in a QSCD (KEY-09): the policy and
// the statement, which occur together or not at all (EN 319 411-2 GEN-6.6.1-03,
// -04).
func (f Facts) Qualified() bool {
	return f.Policy && f.Compliance && f.SSCD && (!f.Types || f.Signature)
}

// Read reads a parsed certificate. A certificate without the extension has no
// statement; one with a damaged or repeated extension gives ErrForm.
func Read(c *x509.Certificate) (Facts, error) {
	var f Facts
	for _, id := range c.PolicyIdentifiers {
		f.Policy = f.Policy || id.Equal(policyNaturalQSCD)
	}
	seen := false
	for _, ext := range c.Extensions {
		if !ext.Id.Equal(oidStatements) {
			continue
		}
		if seen {
			return Facts{}, fmt.Errorf("%w: the extension occurs twice", ErrForm)
		}
		seen = true
		if err := f.statements(ext.Value); err != nil {
			return Facts{}, err
		}
	}
	return f, nil
}

// statements reads QCStatements ::= SEQUENCE OF SEQUENCE { statementId,
// statementInfo ANY OPTIONAL } (RFC 3739 section 3.2.6).
func (f *Facts) statements(der []byte) error {
	in := cryptobyte.String(der)
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() {
		return ErrForm
	}
	for n := 0; !list.Empty(); n++ {
		var one cryptobyte.String
		var id asn1.ObjectIdentifier
		if n == maxStatements || !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&id) {
			return fmt.Errorf("%w: statement %d", ErrForm, n)
		}
		switch {
		case id.Equal(oidCompliance):
			f.Compliance = true
		case id.Equal(oidSSCD):
			f.SSCD = true
		case id.Equal(oidType):
			f.Types = true
			if err := f.types(one); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *Facts) types(info cryptobyte.String) error {
	var list cryptobyte.String
	if !info.ReadASN1(&list, cbasn1.SEQUENCE) || !info.Empty() {
		return fmt.Errorf("%w: QcType", ErrForm)
	}
	for !list.Empty() {
		var id asn1.ObjectIdentifier
		if !list.ReadASN1ObjectIdentifier(&id) {
			return fmt.Errorf("%w: QcType", ErrForm)
		}
		f.Signature = f.Signature || id.Equal(oidTypeSign)
	}
	return nil
}
