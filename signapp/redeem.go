package signapp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

const (
	moduleTimeout = 30 * time.Second // of one call to the module
	firstRetry    = time.Second      // doubled up to maxRetry
	maxRetry      = 5 * time.Minute
)

// noEvidence is the canonical evidence of item kinds that need none.
var noEvidence = []byte("[]")

// Reasons of failed and declined operations: codes for clients. The module's
// own reason stays in its audit log, named by the ref.
const (
	ReasonRefused     = "refused"                // + " ref=<audit record>"
	ReasonUnavailable = "module_unavailable"     // until the approval was worth nothing any more
	ReasonAnswer      = "module_answer"          // signatures or receipt do not fit what was approved
	ReasonTimeStamp   = "time_stamp_unavailable" //
	ReasonValidation  = "validation_data"        // what the level carries could not be had, or a certificate is revoked
	ReasonFinish      = "finish_failed"          // a document could not be completed
	ReasonDeclined    = "declined"               // + ": " + the signer's words, if any
)

// Redeem takes the signer's approval. It is durable before the module hears of
// it, so that after a crash exactly the same bytes are redeemed again (the
// module then answers the same without using the key twice). Redeem returns
// when the signatures are durable, or when the module could not be reached;
// finishing the documents goes on behind. Repeating the same bytes is not an
// error. ErrInput: the approval is not for this operation as it stands;
// ErrState; ErrRefused: the operation has failed.
func (s *Service) Redeem(ctx context.Context, g Grant, sad, proof []byte) (*Operation, error) {
	r, err := s.granted(ctx, g)
	if err != nil {
		return nil, err
	}
	if len(proof) == 0 || len(proof) > sap.MaxProofSize {
		return nil, fmt.Errorf("%w: the proof has %d bytes", ErrInput, len(proof))
	}
	failpoint.Before("ssad/07-assertion-received")
	parsed, err := sap.DecodeSAD(sad)
	if err != nil {
		return nil, fmt.Errorf("%w: the approval cannot be read: %w", ErrInput, err)
	}
	if err := r.checkSAD(parsed); err != nil {
		return nil, err
	}
	failpoint.After("ssad/07-assertion-received")
	failpoint.Before("ssad/08-approval-stored")
	r, err = s.change(ctx, OfSigner(r.signer), r.id, func(tx Tx, r *record) error {
		return s.approve(tx, r, parsed, sad, proof)
	})
	if err != nil {
		return nil, err
	}
	failpoint.After("ssad/08-approval-stored")
	// From here on the caller's going away changes nothing.
	r, err = s.drive(context.WithoutCancel(ctx), r.id, stepRedeem)
	if err != nil {
		return nil, err
	}
	if r.state == StateSigned {
		s.behind(r.id)
	}
	if r.state == StateFailed {
		return nil, fmt.Errorf("%w: %s", ErrRefused, r.progress.Reason)
	}
	return r.operation(), nil
}

// checkSAD compares an approval with the operation. The module decides; this
// keeps a mix-up of tabs from costing the signer a refusal there, and keeps
// results apart from anything but what was prepared.
func (r *record) checkSAD(d *sap.SAD) error {
	if err := r.checkBinding(d.Bind); err != nil {
		return fmt.Errorf("%w: the approval is for something else: %w", ErrInput, err)
	}
	want := sap.Context{Operation: r.id, Asker: r.client.Name, Purpose: r.fixed.Purpose, Level: r.fixed.Level}
	if d.Ctx != want {
		return fmt.Errorf("%w: the approval names another operation, asker, purpose or level", ErrInput)
	}
	for i, it := range d.Items {
		f := r.fixed.Items[i]
		want := f.Prepared.Item(i)
		want.Kind, want.Name = f.Kind, f.Name
		if !sameItem(it, want) {
			return fmt.Errorf("%w: item %d of the approval is not what was prepared", ErrInput, i)
		}
	}
	return nil
}

// approve stores the approval. A repetition of the same bytes changes nothing.
func (s *Service) approve(tx Tx, r *record, parsed *sap.SAD, sad, proof []byte) error {
	if len(r.progress.SAD) != 0 && bytes.Equal(r.progress.SAD, sad) && bytes.Equal(r.progress.Proof, proof) {
		return errUnchanged
	}
	now := s.now()
	switch {
	case !r.waiting():
		return fmt.Errorf("%w: the operation is %s", ErrState, r.state)
	case !now.Before(r.expires):
		return fmt.Errorf("%w: the operation ended %s", ErrExpired, r.expires.Format(time.RFC3339))
	case parsed.Bind.Session != r.progress.Session || parsed.Bind.Key != r.fixed.Key:
		return fmt.Errorf("%w: the approval answers an older request; use the one opened last", ErrState)
	}
	r.state = StateApproved
	r.progress.SAD, r.progress.Proof, r.progress.Attempts = sad, proof, 0
	r.progress.RedeemBy = millis(time.Unix(parsed.Bind.Expires, 0).Add(s.cfg.Retention.Redemption))
	r.due = now
	return nil
}

// redeemStep asks the module. Every end of it is stored before it is told.
func (s *Service) redeemStep(ctx context.Context, r *record) (*record, error) {
	if millis(s.now()) > r.progress.RedeemBy {
		return s.fail(ctx, r, ReasonUnavailable, "")
	}
	mctx, cancel := context.WithTimeout(ctx, moduleTimeout)
	defer cancel()
	failpoint.Hit("ssad/09-sam-request-sent")
	out, err := s.cfg.Module.Redeem(mctx, sapclient.RedeemIn{SAD: r.progress.SAD, Proof: r.progress.Proof, Evidence: noEvidence})
	failpoint.Before("ssad/10-sam-reply-read")
	if ref, no := final(err); no {
		s.log.Info("module refused", "operation", r.id, "ref", ref)
		return s.fail(ctx, r, refused(ref), "")
	}
	if err != nil {
		s.log.Warn("module could not be asked to redeem; will try again", "operation", r.id, "attempt", r.progress.Attempts+1, "error", err)
		return s.later(ctx, r)
	}
	if err = s.checkAnswer(mctx, r, out); errors.Is(err, ErrUnavailable) {
		s.log.Warn("module could not be asked for its keys; will try again", "operation", r.id, "attempt", r.progress.Attempts+1, "error", err)
		return s.later(ctx, r)
	}
	if err != nil {
		// The module repeats the same bytes for the same redemption, so
		// asking again cannot help.
		s.log.Error("module's answer does not fit the approval", "operation", r.id, "error", err)
		return s.fail(ctx, r, ReasonAnswer, err.Error())
	}
	failpoint.After("ssad/10-sam-reply-read")
	return s.change(ctx, Everything(), r.id, func(_ Tx, r *record) error {
		if r.state != StateApproved {
			return errUnchanged
		}
		r.state = StateSigned
		r.progress.Signatures, r.progress.Receipt, r.progress.Attempts = out.Signatures, &out.Receipt, 0
		r.due = s.now()
		return nil
	})
}

// checkAnswer believes the module only what can be verified: each signature
// over the prepared digest by the signer's certificate, and a receipt of
// exactly this approval.
func (s *Service) checkAnswer(ctx context.Context, r *record, out *sapclient.RedeemOut) error {
	if out == nil || len(out.Signatures) != len(r.fixed.Items) {
		return fmt.Errorf("%w: number of signatures", ErrInput)
	}
	cert, err := x509.ParseCertificate(r.fixed.Chain[0])
	if err != nil {
		return err
	}
	for i, it := range r.fixed.Items {
		if err := algo.Verify(cert.PublicKey, it.Prepared.Alg, it.Prepared.DTBSR, out.Signatures[i]); err != nil {
			return fmt.Errorf("signature %d: %w", i, err)
		}
	}
	rec, err := s.openReceipt(ctx, out.Receipt)
	if err != nil {
		return err
	}
	if rec.SAD != sap.B64(r.progress.SAD) || rec.Proof != sap.B64(r.progress.Proof) || len(rec.Items) != len(out.Signatures) {
		return fmt.Errorf("%w: the receipt is of another approval", ErrInput)
	}
	for i, it := range rec.Items {
		if it.I != i || it.Signature != sap.B64(out.Signatures[i]) {
			return fmt.Errorf("%w: the receipt has another signature %d", ErrInput, i)
		}
	}
	return nil
}

// refused is the reason of an operation that the module refused.
func refused(ref string) string {
	if ref == "" {
		return ReasonRefused
	}
	return ReasonRefused + " ref=" + ref
}

func sum256(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}
