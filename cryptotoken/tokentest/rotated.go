package tokentest

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// rotation is a token with keys under its first wrapping key.
type rotation struct {
	cfg  Config
	tok  cryptotoken.Token
	rot  cryptotoken.Rotator
	keys []cryptotoken.Wrapped
	now  string // the current wrapping key
}

func runRotator(t *testing.T, cfg Config) {
	t.Run("Rotation", func(t *testing.T) { testRotation(t, newRotation(t, cfg)) })
	t.Run("Interrupted", func(t *testing.T) { testInterrupted(t, newRotation(t, cfg)) })
	t.Run("Refused", func(t *testing.T) { testRewrapRefuses(t, newRotation(t, cfg)) })
	t.Run("Concurrent", func(t *testing.T) { testRotationUnderLoad(t, newRotation(t, cfg)) })
}

func newRotation(t *testing.T, cfg Config) *rotation {
	t.Helper()
	r := &rotation{cfg: cfg}
	r.use(t, open(t, cfg))
	for _, kt := range cfg.KeyTypes {
		if kt == algo.RSA3072 || kt == algo.RSA4096 {
			continue // as RSA-2048, and seconds to make
		}
		w := generate(t, r.tok.(cryptotoken.Wrapper), kt)
		if w.KEK != r.now {
			t.Fatalf("a new key is under %q, the current wrapping key is %q", w.KEK, r.now)
		}
		r.keys = append(r.keys, w)
	}
	return r
}

// use takes a token, which may be the same one reopened.
func (r *rotation) use(t *testing.T, tok cryptotoken.Token) {
	t.Helper()
	r.tok, r.rot = tok, tok.(cryptotoken.Rotator)
	now, err := r.rot.CurrentKEK(t.Context())
	if err != nil || now == "" {
		t.Fatalf("CurrentKEK: %q, %v", now, err)
	}
	r.now = now
}

// next makes the next wrapping key and returns the one before.
func (r *rotation) next(t *testing.T) string {
	t.Helper()
	before := r.now
	label, err := r.rot.NextKEK(t.Context())
	if err != nil {
		t.Fatalf("NextKEK: %v", err)
	}
	if r.use(t, r.tok); r.now != label || label == before {
		t.Fatalf("NextKEK made %q after %q, the current wrapping key is %q", label, before, r.now)
	}
	return before
}

// rewrap wraps all keys anew, without a use.
func (r *rotation) rewrap(t *testing.T) (renewed []cryptotoken.Wrapped) {
	t.Helper()
	before := uses(t, r.tok)
	for _, w := range r.keys {
		n, err := r.rot.Rewrap(t.Context(), w)
		if err != nil {
			t.Fatalf("Rewrap %s: %v", w.KeyType, err)
		}
		if n.KEK != r.now || n.KeyType != w.KeyType || !bytes.Equal(n.Public, w.Public) || (w.KEK != n.KEK && bytes.Equal(n.Blob, w.Blob)) {
			t.Errorf("Rewrap %s: under %q, type %s, same blob %v", w.KeyType, n.KEK, n.KeyType, bytes.Equal(n.Blob, w.Blob))
		}
		renewed = append(renewed, n)
	}
	wantUses(t, r.tok, before, 0, "Rewrap")
	return renewed
}

func sign(t *testing.T, tok cryptotoken.Token, list ...cryptotoken.Wrapped) {
	t.Helper()
	for _, w := range list {
		a := w.KeyType.Default()
		d := digest(a)
		sigs, err := tok.(cryptotoken.Wrapper).SignWrapped(t.Context(), w, a, [][]byte{d})
		if err != nil {
			t.Errorf("%s under %q: %v", w.KeyType, w.KEK, err)
			continue
		}
		verify(t, public(t, w), a, d, sigs[0])
	}
}

// gone: a blob opens no more, under no name, and is not wrapped anew.
func (r *rotation) gone(t *testing.T, w cryptotoken.Wrapped) {
	t.Helper()
	for _, label := range []string{w.KEK, r.now} {
		w.KEK = label
		wantBadBlob(t, r.tok, w, "blob of a destroyed wrapping key, labelled "+label)
		if _, err := r.rot.Rewrap(t.Context(), w); !errors.Is(err, cryptotoken.ErrBadBlob) {
			t.Errorf("Rewrap of a blob of a destroyed wrapping key, labelled %s: %v, want ErrBadBlob", label, err)
		}
	}
}

// testRotation: keys move to the next epoch and sign before, between and after; the
// destroyed epoch is gone for ever, also after reopening, and its name never comes back.
func testRotation(t *testing.T, r *rotation) {
	var seal []byte
	if s, ok := r.tok.(cryptotoken.Sealer); ok {
		seal, _ = s.DeriveSeal(t.Context(), "x")
	}
	names := map[string]bool{r.now: true}
	for round := range 2 {
		old := r.next(t)
		if names[r.now] {
			t.Errorf("wrapping key %q came back", r.now)
		}
		names[r.now] = true
		before := r.keys
		sign(t, r.tok, before...)
		if w := generate(t, r.tok.(cryptotoken.Wrapper), r.cfg.KeyTypes[0]); w.KEK != r.now {
			t.Errorf("a new key is under %q, want %q", w.KEK, r.now)
		}
		renewed := r.rewrap(t)
		for range 4 { // whichever process or session answers
			sign(t, r.tok, before...)
			sign(t, r.tok, renewed...)
		}
		if p, ok := r.tok.(cryptotoken.Prober); ok {
			if err := p.Probe(t.Context()); err != nil {
				t.Errorf("Probe with two wrapping keys: %v", err)
			}
		}
		r.destroys(t, old)
		for range 2 {
			for _, w := range before {
				r.gone(t, w)
			}
			sign(t, r.tok, renewed...)
			r.use(t, reopen(t, r.cfg, r.tok))
		}
		if r.keys = renewed; !names[r.now] {
			t.Errorf("round %d: after reopening the current wrapping key is %q", round, r.now)
		}
	}
	if s, ok := r.tok.(cryptotoken.Sealer); ok {
		if again, err := s.DeriveSeal(t.Context(), "x"); err != nil || !bytes.Equal(seal, again) {
			t.Errorf("the rotation changed a seal (%v)", err)
		}
	}
}

func (r *rotation) destroys(t *testing.T, old string) {
	t.Helper()
	for label, want := range map[string]error{r.now: cryptotoken.ErrInvalidInput, "": cryptotoken.ErrKeyNotFound, old + "0": cryptotoken.ErrKeyNotFound, "no such key": cryptotoken.ErrKeyNotFound} {
		if err := r.rot.DestroyKEK(t.Context(), label); !errors.Is(err, want) {
			t.Errorf("DestroyKEK %q: %v, want %v", label, err, want)
		}
	}
	if err := r.rot.DestroyKEK(t.Context(), old); err != nil {
		t.Fatalf("DestroyKEK %q: %v", old, err)
	}
	if err := r.rot.DestroyKEK(t.Context(), old); !errors.Is(err, cryptotoken.ErrKeyNotFound) {
		t.Errorf("DestroyKEK %q twice: %v, want ErrKeyNotFound", old, err)
	}
}

// testInterrupted: the process ends between the new wrapping key and the first or the
// second key that is wrapped anew: all keys work, and the rotation goes on.
func testInterrupted(t *testing.T, r *rotation) {
	old := r.next(t)
	made := r.now
	r.use(t, reopen(t, r.cfg, r.tok))
	if r.now != made {
		t.Fatalf("the current wrapping key is %q after reopening, was %q", r.now, made)
	}
	sign(t, r.tok, r.keys...)
	moved, err := r.rot.Rewrap(t.Context(), r.keys[0])
	if err != nil {
		t.Fatal(err)
	}
	r.use(t, reopen(t, r.cfg, r.tok))
	sign(t, r.tok, r.keys...)
	sign(t, r.tok, moved)
	renewed := r.rewrap(t)
	r.destroys(t, old)
	sign(t, r.tok, renewed...)
	sign(t, r.tok, moved)
	for _, w := range r.keys {
		r.gone(t, w)
	}
}

// testRewrapRefuses: what does not open is not wrapped anew, and a blob opens under
// the name of its own epoch only.
func testRewrapRefuses(t *testing.T, r *rotation) {
	old := r.next(t)
	renewed := r.rewrap(t)
	for i, w := range r.keys {
		other := renewed[i]
		other.KEK = old
		back := w
		back.KEK = r.now
		for what, bad := range map[string]cryptotoken.Wrapped{"new blob under the old name": other, "old blob under the new name": back} {
			wantBadBlob(t, r.tok, bad, what)
			wantNoRewrap(t, r, bad, what)
		}
		again, err := r.rot.Rewrap(t.Context(), renewed[i])
		if err != nil || again.KEK != r.now {
			t.Errorf("Rewrap of one that is under the current key: %q, %v", again.KEK, err)
		} else {
			sign(t, r.tok, again)
		}
	}
	w := r.keys[0]
	for pos := 0; pos < len(w.Blob); pos += max(1, len(w.Blob)/16) {
		bad := w
		bad.Blob = bytes.Clone(w.Blob)
		bad.Blob[pos] ^= 0x10
		wantNoRewrap(t, r, bad, "flipped bit")
	}
	for what, change := range map[string]func(*cryptotoken.Wrapped){
		"empty blob": func(w *cryptotoken.Wrapped) { w.Blob = nil }, "cut blob": func(w *cryptotoken.Wrapped) { w.Blob = w.Blob[:len(w.Blob)-8] },
		"unknown wrapping key": func(w *cryptotoken.Wrapped) { w.KEK = "no such wrapping key" }, "no wrapping key": func(w *cryptotoken.Wrapped) { w.KEK = "" },
		"no public key": func(w *cryptotoken.Wrapped) { w.Public = nil },
	} {
		bad := w
		change(&bad)
		wantNoRewrap(t, r, bad, what)
	}
	theirs := generate(t, open(t, r.cfg).(cryptotoken.Wrapper), w.KeyType)
	for _, label := range []string{old, r.now} {
		theirs.KEK = label
		wantNoRewrap(t, r, theirs, "blob of another token under our name")
	}
	r.otherPublic(t)
}

func wantNoRewrap(t *testing.T, r *rotation, w cryptotoken.Wrapped, what string) {
	t.Helper()
	if n, err := r.rot.Rewrap(t.Context(), w); !errors.Is(err, cryptotoken.ErrBadBlob) || n.Blob != nil {
		t.Errorf("Rewrap, %s: %v, want ErrBadBlob", what, err)
	}
}

// otherPublic: with another public key beside it a blob is refused, or what comes out
// is what went in: no better.
func (r *rotation) otherPublic(t *testing.T) {
	t.Helper()
	for _, w := range r.keys {
		mixed := w
		mixed.Public = generate(t, r.tok.(cryptotoken.Wrapper), w.KeyType).Public
		n, err := r.rot.Rewrap(t.Context(), mixed)
		if err != nil {
			if !errors.Is(err, cryptotoken.ErrBadBlob) {
				t.Errorf("Rewrap %s with another public key: %v, want ErrBadBlob", w.KeyType, err)
			}
			continue
		}
		if !bytes.Equal(n.Public, mixed.Public) {
			t.Errorf("Rewrap %s changed the public key", w.KeyType)
		}
		n.Public = w.Public
		sign(t, r.tok, n)
	}
}

// testRotationUnderLoad: callers sign while the wrapping key changes, keys move and
// the old one is destroyed; none of them notices.
func testRotationUnderLoad(t *testing.T, r *rotation) {
	w, wr := r.keys[0], r.tok.(cryptotoken.Wrapper)
	a, pub := w.KeyType.Default(), public(t, w)
	var mu sync.RWMutex // the caller's record: which blob counts
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for range r.cfg.Concurrency / 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				d := digest(a)
				mu.RLock()
				sigs, err := wr.SignWrapped(t.Context(), w, a, [][]byte{d})
				mu.RUnlock()
				if err != nil {
					t.Errorf("SignWrapped while rotating: %v", err)
					return
				}
				verify(t, pub, a, d, sigs[0])
			}
		})
	}
	for range 3 {
		old := r.next(t)
		n, err := r.rot.Rewrap(t.Context(), w)
		if err != nil {
			t.Errorf("Rewrap under load: %v", err)
			return
		}
		mu.Lock()
		w = n
		mu.Unlock()
		if err := r.rot.DestroyKEK(t.Context(), old); err != nil {
			t.Errorf("DestroyKEK under load: %v", err)
			return
		}
	}
}
