package sam_test

import (
	"context"
	"crypto/sha256"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// benchWorld is a module on the real clock.
func benchWorld(b *testing.B) (*samtest.World, *samtest.Signer) {
	b.Helper()
	w := samtest.New(b, func(c *sam.Config) {
		c.Clock, c.OpenSessions, c.AnchorEvery = clock.System{}, 1<<30, time.Second
		c.Policies = []sam.Policy{{ID: "standard", MaxItems: 1000, Lifetime: 15 * time.Minute}}
	})
	w.Clock.Set(time.Now())
	return w, w.NewSigner("alice", algo.P256)
}

// approvals prepares n distinct approvals, outside the timer.
func approvals(b *testing.B, w *samtest.World, s *samtest.Signer, n, items int) (sads, proofs [][]byte) {
	b.Helper()
	pub := w.StatementKey()
	for range n {
		signed, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: items})
		if err != nil {
			b.Fatal(err)
		}
		req, err := sap.OpenActivationRequest(pub, signed)
		if err != nil {
			b.Fatal(err)
		}
		full, err := s.Device.SAD(req, s.Items(b, req, items))
		if err != nil {
			b.Fatal(err)
		}
		sad, proof, err := s.Device.Sign(full)
		if err != nil {
			b.Fatal(err)
		}
		sads, proofs = append(sads, sad), append(proofs, proof)
	}
	return sads, proofs
}

// cpuOf reports the process's CPU time as cpu-us/op: machines are noisy, and wall
// time tells of the others on them.
func cpuOf(b *testing.B) func() {
	now := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := now()
	return func() { b.ReportMetric(float64((now()-start).Microseconds())/float64(b.N), "cpu-us/op") }
}

// BenchmarkFloor is the work that no module can avoid: verify the assertion, let
// the token unwrap and sign, verify the signature (B1).
func BenchmarkFloor(b *testing.B) {
	w, s := benchWorld(b)
	sads, proofs := approvals(b, w, s, 1, 1)
	full, err := sap.DecodeSAD(sads[0])
	if err != nil {
		b.Fatal(err)
	}
	a, err := sap.DecodeAssertion(proofs[0])
	if err != nil {
		b.Fatal(err)
	}
	challenge, err := full.Challenge(sads[0])
	if err != nil {
		b.Fatal(err)
	}
	auth := sap.Authenticator{CredentialID: s.Device.ID, Public: &s.Device.Key.PublicKey}
	soft := w.Token.Full
	key, err := soft.GenerateWrapped(context.Background(), algo.P256)
	if err != nil {
		b.Fatal(err)
	}
	pub, err := cryptotoken.CheckWrappedForm(key)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256(sads[0])
	b.ResetTimer()
	defer cpuOf(b)()
	for range b.N {
		if _, err := sap.VerifyAssertion(a, challenge, auth, sap.AssertionPolicy{Origin: samtest.Origin, RPID: samtest.RPID}); err != nil {
			b.Fatal(err)
		}
		sigs, err := soft.SignWrapped(context.Background(), key, algo.ES256, [][]byte{digest[:]})
		if err != nil {
			b.Fatal(err)
		}
		if err := algo.Verify(pub, algo.ES256, digest[:], sigs[0]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRedeem is one redemption in process, one caller.
func BenchmarkRedeem(b *testing.B) {
	w, s := benchWorld(b)
	sads, proofs := approvals(b, w, s, b.N, 1)
	b.ResetTimer()
	defer cpuOf(b)()
	for i := range b.N {
		if _, err := w.Redeem(sads[i], proofs[i]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRequest is one activation request in process, one caller.
func BenchmarkRequest(b *testing.B) {
	w, s := benchWorld(b)
	b.ResetTimer()
	defer cpuOf(b)()
	for range b.N {
		if _, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
