package samrpc_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"maps"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// redemption is the body of one redemption; change, if there is one, alters the
// approval before it is signed.
func redemption(r *rig, s *samtest.Signer, d samtest.Device, change func(*sap.SAD)) []byte {
	t := r.T
	t.Helper()
	req := r.Ask(s, 1)
	full, err := d.SAD(req, s.Items(t, req, 1))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(full)
	}
	sad, proof, err := d.Sign(full)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(sapclient.RedeemIn{SAD: sad, Proof: proof, Evidence: []byte("[]")})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// refusals are bodies that redemptions are refused for: for what the module knows,
// for the assertion, for their form, and for no body at all.
func (r *rig) refusals(who *tls.ConnectionState) map[string][]byte {
	r.T.Helper()
	alice, bob, carl := r.NewSigner("alice", algo.P256), r.NewSigner("bob", algo.P256), r.NewSigner("carl", algo.P256)
	noUV, forger := *carl.Device, *alice.Device
	noUV.Flags, forger.Key = samtest.UP, samtest.NewDevice("", "").Key
	late := redemption(r, carl, *carl.Device, nil) // asked for before the lock
	for range r.Cfg.LockoutLimit {
		if post(stepped(r, 0), who, sapclient.PathRedeem, redemption(r, carl, noUV, nil)).Code == http.StatusOK {
			r.T.Fatal("accepted")
		}
	}
	return map[string][]byte{
		"unknown session":       redemption(r, alice, *alice.Device, func(s *sap.SAD) { s.Bind.Session = sap.B64(make([]byte, 16)) }),
		"unknown signer":        redemption(r, alice, *alice.Device, func(s *sap.SAD) { s.Bind.Signer = "nobody" }),
		"unknown key":           redemption(r, alice, *alice.Device, func(s *sap.SAD) { s.Bind.Key = "k-none" }),
		"unknown authenticator": redemption(r, alice, *bob.Device, nil),
		"other cluster":         redemption(r, alice, *alice.Device, func(s *sap.SAD) { s.Bind.Audience = "prod#1" }),
		"locked out":            late,
		"forged":                redemption(r, alice, forger, nil),
		"not a SAD":             []byte(`{"sad":"e30=","proof":"e30=","evidence":"W10="}`),
		"no body":               {},
	}
}

func stepped(r *rig, step time.Duration) http.Handler {
	return samrpc.New(r.M, slog.New(slog.DiscardHandler)).InSteps(step).Handler()
}

// AFL-03: a refusal leaves at the end of its step of time whatever it is for; a success
// is not held back, and nobody is waited for who is gone.
func TestAFL03RefusalsLeaveInSteps(t *testing.T) {
	r := newRig(t)
	ssad := state(t, r.pki, samtest.SSPU.Identity, "sspu")
	const step = 30 * time.Millisecond
	h := stepped(r, step)
	for name, body := range r.refusals(ssad) {
		begun := time.Now()
		if rec := post(h, ssad, sapclient.PathRedeem, body); rec.Code == http.StatusOK {
			t.Errorf("%s: accepted", name)
		} else if took := time.Since(begun); took < step {
			t.Errorf("%s: refused after %v", name, took)
		}
	}
	// Steps that no test waits for.
	h = stepped(r, time.Hour)
	dora := r.NewSigner("dora", algo.P256)
	if rec := post(h, ssad, sapclient.PathRedeem, redemption(r, dora, *dora.Device, nil)); rec.Code != http.StatusOK {
		t.Errorf("a genuine approval: %d %s", rec.Code, rec.Body)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	req := httptest.NewRequestWithContext(gone, http.MethodPost, sapclient.PathRedeem, nil)
	req.TLS = ssad
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	if rec.Code == http.StatusOK {
		t.Error("accepted")
	}
}

// AFL-03: the time of a refusal does not tell whether signer, key, session and
// authenticator exist or are locked: in turns, in random order, the medians of all
// kinds lie within a twentieth of each other; without the steps the same
// measurement finds a refusal for its form alone, which verifies nothing. Times are
// measured, so this runs in soak only.
func TestAFL03TimingOfRefusals(t *testing.T) {
	if os.Getenv("ASSENT_SOAK") == "" {
		t.Log("short run: times are compared with ASSENT_SOAK=1")
		return
	}
	seed := uint64(20261122)
	if s, err := strconv.ParseUint(os.Getenv("ASSENT_SEED"), 10, 64); err == nil {
		seed = s
	}
	const rounds = 300
	r := newRig(t)
	ssad := state(t, r.pki, samtest.SSPU.Identity, "sspu")
	kinds := r.refusals(ssad)
	rnd := mrand.New(mrand.NewPCG(seed, 3))
	for _, step := range []time.Duration{0, samrpc.RefusalStep} {
		medians := timeRefusals(rnd, stepped(r, step), ssad, kinds, rounds)
		for name, m := range medians {
			t.Logf("step %v: %-22s %.0f us", step, name, m/1e3)
		}
		form := medians["not a SAD"]
		delete(medians, "not a SAD") // whoever sent it knows what it is
		delete(medians, "no body")
		all := slices.Sorted(maps.Values(medians))
		if step == 0 && form > 0.9*all[0] {
			t.Errorf("a refusal without verification was not found: %.0f us beside %.0f us (seed %d)", form/1e3, all[0]/1e3, seed)
		}
		if spread := all[len(all)-1] / all[0]; step > 0 && spread > 1.05 {
			t.Errorf("steps of %v: medians differ by %.3f (seed %d)", step, spread, seed)
		}
	}
}

// timeRefusals are the medians of each kind in nanoseconds.
func timeRefusals(rnd *mrand.Rand, h http.Handler, who *tls.ConnectionState, kinds map[string][]byte, rounds int) map[string]float64 {
	names := slices.Sorted(maps.Keys(kinds))
	times := map[string][]float64{}
	for range rounds {
		rnd.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			begun := time.Now()
			post(h, who, sapclient.PathRedeem, kinds[name])
			times[name] = append(times[name], float64(time.Since(begun)))
		}
	}
	out := map[string]float64{}
	for name, list := range times {
		out[name] = slices.Sorted(slices.Values(list))[len(list)/2]
	}
	return out
}
