package validate_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/assent-sign/assent/internal/validate"
)

// crowd is a document of signatures over a small element of it, each with archive time-stamps and time-stamps over its value,
// and more text behind them.
func crowd(signatures, stamps int, token []byte, text int) []byte {
	const ds, over = `xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`, `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`
	encapsulated := `<x:EncapsulatedTimeStamp>` + base64.StdEncoding.EncodeToString(token) + `</x:EncapsulatedTimeStamp>`
	var b strings.Builder
	b.WriteString(`<r><t Id="t"/>`)
	for i := range signatures {
		fmt.Fprintf(&b, `<ds:Signature %s Id="s%d"><ds:SignedInfo>%s<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>`+
			`<ds:Reference URI="#t"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>%s</ds:DigestValue></ds:Reference></ds:SignedInfo>`+
			`<ds:SignatureValue>AAAA</ds:SignatureValue><ds:Object><x:QualifyingProperties xmlns:x="http://uri.etsi.org/01903/v1.3.2#" Target="#s%d"><x:SignedProperties/>`+
			`<x:UnsignedProperties><x:UnsignedSignatureProperties>`, ds, i, over, base64.StdEncoding.EncodeToString(make([]byte, 32)), i)
		b.WriteString(strings.Repeat(`<x:SignatureTimeStamp>`+over+encapsulated+`</x:SignatureTimeStamp>`, stamps/2))
		b.WriteString(strings.Repeat(`<a:ArchiveTimeStamp xmlns:a="http://uri.etsi.org/01903/v1.4.1#">`+over+encapsulated+`</a:ArchiveTimeStamp>`, stamps/2))
		b.WriteString(`</x:UnsignedSignatureProperties></x:UnsignedProperties></x:QualifyingProperties></ds:Object></ds:Signature>`)
	}
	b.WriteString("<p>" + strings.Repeat("x", text) + "</p></r>")
	return []byte(b.String())
}

// counting counts the bytes that are read.
type counting struct {
	io.ReaderAt
	n atomic.Int64
}

func (c *counting) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, off)
	c.n.Add(int64(n))
	return n, err
}

func counted(t *testing.T, doc []byte, opt validate.Options) (*validate.Report, int64) {
	t.Helper()
	r := &counting{ReaderAt: bytes.NewReader(doc)}
	rep, err := validate.File(context.Background(), "crowd.xml", r, int64(len(doc)), opt)
	must(t, err)
	return rep, r.n.Load()
}

// I9: a signature costs a reading of the document, whatever number of time-stamps it has whose tokens cannot be read.
func TestI9TokensThatCannotBeReadCostNoReading(t *testing.T) {
	k := newKit(t)
	doc := crowd(20, 32, []byte{0, 0, 0}, 256<<10)
	rep, n := counted(t, doc, k.trust())
	if len(rep.Signatures) != 20*17 || rep.Verdict != validate.NotValid {
		t.Fatalf("%d judged, %s", len(rep.Signatures), rep.Words())
	}
	// Besides: its own digest, the signatures' places, and what kind of file it is.
	if times := n / int64(len(doc)); times > 20+4 {
		t.Errorf("the document was read %d times for 20 signatures", times)
	}
}

// I9: a time-stamp over a signature's value costs no reading of its own; one over the archive costs one.
func TestI9TimeStampCostsAtMostOneReading(t *testing.T) {
	k := newKit(t)
	token, _, err := k.stamp.Stamp(t.Context(), crypto.SHA512, make([]byte, 64))
	must(t, err)
	doc := crowd(3, 8, token, 64<<10)
	if _, n := counted(t, doc, k.trust()); n/int64(len(doc)) > 3*(1+4)+4 {
		t.Errorf("the document was read %d times for 3 signatures with 4 archive time-stamps each", n/int64(len(doc)))
	}
}

// I9: there is an end of what is read for one file, and what was not looked at then is not decided: neither passed nor failed.
func TestI9WhatTakesTooMuchReadingIsNotDecided(t *testing.T) {
	k := newKit(t)
	token, _, err := k.stamp.Stamp(t.Context(), crypto.SHA256, make([]byte, 32))
	must(t, err)
	// What is taken out of base64 is not read for all signatures together.
	doc := bytes.ReplaceAll(crowd(20, 16, token, 12<<20), []byte(`<ds:Reference URI="#t">`), []byte(`<ds:Reference URI="#t"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/></ds:Transforms>`))
	rep, n := counted(t, doc, k.trust())
	if most := int64(1<<30) + 4*int64(len(doc)); n > most {
		t.Errorf("%d bytes were read of a document of %d", n, len(doc))
	}
	undecided := 0
	for i := range rep.Signatures {
		s := &rep.Signatures[i]
		if !strings.Contains(strings.Join(s.Why, "\n"), "not looked at") {
			continue
		}
		if undecided++; s.Verdict != validate.Indeterminate || s.SubIndication != validate.SigConstraintsFailure {
			t.Errorf("%s: %s %q", s.Field, s.Words(), s.Why)
		}
	}
	if undecided == 0 || undecided == len(rep.Signatures) || rep.Verdict == validate.Valid {
		t.Errorf("%d of %d were not looked at; %s", undecided, len(rep.Signatures), rep.Words())
	}
}
