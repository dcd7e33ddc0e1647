package samrpc_test

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"net/http"
	"time"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// changeLore is what the walker knows of changes of authenticators: it answers offers
// with its own authenticator, has both officers' halves, and brings its own
// authenticator in by a recovery.
type changeLore struct {
	offers map[string]sap.Signed // by the id of the change
	halves map[string][2]string  // by the id of the enrolment
	taken  map[string]bool       // signers whom the walker's own authenticator speaks for
}

func newLore() changeLore {
	return changeLore{map[string]sap.Signed{}, map[string][2]string{}, map[string]bool{}}
}

// composeChange answers an offer as well as the walker can, or asks for a list.
func (k *walker) composeChange(op sam.Op) []byte {
	if op == sam.OpAuthList {
		return body(k.t, sapclient.AuthListIn{Signer: k.value("signer"), Nonce: sap.B64(make([]byte, sap.NonceLen)), After: int64(k.rnd.IntN(3))})
	}
	id := k.value("change")
	in := sapclient.ChangeFinishIn{ID: id, Change: []byte("{}")}
	if signed, ok := k.change.offers[id]; ok {
		d := *k.device
		if k.rnd.IntN(2) == 0 {
			d.ID = pick(k, k.victims).Device.ID
		}
		if answer, err := d.Change(k.StatementKey(), signed, samtest.NewDevice(samtest.Origin, samtest.RPID)); err == nil {
			in.Change = k.encode(answer)
		}
	}
	return body(k.t, in)
}

func (k *walker) encode(v any) []byte {
	text, err := jcs.Marshal(v)
	if err != nil {
		k.t.Fatal(err)
	}
	return text
}

// harvestChange keeps what the answers tell.
func (k *walker) harvestChange(op sam.Op, out []byte) {
	switch op {
	case sam.OpChangeBegin:
		var o sapclient.ChangeBeginOut
		if err := json.Unmarshal(out, &o); err != nil {
			k.t.Fatal(err)
		}
		req, err := sap.OpenChangeRequest(k.StatementKey(), o.Request)
		if err != nil {
			k.t.Fatal(err)
		}
		k.change.offers[req.ID] = o.Request
		k.see("change", req.ID)
	case sam.OpHalf:
		var o sapclient.HalfOut
		if err := json.Unmarshal(out, &o); err != nil {
			k.t.Fatal(err)
		}
		h := k.change.halves[o.ID]
		h[o.No-1] = o.Half
		k.change.halves[o.ID] = h
		k.see("enrolment", o.ID)
		if h[0] != "" && h[1] != "" {
			k.codes[o.ID] = h[0] + h[1]
		}
	case sam.OpEnrolFinish:
		var o sapclient.EnrolFinishOut
		if err := json.Unmarshal(out, &o); err != nil {
			k.t.Fatal(err)
		}
		// From here on the officers can have keys made for this name that answer to the
		// walker. They are not the victim's: the victim's are gone, and that they are is
		// what the walk looks at.
		k.change.taken[o.Signer] = true
	}
}

// honestChange lets a victim add an authenticator, and take it away again.
func (k *walker) honestChange() {
	s, fresh := pick(k, k.victims), samtest.NewDevice(samtest.Origin, samtest.RPID)
	if k.oneChange(s, sapclient.ChangeBeginIn{Signer: s.ID, Action: sap.ActionAdd}, fresh) {
		k.see("credential", sap.B64(fresh.ID))
		k.oneChange(s, sapclient.ChangeBeginIn{Signer: s.ID, Action: sap.ActionRemove, Target: sap.B64(fresh.ID)}, nil)
	}
}

func (k *walker) oneChange(s *samtest.Signer, in sapclient.ChangeBeginIn, fresh *samtest.Device) bool {
	sspu := k.certs[sam.RoleSSPU][0]
	status, out := k.call(sspu, "POST", sapclient.PathChangeBegin, body(k.t, in))
	if status != http.StatusOK {
		return false // closed, locked or revoked, by those who may
	}
	k.done[sam.OpChangeBegin]++
	k.harvestChange(sam.OpChangeBegin, out)
	var o sapclient.ChangeBeginOut
	if err := json.Unmarshal(out, &o); err != nil {
		k.t.Fatal(err)
	}
	answer, err := s.Device.Change(k.StatementKey(), o.Request, fresh)
	if err != nil {
		k.t.Fatal(err)
	}
	req, err := sap.OpenChangeRequest(k.StatementKey(), o.Request)
	if err != nil {
		k.t.Fatal(err)
	}
	status, _ = k.call(sspu, "POST", sapclient.PathChangeFinish, body(k.t, sapclient.ChangeFinishIn{ID: req.ID, Change: k.encode(answer)}))
	if status == http.StatusOK {
		k.done[sam.OpChangeFinish]++
	}
	k.look(sam.OpChangeFinish, sam.RoleSSPU)
	return status == http.StatusOK
}

// conspire has two officers and the signing application bring the walker's
// authenticator in for a victim: revoke, recover, enrol, and wait for the end of
// the cooling time.
func (k *walker) conspire() {
	s, officers := pick(k, k.victims), k.certs[sam.RoleOfficer]
	if len(officers) < 2 {
		return
	}
	post := func(i int, path string, op sam.Op, in any) []byte {
		status, out := k.call(officers[i], "POST", path, body(k.t, in))
		k.look(op, sam.RoleOfficer)
		if status != http.StatusOK {
			return nil
		}
		k.done[op]++
		return out
	}
	var list []*sam.Authenticator
	err := k.Store.View(context.Background(), func(tx *sam.Tx) error {
		var err error
		list, err = tx.Authenticators.BySigner(s.ID)
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	for _, a := range list {
		post(0, sapclient.PathAuthRevoke, sam.OpAuthRevoke, sapclient.AuthRevokeIn{Signer: s.ID, Credential: sap.B64(a.Credential), Why: "conspiracy"})
	}
	args := k.encode(sam.Recovery{Signer: s.ID, Name: "Signer " + s.ID, Proof: sap.B64([]byte{byte(k.calls), byte(k.calls >> 8)}), Why: "conspiracy"})
	var p sapclient.Proposal
	if out := post(0, sapclient.PathDecisions, sam.OpPropose, sapclient.ProposeIn{Kind: sam.DecideRecovery, Args: args}); out == nil || json.Unmarshal(out, &p) != nil {
		return
	}
	if post(1, sapclient.PathApprove, sam.OpApprove, sapclient.ProposalIn{ID: p.ID}) == nil {
		return
	}
	var id string
	for i := range 2 {
		if out := post(i, sapclient.PathHalf, sam.OpHalf, sapclient.HalfIn{Signer: s.ID}); out != nil {
			k.harvestChange(sam.OpHalf, out)
			var h sapclient.HalfOut
			if err := json.Unmarshal(out, &h); err != nil {
				k.t.Fatal(err)
			}
			id = h.ID
		}
	}
	status, out := k.call(k.certs[sam.RoleSSPU][0], "POST", sapclient.PathEnrolBegin, body(k.t, sapclient.EnrolBeginIn{ID: id}))
	if status != http.StatusOK {
		return
	}
	k.done[sam.OpEnrolBegin]++
	k.harvest(sam.OpEnrolBegin, out)
	own := samtest.NewDevice(samtest.Origin, samtest.RPID)
	reg, err := own.Register(k.StatementKey(), k.enrols[id], k.codes[id])
	if err != nil {
		k.t.Fatal(err)
	}
	status, out = k.call(k.certs[sam.RoleSSPU][0], "POST", sapclient.PathEnrolFinish, body(k.t, sapclient.EnrolFinishIn{ID: id, Registration: reg}))
	if status == http.StatusOK {
		k.done[sam.OpEnrolFinish]++
		k.harvest(sam.OpEnrolFinish, out)
		k.Clock.Advance(25 * time.Hour)
		k.device = own // all that follows is answered with it
	}
}

// StatementKey is the module's, asked for while everybody still has a role.
func (k *walker) StatementKey() *ecdsa.PublicKey { return k.samKey }
