package validate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/tsp"
)

// worthless warns of a time-stamp over a signature that does not hold. It is no proof of existence and nothing else (EN 319 102-1, 5.5.4): the signature is
// judged by the other evidence, as if the token were not there; anybody could have put it in, and could take it out.
func (s *Signature) worthless(token []byte, err error) {
	what := "a time-stamp"
	if at, serial, bad := tsp.Claims(token); bad == nil {
		what = fmt.Sprintf("the time-stamp that says %s, serial %s,", stampTime(at), serial)
	}
	switch {
	case errors.Is(err, tsp.ErrMalformed) && s.SubFilter == "XAdES": // programs that read the document find it
		s.doubt(SigConstraintsFailure, "what stands in it as a time-stamp is none, and nobody signed it: %v", err)
		return
	case errors.Is(err, tsp.ErrImprint):
		s.warn("%s is over other data: its message imprint is not that of the value of this signature, so that it proves nothing", what)
		return
	}
	s.warn("%s proves nothing: %v", what, err)
}

// unproven takes the trust from a time-stamp: of a signature it is a warning, of a document or an archive it is what is judged.
func (s *Signature) unproven(st *Stamp, sub SubIndication, format string, args ...any) {
	if st.Trusted = false; s.Kind == kindSignature {
		s.warn(format, args...)
		return
	}
	s.doubt(sub, format, args...)
}

// distrust takes the trust from the time-stamps over a signature of whose authorities anything in the file says that they were revoked in time, or that
// somebody else may have had the key.
func (j *judge) distrust(s *Signature, all []*material, anchors []*pkix.Certificate) {
	for i := range s.Stamps {
		st := &s.Stamps[i]
		if !st.Trusted || j.ctx.Err() != nil {
			continue
		}
		probe := Signature{Kind: s.Kind, Verdict: Valid, Status: passed(), after: s.after, Proven: &st.Time}
		if j.revoked(&probe, st.chain, all, anchors, st.Time, st) || probe.SubIndication == NoPOE {
			s.unproven(st, NoPOE, "the time-stamp of %s proves nothing: %s", stampTime(st.Time), strings.Join(probe.Why, "; "))
		}
		st.existed = time.Time{} // settle says it again, by what then still holds
	}
}
