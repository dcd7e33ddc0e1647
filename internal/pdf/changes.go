package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// ChangeKind says what a later update touched.
type ChangeKind string

// The kinds of changes. Only signatures, time-stamps and validation data are what
// a signing process adds by itself; all others need a human to look.
const (
	ChangeSignature   ChangeKind = "signature"    // another signature
	ChangeTimestamp   ChangeKind = "timestamp"    // a document time-stamp
	ChangeDSS         ChangeKind = "dss"          // validation data
	ChangeFormFill    ChangeKind = "form-fill"    // the value or the look of a form field
	ChangeAnnotation  ChangeKind = "annotation"   // comments, links, drawings over a page
	ChangePageContent ChangeKind = "page-content" // what a page shows
	ChangePageTree    ChangeKind = "page-tree"    // pages added, removed or reordered
	ChangeForm        ChangeKind = "form"         // form settings, fields added or removed
	// ChangeFormDefaults is one of what text fields are drawn with, where none was signed.
	ChangeFormDefaults ChangeKind = "form-defaults"
	ChangeCatalog      ChangeKind = "catalog"  // anything else of the document as a whole
	ChangeMetadata     ChangeKind = "metadata" // title, producer, dates
	ChangeTail         ChangeKind = "tail"     // bytes behind the signed revision that form no update
	ChangeUnused       ChangeKind = "unused"   // new objects that nothing refers to
	ChangeUnknown      ChangeKind = "unknown"  // objects whose use we do not know
)

// Change is one thing that happened to the document after a signature.
type Change struct {
	Kind   ChangeKind
	Page   int    // from 1; 0 if it concerns no page
	Object int    // object number; 0 if it concerns none
	Field  string // name of the one form field that it is about, empty otherwise
	Text   string
}

// Expected reports whether a signing process makes such a change by itself:
// signatures, time-stamps, validation data, the defaults that come with a new field, and what newer ones of these left
// behind.
func (c Change) Expected() bool {
	switch c.Kind {
	case ChangeSignature, ChangeTimestamp, ChangeDSS, ChangeUnused, ChangeFormDefaults:
		return true
	}
	return false
}

// maxChanges bounds the list; the last entry then says that there are more.
const maxChanges = 200

// LaterChanges compares the revision that a signature covers with the document as
// it is now and names what changed (D16). It compares two readings of the file,
// the signed bytes alone and the whole, so that no trick with cross-references
// hides a change. No changes: nil.
//
// Errors: those of Open for the whole; ErrMalformed if the signature's range is
// not usable.
func (d *Document) LaterChanges(s Signature) ([]Change, error) {
	if s.CoveredEnd <= 0 || s.CoveredEnd > d.size {
		return nil, malformed(-1, "signed bytes end at %d, the file at %d", s.CoveredEnd, d.size)
	}
	if s.CoveredEnd == d.size {
		return nil, nil
	}
	if d.parsed == nil {
		d.parsed = &parsed{}
	}
	old, err := d.Before(s.CoveredEnd)
	if err != nil {
		return nil, fmt.Errorf("the signed revision: %w", err)
	}
	c := &comparison{old: old.plainly(), cur: d.plainly(), seen: map[int]bool{}}
	if c.changed, err = changedObjects(c.old, c.cur, s.CoveredEnd); err != nil {
		return nil, err
	}
	if c.changed.empty() {
		return c.onlyTail(s)
	}
	steps := []func() error{func() error { return c.oddities(d, s.CoveredEnd) }, c.survey, c.pages, c.catalog, c.fields, c.annotations, c.trailer, c.additions, c.elsewhere, c.rest}
	for _, step := range steps {
		err := step()
		if errors.Is(err, errEnough) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return c.out, nil
}

// oddities names what other readers may see otherwise. d is not a plain reading: the account is kept in it.
func (c *comparison) oddities(d *Document, end int64) error {
	found, err := d.oddities(end)
	for _, o := range found {
		if err := c.add(ChangeTail, 0, 0, "other readers may see what was not signed: %s", o.text); err != nil {
			return err
		}
	}
	return err
}

// errEnough stops a comparison whose list is full.
var errEnough = errors.New("pdf: more changes than listed")

// onlyTail describes an uncovered tail that changes no object.
func (c *comparison) onlyTail(s Signature) ([]Change, error) {
	blank := true
	err := pump(context.Background(), c.cur.r, s.CoveredEnd, c.cur.size-s.CoveredEnd, func(b []byte) error {
		blank = blank && len(bytes.Trim(b, "\x00\t\n\f\r ")) == 0
		return nil
	})
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("%d bytes follow the signed revision without changing an object", c.cur.size-s.CoveredEnd)
	if blank {
		text = fmt.Sprintf("%d blank bytes follow the signed revision", c.cur.size-s.CoveredEnd)
	}
	return []Change{{Kind: ChangeTail, Text: text}}, nil
}

// comparison collects the differences between two readings of a file.
type comparison struct {
	old, cur *Document
	changed  numSet
	claimed  numSet                // changed objects that a listed change accounts for
	visited  numSet                // objects that a walk has passed
	barrier  numSet                // pages, fields and annotations
	widgets  numSet                // widgets of signature fields: expected in /Annots
	seen     map[int]bool          // page tree nodes compared
	was      map[[32]byte]wasField // fields when signed, by nameKey
	newSigs  []value               // dictionaries of signatures that were not there
	// taken: a walk met a changed object that was there when the document was signed.
	taken  bool
	former numSet // objects that a walk reads in the signed revision, the others as they are now
	drawn  bool   // a walk is over what is drawn, where no part of a signature's field belongs
	// quiet are changed objects that a walk met which names no change that counts; see elsewhere.
	quiet   numSet
	quietly bool // such a walk is on
	out     []Change
}

func (c *comparison) add(kind ChangeKind, page, obj int, format string, args ...any) error {
	if len(c.out) >= maxChanges {
		if len(c.out) == maxChanges {
			c.out = append(c.out, Change{Kind: ChangeUnknown, Text: "and more changes, not listed"})
		}
		return errEnough
	}
	c.out = append(c.out, Change{Kind: kind, Page: page, Object: obj, Text: fmt.Sprintf(format, args...)})
	return nil
}

// addField adds a change of one field.
func (c *comparison) addField(kind ChangeKind, f field, format string, args ...any) error {
	err := c.add(kind, 0, f.id.num, format, args...)
	if err == nil {
		c.out[len(c.out)-1].Field = f.name
	}
	return err
}

// numSet is a set of object numbers.
type numSet struct{ bits []uint64 }

func (s *numSet) add(n int) {
	for n/64 >= len(s.bits) {
		s.bits = append(s.bits, make([]uint64, max(16, len(s.bits)))...)
	}
	s.bits[n/64] |= 1 << (n % 64)
}

func (s *numSet) has(n int) bool {
	return n >= 0 && n/64 < len(s.bits) && s.bits[n/64]&(1<<(n%64)) != 0
}

func (s *numSet) empty() bool {
	for _, w := range s.bits {
		if w != 0 {
			return false
		}
	}
	return true
}

func (s *numSet) each(fn func(n int) error) error {
	for i, w := range s.bits {
		for b := 0; w != 0; b, w = b+1, w>>1 {
			if w&1 != 0 {
				if err := fn(i*64 + b); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// changedObjects returns the numbers whose object is not the same in both
// readings; the first ends at end. An object stream that changed changes all
// objects in it.
func changedObjects(old, cur *Document, end int64) (numSet, error) {
	var set numSet
	err := cur.xref.each(func(num int, e entry) error {
		o := old.xref.get(num)
		if e.kind <= entryFree && o.kind <= entryFree {
			return nil
		}
		if e == o {
			grew, err := cur.reachesBeyond(e, end)
			if grew {
				set.add(num)
			}
			return err
		}
		same, err := sameObject(old, cur, num)
		if !same {
			set.add(num)
		}
		return err
	})
	if err != nil {
		return set, err
	}
	err = old.xref.each(func(num int, o entry) error {
		if o.kind > entryFree && cur.xref.get(num).kind == entryNone {
			set.add(num)
		}
		return nil
	})
	if err != nil {
		return set, err
	}
	return set, cur.xref.each(func(num int, e entry) error {
		if e.kind == entryInStream && set.has(int(e.off)) {
			same, err := sameObject(old, cur, num)
			if !same {
				set.add(num)
			}
			return err
		}
		return nil
	})
}

// reachesBeyond tells whether the object of an entry uses bytes behind end: it
// stands at the same place in both readings, but its stream said from the first
// that it is longer than the file was, or a value was left open. Then it shows
// whatever was appended, and no new entry tells of it.
func (d *Document) reachesBeyond(e entry, end int64) (bool, error) {
	if e.kind != entryOffset {
		return false, nil
	}
	if e.off >= end {
		return true, nil
	}
	o, err := d.objectAt(e.off)
	if errors.Is(err, ErrMalformed) {
		return false, nil // unreadable in both
	}
	if err != nil || o.end > end {
		return err == nil, err
	}
	if o.stream < 0 {
		return false, nil
	}
	declared, err := d.keyInt(o.val, "Length", 0)
	if err != nil && !errors.Is(err, ErrMalformed) {
		return false, err
	}
	if declared > end-o.stream {
		return true, nil
	}
	n, err := d.streamLength(o)
	if errors.Is(err, ErrMalformed) {
		return true, nil // without an end: it takes all there is
	}
	return err == nil && o.stream+n > end, err
}

// sameObject compares an object that moved; streams count as changed.
func sameObject(old, cur *Document, num int) (bool, error) {
	a, err1 := old.loadNumber(num)
	b, err2 := cur.loadNumber(num)
	if err := firstError(err1, err2); err != nil {
		if errors.Is(err, ErrMalformed) {
			return false, nil // unreadable in one of them: changed
		}
		return false, err
	}
	if old.plain && (a.end < 0) != (b.end < 0) {
		return false, nil // in an object stream the same bytes mean something else
	}
	return a.id == b.id && a.stream < 0 && b.stream < 0 && bytes.Equal(a.val.raw, b.val.raw), nil
}
