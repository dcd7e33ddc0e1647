package xmlsig_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// ADE-03: unsigned properties go behind those that are there; where their elements are missing or empty they are written, in the
// order of the schema and with the names that the document has; nothing else changes.
func TestADE03PlaceOfUnsignedProperties(t *testing.T) {
	const q = `<q:QualifyingProperties xmlns:q="http://uri.etsi.org/01903/v1.3.2#" Target="#s"><q:SignedProperties/>`
	const inner, all = `<xades:UnsignedSignatureProperties xmlns:xades="http://uri.etsi.org/01903/v1.3.2#">NEW</xades:UnsignedSignatureProperties>`, `<xades:UnsignedProperties xmlns:xades="http://uri.etsi.org/01903/v1.3.2#">`
	for was, want := range map[string]string{
		"":                                all + inner + "</xades:UnsignedProperties>",
		"<q:UnsignedProperties/>":         "<q:UnsignedProperties>" + inner + "</q:UnsignedProperties>",
		"<q:UnsignedProperties a='/>' />": "<q:UnsignedProperties a='/>' >" + inner + "</q:UnsignedProperties>",
		"<q:UnsignedProperties> </q:UnsignedProperties>":                                                                      "<q:UnsignedProperties>" + inner + " </q:UnsignedProperties>",
		"<q:UnsignedProperties><q:UnsignedDataObjectProperties/></q:UnsignedProperties>":                                      "<q:UnsignedProperties>" + inner + "<q:UnsignedDataObjectProperties/></q:UnsignedProperties>",
		"<q:UnsignedProperties>\n<q:UnsignedSignatureProperties/></q:UnsignedProperties>":                                     "<q:UnsignedProperties>\n<q:UnsignedSignatureProperties>NEW</q:UnsignedSignatureProperties></q:UnsignedProperties>",
		"<q:UnsignedProperties><q:UnsignedSignatureProperties><x/>\n</q:UnsignedSignatureProperties ></q:UnsignedProperties>": "<q:UnsignedProperties><q:UnsignedSignatureProperties><x/>\nNEW</q:UnsignedSignatureProperties ></q:UnsignedProperties>",
		`<UnsignedProperties xmlns="http://uri.etsi.org/01903/v1.3.2#"><UnsignedSignatureProperties/></UnsignedProperties>`:   `<UnsignedProperties xmlns="http://uri.etsi.org/01903/v1.3.2#"><UnsignedSignatureProperties>NEW</UnsignedSignatureProperties></UnsignedProperties>`,
	} {
		wrap := func(unsigned string) string {
			return `<a><Signature xmlns="http://www.w3.org/2000/09/xmldsig#" Id="s"><SignedInfo/><SignatureValue/><Object>` + q + unsigned + `</q:QualifyingProperties></Object></Signature></a>`
		}
		doc := wrap(was)
		d, err := xmlsig.Read(strings.NewReader(doc), int64(len(doc)), c14n.Limits{})
		if err != nil || len(d.Signatures) != 1 {
			t.Fatalf("%s: %v", was, err)
		}
		at, err := d.Signatures[0].Place()
		if err != nil {
			t.Fatalf("%s: %v", was, err)
		}
		var out strings.Builder
		if err := at.Copy(&out, strings.NewReader(doc), []byte("NEW")); err != nil || out.String() != wrap(want) {
			t.Errorf("%s: %v\n%s\n%s", was, err, &out, wrap(want))
		}
		read, err := xmlsig.Read(strings.NewReader(out.String()), int64(out.Len()), c14n.Limits{})
		if err != nil || read.Signatures[0].Properties == nil {
			t.Errorf("%s: %v", was, err)
		}
	}
	const none = `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#" Id="s"><SignedInfo/><SignatureValue/></Signature>`
	d, err := xmlsig.Read(strings.NewReader(none), int64(len(none)), c14n.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Signatures[0].Place(); err == nil {
		t.Error("a place in a signature without properties")
	}
}

// FuzzPlace: wherever a document has a signature with properties, what is put in at the place is read as its last unsigned
// property, and all that was there stays.
func FuzzPlace(f *testing.F) {
	const open, shut = `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#" Id="s"><SignedInfo/><SignatureValue/><Object><q:QualifyingProperties xmlns:q="http://uri.etsi.org/01903/v1.3.2#" Target="#s"><q:SignedProperties/>`, `</q:QualifyingProperties></Object></Signature>`
	for _, unsigned := range []string{"", "<q:UnsignedProperties/>", "<q:UnsignedProperties> </q:UnsignedProperties>", "<q:UnsignedProperties><q:UnsignedSignatureProperties a='/>' /></q:UnsignedProperties>",
		"<q:UnsignedProperties><q:UnsignedSignatureProperties><q:CounterSignature>" + open + shut + "</q:CounterSignature></q:UnsignedSignatureProperties><q:UnsignedDataObjectProperties/></q:UnsignedProperties>"} {
		f.Add([]byte("<a>" + open + unsigned + shut + "</a>"))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		d, err := xmlsig.Read(bytes.NewReader(doc), int64(len(doc)), c14n.Limits{Size: 1 << 16})
		if err != nil {
			return
		}
		for i := range d.Signatures {
			s := &d.Signatures[i]
			at, err := s.Place()
			if err != nil {
				continue
			}
			var out bytes.Buffer
			if err := at.Copy(&out, bytes.NewReader(doc), []byte(`<n:new xmlns:n="urn:new"/>`)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out.Bytes()[:at.Offset], doc[:at.Offset]) || !bytes.HasSuffix(out.Bytes(), doc[at.Offset+int64(at.Drop):]) {
				t.Fatal("what was there did not stay")
			}
			now, err := xmlsig.Read(bytes.NewReader(out.Bytes()), int64(out.Len()), c14n.Limits{})
			if err != nil || len(now.Signatures) != len(d.Signatures) {
				t.Fatalf("%v\n%s", err, &out)
			}
			was, is := s.Properties.Unsigned, now.Signatures[i].Properties.Unsigned
			if len(is) != len(was)+1 || is[len(is)-1].Name != "new" {
				t.Fatalf("%+v\n%s", is, &out)
			}
		}
	})
}
