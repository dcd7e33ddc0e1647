package extend

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
)

// tokenRoom is kept for a document time-stamp: real tokens with a full chain are 2 to 8
// KiB.
const tokenRoom = 16 << 10

// proveTimes gives every signature a proof of when it existed: a time-stamp over its
// value where that can be added, else, for B-LTA, one document time-stamp.
func (j *job) proveTimes(level Level) error {
	seal := false
	for i := range j.rep.Signatures {
		if s := &j.rep.Signatures[i]; s.IsTimeStamp() || s.Proven != nil {
			continue
		}
		err := j.stamp(i)
		switch {
		case err == nil:
			if err := j.look(); err != nil {
				return err
			}
		case level == LevelLTA && (errors.Is(err, ErrCovered) || errors.Is(err, ErrNoRoom)):
			seal = true
		default:
			return fmt.Errorf("signature in %q: %w", j.sigs[i].Field, err)
		}
	}
	if seal {
		return j.seal("document time-stamp, to prove the time of signatures without one of their own")
	}
	return nil
}

// stamp puts a time-stamp into the room that a signature left in its /Contents: no
// signed byte changes. A later signature would cover that room.
func (j *job) stamp(i int) error {
	s := &j.sigs[i]
	for k := range j.sigs {
		if j.sigs[k].CoveredEnd > s.CoveredEnd {
			return ErrCovered
		}
	}
	der, err := s.CMS()
	if err != nil {
		return err
	}
	stamped, _, err := tsp.StampSignature(j.ctx, j.cfg.Stamper, der, j.cfg.Hash)
	if err != nil {
		return err
	}
	hole := int(s.ContentsLength) - len("<>")
	if 2*len(stamped) > hole {
		return fmt.Errorf("%w: %d bytes needed, %d there", ErrNoRoom, len(stamped), hole/2)
	}
	const digits = "0123456789abcdef"
	text := make([]byte, hole)
	for k := range text {
		text[k] = '0'
	}
	for k, b := range stamped {
		text[2*k], text[2*k+1] = digits[b>>4], digits[b&15]
	}
	j.judged = false
	if _, err := j.out.WriteAt(text, s.ContentsOffset+1); err != nil {
		return fmt.Errorf("write the time-stamp: %w", err)
	}
	j.done = append(j.done, fmt.Sprintf("time-stamp over the signature in %q", s.Field))
	return nil
}

// store adds validation data for what the file's own does not settle, and, when another
// document time-stamp is to follow, fresh data about the authority of the last one: that
// is what the new one keeps (EN 319 142-1, 5.4.3).
func (j *job) store(renewal bool) error {
	all := &longterm.Material{}
	var entries []pdf.SignatureData
	last := len(j.rep.Signatures) - 1
	for i := range j.rep.Signatures {
		s := &j.rep.Signatures[i]
		renew := renewal && i == last && s.IsTimeStamp()
		if s.Settled() && s.Reached() != string(LevelT) && !renew {
			continue
		}
		m, err := j.collect(i)
		if err != nil {
			return fmt.Errorf("validation data for %q: %w", j.sigs[i].Field, err)
		}
		all.Add(m)
		entries = append(entries, pdf.SignatureData{Contents: j.sigs[i].Contents, ValidationData: data(m)})
	}
	if len(entries) == 0 {
		return nil
	}
	tail, err := j.doc.PlanDSS(data(all), entries...)
	if err != nil || tail == nil {
		return err
	}
	return j.write(tail, fmt.Sprintf("validation data: %d certificates, %d OCSP responses, %d lists", len(all.Certs), len(all.OCSPs), len(all.CRLs)))
}

func data(m *longterm.Material) pdf.ValidationData {
	return pdf.ValidationData{Certs: m.Certs, OCSPs: m.OCSPs, CRLs: m.CRLs}
}

// collect asks the authorities about one signature or document time-stamp.
func (j *job) collect(i int) (*longterm.Material, error) {
	if j.cfg.Collector == nil {
		return nil, fmt.Errorf("%w: no validation data can be asked for", ErrLevel)
	}
	der, err := j.sigs[i].CMS()
	if err != nil {
		return nil, err
	}
	if j.rep.Signatures[i].IsTimeStamp() {
		rng, err := j.sigs[i].Range()
		if err != nil {
			return nil, err
		}
		return j.cfg.authority(j.ctx, der, func(h crypto.Hash) ([]byte, error) { return pdf.HashRange(j.ctx, j.out, rng, h) })
	}
	sd, err := cms.Parse(der)
	if err != nil {
		return nil, err
	}
	si, err := sd.Signer()
	if err != nil {
		return nil, err
	}
	s := &j.rep.Signatures[i]
	if s.Proven == nil || s.Certificate() == nil {
		return nil, fmt.Errorf("%w: its time is not proven", ErrReached)
	}
	chain := [][]byte{s.Certificate().Raw}
	for _, c := range sd.Certificates() {
		chain = append(chain, c.Raw)
	}
	after := *s.Proven
	if j.cfg.Current {
		after = time.Time{}
	}
	m, err := j.cfg.Collector.Signer(j.ctx, chain, *s.Proven, after, j.cfg.pool()...)
	if err != nil {
		return nil, err
	}
	for _, token := range si.TimeStampTokens() {
		more, err := j.cfg.authority(j.ctx, token, func(h crypto.Hash) ([]byte, error) {
			w := h.New()
			w.Write(si.Signature)
			return w.Sum(nil), nil
		})
		if err != nil {
			return nil, err
		}
		m.Add(more)
	}
	return m, nil
}

// authority collects about the authority of a token, whatever hash it is over.
func (c *Config) authority(ctx context.Context, token []byte, imprint func(crypto.Hash) ([]byte, error)) (*longterm.Material, error) {
	h, err := tsp.ImprintHash(token)
	if err != nil {
		return nil, err
	}
	sum, err := imprint(h)
	if err != nil {
		return nil, err
	}
	return c.Collector.TimeStamp(ctx, token, h, sum, c.pool()...)
}

// seal adds a document time-stamp over the whole file (EN 319 142-1, 5.4.3). What is
// known of its authority follows in another update if the file does not have it.
func (j *job) seal(what string) error {
	if len(j.sigs) >= validate.MaxSignatures {
		return fmt.Errorf("%w: %d signatures and time-stamps are in %s", ErrFull, len(j.sigs), j.name)
	}
	tail, p, err := j.doc.PlanSignature(pdf.SignOptions{SubFilter: pdf.SubFilterRFC3161, Hash: j.cfg.Hash, Reserve: tokenRoom, Time: j.cfg.Now()})
	if err != nil {
		return fmt.Errorf("document time-stamp: %w", err)
	}
	if _, err := j.out.WriteAt(tail, j.size); err != nil {
		return fmt.Errorf("write at offset %d: %w", j.size, err)
	}
	digest, err := pdf.HashRange(j.ctx, j.out, p.ByteRange, j.cfg.Hash)
	if err != nil {
		return err
	}
	token, _, err := j.cfg.Stamper.Stamp(j.ctx, j.cfg.Hash, digest)
	if err != nil {
		return err
	}
	if err := pdf.Embed(j.out, p, token); err != nil {
		return err
	}
	j.size = p.Size
	j.done = append(j.done, what)
	return j.look()
}

// sealed adds what the file does not have of the authority of its last document
// time-stamp, so that a verifier need not ask.
func (j *job) sealed() error {
	last := len(j.rep.Signatures) - 1
	if last < 0 || j.rep.Signatures[last].Settled() {
		return nil
	}
	m, err := j.collect(last)
	if err != nil {
		return fmt.Errorf("validation data for %q: %w", j.sigs[last].Field, err)
	}
	tail, err := j.doc.PlanDSS(data(m))
	if err != nil || tail == nil {
		return err
	}
	return j.write(tail, "validation data of the time-stamp's authority")
}
