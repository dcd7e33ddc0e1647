// Package setup writes a data directory: the caller CA and its certificates, PIN
// and secret files, tokens, and the commented configuration files of samd, sicd,
// ssad and assent. It never overwrites anything.
package setup

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"text/template"
	"time"

	"github.com/assent-sign/assent/internal/certs"
)

//go:embed templates/*.yaml
var files embed.FS

// Profiles of an installation.
const (
	Demo        = "demo"
	Development = "development"
	Production  = "production"
)

// Errors.
var (
	ErrExists  = errors.New("setup: the directory is not empty")
	ErrOptions = errors.New("setup: options cannot be used")
)

// Options say what to set up. Addresses are host:port.
type Options struct {
	Dir           string
	Profile       string // Demo, Development or Production
	HSM           string // "none" (softtoken), "softhsm", or the path of a PKCS #11 module
	Cluster       string // name of the module
	Samd          string // samd's address
	Sicd          string // sicd's address
	Ssad          string // ssad's address
	Admin         string // ssad's admin listener; loopback
	SigningOrigin string // as browsers see it
	AppOrigin     string
	RPID          string
	TokenLabel    string        // of an existing PKCS #11 token
	NoViewer      bool          // demo: sicd starts without pdf.js
	RawPolicy     bool          // demo: further policies: raw digests, and one with a life of 10 s
	LockoutLimit  int           // failed approvals in a row that lock an authenticator; 5
	CA            *certs.DemoCA // an existing demo CA; nil: a new one
	LongTerm      string        // demo: the trust anchors of a worker for B-LTA; empty: no such worker
	MaxDocument   int64         // bytes
	Now           func() time.Time
}

// Made is what was set up, for the one who goes on from here.
type Made struct {
	Dir                             string
	SamdConfig, SicdConfig, SsadCfg string
	Ceremony                        string // the ceremony's document; not there in production until it is held
	SamKeyFile                      string // where sicd expects the module's public key
	PKI                             string // demo CA; not there in production
	ClientSecretFile                string
}

// maxDocument is the default of Options.MaxDocument.
const maxDocument = 100 << 20

// values are what the templates see.
type values struct {
	Options
	SamdListen, SicdListen, SsadListen    string
	SamdCert, SamdKey, CallerCA           string
	SspuCert, SspuKey, Ceremony           string
	SamdDatabase, SamdAnchor, SamdBackups string
	Driver, Module, TokenDir, TokenPIN    string
	TokenEnv, SicdProfile                 string
	TokenDevelopment, AllowMissingViewer  bool
	DeviceBound                           bool
	ExtraPolicies                         []string
	Audience, SamdURL, SamdName           string
	Client, ClientName                    string
	ClientSecret, ClientSecretSHA256      string
	AdminToken                            string
	SsadDir, SsadTokenDir, SsadTokenPIN   string
	TSAChain, TrustFile                   string
	Authenticator                         string
	ServiceName, Contact                  string
}

// Make sets a directory up. It must not exist, or be empty.
func Make(ctx context.Context, o Options) (*Made, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	if err := emptyDir(o.Dir); err != nil {
		return nil, err
	}
	v := &values{Options: o}
	for _, step := range []func(context.Context, *values) error{
		folders, certificates, samdToken, ssadToken, clientSecret, configFiles,
	} {
		if err := step(ctx, v); err != nil {
			return nil, err
		}
	}
	return Existing(o.Dir), nil
}

// Existing is what Make made in a folder, which must be absolute.
func Existing(dir string) *Made {
	at := func(p string) string { return filepath.Join(dir, filepath.FromSlash(p)) }
	return &Made{
		Dir: dir, SamdConfig: at("samd/samd.yaml"), SicdConfig: at("sicd/sicd.yaml"), SsadCfg: at("ssad/ssad.yaml"), Ceremony: at(DocumentFile),
		SamKeyFile: at("sicd/sam-statement.pem"), PKI: at("pki"), ClientSecretFile: at("client/secret"),
	}
}

func (o *Options) fill() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrOptions, fmt.Sprintf(format, args...))
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return err
	}
	for _, d := range []struct{ field, def *string }{
		{&o.HSM, ptr("none")}, {&o.Cluster, ptr("main")}, {&o.Samd, ptr("127.0.0.1:8443")}, {&o.Sicd, ptr("127.0.0.1:8441")},
		{&o.Ssad, ptr("127.0.0.1:8440")}, {&o.Admin, ptr("127.0.0.1:8442")}, {&o.TokenLabel, ptr("assent")},
		{&o.SigningOrigin, ptr("http://localhost:8441")}, {&o.AppOrigin, ptr("http://localhost:8440")},
	} {
		if *d.field == "" {
			*d.field = *d.def
		}
	}
	if o.MaxDocument == 0 {
		o.MaxDocument = maxDocument
	}
	if o.LockoutLimit == 0 {
		o.LockoutLimit = 5
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	switch o.Profile {
	case Demo, Development:
	case Production:
		if o.HSM == "none" {
			return bad("the profile production refuses software keys: give --hsm with the path of a PKCS #11 module")
		}
		if o.HSM == "softhsm" {
			return bad("the profile production refuses SoftHSM2, which fails the downgrade self-test: use --profile development to try it")
		}
	default:
		return bad("profile %q is not demo, development or production", o.Profile)
	}
	if o.HSM != "none" && o.HSM != "softhsm" && !filepath.IsAbs(o.HSM) {
		return bad("--hsm %q: want none, softhsm or the absolute path of a PKCS #11 module", o.HSM)
	}
	return o.origins(bad)
}

func (o *Options) origins(bad func(string, ...any) error) error {
	sign, err := url.Parse(o.SigningOrigin)
	app, err2 := url.Parse(o.AppOrigin)
	if err != nil || err2 != nil || sign.Host == "" || app.Host == "" || sign.Path != "" || app.Path != "" {
		return bad("origins %q and %q: want scheme://host[:port] without a path", o.SigningOrigin, o.AppOrigin)
	}
	if o.SigningOrigin == o.AppOrigin {
		return bad("signing origin and app origin must differ: the separation of the two is what protects signers")
	}
	if o.Profile == Production && (sign.Scheme != "https" || app.Scheme != "https") {
		return bad("production origins are https")
	}
	if o.RPID == "" {
		o.RPID = sign.Hostname()
	}
	return nil
}

func ptr(s string) *string { return &s }

func emptyDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%w: %s", ErrExists, dir)
	}
	return nil
}

// at is a path inside the data directory.
func (v *values) at(p string) string { return filepath.Join(v.Dir, filepath.FromSlash(p)) }

func folders(_ context.Context, v *values) error {
	for _, d := range []string{"samd/db", "samd-anchor", "samd-backups", "sicd", "ssad/data", "client"} {
		if err := os.MkdirAll(v.at(d), 0o700); err != nil {
			return err
		}
	}
	v.SamdListen, v.SicdListen, v.SsadListen = v.Samd, v.Sicd, v.Ssad
	v.SamdDatabase, v.SamdAnchor, v.SamdBackups = v.at("samd/db/sam.db"), v.at("samd-anchor/anchor"), v.at("samd-backups")
	v.SsadDir = v.at("ssad/data")
	v.Audience = v.Cluster + "#1"
	v.SamdURL, v.SamdName = "https://"+v.Samd, samdName
	v.ServiceName, v.Contact = "Assent "+v.Cluster, "your operator"
	// sicd knows two profiles: whether anything here counts, or not.
	v.SicdProfile = Production
	if v.Profile != Production {
		v.SicdProfile = Demo
	}
	v.AllowMissingViewer = v.NoViewer && v.SicdProfile == Demo
	if v.RawPolicy {
		v.ExtraPolicies = append(v.ExtraPolicies, "{id: bulk, max_items: 1000, lifetime: 10m, raw: true}", "{id: brief, max_items: 1, lifetime: 10s}")
	}
	return nil
}

// certificates holds the ceremony where its people are automatic. In production
// people hold it (assent ceremony init); the files will be where the configuration
// says.
func certificates(_ context.Context, v *values) error {
	v.CallerCA, v.Ceremony = v.at("ca/ca.pem"), v.at(DocumentFile)
	v.SamdCert, v.SamdKey = v.at("samd/tls/samd.pem"), v.at("samd/tls/samd.key.pem")
	v.SspuCert, v.SspuKey = v.at("ssad/tls/ssad.pem"), v.at("ssad/tls/ssad.key.pem")
	if v.Profile == Production {
		return nil
	}
	_, err := Hold(Automatic(v.Dir, v.Cluster, v.Samd, v.Now))
	return err
}

func clientSecret(_ context.Context, v *values) error {
	v.Client, v.ClientName = "cli", "Command line of "+v.Cluster
	secret := hex.EncodeToString(random(32))
	sum := sha256.Sum256([]byte(secret))
	v.ClientSecret, v.ClientSecretSHA256 = v.at("client/secret"), hex.EncodeToString(sum[:])
	v.AdminToken = v.at("client/admin-token")
	v.Authenticator = ""
	if v.Profile != Production {
		v.Authenticator = v.at("demo-signers")
	}
	return errors.Join(writeSecret(v.ClientSecret, secret), writeSecret(v.AdminToken, hex.EncodeToString(random(32))))
}

func configFiles(_ context.Context, v *values) error {
	t, err := template.New("").Funcs(template.FuncMap{"q": quote}).ParseFS(files, "templates/*.yaml")
	if err != nil {
		return err
	}
	for name, path := range map[string]string{
		"samd.yaml": "samd/samd.yaml", "sicd.yaml": "sicd/sicd.yaml", "ssad.yaml": "ssad/ssad.yaml", "assent.yaml": "assent.yaml",
	} {
		var b bytes.Buffer
		if err := t.ExecuteTemplate(&b, name, v); err != nil {
			return err
		}
		if err := os.WriteFile(v.at(path), b.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// quote writes a YAML double-quoted scalar; Go's escapes are a part of YAML's.
func quote(s string) string { return strconv.QuoteToASCII(s) }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}

// newPIN has 144 random bits in characters that every token takes.
func newPIN() string { return base64.RawURLEncoding.EncodeToString(random(18)) }

func writeSecret(path, secret string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(secret + "\n")
	return errors.Join(err, f.Close())
}
