package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/assent-sign/assent/internal/mds"
	"github.com/assent-sign/assent/sam"
)

// Authenticators says which authenticators signers may enrol and use.
type Authenticators struct {
	Tier     sam.Tier      `yaml:"tier"`    // any, device-bound or attested: least tier of an enrolment
	Formats  []string      `yaml:"formats"` // accepted attestation formats; none, packed, tpm
	Allow    []string      `yaml:"allow"`   // AAGUIDs; when there are any, only these, and attested
	Deny     []string      `yaml:"deny"`    // AAGUIDs
	Cooling  time.Duration `yaml:"cooling"` // before an added authenticator can approve; 24h
	Metadata struct {
		File  string        `yaml:"file"`  // FIDO metadata BLOB; read at start, never fetched
		Root  string        `yaml:"root"`  // PEM file: roots of the certificate that signs it
		Name  string        `yaml:"name"`  // DNS name in that certificate
		Grace time.Duration `yaml:"grace"` // how long after its next update it still admits new ones; 720h
	} `yaml:"metadata"`
}

// metadata reads the BLOB that the configuration names, nil when it names none.
func (a *Authenticators) metadata(now time.Time) (*mds.Blob, error) {
	m := a.Metadata
	if m.File == "" {
		return nil, nil
	}
	if m.Root == "" || m.Name == "" {
		return nil, fmt.Errorf("%w: authenticators.metadata needs root and name: who may sign it", errConfig)
	}
	roots, err := readCertificates(m.Root)
	if err != nil {
		return nil, err
	}
	f, err := os.Stat(m.File)
	if err != nil {
		return nil, fmt.Errorf("%w: authenticators.metadata.file: %w", errConfig, err)
	}
	if f.Size() > mds.MaxSize {
		return nil, fmt.Errorf("%w: authenticators.metadata.file: %w", errConfig, mds.ErrSize)
	}
	text, err := os.ReadFile(m.File)
	if err != nil {
		return nil, fmt.Errorf("%w: authenticators.metadata.file: %w", errConfig, err)
	}
	blob, err := mds.Read(text, mds.Options{Roots: roots, Name: m.Name, Now: now})
	if err != nil {
		return nil, fmt.Errorf("%w: authenticators.metadata.file %s: %w", errConfig, m.File, err)
	}
	return blob, nil
}

func readCertificates(path string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: authenticators.metadata.root: %w", errConfig, err)
	}
	var out []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: authenticators.metadata.root %s: %w", errConfig, path, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: authenticators.metadata.root %s has no certificate", errConfig, path)
	}
	return out, nil
}
