package sam_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// FPT-03, FPT-04: what was approved before the module closed stays void, also when it
// is started anew between closing and reopening: the start reads what closing voided.
func TestFPT04VoidStaysVoidAcrossAStart(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 1)
	w.Token.FailProbe(fmt.Errorf("%w: case opened", cryptotoken.ErrTamper))
	if _, err := w.M.SelfTest(context.Background(), samtest.Officer); err != nil {
		t.Fatal(err)
	}
	w.Token.FailProbe(nil)
	w.Crash()
	reopen(t, w)
	refused(t, w, sap.ReasonConsumed, func() error { _, err := w.Redeem(sad, proof); return err })
	w.Crash() // and after a start of the open module
	refused(t, w, sap.ReasonConsumed, func() error { _, err := w.Redeem(sad, proof); return err })
	sad, proof = w.Approve(s, 1)
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Errorf("what was approved afterwards: %v", err)
	}
}

// FPT-03: the reason for reopening has 1 to 200 octets that can be shown.
func TestFPT03ReasonForReopening(t *testing.T) {
	w := samtest.New(t)
	w.Token.FailProbe(fmt.Errorf("%w: case opened", cryptotoken.ErrTamper))
	if _, err := w.M.SelfTest(context.Background(), samtest.Officer); err != nil {
		t.Fatal(err)
	}
	w.Token.FailProbe(nil)
	for _, bad := range []string{"", strings.Repeat("x", 201), "a\nb"} {
		refused(t, w, sap.ReasonInvalid, func() error { _, err := w.M.Reopen(context.Background(), samtest.Officer, bad); return err })
	}
	if _, err := w.M.Reopen(context.Background(), samtest.Officer, strings.Repeat("x", 200)); err != nil {
		t.Errorf("200 octets: %v", err)
	}
}

// ROL-04, IAM-06: a proposal whose row was edited is neither shown nor approved nor
// withdrawn: the second officer reads what the first one wrote, or nothing.
func TestROL04EditedProposalIsNotShown(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	ctx := context.Background()
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideRaw, w.Args(sam.RawPermission{Key: s.Key, Raw: true}))
	if err != nil {
		t.Fatal(err)
	}
	db := dba(t, w)
	exec(t, db, "UPDATE proposal SET by_name = 'officer-9'")
	refused(t, w, sap.ReasonSeal, func() error { _, err := w.M.Proposals(ctx, samtest.Officer, "", 10); return err })
	refused(t, w, sap.ReasonSeal, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
	refused(t, w, sap.ReasonSeal, func() error { _, err := w.M.Withdraw(ctx, samtest.Second, p.ID); return err })
	if isRaw(t, w, s.Key) {
		t.Error("it happened")
	}
}

// ROL-04, I9: arguments of a decision have at most 64 KiB.
func TestROL04SizeOfArguments(t *testing.T) {
	w := samtest.New(t)
	for n, want := range map[int]sap.Reason{64 << 10: sap.ReasonInvalid, 64<<10 + 1: sap.ReasonTooLarge} {
		refused(t, w, want, func() error {
			_, err := w.M.Propose(context.Background(), samtest.Officer, sam.DecideRaw, []byte(strings.Repeat(" ", n)))
			return err
		})
	}
}

// ENR-04: nobody answers an enrolment that was not begun; each part of the answer is
// in its form before its proof is looked at, and costs the owner no attempt.
func TestENR04AnswersWithoutAForm(t *testing.T) {
	ctx := context.Background()
	o := open(t)
	if raw, err := sap.UnB64(o.code.ID); err != nil || len(raw) != 16 || !sap.ValidID(o.code.ID) {
		t.Errorf("id %q: %v", o.code.ID, err)
	}
	good := o.register(t, samtest.NewDevice(samtest.Origin, samtest.RPID), o.code.Code)
	if _, err := o.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "dora", Name: "Dora", Proof: "p-1"}); err != nil {
		t.Fatal(err)
	}
	fresh, err := o.M.OpenEnrolment(ctx, samtest.Officer, "dora")
	if err != nil {
		t.Fatal(err)
	}
	rec := refused(t, o.World, sap.ReasonEnrolment, func() error {
		_, err := o.M.FinishEnrolment(ctx, samtest.SSPU, fresh.ID, good)
		return err
	})
	if !contains(rec.Data, "no registration request was issued") {
		t.Errorf("%s", rec.Data)
	}
	r, err := sap.DecodeRegistration(good)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*sap.Registration){
		"attestationObject": func(r *sap.Registration) { r.AttestationObject += "!" },
		"clientDataJSON":    func(r *sap.Registration) { r.ClientDataJSON += "!" },
		"codeProof":         func(r *sap.Registration) { r.CodeProof += "!" },
	} {
		for range 4 { // more often than wrong codes are allowed
			bad := *r
			change(&bad)
			text, err := jcs.Marshal(bad)
			if err != nil {
				t.Fatal(err)
			}
			if rec := refused(t, o.World, sap.ReasonEncoding, func() error { return o.finish(text) }); !contains(rec.Data, what) {
				t.Errorf("%s: %s", what, rec.Data)
			}
		}
	}
	if err := o.finish(good); err != nil {
		t.Errorf("the genuine answer: %v", err)
	}
}

// KEY-01, I9: a signer has at most 32 keys; ids are of 16 random octets; the intent is
// on record before the token makes a key, and a key that it makes wrongly is not kept.
func TestKEY01KeysOfOneSigner(t *testing.T) {
	keys := &forger{}
	w := samtest.New(t, func(c *sam.Config) {
		keys.Full = c.Token.(samtest.Full)
		c.Token = keys
	})
	s := &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	w.Enrol(s)
	ctx := context.Background()
	generate := func() error { _, err := w.M.Generate(ctx, samtest.Officer, s.ID, "P-256", ""); return err }
	keys.forge = true
	before := len(w.Records())
	if err := generate(); err == nil {
		t.Error("a key without a public key is kept")
	}
	if list := types(w, before); !slices.Contains(list, sam.EventKeyIntent) || slices.Contains(list, sam.EventKey) {
		t.Errorf("events of a key that was made wrongly: %v", list)
	}
	keys.forge = false
	for i := range 32 {
		before = len(w.Records())
		if err := generate(); err != nil {
			t.Fatalf("key %d: %v", i+1, err)
		}
		if list := types(w, before); !slices.Equal(list, []string{sam.EventKeyIntent, sam.EventKey}) {
			t.Fatalf("events of a key: %v", list)
		}
	}
	if rec := refused(t, w, sap.ReasonState, generate); !contains(rec.Data, "32 keys") {
		t.Errorf("%s", rec.Data)
	}
	all, err := w.M.Credentials(ctx, samtest.Officer, s.ID, "")
	if err != nil || len(all) != 32 {
		t.Fatalf("%d keys: %v", len(all), err)
	}
	if id, err := hex.DecodeString(strings.TrimPrefix(all[0].Key, "k-")); err != nil || len(id) != 16 {
		t.Errorf("id %q: %v", all[0].Key, err)
	}
}

// types are the events since record n.
func types(w *samtest.World, n int) (out []string) {
	for _, r := range w.Records()[n:] {
		out = append(out, r.Type)
	}
	return out
}

// forger is a token that returns keys whose public half is none.
type forger struct {
	samtest.Full
	forge bool
}

func (f *forger) GenerateWrapped(ctx context.Context, kt algo.KeyType) (cryptotoken.Wrapped, error) {
	w, err := f.Full.GenerateWrapped(ctx, kt)
	if f.forge {
		w.Public = []byte("no key")
	}
	return w, err
}

// SAP-10: the permission to use a key is for one minute after the reservation: a
// module that stood still in between does not use it.
func TestSAP10PermissionOfAMinute(t *testing.T) {
	for wait, want := range map[time.Duration]bool{time.Minute - time.Second: true, time.Minute: false} {
		var w *samtest.World
		armed := false
		w = samtest.New(t, func(c *sam.Config) {
			c.Hook = func(s sam.Step) {
				if armed && s == sam.StepReserved {
					w.Clock.Advance(wait)
				}
			}
		})
		s := w.NewSigner("alice", algo.P256)
		sad, proof := w.Approve(s, 1)
		uses := w.Token.Uses()
		armed = true
		if _, err := w.Redeem(sad, proof); (err == nil) != want {
			t.Errorf("after %v: %v", wait, err)
		}
		if n := w.Token.Uses() - uses; (n == 1) != want {
			t.Errorf("after %v: %d key uses", wait, n)
		}
	}
}

// AFL-02: who lifts a lock names signer, authenticator and reason, and each of them
// has to be in its form.
func TestAFL02LiftNamesWhatItLifts(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	bob := w.NewSigner("bob", algo.P256)
	cred := sap.B64(s.Device.ID)
	for what, c := range map[string]struct {
		signer, cred, why string
		want              sap.Reason
	}{
		"no signer":           {"", cred, "asked", sap.ReasonInvalid},
		"signer without form": {"a b", cred, "asked", sap.ReasonInvalid},
		"credential":          {s.ID, "!!", "asked", sap.ReasonInvalid},
		"no reason":           {s.ID, cred, "", sap.ReasonInvalid},
		"reason not shown":    {s.ID, cred, "a\nb", sap.ReasonInvalid},
		"another's":           {bob.ID, cred, "asked", sap.ReasonAuthenticator},
		"nobody's":            {s.ID, sap.B64([]byte("x")), "asked", sap.ReasonAuthenticator},
	} {
		t.Run(what, func(t *testing.T) {
			refused(t, w, c.want, func() error { return w.M.Lift(context.Background(), samtest.Officer, c.signer, c.cred, c.why) })
		})
	}
}

// FPT-01: files beside the database that cannot be read are no files that are not
// there: the module says which it is, and stays closed.
func TestFPT01FilesThatCannotBeRead(t *testing.T) {
	folder := func(t *testing.T, path string) {
		remove(t, path)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		spoil func(t *testing.T, w *samtest.World)
		say   string
	}{
		"anchor is a folder":     {func(t *testing.T, w *samtest.World) { folder(t, w.Cfg.AnchorPath) }, "is a directory"},
		"anchor is no JSON":      {func(t *testing.T, w *samtest.World) { write(t, w.Cfg.AnchorPath, "x") }, "canonical"},
		"anchor is too large":    {func(t *testing.T, w *samtest.World) { write(t, w.Cfg.AnchorPath, strings.Repeat("x", 4097)) }, "too large"},
		"anchor is just small":   {func(t *testing.T, w *samtest.World) { write(t, w.Cfg.AnchorPath, strings.Repeat("x", 4096)) }, "canonical"},
		"anchor's MAC is no B64": {func(t *testing.T, w *samtest.World) { edit(t, w.Cfg.AnchorPath, `"mac":"`, `"mac":"!`) }, "not made with this token"},
		"lock is a folder": {func(t *testing.T, w *samtest.World) {
			folder(t, w.Cfg.AnchorPath+".lock")
		}, "is a directory"},
		"mark is a folder": {func(t *testing.T, w *samtest.World) { folder(t, w.Cfg.AnchorPath+".condition") }, "condition mark"},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			closeAll(t, w)
			c.spoil(t, w)
			stays(t, w, c.say)
		})
	}
}

// I9: purging goes on until nothing is left to purge, whatever its portion is.
func TestPurgeGoesOnToTheEnd(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.OpenSessions = 1000 })
	s := w.NewSigner("alice", algo.P256)
	ctx := context.Background()
	for range 501 {
		if _, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1}); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (n int) {
		if err := dba(t, w).QueryRow("SELECT count(*) FROM activation").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if left() != 501 {
		t.Fatalf("%d sessions", left())
	}
	w.Clock.Advance(5*time.Minute + time.Hour)
	if err := w.M.Purge(ctx); err != nil || left() != 501 {
		t.Errorf("an hour after they expired, to the second: %d left, %v", left(), err)
	}
	w.Clock.Advance(time.Second)
	if err := w.M.Purge(ctx); err != nil || left() != 0 {
		t.Errorf("%d left, %v", left(), err)
	}
}
