package sam_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
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

// life is a module in which one act after the other happens.
type life struct {
	*samtest.World
	t     *testing.T
	s     *samtest.Signer
	fresh *samtest.Device
	code  *sam.Code
	req   sap.Signed
	ask   *sap.ActivationRequest
	sad   []byte
	proof []byte
	prop  *sam.Proposal
	old   string // copy of the database
}

// act is something that happens, and the records that it leaves, all of them, in
// order. alone: it writes in one step, so that with a store that cannot be
// written it leaves nothing and can be done again.
type act struct {
	name  string
	alone bool
	do    func(x *life) error
	want  []string
}

func second[T any](_ T, err error) error { return err }

var errExpected = errors.New("it had to fail and did not")

// fails turns an expected refusal into success.
func fails(err, want error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("%w: %w", errExpected, err)
	}
	return nil
}

// approve asks for an activation and approves it; two is with user verification.
func (x *life) approve(verified bool) error {
	signed, err := x.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: x.s.ID, Key: x.s.Key, N: 2})
	if err != nil {
		return err
	}
	if x.ask, err = sap.OpenActivationRequest(x.StatementKey(), signed); err != nil {
		return err
	}
	d := *x.s.Device
	if !verified {
		d.Flags = samtest.UP
	}
	full, err := d.SAD(x.ask, x.s.Items(x.t, x.ask, 2))
	if err == nil {
		x.sad, x.proof, err = d.Sign(full)
	}
	return err
}

func (x *life) begin() error {
	var err error
	x.req, err = x.M.BeginEnrolment(context.Background(), samtest.SSPU, x.code.ID)
	return err
}

func (x *life) openEnrolment() error {
	var err error
	x.code, err = x.M.OpenEnrolment(context.Background(), samtest.Officer, x.s.ID)
	return err
}

func (x *life) propose(c sam.Caller, args any, kind string) error {
	p, err := x.M.Propose(context.Background(), c, kind, x.Args(args))
	if err == nil {
		x.prop = p
	}
	return err
}

// offer begins a change of authenticators.
func (x *life) offer(action string, target *samtest.Device) error {
	in := sam.AskChange{Signer: x.s.ID, Action: action}
	if target != nil {
		in.Target = sap.B64(target.ID)
	}
	var err error
	x.req, err = x.M.BeginChange(context.Background(), samtest.SSPU, in)
	return err
}

// change answers the offer.
func (x *life) change(by, fresh *samtest.Device) error {
	x.s.Device.Count++
	by.Count = x.s.Device.Count
	req, err := sap.OpenChangeRequest(x.StatementKey(), x.req)
	if err != nil {
		return err
	}
	answer, err := by.Change(x.StatementKey(), x.req, fresh)
	if err != nil {
		return err
	}
	_, err = x.Finish(req.ID, answer)
	return err
}

func (x *life) stop() error {
	err := x.M.Close()
	x.M = nil
	return err
}

func (x *life) start(change func()) error {
	change()
	return x.Open()
}

// everybody is how many callers a world's ceremony lets in.
func everybody() int {
	n := 0
	for _, names := range samtest.People() {
		n += len(names)
	}
	return n
}

// acts is AUD-01 and AUD-02 as a table: everything that can happen to the module.
func acts() []act {
	ctx, o, u := context.Background(), samtest.Officer, samtest.SSPU
	return []act{
		{"first start", false, func(*life) error { return nil }, slices.Concat(
			[]string{audit.TypeStart, sam.EventCondition}, slices.Repeat([]string{sam.EventGranted}, everybody()), []string{sam.EventCeremony, sam.EventStart})},
		{"first calls", false, func(x *life) error {
			return errors.Join(second(x.M.Info(ctx, o)), second(x.M.Info(ctx, samtest.Second)), second(x.M.Info(ctx, u)), second(x.M.Info(ctx, samtest.Auditor)))
		}, nil},
		{"create a signer", true, func(x *life) error {
			return second(x.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: x.s.ID, Name: "Anna", Proof: "p-1"}))
		}, []string{sam.EventSigner}},
		{"open an enrolment", true, (*life).openEnrolment, []string{sam.EventEnrolOpened}},
		{"begin it", true, (*life).begin, []string{sam.EventEnrolBegun}},
		{"open another", true, (*life).openEnrolment, []string{sam.EventEnrolClosed, sam.EventEnrolOpened}},
		{"begin that", true, (*life).begin, []string{sam.EventEnrolBegun}},
		{"a wrong code", false, func(x *life) error {
			reg, err := x.s.Device.Register(x.StatementKey(), x.req, sap.B64(make([]byte, 16)))
			if err != nil {
				return err
			}
			return fails(second(x.M.FinishEnrolment(ctx, u, x.code.ID, reg)), sap.ReasonEnrolCode)
		}, []string{string(sam.OpEnrolFinish)}},
		{"enrol", true, func(x *life) error {
			reg, err := x.s.Device.Register(x.StatementKey(), x.req, x.code.Code)
			if err != nil {
				return err
			}
			return second(x.M.FinishEnrolment(ctx, u, x.code.ID, reg))
		}, []string{sam.EventEnrolled, sam.EventEnrolDone}},
		{"make a key", true, func(x *life) error {
			c, err := x.M.Generate(ctx, o, x.s.ID, "P-256", "")
			if err != nil {
				return err
			}
			x.s.Key, x.s.Cert = c.Key, x.CA.Issue(x.t, c.CSR, x.Clock.Now(), nil)
			x.s.Chain = [][]byte{x.s.Cert.Raw, x.CA.Cert.Raw}
			return nil
		}, []string{sam.EventKeyIntent, sam.EventKey}},
		{"link a certificate", true, func(x *life) error { return second(x.M.LinkCertificate(ctx, o, x.s.Key, x.s.Chain)) }, []string{sam.EventLinked}},
		{"ask for an approval", true, func(x *life) error { return x.approve(true) }, []string{sam.EventRequested}},
		{"sign", true, func(x *life) error { return second(x.Redeem(x.sad, x.proof)) }, []string{sam.EventReserved, sam.EventSigned}},
		{"fetch the answer again", false, func(x *life) error { return second(x.Redeem(x.sad, x.proof)) }, nil},
		{"sign twice", false, func(x *life) error {
			proof, err := x.s.Device.Assert(nonceOf(x), x.sad)
			if err != nil {
				return err
			}
			return fails(second(x.Redeem(x.sad, proof)), sap.ReasonConsumed)
		}, []string{string(sam.OpRedeem)}},
		{"the token refuses before it began", false, func(x *life) error {
			x.Token.FailBefore(cryptotoken.NotStarted(cryptotoken.ErrUnavailable))
			defer x.Token.FailBefore(nil)
			return errors.Join(x.approve(true), fails(second(x.Redeem(x.sad, x.proof)), sap.ReasonToken))
		}, []string{sam.EventRequested, sam.EventReserved, sam.EventReleased, string(sam.OpRedeem)}},
		{"the token fails in the middle", false, func(x *life) error {
			x.Token.FailAfter(cryptotoken.ErrTimeout)
			defer x.Token.FailAfter(nil)
			return errors.Join(x.approve(true), fails(second(x.Redeem(x.sad, x.proof)), sap.ReasonBurnt))
		}, []string{sam.EventRequested, sam.EventReserved, sam.EventWithheld, string(sam.OpRedeem)}},
		{"a failed authentication", false, func(x *life) error {
			return errors.Join(x.approve(false), fails(second(x.Redeem(x.sad, x.proof)), sap.ReasonUserVerified))
		}, []string{sam.EventRequested, string(sam.OpRedeem)}},
		{"a copy of the authenticator", false, func(x *life) error {
			x.s.Device.Count = 9
			err := errors.Join(x.approve(true), second(x.Redeem(x.sad, x.proof)))
			x.s.Device.Count = 8
			err = errors.Join(err, x.approve(true), fails(second(x.Redeem(x.sad, x.proof)), sap.ReasonCounter))
			x.s.Device.Count = 10
			waitFor(x.t, "the alarm", func() bool { return count(x.World, sam.EventAlarm) == 1 })
			return err
		}, []string{sam.EventRequested, sam.EventReserved, sam.EventSigned, sam.EventRequested, sam.EventCopy, sam.EventAlarm}},
		{"lift a lockout", true, func(x *life) error { return x.M.Lift(ctx, o, x.s.ID, sap.B64(x.s.Device.ID), "called back") }, []string{sam.EventLifted}},
		{"propose", true, func(x *life) error {
			return x.propose(o, sam.RawPermission{Key: x.s.Key, Raw: true}, sam.DecideRaw)
		}, []string{sam.EventProposed}},
		{"approve", true, func(x *life) error { return second(x.M.Approve(ctx, samtest.Second, x.prop.ID)) }, []string{sam.EventPermission, sam.EventApproved}},
		{"propose and withdraw", false, func(x *life) error {
			return errors.Join(x.propose(o, grantOf("ssad-9", "ssad-9", sam.RoleSSPU), sam.DecideGrant), second(x.M.Withdraw(ctx, o, x.prop.ID)))
		}, []string{sam.EventProposed, sam.EventWithdrawn}},
		{"propose and forget", false, func(x *life) error {
			err := x.propose(o, grantOf("ssad-9", "ssad-9", sam.RoleSSPU), sam.DecideGrant)
			x.Clock.Advance(25 * time.Hour)
			return errors.Join(err, x.propose(o, grantOf("ssad-9", "ssad-9", sam.RoleSSPU), sam.DecideGrant))
		}, []string{sam.EventProposed, sam.EventLapsed, sam.EventProposed}},
		{"give a role", true, func(x *life) error { return second(x.M.Approve(ctx, samtest.Second, x.prop.ID)) }, []string{sam.EventGranted, sam.EventApproved}},
		{"take a role", false, func(x *life) error {
			return errors.Join(x.propose(o, sam.Revoke{Name: "ssad-9", Why: "gone"}, sam.DecideRevoke), second(x.M.Approve(ctx, samtest.Second, x.prop.ID)))
		}, []string{sam.EventProposed, sam.EventRevoked, sam.EventApproved}},
		{"allow an older release", false, func(x *life) error {
			return errors.Join(x.propose(o, sam.Downgrade{Release: 1, Why: "slow"}, sam.DecideDowngrade), second(x.M.Approve(ctx, samtest.Second, x.prop.ID)))
		}, []string{sam.EventProposed, sam.EventDowngrade, sam.EventApproved}},
		{"read the audit", true, func(x *life) error { return second(x.M.Audit(ctx, samtest.Auditor, 0, 1)) }, []string{sam.EventAuditRead}},
		{"write to the database from outside", false, func(x *life) error {
			db := dba(x.t, x.World)
			_, err := db.Exec("CREATE TABLE foreign_table (a)")
			err = errors.Join(err, db.Close())
			err = errors.Join(err, fails(second(x.M.Explain(ctx, o, "nonsense")), sap.ReasonInvalid)) // the next write notices
			waitFor(x.t, "the alarm", func() bool { return count(x.World, sam.EventForeign) == 1 })
			return err
		}, []string{string(sam.OpExplain), sam.EventForeign}},
		{"lose the anchor for a while", false, func(x *life) error {
			return loseAnchor(x.t, x.World)
		}, []string{string(sam.OpExplain), sam.EventAnchorLost, sam.EventAnchorKept}},
		{"back up", false, func(x *life) error {
			return errors.Join(x.propose(o, sam.MakeBackup{Why: "nightly"}, sam.DecideBackup), second(x.M.Approve(ctx, samtest.Second, x.prop.ID)))
		}, []string{sam.EventProposed, sam.EventApproved, sam.EventBackup}},
		{"test", false, func(x *life) error { return second(x.M.SelfTest(ctx, o)) }, []string{sam.EventSelfTest}},
		{"a test fails", false, func(x *life) error {
			x.Token.FailProbe(cryptotoken.ErrSelfTest)
			return second(x.M.SelfTest(ctx, o))
		}, []string{sam.EventSelfTest, sam.EventClosed}},
		{"call a closed module", false, func(x *life) error {
			return fails(second(x.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "z", Name: "Z", Proof: "p"})), sam.ErrClosed)
		}, []string{string(sam.OpSignerNew)}},
		{"reopen too early", false, func(x *life) error { return fails(second(x.M.Reopen(ctx, o, "hope")), sap.ReasonSelfTest) },
			[]string{sam.EventSelfTest, string(sam.OpReopen)}},
		{"reopen", false, func(x *life) error {
			x.Token.FailProbe(nil)
			return second(x.M.Reopen(ctx, o, "token replaced"))
		}, []string{sam.EventSelfTest, sam.EventReopened}},
		{"the clock is in doubt", false, func(x *life) error {
			x.Time.Say(clock.Reading{Offset: time.Minute}, nil)
			waitFor(x.t, "the doubt", func() bool { return count(x.World, sam.EventClockDoubt) == 1 })
			err := fails(x.approve(true), sap.ReasonClock)
			x.Time.Say(clock.Reading{}, nil)
			waitFor(x.t, "the end of the doubt", func() bool { return count(x.World, sam.EventClockSure) == 1 })
			return err
		}, []string{sam.EventClockDoubt, string(sam.OpRequest), sam.EventClockSure}},
		{"the clock is moved", false, func(x *life) error {
			x.Clock.Step(time.Hour)
			waitFor(x.t, "the closing", func() bool { return count(x.World, sam.EventClosed) == 2 })
			return second(x.M.Reopen(ctx, o, "it was wrong before"))
		}, []string{sam.EventClosed, sam.EventClockSet, sam.EventSelfTest, sam.EventReopened}},
		{"ask before a hold", true, func(x *life) error { return x.approve(true) }, []string{sam.EventRequested}},
		{"certificate on hold", true, func(x *life) error {
			return second(x.M.SetCertificateStatus(ctx, o, x.s.Key, sam.StatusOnHold, "CA"))
		}, []string{sam.EventSuspended, sam.EventVoided}},
		{"hold lifted", true, func(x *life) error { return second(x.M.SetCertificateStatus(ctx, o, x.s.Key, sam.StatusGood, "CA")) }, []string{sam.EventResumed}},
		{"certificate revoked", true, func(x *life) error {
			return second(x.M.SetCertificateStatus(ctx, o, x.s.Key, sam.StatusRevoked, "CA"))
		}, []string{sam.EventRetired}},
		{"make another key", true, func(x *life) error {
			c, err := x.M.Generate(ctx, o, x.s.ID, "P-256", "")
			if err == nil {
				x.s.Key = c.Key
			}
			return err
		}, []string{sam.EventKeyIntent, sam.EventKey}},
		{"propose to destroy a key", true, func(x *life) error { return x.propose(o, x.Destruction(x.s.Key), sam.DecideDestroy) }, []string{sam.EventProposed}},
		{"destroy it", true, func(x *life) error { return second(x.M.Approve(ctx, samtest.Second, x.prop.ID)) }, []string{sam.EventDestroyed, sam.EventApproved}},
		{"end the signer's others", false, func(x *life) error { return x.EndSigner(x.s.ID, sam.CauseSigner, "asked") },
			[]string{sam.EventProposed, sam.EventDestroyed, sam.EventApproved}},
		{"make a third key", true, func(x *life) error { return second(x.M.Generate(ctx, o, x.s.ID, "P-256", "")) }, []string{sam.EventKeyIntent, sam.EventKey}},
		{"offer an addition", true, func(x *life) error { return x.offer(sap.ActionAdd, nil) }, []string{sam.EventChangeBegun}},
		{"offer another", true, func(x *life) error { return x.offer(sap.ActionAdd, nil) }, []string{sam.EventEnrolClosed, sam.EventChangeBegun}},
		{"a failed approval of it", false, func(x *life) error {
			weak := *x.s.Device
			weak.Flags = samtest.UP
			return errors.Join(fails(x.change(&weak, x.fresh), sap.ReasonUserVerified), x.offer(sap.ActionAdd, nil))
		}, []string{string(sam.OpChangeFinish), sam.EventChangeBegun}},
		{"add an authenticator", true, func(x *life) error { return x.change(x.s.Device, x.fresh) },
			[]string{sam.EventChangeApproved, sam.EventAdded, sam.EventRebound}},
		{"offer its removal", true, func(x *life) error { return x.offer(sap.ActionRemove, x.fresh) }, []string{sam.EventChangeBegun}},
		{"remove it", true, func(x *life) error { return x.change(x.s.Device, nil) }, []string{sam.EventChangeApproved, sam.EventRemoved, sam.EventRebound}},
		{"revoke an authenticator", true, func(x *life) error {
			return x.M.RevokeAuthenticator(ctx, o, x.s.ID, sap.B64(x.s.Device.ID), "lost")
		}, []string{sam.EventAuthRevoked, sam.EventRebound}},
		{"propose a recovery", true, func(x *life) error {
			return x.propose(o, sam.Recovery{Signer: x.s.ID, Name: "Anna", Proof: "p-2", Why: "lost it"}, sam.DecideRecovery)
		}, []string{sam.EventProposed}},
		{"approve it", true, func(x *life) error { return second(x.M.Approve(ctx, samtest.Second, x.prop.ID)) },
			[]string{sam.EventDestroyed, sam.EventReproofed, sam.EventEnrolOpened, sam.EventApproved}},
		{"fetch a half of the code", true, func(x *life) error { return second(x.M.GiveHalf(ctx, o, x.s.ID)) }, []string{sam.EventHalf}},
		{"stop and start", false, func(x *life) error {
			return errors.Join(x.stop(), x.start(func() { samtest.CopyFile(x.t, x.DB(), x.old) }))
		}, []string{sam.EventStop, audit.TypeCheckpoint, sam.EventStart}},
		{"crash and start", false, func(x *life) error { x.Crash(); return nil }, []string{sam.EventUnclean, sam.EventStart}},
		{"start with another configuration", false, func(x *life) error {
			return errors.Join(x.stop(), x.start(func() { x.Cfg.LockoutLimit++ }))
		}, []string{sam.EventStop, audit.TypeCheckpoint, sam.EventStart}},
		{"accept it", false, func(x *life) error { return second(x.Accept(sam.DecidePolicy)) }, []string{sam.EventProposed, sam.EventConfig, sam.EventApproved}},
		{"start with metadata of authenticators", false, func(x *life) error {
			return errors.Join(x.stop(), x.start(func() { x.Cfg.Models.Metadata = newMaker(x.t).blob(x.t, 3) }))
		}, []string{sam.EventStop, audit.TypeCheckpoint, sam.EventMetadata, sam.EventStart}},
		{"start fails its self-test", false, func(x *life) error {
			err := errors.Join(x.stop(), fails(x.start(func() { x.Token.SpoilNamed(true) }), sam.ErrSelfTest))
			x.Token.SpoilNamed(false)
			return errors.Join(err, x.Open())
		}, []string{sam.EventStop, audit.TypeCheckpoint, sam.EventSelfTest, sam.EventStop, sam.EventStart}},
	}
}

func nonceOf(x *life) []byte {
	n, err := sap.UnB64(x.ask.Bind.Nonce)
	if err != nil {
		x.t.Fatal(err)
	}
	return n
}

// AUD-01, AUD-02, AUD-03, AUD-06: every event is produced exactly once by its act,
// in the transaction of the act: with a store that cannot be written neither
// exists. Each record says when, what, who and with what result; those of a
// signature name the certificate. No event type is without its act here (AUD-04).
func TestAUD01EveryEventByItsAct(t *testing.T) {
	x := &life{t: t, fresh: newDevice(), s: &samtest.Signer{ID: "anna", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}}
	source := &samtest.Time{}
	x.World = samtest.New(t, func(c *sam.Config) {
		c.Release = 2
		c.Alarms.Limits[sam.AlarmAuthenticator] = sam.AlarmLimit{Count: 1, Window: time.Hour}
		c.AnchorEvery, c.ClockEvery, c.ClockLoss, c.TimeSources = 20*time.Millisecond, 20*time.Millisecond, 24*time.Hour, []clock.Source{source}
	})
	x.Time = source
	x.old = x.DB() + ".old"
	produced := map[string]bool{}
	before := 0
	step := func(a act) []audit.Record {
		if a.alone {
			x.Store.FailBefore(func(int) bool { return true })
			if err := a.do(x); err == nil {
				t.Fatalf("%s: done without a record", a.name)
			}
			x.Store.FailBefore(nil)
			if n := len(x.Records()); n != before {
				t.Fatalf("%s: %d records of what could not be written", a.name, n-before)
			}
		}
		if err := a.do(x); err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		all := x.Records()
		list := all[before:]
		before = len(all)
		var got []string
		for _, r := range list {
			got = append(got, r.Type)
			produced[r.Type] = true
			wellFormed(t, x, r)
		}
		if !slices.Equal(got, a.want) {
			t.Errorf("%s: got %v, want %v", a.name, got, a.want)
		}
		return list
	}
	for _, a := range acts() {
		step(a)
	}
	x.Check()
	restore(t, x, produced)
	oneTime(t, produced)
	rotation(t, produced)
	for name, value := range constants(t, "Event") {
		if !produced[value] {
			t.Errorf("%s (%s): no act in the table produces it", name, value)
		}
	}
}

// restore puts an older database back, with an officer's word.
func restore(t *testing.T, x *life, produced map[string]bool) {
	t.Helper()
	if err := x.stop(); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"-wal", "-shm"} {
		remove(t, x.DB()+end)
	}
	samtest.CopyFile(t, x.old, x.DB())
	if err := x.Open(); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Accept(sam.DecideRestore); err != nil {
		t.Fatal(err)
	}
	if n := count(x.World, sam.EventRestore); n != 1 {
		t.Errorf("%d records of an accepted restore", n)
	}
	produced[sam.EventRestore] = true
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	old := takeCopy(t, w)
	bad := failing(t, w, s)
	_, _ = w.Redeem(bad.sad, bad.proof)
	putCopy(t, w, old)
	accept(t, w, sam.DecideRestore)
	if n := count(w, sam.EventKept); n != 1 {
		t.Errorf("%d records of a kept count of failures", n)
	}
	produced[sam.EventKept] = true
}

// rotation is a change of the wrapping key, and one of the statement key.
func rotation(t *testing.T, produced map[string]bool) {
	t.Helper()
	w := samtest.New(t)
	w.NewSigner("alice", algo.P256)
	before, first := len(w.Records()), kekOf(t, w)
	w.Decide(sam.DecideRotate, sam.RotateKEK{From: first, Why: "yearly"})
	backUp(t, w)
	w.Decide(sam.DecideDestroyKEK, sam.DestroyKEK{KEK: first, Why: "yearly"})
	want := []string{
		sam.EventProposed, sam.EventApproved, sam.EventKEK, sam.EventRewrapped, sam.EventProposed, sam.EventApproved, sam.EventBackup,
		sam.EventProposed, sam.EventApproved, sam.EventKEKDestroyed,
	}
	if got := events(w, before); got != strings.Join(want, " ") {
		t.Errorf("wrapping key: got %s, want %v", got, want)
	}
	for _, e := range want {
		produced[e] = true
	}
	before, key := len(w.Records()), infoOf(t, w).KeyID
	rotateKey(t, w, false)
	w.Decide(sam.DecideStatementEnd, sam.DestroyStatement{Key: key, Why: "yearly", WithoutBackup: true})
	want = []string{sam.EventProposed, sam.EventApproved, sam.EventStatementKey, sam.EventProposed, sam.EventApproved, sam.EventStatementKeyEnded}
	if got := events(w, before); got != strings.Join(want, " ") {
		t.Errorf("statement key: got %s, want %v", got, want)
	}
	for _, e := range want {
		produced[e] = true
	}
	exec(t, dba(t, w), "UPDATE signer SET name = 'Mallory' WHERE id = 'alice'")
	before = len(w.Records())
	rotateSeal(t, w)
	resealAll(t, w)
	w.Decide(sam.DecideSealEnd, sam.DestroySeal{Epoch: 1, Why: "yearly", WithoutBackup: true})
	want = []string{
		sam.EventProposed, sam.EventApproved, sam.EventSealKey, sam.EventNotResealed, sam.EventResealed, sam.EventProposed, sam.EventApproved, sam.EventSealKeyDestroyed,
	}
	if got := events(w, before); got != strings.Join(want, " ") {
		t.Errorf("sealing key: got %s, want %v", got, want)
	}
	for _, e := range want {
		produced[e] = true
	}
}

// oneTime is the life of a one-time key.
func oneTime(t *testing.T, produced map[string]bool) {
	t.Helper()
	o := newOnceWorld(t)
	before := len(o.Records())
	o.key()
	if _, err := o.Redeem(o.Approve(o.alice, 1)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		sam.EventOnceRequested, sam.EventOnceApproved, sam.EventKeyIntent, sam.EventKey, sam.EventLinked, sam.EventRequested,
		sam.EventOnceBound, sam.EventReserved, sam.EventOnceUsed, sam.EventSigned, sam.EventDestroyed,
	}
	if got := events(o.World, before); got != strings.Join(want, " ") {
		t.Errorf("one-time key: got %s, want %v", got, want)
	}
	for _, e := range want {
		produced[e] = true
	}
}

// wellFormed is AUD-03.
func wellFormed(t *testing.T, x *life, r audit.Record) {
	t.Helper()
	if r.Time <= 0 || time.UnixMilli(r.Time).After(x.Clock.Now()) || r.Type == "" {
		t.Errorf("time or type: %+v", r)
	}
	role, name, ok := strings.Cut(r.Actor, ":")
	if r.Actor != "samd" && (!ok || name == "" || !slices.Contains(sam.Roles(), sam.Role(role))) {
		t.Errorf("identity: %+v", r)
	}
	if !slices.Contains([]string{audit.OK, audit.Refused, audit.Error}, r.Outcome) || (r.Outcome == audit.Refused && r.Reason == "") {
		t.Errorf("result: %+v", r)
	}
	var d map[string]any
	if err := json.Unmarshal([]byte(r.Data), &d); err != nil {
		t.Errorf("data: %+v", r)
	}
	if r.Type == sam.EventRequested || r.Type == sam.EventReserved || r.Type == sam.EventSigned {
		if d["cert"] == "" || d["cert"] != x.ask.Bind.Cert || d["key"] != x.s.Key || d["signer"] != x.s.ID {
			t.Errorf("the record of a signature names another certificate: %+v", r)
		}
	}
	for _, secret := range []string{"Anna", sap.B64(x.proof), sap.B64(x.sad)} {
		if secret != "" && strings.Contains(r.Data, secret) {
			t.Errorf("record %d holds %.20q", r.Seq, secret)
		}
	}
}

// constants are the string constants of package sam whose names begin so.
func constants(t *testing.T, prefix string) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || name == "hole.go" {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, prefix) {
				return true
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				out[spec.Names[0].Name], err = strconv.Unquote(lit.Value)
			}
			return true
		})
	}
	if err != nil || len(out) < 5 {
		t.Fatalf("%v, %v", out, err)
	}
	return out
}

// attempts are calls of every operation, by anyone.
func attempts(w *samtest.World) map[sam.Op]func(c sam.Caller) error {
	ctx, m := context.Background(), w.M
	return map[sam.Op]func(c sam.Caller) error{
		sam.OpInfo:        func(c sam.Caller) error { return second(m.Info(ctx, c)) },
		sam.OpHealth:      func(c sam.Caller) error { return m.Health(ctx, c) },
		sam.OpStatus:      func(c sam.Caller) error { return second(m.Status(ctx, c)) },
		sam.OpRequest:     func(c sam.Caller) error { return second(m.Request(ctx, c, sam.Ask{Signer: "alice", Key: "k", N: 1})) },
		sam.OpRedeem:      func(c sam.Caller) error { return second(m.Redeem(ctx, c, []byte("{}"), []byte("{}"), []byte("[]"))) },
		sam.OpCredentials: func(c sam.Caller) error { return second(m.Credentials(ctx, c, "alice", "")) },
		sam.OpSigner:      func(c sam.Caller) error { return second(m.Signer(ctx, c, "alice")) },
		sam.OpEnrolBegin:  func(c sam.Caller) error { return second(m.BeginEnrolment(ctx, c, "x")) },
		sam.OpEnrolFinish: func(c sam.Caller) error { return second(m.FinishEnrolment(ctx, c, "x", []byte("{}"))) },
		sam.OpSignerNew: func(c sam.Caller) error {
			return second(m.CreateSigner(ctx, c, sam.NewSigner{ID: "x", Name: "X", Proof: "p"}))
		},
		sam.OpEnrolOpen:   func(c sam.Caller) error { return second(m.OpenEnrolment(ctx, c, "x")) },
		sam.OpGenerate:    func(c sam.Caller) error { return second(m.Generate(ctx, c, "alice", "P-256", "")) },
		sam.OpLink:        func(c sam.Caller) error { return second(m.LinkCertificate(ctx, c, "k", nil)) },
		sam.OpPermission:  func(c sam.Caller) error { return second(m.SetRaw(ctx, c, "k", false)) },
		sam.OpLift:        func(c sam.Caller) error { return m.Lift(ctx, c, "alice", "AA", "x") },
		sam.OpAudit:       func(c sam.Caller) error { return second(m.Audit(ctx, c, 0, 1)) },
		sam.OpExplain:     func(c sam.Caller) error { return second(m.Explain(ctx, c, "0")) },
		sam.OpPropose:     func(c sam.Caller) error { return second(m.Propose(ctx, c, "x", []byte("{}"))) },
		sam.OpApprove:     func(c sam.Caller) error { return second(m.Approve(ctx, c, "x")) },
		sam.OpWithdraw:    func(c sam.Caller) error { return second(m.Withdraw(ctx, c, "x")) },
		sam.OpProposals:   func(c sam.Caller) error { return second(m.Proposals(ctx, c, "", 1)) },
		sam.OpRoles:       func(c sam.Caller) error { return second(m.Identities(ctx, c)) },
		sam.OpKeyStatus:   func(c sam.Caller) error { return second(m.SetCertificateStatus(ctx, c, "k", sam.StatusGood, "x")) },
		sam.OpOnceRequest: func(c sam.Caller) error { return second(m.RequestOneTime(ctx, c, sam.AskOnce{Signer: "alice"})) },
		sam.OpOnceApprove: func(c sam.Caller) error { return second(m.ApproveOneTime(ctx, c, []byte("{}"), []byte("{}"))) },
		sam.OpOnceEnd:     func(c sam.Caller) error { return m.GiveUpOneTime(ctx, c, "o-none") },
		sam.OpChangeBegin: func(c sam.Caller) error {
			return second(m.BeginChange(ctx, c, sam.AskChange{Signer: "alice", Action: sap.ActionAdd}))
		},
		sam.OpChangeFinish: func(c sam.Caller) error { return second(m.FinishChange(ctx, c, "x", []byte("{}"))) },
		sam.OpAuthList:     func(c sam.Caller) error { return second(m.Authenticators(ctx, c, sam.AskList{Signer: "alice"})) },
		sam.OpAuthRevoke:   func(c sam.Caller) error { return m.RevokeAuthenticator(ctx, c, "alice", "AAAA", "x") },
		sam.OpHalf:         func(c sam.Caller) error { return second(m.GiveHalf(ctx, c, "alice")) },
		sam.OpSelfTest:     func(c sam.Caller) error { return second(m.SelfTest(ctx, c)) },
		sam.OpReopen:       func(c sam.Caller) error { return second(m.Reopen(ctx, c, "x")) },
	}
}

// AUD-02: every attempt to do what one may not is a record: operation, caller,
// reason, exactly one; for every operation and every role.
func TestAUD02EveryRefusedAttempt(t *testing.T) {
	w := samtest.New(t)
	w.NewSigner("alice", algo.P256)
	callers := []sam.Caller{samtest.SSPU, samtest.Officer, samtest.Auditor, {Identity: "ssad-1", Role: sam.RoleOfficer}, {Identity: "nobody", Role: "root"}}
	for _, c := range callers {
		_, _ = w.M.Info(context.Background(), c) // so that they are known
	}
	calls := attempts(w)
	for name, op := range constants(t, "Op") {
		if calls[sam.Op(op)] == nil {
			t.Errorf("%s: no attempt in the table", name)
		}
	}
	tried := 0
	for _, op := range slices.Sorted(maps.Keys(calls)) {
		for _, c := range callers {
			if sam.Allowed(c.Role, op) && c != callers[3] {
				continue
			}
			tried++
			rec := refused(t, w, sap.ReasonRole, func() error { return calls[op](c) })
			if rec.Type != string(op) || rec.Actor != string(c.Role)+":"+c.Identity || rec.Outcome != audit.Refused {
				t.Errorf("%s by %v: %+v", op, c, rec)
			}
		}
	}
	if tried < 70 {
		t.Errorf("only %d attempts", tried)
	}
}
