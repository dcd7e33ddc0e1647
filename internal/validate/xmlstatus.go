package validate

import (
	"crypto"
	"errors"
	"fmt"

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
		case of.SubIndication == SignedDataNotFound:
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

// xmlTimes decides what each time-stamp of a signature proves, as times does for a PDF: an archive
// time-stamp is over all that come before it.
func (j *judge) xmlTimes(s *Signature, archives []Signature) {
	poe := j.opt.Now
	for i := len(archives) - 1; i >= 0; i-- {
		a := &archives[i]
		j.settle(a, poe)
		if a.Verdict == Valid && a.Proven != nil && a.Proven.Before(poe) {
			poe = *a.Proven
		}
	}
	j.settle(s, poe)
	covered := []*Signature{s}
	for i := range archives {
		a := &archives[i]
		for _, o := range covered {
			if a.Proven != nil && o.Proven != nil && o.Verdict != NotValid && a.Proven.Add(skew).Before(*o.Proven) {
				a.doubt(TimestampOrderFailure, "its time-stamp says %s, and it covers one that says %s", stampTime(*a.Proven), stampTime(*o.Proven))
			}
		}
		covered = append(covered, a)
	}
}

// xmlOpen is all the validation data that a signature carries (EN 319 132-1, 5.4 and
// 5.5.1), not sealed by anything.
func (j *judge) xmlOpen(in *xmlsig.Signature, rep *Report) *material {
	m := &material{at: j.opt.Now, level: "B-LT"}
	if in.Properties != nil {
		all := in.Properties.Values(-1)
		m.take(all.Certs, all.CRLs, all.OCSPs, all.Bad, rep)
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
		before := in.Properties.Values(in.Properties.Archives[i].Before)
		m := &material{at: *a.Proven, level: "B-LTA"}
		m.take(before.Certs, before.CRLs, before.OCSPs, 0, rep)
		sealed = append(sealed, m)
	}
	j.signer(s, sealed, open, anchors)
}
