package sam_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// marks is a token that does something else with the marks of the sealing key.
type marks struct {
	samtest.Full
	cryptotoken.Rotator
	find error // that asking for one fails with
	make error // that making one fails with
	made int   // how often one was to be made
}

func isMark(ref cryptotoken.KeyRef) bool { return strings.HasPrefix(ref.Label, "assent-seal-epoch/") }

func (m *marks) Signer(ctx context.Context, ref cryptotoken.KeyRef) (cryptotoken.Signer, error) {
	if isMark(ref) && m.find != nil {
		return nil, m.find
	}
	return m.Full.Signer(ctx, ref)
}

func (m *marks) CreateKey(ctx context.Context, ref cryptotoken.KeyRef, kt algo.KeyType) (cryptotoken.Signer, error) {
	if isMark(ref) && m.make != nil {
		m.made++
		return nil, m.make
	}
	return m.Full.CreateKey(ctx, ref, kt)
}

func withMarks(w *samtest.World) *marks {
	m := &marks{Full: w.Token.Full, Rotator: w.Token.Full.(cryptotoken.Rotator)}
	w.Token.Full = m
	return m
}

// KPR-06, FPT-05: a token that cannot tell which epochs it has is not taken for one that
// has ended them: the module does not open, names the token, and opens as it was when the
// token answers again; nor does a restore say that its backup is worth nothing.
func TestKPR06SealTokenThatCannotTell(t *testing.T) {
	for name, c := range map[string]struct{ rotations, unsealed int }{
		"the first epoch": {}, "the second": {rotations: 1}, "two epochs": {rotations: 1, unsealed: 1},
	} {
		for _, lost := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", anchor lost"}[lost], func(t *testing.T) {
				w := samtest.New(t)
				s := w.NewSigner("alice", algo.P256)
				file := backUp(t, w)
				for i := range c.rotations {
					rotateSeal(t, w)
					if i >= c.unsealed {
						resealAll(t, w)
					}
				}
				low, now := sealsOf(t, w)
				closeAll(t, w)
				anchor := readFile(t, w.Cfg.AnchorPath)
				if lost {
					remove(t, w.Cfg.AnchorPath)
				}
				m := withMarks(w)
				m.find = cryptotoken.ErrUnavailable
				tells := func(what string, err error) {
					t.Helper()
					if !errors.Is(err, cryptotoken.ErrUnavailable) || strings.Contains(err.Error(), "destroyed") || strings.Contains(err.Error(), "before the change") {
						t.Errorf("%s: %v", what, err)
					}
				}
				err := w.Open()
				tells("open", err)
				if !errors.Is(err, sam.ErrOpen) {
					t.Errorf("open: %v", err)
				}
				tells("restore", restoreInto(t, w, w.DB()+".other", file))
				m.find = nil
				if lost {
					write(t, w.Cfg.AnchorPath, anchor)
				}
				if err := w.Open(); err != nil {
					t.Fatal(err)
				}
				if l, n := sealsOf(t, w); l != low || n != now {
					t.Errorf("epochs %d to %d, before %d to %d", l, n, low, now)
				}
				if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
					t.Error(err)
				}
				w.Check()
			})
		}
	}
}

// KPR-06: a token that has all numbers of epochs already gives no next one: the change is
// refused after so many questions, nothing is changed, and the module goes on.
func TestKPR06SealEpochsOfATokenAreBounded(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	m := withMarks(w)
	m.make = cryptotoken.ErrKeyExists
	_, err := w.Try(sam.DecideSeal, sam.RotateSeal{From: 1, Why: "yearly"})
	if !errors.Is(err, sap.ReasonToken) || !contains(err.Error(), "which is the most") || m.made != 999 {
		t.Errorf("after %d: %v", m.made, err)
	}
	if low, now := sealsOf(t, w); low != 1 || now != 1 || count(w, sam.EventSealKey) != 0 {
		t.Errorf("epochs %d to %d", low, now)
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
	m.make = nil
	rotateSeal(t, w)
	resealAll(t, w)
	w.Check()
}
