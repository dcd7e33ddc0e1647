package certs

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Names of the files of a saved demo CA.
const (
	rootFile       = "root.pem"
	issuingFile    = "issuing.pem"
	rootKeyFile    = "root.key.pem"
	issuingKeyFile = "issuing.key.pem"
	baseFile       = "base-url"
)

// Save writes the demo CA into a folder: root.pem, issuing.pem, base-url if the CA
// has one, and the keys, unencrypted, readable by the owner only.
func (ca *DemoCA) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := writeKey(filepath.Join(dir, rootKeyFile), ca.rootKey); err != nil {
		return err
	}
	if err := writeKey(filepath.Join(dir, issuingKeyFile), ca.issuingKey); err != nil {
		return err
	}
	if ca.base != "" {
		if err := os.WriteFile(filepath.Join(dir, baseFile), []byte(ca.base+"\n"), 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, issuingFile), EncodePEM(ca.Issuing.Raw), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, rootFile), EncodePEM(ca.Root.Raw), 0o644)
}

// LoadDemoCA reads what Save wrote. clock may be nil for time.Now.
func LoadDemoCA(dir string, clock func() time.Time) (*DemoCA, error) {
	ca := &DemoCA{clock: clock}
	if ca.clock == nil {
		ca.clock = time.Now
	}
	var err error
	if ca.Root, ca.rootKey, err = loadPair(dir, rootFile, rootKeyFile); err != nil {
		return nil, err
	}
	if ca.Issuing, ca.issuingKey, err = loadPair(dir, issuingFile, issuingKeyFile); err != nil {
		return nil, err
	}
	if err := ca.Issuing.CheckSignatureFrom(ca.Root); err != nil {
		return nil, fmt.Errorf("%w: %s is not issued by %s in %s: %w", ErrChain, issuingFile, rootFile, dir, err)
	}
	base, err := readLimited(filepath.Join(dir, baseFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ca.base = strings.TrimSpace(string(base))
	return ca, nil
}

func loadPair(dir, certFile, keyFile string) (*x509.Certificate, crypto.Signer, error) {
	certs, err := LoadPEM(filepath.Join(dir, certFile))
	if err != nil {
		return nil, nil, err
	}
	text, err := readLimited(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, nil, fmt.Errorf("%w: %s holds no PRIVATE KEY block", ErrMalformed, keyFile)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s: not a PKCS#8 key", ErrMalformed, keyFile) // no detail: it could quote the key
	}
	key, ok := parsed.(crypto.Signer)
	if !ok || !samePublic(key.Public(), certs[0].PublicKey) {
		return nil, nil, fmt.Errorf("%w: the key of %s does not belong to %s", ErrMalformed, keyFile, certFile)
	}
	return certs[0], key, nil
}

func samePublic(a, b crypto.PublicKey) bool {
	eq, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && eq.Equal(b)
}

func writeKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}
