package validate

import (
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/revocation"
)

// maxMoments bounds at how many times statements are asked that are not current any more.
const maxMoments = 64

// bad tells whether any statement of the file says that a certificate of the signer or of
// a time-stamp's authority was revoked before the time that is proven, and doubts
// time-stamps of authorities whose key may have been stolen. That a certificate was revoked stays
// true when the statement would be replaced: each is asked at a time when it was
// current. Otherwise what is not valid would become valid by waiting.
func (j *judge) bad(s *Signature, all []*material, anchors []*pkix.Certificate) bool {
	if s.certificate != nil && j.revoked(s, s.own(), all, anchors, j.when(s), nil) {
		return true
	}
	for i := range s.Stamps {
		if !s.Stamps[i].Trusted && s.Kind == kindSignature {
			continue // it proves nothing already
		}
		if j.revoked(s, s.Stamps[i].chain, all, anchors, s.Stamps[i].Time, &s.Stamps[i]) {
			return true
		}
	}
	return false
}

// quiet is a question to which no statement answered that anything was revoked. The answer is the same for whatever else the path was
// used for: a file that was renewed fifty times asks the same about one time-stamp authority for each pair of its time-stamps.
type quiet struct {
	m    *material
	at   int64 // nanoseconds since 1970
	path [pkix.MaxChain]*pkix.Certificate
}

// revoked asks all the material about one chain that was used at a proven time: that of
// the signer, or of a time-stamp.
func (j *judge) revoked(s *Signature, chain []*x509.Certificate, all []*material, anchors []*pkix.Certificate, proven time.Time, of *Stamp) bool {
	want := signing()
	if of != nil {
		want = stamping()
	}
	told := map[string]bool{}
	for _, m := range all {
		if j.ctx.Err() != nil {
			return false // File reports it
		}
		moments := m.moments(proven, j.opt.Now)
		if len(moments) > maxMoments {
			s.doubt(TryLater, "the file carries statements of more than %d times; not all were asked whether a certificate was revoked", maxMoments)
			moments = moments[:maxMoments]
		}
		wide := j.wide(m)
		p, err := j.leads(chain, wide, anchors, proven, want)
		if errors.Is(err, pkix.ErrBounds) {
			s.doubt(TryLater, "the file carries more certificates than a path is looked for among; whether a certificate was revoked was not asked: %v", err)
		}
		if err != nil {
			continue
		}
		for _, at := range moments {
			q := quiet{m: m, at: at.UnixNano()}
			copy(q.path[:], p.Chain)
			if j.quiet[q] {
				continue
			}
			then := *wide
			then.at = at
			k, err := j.checker(&then, proven, time.Time{})
			if err != nil {
				s.doubt(TryLater, "the file carries more statements than are asked whether a certificate was revoked: %v", err)
				break
			}
			later, err := k.Revocations(j.ctx, p)
			if s.refuted(err) {
				return true
			}
			if err == nil && !k.Heard() && len(p.Chain) <= len(q.path) {
				j.quiet[q] = true
			}
			if of != nil {
				s.stolen(of, later, told)
			}
		}
	}
	return false
}

// wide is material with the certificates from wherever in the file beside its own: what stands in it is asked also where the certificate of
// its issuer stands in the newest security store or in a message only. Who made the file chose that.
func (j *judge) wide(m *material) *material {
	if m.wide == nil {
		out := *m
		out.pool = distinct(slices.Concat(m.pool, j.pool))
		m.wide = &out
	}
	return m.wide
}

// moments are the times to ask the material at: its own, the proven one, and for each statement
// that is current at neither the time when it was made, if that is not to come.
func (m *material) moments(proven, now time.Time) []time.Time {
	out := []time.Time{m.at}
	if !proven.Equal(m.at) {
		out = append(out, proven)
	}
	var spans []revocation.Span
	for _, c := range m.crls {
		spans = append(spans, c.Spans()...)
	}
	for _, r := range m.responses {
		spans = append(spans, r.Spans()...)
	}
	slices.SortFunc(spans, func(a, b revocation.Span) int { return b.From.Compare(a.From) }) // the latest news first
	for _, v := range spans {
		if len(out) > maxMoments {
			break
		}
		if v.Until.IsZero() {
			v.Until = v.From.Add(revocation.DefaultMaxAge)
		}
		asked := slices.ContainsFunc(out, func(at time.Time) bool { return !v.From.After(at.Add(skew)) && !v.Until.Before(at.Add(-skew)) })
		if !asked && !v.From.After(now.Add(skew)) {
			out = append(out, v.From)
		}
	}
	return out
}

// since is the material at each time, from the proven one on, at which one of its statements was
// current. What is not current any more when the question is asked still tells of its own time,
// which is as good if the signature was there before (EN 319 102-1, 5.2.5, for a time that is proven).
func (m *material) since(proven time.Time) []*material {
	if m == nil {
		return nil
	}
	var out []*material
	for _, at := range m.moments(proven, m.at) {
		if len(out) < maxMoments && !at.Before(proven) && !at.After(m.at.Add(skew)) {
			then := *m
			then.at = at
			out = append(out, &then)
		}
	}
	// The latest news first: what was revoked since is told.
	slices.SortStableFunc(out, func(a, b *material) int { return b.at.Compare(a.at) })
	return out
}

// stolen doubts a time-stamp whose authority was revoked afterwards for a reason
// that may mean that somebody else has its key: who has it can claim any time (RFC
// 3161, section 4), unless a later time-stamp shows that this one was there before.
func (s *Signature) stolen(of *Stamp, findings []revocation.Finding, told map[string]bool) {
	for _, f := range findings {
		switch f.Reason {
		case revocation.AffiliationChanged, revocation.Superseded, revocation.CessationOfOperation:
			continue
		}
		if told[string(f.Certificate.Raw)] || !of.existed.IsZero() && of.existed.Before(f.RevokedAt) {
			continue
		}
		told[string(f.Certificate.Raw)] = true
		s.doubt(NoPOE, "%s, of the time-stamp's authority, was revoked on %s (%s); with its key any time can be claimed", f.Certificate, stampTime(f.RevokedAt), f.Reason)
	}
}
