package pdf

import (
	"errors"
	"fmt"
)

// maxFaces bounds what Faces returns.
const maxFaces = 3

// Faces says, in words, why readers may take the file as it was when it ended at end for different documents; none if
// nothing was found (ADE-04). What was added behind end is judged by Changes, and more strictly.
//
// Errors: ErrLimit if that could not be found out within the limits; those of reading.
func (d *Document) Faces(end int64) ([]string, error) {
	old, err := d.Before(end)
	if err != nil {
		return nil, ignoreOdd(err) // a revision that does not open by itself is no signed one
	}
	found, err := old.oddities(0)
	if err != nil {
		return nil, ignoreOdd(err)
	}
	var out []string
	for _, o := range found {
		if o.kind == oddForm || o.kind == oddObject {
			out = append(out, o.text)
		}
	}
	if old.account.other {
		out = append(out, "LibreOffice shows another document that is inside of it (/AdditionalStreams), and not its pages")
	}
	switch odd, err := old.oddPages(); {
	case errors.Is(err, ErrLimit):
		return nil, err
	case odd || err != nil:
		out = append(out, "readers inherit, count, find or draw its pages in different ways"+because(old.reason))
	}
	if len(out) < maxFaces {
		more, err := old.oddObjects(maxFaces - len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out[:min(len(out), maxFaces)], nil
}

// oddObjects names the first objects that readers take for different ones.
func (d *Document) oddObjects(most int) (out []string, err error) {
	err = d.xref.each(func(num int, e entry) error {
		if e.kind <= entryFree || len(out) >= most {
			return nil
		}
		o, err := d.loadNumber(num)
		if err != nil {
			return ignoreOdd(err) // one that nobody can read
		}
		var s Summary
		d.reason = ""
		if err := d.scanForm(&s, o); err != nil {
			return ignoreOdd(err)
		}
		if s.Twofaced {
			out = append(out, fmt.Sprintf("readers take object %d for different ones%s", num, because(d.reason)))
		}
		return nil
	})
	return out, err
}
