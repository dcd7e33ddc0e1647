package tokentest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

func runWrapper(t *testing.T, cfg Config) {
	tok := open(t, cfg)
	wr := tok.(cryptotoken.Wrapper)
	blobs := map[algo.KeyType]cryptotoken.Wrapped{}
	for _, kt := range cfg.KeyTypes {
		before := uses(t, tok)
		w := generate(t, wr, kt)
		wantUses(t, tok, before, 1, "GenerateWrapped (its generation test)")
		wantAllWrapped(t, tok, before)
		blobs[kt] = w
		t.Run(string(kt), func(t *testing.T) {
			testSignWrapped(t, tok, w)
			testRefusedInput(t, tok, w)
			testDamagedBlob(t, tok, w)
		})
	}
	w := blobs[cfg.KeyTypes[0]]
	t.Run("OtherToken", func(t *testing.T) { testOtherToken(t, cfg, tok, w) })
	t.Run("OtherPublicKey", func(t *testing.T) { testOtherPublic(t, tok, w) })
	t.Run("Concurrent", func(t *testing.T) { testConcurrent(t, cfg, tok, w) })
	t.Run("Reopen", func(t *testing.T) {
		again := reopen(t, cfg, tok)
		for _, w := range blobs {
			testSignWrapped(t, again, w)
		}
	})
	t.Run("CloseUnderLoad", func(t *testing.T) { testCloseUnderLoad(t, cfg) })
}

func generate(t testing.TB, wr cryptotoken.Wrapper, kt algo.KeyType) cryptotoken.Wrapped {
	t.Helper()
	w, err := wr.GenerateWrapped(context.Background(), kt)
	if err != nil {
		t.Fatalf("GenerateWrapped %s: %v", kt, err)
	}
	if w.KeyType != kt || len(w.Blob) == 0 || w.KEK == "" {
		t.Fatalf("GenerateWrapped %s: type %s, blob of %d bytes, KEK %q", kt, w.KeyType, len(w.Blob), w.KEK)
	}
	if got, err := algo.KeyTypeOf(public(t, w)); err != nil || got != kt {
		t.Fatalf("GenerateWrapped %s: public key is of type %s (%v)", kt, got, err)
	}
	return w
}

func public(t testing.TB, w cryptotoken.Wrapped) crypto.PublicKey {
	t.Helper()
	pub, err := x509.ParsePKIXPublicKey(w.Public)
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// testSignWrapped: n digests give n signatures in order and count as n uses.
func testSignWrapped(t *testing.T, tok cryptotoken.Token, w cryptotoken.Wrapped) {
	t.Helper()
	wr := tok.(cryptotoken.Wrapper)
	pub := public(t, w)
	for _, a := range fitting(w.KeyType) {
		for _, n := range []int{1, 3} {
			before := uses(t, tok)
			ds := digests(a, n)
			sigs, err := wr.SignWrapped(t.Context(), w, a, ds)
			if err != nil || len(sigs) != n {
				t.Errorf("SignWrapped %s %s: %d signatures, %v", w.KeyType, a, len(sigs), err)
				continue
			}
			for i := range ds {
				verify(t, pub, a, ds[i], sigs[i])
			}
			wantUses(t, tok, before, uint64(n), fmt.Sprintf("%d signatures", n))
		}
	}
	before := uses(t, tok)
	if err := wr.CheckWrapped(t.Context(), w); err != nil {
		t.Errorf("CheckWrapped %s: %v", w.KeyType, err)
	}
	wantUses(t, tok, before, 0, "CheckWrapped")
}

func testRefusedInput(t *testing.T, tok cryptotoken.Token, w cryptotoken.Wrapped) {
	wr := tok.(cryptotoken.Wrapper)
	before := uses(t, tok)
	good := w.KeyType.Default()
	size := good.Hash().Size()
	type call struct {
		alg     algo.Algorithm
		digests [][]byte
	}
	cases := map[string]call{
		"no digests":       {good, nil},
		"empty digest":     {good, [][]byte{{}}},
		"short digest":     {good, [][]byte{make([]byte, size-1)}},
		"long digest":      {good, [][]byte{make([]byte, size+1)}},
		"second one short": {good, [][]byte{make([]byte, size), make([]byte, size-1)}},
		"too many digests": {good, make([][]byte, cryptotoken.MaxDigests+1)},
		"no algorithm":     {0, digests(good, 1)},
		"unknown":          {200, digests(good, 1)},
	}
	for _, a := range algo.All() {
		if !w.KeyType.Fits(a) {
			cases["algorithm "+a.String()] = call{a, digests(a, 1)}
		}
	}
	for name, c := range cases {
		sigs, err := wr.SignWrapped(t.Context(), w, c.alg, c.digests)
		if !errors.Is(err, cryptotoken.ErrInvalidInput) || !errors.Is(err, cryptotoken.ErrNotStarted) || sigs != nil {
			t.Errorf("%s, %s: %v, want ErrInvalidInput and ErrNotStarted", w.KeyType, name, err)
		}
	}
	if _, err := wr.GenerateWrapped(t.Context(), "P-257"); !errors.Is(err, cryptotoken.ErrUnsupported) {
		t.Errorf("GenerateWrapped of an unknown type: %v, want ErrUnsupported", err)
	}
	wantUses(t, tok, before, 0, "refused input")
}

// testDamagedBlob: a flipped bit at any place, a cut and an extended blob are
// refused, and the token works afterwards.
func testDamagedBlob(t *testing.T, tok cryptotoken.Token, w cryptotoken.Wrapped) {
	before := uses(t, tok)
	step := max(1, len(w.Blob)/48)
	for pos := 0; pos < len(w.Blob); pos += step {
		bad := w
		bad.Blob = bytes.Clone(w.Blob)
		bad.Blob[pos] ^= 1 << (pos / step % 8)
		wantBadBlob(t, tok, bad, fmt.Sprintf("bit flipped in byte %d of %d", pos, len(w.Blob)))
	}
	for name, blob := range map[string][]byte{
		"empty": nil, "one byte": w.Blob[:1], "cut by one": w.Blob[:len(w.Blob)-1],
		"cut by a block": w.Blob[:len(w.Blob)-8], "half": w.Blob[:len(w.Blob)/2],
		"extended by one":     append(bytes.Clone(w.Blob), 0),
		"extended by a block": append(bytes.Clone(w.Blob), make([]byte, 8)...),
		"doubled":             append(bytes.Clone(w.Blob), w.Blob...),
		"huge":                make([]byte, cryptotoken.MaxBlob+1),
		"last byte flipped":   append(bytes.Clone(w.Blob[:len(w.Blob)-1]), ^w.Blob[len(w.Blob)-1]),
	} {
		bad := w
		bad.Blob = blob
		wantBadBlob(t, tok, bad, name)
	}
	bad := w
	bad.Public = []byte("no key")
	wantBadBlob(t, tok, bad, "public key that does not parse")
	bad = w
	bad.KEK = "no such wrapping key"
	wantBadBlob(t, tok, bad, "unknown wrapping key")
	wantUses(t, tok, before, 0, "damaged blobs")
	if err := tok.(cryptotoken.Wrapper).CheckWrapped(t.Context(), w); err != nil {
		t.Errorf("the genuine blob after damaged ones: %v", err)
	}
}

func wantBadBlob(t *testing.T, tok cryptotoken.Token, w cryptotoken.Wrapped, what string) {
	t.Helper()
	wr := tok.(cryptotoken.Wrapper)
	a := w.KeyType.Default()
	sigs, err := wr.SignWrapped(t.Context(), w, a, digests(a, 1))
	if !errors.Is(err, cryptotoken.ErrBadBlob) || !errors.Is(err, cryptotoken.ErrNotStarted) || sigs != nil {
		t.Errorf("SignWrapped %s, %s: %v, want ErrBadBlob and ErrNotStarted", w.KeyType, what, err)
	}
	if err := wr.CheckWrapped(t.Context(), w); !errors.Is(err, cryptotoken.ErrBadBlob) {
		t.Errorf("CheckWrapped %s, %s: %v, want ErrBadBlob", w.KeyType, what, err)
	}
}

// testOtherToken: a blob opens in the token that made it and in no other, also
// when it is relabelled.
func testOtherToken(t *testing.T, cfg Config, tok cryptotoken.Token, w cryptotoken.Wrapped) {
	other := open(t, cfg)
	theirs := generate(t, other.(cryptotoken.Wrapper), w.KeyType)
	wantBadBlob(t, other, w, "blob of another token")
	moved := w
	moved.KEK = theirs.KEK
	wantBadBlob(t, other, moved, "relabelled blob of another token")
	theirs.KEK = w.KEK
	wantBadBlob(t, tok, theirs, "relabelled blob of another token")
}

// testOtherPublic: with another public key beside the blob a driver refuses, or
// signs with the key that is in the blob; never does a signature verify under
// the wrong public key. Binding the two is the job of the caller's record seal.
func testOtherPublic(t *testing.T, tok cryptotoken.Token, w cryptotoken.Wrapped) {
	wr := tok.(cryptotoken.Wrapper)
	other := generate(t, wr, w.KeyType)
	mixed := w
	mixed.Public = other.Public
	a := w.KeyType.Default()
	d := digest(a)
	sigs, err := wr.SignWrapped(t.Context(), mixed, a, [][]byte{d})
	if err != nil {
		if !errors.Is(err, cryptotoken.ErrBadBlob) || !errors.Is(err, cryptotoken.ErrNotStarted) {
			t.Errorf("blob with another public key: %v, want ErrBadBlob and ErrNotStarted", err)
		}
		return
	}
	if algo.Verify(public(t, other), a, d, sigs[0]) == nil {
		t.Error("a signature verifies under the public key of another key")
	}
	verify(t, public(t, w), a, d, sigs[0])
}

func testConcurrent(t *testing.T, cfg Config, tok cryptotoken.Token, w cryptotoken.Wrapped) {
	wr := tok.(cryptotoken.Wrapper)
	a := w.KeyType.Default()
	pub := public(t, w)
	before := uses(t, tok)
	const rounds = 8
	var wg sync.WaitGroup
	for range cfg.Concurrency {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range rounds {
				ds := digests(a, 1+i%3)
				sigs, err := wr.SignWrapped(t.Context(), w, a, ds)
				if err != nil {
					t.Errorf("concurrent SignWrapped: %v", err)
					return
				}
				for j := range ds {
					verify(t, pub, a, ds[j], sigs[j])
				}
			}
		}()
	}
	wg.Wait()
	wantUses(t, tok, before, uint64(cfg.Concurrency)*(1+2+3+1+2+3+1+2), "concurrent signatures")
}

// testCloseUnderLoad: a call that meets Close gives its signature or an error,
// and every one after Close gives ErrUnavailable; nothing hangs.
func testCloseUnderLoad(t *testing.T, cfg Config) {
	tok := open(t, cfg)
	wr := tok.(cryptotoken.Wrapper)
	w := generate(t, wr, cfg.KeyTypes[0])
	a, pub := w.KeyType.Default(), public(t, w)
	var wg, first sync.WaitGroup
	for range cfg.Concurrency {
		wg.Add(1)
		first.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; ; i++ {
				d := digest(a)
				sigs, err := wr.SignWrapped(t.Context(), w, a, [][]byte{d})
				if i == 0 {
					first.Done()
				}
				if err != nil {
					if !errors.Is(err, cryptotoken.ErrUnavailable) {
						t.Errorf("SignWrapped while closing: %v, want ErrUnavailable", err)
					}
					return
				}
				verify(t, pub, a, d, sigs[0])
			}
		}()
	}
	first.Wait()
	if err := tok.Close(); err != nil {
		t.Errorf("Close under load: %v", err)
	}
	wg.Wait()
}

func runSealer(t *testing.T, cfg Config) {
	tok, other := open(t, cfg), open(t, cfg)
	seals := map[string]string{}
	remember := func(who string, tok cryptotoken.Token, label string) []byte {
		b, err := tok.(cryptotoken.Sealer).DeriveSeal(t.Context(), label)
		if err != nil {
			t.Fatalf("DeriveSeal %q of %s: %v", label, who, err)
		}
		if len(b) != 32 {
			t.Errorf("DeriveSeal gives %d bytes, want 32", len(b))
		}
		if was, ok := seals[string(b)]; ok {
			t.Errorf("%s/%s has the same secret as %s", who, label, was)
		}
		seals[string(b)] = who + "/" + label
		return b
	}
	a := remember("first", tok, "records/1")
	remember("first", tok, "records/2")
	remember("first", tok, "records")
	remember("second", other, "records/1")
	before := uses(t, tok)
	same, err := tok.(cryptotoken.Sealer).DeriveSeal(t.Context(), "records/1")
	if err != nil || !bytes.Equal(a, same) {
		t.Errorf("the same label gives another secret (%v)", err)
	}
	wantUses(t, tok, before, 0, "DeriveSeal")
	for _, label := range []string{"", "line\nbreak"} {
		if _, err := tok.(cryptotoken.Sealer).DeriveSeal(t.Context(), label); !errors.Is(err, cryptotoken.ErrInvalidInput) {
			t.Errorf("DeriveSeal %q: %v, want ErrInvalidInput", label, err)
		}
	}
	again := reopen(t, cfg, tok)
	same, err = again.(cryptotoken.Sealer).DeriveSeal(t.Context(), "records/1")
	if err != nil || !bytes.Equal(a, same) {
		t.Errorf("another secret after reopening (%v)", err)
	}
}

// wantAllWrapped: every use since before was one of a wrapped key. before is
// what KeyUses was when all uses of named keys had been made.
func wantAllWrapped(t testing.TB, tok cryptotoken.Token, before uint64) {
	t.Helper()
	info, err := tok.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if info.WrappedUses > info.KeyUses || info.WrappedUses == 0 {
		t.Errorf("%d uses of wrapped keys among %d", info.WrappedUses, info.KeyUses)
	}
	if named := info.KeyUses - info.WrappedUses; named > before {
		t.Errorf("%d uses of named keys, there were %d before wrapped keys were used", named, before)
	}
}
