package validate

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/revocation"
)

// skew is how far the clocks of authorities may differ.
const skew = time.Minute

// maxSealed bounds the validation data that is read of all revisions together, in bytes: each has all of
// those before it.
const maxSealed = 256 << 20

// material is the validation data of one revision of the file, read but not
// believed.
type material struct {
	at        time.Time // when it is proven to have existed
	level     string
	covers    int64 // of the document time-stamp above it
	by        int   // which signature of the report that is
	pool      []*pkix.Certificate
	crls      []*revocation.CRL
	responses []*revocation.Response
	inside    bool      // some of it stands in messages and not where a level wants it
	wide      *material // this with all certificates of the file, once it was asked for
}

// authorities judges those of the document time-stamps, the last one first: by what
// stands open, and by what later time-stamps of good authorities cover. Whoever was
// revoked proves nothing about anything. What each time-stamp covers is kept for status.
func (j *judge) authorities(rep *Report, open *material) {
	anchors := j.parsed(j.opt.Anchors)
	if len(anchors) == 0 {
		return
	}
	j.past = j.older(rep, open)
	for i := len(rep.Signatures) - 1; i >= 0; i-- {
		s := &rep.Signatures[i]
		if s.Kind != kindStamp || j.ctx.Err() != nil {
			continue
		}
		j.authority(s, open, anchors)
		if s.Verdict != Valid || s.Proven == nil {
			continue
		}
		old, err := pdf.OpenWith(io.NewSectionReader(j.r, 0, s.Covers), s.Covers, j.opt.Limits, j.opt.Password)
		if err == nil {
			if j.stored > maxSealed {
				rep.note("the file has more validation data than is looked through; that of earlier revisions does not count")
				return
			}
			m := j.read(old, *s.Proven, "B-LTA", rep)
			m.covers, m.by = s.Covers, i
			j.sealed = append([]*material{m}, j.sealed...)
		}
	}
	j.stamped(rep, open, anchors)
}

// stamped judges the authorities of the time-stamps over signatures, when it is known which of those of the document hold.
func (j *judge) stamped(rep *Report, open *material, anchors []*pkix.Certificate) {
	all := j.told(j.sealed, open)
	for i := range rep.Signatures {
		s := &rep.Signatures[i]
		if s.Kind != kindSignature {
			continue
		}
		for k := range s.Stamps {
			for _, m := range j.sealed {
				if st := &s.Stamps[k]; m.covers > s.Covers && (st.existed.IsZero() || m.at.Before(st.existed)) {
					st.existed = m.at
				}
			}
		}
		j.distrust(s, all, anchors)
	}
}

// status says of every signature of a PDF whether its certificates were good when it was
// made, by what the file carries (EN 319 142-1, 5.4). Any verified revocation, from
// wherever in the file, is looked for first: sealed good news does not outweigh bad
// news that came later. Then the strongest proof counts: data under a document
// time-stamp that covers the signature (B-LTA), else data that stands open (B-LT).
func (j *judge) status(open *material, rep *Report) {
	anchors := j.parsed(j.opt.Anchors)
	if len(anchors) == 0 {
		return
	}
	var sealed []*material
	for _, m := range j.sealed {
		if by := &rep.Signatures[m.by]; by.Verdict == Valid && by.Proven != nil {
			sealed = append(sealed, m)
		}
	}
	for i := range rep.Signatures {
		if s := &rep.Signatures[i]; s.Kind == kindSignature && j.ctx.Err() == nil {
			j.signer(s, sealed, open, anchors)
		}
	}
}

// signer judges one signature by all there is. One whose time nothing proves is asked about as
// it is now.
func (j *judge) signer(s *Signature, sealed []*material, open *material, anchors []*pkix.Certificate) {
	if s.certificate == nil || s.Verdict == NotValid || len(s.Chain) == 0 {
		return
	}
	if j.bad(s, j.told(sealed, open), anchors) {
		return
	}
	if s.Proven == nil {
		if !j.good(s, open, anchors, time.Time{}) && j.inside != nil {
			j.good(s, j.inside, anchors, time.Time{})
		}
		return
	}
	var all []*material
	for _, m := range append(slices.Clone(sealed), open) {
		if m.level == "B-LT" || m.covers >= s.Covers {
			all = append(all, m.since(*s.Proven)...)
		}
	}
	all = append(all, j.inside.since(*s.Proven)...)
	for _, after := range []time.Time{s.Proven.Truncate(time.Second), {}} {
		for _, m := range all {
			if j.ctx.Err() != nil || j.good(s, m, anchors, after) {
				return
			}
		}
	}
}

// when is the time at which a signature is judged.
func (j *judge) when(s *Signature) time.Time {
	if s.Proven != nil {
		return *s.Proven
	}
	return j.opt.Now
}

// authority judges the authority of a document or archive time-stamp: data that is only
// under the stamp itself cannot speak for it.
func (j *judge) authority(s *Signature, open *material, anchors []*pkix.Certificate) {
	if s.Verdict == NotValid || len(s.Stamps) != 1 || s.Proven == nil {
		return
	}
	all := open.since(*s.Proven)
	for _, m := range j.sealed {
		if m.covers > s.Covers {
			all = append(all, m.since(*s.Proven)...)
			if st := &s.Stamps[0]; st.existed.IsZero() || m.at.Before(st.existed) {
				st.existed = m.at
			}
		}
	}
	all = append(all, j.inside.since(*s.Proven)...)
	if j.bad(s, j.told(j.sealed, open), anchors) {
		return
	}
	for _, m := range all {
		if j.ctx.Err() != nil {
			return
		}
		if _, err := j.path(s.Stamps[0].chain, m, anchors, *s.Proven, time.Time{}, stamping()); err == nil {
			s.Revocation, s.settled, s.within = "good, by what the file carries", true, m.inside
			return
		}
	}
}

// read takes the security store of a revision; empty if there is none.
func (j *judge) read(doc *pdf.Document, at time.Time, level string, rep *Report) *material {
	dss, err := doc.DSS()
	if err != nil {
		rep.note("the validation data in the file cannot be read: %v", err)
	}
	j.unread = j.unread || errors.Is(err, pdf.ErrLimit)
	m := &material{at: at, level: level}
	if dss == nil {
		return m
	}
	m.take(j.memory, dss.Certs, dss.CRLs, dss.OCSPs, 0, rep)
	for _, b := range slices.Concat(dss.Certs, dss.CRLs, dss.OCSPs) {
		j.stored += int64(len(b))
	}
	return m
}

// take reads what stands in a file as validation data; bad items are there already.
func (m *material) take(known *revocation.Memory, certs, crls, ocsps [][]byte, bad int, rep *Report) {
	for _, raw := range certs {
		if c, err := known.ParseCertificate(raw); err == nil {
			m.pool = append(m.pool, c)
		} else {
			bad++
		}
	}
	for _, raw := range crls {
		if c, err := known.ParseCRL(raw); err == nil {
			m.crls = append(m.crls, c)
		} else {
			bad++
		}
	}
	for _, raw := range ocsps {
		if r, err := known.ParseResponse(raw); err == nil {
			m.responses = append(m.responses, r)
		} else {
			bad++
		}
	}
	if bad > 0 {
		rep.note("%d items of the validation data in the file cannot be read", bad)
	}
}

func (r *Report) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, n := range r.Notes {
		if n == text {
			return
		}
	}
	r.Notes = append(r.Notes, text)
}

func stamping() pkix.Config { return pkix.Config{Purpose: pkix.PurposeTimeStamping, Strict: true} }

func signing() pkix.Config {
	return pkix.Config{Usage: pkix.DigitalSignature | pkix.ContentCommitment, Persons: true}
}

func (s *Signature) own() []*x509.Certificate {
	return append([]*x509.Certificate{s.certificate}, s.others...)
}

// refuted takes an error that says that a certificate was revoked in time.
func (s *Signature) refuted(err error) bool {
	var revoked *revocation.RevokedError
	if !errors.As(err, &revoked) {
		return false
	}
	s.Revocation = fmt.Sprintf("revoked on %s (%s)", stampTime(revoked.At), revoked.Reason)
	sub := RevokedNoPOE
	switch {
	case revoked.Reason == revocation.CertificateHold:
		sub = TryLater // it may be taken back (EN 319 102-1, 5.2.6.4)
	case !s.after.IsZero() && s.after.After(revoked.At):
		sub = Revoked
	case s.certificate == nil || !bytes.Equal(revoked.Certificate.Raw, s.certificate.Raw) && revoked.Certificate.IsCA:
		sub = RevokedCANoPOE
	}
	until := "before the time that is proven"
	if s.Proven == nil {
		until = "and nothing shows that the signature is older"
	}
	s.fail(sub, "the certificate %s was revoked on %s (%s), %s", revoked.Certificate, stampTime(revoked.At), revoked.Reason, until)
	return true
}

// good tells whether the material settles the matter: statements about the signer,
// made after a time, and about the authorities of the time-stamps are good.
func (j *judge) good(s *Signature, m *material, anchors []*pkix.Certificate, after time.Time) bool {
	mine, err := j.path(s.own(), m, anchors, j.when(s), after, signing())
	if err != nil {
		return false
	}
	for i := range s.Stamps {
		if !s.Stamps[i].Trusted {
			continue
		}
		if _, err := j.path(s.Stamps[i].chain, m, anchors, s.Stamps[i].Time, time.Time{}, stamping()); err != nil {
			return false
		}
	}
	s.Revocation, s.settled, s.within = "good, by what the file carries", !after.IsZero(), m.inside
	switch {
	case s.Proven == nil:
		s.Revocation, s.settled = "good at present, by what the file carries", true
	case after.IsZero():
		s.Revocation = "good before the signature was made, by what the file carries; whether it was revoked in between is not known"
	}
	for _, f := range mine {
		if f.Certificate.NoRevAvail && len(f.Evidence) == 0 {
			s.Revocation, s.settled = "its authority tells nobody of revocation, and the certificate says so (RFC 9608)", true
		}
		if !f.RevokedAt.IsZero() {
			s.Present = Status{Indication: InDoubt, SubIndication: RevokedNoPOE}
			s.Revocation = fmt.Sprintf("good when it was used; %s was revoked later, on %s (%s)", f.Certificate, stampTime(f.RevokedAt), f.Reason)
		}
	}
	if s.Level == "B-T" {
		s.Level = m.level
	}
	return true
}

// path builds a path at a proven time and asks the material about it.
func (j *judge) path(chain []*x509.Certificate, m *material, anchors []*pkix.Certificate, proven, after time.Time, want pkix.Config) ([]revocation.Finding, error) {
	p, err := j.leads(chain, m, anchors, proven, want)
	if err != nil {
		return nil, err
	}
	k, err := j.checker(m, proven, after)
	if err != nil {
		return nil, err
	}
	return k.Check(j.ctx, p)
}

// leads builds the path.
func (j *judge) leads(chain []*x509.Certificate, m *material, anchors []*pkix.Certificate, proven time.Time, want pkix.Config) (*pkix.Path, error) {
	if err := j.memory.Question(); err != nil {
		return nil, err
	}
	known := j.parsed(chain)
	if len(known) == 0 || !bytes.Equal(known[0].Raw, chain[0].Raw) {
		return nil, errors.New("the certificate cannot be read")
	}
	want.Anchors, want.Pool, want.At, want.Issued = anchors, slices.Concat(known[1:], m.pool, j.given), proven, j.memory.Issued
	if want.Purpose == pkix.PurposeTimeStamping {
		want.Anchors = j.parsed(j.opt.StampAnchors)
	}
	p, err := pkix.Build(j.ctx, known[0], want)
	return p, err
}

// checker answers for the material.
func (j *judge) checker(m *material, proven, after time.Time) (*revocation.Checker, error) {
	if err := j.memory.Question(); err != nil {
		return nil, err
	}
	return revocation.New(revocation.Config{At: m.at, After: after, Existed: proven, Skew: skew, Pool: slices.Concat(m.pool, j.given), CRLs: m.crls, Responses: m.responses, Memory: j.memory})
}

// hurried doubts all of a file whose statements and certificates cost more than is spent on one: what was
// not looked at could be that a certificate was revoked.
func (r *Report) hurried(j *judge) {
	if !j.memory.Exhausted() && !j.unread {
		return
	}
	const text = "the validation data in the file is too much to be looked through; whether a certificate was revoked cannot be told"
	r.note(text)
	for i := range r.Signatures {
		r.Signatures[i].doubt(TryLater, text)
	}
}

func (j *judge) parsed(list []*x509.Certificate) (out []*pkix.Certificate) {
	for _, c := range list {
		if p, err := j.memory.ParseCertificate(c.Raw); err == nil {
			out = append(out, p)
		}
	}
	return out
}
