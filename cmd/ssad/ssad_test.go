package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sap"
)

// The whole service: invitation, enrolment, an integrator's request at B-T,
// approval, download; a restart in between; the time-stamp authority over HTTP.
func TestServe(t *testing.T) {
	pdf, err := os.ReadFile(filepath.Join(testenv.Corpora(t, "pdf/pyhanko"), "minimal-two-pages.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.start()
	anna, acme := w.browser(), w.browser()
	dev := anna.signer("anna")
	anna.join(anna.invite("anna", "Anna Example"))

	auth := func() map[string]string { return map[string]string{"Authorization": "Bearer " + acme.token()} }
	h := auth()
	h["Content-Type"] = "application/pdf"
	var doc struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(acme.call("POST", w.origin+"/api/v1/documents?name=lease.pdf", h, bytes.NewReader(pdf), http.StatusCreated), &doc); err != nil {
		t.Fatal(err)
	}
	h = auth()
	h["Content-Type"] = "application/json"
	var op struct {
		ID  string `json:"id"`
		URL string `json:"approval_url"`
	}
	body := fmt.Sprintf(`{"signer":"anna","purpose":"Lease","items":[{"document":%q,"worker":"pades-t"}]}`, doc.ID)
	if err := json.Unmarshal(acme.call("POST", w.origin+"/api/v1/operations", h, strings.NewReader(body), http.StatusCreated), &op); err != nil {
		t.Fatal(err)
	}

	// Everything survives a restart: the operation, the login, the link.
	w.stop()
	w.start()

	handOver := string(anna.call("GET", op.URL, nil, nil, http.StatusSeeOther))
	if id := anna.approve(handOver, dev); id != op.ID {
		t.Fatalf("approved %s", id)
	}
	var state struct {
		State string `json:"state"`
	}
	acme.json("GET", w.origin+"/api/v1/operations/"+op.ID+"?wait=20", auth(), nil, &state)
	if state.State != "finished" {
		t.Fatalf("state %s: %s", state.State, w.log)
	}
	signed := acme.call("GET", w.origin+"/api/v1/operations/"+op.ID+"/items/0/document", auth(), nil, http.StatusOK)
	if !bytes.HasPrefix(signed, pdf) || len(signed) < len(pdf)+10000 {
		t.Errorf("%d bytes signed from %d", len(signed), len(pdf))
	}
	if !bytes.Contains(signed, []byte("ETSI.CAdES.detached")) {
		t.Error("no PAdES signature in the file")
	}
	var receipt sap.SignedReceipt
	acme.json("GET", w.origin+"/api/v1/operations/"+op.ID+"/receipt", auth(), nil, &receipt)
	rec, err := sap.OpenReceipt(w.sam.StatementKey(), receipt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rec.VerifyEvidence(); err != nil {
		t.Fatal(err)
	}

	// What the client no longer wants kept goes before its time.
	acme.call("DELETE", w.origin+"/api/v1/documents/"+doc.ID, auth(), nil, http.StatusNoContent)
	acme.call("DELETE", w.origin+"/api/v1/operations/"+op.ID+"/documents", auth(), nil, http.StatusNoContent)
	acme.call("GET", w.origin+"/api/v1/operations/"+op.ID+"/items/0/document", auth(), nil, http.StatusGone)

	// /tsa answers a request with a granted token.
	query, err := hex.DecodeString("30390201013031300d060960864801650304020105000420" + strings.Repeat("ab", 32) + "0101ff")
	if err != nil {
		t.Fatal(err)
	}
	reply := acme.call("POST", w.origin+"/tsa", map[string]string{"Content-Type": "application/timestamp-query"}, bytes.NewReader(query), http.StatusOK)
	if len(reply) < 500 || !bytes.Contains(reply, bytes.Repeat([]byte{0xab}, 32)) {
		t.Errorf("time-stamp reply of %d bytes", len(reply))
	}
	// An address that nothing serves gets the portal's page with its headers.
	if page := acme.call("GET", w.origin+"/nothing/here", nil, nil, http.StatusNotFound); !bytes.Contains(page, []byte("There is nothing here for you")) {
		t.Error("no page for an unknown address")
	}
	w.stop()
	for _, secret := range []string{"lease.pdf", "Lease", adminToken, clientSecret, op.URL[strings.LastIndexByte(op.URL, '/')+1:], "ticket="} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// The operator's listener wants the token and no browser.
func TestAdminListener(t *testing.T) {
	w := newWorld(t)
	w.start()
	defer w.stop()
	b := w.browser()
	base := "http://" + w.admin + "/admin/v1/"
	good := map[string]string{"Authorization": "Bearer " + adminToken}
	for name, head := range map[string]map[string]string{
		"nothing": nil, "wrong token": {"Authorization": "Bearer " + strings.Repeat("x", 40)}, "basic": {"Authorization": "Basic " + adminToken},
		"from a page": {"Authorization": "Bearer " + adminToken, "Origin": "http://evil.example"}, "from a browser": {"Authorization": "Bearer " + adminToken, "Sec-Fetch-Site": "none"},
	} {
		for _, path := range []string{"operations", "workers"} {
			b.call("GET", base+path, head, nil, http.StatusUnauthorized)
		}
		if b.call("POST", base+"invitations", head, strings.NewReader(`{"signer":"a","name":"A"}`), http.StatusUnauthorized); t.Failed() {
			t.Fatal(name)
		}
	}
	if out := string(b.call("GET", base+"workers", good, nil, 200)); !strings.Contains(out, `"pades-t"`) || strings.Contains(strings.ReplaceAll(out, "enveloping", ""), "pin") {
		t.Errorf("workers: %s", out)
	}
	b.call("GET", base+"operations?limit=5", good, nil, 200)
	b.call("GET", base+"operations?limit=x", good, nil, 400)
	for _, bad := range []string{`{}`, `{"signer":"a b","name":"A"}`, `{"signer":"a","name":""}`, `{"signer":"a","name":"A","x":1}`, `x`} {
		b.call("POST", base+"invitations", good, strings.NewReader(bad), 400)
	}
	// The public listener has none of it.
	b.call("GET", w.origin+"/admin/v1/workers", good, nil, 404)
	b.call("GET", w.origin+"/metrics", nil, nil, 404)
}
