// Package operator serves the operator's few routes on a listener of its own,
// which only this host reaches: invitations, a look at operations and workers.
// Nothing here approves, signs or reads a document.
package operator

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/internal/secret"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/workers"
)

// Inviter makes invitations (portal.Portal).
type Inviter interface {
	Invite(ctx context.Context, signer, name string) (link string, expires time.Time, err error)
}

// Operations lists what is going on (signapp.Service).
type Operations interface {
	AllOperations(ctx context.Context, limit int) ([]*signapp.Operation, error)
}

// Workers lists what is configured (workers.Set).
type Workers interface {
	List() []workers.Info
}

// Config is what the routes need. All is required but Log.
type Config struct {
	Token      secret.Bytes // bearer token, at least MinToken bytes
	Inviter    Inviter
	Operations Operations
	Workers    Workers
	Log        *slog.Logger
}

// MinToken is the least length of the bearer token, in bytes.
const MinToken = 32

type admin struct {
	cfg  Config
	hash [sha256.Size]byte
}

// New returns the routes below /admin/v1.
func New(cfg Config) (http.Handler, error) {
	if cfg.Token.Len() < MinToken {
		return nil, fmt.Errorf("operator: the token must have at least %d characters: openssl rand -hex 32", MinToken)
	}
	if cfg.Inviter == nil || cfg.Operations == nil || cfg.Workers == nil {
		return nil, errors.New("operator: Config needs Inviter, Operations and Workers")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &admin{cfg, sha256.Sum256(cfg.Token.Reveal())}
	r := chi.NewRouter()
	r.Use(a.guard)
	r.Post("/admin/v1/invitations", a.invite)
	r.Get("/admin/v1/operations", a.operations)
	r.Get("/admin/v1/workers", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"workers": a.cfg.Workers.List()})
	})
	return r, nil
}

// guard wants the bearer token, and no browser: a page of some site must not
// reach this port through its visitor (DNS rebinding).
func (a *admin) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		sum := sha256.Sum256([]byte(given))
		browser := r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != ""
		if !ok || browser || subtle.ConstantTimeCompare(sum[:], a.hash[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			reply(w, http.StatusUnauthorized, errorOut{"unauthorized", "show the operator's token as a bearer token"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

type errorOut struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

type inviteIn struct {
	Signer string `json:"signer"`
	Name   string `json:"name"`
}

type inviteOut struct {
	URL     string `json:"url"`
	Expires int64  `json:"expires"` // Unix seconds
}

func (a *admin) invite(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4096))
	var in inviteIn
	if err == nil {
		err = strict(body, &in)
	}
	if err != nil {
		reply(w, http.StatusBadRequest, errorOut{"invalid", `want {"signer": "...", "name": "..."}`})
		return
	}
	link, expires, err := a.cfg.Inviter.Invite(r.Context(), in.Signer, in.Name)
	if err != nil {
		a.fail(w, err)
		return
	}
	a.cfg.Log.Info("invitation made", "signer", in.Signer, "expires", expires)
	reply(w, http.StatusCreated, inviteOut{link, expires.Unix()})
}

func strict(body []byte, v any) error {
	canon, err := jcs.Transform(body)
	if err != nil {
		return err
	}
	return jcs.Unmarshal(canon, v)
}

// operationOut names no document and no purpose: an operator needs neither.
type operationOut struct {
	ID      string        `json:"id"`
	Client  string        `json:"client"`
	Signer  string        `json:"signer"`
	State   signapp.State `json:"state"`
	Reason  string        `json:"reason,omitempty"`
	Level   string        `json:"level"`
	Items   int           `json:"items"`
	Created time.Time     `json:"created"`
	Expires time.Time     `json:"expires"`
}

func (a *admin) operations(w http.ResponseWriter, r *http.Request) {
	limit := 100
	if v := r.URL.Query().Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 1000 {
			reply(w, http.StatusBadRequest, errorOut{"invalid", "limit is a number from 1 to 1000"})
			return
		}
		limit = n
	}
	ops, err := a.cfg.Operations.AllOperations(r.Context(), limit)
	if err != nil {
		a.fail(w, err)
		return
	}
	out := make([]operationOut, 0, len(ops))
	for _, o := range ops {
		reason := o.Reason
		if o.State == signapp.StateDeclined {
			reason = signapp.ReasonDeclined // the signer's words are not for here
		}
		out = append(out, operationOut{o.ID, o.Client.ID, o.Signer, o.State, reason, o.Level, len(o.Items), o.Created, o.Expires})
	}
	reply(w, http.StatusOK, map[string]any{"operations": out})
}

func (a *admin) fail(w http.ResponseWriter, err error) {
	if errors.Is(err, signapp.ErrInput) {
		reply(w, http.StatusBadRequest, errorOut{"invalid", err.Error()})
		return
	}
	a.cfg.Log.Error("operator's call failed", "error", err)
	reply(w, http.StatusInternalServerError, errorOut{"internal", "see the log"})
}

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
