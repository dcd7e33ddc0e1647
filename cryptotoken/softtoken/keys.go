package softtoken

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// keyFile is keys/<hash of label>.key. Private is PKCS #8, sealed; label, type
// and public key are its associated data.
type keyFile struct {
	Version int          `json:"version"`
	Label   string       `json:"label"`
	KeyType algo.KeyType `json:"keyType"`
	Public  []byte       `json:"public"`
	Private []byte       `json:"private"`
}

func (k keyFile) aad() []byte { return binding("named key", k.KeyType, k.Public, k.Label) }

func (t *Token) keyPath(label string) string {
	sum := sha256.Sum256([]byte(label))
	return filepath.Join(t.dir, keysDir, hex.EncodeToString(sum[:16])+".key")
}

// CreateKey implements cryptotoken.Named. Of two callers with one label exactly
// one makes the key, also across processes.
func (t *Token) CreateKey(ctx context.Context, ref cryptotoken.KeyRef, kt algo.KeyType) (cryptotoken.Signer, error) {
	sec, done, err := t.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := cryptotoken.CheckLabel(ref.Label); err != nil {
		return nil, err
	}
	t.keysMu.Lock()
	defer t.keysMu.Unlock()
	path := t.keyPath(ref.Label)
	exists := fmt.Errorf("softtoken %s: %w: %q", t.name, cryptotoken.ErrKeyExists, ref.Label)
	if _, err := os.Lstat(path); err == nil {
		return nil, exists
	}
	key, public, err := t.generate(kt)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("softtoken %s: %w", t.name, err)
	}
	defer clear(der)
	kf := keyFile{Version: 1, Label: ref.Label, KeyType: kt, Public: public}
	kf.Private = seal(sec.named, der, kf.aad())
	b, err := json.MarshalIndent(kf, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("softtoken %s: %w", t.name, err)
	}
	if err := writeNew(path, b); errors.Is(err, fs.ErrExist) {
		return nil, exists
	} else if err != nil {
		return nil, fmt.Errorf("softtoken %s: %w: %w", t.name, cryptotoken.ErrUnavailable, err)
	}
	s := &signer{t: t, kt: kt, key: key}
	t.keys[ref.Label] = s
	return s, nil
}

// Signer implements cryptotoken.Token. The first load decrypts and proves the
// key; later ones return the same signer.
func (t *Token) Signer(ctx context.Context, ref cryptotoken.KeyRef) (cryptotoken.Signer, error) {
	sec, done, err := t.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := cryptotoken.CheckLabel(ref.Label); err != nil {
		return nil, err
	}
	t.keysMu.Lock()
	defer t.keysMu.Unlock()
	if s := t.keys[ref.Label]; s != nil {
		return s, nil
	}
	s, err := t.load(sec, ref.Label)
	if err != nil {
		return nil, err
	}
	if err := cryptotoken.Prove(proving{s}); err != nil {
		return nil, fmt.Errorf("softtoken %s: key %q: %w", t.name, ref.Label, err)
	}
	t.keys[ref.Label] = s
	return s, nil
}

func (t *Token) load(sec *secrets, label string) (*signer, error) {
	b, err := readBounded(t.keyPath(label))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("softtoken %s: %w: %q", t.name, cryptotoken.ErrKeyNotFound, label)
	}
	if err != nil {
		return nil, fmt.Errorf("softtoken %s: %w: %w", t.name, cryptotoken.ErrUnavailable, err)
	}
	var kf keyFile
	if err := decodeStrict(b, &kf); err != nil {
		return nil, fmt.Errorf("softtoken %s: %w: file of key %q: %w", t.name, cryptotoken.ErrBadBlob, label, err)
	}
	der, err := openSealed(sec.named, kf.Private, kf.aad())
	if err != nil || kf.Label != label || kf.Version != 1 {
		return nil, fmt.Errorf("softtoken %s: %w: file of key %q", t.name, cryptotoken.ErrBadBlob, label)
	}
	defer clear(der)
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("softtoken %s: %w: key %q does not parse", t.name, cryptotoken.ErrBadBlob, label)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("softtoken %s: %w: key %q cannot sign", t.name, cryptotoken.ErrBadBlob, label)
	}
	return &signer{t: t, kt: kf.KeyType, key: key}, nil
}

// DestroyKey implements cryptotoken.Named. The file is overwritten and removed; what the
// disk keeps of it is beyond a program.
func (t *Token) DestroyKey(ctx context.Context, ref cryptotoken.KeyRef) error {
	if err := cmp.Or(cryptotoken.Cancelled(ctx), cryptotoken.CheckLabel(ref.Label)); err != nil {
		return err
	}
	t.mu.Lock() // no signature is under way
	defer t.mu.Unlock()
	if t.open == nil {
		return fmt.Errorf("softtoken %s: %w: it is closed", t.name, cryptotoken.ErrUnavailable)
	}
	t.keysMu.Lock()
	defer t.keysMu.Unlock()
	path := t.keyPath(ref.Label)
	b, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("softtoken %s: %w: %q", t.name, cryptotoken.ErrKeyNotFound, ref.Label)
	}
	if err == nil {
		err = erase(path, len(b))
	}
	if err != nil {
		return fmt.Errorf("softtoken %s: %w: %w", t.name, cryptotoken.ErrUnavailable, err)
	}
	if s := t.keys[ref.Label]; s != nil {
		s.gone = true
		wipeKey(s.key)
		delete(t.keys, ref.Label)
	}
	return nil
}

// generate makes a key pair and runs its generation test, which is counted as a
// key use and by the counters of also.
func (t *Token) generate(kt algo.KeyType, also ...*atomic.Uint64) (crypto.Signer, []byte, error) {
	key, err := newKey(kt)
	if err != nil {
		return nil, nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("softtoken: %w", err)
	}
	alg, digest := cryptotoken.GenerationTest(kt, public)
	t.uses.Add(1)
	for _, counter := range also {
		counter.Add(1)
	}
	sig, err := key.Sign(rand.Reader, digest, alg.SignerOpts())
	if err == nil {
		err = algo.Verify(key.Public(), alg, digest, sig)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("softtoken: %w: generation test of %s: %w", cryptotoken.ErrSelfTest, kt, err)
	}
	return key, public, nil
}

func newKey(kt algo.KeyType) (crypto.Signer, error) {
	if !kt.Valid() {
		return nil, cryptotoken.NotStarted(fmt.Errorf("softtoken: %w: key type %q", cryptotoken.ErrUnsupported, kt))
	}
	return algo.NewKey(rand.Reader, kt)
}

// signer is a loaded named key.
type signer struct {
	t   *Token
	kt  algo.KeyType
	key crypto.Signer

	gone bool // destroyed; changed under the token's lock
}

func (s *signer) Public() crypto.PublicKey { return s.key.Public() }
func (s *signer) KeyType() algo.KeyType    { return s.kt }

// Sign implements crypto.Signer. The random source is always that of the
// system: a caller's weak one would give the key away.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	_, done, err := s.t.begin(context.Background())
	if err != nil {
		return nil, err
	}
	defer done()
	return s.sign(digest, opts)
}

func (s *signer) sign(digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	alg, err := cryptotoken.AlgorithmOf(s.kt, opts)
	if err != nil {
		return nil, err
	}
	if err := cryptotoken.CheckSign(s.kt, alg, [][]byte{digest}); err != nil {
		return nil, err
	}
	if s.gone {
		return nil, cryptotoken.NotStarted(fmt.Errorf("softtoken %s: %w: it was destroyed", s.t.name, cryptotoken.ErrKeyNotFound))
	}
	s.t.uses.Add(1)
	sig, err := s.key.Sign(rand.Reader, digest, alg.SignerOpts())
	if err != nil {
		return nil, fmt.Errorf("softtoken %s: sign with %s key: %w", s.t.name, s.kt, err)
	}
	return sig, nil
}

// proving signs without begin, for use inside an operation: a second read lock
// in one goroutine would deadlock with a waiting Close.
type proving struct{ *signer }

func (p proving) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return p.sign(digest, opts)
}
