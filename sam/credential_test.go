package sam_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// KEY-05, ENR-01, CRY-06: no key before the authenticator is enrolled, of a kind that is
// allowed, for a signer that exists.
func TestGenerateNeedsAnEnrolledSigner(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	if _, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p"}); err != nil {
		t.Fatal(err)
	}
	s := w.NewSigner("alice", algo.P256)
	for name, c := range map[string]struct {
		signer, kt, subject string
		want                sap.Reason
	}{
		"not enrolled":     {"carol", "P-256", "", sap.ReasonState},
		"unknown signer":   {"nobody", "P-256", "", sap.ReasonSignerUnknown},
		"unknown key type": {s.ID, "P-192", "", sap.ReasonAlgorithm},
		"bad subject":      {s.ID, "P-256", "CN", sap.ReasonInvalid},
		"unknown type":     {s.ID, "P-256", "CN=a,DC=b", sap.ReasonInvalid},
		"multi-valued":     {s.ID, "P-256", "CN=a+OU=b", sap.ReasonInvalid},
		"hex value":        {s.ID, "P-256", "CN=#0401", sap.ReasonInvalid},
		"empty value":      {s.ID, "P-256", "CN=", sap.ReasonText},
		"direction marks":  {s.ID, "P-256", "CN=\u202eeve", sap.ReasonText},
		"trailing comma":   {s.ID, "P-256", "CN=a,", sap.ReasonInvalid},
		"dangling escape":  {s.ID, "P-256", `CN=a\`, sap.ReasonInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			uses := w.Token.Uses()
			_, err := w.M.Generate(ctx, samtest.Officer, c.signer, c.kt, c.subject)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if w.Token.Uses() != uses {
				t.Error("a key was used")
			}
		})
	}
	w.Clock.Set(time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC))
	if _, err := w.M.Generate(ctx, samtest.Officer, s.ID, "RSA-2048", ""); !errors.Is(err, sap.ReasonAlgorithm) {
		t.Errorf("RSA-2048 in 2029 (CRY-01): %v", err)
	}
}

// I1, KEY-07: a key is used once before its certificate is linked, over the
// request that the module composed; the record of its generation names that
// digest and the generation test.
func TestProofOfPossessionIsTheOnlyUse(t *testing.T) {
	w := samtest.New(t)
	s := &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	w.Enrol(s)
	cred, err := w.M.Generate(context.Background(), samtest.Officer, s.ID, "P-256", `CN=Signer alice,O=Alice \2C Example,C=AT`)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(cred.CSR)
	if err != nil || csr.CheckSignature() != nil || csr.Subject.CommonName != "Signer alice" || csr.Subject.Organization[0] != "Alice , Example" || csr.Subject.Country[0] != "AT" {
		t.Fatalf("%v, %v", csr.Subject, err)
	}
	sum := sha256.Sum256(csr.RawTBSCertificateRequest)
	log := w.Token.Log()
	if len(log) != 1 || len(log[0].Digests) != 1 || string(log[0].Digests[0]) != string(sum[:]) {
		t.Errorf("key uses %v", log)
	}
	var rec struct {
		PoP  string `json:"pop_digest"`
		Test string `json:"generation_test"`
	}
	recs := w.Records()
	if err := json.Unmarshal([]byte(recs[len(recs)-1].Data), &rec); err != nil || rec.PoP != sap.B64(sum[:]) || rec.Test == "" {
		t.Errorf("%+v, %v", recs[len(recs)-1], err)
	}
	refused(t, w, sap.ReasonKeyState, func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: cred.Key, N: 1})
		return err
	})
	w.Check()
}

// KEY-08, KEY-03, ENR-02: certificates that are not linked.
func TestCertificatesThatAreRefused(t *testing.T) {
	w := samtest.New(t)
	s := &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	w.Enrol(s)
	ctx := context.Background()
	cred, err := w.M.Generate(ctx, samtest.Officer, s.ID, "P-256", "")
	if err != nil {
		t.Fatal(err)
	}
	now := w.Clock.Now()
	issue := func(change func(*x509.Certificate)) [][]byte {
		return [][]byte{w.CA.Issue(t, cred.CSR, now, change).Raw, w.CA.Cert.Raw}
	}
	otherCA := samtest.NewCA(t)
	for name, c := range map[string]struct {
		chain [][]byte
		want  sap.Reason
	}{
		"empty":           {nil, sap.ReasonCertLink},
		"garbage":         {[][]byte{{1, 2, 3}}, sap.ReasonCertLink},
		"too many":        {make([][]byte, 9), sap.ReasonCertLink},
		"too large":       {[][]byte{make([]byte, 17<<10)}, sap.ReasonTooLarge},
		"for another key": {[][]byte{certFor(t, w, newKey(), pkix.Name{CommonName: "Signer alice"}), w.CA.Cert.Raw}, sap.ReasonCertLink},
		"other subject":   {issue(func(c *x509.Certificate) { c.RawSubject, c.Subject = nil, pkix.Name{CommonName: "Mallory"} }), sap.ReasonCertLink},
		"more subject": {issue(func(c *x509.Certificate) {
			c.RawSubject, c.Subject = nil, pkix.Name{CommonName: "Signer alice", Country: []string{"AT"}}
		}), sap.ReasonCertLink},
		"not yet valid": {issue(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) }), sap.ReasonCertLink},
		"expired":       {issue(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }), sap.ReasonCertLink},
		"a CA": {issue(func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
		}), sap.ReasonCertLink},
		"no signing usage": {issue(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), sap.ReasonCertLink},
		"foreign issuer":   {[][]byte{issue(nil)[0], otherCA.Cert.Raw}, sap.ReasonCertLink},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w, c.want, func() error {
				_, err := w.M.LinkCertificate(ctx, samtest.Officer, cred.Key, c.chain)
				return err
			})
		})
	}
	if _, err := w.M.LinkCertificate(ctx, samtest.Officer, cred.Key, issue(nil)); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonState, func() error { // once
		_, err := w.M.LinkCertificate(ctx, samtest.Officer, cred.Key, issue(nil))
		return err
	})
	rsa, err := w.M.Generate(ctx, samtest.Officer, s.ID, "RSA-2048", "")
	if err != nil {
		t.Fatal(err)
	}
	long := w.CA.Issue(t, rsa.CSR, now, func(c *x509.Certificate) { c.NotAfter = now.AddDate(5, 0, 0) })
	refused(t, w, sap.ReasonCertLink, func() error {
		_, err := w.M.LinkCertificate(ctx, samtest.Officer, rsa.Key, [][]byte{long.Raw, w.CA.Cert.Raw})
		return err
	})
}

func certFor(t *testing.T, w *samtest.World, key *ecdsa.PrivateKey, subject pkix.Name) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(5), Subject: subject, KeyUsage: x509.KeyUsageContentCommitment,
		NotBefore: w.Clock.Now().Add(-time.Hour), NotAfter: w.Clock.Now().Add(time.Hour),
	}, w.CA.Cert, key.Public(), w.CA.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// ENR-02: a CA may re-encode the same text; the name is still the same.
func TestSubjectStringTypeMayChange(t *testing.T) {
	w := samtest.New(t)
	s := &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	w.Enrol(s)
	ctx := context.Background()
	cred, err := w.M.Generate(ctx, samtest.Officer, s.ID, "P-256", "CN=Signer alice")
	if err != nil {
		t.Fatal(err)
	}
	utf8Name := append([]byte{0x30, 0x17, 0x31, 0x15, 0x30, 0x13, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x0c}, "Signer alice"...)
	cert := w.CA.Issue(t, cred.CSR, w.Clock.Now(), func(c *x509.Certificate) { c.RawSubject = utf8Name })
	if _, err := w.M.LinkCertificate(ctx, samtest.Officer, cred.Key, [][]byte{cert.Raw, w.CA.Cert.Raw}); err != nil {
		t.Error(err)
	}
}

// Raw digests: permission of the credential and of the policy, both, and never
// under "qualified"; the receipt says that the content was not shown.
func TestRawPermission(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	ctx := context.Background()
	raw := func(policy string) func() ([]byte, error) {
		req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Policy: policy})
		sum := sha256.Sum256([]byte("unseen"))
		full, err := s.Device.SAD(req, []sap.Item{sap.NewRawItem(0, "digest", algo.ES256, sum[:])})
		if err != nil {
			t.Fatal(err)
		}
		sad, proof, err := s.Device.Sign(full)
		if err != nil {
			t.Fatal(err)
		}
		return func() ([]byte, error) { return w.Redeem(sad, proof) }
	}
	for _, p := range []string{"standard", "bulk", sam.PolicyQualified} {
		redeem := raw(p)
		refused(t, w, sap.ReasonRaw, func() error { _, err := redeem(); return err })
	}
	w.Decide(sam.DecideRaw, sam.RawPermission{Key: s.Key, Raw: true})
	for _, p := range []string{"standard", sam.PolicyQualified} {
		redeem := raw(p)
		refused(t, w, sap.ReasonRaw, func() error { _, err := redeem(); return err })
	}
	answer, err := raw("bulk")()
	if err != nil {
		t.Fatal(err)
	}
	if _, r := w.Decode(answer); r.Items[0].Shown {
		t.Error("the receipt says that a raw digest was shown")
	}
	if _, err := w.M.SetRaw(ctx, samtest.Officer, s.Key, false); err != nil {
		t.Fatal(err)
	}
	redeem := raw("bulk")
	refused(t, w, sap.ReasonRaw, func() error { _, err := redeem(); return err })
}

// KPR-07, KPR-08: a destroyed key is gone from the database, for ever.
func TestDestroyedKeys(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	ctx := context.Background()
	db := dba(t, w)
	var blob []byte
	if err := db.QueryRow("SELECT blob FROM credential WHERE key = ?", s.Key).Scan(&blob); err != nil || len(blob) < 32 {
		t.Fatal(err)
	}
	if err := w.Destroy(s.Key); err != nil {
		t.Fatal(err)
	}
	var left []byte
	if err := db.QueryRow("SELECT blob FROM credential WHERE key = ?", s.Key).Scan(&left); err != nil || len(left) != 0 {
		t.Errorf("%d bytes of the wrapped key are left (%v)", len(left), err)
	}
	for name, call := range map[string]func() error{
		"request": func() error {
			_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { refused(t, w, sap.ReasonKeyState, call) })
	}
	for name, call := range map[string]func() error{
		"link again":    func() error { _, err := w.M.LinkCertificate(ctx, samtest.Officer, s.Key, s.Chain); return err },
		"permit raw":    func() error { _, err := w.M.SetRaw(ctx, samtest.Officer, s.Key, false); return err },
		"destroy again": func() error { return w.Destroy(s.Key) },
	} {
		t.Run(name, func(t *testing.T) { refused(t, w, sap.ReasonState, call) })
	}
	w.Check()
}

// SAP-11, KEY-04 of P-521: other key kinds go the whole way too.
func TestOtherKeyKinds(t *testing.T) {
	w := samtest.New(t)
	s := &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.Device.Key = k
	w.Enrol(s)
	for _, c := range []struct {
		kt   algo.KeyType
		algs []string
	}{{algo.P521, []string{"ES512"}}, {algo.RSA2048, []string{"RS256", "PS384", "PS512"}}} {
		w.NewKey(s, c.kt)
		for _, a := range c.algs {
			req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 2, Alg: a})
			full, err := s.Device.SAD(req, s.Items(t, req, 2))
			if err != nil {
				t.Fatal(err)
			}
			sad, proof, err := s.Device.Sign(full)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := w.Redeem(sad, proof)
			if err != nil {
				t.Fatalf("%s with %s: %v", c.kt, a, err)
			}
			w.Decode(answer)
		}
	}
}
