package sam_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// refusedFor is the reason that a caller gets; the causes behind it may be several.
func refusedFor(err error) sap.Reason {
	var r *sam.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

// unreadable refusals say nothing of what is on record: the store failed, or the module is
// closed because of it.
func unreadable(err error) bool {
	return refusedFor(err) == sap.ReasonStore || refusedFor(err) == sap.ReasonClosed
}

// bookkeeping is a module with what must not be lost by looking away: alice has failed
// twice of three times, bob is locked, gone has a destroyed key, held one that is on hold.
type bookkeeping struct {
	*samtest.World
	t                      *testing.T
	alice, bob, gone, held *samtest.Signer
}

func keepBooks(t *testing.T) *bookkeeping {
	w := samtest.New(t)
	b := &bookkeeping{World: w, t: t}
	b.alice, b.bob, b.gone, b.held = w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256), w.NewSigner("gone", algo.P256), w.NewSigner("held", algo.P256)
	for i := range 3 {
		for _, s := range []*samtest.Signer{b.alice, b.bob} {
			if s == b.bob || i < 2 {
				bad := failing(t, w, s)
				refused(t, w, sap.ReasonUserVerified, func() error { _, err := w.Redeem(bad.sad, bad.proof); return err })
			}
		}
	}
	if err := w.Destroy(b.gone.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := w.M.SetCertificateStatus(context.Background(), samtest.Officer, b.held.Key, sam.StatusOnHold, "asked"); err != nil {
		t.Fatal(err)
	}
	return b
}

// question is a call whose true answer is known; a device that cannot be read may keep it
// back, and change nothing else about it.
type question struct {
	name string
	ask  func() error
	want sap.Reason // "": it succeeds
}

// questions are asked in this order.
func (b *bookkeeping) questions() []question {
	ctx := context.Background()
	view := func(s *samtest.Signer, failures int64, locked bool) func() error {
		return func() error {
			v, err := b.M.Signer(ctx, samtest.Officer, s.ID)
			if err == nil && (len(v.Authenticators) != 1 || v.Authenticators[0].Failures != failures || v.Authenticators[0].Locked != locked) {
				err = fmt.Errorf("%s: %+v", s.ID, v.Authenticators)
			}
			return err
		}
	}
	ask := func(s *samtest.Signer) func() error {
		return func() error {
			_, err := b.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
			return err
		}
	}
	return []question{
		{"counter", view(b.alice, 2, false), ""},
		{"lock", view(b.bob, 3, true), ""},
		{"locked signer", ask(b.bob), sap.ReasonLocked},
		{"destroyed key", ask(b.gone), sap.ReasonKeyState},
		{"key on hold", ask(b.held), sap.ReasonKeyState},
		{"keys", func() error {
			list, err := b.M.Credentials(ctx, samtest.Officer, b.alice.ID, "")
			if err == nil && len(list) != 1 {
				err = fmt.Errorf("%d keys", len(list))
			}
			return err
		}, ""},
		{"callers", func() error {
			list, err := b.M.Identities(ctx, samtest.Officer)
			if err == nil && len(list) < 6 {
				err = fmt.Errorf("%d callers", len(list))
			}
			return err
		}, ""},
		{"once more", func() error { // who exists already
			_, err := b.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "alice", Name: "Somebody else", Proof: "proof-9"})
			return err
		}, sap.ReasonExists},
		{"request", ask(b.alice), ""},
	}
}

// answers asks everything and tells how many answers the device kept back.
func (b *bookkeeping) answers(when string) (kept int) {
	b.t.Helper()
	for _, q := range b.questions() {
		err := q.ask()
		switch {
		case err != nil && unreadable(err):
			kept++
		case refusedFor(err) != q.want || err != nil && q.want == "":
			b.t.Errorf("%s: %s: got %v, want %q", when, q.name, err, q.want)
		}
	}
	return kept
}

// nextRead steps through the numbers of reads at which faults begin: each one in the soak form, else
// the first ones and then fewer and fewer.
func nextRead(from int) (next int) {
	if os.Getenv("ASSENT_SOAK") != "" {
		return from + 1
	}
	return from + 1 + from/6
}

// AUD-06, AFL-01, KPR-08, I1, I3: the device under the database answers EIO to reads: from
// the first, the second and so on, or to one read alone. What cannot be read is refused for
// the store's sake; it never looks like a signer, key, counter or lock that is not there.
// Nothing is signed without its record, nothing that was acknowledged is lost, failures and
// locks stay what they were, and with a device that works all goes on.
func TestAUD06DeviceReadErrors(t *testing.T) {
	d := testenv.OnDevice(t, "sam.db")
	if d == nil {
		return
	}
	b := keepBooks(t)
	dora, erin := b.NewSigner("dora", algo.P256), b.NewSigner("erin", algo.P256)
	acknowledged, refusals := count(b.World, sam.EventSigned), 0
	for kind, name := range map[rune]string{'r': "reads", 'x': "one read"} {
		kept, faults := 0, 0
		for from, hit := 1, 1; hit > 0; from = nextRead(from) {
			when := fmt.Sprintf("%s from %d", name, from)
			if from > 1000 {
				t.Fatalf("%s: it does not end", when)
			}
			bad := failing(t, b.World, dora)
			sad, proof := b.Approve(erin, 1)
			b.cold()
			d.Fail(kind, from)
			_, failure := b.Redeem(bad.sad, bad.proof)
			answer, err := b.Redeem(sad, proof)
			k := b.answers(when)
			hit = d.Hits()
			d.Fail('o', 0)
			if refusedFor(failure) != sap.ReasonUserVerified && !unreadable(failure) {
				t.Errorf("%s: an approval that fails: %v", when, failure)
			}
			switch {
			case err == nil:
				b.Decode(answer)
				acknowledged++
			case !unreadable(err) || answer != nil:
				t.Errorf("%s: an approval: %v", when, err)
			default:
				refusals++
				k++
			}
			if k > 0 && hit == 0 {
				t.Errorf("%s: %d answers are kept back without a fault", when, k)
			}
			if hit > 0 {
				faults++
			}
			kept += k
			b.cold()
			b.counted(when, dora, refusedFor(failure) == sap.ReasonUserVerified)
			if n := b.answers(when + ", then none"); n != 0 {
				t.Errorf("%s: %d answers are kept back by a device that works", when, n)
			}
			if n := count(b.World, sam.EventSigned); n < acknowledged || n > acknowledged+refusals {
				t.Fatalf("%s: %d signatures were acknowledged, %d refused, %d are on record", when, acknowledged, refusals, n)
			}
			if ok, err := trySign(b.World, dora, t); !ok { // and her count begins anew
				t.Fatalf("%s: a device that works again: %v", when, err)
			}
			acknowledged++
			b.Check()
		}
		t.Logf("%s: %d times a fault, %d answers kept back, %d activations refused", name, faults, kept, refusals)
		if faults < 10 || kept < 3 {
			t.Errorf("%s: %d times a fault, %d answers kept back: the device does not fail", name, faults, kept)
		}
	}
}

// cold starts the module anew: nothing is in its memory or in SQLite's.
func (b *bookkeeping) cold() {
	b.t.Helper()
	b.Stop()
	if err := b.Open(); err != nil {
		b.t.Fatal(err)
	}
}

// counted: the failure of a signer counts if the module said so; if it said nothing it may.
func (b *bookkeeping) counted(when string, s *samtest.Signer, sure bool) {
	b.t.Helper()
	v, err := b.M.Signer(context.Background(), samtest.Officer, s.ID)
	if err != nil || len(v.Authenticators) != 1 {
		b.t.Fatalf("%s: %+v, %v", when, v, err)
	}
	if n := v.Authenticators[0].Failures; n > 1 || sure && n != 1 {
		b.t.Errorf("%s: %d failures count", when, n)
	}
}

// AUD-06, KPR-03: a database that cannot be read whole when the module is started is no
// empty one, and no older one: the module does not open, or opens as it was; nothing is
// written anew, nobody is asked to accept anything, and when the device works all is there.
func TestAUD06DeviceReadErrorsAtTheStart(t *testing.T) {
	d := testenv.OnDevice(t, "sam.db")
	if d == nil {
		return
	}
	b := keepBooks(t)
	instance, key := infoOf(t, b.World).Instance, infoOf(t, b.World).KeyID
	for kind, name := range map[rune]string{'r': "reads", 'x': "one read"} {
		shut := 0
		for from, hit := 1, 1; hit > 0; from = nextRead(from) {
			when := fmt.Sprintf("%s from %d", name, from)
			if from > 5000 {
				t.Fatalf("%s: it does not end", when)
			}
			b.Stop()
			d.Fail(kind, from)
			err := b.Open()
			hit = d.Hits()
			d.Fail('o', 0)
			if err != nil {
				shut++
				if hit == 0 {
					t.Fatalf("%s: without a fault: %v", when, err)
				}
				if err := b.Open(); err != nil {
					t.Fatalf("%s, then none: %v", when, err)
				}
			}
			if i := infoOf(t, b.World); i.Instance != instance || i.KeyID != key {
				t.Fatalf("%s: another module", when)
			}
			if b.Waits(sam.DecideRestore) != nil || b.Waits(sam.DecidePolicy) != nil {
				t.Fatalf("%s: it waits for officers", when)
			}
			if n := b.answers(when + ", then none"); n != 0 {
				t.Errorf("%s: %d answers are kept back by a device that works", when, n)
			}
		}
		b.Check()
		t.Logf("%s: %d starts refused", name, shut)
		if shut < 5 {
			t.Errorf("%s: %d starts refused: the device does not fail", name, shut)
		}
	}
}
