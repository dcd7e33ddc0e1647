package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
)

// answerOf makes a call and returns its status, its body and Retry-After.
func (b *browser) answerOf(method, to string, head map[string]string, body []byte) (int, map[string]any, string) {
	b.Helper()
	res, text := b.send(method, to, head, bytes.NewReader(body))
	out := map[string]any{}
	_ = json.Unmarshal(text, &out)
	if code, ok := out["error"]; ok { // as the signing page gets it
		out["code"] = code
	}
	return res.StatusCode, out, res.Header.Get("Retry-After")
}

// asked is a request that a signer has opened: what the integrator and the signer's page ask next.
type asked struct {
	*browser
	create  func() (int, map[string]any, string) // another request of the integrator
	request func() (int, map[string]any, string) // the page asks for what is to be approved
}

// openOperation lets anna open a request of the integrator.
func (w *world) openOperation() *asked {
	w.Helper()
	pdf, err := os.ReadFile(filepath.Join(testenv.Corpora(w.T, "pdf/pyhanko"), "minimal-two-pages.pdf"))
	if err != nil {
		w.Fatal(err)
	}
	b := w.browser()
	b.signer("anna")
	token := map[string]string{"Authorization": "Bearer " + b.token(), "Content-Type": "application/pdf"}
	var doc, op struct {
		ID          string `json:"id"`
		ApprovalURL string `json:"approval_url"`
	}
	if err := json.Unmarshal(b.call("POST", w.origin+"/api/v1/documents?name=c.pdf", token, bytes.NewReader(pdf), http.StatusCreated), &doc); err != nil {
		w.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"signer": "anna", "purpose": "a test", "items": []any{map[string]any{"document": doc.ID, "worker": "pades"}}})
	if err != nil {
		w.Fatal(err)
	}
	token["Content-Type"] = "application/json"
	if err := json.Unmarshal(b.call("POST", w.origin+"/api/v1/operations", token, bytes.NewReader(body), http.StatusCreated), &op); err != nil {
		w.Fatal(err)
	}
	b.join(b.invite("anna", "Anna Example"))
	u, err := url.Parse(string(b.call("GET", op.ApprovalURL, nil, nil, http.StatusSeeOther)))
	if err != nil {
		w.Fatal(err)
	}
	q, err := url.ParseQuery(u.Fragment)
	if err != nil {
		w.Fatal(err)
	}
	var s struct {
		Token string `json:"token"`
	}
	b.json("POST", w.origin+"/sap/v1/session", map[string]string{"Origin": samtest.Origin}, map[string]string{"ticket": q.Get("ticket")}, &s)
	return &asked{b,
		func() (int, map[string]any, string) {
			return b.answerOf("POST", w.origin+"/api/v1/operations", token, body)
		},
		func() (int, map[string]any, string) {
			return b.answerOf("POST", w.origin+"/sap/v1/operations/"+op.ID+"/request", map[string]string{"Origin": samtest.Origin, "X-Assent-Operation-Token": s.Token, "Content-Type": "application/json"}, []byte("{}"))
		}}
}

// told checks what both sides are told: a code, words, and when to come again.
func (a *asked) told(code, words string) {
	a.Helper()
	for who, ask := range map[string]func() (int, map[string]any, string){"the integrator": a.create, "the signer": a.request} {
		status, body, after := ask()
		text, _ := body["title"].(string)
		if m, ok := body["message"].(string); ok {
			text = m
		}
		if status != http.StatusServiceUnavailable || body["code"] != code || !strings.Contains(text, words) || body["retry"] != "later" || after == "" {
			a.Errorf("%s is told %d %v (again after %q), want 503 %s: %s", who, status, body, after, code, words)
		}
	}
}

func (a *asked) served() {
	a.Helper()
	if status, body, _ := a.create(); status != http.StatusCreated {
		a.Errorf("the integrator is told %d %v", status, body)
	}
	if status, body, _ := a.request(); status != http.StatusOK {
		a.Errorf("the signer is told %d %v", status, body)
	}
}

// TIM-01: ssad's clock and samd's are ten minutes apart. Signing times and time-stamps of
// ssad's own would be wrong: nobody is asked to sign, both sides are told why, the
// operator by how much, and all goes on when the clocks agree again.
func TestTIM01ClocksOfSsadAndSamdDiffer(t *testing.T) {
	w := newWorld(t)
	w.start()
	defer func() { w.stop() }()
	a := w.openOperation()
	a.served()
	for _, by := range []time.Duration{10 * time.Minute, -10 * time.Minute} {
		w.apart.Store(int64(by))
		time.Sleep(1100 * time.Millisecond) // an answer about readiness stands for a second
		if status, body, _ := a.answerOf("GET", "http://"+w.admin+"/readyz", nil, nil); status != http.StatusServiceUnavailable || !strings.Contains(jsonOf(t, body), `{"name":"clock","ok":false}`) {
			t.Errorf("%s: the operator is told %d %v", by, status, body)
		}
		a.told("clock_in_doubt", "clock")
		w.apart.Store(0)
		time.Sleep(1100 * time.Millisecond)
		if status, _, _ := a.answerOf("GET", "http://"+w.admin+"/readyz", nil, nil); status != http.StatusOK {
			t.Errorf("%s: not ready again: %d", by, status)
		}
		a.served()
	}
	// By ten minutes, within what an answer takes and the second to which it is dated.
	for _, want := range []string{"check=clock", "clock is (9m5|10m0)", "ahead of the module", "behind the module"} {
		if !regexp.MustCompile(want).MatchString(w.log.String()) {
			t.Errorf("the log does not say %q", want)
		}
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TIM-01, FPT-03: samd's clock jumps by an hour back, by a day ahead. The module closes at
// the next use; the integrator and the signer are told so with a code, not with a silence
// or a refusal, and the request that was open can be approved when an officer has
// opened the module again.
func TestTIM01SamdsClockJumps(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, 24 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			w := newWorld(t, func(c *sam.Config) { c.TimeSources, c.ClockLoss = []clock.Source{&samtest.Time{}}, 24*time.Hour })
			w.start()
			defer func() { w.stop() }()
			a := w.openOperation()
			a.served()
			w.sam.Clock.Step(by)
			status, body, _ := a.request() // the first use notices
			if status != http.StatusServiceUnavailable || body["code"] != "clock_in_doubt" {
				t.Errorf("the first to ask is told %d %v", status, body)
			}
			for range 200 {
				if w.sam.M.Health(context.Background(), samtest.SSPU) != nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if status, body, after := a.request(); status != http.StatusServiceUnavailable || body["code"] != "module_closed" || after == "" {
				t.Errorf("the signer is told %d %v", status, body)
			}
			if status, body, after := a.create(); status == http.StatusServiceUnavailable && (body["code"] != "module_closed" || after == "") {
				t.Errorf("the integrator is told %d %v", status, body)
			}
			time.Sleep(1100 * time.Millisecond) // an answer about readiness stands for a second
			if status, _, _ := a.answerOf("GET", w.origin+"/readyz", nil, nil); status != http.StatusServiceUnavailable {
				t.Errorf("ready while the module is closed: %d", status)
			}
			w.sam.Clock.Step(-by)
			if _, err := w.sam.M.Reopen(context.Background(), samtest.Officer, "the clock is right again"); err != nil {
				t.Fatal(err)
			}
			a.served()
		})
	}
}
