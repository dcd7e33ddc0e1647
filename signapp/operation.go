package signapp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// State is the state of an operation. Every move is durable before its effect
// is visible, and an operation can be taken up again from every state.
type State string

// The states. The moves are prepared -> shown -> approved -> signed ->
// finished; from prepared and shown also declined, cancelled, expired; from
// any state before finished also failed.
const (
	StatePrepared  State = "prepared"  // waits for the signer
	StateShown     State = "shown"     // the signer's app has fetched it
	StateApproved  State = "approved"  // SAD received, being redeemed (kept to repeat byte-identically)
	StateSigned    State = "signed"    // signatures and receipt stored
	StateFinished  State = "finished"  // documents complete
	StateDeclined  State = "declined"  // the signer said no
	StateCancelled State = "cancelled" // the client withdrew it
	StateExpired   State = "expired"
	StateFailed    State = "failed" // Reason says why; nothing was delivered
)

// Terminal tells whether nothing can happen any more.
func (s State) Terminal() bool {
	switch s {
	case StateFinished, StateDeclined, StateCancelled, StateExpired, StateFailed:
		return true
	}
	return false
}

// Client is who calls the application: an integrator known by its OAuth
// client id, or the signer at the app origin ("signer:" + id).
type Client struct {
	ID   string
	Name string // as configured and as shown to signers ("who asks")
}

// Document is an uploaded document.
type Document struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Size    int64     `json:"size"`
	SHA256  []byte    `json:"sha256"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// NewItem asks for one signature: over a document by a worker, or over a
// digest (kind raw), or over a digest whose document is given for display.
type NewItem struct {
	Document string            `json:"document"` // Document.ID; "" for a raw digest, and where Documents are given
	Worker   string            `json:"worker"`   // worker name; "" for a raw digest
	Params   map[string]string `json:"params,omitempty"`
	Digest   []byte            `json:"digest,omitempty"` // raw: the DTBS/R
	Name     string            `json:"name,omitempty"`   // raw: what the caller says it is

	// Documents, in the place of Document, are the uploads that the one signature is over, in their order: at most sap.MaxObjects. Only some
	// workers make such a signature.
	Documents []string `json:"documents,omitempty"`
}

// uploads are the documents of an item; none of a raw digest.
func (it NewItem) uploads() []string {
	if it.Document != "" {
		return []string{it.Document}
	}
	return it.Documents
}

// NewOperation asks a signer for signatures.
type NewOperation struct {
	Signer    string        `json:"signer"`
	Key       string        `json:"key"` // "" for the signer's only active key; KeyOneTime for a new one
	Alg       string        `json:"alg"` // JOSE name, "" for the key's default
	Level     string        `json:"level"`
	Purpose   string        `json:"purpose"` // shown to the signer, approved with the SAD
	Items     []NewItem     `json:"items"`
	Lifetime  time.Duration `json:"-"`          // 0: the configured default
	ReturnURL string        `json:"return_url"` // where the signer's app offers to go on; app origin only
}

// Item is one signature of an operation.
type Item struct {
	Name     string            `json:"name"`
	Kind     string            `json:"kind"`
	Worker   string            `json:"worker,omitempty"`
	Size     int64             `json:"size"`
	Prepared *workers.Prepared `json:"-"`
	Result   *workers.Result   `json:"result,omitempty"`
	More     []string          `json:"more,omitempty"` // names of the files behind that of Name which the one signature is over
}

// ResultName is what the signed document is called: that of a detached signature must not be taken for a file that was signed, nor
// take its place.
func (it *Item) ResultName() string {
	if it.Result == nil || !it.Beside() {
		return it.Name
	}
	const end = ".xades.xml"
	name := it.Name + end
	for slices.ContainsFunc(it.More, func(other string) bool { return strings.EqualFold(other, name) }) {
		name += end
	}
	return name
}

// Beside tells whether the signature is a file of its own, beside what it is over.
func (it *Item) Beside() bool {
	p := it.Prepared
	return p != nil && p.XAdES != nil && p.XAdES.Form == sap.XAdESDetached
}

// Operation is a request to a signer and all that became of it.
type Operation struct {
	ID          string             `json:"id"`
	Client      Client             `json:"client"`
	Signer      string             `json:"signer"`
	Key         string             `json:"key"`
	Alg         string             `json:"alg"`
	Level       string             `json:"level"`
	Purpose     string             `json:"purpose"`
	State       State              `json:"state"`
	Reason      string             `json:"reason,omitempty"`         // for failed, declined: code and words for the client
	Stopped     string             `json:"device_refused,omitempty"` // what the signer's device found wrong, last
	Items       []Item             `json:"items"`
	Signatures  [][]byte           `json:"-"` // once signed
	Receipt     *sap.SignedReceipt `json:"-"`
	ReturnURL   string             `json:"return_url,omitempty"`
	Created     time.Time          `json:"created"`
	Expires     time.Time          `json:"expires"`
	ApprovalURL string             `json:"approval_url,omitempty"` // only in the answer that created it
}

// Errors of the application; api maps them to the wire.
var (
	ErrNotFound    = errors.New("signapp: not found") // also: not yours
	ErrState       = errors.New("signapp: not possible in this state")
	ErrInput       = errors.New("signapp: the request cannot be served") // wrap with what and how to mend
	ErrTooLarge    = errors.New("signapp: over a size limit")
	ErrExpired     = errors.New("signapp: expired")
	ErrRefused     = errors.New("signapp: the module refused")
	ErrUnavailable = errors.New("signapp: temporarily unavailable")
	ErrClock       = fmt.Errorf("%w: the clocks are in doubt", ErrUnavailable)        // the module's, or this process's against it
	ErrClosed      = fmt.Errorf("%w: the signature module is closed", ErrUnavailable) // until its officers open it
	ErrFull        = errors.New("signapp: storage is full or not writable")
	ErrLink        = errors.New("signapp: the link was used, is expired or is not for this signer")
	ErrPaused      = errors.New("signapp: the signer has refused this client too often")
	ErrTooMany     = errors.New("signapp: too many waiting operations")
	ErrQuota       = errors.New("signapp: the client keeps as much as it may")
)
