package portal_test

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/apptest"
)

func form(t *testing.T, name, text, purpose string) (string, string) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	if err := w.WriteField("purpose", purpose); err != nil {
		t.Fatal(err)
	}
	if name != "" {
		f, err := w.CreateFormFile("document", name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, text); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Close()
	return w.FormDataContentType(), buf.String()
}

// A signer uploads, approves on the signing page, and downloads what was
// signed and the receipt.
func TestUploadOwnDocument(t *testing.T) {
	s := newSite(t, nil)
	anna, ben := s.person("anna"), s.person("ben")
	typ, body := form(t, `C:\docs\lease.pdf`, "my lease", "Rent")
	id, token, view := anna.OpenApp(location(t, anna.Post("/upload", typ, body)))
	if view.Asker != "Person anna (own upload)" || view.Purpose != "Rent" || view.Items[0].Name != "lease.pdf" {
		t.Fatalf("view %+v", view)
	}
	var ro struct {
		Request sap.Signed `json:"request"`
	}
	status(t, anna.App("/sap/v1/operations/"+id+"/request", token, struct{}{}, &ro), http.StatusOK)
	doc := status(t, anna.App("/sap/v1/operations/"+id+"/items/0/document", token, nil, nil), http.StatusOK)
	if !strings.HasPrefix(doc, "my lease") || int64(len(doc)) != view.Items[0].Size {
		t.Errorf("document %.20q", doc)
	}
	sad, proof := s.Module.Device("anna").Approve(t, view, ro.Request)
	status(t, anna.App("/sap/v1/operations/"+id+"/redeem", token, map[string]string{"sad": sap.B64(sad), "proof": sap.B64(proof)}, nil), http.StatusOK)
	me := signapp.Client{ID: "signer:anna"}
	if op, err := s.Service.Wait(context.Background(), me, id); err != nil || op.State != signapp.StateFinished {
		t.Fatalf("%v, %v", op, err)
	}
	page := status(t, anna.Get("/"), http.StatusOK)
	if !strings.Contains(page, "/operations/"+id+"/items/0") || !strings.Contains(page, "/operations/"+id+"/receipt") {
		t.Errorf("list offers no download: %s", page)
	}
	res := anna.Get("/operations/" + id + "/items/0")
	if got := status(t, res, http.StatusOK); !strings.HasPrefix(got, "my lease") || res.Header.Get("Content-Disposition") != `attachment; filename=lease.pdf` {
		t.Errorf("download: %q", res.Header.Get("Content-Disposition"))
	}
	status(t, anna.Get("/operations/"+id+"/receipt"), http.StatusOK)
	status(t, anna.App("/sap/v1/operations/"+id+"/items/0/result", token, nil, nil), http.StatusOK)
	status(t, anna.App("/sap/v1/operations/"+id+"/receipt", token, nil, nil), http.StatusOK)
	for _, p := range []string{"", "/items/0", "/receipt"} {
		status(t, ben.Get("/operations/"+id+p), http.StatusNotFound)
	}
	for name, c := range map[string]struct {
		name, text string
		want       int
	}{
		"no file":    {"", "", http.StatusBadRequest},
		"empty":      {"a.pdf", "", http.StatusBadRequest},
		"too large":  {"a.pdf", strings.Repeat("x", 2<<20), http.StatusRequestEntityTooLarge},
		"not usable": {"a.pdf", "BAD! file", http.StatusBadRequest},
		"name":       {"a\u202egnp.pdf", "x", http.StatusBadRequest},
	} {
		typ, body := form(t, c.name, c.text, "")
		res := anna.Post("/upload", typ, body)
		if page := apptest.Body(t, res); res.StatusCode != c.want || !strings.Contains(page, `role="alert"`) {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	status(t, anna.Post("/upload", "text/plain", "x"), http.StatusBadRequest)
}
