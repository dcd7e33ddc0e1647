package sam

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap"
)

// ErrConfig is returned by Open for a configuration that cannot be used.
var ErrConfig = errors.New("sam: configuration cannot be used")

// PolicyQualified is the policy under which a raw digest is never signed.
const PolicyQualified = sap.PolicyQualified

// PolicySeal is reserved, and so is every id that begins with it and a dash, for
// the activation data of seals of legal persons. They are a policy of their own
// (SAP-13, TS 119 431-1 SIG-A.6-07A), asking for control and not for sole control,
// and they are not built: no configuration may give that name to a policy under
// which natural persons' keys sign.
const PolicySeal = "seal"

// Policy is an activation policy.
type Policy struct {
	ID       string
	MaxItems int           // signatures of one approval; 1 switches batches off (BLK-01)
	Lifetime time.Duration // of an activation request; at most MaxLifetime (SAP-06)
	Raw      bool          // whether a credential's raw permission counts under it
	Tier     Tier          // what an authenticator must have shown to approve under it; "any" when ""
}

// MaxLifetime is the hard cap of an activation request's life.
const MaxLifetime = 15 * time.Minute

// Config is what a module needs. Zero values mean the default that is given.
type Config struct {
	Cluster    string            // name of this module; part of every aud; letters, digits and . _ -
	Store      Store             // owned by the module from Open on
	Token      cryptotoken.Token // must be a Wrapper and a Sealer, and Named for the first start
	AnchorPath string            // file outside the database, best on another medium
	Production bool              // refuse tokens that are for development only
	Certified  *CertifiedToken   // the token as certified; nil: nothing is called qualified

	StatementKey string   // label of the P-256 key that signs statements; "samd-statement"
	Origin       string   // the one exact origin of the signer's app
	RPID         string   // WebAuthn relying party id; a suffix of the origin's host
	Policies     []Policy // the first is the default; {"standard", 100, 5m}
	DeviceBound  bool     // refuse authenticators whose key can be backed up (BE=1); as Models.Tier "device-bound"
	Models       Models   // which authenticators may be enrolled and used

	CryptoProfile string         // dated table of algorithms, see internal/algopolicy; "etsi-119312-1.5.1"
	AlgorithmEnds []AlgorithmEnd // ends brought forward

	OneTime []OneTime                       // policies that allow one-time keys (KEY-10)
	CAs     map[string]CertificateAuthority // that certify them, by name
	KeyPool map[string]int                  // unused keys kept ready, by key type

	LockoutLimit  int              // consecutive failures; 5
	LockoutTime   time.Duration    // 15m; negative: until an officer lifts it
	CodeLifetime  time.Duration    // of an enrolment code; 72h
	CoolingTime   time.Duration    // before an added authenticator can approve anything; 24h; negative: none (tests)
	WrongCodes    int              // wrong code proofs that close an enrolment; 5
	OpenSessions  int              // open activation requests of one signer; 100
	Retention     time.Duration    // how long an answer is kept for byte-identical retries; 24h
	ProposalLife  time.Duration    // of a proposal that waits for its second officer; 24h
	AnchorEvery   time.Duration    // 1s
	ConfirmEvery  time.Duration    // between signed checkpoints of the audit chain, while records come; 1m
	Witness       string           // file on another medium that gets every such checkpoint; "": none
	ResealEvery   time.Duration    // between batches of records that are sealed anew (KPR-06); 10ms; below 0: Module.Reseal is called
	SelfTestEvery time.Duration    // between periodic self-tests; 1h (FPT-02)
	CodeSHA256    string           // SHA-256 of the program file, hex; "": not checked
	Program       string           // the program file; this process's own
	Ceremony      []byte           // signed document of the ceremony (internal/ceremony); read once
	CeremonyFile  string           // where it is or should be, for messages
	Certificates  []CertificateEnd // of the process around the module; shown in Status
	CallerCAs     []string         // ceremony.KeyHash of the CAs whose certificates callers carry; the ceremony's must be one
	Backups       string           // folder that backups are written to; "": none are made
	// Automatic accepts a changed configuration without asking anybody, as the demo
	// profile does; never in production. Otherwise two officers do (PRV-03).
	Automatic bool
	// Further names what the program's own configuration adds to this one, for
	// what officers accept: drivers, labels, addresses.
	Further map[string]string

	Alarms AlarmConfig // thresholds; the table's own for those that are not given (AUD-09)

	Clock       clock.Steady   // the machine's
	TimeSources []clock.Source // other sources of UTC; production needs one (TIM-01)
	ClockLimit  time.Duration  // how far the clock may be from them, or move in a step; 2s
	ClockLoss   time.Duration  // how long one of them may be silent; 10m
	ClockEvery  time.Duration  // between comparisons; 64s

	Log     *slog.Logger           // slog.Default()
	Version string                 // shown in Info
	Release int                    // tests only: another than Release
	Random  io.Reader              // crypto/rand; under health tests (KEY-11)
	Hook    func(point Step)       // tests only: called between the durable steps
	Fault   func(test string) bool // tests only: spoils what the named known-answer test computes
}

// Step is a place between two durable steps, for kill tests.
type Step string

// Steps of an activation, in order.
const (
	StepRequested Step = "request" // activation request is durable, not answered
	StepVerified  Step = "reserve" // SAD verified, nothing reserved
	StepReserved  Step = "sign"    // reservation durable, key not used
	StepSigned    Step = "outcome" // key used, outcome not recorded
	StepRecorded  Step = "finish"  // outcome durable, not answered

	StepOnceApproved  Step = "once_key"     // assertion durable, no key
	StepOnceGenerated Step = "once_certify" // key and request made, no certificate
	StepOnceCertified Step = "once_answer"  // certificate linked, not answered
)

func (c *Config) fill() error {
	setDefault(&c.StatementKey, "samd-statement")
	setDefault(&c.LockoutLimit, 5)
	setDefault(&c.LockoutTime, 15*time.Minute)
	setDefault(&c.CodeLifetime, 72*time.Hour)
	setDefault(&c.CoolingTime, 24*time.Hour)
	setDefault(&c.WrongCodes, 5)
	setDefault(&c.OpenSessions, 100)
	setDefault(&c.Retention, 24*time.Hour)
	setDefault(&c.ProposalLife, 24*time.Hour)
	setDefault(&c.AnchorEvery, time.Second)
	setDefault(&c.ResealEvery, 10*time.Millisecond)
	setDefault(&c.SelfTestEvery, time.Hour)
	setDefault(&c.ConfirmEvery, time.Minute)
	setDefault(&c.ClockLimit, 2*time.Second)
	setDefault(&c.ClockLoss, 10*time.Minute)
	setDefault(&c.ClockEvery, 64*time.Second)
	setDefault(&c.Version, "dev")
	setDefault(&c.Release, Release)
	setDefault(&c.Program, "/proc/self/exe")
	if c.Clock == nil {
		c.Clock = clock.System{}
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Hook == nil {
		c.Hook = func(Step) {}
	}
	if len(c.Policies) == 0 {
		c.Policies = []Policy{{ID: "standard", MaxItems: 100, Lifetime: 5 * time.Minute}}
	}
	return c.check()
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// check refuses what would weaken a rule, such as a policy for persons under a name
// of seals (SAP-13).
func (c *Config) check() error {
	bad := func(what string, args ...any) error {
		return fmt.Errorf("%w: "+what, append([]any{ErrConfig}, args...)...)
	}
	if !sap.ValidID(c.Cluster) || len(c.Cluster) > 64 || strings.ContainsAny(c.Cluster, "#:@") {
		return bad("cluster %q: 1 to 64 letters, digits and . _ -", c.Cluster)
	}
	if c.Store == nil || c.Token == nil || c.AnchorPath == "" {
		return bad("store, token and anchor path are needed")
	}
	if err := checkOrigin(c.Origin, c.RPID); err != nil {
		return bad("%w", err)
	}
	if c.LockoutLimit < 1 || c.WrongCodes < 1 || c.OpenSessions < 1 || c.Retention < time.Minute || c.CodeLifetime < time.Minute || c.ProposalLife < time.Minute {
		return bad("limits must be positive, retention, code and proposal lifetime at least a minute")
	}
	if c.Automatic && c.Production {
		return bad("in production two officers accept the configuration: remove automatic")
	}
	if c.SelfTestEvery < time.Millisecond || c.SelfTestEvery > 24*time.Hour {
		return bad("self-tests run at least once a day")
	}
	if c.ConfirmEvery < time.Millisecond || c.ConfirmEvery > 24*time.Hour {
		return bad("the audit chain is signed at least once a day")
	}
	if err := errors.Join(c.checkTime(), c.Alarms.check()); err != nil {
		return err
	}
	if c.CodeSHA256 != "" && !isSHA256(c.CodeSHA256) {
		return bad("code_sha256 is 64 hexadecimal digits in lower case")
	}
	if c.Certified != nil {
		if err := c.Certified.check(); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, p := range c.Policies {
		switch {
		case !sap.ValidID(p.ID) || seen[p.ID]:
			return bad("policy id %q is no identifier or used twice", p.ID)
		case p.ID == PolicySeal || strings.HasPrefix(p.ID, PolicySeal+"-"):
			return bad("policy id %q is reserved for seals, which signers' keys never make", p.ID)
		case p.MaxItems < 1 || p.MaxItems > sap.MaxItems:
			return bad("policy %s: max_items must be 1 to %d", p.ID, sap.MaxItems)
		case p.Lifetime < 10*time.Second || p.Lifetime > MaxLifetime:
			return bad("policy %s: lifetime must be 10s to %v", p.ID, MaxLifetime)
		case p.Tier != "" && p.Tier.rank() < 0:
			return bad("policy %s: tier %q is not any, device-bound or attested", p.ID, p.Tier)
		case p.Raw && p.ID == PolicyQualified:
			return bad("policy %s never signs digests of unseen content: remove raw", p.ID)
		}
		seen[p.ID] = true
	}
	return c.checkOneTime()
}

// checkTime bounds what would make the watch over the clock look away.
func (c *Config) checkTime() error {
	switch {
	case c.Production && len(c.TimeSources) == 0:
		return fmt.Errorf("%w: production needs a second source of time beside the clock", ErrConfig)
	case c.ClockLimit < 10*time.Millisecond || c.ClockLimit > time.Minute:
		return fmt.Errorf("%w: the limit of the clock must be 10ms to 1m", ErrConfig)
	case c.ClockLoss < time.Second || c.ClockLoss > 24*time.Hour:
		return fmt.Errorf("%w: a source of time may be silent for 1s to 24h", ErrConfig)
	case c.ClockEvery < time.Millisecond || c.ClockEvery > c.ClockLoss:
		return fmt.Errorf("%w: the clock is compared at least as often as a source may be silent", ErrConfig)
	}
	return nil
}

func isSHA256(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && strings.ToLower(s) == s
}

// checkOrigin wants an https origin, or http on localhost, in the spelling that
// browsers use, and a relying party id that covers its host.
func checkOrigin(origin, rpID string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin || strings.ToLower(origin) != origin {
		return fmt.Errorf("origin %q is not scheme://host[:port] in lower case", origin)
	}
	host := u.Hostname()
	if u.Scheme != "https" && (u.Scheme != "http" || host != "localhost") {
		return fmt.Errorf("origin %q: https, or http on localhost", origin)
	}
	if rpID == "" || (host != rpID && !strings.HasSuffix(host, "."+rpID)) {
		return fmt.Errorf("rp_id %q does not cover the origin's host %q", rpID, host)
	}
	return nil
}

func (m *Module) policy(id string) (Policy, error) {
	if id == "" {
		return m.cfg.Policies[0], nil
	}
	for _, p := range m.cfg.Policies {
		if p.ID == id {
			return p, nil
		}
	}
	return Policy{}, fmt.Errorf("%w: %q", sap.ReasonPolicy, clip(id, 64))
}
