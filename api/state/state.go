// Package state is the contract of the front doors' own durable state: OAuth
// sessions, grants and tokens, pushed requests, used identifiers, idempotency
// keys and asynchronous answers. All of it lives for minutes to a day, is found
// by one key, and differs only in its JSON, so one table of versioned records
// carries it; every rule that must not be broken twice (a code, a request_uri,
// a jti, a credential token is used once) is one Insert or one Swap, which is
// one statement of the primary database.
//
// Nothing here is a secret: identifiers are hashes of the bearer values, made
// by the caller.
package state

import (
	"context"
	"errors"
	"time"
)

// Limits that every driver enforces.
const (
	MaxKind = 16
	MaxID   = 128
	MaxData = 1 << 20
)

// Record is one row. Version counts its changes, from 1.
type Record struct {
	Kind    string
	ID      string
	Version int64
	Expires time.Time // from then on the record does not exist
	Data    []byte
}

// Store keeps records. An error that is none of this package's sentinels means
// that nothing is known about the outcome: callers must refuse, never go on.
type Store interface {
	// Get returns a live record, or ErrNotFound.
	Get(ctx context.Context, kind, id string) (Record, error)
	// Insert adds a record with version 1. A live record with the same kind and
	// id gives ErrExists; an expired one is replaced. Of concurrent calls
	// exactly one succeeds.
	Insert(ctx context.Context, r Record) error
	// Swap replaces data and expiry of the live record whose version is
	// r.Version and counts it up; otherwise ErrConflict. Of concurrent calls
	// with one version exactly one succeeds.
	Swap(ctx context.Context, r Record) error
	// Sweep deletes expired records, at most limit, and tells how many.
	Sweep(ctx context.Context, limit int) (int, error)
}

// Errors of a Store.
var (
	ErrNotFound = errors.New("state: no such record")
	ErrExists   = errors.New("state: record exists")
	ErrConflict = errors.New("state: record was changed by another request")
	ErrTooLarge = errors.New("state: record is over its size limit")
)

// Check tells whether a record is within the limits.
func (r Record) Check() error {
	if r.Kind == "" || len(r.Kind) > MaxKind || r.ID == "" || len(r.ID) > MaxID || len(r.Data) > MaxData {
		return ErrTooLarge
	}
	return nil
}
