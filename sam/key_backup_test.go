package sam_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// KPR-06, BKP-01: no backup is made while keys are left under an older wrapping key, since
// they would be lost with it: not proposed, not approved, not written when the rotation came
// in between, not after a restart that cannot finish it. The refusal says what to do; the
// same order is carried out when the rotation is finished, and its file is restored without
// the old wrapping key.
func TestKPR06NoBackupWhileKeysAreWrappedAnew(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	list := []*samtest.Signer{w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P384)}
	order, err := w.M.Propose(ctx, samtest.Officer, sam.DecideBackup, w.Args(sam.MakeBackup{Why: "nightly"}))
	if err != nil {
		t.Fatal(err)
	}
	first := kekOf(t, w)
	w.Token.FailRewrap(1)
	if _, err := w.Try(sam.DecideRotate, sam.RotateKEK{From: first, Why: "yearly"}); !errors.Is(err, sap.ReasonToken) {
		t.Fatal(err)
	}
	second := kekOf(t, w)
	approved := func() error { _, err := w.M.Approve(ctx, samtest.Second, order.ID); return err }
	for _, step := range []func(){func() {}, w.Crash} {
		step()
		if got := under(t, w); got[first] != 1 || got[second] != 1 {
			t.Fatalf("%v", got)
		}
		refused(t, w, sap.ReasonRewrapping, func() error {
			_, err := w.M.Propose(ctx, samtest.Officer, sam.DecideBackup, w.Args(sam.MakeBackup{Why: "nightly"}))
			return err
		})
		refused(t, w, sap.ReasonRewrapping, approved)
		err := w.M.ActBackup(ctx, order)
		if !errors.Is(err, sap.ReasonRewrapping) || !contains(err.Error(), "finish the rotation (decision kek_rotate)") {
			t.Errorf("approved before the change: %v", err)
		}
		if made := readDir(t, w.Cfg.Backups, "*.backup*"); len(made) != 0 || count(w, sam.EventBackup) != 0 {
			t.Errorf("made: %v, %d on record", made, count(w, sam.EventBackup))
		}
	}
	w.Token.FailRewrap(-1)
	w.Decide(sam.DecideRotate, sam.RotateKEK{From: second, Why: "finish"})
	if err := approved(); err != nil {
		t.Fatal(err)
	}
	made := readDir(t, w.Cfg.Backups, "*.backup*")
	if len(made) != 1 {
		t.Fatalf("made: %v", made)
	}
	if r := last(w, sam.EventBackup); !contains(r.Data, fmt.Sprintf("%q:%q", "kek", second)) || !contains(r.Data, filepath.Base(made[0])) {
		t.Errorf("%s", r.Data)
	}
	w.Decide(sam.DecideDestroyKEK, sam.DestroyKEK{KEK: first, Why: "yearly"})
	comesBack(t, w, made[0], list)
}

// comesBack restores a backup with the token as it is now; all keys in it sign.
func comesBack(t *testing.T, w *samtest.World, file string, list []*samtest.Signer) {
	t.Helper()
	closeAll(t, w)
	if err := restoreFile(t, w, file); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	accept(t, w, sam.DecideRestore)
	for _, s := range list {
		if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
			t.Errorf("%s: %v", s.ID, err)
		}
	}
	w.Check()
}

// KPR-06, BKP-01: a key that one officer has in the making while two others change the
// wrapping key is under the old one, and recorded when all others have been wrapped anew.
// A backup whose copy holds it is not made, also when the record came between the order
// and the copy.
func TestKPR06NoBackupOfAKeyThatWasInTheMaking(t *testing.T) {
	slow := &slowToken{made: make(chan struct{}), record: make(chan struct{})}
	w := samtest.New(t, func(c *sam.Config) {
		tok := c.Token.(*samtest.Token)
		slow.Full, slow.Rotator = tok.Full, tok.Full.(cryptotoken.Rotator)
		tok.Full = slow
	})
	ctx := context.Background()
	s := w.NewSigner("alice", algo.P256)
	first := kekOf(t, w)
	slow.on = true
	recorded := make(chan error, 1)
	go func() { _, err := w.M.Generate(ctx, samtest.Officer, s.ID, string(algo.P256), ""); recorded <- err }()
	<-slow.made
	slow.on = false
	w.Decide(sam.DecideRotate, sam.RotateKEK{From: first, Why: "yearly"})
	order, err := w.M.Propose(ctx, samtest.Officer, sam.DecideBackup, w.Args(sam.MakeBackup{Why: "nightly"}))
	if err != nil {
		t.Fatal(err)
	}
	w.Store.BeforeSnapshot(func() {
		close(slow.record)
		if err := <-recorded; err != nil {
			t.Error(err)
		}
	})
	_, err = w.M.Approve(ctx, samtest.Second, order.ID)
	w.Store.BeforeSnapshot(nil)
	if made := readDir(t, w.Cfg.Backups, "*.backup*"); !errors.Is(err, sap.ReasonRewrapping) || len(made) != 0 || count(w, sam.EventBackup) != 0 {
		t.Errorf("made: %v, %v", made, err)
	}
	if got := under(t, w); got[first] != 1 || len(got) != 2 {
		t.Errorf("%v", got)
	}
	w.Decide(sam.DecideRotate, sam.RotateKEK{From: kekOf(t, w), Why: "finish"})
	backUp(t, w)
	w.Decide(sam.DecideDestroyKEK, sam.DestroyKEK{KEK: first, Why: "yearly"})
	w.Check()
}

// slowToken stops a key between its making and its record.
type slowToken struct {
	samtest.Full
	cryptotoken.Rotator
	on           bool // changed only while nothing is made
	made, record chan struct{}
}

func (s *slowToken) GenerateWrapped(ctx context.Context, kt algo.KeyType) (cryptotoken.Wrapped, error) {
	w, err := s.Full.GenerateWrapped(ctx, kt)
	if s.on {
		s.made <- struct{}{}
		<-s.record
	}
	return w, err
}

// KPR-06, BKP-01: the end of a wrapping key or of a statement key, which makes all backups of
// before worthless, is refused as long as the last backup on record was not made with the
// keys in use; a change of any of the three keys makes a new one necessary. Officers who
// want it all the same have to say so, and that is on record. A statement key that was
// replaced is destroyed with its replacement.
func TestKPR06KeysAreNotDestroyedBeforeABackup(t *testing.T) {
	for name, steps := range map[string]string{
		"wrapping key, no backup at all":            "kek !kek:1 kek:1+",
		"wrapping key, one of before":               "backup kek !kek:1 backup kek:1",
		"wrapping key, one between two changes":     "kek backup kek !kek:2 !kek:1 backup kek:2 kek:1",
		"wrapping key, one of before the statement": "kek backup statement !kek:1 backup kek:1",
		"wrapping key, one of before a theft":       "kek backup replace !kek:1 backup kek:1",
		"wrapping key, one of before the seal":      "kek backup seal !kek:1 backup kek:1",
		"wrapping key, the one before was lost":     "backup kek kek:1+ kek !kek:2 backup kek:2",
		"statement key, no backup at all":           "statement !statement:1 statement:1+",
		"statement key, one of before":              "backup statement !statement:1 backup statement:1",
		"statement key, one between two changes":    "statement backup statement !statement:2 !statement:1 backup statement:2 statement:1",
		"statement key, one of before the wrapping": "statement backup kek !statement:1 backup statement:1",
		"statement key, one of before the seal":     "statement backup seal !statement:1 backup statement:1",
		"statement key, the one before was lost":    "backup statement statement:1+ statement !statement:2 backup statement:2",
		"sealing key, one of before the statement":  "seal backup statement !seal:1 backup seal:1",
		"sealing key, one of before the wrapping":   "seal backup kek !seal:1 backup seal:1",
		"all three with one backup":                 "kek statement seal !kek:1 !statement:1 !seal:1 backup kek:1 statement:1 seal:1",
	} {
		t.Run(name, func(t *testing.T) {
			b := newKeysAndBackups(t)
			for _, step := range strings.Fields(steps) {
				b.do(t, step)
			}
			b.Crash()
			if _, err := b.Redeem(b.Approve(b.signer, 1)); err != nil {
				t.Error(err)
			}
			b.Check()
		})
	}
}

// keysAndBackups is a module with the keys that it had, the first at number 1.
type keysAndBackups struct {
	*samtest.World
	signer          *samtest.Signer
	keks, statement []string
	seal            int64
}

func newKeysAndBackups(t *testing.T) *keysAndBackups {
	w := samtest.New(t)
	return &keysAndBackups{World: w, signer: w.NewSigner("alice", algo.P256), keks: []string{"", kekOf(t, w)}, statement: []string{"", infoOf(t, w).KeyID}, seal: 1}
}

func (b *keysAndBackups) do(t *testing.T, step string) {
	t.Helper()
	switch step {
	case "kek":
		b.Decide(sam.DecideRotate, sam.RotateKEK{From: kekOf(t, b.World), Why: "yearly"})
		b.keks = append(b.keks, kekOf(t, b.World))
	case "statement", "replace":
		rotateKey(t, b.World, step == "replace")
		b.statement = append(b.statement, infoOf(t, b.World).KeyID)
	case "seal":
		rotateSeal(t, b.World)
		resealAll(t, b.World)
		b.seal++
	case "backup":
		backUp(t, b.World)
	default:
		b.end(t, step)
	}
}

// end orders the end of a key: "!" before it expects a refusal, "+" behind it says that the
// officers know of no backup.
func (b *keysAndBackups) end(t *testing.T, step string) {
	t.Helper()
	refused := step[0] == '!'
	if refused {
		step = step[1:]
	}
	without := step[len(step)-1] == '+'
	kind, n := "", 0
	for _, k := range []string{"kek", "statement", "seal"} {
		if got, _ := fmt.Sscanf(step, k+":%d", &n); got == 1 {
			kind = k
		}
	}
	var (
		decide, event string
		args          any
	)
	switch kind {
	case "kek":
		decide, event, args = sam.DecideDestroyKEK, sam.EventKEKDestroyed, sam.DestroyKEK{KEK: b.keks[n], Why: "yearly", WithoutBackup: without}
	case "statement":
		decide, event, args = sam.DecideStatementEnd, sam.EventStatementKeyEnded, sam.DestroyStatement{Key: b.statement[n], Why: "yearly", WithoutBackup: without}
	case "seal":
		decide, event, args = sam.DecideSealEnd, sam.EventSealKeyDestroyed, sam.DestroySeal{Epoch: int64(n), Why: "yearly", WithoutBackup: without}
	default:
		t.Fatalf("no step %q", step)
	}
	for _, restart := range []bool{false, true} { // what was made in another run counts
		if restart && !refused {
			break
		}
		if restart {
			b.Crash()
		}
		before := count(b.World, event)
		_, err := b.Try(decide, args)
		if ended := count(b.World, event) - before; refused != errors.Is(err, sap.ReasonNoBackup) || !refused && err != nil || ended == 0 != refused {
			t.Fatalf("%s: %v, %d ended", step, err, ended)
		}
	}
	if r := last(b.World, event); !refused && !contains(r.Data, fmt.Sprintf(`"without_backup":%t`, without)) {
		t.Errorf("%s: %s", step, r.Data)
	}
}

// KPR-06, FPT-05: whichever call of the database fails while the module looks whether a key
// may go, and whichever while it looks whether a backup may be made, it does not go on; nor
// when the token does not tell which wrapping key is in use.
func TestKPR06FaultsWhileLookingForKeysAndBackups(t *testing.T) {
	b := newKeysAndBackups(t)
	for _, step := range strings.Fields("kek statement backup") {
		b.do(t, step)
	}
	for kind, args := range map[string]any{
		sam.DecideDestroyKEK:   sam.DestroyKEK{KEK: b.keks[1], Why: "yearly"},
		sam.DecideStatementEnd: sam.DestroyStatement{Key: b.statement[1], Why: "yearly"},
		sam.DecideBackup:       sam.MakeBackup{Why: "nightly"},
	} {
		hits := []string{}
		for n := 0; ; n++ {
			b.Store.Faults.Arm(n)
			_, err := b.M.Propose(samtest.Faulty(context.Background()), samtest.Officer, kind, b.Args(args))
			hit := b.Store.Faults.Disarm()
			if hit == "" {
				if err != nil {
					t.Error(err)
				}
				break
			}
			if err == nil {
				t.Errorf("%s: %s fails, and it is proposed", kind, hit)
			}
			hits = append(hits, hit)
		}
		want := []string{"Audit.LastOf", "Audit.Page"}
		if kind == sam.DecideBackup {
			want = []string{"OtherKEK.After"}
		}
		for _, call := range want {
			if !slices.Contains(hits, call) {
				t.Errorf("%s: hit %v, not %s", kind, hits, call)
			}
		}
	}
}

// KPR-06: a token that does not tell its wrapping key ends no key, and makes no backup.
func TestKPR06SilentTokenEndsNoKey(t *testing.T) {
	mute := &muteToken{}
	w := samtest.New(t, func(c *sam.Config) {
		tok := c.Token.(*samtest.Token)
		mute.Full, mute.Rotator = tok.Full, tok.Full.(cryptotoken.Rotator)
		tok.Full = mute
	})
	ctx := context.Background()
	key := infoOf(t, w).KeyID
	rotateKey(t, w, false)
	backUp(t, w)
	order, err := w.M.Propose(ctx, samtest.Officer, sam.DecideBackup, w.Args(sam.MakeBackup{Why: "nightly"}))
	if err != nil {
		t.Fatal(err)
	}
	mute.on = true
	for kind, args := range map[string]any{sam.DecideStatementEnd: sam.DestroyStatement{Key: key, Why: "yearly"}, sam.DecideBackup: sam.MakeBackup{Why: "nightly"}} {
		refused(t, w, sap.ReasonToken, func() error { _, err := w.M.Propose(ctx, samtest.Officer, kind, w.Args(args)); return err })
	}
	if err := w.M.ActBackup(ctx, order); !errors.Is(err, sap.ReasonToken) || count(w, sam.EventBackup) != 1 {
		t.Errorf("%v", err)
	}
}

type muteToken struct {
	samtest.Full
	cryptotoken.Rotator
	on bool // changed only while nothing runs
}

func (s *muteToken) CurrentKEK(ctx context.Context) (string, error) {
	if s.on {
		return "", cryptotoken.ErrUnavailable
	}
	return s.Rotator.CurrentKEK(ctx)
}
