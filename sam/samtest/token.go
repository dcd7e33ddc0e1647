package samtest

import (
	"context"
	"crypto"
	"io"
	"sync"
	"sync/atomic"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// Full is a token with everything that a module needs.
type Full interface {
	cryptotoken.Token
	cryptotoken.Named
	cryptotoken.Wrapper
	cryptotoken.Sealer
}

// Token counts every use of a signer's key, independently of what the token
// says, and can be made to fail in pairs.
type Token struct {
	Full
	uses atomic.Int64 // calls of SignWrapped that reached the token

	mu      sync.Mutex
	before  error  // SignWrapped fails and the key is not used
	after   error  // SignWrapped fails and the key was used
	spoil   bool   // signatures come back wrong
	probe   error  // the token's self-test fails
	named   bool   // named keys sign wrongly
	away    error  // named keys do not sign
	stay    error  // named keys are not destroyed
	staying string // only this one is not; "": none is

	rewraps int  // wrappings that still work
	failing bool // after them none does
	other   bool // what comes back is spoilt
	log     []Use
}

// Use is one call that reached a signer's key.
type Use struct {
	Alg     algo.Algorithm
	Digests [][]byte
	Public  []byte // of the key
}

// Uses returns the number of key uses.
func (t *Token) Uses() int64 { return t.uses.Load() }

// Log returns all key uses in order.
func (t *Token) Log() []Use {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Use(nil), t.log...)
}

// Forget empties the log: a test put an older audit chain in place, on purpose.
func (t *Token) Forget() { t.set(func() { t.log = nil }) }

// FailBefore makes the next uses fail before the key is used; nil ends it.
func (t *Token) FailBefore(err error) { t.set(func() { t.before = err }) }

// FailAfter makes the next uses fail after the key was used; nil ends it.
func (t *Token) FailAfter(err error) { t.set(func() { t.after = err }) }

// Spoil makes signatures wrong.
func (t *Token) Spoil(on bool) { t.set(func() { t.spoil = on }) }

// FailProbe makes the token's self-test fail; nil ends it.
func (t *Token) FailProbe(err error) { t.set(func() { t.probe = err }) }

// SpoilNamed makes the signatures of named keys wrong.
func (t *Token) SpoilNamed(on bool) { t.set(func() { t.named = on }) }

// FailNamed makes named keys fail to sign; nil ends it.
func (t *Token) FailNamed(err error) { t.set(func() { t.away = err }) }

// FailDestroy makes named keys stay; nil ends it.
func (t *Token) FailDestroy(err error) { t.FailDestroyOf("", err) }

// FailDestroyOf makes one named key stay; nil ends it.
func (t *Token) FailDestroyOf(label string, err error) {
	t.set(func() { t.stay, t.staying = err, label })
}

// DestroyKey implements cryptotoken.Named.
func (t *Token) DestroyKey(ctx context.Context, ref cryptotoken.KeyRef) error {
	t.mu.Lock()
	err, which := t.stay, t.staying
	t.mu.Unlock()
	if err != nil && (which == "" || which == ref.Label) {
		return err
	}
	return t.Full.DestroyKey(ctx, ref)
}

// Signer implements cryptotoken.Token.
func (t *Token) Signer(ctx context.Context, ref cryptotoken.KeyRef) (cryptotoken.Signer, error) {
	s, err := t.Full.Signer(ctx, ref)
	return spoilt{s, t}, err
}

// spoilt is a named key that can be made to sign wrongly.
type spoilt struct {
	cryptotoken.Signer
	t *Token
}

func (s spoilt) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	sig, err := s.Signer.Sign(r, digest, opts)
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.t.away != nil {
		return nil, s.t.away
	}
	if s.t.named && err == nil {
		sig[len(sig)-1] ^= 1
	}
	return sig, err
}

// CurrentKEK implements cryptotoken.Rotator.
func (t *Token) CurrentKEK(ctx context.Context) (string, error) {
	return t.Full.(cryptotoken.Rotator).CurrentKEK(ctx)
}

// NextKEK implements cryptotoken.Rotator.
func (t *Token) NextKEK(ctx context.Context) (string, error) {
	return t.Full.(cryptotoken.Rotator).NextKEK(ctx)
}

// FailRewrap makes the next wrappings fail once n have worked; -1 ends it.
func (t *Token) FailRewrap(n int) { t.set(func() { t.rewraps, t.failing = n, n >= 0 }) }

// SpoilRewrap makes wrappings return blobs that do not open.
func (t *Token) SpoilRewrap(on bool) { t.set(func() { t.other = on }) }

// Rewrap implements cryptotoken.Rotator.
func (t *Token) Rewrap(ctx context.Context, w cryptotoken.Wrapped) (cryptotoken.Wrapped, error) {
	t.mu.Lock()
	fail := t.failing && t.rewraps == 0
	if t.rewraps > 0 {
		t.rewraps--
	}
	other := t.other
	t.mu.Unlock()
	if fail {
		return cryptotoken.Wrapped{}, cryptotoken.ErrUnavailable
	}
	n, err := t.Full.(cryptotoken.Rotator).Rewrap(ctx, w)
	if other && err == nil {
		n.Blob[len(n.Blob)-1] ^= 1
	}
	return n, err
}

// DestroyKEK implements cryptotoken.Rotator.
func (t *Token) DestroyKEK(ctx context.Context, kek string) error {
	return t.Full.(cryptotoken.Rotator).DestroyKEK(ctx, kek)
}

// Probe implements cryptotoken.Prober.
func (t *Token) Probe(ctx context.Context) error {
	t.mu.Lock()
	err := t.probe
	t.mu.Unlock()
	if p, ok := t.Full.(cryptotoken.Prober); ok && err == nil {
		return p.Probe(ctx)
	}
	return err
}

func (t *Token) set(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

// SignWrapped implements cryptotoken.Wrapper.
func (t *Token) SignWrapped(ctx context.Context, w cryptotoken.Wrapped, a algo.Algorithm, digests [][]byte) ([][]byte, error) {
	t.mu.Lock()
	before, after, spoil := t.before, t.after, t.spoil
	t.mu.Unlock()
	if before != nil {
		return nil, before
	}
	t.uses.Add(1)
	t.set(func() { t.log = append(t.log, Use{a, digests, w.Public}) })
	sigs, err := t.Full.SignWrapped(ctx, w, a, digests)
	if after != nil {
		return nil, after
	}
	if spoil && len(sigs) > 0 {
		s := sigs[len(sigs)-1]
		s[len(s)-1] ^= 1
	}
	return sigs, err
}
