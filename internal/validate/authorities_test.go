package validate_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
)

// CRY-02: an authority whose key can be computed vouches for nobody, whatever stands above it: whoever
// computes it issues certificates to himself.
func TestCRY02AuthoritiesWithWeakKeys(t *testing.T) {
	tr := newTree(t)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	must(t, err)
	for name, c := range map[string]struct {
		key crypto.Signer
		sub validate.SubIndication
	}{
		"RSA of 1024 bits": {short, validate.CryptoNoPOE},
		"P-224":            {small, validate.CryptoNoPOE},
		"P-256":            {newKey(t), ""},
	} {
		mid := tr.issue(t, authorityOf("Mid "+name), tr.root, c.key.Public(), tr.key)
		key := newKey(t)
		leaf := tr.issue(t, person("Anna"), mid, key.Public(), c.key)
		rep := look(t, signAs(t, contract(), key, leaf, mid), tr.trust())
		if rep.SubIndication != c.sub || (rep.Verdict == validate.Valid) != (c.sub == "") {
			t.Errorf("%s: %s %s %q", name, rep.Verdict, rep.Words(), rep.Signatures[0].Why)
		}
	}
}

// T12: an authority that is limited to certificates of servers proofed no signer, and can be
// anybody's who has servers: what it issues signs no document.
func TestT12AuthoritiesOfMachines(t *testing.T) {
	tr := newTree(t)
	for name, c := range map[string]struct {
		purposes []x509.ExtKeyUsage
		sub      validate.SubIndication
	}{
		"servers":          {[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, validate.ChainConstraintsFailure},
		"time-stamps":      {[]x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}, validate.ChainConstraintsFailure},
		"persons and mail": {[]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection}, ""},
		"no limit":         {nil, ""},
	} {
		ca := authorityOf("CA for " + name)
		ca.ExtKeyUsage = c.purposes
		caKey, key := newKey(t), newKey(t)
		mid := tr.issue(t, ca, tr.root, caKey.Public(), tr.key)
		leaf := tr.issue(t, person("Anna"), mid, key.Public(), caKey)
		rep := look(t, signAs(t, contract(), key, leaf, mid), tr.trust())
		if rep.SubIndication != c.sub || (rep.Verdict == validate.Valid) != (c.sub == "") {
			t.Errorf("%s: %s %s %q", name, rep.Verdict, rep.Words(), rep.Signatures[0].Why)
		}
	}
}

// EN 319 102-1, 5.2.6: the certificates of a path are found where EN 319 142-1, 5.4.2 and EN 319 132-1,
// 5.4.2 put them too: in the file's validation data alone, for signers and for time-stamps.
func TestADE03ChainsInTheValidationData(t *testing.T) {
	tr := newTree(t)
	upperKey, lowerKey, key, stampKey := newKey(t), newKey(t), newKey(t), newKey(t)
	upper := tr.issue(t, authorityOf("Upper"), tr.root, upperKey.Public(), tr.key)
	lower := tr.issue(t, authorityOf("Lower"), upper, lowerKey.Public(), upperKey)
	anna := tr.issue(t, person("Anna"), lower, key.Public(), lowerKey)
	stamps := person("TSA")
	stamps.KeyUsage, stamps.ExtraExtensions = x509.KeyUsageDigitalSignature, criticalStamping()
	tsa := tr.issue(t, stamps, lower, stampKey.Public(), lowerKey)
	r := &tsp.Responder{Signer: stampKey, Alg: algo.ES256, Chain: [][]byte{tsa.Raw}, Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Clock: time.Now}
	must(t, r.Check())
	k := &kit{key: key, chain: [][]byte{anna.Raw}, stamp: &tsp.InProcess{Authority: r, Anchors: []*x509.Certificate{lower}, Clock: time.Now}}
	store := pdf.ValidationData{Certs: [][]byte{upper.Raw, lower.Raw, tr.root.Raw}}
	alone := k.sign(t, contract(), true)
	whole := (&authority{}).add(t, alone, store)
	sealed := k.stamped(t, whole, "")
	for name, c := range map[string]struct {
		file []byte
		want validate.Verdict
	}{"nowhere": {alone, validate.Indeterminate}, "in the store": {whole, validate.Valid}, "and a document time-stamp": {sealed, validate.Valid}} {
		rep := look(t, c.file, tr.trust())
		if rep.Verdict != c.want || c.want == validate.Valid && (len(rep.Signatures[0].Chain) != 4 || !rep.Signatures[0].Stamps[0].Trusted) {
			t.Errorf("%s: %s %s %q", name, rep.Verdict, rep.Words(), rep.Signatures[0].Why)
		}
	}
	xml := k.signXML(t, invoice, "s1", false, true)
	values := "<xades:CertificateValues>"
	for _, c := range store.Certs {
		values += "<xades:EncapsulatedX509Certificate>" + base64.StdEncoding.EncodeToString(c) + "</xades:EncapsulatedX509Certificate>"
	}
	const end = "</xades:UnsignedSignatureProperties>"
	full := bytes.Replace(xml, []byte(end), []byte(values+"</xades:CertificateValues>"+end), 1)
	if rep := look(t, xml, tr.trust()); rep.Verdict != validate.Indeterminate {
		t.Errorf("XML without chain: %s", rep.Words())
	}
	if rep := look(t, full, tr.trust()); rep.Verdict != validate.Valid {
		t.Errorf("XML: %s %q", rep.Words(), rep.Signatures[0].Why)
	}
	// A store of very many certificates of the right name changes nothing but costs.
	for range 60 {
		other := newKey(t)
		store.Certs = append([][]byte{tr.issue(t, authorityOf("Other "+strings.Repeat("x", len(store.Certs))), tr.root, other.Public(), tr.key).Raw}, store.Certs...)
	}
	if rep := look(t, (&authority{}).add(t, alone, store), tr.trust()); rep.Verdict != validate.Valid {
		t.Errorf("many certificates: %s", rep.Words())
	}
}
