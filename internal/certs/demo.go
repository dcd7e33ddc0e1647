package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/algo"
)

// What the demo CA refuses.
var (
	ErrCSR     = errors.New("certs: certificate request refused")
	ErrProfile = errors.New("certs: unknown certificate profile")
)

// DemoMark is in every subject of the demo CA, so that nobody takes one of its
// certificates for a real one.
const DemoMark = "DEMO"

// Profile is a kind of certificate that the demo CA issues.
type Profile uint8

// The profiles.
const (
	SignerProfile    Profile = iota + 1 // digitalSignature + contentCommitment
	TSAProfile                          // digitalSignature, critical extended key usage timeStamping only
	TLSServerProfile                    // serverAuth
	TLSClientProfile                    // clientAuth
	OCSPProfile                         // OCSPSigning, not itself checked for revocation (RFC 6960 section 4.2.2.2.1)
)

// Where the demo CA answers, under DemoConfig.Base: what certificates say, and what
// package demopki serves.
const (
	DemoOCSPRoot    = "/root.ocsp"
	DemoOCSPIssuing = "/issuing.ocsp"
	DemoCRLRoot     = "/root.crl"
	DemoCRLIssuing  = "/issuing.crl"
	DemoCertRoot    = "/root.cer"
	DemoCertIssuing = "/issuing.cer"
)

// DemoConfig configures a DemoCA. The zero value is usable.
type DemoConfig struct {
	// KeyType of the root and the issuing CA: algo.P256 (the default) or
	// algo.RSA3072.
	KeyType algo.KeyType
	// Clock gives the issuing time; nil means time.Now.
	Clock func() time.Time
	// Base is the URL, without a slash at the end, under which the CA answers OCSP
	// requests and serves its lists. The certificates of the issuing CA, of signers
	// and of time-stamp authorities name it; empty: they name no place.
	Base string
}

// DemoCA is a root and one issuing CA for the demo and for tests. Its keys are
// in memory and, after Save, in clear in a folder: it proves nothing about
// anybody's identity, which is why every subject says DEMO. It is safe for
// concurrent use.
type DemoCA struct {
	Root    *x509.Certificate
	Issuing *x509.Certificate
	// Issued, if set, is told of each certificate before it is handed out; its error
	// keeps the certificate back. Set it before the first use.
	Issued func(*x509.Certificate) error

	base string // DemoConfig.Base

	rootKey, issuingKey crypto.Signer
	clock               func() time.Time
}

// DemoRequest asks for a certificate over the public key of a PKCS#10 request.
type DemoRequest struct {
	CSR     []byte // DER, signed by the key that it carries
	Profile Profile
	// CommonName is put behind DemoMark. When empty, the common name of the
	// request is taken; if that begins with DemoMark, the whole subject is.
	CommonName string
	// DNSNames and IPs are for TLSServerProfile, URIs for both TLS profiles.
	DNSNames []string
	IPs      []net.IP
	URIs     []*url.URL
	// NotBefore and NotAfter bound the validity; zero means from one hour ago
	// (clocks differ) for 365 days.
	NotBefore, NotAfter time.Time
}

// NewDemoCA makes a root and an issuing CA with fresh keys.
func NewDemoCA(cfg DemoConfig) (*DemoCA, error) {
	if cfg.KeyType == "" {
		cfg.KeyType = algo.P256
	}
	ca := &DemoCA{clock: cfg.Clock, base: cfg.Base}
	if ca.clock == nil {
		ca.clock = time.Now
	}
	var err error
	if ca.rootKey, err = newCAKey(cfg.KeyType); err != nil {
		return nil, err
	}
	if ca.issuingKey, err = newCAKey(cfg.KeyType); err != nil {
		return nil, err
	}
	root, err := caTemplate("Root CA", ca.clock(), 1)
	if err != nil {
		return nil, err
	}
	if ca.Root, err = create(root, root, ca.rootKey.Public(), ca.rootKey); err != nil {
		return nil, err
	}
	issuing, err := caTemplate("Issuing CA", ca.clock(), 0)
	if err != nil {
		return nil, err
	}
	ca.places(issuing, DemoOCSPRoot, DemoCRLRoot, DemoCertRoot)
	ca.Issuing, err = create(issuing, ca.Root, ca.issuingKey.Public(), ca.rootKey)
	return ca, err
}

// places tells in a certificate where its status and its issuer's certificate are.
func (ca *DemoCA) places(t *x509.Certificate, ocsp, crl, issuer string) {
	if ca.base == "" {
		return
	}
	t.OCSPServer = []string{ca.base + ocsp}
	t.CRLDistributionPoints = []string{ca.base + crl}
	t.IssuingCertificateURL = []string{ca.base + issuer}
}

// Base is where the CA answers about its certificates; empty: nowhere.
func (ca *DemoCA) Base() string { return ca.base }

// Keys are the keys of root and issuing CA, with which statements about revocation
// are signed. They are as little of a secret as the rest of the demo CA.
func (ca *DemoCA) Keys() (root, issuing crypto.Signer) { return ca.rootKey, ca.issuingKey }

// Issue checks the request's proof of possession and returns the chain in DER:
// the new certificate, then the issuing CA. The root is not part of it.
func (ca *DemoCA) Issue(req DemoRequest) ([][]byte, error) {
	csr, err := checkCSR(req.CSR)
	if err != nil {
		return nil, err
	}
	template, err := ca.leafTemplate(req, csr)
	if err != nil {
		return nil, err
	}
	cert, err := create(template, ca.Issuing, csr.PublicKey, ca.issuingKey)
	if err != nil {
		return nil, err
	}
	if ca.Issued != nil {
		if err := ca.Issued(cert); err != nil {
			return nil, err
		}
	}
	return [][]byte{cert.Raw, ca.Issuing.Raw}, nil
}

// IssueKey is Issue for a key at hand: it makes the request itself, so that the
// proof of possession holds by construction.
func (ca *DemoCA) IssueKey(key crypto.Signer, req DemoRequest) ([][]byte, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCSR, err)
	}
	req.CSR = csr
	return ca.Issue(req)
}

// IssueSigner issues a signer's certificate for a PKCS#10 request.
func (ca *DemoCA) IssueSigner(csrDER []byte, commonName string) ([][]byte, error) {
	return ca.Issue(DemoRequest{CSR: csrDER, Profile: SignerProfile, CommonName: commonName})
}

// checkCSR parses a request and verifies that its maker holds the key: a
// certificate over somebody else's public key would let signatures be claimed.
func checkCSR(der []byte) (*x509.CertificateRequest, error) {
	if len(der) > 64<<10 {
		return nil, fmt.Errorf("%w: request of %d bytes", ErrCSR, len(der))
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCSR, err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: proof of possession: %w", ErrCSR, err)
	}
	if _, err := algo.KeyTypeOf(csr.PublicKey); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCSR, err)
	}
	return csr, nil
}

func (ca *DemoCA) leafTemplate(req DemoRequest, csr *x509.CertificateRequest) (*x509.Certificate, error) {
	name := req.CommonName
	if name == "" {
		name = csr.Subject.CommonName
	}
	if name == "" {
		return nil, fmt.Errorf("%w: no common name given", ErrCSR)
	}
	t, err := template(name, req.NotBefore, req.NotAfter, ca.clock())
	if err != nil {
		return nil, err
	}
	if req.CommonName == "" && strings.HasPrefix(csr.Subject.CommonName, DemoMark+" ") {
		// The request says DEMO itself. Its subject is kept to the octet, as a
		// module that compares the certificate with its request expects.
		t.RawSubject = csr.RawSubject
	}
	t.BasicConstraintsValid = true
	t.KeyUsage = x509.KeyUsageDigitalSignature
	switch req.Profile {
	case SignerProfile:
		t.KeyUsage |= x509.KeyUsageContentCommitment
		ca.places(t, DemoOCSPIssuing, DemoCRLIssuing, DemoCertIssuing)
	case TSAProfile:
		t.ExtraExtensions = []pkix.Extension{criticalTimeStamping()}
		ca.places(t, DemoOCSPIssuing, DemoCRLIssuing, DemoCertIssuing)
	case OCSPProfile:
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		t.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}}
	case TLSServerProfile:
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		t.DNSNames, t.IPAddresses, t.URIs = req.DNSNames, req.IPs, req.URIs
	case TLSClientProfile:
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		t.URIs = req.URIs
	default:
		return nil, fmt.Errorf("%w: %d", ErrProfile, req.Profile)
	}
	return t, nil
}

// criticalTimeStamping is the extended key usage of RFC 3161 section 2.3; the
// x509 package cannot mark it critical itself.
func criticalTimeStamping() pkix.Extension {
	value, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		panic("certs: constant cannot be encoded: " + err.Error())
	}
	return pkix.Extension{Id: oidExtKeyUsage, Critical: true, Value: value}
}

func caTemplate(name string, now time.Time, pathLen int) (*x509.Certificate, error) {
	t, err := template(name, time.Time{}, now.AddDate(10, 0, 0), now)
	if err != nil {
		return nil, err
	}
	t.IsCA, t.BasicConstraintsValid = true, true
	t.MaxPathLen, t.MaxPathLenZero = pathLen, pathLen == 0
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return t, nil
}

func template(name string, from, to, now time.Time) (*x509.Certificate, error) {
	serial, err := randomSerial(rand.Reader)
	if err != nil {
		return nil, err
	}
	if from.IsZero() {
		from = now.Add(-time.Hour)
	}
	if to.IsZero() {
		to = now.AddDate(1, 0, 0)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject: pkix.Name{
			Organization:       []string{"Assent " + DemoMark},
			OrganizationalUnit: []string{DemoMark + " - no legal value"},
			CommonName:         DemoMark + " " + strings.TrimPrefix(name, DemoMark+" "),
		},
		NotBefore: from, NotAfter: to,
	}, nil
}

// randomSerial returns a positive number of 128 bits, the highest set, so that
// all serial numbers have one length (RFC 5280 section 4.1.2.2 allows 20 bytes).
func randomSerial(r io.Reader) (*big.Int, error) {
	raw := make([]byte, 16)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, err
	}
	raw[0] |= 0x80
	return new(big.Int).SetBytes(raw), nil
}

func newCAKey(kt algo.KeyType) (crypto.Signer, error) {
	switch kt {
	case algo.P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case algo.RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	return nil, fmt.Errorf("certs: the demo CA has %s or %s keys, not %q", algo.P256, algo.RSA3072, kt)
}

func create(template, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
