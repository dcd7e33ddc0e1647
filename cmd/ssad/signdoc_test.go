package main

import (
	"bytes"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// signedDocs is the answer of CSC's signDoc.
type signedDocs struct {
	ResponseID  string   `json:"responseID"`
	ApprovalURL string   `json:"approval_url"`
	Documents   []string `json:"DocumentWithSignature"`
	Signatures  []string `json:"SignatureObject"`
}

// entry is one of signDoc's documents.
func entry(data string, more anyMap) anyMap {
	e := anyMap{"document": base64.StdEncoding.EncodeToString([]byte(data)), "signature_format": "X", "conformance_level": "Ades-B-T", "signAlgo": "1.2.840.10045.4.3.2"}
	for k, v := range more {
		e[k] = v
	}
	return e
}

// CSC 11.11, ADE-02: signDoc makes XAdES signatures in every packaging that has a worker, at the level that was asked for, which the signer sees and approves;
// enveloped, enveloping and internally detached ones come as DocumentWithSignature, detached ones as SignatureObject; xmlsec1 verifies them.
func TestADE02SignDocXML(t *testing.T) {
	w := newWorld(t)
	w.signdoc = "  signdoc_xades: {enveloped: xades-t, enveloping: xades-enveloping, detached: xades-detached, internally_detached: xades-internally-detached}\n"
	w.start()
	anna, acme := w.browser(), integrator{w.browser()}
	dev := anna.signer("anna")
	anna.join(anna.invite("anna", "Anna Example"))
	var info struct {
		Formats struct {
			Formats    []string   `json:"formats"`
			Properties [][]string `json:"envelope_properties"`
		} `json:"signature_formats"`
	}
	acme.ask("GET", "/csc/v2/info", nil, &info, http.StatusOK)
	if f := info.Formats; len(f.Formats) != 2 || f.Formats[1] != "X" || len(f.Properties) != 2 || len(f.Properties[1]) != 4 || f.Properties[1][0] != "Enveloped" {
		t.Errorf("%+v", f)
	}
	var list struct {
		IDs []string `json:"credentialIDs"`
	}
	acme.ask("POST", "/csc/v2/credentials/list", anyMap{"userID": "anna"}, &list, http.StatusOK)
	sign := func(docs ...anyMap) (out signedDocs) {
		t.Helper()
		acme.ask("POST", "/csc/v2/signatures/signDoc", anyMap{"credentialID": list.IDs[0], "operationMode": "A", "documents": docs}, &out, http.StatusOK)
		anna.approve(string(anna.call("GET", out.ApprovalURL, nil, nil, http.StatusSeeOther)), dev)
		acme.ask("GET", "/api/v1/operations/"+out.ResponseID+"?wait=20", nil, nil, http.StatusOK)
		acme.ask("POST", "/csc/v2/signatures/signPolling", anyMap{"requestID": out.ResponseID}, &out, http.StatusOK)
		return out
	}
	const doc = "<order><head Id='h'>240 euros</head><line Id='l'/></order>"
	role := anyMap{"signed_props": []anyMap{{"attribute_name": "SignerRoleV2", "attribute_value": base64.StdEncoding.EncodeToString([]byte("Buyer"))},
		{"attribute_name": "CommitmentTypeIndication", "attribute_value": base64.StdEncoding.EncodeToString([]byte("http://uri.etsi.org/01903/v1.2.2#ProofOfApproval"))}}}
	out := sign(entry(doc, role), entry(doc, anyMap{"signed_envelope_property": "Enveloping"}), entry(doc, anyMap{"signed_envelope_property": "internally detached", "referenceUri": "#h"}))
	if len(out.Documents) != 3 || len(out.Signatures) != 0 {
		t.Fatalf("%d documents, %d signatures", len(out.Documents), len(out.Signatures))
	}
	for i, has := range []string{"Buyer", `URI="#xades-`, `URI="#h"`} {
		judgeCSC(t, out.Documents[i], has, "", "")
	}
	out = sign(entry("Terms: 240 euros\n", anyMap{"signed_envelope_property": "Detached", "referenceUri": "terms%201.txt"}), entry("<a>x</a>", anyMap{"signed_envelope_property": "Detached"}))
	if len(out.Documents) != 0 || len(out.Signatures) != 2 {
		t.Fatalf("%d documents, %d signatures", len(out.Documents), len(out.Signatures))
	}
	judgeCSC(t, out.Signatures[0], `URI="terms%201.txt"`, "terms 1.txt", "Terms: 240 euros\n")
	judgeCSC(t, out.Signatures[1], `URI="document-2.xml"`, "document-2.xml", "<a>x</a>")
	w.stop()
}

// judgeCSC has xmlsec1 verify a signature of an answer, with a file beside it.
func judgeCSC(t *testing.T, answer, has, name, data string) {
	t.Helper()
	signed, err := base64.StdEncoding.DecodeString(answer)
	if err != nil || !bytes.Contains(signed, []byte(has)) || !bytes.Contains(signed, []byte("<xades:SignatureTimeStamp ")) {
		t.Fatalf("%v: no %s in %s", err, has, signed)
	}
	dir := t.TempDir()
	files := map[string][]byte{"s.xml": signed}
	if name != "" {
		files[name] = []byte(data)
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Whose the certificate is, is no question here.
	cmd := exec.Command(testenv.Need(t, "xmlsec1"), "--verify", "--insecure", "--enabled-key-data", "x509", "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties",
		"--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:Object", "--id-attr:Id", "head", "s.xml")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, signed)
	}
}

// A worker that makes another packaging than it is named for is a mistake of the configuration: what a client asks for is what it gets.
func TestSignDocWorkersMakeWhatTheyAreNamedFor(t *testing.T) {
	for _, uses := range []string{"enveloping: xades-t", "enveloped: pades", "detached: none", "internally_detached: xades-detached"} {
		w := newWorld(t)
		w.signdoc = "  signdoc_xades: {" + uses + "}\n"
		if code := run(t.Context(), []string{"-config", w.config()}, w.log); code == 0 || !strings.Contains(w.log.String(), "uses.signdoc_xades") {
			t.Errorf("%s: %d %s", uses, code, w.log)
		}
	}
}

// What would fail each request is refused at the start, and what time does not mend is said by its setting.
func TestWrongUsesAndModuleAreNamed(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"signdoc":        {"signdoc: pades-t", "signdoc: xades-t", `uses.signdoc: worker "xades-t" is of kind xades, not pades`},
		"tsa":            {"  tsa: tsa", "  tsa: pades", `uses.tsa: worker "pades" is of kind pades, not tsa`},
		"signing origin": {"signing_origin: ", "signing_origin: http://other.example # ", "origin in samd.yaml"},
		"server name":    {"server_name: localhost", "server_name: other", "not for sam.server_name"},
	} {
		w := newWorld(t)
		file := w.config()
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), c.old) {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		changed := strings.Replace(strings.Replace(string(text), "wait: 5s", "wait: 1s", 1), c.old, c.new, 1)
		if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if code := run(t.Context(), []string{"-config", file}, w.log); code == 0 || !strings.Contains(w.log.String(), c.want) {
			t.Errorf("%s: %d %s", name, code, w.log)
		}
	}
	w := newWorld(t)
	if err := checkRole(w.pki.Issue("olga", "officer", elliptic.P256())); !errors.Is(err, errConfig) {
		t.Errorf("ssad with an officer's certificate: %v", err)
	}
}
