package sam

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/algopolicy"
	"github.com/assent-sign/assent/sap"
)

const (
	maxChain = 8
	maxCert  = 16 << 10
)

// parsedKey is a credential's certificate and key, parsed. It is kept by the
// credential's seal, so a changed row is parsed again.
type parsedKey struct {
	cert    *x509.Certificate // nil before the link
	public  crypto.PublicKey
	keyType algo.KeyType

	qualified bool // the certificate says so, see label
}

func (m *Module) parse(c *Credential) (*parsedKey, error) {
	id := string(c.MAC)
	if p, ok := m.parsed.get(id); ok {
		return p, nil
	}
	pub, err := x509.ParsePKIXPublicKey(c.Public)
	if err != nil {
		return nil, fmt.Errorf("%w: public key of %s", sap.ReasonSeal, c.Key)
	}
	p := &parsedKey{public: pub}
	if p.keyType, err = algo.KeyTypeOf(pub); err != nil || string(p.keyType) != c.KeyType {
		return nil, fmt.Errorf("%w: key type of %s", sap.ReasonSeal, c.Key)
	}
	if len(c.Chain) > 0 {
		if p.cert, err = x509.ParseCertificate(c.Chain[0]); err != nil {
			return nil, fmt.Errorf("%w: certificate of %s", sap.ReasonSeal, c.Key)
		}
	}
	p.readQualified()
	m.parsed.put(id, p)
	return p, nil
}

// checkLink decides whether a chain may be linked to a key (KEY-08): the leaf
// certifies exactly this key for the subject of our request (ENR-02), may sign, is no
// CA, is valid now, and each certificate is signed by the next. It does not
// decide whom to trust: that is the relying parties' matter.
func checkLink(c *Credential, chain [][]byte, crypto *algopolicy.Policy, now time.Time) (*x509.Certificate, error) {
	bad := func(what string, args ...any) (*x509.Certificate, error) {
		return nil, fmt.Errorf("%w: "+what, append([]any{sap.ReasonCertLink}, args...)...)
	}
	certs, err := parseChain(chain)
	if err != nil {
		return nil, err
	}
	leaf := certs[0]
	switch {
	case !bytes.Equal(leaf.RawSubjectPublicKeyInfo, c.Public):
		return bad("certificate is for another key")
	case !sameName(leaf.RawSubject, c.Subject):
		return bad("certificate subject %.100q is not the requested one", leaf.Subject.String())
	case now.Before(leaf.NotBefore) || now.After(leaf.NotAfter):
		return bad("certificate is valid from %v to %v", leaf.NotBefore, leaf.NotAfter)
	case leaf.IsCA || leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return bad("certificate is a CA's")
	case leaf.KeyUsage&(x509.KeyUsageContentCommitment|x509.KeyUsageDigitalSignature) == 0:
		return bad("key usage has neither nonRepudiation nor digitalSignature")
	case len(crypto.Algorithms(algo.KeyType(c.KeyType), leaf.NotAfter)) == 0:
		return bad("certificate outlives every algorithm of a %s key (CRY-01, KEY-03)", c.KeyType)
	}
	for i, cert := range certs {
		if err := algopolicy.CheckCertificate(cert); err != nil {
			return bad("certificate %d: %v", i, err)
		}
	}
	for i, cert := range certs[:len(certs)-1] {
		if err := cert.CheckSignatureFrom(certs[i+1]); err != nil {
			return bad("certificate %d is not signed by the next: %v", i, err)
		}
	}
	return leaf, nil
}

func parseChain(chain [][]byte) ([]*x509.Certificate, error) {
	if len(chain) == 0 || len(chain) > maxChain {
		return nil, fmt.Errorf("%w: %d certificates", sap.ReasonCertLink, len(chain))
	}
	certs := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		if len(der) > maxCert {
			return nil, fmt.Errorf("%w: certificate %d has %d bytes", sap.ReasonTooLarge, i, len(der))
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d: %w", sap.ReasonCertLink, i, err)
		}
		certs[i] = cert
	}
	return certs, nil
}

func certHash(der []byte) []byte {
	sum := sha256.Sum256(der)
	return sum[:]
}
