package sap

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
)

// Attribute and algorithm identifiers of the PAdES signed attributes (RFC 5652
// section 11, RFC 5035 section 3, EN 319 142-1 clause 6.3).
var (
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningCertV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
)

// PAdESSignedAttributes returns the DER SET OF Attribute that a PAdES
// signature signs: content-type, message-digest and ESS
// signing-certificate-v2 (SHA-256, no issuerSerial), sorted, and nothing else.
// There is one byte string for each document digest and certificate, which is
// why the SAM can rebuild it and no further attribute can be smuggled in. The
// time of signing is /M in the PDF, never an attribute.
func PAdESSignedAttributes(docDigest, certDER []byte) ([]byte, error) {
	if len(docDigest) == 0 || len(certDER) == 0 {
		return nil, fmt.Errorf("%w: no digest or no certificate", ReasonDigest)
	}
	return padesAttributes(docDigest, sha256.Sum256(certDER))
}

func padesAttributes(docDigest []byte, certHash [sha256.Size]byte) ([]byte, error) {
	attrs := [][]byte{
		attribute(oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidData) }),
		attribute(oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(docDigest) }),
		attribute(oidSigningCertV2, func(b *cryptobyte.Builder) {
			// SigningCertificateV2 { certs { ESSCertIDv2 { certHash } } }; the
			// default hash SHA-256 is omitted, as DER demands.
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1OctetString(certHash[:]) })
				})
			})
		}),
	}
	slices.SortFunc(attrs, bytes.Compare)
	set := cryptobyte.NewBuilder(make([]byte, 0, 512)) // room for them, so that it does not grow by and by
	set.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
		for _, a := range attrs {
			b.AddBytes(a)
		}
	})
	return set.Bytes()
}

func attribute(oid asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) []byte {
	b := cryptobyte.NewBuilder(make([]byte, 0, 128))
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(cbasn1.SET, value)
	})
	return b.BytesOrPanic()
}

// Rebuild computes what the key signs for an item from the document digest
// that the signer approved, the linked certificate and the algorithm, and
// compares it with the item (SGN-01, SGN-04). The returned digest is the only
// thing that may reach a key. What is signed follows from the item and the
// certificate alone, so no kind takes evidence besides; other kinds are refused.
func Rebuild(it Item, certDER []byte, alg algo.Algorithm, evidence []byte) ([]byte, error) {
	h, err := algo.ParseHash(it.Hash)
	if err != nil || h != alg.Hash() {
		return nil, fmt.Errorf("%w: %s with %s", ReasonDigest, it.Hash, alg)
	}
	claimed, err := unB64Len(it.DTBSR, h.Size())
	if err != nil {
		return nil, fmt.Errorf("%w: dtbsr", ReasonDigest)
	}
	if len(evidence) != 0 {
		return nil, fmt.Errorf("%w: kind %s takes none", ReasonEvidence, it.Kind)
	}
	if it.Kind != KindXAdES && it.XAdES != nil {
		return nil, fmt.Errorf("%w: properties of XAdES in an item of kind %s", ReasonEvidence, it.Kind)
	}
	switch it.Kind {
	case KindRaw:
		return claimed, nil
	case KindPAdES:
		return rebuildPAdES(it, certDER, h, claimed)
	case KindXAdES:
		return rebuildXAdES(it, certDER, alg, claimed)
	}
	return nil, fmt.Errorf("%w: %q", ReasonItemKind, it.Kind)
}

func rebuildXAdES(it Item, certDER []byte, alg algo.Algorithm, claimed []byte) ([]byte, error) {
	info, err := xadesSignedInfo(it, certDER, alg)
	if err != nil {
		return nil, err
	}
	sum := digest(alg.Hash(), info)
	if !bytes.Equal(sum, claimed) {
		return nil, fmt.Errorf("%w: item %d", ReasonDTBSR, it.I)
	}
	return sum, nil
}

func rebuildPAdES(it Item, certDER []byte, h crypto.Hash, claimed []byte) ([]byte, error) {
	doc, err := unB64Len(it.Doc, h.Size())
	if err != nil {
		return nil, fmt.Errorf("%w: doc", ReasonDigest)
	}
	attrs, err := PAdESSignedAttributes(doc, certDER)
	if err != nil {
		return nil, err
	}
	sum := digest(h, attrs)
	if !bytes.Equal(sum, claimed) {
		return nil, fmt.Errorf("%w: item %d", ReasonDTBSR, it.I)
	}
	return sum, nil
}

func digest(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}

// NewPAdESItem composes an item for a document digest, as a device does.
func NewPAdESItem(i int, name string, alg algo.Algorithm, docDigest, certDER []byte) (Item, error) {
	attrs, err := PAdESSignedAttributes(docDigest, certDER)
	if err != nil {
		return Item{}, err
	}
	return Item{
		I: i, Kind: KindPAdES, Name: name, Hash: algo.HashName(alg.Hash()),
		Doc: B64(docDigest), DTBSR: B64(digest(alg.Hash(), attrs)),
	}, nil
}

// NewRawItem composes an item for a digest of unseen content.
func NewRawItem(i int, name string, alg algo.Algorithm, dtbsr []byte) Item {
	return Item{I: i, Kind: KindRaw, Name: name, Hash: algo.HashName(alg.Hash()), DTBSR: B64(dtbsr)}
}
