package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	neturl "net/url"
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

// KEY-10, FPT-05: ssad is killed when the module has made and certified a one-time key,
// before or after it stored that, and the person goes away. Started again, it has the key
// destroyed that it does not have, well before the key's life is over, and the person who
// comes back is asked for another one; the one that it has signs: a PDF, and files under one
// detached signature. Each signature is of one key, and no key is left.
func TestKEY10SSAKilledBeforeItHasTheKey(t *testing.T) {
	a := newArmedWith(t, once)
	a.up("")
	p := a.keyless(browsertest.New(t), "anna", "DEMO Anna")
	a.end("ssad")
	ends := 0
	for i, make := range []func(*testing.T, string) task{a.onePDF, a.onePDF, a.threeFiles, a.threeFiles} {
		mode := []string{"before", "after"}[i%2]
		t.Run(fmt.Sprintf("%s %d", mode, i), func(t *testing.T) {
			a.t = t
			defer a.gone()
			a.up("ssad/once-adopted=" + mode)
			do := make(t, fmt.Sprintf("Killed %s %d", mode, i))
			id, url := a.ask(do)
			p.Go(url)
			p.WaitFor("document.querySelector('#make')")
			page := browsertest.Eval[string](p, "location.href")
			p.Click("#make")
			a.died()
			p.Go("about:blank")
			a.up("")
			if mode == "before" {
				ends++
				a.eventually("the end of the key", func() error {
					if n := strings.Count(a.in("audit", "search", "--type", "key_destroyed", "-o", "json"), "given_up"); n != ends {
						return fmt.Errorf("%d keys were given up", n)
					}
					return nil
				})
			}
			p.Go(page)
			if mode == "before" {
				p.WaitFor("document.querySelector('#make')")
				p.Click("#make")
			}
			p.WaitFor(canSign)
			p.Click("#sign")
			p.WaitFor("document.querySelector('#signed')")
			if !a.bringHome(request{id: id, acknowledged: true, judge: do.judge}) {
				t.Error("not finished")
			}
			a.end("ssad")
		})
	}
	a.t = t
	a.up("")
	if list := a.in("credential", "list", "--signer", "anna", "-o", "json"); strings.Contains(list, `"key"`) {
		t.Errorf("the signer has a key: %s", list)
	}
	told := a.in("audit", "search", "--type", "key_destroyed", "-o", "json")
	if g, u := strings.Count(told, "given_up"), strings.Count(told, `"used`); g != 2 || u != 4 {
		t.Errorf("%d keys given up, %d used:\n%s", g, u, told)
	}
}

// ask uploads the documents of a task and asks anna to sign them; the link is hers.
func (a *armed) ask(do task) (id, url string) {
	a.t.Helper()
	var docs []string
	for _, file := range do.files {
		text, err := os.ReadFile(file)
		if err != nil {
			a.t.Fatal(err)
		}
		status, body := a.call(http.MethodPost, "/api/v1/documents?name="+neturl.QueryEscape(filepath.Base(file)), "", text)
		var doc struct{ ID string }
		if status/100 != 2 || json.Unmarshal(body, &doc) != nil {
			a.t.Fatalf("upload: status %d %s", status, body)
		}
		docs = append(docs, doc.ID)
	}
	item := map[string]any{"document": docs[0], "worker": "pades"}
	if len(docs) > 1 {
		item = map[string]any{"documents": docs, "worker": "xades-detached"}
	}
	ask, err := json.Marshal(map[string]any{"signer": "anna", "purpose": "One-time key", "items": []any{item}})
	if err != nil {
		a.t.Fatal(err)
	}
	status, body := a.call(http.MethodPost, "/api/v1/operations", "", ask)
	var op struct {
		ID          string `json:"id"`
		ApprovalURL string `json:"approval_url"`
	}
	if status != http.StatusCreated || json.Unmarshal(body, &op) != nil || op.ApprovalURL == "" {
		a.t.Fatalf("request: status %d %s", status, body)
	}
	return op.ID, op.ApprovalURL
}
