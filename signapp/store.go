package signapp

import (
	"context"
	"errors"
	"time"
)

// Store keeps what the application must not lose, and what must be used only
// once. View reads one snapshot; Update is atomic, serialised with every other
// Update, and durable when it returns nil. The function may be called again
// when a shared commit failed, so it must have no effect but through its Tx
// (and must reset what it captured). After an error of Update other than the
// function's own, the outcome is unknown: read again.
//
// storetest is the suite that every driver passes.
type Store interface {
	View(ctx context.Context, f func(Tx) error) error
	Update(ctx context.Context, f func(Tx) error) error
	Close() error
}

// Tx gives the tables inside one transaction.
type Tx interface {
	Documents() Documents
	Operations() Operations
	Secrets() Secrets
	Passkeys() Passkeys
	// Kept tells what a client has, as the transaction sees it; nothing is no error.
	Kept(client string) (Kept, error)
	// KeptBy tells it of every client that has something.
	KeptBy() ([]Kept, error)
}

// Scope says on whose behalf a row is looked up. It is an argument of every
// query on owned rows, so that a forgotten check finds nothing instead of
// somebody else's row (T10). The zero value matches nothing.
type Scope struct {
	client, signer string
	all            bool
}

// OfClient sees the rows of one client.
func OfClient(id string) Scope { return Scope{client: id} }

// OfSigner sees the operations addressed to one signer.
func OfSigner(id string) Scope { return Scope{signer: id} }

// Everything is for the application's own work (resume, expiry, retention) and
// for the operator, never for a request from outside.
func Everything() Scope { return Scope{all: true} }

// Parts tells a driver what to compare. Exactly one of the results is set,
// none for the zero value.
func (s Scope) Parts() (client, signer string, all bool) { return s.client, s.signer, s.all }

// Documents is the table of uploaded documents. The bytes are files.
type Documents interface {
	// Put inserts a row; ErrExists when the id is taken.
	Put(DocumentRow) error
	// Get finds a row of the scope's client; ErrNotFound.
	Get(s Scope, id string) (*DocumentRow, error)
	// Delete removes a row; none is no error.
	Delete(id string) error
	// List returns at most limit rows that expired by the given time (Unix
	// milliseconds), oldest first.
	List(expiredBy int64, limit int) ([]DocumentRow, error)
}

// DocumentRow is a document as stored. Times are Unix milliseconds.
type DocumentRow struct {
	ID, Client, Name string
	Size             int64
	SHA256           []byte
	Created, Expires int64
}

// Operations is the table of operations.
type Operations interface {
	// Put inserts or updates a row. State, Due, Progress and Files change;
	// everything else is fixed by the first Put.
	Put(OperationRow) error
	// Get finds a row in the scope; ErrNotFound.
	Get(s Scope, id string) (*OperationRow, error)
	// List returns rows in the scope.
	List(s Scope, q Query) ([]OperationRow, error)
	// Delete removes a row; none is no error.
	Delete(id string) error
}

// Query selects operations. Zero fields select nothing away.
type Query struct {
	States []State
	DueBy  int64 // Unix milliseconds; rows whose Due is not later, earliest first
	Limit  int   // 0: 100; without DueBy the newest come first
}

// OperationRow is an operation as stored. Times are Unix milliseconds.
type OperationRow struct {
	ID, Client, Signer string
	State              State
	Created, Expires   int64
	Due                int64  // when something has to be done next
	Fixed              []byte // JSON, never changes
	Progress           []byte // JSON
	Files              int64  // bytes of its files on disk
}

// Kinds of secrets.
const (
	SecretApproval  = "approval"  // approval link of an operation
	SecretTicket    = "ticket"    // hand-over from the app origin to the signing origin
	SecretToken     = "token"     // operation token of the signer's app
	SecretSession   = "session"   // login session
	SecretInvite    = "invite"    // invitation to register a login passkey
	SecretChallenge = "challenge" // a WebAuthn ceremony under way
)

// Secrets is the table of bearer values. Only their hashes are stored, so a
// copy of the database opens no door.
type Secrets interface {
	// Put inserts a row; ErrExists when the hash is taken.
	Put(SecretRow) error
	// Get finds a row, expired or not; ErrNotFound.
	Get(kind string, hash []byte) (*SecretRow, error)
	// Take finds and removes a row. Of several takers one gets it, the
	// others get ErrNotFound.
	Take(kind string, hash []byte) (*SecretRow, error)
	// Drop removes all rows that match every set field of m. An empty m is
	// refused.
	Drop(m SecretMatch) error
}

// SecretRow is a bearer value as stored.
type SecretRow struct {
	Kind      string
	Hash      []byte // SHA-256 of the value
	Signer    string // whose it is
	Operation string // what it opens, if it opens an operation
	Session   []byte // hash of the login session that it is bound to, if any
	Expires   int64  // Unix milliseconds
	Data      []byte // JSON, by kind
}

// SecretMatch selects secrets for Drop.
type SecretMatch struct {
	ExpiredBy int64
	Session   []byte
	Operation string
}

// Passkeys is the table of login passkeys.
type Passkeys interface {
	// Put inserts a passkey or updates Credential and Used of one that has the
	// same id, signer and handle; ErrExists when the id is another's.
	Put(PasskeyRow) error
	// Get finds a passkey by its credential id; ErrNotFound.
	Get(id []byte) (*PasskeyRow, error)
	// OfSigner lists a signer's passkeys, oldest first.
	OfSigner(signer string) ([]PasskeyRow, error)
	// Delete removes a signer's passkey; ErrNotFound.
	Delete(signer string, id []byte) error
}

// PasskeyRow is a login passkey. Times are Unix milliseconds.
type PasskeyRow struct {
	ID            []byte
	Signer, Name  string
	Handle        []byte // WebAuthn user handle: random, the same for all of a signer's
	Credential    []byte // JSON
	Created, Used int64
}

// ErrExists is returned when a key is taken.
var ErrExists = errors.New("signapp: exists already")

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
