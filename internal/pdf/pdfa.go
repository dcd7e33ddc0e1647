package pdf

import (
	"io"
	"regexp"
)

// maxMetadata bounds what is read of a document's metadata; a packet is some KiB.
const maxMetadata = 256 << 10

// firstPart is how the metadata of a PDF/A-1 file says that it is one, as element or attribute (ISO 19005-1, 6.7.11).
var firstPart = regexp.MustCompile(`\bpdfaid:part\s*(?:=\s*["']|>)\s*1\s*["'<]`)

// isPDFA1 tells whether a file says of itself that it is PDF/A-1. What cannot be read says nothing:
// such a file is no PDF/A. An encrypted file is none either.
func (d *Document) isPDFA1() bool {
	if d.crypt != nil {
		return false
	}
	cat, err := d.catalog()
	if err != nil {
		return false
	}
	v, err := cat.val.get("Metadata")
	if err != nil {
		return false
	}
	id, ok := v.asRef()
	if !ok {
		return false
	}
	o, err := d.load(id)
	if err != nil || o.stream < 0 {
		return false
	}
	r, err := d.streamReader(o, maxMetadata)
	if err != nil {
		return false
	}
	text, err := io.ReadAll(r)
	return err == nil && firstPart.Match(text)
}

// emptyLook returns the key of a widget that shows nothing. PDF/A-1 wants an appearance of each form field
// (ISO 19005-1, 6.9); the later parts want none of a widget without extent.
func (u *update) emptyLook() ([]byte, error) {
	if !u.d.isPDFA1() {
		return nil, nil
	}
	id, err := u.addStream("/Type /XObject /Subtype /Form /BBox [0 0 0 0] /Resources << >>", nil, false)
	if err != nil {
		return nil, err
	}
	return append(append([]byte(" /AP << /N "), id.raw()...), " >>"...), nil
}
