package validate

import (
	"errors"
	"slices"

	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// inside gathers what messages carry about revocation themselves (RFC 5652, 10.2.1; ISO 32000-1, 12.8.3.3.2; EN 319 122-1, A.1.1) and what a KeyInfo does
// (XML Signature, 4.5.4): no validation data by which a baseline level is reached, and candidates like it.
type inside struct {
	certs, crls, ocsps [][]byte
	bad                int
	over               bool // there is more than is read
}

// message takes what a message carries, and the messages of the time-stamps over its signature.
func (in *inside) message(sd *cms.SignedData) {
	in.statements(sd)
	for _, si := range sd.Signers {
		for _, token := range si.TimeStampTokens() {
			in.token(token)
		}
	}
}

// token takes what that of a time-stamp carries. One that cannot be read is judged elsewhere.
func (in *inside) token(der []byte) {
	if sd, err := cms.ParseBER(der); err == nil {
		in.statements(sd)
	}
}

func (in *inside) statements(sd *cms.SignedData) {
	st, err := sd.Statements()
	if err != nil {
		in.over = in.over || errors.Is(err, cms.ErrLimit)
		return
	}
	in.bad += st.Bad
	in.add(st.Certs, st.CRLs, st.OCSPs)
}

func (in *inside) add(certs, crls, ocsps [][]byte) {
	in.certs, in.crls, in.ocsps = append(in.certs, certs...), append(in.crls, crls...), append(in.ocsps, ocsps...)
	in.over = in.over || len(in.certs)+len(in.crls)+len(in.ocsps) > cms.MaxStatements
}

// insidePDF is what all signatures of a file carry.
func (j *judge) insidePDF(found []pdf.Signature) *inside {
	in := &inside{}
	for i := range found {
		der, err := found[i].CMS()
		if err != nil {
			continue
		}
		if sd, err := cms.Parse(der); err == nil {
			in.message(sd)
		}
	}
	return in
}

// insideXML is what one carries.
func (j *judge) insideXML(s *xmlsig.Signature) *inside {
	in := &inside{bad: s.BadCRLs}
	in.add(nil, s.CRLs, nil)
	if s.Properties != nil {
		for _, st := range slices.Concat(s.Properties.Stamps, s.Properties.Archives) {
			in.token(st.Token)
		}
	}
	return in
}

// siblings is what all signatures of an XML document carry, nil if there are not several. Each is judged by what it carries itself, and that a
// certificate was revoked is heard from all: it is asked for bad news only.
func (j *judge) siblings(d *xmlsig.Document) *material {
	if len(d.Signatures) < 2 {
		return nil
	}
	all, unsaid := &material{at: j.opt.Now}, &Report{} // what cannot be read is told of the signature that it stands in
	for i := range d.Signatures {
		s := &d.Signatures[i]
		if s.Properties != nil {
			v := s.Properties.Values(-1)
			all.take(j.memory, v.Certs, v.CRLs, v.OCSPs, 0, unsaid)
		}
		in := j.insideXML(s)
		all.take(j.memory, in.certs, in.crls, in.ocsps, 0, unsaid)
	}
	if len(all.crls)+len(all.responses) == 0 {
		return nil
	}
	all.pool, all.crls, all.responses = distinct(all.pool), distinct(all.crls), distinct(all.responses)
	return all
}

// distinct is a list with each once.
func distinct[T comparable](list []T) (out []T) {
	seen := map[T]bool{}
	for _, x := range list {
		if !seen[x] {
			seen[x], out = true, append(out, x)
		}
	}
	return out
}

// beside gives the validation data of a file with what signatures carry; nil if they carry nothing.
func (j *judge) beside(open *material, in *inside, rep *Report) *material {
	if j.unread = j.unread || in.over; in.over || len(in.certs)+len(in.crls)+len(in.ocsps)+in.bad == 0 {
		return nil
	}
	m := &material{at: open.at, level: levelT, pool: slices.Clone(open.pool), crls: slices.Clone(open.crls), responses: slices.Clone(open.responses), inside: true}
	m.take(j.memory, in.certs, in.crls, in.ocsps, in.bad, rep)
	if len(m.pool)+len(m.crls)+len(m.responses) == len(open.pool)+len(open.crls)+len(open.responses) {
		return nil
	}
	return m
}

// levelT is the level that a signature keeps for which nothing but its own message tells about revocation.
const levelT = "B-T"
