package sam_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// gathering is a store that lets the first outcome wait until others wait behind it, and
// in which the outcome of one session cannot be written.
type gathering struct {
	sam.Store
	mu    sync.Mutex
	ready func() // until the others are there; nil: no waiting
	lose  string // session
}

func (g *gathering) Update(ctx context.Context, fn func(*sam.Tx) error) error {
	return g.Store.Update(ctx, func(tx *sam.Tx) error {
		own := *tx
		own.Activations = gathered{tx.Activations, g}
		return fn(&own)
	})
}

type gathered struct {
	sam.ActivationTable
	g *gathering
}

func (t gathered) Update(a *sam.Activation) error {
	if a.State != sam.ActConsumed {
		return t.ActivationTable.Update(a)
	}
	t.g.mu.Lock()
	ready, lose := t.g.ready, t.g.lose
	t.g.ready = nil
	t.g.mu.Unlock()
	if ready != nil {
		ready()
	}
	if string(a.Session) == lose {
		return samtest.ErrFault
	}
	return t.ActivationTable.Update(a)
}

// barrier holds calls that have used their keys until all have, and then lets one go
// before the others.
type barrier struct {
	n          int64
	arrived    atomic.Int64
	all, first chan struct{}
}

func (b *barrier) step(s sam.Step) {
	if s != sam.StepSigned {
		return
	}
	k := b.arrived.Add(1)
	if k == b.n {
		close(b.all)
	}
	if k > b.n {
		return
	}
	<-b.all
	if k > 1 {
		<-b.first
	}
}

// SAP-03, I4: outcomes that wait together are committed together, under one signature, and
// each caller gets its own; one of them that cannot be recorded is withheld, and does not
// take the others with it.
func TestSAP03OutcomesTogether(t *testing.T) {
	const n = 5
	for _, lost := range []bool{false, true} {
		together := &barrier{n: n, all: make(chan struct{}), first: make(chan struct{})}
		w := samtest.New(t, func(c *sam.Config) { c.Hook = together.step })
		var signers []*samtest.Signer
		for _, name := range []string{"anna", "bela", "cora", "dora", "edda"} {
			signers = append(signers, w.NewSigner(name, algo.P256))
		}
		closeAll(t, w)
		db, err := samsqlite.Open(samsqlite.Config{Path: w.DB()})
		if err != nil {
			t.Fatal(err)
		}
		g := &gathering{Store: db}
		w.Store = &samtest.Store{Store: g}
		w.Cfg.Store = w.Store
		if w.M, err = sam.Open(context.Background(), w.Cfg); err != nil {
			t.Fatal(err)
		}
		var sads, proofs [n][]byte
		for i, s := range signers {
			sads[i], proofs[i] = w.Approve(s, 1)
		}
		if lost {
			full, err := sap.DecodeSAD(sads[2])
			if err != nil {
				t.Fatal(err)
			}
			session, err := sap.UnB64(full.Bind.Session)
			if err != nil {
				t.Fatal(err)
			}
			g.lose = string(session)
		}
		g.ready = func() {
			close(together.first)
			for end := time.Now().Add(20 * time.Second); w.M.WaitingOutcomes() < n-1 && time.Now().Before(end); {
				runtime.Gosched()
			}
		}
		var answers [n][]byte
		var errs [n]error
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { answers[i], errs[i] = w.Redeem(sads[i], proofs[i]) })
		}
		wg.Wait()
		groups := map[int]int{}
		for i := range n {
			if lost && i == 2 {
				if !errors.Is(errs[i], sap.ReasonStore) || answers[i] != nil {
					t.Errorf("the lost one: %q, %v", answers[i], errs[i])
				}
				continue
			}
			if errs[i] != nil {
				t.Errorf("%s: %v", signers[i].ID, errs[i])
				continue
			}
			a, r := w.Decode(answers[i])
			if r.SAD != sap.B64(sads[i]) {
				t.Errorf("%s got the answer of another", signers[i].ID)
			}
			groups[a.Receipt.Size]++
		}
		if !lost && (groups[1] != 1 || groups[n-1] != n-1) {
			t.Errorf("groups: %v", groups)
		}
		if got := count(w, sam.EventSigned); lost && got != n-1 || !lost && got != n {
			t.Errorf("%d outcomes are on record", got)
		}
		if lost {
			w.Crash()
			refused(t, w, sap.ReasonBurnt, func() error { _, err := w.Redeem(sads[2], proofs[2]); return err })
		}
		w.Check()
	}
}

// FPT-01, SAP-03: a statement key that does not sign: no offer goes out, nothing of it is
// kept, and a signature whose receipt cannot be signed is withheld, for ever. Afterwards
// everything works again.
func TestFPT01StatementKeyThatDoesNotSign(t *testing.T) {
	o := newOnceWorld(t)
	ctx := context.Background()
	bob := o.NewSigner("bob", algo.P256)
	if _, err := o.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p"}); err != nil {
		t.Fatal(err)
	}
	code, err := o.M.OpenEnrolment(ctx, samtest.Officer, "carol")
	if err != nil {
		t.Fatal(err)
	}
	away := errors.New("the token is away")
	for what, call := range map[string]func() (sap.Signed, error){
		"activation": func() (sap.Signed, error) {
			return o.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: bob.ID, Key: bob.Key, N: 1})
		},
		"one-time key": func() (sap.Signed, error) { return o.M.RequestOneTime(ctx, samtest.SSPU, askOnce) },
		"enrolment":    func() (sap.Signed, error) { return o.M.BeginEnrolment(ctx, samtest.SSPU, code.ID) },
		"change": func() (sap.Signed, error) {
			return o.M.BeginChange(ctx, samtest.SSPU, sam.AskChange{Signer: "alice", Action: sap.ActionAdd})
		},
	} {
		o.Token.FailNamed(away)
		before := kept(t, o.World)
		signed, err := call()
		if !errors.Is(err, sap.ReasonToken) || signed.Statement != "" {
			t.Errorf("%s: %+v, %v", what, signed, err)
		}
		if after := kept(t, o.World); after != before {
			t.Errorf("%s: %s, before %s", what, after, before)
		}
		o.Token.FailNamed(nil)
		if _, err := call(); err != nil {
			t.Errorf("%s, afterwards: %v", what, err)
		}
	}
	sad, proof := o.Approve(bob, 1)
	o.Token.FailNamed(away)
	answer, err := o.Redeem(sad, proof)
	if !errors.Is(err, sap.ReasonToken) || answer != nil {
		t.Errorf("redeem: %q, %v", answer, err)
	}
	o.Token.FailNamed(nil)
	if answer, err := o.Redeem(sad, proof); !errors.Is(err, sap.ReasonBurnt) || answer != nil { // with the record of its end
		t.Errorf("again: %q, %v", answer, err)
	}
	refused(t, o.World, sap.ReasonBurnt, func() error { _, err := o.Redeem(sad, proof); return err })
	if n := count(o.World, sam.EventSigned); n != 0 {
		t.Errorf("%d outcomes are on record", n)
	}
	if _, err := o.Redeem(o.Approve(bob, 1)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// kept says how many offers the database has.
func kept(t *testing.T, w *samtest.World) (text string) {
	t.Helper()
	query := "SELECT (SELECT count(*) FROM activation) || ' sessions, ' || (SELECT count(*) FROM onetime) || ' one-time keys, ' || (SELECT coalesce(sum(begun), 0) || ' requests of ' || count(*) || ' enrolments' FROM enrolment)"
	if err := dba(t, w).QueryRow(query).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// SAP-06, PRV-03: an approval under a policy that two officers have taken out of the
// configuration since is worth nothing: the policies of now count, not those of the offer.
func TestPRV03PolicyThatIsGone(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1, Policy: "bulk"})
	full, err := s.Device.SAD(req, s.Items(t, req, 1))
	if err != nil {
		t.Fatal(err)
	}
	sad, proof, err := s.Device.Sign(full)
	if err != nil {
		t.Fatal(err)
	}
	kept := w.Cfg.Policies
	w.Cfg.Policies = []sam.Policy{kept[0], kept[2]}
	closeAll(t, w)
	if err := w.OpenAccepted(); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonPolicy, func() error { _, err := w.Redeem(sad, proof); return err })
}
