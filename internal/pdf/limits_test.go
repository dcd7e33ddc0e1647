package pdf

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
)

// F28's bounds (10 s, 512 MiB), tighter for memory. Time is the process's own CPU
// time, so that a busy machine changes nothing; a hang meets go test's time limit.
const (
	hostileTime   = testenv.Slowdown * 10 * time.Second
	hostileMemory = 96 << 20
)

// bounded runs fn and reports time and peak growth of the heap.
func bounded(t *testing.T, memory int64, fn func()) {
	t.Helper()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), int64(m.HeapAlloc)-int64(before.HeapAlloc)))
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	start := cpuTime(t)
	fn()
	took := cpuTime(t) - start
	close(stop)
	<-done
	t.Logf("%v, %.1f MiB", took.Round(time.Millisecond), float64(peak.Load())/(1<<20))
	if took > hostileTime {
		t.Errorf("took %v", took)
	}
	if peak.Load() > memory {
		t.Errorf("heap grew by %d MiB, bound %d", peak.Load()>>20, memory>>20)
	}
}

// cpuTime is what this process has used so far, in all threads.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// D12, F28: hostile structures end with a typed error, in bounded time and memory.
func TestD12HostileStructuresAreBounded(t *testing.T) {
	deep := strings.Repeat("[", 3<<20)
	for _, c := range []struct {
		name string
		in   func() []byte
		want error // nil: may also be signed
	}{
		{"page tree cycle", func() []byte {
			return buildPDF("/Root 1 0 R", plainCatalog, "<< /Type /Pages /Kids [2 0 R] /Count 1 >>")
		}, ErrMalformed},
		{"page tree doubling", func() []byte {
			objs := []string{plainCatalog}
			for i := 2; i < 190; i++ {
				objs = append(objs, fmt.Sprintf("<< /Kids [%d 0 R %d 0 R] >>", i+1, i+1))
			}
			return buildPDF("/Root 1 0 R", append(objs, "<< /Kids [] >>")...)
		}, ErrMalformed},
		{"deep page tree", func() []byte {
			objs := []string{plainCatalog}
			for i := 2; i < 5000; i++ {
				objs = append(objs, fmt.Sprintf("<< /Kids [%d 0 R] >>", i+1))
			}
			return buildPDF("/Root 1 0 R", append(objs, plainPage)...)
		}, ErrLimit},
		{"deep array in the catalog", func() []byte {
			return buildPDF("/Root 1 0 R", "<< /Pages 2 0 R /X "+deep+" >>", plainPages, plainPage)
		}, ErrLimit},
		{"deep direct page tree", func() []byte {
			n := 1 << 20
			return buildPDF("/Root 1 0 R", "<< /Pages 2 0 R >>", strings.Repeat("<</Kids[", n)+strings.Repeat("]>>", n))
		}, ErrLimit},
		{"deep trailer", func() []byte { return buildPDF("/Root 1 0 R /X "+deep, plainCatalog, plainPages, plainPage) }, ErrLimit},
		{"unterminated string", func() []byte {
			return buildPDF("/Root 1 0 R", "<< /Pages 2 0 R /X ("+strings.Repeat("(", 9<<20), plainPages)
		}, nil},
		{"ten million xref entries", func() []byte {
			var b bytes.Buffer
			b.WriteString("%PDF-1.7\n")
			start := b.Len()
			b.WriteString("xref\n0 9999999\n")
			b.Write(bytes.Repeat([]byte("0000000001 00000 n \n"), 9_999_999))
			fmt.Fprintf(&b, "trailer\n<< /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", start)
			return b.Bytes()
		}, ErrLimit},
		{"sparse xref", func() []byte {
			var b bytes.Buffer
			b.WriteString("%PDF-1.7\n")
			start := b.Len()
			b.WriteString("xref\n")
			for n := 1; n < 8_388_607; n += 257 {
				fmt.Fprintf(&b, "%d 1\n0000000009 00000 n \n", n)
			}
			fmt.Fprintf(&b, "trailer\n<< /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", start)
			return b.Bytes()
		}, ErrLimit},
		{"flate bomb as object stream", func() []byte { return bombPDF(64 << 20) }, ErrLimit},
		{"object stream in itself", func() []byte {
			s := docSpec{kind: "stream", packed: true}
			b := s.build()
			// the entry of object 90, the object stream, says: in object stream 90
			i := bytes.LastIndex(b, []byte("stream\n\x00\x00")) + len("stream\n") + 90*5
			copy(b[i:], []byte{2, 0, 0, 90, 0})
			return b
		}, ErrMalformed},
		{"objects to scan without end", func() []byte {
			return []byte("%PDF-1.7\n" + strings.Repeat("1 0 obj [", 1<<18))
		}, nil},
		{"streams to scan without end", func() []byte {
			return []byte("%PDF-1.7\n" + strings.Repeat("1 0 obj<<>>stream ", 1<<17))
		}, nil},
		{"many trailers", func() []byte {
			return []byte("%PDF-1.7\n" + strings.Repeat("trailer<<", 1<<18))
		}, nil},
		{"many sections", func() []byte { return manySections(3000) }, ErrLimit},
		{"fields sharing a large value", sharedValuePDF, nil},
		{"circular length", func() []byte {
			b := docSpec{kind: "stream", packed: true}.build()
			return bytes.Replace(b, []byte("/Length "), []byte("/Length 9 0 R /L "), 1)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := c.in()
			bounded(t, hostileMemory, func() {
				exerciseReading(t, c.name, in)
				_, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), io.Discard, testOptions())
				if c.want != nil && !errors.Is(err, c.want) || err != nil && strings.HasPrefix(sentinelName(err), "untyped") {
					t.Errorf("got %v, want %v", err, c.want)
				}
			})
		})
	}
}

// bombPDF packs its catalog into an object stream that inflates to n bytes.
func bombPDF(n int) []byte {
	var z bytes.Buffer
	w, _ := zlib.NewWriterLevel(&z, 9)
	head := "1 0 "
	_, _ = w.Write([]byte(head + plainCatalog))
	_, _ = w.Write(make([]byte, n))
	_ = w.Close()
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	stm := b.Len()
	fmt.Fprintf(&b, "5 0 obj\n<< /Type /ObjStm /N 1 /First %d /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\n",
		len(head), z.Len(), z.Bytes())
	start := b.Len()
	rows := []byte{0, 0, 0, 0, 0, 2, 0, 0, 5, 0, 1, byte(stm >> 16), byte(stm >> 8), byte(stm), 0, 1, byte(start >> 16), byte(start >> 8), byte(start), 0}
	fmt.Fprintf(&b, "6 0 obj\n<< /Type /XRef /Size 7 /Index [0 2 5 2] /W [1 3 1] /Root 1 0 R /Length %d >>\nstream\n%s\nendstream\nendobj\n", len(rows), rows)
	fmt.Fprintf(&b, "startxref\n%d\n%%%%EOF\n", start)
	return b.Bytes()
}

// manySections is a file with n empty revisions.
func manySections(n int) []byte {
	var b bytes.Buffer
	b.Write(plainPDF())
	prev := int64(bytes.LastIndex(b.Bytes(), []byte("xref\n0")))
	for range n {
		start := int64(b.Len())
		fmt.Fprintf(&b, "xref\n0 0\ntrailer\n<< /Size 5 /Root 1 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n", prev, start)
		prev = start
	}
	return b.Bytes()
}

// sharedValuePDF has many signature fields that inherit one large direct value.
func sharedValuePDF() []byte {
	var kids strings.Builder
	for range 5000 {
		kids.WriteString("<</T(k)>>")
	}
	sig := "<< /Contents <" + strings.Repeat("ab", 1<<20) + "> /ByteRange [0 1 2 3] /Name 6 0 R >>"
	return buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R] >> >>", plainPages, plainPage, plainContent,
		"<< /FT /Sig /T (a) /V "+sig+" /Kids ["+kids.String()+"] >>", "("+strings.Repeat("x", 1<<20)+")")
}

// bigFile writes a document of many objects, or of one large stream, to disk.
func bigFile(t testing.TB, kind string, objects int, streamBytes int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "big.pdf")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var off int64
	write := func(b []byte) {
		n, err := f.Write(b)
		if err != nil {
			t.Fatal(err)
		}
		off += int64(n)
	}
	buf := &bytes.Buffer{}
	offs := make([]int64, 0, objects+1)
	put := func(body string) {
		offs = append(offs, off+int64(buf.Len()))
		fmt.Fprintf(buf, "%d 0 obj\n%s\nendobj\n", len(offs), body)
		if buf.Len() > 1<<20 {
			write(buf.Bytes())
			buf.Reset()
		}
	}
	buf.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	put(plainCatalog)
	put(plainPages)
	put(plainPage)
	put(plainContent)
	for len(offs) < objects {
		put("<< /Type /Filler /Text (some words to fill the object) >>")
	}
	if streamBytes > 0 {
		offs = append(offs, off+int64(buf.Len()))
		fmt.Fprintf(buf, "%d 0 obj\n<< /Length %d >>\nstream\n", len(offs), streamBytes)
		write(buf.Bytes())
		buf.Reset()
		piece := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		for left := streamBytes; left > 0; left -= int64(len(piece)) {
			write(piece[:min(left, int64(len(piece)))])
		}
		buf.WriteString("\nendstream\nendobj\n")
	}
	start := off + int64(buf.Len())
	if kind == "stream" {
		offs = append(offs, start)
		fmt.Fprintf(buf, "%d 0 obj\n<< /Type /XRef /Size %d /W [1 5 0] /Root 1 0 R /Length %d >>\nstream\n", len(offs), len(offs)+1, 6*(len(offs)+1))
		buf.Write(make([]byte, 6))
		for _, o := range offs {
			buf.Write([]byte{1, byte(o >> 32), byte(o >> 24), byte(o >> 16), byte(o >> 8), byte(o)})
		}
		buf.WriteString("\nendstream\nendobj\n")
	} else {
		fmt.Fprintf(buf, "xref\n0 %d\n0000000000 65535 f \n", len(offs)+1)
		for _, o := range offs {
			fmt.Fprintf(buf, "%010d 00000 n \n", o)
		}
		fmt.Fprintf(buf, "trailer\n<< /Size %d /Root 1 0 R >>\n", len(offs)+1)
	}
	fmt.Fprintf(buf, "startxref\n%d\n%%%%EOF\n", start)
	write(buf.Bytes())
	return path
}

// 1.3 rule 6, 1.6: memory does not grow with the file. Two MiB is the aim for
// preparing 100 MB; 300,000 objects cost 16 bytes each on top.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and copies 100 MB files")
	}
	for _, c := range []struct {
		name    string
		kind    string
		objects int
		stream  int64
		memory  int64
	}{
		{"100 MB, table", "table", 10, 100 << 20, 2 << 20},
		{"100 MB, stream", "stream", 10, 100 << 20, 2 << 20},
		{"300000 objects, table", "table", 300_000, 0, 16 << 20},
		{"300000 objects, stream", "stream", 300_000, 0, 16 << 20},
		{"100 MB and 300000 objects", "table", 300_000, 76 << 20, 16 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, size := openFile(t, bigFile(t, c.kind, c.objects, c.stream))
			out, err := os.Create(filepath.Join(t.TempDir(), "out.pdf"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = out.Close() }()
			var p *Prepared
			bounded(t, c.memory, func() {
				if p, err = Prepare(context.Background(), in, size, out, testOptions()); err != nil {
					t.Fatal(err)
				}
			})
			bounded(t, 4*c.memory, func() {
				if hole, err := ReadPrepared(out, p.Size); err != nil || hole.ByteRange != p.ByteRange {
					t.Errorf("ReadPrepared: %v", err)
				}
			})
			if err := Embed(out, p, fakeCMS(300)); err != nil {
				t.Fatal(err)
			}
			bounded(t, 4*c.memory, func() {
				d, err := Open(out, p.Size, Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if s, err := d.Signatures(); err != nil || len(s) != 1 || !s[0].CoversWholeFile {
					t.Errorf("%+v, %v", s, err)
				}
			})
		})
	}
}

func openFile(t testing.TB, path string) (*os.File, int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return f, st.Size()
}

// sparse is a file of head, zeros and tail, of which only the ends exist.
type sparse struct {
	head, tail []byte
	size       int64
}

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		switch at := off + int64(i); {
		case at >= s.size:
			return i, io.EOF
		case at < int64(len(s.head)):
			p[i] = s.head[at]
		case at >= s.size-int64(len(s.tail)):
			p[i] = s.tail[at-(s.size-int64(len(s.tail)))]
		default:
			p[i] = 0
		}
	}
	return len(p), nil
}

// sparsePDF has its objects at the start and its cross-reference at the end of a
// file of the given size.
func sparsePDF(size int64, kind string) sparse {
	s := sparse{size: size}
	b := docSpec{kind: kind}.build()
	marker := "\nxref\n"
	if kind == "stream" {
		marker = "\n91 0 obj"
	}
	i := bytes.Index(b, []byte(marker)) + 1
	j := bytes.LastIndex(b, []byte("startxref"))
	s.head = b[:i]
	at := size - int64(j-i) - 64
	end := fmt.Sprintf("startxref\n%d\n%%%%EOF", at)
	s.tail = append(append([]byte{}, b[i:j]...), end+strings.Repeat("\n", 64-len(end))...)
	return s
}

// D19: beyond 4 GiB and 10 GB widths follow the size; what a table cannot address
// is a typed error before anything is written.
func TestD19OffsetsBeyondFourAndTenGiga(t *testing.T) {
	for _, c := range []struct {
		kind string
		size int64
		want error
	}{
		{"table", 5 << 30, nil}, {"stream", 5 << 30, nil}, {"stream", 20_000_000_000, nil}, {"table", 20_000_000_000, ErrLimit},
	} {
		src := sparsePDF(c.size, c.kind)
		d, err := Open(src, c.size, Limits{})
		if c.want != nil { // ten digits cannot even say where such a table is
			if err == nil {
				_, _, _, err = d.plan(withDefaults(testOptions()))
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%s of %d bytes: %v", c.kind, c.size, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_, tail, p, err := d.plan(withDefaults(testOptions()))
		if err != nil {
			t.Fatalf("%s of %d bytes: %v", c.kind, c.size, err)
		}
		joined := sparse{head: src.head, tail: append(bytes.Clone(src.tail), tail...), size: p.Size}
		after, err := Open(joined, p.Size, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		form, err := after.form()
		if err != nil {
			t.Fatal(err)
		}
		_, err = after.eachField(form, func(f field) error {
			sig, err := after.resolve(f.v)
			if err != nil {
				return err
			}
			s, err := after.readSignature(sig)
			if !s.CoversWholeFile || s.ContentsOffset != p.ContentsOffset {
				t.Errorf("%+v", s)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func withDefaults(o SignOptions) SignOptions {
	if err := o.check(); err != nil {
		panic(err)
	}
	return o
}
