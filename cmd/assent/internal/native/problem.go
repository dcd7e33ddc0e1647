package native

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/assent-sign/assent/sap"
)

// Error is why the service did not do what was asked, in words that say what to do.
// It is an ErrAPI.
type Error struct {
	Words string
	Mend  bool          // trying again helps nothing before somebody has changed something here: the command line, the address, the certificate, the secret
	Code  string        // the service's word for it; "" when it gave none
	Ref   string        // the request's number in the service's log; "" when it gave none
	Again time.Duration // when trying again may help; 0: it is not known to help
	cause error
}

// Error implements error.
func (e *Error) Error() string {
	s := ErrAPI.Error() + ": " + e.Words
	if e.Ref != "" {
		s += " (request " + e.Ref + " in ssad's log)"
	}
	return plain(s)
}

// mostWords bounds a message, in characters.
const mostWords = 2000

// plain is a text as it may stand on a terminal and in a log: what answers may be another program than ssad, and write what moves the
// cursor, turns the text around or fills the screen.
func plain(s string) string {
	var out strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > mostWords {
			return out.String() + "..."
		}
		if r != ' ' && !sap.Displayable(string(r)) {
			r = '?'
		}
		out.WriteRune(r)
	}
	return out.String()
}

// Unwrap makes errors.Is hold for ErrAPI and for what the network said.
func (e *Error) Unwrap() []error { return []error{ErrAPI, e.cause} }

// defaultPause stands where an answer that may be tried again does not say when.
const defaultPause = 5 * time.Second

// noAnswer says why there is no answer at all.
func (c *Client) noAnswer(err error) error {
	e := &Error{cause: err, Mend: true}
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		plain   tls.RecordHeaderError
		dns     *net.DNSError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		e.Words, e.Mend = "no decision and no answer within the time given (--wait)", false
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Words, e.Mend, e.Again = fmt.Sprintf("nothing listens at %s: start ssad, or mend app_origin in assent.yaml", c.base), false, defaultPause
	case errors.As(err, &dns):
		e.Words = fmt.Sprintf("the host of %s has no address (%v): mend app_origin in assent.yaml, or the names of this machine", c.base, dns.Err)
	case errors.As(err, &unknown):
		e.Words = fmt.Sprintf("the certificate at %s is not from a CA that this machine trusts: name the CA's file in the environment (SSL_CERT_FILE), or find out who answers there", c.base)
	case errors.As(err, &name):
		e.Words = fmt.Sprintf("the certificate at %s is for other names (%s): app_origin in assent.yaml must be one of them", c.base, strings.Join(name.Certificate.DNSNames, ", "))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Words = fmt.Sprintf("the certificate at %s is valid from %s to %s, and this machine's clock says %s: renew it (tls.cert in ssad.yaml, or the front's), or set the clock right",
			c.base, day(invalid.Cert.NotBefore), day(invalid.Cert.NotAfter), time.Now().UTC().Format(time.RFC3339))
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &plain):
		e.Words = fmt.Sprintf("what listens at %s does not speak TLS: app_origin in assent.yaml is http://, or ssad lacks tls", c.base)
	default:
		e.Words, e.Mend = fmt.Sprintf("no answer from %s: %v", c.base, err), false
	}
	return e
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// answer is an error answer: RFC 9457, or OAuth's form, or neither.
type answer struct {
	Title, Detail, Code string
	RequestID           string `json:"request_id"`
	OAuth               string `json:"error"`
	Description         string `json:"error_description"`

	status int
	path   string
	after  time.Duration
	text   string // of what is no JSON
}

// ours tells whether ssad has answered, and no front before it.
func (a *answer) ours() bool {
	return a.Code != "" || a.OAuth != "" && strings.HasSuffix(a.path, "/oauth2/token")
}

func read(res *http.Response) *answer {
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	a := &answer{}
	if json.Unmarshal(text, a) != nil {
		a.text = string(text)
	}
	a.status, a.path = res.StatusCode, res.Request.Method+" "+res.Request.URL.Path
	if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n >= 0 {
		a.after = min(time.Duration(n)*time.Second, 24*time.Hour)
	}
	return a
}

// said is what the service itself says.
func (a *answer) said() string {
	var words []string
	for _, s := range []string{a.Title, a.Detail, a.Description} {
		if s != "" {
			words = append(words, strings.TrimSuffix(s, "."))
		}
	}
	s := strings.Join(words, ": ")
	if s == "" {
		s = http.StatusText(a.status)
	}
	if code := a.Code + a.OAuth; code != "" {
		s += " (" + code + ")"
	}
	return s
}

// problem turns an error answer into words.
func (c *Client) problem(res *http.Response) error {
	a := read(res)
	e := &Error{Code: a.Code, Ref: a.RequestID}
	switch {
	case res.StatusCode/100 == 3:
		e.Mend, e.Words = true, fmt.Sprintf("%s sends on to %s: put that origin into app_origin of assent.yaml", c.base, res.Header.Get("Location"))
	case !a.ours():
		c.foreign(a, e)
	case a.OAuth != "":
		c.login(a, e)
	default:
		c.refused(a, e)
	}
	return e
}

// foreign: an answer that is not ssad's.
func (c *Client) foreign(a *answer, e *Error) {
	switch {
	case a.status == http.StatusBadRequest && strings.Contains(a.text, "HTTP request to an HTTPS server"):
		e.Mend, e.Words = true, fmt.Sprintf("what listens at %s speaks TLS: app_origin in assent.yaml begins with https://", c.base)
	case a.status == http.StatusNotFound, a.status == http.StatusMethodNotAllowed:
		e.Mend, e.Words = true, fmt.Sprintf("what answers at %s is not ssad (%d to %s, and no answer of its kind): app_origin in assent.yaml names another host, port or path, or a front does not pass this path on", c.base, a.status, a.path)
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden, a.status == http.StatusProxyAuthRequired:
		e.Mend, e.Words = true, fmt.Sprintf("something before ssad at %s wants a login of its own (%d to %s): let it pass the API on", c.base, a.status, a.path)
	case a.status == http.StatusRequestEntityTooLarge:
		e.Words = fmt.Sprintf("a front before ssad at %s refuses a file of this size (413): raise its limit to limits.document of ssad.yaml", c.base)
	case a.status == http.StatusTooManyRequests:
		e.Again = pause(a)
		e.Words = fmt.Sprintf("a front before ssad at %s refuses so many requests (429): try again in %s", c.base, e.Again)
	case a.status == http.StatusBadGateway, a.status == http.StatusServiceUnavailable, a.status == http.StatusGatewayTimeout:
		e.Again = pause(a)
		e.Words = fmt.Sprintf("a front at %s does not reach ssad (%d): start ssad or mend the front, and try again in %s", c.base, a.status, e.Again)
	default:
		e.Words = fmt.Sprintf("%s: %d %s, which is no answer of ssad's", a.path, a.status, http.StatusText(a.status))
	}
}

// login: the token endpoint's answers.
func (c *Client) login(a *answer, e *Error) {
	if a.OAuth == "invalid_client" || a.status == http.StatusUnauthorized {
		e.Mend, e.Words = true, fmt.Sprintf("the client id %q with this secret is not known (%s): client in assent.yaml and clients in ssad.yaml must be the same", c.id, a.said())
		return
	}
	if a.OAuth == "unauthorized_client" || a.OAuth == "invalid_scope" {
		e.Mend, e.Words = true, fmt.Sprintf("the client %q may not do this (%s): it needs the scope service in clients of ssad.yaml", c.id, a.said())
		return
	}
	c.refused(a, e)
}

// refused: ssad's own refusals.
func (c *Client) refused(a *answer, e *Error) {
	switch {
	case a.Code == "no_such_endpoint":
		e.Mend, e.Words = true, fmt.Sprintf("ssad at %s has no %s: app_origin in assent.yaml has a path too much, or ssad is of another version than this program", c.base, a.path)
	case a.status == http.StatusUnauthorized:
		e.Words = "ssad does not take its own token any more: " + a.said() + "; try again for a new one"
	case a.status == http.StatusRequestEntityTooLarge:
		e.Words = "the file is too large: " + a.said() + "; limits.document in ssad.yaml is the limit, max_size of a worker a smaller one"
	case a.status == http.StatusTooManyRequests:
		e.Again = pause(a)
		e.Words = a.said() + ": try again in " + e.Again.String()
	case a.Code == "internal":
		e.Words = "ssad failed: " + a.said() + "; its log says why"
	case a.status/100 == 5:
		e.Again = pause(a)
		e.Words = a.said() + ": try again in " + e.Again.String()
	default:
		e.Words = a.said()
	}
}

func pause(a *answer) time.Duration {
	if a.after > 0 {
		return a.after
	}
	return defaultPause
}

// about puts what was asked for into words about a request that was not made.
func (n *NewOperation) about(err error) error {
	e := (*Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case "no_such_worker":
		e.Mend, e.Words = true, fmt.Sprintf("ssad has no worker %q: assent worker list shows those that it has, --worker names one (%s)", n.Worker, e.Words)
	case "not_found":
		e.Mend, e.Words = true, fmt.Sprintf("ssad finds the signer %q not, or not the document any more: assent signer show %s (%s)", n.Signer, n.Signer, e.Words)
	case "cannot_be_served":
		e.Words = fmt.Sprintf("signer %q with worker %q: %s; assent signer show %s says what the signer has", n.Signer, n.Worker, e.Words, n.Signer)
	case "not_allowed":
		e.Words = fmt.Sprintf("signer %q with worker %q: %s; what this client may is in clients of ssad.yaml", n.Signer, n.Worker, e.Words)
	}
	return err
}
