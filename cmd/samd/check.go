package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/assent-sign/assent/internal/ceremony"
	"github.com/assent-sign/assent/internal/config"
)

// check says all that is wrong; the module checks its own part again.
func (c *Config) check() error {
	var f config.Faults
	for _, need := range []struct{ key, value string }{
		{"cluster", c.Cluster}, {"database", c.Database}, {"anchor", c.Anchor}, {"origin", c.Origin}, {"rp_id", c.RPID},
		{"tls.cert", c.TLS.Cert}, {"tls.key", c.TLS.Key}, {"tls.ca", c.TLS.CA}, {"token.driver", c.Token.Driver}, {"token.pin_file", c.Token.PINFile},
	} {
		f.AddIf(need.value == "", "%s is missing", need.key)
	}
	production := c.Profile == profileProduction
	f.AddIf(!production && c.Profile != profileDemo && c.Profile != profileDevelopment, "profile %q is not demo, development or production", c.Profile)
	f.AddIf(c.Token.Driver != "" && c.Token.Driver != "softtoken" && c.Token.Driver != "pkcs11", "token.driver %q is not softtoken or pkcs11", c.Token.Driver)
	f.AddIf(c.Token.Driver == "softtoken" && production, "profile production refuses softtoken: configure a pkcs11 token")
	f.AddIf(c.Token.Development && production, "profile production refuses token.development")
	f.AddIf(c.Log != "text" && c.Log != "json", "log %q is not text or json", c.Log)
	f.AddIf(len(c.DemoCAs) > 0 && production, "profile production refuses demo_cas")
	f.AddIf(algorithmEnds(c.AlgorithmEnds) == nil && len(c.AlgorithmEnds) > 0, "algorithm_ends: until is a day such as 2027-01-31")
	f.AddIf(production && len(c.Clock.sources()) == 0, "profile production needs a second source of time: clock.kernel or clock.servers")
	f.AddIf(len(c.Clock.Servers) > 16, "clock.servers: at most 16")
	f.AddIf(production && c.Anchor != "" && filepath.Dir(c.Anchor) == filepath.Dir(c.Database), "anchor and database must not be in the same folder: one restore would take both back")
	return f.Err(errConfig)
}

// setUp reads the ceremony's document, when it is there, and names the CAs whose
// certificates callers carry: the document must be of one of them.
func (c *Config) setUp() (document []byte, cas []string, err error) {
	if document, err = c.ceremonyDocument(); err != nil {
		return nil, nil, err
	}
	rest, err := os.ReadFile(c.TLS.CA)
	if err != nil {
		return nil, nil, fmt.Errorf("tls.ca: %w", err)
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return document, cas, nil
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("tls.ca: %s: %w", c.TLS.CA, err)
		}
		hash, err := ceremony.KeyHash(cert.PublicKey)
		if err != nil {
			return nil, nil, fmt.Errorf("tls.ca: %s: %w", c.TLS.CA, err)
		}
		cas = append(cas, hash)
	}
}

// ceremonyDocument is nil when none is configured or its file is not there: the
// module says that one is needed.
func (c *Config) ceremonyDocument() ([]byte, error) {
	if c.Ceremony == "" {
		return nil, nil
	}
	f, err := os.Open(c.Ceremony)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var text []byte
	if err == nil {
		defer func() { _ = f.Close() }()
		text, err = io.ReadAll(io.LimitReader(f, ceremony.MaxSize+1))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: ceremony: the document cannot be read (%w): samd runs as uid %d, which must own it: chown and chmod 600 it", errConfig, err, os.Getuid())
	}
	return text, nil
}
