// Package judge runs programs that we did not write over files that we made:
// pdfsig (poppler), mutool, qpdf, OpenSSL, xmlsec1, xmllint, EU DSS, veraPDF, the JDK,
// pyHanko, and digitorus/pdfsign in a child process. A
// judge that is not installed is ErrMissing and never an agreement.
//
// What each can and cannot see is in conformance/DIVERGENCES.md. None of them
// alone is enough: poppler calls signatures over changed documents "valid", so
// a pass here also needs "Total document signed".
package judge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// ErrMissing means that the judge's program is not installed.
var ErrMissing = errors.New("judge: program is not installed")

// timeLimit bounds one run of one judge.
const timeLimit = 60 * time.Second

// maxOutput bounds what is kept of a judge's words.
const maxOutput = 64 << 10

// Verdict is what a judge said.
type Verdict struct {
	Judge   string        `json:"judge"`   // what was asked, such as "qpdf --check"
	Version string        `json:"version"` // of the program
	OK      bool          `json:"ok"`
	Words   string        `json:"words"` // the decisive lines of its output
	Took    time.Duration `json:"took"`
}

// Tool is a program found on the path.
type Tool struct {
	path    string
	version string
	dir     string // it runs there; "" for that of this process
}

// Find looks for a program and asks its version. ErrMissing.
func Find(ctx context.Context, program string, versionArgs ...string) (*Tool, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrMissing, program)
	}
	// Once in the life of this process: to ask takes as long as many a judgement.
	key := strings.Join(append([]string{path}, versionArgs...), "\x00")
	if known, ok := versions.Load(key); ok {
		return &Tool{path: path, version: known.(string)}, nil
	}
	out, _ := exec.CommandContext(ctx, path, versionArgs...).CombinedOutput() // pdfsig -v exits with 0, others differ
	first, _, _ := strings.Cut(string(out), "\n")
	first = strings.TrimSpace(first)
	if ctx.Err() == nil {
		versions.Store(key, first)
	}
	return &Tool{path: path, version: first}, nil
}

// versions are what programs said of themselves.
var versions sync.Map

// run executes the tool in a neutral environment and returns all it said.
func (t *Tool) run(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, t.path, args...)
	cmd.Dir = t.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC", "HOME=" + os.TempDir()}
	var out bytes.Buffer
	both := &limited{w: &out} // the same writer for both: one pipe, nothing at once
	cmd.Stdout, cmd.Stderr = both, both
	err := cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("%s: %w", filepath.Base(t.path), ctx.Err())
	}
	return out.String(), err
}

// limited drops what is over maxOutput.
type limited struct{ w *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.w.Len(); room > 0 {
		l.w.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// QPDF runs qpdf --check. Warnings are no pass.
func QPDF(ctx context.Context, file string) (Verdict, error) {
	t, err := Find(ctx, "qpdf", "--version")
	if err != nil {
		return Verdict{}, err
	}
	start := time.Now()
	out, err := t.run(ctx, "--check", file)
	ok := err == nil && !strings.Contains(out, "WARNING")
	return Verdict{"qpdf --check", t.version, ok, words(out, "No syntax", "WARNING", "ERROR", "error"), time.Since(start)}, nil
}

var (
	sigHeader = regexp.MustCompile(`(?m)^Signature #\d+:`)
	sigValid  = regexp.MustCompile(`(?m)^\s+- Signature Validation: Signature is Valid\.$`)
	sigEmpty  = regexp.MustCompile(`(?m)^\s+The signature form field is not signed\.$`)
	sigTotal  = regexp.MustCompile(`(?m)^\s+- Total document signed$`)
)

// PDFSig runs pdfsig. A pass needs every signature valid and the last one over
// the total document: "valid" alone is what pdfsig also says of documents that
// were changed after signing. Certificates are not its business here (-nocert).
func PDFSig(ctx context.Context, file string) (Verdict, error) {
	t, err := Find(ctx, "pdfsig", "-v")
	if err != nil {
		return Verdict{}, err
	}
	start := time.Now()
	out, err := t.run(ctx, "-nocert", file)
	n := len(sigHeader.FindAllString(out, -1)) - len(sigEmpty.FindAllString(out, -1))
	ok := err == nil && n > 0 && len(sigValid.FindAllString(out, -1)) == n && sigTotal.MatchString(out)
	return Verdict{"pdfsig", t.version, ok, words(out, "Validation", "document signed"), time.Since(start)}, nil
}

// MuTool runs mutool sign -v. A pass needs each signature of the file to be over the total document as it is: "valid but
// there have been edits" is none. It knows no RSASSA-PSS ("Digest error: Unknown error."), and no anchors of ours.
func MuTool(ctx context.Context, file string) (Verdict, error) {
	t, err := Find(ctx, "mutool", "-v")
	if err != nil {
		return Verdict{}, err
	}
	start := time.Now()
	out, err := t.run(ctx, "sign", "-v", file)
	n := strings.Count(out, "Verifying signature") - strings.Count(out, "Signature is not signed.")
	whole := strings.Count(out, "The document is unchanged since signing.")
	return Verdict{"mutool sign -v", t.version, err == nil && n > 0 && whole == n, words(out, "signing", "error"), time.Since(start)}, nil
}

// PDFSign runs the verifier of digitorus/pdfsign, built from
// conformance/cmd/pdfsignjudge at the given path. It parses PDFs without bounds
// (it is no part of any of our programs for that reason), so the child limits
// its own memory and time, and it gets our own output only.
func PDFSign(ctx context.Context, program, file string) (Verdict, error) {
	t, err := Find(ctx, program, "-version")
	if err != nil {
		return Verdict{}, err
	}
	start := time.Now()
	out, err := t.run(ctx, file)
	return Verdict{"pdfsign verifier", t.version, err == nil, words(out, "signature"), time.Since(start)}, nil
}

// words keeps the lines that contain one of the keys, at most eight.
func words(out string, keys ...string) string {
	var keep []string
	for _, l := range strings.Split(out, "\n") {
		l = strings.TrimLeft(strings.TrimSpace(l), "- ")
		for _, k := range keys {
			if strings.Contains(l, k) && len(keep) < 8 {
				keep = append(keep, l)
				break
			}
		}
	}
	if len(keep) == 0 {
		return strings.TrimSpace(out)
	}
	return strings.Join(keep, "; ")
}
