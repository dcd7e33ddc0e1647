package native

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What another program answers in ssad's place goes to a terminal and into logs: no control character of it does, and no more than a screen of it.
func TestForeignWordsStayWords(t *testing.T) {
	const evil = `\u001b]0;owned\u0007\u001b[2Jfine\u202e\n`
	for name, answer := range map[string]func(http.ResponseWriter){
		"problem": func(w http.ResponseWriter) {
			w.WriteHeader(422)
			_, _ = w.Write([]byte(`{"code":"x` + evil + `","title":"` + evil + `","detail":"` + evil + strings.Repeat("a", 9000) + `","request_id":"` + evil + `"}`))
		},
		"login": func(w http.ResponseWriter) {
			w.WriteHeader(401)
			_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"` + evil + `"}`))
		},
		"redirect": func(w http.ResponseWriter) {
			w.Header()["Location"] = []string{"https://other.example/\x1b[2J\u202e"}
			w.WriteHeader(302)
		},
		"state": func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"access_token":"a","expires_in":3600,"id":"` + evil + `","approval_url":"` + evil + `","state":"failed","reason":"` + evil + `"}`))
		},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
		_, err := New(s.URL, "acme", "secret").Wait(t.Context(), "op-1")
		op, failed := New(s.URL, "acme", "secret").Create(t.Context(), NewOperation{Signer: "anna", Worker: "pades"})
		s.Close()
		if failed == nil && strings.ContainsAny(op.ID+op.ApprovalURL, "\x1b\u202e") || failed != nil && strings.ContainsAny(failed.Error(), "\x1b\u202e") {
			t.Errorf("%s: %+v %q", name, op, failed)
		}
		if err == nil || strings.ContainsAny(err.Error(), "\x1b\x07\n\u202e") || len(err.Error()) > 2500 {
			t.Errorf("%s: %.200q", name, err)
		}
	}
}
