// Package cheats tries what an attacker tries who has taken over ssad: code,
// data and its certificate. Each cheat talks straight to samd over mTLS, is to be
// refused with its own audited reason, and may not use any signer's key. The
// module counts key uses itself; they are compared before and after.
package cheats

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"time"

	"github.com/assent-sign/assent/cmd/assent/internal/caller"
	"github.com/assent-sign/assent/cmd/assent/internal/sample"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/device"
	"github.com/assent-sign/assent/sap/sapclient"
)

// What samd did wrong.
var (
	ErrNotRefused = errors.New("cheats: samd did not refuse")
	ErrRetry      = errors.New("cheats: the same approval sent again is not answered as at first")
)

// Party is a signer of the demo.
type Party struct {
	ID     string
	Key    string   // credential
	Chain  [][]byte // of the credential
	Device *device.Software
}

// Lab is where cheats are tried: a running samd, the attacker's connection, the
// officer who looks up reasons, two signers.
type Lab struct {
	SSPU, Officer, RA *caller.Client
	Anna, Bob         Party
	Login             *device.Software // stands for Anna's login passkey: other key, other origin
	AppOrigin         string
	BriefPolicy       string // an activation policy with a very short life
	RawPolicy         string // one under which raw digests may be signed

	prepared []byte
	spent    *approval // an approval that was redeemed at the start, legitimately
	late     *approval // one that is tried when its time is over

	shots int    // calls of the cheat under way that are to be refused
	used  uint64 // key uses during them
}

// approval is a SAD with what belongs to it.
type approval struct {
	sad   *sap.SAD
	text  []byte
	proof []byte
}

// Result is how one cheat went.
type Result struct {
	Name   string `json:"name"`
	Want   string `json:"want"`
	Got    string `json:"got"`
	Ref    string `json:"ref"`
	Uses   uint64 `json:"key_uses"` // made by the cheat
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Cheat is one attempt. Run returns samd's answer.
type Cheat struct {
	Name string
	Want sap.Reason
	Run  func(context.Context, *Lab) error
}

// PrepareDocument makes the prepared PDF that approvals are about.
func (l *Lab) PrepareDocument(ctx context.Context) error {
	in := sample.Contract()
	var out bytes.Buffer
	_, err := pdf.Prepare(ctx, bytes.NewReader(in), int64(len(in)), &out, pdf.SignOptions{Time: time.Now(), Hash: crypto.SHA256, Reserve: 8 << 10})
	if err != nil {
		return err
	}
	l.prepared = out.Bytes()
	return nil
}

// Prepare makes what the cheats share: the document, an approval that will be
// late, and one that is used up.
func (l *Lab) Prepare(ctx context.Context) error {
	err := l.PrepareDocument(ctx)
	if err != nil {
		return err
	}
	if l.late, err = l.approve(ctx, sapclient.ActivationRequestIn{Policy: l.BriefPolicy}, nil); err != nil {
		return err
	}
	if l.spent, err = l.approve(ctx, sapclient.ActivationRequestIn{}, nil); err != nil {
		return err
	}
	return l.redeem(ctx, l.spent.text, l.spent.proof)
}

// RunAll tries every cheat.
func (l *Lab) RunAll(ctx context.Context, list []Cheat) ([]Result, error) {
	var out []Result
	for _, c := range list {
		r, err := l.try(ctx, c)
		if err != nil {
			return out, fmt.Errorf("%s: %w", c.Name, err)
		}
		out = append(out, r)
	}
	return out, nil
}

func (l *Lab) try(ctx context.Context, c Cheat) (Result, error) {
	r := Result{Name: c.Name, Want: string(c.Want)}
	l.shots, l.used = 0, 0
	answer := c.Run(ctx, l)
	r.Uses = l.used
	var refusal *caller.Refusal
	switch {
	case answer == nil:
		r.Got = "NOT REFUSED"
		return r, nil
	case !errors.As(answer, &refusal):
		r.Got, r.Detail = "no answer of samd", answer.Error()
		return r, nil
	}
	r.Ref = refusal.Body.Ref
	rec, err := l.explain(ctx, refusal)
	if err != nil {
		return r, err
	}
	r.Got, r.Detail = rec.Reason, rec.Data
	r.OK = rec.Outcome == "refused" && l.shots == 1 && r.Uses == 0 && sap.Reason(rec.Reason) == c.Want
	return r, nil
}

// explain looks up the audit record that a refusal names. A refusal that names
// none left no trace, which is itself a failure (I8).
func (l *Lab) explain(ctx context.Context, r *caller.Refusal) (*sapclient.AuditRecord, error) {
	if r.Body.Ref == "" {
		return &sapclient.AuditRecord{Reason: "(no audit record: " + r.Body.Code + ")"}, nil
	}
	rec := &sapclient.AuditRecord{}
	return rec, l.Officer.Get(ctx, sapclient.PathExplain, url.Values{"ref": {r.Body.Ref}}, rec)
}

func (l *Lab) uses(ctx context.Context) (uint64, error) {
	var st sapclient.Status
	err := l.Officer.Get(ctx, sapclient.PathStatus, nil, &st)
	return st.KeyUses, err
}

// shoot makes the call that is to be refused and counts the module's key uses
// during it. What leads up to it (samd signs every activation request with its
// own statement key) is not counted.
func (l *Lab) shoot(ctx context.Context, call func() error) error {
	before, err := l.uses(ctx)
	if err != nil {
		return err
	}
	answer := call()
	after, err := l.uses(ctx)
	if err != nil {
		return err
	}
	l.shots++
	l.used += after - before
	return answer
}

// request gets an activation request for Anna's key, as ssad does.
func (l *Lab) request(ctx context.Context, in sapclient.ActivationRequestIn) (sap.Signed, error) {
	if in.Signer == "" {
		in.Signer, in.Key = l.Anna.ID, l.Anna.Key
	}
	var out sapclient.ActivationRequestOut
	err := l.SSPU.Post(ctx, sapclient.PathRequest, in, &out)
	return out.Request, err
}

// approve has Anna's device make a genuine approval, after edit has changed the
// SAD in a way that a careless device would not notice.
func (l *Lab) approve(ctx context.Context, in sapclient.ActivationRequestIn, edit func(*sap.SAD) error) (*approval, error) {
	if in.N == 0 {
		in.N = 1
	}
	req, err := l.request(ctx, in)
	if err != nil {
		return nil, err
	}
	offer := device.Offer{Request: req, Chain: l.Anna.Chain, Ctx: sap.Context{Operation: "evil", Asker: "Evil ssad", Purpose: "cheat", Level: "B-B"}}
	doc := device.OfferItem{Kind: sap.KindPAdES, Name: "contract.pdf", Document: bytes.NewReader(l.prepared), Size: int64(len(l.prepared))}
	if doc.DTBSR, err = l.claim(ctx); err != nil {
		return nil, err
	}
	offer.Items = []device.OfferItem{doc}
	a := &approval{}
	if a.sad, err = l.Anna.Device.Compose(ctx, offer); err != nil {
		return nil, err
	}
	if edit != nil {
		if err := edit(a.sad); err != nil {
			return nil, err
		}
	}
	if a.text, err = a.sad.Encode(); err != nil {
		return nil, err
	}
	a.proof, err = l.Anna.Device.Assert(a.sad, a.text)
	return a, err
}

// claim is the DTBS/R that a truthful ssad would name for the prepared document.
func (l *Lab) claim(ctx context.Context) ([]byte, error) {
	it, err := l.item(ctx, 0, l.prepared)
	if err != nil {
		return nil, err
	}
	return sap.UnB64(it.DTBSR)
}

// item composes an item over a prepared document with Anna's certificate.
func (l *Lab) item(ctx context.Context, i int, prepared []byte) (sap.Item, error) {
	hole, err := pdf.ReadPrepared(bytes.NewReader(prepared), int64(len(prepared)))
	if err != nil {
		return sap.Item{}, err
	}
	digest, err := pdf.HashRange(ctx, bytes.NewReader(prepared), hole.ByteRange, crypto.SHA256)
	if err != nil {
		return sap.Item{}, err
	}
	return sap.NewPAdESItem(i, "contract.pdf", algo.ES256, digest, l.Anna.Chain[0])
}

// redeem hands an approval to samd.
func (l *Lab) redeem(ctx context.Context, text, proof []byte) error {
	_, err := l.redeemed(ctx, text, proof)
	return err
}

func (l *Lab) redeemed(ctx context.Context, text, proof []byte) (*sapclient.RedeemOut, error) {
	out := &sapclient.RedeemOut{}
	return out, l.shoot(ctx, func() error {
		return l.SSPU.Post(ctx, sapclient.PathRedeem, sapclient.RedeemIn{SAD: text, Proof: proof, Evidence: []byte("[]")}, out)
	})
}

// Retry proves the other side of "used twice": the byte-identical approval gets
// the byte-identical answer, and no key is used for it again. The first call
// uses two keys, the signer's and the one that signs the receipt.
func (l *Lab) Retry(ctx context.Context) error {
	a, err := l.approve(ctx, sapclient.ActivationRequestIn{}, nil)
	if err != nil {
		return err
	}
	l.used = 0
	first, err := l.redeemed(ctx, a.text, a.proof)
	if err != nil {
		return err
	}
	if l.used != 2 {
		return fmt.Errorf("%w: %d key uses for one signature and its receipt", ErrRetry, l.used)
	}
	second, err := l.redeemed(ctx, a.text, a.proof)
	if err != nil {
		return err
	}
	if l.used != 2 {
		return fmt.Errorf("%w: %d further key uses", ErrRetry, l.used-2)
	}
	if len(first.Signatures) != 1 || len(second.Signatures) != 1 || !bytes.Equal(first.Signatures[0], second.Signatures[0]) || !reflect.DeepEqual(first.Receipt, second.Receipt) {
		return fmt.Errorf("%w: another answer", ErrRetry)
	}
	return nil
}
