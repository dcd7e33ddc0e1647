package sam

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// scripted is a token that answers every call with one error, and counts.
type scripted struct {
	err   error
	calls int
}

func (s *scripted) GenerateWrapped(context.Context, algo.KeyType) (cryptotoken.Wrapped, error) {
	s.calls++
	return cryptotoken.Wrapped{}, s.err
}

func (s *scripted) SignWrapped(context.Context, cryptotoken.Wrapped, algo.Algorithm, [][]byte) ([][]byte, error) {
	s.calls++
	return nil, s.err
}

func (s *scripted) CheckWrapped(context.Context, cryptotoken.Wrapped) error {
	s.calls++
	return s.err
}

// FPT-03, FPT-04: every way to a signer's key is behind the gate: none reaches the token
// of a closed module, and whichever call reports tampering closes it.
func TestFPT03EveryWayToAKeyIsBehindTheGate(t *testing.T) {
	ctx := context.Background()
	for name, call := range map[string]func(gate) error{
		"generate": func(g gate) error { _, err := g.GenerateWrapped(ctx, algo.P256); return err },
		"sign":     func(g gate) error { _, err := g.SignWrapped(ctx, cryptotoken.Wrapped{}, algo.ES256, nil); return err },
		"check":    func(g gate) error { return g.CheckWrapped(ctx, cryptotoken.Wrapped{}) },
	} {
		m := &Module{logger: slog.New(slog.NewTextHandler(io.Discard, nil)), unsaved: make(chan struct{}, 1), onceKeys: newOnceKeys()}
		token := &scripted{}
		g := gate{Wrapper: token, m: m}
		if err := call(g); err != nil || token.calls != 1 || m.failedWhy() != "" {
			t.Errorf("%s in an open module: %v, %d calls, closed %q", name, err, token.calls, m.failedWhy())
		}
		token.err = errors.New("busy")
		if err := call(g); !errors.Is(err, token.err) || m.failedWhy() != "" {
			t.Errorf("%s that fails: %v, closed %q", name, err, m.failedWhy())
		}
		token.err = fmt.Errorf("%w: case opened", cryptotoken.ErrTamper)
		if err := call(g); !errors.Is(err, cryptotoken.ErrTamper) || m.failedWhy() == "" {
			t.Errorf("%s that reports tampering: %v, closed %q", name, err, m.failedWhy())
		}
		before := token.calls
		if err := call(g); !errors.Is(err, ErrClosed) || !errors.Is(err, cryptotoken.ErrNotStarted) || token.calls != before {
			t.Errorf("%s in a closed module: %v, %d calls", name, err, token.calls-before)
		}
	}
}

// KEY-07, SAP-10: the proof of possession is one signature, of an algorithm of the key,
// that verifies; whatever else the token or the caller does, nothing comes out.
func TestKEY07ProofOfPossessionOnce(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, 32)
	good, err := key.Sign(rand.Reader, digest, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	signer := func(w cryptotoken.Wrapper) *popSigner {
		return &popSigner{ctx: context.Background(), token: w, key: cryptotoken.Wrapped{KeyType: algo.P256}, public: key.Public()}
	}
	p := signer(answering{sigs: [][]byte{good}})
	if sig, err := p.Sign(nil, digest, crypto.SHA256); err != nil || string(sig) != string(good) || string(p.digest) != string(digest) {
		t.Errorf("the genuine one: %v", err)
	}
	if sig, err := p.Sign(nil, digest, crypto.SHA256); err == nil || sig != nil {
		t.Error("a second proof is given")
	}
	token := &scripted{}
	if sig, err := signer(token).Sign(nil, digest, crypto.SHA1); err == nil || sig != nil || token.calls != 0 {
		t.Errorf("a hash that the key does not go with: %v, %d calls of the token", err, token.calls)
	}
	token.err = errors.New("gone")
	if _, err := signer(token).Sign(nil, digest, crypto.SHA256); !errors.Is(err, token.err) {
		t.Errorf("a token that fails: %v", err)
	}
	for n, sigs := range [][][]byte{{}, {good, good}, {make([]byte, 8)}} {
		if _, err := signer(answering{sigs: sigs}).Sign(nil, digest, crypto.SHA256); err == nil {
			t.Errorf("answer %d is taken", n)
		}
	}
}

// chain is an audit chain in memory.
type chain struct {
	AuditTable
	records []audit.Record
	err     error
}

func (c *chain) Last() (audit.Head, error) {
	if n := len(c.records); n > 0 {
		return audit.Head{Seq: c.records[n-1].Seq, Hash: c.records[n-1].Hash}, c.err
	}
	return audit.Head{Seq: -1}, c.err
}

func (c *chain) Insert(r audit.Record) error {
	c.records = append(c.records, r)
	return c.err
}

func (c *chain) Page(from int64, limit int) ([]audit.Record, error) {
	var out []audit.Record
	for _, r := range c.records {
		if r.Seq >= from && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, c.err
}

// AUD-05, T33: the end of a long chain is verified from a record on: that record has to
// be there, and what follows has to continue it up to the head.
func TestAUD05EndOfALongChain(t *testing.T) {
	const name = "test"
	c := &chain{}
	for i := range 20 {
		e := audit.Entry{Type: "test", Actor: "a:b", Outcome: audit.OK, Data: audit.Data{"n": i}}
		if i == 0 {
			e.Type, e.Data = audit.TypeStart, audit.Data{"chain": name}
		}
		if _, err := audit.Append(c, time.Unix(1_800_000_000, 0), e); err != nil {
			t.Fatal(err)
		}
	}
	head, err := c.Last()
	if err != nil {
		t.Fatal(err)
	}
	tx := &Tx{Audit: c}
	for _, from := range []int64{-1, 0, 1, 7, 19} {
		if err := verifyTail(tx, name, from, head); err != nil {
			t.Errorf("from record %d: %v", from, err)
		}
	}
	whole := c.records
	without := func(seq int) []audit.Record {
		return append(append([]audit.Record{}, whole[:seq]...), whole[seq+1:]...)
	}
	var bad *audit.BadRecord
	c.records = without(7)
	if err := verifyTail(tx, name, 7, head); !errors.As(err, &bad) || bad.Index != 7 {
		t.Errorf("the first record is missing: %v", err)
	}
	c.records = without(0)
	if err := verifyTail(tx, name, 0, head); !errors.As(err, &bad) {
		t.Errorf("record 0 is missing: %v", err)
	}
	c.records = without(12)
	if err := verifyTail(tx, name, 7, head); err == nil {
		t.Error("a record in the middle is missing and nobody is told")
	}
	c.records = whole[:19]
	if err := verifyTail(tx, name, 7, head); err == nil {
		t.Error("the last record is missing and nobody is told")
	}
	c.records = append([]audit.Record{}, whole...)
	c.records[9].Actor = "eve:x"
	if err := verifyTail(tx, name, 7, head); err == nil {
		t.Error("a record was edited and nobody is told")
	}
	c.records, c.err = whole, sap.ReasonStore
	if err := verifyTail(tx, name, 7, head); !errors.Is(err, sap.ReasonStore) {
		t.Errorf("a store that fails: %v", err)
	}
}
