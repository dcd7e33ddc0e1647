package signapp

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// record is an operation with all that the application needs to take it up
// again after a crash. Its two JSON parts are stored in one row.
type record struct {
	id     string
	client Client
	signer string
	state  State
	due    time.Time

	created, expires time.Time
	fixed            fixedPart
	progress         progressPart
}

// fixedPart is stored by Create and never again. For an operation with a one-time key,
// key, certificate and preparation come later (progressPart.Made).
type fixedPart struct {
	ClientName string      `json:"client_name"`
	SignerName string      `json:"signer_name"` // as the certificate has it
	Key        string      `json:"key"`
	Alg        string      `json:"alg"`
	Level      string      `json:"level"`
	Policy     string      `json:"policy,omitempty"` // the only one that the module uses the key under
	Purpose    string      `json:"purpose"`
	ReturnURL  string      `json:"return_url,omitempty"`
	Chain      [][]byte    `json:"chain"`
	Items      []fixedItem `json:"items"`
	Once       *oncePart   `json:"once,omitempty"`
}

type fixedItem struct {
	Name     string            `json:"name"`
	Kind     string            `json:"kind"`
	Worker   string            `json:"worker,omitempty"`
	Size     int64             `json:"size"`
	More     []string          `json:"more,omitempty"` // names of further files
	Prepared *workers.Prepared `json:"prepared"`       // without the chain, which is the operation's
}

// progressPart is what happened since.
type progressPart struct {
	Reason     string             `json:"reason,omitempty"`
	Detail     string             `json:"detail,omitempty"`  // for the operator
	Session    string             `json:"session,omitempty"` // sid of the activation request that counts
	Offer      []byte             `json:"offer,omitempty"`   // SHA-256 of the offer of a one-time key that counts
	Asked      string             `json:"asked,omitempty"`   // the one-time key that the module was asked to make, as long as what became of it is not stored
	Made       *madeKey           `json:"made,omitempty"`    // the one-time key
	SAD        []byte             `json:"sad,omitempty"`
	Proof      []byte             `json:"proof,omitempty"`
	RedeemBy   int64              `json:"redeem_by,omitempty"` // Unix milliseconds; after it, redemption is given up
	Signatures [][]byte           `json:"signatures,omitempty"`
	Receipt    *sap.SignedReceipt `json:"receipt,omitempty"`
	Results    []*workers.Result  `json:"results,omitempty"`
	Attempts   int                `json:"attempts,omitempty"` // of the present step
	Ended      int64              `json:"ended,omitempty"`    // Unix milliseconds
	FilesGone  bool               `json:"files_gone,omitempty"`
	Withdrawn  bool               `json:"withdrawn,omitempty"` // the client had the signed documents deleted: they are the signer's alone
	Bytes      int64              `json:"bytes,omitempty"`     // of its files on disk, counted in blocks; while it has some
	Stopped    string             `json:"stopped,omitempty"`   // why the signer's device refused to go on, see Stopped
	Stops      int                `json:"stops,omitempty"`     // how often that changed
}

func (r *record) row() (OperationRow, error) {
	fixed, err := json.Marshal(r.fixed)
	if err != nil {
		return OperationRow{}, fmt.Errorf("signapp: encode operation: %w", err)
	}
	progress, err := json.Marshal(r.progress)
	if err != nil {
		return OperationRow{}, fmt.Errorf("signapp: encode operation: %w", err)
	}
	files := r.progress.Bytes
	if !r.keepsFiles() {
		files = 0
	}
	return OperationRow{
		ID: r.id, Client: r.client.ID, Signer: r.signer, State: r.state,
		Created: millis(r.created), Expires: millis(r.expires), Due: millis(r.due),
		Fixed: fixed, Progress: progress, Files: files,
	}, nil
}

func fromRow(row *OperationRow) (*record, error) {
	r := &record{
		id: row.ID, client: Client{ID: row.Client}, signer: row.Signer, state: row.State,
		created: fromMillis(row.Created), expires: fromMillis(row.Expires), due: fromMillis(row.Due),
	}
	if err := json.Unmarshal(row.Fixed, &r.fixed); err != nil {
		return nil, fmt.Errorf("signapp: operation %s is damaged: %w", row.ID, err)
	}
	if err := json.Unmarshal(row.Progress, &r.progress); err != nil {
		return nil, fmt.Errorf("signapp: operation %s is damaged: %w", row.ID, err)
	}
	r.client.Name = r.fixed.ClientName
	if r.progress.Made != nil {
		r.adopt(r.progress.Made)
	}
	for i := range r.fixed.Items {
		if p := r.fixed.Items[i].Prepared; p != nil {
			p.Chain = r.fixed.Chain
		}
	}
	return r, nil
}

// operation is the record as callers may see it.
func (r *record) operation() *Operation {
	op := &Operation{
		ID: r.id, Client: r.client, Signer: r.signer, Key: r.fixed.Key, Alg: r.fixed.Alg,
		Level: r.fixed.Level, Purpose: r.fixed.Purpose, State: r.state, Reason: r.progress.Reason,
		Signatures: r.progress.Signatures, Receipt: r.progress.Receipt, ReturnURL: r.fixed.ReturnURL,
		Created: r.created, Expires: r.expires, Stopped: r.progress.Stopped,
	}
	for i, it := range r.fixed.Items {
		o := Item{Name: it.Name, Kind: it.Kind, Worker: it.Worker, Size: it.Size, Prepared: it.Prepared, More: it.More}
		if r.state == StateFinished && i < len(r.progress.Results) {
			o.Result = r.progress.Results[i]
		}
		op.Items = append(op.Items, o)
	}
	return op
}

func getRecord(tx Tx, s Scope, id string) (*record, error) {
	row, err := tx.Operations().Get(s, id)
	if err != nil {
		return nil, err
	}
	return fromRow(row)
}

func putRecord(tx Tx, r *record) error {
	row, err := r.row()
	if err != nil {
		return err
	}
	return tx.Operations().Put(row)
}
