package samtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
)

// Args is the canonical form of a decision's arguments.
func (w *World) Args(args any) []byte {
	w.T.Helper()
	text, err := jcs.Marshal(args)
	if err != nil {
		w.T.Fatal(err)
	}
	return text
}

// Try has Officer propose and Second approve.
func (w *World) Try(kind string, args any) (*sam.Proposal, error) {
	w.T.Helper()
	ctx := context.Background()
	p, err := w.M.Propose(ctx, Officer, kind, w.Args(args))
	if err != nil {
		return nil, err
	}
	return w.M.Approve(ctx, Second, p.ID)
}

// Decide is Try for what has to work.
func (w *World) Decide(kind string, args any) *sam.Proposal {
	w.T.Helper()
	p, err := w.Try(kind, args)
	if err != nil {
		w.T.Fatal(err)
	}
	return p
}

// Accept has both officers accept what the module waits for.
func (w *World) Accept(kind string) (*sam.Proposal, error) {
	w.T.Helper()
	return w.Try(kind, w.Waits(kind))
}

// Waits returns the arguments with which a decision of the kind is proposed; nil
// when the module does not wait for one.
func (w *World) Waits(kind string) any {
	w.T.Helper()
	st, err := w.M.Status(context.Background(), Watch)
	if err != nil {
		return nil
	}
	for _, x := range st.Waiting {
		switch {
		case x.Kind != kind:
		case kind == sam.DecidePolicy:
			in := decode[sam.AcceptPolicy](w, x.Args)
			in.Why = "planned"
			return in
		case kind == sam.DecideRestore:
			in := decode[sam.AcceptRestore](w, x.Args)
			in.Why = "disk failed"
			return in
		}
	}
	return nil
}

func decode[T any](w *World, text []byte) T {
	w.T.Helper()
	var v T
	if err := jcs.Unmarshal(text, &v); err != nil {
		w.T.Fatal(err)
	}
	return v
}

// Destruction is the argument of the decision key_destroy for a key as it is now.
func (w *World) Destruction(key string) sam.DestroyKey {
	w.T.Helper()
	in := sam.DestroyKey{Key: key, Why: "not needed any more"}
	list, err := w.M.Credentials(context.Background(), Officer, "", key)
	if err != nil || len(list) != 1 {
		return in // refused, as it should be
	}
	in.Signer = list[0].Signer
	if len(list[0].Chain) > 0 {
		sum := sha256.Sum256(list[0].Chain[0])
		in.Cert = hex.EncodeToString(sum[:])
	}
	return in
}

// Destroy has both officers destroy a key.
func (w *World) Destroy(key string) error {
	w.T.Helper()
	_, err := w.Try(sam.DecideDestroy, w.Destruction(key))
	return err
}

// End is the argument of the decision signer_end for a signer's keys as they are
// now.
func (w *World) End(signer, cause, why string) sam.EndSigner {
	w.T.Helper()
	in := sam.EndSigner{Signer: signer, Cause: cause, Keys: []string{}, Why: why}
	list, err := w.M.Credentials(context.Background(), Officer, signer, "")
	if err != nil {
		return in // refused, as it should be
	}
	for _, v := range list {
		if v.State != sam.KeyDestroyed {
			in.Keys = append(in.Keys, v.Key)
		}
	}
	slices.Sort(in.Keys)
	return in
}

// EndSigner has both officers destroy all keys of a signer.
func (w *World) EndSigner(signer, cause, why string) error {
	w.T.Helper()
	_, err := w.Try(sam.DecideEndSigner, w.End(signer, cause, why))
	return err
}
