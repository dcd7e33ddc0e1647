package validate_test

import (
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

const (
	signedPart = `<part Id="a1"><sum>240</sum></part>`
	evilSum    = `<sum>999</sum>`
)

// signPart signs one element by its identifier, as SAML and SOAP do, with XAdES properties, and gives the
// Signature element. Enveloped says that it is going to stand in that element.
func (k *kit) signPart(t testing.TB, enveloped bool) string {
	t.Helper()
	digest := func(text string) string {
		h := crypto.SHA256.New()
		must(t, c14n.Canonicalize(strings.NewReader(text), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive}))
		return base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	p := &xades.Parameters{ID: "s1", Algorithm: algo.ES256, Certificate: k.chain[0], Time: time.Now().Unix(), Roles: []string{"Buyer"},
		Objects: []xades.Object{{Enveloped: true, Hash: crypto.SHA256, Digest: make([]byte, 32), MimeType: "text/xml"}}}
	bare, err := xades.SignedInfo(p)
	must(t, err)
	text := strings.Replace(string(bare), base64.StdEncoding.EncodeToString(make([]byte, 32)), digest(signedPart), 1)
	text = strings.Replace(text, ` URI="">`, ` URI="#a1">`, 1)
	if !enveloped {
		text = strings.Replace(text, `<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>`, "", 1)
	}
	h := crypto.SHA256.New()
	h.Write([]byte(text))
	value, err := k.key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
	must(t, err)
	element, err := xades.Signature(p, value, k.chain)
	must(t, err)
	return strings.Replace(string(element), string(bare), text, 1)
}

// into puts text into the Signature element before its end, or before a part of it.
func into(sig, before, text string) string { return strings.Replace(sig, before, text+before, 1) }

// wrap is what an attacker makes of the signed element o, its signature s, and his own element e.
type wrap func(o, s, e string) string

// around writes an element with the evil sum that contains more.
func around(id, more string) string { return `<part Id="` + id + `">` + evilSum + more + `</part>` }

// The eight wrappings of Somorovsky and others (On Breaking SAML, 2012), for a root <order>, and what
// else there is to hide in. id is that of the evil element.
func xmlWrappings(id string) map[string]wrap {
	const end, object = "</ds:Signature>", "<ds:Object>"
	put := func(s string) string { return `<order xmlns="">` + s + `</order>` }
	return map[string]wrap{
		"1: the signed root in the signature of an evil root":      func(o, s, _ string) string { return put(evilSum + into(s, end, o)) },
		"2: the signed root beside its signature in an evil root":  func(o, s, _ string) string { return put(evilSum + o + s) },
		"3: an evil element before the signed one":                 func(o, s, _ string) string { return put(around(id, "") + o + s) },
		"4: the signed element in the evil one":                    func(o, s, _ string) string { return put(around(id, o) + s) },
		"5: the signature in the evil element, the signed outside": func(o, s, _ string) string { return put(around(id, s) + o) },
		"6: the signed element in the signature in the evil one":   func(o, s, _ string) string { return put(around(id, into(s, end, o))) },
		"7: an evil element in an extension":                       func(o, s, _ string) string { return put("<any>" + around(id, "") + "</any>" + o + s) },
		"8: the signed element in an object of the signature":      func(o, s, _ string) string { return put(around(id, into(s, object, object+o+"</ds:Object>"))) },
		"the evil element in an object":                            func(o, s, _ string) string { return put(o + into(s, object, object+around(id, "")+"</ds:Object>")) },
		"the evil element in the signature":                        func(o, s, _ string) string { return put(o + into(s, end, around(id, ""))) },
		"the evil element in the key's description":                func(o, s, _ string) string { return put(o + into(s, "</ds:KeyInfo>", around(id, ""))) },
		"the evil element in a second signature": func(o, s, _ string) string {
			return put(o + s + `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + around(id, "") + "</ds:Signature>")
		},
		"the evil element beside the properties": func(o, s, _ string) string { return put(o + into(s, "</ds:Object>", around(id, ""))) },
		"the evil element among the properties": func(o, s, _ string) string {
			return put(o + into(s, "</xades:QualifyingProperties>", around(id, "")))
		},
	}
}

// wrapped says of a document whether it is valid, and fails if the evil sum is in anything that is
// said to be covered. The second is whether a signature in it holds.
func (k *kit) wrapped(t *testing.T, name, doc string) (verdict validate.Verdict, holds bool) {
	t.Helper()
	rep, err := validate.File(t.Context(), "x.xml", strings.NewReader(doc), int64(len(doc)), k.trust())
	if err != nil {
		return validate.NotValid, false // refused as a whole
	}
	for _, s := range rep.Signatures {
		holds = holds || s.Certificate() != nil
		for _, p := range s.Parts {
			if s.Certificate() != nil && !strings.Contains(p.Words, "whole document") && strings.Contains(doc[p.Start:p.End], "999") {
				t.Errorf("%s: %q is said to cover %s", name, p.Words, doc[p.Start:p.End])
			}
		}
		if s.Certificate() != nil && s.Whole && rep.Verdict == validate.Valid {
			t.Errorf("%s: it is said to cover the whole file: %+v", name, s)
		}
		if s.Verdict != validate.Valid && len(s.Why) == 0 {
			t.Errorf("%s: nothing is said why", name)
		}
	}
	return rep.Verdict, holds
}

// ADE-05, the wrapping corpus: a signature over an element by its identifier is never valid when the
// element was wrapped, and what it is said to cover is the signed element, wherever that went; two
// elements with its identifier are refused.
func TestADE05WrappingBesideASignedElement(t *testing.T) {
	k := newKit(t)
	for place, sig := range map[string]string{"sibling": k.signPart(t, false), "inside": k.signPart(t, true)} {
		plain := "<order>" + signedPart + sig + "</order>"
		if place == "inside" {
			plain = "<order>" + strings.Replace(signedPart, "</part>", sig+"</part>", 1) + "</order>"
		}
		// It holds, and says that it is over a part: a program that takes the rest for signed is warned.
		rep := k.look(t, []byte(plain), k.trust())
		s := rep.Signatures[0]
		if rep.Verdict != validate.Indeterminate || s.Certificate() == nil || !strings.Contains(s.Scope, `the element with the identifier "a1"`) || s.Whole {
			t.Fatalf("%s: %+v", place, rep)
		}
		held := 0
		for _, id := range []string{"b1", "a1", "s1", "s1-props"} {
			for name, w := range xmlWrappings(id) {
				doc := w(signedPart, sig, evilSum)
				verdict, holds := k.wrapped(t, place+", "+name+", "+id, doc)
				if holds {
					held++
				}
				if verdict == validate.Valid || id != "b1" && strings.Contains(doc, `<part Id="`+id+`">`+evilSum) && verdict != validate.NotValid {
					t.Errorf("%s, %s, %s: %s", place, name, id, verdict)
				}
			}
		}
		// The wrappings work as such: a verifier that looks at digests only is taken in.
		if held < 8 {
			t.Errorf("%s: only %d wrapped signatures hold", place, held)
		}
	}
}

// ADE-05: of our own signatures, over the whole document less itself or less all signatures, none is valid
// after any wrapping: what is added changes the digest, or stands in the one place that is not covered, which is named.
func TestADE05WrappingOfAWholeDocument(t *testing.T) {
	k := newKit(t)
	const doc = `<invoice><line Id="l">240 euros</line></invoice>`
	for _, parallel := range []bool{false, true} {
		signed := string(k.signXML(t, doc, "s1", parallel, true))
		if k.look(t, []byte(signed), k.trust()).Verdict != validate.Valid {
			t.Fatal("the good one is not valid")
		}
		i, j := strings.Index(signed, "<ds:Signature "), strings.Index(signed, "</ds:Signature>")+len("</ds:Signature>")
		sig := signed[i:j]
		for _, id := range []string{"b1", "l", "s1", "s1-props"} {
			for name, w := range xmlWrappings(id) {
				for _, o := range []string{doc, strings.TrimSuffix(doc, "</invoice>") + sig + "</invoice>"} {
					if verdict, _ := k.wrapped(t, name, w(o, sig, evilSum)); verdict == validate.Valid {
						t.Errorf("parallel %v, %s, %s: valid", parallel, name, id)
					}
				}
				// The root stays, and the evil element goes where no digest is of.
				inner := strings.TrimSuffix(strings.TrimPrefix(w("", sig, evilSum), `<order xmlns="">`), "</order>")
				if !strings.Contains(inner, "999") {
					t.Fatal(name)
				}
				if verdict, _ := k.wrapped(t, name, strings.Replace(signed, sig, inner, 1)); verdict == validate.Valid {
					t.Errorf("parallel %v, %s, %s, the root kept: valid", parallel, name, id)
				}
			}
		}
	}
}

// ADE-05: in the parts of a signature that no digest covers nothing stands that is no part of their form: data cannot
// hide in the description of the key or among the unsigned properties, and a time-stamp is not made to go by a second list.
func TestADE05DataInsideOfASignature(t *testing.T) {
	k := newKit(t)
	signed := string(k.signXML(t, `<invoice><line Id="l">240 euros</line></invoice>`, "s1", false, true))
	if v := k.look(t, []byte(signed), k.trust()); v.Verdict != validate.Valid || len(v.Signatures[0].Stamps) != 1 {
		t.Fatal("the good one is not valid")
	}
	const key, stamp, list, props = "</ds:KeyInfo>", "</xades:SignatureTimeStamp>", "</xades:UnsignedSignatureProperties>", "</xades:UnsignedProperties>"
	for name, c := range map[string]struct{ before, text string }{
		"an object in KeyInfo":              {key, "<ds:Object>" + evilSum + "</ds:Object>"},
		"a signature in KeyInfo":            {key, "<ds:Signature>" + evilSum + "</ds:Signature>"},
		"a name of the key":                 {key, "<ds:KeyName>" + evilSum + "</ds:KeyName>"},
		"a value of the key":                {key, "<ds:KeyValue>" + evilSum + "</ds:KeyValue>"},
		"text in KeyInfo":                   {key, "999 euros"},
		"X509Data":                          {"</ds:X509Data>", evilSum},
		"an unknown item of X509Data":       {"</ds:X509Data>", "<ds:Object>" + evilSum + "</ds:Object>"},
		"text in X509Data":                  {"</ds:X509Data>", "999 euros"},
		"X509Certificate":                   {"</ds:X509Certificate>", evilSum},
		"SignatureValue":                    {"</ds:SignatureValue>", evilSum},
		"a time-stamp":                      {stamp, evilSum},
		"text in a time-stamp":              {stamp, "999 euros"},
		"a token":                           {"</xades:EncapsulatedTimeStamp>", evilSum},
		"the method of a time-stamp":        {"<xades:EncapsulatedTimeStamp>", "<xades:Include>" + evilSum + "</xades:Include>"},
		"an unsigned property":              {list, evilSum},
		"in a property that is not read":    {list, "<xades:CompleteCertificateRefs>" + evilSum + "</xades:CompleteCertificateRefs>"},
		"an object in such":                 {list, "<xades:CompleteCertificateRefs><ds:Object>" + evilSum + "</ds:Object></xades:CompleteCertificateRefs>"},
		"a certificate value":               {list, "<xades:CertificateValues>" + evilSum + "</xades:CertificateValues>"},
		"text in unsigned properties":       {list, "999 euros"},
		"a list of unsigned properties":     {props, evilSum},
		"text of unsigned properties":       {props, "999 euros"},
		"text in the properties":            {"</xades:QualifyingProperties>", "999 euros"},
		"a manifest beside the properties":  {"</ds:Object>", "<ds:Manifest>" + evilSum + "</ds:Manifest>"},
		"unsigned properties twice":         {"</xades:QualifyingProperties>", "<xades:UnsignedProperties/>"},
		"unsigned signature properties too": {props, "<xades:UnsignedSignatureProperties/>"},
	} {
		if !strings.Contains(signed, c.before) {
			t.Fatalf("%s: nothing to put it into", name)
		}
		if v, _ := k.wrapped(t, name, into(signed, c.before, c.text)); v == validate.Valid {
			t.Errorf("%s: valid", name)
		}
	}
	for name, text := range map[string]string{
		"names of the key":            "<ds:KeyName>Anna</ds:KeyName>",
		"the key":                     "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>",
		"the certificate's issuer":    "<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=CA</ds:X509IssuerName><ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>",
		"white space in all of these": "\n <ds:X509Data>\n <ds:X509SubjectName>CN=A</ds:X509SubjectName>\n</ds:X509Data>\n",
	} {
		if rep := k.look(t, []byte(into(signed, key, text)), k.trust()); rep.Verdict != validate.Valid {
			t.Errorf("%s: %+v", name, rep)
		}
	}
}

// ADE-05: signed properties cannot be wrapped either: what is read is what the reference is over.
func TestADE05WrappingOfSignedProperties(t *testing.T) {
	k := newKit(t)
	signed := string(k.signXML(t, `<invoice><line Id="l">240 euros</line></invoice>`, "s1", false, false))
	i, j := strings.Index(signed, "<xades:SignedProperties"), strings.Index(signed, "</xades:SignedProperties>")+len("</xades:SignedProperties>")
	real := signed[i:j]
	for _, id := range []string{"s1-other", "s1-props"} {
		evil := strings.Replace(strings.Replace(real, "Buyer", "Owner", 1), `Id="s1-props"`, `Id="`+id+`"`, 1)
		for name, doc := range map[string]string{
			"the real ones in an object before":  strings.Replace(strings.Replace(signed, real, evil, 1), "<ds:Object>", "<ds:Object>"+real+"</ds:Object><ds:Object>", 1),
			"the real ones in the evil ones":     strings.Replace(signed, real, strings.Replace(evil, "</xades:SignedProperties>", real+"</xades:SignedProperties>", 1), 1),
			"the evil ones before":               strings.Replace(signed, real, evil+real, 1),
			"the evil ones after":                strings.Replace(signed, real, real+evil, 1),
			"the real ones in another signature": strings.Replace(strings.Replace(signed, real, evil, 1), "</ds:Signature>", `<ds:Signature><ds:Object>`+real+`</ds:Object></ds:Signature></ds:Signature>`, 1),
		} {
			if v, _ := k.wrapped(t, name, doc); v == validate.Valid {
				t.Errorf("%s, %s: valid", name, id)
			}
		}
	}
}
