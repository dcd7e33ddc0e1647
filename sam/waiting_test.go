package sam_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// changed starts the module with another configuration.
func restartWith(t *testing.T, w *samtest.World, change func(*sam.Config)) {
	t.Helper()
	closeAll(t, w)
	change(&w.Cfg)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
}

// onlyDecidesAbout checks that nothing but diagnosis and this decision works.
func onlyDecidesAbout(t *testing.T, w *samtest.World, kind string) {
	t.Helper()
	ctx := context.Background()
	open := []sam.Op{sam.OpInfo, sam.OpHealth, sam.OpStatus, sam.OpExplain, sam.OpAudit, sam.OpPropose, sam.OpApprove, sam.OpWithdraw, sam.OpProposals, sam.OpRoles}
	calls := attempts(w)
	for _, op := range slices.Sorted(maps.Keys(calls)) {
		for _, c := range []sam.Caller{samtest.SSPU, samtest.Officer, samtest.Auditor, samtest.RA, samtest.Admin, samtest.Watch} {
			if !sam.Allowed(c.Role, op) || slices.Contains(open, op) {
				continue
			}
			refused(t, w, sap.ReasonClosed, func() error { return calls[op](c) })
		}
	}
	for _, k := range sam.Kinds() {
		want := sap.ReasonClosed
		switch k {
		case kind:
			continue
		case sam.DecidePolicy, sam.DecideRestore:
			want = sap.ReasonInvalid // nothing of that kind is asked; empty arguments
		}
		refused(t, w, want, func() error { _, err := w.M.Propose(ctx, samtest.Officer, k, []byte("{}")); return err })
	}
}

// PRV-03, ROL-04, FPT-01, T.CONTEXT_ALTERATION: whoever may edit the configuration file and
// start samd changes nothing: the module waits, closed, for two different officers;
// one of them, the same twice, or anyone else does not open it, nor does another
// restart. What they accept is on record: the whole configuration, sealed, and
// the change by name, marked as weaker.
func TestPRV03TwoOfficersAcceptTheConfiguration(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 1)
	restartWith(t, w, func(c *sam.Config) { c.LockoutLimit = 100 })
	for range 2 {
		onlyDecidesAbout(t, w, sam.DecidePolicy)
		refused(t, w, sap.ReasonClosed, func() error { _, err := w.Redeem(sad, proof); return err })
		w.Crash()
	}
	st, err := w.M.Status(ctx, samtest.Watch)
	if err != nil || st.State != "closed" || len(st.Waiting) != 1 || len(st.Waiting[0].Changes) != 1 {
		t.Fatalf("%+v, %v", st, err)
	}
	if c := st.Waiting[0].Changes[0]; c != (sam.Change{Name: "lockout.limit", Before: "3", After: "100", Weaker: true}) {
		t.Errorf("%+v", c)
	}
	args := w.Args(w.Waits(sam.DecidePolicy))
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecidePolicy, args)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Officer, p.ID); return err })
	for _, c := range []sam.Caller{samtest.Admin, samtest.Watch, samtest.Auditor, samtest.SSPU, samtest.RA} {
		refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Approve(ctx, c, p.ID); return err })
		refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Propose(ctx, c, sam.DecidePolicy, args); return err })
	}
	refused(t, w, sap.ReasonClosed, func() error { _, err := w.Redeem(sad, proof); return err })
	w.Crash() // the proposal survives it
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Errorf("accepted: %v", err)
	}
	rec := last(w, sam.EventConfig)
	if count(w, sam.EventConfig) != 1 || !contains(rec.Data, `"weaker":["lockout.limit: 3 -> 100 (weaker)"]`) ||
		!contains(rec.Data, `"first":"officer-1"`) || !contains(rec.Data, `"second":"officer-2"`) || !contains(rec.Data, `"why":"planned"`) {
		t.Errorf("%+v", rec)
	}
	onRecord(t, w, "lockout.limit", "100")
	refused(t, w, sap.ReasonState, func() error { _, err := w.M.Propose(ctx, samtest.Officer, sam.DecidePolicy, args); return err })
	closeAll(t, w)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if w.Waits(sam.DecidePolicy) != nil || count(w, sam.EventConfig) != 1 {
		t.Error("asked again")
	}
	w.Check()
}

// onRecord looks into the newest accepted configuration, past the module.
func onRecord(t *testing.T, w *samtest.World, name, want string) {
	t.Helper()
	var text []byte
	if err := dba(t, w).QueryRow("SELECT document FROM configuration ORDER BY number DESC LIMIT 1").Scan(&text); err != nil {
		t.Fatal(err)
	}
	var doc map[string]string
	if err := json.Unmarshal(text, &doc); err != nil || doc[name] != want {
		t.Errorf("on record: %s, %v; want %s = %s", text, err, name, want)
	}
}

// PRV-03: each setting that decides how strict the module is shows by name when it
// asks for less; the same step back asks for more and is not called weaker.
func TestPRV03EachDowngradeIsNamed(t *testing.T) {
	both := func(name string, less func(*sam.Config)) [2]any { return [2]any{name, less} }
	const either = "*" // who is trusted changes: weaker both ways
	list := [][2]any{
		both("lockout.limit", func(c *sam.Config) { c.LockoutLimit = 9 }),
		both("lockout.time", func(c *sam.Config) { c.LockoutTime = time.Minute }),
		both("enrolment.code_lifetime", func(c *sam.Config) { c.CodeLifetime = 100 * time.Hour }),
		both("enrolment.wrong_codes", func(c *sam.Config) { c.WrongCodes = 9 }),
		both("enrolment.cooling", func(c *sam.Config) { c.CoolingTime = -1 }),
		both("authenticators.tier", func(c *sam.Config) { c.Models.Tier = sam.TierAny }),
		both("authenticators.formats", func(c *sam.Config) { c.Models.Formats = []string{"none", "packed"} }),
		both("authenticators.deny", func(c *sam.Config) { c.Models.Deny = nil }),
		both("open_sessions", func(c *sam.Config) { c.OpenSessions = 1000 }),
		both("retention", func(c *sam.Config) { c.Retention = 48 * time.Hour }),
		both("proposal_life", func(c *sam.Config) { c.ProposalLife = 48 * time.Hour }),
		both("self_test_every", func(c *sam.Config) { c.SelfTestEvery = 2 * time.Hour }),
		both("confirm_every", func(c *sam.Config) { c.ConfirmEvery = 2 * time.Hour }),
		both("clock.limit", func(c *sam.Config) { c.ClockLimit = 30 * time.Second }),
		both("clock.loss", func(c *sam.Config) { c.ClockLoss = time.Hour }),
		both("clock.every", func(c *sam.Config) { c.ClockEvery = 5 * time.Minute }),
		both("clock.sources", func(c *sam.Config) { c.TimeSources = nil }),
		both("policy.standard.max_items", func(c *sam.Config) { c.Policies[0].MaxItems = 20 }),
		both("policy.standard.lifetime", func(c *sam.Config) { c.Policies[0].Lifetime = 15 * time.Minute }),
		both("policy.standard.raw", func(c *sam.Config) { c.Policies[0].Raw = true }),
		both("policy.qualified.tier", func(c *sam.Config) { c.Policies[2].Tier = sam.TierAny }),
		both(either+"origin", func(c *sam.Config) { c.Origin = "http://localhost:9999" }),
		both(either+"crypto_profile", func(c *sam.Config) { c.CryptoProfile = "eccg-2.0" }),
		both(either+"caller_cas", func(c *sam.Config) { c.CallerCAs = []string{keyOf("mallory")} }),
		both(either+"witness", func(c *sam.Config) { c.Witness = "/nowhere" }),
		both(either+"certified", func(c *sam.Config) { c.Certified = nil }),
		both(either+"program.token.driver", func(c *sam.Config) { c.Further = map[string]string{"token.driver": "other"} }),
		both("automatic", func(c *sam.Config) { c.Automatic = true }),
	}
	strict := func(c *sam.Config) {
		c.Models = sam.Models{Tier: sam.TierDeviceBound, Formats: []string{"packed"}, Deny: []string{"00000000-0000-0000-0000-000000000001"}}
		c.Policies[2].Tier = sam.TierDeviceBound
		c.Certified = &sam.CertifiedToken{Manufacturer: "Example", Model: "M", Firmware: []string{"1"}, Reference: "X-1"}
		c.Further = map[string]string{"token.driver": "softtoken"}
		c.TimeSources = []clock.Source{&samtest.Time{}}
	}
	w := samtest.New(t, strict)
	closeAll(t, w)
	first := w.Cfg
	first.Policies = slices.Clone(first.Policies)
	for _, x := range list {
		name, trust := strings.CutPrefix(x[0].(string), either)
		t.Run(name, func(t *testing.T) {
			w.Cfg = first
			w.Cfg.Policies = slices.Clone(first.Policies)
			x[1].(func(*sam.Config))(&w.Cfg)
			there := differences(t, w)
			if len(there) != 1 || there[0].Name != name || !there[0].Weaker {
				t.Errorf("to the weaker: %v", there)
			}
			if name == "caller_cas" {
				return // by officers whose keys are on record only
			}
			w.M = nil
			if err := w.Open(); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Accept(sam.DecidePolicy); err != nil {
				t.Fatal(err)
			}
			closeAll(t, w)
			w.Cfg = first
			w.Cfg.Policies = slices.Clone(first.Policies)
			back := differences(t, w)
			if len(back) != 1 || back[0].Name != name || back[0].Weaker != trust {
				t.Errorf("back: %v", back)
			}
			if err := w.OpenAccepted(); err != nil {
				t.Fatal(err)
			}
			closeAll(t, w)
		})
	}
}

// differences opens and closes the module and returns what it waits for.
func differences(t *testing.T, w *samtest.World) []sam.Change {
	t.Helper()
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	defer closeAll(t, w)
	st, err := w.M.Status(context.Background(), samtest.Officer)
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Waiting) != 1 {
		t.Fatalf("waits for %+v", st.Waiting)
	}
	return st.Waiting[0].Changes
}

// PRV-03: "automatic" is for the demo and is refused in production; before the
// ceremony nobody can accept anything and nothing is done, so that the
// configuration of the ceremony's start counts.
func TestPRV03NobodyIsAskedInTheDemoOnly(t *testing.T) {
	w, _ := testWorld(t)
	closeAll(t, w)
	w.Cfg.Automatic = true
	if err := w.Open(); err == nil {
		closeAll(t, w)
		t.Error("automatic in production")
	}
	w = samtest.New(t, func(c *sam.Config) { c.Ceremony = nil })
	closeAll(t, w)
	w.Cfg.Ceremony, w.Cfg.LockoutLimit = samtest.Ceremony(t, samtest.Cluster), 9
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if st, err := w.M.Status(context.Background(), samtest.Officer); err != nil || st.State != "open" {
		t.Errorf("%+v, %v", st, err)
	}
}

// PRV-03: whoever edits the file of a service names it a demo, about which nobody
// would be asked, and lowers the bar by the way: it waits all the same. A demo that
// was accepted as one goes on without officers, and the record says so.
func TestPRV03NamingItADemoAsksTheOfficers(t *testing.T) {
	demo := func(c *sam.Config) { c.Automatic = true }
	w := samtest.New(t)
	restartWith(t, w, func(c *sam.Config) { demo(c); c.Origin = "http://localhost:9999" })
	st, err := w.M.Status(context.Background(), samtest.Officer)
	if err != nil || len(st.Waiting) != 1 || st.Waiting[0].Kind != sam.DecidePolicy {
		t.Fatalf("a service that was named a demo does not wait: %+v, %v", st, err)
	}
	w = samtest.New(t, demo)
	restartWith(t, w, func(c *sam.Config) { c.LockoutLimit = 9 })
	if st, err = w.M.Status(context.Background(), samtest.Officer); err != nil || st.State != "open" {
		t.Errorf("the demo waits: %+v, %v", st, err)
	}
	if rec := last(w, sam.EventConfig); !contains(rec.Data, `"automatic":true`) || !contains(rec.Data, "(weaker)") {
		t.Errorf("%+v", rec)
	}
}

// PRV-03: what the proposal names is what is accepted: another configuration, put
// in place between the two officers, is not.
func TestPRV03ProposalIsOfOneConfiguration(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	restartWith(t, w, func(c *sam.Config) { c.LockoutLimit = 4 })
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecidePolicy, w.Args(w.Waits(sam.DecidePolicy)))
	if err != nil {
		t.Fatal(err)
	}
	restartWith(t, w, func(c *sam.Config) { c.LockoutLimit = 1000 })
	refused(t, w, sap.ReasonInvalid, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
	for name, in := range map[string]sam.AcceptPolicy{
		"no reason":   {Config: w.Waits(sam.DecidePolicy).(sam.AcceptPolicy).Config, Before: w.Waits(sam.DecidePolicy).(sam.AcceptPolicy).Before},
		"not of this": {Config: strings.Repeat("0", 64), Before: w.Waits(sam.DecidePolicy).(sam.AcceptPolicy).Before, Why: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w, sap.ReasonInvalid, func() error {
				_, err := w.M.Propose(ctx, samtest.Officer, sam.DecidePolicy, w.Args(in))
				return err
			})
		})
	}
}

// PRV-03, IAM-01: whoever edits the file can name another CA of callers, and have
// it make an "officer-1": officers without a key of their own on record do not
// count then.
func TestPRV03OwnCAMakesNoOfficers(t *testing.T) {
	w := samtest.New(t)
	keyed := []sam.Grant{grantOf("o5", "p5", sam.RoleOfficer), grantOf("o6", "p6", sam.RoleOfficer)}
	for _, g := range keyed {
		w.Decide(sam.DecideGrant, g)
	}
	restartWith(t, w, func(c *sam.Config) { c.CallerCAs = []string{keyOf("mallory")} })
	ctx := context.Background()
	args := w.Args(w.Waits(sam.DecidePolicy))
	refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Propose(ctx, samtest.Officer, sam.DecidePolicy, args); return err })
	p, err := w.M.Propose(ctx, callerOf(keyed[0]), sam.DecidePolicy, args)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonRole, func() error { _, err := w.M.Approve(ctx, samtest.Second, p.ID); return err })
	if _, err := w.M.Approve(ctx, callerOf(keyed[1]), p.ID); err != nil {
		t.Error(err)
	}
}

// PRV-03, T33: the record of what was accepted is sealed: edited, so that a weaker
// configuration looks like the accepted one, it keeps the module closed.
func TestPRV03AcceptedConfigurationIsSealed(t *testing.T) {
	for _, edit := range []string{
		"UPDATE condition SET config = 'x'", "UPDATE configuration SET document = x'7b7d'", "UPDATE configuration SET first = 'officer-1'",
	} {
		t.Run(edit, func(t *testing.T) {
			w := samtest.New(t)
			closeAll(t, w)
			exec(t, dba(t, w), edit)
			w.Cfg.LockoutLimit = 9
			stays(t, w, fmt.Sprint(sap.ReasonSeal))
		})
	}
}
