package sam_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

func newDevice() *samtest.Device { return samtest.NewDevice(samtest.Origin, samtest.RPID) }

// reference is a signer's reference data as the database has it: authenticators
// and what the keys are bound to. What an attack must leave alone.
func reference(w *samtest.World, signer string) string {
	w.T.Helper()
	var out []string
	err := w.Store.View(context.Background(), func(tx *sam.Tx) error {
		auths, err := tx.Authenticators.BySigner(signer)
		if err != nil {
			return err
		}
		for _, a := range auths {
			out = append(out, fmt.Sprintf("%x %x %d", a.Credential, a.Public, a.UsableFrom))
		}
		keys, err := tx.Credentials.BySigner(signer)
		for _, k := range keys {
			out = append(out, fmt.Sprintf("%s %s %x", k.Key, k.State, k.AuthHash))
		}
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return strings.Join(out, "\n")
}

// signWith signs one document with a device of the signer.
func signWith(w *samtest.World, s *samtest.Signer, d *samtest.Device) error {
	req, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
	if err != nil {
		return err
	}
	ask, err := sap.OpenActivationRequest(w.StatementKey(), req)
	if err != nil {
		return err
	}
	full, err := d.SAD(ask, s.Items(w.T, ask, 1))
	if err != nil {
		return err
	}
	sad, proof, err := d.Sign(full)
	if err != nil {
		return err
	}
	_, err = w.Redeem(sad, proof)
	return err
}

func kinds(l *sap.AuthenticatorList) string {
	var out []string
	for _, n := range l.Notices {
		out = append(out, n.Kind)
	}
	return strings.Join(out, " ")
}

// ENR-04: a signer adds an authenticator with the one he has, cannot use it before
// its cooling time is over, signs with it then, and removes the first with it. Each
// step is told in a notice.
func TestENR04AddCoolSignRemove(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	first, fresh := s.Device, newDevice()
	done, err := w.Add("alice", first, fresh)
	if err != nil || done.Credential != sap.B64(fresh.ID) || done.UsableFrom != w.Clock.Now().Add(24*time.Hour).Unix() {
		t.Fatalf("%+v, %v", done, err)
	}
	if err := signWith(w, s, first); err != nil {
		t.Fatalf("the old one after the addition: %v", err)
	}
	if req := w.Ask(s, 1); !slices.Equal(req.Credentials, []string{sap.B64(first.ID)}) {
		t.Errorf("offered to %v while the new one cools", req.Credentials)
	}
	refusedIn(t, w, sap.ReasonCooling, 1, func() error { return signWith(w, s, fresh) })
	w.Clock.Advance(24*time.Hour - time.Second)
	refusedIn(t, w, sap.ReasonCooling, 1, func() error { return signWith(w, s, fresh) })
	w.Clock.Advance(time.Second)
	if err := signWith(w, s, fresh); err != nil {
		t.Fatalf("the new one after its cooling time: %v", err)
	}
	w.Crash()
	if _, err := w.Remove("alice", fresh, first); err != nil {
		t.Fatal(err)
	}
	refusedIn(t, w, sap.ReasonAuthenticator, 1, func() error { return signWith(w, s, first) })
	if err := signWith(w, s, fresh); err != nil {
		t.Fatal(err)
	}
	l := w.List("alice", 0)
	if got := kinds(l); got != sam.NoticeAdded+" "+sam.NoticeRemoved || len(l.Authenticators) != 1 || l.Authenticators[0].Via != sam.ViaAssertion || !l.Authenticators[0].Usable {
		t.Errorf("notices %s, %+v", got, l.Authenticators)
	}
	w.Crash() // everything verifies at a start too
	if err := signWith(w, s, fresh); err != nil {
		t.Fatal(err)
	}
	w.Check()
}

// refusedIn is refused for a call that leaves n records before its refusal.
func refusedIn(t *testing.T, w *samtest.World, want sap.Reason, n int, call func() error) {
	t.Helper()
	uses, before := w.Token.Uses(), len(w.Records())
	if err := call(); !errors.Is(err, want) {
		t.Fatalf("got %v, want %s", err, want)
	}
	recs := w.Records()
	if last := recs[len(recs)-1]; len(recs) != before+n+1 || last.Reason != string(want) {
		t.Errorf("%d new records, last %+v", len(recs)-before, last)
	}
	if w.Token.Uses() != uses {
		t.Error("a key was used")
	}
}

// changeWorld has alice with two authenticators, a usable and a cooling one, and
// bob; and everything that passed through the signing application in the past.
type changeWorld struct {
	*samtest.World
	alice, bob *samtest.Signer
	cooling    *samtest.Device
	own        *samtest.Device // the attacker's
	sad        []byte          // a past signature of alice's
	sadProof   []byte
	regCreate  sap.Registration // alice's enrolment
}

func newChangeWorld(t *testing.T) *changeWorld {
	w := samtest.New(t)
	c := &changeWorld{World: w, cooling: newDevice(), own: newDevice()}
	ctx := context.Background()
	c.alice = &samtest.Signer{ID: "alice", Device: newDevice()}
	if _, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "alice", Name: "Signer alice", Proof: "proof-1"}); err != nil {
		t.Fatal(err)
	}
	code, err := w.M.OpenEnrolment(ctx, samtest.Officer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	req, err := w.M.BeginEnrolment(ctx, samtest.SSPU, code.ID)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := c.alice.Device.Register(w.StatementKey(), req, code.Code)
	if err != nil {
		t.Fatal(err)
	}
	r, err := sap.DecodeRegistration(reg)
	if err != nil {
		t.Fatal(err)
	}
	c.regCreate = *r
	if _, err := w.M.FinishEnrolment(ctx, samtest.SSPU, code.ID, reg); err != nil {
		t.Fatal(err)
	}
	w.NewKey(c.alice, algo.P256)
	c.bob = w.NewSigner("bob", algo.P256)
	if _, err := w.Add("alice", c.alice.Device, c.cooling); err != nil {
		t.Fatal(err)
	}
	c.sad, c.sadProof = w.Approve(c.alice, 1)
	if _, err := w.Redeem(c.sad, c.sadProof); err != nil {
		t.Fatal(err)
	}
	return c
}

// assertion reads a proof.
func assertion(t *testing.T, proof []byte, err error) sap.Assertion {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	a, err := sap.DecodeAssertion(proof)
	if err != nil {
		t.Fatal(err)
	}
	return *a
}

// ENR-04, T21: every way to change alice's authenticators without her is refused
// for its own reason, is recorded, and changes nothing.
func TestENR04AttacksOnAnAddition(t *testing.T) {
	type attack = func(t *testing.T, c *changeWorld, signed sap.Signed, req *sap.ChangeRequest) *sap.Change
	honest := func(t *testing.T, c *changeWorld, signed sap.Signed, by, fresh *samtest.Device) *sap.Change {
		t.Helper()
		out, err := by.Change(c.StatementKey(), signed, fresh)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	with := func(by func(*changeWorld) *samtest.Device, edit func(old, fresh *samtest.Device)) attack {
		return func(t *testing.T, c *changeWorld, signed sap.Signed, _ *sap.ChangeRequest) *sap.Change {
			old, fresh := *by(c), newDevice()
			if edit != nil {
				edit(&old, fresh)
			}
			return honest(t, c, signed, &old, fresh)
		}
	}
	alices := func(c *changeWorld) *samtest.Device { return c.alice.Device }
	proofOf := func(find func(t *testing.T, c *changeWorld) sap.Assertion) attack {
		return func(t *testing.T, c *changeWorld, signed sap.Signed, _ *sap.ChangeRequest) *sap.Change {
			out := honest(t, c, signed, c.own, newDevice())
			out.Proof = find(t, c)
			return out
		}
	}
	for name, x := range map[string]struct {
		want   sap.Reason
		attack attack
	}{
		"SSPU approves itself":           {sap.ReasonAuthenticator, with(func(c *changeWorld) *samtest.Device { return c.own }, nil)},
		"SSPU signs in alice's name":     {sap.ReasonSignature, with(func(c *changeWorld) *samtest.Device { d := *c.own; d.ID = c.alice.Device.ID; return &d }, nil)},
		"bob approves":                   {sap.ReasonAuthenticator, with(func(c *changeWorld) *samtest.Device { return c.bob.Device }, nil)},
		"the cooling one approves":       {sap.ReasonCooling, with(func(c *changeWorld) *samtest.Device { return c.cooling }, nil)},
		"no user verification":           {sap.ReasonUserVerified, with(alices, func(old, _ *samtest.Device) { old.Flags = samtest.UP })},
		"no user presence":               {sap.ReasonUserPresence, with(alices, func(old, _ *samtest.Device) { old.Flags = samtest.UV })},
		"at another origin":              {sap.ReasonOrigin, with(alices, func(old, _ *samtest.Device) { old.Origin = "http://localhost:8440" })},
		"for another relying party":      {sap.ReasonRPID, with(alices, func(old, _ *samtest.Device) { old.RPID = "evil.example" })},
		"in a foreign page":              {sap.ReasonCrossOrigin, with(alices, func(old, _ *samtest.Device) { old.Cross = true })},
		"new: no user verification":      {sap.ReasonUserVerified, with(alices, func(_, fresh *samtest.Device) { fresh.Flags = samtest.UP })},
		"new: at another origin":         {sap.ReasonOrigin, with(alices, func(_, fresh *samtest.Device) { fresh.Origin = "http://localhost:8440" })},
		"new: for another relying party": {sap.ReasonRPID, with(alices, func(_, fresh *samtest.Device) { fresh.RPID = "evil.example" })},
		"new: an assertion":              {sap.ReasonCeremony, with(alices, func(_, fresh *samtest.Device) { fresh.Type = "webauthn.get" })},
		"new: unknown format":            {sap.ReasonAttestation, with(alices, func(_, fresh *samtest.Device) { fresh.Format = "tmp" })},
		"new: the old one again":         {sap.ReasonExists, with(alices, func(old, fresh *samtest.Device) { fresh.ID = old.ID })},
		"new: bob's credential id": {sap.ReasonExists, func(t *testing.T, c *changeWorld, signed sap.Signed, _ *sap.ChangeRequest) *sap.Change {
			fresh := newDevice()
			fresh.ID = c.bob.Device.ID
			return honest(t, c, signed, c.alice.Device, fresh)
		}},
		"new key swapped by the relay": {sap.ReasonChallenge, func(t *testing.T, c *changeWorld, signed sap.Signed, _ *sap.ChangeRequest) *sap.Change {
			out, own := honest(t, c, signed, c.alice.Device, newDevice()), honest(t, c, signed, c.alice.Device, c.own)
			out.AttestationObject, out.ClientDataJSON = own.AttestationObject, own.ClientDataJSON
			return out
		}},
		"attestation alone swapped": {sap.ReasonChallenge, func(t *testing.T, c *changeWorld, signed sap.Signed, _ *sap.ChangeRequest) *sap.Change {
			out, own := honest(t, c, signed, c.alice.Device, newDevice()), honest(t, c, signed, c.alice.Device, c.own)
			out.AttestationObject = own.AttestationObject
			return out
		}},
		"registration of an enrolment": {sap.ReasonChallenge, func(t *testing.T, c *changeWorld, signed sap.Signed, req *sap.ChangeRequest) *sap.Change {
			out := &sap.Change{AttestationObject: c.regCreate.AttestationObject, ClientDataJSON: c.regCreate.ClientDataJSON}
			statement, _ := sap.UnB64(signed.Statement)
			nonce, _ := sap.UnB64(req.Nonce)
			object, _ := sap.UnB64(out.AttestationObject)
			client, _ := sap.UnB64(out.ClientDataJSON)
			if err := c.alice.Device.ApproveChange(out, nonce, statement, object, client); err != nil {
				t.Fatal(err)
			}
			return out
		}},
		"no registration": {sap.ReasonEncoding, func(t *testing.T, c *changeWorld, signed sap.Signed, req *sap.ChangeRequest) *sap.Change {
			return honest(t, c, signed, c.alice.Device, nil)
		}},
		"another statement": {sap.ReasonChallenge, func(t *testing.T, c *changeWorld, signed sap.Signed, req *sap.ChangeRequest) *sap.Change {
			shown := *req
			shown.Action, shown.Target = sap.ActionRemove, sap.B64(c.cooling.ID)
			text, err := jcs.Marshal(&shown)
			if err != nil {
				t.Fatal(err)
			}
			forged := signed
			forged.Statement = sap.B64(text)
			if _, err := c.alice.Device.Change(c.StatementKey(), forged, nil); !errors.Is(err, sap.ReasonSAMSignature) {
				t.Errorf("the device took a forged statement: %v", err)
			}
			out, err := c.alice.Device.ChangeOf(req.Nonce, text, newDevice()) // a device that does not look
			if err != nil {
				t.Fatal(err)
			}
			return out
		}},
		"recorded signature": {sap.ReasonChallenge, proofOf(func(t *testing.T, c *changeWorld) sap.Assertion { return assertion(t, c.sadProof, nil) })},
		"recorded login": {sap.ReasonChallenge, proofOf(func(t *testing.T, c *changeWorld) sap.Assertion {
			d := *c.alice.Device
			d.Origin = "http://localhost:8440"
			proof, err := d.AssertChallenge(make([]byte, 32))
			return assertion(t, proof, err)
		})},
		"recorded enrolment": {sap.ReasonCeremony, proofOf(func(t *testing.T, c *changeWorld) sap.Assertion {
			proof, err := c.alice.Device.AssertChallenge(make([]byte, 32))
			a := assertion(t, proof, err)
			a.ClientDataJSON = c.regCreate.ClientDataJSON
			return a
		})},
		"approval of an earlier change": {sap.ReasonChallenge, func(t *testing.T, c *changeWorld, signed sap.Signed, _ *sap.ChangeRequest) *sap.Change {
			return honest(t, c, signed, c.alice.Device, newDevice()) // and then the offer is another one, see below
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChangeWorld(t)
			signed, req := c.Offer("alice", sap.ActionAdd, nil)
			answer := x.attack(t, c, signed, req)
			if name == "approval of an earlier change" {
				_, req = c.Offer("alice", sap.ActionAdd, nil)
			}
			before := reference(c.World, "alice")
			refused(t, c.World, x.want, func() error { _, err := c.Finish(req.ID, answer); return err })
			if reference(c.World, "alice") != before {
				t.Error("the reference data changed")
			}
			if n := len(c.List("alice", 0).Notices); n != 1 {
				t.Errorf("%d notices", n)
			}
			if err := signWith(c.World, c.alice, c.alice.Device); err != nil {
				t.Errorf("alice cannot sign any more: %v", err)
			}
		})
	}
}

// ENR-04: an offer serves once, in time, for what it was made, and a new one voids
// the older; its id opens no enrolment.
func TestENR04AnOfferServesOnce(t *testing.T) {
	c := newChangeWorld(t)
	ctx := context.Background()
	signed, req := c.Offer("alice", sap.ActionAdd, nil)
	answer, err := c.alice.Device.Change(c.StatementKey(), signed, newDevice())
	if err != nil {
		t.Fatal(err)
	}
	refused(t, c.World, sap.ReasonEnrolment, func() error { _, err := c.M.BeginEnrolment(ctx, samtest.SSPU, req.ID); return err })
	refused(t, c.World, sap.ReasonEnrolment, func() error {
		reg, err := jcs.Marshal(sap.Registration{AttestationObject: answer.AttestationObject, ClientDataJSON: answer.ClientDataJSON, CodeProof: "AAAA"})
		if err != nil {
			return err
		}
		_, err = c.M.FinishEnrolment(ctx, samtest.SSPU, req.ID, reg)
		return err
	})
	c.Clock.Advance(10 * time.Minute)
	refused(t, c.World, sap.ReasonEnrolment, func() error { _, err := c.Finish(req.ID, answer); return err })
	signed, req = c.Offer("alice", sap.ActionAdd, nil)
	if answer, err = c.alice.Device.Change(c.StatementKey(), signed, newDevice()); err != nil {
		t.Fatal(err)
	}
	_, younger := c.Offer("alice", sap.ActionAdd, nil)
	refused(t, c.World, sap.ReasonEnrolment, func() error { _, err := c.Finish(req.ID, answer); return err })
	refused(t, c.World, sap.ReasonChallenge, func() error { _, err := c.Finish(younger.ID, answer); return err })
	signed, req = c.Offer("alice", sap.ActionAdd, nil)
	if answer, err = c.alice.Device.Change(c.StatementKey(), signed, newDevice()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Finish(req.ID, answer); err != nil {
		t.Fatal(err)
	}
	after := reference(c.World, "alice")
	refused(t, c.World, sap.ReasonEnrolment, func() error { _, err := c.Finish(req.ID, answer); return err })
	if reference(c.World, "alice") != after {
		t.Error("a replay changed something")
	}
	code, err := c.M.OpenEnrolment(ctx, samtest.Officer, "alice")
	refusedAs(t, err, sap.ReasonState, code)
}

func refusedAs(t *testing.T, err error, want sap.Reason, got any) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
}

// ENR-04, SAP-02: the approval of a change is no approval of a signature or of a
// one-time key.
func TestENR04ApprovalOfAChangeSignsNothing(t *testing.T) {
	w := newOnceWorld(t)
	w.NewKey(w.alice, algo.P256)
	d := w.alice.Device
	signed, req := w.Offer("alice", sap.ActionAdd, nil)
	answer, err := d.Change(w.StatementKey(), signed, newDevice())
	if err != nil {
		t.Fatal(err)
	}
	proof, err := jcs.Marshal(answer.Proof)
	if err != nil {
		t.Fatal(err)
	}
	sad, _ := w.Approve(w.alice, 1)
	refused(t, w.World, sap.ReasonChallenge, func() error { _, err := w.Redeem(sad, proof); return err })
	statement, genuine := w.ask()
	refused(t, w.World, sap.ReasonChallenge, func() error { _, err := w.approve(statement, proof); return err })
	// And the other way round.
	answer.Proof = assertion(t, genuine, nil)
	refused(t, w.World, sap.ReasonChallenge, func() error { _, err := w.Finish(req.ID, answer); return err })
	// The same nonce and octets under the other labels.
	nonce, err := sap.UnB64(req.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	text, err := sap.UnB64(signed.Statement)
	if err != nil {
		t.Fatal(err)
	}
	object, _ := sap.UnB64(answer.AttestationObject)
	client, _ := sap.UnB64(answer.ClientDataJSON)
	for name, f := range map[string]func([]byte, []byte) ([]byte, error){"SAD": sap.Challenge, "one-time": sap.OneTimeChallenge, "registration": sap.RegistrationChallenge, "addition": sap.AdditionChallenge} {
		challenge, err := f(nonce, text)
		if err != nil {
			t.Fatal(err)
		}
		if own, err := sap.ChangeChallenge(nonce, text, object, client); err != nil || string(own) == string(challenge) {
			t.Errorf("%s: %v", name, err)
		}
		p, err := d.AssertChallenge(challenge)
		answer.Proof = assertion(t, p, err)
		refused(t, w.World, sap.ReasonChallenge, func() error { _, err := w.Finish(req.ID, answer); return err })
	}
}

// ENR-04, AFL-01: a failed approval by the genuine authenticator counts against it
// and ends the offer; octets that prove nothing count against nobody.
func TestENR04FailedApprovalsCount(t *testing.T) {
	c := newChangeWorld(t)
	view := func() sam.AuthenticatorView {
		v, err := c.M.Signer(context.Background(), samtest.Officer, "alice")
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(v.Authenticators, func(a sam.AuthenticatorView) bool { return a.Credential == sap.B64(c.alice.Device.ID) })
		return v.Authenticators[i]
	}
	weak, forged := *c.alice.Device, *c.own
	weak.Flags, forged.ID = samtest.UP, weak.ID
	for i := 1; i <= 3; i++ {
		signed, req := c.Offer("alice", sap.ActionAdd, nil)
		bad, err := forged.Change(c.StatementKey(), signed, newDevice())
		if err != nil {
			t.Fatal(err)
		}
		refused(t, c.World, sap.ReasonSignature, func() error { _, err := c.Finish(req.ID, bad); return err })
		answer, err := weak.Change(c.StatementKey(), signed, newDevice())
		if err != nil {
			t.Fatal(err)
		}
		refused(t, c.World, sap.ReasonUserVerified, func() error { _, err := c.Finish(req.ID, answer); return err })
		if a := view(); a.Failures != int64(i) || a.Locked != (i == 3) {
			t.Fatalf("after %d: %+v", i, a)
		}
		refused(t, c.World, sap.ReasonEnrolment, func() error { _, err := c.Finish(req.ID, answer); return err })
	}
	// Neither can approve: one is locked, one cools. Which of them the reason names
	// depends on their ids.
	_, err := c.M.BeginChange(context.Background(), samtest.SSPU, sam.AskChange{Signer: "alice", Action: sap.ActionAdd})
	if !errors.Is(err, sap.ReasonLocked) && !errors.Is(err, sap.ReasonCooling) {
		t.Errorf("an offer that nobody could approve: %v", err)
	}
}

// ENR-04: a counter that goes back in the approval of a change is the alarm.
func TestENR04CopiedAuthenticatorChangesNothing(t *testing.T) {
	c := newChangeWorld(t)
	d := c.alice.Device
	d.Count = 7
	if err := signWith(c.World, c.alice, d); err != nil {
		t.Fatal(err)
	}
	copied := *d
	copied.Count = 5
	signed, req := c.Offer("alice", sap.ActionAdd, nil)
	answer, err := copied.Change(c.StatementKey(), signed, newDevice())
	if err != nil {
		t.Fatal(err)
	}
	before := reference(c.World, "alice")
	rec := refused(t, c.World, sap.ReasonCounter, func() error { _, err := c.Finish(req.ID, answer); return err })
	if rec.Type != sam.EventCopy || reference(c.World, "alice") != before || !strings.HasSuffix(kinds(c.List("alice", 0)), sam.NoticeAlarm) {
		t.Errorf("%+v, notices %s", rec, kinds(c.List("alice", 0)))
	}
}

// ENR-04: what is removed, by whom, and what must remain.
func TestENR04Removal(t *testing.T) {
	c := newChangeWorld(t)
	begin := func(target string) error {
		_, err := c.M.BeginChange(context.Background(), samtest.SSPU, sam.AskChange{Signer: "alice", Action: sap.ActionRemove, Target: target})
		return err
	}
	before := reference(c.World, "alice")
	// The other one is still cooling: without this one alice could approve nothing.
	refused(t, c.World, sap.ReasonLast, func() error { return begin(sap.B64(c.alice.Device.ID)) })
	refused(t, c.World, sap.ReasonAuthenticator, func() error { return begin(sap.B64(c.bob.Device.ID)) })
	refused(t, c.World, sap.ReasonEncoding, func() error { return begin("=") })
	refused(t, c.World, sap.ReasonAuthenticator, func() error { return begin("") })
	refused(t, c.World, sap.ReasonInvalid, func() error {
		_, err := c.M.BeginChange(context.Background(), samtest.SSPU, sam.AskChange{Signer: "alice", Action: sap.ActionAdd, Target: "AAAA"})
		return err
	})
	refused(t, c.World, sap.ReasonInvalid, func() error {
		_, err := c.M.BeginChange(context.Background(), samtest.SSPU, sam.AskChange{Signer: "alice", Action: "replace"})
		return err
	})
	bob := sam.AskChange{Signer: "bob", Action: sap.ActionRemove, Target: sap.B64(c.bob.Device.ID)}
	refused(t, c.World, sap.ReasonLast, func() error { _, err := c.M.BeginChange(context.Background(), samtest.SSPU, bob); return err })
	// A removal registers nothing, and the approval of one target removes no other.
	signed, req := c.Offer("alice", sap.ActionRemove, c.cooling)
	answer, err := c.alice.Device.Change(c.StatementKey(), signed, newDevice())
	if err != nil {
		t.Fatal(err)
	}
	refused(t, c.World, sap.ReasonInvalid, func() error { _, err := c.Finish(req.ID, answer); return err })
	if reference(c.World, "alice") != before {
		t.Error("the reference data changed")
	}
	// The veto: the old one takes the cooling one away again.
	if _, err := c.Remove("alice", c.alice.Device, c.cooling); err != nil {
		t.Fatal(err)
	}
	if last := lastOf(t, c.World, sam.EventRemoved).Data; !strings.Contains(last, `"vetoed":true`) {
		t.Errorf("record %s", last)
	}
	c.Clock.Advance(25 * time.Hour)
	refusedIn(t, c.World, sap.ReasonAuthenticator, 1, func() error { return signWith(c.World, c.alice, c.cooling) })
	// Two usable ones; both removals are offered, an officer takes one away: the last
	// stays, whatever was offered before.
	if _, err := c.Add("alice", c.alice.Device, c.cooling); err != nil {
		t.Fatal(err)
	}
	c.Clock.Advance(25 * time.Hour)
	signed, req = c.Offer("alice", sap.ActionRemove, c.alice.Device)
	if answer, err = c.alice.Device.Change(c.StatementKey(), signed, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.M.RevokeAuthenticator(context.Background(), samtest.Officer, "alice", sap.B64(c.cooling.ID), "stolen"); err != nil {
		t.Fatal(err)
	}
	refused(t, c.World, sap.ReasonLast, func() error { _, err := c.Finish(req.ID, answer); return err })
	if err := signWith(c.World, c.alice, c.alice.Device); err != nil {
		t.Fatal(err)
	}
	if got := kinds(c.List("alice", 0)); got != strings.Join([]string{sam.NoticeAdded, sam.NoticeRemoved, sam.NoticeAdded, sam.NoticeLost}, " ") {
		t.Errorf("notices %s", got)
	}
}

// ENR-04: what was asked for before a removal is void after it.
func TestENR04OpenSessionsEndWithARemoval(t *testing.T) {
	c := newChangeWorld(t)
	c.Clock.Advance(25 * time.Hour)
	sad, proof := c.Approve(&samtest.Signer{ID: "alice", Device: c.cooling, Key: c.alice.Key, Cert: c.alice.Cert}, 1)
	if _, err := c.Remove("alice", c.alice.Device, c.cooling); err != nil {
		t.Fatal(err)
	}
	refused(t, c.World, sap.ReasonKeyState, func() error { _, err := c.Redeem(sad, proof); return err })
}

// ENR-04, ROL-05: no role but the relay's begins or finishes a change, and none
// can make one: the officer's ways only take power away.
func TestENR04NobodyElseChangesAuthenticators(t *testing.T) {
	c := newChangeWorld(t)
	ctx := context.Background()
	signed, req := c.Offer("alice", sap.ActionAdd, nil)
	answer, err := c.own.Change(c.StatementKey(), signed, newDevice())
	if err != nil {
		t.Fatal(err)
	}
	text, err := jcs.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	before := reference(c.World, "alice")
	for _, who := range []sam.Caller{samtest.Officer, samtest.Second, samtest.Auditor, samtest.RA, samtest.Admin, samtest.Watch} {
		refused(t, c.World, sap.ReasonRole, func() error {
			_, err := c.M.BeginChange(ctx, who, sam.AskChange{Signer: "alice", Action: sap.ActionAdd})
			return err
		})
		refused(t, c.World, sap.ReasonRole, func() error { _, err := c.M.FinishChange(ctx, who, req.ID, text); return err })
	}
	for _, who := range []sam.Caller{samtest.SSPU, samtest.Auditor, samtest.RA, samtest.Admin, samtest.Watch} {
		refused(t, c.World, sap.ReasonRole, func() error {
			return c.M.RevokeAuthenticator(ctx, who, "alice", sap.B64(c.alice.Device.ID), "x")
		})
	}
	if reference(c.World, "alice") != before {
		t.Error("the reference data changed")
	}
	for name, call := range map[string]func() error{
		"no reason":   func() error { return c.M.RevokeAuthenticator(ctx, samtest.Officer, "alice", sap.B64(c.cooling.ID), "") },
		"no such one": func() error { return c.M.RevokeAuthenticator(ctx, samtest.Officer, "alice", "AAAA", "x") },
		"bob's": func() error {
			return c.M.RevokeAuthenticator(ctx, samtest.Officer, "alice", sap.B64(c.bob.Device.ID), "x")
		},
	} {
		if err := call(); err == nil || reference(c.World, "alice") != before {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The last one may go this way: nobody can sign then, and nobody else either.
	for _, d := range []*samtest.Device{c.cooling, c.alice.Device} {
		if err := c.M.RevokeAuthenticator(ctx, samtest.Officer, "alice", sap.B64(d.ID), "lost"); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, c.World, sap.ReasonAuthenticator, func() error { return signWith(c.World, c.alice, c.alice.Device) })
	refused(t, c.World, sap.ReasonAuthenticator, func() error {
		_, err := c.M.BeginChange(ctx, samtest.SSPU, sam.AskChange{Signer: "alice", Action: sap.ActionAdd})
		return err
	})
	refused(t, c.World, sap.ReasonState, func() error { _, err := c.M.OpenEnrolment(ctx, samtest.Officer, "alice"); return err })
}

// ENR-04, ENR-03: an addition passes the policy of enrolment, and counts for no
// more than the authenticator that vouches for it.
func TestENR04AdditionIsNoWeakerAndNoStronger(t *testing.T) {
	strict := samtest.New(t, func(c *sam.Config) { c.DeviceBound = true })
	s := strict.NewSigner("alice", algo.P256)
	synced := newDevice()
	synced.Flags |= samtest.BE | samtest.BS
	signed, req := strict.Offer("alice", sap.ActionAdd, nil)
	answer, err := s.Device.Change(strict.StatementKey(), signed, synced)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, strict, sap.ReasonBackup, func() error { _, err := strict.Finish(req.ID, answer); return err })

	w := samtest.New(t)
	b := &samtest.Signer{ID: "bob", Device: newDevice()}
	b.Device.Flags |= samtest.BE | samtest.BS
	w.Enrol(b)
	if _, err := w.Add("bob", b.Device, newDevice()); err != nil {
		t.Fatal(err)
	}
	for _, a := range w.List("bob", 0).Authenticators {
		if a.Tier != string(sam.TierAny) {
			t.Errorf("%+v: a synced passkey vouched for a device-bound one", a)
		}
	}
}

// ENR-04: a signer has ten authenticators at most.
func TestENR04TenAtMost(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.CoolingTime = -1 })
	s := &samtest.Signer{ID: "alice", Device: newDevice()}
	w.Enrol(s)
	for range 9 {
		if done, err := w.Add("alice", s.Device, newDevice()); err != nil || done.UsableFrom != 0 {
			t.Fatal(done, err)
		}
	}
	refused(t, w, sap.ReasonTooMany, func() error {
		_, err := w.M.BeginChange(context.Background(), samtest.SSPU, sam.AskChange{Signer: "alice", Action: sap.ActionAdd})
		return err
	})
}

// ENR-04: of many answers to one offer one counts, and many offers at once leave
// one that does.
func TestENR04ParallelAdditions(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	signed, req := w.Offer("alice", sap.ActionAdd, nil)
	const racers = 8
	answers := make([]*sap.Change, racers)
	for i := range answers {
		var err error
		if answers[i], err = s.Device.Change(w.StatementKey(), signed, newDevice()); err != nil {
			t.Fatal(err)
		}
	}
	race := func(call func(i int) error) (won int) {
		results := make([]error, racers)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() { results[i] = call(i) })
		}
		wg.Wait()
		for _, err := range results {
			if err == nil {
				won++
			} else if !errors.Is(err, sap.ReasonEnrolment) {
				t.Error(err)
			}
		}
		return won
	}
	if n := race(func(i int) error { _, err := w.Finish(req.ID, answers[i]); return err }); n != 1 {
		t.Errorf("%d of %d answers counted", n, racers)
	}
	pub := w.StatementKey()
	n := race(func(int) error {
		signed, err := w.M.BeginChange(context.Background(), samtest.SSPU, sam.AskChange{Signer: "alice", Action: sap.ActionAdd})
		if err != nil {
			return err
		}
		req, err := sap.OpenChangeRequest(pub, signed)
		if err != nil {
			return err
		}
		d := *s.Device
		answer, err := d.Change(pub, signed, newDevice())
		if err != nil {
			return err
		}
		_, err = w.Finish(req.ID, answer)
		return err
	})
	if got := len(w.List("alice", 0).Authenticators); n < 1 || got != 2+n {
		t.Errorf("%d won, %d authenticators", n, got)
	}
	if err := signWith(w, s, s.Device); err != nil {
		t.Error(err)
	}
	w.Crash()
	if err := signWith(w, s, s.Device); err != nil {
		t.Error(err)
	}
	w.Check()
}

// ENR-04, FPT-05: a change is one transaction: a store that fails before it leaves
// everything as it was, one that fails after it leaves everything done, and a
// crash then finds all records in agreement.
func TestENR04OneTransaction(t *testing.T) {
	for _, done := range []bool{false, true} {
		for _, action := range []string{sap.ActionAdd, sap.ActionRemove} {
			t.Run(fmt.Sprintf("%s, written %v", action, done), func(t *testing.T) {
				c := newChangeWorld(t)
				var target, fresh *samtest.Device
				if action == sap.ActionRemove {
					target = c.cooling
				} else {
					fresh = newDevice()
				}
				signed, req := c.Offer("alice", action, target)
				answer, err := c.alice.Device.Change(c.StatementKey(), signed, fresh)
				if err != nil {
					t.Fatal(err)
				}
				before := reference(c.World, "alice")
				fail := c.Store.FailBefore
				if done {
					fail = c.Store.FailAfter
				}
				fail(func(int) bool { return true })
				if _, err := c.Finish(req.ID, answer); !errors.Is(err, sap.ReasonStore) {
					t.Errorf("got %v", err)
				}
				fail(nil)
				if changed := reference(c.World, "alice") != before; changed != done {
					t.Errorf("changed %v, written %v", changed, done)
				}
				c.Crash()
				_, err = c.Finish(req.ID, answer)
				if done != errors.Is(err, sap.ReasonEnrolment) || !done && err != nil {
					t.Errorf("sent again: %v", err)
				}
				if err := signWith(c.World, c.alice, c.alice.Device); err != nil {
					t.Error(err)
				}
				c.Check()
			})
		}
	}
}
