package c14n

import (
	"fmt"
	"strings"
)

// inherit gives the attributes of an apex element, in order, with what Canonical
// XML has it inherit from the elements around it: in version 1.0 (section 2.4)
// the innermost of each xml: attribute that it does not have itself; in version
// 1.1 of these xml:lang and xml:space alone, and an xml:base joined from all of
// them. ErrValue if that is longer than maxBase, or has more than maxInherited parts.
func (c *canonizer) inherit(ev *Event) ([]Attr, error) {
	x := &c.s.xml
	around := int(c.s.open[len(c.s.open)-1].xml)
	if around == 0 {
		return ev.Attrs, nil
	}
	c.attrs = append(c.attrs[:0], ev.Attrs...)
	has := map[string]bool{}
	for i := range c.attrs {
		if a := &c.attrs[i]; string(a.Space) == xmlNamespace {
			has[string(a.Local())] = true
		}
	}
	var bases []int
	for i := around - 1; i >= 0; i-- {
		local := x.local(i)
		if c.Method == Inclusive11 && string(local) == "base" {
			bases = append(bases, i)
			continue
		}
		if has[string(local)] || c.Method == Inclusive11 && string(local) != "lang" && string(local) != "space" {
			continue
		}
		has[string(local)] = true
		c.set(string(local), x.value(i))
	}
	if len(bases) == 0 {
		return c.attrs, nil
	}
	base, hasBase := c.own("base")
	if len(bases) > maxInherited {
		return nil, c.s.refused(ev, ErrValue, fmt.Sprintf("the bound of xml:base attributes that are joined is %d", maxInherited))
	}
	for _, i := range bases {
		if outer := string(x.value(i)); hasBase {
			base = joinBase(outer, base)
		} else {
			base, hasBase = outer, true
		}
		if len(base) > maxBase {
			return nil, c.s.refused(ev, ErrValue, fmt.Sprintf("the bound of an xml:base that is joined is %d bytes", maxBase))
		}
	}
	c.set("base", []byte(base))
	return c.attrs, nil
}

// maxBase bounds an xml:base that is joined from those around an element, in bytes: each may lengthen it, and all of it is looked at for
// each (I9).
const maxBase = 8 << 10

// own gives the value of an xml: attribute that the apex has, or has inherited.
func (c *canonizer) own(local string) (string, bool) {
	for i := range c.attrs {
		if c.attrs[i].Is(xmlNamespace, local) {
			return string(c.attrs[i].Value), true
		}
	}
	return "", false
}

// set gives the apex an xml: attribute; an empty xml:base removes it.
func (c *canonizer) set(local string, value []byte) {
	full := []byte("xml:" + local)
	a := Attr{Name: Name{Full: full, Space: xmlName, local: 4}, Value: value, special: true}
	i := 0
	for i < len(c.attrs) && c.attrs[i].order(&a) < 0 {
		i++
	}
	rest := c.attrs[i:]
	if len(rest) > 0 && rest[0].order(&a) == 0 {
		rest = rest[1:]
	}
	tail := append([]Attr(nil), rest...)
	c.attrs = c.attrs[:i]
	if local != "base" || len(value) > 0 || c.Method != Inclusive11 {
		c.attrs = append(c.attrs, a)
	}
	c.attrs = append(c.attrs, tail...)
}

// reference3986 is a URI reference in its parts (RFC 3986, appendix B).
type reference3986 struct {
	scheme, authority, path, query string
	hasAuthority, hasQuery         bool
}

func splitReference(s string) (r reference3986) {
	s, _, _ = strings.Cut(s, "#")
	if i := strings.IndexAny(s, ":/?"); i > 0 && s[i] == ':' {
		r.scheme, s = s[:i], s[i+1:]
	}
	s, r.query, r.hasQuery = strings.Cut(s, "?")
	if strings.HasPrefix(s, "//") {
		r.hasAuthority = true
		s = s[2:]
		if i := strings.IndexByte(s, '/'); i >= 0 {
			r.authority, s = s[:i], s[i:]
		} else {
			r.authority, s = s, ""
		}
	}
	r.path = s
	return r
}

func (r reference3986) String() string {
	s := ""
	if r.scheme != "" {
		s = r.scheme + ":"
	}
	if r.hasAuthority {
		s += "//" + r.authority
	}
	s += r.path
	if r.hasQuery {
		s += "?" + r.query
	}
	return s
}

// joinBase is the function join-URI-References of Canonical XML 1.1 (section
// 2.4): RFC 3986, section 5.2, for a base that may be relative itself, without
// fragments.
func joinBase(base, ref string) string {
	b, r := splitReference(base), splitReference(ref)
	if b.path == ".." || strings.HasSuffix(b.path, "/..") {
		b.path += "/"
	}
	switch {
	case r.scheme != "":
		r.path = removeDots(r.path)
		return r.String()
	case r.hasAuthority:
		r.path = removeDots(r.path)
	case r.path == "":
		r.path, r.authority, r.hasAuthority = b.path, b.authority, b.hasAuthority
		if !r.hasQuery {
			r.query, r.hasQuery = b.query, b.hasQuery
		}
	default:
		r.authority, r.hasAuthority = b.authority, b.hasAuthority
		switch {
		case r.path[0] == '/':
		case b.hasAuthority && b.path == "":
			r.path = "/" + r.path
		default:
			r.path = b.path[:strings.LastIndexByte(b.path, '/')+1] + r.path
		}
		r.path = removeDots(r.path)
	}
	r.scheme = b.scheme
	return r.String()
}

// removeDots is Remove Dot Segments as Canonical XML 1.1 (section 2.4 and
// appendix A) changes it: runs of slashes become one, segments ".." that lead out
// of a relative path stay, and one at the end gets a slash.
func removeDots(path string) string {
	absolute := strings.HasPrefix(path, "/")
	var kept []string
	open := false // the path ends in a folder
	for segment := range strings.SplitSeq(path, "/") {
		open = false
		switch {
		case segment == "" || segment == ".":
			open = true
		case segment != "..":
			kept = append(kept, segment)
		case len(kept) > 0 && kept[len(kept)-1] != "..":
			kept = kept[:len(kept)-1]
			open = true
		default:
			open = true
			if !absolute {
				kept = append(kept, segment)
			}
		}
	}
	out := strings.Join(kept, "/")
	if open && len(kept) > 0 {
		out += "/"
	}
	if absolute {
		out = "/" + out
	}
	return out
}
