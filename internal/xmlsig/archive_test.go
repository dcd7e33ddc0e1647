package xmlsig

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/c14n"
)

// ADE-03: what an archive time-stamp is over does not depend on how large its parts are, which
// are read once more when they are, and there are not many of those.
func TestADE03ArchivedPartsKeepTheirOrder(t *testing.T) {
	const room = 5000
	doc := `<a><b Id="1">one</b><c Id="2">` + strings.Repeat("x", room) + `</c><d Id="3">three</d></a>`
	d, err := Read(strings.NewReader(doc), int64(len(doc)), c14n.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	part := func(id string) plan {
		return plan{job: c14n.Job{Method: c14n.Exclusive, Target: c14n.ElementByID(id)}}
	}
	for _, order := range []string{"123", "321", "213", "2", "1323"} {
		var parts []plan
		var want bytes.Buffer
		for _, id := range order {
			parts = append(parts, part(string(id)))
			one := part(string(id)).job
			one.W = &want
			if err := c14n.Canonicalize(strings.NewReader(doc), c14n.Limits{}, one); err != nil {
				t.Fatal(err)
			}
		}
		h := sha256.New()
		if err := d.concatenate(strings.NewReader(doc), parts, h, room, c14n.Limits{}); err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(want.Bytes()); !bytes.Equal(h.Sum(nil), sum[:]) {
			t.Errorf("%s: another digest", order)
		}
	}
	var many []plan
	for range maxPasses + 1 {
		many = append(many, part("2"))
	}
	if err := d.concatenate(strings.NewReader(doc), many, sha256.New(), room, c14n.Limits{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// What does not fit is not kept, and makes room for what follows.
func TestSpoolKeepsWholePartsOnly(t *testing.T) {
	room := 10
	var a, b spool
	a.room, b.room = &room, &room
	for _, s := range []string{"12345", "678901"} {
		if n, err := io.WriteString(&a, s); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	if _, err := io.WriteString(&b, "0123456789"); err != nil || !a.over || a.buf.Len() != 0 || b.over || room != 0 {
		t.Errorf("%v %+v %+v %d", err, &a, &b, room)
	}
}

// ADE-03: a reference without a canonicalization transform gives nodes, of which verifiers make other octets if the archive
// time-stamp's method is not that of the reference; a file and what a transform has canonicalized are octets.
func TestADE03ReferencesThatGiveNodes(t *testing.T) {
	const c14nTransform, toItself = `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`, `<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>`
	for name, c := range map[string]struct {
		reference string
		want      bool
	}{
		"canonical":           {`URI=""><ds:Transforms>` + toItself + c14nTransform + `</ds:Transforms>`, false},
		"nodes":               {`URI=""><ds:Transforms>` + toItself + `</ds:Transforms>`, true},
		"nodes of an element": {`URI="#e">`, true},
		"base64":              {`URI="#e"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/></ds:Transforms>`, false},
		"a file":              {`URI="file">`, false},
	} {
		doc := `<a><e Id="e">AAAA</e><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="x"/><ds:Reference ` +
			c.reference + `</ds:Reference></ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature></a>`
		d, err := Read(strings.NewReader(doc), int64(len(doc)), c14n.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		d.Detached = func(string) (File, bool) { return File{ReaderAt: strings.NewReader("x"), Size: 1}, true }
		if got := d.NodeSets(&d.Signatures[0]); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
