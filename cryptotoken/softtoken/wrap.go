package softtoken

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/failpoint"
)

// blobVersion is the first byte of Wrapped.Blob; nonce, ciphertext and tag
// follow. Inside: the fixed-length scalar of an EC key, or PKCS #8 of an RSA
// key. RSA keys go through the full checks of the standard library at each
// unwrap: a raw form saved nothing measurable, and a consistent key is what
// protects CRT signatures against faults.
const blobVersion = 1

// GenerateWrapped implements cryptotoken.Wrapper.
func (t *Token) GenerateWrapped(ctx context.Context, kt algo.KeyType) (cryptotoken.Wrapped, error) {
	sec, done, err := t.begin(ctx)
	if err != nil {
		return cryptotoken.Wrapped{}, err
	}
	defer done()
	key, public, err := t.generate(kt, &t.wrapped)
	if err != nil {
		return cryptotoken.Wrapped{}, err
	}
	defer wipeKey(key)
	plain, err := encodePrivate(key)
	if err != nil {
		return cryptotoken.Wrapped{}, fmt.Errorf("softtoken %s: %w", t.name, err)
	}
	defer clear(plain)
	return sec.wrap(plain, kt, public), nil
}

// wrap encrypts a private key under the current wrapping key.
func (sec *secrets) wrap(plain []byte, kt algo.KeyType, public []byte) cryptotoken.Wrapped {
	sealed := seal(sec.keks[sec.current], plain, binding("wrapped key", kt, public, sec.current))
	return cryptotoken.Wrapped{KeyType: kt, Public: public, KEK: sec.current, Blob: append([]byte{blobVersion}, sealed...)}
}

// SignWrapped implements cryptotoken.Wrapper. A context that ends between two
// signatures stops it; the error is then not ErrNotStarted.
func (t *Token) SignWrapped(ctx context.Context, w cryptotoken.Wrapped, alg algo.Algorithm, digests [][]byte) ([][]byte, error) {
	sec, done, err := t.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := cryptotoken.CheckSign(w.KeyType, alg, digests); err != nil {
		return nil, err
	}
	failpoint.Before("token/31-key-unwrapped")
	key, err := t.unwrap(sec, w)
	if err != nil {
		return nil, err
	}
	failpoint.After("token/31-key-unwrapped")
	defer func() {
		failpoint.Before("token/39-key-destroyed")
		wipeKey(key)
		failpoint.After("token/39-key-destroyed")
	}()
	opts := alg.SignerOpts()
	sigs := make([][]byte, len(digests))
	for i, d := range digests {
		if i > 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("softtoken %s: given up after %d of %d signatures: %w", t.name, i, len(digests), context.Cause(ctx))
		}
		t.uses.Add(1)
		t.wrapped.Add(1)
		failpoint.After("token/33-sign-entered")
		if sigs[i], err = key.Sign(rand.Reader, d, opts); err != nil {
			return nil, fmt.Errorf("softtoken %s: signature %d of %d: %w", t.name, i+1, len(digests), err)
		}
		failpoint.Before("token/34-sign-returned")
	}
	return sigs, nil
}

// CheckWrapped implements cryptotoken.Wrapper.
func (t *Token) CheckWrapped(ctx context.Context, w cryptotoken.Wrapped) error {
	sec, done, err := t.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	key, err := t.unwrap(sec, w)
	if err != nil {
		return err
	}
	wipeKey(key)
	return nil
}

// unwrap opens a blob. All its errors prove that the key was not used.
func (t *Token) unwrap(sec *secrets, w cryptotoken.Wrapped) (crypto.Signer, error) {
	pub, err := cryptotoken.CheckWrappedForm(w)
	if err != nil {
		return nil, err
	}
	bad := func(why string) error {
		return cryptotoken.NotStarted(fmt.Errorf("softtoken %s: %w: %s", t.name, cryptotoken.ErrBadBlob, why))
	}
	kek, ok := sec.keks[w.KEK]
	if !ok {
		return nil, bad("it was wrapped under " + fmt.Sprintf("%.80q", w.KEK) + ", which this token has not; it wraps under " + sec.current)
	}
	if w.Blob[0] != blobVersion {
		return nil, bad("unknown version")
	}
	plain, err := openSealed(kek, w.Blob[1:], binding("wrapped key", w.KeyType, w.Public, w.KEK))
	if err != nil {
		return nil, bad("it does not open")
	}
	defer clear(plain)
	key, err := decodePrivate(pub, plain)
	if err != nil {
		return nil, bad("the key inside does not parse")
	}
	return key, nil
}

func encodePrivate(key crypto.Signer) ([]byte, error) {
	if ec, ok := key.(*ecdsa.PrivateKey); ok {
		return ec.Bytes()
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// decodePrivate is the inverse of encodePrivate. The point of an EC key is taken
// from pub instead of being computed again (a third of the cost of a P-256
// signature). That is safe here: pub is authenticated together with the scalar
// by the GCM tag, was derived from it at generation, and ECDSA does not use the
// point to sign.
func decodePrivate(pub crypto.PublicKey, plain []byte) (crypto.Signer, error) {
	if p, ok := pub.(*ecdsa.PublicKey); ok {
		if len(plain) != (p.Curve.Params().BitSize+7)/8 {
			return nil, fmt.Errorf("softtoken: scalar of %d bytes", len(plain))
		}
		//lint:ignore SA1019 no other constructor takes a known point; see above
		return &ecdsa.PrivateKey{PublicKey: *p, D: new(big.Int).SetBytes(plain)}, nil //nolint:staticcheck // as above
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, err
	}
	k, ok := key.(*rsa.PrivateKey)
	if !ok || !k.PublicKey.Equal(pub) {
		return nil, fmt.Errorf("softtoken: %T is not the key that was wrapped", key)
	}
	return k, nil
}

// wipeKey overwrites what can be reached of a private key.
func wipeKey(key crypto.Signer) {
	wipe := func(numbers ...*big.Int) {
		for _, n := range numbers {
			if n != nil {
				clear(n.Bits())
			}
		}
	}
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		//lint:ignore SA1019 only this field reaches the scalar
		wipe(k.D) //nolint:staticcheck // as above
	case *rsa.PrivateKey:
		wipe(k.D, k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv)
		wipe(k.Primes...)
	}
}

// binding is associated data (KPR-01): purpose, key type, hash of the public key and a
// label, each with its length, so that no two lists give the same bytes.
func binding(purpose string, kt algo.KeyType, public []byte, label string) []byte {
	sum := sha256.Sum256(public)
	out := make([]byte, 0, 160)
	for _, part := range [...]string{"assent softtoken v1", purpose, string(kt), string(sum[:]), label} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part)))
		out = append(out, part...)
	}
	return out
}

// DeriveSeal implements cryptotoken.Sealer: HMAC-SHA-256 over the label.
func (t *Token) DeriveSeal(ctx context.Context, label string) ([]byte, error) {
	sec, done, err := t.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := cryptotoken.CheckLabel(label); err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, sec.seal)
	mac.Write([]byte(cryptotoken.SealPrefix + label))
	return mac.Sum(nil), nil
}

// Probe implements cryptotoken.Prober: a throw-away key is wrapped, unwrapped
// and used, its signature verified, and a changed blob must be refused. It does
// not count as key use.
func (t *Token) Probe(ctx context.Context) error {
	sec, done, err := t.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	fail := func(what string, err error) error {
		return fmt.Errorf("softtoken %s: %w: %s: %w", t.name, cryptotoken.ErrSelfTest, what, err)
	}
	key, err := newKey(algo.P256)
	if err != nil {
		return fail("generate", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fail("generate", err)
	}
	plain, err := encodePrivate(key)
	if err != nil {
		return fail("wrap", err)
	}
	defer clear(plain)
	w := sec.wrap(plain, algo.P256, public)
	blob := w.Blob
	again, err := t.unwrap(sec, w)
	if err != nil {
		return fail("unwrap", err)
	}
	alg, digest := cryptotoken.GenerationTest(algo.P256, public)
	sig, err := again.Sign(rand.Reader, digest, alg.SignerOpts())
	if err != nil {
		return fail("sign", err)
	}
	if err := algo.Verify(key.Public(), alg, digest, sig); err != nil {
		return fail("verify", err)
	}
	blob[len(blob)/2] ^= 1
	if _, err := t.unwrap(sec, w); err == nil {
		return fail("tamper", fmt.Errorf("a changed blob was accepted"))
	}
	return nil
}
