package signapp_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/apptest"
	"github.com/assent-sign/assent/workers"
)

// settle waits until the operation has ended or the process is dead.
func settle(t *testing.T, r *apptest.Rig, id string) {
	t.Helper()
	for range 2000 {
		if r.Store.Dead() {
			return
		}
		ctx, cancel := context.WithTimeout(bg, 5*time.Millisecond)
		op, err := r.Service.Wait(ctx, apptest.Acme, id)
		cancel()
		if err == nil && op.State.Terminal() {
			return
		}
	}
	t.Fatal("neither finished nor dead")
}

// F21, I1, I3, I4 (crash points 7 to 17 of the SSA): whatever commit the process
// dies at, before or after it, the operation ends finished with one key use and
// the signer's one approval.
func TestCrashAtEveryCommitAfterApproval(t *testing.T) {
	for point := 1; ; point++ {
		reached := false
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("commit %d, after=%v", point, after), func(t *testing.T) {
				r := newRig(t, nil)
				op := r.Create("anna", "first", "second")
				g, v := r.Open(apptest.Login("anna", "s"), op.ID)
				sad, proof := r.Approve(g, v)
				r.Store.DieAt(point, after)
				_, err := r.Service.Redeem(bg, g, sad, proof)
				settle(t, r, op.ID)
				reached = reached || r.Store.Dead()
				if err != nil && !errors.Is(err, apptest.ErrDead) {
					t.Fatal(err)
				}
				r.Restart()
				if err := r.Service.Resume(bg); err != nil {
					t.Fatal(err)
				}
				now, err := r.Service.Get(bg, apptest.Acme, op.ID)
				if err != nil {
					t.Fatal(err)
				}
				if now.State == signapp.StateShown {
					if point != 1 || after {
						t.Fatalf("a stored approval was lost")
					}
					// The signer's app was told nothing and repeats the same bytes.
					if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
						t.Fatal(err)
					}
				}
				checkFinished(t, r, r.Await(op.ID), "first", "second")
				if keys, _ := r.Module.Uses(); keys != 2 {
					t.Fatalf("%d key uses for 2 items", keys)
				}
			})
		}
		if !reached {
			if point < 4 { // approved, signed, finished
				t.Fatalf("only %d commits were tried", point-1)
			}
			return
		}
	}
}

// F21: the answer of the module is lost, and the process dies before it asks
// again; the repetition costs no second key use.
func TestCrashWithLostAnswer(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "text")
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	r.Module.Set(apptest.Vice{LoseAnswer: true})
	got, err := r.Service.Redeem(bg, g, sad, proof)
	if err != nil || got.State != signapp.StateApproved {
		t.Fatalf("%v, %v", got, err)
	}
	r.Restart()
	r.Module.Set(apptest.Vice{})
	if err := r.Service.Resume(bg); err != nil {
		t.Fatal(err)
	}
	checkFinished(t, r, r.Await(op.ID), "text")
	if keys, redeems := r.Module.Uses(); keys != 1 || redeems != 2 {
		t.Fatalf("%d key uses, %d redemptions", keys, redeems)
	}
}

// F21 (crash point 11): killed in the middle of finishing one of several
// documents, the others done or not; finishing again gives the same result.
func TestCrashInsideFinish(t *testing.T) {
	for kill := 1; kill <= 3; kill++ {
		r := newRig(t, func(c *signapp.Config) { c.Limits.Parallel = 1 })
		op := r.Create("anna", "one", "two", "three")
		g, v := r.Open(apptest.Login("anna", "s"), op.ID)
		sad, proof := r.Approve(g, v)
		r.Paper.FailFinish(nil, func(call int) error {
			if call == kill {
				r.Store.Kill()
				return errors.New("killed")
			}
			return nil
		})
		if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil && !errors.Is(err, apptest.ErrDead) {
			t.Fatal(err)
		}
		settle(t, r, op.ID)
		r.Restart()
		if o, err := r.Service.Get(bg, apptest.Acme, op.ID); err != nil || o.State != signapp.StateSigned {
			t.Fatalf("after the kill: %v, %v", o, err)
		}
		_, _, err := r.Service.Result(bg, apptest.Acme, op.ID, 0)
		want(t, err, signapp.ErrState) // a half finished document is not delivered
		if err := r.Service.Resume(bg); err != nil {
			t.Fatal(err)
		}
		checkFinished(t, r, r.Await(op.ID), "one", "two", "three")
	}
}

// F21 (crash points 1 to 5): a crash while creating leaves either a whole
// operation or nothing, no files without an owner.
func TestCrashInUploadAndCreate(t *testing.T) {
	for _, after := range []bool{false, true} {
		r := newRig(t, nil)
		r.Create("anna", "kept")
		doc := r.Upload("text")
		r.Store.DieAt(1, after)
		if _, err := r.Service.Upload(bg, apptest.Acme, "x.pdf", strings.NewReader("lost")); !errors.Is(err, apptest.ErrDead) {
			t.Fatal(err)
		}
		r.Restart()
		r.Store.DieAt(1, after)
		_, err := r.Service.Create(bg, apptest.Acme, signapp.NewOperation{Signer: "anna", Items: []signapp.NewItem{{Document: doc.ID, Worker: "paper"}}})
		want(t, err, apptest.ErrDead)
		// What a kill in the middle of writing would leave:
		for _, f := range []string{"partial/ABC", "prepared/op-none.0", "documents/doc-none"} {
			if err := os.WriteFile(filepath.Join(r.Config.Dir, f), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r.Restart()
		ops, err := r.Service.AllOperations(bg, 10)
		if err != nil {
			t.Fatal(err)
		}
		wantOps := 1
		if after {
			wantOps = 2
		}
		if len(ops) != wantOps {
			t.Fatalf("after=%v: %d operations", after, len(ops))
		}
		// Every operation that exists can be signed: its file is whole.
		for _, o := range ops {
			g, v := r.Open(apptest.Login("anna", "s"), o.ID)
			f, _, err := r.Service.ItemDocument(bg, g, 0)
			if got := apptest.ReadAll(t, f, err); int64(len(got)) != v.Items[0].Size {
				t.Fatalf("operation %s: %d bytes of %d", o.ID, len(got), v.Items[0].Size)
			}
		}
		if n := countFiles(t, r, "partial"); n != 0 {
			t.Errorf("%d partial files", n)
		}
		if n := countFiles(t, r, "prepared"); n > wantOps {
			t.Errorf("%d prepared files for %d operations", n, wantOps)
		}
		if n := countFiles(t, r, "documents"); n > 3 {
			t.Errorf("%d documents", n)
		}
	}
}

// The module is away at the approval: the operation waits, is tried again with
// growing distance, and finishes when the module is back.
func TestModuleAway(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "text")
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	r.Module.Set(apptest.Vice{Down: true})
	got, err := r.Service.Redeem(bg, g, sad, proof)
	if err != nil || got.State != signapp.StateApproved || got.Receipt != nil {
		t.Fatalf("%v, %v", got, err)
	}
	_, before := r.Module.Uses()
	if err := r.Service.Step(bg); err != nil { // not due yet
		t.Fatal(err)
	}
	if _, now := r.Module.Uses(); now != before {
		t.Fatal("tried again at once")
	}
	for range 3 {
		r.Clock.Advance(time.Minute)
		if err := r.Service.Step(bg); err != nil {
			t.Fatal(err)
		}
	}
	if _, now := r.Module.Uses(); now != before+3 {
		t.Fatalf("%d tries", now-before)
	}
	_, err = r.Service.Cancel(bg, apptest.Acme, op.ID)
	want(t, err, signapp.ErrState) // approved: the signature may exist
	r.Module.Set(apptest.Vice{})
	r.Clock.Advance(time.Minute)
	if err := r.Service.Step(bg); err != nil {
		t.Fatal(err)
	}
	checkFinished(t, r, r.Await(op.ID), "text")
}

// ... and when it stays away until the approval is worth nothing, the operation
// fails with a reason.
func TestModuleStaysAway(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "text")
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	r.Module.Set(apptest.Vice{Down: true})
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	r.Clock.Advance(23 * time.Hour)
	if err := r.Service.Step(bg); err != nil {
		t.Fatal(err)
	}
	if o, err := r.Service.Get(bg, apptest.Acme, op.ID); err != nil || o.State != signapp.StateApproved {
		t.Fatalf("%v, %v", o, err)
	}
	r.Clock.Advance(2 * time.Hour)
	if err := r.Service.Step(bg); err != nil {
		t.Fatal(err)
	}
	if o := r.Await(op.ID); o.State != signapp.StateFailed || o.Reason != signapp.ReasonUnavailable {
		t.Fatalf("%s %s", o.State, o.Reason)
	}
}

// A refusal of the module is final and opaque, with the number of its record.
func TestModuleRefuses(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "text")
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	r.Module.Set(apptest.Vice{Refuse: true})
	_, err := r.Service.Redeem(bg, g, sad, proof)
	want(t, err, signapp.ErrRefused)
	o := r.Await(op.ID)
	if o.State != signapp.StateFailed || o.Reason != "refused ref=17" {
		t.Fatalf("%s %q", o.State, o.Reason)
	}
	_, err = r.Service.Receipt(bg, apptest.Acme, op.ID)
	want(t, err, signapp.ErrState)
	if n := countFiles(t, r, "prepared"); n != 0 {
		t.Errorf("%d files kept", n)
	}
	if _, err := r.Service.RequestActivation(bg, g); !errors.Is(err, signapp.ErrState) {
		t.Fatal(err)
	}
}

// T20 turned round: a module that lies is not believed; nothing of a wrong
// answer is delivered.
func TestModuleLies(t *testing.T) {
	for name, lie := range map[string]func(*sapclient.RedeemOut){
		"signature of other bytes": func(o *sapclient.RedeemOut) {
			s := append([]byte(nil), o.Signatures[0]...)
			s[len(s)-1] ^= 1
			o.Signatures[0] = s
		},
		"signatures exchanged": func(o *sapclient.RedeemOut) { o.Signatures[0], o.Signatures[1] = o.Signatures[1], o.Signatures[0] },
		"one missing":          func(o *sapclient.RedeemOut) { o.Signatures = o.Signatures[:1] },
		"one more":             func(o *sapclient.RedeemOut) { o.Signatures = append(o.Signatures, o.Signatures[0]) },
		"none":                 func(o *sapclient.RedeemOut) { o.Signatures = nil },
		"no receipt":           func(o *sapclient.RedeemOut) { o.Receipt = sap.SignedReceipt{} },
		"receipt not signed":   func(o *sapclient.RedeemOut) { o.Receipt.Signature = sap.B64(make([]byte, 64)) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			op := r.Create("anna", "one", "two")
			g, v := r.Open(apptest.Login("anna", "s"), op.ID)
			sad, proof := r.Approve(g, v)
			r.Module.Set(apptest.Vice{Lie: lie})
			_, err := r.Service.Redeem(bg, g, sad, proof)
			want(t, err, signapp.ErrRefused)
			o := r.Await(op.ID)
			if o.State != signapp.StateFailed || o.Reason != signapp.ReasonAnswer || o.Signatures != nil || o.Receipt != nil {
				t.Fatalf("%+v", o)
			}
			if r.Paper.Finishes() != 0 {
				t.Error("a document was finished")
			}
		})
	}
}

// The receipt of another approval is not taken for this one's.
func TestModuleGivesOtherReceipt(t *testing.T) {
	r := newRig(t, nil)
	var earlier sap.SignedReceipt
	for i := range 2 {
		op := r.Create("anna", rand.Text())
		g, v := r.Open(apptest.Login("anna", "s"), op.ID)
		sad, proof := r.Approve(g, v)
		if i == 0 {
			o, err := r.Service.Redeem(bg, g, sad, proof)
			if err != nil {
				t.Fatal(err)
			}
			earlier = *o.Receipt
			r.Module.Set(apptest.Vice{Lie: func(o *sapclient.RedeemOut) { o.Receipt = earlier }})
			continue
		}
		_, err := r.Service.Redeem(bg, g, sad, proof)
		want(t, err, signapp.ErrRefused)
	}
}

// A receipt that the module signed, with these signatures, but over another
// approval.
func TestModuleRewritesReceipt(t *testing.T) {
	for name, change := range map[string]func(*sap.Receipt){
		"approval": func(rec *sap.Receipt) { rec.SAD = sap.B64([]byte("{}")) },
		"proof":    func(rec *sap.Receipt) { rec.Proof = sap.B64([]byte("{}")) },
		"item":     func(rec *sap.Receipt) { rec.Items = rec.Items[:0] },
	} {
		r := newRig(t, nil)
		op := r.Create("anna", "text")
		g, v := r.Open(apptest.Login("anna", "s"), op.ID)
		sad, proof := r.Approve(g, v)
		r.Module.Set(apptest.Vice{Lie: func(o *sapclient.RedeemOut) { o.Receipt = r.Module.Rewrite(t, o.Receipt, change) }})
		if _, err := r.Service.Redeem(bg, g, sad, proof); !errors.Is(err, signapp.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A slow module delays only its own operation, and the signer who goes away
// stops nothing.
func TestSlowModuleAndImpatientSigner(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "text")
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	r.Module.Set(apptest.Vice{Slow: 100 * time.Millisecond})
	ctx, cancel := context.WithCancel(bg)
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := r.Service.Redeem(ctx, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	checkFinished(t, r, r.Await(op.ID), "text")
}

// F17: without its time-stamp a document waits and then fails; it is never
// delivered at a lower level, and the receipt of what was signed stays.
func TestTimeStampFailure(t *testing.T) {
	r := newRig(t, nil)
	down := func(int) error { return fmt.Errorf("%w: connection refused", workers.ErrTimeStamp) }
	start := func() string {
		op := r.Create("anna", rand.Text())
		g, v := r.Open(apptest.Login("anna", "s"), op.ID)
		sad, proof := r.Approve(g, v)
		if o, err := r.Service.Redeem(bg, g, sad, proof); err != nil || o.State != signapp.StateSigned {
			t.Fatalf("%v, %v", o, err)
		}
		return op.ID
	}
	// waitFor waits for the n-th try and until its failure is stored, before
	// the clock is moved.
	waitFor := func(n int, id string) {
		t.Helper()
		for range 5000 {
			var row *signapp.OperationRow
			err := r.Store.View(bg, func(tx signapp.Tx) (err error) {
				row, err = tx.Operations().Get(signapp.Everything(), id)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Paper.Finishes() >= n && row.Due > r.Clock.Now().UnixMilli() {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatalf("only %d tries to finish", r.Paper.Finishes())
	}
	r.Paper.FailFinish(down, nil)
	id := start()
	waitFor(1, id)
	for i := 2; i <= 4; i++ {
		r.Clock.Advance(5 * time.Minute)
		if err := r.Service.Step(bg); err != nil {
			t.Fatal(err)
		}
		waitFor(i, id)
	}
	_, _, err := r.Service.Result(bg, apptest.Acme, id, 0)
	want(t, err, signapp.ErrState)
	// It heals.
	r.Paper.FailFinish(nil, nil)
	r.Clock.Advance(5 * time.Minute)
	if err := r.Service.Step(bg); err != nil {
		t.Fatal(err)
	}
	if o := r.Await(id); o.State != signapp.StateFinished {
		t.Fatalf("%s %s", o.State, o.Reason)
	}
	// It does not heal before the operation's end.
	r.Paper.FailFinish(down, nil)
	n := r.Paper.Finishes()
	id = start()
	waitFor(n+1, id)
	r.Clock.Advance(25 * time.Hour)
	if err := r.Service.Step(bg); err != nil {
		t.Fatal(err)
	}
	o := r.Await(id)
	if o.State != signapp.StateFailed || o.Reason != signapp.ReasonTimeStamp {
		t.Fatalf("%s %s", o.State, o.Reason)
	}
	_, _, err = r.Service.Result(bg, apptest.Acme, id, 0)
	want(t, err, signapp.ErrState)
	if _, err := r.Service.Receipt(bg, apptest.Acme, id); err != nil {
		t.Errorf("the receipt is gone: %v", err)
	}
}

// What time cannot mend fails at once.
func TestFinishHopeless(t *testing.T) {
	r := newRig(t, nil)
	r.Paper.FailFinish(func(int) error { return workers.ErrState }, nil)
	op := r.Create("anna", "text")
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	if o := r.Await(op.ID); o.State != signapp.StateFailed || o.Reason != signapp.ReasonFinish {
		t.Fatalf("%s %s", o.State, o.Reason)
	}
}
