package validate_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/validate"
)

// ADE-05: what stands beside an enveloping signature, and what the start tags of its elements say of the data, nobody signed: a
// style sheet draws another document than the signed one, and a type has another program open it. It is named, and not valid.
func TestADE05WhatNobodySignedOfAnEnvelopingSignature(t *testing.T) {
	k := newKit(t)
	const data = "any bytes \x00\xff, 240 euros"
	element := k.packaged(t, data, toObject)
	object := `<ds:Object Id="s1-object" Encoding="http://www.w3.org/2000/09/xmldsig#base64">` + base64.StdEncoding.EncodeToString([]byte(data)) + `</ds:Object>`
	good := into(element, "<ds:Object>", object)
	with := func(old, now string) string { return strings.Replace(good, old, now, 1) }
	for name, c := range map[string]struct{ doc, why string }{
		"as it was":                   {good, ""},
		"the signed type":             {with(`Id="s1-object"`, `MimeType="text/plain" Id="s1-object"`), ""},
		"a style sheet":               {`<?xml-stylesheet type="text/xsl" href="evil.xsl"?>` + good, "a processing instruction"},
		"an instruction behind":       {good + `<?evil 999 euros?>`, "a processing instruction"},
		"another type":                {with(`Id="s1-object"`, `MimeType="text/html" Id="s1-object"`), "an attribute MimeType of the element Object"},
		"another encoding":            {with(`Encoding="http://www.w3.org/2000/09/xmldsig#base64"`, `Encoding="urn:rot13"`), "an attribute Encoding of the element Object"},
		"of another space":            {with(`Id="s1-object"`, `e:onload="x" xmlns:e="urn:e" Id="s1-object"`), "an attribute onload of the element Object"},
		"of the signature":            {with(`<ds:Signature `, `<ds:Signature onload="x" `), "an attribute onload of the element Signature"},
		"of the signature, foreign":   {with(`<ds:Signature `, `<ds:Signature e:Id="x" xmlns:e="urn:e" `), "an attribute Id of the element Signature"},
		"of the certificates":         {with(`<ds:X509Data`, `<ds:X509Data style="x"`), "an attribute style of the element X509Data"},
		"of the value":                {with(`<ds:SignatureValue`, `<ds:SignatureValue style="x"`), "an attribute style of the element SignatureValue"},
		"of the properties":           {with(`<xades:QualifyingProperties `, `<xades:QualifyingProperties e:x="999" xmlns:e="urn:e" `), "an attribute x of the element QualifyingProperties"},
		"of the properties' Object":   {with(`<ds:Object><xades`, `<ds:Object MimeType="text/html"><xades`), "an attribute MimeType of the element Object"},
		"xml:base of the signature":   {with(`<ds:Signature `, `<ds:Signature xml:base="http://evil.example/" `), "an attribute base of the element Signature"},
		"xml:space of what is inside": {with(`Id="s1-object"`, `xml:space="preserve" Id="s1-object"`), "an attribute space of the element Object"},
	} {
		rep := k.look(t, []byte(c.doc), k.trust())
		s := rep.Signatures[0]
		want := validate.Valid
		if c.why != "" {
			want = validate.Indeterminate
		}
		if name != "as it was" && c.doc == good {
			t.Errorf("%s: nothing was changed", name)
		}
		if rep.Verdict != want || !strings.Contains(strings.Join(s.Why, "\n"), c.why) {
			t.Errorf("%s: %s %q", name, rep.Words(), s.Why)
		}
	}
}
