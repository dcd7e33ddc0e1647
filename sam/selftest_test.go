package sam_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

func reopen(t *testing.T, w *samtest.World) {
	t.Helper()
	if _, err := w.M.Reopen(context.Background(), samtest.Officer, "looked at it"); err != nil {
		t.Fatalf("reopen: %v", err)
	}
}

// fault makes one input of the self-tests wrong, at start and while the module
// runs, and right again.
type fault struct {
	test        string // the one that must find it
	spoil, mend func(t *testing.T, w *samtest.World)
	onlyAtStart bool // cannot go wrong while the module runs, or would be found before
	anyErr      bool // another check of the start may say it first
}

// stuck is a source of random numbers that stands still when told to.
type stuck struct{ on bool }

func (s *stuck) Read(b []byte) (int, error) {
	if s.on {
		clear(b)
		return len(b), nil
	}
	return randRead(b)
}

// faults has a line for every row of the table of self-tests.
func faults(random *stuck, broken *string) []fault {
	kat := func(name string) fault {
		return fault{test: name, spoil: func(*testing.T, *samtest.World) { *broken = name }, mend: func(*testing.T, *samtest.World) { *broken = "" }}
	}
	sqlFault := func(name, spoil, mend string) fault {
		run := func(q string) func(t *testing.T, w *samtest.World) {
			return func(t *testing.T, w *samtest.World) {
				db, err := sql.Open("sqlite3", "file:"+w.DB()+"?_busy_timeout=5000")
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = db.Close() }()
				if _, err := db.Exec(q); err != nil {
					t.Fatal(err)
				}
			}
		}
		return fault{test: name, spoil: run(spoil), mend: run(mend), anyErr: true}
	}
	trigger := "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END"
	return []fault{
		kat("digests"), kat("hmac"), kat("aes-gcm"), kat("verify"), kat("sign"), kat("canonical-json"), kat("webauthn"), kat("receipts"),
		{test: "random", onlyAtStart: true, // it is final: nothing mends it but a restart
			spoil: func(*testing.T, *samtest.World) { random.on = true }, mend: func(*testing.T, *samtest.World) { random.on = false }},
		{test: "code", spoil: func(t *testing.T, w *samtest.World) { write(t, w.Cfg.Program, "another program") },
			mend: func(t *testing.T, w *samtest.World) { write(t, w.Cfg.Program, "the program") }},
		{test: "token", spoil: func(_ *testing.T, w *samtest.World) { w.Token.FailProbe(fmt.Errorf("%w: no", cryptotoken.ErrSelfTest)) },
			mend: func(_ *testing.T, w *samtest.World) { w.Token.FailProbe(nil) }},
		{test: "statement-key", spoil: func(_ *testing.T, w *samtest.World) { w.Token.SpoilNamed(true) },
			mend: func(_ *testing.T, w *samtest.World) { w.Token.SpoilNamed(false) }},
		sqlFault("audit", "DROP TRIGGER audit_no_update; UPDATE audit SET reason = 'x' WHERE seq = 3; "+trigger,
			"DROP TRIGGER audit_no_update; UPDATE audit SET reason = '' WHERE seq = 3; "+trigger),
		sqlFault("records", "UPDATE meta SET epoch = epoch + 1", "UPDATE meta SET epoch = epoch - 1"),
		{test: "clock", spoil: func(_ *testing.T, w *samtest.World) {
			w.Clock.Step(-time.Hour)
			w.Time.Say(clock.Reading{Offset: time.Hour}, nil)
		},
			mend: func(_ *testing.T, w *samtest.World) { w.Clock.Step(time.Hour); w.Time.Say(clock.Reading{}, nil) }},
	}
}

// testWorld is a module for production with every self-test in use.
func testWorld(t *testing.T) (*samtest.World, []fault) {
	random, broken := &stuck{}, new(string)
	program := filepath.Join(t.TempDir(), "program")
	write(t, program, "the program")
	sum := sha256.Sum256([]byte("the program"))
	w := samtest.New(t, func(c *sam.Config) {
		c.Random, c.Program, c.CodeSHA256 = random, program, hex.EncodeToString(sum[:])
		c.Fault = func(test string) bool { return test == *broken }
		c.Token, c.Production = certified{c.Token.(*samtest.Token)}, true
		c.Certified = &sam.CertifiedToken{Manufacturer: "Example", Model: "M", Firmware: []string{"1"}, Reference: "X-1"}
	})
	return w, faults(random, broken)
}

// certified says of the software token that it is none.
type certified struct{ *samtest.Token }

func (c certified) Info(ctx context.Context) (cryptotoken.Info, error) {
	i, err := c.Token.Info(ctx)
	i.Development, i.Reason = false, ""
	return i, err
}

func randRead(b []byte) (int, error) { return io.ReadFull(rand.Reader, b) }

// FPT-01, KEY-11: each input of each self-test is made wrong: the module stays closed at
// start and says which test failed. With the input right again it opens (CRY-05).
func TestFPT01EachSelfTestAtStart(t *testing.T) {
	w, list := testWorld(t)
	w.NewSigner("alice", algo.P256)
	report, err := w.M.SelfTest(context.Background(), samtest.Officer)
	if err != nil || len(report.Failed()) != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	var names []string
	for _, f := range list {
		names = append(names, f.test)
	}
	for i, r := range report.Results {
		if r.Name != names[i] || r.Shows == "" {
			t.Errorf("test %d is %+v; the table of faults has %v", i, r, names)
		}
	}
	if len(report.Results) != len(names) {
		t.Fatalf("%d self-tests, %d of them are made to fail", len(report.Results), len(names))
	}
	closeAll(t, w)
	for _, f := range list {
		t.Run(f.test, func(t *testing.T) {
			f.spoil(t, w)
			say := ": " + f.test + ": "
			if f.anyErr {
				say = "" // the verification of the chain or the seal of the first record comes before
			}
			stays(t, w, say)
			f.mend(t, w)
			if err := w.Open(); err != nil {
				t.Fatalf("right again: %v", err)
			}
			closeAll(t, w)
		})
	}
}

// FPT-02, FPT-03: each self-test fails on demand in a running module: it goes to
// its secure state and names the test in status and audit; keys are not used,
// nothing is administered; neither time, a restart nor a crash opens it, nor an
// officer while the cause is there; afterwards an officer does, and approvals of
// before are void.
func TestFPT03EachSelfTestClosesTheModule(t *testing.T) {
	ctx := context.Background()
	w, list := testWorld(t)
	s := w.NewSigner("alice", algo.P256)
	for _, f := range list {
		if f.onlyAtStart {
			continue
		}
		t.Run(f.test, func(t *testing.T) {
			sad, proof := w.Approve(s, 1)
			f.spoil(t, w)
			report, err := w.M.SelfTest(ctx, samtest.Officer)
			if err != nil || !slices.Equal(report.Failed(), []string{f.test}) {
				t.Fatalf("%+v, %v", report, err)
			}
			secure(t, w, s, sad, proof, f.test)
			if _, err := w.M.Reopen(ctx, samtest.Officer, "hope"); !errors.Is(err, sap.ReasonSelfTest) {
				t.Errorf("opened while %s fails: %v", f.test, err)
			}
			f.mend(t, w)
			secure(t, w, s, sad, proof, f.test)
			w.Crash()
			secure(t, w, s, sad, proof, f.test)
			reopen(t, w)
			if _, err := w.Redeem(sad, proof); !errors.Is(err, sap.ReasonConsumed) {
				t.Errorf("an approval of before: %v", err)
			}
			if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
				t.Errorf("opened again: %v", err)
			}
		})
	}
	w.Check()
}

// secure checks that the module is in its secure state because of test.
func secure(t *testing.T, w *samtest.World, s *samtest.Signer, sad, proof []byte, why string) {
	t.Helper()
	ctx := context.Background()
	uses := w.Token.Uses()
	for name, call := range closedCalls(w, s, sad, proof) {
		if err := call(); !errors.Is(err, sam.ErrClosed) || !errors.Is(err, sap.ReasonClosed) {
			t.Errorf("%s in a closed module: %v", name, err)
		}
	}
	if n := w.Token.Uses() - uses; n != 0 {
		t.Errorf("%d key uses", n)
	}
	st, err := w.M.Status(ctx, samtest.Auditor)
	if err != nil || st.State != "closed" || !strings.Contains(st.Why, why) {
		t.Errorf("status %s %q, %v", st.State, st.Why, err)
	}
	if err := w.M.Health(ctx, samtest.SSPU); !errors.Is(err, sam.ErrClosed) {
		t.Errorf("health: %v", err)
	}
	if _, err := w.M.Audit(ctx, samtest.Auditor, 0, 1); err != nil {
		t.Errorf("diagnosis: %v", err)
	}
}

// closedCalls is everything that must not work in the secure state.
func closedCalls(w *samtest.World, s *samtest.Signer, sad, proof []byte) map[string]func() error {
	ctx, o, u := context.Background(), samtest.Officer, samtest.SSPU
	return map[string]func() error{
		"redeem":  func() error { _, err := w.Redeem(sad, proof); return err },
		"request": func() error { _, err := w.M.Request(ctx, u, sam.Ask{Signer: s.ID, Key: s.Key, N: 1}); return err },
		"signer": func() error {
			_, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "x", Name: "X", Proof: "p"})
			return err
		},
		"enrol":    func() error { _, err := w.M.OpenEnrolment(ctx, o, s.ID); return err },
		"begin":    func() error { _, err := w.M.BeginEnrolment(ctx, u, "x"); return err },
		"finish":   func() error { _, err := w.M.FinishEnrolment(ctx, u, "x", []byte("{}")); return err },
		"generate": func() error { _, err := w.M.Generate(ctx, o, s.ID, "P-256", ""); return err },
		"link":     func() error { _, err := w.M.LinkCertificate(ctx, o, s.Key, s.Chain); return err },
		"raw":      func() error { _, err := w.M.SetRaw(ctx, o, s.Key, true); return err },
		"destroy":  func() error { return w.Destroy(s.Key) },
		"lift":     func() error { return w.M.Lift(ctx, o, s.ID, sap.B64(s.Device.ID), "x") },
	}
}

// FPT-03: who may not: reopening and testing are an officer's; an open module is
// not opened again, and a reason is needed.
func TestFPT03WhoReopens(t *testing.T) {
	ctx := context.Background()
	w := samtest.New(t)
	for _, c := range []sam.Caller{samtest.SSPU, samtest.Auditor, samtest.Officer} { // so that they are known
		if _, err := w.M.Info(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []sam.Caller{samtest.SSPU, samtest.Auditor} {
		refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Reopen(ctx, c, "x"); return err })
		refused(t, w, sap.ReasonRole, func() error { _, err := w.M.SelfTest(ctx, c); return err })
	}
	refused(t, w, sap.ReasonState, func() error { _, err := w.M.Reopen(ctx, samtest.Officer, "x"); return err })
	refused(t, w, sap.ReasonInvalid, func() error { _, err := w.M.Reopen(ctx, samtest.Officer, ""); return err })
}

// FPT-02: the periodic self-test finds a fault without being asked, and its
// result is in status and audit.
func TestFPT02PeriodicSelfTest(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.SelfTestEvery = 30 * time.Millisecond })
	waitFor(t, "a periodic self-test", func() bool { return last(w, sam.EventSelfTest).Outcome == audit.OK })
	w.Token.FailProbe(fmt.Errorf("%w: no", cryptotoken.ErrSelfTest))
	waitFor(t, "the secure state", func() bool { return count(w, sam.EventClosed) == 1 })
	st, err := w.M.Status(context.Background(), samtest.Officer)
	if err != nil || st.State != "closed" || st.SelfTest.Trigger != "periodic" || !slices.Equal(st.SelfTest.Failed(), []string{"token"}) {
		t.Errorf("%+v, %v", st, err)
	}
	rec := last(w, sam.EventSelfTest)
	if rec.Outcome != audit.Error || rec.Reason != string(sap.ReasonSelfTest) || !strings.Contains(rec.Data, `"failed":["token"]`) {
		t.Errorf("%+v", rec)
	}
}

// last is the last record of a type, empty when there is none.
func last(w *samtest.World, event string) (out audit.Record) {
	for _, r := range w.Records() {
		if r.Type == event {
			out = r
		}
	}
	return out
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// KEY-11: a source of random numbers that stands still while the module runs: no
// activation request, enrolment code or key id goes out, and the module closes.
func TestKEY11RandomSourceStops(t *testing.T) {
	for name, call := range map[string]func(w *samtest.World, s *samtest.Signer) error{
		"request": func(w *samtest.World, s *samtest.Signer) error {
			_, err := w.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
			return err
		},
		"enrolment code": func(w *samtest.World, _ *samtest.Signer) error {
			_, err := w.M.OpenEnrolment(context.Background(), samtest.Officer, "bob")
			return err
		},
		"key": func(w *samtest.World, s *samtest.Signer) error {
			_, err := w.M.Generate(context.Background(), samtest.Officer, s.ID, "P-256", "")
			return err
		},
		"proposal": func(w *samtest.World, s *samtest.Signer) error {
			_, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideRaw, w.Args(sam.RawPermission{Key: s.Key, Raw: true}))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			random := &stuck{}
			w := samtest.New(t, func(c *sam.Config) { c.Random = random })
			s := w.NewSigner("alice", algo.P256)
			if _, err := w.M.CreateSigner(context.Background(), samtest.RA, sam.NewSigner{ID: "bob", Name: "Bob", Proof: "p"}); err != nil {
				t.Fatal(err)
			}
			random.on = true
			if err := call(w, s); !errors.Is(err, sap.ReasonClosed) {
				t.Fatalf("got %v", err)
			}
			waitFor(t, "the secure state", func() bool { return count(w, sam.EventClosed) == 1 })
			random.on = false
			if _, err := w.M.Reopen(context.Background(), samtest.Officer, "x"); !errors.Is(err, sap.ReasonSelfTest) {
				t.Errorf("a failed source is final until the process ends: %v", err)
			}
			w.Crash()
			reopen(t, w)
			if err := call(w, s); err != nil {
				t.Errorf("with a good source: %v", err)
			}
		})
	}
}

// FPT-04: a token that reports tampering takes the module out of service, while
// it signs, when it makes a key or is asked how it is; pending sessions die.
func TestFPT04Tamper(t *testing.T) {
	tamper := fmt.Errorf("%w: case opened", cryptotoken.ErrTamper)
	for name, call := range map[string]func(w *samtest.World, s *samtest.Signer, sad, proof []byte){
		"sign": func(w *samtest.World, _ *samtest.Signer, sad, proof []byte) { _, _ = w.Redeem(sad, proof) },
		"self-test": func(w *samtest.World, _ *samtest.Signer, _, _ []byte) {
			_, _ = w.M.SelfTest(context.Background(), samtest.Officer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			s := w.NewSigner("alice", algo.P256)
			pending, pendingProof := w.Approve(s, 1)
			sad, proof := w.Approve(s, 1)
			w.Token.FailBefore(tamper)
			w.Token.FailProbe(tamper)
			call(w, s, sad, proof)
			waitFor(t, "the secure state", func() bool { return count(w, sam.EventClosed) == 1 })
			if why := last(w, sam.EventClosed).Data; !strings.Contains(why, "tampering") {
				t.Errorf("record says %s", why)
			}
			secure(t, w, s, pending, pendingProof, "tampering")
			w.Token.FailBefore(nil)
			w.Token.FailProbe(nil)
			reopen(t, w)
			for range 2 {
				if _, err := w.Redeem(pending, pendingProof); !errors.Is(err, sap.ReasonConsumed) {
					t.Errorf("a pending session lives: %v", err)
				}
				w.Crash()
			}
		})
	}
}

// FPT-03, FPT-05: closing is not forgotten: not when the process dies right after
// the failure, not when the database or the mark is the only place that was
// reached, not when the mark is deleted, damaged or taken back.
func TestFPT03ClosingIsRemembered(t *testing.T) {
	tamper := fmt.Errorf("%w: case opened", cryptotoken.ErrTamper)
	markOf := func(w *samtest.World) string { return w.Cfg.AnchorPath + ".condition" }
	for name, between := range map[string]func(t *testing.T, w *samtest.World){
		"crash":        func(*testing.T, *samtest.World) {},
		"mark deleted": func(t *testing.T, w *samtest.World) { remove(t, markOf(w)) },
		"mark of before": func(t *testing.T, w *samtest.World) {
			samtest.CopyFile(t, filepath.Join(w.Dir, "mark-of-before"), markOf(w))
		},
		"mark damaged": func(t *testing.T, w *samtest.World) { write(t, markOf(w), strings.Repeat("x", 1024)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			samtest.CopyFile(t, markOf(w), filepath.Join(w.Dir, "mark-of-before"))
			w.Token.FailProbe(tamper)
			if _, err := w.M.SelfTest(context.Background(), samtest.Officer); err != nil {
				t.Fatal(err)
			}
			w.Token.FailProbe(nil)
			w.Stop()
			between(t, w)
			if err := w.Open(); err != nil {
				t.Fatal(err)
			}
			if st, err := w.M.Status(context.Background(), samtest.Officer); err != nil || st.State != "closed" {
				t.Errorf("after a restart: %+v, %v", st, err)
			}
			reopen(t, w)
			w.Crash()
			if err := w.M.Health(context.Background(), samtest.SSPU); err != nil {
				t.Errorf("opened, and restarted: %v", err)
			}
		})
	}
	t.Run("database cannot be written", func(t *testing.T) {
		w := samtest.New(t)
		if _, err := w.M.SelfTest(context.Background(), samtest.Officer); err != nil {
			t.Fatal(err)
		}
		w.Store.FailBefore(func(int) bool { return true })
		w.Token.FailProbe(tamper)
		if _, err := w.M.SelfTest(context.Background(), samtest.Officer); err == nil {
			t.Error("a self-test that could not be recorded was reported as run")
		}
		if count(w, sam.EventClosed) != 0 {
			t.Fatal("the database was written")
		}
		w.Token.FailProbe(nil)
		w.Crash()
		if st, err := w.M.Status(context.Background(), samtest.Officer); err != nil || st.State != "closed" || count(w, sam.EventClosed) != 1 {
			t.Errorf("after a restart: %+v, %v", st, err)
		}
	})
	t.Run("mark cannot be written", func(t *testing.T) {
		w := samtest.New(t)
		remove(t, markOf(w))
		if err := os.Mkdir(markOf(w), 0o700); err != nil {
			t.Fatal(err)
		}
		w.Token.FailProbe(tamper)
		_, _ = w.M.SelfTest(context.Background(), samtest.Officer)
		w.Token.FailProbe(nil)
		w.Stop()
		remove(t, markOf(w))
		if err := w.Open(); err != nil {
			t.Fatal(err)
		}
		if st, err := w.M.Status(context.Background(), samtest.Officer); err != nil || st.State != "closed" {
			t.Errorf("after a restart: %+v, %v", st, err)
		}
	})
	t.Run("condition record deleted", func(t *testing.T) {
		w := samtest.New(t)
		exec(t, dba(t, w), "DELETE FROM condition")
		w.Stop()
		stays(t, w, "condition record is missing")
	})
}

// AUD-02: a start finds that the last run ended without its stop record.
func TestAUD02UncleanStop(t *testing.T) {
	w := samtest.New(t)
	w.Crash()
	if n := count(w, sam.EventUnclean); n != 1 {
		t.Errorf("%d records after a crash", n)
	}
	closeAll(t, w)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if n := count(w, sam.EventUnclean); n != 1 {
		t.Errorf("%d records after a clean stop", n)
	}
}

// FPT-03: the chain tells a closing in the order of cause and effect, and once:
// housekeeping, which also makes closings durable, comes neither before the
// failed test nor between the two halves of a reopening.
func TestFPT03CauseBeforeClosing(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.AnchorEvery = time.Millisecond })
	ctx := context.Background()
	want := []string{}
	before := len(w.Records())
	for range 12 {
		w.Token.FailProbe(cryptotoken.ErrSelfTest)
		if _, err := w.M.SelfTest(ctx, samtest.Officer); err != nil {
			t.Fatal(err)
		}
		w.Token.FailProbe(nil)
		if _, err := w.M.Reopen(ctx, samtest.Officer, "token replaced"); err != nil {
			t.Fatal(err)
		}
		want = append(want, sam.EventSelfTest, sam.EventClosed, sam.EventSelfTest, sam.EventReopened)
	}
	got := []string{}
	for _, r := range w.Records()[before:] {
		got = append(got, r.Type)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
