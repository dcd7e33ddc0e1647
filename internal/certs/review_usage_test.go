package certs_test

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/certs"
)

// T12 (promise 3): a time-stamp authority's, a server's or a caller's key under a
// trusted root makes no signature of a person over a document.
func TestReviewOtherPurposesDoNotSignDocuments(t *testing.T) {
	ca := newCA(t, certs.DemoConfig{})
	for name, p := range map[string]certs.Profile{"TSA": certs.TSAProfile, "server": certs.TLSServerProfile, "caller": certs.TLSClientProfile} {
		c := issue(t, ca, certs.DemoRequest{Profile: p, DNSNames: []string{"localhost"}})
		_, err := certs.Verify(c[0], c[1:], []*x509.Certificate{ca.Root}, time.Now(), certs.Document)
		if !errors.Is(err, certs.ErrExtKeyUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]*x509.Certificate{
		"no purpose":     {KeyUsage: x509.KeyUsageContentCommitment},
		"e-mail, client": {ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection}},
		"any":            {ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}},
		"documents (RFC 9336)": {ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			UnknownExtKeyUsage: []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 36}}},
	} {
		if err := certs.CheckUsage(c, certs.Document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
