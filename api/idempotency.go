package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/assent-sign/assent/api/oauth"
	"github.com/assent-sign/assent/api/state"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/signapp"
)

// kindIdempotency are records of Idempotency-Keys.
const kindIdempotency = "idem"

// idempotencyLease is how long a first request may take; after a crash in it,
// the key is free again. What the crash left is at most an operation that the
// client does not know and that expires unapproved.
const idempotencyLease = 2 * time.Minute

// remembered is the first request with a key and its answer.
type remembered struct {
	Request  string `json:"request"` // hash of the body
	Done     bool   `json:"done"`
	Location string `json:"location,omitempty"`
	Answer   []byte `json:"answer,omitempty"`
}

// createOnce runs create for the first request with a key, durably, and repeats
// its answer to the same request. Another request with the key is a conflict.
func (a *API) createOnce(c *call, keys []string, body []byte, create func(context.Context) (*signapp.Operation, error)) error {
	if len(keys) != 1 || !validKey(keys[0]) {
		return say(errParameter, "Idempotency-Key must be there once, 1 to 128 printable ASCII characters")
	}
	id := sum(c.id.Client.ID, c.id.Signer, keys[0])
	first := remembered{Request: sum(string(body))}
	rec := state.Record{Kind: kindIdempotency, ID: id, Version: 1, Expires: a.cfg.Clock.Now().Add(idempotencyLease)}
	rec.Data, _ = json.Marshal(first) // strings always encode
	failpoint.Before("ssad/03-idempotency-row-inserted")
	err := a.cfg.Store.Insert(c.ctx(), rec)
	failpoint.After("ssad/03-idempotency-row-inserted")
	if errors.Is(err, state.ErrExists) {
		return a.repeat(c, id, first.Request)
	}
	if err != nil {
		return errors.Join(oauth.ErrUnavailable, err)
	}
	// The work goes on when the client hangs up: its repetition wants the answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx()), idempotencyLease-10*time.Second)
	defer cancel()
	op, err := create(ctx)
	if err != nil {
		rec.Expires = a.cfg.Clock.Now()
		if free := a.cfg.Store.Swap(ctx, rec); free != nil {
			a.cfg.Log.WarnContext(ctx, "api: key stays taken until its lease ends", "request_id", c.requestID, "error", free)
		}
		return err
	}
	first.Done, first.Location = true, pathOperations+"/"+op.ID
	if first.Answer, err = json.Marshal(operationOut(op)); err != nil {
		return err
	}
	rec.Data, _ = json.Marshal(first)
	rec.Expires = a.cfg.Clock.Now().Add(a.cfg.Limits.IdempotencyTTL)
	if err := a.cfg.Store.Swap(ctx, rec); err != nil {
		// Without the record a repetition would ask the signer twice.
		_, undo := a.cfg.Operations.Cancel(ctx, c.client(), op.ID)
		return errors.Join(oauth.ErrUnavailable, err, undo)
	}
	return a.answerFirst(c, first)
}

func (a *API) repeat(c *call, id, request string) error {
	rec, err := a.cfg.Store.Get(c.ctx(), kindIdempotency, id)
	if errors.Is(err, state.ErrNotFound) {
		return errKeyInUse // it ended between the two looks
	}
	var first remembered
	if err == nil {
		err = json.Unmarshal(rec.Data, &first)
	}
	switch {
	case err != nil:
		return errors.Join(oauth.ErrUnavailable, err)
	case first.Request != request:
		return errKeyReused
	case !first.Done:
		return errKeyInUse
	}
	c.w.Header().Set("Idempotency-Replayed", "true")
	return a.answerFirst(c, first)
}

func (a *API) answerFirst(c *call, first remembered) error {
	c.w.Header().Set("Location", first.Location)
	return c.raw(http.StatusCreated, "application/json", first.Answer)
}

func validKey(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// sum hashes parts so that no two lists of parts give the same text.
func sum(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		part := sha256.Sum256([]byte(p))
		h.Write(part[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
