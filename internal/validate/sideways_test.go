package validate_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// stored adds validation data to a file.
func stored(t *testing.T, file []byte, data pdf.ValidationData) []byte {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	must(t, err)
	tail, err := d.PlanDSS(data)
	must(t, err)
	return slices.Concat(file, tail)
}

// listOf is a CRL of whoever has the name and the key.
func listOf(t *testing.T, name *x509.Certificate, key crypto.Signer, ago time.Duration, revoked ...*x509.Certificate) []byte {
	t.Helper()
	issuer := *name
	issuer.KeyUsage, issuer.SubjectKeyId = x509.KeyUsageCRLSign, []byte("key")
	tpl := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-ago), NextUpdate: time.Now().Add(time.Hour)}
	for _, c := range revoked {
		tpl.RevokedCertificateEntries = append(tpl.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now().Add(-30 * time.Minute), ReasonCode: 1})
	}
	der, err := x509.CreateRevocationList(rand.Reader, tpl, &issuer, key)
	must(t, err)
	return der
}

// ADE-03: whether a certificate was revoked is asked along a path of those that may issue it. Else the holder of a trusted certificate
// that is of no authority, or of an authority of machines, certifies the key of an authority that was revoked, says of this certificate that it is
// good, and what the stolen key signs passes.
func TestADE03RevocationIsAskedAlongGoodPaths(t *testing.T) {
	tr := newTree(t)
	key, mine, his, other := newKey(t), newKey(t), newKey(t), newKey(t)
	between := tr.issue(t, authorityOf("Between"), tr.root, key.Public(), tr.key)
	leaf := tr.issue(t, person("Mallory"), between, mine.Public(), key)
	service := person("Service")
	service.KeyUsage = 0
	trusted := tr.issue(t, service, nil, his.Public(), his)
	servers := authorityOf("Servers")
	servers.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	machines := tr.issue(t, servers, tr.root, other.Public(), tr.key)
	younger := func() *x509.Certificate { // the younger of two is looked at first
		c := authorityOf("Between")
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
		return c
	}
	byService := tr.issue(t, younger(), trusted, key.Public(), his)
	byMachines := tr.issue(t, younger(), machines, key.Public(), other)
	signed := signAs(t, contract(), mine, leaf, between)
	good := [][]byte{listOf(t, between, key, time.Minute), listOf(t, tr.root, tr.key, time.Minute)}
	revoked := [][]byte{listOf(t, between, key, time.Minute), listOf(t, tr.root, tr.key, time.Minute, between)}
	for name, c := range map[string]struct {
		data  pdf.ValidationData
		valid bool
	}{
		"good":                        {pdf.ValidationData{CRLs: good}, true},
		"revoked":                     {pdf.ValidationData{CRLs: revoked}, false},
		"by a service":                {pdf.ValidationData{Certs: [][]byte{byService.Raw}, CRLs: append(revoked, listOf(t, trusted, his, time.Minute))}, false},
		"by an authority of machines": {pdf.ValidationData{Certs: [][]byte{machines.Raw, byMachines.Raw}, CRLs: append(revoked, listOf(t, machines, other, time.Minute))}, false},
		"good, and one by a service":  {pdf.ValidationData{Certs: [][]byte{byService.Raw}, CRLs: good}, true},
		"good, and one of machines'":  {pdf.ValidationData{Certs: [][]byte{machines.Raw, byMachines.Raw}, CRLs: good}, true},
	} {
		opt := validate.Options{Anchors: []*x509.Certificate{tr.root, trusted}, Revocation: validate.RevocationRequired}
		if rep := look(t, stored(t, signed, c.data), opt); (rep.Verdict == validate.Valid) != c.valid {
			t.Errorf("%s: %s, %+v", name, rep.Words(), rep.Signatures[0])
		}
	}
}

// RFC 5280, 6.3.3 (f): the list of an authority is signed by it, or by a key that it or one above it certified for that. Another authority of
// the same anchor certifies no key for it, by whatever name.
func TestADE03ListsByTheNameOfAnother(t *testing.T) {
	tr := newTree(t)
	key, mine, other, second := newKey(t), newKey(t), newKey(t), newKey(t)
	between := tr.issue(t, authorityOf("Between"), tr.root, key.Public(), tr.key)
	leaf := tr.issue(t, person("Mallory"), between, mine.Public(), key)
	servers := authorityOf("Servers")
	servers.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	machines := tr.issue(t, servers, tr.root, other.Public(), tr.key)
	lister := func(parent *x509.Certificate, by crypto.Signer) *x509.Certificate {
		c := person("Between")
		c.KeyUsage = x509.KeyUsageCRLSign
		return tr.issue(t, c, parent, second.Public(), by)
	}
	signed := signAs(t, contract(), mine, leaf, between)
	roots := []*x509.Certificate{lister(tr.root, tr.key), lister(between, key)}
	for name, c := range map[string]struct {
		certs []*x509.Certificate
		valid bool
	}{
		"by its own": {roots[1:], true}, "by the one above": {roots[:1], true}, "by another": {[]*x509.Certificate{machines, lister(machines, other)}, false},
	} {
		data := pdf.ValidationData{CRLs: [][]byte{listOf(t, between, second, time.Minute), listOf(t, tr.root, tr.key, time.Minute), listOf(t, machines, other, time.Minute)}}
		if !c.valid {
			data.CRLs = append(data.CRLs, listOf(t, between, key, time.Hour/2, leaf))
		}
		for _, cert := range c.certs {
			data.Certs = append(data.Certs, cert.Raw)
		}
		opt := tr.trust()
		opt.Revocation = validate.RevocationRequired
		if rep := look(t, stored(t, signed, data), opt); (rep.Verdict == validate.Valid) != c.valid {
			t.Errorf("%s: %s, %+v", name, rep.Words(), rep.Signatures[0])
		}
	}
}
