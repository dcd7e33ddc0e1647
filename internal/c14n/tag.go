package c14n

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// startTag reads a start tag or an empty-element tag at b.
func (s *Scanner) startTag(b []byte) (int, error) {
	if s.state == inEpilog {
		return 0, syntax(0, "a second root element, or markup that does not begin with a name")
	}
	s.attrs, s.decls = s.attrs[:0], s.decls[:0]
	i, colon, err := name(b, 1, s.lim.Name)
	if err != nil {
		return 0, err
	}
	full := Name{Full: b[1:i]}
	if colon >= 0 {
		full.local = int32(colon)
	}
	for {
		gap := i
		for i < len(b) && classes[b[i]]&spaceByte != 0 {
			i++
		}
		if i == len(b) {
			return 0, errShort
		}
		switch b[i] {
		case '>':
			return i + 1, s.startElement(full, i+1, false)
		case '/':
			if i+1 == len(b) {
				return 0, errShort
			}
			if b[i+1] != '>' {
				return 0, syntax(i, `"/" in a tag`)
			}
			return i + 2, s.startElement(full, i+2, true)
		}
		if gap == i {
			return 0, syntax(i, "white space is missing before "+shown(b[i:i+1]))
		}
		if i, err = s.attribute(b, i); err != nil {
			return 0, err
		}
	}
}

// attribute reads name="value" at b[i:] and gives its end.
func (s *Scanner) attribute(b []byte, i int) (int, error) {
	at := i
	end, colon, err := name(b, i, s.lim.Name)
	if err != nil {
		return 0, err
	}
	full := b[i:end]
	for i = end; i < len(b) && classes[b[i]]&spaceByte != 0; i++ {
	}
	if i == len(b) {
		return 0, errShort
	}
	if b[i] != '=' {
		return 0, syntax(i, "the attribute "+shown(full)+" has no value")
	}
	for i++; i < len(b) && classes[b[i]]&spaceByte != 0; i++ {
	}
	if i == len(b) {
		return 0, errShort
	}
	if b[i] != '"' && b[i] != '\'' {
		return 0, syntax(i, "the value of the attribute "+shown(full)+" is not quoted")
	}
	value, special, i, err := s.value(b, i)
	if err != nil {
		return 0, err
	}
	if len(s.attrs)+len(s.decls) == s.lim.Attributes {
		return 0, over(ErrAttributes, at, s.lim.Attributes)
	}
	switch {
	case colon < 0 && string(full) == "xmlns":
		s.decls = append(s.decls, declaration{nil, value, at})
	case colon == at+5 && string(full[:5]) == "xmlns":
		s.decls = append(s.decls, declaration{full[6:], value, at})
	default:
		a := Attr{Name: Name{Full: full}, Value: value, special: special, at: int32(at)}
		if colon >= 0 {
			a.local = int32(colon - at + 1)
		}
		s.attrs = append(s.attrs, a)
	}
	return i, nil
}

// value reads a quoted value at b[i:]: what it means as of type CDATA, whether
// that has characters that canonical values replace, and the value's end.
func (s *Scanner) value(b []byte, i int) (value []byte, special bool, end int, err error) {
	quote := b[i]
	i++
	begin, kept, from, copied := i, i, len(s.arena), false
	for {
		for i < len(b) && classes[b[i]]&valueByte != 0 {
			i++
		}
		if i-begin > s.lim.Value {
			return nil, false, 0, over(ErrValue, begin, s.lim.Value)
		}
		if i == len(b) {
			return nil, false, 0, errShort
		}
		if b[i] == quote {
			break
		}
		n, r := 1, rune(-1)
		switch b[i] {
		case '"':
			special = true
		case '\'':
		case '<':
			return nil, false, 0, syntax(i, `"<" in an attribute's value`)
		case '\t', '\n':
			r = ' '
		case '\r':
			n, err = lineEnd(b[i:], false)
			r = ' '
		case '&':
			r, n, err = reference(b, i)
			special = special || r == '&' || r == '<' || r == '"' || r == '\t' || r == '\n' || r == '\r'
		default:
			_, n, err = character(b, i)
		}
		if err != nil {
			return nil, false, 0, err
		}
		if r >= 0 {
			s.arena = utf8.AppendRune(append(s.arena, b[kept:i]...), r)
			kept, copied = i+n, true
		}
		i += n
	}
	if !copied {
		return b[begin:i], special, i + 1, nil
	}
	s.arena = append(s.arena, b[kept:i]...)
	return s.arena[from:len(s.arena):len(s.arena)], special, i + 1, nil
}

// startElement puts the element of a complete tag of n bytes into scope and
// makes its event.
func (s *Scanner) startElement(full Name, n int, empty bool) error {
	if len(s.open) == s.lim.Depth {
		return over(ErrDepth, 0, s.lim.Depth)
	}
	e := element{name: int32(len(s.names)), local: full.local, ns: int32(len(s.ns.bound)), xml: int32(len(s.xml.list))}
	s.names = append(s.names, full.Full...)
	s.open = append(s.open, e)
	s.state = inRoot
	for i := range s.decls {
		if err := s.declare(&s.decls[i], int(e.ns)); err != nil {
			return err
		}
	}
	if prefix := full.Prefix(); string(prefix) == "xmlns" {
		return namespaces(1, "an element with the reserved prefix xmlns")
	} else if err := s.resolve(&full, prefix, 1); err != nil {
		return err
	}
	for i := range s.attrs {
		a := &s.attrs[i]
		if a.local == 0 {
			continue
		}
		if err := s.resolve(&a.Name, a.Prefix(), int(a.at)); err != nil {
			return err
		}
		if len(a.Space) == len(xmlNamespace) && string(a.Space) == xmlNamespace {
			if !s.xml.push(a.Local(), a.Value) {
				return bad(ErrAttributes, int(a.at), fmt.Sprintf("the bound of xml: attributes of different names in scope is %d", maxInherited))
			}
		}
	}
	if err := s.sortAttributes(); err != nil {
		return err
	}
	if len(s.names)+len(s.ns.data)+len(s.xml.data) > s.lim.Context {
		return over(ErrContext, 0, s.lim.Context)
	}
	s.set(StartElement, n)
	s.ev.Name, s.ev.Attrs, s.ev.Empty = full, s.attrs, empty
	s.empty = empty
	return nil
}

// declare puts a namespace declaration into scope (Namespaces in XML 1.0,
// sections 3, 5 and 6.2). own is the number of bindings outside of the element.
func (s *Scanner) declare(d *declaration, own int) error {
	if len(d.uri) > s.lim.Name {
		return over(ErrName, d.at, s.lim.Name)
	}
	isXML := string(d.uri) == xmlNamespace
	switch {
	case string(d.prefix) == "xmlns" || string(d.uri) == xmlnsNamespace:
		return namespaces(d.at, "the prefix xmlns and its namespace cannot be declared")
	case isXML != (string(d.prefix) == "xml"):
		return namespaces(d.at, "the prefix xml and its namespace belong to each other alone")
	case len(d.uri) == 0 && len(d.prefix) > 0:
		return namespaces(d.at, "the prefix "+shown(d.prefix)+" cannot be unbound")
	case s.strict && isRelative(d.uri):
		return bad(ErrRelativeNamespace, d.at, shown(d.uri))
	}
	if i := s.ns.find(d.prefix); i >= own {
		return namespaces(d.at, "the prefix "+strconv.Quote(string(d.prefix))+" is declared twice")
	}
	if len(s.ns.bound) == s.lim.Namespaces {
		return over(ErrNamespaces, d.at, s.lim.Namespaces)
	}
	s.ns.push(d.prefix, d.uri)
	return nil
}

// resolve finds the namespace name of a name.
func (s *Scanner) resolve(n *Name, prefix []byte, at int) error {
	if string(prefix) == "xml" {
		n.Space = xmlName
		return nil
	}
	uri, ok := s.ns.lookup(prefix)
	if !ok && len(prefix) > 0 {
		return namespaces(at, "the prefix "+shown(prefix)+" is not declared")
	}
	n.Space = uri
	return nil
}

// xmlName is a constant in all but name; nothing writes to it.
var xmlName = []byte(xmlNamespace)

// sortAttributes puts the attributes into canonical order and refuses two of one
// name (Namespaces in XML 1.0, section 6.3).
func (s *Scanner) sortAttributes() error {
	a := s.attrs
	if len(a) < 2 {
		return nil
	}
	if len(a) <= 12 {
		for i := 1; i < len(a); i++ {
			for k := i; k > 0 && a[k].order(&a[k-1]) < 0; k-- {
				a[k], a[k-1] = a[k-1], a[k]
			}
		}
	} else {
		slices.SortFunc(a, func(x, y Attr) int { return x.order(&y) })
	}
	for i := 1; i < len(a); i++ {
		if a[i].order(&a[i-1]) == 0 {
			return namespaces(int(max(a[i].at, a[i-1].at)), "the attribute "+shown(a[i].Full)+" stands twice")
		}
	}
	return nil
}

// inherited is a stack of the xml: attributes of the open elements.
type inherited struct {
	list  []span
	data  []byte
	names map[string]int // how many there are of each name
}

// maxInherited bounds the names of xml: attributes in scope. There are four; each element that is taken out of its document inherits one of
// every name (I9).
const maxInherited = 64

type span struct{ from, mid, to int32 }

// push tells whether there is room for it.
func (x *inherited) push(local, value []byte) bool {
	if x.names == nil {
		x.names = map[string]int{}
	}
	if x.names[string(local)]++; len(x.names) > maxInherited {
		return false
	}
	p := span{from: int32(len(x.data))}
	x.data = append(x.data, local...)
	p.mid = int32(len(x.data))
	x.data = append(x.data, value...)
	p.to = int32(len(x.data))
	x.list = append(x.list, p)
	return true
}

func (x *inherited) pop(n int) {
	for i := n; i < len(x.list); i++ {
		if local := x.local(i); x.names[string(local)] > 1 {
			x.names[string(local)]--
		} else {
			delete(x.names, string(local))
		}
	}
	if n < len(x.list) {
		x.data = x.data[:x.list[n].from]
		x.list = x.list[:n]
	}
}

func (x *inherited) local(i int) []byte { return x.data[x.list[i].from:x.list[i].mid] }
func (x *inherited) value(i int) []byte { return x.data[x.list[i].mid:x.list[i].to] }

// has says whether a document in UTF-8 begins with mark.
func has(b []byte, mark string) bool { return bytes.HasPrefix(b, []byte(mark)) }

// begin reads what comes before the first markup: byte order mark and XML
// declaration.
func (s *Scanner) begin(b []byte) (int, error) {
	const most = 5 + len("\xEF\xBB\xBF") + 1
	if len(b) < most && !s.eof {
		return 0, errShort
	}
	for _, other := range []string{"\xFE\xFF", "\xFF\xFE", "\x00<", "<\x00", "\x00\x00", "Lo\xA7\x94"} {
		if has(b, other) {
			return 0, bad(ErrEncoding, 0, "it begins with "+shown(b[:len(other)]))
		}
	}
	n := 0
	if has(b, "\xEF\xBB\xBF") {
		n = 3
	}
	if has(b[n:], "<?xml") && len(b) > n+5 && classes[b[n+5]]&spaceByte != 0 {
		end := bytes.Index(b[n:], []byte("?>"))
		if end < 0 {
			return 0, errShort
		}
		if err := xmlDeclaration(b, n+5, n+end); err != nil {
			return 0, err
		}
		n += end + 2
	}
	s.state = inProlog
	return n, nil
}

// xmlDeclaration reads VersionInfo EncodingDecl? SDDecl? S? (XML 1.0, production
// 23) in b[i:end].
func xmlDeclaration(b []byte, i, end int) error {
	for _, part := range []string{"version", "encoding", "standalone"} {
		at, value, next, ok := pseudoAttribute(b[:end], i, part)
		if !ok {
			if part == "version" {
				return bad(ErrVersion, i, "the XML declaration does not begin with a version")
			}
			continue
		}
		switch {
		case part == "version" && value != "1.0":
			return bad(ErrVersion, at, "version "+shown([]byte(value)))
		case part == "encoding" && !bytes.EqualFold([]byte(value), []byte("UTF-8")):
			return bad(ErrEncoding, at, "encoding "+shown([]byte(value)))
		case part == "standalone" && value != "yes" && value != "no":
			return syntax(at, "standalone is "+shown([]byte(value)))
		}
		i = next
	}
	for i < end && classes[b[i]]&spaceByte != 0 {
		i++
	}
	if i != end {
		return syntax(i, "the XML declaration goes on with "+shown(b[i:end]))
	}
	return nil
}

// pseudoAttribute reads S name S? = S? quoted value at b[i:].
func pseudoAttribute(b []byte, i int, name string) (at int, value string, next int, ok bool) {
	gap := i
	skip := func() {
		for i < len(b) && classes[b[i]]&spaceByte != 0 {
			i++
		}
	}
	skip()
	at = i
	if i == gap || !has(b[i:], name) {
		return 0, "", 0, false
	}
	i += len(name)
	skip()
	if i >= len(b) || b[i] != '=' {
		return 0, "", 0, false
	}
	i++
	skip()
	if i >= len(b) || b[i] != '"' && b[i] != '\'' {
		return 0, "", 0, false
	}
	length := bytes.IndexByte(b[i+1:], b[i])
	if length < 0 {
		return 0, "", 0, false
	}
	return at, string(b[i+1 : i+1+length]), i + length + 2, true
}
