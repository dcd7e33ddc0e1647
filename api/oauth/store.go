package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assent-sign/assent/api/state"
	"github.com/assent-sign/assent/internal/clock"
)

// Kinds of records.
const (
	kindSession = "session" // authorization requests in progress
	kindPushed  = "par"     // pushed ones, until the browser comes
	kindGrant   = "grant"
	kindCode    = "code"  // authorization code -> grant
	kindToken   = "token" // access token -> grant
	kindJTI     = "jti"   // used client assertions
)

// Prefixes make leaked values easy to find and to tell apart.
const (
	prefixToken   = "at_"
	prefixCode    = "ac_"
	prefixPushed  = "par_"
	prefixSession = "as_"
	secretLen     = 43 // 32 random bytes in base64url
)

// newSecret returns 256 random bits with a prefix.
func newSecret(prefix string) string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// isSecret tells whether s has the form of a value of ours, so that nothing
// else costs a database query.
func isSecret(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != secretLen {
		return false
	}
	_, err := base64.RawURLEncoding.DecodeString(rest)
	return err == nil
}

// hashID is what the database knows a bearer value by.
func hashID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// records reads and writes JSON records and remembers storage errors in the
// request's sink.
type records struct {
	store state.Store
	clock clock.Clock
}

// errStorage marks an error after which nothing is known.
var errStorage = errors.New("oauth: storage failed")

func (r *records) storage(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, state.ErrNotFound) || errors.Is(err, state.ErrExists) || errors.Is(err, state.ErrConflict) {
		return err
	}
	err = fmt.Errorf("%w: %w", errStorage, err)
	if s := sinkOf(ctx); s != nil {
		s.failed = err
	}
	return err
}

func (r *records) get(ctx context.Context, kind, id string, v any) (state.Record, error) {
	rec, err := r.store.Get(ctx, kind, id)
	if err != nil {
		return rec, r.storage(ctx, err)
	}
	if err := json.Unmarshal(rec.Data, v); err != nil {
		return rec, r.storage(ctx, fmt.Errorf("record %s does not decode: %w", kind, err))
	}
	return rec, nil
}

func (r *records) insert(ctx context.Context, kind, id string, expires time.Time, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return r.storage(ctx, err)
	}
	return r.storage(ctx, r.store.Insert(ctx, state.Record{Kind: kind, ID: id, Expires: expires, Data: data}))
}

func (r *records) swap(ctx context.Context, rec state.Record, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return r.storage(ctx, err)
	}
	rec.Data = data
	return r.storage(ctx, r.store.Swap(ctx, rec))
}
