package samrpc_test

import (
	"context"
	"encoding/json"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// passkeys: the application tries to change alice's authenticators (ENR-04): with an
// authenticator of its own, bob's, and what alice has approved in the past.
func (e *evil) passkeys() {
	own := samtest.NewDevice(samtest.Origin, samtest.RPID)
	offer := func(action, target string) (sap.Signed, *sap.ChangeRequest) {
		signed, err := e.client(samtest.SSPU.Identity).ChangeBegin(context.Background(), sapclient.ChangeBeginIn{Signer: "alice", Action: action, Target: target})
		if err != nil {
			e.t.Fatal(err)
		}
		req, err := sap.OpenChangeRequest(e.StatementKey(), signed)
		if err != nil {
			e.t.Fatal(err)
		}
		return signed, req
	}
	finish := func(what, id string, answer *sap.Change) {
		text, err := jcs.Marshal(answer)
		if err != nil {
			e.t.Fatal(err)
		}
		e.try("passkeys", what, e.request("POST", sapclient.PathChangeFinish, body(e.t, sapclient.ChangeFinishIn{ID: id, Change: text})))
	}
	answer := func(d *samtest.Device, signed sap.Signed) *sap.Change {
		out, err := d.Change(e.StatementKey(), signed, own)
		if err != nil {
			e.t.Fatal(err)
		}
		return out
	}
	signed, req := offer(sap.ActionAdd, "")
	forged := *own
	forged.ID = e.alice.Device.ID
	for what, d := range map[string]*samtest.Device{"its own authenticator": own, "bob's": e.bob.Device, "a key in alice's name": &forged} {
		finish("approved with "+what, req.ID, answer(d, signed))
	}
	for what, proof := range map[string][]byte{"a spent signature": e.spent.Proof, "an open one": e.open.Proof, "bob's signature": e.other.Proof, "one for another module": e.elsewhere.Proof} {
		out := answer(own, signed)
		if err := json.Unmarshal(proof, &out.Proof); err != nil {
			e.t.Fatal(err)
		}
		finish("approved with "+what, req.ID, out)
	}
	for _, target := range []string{sap.B64(e.alice.Device.ID), sap.B64(e.bob.Device.ID), "AAAA", ""} {
		in := sapclient.ChangeBeginIn{Signer: "alice", Action: sap.ActionRemove, Target: target}
		e.try("passkeys", "remove "+target, e.request("POST", sapclient.PathChangeBegin, body(e.t, in)))
	}
	in := sapclient.AuthRevokeIn{Signer: "alice", Credential: sap.B64(e.alice.Device.ID), Why: "x"}
	e.try("passkeys", "the officer's revocation", e.request("POST", sapclient.PathAuthRevoke, body(e.t, in)))
	e.try("passkeys", "an officer's half", e.request("POST", sapclient.PathHalf, body(e.t, sapclient.HalfIn{Signer: "alice"})))
	if n := len(e.List("alice", 0).Authenticators); n != 1 {
		e.t.Errorf("alice has %d authenticators", n)
	}
}
