package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/sap/sapclient"
)

// "assent status" says when samd's certificates end, and which of this folder's do soon.
func TestStatusSaysWhatEnds(t *testing.T) {
	now := time.Now()
	var out bytes.Buffer
	list := []sapclient.CertificateEnd{
		{Use: "tls", Subject: "CN=samd", End: now.Add(10*24*time.Hour + time.Minute).Unix()},
		{Use: "caller_ca", Subject: "CN=ca", End: now.Add(1000 * 24 * time.Hour).Unix()},
		{Use: "caller_ca", Subject: "CN=old", End: now.Add(-time.Hour).Unix()},
	}
	if err := printEnds(&out, list, now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"certificate tls (CN=samd) ENDS IN 10 DAYS: ", "certificate caller_ca (CN=ca) ends ", "certificate caller_ca (CN=old) HAS ENDED: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
	s := &settings{dir: t.TempDir()}
	for name, life := range map[string]time.Duration{"soon.pem": 5 * 24 * time.Hour, "late.pem": 900 * 24 * time.Hour, "over.pem": -time.Hour} {
		cert := selfSigned(t, name, life)
		if err := os.WriteFile(filepath.Join(s.dir, name), certs.EncodePEM(cert.Certificate[0]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Officer.Cert, s.Auditor.Cert, s.RA.Cert, s.Operator.Cert = "soon.pem", "late.pem", "over.pem", "another-person-has-it.pem"
	if got := s.endingSoon(now); len(got) != 2 || got[0].Use != "officer" || got[1].Use != "ra" {
		t.Errorf("%+v", got)
	}
}
