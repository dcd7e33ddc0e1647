package validate

import "github.com/assent-sign/assent/internal/xmlsig"

// hidden doubts signatures that are not over others, in which something stands that nobody signed, or somebody whose
// signature is not valid: a Signature element that hides data would be taken away with all others before a digest is computed,
// and a program that reads the document finds the data there (signature wrapping, ADE-05). at is where each signature
// of the document is in all.
func hidden(d *xmlsig.Document, all []Signature, at []int) {
	bad := map[int64][]string{} // by where the signature begins
	for i := range d.Signatures {
		if in := &d.Signatures[i]; all[at[i]].Verdict != Valid {
			bad[in.Element.Start] = in.Hidden()
		}
	}
	for i := range d.Signatures {
		s := &all[at[i]]
		if s.covers == nil {
			continue
		}
		for _, o := range d.LeftOut(&d.Signatures[i], s.covers) {
			if what := bad[o.Element.Start]; len(what) > 0 {
				s.doubt(SigConstraintsFailure, "it leaves out another signature, in which stands what nobody signed with it: %s", what[0])
				s.closed()
			}
		}
	}
}
