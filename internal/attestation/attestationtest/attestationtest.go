// Package attestationtest makes attestation statements with a certification authority
// of its own: what authenticators of a made-up manufacturer would say. For tests
// only.
package attestationtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"testing"
	"time"
)

// Maker is a manufacturer: a root, and statements under it.
type Maker struct {
	Root   *x509.Certificate
	key    *ecdsa.PrivateKey
	t      testing.TB
	Change func(*x509.Certificate) // alters the template of the next attestation certificate
	TPM    TPM                     // of the next tpm statement
}

// TPM alters a tpm statement.
type TPM struct {
	Attributes *uint32      // objectAttributes; a key that cannot leave when nil
	CertInfo   func([]byte) // alters certInfo before it is signed
	PubArea    func([]byte) // alters pubArea before its name is taken
}

// New makes a manufacturer whose certificates are valid from 2025 to 2045.
func New(t testing.TB) *Maker {
	t.Helper()
	m := &Maker{t: t, key: newKey(t)}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Authenticators Root"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: notBefore(), NotAfter: notAfter(),
	}
	m.Root = m.issue(tmpl, tmpl, m.key.Public())
	return m
}

func notBefore() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }
func notAfter() time.Time  { return time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC) }

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (m *Maker) issue(tmpl, parent *x509.Certificate, pub crypto.PublicKey) *x509.Certificate {
	m.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, m.key)
	if err != nil {
		m.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// leaf makes an attestation certificate.
func (m *Maker) leaf(subject pkix.Name, extra []pkix.Extension) (*x509.Certificate, *ecdsa.PrivateKey) {
	m.t.Helper()
	key := newKey(m.t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: subject, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: notBefore(), NotAfter: notAfter(), ExtraExtensions: extra,
	}
	if m.Change != nil {
		m.Change(tmpl)
		m.Change = nil
	}
	return m.issue(tmpl, m.Root, key.Public()), key
}

func (m *Maker) der(v any) []byte {
	m.t.Helper()
	b, err := asn1.Marshal(v)
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

func (m *Maker) sign(key *ecdsa.PrivateKey, message []byte) []byte {
	m.t.Helper()
	d := sha256.Sum256(message)
	sig, err := ecdsa.SignASN1(rand.Reader, key, d[:])
	if err != nil {
		m.t.Fatal(err)
	}
	return sig
}

// AAGUID is the certificate extension that names a model.
func (m *Maker) AAGUID(id [16]byte) pkix.Extension {
	m.t.Helper()
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}, Value: m.der(id[:])}
}

// Packed is the statement of format packed with x5c; aaguid is what its
// certificate names.
func (m *Maker) Packed(authData, clientDataHash []byte, aaguid [16]byte) map[string]any {
	m.t.Helper()
	cert, key := m.leaf(pkix.Name{
		Country: []string{"AT"}, Organization: []string{"Test"}, OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: "Key 1",
	}, []pkix.Extension{m.AAGUID(aaguid)})
	sig := m.sign(key, append(append([]byte{}, authData...), clientDataHash...))
	return map[string]any{"alg": -7, "sig": sig, "x5c": [][]byte{cert.Raw}}
}

// TPMStatement is the statement of format tpm for a P-256 credential key.
func (m *Maker) TPMStatement(pub *ecdsa.PublicKey, authData, clientDataHash []byte) map[string]any {
	m.t.Helper()
	attributes := uint32(0x00040072) // sign, userWithAuth, sensitiveDataOrigin, fixedParent, fixedTPM
	if m.TPM.Attributes != nil {
		attributes = *m.TPM.Attributes
	}
	point, err := pub.Bytes()
	if err != nil {
		m.t.Fatal(err)
	}
	be := binary.BigEndian
	area := be.AppendUint32([]byte{0, 0x23, 0, 0x0b}, attributes)
	area = append(area, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10) // no policy, no symmetric, ECDSA with SHA-256, P-256, no KDF
	for _, half := range [][]byte{point[1:33], point[33:]} {
		area = append(be.AppendUint16(area, 32), half...)
	}
	if m.TPM.PubArea != nil {
		m.TPM.PubArea(area)
	}
	name := sha256.Sum256(area)
	extra := sha256.Sum256(append(append([]byte{}, authData...), clientDataHash...))
	info := be.AppendUint32(nil, 0xff544347)
	info = append(info, 0x80, 0x17, 0, 0)
	info = append(be.AppendUint16(info, 32), extra[:]...)
	info = append(info, make([]byte, 25)...)
	info = append(be.AppendUint16(info, 34), 0, 0x0b)
	info = append(info, name[:]...)
	info = append(info, 0, 0)
	if m.TPM.CertInfo != nil {
		m.TPM.CertInfo(info)
	}
	m.TPM = TPM{}
	cert, key := m.leaf(pkix.Name{}, []pkix.Extension{m.tpmName(), m.aikUsage()})
	return map[string]any{
		"ver": "2.0", "alg": -7, "x5c": [][]byte{cert.Raw}, "sig": m.sign(key, info), "certInfo": info, "pubArea": area,
	}
}

func (m *Maker) aikUsage() pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: m.der([]asn1.ObjectIdentifier{{2, 23, 133, 8, 3}})}
}

// tpmName is a critical subjectAltName with the TPM's directory name.
func (m *Maker) tpmName() pkix.Extension {
	var set pkix.RelativeDistinguishedNameSET
	for i, v := range []string{"id:54455354", "Test TPM", "id:00010002"} {
		set = append(set, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 23, 133, 2, i + 1}, Value: v})
	}
	name := m.der(pkix.RDNSequence{set})
	return pkix.Extension{
		Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true,
		Value: m.der([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: name}}),
	}
}
