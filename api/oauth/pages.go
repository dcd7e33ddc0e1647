package oauth

import (
	"embed"
	"errors"
	"html/template"
	"net/http"

	oidc "github.com/luikyv/go-oidc/pkg/goidc"
)

//go:embed pages/*.html
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// securityHeaders are those of every page and redirect that a browser sees
// here. The session's address must not travel in a Referer.
func securityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// errorView and waitView are all that the pages see.
type errorView struct{ Text string }

type waitView struct{ Path, Client string }

// errorPage is shown when an error must not be sent to a redirect URI that was
// not checked.
func (s *Server) errorPage(w http.ResponseWriter, e wireError) {
	s.page(w, e.status, "error.html", errorView{Text: e.text})
}

// waitPage asks again every three seconds and offers the signing origin.
func (s *Server) waitPage(w http.ResponseWriter, path, client string) {
	s.page(w, http.StatusOK, "wait.html", waitView{Path: path, Client: client})
}

func (s *Server) page(w http.ResponseWriter, status int, name string, view any) {
	securityHeaders(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := pages.ExecuteTemplate(w, name, view); err != nil {
		s.cfg.Log.Error("oauth: page", "page", name, "error", err)
	}
}

// renderError is the library's way to show what it cannot redirect. Its texts
// are fixed ones; the cause goes to the log (note).
func (s *Server) renderError(w http.ResponseWriter, _ *http.Request, err error) error {
	e := wireError{http.StatusInternalServerError, "server_error", "The service failed"}
	var le oidc.Error
	if errors.As(err, &le) {
		e = wireError{http.StatusBadRequest, string(le.Code), "The request of the application that sent you here is not acceptable: " + le.Description}
	}
	s.errorPage(w, e)
	return nil
}
