package validate_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap"
)

func tlv(tag byte, parts ...[]byte) []byte {
	out, err := asn1.Marshal(asn1.RawValue{Class: int(tag >> 6), Tag: int(tag & 0x1f), IsCompound: tag&0x20 != 0, Bytes: bytes.Join(parts, nil)})
	if err != nil {
		panic(err)
	}
	return out
}

func oidDER(arcs ...int) []byte {
	out, err := asn1.Marshal(asn1.ObjectIdentifier(arcs))
	if err != nil {
		panic(err)
	}
	return out
}

func attribute(value []byte, arcs ...int) []byte {
	return tlv(0x30, oidDER(arcs...), tlv(0x31, value))
}

// carrying signs a PDF whose message carries more: signed attributes, unsigned ones, and revocation information of the message.
func carrying(t *testing.T, key crypto.Signer, leaf *x509.Certificate, signed, unsigned, crls []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	in := contract()
	p, err := pdf.Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), &out, pdf.SignOptions{Time: time.Now(), Hash: crypto.SHA256, Reserve: 16 << 10})
	must(t, err)
	attrs, err := sap.PAdESSignedAttributes(p.Digest, leaf.Raw)
	must(t, err)
	var set asn1.RawValue
	_, err = asn1.Unmarshal(attrs, &set)
	must(t, err)
	list := [][]byte{}
	for rest := set.Bytes; len(rest) > 0; {
		var one asn1.RawValue
		rest, err = asn1.Unmarshal(rest, &one)
		must(t, err)
		list = append(list, one.FullBytes)
	}
	if signed != nil {
		list = append(list, signed)
	}
	attrs = cms.SortedSet(list)
	h := crypto.SHA256.New()
	h.Write(attrs)
	sig, err := key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
	must(t, err)
	ecdsa := tlv(0x30, oidDER(1, 2, 840, 10045, 4, 3, 2))
	sha256 := tlv(0x30, oidDER(2, 16, 840, 1, 101, 3, 4, 2, 1))
	serial, err := asn1.Marshal(leaf.SerialNumber)
	must(t, err)
	signer := [][]byte{{2, 1, 1}, tlv(0x30, leaf.RawIssuer, serial), sha256, tlv(0xa0, attrs[len(attrs)-len(bytes.Join(list, nil)):]), ecdsa, tlv(0x04, sig)}
	if unsigned != nil {
		signer = append(signer, tlv(0xa1, unsigned))
	}
	body := [][]byte{{2, 1, 1}, tlv(0x31, sha256), tlv(0x30, oidDER(1, 2, 840, 113549, 1, 7, 1)), tlv(0xa0, leaf.Raw)}
	if crls != nil {
		body = append(body, tlv(0xa1, crls))
	}
	body = append(body, tlv(0x31, tlv(0x30, signer...)))
	f := fileOf(out.Bytes())
	must(t, pdf.Embed(f, p, tlv(0x30, oidDER(1, 2, 840, 113549, 1, 7, 2), tlv(0xa0, tlv(0x30, body...)))))
	return *f
}

// ADE-03, RFC 5652, 10.2.1, ISO 32000-1, 12.8.3.3.2, EN 319 122-1, A.1.1.4 and XML Signature, 4.5.4: statements about revocation in a message, or in the KeyInfo of an XML
// signature, are candidates as those of the security store are: each is held against the same rules, what they say of a revocation counts, and no level is
// claimed for them.
func TestADE03StatementsInsideOfSignatures(t *testing.T) {
	tr := newTree(t)
	key, strange := newKey(t), newKey(t)
	anna := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key)
	k := &kit{key: key, chain: [][]byte{anna.Raw}}
	forms := map[string]func(list []byte) []byte{
		"SignedData.crls": func(list []byte) []byte { return carrying(t, key, anna, nil, nil, list) },
		"adbe-revocationInfoArchival": func(list []byte) []byte {
			return carrying(t, key, anna, attribute(tlv(0x30, tlv(0xa0, tlv(0x30, list))), 1, 2, 840, 113583, 1, 1, 8), nil, nil)
		},
		"revocation-values": func(list []byte) []byte {
			return carrying(t, key, anna, nil, attribute(tlv(0x30, tlv(0xa0, tlv(0x30, list))), 1, 2, 840, 113549, 1, 9, 16, 2, 24), nil)
		},
		"X509CRL": func(list []byte) []byte {
			return bytes.Replace(k.signXML(t, invoice, "s1", false, false), []byte("</ds:X509Data>"), []byte("<ds:X509CRL>"+base64.StdEncoding.EncodeToString(list)+"</ds:X509CRL></ds:X509Data>"), 1)
		},
	}
	for form, of := range forms {
		for name, c := range map[string]struct {
			list     []byte
			carried  validate.SubIndication // RevocationIfCarried
			required validate.SubIndication
		}{
			"good":           {listOf(t, tr.root, tr.key, time.Minute), "", ""},
			"revoked":        {listOf(t, tr.root, tr.key, time.Minute, anna), validate.RevokedNoPOE, validate.RevokedNoPOE},
			"of a stranger":  {listOf(t, tr.root, strange, time.Minute), "", validate.TryLater},
			"bad of one":     {listOf(t, tr.root, strange, time.Minute, anna), "", validate.TryLater},
			"of the future":  {listOf(t, tr.root, tr.key, -30*time.Minute), "", validate.TryLater},
			"that is none":   {[]byte{0x30, 3, 1, 2, 3}, "", validate.TryLater},
			"that ends soon": {[]byte{0x30, 0x84, 1, 2}, "", validate.TryLater},
		} {
			if name == "that ends soon" && form != "X509CRL" {
				continue // not a message then
			}
			file := of(c.list)
			for policy, want := range map[validate.Revocation]validate.SubIndication{validate.RevocationIfCarried: c.carried, validate.RevocationRequired: c.required} {
				opt := tr.trust()
				opt.Revocation = policy
				rep := look(t, file, opt)
				if s := rep.Signatures[0]; rep.SubIndication != want || (rep.Verdict == validate.Valid) != (want == "") || strings.HasPrefix(s.Level, "B-L") || s.Settled() {
					t.Errorf("%s, %s, %s: %s at %q, settled %t, %q %q", form, name, policy, rep.Words(), s.Level, s.Settled(), s.Why, rep.Notes)
				}
			}
		}
	}
}

// The same of OCSP, in both formats of messages, whole and bare.
func TestADE03AnswersInsideOfSignatures(t *testing.T) {
	a := newAuthority(t)
	key := newKey(t)
	chain, _ := a.Certify(t, "carl", key.Public(), certs.SignerProfile)
	leaf, err := x509.ParseCertificate(chain[0])
	must(t, err)
	answer := func() []byte { return a.asked(t, chain, 0) }
	bare := func(response []byte) []byte { // OCSPResponse: status, [0] { type, OCTET STRING }
		var outer, inner struct {
			A asn1.RawValue
			B asn1.RawValue
		}
		_, err := asn1.Unmarshal(response, &outer)
		must(t, err)
		_, err = asn1.Unmarshal(outer.B.Bytes, &inner)
		must(t, err)
		return inner.B.Bytes
	}
	whole, basic := oidDER(1, 3, 6, 1, 5, 5, 7, 16, 2), oidDER(1, 3, 6, 1, 5, 5, 7, 48, 1, 1)
	forms := map[string]func(answer, list []byte) []byte{
		"RFC 5940": func(answer, list []byte) []byte {
			return carrying(t, key, leaf, nil, attribute(tlv(0x30, chain[1]), 1, 2, 840, 113549, 1, 9, 16, 2, 23), append(bytes.Clone(list), tlv(0xa1, whole, answer)...))
		},
		"CAdES": func(answer, list []byte) []byte {
			return carrying(t, key, leaf, nil, attribute(tlv(0x30, chain[1]), 1, 2, 840, 113549, 1, 9, 16, 2, 23), append(bytes.Clone(list), tlv(0xa1, basic, bare(answer))...))
		},
		"adbe": func(answer, list []byte) []byte {
			return carrying(t, key, leaf, attribute(tlv(0x30, tlv(0xa0, tlv(0x30, list)), tlv(0xa1, tlv(0x30, answer))), 1, 2, 840, 113583, 1, 1, 8),
				attribute(tlv(0x30, chain[1]), 1, 2, 840, 113549, 1, 9, 16, 2, 23), nil)
		},
		"revocation-values": func(answer, list []byte) []byte {
			attrs := cms.SortedSet([][]byte{attribute(tlv(0x30, chain[1]), 1, 2, 840, 113549, 1, 9, 16, 2, 23),
				attribute(tlv(0x30, tlv(0xa0, tlv(0x30, list)), tlv(0xa1, tlv(0x30, bare(answer)))), 1, 2, 840, 113549, 1, 9, 16, 2, 24)})
			var set asn1.RawValue
			_, err := asn1.Unmarshal(attrs, &set)
			must(t, err)
			return carrying(t, key, leaf, nil, set.Bytes, nil)
		},
	}
	_, list := a.fetch(t, chain)
	files := map[string][]byte{}
	good := answer()
	for name, of := range forms {
		files[name] = of(good, list)
	}
	root, err := certs.LoadPEM(a.Root)
	must(t, err)
	judged := func(file []byte) *validate.Report {
		opt := validate.Options{Anchors: root, Revocation: validate.RevocationRequired}
		return look(t, file, opt)
	}
	for name, file := range files {
		if rep := judged(file); rep.Verdict != validate.Valid {
			t.Errorf("%s: %s %q %q", name, rep.Words(), rep.Signatures[0].Why, rep.Notes)
		}
	}
	a.Revoke(t, chain[0], time.Now().Add(-10*time.Minute))
	bad := answer()
	for name, of := range forms {
		if rep := judged(of(bad, list)); rep.SubIndication != validate.RevokedNoPOE {
			t.Errorf("%s, revoked: %s %q", name, rep.Words(), rep.Signatures[0].Why)
		}
		// What the security store says does not outweigh it.
		if rep := judged(stored(t, of(bad, list), pdf.ValidationData{Certs: [][]byte{chain[1]}, CRLs: [][]byte{list}, OCSPs: [][]byte{good}})); rep.SubIndication != validate.RevokedNoPOE {
			t.Errorf("%s, revoked, and good in the store: %s %q", name, rep.Words(), rep.Signatures[0].Why)
		}
	}
}

// More statements than are read leave a doubt, since one could be bad news.
func TestADE03StatementsInsideAreBounded(t *testing.T) {
	tr := newTree(t)
	key := newKey(t)
	anna := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key)
	many := bytes.Repeat([]byte{0x30, 0}, cms.MaxStatements+1)
	if rep := look(t, carrying(t, key, anna, nil, nil, many), tr.trust()); rep.SubIndication != validate.TryLater {
		t.Errorf("in a message: %s", rep.Words())
	}
	k := &kit{key: key, chain: [][]byte{anna.Raw}}
	xml := bytes.Replace(k.signXML(t, invoice, "s1", false, false), []byte("</ds:X509Data>"), []byte(strings.Repeat("<ds:X509CRL>MAA=</ds:X509CRL>", cms.MaxStatements+1)+"</ds:X509Data>"), 1)
	if rep := look(t, xml, tr.trust()); rep.SubIndication != validate.TryLater {
		t.Errorf("in XML: %s", rep.Words())
	}
}
