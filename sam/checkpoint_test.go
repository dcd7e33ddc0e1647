package sam_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

func records(list []audit.Record) func(func(audit.Record, error) bool) {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// many makes the chain n records longer.
func many(t *testing.T, w *samtest.World, n int) {
	t.Helper()
	for range n {
		if _, err := w.M.Explain(context.Background(), samtest.Auditor, "nonsense"); !errors.Is(err, sap.ReasonInvalid) {
			t.Fatal(err)
		}
	}
}

func checkpoints(list []audit.Record) (seqs []int64) {
	for _, r := range list {
		if r.Type == audit.TypeCheckpoint {
			seqs = append(seqs, r.Seq)
		}
	}
	return seqs
}

// AUD-05, AUD-08: the module signs its chain every 1,000 records, in time, and at
// stop; a third party verifies it off line with the public key and finds what an
// insider who recomputed the hashes did; a witness's file shows truncation.
func TestAUD05SignedCheckpoints(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.Witness = c.AnchorPath + ".witness" })
	s := w.NewSigner("alice", algo.P256)
	pub := w.StatementKey()
	many(t, w, 990)
	for range 10 { // across number 1000, with failure counters that predict numbers
		d := *s.Device
		d.Flags = samtest.UP
		bad := *s
		bad.Device = &d
		x := sign(t, w, &bad, 1, nil)
		if _, err := w.Redeem(x.sad, x.proof); err == nil {
			t.Fatal("UV=0 was accepted")
		}
		if err := w.M.Lift(context.Background(), samtest.Officer, s.ID, sap.B64(s.Device.ID), "test"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Fatal(err)
	}
	closeAll(t, w)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	list := w.Records()
	cps := checkpoints(list)
	if len(cps) != 2 || cps[0] != 1000 || list[cps[1]-1].Type != sam.EventStop {
		t.Fatalf("checkpoints at %v", cps)
	}
	check := func(c audit.Signed) error { return sap.Verify(pub, sap.LabelCheckpoint, c.Body(), c.Sig) }
	f, err := os.Open(w.Cfg.Witness)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	kept, err := audit.ReadWitness(f)
	if err != nil || len(kept) == 0 || kept[len(kept)-1].Seq != cps[1]-1 {
		t.Fatalf("witness: %v, %v", kept, err)
	}
	sum, err := audit.VerifySigned(records(list), check, kept)
	if err != nil || sum.Checkpoints != 2 || sum.Confirmed != cps[1]-1 {
		t.Fatalf("%+v, %v", sum, err)
	}
	edited := slices.Clone(list)
	edited[500].Actor = "auditor:somebody-else"
	for i := range edited {
		var prev []byte
		if i > 0 {
			prev = edited[i-1].Hash
		}
		edited[i].Hash = edited[i].Sum(prev)
	}
	var bad *audit.BadRecord
	if _, err := audit.VerifySigned(records(edited), check, nil); !errors.As(err, &bad) || bad.Index != 1000 {
		t.Errorf("an edit with all hashes recomputed: %v", err)
	}
	if _, err := audit.VerifySigned(records(list[:1001]), check, kept); !errors.As(err, &bad) || bad.Index != 1001 {
		t.Errorf("cut at a checkpoint, against the witness: %v", err)
	}
}

// AUD-05: while records come the chain is signed in time, and only then.
func TestAUD05CheckpointInTime(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.ConfirmEvery = 20 * time.Millisecond })
	waitFor(t, "a checkpoint", func() bool { return len(checkpoints(w.Records())) == 1 })
	time.Sleep(100 * time.Millisecond)
	if list := w.Records(); len(checkpoints(list)) != 1 {
		t.Errorf("nothing happened, and yet: %v", checkpoints(list))
	}
	many(t, w, 1)
	waitFor(t, "a checkpoint", func() bool { list := w.Records(); return list[len(list)-1].Type == audit.TypeCheckpoint })
	st, err := w.M.Status(context.Background(), samtest.Auditor)
	if err != nil || st.Checkpoint == "" {
		t.Errorf("%+v, %v", st, err)
	}
	if s, err := audit.ParseSigned(st.Checkpoint); err != nil || !strings.HasPrefix(st.Checkpoint, st.Instance) || s.Every != 1000 {
		t.Errorf("%v, %v", s, err)
	}
}

// AUD-06: a checkpoint that cannot be signed when it is due stops what would have
// been recorded behind it.
func TestAUD06CheckpointThatCannotBeSigned(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 1)
	many(t, w, 1)
	many(t, w, 1000-len(w.Records())) // the next one is due
	if n := len(w.Records()); n != 1000 {
		t.Fatalf("%d records", n)
	}
	w.Token.FailNamed(errors.New("statement key is away"))
	uses := w.Token.Uses()
	if _, err := w.Redeem(sad, proof); err == nil || w.Token.Uses() != uses {
		t.Errorf("signed without a record: %v", err)
	}
	if n := len(w.Records()); n != 1000 {
		t.Errorf("%d records", n)
	}
	w.Token.FailNamed(nil)
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Errorf("with the key back: %v", err)
	}
	w.Check()
}
