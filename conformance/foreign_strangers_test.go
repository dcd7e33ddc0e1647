//go:build foreign

package conformance_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	slashed "path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/validate"
)

// stranger is a signed file that somebody else made, and what DSS says of it.
type stranger struct {
	Jar     string `json:"jar"`
	Name    string `json:"name"`
	Sum     string `json:"sum"`         // SHA-256
	Time    int64  `json:"time,string"` // as of when, Unix time
	Anchors string `json:"anchors"`     // Base64, separated by spaces
	Says    string `json:"says"`        // of each signature, sorted; "refused", "no signature" or "not asked"
	data    []byte
}

// signed tells PDF files, and others in which a value of an XML signature is named.
func signed(name string, data []byte) bool {
	if strings.HasSuffix(name, ".class") {
		return false
	}
	word := "SignatureValue"
	wide := strings.Join(strings.Split(word, ""), "\x00") // UTF-16, but for the zero at one end
	return bytes.Contains(data[:min(len(data), 1024)], []byte("%PDF-")) || bytes.Contains(data, []byte(word)) || bytes.Contains(data, []byte(wide))
}

// openJar reads what is signed in a jar, and says what is not, by kind: "3 png, 1 txt". It gives the jar's SHA-256 too.
func openJar(t *testing.T, file string) (found map[string][]byte, left, sum string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	found = map[string][]byte{}
	others := map[string]int{}
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		data, err := readEntry(f)
		if err != nil {
			t.Fatal(err)
		}
		if signed(f.Name, data) {
			found[f.Name] = data
		} else {
			others[strings.TrimPrefix(slashed.Ext(f.Name), ".")]++
		}
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(others)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", others[kind], kind))
	}
	return found, strings.Join(kinds, ", "), sumOf(raw)
}

func readEntry(f *zip.File) ([]byte, error) {
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	return io.ReadAll(in)
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// filesOfStrangers are the files of all jars with what DSS says of them, by jar and name, and a line for each jar. What DSS was not asked about,
// and what it speaks of and is not there, is an error.
func filesOfStrangers(t *testing.T) (files map[string]*stranger, jars []string) {
	t.Helper()
	dir := filepath.Join(testenv.Root(), "var", "judges", "files")
	said, err := os.ReadFile(filepath.Join(dir, "said.jsonl"))
	if err != nil {
		t.Fatalf("%v (.ci/javajudges makes it)", err)
	}
	files = map[string]*stranger{}
	for line := range strings.Lines(string(said)) {
		s := &stranger{}
		if err := json.Unmarshal([]byte(line), s); err != nil {
			t.Fatal(err)
		}
		files[s.Jar+"\t"+s.Name] = s
	}
	list, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range list {
		jar := filepath.Base(file)
		found, left, sum := openJar(t, file)
		jars = append(jars, strings.Join([]string{jar, "", sum, left}, "\t"))
		for name, data := range found {
			if s := files[jar+"\t"+name]; s == nil || s.Sum != sumOf(data) {
				t.Errorf("%s of %s: DSS was not asked about it", name, jar)
			} else {
				s.data = data
			}
		}
	}
	for key, s := range files {
		if s.data == nil {
			t.Errorf("%q: DSS was asked about it, and it is not there", key)
		}
	}
	return files, jars
}

// ours is what we say of the file, asked as DSS was; and why.
func (s *stranger) ours(t *testing.T) (says, why string) {
	t.Helper()
	opt := validate.Options{Now: time.Unix(s.Time, 0), Revocation: validate.RevocationIfCarried}
	for text := range strings.FieldsSeq(s.Anchors) {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := x509.ParseCertificate(der); err == nil { // DSS trusts some that are none
			opt.Anchors = append(opt.Anchors, a)
		}
	}
	rep, err := validate.File(t.Context(), slashed.Base(s.Name), bytes.NewReader(s.data), int64(len(s.data)), opt)
	if err != nil {
		return "refused", err.Error()
	}
	var words []string
	for _, g := range rep.Signatures {
		if !g.IsTimeStamp() {
			words = append(words, g.Words())
		}
		why += fmt.Sprintf("%s %q\n", g.Words(), g.Why)
	}
	if len(words) == 0 {
		return "no signature", why
	}
	slices.Sort(words)
	return strings.Join(words, "; "), why
}

// judgeStrangers gives our answers and why, by jar and name.
func judgeStrangers(t *testing.T, files map[string]*stranger) map[string][2]string {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	out, work := map[string][2]string{}, make(chan string)
	for range 2 {
		all.Go(func() {
			for key := range work {
				says, why := files[key].ours(t)
				mu.Lock()
				out[key] = [2]string{says, why}
				mu.Unlock()
			}
		})
	}
	for key, s := range files {
		if s.data != nil {
			work <- key
		}
	}
	close(work)
	all.Wait()
	return out
}

// ADE-03: of the signed files of strangers that come with DSS's tests, good and bad ones, we say what DSS says as of the time that they claim, if
// what they carry on top of their paths were trusted; and where we do not, testdata/strangers.tsv has both answers and the line of DIVERGENCES.md
// that says why. The files are not ours to hand on: the table knows them, and the jars, by their SHA-256, and counts what was left out of each.
func TestADE03FilesOfStrangersAsDSSJudgesThem(t *testing.T) {
	t.Parallel()
	files, jars := filesOfStrangers(t)
	table, reasons := readStrangers(t)
	for _, line := range jars {
		if !table[line] {
			t.Errorf("not in strangers.tsv: %s", line)
		}
		delete(table, line)
	}
	for key, answer := range judgeStrangers(t, files) {
		s, ours := files[key], answer[0]
		row := strings.Join([]string{s.Jar, s.Name, s.Sum, ours}, "\t")
		if s.Says != ours {
			row += "\t" + s.Says
		}
		known := ""
		for line := range table {
			if line == row || s.Says != ours && strings.HasPrefix(line, row+"\t") && strings.Contains(reasons, "\n| "+line[len(row)+1:]+" |") {
				known = line
			}
		}
		if known == "" {
			t.Errorf("not in strangers.tsv, or without a reason: %s\n%s", row, answer[1])
		}
		delete(table, known)
	}
	if len(table) > 0 {
		t.Errorf("strangers.tsv has what nobody said: %q", slices.Sorted(maps.Keys(table)))
	}
}

// readStrangers reads the table, whose lines are jar, name, SHA-256, our answer, DSS's if it is another one, and the reason; and the reasons.
func readStrangers(t *testing.T) (map[string]bool, string) {
	t.Helper()
	text, err := os.ReadFile("testdata/strangers.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			lines[strings.TrimSuffix(line, "\n")] = true
		}
	}
	reasons, err := os.ReadFile("DIVERGENCES.md")
	if err != nil {
		t.Fatal(err)
	}
	return lines, string(reasons)
}
