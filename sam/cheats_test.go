package sam_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// refused checks what every refusal must be: the reason, no key use, and exactly
// one new audit record, with that reason, which Ref names (I8).
func refused(t *testing.T, w *samtest.World, want sap.Reason, call func() error) audit.Record {
	t.Helper()
	uses, before := w.Token.Uses(), len(w.Records())
	err := call()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %s", err, want)
	}
	if n := w.Token.Uses() - uses; n != 0 {
		t.Errorf("%d key uses", n)
	}
	recs := w.Records()
	var ref *sam.Refusal
	if !errors.As(err, &ref) {
		t.Fatalf("%v is no refusal", err)
	}
	last := recs[len(recs)-1]
	if len(recs) != before+1 || last.Seq != ref.Ref || last.Reason != string(want) || last.Outcome == audit.OK {
		t.Errorf("%d new records, last %+v, ref %d", len(recs)-before, last, ref.Ref)
	}
	w.Check()
	return last
}

// approval is a case of TestCheats: what reaches samd.
type approval struct {
	caller               sam.Caller
	sad, proof, evidence []byte
}

type cheat struct {
	want   sap.Reason
	counts bool // as a failed authentication: the enrolled key signed this challenge (T27)
	make   func(t *testing.T, w *samtest.World, alice, bob *samtest.Signer) approval
}

// sign lets the genuine device sign a SAD that change has altered before: what a
// lying page or request can get from a genuine passkey.
func sign(t *testing.T, w *samtest.World, s *samtest.Signer, n int, change func(*sap.SAD)) approval {
	t.Helper()
	req := w.Ask(s, n)
	full, err := s.Device.SAD(req, s.Items(t, req, n))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(full)
	}
	sad, proof, err := s.Device.Sign(full)
	if err != nil {
		t.Fatal(err)
	}
	return approval{samtest.SSPU, sad, proof, []byte("[]")}
}

// edited alters the SAD after the device signed it: what ssad can do alone.
func edited(n int, change func(*sap.SAD)) func(*testing.T, *samtest.World, *samtest.Signer, *samtest.Signer) approval {
	return func(t *testing.T, w *samtest.World, alice, _ *samtest.Signer) approval {
		a := sign(t, w, alice, n, nil)
		s, err := sap.DecodeSAD(a.sad)
		if err != nil {
			t.Fatal(err)
		}
		change(s)
		if a.sad, err = s.Encode(); err != nil {
			t.Fatal(err)
		}
		return a
	}
}

// before alters it before the device signs.
func before(n int, change func(*sap.SAD)) func(*testing.T, *samtest.World, *samtest.Signer, *samtest.Signer) approval {
	return func(t *testing.T, w *samtest.World, alice, _ *samtest.Signer) approval {
		return sign(t, w, alice, n, change)
	}
}

// device lets a differently behaving authenticator sign.
func device(change func(*samtest.Device)) func(*testing.T, *samtest.World, *samtest.Signer, *samtest.Signer) approval {
	return func(t *testing.T, w *samtest.World, alice, _ *samtest.Signer) approval {
		d := *alice.Device
		change(&d)
		s := *alice
		s.Device = &d
		return sign(t, w, &s, 1, nil)
	}
}

func otherDigest() string {
	d := sha256.Sum256([]byte("other document"))
	return sap.B64(d[:])
}

func cheats() map[string]cheat {
	return map[string]cheat{
		// SGN-01, SAP-01: digests changed, added, taken away, reordered by the SSA.
		"other document digest": {sap.ReasonChallenge, false, edited(1, func(s *sap.SAD) { s.Items[0].Doc = otherDigest() })},
		"other DTBS/R":          {sap.ReasonChallenge, false, edited(1, func(s *sap.SAD) { s.Items[0].DTBSR = otherDigest() })},
		"reordered digests": {sap.ReasonChallenge, false, edited(2, func(s *sap.SAD) {
			s.Items[0], s.Items[1] = s.Items[1], s.Items[0]
			s.Items[0].I, s.Items[1].I = 0, 1
		})},
		"renamed document": {sap.ReasonChallenge, false, edited(1, func(s *sap.SAD) { s.Items[0].Name = "harmless.pdf" })},
		"other purpose":    {sap.ReasonChallenge, false, edited(1, func(s *sap.SAD) { s.Ctx.Purpose = "something else" })},
		"added digest": {sap.ReasonBinding, false, edited(1, func(s *sap.SAD) {
			it := s.Items[0]
			it.I, it.Doc, it.DTBSR = 1, otherDigest(), otherDigest()
			s.Items, s.Bind.N = append(s.Items, it), 2
		})},
		// SAP-01, SAP-05: fields bound by the request, even when the device signs them.
		"other signer": {sap.ReasonBinding, false, func(t *testing.T, w *samtest.World, a, b *samtest.Signer) approval {
			return sign(t, w, a, 1, func(s *sap.SAD) { s.Bind.Signer, s.Bind.Key = b.ID, b.Key })
		}},
		"other key": {sap.ReasonBinding, false, func(t *testing.T, w *samtest.World, a, b *samtest.Signer) approval {
			return sign(t, w, a, 1, func(s *sap.SAD) { s.Bind.Key = b.Key })
		}},
		"other algorithm":    {sap.ReasonBinding, false, before(1, func(s *sap.SAD) { s.Bind.Alg = "ES384" })},
		"other policy":       {sap.ReasonBinding, false, before(1, func(s *sap.SAD) { s.Bind.Policy = "bulk" })},
		"longer life":        {sap.ReasonBinding, false, before(1, func(s *sap.SAD) { s.Bind.Expires += 1000 })},
		"other nonce":        {sap.ReasonBinding, false, before(1, func(s *sap.SAD) { s.Bind.Nonce = otherDigest() })},
		"other certificate":  {sap.ReasonBinding, false, before(1, func(s *sap.SAD) { s.Bind.Cert = otherDigest() })},
		"other cluster":      {sap.ReasonAudience, false, before(1, func(s *sap.SAD) { s.Bind.Audience = "prod#1" })},
		"other epoch":        {sap.ReasonAudience, false, before(1, func(s *sap.SAD) { s.Bind.Audience = samtest.Cluster + "#2" })},
		"other caller":       {sap.ReasonCaller, false, before(1, func(s *sap.SAD) { s.Bind.Caller = "ssad-2" })},
		"session of nobody":  {sap.ReasonSession, false, before(1, func(s *sap.SAD) { s.Bind.Session = sap.B64(make([]byte, 16)) })},
		"session of another": {sap.ReasonBinding, false, withSessionOf},
		"other SSA redeems": {sap.ReasonCaller, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			x := sign(t, w, a, 1, nil)
			x.caller.Identity = "ssad-2"
			return x
		}},
		// SAP-02, SAP-07: the carrier.
		"wrong origin":      {sap.ReasonOrigin, true, device(func(d *samtest.Device) { d.Origin = "http://localhost:8440" })},
		"wrong rpId":        {sap.ReasonRPID, true, device(func(d *samtest.Device) { d.RPID = "evil.example" })},
		"in a foreign page": {sap.ReasonCrossOrigin, true, device(func(d *samtest.Device) { d.Cross = true })},
		"UV=0":              {sap.ReasonUserVerified, true, device(func(d *samtest.Device) { d.Flags = samtest.UP })},
		"UP=0":              {sap.ReasonUserPresence, true, device(func(d *samtest.Device) { d.Flags = samtest.UV })},
		"BE since enrolment": {sap.ReasonBackup, true, device(func(d *samtest.Device) {
			d.Flags |= samtest.BE
		})},
		"registration ceremony": {sap.ReasonCeremony, true, device(func(d *samtest.Device) { d.Type = "webauthn.create" })},
		"another key, same id": {sap.ReasonSignature, false, device(func(d *samtest.Device) {
			d.Key = newKey()
		})},
		"authenticator that is not enrolled": {sap.ReasonAuthenticator, false, device(func(d *samtest.Device) {
			d.ID = make([]byte, 16)
		})},
		"bob's passkey for alice's key": {sap.ReasonAuthenticator, false, func(t *testing.T, w *samtest.World, a, b *samtest.Signer) approval {
			s := *a
			s.Device = b.Device
			return sign(t, w, &s, 1, nil)
		}},
		// ENR-07: the passkey was asked for a login, at the signing origin even.
		"login assertion": {sap.ReasonChallenge, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			x := sign(t, w, a, 1, nil)
			challenge := make([]byte, 32)
			_, _ = rand.Read(challenge)
			var err error
			if x.proof, err = a.Device.AssertChallenge(challenge); err != nil {
				t.Fatal(err)
			}
			return x
		}},
		"device-key carrier for a WebAuthn key": {sap.ReasonCarrier, false, before(1, func(s *sap.SAD) { s.Auth.Method = sap.CarrierJWS })},
		// SGN-01, SGN-04: what the key would sign is not what was approved.
		"DTBS/R does not fit the document": {sap.ReasonDTBSR, false, before(1, func(s *sap.SAD) { s.Items[0].DTBSR = otherDigest() })},
		"extra signed attribute": {sap.ReasonDTBSR, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			return sign(t, w, a, 1, func(s *sap.SAD) {
				doc, _ := sap.UnB64(s.Items[0].Doc)
				attrs, err := sap.PAdESSignedAttributes(doc, a.Cert.Raw)
				if err != nil {
					t.Fatal(err)
				}
				// A signing-time attribute at the end of the same SET.
				extra := append(attrs[:len(attrs):len(attrs)], 0x30, 0x1c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x05, 0x31, 0x0f, 0x17, 0x0d)
				extra = append(extra, "261121120000Z"...)
				d := sha256.Sum256(extra)
				s.Items[0].DTBSR = sap.B64(d[:])
			})
		}},
		"attributes of another certificate": {sap.ReasonDTBSR, false, func(t *testing.T, w *samtest.World, a, b *samtest.Signer) approval {
			return sign(t, w, a, 1, func(s *sap.SAD) {
				doc, _ := sap.UnB64(s.Items[0].Doc)
				it, err := sap.NewPAdESItem(0, "contract.pdf", algo.ES256, doc, b.Cert.Raw)
				if err != nil {
					t.Fatal(err)
				}
				s.Items[0] = it
			})
		}},
		"PAdES digest sent as raw": {sap.ReasonRaw, false, before(1, func(s *sap.SAD) { s.Items[0].Kind, s.Items[0].Doc = sap.KindRaw, "" })},
		"kind without evidence rules": {sap.ReasonItemKind, false, before(1, func(s *sap.SAD) {
			s.Items[0].Kind = sap.KindJAdES
		})},
		"XAdES digest sent as PAdES": {sap.ReasonDTBSR, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			return sign(t, w, a, 1, func(s *sap.SAD) {
				doc, _ := sap.UnB64(s.Items[0].Doc)
				it, err := sap.NewXAdESItem(0, "invoice.xml", algo.ES256, doc, a.Cert.Raw, samtest.XAdES())
				if err != nil {
					t.Fatal(err)
				}
				s.Items[0].DTBSR = it.DTBSR
			})
		}},
		"XAdES around another certificate": {sap.ReasonDTBSR, false, func(t *testing.T, w *samtest.World, a, b *samtest.Signer) approval {
			return sign(t, w, a, 1, func(s *sap.SAD) {
				doc, _ := sap.UnB64(s.Items[0].Doc)
				it, err := sap.NewXAdESItem(0, "invoice.xml", algo.ES256, doc, b.Cert.Raw, samtest.XAdES())
				if err != nil {
					t.Fatal(err)
				}
				s.Items[0] = it
			})
		}},
		"hash of another length": {sap.ReasonDigest, false, before(1, func(s *sap.SAD) {
			d := make([]byte, 48)
			s.Items[0].Hash, s.Items[0].Doc, s.Items[0].DTBSR = "sha384", sap.B64(d), sap.B64(append(d[:47:47], 1))
		})},
		"evidence that nobody asked for": {sap.ReasonEvidence, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			x := sign(t, w, a, 1, nil)
			x.evidence = []byte(`["x"]`)
			return x
		}},
		// SAP-07: other spellings of the same thing.
		"SAD with white space":   {sap.ReasonEncoding, false, respelt(func(s []byte) []byte { return append(s, ' ') })},
		"SAD with a second body": {sap.ReasonEncoding, false, respelt(func(s []byte) []byte { return append(s, s...) })},
		"empty SAD":              {sap.ReasonEncoding, false, respelt(func([]byte) []byte { return nil })},
		"empty proof": {sap.ReasonEncoding, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			x := sign(t, w, a, 1, nil)
			x.proof = nil
			return x
		}},
		// SAP-06.
		"expired": {sap.ReasonExpired, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			x := sign(t, w, a, 1, nil)
			w.Clock.Advance(5 * time.Minute)
			return x
		}},
		"clock set back": {sap.ReasonNotYet, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			x := sign(t, w, a, 1, nil)
			w.Clock.Advance(-time.Second)
			return x
		}},
		// SAP-03.
		"reused with a fresh assertion": {sap.ReasonConsumed, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			x := sign(t, w, a, 1, nil)
			if _, err := w.Redeem(x.sad, x.proof); err != nil {
				t.Fatal(err)
			}
			s, err := sap.DecodeSAD(x.sad)
			if err != nil {
				t.Fatal(err)
			}
			if _, x.proof, err = a.Device.Sign(s); err != nil {
				t.Fatal(err)
			}
			return x
		}},
		"second SAD for one request": {sap.ReasonConsumed, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			req := w.Ask(a, 1)
			var x approval
			for i := range 2 {
				full, err := a.Device.SAD(req, a.Items(t, req, 1))
				if err != nil {
					t.Fatal(err)
				}
				full.Ctx.Operation = fmt.Sprint("op-", i)
				sad, proof, err := a.Device.Sign(full)
				if err != nil {
					t.Fatal(err)
				}
				if x = (approval{samtest.SSPU, sad, proof, []byte("[]")}); i == 0 {
					if _, err := w.Redeem(sad, proof); err != nil {
						t.Fatal(err)
					}
				}
			}
			return x
		}},
		// SGN-02, KEY-07, KPR-07.
		"certificate ran out": {sap.ReasonCertValidity, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			w.Clock.Set(a.Cert.NotAfter.Add(-time.Minute))
			x := sign(t, w, a, 1, nil)
			w.Clock.Advance(2 * time.Minute)
			return x
		}},
		"key destroyed since": {sap.ReasonKeyState, false, func(t *testing.T, w *samtest.World, a, _ *samtest.Signer) approval {
			x := sign(t, w, a, 1, nil)
			if err := w.Destroy(a.Key); err != nil {
				t.Fatal(err)
			}
			return x
		}},
	}
}

func newKey() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

func respelt(f func([]byte) []byte) func(*testing.T, *samtest.World, *samtest.Signer, *samtest.Signer) approval {
	return func(t *testing.T, w *samtest.World, alice, _ *samtest.Signer) approval {
		x := sign(t, w, alice, 1, nil)
		x.sad = f(x.sad)
		return x
	}
}

// withSessionOf puts bob's open session into alice's SAD (BankID's session
// fixation, T8).
func withSessionOf(t *testing.T, w *samtest.World, alice, bob *samtest.Signer) approval {
	theirs := w.Ask(bob, 1)
	return sign(t, w, alice, 1, func(s *sap.SAD) { s.Bind.Session = theirs.Bind.Session })
}

// SAP-01, SAP-02, SAP-03, SAP-05, SAP-06, SAP-07, SAP-11, SAP-15, SGN-01, SGN-02, SGN-04, IAM-05, ENR-07: every
// cheat that reaches samd is refused for its own reason, without a key use and
// with one audit record; then the honest approval still works.
func TestCheats(t *testing.T) {
	for name, c := range cheats() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := samtest.New(t)
			alice, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
			a := c.make(t, w, alice, bob)
			rec := refused(t, w, c.want, func() error {
				_, err := w.M.Redeem(context.Background(), a.caller, a.sad, a.proof, a.evidence)
				return err
			})
			if counted := contains(rec.Data, `"failures":1`); counted != c.counts {
				t.Errorf("counted as a failed authentication: %v, want %v (%s)", counted, c.counts, rec.Data)
			}
			if name == "key destroyed since" || name == "certificate ran out" {
				return
			}
			sad, proof := w.Approve(alice, 1)
			if _, err := w.Redeem(sad, proof); err != nil {
				t.Errorf("honest approval afterwards: %v", err)
			}
			w.Check()
		})
	}
}

// SAP-06: the edges of exp by the module's clock.
func TestExpiryToTheSecond(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 1)
	late, lateProof := w.Approve(s, 1)
	w.Clock.Advance(5*time.Minute - time.Second)
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Errorf("one second before exp: %v", err)
	}
	w.Clock.Advance(time.Second)
	refused(t, w, sap.ReasonExpired, func() error { _, err := w.Redeem(late, lateProof); return err })
	// The byte-identical retry of the consumed one still gets its answer.
	w.Clock.Advance(time.Hour)
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Errorf("retry after exp: %v", err)
	}
	// Not for ever: after the stated retention it is unknown.
	w.Clock.Advance(24 * time.Hour)
	if err := w.M.Purge(context.Background()); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSession, func() error { _, err := w.Redeem(sad, proof); return err })
}

// BLK-01, BLK-02, CRY-01: what a request may ask for.
func TestRequestLimits(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.OpenSessions = 3 })
	s, other := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	for name, c := range map[string]struct {
		in   sam.Ask
		want sap.Reason
	}{
		"none":                {sam.Ask{Signer: s.ID, Key: s.Key}, sap.ReasonCount},
		"negative":            {sam.Ask{Signer: s.ID, Key: s.Key, N: -1}, sap.ReasonCount},
		"over the policy":     {sam.Ask{Signer: s.ID, Key: s.Key, N: 11}, sap.ReasonTooMany},
		"batch switched off":  {sam.Ask{Signer: s.ID, Key: s.Key, N: 2, Policy: sam.PolicyQualified}, sap.ReasonTooMany},
		"no such policy":      {sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Policy: "x"}, sap.ReasonPolicy},
		"foreign algorithm":   {sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Alg: "RS256"}, sap.ReasonAlgorithm},
		"algorithm none":      {sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Alg: "none"}, sap.ReasonAlgorithm},
		"key of another":      {sam.Ask{Signer: s.ID, Key: other.Key, N: 1}, sap.ReasonSigner},
		"signer of nothing":   {sam.Ask{Signer: "x", Key: s.Key, N: 1}, sap.ReasonSignerUnknown},
		"key of nothing":      {sam.Ask{Signer: s.ID, Key: "x", N: 1}, sap.ReasonKey},
		"SQL in place of ids": {sam.Ask{Signer: "' OR 1=1 --", Key: s.Key, N: 1}, sap.ReasonSignerUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w, c.want, func() error {
				_, err := w.M.Request(context.Background(), samtest.SSPU, c.in)
				return err
			})
		})
	}
	// AFL-04: a signer's open requests are bounded; they end with their exp.
	for range 3 {
		w.Ask(s, 1)
	}
	refused(t, w, sap.ReasonTooMany, func() error {
		_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
		return err
	})
	w.Ask(other, 1)
	w.Clock.Advance(6 * time.Minute)
	w.Ask(s, 1)
}
