package sam

import (
	"context"
	"fmt"
	"strconv"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
)

// outcomes records finished activations: all that wait go into one transaction
// and share one signature of the module over the tree of their receipts. An
// answer leaves only after the commit that holds it is durable.
type outcomes struct {
	m  *Module
	in chan *outcome
}

type outcome struct {
	act    *activation
	sigs   [][]byte
	answer []byte
	err    error
	done   chan struct{}
}

// maxOutcomes bounds a group.
const maxOutcomes = 128

func newOutcomes(m *Module) *outcomes {
	return &outcomes{m: m, in: make(chan *outcome, maxOutcomes)}
}

// record waits until the outcome is durable and returns the answer.
func (o *outcomes) record(act *activation, sigs [][]byte) ([]byte, error) {
	f := &outcome{act: act, sigs: sigs, done: make(chan struct{})}
	select {
	case o.in <- f:
	case <-o.m.stop:
		return nil, fmt.Errorf("%w: %w", sap.ReasonStore, errAbandoned)
	}
	select {
	case <-f.done:
		return f.answer, f.err
	case <-o.m.stop:
		return nil, fmt.Errorf("%w: %w", sap.ReasonStore, errAbandoned)
	}
}

func (o *outcomes) run(stop <-chan struct{}) {
	for {
		var group []*outcome
		select {
		case <-stop:
			return
		case f := <-o.in:
			group = append(group, f)
		}
	fill:
		for len(group) < maxOutcomes {
			select {
			case f := <-o.in:
				group = append(group, f)
			default:
				break fill
			}
		}
		if err := o.commit(group); err != nil && len(group) > 1 {
			// One that cannot be recorded must not take the others with it.
			for _, f := range group {
				f.err = o.commit([]*outcome{f})
			}
		} else if err != nil {
			group[0].err = err
		}
		for _, f := range group {
			close(f.done)
		}
	}
}

// commit writes a group: for each the outcome record and the receipt, then one
// signature over all receipts, then the stored answers. All or nothing.
func (o *outcomes) commit(group []*outcome) error {
	m := o.m
	failpoint.Before("samd/37-outcome-committed")
	defer failpoint.After("samd/37-outcome-committed")
	return m.update(context.Background(), self(), func(w *work) error {
		receipts := make([][]byte, len(group))
		sessions := make([]*Activation, len(group))
		for i, f := range group {
			var err error
			if sessions[i], receipts[i], err = w.outcome(f); err != nil {
				return err
			}
		}
		tree := sap.NewReceiptTree(receipts)
		failpoint.Before("samd/29-receipts-signed")
		sig, err := sap.Sign(m.statement, sap.LabelReceiptRoot, tree.Root())
		if err != nil {
			return fmt.Errorf("%w: statement key: %w", sap.ReasonToken, err)
		}
		failpoint.After("samd/29-receipts-signed")
		for i, f := range group {
			f.answer = encodeAnswer(f.sigs, receipts[i], tree.Path(i), i, len(group), sap.B64(sig), m.keyID)
			s := sessions[i]
			s.Answer = f.answer
			w.stamp(s, s.Seq)
			if err := w.Activations.Update(s); err != nil {
				return err
			}
		}
		return nil
	})
}

// outcome appends the record of one finished activation and composes its
// receipt. The session's seal is made later, over the answer.
func (w *work) outcome(f *outcome) (*Activation, []byte, error) {
	r, s := f.act.red, *f.act.session
	w.caller = r.caller
	failpoint.Before("samd/36-outcome-audit-written")
	rec, err := w.record(EventSigned, audit.OK, "", audit.Data{
		"obj": s.object(), "signer": s.Signer, "key": r.held.cred.Key, "cert": b64(r.held.cred.CertHash),
		"n": len(f.sigs), "digests": b64(s.Digests), "signatures": b64(signaturesHash(f.sigs)),
	})
	if err != nil {
		return nil, nil, err
	}
	failpoint.After("samd/36-outcome-audit-written")
	s.State, s.Updated, s.Seq = ActConsumed, w.now.Unix(), rec.Seq
	return &s, r.receiptText(rec, f.sigs), nil
}

func signaturesHash(sigs [][]byte) []byte { return digestsHash("signatures", sigs) }

// encodeAnswer is the JSON of sapclient.RedeemOut. It is composed by hand because
// it is stored and repeated byte by byte; every string in it is base64.
func encodeAnswer(sigs [][]byte, receipt []byte, path [][]byte, index, size int, sig, key string) []byte {
	out := make([]byte, 0, len(receipt)*4/3+len(sigs)*128+len(path)*48+512)
	out = append(out, `{"signatures":[`...)
	for i, s := range sigs {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = appendStdB64(out, s)
		out = append(out, '"')
	}
	out = append(out, `],"receipt":{"receipt":"`...)
	out = appendB64(out, receipt)
	out = append(out, `","path":[`...)
	for i, p := range path {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = appendB64(out, p)
		out = append(out, '"')
	}
	out = append(out, `],"index":`...)
	out = strconv.AppendInt(out, int64(index), 10)
	out = append(out, `,"size":`...)
	out = strconv.AppendInt(out, int64(size), 10)
	out = append(out, `,"signature":"`...)
	out = append(out, sig...)
	out = append(out, `","key":"`...)
	out = append(out, key...)
	return append(out, `"}}`...)
}
