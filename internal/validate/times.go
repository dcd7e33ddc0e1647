package validate

import (
	"crypto/x509"
	"time"
)

// times decides what each time-stamp of a PDF file proves. A time-stamp proves its time as
// long as its authority's certificates are valid, or for as long as a later document
// time-stamp proves that it existed while they were (EN 319 102-1, 5.6.2: past
// validation). So the last one is judged now, and each one below by the one above.
func (j *judge) times(rep *Report) {
	for i := len(rep.Signatures) - 1; i >= 0; i-- {
		s, poe := &rep.Signatures[i], j.opt.Now
		for _, o := range rep.Signatures[i+1:] {
			if o.Kind == kindStamp && o.Covers > s.Covers && o.Verdict == Valid && o.Proven != nil && o.Proven.Before(poe) {
				poe = *o.Proven
			}
		}
		j.settle(s, func(*Stamp) time.Time { return poe })
		// A document time-stamp shows when everything below it existed, as one over the
		// signature does (EN 319 142-1, 6.3: B-T by either).
		if s.Kind == kindSignature && s.certificate != nil && s.Proven == nil && poe.Before(j.opt.Now) {
			s.Proven = &poe
			if s.Level == "B-B" {
				s.Level = "B-T"
			}
		}
	}
	for i := range rep.Signatures {
		rep.Signatures[i].order(rep.Signatures)
		rep.Signatures[i].aged(j.when(&rep.Signatures[i]))
	}
}

// order holds the times of time-stamps against each other (EN 319 102-1, 5.6.2.4: one
// that covers another must not be the older) and notes what the signature is younger
// than: time-stamps that are part of what it signs.
func (s *Signature) order(all []Signature) {
	mine := s.stampTimes()
	for i := range all {
		o := &all[i]
		if o.Covers >= s.Covers || o.Verdict == NotValid {
			continue
		}
		for _, t := range o.stampTimes() {
			if t.After(s.after) {
				s.after = t
			}
			for _, m := range mine {
				if m.Add(skew).Before(t) {
					s.doubt(TimestampOrderFailure, "its time-stamp says %s, and it covers one that says %s", stampTime(m), stampTime(t))
				}
			}
		}
	}
}

// stampTimes are those of the signature's own time-stamps that prove something; Proven can
// be that of a later document time-stamp.
func (s *Signature) stampTimes() (out []time.Time) {
	for _, st := range s.Stamps {
		if st.Trusted {
			out = append(out, st.Time)
		}
	}
	return out
}

// settle takes from a signature the time-stamps of the future, and those whose authorities' certificates were
// over at poe, the time at which each is proven to have existed.
func (j *judge) settle(s *Signature, poe func(*Stamp) time.Time) {
	s.Proven = nil
	for i := range s.Stamps {
		st := &s.Stamps[i]
		if !st.Trusted {
			continue
		}
		at := poe(st)
		if at.Before(j.opt.Now) {
			st.existed = at
		}
		if st.Time.After(j.opt.Now.Add(skew)) {
			s.unproven(st, NoPOE, "the time-stamp of %s proves nothing: that time is still to come", stampTime(st.Time))
			continue
		}
		if over := ends(st.chain); !over.IsZero() && at.After(over) {
			s.unproven(st, OutOfBoundsNoPOE, "the time-stamp of %s proves nothing any more: a certificate of its authority %s ended on %s, and no later time-stamp shows that it is older",
				stampTime(st.Time), st.Authority, stampTime(over))
			continue
		}
		if t := st.Time; s.Proven == nil || t.Before(*s.Proven) {
			s.Proven = &t
		}
	}
	if s.Proven == nil && s.Kind == kindSignature && (s.Level == "B-T" || s.Level == "B-LT") {
		s.Level = "B-B"
	}
}

// ends is the first end of validity in a chain, the trusted certificate at its end
// aside; zero if there is no other.
func ends(chain []*x509.Certificate) time.Time {
	var first time.Time
	for _, c := range chain[:max(0, len(chain)-1)] {
		if first.IsZero() || c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	return first
}
