//go:build foreign

package conformance_test

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/validate"
)

// trials are files of which we and DSS say something, by name.
type trials struct {
	*mill
	all map[string]trial
}

type trial struct {
	file   []byte
	strict bool // the policy wants revocation data
}

func (r *trials) pdf(name string, strict bool, file []byte) { r.all[name+".pdf"] = trial{file, strict} }

func (r *trials) xml(name string, strict bool, file string) {
	r.all[name+".xml"] = trial{[]byte(file), strict}
}

// both makes a PDF and an XML file.
func (r *trials) both(name string, strict bool, s made) {
	r.Helper()
	r.pdf(name, strict, r.mill.pdf(plainPDF(false), s))
	r.xml(name, strict, r.mill.xml(lease, s))
}

// one makes a PDF or an XML file, by turns.
func (r *trials) one(name string, strict bool, s made) {
	r.Helper()
	if len(r.all)%2 == 0 {
		r.pdf(name, strict, r.mill.pdf(plainPDF(false), s))
	} else {
		r.xml(name, strict, r.mill.xml(lease, s))
	}
}

// ours is what we say of a file's signatures, in the order of words.
func (r *trials) ours(name string) string {
	r.Helper()
	c := r.all[name]
	opt := validate.Options{Revocation: validate.RevocationIfCarried}
	opt.Anchors = append(opt.Anchors, r.root.cert)
	if c.strict {
		opt.Revocation = validate.RevocationRequired
	}
	rep, err := validate.File(r.Context(), name, bytes.NewReader(c.file), int64(len(c.file)), opt)
	if err != nil {
		return "refused"
	}
	var words []string
	for _, s := range rep.Signatures {
		if !s.IsTimeStamp() {
			words = append(words, s.Words())
		}
		r.Logf("%s: %s %q %q", name, s.Words(), s.Why, s.Warnings)
		warned := strings.Contains(name, "issuerSerial of") || strings.Contains(name, "issuerSerial, another") || strings.Contains(name, "without a zone") ||
			s.Proven == nil && (strings.HasPrefix(name, "stamp:") || strings.HasPrefix(name, "time-stamp authority"))
		if warned != (len(s.Warnings) > 0) {
			r.Errorf("%s: warnings %q", name, s.Warnings)
		}
	}
	slices.Sort(words)
	return strings.Join(words, "; ")
}

// theirs is what DSS says of all files, in the same words.
func (r *trials) theirs() map[string]string {
	r.Helper()
	dir := r.TempDir()
	root := filepath.Join(dir, "root.pem")
	r.must(os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.root.cert.Raw}), 0o600))
	files := map[bool][]string{}
	for name, c := range r.all {
		path := filepath.Join(dir, name)
		r.must(os.WriteFile(path, c.file, 0o600))
		files[c.strict] = append(files[c.strict], path)
	}
	said := map[string][]string{}
	for strict, list := range files {
		got, err := judge.DSS(r.Context(), testenv.Root(), judge.DSSQuestion{Anchor: root, NoRevocation: !strict}, list...)
		r.must(err)
		for _, v := range got {
			words, name := strings.ReplaceAll(v.Indication, "_", "-"), filepath.Base(v.File)
			if v.Sub != "" {
				words += ", " + v.Sub
			}
			if v.Error != "" {
				words = "refused"
			}
			r.Logf("%s: DSS says %s [%s] %s %s", name, words, v.Stamps, v.Words, v.Error)
			said[name] = append(said[name], words)
		}
	}
	out := map[string]string{}
	for name, words := range said {
		slices.Sort(words)
		out[name] = strings.Join(words, "; ")
	}
	return out
}

// ADE-03, ADE-05: of files that should not pass, of files that should not pass for another reason, and of odd ones that should, we say what DSS
// says; and where we do not, testdata/trials.tsv has both answers and names the line of DIVERGENCES.md that says why. Whoever changes an
// answer of ours sees it here, and so do we when DSS changes its own.
func TestADE03DefectiveFilesAsDSSJudgesThem(t *testing.T) {
	t.Parallel()
	r := &trials{newMill(t), map[string]trial{}}
	for _, set := range []func(){r.certificates, r.revocations, r.stamped, r.messages, r.documents, r.strict} {
		set()
	}
	table, reasons := readTrials(t)
	theirs := r.theirs()
	for name := range r.all {
		ours, want := r.ours(name), table[name]
		if why := want.why; ours != want.ours || theirs[name] != want.theirs || (ours == theirs[name]) != (why == "") || why != "" && !strings.Contains(reasons, "\n| "+why+" |") {
			t.Errorf("%s\t%s\t%s\t%s: in trials.tsv %q", name, ours, theirs[name], why, want)
		}
		delete(table, name)
	}
	if len(table) > 0 {
		t.Errorf("files in trials.tsv that are not made: %v", table)
	}
}

type answers struct{ ours, theirs, why string }

// readTrials reads what is known of the files, and the reasons.
func readTrials(t *testing.T) (map[string]answers, string) {
	t.Helper()
	text, err := os.ReadFile("testdata/trials.tsv")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]answers{}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if len(f) == 2 { // one answer of both
			f = append(f, f[1], "")
		}
		if len(f) != 4 {
			t.Fatalf("trials.tsv: %q", line)
		}
		out[f[0]] = answers{f[1], f[2], f[3]}
	}
	reasons, err := os.ReadFile("DIVERGENCES.md")
	if err != nil {
		t.Fatal(err)
	}
	return out, string(reasons)
}
