package xmlsig

import (
	"fmt"

	"github.com/assent-sign/assent/internal/c14n"
)

// xades141Space is the namespace of what XAdES added later.
const xades141Space = "http://uri.etsi.org/01903/v1.4.1#"

// MaxStamps bounds the tokens of one signature; see ErrWork for what those of all may cost.
const MaxStamps = 64

// unsigned reads the unsigned properties in their order (EN 319 132-1, clauses 5.3 to 5.5).
func (s *Signature) unsigned(n *node) {
	if n == nil {
		return
	}
	p := s.Properties
	for i, k := range n.kids {
		u := Unsigned{Name: k.local, at: k.at}
		switch {
		case k.is(xadesSpace, "SignatureTimeStamp"):
			p.Stamps = append(p.Stamps, stamps(k, i)...)
		case k.is(xades141Space, "ArchiveTimeStamp"):
			listed := len(k.all(xadesSpace, "Include"))+len(k.all(xadesSpace, "ReferenceInfo")) > 0
			for _, st := range stamps(k, i) {
				if st.Err == nil && listed {
					st.Err = fmt.Errorf("%w: a time-stamp over a list of its own", ErrUnsupported)
				}
				p.Archives = append(p.Archives, st)
			}
		case k.is(xadesSpace, "CertificateValues"):
			u.Values.certificates(k)
		case k.is(xadesSpace, "RevocationValues"):
			u.Values.revocations(k)
		case k.is(xades141Space, "TimeStampValidationData"), k.is(xades141Space, "AnyValidationData"):
			for _, c := range k.all(xadesSpace, "CertificateValues") {
				u.Values.certificates(c)
			}
			for _, r := range k.all(xadesSpace, "RevocationValues") {
				u.Values.revocations(r)
			}
		case k.is(xadesSpace, "CounterSignature"):
			id, _ := k.one(dsSpace, "Signature").attr("Id")
			p.Counters = append(p.Counters, id)
			for _, c := range k.all(dsSpace, "Signature") {
				p.counters = append(p.counters, c.at)
			}
		default:
			p.Further = append(p.Further, k.local)
		}
		p.Unsigned = append(p.Unsigned, u)
	}
	if len(p.Stamps)+len(p.Archives) > MaxStamps {
		s.defect("%w: %d time-stamps; %d are possible", ErrTooLarge, len(p.Stamps)+len(p.Archives), MaxStamps)
		p.Stamps, p.Archives = nil, nil
	}
}

// stamps reads the tokens of a time-stamp property before which others come. What is wrong with one is wrong with all of it.
func stamps(k *node, before int) []Stamp {
	form := c14n.Job{Method: c14n.Inclusive10} // the default of XML Signature
	var err error
	if m := k.one(dsSpace, "CanonicalizationMethod"); m != nil {
		uri, _ := m.attr("Algorithm")
		var ok bool
		if form, ok = c14n.ByURI(uri); !ok {
			err = fmt.Errorf("%w: canonicalization %q of a time-stamp", ErrUnsupported, uri)
		}
		form.Prefixes = prefixes(m)
	}
	id, _ := k.attr("Id")
	var out []Stamp
	for _, t := range k.all(xadesSpace, "EncapsulatedTimeStamp") {
		der, bad := octets(t)
		if bad != nil {
			err = fmt.Errorf("%w: EncapsulatedTimeStamp", ErrStructure)
		}
		out = append(out, Stamp{ID: id, Token: der, Form: form, Before: before})
	}
	if len(out) == 0 {
		out, err = []Stamp{{ID: id, Before: before}}, fmt.Errorf("%w: a time-stamp without token", ErrStructure)
	}
	for i := range out {
		out[i].Err = err
	}
	return out
}

// certificates reads CertificateValues.
func (v *Values) certificates(n *node) {
	for _, k := range n.kids {
		v.item(&v.Certs, k, k.is(xadesSpace, "EncapsulatedX509Certificate"))
	}
}

// revocations reads RevocationValues.
func (v *Values) revocations(n *node) {
	for _, list := range n.kids {
		for _, k := range list.kids {
			switch {
			case list.is(xadesSpace, "CRLValues"):
				v.item(&v.CRLs, k, k.is(xadesSpace, "EncapsulatedCRLValue"))
			case list.is(xadesSpace, "OCSPValues"):
				v.item(&v.OCSPs, k, k.is(xadesSpace, "EncapsulatedOCSPValue"))
			default:
				v.Bad++
			}
		}
	}
}

func (v *Values) item(dst *[][]byte, k *node, known bool) {
	der, err := octets(k)
	if !known || err != nil {
		v.Bad++
		return
	}
	*dst = append(*dst, der)
}
