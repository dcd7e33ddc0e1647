package relay

import (
	"context"
	"errors"
	"net/http"

	"github.com/assent-sign/assent/signapp"
)

// Errors that exist only at the wire.
var (
	errLogin  = errors.New("relay: nobody is logged in")
	errToken  = errors.New("relay: no operation token")
	errOrigin = errors.New("relay: scripts of this origin may not call")
	errMedia  = errors.New("relay: body is not application/json")
	errMethod = errors.New("relay: method not allowed")
	errBusy   = errors.New("relay: too many enrolment calls")
)

// errorBody is every error answer. Message is for the signer: what happened,
// what was not harmed, what to do.
type errorBody struct {
	Error   string `json:"error"`
	Message string `json:"message"`
	Retry   string `json:"retry"` // never, later, same (the same request, byte by byte)
}

// table is the one mapping from errors to answers; the first match counts. What
// is not in it is "internal": causes stay in the log.
var table = []struct {
	err    error
	status int
	body   errorBody
}{
	{errLogin, 401, errorBody{"login_required", "You are not logged in, or your login has ended. Log in again and open the request from your list.", "never"}},
	{errToken, 401, errorBody{"token_required", "This page has lost its connection to the request. Open the request again from your list.", "never"}},
	{errOrigin, 403, errorBody{"origin_not_allowed", "This call does not come from the signing page.", "never"}},
	{errMedia, 415, errorBody{"media_type", "The request must be JSON.", "never"}},
	{errMethod, 405, errorBody{"method", "This is not possible here.", "never"}},
	{errBusy, 429, errorBody{"busy", "Many people are registering at this moment. Wait a few seconds and try again.", "later"}},
	{signapp.ErrLink, 403, errorBody{"link_invalid", "This link was used already, has expired, or belongs to another person or browser. Open the request again from your list.", "never"}},
	{signapp.ErrExpired, 410, errorBody{"expired", "The time for this request is over. Nothing was signed. Ask the sender for a new one.", "never"}},
	{signapp.ErrState, 409, errorBody{"state", "This request has moved on since this page was opened. Reload it to see how it stands.", "never"}},
	{signapp.ErrTooLarge, 413, errorBody{"too_large", "The request is larger than allowed.", "never"}},
	{signapp.ErrInput, 400, errorBody{"invalid", "The service could not use what this page sent. Nothing was signed. Open the request again from your list.", "never"}},
	{signapp.ErrRefused, 403, errorBody{"refused", "The signature module refused. Nothing was signed. If you do not know why, contact the service and name the time.", "never"}},
	{signapp.ErrNotFound, 404, errorBody{"not_found", "There is no such request for you. Open it again from your list.", "never"}},
	{signapp.ErrClock, 503, errorBody{"clock_in_doubt", "The service's clocks do not agree, so nothing can be signed now. Its operators are told. Nothing is lost; try again later.", "later"}},
	{signapp.ErrClosed, 503, errorBody{"module_closed", "The signature module is closed for the moment, and its officers have to open it again. Nothing is lost; try again later.", "later"}},
	{signapp.ErrUnavailable, 503, errorBody{"unavailable", "The signature module cannot be reached at this moment. Nothing is lost; try again in a minute.", "later"}},
	{signapp.ErrQuota, 503, errorBody{"unavailable", "Too many documents of yours are open at this moment. Close other pages that show them, and try again.", "later"}},
	{signapp.ErrFull, 503, errorBody{"unavailable", "The service has no room at this moment. Try again later.", "later"}},
}

var internal = errorBody{"internal", "Something went wrong in the service. Try the same again; if it persists, contact the service and name the time.", "same"}

func (h *Relay) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the caller has gone
	}
	for _, t := range table {
		if errors.Is(err, t.err) {
			if t.body.Retry == "later" {
				w.Header().Set("Retry-After", "10")
			}
			reply(w, t.status, t.body)
			return
		}
	}
	h.cfg.Log.Error("relay call failed", "method", r.Method, "path", r.URL.Path, "error", err)
	reply(w, http.StatusInternalServerError, internal)
}
