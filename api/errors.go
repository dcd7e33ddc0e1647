package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/api/strictjson"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/workers"
)

// What a client may do with an error: never send the request again, send the same again later, or send the same bytes again,
// because the first may have counted. With both goes Retry-After.
const (
	retryNever = "never"
	retryLater = "later"
	retrySame  = "same"
)

const codeQuota = "client_storage_full"

// wire is an error as it goes out. Code is ours and stable; cscCode and cscText
// are what CSC clients get.
type wire struct {
	status  int
	code    string
	title   string
	retry   string
	cscCode string
	// detailed: the wrapped text is made for the client and is sent.
	detailed bool
}

// Own errors of this package, before the table.
var (
	errInternal     = errors.New("api: internal error")
	errMalformed    = errors.New("api: the body is not acceptable")
	errMediaType    = errors.New("api: the content type is not served here")
	errBodySize     = errors.New("api: the body is too large")
	errParameter    = errors.New("api: a parameter is not acceptable")
	errAuthHeader   = errors.New("api: Authorization header is missing or malformed")
	errScope        = errors.New("api: the token does not open this")
	errClientPolicy = errors.New("api: the client's configuration does not allow this")
	errRate         = errors.New("api: too many requests")
	errBusy         = errors.New("api: too many large requests at once")
	errNoRoute      = errors.New("api: no such endpoint")
	errMethod       = errors.New("api: the endpoint does not have this method")
	errNotServed    = errors.New("api: this method of the specification is not served")
	errKeyReused    = errors.New("api: the Idempotency-Key was used with another request")
	errKeyInUse     = errors.New("api: the first request with this Idempotency-Key is not finished")
	errPending      = errors.New("api: not finished")
	errCSC          = errors.New("api: refused by the CSC API's rules")
	errHash         = errors.New("api: document does not match an authorized hash")
)

// table maps errors to the wire, first match wins; what is not in it is opaque.
// Domain packages know nothing of it.
var table = []struct {
	err error
	wire
}{
	{errMalformed, wire{400, "malformed_body", "The body is not acceptable", retryNever, csc.ErrInvalidRequest, true}},
	{strictjson.ErrInvalid, wire{400, "malformed_body", "The body is not acceptable", retryNever, csc.ErrInvalidRequest, true}},
	{errMediaType, wire{415, "media_type", "The content type is not served here", retryNever, csc.ErrInvalidRequest, true}},
	{errBodySize, wire{413, "too_large", "The body is over the size limit", retryNever, csc.ErrInvalidRequest, true}},
	{errParameter, wire{400, "invalid_parameter", "A parameter is not acceptable", retryNever, csc.ErrInvalidRequest, true}},
	{errCSC, wire{400, "invalid_request", "The request is not acceptable", retryNever, csc.ErrInvalidRequest, true}},
	{errHash, wire{403, "invalid_hash", "The document does not match an authorized hash", retryNever, csc.ErrInvalidHash, true}},
	{errAuthHeader, wire{401, "unauthenticated", "A bearer token is needed", retryNever, csc.ErrInvalidRequest, false}},
	{oauth.ErrTokenExpired, wire{401, "token_expired", "The token is expired", retryNever, csc.ErrExpiredToken, false}},
	{oauth.ErrToken, wire{401, "token_invalid", "The token is unknown or revoked", retryNever, csc.ErrInvalidToken, false}},
	{oauth.ErrSpent, wire{400, "token_spent", "The credential token was used", retryNever, csc.ErrInvalidRequest, false}},
	{errScope, wire{403, "insufficient_scope", "The token does not open this", retryNever, csc.ErrAccessDenied, false}},
	{errClientPolicy, wire{403, "not_allowed", "The client is not allowed to do this", retryNever, csc.ErrAccessDenied, true}},
	{errRate, wire{429, "rate_limited", "Too many requests", retryLater, csc.ErrUnavailable, false}},
	{errBusy, wire{503, "busy", "Too many large requests at once", retryLater, csc.ErrUnavailable, false}},
	{errNoRoute, wire{404, "no_such_endpoint", "There is no such endpoint", retryNever, csc.ErrInvalidRequest, false}},
	{errMethod, wire{405, "method_not_allowed", "The endpoint does not have this method", retryNever, csc.ErrInvalidRequest, false}},
	{errNotServed, wire{501, "not_served", "This method is not served", retryNever, csc.ErrInvalidRequest, false}},
	{errKeyReused, wire{422, "idempotency_conflict", "The Idempotency-Key was used with another request", retryNever, csc.ErrInvalidRequest, false}},
	{errKeyInUse, wire{409, "idempotency_in_progress", "The first request with this Idempotency-Key is not finished", retryLater, csc.ErrUnavailable, false}},
	{errPending, wire{409, "not_finished", "The operation is not finished", retryLater, csc.ErrAcceptedRequest, false}},
	{signapp.ErrNotFound, wire{404, "not_found", "There is no such thing, or it is not yours", retryNever, csc.ErrInvalidRequest, false}},
	{signapp.ErrPaused, wire{429, "signer_paused", "The signer has declined several requests in a row; ask again later", retryLater, csc.ErrInvalidRequest, false}},
	{signapp.ErrTooMany, wire{429, "too_many_waiting", "Too many operations wait for signers already", retryLater, csc.ErrInvalidRequest, false}},
	{signapp.ErrState, wire{409, "wrong_state", "Not possible in this state", retryNever, csc.ErrInvalidRequest, false}},
	{signapp.ErrTooLarge, wire{413, "too_large", "Over a size limit", retryNever, csc.ErrInvalidRequest, false}},
	{workers.ErrNotFound, wire{400, "no_such_worker", "There is no such worker", retryNever, csc.ErrInvalidRequest, false}},
	{workers.ErrParams, wire{400, "invalid_parameter", "A worker's parameter is not acceptable", retryNever, csc.ErrInvalidRequest, true}},
	{workers.ErrLevel, wire{400, "level", "The level cannot be reached", retryNever, csc.ErrInvalidRequest, true}},
	{workers.ErrHazard, wire{422, "document_hazardous", "The document holds what may not be signed", retryNever, csc.ErrInvalidRequest, true}},
	{workers.ErrInput, wire{422, "document_unusable", "The document cannot be signed", retryNever, csc.ErrInvalidRequest, true}},
	{signapp.ErrInput, wire{422, "cannot_be_served", "The request cannot be served", retryNever, csc.ErrInvalidRequest, true}},
	{signapp.ErrExpired, wire{410, "expired", "Expired", retryNever, csc.ErrInvalidRequest, false}},
	// The module's reasons are for the audit and the operator (I8).
	{signapp.ErrRefused, wire{403, "refused", "The request was refused", retryNever, csc.ErrAccessDenied, false}},
	{signapp.ErrQuota, wire{507, codeQuota, "The client keeps as much as it may", retryLater, csc.ErrUnavailable, true}},
	{signapp.ErrFull, wire{507, "storage_full", "The service cannot store more now", retryLater, csc.ErrUnavailable, false}},
	{signapp.ErrClock, wire{503, "clock_in_doubt", "The service's clocks do not agree, and nothing is signed until they do; its operators are told", retryLater, csc.ErrUnavailable, false}},
	{signapp.ErrClosed, wire{503, "module_closed", "The signature module is closed until its officers open it; nothing is signed before", retryLater, csc.ErrUnavailable, false}},
	{signapp.ErrUnavailable, wire{503, "unavailable", "The service cannot answer now", retrySame, csc.ErrUnavailable, false}},
	{oauth.ErrUnavailable, wire{503, "unavailable", "The service cannot answer now", retryLater, csc.ErrUnavailable, false}},
	{context.DeadlineExceeded, wire{503, "unavailable", "The service cannot answer now", retrySame, csc.ErrUnavailable, false}},
	{errInternal, wire{500, "internal", "The service failed", retryLater, csc.ErrServerError, false}},
}

// classify finds the row of an error.
func classify(err error) wire {
	for _, row := range table {
		if errors.Is(err, row.err) {
			return row.wire
		}
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return classify(errBodySize)
	}
	return classify(errInternal)
}

// said is an error with a text for the client.
type said struct {
	kind error
	text string
}

func (e *said) Error() string { return e.kind.Error() + ": " + e.text }
func (e *said) Unwrap() error { return e.kind }

// say makes an error whose text goes to the client.
func say(kind error, text string) error { return &said{kind, text} }

// detail is the text for the client: a fixed one of ours, or, for the kinds
// that are made for clients, the domain's without its prefix. It is bounded and
// holds no control characters.
func (w wire) detail(err error) string {
	if s := (*said)(nil); errors.As(err, &s) {
		return clean(s.text)
	}
	if !w.detailed {
		return ""
	}
	text := err.Error()
	for _, row := range table {
		if text == row.err.Error() {
			return ""
		}
		text = strings.TrimPrefix(text, row.err.Error()+": ")
	}
	return clean(text)
}

func clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() > 300 {
			return b.String() + "…"
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// problem is the native API's error (RFC 9457). Clients decide by code, never
// by the texts.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Code      string `json:"code"`
	RequestID string `json:"request_id"`
	Retry     string `json:"retry"`
}

func (a *API) writeProblem(w http.ResponseWriter, requestID string, err error) wire {
	e := classify(err)
	header(w, e)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(problem{Type: a.cfg.BaseURL + pathProblems + e.code, Title: e.title, Status: e.status,
		Detail: e.detail(err), Code: e.code, RequestID: requestID, Retry: e.retry})
	return e
}

func (a *API) writeCSC(w http.ResponseWriter, requestID string, err error) wire {
	e := classify(err)
	text := e.detail(err)
	if text == "" {
		text = e.title
	}
	switch {
	case errors.Is(err, errAuthHeader):
		// The specification's status for this one is 400, in every table.
		e.status, text = 400, "Malformed authorization header"
	case errors.Is(err, errMediaType), errors.Is(err, signapp.ErrState), errors.Is(err, signapp.ErrNotFound):
		e.status = 400 // 404, 409 and 415 are not among the specification's
	case errors.Is(err, errPending):
		e.status, text = http.StatusAccepted, "The previous async request has been accepted but not yet completed"
	}
	header(w, e)
	out := csc.Error{Code: e.cscCode, Description: text, RequestID: requestID, Retry: e.retry}
	if p := (*pending)(nil); errors.As(err, &p) {
		out.ResponseID, out.ApprovalURL = p.responseID, p.approvalURL
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(out)
	return e
}

func header(w http.ResponseWriter, e wire) {
	w.Header().Set("Cache-Control", "no-store")
	if e.status == 401 {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if e.retry != retryNever && w.Header().Get("Retry-After") == "" {
		after := "5"
		if e.code == codeQuota {
			after = "3600" // room comes as uploads and results reach the end of their retention
		}
		w.Header().Set("Retry-After", after)
	}
}

// pending is errPending with what a client needs to ask again.
type pending struct{ responseID, approvalURL string }

func (*pending) Error() string { return errPending.Error() }
func (*pending) Unwrap() error { return errPending }
