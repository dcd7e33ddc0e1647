package oauth

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	oidc "github.com/luikyv/go-oidc/pkg/goidc"

	"github.com/assent-sign/assent/api/csc"
)

// Sizes of requests, in bytes.
const (
	maxQuery = 8 << 10
	maxForm  = 128 << 10 // MaxHashes digests in authorization_details, and room
)

type sinkKey struct{}

// sink is what one request leaves for the front to see after the library is
// done: the library turns storage errors into client errors in places.
type sink struct {
	requestID    string
	clientID     string // as claimed; proven only after the library's check
	issuer       string // iss of the client assertion, as claimed
	request      *CredentialRequest
	failed       error // storage: the answer is replaced
	conflict     bool  // another request changed the session meanwhile
	credentialID string
}

func sinkOf(ctx context.Context) *sink {
	s, _ := ctx.Value(sinkKey{}).(*sink)
	return s
}

// ServeHTTP serves the OAuth endpoints by their paths below the issuer. It
// refuses what the library would overlook (repeated parameters, parameters in
// the wrong place, authorization_details that do not parse, challenges without
// S256), holds the answer back until the library is done, and replaces it when
// the storage failed on the way.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sk := &sink{requestID: w.Header().Get("X-Request-Id")}
	r = r.WithContext(context.WithValue(r.Context(), sinkKey{}, sk))
	browser := r.URL.Path == PathAuthorize || strings.HasPrefix(r.URL.Path, PathAuthorize+"/")
	var err *wireError
	if browser {
		err = s.checkBrowser(r, sk)
	} else {
		err = s.checkForm(w, r, sk)
	}
	if err != nil {
		s.refuse(w, browser, sk, *err)
		return
	}
	rec := &recorder{header: http.Header{}}
	s.lib.ServeHTTP(rec, r)
	switch {
	case sk.failed != nil:
		s.cfg.Log.ErrorContext(r.Context(), "oauth: storage failed", "request_id", sk.requestID, "error", sk.failed)
		s.refuse(w, browser, sk, wireError{http.StatusServiceUnavailable, csc.ErrUnavailable, "The service cannot answer now"})
	case sk.conflict:
		s.refuse(w, browser, sk, wireError{http.StatusConflict, csc.ErrInvalidRequest, "The same request is being worked on in another window"})
	case browser:
		s.answerBrowser(w, rec)
	default:
		s.answerForm(w, r, rec, sk)
	}
}

// wireError is an answer of ours.
type wireError struct {
	status int
	code   string
	text   string
}

func badRequest(text string) *wireError {
	return &wireError{http.StatusBadRequest, csc.ErrInvalidRequest, text}
}

func (s *Server) checkBrowser(r *http.Request, sk *sink) *wireError {
	if len(r.URL.RawQuery) > maxQuery {
		return &wireError{http.StatusRequestURITooLong, csc.ErrInvalidRequest, "The request is too long, push it (RFC 9126)"}
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("The query does not parse")
	}
	if name, dup := duplicate(q); dup {
		return badRequest("Parameter " + printable(name) + " is there twice")
	}
	if r.URL.Path != PathAuthorize {
		return nil
	}
	sk.clientID = q.Get("client_id")
	if c, known := s.clients[sk.clientID]; known && q.Get("redirect_uri") != "" && !containsExactly(c.RedirectURIs, q.Get("redirect_uri")) {
		return badRequest("redirect_uri is not registered for the client")
	}
	if q.Get("request") != "" {
		return badRequest("Request objects are not served, push the request (RFC 9126)")
	}
	return checkRequest(q)
}

func (s *Server) checkForm(w http.ResponseWriter, r *http.Request, sk *sink) *wireError {
	if r.URL.RawQuery != "" {
		return badRequest("Parameters belong in the body")
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return &wireError{http.StatusUnsupportedMediaType, csc.ErrInvalidRequest, "Content-Type must be application/x-www-form-urlencoded"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return &wireError{http.StatusRequestEntityTooLarge, csc.ErrInvalidRequest, "The body is too large"}
		}
		return badRequest("The body does not parse")
	}
	f := r.PostForm
	if name, dup := duplicate(f); dup {
		return badRequest("Parameter " + printable(name) + " is there twice")
	}
	if err := checkOneAuth(r, f); err != nil {
		return err
	}
	sk.clientID, sk.issuer = claimedClient(r, f)
	switch r.URL.Path {
	case PathPushed:
		return s.checkPushed(f, sk)
	case PathToken:
		switch {
		case f.Get("grant_type") == "":
			return badRequest("Missing parameter grant_type")
		case f.Get("grant_type") == string(oidc.GrantAuthorizationCode) && f.Get("code") == "":
			return badRequest("Missing parameter code")
		}
		return checkDetails(f)
	}
	return nil
}

// checkOneAuth refuses two ways of client authentication in one request
// (RFC 6749 section 2.3).
func checkOneAuth(r *http.Request, f url.Values) *wireError {
	n := 0
	for _, there := range []bool{r.Header.Get("Authorization") != "", f.Get("client_secret") != "", f.Get("client_assertion") != ""} {
		if there {
			n++
		}
	}
	if n > 1 || len(r.Header.Values("Authorization")) > 1 {
		return badRequest("More than one way of client authentication")
	}
	return nil
}

func (s *Server) checkPushed(f url.Values, sk *sink) *wireError {
	if f.Get("request") != "" {
		return badRequest("Request objects are not served")
	}
	// An entry of authorization_details without a scope means credential (RFC
	// 9396; some CSC clients send it so).
	if f.Get("scope") == "" && f.Get("authorization_details") != "" {
		f.Set("scope", csc.ScopeCredential)
	}
	if f.Get("scope") == csc.ScopeCredential {
		req, err := ParseCredentialRequest(f)
		if err != nil {
			return paramAnswer(err)
		}
		if len(req.Hashes) > s.cfg.MaxHashes {
			return badRequest("Numbers of signatures is too high")
		}
		sk.request = req
		if req.ClientData != "" {
			s.cfg.Log.Info("oauth: client data", "client", sk.clientID, "request_id", sk.requestID, "client_data", req.ClientData)
		}
	}
	if t := f.Get("response_type"); t != "" && t != "code" {
		return &wireError{http.StatusBadRequest, "unsupported_response_type", "response_type must be code"}
	}
	return checkRequest(f)
}

// checkRequest checks what authorize and pushed_authorize have in common.
func checkRequest(f url.Values) *wireError {
	if err := checkDetails(f); err != nil {
		return err
	}
	// CSC lets an absent method mean plain; plain is not served, so the method
	// must be said.
	if f.Get("code_challenge") != "" && f.Get("code_challenge_method") != "S256" {
		return badRequest("code_challenge_method must be S256")
	}
	if ch := f.Get("code_challenge"); ch != "" {
		if b, err := base64.RawURLEncoding.Strict().DecodeString(ch); err != nil || len(b) != 32 {
			return badRequest("code_challenge must be the base64url form of a SHA-256 digest")
		}
	}
	if m := f.Get("response_mode"); m != "" && m != "query" {
		return badRequest("response_mode must be query")
	}
	for _, name := range []string{"state", "nonce", "client_id", "redirect_uri"} {
		if len(f.Get(name)) > maxText {
			return badRequest("Parameter " + name + " is too long")
		}
	}
	return nil
}

// checkDetails refuses authorization_details that the library, which drops them
// when they do not parse, would treat as absent.
func checkDetails(f url.Values) *wireError {
	if d := f.Get("authorization_details"); d != "" {
		var req CredentialRequest
		if err := req.fromDetails([]byte(d)); err != nil {
			return &wireError{http.StatusBadRequest, string(oidc.ErrorCodeInvalidAuthDetails), err.Error()}
		}
	}
	return nil
}

func paramAnswer(err error) *wireError {
	pe := (*paramError)(nil)
	if !errors.As(err, &pe) {
		return badRequest("A parameter is not acceptable")
	}
	if pe.detail {
		return &wireError{http.StatusBadRequest, string(oidc.ErrorCodeInvalidAuthDetails), pe.text}
	}
	return badRequest(pe.text)
}

func containsExactly(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// claimedClient reads the client id of a form request for logs, and the issuer
// of its assertion, by which used identifiers are kept apart. Both are claims
// until the library has checked them; the identifier is used up only after it.
func claimedClient(r *http.Request, f url.Values) (client, issuer string) {
	client = f.Get("client_id")
	if id, _, ok := r.BasicAuth(); ok {
		client = id
	}
	if parts := strings.SplitN(f.Get("client_assertion"), ".", 4); len(parts) == 3 {
		var claims struct {
			Issuer string `json:"iss"`
		}
		if b, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(b, &claims) == nil {
			issuer = claims.Issuer
			if client == "" {
				client = issuer
			}
		}
	}
	if len(client) > 64 {
		client = client[:64]
	}
	return client, issuer
}

// recorder holds an answer back.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// copyTo sends the held answer.
func (r *recorder) copyTo(w http.ResponseWriter, status int, body []byte) {
	for k, v := range r.header {
		w.Header()[k] = v
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// answerBrowser sends the library's redirect as 302, the status of clause
// 8.4.2; the body of a redirect is dropped, it would repeat the code.
func (s *Server) answerBrowser(w http.ResponseWriter, rec *recorder) {
	securityHeaders(w.Header())
	if rec.status >= 300 && rec.status < 400 {
		rec.header.Del("Content-Type")
		rec.copyTo(w, http.StatusFound, nil)
		return
	}
	rec.copyTo(w, rec.status, rec.body.Bytes())
}

// answerForm sends the library's JSON with CSC's members and error codes.
func (s *Server) answerForm(w http.ResponseWriter, r *http.Request, rec *recorder, sk *sink) {
	if rec.status >= 400 {
		var e struct {
			Code string `json:"error"`
			Text string `json:"error_description"`
		}
		if json.Unmarshal(rec.body.Bytes(), &e) != nil || e.Code == "" {
			e.Code = string(oidc.ErrorCodeInternalError)
			if rec.status == http.StatusNotFound || rec.status == http.StatusMethodNotAllowed {
				e.Code = csc.ErrInvalidRequest
			}
		}
		s.refuse(w, false, sk, libraryError(rec.status, e.Code, e.Text, r))
		return
	}
	body := rec.body.Bytes()
	if r.URL.Path == PathToken && sk.credentialID != "" {
		var m map[string]json.RawMessage
		if json.Unmarshal(body, &m) == nil {
			m["credentialID"], _ = json.Marshal(sk.credentialID)
			if b, err := json.Marshal(m); err == nil {
				body = b
			}
		}
	}
	rec.header.Set("Cache-Control", "no-store")
	rec.copyTo(w, rec.status, body)
}

// libraryError turns the library's codes into those of RFC 6749 and clause 8.4.4.
func libraryError(status int, code, text string, r *http.Request) wireError {
	switch oidc.ErrorCode(code) {
	case oidc.ErrorCodeInternalError:
		return wireError{http.StatusInternalServerError, csc.ErrServerError, "The service failed"}
	case oidc.ErrorCodeExpiredToken: // a revoked grant's code
		return wireError{http.StatusBadRequest, string(oidc.ErrorCodeInvalidGrant), "Invalid parameter code"}
	case oidc.ErrorCodeInvalidGrant:
		return wireError{http.StatusBadRequest, code, "Invalid parameter code"}
	case oidc.ErrorCodeUnauthorizedClient:
		return wireError{http.StatusBadRequest, code, text}
	case oidc.ErrorCodeInvalidClient:
		if r.Header.Get("Authorization") == "" {
			return wireError{http.StatusBadRequest, code, "Client authorization required"}
		}
		return wireError{http.StatusUnauthorized, code, "Client authorization required"}
	}
	return wireError{status, code, text}
}

func (s *Server) refuse(w http.ResponseWriter, browser bool, sk *sink, e wireError) {
	if browser {
		s.errorPage(w, e)
		return
	}
	retry := "never"
	if e.status >= 500 {
		retry = "later"
		w.Header().Set("Retry-After", "5")
	}
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="assent"`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(csc.Error{Code: e.code, Description: e.text, RequestID: sk.requestID, Retry: retry})
}

// printable bounds a name that came from outside.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len() >= 40 {
			break
		}
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			b.WriteRune(r)
		}
	}
	return b.String()
}
