// Package softtoken is a token made of software: keys in encrypted files of one
// directory, opened with a PIN. It is for development and demonstration only.
// Whoever can read the memory of the process, or has the files and the PIN, has
// every key; nothing here gives the sole control that SCAL2 means. So it refuses
// every profile but "demo" and "development", says so in the log at every
// start, and Info.Development keeps all labels computed from it honest.
//
// Files: token.json (parameters of the PIN's key derivation, and the token's own
// secrets sealed under it) and keys/*.key (named keys). Signers' keys are not
// here: GenerateWrapped returns them encrypted and the caller stores them.
//
// The PIN goes through argon2id; everything is sealed with AES-256-GCM, wrapped
// keys under associated data that bind key type, public key and wrapping key.
// Plain key bytes are wiped after use as far as Go allows: the standard library
// keeps copies inside its key types until the garbage collector takes them.
package softtoken

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/assent-sign/assent/cryptotoken"
)

// Config says where the store is and how it is opened.
type Config struct {
	Name    string       // configured name, for Info; "softtoken" when empty
	Dir     string       // directory of the store
	PIN     []byte       // the PIN; or
	PINFile string       // a file that holds it, readable by its owner only
	Profile string       // "demo" or "development"; all others are refused
	Create  bool         // make a new store when Dir holds none
	Log     *slog.Logger // nil: slog.Default()
}

// Token is an open store. It implements Token, Named, Wrapper, Sealer and
// Prober of package cryptotoken, and is safe for concurrent use.
type Token struct {
	name, id, dir string
	uses          atomic.Uint64
	wrapped       atomic.Uint64 // of them, uses of wrapped keys

	mu   sync.RWMutex // held for reading during every operation; Close takes it
	open *secrets     // nil after Close

	keysMu sync.Mutex // serialises loading and making of named keys
	keys   map[string]*signer
}

// secrets are what the PIN protects, ready for use.
type secrets struct {
	keks    map[string]cipher.AEAD // wrap signers' keys, by label
	current string                 // under which new ones are wrapped
	highest int                    // epoch that was made last

	named cipher.AEAD // seals named keys
	seal  []byte      // HMAC key of DeriveSeal
}

var (
	_ cryptotoken.Token   = (*Token)(nil)
	_ cryptotoken.Named   = (*Token)(nil)
	_ cryptotoken.Wrapper = (*Token)(nil)
	_ cryptotoken.Sealer  = (*Token)(nil)
	_ cryptotoken.Prober  = (*Token)(nil)
	_ cryptotoken.Rotator = (*Token)(nil)
)

const devReason = "keys are held by software, in files that a PIN protects"

// Open opens the store in cfg.Dir and runs a self-test. ErrDevelopment for a
// profile that must not use software keys, ErrLocked for a wrong PIN,
// ErrUnavailable when the store is missing or unreadable, ErrSelfTest.
func Open(cfg Config) (*Token, error) {
	if cfg.Profile != "demo" && cfg.Profile != "development" {
		return nil, fmt.Errorf("softtoken: %w: profile %q may not use it; configure a pkcs11 token", cryptotoken.ErrDevelopment, cfg.Profile)
	}
	if cfg.Name == "" {
		cfg.Name = "softtoken"
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	pin, err := readPIN(cfg)
	if err != nil {
		return nil, err
	}
	defer clear(pin)
	hdr, raw, err := openStore(cfg.Dir, pin)
	if errors.Is(err, errNoStore) && cfg.Create {
		if err = createStore(cfg.Dir, pin); err == nil {
			hdr, raw, err = openStore(cfg.Dir, pin)
		}
	}
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	sec, err := newSecrets(raw)
	if err != nil {
		return nil, err
	}
	if err := dropFirst(cfg.Dir, hdr, raw, pin); err != nil {
		return nil, err
	}
	t := &Token{name: cfg.Name, id: hdr.ID, dir: filepath.Clean(cfg.Dir), open: sec, keys: map[string]*signer{}}
	if err := t.loadKEKs(sec, raw[:secretLength]); err != nil {
		return nil, err
	}
	if err := t.Probe(context.Background()); err != nil {
		return nil, err
	}
	cfg.Log.Warn("softtoken: software keys, for development and demonstration only; signatures made with it have no legal standing",
		"token", cfg.Name, "dir", t.dir, "profile", cfg.Profile)
	return t, nil
}

// Info implements cryptotoken.Token.
func (t *Token) Info(ctx context.Context) (cryptotoken.Info, error) {
	_, done, err := t.begin(ctx)
	if err != nil {
		return cryptotoken.Info{}, err
	}
	defer done()
	return cryptotoken.Info{
		Driver: "softtoken", Name: t.name, Model: "Assent software keystore " + t.id,
		Development: true, Reason: devReason, KeyUses: t.uses.Load(), WrappedUses: t.wrapped.Load(),
	}, nil
}

// Close forgets all keys; every later call gives ErrUnavailable. It waits for
// operations that are under way.
func (t *Token) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		return nil
	}
	clear(t.open.seal)
	t.open = nil
	t.keysMu.Lock()
	defer t.keysMu.Unlock()
	for _, s := range t.keys {
		wipeKey(s.key)
	}
	t.keys = nil
	return nil
}

// begin lets an operation start: it returns the secrets and what ends the
// operation, or an error that proves that nothing started.
func (t *Token) begin(ctx context.Context) (*secrets, func(), error) {
	if err := cryptotoken.Cancelled(ctx); err != nil {
		return nil, nil, err
	}
	t.mu.RLock()
	if t.open == nil {
		t.mu.RUnlock()
		return nil, nil, cryptotoken.NotStarted(fmt.Errorf("softtoken %s: %w: it is closed", t.name, cryptotoken.ErrUnavailable))
	}
	return t.open, t.mu.RUnlock, nil
}
