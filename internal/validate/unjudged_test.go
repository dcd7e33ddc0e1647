package validate_test

import (
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap/xades"
)

// ADE-05: a counter-signature in XML is judged as a signature of its own and said to be one; it is over the value of the
// other and of nothing else, and a bad one is bad.
func TestADE05CounterSignaturesAreNamed(t *testing.T) {
	k := newKit(t)
	first := string(k.signXML(t, invoice, "s1", false, true))
	h := crypto.SHA256.New()
	must(t, c14n.Canonicalize(strings.NewReader(first), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive, Target: c14n.ElementByID("s1-value")}))
	p := &xades.Parameters{ID: "c1", Algorithm: algo.ES256, Certificate: k.chain[0], Time: time.Now().Unix(),
		Objects: []xades.Object{{Element: true, URI: "#s1-value", Hash: crypto.SHA256, Digest: h.Sum(nil), MimeType: "text/xml"}}}
	info, err := xades.SignedInfo(p)
	must(t, err)
	value, err := k.key.Sign(rand.Reader, digestOf(info), crypto.SHA256)
	must(t, err)
	element, err := xades.Signature(p, value, k.chain)
	must(t, err)
	const end = "</xades:UnsignedSignatureProperties>"
	doc := into(first, end, "<xades:CounterSignature>"+string(element)+"</xades:CounterSignature>")
	rep := look(t, []byte(doc), k.trust())
	if rep.Verdict != validate.Valid || len(rep.Signatures) != 2 || rep.Signatures[1].Countersigns != "s1" || rep.Signatures[0].Countersigns != "" ||
		!strings.Contains(strings.Join(rep.Signatures[0].Later, " "), `a counter-signature was put in, the signature "c1"`) {
		t.Errorf("%s: %+v", rep.Words(), rep.Signatures)
	}
	var text, page strings.Builder
	must(t, rep.Print(&text))
	must(t, rep.HTML(&page))
	if !strings.Contains(text.String(), `the value of the signature "s1" (counter-signature)`) || !strings.Contains(page.String(), "the value of the signature s1 (counter-signature)") {
		t.Error(text.String(), page.String())
	}
	spoiled := strings.Replace(doc, base64.StdEncoding.EncodeToString(h.Sum(nil)), base64.StdEncoding.EncodeToString(digestOf(nil)), 1)
	if rep := look(t, []byte(spoiled), k.trust()); rep.Verdict != validate.NotValid || rep.Signatures[0].Verdict != validate.Valid {
		t.Errorf("spoiled: %s", rep.Words())
	}
	// The same signature beside the other is over a part of the document.
	beside := strings.Replace(first, "</invoice>", string(element)+"</invoice>", 1)
	if rep := look(t, []byte(beside), k.trust()); rep.Verdict == validate.Valid || rep.Signatures[1].Countersigns != "" {
		t.Errorf("beside: %s", rep.Words())
	}
}

// ADE-05: time-stamps over the content and counter-signatures of CMS are named and said not to be judged, in both formats.
func TestADE05WhatIsNotJudgedIsNamed(t *testing.T) {
	k := newKit(t)
	any := []byte{0x30, 0}
	stamp := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 20}
	content := k.edited(t, invoice, put("</xades:DataObjectFormat>", `</xades:DataObjectFormat><xades:AllDataObjectsTimeStamp><ds:CanonicalizationMethod xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod><xades:EncapsulatedTimeStamp>AAAA</xades:EncapsulatedTimeStamp></xades:AllDataObjectsTimeStamp>`), asIs)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"content-time-stamp":      {k.under(t, cms.Attribute(stamp, any)), "1 time-stamps over the content"},
		"AllDataObjectsTimeStamp": {content, "1 time-stamps over the content"},
		"countersignature":        {k.under(t, nil, cms.Attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 6}, any)), "1 counter-signatures"},
	} {
		rep := k.look(t, c.file, k.trust())
		var text, page strings.Builder
		must(t, rep.Print(&text))
		must(t, rep.HTML(&page))
		if s := rep.Signatures[0]; rep.Verdict != validate.Valid || len(s.Unjudged) != 1 || !strings.Contains(s.Unjudged[0], c.want) || !strings.Contains(s.Unjudged[0], name) ||
			!strings.Contains(text.String(), "not judged") || !strings.Contains(page.String(), "not judged") {
			t.Errorf("%s: %s %q %q", name, rep.Words(), s.Why, s.Unjudged)
		}
	}
}
