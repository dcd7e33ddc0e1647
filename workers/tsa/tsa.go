// Package tsa is a time-stamp authority as a worker (RFC 3161, EN 319 422): it
// answers requests over HTTP (Handler) and stamps for other workers of the same
// process, with every check that a remote answer would get. It also adapts a
// remote authority to what workers need.
//
// Properties: policy (OID of tokens; required), policies (further OIDs that a
// request may name, separated by blanks), accuracy (a duration such as 1s;
// default: none stated).
package tsa

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/workers"
)

// Kind is this package's entry in the table of kinds.
func Kind() workers.Kind {
	return workers.Kind{New: build, Properties: []string{"policy", "policies", "accuracy"}}
}

// Worker is a time-stamp authority: a workers.Processor and a workers.Stamper.
type Worker struct {
	responder *tsp.Responder
	local     *tsp.InProcess
}

func build(_ context.Context, env workers.Env) (any, error) {
	if env.Activation {
		return nil, fmt.Errorf("%w: a time-stamp authority needs a token that signs at once", workers.ErrConfig)
	}
	policies, err := parsePolicies(env.Config.Properties)
	if err != nil {
		return nil, err
	}
	var accuracy time.Duration
	if v := env.Config.Properties["accuracy"]; v != "" {
		if accuracy, err = time.ParseDuration(v); err != nil || accuracy <= 0 {
			return nil, fmt.Errorf("%w: accuracy: want a duration such as 1s, got %q", workers.ErrConfig, v)
		}
	}
	r := &tsp.Responder{
		Signer: env.Signer, Alg: env.Signer.KeyType().Default(), Chain: env.Chain, Policy: policies[0], Policies: policies[1:],
		Accuracy: accuracy, Clock: env.Now, Serial: serial,
	}
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrConfig, err)
	}
	chain, err := certs.ParseChain(env.Chain)
	if err != nil {
		return nil, fmt.Errorf("%w: chain: %w", workers.ErrConfig, err)
	}
	// The configured chain is what this process trusts of its own authority.
	return &Worker{r, &tsp.InProcess{Authority: r, Anchors: chain[len(chain)-1:], Clock: env.Now}}, nil
}

// serial draws 128 random bits; the first is 0 and the number is not.
func serial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return n.Add(n, big.NewInt(1)), nil
}

func parsePolicies(p map[string]string) ([]asn1.ObjectIdentifier, error) {
	var out []asn1.ObjectIdentifier
	for _, s := range append([]string{p["policy"]}, strings.Fields(p["policies"])...) {
		oid, err := parseOID(s)
		if err != nil {
			return nil, fmt.Errorf("%w: policy: %w", workers.ErrConfig, err)
		}
		out = append(out, oid)
	}
	return out, nil
}

func parseOID(s string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for _, part := range strings.Split(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("want an object identifier such as 1.3.6.1.4.1.99999.1, got %q", s)
		}
		oid = append(oid, n)
	}
	if len(oid) < 3 {
		return nil, fmt.Errorf("object identifier %q is too short", s)
	}
	return oid, nil
}

// Process implements workers.Processor. A rejection is an answer, not an error.
func (w *Worker) Process(ctx context.Context, request []byte) ([]byte, string, error) {
	resp, err := w.responder.Respond(ctx, request)
	if len(resp) == 0 {
		return nil, "", err
	}
	return resp, tsp.ReplyType, nil
}

// Handler serves the authority over HTTP. observe, which may be nil, is told of
// every rejection.
func (w *Worker) Handler(observe func(error)) http.Handler { return tsp.Handler(w.responder, observe) }

// Stamp implements workers.Stamper.
func (w *Worker) Stamp(ctx context.Context, h crypto.Hash, imprint []byte) ([]byte, time.Time, error) {
	token, info, err := w.local.Stamp(ctx, h, imprint)
	return token, info.Time, err
}

// Remote is a workers.Stamper on one or more authorities over HTTP, tried in
// turn; every answer passes the checks of internal/tsp or is not used.
type Remote struct{ clients tsp.Stamper }

// NewRemote returns a stamper for a list of URLs separated by blanks. anchors
// are the certificates that their chains must lead to. onFailure, which may be
// nil, is told of every authority that failed.
func NewRemote(urls string, anchors []*x509.Certificate, onFailure func(error)) (*Remote, error) {
	var list []tsp.Stamper
	for _, u := range strings.Fields(urls) {
		if !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") {
			return nil, fmt.Errorf("%w: time-stamp authority %q is no http or https address", workers.ErrConfig, u)
		}
		list = append(list, &tsp.Client{URL: u, Anchors: anchors})
	}
	if len(list) == 0 || len(anchors) == 0 {
		return nil, fmt.Errorf("%w: a remote time-stamp authority needs an address and trusted certificates", workers.ErrConfig)
	}
	return &Remote{&tsp.Clients{List: list, OnFailure: onFailure}}, nil
}

// Stamp implements workers.Stamper.
func (r *Remote) Stamp(ctx context.Context, h crypto.Hash, imprint []byte) ([]byte, time.Time, error) {
	token, info, err := r.clients.Stamp(ctx, h, imprint)
	return token, info.Time, err
}
