package c14n

import "bytes"

// IDAttr is an attribute that identifies an element. Without a document type
// declaration it is a convention that both sides of a signature must share.
type IDAttr struct{ Space, Local string }

// DefaultIDs are the attributes of XML Signature and XAdES (Id), of SAML (ID), of
// much else (id), and xml:id.
func DefaultIDs() []IDAttr {
	return []IDAttr{{"", "Id"}, {"", "ID"}, {"", "id"}, {xmlNamespace, "id"}}
}

// idOf gives the identifier that an attribute is, if it is one.
func idOf(a *Attr, ids []IDAttr) ([]byte, bool) {
	local := a.Local()
	for i := range ids {
		if string(local) == ids[i].Local && string(a.Space) == ids[i].Space {
			if ids[i].Space == xmlNamespace { // xml:id, section 4: as of type ID
				return bytes.Trim(a.Value, " "), true
			}
			return a.Value, true
		}
	}
	return nil, false
}

func hasID(ev *Event, ids []IDAttr, id string) bool {
	for i := range ev.Attrs {
		if v, ok := idOf(&ev.Attrs[i], ids); ok && string(v) == id {
			return true
		}
	}
	return false
}
