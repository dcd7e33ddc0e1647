package xmlsig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/big"
	"net/url"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
)

// Transforms that are known here besides canonicalization.
const (
	envelopedTransform = dsSpace + "enveloped-signature"
	base64Transform    = dsSpace + "base64"
	propertiesType     = "http://uri.etsi.org/01903#SignedProperties"
)

// Coverage says what one reference is a digest of.
type Coverage struct {
	Reference  int
	Document   bool   // the whole document
	Root       bool   // the root element, by its identifier
	Manifest   bool   // a list of further references
	Judged     bool   // the references of that list are verified: Checked.Listed
	ID         string // else the element with this identifier
	Element    c14n.Element
	Less       string // "", "itself" or "signatures": what of it is left out
	Inside     bool   // the element stands in the signature itself
	Properties bool   // it is this signature's SignedProperties
	File       string // else, of a detached file: its URI in the reference
	Content    bool   // what the element's base64 text stands for, or the file's bytes; else canonical XML
	// Loose are prefixes of values and text of which the digest does not say what they mean (c14n.Job.Unbound).
	Loose []string
}

// Words says it to a person.
func (c Coverage) Words() string {
	what := "the whole document"
	switch {
	case c.Root:
		what = fmt.Sprintf("the root element, by its identifier %q", c.ID)
	case !c.Document:
		what = fmt.Sprintf("the element with the identifier %q", c.ID)
	}
	switch {
	case c.File != "" && c.Content:
		return fmt.Sprintf("the bytes of the file %q", fileName(c.File))
	case c.File != "":
		return fmt.Sprintf("the XML document in the file %q, without comments", fileName(c.File))
	case c.Content:
		what += ", which holds a file in base64: that file's bytes"
	case c.Properties:
		return "the signature's own properties"
	case c.Manifest:
		what += ", a list of references"
	case c.Less == "itself":
		what += " but for this signature"
	case c.Less == "signatures":
		what += " but for all signatures in it"
	}
	if !c.Document && !c.Root && !c.Inside {
		what += ", not the document around it"
	}
	return what
}

// fileName is what a reference calls a file, as the file has it: for messages only, quoted, since nobody vouches for what is in it.
func fileName(uri string) string {
	if name, err := url.PathUnescape(uri); err == nil {
		return name
	}
	return uri
}

// Checked is a signature that holds.
type Checked struct {
	Certificate *x509.Certificate // whose key signed
	Chain       []*x509.Certificate
	Covers      []Coverage // by reference
	Listed      []Coverage // by the references of the Manifests that those are over
	Info        []byte     // canonical SignedInfo
	Digests     [][]byte   // by reference, as computed
	// Stray names what stands inside of the Signature element, is no part of its form, and is
	// covered by no reference.
	Stray []string
}

// Data are the references that are not the signature's own properties, and those of its Manifests.
func (c *Checked) Data() []Coverage {
	var out []Coverage
	for _, v := range slices.Concat(c.Covers, c.Listed) {
		if !v.Properties {
			out = append(out, v)
		}
	}
	return out
}

// plan is how a reference's digest is computed.
type plan struct {
	cover     Coverage
	job       c14n.Job
	canonical bool // a transform says how; else it is the default
	file      File // of a detached one
	ref       Reference
	name      string // of the reference, for messages
}

// sink prepares the plan's canonical form to go to w, with base64 taken off; done must be called when it has.
func (p *plan) sink(w io.Writer) (done func() error) {
	if p.job.W = w; !p.cover.Content {
		return func() error { return nil }
	}
	dec := &decoder{w: w}
	p.job.W = dec
	return dec.done
}

// outside writes what a detached plan is a digest of.
func (d *Document) outside(p *plan, w io.Writer, lim c14n.Limits) error {
	if err := d.spend(p.file.Size); err != nil {
		return err
	}
	r := io.NewSectionReader(p.file, 0, p.file.Size)
	if p.cover.Content {
		_, err := io.Copy(w, r)
		return err
	}
	p.job.W = w
	return c14n.Canonicalize(r, lim, p.job)
}

// plan resolves a reference. Identifiers are unique in the document (Read).
func (d *Document) plan(s *Signature, i int) (plan, error) {
	r := s.References[i]
	p, err := d.planOf(s, r)
	p.cover.Reference, p.name = i, fmt.Sprintf("reference %d", i+1)
	return p, err
}

func (d *Document) planOf(s *Signature, r Reference) (plan, error) {
	p := plan{ref: r, job: c14n.Job{Method: c14n.Inclusive10}}
	to := r.target()
	switch {
	case !r.HasURI:
		return p, fmt.Errorf("%w: a reference without URI, whose data only the application knows", ErrNoData)
	case to.document:
		p.cover.Document, p.cover.Element = true, d.Index.Root
	case to.file:
		return p, d.detached(&p, r)
	case to.unknown:
		return p, fmt.Errorf("%w: a reference to %q, which is not in this file", ErrUnsupported, r.URI)
	default:
		e, err := d.Index.ByID(to.id)
		if err != nil {
			return p, fmt.Errorf("%w: a reference to %q: %w", ErrNoData, r.URI, err)
		}
		p.cover.ID, p.cover.Element, p.job.Target = to.id, e, c14n.ElementAt(e.Start)
	}
	if err := d.transforms(&p, s, r.Transforms, to.comments); err != nil {
		return p, err
	}
	if !p.cover.Content {
		d.watch(&p)
	}
	p.cover.Inside = !p.cover.Document && s.Element.Contains(p.cover.Element)
	p.cover.Root = !p.cover.Document && p.cover.Element.Start == d.Index.Root.Start
	p.cover.Manifest = r.Type == dsSpace+"Manifest" || len(s.listsOf(p.cover)) > 0
	if s.Properties != nil && p.cover.Element.Start == s.Properties.at && !p.cover.Document {
		p.cover.Properties = true
	}
	return p, nil
}

// detached plans a reference to a file beside the document: its bytes, or, after a
// canonicalization, the XML document in it.
func (d *Document) detached(p *plan, r Reference) error {
	var ok bool
	if d.Detached != nil {
		p.file, ok = d.Detached(r.URI)
	}
	if !ok {
		return fmt.Errorf("%w: %q", ErrDetached, fileName(r.URI))
	}
	p.cover.File = r.URI
	if len(r.Transforms) == 0 {
		p.cover.Content, p.canonical = true, true
		return nil
	}
	job, ok := c14n.ByURI(r.Transforms[0].Algorithm)
	if !ok || len(r.Transforms) > 1 || job.Comments {
		return fmt.Errorf("%w: transforms of the file %q", ErrUnsupported, r.URI)
	}
	p.job.Method, p.job.Prefixes, p.canonical = job.Method, r.Transforms[0].Prefixes, true
	return nil
}

// transforms takes filters, then at most one canonicalization; or base64 alone.
func (d *Document) transforms(p *plan, s *Signature, list []Transform, comments bool) error {
	if len(list) == 1 && list[0].Algorithm == base64Transform && !p.cover.Document {
		// Its text alone counts (XML Signature, section 6.6.2).
		p.cover.Content, p.canonical, p.job.Method = true, true, c14n.Exclusive
		return nil
	}
	done := false
	for _, t := range list {
		job, canonical := c14n.ByURI(t.Algorithm)
		switch {
		case done:
			return fmt.Errorf("%w: a transform after canonicalization", ErrUnsupported)
		case t.Algorithm == envelopedTransform:
			if p.cover.Element.Contains(s.Element) {
				p.job.Without = s.Element.Start
				if p.cover.Less == "" {
					p.cover.Less = "itself"
				}
			}
		case t.leaves != filterUnknown && !p.cover.Document && d.within(p.cover.Element):
			// By the standard nothing is left of a part of a signature.
			return fmt.Errorf("%w: a filter that leaves nothing", ErrUnsupported)
		case t.leaves == filterAll, t.leaves == filterTop && d.onlyTop():
			p.job.Unsigned, p.cover.Less = true, "signatures"
		case canonical:
			done, p.canonical = true, true
			// A reference "" or "#ID" has no comments, whatever the method says; an
			// XPointer has them (XML Signature, section 4.4.3.3).
			p.job.Method, p.job.Prefixes, p.job.Comments = job.Method, t.Prefixes, job.Comments && comments
		default:
			return fmt.Errorf("%w: transform %q", ErrUnsupported, t.Algorithm)
		}
	}
	if p.job.Unsigned {
		p.job.Without = 0
	}
	return nil
}

// Check verifies one signature of the document: its structure, every reference's digest,
// the value, and that the certificate is the one that the signed properties name. It
// says nothing about whom the certificate belongs to and whether it was valid.
func (d *Document) Check(doc io.ReaderAt, s *Signature, lim c14n.Limits) (*Checked, error) {
	a := s.Algorithm()
	if err := errors.Join(s.defects...); err != nil || a == 0 {
		if a == 0 {
			err = errors.Join(err, unsupported("signature algorithm", s.Method))
		}
		return nil, d.before(s, err)
	}
	switch n := len(s.References); {
	case n == 0:
		return nil, fmt.Errorf("%w: no references", ErrStructure)
	case n > maxReferences:
		return nil, d.before(s, fmt.Errorf("%w: %d references; %d are looked at", ErrTooLarge, n, maxReferences))
	}
	d.readTogether(doc, lim)
	plans, err := d.plans(s)
	if err != nil {
		return nil, err
	}
	out := &Checked{}
	var info bytes.Buffer
	digests, err := d.digests(doc, s, plans, d.infoForm(s, &info), lim)
	if err != nil {
		return nil, err
	}
	n := len(s.References)
	for i := range plans {
		plans[i].cover.Loose = d.loose[plans[i].at()]
		out.Covers = append(out.Covers, plans[i].cover)
	}
	out.Covers, out.Listed, out.Digests = out.Covers[:n:n], out.Covers[n:], digests[:n]
	out.Info, out.Stray = info.Bytes(), s.uncovered(slices.Concat(out.Covers, out.Listed))
	if err := s.propertiesSigned(out); err != nil {
		return nil, err
	}
	return out, s.value(out, a)
}

// before adds to what is wrong with algorithms and digests, or is too much, what is wrong with the certificate and the data, which EN 319 102-1 looks at first (5.2.3 and
// 5.2.7, before 5.2.8). Nothing is verified of a signature whose form is wrong.
func (d *Document) before(s *Signature, err error) error {
	if errors.Is(err, ErrStructure) {
		return err
	}
	if cert := s.signer(&Checked{}); cert != nil {
		return errors.Join(cert, err)
	}
	for i := range s.References {
		if p, data := d.plan(s, i); errors.Is(data, ErrDetached) || errors.Is(data, ErrNoData) {
			return errors.Join(fmt.Errorf("%s: %w", p.name, data), err)
		}
	}
	return err
}

// digests computes what references are digests of, and other jobs, in one pass, and compares.
func (d *Document) digests(doc io.ReaderAt, s *Signature, plans []plan, jobs []c14n.Job, lim c14n.Limits) ([][]byte, error) {
	out, sums := make([][]byte, len(plans)), make([]hash.Hash, len(plans))
	var dones []func() error
	for i := range plans {
		p := &plans[i]
		if out[i] = d.all.sum(p, p.ref.Hash); out[i] != nil {
			continue
		}
		if sums[i] = d.ahead.digest(p, p.ref.Hash); sums[i] != nil {
			continue
		}
		sums[i] = p.ref.Hash.New()
		if p.cover.File != "" {
			if err := d.outside(p, sums[i], lim); err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			continue
		}
		dones = append(dones, p.sink(sums[i]))
		jobs = append(jobs, p.job)
	}
	values, keep := d.values(s)
	if err := d.pass(doc, lim, dones, append(jobs, values...)...); err != nil {
		return nil, err
	}
	keep()
	for i, h := range sums {
		if h != nil {
			out[i] = h.Sum(nil)
		}
		if !bytes.Equal(out[i], plans[i].ref.Digest) {
			return nil, fmt.Errorf("%w: %s, %s", ErrDigest, plans[i].name, plans[i].cover.Words())
		}
	}
	return out, nil
}

// infoForm has the canonical SignedInfo written to info, now or by the job that it returns.
func (d *Document) infoForm(s *Signature, info *bytes.Buffer) []c14n.Job {
	form := s.Form
	if p := at(form, s.infoAt); d.all.octets(&p) != nil {
		info.Write(d.all.octets(&p))
		return nil
	}
	if part, ok := d.ahead.part(form, s.infoAt); ok {
		info.Write(part)
		return nil
	}
	form.W, form.Target = info, c14n.ElementAt(s.infoAt)
	return []c14n.Job{form}
}

const maxReferences = 100

// propertiesSigned: signed properties that no reference covers are not signed.
func (s *Signature) propertiesSigned(c *Checked) error {
	n := 0
	for i, v := range c.Covers {
		marked := s.References[i].Type == propertiesType
		if marked != v.Properties {
			return fmt.Errorf("%w: reference %d is marked as that of the signed properties and is not, or the other way round", ErrStructure, i+1)
		}
		if marked {
			n++
		}
	}
	if s.Properties != nil && n != 1 {
		return fmt.Errorf("%w: the signed properties are covered %d times", ErrStructure, n)
	}
	if n == len(c.Covers) {
		return fmt.Errorf("%w: no data is signed", ErrStructure)
	}
	return nil
}

// signer finds the certificate.
func (s *Signature) signer(c *Checked) error {
	for i, der := range s.Certs {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("%w: certificate %d: %w", ErrCertificate, i+1, err)
		}
		c.Chain = append(c.Chain, cert)
	}
	for _, cert := range c.Chain {
		if s.Properties.names(cert.Raw) {
			c.Certificate = cert
			break
		}
	}
	if c.Certificate == nil {
		c.Certificate = s.Properties.carried()
	}
	if c.Certificate == nil {
		return fmt.Errorf("%w: none of %d certificates has the signed digest", ErrCertificate, len(c.Chain))
	}
	return nil
}

// value finds the certificate and verifies the value over SignedInfo.
func (s *Signature) value(c *Checked, a algo.Algorithm) error {
	if err := s.signer(c); err != nil {
		return err
	}
	value, err := asn1Value(c.Certificate, a, s.Value)
	if err != nil {
		return err
	}
	err = algo.VerifyForeign(c.Certificate.PublicKey, a, sum(a.Hash(), c.Info), value)
	switch {
	case errors.Is(err, algo.ErrBadSignature):
		return fmt.Errorf("%w: %w", ErrSignature, err)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrAlgorithm, err)
	}
	return nil
}

// names tells whether a certificate is the one that the signed properties name, in either form; those without any
// leave it open.
func (p *Properties) names(der []byte) bool {
	if p == nil {
		return true
	}
	return (p.CertDigest == nil || bytes.Equal(sum(p.CertHash, der), p.CertDigest)) &&
		(p.OldDigest == nil || bytes.Equal(sum(p.OldHash, der), p.OldDigest))
}

// carried is the signer's certificate among the unsigned values (CertificateValues): the one whose digest is signed. Where none is, nothing
// says that any of them is the signer's. Nil if there is none.
func (p *Properties) carried() *x509.Certificate {
	if p == nil || p.CertDigest == nil && p.OldDigest == nil {
		return nil
	}
	for _, der := range p.Values(-1).Certs {
		if !p.names(der) {
			continue
		}
		if cert, err := x509.ParseCertificate(der); err == nil {
			return cert
		}
	}
	return nil
}

// asn1Value turns r || s, each as long as the curve's order (RFC 9231, section 2.3.6),
// into the form that algo verifies. Another length is refused.
func asn1Value(cert *x509.Certificate, a algo.Algorithm, value []byte) ([]byte, error) {
	if !a.IsECDSA() {
		return value, nil
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: %v with another kind of key", ErrAlgorithm, a)
	}
	size := (key.Curve.Params().BitSize + 7) / 8
	if len(value) != 2*size {
		return nil, fmt.Errorf("%w: a value of %d octets; %v has %d", ErrSignature, len(value), a, 2*size)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(value[:size]))
		b.AddASN1BigInt(new(big.Int).SetBytes(value[size:]))
	})
	return b.Bytes()
}

// SignerValue is the signature value as crypto.Signer gives it, ECDSA in ASN.1, if it were
// by the certificate's key; nothing is verified.
func (s *Signature) SignerValue(cert *x509.Certificate) ([]byte, error) {
	a := s.Algorithm()
	if a == 0 {
		return nil, fmt.Errorf("%w: signature algorithm %q", ErrUnsupported, s.Method)
	}
	return asn1Value(cert, a, s.Value)
}

// Breaks tells whether a signature of the document would no longer hold when a Signature
// element is put in at a byte offset: a reference covers that place, and does not
// leave out other signatures. It gives the reference. What it does not understand
// may cover everything.
func (d *Document) Breaks(at int64) (Reference, bool) {
	for _, r := range d.refs {
		if d.covers(r.ref, at) {
			return r.ref, true
		}
	}
	return Reference{}, false
}

func sum(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}
