package sam_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// AUD-02, I9: what a refused caller sent is in the record of the refusal, as far as the
// longest genuine value goes and no further: it can be searched for, and nobody fills the
// chain with it.
func TestAUD02WhatACallerSentIsCut(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	shut(t, w)
	reopen(t, w)
	long := func(n int) string { return strings.Repeat("x", n) }
	for what, c := range map[string]struct {
		member string
		most   int
		call   func(value string) error
	}{
		"kind":     {"kind", 64, func(v string) error { _, err := w.M.Propose(ctx, samtest.Officer, v, []byte("{}")); return err }},
		"approve":  {"proposal", 64, func(v string) error { _, err := w.M.Approve(ctx, samtest.Officer, v); return err }},
		"withdraw": {"proposal", 64, func(v string) error { _, err := w.M.Withdraw(ctx, samtest.Officer, v); return err }},
		"open":     {"signer", sap.MaxIDLen, func(v string) error { _, err := w.M.OpenEnrolment(ctx, samtest.Officer, v); return err }},
		"begin":    {"enrolment", 64, func(v string) error { _, err := w.M.BeginEnrolment(ctx, samtest.SSPU, v); return err }},
		"finish":   {"enrolment", 64, func(v string) error { _, err := w.M.FinishEnrolment(ctx, samtest.SSPU, v, []byte("{}")); return err }},
		"lift":     {"signer", sap.MaxIDLen, func(v string) error { return w.M.Lift(ctx, samtest.Officer, v, "!", "x") }},
		"one-time key": {"signer", sap.MaxIDLen, func(v string) error {
			_, err := w.M.RequestOneTime(ctx, samtest.SSPU, sam.AskOnce{Signer: v, Policy: "none"})
			return err
		}},
		"reopen": {"why", 200, func(v string) error { _, err := w.M.Reopen(ctx, samtest.Officer, v); return err }},
	} {
		t.Run(what, func(t *testing.T) {
			for _, n := range []int{c.most - 1, c.most, c.most + 1, 10 * c.most} {
				if err := c.call(long(n)); err == nil {
					t.Fatal("accepted")
				}
				all := w.Records()
				var data map[string]any
				if err := json.Unmarshal([]byte(all[len(all)-1].Data), &data); err != nil {
					t.Fatal(err)
				}
				if got := data[c.member]; got != long(min(n, c.most)) {
					t.Errorf("%d octets are on record as %v", n, got)
				}
			}
		})
	}
	for value, want := range map[string]string{long(64): `"` + long(64) + `"`, long(65): `"` + long(64) + `"`} {
		_, err := w.M.Propose(ctx, samtest.Officer, value, []byte("{}"))
		if err == nil || !strings.Contains(err.Error(), "kind "+want) {
			t.Errorf("a kind of %d octets: %v", len(value), err)
		}
	}
}

// FPT-03, AUD-02: why a module closed is on record, cut to a bound, and the mark beside the
// anchor says the same after a start.
func TestFPT03LongReasonOfAClosing(t *testing.T) {
	w := samtest.New(t)
	w.Token.FailProbe(errors.New(strings.Repeat("long ", 200)))
	if _, err := w.M.SelfTest(context.Background(), samtest.Officer); err != nil {
		t.Fatal(err)
	}
	w.Token.FailProbe(nil)
	var data struct{ Detail string }
	if err := json.Unmarshal([]byte(last(w, sam.EventClosed).Data), &data); err != nil {
		t.Fatal(err)
	}
	if n := len(data.Detail); n < 200 || n > 500 {
		t.Errorf("%d octets: %q", n, data.Detail)
	}
	w.Crash()
	st, err := w.M.Status(context.Background(), samtest.Officer)
	if err != nil || st.State != "closed" || st.Why != data.Detail {
		t.Errorf("after a start: %+v, %v; on record %q", st, err, data.Detail)
	}
}

// AFL-01, AUD-02: the record of a failure that counts says against whom, the how manyth it
// is, and whether that locks; one that does not count says nothing of it.
func TestAFL01RecordOfAFailure(t *testing.T) {
	o := newOnceWorld(t) // limit 3
	bob := o.NewSigner("bob", algo.P256)
	var list []approval
	for range 3 {
		list = append(list, failing(t, o.World, bob))
	}
	type record struct {
		Guard, Authenticator, Signer, Key string
		Failures                          int
		Locked                            bool
	}
	read := func(r audit.Record) (out record) {
		t.Helper()
		if err := json.Unmarshal([]byte(r.Data), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for i, a := range list {
		rec := read(refused(t, o.World, sap.ReasonUserVerified, func() error { _, err := o.Redeem(a.sad, a.proof); return err }))
		if rec.Guard == "" || rec.Authenticator != sap.B64(bob.Device.ID) || rec.Signer != "bob" || rec.Key != bob.Key || rec.Failures != i+1 || rec.Locked != (i == 2) {
			t.Errorf("failure %d: %+v", i+1, rec)
		}
	}
	rec := read(refused(t, o.World, sap.ReasonConsumed, func() error { _, err := o.Redeem(list[0].sad, list[0].proof); return err }))
	if rec.Guard != "" || rec.Failures != 0 || rec.Locked {
		t.Errorf("a repetition counts: %+v", rec)
	}
	o.alice.Device.Flags = samtest.UP
	statement, proof := o.ask()
	rec = read(refused(t, o.World, sap.ReasonUserVerified, func() error { _, err := o.approve(statement, proof); return err }))
	if rec.Guard == "" || rec.Authenticator != sap.B64(o.alice.Device.ID) || rec.Signer != "alice" || rec.Key != onceKeyOf(t, statement) || rec.Failures != 1 || rec.Locked {
		t.Errorf("one-time key: %+v", rec)
	}
}

// AFL-01, T27: two answers that fail and are judged at the same time count once for the one
// session, or the one request of a one-time key, that they answer: it is void with the first.
func TestAFL01FailuresOfOneSessionCountOnce(t *testing.T) {
	failures := func(w *samtest.World, signer string) (n int) {
		if err := dba(t, w).QueryRow("SELECT failures FROM guard WHERE signer = ?", signer).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	marked := context.WithValue(context.Background(), pausedKey{}, true)
	t.Run("session", func(t *testing.T) {
		w := samtest.New(t)
		s := w.NewSigner("alice", algo.P256)
		store := paused(t, w)
		s.Device.Flags = samtest.UP
		sad, first := w.Approve(s, 1)
		full, err := sap.DecodeSAD(sad)
		if err != nil {
			t.Fatal(err)
		}
		_, second, err := s.Device.Sign(full)
		if err != nil {
			t.Fatal(err)
		}
		var other error
		store.next = func() { _, other = w.Redeem(sad, second) }
		_, err = w.M.Redeem(marked, samtest.SSPU, sad, first, []byte("[]"))
		if !errors.Is(err, sap.ReasonUserVerified) || !errors.Is(other, sap.ReasonUserVerified) {
			t.Errorf("%v, %v", err, other)
		}
		if n := failures(w, "alice"); n != 1 {
			t.Errorf("%d failures count", n)
		}
		w.Check()
	})
	t.Run("one-time key", func(t *testing.T) {
		o := newOnceWorld(t)
		store := paused(t, o.World)
		o.alice.Device.Flags = samtest.UP
		signed, err := o.M.RequestOneTime(context.Background(), samtest.SSPU, askOnce)
		if err != nil {
			t.Fatal(err)
		}
		statement, first, err := o.alice.Device.ApproveOnce(o.StatementKey(), signed)
		if err != nil {
			t.Fatal(err)
		}
		_, second, err := o.alice.Device.ApproveOnce(o.StatementKey(), signed)
		if err != nil {
			t.Fatal(err)
		}
		var other error
		store.next = func() { _, other = o.approve(statement, second) }
		_, err = o.M.ApproveOneTime(marked, samtest.SSPU, statement, first)
		if !errors.Is(err, sap.ReasonUserVerified) || !errors.Is(other, sap.ReasonUserVerified) {
			t.Errorf("%v, %v", err, other)
		}
		if n := failures(o.World, "alice"); n != 1 {
			t.Errorf("%d failures count", n)
		}
		o.dead(t, onceKeyOf(t, statement))
	})
}

// ROL-04, AUD-03: the record of a proposal has its arguments and their hash, the person
// and the time; the record of a decision names both officers.
func TestROL04ArgumentsOnRecord(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	for _, why := range []string{"left", "moved"} {
		args := w.Args(sam.Revoke{Name: "olga", Why: why})
		p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRevoke, args)
		if err != nil {
			t.Fatal(err)
		}
		var data struct {
			Kind, Args, Person string
			Hash               string `json:"args_hash"`
			Expires            int64
		}
		if err := json.Unmarshal([]byte(last(w, sam.EventProposed).Data), &data); err != nil {
			t.Fatal(err)
		}
		if data.Args != string(args) || data.Hash == "" || data.Kind != sam.DecideRevoke || data.Person != samtest.Officer.Identity || data.Expires != p.Expires {
			t.Errorf("%s: %+v", why, data)
		}
		if p.Expires-p.Created != int64(24*time.Hour/time.Second) || p.Created != w.Clock.Now().Unix() {
			t.Errorf("from %d to %d", p.Created, p.Expires)
		}
		if _, err := w.M.Withdraw(ctx, samtest.Second, p.ID); err != nil {
			t.Fatal(err)
		}
		var end struct {
			First, Second, Kind string
			Hash                string `json:"args_hash"`
		}
		if err := json.Unmarshal([]byte(last(w, sam.EventWithdrawn).Data), &end); err != nil {
			t.Fatal(err)
		}
		if end.First != samtest.Officer.Identity || end.Second != samtest.Second.Identity || end.Kind != sam.DecideRevoke || end.Hash != data.Hash {
			t.Errorf("%+v", end)
		}
	}
}

// IAM-01, IAM-04: names of callers have up to 64 octets, and who has one of 64 is known by
// it like everybody else.
func TestIAM01LongestName(t *testing.T) {
	w := samtest.New(t)
	name := strings.Repeat("n", 64)
	w.Grant(name, sam.RoleAuditor)
	if _, err := w.M.Audit(context.Background(), sam.Caller{Identity: name, Role: sam.RoleAuditor}, 0, 1); err != nil {
		t.Errorf("64 octets: %v", err)
	}
	refused(t, w, sap.ReasonInvalid, func() error {
		_, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideGrant, w.Args(sam.Grant{Name: name + "n", Person: "nina", Role: sam.RoleAuditor}))
		return err
	})
}

// ROL-06, AUD-02: before the ceremony, who asks for the health of the module every few
// seconds fills no chain with it, and everybody else's refusal is on record.
func TestROL06HealthBeforeTheCeremony(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.Ceremony = nil })
	before := len(w.Records())
	err := w.M.Health(context.Background(), samtest.Watch)
	var ref *sam.Refusal
	if !errors.As(err, &ref) || ref.Ref != -1 || ref.Reason != sap.ReasonNotSetUp || !errors.Is(err, sam.ErrCeremony) {
		t.Errorf("%v", err)
	}
	if n := len(w.Records()) - before; n != 0 {
		t.Errorf("%d records", n)
	}
	refused(t, w, sap.ReasonRole, func() error { return w.M.Health(context.Background(), sam.Caller{Identity: "", Role: sam.RoleOfficer}) })
	refused(t, w, sap.ReasonNotSetUp, func() error { _, err := w.M.Status(context.Background(), samtest.Officer); return err })
	refused(t, w, sap.ReasonNotSetUp, func() error { _, err := w.M.Info(context.Background(), samtest.SSPU); return err })
}

// IAM-04, BKP-03: a revocation that could not be put on the list beside the anchor did not
// happen: after a restore the role would come back.
func TestIAM04RevocationNeedsItsList(t *testing.T) {
	w := samtest.New(t)
	p, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideRevoke, w.Args(sam.Revoke{Name: "olga", Why: "left"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := mkdir(w.Cfg.AnchorPath + ".failures"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.M.Approve(context.Background(), samtest.Second, p.ID); err == nil {
		t.Error("approved")
	}
	if n := count(w, sam.EventRevoked); n != 0 {
		t.Errorf("%d revocations are on record", n)
	}
}
