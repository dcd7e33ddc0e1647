package validate

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// ArchiveTimeStamp is the kind of an ArchiveTimeStamp of XAdES in a report.
const ArchiveTimeStamp = "archive time-stamp"

// archives judges the archive time-stamps of a signature (EN 319 132-1, 5.5.2): each is
// over the signed data, the signature, and all of its properties that come before.
func (j *judge) archives(d *xmlsig.Document, in *xmlsig.Signature, of *Signature) []Signature {
	if in.Properties == nil {
		return nil
	}
	var out []Signature
	for _, st := range in.Properties.Archives {
		s := Signature{Field: st.ID, Kind: ArchiveTimeStamp, SubFilter: "XAdES", Verdict: Valid, Status: passed(), Level: ArchiveTimeStamp,
			Scope: fmt.Sprintf("the signature %q with its data, and the %d of its unsigned properties that come before", in.ID, st.Before),
			Parts: []Part{{Start: in.Element.Start, End: in.Element.End, Words: "the signature, up to this time-stamp"}}}
		switch {
		case of.SubIndication == SignedDataNotFound && !d.AtHand(in):
			s.doubt(SignedDataNotFound, "it is over a file that is not at hand")
		case errors.Is(st.Err, xmlsig.ErrUnsupported):
			s.doubt(SigConstraintsFailure, "%v", st.Err)
		case st.Err != nil:
			s.fail(FormatFailure, "%v", st.Err)
		default:
			j.stamp(&s, st.Token, func(h crypto.Hash) ([]byte, error) { return d.ArchiveImprint(j.r, in, st, h, c14n.Limits{}) })
		}
		if len(s.Stamps) > 0 {
			s.Signer, s.Chain = s.Stamps[0].Authority, s.Stamps[0].Chain
		}
		out = append(out, s)
	}
	return out
}

// proof gives the time at which what stands behind so many unsigned properties is proven to
// have existed: the earliest of the good archive time-stamps that are over it. What stands behind
// one, or beside it in the same property, is not covered by it.
func (j *judge) proof(before int, archives []Signature, in *xmlsig.Signature) time.Time {
	poe := j.opt.Now
	for i := range archives {
		a := &archives[i]
		if in.Properties.Archives[i].Before > before && a.Verdict == Valid && a.Proven != nil && a.Proven.Before(poe) {
			poe = *a.Proven
		}
	}
	return poe
}

// xmlAuthorities judges those of the archive time-stamps, the last one first.
func (j *judge) xmlAuthorities(archives []Signature, in *xmlsig.Signature, open *material, anchors []*pkix.Certificate) {
	for i := len(archives) - 1; i >= 0; i-- {
		a := &archives[i]
		if poe := j.proof(in.Properties.Archives[i].Before, archives, in); len(a.Stamps) == 1 && poe.Before(j.opt.Now) {
			a.Stamps[0].existed = poe
		}
		j.authority(a, open, anchors)
	}
}

// xmlTimes decides what each time-stamp of a signature proves, as times does for a PDF: an archive
// time-stamp is over all properties that come before its own.
func (j *judge) xmlTimes(s *Signature, archives []Signature, in *xmlsig.Signature) {
	for i := len(archives) - 1; i >= 0; i-- {
		poe := j.proof(in.Properties.Archives[i].Before, archives, in)
		j.settle(&archives[i], func(*Stamp) time.Time { return poe })
	}
	j.settle(s, func(st *Stamp) time.Time { return j.proof(st.before, archives, in) })
	s.aged(j.when(s))
	for i := range archives {
		a, before := &archives[i], in.Properties.Archives[i].Before
		if s.Verdict != NotValid {
			for _, st := range s.Stamps {
				a.younger(st, st.before < before)
			}
		}
		for k := range archives {
			if o := &archives[k]; len(o.Stamps) == 1 && o.Verdict != NotValid {
				a.younger(o.Stamps[0], in.Properties.Archives[k].Before < before)
			}
		}
	}
}

// younger doubts a time-stamp that covers another and is the older.
func (s *Signature) younger(o Stamp, covered bool) {
	if covered && o.Trusted && s.Proven != nil && s.Proven.Add(skew).Before(o.Time) {
		s.doubt(TimestampOrderFailure, "its time-stamp says %s, and it covers one that says %s", stampTime(*s.Proven), stampTime(o.Time))
	}
}

// xmlOpen is all the validation data that a signature carries (EN 319 132-1, 5.4 and
// 5.5.1), not sealed by anything.
func (j *judge) xmlOpen(in *xmlsig.Signature, rep *Report) *material {
	m := &material{at: j.opt.Now, level: "B-LT"}
	if in.Properties != nil {
		all := in.Properties.Values(-1)
		m.take(j.memory, all.Certs, all.CRLs, all.OCSPs, all.Bad, rep)
	}
	return m
}

// xmlStatus is status for a signature of XML: each carries its own validation data,
// and an archive time-stamp seals what comes before it.
func (j *judge) xmlStatus(s *Signature, archives []Signature, open *material, in *xmlsig.Signature, anchors []*pkix.Certificate, rep *Report) {
	var sealed []*material
	for i := range archives {
		a := &archives[i]
		if a.Verdict != Valid || a.Proven == nil {
			continue
		}
		at := in.Properties.Archives[i].Before
		if slices.ContainsFunc(s.Stamps, func(st Stamp) bool { return st.Trusted && st.before >= at }) {
			continue // not over all that proves the time
		}
		before := in.Properties.Values(at)
		m := &material{at: *a.Proven, level: "B-LTA"}
		m.take(j.memory, before.Certs, before.CRLs, before.OCSPs, 0, rep)
		sealed = append(sealed, m)
	}
	j.signer(s, sealed, open, anchors)
}
