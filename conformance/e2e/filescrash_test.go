package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The points that a run of the short form visits with several files: what is new in them is that many uploads
// become one item, and that the signature takes the place of the files.
var filesPoints = []string{
	"ssad/04-document-saved=after:2", "ssad/05-dtbsr-computed=after:1", "ssad/08-approval-stored=after:1",
	"ssad/11-signature-embedded=before:1", "ssad/11-signature-embedded=twice:1", "ssad/17-result-row-committed=before:1",
}

// threeFiles is a task over files of three kinds under one detached signature. The first is longer than the signature and
// the others are shorter, so that it takes the place of one whole and of a part of the next, or ends in the first.
func (a *armed) threeFiles(t *testing.T, words string) task {
	pdf, _ := document(t, words)
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "terms.txt"), pdf, filepath.Join(dir, "Τιμές 1.csv")}
	for path, text := range map[string]string{files[0]: strings.Repeat(words+"\n", 200), files[2]: "shed;240\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return task{files: files, args: []string{"--level", "B-T", "--packaging", "detached"}, judge: func(signed []byte) {
		a.t.Helper()
		out := filepath.Join(a.t.TempDir(), "signed.xades")
		if err := os.WriteFile(out, signed, 0o600); err != nil {
			a.t.Fatal(err)
		}
		args := []string{"verify", out, "--trust", filepath.Join(a.dir, "pki/root.pem")}
		for _, f := range files {
			args = append(args, "--detached", f)
		}
		a.run(args...)
	}}
}

// FPT-05, SAP-03, ADE-02, F21, I1 to I5: ssad is killed at named points while three files are signed by one detached
// signature, which takes the place of them all: it is over all three or there is none, and the key is used once.
func TestFPT05SSAKilledWithSeveralFiles(t *testing.T) {
	a := newArmed(t)
	points := pointsOr(filesPoints)
	for _, p := range points {
		t.Run(strings.ReplaceAll(p, "/", ":"), func(t *testing.T) { a.crashAt(t, p, a.threeFiles) })
	}
	a.t = t
	a.audited()
	t.Logf("%d points", len(points))
}
