package c14n

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// maker writes random documents that use everything that canonicalization
// treats: it knows which prefixes are in scope, so that they are well-formed.
type maker struct {
	t      *rapid.T
	b      strings.Builder
	ids    int
	marked []string // identifiers that the document has, in xml:id
}

// bound are the prefixes in scope.
type bound map[string]string

func (m *maker) pick(name string, of ...string) string {
	return rapid.SampledFrom(of).Draw(m.t, name)
}

func (m *maker) chance(name string, percent int) bool {
	return rapid.IntRange(0, 99).Draw(m.t, name) < percent
}

// makeDocument draws a document and the identifiers of elements in it.
func makeDocument(t *rapid.T) (string, []string) {
	m := &maker{t: t}
	if m.chance("declared", 40) {
		m.b.WriteString(m.pick("xml", `<?xml version="1.0"?>`, `<?xml version='1.0' encoding="utf-8" standalone='yes' ?>`))
	}
	m.misc("before")
	m.element(bound{}, 0)
	m.misc("after")
	return m.b.String(), m.marked
}

func (m *maker) misc(name string) {
	for range rapid.IntRange(0, 2).Draw(m.t, name) {
		m.b.WriteString(m.pick("misc", " \n", "<?style  type='x' ?>", "<?e?>", "<!-- c -->", "<!---->", "\r\n", "<?p \r\n a\r?>"))
	}
}

func (m *maker) element(outer bound, depth int) {
	scope := bound{}
	for k, v := range outer {
		scope[k] = v
	}
	var attrs []string
	for range rapid.IntRange(0, 3).Draw(m.t, "declarations") {
		prefix := m.pick("prefix", "", "a", "b", "c", "q")
		uri := m.pick("uri", "urn:1", "urn:2", "http://example.org/z", "urn:&#x79;")
		if prefix == "" && m.chance("none", 40) {
			uri = ""
		}
		name := "xmlns:" + prefix
		if prefix == "" {
			name = "xmlns"
		}
		if !declares(attrs, name) {
			scope[prefix] = uri
			attrs = append(attrs, name+m.equals()+m.quoted(uri))
		}
	}
	if m.chance("xmlns:xml", 3) {
		attrs = append(attrs, `xmlns:xml="http://www.w3.org/XML/1998/namespace"`)
	}
	name := m.prefixed(scope) + m.pick("local", "e", "f", "_x-1.2", "\u03b1\u03b2", "\U00010400")
	attrs = append(attrs, m.attributes(scope)...)
	m.shuffle(attrs)
	m.b.WriteString("<" + name)
	for _, a := range attrs {
		m.b.WriteString(m.pick("space", " ", "\n", "\t ", "\r\n") + a)
	}
	m.b.WriteString(m.pick("end", "", "", " ", "\n"))
	if m.chance("empty", 20) {
		m.b.WriteString("/>")
		return
	}
	m.b.WriteString(">")
	for range rapid.IntRange(0, 4).Draw(m.t, "children") {
		if depth < 5 && m.chance("child", 50) {
			m.element(scope, depth+1)
		} else {
			m.b.WriteString(m.pick("content", "text", " \n ", "\r\n\r", "&amp;&lt;&gt;&quot;&apos;", ">]] ]>", "&#13;&#x41;", "\u03b1\u20ac\U0001F600\tx", "\"'",
				"<![CDATA[a<b>&amp;\r\n]]]>", "<![CDATA[]]>", "<!-- - \r c & < -->", "<?pi  some ? > data\t?>", "]]&gt;", "&#x10FFFF;\ud7ff"))
		}
	}
	m.b.WriteString("</" + name + m.pick("close", "", "", "\n") + ">")
}

func (m *maker) attributes(scope bound) []string {
	var attrs []string
	seen := map[string]bool{}
	for range rapid.IntRange(0, 4).Draw(m.t, "attributes") {
		prefix := m.prefixed(scope)
		local := m.pick("name", "a", "b", "z", "lang", "A")
		key := "|" + local
		if prefix != "" {
			key = scope[strings.TrimSuffix(prefix, ":")] + "|" + local
		} else if scope[""] != "" && m.chance("plain", 50) {
			continue
		}
		if !seen[key] {
			seen[key] = true
			attrs = append(attrs, prefix+local+m.equals()+m.quoted(m.value()))
		}
	}
	if m.chance("xml:", 25) {
		attrs = append(attrs, m.pick("inherited", `xml:lang="en"`, `xml:lang='de'`, `xml:space="preserve"`, `xml:base="http://example.org/a/"`, `xml:base="b/c"`, `xml:base="../d/"`, `xml:other="o"`))
	}
	if m.chance("id", 30) {
		m.ids++
		id := fmt.Sprintf("i%d", m.ids)
		m.marked = append(m.marked, id)
		attrs = append(attrs, "xml:id="+m.quoted(id))
	}
	return attrs
}

func (m *maker) value() string {
	var b strings.Builder
	for range rapid.IntRange(0, 3).Draw(m.t, "value") {
		b.WriteString(m.pick("part", "v", " ", "\t", "\n", "\r\n", "\r", "&amp;", "&lt;", ">", "&quot;", "&#9;", "&#xA;", "&#13;", "\u03b1", "&apos;", "  "))
	}
	return b.String()
}

func (m *maker) equals() string { return m.pick("equals", "=", "=", " = ", "=\n") }

func (m *maker) quoted(v string) string {
	q := m.pick("quote", `"`, `'`)
	return q + v + q
}

// prefixed draws a prefix in scope, with its colon, or none.
func (m *maker) prefixed(scope bound) string {
	of := []string{""}
	for _, p := range []string{"a", "b", "c", "q"} {
		if scope[p] != "" {
			of = append(of, p+":")
		}
	}
	return rapid.SampledFrom(of).Draw(m.t, "use")
}

func (m *maker) shuffle(of []string) {
	for i := len(of) - 1; i > 0; i-- {
		k := rapid.IntRange(0, i).Draw(m.t, "order")
		of[i], of[k] = of[k], of[i]
	}
}

// declares says whether one of attrs has a name.
func declares(attrs []string, name string) bool {
	for _, a := range attrs {
		rest, ok := strings.CutPrefix(a, name)
		if ok && strings.TrimLeft(rest, " \n")[0] == '=' {
			return true
		}
	}
	return false
}

// generated gives n documents, with the identifiers of elements in each.
func generated(n, seed int) []made {
	gen := rapid.Custom(func(t *rapid.T) made {
		doc, ids := makeDocument(t)
		return made{doc, ids}
	})
	docs := make([]made, n)
	for i := range docs {
		docs[i] = gen.Example(seed*1_000_000 + i)
	}
	return docs
}

type made struct {
	doc string
	ids []string
}

// amount is how many documents a test makes, and its seed: short, or the long form
// of ASSENT_SOAK=1 with ASSENT_SEED.
func amount(t testing.TB, short, long int) (n, seed int) {
	t.Helper()
	n, seed = short, 1
	if os.Getenv("ASSENT_SOAK") == "1" {
		n = long
		if v := os.Getenv("ASSENT_SEED"); v != "" {
			var err error
			if seed, err = strconv.Atoi(v); err != nil {
				t.Fatalf("ASSENT_SEED: %v", err)
			}
		}
	}
	t.Logf("%d documents, seed %d", n, seed)
	return n, seed
}
