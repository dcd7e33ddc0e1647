package sam

import (
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// To destroy a key cannot be undone, so that no officer does it alone (ROL-04,
// KPR-07): it would take one stolen officer's certificate to end every signer's
// key. To take a key out of use is another matter, and one officer's at once
// (Module.SetCertificateStatus, Module.RevokeAuthenticator).

// Kinds of decisions that destroy keys.
const (
	DecideDestroy   = "key_destroy"
	DecideEndSigner = "signer_end"
)

// DestroyKey is the argument of the decision key_destroy. Signer and Cert tell the
// second officer whose key it is; both must be as the module has them, at the
// proposal and at the approval.
type DestroyKey struct {
	Key    string `json:"key"`
	Signer string `json:"signer"`
	Cert   string `json:"cert"` // SHA-256 of its certificate, hex; "" when it has none
	Why    string `json:"why"`
}

// EndSigner is the argument of the decision signer_end: because the signer asks for
// it, or because the last authenticator is lost, so that nobody can approve with
// the keys any more (KPR-07). One-time keys end with it, unnamed: they end within
// minutes anyway.
type EndSigner struct {
	Signer string   `json:"signer"`
	Cause  string   `json:"cause"` // CauseSigner or CauseAuthenticator
	Keys   []string `json:"keys"`  // all that are not destroyed yet, in ascending order
	Why    string   `json:"why"`
}

func checkDestroy(w *work, args []byte) error {
	_, _, err := w.destructible(args)
	return err
}

func (w *work) destructible(args []byte) (DestroyKey, *Credential, error) {
	in, err := decodeArgs[DestroyKey](args)
	if err != nil {
		return in, nil, err
	}
	if err := reasonGiven(in.Why); err != nil {
		return in, nil, err
	}
	cred, err := w.credential(in.Key)
	if err != nil {
		return in, nil, err
	}
	switch {
	case cred.State == KeyDestroyed:
		return in, nil, fmt.Errorf("%w: key %s is destroyed already", sap.ReasonState, cred.Key)
	case in.Signer != cred.Signer:
		return in, nil, fmt.Errorf("%w: key %s is another signer's", sap.ReasonSigner, cred.Key)
	case in.Cert != hex.EncodeToString(cred.CertHash):
		return in, nil, fmt.Errorf("%w: key %s has another certificate than the proposal says; propose it again", sap.ReasonState, cred.Key)
	}
	return in, cred, nil
}

// applyDestroy destroys a key for ever (ROL-04, KPR-07): the wrapped key is
// overwritten and a tombstone stays, so that a restored backup cannot bring it back
// unnoticed (KPR-08).
func applyDestroy(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	in, cred, err := w.destructible(args)
	if err != nil {
		return nil, err
	}
	cause := CauseOfficer
	if cred.State == KeyRevoked {
		cause = CauseRevoked
	}
	return audit.Data{"key": cred.Key, "signer": cred.Signer}, w.retire(cred, cause, in.Why)
}

func checkEndSigner(w *work, args []byte) error {
	_, err := w.endable(args)
	return err
}

func (w *work) endable(args []byte) (EndSigner, error) {
	in, err := decodeArgs[EndSigner](args)
	if err != nil {
		return in, err
	}
	if in.Cause != CauseSigner && in.Cause != CauseAuthenticator {
		return in, fmt.Errorf("%w: cause is %s or %s", sap.ReasonInvalid, CauseSigner, CauseAuthenticator)
	}
	if err := reasonGiven(in.Why); err != nil {
		return in, err
	}
	list, err := w.liveKeys(in.Signer)
	if err != nil {
		return in, err
	}
	live := make([]string, len(list))
	for i, cred := range list {
		live[i] = cred.Key
	}
	slices.Sort(live)
	if !slices.Equal(in.Keys, live) {
		return in, fmt.Errorf("%w: the signer's keys are others (%d) than the proposal says (%d); propose it again", sap.ReasonState, len(live), len(in.Keys))
	}
	return in, nil
}

// applyEndSigner destroys all keys of a signer (ROL-04, KPR-07).
func applyEndSigner(w *work, _ [2]Caller, args []byte) (audit.Data, error) {
	in, err := w.endable(args)
	if err != nil {
		return nil, err
	}
	n, err := w.endKeys(in.Signer, in.Cause, in.Why)
	return audit.Data{"signer": in.Signer, "keys": n}, err
}
