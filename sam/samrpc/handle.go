package samrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// request is what a handler gets: the caller from TLS, and the body, bounded.
type request struct {
	*http.Request
	caller sam.Caller
	body   []byte
}

// rawJSON is an answer that is JSON already and goes out byte by byte.
type rawJSON []byte

// errBody is a request that could not be read.
var errBody = errors.New("samrpc: request body cannot be used")

// adapt does for every route what is not the route's own: identity, size,
// decoding errors, the error table, encoding.
func (s *Server) adapt(rt Route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		caller, err := callerOf(r)
		if err != nil {
			writeError(w, http.StatusForbidden, sapclient.ErrorBody{Code: sapclient.CodeForbidden, Retry: sapclient.RetryNever})
			return
		}
		req := &request{Request: r, caller: caller}
		give, err := s.bodies.take(caller.Key, r, rt.Limit)
		if err != nil {
			s.fail(w, req, rt, err, begun)
			return
		}
		defer give()
		if req.body, err = readBody(w, r, rt.Limit); err != nil {
			s.fail(w, req, rt, err, begun)
			return
		}
		out, err := rt.serve(s, req)
		if err != nil {
			s.fail(w, req, rt, err, begun)
			return
		}
		raw, ok := out.(rawJSON)
		if !ok {
			if raw, err = json.Marshal(out); err != nil {
				s.fail(w, req, rt, err, begun)
				return
			}
		}
		send(w, raw)
	}
}

func callerOf(r *http.Request) (sam.Caller, error) {
	peer, err := mtls.Peer(r.TLS)
	if err != nil {
		return sam.Caller{}, err
	}
	return sam.Caller{Identity: peer.Name, Role: sam.Role(peer.Role), Key: peer.Key, From: place(r)}, nil
}

// place is where a call comes from. Nothing stands between caller and module that
// could say otherwise.
func place(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

func send(w http.ResponseWriter, raw []byte) {
	header(w, len(raw))
	failpoint.Before("samd/38-reply-sent")
	_, _ = w.Write(raw)
	failpoint.After("samd/38-reply-sent")
}

func header(w http.ResponseWriter, n int) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", fmt.Sprint(n))
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	failpoint.Before("samd/21-request-read")
	defer failpoint.After("samd/21-request-read")
	if r.ContentLength > limit {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", errBody, r.ContentLength, limit)
	}
	if limit == 0 {
		return nil, nil
	}
	if r.ContentLength > 0 {
		b := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, b); err != nil {
			return nil, fmt.Errorf("%w: %w", errBody, err)
		}
		return b, nil
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	return b, nil
}

// decode reads the body strictly: known members only, one value, UTF-8.
func decode[T any](r *request) (T, error) {
	var v T
	if !utf8.Valid(r.body) {
		return v, fmt.Errorf("%w: not UTF-8", errBody)
	}
	dec := json.NewDecoder(bytes.NewReader(r.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, fmt.Errorf("%w: %w", errBody, err)
	}
	if len(bytes.TrimSpace(r.body[dec.InputOffset():])) != 0 {
		return v, fmt.Errorf("%w: bytes after the value", errBody)
	}
	return v, nil
}

// fail is the one table from module errors to answers. The default is opaque.
func (s *Server) fail(w http.ResponseWriter, req *request, rt Route, err error, begun time.Time) {
	status, body := http.StatusServiceUnavailable, sapclient.ErrorBody{Code: sapclient.CodeUnavailable, Retry: sapclient.RetrySame}
	full := errors.Is(err, errFull)
	if full || errors.Is(err, errBody) {
		err = s.module.Unreadable(req.Context(), req.caller, rt.Op)
	}
	var refusal *sam.Refusal
	switch {
	case errors.As(err, &refusal):
		status, body = refusalAnswer(rt.Op, refusal)
		if full && status == http.StatusBadRequest {
			status, body.Code, body.Retry = http.StatusServiceUnavailable, sapclient.CodeUnavailable, sapclient.RetryLater
		}
	default:
		s.log.Error("samrpc: call failed", "op", string(rt.Op), "err", err)
	}
	s.hold(req.Context(), begun)
	writeError(w, status, body)
}

// hold waits for the end of the step of time that a refusal falls in, see InSteps.
func (s *Server) hold(ctx context.Context, begun time.Time) {
	if s.step <= 0 {
		return
	}
	timer := time.NewTimer(s.step - time.Since(begun)%s.step)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func refusalAnswer(op sam.Op, r *sam.Refusal) (int, sapclient.ErrorBody) {
	body := sapclient.ErrorBody{Code: sapclient.CodeRefused, Retry: sapclient.RetryNever}
	if r.Ref >= 0 {
		body.Ref = fmt.Sprint(r.Ref)
	}
	read := op == sam.OpSigner || op == sam.OpCredentials
	switch r.Reason {
	case sap.ReasonRole:
		body.Code = sapclient.CodeForbidden
		return http.StatusForbidden, body
	case sap.ReasonNotSetUp:
		body.Code, body.Retry = sapclient.CodeCeremony, sapclient.RetryLater
		return http.StatusServiceUnavailable, body
	case sap.ReasonStore:
		body.Code, body.Retry = sapclient.CodeUnavailable, sapclient.RetrySame
		return http.StatusServiceUnavailable, body
	case sap.ReasonToken, sap.ReasonClosed, sap.ReasonClock:
		body.Code, body.Retry = stateCode(r.Reason), sapclient.RetryLater
		return http.StatusServiceUnavailable, body
	case sap.ReasonInvalid:
		body.Code = sapclient.CodeInvalid
		return http.StatusBadRequest, body
	case sap.ReasonSignerUnknown, sap.ReasonKey:
		if read {
			body.Code = sapclient.CodeNotFound
			return http.StatusNotFound, body
		}
	}
	return http.StatusUnprocessableEntity, body
}

// stateCode names what officers can mend. It is the module's state and nothing about
// the request.
func stateCode(r sap.Reason) string {
	switch r {
	case sap.ReasonClock:
		return sapclient.CodeClock
	case sap.ReasonClosed:
		return sapclient.CodeClosed
	}
	return sapclient.CodeUnavailable
}

func writeError(w http.ResponseWriter, status int, body sapclient.ErrorBody) {
	raw, err := json.Marshal(body)
	if err != nil {
		raw = []byte(`{"code":"unavailable","retry":"same"}`)
	}
	header(w, len(raw))
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}
