package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
)

// KEY-10: an integrator asks a signer who has no key; the operation names none until the
// signer's device approved one, and ends with a signed file; the module used the key twice,
// for its certification request and for the signature, and destroyed it.
func TestKEY10SignerWithoutAKey(t *testing.T) {
	pdf, err := os.ReadFile(filepath.Join(testenv.Corpora(t, "pdf/pyhanko"), "minimal-two-pages.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	ca, with := samtest.Once(t, "P-256")
	w := newWorld(t, with)
	w.samKeys = "  one_time: no_key\n"
	w.start()
	anna, acme := w.browser(), w.browser()
	dev := anna.keyless("anna", "DEMO Anna")
	anna.join(anna.invite("anna", "DEMO Anna"))
	call := func(method, path, typ string, body []byte, want int, out any) {
		t.Helper()
		h := map[string]string{"Authorization": "Bearer " + acme.token()}
		if typ != "" {
			h["Content-Type"] = typ
		}
		if err := json.Unmarshal(acme.call(method, w.origin+path, h, bytes.NewReader(body), want), out); err != nil {
			t.Fatal(err)
		}
	}
	var doc struct {
		ID string `json:"id"`
	}
	call("POST", "/api/v1/documents?name=lease.pdf", "application/pdf", pdf, http.StatusCreated, &doc)
	var op struct {
		ID    string `json:"id"`
		URL   string `json:"approval_url"`
		Key   string `json:"key"`
		State string `json:"state"`
	}
	body := fmt.Sprintf(`{"signer":"anna","purpose":"Lease","items":[{"document":%q,"worker":"pades-t"}]}`, doc.ID)
	call("POST", "/api/v1/operations", "application/json", []byte(body), http.StatusCreated, &op)
	if op.Key != "" || ca.Calls() != 0 {
		t.Errorf("key %q, %d certificates before the approval", op.Key, ca.Calls())
	}
	uses := w.sam.Token.Uses()
	if id := anna.approve(string(anna.call("GET", op.URL, nil, nil, http.StatusSeeOther)), dev); id != op.ID {
		t.Fatalf("approved %s", id)
	}
	call("GET", "/api/v1/operations/"+op.ID+"?wait=30", "", nil, http.StatusOK, &op)
	if op.State != "finished" || !strings.HasPrefix(op.Key, "o-") || ca.Calls() != 1 || w.sam.Token.Uses()-uses != 2 {
		t.Errorf("%+v, %d certificates, %d key uses", op, ca.Calls(), w.sam.Token.Uses()-uses)
	}
	var ends int
	for _, r := range w.sam.Records() {
		if r.Type == sam.EventDestroyed && strings.Contains(r.Data, op.Key) {
			ends++
		}
	}
	if ends != 1 {
		t.Errorf("the key was destroyed %d times", ends)
	}
}
