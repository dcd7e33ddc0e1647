package sam_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// shut closes the module by a failed test of the token.
func shut(t *testing.T, w *samtest.World) {
	t.Helper()
	w.Token.FailProbe(fmt.Errorf("%w: case opened", cryptotoken.ErrTamper))
	defer w.Token.FailProbe(nil)
	if _, err := w.M.SelfTest(context.Background(), samtest.Officer); err != nil {
		t.Fatal(err)
	}
}

func stateOf(t *testing.T, w *samtest.World) string {
	t.Helper()
	st, err := w.M.Status(context.Background(), samtest.Officer)
	if err != nil {
		t.Fatal(err)
	}
	return st.State
}

// failingStart starts the module with call n of the store failing; "" is a start in
// which there was no such call.
func failingStart(t *testing.T, w *samtest.World, n int) (hit string, m *sam.Module, err error) {
	t.Helper()
	db, err := samsqlite.Open(samsqlite.Config{Path: w.DB()})
	if err != nil {
		t.Fatal(err)
	}
	store := &samtest.Store{Store: db}
	store.Faults.Arm(n)
	cfg := w.Cfg
	cfg.Store = store
	m, err = sam.Open(samtest.Faulty(context.Background()), cfg)
	return store.Faults.Disarm(), m, err
}

// FPT-03: a module whose condition was deleted from the database stays closed, also
// when the chain cannot be asked whether there was one: not knowing is not "open".
func TestFPT03DeletedConditionAndAFailingStore(t *testing.T) {
	w := samtest.New(t)
	shut(t, w)
	exec(t, dba(t, w), "DELETE FROM condition")
	w.Stop()
	for n := 0; ; n++ {
		hit, m, err := failingStart(t, w, n)
		if err == nil {
			_ = m.Close()
			t.Fatalf("call %d (%s) failed, and it opened without its condition", n, hit)
		}
		if hit == "" {
			if !errors.Is(err, sam.ErrOpen) || !strings.Contains(err.Error(), "condition record is missing") {
				t.Errorf("%v", err)
			}
			return
		}
	}
}

// FPT-03, FPT-05: a start that has to clear up after a crash (an approval that was
// reserved, a one-time key) and whose store fails in the middle is no start; whatever
// was done by then, the next start does the rest, once.
func TestFPT05ClearingUpWithAFailingStore(t *testing.T) {
	var die sam.Step
	o := newOnceWorld(t, func(c *sam.Config) {
		c.Hook = func(s sam.Step) {
			if s == die {
				panic(killed{s})
			}
		}
	})
	bob := o.NewSigner("bob", algo.P256)
	o.key()
	once := o.alice.Key
	sad, proof := o.Approve(bob, 1)
	die = sam.StepReserved
	func() {
		defer func() { _ = recover() }()
		_, _ = o.Redeem(sad, proof)
	}()
	die = ""
	o.Stop()
	db, hits := dba(t, o.World), map[string]bool{}
	left := func() (n int) {
		t.Helper()
		if err := db.QueryRow("SELECT (SELECT count(*) FROM activation WHERE state = 'reserved') + (SELECT count(*) FROM onetime WHERE state <> 'destroyed')").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := left(); n != 2 {
		t.Fatalf("%d records are left to clear up", n)
	}
	for n := 28; left() > 0; n++ { // those before are of every start: TestAnyCallOfTheStoreFailsAtStart
		hit, m, err := failingStart(t, o.World, n)
		hits[hit] = true
		switch {
		case err == nil:
			_ = m.Close()
			t.Fatalf("call %d (%s) failed and it opened", n, hit)
		case hit == "":
			t.Fatalf("after %d failures: %v", n, err)
		case strings.Contains(err.Error(), "missing"):
			t.Errorf("call %d (%s) failed, and a record is said to be missing: %v", n, hit, err)
		}
	}
	if !hits["Sessions.Reserved"] || !hits["Activations.Update"] || !hits["OnceList.Live"] || !hits["Onces.Update"] {
		t.Errorf("the test does not see what is cleared up: %v", hits)
	}
	if err := o.Open(); err != nil {
		t.Fatal(err)
	}
	refused(t, o.World, sap.ReasonBurnt, func() error { _, err := o.Redeem(sad, proof); return err })
	o.dead(t, once)
	for event, want := range map[string]int{sam.EventWithheld: 1, sam.EventDestroyed: 1} {
		if n := count(o.World, event); n != want {
			t.Errorf("%d records of %s, want %d", n, event, want)
		}
	}
}

// FPT-03, FPT-05: the mark beside the anchor is made beforehand and keeps its size and
// place, so that closing needs no room; a torn or shortened one reads as closed, which
// an officer ends; one that cannot be read or written lets nothing start.
func TestFPT03TheMarkInEveryState(t *testing.T) {
	w := samtest.New(t)
	path := w.Cfg.AnchorPath + ".condition"
	whole := func(when string) string {
		t.Helper()
		text := readFile(t, path)
		if len(text) != 1024 || text[1023] != '\n' || strings.Contains(text, "\x00") {
			t.Errorf("%s: the mark has %d octets: %q", when, len(text), text)
		}
		return text
	}
	open := whole("open")
	shut(t, w)
	if closed := whole("closed"); closed == open {
		t.Error("the mark does not change")
	}
	reopen(t, w)
	if whole("open again") != open {
		t.Error("the mark of an open module has two forms")
	}
	for name, text := range map[string]string{
		"empty": "", "one octet": open[:1], "only blanks": strings.Repeat(" ", 1024), "torn": open[:30] + strings.Repeat("\x00", 994),
		"an octet short": open[:1023], "of somebody": strings.Replace(open, " ", " A", 1)[:1024],
	} {
		w.Stop()
		write(t, path, text)
		if err := w.Open(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := stateOf(t, w); got != "closed" {
			t.Errorf("%s: %s", name, got)
		}
		whole(name)
		reopen(t, w)
	}
	closeAll(t, w)
	remove(t, path)
	if err := os.Symlink(path, path); err != nil { // leads to itself
		t.Fatal(err)
	}
	stays(t, w, "condition mark")
}

// FPT-03: opening again is whole or did not happen: a module whose mark cannot be
// cleared is closed, also after a start, and one that is closed does not start without
// its mark.
func TestFPT03ReopeningWithoutTheMark(t *testing.T) {
	w := samtest.New(t)
	path := w.Cfg.AnchorPath + ".condition"
	shut(t, w)
	kept := readFile(t, path)
	remove(t, path)
	if err := mkdir(path); err != nil {
		t.Fatal(err)
	}
	w.Stop()
	stays(t, w, "condition mark") // the record says closed, the mark cannot
	remove(t, path)
	write(t, path, kept)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	remove(t, path)
	if err := mkdir(path); err != nil {
		t.Fatal(err)
	}
	if _, err := w.M.Reopen(context.Background(), samtest.Officer, "looked at it"); err == nil {
		t.Error("reopened, and the mark says closed")
	}
	if got := stateOf(t, w); got != "closed" {
		t.Errorf("it is %s", got)
	}
	w.Stop()
	stays(t, w, "condition mark")
	remove(t, path)
	write(t, path, kept)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if got := stateOf(t, w); got != "closed" {
		t.Errorf("after a start it is %s", got)
	}
	reopen(t, w)
}
