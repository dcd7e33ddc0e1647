package samtest

import (
	"context"

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
