package pkcs11

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// Token is an open token of a PKCS #11 module. It implements Token, Named,
// Wrapper, Sealer, Prober and Rotator of package cryptotoken, and is safe for
// concurrent use; as many calls run at once as there are children, further ones wait.
type Token struct {
	cfg     Config
	pool    *pool
	ident   atomic.Pointer[cryptotoken.Identity]
	dev     string // why it is for development only, empty when it is not
	uses    atomic.Uint64
	wrapped atomic.Uint64 // of them, uses of wrapped keys

	keysMu sync.Mutex
	keys   map[string]*signer

	epochs epochs
	kekMu  sync.Mutex // one change of wrapping keys at a time
}

var (
	_ cryptotoken.Token   = (*Token)(nil)
	_ cryptotoken.Named   = (*Token)(nil)
	_ cryptotoken.Wrapper = (*Token)(nil)
	_ cryptotoken.Sealer  = (*Token)(nil)
	_ cryptotoken.Prober  = (*Token)(nil)
	_ cryptotoken.Rotator = (*Token)(nil)
)

// Open starts the children and runs the self-test. ErrInvalidInput for a bad
// configuration, ErrLocked for a wrong PIN (tried once), ErrUnavailable when
// module or token cannot be reached, ErrKeyNotFound for a token without its own
// keys (see Init), ErrSelfTest for a token that failed, with ErrDevelopment when
// Config.Development would accept it.
func Open(cfg Config) (*Token, error) {
	t, err := connect(cfg)
	if err != nil {
		return nil, err
	}
	found, err := t.selfTest(context.Background())
	if err == nil && len(found) > 0 && !t.cfg.Development {
		err = fmt.Errorf("pkcs11 %s: %w: %w: %s; whoever has the PIN and the database then has the signers' keys, so only the development flag accepts this token",
			t.cfg.Name, cryptotoken.ErrSelfTest, cryptotoken.ErrDevelopment, strings.Join(found, "; "))
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	if t.cfg.Development {
		t.dev = "the development flag is set"
		if len(found) > 0 {
			t.dev = strings.Join(found, "; ")
		}
		t.cfg.Log.Warn("pkcs11: token accepted for development only; signatures made with it have no legal standing",
			"token", t.cfg.Name, "model", t.model(), "reason", t.dev)
	}
	for range t.cfg.Children - 1 {
		t.pool.grow()
	}
	return t, nil
}

// Init makes the wrapping key and the seal key in a token that has neither.
// The token must be initialised and have a user PIN. ErrKeyExists otherwise: a
// second wrapping key would strand every key that is wrapped under the first.
func Init(ctx context.Context, cfg Config) error {
	t, err := connect(cfg)
	if err != nil {
		return err
	}
	_, err = t.do(ctx, call{req: message{kind: opInit}})
	return errors.Join(err, t.Close())
}

// connect starts the first child.
func connect(cfg Config) (*Token, error) {
	cfg.defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	pin := bytes.Clone(cfg.PIN)
	if len(pin) == 0 {
		if cfg.PINFile == "" {
			return nil, fmt.Errorf("pkcs11 %s: %w: neither PIN nor PINFile is set", cfg.Name, cryptotoken.ErrLocked)
		}
		var err error
		if pin, err = cryptotoken.ReadPINFile(cfg.PINFile); err != nil {
			return nil, err
		}
	}
	cfg.PIN = nil
	t := &Token{cfg: cfg, keys: map[string]*signer{}, epochs: epochs{live: map[int]bool{}, gone: map[int]bool{}}}
	mech, err := cfg.mechanism()
	if err != nil {
		return nil, err
	}
	t.pool = newPool(&t.cfg, func() (*worker, error) { return t.startWorker(pin, mech) })
	if err := t.pool.run(); err != nil {
		return nil, errors.Join(err, t.pool.close())
	}
	return t, nil
}

// startWorker starts a child and has it log in. Only the keeper calls it.
func (t *Token) startWorker(pin []byte, mech uint32) (*worker, error) {
	w, err := startWorker(&t.cfg)
	if err != nil {
		return nil, err
	}
	c := &t.cfg
	rep, err := w.call(message{kind: opHello, num: mech, fields: [][]byte{
		[]byte(c.Module), []byte(c.TokenLabel), []byte(c.Serial), pin, []byte(c.KEKLabel), []byte(c.SealLabel),
	}}, c.StartWait)
	if err == nil && rep.kind != statusOK {
		err = replyError(c.Name, rep)
	}
	if err == nil {
		err = t.learnEpochs(rep.fields[min(4, len(rep.fields)):])
	}
	if err != nil {
		w.kill()
		<-w.gone
		return nil, fmt.Errorf("pkcs11 %s: child does not start: %w", c.Name, err)
	}
	// Each child asks again: the device behind the library may have been changed.
	t.ident.Store(&cryptotoken.Identity{
		Manufacturer: string(rep.field(0)), Model: string(rep.field(1)), Serial: string(rep.field(2)), Firmware: string(rep.field(3)),
	})
	return w, nil
}

// call is a request with what the parent must know to send it.
type call struct {
	req    message
	signs  int           // signatures that may exist when the outcome is unknown
	extra  time.Duration // beyond the watchdog
	repeat bool          // harmless to do twice
}

// do runs a call on some worker. It counts key uses. A request that provably
// did not start is tried on another worker, so that a child which died, was
// recycled or lost its session costs no caller anything.
func (t *Token) do(ctx context.Context, c call) (message, error) {
	var last error
	for range 3 {
		w, err := t.pool.acquire(ctx)
		if err != nil {
			if last != nil {
				err = fmt.Errorf("%w (after %w)", err, last)
			}
			return message{}, err
		}
		rep, err := w.call(c.req, t.cfg.Watchdog+c.extra)
		switch {
		case errors.Is(err, errNotSent):
			t.pool.discard(w, false)
			last = cryptotoken.NotStarted(fmt.Errorf("pkcs11 %s: %w: %w", t.cfg.Name, cryptotoken.ErrUnavailable, err))
			continue
		case err != nil:
			t.count(c, uint64(c.signs))
			t.pool.discard(w, true)
			last = fmt.Errorf("pkcs11 %s: %w", t.cfg.Name, err)
			if c.repeat && !errors.Is(err, cryptotoken.ErrTimeout) {
				continue
			}
			return message{}, last
		}
		t.count(c, uint64(min(rep.num, uint32(c.signs))))
		if rep.kind == statusOK {
			t.pool.release(w, max(1, c.signs), rep.flags&flagRetire != 0)
			return rep, nil
		}
		last = replyError(t.cfg.Name, rep)
		if rep.kind != statusDevice {
			t.pool.release(w, 1, rep.flags&flagRetire != 0)
			return message{}, last
		}
		t.pool.discard(w, true)
		if rep.flags&flagNotStarted == 0 && !c.repeat {
			return message{}, last
		}
	}
	return message{}, last
}

// count adds key uses, those of wrapped keys also apart.
func (t *Token) count(c call, n uint64) {
	t.uses.Add(n)
	if c.req.kind == opGenerate || c.req.kind == opSign {
		t.wrapped.Add(n)
	}
}

// Info implements cryptotoken.Token.
func (t *Token) Info(ctx context.Context) (cryptotoken.Info, error) {
	if err := t.alive(ctx); err != nil {
		return cryptotoken.Info{}, err
	}
	return cryptotoken.Info{
		Driver: "pkcs11", Name: t.cfg.Name, Model: t.model(), Identity: *t.ident.Load(),
		Development: t.dev != "", Reason: t.dev, KeyUses: t.uses.Load(), WrappedUses: t.wrapped.Load(),
	}, nil
}

// model is a line for people.
func (t *Token) model() string {
	i := t.ident.Load()
	return fmt.Sprintf("%s %s, serial %s, firmware %s", i.Manufacturer, i.Model, i.Serial, i.Firmware)
}

func (t *Token) alive(ctx context.Context) error {
	select {
	case <-t.pool.closed:
		return cryptotoken.NotStarted(fmt.Errorf("pkcs11 %s: %w: it is closed", t.cfg.Name, cryptotoken.ErrUnavailable))
	default:
		return cryptotoken.Cancelled(ctx)
	}
}

// Close lets running calls end, stops all children and waits for them.
func (t *Token) Close() error { return t.pool.close() }

// Probe implements cryptotoken.Prober: the self-test of Open, again.
func (t *Token) Probe(ctx context.Context) error {
	found, err := t.selfTest(ctx)
	if err == nil && len(found) > 0 && !t.cfg.Development {
		err = fmt.Errorf("pkcs11 %s: %w: %s", t.cfg.Name, cryptotoken.ErrSelfTest, strings.Join(found, "; "))
	}
	return err
}

// selfTest returns what the module allowed and should not.
func (t *Token) selfTest(ctx context.Context) ([]string, error) {
	rep, err := t.do(ctx, call{req: message{kind: opSelfTest}, extra: t.cfg.Watchdog, repeat: true})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range rep.fields {
		found = append(found, string(f))
	}
	return found, nil
}

// DeriveSeal implements cryptotoken.Sealer.
func (t *Token) DeriveSeal(ctx context.Context, label string) ([]byte, error) {
	if err := cryptotoken.CheckLabel(label); err != nil {
		return nil, err
	}
	rep, err := t.do(ctx, call{req: message{kind: opSeal, fields: [][]byte{[]byte(label)}}, repeat: true})
	if err != nil {
		return nil, err
	}
	if len(rep.field(0)) != 32 {
		return nil, t.malformed("seal")
	}
	return bytes.Clone(rep.field(0)), nil
}

func (t *Token) malformed(what string) error {
	return fmt.Errorf("pkcs11 %s: %w: malformed %s from the child", t.cfg.Name, cryptotoken.ErrUnavailable, what)
}

// generationTime bounds the generation of a key pair: RSA takes seconds.
func generationTime(kt algo.KeyType) time.Duration {
	switch kt {
	case algo.RSA2048:
		return 15 * time.Second
	case algo.RSA3072:
		return 30 * time.Second
	case algo.RSA4096:
		return 90 * time.Second
	}
	return 0
}

func checkKeyType(kt algo.KeyType) error {
	if !kt.Valid() {
		return cryptotoken.NotStarted(fmt.Errorf("pkcs11: %w: key type %.20q", cryptotoken.ErrUnsupported, string(kt)))
	}
	return nil
}

// GenerateWrapped implements cryptotoken.Wrapper.
func (t *Token) GenerateWrapped(ctx context.Context, kt algo.KeyType) (cryptotoken.Wrapped, error) {
	if err := t.alive(ctx); err != nil {
		return cryptotoken.Wrapped{}, err
	}
	if err := checkKeyType(kt); err != nil {
		return cryptotoken.Wrapped{}, err
	}
	kek := t.currentKEK()
	rep, err := t.do(ctx, call{
		req: message{kind: opGenerate, fields: [][]byte{[]byte(kt), []byte(kek)}}, signs: 1, extra: generationTime(kt),
	})
	if err != nil {
		return cryptotoken.Wrapped{}, err
	}
	w := cryptotoken.Wrapped{
		KeyType: kt, Public: bytes.Clone(rep.field(0)), Blob: bytes.Clone(rep.field(1)), KEK: kek,
	}
	if _, err := cryptotoken.CheckWrappedForm(w); err != nil {
		return cryptotoken.Wrapped{}, t.malformed("wrapped key")
	}
	return w, nil
}

// SignWrapped implements cryptotoken.Wrapper. Once the request is with a child
// the context no longer counts: the module cannot be interrupted, and a call
// that is given up leaves its outcome unknown.
func (t *Token) SignWrapped(ctx context.Context, w cryptotoken.Wrapped, alg algo.Algorithm, digests [][]byte) ([][]byte, error) {
	if err := t.checkWrapped(ctx, w); err != nil {
		return nil, err
	}
	if err := cryptotoken.CheckSign(w.KeyType, alg, digests); err != nil {
		return nil, err
	}
	fields := make([][]byte, 0, 3+len(digests))
	fields = append(append(fields, []byte(w.KeyType), []byte(w.KEK), w.Blob), digests...)
	rep, err := t.do(ctx, call{
		req: message{kind: opSign, num: uint32(alg), fields: fields}, signs: len(digests),
		extra: time.Duration(len(digests)) * t.cfg.PerDigest,
	})
	if err != nil {
		return nil, err
	}
	if len(rep.fields) != len(digests) {
		return nil, t.malformed("list of signatures")
	}
	return rep.fields, nil
}

// CheckWrapped implements cryptotoken.Wrapper.
func (t *Token) CheckWrapped(ctx context.Context, w cryptotoken.Wrapped) error {
	if err := t.checkWrapped(ctx, w); err != nil {
		return err
	}
	_, err := t.do(ctx, call{req: message{kind: opCheck, fields: [][]byte{[]byte(w.KeyType), []byte(w.KEK), w.Blob}}, repeat: true})
	return err
}

func (t *Token) checkWrapped(ctx context.Context, w cryptotoken.Wrapped) error {
	if err := t.alive(ctx); err != nil {
		return err
	}
	if _, err := cryptotoken.CheckWrappedForm(w); err != nil {
		return err
	}
	return t.checkKEK(w)
}

// CreateKey implements cryptotoken.Named.
func (t *Token) CreateKey(ctx context.Context, ref cryptotoken.KeyRef, kt algo.KeyType) (cryptotoken.Signer, error) {
	if err := cmp.Or(t.alive(ctx), cryptotoken.CheckLabel(ref.Label), checkKeyType(kt)); err != nil {
		return nil, err
	}
	t.keysMu.Lock() // the module would let two keys share a label
	defer t.keysMu.Unlock()
	rep, err := t.do(ctx, call{
		req: message{kind: opCreate, fields: [][]byte{[]byte(ref.Label), []byte(kt)}}, signs: 1, extra: generationTime(kt),
	})
	if err != nil {
		return nil, err
	}
	s, err := t.newSigner(ref.Label, rep.field(0))
	if err != nil {
		return nil, err
	}
	t.keys[ref.Label] = s
	return s, nil
}

// DestroyKey implements cryptotoken.Named. Afterwards every child is replaced by one that
// never saw the key: a module made of software may hold a copy in the process.
func (t *Token) DestroyKey(ctx context.Context, ref cryptotoken.KeyRef) error {
	if err := cmp.Or(t.alive(ctx), cryptotoken.CheckLabel(ref.Label)); err != nil {
		return err
	}
	t.keysMu.Lock()
	defer t.keysMu.Unlock()
	_, err := t.do(ctx, call{req: message{kind: opDestroyKey, fields: [][]byte{[]byte(ref.Label)}}})
	if err != nil {
		return err
	}
	if s := t.keys[ref.Label]; s != nil {
		s.gone.Store(true)
		delete(t.keys, ref.Label)
	}
	t.pool.renew()
	return nil
}

// Signer implements cryptotoken.Token.
func (t *Token) Signer(ctx context.Context, ref cryptotoken.KeyRef) (cryptotoken.Signer, error) {
	if err := cmp.Or(t.alive(ctx), cryptotoken.CheckLabel(ref.Label)); err != nil {
		return nil, err
	}
	t.keysMu.Lock()
	defer t.keysMu.Unlock()
	if s := t.keys[ref.Label]; s != nil {
		return s, nil
	}
	rep, err := t.do(ctx, call{req: message{kind: opFind, fields: [][]byte{[]byte(ref.Label)}}, repeat: true})
	if err != nil {
		return nil, err
	}
	s, err := t.newSigner(ref.Label, rep.field(0))
	if err != nil {
		return nil, err
	}
	if err := cryptotoken.Prove(s); err != nil {
		return nil, fmt.Errorf("pkcs11 %s: key %q: %w", t.cfg.Name, ref.Label, err)
	}
	t.keys[ref.Label] = s
	return s, nil
}

func (t *Token) newSigner(label string, spki []byte) (*signer, error) {
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, t.malformed("public key")
	}
	kt, err := algo.KeyTypeOf(pub)
	if err != nil {
		return nil, t.malformed("public key")
	}
	return &signer{t: t, label: label, pub: pub, kt: kt}, nil
}

// signer is a named key of the token.
type signer struct {
	t     *Token
	label string
	pub   crypto.PublicKey
	kt    algo.KeyType
	gone  atomic.Bool // destroyed: its label may be another key's by now
}

func (s *signer) Public() crypto.PublicKey { return s.pub }
func (s *signer) KeyType() algo.KeyType    { return s.kt }

// Sign implements crypto.Signer; the token's own random source is used.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	alg, err := cryptotoken.AlgorithmOf(s.kt, opts)
	if err != nil {
		return nil, err
	}
	if err := cryptotoken.CheckSign(s.kt, alg, [][]byte{digest}); err != nil {
		return nil, err
	}
	if s.gone.Load() {
		return nil, cryptotoken.NotStarted(fmt.Errorf("pkcs11 %s: %w: %q was destroyed", s.t.cfg.Name, cryptotoken.ErrKeyNotFound, s.label))
	}
	rep, err := s.t.do(context.Background(), call{
		req: message{kind: opNamed, num: uint32(alg), fields: [][]byte{[]byte(s.label), digest}}, signs: 1,
	})
	if err != nil {
		return nil, err
	}
	if len(rep.fields) != 1 {
		return nil, s.t.malformed("signature")
	}
	return rep.field(0), nil
}
