package sap

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
)

// Receipt is the SAM's statement of one finished activation. It carries all
// that is needed to check off line what was approved, by whom and with what
// result (AUD-11).
type Receipt struct {
	Type          string        `json:"typ"`
	Audience      string        `json:"aud"`
	Instance      string        `json:"instance"`      // audit chain id
	Time          int64         `json:"time"`          // Unix milliseconds of the outcome
	SAD           string        `json:"sad"`           // base64url canonical SAD
	Proof         string        `json:"proof"`         // base64url carrier proof
	Authenticator string        `json:"authenticator"` // base64url SubjectPublicKeyInfo enrolled for the signer
	Certificate   string        `json:"certificate"`   // base64url DER of the signer's certificate
	Origin        string        `json:"origin"`        // origin and rpId that the SAM demanded
	RPID          string        `json:"rpId"`
	Items         []ReceiptItem `json:"items"`
	Assurance     string        `json:"assurance"`
	AuditSeq      int64         `json:"auditSeq"`  // outcome record
	AuditHash     string        `json:"auditHash"` // base64url
}

// ReceiptItem is the result for one item of the SAD.
type ReceiptItem struct {
	I         int    `json:"i"`
	DTBSR     string `json:"dtbsr"`
	Signature string `json:"signature"` // base64url
	Shown     bool   `json:"shown"`     // false: content not shown to the signer (raw)
}

// SignedReceipt is a receipt with its way to a signed root. Receipts of one
// commit group share one signature of the SAM.
type SignedReceipt struct {
	Receipt   string   `json:"receipt"` // base64url canonical bytes
	Path      []string `json:"path"`    // base64url sibling hashes, leaf to root
	Index     int      `json:"index"`
	Size      int      `json:"size"`      // leaves in the group
	Signature string   `json:"signature"` // base64url, over the root
	Key       string   `json:"key"`       // KeyID of the SAM's statement key
}

// ReceiptTree is the tree over one commit group's receipts: RFC 9162 shape
// (the left part is the largest power of two), with our labels. Every hash is
// computed once, for root and all paths.
type ReceiptTree struct {
	leaves [][]byte
	top    *receiptNode
}

type receiptNode struct {
	hash        []byte
	left, right *receiptNode // nil in a leaf
}

// NewReceiptTree hashes the canonical receipts of a group.
func NewReceiptTree(receipts [][]byte) *ReceiptTree {
	t := &ReceiptTree{leaves: make([][]byte, len(receipts))}
	for i, r := range receipts {
		t.leaves[i] = labelled(LabelReceiptLeaf, r)
	}
	if len(t.leaves) > 0 {
		t.top = newReceiptNode(t.leaves)
	}
	return t
}

func newReceiptNode(leaves [][]byte) *receiptNode {
	if len(leaves) == 1 {
		return &receiptNode{hash: leaves[0]}
	}
	k := split(len(leaves))
	n := &receiptNode{left: newReceiptNode(leaves[:k]), right: newReceiptNode(leaves[k:])}
	n.hash = labelled(LabelReceiptNode, n.left.hash, n.right.hash)
	return n
}

// Root returns the root hash; nil for an empty tree.
func (t *ReceiptTree) Root() []byte {
	if t.top == nil {
		return nil
	}
	return t.top.hash
}

// Path returns the sibling hashes from leaf i to the root; nil when there is no
// such leaf.
func (t *ReceiptTree) Path(i int) [][]byte {
	if i < 0 || i >= len(t.leaves) {
		return nil
	}
	var out [][]byte
	for n, size := t.top, len(t.leaves); size > 1; {
		k := split(size)
		if i < k {
			out, n, size = append(out, n.right.hash), n.left, k
		} else {
			out, n, size, i = append(out, n.left.hash), n.right, size-k, i-k
		}
	}
	slices.Reverse(out) // it was walked from the root
	return out
}

func split(n int) int {
	k := 1
	for k*2 < n {
		k *= 2
	}
	return k
}

// rootFrom recomputes the root from a leaf, its index and its path.
func rootFrom(leaf []byte, i, n int, path [][]byte) ([]byte, bool) {
	if n == 1 {
		return leaf, len(path) == 0
	}
	if len(path) == 0 {
		return nil, false
	}
	last, rest := path[len(path)-1], path[:len(path)-1]
	k := split(n)
	if i < k {
		left, ok := rootFrom(leaf, i, k, rest)
		return labelled(LabelReceiptNode, left, last), ok
	}
	right, ok := rootFrom(leaf, i-k, n-k, rest)
	return labelled(LabelReceiptNode, last, right), ok
}

// maxReceiptGroup bounds the size that a signed receipt may claim.
const maxReceiptGroup = 1 << 20

// MaxReceipt bounds the canonical bytes of a receipt. It holds the largest SAD in base64, and a signature of 4,096 bits for each of MaxItems
// items: what can be approved and signed can be proved.
const MaxReceipt = 3 << 20

// OpenReceipt verifies the SAM's signature over a receipt and decodes it.
func OpenReceipt(pub *ecdsa.PublicKey, s SignedReceipt) (*Receipt, error) {
	text, err := UnB64(s.Receipt)
	if err != nil {
		return nil, fmt.Errorf("%w: receipt", err)
	}
	if len(text) > MaxReceipt {
		return nil, fmt.Errorf("%w: receipt of %d octets", ReasonTooLarge, len(text))
	}
	if s.Size < 1 || s.Size > maxReceiptGroup || s.Index < 0 || s.Index >= s.Size || len(s.Path) > 20 {
		return nil, fmt.Errorf("%w: receipt position %d of %d", ReasonEncoding, s.Index, s.Size)
	}
	path := make([][]byte, len(s.Path))
	for i, p := range s.Path {
		if path[i], err = unB64Len(p, sha256.Size); err != nil {
			return nil, fmt.Errorf("%w: receipt path", err)
		}
	}
	root, ok := rootFrom(labelled(LabelReceiptLeaf, text), s.Index, s.Size, path)
	if !ok {
		return nil, fmt.Errorf("%w: receipt path length", ReasonEncoding)
	}
	sig, err := UnB64(s.Signature)
	if err != nil {
		return nil, fmt.Errorf("%w: receipt signature", err)
	}
	if err := Verify(pub, LabelReceiptRoot, root, sig); err != nil {
		return nil, err
	}
	var r Receipt
	if err := jcs.UnmarshalUpTo(MaxReceipt, text, &r); err != nil {
		return nil, fmt.Errorf("%w: receipt: %w", ReasonEncoding, err)
	}
	if r.Type != TypeReceipt {
		return nil, fmt.Errorf("%w: %q", ReasonType, r.Type)
	}
	return &r, nil
}

// VerifyEvidence checks everything inside a receipt that does not need the
// SAM's word: the SAD's form, the carrier's signature by the enrolled
// authenticator over exactly this SAD, every rebuilt DTBS/R and every signature
// by the certificate's key. It returns the SAD. Only WebAuthn and device-key
// proofs are known.
func (r *Receipt) VerifyEvidence() (*SAD, error) {
	sadText, err := UnB64(r.SAD)
	if err != nil {
		return nil, fmt.Errorf("%w: sad", err)
	}
	sad, err := DecodeSAD(sadText)
	if err != nil {
		return nil, err
	}
	if err := r.verifyProof(sad, sadText); err != nil {
		return nil, err
	}
	certDER, err := UnB64(r.Certificate)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate", err)
	}
	sum := sha256.Sum256(certDER)
	if B64(sum[:]) != sad.Bind.Cert {
		return nil, ReasonCertificate
	}
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ReasonCertificate, err)
	}
	return sad, r.verifyItems(sad, cert)
}

func (r *Receipt) verifyProof(sad *SAD, sadText []byte) error {
	proof, err := UnB64(r.Proof)
	if err != nil {
		return fmt.Errorf("%w: proof", err)
	}
	spki, err := UnB64(r.Authenticator)
	if err != nil {
		return fmt.Errorf("%w: authenticator", err)
	}
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return fmt.Errorf("%w: authenticator key", ReasonEncoding)
	}
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("%w: authenticator key %T", ReasonAlgorithm, pub)
	}
	if sad.Auth.Method == CarrierJWS {
		return VerifyDeviceJWS(proof, sadText, sad.Auth.Cred, key)
	}
	a, err := DecodeAssertion(proof)
	if err != nil {
		return err
	}
	challenge, err := sad.Challenge(sadText)
	if err != nil {
		return err
	}
	id, err := UnB64(sad.Auth.Cred)
	if err != nil {
		return err
	}
	be := backupEligible(a)
	_, err = VerifyAssertion(a, challenge, Authenticator{CredentialID: id, Public: key, BackupEligible: be}, AssertionPolicy{Origin: r.Origin, RPID: r.RPID})
	return err
}

// backupEligible reads the BE flag from an assertion. Whether it was the same
// at enrolment was the SAM's check; off line it is taken as it stands.
func backupEligible(a *Assertion) bool {
	d, err := UnB64(a.AuthenticatorData)
	return err == nil && len(d) > 32 && d[32]&flagBE != 0
}

func (r *Receipt) verifyItems(sad *SAD, cert *x509.Certificate) error {
	if len(r.Items) != len(sad.Items) {
		return fmt.Errorf("%w: receipt has %d items, SAD %d", ReasonCount, len(r.Items), len(sad.Items))
	}
	alg, err := algo.Parse(sad.Bind.Alg)
	if err != nil {
		return fmt.Errorf("%w: %q", ReasonAlgorithm, sad.Bind.Alg)
	}
	for i, it := range sad.Items {
		dtbsr, err := Rebuild(it, cert.Raw, alg, nil)
		if err != nil {
			return err
		}
		if r.Items[i].I != i || r.Items[i].DTBSR != it.DTBSR || r.Items[i].Shown != (it.Kind != KindRaw) {
			return fmt.Errorf("%w: receipt item %d", ReasonBinding, i)
		}
		sig, err := UnB64(r.Items[i].Signature)
		if err != nil {
			return fmt.Errorf("%w: signature %d", err, i)
		}
		if err := algo.Verify(cert.PublicKey, alg, dtbsr, sig); err != nil {
			return fmt.Errorf("%w: item %d: %w", ReasonSignatureCheck, i, err)
		}
	}
	return nil
}
