package xades

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/augment"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/workers"
)

const (
	// ends is how composed.Signature ends; unsigned properties go in front of it.
	ends = "</xades:QualifyingProperties></ds:Object></ds:Signature>"

	// maxToken bounds a time-stamp token; real ones with a full chain are 2 to 8 KiB.
	maxToken = 64 << 10
	// maxKept bounds the unsigned properties of a signature: lists of revoked
	// certificates can be large, and a reader keeps them in memory.
	maxKept = 8 << 20
)

// raising is a signature on its way to its level.
type raising struct {
	w          *worker
	p          *workers.Prepared
	st         *state
	doc        workers.Output
	bare       string   // the element before its end
	properties []string // unsigned, in their order
}

// raise adds the unsigned properties of the level (ADE-03; EN 319 132-1, clause 6.3): the time-stamp
// over the value; for B-LT the certificates of the signer's and of the time-stamp
// authority's paths and what was said about each; for B-LTA a time-stamp over all of it.
// Nothing is written: a failure is an error, leaves the file as it was, and is never
// a lower level; a repetition begins anew (FPT-05).
func (w *worker) raise(ctx context.Context, p *workers.Prepared, st *state, doc workers.Output, element []byte, res *workers.Result) ([]byte, error) {
	if err := w.reaches(p.Level); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrLevel, err)
	}
	bare, ok := strings.CutSuffix(string(element), ends)
	if !ok {
		return nil, fmt.Errorf("%w: the signature has no place for its properties", workers.ErrState)
	}
	r := &raising{w: w, p: p, st: st, doc: doc, bare: bare}
	token, imprint, err := r.stamp(ctx, res)
	if err != nil {
		return nil, err
	}
	if p.Level != LevelT {
		m, err := r.keep(ctx, token, imprint, res.TimeStamp)
		if err != nil {
			return nil, err
		}
		if p.Level == LevelLTA {
			if err := r.archive(ctx, m); err != nil {
				return nil, err
			}
		}
	}
	out := r.element()
	if len(out)-len(element) > maxKept {
		return nil, fmt.Errorf("%w: %d bytes of validation data; %d are possible", workers.ErrValidation, len(out)-len(element), maxKept)
	}
	if err := verify(ctx, p, st, doc, out, r.limits(out)); err != nil && !replaced(ctx, p, st, doc, err) {
		return nil, fmt.Errorf("%w: %w", workers.ErrTimeStamp, err)
	}
	return out, nil
}

func (r *raising) element() []byte {
	return []byte(r.bare + "<xades:UnsignedProperties><xades:UnsignedSignatureProperties>" + strings.Join(r.properties, "") +
		"</xades:UnsignedSignatureProperties></xades:UnsignedProperties>" + ends)
}

func (r *raising) limits(element []byte) c14n.Limits {
	return r.w.room(r.st, element)
}

func (r *raising) id(suffix string) string { return r.p.XAdES.ID + suffix }

// stamp adds a SignatureTimeStamp: a token over the canonical SignatureValue element (EN
// 319 132-1, clause 5.3).
func (r *raising) stamp(ctx context.Context, res *workers.Result) (token, imprint []byte, err error) {
	h := crypto.SHA256.New()
	err = c14n.Canonicalize(strings.NewReader(string(r.st.head)+r.bare+ends), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive, Target: c14n.ElementByID(r.id("-value"))})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	imprint = h.Sum(nil)
	failpoint.Hit("ssad/13-tsa-asked")
	if token, res.TimeStamp, err = r.ask(ctx, imprint); err != nil {
		return nil, nil, err
	}
	failpoint.Before("ssad/14-tsa-answered")
	defer failpoint.After("ssad/14-tsa-answered")
	r.properties = append(r.properties, (augment.Writer{}).SignatureTimeStamp(r.id("-tst"), token))
	return token, imprint, nil
}

func (r *raising) ask(ctx context.Context, imprint []byte) ([]byte, time.Time, error) {
	token, at, err := r.w.stamper.Stamp(ctx, crypto.SHA256, imprint)
	if err != nil {
		return nil, at, fmt.Errorf("%w: %w", workers.ErrTimeStamp, err)
	}
	if len(token) == 0 || len(token) > maxToken {
		return nil, at, fmt.Errorf("%w: a token of %d bytes; %d are possible", workers.ErrTimeStamp, len(token), maxToken)
	}
	return token, at, nil
}

// keep adds the validation data (EN 319 132-1, clauses 5.4 and 5.5.1): the signer's as
// CertificateValues and RevocationValues, that of the time-stamp's authority beside
// it, as TimeStampValidationData.
func (r *raising) keep(ctx context.Context, token, imprint []byte, at time.Time) (*longterm.Material, error) {
	signer, err := r.w.keep.Signer(ctx, r.p.Chain, at)
	if err != nil {
		return nil, err
	}
	authority, err := r.w.keep.Authority(ctx, token, crypto.SHA256, imprint)
	if err != nil {
		return nil, err
	}
	r.properties = append(r.properties, (augment.Writer{}).Values(signer)...)
	r.properties = append(r.properties, (augment.Writer{}).TimeStampValidationData(r.id("-tst"), authority))
	signer.Add(authority)
	return signer, nil
}

// archive adds an ArchiveTimeStamp over the signature, its data, and all properties before
// it (clause 5.5.2); and, if another authority made it than those whose data is there, its
// data behind it.
func (r *raising) archive(ctx context.Context, m *longterm.Material) error {
	imprint, err := r.imprint(ctx, len(r.properties))
	if err != nil {
		return fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	token, _, err := r.ask(ctx, imprint)
	if err != nil {
		return err
	}
	before := len(r.properties)
	r.properties = append(r.properties, (augment.Writer{}).ArchiveTimeStamp(r.id("-atst"), augment.Exclusive, token))
	more, err := r.w.keep.Further(ctx, m, token, crypto.SHA256, imprint)
	if err != nil {
		return err
	}
	if more != nil {
		r.properties = append(r.properties, (augment.Writer{}).TimeStampValidationData(r.id("-atst"), more))
	}
	again, err := r.imprint(ctx, before)
	if err == nil && !bytes.Equal(imprint, again) {
		err = errors.New("a reader finds that the archive time-stamp is over something else")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", workers.ErrTimeStamp, err)
	}
	return nil
}

// imprint has our reader say what a time-stamp behind so many properties is over.
func (r *raising) imprint(ctx context.Context, before int) ([]byte, error) {
	element := r.element()
	s := splice(r.st, &patient{ctx, r.doc}, element)
	lim := r.limits(element)
	d, sig, err := find(r.p, r.st, s, lim)
	if err != nil {
		return nil, err
	}
	return d.ArchiveImprint(s, sig, xmlsig.Stamp{Form: c14n.Job{Method: c14n.Exclusive}, Before: before}, crypto.SHA256, lim)
}
