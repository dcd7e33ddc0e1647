package validate

import (
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"

	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// Attributes of CMS messages that are named and not judged: content-time-stamp (EN 319 122-1, 5.2.8) and
// countersignature (RFC 5652, 11.4).
var (
	oidContentStamp = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 20}
	oidCounter      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 6}
)

const (
	contentWords = "%d time-stamps over the content from before the signature (%s): who made them, when, and whether they hold"
	counterWords = "%d counter-signatures (countersignature): who made them, and whether they hold"
)

// unjudged names what a message says besides and nobody looked at.
func (s *Signature) unjudged(si *cms.SignerInfo) {
	if n := values(si.SignedAttrs, oidContentStamp); n > 0 {
		s.Unjudged = append(s.Unjudged, fmt.Sprintf(contentWords, n, "content-time-stamp"))
	}
	if n := values(si.UnsignedAttrs, oidCounter); n > 0 {
		s.Unjudged = append(s.Unjudged, fmt.Sprintf(counterWords, n))
	}
}

func values(attrs []cms.Attr, oid asn1.ObjectIdentifier) (n int) {
	for _, a := range attrs {
		if a.Type.Equal(oid) {
			n += len(a.Values)
		}
	}
	return n
}

// besides names what XAdES properties say, and what of that is judged where.
func (s *Signature) besides(p *xmlsig.Properties) {
	if n := len(p.Contents); n > 0 {
		s.Unjudged = append(s.Unjudged, fmt.Sprintf(contentWords, n, strings.Join(slices.Compact(slices.Clone(p.Contents)), ", ")))
	}
	for _, id := range p.Counters {
		if id == "" {
			s.Later = append(s.Later, "a counter-signature was put in, a signature without identifier; it is judged by itself")
			continue
		}
		s.Later = append(s.Later, fmt.Sprintf("a counter-signature was put in, the signature %q; it is judged by itself", id))
	}
}
