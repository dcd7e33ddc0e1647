package workers

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"sync"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
)

// What a throw-away key proves is proven once for each kind of key and algorithm;
// a failure is reported every time and never remembered as success.
func TestRehearserProvesEachPairOnce(t *testing.T) {
	leaf := func(kt algo.KeyType) *x509.Certificate {
		_, made, err := makeThrowAway(rand.Reader, kt)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(made)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	p256, rsa := leaf(algo.P256), leaf(algo.RSA2048)
	r := NewRehearser(NewThrowAways(rand.Reader))
	calls, broken := 0, errors.New("broken")
	run := func(c *x509.Certificate, alg algo.Algorithm, result error) error {
		return r.Once(c, alg, func(key crypto.Signer, der []byte) error {
			calls++
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				return err
			}
			kt, err := algo.KeyTypeOf(cert.PublicKey)
			want, err2 := algo.KeyTypeOf(c.PublicKey)
			pub, ok := key.Public().(interface{ Equal(x crypto.PublicKey) bool })
			if err != nil || err2 != nil || kt != want || !ok || !pub.Equal(cert.PublicKey) || pub.Equal(c.PublicKey) {
				t.Errorf("the throw-away key is %v, of the certificate %v", kt, want)
			}
			return result
		})
	}
	for i, step := range []struct {
		leaf  *x509.Certificate
		alg   algo.Algorithm
		fail  error
		calls int
	}{
		{p256, algo.ES256, broken, 1},
		{p256, algo.ES256, broken, 2},
		{p256, algo.ES256, nil, 3},
		{p256, algo.ES256, broken, 3},
		{leaf(algo.P256), algo.ES256, broken, 3},
		{rsa, algo.RS256, nil, 4},
		{rsa, algo.PS256, broken, 5},
		{rsa, algo.PS256, nil, 6},
		{rsa, algo.RS256, broken, 6},
	} {
		before := calls
		err := run(step.leaf, step.alg, step.fail)
		want := step.fail
		if calls == before {
			want = nil
		}
		if calls != step.calls || !errors.Is(err, want) || want != nil && !errors.Is(err, ErrRehearsal) {
			t.Errorf("step %d: %d calls, %v", i, calls, err)
		}
	}
}

// Rehearsers that share keys have one key of a kind made, even if they need it at once, and each proves for itself. A
// kind that none can be made of is told every time.
func TestRehearsersShareKeys(t *testing.T) {
	_, made, err := makeThrowAway(rand.Reader, algo.RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(made)
	if err != nil {
		t.Fatal(err)
	}
	keys := NewThrowAways(rand.Reader)
	used := make([]crypto.Signer, 3)
	var wait sync.WaitGroup
	for i := range used {
		wait.Go(func() {
			err := NewRehearser(keys).Once(leaf, algo.PS256, func(key crypto.Signer, _ []byte) error {
				used[i] = key
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for i, key := range used {
		if key == nil || key != used[0] {
			t.Errorf("rehearser %d signed with %p, the first with %p", i, key, used[0])
		}
	}
	for range 2 {
		if _, err := keys.of("RSA-1"); !errors.Is(err, algo.ErrUnknown) {
			t.Errorf("a kind of key that there is none of: %v", err)
		}
	}
}

// All workers of a set rehearse with the same throw-away keys: those that its builder gives, or some of its own.
func TestWorkersOfASetShareThrowAwayKeys(t *testing.T) {
	given := NewThrowAways(rand.Reader)
	for _, opt := range []Options{{ThrowAways: given}, {Random: rand.Reader}} {
		var seen []*ThrowAways
		opt.Kinds = map[string]Kind{"k": {Keyless: true, New: func(_ context.Context, env Env) (any, error) {
			seen = append(seen, env.ThrowAways)
			return nil, nil
		}}}
		if _, err := NewSet(t.Context(), []Config{{Name: "a", Kind: "k"}, {Name: "b", Kind: "k"}}, opt); err != nil {
			t.Fatal(err)
		}
		if seen[0] == nil || seen[0] != seen[1] || opt.ThrowAways != nil && seen[0] != given {
			t.Errorf("keys %p and %p of the set's workers, given %p", seen[0], seen[1], opt.ThrowAways)
		}
	}
}
