package tokentest

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"sync"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

func runNamed(t *testing.T, cfg Config) {
	tok := open(t, cfg)
	named := tok.(cryptotoken.Named)
	keys := map[algo.KeyType]cryptotoken.Signer{}
	for _, kt := range cfg.KeyTypes {
		before := uses(t, tok)
		s, err := named.CreateKey(t.Context(), cryptotoken.KeyRef{Label: "key " + string(kt)}, kt)
		if err != nil {
			t.Fatalf("CreateKey %s: %v", kt, err)
		}
		wantUses(t, tok, before, 1, "CreateKey")
		keys[kt] = s
		t.Run(string(kt), func(t *testing.T) { testSigner(t, tok, s, kt) })
	}
	t.Run("Exists", func(t *testing.T) { testKeyExists(t, cfg, tok) })
	t.Run("Destroy", func(t *testing.T) { testDestroyKey(t, cfg, tok) })
	t.Run("Reopen", func(t *testing.T) {
		again := reopen(t, cfg, tok)
		kt := cfg.KeyTypes[0]
		ref := cryptotoken.KeyRef{Label: "key " + string(kt)}
		s, err := again.Signer(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if pub, ok := s.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(keys[kt].Public()) {
			t.Errorf("%s: another public key after reopening", kt)
		}
		wantUses(t, again, 0, 1, "the proof at first load")
		if _, err := again.Signer(t.Context(), ref); err != nil {
			t.Error(err)
		}
		wantUses(t, again, 0, 1, "a second load")
		testSigner(t, again, s, kt)
		for kt := range keys {
			if _, err := again.Signer(t.Context(), cryptotoken.KeyRef{Label: "key " + string(kt)}); err != nil {
				t.Errorf("%s after reopening: %v", kt, err)
			}
		}
	})
}

// testSigner proves crypto.Signer semantics: every algorithm that fits gives
// what crypto/ecdsa and crypto/rsa verify (ECDSA as DER), everything else is
// refused before the key is used.
func testSigner(t *testing.T, tok cryptotoken.Token, s cryptotoken.Signer, kt algo.KeyType) {
	t.Helper()
	if s.KeyType() != kt {
		t.Errorf("KeyType is %s, want %s", s.KeyType(), kt)
	}
	if got, err := algo.KeyTypeOf(s.Public()); err != nil || got != kt {
		t.Fatalf("public key %T is %s (%v), want %s", s.Public(), got, err, kt)
	}
	for _, a := range fitting(kt) {
		before := uses(t, tok)
		d := digest(a)
		sig, err := s.Sign(nil, d, a.SignerOpts())
		if err != nil {
			t.Errorf("%s with %s: %v", kt, a, err)
			continue
		}
		verify(t, s.Public(), a, d, sig)
		wantUses(t, tok, before, 1, "one signature")
	}
	before := uses(t, tok)
	for name, c := range map[string]struct {
		digest []byte
		opts   crypto.SignerOpts
	}{
		"no options":       {make([]byte, 32), nil},
		"short digest":     {make([]byte, kt.Default().Hash().Size()-1), kt.Default().SignerOpts()},
		"long digest":      {make([]byte, kt.Default().Hash().Size()+1), kt.Default().SignerOpts()},
		"no digest":        {nil, kt.Default().SignerOpts()},
		"SHA-1":            {make([]byte, 20), crypto.SHA1},
		"no hash":          {make([]byte, 32), crypto.Hash(0)},
		"wrong PSS salt":   {make([]byte, 32), &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256}},
		"other hash":       {make([]byte, 28), crypto.SHA224},
		"nil PSS options":  {make([]byte, 32), (*rsa.PSSOptions)(nil)},
		"PSS without hash": {nil, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}},
	} {
		sig, err := s.Sign(nil, c.digest, c.opts)
		if !errors.Is(err, cryptotoken.ErrInvalidInput) || !errors.Is(err, cryptotoken.ErrNotStarted) || sig != nil {
			t.Errorf("%s, %s: %v, want ErrInvalidInput and ErrNotStarted", kt, name, err)
		}
	}
	wantUses(t, tok, before, 0, "refused input")
}

// testKeyExists: a label names one key for ever; of many callers one makes it.
func testKeyExists(t *testing.T, cfg Config, tok cryptotoken.Token) {
	named := tok.(cryptotoken.Named)
	ref := cryptotoken.KeyRef{Label: "raced"}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, errs[i] = named.CreateKey(t.Context(), ref, cfg.KeyTypes[0])
		}()
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		switch {
		case err == nil:
			made++
		case !errors.Is(err, cryptotoken.ErrKeyExists):
			t.Errorf("CreateKey of an existing label: %v, want ErrKeyExists", err)
		}
	}
	if made != 1 {
		t.Errorf("%d of %d callers made the key, want 1", made, len(errs))
	}
	if _, err := named.CreateKey(t.Context(), cryptotoken.KeyRef{Label: "other"}, "P-257"); !errors.Is(err, cryptotoken.ErrUnsupported) {
		t.Errorf("CreateKey of an unknown type: %v, want ErrUnsupported", err)
	}
}

// testDestroyKey: KPR-06, KPR-08: a destroyed key signs no more, neither through a signer
// that was there before nor after reopening, no other key goes with it, and its label can
// name another one.
func testDestroyKey(t *testing.T, cfg Config, tok cryptotoken.Token) {
	named := tok.(cryptotoken.Named)
	kt := cfg.KeyTypes[0]
	ref, other := cryptotoken.KeyRef{Label: "doomed"}, cryptotoken.KeyRef{Label: "doomed-2"}
	s, err := named.CreateKey(t.Context(), ref, kt)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := named.CreateKey(t.Context(), other, kt)
	if err != nil {
		t.Fatal(err)
	}
	if err := named.DestroyKey(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := cryptotoken.Prove(s); err == nil {
			t.Error("a destroyed key signs")
		}
	}
	for what, err := range map[string]error{
		"Signer": func() error { _, err := tok.Signer(t.Context(), ref); return err }(), "DestroyKey again": named.DestroyKey(t.Context(), ref),
		"DestroyKey of nothing": named.DestroyKey(t.Context(), cryptotoken.KeyRef{Label: "nothing"}),
	} {
		if !errors.Is(err, cryptotoken.ErrKeyNotFound) {
			t.Errorf("%s: %v, want ErrKeyNotFound", what, err)
		}
	}
	if err := cryptotoken.Prove(kept); err != nil {
		t.Errorf("the key beside it: %v", err)
	}
	next, err := named.CreateKey(t.Context(), ref, kt)
	if err != nil {
		t.Fatalf("the label again: %v", err)
	}
	if pub, ok := next.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || pub.Equal(s.Public()) {
		t.Error("the destroyed key came back")
	}
	if err := cryptotoken.Prove(next); err != nil {
		t.Error(err)
	}
	if _, err := s.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, cryptotoken.ErrKeyNotFound) {
		t.Errorf("the signer of the destroyed key, with its label in use again: %v", err)
	}
}
