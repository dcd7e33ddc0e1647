//go:build foreign

package conformance_test

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	_ "crypto/md5"
	"crypto/rand"
	_ "crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/assent-sign/assent/internal/cms"
)

// mill makes signatures of every kind that should not pass, and odd ones that are legal, which our own code refuses to make.
type mill struct {
	testing.TB
	serial                     int64
	root, ca, anna, stamps     *party
	now, hour, yesterday, days time.Time // days: ten days ago
}

// party is somebody with a key.
type party struct {
	cert *x509.Certificate
	key  crypto.Signer
	by   *party // who issued the certificate, nil of a root
}

// path is the party's certificate and those above it, without the root.
func (p *party) path() (out []*party) {
	for ; p.by != nil; p = p.by {
		out = append(out, p)
	}
	return out
}

func (p *party) raws() (out [][]byte) {
	for _, q := range p.path() {
		out = append(out, q.cert.Raw)
	}
	return out
}

func newMill(t testing.TB) *mill {
	now := time.Now().UTC().Truncate(time.Second)
	m := &mill{TB: t, now: now, days: now.AddDate(0, 0, -10), yesterday: now.AddDate(0, 0, -1), hour: now.Add(-time.Hour)}
	m.root = m.issue(nil, "Root", authority)
	m.ca = m.issue(m.root, "Issuing CA", authority)
	m.anna = m.issue(m.ca, "Anna", nil)
	m.stamps = m.issue(m.root, "TSA", stamping)
	return m
}

func (m *mill) must(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
}

func stamping(c *x509.Certificate) {
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8}})
}

// issue certifies a new key of the P-256 curve, from ninety days ago for a year.
func (m *mill) issue(by *party, name string, edit func(*x509.Certificate)) *party {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	m.must(err)
	return m.certify(by, name, key, edit)
}

func (m *mill) certify(by *party, name string, key crypto.Signer, edit func(*x509.Certificate)) *party {
	m.Helper()
	m.serial++
	c := &x509.Certificate{SerialNumber: big.NewInt(1000 + m.serial), Subject: pkix.Name{CommonName: name, Organization: []string{"Mill"}}, NotBefore: m.now.AddDate(0, 0, -90),
		NotAfter: m.now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageContentCommitment}
	if edit != nil {
		edit(c)
	}
	up := &party{cert: c, key: key}
	if by != nil {
		up = by
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, up.cert, key.Public(), up.key)
	m.must(err)
	out := &party{key: key, by: by}
	out.cert, err = x509.ParseCertificate(raw)
	m.must(err)
	return out
}

// crl is a list of an authority of that time, which is current for thirty days.
func (m *mill) crl(by *party, at time.Time, revoked ...x509.RevocationListEntry) []byte {
	m.Helper()
	m.serial++
	raw, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(m.serial), ThisUpdate: at, NextUpdate: at.AddDate(0, 0, 30), RevokedCertificateEntries: revoked}, by.cert, by.key)
	m.must(err)
	return raw
}

func entry(p *party, at time.Time, reason int) x509.RevocationListEntry {
	return x509.RevocationListEntry{SerialNumber: p.cert.SerialNumber, RevocationTime: at, ReasonCode: reason}
}

// answer is an OCSP response of that time about a certificate, by its issuer or by another party.
func (m *mill) answer(about, by *party, at time.Time, edit func(*ocsp.Response)) []byte {
	m.Helper()
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: about.cert.SerialNumber, ThisUpdate: at, NextUpdate: at.AddDate(0, 0, 7), IssuerHash: crypto.SHA1}
	if by != about.by {
		r.Certificate = by.cert
	}
	if edit != nil {
		edit(&r)
	}
	raw, err := ocsp.CreateResponse(about.by.cert, by.cert, r, by.key)
	m.must(err)
	return raw
}

var (
	hashes = map[crypto.Hash]asn1.ObjectIdentifier{crypto.MD5: {1, 2, 840, 113549, 2, 5}, crypto.SHA1: {1, 3, 14, 3, 2, 26}, crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3}}
	curved = map[crypto.Hash]asn1.ObjectIdentifier{crypto.SHA1: {1, 2, 840, 10045, 4, 1}, crypto.SHA256: {1, 2, 840, 10045, 4, 3, 2}, crypto.SHA512: {1, 2, 840, 10045, 4, 3, 4}}
	plain  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} // RSA
)

type algorithm struct {
	OID    asn1.ObjectIdentifier
	Params asn1.RawValue `asn1:"optional"`
}

type signerInfo struct {
	Version int
	Sid     struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
	Digest   algorithm
	Signed   asn1.RawValue
	Alg      algorithm
	Value    []byte
	Unsigned asn1.RawValue `asn1:"optional"`
}

// message is a CMS message to be made.
type message struct {
	signer  *party
	certs   [][]byte
	hash    crypto.Hash
	kind    asn1.ObjectIdentifier
	content []byte   // inside, or nil
	attrs   [][]byte // the signed ones, in the order in which they are written and signed
	der     bool     // signed in the order of DER, however they are written
	stamp   func(value []byte) []byte
}

func (m *mill) der(v any) []byte {
	m.Helper()
	raw, err := asn1.Marshal(v)
	m.must(err)
	return raw
}

func tagged(class, tag int, parts ...[]byte) asn1.RawValue {
	return asn1.RawValue{Class: class, Tag: tag, IsCompound: true, Bytes: bytes.Join(parts, nil)}
}

func whole(raw []byte) asn1.RawValue { return asn1.RawValue{FullBytes: raw} }

func digestOf(h crypto.Hash, b []byte) []byte {
	w := h.New()
	w.Write(b)
	return w.Sum(nil)
}

// sign gives the value of a party over octets.
func (m *mill) sign(by *party, h crypto.Hash, octets []byte) []byte {
	m.Helper()
	value, err := by.key.Sign(rand.Reader, digestOf(h, octets), h)
	m.must(err)
	return value
}

func (m *mill) message(in message) []byte {
	m.Helper()
	si := signerInfo{Version: 1, Digest: algorithm{OID: hashes[in.hash]}, Alg: algorithm{OID: curved[in.hash]}}
	if _, ok := in.signer.key.(*ecdsa.PrivateKey); !ok {
		si.Alg = algorithm{plain, asn1.NullRawValue}
	}
	si.Sid.Issuer, si.Sid.Serial = whole(in.signer.cert.RawIssuer), in.signer.cert.SerialNumber
	over := in.attrs
	if in.der {
		over = sorted(slices.Clone(in.attrs)...)
	}
	si.Value = m.sign(in.signer, in.hash, m.der(tagged(0, 17, over...)))
	si.Signed = tagged(2, 0, in.attrs...)
	if in.stamp != nil {
		si.Unsigned = tagged(2, 1, cms.Attribute(cms.OIDTimeStampToken, in.stamp(si.Value)))
	}
	content := [][]byte{m.der(in.kind)}
	if in.content != nil {
		content = append(content, m.der(tagged(2, 0, m.der(in.content))))
	}
	parts := [][]byte{m.der(1), m.der(tagged(0, 17, m.der(si.Digest))), m.der(tagged(0, 16, content...)), m.der(tagged(2, 0, in.certs...)), m.der(tagged(0, 17, m.der(si)))}
	if in.content != nil {
		parts[0] = m.der(3)
	}
	return m.der(tagged(0, 16, m.der(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}), m.der(tagged(2, 0, m.der(tagged(0, 16, parts...))))))
}

// attrs are the signed attributes of a baseline signature, sorted.
func attrs(signer *party, h crypto.Hash, kind asn1.ObjectIdentifier, digest []byte) [][]byte {
	return sorted(cms.ContentTypeAttr(kind), cms.MessageDigestAttr(digest), cms.SigningCertificateV2Attr(signer.cert.Raw, crypto.SHA256))
}

func sorted(list ...[]byte) [][]byte {
	slices.SortFunc(list, bytes.Compare)
	return list
}

// stampOf says how a time-stamp is made; the zero value, but for its time, is a good one.
type stampOf struct {
	at   time.Time
	by   *party
	over []byte // instead of what it should be over
	hash crypto.Hash
	edit func([][]byte) [][]byte // of its signed attributes
}

// token is a time-stamp token over octets (RFC 3161).
func (m *mill) token(s stampOf, octets []byte) []byte {
	m.Helper()
	by, h := cmp.Or(s.by, m.stamps), cmp.Or(s.hash, crypto.SHA256)
	if s.over != nil {
		octets = s.over
	}
	m.serial++
	info := m.der(struct {
		Version int
		Policy  asn1.ObjectIdentifier
		Imprint struct {
			Alg    algorithm
			Digest []byte
		}
		Serial *big.Int
		Time   time.Time `asn1:"generalized"`
	}{1, []int{1, 3, 6, 1, 4, 1, 99999, 1}, struct {
		Alg    algorithm
		Digest []byte
	}{algorithm{OID: hashes[h]}, digestOf(h, octets)}, big.NewInt(m.serial), s.at})
	list := attrs(by, crypto.SHA256, cms.OIDTSTInfo, digestOf(crypto.SHA256, info))
	if s.edit != nil {
		list = s.edit(list)
	}
	return m.message(message{signer: by, certs: by.raws(), hash: crypto.SHA256, kind: cms.OIDTSTInfo, content: info, attrs: list})
}
