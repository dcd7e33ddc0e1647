package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// File is what PrepareChecked writes: what was written can be read.
type File interface {
	io.Writer
	io.ReaderAt
}

const (
	// smallFile is the largest input, in bytes, that is held in memory as a whole: what a core's own cache holds. Larger ones are
	// copied in pieces.
	smallFile = 2 << 20
	// tinyFile is the largest that has buffers of its own, so that most files do not have the collector count larger ones.
	tinyFile = 256 << 10
	// smallRoom is kept for the update behind the file.
	smallRoom = 64 << 10
)

// Buffers are used again: what is fresh, the system must clear first, page by page.
var (
	tinyBuffers  = bufferPool(tinyFile)
	smallBuffers = bufferPool(smallFile)
)

func bufferPool(file int) *sync.Pool {
	return &sync.Pool{New: func() any {
		b := make([]byte, 0, file+smallRoom)
		return &b
	}}
}

// memory is a file that is there as a whole, and does not change while it is read: a Document's values are pieces of it.
type memory []byte

// ReadAt implements io.ReaderAt.
func (m memory) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(m)) {
		return 0, io.EOF
	}
	n := copy(b, m[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// PrepareChecked is Prepare, with the certainty that ReadPrepared, which knows
// nothing but the file, finds the place that Prepare tells. So it is with every file that this
// package can write; if it were not, nobody should be asked to approve it.
//
// A small file is read once and written once, and what is checked in between are the very octets that are written.
//
// Errors: those of Prepare, and ErrNotPrepared.
func PrepareChecked(ctx context.Context, in io.ReaderAt, size int64, out File, opt SignOptions) (*Prepared, error) {
	if size > 0 && size <= smallFile {
		return prepareSmall(ctx, in, size, out, opt)
	}
	p, err := Prepare(ctx, in, size, out, opt)
	if err != nil {
		return nil, err
	}
	return p, p.readBack(out, opt)
}

// readBack demands that ReadPrepared finds in a file what p says of it.
func (p *Prepared) readBack(r io.ReaderAt, opt SignOptions) error {
	hole, err := ReadPreparedWith(r, p.Size, opt.Password)
	switch {
	case err != nil:
		return fmt.Errorf("%w: read back: %w", ErrNotPrepared, err)
	case hole.ByteRange != p.ByteRange:
		return notPrepared("read back, the signature covers %v, and it was to cover %v", hole.ByteRange, p.ByteRange)
	}
	return nil
}

func prepareSmall(ctx context.Context, in io.ReaderAt, size int64, out io.Writer, opt SignOptions) (*Prepared, error) {
	if err := errors.Join(ctx.Err(), opt.check()); err != nil {
		return nil, err
	}
	pool := smallBuffers
	if size <= tinyFile {
		pool = tinyBuffers
	}
	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	all := (*buf)[:size]
	if err := readFull(in, all, 0); err != nil {
		return nil, err
	}
	d, err := OpenWith(memory(all), size, opt.Limits, opt.Password)
	if err != nil {
		return nil, err
	}
	u, tail, p, err := d.plan(opt)
	if err != nil {
		return nil, err
	}
	all = append(all, tail...)
	if !u.confirmed(memory(all), p, opt) {
		if err := p.readBack(memory(all), opt); err != nil {
			return nil, err
		}
	}
	if _, err := out.Write(all); err != nil {
		return nil, fmt.Errorf("pdf: write: %w", err)
	}
	h := opt.Hash.New()
	h.Write(all[:p.ContentsOffset])
	h.Write(all[p.ContentsOffset+p.ContentsLength:])
	p.Digest = h.Sum(nil)
	return p, nil
}

// confirmed reports that ReadPrepared would find in all, which is the document of u with its update, what p says, without
// reading again what u's document has read: the older sections of the cross-reference, and the writer's plan for them. Both
// are what they were, because the bytes are. All else is checked by the same code. False says nothing: ReadPrepared has to tell.
func (u *update) confirmed(all memory, p *Prepared, opt SignOptions) bool {
	d, err := u.d.updated(all)
	if err != nil {
		return false
	}
	_, err = d.hole(func(start int64, s Signature) (map[int]bool, error) {
		// The update begins with the signature, behind a separator of at most one byte.
		if begins := start - p.OriginalSize; begins < 0 || begins > 1 || !u.asPlanned(s, p, opt) {
			return nil, notPrepared("another update than planned")
		}
		return u.numbers(), nil
	})
	return err == nil
}

// asPlanned tells whether the signature that was read says all that the plan was made from. Then the plan that
// ReadPrepared makes from the signature is the one that was written.
func (u *update) asPlanned(s Signature, p *Prepared, opt SignOptions) bool {
	same := [4]int64(s.ByteRange) == p.ByteRange && s.ContentsOffset == p.ContentsOffset && s.ContentsLength == p.ContentsLength &&
		s.Field == p.Field && s.Name == opt.Name && s.Reason == opt.Reason && s.Location == opt.Location && s.ContactInfo == opt.ContactInfo &&
		s.M.Equal(opt.Time.Truncate(time.Second)) && s.SubFilter == opt.SubFilter && s.Certification == opt.Certify
	if !same || opt.Field != "" {
		return same && opt.Field == p.Field
	}
	// The name was chosen. Asked for it, the writer must come to the same field: a new one.
	form, err := u.d.form()
	if err != nil {
		return false
	}
	t, err := u.d.findTarget(form, p.Field, opt.SubFilter == SubFilterRFC3161)
	return err == nil && t.id.num == 0 && t.name == p.Field
}

// updated opens the file that d becomes by an update with a cross-reference section of its own: all begins with d's file. The
// section is read, and those before it are d's. An error is no verdict on the file.
func (d *Document) updated(all memory) (*Document, error) {
	if d.repaired || d.crypt != nil || d.mem == nil || d.chain >= d.lim.MaxXrefSections {
		return nil, notPrepared("not read again by halves")
	}
	n := &Document{
		r: all, mem: all, size: int64(len(all)), lim: d.lim, work: d.work, base: d.base, chain: d.chain + 1, hybrid: d.hybrid,
		xref: d.xref.over(), streams: d.streams, streamMem: d.streamMem,
	}
	off, err := n.startXref()
	if err != nil {
		return nil, err
	}
	sec, err := n.readSection(off)
	if err != nil {
		return nil, err
	}
	n.kind, n.newest, n.trailer = sec.kind, sec.off, sec.trailer
	prev, err := n.prevOffset(sec)
	if err != nil {
		return nil, err
	}
	encrypt, err := n.trailer.get("Encrypt")
	if err != nil || !encrypt.isNull() || prev != d.newest || off < d.size {
		return nil, firstError(err, notPrepared("the update does not follow on the file"))
	}
	return n, n.checkCatalog()
}
