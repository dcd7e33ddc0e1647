// Package config reads a process's configuration: one YAML file, strictly. A key
// that the program does not know, a duplicate key, a second document and a wrong
// type are errors that show the line; a misspelt security setting must never
// silently mean its default. Secrets are not in the file: it names files that
// only their owner can read.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"

	"github.com/assent-sign/assent/internal/secret"
)

// MaxFile bounds a configuration file and a secret file, in bytes.
const MaxFile = 1 << 20

// Errors of this package.
var (
	ErrSyntax = errors.New("config: the file cannot be used")
	ErrSecret = errors.New("config: the secret file cannot be used")
)

// Load reads the YAML file at path into cfg, a pointer to a struct whose fields
// carry yaml tags. Durations are written like "5m". Fields that are absent keep
// what cfg held before. Errors say the file and, of every mistake at once, the line,
// the key, what was found and what is wanted; they wrap ErrSyntax.
func Load(path string, cfg any) error {
	text, err := read(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return Decode(path, text, cfg)
}

// Decode is Load for text that is in memory; name is shown in errors.
func Decode(name string, text []byte, cfg any) error {
	if err := inPlainWords(text, cfg); err != nil {
		return fmt.Errorf("%w: %s:\n%w", ErrSyntax, name, err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.DisallowUnknownField())
	err := dec.Decode(cfg)
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %s is empty", ErrSyntax, name)
	}
	if err != nil {
		return fmt.Errorf("%w: %s:\n%s", ErrSyntax, name, decoderError(err))
	}
	var more any
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %s holds more than one document", ErrSyntax, name)
	}
	return nil
}

// ReadSecret reads a secret file, which nobody but its owner may read. One line
// end after it is dropped. The error says what is wrong with the file and never
// what is in it.
func ReadSecret(path string) (secret.Bytes, error) {
	st, err := os.Stat(path)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("%w: %w", ErrSecret, err)
	}
	if !st.Mode().IsRegular() || st.Mode().Perm()&0o077 != 0 {
		return secret.Bytes{}, fmt.Errorf("%w: %s can be read by others (mode %v): chmod 600 it", ErrSecret, path, st.Mode())
	}
	b, err := read(path)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("%w: %w", ErrSecret, err)
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) == 0 {
		return secret.Bytes{}, fmt.Errorf("%w: %s is empty", ErrSecret, path)
	}
	return secret.New(b), nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > MaxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, MaxFile)
	}
	return b, nil
}
