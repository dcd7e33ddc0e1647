package validate_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"crypto/rand"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-03, RFC 9608: a short-lived certificate that says that nothing will tell of its revocation needs no answer about it; one
// that says so and names where to ask, and an authority that says so, are not believed; and what tells of a
// revocation all the same counts.
func TestADE03CertificatesWithoutRevocation(t *testing.T) {
	tr := newTree(t)
	extension := func(value ...byte) []pkix.Extension {
		return []pkix.Extension{{Id: []int{2, 5, 29, 56}, Value: value}}
	}
	list := func(of ...*x509.Certificate) []byte {
		var entries []x509.RevocationListEntry
		for _, c := range of {
			entries = append(entries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)})
		}
		raw, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Second), NextUpdate: time.Now().Add(time.Hour), RevokedCertificateEntries: entries}, tr.root, tr.key)
		must(t, err)
		return raw
	}
	caKey := newKey(t)
	for name, c := range map[string]struct {
		edit func(leaf, ca *x509.Certificate)
		want validate.SubIndication
	}{
		"none":            {func(*x509.Certificate, *x509.Certificate) {}, validate.TryLater},
		"said":            {func(leaf, _ *x509.Certificate) { leaf.ExtraExtensions = extension(5, 0) }, ""},
		"of another form": {func(leaf, _ *x509.Certificate) { leaf.ExtraExtensions = extension(4, 0) }, validate.ChainConstraintsFailure},
		"and where to ask": {func(leaf, _ *x509.Certificate) {
			leaf.ExtraExtensions, leaf.OCSPServer = extension(5, 0), []string{"http://a.example"}
		}, validate.ChainConstraintsFailure},
		"and where lists are": {func(leaf, _ *x509.Certificate) {
			leaf.ExtraExtensions, leaf.CRLDistributionPoints = extension(5, 0), []string{"http://a.example"}
		}, validate.ChainConstraintsFailure},
		"said of an authority": {func(leaf, ca *x509.Certificate) {
			leaf.ExtraExtensions, ca.ExtraExtensions = extension(5, 0), extension(5, 0)
		}, validate.ChainConstraintsFailure},
	} {
		key := newKey(t)
		leaf, ca := person("Anna"), authorityOf("CA "+name)
		c.edit(leaf, ca)
		mid := tr.issue(t, ca, tr.root, caKey.Public(), tr.key)
		anna := tr.issue(t, leaf, mid, key.Public(), caKey)
		opt := tr.trust()
		opt.Revocation = validate.RevocationRequired
		file := (&authority{}).add(t, signAs(t, contract(), key, anna, mid), pdf.ValidationData{CRLs: [][]byte{list()}})
		rep := look(t, file, opt)
		if rep.SubIndication != c.want || (c.want == "") != strings.Contains(rep.Signatures[0].Revocation, "RFC 9608") {
			t.Errorf("%s: %s %q", name, rep.Words(), rep.Signatures[0].Revocation)
		}
	}
	key := newKey(t)
	leaf := person("Anna")
	leaf.ExtraExtensions = extension(5, 0)
	anna := tr.issue(t, leaf, tr.root, key.Public(), tr.key)
	bad := (&authority{}).add(t, signAs(t, contract(), key, anna), pdf.ValidationData{CRLs: [][]byte{list(anna)}})
	if rep := look(t, bad, tr.trust()); rep.SubIndication != validate.RevokedNoPOE {
		t.Errorf("revoked all the same: %s", rep.Words())
	}
}
