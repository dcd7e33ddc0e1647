package sam_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// registrar is a way on which a new passkey gets into samd.
type registrar struct {
	*samtest.World
	open  func(t *testing.T, signer string) *registering // a signer's new request
	after func(t *testing.T, signer string)              // what holds whenever one was refused
}

// registering is an open request and how it is answered.
type registering struct {
	challenge []byte
	send      func(object, client []byte) error
	renew     func() // the same signer's next request, which voids this one
}

// enrolments registers the first passkey of a signer, with an officer's code.
func enrolments(t *testing.T) registrar {
	w := samtest.New(t, deep)
	return registrar{World: w, after: func(*testing.T, string) {}, open: func(t *testing.T, signer string) *registering {
		o := &opened{World: w}
		o.again(t, signer)
		r := &registering{challenge: registrationChallenge(t, o)}
		r.send = func(object, client []byte) error { return o.finish(o.answer(t, object, client)) }
		r.renew = func() {
			var err error
			if o.req, err = o.M.BeginEnrolment(context.Background(), samtest.SSPU, o.code.ID); err != nil {
				t.Fatal(err)
			}
			r.challenge = registrationChallenge(t, o)
		}
		return r
	}}
}

// registrationChallenge is the honest challenge of the open request.
func registrationChallenge(t *testing.T, o *opened) []byte {
	t.Helper()
	statement, err := sap.UnB64(o.req.Statement)
	if err != nil {
		t.Fatal(err)
	}
	var req sap.RegistrationRequest
	if err := jcs.Unmarshal(statement, &req); err != nil {
		t.Fatal(err)
	}
	nonce, err := sap.UnB64(req.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := sap.RegistrationChallenge(nonce, statement)
	if err != nil {
		t.Fatal(err)
	}
	return challenge
}

// createModifications runs the 23 of a registration on a way, and counts them.
func createModifications(t *testing.T, way registrar) (n int) {
	victim := &samtest.Signer{ID: "victim", Device: samtest.NewDevice(deepOrigin, deepRPID)}
	way.Enrol(victim)
	attacker := samtest.NewDevice(deepOrigin, deepRPID)
	run := func(name string, want sap.Reason, make func(t *testing.T, r *registering) (object, client []byte)) {
		n++
		signer := fmt.Sprintf("signer-%d", n)
		t.Run("create/"+name, func(t *testing.T) {
			r := way.open(t, signer)
			object, client := make(t, r)
			calls := len(way.Token.Log())
			refused(t, way.World, want, func() error { return r.send(object, client) })
			if len(way.Token.Log()) != calls {
				t.Error("the token was called")
			}
			way.after(t, signer)
			// The same request, answered honestly, still works.
			if err := r.send(ceremony{}.registration(t, samtest.NewDevice(deepOrigin, deepRPID), r.challenge)); err != nil {
				t.Errorf("honest registration afterwards: %v", err)
			}
			way.after(t, signer)
		})
	}
	as := func(c ceremony, d *samtest.Device) func(*testing.T, *registering) ([]byte, []byte) {
		return func(t *testing.T, r *registering) ([]byte, []byte) { return c.registration(t, d, r.challenge) }
	}
	for name, m := range shared("webauthn.get") {
		run(name, m.want, as(m.c, attacker))
	}
	run("Challenge | Bit Flip", sap.ReasonChallenge, func(t *testing.T, r *registering) ([]byte, []byte) {
		return ceremony{}.registration(t, attacker, flipped(r.challenge))
	})
	run("Challenge | Reuse", sap.ReasonChallenge, func(t *testing.T, r *registering) ([]byte, []byte) {
		old := r.challenge // of a request that a newer one voided
		r.renew()
		return ceremony{}.registration(t, attacker, old)
	})
	run("Challenge | Session Binding", sap.ReasonChallenge, func(t *testing.T, _ *registering) ([]byte, []byte) {
		return ceremony{}.registration(t, attacker, way.open(t, "somebody").challenge)
	})
	run("Algorithm", sap.ReasonAlgorithm, as(ceremony{cose: func(k map[int]any) { k[3] = -257 }}, attacker))
	run("Credential ID Length", sap.ReasonAuthData, as(ceremony{id: make([]byte, 1024)}, attacker))
	run("Credential ID Unused | ID+Pubkey Swap", sap.ReasonExists, as(ceremony{}, victim.Device)) // what the victim enrolled, whole
	run("Credential ID Unused | ID Swap", sap.ReasonExists, as(ceremony{id: victim.Device.ID}, attacker))
	run("Credential ID Unused | Pubkey Swap", sap.ReasonAttestation, as(ceremony{key: victim.Device.Key}, attacker)) // whose key the attacker has not
	way.Check()
	return n
}
