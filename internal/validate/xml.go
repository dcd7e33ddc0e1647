package validate

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/charset"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// IsXML tells whether a file begins as an XML document does, which no PDF does.
func IsXML(r io.ReaderAt) bool {
	head := make([]byte, 64)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	head = bytes.TrimPrefix(head[:n], []byte("\uFEFF"))
	if bytes.HasPrefix(head, []byte("\xFE\xFF")) || bytes.HasPrefix(head, []byte("\xFF\xFE")) { // UTF-16
		head = bytes.ReplaceAll(head[2:], []byte("\x00"), nil)
	}
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("<"))
}

// ErrTwoFaced means an XML document that readers of PDF open as a PDF. What they show
// stands in comments, which no signature of XML covers.
var ErrTwoFaced = errors.New("the file is an XML document and a PDF at once; what a viewer shows is not what was signed")

// TwoFaced refuses an XML document with the header of a PDF where its readers look
// for it (ISO 32000-1, annex H.3).
func TwoFaced(r io.ReaderAt) error {
	head := make([]byte, 1100)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.Contains(head[:n], []byte("%PDF-")) {
		return ErrTwoFaced
	}
	return nil
}

// xml judges every signature of an XML document.
func (j *judge) xml(rep *Report) error {
	if err := TwoFaced(j.r); err != nil {
		return err
	}
	if err := j.utf8(rep); err != nil {
		return err
	}
	d, err := xmlsig.Read(j.r, j.size, c14n.Limits{})
	if err != nil {
		return err
	}
	if err := bounded(len(d.Signatures)); err != nil {
		return err
	}
	d.Detached = j.detached
	j.past = j.siblings(d)
	at := make([]int, len(d.Signatures)) // where each is in the report
	for i := range d.Signatures {
		if err := j.ctx.Err(); err != nil {
			return err
		}
		at[i] = len(rep.Signatures)
		rep.Signatures = append(rep.Signatures, j.xmlGroup(d, &d.Signatures[i], rep)...)
	}
	hidden(d, rep.Signatures, at)
	return nil
}

// utf8 has a document in another encoding be judged as what it is in UTF-8: digests are of characters.
func (j *judge) utf8(rep *Report) error {
	text, name, err := charset.UTF8(j.r, j.size)
	if err != nil || text == nil {
		return err
	}
	rep.note("the document is in %s; it was judged as what it is in UTF-8, and so are places in it (byte numbers) told", name)
	j.r, j.size = &patient{j.ctx, bytes.NewReader(text)}, int64(len(text))
	return TwoFaced(j.r)
}

func (j *judge) detached(uri string) (xmlsig.File, bool) { return Beside(j.opt.Detached, uri) }

// Beside finds the file that a reference of an XML signature names: by its name, and only if there is one of it.
func Beside(files []Detached, uri string) (xmlsig.File, bool) {
	name, err := url.PathUnescape(uri)
	if err != nil {
		return xmlsig.File{}, false
	}
	var found []xmlsig.File
	for _, f := range files {
		if f.Name == name {
			found = append(found, xmlsig.File{ReaderAt: f.ReaderAt, Size: f.Size})
		}
	}
	if len(found) != 1 {
		return xmlsig.File{}, false
	}
	return found[0], true
}

// xmlGroup judges a signature and its archive time-stamps: what each time-stamp is over, who
// made it, what it proves, and then by that the signer.
func (j *judge) xmlGroup(d *xmlsig.Document, in *xmlsig.Signature, rep *Report) []Signature {
	anchors, open := j.parsed(j.opt.Anchors), j.xmlOpen(in, rep)
	j.inside = j.beside(open, j.insideXML(in), rep)
	j.pool = slices.Concat(j.given, j.told(nil, open)[0].pool)
	s := j.xmlSignature(d, in)
	archives := j.archives(d, in, &s)
	if len(anchors) > 0 {
		j.xmlAuthorities(archives, in, open, anchors)
		for i := range s.Stamps {
			if poe := j.proof(s.Stamps[i].before, archives, in); poe.Before(j.opt.Now) {
				s.Stamps[i].existed = poe
			}
		}
		j.distrust(&s, j.told(nil, open), anchors)
	}
	j.xmlTimes(&s, archives, in)
	if s.certificate != nil {
		j.chain(&s, s.certificate, s.others)
	}
	if len(anchors) > 0 {
		j.xmlStatus(&s, archives, open, in, anchors, rep)
	}
	all := append([]Signature{s}, archives...)
	for i := range all {
		j.demand(&all[i])
	}
	return all
}

// xmlSignature judges one by itself: XML Signature 1.1, with the properties of EN 319 132-1.
func (j *judge) xmlSignature(d *xmlsig.Document, in *xmlsig.Signature) Signature {
	s := Signature{Field: in.ID, Kind: "signature", SubFilter: "XML Signature", Verdict: Valid, Status: passed(), value: in.Value}
	if a := in.Algorithm(); a != 0 {
		s.Algorithm = a.String()
	}
	if p := in.Properties; p != nil {
		s.SubFilter = "XAdES"
		if t := p.Time.UTC(); !p.Time.IsZero() {
			s.Claimed = &t
		}
		s.Reason = strings.Join(append(append([]string{}, p.Commitments...), p.Roles...), "; ")
	}
	c, err := d.Check(j.r, in, c14n.Limits{})
	if err != nil {
		switch {
		case errors.Is(err, xmlsig.ErrDetached):
			s.doubt(subOfXML(err), "%v (--detached FILE)", err)
		case errors.Is(err, xmlsig.ErrWork), errors.Is(err, xmlsig.ErrTooLarge) && !errors.Is(err, xmlsig.ErrStructure):
			s.doubt(SigConstraintsFailure, "it was not looked at: %v", err)
		default:
			s.fail(subOfXML(err), "%v", err)
		}
		if s.ended(err) {
			j.xmlStamps(&s, d, in)
		}
		return s
	}
	s.covers = slices.Concat(c.Covers, c.Listed)
	whole := func(v xmlsig.Coverage) bool { return v.Document || v.Root && !d.Instructed }
	s.scope(c, whole, len(d.Signatures), j.size)
	counter := d.Countersigned(in) // its data is the other's value, which is over the rest
	if counter != nil {
		s.Countersigns = counter.ID
	}
	if d.Pretends(in) {
		s.fail(HashFailure, "it stands as a counter-signature in another one, and is not over the value of that")
	}
	root := in.Element == d.Index.Root // enveloping or detached: no element is around it
	named := func(p Part) bool { return slices.Contains(j.opt.Parts, p.id) }
	switch byName := slices.ContainsFunc(s.Parts, named); {
	case root && d.Instructed:
		s.doubt(SigConstraintsFailure, "beside the signature stands a processing instruction, which nobody signed with it; it can have programs draw the document by a style sheet")
	case !root && !byName && counter == nil && !slices.ContainsFunc(c.Data(), whole):
		s.doubt(SigConstraintsFailure, "it covers only a part of the document; nobody signed the rest with it (--part ID names what you go by)")
	}
	if slices.ContainsFunc(c.Data(), func(v xmlsig.Coverage) bool { return v.Manifest && !v.Judged }) {
		s.doubt(SigConstraintsFailure, "it signs a list of references (Manifest) that is not in an Object of its own, or stands in another list; what these are over is not judged here")
	}
	s.open(c)
	for _, what := range c.Stray {
		s.doubt(SigConstraintsFailure, "inside of the signature stands what nobody signed with it: %s", what)
	}
	s.others = c.Chain
	s.certificate, s.Signer, s.Issuer = c.Certificate, Name(c.Certificate), issuerName(c.Certificate)
	s.Level = xmlLevel(in, c.Certificate)
	if p := in.Properties; p != nil {
		j.sigPolicy(&s, p.Policy, p.PolicyErr)
		s.besides(p)
		if p.IssuerSerial != nil && cms.Misnames(p.IssuerSerial, c.Certificate) {
			s.warn(misnamed)
		}
		if p.Zoneless {
			s.warn("the claimed time has no time zone; it is shown as UTC")
		}
		j.xmlStamps(&s, d, in)
		if len(p.Further) > 0 {
			s.Later = append(s.Later, "unsigned properties that are not read here: "+strings.Join(p.Further, ", "))
		}
	}
	return s
}

// open warns of names in values and text whose meaning nobody signed: exclusive canonicalization keeps the declaration of a prefix where the
// name of an element or attribute has it, and no other. Whoever binds it to something else leaves the signature as valid, and a
// program that goes by such names (xsi:type, the units of XBRL) reads another document.
func (s *Signature) open(c *xmlsig.Checked) {
	var prefixes []string
	for _, v := range c.Data() {
		for _, p := range v.Loose {
			if !slices.Contains(prefixes, p) {
				prefixes = append(prefixes, p)
			}
		}
	}
	if len(prefixes) > 0 {
		s.warn("values or text begin with the prefixes %s, and which namespaces these stand for is not signed (exclusive canonicalization): "+
			"another could have been put in their place", strings.Join(prefixes, ", "))
	}
}

// xmlStamps judges the time-stamps over the value.
func (j *judge) xmlStamps(s *Signature, d *xmlsig.Document, in *xmlsig.Signature) {
	if in.Properties == nil {
		return
	}
	for _, st := range in.Properties.Stamps {
		n := len(s.Stamps)
		switch {
		case errors.Is(st.Err, xmlsig.ErrUnsupported):
			s.warn("a time-stamp is there and proves nothing, since it was not judged: %v", st.Err)
			continue
		case st.Err != nil:
			s.fail(NoPOE, "a time-stamp is there and is wrong: %v", st.Err)
			continue
		}
		j.stamp(s, st.Token, func(h crypto.Hash) ([]byte, error) { return d.Imprint(j.r, in, st, h, c14n.Limits{}) })
		for i := range s.Stamps[n:] {
			s.Stamps[n+i].before = st.Before
		}
	}
}

// scope says which node each digest is of: that a digest is right says nothing about
// where its element stands.
func (s *Signature) scope(c *xmlsig.Checked, whole func(xmlsig.Coverage) bool, signatures int, size int64) {
	var words []string
	for _, v := range c.Data() {
		text := v.Words()
		if v.File != "" { // no byte of this file
			if name, err := url.PathUnescape(v.File); err == nil {
				s.files = append(s.files, name)
			}
			words = append(words, text)
			continue
		}
		if !v.Document && !v.Root {
			text += fmt.Sprintf(" (bytes %d to %d)", v.Element.Start, v.Element.End)
		}
		words = append(words, text)
		s.Parts = append(s.Parts, part(v, size))
		if whole(v) && (v.Less == "itself" || v.Less == "signatures" && signatures == 1) {
			s.Whole = true
		}
	}
	s.Scope = strings.Join(words, "; ")
}

func part(v xmlsig.Coverage, size int64) Part {
	if v.Document {
		return Part{End: size, Words: v.Words()}
	}
	out := Part{Start: v.Element.Start, End: v.Element.End, Words: v.Words()}
	if v.Less == "" && !v.Content {
		out.id = v.ID
	}
	return out
}

// wanted doubts a file in which somebody looks for elements that no valid signature covers.
func (r *Report) wanted(parts []string) {
	for _, id := range parts {
		r.uncovered(func(s Signature) bool { return slices.ContainsFunc(s.Parts, func(p Part) bool { return p.id == id }) }, "no valid signature names the element %q", id)
	}
}

// signed doubts a judgement for which somebody gave files, of which one is covered by no valid signature: whoever gives five contracts with a signature over
// four of them, and reads that it passed, takes the fifth for signed.
func (r *Report) signed(files []Detached) {
	for _, f := range files {
		r.uncovered(func(s Signature) bool { return slices.Contains(s.files, f.Name) }, "no valid signature is over the file %q, which was given with it", f.Name)
	}
}

// uncovered doubts a file if no valid signature covers what somebody goes by.
func (r *Report) uncovered(covers func(Signature) bool, format, what string) {
	if r.Verdict == Unsigned || slices.ContainsFunc(r.Signatures, func(s Signature) bool { return s.Verdict == Valid && !s.IsTimeStamp() && covers(s) }) {
		return
	}
	r.note(format, what)
	if r.Verdict == Valid {
		r.Verdict = Indeterminate
	}
	r.worsen(SigConstraintsFailure)
}

func xmlLevel(in *xmlsig.Signature, signer *x509.Certificate) string {
	switch p := in.Properties; {
	case p != nil && p.CertDigest == nil && p.OldDigest != nil:
		return "XAdES (not baseline: SigningCertificate is that of before EN 319 132-1)"
	case p == nil || p.CertDigest == nil:
		return "XML Signature (not XAdES baseline: the certificate is not signed)"
	case p.Time.IsZero() || len(p.MimeTypes) == 0:
		return "XAdES (not baseline: SigningTime or DataObjectFormat is missing)"
	case !slices.ContainsFunc(in.Certs, func(der []byte) bool { return bytes.Equal(der, signer.Raw) }):
		return "XAdES (not baseline: the signer's certificate is not in KeyInfo)"
	case len(p.Stamps) > 0:
		return "B-T"
	}
	return "B-B"
}
