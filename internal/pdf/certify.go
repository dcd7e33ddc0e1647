package pdf

import "fmt"

// certify makes the catalog say which signature certifies the document (ISO
// 32000-1, 12.8.4: /Perms with /DocMDP). Only the first signature of a file can:
// a later one would put conditions on what others have signed already.
func (u *update) certify(sig ref) error {
	sigs, _, err := u.d.fieldSignatures()
	if err != nil {
		return err
	}
	if len(sigs) > 0 {
		return fmt.Errorf("%w: a certification must be the first signature, and %q is signed", ErrForbidden, sigs[0].Field)
	}
	cat, err := u.catalog()
	if err != nil {
		return err
	}
	perms, err := cat.val.get("Perms")
	if err != nil {
		return err
	}
	id, indirect := perms.asRef()
	if indirect {
		if perms, err = u.current(id); err != nil {
			return err
		}
	}
	if perms.isNull() {
		return u.setKey(cat.id, "Perms", []byte("<< /DocMDP "+string(sig.raw())+" >>"))
	}
	old, err := perms.get("DocMDP") // an error unless it is a dictionary
	if err != nil {
		return err
	}
	if !old.isNull() {
		return fmt.Errorf("%w: the document is certified already", ErrForbidden)
	}
	if indirect {
		return u.setKey(id, "DocMDP", sig.raw())
	}
	body, err := setKey(perms, "DocMDP", sig.raw())
	if err != nil {
		return err
	}
	return u.setKey(cat.id, "Perms", body)
}
