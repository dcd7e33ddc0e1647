package certs_test

import (
	"crypto/x509"
	"encoding/binary"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/certs"
)

func named(n int, subject, issuer string) *x509.Certificate {
	return &x509.Certificate{Raw: binary.BigEndian.AppendUint32(make([]byte, 300), uint32(n)), RawSubject: []byte(subject), RawIssuer: []byte(issuer)}
}

// ADE-03: those who by their names can have issued a certificate, and who can have issued these, each once, nearest first.
func TestADE03IssuersByTheirNames(t *testing.T) {
	leaf, low, other, high, root := named(1, "leaf", "low"), named(2, "low", "high"), named(3, "low", "elsewhere"), named(4, "high", "root"), named(5, "root", "root")
	got := certs.Issuers([]*x509.Certificate{leaf, root}, []*x509.Certificate{named(6, "x", "root"), root, high, low, low, other, leaf})
	want := []*x509.Certificate{low, other, high}
	if len(got) != len(want) {
		t.Fatalf("%d: %v", len(got), got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %s", i, got[i].RawSubject)
		}
	}
}

// I9: certificates that all have one name, of which each by itself can have issued each, are looked at once.
func TestI9IssuersOfOneName(t *testing.T) {
	var list []*x509.Certificate
	for i := range 4000 {
		list = append(list, named(i, "n", "n"))
	}
	begin := time.Now()
	if got := certs.Issuers(list, list); len(got) != 0 {
		t.Errorf("%d", len(got))
	}
	if got := certs.Issuers(list[:1], list); len(got) != 50 {
		t.Errorf("%d", len(got))
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
