package pdf

import (
	"bytes"
	"crypto"
	"errors"
	"io"

	"github.com/assent-sign/assent/internal/secret"
)

// Hole is where a prepared file waits for its CMS.
type Hole struct {
	// Offset is the place of '<', Length counts up to '>' inclusive.
	Offset, Length int64
	// ByteRange is [0, Offset, Offset+Length, rest of the file].
	ByteRange [4]int64
	// Field and SubFilter are those of the signature that waits.
	Field, SubFilter string
}

// ReadPrepared checks a file that somebody else says Prepare made, and returns
// its hole. It trusts no offsets given from outside: it takes the update off,
// runs the writer again on what is left, and compares the bytes. So the update
// is exactly the objects of one signature: no wide gap, no page replaced in the
// tail, no further revision. It also makes sure that nothing else in the file can
// read what will be written into the hole: no cross-reference entry and no stream
// reaches it. Everything else is covered by the digest.
//
// Without these checks whoever fills the hole chooses bytes that the signature
// does not protect but a viewer shows.
//
// A file prepared by a version of this package that wrote other bytes is refused
// too: prepare it again.
//
// Errors: ErrNotPrepared, and those of Open.
func ReadPrepared(r io.ReaderAt, size int64) (Hole, error) {
	return ReadPreparedWith(r, size, secret.Bytes{})
}

// ReadPreparedWith is ReadPrepared for a file that needs a password.
func ReadPreparedWith(r io.ReaderAt, size int64, password secret.Bytes) (Hole, error) {
	d, err := OpenWith(r, size, Limits{}, password)
	if err != nil {
		return Hole{}, err
	}
	if d.repaired {
		return Hole{}, notPrepared("the cross-reference is damaged")
	}
	return d.hole(d.checkTail)
}

// hole is ReadPrepared for an opened file. tail makes sure that what begins at start is the update of the signature and
// nothing else, and returns the numbers of its objects.
func (d *Document) hole(tail func(start int64, s Signature) (map[int]bool, error)) (Hole, error) {
	s, err := d.waitingSignature()
	if err != nil {
		return Hole{}, err
	}
	start := d.xref.get(s.Object)
	if start.kind != entryOffset || start.off >= s.ContentsOffset {
		return Hole{}, notPrepared("the signature is no object of its own")
	}
	allowed, err := tail(start.off, s)
	if err != nil {
		return Hole{}, err
	}
	if err := d.checkHoleUnreachable(start.off, allowed); err != nil {
		return Hole{}, err
	}
	return Hole{
		Offset: s.ContentsOffset, Length: s.ContentsLength,
		ByteRange: [4]int64(s.ByteRange),
		Field:     s.Field, SubFilter: s.SubFilter,
	}, nil
}

func notPrepared(format string, args ...any) error {
	return located(ErrNotPrepared, -1, format, args...)
}

// waitingSignature returns the one unsigned signature that covers the file. Other
// holes are of no use to anyone: the digest covers them.
func (d *Document) waitingSignature() (Signature, error) {
	sigs, _, err := d.fieldSignatures()
	if err != nil {
		return Signature{}, err
	}
	for i := range sigs {
		d.checkOverlaps(&sigs[i], i, sigs)
	}
	found, near := -1, "no field waits for a signature"
	for i, s := range sigs {
		unsigned := false
		for _, p := range s.Problems {
			if p.Kind == ProblemUnsigned {
				unsigned = true
			} else {
				near = "field \"" + s.Field + "\": " + p.Text
			}
		}
		if !unsigned || !s.CoversWholeFile {
			continue
		}
		if found >= 0 {
			return s, notPrepared("fields %q and %q both wait for a signature", sigs[found].Field, s.Field)
		}
		found = i
	}
	if found < 0 {
		return Signature{}, notPrepared("%s", near)
	}
	s := sigs[found]
	if len(s.Problems) != 1 {
		return s, notPrepared("%s", near)
	}
	return s, d.checkZeros(s)
}

// checkZeros demands '<', zeros only, '>' in the gap.
func (d *Document) checkZeros(s Signature) error {
	b, err := d.view(int(s.ContentsLength), s.ContentsOffset)
	if err != nil {
		return err
	}
	n := len(b)
	if n < 2 || b[0] != '<' || b[n-1] != '>' || len(bytes.Trim(b[1:n-1], "0")) > 0 {
		return notPrepared("the gap at %d is not a string of zeros", s.ContentsOffset)
	}
	return nil
}

// checkTail rebuilds the update that begins at start and compares. It returns the
// numbers of its objects.
func (d *Document) checkTail(start int64, s Signature) (map[int]bool, error) {
	prev, err := d.Before(start)
	if err != nil {
		return nil, notPrepared("the document before the signature: %v", err)
	}
	opt := SignOptions{
		Field: s.Field, Name: s.Name, Reason: s.Reason, Location: s.Location, ContactInfo: s.ContactInfo,
		Time: s.M, Hash: crypto.SHA256, Reserve: int((s.ContentsLength - 2) / 2), SubFilter: s.SubFilter, Certify: s.Certification,
	}
	if err := opt.check(); err != nil {
		return nil, notPrepared("%v", err)
	}
	u, tail, _, err := prev.plan(opt)
	if err != nil {
		return nil, notPrepared("the document before the signature: %v", err)
	}
	got, err := d.view(len(tail), start)
	if err != nil {
		return nil, err
	}
	if start+int64(len(tail)) != d.size || !bytes.Equal(got, tail) {
		return nil, notPrepared("what follows offset %d is more or other than one signature", start)
	}
	return u.numbers(), nil
}

// numbers are those of the objects that the update changes or adds.
func (u *update) numbers() map[int]bool {
	all := map[int]bool{}
	for _, o := range u.objs {
		all[o.id.num] = true
	}
	for num := u.firstNew; num < u.next; num++ {
		all[num] = true
	}
	return all
}

// checkHoleUnreachable refuses any other object that lies behind start, any
// stream before it that reaches over it, and any other dictionary that waits for a
// signature of the whole file. It parses every object and reads no stream data,
// so that its cost follows the number of objects and not the size of the file.
func (d *Document) checkHoleUnreachable(start int64, allowed map[int]bool) error {
	return d.xref.each(func(num int, e entry) error {
		if e.kind != entryOffset || allowed[num] {
			return nil
		}
		if e.off >= start {
			return notPrepared("object %d lies within the signature's update", num)
		}
		o, err := d.objectAt(e.off)
		if err != nil {
			if errors.Is(err, ErrLimit) || !errors.Is(err, ErrMalformed) {
				return err
			}
			return nil // no reader can load it; it has no bytes to show
		}
		if o.end > start {
			return notPrepared("object %d reaches into the signature's update", num)
		}
		if o.stream < 0 {
			return d.checkRival(o)
		}
		declared, err := d.keyInt(o.val, "Length", 0)
		if err != nil && !errors.Is(err, ErrMalformed) {
			return err
		}
		n, err := d.streamLength(o)
		if err != nil && !errors.Is(err, ErrMalformed) {
			return err
		}
		if err != nil || o.stream+n > start || declared > start-o.stream {
			return notPrepared("stream object %d reaches into the signature's update", num)
		}
		return nil
	})
}

// checkRival refuses a signature dictionary that no field leads to and that waits
// as the one of the field does: other readers walk all objects and might take it
// for the signature (D16).
func (d *Document) checkRival(o object) error {
	if !o.val.isDict() || !bytes.Contains(o.val.raw, []byte("ByteRange")) && bytes.IndexByte(o.val.raw, '#') < 0 {
		return nil
	}
	br, err1 := o.val.get("ByteRange")
	contents, err2 := o.val.get("Contents")
	waits := err1 == nil && err2 == nil && !br.isNull() && !contents.isNull()
	if !waits { // a dictionary with such a key twice is none that readers agree on
		return nil
	}
	s, err := d.readSignature(o.val)
	if err != nil {
		return err
	}
	for _, p := range s.Problems {
		if p.Kind == ProblemUnsigned && s.CoversWholeFile {
			return notPrepared("object %d, which no field leads to, waits for a signature of the whole file", o.id.num)
		}
	}
	return nil
}
