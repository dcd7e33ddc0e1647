package softtoken_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/internal/algo"
)

func openAt(t *testing.T, dir string) *softtoken.Token {
	t.Helper()
	tok, err := softtoken.Open(softtoken.Config{Dir: dir, PIN: []byte("pin"), Profile: "development", Create: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tok.Close() })
	return tok
}

// KPR-06: a wrapping key of the next epoch: old blobs work until it is destroyed,
// re-wrapped ones are the same keys, seals stay as they are, and all of it holds
// after the token was opened anew. A number never comes back.
func TestKPR06WrappingKeysHaveEpochs(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	tok := openAt(t, dir)
	seal, err := tok.DeriveSeal(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	var old, renewed []cryptotoken.Wrapped
	for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.RSA2048} {
		w, err := tok.GenerateWrapped(ctx, kt)
		if err != nil {
			t.Fatal(err)
		}
		old = append(old, w)
	}
	first, err := tok.CurrentKEK(ctx)
	if err != nil {
		t.Fatal(err)
	}
	second, err := tok.NextKEK(ctx)
	if err != nil || second == first {
		t.Fatalf("%s, %v", second, err)
	}
	uses := info(t, tok).KeyUses
	for _, w := range old {
		n, err := tok.Rewrap(ctx, w)
		if err != nil || n.KEK != second || !bytes.Equal(n.Public, w.Public) || n.KeyType != w.KeyType || bytes.Equal(n.Blob, w.Blob) {
			t.Fatalf("%+v, %v", n, err)
		}
		renewed = append(renewed, n)
	}
	if info(t, tok).KeyUses != uses {
		t.Error("wrapping anew used a key")
	}
	for _, w := range append(old[:3:3], renewed...) {
		works(t, tok, w)
	}
	mixed := old[0]
	mixed.KEK = second
	if err := tok.CheckWrapped(ctx, mixed); !errors.Is(err, cryptotoken.ErrBadBlob) {
		t.Errorf("a blob under another epoch's name: %v", err)
	}
	if err := tok.DestroyKEK(ctx, second); !errors.Is(err, cryptotoken.ErrInvalidInput) {
		t.Errorf("the current one: %v", err)
	}
	if err := tok.DestroyKEK(ctx, first); err != nil {
		t.Fatal(err)
	}
	if err := tok.DestroyKEK(ctx, first); !errors.Is(err, cryptotoken.ErrKeyNotFound) {
		t.Errorf("twice: %v", err)
	}
	before := read(t, dir)
	for range 2 { // before and after it is opened anew
		for _, w := range old {
			if err := tok.CheckWrapped(ctx, w); !errors.Is(err, cryptotoken.ErrBadBlob) {
				t.Errorf("under a destroyed key: %v", err)
			}
		}
		for _, w := range renewed {
			works(t, tok, w)
		}
		again, err := tok.DeriveSeal(ctx, "x")
		if err != nil || !bytes.Equal(again, seal) {
			t.Errorf("the seal changed: %v", err)
		}
		if now, err := tok.CurrentKEK(ctx); err != nil || now != second {
			t.Errorf("current is %s, %v", now, err)
		}
		if err := tok.Close(); err != nil {
			t.Fatal(err)
		}
		tok = openAt(t, dir)
	}
	if bytes.Equal(before, read(t, dir)) {
		t.Error("the first wrapping key is still in token.json")
	}
	third, err := tok.NextKEK(ctx)
	if err != nil || third == second || third == first {
		t.Errorf("%s, %v", third, err)
	}
	if err := tok.DestroyKEK(ctx, second); err != nil {
		t.Fatal(err)
	}
	if list, _ := filepath.Glob(filepath.Join(dir, "keks", "2.kek")); len(list) != 0 {
		t.Error("the file of a destroyed key is there")
	}
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	tok = openAt(t, dir)
	if now, err := tok.CurrentKEK(ctx); err != nil || now != third {
		t.Errorf("current is %s, %v", now, err)
	}
}

// KPR-06, KPR-01: a wrapping key's file that was changed, or put in another's place,
// keeps the token shut.
func TestKPR06WrappingKeyFilesAreSealed(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	tok := openAt(t, dir)
	for range 2 {
		if _, err := tok.NextKEK(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := tok.Close(); err != nil {
		t.Fatal(err)
	}
	two, three := filepath.Join(dir, "keks", "2.kek"), filepath.Join(dir, "keks", "3.kek")
	good, err := os.ReadFile(two)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(three)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	for name, text := range map[string][]byte{"bit flip": flipped, "another's": other, "empty": {}, "cut": good[:20]} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(two, text, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := softtoken.Open(softtoken.Config{Dir: dir, PIN: []byte("pin"), Profile: "development", Log: slog.New(slog.DiscardHandler)})
			if !errors.Is(err, cryptotoken.ErrUnavailable) {
				t.Errorf("%v", err)
			}
		})
	}
}

func read(t *testing.T, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "token.json"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func info(t *testing.T, tok *softtoken.Token) cryptotoken.Info {
	t.Helper()
	i, err := tok.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func works(t *testing.T, tok *softtoken.Token, w cryptotoken.Wrapped) {
	t.Helper()
	alg, digest := cryptotoken.GenerationTest(w.KeyType, w.Public)
	if _, err := tok.SignWrapped(context.Background(), w, alg, [][]byte{digest}); err != nil {
		t.Errorf("%s under %s: %v", w.KeyType, w.KEK, err)
	}
}
