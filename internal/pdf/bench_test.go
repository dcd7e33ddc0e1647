package pdf

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// benchSizes are the stream sizes; every other part of the file is tiny.
var benchSizes = []struct {
	name string
	size int64
}{{"100KB", 100 << 10}, {"1MB", 1 << 20}, {"10MB", 10 << 20}, {"100MB", 100 << 20}}

// BenchmarkPrepare prepares a file on disk into another one.
func BenchmarkPrepare(b *testing.B) {
	for _, s := range benchSizes {
		b.Run(s.name, func(b *testing.B) {
			in, size := openFile(b, bigFile(b, "table", 10, s.size))
			out := benchOutput(b)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				rewind(b, out)
				if _, err := Prepare(context.Background(), in, size, out, testOptions()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFloorCopyHash is the floor for BenchmarkPrepare: copy the same file and
// hash it, in one pass with the same buffer.
func BenchmarkFloorCopyHash(b *testing.B) {
	for _, s := range benchSizes {
		b.Run(s.name, func(b *testing.B) {
			in, size := openFile(b, bigFile(b, "table", 10, s.size))
			out := benchOutput(b)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				rewind(b, out)
				h := sha256.New()
				r := io.NewSectionReader(in, 0, size)
				if _, err := io.CopyBuffer(io.MultiWriter(h, onlyWriter{out}), r, make([]byte, copyBuffer)); err != nil {
					b.Fatal(err)
				}
				h.Sum(nil)
			}
		})
	}
}

// onlyWriter hides ReadFrom, so that the copy passes through the buffer.
type onlyWriter struct{ io.Writer }

// BenchmarkEmbed is what happens when the signature arrives: it does not depend on
// the size of the file.
func BenchmarkEmbed(b *testing.B) {
	for _, s := range benchSizes {
		b.Run(s.name, func(b *testing.B) {
			in, size := openFile(b, bigFile(b, "table", 10, s.size))
			out := benchOutput(b)
			p, err := Prepare(context.Background(), in, size, out, testOptions())
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := Embed(out, p, fakeCMS(900)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen reads the structure of a file with many objects.
func BenchmarkOpen(b *testing.B) {
	for _, kind := range []string{"table", "stream"} {
		b.Run(kind+"300000objects", func(b *testing.B) {
			in, size := openFile(b, bigFile(b, kind, 300_000, 0))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Open(in, size, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchOutput(b *testing.B) *os.File {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "out.pdf"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	return f
}

func rewind(b *testing.B, f *os.File) {
	b.Helper()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		b.Fatal(err)
	}
}
