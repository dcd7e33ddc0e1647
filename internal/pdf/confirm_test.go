package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// failer is what tests and properties have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// agrees demands that PrepareChecked writes the very file that Prepare wrote from in, and tells the same of it, if and only
// if ReadPrepared accepts that file; and that what it makes out by itself is never more than that. It reports whether it had
// no need of ReadPrepared.
func agrees(t failer, in []byte, opt SignOptions, written []byte, p *Prepared) (alone bool) {
	t.Helper()
	accepted := p.readBack(memory(written), opt)
	out := &memFile{}
	got, err := PrepareChecked(context.Background(), bytes.NewReader(in), int64(len(in)), out, opt)
	switch {
	case (err == nil) != (accepted == nil):
		t.Fatalf("PrepareChecked: %v; ReadPrepared: %v", err, accepted)
	case err != nil && !errors.Is(err, ErrNotPrepared):
		t.Fatalf("%v is not ErrNotPrepared", err)
	case err != nil && len(in) <= smallFile && len(out.b) > 0:
		t.Fatalf("refused, but wrote %d bytes", len(out.b))
	case err == nil && (!bytes.Equal(out.b, written) || !reflect.DeepEqual(got, p)):
		t.Fatalf("another file or record than that of Prepare: %+v, want %+v", got, p)
	}
	if err := opt.check(); err != nil {
		t.Fatalf("%v", err)
	}
	d, err := OpenWith(memory(in), int64(len(in)), opt.Limits, opt.Password)
	if err != nil {
		t.Fatalf("%v", err)
	}
	u, tail, q, err := d.plan(opt)
	if err != nil || !bytes.Equal(tail, written[len(in):]) {
		t.Fatalf("the plan is another one: %v", err)
	}
	alone = u.confirmed(written, q, opt)
	if alone && accepted != nil {
		t.Fatalf("confirmed, and ReadPrepared says: %v", accepted)
	}
	return alone
}

// Plain files of every shape need no second reading; those that were repaired or are encrypted have it.
func TestPlainFilesAreConfirmedWithoutReadingThemAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		in    []byte
		alone bool
	}{
		{"plain", plainPDF(), true},
		{"table", docSpec{kind: "table", annots: "direct", form: "direct", fields: "indirect", sigField: true, eol: "\r"}.build(), true},
		{"stream", docSpec{kind: "stream", packed: true, flate: true, form: "indirect", annots: "indirect"}.build(), true},
		{"hybrid", docSpec{kind: "hybrid", packed: true, annots: "indirect", pages: 3}.build(), true},
		{"junk in front", docSpec{kind: "table", junk: 3, padding: "\n\x00\x00"}.build(), true},
		{"signed before", sign(t, plainPDF(), testOptions()), true},
		{"repaired", bytes.Replace(plainPDF(), []byte("startxref"), []byte("startxxxx"), 1), false},
		{"locked", lockedForm(&lockSpec{}).build(), false},
	} {
		opt := testOptions()
		opt.Name, opt.Reason, opt.Location, opt.ContactInfo = "Ana Ćurić", "a (b) \\ c", "Ω", "x@example.org"
		out, p := prepare(t, c.in, opt)
		if alone := agrees(t, c.in, opt, out.b, p); alone != c.alone {
			t.Errorf("%s: confirmed without a second reading: %v, want %v", c.name, alone, c.alone)
		}
	}
}

// A chosen name that is taken below the root of the form is no new field for a reader who asks for it.
func TestAChosenNameThatIsTakenIsNotConfirmed(t *testing.T) {
	in := buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] >> >>", plainPages, plainPage,
		"<< /Kids [5 0 R] >>", "<< /Parent 4 0 R /FT /Sig /T (Signature1) >>")
	out := &memFile{}
	p, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), out, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	if agrees(t, in, testOptions(), out.b, p) || p.readBack(out, testOptions()) == nil {
		t.Error("confirmed")
	}
}

// A file that is too large to be held is read back from where it was written, and refused in the same way.
func TestLargeFilesAreReadBackFromTheOutput(t *testing.T) {
	in := buildPDF("/Root 1 0 R", plainCatalog, plainPages, plainPage, fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", smallFile, strings.Repeat("x", smallFile)))
	out, p := prepare(t, in, testOptions())
	agrees(t, in, testOptions(), out.b, p)
	if _, err := PrepareChecked(context.Background(), bytes.NewReader(in), int64(len(in)), forgetful{}, testOptions()); !errors.Is(err, ErrNotPrepared) {
		t.Error(err)
	}
}

// Every size on both sides of a border between buffers, with an update that is larger than the room kept for it.
func TestFilesOfEverySizeAreTheSame(t *testing.T) {
	opt := testOptions()
	opt.Reserve = smallRoom
	for _, n := range []int{100, tinyFile, smallFile} {
		for extra := -450; extra <= 550; extra += 250 {
			in := buildPDF("/Root 1 0 R", plainCatalog, plainPages, plainPage, fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", max(0, n+extra), strings.Repeat("x", max(0, n+extra))))
			out, p := prepare(t, in, opt)
			agrees(t, in, opt, out.b, p)
		}
	}
}

// forgetful writes nowhere.
type forgetful struct{}

func (forgetful) Write(b []byte) (int, error)       { return len(b), nil }
func (forgetful) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

// A small file costs one call for reading and one for writing; one that ends before its size, or a disk that is full, is an error.
func TestASmallFileIsReadOnceAndWrittenOnce(t *testing.T) {
	in := plainPDF()
	r, w := &counting{ReaderAt: bytes.NewReader(in)}, &countingFile{}
	if _, err := PrepareChecked(context.Background(), r, int64(len(in)), w, testOptions()); err != nil || r.calls != 1 || w.writes != 1 || w.reads != 0 {
		t.Errorf("%v, %d reads of the input, %d writes, %d reads of the output", err, r.calls, w.writes, w.reads)
	}
	if _, err := PrepareChecked(context.Background(), r, int64(len(in))+1, w, testOptions()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if _, err := PrepareChecked(context.Background(), r, int64(len(in)), &countingFile{full: true}, testOptions()); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := PrepareChecked(ctx, r, int64(len(in)), w, testOptions()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type countingFile struct {
	memFile
	reads, writes int
	full          bool
}

func (c *countingFile) Write(b []byte) (int, error) {
	if c.writes++; c.full {
		return 0, io.ErrShortWrite
	}
	return c.memFile.Write(b)
}

func (c *countingFile) ReadAt(b []byte, off int64) (int, error) {
	c.reads++
	return c.memFile.ReadAt(b, off)
}

// Every file of the corpus: the same outcome as with Prepare and ReadPrepared.
func TestPrepareCheckedAgreesOnTheCorpus(t *testing.T) {
	dir := testenv.Corpora(t, "pdf/pyhanko")
	signed, alone := 0, 0
	for _, name := range corpusFiles(t, dir) {
		in, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		out := &memFile{}
		p, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), out, testOptions())
		if err != nil {
			_, again := PrepareChecked(context.Background(), bytes.NewReader(in), int64(len(in)), &memFile{}, testOptions())
			if again == nil || again.Error() != err.Error() {
				t.Errorf("%s: %v, want %v", name, again, err)
			}
			continue
		}
		signed++
		if agrees(t, in, testOptions(), out.b, p) {
			alone++
		}
	}
	t.Logf("%d signed, %d of them confirmed without a second reading", signed, alone)
	if alone*10 < signed*8 {
		t.Errorf("%d of %d had to be read twice", signed-alone, signed)
	}
}
