// Package caller talks to samd in the role of one certificate: any path with any
// role. The command line uses it as officer and auditor; the demo's cheats use
// it as a signing application that has gone bad and tries what it must not.
package caller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sap/sapclient"
)

// ErrUnreachable means that samd did not answer, or not as samd does.
var ErrUnreachable = errors.New("samd does not answer")

// maxAnswer bounds an answer: a page of audit records or a batch of receipts.
const maxAnswer = 32 << 20

// Refusal is samd's answer when it does not do what was asked. To whoever asks,
// refusals look alike; Ref is the audit record that says why.
type Refusal struct {
	Status int
	Body   sapclient.ErrorBody
}

// Error implements error.
func (r *Refusal) Error() string {
	s := "samd: " + r.Body.Code
	if r.Body.Ref != "" {
		s += " (assent explain " + r.Body.Ref + " says why)"
	}
	return s
}

// Client is a connection in one role.
type Client struct {
	base string
	http *http.Client
}

// New makes a client of samd at base (https://host:port). serverName must be in
// samd's certificate.
func New(base, serverName string, files mtls.Files) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("samd address %q: want https://host:port", base)
	}
	cfg, err := mtls.Client(files, serverName)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{TLSClientConfig: cfg, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
	return &Client{base: base, http: &http.Client{Transport: t, Timeout: 30 * time.Second}}, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Get reads path with a query into out.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.do(ctx, http.MethodGet, path, nil, out)
}

// Post sends in as JSON and reads the answer into out, which may be nil.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, path, body, out)
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil || len(text) > maxAnswer {
		return fmt.Errorf("%w: answer broken off or over %d bytes: %w", ErrUnreachable, maxAnswer, err)
	}
	if res.StatusCode/100 != 2 {
		r := &Refusal{Status: res.StatusCode}
		if json.Unmarshal(text, &r.Body) != nil || r.Body.Code == "" {
			r.Body.Code = http.StatusText(res.StatusCode)
		}
		return r
	}
	if out == nil || len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%w: %s %s: %w", ErrUnreachable, method, path, err)
	}
	return nil
}

// page is how many audit records are asked for at once.
const page = 500

// Audit walks the audit records from a sequence number on, as auditor.
func (c *Client) Audit(ctx context.Context, from int64) func(yield func(audit.Record, error) bool) {
	return func(yield func(audit.Record, error) bool) {
		for {
			var out sapclient.AuditOut
			q := url.Values{"from": {fmt.Sprint(from)}, "limit": {fmt.Sprint(page)}}
			if err := c.Get(ctx, sapclient.PathAudit, q, &out); err != nil {
				yield(audit.Record{}, err)
				return
			}
			for _, r := range out.Records {
				if !yield(audit.Record(r), nil) {
					return
				}
				from = r.Seq + 1
			}
			// Reading is itself recorded: asking until nothing new comes would not end.
			if len(out.Records) < page {
				return
			}
		}
	}
}
