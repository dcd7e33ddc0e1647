package signer_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/secret"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// qpdf writes a file anew; the arguments come before the names.
func qpdf(t testing.TB, in []byte, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf")
	if err := os.WriteFile(from, in, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), testenv.Need(t, "qpdf"), append(args, from, to)...).CombinedOutput()
	if b, rerr := os.ReadFile(to); rerr == nil {
		return b // qpdf says 3 for files that it repairs
	}
	t.Fatalf("qpdf: %v\n%s", err, out)
	return nil
}

func encrypted(t testing.TB, in []byte, user string, more ...string) []byte {
	t.Helper()
	return qpdf(t, in, append(append([]string{"--object-streams=generate", "--encrypt", user, "owner", "256"}, more...), "--")...)
}

// withScript adds a script to the first page, which qpdf puts into an object stream.
func withScript(in []byte) []byte {
	return bytes.Replace(in, []byte("/Type /Page /Parent"), []byte("/AA << /O << /S /JavaScript /JS (app.alert) >> >> /Type /Page /Parent"), 1)
}

func runUnits(t *testing.T, pattern string, env ...string) {
	t.Helper()
	node := testenv.Need(t, "node")
	js := unitTests(t)
	file := filepath.Join(t.TempDir(), "all.test.mjs")
	if err := os.WriteFile(file, js, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "--test", "--test-name-pattern", pattern, file)
	cmd.Env = unitEnv(env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "# fail 0") || strings.Contains(string(out), "# pass 0") {
		t.Errorf("%s", out)
	}
}

// ADE-04: the app opens the object streams of encrypted files, and counts what it cannot
// open, or what others may open in another way, as not looked through.
func TestADE04EncryptedFilesAreLookedThrough(t *testing.T) {
	dir := t.TempDir()
	plain := makePDF("Lease")
	script := withScript(plain)
	metadata := bytes.Replace(plain, []byte("/Type /Catalog"), []byte("/Metadata 90 0 R /Type /Catalog"), 1)
	metadata = append(metadata[:bytes.LastIndex(metadata, []byte("xref\n0"))], "90 0 obj\n<< /Type /Metadata /Subtype /XML /Length 4 >>\nstream\n<x/>\nendstream\nendobj\nxref\ntrailer << /Root 1 0 R >>\n"...)
	for name, b := range map[string][]byte{
		"clean": encrypted(t, plain, ""), "clean-r5": encrypted(t, plain, "", "--force-R5"), "clean-owner": encrypted(t, plain, "", "--modify=none"),
		"metadata": encrypted(t, metadata, "", "--cleartext-metadata"), "script": encrypted(t, script, ""), "user": encrypted(t, plain, "secret"),
		"count":  encrypted(t, bytes.Replace(plain, []byte("/Count 1"), []byte("/Count 7"), 1), ""),
		"aes128": qpdf(t, plain, "--encrypt", "", "owner", "128", "--use-aes=y", "--"),
		"rc4":    qpdf(t, plain, "--allow-weak-crypto", "--encrypt", "", "owner", "128", "--use-aes=n", "--"),
	} {
		if name == "metadata" && !bytes.Contains(b, []byte("<x/>")) {
			t.Fatal("qpdf left no metadata in clear")
		}
		if err := os.WriteFile(filepath.Join(dir, name+".pdf"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runUnits(t, "ADE-04", "ENCRYPTED="+dir)
}

// ADE-04, SGN-04: PDFs of the corpus, encrypted, prepared by the Go writer: the app finds the hole,
// computes the digest, and finds in them what it finds in the same files that are not encrypted.
func TestADE04EncryptedCorpus(t *testing.T) {
	dir, twins, n := t.TempDir(), t.TempDir(), 0
	root := testenv.Corpora(t, "pdf/pyhanko")
	paths, err := filepath.Glob(filepath.Join(root, "*.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	check := testenv.Need(t, "qpdf")
	for i, path := range paths {
		in, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(in, []byte("/Encrypt")) || bytes.Contains(in, []byte("/ByteRange")) || exec.CommandContext(t.Context(), check, "--check", path).Run() != nil {
			continue // qpdf writes the file anew: what is signed in it would be no more
		}
		twin := filepath.Join(twins, filepath.Base(path))
		if err := os.WriteFile(twin, qpdf(t, in, "--object-streams=generate"), 0o600); err != nil {
			t.Fatal(err)
		}
		locked := encrypted(t, in, "", [][]string{nil, {"--force-R5"}, {"--extract=n"}}[i%3]...)
		var out bytes.Buffer
		p, err := pdf.Prepare(t.Context(), bytes.NewReader(locked), int64(len(locked)), &out, pdf.SignOptions{Time: time.Unix(1_800_000_000, 0), Hash: crypto.SHA256, Reserve: 4096, Reason: "Ω"})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		n++
		want, err := json.Marshal(map[string]any{"start": p.ContentsOffset, "end": p.ContentsOffset + p.ContentsLength, "terms": map[string]any{}, "digest": sap.B64(p.Digest), "twin": twin})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, fmt.Sprintf("%03d-%s", n, filepath.Base(path)))
		if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file+".json", want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n < 20 {
		t.Errorf("only %d files were prepared", n)
	}
	runUnits(t, "corpus", "HOLE_CORPUS="+dir)
}

// ADE-04: an encrypted document is drawn and signed in the browser, also under the qualified policy;
// with a script inside it is not, and one that needs a password is not shown and not signed.
func TestADE04EncryptedInTheBrowser(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	f.policy = "qualified"
	p := enrolled(t, f, b)
	with := func(name string, in []byte) string {
		o, link := f.add()
		prepared, state := preparePDF(t, in)
		f.set(func() { o.items = append(o.items, f.item(name, prepared, state)) })
		return link
	}
	plain := makePDF("Lease")
	p.Go(with("locked.pdf", encrypted(t, plain, "")))
	p.WaitFor(`document.querySelector("#sign")?.getAttribute("aria-disabled") === "false"`)
	p.Click("#sign")
	p.WaitText("Signed")
	clean(t, p)

	p.Go(with("code.pdf", encrypted(t, withScript(plain), "")))
	p.WaitText("“code.pdf” holds parts")

	// Our own service refuses this one; another might not.
	var out bytes.Buffer
	in := encrypted(t, plain, "secret")
	state, err := pdf.Prepare(t.Context(), bytes.NewReader(in), int64(len(in)), &out, pdf.SignOptions{Time: time.Unix(1_800_000_000, 0), Hash: crypto.SHA256, Reserve: 4096, Password: secret.New([]byte("secret"))})
	if err != nil {
		t.Fatal(err)
	}
	o, link := f.add()
	f.set(func() { f.policy, o.items = "", append(o.items, f.item("closed.pdf", out.Bytes(), state)) })
	p.Go(link)
	p.WaitText("“closed.pdf” cannot be shown")
	p.Click("#sign")
	if gets, _ := p.Ceremonies(); gets != 0 {
		t.Errorf("%d dialogs: a document that nobody saw reached the passkey dialog", gets)
	}
}

// ADE-04: the service offers a document with a page that no cross-reference lists, and a line in a table that other readers do not
// forgive: here the listed page is drawn, elsewhere the other one. The signer is warned, and signs nothing under the qualified policy.
func TestADE04MisplacedObjectsInTheBrowser(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	f.policy = "qualified"
	p := enrolled(t, f, b)
	plain := makePDF("Lease")
	prev := plain[bytes.LastIndex(plain, []byte("startxref\n"))+len("startxref\n"):]
	at := len(plain) + len("4 0 obj\n<< /Length 0 >>\nstream\n\nendstream\nendobj\n")
	hidden := append(bytes.Clone(plain), fmt.Sprintf("4 0 obj\n<< /Length 0 >>\nstream\n\nendstream\nendobj\nxref\n150 1\n9999999990 00000 n \ntrailer\n<< /Size 200 /Root 1 0 R /Prev %s >>\nstartxref\n%d\n%%%%EOF\n",
		prev[:bytes.IndexByte(prev, '\n')], at)...)
	o, link := f.add()
	prepared, state := preparePDF(t, hidden)
	f.set(func() { o.items = append(o.items, f.item("two.pdf", prepared, state)) })
	p.Go(link)
	p.WaitText("“two.pdf” holds parts")
	p.WaitText("Another reader may show another document")
}

// lengthElsewhere appends an update that says the length of an object stream in another object, as some writers do. Under AES-256 the
// data of a stream says nothing of the number of its object, and can be copied.
func lengthElsewhere(t *testing.T, in []byte) []byte {
	t.Helper()
	m := regexp.MustCompile(`(\d+) 0 obj\n<< /Type /ObjStm /Length (\d+) [^\n]*>>\nstream\n`).FindSubmatchIndex(in)
	prev := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(in)
	trailer := regexp.MustCompile(`/Type /XRef[^\n]*?(/ID \[[^\]]*\])`).FindSubmatch(in)
	root := regexp.MustCompile(`/Root \d+ 0 R`).Find(in)
	encrypt := regexp.MustCompile(`/Encrypt \d+ 0 R`).Find(in)
	if m == nil || prev == nil || trailer == nil || root == nil || encrypt == nil {
		t.Fatalf("not what qpdf writes: %v %q %q %q %q", m, prev, trailer, root, encrypt)
	}
	length, err := strconv.Atoi(string(in[m[4]:m[5]]))
	if err != nil {
		t.Fatal(err)
	}
	num, out := string(in[m[2]:m[3]]), bytes.Clone(in)
	first := len(out)
	head := strings.Replace(string(in[m[0]:m[1]]), "/Length "+string(in[m[4]:m[5]]), "/Length 190 0 R", 1)
	out = append(append(out, head...), in[m[1]:m[1]+length]...)
	out = append(out, "\nendstream\nendobj\n"...)
	second := len(out)
	out = append(out, fmt.Sprintf("190 0 obj\n%d\nendobj\n", length)...)
	third := len(out)
	var rows []byte
	for _, at := range []int{first, second, third} {
		rows = append(rows, 1, byte(at>>16), byte(at>>8), byte(at), 0)
	}
	return append(out, fmt.Sprintf("191 0 obj\n<< /Type /XRef /Size 192 /W [1 3 1] /Index [%s 1 190 2] %s %s %s /Prev %s /Length %d >>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n",
		num, root, encrypt, trailer[1], prev[1], len(rows), rows, third)...)
}

// ADE-04: an encrypted object stream whose length stands elsewhere is looked through too, and its file is signed.
func TestADE04EncryptedLengthElsewhere(t *testing.T) {
	dir := t.TempDir()
	for name, script := range map[string]bool{"clean": false, "script": true} {
		plain := makePDF("Lease")
		if script {
			plain = withScript(plain)
		}
		in := lengthElsewhere(t, encrypted(t, plain, ""))
		var out bytes.Buffer
		p, err := pdf.Prepare(t.Context(), bytes.NewReader(in), int64(len(in)), &out, pdf.SignOptions{Time: time.Unix(1_800_000_000, 0), Hash: crypto.SHA256, Reserve: 4096})
		if err != nil {
			t.Fatal(err)
		}
		twin := filepath.Join(t.TempDir(), "twin.pdf")
		want, err := json.Marshal(map[string]any{"start": p.ContentsOffset, "end": p.ContentsOffset + p.ContentsLength, "terms": map[string]any{}, "digest": sap.B64(p.Digest), "twin": twin, "damaged": false})
		if err != nil {
			t.Fatal(err)
		}
		for file, b := range map[string][]byte{twin: plain, filepath.Join(dir, name+".pdf"): out.Bytes(), filepath.Join(dir, name+".pdf.json"): want} {
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	runUnits(t, "corpus", "HOLE_CORPUS="+dir)
}
