package pdf

import (
	"context"
	"crypto"
	_ "crypto/sha256" // registers SHA-256 for crypto.Hash.New
	_ "crypto/sha512" // registers SHA-384 and SHA-512
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/assent-sign/assent/internal/secret"
)

// SignOptions says what signature to prepare.
type SignOptions struct {
	// Field is the fully qualified name of the signature field. An existing empty
	// field of that name is used, else an invisible one is added. Empty: the next
	// free "SignatureN".
	Field string
	// Name, Reason, Location and ContactInfo go into the signature dictionary if
	// not empty (ISO 32000-1, table 252). UTF-8, at most 4096 bytes each.
	Name, Reason, Location, ContactInfo string
	// Time is written as /M, in UTC, to the second. Required.
	Time time.Time
	// Hash is the digest of the ByteRange: SHA-256, SHA-384 or SHA-512.
	Hash crypto.Hash
	// Reserve is the largest CMS that will fit, in bytes; the file spends two
	// characters on each. It is final: a larger CMS is ErrReserve, never a second
	// signature (D10).
	Reserve int
	// SubFilter is ETSI.CAdES.detached if empty; adbe.pkcs7.detached and, for a
	// document time-stamp, ETSI.RFC3161 are the others.
	SubFilter string
	// Certify makes the signature a certification (DocMDP, ISO 32000-1, 12.8.2.2)
	// that permits no change (1), filling in forms and signing (2), comments too
	// (3). It must be the first signature of the file. 0: an approval signature.
	Certify int
	// Limits bounds the reading of the input.
	Limits Limits
	// Password opens the input if it needs one.
	Password secret.Bytes
}

// Sub-filters that this package writes.
const (
	SubFilterCAdES   = "ETSI.CAdES.detached"
	SubFilterPKCS7   = "adbe.pkcs7.detached"
	SubFilterRFC3161 = "ETSI.RFC3161"
)

const (
	minReserve   = 256
	maxReserve   = 4 << 20
	maxTextBytes = 4096
)

func (o *SignOptions) check() error {
	if o.SubFilter == "" {
		o.SubFilter = SubFilterCAdES
	}
	switch o.SubFilter {
	case SubFilterCAdES, SubFilterPKCS7, SubFilterRFC3161:
	default:
		return fmt.Errorf("%w: sub-filter %q", ErrOptions, o.SubFilter)
	}
	if _, err := hashByName(o.Hash.String()); err != nil {
		return err
	}
	if o.Certify < 0 || o.Certify > 3 || o.Certify > 0 && o.SubFilter == SubFilterRFC3161 {
		return fmt.Errorf("%w: certification level %d, want 1, 2 or 3", ErrOptions, o.Certify)
	}
	if o.Reserve < minReserve || o.Reserve > maxReserve {
		return fmt.Errorf("%w: reserve of %d bytes, want %d to %d", ErrOptions, o.Reserve, minReserve, maxReserve)
	}
	if y := o.Time.UTC().Year(); o.Time.IsZero() || y < 1 || y > 9999 {
		return fmt.Errorf("%w: signing time missing or out of range", ErrOptions)
	}
	for _, s := range []string{o.Field, o.Name, o.Reason, o.Location, o.ContactInfo} {
		if len(s) > maxTextBytes || !utf8.ValidString(s) {
			return fmt.Errorf("%w: text longer than %d bytes or not UTF-8", ErrOptions, maxTextBytes)
		}
	}
	return nil
}

func hashByName(name string) (crypto.Hash, error) {
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		if h.String() == name {
			return h, nil
		}
	}
	return 0, fmt.Errorf("%w: digest %q", ErrOptions, name)
}

// Prepare writes in to out, with a signature field and an empty signature
// appended, and returns where the CMS goes and the digest it must carry. The
// input is read at random for its structure and then once from start to end,
// copied and hashed in constant memory.
//
// Nothing is written to out unless the whole update could be built. An error
// after that (I/O, context) leaves a partial out that the caller discards.
//
// Errors: those of Open, ErrOptions, ErrForbidden, ErrPermission, ErrField.
func Prepare(ctx context.Context, in io.ReaderAt, size int64, out io.Writer, opt SignOptions) (*Prepared, error) {
	if err := opt.check(); err != nil {
		return nil, err
	}
	d, err := OpenWith(in, size, opt.Limits, opt.Password)
	if err != nil {
		return nil, err
	}
	_, tail, p, err := d.plan(opt)
	if err != nil {
		return nil, err
	}
	if err := p.write(ctx, in, out, tail, opt.Hash); err != nil {
		return nil, err
	}
	return p, nil
}

// PlanSignature returns the update that Prepare would append, with its record;
// the caller writes it behind the file's last byte. Digest is still missing: it
// is HashRange over the file then. A document time-stamp is added this way to a
// file that is already signed; no lock forbids it (ISO 32000-2, 12.8.2.2 and
// 12.8.5).
//
// Errors: as Prepare.
func (d *Document) PlanSignature(opt SignOptions) ([]byte, *Prepared, error) {
	if err := opt.check(); err != nil {
		return nil, nil, err
	}
	_, tail, p, err := d.plan(opt)
	return tail, p, err
}

// plan is planSignature, once more after a repair if objects were not where the
// cross-reference says.
func (d *Document) plan(opt SignOptions) (*update, []byte, *Prepared, error) {
	u, tail, p, err := d.planSignature(opt)
	if errors.Is(err, errDamaged) && !d.repaired {
		if err = d.repair(err); err == nil {
			u, tail, p, err = d.planSignature(opt)
		}
	}
	return u, tail, p, err
}

// planSignature builds the update and the Prepared that describes it.
func (d *Document) planSignature(opt SignOptions) (*update, []byte, *Prepared, error) {
	u, err := d.newUpdate()
	if err != nil {
		return nil, nil, nil, err
	}
	form, err := d.form()
	if err != nil {
		return nil, nil, nil, err
	}
	target, err := d.findTarget(form, opt.Field, opt.SubFilter == SubFilterRFC3161)
	if err != nil {
		return nil, nil, nil, err
	}
	sig := u.alloc()
	refs, err := u.references(sig, opt, target)
	if err != nil {
		return nil, nil, nil, err
	}
	body, hole := u.signatureBody(sig, opt, refs)
	u.put(sig, body)
	if err := u.addToField(target, sig); err != nil {
		return nil, nil, nil, err
	}
	if opt.Certify > 0 {
		if err := u.certify(sig); err != nil {
			return nil, nil, nil, err
		}
	}
	tail, err := u.bytes(d.size)
	if err != nil {
		return nil, nil, nil, err
	}
	p := &Prepared{
		Field:        target.name,
		HashName:     opt.Hash.String(),
		Reserve:      opt.Reserve,
		OriginalSize: d.size,
		Size:         d.size + int64(len(tail)),
	}
	// The signature dictionary is the first object, behind a separator of at most
	// one byte, so the hole's place follows from the lengths alone.
	head := len(sig.objHeader())
	if tail[0] == '\n' {
		head++
	}
	p.ContentsOffset = d.size + int64(head+hole)
	p.ContentsLength = 2*int64(opt.Reserve) + 2
	end := p.ContentsOffset + p.ContentsLength
	p.ByteRange = [4]int64{0, p.ContentsOffset, end, p.Size - end}
	at := end - d.size + int64(len(byteRangeKey))
	copy(tail[at:at+int64(byteRangeWidth)], byteRangeText(p.ByteRange))
	return u, tail, p, nil
}

func (r ref) objHeader() string {
	b := strconv.AppendInt(make([]byte, 0, 24), int64(r.num), 10)
	b = strconv.AppendInt(append(b, ' '), int64(r.gen), 10)
	return string(append(b, " obj\n"...))
}

// The ByteRange follows the hole at once. Its field is wide enough for every
// int64 and padded with blanks, so its text changes no offset.
const (
	byteRangeKey   = " /ByteRange "
	byteRangeWidth = len("[0   ]") + 3*19
)

func byteRangeText(r [4]int64) string {
	b := make([]byte, 0, byteRangeWidth)
	for _, n := range r {
		b = strconv.AppendInt(append(b, ' '), n, 10)
	}
	b[0] = '['
	for len(b) < byteRangeWidth-1 {
		b = append(b, ' ')
	}
	return string(append(b, ']'))
}

// signatureBody writes the signature dictionary (ISO 32000-1, table 252) with
// exactly the keys of a PAdES signature (D14) and returns the place of the hole.
// /Contents is never encrypted (ISO 32000-2, 7.6.2).
func (u *update) signatureBody(id ref, opt SignOptions, references []byte) (body []byte, hole int) {
	typ := "/Sig"
	if opt.SubFilter == SubFilterRFC3161 {
		typ = "/DocTimeStamp"
	}
	const others = 512 // bytes of the other keys, if they are short
	b := append(make([]byte, 0, 2*opt.Reserve+others), "<< /Type "+typ+" /Filter /Adobe.PPKLite /SubFilter /"+opt.SubFilter+" /Contents "...)
	hole = len(b)
	b = append(b, '<')
	b = appendZeros(b, 2*opt.Reserve)
	b = append(b, '>')
	b = append(b, byteRangeKey...)
	b = append(b, strings.Repeat(" ", byteRangeWidth)...)
	b = append(b, " /M "...)
	b = append(b, u.seal(id, encodeTime(opt.Time))...)
	for _, kv := range [...][2]string{
		{"Name", opt.Name}, {"Reason", opt.Reason}, {"Location", opt.Location}, {"ContactInfo", opt.ContactInfo},
	} {
		if kv[1] != "" {
			b = append(b, " /"+kv[0]+" "...)
			b = append(b, u.text(id, kv[1])...)
		}
	}
	if len(references) > 0 {
		b = slices.Concat(b, []byte(" /Reference ["), references, []byte("]"))
	}
	return append(b, " >>"...), hole
}

// appendZeros appends n digits.
func appendZeros(b []byte, n int) []byte {
	const digits = "0000000000000000000000000000000000000000000000000000000000000000"
	for ; n > len(digits); n -= len(digits) {
		b = append(b, digits...)
	}
	return append(b, digits[:n]...)
}

// target is the field to sign: an existing empty one (id set) or a new name.
// What lock says, a signature in the field locks.
type target struct {
	name string
	id   ref
	lock lock
}

// findTarget finds the field to sign and refuses what earlier signatures forbid;
// document time-stamps are never forbidden.
func (d *Document) findTarget(form value, name string, stamp bool) (target, error) {
	t := target{name: name}
	var locks []lock
	var existing *field
	roots, err := d.eachField(form, func(f field) error {
		if name != "" && f.name == name {
			existing = &f
		}
		if f.ft != "Sig" {
			return nil
		}
		l, err := d.locksOf(f)
		locks = append(locks, l...)
		return err
	})
	if err != nil {
		return t, err
	}
	if existing != nil {
		if t.lock, err = d.checkEmpty(*existing); err != nil {
			return t, err
		}
		t.id = existing.id
	} else if t.name, err = newFieldName(roots, name); err != nil {
		return t, err
	}
	if d.repaired && len(locks) > 0 {
		return t, malformed(-1, "damaged cross-reference in a file that is already signed; a repair would void the signatures")
	}
	if err := d.allowsSigning(t.id.num == 0); err != nil {
		return t, err
	}
	for _, l := range locks {
		if err := l.allows(t.name); err != nil && !stamp {
			return t, err
		}
	}
	return t, nil
}

// checkEmpty makes sure that an existing field may be signed by us, and returns
// what it wants locked.
func (d *Document) checkEmpty(f field) (lock, error) {
	if f.ft != "Sig" {
		return lock{}, fmt.Errorf("%w: %q is a field of type %q, not a signature", ErrField, f.name, f.ft)
	}
	v, err := d.resolve(f.v)
	if err != nil {
		return lock{}, err
	}
	if !v.isNull() {
		return lock{}, fmt.Errorf("%w: %q is already signed", ErrField, f.name)
	}
	if f.id.num == 0 {
		return lock{}, located(ErrUnsupported, f.val.off, "signature field %q is a direct object", f.name)
	}
	seed, err := d.key(f.val, "SV")
	if err != nil {
		return lock{}, err
	}
	if seed.isDict() {
		if required, err := d.keyInt(seed, "Ff", 0); err != nil || required != 0 {
			return lock{}, firstError(err, located(ErrUnsupported, f.val.off, "signature field %q with required seed values", f.name))
		}
	}
	return d.wantedLock(f)
}

// newFieldName picks or checks the name of a field to add at the root.
func newFieldName(roots map[string]bool, name string) (string, error) {
	if name == "" {
		for n := 1; ; n++ {
			if s := "Signature" + strconv.Itoa(n); !roots[s] {
				return s, nil
			}
		}
	}
	if strings.Contains(name, ".") || len(name) > maxFieldName {
		return "", fmt.Errorf("%w: no field %q, and a new one may not have a dot in its name", ErrField, name)
	}
	if roots[name] {
		return "", fmt.Errorf("%w: %q is a group of fields", ErrField, name)
	}
	return name, nil
}

// addToField enters the signature into the target field, adding the field with
// its invisible widget if it is new, and makes the form say that signatures exist.
func (u *update) addToField(t target, sig ref) error {
	if t.id.num != 0 {
		if err := u.setKey(t.id, "V", sig.raw()); err != nil {
			return err
		}
		return u.updateForm(nil)
	}
	p, err := u.d.firstPage()
	if err != nil {
		return err
	}
	id := u.alloc()
	look, err := u.emptyLook()
	if err != nil {
		return err
	}
	u.put(id, slices.Concat([]byte("<< /Type /Annot /Subtype /Widget /FT /Sig /T "), u.text(id, t.name),
		[]byte(" /V "), sig.raw(), []byte(" /P "), p.id.raw(), []byte(" /Rect [0 0 0 0] /F 132"), look, []byte(" >>")))
	if err := u.appendTo(p.id, "Annots", id.raw()); err != nil {
		return err
	}
	return u.updateForm(id.raw())
}

// updateForm sets /SigFlags (SignaturesExist, AppendOnly) and appends a field to
// the form, leaving all its other bytes alone (D3).
func (u *update) updateForm(newField []byte) error {
	cat, err := u.catalog()
	if err != nil {
		return err
	}
	formVal, err := cat.val.get("AcroForm")
	if err != nil {
		return err
	}
	id, indirect := formVal.asRef()
	if indirect {
		if formVal, err = u.current(id); err != nil {
			return err
		}
	}
	if !formVal.isDict() {
		if !formVal.isNull() {
			return malformed(cat.val.off, "/AcroForm is no dictionary")
		}
		id = u.alloc()
		u.put(id, []byte("<< /Fields [] >>"))
		if err := u.setKey(cat.id, "AcroForm", id.raw()); err != nil {
			return err
		}
		indirect = true
	}
	if indirect {
		return u.editForm(id, newField)
	}
	// A direct form is edited as if it were an object of its own, then put back.
	tmp := &update{d: u.d, objs: []changedObject{{id: ref{}, body: formVal.raw}}}
	if err := tmp.editForm(ref{}, newField); err != nil {
		return err
	}
	for _, o := range tmp.objs[1:] {
		u.put(o.id, o.body)
	}
	return u.setKey(cat.id, "AcroForm", tmp.objs[0].body)
}

func (u *update) editForm(id ref, newField []byte) error {
	form, err := u.current(id)
	if err != nil {
		return err
	}
	flags, err := u.d.keyInt(form, "SigFlags", 0)
	if err != nil {
		return err
	}
	if flags&3 != 3 {
		if err := u.setKey(id, "SigFlags", strconv.AppendInt(nil, flags|3, 10)); err != nil {
			return err
		}
	}
	if newField == nil {
		return nil
	}
	return u.appendTo(id, "Fields", newField)
}
