package validate_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap"
)

// tree is a root under which a test issues whatever it likes.
type tree struct {
	serial int64
	ages   bool // certificates are valid from 2008 to 2040
	root   *x509.Certificate
	key    crypto.Signer
}

func newTree(t testing.TB) *tree {
	t.Helper()
	tr := &tree{key: newKey(t)}
	tr.root = tr.issue(t, authorityOf("Root"), nil, tr.key.Public(), tr.key)
	return tr
}

// issue signs a certificate for a public key; without a parent it is its own.
func (tr *tree) issue(t testing.TB, c, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	tr.serial++
	c.SerialNumber = big.NewInt(tr.serial)
	if c.NotBefore.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
		if tr.ages {
			c.NotBefore, c.NotAfter = time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
		}
	}
	if parent == nil {
		parent = c
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, pub, key)
	must(t, err)
	out, err := x509.ParseCertificate(raw)
	must(t, err)
	return out
}

func (tr *tree) trust() validate.Options {
	return validate.Options{Anchors: []*x509.Certificate{tr.root}}
}

func authorityOf(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
}

func person(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment}
}

func look(t testing.TB, file []byte, opt validate.Options) *validate.Report {
	t.Helper()
	return (&kit{}).look(t, file, opt)
}

// signAs signs at B-B with any key, and with what of its chain the test wants to be there.
func signAs(t testing.TB, in []byte, key crypto.Signer, chain ...*x509.Certificate) []byte {
	t.Helper()
	var out bytes.Buffer
	p, err := pdf.Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), &out, pdf.SignOptions{Time: time.Now(), Hash: crypto.SHA256, Reserve: 16 << 10})
	must(t, err)
	var raw [][]byte
	for _, c := range chain {
		raw = append(raw, c.Raw)
	}
	attrs, err := sap.PAdESSignedAttributes(p.Digest, raw[0])
	must(t, err)
	h := crypto.SHA256.New()
	h.Write(attrs)
	sig, err := key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
	must(t, err)
	msg, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: algo.ES256, Signature: sig, Chain: raw})
	must(t, err)
	f := fileOf(out.Bytes())
	must(t, pdf.Embed(f, p, msg))
	return *f
}

// criticalStamping is the extended key usage of a time-stamp authority (RFC 3161, section 2.3).
func criticalStamping() []pkix.Extension {
	return []pkix.Extension{{Id: []int{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08}}}
}
