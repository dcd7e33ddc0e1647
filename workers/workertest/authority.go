package workertest

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"

	"golang.org/x/crypto/ocsp"
)

// Authority is a root and an issuing CA that also say what they revoked: by OCSP
// about what the issuing CA issued, by a CRL about the issuing CA. The standard
// library and golang.org/x/crypto make its answers, not internal/demopki, so that ours
// is not only tried with itself; and it can be silent, and wrong about the time.
type Authority struct {
	*PKI
	Server *httptest.Server
	// Skew is added to the times of statements.
	Skew time.Duration
	// Silent makes OCSP answer with an error, and no CRL is found.
	Silent bool
	// Asked counts how often the issuing certificate was fetched.
	Asked int
	// Reason is why it revokes; zero means because of a stolen key.
	Reason int
	// Life is how long the certificates are valid that are issued from now on; zero means a day.
	Life time.Duration

	root, issuing       *x509.Certificate
	rootKey, issuingKey crypto.Signer
	mu                  sync.Mutex
	revoked             map[string]time.Time
	serial              int64
}

// NewAuthority makes an authority with an empty software token.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{PKI: NewPKI(t), revoked: map[string]time.Time{}, serial: 1}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Server.Close)
	key := func() crypto.Signer {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a.rootKey, a.issuingKey = key(), key()
	ca := func(name string) *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: "DEMO " + name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	}
	a.root = a.issue(t, ca("Root"), nil, a.rootKey.Public(), a.rootKey)
	issuing := ca("Issuing")
	issuing.CRLDistributionPoints = []string{a.Server.URL + "/root.crl"}
	a.issuing = a.issue(t, issuing, a.root, a.issuingKey.Public(), a.rootKey)
	if err := os.WriteFile(a.Root, certs.EncodePEM(a.root.Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *Authority) issue(t testing.TB, c, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	a.serial++
	life := a.Life
	if life == 0 {
		life = 24 * time.Hour
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(a.serial), time.Now().Add(-time.Hour), time.Now().Add(life)
	if parent == nil {
		parent = c
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Key makes a named key with a certificate and returns its chain and its file.
func (a *Authority) Key(t testing.TB, label string, kt algo.KeyType, profile certs.Profile) (cryptotoken.Signer, [][]byte, string) {
	t.Helper()
	s, err := a.Token.(cryptotoken.Named).CreateKey(context.Background(), cryptotoken.KeyRef{Label: label}, kt)
	if err != nil {
		t.Fatal(err)
	}
	chain, file := a.Certify(t, label, s.Public(), profile)
	return s, chain, file
}

// Certify gives a key that somebody else holds a certificate.
func (a *Authority) Certify(t testing.TB, label string, pub crypto.PublicKey, profile certs.Profile) (chain [][]byte, file string) {
	t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "DEMO " + label}, OCSPServer: []string{a.Server.URL + "/ocsp"}, IssuingCertificateURL: []string{a.Server.URL + "/issuing.cer"}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment}
	if profile == certs.TSAProfile {
		c.KeyUsage = x509.KeyUsageDigitalSignature
		purpose, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
		if err != nil {
			t.Fatal(err)
		}
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: purpose}}
	}
	chain = [][]byte{a.issue(t, c, a.issuing, pub, a.issuingKey).Raw, a.issuing.Raw}
	file = filepath.Join(a.dir, label+".pem")
	if err := os.WriteFile(file, certs.EncodePEM(chain...), 0o600); err != nil {
		t.Fatal(err)
	}
	return chain, file
}

// Revoke revokes a certificate as of a time.
func (a *Authority) Revoke(t testing.TB, der []byte, at time.Time) {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revoked[c.SerialNumber.String()] = at
}

func (a *Authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []byte
	var err error
	switch {
	case a.Silent:
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	case r.URL.Path == "/root.crl":
		w.Header().Set("Content-Type", "application/pkix-crl")
		out, err = a.list()
	case r.URL.Path == "/issuing.cer":
		a.Asked++
		w.Header().Set("Content-Type", "application/pkix-cert")
		out = a.issuing.Raw
	default:
		w.Header().Set("Content-Type", "application/ocsp-response")
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		out, err = a.answer(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = io.Copy(w, bytes.NewReader(out))
}

func (a *Authority) list() ([]byte, error) {
	now := time.Now().Add(a.Skew)
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
	if at, ok := a.revoked[a.issuing.SerialNumber.String()]; ok {
		list.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: a.issuing.SerialNumber, RevocationTime: at}}
	}
	return x509.CreateRevocationList(rand.Reader, list, a.root, a.rootKey)
}

// List is a CRL of the issuing CA, which no certificate names, as it is made in a while and with
// what was revoked until now. It is for an hour.
func (a *Authority) List(t testing.TB, in time.Duration) []byte {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now().Add(in)
	list := &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now, NextUpdate: now.Add(time.Hour)}
	for serial, at := range a.revoked {
		n, _ := new(big.Int).SetString(serial, 10)
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: at, ReasonCode: ocsp.KeyCompromise})
	}
	out, err := x509.CreateRevocationList(rand.Reader, list, a.issuing, a.issuingKey)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (a *Authority) answer(body []byte) ([]byte, error) {
	req, err := ocsp.ParseRequest(body)
	if err != nil {
		return nil, err
	}
	now := time.Now().Add(a.Skew)
	res := ocsp.Response{SerialNumber: req.SerialNumber, IssuerHash: req.HashAlgorithm, Status: ocsp.Good, ThisUpdate: now, NextUpdate: now.Add(time.Hour)}
	if at, ok := a.revoked[req.SerialNumber.String()]; ok {
		res.Status, res.RevokedAt, res.RevocationReason = ocsp.Revoked, at, cmp.Or(a.Reason, ocsp.KeyCompromise)
	}
	return ocsp.CreateResponse(a.issuing, a.issuing, res, a.issuingKey)
}
