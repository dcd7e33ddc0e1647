package pdf

import (
	"errors"
	"slices"
)

// formDefaults tells whether a change of the form is one of the defaults alone, with which a viewer draws text that has no
// look of its own (ISO 32000-1, table 218: /DA and /DR), and nothing of the signed revision is drawn with them: its fields
// are all for signatures, and no page has text of a comment (FreeText). Many programs write these defaults when they add a
// field for a signature or a time-stamp. keys are those of the form that changed.
func (c *comparison) formDefaults(old value, keys []string) (bool, error) {
	for _, k := range keys {
		if k != "/DA" && k != "/DR" {
			return false, nil
		}
	}
	used := false
	if _, err := c.old.eachField(old, func(f field) error {
		used = used || f.ft != "Sig"
		return nil
	}); err != nil || used {
		return false, err
	}
	err := c.old.eachPage(func(p page) (bool, error) {
		err := c.drawnText(p.val, &used)
		return !used, err
	})
	return err == nil && !used, err
}

// drawnText notes in used whether a page of the signed revision has a comment of text.
func (c *comparison) drawnText(pg value, used *bool) error {
	var failed error
	_, err := c.eachAnnot(c.old, pg, func(e value) {
		drawn, err := c.drawnWithDefaults(e)
		if errors.Is(err, ErrMalformed) {
			drawn, err = true, nil
		}
		*used, failed = *used || drawn, firstError(failed, err)
	})
	return firstError(failed, err)
}

// drawnWithDefaults tells whether a viewer may draw an annotation with the form's defaults (ISO 32000-1, table 169): not a
// link, a note's window, or the widget of a signature, whose type its field can have.
func (c *comparison) drawnWithDefaults(annot value) (bool, error) {
	v, err := c.old.resolve(annot)
	if err != nil || !v.isDict() {
		return false, err
	}
	kind, err := c.old.key(v, "Subtype")
	if err != nil || !slices.Contains([]string{"/Widget", "/Link", "/Popup"}, string(kind.raw)) {
		return true, err
	}
	if string(kind.raw) != "/Widget" {
		return false, nil
	}
	if bare, err := c.old.lookWithoutResources(v); bare || err != nil {
		return true, err
	}
	for range maxInherited {
		ft, err := c.old.key(v, "FT")
		if err != nil || !ft.isNull() {
			return string(ft.raw) != "/Sig", err
		}
		if v, err = c.old.key(v, "Parent"); err != nil || !v.isDict() {
			return true, err
		}
	}
	return true, nil
}

// maxInherited is how far above a widget its type is looked for.
const maxInherited = 8

// lookWithoutResources tells whether a widget that can be seen has a look that does not bring what it is drawn with: some
// readers take that from the form's defaults.
func (d *Document) lookWithoutResources(widget value) (bool, error) {
	rect, err := d.pictureRect(widget)
	if err != nil || rect == nil {
		return false, err
	}
	ap, err := d.key(widget, "AP")
	if err != nil || !ap.isDict() {
		return false, err
	}
	look, err := d.key(ap, "N")
	if err != nil || look.isNull() {
		return false, err
	}
	own, err := d.key(look, "Resources")
	return !own.isDict(), err
}
