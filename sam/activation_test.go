package sam

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap"
)

// noToken must not be reached.
type noToken struct {
	cryptotoken.Wrapper
	t *testing.T
}

func (n noToken) SignWrapped(context.Context, cryptotoken.Wrapped, algo.Algorithm, [][]byte) ([][]byte, error) {
	n.t.Error("the key was used")
	return nil, errors.New("used")
}

// SAP-10, SGN-05: the permission object: zero, nil, used, expired, for another
// credential, for other digests, for an unreserved session. None reaches the
// token, and each says that nothing started.
func TestPermissionObject(t *testing.T) {
	now := clock.NewFake(time.Unix(1_700_000_000, 0))
	m := &Module{clock: now, wrapper: noToken{t: t}}
	digest := sha256.Sum256([]byte("a"))
	valid := func() *activation {
		digests := [][]byte{digest[:]}
		return &activation{
			red:     &redemption{held: &holding{cred: &Credential{Public: []byte("pub")}}},
			session: &Activation{State: ActReserved, Digests: digestsHash("ES256", digests)},
			key:     cryptotoken.Wrapped{Public: []byte("pub")},
			alg:     algo.ES256, digests: digests, expires: now.Now().Add(activationLife),
		}
	}
	other := sha256.Sum256([]byte("b"))
	for name, make := range map[string]func() *activation{
		"nil":  func() *activation { return nil },
		"zero": func() *activation { return &activation{} },
		"used": func() *activation { a := valid(); a.used.Store(true); return a },
		"expired": func() *activation {
			a := valid()
			a.expires = now.Now()
			return a
		},
		"nothing":          func() *activation { a := valid(); a.red, a.session = nil, nil; return a },
		"no redemption":    func() *activation { a := valid(); a.red = nil; return a },
		"no session":       func() *activation { a := valid(); a.session = nil; return a },
		"other credential": func() *activation { a := valid(); a.key.Public = []byte("other"); return a },
		"other digest":     func() *activation { a := valid(); a.digests[0] = other[:]; return a },
		"more digests":     func() *activation { a := valid(); a.digests = append(a.digests, other[:]); return a },
		"no digests":       func() *activation { a := valid(); a.digests = nil; return a },
		"other algorithm":  func() *activation { a := valid(); a.alg = algo.RS256; return a },
		"only open":        func() *activation { a := valid(); a.session.State = ActOpen; return a },
		"consumed":         func() *activation { a := valid(); a.session.State = ActConsumed; return a },
	} {
		if _, err := m.sign(context.Background(), make()); !errors.Is(err, cryptotoken.ErrNotStarted) || !errors.Is(err, errNoActivation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The same object twice: the first call uses it up, even when it fails.
	m.wrapper = failing{}
	a := valid()
	if _, err := m.sign(context.Background(), a); errors.Is(err, errNoActivation) {
		t.Errorf("first use: %v", err)
	}
	m.wrapper = noToken{t: t}
	if _, err := m.sign(context.Background(), a); !errors.Is(err, errNoActivation) {
		t.Errorf("second use: %v", err)
	}
}

// SGN-03: as many signatures as digests, or none at all: a token that makes fewer would
// leave an approved item unsigned under an answer, and one that makes more signed
// something.
func TestSGN03AsManySignaturesAsDigests(t *testing.T) {
	now := clock.NewFake(time.Unix(1_700_000_000, 0))
	digests := [][]byte{make([]byte, 32), append(make([]byte, 31), 1)}
	for n := range 4 {
		if n == 2 {
			continue
		}
		m := &Module{clock: now, wrapper: answering{sigs: make([][]byte, n)}}
		a := &activation{
			red:     &redemption{held: &holding{cred: &Credential{Public: []byte("pub")}}},
			session: &Activation{State: ActReserved, Digests: digestsHash("ES256", digests)},
			key:     cryptotoken.Wrapped{Public: []byte("pub")},
			alg:     algo.ES256, digests: digests, expires: now.Now().Add(time.Nanosecond),
		}
		sigs, err := m.sign(context.Background(), a)
		if !errors.Is(err, sap.ReasonSignatureCheck) || sigs != nil {
			t.Errorf("%d signatures for 2 digests: %d came out, %v", n, len(sigs), err)
		}
	}
}

type answering struct {
	cryptotoken.Wrapper
	sigs [][]byte
}

func (a answering) SignWrapped(context.Context, cryptotoken.Wrapped, algo.Algorithm, [][]byte) ([][]byte, error) {
	return a.sigs, nil
}

// ROL-04: one person under two spellings of an id is one person: case and everything
// that is no letter or digit do not count, letters and digits do.
func TestROL04SpellingsOfAPerson(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"anna.berger", "Anna-Berger", true}, {"anna", "a n n a", true}, {"anna09", "ANNA_09", true}, {"az", "A.Z", true}, {"a0", "a:0/", true},
		{"a{b", "ab", true}, {"a`b", "ab", true},
		{"anna1", "anna2", false}, {"anna9", "anna", false}, {"anna0", "anna", false}, {"za", "a", false}, {"az", "a", false}, {"ab", "b", false},
	} {
		if samePerson(c.a, c.b) != c.same {
			t.Errorf("%q and %q: %v", c.a, c.b, !c.same)
		}
	}
}

type failing struct{ cryptotoken.Wrapper }

func (failing) SignWrapped(context.Context, cryptotoken.Wrapped, algo.Algorithm, [][]byte) ([][]byte, error) {
	return nil, errors.New("fails")
}

// FuzzName: names parse or are refused; what parses has the same name again.
func FuzzName(f *testing.F) {
	for _, s := range []string{"CN=a", `CN=a\2c b,O=c\, d`, "cn= x ,C=AT", "CN=ä,SN=b", "CN=#04", "CN=a+b", "=", `CN=\`, "CN=a,,O=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		der, err := parseName(text)
		if err != nil {
			return
		}
		if !sameName(der, der) {
			t.Errorf("%q gives DER %x that is not its own name", text, der)
		}
	})
}
