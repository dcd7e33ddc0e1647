package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// once lets signers without a key sign with one-time keys, certified by the demo CA.
func once(s *system) {
	s.edit("samd/samd.yaml", "\nlockout:\n", "\ndemo_cas: {demo: "+filepath.Join(s.dir, "pki")+"}\none_time: [{policy: standard, ca: demo, key_types: [P-256], life: 10m}]\n\nlockout:\n")
	s.edit("ssad/ssad.yaml", "\n  wait: 1m\n", "\n  one_time: no_key\n  wait: 1m\n")
}

// KEY-10, SGN-04: a person without a key is asked to sign: the passkey approves that a key
// and a certificate are made, then what it signs; judges that we did not write take the
// file; the key is gone. A samd that is killed in between takes its key with it, and the
// person, who has signed nothing, is asked for another.
func TestKEY10OneTimeKeyInTheBrowser(t *testing.T) {
	s := newSystemWith(t, once)
	p := s.keyless(browsertest.New(t), "anna", "DEMO Anna")
	file, original := document(t, "Signed once")
	out := filepath.Join(t.TempDir(), "signed.pdf")
	url, wait := s.request("anna", file, out)
	p.Go(url)
	p.WaitFor("document.querySelector('#make')")
	p.WaitText("Make the certificate for DEMO Anna")
	p.Screenshot("e2e-once")
	if n := s.uses(); n != "0" {
		t.Errorf("%s key uses before the approval", n)
	}
	p.Click("#make")
	p.WaitFor(canSign)

	s.kill("samd")
	s.start("samd")
	s.eventually("samd", func() error { _, err := s.try("status", "--dir", s.dir); return err })
	p.Reload()
	p.WaitFor("document.querySelector('#make')")
	if n := s.uses(); n != "0" {
		t.Errorf("%s key uses after the restart", n)
	}
	p.Click("#make")
	p.WaitFor(canSign)
	p.WaitText("DEMO Anna")
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	signed, err := os.ReadFile(out)
	if err != nil || !strings.HasPrefix(string(signed), string(original)) {
		t.Fatalf("the original bytes are no prefix of the signed file: %v", err)
	}
	s.judge(signed)
	if n := s.uses(); n != "3" { // the test of the new key, its certification request, the signature
		t.Errorf("%s key uses", n)
	}
	if list := s.in("credential", "list", "--signer", "anna", "-o", "json"); strings.Contains(list, `"key"`) {
		t.Errorf("the signer has a key: %s", list)
	}
	if bad := p.Problems(); len(bad) > 0 {
		t.Errorf("policy violations or errors: %v", bad)
	}
}
