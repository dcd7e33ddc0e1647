package xmlsig_test

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// sameAhead: what Check says after ReadAhead, whatever was guessed, is what it says after Read.

func sameAhead(t *testing.T, doc []byte, i int, at int64, want *xmlsig.Checked, wantErr error) {
	t.Helper()
	for _, g := range []xmlsig.Ahead{
		{At: at, Hash: crypto.SHA256}, {At: at, Hash: crypto.SHA256, Unsigned: true},
		{At: at, Hash: crypto.SHA512}, {At: at + 1, Hash: crypto.SHA256, Unsigned: true},
	} {
		d, err := xmlsig.ReadAhead(bytes.NewReader(doc), int64(len(doc)), c14n.Limits{}, g)
		if err != nil {
			continue // a signature that is the root, and what Check itself refuses
		}
		got, err := d.Check(bytes.NewReader(doc), &d.Signatures[i], c14n.Limits{})
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
			t.Fatalf("guess %+v: %+v, %v; without: %+v, %v\n%s", g, got, err, want, wantErr, doc)
		}
	}
}

// exclusively is the document of xmldsig with another canonicalization, so that its value is wrong and its digests
// are not those of it.
func exclusively(t testing.TB, over string) string {
	const plain = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	doc := strings.Replace(xmldsig(t), `Method Algorithm="`+plain, `Method Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#`, 1)
	return strings.Replace(doc, `<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></Transform>`, over, 1)
}

// A guess, right or wrong, changes nothing of what is found.
func TestReadAheadChangesNothing(t *testing.T) {
	const form = `<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform>`
	const self = `<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></Transform>`
	const others = `<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><XPath xmlns:ds="http://www.w3.org/2000/09/xmldsig#">not(ancestor-or-self::ds:Signature)</XPath></Transform>`
	for name, doc := range map[string]string{
		"inclusive": xmldsig(t), "itself": exclusively(t, self+form), "all signatures": exclusively(t, others+form),
		"nothing": exclusively(t, form), "with a PrefixList": exclusively(t, self+strings.Replace(form, "></", `><InclusiveNamespaces xmlns="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="a"></InclusiveNamespaces></`, 1)),
		"changed": strings.Replace(xmldsig(t), "<v>1", "<v>2", 1),
		"two":     strings.Replace(xmldsig(t), "<!-- c -->", `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature>`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			d, err := xmlsig.Read(strings.NewReader(doc), int64(len(doc)), c14n.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range d.Signatures {
				c, err := d.Check(strings.NewReader(doc), &d.Signatures[i], c14n.Limits{})
				sameAhead(t, []byte(doc), i, d.Signatures[i].Element.Start, c, err)
			}
		})
	}
}

// ReadPass computes what Canonicalize does.
func TestReadPassIsCanonicalize(t *testing.T) {
	doc := xmldsig(t)
	var one, two bytes.Buffer
	d, err := xmlsig.ReadPass(strings.NewReader(doc), int64(len(doc)), c14n.Limits{}, c14n.Job{W: &one, Method: c14n.Exclusive, Unsigned: true})
	if err != nil || len(d.Signatures) != 1 {
		t.Fatal(d, err)
	}
	if err := c14n.Canonicalize(strings.NewReader(doc), c14n.Limits{}, c14n.Job{W: &two, Method: c14n.Exclusive, Unsigned: true}); err != nil || one.String() != two.String() {
		t.Errorf("%v\n%s\n%s", err, &one, &two)
	}
	if _, err := xmlsig.ReadPass(strings.NewReader(doc), int64(len(doc)), c14n.Limits{}, c14n.Job{W: io.Discard, Method: c14n.Exclusive, Without: 3}); err == nil {
		t.Error("a job that does not find its element is no error")
	}
}
