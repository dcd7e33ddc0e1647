package api

import (
	_ "embed" // openapi.yaml, logo.png
	"fmt"
	"html"
	"net/http"
)

//go:embed openapi.yaml
var openAPI []byte

//go:embed logo.png
var logo []byte

// serveLogo is CSC info's logo, which checkers fetch.
func serveLogo(c *call) error {
	c.w.Header().Set("Cache-Control", "public, max-age=86400")
	return c.raw(http.StatusOK, "image/png", logo)
}

func serveOpenAPI(c *call) error {
	c.w.Header().Set("Cache-Control", "public, max-age=300")
	return c.raw(http.StatusOK, "application/yaml", openAPI)
}

// serveProblem is the page behind a problem's type.
func serveProblem(c *call) error {
	code := param(c.r, "code")
	for _, row := range table {
		if row.code == code {
			h := c.w.Header()
			h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
			h.Set("Cache-Control", "public, max-age=300")
			page := fmt.Sprintf("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title><h1>%s</h1><p>Code %s, status %d. Retry: %s.</p>"+
				"<p>never: the same request will not succeed. later: wait (Retry-After) and send it again. same: it may have counted; wait (Retry-After) and send the same bytes again.</p></html>\n",
				html.EscapeString(row.title), html.EscapeString(row.title), row.code, row.status, row.retry)
			return c.raw(http.StatusOK, "text/html; charset=utf-8", []byte(page))
		}
	}
	return errNoRoute
}
