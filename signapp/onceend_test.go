package signapp_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/apptest"
	"github.com/assent-sign/assent/workers"
)

// grace is how long an approval whose answer was lost may be repeated.
const grace = 15 * time.Second

// lostKey is an operation whose one-time key the module made, of which the application
// knows no more than that it asked for it.
type lostKey struct {
	*apptest.Rig
	g                signapp.Grant
	statement, proof []byte
}

// loseKey has a key made whose answer is lost, by a death of the process before or after
// the n-th commit of the way to it, or else (n 0) on the way from the module.
func loseKey(t *testing.T, n int, after bool) *lostKey {
	t.Helper()
	l := &lostKey{Rig: onceRig(t)}
	l.g, _ = l.Open(apptest.Login("anna", "s1"), l.Create("anna", "one").ID)
	offer, err := l.Service.RequestOneTime(bg, l.g)
	if err != nil {
		t.Fatal(err)
	}
	l.statement, l.proof = l.Module.Device("anna").ApproveOnce(t, *offer)
	if n == 0 {
		l.Module.Set(apptest.Vice{LoseAnswer: true})
	} else {
		l.Store.DieAt(n, after)
	}
	if _, err := l.Service.ApproveOneTime(bg, l.g, l.statement, l.proof); err == nil {
		t.Fatal("answered")
	}
	l.Module.Set(apptest.Vice{})
	if n != 0 {
		l.Restart()
	}
	return l
}

func (l *lostKey) step(t *testing.T, later time.Duration) {
	t.Helper()
	l.Clock.Advance(later)
	if err := l.Service.Step(bg); err != nil {
		t.Fatal(err)
	}
}

// signs lets the signer approve another key, and sign with it.
func (l *lostKey) signs(t *testing.T) {
	t.Helper()
	v := approveOnce(t, l.Rig, l.g)
	sad, proof := l.Approve(l.g, v)
	if _, err := l.Service.Redeem(bg, l.g, sad, proof); err != nil {
		t.Fatal(err)
	}
	if o := l.Await(l.g.Operation); o.State != signapp.StateFinished {
		t.Errorf("%+v", o)
	}
}

// KEY-10: a one-time key whose making the application did not hear of, because it died
// before it stored the answer or the answer was lost, is given up when the signer's app
// does not ask again, by the process that runs then. The signer approves another, and the
// operation expires when it would have expired.
func TestKEY10KeyThatNobodyHeardOfIsGivenUp(t *testing.T) {
	for name, n := range map[string]int{"died before it was stored": 2, "answer lost": 0} {
		t.Run(name, func(t *testing.T) {
			l := loseKey(t, n, false)
			l.step(t, grace-time.Millisecond)
			if got := l.Module.OnceGivenUp(); l.Module.OnceMade() != 1 || len(got) != 0 {
				t.Fatalf("%d made, given up: %v", l.Module.OnceMade(), got)
			}
			l.step(t, time.Millisecond)
			if got := l.Module.OnceGivenUp(); len(got) != 1 {
				t.Fatalf("given up: %v", got)
			}
			if _, err := l.Service.ApproveOneTime(bg, l.g, l.statement, l.proof); !errors.Is(err, signapp.ErrState) {
				t.Errorf("the approval of a key that was given up: %v", err)
			}
			l.step(t, time.Hour)
			if got := l.Module.OnceGivenUp(); len(got) != 1 {
				t.Fatalf("given up: %v", got)
			}
			g, _ := l.Open(apptest.Login("anna", "s2"), l.g.Operation)
			l.g = g
			l.signs(t)
		})
	}
	t.Run("expires in its time", func(t *testing.T) {
		l := loseKey(t, 2, false)
		l.step(t, grace)
		op, err := l.Service.Get(bg, apptest.Acme, l.g.Operation)
		if err != nil {
			t.Fatal(err)
		}
		l.step(t, op.Expires.Sub(l.Clock.Now()))
		if op, err = l.Service.Get(bg, apptest.Acme, l.g.Operation); err != nil || op.State != signapp.StateExpired {
			t.Errorf("%+v, %v", op, err)
		}
	})
}

// KEY-10: whatever the signer or the client does next with an operation whose key was
// lost, the key is given up at once, and once.
func TestKEY10LostKeyEndsWithWhatComesNext(t *testing.T) {
	for name, next := range map[string]func(*testing.T, *lostKey){
		"another is asked for": func(t *testing.T, l *lostKey) {
			if _, err := l.Service.RequestOneTime(bg, l.g); err != nil {
				t.Fatal(err)
			}
		},
		"another is wanted": func(t *testing.T, l *lostKey) {
			if v, err := l.Service.EndOneTime(bg, l.g); err != nil || !v.OneTime {
				t.Fatalf("%+v, %v", v, err)
			}
		},
		"declined": func(t *testing.T, l *lostKey) {
			if _, err := l.Service.Decline(bg, l.g, ""); err != nil {
				t.Fatal(err)
			}
		},
		"cancelled": func(t *testing.T, l *lostKey) {
			if _, err := l.Service.Cancel(bg, apptest.Acme, l.g.Operation); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{0, 2} {
				l := loseKey(t, n, false)
				next(t, l)
				if got := l.Module.OnceGivenUp(); len(got) != 1 {
					t.Fatalf("given up: %v", got)
				}
				l.step(t, grace)
				if got := l.Module.OnceGivenUp(); len(got) != 1 {
					t.Fatalf("given up: %v", got)
				}
			}
		})
	}
	t.Run("the same approval", func(t *testing.T) {
		l := loseKey(t, 2, false)
		v, err := l.Service.ApproveOneTime(bg, l.g, l.statement, l.proof)
		if err != nil || v.OneTime {
			t.Fatalf("%+v, %v", v, err)
		}
		l.step(t, grace)
		sad, proof := l.Approve(l.g, v)
		if _, err := l.Service.Redeem(bg, l.g, sad, proof); err != nil {
			t.Fatal(err)
		}
		if o := l.Await(l.g.Operation); o.State != signapp.StateFinished || len(l.Module.OnceGivenUp()) != 0 {
			t.Errorf("%+v, given up %v", o, l.Module.OnceGivenUp())
		}
	})
}

// KEY-10, FPT-05: a key that the module cannot end now is asked for again: when it is
// away, until it answers; when it refuses, because the key is in the making or was never
// made, a number of times. The operation is the signer's all the while.
func TestKEY10LostKeyIsAskedForAgain(t *testing.T) {
	t.Run("the module is away", func(t *testing.T) {
		l := loseKey(t, 2, false)
		l.Module.Set(apptest.Vice{Down: true})
		for range 20 {
			l.step(t, time.Minute)
		}
		l.Module.Set(apptest.Vice{})
		if got := l.Module.OnceGivenUp(); len(got) != 0 {
			t.Fatalf("given up: %v", got)
		}
		l.step(t, 5*time.Minute)
		if got := l.Module.OnceGivenUp(); len(got) != 1 {
			t.Fatalf("given up: %v", got)
		}
	})
	t.Run("the module refuses", func(t *testing.T) {
		l := loseKey(t, 2, false)
		l.Module.Set(apptest.Vice{Refuse: true})
		l.step(t, grace)
		l.Module.Set(apptest.Vice{})
		l.step(t, time.Second)
		if got := l.Module.OnceGivenUp(); len(got) != 1 {
			t.Fatalf("given up: %v", got)
		}
	})
	t.Run("it never heard of it", func(t *testing.T) {
		l := loseKey(t, 1, true)
		calls := l.Module.OnceEnds()
		for range 100 {
			l.step(t, time.Minute)
		}
		if n := l.Module.OnceEnds() - calls; n != 8 || len(l.Module.OnceGivenUp()) != 0 {
			t.Errorf("asked %d times, given up %v", n, l.Module.OnceGivenUp())
		}
		g, _ := l.Open(apptest.Login("anna", "s2"), l.g.Operation)
		l.g = g
		l.signs(t)
	})
}

// meanwhile is a set of one worker that lets something happen while it prepares.
type meanwhile struct {
	workers.Worker
	happen atomic.Pointer[func()]
}

func (m *meanwhile) Get(string) (*workers.Entry, error) {
	return &workers.Entry{Worker: m, Info: workers.Info{Kind: "paper", Activation: true}}, nil
}

func (m *meanwhile) List() []workers.Info { return nil }

func (m *meanwhile) Prepare(ctx context.Context, in workers.Input, out workers.Output) (*workers.Prepared, error) {
	if f := m.happen.Swap(nil); f != nil {
		(*f)()
	}
	return m.Worker.Prepare(ctx, in, out)
}

// KEY-10, I4: an operation that ends while its documents are prepared around the one-time key, by the client's word, the
// signer's or its time, leaves neither documents nor a key.
func TestKEY10EndedWhileItIsPrepared(t *testing.T) {
	for name, end := range map[string]func(r *apptest.Rig, g signapp.Grant) error{
		"cancelled": func(r *apptest.Rig, g signapp.Grant) error {
			_, err := r.Service.Cancel(bg, apptest.Acme, g.Operation)
			return err
		},
		"declined": func(r *apptest.Rig, g signapp.Grant) error {
			_, err := r.Service.Decline(bg, g, "no")
			return err
		},
		"expired": func(r *apptest.Rig, _ signapp.Grant) error {
			r.Clock.Advance(25 * time.Hour)
			return r.Service.Step(bg)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &meanwhile{Worker: &apptest.Worker{}}
			r := onceRig(t, func(c *signapp.Config) { c.Workers = m })
			g, _ := r.Open(apptest.Login("anna", "s1"), r.Create("anna", "one").ID)
			offer, err := r.Service.RequestOneTime(bg, g)
			if err != nil {
				t.Fatal(err)
			}
			statement, proof := r.Module.Device("anna").ApproveOnce(t, *offer)
			happen := func() {
				if err := end(r, g); err != nil {
					t.Error(err)
				}
			}
			m.happen.Store(&happen)
			if _, err := r.Service.ApproveOneTime(bg, g, statement, proof); err == nil {
				t.Error("answered")
			}
			left, err := filepath.Glob(filepath.Join(r.Dir, "files", "p*", "*"))
			if err != nil || len(left) != 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
			if made, ended := r.Module.OnceMade(), r.Module.OnceEnds(); made != 1 || ended < 1 {
				t.Errorf("%d keys made, %d given up", made, ended)
			}
		})
	}
}
