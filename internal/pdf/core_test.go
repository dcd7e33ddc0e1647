package pdf

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"
)

// memFile is a file in memory that can be patched.
type memFile struct{ b []byte }

func (m *memFile) Write(p []byte) (int, error) { m.b = append(m.b, p...); return len(p), nil }

func (m *memFile) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off+int64(len(p)) > int64(len(m.b)) {
		return 0, errors.New("write outside the file")
	}
	return copy(m.b[off:], p), nil
}

func (m *memFile) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.b).ReadAt(p, off)
}

var testTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func testOptions() SignOptions {
	return SignOptions{Time: testTime, Hash: crypto.SHA256, Reserve: 1024}
}

// prepare signs in with opt up to the hole.
func prepare(t testing.TB, in []byte, opt SignOptions) (*memFile, *Prepared) {
	t.Helper()
	out := &memFile{}
	p, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), out, opt)
	if err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	if !bytes.HasPrefix(out.b, in) {
		t.Fatal("the input is no prefix of the output")
	}
	if int64(len(out.b)) != p.Size || p.OriginalSize != int64(len(in)) {
		t.Fatalf("sizes: %d bytes written, %+v", len(out.b), p)
	}
	agrees(t, in, opt, out.b, p)
	return out, p
}

// fakeCMS is a DER element that stands for a CMS.
func fakeCMS(n int) []byte {
	b := append([]byte{0x30, 0x82, byte(n >> 8), byte(n)}, bytes.Repeat([]byte{0xa5}, n)...)
	return b
}

// sign prepares and embeds a fake CMS.
func sign(t testing.TB, in []byte, opt SignOptions) []byte {
	t.Helper()
	out, p := prepare(t, in, opt)
	if err := Embed(out, p, fakeCMS(300)); err != nil {
		t.Fatalf("Embed: %v", err)
	}
	return out.b
}

func open(t testing.TB, b []byte) *Document {
	t.Helper()
	d, err := Open(bytes.NewReader(b), int64(len(b)), Limits{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return d
}

func signatures(t testing.TB, b []byte) []Signature {
	t.Helper()
	sigs, err := open(t, b).Signatures()
	if err != nil {
		t.Fatalf("Signatures: %v", err)
	}
	return sigs
}

// buildPDF writes objects 1..n with a table and the given trailer keys.
func buildPDF(trailer string, objs ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	return finishPDF(&b, 0, trailer, objs...)
}

func finishPDF(b *bytes.Buffer, base int, trailer string, objs ...string) []byte {
	offs := make([]int, len(objs))
	for i, o := range objs {
		offs[i] = b.Len() - base
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len() - base
	fmt.Fprintf(b, "xref\n0 %d\n0000000000 65535 f \n", len(objs)+1)
	for _, off := range offs {
		fmt.Fprintf(b, "%010d 00000 n \n", off)
	}
	fmt.Fprintf(b, "trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n", len(objs)+1, trailer, start)
	return b.Bytes()
}

const (
	plainCatalog = "<< /Type /Catalog /Pages 2 0 R >>"
	plainPages   = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
	plainPage    = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R /Resources << >> >>"
	plainContent = "<< /Length 8 >>\nstream\n0 0 m S\n\nendstream"
)

func plainPDF() []byte {
	return buildPDF("/Root 1 0 R", plainCatalog, plainPages, plainPage, plainContent)
}

// 1.3: the digest of Prepare is the hash over what the file itself says is
// signed, the hole is the Contents string and nothing else.
func TestPrepareThenEmbedCoversTheWholeFile(t *testing.T) {
	out, p := prepare(t, plainPDF(), testOptions())
	if err := Embed(out, p, fakeCMS(300)); err != nil {
		t.Fatal(err)
	}
	sigs := signatures(t, out.b)
	if len(sigs) != 1 {
		t.Fatalf("%d signatures", len(sigs))
	}
	s := sigs[0]
	if !s.CoversWholeFile || len(s.Problems) > 0 || s.Field != "Signature1" || !s.M.Equal(testTime) || s.SubFilter != SubFilterCAdES {
		t.Fatalf("%+v", s)
	}
	got, err := s.CMS()
	if err != nil || !bytes.Equal(got, fakeCMS(300)) {
		t.Fatalf("CMS: %x, %v", got, err)
	}
	r, err := s.Range()
	if err != nil || r != p.ByteRange {
		t.Fatalf("range %v, %v, want %v", r, err, p.ByteRange)
	}
	digest, err := HashRange(context.Background(), out, r, crypto.SHA256)
	if err != nil || !bytes.Equal(digest, p.Digest) {
		t.Fatalf("digest %x, %v, want %x", digest, err, p.Digest)
	}
	h := sha256.New()
	h.Write(out.b[:p.ContentsOffset])
	h.Write(out.b[p.ContentsOffset+p.ContentsLength:])
	if !bytes.Equal(h.Sum(nil), p.Digest) {
		t.Fatal("digest is not the hash of the file without the hole")
	}
}
