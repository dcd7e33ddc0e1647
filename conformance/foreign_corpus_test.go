//go:build foreign

package conformance_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/workers"
)

// corpus signs what it can of PDFs by others at B-LTA. It gives the files as they came by those that were signed.
func corpus(t *testing.T, d *desk, r *raiser) map[string]string {
	t.Helper()
	signed := map[string]string{}
	root := testenv.Corpora(t, "pdf/pyhanko")
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".pdf") {
			return err
		}
		doc, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := strings.ReplaceAll(strings.TrimPrefix(path, root+"/"), "/", "-")
		file, err := d.try("pades", name, doc, algo.P256, algo.ES256, r.properties("B-LTA"))
		if err == nil {
			signed[file] = path
		} else if !errors.Is(err, workers.ErrInput) {
			t.Errorf("%s: %v is no refusal of the document", name, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// notRead are the files of the corpus about whose last signature pyHanko does not decide, and why: most of them it
// does not read as they came either. Of two an earlier time-stamp is by an authority that nobody here trusts.
var notRead = map[string]string{
	"broken-objstream4.pdf": "Object not found in stream", "minimal-hybrid-xref-weirdgen.pdf": "hybrid-reference", "minimal-hybrid-xref.pdf": "hybrid-reference",
	"minimal-hybrid-xref-mswordstyle.pdf": "hybrid-reference", "minimal-with-orphaned-xrefs.pdf": "orphaned generation", "minimal-broken-xref-size.pdf": "sizes must be nondecreasing",
	"circular-page-tree.pdf": "Circular reference in page tree", "minimal-illegal-header.pdf": "Illegal PDF header", "page-tree-direct-kid.pdf": "Array contains direct objects",
	"coverage-anomalies-base.pdf": "asn1crypto.cms.ContentInfo", "malformed-xref-space-padded.pdf": "Unknown marker", "safedocs-CompactedPDFSyntaxTest.pdf": "NullObject",
	"struct-tree-circular-ref.pdf": "Circular reference in structure tree", "minimal-with-nonexistent-refs.pdf": "not found in the current context", "form-tree-circular-ref-input.pdf": "Circular reference in form tree",
	"pades-lta-dss-indirect-arrs-test.pdf": "NO_POE", "pades-lta-dss-indirect-arrs-test-2.pdf": "NO_POE",
}

// ADE-03, ADE-04: PDFs by others that torture writers, signed at B-LTA: pdfsig and pyHanko find each signature right, with its document
// time-stamp and validation data, and veraPDF says of each file what it said before.
func TestADE04PyHankoAndVeraPDFJudgeTheCorpus(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	r.signer(t, d, algo.P256)
	signed := corpus(t, d, r)
	var files, before []string
	for file, was := range signed {
		files, before = append(files, file), append(before, was)
		say, err := exec.Command(testenv.Need(t, "pdfsig"), "-nocert", file).CombinedOutput()
		if err != nil || !bytes.Contains(say, []byte("Signature is Valid")) {
			t.Errorf("pdfsig of %s: %v\n%s", filepath.Base(file), err, say)
		}
	}
	if len(files) < 75 {
		t.Fatalf("only %d files are signed", len(files))
	}
	vera, err := judge.VeraPDF(t.Context(), testenv.Root(), append(before, files...)...)
	if err != nil || len(vera) != 2*len(files) {
		t.Fatalf("veraPDF: %d answers: %v", len(vera), err)
	}
	for i, file := range files {
		sameVerdict(t, filepath.Base(file), vera[i], vera[len(files)+i])
	}
	hanko, err := judge.PyHanko(t.Context(), testenv.Root(), r.a.Root, false, files...)
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]judge.PyHankoVerdict{}
	for _, v := range hanko {
		ours[v.File] = v // ours is the last of a file
	}
	for _, file := range files {
		v, name := ours[file], filepath.Base(file)
		passed := v.Indication == "PASSED" && v.Stamps > 0 && v.Stamped
		if why := notRead[name]; passed != (why == "") || !strings.Contains(v.Sub+v.Error, why) {
			t.Errorf("%s: pyHanko says %s %s %s %s, want %q", name, v.Indication, v.Sub, v.Words, v.Error, why)
		}
	}
	t.Logf("%d files at B-LTA; pyHanko passes all but %d", len(files), len(notRead))
}

// sameVerdict compares what veraPDF says of a file before and after. A file that declares no part of PDF/A is judged as PDF/A-1b, which wants an
// appearance (6.9) of the signature's invisible field: it gets one where the file says that it is PDF/A-1. One that veraPDF could not read may have become readable.
func sameVerdict(t *testing.T, name string, was, is judge.VeraVerdict) {
	t.Helper()
	if was.Error != "" {
		return
	}
	broken := strings.Fields(was.Rules)
	for _, rule := range strings.Fields(is.Rules) {
		if !slices.Contains(broken, rule) && (rule != "6.9-2" || was.Flavour != "1b" || was.Compliant) {
			t.Errorf("%s: veraPDF finds the rule %s broken", name, rule)
		}
	}
	if was.Flavour != is.Flavour || was.Compliant != is.Compliant || is.Error != "" {
		t.Errorf("%s: veraPDF said %+v, says %+v", name, was, is)
	}
}
