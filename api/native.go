package api

import (
	"context"
	"errors"
	"fmt"
	"io"

	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/api/strictjson"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
)

func param(r *http.Request, name string) string { return chi.URLParam(r, name) }

// Document is an uploaded document on the wire.
type Document struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Size    int64     `json:"size"`
	SHA256  []byte    `json:"sha256"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// NewOperation is the body that creates an operation.
type NewOperation struct {
	Signer   string    `json:"signer"`
	Key      string    `json:"key"`
	Alg      string    `json:"alg"`
	Level    string    `json:"level"`
	Purpose  string    `json:"purpose"`
	Lifetime int       `json:"lifetime_seconds"`
	Return   string    `json:"return_url"`
	Items    []NewItem `json:"items"`
}

// NewItem is one signature to ask for: a document by a worker, or a digest.
type NewItem struct {
	Document string `json:"document"`
	// Documents, in the place of Document, are several under one signature, in their order.
	Documents []string          `json:"documents"`
	Worker    string            `json:"worker"`
	Params    map[string]string `json:"params"`
	Digest    []byte            `json:"digest"`
	Name      string            `json:"name"`
}

// Operation is a request to a signer on the wire. ApprovalURL is there only in
// the answer that created it.
type Operation struct {
	ID          string    `json:"id"`
	State       string    `json:"state"`
	Reason      string    `json:"reason,omitempty"`
	Stopped     string    `json:"device_refused,omitempty"` // see signapp.Service.Stopped
	Signer      string    `json:"signer"`
	Key         string    `json:"key"`
	Alg         string    `json:"alg"`
	Level       string    `json:"level"`
	Purpose     string    `json:"purpose"`
	Items       []Item    `json:"items"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"`
	ReturnURL   string    `json:"return_url,omitempty"`
	ApprovalURL string    `json:"approval_url,omitempty"`
}

// Item is one signature of an operation. Signature is there for a finished
// digest; a finished document is fetched.
type Item struct {
	Index     int      `json:"index"`
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	Worker    string   `json:"worker,omitempty"`
	Size      int64    `json:"size"`
	More      []string `json:"more,omitempty"` // names of further files under the one signature
	Result    *Result  `json:"result,omitempty"`
	Signature []byte   `json:"signature,omitempty"`
}

// Result describes a finished document.
type Result struct {
	Level     string    `json:"level"`
	Size      int64     `json:"size"`
	MIME      string    `json:"mime"`
	TimeStamp time.Time `json:"time_stamp,omitzero"`
}

func operationOut(op *signapp.Operation) Operation {
	out := Operation{ID: op.ID, State: string(op.State), Reason: op.Reason, Stopped: op.Stopped, Signer: op.Signer, Key: op.Key, Alg: op.Alg, Level: op.Level,
		Purpose: op.Purpose, Items: []Item{}, Created: op.Created.UTC(), Expires: op.Expires.UTC(), ReturnURL: op.ReturnURL, ApprovalURL: op.ApprovalURL}
	for i, it := range op.Items {
		o := Item{Index: i, Name: it.Name, Kind: it.Kind, Worker: it.Worker, Size: it.Size, More: it.More}
		if r := it.Result; r != nil {
			o.Result = &Result{Level: r.Level, Size: r.Size, MIME: r.MIME, TimeStamp: r.TimeStamp.UTC()}
		}
		if it.Kind == sap.KindRaw && op.State == signapp.StateFinished && len(op.Signatures) == len(op.Items) {
			o.Signature = op.Signatures[i]
		}
		out.Items = append(out.Items, o)
	}
	return out
}

// createOperation asks a signer. With an Idempotency-Key the first answer is
// repeated for as long as the key is remembered.
func (a *API) createOperation(c *call) error {
	text, err := c.body()
	if err != nil {
		return err
	}
	var in NewOperation
	failpoint.Before("ssad/01-request-parsed")
	if err := strictjson.Unmarshal(text, &in); err != nil {
		return err
	}
	failpoint.After("ssad/01-request-parsed")
	n, err := a.newOperation(c, in)
	if err != nil {
		return err
	}
	create := func(ctx context.Context) (*signapp.Operation, error) {
		return a.cfg.Operations.Create(ctx, c.client(), n)
	}
	if values := c.r.Header.Values("Idempotency-Key"); len(values) > 0 {
		return a.createOnce(c, values, text, create)
	}
	op, err := create(c.ctx())
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", pathOperations+"/"+op.ID)
	return c.json(http.StatusCreated, operationOut(op))
}

// maxLifetime keeps the conversion to a duration safe; the application has its
// own limit.
const maxLifetime = 366 * 24 * 3600

func (a *API) newOperation(c *call, in NewOperation) (signapp.NewOperation, error) {
	n := signapp.NewOperation{Signer: in.Signer, Key: in.Key, Alg: in.Alg, Level: in.Level, Purpose: in.Purpose, ReturnURL: in.Return}
	if in.Lifetime < 0 || in.Lifetime > maxLifetime {
		return n, say(errParameter, "lifetime_seconds is out of range")
	}
	n.Lifetime = time.Duration(in.Lifetime) * time.Second
	if err := allowedSigner(c.id, in.Signer); err != nil {
		return n, err
	}
	if len(in.Items) == 0 || len(in.Items) > oauth.MaxHashes {
		return n, say(errParameter, fmt.Sprintf("items must have 1 to %d entries", oauth.MaxHashes))
	}
	for i, it := range in.Items {
		worker := it.Worker
		if it.Document == "" && len(it.Documents) == 0 && worker == "" {
			worker = oauth.WorkerRaw
		}
		if !c.id.Client.MayUse(worker) {
			return n, say(errClientPolicy, fmt.Sprintf("item %d: the client may not use worker %q", i, clean(worker)))
		}
		n.Items = append(n.Items, signapp.NewItem{Document: it.Document, Documents: it.Documents, Worker: it.Worker, Params: it.Params, Digest: it.Digest, Name: it.Name})
	}
	return n, nil
}

// allowedSigner tells whether a token may deal with a signer: a token that
// stands for one signer with nobody else.
func allowedSigner(id oauth.Identity, signer string) error {
	if id.Signer != "" && id.Signer != signer || !id.Client.MayAsk(signer) {
		return say(errClientPolicy, "the client may not deal with this signer")
	}
	return nil
}

// mine finds an operation of the client; a token that stands for one signer
// sees only what was asked of this one.
func (a *API) mine(c *call, id string) (*signapp.Operation, error) {
	if !sap.ValidID(id) {
		return nil, signapp.ErrNotFound
	}
	op, err := a.cfg.Operations.Get(c.ctx(), c.client(), id)
	if err != nil {
		return nil, err
	}
	// The application looks up by client; this says it again at the door.
	if op.Client.ID != c.id.Client.ID || c.id.Signer != "" && c.id.Signer != op.Signer {
		return nil, signapp.ErrNotFound
	}
	return op, nil
}

// getOperation answers at once, or with wait=seconds when the operation is
// terminal or the time is over.
func (a *API) getOperation(c *call) error {
	q, err := query(c.r, "wait")
	if err != nil {
		return err
	}
	op, err := a.mine(c, param(c.r, "id"))
	if err != nil {
		return err
	}
	if s := q["wait"]; s != "" && !op.State.Terminal() {
		secs, err := strconv.Atoi(s)
		if err != nil || secs < 0 || time.Duration(secs)*time.Second > a.cfg.Limits.Wait {
			return say(errParameter, fmt.Sprintf("wait must be 0 to %d seconds", int(a.cfg.Limits.Wait/time.Second)))
		}
		if op, err = a.wait(c, op.ID, time.Duration(secs)*time.Second); err != nil {
			return err
		}
	}
	return c.json(http.StatusOK, operationOut(op))
}

// wait is a bounded long poll. The connection's write deadline moves with it.
// When too many wait, the present state is answered at once.
func (a *API) wait(c *call, id string, d time.Duration) (*signapp.Operation, error) {
	select {
	case a.waits <- struct{}{}:
		defer func() { <-a.waits }()
	default:
		return a.cfg.Operations.Get(c.ctx(), c.client(), id)
	}
	ctx, cancel := context.WithTimeout(c.ctx(), d)
	defer cancel()
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(d + 15*time.Second)) // not every writer has one
	return a.cfg.Operations.Wait(ctx, c.client(), id)
}

func (a *API) cancelOperation(c *call) error {
	op, err := a.mine(c, param(c.r, "id"))
	if err != nil {
		return err
	}
	if op, err = a.cfg.Operations.Cancel(c.ctx(), c.client(), op.ID); err != nil {
		return err
	}
	return c.json(http.StatusOK, operationOut(op))
}

// deleteDocument deletes an upload. Uploads are the client's: a token that stands for one signer deletes none.
func (a *API) deleteDocument(c *call) error {
	if c.id.Signer != "" {
		return say(errClientPolicy, "uploads are the client's; use a token of the client itself")
	}
	id := param(c.r, "id")
	if !sap.ValidID(id) {
		return signapp.ErrNotFound
	}
	if err := a.cfg.Deletion.DeleteDocument(c.ctx(), c.client(), id); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// deleteResults deletes the signed documents of an operation that has ended; its receipt stays.
func (a *API) deleteResults(c *call) error {
	op, err := a.mine(c, param(c.r, "id"))
	if err != nil {
		return err
	}
	if err := a.cfg.Deletion.DeleteResult(c.ctx(), c.client(), op.ID); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// getResult streams a finished document.
func (a *API) getResult(c *call) error {
	op, err := a.mine(c, param(c.r, "id"))
	if err != nil {
		return err
	}
	i, err := strconv.Atoi(param(c.r, "i"))
	if err != nil || i < 0 || i >= len(op.Items) || strconv.Itoa(i) != param(c.r, "i") {
		return signapp.ErrNotFound
	}
	if !op.State.Terminal() {
		return errPending
	}
	f, it, err := a.cfg.Documents.Result(c.ctx(), c.client(), op.ID, i)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	h := c.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	if it.Result != nil && it.Result.MIME != "" {
		h.Set("Content-Type", it.Result.MIME)
	}
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": it.ResultName()}))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	c.writeUntil(size(f))
	// ServeContent answers ranges; the time is the operation's, which never
	// changes after it ended.
	http.ServeContent(c.w, c.r, "", op.Created, f)
	return nil
}

// slowestReader is the rate, in bytes per second, below which a download is cut.
const slowestReader = 32 << 10

// writeUntil gives the connection time for so many bytes (F32); the server's
// own deadline is made for small answers.
func (c *call) writeUntil(bytes int64) {
	d := time.Minute + time.Duration(bytes/slowestReader)*time.Second
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(d)) // not every writer has one
}

func size(f io.Seeker) int64 {
	n, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0
	}
	_, _ = f.Seek(0, io.SeekStart) // its failure shows at the first read
	return n
}

func (a *API) getReceipt(c *call) error {
	op, err := a.mine(c, param(c.r, "id"))
	if err != nil {
		return err
	}
	text, err := a.cfg.Documents.Receipt(c.ctx(), c.client(), op.ID)
	if err != nil {
		return err
	}
	return c.raw(http.StatusOK, "application/json", text)
}

// Credential is a signer's key on the wire.
type Credential struct {
	Key       string    `json:"key"`
	Signer    string    `json:"signer"`
	KeyType   string    `json:"key_type"`
	Algs      []string  `json:"algs"`
	State     string    `json:"state"`
	Chain     [][]byte  `json:"chain"`
	Raw       bool      `json:"raw"`
	Assurance string    `json:"assurance"`
	Created   time.Time `json:"created"`
}

func (a *API) getCredentials(c *call) error {
	q, err := query(c.r, "signer")
	if err != nil {
		return err
	}
	if q["signer"] == "" {
		return say(errParameter, "signer is missing")
	}
	list, err := a.credentials(c, q["signer"])
	if err != nil {
		return err
	}
	out := []Credential{}
	for _, cr := range list {
		out = append(out, Credential{Key: cr.Key, Signer: cr.Signer, KeyType: cr.KeyType, Algs: cr.Algs, State: cr.State,
			Chain: cr.Chain, Raw: cr.Raw, Assurance: cr.Assurance, Created: time.Unix(cr.Created, 0).UTC()})
	}
	return c.json(http.StatusOK, map[string]any{"credentials": out})
}

// credentials lists a signer's keys for a token that may see them.
func (a *API) credentials(c *call, signer string) ([]sapclient.Credential, error) {
	if err := allowedSigner(c.id, signer); err != nil {
		return nil, err
	}
	if !sap.ValidID(signer) {
		return nil, nil
	}
	list, err := a.cfg.Credentials.Credentials(c.ctx(), signer)
	if errors.Is(err, signapp.ErrNotFound) {
		return nil, nil
	}
	return list, err
}

// query reads parameters: only the named ones, each at most once.
func query(r *http.Request, names ...string) (map[string]string, error) {
	if len(r.URL.RawQuery) > 4096 {
		return nil, say(errParameter, "the query is too long")
	}
	q := r.URL.Query()
	out := map[string]string{}
	for _, n := range names {
		if v := q[n]; len(v) > 1 {
			return nil, say(errParameter, n+" is there twice")
		} else if len(v) == 1 {
			out[n] = v[0]
		}
		delete(q, n)
	}
	for n := range q {
		return nil, say(errParameter, "unknown parameter "+clean(n))
	}
	return out, nil
}
