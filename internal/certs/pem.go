package certs

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
)

const (
	maxPEM      = 1 << 20 // bytes of a PEM file
	maxPEMCerts = 500
)

// ParsePEM reads every certificate of a PEM text, in order. Other kinds of
// block, garbage between blocks, and a text without any certificate are errors:
// a key that slipped into a certificate file should be noticed.
func ParsePEM(text []byte) ([]*x509.Certificate, error) {
	if len(text) > maxPEM {
		return nil, fmt.Errorf("%w: PEM of %d bytes", ErrLimit, len(text))
	}
	var out []*x509.Certificate
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%w: PEM block of type %q among certificates", ErrMalformed, block.Type)
		}
		if len(out) == maxPEMCerts {
			return nil, fmt.Errorf("%w: more than %d certificates", ErrLimit, maxPEMCerts)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: PEM block %d: %w", ErrMalformed, len(out)+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no PEM block of type CERTIFICATE", ErrMalformed)
	}
	return out, nil
}

// LoadPEM reads every certificate of a PEM file.
func LoadPEM(path string) ([]*x509.Certificate, error) {
	text, err := readLimited(path)
	if err != nil {
		return nil, err
	}
	out, err := ParsePEM(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// EncodePEM writes certificates (DER) as PEM.
func EncodePEM(ders ...[]byte) []byte {
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

// ParseChain parses certificates given in DER, such as a stored chain.
func ParseChain(ders [][]byte) ([]*x509.Certificate, error) {
	if len(ders) > maxPEMCerts {
		return nil, fmt.Errorf("%w: %d certificates", ErrLimit, len(ders))
	}
	out := make([]*x509.Certificate, 0, len(ders))
	for i, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", ErrMalformed, i+1, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxPEM {
		return nil, fmt.Errorf("%s: %w: more than %d bytes", path, ErrLimit, maxPEM)
	}
	return text, nil
}
