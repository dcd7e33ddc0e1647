package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Document is an opened PDF file. It holds the cross-reference and reads objects
// when asked; it is not safe for concurrent use.
type Document struct {
	r    io.ReaderAt
	size int64
	lim  Limits
	work int64 // bytes that may still be read, scanned or inflated

	base     int64 // offset of %PDF-; cross-references count from here
	xref     xrefTable
	kind     xrefKind // of the newest section
	newest   int64    // absolute offset of the newest section
	trailer  value    // of the newest section
	repaired bool     // xref comes from a scan, there is no usable section
	hybrid   bool     // some objects are listed for newer readers only

	streams   map[int]*objectStream // inflated object streams
	streamMem int64
	window    []byte // see parseAt
	// noEndstream: from this offset on there is no endstream; 0 if not known.
	noEndstream int64
	loading     int // depth of nested loads: /Length of an object stream and the like
}

// Open reads the header, the cross-reference and the catalog. A broken
// cross-reference is rebuilt by a scan of the file, as other readers do.
//
// Errors: ErrNotPDF, ErrEncrypted, ErrMalformed, ErrUnsupported, ErrLimit.
func Open(r io.ReaderAt, size int64, lim Limits) (*Document, error) {
	d := &Document{r: r, size: size, lim: lim.withDefaults()}
	d.work = d.lim.MaxWork
	if err := d.findHeader(); err != nil {
		return nil, err
	}
	err := d.readXref()
	if err == nil {
		err = d.checkCatalog()
	}
	if errors.Is(err, errDamaged) {
		err = d.repair(err)
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Size is the length of the file in bytes.
func (d *Document) Size() int64 { return d.size }

// Repaired reports that the file's own cross-reference was unusable.
func (d *Document) Repaired() bool { return d.repaired }

// spend takes n bytes from the work budget.
func (d *Document) spend(n int64) error {
	if d.work -= n; d.work < 0 {
		return overLimit("more than %d bytes of reading and inflating", d.lim.MaxWork)
	}
	return nil
}

// readAt fills at most len(b) bytes from off and charges them. Fewer are
// returned only at the end of the file.
func (d *Document) readAt(b []byte, off int64) ([]byte, error) {
	if off < 0 || off >= d.size {
		return nil, nil
	}
	if rest := d.size - off; int64(len(b)) > rest {
		b = b[:rest]
	}
	if err := d.spend(int64(len(b))); err != nil {
		return nil, err
	}
	n, err := d.r.ReadAt(b, off)
	if n == len(b) {
		return b, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("pdf: read %d bytes at offset %d: %w", len(b), off, err)
}

// headerWindow is where readers look for the header (ISO 32000-1, annex H.3).
const headerWindow = 1024

func (d *Document) findHeader() error {
	b, err := d.readAt(make([]byte, headerWindow+5), 0)
	if err != nil {
		return err
	}
	i := bytes.Index(b, []byte("%PDF-"))
	if i < 0 {
		return fmt.Errorf("%w: no %%PDF- header in the first %d bytes", ErrNotPDF, headerWindow)
	}
	d.base = int64(i)
	return nil
}

// checkCatalog refuses encrypted files and makes sure that the root is there.
func (d *Document) checkCatalog() error {
	enc, err := d.trailer.get("Encrypt")
	if err != nil {
		return err
	}
	if !enc.isNull() {
		return ErrEncrypted
	}
	cat, err := d.catalog()
	if err != nil {
		return err
	}
	pages, err := d.key(cat.val, "Pages")
	if err != nil {
		return err
	}
	if !pages.isDict() {
		return damaged(cat.val.off, "catalog without /Pages")
	}
	return nil
}

// catalog loads the document catalog.
func (d *Document) catalog() (object, error) {
	root, err := d.trailer.get("Root")
	if err != nil {
		return object{}, err
	}
	id, ok := root.asRef()
	if !ok {
		return object{}, damaged(d.trailer.off, "trailer without /Root")
	}
	cat, err := d.load(id)
	if err != nil {
		return object{}, err
	}
	if !cat.val.isDict() {
		return object{}, damaged(d.trailer.off, "no catalog in object %d", id.num)
	}
	return cat, nil
}
