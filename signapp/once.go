package signapp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"os"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/workers"
)

// One-time keys (sap/SAP.md 3.10). The DTBS/R of a document contains its
// certificate's hash, so nothing can be prepared before the certificate exists, and
// the certificate must not exist before the signer said yes to it. The operation
// therefore begins without a key: it keeps its source documents. The signer approves
// the module's own statement (who gets a certificate, in which name, from which CA,
// for how long); the module makes, proves and certifies the key; only then the
// documents are prepared around it, and what is signed takes the way of every other
// operation, with an activation request and an approval of its own. So it stays with
// the module what is signed: it rebuilds the signed attributes with the certificate
// that it linked itself.

// KeyOneTime as NewOperation.Key asks for a one-time key.
const KeyOneTime = "one-time"

// When operations get a one-time key without asking for it (Config.OneTime).
const (
	OneTimeNoKey  = "no_key" // when the signer has no active key
	OneTimeAlways = "always" // unless the client names a key
)

const (
	onceTimeout = 60 * time.Second // bounds the call that has a key made and certified
	onceGrace   = 15 * time.Second // how long the signer's app may repeat an approval whose answer was lost
	onceTries   = 8                // how often a key is given up that the module refuses to end: it may be in the making
)

// Certifier is what the application needs of the module for one-time keys
// (sapclient.Client); Module tells about errors.
type Certifier interface {
	// Signer tells who a signer is and whether they can approve.
	Signer(ctx context.Context, id string) (*sapclient.Signer, error)
	// OnceRequest asks for the module's signed offer of a one-time key.
	OnceRequest(ctx context.Context, in sapclient.OnceRequestIn) (sap.Signed, error)
	// OnceApprove hands over the signer's assertion and gets the certified key.
	OnceApprove(ctx context.Context, in sapclient.OnceApproveIn) (*sapclient.OnceApproveOut, error)
	// OnceEnd has a one-time key destroyed that will not be used.
	OnceEnd(ctx context.Context, key string) error
}

// oncePart is what an operation with a one-time key begins with.
type oncePart struct {
	Sources []source `json:"sources"` // their bytes are in sourceName
}

// madeKey is the one-time key of an operation, and what was prepared around it.
type madeKey struct {
	Key        string      `json:"key"`
	Alg        string      `json:"alg"`
	Expires    int64       `json:"expires"` // Unix seconds; the module destroys it then
	Policy     string      `json:"policy"`  // that the signer approved the key for
	SignerName string      `json:"signer_name"`
	Chain      [][]byte    `json:"chain"`
	Items      []fixedItem `json:"items"`
}

// adopt makes the operation one of this key.
func (r *record) adopt(k *madeKey) {
	r.progress.Made = k
	r.fixed.Key, r.fixed.Alg, r.fixed.Chain, r.fixed.SignerName = k.Key, k.Alg, k.Chain, k.SignerName
	copy(r.fixed.Items, k.Items)
}

// keyless tells whether the operation waits for its one-time key.
func (r *record) keyless() bool { return r.fixed.Once != nil && r.fixed.Key == "" }

// wantsOnce decides whether an operation is to have a one-time key.
func (s *Service) wantsOnce(n NewOperation, list []sapclient.Credential) (bool, error) {
	if s.cfg.OneTime == "" {
		if n.Key == KeyOneTime {
			return false, fmt.Errorf("%w: one-time keys are not offered here", ErrInput)
		}
		return false, nil
	}
	if n.Key != "" {
		return n.Key == KeyOneTime, nil
	}
	for _, c := range list {
		if c.Signer == n.Signer && c.State == credentialActive && len(c.Chain) > 0 {
			return s.cfg.OneTime == OneTimeAlways, nil
		}
	}
	return true, nil
}

// fillOnce makes the record of an operation without a key: it keeps the sources, and
// shows with a throw-away certificate that the workers will take them.
func (s *Service) fillOnce(ctx context.Context, h *hold, n NewOperation, r *record) error {
	if n.Alg != "" {
		return fmt.Errorf("%w: a one-time key signs with the algorithm of its policy; leave alg empty", ErrInput)
	}
	for i, it := range n.Items {
		if len(it.uploads()) == 0 {
			return fmt.Errorf("%w: item %d: digests of unseen content need a key that is kept", ErrInput, i)
		}
	}
	name, err := s.person(ctx, n.Signer)
	if err != nil {
		return err
	}
	chain, err := throwAway(s.now())
	if err != nil {
		return err
	}
	r.fixed.SignerName = name
	r.fixed.Once = &oncePart{Sources: make([]source, len(n.Items))}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = s.parallel(ctx, cancel, len(n.Items), func(i int) error {
		it, err := s.keepSource(ctx, h, n, r, i, chain)
		if err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		r.fixed.Items[i] = it
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.settle(false); err != nil { // the level is known before there is a preparation to keep
		return err
	}
	r.forgetKey()
	return nil
}

// person asks the module who is to sign: nothing is kept for whom it does not know.
func (s *Service) person(ctx context.Context, signer string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, moduleTimeout)
	defer cancel()
	p, err := s.cfg.Certifier.Signer(ctx, signer)
	if _, no := final(err); no || (err == nil && len(p.Authenticators) == 0) {
		return "", fmt.Errorf("%w: the signer has no passkey that could approve", ErrInput)
	}
	if err != nil {
		s.log.Warn("module could not be asked for a signer", "error", err)
		return "", ModuleError(err)
	}
	if p.Name == "" || !sap.Displayable(p.Name) {
		return signer, nil
	}
	return p.Name, nil
}

// keepSource keeps an upload for the operation, whatever becomes of the upload, and
// rehearses its preparation. The room that this will take is the operation's from now on:
// the signer's approval is not refused for want of it.
func (s *Service) keepSource(ctx context.Context, h *hold, n NewOperation, r *record, i int, chain [][]byte) (fixedItem, error) {
	in := n.Items[i]
	docs, end, err := s.uploads(ctx, h.c, in)
	if err != nil {
		return fixedItem{}, err
	}
	defer end()
	src := newSource(in, n.Level, docs)
	r.fixed.Once.Sources[i] = src
	size := total(docs)
	if err := h.add(ctx, 2*size+int64(1+len(docs))*blockSize); err != nil {
		return fixedItem{}, err
	}
	it, out, err := s.prepareSource(ctx, r, src, i, docs, chain, algo.ES256)
	if err != nil {
		return fixedItem{}, err
	}
	if err := h.grown(ctx, out, size); err != nil {
		return fixedItem{}, err
	}
	discard(out)
	for k, id := range in.uploads() {
		if err := s.files.link(dirDocuments, id, dirPrepared, sourceName(r.id, i, k)); err != nil {
			return it, err
		}
	}
	return it, nil
}

// throwAway is a certificate for rehearsals: its key is gone when it returns.
func throwAway(now time.Time) ([][]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rehearsal, never used"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), KeyUsage: x509.KeyUsageContentCommitment,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	return [][]byte{der}, err
}

// RequestOneTime gets the module's signed offer of a one-time key for an operation
// that waits for one. Only the latest counts. ErrState, ErrRefused, ErrUnavailable.
func (s *Service) RequestOneTime(ctx context.Context, g Grant) (*sap.Signed, error) {
	r, err := s.granted(ctx, g)
	if err != nil {
		return nil, err
	}
	if err := r.waitsForKey(); err != nil {
		return nil, err
	}
	if err := s.Timely(ctx); err != nil {
		return nil, err
	}
	if r.progress.Asked != "" { // the signer approves another one
		if err := s.endKey(ctx, r.id, r.progress.Asked); err == nil {
			_ = s.answered(ctx, r.id, r.progress.Asked, false)
		}
	}
	mctx, cancel := context.WithTimeout(ctx, moduleTimeout)
	defer cancel()
	signed, err := s.cfg.Certifier.OnceRequest(mctx, sapclient.OnceRequestIn{Signer: r.signer, Policy: s.cfg.Policy})
	if err != nil {
		s.log.Warn("module offered no one-time key", "operation", r.id, "error", err)
		return nil, ModuleError(err)
	}
	text, err := sap.UnB64(signed.Statement)
	if err == nil {
		_, err = r.checkOffer(text)
	}
	if err != nil {
		s.log.Error("module offered a one-time key for something else", "operation", r.id, "error", err)
		return nil, fmt.Errorf("%w: the module's answer does not fit", ErrUnavailable)
	}
	_, err = s.change(ctx, OfSigner(r.signer), r.id, func(_ Tx, r *record) error {
		if err := r.waitsForKey(); err != nil {
			return err
		}
		r.progress.Offer = sum256(text)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &signed, nil
}

func (r *record) waitsForKey() error {
	switch {
	case !r.waiting():
		return fmt.Errorf("%w: the operation is %s", ErrState, r.state)
	case !r.keyless():
		return fmt.Errorf("%w: the operation waits for no one-time key", ErrState)
	}
	return nil
}

// checkOffer compares an offer with the operation.
func (r *record) checkOffer(statement []byte) (*sap.OneTimeRequest, error) {
	offer, err := sap.DecodeOneTime(statement)
	if err != nil {
		return nil, err
	}
	if offer.Signer != r.signer {
		return nil, sap.ReasonSigner
	}
	return offer, nil
}

// ApproveOneTime takes the signer's assertion over the offer, has the key made and
// certified, prepares the documents around its certificate and returns the operation,
// ready for RequestActivation. Repeating the same bytes is not an error: the module
// answers them with the same key while it lives. ErrInput, ErrState, ErrRefused,
// ErrUnavailable.
func (s *Service) ApproveOneTime(ctx context.Context, g Grant, statement, proof []byte) (*View, error) {
	r, err := s.granted(ctx, g)
	if err != nil {
		return nil, err
	}
	if len(proof) == 0 || len(proof) > sap.MaxProofSize {
		return nil, fmt.Errorf("%w: the proof has %d bytes", ErrInput, len(proof))
	}
	offer, err := r.checkOffer(statement)
	if err != nil {
		return nil, fmt.Errorf("%w: the approval is for something else: %w", ErrInput, err)
	}
	ctx, id := context.WithoutCancel(ctx), r.id
	defer s.locks.lock(id)() // two of them would write the same files
	if r, err = s.load(ctx, id); err != nil {
		return nil, err
	}
	if !sameOctets(r.progress.Offer, sum256(statement)) {
		return nil, fmt.Errorf("%w: the approval answers an older offer; use the one opened last", ErrState)
	}
	if r.fixed.Key == offer.Key {
		return s.view(r)
	}
	if err := s.handOver(ctx, id, offer.Key); err != nil {
		return nil, err
	}
	mctx, cancel := context.WithTimeout(ctx, onceTimeout)
	defer cancel()
	made, err := s.cfg.Certifier.OnceApprove(mctx, sapclient.OnceApproveIn{Statement: statement, Proof: proof})
	if err != nil {
		s.log.Warn("module made no one-time key", "operation", r.id, "error", err)
		if _, no := final(err); no { // there is no key; the offer may still be open
			_ = s.answered(ctx, id, offer.Key, true)
		} else {
			_ = s.handOver(ctx, id, offer.Key) // the same bytes may come again
		}
		return nil, ModuleError(err)
	}
	r, err = s.adoptKey(ctx, r, offer, made)
	if err != nil {
		s.abandon(ctx, id, offer.Key)
		return nil, err
	}
	return s.view(r)
}

func sameOctets(a, b []byte) bool { return string(a) == string(b) }

// adoptKey prepares the documents around a certificate that exists now, and makes the
// operation one of this key. What is on disk under an operation without a key is
// nobody's: a crash before the row changes costs nothing.
func (s *Service) adoptKey(ctx context.Context, r *record, offer *sap.OneTimeRequest, made *sapclient.OnceApproveOut) (*record, error) {
	if made == nil || made.Key != offer.Key || made.Signer != r.signer || len(made.Chain) == 0 || len(made.Algs) == 0 {
		return nil, fmt.Errorf("%w: the module's answer does not fit", ErrUnavailable)
	}
	alg, err := algo.Parse(made.Algs[0])
	if err != nil {
		return nil, fmt.Errorf("%w: the module's answer does not fit: %w", ErrUnavailable, err)
	}
	items := make([]fixedItem, len(r.fixed.Once.Sources))
	pctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = s.parallel(pctx, cancel, len(items), func(i int) (err error) {
		if items[i], err = s.prepareKept(pctx, r, i, made.Chain, alg); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	failpoint.Before("ssad/once-adopted")
	defer failpoint.After("ssad/once-adopted")
	return s.change(ctx, OfSigner(r.signer), r.id, func(_ Tx, r *record) error {
		if err := r.waitsForKey(); err != nil {
			return err
		}
		level := r.fixed.Level
		r.forgetAsked()
		r.adopt(&madeKey{made.Key, alg.String(), made.Expires, offer.Policy, commonName(made.Chain[0], r.fixed.SignerName), made.Chain, items})
		if err := r.settle(false); err != nil {
			return err
		}
		if r.fixed.Level != level {
			return fmt.Errorf("%w: level %s, %s was rehearsed", workers.ErrRehearsal, r.fixed.Level, level)
		}
		return nil
	})
}

func (s *Service) prepareKept(ctx context.Context, r *record, i int, chain [][]byte, alg algo.Algorithm) (fixedItem, error) {
	src := r.fixed.Once.Sources[i]
	var docs []workers.Beside
	for k, m := range append([]moreSource{{src.Name, src.Size}}, src.More...) {
		f, err := s.files.open(dirPrepared, sourceName(r.id, i, k))
		if err != nil {
			return fixedItem{}, err
		}
		defer func() { _ = f.Close() }()
		docs = append(docs, workers.Beside{Name: m.Name, ReaderAt: f, Size: m.Size})
	}
	it, out, err := s.prepareSource(ctx, r, src, i, docs, chain, alg)
	if err != nil {
		return fixedItem{}, err
	}
	return it, s.files.commit(out, dirPrepared, preparedName(r.id, i))
}

// removeSources removes what a finished operation needs no more. What stays goes with
// the operation.
func (s *Service) removeSources(r *record) error {
	if r.fixed.Once == nil {
		return nil
	}
	var errs []error
	for i, src := range r.fixed.Once.Sources {
		for k := range 1 + len(src.More) {
			errs = append(errs, s.files.remove(dirPrepared, sourceName(r.id, i, k)))
		}
	}
	return errors.Join(errs...)
}

// link gives a whole file a second name, which outlives the first.
func (f *files) link(fromDir, from, dir, name string) error {
	err := os.Link(f.path(fromDir, from), f.path(dir, name))
	if errors.Is(err, os.ErrNotExist) { // just now
		return fmt.Errorf("%w: the file was deleted", ErrNotFound)
	}
	if err != nil {
		return storageError(err)
	}
	return storageError(syncDir(f.path(dir, ".")))
}
