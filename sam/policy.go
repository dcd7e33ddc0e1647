package sam

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

// The configuration decides how strict the module is, and it is a file that the
// administrator of the host can edit (PRV-03). So it counts only once two officers
// have accepted it: a start that finds another one than the accepted one waits
// (waiting.go), and what they accept is on record, whole and sealed, with every
// change named and those that weaken marked as such.

// DecidePolicy accepts the configuration that samd was started with.
const DecidePolicy = "policy"

// AcceptPolicy is the argument of the decision policy.
type AcceptPolicy struct {
	Config string `json:"config"` // digest of the configuration, as Status shows it
	Before string `json:"before"` // digest of the accepted one
	Why    string `json:"why"`
}

// Change is one setting that differs between two configurations.
type Change struct {
	Name   string
	Before string // "" when there was none
	After  string
	Weaker bool // less is asked for, or who is trusted changes
}

// String is the change in one line.
func (c Change) String() string {
	s := fmt.Sprintf("%s: %s -> %s", c.Name, orNone(c.Before), orNone(c.After))
	if c.Weaker {
		s += " (weaker)"
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return clip(s, 200)
}

// weaker tells whether a change of a setting asks for less.
type weaker func(before, after string) bool

// Rules. What cannot be compared counts as weaker.
func whenChanged(string, string) bool { return true }
func never(string, string) bool       { return false }
func whenTrue(_, after string) bool   { return after == "true" }
func whenFalse(_, after string) bool  { return after == "false" }

func amount(s string) (int64, bool) {
	if d, err := time.ParseDuration(s); err == nil {
		return int64(d), true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// whenMore is for what protects by being small: numbers of tries, lifetimes.
func whenMore(before, after string) bool {
	b, ok1 := amount(before)
	a, ok2 := amount(after)
	return !ok1 || !ok2 || a > b
}

// whenLess is for what protects by being large; a negative lockout time is for
// ever, a negative cooling time none.
func whenLess(before, after string) bool { return whenMore(after, before) }

func whenShorterLock(before, after string) bool {
	b, ok1 := amount(before)
	a, ok2 := amount(after)
	return !ok1 || !ok2 || (a >= 0 && (b < 0 || a < b))
}

func whenLowerTier(before, after string) bool {
	return Tier(after).rank() < Tier(before).rank()
}

// whenWider: the list has what it had not; an empty list of allowed models allows
// all.
func whenWider(before, after string) bool {
	if before == "" || after == "" {
		return after == ""
	}
	had := strings.Split(before, ",")
	return slices.ContainsFunc(strings.Split(after, ","), func(s string) bool { return !slices.Contains(had, s) })
}

// whenNarrower: the list lacks what it had.
func whenNarrower(before, after string) bool {
	if before == "" {
		return false
	}
	has := strings.Split(after, ",")
	return slices.ContainsFunc(strings.Split(before, ","), func(s string) bool { return !slices.Contains(has, s) })
}

// setting is one line of the configuration's document.
type setting struct {
	name, value string
	weaker      weaker
}

// settings is the table of everything that decides how strict the module is.
func (m *Module) settings() []setting {
	c := &m.cfg
	sorted := func(list []string) string { return strings.Join(slices.Sorted(slices.Values(list)), ",") }
	out := []setting{
		{"cluster", c.Cluster, whenChanged},
		{"production", fmt.Sprint(c.Production), whenFalse},
		{settingAutomatic, fmt.Sprint(c.Automatic), whenTrue},
		{"statement_key", c.StatementKey, whenChanged},
		{"caller_cas", sorted(c.CallerCAs), whenChanged},
		{"origin", c.Origin, whenChanged},
		{"rp_id", c.RPID, whenChanged},
		{"lockout.limit", fmt.Sprint(c.LockoutLimit), whenMore},
		{"lockout.time", c.LockoutTime.String(), whenShorterLock},
		{"enrolment.code_lifetime", c.CodeLifetime.String(), whenMore},
		{"enrolment.wrong_codes", fmt.Sprint(c.WrongCodes), whenMore},
		{"enrolment.cooling", c.CoolingTime.String(), whenLess},
		{"authenticators.device_bound", fmt.Sprint(c.DeviceBound), whenFalse},
		{"authenticators.tier", string(m.models.Tier), whenLowerTier},
		{"authenticators.formats", sorted(m.models.Formats), whenWider},
		{"authenticators.allow", sorted(m.models.Allow), whenWider},
		{"authenticators.deny", sorted(m.models.Deny), whenNarrower},
		{"authenticators.grace", m.models.Grace.String(), whenMore},
		{"open_sessions", fmt.Sprint(c.OpenSessions), whenMore},
		{"retention", c.Retention.String(), whenMore},
		{"proposal_life", c.ProposalLife.String(), whenMore},
		{"crypto_profile", c.CryptoProfile, whenChanged},
		{"self_test_every", c.SelfTestEvery.String(), whenMore},
		{"confirm_every", c.ConfirmEvery.String(), whenMore},
		{"clock.limit", c.ClockLimit.String(), whenMore},
		{"clock.loss", c.ClockLoss.String(), whenMore},
		{"clock.every", c.ClockEvery.String(), whenMore},
		{"clock.sources", sorted(sourceNames(c.TimeSources)), whenNarrower},
		{"witness", c.Witness, whenChanged},
		{"code_sha256", c.CodeSHA256, whenChanged},
	}
	return append(out, m.furtherSettings(sorted)...)
}

// furtherSettings are the lines of which there are as many as are configured.
func (m *Module) furtherSettings(sorted func([]string) string) []setting {
	c := &m.cfg
	var out []setting
	if t := c.Certified; t != nil {
		out = append(out, setting{"certified", strings.Join([]string{t.Manufacturer, t.Model, sorted(t.Firmware), t.Reference}, "; "), whenChanged})
	}
	for i, p := range c.Policies {
		at := "policy." + p.ID + "."
		out = append(
			out, setting{at + "place", fmt.Sprint(i), never}, setting{at + "max_items", fmt.Sprint(p.MaxItems), whenMore},
			setting{at + "lifetime", p.Lifetime.String(), whenMore}, setting{at + "raw", fmt.Sprint(p.Raw), whenTrue},
			setting{at + "tier", string(p.Tier), whenLowerTier},
		)
	}
	out = append(out, alarmSettings(c.Alarms)...)
	for _, e := range c.AlgorithmEnds {
		out = append(out, setting{"end." + e.KeyType + "." + e.Alg, e.Until.UTC().Format(time.RFC3339), whenChanged})
	}
	for _, o := range c.OneTime {
		at := "one_time." + o.Policy + "."
		out = append(
			out, setting{at + "ca", o.CA, whenChanged}, setting{at + "key_types", sorted(o.KeyTypes), whenWider}, setting{at + "life", o.Life.String(), whenMore},
		)
	}
	for kt, n := range c.KeyPool {
		out = append(out, setting{"key_pool." + kt, fmt.Sprint(n), never})
	}
	for name, v := range c.Further {
		out = append(out, setting{"program." + name, v, whenChanged})
	}
	return out
}

// document is the configuration in one form, and its digest (T25).
func (m *Module) document() (text []byte, digest string, err error) {
	flat := map[string]string{}
	for _, s := range m.settings() {
		flat[s.name] = s.value
	}
	if text, err = jcs.Marshal(flat); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrConfig, err)
	}
	sum := sha256.Sum256(text)
	return text, hex.EncodeToString(sum[:]), nil
}

// changes compares the configuration with a document of before.
func (m *Module) changes(before []byte) ([]Change, error) {
	var was map[string]string
	if err := jcs.Unmarshal(before, &was); err != nil {
		return nil, fmt.Errorf("%w: configuration on record: %w", sap.ReasonSeal, err)
	}
	var out []Change
	for _, s := range m.settings() {
		old, had := was[s.name]
		delete(was, s.name)
		if had && old == s.value {
			continue
		}
		out = append(out, Change{s.name, old, s.value, s.weaker(old, s.value)})
	}
	for _, name := range slices.Sorted(maps.Keys(was)) { // what is gone; a policy less allows less
		out = append(out, Change{name, was[name], "", !strings.HasPrefix(name, "policy.") && !strings.HasPrefix(name, "one_time.") && !strings.HasPrefix(name, "key_pool.")})
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// changesFrom finds the accepted configuration on record. One that is not there,
// because an older program accepted it, leaves everything to be judged.
func (m *Module) changesFrom(tx *Tx, digest string, committed bool) ([]Change, error) {
	r, err := tx.Configurations.Latest(digest)
	if isNotFound(err) {
		out, err := m.changes([]byte("{}"))
		for i := range out {
			out[i].Weaker = true
		}
		return out, err
	}
	if err == nil {
		err = m.verified(tx, r, committed)
	}
	if err != nil {
		return nil, err
	}
	return m.changes(r.Document)
}

// keepConfiguration puts the configuration on record as accepted by these; cond is
// changed with the same audit record (PRV-03).
func (w *work) keepConfiguration(cond *Condition, event string, by [2]string, why string) error {
	text, digest, err := w.m.document()
	if err != nil {
		return err
	}
	data := audit.Data{"obj": cond.object(), "config": digest, "why": why}
	if by[0] != "" {
		data["first"], data["second"] = by[0], by[1]
	} else {
		data["automatic"] = true
	}
	if cond.Version > 0 { // there was one before
		list, err := w.m.changesFrom(w.Tx, cond.Config, false)
		if err != nil {
			return err
		}
		data["before"], data["changes"], data["weaker"] = cond.Config, named(list, false), named(list, true)
	}
	seq, err := w.log(event, audit.OK, "", data)
	if err != nil {
		return err
	}
	cond.Config = digest
	w.stamp(cond, seq)
	r := &Configuration{Number: seq, Digest: digest, Document: text, Accepted: w.now.Unix(), First: by[0], Second: by[1]}
	w.stamp(r, seq)
	return w.Configurations.Insert(r)
}

// maxNamed bounds the changes that one audit record names; the document on record
// has all.
const maxNamed = 200

func named(list []Change, weak bool) []string {
	out := []string{}
	for _, c := range list {
		if c.Weaker == weak && len(out) < maxNamed {
			out = append(out, c.String())
		}
	}
	return out
}

// settingAutomatic names Config.Automatic in the document.
const settingAutomatic = "automatic"

// openConfiguration compares the configuration with the accepted one. Without
// officers a changed one counts in the demo profile, if the accepted one is of that
// profile too, and as long as there are no officers, when nothing is done either;
// the record says so (PRV-03).
func (m *Module) openConfiguration(ctx context.Context) error {
	_, digest, err := m.document()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	if m.condition().Config == digest {
		return nil
	}
	var list []Change
	err = m.view(ctx, func(tx *Tx) error {
		var err error
		list, err = m.changesFrom(tx, m.condition().Config, true)
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	// Automatic counts where it was accepted before: whoever edits the file of a
	// service must not name himself a demo, which nobody is asked about.
	m.keep = m.before || m.cfg.Automatic && !slices.ContainsFunc(list, func(c Change) bool { return c.Name == settingAutomatic })
	if m.keep {
		return nil // recordStart keeps it
	}
	return m.wait(Waiting{
		Kind: DecidePolicy, Changes: list,
		Why:  fmt.Sprintf("the configuration (%s) is not the accepted one (%s): %d settings differ; two officers accept it: assent policy accept", short(digest), short(m.condition().Config), len(list)),
		Args: mustArgs(AcceptPolicy{Config: digest, Before: m.condition().Config}),
	})
}

func short(digest string) string { return clip(digest, 12) }

// policyWanted checks the arguments of the decision against what the module waits
// for. When the CAs of callers are among the changes, only officers whose own key
// was granted count: whoever edited the file could have a CA that makes olga.
func (w *work) policyWanted(args []byte) (*AcceptPolicy, error) {
	in, err := decodeArgs[AcceptPolicy](args)
	if err != nil {
		return nil, err
	}
	wait := w.m.waitsFor(DecidePolicy)
	switch {
	case wait == nil:
		return nil, fmt.Errorf("%w: the configuration is the accepted one", sap.ReasonState)
	case w.m.waitsFor(DecideRestore) != nil:
		return nil, fmt.Errorf("%w: the restore comes first: what is accepted may come with it", sap.ReasonState)
	case in.Why == "" || len(in.Why) > 200 || !sap.Displayable(in.Why):
		return nil, fmt.Errorf("%w: say why, in at most 200 octets", sap.ReasonInvalid)
	}
	_, digest, err := w.m.document()
	if err != nil {
		return nil, err
	}
	if in.Config != digest || in.Before != w.m.condition().Config {
		return nil, fmt.Errorf("%w: samd runs with %s and accepted is %s, the proposal says %s and %s",
			sap.ReasonInvalid, short(digest), short(w.m.condition().Config), short(in.Config), short(in.Before))
	}
	if slices.ContainsFunc(wait.Changes, func(c Change) bool { return c.Name == "caller_cas" }) {
		me, err := w.officer(w.caller)
		if err != nil {
			return nil, err
		}
		if me.Key == "" {
			return nil, fmt.Errorf("%w: the CA of callers changed, and no key of %s is on record", sap.ReasonRole, me.Name)
		}
	}
	return &in, nil
}

func checkPolicy(w *work, args []byte) error {
	_, err := w.policyWanted(args)
	return err
}

// applyPolicy makes the configuration of this start the accepted one, named
// change by change in a record of its own (ROL-04, PRV-03).
func applyPolicy(w *work, by [2]Caller, args []byte) (audit.Data, error) {
	in, err := w.policyWanted(args)
	if err != nil {
		return nil, err
	}
	cond, err := w.condition()
	if err != nil {
		return nil, err
	}
	err = w.keepConfiguration(cond, EventConfig, [2]string{by[0].Identity, by[1].Identity}, in.Why)
	return nil, errors.Join(err, w.Condition.Update(cond))
}

// condition reads the condition record inside the transaction.
func (w *work) condition() (*Condition, error) {
	cond, err := w.Condition.Get()
	if err != nil {
		return nil, notFound(err, sap.ReasonSeal)
	}
	return cond, w.m.verified(w.Tx, cond, false)
}

// mustArgs is the canonical form of a decision's arguments, which are plain
// strings and numbers.
func mustArgs(v any) []byte {
	text, err := jcs.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}
