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
