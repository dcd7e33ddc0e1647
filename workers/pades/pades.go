// Package pades makes PAdES baseline signatures (EN 319 142-1) in two phases:
// B-B, B-T, B-LT and B-LTA. Prepare appends an incremental update with an empty signature to
// the user's bytes and rehearses the CMS; Finish fills the hole. The signed
// attributes are those of sap.PAdESSignedAttributes, byte for byte, because
// the signer's app and the SAM rebuild them from the document digest alone.
//
// Files that are encrypted with AES-256 and open without a password are signed if
// their permissions allow it; what is added is encrypted too. Others are refused.
//
// Properties: level (B-B, B-T, B-LT or B-LTA; default B-B), tsa (worker:NAME or a
// URL, or several separated by blanks and tried in order; needed from B-T on), trust_anchors (PEM file, needed from B-LT on),
// intermediates (PEM file), revocation_freshness (after_signature, or current),
// ocsp_nonce (required, or if_answered for responders that do not repeat it),
// revocation_hosts and revocation_addresses (host names that may be asked, and
// networks besides the public ones), reason, location, contact, name (defaults of the request's parameters),
// reserve_extra (bytes kept free besides the computed size; default 0),
// hygiene (qualified, always, or never: under which activation policy a document is
// refused that could look different elsewhere or do something by itself; default
// qualified),
// certification_level (not_certified; or no_changes_allowed, form_filling_allowed,
// form_filling_and_annotations_allowed: DocMDP 1, 2, 3; only for the first
// signature of a document), add_visible_signature (true or false; default false),
// visible_signature_page (First, Last, a number), visible_signature_rectangle
// (left,bottom,right,top in points), visible_signature_text (with {name}, {reason},
// {location}, {contact}, {time}), visible_signature_custom_image_path (PNG, JPEG).
//
// Request parameters: reason, location, contact, name, field; with
// add_visible_signature also visible_page, visible_rectangle.
//
// It implements ADE-01 and ADE-03.
package pades

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// Levels of EN 319 142-1 that this worker makes.
const (
	LevelB   = "B-B"
	LevelT   = "B-T"
	LevelLT  = "B-LT"
	LevelLTA = "B-LTA"
)

var levels = []string{LevelB, LevelT, LevelLT, LevelLTA}

// tokenRoom is kept for a time-stamp token: real ones with a full chain are
// 2 to 8 KiB. A larger one is an error and never a second signature (D10).
const tokenRoom = 16 << 10

var requestParams = append([]string{"reason", "location", "contact", "name", "field"}, visibleParams...)

// certificationLevels are the values of certification_level by their DocMDP number.
var certificationLevels = []string{"not_certified", "no_changes_allowed", "form_filling_allowed", "form_filling_and_annotations_allowed"}

// Kind is this package's entry in the table of kinds.
func Kind() workers.Kind {
	return workers.Kind{New: build, Properties: append([]string{"level", "tsa", "reason", "location", "contact", "name", "reserve_extra", "hygiene", "certification_level",
		"add_visible_signature", "visible_signature_page", "visible_signature_rectangle", "visible_signature_text", "visible_signature_custom_image_path"}, workers.KeeperProperties()...)}
}

type worker struct {
	name     string
	level    string
	defaults map[string]string
	extra    int
	hygiene  string
	certify  int // DocMDP, 0 for an approval signature
	look     *look
	stamper  workers.Stamper
	keep     *workers.Keeper
	rehearse *workers.Rehearser
	sizes    sizes
	now      func() time.Time
}

func build(_ context.Context, env workers.Env) (any, error) {
	p := env.Config.Properties
	w := &worker{name: env.Config.Name, level: LevelB, defaults: map[string]string{}, rehearse: workers.NewRehearser(env.ThrowAways), now: env.Now}
	if v := p["level"]; v != "" {
		w.level = v
	}
	if err := knownLevel(w.level); err != nil {
		return nil, fmt.Errorf("%w: level: %w", workers.ErrConfig, err)
	}
	for _, k := range []string{"reason", "location", "contact", "name"} {
		w.defaults[k] = p[k]
	}
	if v := p["reserve_extra"]; v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > 1<<20 {
			return nil, fmt.Errorf("%w: reserve_extra: want bytes, 0 to 1048576, got %q", workers.ErrConfig, v)
		}
		w.extra = n
	}
	if w.hygiene = cmp.Or(p["hygiene"], hygieneQualified); !slices.Contains(hygienes, w.hygiene) {
		return nil, fmt.Errorf("%w: hygiene: %q is not one of %v", workers.ErrConfig, w.hygiene, hygienes)
	}
	var err error
	if w.look, err = newLook(p); err != nil {
		return nil, err
	}
	if v := p["certification_level"]; v != "" {
		if w.certify = slices.Index(certificationLevels, v); w.certify < 0 {
			return nil, fmt.Errorf("%w: certification_level: %q is not one of %v", workers.ErrConfig, v, certificationLevels)
		}
	}
	if p["tsa"] != "" {
		if w.stamper, err = env.Stamper(p["tsa"]); err != nil {
			return nil, fmt.Errorf("tsa: %w", err)
		}
	}
	if w.keep, err = workers.NewKeeper(env); err != nil {
		return nil, err
	}
	if err := w.reaches(w.level); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrConfig, err)
	}
	return w, nil
}

func knownLevel(l string) error {
	if !slices.Contains(levels, l) {
		return fmt.Errorf("%q is not one of %s", l, strings.Join(levels, ", "))
	}
	return nil
}

// reaches tells what the worker lacks for a level.
func (w *worker) reaches(level string) error {
	if level != LevelB && w.stamper == nil {
		return fmt.Errorf("worker %q has no time-stamp authority (property tsa) for %s", w.name, level)
	}
	if (level == LevelLT || level == LevelLTA) && w.keep == nil {
		return fmt.Errorf("worker %q has no trust anchors (property trust_anchors) for %s", w.name, level)
	}
	return nil
}

// Prepare implements workers.Worker.
func (w *worker) Prepare(ctx context.Context, in workers.Input, out workers.Output) (*workers.Prepared, error) {
	if err := in.Alone(); err != nil {
		return nil, err
	}
	level := in.Level
	if level == "" {
		level = w.level
	}
	if err := knownLevel(level); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrLevel, err)
	}
	if err := w.reaches(level); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrLevel, err)
	}
	certs, err := checkInput(in)
	if err != nil {
		return nil, err
	}
	opt, err := w.options(in, certs, level)
	if err != nil {
		return nil, err
	}
	if err := w.checkVisible(in.Params); err != nil {
		return nil, err
	}
	if err := w.clean(in); err != nil {
		return nil, err
	}
	if w.look != nil {
		var tail []byte
		if tail, opt.Field, err = w.look.add(in, certs[0], opt); err != nil {
			return nil, err
		}
		in.Document, in.Size = pdf.Extended(in.Document, in.Size, tail), in.Size+int64(len(tail))
	}
	// The signer's device will look at the file with nothing but the file; it
	// must find the same place.
	pp, err := pdf.PrepareChecked(ctx, in.Document, in.Size, out, opt)
	if errors.Is(err, pdf.ErrNotPrepared) {
		return nil, fmt.Errorf("%w: the prepared file cannot be read back: %w", workers.ErrInput, errors.Join(workers.ErrRehearsal, err))
	}
	if err != nil {
		return nil, refuse(err)
	}
	p, err := w.prepared(in, level, pp)
	if err != nil {
		return nil, err
	}
	// Finish makes the same checks, and that of the value, on the message itself. Nobody's approval is lost on one that fails them.
	if !in.AtOnce {
		if err := w.rehearsal(p, certs, opt.Reserve); err != nil {
			return nil, err
		}
	}
	if err := rehearseUpdates(out, pp.Size, level); err != nil {
		return nil, err
	}
	return p, out.Sync()
}

func checkInput(in workers.Input) ([]*x509.Certificate, error) {
	if len(in.Chain) == 0 {
		return nil, fmt.Errorf("%w: no certificate", workers.ErrInput)
	}
	certs, err := cms.ParseChain(in.Chain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrInput, err)
	}
	kt, err := algo.KeyTypeOf(certs[0].PublicKey)
	if err != nil || !kt.Fits(in.Alg) {
		return nil, fmt.Errorf("%w: algorithm %s does not fit the certificate's key", workers.ErrInput, in.Alg)
	}
	for k := range in.Params {
		if !slices.Contains(requestParams, k) {
			return nil, fmt.Errorf("%w: %q (allowed: %v)", workers.ErrParams, k, requestParams)
		}
	}
	return certs, nil
}

func (w *worker) options(in workers.Input, certs []*x509.Certificate, level string) (pdf.SignOptions, error) {
	param := func(k string) string {
		if v, ok := in.Params[k]; ok {
			return v
		}
		return w.defaults[k]
	}
	when := in.Time
	if when.IsZero() {
		when = w.now()
	}
	later := 0
	if level != LevelB {
		later = tokenRoom
	}
	reserve, err := w.sizes.of(in.Alg, in.Chain, later, func() (int, error) {
		attrs, err := sap.PAdESSignedAttributes(make([]byte, in.Alg.Hash().Size()), in.Chain[0])
		if err != nil {
			return 0, err
		}
		return cms.MaxSize(cms.Input{SignedAttrs: attrs, Alg: in.Alg, Chain: in.Chain, Parsed: certs}, later)
	})
	if err != nil {
		return pdf.SignOptions{}, fmt.Errorf("%w: %w", workers.ErrInput, err)
	}
	return pdf.SignOptions{
		Field: param("field"), Name: param("name"), Reason: param("reason"), Location: param("location"), ContactInfo: param("contact"),
		Time: when, Hash: in.Alg.Hash(), Reserve: reserve + w.extra, Certify: w.certify,
	}, nil
}

func (w *worker) prepared(in workers.Input, level string, pp *pdf.Prepared) (*workers.Prepared, error) {
	attrs, err := sap.PAdESSignedAttributes(pp.Digest, in.Chain[0])
	if err != nil {
		return nil, err
	}
	p := &workers.Prepared{
		Worker: w.name, Kind: sap.KindPAdES, Name: in.Name, Level: level, Alg: in.Alg, HashName: algo.HashName(in.Alg.Hash()),
		DocDigest: pp.Digest, DTBSR: sum(in.Alg.Hash(), attrs), Chain: in.Chain,
	}
	if in.AtOnce {
		p.Live = pp
		return p, nil
	}
	p.State, err = json.Marshal(pp)
	return p, err
}

// state is what prepared wrote down, or kept.
func state(p *workers.Prepared) (*pdf.Prepared, error) {
	pp, live := p.Live.(*pdf.Prepared)
	if !live {
		pp = new(pdf.Prepared)
	}
	if p.Kind != sap.KindPAdES || !live && json.Unmarshal(p.State, pp) != nil || !slices.Equal(pp.Digest, p.DocDigest) {
		return nil, fmt.Errorf("%w: not a state of this kind", workers.ErrState)
	}
	if len(p.Chain) == 0 {
		return nil, fmt.Errorf("%w: no certificate", workers.ErrState)
	}
	return pp, nil
}

// rehearsal proves that the container will validate before anybody is asked. A
// signature is made and verified with a throw-away key, once for each kind of key
// and algorithm: all that it could show is settled by those. What belongs to this
// document and this certificate is checked every time, on the very message that
// will be delivered but for the signature's value.
func (w *worker) rehearsal(p *workers.Prepared, certs []*x509.Certificate, reserve int) error {
	err := w.rehearse.Once(certs[0], p.Alg, func(key crypto.Signer, cert []byte) error { return rehearseSignature(key, cert, p.Alg) })
	if err != nil {
		return err
	}
	if err := rehearseMessage(p, certs, reserve); err != nil {
		return fmt.Errorf("%w: %w", workers.ErrRehearsal, err)
	}
	return nil
}

// rehearseSignature signs, assembles and verifies with the throw-away key.
func rehearseSignature(key crypto.Signer, cert []byte, alg algo.Algorithm) error {
	doc := sum(alg.Hash(), []byte("a document that nobody signs"))
	attrs, err := sap.PAdESSignedAttributes(doc, cert)
	if err != nil {
		return err
	}
	sig, err := key.Sign(rand.Reader, sum(alg.Hash(), attrs), alg.SignerOpts())
	if err != nil {
		return err
	}
	der, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: alg, Signature: sig, Chain: [][]byte{cert}})
	if err != nil {
		return err
	}
	return verifyCMS(der, doc, cert)
}

// rehearseMessage assembles the message around the document's digest and the
// signer's own chain, with the longest value that the key can make in place of
// the signature, reads it back, and makes every check of a verifier but that of
// the value: the certificate is found and is the signer's, and what a verifier
// will hash is what the key is going to sign. The message fits into its place.
func rehearseMessage(p *workers.Prepared, certs []*x509.Certificate, reserve int) error {
	leaf := certs[0]
	attrs, err := sap.PAdESSignedAttributes(p.DocDigest, leaf.Raw)
	if err != nil {
		return err
	}
	der, err := cms.Assemble(cms.Input{
		SignedAttrs: attrs, Alg: p.Alg, Signature: make([]byte, cms.MaxSignature(leaf.PublicKey)), Chain: p.Chain, Parsed: certs,
	})
	if err != nil {
		return err
	}
	sd, err := cms.Parse(der)
	if err != nil {
		return err
	}
	si, err := sd.Signer()
	if err != nil {
		return err
	}
	found, dtbsr, err := sd.CheckSigned(si, p.DocDigest, cms.VerifyOptions{})
	switch {
	case err != nil:
		return err
	case si.Algorithm != p.Alg:
		return fmt.Errorf("the message says algorithm %s, prepared is %s", si.Algorithm, p.Alg)
	case !bytes.Equal(found.Raw, leaf.Raw):
		return errors.New("a reader finds another certificate")
	case !bytes.Equal(dtbsr, p.DTBSR):
		return errors.New("a reader verifies another digest than the key signs")
	}
	size := len(der)
	if p.Level != LevelB {
		size += tokenRoom
	}
	if size > reserve {
		return fmt.Errorf("%d bytes needed, %d reserved", size, reserve)
	}
	return nil
}

// Finish implements workers.Worker. The order is: everything that can fail
// first, then the one write into the hole, then fsync. A repetition after a
// crash writes the whole hole again.
func (w *worker) Finish(ctx context.Context, p *workers.Prepared, sig []byte, doc workers.Output) (*workers.Result, error) {
	pp, err := state(p)
	if err != nil {
		return nil, err
	}
	attrs, err := sap.PAdESSignedAttributes(p.DocDigest, p.Chain[0])
	if err != nil {
		return nil, err
	}
	der, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: p.Alg, Signature: sig, Chain: p.Chain})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	failpoint.Before("ssad/12-post-verify-done")
	// Before a time-stamp is asked for: a wrong value must not be stamped.
	if err := verifyCMS(der, p.DocDigest, p.Chain[0]); err != nil {
		if errors.Is(err, cms.ErrSignature) {
			return nil, fmt.Errorf("%w: %w", workers.ErrSignature, err)
		}
		return nil, fmt.Errorf("%w: %w", workers.ErrState, err)
	}
	failpoint.After("ssad/12-post-verify-done")
	res := &workers.Result{Level: p.Level, Size: pp.Size, MIME: "application/pdf"}
	var m *longterm.Material
	var tail []byte
	if p.Level != LevelB {
		if err := w.reaches(p.Level); err != nil {
			return nil, fmt.Errorf("%w: %w", workers.ErrLevel, err)
		}
		var token []byte
		if der, token, res.TimeStamp, err = w.stamp(ctx, der, sig); err != nil {
			return nil, err
		}
		if p.Level != LevelT {
			if m, err = w.material(ctx, p.Chain, token, sig, res.TimeStamp); err != nil {
				return nil, err
			}
			if tail, err = store(doc, pp, der, m); err != nil {
				return nil, err
			}
		}
	}
	failpoint.Before("ssad/11-signature-embedded")
	if err := pdf.Embed(doc, pp, der); err != nil {
		return nil, fmt.Errorf("fill the signature's place: %w", err)
	}
	failpoint.After("ssad/11-signature-embedded")
	if m != nil {
		if err := w.extend(ctx, doc, res, tail, m); err != nil {
			return nil, err
		}
	}
	return res, doc.Sync()
}

// extend writes what follows the signature: the security store and, for B-LTA,
// the document time-stamp.
func (w *worker) extend(ctx context.Context, doc workers.Output, res *workers.Result, tail []byte, m *longterm.Material) error {
	if _, err := doc.WriteAt(tail, res.Size); err != nil {
		return fmt.Errorf("write validation data: %w", err)
	}
	res.Size += int64(len(tail))
	if res.Level == LevelLTA {
		var err error
		if res.Size, err = w.seal(ctx, doc, res.Size, m); err != nil {
			return err
		}
	}
	return cut(doc, res.Size)
}

// stamp adds a signature time-stamp: a token over the signature value (EN 319
// 142-1 clause 6.3, RFC 3161 appendix A). Any failure is an error; a B-T that
// cannot be reached is never delivered as B-B.
func (w *worker) stamp(ctx context.Context, der, sig []byte) (out, token []byte, at time.Time, err error) {
	failpoint.Hit("ssad/13-tsa-asked")
	token, at, err = w.stamper.Stamp(ctx, crypto.SHA256, sum(crypto.SHA256, sig))
	if err != nil {
		return nil, nil, time.Time{}, fmt.Errorf("%w: %w", workers.ErrTimeStamp, err)
	}
	failpoint.Before("ssad/14-tsa-answered")
	defer failpoint.After("ssad/14-tsa-answered")
	out, err = cms.AddUnsigned(der, cms.Attribute(cms.OIDTimeStampToken, token))
	if err != nil {
		return nil, nil, time.Time{}, fmt.Errorf("%w: %w", workers.ErrTimeStamp, err)
	}
	if _, err := cms.Parse(out); err != nil {
		return nil, nil, time.Time{}, fmt.Errorf("%w: %w", workers.ErrTimeStamp, err)
	}
	return out, token, at, nil
}

// verifyCMS reads the message back with our own strict reader.
func verifyCMS(der, docDigest, cert []byte) error {
	sd, err := cms.Parse(der)
	if err != nil {
		return err
	}
	si, err := sd.Signer()
	if err != nil {
		return err
	}
	leaf, err := sd.Verify(si, docDigest, cms.VerifyOptions{})
	if err != nil {
		return err
	}
	if !slices.Equal(leaf.Raw, cert) {
		return errors.New("another certificate made the signature")
	}
	return nil
}

func sum(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}

// refuse turns a reader's refusal into a worker's, keeping both.
func refuse(err error) error {
	return fmt.Errorf("%w: %w", workers.ErrInput, err)
}
