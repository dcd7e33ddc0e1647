package workers

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
)

// What a throw-away key proves is proven once for each kind of key and algorithm;
// a failure is reported every time and never remembered as success.
func TestRehearserProvesEachPairOnce(t *testing.T) {
	leaf := func(kt algo.KeyType) *x509.Certificate {
		made, err := makeThrowAway(rand.Reader, kt)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(made.cert)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	p256, rsa := leaf(algo.P256), leaf(algo.RSA2048)
	r := NewRehearser(rand.Reader)
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
