package sam_test

import (
	"context"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// approving is something that a signer approves with a passkey.
type approving struct {
	*samtest.World
	ready func(t *testing.T, s *samtest.Signer) // who is enrolled
	ask   func(t *testing.T, s *samtest.Signer) *asked
	ended sap.Reason // a request on which an approval failed that counts
}

// asked is an open request.
type asked struct {
	challenge []byte
	send      func(t *testing.T, a sap.Assertion) error // on success it also tidies up
}

// lenient has a limit of failures that these tests do not reach.
func lenient(c *sam.Config) { deep(c); c.LockoutLimit = 1000 }

// signatures are approved by a SAD.
func signatures(t *testing.T) approving {
	w := samtest.New(t, lenient)
	return approving{World: w, ended: sap.ReasonConsumed, ready: func(_ *testing.T, s *samtest.Signer) { w.NewKey(s, algo.P256) },
		ask: func(t *testing.T, s *samtest.Signer) *asked {
			req := w.Ask(s, 1)
			full, err := s.Device.SAD(req, s.Items(t, req, 1))
			if err != nil {
				t.Fatal(err)
			}
			sad, err := full.Encode()
			if err != nil {
				t.Fatal(err)
			}
			challenge, err := full.Challenge(sad)
			if err != nil {
				t.Fatal(err)
			}
			return &asked{challenge, func(t *testing.T, a sap.Assertion) error {
				_, err := w.Redeem(sad, proofOf(t, a))
				return err
			}}
		}}
}

// oneTimeKeys are approved before they are made.
func oneTimeKeys(t *testing.T) approving {
	_, once := samtest.Once(t, "P-256")
	w := samtest.New(t, once, lenient)
	return approving{World: w, ended: sap.ReasonConsumed, ready: func(*testing.T, *samtest.Signer) {},
		ask: func(t *testing.T, s *samtest.Signer) *asked {
			signed, err := w.M.RequestOneTime(context.Background(), samtest.SSPU, sam.AskOnce{Signer: s.ID, Subject: "CN=DEMO Signer " + s.ID})
			if err != nil {
				t.Fatal(err)
			}
			statement := octets(t, signed.Statement)
			req, err := sap.DecodeOneTime(statement)
			if err != nil {
				t.Fatal(err)
			}
			challenge, err := sap.OneTimeChallenge(octets(t, req.Nonce), statement)
			if err != nil {
				t.Fatal(err)
			}
			return &asked{challenge, func(t *testing.T, a sap.Assertion) error {
				v, err := w.M.ApproveOneTime(context.Background(), samtest.SSPU, statement, proofOf(t, a))
				if err != nil {
					return err
				}
				return w.M.GiveUpOneTime(context.Background(), samtest.SSPU, v.Key)
			}}
		}}
}

// changer makes changes of the authenticators of signers.
type changer struct {
	*samtest.World
	spare map[string]*samtest.Device // of each signer, to be removed
}

func newChanger(t *testing.T) *changer {
	return &changer{samtest.New(t, lenient), map[string]*samtest.Device{}}
}

// offer asks for a change and computes what the approver signs, over the answer's parts.
func (c *changer) offer(t *testing.T, s *samtest.Signer, action string, target *samtest.Device) (id string, nonce, statement []byte) {
	t.Helper()
	signed, req := c.Offer(s.ID, action, target)
	return req.ID, octets(t, req.Nonce), octets(t, signed.Statement)
}

// add is an open addition of d by s.
func (c *changer) add(t *testing.T, s *samtest.Signer, d *samtest.Device) *asked {
	t.Helper()
	id, nonce, statement := c.offer(t, s, sap.ActionAdd, nil)
	challenge, err := sap.AdditionChallenge(nonce, statement)
	if err != nil {
		t.Fatal(err)
	}
	object, client := ceremony{}.registration(t, d, challenge)
	return c.answered(t, id, nonce, statement, object, client)
}

func (c *changer) remove(t *testing.T, s *samtest.Signer, d *samtest.Device) *asked {
	t.Helper()
	id, nonce, statement := c.offer(t, s, sap.ActionRemove, d)
	return c.answered(t, id, nonce, statement, nil, nil)
}

func (c *changer) answered(t *testing.T, id string, nonce, statement, object, client []byte) *asked {
	t.Helper()
	challenge, err := sap.ChangeChallenge(nonce, statement, object, client)
	if err != nil {
		t.Fatal(err)
	}
	return &asked{challenge, func(_ *testing.T, a sap.Assertion) error {
		_, err := c.Finish(id, &sap.Change{AttestationObject: sap.B64(object), ClientDataJSON: sap.B64(client), Proof: a})
		return err
	}}
}

// must has s approve.
func (r *asked) must(t *testing.T, s *samtest.Signer) {
	t.Helper()
	if err := r.send(t, honestly(t, s, r.challenge)); err != nil {
		t.Fatal(err)
	}
}

// additions are approved by a passkey that the signer has, and removed again.
func additions(t *testing.T) approving {
	c := newChanger(t)
	return approving{World: c.World, ended: sap.ReasonEnrolment, ready: func(*testing.T, *samtest.Signer) {},
		ask: func(t *testing.T, s *samtest.Signer) *asked {
			d := samtest.NewDevice(deepOrigin, deepRPID)
			r := c.add(t, s, d)
			return &asked{r.challenge, func(t *testing.T, a sap.Assertion) error {
				err := r.send(t, a)
				if err == nil {
					c.remove(t, s, d).must(t, s)
				}
				return err
			}}
		}}
}

// removals are approved by another passkey than the one that is removed, and added again.
func removals(t *testing.T) approving {
	c := newChanger(t)
	more := func(t *testing.T, s *samtest.Signer) {
		c.spare[s.ID] = samtest.NewDevice(deepOrigin, deepRPID)
		c.add(t, s, c.spare[s.ID]).must(t, s)
	}
	return approving{World: c.World, ended: sap.ReasonEnrolment, ready: more,
		ask: func(t *testing.T, s *samtest.Signer) *asked {
			r := c.remove(t, s, c.spare[s.ID])
			return &asked{r.challenge, func(t *testing.T, a sap.Assertion) error {
				err := r.send(t, a)
				if err == nil {
					more(t, s)
				}
				return err
			}}
		}}
}

// vouched registers another passkey of a signer, which the first one approves honestly:
// over what browser and authenticator put together, whoever modified it.
func vouched(t *testing.T) registrar {
	c := newChanger(t)
	signers := map[string]*samtest.Signer{}
	return registrar{World: c.World,
		after: func(t *testing.T, signer string) {
			if n := failures(t, c.World, signers[signer]); n != 0 {
				t.Errorf("%d failures of the one that approved honestly", n)
			}
		},
		open: func(t *testing.T, signer string) *registering {
			s := &samtest.Signer{ID: signer, Device: samtest.NewDevice(deepOrigin, deepRPID)}
			c.Enrol(s)
			signers[signer] = s
			r := &registering{}
			var id string
			var nonce, statement []byte
			r.renew = func() {
				var err error
				id, nonce, statement = c.offer(t, s, sap.ActionAdd, nil)
				if r.challenge, err = sap.AdditionChallenge(nonce, statement); err != nil {
					t.Fatal(err)
				}
			}
			r.renew()
			r.send = func(object, client []byte) error {
				q := c.answered(t, id, nonce, statement, object, client)
				return q.send(t, honestly(t, s, q.challenge))
			}
			return r
		}}
}

func proofOf(t *testing.T, a sap.Assertion) []byte {
	t.Helper()
	proof, err := jcs.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

func octets(t *testing.T, text string) []byte {
	t.Helper()
	b, err := sap.UnB64(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// honestly is what the signer's own browser and passkey return.
func honestly(t *testing.T, s *samtest.Signer, challenge []byte) sap.Assertion {
	t.Helper()
	return ceremony{flags: s.Device.Flags & samtest.BE}.assertion(t, s.Device, challenge)
}

// failures are those that count against the signer's first passkey.
func failures(t *testing.T, w *samtest.World, s *samtest.Signer) int64 {
	t.Helper()
	v, err := w.M.Signer(context.Background(), samtest.Officer, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range v.Authenticators {
		if a.Credential == sap.B64(s.Device.ID) {
			return a.Failures
		}
	}
	t.Fatalf("%s has no such passkey", s.ID)
	return 0
}

// modification is one of the 25 of an authentication.
type modification struct {
	name   string
	want   sap.Reason
	counts bool // the enrolled key did sign this very challenge: a failure of who holds it
	synced bool // by the signer whose passkey is enrolled as one that is backed up
	reuse  bool // of an assertion that was accepted before, for another request
	c      ceremony
	// of makes the assertion; nil: c over the challenge, by the signer's device.
	of func(t *testing.T, r *asked, s *samtest.Signer) sap.Assertion
}

// modifications are the 25, in the order in which they are run: who has been
// alarmed by a counter comes last.
func (x approving) modifications(mallory *samtest.Signer) (list []modification) {
	for name, m := range shared("webauthn.create") {
		list = append(list, modification{name: name, want: m.want, counts: true, c: m.c})
	}
	return append(list,
		modification{name: "Challenge | Bit Flip", want: sap.ReasonChallenge, of: func(t *testing.T, r *asked, s *samtest.Signer) sap.Assertion {
			return honestly(t, s, flipped(r.challenge))
		}},
		modification{name: "Challenge | Reuse", want: sap.ReasonChallenge, reuse: true},
		modification{name: "Challenge | Session Binding", want: sap.ReasonChallenge, of: func(t *testing.T, _ *asked, s *samtest.Signer) sap.Assertion {
			theirs := x.ask(t, mallory)
			a := honestly(t, s, theirs.challenge)
			refused(t, x.World, sap.ReasonAuthenticator, func() error { return theirs.send(t, a) }) // nor there
			theirs.must(t, mallory)
			return a
		}},
		modification{name: "Backup Eligible | Swap to On", want: sap.ReasonBackup, counts: true, c: ceremony{flags: samtest.BE | samtest.BS}},
		modification{name: "Backup Eligible | Swap to Off", want: sap.ReasonBackup, counts: true, synced: true},
		modification{name: "Allow Credentials", want: sap.ReasonAuthenticator, c: ceremony{id: make([]byte, 16)}},
		modification{name: "Non-Discoverable Identification", want: sap.ReasonAuthenticator, of: func(t *testing.T, r *asked, _ *samtest.Signer) sap.Assertion {
			return honestly(t, mallory, r.challenge) // a passkey that is enrolled, for somebody else
		}},
		modification{name: "Discoverable Identification", want: sap.ReasonSignature, c: ceremony{key: mallory.Device.Key}}, // which says that it is hers
		modification{name: "Signature", want: sap.ReasonSignature, c: ceremony{sig: flipped}},
		modification{name: "Signature Counter", want: sap.ReasonCounter, counts: true, c: ceremony{count: 1}},
	)
}

// used is an honest assertion of s that was accepted.
func (x approving) used(t *testing.T, s *samtest.Signer) sap.Assertion {
	t.Helper()
	r := x.ask(t, s)
	a := honestly(t, s, r.challenge)
	if err := r.send(t, a); err != nil {
		t.Fatal(err)
	}
	return a
}

// run runs them and counts them.
func (x approving) run(t *testing.T) (n int) {
	mk := func(id string, flags byte) *samtest.Signer {
		s := &samtest.Signer{ID: id, Device: samtest.NewDevice(deepOrigin, deepRPID)}
		s.Device.Flags |= flags
		x.Enrol(s)
		return s
	}
	alice, mallory, synced := mk("alice", 0), mk("mallory", 0), mk("synced", samtest.BE)
	for _, s := range []*samtest.Signer{alice, mallory, synced} {
		x.ready(t, s)
	}
	for _, m := range x.modifications(mallory) {
		n++
		t.Run("get/"+m.name, func(t *testing.T) {
			s := alice
			if m.synced {
				s = synced
			}
			x.one(t, m, s, mallory)
		})
	}
	x.Check()
	return n
}

func (x approving) one(t *testing.T, m modification, s, mallory *samtest.Signer) {
	a := sap.Assertion{}
	if m.reuse { // before the next request, which may void the one that it is for
		a = x.used(t, s)
	}
	r := x.ask(t, s)
	switch {
	case m.reuse:
	case m.of != nil:
		a = m.of(t, r, s)
	default:
		a = m.c.assertion(t, s.Device, r.challenge)
	}
	calls := len(x.Token.Log())
	refused(t, x.World, m.want, func() error { return r.send(t, a) })
	count := int64(0)
	if m.counts {
		count = 1
	}
	for i := range 2 { // it counts once, however often it is sent
		if got, theirs := failures(t, x.World, s), failures(t, x.World, mallory); got != count || theirs != 0 {
			t.Errorf("%d failures count, want %d; %d of somebody else", got, count, theirs)
		}
		if i == 0 && r.send(t, a) == nil {
			t.Error("accepted the second time")
		}
	}
	if len(x.Token.Log()) != calls {
		t.Error("the token was called")
	}
	if m.want == sap.ReasonCounter { // the alarm of a copy
		if err := x.M.Lift(context.Background(), samtest.Officer, s.ID, sap.B64(s.Device.ID), "tested"); err != nil {
			t.Fatal(err)
		}
	}
	// What nobody can tell from garbage does not use a request up; what counts does.
	honest := honestly(t, s, r.challenge)
	if m.counts {
		refused(t, x.World, x.ended, func() error { return r.send(t, honest) })
		x.ask(t, s).must(t, s)
	} else if err := r.send(t, honest); err != nil {
		t.Errorf("the honest answer to the same request: %v", err)
	}
	if n := failures(t, x.World, s); n != 0 {
		t.Errorf("%d failures after an honest approval", n)
	}
}

// T4, SAP-02, KEY-10, ENR-04: the modifications of an authentication, against everything
// that a passkey approves: each is refused for its own reason with one audit record and no
// call of the token, counts once if the passkey's key signed it and else not at all, and
// the honest approval is accepted.
func TestT4PasskeyModificationsOfEveryApproval(t *testing.T) {
	for name, of := range map[string]func(*testing.T) approving{
		"signature": signatures, "one-time key": oneTimeKeys, "addition": additions, "removal": removals,
	} {
		t.Run(name, func(t *testing.T) {
			if n := of(t).run(t); n != 25 {
				t.Errorf("%d modifications, want 25", n)
			}
		})
	}
}

// T4, ENR-03, ENR-04: the modifications of a registration, of a passkey that another one
// of the signer's vouches for: each is refused for its own reason, the offer stays open
// for the honest answer, and nothing counts against the one that vouched.
func TestT4PasskeyModificationsOfAnAddition(t *testing.T) {
	if n := createModifications(t, vouched(t)); n != 23 {
		t.Errorf("%d modifications, want 23", n)
	}
}
