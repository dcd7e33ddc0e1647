package xmlsig

import "slices"

// placed is what a plan is over.
type placed struct {
	at       int64
	prefixes string // that its canonical form keeps
}

// maxPrefixes bounds the prefixes that are told of one reference.
const maxPrefixes = 16

func (p *plan) at() placed { return placed{p.cover.Element.Start, howOf(p.job)} }

// watch has the canonical form of a plan note the prefixes that it leaves open.
func (d *Document) watch(p *plan) {
	at := p.at()
	p.job.Unbound = func(prefix string) {
		if d.loose == nil {
			d.loose = map[placed][]string{}
		}
		if l := d.loose[at]; len(l) < maxPrefixes && !slices.Contains(l, prefix) {
			d.loose[at] = append(l, prefix)
		}
	}
}
