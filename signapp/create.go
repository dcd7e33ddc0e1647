package signapp

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/workers"
)

// levelRaw is the level of an operation over digests of unseen content.
const levelRaw = "raw"

// credentialActive is the state in which a credential can sign.
const credentialActive = "active"

// Create prepares every item around the signer's certificate, stores the
// operation and returns it with the approval link. Either all of it is durable
// or nothing is left. ErrInput says what to mend; ErrNotFound names a document
// or worker that the client does not have; ErrUnavailable means that the
// module could not be asked; ErrTooMany, ErrQuota and ErrPaused, that the client has to wait.
func (s *Service) Create(ctx context.Context, c Client, n NewOperation) (*Operation, error) {
	if err := s.checkNew(c, n); err != nil {
		return nil, err
	}
	if err := s.asking(ctx, c, n.Signer); err != nil {
		return nil, err
	}
	list, err := s.Credentials(ctx, n.Signer)
	if err != nil {
		return nil, err
	}
	if err := s.Timely(ctx); err != nil {
		return nil, err
	}
	once, err := s.wantsOnce(n, list)
	if err != nil {
		return nil, err
	}
	now := s.now()
	r := &record{id: newID("op-"), client: c, signer: n.Signer, state: StatePrepared, created: now, expires: now.Add(s.lifetime(n))}
	r.due = r.expires
	r.fixed = fixedPart{ClientName: c.Name, Purpose: n.Purpose, ReturnURL: n.ReturnURL, Items: make([]fixedItem, len(n.Items))}
	h := s.hold(c)
	defer h.end()
	if once {
		err = s.fillOnce(ctx, h, n, r)
	} else {
		err = s.fill(ctx, h, n, r, list)
	}
	if err != nil {
		return nil, errors.Join(err, s.removePrepared(r))
	}
	r.progress.Bytes = h.size()
	link := newSecret()
	// Until this commit a crash leaves only files, which the next start removes.
	err = s.store.Update(ctx, func(tx Tx) error {
		if err := errors.Join(s.room(tx, c, n.Signer), s.mayAsk(tx, c, n.Signer), s.mayOperate(tx, c)); err != nil {
			return err
		}
		if err := putRecord(tx, r); err != nil {
			return err
		}
		return tx.Secrets().Put(SecretRow{Kind: SecretApproval, Hash: link.hash, Signer: r.signer, Operation: r.id, Expires: millis(r.expires)})
	})
	if err != nil && !s.exists(ctx, func(tx Tx) error { _, err := getRecord(tx, Everything(), r.id); return err }, func() error { return s.removePrepared(r) }) {
		return nil, err
	}
	op := r.operation()
	op.ApprovalURL = s.cfg.AppOrigin + "/approve/" + link.text
	return op, nil
}

// fill prepares the items around the certificate of one of the signer's keys.
func (s *Service) fill(ctx context.Context, h *hold, n NewOperation, r *record, list []sapclient.Credential) error {
	cred, alg, err := credential(n, list)
	if err != nil {
		return err
	}
	r.fixed.SignerName, r.fixed.Key, r.fixed.Alg, r.fixed.Chain = commonName(cred.Chain[0], n.Signer), cred.Key, alg.String(), cred.Chain
	r.fixed.Policy = cred.Policy
	if err := s.prepareAll(ctx, h, n, r, alg); err != nil {
		return err
	}
	return r.settle(cred.Raw && cred.Policy != sap.PolicyQualified)
}

// exists is asked after a commit that reported an error, whose outcome is
// unknown: the row may stand. Only when it surely does not are its files
// removed; in doubt they stay, and the next start decides.
func (s *Service) exists(ctx context.Context, look func(Tx) error, remove func() error) bool {
	err := s.store.View(context.WithoutCancel(ctx), look)
	if isNotFound(err) {
		if err := remove(); err != nil {
			s.log.Warn("files of a failed request could not be removed; the next start does it", "error", err)
		}
	}
	return err == nil
}

// checkNew refuses what can be refused before the module is asked.
func (s *Service) checkNew(c Client, n NewOperation) error {
	switch {
	case c.ID == "" || !sap.Displayable(c.Name):
		return fmt.Errorf("%w: the client has no id or no displayable name", ErrInput)
	case !sap.ValidID(n.Signer):
		return fmt.Errorf("%w: signer is not an identifier", ErrInput)
	case !sap.Displayable(n.Purpose):
		return fmt.Errorf("%w: purpose has more than %d characters or some that cannot be shown", ErrInput, sap.MaxText)
	case n.Level != "" && !sap.ValidID(n.Level):
		return fmt.Errorf("%w: level is not an identifier", ErrInput)
	case len(n.Items) == 0 || len(n.Items) > s.cfg.Limits.Items:
		return fmt.Errorf("%w: an operation has 1 to %d items, not %d", ErrInput, s.cfg.Limits.Items, len(n.Items))
	case n.Lifetime < 0 || n.Lifetime > s.cfg.Limits.MaxLifetime:
		return fmt.Errorf("%w: an operation may wait at most %s", ErrInput, s.cfg.Limits.MaxLifetime)
	}
	for i, it := range n.Items {
		if err := it.check(); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
	}
	return s.checkReturn(n.ReturnURL)
}

// checkReturn admits only addresses of the app origin: the signer's app must
// not become an open redirector.
func (s *Service) checkReturn(ret string) error {
	if ret == "" {
		return nil
	}
	u, err := url.Parse(ret)
	if err != nil || u.User != nil || len(ret) > 2048 || u.Scheme+"://"+u.Host != s.cfg.AppOrigin {
		return fmt.Errorf("%w: return_url must be an address at %s", ErrInput, s.cfg.AppOrigin)
	}
	return nil
}

func (it NewItem) check() error {
	raw := len(it.uploads()) == 0
	switch {
	case it.Document != "" && len(it.Documents) != 0:
		return fmt.Errorf("%w: give a document or documents, not both", ErrInput)
	case len(it.Documents) > sap.MaxObjects:
		return fmt.Errorf("%w: %d documents; one signature is over at most %d", ErrInput, len(it.Documents), sap.MaxObjects)
	case raw && len(it.Digest) == 0:
		return fmt.Errorf("%w: it has neither a document nor a digest", ErrInput)
	case raw && it.Worker != "":
		return fmt.Errorf("%w: a digest is not processed by a worker", ErrInput)
	case raw && len(it.Params) != 0:
		return fmt.Errorf("%w: a digest takes no params", ErrInput)
	case !raw && len(it.Digest) != 0:
		return fmt.Errorf("%w: give a document or a digest, not both", ErrInput)
	case !raw && it.Worker == "":
		return fmt.Errorf("%w: it names no worker", ErrInput)
	case !raw && it.Name != "":
		return fmt.Errorf("%w: a document has the name of its upload", ErrInput)
	}
	if raw {
		if _, err := cleanName(it.Name); err != nil {
			return fmt.Errorf("%w: name must say what the digest is of", ErrInput)
		}
	}
	return nil
}

func (s *Service) lifetime(n NewOperation) time.Duration {
	if n.Lifetime == 0 {
		return s.cfg.Limits.Lifetime
	}
	return n.Lifetime
}

// room bounds how many requests one client can pile up before one signer (T18).
func (s *Service) room(tx Tx, c Client, signer string) error {
	rows, err := tx.Operations().List(OfClient(c.ID), Query{States: []State{StatePrepared, StateShown}, Limit: 10 * s.cfg.Limits.Waiting})
	if err != nil {
		return err
	}
	n := 0
	for _, r := range rows {
		if r.Signer == signer {
			n++
		}
	}
	if n >= s.cfg.Limits.Waiting || len(rows) >= 10*s.cfg.Limits.Waiting {
		return fmt.Errorf("%w: %d operations wait for signers already; let them finish or cancel some", ErrTooMany, n)
	}
	return nil
}

// credential picks the key and algorithm from what the module says.
func credential(n NewOperation, list []sapclient.Credential) (*sapclient.Credential, algo.Algorithm, error) {
	var found []sapclient.Credential
	for _, c := range list {
		usable := c.Signer == n.Signer && c.State == credentialActive && len(c.Chain) > 0 && len(c.Algs) > 0
		if usable && (n.Key == "" || n.Key == c.Key) {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 0:
		return nil, 0, fmt.Errorf("%w: the signer has no such key that is active", ErrInput)
	case len(found) > 1:
		return nil, 0, fmt.Errorf("%w: the signer has several active keys; name one", ErrInput)
	}
	c := &found[0]
	name := n.Alg
	if name == "" {
		name = c.Algs[0]
	}
	for _, a := range c.Algs {
		if a == name {
			alg, err := algo.Parse(name)
			if err != nil {
				return nil, 0, fmt.Errorf("%w: %w", ErrInput, err)
			}
			return c, alg, nil
		}
	}
	return nil, 0, fmt.Errorf("%w: the key signs with %v, not with %q", ErrInput, c.Algs, name)
}

// Credentials lists a signer's keys as the module knows them.
func (s *Service) Credentials(ctx context.Context, signer string) ([]sapclient.Credential, error) {
	if !sap.ValidID(signer) {
		return nil, fmt.Errorf("%w: signer is not an identifier", ErrInput)
	}
	ctx, cancel := context.WithTimeout(ctx, moduleTimeout)
	defer cancel()
	list, err := s.cfg.Module.Credentials(ctx, signer)
	if err == nil {
		return list, nil
	}
	if _, no := final(err); no {
		return nil, nil // a signer that the module does not know has no keys
	}
	s.log.Warn("module could not be asked for credentials", "error", err)
	return nil, ModuleError(err)
}

func commonName(leaf []byte, fallback string) string {
	cert, err := x509.ParseCertificate(leaf)
	if err != nil || cert.Subject.CommonName == "" || !sap.Displayable(cert.Subject.CommonName) {
		return fallback
	}
	return cert.Subject.CommonName
}

// prepareAll prepares the items in parallel, bounded over all operations.
func (s *Service) prepareAll(ctx context.Context, h *hold, n NewOperation, r *record, alg algo.Algorithm) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return s.parallel(ctx, cancel, len(n.Items), func(i int) error {
		it, err := s.prepareItem(ctx, h, n, r, i, alg)
		if err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		r.fixed.Items[i] = it
		return nil
	})
}

// parallel runs f for 0..n-1 within the service's slots and returns the first
// error, after which cancel is called and no further f starts.
func (s *Service) parallel(ctx context.Context, cancel func(), n int, f func(int) error) error {
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	fail := func(err error) { once.Do(func() { first = err; cancel() }) }
	for i := range n {
		if !s.slot(ctx) {
			fail(ctx.Err())
			break
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-s.slots }()
			if err := f(i); err != nil {
				fail(err)
			}
		}()
	}
	wg.Wait()
	return first
}

// slot takes one of the slots for documents in work; false when ctx ended.
func (s *Service) slot(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case s.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Service) prepareItem(ctx context.Context, h *hold, n NewOperation, r *record, i int, alg algo.Algorithm) (fixedItem, error) {
	in := n.Items[i]
	if len(in.uploads()) == 0 {
		return rawItem(in, alg)
	}
	docs, end, err := s.uploads(ctx, h.c, in)
	if err != nil {
		return fixedItem{}, err
	}
	defer end()
	size := total(docs)
	if err := h.add(ctx, size+blockSize); err != nil {
		return fixedItem{}, err
	}
	it, out, err := s.prepareSource(ctx, r, newSource(in, n.Level, docs), i, docs, r.fixed.Chain, alg)
	if err != nil {
		return fixedItem{}, err
	}
	if err := h.grown(ctx, out, size); err != nil {
		return fixedItem{}, err
	}
	return it, s.files.commit(out, dirPrepared, preparedName(r.id, i))
}

// prepareSource has a worker prepare the documents of an item around a certificate, into a new
// file that the caller commits or discards.
func (s *Service) prepareSource(ctx context.Context, r *record, src source, i int, docs []workers.Beside, chain [][]byte, alg algo.Algorithm) (fixedItem, *os.File, error) {
	e, err := s.cfg.Workers.Get(src.Worker)
	if err != nil {
		return fixedItem{}, nil, fmt.Errorf("%w: %w", ErrInput, err)
	}
	if e.Worker == nil || !e.Info.Activation {
		return fixedItem{}, nil, fmt.Errorf("%w: worker %q does not sign for signers", ErrInput, src.Worker)
	}
	policy, err := s.policyName(ctx, r)
	if err != nil {
		return fixedItem{}, nil, err
	}
	out, err := s.files.partial()
	if err != nil {
		return fixedItem{}, nil, err
	}
	failpoint.Before("ssad/05-dtbsr-computed")
	p, err := e.Worker.Prepare(ctx, workers.Input{
		Document: docs[0], Size: src.Size, Name: src.Name, More: docs[1:], Chain: chain, Alg: alg,
		Level: src.Level, Time: r.created, Params: src.Params, Policy: policy,
	}, out)
	failpoint.After("ssad/05-dtbsr-computed")
	if err == nil {
		err = errors.Join(checkPrepared(p, i, src.Name, alg, chain[0]), src.covered(p))
	}
	if err != nil {
		discard(out)
		return fixedItem{}, nil, workerError(err)
	}
	size, err := out.Seek(0, 2)
	if err != nil {
		discard(out)
		return fixedItem{}, nil, storageError(err)
	}
	stored := *p
	stored.Chain = nil
	return fixedItem{Name: src.Name, Kind: p.Kind, Worker: src.Worker, Size: size, More: src.names(), Prepared: &stored}, out, nil
}

func rawItem(in NewItem, alg algo.Algorithm) (fixedItem, error) {
	name, err := cleanName(in.Name)
	if err != nil {
		return fixedItem{}, err
	}
	if len(in.Digest) != alg.Hash().Size() {
		return fixedItem{}, fmt.Errorf("%w: %s signs digests of %d bytes, not of %d", ErrInput, alg, alg.Hash().Size(), len(in.Digest))
	}
	p := &workers.Prepared{Kind: sap.KindRaw, Name: name, Level: levelRaw, Alg: alg, HashName: algo.HashName(alg.Hash()), DTBSR: in.Digest}
	return fixedItem{Name: name, Kind: sap.KindRaw, Prepared: p}, nil
}

// checkPrepared repeats what the module will do with the item, so that a
// worker's mistake shows before a signer is asked.
func checkPrepared(p *workers.Prepared, i int, name string, alg algo.Algorithm, leaf []byte) error {
	if p.Kind == sap.KindRaw && p.Level == "" {
		p.Level = levelRaw
	}
	if p.Alg != alg || !sap.ValidID(p.Level) {
		return fmt.Errorf("%w: kind %q, algorithm %s, level %q", workers.ErrRehearsal, p.Kind, p.Alg, p.Level)
	}
	item := p.Item(i)
	item.Name = name
	if _, err := sap.Rebuild(item, leaf, alg, nil); err != nil {
		return fmt.Errorf("%w: %w", workers.ErrRehearsal, err)
	}
	return nil
}

// workerError sorts a worker's error into what the caller can mend and what is
// ours.
func workerError(err error) error {
	for _, e := range []error{workers.ErrInput, workers.ErrParams, workers.ErrLevel, workers.ErrNeedSigner} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w: %w", ErrInput, err)
		}
	}
	return storageError(err)
}

// settle finds the one level of the operation, which the signer approves, and
// refuses what the module would refuse: the same digest twice, and digests of
// unseen content without the key's permission.
func (r *record) settle(rawAllowed bool) error {
	seen := map[string]bool{}
	for i, it := range r.fixed.Items {
		if i == 0 {
			r.fixed.Level = it.Prepared.Level
		}
		if it.Prepared.Level != r.fixed.Level {
			return fmt.Errorf("%w: items 0 and %d have levels %s and %s; make an operation of each", ErrInput, i, r.fixed.Level, it.Prepared.Level)
		}
		if it.Kind == sap.KindRaw && !rawAllowed {
			return fmt.Errorf("%w: item %d: this key may not sign digests of unseen content", ErrInput, i)
		}
		if seen[string(it.Prepared.DTBSR)] {
			return fmt.Errorf("%w: item %d is the same as an earlier one", ErrInput, i)
		}
		seen[string(it.Prepared.DTBSR)] = true
	}
	return r.approvable()
}

// raw tells whether the operation holds digests of unseen content.
func (r *record) raw() bool { return r.fixed.Level == levelRaw }

// hasFile tells whether an item is a file here, as against a bare digest.
func (it fixedItem) hasFile() bool { return it.Worker != "" }

// removePrepared removes the files of an operation.
func (s *Service) removePrepared(r *record) error {
	var errs []error
	for i, it := range r.fixed.Items {
		if it.hasFile() {
			errs = append(errs, s.files.remove(dirPrepared, preparedName(r.id, i)))
		}
	}
	return errors.Join(append(errs, s.removeSources(r))...)
}
