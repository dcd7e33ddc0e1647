package xmlsig

import "slices"

// Countersigned is the signature over whose value another one is that stands in it (EN 319 132-1, clause 5.2.7); nil if c
// is no counter-signature.
func (d *Document) Countersigned(c *Signature) *Signature {
	for i := range d.Signatures {
		s := &d.Signatures[i]
		if s.valAt == 0 || !s.Element.Contains(c.Element) {
			continue
		}
		for _, r := range c.References {
			to := r.target()
			if e, err := d.Index.ByID(to.id); to.id != "" && err == nil && e.Start == s.valAt {
				return s
			}
		}
	}
	return nil
}

// Pretends tells whether a signature stands as a counter-signature and is over the value of no signature in which it stands.
func (d *Document) Pretends(c *Signature) bool {
	return d.Countersigned(c) == nil && slices.ContainsFunc(d.Signatures, func(s Signature) bool {
		return s.Properties != nil && slices.Contains(s.Properties.counters, c.Element.Start)
	})
}
