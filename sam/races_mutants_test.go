package sam_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// IAM-04, ROL-04: an officer whose role ends after the call was let in and before its
// change is written proposes, approves and withdraws nothing: the record in the transaction
// counts, not the one that was remembered.
func TestIAM04RoleThatEndsDuringTheCall(t *testing.T) {
	ctx := context.WithValue(context.Background(), pausedKey{}, true)
	olga := sam.Caller{Identity: "olga", Role: sam.RoleOfficer}
	for what, call := range map[string]func(w *samtest.World, key, id string) error{
		"propose": func(w *samtest.World, key, _ string) error {
			_, err := w.M.Propose(ctx, olga, sam.DecideRaw, w.Args(sam.RawPermission{Key: key, Raw: true}))
			return err
		},
		"approve":  func(w *samtest.World, _, id string) error { _, err := w.M.Approve(ctx, olga, id); return err },
		"withdraw": func(w *samtest.World, _, id string) error { _, err := w.M.Withdraw(ctx, olga, id); return err },
	} {
		t.Run(what, func(t *testing.T) {
			w := samtest.New(t)
			s := w.NewSigner("alice", algo.P256)
			store := paused(t, w)
			p, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideRaw, w.Args(sam.RawPermission{Key: s.Key, Raw: true}))
			if err != nil {
				t.Fatal(err)
			}
			store.next = func() { w.Decide(sam.DecideRevoke, sam.Revoke{Name: "olga", Why: "left"}) }
			if err := call(w, s.Key, p.ID); !errors.Is(err, sap.ReasonRole) || store.next != nil {
				t.Errorf("%v", err)
			}
			if isRaw(t, w, s.Key) {
				t.Error("it happened")
			}
			list, err := w.M.Proposals(context.Background(), samtest.Officer, sam.ProposalPending, 10)
			if err != nil || len(list) != 1 || list[0].ID != p.ID {
				t.Errorf("pending: %v, %v", list, err)
			}
		})
	}
}

// ROL-04: the second officer is compared with the first as both are when the act happens:
// a first officer who is none any more has proposed nothing.
func TestROL04FirstOfficerGoesDuringTheApproval(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	store := paused(t, w)
	p, err := w.M.Propose(context.Background(), sam.Caller{Identity: "olga", Role: sam.RoleOfficer}, sam.DecideRaw, w.Args(sam.RawPermission{Key: s.Key, Raw: true}))
	if err != nil {
		t.Fatal(err)
	}
	store.next = func() { w.Decide(sam.DecideRevoke, sam.Revoke{Name: "olga", Why: "left"}) }
	_, err = w.M.Approve(context.WithValue(context.Background(), pausedKey{}, true), samtest.Second, p.ID)
	if !errors.Is(err, sap.ReasonSecond) || isRaw(t, w, s.Key) {
		t.Errorf("%v", err)
	}
}

// FPT-03, ROL-04: what was proposed while the module was open is not done while it is
// closed; the proposal waits, and can be approved when it is open again.
func TestFPT03ProposalOfBeforeTheClosing(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	p, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideRaw, w.Args(sam.RawPermission{Key: s.Key, Raw: true}))
	if err != nil {
		t.Fatal(err)
	}
	approve := func() error { _, err := w.M.Approve(context.Background(), samtest.Second, p.ID); return err }
	shut(t, w)
	if rec := refused(t, w, sap.ReasonClosed, approve); !contains(rec.Data, p.ID) {
		t.Errorf("the record does not name the proposal: %s", rec.Data)
	}
	reopen(t, w)
	if isRaw(t, w, s.Key) {
		t.Error("it happened")
	}
	if err := approve(); err != nil || !isRaw(t, w, s.Key) {
		t.Errorf("open again: %v", err)
	}
}

// SAP-03, SGN-05: records that change under a redemption are looked at again, twice; then
// it is refused, without a key use and with the session still open: it is not lost.
func TestSAP03RecordsThatChangeMeanwhile(t *testing.T) {
	for changes, want := range map[int]sap.Reason{0: "", 1: "", 2: "", 3: sap.ReasonStore} {
		t.Run(fmt.Sprint(changes), func(t *testing.T) {
			var w *samtest.World
			var s *samtest.Signer
			left := 0
			w = samtest.New(t, func(c *sam.Config) {
				c.Hook = func(at sam.Step) {
					if at != sam.StepVerified || left == 0 {
						return
					}
					left--
					if err := w.M.Lift(context.Background(), samtest.Officer, s.ID, sap.B64(s.Device.ID), "asked"); err != nil {
						t.Error(err)
					}
				}
			})
			s = w.NewSigner("alice", algo.P256)
			s.Device.Count = 7 // so that the guard changes with the reservation, too
			sad, proof := w.Approve(s, 1)
			uses := w.Token.Uses()
			left = changes
			_, err := w.Redeem(sad, proof)
			if (err == nil) != (want == "") || err != nil && !errors.Is(err, want) || left != 0 {
				t.Fatalf("%v; %d changes were not made", err, left)
			}
			if n := w.Token.Uses() - uses; (n == 1) != (want == "") {
				t.Errorf("%d key uses", n)
			}
			if _, err := w.Redeem(sad, proof); err != nil {
				t.Errorf("again: %v", err)
			}
			if n := w.Token.Uses() - uses; n != 1 {
				t.Errorf("%d key uses at the end", n)
			}
			w.Check()
		})
	}
}

// ENR-04, AUD-02: an enrolment that is closed while a wrong answer to it is being counted
// stays closed: the count of one that is over brings nothing back, and the attempt is on
// record all the same.
func TestENR04EnrolmentClosedWhileCounting(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	if _, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p-1"}); err != nil {
		t.Fatal(err)
	}
	store := paused(t, w)
	code, err := w.M.OpenEnrolment(ctx, samtest.Officer, "carol")
	if err != nil {
		t.Fatal(err)
	}
	req, err := w.M.BeginEnrolment(ctx, samtest.SSPU, code.ID)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := newDevice().Register(w.StatementKey(), req, sap.B64(make([]byte, 20)))
	if err != nil {
		t.Fatal(err)
	}
	right, err := newDevice().Register(w.StatementKey(), req, code.Code)
	if err != nil {
		t.Fatal(err)
	}
	var fresh *sam.Code
	store.skip, store.next = 1, func() { fresh, err = w.M.OpenEnrolment(ctx, samtest.Officer, "carol") }
	_, finish := w.M.FinishEnrolment(context.WithValue(ctx, pausedKey{}, true), samtest.SSPU, code.ID, wrong)
	if finish == nil || err != nil || fresh == nil {
		t.Fatalf("%v, %v", finish, err)
	}
	var ref *sam.Refusal
	rec := last(w, string(sam.OpEnrolFinish))
	if !errors.As(finish, &ref) || ref.Reason != sap.ReasonEnrolCode || ref.Ref != rec.Seq || rec.Reason != string(sap.ReasonEnrolCode) {
		t.Errorf("told %v, on record %+v", finish, rec)
	}
	refused(t, w, sap.ReasonEnrolment, func() error { _, err := w.M.FinishEnrolment(ctx, samtest.SSPU, code.ID, right); return err })
	req, err = w.M.BeginEnrolment(ctx, samtest.SSPU, fresh.ID)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := newDevice().Register(w.StatementKey(), req, fresh.Code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.M.FinishEnrolment(ctx, samtest.SSPU, fresh.ID, reg); err != nil {
		t.Errorf("the new one: %v", err)
	}
}

// ENR-04, KPR-11: the secret of an enrolment is in the database for as long as it can be
// used: whatever ends it (use, another one, wrong answers) takes the secret away.
func TestENR04SecretGoesWithTheEnrolment(t *testing.T) {
	ctx := context.Background()
	for what, end := range map[string]func(t *testing.T, o *opened){
		"used": func(t *testing.T, o *opened) {
			if err := o.finish(o.register(t, newDevice(), o.code.Code)); err != nil {
				t.Fatal(err)
			}
		},
		"another one": func(t *testing.T, o *opened) {
			if _, err := o.M.OpenEnrolment(ctx, samtest.Officer, "carol"); err != nil {
				t.Fatal(err)
			}
		},
		"wrong answers": func(t *testing.T, o *opened) {
			for i := range 3 {
				if n := secrets(t, o); n != 1 {
					t.Errorf("after %d wrong answers of 3: %d secrets", i, n)
				}
				reg := o.register(t, newDevice(), sap.B64(make([]byte, 20)))
				refused(t, o.World, sap.ReasonEnrolCode, func() error { return o.finish(reg) })
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			o := open(t)
			if n := secrets(t, o); n != 1 {
				t.Fatalf("%d secrets of an open enrolment", n)
			}
			end(t, o)
			if n := secrets(t, o); n != 0 {
				t.Errorf("%d secrets are left", n)
			}
			refused(t, o.World, sap.ReasonEnrolment, func() error { _, err := o.M.BeginEnrolment(ctx, samtest.SSPU, o.code.ID); return err })
		})
	}
}

// secrets counts those of the enrolment that was opened first.
func secrets(t *testing.T, o *opened) (n int) {
	t.Helper()
	if err := dba(t, o.World).QueryRow("SELECT count(*) FROM enrolment WHERE id = ? AND length(code) > 0", o.code.ID).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// ENR-04, SAP-06: a registration request is for ten minutes, and never longer than its
// enrolment; it is answered in its last second and not afterwards.
func TestENR04RequestToTheSecond(t *testing.T) {
	for what, c := range map[string]struct{ code, request time.Duration }{
		"of a long enrolment":  {time.Hour, 10 * time.Minute},
		"of a short enrolment": {5 * time.Minute, 5 * time.Minute},
	} {
		for _, late := range []bool{false, true} {
			o := open(t, func(cfg *sam.Config) { cfg.CodeLifetime = c.code })
			text, err := sap.UnB64(o.req.Statement)
			if err != nil {
				t.Fatal(err)
			}
			var req sap.RegistrationRequest
			if err := jcs.Unmarshal(text, &req); err != nil {
				t.Fatal(err)
			}
			if got := req.Expires - req.IssuedAt; got != int64(c.request/time.Second) || req.IssuedAt != o.Clock.Now().Unix() {
				t.Errorf("%s: for %d seconds from %d", what, got, req.IssuedAt)
			}
			reg := o.register(t, newDevice(), o.code.Code)
			o.Clock.Advance(c.request - time.Second)
			if late {
				o.Clock.Advance(time.Second)
			}
			if err := o.finish(reg); (err != nil) != late {
				t.Errorf("%s, late %v: %v", what, late, err)
			}
		}
	}
}
