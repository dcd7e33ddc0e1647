package sam

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// Role events of the audit chain.
const (
	EventGranted = "role_granted"
	EventRevoked = "role_revoked"
)

// maxIdentities bounds the callers of one module: lists of so many are whole, so
// that no check misses one.
const maxIdentities = 1000

// Grant is the argument of the decision role_grant. A name keeps its role and
// its person for ever; granting it again renews the key of its certificate or
// ends a revocation.
type Grant struct {
	Name   string `json:"name"`   // common name of the certificate
	Person string `json:"person"` // who it is; for a program, its own name
	Role   Role   `json:"role"`   // organisational unit of the certificate
	Key    string `json:"key"`    // SHA-256 of the certificate's SubjectPublicKeyInfo, hex
}

// Revoke is the argument of the decision role_revoke.
type Revoke struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// identity reads and verifies the record of a caller.
func (w *work) identity(name string) (*Identity, error) {
	r, err := w.Identities.Get(name)
	if err != nil {
		return nil, notFound(err, sap.ReasonRole)
	}
	return r, w.m.verified(w.Tx, r, false)
}

// callers lists the records of all callers, each verified: duties are kept apart
// from what the module wrote, not from what an administrator of the database did.
func (w *work) callers() ([]*Identity, error) {
	list, err := w.Identities.List(maxIdentities)
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		if err := w.m.verified(w.Tx, r, false); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func checkGrant(w *work, args []byte) error {
	g, err := decodeArgs[Grant](args)
	if err != nil {
		return err
	}
	return w.mayGrant(g)
}

func (w *work) mayGrant(g Grant) error {
	if err := g.check(w.m.cfg.Production); err != nil {
		return err
	}
	return w.separate(g)
}

// check is what a grant must be by itself. Only outside production may the key be
// left out: then any certificate of the caller CA with that name will do.
func (g Grant) check(production bool) error {
	key, err := hex.DecodeString(g.Key)
	switch {
	case !sap.ValidID(g.Name) || len(g.Name) > 64 || plainID(g.Name) == "":
		return fmt.Errorf("%w: name: 1 to 64 letters, digits and punctuation of identifiers", sap.ReasonInvalid)
	case !sap.ValidID(g.Person) || len(g.Person) > 64 || plainID(g.Person) == "":
		return fmt.Errorf("%w: person: 1 to 64 letters, digits and punctuation of identifiers", sap.ReasonInvalid)
	case !g.Role.valid():
		return fmt.Errorf("%w: role %q", sap.ReasonInvalid, clip(string(g.Role), 32))
	case g.Key == "" && !production:
		return nil
	case err != nil || len(key) != 32 || strings.ToLower(g.Key) != g.Key:
		return fmt.Errorf("%w: key: SHA-256 of the certificate's public key in lower-case hex", sap.ReasonInvalid)
	}
	return nil
}

// separate keeps duties apart (ROL-02, ROL-03): a name has one role and one
// person, a person has one role, names and persons differ by more than spelling,
// and who has a role is no signer.
func (w *work) separate(g Grant) error {
	list, err := w.callers()
	if err != nil {
		return err
	}
	renewed := slices.ContainsFunc(list, func(r *Identity) bool { return r.Name == g.Name })
	if len(list) >= maxIdentities && !renewed {
		return fmt.Errorf("%w: %d identities", sap.ReasonTooMany, len(list))
	}
	for _, r := range list {
		if err := g.apartFrom(r); err != nil {
			return err
		}
	}
	for _, id := range []string{g.Name, g.Person} {
		signers, err := w.Signers.Near(plainID(id))
		if err != nil {
			return err
		}
		if len(signers) != 0 {
			return fmt.Errorf("%w: %s is a signer, or too near to the signer %s", sap.ReasonSeparation, id, signers[0])
		}
	}
	return nil
}

func (g Grant) apartFrom(r *Identity) error {
	bad := func(what string) error { return fmt.Errorf("%w: %s", sap.ReasonSeparation, what) }
	switch {
	case r.Name == g.Name && (r.Role != g.Role || r.Person != g.Person):
		return bad(fmt.Sprintf("%s is %s of %s for ever", r.Name, r.Role, r.Person))
	case r.Name != g.Name && plainID(r.Name) == plainID(g.Name):
		return bad(fmt.Sprintf("the name %s is too near to %s", g.Name, r.Name))
	case r.Name != g.Name && r.Key != "" && r.Key == g.Key:
		return bad(fmt.Sprintf("%s has this key", r.Name))
	case r.Person != g.Person && samePerson(r.Person, g.Person):
		return bad(fmt.Sprintf("person %s is too near to %s", g.Person, r.Person))
	case r.Person == g.Person && r.Role != g.Role:
		return bad(fmt.Sprintf("%s is %s already, as %s", r.Person, r.Role, r.Name))
	}
	return nil
}

// noRole refuses a signer whose id is the name or person of someone with a role
// (ROL-03), in any spelling.
func (w *work) noRole(signer string) error {
	list, err := w.callers()
	if err != nil {
		return err
	}
	for _, r := range list {
		if plainID(r.Name) == plainID(signer) || plainID(r.Person) == plainID(signer) {
			return fmt.Errorf("%w: %s is %s", sap.ReasonSeparation, signer, r.Role)
		}
	}
	return nil
}

func applyGrant(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	g, err := decodeArgs[Grant](args)
	if err != nil {
		return nil, err
	}
	return nil, w.grant(g)
}

// grant writes the identity, effective for the next call.
func (w *work) grant(g Grant) error {
	r, err := w.Identities.Get(g.Name)
	fresh := isNotFound(err)
	if fresh {
		r, err = &Identity{Name: g.Name, Person: g.Person, Role: g.Role, Created: w.now.Unix()}, nil
	}
	if err != nil {
		return err
	}
	r.Key, r.State = g.Key, IdentityActive
	seq, err := w.log(EventGranted, audit.OK, "", audit.Data{
		"obj": r.object(), "identity": r.Name, "person": r.Person, "role": string(r.Role), "key": r.Key,
	})
	if err != nil {
		return err
	}
	w.m.grants.Add(1)
	w.stamp(r, seq)
	if w.m.ledger.revoked(r.Name) {
		w.noteLater(note{Kind: noteRole, ID: r.Name})
	}
	if fresh {
		return w.Identities.Insert(r)
	}
	return w.Identities.Update(r)
}

func checkRevoke(w *work, args []byte) error {
	_, err := w.revocable(args)
	return err
}

func (w *work) revocable(args []byte) (*Identity, error) {
	in, err := decodeArgs[Revoke](args)
	if err != nil {
		return nil, err
	}
	if in.Why == "" || !sap.Displayable(in.Why) {
		return nil, fmt.Errorf("%w: a reason is needed", sap.ReasonInvalid)
	}
	r, err := w.Identities.Get(in.Name)
	if err != nil {
		return nil, notFound(err, sap.ReasonInvalid)
	}
	if err := w.m.verified(w.Tx, r, false); err != nil {
		return nil, err
	}
	if r.State != IdentityActive {
		return nil, fmt.Errorf("%w: %s is %s", sap.ReasonState, r.Name, r.State)
	}
	return r, w.enoughOfficers(r)
}

// enoughOfficers keeps two persons who can decide: with fewer, nothing could be
// granted any more.
func (w *work) enoughOfficers(without *Identity) error {
	if without.Role != RoleOfficer {
		return nil
	}
	list, err := w.callers()
	if err != nil {
		return err
	}
	left := map[string]bool{}
	for _, r := range list {
		if r.Role == RoleOfficer && r.State == IdentityActive && r.Name != without.Name {
			left[plainID(r.Person)] = true
		}
	}
	if len(left) < 2 {
		return fmt.Errorf("%w: two officers must remain; grant another one first", sap.ReasonState)
	}
	return nil
}

func applyRevoke(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	r, err := w.revocable(args)
	if err != nil {
		return nil, err
	}
	r.State = IdentityRevoked
	seq, err := w.log(EventRevoked, audit.OK, "", audit.Data{"obj": r.object(), "identity": r.Name, "person": r.Person, "role": string(r.Role)})
	if err != nil {
		return nil, err
	}
	w.m.grants.Add(1)
	w.stamp(r, seq)
	if err := w.Identities.Update(r); err != nil {
		return nil, err
	}
	return nil, w.note(note{Kind: noteRole, ID: r.Name, Off: true})
}

// forgetRoles makes the next call of everyone read the records anew: a grant or
// revocation counts at once, on live connections too (IAM-04).
func forgetRoles(_ context.Context, m *Module, _ []byte) error {
	m.grants.Add(1)
	return nil
}

// Identities lists who may call, active or revoked (officer, administrator,
// auditor).
func (m *Module) Identities(ctx context.Context, c Caller) ([]*Identity, error) {
	if err := m.admit(ctx, c, OpRoles); err != nil {
		return nil, err
	}
	var out []*Identity
	err := m.view(ctx, func(tx *Tx) error {
		var err error
		if out, err = tx.Identities.List(maxIdentities); err != nil {
			return err
		}
		for _, r := range out {
			if err := m.verified(tx, r, true); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpRoles), err, audit.Data{})
	}
	return out, nil
}

// RawPermission is the argument of the decision raw_permission.
type RawPermission struct {
	Key string `json:"key"`
	Raw bool   `json:"raw"`
}

func checkRaw(w *work, args []byte) error {
	_, err := w.rawKey(args)
	return err
}

func (w *work) rawKey(args []byte) (*Credential, error) {
	in, err := decodeArgs[RawPermission](args)
	if err != nil {
		return nil, err
	}
	cred, err := w.Credentials.Get(in.Key)
	if err != nil {
		return nil, notFound(err, sap.ReasonKey)
	}
	if err := w.m.verified(w.Tx, cred, false); err != nil {
		return nil, err
	}
	if cred.State == KeyDestroyed || cred.Raw == in.Raw {
		return nil, fmt.Errorf("%w: %s, raw %t", sap.ReasonState, cred.State, cred.Raw)
	}
	cred.Raw = in.Raw
	return cred, nil
}

// applyRaw lets a key sign digests of unseen content, or not any more. What a
// signer cannot see is a weaker promise, so one officer alone cannot give it.
func applyRaw(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	cred, err := w.rawKey(args)
	if err != nil {
		return nil, err
	}
	seq, err := w.log(EventPermission, audit.OK, "", audit.Data{"obj": cred.object(), "key": cred.Key, "signer": cred.Signer, "raw": cred.Raw})
	if err != nil {
		return nil, err
	}
	w.stamp(cred, seq)
	return nil, w.Credentials.Update(cred)
}
