package sam

import (
	"context"
	"errors"
	"time"

	"github.com/assent-sign/assent/internal/audit"
)

// Store keeps the module's records. Every driver passes sam/storetest.
//
// Update runs its function in a transaction that may be shared with others; it
// returns nil only when the changes are durable, and on any error nothing of
// the function's changes exists, except that an error from the commit itself
// may be ambiguous (written, but the answer was lost). The module is built so
// that this is safe. Functions given to one Store never run at the same time as
// another Update's. View sees committed data only.
//
// Foreign grows whenever the database was changed by somebody else. An Update
// function that sees the value from before a View knows that what was read there
// is still there.
type Store interface {
	View(ctx context.Context, fn func(*Tx) error) error
	Update(ctx context.Context, fn func(*Tx) error) error
	Foreign() int64
	Close() error
}

// Tx is a transaction: a table for each kind of record.
type Tx struct {
	Meta           MetaTable
	Condition      ConditionTable
	Configurations ConfigurationTable
	Successions    SuccessionTable
	Identities     IdentityTable
	Proposals      ProposalTable
	Signers        SignerTable
	Authenticators AuthenticatorTable
	Guards         GuardTable
	FailedGuards   FailedGuards
	Enrolments     EnrolmentTable
	Credentials    CredentialTable
	OtherKEK       OtherKEK
	RetiredKeys    RetiredKeys
	Activations    ActivationTable
	Sessions       SessionTable
	Tombstones     TombstoneTable
	Expiries       ExpiryTable
	Onces          OnceTable
	OnceList       OnceList
	Notices        NoticeTable
	Audit          AuditTable
	AuditSearch    AuditSearch
	Seals          SealTable
}

// Errors of a Store.
var (
	ErrNotFound = errors.New("sam: no such record")
	ErrConflict = errors.New("sam: the record changed meanwhile, or exists already")
)

// All Get methods return ErrNotFound. All Insert methods return ErrConflict when
// the key is taken. Delete needs the row to be there. All Update methods replace the row whose version is one less
// than the given record's, else ErrConflict: the one compare-and-swap that keeps
// a state from going back.
type (
	// MetaTable has one row.
	MetaTable interface {
		Get() (*Meta, error)
		Insert(*Meta) error
		Update(*Meta) error
	}
	// ConditionTable has one row.
	ConditionTable interface {
		Get() (*Condition, error)
		Insert(*Condition) error
		Update(*Condition) error
	}
	// ConfigurationTable holds accepted configurations; Latest is the last one with a
	// digest.
	ConfigurationTable interface {
		Latest(digest string) (*Configuration, error)
		Insert(*Configuration) error
	}
	// SuccessionTable holds the changes of the statement key; List orders by epoch.
	SuccessionTable interface {
		List(limit int) ([]*Succession, error)
		Insert(*Succession) error
	}
	// IdentityTable holds callers; List orders them by name.
	IdentityTable interface {
		Get(name string) (*Identity, error)
		List(limit int) ([]*Identity, error)
		Insert(*Identity) error
		Update(*Identity) error
	}
	// ProposalTable holds decisions of two officers; List gives those in a state
	// (all when ""), the youngest first.
	ProposalTable interface {
		Get(id string) (*Proposal, error)
		List(state string, limit int) ([]*Proposal, error)
		Insert(*Proposal) error
		Update(*Proposal) error
	}
	// SignerTable holds signers. Near lists ids, two at most, that are the given text when
	// case and punctuation are left out.
	SignerTable interface {
		Get(id string) (*Signer, error)
		Near(plain string) ([]string, error)
		Insert(*Signer) error
		Update(*Signer) error
	}
	// AuthenticatorTable holds authenticators; BySigner orders by credential id.
	AuthenticatorTable interface {
		Get(credential []byte) (*Authenticator, error)
		BySigner(signer string) ([]*Authenticator, error)
		Insert(*Authenticator) error
		Delete(credential []byte) error
	}
	// GuardTable holds failure and signature counters.
	GuardTable interface {
		Get(credential []byte) (*Guard, error)
		Insert(*Guard) error
		Update(*Guard) error
		Delete(credential []byte) error
	}
	// FailedGuards lists guards with failures, a lock or an alarm, in the order of
	// their credential ids, those after one id.
	FailedGuards interface {
		After(credential []byte, limit int) ([]*Guard, error)
	}
	// NoticeTable holds notices, named by their audit numbers; After lists a signer's
	// in that order.
	NoticeTable interface {
		After(signer string, seq int64, limit int) ([]*Notice, error)
		Insert(*Notice) error
	}
	// EnrolmentTable holds enrolments; OpenOf lists the ids of a signer's open ones.
	EnrolmentTable interface {
		Get(id string) (*Enrolment, error)
		OpenOf(signer string) ([]string, error)
		Insert(*Enrolment) error
		Update(*Enrolment) error
	}
	// CredentialTable holds signers' keys; BySigner orders by creation.
	CredentialTable interface {
		Get(key string) (*Credential, error)
		BySigner(signer string) ([]*Credential, error)
		Insert(*Credential) error
		Update(*Credential) error
	}
	// OtherKEK lists keys that are not destroyed and not wrapped under kek, in the
	// order of their ids, those after one id.
	OtherKEK interface {
		After(kek, key string, limit int) ([]*Credential, error)
	}
	// RetiredKeys counts the keys that are revoked and not destroyed yet. The first
	// record of a key's end says since when, whatever was recorded of it afterwards.
	RetiredKeys interface {
		Waiting() (*WaitingKeys, error)
	}
	// ActivationTable holds sessions.
	ActivationTable interface {
		Get(session []byte) (*Activation, error)
		Insert(*Activation) error
		Update(*Activation) error
		// Reserve is Update from the state open, on the further condition that the
		// records which the decision stands on are still the given versions.
		Reserve(*Activation, Basis) error
	}
	// SessionTable counts and sweeps sessions. Purge looks at the limit oldest ones
	// and deletes those that are open and expired before openBefore, and those that
	// are done and were last changed before doneBefore (Unix seconds).
	SessionTable interface {
		CountOpen(signer string, now int64) (int, error)
		OpenOf(signer string, now int64, limit int) ([]*Activation, error)
		Reserved(limit int) ([]*Activation, error)
		Purge(openBefore, doneBefore int64, limit int) (int64, error)
	}
	// OnceTable holds one-time keys' records.
	OnceTable interface {
		Get(key string) (*Once, error)
		Insert(*Once) error
		Update(*Once) error
	}
	// OnceList finds them: those that are not destroyed, those of a signer, those of
	// them that ended at or before now (Unix seconds). Purge deletes at most limit
	// destroyed ones that ended before a time.
	OnceList interface {
		Live(limit int) ([]*Once, error)
		LiveOf(signer string, limit int) ([]*Once, error)
		Due(now int64, limit int) ([]*Once, error)
		Purge(before int64, limit int) (int64, error)
	}
	// ExpiryTable remembers when keys' certificates end, to find the expired ones: a
	// hint, not sealed. Put replaces, Due lists those that end before now (Unix
	// seconds), oldest first, Drop of an absent key is no error.
	ExpiryTable interface {
		Put(key string, notAfter int64) error
		Due(now int64, limit int) ([]string, error)
		Drop(key string) error
	}
	// TombstoneTable holds destroyed keys; After lists, in the order of their audit
	// numbers, those above seq.
	TombstoneTable interface {
		After(seq int64, limit int) ([]*Tombstone, error)
		Insert(*Tombstone) error
		Count() (int64, error)
	}
	// SealTable walks the sealed records of all tables, to seal them anew (KPR-06).
	// After lists records of a kind in the order of their keys, those after one; nil is
	// before the first. A row that cannot be read does not end the list: whoever can write
	// one would keep the others from being sealed anew. Reseal replaces the seal of a
	// record, and the hidden values of an enrolment, if version and seal are still what
	// they were; else ErrConflict.
	SealTable interface {
		After(kind string, last any, limit int) ([]Walked, error)
		Reseal(r Record, was []byte) error
	}
	// AuditTable is the audit chain: append and read only. LastOf returns the
	// number of the last record whose data names object ("obj" or, for guards,
	// "guard"), -1 when there is none. Page returns records from a number on.
	AuditTable interface {
		audit.Table
		LastOf(object string) (int64, error)
		Page(from int64, limit int) ([]audit.Record, error)
	}
)

// Walked is one row of a walk: its key, by which the walk goes on behind it, and the
// record, or why the row is none.
type Walked struct {
	Key    any // string, []byte or int64
	Record Record
	Err    error
}

// AuditSearch finds records of the audit chain without an index of its own: what is
// searched seldom must not make every record dearer.
type AuditSearch interface {
	// Find returns, in order, at most limit records with from <= number < to that fit.
	Find(q AuditQuery, from, to int64, limit int) ([]audit.Record, error)
}

// AuditQuery says which audit records are wanted; what is empty asks for nothing.
type AuditQuery struct {
	Since, Until time.Time // at or after, and before
	Type         string
	Identity     string // of who acted, or of the signer whom it is about
}

// Basis names the records and versions on which a reservation was decided.
type Basis struct {
	Key           string
	KeyVersion    int64
	Authenticator []byte
	GuardVersion  int64 // after the reservation's own change of the guard
}
