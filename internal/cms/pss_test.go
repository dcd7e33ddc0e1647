package cms_test

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"errors"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/cms"
)

// pssParams are RSASSA-PSS-params with freely chosen fields; nil leaves one out.
type pssParams struct {
	hash, mgf, mgfHash asn1.ObjectIdentifier
	salt               int64
	trailer            int64 // 0: absent
	null               bool  // NULL parameters in the digest identifiers
}

func (p pssParams) add(b *cryptobyte.Builder) {
	digest := func(oid asn1.ObjectIdentifier) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oid)
				if p.null {
					b.AddASN1NULL()
				}
			})
		}
	}
	field := func(n uint8, f func(*cryptobyte.Builder)) {
		b.AddASN1(cbasn1.Tag(n).ContextSpecific().Constructed(), f)
	}
	if p.hash != nil {
		field(0, digest(p.hash))
	}
	if p.mgf != nil {
		field(1, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(p.mgf)
				digest(p.mgfHash)(b)
			})
		})
	}
	if p.salt != 0 {
		field(2, func(b *cryptobyte.Builder) { b.AddASN1Int64(p.salt) })
	}
	if p.trailer != 0 {
		field(3, func(b *cryptobyte.Builder) { b.AddASN1Int64(p.trailer) })
	}
}

// D22, RFC 4055: one set of parameters for each digest is read, in its two
// encodings; the SHA-1 defaults and every mixture are refused. The signature is
// genuine in each case, so that only the parameters decide.
func TestPSSParametersAreAClosedSet(t *testing.T) {
	mgf1 := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	good := pssParams{oidSHA256, mgf1, oidSHA256, 32, 0, true}
	with := func(edit func(*pssParams)) pssParams { p := good; edit(&p); return p }
	chain := pki().chain(algo.RSA3072)
	set := cms.SortedSet(attrs(chain[0], crypto.SHA256, content))
	in := signed(t, algo.PS256, cms.Input{Alg: algo.PS256, SignedAttrs: set})
	for name, c := range map[string]struct {
		params pssParams
		want   error
	}{
		"good":          {good, nil},
		"absent params": {with(func(p *pssParams) { p.null = false }), nil},
		"trailer 1":     {with(func(p *pssParams) { p.trailer = 1 }), nil},
		"trailer 2":     {with(func(p *pssParams) { p.trailer = 2 }), cms.ErrAlgorithm},
		"salt 20":       {with(func(p *pssParams) { p.salt = 20 }), cms.ErrAlgorithm},
		"salt default":  {with(func(p *pssParams) { p.salt = 0 }), cms.ErrAlgorithm},
		"hash default":  {with(func(p *pssParams) { p.hash = nil }), cms.ErrAlgorithm},
		"mgf default":   {with(func(p *pssParams) { p.mgf = nil }), cms.ErrAlgorithm},
		"other hash":    {with(func(p *pssParams) { p.hash = oidSHA512 }), cms.ErrAlgorithm},
		"other mgf":     {with(func(p *pssParams) { p.mgf = oidSHA256 }), cms.ErrAlgorithm},
		"other mgfHash": {with(func(p *pssParams) { p.mgfHash = oidSHA512 }), cms.ErrAlgorithm},
		"all SHA-512":   {pssParams{oidSHA512, mgf1, oidSHA512, 64, 0, true}, cms.ErrAlgorithm}, // digestAlgorithm says SHA-256
	} {
		r := raw{
			signedAttrs: implicitAttr(set), digestOID: oidSHA256, signature: in.Signature, sidFrom: chain[0], certs: chain,
			contentType: cms.OIDData, signers: 1, sigAlg: func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidPSS)
				b.AddASN1(cbasn1.SEQUENCE, c.params.add)
			},
		}
		if _, err := verify(r.der(t), content, cms.VerifyOptions{}); !errors.Is(err, c.want) || (c.want == nil && err != nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// What callers look up in a parsed message is what was put in.
func TestLookUps(t *testing.T) {
	in := input(t, algo.ES256, content)
	token := octet([]byte("token"))
	in.Unsigned = [][]byte{cms.Attribute(cms.OIDTimeStampToken, token)}
	sd := mustParse(t, assemble(t, in))
	si := sd.Signers[0]
	if v, err := si.Unsigned(cms.OIDTimeStampToken); err != nil || !bytes.Equal(v, token) {
		t.Errorf("%x, %v", v, err)
	}
	if tokens := si.TimeStampTokens(); len(tokens) != 1 || !bytes.Equal(tokens[0], token) {
		t.Errorf("%x", tokens)
	}
	if list := sd.Certificates(); len(list) != 2 {
		t.Errorf("%d certificates", len(list))
	}
	if md, err := si.MessageDigest(); err != nil || !bytes.Equal(md, digest(crypto.SHA256, content)) {
		t.Errorf("%x, %v", md, err)
	}
	if cms.Attribute(cms.OIDData) != nil || cms.Attribute(asn1.ObjectIdentifier{9}, token) != nil {
		t.Error("an attribute that cannot be")
	}
}
