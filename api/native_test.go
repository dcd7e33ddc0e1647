package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/api"
	"github.com/assent-sign/assent/internal/ends"
	"github.com/assent-sign/assent/signapp"
)

// The walk of docs/integrators.md: token, upload, operation, poll, download.
func TestNativeWalk(t *testing.T) {
	w := newWorld(t)
	token := w.serviceToken("shop")
	a := w.must(w.call("POST", "/api/v1/documents?name=contract.pdf", token, "%PDF-1.7 text", "Content-Type", "application/pdf"), 201)
	var d api.Document
	a.json(t, &d)
	if d.Name != "contract.pdf" || d.Size != 13 || len(d.SHA256) != 32 || a.Header.Get("Location") != "/api/v1/documents/"+d.ID {
		t.Errorf("document %+v, location %q", d, a.Header.Get("Location"))
	}
	a = w.must(w.call("POST", "/api/v1/operations", token, map[string]any{"signer": "alice", "purpose": "Contract", "lifetime_seconds": 600,
		"items": []any{map[string]any{"document": d.ID, "worker": "pades"}}}), 201)
	var op api.Operation
	a.json(t, &op)
	if op.State != "prepared" || !strings.HasPrefix(op.ApprovalURL, baseURL+"/approve/") || len(op.Items) != 1 {
		t.Fatalf("operation %+v", op)
	}
	if got := w.must(w.call("GET", "/api/v1/operations/"+op.ID, token, nil), 200); strings.Contains(string(got.body), "approval_url") {
		t.Errorf("the approval link is given out again: %s", got.body)
	}
	w.problem(w.call("GET", "/api/v1/operations/"+op.ID+"/items/0/document", token, nil), 409, "not_finished")
	go func() { time.Sleep(50 * time.Millisecond); w.app.approve(t, op.ID) }()
	a = w.must(w.call("GET", "/api/v1/operations/"+op.ID+"?wait=60", token, nil), 200)
	a.json(t, &op)
	if op.State != "finished" || op.Items[0].Result == nil || op.Items[0].Result.Level != "B-B" {
		t.Fatalf("after wait: %s", a.body)
	}
	a = w.must(w.call("GET", "/api/v1/operations/"+op.ID+"/items/0/document", token, nil), 200)
	if string(a.body) != "%PDF-1.7 signed contract.pdf" || a.Header.Get("Content-Type") != "application/pdf" || a.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("document: %q %v", a.body, a.Header)
	}
	w.must(w.call("GET", "/api/v1/operations/"+op.ID+"/receipt", token, nil), 200)
	w.problem(w.call("POST", "/api/v1/operations/"+op.ID+"/cancel", token, nil), 409, "wrong_state")
}

// What a client no longer wants kept it deletes before its time: an upload, and the signed documents of an
// operation that has ended. A token that stands for one signer deletes nobody else's.
func TestDeletion(t *testing.T) {
	w := newWorld(t)
	token := w.serviceToken("shop")
	doc := w.upload(token)
	id := w.operation(token, doc)
	w.problem(w.call("DELETE", "/api/v1/operations/"+id+"/documents", token, nil), 409, "wrong_state")
	w.problem(w.call("DELETE", "/api/v1/documents/"+doc, w.serviceToken("bank"), nil), 404, "not_found")
	w.problem(w.call("DELETE", "/api/v1/documents/"+doc, w.signerToken("bob"), nil), 403, "not_allowed")
	if a := w.must(w.call("DELETE", "/api/v1/documents/"+doc, token, nil), 204); len(a.body) != 0 {
		t.Errorf("%q", a.body)
	}
	w.problem(w.call("DELETE", "/api/v1/documents/"+doc, token, nil), 404, "not_found")
	w.problem(w.call("DELETE", "/api/v1/documents/..", token, nil), 404, "not_found")
	w.app.approve(t, id)
	w.must(w.call("GET", "/api/v1/operations/"+id+"/items/0/document", token, nil), 200)
	w.problem(w.call("DELETE", "/api/v1/operations/"+id+"/documents", w.signerToken("bob"), nil), 404, "not_found")
	w.must(w.call("DELETE", "/api/v1/operations/"+id+"/documents", token, nil), 204)
	w.problem(w.call("GET", "/api/v1/operations/"+id+"/items/0/document", token, nil), 410, "expired")
	w.must(w.call("GET", "/api/v1/operations/"+id+"/receipt", token, nil), 200)
	w.must(w.call("DELETE", "/api/v1/operations/"+id+"/documents", token, nil), 204)
}

func TestNativeRefusals(t *testing.T) {
	w := newWorld(t)
	token := w.serviceToken("shop")
	doc := w.upload(token)
	small := w.serviceToken("small")
	item := map[string]any{"document": doc, "worker": "pades"}
	for name, c := range map[string]struct {
		a    answer
		code string
		st   int
	}{
		"no token":        {w.call("GET", "/api/v1/credentials?signer=alice", "", nil), "unauthenticated", 401},
		"garbage token":   {w.call("GET", "/api/v1/credentials?signer=alice", "at_x", nil), "token_invalid", 401},
		"two schemes":     {w.call("GET", "/api/v1/credentials?signer=alice", "", nil, "Authorization", "Basic x"), "unauthenticated", 401},
		"no signer":       {w.call("GET", "/api/v1/credentials", token, nil), "invalid_parameter", 400},
		"twice":           {w.call("GET", "/api/v1/credentials?signer=alice&signer=bob", token, nil), "invalid_parameter", 400},
		"unknown query":   {w.call("GET", "/api/v1/credentials?signer=alice&x=1", token, nil), "invalid_parameter", 400},
		"media type":      {w.call("POST", "/api/v1/documents", token, "%PDF-", "Content-Type", "text/html"), "media_type", 415},
		"gzip":            {w.call("POST", "/api/v1/documents", token, "%PDF-", "Content-Type", "application/pdf", "Content-Encoding", "gzip"), "media_type", 415},
		"too large":       {w.call("POST", "/api/v1/documents", token, make([]byte, 1<<20+1), "Content-Type", "application/pdf"), "too_large", 413},
		"not a PDF":       {w.call("POST", "/api/v1/documents", token, "hello", "Content-Type", "application/pdf"), "document_unusable", 422},
		"unknown member":  {w.call("POST", "/api/v1/operations", token, `{"signer":"alice","purpos":"x"}`), "malformed_body", 400},
		"wrong type":      {w.call("POST", "/api/v1/operations", token, "{}", "Content-Type", "text/plain"), "media_type", 415},
		"no items":        {w.call("POST", "/api/v1/operations", token, map[string]any{"signer": "alice"}), "invalid_parameter", 400},
		"lifetime":        {w.call("POST", "/api/v1/operations", token, map[string]any{"signer": "alice", "lifetime_seconds": -1, "items": []any{item}}), "invalid_parameter", 400},
		"unknown signer":  {w.call("POST", "/api/v1/operations", token, map[string]any{"signer": "carol", "items": []any{item}}), "cannot_be_served", 422},
		"unknown worker":  {w.call("POST", "/api/v1/operations", token, map[string]any{"signer": "alice", "items": []any{map[string]any{"document": doc, "worker": "xades"}}}), "no_such_worker", 400},
		"foreign worker":  {w.call("POST", "/api/v1/operations", small, map[string]any{"signer": "bob", "items": []any{item}}), "not_allowed", 403},
		"raw not allowed": {w.call("POST", "/api/v1/operations", small, map[string]any{"signer": "bob", "items": []any{map[string]any{"digest": make([]byte, 32), "name": "x"}}}), "not_allowed", 403},
		"foreign signer":  {w.call("GET", "/api/v1/credentials?signer=alice", small, nil), "not_allowed", 403},
		"unknown path":    {w.call("GET", "/api/v1/nothing", token, nil), "no_such_endpoint", 404},
		"method":          {w.call("DELETE", "/api/v1/documents", token, nil), "method_not_allowed", 405},
		"bad wait":        {w.call("GET", "/api/v1/operations/"+w.operation(token, doc)+"?wait=99999", token, nil), "invalid_parameter", 400},
		"bad item":        {w.call("GET", "/api/v1/operations/"+w.operation(token, doc)+"/items/01/document", token, nil), "not_found", 404},
		"strange id":      {w.call("GET", "/api/v1/operations/%2e%2e%2fx", token, nil), "not_found", 404},
	} {
		t.Run(name, func(t *testing.T) { w.t = t; w.problem(c.a, c.st, c.code) })
	}
}

// I6, T19: what a domain error says inside does not go out.
func TestErrorsAreOpaque(t *testing.T) {
	w := newWorld(t)
	token := w.serviceToken("shop")
	for _, c := range []struct {
		err    error
		status int
		code   string
		retry  string
	}{
		{fmt.Errorf("%w: /var/lib/secret/path", signapp.ErrFull), 507, "storage_full", "later"},
		{fmt.Errorf("%w: sad_consumed ref 17", signapp.ErrRefused), 403, "refused", "never"},
		{fmt.Errorf("%w: dial 10.0.0.7", signapp.ErrUnavailable), 503, "unavailable", "same"},
		{fmt.Errorf("a bug at 10.0.0.7"), 500, "internal", "later"},
	} {
		w.app.fail = c.err
		a := w.call("GET", "/api/v1/operations/op-1", token, nil)
		w.problem(a, c.status, c.code)
		if a.field("retry") != c.retry || strings.Contains(string(a.body), "secret") || strings.Contains(string(a.body), "10.0.0.7") || strings.Contains(string(a.body), "sad_consumed") {
			t.Errorf("answer tells too much or the wrong thing: %s", a.body)
		}
		if !strings.Contains(w.log.String(), a.field("request_id")) {
			t.Error("the request id is not in the log")
		}
		if wait := a.Header.Get("Retry-After"); (wait == "") != (c.retry == "never") {
			t.Errorf("%s, retry %s: Retry-After %q", c.code, c.retry, wait) // else a client asks a service that is closed as fast as it can
		}
	}
	w.app.fail = fmt.Errorf("%w: the PDF is encrypted\x1b[31m", signapp.ErrInput)
	if a := w.call("GET", "/api/v1/operations/op-1", token, nil); a.field("detail") != "the PDF is encrypted[31m" {
		t.Errorf("detail %q", a.field("detail"))
	}
}

// T18: a client at its bound is told so, and that it takes time; operators see what each
// keeps, by names that they gave.
func TestT18ClientAtItsBound(t *testing.T) {
	w := newWorld(t, func(c *api.Config) {
		c.Kept = func(context.Context) ([]signapp.Kept, error) {
			return []signapp.Kept{{Client: "shop", Bytes: 77, Operations: 3}, {Client: "signer:anna", Bytes: 5}, {Client: "signer:ben", Bytes: 6}, {Client: "x\n", Bytes: 1}}, nil
		}
	})
	token := w.serviceToken("shop")
	w.app.fail = fmt.Errorf("%w: 10 of 10 MiB are in use", signapp.ErrQuota)
	a := w.call("GET", "/api/v1/operations/op-1", token, nil)
	w.problem(a, http.StatusInsufficientStorage, "client_storage_full")
	if a.field("retry") != "later" || a.Header.Get("Retry-After") != "3600" || a.field("detail") != "10 of 10 MiB are in use" {
		t.Errorf("%s, Retry-After %q", a.body, a.Header.Get("Retry-After"))
	}
	m := string(w.adminGet("/metrics").body)
	for _, line := range []string{
		`ssad_client_kept_bytes{client="shop"} 77`, `ssad_client_kept_operations{client="shop"} 3`,
		`ssad_client_kept_bytes{client="(signers)"} 11`, `ssad_client_kept_bytes{client="(others)"} 1`,
	} {
		if !strings.Contains(m, line) {
			t.Errorf("no %s", line)
		}
	}
}

// 1.2 (5) of the experience guide: safe retries.
func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Limits.IdempotencyTTL = 10 * time.Minute })
	token := w.serviceToken("shop")
	doc := w.upload(token)
	body := fmt.Sprintf(`{"signer":"alice","purpose":"Contract","items":[{"document":%q,"worker":"pades"}]}`, doc)
	post := func(tok, key, body string) answer {
		return w.call("POST", "/api/v1/operations", tok, body, "Idempotency-Key", key)
	}
	first := w.must(post(token, "k1", body), 201)
	second := w.must(post(token, "k1", body), 201)
	if !bytes.Equal(first.body, second.body) || second.Header.Get("Idempotency-Replayed") != "true" || second.Header.Get("Location") != first.Header.Get("Location") {
		t.Errorf("repetition differs: %s / %s", first.body, second.body)
	}
	if w.app.creates != 1 {
		t.Errorf("%d operations were created, want 1", w.app.creates)
	}
	w.problem(post(token, "k1", strings.Replace(body, "Contract", "Other", 1)), 422, "idempotency_conflict")
	w.must(post(token, "k2", body), 201)
	w.problem(post(w.serviceToken("bank"), "k1", body), 404, "not_found") // its own key, not shop's document
	// A refused request frees its key.
	bad := strings.Replace(body, "alice", "carol", 1)
	w.problem(post(token, "k3", bad), 422, "cannot_be_served")
	w.must(post(token, "k3", body), 201)
	for _, key := range []string{"", strings.Repeat("x", 129), "a b", "ä"} {
		w.problem(post(token, key, body), 400, "invalid_parameter")
	}
	w.clock.Advance(11 * time.Minute)
	before := w.app.creates
	w.must(post(token, "k1", body), 201)
	if w.app.creates != before+1 {
		t.Error("an expired key was still remembered")
	}
}

// F3: an answer that cannot be remembered is taken back, not given.
func TestIdempotencyWithFailingStore(t *testing.T) {
	w := newWorld(t)
	token := w.serviceToken("shop")
	body := map[string]any{"signer": "alice", "purpose": "x", "items": []any{map[string]any{"document": w.upload(token), "worker": "pades"}}}
	w.store.breakWhen(func(op, kind string) bool { return op == "swap" && kind == "idem" })
	w.problem(w.call("POST", "/api/v1/operations", token, body, "Idempotency-Key", "k"), 503, "unavailable")
	if op := w.app.only(t); op.State != signapp.StateCancelled {
		t.Errorf("the unremembered operation is %s", op.State)
	}
	w.store.breakWhen(func(op, kind string) bool { return op == "insert" && kind == "idem" })
	w.problem(w.call("POST", "/api/v1/operations", token, body, "Idempotency-Key", "k9"), 503, "unavailable")
	if w.app.creates != 1 {
		t.Error("an operation was created without its key")
	}
}

func TestConcurrentIdempotencyKeyCreatesOnce(t *testing.T) {
	w := newWorld(t)
	token := w.serviceToken("shop")
	body := map[string]any{"signer": "alice", "purpose": "x", "items": []any{map[string]any{"document": w.upload(token), "worker": "pades"}}}
	done := make(chan int, 8)
	for range 8 {
		go func() { done <- w.call("POST", "/api/v1/operations", token, body, "Idempotency-Key", "k").StatusCode }()
	}
	for range 8 {
		if s := <-done; s != 201 && s != 409 {
			t.Errorf("status %d", s)
		}
	}
	if w.app.creates != 1 {
		t.Errorf("%d operations were created", w.app.creates)
	}
}

// I9: when too many wait, one more gets the present state at once.
func TestWaitsAreBounded(t *testing.T) {
	w := newWorld(t, func(c *api.Config) { c.Limits.Waits = 1 })
	token := w.serviceToken("shop")
	id := w.operation(token, w.upload(token))
	states := make(chan string, 2)
	for range 2 {
		go func() {
			states <- w.call("GET", "/api/v1/operations/"+id+"?wait=60", token, nil).field("state")
		}()
	}
	if got := <-states; got != "prepared" {
		t.Errorf("one too many gets %q, want the present state", got)
	}
	w.app.approve(t, id) // which the other waits for
	if got := <-states; got != "finished" {
		t.Errorf("the one that waits gets %q", got)
	}
}

// Operators see when each certificate ends, as a metric and as a detail of readiness;
// nobody else does.
func TestCertificatesEndForOperatorsOnly(t *testing.T) {
	var at time.Time
	w := newWorld(t, func(c *api.Config) {
		at = c.Clock.Now()
		c.Certificates = func() []ends.Certificate {
			return []ends.Certificate{
				{Use: "worker", Name: "seal", End: at.Add(400 * 24 * time.Hour), Do: "renew the seal"},
				{Use: "tls", End: at.Add(10*24*time.Hour + time.Hour), Do: "renew tls"},
				{Use: "sam_ca", Name: "CN=ca", End: at.Add(9000 * time.Hour)}, {Use: "sam_ca", Name: "CN=ca", End: at.Add(8000 * time.Hour)},
			}
		}
	})
	metrics := string(w.adminGet("/metrics").body)
	for _, want := range []string{
		fmt.Sprintf("ssad_certificate_end_seconds{name=\"\",use=\"tls\"} %s", seconds(at.Add(241*time.Hour))),
		fmt.Sprintf("ssad_certificate_end_seconds{name=\"CN=ca\",use=\"sam_ca\"} %s", seconds(at.Add(8000*time.Hour))),
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	var ready struct {
		Certificates []struct {
			Use, Name, Do string
			Days          int
			End           time.Time
		}
	}
	if err := json.Unmarshal(w.must(w.adminGet("/readyz"), 200).body, &ready); err != nil {
		t.Fatal(err)
	}
	if c := ready.Certificates; len(c) != 4 || c[0].Use != "tls" || c[0].Days != 10 || c[0].Do != "renew tls" || !c[0].End.Equal(at.Add(241*time.Hour)) || c[3].Name != "seal" || c[3].Do != "" {
		t.Errorf("%+v", ready)
	}
	if a := w.must(w.call("GET", "/readyz", "", nil), 200); string(a.body) != "ok\n" {
		t.Errorf("public readiness says %q", a.body)
	}
	w.clock.Advance(11 * 24 * time.Hour)
	if a := w.must(w.call("GET", "/readyz", "", nil), 200); string(a.body) != "ok\n" {
		t.Errorf("an ended certificate makes the service unready: %q", a.body)
	}
}

// seconds are a time as Prometheus' text form has it.
func seconds(at time.Time) string { return strconv.FormatFloat(float64(at.Unix()), 'g', -1, 64) }

func TestHealth(t *testing.T) {
	broken := false
	w := newWorld(t, func(c *api.Config) {
		c.Ready = append(c.Ready, api.Check{Name: "module", Do: func(ctx contextType) error {
			if broken {
				<-ctx.Done()
			}
			return nil
		}})
	})
	w.must(w.call("GET", "/livez", "", nil), 200)
	w.must(w.call("GET", "/startupz", "", nil), 200)
	if a := w.must(w.call("GET", "/readyz", "", nil), 200); string(a.body) != "ok\n" {
		t.Errorf("public readiness says %q", a.body)
	}
	broken = true
	w.clock.Advance(2 * time.Second)
	a := w.must(w.call("GET", "/readyz", "", nil), 503) // the check itself would hang for ever
	if strings.Contains(string(a.body), "module") {
		t.Errorf("public readiness says %q", a.body)
	}
	admin := w.adminGet("/readyz")
	if admin.StatusCode != 503 || !strings.Contains(string(admin.body), `{"name":"module","ok":false}`) || !strings.Contains(string(admin.body), `{"name":"database","ok":true}`) {
		t.Errorf("admin readiness: %s", admin.body)
	}
	if m := w.adminGet("/metrics"); m.StatusCode != http.StatusOK || !strings.Contains(string(m.body), `ssad_http_requests_total{class="2xx",route="/livez"} 1`) {
		t.Errorf("metrics: %s", m.body)
	}
	for _, path := range []string{"/metrics", "/admin"} {
		if a := w.call("GET", path, "", nil); a.StatusCode != 404 {
			t.Errorf("%s is public: %d", path, a.StatusCode)
		}
	}
}
