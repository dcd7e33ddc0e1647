package c14n

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// refusals are documents that are none, each with why and where.
var refusals = []struct {
	doc    string
	err    error
	offset int64
}{
	// Document type declarations, other entities.
	{`<!DOCTYPE a><a/>`, ErrDTD, 0},
	{"<?xml version='1.0'?>\n<!-- c --><!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", ErrDTD, 32},
	{`<a>&e;</a>`, ErrEntity, 3},
	{`<a b="&nbsp;"/>`, ErrEntity, 6},
	{`<a>&;</a>`, ErrEntity, 3},
	{`<a>&#;</a>`, ErrEntity, 3},
	{`<a>&#x;</a>`, ErrEntity, 3},
	{`<a>&#X41;</a>`, ErrEntity, 3},
	{`<a>&#4A;</a>`, ErrEntity, 3},
	{`<a>& </a>` + strings.Repeat(" ", 100), ErrEntity, 3},
	{`<a>&amp</a>`, ErrTruncated, 11},
	{`<a>&AMP;</a>`, ErrEntity, 3},
	// Versions and encodings.
	{`<?xml version="1.1"?><a/>`, ErrVersion, 6},
	{`<?xml version="2.0"?><a/>`, ErrVersion, 6},
	{`<?xml encoding="UTF-8"?><a/>`, ErrVersion, 5},
	{`<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, ErrEncoding, 20},
	{`<?xml version="1.0" encoding="UTF-16"?><a/>`, ErrEncoding, 20},
	{`<?xml version="1.0" standalone="maybe"?><a/>`, ErrSyntax, 20},
	{`<?xml version="1.0" standalone="no" encoding="UTF-8"?><a/>`, ErrSyntax, 36},
	{`<?xml version="1.0"encoding="UTF-8"?><a/>`, ErrSyntax, 19},
	{`<?xml version="1.0" other="1"?><a/>`, ErrSyntax, 20},
	{"\xFE\xFF\x00<\x00a\x00/\x00>", ErrEncoding, 0},
	{"\xFF\xFE<\x00a\x00/\x00>\x00", ErrEncoding, 0},
	{"<\x00a\x00/\x00>\x00", ErrEncoding, 0},
	{"\x00<\x00a\x00/\x00>", ErrEncoding, 0},
	{"Lo\xA7\x94\x93\x7E\xA5\x85", ErrEncoding, 0},
	// Characters.
	{"<a>\xE9</a>", ErrChar, 3},
	{"<a>\xC0\x80</a>", ErrChar, 3},
	{"<a>\xED\xA0\x80</a>", ErrChar, 3},
	{"<a>\xF4\x90\x80\x80</a>", ErrChar, 3},
	{"<a>\x00</a>", ErrChar, 3},
	{"<a>x\x0B</a>", ErrChar, 4},
	{"<a>\uFFFE</a>", ErrChar, 3},
	{"<a>\uFFFF</a>", ErrChar, 3},
	{"<a b='\x1F'/>", ErrChar, 6},
	{"<a b='\xFF'/>", ErrChar, 6},
	{"<a><!-- \x01 --></a>", ErrChar, 8},
	{"<a><!-- \xE2\x82 --></a>", ErrChar, 8},
	{"<a><?p \x01?></a>", ErrChar, 7},
	{"<a><![CDATA[\x01]]></a>", ErrChar, 12},
	{"<a>&#0;</a>", ErrChar, 3},
	{"<a>&#xD800;</a>", ErrChar, 3},
	{"<a>&#xFFFE;</a>", ErrChar, 3},
	{"<a>&#x110000;</a>", ErrChar, 3},
	{"<a>&#99999999999999999999;</a>", ErrChar, 3},
	// Syntax.
	{``, ErrTruncated, 0},
	{`   `, ErrTruncated, 3},
	{`<a>`, ErrTruncated, 3},
	{`<a`, ErrTruncated, 2},
	{`<a/`, ErrTruncated, 3},
	{`<a></`, ErrTruncated, 5},
	{`<a></a`, ErrTruncated, 6},
	{`<a b="`, ErrTruncated, 6},
	{`<a><!-- `, ErrTruncated, 8},
	{`<a><?p `, ErrTruncated, 7},
	{`<a><![CDATA[x]]`, ErrTruncated, 15},
	{`<a/><b/>`, ErrSyntax, 4},
	{`<a/>x`, ErrSyntax, 4},
	{`x<a/>`, ErrSyntax, 0},
	{`<a/>&#32;`, ErrSyntax, 4},
	{`<![CDATA[]]><a/>`, ErrSyntax, 0},
	{`<a/><![CDATA[]]>`, ErrSyntax, 4},
	{`</a>`, ErrSyntax, 0},
	{`<a/></a>`, ErrSyntax, 4},
	{`<a></b>`, ErrSyntax, 3},
	{`<a></ab>`, ErrSyntax, 6},
	{`<ab></a>`, ErrSyntax, 4},
	{`<a></ a>`, ErrSyntax, 5},
	{`<a></a b>`, ErrSyntax, 7},
	{`<a><b></a></b>`, ErrSyntax, 6},
	{`<a>]]></a>`, ErrSyntax, 3},
	{`<a>]]]></a>`, ErrSyntax, 4},
	{`<a><!-- a -- b --></a>`, ErrSyntax, 10},
	{`<a><!-- a ---></a>`, ErrSyntax, 10},
	{`<a><!--></a>-->`, ErrTruncated, 15},
	{`<a><!-x></a>`, ErrSyntax, 3},
	{`<a><!ELEMENT b></a>`, ErrSyntax, 3},
	{`<a><![INCLUDE[x]]></a>`, ErrSyntax, 3},
	{` <?xml version="1.0"?><a/>`, ErrSyntax, 3},
	{`<a><?xml version="1.0"?></a>`, ErrSyntax, 5},
	{`<a><?XmL x?></a>`, ErrSyntax, 5},
	{`<a><??></a>`, ErrSyntax, 5},
	{`<a><?1p?></a>`, ErrSyntax, 5},
	{`<a><?p!?></a>`, ErrSyntax, 6},
	{`<a><?p?x?></a>`, ErrSyntax, 6},
	{`<a b/>`, ErrSyntax, 4},
	{`<a b=c/>`, ErrSyntax, 5},
	{`<a b="1"c="2"/>`, ErrSyntax, 8},
	{`<a b="<"/>`, ErrSyntax, 6},
	{`<a / >`, ErrSyntax, 3},
	{`< a/>`, ErrSyntax, 1},
	{`<1a/>`, ErrSyntax, 1},
	{`<-a/>`, ErrSyntax, 1},
	{"<a\u00D7/>", ErrSyntax, 2},
	{"<\u0300a/>", ErrSyntax, 1},
	{`<a 1b=""/>`, ErrSyntax, 3},
	// Namespaces in XML.
	{`<p:a/>`, ErrNamespace, 1},
	{`<a p:b=""/>`, ErrNamespace, 3},
	{`<a><b xmlns:p="urn:p"/><p:c/></a>`, ErrNamespace, 24},
	{`<a b="1" b="2"/>`, ErrNamespace, 9},
	{`<a xmlns:p="urn:x" xmlns:q="urn:x" p:b="1" q:b="2"/>`, ErrNamespace, 43},
	{`<a xmlns:p="urn:x" xmlns:p="urn:y"/>`, ErrNamespace, 19},
	{`<a xmlns="urn:x" xmlns="urn:x"/>`, ErrNamespace, 17},
	{`<a xmlns:p=""/>`, ErrNamespace, 3},
	{`<a xmlns:xml="urn:x"/>`, ErrNamespace, 3},
	{`<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>`, ErrNamespace, 3},
	{`<a xmlns="http://www.w3.org/XML/1998/namespace"/>`, ErrNamespace, 3},
	{`<a xmlns:xmlns="urn:x"/>`, ErrNamespace, 3},
	{`<a xmlns:p="http://www.w3.org/2000/xmlns/"/>`, ErrNamespace, 3},
	{`<a xmlns="http://www.w3.org/2000/xmlns/"/>`, ErrNamespace, 3},
	{`<xmlns:a/>`, ErrNamespace, 1},
	{`<a:b:c xmlns:a="urn:x"/>`, ErrNamespace, 4},
	{`<:a/>`, ErrNamespace, 1},
	{`<a: xmlns:a="urn:x"/>`, ErrNamespace, 3},
	{`<a xmlns:="urn:x"/>`, ErrNamespace, 9},
	{`<a xmlns:p="urn:x" p:1="x"/>`, ErrSyntax, 21},
	{`<a><?p:q?></a>`, ErrNamespace, 6},
	// Relative namespace names, in Canonical XML alone.
	{`<a xmlns="relative"/>`, ErrRelativeNamespace, 3},
	{`<a xmlns:p="../x"/>`, ErrRelativeNamespace, 3},
	{`<a xmlns:p="1:x"/>`, ErrRelativeNamespace, 3},
	{`<a xmlns:p="#x"/>`, ErrRelativeNamespace, 3},
	{`<a xmlns:p="//host/x"/>`, ErrRelativeNamespace, 3},
	{`<a xmlns:p=":x"/>`, ErrRelativeNamespace, 3},
}

// XML 1.0 and Namespaces in XML 1.0: what is not well-formed is refused, with
// why and where, however the bytes arrive.
func TestRefusals(t *testing.T) {
	for _, r := range refusals {
		for _, in := range []io.Reader{strings.NewReader(r.doc), iotest.OneByteReader(strings.NewReader(r.doc))} {
			err := Canonicalize(in, Limits{}, Job{W: io.Discard, Method: Exclusive})
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, r.err) {
				t.Errorf("%q: got %v, want %v", r.doc, err, r.err)
				continue
			}
			if e.Offset != r.offset {
				t.Errorf("%q: at byte %d, want %d: %v", r.doc, e.Offset, r.offset, err)
			}
		}
		if errors.Is(r.err, ErrRelativeNamespace) {
			if _, err := Scan(strings.NewReader(r.doc), Limits{}); err != nil {
				t.Errorf("%q: Scan refuses it: %v", r.doc, err)
			}
		}
	}
}

// An error says the line too, counted over any number of windows.
func TestErrorsTellTheLine(t *testing.T) {
	const lines = 30_000
	doc := "<a>" + strings.Repeat("some text\n", lines) + "<b></c></a>"
	_, err := try(doc, Job{Method: Exclusive})
	var e *Error
	if !errors.As(err, &e) || e.Line != lines+1 || e.Offset != int64(strings.Index(doc, "</c>")) {
		t.Errorf("got %v, want line %d", err, lines+1)
	}
}

// What XML allows, even if rarely seen, is read.
func TestAccepted(t *testing.T) {
	for doc, want := range map[string]string{
		"\uFEFF<?xml version=\"1.0\" encoding='utf-8'?><a/>": "<a></a>",
		"\uFEFF<a/>":                           "<a></a>",
		"<?xml version = '1.0' \n?>\n<a\n/>":   "<a></a>",
		"<?xml-stylesheet x?><a/>":             "<?xml-stylesheet x?>\n<a></a>",
		"<a>&#00000000000000065;&#x00041;</a>": "<a>AA</a>",
		"<xml:a/>":                             "<xml:a></xml:a>",
		"<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:b=''/>": `<a xml:b=""></a>`,
		"<\u00C0\u0300\u00B7-. _='>'/>":                                  "<\u00C0\u0300\u00B7-. _=\">\"></\u00C0\u0300\u00B7-.>",
		"<_:a xmlns:_='urn:x'/>":                                         `<_:a xmlns:_="urn:x"></_:a>`,
		"<a b=''\tc=''\r\nd=''></a\t>":                                   `<a b="" c="" d=""></a>`,
		"<a xmlns:p='urn:x' b='' p:b=''/>":                               `<a xmlns:p="urn:x" b="" p:b=""></a>`,
		"<a xmlns='urn:x' xmlns:p='urn:x' b='' p:b=''/>":                 `<a xmlns="urn:x" xmlns:p="urn:x" b="" p:b=""></a>`,
		"<a>]] > ]]</a>":                                                 "<a>]] &gt; ]]</a>",
		"<a>\U0010FFFF\uFFFD\uE000\u0085</a>":                            "<a>\U0010FFFF\uFFFD\uE000\u0085</a>",
		"<a><?p?><?p ?><?p x?y?><?p ??></a>":                             "<a><?p?><?p?><?p x?y?><?p ??></a>",
		"<a/><!-- - -->\n":                                               "<a></a>\n<!-- - -->",
		"<a>\r</a>\r":                                                    "<a>\n</a>",
	} {
		if got := canonical(t, doc, Job{Method: Inclusive10, Comments: true}); got != want {
			t.Errorf("%q:\n got %q\nwant %q", doc, got, want)
		}
	}
}

// Where a window ends inside of a token makes no difference.
func TestWindowsEndAnywhere(t *testing.T) {
	for _, m := range generated(15, 3) {
		doc := m.doc
		want := canonical(t, doc, Job{Method: Inclusive11, Comments: true})
		longest := 16
		for longest < 4*len(doc) {
			var out strings.Builder
			err := Canonicalize(strings.NewReader(doc), Limits{Token: longest}, Job{W: &out, Method: Inclusive11, Comments: true})
			if err == nil && out.String() != want {
				t.Fatalf("%q with windows of %d:\n got %q\nwant %q", doc, longest, out.String(), want)
			}
			if err != nil && !errors.Is(err, ErrToken) {
				t.Fatalf("%q with windows of %d: %v", doc, longest, err)
			}
			longest++
		}
	}
}
