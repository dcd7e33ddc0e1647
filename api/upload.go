package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// uploadMax is when all of an upload must be there (F32).
const uploadMax = 30 * time.Minute

// uploadTypes are the media types of documents that workers take.
var uploadTypes = []string{"application/pdf", "application/xml", "text/xml", "application/octet-stream"}

// upload takes in a document as it comes; nothing here holds it.
func (a *API) upload(c *call) error {
	t, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(uploadTypes, t) {
		return say(errMediaType, "Content-Type must be one of "+strings.Join(uploadTypes, ", "))
	}
	if enc := c.r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return say(errMediaType, "a Content-Encoding is not served")
	}
	name, err := documentName(c.r)
	if err != nil {
		return err
	}
	body := &pacedReader{r: c.r.Body, conn: http.NewResponseController(c.w), stall: a.cfg.Limits.UploadStall, end: time.Now().Add(uploadMax)}
	d, err := a.cfg.Documents.Upload(c.ctx(), c.client(), name, body)
	if body.tooLarge {
		return errBodySize
	}
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", pathDocuments+"/"+d.ID)
	return c.json(http.StatusCreated, Document{ID: d.ID, Name: d.Name, Size: d.Size, SHA256: d.SHA256, Created: d.Created.UTC(), Expires: d.Expires.UTC()})
}

// documentName is the query's name, or the percent-encoded header
// X-Document-Name.
func documentName(r *http.Request) (string, error) {
	q, err := query(r, "name")
	if err != nil {
		return "", err
	}
	if n, ok := q["name"]; ok {
		return n, nil
	}
	h := r.Header.Values("X-Document-Name")
	if len(h) == 0 {
		return "document.pdf", nil
	}
	n, err := url.PathUnescape(h[0])
	if err != nil || len(h) > 1 {
		return "", say(errParameter, "X-Document-Name must be there once, percent-encoded")
	}
	return n, nil
}

// pacedReader moves the connection's read deadline while bytes come, and
// remembers that the limit was met, whatever the receiver makes of the error.
type pacedReader struct {
	r        io.Reader
	conn     *http.ResponseController
	stall    time.Duration
	end      time.Time
	next     time.Time
	tooLarge bool
}

func (p *pacedReader) Read(b []byte) (int, error) {
	if now := time.Now(); now.After(p.next) {
		_ = p.conn.SetReadDeadline(earlier(now.Add(p.stall), p.end)) // not every connection has one
		p.next = now.Add(p.stall / 8)
	}
	n, err := p.r.Read(b)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		p.tooLarge = true
	}
	return n, err
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
