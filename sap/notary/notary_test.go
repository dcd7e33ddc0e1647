package notary_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/notary"
)

type key struct {
	*ecdsa.PrivateKey
	id string
}

func newKey(t *testing.T) key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := sap.KeyID(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key{k, id}
}

// book is an audit chain that is written as the module writes it.
type book struct {
	t    *testing.T
	list []audit.Record
}

func (b *book) Last() (audit.Head, error) {
	if len(b.list) == 0 {
		return audit.Head{Seq: -1}, nil
	}
	r := b.list[len(b.list)-1]
	return audit.Head{Seq: r.Seq, Hash: r.Hash}, nil
}

func (b *book) Insert(r audit.Record) error { b.list = append(b.list, r); return nil }

func (b *book) log(typ string, d audit.Data) {
	b.t.Helper()
	if _, err := audit.Append(b, time.UnixMilli(int64(1000+len(b.list))), audit.Entry{Type: typ, Actor: "samd", Outcome: audit.OK, Data: d}); err != nil {
		b.t.Fatal(err)
	}
}

// confirm signs the chain with a key.
func (b *book) confirm(k key) audit.Signed {
	b.t.Helper()
	last := b.list[len(b.list)-1]
	s := audit.Signed{Checkpoint: audit.Checkpoint{Chain: "c1", Seq: last.Seq, Hash: last.Hash}, Every: 1000, Key: k.id}
	var err error
	if s.Sig, err = sap.Sign(k, sap.LabelCheckpoint, s.Body()); err != nil {
		b.t.Fatal(err)
	}
	if _, err = audit.AppendSigned(b, time.UnixMilli(last.Time), "samd", s); err != nil {
		b.t.Fatal(err)
	}
	return s
}

// succeed records that next follows old; by signs in the old one's place.
func (b *book) succeed(epoch int64, old, next, by key, mode string) {
	b.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(next.Public())
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := jcs.Marshal(sap.Succession{
		Type: sap.TypeSuccession, Audience: "demo#1", Instance: "c1", Epoch: epoch, Old: old.id, New: next.id, Public: sap.B64(der), Time: 1000, Mode: mode,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	d := audit.Data{"statement": sap.B64(text), "signature": "", "why": "yearly"}
	for name, k := range map[string]key{"signature": by, "proof": next} {
		label := sap.LabelSuccession
		if name == "proof" {
			label = sap.LabelSuccessionProof
		}
		sig, err := sap.Sign(k, label, text)
		if err != nil {
			b.t.Fatal(err)
		}
		if name == "proof" || mode == sap.ModeSuccession {
			d[name] = sap.B64(sig)
		}
	}
	b.log(audit.TypeStatementKey, d)
}

func (b *book) all() iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range b.list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func verify(t *testing.T, b *book, witness []audit.Signed, pins ...key) error {
	t.Helper()
	var list []*ecdsa.PublicKey
	for _, p := range pins {
		list = append(list, &p.PublicKey)
	}
	n, err := notary.New(list...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = audit.VerifySigned(n.Watch(b.all()), n.Check, witness)
	return err
}

// KPR-06, AUD-05, AUD-08: with the first key pinned a chain verifies over each change of
// the key, as do the witness's lines of each; what a key signs outside of its records, what
// it did not agree to, and a second successor are refused at their record.
func TestKPR06ChainsOverChangesOfTheKey(t *testing.T) {
	a, b, c, evil := newKey(t), newKey(t), newKey(t), newKey(t)
	type chain struct {
		*book
		witness []audit.Signed
	}
	begin := func() *chain {
		x := &chain{book: &book{t: t}}
		x.log(audit.TypeStart, audit.Data{"chain": "c1"})
		x.witness = append(x.witness, x.confirm(a))
		return x
	}
	good := begin()
	good.succeed(2, a, b, a, sap.ModeSuccession)
	good.witness = append(good.witness, good.confirm(b))
	good.succeed(3, b, c, b, sap.ModeSuccession)
	good.log("act", audit.Data{})
	good.witness = append(good.witness, good.confirm(c))
	if err := verify(t, good.book, good.witness, a); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(x *chain){
		"retired key goes on":         func(x *chain) { x.succeed(2, a, b, a, sap.ModeSuccession); x.confirm(a) },
		"unknown key":                 func(x *chain) { x.confirm(evil) },
		"a successor before its time": func(x *chain) { x.confirm(b); x.succeed(2, a, b, a, sap.ModeSuccession) },
		"the old key did not agree":   func(x *chain) { x.succeed(2, a, b, evil, sap.ModeSuccession) },
		"a second successor": func(x *chain) {
			x.succeed(2, a, b, a, sap.ModeSuccession)
			x.succeed(2, a, evil, a, sap.ModeSuccession)
		},
		"a replacement is not believed": func(x *chain) { x.succeed(2, a, b, a, sap.ModeReplacement); x.confirm(b) },
		"no statement":                  func(x *chain) { x.log(audit.TypeStatementKey, audit.Data{"key": b.id}) },
	} {
		x := begin()
		f(x)
		var bad *audit.BadRecord
		if err := verify(t, x.book, x.witness, a); !errors.As(err, &bad) || bad.Index < 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
	replaced := begin()
	replaced.succeed(2, a, b, a, sap.ModeReplacement)
	replaced.confirm(b)
	if err := verify(t, replaced.book, nil, a, b); err != nil {
		t.Errorf("with the new key pinned too: %v", err)
	}
	forged := slices.Clone(good.witness)
	forged[1].Key, forged[1].Sig = forged[2].Key, good.witness[0].Sig
	if err := verify(t, good.book, forged, a); !errors.Is(err, audit.ErrForm) {
		t.Errorf("a witness's line that the key did not sign: %v", err)
	}
	stranger := slices.Clone(good.witness)
	stranger[1].Key = evil.id
	if err := verify(t, good.book, stranger, a); !errors.Is(err, audit.ErrForm) {
		t.Errorf("a witness's line by an unknown key: %v", err)
	}
}
