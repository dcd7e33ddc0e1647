package sam_test

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

var endOf2028 = time.Date(2028, 12, 31, 23, 59, 59, 0, time.UTC)

// KEY-03: a certificate that is valid beyond the end of every algorithm of its
// key is not linked, to the second; one that ends with them is.
func TestKEY03CertificateBeyondAlgorithmEnd(t *testing.T) {
	for name, c := range map[string]struct {
		profile string
		kt      algo.KeyType
		end     time.Time
		ok      bool
	}{
		"RSA-2048, last second":       {"", algo.RSA2048, endOf2028, true},
		"RSA-2048, one second more":   {"", algo.RSA2048, endOf2028.Add(time.Second), false},
		"RSA-3072 goes on with PSS":   {"", algo.RSA3072, endOf2028.AddDate(3, 0, 0), true},
		"P-256 has no end":            {"", algo.P256, endOf2028.AddDate(6, 0, 0), true},
		"RSA-3072 under ECCG":         {"eccg-2.0", algo.RSA3072, endOf2028.AddDate(3, 0, 0), true},
		"P-384 under ECCG has no end": {"eccg-2.0", algo.P384, endOf2028, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t, func(cfg *sam.Config) { cfg.CryptoProfile = c.profile })
			s := &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
			w.Enrol(s)
			cred, err := w.M.Generate(context.Background(), samtest.Officer, s.ID, string(c.kt), "")
			if err != nil {
				t.Fatal(err)
			}
			cert := w.CA.Issue(t, cred.CSR, w.Clock.Now(), func(x *x509.Certificate) { x.NotAfter = c.end })
			link := func() error {
				_, err := w.M.LinkCertificate(context.Background(), samtest.Officer, cred.Key, [][]byte{cert.Raw, w.CA.Cert.Raw})
				return err
			}
			if !c.ok {
				refused(t, w, sap.ReasonCertLink, link)
			} else if err := link(); err != nil {
				t.Error(err)
			}
		})
	}
}

// CRY-03: under the ECCG profile no legacy key is made and no legacy algorithm is
// offered or taken.
func TestCRY03ProfileOfNewDeployments(t *testing.T) {
	w := samtest.New(t, func(cfg *sam.Config) { cfg.CryptoProfile = "eccg-2.0" })
	s := w.NewSigner("alice", algo.RSA3072)
	ctx := context.Background()
	refused(t, w, sap.ReasonAlgorithm, func() error {
		_, err := w.M.Generate(ctx, samtest.Officer, s.ID, "RSA-2048", "")
		return err
	})
	refused(t, w, sap.ReasonAlgorithm, func() error {
		_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Alg: "RS256"})
		return err
	})
	if req := w.Ask(s, 1); req.Bind.Alg != "PS256" {
		t.Errorf("default %s", req.Bind.Alg)
	}
	list, err := w.M.Credentials(ctx, samtest.SSPU, s.ID, "")
	if err != nil || len(list) != 1 || len(list[0].Algs) != 3 || list[0].Algs[0] != "PS256" {
		t.Errorf("%+v, %v", list, err)
	}
}

// CRY-01, CRY-06: when the end comes, the clock alone stops keys: new keys, new
// requests, and approvals that were given a second before.
func TestCRY06ClockMovedPastTheEnd(t *testing.T) {
	w := samtest.New(t)
	w.Clock.Set(endOf2028.Add(-time.Hour))
	w.CA = samtest.NewCA(t)
	s := w.NewSigner("alice", algo.RSA3072) // its certificate is good: PSS goes on
	legacy := func(alg string) (sad, proof []byte) {
		req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Alg: alg})
		full, err := s.Device.SAD(req, s.Items(t, req, 1))
		if err != nil {
			t.Fatal(err)
		}
		if sad, proof, err = s.Device.Sign(full); err != nil {
			t.Fatal(err)
		}
		return sad, proof
	}
	w.Clock.Set(endOf2028)
	sad, proof := legacy("RS256")
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Fatalf("in the last second: %v", err)
	}
	sad, proof = legacy("RS256")
	w.Clock.Advance(time.Second)
	refused(t, w, sap.ReasonAlgorithm, func() error { _, err := w.Redeem(sad, proof); return err })
	refused(t, w, sap.ReasonAlgorithm, func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Alg: "RS512"})
		return err
	})
	sad, proof = legacy("") // the default is now PSS
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Error(err)
	}
}

// CRY-06: an operator ends an algorithm before its time by a date alone; the end
// of a broken one cannot be put off, and a table that says nonsense stays closed.
func TestCRY06EndBroughtForward(t *testing.T) {
	until := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	w := samtest.New(t, func(cfg *sam.Config) {
		cfg.AlgorithmEnds = []sam.AlgorithmEnd{{KeyType: "P-256", Alg: "ES256", Until: until}}
	})
	s := &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	w.Enrol(s)
	w.NewKey(s, algo.P384)
	if _, err := w.M.Generate(context.Background(), samtest.Officer, s.ID, "P-256", ""); err != nil {
		t.Fatal(err)
	}
	st, err := w.M.Status(context.Background(), samtest.Officer)
	if err != nil || len(st.Warnings) != 1 || st.Warnings[0] != "ES256 with P-256 ends on 2026-11-22" {
		t.Errorf("warnings %v, %v", st.Warnings, err)
	}
	w.Clock.Set(until)
	refused(t, w, sap.ReasonAlgorithm, func() error {
		_, err := w.M.Generate(context.Background(), samtest.Officer, s.ID, "P-256", "")
		return err
	})
	sad, proof := w.Approve(s, 1)
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Errorf("P-384 too: %v", err)
	}
	for _, bad := range []sam.AlgorithmEnd{{KeyType: "P-256", Alg: "ES384", Until: until}, {KeyType: "P-256", Alg: "EdDSA", Until: until}, {}} {
		cfg := w.Cfg
		cfg.AlgorithmEnds = []sam.AlgorithmEnd{bad}
		cfg.Store = &nopStore{}
		if _, err := sam.Open(context.Background(), cfg); !errors.Is(err, sam.ErrConfig) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	cfg := w.Cfg
	cfg.CryptoProfile, cfg.Store = "etsi", &nopStore{}
	if _, err := sam.Open(context.Background(), cfg); !errors.Is(err, sam.ErrConfig) {
		t.Errorf("unknown profile: %v", err)
	}
}

// nopStore is a store that is closed when Open refuses its configuration.
type nopStore struct{ sam.Store }

func (*nopStore) Close() error { return nil }

// CRY-01: operators are warned 12 months before an algorithm ends.
func TestCRY01StatusWarns(t *testing.T) {
	w := samtest.New(t)
	for at, want := range map[time.Time]int{
		time.Date(2027, 12, 31, 23, 59, 59, 0, time.UTC): 0,
		time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC):      12,
		time.Date(2029, 6, 1, 0, 0, 0, 0, time.UTC):      12,
	} {
		w.Clock.Set(at)
		st, err := w.M.Status(context.Background(), samtest.Auditor)
		if err != nil || len(st.Warnings) != want || st.Crypto != "etsi-119312-1.5.1" {
			t.Errorf("%v: %q, %v, %v", at, st.Crypto, st.Warnings, err)
		}
	}
}
