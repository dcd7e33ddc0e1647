package demopki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/revocation"
)

// DefaultValidity is how long a statement is current.
const DefaultValidity = time.Hour

// ErrConfig is returned for a CA that cannot be answered for.
var ErrConfig = errors.New("demopki: the demo CA names no base URL, or somebody else records what it issues")

// ErrUnknownCertificate is returned for a certificate that the CA did not issue, or
// that the database does not know.
var ErrUnknownCertificate = errors.New("demopki: certificate is not one of this CA")

const (
	rootIssuer    = "root"
	issuingIssuer = "issuing"
)

// Config configures an Authority.
type Config struct {
	// Path is the file of the database; empty keeps it in memory.
	Path string
	// Clock tells the time of statements; nil means time.Now.
	Clock func() time.Time
	// Validity of statements; zero means DefaultValidity.
	Validity time.Duration
}

// Authority is a demo CA that tells what became of its certificates. It is safe for
// concurrent use.
type Authority struct {
	ca       *certs.DemoCA
	clock    func() time.Time
	validity time.Duration

	root, issuing, responder *pkix.Certificate
	responderKey             crypto.Signer

	mu    sync.Mutex
	store *store
	lists int64 // numbers given to lists
}

// New opens the database and begins to record what the CA issues. The CA must have a
// base URL and no other recorder.
func New(ca *certs.DemoCA, cfg Config) (*Authority, error) {
	if ca.Base() == "" || ca.Issued != nil {
		return nil, ErrConfig
	}
	a := &Authority{ca: ca, clock: cfg.Clock, validity: cfg.Validity}
	if a.clock == nil {
		a.clock = time.Now
	}
	if a.validity <= 0 {
		a.validity = DefaultValidity
	}
	var err error
	if a.store, err = openStore(cfg.Path); err != nil {
		return nil, err
	}
	if a.root, err = pkix.Parse(ca.Root.Raw); err != nil {
		return nil, err
	}
	if a.issuing, err = pkix.Parse(ca.Issuing.Raw); err != nil {
		return nil, err
	}
	if err := a.record(a.issuing); err != nil {
		return nil, err
	}
	ca.Issued = func(c *x509.Certificate) error {
		parsed, err := pkix.Parse(c.Raw)
		if err != nil {
			return err
		}
		return a.record(parsed)
	}
	return a, a.makeResponder()
}

// makeResponder issues a delegated responder's certificate for the issuing CA. It is
// made anew at each start; the root answers for itself.
func (a *Authority) makeResponder() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	chain, err := a.ca.IssueKey(key, certs.DemoRequest{Profile: certs.OCSPProfile, CommonName: "OCSP responder"})
	if err != nil {
		return err
	}
	a.responderKey = key
	a.responder, err = pkix.Parse(chain[0])
	return err
}

// numberOf names a certificate in the database.
func (a *Authority) numberOf(c *pkix.Certificate) (number, error) {
	switch {
	case c.CheckIssuedBy(a.issuing) == nil:
		return number{issuingIssuer, c.Serial}, nil
	case c.CheckIssuedBy(a.root) == nil:
		return number{rootIssuer, c.Serial}, nil
	}
	return number{}, fmt.Errorf("%w: %s", ErrUnknownCertificate, c)
}

func (a *Authority) record(c *pkix.Certificate) error {
	n, err := a.numberOf(c)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.store.records[n]; known {
		return nil
	}
	return a.store.add(n, revocation.Record{})
}

// Revoke revokes a certificate (DER) from now on. Revoking it again changes nothing:
// the first time and reason stay.
func (a *Authority) Revoke(cert []byte, reason revocation.Reason) error {
	c, err := pkix.Parse(cert)
	if err != nil {
		return err
	}
	n, err := a.numberOf(c)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	rec, known := a.store.records[n]
	if !known {
		return fmt.Errorf("%w: %s", ErrUnknownCertificate, c)
	}
	if rec.Revoked {
		return nil
	}
	return a.store.add(n, revocation.Record{Revoked: true, At: a.clock().UTC().Truncate(time.Second), Reason: reason})
}

func (a *Authority) lookup(issuer string) func(string) (revocation.Record, bool) {
	return func(serial string) (revocation.Record, bool) {
		a.mu.Lock()
		defer a.mu.Unlock()
		rec, known := a.store.records[number{issuer, serial}]
		return rec, known
	}
}

// Handler serves OCSP (POST), lists and the CA's certificates (GET) under the paths
// of package certs; a base URL with a path of its own needs http.StripPrefix.
func (a *Authority) Handler() http.Handler {
	rootKey, _ := a.ca.Keys()
	ofRoot := &revocation.Responder{Issuer: a.root, Certificate: a.root, Key: rootKey, Lookup: a.lookup(rootIssuer), Clock: a.clock, Validity: a.validity}
	ofIssuing := &revocation.Responder{Issuer: a.issuing, Certificate: a.responder, Key: a.responderKey, Lookup: a.lookup(issuingIssuer), Clock: a.clock, Validity: a.validity}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+certs.DemoOCSPRoot, ocsp(ofRoot))
	mux.HandleFunc("POST "+certs.DemoOCSPIssuing, ocsp(ofIssuing))
	mux.HandleFunc("GET "+certs.DemoCRLRoot, a.list(rootIssuer))
	mux.HandleFunc("GET "+certs.DemoCRLIssuing, a.list(issuingIssuer))
	mux.HandleFunc("GET "+certs.DemoCertRoot, serve("application/pkix-cert", a.root.Raw))
	mux.HandleFunc("GET "+certs.DemoCertIssuing, serve("application/pkix-cert", a.issuing.Raw))
	return mux
}

func ocsp(r *revocation.Responder) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		in, err := io.ReadAll(http.MaxBytesReader(w, req.Body, revocation.MaxRequest))
		if err != nil {
			http.Error(w, "request is too large", http.StatusRequestEntityTooLarge)
			return
		}
		serve("application/ocsp-response", r.Respond(in))(w, req)
	}
}

func serve(mediaType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = w.Write(body)
	}
}

func (a *Authority) list(issuer string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		der, err := a.List(issuer == rootIssuer)
		if err != nil {
			http.Error(w, "no list", http.StatusInternalServerError)
			return
		}
		serve("application/pkix-crl", der)(w, req)
	}
}

// List makes the list of the issuing CA, or of the root, as of now (DER).
func (a *Authority) List(ofRoot bool) ([]byte, error) {
	rootKey, issuingKey := a.ca.Keys()
	issuer, signer, key := issuingIssuer, a.ca.Issuing, issuingKey
	if ofRoot {
		issuer, signer, key = rootIssuer, a.ca.Root, rootKey
	}
	now := a.clock().UTC().Truncate(time.Second)
	a.mu.Lock()
	// The time, and a counter below it: numbers rise (section 5.2.3) over a restart too.
	a.lists++
	t := &x509.RevocationList{
		Number:     new(big.Int).Add(new(big.Int).Lsh(big.NewInt(now.Unix()), 32), big.NewInt(a.lists)),
		ThisUpdate: now, NextUpdate: now.Add(a.validity),
	}
	for n, rec := range a.store.records {
		if n.issuer == issuer && rec.Revoked {
			t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{
				SerialNumber: new(big.Int).SetBytes([]byte(n.serial)), RevocationTime: rec.At, ReasonCode: int(rec.Reason),
			})
		}
	}
	a.mu.Unlock()
	slices.SortFunc(t.RevokedCertificateEntries, func(x, y x509.RevocationListEntry) int { return x.SerialNumber.Cmp(y.SerialNumber) })
	return x509.CreateRevocationList(rand.Reader, t, signer, key)
}
