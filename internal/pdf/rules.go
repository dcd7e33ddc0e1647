package pdf

import (
	"fmt"
	"slices"
	"strings"
)

// Rules is what a signature permits of later changes: its certification (ISO 32000-1,
// 12.8.2.2) and the fields that it locks (12.8.2.4, and the /Lock of its field).
type Rules struct {
	permission int // of DocMDP or of a lock's /P; 0: says nothing
	locks      []lock
}

// Rules reads what a signature permits. It reads the signed bytes alone: a later
// update can replace the dictionaries that say it.
//
// Errors: ErrMalformed if the signature is not in the revision that it covers; those of
// Open.
func (d *Document) Rules(s Signature) (Rules, error) {
	if s.CoveredEnd <= 0 || s.CoveredEnd > d.size {
		return Rules{}, malformed(-1, "signed bytes end at %d, the file at %d", s.CoveredEnd, d.size)
	}
	old, err := d.Before(s.CoveredEnd)
	if err != nil {
		return Rules{}, fmt.Errorf("the signed revision: %w", err)
	}
	form, err := old.form()
	if err != nil {
		return Rules{}, err
	}
	var r Rules
	found := false
	_, err = old.eachField(form, func(f field) error {
		sig, err := old.resolve(f.v)
		if err != nil || f.ft != "Sig" || !sig.isDict() {
			return err
		}
		contents, err := sig.get("Contents")
		if err != nil || contents.off < 0 || contents.off != s.ContentsOffset {
			return err
		}
		found = true
		return r.read(old, f, sig)
	})
	if err == nil && !found {
		err = malformed(s.ContentsOffset, "the signature in %q is in no field of the revision that it covers", s.Field)
	}
	return r, err
}

func (r *Rules) read(d *Document, f field, sig value) error {
	var own Signature
	if err := d.readCertification(&own, sig); err != nil {
		return err
	}
	r.permission = own.Certification
	locks, err := d.locksOf(f)
	if err != nil {
		return err
	}
	for _, l := range locks {
		if l.permission > 0 && (r.permission == 0 || l.permission < r.permission) {
			r.permission = l.permission
		}
		if l.action != "" {
			r.locks = append(r.locks, l)
		}
	}
	return nil
}

// Forbids tells in words whether the rules forbid a change; empty if not. Time-stamps
// and validation data are always permitted (ISO 32000-2, 12.8.2.2.2), and so is what comes with their fields and shows nothing.
func (r Rules) Forbids(c Change) string {
	switch c.Kind {
	case ChangeTimestamp, ChangeDSS, ChangeUnused, ChangeFormDefaults:
		return ""
	}
	if r.permission > 0 && !permitted(r.permission, c.Kind) {
		return "the signature certifies the document and does not permit this"
	}
	for _, l := range r.locks {
		if l.violated(c) {
			return fmt.Sprintf("the signature locks form fields (%s) and does not permit this", l.words())
		}
	}
	return ""
}

// permitted is ISO 32000-1, table 254: nothing (1), forms and signatures (2), comments too (3). What
// concerns neither form nor comments (metadata, bytes behind the end) is left to who
// judges changes as such.
func permitted(permission int, kind ChangeKind) bool {
	switch kind {
	case ChangeFormFill, ChangeSignature, ChangeMetadata, ChangeTail, ChangeUnknown:
		return permission >= 2
	case ChangeAnnotation:
		return permission >= 3
	}
	return false
}

// violated tells whether a change touches what is locked. Fields that are gone may have
// been locked ones: that counts.
func (l lock) violated(c Change) bool {
	switch c.Kind {
	case ChangeFormFill, ChangeForm, ChangeSignature:
	default:
		return false
	}
	if c.Field == "" {
		return true
	}
	return l.locks(c.Field)
}

// locks tells whether a lock names a field, or one above it.
func (l lock) locks(field string) bool {
	listed := slices.ContainsFunc(l.fields, func(f string) bool { return f == field || strings.HasPrefix(field, f+".") })
	return l.action == "All" || l.action == "Include" && listed || l.action == "Exclude" && !listed
}

// words is bounded: a file can name very many fields.
func (l lock) words() string {
	if l.action == "All" {
		return "all of them"
	}
	const shown = 5
	names := strings.Join(l.fields[:min(shown, len(l.fields))], ", ")
	if len(l.fields) > shown {
		names += " and more"
	}
	if l.action == "Exclude" {
		return "all but " + names
	}
	return names
}
