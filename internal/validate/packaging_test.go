package validate_test

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"html"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap/xades"
)

// packaged makes a Signature element over the bytes of data as the file a b.txt, and edits SignedInfo before it
// is signed.
func (k *kit) packaged(t testing.TB, data string, edit func(info string) string) string {
	t.Helper()
	h := crypto.SHA256.New()
	h.Write([]byte(data))
	p := &xades.Parameters{ID: "s1", Algorithm: algo.ES256, Certificate: k.chain[0], Time: time.Now().Unix(),
		Objects: []xades.Object{{URI: "a%20b.txt", Hash: crypto.SHA256, Digest: h.Sum(nil), MimeType: "text/plain"}}}
	bare, err := xades.SignedInfo(p)
	must(t, err)
	info := edit(string(bare))
	sum := crypto.SHA256.New()
	sum.Write([]byte(info))
	value, err := k.key.Sign(rand.Reader, sum.Sum(nil), crypto.SHA256)
	must(t, err)
	element, err := xades.Signature(p, value, k.chain)
	must(t, err)
	return strings.Replace(string(element), string(bare), info, 1)
}

func asIs(s string) string { return s }

// toObject has the reference name an Object that holds the file in base64.
func toObject(info string) string {
	return strings.Replace(strings.Replace(info, ` URI="a%20b.txt">`, ` URI="#s1-object">`, 1), `URI="#s1-object">`,
		`URI="#s1-object"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"></ds:Transform></ds:Transforms>`, 1)
}

func detached(name, data string) validate.Detached {
	return validate.Detached{Name: name, ReaderAt: strings.NewReader(data), Size: int64(len(data))}
}

// ADE-02, ADE-05: a detached signature is judged with the file that it names, which the report names as the
// signed one; without it, or with one of another name, nothing is decided; with other bytes it is not valid.
func TestADE05DetachedSignatures(t *testing.T) {
	k := newKit(t)
	const data = "any bytes \x00\xff, 240 euros"
	signed := []byte(k.packaged(t, data, asIs))
	for name, c := range map[string]struct {
		files   []validate.Detached
		verdict validate.Verdict
		sub     validate.SubIndication
	}{
		"the file":       {[]validate.Detached{detached("a b.txt", data)}, validate.Valid, ""},
		"one unsigned":   {[]validate.Detached{detached("other", "x"), detached("a b.txt", data)}, validate.Indeterminate, validate.SigConstraintsFailure},
		"no file":        {nil, validate.Indeterminate, validate.SignedDataNotFound},
		"another name":   {[]validate.Detached{detached("a%20b.txt", data)}, validate.Indeterminate, validate.SignedDataNotFound},
		"two of a name":  {[]validate.Detached{detached("a b.txt", data), detached("a b.txt", "x")}, validate.Indeterminate, validate.SignedDataNotFound},
		"other bytes":    {[]validate.Detached{detached("a b.txt", strings.Replace(data, "240", "999", 1))}, validate.NotValid, validate.HashFailure},
		"one byte more":  {[]validate.Detached{detached("a b.txt", data+" ")}, validate.NotValid, validate.HashFailure},
		"nothing in it":  {[]validate.Detached{detached("a b.txt", "")}, validate.NotValid, validate.HashFailure},
		"a line removed": {[]validate.Detached{detached("a b.txt", data[1:])}, validate.NotValid, validate.HashFailure},
	} {
		opt := k.trust()
		opt.Detached = c.files
		rep := k.look(t, signed, opt)
		s := rep.Signatures[0]
		if lacks := strings.Contains(strings.Join(s.Why, " "), `not at hand: "a b.txt" (--detached FILE)`); lacks != (c.sub == validate.SignedDataNotFound) {
			t.Errorf("%s: %q", name, s.Why)
		}
		if rep.Verdict != c.verdict || rep.SubIndication != c.sub || s.Whole || len(s.Parts) > 0 || (s.Verdict == validate.Valid) != (s.Scope == `the bytes of the file "a b.txt"`) {
			t.Errorf("%s: %s, %s, %q, %v", name, rep.Verdict, s.Words(), s.Scope, s.Why)
		}
	}
	// An XML document beside the signature, by its canonical form.
	form := func(info string) string {
		return strings.Replace(info, ` URI="a%20b.txt">`, ` URI="a%20b.txt"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform></ds:Transforms>`, 1)
	}
	opt := k.trust()
	opt.Detached = []validate.Detached{detached("a b.txt", "<a  b='1'/>")}
	rep := k.look(t, []byte(k.packaged(t, `<a b="1"></a>`, form)), opt)
	if rep.Verdict != validate.Valid || rep.Signatures[0].Scope != `the XML document in the file "a b.txt", without comments` {
		t.Errorf("%+v", rep)
	}
}

// ADE-02, ADE-05: an enveloping signature is over the file in its object, and says so by place; a second object, elements
// in the first, or a root around it are named.
func TestADE05EnvelopingSignatures(t *testing.T) {
	k := newKit(t)
	const data = "any bytes \x00\xff, 240 euros"
	element := k.packaged(t, data, toObject)
	object := func(id, data string) string {
		return `<ds:Object Id="` + id + `" Encoding="http://www.w3.org/2000/09/xmldsig#base64">` + base64.StdEncoding.EncodeToString([]byte(data)) + `</ds:Object>`
	}
	good := into(element, "<ds:Object>", object("s1-object", data))
	rep := k.look(t, []byte(good), k.trust())
	s := rep.Signatures[0]
	if rep.Verdict != validate.Valid || !strings.Contains(s.Scope, `the element with the identifier "s1-object", which holds a file in base64: that file's bytes`) || len(s.Parts) != 1 || !strings.HasPrefix(good[s.Parts[0].Start:], `<ds:Object Id="s1-object"`) {
		t.Fatalf("%+v", rep)
	}
	for name, c := range map[string]struct {
		doc     string
		verdict validate.Verdict
	}{
		"data":           {strings.Replace(good, object("s1-object", data), object("s1-object", "999"), 1), validate.NotValid},
		"another object": {into(good, "<ds:Object>", object("evil", "999")), validate.Indeterminate},
		"elements in it": {strings.Replace(good, "</ds:Object><ds:Object>", "<b>999</b></ds:Object><ds:Object>", 1), validate.NotValid},
		"a root":         {"<evil>999" + good + "</evil>", validate.Indeterminate},
		"no object":      {element, validate.NotValid},
		"two of them":    {into(good, "<ds:Object>", object("s1-object", "999")), validate.NotValid},
	} {
		if v, _ := k.wrapped(t, name, c.doc); v != c.verdict {
			t.Errorf("%s: %s, want %s", name, v, c.verdict)
		}
	}
}

// ADE-02, ADE-05: XML inside of a signature is judged as what it is, with its place: not after a change, nor when the Object
// moved out and something else took its place; what is put around it nobody signed.
func TestADE05EnvelopedXMLInsideOfASignature(t *testing.T) {
	k := newKit(t)
	const data = `<invoice xmlns="urn:example:invoice"><line Id="l">240 euros</line></invoice>`
	object := `<ds:Object Id="s1-object">` + data + `</ds:Object>`
	h := crypto.SHA256.New()
	must(t, c14n.Canonicalize(strings.NewReader(xades.ObjectTag("s1")+data+"</ds:Object>"), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive}))
	p := &xades.Parameters{ID: "s1", Algorithm: algo.ES256, Certificate: k.chain[0], Time: time.Now().Unix(),
		Objects: []xades.Object{{URI: "#s1-object", Element: true, Hash: crypto.SHA256, Digest: h.Sum(nil), MimeType: "text/xml"}}}
	info, err := xades.SignedInfo(p)
	must(t, err)
	sum := crypto.SHA256.New()
	sum.Write(info)
	value, err := k.key.Sign(rand.Reader, sum.Sum(nil), crypto.SHA256)
	must(t, err)
	before, after, err := xades.Around(p, value, k.chain)
	must(t, err)
	good := string(before) + data + string(after)
	rep := k.look(t, []byte(good), k.trust())
	s := rep.Signatures[0]
	if rep.Verdict != validate.Valid || !strings.HasPrefix(s.Scope, `the element with the identifier "s1-object" (bytes `) || s.Level != "B-B" || len(s.Parts) != 1 || good[s.Parts[0].Start:s.Parts[0].End] != object {
		t.Fatalf("%+v", rep)
	}
	evil := strings.Replace(strings.Replace(object, "240", "999", 1), ` Id="l"`, "", 1)
	for name, c := range map[string]struct {
		doc     string
		verdict validate.Verdict
	}{
		"data":                 {strings.Replace(good, "240", "999", 1), validate.NotValid},
		"more data":            {strings.Replace(good, "</invoice>", "</invoice><more/>", 1), validate.NotValid},
		"text in it":           {strings.Replace(good, "</invoice>", "</invoice>999", 1), validate.NotValid},
		"another Object":       {strings.Replace(good, object, object+strings.Replace(evil, `Id="s1-object"`, "", 1), 1), validate.Indeterminate},
		"two of an identifier": {strings.Replace(good, object, object+evil, 1), validate.NotValid},
		"no Object":            {strings.Replace(good, object, "", 1), validate.NotValid},
		"around it":            {"<evil>999" + good + "</evil>", validate.Indeterminate},
		"moved out":            {"<evil>" + strings.Replace(object, "<ds:Object ", `<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#" `, 1) + strings.Replace(good, object, strings.Replace(evil, `Id="s1-object"`, "", 1), 1) + "</evil>", validate.Indeterminate},
		"in the properties":    {strings.Replace(strings.Replace(good, object, evil, 1), "<xades:QualifyingProperties ", object+"<xades:QualifyingProperties ", 1), validate.NotValid},
	} {
		if c.doc == good {
			t.Fatal(name)
		}
		if v, _ := k.wrapped(t, name, c.doc); v != c.verdict {
			t.Errorf("%s: %s, want %s", name, v, c.verdict)
		}
	}
}

// beside signs elements of a document by their identifiers, and puts the signature in as the last child of the root.
func (k *kit) beside(t testing.TB, id, doc string, ids ...string) string {
	t.Helper()
	p := &xades.Parameters{ID: id, Algorithm: algo.ES256, Certificate: k.chain[0], Time: time.Now().Unix()}
	for _, id := range ids {
		h := crypto.SHA256.New()
		must(t, c14n.Canonicalize(strings.NewReader(doc), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive, Target: c14n.ElementByID(id)}))
		p.Objects = append(p.Objects, xades.Object{URI: "#" + id, Element: true, Hash: crypto.SHA256, Digest: h.Sum(nil), MimeType: "text/xml"})
	}
	info, err := xades.SignedInfo(p)
	must(t, err)
	sum := crypto.SHA256.New()
	sum.Write(info)
	value, err := k.key.Sign(rand.Reader, sum.Sum(nil), crypto.SHA256)
	must(t, err)
	element, err := xades.Signature(p, value, k.chain)
	must(t, err)
	end := strings.LastIndex(doc, "</")
	return doc[:end] + string(element) + doc[end:]
}

// ADE-02, ADE-05: a signature over elements beside it passes for who goes by these elements, whose places the report names; not
// for who goes by the whole document or by another element; and not after a change, a swap, a second element of that
// identifier, or one that stands in the signed one's place.
func TestADE05InternallyDetachedSignatures(t *testing.T) {
	k := newKit(t)
	const doc = `<order><head Id="h">240 euros</head><line Id="l">2 sheds</line><note>none</note></order>`
	both := k.beside(t, "s1", doc, "h", "l")
	two := k.beside(t, "s2", k.beside(t, "s1", doc, "h"), "l")
	for name, c := range map[string]struct {
		doc     string
		parts   []string
		verdict validate.Verdict
	}{
		"both, by both":               {both, []string{"h", "l"}, validate.Valid},
		"both, by one":                {both, []string{"l"}, validate.Valid},
		"both, by the document":       {both, nil, validate.Indeterminate},
		"by another":                  {both, []string{"x"}, validate.Indeterminate},
		"by one and another":          {both, []string{"h", "x"}, validate.Indeterminate},
		"two signatures":              {two, []string{"l", "h"}, validate.Valid},
		"two signatures, by one":      {two, []string{"l"}, validate.Indeterminate},
		"what nobody signed":          {strings.Replace(both, "none", "999", 1), []string{"h", "l"}, validate.Valid},
		"changed":                     {strings.Replace(both, "240", "999", 1), []string{"h", "l"}, validate.NotValid},
		"the other one changed":       {strings.Replace(two, "2 sheds", "3 sheds", 1), []string{"h"}, validate.NotValid},
		"identifiers swapped":         {strings.NewReplacer(`<head Id="h">`, `<head Id="l">`, `<line Id="l">`, `<line Id="h">`).Replace(both), []string{"h", "l"}, validate.NotValid},
		"order in the document":       {strings.Replace(strings.Replace(both, `<head Id="h">240 euros</head>`, "", 1), "<note>", `<head Id="h">240 euros</head><note>`, 1), []string{"h", "l"}, validate.Valid},
		"two of an identifier":        {strings.Replace(both, "<note>", `<head Id="h">999</head><note>`, 1), []string{"h", "l"}, validate.NotValid},
		"two, by another attribute":   {strings.Replace(both, "<note>", `<head id="h">999</head><note>`, 1), []string{"h", "l"}, validate.NotValid},
		"moved, another in its place": {strings.Replace(both, `<head Id="h">240 euros</head>`, `<head>999</head><w><head Id="h">240 euros</head></w>`, 1), nil, validate.Indeterminate},
		"references swapped":          {strings.NewReplacer(`Id="s1-ref0" URI="#h"`, `Id="s1-ref0" URI="#l"`, `Id="s1-ref1" URI="#l"`, `Id="s1-ref1" URI="#h"`).Replace(both), []string{"h", "l"}, validate.NotValid},
	} {
		opt := k.trust()
		opt.Parts = c.parts
		rep, err := validate.File(t.Context(), "x.xml", strings.NewReader(c.doc), int64(len(c.doc)), opt)
		if err != nil && c.verdict == validate.NotValid {
			continue // refused as a whole
		}
		must(t, err)
		if rep.Verdict != c.verdict || (rep.Indication == validate.TotalPassed) != (c.verdict == validate.Valid) || rep.Signatures[0].Whole {
			t.Errorf("%s: %s, %s; %v %v", name, rep.Verdict, rep.Words(), rep.Notes, rep.Signatures[0].Why)
		}
		for _, s := range rep.Signatures {
			for _, p := range s.Parts {
				if s.Certificate() != nil && strings.Contains(c.doc[p.Start:p.End], "999") {
					t.Errorf("%s: %q is said to cover %s", name, p.Words, c.doc[p.Start:p.End])
				}
			}
		}
	}
	rep := k.look(t, []byte(both), k.trust())
	if s := rep.Signatures[0]; !strings.HasPrefix(s.Scope, `the element with the identifier "h", not the document around it (bytes 7 to `) || !strings.Contains(s.Scope, `; the element with the identifier "l", not the document around it (bytes `) || len(s.Parts) != 2 {
		t.Errorf("%+v", s)
	}
	var text, page strings.Builder
	must(t, rep.Print(&text))
	must(t, rep.HTML(&page))
	for _, words := range []string{text.String(), html.UnescapeString(page.String())} {
		if !strings.Contains(words, `the element with the identifier "l", not the document around it`) {
			t.Errorf("the scope is not told:\n%s", words)
		}
	}
}
