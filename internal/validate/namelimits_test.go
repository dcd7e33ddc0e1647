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
// also where its certificate does not say that this is critical; and for those it does, however it says it.
func TestADE03NamesThatAnAuthorityMayNotIssueFor(t *testing.T) {
	for _, critical := range []bool{false, true} {
		namesLimited(t, critical)
	}
}

func namesLimited(t *testing.T, critical bool) {
	t.Helper()
	tr, caKey := newTree(t), newKey(t)
	limited := authorityOf("Company CA")
	limited.ExtraExtensions = []pkix.Extension{namesWithin(t, "Company", critical)}
	ca := tr.issue(t, limited, tr.root, caKey.Public(), tr.key)
	of := func(organisation string, base *x509.Certificate, key crypto.Signer) *x509.Certificate {
		base.Subject.Organization = []string{organisation}
		return tr.issue(t, base, ca, key.Public(), caKey)
	}
	for organisation, want := range map[string]validate.SubIndication{"Company": "", "COMPANY": "", "Ministry": validate.ChainConstraintsFailure} {
		key := newKey(t)
		anna := of(organisation, person("Anna"), key)
		for form, file := range map[string][]byte{
			"PDF": signAs(t, contract(), key, anna, ca),
			"XML": (&kit{key: key, chain: [][]byte{anna.Raw, ca.Raw}}).signXML(t, invoice, "s1", false, false),
		} {
			rep := look(t, file, tr.trust())
			if rep.SubIndication != want || (rep.Verdict == validate.Valid) != (want == "") {
				t.Errorf("%s of %s, critical %t: %s %q", form, organisation, critical, rep.Words(), rep.Signatures[0].Why)
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
		if rep.Verdict != validate.Valid || (len(rep.Signatures[0].Warnings) == 0) != (want == "") || (rep.Signatures[0].Proven != nil) != (want == "") {
			t.Errorf("time-stamp of %s, critical %t: %s %q", organisation, critical, rep.Words(), rep.Signatures[0].Why)
		}
	}
}

// ADE-03, RFC 5280, 7.1: an issuer's name is the same in another case, with other white space, and in another type of string; and not if it
// is another. The key must be the one that it says, too.
func TestADE03NamesAreComparedAsNames(t *testing.T) {
	tr, caKey := newTree(t), newKey(t)
	ca := tr.issue(t, authorityOf("Issuing CA"), tr.root, caKey.Public(), tr.key)
	for name, c := range map[string]struct {
		spelled string
		tag     int
		key     crypto.Signer
		want    validate.SubIndication
	}{
		"as it is":        {"Issuing CA", asn1.TagPrintableString, caKey, ""},
		"UTF-8":           {"Issuing CA", asn1.TagUTF8String, caKey, ""},
		"other case":      {"ISSUING ca", asn1.TagUTF8String, caKey, ""},
		"white space":     {" Issuing   CA ", asn1.TagUTF8String, caKey, ""},
		"another name":    {"Issuing CB", asn1.TagUTF8String, caKey, validate.NoCertificateChainFound},
		"somebody's name": {"issuing CA", asn1.TagUTF8String, newKey(t), validate.NoCertificateChainFound},
	} {
		spelled := *ca
		raw, err := asn1.Marshal(pkix.RDNSequence{{{Type: []int{2, 5, 4, 3}, Value: asn1.RawValue{Tag: c.tag, Bytes: []byte(c.spelled)}}}})
		must(t, err)
		spelled.RawSubject, spelled.PublicKey = raw, c.key.Public()
		key := newKey(t)
		anna := tr.issue(t, person("Anna"), &spelled, key.Public(), c.key)
		rep := look(t, signAs(t, contract(), key, anna, ca), tr.trust())
		if rep.SubIndication != c.want || (rep.Verdict == validate.Valid) != (c.want == "") {
			t.Errorf("%s: %s %q", name, rep.Words(), rep.Signatures[0].Why)
		}
	}
}
