package workers

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
)

// Config configures one worker. Its Properties are the kind's own; a property
// that the kind does not know is an error, as is a worker or token that does
// not exist.
type Config struct {
	Name       string            `yaml:"name"`       // unique; letters, digits, . _ -
	Kind       string            `yaml:"kind"`       // a name of the kind table
	Token      string            `yaml:"token"`      // name of a configured token
	Key        string            `yaml:"key"`        // key label in a plain token; "" with an activation token
	Chain      string            `yaml:"chain"`      // PEM file with the key's certificate chain, leaf first; "" with an activation token
	Properties map[string]string `yaml:"properties"` // see the kind's package; names that SignServer has for them are understood too
}

// Kind makes workers of one kind.
type Kind struct {
	New        func(ctx context.Context, env Env) (any, error) // a Worker, a Processor, a Validator, or several of them
	Properties []string                                        // names that are allowed
	Keyless    bool                                            // it uses no key: token, key and chain must not be given
}

// Env is what a kind gets to build a worker from.
type Env struct {
	Config     Config
	Activation bool               // the token signs only with a signer's approval
	Signer     cryptotoken.Signer // nil with an activation token
	Chain      [][]byte           // DER, leaf first; nil with an activation token
	Now        func() time.Time
	Random     io.Reader                          // for serial numbers
	ThrowAways *ThrowAways                        // for rehearsals
	Stamper    func(name string) (Stamper, error) // another worker of the set that stamps, an http(s) URL, or several, tried in order
	Warn       func(text string)                  // tells the operator of what is legal and may not be meant; never nil
}

// Processor is a worker that answers a request at once, such as a TSA.
type Processor interface {
	Process(ctx context.Context, request []byte) (response []byte, mime string, err error)
}

// Info describes a configured worker.
type Info struct {
	Name       string            `json:"name"`
	Kind       string            `json:"kind"`
	Token      string            `json:"token"`
	Activation bool              `json:"activation"` // a signer must approve each use
	Properties map[string]string `json:"properties"`
}

// Entry is a worker of a set. What the worker is not is nil.
type Entry struct {
	Info      Info
	Worker    Worker
	Processor Processor
	Validator Validator
	Signer    cryptotoken.Signer
	Chain     [][]byte
}

// Options are what a set is built with.
type Options struct {
	Kinds     map[string]Kind
	Tokens    map[string]cryptotoken.Token
	LoadChain func(path string) ([][]byte, error)
	// HTTPStamper returns a client of an external TSA; nil when none is allowed.
	HTTPStamper func(url string) (Stamper, error)
	// StampFailure, which may be nil, is told of every authority of a list that failed.
	StampFailure func(error)
	// Warn, which may be nil, is told what is legal in a worker's configuration and may not be meant.
	Warn   func(worker, text string)
	Now    func() time.Time
	Random io.Reader
	// ThrowAways are the keys of rehearsals; nil for some of this set's own, drawn from Random.
	ThrowAways *ThrowAways
}

// Set is the configured workers by name.
type Set struct {
	entries map[string]*Entry
}

// NewSet builds all workers or none. The error names every worker that is
// wrong and why, so that an operator mends a file in one go.
func NewSet(ctx context.Context, cfgs []Config, opt Options) (*Set, error) {
	s := &Set{entries: make(map[string]*Entry, len(cfgs))}
	if opt.ThrowAways == nil {
		opt.ThrowAways = NewThrowAways(opt.Random)
	}
	cfgs, errs := withOurNames(cfgs)
	for _, c := range sortedByNeed(cfgs) {
		if err := s.add(ctx, c, opt); err != nil {
			errs = append(errs, fmt.Errorf("worker %q: %w", c.Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// sortedByNeed puts workers that name another worker (tsa: worker:NAME) after
// those that do not.
func sortedByNeed(cfgs []Config) []Config {
	out := slices.Clone(cfgs)
	sort.SliceStable(out, func(i, j int) bool { return !needsWorker(out[i]) && needsWorker(out[j]) })
	return out
}

func needsWorker(c Config) bool {
	for _, v := range c.Properties {
		if slices.ContainsFunc(strings.Fields(v), func(w string) bool { return strings.HasPrefix(w, workerPrefix) }) {
			return true
		}
	}
	return false
}

const workerPrefix = "worker:"

// Check tells what can be told of a configuration without opening a token: names, kinds
// and properties of all workers, and all about those of kinds that use no key.
func Check(ctx context.Context, cfgs []Config, opt Options) error {
	s := &Set{entries: make(map[string]*Entry, len(cfgs))}
	cfgs, errs := withOurNames(cfgs)
	for _, c := range cfgs {
		kind, err := s.kind(c, opt)
		if err == nil && kind.Keyless {
			err = s.add(ctx, c, opt)
		}
		s.entries[c.Name] = &Entry{}
		if err != nil {
			errs = append(errs, fmt.Errorf("worker %q: %w", c.Name, err))
		}
	}
	return errors.Join(errs...)
}

// kind finds the kind of a worker and holds its name and properties against it.
func (s *Set) kind(c Config, opt Options) (Kind, error) {
	if !sap.ValidID(c.Name) {
		return Kind{}, fmt.Errorf("%w: name may have letters, digits, . _ -", ErrConfig)
	}
	if _, ok := s.entries[c.Name]; ok {
		return Kind{}, fmt.Errorf("%w: name is used twice", ErrConfig)
	}
	kind, ok := opt.Kinds[c.Kind]
	if !ok {
		return Kind{}, fmt.Errorf("%w: kind %q is not known (known are: %s)", ErrConfig, c.Kind, strings.Join(slices.Sorted(maps.Keys(opt.Kinds)), ", "))
	}
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(c.Properties)) {
		if !slices.Contains(kind.Properties, name) {
			unknown = append(unknown, strconv.Quote(name))
		}
	}
	if len(unknown) > 0 {
		return Kind{}, fmt.Errorf("%w: kind %s has no property %s (it has: %s)", ErrConfig, c.Kind, strings.Join(unknown, ", "), strings.Join(kind.Properties, ", "))
	}
	return kind, nil
}

func (s *Set) add(ctx context.Context, c Config, opt Options) error {
	kind, err := s.kind(c, opt)
	if err != nil {
		return err
	}
	env, err := s.env(ctx, c, kind, opt)
	if err != nil {
		return err
	}
	w, err := kind.New(ctx, env)
	if err != nil {
		return err
	}
	e := &Entry{Info: Info{c.Name, c.Kind, c.Token, env.Activation, c.Properties}, Signer: env.Signer, Chain: env.Chain}
	e.Worker, _ = w.(Worker)
	e.Processor, _ = w.(Processor)
	e.Validator, _ = w.(Validator)
	s.entries[c.Name] = e
	return nil
}

func (s *Set) env(ctx context.Context, c Config, kind Kind, opt Options) (Env, error) {
	env := Env{Config: c, Now: opt.Now, Random: opt.Random, ThrowAways: opt.ThrowAways, Stamper: func(name string) (Stamper, error) { return s.stamper(name, opt) },
		Warn: func(text string) {
			if opt.Warn != nil {
				opt.Warn(c.Name, text)
			}
		}}
	if kind.Keyless {
		if c.Token != "" || c.Key != "" || c.Chain != "" {
			return env, fmt.Errorf("%w: kind %s uses no key; token, key and chain must not be given", ErrConfig, c.Kind)
		}
		return env, nil
	}
	tok, ok := opt.Tokens[c.Token]
	if !ok {
		return env, fmt.Errorf("%w: token %q is not configured", ErrConfig, c.Token)
	}
	info, err := tok.Info(ctx)
	if err != nil {
		return env, fmt.Errorf("token %q: %w", c.Token, err)
	}
	env.Activation = info.Activation
	if info.Activation {
		if c.Key != "" || c.Chain != "" {
			return env, fmt.Errorf("%w: token %q belongs to signers; key and chain come with each request", ErrConfig, c.Token)
		}
		return env, nil
	}
	if env.Signer, err = tok.Signer(ctx, cryptotoken.KeyRef{Label: c.Key}); err != nil {
		return env, fmt.Errorf("key %q of token %q: %w", c.Key, c.Token, err)
	}
	if env.Chain, err = opt.LoadChain(c.Chain); err != nil {
		return env, fmt.Errorf("chain: %w", err)
	}
	return env, checkChain(env.Chain, env.Signer)
}

func (s *Set) oneStamper(name string, opt Options) (Stamper, error) {
	if rest, ok := strings.CutPrefix(name, workerPrefix); ok {
		e, ok := s.entries[rest]
		if !ok {
			return nil, fmt.Errorf("%w: %q", ErrNotFound, rest)
		}
		st, ok := e.Processor.(Stamper)
		if !ok {
			return nil, fmt.Errorf("%w: worker %q does not stamp", ErrConfig, rest)
		}
		return st, nil
	}
	if opt.HTTPStamper == nil {
		return nil, fmt.Errorf("%w: no external time-stamp authority is allowed here", ErrConfig)
	}
	return opt.HTTPStamper(name)
}

// Get returns a worker by name. ErrNotFound.
func (s *Set) Get(name string) (*Entry, error) {
	e, ok := s.entries[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	return e, nil
}

// List returns all workers by name.
func (s *Set) List() []Info {
	out := make([]Info, 0, len(s.entries))
	for _, e := range s.entries {
		out = append(out, e.Info)
	}
	slices.SortFunc(out, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// SignNow prepares, signs and finishes with a worker whose token signs at
// once. ErrNeedSigner for a worker whose token belongs to signers: there is no
// way around the person.
func SignNow(ctx context.Context, e *Entry, in Input, out Output) (*Result, error) {
	if e.Info.Activation || e.Signer == nil {
		return nil, fmt.Errorf("%w: %q", ErrNeedSigner, e.Info.Name)
	}
	if e.Worker == nil {
		return nil, fmt.Errorf("%w: worker %q takes no documents", ErrInput, e.Info.Name)
	}
	in.Chain, in.AtOnce = e.Chain, true
	if in.Alg == 0 {
		in.Alg = e.Signer.KeyType().Default()
	}
	p, err := e.Worker.Prepare(ctx, in, unsynced{out})
	if err != nil {
		return nil, err
	}
	sig, err := e.Signer.Sign(rand.Reader, p.DTBSR, in.Alg.SignerOpts())
	if err != nil {
		return nil, fmt.Errorf("sign with worker %q: %w", e.Info.Name, err)
	}
	return e.Worker.Finish(ctx, p, sig, out)
}

// unsynced is a file that nobody will take up again after a crash: while it is
// only prepared, and its state is in no store, the disk need not have it.
type unsynced struct{ Output }

func (unsynced) Sync() error { return nil }

// CheckSignature verifies a signature value over a prepared digest with the
// certificate that the container was built around. ErrSignature.
func CheckSignature(p *Prepared, sig []byte) error {
	if len(p.Chain) == 0 {
		return fmt.Errorf("%w: no certificate", ErrState)
	}
	cert, err := x509.ParseCertificate(p.Chain[0])
	if err != nil {
		return fmt.Errorf("%w: certificate: %w", ErrState, err)
	}
	if err := algo.Verify(cert.PublicKey, p.Alg, p.DTBSR, sig); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}

// checkChain refuses a chain whose leaf is not for the key.
func checkChain(chain [][]byte, key cryptotoken.Signer) error {
	if len(chain) == 0 {
		return fmt.Errorf("%w: chain is empty", ErrConfig)
	}
	cert, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return fmt.Errorf("%w: chain: %w", ErrConfig, err)
	}
	pub, ok := key.Public().(interface{ Equal(x crypto.PublicKey) bool })
	if !ok || !pub.Equal(cert.PublicKey) {
		return fmt.Errorf("%w: the first certificate of the chain is not for the key", ErrConfig)
	}
	return nil
}
