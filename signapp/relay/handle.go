package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp"
)

// cors admits scripts of the signing origin and of no other, and says so in
// every answer. Nothing here may be stored by a cache.
func (h *Relay) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Cache-Control", "no-store")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Resource-Policy", "same-site")
		head.Add("Vary", "Origin")
		origins := r.Header.Values("Origin")
		if len(origins) > 1 || (len(origins) == 1 && origins[0] != h.cfg.SigningOrigin) {
			h.fail(w, r, errOrigin)
			return
		}
		if len(origins) == 1 {
			head.Set("Access-Control-Allow-Origin", h.cfg.SigningOrigin)
			head.Set("Access-Control-Allow-Credentials", "true")
			head.Set("Access-Control-Expose-Headers", "Content-Disposition, Retry-After")
		}
		if r.Method == http.MethodOptions {
			if len(origins) == 1 {
				head.Set("Access-Control-Allow-Methods", "GET, POST")
				head.Set("Access-Control-Allow-Headers", "Content-Type, "+Header)
				head.Set("Access-Control-Max-Age", "600")
			}
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// grant collects what a call on an operation must show.
func (h *Relay) grant(r *http.Request) (signapp.Grant, error) {
	sess, ok := h.cfg.Sessions.Session(r)
	if !ok {
		return signapp.Grant{}, errLogin
	}
	tokens := r.Header.Values(Header)
	if len(tokens) != 1 || tokens[0] == "" {
		return signapp.Grant{}, errToken
	}
	return signapp.Grant{Session: sess, Token: tokens[0], Operation: chi.URLParam(r, "id")}, nil
}

// serve is the one adapter of the JSON calls on an operation: identity, size,
// decoding, the call, errors, encoding.
func serve[In, Out any](h *Relay, limit int64, f func(context.Context, signapp.Grant, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g, err := h.grant(r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		var in In
		if _, empty := any(in).(none); empty {
			err = nothing(w, r)
		} else {
			err = decode(w, r, limit, &in)
		}
		if err != nil {
			h.fail(w, r, err)
			return
		}
		out, err := f(r.Context(), g, in)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		reply(w, http.StatusOK, out)
	}
}

// decode reads one JSON object with exactly the members of v.
func decode(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		return errMedia
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
			return fmt.Errorf("%w: the body may have %d bytes", signapp.ErrTooLarge, limit)
		}
		return fmt.Errorf("%w: the body could not be read", signapp.ErrInput)
	}
	return decodeBytes(body, v)
}

// decodeBytes refuses unknown, missing, misspelt and repeated members.
func decodeBytes(body []byte, v any) error {
	canon, err := jcs.Transform(body)
	if err == nil {
		err = jcs.Unmarshal(canon, v)
	}
	if err != nil {
		return fmt.Errorf("%w: the body is not the JSON object expected here", signapp.ErrInput)
	}
	return nil
}

// nothing accepts an empty body or an empty JSON object.
func nothing(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSmall))
	if err != nil {
		return signapp.ErrTooLarge
	}
	if body = bytes.TrimSpace(body); len(body) != 0 && string(body) != "{}" {
		return fmt.Errorf("%w: no body is expected here", signapp.ErrInput)
	}
	return nil
}

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		// Only our own types come here; none of them fails.
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// file serves an item's bytes. They are documents of third parties: never
// shown inline at this origin.
func (h *Relay) file(open func(context.Context, signapp.Grant, int) (io.ReadSeekCloser, *signapp.Item, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g, err := h.grant(r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		i, err := strconv.Atoi(chi.URLParam(r, "i"))
		if err != nil || strconv.Itoa(i) != chi.URLParam(r, "i") {
			h.fail(w, r, signapp.ErrNotFound)
			return
		}
		f, it, err := open(r.Context(), g, i)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		defer func() { _ = f.Close() }()
		Attach(w, it)
		http.ServeContent(w, r, "", time.Time{}, f)
	}
}

// Attach sets the headers of a download of an item.
func Attach(w http.ResponseWriter, it *signapp.Item) {
	typ := "application/octet-stream"
	switch {
	case it.Result != nil && it.Result.MIME != "":
		typ = it.Result.MIME
	case it.Kind == sap.KindPAdES:
		typ = "application/pdf"
	}
	w.Header().Set("Content-Type", typ)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": it.ResultName()}))
}

func (h *Relay) receipt(w http.ResponseWriter, r *http.Request) {
	g, err := h.grant(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	body, err := h.cfg.Service.ItemReceipt(r.Context(), g)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}
