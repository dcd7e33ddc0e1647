package portal

import (
	"errors"
	"net/http"
	"strings"

	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/workers"
)

// page is what the layout shows.
type page struct {
	Title, Service, Contact string
	Demo, LoggedIn, Upload  bool
	Person                  string
	Passkeys                string // the signing origin's page of signing passkeys
	Body                    any
}

type joinView struct{ Name, Path string }

type loginView struct {
	Next   string
	Finish string // where the script posts the assertion
}

type uploadView struct {
	MaxMiB  int64
	Problem string
}

type problemView struct{ Words string }

type listView struct {
	Waiting, Done []operationView
}

type operationView struct {
	ID, Asker, Purpose, Level string
	State                     string // in words
	Reason                    string
	When                      string // of the end, or until when it waits
	Created                   string
	Waiting, Finished         bool
	Receipt                   bool
	Items                     []itemView
}

type itemView struct {
	I         int
	Name      string
	HasResult bool
}

const timeForm = "2 January 2006, 15:04 UTC"

func (p *Portal) operationView(op *signapp.Operation) operationView {
	v := operationView{ID: op.ID, Asker: op.Client.Name, Purpose: op.Purpose, Level: op.Level, State: stateWords(op.State),
		Reason: op.Reason, Created: op.Created.UTC().Format(timeForm), When: op.Expires.UTC().Format(timeForm),
		Waiting:  op.State == signapp.StatePrepared || op.State == signapp.StateShown,
		Finished: op.State == signapp.StateFinished, Receipt: op.Receipt != nil}
	for i, it := range op.Items {
		v.Items = append(v.Items, itemView{i, strings.Join(append([]string{it.Name}, it.More...), ", "), v.Finished && it.Worker != ""})
	}
	return v
}

func stateWords(s signapp.State) string {
	switch s {
	case signapp.StatePrepared:
		return "waits for you"
	case signapp.StateShown:
		return "opened, waits for your decision"
	case signapp.StateApproved:
		return "approved, being signed"
	case signapp.StateSigned:
		return "signed, being completed"
	case signapp.StateFinished:
		return "signed"
	case signapp.StateDeclined:
		return "you did not sign"
	case signapp.StateCancelled:
		return "withdrawn by the sender"
	case signapp.StateExpired:
		return "ran out of time"
	}
	return "failed"
}

// words is the one table from errors to what a person is told.
var words = []struct {
	err    error
	status int
	words  string
}{
	{errInvite, 403, "This invitation was used already or is over. Ask the service for a new one."},
	{errCeremony, 400, "This page waited too long, or was opened in another window. Reload it and try again."},
	{errPasskey, 403, "This passkey was not accepted. Use the passkey that you registered here for logging in, not the one for signing."},
	{errBusy, 429, "Many people are logging in at this moment. Wait a few seconds and try again."},
	{errNoFile, 400, "Choose a file first."},
	{signapp.ErrLink, 403, "This link was used already, has expired, or was sent to somebody else. What waits for you is in your list."},
	{signapp.ErrExpired, 410, "This was kept for a limited time and is deleted now."},
	{signapp.ErrState, 409, "This is not possible any more: the request has moved on."},
	{signapp.ErrTooLarge, 413, "The file is larger than allowed."},
	{workers.ErrHazard, 400, "This file holds scripts, attachments, hidden layers or the like, which a qualified signature here may not cover. Print it to a new PDF and try again."},
	{workers.ErrInput, 400, "This file cannot be signed. It must be a PDF that is not damaged and opens without a password."},
	{signapp.ErrPaused, 429, "You have declined several requests in a row. New ones are possible again later."},
	{signapp.ErrTooMany, 429, "Too many requests wait for you already. Decide on some of them first."},
	{signapp.ErrInput, 400, "This could not be used. Check the file, its name and your signing key, and try again."},
	{signapp.ErrNotFound, 404, "There is nothing here for you."},
	{signapp.ErrClock, 503, "The service's clocks do not agree, so nothing can be signed now. Its operators are told; try again later."},
	{signapp.ErrClosed, 503, "The signature module is closed for the moment, and its officers have to open it again. Try again later."},
	{signapp.ErrUnavailable, 503, "The signature module cannot be reached at this moment. Try again in a minute."},
	{signapp.ErrQuota, 507, "You keep as many files here as you may. Files that you uploaded go after some time; try again then."},
	{signapp.ErrFull, 503, "The service has no room at this moment. Try again later."},
}

// explain finds status and words; what is not in the table stays opaque.
func explain(err error) (int, string) {
	for _, w := range words {
		if errors.Is(err, w.err) {
			return w.status, w.words
		}
	}
	return http.StatusInternalServerError, "Something went wrong in the service. Try again; if it persists, tell the service when it happened."
}

func (p *Portal) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, text := explain(err)
	if status == http.StatusInternalServerError {
		p.cfg.Log.Error("page failed", "method", r.Method, "path", pattern(r), "error", err)
	}
	p.render(w, r, status, "problem", "This did not work", problemView{text})
}

type errorOut struct {
	Error string `json:"error"`
}

func (p *Portal) failJSON(w http.ResponseWriter, r *http.Request, err error) {
	status, text := explain(err)
	switch {
	case status == http.StatusInternalServerError:
		p.cfg.Log.Error("page call failed", "path", pattern(r), "error", err)
	case errors.Is(err, errPasskey):
		p.cfg.Log.Info("passkey refused", "path", pattern(r), "error", err)
	}
	replyJSON(w, status, errorOut{text})
}

// pattern is a request's path without the bearer values that stand in some.
func pattern(r *http.Request) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return "/" + first
}
