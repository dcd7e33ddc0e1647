package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
)

var content = []byte("the bytes of the ByteRange")

// Every way in which a message can be wrong has its own error.
func TestVerifyNamesTheCause(t *testing.T) {
	leaf := pki().chain(algo.P256)[0]
	parsed, err := x509.ParseCertificate(leaf)
	if err != nil {
		t.Fatal(err)
	}
	ct, md, ess := cms.ContentTypeAttr(cms.OIDData), cms.MessageDigestAttr(digest(crypto.SHA256, content)), cms.SigningCertificateV2Attr(leaf, crypto.SHA256)
	good := rawFor(t, sorted(ct, md, ess))
	with := func(edit func(*raw)) raw { r := good; edit(&r); return r }
	other := pki().chain(algo.P384)[0]
	for name, c := range map[string]struct {
		msg  raw
		opts cms.VerifyOptions
		want error
	}{
		"good":             {good, cms.VerifyOptions{}, nil},
		"other signature":  {with(func(r *raw) { r.signature = signES256(t, []byte("x")) }), cms.VerifyOptions{}, cms.ErrSignature},
		"empty signature":  {with(func(r *raw) { r.signature = nil }), cms.VerifyOptions{}, cms.ErrSignature},
		"other digest":     {rawFor(t, sorted(ct, cms.MessageDigestAttr(digest(crypto.SHA256, []byte("x"))), ess)), cms.VerifyOptions{}, cms.ErrMessageDigest},
		"short digest":     {rawFor(t, sorted(ct, cms.MessageDigestAttr(digest(crypto.SHA256, content)[:31]), ess)), cms.VerifyOptions{}, cms.ErrMessageDigest},
		"no digest":        {rawFor(t, sorted(ct, ess)), cms.VerifyOptions{}, cms.ErrAttribute},
		"no content-type":  {rawFor(t, sorted(md, ess)), cms.VerifyOptions{}, cms.ErrAttribute},
		"wrong type":       {rawFor(t, sorted(cms.ContentTypeAttr(cms.OIDTSTInfo), md, ess)), cms.VerifyOptions{}, cms.ErrContentType},
		"unexpected type":  {good, cms.VerifyOptions{ContentType: cms.OIDTSTInfo}, cms.ErrContentType},
		"E2 unsorted":      {rawFor(t, reversed(sorted(ct, md, ess))), cms.VerifyOptions{}, cms.ErrUnsorted},
		"unsorted allowed": {unsorted(t, sorted(ct, md, ess)), cms.VerifyOptions{AllowUnsorted: true}, nil},
		"unsorted signed":  {rawFor(t, reversed(sorted(ct, md, ess))), cms.VerifyOptions{AllowUnsorted: true}, cms.ErrSignature},
		"two digests":      {rawFor(t, sorted(ct, md, ess, cms.MessageDigestAttr(make([]byte, 32)))), cms.VerifyOptions{}, cms.ErrAttribute},
		"two values":       {rawFor(t, sorted(ct, cms.Attribute(cms.OIDMessageDigest, octet(digest(crypto.SHA256, content)), octet([]byte("x"))), ess)), cms.VerifyOptions{}, cms.ErrAttribute},
		"no ESS":           {rawFor(t, sorted(ct, md)), cms.VerifyOptions{}, cms.ErrNoESS},
		"no ESS allowed":   {rawFor(t, sorted(ct, md)), cms.VerifyOptions{AllowNoESS: true}, nil},
		"ESS v1":           {rawFor(t, sorted(ct, md, essV1(leaf))), cms.VerifyOptions{}, cms.ErrNoESS},
		"ESS v1 allowed":   {rawFor(t, sorted(ct, md, essV1(leaf))), cms.VerifyOptions{AllowESSv1: true}, nil},
		"ESS v1 of other":  {rawFor(t, sorted(ct, md, essV1(other))), cms.VerifyOptions{AllowESSv1: true, AllowNoESS: true}, cms.ErrESSMismatch},
		"v1 and v2 differ": {rawFor(t, sorted(ct, md, ess, essV1(other))), cms.VerifyOptions{AllowESSv1: true}, cms.ErrESSMismatch},
		"ESS of other":     {rawFor(t, sorted(ct, md, cms.SigningCertificateV2Attr(other, crypto.SHA256))), cms.VerifyOptions{AllowNoESS: true}, cms.ErrESSMismatch},
		"ESS SHA-512":      {rawFor(t, sorted(ct, md, cms.SigningCertificateV2Attr(leaf, crypto.SHA512))), cms.VerifyOptions{}, nil},
		"ESS with serial":  {rawFor(t, sorted(ct, md, essV2Serial(parsed, parsed.SerialNumber))), cms.VerifyOptions{}, nil},
		"ESS wrong serial": {rawFor(t, sorted(ct, md, essV2Serial(parsed, big.NewInt(1)))), cms.VerifyOptions{}, cms.ErrESSMismatch},
		"serial allowed":   {rawFor(t, sorted(ct, md, essV2Serial(parsed, big.NewInt(1)))), cms.VerifyOptions{AllowOtherSerial: true}, nil},
		"ESS empty":        {rawFor(t, sorted(ct, md, cms.Attribute(cms.OIDSigningCertificateV2, []byte{0x30, 0}))), cms.VerifyOptions{}, cms.ErrMalformed},
		"no certificate":   {with(func(r *raw) { r.certs = nil }), cms.VerifyOptions{}, cms.ErrNoCertificate},
		"cert beside":      {with(func(r *raw) { r.certs = nil }), cms.VerifyOptions{Certificates: []*x509.Certificate{parsed}}, nil},
		"other certs":      {with(func(r *raw) { r.certs = [][]byte{other} }), cms.VerifyOptions{}, cms.ErrNoCertificate},
		"sid of other":     {with(func(r *raw) { r.sidFrom, r.certs = other, [][]byte{leaf, other} }), cms.VerifyOptions{}, cms.ErrESSMismatch},
		"junk cert":        {with(func(r *raw) { r.certs = [][]byte{{0x30, 0}, leaf} }), cms.VerifyOptions{}, nil},
		"no such key id":   {with(func(r *raw) { r.ski = []byte("nobody") }), cms.VerifyOptions{}, cms.ErrNoCertificate},
		"digest mismatch":  {with(func(r *raw) { r.digestOID = oidSHA512 }), cms.VerifyOptions{}, cms.ErrAlgorithm},
		"SHA-1":            {with(func(r *raw) { r.digestOID = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26} }), cms.VerifyOptions{}, cms.ErrAlgorithm},
		"RSA with EC key":  {with(func(r *raw) { r.sigAlg = algRSA }), cms.VerifyOptions{}, cms.ErrAlgorithm},
		"bare PSS": {with(func(r *raw) {
			r.sigAlg = func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidPSS); emptySeq(b) }
		}), cms.VerifyOptions{}, cms.ErrAlgorithm},
		"two signers":   {with(func(r *raw) { r.signers = 2 }), cms.VerifyOptions{}, cms.ErrSignerCount},
		"no signer":     {with(func(r *raw) { r.signers = 0 }), cms.VerifyOptions{}, cms.ErrSignerCount},
		"other content": {with(func(r *raw) { r.content = []byte("x") }), cms.VerifyOptions{}, cms.ErrMessageDigest},
	} {
		t.Run(name, func(t *testing.T) {
			leaf, err := verify(c.msg.der(t), content, c.opts)
			if !errors.Is(err, c.want) || (c.want == nil && err != nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if (err == nil) != (leaf != nil) {
				t.Errorf("certificate %v with error %v", leaf != nil, err)
			}
		})
	}
}

// D23: Ed25519 is in no message, with SHA-256, with which others made signatures that OpenSSL does not take, or with
// SHA-512, as RFC 8419 wants it: it is not among our algorithms, and a message that names it is refused.
func TestD23Ed25519IsRefused(t *testing.T) {
	ed := rawFor(t, attrs(pki().chain(algo.P256)[0], crypto.SHA256, content))
	ed.sigAlg = func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidEd25519) }
	for name, digest := range map[string]asn1.ObjectIdentifier{"SHA-256": ed.digestOID, "SHA-512": oidSHA512} {
		ed.digestOID = digest
		if leaf, err := verify(ed.der(t), content, cms.VerifyOptions{}); !errors.Is(err, cms.ErrAlgorithm) || leaf != nil {
			t.Errorf("%s: %v, want %v", name, err, cms.ErrAlgorithm)
		}
	}
	for _, a := range algo.All() {
		if a.Hash() == 0 || a.String() == "EdDSA" {
			t.Errorf("%s is among our algorithms: a judge of others is to see its digest", a)
		}
	}
}

// unsorted is a message with its attributes in another order, signed over their DER as RFC 5652, section 5.4 says.
func unsorted(t *testing.T, list [][]byte) raw {
	t.Helper()
	r, other := rawFor(t, list), rawFor(t, reversed(list))
	other.signature = r.signature
	return other
}

// ForgedAttributes (ePrint 2023/1801): the attribute set of a genuine message is
// presented as the content of a message without signed attributes. The signature
// is genuine for those bytes; the message must be refused all the same.
func TestForgedAttributesAreRefused(t *testing.T) {
	leaf := pki().chain(algo.P256)[0]
	set := cms.SortedSet(attrs(leaf, crypto.SHA256, content))
	forged := rawFor(t, nil)
	forged.signedAttrs, forged.signature = nil, signES256(t, set)
	der := forged.der(t)
	if out, err := openssl(t, map[string][]byte{"m.der": der, "c.bin": set, "root.pem": certs.EncodePEM(pki().ca.Root.Raw)},
		"cms", "-verify", "-inform", "DER", "-in", "m.der", "-content", "c.bin", "-binary", "-CAfile", "root.pem", "-purpose", "any", "-out", "/dev/null"); err != nil {
		t.Fatalf("the forgery is not one, OpenSSL refuses it too: %v\n%s", err, out)
	}
	if _, err := verify(der, set, cms.VerifyOptions{AllowNoESS: true}); !errors.Is(err, cms.ErrNoSignedAttrs) {
		t.Errorf("got %v", err)
	}
}

// Certificates with the same issuer and serial number: the protected attribute
// decides, in either order.
func TestTwoCertificatesWithOneSerial(t *testing.T) {
	leaf := pki().chain(algo.P256)[0]
	c, err := x509.ParseCertificate(leaf)
	if err != nil {
		t.Fatal(err)
	}
	_, evilKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	twin, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: c.SerialNumber, Subject: c.Subject, NotBefore: c.NotBefore, NotAfter: c.NotAfter},
		&x509.Certificate{RawSubject: c.RawIssuer}, pki().key(algo.P384).Public(), evilKey)
	if err != nil {
		t.Fatal(err)
	}
	r := rawFor(t, sorted(attrs(leaf, crypto.SHA256, content)...))
	for _, order := range [][][]byte{{leaf, twin}, {twin, leaf}} {
		r.certs = order
		got, err := verify(r.der(t), content, cms.VerifyOptions{})
		if err != nil || !bytes.Equal(got.Raw, leaf) {
			t.Errorf("%v", err)
		}
	}
}

// Assemble refuses what Verify would refuse, and signatures that cannot be.
func TestAssembleRefusesWhatNobodyWouldAccept(t *testing.T) {
	chain := pki().chain(algo.P256)
	list := attrs(chain[0], crypto.SHA256, content)
	good := input(t, algo.ES256, content)
	for name, c := range map[string]struct {
		edit func(*cms.Input)
		want error
	}{
		"algorithm 0":         {func(in *cms.Input) { in.Alg = 0 }, cms.ErrAlgorithm},
		"algorithm of others": {func(in *cms.Input) { in.Alg = algo.RS256 }, cms.ErrAlgorithm},
		"no chain":            {func(in *cms.Input) { in.Chain = nil }, cms.ErrInput},
		"bad leaf":            {func(in *cms.Input) { in.Chain = [][]byte{{0x30, 0}} }, cms.ErrInput},
		"bad issuer":          {func(in *cms.Input) { in.Chain = [][]byte{chain[0], {1}} }, cms.ErrInput},
		"other parsed chain":  {func(in *cms.Input) { in.Parsed = []*x509.Certificate{pki().ca.Issuing, pki().ca.Root}[:len(chain)] }, cms.ErrInput},
		"short parsed chain":  {func(in *cms.Input) { in.Parsed = []*x509.Certificate{} }, cms.ErrInput},
		"other leaf":          {func(in *cms.Input) { in.Chain = [][]byte{pki().ca.Issuing.Raw} }, cms.ErrESSMismatch},
		"no signature":        {func(in *cms.Input) { in.Signature = nil }, cms.ErrInput},
		"long signature":      {func(in *cms.Input) { in.Signature = make([]byte, 73) }, cms.ErrInput},
		"no attributes":       {func(in *cms.Input) { in.SignedAttrs = nil }, cms.ErrInput},
		"nil attribute":       {func(in *cms.Input) { in.SignedAttrs = cms.SortedSet(append(list, nil)) }, cms.ErrInput},
		"trailing byte":       {func(in *cms.Input) { in.SignedAttrs = append(bytes.Clone(in.SignedAttrs), 0) }, cms.ErrInput},
		"context tag":         {func(in *cms.Input) { in.SignedAttrs = implicitAttr(in.SignedAttrs) }, cms.ErrInput},
		"no digest":           {func(in *cms.Input) { in.SignedAttrs = cms.SortedSet([][]byte{list[0], list[2]}) }, cms.ErrAttribute},
		"no ESS":              {func(in *cms.Input) { in.SignedAttrs = cms.SortedSet(list[:2]) }, cms.ErrNoESS},
		"only ESS v1":         {func(in *cms.Input) { in.SignedAttrs = cms.SortedSet([][]byte{list[0], list[1], essV1(chain[0])}) }, cms.ErrNoESS},
		"E2 unsorted":         {func(in *cms.Input) { in.SignedAttrs = setOf(reversed(sorted(list...))) }, cms.ErrUnsorted},
		"twice":               {func(in *cms.Input) { in.SignedAttrs = cms.SortedSet(append(list, list[0])) }, cms.ErrAttribute},
		"content differs":     {func(in *cms.Input) { in.Content = []byte("x") }, cms.ErrMessageDigest},
		"type differs":        {func(in *cms.Input) { in.ContentType = cms.OIDTSTInfo }, cms.ErrContentType},
		"unsigned garbage":    {func(in *cms.Input) { in.Unsigned = [][]byte{{1, 2, 3}} }, cms.ErrInput},
		"SHA-384 digest":      {func(in *cms.Input) { in.SignedAttrs = cms.SortedSet(attrs(chain[0], crypto.SHA384, content)) }, cms.ErrMessageDigest},
	} {
		in := good
		c.edit(&in)
		if der, err := cms.Assemble(in); !errors.Is(err, c.want) || der != nil {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	rsa := input(t, algo.RS256, content)
	rsa.Signature = rsa.Signature[:255]
	if _, err := cms.Assemble(rsa); !errors.Is(err, cms.ErrInput) {
		t.Errorf("RSA signature shorter than the modulus: %v", err)
	}
}

func setOf(list [][]byte) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
		for _, a := range list {
			b.AddBytes(a)
		}
	})
	return b.BytesOrPanic()
}

// E3: the message has no signing-time of its own; a caller that puts one into a
// PAdES signature is the caller's test. Here: Assemble adds no attribute.
func TestE3NoSigningTimeIsAdded(t *testing.T) {
	in := input(t, algo.ES256, content)
	sd, err := cms.Parse(assemble(t, in))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sd.Signers[0].Signed(cms.OIDSigningTime); !errors.Is(err, cms.ErrAttribute) {
		t.Errorf("signing-time: %v", err)
	}
	if len(sd.Signers[0].SignedAttrs) != 3 {
		t.Errorf("%d attributes", len(sd.Signers[0].SignedAttrs))
	}
}

// Encapsulated content (time-stamp tokens) makes SignedData version 3.
func TestEncapsulatedContent(t *testing.T) {
	chain := pki().chain(algo.P256)
	for _, oid := range []asn1.ObjectIdentifier{cms.OIDData, cms.OIDTSTInfo} {
		set := cms.SortedSet([][]byte{cms.ContentTypeAttr(oid), cms.MessageDigestAttr(digest(crypto.SHA256, content)), cms.SigningCertificateV2Attr(chain[0], crypto.SHA256)})
		der := assemble(t, signed(t, algo.ES256, cms.Input{Alg: algo.ES256, Chain: chain, SignedAttrs: set, ContentType: oid, Content: content}))
		sd, err := cms.Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool]int{true: 1, false: 3}[oid.Equal(cms.OIDData)]
		if sd.Version != want || !bytes.Equal(sd.Content, content) {
			t.Errorf("%s: version %d, content %q", oid, sd.Version, sd.Content)
		}
		if _, err := sd.Verify(sd.Signers[0], nil, cms.VerifyOptions{ContentType: oid}); err != nil {
			t.Error(err)
		}
		if _, err := sd.Verify(sd.Signers[0], digest(crypto.SHA256, []byte("x")), cms.VerifyOptions{ContentType: oid}); !errors.Is(err, cms.ErrMessageDigest) {
			t.Errorf("other content given: %v", err)
		}
	}
}

// PDF reserves are filled with zeros; anything else behind a message is refused.
func TestPaddingIsZeroOrRefused(t *testing.T) {
	der := assemble(t, input(t, algo.ES256, content))
	padded := append(bytes.Clone(der), make([]byte, 500)...)
	if _, err := cms.Parse(padded); !errors.Is(err, cms.ErrTrailing) {
		t.Errorf("Parse: %v", err)
	}
	_, message, err := cms.ParsePadded(padded)
	if err != nil || !bytes.Equal(message, der) {
		t.Errorf("%d bytes, %v", len(message), err)
	}
	padded[len(padded)-3] = 1
	if _, _, err := cms.ParsePadded(padded); !errors.Is(err, cms.ErrTrailing) {
		t.Errorf("dirty padding: %v", err)
	}
}
