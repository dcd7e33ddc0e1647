// Package ceremony is the document with which a signature activation module
// begins its life (ROL-06; EN 419 241-1 SRG_M.*): who its first officers,
// administrator, auditor, registration authority, operator and applications are,
// each with the key of their certificate. It is signed by the caller CA and by
// every officer. Before a module has read one it knows nobody and does nothing;
// after that no second one counts.
package ceremony

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/assent-sign/assent/internal/jcs"
)

const (
	// Type is the type of every document.
	Type = "assent/ceremony/1"
	// MaxSize bounds a signed document, in octets.
	MaxSize = 256 << 10
	label   = "assent/ceremony/v1"
	maxIDs  = 200
)

// ErrDocument tells that the document is not one that was made by a ceremony, or was
// changed since.
var ErrDocument = errors.New("ceremony: the document does not hold")

// Identity is one caller of the module.
type Identity struct {
	Name   string `json:"name"`   // common name of the certificate
	Person string `json:"person"` // who it is; for a program, its own name
	Role   string `json:"role"`   // organisational unit of the certificate
	Key    string `json:"key"`    // KeyHash of the certificate's public key
}

// Document is what was decided.
type Document struct {
	Type       string     `json:"type"`
	Cluster    string     `json:"cluster"` // the module that it is for
	Created    int64      `json:"created"` // Unix seconds
	CA         string     `json:"ca"`      // KeyHash of the caller CA
	Automatic  bool       `json:"automatic"`
	Identities []Identity `json:"identities"`
}

// Signature is one signature over a document.
type Signature struct {
	By        string `json:"by"`        // identity; "ca" for the caller CA
	Key       string `json:"key"`       // SubjectPublicKeyInfo, base64url
	Signature string `json:"signature"` // ECDSA, ASN.1, base64url
}

// file is the signed document as it is stored.
type file struct {
	Document   string      `json:"document"` // canonical JSON
	Signatures []Signature `json:"signatures"`
}

// Authority is the name under which the caller CA signs.
const Authority = "ca"

// Roles that the documents know.
const (
	officer = "officer"
	auditor = "auditor"
)

// KeyHash names a public key: SHA-256 of its SubjectPublicKeyInfo, hex.
func KeyHash(pub crypto.PublicKey) (string, error) {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrDocument, err)
	}
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:]), nil
}

// Hash names a signed document, for comparing by eye: SHA-256, hex.
func Hash(signed []byte) string {
	sum := sha256.Sum256(signed)
	return hex.EncodeToString(sum[:])
}

// Sign makes the signed form. signers are by identity, with Authority for the CA.
// What Open would refuse is an error here.
func Sign(d *Document, signers map[string]crypto.Signer) ([]byte, error) {
	text, err := jcs.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	f := file{Document: string(text)}
	names := []string{Authority}
	for _, id := range d.Identities {
		if id.Role == officer && signers[id.Name] != nil {
			names = append(names, id.Name)
		}
	}
	for _, name := range names {
		s := signers[name]
		if s == nil {
			return nil, fmt.Errorf("%w: %s has not signed", ErrDocument, name)
		}
		spki, err := x509.MarshalPKIXPublicKey(s.Public())
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDocument, err)
		}
		sig, err := s.Sign(rand.Reader, digest(text), crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("ceremony: %s: %w", name, err)
		}
		f.Signatures = append(f.Signatures, Signature{By: name, Key: b64(spki), Signature: b64(sig)})
	}
	out, err := jcs.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	_, err = Open(out)
	return out, err
}

// Open checks a signed document: one form, the CA's signature, a signature of
// every officer with the key that the document gives to them, two different
// persons as officers, an auditor who is none of them. A document that says of
// itself that its officers are automatic may leave out officers' signatures and
// keys; whoever opens it decides whether that is enough. ErrDocument.
func Open(signed []byte) (*Document, error) {
	if len(signed) > MaxSize {
		return nil, fmt.Errorf("%w: over %d octets", ErrDocument, MaxSize)
	}
	var f file
	if err := jcs.Unmarshal(signed, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	var d Document
	if err := jcs.Unmarshal([]byte(f.Document), &d); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if d.Type != Type || d.Cluster == "" || len(d.Identities) > maxIDs {
		return nil, fmt.Errorf("%w: type %q, cluster %q, %d identities", ErrDocument, d.Type, d.Cluster, len(d.Identities))
	}
	by, err := f.verify()
	if err != nil {
		return nil, err
	}
	if d.CA == "" || by[Authority] != d.CA {
		return nil, fmt.Errorf("%w: it is not signed by its CA", ErrDocument)
	}
	return &d, d.check(by)
}

// check is what the set of identities must be, and who must have signed.
func (d *Document) check(by map[string]string) error {
	officers, auditors, names := map[string]bool{}, 0, map[string]bool{}
	for _, id := range d.Identities {
		if id.Name == "" || id.Name == Authority || names[id.Name] || id.Person == "" {
			return fmt.Errorf("%w: identity %q is there twice or has no person", ErrDocument, id.Name)
		}
		names[id.Name] = true
		if id.Key == "" && !d.Automatic {
			return fmt.Errorf("%w: %s has no key", ErrDocument, id.Name)
		}
		switch id.Role {
		case officer:
			officers[id.Person] = true
			if key, ok := by[id.Name]; (!ok && !d.Automatic) || (ok && key != id.Key) {
				return fmt.Errorf("%w: officer %s has not signed it with the key it names", ErrDocument, id.Name)
			}
		case auditor:
			auditors++
		}
	}
	if len(officers) < 2 || auditors == 0 {
		return fmt.Errorf("%w: it needs two persons as officers and an auditor", ErrDocument)
	}
	return nil
}

// verify checks every signature and returns who signed with which key.
func (f *file) verify() (map[string]string, error) {
	by := map[string]string{}
	if len(f.Signatures) > maxIDs {
		return nil, fmt.Errorf("%w: %d signatures", ErrDocument, len(f.Signatures))
	}
	for _, s := range f.Signatures {
		spki, err := unB64(s.Key)
		sig, err2 := unB64(s.Signature)
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDocument, err)
		}
		key, err := x509.ParsePKIXPublicKey(spki)
		pub, ok := key.(*ecdsa.PublicKey)
		if err != nil || !ok || pub.Curve != elliptic.P256() || !ecdsa.VerifyASN1(pub, digest([]byte(f.Document)), sig) {
			return nil, fmt.Errorf("%w: signature of %q", ErrDocument, s.By)
		}
		if by[s.By] != "" {
			return nil, fmt.Errorf("%w: %q signed twice", ErrDocument, s.By)
		}
		sum := sha256.Sum256(spki)
		by[s.By] = hex.EncodeToString(sum[:])
	}
	return by, nil
}

func digest(text []byte) []byte {
	h := sha256.New()
	h.Write([]byte(label))
	h.Write([]byte{0})
	h.Write(text)
	return h.Sum(nil)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unB64(s string) ([]byte, error) { return base64.RawURLEncoding.Strict().DecodeString(s) }
