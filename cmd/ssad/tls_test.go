package main

import (
	"crypto/elliptic"
	"crypto/tls"
	"net"
	"testing"

	"github.com/assent-sign/assent/sam/samtest"
)

// CHN-01: the application's origin, which relays between signer and module,
// speaks TLS 1.3 and nothing older.
func TestCHN01NoOlderTLS(t *testing.T) {
	f := samtest.NewPKI(t, t.TempDir()).Issue("ssad", "", elliptic.P256())
	var c Config
	c.TLS.Cert, c.TLS.Key = f.Cert, f.Key
	server, err := c.tls()
	if err != nil {
		t.Fatal(err)
	}
	for version, ok := range map[uint16]bool{tls.VersionTLS13: true, tls.VersionTLS12: false, tls.VersionTLS11: false, tls.VersionTLS10: false} {
		a, b := net.Pipe()
		go func() {
			_ = tls.Server(a, server).Handshake()
			_ = a.Close()
		}()
		// Whom it trusts is not the question here.
		err := tls.Client(b, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version}).Handshake()
		_ = b.Close()
		if (err == nil) != ok {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}
