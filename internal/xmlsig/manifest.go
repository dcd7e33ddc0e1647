package xmlsig

import (
	"errors"
	"fmt"
)

// manifest is a list of references in an Object of a signature (XML Signature, section 5.1).
type manifest struct {
	at, object int64 // where it begins, and its Object
	references []Reference
	err        error // why they cannot be read
}

// maxListed bounds the references of the Manifests of one signature; see maxAllReferences for those of all.
const maxListed = 500

// manifest reads one.
func (s *Signature) manifest(m, object *node) {
	list := manifest{at: m.at, object: object.at}
	for _, r := range m.all(dsSpace, "Reference") {
		ref, err := reference(r)
		if err != nil && list.err == nil {
			list.err = fmt.Errorf("reference %d of a list: %w", len(list.references)+1, err)
		}
		list.references = append(list.references, ref)
	}
	s.manifests = append(s.manifests, list)
}

// listsOf are the Manifests that a reference is over, as a whole.
func (s *Signature) listsOf(c Coverage) (out []*manifest) {
	for i := range s.manifests {
		m := &s.manifests[i]
		if !c.Document && c.File == "" && !c.Content && c.Less == "" && (c.Element.Start == m.at || c.Element.Start == m.object) {
			out = append(out, m)
		}
	}
	return out
}

// plans are those of the references of SignedInfo, and behind them of the Manifests that these are over. XML Signature leaves it to
// the application to verify those; EN 319 102-1 wants it of whoever takes what they are over for signed. One that stands in a Manifest
// and is over another Manifest is over no more than that.
func (d *Document) plans(s *Signature) ([]plan, error) {
	var plans []plan
	var lists []*manifest
	known := map[int64]bool{}
	for i := range s.References {
		p, err := d.plan(s, i)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		for _, m := range s.listsOf(p.cover) {
			p.cover.Judged = len(m.references) > 0
			if !known[m.at] {
				known[m.at], lists = true, append(lists, m)
			}
		}
		plans = append(plans, p)
	}
	for _, m := range lists {
		if m.err != nil {
			return nil, m.err
		}
		for i, r := range m.references {
			p, err := d.planOf(s, r)
			p.cover.Reference, p.name = i, fmt.Sprintf("reference %d of a list", i+1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			if plans = append(plans, p); len(plans) > len(s.References)+maxListed {
				return nil, fmt.Errorf("%w: more than %d references in lists", ErrTooLarge, maxListed)
			}
		}
	}
	return plans, nil
}

// AtHand tells whether what the references of SignedInfo name is there; what is in a Manifest aside, which an archive time-stamp is not over.
func (d *Document) AtHand(s *Signature) bool {
	for i := range s.References {
		if _, err := d.plan(s, i); errors.Is(err, ErrDetached) || errors.Is(err, ErrNoData) {
			return false
		}
	}
	return true
}
