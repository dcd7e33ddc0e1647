package samtest

import (
	"context"
	"crypto/ecdsa"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sap"
)

// Change answers an offer to change authenticators: d approves, fresh is the new
// authenticator of an addition, nil for a removal. The fields of the answer can be
// altered before it is sent.
func (d *Device) Change(pub *ecdsa.PublicKey, signed sap.Signed, fresh *Device) (*sap.Change, error) {
	req, err := sap.OpenChangeRequest(pub, signed)
	if err != nil {
		return nil, err
	}
	statement, err := sap.UnB64(signed.Statement)
	if err != nil {
		return nil, err
	}
	return d.ChangeOf(req.Nonce, statement, fresh)
}

// ChangeOf answers any statement, genuine or not.
func (d *Device) ChangeOf(nonce string, statement []byte, fresh *Device) (*sap.Change, error) {
	raw, err := sap.UnB64(nonce)
	if err != nil {
		return nil, err
	}
	var object, client []byte
	if fresh != nil {
		challenge, err := sap.AdditionChallenge(raw, statement)
		if err != nil {
			return nil, err
		}
		typ := "webauthn.create"
		if fresh.Type != "" {
			typ = fresh.Type
		}
		client = fresh.clientData(typ, challenge)
		if object, err = fresh.AttestationObject(client); err != nil {
			return nil, err
		}
	}
	out := &sap.Change{AttestationObject: sap.B64(object), ClientDataJSON: sap.B64(client)}
	return out, d.ApproveChange(out, raw, statement, object, client)
}

// ApproveChange puts d's assertion over these octets into the answer.
func (d *Device) ApproveChange(out *sap.Change, nonce, statement, object, client []byte) error {
	challenge, err := sap.ChangeChallenge(nonce, statement, object, client)
	if err != nil {
		return err
	}
	proof, err := d.AssertChallenge(challenge)
	if err != nil {
		return err
	}
	a, err := sap.DecodeAssertion(proof)
	if err != nil {
		return err
	}
	out.Proof = *a
	return nil
}

// Offer begins a change as the signing application.
func (w *World) Offer(signer, action string, target *Device) (sap.Signed, *sap.ChangeRequest) {
	w.T.Helper()
	in := sam.AskChange{Signer: signer, Action: action}
	if target != nil {
		in.Target = sap.B64(target.ID)
	}
	signed, err := w.M.BeginChange(context.Background(), SSPU, in)
	if err != nil {
		w.T.Fatal(err)
	}
	req, err := sap.OpenChangeRequest(w.StatementKey(), signed)
	if err != nil {
		w.T.Fatal(err)
	}
	return signed, req
}

// Finish sends an answer.
func (w *World) Finish(id string, answer *sap.Change) (*sam.Changed, error) {
	w.T.Helper()
	text, err := jcs.Marshal(answer)
	if err != nil {
		w.T.Fatal(err)
	}
	return w.M.FinishChange(context.Background(), SSPU, id, text)
}

// Add adds fresh with an approval of by.
func (w *World) Add(signer string, by, fresh *Device) (*sam.Changed, error) {
	w.T.Helper()
	return w.change(signer, sap.ActionAdd, by, fresh, nil)
}

// Remove removes target with an approval of by.
func (w *World) Remove(signer string, by, target *Device) (*sam.Changed, error) {
	w.T.Helper()
	return w.change(signer, sap.ActionRemove, by, nil, target)
}

func (w *World) change(signer, action string, by, fresh, target *Device) (*sam.Changed, error) {
	w.T.Helper()
	signed, req := w.Offer(signer, action, target)
	answer, err := by.Change(w.StatementKey(), signed, fresh)
	if err != nil {
		w.T.Fatal(err)
	}
	return w.Finish(req.ID, answer)
}

// List asks for a signer's authenticators and notices, and verifies the answer.
func (w *World) List(signer string, after int64) *sap.AuthenticatorList {
	w.T.Helper()
	nonce := sap.B64(make([]byte, sap.NonceLen))
	signed, err := w.M.Authenticators(context.Background(), SSPU, sam.AskList{Signer: signer, Nonce: nonce, After: after})
	if err != nil {
		w.T.Fatal(err)
	}
	list, err := sap.OpenAuthenticatorList(w.StatementKey(), signed, nonce)
	if err != nil {
		w.T.Fatal(err)
	}
	return list
}
