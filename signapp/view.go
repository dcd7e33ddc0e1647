package signapp

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// View is an operation as the signer's app sees it. Everything in it is the
// application's claim; the app recomputes or compares what it can and the
// signer sees the rest.
type View struct {
	ID        string     `json:"id"`
	State     State      `json:"state"`
	Reason    string     `json:"reason"`
	Signer    ViewSigner `json:"signer"`
	Asker     string     `json:"asker"`
	Purpose   string     `json:"purpose"`
	Level     string     `json:"level"`
	Key       string     `json:"key"`
	Alg       string     `json:"alg"`
	Chain     [][]byte   `json:"chain"`
	Expires   int64      `json:"expires"`  // Unix seconds
	OneTime   bool       `json:"one_time"` // no key yet: the signer approves a one-time key first
	ReturnURL string     `json:"return_url"`
	Items     []ViewItem `json:"items"`
}

// ViewSigner is who is asked. Name is what the certificate says.
type ViewSigner struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// ViewItem is one signature that is asked for.
type ViewItem struct {
	I                int    `json:"i"`
	Kind             string `json:"kind"`
	Name             string `json:"name"`
	Size             int64  `json:"size"` // of what ItemDocument gives; 0 for raw
	Hash             string `json:"hash"`
	SignedAttributes string `json:"signed_attributes"` // base64url: what the key signs the hash of; "" for raw
	DTBSR            string `json:"dtbsr"`             // base64url

	// Of kind xades: the octets of SignedProperties, base64url, and the one set of
	// properties that they are made of; SignedAttributes is SignedInfo.
	SignedProperties string      `json:"signed_properties"`
	XAdES            []sap.XAdES `json:"xades"`

	// Names of further files under the one signature, as long as nothing is prepared; then they are in XAdES.
	More []string `json:"more,omitempty"`
	// Of several data objects, which ItemDocument gives one after the other: the size of each; else it is missing.
	Sizes []int64 `json:"sizes,omitempty"`
}

func (s *Service) view(r *record) (*View, error) {
	v := &View{
		ID: r.id, State: r.state, Reason: r.progress.Reason,
		Signer: ViewSigner{r.signer, r.fixed.SignerName}, Asker: r.client.Name, Purpose: r.fixed.Purpose,
		Level: r.fixed.Level, Key: r.fixed.Key, Alg: r.fixed.Alg, Chain: r.fixed.Chain,
		Expires: r.expires.Unix(), ReturnURL: r.fixed.ReturnURL, Items: []ViewItem{}, OneTime: r.keyless(),
	}
	if v.OneTime {
		v.Chain = [][]byte{}
	}
	for i, it := range r.fixed.Items {
		if v.OneTime {
			v.Items = append(v.Items, ViewItem{I: i, Kind: it.Kind, Name: it.Name, More: it.More, XAdES: []sap.XAdES{}})
			continue
		}
		o := ViewItem{I: i, Kind: it.Kind, Name: it.Name, Size: it.shownSize(), Hash: it.Prepared.HashName, DTBSR: sap.B64(it.Prepared.DTBSR), XAdES: []sap.XAdES{}}
		if err := o.claim(&it, r.fixed.Chain[0]); err != nil {
			return nil, fmt.Errorf("signapp: operation %s, item %d: %w", r.id, i, err)
		}
		v.Items = append(v.Items, o)
	}
	return v, nil
}

// View returns the operation of a grant.
func (s *Service) View(ctx context.Context, g Grant) (*View, error) {
	r, err := s.granted(ctx, g)
	if err != nil {
		return nil, err
	}
	return s.view(r)
}

// RequestActivation gets a fresh activation request from the module. Only the
// latest one counts: an approval of an older one is refused here, so that of
// two tabs the one opened last wins. ErrState, ErrRefused, ErrUnavailable.
func (s *Service) RequestActivation(ctx context.Context, g Grant) (*sap.Signed, error) {
	r, err := s.granted(ctx, g)
	if err != nil {
		return nil, err
	}
	if !r.waiting() {
		return nil, fmt.Errorf("%w: the operation is %s", ErrState, r.state)
	}
	if r.keyless() {
		return nil, fmt.Errorf("%w: the signer approves the operation's one-time key first", ErrState)
	}
	mctx, cancel := context.WithTimeout(ctx, moduleTimeout)
	defer cancel()
	failpoint.Before("ssad/06-challenge-issued")
	req, err := s.cfg.Module.Request(mctx, sapclient.ActivationRequestIn{
		Signer: r.signer, Key: r.fixed.Key, Alg: r.fixed.Alg, N: len(r.fixed.Items), Policy: s.policy(r),
	})
	if err != nil {
		s.log.Warn("module gave no activation request", "operation", r.id, "error", err)
		if _, no := final(err); no && r.fixed.Once != nil {
			s.dropKey(ctx, r)
		}
		return nil, ModuleError(err)
	}
	failpoint.After("ssad/06-challenge-issued")
	if err := s.Timely(ctx); err != nil {
		return nil, err
	}
	sid, err := r.checkRequest(req)
	if err != nil {
		s.log.Error("module sent an activation request for something else", "operation", r.id, "error", err)
		return nil, fmt.Errorf("%w: the module's answer does not fit", ErrUnavailable)
	}
	key := r.fixed.Key
	_, err = s.change(ctx, OfSigner(r.signer), r.id, func(_ Tx, r *record) error {
		if !r.waiting() || r.fixed.Key != key {
			return fmt.Errorf("%w: the operation is %s", ErrState, r.state)
		}
		r.progress.Session = sid
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &req, nil
}

// policy is the module's activation policy for an operation.
func (s *Service) policy(r *record) string {
	if r.progress.Made != nil {
		return r.progress.Made.Policy
	}
	if r.fixed.Policy != "" {
		return r.fixed.Policy
	}
	if r.raw() && s.cfg.RawPolicy != "" {
		return s.cfg.RawPolicy
	}
	return s.cfg.Policy
}

// checkRequest compares an activation request with the operation and returns
// its session id. The device verifies the module's signature; here a mix-up is
// enough to stop.
func (r *record) checkRequest(signed sap.Signed) (string, error) {
	text, err := sap.UnB64(signed.Statement)
	if err != nil {
		return "", err
	}
	var ar sap.ActivationRequest
	if err := jcs.Unmarshal(text, &ar); err != nil {
		return "", err
	}
	return ar.Bind.Session, r.checkBinding(ar.Bind)
}

// checkBinding compares what an activation is bound to with the operation.
func (r *record) checkBinding(b sap.Binding) error {
	if err := b.Check(); err != nil {
		return err
	}
	if b.Signer != r.signer || b.Key != r.fixed.Key || b.Alg != r.fixed.Alg || b.N != len(r.fixed.Items) || b.Cert != certHash(r.fixed.Chain[0]) {
		return sap.ReasonBinding
	}
	return nil
}

// ItemDocument opens the exact bytes that the signer's app shows and hashes of an item
// (the prepared file; of XML its canonical octets) while the signer
// decides; afterwards it is being finished and is no longer what was asked
// for. Raw items have none. ErrNotFound, ErrState.
func (s *Service) ItemDocument(ctx context.Context, g Grant, item int) (io.ReadSeekCloser, *Item, error) {
	r, err := s.granted(ctx, g)
	if err != nil {
		return nil, nil, err
	}
	if !r.waiting() {
		return nil, nil, fmt.Errorf("%w: the operation is %s", ErrState, r.state)
	}
	if r.keyless() {
		return nil, nil, fmt.Errorf("%w: documents are prepared when there is a certificate", ErrState)
	}
	if item >= 0 && item < len(r.fixed.Items) && r.fixed.Items[item].Kind == sap.KindRaw {
		return nil, nil, fmt.Errorf("%w: item %d is a digest of unseen content", ErrNotFound, item)
	}
	return s.openShown(ctx, r, item)
}

// ItemResult opens the signed document of an item for the signer's app.
func (s *Service) ItemResult(ctx context.Context, g Grant, item int) (io.ReadSeekCloser, *Item, error) {
	r, err := s.granted(ctx, g)
	if err != nil {
		return nil, nil, err
	}
	return s.result(r, item)
}

// ItemReceipt returns the module's receipt for the signer's app.
func (s *Service) ItemReceipt(ctx context.Context, g Grant) ([]byte, error) {
	r, err := s.granted(ctx, g)
	if err != nil {
		return nil, err
	}
	return r.receipt()
}

func (s *Service) openItem(r *record, item int) (io.ReadSeekCloser, *Item, error) {
	if item < 0 || item >= len(r.fixed.Items) || !r.fixed.Items[item].hasFile() {
		return nil, nil, fmt.Errorf("%w: the operation has no document %d", ErrNotFound, item)
	}
	f, err := s.files.open(dirPrepared, preparedName(r.id, item))
	if err != nil {
		return nil, nil, err
	}
	return f, &r.operation().Items[item], nil
}

func (s *Service) result(r *record, item int) (io.ReadSeekCloser, *Item, error) {
	if r.state != StateFinished {
		return nil, nil, fmt.Errorf("%w: the operation is %s", ErrState, r.state)
	}
	if r.progress.FilesGone {
		return nil, nil, fmt.Errorf("%w: the signed documents were deleted after the time they are kept, or by the client", ErrExpired)
	}
	return s.openItem(r, item)
}

var _ io.ReadSeekCloser = (*os.File)(nil)

func certHash(der []byte) string {
	return sap.B64(sum256(der))
}
