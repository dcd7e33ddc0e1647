package evidence

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/mattn/go-sqlite3" // the driver, under database/sql: not the way the service uses it
)

// ErrInput means that a witness cannot be read at all. Nothing is concluded from it.
var ErrInput = errors.New("auditor: evidence cannot be read")

const maxLine = 16 << 20

// record is one record of the audit chain as the database has it.
type record struct {
	Seq, Time                           int64 // Unix milliseconds
	Type, Actor, Outcome, Reason, Data  string
	Hash                                []byte
	Obj, Signer, Key, Cert, Alg         string
	Redemption, Public, PoP, Generation string
	N                                   int64
	List                                []string // digests of an intent
	Digests, Signatures                 string   // hashes of an outcome
}

// session is a row of the table activation.
type session struct {
	ID, State          string
	Redemption, Answer []byte
	Digests            []byte
	Updated            int64 // Unix seconds
	InPart             bool  // no client log has the redemption, which the answer repeats
}

// credential is a row of the table credential.
type credential struct {
	Key    string
	Public []byte
	Blob   []byte
	Leaf   []byte // DER
}

// Use is one line of a token log.
type Use struct {
	N    int64  `json:"n"`
	Time int64  `json:"t"`    // Unix microseconds
	Ev   string `json:"ev"`   // start, sign, signed, failed, unused, wrapped
	Call int64  `json:"call"` // the same in the lines of one call
	Key  string `json:"key"`  // spki:<base64url sha256>, blob:<same>, label:<text> or new:<text>
	Mech string `json:"mech"`
	In   string `json:"in"`  // base64url digest
	Out  string `json:"out"` // base64url SHA-256 of the signature, or of the blob that was made of another
	Err  string `json:"err"`
}

// Event is one line of a client log.
type Event struct {
	Time     int64  `json:"t"`  // Unix microseconds
	Ev       string `json:"ev"` // redeem, answer, lost, recovered
	ID       string `json:"id"` // of the request; a repetition has the same
	Caller   string `json:"caller"`
	SAD      []byte `json:"sad"`
	Proof    []byte `json:"proof"`
	Evidence []byte `json:"evidence"`
	Status   int    `json:"status"`
	Body     []byte `json:"body"`
	Err      string `json:"err"`
}

// Sample is one line of a log of process measurements.
type Sample struct {
	Phase string `json:"phase"` // base, load, end
	FDs   int64  `json:"fds"`
	Tasks int64  `json:"tasks"`
	RSS   int64  `json:"rss_kib"`
	CPU   int64  `json:"cpu_ms"`
}

// database reads what counts from a copy of the file and its log, so that the
// original stays as the crash left it.
func (c *Case) database() error {
	dir, err := os.MkdirTemp("", "auditor-")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	copied := filepath.Join(dir, "db")
	for _, suffix := range []string{"", "-wal"} {
		if err := copyFile(c.DB+suffix, copied+suffix); err != nil && (suffix == "" || !errors.Is(err, os.ErrNotExist)) {
			return fmt.Errorf("%w: %w", ErrInput, err)
		}
	}
	db, err := sql.Open("sqlite3", "file:"+copied)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	defer func() { _ = db.Close() }()
	if err := c.readChain(db); err != nil {
		return err
	}
	if err := c.readSessions(db); err != nil {
		return err
	}
	return c.readCredentials(db)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// rows runs a query and scans every row.
func rows(db *sql.DB, query string, scan func(*sql.Rows) error) error {
	r, err := db.QueryContext(context.Background(), query)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrInput, query, err)
	}
	defer func() { _ = r.Close() }()
	for r.Next() {
		if err := scan(r); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrInput, query, err)
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrInput, query, err)
	}
	return nil
}

func (c *Case) readChain(db *sql.DB) error {
	return rows(db, "SELECT seq, time, type, actor, outcome, reason, data, hash FROM audit ORDER BY seq", func(r *sql.Rows) error {
		a := &record{}
		if err := r.Scan(&a.Seq, &a.Time, &a.Type, &a.Actor, &a.Outcome, &a.Reason, &a.Data, &a.Hash); err != nil {
			return err
		}
		var d struct {
			Obj, Signer, Key, Cert, Alg, Redemption, Public, Signatures string
			PoP                                                         string `json:"pop_digest"`
			Generation                                                  string `json:"generation_test"`
			N                                                           int64
			Digests                                                     json.RawMessage
		}
		if err := json.Unmarshal([]byte(a.Data), &d); err != nil {
			c.find(5, "I5", fmt.Sprintf("record %d", a.Seq), "its data is no JSON object: %v", err)
		}
		a.Obj, a.Signer, a.Key, a.Cert, a.Alg, a.N = d.Obj, d.Signer, d.Key, d.Cert, d.Alg, d.N
		a.Redemption, a.Public, a.PoP, a.Generation, a.Signatures = d.Redemption, d.Public, d.PoP, d.Generation, d.Signatures
		if json.Unmarshal(d.Digests, &a.List) != nil {
			_ = json.Unmarshal(d.Digests, &a.Digests)
		}
		c.chain = append(c.chain, a)
		return nil
	})
}

func (c *Case) readSessions(db *sql.DB) error {
	c.sessions = map[string]*session{}
	return rows(db, `SELECT session, state, redemption, digests, coalesce(text, answer), updated
		FROM activation LEFT JOIN answer ON answer.seq = activation.seq`, func(r *sql.Rows) error {
		var id []byte
		s := &session{}
		if err := r.Scan(&id, &s.State, &s.Redemption, &s.Digests, &s.Answer, &s.Updated); err != nil {
			return err
		}
		s.ID = "session:" + b64(id)
		c.sessions[s.ID] = s
		return nil
	})
}

func (c *Case) readCredentials(db *sql.DB) error {
	c.credentials = map[string]*credential{}
	// One-time keys have a record and, by design, no blob.
	return rows(db, `SELECT key, public, blob, chain FROM credential
		UNION ALL SELECT key, public, x'', chain FROM onetime WHERE length(public) > 0`, func(r *sql.Rows) error {
		k := &credential{}
		var chain []byte
		if err := r.Scan(&k.Key, &k.Public, &k.Blob, &chain); err != nil {
			return err
		}
		// Certificates one after the other, each with four octets of length.
		if len(chain) >= 4 {
			n := int(chain[0])<<24 | int(chain[1])<<16 | int(chain[2])<<8 | int(chain[3])
			if n <= len(chain)-4 {
				k.Leaf = chain[4 : 4+n]
			}
		}
		c.credentials[k.Key] = k
		return nil
	})
}

// tokenLog reads a token log and checks its own chain of hashes: each line is
// JSON, a tab, and hex SHA-256 over the hex hash of the line before and the JSON.
func (c *Case) tokenLog(path string) error {
	prev := ""
	var n int64
	return lines(path, func(line []byte) error {
		text, sum, ok := bytes.Cut(line, []byte{'\t'})
		want := sha256.Sum256(append([]byte(prev), text...))
		if !ok || hex.EncodeToString(want[:]) != string(sum) {
			c.find(1, "I1", fmt.Sprintf("%s line %d", filepath.Base(path), n+1), "the token log was edited: a line's hash does not fit")
		}
		var u Use
		if err := json.Unmarshal(text, &u); err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
		if u.N != n {
			c.find(1, "I1", fmt.Sprintf("%s line %d", filepath.Base(path), n+1), "the token log has a gap: number %d", u.N)
		}
		prev = string(sum)
		n++
		c.uses = append(c.uses, u)
		return nil
	})
}

func lines(path string, each func([]byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	defer func() { _ = f.Close() }()
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 0, 64<<10), maxLine)
	for s.Scan() {
		if err := each(bytes.Clone(s.Bytes())); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrInput, path, err)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrInput, path, err)
	}
	return nil
}

func decodeLines[T any](path string, into *[]T) error {
	return lines(path, func(line []byte) error {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return err
		}
		*into = append(*into, v)
		return nil
	})
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unb64(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil
	}
	return b
}

// unpackAnswers writes out the stored answers. What a client sent is not stored again:
// it is taken from the client's log, by the name of the redemption.
func (c *Case) unpackAnswers() {
	asked := map[string]Event{}
	for _, e := range c.events {
		if e.Ev == "redeem" {
			asked[string((&call{ask: e}).redemption())] = e
		}
	}
	for _, s := range c.sessions {
		if len(s.Answer) == 0 || s.Answer[0] == '{' {
			continue
		}
		e, ok := asked[string(s.Redemption)]
		s.InPart = !ok
		text, err := unpack(s.Answer, [][]byte{e.SAD, e.Proof}, 2)
		if err != nil {
			c.find(4, "I3", s.ID, "its stored answer cannot be read: %v", err)
		}
		s.Answer = text
	}
}

// unpack writes out the base64 of a packed text, and what was given.
func unpack(packed []byte, given [][]byte, depth int) ([]byte, error) {
	var text []byte
	for len(packed) > 0 {
		if len(packed) < 4 || depth == 0 {
			return nil, errors.New("a packed text ends early or is nested too deep")
		}
		kind, n := packed[0], int(packed[1])<<16|int(packed[2])<<8|int(packed[3])
		if packed = packed[4:]; n > len(packed) {
			return nil, errors.New("a segment is longer than its packed text")
		}
		b := packed[:n]
		packed = packed[n:]
		switch kind {
		case 'T':
			text = append(text, b...)
		case 'S':
			text = base64.StdEncoding.AppendEncode(text, b)
		case 'U':
			text = base64.RawURLEncoding.AppendEncode(text, b)
		case 'N':
			inner, err := unpack(b, given, depth-1)
			if err != nil {
				return nil, err
			}
			text = base64.RawURLEncoding.AppendEncode(text, inner)
		case 'G':
			if n != 1 || int(b[0]) >= len(given) {
				return nil, errors.New("a segment names nothing that was given")
			}
			text = base64.RawURLEncoding.AppendEncode(text, given[b[0]])
		default:
			return nil, fmt.Errorf("unknown segment %q", kind)
		}
	}
	return text, nil
}
