package c14n

import (
	"errors"
	"strings"
	"testing"
)

// Canonical XML 1.0, section 3.1, without the document type declaration.
func TestSpec31OutsideOfTheDocumentElement(t *testing.T) {
	const doc = `<?xml version="1.0"?>

<?xml-stylesheet   href="doc.xsl"
   type="text/xsl"   ?>

<doc>Hello, world!<!-- Comment 1 --></doc>

<?pi-without-data     ?>

<!-- Comment 2 -->

<!-- Comment 3 -->
`
	const head = "<?xml-stylesheet href=\"doc.xsl\"\n   type=\"text/xsl\"   ?>\n"
	everyMethod(t, doc, Job{}, head+"<doc>Hello, world!</doc>\n<?pi-without-data?>")
	everyMethod(t, doc, Job{Comments: true}, head+"<doc>Hello, world!<!-- Comment 1 --></doc>\n<?pi-without-data?>\n<!-- Comment 2 -->\n<!-- Comment 3 -->")
}

// Section 3.2.
func TestSpec32WhiteSpace(t *testing.T) {
	const doc = "<doc>\n   <clean>   </clean>\n   <dirty>   A   B   </dirty>\n   <mixed>\n      A\n      <clean>   </clean>\n      B\n      <dirty>   A   B   </dirty>\n      C\n   </mixed>\n</doc>"
	everyMethod(t, doc, Job{}, doc)
}

// Section 3.3, without the default attribute of the document type declaration.
func TestSpec33StartAndEndTags(t *testing.T) {
	const doc = `<doc>
   <e1   />
   <e2   ></e2>
   <e3   name = "elem3"   id="elem3"   />
   <e4   name="elem4"   id="elem4"   ></e4>
   <e5 a:attr="out" b:attr="sorted" attr2="all" attr="I'm"
      xmlns:b="http://www.ietf.org"
      xmlns:a="http://www.w3.org"
      xmlns="http://example.org"/>
   <e6 xmlns="" xmlns:a="http://www.w3.org">
      <e7 xmlns="http://www.ietf.org">
         <e8 xmlns="" xmlns:a="http://www.w3.org">
            <e9 xmlns="" xmlns:a="http://www.ietf.org"/>
         </e8>
      </e7>
   </e6>
</doc>
`
	const want = `<doc>
   <e1></e1>
   <e2></e2>
   <e3 id="elem3" name="elem3"></e3>
   <e4 id="elem4" name="elem4"></e4>
   <e5 xmlns="http://example.org" xmlns:a="http://www.w3.org" xmlns:b="http://www.ietf.org" attr="I'm" attr2="all" b:attr="sorted" a:attr="out"></e5>
   <e6 xmlns:a="http://www.w3.org">
      <e7 xmlns="http://www.ietf.org">
         <e8 xmlns="">
            <e9 xmlns:a="http://www.ietf.org"></e9>
         </e8>
      </e7>
   </e6>
</doc>`
	all(t, doc, wanted{Inclusive10, Job{}, want}, wanted{Inclusive11, Job{}, want})
}

// Section 3.4, without the attributes whose type comes from the document type
// declaration.
func TestSpec34CharactersAndReferences(t *testing.T) {
	const doc = `<doc>
   <text>First line&#x0d;&#10;Second line</text>
   <value>&#x32;</value>
   <compute><![CDATA[value>"0" && value<"10" ?"valid":"error"]]></compute>
   <compute expr='value>"0" &amp;&amp; value&lt;"10" ?"valid":"error"'>valid</compute>
   <norm attr=' &apos;   &#x20;&#13;&#xa;&#9;   &apos; '/>
</doc>
`
	const want = `<doc>
   <text>First line&#xD;
Second line</text>
   <value>2</value>
   <compute>value&gt;"0" &amp;&amp; value&lt;"10" ?"valid":"error"</compute>
   <compute expr="value>&quot;0&quot; &amp;&amp; value&lt;&quot;10&quot; ?&quot;valid&quot;:&quot;error&quot;">valid</compute>
   <norm attr=" '    &#xD;&#xA;&#x9;   ' "></norm>
</doc>`
	everyMethod(t, doc, Job{}, want)
}

// Section 3.5 is about entities, which are refused here.
func TestSpec35EntitiesAreRefused(t *testing.T) {
	const doc = "<!DOCTYPE doc [\n<!ATTLIST doc attrExtEnt ENTITY #IMPLIED>\n<!ENTITY ent1 \"Hello\">\n]>\n<doc attrExtEnt=\"entExt\">\n   &ent1;!\n</doc>\n"
	if _, err := try(doc, Job{Method: Inclusive10}); !errors.Is(err, ErrDTD) {
		t.Errorf("got %v", err)
	}
}

// Section 3.6: the octets are UTF-8.
func TestSpec36Encoding(t *testing.T) {
	everyMethod(t, "<doc>&#169;</doc>", Job{}, "<doc>\xC2\xA9</doc>")
	if _, err := try(`<?xml version="1.0" encoding="ISO-8859-1"?><doc>&#169;</doc>`, Job{Method: Inclusive10}); !errors.Is(err, ErrEncoding) {
		t.Errorf("got %v", err)
	}
}

// Section 3.7 needs XPath node-sets without ancestors, which do not exist here.
// What it shows about inheriting is, as an element with all it contains:
func TestSpec37ElementOfADocument(t *testing.T) {
	const doc = `<doc xmlns="http://www.ietf.org" xmlns:w3c="http://www.w3.org" xml:base="something/else">
   <e1>
      <e2 xmlns="" xml:id="abc" xml:base="bar/">
         <e3 id="E3" xml:base="foo"/>
      </e2>
   </e1>
</doc>
`
	j := Job{Target: ElementByID("E3")}
	all(t, doc,
		wanted{Inclusive10, j, `<e3 xmlns:w3c="http://www.w3.org" id="E3" xml:base="foo" xml:id="abc"></e3>`},
		// Canonical XML 1.1, section 3.8.
		wanted{Inclusive11, j, `<e3 xmlns:w3c="http://www.w3.org" id="E3" xml:base="something/bar/foo"></e3>`},
		wanted{Exclusive, j, `<e3 id="E3" xml:base="foo"></e3>`})
}

// Exclusive XML Canonicalization, section 2.2: one element in two documents.
func TestSpecExclusiveEnvelopes(t *testing.T) {
	const elem = `<n1:elem2 xmlns:n1="http://example.net" xml:lang="en">
     <n3:stuff xmlns:n3="ftp://example.org"/>
   </n1:elem2>`
	first := `<n0:local xmlns:n0="foo:bar" xmlns:n3="ftp://example.org">
   ` + elem + `
</n0:local>`
	second := `<n2:pdu xmlns:n1="http://example.com" xmlns:n2="http://foo.example" xml:lang="fr" xml:space="retain">
   ` + elem + `
</n2:pdu>`
	at := func(doc string) Job { return Job{Target: ElementAt(int64(strings.Index(doc, "<n1:elem2")))} }
	const exclusive = `<n1:elem2 xmlns:n1="http://example.net" xml:lang="en">
     <n3:stuff xmlns:n3="ftp://example.org"></n3:stuff>
   </n1:elem2>`
	all(t, first, wanted{Exclusive, at(first), exclusive}, wanted{Inclusive10, at(first),
		`<n1:elem2 xmlns:n0="foo:bar" xmlns:n1="http://example.net" xmlns:n3="ftp://example.org" xml:lang="en">
     <n3:stuff></n3:stuff>
   </n1:elem2>`})
	all(t, second, wanted{Exclusive, at(second), exclusive}, wanted{Inclusive10, at(second),
		`<n1:elem2 xmlns:n1="http://example.net" xmlns:n2="http://foo.example" xml:lang="en" xml:space="retain">
     <n3:stuff xmlns:n3="ftp://example.org"></n3:stuff>
   </n1:elem2>`})
}

// Canonical XML 1.1, section 2.4: joining xml:base, and appendix A.
func TestSpecBaseFixUp(t *testing.T) {
	for _, c := range []struct{ base, ref, want string }{
		{"abc/", "../", ""},
		{"../", "../", "../../"},
		{"..", "../", "../../"},
		{"../", "..", "../../"},
		{"a/b", "c", "a/c"},
		{"a/b/", "../c", "a/c"},
		{"something/else", "bar/", "something/bar/"},
		{"http://example.org/a/b", "../../../c", "http://example.org/c"},
		{"http://example.org", "c", "http://example.org/c"},
		{"http://example.org/a/b?q", "", "http://example.org/a/b?q"},
		{"http://example.org/a/b", "?x", "http://example.org/a/b?x"},
		{"http://example.org/a/", "//example.com/x", "http://example.com/x"},
		{"http://example.org/a/", "http://example.com/./x/../y", "http://example.com/y"},
		{"/A/b", "/C//d", "/C/d"},
		{"a", "b#f", "b"},
	} {
		if got := joinBase(c.base, c.ref); got != c.want {
			t.Errorf("%q and %q: got %q, want %q", c.base, c.ref, got, c.want)
		}
	}
	for path, want := range map[string]string{
		"no/.././/pseudo-netpath/seg/file.ext":        "pseudo-netpath/seg/file.ext",
		"no/..//.///pseudo-netpath/seg/file.ext":      "pseudo-netpath/seg/file.ext",
		"yes/no//..//.///pseudo-netpath/seg/file.ext": "yes/pseudo-netpath/seg/file.ext",
		"no/../yes": "yes", "no/../yes/": "yes/", "no/../yes/no/..": "yes/",
		"../../no/../..": "../../../", "no/../..": "../", "no/..": "", "no/../": "",
		"/A/b/c/./../../g": "/A/g", "mid/content=5/../6": "mid/6", "/../..": "/", "../": "../", "..": "../", "./": "", ".": "", "/": "/", "//": "/",
	} {
		if got := removeDots(path); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
	// Nothing is left of the base: no attribute.
	all(t, `<a xml:base="x/"><b Id="i" xml:base="../"/></a>`, wanted{Inclusive11, Job{Target: ElementByID("i")}, `<b Id="i"></b>`})
	all(t, `<a xml:base="x/y"><b><c Id="i" z=""/></b></a>`, wanted{Inclusive11, Job{Target: ElementByID("i")}, `<c Id="i" z="" xml:base="x/y"></c>`})
}
