package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// integrator is a client of the native API.
type integrator struct{ *browser }

// ask makes a call; body is sent as JSON, octets as they are.
func (a integrator) ask(method, path string, body, out any, want int) []byte {
	a.Helper()
	head := map[string]string{"Authorization": "Bearer " + a.token()}
	var send []byte
	switch b := body.(type) {
	case nil:
	case []byte:
		send, head["Content-Type"] = b, "application/octet-stream"
	default:
		var err error
		if send, err = json.Marshal(b); err != nil {
			a.Fatal(err)
		}
		head["Content-Type"] = "application/json"
	}
	got := a.call(method, a.origin+path, head, bytes.NewReader(send), want)
	if out != nil {
		if err := json.Unmarshal(got, out); err != nil {
			a.Fatal(err)
		}
	}
	return got
}

// upload gives the id of a document.
func (a integrator) upload(name, data string) string {
	a.Helper()
	var doc struct {
		ID string `json:"id"`
	}
	a.ask("POST", "/api/v1/documents?name="+url.QueryEscape(name), []byte(data), &doc, http.StatusCreated)
	return doc.ID
}

// operation is what the tests look at.
type operation struct {
	ID    string `json:"id"`
	URL   string `json:"approval_url"`
	State string `json:"state"`
	Key   string `json:"key"`
	Items []struct {
		Name   string   `json:"name"`
		More   []string `json:"more"`
		Result struct {
			Level string `json:"level"`
		} `json:"result"`
	} `json:"items"`
}

type anyMap = map[string]any

func (a integrator) create(want int, items ...anyMap) (op operation) {
	a.Helper()
	a.ask("POST", "/api/v1/operations", anyMap{"signer": "anna", "purpose": "The deal", "level": "B-T", "items": items}, &op, want)
	return op
}

// files of one deal, in the order of their references.
var files = [][2]string{{"terms.txt", "Terms: 240 euros, Αθήνα & <more>\r\n"}, {"Όροι 1.xml", "<?xml version='1.0'?>\n<a>240 euros</a>\n"}, {"note.txt", "none"}}

func (a integrator) uploadAll() (ids []string) {
	a.Helper()
	for _, f := range files {
		ids = append(ids, a.upload(f[0], f[1]))
	}
	return ids
}

// xmlsecBeside has xmlsec1 verify a signature with the files beside it.
func xmlsecBeside(t *testing.T, signed []byte) error {
	t.Helper()
	dir := t.TempDir()
	for _, f := range append(slices.Clone(files), [2]string{"s.xml", string(signed)}) {
		if err := os.WriteFile(filepath.Join(dir, f[0]), []byte(f[1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Whose the certificate is, is no question here.
	cmd := exec.Command(testenv.Need(t, "xmlsec1"), "--verify", "--insecure", "--enabled-key-data", "x509", "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "s.xml")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// judged asks the service's validator about a signature and files beside it.
func (a integrator) judged(signed []byte, beside ...[2]string) string {
	a.Helper()
	list := []anyMap{}
	for _, f := range beside {
		list = append(list, anyMap{"document": a.upload("x", f[1]), "name": f[0]})
	}
	var rep struct {
		Sub string `json:"sub_indication"`
	}
	a.ask("POST", "/api/v1/validations", anyMap{"document": a.upload("s.xml", string(signed)), "worker": "judge", "detached": list}, &rep, http.StatusOK)
	return rep.Sub
}

// ADE-02, SGN-04, AUD-11: one signature over several files under sole control: the uploads of one item, the signer's device that hashes each, a restart
// before the approval and one behind it, one use of the key, a signature that xmlsec1 verifies with the files beside it and the service's validator with nothing else, and a
// receipt that names every file.
func TestADE02ServeSeveralFiles(t *testing.T) {
	w := newWorld(t)
	w.start()
	anna, acme := w.browser(), integrator{w.browser()}
	dev := anna.signer("anna")
	anna.join(anna.invite("anna", "Anna Example"))
	op := acme.create(http.StatusCreated, anyMap{"documents": acme.uploadAll(), "worker": "xades-detached", "params": anyMap{"description": "the deal"}})
	if len(op.Items) != 1 || op.Items[0].Name != "terms.txt" || !slices.Equal(op.Items[0].More, []string{"Όροι 1.xml", "note.txt"}) {
		t.Errorf("%+v", op)
	}
	w.stop()
	w.start()
	uses := w.sam.Token.Uses()
	anna.approve(string(anna.call("GET", op.URL, nil, nil, http.StatusSeeOther)), dev)
	w.stop()
	w.start()
	acme.ask("GET", "/api/v1/operations/"+op.ID+"?wait=20", nil, &op, http.StatusOK)
	if op.State != "finished" || op.Items[0].Result.Level != "B-T" || w.sam.Token.Uses() != uses+1 {
		t.Fatalf("%+v, %d key uses: %s", op, w.sam.Token.Uses()-uses, w.log)
	}
	signed := acme.ask("GET", "/api/v1/operations/"+op.ID+"/items/0/document", nil, nil, http.StatusOK)
	if err := xmlsecBeside(t, signed); err != nil || !bytes.Contains(signed, []byte("<xades:SignatureTimeStamp ")) {
		t.Errorf("%v\n%s", err, signed)
	}
	// The time-stamp's root is trusted here, the signer's is not.
	const good = "NO_CERTIFICATE_CHAIN_FOUND"
	for name, c := range map[string]struct {
		beside [][2]string
		want   string
	}{
		"all":       {files, good},
		"reordered": {[][2]string{files[2], files[0], files[1]}, good},
		"left out":  {files[:2], "SIGNED_DATA_NOT_FOUND"},
		"renamed":   {[][2]string{files[0], files[1], {"nota.txt", "none"}}, "SIGNED_DATA_NOT_FOUND"},
		"doubled":   {append(slices.Clone(files), files[2]), "SIGNED_DATA_NOT_FOUND"},
		"swapped":   {[][2]string{{files[0][0], files[2][1]}, files[1], {files[2][0], files[0][1]}}, "HASH_FAILURE"},
	} {
		if got := acme.judged(signed, c.beside...); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	acme.receipt(op.ID, "the deal")
	w.stop()
}

// receipt holds the receipt of an operation over the files against what was asked for.
func (a integrator) receipt(id, description string) {
	a.Helper()
	var receipt sap.SignedReceipt
	a.ask("GET", "/api/v1/operations/"+id+"/receipt", nil, &receipt, http.StatusOK)
	rec, err := sap.OpenReceipt(a.sam.StatementKey(), receipt)
	if err != nil {
		a.Fatal(err)
	}
	sad, err := rec.VerifyEvidence()
	if err != nil || !rec.Items[0].Shown || len(sad.Items) != 1 || len(sad.Items[0].XAdES.Further()) != 2 {
		a.Fatalf("%+v, %v", sad, err)
	}
	if o := sad.Items[0].XAdES.Further()[1]; o.Name != "note.txt" || o.MIME != "text/plain" || o.Description != description {
		a.Errorf("%+v", o)
	}
}

// ADE-02: files that cannot stand under one signature, or not under one of this worker, are refused with words about which and why.
func TestADE02ServeSeveralFilesRefusals(t *testing.T) {
	w := newWorld(t)
	w.start()
	acme := integrator{w.browser()}
	acme.signer("anna")
	text := func(name string) string { return acme.upload(name, "text") }
	for name, c := range map[string]struct {
		item   anyMap
		says   string
		status int
	}{
		"of PAdES":       {anyMap{"documents": []string{text("a.pdf"), text("b.pdf")}, "worker": "pades-t"}, "DETACHED", http.StatusUnprocessableEntity},
		"enveloping":     {anyMap{"documents": []string{text("a.xml"), text("b.xml")}, "worker": "xades-enveloping"}, "DETACHED", http.StatusUnprocessableEntity},
		"one name":       {anyMap{"documents": []string{text("a.txt"), text("A.TXT")}, "worker": "xades-detached"}, "A.TXT", http.StatusUnprocessableEntity},
		"a folder":       {anyMap{"documents": []string{text("a.txt"), text("..")}, "worker": "xades-detached"}, "name", http.StatusUnprocessableEntity},
		"binary":         {anyMap{"documents": []string{text("a.txt"), acme.upload("b.bin", "\x00")}, "worker": "xades-detached"}, "b.bin", http.StatusUnprocessableEntity},
		"two ways":       {anyMap{"document": text("a.txt"), "documents": []string{text("b.txt")}, "worker": "xades-detached"}, "not both", http.StatusUnprocessableEntity},
		"too many types": {anyMap{"documents": []string{text("a.txt"), text("b.txt")}, "worker": "xades-detached", "params": anyMap{"mime_type": "text/plain,text/plain,text/plain"}}, "mime_type", http.StatusBadRequest},
	} {
		var problem struct {
			Detail string `json:"detail"`
		}
		acme.ask("POST", "/api/v1/operations", anyMap{"signer": "anna", "purpose": "p", "level": "B-T", "items": []anyMap{c.item}}, &problem, c.status)
		if !strings.Contains(problem.Detail, c.says) {
			t.Errorf("%s: %s", name, problem.Detail)
		}
	}
	if left, err := os.ReadDir(filepath.Join(w.dir, "data", "files", "prepared")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	w.stop()
}

// KEY-10, ADE-02: a signer without a key signs XML in all packagings, and several files by one signature, with a key that is made for each operation and
// destroyed with it; the uploads may be gone before that.
func TestKEY10SignerWithoutAKeySignsXML(t *testing.T) {
	_, with := samtest.Once(t, "P-256")
	w := newWorld(t, with)
	w.samKeys = "  one_time: no_key\n"
	w.start()
	anna, acme := w.browser(), integrator{w.browser()}
	dev := anna.keyless("anna", "DEMO Anna")
	anna.join(anna.invite("anna", "DEMO Anna"))
	const xml = "<order><head Id='h'>240 euros</head><line Id='l'/></order>"
	for _, item := range []anyMap{
		{"worker": "xades-t"}, {"worker": "xades-enveloping"}, {"worker": "xades-enveloping-base64"},
		{"worker": "xades-internally-detached", "params": anyMap{"reference_ids": "l,h"}}, {"worker": "xades-detached"},
	} {
		if item["worker"] == "xades-detached" {
			item["documents"] = acme.uploadAll()
		} else {
			item["document"] = acme.upload("a.xml", xml)
		}
		op := acme.create(http.StatusCreated, item)
		if op.Key != "" {
			t.Errorf("a key before the approval: %+v", op)
		}
		if err := os.RemoveAll(filepath.Join(w.dir, "data", "files", "documents")); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(w.dir, "data", "files", "documents"), 0o700); err != nil {
			t.Fatal(err)
		}
		anna.approve(string(anna.call("GET", op.URL, nil, nil, http.StatusSeeOther)), dev)
		acme.ask("GET", "/api/v1/operations/"+op.ID+"?wait=20", nil, &op, http.StatusOK)
		if op.State != "finished" || !strings.HasPrefix(op.Key, "o-") || op.Items[0].Result.Level != "B-T" {
			t.Fatalf("%v: %+v: %s", item["worker"], op, w.log)
		}
		signed := acme.ask("GET", "/api/v1/operations/"+op.ID+"/items/0/document", nil, nil, http.StatusOK)
		if !bytes.Contains(signed, []byte("<xades:SignatureTimeStamp ")) {
			t.Errorf("%s", signed)
		}
		if item["documents"] != nil {
			if err := xmlsecBeside(t, signed); err != nil {
				t.Error(err)
			}
			acme.receipt(op.ID, "")
		}
		ended := slices.ContainsFunc(w.sam.Records(), func(r audit.Record) bool { return r.Type == sam.EventDestroyed && strings.Contains(r.Data, op.Key) })
		if left, err := filepath.Glob(filepath.Join(w.dir, "data", "files", "prepared", "*.source")); err != nil || len(left) != 0 || !ended {
			t.Errorf("left behind: %v, %v; key destroyed: %v", left, err, ended)
		}
	}
	w.stop()
}
