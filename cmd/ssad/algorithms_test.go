package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap/device"
)

// client is an integrator with a browser session of its own.
type client struct {
	*browser
	head map[string]string
}

func (b *browser) client() *client {
	return &client{b, map[string]string{"Authorization": "Bearer " + b.token()}}
}

// post sends a body of a type and reads the answer's JSON.
func (c *client) post(path, typ, body string, out any) {
	c.Helper()
	head := map[string]string{"Authorization": c.head["Authorization"], "Content-Type": typ}
	if err := json.Unmarshal(c.call("POST", c.origin+path, head, strings.NewReader(body), http.StatusCreated), out); err != nil {
		c.Fatal(err)
	}
}

// signed asks a signer for one signature, lets the device approve, and returns the file.
func (c *client) signed(signer *browser, dev *device.Software, name, data, ask string) []byte {
	c.Helper()
	var doc, op struct {
		ID    string `json:"id"`
		URL   string `json:"approval_url"`
		State string `json:"state"`
		Alg   string `json:"alg"`
	}
	c.post("/api/v1/documents?name="+name, "application/octet-stream", data, &doc)
	c.post("/api/v1/operations", "application/json", strings.ReplaceAll(ask, "DOC", doc.ID), &op)
	signer.approve(string(signer.call("GET", op.URL, nil, nil, http.StatusSeeOther)), dev)
	if err := json.Unmarshal(c.call("GET", c.origin+"/api/v1/operations/"+op.ID+"?wait=20", c.head, nil, http.StatusOK), &op); err != nil || op.State != "finished" {
		c.Fatalf("%+v, %v: %s", op, err, c.log)
	}
	return c.call("GET", c.origin+"/api/v1/operations/"+op.ID+"/items/0/document", c.head, nil, http.StatusOK)
}

// Every algorithm of every kind of key goes the whole way: token, module, the
// signer's device, CMS or XML, and judges that nobody here wrote (CRY-01, ADE-01,
// ADE-02).
func TestCRY01EveryAlgorithmUnderSoleControl(t *testing.T) {
	w := newWorld(t)
	w.start()
	anna := w.browser()
	dev := anna.signer("anna")
	anna.join(anna.invite("anna", "Anna Example"))
	acme := w.browser().client()
	pdf, err := os.ReadFile(filepath.Join(testenv.Corpora(t, "pdf/pyhanko"), "minimal-two-pages.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	const xml = "<invoice><line no='1'>240 euros</line></invoice>"
	for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA3072, algo.RSA4096} {
		s := &samtest.Signer{ID: "anna"}
		w.sam.NewKey(s, kt)
		for _, a := range algo.All() {
			if !kt.Fits(a) {
				continue
			}
			for worker, doc := range map[string][2]string{"pades-t": {"contract.pdf", string(pdf)}, "xades-t": {"invoice.xml", xml}} {
				t.Run(fmt.Sprint(kt, " ", a, " ", worker), func(t *testing.T) {
					before := w.sam.Token.Uses()
					ask := fmt.Sprintf(`{"signer":"anna","key":%q,"alg":%q,"purpose":"Contract","level":"B-T","items":[{"document":"DOC","worker":%q}]}`, s.Key, a, worker)
					signed := acme.signed(anna, dev, doc[0], doc[1], ask)
					if n := w.sam.Token.Uses() - before; n != 1 {
						t.Errorf("%d key uses", n)
					}
					passes(t, w, doc[0], signed, a)
					judged(t, doc[0], signed, a)
				})
			}
		}
	}
	w.stop()
}

// passes asks our own judgement: the level, the algorithm, the chain.
func passes(t *testing.T, w *world, name string, signed []byte, a algo.Algorithm) {
	t.Helper()
	tsa, err := certs.LoadPEM(filepath.Join(w.dir, "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	rep, err := validate.File(t.Context(), name, bytes.NewReader(signed), int64(len(signed)), validate.Options{Anchors: []*x509.Certificate{w.sam.CA.Cert}, StampAnchors: tsa, Level: "B-T"})
	if err != nil || rep.Indication != validate.TotalPassed || len(rep.Signatures) != 1 || rep.Signatures[0].Algorithm != a.String() {
		t.Errorf("%+v, %v", rep, err)
	}
}

// judged asks pdfsig or xmlsec1. The XML tools of Debian know no RSASSA-PSS; the
// foreign judges' run asks EU DSS and the JDK for that.
func judged(t *testing.T, name string, signed []byte, a algo.Algorithm) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), signed, 0o600); err != nil {
		t.Fatal(err)
	}
	var cmd *exec.Cmd
	want := "Signature is Valid"
	switch {
	case strings.HasSuffix(name, ".pdf"):
		cmd = exec.CommandContext(t.Context(), testenv.Need(t, "pdfsig"), "-nocert", name)
	case a.IsPSS():
		return
	default:
		want = "OK"
		cmd = exec.CommandContext(t.Context(), testenv.Need(t, "xmlsec1"), "--verify", "--insecure", "--enabled-key-data", "x509", "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", name)
	}
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte(want)) {
		t.Errorf("%v\n%s", err, out)
	}
}
