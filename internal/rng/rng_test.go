package rng_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/rng"
)

type constant byte

func (c constant) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(c)
	}
	return len(b), nil
}

// biased is random, but every eighth byte is 7.
type biased struct{}

func (biased) Read(b []byte) (int, error) {
	_, _ = rand.Read(b)
	for i := 0; i < len(b); i += 8 {
		b[i] = 7
	}
	return len(b), nil
}

// cycle repeats few values, never one twice in a row.
type cycle struct{ n byte }

func (c *cycle) Read(b []byte) (int, error) {
	for i := range b {
		c.n = (c.n + 1) % 16
		b[i] = c.n
	}
	return len(b), nil
}

// KEY-11: a source that stands still, repeats, prefers a value, ends or fails is
// found, says by which test, gives zeros and stays failed.
func TestKEY11HealthTests(t *testing.T) {
	for name, c := range map[string]struct {
		from io.Reader
		say  string
	}{
		"zeros":  {constant(0), "repetition"},
		"ones":   {constant(0xff), "repetition"},
		"cycle":  {&cycle{}, "proportion"},
		"biased": {biased{}, "proportion"},
		"ended":  {bytes.NewReader([]byte{1, 2, 3}), "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			s := rng.New(c.from)
			err := s.Test()
			if !errors.Is(err, rng.ErrHealth) || !strings.Contains(err.Error(), c.say) {
				t.Fatalf("got %v", err)
			}
			b := []byte{1, 2, 3, 4}
			if err := s.Fill(b); !errors.Is(err, rng.ErrHealth) || !bytes.Equal(b, make([]byte, 4)) {
				t.Errorf("used again: %v, %x", err, b)
			}
			if n, err := s.Read(b); n != 0 || err == nil {
				t.Errorf("read %d, %v", n, err)
			}
		})
	}
}

// KEY-11: the tests are continuous: a good source that stops in the middle of its
// life, also across small draws, is found within the limit.
func TestKEY11ContinuousAcrossDraws(t *testing.T) {
	good := make([]byte, 4096)
	_, _ = rand.Read(good)
	s := rng.New(io.MultiReader(bytes.NewReader(good), constant(9)))
	if err := s.Fill(make([]byte, len(good))); err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		if err := s.Fill(make([]byte, 1)); err != nil {
			if i < 4 {
				t.Errorf("failed after %d bytes already: %v", i+1, err)
			}
			return
		}
	}
	t.Error("eight equal bytes in a row went out")
}

// The machine's source passes, a million bytes long.
func TestGoodSourcePasses(t *testing.T) {
	s := rng.New(rand.Reader)
	if err := errors.Join(s.Test(), s.Fill(make([]byte, 1<<20))); err != nil {
		t.Error(err)
	}
}
