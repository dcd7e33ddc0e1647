package softtoken

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/tokentest"
	"github.com/assent-sign/assent/internal/algo"
)

func config(t testing.TB, dir string) Config {
	t.Helper()
	return Config{Dir: dir, PIN: []byte("development pin"), Profile: "development", Create: true, Log: slog.New(slog.DiscardHandler)}
}

func mustOpen(t testing.TB, cfg Config) *Token {
	t.Helper()
	tok, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tok.Close() })
	return tok
}

// KPR-01, KPR-06: the suite of every driver; it flips bits of wrapped keys all over.
func TestSuite(t *testing.T) {
	tokentest.Run(t, tokentest.Config{
		Open: func(t testing.TB) cryptotoken.Token { return mustOpen(t, config(t, t.TempDir())) },
		Reopen: func(t testing.TB, tok cryptotoken.Token) cryptotoken.Token {
			_ = tok.Close()
			return mustOpen(t, config(t, tok.(*Token).dir))
		},
		KeyTypes: []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA2048, algo.RSA3072, algo.RSA4096},
		Named:    true, Wrapper: true, Sealer: true, Prober: true, Rotator: true,
	})
}

// A software key must never carry a real signature: only the two profiles that
// say what they are may open the store, and they say it at every start.
func TestOnlyForDevelopment(t *testing.T) {
	dir := t.TempDir()
	for _, profile := range []string{"", "production", "qualified", "Demo", "demo "} {
		cfg := config(t, dir)
		cfg.Profile = profile
		if _, err := Open(cfg); !errors.Is(err, cryptotoken.ErrDevelopment) {
			t.Errorf("profile %q: %v, want ErrDevelopment", profile, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, headerFile)); err == nil {
		t.Error("a refused profile left a store behind")
	}
	for range 2 {
		var log bytes.Buffer
		cfg := config(t, dir)
		cfg.Profile, cfg.Log = "demo", slog.New(slog.NewTextHandler(&log, nil))
		tok := mustOpen(t, cfg)
		if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "demonstration only") {
			t.Errorf("the start does not warn: %s", log.String())
		}
		if strings.Contains(log.String(), string(cfg.PIN)) {
			t.Error("the PIN is in the log") // I6
		}
		info, err := tok.Info(t.Context())
		if err != nil || !info.Development || info.Reason == "" {
			t.Errorf("Info does not say development: %+v, %v", info, err)
		}
		if err := tok.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPIN(t *testing.T) {
	dir := t.TempDir()
	mustOpen(t, config(t, dir))
	cfg := config(t, dir)
	cfg.PIN = []byte("another pin")
	if _, err := Open(cfg); !errors.Is(err, cryptotoken.ErrLocked) || strings.Contains(err.Error(), "another pin") {
		t.Errorf("wrong PIN: %v, want ErrLocked without the PIN", err)
	}
	cfg.PIN = nil
	if _, err := Open(cfg); !errors.Is(err, cryptotoken.ErrLocked) {
		t.Errorf("no PIN: %v, want ErrLocked", err)
	}
	cfg.PINFile = filepath.Join(t.TempDir(), "pin")
	write := func(content string, mode os.FileMode) {
		if err := os.WriteFile(cfg.PINFile, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(cfg.PINFile, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("development pin\n", 0o600)
	mustOpen(t, cfg)
	write("development pin", 0o400)
	mustOpen(t, cfg)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644} {
		write("development pin\n", mode)
		if _, err := Open(cfg); !errors.Is(err, cryptotoken.ErrLocked) {
			t.Errorf("PIN file of mode %v: %v, want ErrLocked", mode, err)
		}
	}
	for _, content := range []string{"", "\n", strings.Repeat("9", 1000), "development pin\n\n"} {
		write(content, 0o600)
		if _, err := Open(cfg); !errors.Is(err, cryptotoken.ErrLocked) {
			t.Errorf("PIN file %.20q: %v, want ErrLocked", content, err)
		}
	}
}

func TestStoreIsNotMadeUnasked(t *testing.T) {
	cfg := config(t, filepath.Join(t.TempDir(), "absent"))
	cfg.Create = false
	if _, err := Open(cfg); !errors.Is(err, cryptotoken.ErrUnavailable) {
		t.Errorf("missing store: %v, want ErrUnavailable", err)
	}
	if _, err := os.Stat(cfg.Dir); err == nil {
		t.Error("Open made the directory without being asked")
	}
}

// Every file is 0600 and holds neither PIN nor a plain key; a changed byte
// anywhere in a file is noticed (F37).
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	tok := mustOpen(t, config(t, dir))
	if _, err := tok.CreateKey(t.Context(), cryptotoken.KeyRef{Label: "seal"}, algo.P256); err != nil {
		t.Fatal(err)
	}
	header, key := filepath.Join(dir, headerFile), tok.keyPath("seal")
	for _, path := range []string{header, key} {
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", path, st.Mode(), err)
		}
	}
	holdsNoSecret(t, tok, dir)
	flipEach(t, header, func(pos int) error {
		again, err := Open(config(t, dir))
		if err == nil {
			_ = again.Close()
		}
		return err
	}, 16)
	flipEach(t, key, func(pos int) error {
		again := mustOpen(t, config(t, dir))
		defer func() { _ = again.Close() }()
		_, err := again.Signer(t.Context(), cryptotoken.KeyRef{Label: "seal"})
		return err
	}, 16)
	left, err := filepath.Glob(filepath.Join(dir, "*", ".new-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files remain: %v, %v", left, err)
	}
}

// holdsNoSecret looks through every file of a store for the PIN and the private value of a named key, as they
// are, in hexadecimal and in base64, and through a wrapped key for its own.
func holdsNoSecret(t *testing.T, tok *Token, dir string) {
	t.Helper()
	sec, end, err := tok.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	named, err := tok.load(sec, "seal")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for path, text := range files {
		for what, secret := range map[string][]byte{"the PIN": config(t, dir).PIN, "the private key": scalar(t, named.key)} {
			if holds(text, secret) {
				t.Errorf("%s holds %s", path, what)
			}
		}
	}
	key, err := newKey(algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := encodePrivate(key)
	if err != nil || !holds(plain, scalar(t, key)) {
		t.Fatalf("what is wrapped does not hold the key, so that looking for it proves nothing (%v)", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if w := sec.wrap(bytes.Clone(plain), algo.P256, public); holds(w.Blob, scalar(t, key)) {
		t.Error("a wrapped key is plain")
	}
}

func scalar(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	b, err := key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// holds tells whether a text has a secret in one of the spellings that files have.
func holds(text, secret []byte) bool {
	found := bytes.Contains(text, secret) || bytes.Contains(bytes.ToLower(text), []byte(hex.EncodeToString(secret)))
	for at := range 3 { // where it may begin within four characters
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			s := e.EncodeToString(append(make([]byte, at), secret...))
			found = found || bytes.Contains(text, []byte(s[4:len(s)-4]))
		}
	}
	return found
}

// flipEach changes one byte at n places of the file's values (white space of
// JSON carries nothing) and wants an error each time.
func flipEach(t *testing.T, path string, try func(pos int) error, n int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Error(err)
		}
	}()
	for i := range n {
		pos := i * len(b) / n
		for b[pos] == ' ' || b[pos] == '\n' {
			pos++
		}
		bad := bytes.Clone(b)
		bad[pos] ^= 4
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := try(pos); err == nil {
			t.Errorf("%s: change at %d (%q to %q) went unnoticed", filepath.Base(path), pos, b[pos], bad[pos])
		}
	}
}

// A key file moved to another label's name is refused.
func TestKeyFileIsBoundToItsLabel(t *testing.T) {
	tok := mustOpen(t, config(t, t.TempDir()))
	if _, err := tok.CreateKey(t.Context(), cryptotoken.KeyRef{Label: "tsa"}, algo.P256); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(tok.keyPath("tsa"), tok.keyPath("seal")); err != nil {
		t.Fatal(err)
	}
	if _, err := tok.Signer(t.Context(), cryptotoken.KeyRef{Label: "seal"}); !errors.Is(err, cryptotoken.ErrBadBlob) {
		t.Errorf("key file under another label: %v, want ErrBadBlob", err)
	}
}

// KPR-01: a wrapped key does not open beside another public key.
func TestBlobIsBound(t *testing.T) {
	tok := mustOpen(t, config(t, t.TempDir()))
	a, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	b, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	a.Public = b.Public
	if err := tok.CheckWrapped(t.Context(), a); !errors.Is(err, cryptotoken.ErrBadBlob) {
		t.Errorf("blob beside another public key: %v, want ErrBadBlob", err)
	}
}

// Plain key bytes are overwritten once a key is dropped.
func TestWipe(t *testing.T) {
	for _, kt := range []algo.KeyType{algo.P256, algo.RSA2048} {
		key, err := newKey(kt)
		if err != nil {
			t.Fatal(err)
		}
		wipeKey(key)
		if _, err := encodePrivate(key); err == nil {
			t.Errorf("%s: a wiped key still encodes", kt)
		}
	}
}
