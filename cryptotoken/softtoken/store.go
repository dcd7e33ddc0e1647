package softtoken

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/argon2"

	"github.com/assent-sign/assent/cryptotoken"
)

const (
	headerFile   = "token.json"
	keysDir      = "keys"
	formatName   = "assent-softtoken"
	maxFile      = 64 << 10
	secretLength = 32
	nonceLength  = 12
)

// Parameters of argon2id for new stores: the OWASP minimum, about 30 ms. The
// bounds keep a changed header from eating all memory before the PIN can fail.
const (
	kdfTime, kdfMaxTime     = 2, 16
	kdfMemory, kdfMaxMemory = 19 << 10, 256 << 10 // KiB
)

// errNoStore: the directory holds no token.json.
var errNoStore = errors.New("softtoken: no store")

type kdf struct {
	Name      string `json:"name"`
	Time      uint32 `json:"time"`
	MemoryKiB uint32 `json:"memoryKiB"`
	Salt      []byte `json:"salt"`
}

// header is token.json. Its own encoding without Secrets is the associated data
// of Secrets, so that no field can be changed without the PIN.
type header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	ID      string `json:"id"`
	KDF     kdf    `json:"kdf"`
	Secrets []byte `json:"secrets,omitempty"`
}

func (h header) aad() []byte {
	h.Secrets = nil
	b, _ := json.Marshal(h) // a struct of strings, numbers and bytes cannot fail
	return b
}

// aead opens the store's secrets. What unlocks the keys is derived from the PIN
// each time and not kept (KPR-11).
func (h header) aead(pin []byte) (cipher.AEAD, error) {
	k := h.KDF
	if h.Format != formatName || h.Version != 1 || k.Name != "argon2id" || len(k.Salt) != 16 ||
		k.Time < kdfTime || k.Time > kdfMaxTime || k.MemoryKiB < kdfMemory || k.MemoryKiB > kdfMaxMemory {
		return nil, fmt.Errorf("softtoken: %w: %s is not of a known format", cryptotoken.ErrUnavailable, headerFile)
	}
	key := argon2.IDKey(pin, k.Salt, k.Time, k.MemoryKiB, 1, secretLength)
	defer clear(key)
	return newAEAD(key)
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("softtoken: %w", err)
	}
	return cipher.NewGCM(block)
}

// openStore reads token.json and opens its secrets; the caller wipes them.
func openStore(dir string, pin []byte) (header, []byte, error) {
	var h header
	b, err := readBounded(filepath.Join(dir, headerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil, fmt.Errorf("%w: %w: no %s in %s; create one first", cryptotoken.ErrUnavailable, errNoStore, headerFile, dir)
	}
	if err != nil {
		return h, nil, fmt.Errorf("softtoken: %w: %w", cryptotoken.ErrUnavailable, err)
	}
	if err := decodeStrict(b, &h); err != nil {
		return h, nil, fmt.Errorf("softtoken: %w: %s: %w", cryptotoken.ErrUnavailable, headerFile, err)
	}
	aead, err := h.aead(pin)
	if err != nil {
		return h, nil, err
	}
	raw, err := openSealed(aead, h.Secrets, h.aad())
	if err != nil || len(raw) != 3*secretLength {
		return h, nil, fmt.Errorf("softtoken: %w: the PIN does not open %s, or the file was changed", cryptotoken.ErrLocked, filepath.Join(dir, headerFile))
	}
	return h, raw, nil
}

// createStore writes a new token.json; one that appeared meanwhile stays.
func createStore(dir string, pin []byte) error {
	if err := os.MkdirAll(filepath.Join(dir, keysDir), 0o700); err != nil {
		return fmt.Errorf("softtoken: %w: %w", cryptotoken.ErrUnavailable, err)
	}
	h := header{
		Format: formatName, Version: 1, ID: hex.EncodeToString(random(8)),
		KDF: kdf{Name: "argon2id", Time: kdfTime, MemoryKiB: kdfMemory, Salt: random(16)},
	}
	aead, err := h.aead(pin)
	if err != nil {
		return err
	}
	raw := random(3 * secretLength)
	defer clear(raw)
	h.Secrets = seal(aead, raw, h.aad())
	b, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return fmt.Errorf("softtoken: %w", err)
	}
	if err := writeNew(filepath.Join(dir, headerFile), b); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("softtoken: %w: %w", cryptotoken.ErrUnavailable, err)
	}
	return nil
}

func newSecrets(raw []byte) (*secrets, error) {
	named, err := newAEAD(raw[secretLength : 2*secretLength])
	if err != nil {
		return nil, err
	}
	return &secrets{named: named, seal: bytes.Clone(raw[2*secretLength:])}, nil
}

// readPIN returns a copy of the PIN that the caller wipes.
func readPIN(cfg Config) ([]byte, error) {
	if len(cfg.PIN) > 0 {
		return bytes.Clone(cfg.PIN), nil
	}
	if cfg.PINFile == "" {
		return nil, fmt.Errorf("softtoken: %w: neither PIN nor PINFile is set", cryptotoken.ErrLocked)
	}
	return cryptotoken.ReadPINFile(cfg.PINFile)
}

// seal returns nonce and ciphertext. Nonces are random: 2^32 seals under one
// key are the limit, far above what a demonstration makes.
func seal(aead cipher.AEAD, plain, aad []byte) []byte {
	nonce := make([]byte, nonceLength, nonceLength+len(plain)+aead.Overhead())
	fill(nonce)
	return aead.Seal(nonce, nonce, plain, aad)
}

func openSealed(aead cipher.AEAD, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < nonceLength+aead.Overhead() {
		return nil, io.ErrUnexpectedEOF
	}
	return aead.Open(nil, sealed[:nonceLength], sealed[nonceLength:], aad)
}

func random(n int) []byte {
	b := make([]byte, n)
	fill(b)
	return b
}

// fill never fails: since Go 1.24 crypto/rand ends the process instead.
func fill(b []byte) { _, _ = rand.Read(b) }

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return b, err
}

func decodeStrict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("bytes after the end")
	}
	return nil
}

// replaceHeader writes token.json anew: after a crash it is the old or the new one.
func replaceHeader(dir string, h header) error {
	b, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, headerFile)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeNew makes a durable file that did not exist: written and synced under a
// temporary name, then linked, which fails with fs.ErrExist rather than replace.
func writeNew(path string, b []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
