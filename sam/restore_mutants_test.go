package sam_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// SAP-04, BKP-02, BKP-03: the same old database restored twice opens two epochs, each later
// than every one before: nothing that was asked for after the first restore fits the second.
// What the officers are asked, and what is recorded, names the anchored state they give up.
func TestSAP04SameRestoreTwice(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	old := takeCopy(t, w)
	w.Ask(s, 1)
	var sads, proofs [][]byte
	for epoch := 2; epoch <= 3; epoch++ {
		sad, proof := w.Approve(s, 1)
		sads, proofs = append(sads, sad), append(proofs, proof)
		closeAll(t, w)
		var file struct {
			Anchor struct {
				Seq  int64
				Head string
			}
		}
		if err := json.Unmarshal([]byte(readFile(t, w.Cfg.AnchorPath)), &file); err != nil {
			t.Fatal(err)
		}
		if err := w.Open(); err != nil {
			t.Fatal(err)
		}
		putCopy(t, w, old)
		in := w.Waits(sam.DecideRestore).(sam.AcceptRestore)
		if in.AnchorSeq < file.Anchor.Seq || in.AnchorHead == "" || len(in.Lost) != 0 {
			t.Errorf("the officers are asked about %+v, the anchor was at %d", in, file.Anchor.Seq)
		}
		for what, change := range map[string]func(*sam.AcceptRestore){
			"another number": func(in *sam.AcceptRestore) { in.AnchorSeq-- },
			"another record": func(in *sam.AcceptRestore) { in.AnchorHead = in.Head },
			"no anchor":      func(in *sam.AcceptRestore) { in.AnchorSeq, in.AnchorHead = -1, "" },
		} {
			bad := in
			change(&bad)
			if _, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideRestore, w.Args(bad)); !errors.Is(err, sap.ReasonInvalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		accept(t, w, sam.DecideRestore)
		info, err := w.M.Info(context.Background(), samtest.SSPU)
		if want := fmt.Sprintf("%s#%d", samtest.Cluster, epoch); err != nil || info.Audience != want {
			t.Errorf("%s, want %s: %v", info.Audience, want, err)
		}
		for i := range sads {
			refused(t, w, sap.ReasonAudience, func() error { _, err := w.Redeem(sads[i], proofs[i]); return err })
		}
	}
}

// BKP-02: a lost anchor is called lost, in the words of the question and in its arguments.
func TestBKP02LostAnchorIsNamed(t *testing.T) {
	w := samtest.New(t)
	w.NewSigner("alice", algo.P256)
	file := backUp(t, w)
	closeAll(t, w)
	remove(t, w.Cfg.AnchorPath)
	if err := restoreFile(t, w, file); err != nil {
		t.Fatal(err)
	}
	waitsFor(t, w, sam.DecideRestore, "there is no anchor")
	if in := w.Waits(sam.DecideRestore).(sam.AcceptRestore); in.AnchorSeq != -1 || in.AnchorHead != "" {
		t.Errorf("%+v", in)
	}
}

// FPT-03, AUD-01: whichever call of the store fails while the module closes, it is closed
// at once and after a start, and the closing is on record before an officer can end it.
func TestFPT03ClosingWhileTheStoreFails(t *testing.T) {
	w := samtest.New(t)
	ctx := samtest.Faulty(context.Background())
	hits := map[string]bool{}
	for n, step := 0, 8; n < 300; n += step { // the test comes first, and the closing last
		w.Token.FailProbe(fmt.Errorf("%w: case opened", cryptotoken.ErrTamper))
		closings := count(w, sam.EventClosed)
		if _, err := w.M.Info(context.Background(), samtest.Officer); err != nil { // known from here on
			t.Fatal(err)
		}
		w.Store.Faults.Arm(n)
		_, _ = w.M.SelfTest(ctx, samtest.Officer)
		hit := w.Store.Faults.Disarm()
		w.Token.FailProbe(nil)
		if got := stateOf(t, w); got != "closed" {
			t.Fatalf("call %d (%s) failed: it is %s", n, hit, got)
		}
		w.Crash()
		if got := stateOf(t, w); got != "closed" {
			t.Fatalf("call %d (%s) failed: after a start it is %s", n, hit, got)
		}
		reopen(t, w)
		if got := count(w, sam.EventClosed) - closings; got < 1 {
			t.Errorf("call %d (%s) failed: %d closings are on record", n, hit, got)
		}
		hits[hit] = true
		if hit == "" && step == 1 {
			break
		}
		if hit == "" {
			n, step = max(0, n-20), 1
		}
	}
	if !hits["Audit.Insert"] || !hits["Condition.Update"] {
		t.Errorf("the test does not see what closing writes: %v", hits)
	}
}

// dry is a source of random numbers that ends after a number of readings.
type dry struct{ left int }

func (d *dry) Read(b []byte) (int, error) {
	if d.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	d.left--
	return randRead(b)
}

// KEY-11: an act that draws several times stops at any of them: no code without its id, no
// id without its nonce, and nothing of it is kept.
func TestKEY11RandomSourceEndsInTheMiddle(t *testing.T) {
	ctx := context.Background()
	for what, call := range map[string]func(o *onceWorld) error{
		"enrolment":    func(o *onceWorld) error { _, err := o.M.OpenEnrolment(ctx, samtest.Officer, "carol"); return err },
		"one-time key": func(o *onceWorld) error { _, err := o.M.RequestOneTime(ctx, samtest.SSPU, askOnce); return err },
	} {
		made := false
		for n := 0; n < 10 && !made; n++ {
			random := &dry{left: -1}
			o := newOnceWorld(t, func(c *sam.Config) { c.Random = random })
			if _, err := o.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p"}); err != nil {
				t.Fatal(err)
			}
			before := kept(t, o.World)
			random.left = n
			err := call(o)
			made = err == nil
			if err != nil && !errors.Is(err, sap.ReasonClosed) {
				t.Errorf("%s, %d draws: %v", what, n, err)
			}
			if after := kept(t, o.World); (after != before) != made {
				t.Errorf("%s, %d draws: %s, before %s", what, n, after, before)
			}
			if n == 0 && made {
				t.Errorf("%s draws nothing: the test does not see it", what)
			}
			random.left = -1
			if err := call(o); made && err != nil { // a draw failed all the same
				t.Errorf("%s, %d draws: made, and then %v", what, n, err)
			}
		}
		if !made {
			t.Errorf("%s draws more than 10 times", what)
		}
	}
}
