package demopki

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/revocation"
)

const maxFile = 64 << 20 // bytes of a database

// ErrDatabase is wrapped by errors about the database's file.
var ErrDatabase = errors.New("demopki: database of the demo CA cannot be used")

// line is a fact, one line of the file: a number was given, or its certificate was
// revoked. Lines are only ever added.
type line struct {
	Issuer string `json:"issuer"`
	Serial string `json:"serial"` // content of the INTEGER, in hex
	// Revoked is when; absent in the line about the issue.
	Revoked time.Time         `json:"revoked,omitzero"`
	Reason  revocation.Reason `json:"reason,omitempty"`
}

type number struct{ issuer, serial string }

// store is the records by number, and the file that they are kept in.
type store struct {
	path    string // empty: memory only
	records map[number]revocation.Record
}

func openStore(path string) (*store, error) {
	s := &store{path: path, records: map[number]revocation.Record{}}
	if path == "" {
		return s, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil && info.Size() > maxFile {
		err = fmt.Errorf("%d bytes", info.Size())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDatabase, path, err)
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = s.read(string(text))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDatabase, path, err)
	}
	return s, nil
}

// read takes the lines of a file. Each must be whole and understood: a half line of
// a crash could be a revocation.
func (s *store) read(text string) error {
	n := 0
	for one := range strings.Lines(text) {
		n++
		dec := json.NewDecoder(strings.NewReader(one))
		dec.DisallowUnknownFields()
		var l line
		if err := dec.Decode(&l); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		serial, err := hex.DecodeString(l.Serial)
		if err != nil || len(serial) == 0 || dec.More() || !strings.HasSuffix(one, "\n") || (l.Issuer != rootIssuer && l.Issuer != issuingIssuer) {
			return fmt.Errorf("line %d: not a whole record", n)
		}
		s.apply(number{l.Issuer, string(serial)}, l)
	}
	return nil
}

func (s *store) apply(n number, l line) {
	s.records[n] = revocation.Record{Revoked: !l.Revoked.IsZero(), At: l.Revoked, Reason: l.Reason}
}

// add writes a fact down, and only then knows it.
func (s *store) add(n number, rec revocation.Record) error {
	l := line{Issuer: n.issuer, Serial: hex.EncodeToString([]byte(n.serial)), Revoked: rec.At, Reason: rec.Reason}
	if s.path != "" {
		text, err := json.Marshal(l)
		if err != nil {
			return err
		}
		if err := appendLine(s.path, text); err != nil {
			return fmt.Errorf("%w: %w", ErrDatabase, err)
		}
	}
	s.apply(n, l)
	return nil
}

func appendLine(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}
