// Package native is a small client of ssad's native API (docs/integrators.md):
// token by client credentials, streamed upload, create, wait, download.
package native

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// ErrAPI means that the service refused or did not answer as expected; wrapped with its
// words.
var ErrAPI = errors.New("ssad")

const maxBody = 16 << 20

// Client is an integrator known by its OAuth client id.
type Client struct {
	base, id, secret string
	http             *http.Client
	token            string
	expires          time.Time
}

// New makes a client of the app origin base. It is not safe for concurrent use.
func New(base, id, secret string) *Client {
	return &Client{base: base, id: id, secret: secret, http: &http.Client{
		Timeout: 10 * time.Minute,
		// A POST that is sent on becomes a GET without its body, and fails as something else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Operation is a request to a signer.
type Operation struct {
	ID          string `json:"id"`
	State       string `json:"state"`
	Reason      string `json:"reason"`
	Level       string `json:"level"`
	ApprovalURL string `json:"approval_url"`
	Items       []Item `json:"items"`
}

// Item is one signature of an operation.
type Item struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Size   int64  `json:"size"`
	Result *struct {
		Level string `json:"level"`
		Size  int64  `json:"size"`
	} `json:"result"`
}

// NewOperation asks for one signature, over a document or over several.
type NewOperation struct {
	Signer, Key, Level, Purpose, Worker string
	Documents                           []string
	Lifetime                            time.Duration
	Params                              map[string]string // of the worker
}

// mediaTypes of documents by the end of their names.
var mediaTypes = map[string]string{".pdf": "application/pdf", ".xml": "application/xml"}

// Upload sends a document and returns its id.
func (c *Client) Upload(ctx context.Context, name string, r io.Reader, size int64) (string, error) {
	req, err := c.request(ctx, http.MethodPost, "/api/v1/documents?"+url.Values{"name": {name}}.Encode(), r)
	if err != nil {
		return "", err
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", "application/octet-stream")
	if t, ok := mediaTypes[strings.ToLower(path.Ext(name))]; ok {
		req.Header.Set("Content-Type", t)
	}
	var out struct {
		ID string `json:"id"`
	}
	return out.ID, c.do(req, &out)
}

// Create asks the signer.
func (c *Client) Create(ctx context.Context, n NewOperation) (*Operation, error) {
	item := map[string]any{"documents": n.Documents, "worker": n.Worker}
	if len(n.Params) > 0 {
		item["params"] = n.Params
	}
	in := map[string]any{"signer": n.Signer, "level": n.Level, "purpose": n.Purpose, "items": []map[string]any{item}}
	if n.Key != "" {
		in["key"] = n.Key
	}
	if n.Lifetime > 0 {
		in["lifetime_seconds"] = int(n.Lifetime / time.Second)
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := c.request(ctx, http.MethodPost, "/api/v1/operations", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	op := &Operation{}
	err = n.about(c.do(req, op))
	op.ID, op.ApprovalURL = plain(op.ID), plain(op.ApprovalURL)
	return op, err
}

// tries is how often in a row Wait takes a failure that passes by itself.
const tries = 5

// Wait returns when the operation has ended or ctx does. A service that restarts
// meanwhile is waited for.
func (c *Client) Wait(ctx context.Context, id string) (*Operation, error) {
	for failed := 0; ; {
		op, err := c.state(ctx, id)
		if e := (*Error)(nil); errors.As(err, &e) && e.Again > 0 && failed < tries {
			failed++
			select {
			case <-time.After(min(e.Again, time.Minute)):
				continue
			case <-ctx.Done():
			}
		}
		if err != nil {
			return nil, err
		}
		failed = 0
		switch op.State {
		case "finished":
			return op, nil
		case "declined", "cancelled", "expired", "failed":
			return op, fmt.Errorf("%w: the request was %s %s", ErrAPI, op.State, plain(op.Reason))
		}
	}
}

// state asks for an operation, and waits a while for its end.
func (c *Client) state(ctx context.Context, id string) (*Operation, error) {
	req, err := c.request(ctx, http.MethodGet, "/api/v1/operations/"+id+"?wait=20", nil)
	if err != nil {
		return nil, err
	}
	op := &Operation{}
	return op, c.do(req, op)
}

// Download copies the signed document of item 0 to w.
func (c *Client) Download(ctx context.Context, id string, w io.Writer) error {
	return c.get(ctx, "/api/v1/operations/"+id+"/items/0/document", w)
}

// Receipt copies the receipt (JSON) to w.
func (c *Client) Receipt(ctx context.Context, id string, w io.Writer) error {
	return c.get(ctx, "/api/v1/operations/"+id+"/receipt", w)
}

func (c *Client) get(ctx context.Context, path string, w io.Writer) error {
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.noAnswer(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return c.problem(res)
	}
	n, err := io.Copy(w, res.Body)
	if err == nil && res.ContentLength >= 0 && n != res.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// request makes a request with a fresh enough token.
func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	if time.Until(c.expires) < 30*time.Second {
		if err := c.authorize(ctx); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	return req, nil
}

// authorize gets a token by client credentials (RFC 6749 section 4.4).
func (c *Client) authorize(ctx context.Context) error {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"service"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var out struct {
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"`
	}
	if err := c.do(req, &out); err != nil {
		return err
	}
	if out.Token == "" {
		return fmt.Errorf("%w: no access_token in the answer", ErrAPI)
	}
	c.token, c.expires = out.Token, time.Now().Add(time.Duration(out.Expires)*time.Second)
	return nil
}

func (c *Client) do(req *http.Request, out any) error {
	res, err := c.http.Do(req)
	if err != nil {
		return c.noAnswer(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode/100 != 2 {
		return c.problem(res)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxBody)).Decode(out); err != nil {
		return &Error{cause: err, Mend: true, Words: fmt.Sprintf("what answers %s at %s is not ssad (%v): app_origin in assent.yaml", req.URL.Path, c.base, err)}
	}
	return nil
}
