package sap

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap/xades"
)

// SAP-07, SGN-04: an approval of an element of the document is never one of what stands inside of the signature: with the identifier
// of the signature's own Object both would have the same SignedInfo, and the person saw something else.
func TestSAP07ElementOfTheDocumentIsNoPartOfTheSignature(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	doc := sha256.Sum256([]byte(xades.ObjectTag("sig") + "<a></a></ds:Object>"))
	beside := func(part string, more ...string) XAdES {
		o := &XAdESObjects{Part: part, More: []XAdESObject{}}
		for _, id := range more {
			o.More = append(o.More, XAdESObject{Name: id, Doc: B64(doc[:]), MIME: "text/xml"})
		}
		return XAdES{ID: "sig", Form: XAdESBeside, Time: 1_800_000_000, MIME: "text/xml", Commitments: []string{}, Roles: []string{}, Objects: o}
	}
	good := must[Item](t)(NewXAdESItem(0, "a.xml", algo.ES256, doc[:], cert, beside("l", "signed")))
	for name, x := range map[string]XAdES{
		"its Object": beside("sig-object"), "its properties": beside("sig-props"), "itself": beside("sig"), "any part": beside("sig-"),
		"further, its Object": beside("l", "sig-object"), "further, itself": beside("l", "m", "sig"),
	} {
		if _, err := NewXAdESItem(0, "a.xml", algo.ES256, doc[:], cert, x); !errors.Is(err, ReasonEvidence) {
			t.Errorf("%s: composed: %v", name, err)
		}
		it := good
		it.XAdES = &x
		if _, err := Rebuild(it, cert, algo.ES256, nil); !errors.Is(err, ReasonEvidence) {
			t.Errorf("%s: rebuilt: %v", name, err)
		}
	}
}
