package xmlsig

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/sigpolicy"
)

// The reasons for which a document or a signature is refused. Those of c14n come besides.
var (
	ErrTooLarge    = errors.New("xmlsig: the signatures are too large")
	ErrStructure   = errors.New("xmlsig: the signature's structure is wrong")
	ErrUnsupported = errors.New("xmlsig: not supported")
	ErrDetached    = errors.New("xmlsig: a reference to a file beside the document, which is not at hand")
	ErrNoData      = errors.New("xmlsig: what a reference names is not there")
	ErrDigest      = errors.New("xmlsig: what a reference covers was changed after signing")
	ErrSignature   = errors.New("xmlsig: the signature value does not fit the certificate's key")
	ErrAlgorithm   = errors.New("xmlsig: the algorithm, or the certificate's key with it, is not accepted")
	ErrCertificate = errors.New("xmlsig: the certificate is not the one that the signature names")
)

// Signature is one Signature element as it is written.
type Signature struct {
	Element    c14n.Element
	ID         string
	Method     string // URI of the signature algorithm
	Form       c14n.Job
	References []Reference
	Value      []byte // octets: of ECDSA r || s
	Certs      [][]byte
	CRLs       [][]byte    // of KeyInfo, not parsed
	BadCRLs    int         // of those that are no base64
	Properties *Properties // XAdES; nil if there are none

	c14nURI       string
	node          *node
	infoAt, valAt int64
	keyAt         int64   // of KeyInfo, 0 if there is none
	objects       []*node // less that of the QualifyingProperties
	manifests     []manifest
	stray         []string
	defects       []error // found while reading; Check reports them
}

// Reference is a ds:Reference.
type Reference struct {
	ID, Type, URI string
	HasURI        bool
	Transforms    []Transform
	Hash          crypto.Hash
	Digest        []byte
}

// Transform is a ds:Transform.
type Transform struct {
	Algorithm string
	Prefixes  []string // of exclusive canonicalization

	leaves filter // of the filters
}

// Properties are those of XAdES that this package reads.
type Properties struct {
	Time       time.Time // SigningTime, zero if there is none
	Zoneless   bool      // it does not say in which zone; UTC is assumed
	CertHash   crypto.Hash
	CertDigest []byte // SigningCertificateV2, the first
	// IssuerSerial is what IssuerSerialV2 beside it holds: DER, if it is right. Nil if there is none.
	IssuerSerial []byte
	OldHash      crypto.Hash
	OldDigest    []byte // SigningCertificate of XAdES before EN 319 132-1, the first
	MimeTypes    []string
	Roles        []string
	Commitments  []string
	Policy       *sigpolicy.Policy // nil if none is named
	PolicyErr    error             // why Policy cannot be read
	Stamps       []Stamp           // SignatureTimeStamp
	Archives     []Stamp           // ArchiveTimeStamp of XAdES 1.4.1
	Unsigned     []Unsigned        // all unsigned properties, in order
	Counters     []string          // identifiers of the signatures in CounterSignature properties
	counters     []int64           // where the signatures begin that stand as counter-signatures
	Contents     []string          // names of signed time-stamps over the data, which are not read
	Further      []string          // names of unsigned properties that are not read

	at    int64 // of SignedProperties
	place c14n.Insertion
}

// Stamp is a token of a SignatureTimeStamp or an ArchiveTimeStamp.
type Stamp struct {
	ID     string // of the property
	Token  []byte
	Form   c14n.Job // of what the token is over: the SignatureValue element, or see ArchiveImprint
	Before int      // so many unsigned properties come before it
	Err    error    // why it cannot be judged, or nil
}

// Unsigned is an unsigned property and the validation data in it.
type Unsigned struct {
	Name   string // local
	Values Values

	at int64
}

// Values is validation data, DER as it is written: nobody has verified anything.
type Values struct {
	Certs, CRLs, OCSPs [][]byte
	Bad                int // so many items are not base64, or of no kind known here
}

// Values are all of the first n unsigned properties; below 0, of all.
func (p *Properties) Values(n int) Values {
	var out Values
	if n < 0 || n > len(p.Unsigned) {
		n = len(p.Unsigned)
	}
	for _, u := range p.Unsigned[:n] {
		out.add(u.Values)
	}
	return out
}

func (v *Values) add(o Values) {
	v.Certs, v.CRLs, v.OCSPs, v.Bad = append(v.Certs, o.Certs...), append(v.CRLs, o.CRLs...), append(v.OCSPs, o.OCSPs...), v.Bad+o.Bad
}

// Document is what Read found. It is for one goroutine: what Check, Imprint and ArchiveImprint read is counted, and together
// bounded (ErrWork).
type Document struct {
	Index      *c14n.Index
	Signatures []Signature
	// Detached gives the file that a reference names which is not in the document, and whether there
	// is one. Nothing is ever fetched: who calls decides what a name means.
	Detached func(uri string) (File, bool)
	// Instructed tells of a processing instruction beside the root element, such as one that names a style sheet: only
	// a reference to the whole document covers that.
	Instructed bool
	refs       []reach

	read, largest int64 // bytes read for signatures, and of the largest file among them
	forms         map[written][]byte
	ahead         *ahead
	checks        int // so many signatures were asked about
	all           *together
	loose         map[placed][]string
}

// File is a file beside the document.
type File struct {
	io.ReaderAt
	Size int64
}

// reach is any reference inside of a signature, nested ones and those of manifests too.
type reach struct {
	of  int64
	ref Reference
}

// Read reads a whole document and its signatures. The error is about the document; what is
// wrong with a signature Check says.
func Read(doc io.ReaderAt, size int64, lim c14n.Limits) (*Document, error) {
	var b builder
	x, err := c14n.ScanEach(io.NewSectionReader(doc, 0, size), lim, b.event)
	if err != nil {
		return nil, err
	}
	return b.document(x)
}

// document is what the builder saw.
func (b *builder) document(x *c14n.Index) (*Document, error) {
	d := &Document{Index: x, Instructed: b.instructed}
	if len(b.found) != len(x.Signatures) {
		return nil, fmt.Errorf("%w: %d signatures read, %d counted", ErrStructure, len(b.found), len(x.Signatures))
	}
	for i, n := range b.found {
		d.Signatures = append(d.Signatures, signature(n, x.Signatures[i]))
		d.collect(n, n.at)
	}
	if err := d.bounded(); err != nil {
		return nil, err
	}
	return d, nil
}

// Bounds of what the references of all signatures of a document make a verifier digest: so many
// references, and so many bytes or so many times the document, whichever is more.
const (
	maxAllReferences = 1000
	maxWork          = 256 << 20
	maxTimes         = 64
)

// bounded refuses a small document over which Check would take long: each reference can be
// to all of it, and each archive time-stamp is over all references of its signature again (I9).
func (d *Document) bounded() error {
	references, work, most := 0, int64(0), max(maxWork, maxTimes*d.Index.Size)
	for i := range d.Signatures {
		s := &d.Signatures[i]
		times := int64(1)
		if s.Properties != nil {
			times += int64(len(s.Properties.Archives))
		}
		references += len(s.References)
		for _, r := range s.References {
			work += times * d.extent(r)
		}
		for _, m := range s.manifests {
			references += len(m.references)
			for _, r := range m.references {
				work += d.extent(r)
			}
		}
		if references > maxAllReferences {
			return fmt.Errorf("%w: more than %d references", ErrTooLarge, maxAllReferences)
		}
		if work > most {
			return fmt.Errorf("%w: references over more than %d bytes, in a document of %d", ErrTooLarge, most, d.Index.Size)
		}
	}
	return nil
}

// extent is how many bytes of the document a reference is over.
func (d *Document) extent(r Reference) int64 {
	to := r.target()
	if to.document {
		return d.Index.Size
	}
	if e, err := d.Index.ByID(to.id); err == nil {
		return e.End - e.Start
	}
	return 0
}

// collect gathers references wherever they stand in a signature.
func (d *Document) collect(n *node, of int64) {
	for _, k := range n.kids {
		if k.is(dsSpace, "Signature") {
			continue // collected by itself
		}
		if k.is(dsSpace, "Reference") {
			r, _ := reference(k)
			d.refs = append(d.refs, reach{of, r})
		}
		d.collect(k, of)
	}
}

func signature(n *node, e c14n.Element) Signature {
	s := Signature{Element: e, node: n}
	s.strays(n)
	s.ID, _ = n.attr("Id")
	info, value := n.one(dsSpace, "SignedInfo"), n.one(dsSpace, "SignatureValue")
	if info == nil || value == nil {
		return s.defect("%w: SignedInfo or SignatureValue is missing or there twice", ErrStructure)
	}
	s.infoAt, s.valAt = info.at, value.at
	s.method(info)
	for _, r := range info.all(dsSpace, "Reference") {
		ref, err := reference(r)
		if err != nil {
			s.defects = append(s.defects, err)
		}
		s.References = append(s.References, ref)
	}
	var err error
	if s.Value, err = octets(value); err != nil || len(s.Value) == 0 {
		s.defect("%w: SignatureValue", ErrStructure)
	}
	for _, data := range n.one(dsSpace, "KeyInfo").all(dsSpace, "X509Data") {
		for _, c := range data.all(dsSpace, "X509Certificate") {
			der, err := octets(c)
			if err != nil {
				s.defect("%w: X509Certificate", ErrStructure)
			}
			s.Certs = append(s.Certs, der)
		}
		s.lists(data)
	}
	if k := n.one(dsSpace, "KeyInfo"); k != nil {
		s.keyAt = k.at
	}
	s.properties(n)
	return s
}

// lists reads the CRLs of an X509Data. One that cannot be read is none; nothing signs them.
func (s *Signature) lists(data *node) {
	for _, c := range data.all(dsSpace, "X509CRL") {
		der, err := octets(c)
		if err != nil {
			s.BadCRLs++
			continue
		}
		s.CRLs = append(s.CRLs, der)
	}
}

func (s *Signature) defect(format string, args ...any) Signature {
	s.defects = append(s.defects, fmt.Errorf(format, args...))
	return *s
}

func (s *Signature) method(info *node) {
	c := info.one(dsSpace, "CanonicalizationMethod")
	m := info.one(dsSpace, "SignatureMethod")
	if c == nil || m == nil {
		s.defect("%w: CanonicalizationMethod or SignatureMethod", ErrStructure)
		return
	}
	s.c14nURI, _ = c.attr("Algorithm")
	job, ok := c14n.ByURI(s.c14nURI)
	if !ok {
		s.defect("%w: canonicalization %q", ErrUnsupported, s.c14nURI)
	}
	job.Prefixes = prefixes(c)
	s.Form = job
	s.Method, _ = m.attr("Algorithm")
}

func reference(n *node) (Reference, error) {
	var r Reference
	r.ID, _ = n.attr("Id")
	r.Type, _ = n.attr("Type")
	r.URI, r.HasURI = n.attr("URI")
	for _, t := range n.one(dsSpace, "Transforms").all(dsSpace, "Transform") {
		a, _ := t.attr("Algorithm")
		r.Transforms = append(r.Transforms, Transform{Algorithm: a, Prefixes: prefixes(t), leaves: filtered(t, a)})
	}
	var err error
	r.Hash, r.Digest, err = digest(n)
	return r, err
}

// prefixes is the PrefixList of exclusive canonicalization.
func prefixes(n *node) []string {
	list := n.one(c14n.ExclusiveNamespace, "InclusiveNamespaces")
	if list == nil {
		return nil
	}
	v, _ := list.attr("PrefixList")
	return strings.Fields(v)
}

// digest reads DigestMethod and DigestValue.
func digest(n *node) (crypto.Hash, []byte, error) {
	m, v := n.one(dsSpace, "DigestMethod"), n.one(dsSpace, "DigestValue")
	if m == nil || v == nil {
		return 0, nil, fmt.Errorf("%w: DigestMethod or DigestValue", ErrStructure)
	}
	uri, _ := m.attr("Algorithm")
	var h crypto.Hash
	switch uri {
	case "http://www.w3.org/2001/04/xmlenc#sha256":
		h = crypto.SHA256
	case "http://www.w3.org/2001/04/xmldsig-more#sha384":
		h = crypto.SHA384
	case "http://www.w3.org/2001/04/xmlenc#sha512":
		h = crypto.SHA512
	default:
		return 0, nil, unsupported("digest", uri)
	}
	d, err := octets(v)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: DigestValue", ErrStructure)
	}
	return h, d, sized(d, h)
}

// sized tells that an octet string is too long or too short for a digest: nothing has it.
func sized(d []byte, h crypto.Hash) error {
	if len(d) != h.Size() {
		return fmt.Errorf("%w: a DigestValue of %d octets; one of %v has %d", ErrDigest, len(d), h, h.Size())
	}
	return nil
}

// ended are the digests of which the time is over, by what an identifier of theirs, or of a signature algorithm with one, ends with.
var ended = map[string]string{"md5": "MD5", "sha1": "SHA-1", "ripemd160": "RIPEMD-160", "whirlpool": "Whirlpool"}

// unsupported is the error about a digest or a signature algorithm that is not known, or not accepted any more: neither is on the list of those that are
// (EN 319 102-1, 5.2.8).
func unsupported(what, uri string) error {
	if err := algo.EndedDigest(ended[uri[strings.LastIndexAny(uri, "#-")+1:]]); err != nil {
		return fmt.Errorf("%w: %s %q: %w", ErrAlgorithm, what, uri, err)
	}
	return fmt.Errorf("%w: %s %q is not known here", ErrAlgorithm, what, uri)
}

// oldDigest is digest, and SHA-1, which binds a certificate well enough: one would need a second preimage of it.
func oldDigest(n *node) (crypto.Hash, []byte, error) {
	if uri, _ := n.one(dsSpace, "DigestMethod").attr("Algorithm"); uri == dsSpace+"sha1" {
		d, err := octets(n.one(dsSpace, "DigestValue"))
		if err != nil {
			return 0, nil, fmt.Errorf("%w: DigestValue", ErrStructure)
		}
		return crypto.SHA1, d, sized(d, crypto.SHA1)
	}
	return digest(n)
}

// octets decodes base64 with white space; an element that is not there has none.
func octets(n *node) ([]byte, error) {
	if n == nil {
		return nil, ErrStructure
	}
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(n.text.String()), ""))
}

// properties reads the QualifyingProperties.
func (s *Signature) properties(n *node) {
	var q *node
	for _, o := range n.all(dsSpace, "Object") {
		for _, k := range o.all(xadesSpace, "QualifyingProperties") {
			if q != nil {
				s.defect("%w: QualifyingProperties are there twice", ErrStructure)
				return
			}
			q = k
		}
	}
	if q == nil {
		return
	}
	signed := q.one(xadesSpace, "SignedProperties")
	if target, _ := q.attr("Target"); signed == nil || s.ID == "" || target != "#"+s.ID {
		s.defect("%w: QualifyingProperties have no SignedProperties, or are of another signature", ErrStructure)
		return
	}
	p := &Properties{at: signed.at}
	s.Properties = p
	s.formless(q)
	if err := conforms(q, nil); err != nil {
		s.defects = append(s.defects, err)
	}
	sig, data := signed.one(xadesSpace, "SignedSignatureProperties"), signed.one(xadesSpace, "SignedDataObjectProperties")
	if t := sig.one(xadesSpace, "SigningTime"); t != nil {
		var err error
		if p.Time, p.Zoneless, err = dateTimeOf(text(t)); err != nil {
			s.defect("%w: SigningTime", ErrStructure)
		}
	}
	p.CertHash, p.CertDigest = s.named(sig.one(xadesSpace, "SigningCertificateV2"), digest)
	p.OldHash, p.OldDigest = s.named(sig.one(xadesSpace, "SigningCertificate"), oldDigest)
	if certs := sig.one(xadesSpace, "SigningCertificateV2").all(xadesSpace, "Cert"); len(certs) > 0 {
		if serial := certs[0].one(xadesSpace, "IssuerSerialV2"); serial != nil {
			der, _ := octets(serial) // what is no base64 names nobody
			p.IssuerSerial = append([]byte{}, der...)
		}
	}
	p.Policy, p.PolicyErr = policy(sig.one(xadesSpace, "SignaturePolicyIdentifier"))
	for _, r := range sig.one(xadesSpace, "SignerRoleV2", "ClaimedRoles").all(xadesSpace, "ClaimedRole") {
		p.Roles = append(p.Roles, text(r))
	}
	for _, f := range data.all(xadesSpace, "DataObjectFormat") {
		p.MimeTypes = append(p.MimeTypes, text(f.one(xadesSpace, "MimeType")))
	}
	for _, local := range []string{"AllDataObjectsTimeStamp", "IndividualDataObjectsTimeStamp"} {
		for range data.all(xadesSpace, local) {
			p.Contents = append(p.Contents, local)
		}
	}
	for _, c := range data.all(xadesSpace, "CommitmentTypeIndication") {
		p.Commitments = append(p.Commitments, text(c.one(xadesSpace, "CommitmentTypeId", "Identifier")))
	}
	outer := s.single(q, "UnsignedProperties")
	inner := s.single(outer, "UnsignedSignatureProperties")
	p.place = place(q, outer, inner)
	s.unsigned(inner)
}

// dateTimeOf reads an xs:dateTime, whose zone need not be there (EN 319 132-1, 5.2.1): then it is taken for UTC.
func dateTimeOf(s string) (at time.Time, zoneless bool, err error) {
	if at, err = time.Parse(time.RFC3339, s); err == nil {
		return at, false, nil
	}
	at, err = time.Parse("2006-01-02T15:04:05", s)
	return at, err == nil, err
}

// named is the digest of the signer's certificate, the first of a list.
func (s *Signature) named(n *node, read func(*node) (crypto.Hash, []byte, error)) (crypto.Hash, []byte) {
	certs := n.all(xadesSpace, "Cert")
	if len(certs) == 0 {
		return 0, nil
	}
	h, d, err := read(certs[0].one(xadesSpace, "CertDigest"))
	if errors.Is(err, ErrDigest) {
		err = fmt.Errorf("%w: %v", ErrCertificate, err) //nolint:errorlint // not wrapped: ErrDigest would be called HASH_FAILURE, which is about signed data
	}
	if err != nil {
		s.defects = append(s.defects, err)
	}
	return h, d
}

// single is the child of XAdES of a name. Two are a defect: which one counts each reader would decide for itself.
func (s *Signature) single(n *node, local string) *node {
	list := n.all(xadesSpace, local)
	if len(list) > 1 {
		s.defect("%w: %s are there %d times", ErrStructure, local, len(list))
	}
	if len(list) != 1 {
		return nil
	}
	return list[0]
}

func text(n *node) string {
	if n == nil {
		return ""
	}
	return strings.TrimSpace(n.text.String())
}

// Algorithm is the signature algorithm, 0 for one that is not known here.
func (s *Signature) Algorithm() algo.Algorithm {
	const more, pss = "http://www.w3.org/2001/04/xmldsig-more#", "http://www.w3.org/2007/05/xmldsig-more#"
	switch s.Method {
	case more + "ecdsa-sha256":
		return algo.ES256
	case more + "ecdsa-sha384":
		return algo.ES384
	case more + "ecdsa-sha512":
		return algo.ES512
	case more + "rsa-sha256":
		return algo.RS256
	case more + "rsa-sha384":
		return algo.RS384
	case more + "rsa-sha512":
		return algo.RS512
	case pss + "sha256-rsa-MGF1":
		return algo.PS256
	case pss + "sha384-rsa-MGF1":
		return algo.PS384
	case pss + "sha512-rsa-MGF1":
		return algo.PS512
	}
	return 0
}
