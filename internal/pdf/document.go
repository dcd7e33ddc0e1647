package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/assent-sign/assent/internal/secret"
)

// Document is an opened PDF file. It holds the cross-reference and reads objects
// when asked; it is not safe for concurrent use.
type Document struct {
	r    io.ReaderAt
	mem  memory // the whole file, if it is in memory
	size int64
	lim  Limits
	work *int64 // bytes that may still be read, scanned or inflated; shared with plain readings

	// listed sees the entries of cross-reference streams as the file has them; for a census.
	listed  func(num int, typ, f2, f3 uint64) error
	account *census // see oddities

	// sections are the places of the data of the cross-reference streams that were read.
	sections map[int64]bool

	base     int64 // offset of %PDF-; cross-references count from here
	xref     xrefTable
	kind     xrefKind // of the newest section
	newest   int64    // absolute offset of the newest section
	chain    int      // number of sections
	trailer  value    // of the newest section
	repaired bool     // xref comes from a scan, there is no usable section
	hybrid   bool     // some objects are listed for newer readers only

	streams   map[int]*objectStream // inflated object streams
	streamMem int64
	window    []byte // see parseAt
	block     *block // see near
	parsed    *parsed
	// noEndstream: from this offset on there is no endstream; 0 if not known.
	noEndstream int64
	drawn       int64                   // bytes of contents that were decoded
	looked      map[string]*contentUses // contents that were looked through, by the numbers of their streams
	named       int                     // names of resources in them
	fonts       map[int]fontFace
	reason      string // why readers take something for different things, the first one
	loading     int    // depth of nested loads: /Length of an object stream and the like

	crypt *crypt // nil if the file is not encrypted
	plain bool   // strings are decrypted as they are read: plainly
	// scannedEncrypt: a repair came upon /Encrypt.
	scannedEncrypt bool
}

// Open reads the header, the cross-reference and the catalog. A broken
// cross-reference is rebuilt by a scan of the file, as other readers do.
//
// An encrypted file opens if it needs no password.
//
// Errors: ErrNotPDF, ErrEncrypted, ErrPassword, ErrMalformed, ErrUnsupported, ErrLimit.
func Open(r io.ReaderAt, size int64, lim Limits) (*Document, error) {
	return OpenWith(r, size, lim, secret.Bytes{})
}

// OpenWith is Open for a file that needs a password, its user's or its owner's. A
// password is not needed for, and not held against, a file that is not encrypted.
func OpenWith(r io.ReaderAt, size int64, lim Limits, password secret.Bytes) (*Document, error) {
	return openRevision(r, size, lim, password, nil)
}

// Before opens the file as it was when it ended at end, with the same password. Both
// must be encrypted in the same way, or not at all.
//
// Errors: those of Open.
func (d *Document) Before(end int64) (*Document, error) {
	old, err := openRevision(io.NewSectionReader(d.r, 0, end), end, d.lim, secret.Bytes{}, d.crypt)
	if err == nil && (old.crypt == nil) != (d.crypt == nil) {
		return nil, malformed(old.trailer.off, "the encryption changes between revisions")
	}
	return old, err
}

func openRevision(r io.ReaderAt, size int64, lim Limits, password secret.Bytes, known *crypt) (*Document, error) {
	d := &Document{r: r, size: size, lim: lim.withDefaults()}
	if m, ok := r.(memory); ok && int64(len(m)) == size {
		d.mem = m
	} else {
		d.block = new(block)
	}
	work := d.lim.MaxWork
	d.work = &work
	if err := d.findHeader(); err != nil {
		return nil, err
	}
	err := d.readXref()
	if err == nil {
		err = d.unlock(password, known)
	}
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
	if *d.work -= n; *d.work < 0 {
		return overLimit("more than %d bytes of reading and inflating", d.lim.MaxWork)
	}
	return nil
}

// readAt fills at most len(b) bytes from off and charges them. Fewer are
// returned only at the end of the file.
func (d *Document) readAt(b []byte, off int64) ([]byte, error) {
	b = b[:d.there(len(b), off)]
	if len(b) == 0 {
		return nil, nil
	}
	if err := d.spend(int64(len(b))); err != nil {
		return nil, err
	}
	if d.mem != nil {
		copy(b, d.mem[off:])
		return b, nil
	}
	if d.near(b, off) {
		return b, nil
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

// there tells how many of n bytes from off the file has.
func (d *Document) there(n int, off int64) int {
	if off < 0 || off >= d.size {
		return 0
	}
	return int(min(int64(n), d.size-off))
}

// view is readAt into whatever room there is; of a file in memory, it is the file. The bytes are not the caller's to change.
func (d *Document) view(n int, off int64) ([]byte, error) {
	if d.mem == nil {
		return d.readAt(make([]byte, d.there(n, off)), off)
	}
	n = d.there(n, off)
	if n == 0 {
		return nil, nil
	}
	end := off + int64(n)
	return d.mem[off:end:end], d.spend(int64(n))
}

const (
	// blockSize is what is read at once for a small piece: most pieces stand close to one another, and a call of
	// the system costs more than some thousand bytes.
	blockSize = 4 << 10
	// smallRead is the largest piece that is taken out of a block.
	smallRead = blockSize / 2
)

// near fills b from the block that was read last, or from the one around off; false if it must be read by itself.
func (d *Document) near(b []byte, off int64) bool {
	if len(b) > smallRead {
		return false
	}
	if !d.block.has(off, len(b)) {
		buf, at := d.block.clear(), off&^(smallRead-1)
		n, err := d.r.ReadAt(buf[:min(blockSize, d.size-at)], at)
		if n < 0 || n > blockSize || err != nil && !errors.Is(err, io.EOF) {
			n = 0 // whoever needs the bytes reads them and sees the error
		}
		if d.block.set(at, n); !d.block.has(off, len(b)) {
			return false
		}
	}
	copy(b, d.block.buf[off-d.block.at:d.block.end])
	return true
}

// block is a piece of the file. Copies of a Document, which are readings of the same file, share it.
type block struct {
	at  int64 // offset of buf[0]
	end int   // so many bytes are there
	buf [blockSize]byte
}

func (k *block) has(off int64, n int) bool { return off >= k.at && off+int64(n) <= k.at+int64(k.end) }

// clear gives the room for the next bytes; until set there are none.
func (k *block) clear() []byte {
	k.end = 0
	return k.buf[:]
}

func (k *block) set(at int64, n int) { k.at, k.end = at, n }

// headerWindow is where readers look for the header (ISO 32000-1, annex H.3).
const headerWindow = 1024

func (d *Document) findHeader() error {
	b, err := d.view(headerWindow+5, 0)
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

// checkCatalog makes sure that the root is there.
func (d *Document) checkCatalog() error {
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
