package softtoken

import (
	"bytes"
	"context"
	"crypto"
	"crypto/cipher"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/assent-sign/assent/cryptotoken"
)

// Wrapping keys have epochs (KPR-06). The first is in token.json; each further one is
// a file keks/N.kek, sealed under the store's own secret. A destroyed one leaves
// keks/N.destroyed, so that its number never comes back. The first one's octets
// leave token.json when the store is opened next: only then there is the PIN.

const (
	keksDir      = "keks"
	kekEnd       = ".kek"
	destroyedEnd = ".destroyed"
	maxKEKs      = 1000
)

func (t *Token) kekLabel(n int) string { return "softtoken-" + t.id + "/" + strconv.Itoa(n) }

func (t *Token) kekPath(n int, end string) string {
	return filepath.Join(t.dir, keksDir, strconv.Itoa(n)+end)
}

// epochs lists which wrapping keys the folder knows, and which are destroyed.
func epochs(dir string) (destroyed map[int]bool, highest int, err error) {
	destroyed, highest = map[int]bool{}, 1
	list, err := os.ReadDir(filepath.Join(dir, keksDir))
	if errors.Is(err, fs.ErrNotExist) {
		return destroyed, highest, nil
	}
	for _, e := range list {
		number, end, _ := strings.Cut(e.Name(), ".")
		n, convErr := strconv.Atoi(number)
		if convErr != nil || n < 1 || n > maxKEKs || "."+end != kekEnd && "."+end != destroyedEnd {
			continue // of a write that was interrupted
		}
		highest = max(highest, n)
		if "."+end == destroyedEnd {
			destroyed[n] = true
		}
	}
	return destroyed, highest, err
}

// loadKEKs opens all wrapping keys that are not destroyed.
func (t *Token) loadKEKs(sec *secrets, first []byte) error {
	destroyed, highest, err := epochs(t.dir)
	if err != nil {
		return fmt.Errorf("softtoken: %w: %w", cryptotoken.ErrUnavailable, err)
	}
	sec.keks = map[string]cipher.AEAD{}
	for n := 1; n <= highest; n++ {
		if destroyed[n] {
			continue
		}
		raw := bytes.Clone(first)
		if n > 1 {
			sealed, err := readBounded(t.kekPath(n, kekEnd))
			if err == nil {
				raw, err = openSealed(sec.named, sealed, binding("wrapping key", "", nil, t.kekLabel(n)))
			}
			if err != nil || len(raw) != secretLength {
				return fmt.Errorf("softtoken %s: %w: wrapping key %d cannot be opened", t.name, cryptotoken.ErrUnavailable, n)
			}
		}
		if sec.keks[t.kekLabel(n)], err = newAEAD(raw); err != nil {
			return err
		}
		clear(raw)
		sec.current = t.kekLabel(n)
	}
	sec.highest = highest
	if sec.current == "" {
		return fmt.Errorf("softtoken %s: %w: every wrapping key is destroyed", t.name, cryptotoken.ErrUnavailable)
	}
	return nil
}

// CurrentKEK implements cryptotoken.Rotator.
func (t *Token) CurrentKEK(ctx context.Context) (string, error) {
	sec, done, err := t.begin(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	return sec.current, nil
}

// NextKEK implements cryptotoken.Rotator.
func (t *Token) NextKEK(ctx context.Context) (string, error) {
	if err := cryptotoken.Cancelled(ctx); err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		return "", fmt.Errorf("softtoken %s: %w: it is closed", t.name, cryptotoken.ErrUnavailable)
	}
	n := t.open.highest + 1
	if n > maxKEKs {
		return "", fmt.Errorf("softtoken %s: %w: %d wrapping keys were made", t.name, cryptotoken.ErrUnsupported, maxKEKs)
	}
	raw := random(secretLength)
	defer clear(raw)
	aead, err := newAEAD(raw)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(t.dir, keksDir), 0o700); err != nil {
		return "", fmt.Errorf("softtoken %s: %w", t.name, err)
	}
	label := t.kekLabel(n)
	if err := writeNew(t.kekPath(n, kekEnd), seal(t.open.named, raw, binding("wrapping key", "", nil, label))); err != nil {
		return "", fmt.Errorf("softtoken %s: wrapping key: %w", t.name, err)
	}
	t.open.keks[label], t.open.current, t.open.highest = aead, label, n
	return label, nil
}

// Rewrap implements cryptotoken.Rotator. The public key is computed again from the
// private one: what comes out is the key that went in.
func (t *Token) Rewrap(ctx context.Context, w cryptotoken.Wrapped) (cryptotoken.Wrapped, error) {
	sec, done, err := t.begin(ctx)
	if err != nil {
		return cryptotoken.Wrapped{}, err
	}
	defer done()
	key, err := t.unwrap(sec, w)
	if err != nil {
		return cryptotoken.Wrapped{}, err
	}
	defer wipeKey(key)
	plain, err := encodePrivate(key)
	if err != nil {
		return cryptotoken.Wrapped{}, fmt.Errorf("softtoken %s: %w", t.name, err)
	}
	defer clear(plain)
	if err := sameKey(key, plain); err != nil {
		return cryptotoken.Wrapped{}, fmt.Errorf("softtoken %s: %w: %w", t.name, cryptotoken.ErrBadBlob, err)
	}
	return sec.wrap(plain, w.KeyType, w.Public), nil
}

// DestroyKEK implements cryptotoken.Rotator.
func (t *Token) DestroyKEK(ctx context.Context, label string) error {
	if err := cryptotoken.Cancelled(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		return fmt.Errorf("softtoken %s: %w: it is closed", t.name, cryptotoken.ErrUnavailable)
	}
	if _, ok := t.open.keks[label]; !ok {
		return fmt.Errorf("softtoken %s: %w: wrapping key %.80q", t.name, cryptotoken.ErrKeyNotFound, label)
	}
	if label == t.open.current {
		return fmt.Errorf("softtoken %s: %w: it is the current wrapping key", t.name, cryptotoken.ErrInvalidInput)
	}
	n, err := strconv.Atoi(label[strings.LastIndexByte(label, '/')+1:])
	if err != nil {
		return fmt.Errorf("softtoken %s: %w", t.name, err)
	}
	if err := os.MkdirAll(filepath.Join(t.dir, keksDir), 0o700); err != nil {
		return fmt.Errorf("softtoken %s: %w", t.name, err)
	}
	if err := writeNew(t.kekPath(n, destroyedEnd), []byte(label+"\n")); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("softtoken %s: %w", t.name, err)
	}
	delete(t.open.keks, label)
	return t.removeKEK(n)
}

// removeKEK removes the file of a destroyed wrapping key.
func (t *Token) removeKEK(n int) error {
	err := erase(t.kekPath(n, kekEnd), nonceLength+secretLength+16)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// erase overwrites a file of n octets and removes it, durably. What the disk keeps of
// it is beyond a program.
func erase(path string, n int) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, n))
	if err = errors.Join(err, f.Sync(), f.Close(), os.Remove(path)); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// sameKey computes the public key from the private octets and compares it with the
// one under which the key was wrapped.
func sameKey(key crypto.Signer, plain []byte) error {
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil // RSA keys are checked whole at every unwrap
	}
	again, err := ecdsa.ParseRawPrivateKey(ec.Curve, plain)
	if err != nil || !again.PublicKey.Equal(&ec.PublicKey) {
		return errors.New("the private key inside is of another public key")
	}
	wipeKey(again)
	return nil
}

// dropFirst replaces the first wrapping key in token.json by octets that never
// wrapped anything, once it is destroyed. It needs the PIN.
func dropFirst(dir string, h header, raw, pin []byte) error {
	destroyed, _, err := epochs(dir)
	if err != nil || !destroyed[1] {
		return err
	}
	done := filepath.Join(dir, keksDir, "1.gone")
	if _, err := os.Lstat(done); err == nil {
		return nil
	}
	kept := bytes.Clone(raw)
	defer clear(kept)
	fill(kept[:secretLength])
	aead, err := h.aead(pin)
	if err != nil {
		return err
	}
	h.Secrets = seal(aead, kept, h.aad())
	if err := replaceHeader(dir, h); err != nil {
		return fmt.Errorf("softtoken: %w: %w", cryptotoken.ErrUnavailable, err)
	}
	return writeNew(done, []byte("token.json holds it no more\n"))
}
