package sam

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/assent-sign/assent/sap"
)

// fields writes texts, each with its length in four octets, and numbers in eight: the
// form of everything that is sealed, written anew.
func fields(list ...any) []byte {
	var out []byte
	for _, v := range list {
		switch v := v.(type) {
		case string:
			out = append(binary.BigEndian.AppendUint32(out, uint32(len(v))), v...)
		case int:
			out = binary.BigEndian.AppendUint64(out, uint64(v))
		}
	}
	return out
}

func sha(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] }

// KEY-06, T33: what seals and hashes are computed over, by hand: the label, the kind,
// every column, number and version, each with its length. A part that was left out
// would let one record stand for another, or one list for two.
func TestKEY06SealsByHand(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	s := &sealer{}
	s.now.Store(alone(&epochSeal{epoch: 1, anchor: key, records: &sync.Pool{New: func() any { return &keyed{h: hmac.New(sha256.New, key)} }}}))
	mac := func(b []byte) []byte { h := hmac.New(sha256.New, key); h.Write(b); return h.Sum(nil) }

	stone := &Tombstone{Key: "k-1", Destroyed: 7}
	s.stamp(stone, 12)
	if stone.Seq != 12 || stone.Version != 1 {
		t.Errorf("%+v", stone.Stamp)
	}
	want := mac(fields("assent/sam/record-mac/v1", "tombstone", "k-1", 7, 12, 1))
	if !bytes.Equal(stone.MAC, want) {
		t.Errorf("seal %x, want %x", stone.MAC, want)
	}
	s.stamp(stone, 13)
	if want = mac(fields("assent/sam/record-mac/v1", "tombstone", "k-1", 7, 13, 2)); !bytes.Equal(stone.MAC, want) || s.check(stone) != nil {
		t.Errorf("second seal %x, want %x", stone.MAC, want)
	}
	stone.Destroyed++
	if err := s.check(stone); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("an edited record: %v", err)
	}
	if got, want := s.anchorMAC([]byte("x")), mac([]byte("assent/sam/anchor-mac/v1\x00x")); !bytes.Equal(got, want) {
		t.Errorf("anchor %x, want %x", got, want)
	}
	if got, want := digestsHash("ES256", [][]byte{[]byte("a"), []byte("bc")}), sha(fields("assent/sam/digests/v1", "ES256", 2, "a", "bc")); !bytes.Equal(got, want) {
		t.Errorf("digests %x, want %x", got, want)
	}
	if got, want := nonceHash([]byte("n")), sha(fields("assent/sam/nonce/v1", "n")); !bytes.Equal(got, want) {
		t.Errorf("nonce %x, want %x", got, want)
	}
	if got, want := authenticatorHash(nil), sha(fields("assent/sam/authenticator-hash/v1", 0)); !bytes.Equal(got, want) {
		t.Errorf("no authenticators %x, want %x", got, want)
	}
}

// PRV-02: what a key keeps of its signer's authenticators names all that they are: one
// with another id, key, signer, model, attestation, carrier, date or way of coming is another
// one, and so are one more and one less. This holds by itself, beside their own seals.
func TestPRV02AuthenticatorHashCoversEverything(t *testing.T) {
	base := Authenticator{Credential: []byte("id"), Signer: "anna", Public: []byte("key"), AAGUID: []byte("model"), Attestation: "packed", Carrier: "webauthn", Created: 7}
	seen := map[string]string{string(authenticatorHash(nil)): "none", string(authenticatorHash([]*Authenticator{&base, &base})): "the same twice"}
	for what, change := range map[string]func(a *Authenticator){
		"itself":      func(*Authenticator) {},
		"id":          func(a *Authenticator) { a.Credential = []byte("di") },
		"signer":      func(a *Authenticator) { a.Signer = "otto" },
		"key":         func(a *Authenticator) { a.Public = []byte("yek") },
		"model":       func(a *Authenticator) { a.AAGUID = []byte("ledom") },
		"backup":      func(a *Authenticator) { a.BackupEligible = true },
		"attestation": func(a *Authenticator) { a.Attestation = "none" },
		"carrier":     func(a *Authenticator) { a.Carrier = "device" },
		"created":     func(a *Authenticator) { a.Created = 8 },
		"tier":        func(a *Authenticator) { a.Tier = "high" },
		"metadata":    func(a *Authenticator) { a.Metadata = 3 },
		"usable from": func(a *Authenticator) { a.UsableFrom = 9 },
		"via":         func(a *Authenticator) { a.Via = ViaProofing },
	} {
		a := base
		change(&a)
		hash := string(authenticatorHash([]*Authenticator{&a}))
		if other, twice := seen[hash]; twice {
			t.Errorf("%s and %s have the same hash", what, other)
		}
		seen[hash] = what
	}
}

// KPR-11: a secret is hidden under random octets only, and read under its own name.
func TestKPR11HiddenSecrets(t *testing.T) {
	s, _ := newTestSealer(t, "test")
	stopped := errors.New("random source stopped")
	if hidden, err := s.hide(func([]byte) error { return stopped }, []byte("secret"), "a"); !errors.Is(err, stopped) || hidden != nil {
		t.Errorf("without random octets: %x, %v", hidden, err)
	}
	fill := func(b []byte) error { copy(b, "octets of a test"); return nil }
	hidden, err := s.hide(fill, []byte("secret"), "a")
	if err != nil || bytes.Contains(hidden, []byte("secret")) {
		t.Fatalf("%x: %v", hidden, err)
	}
	if plain, err := s.reveal(hidden, "a"); err != nil || string(plain) != "secret" {
		t.Errorf("%q, %v", plain, err)
	}
	for what, c := range map[string]struct {
		hidden []byte
		name   string
	}{
		"another name": {hidden, "b"}, "cut off": {hidden[:len(hidden)-1], "a"}, "only a nonce": {hidden[:12], "a"}, "less than a nonce": {hidden[:11], "a"}, "nothing": {nil, "a"},
	} {
		if plain, err := s.reveal(c.hidden, c.name); !errors.Is(err, sap.ReasonSeal) || plain != nil {
			t.Errorf("%s: %q, %v", what, plain, err)
		}
	}
}

// failingSeal is a token that cannot derive one of the seals, or derives it short.
type failingSeal struct {
	derived
	purpose string
	length  int // of what it returns
	err     error
}

func (f failingSeal) DeriveSeal(ctx context.Context, label string) ([]byte, error) {
	key, err := f.derived.DeriveSeal(ctx, label)
	if strings.HasPrefix(label, f.purpose) {
		return key[:f.length], f.err
	}
	return key, err
}

// KPR-06, FPT-01: without any one of its keys there is no sealer: nothing is sealed,
// anchored or hidden under a key that is empty.
func TestKPR06EveryKeyIsDerived(t *testing.T) {
	var labels []string
	for _, purpose := range []string{sealRecords, sealAnchor, sealVault} {
		if s, err := newSealer(context.Background(), failingSeal{derived{&labels}, purpose, 32, errors.New("token is gone")}, "test"); !errors.Is(err, ErrOpen) || s != nil {
			t.Errorf("%s: %v", purpose, err)
		}
	}
	if s, err := newSealer(context.Background(), failingSeal{derived{&labels}, sealVault, 31, nil}, "test"); !errors.Is(err, ErrOpen) || s != nil {
		t.Errorf("a key of 31 octets: %v", err)
	}
	if s, err := newSealer(context.Background(), failingSeal{derived{&labels}, "none", 32, nil}, "test"); err != nil || s == nil {
		t.Errorf("with all: %v", err)
	}
}
