package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"
)

// A request that says DEMO itself gets exactly the subject that it asked for.
func TestDemoRequestSubjectKept(t *testing.T) {
	ca, err := NewDemoCA(DemoConfig{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, kept := range map[string]bool{"DEMO Anna": true, "Anna": false, "DEMOAnna": false} {
		csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name, Country: []string{"EU"}}}, key)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := ca.IssueSigner(csr, "")
		if err != nil {
			t.Fatal(err)
		}
		req, err := x509.ParseCertificateRequest(csr)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(chain[0])
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(cert.RawSubject, req.RawSubject) != kept || !strings.HasPrefix(cert.Subject.CommonName, DemoMark+" ") {
			t.Errorf("%s: certificate for %s", name, cert.Subject)
		}
	}
}
