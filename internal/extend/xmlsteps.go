package extend

import (
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/assent-sign/assent/internal/augment"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// maxToken bounds a time-stamp token; real ones with a full chain are 2 to 8 KiB.
const maxToken = 64 << 10

var errToken = errors.New("extend: a time-stamp token of a size that is not possible")

// overValue is what a time-stamp over the value is over.
var overValue = xmlsig.Stamp{Form: c14n.Job{Method: c14n.Exclusive}}

// overAll is what an archive time-stamp behind all properties is over, and the canonicalization method's name.
func (j *xmlJob) overAll(in *xmlsig.Signature) (xmlsig.Stamp, string) {
	st := xmlsig.Stamp{Form: c14n.Job{Method: c14n.Exclusive}, Before: len(in.Properties.Unsigned)}
	if j.doc.NodeSets(in) {
		st.Form.Method = c14n.Inclusive10
		return st, augment.Inclusive
	}
	return st, augment.Exclusive
}

// prove gives a signature whose time is not proven a time-stamp over its value.
func (j *xmlJob) prove(i int) error {
	if j.judged(i).Proven != nil {
		return nil
	}
	in := &j.doc.Signatures[i]
	if err := room(in); err != nil {
		return err
	}
	imprint, err := j.doc.Imprint(j.now, in, overValue, j.cfg.Hash, c14n.Limits{})
	if err != nil {
		return err
	}
	id, token, err := j.stamp(imprint)
	if err != nil {
		return err
	}
	j.add(i, "time-stamp over the signature %q", writer.SignatureTimeStamp(id, token))
	return nil
}

// room refuses a further time-stamp of a signature that has as many as are judged.
func room(in *xmlsig.Signature) error {
	if n := len(in.Properties.Stamps) + len(in.Properties.Archives); n >= xmlsig.MaxStamps {
		return fmt.Errorf("%w: %d", ErrFull, n)
	}
	return nil
}

// fullIf says of an extended document, which was valid, that its time-stamps cost more reading than verifiers do.
func fullIf(err error) error {
	if errors.Is(err, xmlsig.ErrTooLarge) || errors.Is(err, xmlsig.ErrWork) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

func (j *xmlJob) stamp(imprint []byte) (id string, token []byte, err error) {
	token, _, err = j.cfg.Stamper.Stamp(j.ctx, j.cfg.Hash, imprint)
	if err != nil {
		return "", nil, err
	}
	if len(token) == 0 || len(token) > maxToken {
		return "", nil, fmt.Errorf("%w: %d bytes; %d are possible", errToken, len(token), maxToken)
	}
	random := make([]byte, 16)
	if _, err := io.ReadFull(rand.Reader, random); err != nil {
		return "", nil, err
	}
	return "ts-" + hex.EncodeToString(random), token, nil
}

// keep adds validation data for what the signature's own does not settle, and, when a further archive
// time-stamp is to follow, fresh data about the authority of the last one: that is what the new one keeps (EN 319
// 132-1, 5.5.1 and 5.5.2).
func (j *xmlJob) keep(i int, renewal bool) error {
	in, s := &j.doc.Signatures[i], j.judged(i)
	if !s.Settled() || s.Level == string(LevelT) {
		if err := j.keepSigner(i); err != nil {
			return err
		}
	}
	archives := j.archives(i)
	for k := range archives {
		if archives[k].Settled() && !(renewal && k == len(archives)-1) {
			continue
		}
		if err := j.keepAuthority(i, in.Properties.Archives[k]); err != nil {
			return err
		}
	}
	return nil
}

// keepSigner adds what there is to say of the signer and of the time-stamps over the value.
func (j *xmlJob) keepSigner(i int) error {
	in, s := &j.doc.Signatures[i], j.judged(i)
	if s.Proven == nil || s.Certificate() == nil {
		return fmt.Errorf("%w: its time is not proven", ErrReached)
	}
	chain := [][]byte{s.Certificate().Raw}
	for _, der := range append(append([][]byte{}, in.Certs...), in.Properties.Values(-1).Certs...) {
		if _, err := pkix.Parse(der); err == nil { // what cannot be read helps no path
			chain = append(chain, der)
		}
	}
	after := *s.Proven
	if j.cfg.Current {
		after = time.Time{}
	}
	m, err := j.cfg.Collector.Signer(j.ctx, chain, *s.Proven, after, j.cfg.pool()...)
	if err != nil {
		return fmt.Errorf("validation data of the signer: %w", err)
	}
	what := fmt.Sprintf("validation data for %%q: %d certificates, %d OCSP responses, %d lists", len(m.Certs), len(m.OCSPs), len(m.CRLs))
	if hasValues(in.Properties) {
		j.add(i, what, writer.AnyValidationData(m))
	} else {
		j.added[i] = append(j.added[i], writer.Values(m)...)
		j.done = append(j.done, fmt.Sprintf(what, in.ID))
	}
	for _, st := range in.Properties.Stamps {
		m, err := j.cfg.authority(j.ctx, st.Token, func(h crypto.Hash) ([]byte, error) { return j.doc.Imprint(j.now, in, st, h, c14n.Limits{}) })
		if err != nil {
			return fmt.Errorf("validation data of the time-stamp's authority: %w", err)
		}
		j.add(i, "validation data of the time-stamp's authority, for %q", writer.TimeStampValidationData(name(st.ID), m))
	}
	return nil
}

// hasValues: CertificateValues and RevocationValues are there at most once (EN 319 132-1, 6.3).
func hasValues(p *xmlsig.Properties) bool {
	for _, u := range p.Unsigned {
		if u.Name == "CertificateValues" || u.Name == "RevocationValues" {
			return true
		}
	}
	return false
}

func (j *xmlJob) keepAuthority(i int, st xmlsig.Stamp) error {
	in := &j.doc.Signatures[i]
	m, err := j.about(in, st)
	if err != nil {
		return fmt.Errorf("validation data of the archive time-stamp's authority: %w", err)
	}
	j.add(i, "validation data of the archive time-stamp's authority, for %q", writer.TimeStampValidationData(name(st.ID), m))
	return nil
}

func (j *xmlJob) about(in *xmlsig.Signature, st xmlsig.Stamp) (*longterm.Material, error) {
	return j.cfg.authority(j.ctx, st.Token, func(h crypto.Hash) ([]byte, error) { return j.doc.ArchiveImprint(j.now, in, st, h, c14n.Limits{}) })
}

// archive adds an archive time-stamp over the signature, its data, and all properties that it has (EN 319 132-1, 5.5.2).
func (j *xmlJob) archive(i int) error {
	in := &j.doc.Signatures[i]
	if err := room(in); err != nil {
		return err
	}
	over, method := j.overAll(in)
	imprint, err := j.doc.ArchiveImprint(j.now, in, over, j.cfg.Hash, c14n.Limits{})
	if err != nil {
		return err
	}
	id, token, err := j.stamp(imprint)
	if err != nil {
		return err
	}
	what := "archive time-stamp over %q"
	if len(in.Properties.Archives) > 0 {
		what = "further archive time-stamp over %q"
	}
	j.add(i, what, writer.ArchiveTimeStamp(id, method, token))
	return nil
}

// archived adds what the signature does not have of the authority of its last archive time-stamp, so that a
// verifier need not ask.
func (j *xmlJob) archived(i int) error {
	archives := j.archives(i)
	last := len(archives) - 1
	if last < 0 || archives[last].Settled() {
		return nil
	}
	return j.keepAuthority(i, j.doc.Signatures[i].Properties.Archives[last])
}

// name is an identifier that can stand in a reference as it is; others are left out, since validation data
// need not say what it is for.
func name(id string) string {
	for i, c := range id {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '.')) {
			return ""
		}
	}
	return id
}
