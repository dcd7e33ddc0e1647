package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sam"
)

// Profiles.
const (
	profileDemo        = "demo"
	profileDevelopment = "development"
	profileProduction  = "production"
)

// Config is samd's configuration file. It is strict YAML: unknown keys are
// errors. No key lets the service approve in a signer's place (SAP-12), or trust
// more than one CA of callers. Secrets are never in it; it names files that only samd's user can
// read. samd.example.yaml shows every key.
type Config struct {
	Profile  string     `yaml:"profile"`  // demo, development or production; the last refuses every token for development
	Cluster  string     `yaml:"cluster"`  // name of this module; part of every signed request; never changes
	Listen   string     `yaml:"listen"`   // host:port; loopback or a private network only
	TLS      mtls.Files `yaml:"tls"`      // own certificate and key; the CA whose certificates callers carry
	Ceremony string     `yaml:"ceremony"` // signed document of the ceremony; read at the first start that finds it
	Database string     `yaml:"database"` // SQLite file, made at the first start
	Anchor   string     `yaml:"anchor"`   // freshness anchor; not in the same backup as the database
	Backups  string     `yaml:"backups"`  // folder that backups are written to; none are made when empty
	Log      string     `yaml:"log"`      // text or json

	Token       TokenConfig `yaml:"token"`
	Origin      string      `yaml:"origin"`       // the one origin of the signer's app, exactly as browsers spell it
	RPID        string      `yaml:"rp_id"`        // WebAuthn relying party id
	DeviceBound bool        `yaml:"device_bound"` // refuse authenticators whose key can be backed up
	Policies    []Policy    `yaml:"policies"`     // the first is the default

	OneTime []OneTime         `yaml:"one_time"` // policies that allow one-time keys
	DemoCAs map[string]string `yaml:"demo_cas"` // demo and development: CA name -> folder of a demo CA
	KeyPool map[string]int    `yaml:"key_pool"` // unused one-time keys kept ready, by key type

	CryptoProfile string         `yaml:"crypto_profile"` // dated table of algorithms: etsi-119312-1.5.1 or eccg-2.0
	AlgorithmEnds []AlgorithmEnd `yaml:"algorithm_ends"` // ends brought forward, when one is broken before its time

	Lockout struct {
		Limit int           `yaml:"limit"` // failed authentications in a row
		Time  time.Duration `yaml:"time"`  // negative: until an officer lifts it
	} `yaml:"lockout"`
	Enrolment struct {
		CodeLifetime time.Duration `yaml:"code_lifetime"`
		WrongCodes   int           `yaml:"wrong_codes"` // that close an enrolment
	} `yaml:"enrolment"`
	Authenticators Authenticators `yaml:"authenticators"`

	OpenSessions int           `yaml:"open_sessions"` // open activation requests of one signer
	Retention    time.Duration `yaml:"retention"`     // of answers, for byte-identical retries
	ProposalLife time.Duration `yaml:"proposal_life"` // of a decision that waits for its second officer

	ConfirmEvery  time.Duration `yaml:"confirm_every"`   // between signed checkpoints of the audit chain
	Witness       string        `yaml:"witness"`         // file on another medium for them
	SelfTestEvery time.Duration `yaml:"self_test_every"` // periodic self-test
	Clock         ClockConfig   `yaml:"clock"`
	Alarms        AlarmConfig   `yaml:"alarms"`
	CodeSHA256    string        `yaml:"code_sha256"` // of the program file; not checked when empty
	LockMemory    bool          `yaml:"lock_memory"` // keep the process out of swap; needs RLIMIT_MEMLOCK
}

// AlarmConfig sets thresholds of alarms; those that are not given are the table's.
type AlarmConfig struct {
	Hours  *Hours                `yaml:"hours"`  // when people work; none: always
	Limits map[string]AlarmLimit `yaml:"limits"` // by kind
}

// Hours are when people work.
type Hours struct {
	Days []string `yaml:"days"` // mon, tue, wed, thu, fri, sat, sun
	From string   `yaml:"from"` // 07:00
	To   string   `yaml:"to"`   // 19:00
	Zone string   `yaml:"zone"` // such as Europe/Berlin; UTC when empty
}

// AlarmLimit is when an alarm is raised.
type AlarmLimit struct {
	Count  int           `yaml:"count"`  // below zero: never
	Window time.Duration `yaml:"window"` // so many within
}

func (c AlarmConfig) alarms() (sam.AlarmConfig, error) {
	out := sam.AlarmConfig{Limits: map[string]sam.AlarmLimit{}}
	for kind, l := range c.Limits {
		out.Limits[kind] = sam.AlarmLimit(l)
	}
	if c.Hours == nil {
		return out, nil
	}
	h := &sam.Hours{}
	for _, d := range c.Hours.Days {
		i := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, d)
		if i < 0 {
			return out, fmt.Errorf("%w: alarms.hours.days: %q is not one of mon to sun", errConfig, d)
		}
		h.Days = append(h.Days, time.Weekday(i))
	}
	var err error
	for _, x := range []struct {
		key, text string
		to        *time.Duration
	}{{"from", c.Hours.From, &h.From}, {"to", c.Hours.To, &h.To}} {
		var t time.Time
		if t, err = time.Parse("15:04", x.text); err != nil {
			return out, fmt.Errorf("%w: alarms.hours.%s: %q is not a time such as 07:00", errConfig, x.key, x.text)
		}
		*x.to = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	if h.Zone, err = time.LoadLocation(c.Hours.Zone); err != nil {
		return out, fmt.Errorf("%w: alarms.hours.zone: %w", errConfig, err)
	}
	out.Hours = h
	return out, nil
}

// ClockConfig names what the machine's clock is held against. Production needs one
// of kernel and servers.
type ClockConfig struct {
	Kernel  bool          `yaml:"kernel"`  // the kernel must say that its clock is synchronised
	Servers []string      `yaml:"servers"` // SNTP: host or host:port; more than half of them must agree
	Limit   time.Duration `yaml:"limit"`   // largest step, and largest distance from UTC
	Loss    time.Duration `yaml:"loss"`    // how long a source may be silent before keys are not used any more
	Every   time.Duration `yaml:"every"`   // between comparisons
}

func (c ClockConfig) sources() []clock.Source {
	var out []clock.Source
	if c.Kernel {
		out = append(out, clock.Kernel{})
	}
	if len(c.Servers) > 0 {
		out = append(out, clock.SNTP{Servers: c.Servers})
	}
	return out
}

// Policy is an activation policy.
type Policy struct {
	ID       string        `yaml:"id"`
	MaxItems int           `yaml:"max_items"`
	Lifetime time.Duration `yaml:"lifetime"` // 10s to 15m
	Raw      bool          `yaml:"raw"`      // allow digests of unseen content for credentials that have the permission
	Tier     sam.Tier      `yaml:"tier"`     // any, device-bound or attested: what an authenticator must have shown
}

// OneTime allows one-time keys under a policy.
type OneTime struct {
	Policy   string        `yaml:"policy"`
	CA       string        `yaml:"ca"` // name in cas
	KeyTypes []string      `yaml:"key_types"`
	Life     time.Duration `yaml:"life"` // after the signer's approval, 10s to 30m
}

// AlgorithmEnd ends an algorithm earlier than the profile does.
type AlgorithmEnd struct {
	KeyType string `yaml:"key_type"`
	Alg     string `yaml:"alg"`
	Until   string `yaml:"until"` // 2027-01-31: not used at or after 0:00 UTC of that day
}

// TokenConfig says where the keys are. Which of the keys below count depends on
// the driver.
type TokenConfig struct {
	Driver       string `yaml:"driver"` // softtoken or pkcs11
	Name         string `yaml:"name"`
	PINFile      string `yaml:"pin_file"`
	StatementKey string `yaml:"statement_key"` // label of the key that signs requests and receipts

	Dir    string `yaml:"dir"`    // softtoken: folder of the keystore
	Create bool   `yaml:"create"` // softtoken: make it when it is absent

	Module        string        `yaml:"module"`      // pkcs11: absolute path of the library
	Label         string        `yaml:"label"`       // pkcs11: token label
	Serial        string        `yaml:"serial"`      // pkcs11: serial number, when labels are not unique
	Children      int           `yaml:"children"`    // pkcs11: processes
	KEK           string        `yaml:"kek"`         // pkcs11: label of the wrapping key
	Seal          string        `yaml:"seal"`        // pkcs11: label of the sealing key
	WrapMechanism string        `yaml:"mechanism"`   // pkcs11: wrapping mechanism
	Env           []string      `yaml:"env"`         // pkcs11: NAME=value for the processes that load the library
	Development   bool          `yaml:"development"` // pkcs11: accept a module that fails the downgrade test
	Watchdog      time.Duration `yaml:"watchdog"`    // pkcs11: longest call

	Certified *Certified `yaml:"certified"` // what the token must report of itself before anything is called qualified
}

// Certified is the token as it was certified, to the letter.
type Certified struct {
	Manufacturer string   `yaml:"manufacturer"`
	Model        string   `yaml:"model"`
	Firmware     []string `yaml:"firmware"`  // every version that the certificate covers
	Reference    string   `yaml:"reference"` // of the certificate
}

var errConfig = errors.New("configuration")

func defaults() Config {
	c := Config{Profile: profileProduction, Listen: "127.0.0.1:8443", Log: "text"}
	return c
}

func (c *Config) logger(to io.Writer) *slog.Logger {
	build := func(to io.Writer) slog.Handler {
		if c.Log == "json" {
			return slog.NewJSONHandler(to, nil)
		}
		return slog.NewTextHandler(to, nil)
	}
	if os.Getenv("JOURNAL_STREAM") != "" { // systemd reads what is written
		return slog.New(newJournal(to, build))
	}
	return slog.New(build(to))
}

// module is the part that package sam takes; its zero values are sam's defaults.
func (c *Config) module() sam.Config {
	out := sam.Config{
		Cluster: c.Cluster, AnchorPath: c.Anchor, Backups: c.Backups, Production: c.Profile == profileProduction, StatementKey: c.Token.StatementKey,
		Origin: c.Origin, RPID: c.RPID, DeviceBound: c.DeviceBound, LockoutLimit: c.Lockout.Limit, LockoutTime: c.Lockout.Time,
		CodeLifetime: c.Enrolment.CodeLifetime, WrongCodes: c.Enrolment.WrongCodes, OpenSessions: c.OpenSessions, Retention: c.Retention, ProposalLife: c.ProposalLife,
		CryptoProfile: c.CryptoProfile, AlgorithmEnds: algorithmEnds(c.AlgorithmEnds),
		ConfirmEvery: c.ConfirmEvery, Witness: c.Witness, SelfTestEvery: c.SelfTestEvery, CodeSHA256: c.CodeSHA256,
	}
	out.Automatic, out.Further = c.Profile == profileDemo, c.further()
	out.KeyPool = c.KeyPool
	out.TimeSources, out.ClockLimit, out.ClockLoss, out.ClockEvery = c.Clock.sources(), c.Clock.Limit, c.Clock.Loss, c.Clock.Every
	for _, o := range c.OneTime {
		out.OneTime = append(out.OneTime, sam.OneTime(o))
	}
	if t := c.Token.Certified; t != nil {
		out.Certified = (*sam.CertifiedToken)(t)
	}
	out.CoolingTime = c.Authenticators.Cooling
	out.Models = sam.Models{
		Tier: c.Authenticators.Tier, Formats: c.Authenticators.Formats, Allow: c.Authenticators.Allow, Deny: c.Authenticators.Deny,
		Grace: c.Authenticators.Metadata.Grace,
	}
	for _, p := range c.Policies {
		out.Policies = append(out.Policies, sam.Policy(p))
	}
	return out
}

// further is what the module does not see of this configuration, for what officers
// accept. Paths of files are left out: what counts of them is inside, and sealed
// (database, anchor), named by a key (ceremony, callers' CA) or of no weight.
func (c *Config) further() map[string]string {
	t := c.Token
	out := map[string]string{
		"profile": c.Profile, "token.driver": t.Driver, "token.module": t.Module, "token.label": t.Label, "token.serial": t.Serial,
		"token.kek": t.KEK, "token.seal": t.Seal, "token.mechanism": t.WrapMechanism, "token.development": fmt.Sprint(t.Development),
		"token.env": strings.Join(t.Env, " "), "lock_memory": fmt.Sprint(c.LockMemory), "metadata.root": fileHash(c.Authenticators.Metadata.Root),
	}
	for name, dir := range c.DemoCAs {
		out["demo_ca."+name] = dir
	}
	return out
}

// fileHash names the contents of a file; a file that cannot be read is missed
// where it is used.
func fileHash(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// algorithmEnds reads the days; nil when one cannot be read.
func algorithmEnds(list []AlgorithmEnd) []sam.AlgorithmEnd {
	var out []sam.AlgorithmEnd
	for _, e := range list {
		until, err := time.Parse(time.DateOnly, e.Until)
		if err != nil {
			return nil
		}
		out = append(out, sam.AlgorithmEnd{KeyType: e.KeyType, Alg: e.Alg, Until: until})
	}
	return out
}

// demoCA certifies one-time keys with a demo CA of this machine.
type demoCA struct{ ca *certs.DemoCA }

// Certify implements sam.CertificateAuthority.
func (d demoCA) Certify(_ context.Context, csr []byte) ([][]byte, error) {
	return d.ca.Issue(certs.DemoRequest{CSR: csr, Profile: certs.SignerProfile})
}

// authorities opens the configured CAs.
func (c *Config) authorities() (map[string]sam.CertificateAuthority, error) {
	out := map[string]sam.CertificateAuthority{}
	for name, dir := range c.DemoCAs {
		ca, err := certs.LoadDemoCA(dir, nil)
		if err != nil {
			return nil, fmt.Errorf("%w: demo_cas %s: %w", errConfig, name, err)
		}
		out[name] = witnessed(demoCA{ca})
	}
	return out, nil
}

// openToken opens the configured driver. A literal list: a reader sees all.
func openToken(c Config, log *slog.Logger) (cryptotoken.Token, error) {
	t := c.Token
	if t.Driver == "softtoken" {
		return recorded(softtoken.Open(softtoken.Config{Name: t.Name, Dir: t.Dir, PINFile: t.PINFile, Profile: c.Profile, Create: t.Create, Log: log}))
	}
	return pkcs11.Open(pkcs11.Config{
		Name: t.Name, Module: t.Module, TokenLabel: t.Label, Serial: t.Serial, PINFile: t.PINFile, Children: t.Children,
		KEKLabel: t.KEK, SealLabel: t.Seal, WrapMechanism: t.WrapMechanism, Profile: c.Profile, Development: t.Development,
		Env: t.Env, Watchdog: t.Watchdog, Log: log,
	})
}
