//go:build cgo

package pkcs11

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// plant makes a wrapping key past the driver, with other attributes than its own.
func plant(t *testing.T, m *module, label string, other ...*p11.Attribute) {
	t.Helper()
	template := kekTemplate(label, m.labels.kek)
	for _, a := range other {
		i := slices.IndexFunc(template, func(b *p11.Attribute) bool { return a.Type == b.Type })
		template[i] = a
	}
	if _, err := m.ctx.GenerateKey(m.session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_GEN, nil)}, template); err != nil {
		t.Fatal(err)
	}
}

func objects(t *testing.T, m *module, label string) int {
	t.Helper()
	found, f := m.findAll(byLabel(p11.CKO_SECRET_KEY, label))
	if f != nil {
		t.Fatal(f.text)
	}
	return len(found)
}

// KPR-06: what a kill left of a wrapping key, before it was tested, has no name that
// counts: nothing is wrapped under it, and the next try destroys it.
func TestKPR06UnfinishedWrappingKeyIsDestroyed(t *testing.T) {
	cfg := patient(provision(t))
	m := inside(t, cfg)
	plant(t, m, "assent-kek/2"+unfinished)
	tok := mustOpen(t, cfg)
	if label := currentKEK(t, tok); label != "assent-kek" {
		t.Errorf("current is %q", label)
	}
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil || w.KEK != "assent-kek" {
		t.Fatalf("under %q, %v", w.KEK, err)
	}
	if label := nextKEK(t, tok); label != "assent-kek/2" {
		t.Errorf("next is %q", label)
	}
	wantSign(t, tok, mustRewrap(t, tok, w))
	if left, made := objects(t, m, "assent-kek/2"+unfinished), objects(t, m, "assent-kek/2"); left != 0 || made != 1 {
		t.Errorf("%d unfinished, %d made", left, made)
	}
}

// KPR-06, KPR-01: whoever has the PIN can put a key that he made in the place of the
// next epoch. It is not taken: the children that find it say what is wrong with it.
func TestKPR06PlantedWrappingKeyIsNotTaken(t *testing.T) {
	for name, other := range map[string]*p11.Attribute{
		"extractable": p11.NewAttribute(p11.CKA_EXTRACTABLE, true),
		"can decrypt": p11.NewAttribute(p11.CKA_DECRYPT, true),
		"readable":    p11.NewAttribute(p11.CKA_SENSITIVE, false),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := patient(provision(t))
			tok := mustOpen(t, cfg)
			w, err := tok.GenerateWrapped(t.Context(), algo.P256)
			if err != nil {
				t.Fatal(err)
			}
			plant(t, inside(t, cfg), "assent-kek/2", other)
			for what, call := range map[string]func() error{
				"NextKEK": func() error { _, err := tok.NextKEK(t.Context()); return err },
				"Probe":   func() error { return tok.Probe(t.Context()) },
				"Open": func() error {
					again, err := Open(cfg)
					if err == nil {
						_ = again.Close()
					}
					return err
				},
			} {
				if err := call(); !errors.Is(err, cryptotoken.ErrSelfTest) || !strings.Contains(err.Error(), "CKA_") {
					t.Errorf("%s: %v, want ErrSelfTest that names the attribute", what, err)
				}
			}
			if n := mustRewrap(t, tok, w); n.KEK != "assent-kek" || !bytes.Equal(n.Blob, w.Blob) {
				t.Errorf("a key went under %q", n.KEK)
			}
		})
	}
}

// KPR-06: a wrapping key that another process made counts when a child meets it, and
// two with one name count for nothing: which one is used must not depend on the
// module's order.
func TestKPR06WrappingKeysOfOtherProcesses(t *testing.T) {
	cfg := patient(provision(t))
	cfg.Children = 1
	tok := mustOpen(t, cfg)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	m := inside(t, cfg)
	plant(t, m, "assent-kek/2")
	if label := nextKEK(t, tok); label != "assent-kek/2" || objects(t, m, label) != 1 {
		t.Errorf("next is %q, %d of them", label, objects(t, m, label))
	}
	wantSign(t, tok, mustRewrap(t, tok, w))
	plant(t, m, "assent-kek/2")
	if _, err := tok.NextKEK(t.Context()); err == nil || !strings.Contains(err.Error(), "several wrapping keys") {
		t.Errorf("two of one name: %v", err)
	}
}

// FuzzRotationRequests: whatever a request about wrapping keys holds, the child
// answers, the current wrapping key stays, and a key that is under it opens. RSA keys,
// which take a module a second each, are not made; a key is opened after each request that
// was carried out and now and then after others: a refused one that changed something shows
// then too.
func FuzzRotationRequests(f *testing.F) {
	m := inside(f, provision(f))
	made := m.handle(message{kind: opGenerate, fields: [][]byte{[]byte("P-256"), []byte("assent-kek")}})
	if made.kind != statusOK {
		f.Fatalf("%s", made.field(0))
	}
	public, blob := made.field(0), made.field(1)
	for _, op := range []byte{opNextKEK, opRewrap, opDestroyKEK, opCheck, opGenerate} {
		f.Add(op, []byte("assent-kek"), []byte("assent-kek/2"), []byte{}, []byte{}, []byte{})
		f.Add(op, []byte("P-256"), []byte("assent-kek"), []byte("assent-kek"), blob, public)
		f.Add(op, []byte("RSA-2048"), []byte("assent-kek"), []byte("assent-kek/2"), blob, public)
		f.Add(op, []byte("assent-kek/2"), []byte("assent-kek/02"), bytes.Repeat([]byte{'/'}, 300), blob[:9], public)
	}
	n := 0
	f.Fuzz(func(t *testing.T, op byte, a, b, c, d, e []byte) {
		if !slices.Contains([]byte{opNextKEK, opRewrap, opDestroyKEK, opCheck, opGenerate}, op) {
			return
		}
		if op == opGenerate && bytes.HasPrefix(a, []byte("RSA-")) {
			return
		}
		now := m.currentKEK()
		rep := m.handle(message{kind: op, fields: [][]byte{a, b, c, d, e}})
		if rep.kind != statusOK && (len(rep.fields) != 1 || len(rep.field(0)) > maxText) {
			t.Errorf("status %d with %d fields", rep.kind, len(rep.fields))
		}
		if m.currentKEK() < now {
			t.Fatalf("epoch %d became %d", now, m.currentKEK())
		}
		if n++; rep.kind != statusOK && n%64 != 0 {
			return
		}
		label := []byte(epochLabel(m.labels.kek, m.currentKEK()))
		made := m.handle(message{kind: opGenerate, fields: [][]byte{[]byte("P-256"), label}})
		if made.kind != statusOK {
			t.Fatalf("generate: %s", made.field(0))
		}
		if rep := m.handle(message{kind: opCheck, fields: [][]byte{[]byte("P-256"), label, made.field(1)}}); rep.kind != statusOK {
			t.Errorf("check: %s", rep.field(0))
		}
	})
}

// KPR-06: never under an older epoch, whoever asks a child: the parent does not ask,
// and the child refuses by itself.
func TestKPR06ChildRefusesOlderEpochs(t *testing.T) {
	cfg := patient(provision(t))
	m := inside(t, cfg)
	do := func(kind byte, fields ...string) message {
		req := message{kind: kind}
		for _, f := range fields {
			req.fields = append(req.fields, []byte(f))
		}
		return m.handle(req)
	}
	if rep := do(opNextKEK, "assent-kek"); rep.kind != statusOK || string(rep.field(0)) != "assent-kek/2" {
		t.Fatalf("%d %q", rep.kind, rep.field(0))
	}
	made := do(opGenerate, "P-256", "assent-kek/2")
	old := do(opGenerate, "P-256", "assent-kek")
	for name, c := range map[string]struct {
		rep  message
		want byte
	}{
		"newer to older":    {do(opRewrap, "P-256", "assent-kek/2", "assent-kek", string(made.field(1)), string(made.field(0))), statusInvalidInput},
		"older to older":    {do(opRewrap, "P-256", "assent-kek", "assent-kek", string(old.field(1)), string(old.field(0))), statusInvalidInput},
		"to none":           {do(opRewrap, "P-256", "assent-kek", "", string(old.field(1)), string(old.field(0))), statusKeyNotFound},
		"from none":         {do(opRewrap, "P-256", "", "assent-kek/2", string(old.field(1)), string(old.field(0))), statusBadBlob},
		"no blob":           {do(opRewrap, "P-256", "assent-kek", "assent-kek/2"), statusBadBlob},
		"no public key":     {do(opRewrap, "P-256", "assent-kek", "assent-kek/2", string(old.field(1))), statusBadBlob},
		"other curve":       {do(opRewrap, "P-384", "assent-kek", "assent-kek/2", string(old.field(1)), string(old.field(0))), statusBadBlob},
		"no key type":       {do(opRewrap), statusUnsupported},
		"destroys current":  {do(opDestroyKEK, "assent-kek/2"), statusInvalidInput},
		"destroys nothing":  {do(opDestroyKEK), statusKeyNotFound},
		"destroys seal":     {do(opDestroyKEK, "assent-seal"), statusKeyNotFound},
		"next of none":      {do(opNextKEK), statusKeyNotFound},
		"next of unknown":   {do(opNextKEK, "assent-kek/9"), statusKeyNotFound},
		"generates unknown": {do(opGenerate, "P-256", "assent-kek/9"), statusKeyNotFound},
		"checks unknown":    {do(opCheck, "P-256", "assent-kek/9", string(old.field(1))), statusBadBlob},
	} {
		if c.rep.kind != c.want || c.rep.flags&flagNotStarted == 0 {
			t.Errorf("%s: status %d, flags %d, %q; want status %d", name, c.rep.kind, c.rep.flags, c.rep.field(0), c.want)
		}
	}
	if rep := do(opNextKEK, "assent-kek"); rep.kind != statusOK || string(rep.field(0)) != "assent-kek/2" {
		t.Errorf("asked again: %d %q", rep.kind, rep.field(0))
	}
}
