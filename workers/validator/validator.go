// Package validator is a worker that judges signed documents (EN 319 102-1) and answers a
// report, for applications that get documents of others. It holds no key: no token, key
// or chain is configured for it.
//
// Properties: trust_anchors (PEM file; required; one that has ended stays in the list, for signatures that were
// made before, and is warned of), revocation (if_carried, the default, or
// required: what the file does not tell about revocation is TRY_LATER), level (B-B, B-T,
// B-LT or B-LTA: signatures below it do not pass; default none), signature_policies (documents of signature policies, each
// FILE or ID=FILE with the policy's OID or URI, separated by commas: then a signature passes that names no policy or one of these,
// by the digest that was signed; default none, and what a signature names is reported as not checked), parts (identifiers of elements of XML, separated
// by commas, besides those of a request: a document passes only if a valid signature covers each, and a signature over one of them
// passes though it leaves out the rest; default none: what nobody signed is in doubt).
//
// Nothing is fetched from the net. The report is internal/validate's, in JSON; its schema
// is named in it.
package validator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/sigpolicy"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/workers"
)

// longest bounds the judging of one document; the reader's limits end it before for all
// but the largest files.
const longest = 2 * time.Minute

// Kind is this package's entry in the table of kinds.
func Kind() workers.Kind {
	return workers.Kind{New: build, Properties: []string{"trust_anchors", "revocation", "level", "signature_policies", "parts"}, Keyless: true}
}

// worker implements workers.Validator.
type worker struct {
	opt validate.Options
	now func() time.Time
}

func build(_ context.Context, env workers.Env) (any, error) {
	p := env.Config.Properties
	if p["trust_anchors"] == "" {
		return nil, fmt.Errorf("%w: trust_anchors is required: without any nobody vouches for a name", workers.ErrConfig)
	}
	anchors, err := certs.LoadPEM(p["trust_anchors"])
	if err != nil {
		return nil, fmt.Errorf("%w: trust_anchors: %w", workers.ErrConfig, err)
	}
	for _, c := range anchors {
		if env.Now().After(c.NotAfter) {
			env.Warn(fmt.Sprintf("trust_anchors: %s ended on %s; it vouches only for what a time-stamp proves to be older", c.Subject, c.NotAfter.UTC().Format(time.DateOnly)))
		}
	}
	w := &worker{opt: validate.Options{Anchors: anchors, Revocation: validate.Revocation(p["revocation"]), Level: p["level"]}, now: env.Now}
	for _, id := range strings.Split(p["parts"], ",") {
		if id = strings.TrimSpace(id); id != "" {
			w.opt.Parts = append(w.opt.Parts, id)
		}
	}
	if v := p["signature_policies"]; v != "" {
		if w.opt.Policies, err = sigpolicy.Load(strings.Split(v, ",")); err != nil {
			return nil, fmt.Errorf("%w: signature_policies: %w", workers.ErrConfig, err)
		}
	}
	if err := w.opt.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrConfig, err)
	}
	return w, nil
}

// Validate implements workers.Validator.
func (w *worker) Validate(ctx context.Context, name string, doc io.ReaderAt, size int64, parts []string, beside ...workers.Beside) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	opt := w.opt
	opt.Now = w.now()
	opt.Parts = slices.Clone(w.opt.Parts)
	for _, id := range parts {
		if !slices.Contains(opt.Parts, id) {
			opt.Parts = append(opt.Parts, id)
		}
	}
	for _, b := range beside {
		opt.Detached = append(opt.Detached, validate.Detached{Name: b.Name, ReaderAt: b.ReaderAt, Size: b.Size})
	}
	rep, err := validate.File(ctx, name, doc, size, opt)
	switch {
	case ctx.Err() != nil:
		return nil, errors.Join(ctx.Err(), err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", workers.ErrInput, err)
	}
	return json.Marshal(rep)
}
