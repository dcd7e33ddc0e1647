package sigpolicy

import (
	"bytes"
	"crypto"
	_ "crypto/sha256" // the digests that policies are named by
	_ "crypto/sha512"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/cms"
)

// Bounds of the documents of one verifier.
const (
	MaxDocuments = 32
	MaxDocument  = 8 << 20 // bytes
)

// ErrDocument means a policy document that cannot be used.
var ErrDocument = errors.New("sigpolicy: policy document")

// Document is a policy document that a verifier was given.
type Document struct {
	// ID is the policy that it is said to be of: an object identifier in dots or as urn:oid:, or a URI. Empty: it is
	// for whichever signature names its digest.
	ID string
	// Name is for messages.
	Name    string
	Content []byte
}

// Documents are those of a verifier, with the digests that were asked for: a file with many signatures does not have them
// computed again. It is safe for concurrent use.
type Documents struct {
	list []Document
	own  []string // the identifiers that policies in ASN.1 have inside

	mu      sync.Mutex
	digests map[asked]digest
}

type digest struct {
	sum []byte
	err error
}

type asked struct {
	document int
	hash     crypto.Hash
	rule     Rule
	content  bool // of ASN.1 without outer tag and length
}

// NewDocuments takes documents; their content must not change afterwards. ErrDocument.
func NewDocuments(list ...Document) (*Documents, error) {
	if len(list) > MaxDocuments {
		return nil, fmt.Errorf("%w: %d are given, %d are possible", ErrDocument, len(list), MaxDocuments)
	}
	d := &Documents{digests: map[asked]digest{}}
	for _, doc := range list {
		if len(doc.Content) == 0 || len(doc.Content) > MaxDocument {
			return nil, fmt.Errorf("%w: %s has %d bytes; 1 to %d are possible", ErrDocument, doc.Name, len(doc.Content), MaxDocument)
		}
		own, _ := inASN1(doc.Content)
		d.list, d.own = append(d.list, doc), append(d.own, own)
	}
	return d, nil
}

// Len is how many there are; nil has none.
func (d *Documents) Len() int {
	if d == nil {
		return 0
	}
	return len(d.list)
}

// Found says what there is for a policy.
type Found struct {
	// Name is that of the document with the signed digest, empty if none has it.
	Name string
	// Given: a document was given for this policy, and it is not the one whose digest was signed, or that cannot be told; Why says what.
	Given bool
	Why   string
}

// Find looks for the document of a policy: by the digest that was signed, among those that are not given for
// another policy.
func (d *Documents) Find(p *Policy) Found {
	var out Found
	never := incomputable(p)
	for i := range d.list {
		doc := &d.list[i]
		if doc.ID != "" && Dotted(doc.ID) != Dotted(p.ID) {
			continue
		}
		ok, err := false, never
		if err == nil {
			ok, err = d.is(i, p)
		}
		switch {
		case ok:
			return Found{Name: doc.Name}
		case doc.ID == "" && d.own[i] != Dotted(p.ID) && never == nil:
			continue // nothing says that it is for this policy
		case err == nil:
			err = errors.New("its digest is another one")
		}
		out = Found{Given: true, Why: fmt.Sprintf("%s: %v", doc.Name, err)}
	}
	return out
}

// incomputable says why no document can be held against what the signature says.
func incomputable(p *Policy) error {
	switch {
	case p.NoDigest():
		return errors.New("the signature does not say what the document's digest is")
	case p.Hash == 0:
		return fmt.Errorf("the digest algorithm %q is not accepted", p.HashName)
	case p.Rule == Unknown:
		return errors.New("the digest is over what transforms make of the document, which are not computed here")
	}
	return nil
}

// is tells whether a document has the signed digest, or why nobody can tell.
func (d *Documents) is(i int, p *Policy) (bool, error) {
	for _, content := range []bool{false, true} {
		sum, err := d.digest(asked{i, p.Hash, p.Rule, content}, p)
		if err != nil {
			return false, err
		}
		if sum != nil && bytes.Equal(sum, p.Digest) {
			return true, nil
		}
	}
	return false, nil
}

func (d *Documents) digest(a asked, p *Policy) ([]byte, error) {
	if a.content && !p.ASN1 && p.Rule != Specified {
		return nil, nil
	}
	if a.rule == Specified {
		if a.rule = Octets; !a.content {
			return nil, nil
		}
		if d.own[a.document] == "" {
			return nil, errors.New("the digest is computed as a specification says, and the document is no policy in ASN.1 (ETSI TR 102 272)")
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	got, ok := d.digests[a]
	if !ok {
		got.sum, got.err = compute(d.list[a.document].Content, a)
		d.digests[a] = got
	}
	return got.sum, got.err
}

func compute(content []byte, a asked) ([]byte, error) {
	h := a.hash.New()
	switch {
	case a.rule != Octets:
		job, ok := c14n.ByURI(string(a.rule))
		if !ok {
			return nil, fmt.Errorf("the canonicalization %q is not known here", string(a.rule))
		}
		job.W = h
		if err := c14n.Canonicalize(bytes.NewReader(content), c14n.Limits{}, job); err != nil {
			return nil, fmt.Errorf("it has no canonical form: %w", err)
		}
	case a.content:
		own, inner := inASN1(content)
		if own == "" {
			return nil, nil
		}
		h.Write(inner)
	default:
		h.Write(content)
	}
	return h.Sum(nil), nil
}

// inASN1 reads the identifier of a policy in ASN.1 (ETSI TR 102 272, 6.1 and 6.2), and what its digest is over: the hash
// algorithm and the SignPolicyInfo, without the outer tag and length and without the hash at the end. Empty for
// what is none.
func inASN1(der []byte) (id string, over []byte) {
	s := cryptobyte.String(der)
	var body, algorithm, info, hash cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) || !s.Empty() || !body.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) || !body.ReadASN1Element(&info, cbasn1.SEQUENCE) {
		return "", nil
	}
	if !body.Empty() && (!body.ReadASN1(&hash, cbasn1.OCTET_STRING) || !body.Empty()) {
		return "", nil
	}
	over = slices.Concat([]byte(algorithm), []byte(info))
	var fields cryptobyte.String
	if !info.ReadASN1(&fields, cbasn1.SEQUENCE) {
		return "", nil
	}
	oid, err := cms.ReadOID(&fields, "signPolicyIdentifier")
	if err != nil {
		return "", nil
	}
	return oid.String(), over
}
