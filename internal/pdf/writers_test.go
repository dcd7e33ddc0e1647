package pdf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// ADE-04: what other writers make of the files of the corpus is no hazard for its form: linearized, with object streams, encrypted, with
// tables that leave a line free in front of the trailer, or count too few objects.
func TestADE04FilesOfOtherWritersAreSound(t *testing.T) {
	qpdf, mutool, cairo, unite := testenv.Need(t, "qpdf"), testenv.Need(t, "mutool"), testenv.Need(t, "pdftocairo"), testenv.Need(t, "pdfunite")
	paths, err := filepath.Glob(filepath.Join(testenv.Corpora(t, "pdf/pyhanko"), "minimal*.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	out, n := filepath.Join(t.TempDir(), "out.pdf"), 0
	for i, path := range paths {
		if i%4 != 0 || exec.CommandContext(t.Context(), qpdf, "--check", path).Run() != nil {
			continue
		}
		for _, args := range [][]string{
			{qpdf, "--linearize", path, out},
			{qpdf, "--object-streams=generate", path, out},
			{qpdf, "--linearize", "--object-streams=generate", "--encrypt", "", "owner", "256", "--", path, out},
			{qpdf, "--qdf", path, out},
			{mutool, "clean", path, out},
			{mutool, "clean", "-gggz", path, out},
			{cairo, "-pdf", path, out},
			{unite, path, path, out},
		} {
			if err := exec.CommandContext(t.Context(), args[0], args[1:]...).Run(); err != nil {
				continue // it does not take the file
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if n++; bytes.Count(b, []byte("%%EOF")) == 0 {
				t.Fatalf("%v wrote no file", args)
			}
			s, err := Inspect(bytes.NewReader(b), int64(len(b)), Limits{})
			if err != nil || s.Damaged {
				t.Errorf("%v: %+v, %v", args, s, err)
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d files were written", n)
	}
}
