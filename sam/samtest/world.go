// Package samtest is a whole signature activation module for tests: SQLite in a
// temporary folder, a softtoken that counts every key use, a clock that stands
// still, a small CA, and authenticators. Store and token can be made to fail in
// pairs ("failed and not done", "failed but done"), and Check looks at the whole
// world after every step.
package samtest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sap"
)

// Names of the world.
const (
	Origin  = "http://localhost:8441"
	RPID    = "localhost"
	Cluster = "test"
)

// Callers of the world.
var (
	SSPU    = caller("ssad-1", sam.RoleSSPU)
	Officer = caller("officer-1", sam.RoleOfficer)
	Second  = caller("officer-2", sam.RoleOfficer)
	Auditor = caller("auditor-1", sam.RoleAuditor)
	RA      = caller("ra-1", sam.RoleRA)
	Admin   = caller("admin-1", sam.RoleAdmin)
	Watch   = caller("operator-1", sam.RoleOperator)
)

// World is a module and everything around it.
type World struct {
	T     testing.TB
	Dir   string
	Clock *clock.Fake
	Token *Token
	Store *Store
	M     *sam.Module
	CA    *CA
	Time  *Time      // a second source of time; production has it
	Cfg   sam.Config // as given to Open; change it before Reopen
}

// New opens a fresh module.
func New(t testing.TB, change ...func(*sam.Config)) *World {
	t.Helper()
	w := &World{T: t, Dir: t.TempDir(), Clock: clock.NewFake(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)), CA: NewCA(t), Time: &Time{}}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	soft, err := softtoken.Open(softtoken.Config{
		Dir: filepath.Join(w.Dir, "token"), PIN: []byte("test-pin"), Profile: "development", Create: true, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = soft.Close() })
	w.Token = &Token{Full: soft}
	w.Cfg = sam.Config{
		Cluster: Cluster, Token: w.Token, AnchorPath: filepath.Join(w.Dir, "anchor"), Backups: w.Dir, Origin: Origin, RPID: RPID, Ceremony: []byte("of New"),
		Clock: w.Clock, Log: quiet, LockoutLimit: 3, ConfirmEvery: time.Hour, WrongCodes: 3, AnchorEvery: time.Hour, ResealEvery: -1,
		Policies: []sam.Policy{
			{ID: "standard", MaxItems: 10, Lifetime: 5 * time.Minute},
			{ID: "bulk", MaxItems: 1000, Lifetime: 5 * time.Minute, Raw: true},
			{ID: sam.PolicyQualified, MaxItems: 1, Lifetime: 5 * time.Minute},
		},
	}
	w.Cfg.Program = filepath.Join(w.Dir, "program") // each start hashes it
	if err := os.WriteFile(w.Cfg.Program, []byte("the program of "+Cluster), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Cfg.Alarms.Limits = map[string]sam.AlarmLimit{} // each is tested for itself
	for _, kind := range sam.AlarmKinds() {
		w.Cfg.Alarms.Limits[kind] = sam.AlarmLimit{Count: -1}
	}
	document := w.Cfg.Ceremony
	for _, f := range change {
		f(&w.Cfg)
	}
	if w.Cfg.Production && w.Cfg.TimeSources == nil {
		w.Cfg.TimeSources, w.Cfg.ClockLoss = []clock.Source{w.Time}, 24*time.Hour
	}
	if bytes.Equal(document, w.Cfg.Ceremony) { // for the module that it is now
		if w.Cfg.Ceremony = Ceremony(t, w.Cfg.Cluster); w.Cfg.Production {
			w.Cfg.Ceremony = ProductionCeremony(t, w.Cfg.Cluster)
		}
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w.M != nil {
			_ = w.M.Close()
		}
	})
	return w
}

// DB is the path of the database file.
func (w *World) DB() string { return filepath.Join(w.Dir, "sam.db") }

// Open opens the module on the world's files.
func (w *World) Open() error {
	db, err := samsqlite.Open(samsqlite.Config{Path: w.DB()})
	if err != nil {
		return err
	}
	w.Store = &Store{Store: db}
	w.Cfg.Store = w.Store
	m, err := sam.Open(context.Background(), w.Cfg)
	if err != nil {
		return err
	}
	w.M = m
	return nil
}

// OpenAccepted opens the module and has both officers accept a changed
// configuration, if it is one.
func (w *World) OpenAccepted() error {
	if err := w.Open(); err != nil {
		return err
	}
	if args := w.Waits(sam.DecidePolicy); args != nil {
		_, err := w.Try(sam.DecidePolicy, args)
		return err
	}
	return nil
}

// Crash abandons the module as a kill would and opens it again.
func (w *World) Crash() {
	w.T.Helper()
	w.Stop()
	if err := w.Open(); err != nil {
		w.T.Fatalf("reopen after crash: %v", err)
	}
}

// Stop abandons the module; the caller opens it again.
func (w *World) Stop() {
	w.T.Helper()
	if err := w.M.Abandon(); err != nil {
		w.T.Fatal(err)
	}
	w.M = nil
}

// StatementKey is the module's public statement key.
func (w *World) StatementKey() *ecdsa.PublicKey {
	w.T.Helper()
	info, err := w.M.Info(context.Background(), SSPU)
	if err != nil {
		w.T.Fatal(err)
	}
	pub, err := x509.ParsePKIXPublicKey(info.StatementKey)
	if err != nil {
		w.T.Fatal(err)
	}
	return pub.(*ecdsa.PublicKey)
}

// Signer is an enrolled signer with an active key.
type Signer struct {
	ID     string
	Device *Device
	Key    string
	Cert   *x509.Certificate
	Chain  [][]byte
}

// NewSigner creates, enrols, generates and links.
func (w *World) NewSigner(id string, kt algo.KeyType) *Signer {
	w.T.Helper()
	s := &Signer{ID: id, Device: NewDevice(Origin, RPID)}
	w.Enrol(s)
	w.NewKey(s, kt)
	return s
}

// Enrol creates the signer and enrols its device.
func (w *World) Enrol(s *Signer) {
	w.T.Helper()
	ctx := context.Background()
	if _, err := w.M.CreateSigner(ctx, RA, sam.NewSigner{ID: s.ID, Name: "Signer " + s.ID, Proof: "proof-1"}); err != nil {
		w.T.Fatal(err)
	}
	code, err := w.M.OpenEnrolment(ctx, Officer, s.ID)
	if err != nil {
		w.T.Fatal(err)
	}
	req, err := w.M.BeginEnrolment(ctx, SSPU, code.ID)
	if err != nil {
		w.T.Fatal(err)
	}
	reg, err := s.Device.Register(w.StatementKey(), req, code.Code)
	if err != nil {
		w.T.Fatal(err)
	}
	if _, err := w.M.FinishEnrolment(ctx, SSPU, code.ID, reg); err != nil {
		w.T.Fatal(err)
	}
}

// NewKey generates a key and links a certificate.
func (w *World) NewKey(s *Signer, kt algo.KeyType) {
	w.T.Helper()
	ctx := context.Background()
	cred, err := w.M.Generate(ctx, Officer, s.ID, string(kt), "")
	if err != nil {
		w.T.Fatal(err)
	}
	s.Key, s.Cert = cred.Key, w.CA.Issue(w.T, cred.CSR, w.Clock.Now(), nil)
	s.Chain = [][]byte{s.Cert.Raw, w.CA.Cert.Raw}
	if _, err := w.M.LinkCertificate(ctx, Officer, s.Key, s.Chain); err != nil {
		w.T.Fatal(err)
	}
}

// Ask gets and opens an activation request under the default policy.
func (w *World) Ask(s *Signer, n int) *sap.ActivationRequest {
	w.T.Helper()
	return w.AskFor(SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: n})
}

// AskFor is Ask with every choice.
func (w *World) AskFor(c sam.Caller, in sam.Ask) *sap.ActivationRequest {
	w.T.Helper()
	signed, err := w.M.Request(context.Background(), c, in)
	if err != nil {
		w.T.Fatal(err)
	}
	req, err := sap.OpenActivationRequest(w.StatementKey(), signed)
	if err != nil {
		w.T.Fatal(err)
	}
	return req
}

// Items are n PAdES items of made-up documents for the signer's certificate.
func (s *Signer) Items(t testing.TB, req *sap.ActivationRequest, n int) []sap.Item {
	t.Helper()
	a, err := algo.Parse(req.Bind.Alg)
	if err != nil {
		t.Fatal(err)
	}
	items := make([]sap.Item, n)
	for i := range items {
		h := a.Hash().New()
		h.Write([]byte{byte(i), byte(i >> 8)})
		if items[i], err = sap.NewPAdESItem(i, "contract.pdf", a, h.Sum(nil), s.Cert.Raw); err != nil {
			t.Fatal(err)
		}
	}
	return items
}

// XMLItems are n items of kind xades, with every property, as a device composes them.
func (s *Signer) XMLItems(t testing.TB, req *sap.ActivationRequest, n int) []sap.Item {
	t.Helper()
	return s.XMLItemsOf(t, req, n, XAdES)
}

// XMLItemsOf is XMLItems with properties of the caller's choice.
func (s *Signer) XMLItemsOf(t testing.TB, req *sap.ActivationRequest, n int, properties func() sap.XAdES) []sap.Item {
	t.Helper()
	a, err := algo.Parse(req.Bind.Alg)
	if err != nil {
		t.Fatal(err)
	}
	items := make([]sap.Item, n)
	for i := range items {
		h := a.Hash().New()
		h.Write([]byte{byte(i), byte(i >> 8)})
		if items[i], err = sap.NewXAdESItem(i, "invoice.xml", a, h.Sum(nil), s.Cert.Raw, properties()); err != nil {
			t.Fatal(err)
		}
	}
	return items
}

// XAdES has every property of an XAdES signature that is over its whole document.
func XAdES() sap.XAdES {
	return sap.XAdES{
		ID: "sig-1f2e3d", Form: sap.XAdESEnveloped, Time: 1_800_000_000, MIME: "text/xml", Description: "Invoice 17 <final>",
		Commitments: []string{"http://uri.etsi.org/01903/v1.2.2#ProofOfOrigin"}, Roles: []string{"Buyer & payer"},
		Place:  sap.XAdESPlace{City: "Athens", Street: "1 Main St", State: "Attica", Postal: "105 57", Country: "GR"},
		Policy: sap.XAdESPolicy{ID: "urn:oid:1.2.3.4", Hash: "sha512", Digest: sap.B64(make([]byte, 64))},
	}
}

// XAdESBeside has every property of one that is over two elements of its document.
func XAdESBeside() sap.XAdES {
	x := XAdES()
	x.Form = sap.XAdESBeside
	x.Objects = &sap.XAdESObjects{Part: "offer", More: []sap.XAdESObject{{Name: "annex", Doc: sap.B64(make([]byte, 32)), MIME: "text/xml", Description: "Annex 1"}}}
	return x
}

// Approve asks for and approves n items: a valid SAD and proof.
func (w *World) Approve(s *Signer, n int) (sad, proof []byte) {
	w.T.Helper()
	req := w.Ask(s, n)
	full, err := s.Device.SAD(req, s.Items(w.T, req, n))
	if err != nil {
		w.T.Fatal(err)
	}
	if sad, proof, err = s.Device.Sign(full); err != nil {
		w.T.Fatal(err)
	}
	return sad, proof
}

// Redeem redeems as the SSPU.
func (w *World) Redeem(sad, proof []byte) ([]byte, error) {
	return w.M.Redeem(context.Background(), SSPU, sad, proof, []byte("[]"))
}

// Answer is a decoded answer of Redeem.
type Answer struct {
	Signatures [][]byte          `json:"signatures"`
	Receipt    sap.SignedReceipt `json:"receipt"`
}

// Decode reads an answer and verifies its receipt and everything in it.
func (w *World) Decode(answer []byte) (*Answer, *sap.Receipt) {
	w.T.Helper()
	var a Answer
	if err := json.Unmarshal(answer, &a); err != nil {
		w.T.Fatal(err)
	}
	r, err := sap.OpenReceipt(w.StatementKey(), a.Receipt)
	if err != nil {
		w.T.Fatal(err)
	}
	if _, err := r.VerifyEvidence(); err != nil {
		w.T.Fatal(err)
	}
	return &a, r
}

// Records returns the whole audit chain, verified.
func (w *World) Records() []audit.Record {
	w.T.Helper()
	var out []audit.Record
	err := w.Store.View(context.Background(), func(tx *sam.Tx) error {
		for from := int64(0); ; {
			page, err := tx.Audit.Page(from, 500)
			if err != nil || len(page) == 0 {
				return err
			}
			out = append(out, page...)
			from = page[len(page)-1].Seq + 1
		}
	})
	if err != nil {
		w.T.Fatal(err)
	}
	_, err = audit.Verify(func(yield func(audit.Record, error) bool) {
		for _, r := range out {
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return out
}

// Check looks at the whole world: the chain verifies (I5), every key use has an
// earlier intent record with equal digests or is a proof of possession (I1), and
// no session was reserved twice (I2).
func (w *World) Check() {
	w.T.Helper()
	intents, pops := map[string]int{}, map[string]int{}
	reserved := map[string]bool{}
	for _, r := range w.Records() {
		var d struct {
			Obj     string   `json:"obj"`
			Digests any      `json:"digests"`
			PoP     string   `json:"pop_digest"`
			List    []string `json:"-"`
		}
		if err := json.Unmarshal([]byte(r.Data), &d); err != nil {
			w.T.Fatal(err)
		}
		switch r.Type {
		case sam.EventReserved:
			if reserved[d.Obj] {
				w.T.Errorf("I2: %s was reserved twice", d.Obj)
			}
			reserved[d.Obj] = true
			list, _ := d.Digests.([]any)
			for _, v := range list {
				s, _ := v.(string)
				intents[s]++
			}
		case sam.EventKey:
			pops[d.PoP]++
		}
	}
	for _, u := range w.Token.Log() {
		for _, d := range u.Digests {
			switch k := sap.B64(d); {
			case intents[k] > 0:
				intents[k]--
			case pops[k] > 0:
				pops[k]--
			default:
				w.T.Errorf("I1: the key signed %s without an intent record", k)
			}
		}
	}
}

// CA is a small certification authority.
type CA struct {
	Key  *ecdsa.PrivateKey
	Cert *x509.Certificate
}

// NewCA makes one that is valid from 2025 to 2035.
func NewCA(t testing.TB) *CA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:  x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		NotBefore: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &CA{Key: key, Cert: cert}
}

// Issue certifies a PKCS#10 request for a year; change may alter the template.
func (ca *CA) Issue(t testing.TB, csr []byte, now time.Time, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		t.Fatal(err)
	}
	if err := req.CheckSignature(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(csr)
	tmpl := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(sum[:8]), RawSubject: req.RawSubject, KeyUsage: x509.KeyUsageContentCommitment,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), BasicConstraintsValid: true,
	}
	if change != nil {
		change(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.Cert, req.PublicKey, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// CopyFile copies a file, for tests that restore an old state.
func CopyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
