package c14n

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
)

// The tests TestX1 to TestX12 are the canonicalization mistakes seen in another
// library (guide, section 3.2), one each. X13 to X15 are about signatures.

type wanted struct {
	method Method
	job    Job
	want   string
}

func all(t *testing.T, doc string, cases ...wanted) {
	t.Helper()
	for _, c := range cases {
		c.job.Method = c.method
		if got := canonical(t, doc, c.job); got != c.want {
			t.Errorf("method %d of %q\n got %q\nwant %q", c.method, doc, got, c.want)
		}
	}
}

func everyMethod(t *testing.T, doc string, j Job, want string) {
	t.Helper()
	all(t, doc, wanted{Inclusive10, j, want}, wanted{Inclusive11, j, want}, wanted{Exclusive, j, want})
}

// X1: attributes are sorted by namespace name, not by local name or prefix.
func TestX1AttributesSortByNamespaceName(t *testing.T) {
	everyMethod(t, `<r xmlns:b="urn:1" xmlns:a="urn:2" a:a="3" b:z="2" z="1"/>`, Job{},
		`<r xmlns:a="urn:2" xmlns:b="urn:1" z="1" b:z="2" a:a="3"></r>`)
}

// X2: what stands outside of the root belongs to the document.
func TestX2OutsideOfTheRoot(t *testing.T) {
	doc := "<?xml version='1.0'?>\n\n<?xml-stylesheet   href='a'?>  <!--c--><r/>\n\n<?end?>\n<!--d-->\n"
	everyMethod(t, doc, Job{}, "<?xml-stylesheet href='a'?>\n<r></r>\n<?end?>")
	everyMethod(t, doc, Job{Comments: true}, "<?xml-stylesheet href='a'?>\n<!--c-->\n<r></r>\n<?end?>\n<!--d-->")
	everyMethod(t, doc, Job{Comments: true, Target: ElementAt(int64(strings.Index(doc, "<r/>")))}, "<r></r>")
}

// X3: literal white space in a value is normalised to spaces, that of references stays.
func TestX3WhiteSpaceInValues(t *testing.T) {
	everyMethod(t, "<r a='1\t2\n3\r\n4\r5&#9;6&#10;7&#13;8'/>", Job{}, `<r a="1 2 3 4 5&#x9;6&#xA;7&#xD;8"></r>`)
}

const nested = `<r xmlns="urn:d" xmlns:p="urn:1" xmlns:u="urn:u" xml:lang="en" xml:space="preserve" xml:base="http://example.org/a/" xml:id="r" xml:x="y"><p:e Id="e"><f/></p:e></r>`

// X4, X10: an element taken out of its document inherits namespaces, and the
// xml: attributes that its version of Canonical XML names.
func TestX4SubsetsInherit(t *testing.T) {
	j := Job{Target: ElementByID("e")}
	all(t, nested,
		wanted{Inclusive11, j, `<p:e xmlns="urn:d" xmlns:p="urn:1" xmlns:u="urn:u" Id="e" xml:base="http://example.org/a/" xml:lang="en" xml:space="preserve"><f></f></p:e>`},
		wanted{Inclusive10, j, `<p:e xmlns="urn:d" xmlns:p="urn:1" xmlns:u="urn:u" Id="e" xml:base="http://example.org/a/" xml:id="r" xml:lang="en" xml:space="preserve" xml:x="y"><f></f></p:e>`},
		wanted{Exclusive, j, `<p:e xmlns:p="urn:1" Id="e"><f xmlns="urn:d"></f></p:e>`})
}

func TestX10SignedInfoInheritsXMLAttributes(t *testing.T) {
	doc := `<r xml:lang="el" xml:base="a/b"><Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo><a/></SignedInfo></Signature></r>`
	all(t, doc, wanted{Inclusive11, Job{Target: ElementAt(int64(strings.Index(doc, "<SignedInfo>")))},
		`<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#" xml:base="a/b" xml:lang="el"><a></a></SignedInfo>`})
}

// X5: what the element has itself is not overwritten by what it would inherit.
func TestX5OwnValuesStay(t *testing.T) {
	doc := `<r xmlns:p="urn:1" xml:lang="en" xml:base="http://example.org/a/"><m xml:lang="fr"><p:e xmlns:p="urn:2" Id="e" xml:lang="de" xml:base="http://example.com/b"/></m></r>`
	want := `<p:e xmlns:p="urn:2" Id="e" xml:base="http://example.com/b" xml:lang="de"></p:e>`
	everyMethod(t, doc, Job{Target: ElementByID("e")}, want)
	inner := `<r xml:lang="en"><m xml:lang="fr"><e Id="e"/></m></r>`
	all(t, inner, wanted{Inclusive10, Job{Target: ElementByID("e")}, `<e Id="e" xml:lang="fr"></e>`},
		wanted{Inclusive11, Job{Target: ElementByID("e")}, `<e Id="e" xml:lang="fr"></e>`})
}

// X6: prefixes that ancestors declare are known in an exclusive subset.
func TestX6ExclusiveKnowsAncestors(t *testing.T) {
	doc := `<r xmlns="urn:d" xmlns:p="urn:1" xmlns:q="urn:2"><p:e Id="e" q:a=""><f/></p:e></r>`
	all(t, doc, wanted{Exclusive, Job{Target: ElementByID("e")}, `<p:e xmlns:p="urn:1" xmlns:q="urn:2" Id="e" q:a=""><f xmlns="urn:d"></f></p:e>`})
}

// X7: canonicalizing changes nothing: a second job over the same pass sees what
// the first one leaves out.
func TestX7JobsDoNotDisturbEachOther(t *testing.T) {
	doc := `<r xmlns:q="urn:q"><!--c--><e t="q:x"/></r>`
	var a, b strings.Builder
	err := Canonicalize(strings.NewReader(doc), Limits{}, Job{W: &a, Method: Exclusive}, Job{W: &b, Method: Inclusive10, Comments: true})
	if err != nil || a.String() != `<r><e t="q:x"></e></r>` || b.String() != `<r xmlns:q="urn:q"><!--c--><e t="q:x"></e></r>` {
		t.Errorf("got %q and %q, %v", a.String(), b.String(), err)
	}
}

// X8: xmlns="" stands only where it changes something, xmlns:xml never, and
// #default in a PrefixList is the default namespace.
func TestX8DefaultNamespace(t *testing.T) {
	doc := `<r xmlns="urn:d" xmlns:x="urn:x"><e xmlns="" xmlns:xml="http://www.w3.org/XML/1998/namespace" Id="e"><f/></e></r>`
	j := Job{Target: ElementByID("e")}
	all(t, doc, wanted{Exclusive, j, `<e Id="e"><f></f></e>`}, wanted{Inclusive10, j, `<e xmlns:x="urn:x" Id="e"><f></f></e>`})
	all(t, doc, wanted{Inclusive10, Job{}, `<r xmlns="urn:d" xmlns:x="urn:x"><e xmlns="" Id="e"><f></f></e></r>`},
		wanted{Exclusive, Job{}, `<r xmlns="urn:d"><e xmlns="" Id="e"><f></f></e></r>`})
	list := `<p:r xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q" xmlns:u="urn:u"><p:e Id="e"><p:f xmlns="" xmlns:q="urn:q2"/></p:e></p:r>`
	all(t, list,
		wanted{Exclusive, Job{Target: ElementByID("e"), Prefixes: []string{"#default", "q", "none", "xml"}},
			`<p:e xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q" Id="e"><p:f xmlns="" xmlns:q="urn:q2"></p:f></p:e>`},
		wanted{Exclusive, Job{Target: ElementByID("e"), Prefixes: []string{"q"}},
			`<p:e xmlns:p="urn:p" xmlns:q="urn:q" Id="e"><p:f xmlns:q="urn:q2"></p:f></p:e>`})
}

// X9: depth costs nothing beyond its own bytes. 900 levels with 2,000 leaves below
// took another library 1.6 s.
func TestX9CostIsLinearInSizeWhateverTheDepth(t *testing.T) {
	const depth = 900
	doc := strings.Replace(strings.Repeat("<e>", depth)+strings.Repeat("<f a='1'/>", 2000)+strings.Repeat("</e>", depth), "<e>", `<e xmlns:p="urn:p" xml:lang="en">`, 200)
	testenv.Within(t, "900 levels, 2,000 leaves", 250*time.Millisecond, func() {
		for _, m := range methods {
			canonical(t, doc, Job{Method: m.method})
		}
	})
}

// X11: a carriage return of a reference is written as a reference.
func TestX11CarriageReturns(t *testing.T) {
	everyMethod(t, "<r a='&#13;'>1\r\n2\r3&#13;\n4<![CDATA[\r]]></r>", Job{}, "<r a=\"&#xD;\">1\n2\n3&#xD;\n4\n</r>")
	everyMethod(t, "<r><?p a\r\nb\rc?><!--\r\n--></r>", Job{Comments: true}, "<r><?p a\nb\nc?><!--\n--></r>")
}

// X12: other encodings and DTDs are refused in words; names may be of any plane.
func TestX12EncodingsAndDTDs(t *testing.T) {
	everyMethod(t, "<\U00010400 \U00010401='\U0001F600'/>", Job{}, "<\U00010400 \U00010401=\"\U0001F600\"></\U00010400>")
	for doc, want := range map[string]error{
		"<?xml version='1.0' encoding='ISO-8859-1'?><r>\xE9</r>":      ErrEncoding,
		"\xFF\xFE<\x00r\x00/\x00>\x00":                                ErrEncoding,
		"<!DOCTYPE r [<!ATTLIST r a CDATA 'default'>]><r/>":           ErrDTD,
		"<!DOCTYPE r [<!ENTITY e SYSTEM 'file:e'>]><r>&e;</r>":        ErrDTD,
		"<?xml version='1.0'?><!DOCTYPE r PUBLIC '-//x' 'x.dtd'><r/>": ErrDTD,
	} {
		if out, err := try(doc, Job{Method: Exclusive}); !errors.Is(err, want) {
			t.Errorf("%q: %q, %v, want %v", doc, out, err, want)
		}
	}
}

// Namespace names are values like others: what libxml2 2.9.14 writes for this one
// (xmlns:a="urn:a&b") is not even well-formed.
func TestNamespaceNamesAreEscaped(t *testing.T) {
	everyMethod(t, `<a:r xmlns:a="urn:a&amp;b&quot;&lt;"/>`, Job{}, `<a:r xmlns:a="urn:a&amp;b&quot;&lt;"></a:r>`)
}
