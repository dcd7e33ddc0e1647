package workers_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/tsa"
	"github.com/assent-sign/assent/workers/workertest"
)

// deaf is an authority that does not answer.
type deaf struct{ name string }

func (d deaf) Stamp(context.Context, crypto.Hash, []byte) ([]byte, time.Time, error) {
	return nil, time.Time{}, errors.New("no answer from " + d.name)
}

// ADE-03: authorities are tried in the order of the property, each failure is told,
// and when none helps there is an error with every cause and no time-stamp.
func TestADE03AuthoritiesAreTriedInOrder(t *testing.T) {
	p := workertest.NewPKI(t)
	_, _, chain := p.Key(t, "tsa", algo.P256, certs.TSAProfile)
	var told []string
	var got workers.Stamper
	var failed error
	asks := workers.Kind{Properties: []string{"tsa"}, Keyless: true, New: func(_ context.Context, env workers.Env) (any, error) {
		got, failed = env.Stamper(env.Config.Properties["tsa"])
		return nil, failed
	}}
	opt := p.Options(map[string]workers.Kind{"tsa": tsa.Kind(), "asks": asks}, nil)
	opt.HTTPStamper = func(url string) (workers.Stamper, error) { return deaf{url}, nil }
	opt.StampFailure = func(err error) { told = append(told, err.Error()) }
	set := func(property string) error {
		told = nil
		_, err := workers.NewSet(t.Context(), []workers.Config{
			{Name: "asking", Kind: "asks", Properties: map[string]string{"tsa": property}},
			{Name: "own", Kind: "tsa", Token: "local", Key: "tsa", Chain: chain, Properties: map[string]string{"policy": "1.3.6.1.4.1.99999.1.1"}},
		}, opt)
		return err
	}
	imprint := sha256.Sum256([]byte("x"))
	for property, failures := range map[string]int{"worker:own": 0, "worker:own http://a.example": 0, "http://a.example worker:own": 1, "http://a.example http://b.example worker:own": 2} {
		if err := set(property); err != nil {
			t.Fatalf("%s: %v", property, err)
		}
		token, at, err := got.Stamp(t.Context(), crypto.SHA256, imprint[:])
		if err != nil || len(token) == 0 || at.IsZero() || len(told) != failures {
			t.Errorf("%s: %d bytes, %v, told %q", property, len(token), err, told)
		}
	}
	if err := set("http://a.example http://b.example"); err != nil {
		t.Fatal(err)
	}
	token, _, err := got.Stamp(t.Context(), crypto.SHA256, imprint[:])
	if err == nil || token != nil || !strings.Contains(err.Error(), "http://a.example") || !strings.Contains(err.Error(), "http://b.example") || len(told) != 2 {
		t.Errorf("%d bytes, %v, told %q", len(token), err, told)
	}
	if err := set("http://a.example worker:none"); !errors.Is(err, workers.ErrNotFound) {
		t.Errorf("a worker that is not there: %v", err)
	}
}
