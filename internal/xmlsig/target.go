package xmlsig

import "strings"

// target is what the URI of a reference names in its own document (XML Signature, section 4.4.3.2).
type target struct {
	id       string // of an element; empty for the document
	comments bool   // they are part of it: so of an XPointer
	document bool
	file     bool // it names no part of this document
	unknown  bool // an expression that is not known here
}

// target reads the URI: the document as "" or #xpointer(/), an element as #ID or #xpointer(id('ID')).
func (r *Reference) target() target {
	fragment, local := strings.CutPrefix(r.URI, "#")
	pointer, called := strings.CutPrefix(fragment, "xpointer(")
	pointer, shut := strings.CutSuffix(pointer, ")")
	switch {
	case !r.HasURI:
		return target{unknown: true}
	case r.URI == "":
		return target{document: true}
	case !local:
		return target{file: true}
	case called && shut && pointer == "/":
		return target{document: true, comments: true}
	case called && shut:
		if id := quoted(pointer); id != "" {
			return target{id: id, comments: true}
		}
	case fragment != "" && !strings.ContainsAny(fragment, "()/"):
		return target{id: fragment}
	}
	return target{unknown: true}
}

// quoted is the identifier in id('ID') or id("ID"), empty for another expression. White space would make it a list.
func quoted(expression string) string {
	inner, begins := strings.CutPrefix(expression, "id(")
	inner, ends := strings.CutSuffix(inner, ")")
	if !begins || !ends || len(inner) < 3 || inner[0] != inner[len(inner)-1] || inner[0] != '\'' && inner[0] != '"' {
		return ""
	}
	if id := inner[1 : len(inner)-1]; !strings.ContainsAny(id, "'\"()/ \t\r\n") {
		return id
	}
	return ""
}
