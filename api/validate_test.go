package api_test

import (
	"strings"
	"testing"
)

// A client has its own uploads judged by workers that it may use; nobody else's, and by
// no other worker.
func TestValidationOverTheAPI(t *testing.T) {
	w := newWorld(t)
	shop, bank, small := w.serviceToken("shop"), w.serviceToken("bank"), w.serviceToken("small")
	doc := w.upload(shop)
	ask := func(token, document, worker string, want int, code string) {
		t.Helper()
		a := w.call("POST", "/api/v1/validations", token, map[string]string{"document": document, "worker": worker})
		if a.StatusCode != want || code != "" && a.field("code") != code {
			t.Errorf("%s by %q: %d %s", document, worker, a.StatusCode, a.body)
		}
		if want == 200 && (!strings.Contains(string(a.body), `"file"`) || a.Header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s %v", a.body, a.Header)
		}
	}
	ask(shop, doc, "check", 200, "")
	ask(bank, doc, "check", 404, "not_found")
	ask(small, doc, "check", 403, "not_allowed")
	ask(shop, doc, "pades", 422, "cannot_be_served")
	ask(shop, "doc-none", "check", 404, "not_found")
	ask(shop, "../../etc/passwd", "check", 404, "not_found")
	ask(shop, "", "check", 400, "invalid_parameter")
	ask(shop, doc, "", 400, "invalid_parameter")
	beside := func(token string, want int, list ...map[string]string) {
		t.Helper()
		a := w.call("POST", "/api/v1/validations", token, map[string]any{"document": doc, "worker": "check", "detached": list})
		if a.StatusCode != want {
			t.Errorf("%v: %d %s", list, a.StatusCode, a.body)
		}
	}
	// The files beside a signature are uploads of the same client.
	theirs := w.upload(bank)
	beside(shop, 200, map[string]string{"document": w.upload(shop), "name": "a b.txt"}, map[string]string{"document": w.upload(shop)})
	beside(shop, 404, map[string]string{"document": theirs, "name": "a.txt"})
	beside(shop, 404, map[string]string{"document": "../x"})
	beside(shop, 400, map[string]string{"document": doc, "path": "/etc/passwd"})
	a := w.call("POST", "/api/v1/validations", shop, map[string]any{"document": doc, "worker": "check", "parts": []string{"head", "line 2"}})
	if a.StatusCode != 200 || a.field("parts") != "head,line 2" {
		t.Errorf("parts: %d %s", a.StatusCode, a.body)
	}
	if a = w.call("POST", "/api/v1/validations", shop, map[string]any{"document": doc, "worker": "check", "parts": "head"}); a.StatusCode != 400 {
		t.Errorf("parts that are no list: %d %s", a.StatusCode, a.body)
	}
}
