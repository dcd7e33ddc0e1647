package main

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/assent-sign/assent/internal/config"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp/signer"
)

// fileConfig is sicd.yaml. The commented sample is sicd.example.yaml. Relative
// paths are relative to the file.
type fileConfig struct {
	// Profile is "demo", "development" or "production", as samd and ssad know them.
	// The page has two: the first two show the demo's ribbon. Required.
	Profile string `yaml:"profile"`
	// Listen is the address to listen on. Default 127.0.0.1:8441.
	Listen string `yaml:"listen"`
	// Origin is the signing origin as browsers see it and as samd is told. Required.
	Origin string `yaml:"origin"`
	// API is the app origin, where ssad is. Required.
	API string `yaml:"api"`
	// RPID is the relying party id of signing passkeys. Required.
	RPID string `yaml:"rp_id"`
	// Audience is the SAM's cluster and epoch, "name#1". Required.
	Audience string `yaml:"aud"`
	// SAMKey is the SAM's statement key, base64url SubjectPublicKeyInfo, as
	// "samd" and "assent status" print it. This or SAMKeyFile.
	SAMKey string `yaml:"sam_key"`
	// SAMKeyFile is a PEM file "PUBLIC KEY" with the same.
	SAMKeyFile string `yaml:"sam_key_file"`
	// MaxDocument is the largest document that the app accepts, in bytes. Default 104857600.
	MaxDocument int64 `yaml:"max_document"`
	// Attestation is "none" (default) or "direct".
	Attestation string `yaml:"attestation"`
	// AllowMissingViewer serves without the document viewer. Demo only.
	AllowMissingViewer bool `yaml:"allow_missing_viewer"`
	// TLS names certificate chain and key in PEM. Without it the server speaks
	// plain HTTP, which is for loopback, or for a front that ends TLS on this host.
	TLS struct {
		Cert string `yaml:"cert"`
		Key  string `yaml:"key"`
	} `yaml:"tls"`
}

var errConfig = errors.New("configuration is wrong")

func readConfig(path string) (*fileConfig, error) {
	c := &fileConfig{Listen: "127.0.0.1:8441", MaxDocument: 100 << 20}
	if err := config.Load(path, c); err != nil {
		return nil, err
	}
	for _, p := range []*string{&c.SAMKeyFile, &c.TLS.Cert, &c.TLS.Key} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(filepath.Dir(path), *p)
		}
	}
	return c, nil
}

// app returns the configuration of the signer's app.
func (c *fileConfig) app() (signer.Config, error) {
	profile, err := c.profile()
	if err != nil {
		return signer.Config{}, err
	}
	key, err := c.samKey()
	if err != nil {
		return signer.Config{}, err
	}
	return signer.Config{
		SAMKey: key, Audience: c.Audience, RPID: c.RPID, Origin: c.Origin, API: c.API, Profile: profile,
		Attestation: c.Attestation, MaxDocument: c.MaxDocument, AllowMissingViewer: c.AllowMissingViewer,
	}, nil
}

// profile is the page's.
func (c *fileConfig) profile() (string, error) {
	switch c.Profile {
	case "":
		return "", fmt.Errorf("%w: profile is missing: it is demo, development or production", errConfig)
	case signer.ProfileDemo, "development":
		return signer.ProfileDemo, nil
	case signer.ProfileProduction:
		return signer.ProfileProduction, nil
	}
	return "", fmt.Errorf("%w: profile %q is not demo, development or production", errConfig, c.Profile)
}

func (c *fileConfig) samKey() ([]byte, error) {
	switch {
	case (c.SAMKey == "") == (c.SAMKeyFile == ""):
		return nil, fmt.Errorf("%w: give sam_key or sam_key_file, one of the two", errConfig)
	case c.SAMKey != "":
		b, err := sap.UnB64(c.SAMKey)
		if err != nil {
			return nil, fmt.Errorf("%w: sam_key is not base64url without padding", errConfig)
		}
		return b, nil
	}
	text, err := os.ReadFile(c.SAMKeyFile)
	if err != nil {
		return nil, fmt.Errorf("%w: sam_key_file: %w (samd running, \"assent status --save-key FILE\" writes it)", errConfig, err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" || strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("%w: %s does not hold exactly one PEM block PUBLIC KEY", errConfig, c.SAMKeyFile)
	}
	return block.Bytes, nil
}

// tls returns the server's TLS configuration, or nil for plain HTTP. TLS 1.3 and
// nothing older (CHN-01).
func (c *fileConfig) tls() (*tls.Config, error) {
	if c.TLS.Cert == "" && c.TLS.Key == "" {
		if c.Profile == signer.ProfileProduction && !loopback(c.Listen) {
			return nil, fmt.Errorf("%w: without tls, listen on a loopback address (behind a TLS front); %s is none", errConfig, c.Listen)
		}
		return nil, nil
	}
	if c.TLS.Cert == "" || c.TLS.Key == "" {
		return nil, fmt.Errorf("%w: tls needs both cert and key", errConfig)
	}
	key, err := config.ReadSecret(c.TLS.Key)
	if err != nil {
		return nil, err
	}
	chain, err := os.ReadFile(c.TLS.Cert)
	if err != nil {
		return nil, fmt.Errorf("%w: tls.cert: %w", errConfig, err)
	}
	pair, err := tls.X509KeyPair(chain, key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("%w: tls: %w", errConfig, err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}}, nil
}

func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
