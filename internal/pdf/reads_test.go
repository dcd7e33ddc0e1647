package pdf

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
)

// counting counts the calls of the system that a file would cost.
type counting struct {
	io.ReaderAt
	calls int
}

func (c *counting) ReadAt(b []byte, off int64) (int, error) {
	c.calls++
	return c.ReaderAt.ReadAt(b, off)
}

// Small objects that stand together are not read one by one.
func TestSmallObjectsAreReadTogether(t *testing.T) {
	objs := []string{"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"}
	for range 1000 {
		objs = append(objs, "<< /Filler ("+strings.Repeat("x", 50)+") >>")
	}
	f, p := prepare(t, buildPDF("/Root 1 0 R", objs...), testOptions())
	r := &counting{ReaderAt: f}
	hole, err := ReadPrepared(r, p.Size)
	if err != nil || hole.ByteRange != p.ByteRange {
		t.Fatal(hole, err)
	}
	if r.calls > len(objs)/5 {
		t.Errorf("%d calls for %d objects", r.calls, len(objs))
	}
}

// A document of some kilobytes is opened and planned with a handful of calls.
func TestASmallFileIsReadWithFewCalls(t *testing.T) {
	in := plainPDF()
	r := &counting{ReaderAt: bytes.NewReader(in)}
	if _, err := Prepare(context.Background(), r, int64(len(in)), io.Discard, testOptions()); err != nil {
		t.Fatal(err)
	}
	if r.calls > 6 {
		t.Errorf("%d calls", r.calls)
	}
}

// What could not be read as a part of a block is read by itself: the error is the file's own.
func TestAnUnreadableBlockIsNoUnreadableFile(t *testing.T) {
	in := plainPDF()
	d := open(t, in)
	d.r, d.block = onlySmall{bytes.NewReader(in)}, new(block)
	b, err := d.readAt(make([]byte, 100), 20)
	if err != nil || !bytes.Equal(b, in[20:120]) {
		t.Error(b, err)
	}
}

type onlySmall struct{ r io.ReaderAt }

func (o onlySmall) ReadAt(b []byte, off int64) (int, error) {
	if len(b) > 100 {
		return 0, io.ErrClosedPipe
	}
	return o.r.ReadAt(b, off)
}

// Readings of one file that are copies of each other do not take each other's bytes for their own.
func TestCopiesOfADocumentShareTheirBlock(t *testing.T) {
	in := plainPDF()
	d := open(t, in)
	other := *d
	for _, off := range []int64{20, 200, 20} {
		for _, r := range []*Document{d, &other} {
			b, err := r.readAt(make([]byte, 30), off)
			if err != nil || !bytes.Equal(b, in[off:off+30]) {
				t.Errorf("at %d: %q, %v", off, b, err)
			}
			if b, err = r.readAt(make([]byte, 30), int64(len(in)-30)); err != nil || !bytes.Equal(b, in[len(in)-30:]) {
				t.Errorf("at the end: %q, %v", b, err)
			}
		}
	}
}
