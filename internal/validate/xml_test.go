package validate_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap/xades"
)

const invoice = "<?xml version=\"1.0\"?>\n<!-- c --><invoice xmlns='urn:example:invoice'><line Id='l'>240 euros</line></invoice>\n"

// signXML puts an XAdES signature in; stamped makes it B-T.
func (k *kit) signXML(t testing.TB, doc, id string, parallel, stamped bool) []byte {
	t.Helper()
	h := crypto.SHA256.New()
	must(t, c14n.Canonicalize(strings.NewReader(doc), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive, Unsigned: parallel}))
	p := &xades.Parameters{ID: id, Algorithm: algo.ES256, Certificate: k.chain[0], Time: time.Now().Unix(), Roles: []string{"Buyer"},
		Objects: []xades.Object{{Enveloped: true, Parallel: parallel, Hash: crypto.SHA256, Digest: h.Sum(nil), MimeType: "text/xml"}}}
	info, err := xades.SignedInfo(p)
	must(t, err)
	sum := crypto.SHA256.New()
	sum.Write(info)
	value, err := k.key.Sign(rand.Reader, sum.Sum(nil), crypto.SHA256)
	must(t, err)
	element, err := xades.Signature(p, value, k.chain)
	must(t, err)
	if stamped {
		imprint := crypto.SHA256.New()
		must(t, c14n.Canonicalize(bytes.NewReader(element), c14n.Limits{}, c14n.Job{W: imprint, Method: c14n.Exclusive, Target: c14n.ElementByID(id + "-value")}))
		token, _, err := k.stamp.Stamp(t.Context(), crypto.SHA256, imprint.Sum(nil))
		must(t, err)
		element = bytes.Replace(element, []byte("</xades:QualifyingProperties>"), []byte(`<xades:UnsignedProperties><xades:UnsignedSignatureProperties><xades:SignatureTimeStamp><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><xades:EncapsulatedTimeStamp>`+
			base64.StdEncoding.EncodeToString(token)+`</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp></xades:UnsignedSignatureProperties></xades:UnsignedProperties></xades:QualifyingProperties>`), 1)
	}
	return []byte(strings.Replace(doc, "</invoice>", string(element)+"</invoice>", 1))
}

// A good XML file is valid, and the report says who, when, at which level, and over which node.
func TestGoodXMLIsValid(t *testing.T) {
	k := newKit(t)
	for level, stamped := range map[string]bool{"B-B": false, "B-T": true} {
		rep := k.look(t, k.signXML(t, invoice, "s1", false, stamped), k.trust())
		if rep.Verdict != validate.Valid || len(rep.Signatures) != 1 {
			t.Fatalf("%s: %+v", level, rep)
		}
		s := rep.Signatures[0]
		if s.Level != level || s.Scope != "the whole document but for this signature" || !s.Whole || !strings.Contains(s.Signer, "Anna Demo") || (s.Proven != nil) != stamped || s.Claimed == nil || s.Reason != "Buyer" {
			t.Errorf("%s: %+v", level, s)
		}
		var out strings.Builder
		must(t, rep.Print(&out))
		if !strings.Contains(out.String(), "covers      the whole document but for this signature") {
			t.Error(out.String())
		}
	}
	rep := k.look(t, k.signXML(t, invoice, "s1", false, false), validate.Options{})
	if rep.Verdict != validate.Indeterminate {
		t.Errorf("without anchors: %s", rep.Verdict)
	}
	if rep := k.look(t, []byte(invoice), k.trust()); rep.Verdict != validate.Unsigned {
		t.Errorf("without signature: %s", rep.Verdict)
	}
}

// Two signatures side by side are both valid and say that they leave signatures out; one over
// everything but itself does not survive another one.
func TestParallelXMLSignatures(t *testing.T) {
	k := newKit(t)
	two := k.signXML(t, string(k.signXML(t, invoice, "s1", true, false)), "s2", true, true)
	rep := k.look(t, two, k.trust())
	if rep.Verdict != validate.Valid || len(rep.Signatures) != 2 || rep.Signatures[0].Whole || rep.Signatures[0].Scope != "the whole document but for all signatures in it" {
		t.Errorf("%+v", rep)
	}
	broken := k.signXML(t, string(k.signXML(t, invoice, "s1", false, false)), "s2", true, false)
	rep = k.look(t, broken, k.trust())
	if rep.Verdict != validate.NotValid || rep.Signatures[0].Verdict != validate.NotValid || rep.Signatures[1].Verdict != validate.Valid {
		t.Errorf("%+v", rep)
	}
}

// ADE-05: whatever byte of the data, the properties or the value is changed, the verdict is not valid, or the
// file is refused; and the classical wrappings do not pass.
func TestADE05ChangedXMLIsNotValid(t *testing.T) {
	k := newKit(t)
	good := string(k.signXML(t, invoice, "s1", false, true))
	look := func(doc string) validate.Verdict {
		rep, err := validate.File(t.Context(), "x.xml", strings.NewReader(doc), int64(len(doc)), k.trust())
		if err != nil {
			return validate.NotValid
		}
		return rep.Verdict
	}
	if look(good) != validate.Valid {
		t.Fatal("the good one is not valid")
	}
	for name, c := range map[string][2]string{
		"data":           {"240", "999"},
		"role":           {"Buyer", "Owner"},
		"claimed time":   {"<xades:SigningTime>2", "<xades:SigningTime>3"},
		"value":          {`-value">`, `-value">AAAA`},
		"token":          {"<xades:EncapsulatedTimeStamp>", "<xades:EncapsulatedTimeStamp>AAAA"},
		"wrapped root":   {"<invoice xmlns='urn:example:invoice'>", "<w><invoice xmlns='urn:example:invoice'>"},
		"id twice":       {"Id='l'", "Id='s1-props'"},
		"more data":      {"</line>", "</line><line>more</line>"},
		"properties new": {"<ds:Object>", `<ds:Object><xades:QualifyingProperties xmlns:xades="http://uri.etsi.org/01903/v1.3.2#" Target="#s1"><xades:SignedProperties/></xades:QualifyingProperties></ds:Object><ds:Object>`},
		"document type":  {"<!-- c -->", "<!DOCTYPE invoice>"},
	} {
		doc := strings.Replace(good, c[0], c[1], 1)
		if name == "wrapped root" {
			doc = strings.Replace(doc, "</invoice>", "</invoice></w>", 1)
		}
		want := validate.NotValid
		if name == "token" {
			want = validate.Indeterminate // it is none any more, and nobody signed it
		}
		if doc == good || look(doc) != want {
			t.Errorf("%s: %s", name, look(doc))
		}
	}
	// A comment and the spelling of a tag are not what is signed.
	if v := look(strings.Replace(good, "<!-- c -->", "<!-- d -->", 1)); v != validate.Valid {
		t.Errorf("another comment: %s", v)
	}
}
