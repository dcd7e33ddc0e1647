//go:build foreign

package conformance_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/testenv"
)

// pairs are all kinds of key, but for those that differ from another in length alone, with each algorithm that fits.
func pairs(f func(kt algo.KeyType, alg algo.Algorithm)) {
	for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA3072} {
		for _, alg := range algo.All() {
			if kt.Fits(alg) {
				f(kt, alg)
			}
		}
	}
}

// ADE-01, ADE-03: each level of PDF signatures, of each kind of key and each algorithm, before each judge that understands it:
// DSS recognises the level and passes it, pyHanko passes it with as many document time-stamps, and pdfsig, mutool and
// OpenSSL find the signature, its signing certificate and its time-stamps right. B-LT and B-LTA pass with the demand for revocation data in force.
func TestADE03DSSAndPyHankoJudgeEveryLevelOfPDF(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	early, late := map[string]wants{}, map[string]wants{}
	earlyStamps, lateStamps := map[string]int{}, map[string]int{}
	pairs(func(kt algo.KeyType, alg algo.Algorithm) {
		r.signer(t, d, kt)
		for _, level := range []string{"B", "T", "LT", "LTA"} {
			file := d.pdf(t, fmt.Sprintf("%s-%s-%s.pdf", kt, alg, level), plainPDF(false), kt, alg, r.properties("B-"+level))
			want, stamps := early, earlyStamps
			if strings.HasPrefix(level, "LT") {
				want, stamps = late, lateStamps
			}
			want[file], stamps[file] = wants{"PAdES-BASELINE-" + level, "TOTAL_PASSED", ""}, strings.Count(level, "A")
			byTheSmallJudges(t, file, r.a.Root, level, alg.IsPSS())
		}
	})
	if len(early) != 18 || len(late) != 18 {
		t.Fatalf("%d and %d files", len(early), len(late))
	}
	judged(t, judge.DSSQuestion{Anchor: r.a.Root, NoRevocation: true}, early)
	judged(t, judge.DSSQuestion{Anchor: r.a.Root}, late)
	asked(t, r.a.Root, true, earlyStamps, "PASSED", "")
	asked(t, r.a.Root, false, lateStamps, "PASSED", "")
}

// byTheSmallJudges asks those that know one thing: of a signature whose file goes on with validation data, about the file as it was signed. RSASSA-PSS is strange to one of them.
func byTheSmallJudges(t *testing.T, file, root, level string, pss bool) {
	t.Helper()
	first := file
	if strings.HasPrefix(level, "LT") {
		b, err := judge.FirstRevision(file)
		if err != nil {
			t.Fatal(err)
		}
		first = file + "-first.pdf"
		if err := os.WriteFile(first, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	say := func(v judge.Verdict, err error) {
		t.Helper()
		if err != nil || !v.OK {
			t.Errorf("%s: %s says %q %v", filepath.Base(file), v.Judge, v.Words, err)
		}
	}
	say(judge.QPDF(t.Context(), file))
	say(judge.PDFSig(t.Context(), first))
	if v, err := judge.MuTool(t.Context(), first); !pss || err != nil || v.OK || !strings.Contains(v.Words, "Digest error: Unknown error.") {
		say(v, err)
	}
	say(judge.CMS(t.Context(), first, root))
	if level == "B" {
		if _, err := judge.TimeStamp(t.Context(), first, root); !errors.Is(err, judge.ErrNoSignature) {
			t.Errorf("%s has a time-stamp: %v", filepath.Base(file), err)
		}
		return
	}
	say(judge.TimeStamp(t.Context(), first, root))
	if level == "LTA" {
		say(judge.DocTimeStamp(t.Context(), file, root))
	}
}

// shapes are documents that are more than a page, with what their signature is asked for.
func shapes(t *testing.T) map[string]struct {
	doc        []byte
	properties []string
	field      string
} {
	const page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R /Annots [6 0 R 7 0 R] >>"
	form := func(version, lock string) []byte {
		return filePDF(version, "<< /Type /Catalog /Pages 2 0 R /AcroForm << /DA (/F1 9 Tf 0 g) /DR << /Font << /F1 5 0 R >> >> /Fields [6 0 R 7 0 R] >> >>", page, greeting, helvetica,
			"<< /Type /Annot /Subtype /Widget /FT /Sig /T (Approval) /F 132 /P 3 0 R /Rect [0 0 0 0] "+lock+" >>",
			"<< /Type /Annot /Subtype /Widget /FT /Tx /T (Amount) /V (240) /F 4 /P 3 0 R /Rect [20 20 90 40] >>")
	}
	return map[string]struct {
		doc        []byte
		properties []string
		field      string
	}{
		"empty field":          {form("1.7", ""), nil, "Approval"},
		"beside an empty one":  {form("1.7", ""), nil, ""},
		"locks all":            {form("1.7", "/Lock << /Type /SigFieldLock /Action /All >>"), nil, "Approval"},
		"locks one":            {form("1.7", "/Lock << /Type /SigFieldLock /Action /Include /Fields [(Amount)] >>"), nil, "Approval"},
		"locks all others":     {form("2.0", "/Lock << /Type /SigFieldLock /Action /Exclude /Fields [(Approval)] >>"), nil, "Approval"},
		"PDF 2.0":              {filePDF("2.0", "<< /Type /Catalog /Pages 2 0 R /Extensions << /ISO_ << /BaseVersion /2.0 /ExtensionLevel 32001 >> >> >>", onePage, greeting, helvetica), nil, ""},
		"PDF 2.0 in the root":  {filePDF("1.7", "<< /Type /Catalog /Version /2.0 /Pages 2 0 R >>", onePage, greeting, helvetica), nil, ""},
		"PDF/A-1":              {archivalPDF("1"), nil, ""},
		"certified, no change": {plainPDF(false), []string{"certification_level", "no_changes_allowed"}, ""},
		"certified, forms":     {form("1.7", ""), []string{"certification_level", "form_filling_allowed"}, "Approval"},
		"visible":              {plainPDF(false), []string{"add_visible_signature", "true", "visible_signature_text", "Υπογραφή {name}", "visible_signature_custom_image_path", picture(t, t.TempDir())}, ""},
	}
}

// ADE-03, ADE-04, ADE-06: at B-LTA too, a signature in an empty field of the author's, with each of its locks, a certifying and a visible one, and one of
// PDF 2.0 pass before DSS and pyHanko, who hold later changes against locks and certification; the file says the same version and shows the same form fields as before.
func TestADE03DSSAndPyHankoJudgeShapesOfPDF(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	r.signer(t, d, algo.P256)
	want, stamps := map[string]wants{}, map[string]int{}
	for name, c := range shapes(t) {
		d.params = map[string]string{}
		if c.field != "" {
			d.params["field"] = c.field
		}
		file := d.pdf(t, strings.NewReplacer(" ", "-", "/", "").Replace(name)+".pdf", c.doc, algo.P256, algo.ES256, r.properties("B-LTA", c.properties...))
		want[file], stamps[file] = wants{"PAdES-BASELINE-LTA", "TOTAL_PASSED", ""}, 1
		byTheSmallJudges(t, file, r.a.Root, "LTA", false)
		before := filepath.Join(d.dir, "before.pdf")
		if err := os.WriteFile(before, c.doc, 0o600); err != nil {
			t.Fatal(err)
		}
		if was, is := version(t, before), version(t, file); was != is || strings.HasPrefix(name, "PDF 2.0") && is != "2.0" {
			t.Errorf("%s: version %s, before %s", name, is, was)
		}
		signed, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(signed, c.doc) {
			t.Fatalf("%s: not appended: %v", name, err)
		}
		// The document time-stamp has a field of its own; a signature has one where none was named.
		if n := bytes.Count(signed, []byte("/FT /Sig")); c.field != "" && n != bytes.Count(c.doc, []byte("/FT /Sig"))+2 {
			t.Errorf("%s: %d fields", name, n)
		}
		if locks := bytes.Contains(signed, []byte("/TransformMethod /FieldMDP")); locks != strings.HasPrefix(name, "locks") {
			t.Errorf("%s: it locks fields: %t", name, locks)
		}
	}
	judged(t, judge.DSSQuestion{Anchor: r.a.Root}, want)
	asked(t, r.a.Root, false, stamps, "PASSED", "")
}

// version is what pdfinfo takes a file's version for.
func version(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.Command(testenv.Need(t, "pdfinfo"), file).Output()
	if err != nil {
		t.Fatalf("pdfinfo: %v", err)
	}
	_, rest, _ := strings.Cut(string(out), "PDF version:")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// ADE-03, ADE-06: of two signers one after the other at B-LTA each signature passes before DSS and pyHanko.
func TestADE06DSSAndPyHankoJudgeSeveralSigners(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	doc, file := plainPDF(false), ""
	for i, kt := range []algo.KeyType{algo.P256, algo.P384} {
		r.signer(t, d, kt)
		file = d.pdf(t, fmt.Sprintf("signer-%d.pdf", i), doc, kt, kt.Default(), r.properties("B-LTA"))
		var err error
		if doc, err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	dss, err := judge.DSS(t.Context(), testenv.Root(), judge.DSSQuestion{Anchor: r.a.Root}, file)
	if err != nil || len(dss) != 2 {
		t.Fatalf("DSS: %+v %v", dss, err)
	}
	for _, v := range dss {
		if v.Level != "PAdES-BASELINE-LTA" || v.Indication != "TOTAL_PASSED" {
			t.Errorf("DSS: %+v", v)
		}
	}
	hanko, err := judge.PyHanko(t.Context(), testenv.Root(), r.a.Root, false, file)
	if err != nil || len(hanko) != 2 {
		t.Fatalf("pyHanko: %+v %v", hanko, err)
	}
	for _, v := range hanko {
		if v.Indication != "PASSED" || v.Stamps != 2 {
			t.Errorf("pyHanko: %+v", v)
		}
	}
}
