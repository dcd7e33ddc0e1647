package workers

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
)

// Worker is one configured processor of one kind. Signing takes two steps with
// a serialisable state between them, because a person may need a day to
// approve and a process may be restarted meanwhile.
type Worker interface {
	// Prepare writes the prepared document to out and returns what has to be
	// signed. It rehearses the whole container before it returns (Rehearser
	// has the part with a throw-away key). ctx bounds it; an error leaves nothing that could be used.
	Prepare(ctx context.Context, in Input, out Output) (*Prepared, error)
	// Finish completes a prepared document in place with the signature value,
	// adds what the level asks and checks the result. A level that cannot be
	// reached is an error, never a lower level. It may be called again with
	// the same arguments after a crash.
	Finish(ctx context.Context, p *Prepared, sig []byte, doc Output) (*Result, error)
}

// Shower is a worker whose signer does not look at the prepared file itself.
type Shower interface {
	// Show writes what the signer's app shows and hashes: exactly the Prepared.ShownSize octets
	// whose digest is Prepared.DocDigest; of several data objects one after the other. doc is the prepared file.
	Show(ctx context.Context, p *Prepared, doc io.ReaderAt, out io.Writer) error
}

// Validator is a worker that judges signed documents.
type Validator interface {
	// Validate answers a report in JSON, whatever the verdict. ErrInput is about a file
	// that is no document of a kind that it knows, or is over a limit. parts are identifiers of the elements of
	// XML that the caller goes by; beside are the files that a detached signature can name.
	Validate(ctx context.Context, name string, doc io.ReaderAt, size int64, parts []string, beside ...Beside) (report []byte, err error)
}

// Beside is a file that stands beside a detached signature.
type Beside struct {
	Name string // as the signature has it
	io.ReaderAt
	Size int64 // bytes
}

// Input is a document and what is to be done with it.
type Input struct {
	Document io.ReaderAt
	Size     int64
	Name     string            // file name, for messages and for the signer
	Chain    [][]byte          // signer's certificate chain, DER, leaf first
	Alg      algo.Algorithm    // signature algorithm
	Level    string            // "" for the worker's default
	Time     time.Time         // claimed signing time
	Params   map[string]string // per request, checked by the worker: reason, location, field
	Policy   string            // activation policy that the signer will be asked under; "": the module's default

	// AtOnce says that the value is made at once, without anybody being asked, and that Finish follows with the very Prepared
	// that Prepare returned. What Finish checks of the whole message need not be rehearsed then, and no state is written
	// down. SignNow sets it; nobody who stores a Prepared may.
	AtOnce bool

	// More are files that the one signature is over too, behind Document and in this order. A worker that makes no signature over
	// several files refuses them (Alone).
	More []Beside
}

// Alone refuses several files, for workers whose signatures are over one. ErrInput.
func (in Input) Alone() error {
	if len(in.More) > 0 {
		return fmt.Errorf("%w: %d files for one signature; only XAdES with signature_packaging DETACHED is over several; sign each by an item of its own", ErrInput, 1+len(in.More))
	}
	return nil
}

// Output is where a document is written: a file.
type Output interface {
	io.ReaderAt
	io.WriterAt
	io.Writer
	Sync() error
}

// Prepared is the state between the two steps. It is plain data (JSON).
type Prepared struct {
	Worker    string         `json:"worker"`
	Kind      string         `json:"kind"` // sap item kind: pades, raw
	Name      string         `json:"name"`
	Level     string         `json:"level"`
	Alg       algo.Algorithm `json:"alg"`
	HashName  string         `json:"hash"`
	DocDigest []byte         `json:"doc_digest"` // as the kind defines it; nil for raw
	DTBSR     []byte         `json:"dtbsr"`      // what the key signs
	Chain     [][]byte       `json:"chain"`
	State     []byte         `json:"state"`                // the kind's own, JSON; nil with AtOnce
	XAdES     *sap.XAdES     `json:"xades,omitempty"`      // of kind xades: what is signed besides the document
	ShownSize int64          `json:"shown_size,omitempty"` // of a Shower: octets that it shows

	// Live is, with AtOnce, what State would say. It is never stored.
	Live any `json:"-"`

	// ShownSizes are, of several data objects, the octets of each, in their order; ShownSize is their sum.
	ShownSizes []int64 `json:"shown_sizes,omitempty"`
}

// Item is what the signer is asked to approve, as the protocol has it.
func (p *Prepared) Item(i int) sap.Item {
	it := sap.Item{I: i, Kind: p.Kind, Name: p.Name, Hash: p.HashName, DTBSR: sap.B64(p.DTBSR), XAdES: p.XAdES}
	if p.Kind != sap.KindRaw {
		it.Doc = sap.B64(p.DocDigest)
	}
	return it
}

// Result describes a finished document.
type Result struct {
	Level     string    `json:"level"`
	Size      int64     `json:"size"`
	MIME      string    `json:"mime"`
	TimeStamp time.Time `json:"time_stamp,omitzero"` // genTime of the signature time-stamp, if any
}

// Stamper obtains an RFC 3161 time-stamp token over a digest. It returns only
// tokens that passed every check.
type Stamper interface {
	Stamp(ctx context.Context, h crypto.Hash, imprint []byte) (token []byte, at time.Time, err error)
}

// Errors of workers; each kind wraps them with what it found.
var (
	ErrInput      = errors.New("workers: the document cannot be signed")
	ErrHazard     = errors.New("workers: the document holds what may not be signed")
	ErrParams     = errors.New("workers: a parameter is not allowed")
	ErrLevel      = errors.New("workers: the level cannot be reached")
	ErrSignature  = errors.New("workers: the signature value is wrong")
	ErrTimeStamp  = errors.New("workers: no valid time-stamp could be had")
	ErrValidation = errors.New("workers: the validation data for the level cannot be had")
	ErrRevoked    = errors.New("workers: a certificate is revoked")
	ErrRehearsal  = errors.New("workers: the rehearsed container does not validate")
	ErrState      = errors.New("workers: the prepared state does not fit the document")
	ErrNotFound   = errors.New("workers: no such worker")
	ErrConfig     = errors.New("workers: configuration is wrong")
	ErrNeedSigner = errors.New("workers: this worker's token signs only with a signer's approval")
)
