package tsp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Media types of RFC 3161 section 3.4.
const (
	QueryType = "application/timestamp-query"
	ReplyType = "application/timestamp-reply"
)

// Authority is what Handler serves: a Responder, or a worker around one.
type Authority interface {
	// Respond returns a response that can be sent, and why it is a rejection.
	Respond(ctx context.Context, reqDER []byte) ([]byte, error)
}

// Handler serves an authority over HTTP (RFC 3161 section 3.4). observe, which
// may be nil, is told of every rejection and transport error; the requester
// learns the failure code only.
func Handler(a Authority, observe func(error)) http.Handler {
	if observe == nil {
		observe = func(error) {}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST a time-stamp query", http.StatusMethodNotAllowed)
			return
		}
		if !isMediaType(r.Header.Get("Content-Type"), QueryType) {
			http.Error(w, "want "+QueryType, http.StatusUnsupportedMediaType)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRequest))
		if err != nil {
			var tooLarge *http.MaxBytesError
			status := http.StatusBadRequest
			if errors.As(err, &tooLarge) {
				status = http.StatusRequestEntityTooLarge
			}
			observe(err)
			http.Error(w, http.StatusText(status), status)
			return
		}
		resp, err := a.Respond(r.Context(), body)
		if err != nil {
			observe(err)
		}
		w.Header().Set("Content-Type", ReplyType)
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(resp) // the requester went away: nothing to do
	})
}

// isMediaType compares without parameters. The header is attacker's text: it is
// cut, not split.
func isMediaType(header, want string) bool {
	base, _, _ := strings.Cut(header, ";")
	return strings.EqualFold(strings.TrimSpace(base), want)
}
