package cms

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"math/big"
	"testing"
	"time"
)

// A certificate is parsed once, however often it is asked for, and is not changed by what becomes of the octets.
func TestACertificateIsParsedOnce(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	var c certCache
	first, err := c.parse(der)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.parse(bytes.Clone(der))
	if err != nil || again != first {
		t.Error("it was parsed twice", err)
	}
	want := bytes.Clone(der)
	clear(der)
	if !bytes.Equal(first.Raw, want) {
		t.Error("the certificate is in the caller's octets")
	}
	other := bytes.Clone(want)
	other[len(other)-1] ^= 1
	if got, err := c.parse(other); err == nil && got == first {
		t.Error("another certificate was given")
	}
	if _, err := c.parse([]byte("none")); err == nil {
		t.Error("what is no certificate was parsed")
	}
}

// The cache holds so many at most, and those that are in use stay.
func TestTheCacheOfCertificatesIsBounded(t *testing.T) {
	var c certCache
	used := &x509.Certificate{}
	key := func(n int) (k [32]byte) { binary.BigEndian.PutUint64(k[:], uint64(n)); return k }
	c.put(key(0), used)
	for n := 1; n < 1000; n++ {
		c.put(key(n), &x509.Certificate{})
		if c.get(key(0)) != used {
			t.Fatalf("one that is in use was forgotten after %d", n)
		}
		if len(c.young) > maxParsed || len(c.old) > maxParsed {
			t.Fatalf("%d and %d are kept", len(c.young), len(c.old))
		}
	}
	if c.get(key(1)) != nil {
		t.Error("one that nobody asked for is still kept")
	}
}
