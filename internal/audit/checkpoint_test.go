package audit_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/audit"
)

// notary signs checkpoints as the module does.
type notary struct{ key *ecdsa.PrivateKey }

func newNotary(t testing.TB) notary {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return notary{k}
}

func (n notary) sign(c audit.Checkpoint, every int64) audit.Signed {
	s := audit.Signed{Checkpoint: c, Every: every, Key: "k1"}
	sum := sha256.Sum256(s.Body())
	s.Sig, _ = ecdsa.SignASN1(rand.Reader, n.key, sum[:])
	return s
}

func (n notary) check(s audit.Signed) error {
	sum := sha256.Sum256(s.Body())
	if !ecdsa.VerifyASN1(&n.key.PublicKey, sum[:], s.Sig) {
		return errors.New("wrong")
	}
	return nil
}

const every = 10

// signedChain is a chain of n records with a checkpoint at each multiple of every.
func signedChain(t testing.TB, k notary, n int) []audit.Record {
	t.Helper()
	m := &memory{}
	for len(m.list) < n {
		var err error
		i := len(m.list)
		now := time.UnixMilli(int64(1000 + i))
		switch {
		case i == 0:
			_, err = audit.Append(m, now, audit.Entry{Type: audit.TypeStart, Outcome: audit.OK, Data: audit.Data{"chain": "c1"}})
		case i%every == 0:
			_, err = audit.AppendSigned(m, now, "samd", k.sign(head("c1", m.list), every))
		default:
			_, err = audit.Append(m, now, audit.Entry{Type: "act", Actor: "a", Outcome: audit.OK, Data: audit.Data{"i": i}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return m.list
}

// rehash makes every hash right again, as whoever owns the table can.
func rehash(list []audit.Record) []audit.Record {
	for i := range list {
		var prev []byte
		if i > 0 {
			prev = list[i-1].Hash
		}
		list[i].Seq = int64(i)
		list[i].Hash = list[i].Sum(prev)
	}
	return list
}

// AUD-05, AUD-08, T37: an insider who owns the database and recomputes every hash
// deletes, edits, reorders, forks, truncates and leaves out checkpoints: with the
// public key, and a checkpoint that a witness kept, the verifier names where it
// shows.
func TestAUD05InsiderRecomputesTheChain(t *testing.T) {
	k := newNotary(t)
	good := signedChain(t, k, 45)
	witness := []audit.Signed{k.sign(head("c1", good[:41]), every)}
	clone := func() []audit.Record { return slices.Clone(good) }
	edit := func(i int, f func(*audit.Record)) []audit.Record {
		l := clone()
		f(&l[i])
		return rehash(l)
	}
	mallory := newNotary(t)
	for name, c := range map[string]struct {
		list  []audit.Record
		index int64
	}{
		"edit":                        {edit(13, func(r *audit.Record) { r.Data = `{"i":99}` }), 20},
		"edit, not hashed again":      {func() []audit.Record { l := clone(); l[13].Reason = "x"; return l }(), 13},
		"delete":                      {rehash(slices.Delete(clone(), 25, 26)), 29},
		"reorder":                     {func() []audit.Record { l := clone(); l[31], l[32] = l[32], l[31]; return rehash(l) }(), 40},
		"insert":                      {rehash(slices.Insert(clone(), 15, good[14])), 20},
		"truncate to a checkpoint":    {good[:31], 31},
		"truncate":                    {good[:37], 37},
		"fork behind the last one":    {rehash(append(clone()[:32], edit(33, func(r *audit.Record) { r.Data = `{}` })[33:]...)), 39},
		"checkpoint left out":         {edit(20, func(r *audit.Record) { r.Type = "act" }), 20},
		"another's checkpoint":        {resign(good, 20, mallory), 20},
		"checkpoint of other records": {edit(20, func(r *audit.Record) { r.Data = good[30].Data }), 20},
		"no checkpoint at all":        {stripped(good), 45},
		"empty":                       {nil, 0},
	} {
		known := witness
		if name == "no checkpoint at all" {
			known = nil // not even needed
		}
		_, err := audit.VerifySigned(seq(c.list), k.check, known)
		var bad *audit.BadRecord
		if !errors.As(err, &bad) || bad.Index != c.index {
			t.Errorf("%s: %v, want index %d", name, err, c.index)
		}
	}
	got, err := audit.VerifySigned(seq(good), k.check, witness)
	if err != nil || got.Checkpoints != 4 || got.Confirmed != 39 || got.End.Seq != 44 {
		t.Errorf("good chain: %+v, %v", got, err)
	}
	if _, err := audit.VerifySigned(seq(good), k.check, []audit.Signed{mallory.sign(head("c1", good[:41]), every)}); !errors.Is(err, audit.ErrForm) {
		t.Errorf("a witness's line that the module did not sign: %v", err)
	}
}

// resign replaces the checkpoint at i by one of somebody else, all hashes right.
func resign(list []audit.Record, i int, k notary) []audit.Record {
	m := &memory{list: slices.Clone(list[:i])}
	if _, err := audit.AppendSigned(m, time.UnixMilli(list[i].Time), "samd", k.sign(head("c1", m.list), every)); err != nil {
		panic(err)
	}
	return rehash(append(m.list, slices.Clone(list[i+1:])...))
}

// stripped is the chain with acts in the place of checkpoints.
func stripped(list []audit.Record) []audit.Record {
	out := slices.Clone(list)
	for i := range out {
		if out[i].Type == audit.TypeCheckpoint {
			out[i].Type, out[i].Data = "act", "{}"
		}
	}
	return rehash(out)
}

// AUD-05: the witness's form has one spelling; a torn last line does not count.
func TestWitnessForm(t *testing.T) {
	k := newNotary(t)
	good := signedChain(t, k, 12)
	s := k.sign(head("c1", good), every)
	again, err := audit.ParseSigned(s.String())
	if err != nil || again.String() != s.String() || k.check(again) != nil {
		t.Errorf("%v, %v", again, err)
	}
	list, err := audit.ReadWitness(strings.NewReader(s.String() + "\n" + s.String()[:40]))
	if err != nil || len(list) != 1 {
		t.Errorf("%d lines, %v", len(list), err)
	}
	for _, bad := range []string{"", "x", s.String() + " x", strings.Replace(s.String(), ":10 ", ":010 ", 1), strings.Replace(s.String(), ":10 ", ":0 ", 1), strings.Repeat("a", 5000)} {
		if _, err := audit.ReadWitness(strings.NewReader(bad + "\n")); !errors.Is(err, audit.ErrForm) {
			t.Errorf("%.60q: %v", bad, err)
		}
	}
}

// FuzzParseSigned: what parses has one spelling.
func FuzzParseSigned(f *testing.F) {
	f.Add("c1:7:" + strings.Repeat("0", 64) + ":10 k1 AAAA")
	f.Fuzz(func(t *testing.T, line string) {
		if s, err := audit.ParseSigned(line); err == nil && s.String() != line {
			t.Errorf("%q reads as %q", line, s)
		}
	})
}
