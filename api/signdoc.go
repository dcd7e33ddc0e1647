package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp"
)

// signDoc asks a signer for signatures over whole documents (CSC 11.11) with a
// service token: the signer reads and approves them on the signing origin. With
// operationMode A the answer is a responseID at once; otherwise the call waits,
// bounded, and then answers 202 with a responseID to poll.
func (a *API) signDoc(c *call) error {
	if !a.cfg.SignDoc.serves() {
		return errNotServed
	}
	op, mode, err := a.startSignDoc(c)
	if err != nil {
		return err
	}
	if mode == "A" {
		return c.json(http.StatusOK, csc.Response{ResponseID: op.ID, ApprovalURL: op.ApprovalURL})
	}
	link := op.ApprovalURL
	if op, err = a.wait(c, op.ID, a.cfg.Limits.SignDocWait); err != nil {
		return err
	}
	return a.answerSignDoc(c, op, link)
}

// startSignDoc reads the body and creates the operation. Few bodies are held at
// one time, and none longer than this function.
func (a *API) startSignDoc(c *call) (op *signapp.Operation, mode string, err error) {
	select {
	case a.large <- struct{}{}:
		defer func() { <-a.large }()
	default:
		return nil, "", errBusy
	}
	text, err := c.body()
	if err != nil {
		return nil, "", err
	}
	m, err := decodeMembers(text)
	if err != nil {
		return nil, "", err
	}
	if mode, err = operationMode(m); err != nil {
		return nil, "", err
	}
	if sad, err := m.str("SAD"); err != nil || sad != "" {
		// A credential token is an approval of digests; documents get an own one.
		return nil, "", refuse("Invalid parameter SAD")
	}
	docs, err := documentsOf(m)
	if err != nil {
		return nil, "", err
	}
	id, err := m.need("credentialID")
	if err != nil {
		return nil, "", err
	}
	cr, leaf, err := a.credential(c, id)
	switch {
	case err != nil:
		return nil, "", err
	case cr.State != stateActive:
		return nil, "", refuse("The credential identified by credentialID is disabled")
	case a.certStatus(leaf) != "valid":
		return nil, "", refuse("Signing certificate is expired")
	}
	n := signapp.NewOperation{Signer: cr.Signer, Key: cr.Key, Purpose: c.id.Client.Name}
	if err := a.addDocuments(c, &n, docs, cr.Algs); err != nil {
		return nil, "", err
	}
	op, err = a.cfg.Operations.Create(c.ctx(), c.client(), n)
	return op, mode, err
}

// documentIn is an entry of documents. Pointers tell absent from empty.
type documentIn struct {
	Document   string           `json:"document"`
	HashOID    string           `json:"hashAlgorithmOID"`
	Format     *string          `json:"signature_format"`
	Level      string           `json:"conformance_level"`
	SignAlgo   string           `json:"signAlgo"`
	AlgoParams string           `json:"signAlgoParams"`
	Envelope   string           `json:"signed_envelope_property"`
	Props      []signedProperty `json:"signed_props"`
	Reference  string           `json:"referenceUri"`
}

type signedProperty struct {
	Name  string  `json:"attribute_name"`
	Value *string `json:"attribute_value"`
}

func documentsOf(m members) ([]documentIn, error) {
	_, digests := m["documentDigests"]
	raw, documents := m["documents"]
	switch {
	case digests && documents:
		return nil, refuse("Both documentDigests and documents parameters passed")
	case digests:
		// The signer could not see what is signed; digests go through signHash
		// and the permission that it needs.
		return nil, refuse("Invalid object parameter documentDigests: send documents")
	case !documents:
		return nil, refuse("Empty documentDigests and documents objects")
	}
	var docs []documentIn
	if err := json.Unmarshal(raw, &docs); err != nil {
		return nil, refuse("Invalid array parameter documents")
	}
	if len(docs) == 0 {
		return nil, refuse("Empty documentDigests and documents objects")
	}
	return docs, nil
}

// addDocuments uploads the documents and describes the operation.
func (a *API) addDocuments(c *call, n *signapp.NewOperation, docs []documentIn, algs []string) error {
	if len(docs) > a.cfg.Limits.Hashes {
		return refuse("Numbers of signatures is too high")
	}
	object := false
	for i, d := range docs {
		m, alg, level, err := a.checkDocument(d, algs)
		if err != nil {
			return err
		}
		if !c.id.Client.MayUse(m.worker) {
			return say(errClientPolicy, "the client may not use signDoc")
		}
		if i > 0 && object != m.object {
			// The answer has two lists then, and nobody can tell which of them a document's signature is in.
			return refuse("Invalid array parameter documents: either all signatures are detached, or none")
		}
		object = m.object
		if i > 0 && (alg.String() != n.Alg || level != n.Level) {
			return refuse("Invalid array parameter documents: signAlgo and conformance_level must be the same for all")
		}
		n.Alg, n.Level = alg.String(), level
		body, err := lenientBase64(d.Document)
		if err != nil || len(body) == 0 {
			return refuse("Invalid Base64 documents string parameter")
		}
		up, err := a.cfg.Documents.Upload(c.ctx(), c.client(), m.name(i, body), bytes.NewReader(body))
		if err != nil {
			return err
		}
		n.Items = append(n.Items, signapp.NewItem{Document: up.ID, Worker: m.worker, Params: m.params})
	}
	return nil
}

// checkDocument compares one entry with what is served (clause 11.11).
func (a *API) checkDocument(d documentIn, algs []string) (m *making, _ algo.Algorithm, level string, err error) {
	switch {
	case d.Format == nil || *d.Format == "":
		err = refuse("Missing (or invalid type) string parameter signature_format")
	case *d.Format == "P":
		m, err = a.ofPDF(d)
	case *d.Format == "X":
		m, err = a.ofXML(d)
	default:
		err = refuse("Invalid parameter signature_format")
	}
	if err != nil {
		return nil, 0, "", err
	}
	for _, l := range a.cfg.SignDoc.Levels {
		if strings.EqualFold(cscLevels[l], d.Level) || d.Level == "" && l == "B-B" {
			level = l
		}
	}
	if level == "" {
		return nil, 0, "", refuse("Invalid parameter conformance_level")
	}
	strs := members{}
	for name, s := range map[string]string{"signAlgo": d.SignAlgo, "hashAlgorithmOID": d.HashOID, "signAlgoParams": d.AlgoParams} {
		strs[name], _ = json.Marshal(s) // strings always encode
	}
	alg, err := signAlgorithm(strs)
	if err != nil {
		return nil, 0, "", err
	}
	if !slices.Contains(algs, alg.String()) {
		return nil, 0, "", refuse("Invalid parameter signAlgo")
	}
	return m, alg, level, nil
}

// numbered is the name of a document that came without one.
func numbered(i int, ending string) string { return fmt.Sprintf("document-%d%s", i+1, ending) }

// padesProps are the signed properties of PAdES that the worker takes.
var padesProps = map[string]string{"Reason": "reason", "Location": "location"}

// signedProps are the parameters of a worker for properties whose values are texts in Base64.
func signedProps(props []signedProperty, known map[string]string) (map[string]string, error) {
	params := map[string]string{}
	for _, p := range props {
		name, ok := known[p.Name]
		if !ok || p.Value == nil || params[name] != "" {
			return nil, refuse("Invalid parameter signed_props (" + clean(p.Name) + ")")
		}
		text, err := lenientBase64(*p.Value)
		if err != nil || !sap.Displayable(string(text)) {
			return nil, refuse("Invalid parameter signed_props (" + clean(p.Name) + ")")
		}
		params[name] = string(text)
	}
	return params, nil
}

// signPolling looks for the outcome of an asynchronous call (CSC 11.12).
func (a *API) signPolling(c *call) error {
	text, err := c.body()
	if err != nil {
		return err
	}
	m, err := decodeMembers(text)
	if err != nil {
		return err
	}
	id, err := m.need("requestID")
	if err != nil {
		return err
	}
	if userID, err := m.str("userID"); err != nil || userID != "" && c.id.Signer != "" {
		return refuse("userID parameter SHALL be null")
	}
	op, err := a.mine(c, id)
	if errors.Is(err, signapp.ErrNotFound) {
		return refuse("Invalid parameter requestID")
	}
	if err != nil {
		return err
	}
	return a.answerSignDoc(c, op, "")
}

// answerSignDoc answers with what the operation has come to.
func (a *API) answerSignDoc(c *call, op *signapp.Operation, link string) error {
	switch op.State {
	case signapp.StateFinished:
	case signapp.StateDeclined, signapp.StateCancelled:
		return say(errClientPolicy, "The signer declined or the request was cancelled")
	case signapp.StateExpired:
		return say(errCSC, "The request is expired")
	case signapp.StateFailed:
		return say(errInternal, "The signature could not be made")
	default:
		return &pending{responseID: op.ID, approvalURL: link}
	}
	raw := 0
	for _, it := range op.Items {
		if it.Kind == sap.KindRaw {
			raw++
		}
	}
	switch raw {
	case len(op.Items):
		return c.json(http.StatusOK, signatures(op))
	case 0:
		return a.streamDocuments(c, op)
	}
	return refuse("Invalid parameter requestID")
}

// streamDocuments writes DocumentWithSignature, or SignatureObject of detached ones, without holding a document.
func (a *API) streamDocuments(c *call, op *signapp.Operation) error {
	open := func(i int) (io.ReadSeekCloser, error) {
		f, _, err := a.cfg.Documents.Result(c.ctx(), c.client(), op.ID, i)
		return f, err
	}
	// The first is opened before the status is sent, so that its error can be.
	f, err := open(0)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	member := "DocumentWithSignature"
	if objects(op) {
		member = "SignatureObject"
	}
	_, _ = io.WriteString(c.w, `{"`+member+`":["`)
	for i := range op.Items {
		if i > 0 {
			if f, err = open(i); err != nil {
				return err
			}
			_, _ = io.WriteString(c.w, `","`)
		}
		c.writeUntil(2 * size(f))
		err := encodeTo(c.ctx(), c.w, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	_, err = io.WriteString(c.w, `"]}`)
	return err
}

func encodeTo(ctx context.Context, w io.Writer, r io.Reader) error {
	enc := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.Copy(enc, r); err != nil {
		return errors.Join(err, ctx.Err())
	}
	return enc.Close()
}
