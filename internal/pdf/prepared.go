package pdf

import (
	"context"
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
)

// Prepared describes a file that waits for its signature. It is plain data, to be
// stored as JSON between Prepare and Embed; all offsets count from the start of
// the file.
type Prepared struct {
	// Field is the fully qualified name of the signature field.
	Field string `json:"field"`
	// HashName names the digest algorithm as crypto.Hash does: "SHA-256".
	HashName string `json:"hash"`
	// Digest is the hash over the ByteRange: what the CMS message-digest must be.
	Digest []byte `json:"digest"`
	// ByteRange is [0, a, b, n]: everything but the /Contents string.
	ByteRange [4]int64 `json:"byte_range"`
	// ContentsOffset is the offset of '<', ContentsLength includes '<' and '>'.
	ContentsOffset int64 `json:"contents_offset"`
	ContentsLength int64 `json:"contents_length"`
	// Reserve is the largest CMS in bytes.
	Reserve int `json:"reserve"`
	// OriginalSize is the length of the input, which is a prefix of the output.
	OriginalSize int64 `json:"original_size"`
	// Size is the length of the prepared file.
	Size int64 `json:"size"`
}

// copyBuffer is the unit of copying and hashing: large enough that calls of the
// system cost nothing, small enough to stay in a core's own cache and to be
// cheap for a small file.
const copyBuffer = 64 << 10

// copyBuffers are used again: for a small file, one of its own would cost more than
// copying and hashing it.
var copyBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// write copies the input and appends the tail, hashing both but for the hole.
func (p *Prepared) write(ctx context.Context, in io.ReaderAt, out io.Writer, tail []byte, hf crypto.Hash) error {
	h := hf.New()
	err := pump(ctx, in, 0, p.OriginalSize, func(b []byte) error {
		h.Write(b)
		_, err := out.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	hole := p.ContentsOffset - p.OriginalSize
	h.Write(tail[:hole])
	h.Write(tail[hole+p.ContentsLength:])
	if _, err := out.Write(tail); err != nil {
		return fmt.Errorf("pdf: write update: %w", err)
	}
	p.Digest = h.Sum(nil)
	return nil
}

// pump reads n bytes from off in pieces and hands them to fn.
func pump(ctx context.Context, r io.ReaderAt, off, n int64, fn func([]byte) error) error {
	pooled := copyBuffers.Get().(*[copyBuffer]byte)
	defer copyBuffers.Put(pooled)
	buf := pooled[:]
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:min(int64(len(buf)), n)]
		if err := readFull(r, b, off); err != nil {
			return err
		}
		if err := fn(b); err != nil {
			return err
		}
		off += int64(len(b))
		n -= int64(len(b))
	}
	return nil
}

// readFull fills b from an offset.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("pdf: read at offset %d: %w", off, err)
}

// check refuses a Prepared that Prepare cannot have made, so that a damaged
// record patches nothing.
func (p *Prepared) check() error {
	end := p.ContentsOffset + p.ContentsLength
	ok := p.OriginalSize > 0 && p.ContentsOffset > p.OriginalSize && p.Reserve >= minReserve && p.Reserve <= maxReserve &&
		p.ContentsLength == 2*int64(p.Reserve)+2 && end < p.Size &&
		p.ByteRange == [4]int64{0, p.ContentsOffset, end, p.Size - end}
	if !ok {
		return fmt.Errorf("%w: inconsistent record", ErrNotPrepared)
	}
	return nil
}

// Embed writes the CMS into the hole of a prepared file and touches no other
// byte. The whole hole is written, so that a repeat after a crash heals a partial
// write. A CMS larger than the reserve is ErrReserve and writes nothing.
func Embed(out io.WriterAt, p *Prepared, cms []byte) error {
	if err := p.check(); err != nil {
		return err
	}
	if len(cms) == 0 {
		return fmt.Errorf("%w: empty signature", ErrOptions)
	}
	if len(cms) > p.Reserve {
		return fmt.Errorf("%w: %d bytes, reserved %d", ErrReserve, len(cms), p.Reserve)
	}
	hole := hex.AppendEncode(make([]byte, 0, 2*p.Reserve), cms)
	hole = appendZeros(hole, 2*(p.Reserve-len(cms)))
	if _, err := out.WriteAt(hole, p.ContentsOffset+1); err != nil {
		return fmt.Errorf("pdf: write signature: %w", err)
	}
	return nil
}

// HashRange hashes the two ranges [r0, r0+r1) and [r2, r2+r3) in constant memory.
// It checks no more than that they are in order and do not overlap; whether they
// cover the file is Signature.Problems' business.
func HashRange(ctx context.Context, r io.ReaderAt, byteRange [4]int64, hf crypto.Hash) ([]byte, error) {
	if _, err := hashByName(hf.String()); err != nil {
		return nil, err
	}
	a, n, b, m := byteRange[0], byteRange[1], byteRange[2], byteRange[3]
	if a < 0 || n < 0 || b < 0 || m < 0 || a > b-n || b+m < b {
		return nil, malformed(-1, "byte range %v", byteRange)
	}
	h := hf.New()
	if err := hashSpan(ctx, h, r, a, n); err != nil {
		return nil, err
	}
	if err := hashSpan(ctx, h, r, b, m); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

func hashSpan(ctx context.Context, h hash.Hash, r io.ReaderAt, off, n int64) error {
	return pump(ctx, r, off, n, func(b []byte) error {
		h.Write(b)
		return nil
	})
}

// Extended reads a file with an update behind its last byte, as if it had been
// written.
func Extended(r io.ReaderAt, size int64, tail []byte) io.ReaderAt { return extended{r, size, tail} }

type extended struct {
	r    io.ReaderAt
	size int64
	tail []byte
}

// ReadAt implements io.ReaderAt.
func (e extended) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	if off < e.size {
		m, err := e.r.ReadAt(b[:min(int64(len(b)), e.size-off)], off)
		if n += m; err != nil && (err != io.EOF || off+int64(m) < e.size) {
			return n, err
		}
	}
	if at := off + int64(n) - e.size; at >= 0 && at < int64(len(e.tail)) {
		n += copy(b[n:], e.tail[at:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
