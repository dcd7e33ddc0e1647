package revocation

import (
	"bytes"
	"crypto"
	"errors"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pkix"
	. "github.com/assent-sign/assent/internal/pkix/pkixtest"
)

// known tells whether an error is of a kind that callers can tell.
func known(err error) bool {
	return errors.Is(err, ErrMalformed) || errors.Is(err, ErrLimit) || errors.Is(err, ErrRefused)
}

// FuzzCRL: any octets are a list or an error; a list that nobody trusted signed
// decides nothing.
func FuzzCRL(f *testing.F) {
	w := newWorld(f)
	f.Add(w.list(w.ca, nil, w.end, w.responder).Raw)
	f.Add(w.list(w.ca, place("http://a.example/")).Raw)
	mallory := Make(f, "issuing", nil, CA) // of the same name: what the authority signed is not hers
	p := &pkix.Path{Chain: []*pkix.Certificate{Make(f, "end", mallory, nil).Certificate, mallory.Certificate}}
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := ParseCRL(in)
		if err != nil {
			if !known(err) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if _, err := c.find(w.end.Certificate); err != nil {
			t.Fatalf("entries read once and not twice: %v", err)
		}
		k, err := New(Config{At: c.ThisUpdate.Add(time.Second), CRLs: []*CRL{c}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Check(t.Context(), p); !errors.Is(err, ErrUndetermined) {
			t.Fatal(err)
		}
	})
}

// FuzzResponse: any octets are a response or an error; one that the authority did
// not sign decides nothing.
func FuzzResponse(f *testing.F) {
	w := newWorld(f)
	good, err := w.good([]byte("nonce")).sign(w.responder.Key)
	if err != nil {
		f.Fatal(err)
	}
	a := w.good(nil)
	revoke(Now)(a)
	revoked, err := a.sign(w.responder.Key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(revoked)
	f.Add(refuse(6))
	mallory := Make(f, "issuing", nil, CA)
	end := Make(f, "end", mallory, nil)
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := ParseResponse(in)
		if err != nil {
			if !known(err) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		for i := range r.singles { // about the certificate in question, whatever it says
			r.singles[i].id = idOf(end.Certificate, mallory.Certificate, crypto.SHA1)
		}
		k, err := New(Config{At: r.ProducedAt, Responses: []*Response{r}})
		if err != nil {
			t.Fatal(err)
		}
		p := &pkix.Path{Chain: []*pkix.Certificate{end.Certificate, mallory.Certificate}}
		if _, err := k.Check(t.Context(), p); !errors.Is(err, ErrUndetermined) {
			t.Fatal(err)
		}
	})
}

// FuzzRequest: any octets are answered with a response that can be read, and never
// with good about a certificate that is not known.
func FuzzRequest(f *testing.F) {
	w := newWorld(f)
	for _, nonce := range [][]byte{nil, []byte("nonce")} {
		in, err := MarshalRequest(w.end.Certificate, w.ca.Certificate, crypto.SHA256, nonce)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(in)
	}
	r := &Responder{
		Issuer: w.ca.Certificate, Certificate: w.ca.Certificate, Key: w.ca.Key, Clock: func() time.Time { return Now },
		Lookup: func(string) (Record, bool) { return Record{}, false },
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out := r.Respond(in)
		got, err := ParseResponse(out)
		if err != nil {
			if !errors.Is(err, ErrRefused) || bytes.Equal(out, refuse(2)) {
				t.Fatal(err)
			}
			return
		}
		for _, x := range got.singles {
			if x.status != statusUnknown {
				t.Fatal("known")
			}
		}
	})
}
