package verify

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/assent-sign/assent/internal/der"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/revocation"
)

// timeStamping is id-kp-timeStamping (RFC 5280, 4.2.1.12).
const timeStamping der.OID = "\x2b\x06\x01\x05\x05\x07\x03\x08"

// skew is how far the clocks of authorities may differ.
const skew = time.Minute

// material is the validation data of one revision of the file, read but not
// believed.
type material struct {
	at        time.Time // when it is proven to have existed
	level     string
	pool      []*pkix.Certificate
	crls      []*revocation.CRL
	responses []*revocation.Response
}

// status says of every signature whether its certificates were good when it was
// made, by what the file carries (EN 319 142-1, 5.4). The strongest proof comes
// first: data under a document time-stamp (B-LTA), else data that stands open
// (B-LT).
func (j *judge) status(doc *pdf.Document, rep *Report) {
	anchors := parsed(j.opt.Anchors)
	if len(anchors) == 0 {
		return
	}
	var all []*material
	for i := range rep.Signatures {
		s := &rep.Signatures[i]
		if s.Kind != "document time-stamp" || s.Verdict != Valid || s.Proven == nil {
			continue
		}
		old, err := pdf.Open(io.NewSectionReader(j.r, 0, s.Covers), s.Covers, j.opt.Limits)
		if err == nil {
			all = append(all, read(old, *s.Proven, "B-LTA", rep))
		}
	}
	open := read(doc, j.opt.Now, "B-LT", rep)
	all = append(all, open)
	for i := range rep.Signatures {
		s := &rep.Signatures[i]
		if s.certificate == nil || s.Verdict == NotValid || s.Proven == nil || len(s.Chain) == 0 {
			continue
		}
		// Open data whose time is over still tells about its own time.
		last := *open
		last.at = *s.Proven
		for _, m := range append(all, &last) {
			if m != nil && !m.at.Before(*s.Proven) && j.decide(s, m, anchors) {
				break
			}
		}
	}
}

// read takes the security store of a revision; nil if there is none.
func read(doc *pdf.Document, at time.Time, level string, rep *Report) *material {
	dss, err := doc.DSS()
	if err != nil {
		rep.note("the validation data in the file cannot be read: %v", err)
	}
	m := &material{at: at, level: level}
	if dss == nil {
		return m
	}
	bad := 0
	for _, raw := range dss.Certs {
		if c, err := pkix.Parse(raw); err == nil {
			m.pool = append(m.pool, c)
		} else {
			bad++
		}
	}
	for _, raw := range dss.CRLs {
		if c, err := revocation.ParseCRL(raw); err == nil {
			m.crls = append(m.crls, c)
		} else {
			bad++
		}
	}
	for _, raw := range dss.OCSPs {
		if r, err := revocation.ParseResponse(raw); err == nil {
			m.responses = append(m.responses, r)
		} else {
			bad++
		}
	}
	if bad > 0 {
		rep.note("%d items of the validation data in the file cannot be read", bad)
	}
	return m
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

// decide tells whether the material settles the matter: the signer's path and
// those of the time-stamp authorities are good, or a certificate was revoked.
func (j *judge) decide(s *Signature, m *material, anchors []*pkix.Certificate) bool {
	words, err := j.path(append([]*x509.Certificate{s.certificate}, s.others...), m, anchors, *s.Proven, pkix.Config{Usage: pkix.DigitalSignature | pkix.ContentCommitment})
	for i := 0; err == nil && i < len(s.Stamps); i++ {
		_, err = j.path(s.Stamps[i].chain, m, anchors, s.Stamps[i].Time, pkix.Config{Purpose: timeStamping, Strict: true})
	}
	var revoked *revocation.RevokedError
	switch {
	case errors.As(err, &revoked):
		s.Revocation = fmt.Sprintf("revoked on %s (%s)", stampTime(revoked.At), revoked.Reason)
		s.fail("the certificate %s was revoked on %s (%s), before the signature is proven to have existed", revoked.Certificate, stampTime(revoked.At), revoked.Reason)
		return true
	case err != nil:
		return false
	}
	s.Revocation = words
	if s.Level == "B-T" {
		s.Level = m.level
	}
	return true
}

// path builds a path at the proven time and asks the material about it.
func (j *judge) path(chain []*x509.Certificate, m *material, anchors []*pkix.Certificate, proven time.Time, want pkix.Config) (words string, err error) {
	known := parsed(chain)
	if len(known) == 0 || !bytes.Equal(known[0].Raw, chain[0].Raw) {
		return "", errors.New("the certificate cannot be read")
	}
	want.Anchors, want.Pool, want.At = anchors, append(known[1:], m.pool...), proven
	p, err := pkix.Build(j.ctx, known[0], want)
	if err != nil {
		return "", err
	}
	k, err := revocation.New(revocation.Config{At: m.at, Existed: proven, Skew: skew, Pool: m.pool, CRLs: m.crls, Responses: m.responses})
	if err != nil {
		return "", err
	}
	findings, err := k.Check(j.ctx, p)
	if err != nil {
		return "", err
	}
	words = "good, by what the file carries"
	for _, f := range findings {
		if !f.RevokedAt.IsZero() {
			words = fmt.Sprintf("good when it was used; %s was revoked later, on %s (%s)", f.Certificate, stampTime(f.RevokedAt), f.Reason)
		}
	}
	return words, nil
}

func parsed(list []*x509.Certificate) (out []*pkix.Certificate) {
	for _, c := range list {
		if p, err := pkix.Parse(c.Raw); err == nil {
			out = append(out, p)
		}
	}
	return out
}
