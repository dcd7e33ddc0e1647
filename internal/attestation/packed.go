package attestation

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/algo"
)

var (
	oidAAGUID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4} // id-fido-gen-ce-aaguid
	oidSAN    = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// packed is section 8.2.
func (o *Object) packed(signed []byte) (*Result, error) {
	var s struct {
		Alg *int     `cbor:"alg"`
		Sig []byte   `cbor:"sig"`
		X5C [][]byte `cbor:"x5c"`
	}
	if err := decode(o.statement, &s); err != nil || s.Alg == nil || len(s.Sig) == 0 {
		return nil, fmt.Errorf("%w: packed: %w", ErrStatement, formError(err))
	}
	if s.X5C == nil {
		if *s.Alg != o.AuthData.Algorithm {
			return nil, fmt.Errorf("%w: alg %d is not the credential's %d", ErrStatement, *s.Alg, o.AuthData.Algorithm)
		}
		if err := checkSignature(&x509.Certificate{PublicKey: o.AuthData.Public}, *s.Alg, signed, s.Sig); err != nil {
			return nil, err
		}
		return &Result{Type: TypeSelf}, nil
	}
	chain, err := parseChain(s.X5C)
	if err != nil {
		return nil, err
	}
	if err := checkSignature(chain[0], *s.Alg, signed, s.Sig); err != nil {
		return nil, err
	}
	if err := o.checkPackedCert(chain[0]); err != nil {
		return nil, err
	}
	return &Result{Type: TypeBasic, Chain: chain, Bound: true}, nil
}

// checkPackedCert is section 8.2.1.
func (o *Object) checkPackedCert(c *x509.Certificate) error {
	switch {
	case c.Version != 3:
		return fmt.Errorf("%w: certificate version %d", ErrStatement, c.Version)
	case len(c.Subject.Country) != 1 || len(c.Subject.Organization) != 1 || c.Subject.CommonName == "":
		return fmt.Errorf("%w: certificate subject %.100q lacks C, O or CN", ErrStatement, c.Subject)
	case !slices.Equal(c.Subject.OrganizationalUnit, []string{"Authenticator Attestation"}):
		return fmt.Errorf("%w: certificate OU %.100q", ErrStatement, c.Subject.OrganizationalUnit)
	}
	return o.checkLeaf(c)
}

// checkLeaf is what every attestation certificate must be: no CA, and of this
// AAGUID where it names one.
func (o *Object) checkLeaf(c *x509.Certificate) error {
	if !c.BasicConstraintsValid || c.IsCA {
		return fmt.Errorf("%w: attestation certificate is a CA's or does not say", ErrStatement)
	}
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidAAGUID) {
			continue
		}
		var id []byte
		rest, err := asn1.Unmarshal(e.Value, &id)
		if err != nil || len(rest) != 0 || e.Critical || !bytes.Equal(id, o.AuthData.AAGUID[:]) {
			return fmt.Errorf("%w: certificate is of another AAGUID", ErrStatement)
		}
	}
	return nil
}

func parseChain(x5c [][]byte) ([]*x509.Certificate, error) {
	if len(x5c) == 0 || len(x5c) > maxChain {
		return nil, fmt.Errorf("%w: %d certificates", ErrStatement, len(x5c))
	}
	out := make([]*x509.Certificate, len(x5c))
	for i, der := range x5c {
		if len(der) > maxCert {
			return nil, fmt.Errorf("%w: certificate of %d octets", ErrStatement, len(der))
		}
		var err error
		if out[i], err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", ErrStatement, i, err)
		}
		if algo.TooLong(out[i].PublicKey) {
			return nil, fmt.Errorf("%w: certificate %d has an RSA key of more than %d bits", ErrStatement, i, algo.MaxRSA)
		}
	}
	return out, nil
}

// Trust looks for a path from the result's leaf to one of the anchors at a time.
// An anchor may be a root, an intermediate or the attestation certificate itself
// (FIDO metadata statement, attestationRootCertificates). Nothing is fetched:
// revocation of models comes with the metadata.
func (r *Result) Trust(anchors []*x509.Certificate, at time.Time) error {
	if r.Type != TypeBasic || len(r.Chain) == 0 {
		return fmt.Errorf("%w: attestation type %s", ErrTrust, r.Type)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, a := range anchors {
		roots.AddCert(a)
	}
	for _, c := range r.Chain[1:] {
		between.AddCert(c)
	}
	leaf := *r.Chain[0]
	// The names in a TPM's certificate are directory names, which the standard
	// library leaves to its caller; checkAIK has read them.
	leaf.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(leaf.UnhandledCriticalExtensions), oidSAN.Equal)
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTrust, err)
	}
	return nil
}
