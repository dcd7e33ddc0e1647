package main

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/internal/config"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/internal/ration"
	"github.com/assent-sign/assent/workers"
)

// Profiles.
const (
	profileDemo        = "demo"
	profileDevelopment = "development"
	profileProduction  = "production"
)

// Config is ssad's configuration file: strict YAML, unknown keys are errors. It
// names every address that ssad listens on (IAM-07).
// Secrets are never in it; it names files that only ssad's user can read.
// Relative paths are relative to the file. ssad.example.yaml shows every key.
type Config struct {
	Profile       string   `yaml:"profile"`        // demo (loopback only), development or production (no software keys, https)
	Listen        string   `yaml:"listen"`         // host:port of everything public; default 127.0.0.1:8440
	AppOrigin     string   `yaml:"app_origin"`     // as browsers spell it; required
	SigningOrigin string   `yaml:"signing_origin"` // of sicd; required
	Name          string   `yaml:"name"`           // of the service, as signers and integrators see it
	Contact       string   `yaml:"contact"`        // who helps signers, in plain words
	Data          string   `yaml:"data"`           // directory of databases and documents, ssad's alone; required
	Log           string   `yaml:"log"`            // text (default) or json
	Proxies       []string `yaml:"proxies"`        // addresses or networks whose X-Forwarded-For counts

	TLS struct {
		Cert string `yaml:"cert"` // PEM chain; without TLS: plain HTTP, for loopback or behind a front on this host
		Key  string `yaml:"key"`
	} `yaml:"tls"`
	SAM     SAMConfig        `yaml:"sam"`
	Tokens  []TokenConfig    `yaml:"tokens"`  // ssad's own keys: time-stamps, seals
	Workers []workers.Config `yaml:"workers"` // token "signers" is the module
	Uses    struct {
		Upload  string `yaml:"upload"`  // worker for documents that signers upload; "": they cannot
		SignDoc string `yaml:"signdoc"` // worker of CSC signDoc; "": not served
		// Workers of CSC signDoc for XAdES, by what they make; "": not served.
		SignDocXAdES struct {
			Enveloped  string `yaml:"enveloped"`
			Enveloping string `yaml:"enveloping"`
			Detached   string `yaml:"detached"`
			Beside     string `yaml:"internally_detached"`
		} `yaml:"signdoc_xades"`
		Levels []string `yaml:"levels"` // that CSC signDoc offers, of B-B, B-T, B-LT, B-LTA; all of its workers reach them
		TSA    string   `yaml:"tsa"`    // worker answered at /tsa; "": none
	} `yaml:"uses"`
	TSAAnchors string `yaml:"tsa_anchors"` // PEM file: roots of external time-stamp authorities; "": none are allowed

	Clients []oauth.ClientConfig `yaml:"clients"` // integrators
	Admin   struct {
		Listen string `yaml:"listen"`     // loopback only; default 127.0.0.1:8442
		Token  string `yaml:"token_file"` // bearer token of operators, at least 32 characters; required
	} `yaml:"admin"`
	Limits struct {
		Document    int64         `yaml:"document"`     // bytes of one document; default 100 MiB
		Items       int           `yaml:"items"`        // of one operation; default 100
		Lifetime    time.Duration `yaml:"lifetime"`     // of an operation when none is asked for; default 24h
		MaxLifetime time.Duration `yaml:"max_lifetime"` // default 720h
		Waiting     int           `yaml:"waiting"`      // operations of one client before one signer; default 100
		Declines    int           `yaml:"declines"`     // of one signer in a row, after which a client has to wait; default 3
		Pause       time.Duration `yaml:"pause"`        // how long; doubles with each further one, to 24h; default 15m
		Parallel    int           `yaml:"parallel"`     // documents in work at one time; default 4
		MinFree     uint64        `yaml:"min_free"`     // bytes of disk that stay free; default 64 MiB

		ClientBytes      int64 `yaml:"client_bytes"`      // of disk that one client may fill; default a quarter of the file system of data
		SignerBytes      int64 `yaml:"signer_bytes"`      // the same of a signer at the app origin; default 1 GiB or four documents, or client_bytes if that is less
		ClientOperations int64 `yaml:"client_operations"` // that are kept for one client, ended ones too; default 500000
	} `yaml:"limits"`
	Retention struct {
		Documents  time.Duration `yaml:"documents"`  // uploads; default 24h
		Results    time.Duration `yaml:"results"`    // finished documents; default 720h
		Operations time.Duration `yaml:"operations"` // what is known of an operation; default 9600h
		Redemption time.Duration `yaml:"redemption"` // samd's retention; default 24h
		Finish     time.Duration `yaml:"finish"`     // how long finishing is tried; default 1h
	} `yaml:"retention"`
	SessionLife time.Duration `yaml:"session_life"` // of a login; default 8h
	InviteLife  time.Duration `yaml:"invite_life"`  // default 72h
}

// SAMConfig says where the module is.
type SAMConfig struct {
	URL          string        `yaml:"url"`           // https://host:port; required
	ServerName   string        `yaml:"server_name"`   // in samd's certificate; default: the URL's host
	TLS          mtls.Files    `yaml:"tls"`           // ssad's certificate (OU sspu), its key, samd's CA; required
	StatementKey string        `yaml:"statement_key"` // PEM "PUBLIC KEY" that receipts must verify with; "": what samd says over mTLS
	Policy       string        `yaml:"policy"`        // activation policy to ask for; "": samd's default
	RawPolicy    string        `yaml:"raw_policy"`    // the same for digests of unseen content; "": policy
	OneTime      string        `yaml:"one_time"`      // one-time keys: no_key (signers without a key), always; "": never
	Wait         time.Duration `yaml:"wait"`          // how long to wait for samd at start; default 1m
}

// TokenConfig is a token with ssad's own keys.
type TokenConfig struct {
	Name    string `yaml:"name"`
	Driver  string `yaml:"driver"` // softtoken (demo, development) or pkcs11
	PINFile string `yaml:"pin_file"`
	Dir     string `yaml:"dir"`    // softtoken: folder of the keystore
	Create  bool   `yaml:"create"` // softtoken: make it when it is absent

	Module      string   `yaml:"module"`      // pkcs11: absolute path of the library
	Label       string   `yaml:"label"`       // pkcs11: token label
	Serial      string   `yaml:"serial"`      // pkcs11: serial number, when labels are not unique
	Children    int      `yaml:"children"`    // pkcs11: processes
	KEK         string   `yaml:"kek"`         // pkcs11: label of the wrapping key of the self-test
	Seal        string   `yaml:"seal"`        // pkcs11: label of the sealing key of the self-test
	Mechanism   string   `yaml:"mechanism"`   // pkcs11: wrapping mechanism of the self-test
	Env         []string `yaml:"env"`         // pkcs11: NAME=value for the processes that load the library
	Development bool     `yaml:"development"` // pkcs11: accept a module that fails the downgrade test
}

// signersToken is the name by which workers call the module.
const signersToken = "signers"

var errConfig = errors.New("configuration")

// load reads, completes and checks a file.
func load(path string) (*Config, error) {
	c, err := read(path)
	if err != nil {
		return nil, err
	}
	return c, c.check(path)
}

// read reads and completes a file.
func read(path string) (*Config, error) {
	c := &Config{Profile: profileProduction, Listen: "127.0.0.1:8440", Name: "Assent", Log: "text"}
	c.Admin.Listen = "127.0.0.1:8442"
	c.SAM.Wait = time.Minute
	c.Limits.Document = 100 << 20
	if err := config.Load(path, c); err != nil {
		return nil, err
	}
	c.resolve(filepath.Dir(path))
	return c, nil
}

// resolve makes relative paths relative to the file's folder.
func (c *Config) resolve(dir string) {
	paths := []*string{&c.Data, &c.TLS.Cert, &c.TLS.Key, &c.SAM.TLS.Cert, &c.SAM.TLS.Key, &c.SAM.TLS.CA, &c.SAM.StatementKey, &c.TSAAnchors, &c.Admin.Token}
	for i := range c.Tokens {
		paths = append(paths, &c.Tokens[i].PINFile, &c.Tokens[i].Dir)
	}
	for i := range c.Workers {
		paths = append(paths, &c.Workers[i].Chain)
	}
	for i := range c.Clients {
		paths = append(paths, &c.Clients[i].SecretFile, &c.Clients[i].JWKSFile)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	if c.SAM.ServerName == "" {
		if u, err := url.Parse(c.SAM.URL); err == nil {
			c.SAM.ServerName = u.Hostname()
		}
	}
}

func isHTTPS(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Scheme == "https"
}

// loopback tells whether only this host reaches an address.
func loopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (c *Config) logger(to io.Writer) *slog.Logger {
	if c.Log == "json" {
		return slog.New(slog.NewJSONHandler(to, nil))
	}
	return slog.New(slog.NewTextHandler(to, nil))
}

func (c *Config) proxies() (ration.Proxies, error) {
	var out ration.Proxies
	for _, s := range c.Proxies {
		if ip, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.PrefixFrom(ip, ip.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%w: proxies: %q is no address or network", errConfig, s)
		}
		out = append(out, p)
	}
	return out, nil
}

// tls returns nil without a certificate. TLS 1.3 and nothing older (CHN-01).
func (c *Config) tls() (*tls.Config, error) {
	if c.TLS.Cert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: tls: %w", errConfig, err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}}, nil
}

// publicKey reads a P-256 public key.
func publicKey(path string) (*ecdsa.PublicKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: sam.statement_key: %w", errConfig, err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("%w: sam.statement_key: %s holds no PEM block PUBLIC KEY", errConfig, path)
	}
	return parseKey(block.Bytes)
}

func parseKey(der []byte) (*ecdsa.PublicKey, error) {
	pub, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: statement key: %w", errConfig, err)
	}
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok || k.Curve.Params().BitSize != 256 {
		return nil, fmt.Errorf("%w: statement key is not on P-256", errConfig)
	}
	return k, nil
}
