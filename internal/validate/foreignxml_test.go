package validate_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/validate"
)

const (
	xmldsigNS   = "http://www.w3.org/2000/09/xmldsig#"
	excC14N     = "http://www.w3.org/2001/10/xml-exc-c14n#"
	filter2     = "http://www.w3.org/2002/06/xmldsig-filter2"
	xpath1      = "http://www.w3.org/TR/1999/REC-xpath-19991116"
	signHere    = "SIGN-HERE"
	subtractAll = `<ds:Transform Algorithm="` + filter2 + `"><f:XPath xmlns:f="` + filter2 + `" Filter="subtract">/descendant::ds:Signature</f:XPath></ds:Transform>`
)

// ref is a reference as another program writes it, and the octets that it is over.
type ref struct{ uri, kind, transforms, over string }

func exclusive(more string) string {
	return more + `<ds:Transform Algorithm="` + excC14N + `"></ds:Transform>`
}

func (r ref) String() string {
	h := crypto.SHA256.New()
	h.Write([]byte(r.over))
	kind := r.kind
	if kind != "" {
		kind = ` Type="` + kind + `"`
	}
	transforms := ""
	if r.transforms != "" {
		transforms = "<ds:Transforms>" + r.transforms + "</ds:Transforms>"
	}
	return `<ds:Reference` + kind + ` URI="` + r.uri + `">` + transforms + `<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>` +
		base64.StdEncoding.EncodeToString(h.Sum(nil)) + `</ds:DigestValue></ds:Reference>`
}

// dsig puts a signature as other programs make it where a document says signHere; inside goes behind its KeyInfo.
func (k *kit) dsig(t testing.TB, doc, id, inside string, refs ...ref) string {
	t.Helper()
	var list, chain strings.Builder
	for _, der := range k.chain {
		chain.WriteString("<ds:X509Certificate>" + base64.StdEncoding.EncodeToString(der) + "</ds:X509Certificate>")
	}
	for _, r := range refs {
		list.WriteString(r.String())
	}
	const placeholder = "THE-VALUE"
	whole := strings.Replace(doc, signHere, `<ds:Signature xmlns:ds="`+xmldsigNS+`" Id="`+id+`"><ds:SignedInfo Id="`+id+`-info"><ds:CanonicalizationMethod Algorithm="`+excC14N+`"/>`+
		`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>`+list.String()+`</ds:SignedInfo><ds:SignatureValue Id="`+id+`-value">`+placeholder+`</ds:SignatureValue>`+
		`<ds:KeyInfo><ds:X509Data>`+chain.String()+`</ds:X509Data></ds:KeyInfo>`+inside+`</ds:Signature>`, 1)
	info := crypto.SHA256.New()
	must(t, c14n.Canonicalize(strings.NewReader(whole), c14n.Limits{}, c14n.Job{W: info, Method: c14n.Exclusive, Target: c14n.ElementByID(id + "-info")}))
	return strings.Replace(whole, placeholder, k.rawValue(t, info.Sum(nil)), 1)
}

// rawValue is a signature value as XML has it, r || s.
func (k *kit) rawValue(t testing.TB, digest []byte) string {
	t.Helper()
	der, err := k.key.Sign(rand.Reader, digest, crypto.SHA256)
	must(t, err)
	return base64.StdEncoding.EncodeToString(rawECDSA(t, der))
}

// form is an exclusive canonical form.
func form(t testing.TB, doc string, job c14n.Job) string {
	t.Helper()
	var out bytes.Buffer
	job.W, job.Method = &out, c14n.Exclusive
	must(t, c14n.Canonicalize(strings.NewReader(doc), c14n.Limits{}, job))
	return out.String()
}

const order = `<order><!-- c --><line Id="l">240 euros</line></order>`

func orderWith(more string) string { return strings.Replace(order, "</order>", more+"</order>", 1) }

func filterXPath(attrs, expression string) string {
	return `<ds:Transform Algorithm="` + filter2 + `"><XPath xmlns="` + filter2 + `" ` + attrs + `>` + expression + `</XPath></ds:Transform>`
}

func xpath(attrs, expression string) string {
	return `<ds:Transform Algorithm="` + xpath1 + `"><ds:XPath ` + attrs + `>` + expression + `</ds:XPath></ds:Transform>`
}

// ADE-05: filters that leave out all signatures are known in the forms in which programs write them, whatever the prefix; the
// report says that all are left out. Other expressions are not understood.
func TestADE05FiltersOfSignatures(t *testing.T) {
	k := newKit(t)
	for name, c := range map[string]struct {
		filter string
		want   validate.Verdict
	}{
		"as EU DSS":                  {subtractAll, validate.Valid},
		"white space":                {filterXPath(`Filter="subtract"`, "\n  /descendant::ds:Signature\n"), validate.Valid},
		"another prefix":             {filterXPath(`Filter="subtract" xmlns:q="`+xmldsigNS+`"`, "/descendant::q:Signature"), validate.Valid},
		"short":                      {filterXPath(`Filter="subtract"`, "//ds:Signature"), validate.Valid},
		"of the root":                {filterXPath(`Filter="subtract"`, "/*/ds:Signature"), validate.Valid},
		"XPath 1.0":                  {xpath("", "not(ancestor-or-self::ds:Signature)"), validate.Valid},
		"XPath 1.0, another prefix":  {xpath(`xmlns:q="`+xmldsigNS+`"`, " not(ancestor-or-self::q:Signature) "), validate.Valid},
		"prefix of something else":   {filterXPath(`Filter="subtract" xmlns:ds="urn:other"`, "/descendant::ds:Signature"), validate.NotValid},
		"unbound prefix":             {filterXPath(`Filter="subtract"`, "/descendant::q:Signature"), validate.NotValid},
		"no prefix":                  {filterXPath(`Filter="subtract"`, "/descendant::Signature"), validate.NotValid},
		"intersect":                  {filterXPath(`Filter="intersect"`, "/descendant::ds:Signature"), validate.NotValid},
		"union":                      {filterXPath(`Filter="union"`, "/descendant::ds:Signature"), validate.NotValid},
		"no Filter":                  {filterXPath(``, "/descendant::ds:Signature"), validate.NotValid},
		"more than signatures":       {filterXPath(`Filter="subtract"`, "/descendant::ds:Signature | //line"), validate.NotValid},
		"of a name":                  {filterXPath(`Filter="subtract"`, "/descendant::*[name()='ds:Signature']"), validate.NotValid},
		"two expressions":            {strings.Replace(subtractAll, "</ds:Transform>", `<f:XPath xmlns:f="`+filter2+`" Filter="subtract">//line</f:XPath></ds:Transform>`, 1), validate.NotValid},
		"an element in it":           {filterXPath(`Filter="subtract"`, "/descendant::ds:Signature<a/>"), validate.NotValid},
		"XPath 2 in an XPath 1":      {xpath("", "/descendant::ds:Signature"), validate.NotValid},
		"XPath 1 in an XPath Filter": {filterXPath(`Filter="subtract"`, "not(ancestor-or-self::ds:Signature)"), validate.NotValid},
	} {
		doc := k.dsig(t, orderWith(signHere), "s1", "", ref{transforms: exclusive(c.filter), over: form(t, order, c14n.Job{})})
		rep := k.look(t, []byte(doc), k.trust())
		if rep.Verdict != c.want || len(rep.Signatures) != 1 {
			t.Errorf("%s: %s %+v", name, rep.Verdict, rep.Signatures)
			continue
		}
		if s := rep.Signatures[0]; c.want == validate.Valid && s.Scope != "the whole document but for all signatures in it" {
			t.Errorf("%s: %q", name, s.Scope)
		}
		if changed := k.look(t, []byte(strings.Replace(doc, "240 euros", "2400 euros", 1)), k.trust()); changed.Verdict != validate.NotValid {
			t.Errorf("%s, changed: %s", name, changed.Verdict)
		}
	}
}

// ADE-05: a Signature element that is left out is no place for data, whether it holds, is broken, is somebody's whom nobody trusts, or
// is no signature at all: neither the file nor the signature that leaves it out passes.
func TestADE05NothingHidesInSignaturesLeftOut(t *testing.T) {
	k, other := newKit(t), newKit(t)
	over := form(t, order, c14n.Job{})
	for name, filter := range map[string]string{"Filter 2.0": subtractAll, "XPath 1.0": xpath("", "not(ancestor-or-self::ds:Signature)"), "of the root": filterXPath(`Filter="subtract"`, "/*/ds:Signature")} {
		whole := ref{transforms: exclusive(filter), over: over}
		good := k.dsig(t, orderWith(signHere), "s1", "", whole)
		const fake = `<line xmlns="">1 euro</line>`
		object := `<ds:Object xmlns:ds="` + xmldsigNS + `" Id="o">` + fake + `</ds:Object>`
		sign := func(k *kit, inside string, refs ...ref) string {
			return k.dsig(t, strings.Replace(good, "</order>", signHere+"</order>", 1), "s2", inside, refs...)
		}
		put := func(what string) string { return strings.Replace(good, "</order>", what+"</order>", 1) }
		for attack, doc := range map[string]string{
			"no signature":             put(`<ds:Signature xmlns:ds="` + xmldsigNS + `">` + fake + `</ds:Signature>`),
			"no signature, an Object":  put(`<ds:Signature xmlns:ds="` + xmldsigNS + `">` + object + `</ds:Signature>`),
			"in its KeyInfo":           put(`<ds:Signature xmlns:ds="` + xmldsigNS + `"><ds:SignedInfo/><ds:SignatureValue/><ds:KeyInfo>` + fake + `</ds:KeyInfo></ds:Signature>`),
			"in its SignedInfo":        put(`<ds:Signature xmlns:ds="` + xmldsigNS + `"><ds:SignedInfo>` + fake + `</ds:SignedInfo><ds:SignatureValue/></ds:Signature>`),
			"one in another":           put(`<ds:Signature xmlns:ds="` + xmldsigNS + `"><ds:Object><ds:Signature>` + fake + `</ds:Signature></ds:Object></ds:Signature>`),
			"an Object that holds":     sign(k, object, whole),
			"by a stranger":            sign(other, object, whole, ref{uri: "#o", transforms: exclusive(""), over: object}),
			"by a stranger, alone":     sign(other, object, ref{uri: "#o", transforms: exclusive(""), over: object}),
			"by a stranger and broken": strings.Replace(sign(other, object, whole, ref{uri: "#o", transforms: exclusive(""), over: object}), "1 euro", "2 euro", 1),
		} {
			rep := k.look(t, []byte(doc), k.trust())
			if rep.Verdict == validate.Valid || rep.Signatures[0].Verdict == validate.Valid || !strings.Contains(strings.Join(rep.Signatures[0].Why, " "), "leaves out another signature") {
				t.Errorf("%s, %s: %s %+v", name, attack, rep.Verdict, rep.Signatures[0])
			}
		}
		// A fake around what was signed takes it out of the digest.
		wrapped := strings.Replace(good, `<line Id="l">240 euros</line>`, `<ds:Signature xmlns:ds="`+xmldsigNS+`"><line Id="l">240 euros</line></ds:Signature>`, 1)
		if rep := k.look(t, []byte(wrapped), k.trust()); len(rep.Signatures) != 2 || rep.Signatures[1].Field != "s1" || rep.Signatures[1].SubIndication != validate.HashFailure {
			t.Errorf("%s: wrapped: %+v", name, rep.Signatures)
		}
		// What only signs hides nothing, even by a stranger, and broken.
		for _, doc := range []string{sign(k, "", whole), sign(other, "", whole), put(`<ds:Signature xmlns:ds="` + xmldsigNS + `"><ds:SignedInfo/><ds:SignatureValue/></ds:Signature>`)} {
			if rep := k.look(t, []byte(doc), k.trust()); rep.Signatures[0].Verdict != validate.Valid {
				t.Errorf("%s: beside another: %+v", name, rep.Signatures[0])
			}
		}
	}
	// One deeper down is not left out by a filter of those in the root.
	top := k.dsig(t, orderWith(signHere), "s1", "", ref{transforms: exclusive(filterXPath(`Filter="subtract"`, "/*/ds:Signature")), over: over})
	deep := strings.Replace(top, "240 euros", `240 euros<ds:Signature xmlns:ds="`+xmldsigNS+`"/>`, 1)
	if rep := k.look(t, []byte(deep), k.trust()); rep.Verdict == validate.Valid || rep.Signatures[1].Verdict == validate.Valid {
		t.Errorf("%+v", rep.Signatures)
	}
}

// ADE-05: the XPointers that XML Signature recommends are over comments too, and over nothing else than they name.
func TestADE05XPointers(t *testing.T) {
	k := newKit(t)
	withComments := `<ds:Transform Algorithm="` + excC14N + `WithComments"></ds:Transform>`
	root := strings.Replace(order, "<order>", `<order Id="r">`, 1)
	line := `<line Id="l">240 euros</line>`
	for name, c := range map[string]struct {
		refs    []ref
		comment validate.Verdict // with another comment
		scope   string
	}{
		"document, comments":    {[]ref{{uri: "#xpointer(/)", transforms: subtractAll + withComments, over: form(t, root, c14n.Job{Comments: true})}}, validate.NotValid, "the whole document but for all signatures in it"},
		"document, no comments": {[]ref{{uri: "#xpointer(/)", transforms: exclusive(subtractAll), over: form(t, root, c14n.Job{})}}, validate.Valid, "the whole document but for all signatures in it"},
		"root":                  {[]ref{{uri: "#xpointer(id('r'))", transforms: subtractAll + withComments, over: form(t, root, c14n.Job{Comments: true})}}, validate.NotValid, `the root element, by its identifier "r" but for all signatures in it`},
		"root, other quotes":    {[]ref{{uri: "#xpointer(id(&quot;r&quot;))", transforms: exclusive(subtractAll), over: form(t, root, c14n.Job{})}}, validate.Valid, `the root element, by its identifier "r" but for all signatures in it`},
		"an empty URI has none": {[]ref{{transforms: subtractAll + withComments, over: form(t, root, c14n.Job{})}}, validate.Valid, "the whole document but for all signatures in it"},
	} {
		doc := k.dsig(t, strings.Replace(root, "</order>", signHere+"</order>", 1), "s1", "", c.refs...)
		rep := k.look(t, []byte(doc), k.trust())
		if rep.Verdict != validate.Valid || rep.Signatures[0].Scope != c.scope {
			t.Errorf("%s: %s %+v", name, rep.Verdict, rep.Signatures)
		}
		if rep := k.look(t, []byte(strings.Replace(doc, "<!-- c -->", "<!-- d -->", 1)), k.trust()); rep.Verdict != c.comment {
			t.Errorf("%s, another comment: %s %+v", name, rep.Verdict, rep.Signatures)
		}
		if rep := k.look(t, []byte(strings.Replace(doc, "</order>", "<line>1 euro</line></order>", 1)), k.trust()); rep.Verdict != validate.NotValid {
			t.Errorf("%s, more: %s", name, rep.Verdict)
		}
	}
	// A part stays a part, wherever it is moved.
	part := ref{uri: "#xpointer(id('l'))", transforms: exclusive(""), over: line}
	doc := k.dsig(t, strings.Replace(root, "</order>", signHere+"</order>", 1), "s1", "", part)
	for name, doc := range map[string]string{
		"part":   doc,
		"moved":  strings.Replace(doc, line, "<line>1 euro</line><old>"+line+"</old>", 1),
		"inside": strings.Replace(strings.Replace(doc, line, "<line>1 euro</line>", 1), "</ds:Signature>", `<ds:Object>`+line+`</ds:Object></ds:Signature>`, 1),
	} {
		if rep := k.look(t, []byte(doc), k.trust()); rep.Verdict != validate.Indeterminate {
			t.Errorf("%s: %s %+v", name, rep.Verdict, rep.Signatures)
		}
	}
	for _, uri := range []string{"#xpointer(//line)", "#xpointer(id('l','r'))", "#xpointer(id('l r'))", "#xpointer(id('l')/..)", "#xpointer(id())", "#xpointer(id(l))", "#xpointer(id('l&quot;))", "#xpointer()", "#xpointer(/order)", "#xpointer(/)xpointer(/)"} {
		doc := k.dsig(t, strings.Replace(root, "</order>", signHere+"</order>", 1), "s1", "", ref{uri: uri, transforms: exclusive(""), over: line})
		if rep := k.look(t, []byte(doc), k.trust()); rep.Verdict != validate.NotValid || rep.SubIndication != validate.SigConstraintsFailure {
			t.Errorf("%s: %s %+v", uri, rep.Verdict, rep.Signatures)
		}
	}
}

// ADE-05: what is put in as an unsigned property does not make the signature that it hangs on fail its format. A counter-signature needs no
// identifier; what is written otherwise than the standard has it, or says what nobody signed, leaves a doubt.
func TestADE05UnsignedPropertiesFailNoFormat(t *testing.T) {
	k := newKit(t)
	const end = "</xades:UnsignedSignatureProperties>"
	signed := string(k.signXML(t, invoice, "s1", false, true))
	counter := func(attrs, id string) string {
		over := form(t, signed, c14n.Job{Target: c14n.ElementByID("s1-value")})
		put := strings.Replace(signed, end, "<xades:CounterSignature"+attrs+">"+signHere+"</xades:CounterSignature>"+end, 1)
		return strings.Replace(k.dsig(t, put, "c1", "", ref{uri: "#s1-value", transforms: exclusive(""), over: over}), ` Id="c1">`, id+">", 1)
	}
	for name, c := range map[string]struct {
		doc  string
		want validate.Verdict
		sub  validate.SubIndication
	}{
		"a counter-signature":             {counter("", ` Id="c1"`), validate.Valid, ""},
		"without identifier":              {counter("", ""), validate.Valid, ""},
		"in an element with one":          {counter(` Id="c"`, ""), validate.Valid, ""},
		"with an attribute of a stranger": {counter(` pay="1"`, ""), validate.Indeterminate, validate.SigConstraintsFailure},
		"of nothing":                      {strings.Replace(signed, end, "<xades:CounterSignature/>"+end, 1), validate.Indeterminate, validate.SigConstraintsFailure},
		"a certificate that is text":      {strings.Replace(signed, end, "<xades:CertificateValues><xades:EncapsulatedX509Certificate>999 euros.</xades:EncapsulatedX509Certificate></xades:CertificateValues>"+end, 1), validate.Indeterminate, validate.SigConstraintsFailure},
		"a time-stamp in no known form":   {strings.Replace(signed, `<xades:SignatureTimeStamp><ds:CanonicalizationMethod Algorithm="`+excC14N+`"/>`, `<xades:SignatureTimeStamp><ds:CanonicalizationMethod Algorithm=""/>`, 1), validate.Valid, ""}, // a warning, and no proof
		"a time-stamp without token":      {strings.Replace(signed, end, "<xades:SignatureTimeStamp></xades:SignatureTimeStamp>"+end, 1), validate.NotValid, validate.SigConstraintsFailure},
	} {
		if c.doc == signed {
			t.Fatalf("%s: nothing changed", name)
		}
		rep := k.look(t, []byte(c.doc), k.trust())
		s := rep.Signatures[0]
		if s.Verdict != c.want || s.Indication == validate.TotalFailed || c.want != validate.Valid && s.SubIndication != c.sub {
			t.Errorf("%s: %s %s %q", name, s.Verdict, s.Words(), s.Why)
		}
	}
	rep := k.look(t, []byte(counter("", "")), k.trust())
	if len(rep.Signatures) != 2 || rep.Verdict != validate.Valid || rep.Signatures[1].Countersigns != "s1" || !strings.Contains(strings.Join(rep.Signatures[0].Later, " "), "a signature without identifier") {
		t.Errorf("%s %+v", rep.Verdict, rep.Signatures)
	}
	// One over something else is none (EN 319 132-1, 5.2.7.2), whatever its type says, and however good it is.
	put := strings.Replace(signed, end, `<xades:CounterSignature>`+signHere+`</xades:CounterSignature>`+end, 1)
	line := form(t, signed, c14n.Job{Target: c14n.ElementByID("l")})
	fake := k.dsig(t, put, "c1", "", ref{uri: "#l", kind: "http://uri.etsi.org/01903#CountersignedSignature", transforms: exclusive(""), over: line})
	opt := k.trust()
	opt.Parts = []string{"l"}
	rep = k.look(t, []byte(fake), opt)
	if s := rep.Signatures[1]; rep.Signatures[0].Verdict != validate.Valid || s.SubIndication != validate.HashFailure || !strings.Contains(strings.Join(s.Why, " "), "stands as a counter-signature") {
		t.Errorf("a counter-signature over a line: %s %q", s.Words(), s.Why)
	}
	// A bad one is bad, and says so by itself.
	bad := k.look(t, []byte(strings.Replace(counter("", ""), `URI="#s1-value"`, `URI="#s1"`, 1)), k.trust())
	if bad.Verdict == validate.Valid || bad.Signatures[0].Verdict != validate.Valid || bad.Signatures[1].Verdict != validate.NotValid {
		t.Errorf("%s %+v", bad.Verdict, bad.Signatures)
	}
}

// ADE-05: an Object of which all contents are signed by references to them is signed; what stands beside, around or in between is not.
func TestADE05ObjectsSignedWithin(t *testing.T) {
	k := newKit(t)
	const ns = ` xmlns:ds="` + xmldsigNS + `"`
	const first, second = `<a Id="a">first</a>`, `<b Id="b">second</b>`
	const property = `<ds:SignatureProperty` + ns + ` Id="p" Target="#s1"><t>noon</t></ds:SignatureProperty>`
	over := func(id, octets string) ref { return ref{uri: "#" + id, transforms: exclusive(""), over: octets} }
	properties := object("<ds:SignatureProperties>" + property + "</ds:SignatureProperties>")
	for name, c := range map[string]struct {
		inside string
		want   validate.Verdict
	}{
		"each":                            {object(first) + properties, validate.Valid},
		"two in one":                      {object(first+second) + properties, validate.Valid},
		"white space and comments":        {object("\n"+first+"<!-- c -->\n") + properties, validate.Valid},
		"properties with an identifier":   {object(first) + strings.Replace(properties, "<ds:SignatureProperties>", `<ds:SignatureProperties Id="ps">`, 1), validate.Valid},
		"an unsigned one beside":          {object(first+"<c/>") + properties, validate.Indeterminate},
		"an unsigned one before":          {object("<c/>"+first) + properties, validate.Indeterminate},
		"text beside":                     {object(first+"999") + properties, validate.Indeterminate},
		"an element around":               {object("<c>"+first+"</c>") + properties, validate.Indeterminate},
		"an attribute that says more":     {strings.Replace(object(first), "<ds:Object>", `<ds:Object MimeType="text/html">`, 1) + properties, validate.Indeterminate},
		"one that calls it a list":        {strings.Replace(object(first), "<ds:Object>", `<ds:Object MimeType="`+xmldsigNS+`Manifest">`, 1) + properties, validate.Indeterminate},
		"an Object of nothing":            {object("") + object(first) + properties, validate.Indeterminate},
		"another property":                {object(first) + strings.Replace(properties, "</ds:SignatureProperties>", `<ds:SignatureProperty Target="#s1">never</ds:SignatureProperty></ds:SignatureProperties>`, 1), validate.Indeterminate},
		"an element among the properties": {object(first) + strings.Replace(properties, "</ds:SignatureProperties>", `<c/></ds:SignatureProperties>`, 1), validate.Indeterminate},
		"text among the properties":       {object(first) + strings.Replace(properties, "</ds:SignatureProperties>", `999</ds:SignatureProperties>`, 1), validate.Indeterminate},
		"an attribute of the properties":  {object(first) + strings.Replace(properties, "<ds:SignatureProperties>", `<ds:SignatureProperties pay="999">`, 1), validate.Indeterminate},
		"properties in a wrapper":         {object(first) + object("<c>"+properties[len("<ds:Object>"):len(properties)-len("</ds:Object>")]+"</c>"), validate.Indeterminate},
		"a signed one changed":            {object(strings.Replace(first, "first", "1st", 1)) + properties, validate.NotValid},
		"more than are looked at":         {object(first+strings.Repeat("<c/>", 70)) + properties, validate.Indeterminate},
	} {
		refs := []ref{over("a", first), over("p", property)}
		if strings.Contains(c.inside, second) {
			refs = append(refs, over("b", second))
		}
		doc := k.dsig(t, signHere, "s1", c.inside, refs...)
		if rep := k.look(t, []byte(doc), k.trust()); rep.Verdict != c.want {
			t.Errorf("%s: %s %q", name, rep.Verdict, rep.Signatures[0].Why)
		}
	}
	// Of very many not all are looked at: the one behind them may be unsigned.
	var many strings.Builder
	var refs []ref
	for i := range 64 {
		one := fmt.Sprintf(`<a Id="a%d"></a>`, i)
		many.WriteString(one)
		refs = append(refs, over(fmt.Sprintf("a%d", i), one))
	}
	for inside, want := range map[string]validate.Verdict{many.String(): validate.Valid, many.String() + "<c/>": validate.Indeterminate} {
		if rep := k.look(t, []byte(k.dsig(t, signHere, "s1", object(inside), refs...)), k.trust()); rep.Verdict != want {
			t.Errorf("64 elements and %q: %s", inside[many.Len():], rep.Verdict)
		}
	}
	// Moved out of its document into the signature, a part is still no more than a part.
	const line = `<line Id="l">240 euros</line>`
	doc := k.dsig(t, orderWith(signHere), "s1", "", over("l", line))
	moved := strings.Replace(strings.Replace(doc, line, "<line>1 euro</line>", 1), "</ds:Signature>", object(line)+"</ds:Signature>", 1)
	if rep := k.look(t, []byte(moved), k.trust()); rep.Verdict != validate.Indeterminate {
		t.Errorf("moved: %s", rep.Verdict)
	}
}

// rawECDSA is r || s of a value of P-256 in ASN.1.
func rawECDSA(t testing.TB, der []byte) []byte {
	t.Helper()
	var v struct{ R, S *big.Int }
	_, err := asn1.Unmarshal(der, &v)
	must(t, err)
	out := make([]byte, 64)
	v.R.FillBytes(out[:32])
	v.S.FillBytes(out[32:])
	return out
}
