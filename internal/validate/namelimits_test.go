package validate_test

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
)

// namesWithin is the extension NameConstraints that permits names of one organisation (RFC 5280, 4.2.1.10).
func namesWithin(t *testing.T, organisation string, critical bool) pkix.Extension {
	t.Helper()
	name, err := asn1.Marshal(pkix.Name{Organization: []string{organisation}}.ToRDNSequence())
	must(t, err)
	tlv := func(tag byte, content []byte) []byte { return append([]byte{tag, byte(len(content))}, content...) }
	return pkix.Extension{Id: []int{2, 5, 29, 30}, Critical: critical, Value: tlv(0x30, tlv(0xa0, tlv(0x30, tlv(0xa4, name))))}
}

// ADE-03, EN 319 102-1, 5.2.6; RFC 5280, 6.1.3 (b): an authority that may issue for the names of one organisation vouches for nobody else,
// also where its certificate does not say that this is critical.
func TestADE03NamesThatAnAuthorityMayNotIssueFor(t *testing.T) {
	tr, caKey := newTree(t), newKey(t)
	limited := authorityOf("Company CA")
	limited.ExtraExtensions = []pkix.Extension{namesWithin(t, "Company", false)}
	ca := tr.issue(t, limited, tr.root, caKey.Public(), tr.key)
	of := func(organisation string, base *x509.Certificate, key crypto.Signer) *x509.Certificate {
		base.Subject.Organization = []string{organisation}
		return tr.issue(t, base, ca, key.Public(), caKey)
	}
	for organisation, want := range map[string]validate.SubIndication{"Company": "", "Ministry": validate.ChainConstraintsFailure} {
		key := newKey(t)
		anna := of(organisation, person("Anna"), key)
		for form, file := range map[string][]byte{
			"PDF": signAs(t, contract(), key, anna, ca),
			"XML": (&kit{key: key, chain: [][]byte{anna.Raw, ca.Raw}}).signXML(t, invoice, "s1", false, false),
		} {
			rep := look(t, file, tr.trust())
			if rep.SubIndication != want || (rep.Verdict == validate.Valid) != (want == "") {
				t.Errorf("%s of %s: %s %q", form, organisation, rep.Words(), rep.Signatures[0].Why)
			}
		}
		stampKey := newKey(t)
		stamps := person("TSA")
		stamps.KeyUsage, stamps.ExtraExtensions = x509.KeyUsageDigitalSignature, criticalStamping()
		tsa := of(organisation, stamps, stampKey)
		r := &tsp.Responder{Signer: stampKey, Alg: algo.ES256, Chain: [][]byte{tsa.Raw, ca.Raw}, Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Clock: time.Now}
		must(t, r.Check())
		bob := newKey(t)
		k := &kit{key: bob, chain: [][]byte{tr.issue(t, person("Bob"), tr.root, bob.Public(), tr.key).Raw}, stamp: &tsp.InProcess{Authority: r, Anchors: []*x509.Certificate{tsa}, Clock: time.Now}}
		rep := look(t, k.signXML(t, invoice, "s1", false, true), tr.trust())
		if (rep.Verdict == validate.Valid) != (want == "") || (rep.Signatures[0].Proven != nil) != (want == "") {
			t.Errorf("time-stamp of %s: %s %q", organisation, rep.Words(), rep.Signatures[0].Why)
		}
	}
}
