package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// ADE-02, KEY-10, SGN-04: a person without a key signs a text, a PDF and a table by one signature: the page names all before the key is made, shows each, and
// approves them together; the files with the signature beside them verify on the command line, as does the receipt, in any order; not when two are swapped, one is renamed,
// left out or changed, or one more is given; and samd was started again in between.
func TestADE02SeveralFilesInTheBrowser(t *testing.T) {
	s := newSystemWith(t, once)
	p := s.keyless(browsertest.New(t), "anna", "DEMO Anna")
	pdf, _ := document(t, "Signed together")
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	terms, prices := put("terms.txt", "Terms: 240 euros\n"), put("Τιμές 1.csv", "shed;240\n")
	out, receipt := filepath.Join(dir, "deal.xades"), filepath.Join(dir, "deal.receipt.json")
	url, wait := s.request("anna", terms, out, pdf, prices, "--packaging", "detached", "--receipt", receipt)
	p.Go(url)
	p.WaitFor("document.querySelector('#make')")
	for _, name := range []string{"terms.txt", "signed-together.pdf", "Τιμές 1.csv"} {
		p.WaitText(name)
	}
	s.kill("samd")
	s.start("samd")
	s.eventually("samd", func() error { _, err := s.try("status", "--dir", s.dir); return err })
	p.Reload()
	p.WaitFor("document.querySelector('#make')")
	p.Click("#make")
	p.WaitFor(canSign)
	p.WaitText("3 documents to sign")
	p.WaitText("3 files, one signature")
	p.WaitText("Terms: 240 euros")
	p.ClickText("Show Τιμές 1.csv")
	p.WaitText("shed;240")
	p.Screenshot("e2e-files")
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	if n := browsertest.Eval[int](p, "document.querySelectorAll('table.three').length"); n != 3 {
		t.Errorf("%d tables of fingerprints", n)
	}
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if bad := p.Problems(); len(bad) > 0 {
		t.Errorf("policy violations or errors: %v", bad)
	}
	s.judgeFiles(out, receipt, []string{terms, pdf, prices}, put("more.txt", "more"))
}

// judgeFiles verifies a signature over files and its receipt, and that neither holds for other files.
func (s *system) judgeFiles(out, receipt string, files []string, stranger string) {
	s.t.Helper()
	verify := func(files ...string) error {
		args := []string{"verify", out, "--trust", filepath.Join(s.dir, "pki/root.pem")}
		for _, f := range files {
			args = append(args, "--detached", f)
		}
		_, err := s.try(args...)
		return err
	}
	proof := func(files ...string) error {
		_, err := s.try(append(append([]string{"receipt", "verify", receipt}, files...), "--sam-key", filepath.Join(s.dir, "sicd/sam-statement.pem"))...)
		return err
	}
	// In another folder two files swap their contents, and one has another name.
	copied := func(from, name string) string {
		b, err := os.ReadFile(from)
		path := filepath.Join(s.t.TempDir(), name)
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		return path
	}
	a, b, c := files[0], files[1], files[2]
	for name, set := range map[string]struct {
		files            []string
		verifies, proves bool
	}{
		"all":       {files, true, true},
		"reordered": {[]string{c, a, b}, true, true},
		"left out":  {[]string{a, b}, false, true}, // the receipt says that one was not compared
		"one more":  {[]string{a, b, c, stranger}, false, false},
		"swapped":   {[]string{copied(c, filepath.Base(a)), b, copied(a, filepath.Base(c))}, false, false},
		"renamed":   {[]string{a, b, copied(c, "prices.csv")}, false, false},
		"doubled":   {[]string{a, b, c, c}, false, false},
	} {
		if err := verify(set.files...); (err == nil) != set.verifies {
			s.t.Errorf("verify, %s: %v", name, err)
		}
		if err := proof(set.files...); (err == nil) != set.proves {
			s.t.Errorf("receipt verify, %s: %v", name, err)
		}
	}
}
