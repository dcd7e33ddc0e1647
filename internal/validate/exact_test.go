package validate_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"regexp"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/validate"
)

// ADE-03, EN 319 102-1, 5.2.2 to 5.2.8: the form is looked at first, then the signer's certificate, the data, and the algorithms last; each that is
// wrong has its own word.
func TestADE03TheExactWordOfARefusal(t *testing.T) {
	k := newKit(t)
	sha1Digest := func(s string) string {
		return strings.Replace(s, "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1", 1)
	}
	all := func(edits ...func(string) string) func(string) string {
		return func(s string) string {
			for _, e := range edits {
				s = e(s)
			}
			return s
		}
	}
	longer := func(s string) string {
		return regexp.MustCompile(`<ds:DigestValue[^>]*>`).ReplaceAllString(s, "${0}AAAA")
	}
	noURI, nowhere := put(` URI=""`, ""), put(`URI=""`, `URI="#nowhere"`)
	file := func(properties, info func(string) string) string {
		return string(k.edited(t, invoice, properties, info))
	}
	many := ref{uri: "#l", transforms: exclusive(""), over: `<line Id="l">240 euros</line>`}
	var refs []ref
	for range 101 {
		refs = append(refs, many)
	}
	old := file(asIs, sha1Digest)
	for name, c := range map[string]struct {
		file string
		want validate.SubIndication
	}{
		"a reference without URI":                {file(asIs, noURI), validate.SignedDataNotFound},
		"an old digest":                          {old, validate.CryptoNoPOE},
		"an old digest of what is not there":     {file(asIs, all(sha1Digest, nowhere)), validate.SignedDataNotFound},
		"an old digest, of no URI":               {file(asIs, all(sha1Digest, noURI)), validate.SignedDataNotFound},
		"an old digest, without certificates":    {cutOut(old, "<ds:KeyInfo>", "</ds:KeyInfo>"), validate.NoSigningCertificateFound},
		"an old digest, and a form that is none": {file(put("<xades:SignedSignatureProperties>", "<xades:SignedSignatureProperties><xades:Cert/>"), sha1Digest), validate.FormatFailure},
		"an unknown digest":                      {file(asIs, put("xmlenc#sha256", "xmlenc#sha-unknown")), validate.CryptoConstraintsFailure},
		"an unknown signature algorithm":         {file(asIs, put("xmldsig-more#ecdsa-sha256", "xmldsig-more#unknown")), validate.CryptoConstraintsFailure},
		"a digest of another length":             {file(asIs, longer), validate.HashFailure},
		"a certificate's, of another length":     {file(longer, asIs), validate.NoSigningCertificateFound},
		"more references than are looked at":     {k.dsig(t, orderWith(signHere), "s1", "", refs...), validate.SigConstraintsFailure},
	} {
		rep := look(t, []byte(c.file), k.trust())
		if rep.SubIndication != c.want || rep.Verdict == validate.Valid {
			t.Errorf("%s: %s %s %q", name, rep.Verdict, rep.Words(), rep.Signatures[0].Why)
		}
	}
}

func cutOut(s, from, to string) string {
	i := strings.Index(s, from)
	return s[:i] + s[i+strings.Index(s[i:], to)+len(to):]
}

// resigned is the certificate signed again with SHA-1, as was done until 2012.
func resigned(t testing.TB, c *x509.Certificate, key crypto.Signer) *x509.Certificate {
	t.Helper()
	ecdsaSHA1, err := asn1.Marshal(pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}})
	must(t, err)
	ecdsaSHA256, err := asn1.Marshal(pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}})
	must(t, err)
	var tbs asn1.RawValue
	_, err = asn1.Unmarshal(c.RawTBSCertificate, &tbs)
	must(t, err)
	tbs.Bytes, tbs.FullBytes = bytes.Replace(tbs.Bytes, ecdsaSHA256, ecdsaSHA1, 1), nil
	body, err := asn1.Marshal(tbs)
	must(t, err)
	sum := sha1.Sum(body)
	sig, err := key.Sign(rand.Reader, sum[:], crypto.SHA1)
	must(t, err)
	der, err := asn1.Marshal(struct {
		TBS asn1.RawValue
		Alg asn1.RawValue
		Sig asn1.BitString
	}{asn1.RawValue{FullBytes: body}, asn1.RawValue{FullBytes: ecdsaSHA1}, asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}})
	must(t, err)
	out, err := x509.ParseCertificate(der)
	must(t, err)
	return out
}

// ADE-03, EN 319 102-1, 5.2.8 and TS 119 312: a path of which a certificate is signed with SHA-1 is one that an old algorithm spoils, and it is named; where no path
// is to be seen at all it is NO_CERTIFICATE_CHAIN_FOUND. An anchor's own signature is nobody's business.
func TestADE03AChainOfAnOldAlgorithm(t *testing.T) {
	tr := newTree(t)
	subKey, key := newKey(t), newKey(t)
	sub := tr.issue(t, authorityOf("Sub"), tr.root, subKey.Public(), tr.key)
	anna := tr.issue(t, person("Anna"), sub, key.Public(), subKey)
	stranger := newTree(t)
	stranger.root = stranger.issue(t, authorityOf("Elsewhere"), nil, stranger.key.Public(), stranger.key)
	for name, c := range map[string]struct {
		chain []*x509.Certificate
		opt   validate.Options
		want  validate.SubIndication
	}{
		"as it is":             {[]*x509.Certificate{anna, sub}, tr.trust(), ""},
		"the signer's":         {[]*x509.Certificate{resigned(t, anna, subKey), sub}, tr.trust(), validate.CryptoNoPOE},
		"an authority's":       {[]*x509.Certificate{anna, resigned(t, sub, tr.key)}, tr.trust(), validate.CryptoNoPOE},
		"the anchor's":         {[]*x509.Certificate{anna, sub}, validate.Options{Anchors: []*x509.Certificate{resigned(t, tr.root, tr.key)}}, ""},
		"to nobody trusted":    {[]*x509.Certificate{resigned(t, anna, subKey), sub}, stranger.trust(), validate.NoCertificateChainFound},
		"an authority missing": {[]*x509.Certificate{resigned(t, anna, subKey)}, tr.trust(), validate.NoCertificateChainFound},
	} {
		rep := look(t, signAs(t, contract(), key, c.chain...), c.opt)
		s := rep.Signatures[0]
		if rep.SubIndication != c.want || (rep.Verdict == validate.Valid) != (c.want == "") {
			t.Errorf("%s: %s %s %q", name, rep.Verdict, rep.Words(), s.Why)
		}
		if why := strings.Join(s.Why, " "); c.want == validate.CryptoNoPOE && !(strings.Contains(why, "SHA-1") && strings.Contains(why, "2012-08")) {
			t.Errorf("%s: %s", name, why)
		}
	}
}
