package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
)

// fileTime is the longest that any file of the corpus may take, in all calls.
const fileTime = 5 * time.Second

// corpusFiles returns the names of all files below the corpus.
func corpusFiles(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".pdf") {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil || len(names) < 100 {
		t.Fatalf("corpus: %d files, %v", len(names), err)
	}
	sort.Strings(names)
	return names
}

// sentinelName names the refusal for testdata/refusals.txt.
func sentinelName(err error) string {
	for _, s := range []struct {
		name string
		err  error
	}{
		{"ErrNotPDF", ErrNotPDF}, {"ErrEncrypted", ErrEncrypted}, {"ErrPassword", ErrPassword}, {"ErrPermission", ErrPermission},
		{"ErrLimit", ErrLimit}, {"ErrForbidden", ErrForbidden},
		{"ErrField", ErrField}, {"ErrUnsupported", ErrUnsupported}, {"ErrMalformed", ErrMalformed},
	} {
		if errors.Is(err, s.err) {
			return s.name
		}
	}
	return "untyped error " + err.Error()
}

// readRefusals reads the reviewed list: file, sentinel, cause.
func readRefusals(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/refusals.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, " ", 3)
		if len(f) != 3 {
			t.Fatalf("refusals.txt: %q: want file, error, cause", line)
		}
		out[f[0]] = f[1]
	}
	return out
}

// D11, F28: no file of the corpus crashes or delays any reading, or takes much memory; every refusal is
// a typed error that is in the reviewed list, and every entry there is refused.
func TestCorpusRefusalsAreTheReviewedOnes(t *testing.T) {
	dir := testenv.Corpora(t, "pdf/pyhanko")
	want := readRefusals(t)
	for _, name := range corpusFiles(t, dir) {
		in, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		var out *memFile
		bounded(t, hostileMemory, func() {
			testenv.Within(t, name, fileTime, func() {
				exerciseReading(t, name, in)
				out = &memFile{}
				_, err = Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), out, testOptions())
			})
		})
		switch {
		case err == nil && want[name] != "":
			t.Errorf("%s: is signed now; remove it from refusals.txt", name)
		case err != nil && want[name] == "":
			t.Errorf("%s: refused and not in refusals.txt: %v", name, err)
		case err != nil && sentinelName(err) != want[name]:
			t.Errorf("%s: %v, refusals.txt says %s", name, err, want[name])
		case err != nil && len(out.b) > 0:
			t.Errorf("%s: refused, but wrote %d bytes", name, len(out.b))
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("refusals.txt names %s, which is not in the corpus", name)
	}
}

// exerciseReading calls everything that reads; errors must be typed.
func exerciseReading(t testing.TB, name string, in []byte) {
	t.Helper()
	typed := func(what string, err error) {
		if err != nil && strings.HasPrefix(sentinelName(err), "untyped") && !errors.Is(err, ErrNotPrepared) {
			t.Errorf("%s: %s: %v", name, what, err)
		}
	}
	r := bytes.NewReader(in)
	_, err := Inspect(r, int64(len(in)), Limits{})
	typed("Inspect", err)
	_, err = ReadPrepared(r, int64(len(in)))
	typed("ReadPrepared", err)
	if err == nil {
		t.Errorf("%s: passes as a prepared file", name)
	}
	d, err := Open(r, int64(len(in)), Limits{})
	typed("Open", err)
	if err != nil {
		return
	}
	sigs, err := d.Signatures()
	typed("Signatures", err)
	for _, s := range sigs {
		_, err := d.LaterChanges(s)
		typed("LaterChanges", err)
	}
}

// 1.3 (rules 1, 3, 4): of the files that qpdf finds clean at least 60 of 64, and
// of those with warnings at least 15 of 20, are prepared; qpdf finds the result no
// worse, and poppler finds that the last signature covers the total document.
func TestCorpusResultsSatisfyTheJudges(t *testing.T) {
	if testing.Short() {
		t.Skip("runs qpdf and pdfsig on every file of the corpus")
	}
	dir := testenv.Corpora(t, "pdf/pyhanko")
	qpdf, pdfsig := testenv.Need(t, "qpdf"), testenv.Need(t, "pdfsig")
	var mu sync.Mutex
	total, passed := map[int]int{}, map[int]int{}
	t.Run("files", func(t *testing.T) {
		for _, name := range corpusFiles(t, dir) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(dir, filepath.FromSlash(name))
				before := exitCode(t, qpdf, "--check", path)
				ok := judgeFile(t, path, before, qpdf, pdfsig)
				mu.Lock()
				defer mu.Unlock()
				total[before]++
				if ok {
					passed[before]++
				}
			})
		}
	})
	t.Logf("qpdf clean: %d of %d; with warnings: %d of %d", passed[0], total[0], passed[3], total[3])
	if total[0] != 64 || total[3] != 20 {
		t.Errorf("the corpus has changed: %v", total)
	}
	if passed[0] < 60 || passed[3] < 15 {
		t.Errorf("clean %d of 64 (want 60), with warnings %d of 20 (want 15)", passed[0], passed[3])
	}
}

// judgeFile signs one file and reports whether all judges are satisfied. A file
// that is refused is no failure here; the other test reviews refusals.
func judgeFile(t *testing.T, path string, before int, qpdf, pdfsig string) bool {
	in, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := &memFile{}
	p, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), out, testOptions())
	if err != nil {
		return false
	}
	if !bytes.HasPrefix(out.b, in) {
		t.Error("the input is no prefix")
	}
	hole, err := ReadPrepared(out, p.Size)
	if err != nil || hole.ByteRange != p.ByteRange || hole.Offset != p.ContentsOffset {
		t.Errorf("ReadPrepared: %+v, %v", hole, err)
	}
	if err := Embed(out, p, fakeCMS(300)); err != nil {
		t.Fatal(err)
	}
	sigs := signatures(t, out.b)
	last := sigs[len(sigs)-1]
	if !last.CoversWholeFile || len(last.Problems) > 0 {
		t.Errorf("own reading: %+v", last)
	}
	signed := filepath.Join(t.TempDir(), "signed.pdf")
	if err := os.WriteFile(signed, out.b, 0o600); err != nil {
		t.Fatal(err)
	}
	if after := exitCode(t, qpdf, "--check", signed); badness(after) > badness(before) {
		t.Errorf("qpdf --check: exit %d before, %d after", before, after)
	}
	// Rule 4: two other readers see the same pages and the same text.
	for _, judge := range [][]string{{testenv.Need(t, "mutool"), "pages"}, {testenv.Need(t, "pdftotext"), "-q"}} {
		if a, b := seenBy(judge, path), seenBy(judge, signed); a != b {
			t.Errorf("%s sees before:\n%s\nand after:\n%s", judge[0], a, b)
		}
	}
	cmd := exec.Command(pdfsig, "-nocert", signed)
	report, _ := cmd.Output() // exits 1: the fake CMS cannot be parsed
	want := fmt.Sprintf("- Signed Ranges: [0 - %d], [%d - %d]", p.ByteRange[1], p.ByteRange[2], p.Size)
	if !lastSignatureIsTotal(string(report), want) {
		t.Errorf("pdfsig: %s", report)
		return false
	}
	return true
}

// seenBy returns what a reader prints about a file, without the file's name.
func seenBy(judge []string, path string) string {
	args := append(append([]string{}, judge[1:]...), path)
	if strings.HasSuffix(judge[0], "pdftotext") {
		args = append(args, "-")
	}
	out, _ := exec.Command(judge[0], args...).Output() // a damaged file may fail, but then both do
	return strings.ReplaceAll(string(out), path, "FILE")
}

// lastSignatureIsTotal wants one signature of the report to have exactly our
// ranges and to be called total.
func lastSignatureIsTotal(report, ranges string) bool {
	for _, part := range strings.Split(report, "Signature #") {
		if strings.Contains(part, ranges) && strings.Contains(part, "Total document signed") &&
			!strings.Contains(part, "Not total document signed") {
			return true
		}
	}
	return false
}

// badness orders qpdf's exit codes: clean, warnings, errors.
func badness(code int) int { return map[int]int{0: 0, 3: 1}[code] + map[int]int{2: 2}[code] }

// exitCode runs a judge, which may take a minute.
func exitCode(t *testing.T, program string, args ...string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := exec.CommandContext(ctx, program, args...).Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", program, err)
	}
	if exit != nil {
		return exit.ExitCode()
	}
	return 0
}
