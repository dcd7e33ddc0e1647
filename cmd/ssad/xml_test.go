package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sap"
)

// ADE-02, SGN-04: a text under sole control, signed detached; XML and any octets inside of a signature; elements of a document beside it: the signer's device hashes what it
// is shown and rebuilds what is signed from its digest, its name and the properties; what comes out xmlsec1 verifies, and it is at the
// level that was asked for.
func TestADE02ServeOtherPackagings(t *testing.T) {
	w := newWorld(t)
	w.start()
	anna, acme := w.browser(), w.browser()
	dev := anna.signer("anna")
	anna.join(anna.invite("anna", "Anna Example"))
	for _, c := range []struct{ worker, name, data, mime, form, params string }{
		{"xades-detached", "terms.txt", "Terms: 240 euros, Αθήνα & <more>\r\n", "text/plain", sap.XAdESDetached, ""},
		{"xades-enveloping", "invoice.xml", "<?xml version='1.0'?><invoice xmlns='urn:example:invoice'><!-- a --><line no = '1'>Garden shed &amp; more</line></invoice>\n", "text/xml", sap.XAdESEnveloping, ""},
		{"xades-enveloping-base64", "photo.jpg", "\xff\xd8\xff\xe0\x00 240 euros", "application/octet-stream", sap.XAdESContained, ""},
		{"xades-internally-detached", "order.xml", "<order><head Id='h'>240 euros</head><line Id='l'/><note>none</note></order>", "text/xml", sap.XAdESBeside, `"reference_ids":"l,h"`},
	} {
		header := map[string]string{"Authorization": "Bearer " + acme.token(), "Content-Type": "application/octet-stream"}
		var doc struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(acme.call("POST", w.origin+"/api/v1/documents?name="+c.name, header, strings.NewReader(c.data), http.StatusCreated), &doc); err != nil {
			t.Fatal(err)
		}
		header["Content-Type"] = "application/json"
		var op struct {
			ID    string `json:"id"`
			URL   string `json:"approval_url"`
			State string `json:"state"`
		}
		if err := json.Unmarshal(acme.call("POST", w.origin+"/api/v1/operations", header, strings.NewReader(fmt.Sprintf(`{"signer":"anna","purpose":"Terms","level":"B-T","items":[{"document":%q,"worker":%q,"params":{%s}}]}`, doc.ID, c.worker, c.params)), http.StatusCreated), &op); err != nil {
			t.Fatal(err)
		}
		anna.approve(string(anna.call("GET", op.URL, nil, nil, http.StatusSeeOther)), dev)
		delete(header, "Content-Type")
		if err := json.Unmarshal(acme.call("GET", w.origin+"/api/v1/operations/"+op.ID+"?wait=20", header, nil, http.StatusOK), &op); err != nil || op.State != "finished" {
			t.Fatalf("%+v, %v: %s", op, err, w.log)
		}
		signed := acme.call("GET", w.origin+"/api/v1/operations/"+op.ID+"/items/0/document", header, nil, http.StatusOK)
		dir := t.TempDir()
		for name, b := range map[string][]byte{c.name: []byte(c.data), "s.xml": signed} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		// Whose the certificate is, is no question here.
		cmd := exec.Command(testenv.Need(t, "xmlsec1"), "--verify", "--insecure", "--enabled-key-data", "x509", "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties",
			"--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:Object", "--id-attr:Id", "head", "--id-attr:Id", "line", "s.xml")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(signed, []byte("<xades:SignatureTimeStamp ")) {
			t.Errorf("%s: %v\n%s\n%s", c.worker, err, out, signed)
		}
		var receipt sap.SignedReceipt
		if err := json.Unmarshal(acme.call("GET", w.origin+"/api/v1/operations/"+op.ID+"/receipt", header, nil, http.StatusOK), &receipt); err != nil {
			t.Fatal(err)
		}
		rec, err := sap.OpenReceipt(w.sam.StatementKey(), receipt)
		if err != nil {
			t.Fatal(err)
		}
		if sad, err := rec.VerifyEvidence(); err != nil || !rec.Items[0].Shown || sad.Items[0].XAdES.Form != c.form || sad.Items[0].XAdES.MIME != c.mime || sad.Items[0].Name != c.name {
			t.Errorf("%s: %+v, %v", c.worker, sad, err)
		}
	}
	w.stop()
}

// ADE-02, SGN-04: an XML document under sole control: an integrator's request, the signer's device that
// hashes the octets which it is shown and rebuilds what is signed (with role, commitment, place and policy), the module, and the user's document with
// the signature in it, which xmlsec1 verifies; the receipt holds off line. In between a restart.
func TestADE02ServeXML(t *testing.T) {
	const text = "<?xml version=\"1.0\"?>\r\n<invoice xmlns='urn:example:invoice'><!-- a --><line no = '1'>Garden shed &amp; more</line></invoice>\n"
	w := newWorld(t)
	w.start()
	anna, acme := w.browser(), w.browser()
	dev := anna.signer("anna")
	anna.join(anna.invite("anna", "Anna Example"))
	call := func(method, path, typ, body string, want int, out any) []byte {
		t.Helper()
		h := map[string]string{"Authorization": "Bearer " + acme.token()}
		if typ != "" {
			h["Content-Type"] = typ
		}
		b := acme.call(method, w.origin+path, h, strings.NewReader(body), want)
		if out != nil {
			if err := json.Unmarshal(b, out); err != nil {
				t.Fatal(err)
			}
		}
		return b
	}
	var doc struct {
		ID string `json:"id"`
	}
	call("POST", "/api/v1/documents?name=invoice.xml", "text/html", text, http.StatusUnsupportedMediaType, nil)
	call("POST", "/api/v1/documents?name=invoice.xml", "application/xml", text, http.StatusCreated, &doc)
	var op struct {
		ID    string `json:"id"`
		URL   string `json:"approval_url"`
		State string `json:"state"`
		Items []struct {
			Kind   string `json:"kind"`
			Result struct {
				Level string `json:"level"`
				MIME  string `json:"mime"`
			} `json:"result"`
		} `json:"items"`
	}
	ask := func(params string, want int) {
		t.Helper()
		call("POST", "/api/v1/operations", "application/json", fmt.Sprintf(`{"signer":"anna","purpose":"Invoice","items":[{"document":%q,"worker":"xades-policy","params":{%s}}]}`, doc.ID, params), want, &op)
	}
	ask(`"claimed_role":"Buyer","policy_id":"urn:x"`, http.StatusBadRequest)
	ask(`"claimed_role":"Buyer & payer","commitment_types":"PROOF_OF_APPROVAL","city":"Αθήνα"`, http.StatusCreated)
	w.stop()
	w.start()
	uses := w.sam.Token.Uses()
	if id := anna.approve(string(anna.call("GET", op.URL, nil, nil, http.StatusSeeOther)), dev); id != op.ID {
		t.Fatalf("approved %s", id)
	}
	call("GET", "/api/v1/operations/"+op.ID+"?wait=20", "", "", http.StatusOK, &op)
	if op.State != "finished" || op.Items[0].Kind != sap.KindXAdES || op.Items[0].Result.Level != "B-T" || op.Items[0].Result.MIME != "application/xml" || w.sam.Token.Uses() != uses+1 {
		t.Fatalf("%+v, %d key uses: %s", op, w.sam.Token.Uses()-uses, w.log)
	}
	signed := call("GET", "/api/v1/operations/"+op.ID+"/items/0/document", "", "", http.StatusOK, nil)
	at := bytes.Index(signed, []byte("<ds:Signature "))
	end := bytes.Index(signed, []byte("</ds:Signature>"))
	if at < 0 || string(signed[:at])+string(signed[end+len("</ds:Signature>"):]) != text {
		t.Fatalf("the user's bytes are not kept: %s", signed)
	}
	file := filepath.Join(t.TempDir(), "signed.xml")
	if err := os.WriteFile(file, signed, 0o600); err != nil {
		t.Fatal(err)
	}
	// Whose the certificate is, is no question here.
	if out, err := exec.Command(testenv.Need(t, "xmlsec1"), "--verify", "--insecure", "--enabled-key-data", "x509", "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, signed)
	}
	// Another worker judges it: the time-stamp's root is trusted here, the signer's is not.
	var report struct {
		Format        string `json:"format"`
		Indication    string `json:"indication"`
		SubIndication string `json:"sub_indication"`
	}
	call("POST", "/api/v1/documents?name=signed.xml", "application/xml", string(signed), http.StatusCreated, &doc)
	call("POST", "/api/v1/validations", "application/json", fmt.Sprintf(`{"document":%q,"worker":"judge"}`, doc.ID), http.StatusOK, &report)
	if report.Format != "XML" || report.Indication != "INDETERMINATE" || report.SubIndication != "NO_CERTIFICATE_CHAIN_FOUND" {
		t.Errorf("%+v", report)
	}
	call("POST", "/api/v1/validations", "application/json", fmt.Sprintf(`{"document":%q,"worker":"tsa"}`, doc.ID), http.StatusUnprocessableEntity, nil)
	var receipt sap.SignedReceipt
	call("GET", "/api/v1/operations/"+op.ID+"/receipt", "", "", http.StatusOK, &receipt)
	rec, err := sap.OpenReceipt(w.sam.StatementKey(), receipt)
	if err != nil {
		t.Fatal(err)
	}
	sad, err := rec.VerifyEvidence()
	if err != nil || !rec.Items[0].Shown || sad.Items[0].XAdES.Roles[0] != "Buyer & payer" || sad.Items[0].XAdES.Place.City != "Αθήνα" || sad.Items[0].XAdES.Commitments[0] != "http://uri.etsi.org/01903/v1.2.2#ProofOfApproval" ||
		sad.Items[0].XAdES.Policy.ID != "urn:oid:1.2.3.4" || !bytes.Contains(signed, []byte(`<xades:Identifier Qualifier="OIDAsURN">urn:oid:1.2.3.4</xades:Identifier>`)) {
		t.Errorf("%+v, %v", sad, err)
	}
	w.stop()
}
