// Package audit is a chain of records in which nothing can be changed, left out
// or moved without showing (AUD-05, EN 419 241-1 SRG_AA.7). Each record's hash
// covers the hash before it; record 0 names the chain, so two instances cannot
// be confused. A record is appended inside the same transaction as the act that
// it tells of: when it cannot be written, the act does not happen (AUD-06).
//
// What a chain alone cannot show is that its end is missing, or that another end
// was grown in its place. Both show against any Checkpoint that was kept
// elsewhere: the anchor file, a receipt, an exported file.
//
// Records hold identifiers, digests and reason codes; no secrets, no names of
// people or documents (AUD-04).
package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/assent-sign/assent/internal/jcs"
)

// HashLen is the length of a record's hash.
const HashLen = sha256.Size

const (
	labelRecord = "assent/audit-record/v1"
	// TypeStart is the type of record 0; its data names the chain.
	TypeStart = "chain_start"
	maxField  = 256
	maxData   = 256 << 10
)

// Outcomes of an act.
const (
	OK      = "ok"
	Refused = "refused"
	Error   = "error"
)

// Errors of this package.
var (
	ErrEntry = errors.New("audit: entry cannot be recorded")
	ErrChain = errors.New("audit: the chain is broken")
	ErrForm  = errors.New("audit: not an audit export")
)

// Record is one record of the chain.
type Record struct {
	Seq     int64  `json:"seq"`
	Time    int64  `json:"time"` // Unix milliseconds
	Type    string `json:"type"`
	Actor   string `json:"actor"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Data    string `json:"data"` // canonical JSON object
	Hash    []byte `json:"hash"`
}

// Head is the end of a chain: the sequence number and hash of its last record.
// Seq is -1 for an empty chain.
type Head struct {
	Seq  int64
	Hash []byte
}

// Table is where a chain is kept, seen from inside one transaction.
type Table interface {
	Last() (Head, error)
	Insert(Record) error
}

// Entry is what the caller knows of an act.
type Entry struct {
	Type, Actor, Outcome, Reason string
	Data                         Data
}

// Data is the record's payload; Text gives its canonical form.
type Data map[string]any

// Text returns the canonical JSON of d. Values are strings, booleans, int,
// int64 and []string. ErrEntry for others.
func (d Data) Text() (string, error) {
	names := make([]string, 0, len(d))
	for n := range d {
		if !plainName(n) {
			return "", fmt.Errorf("%w: member name %q", ErrEntry, n)
		}
		names = append(names, n)
	}
	slices.Sort(names) // equal to the order of UTF-16 code units: names are ASCII
	out := append(make([]byte, 0, 256), '{')
	for i, n := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(jcs.AppendString(out, n), ':')
		switch v := d[n].(type) {
		case string:
			out = jcs.AppendString(out, v)
		case bool:
			out = strconv.AppendBool(out, v)
		case int:
			out = strconv.AppendInt(out, int64(v), 10)
		case int64:
			out = strconv.AppendInt(out, v, 10)
		case []string:
			out = appendStrings(out, v)
		default:
			return "", fmt.Errorf("%w: member %s has type %T", ErrEntry, n, v)
		}
	}
	return string(append(out, '}')), nil
}

func plainName(n string) bool {
	for i := range len(n) {
		if c := n[i]; (c < 'a' || c > 'z') && c != '_' {
			return false
		}
	}
	return n != ""
}

func appendStrings(out []byte, v []string) []byte {
	out = append(out, '[')
	for i, s := range v {
		if i > 0 {
			out = append(out, ',')
		}
		out = jcs.AppendString(out, s)
	}
	return append(out, ']')
}

// Append adds the record of an act to the chain in t and returns it. The caller
// commits it together with the act or not at all.
func Append(t Table, now time.Time, e Entry) (Record, error) {
	last, err := t.Last()
	if err != nil {
		return Record{}, err
	}
	data, err := e.Data.Text()
	if err != nil {
		return Record{}, err
	}
	r := Record{
		Seq: last.Seq + 1, Time: now.UnixMilli(), Type: e.Type, Actor: e.Actor,
		Outcome: e.Outcome, Reason: e.Reason, Data: data,
	}
	if err := r.check(); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	if (r.Seq == 0) != (r.Type == TypeStart) {
		return Record{}, fmt.Errorf("%w: record %d of type %s", ErrEntry, r.Seq, r.Type)
	}
	r.Hash = r.Sum(last.Hash)
	return r, t.Insert(r)
}

// check looks at the form that every record has.
func (r Record) check() error {
	if r.Outcome != OK && r.Outcome != Refused && r.Outcome != Error {
		return fmt.Errorf("outcome %q", r.Outcome)
	}
	if r.Type == "" || len(r.Type) > maxField || len(r.Actor) > maxField || len(r.Reason) > maxField || len(r.Data) > maxData {
		return errors.New("a field is empty or too long")
	}
	return nil
}

// Sum computes the hash of r behind a record with hash prev (empty for record
// 0): SHA-256 over the label, prev, and every field with its length.
func (r Record) Sum(prev []byte) []byte {
	b := make([]byte, 0, 160+len(r.Data))
	b = append(b, labelRecord...)
	b = append(b, 0)
	var start [HashLen]byte
	copy(start[:], prev)
	b = append(b, start[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time))
	for _, s := range [...]string{r.Type, r.Actor, r.Outcome, r.Reason, r.Data} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}
