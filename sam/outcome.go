package sam

import (
	"context"
	"encoding/base64"
	"fmt"
	"runtime"
	"slices"

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

	// Room that every group uses again, an entry for each outcome of it.
	packed, receipts [][]byte
	stored           []byte
}

type outcome struct {
	act    *activation
	sigs   [][]byte
	answer []byte
	err    error
	done   chan struct{}
}

// maxOutcomes bounds a group; linger is how often the recorder gives way before
// it commits under load.
const (
	maxOutcomes = 128
	linger      = 8
	keepRoom    = 64 << 10
)

func newOutcomes(m *Module) *outcomes {
	return &outcomes{m: m, in: make(chan *outcome, maxOutcomes), packed: make([][]byte, maxOutcomes), receipts: make([][]byte, maxOutcomes)}
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
	last := 0 // size of the group before
	for {
		var group []*outcome
		select {
		case <-stop:
			return
		case f := <-o.in:
			group = o.fill(append(group, f))
		}
		// Under load others are about to come, as at the writer of the database.
		for range linger {
			if last <= 1 || len(group) >= maxOutcomes {
				break
			}
			runtime.Gosched()
			group = o.fill(group)
		}
		last = len(group)
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

// fill takes what waits already.
func (o *outcomes) fill(group []*outcome) []*outcome {
	for len(group) < maxOutcomes {
		select {
		case f := <-o.in:
			group = append(group, f)
		default:
			return group
		}
	}
	return group
}

// commit writes a group: for each the outcome record and the receipt, then one
// signature over all receipts, then the stored answers. All or nothing.
func (o *outcomes) commit(group []*outcome) error {
	m := o.m
	failpoint.Before("samd/37-outcome-committed")
	defer failpoint.After("samd/37-outcome-committed")
	return m.update(context.Background(), self(), func(w *work) error {
		packed, receipts := o.room(len(group))
		sessions := make([]*Activation, len(group))
		for i, f := range group {
			var err error
			if sessions[i], packed[i], err = w.outcome(f, packed[i][:0]); err != nil {
				return err
			}
			if receipts[i], err = unpack(receipts[i][:0], packed[i], f.act.red.given()); err != nil {
				return err
			}
		}
		tree := sap.NewReceiptTree(receipts)
		failpoint.Before("samd/29-receipts-signed")
		key := m.key()
		sig, err := sap.Sign(key, sap.LabelReceiptRoot, tree.Root())
		if err != nil {
			return fmt.Errorf("%w: statement key: %w", sap.ReasonToken, err)
		}
		failpoint.After("samd/29-receipts-signed")
		for i, f := range group {
			s := sessions[i]
			o.stored = packAnswer(o.stored[:0], f.sigs, packed[i], tree.Path(i), i, len(group), sig, key.id)
			known := unpacker{nested: receipts[i]}
			if f.answer, err = known.unpack(make([]byte, 0, 2*(len(o.stored)-len(packed[i]))+base64.RawURLEncoding.EncodedLen(len(receipts[i]))), o.stored, packDepth); err != nil {
				return err
			}
			s.Answer = o.stored // until it is written
			w.stamp(s, s.Seq)
			if err := w.Activations.Update(s); err != nil {
				return err
			}
		}
		return nil
	})
}

// room gives what the group before left, but nothing that a large batch has made
// large.
func (o *outcomes) room(n int) (packed, receipts [][]byte) {
	for i := range o.packed {
		if cap(o.packed[i])+cap(o.receipts[i]) > keepRoom {
			o.packed[i], o.receipts[i] = nil, nil
		}
	}
	if cap(o.stored) > keepRoom {
		o.stored = nil
	}
	return o.packed[:n], o.receipts[:n]
}

// outcome appends the record of one finished activation and composes its
// receipt, packed, from the start of out. The session's seal is made later, over
// the answer.
func (w *work) outcome(f *outcome, out []byte) (*Activation, []byte, error) {
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
	return &s, r.packReceipt(out, rec, f.sigs), nil
}

func signaturesHash(sigs [][]byte) []byte { return digestsHash("signatures", sigs) }

// packAnswer appends the JSON of sapclient.RedeemOut. It is composed by hand because
// it is stored and repeated byte by byte; every string in it is base64.
func packAnswer(out []byte, sigs [][]byte, receipt []byte, path [][]byte, index, size int, sig []byte, key string) []byte {
	p := newPacker(slices.Grow(out, len(receipt)+len(sigs)*128+len(path)*48+512))
	p.lit(`{"signatures":[`)
	for i, s := range sigs {
		if i > 0 {
			p.lit(`,`)
		}
		p.lit(`"`)
		p.octets(packStd, s)
		p.lit(`"`)
	}
	p.lit(`],"receipt":{"receipt":"`)
	p.octets(packNested, receipt)
	p.lit(`","path":[`)
	for i, s := range path {
		if i > 0 {
			p.lit(`,`)
		}
		p.lit(`"`)
		p.octets(packURL, s)
		p.lit(`"`)
	}
	p.lit(`],"index":`)
	p.int(int64(index))
	p.lit(`,"size":`)
	p.int(int64(size))
	p.lit(`,"signature":"`)
	p.octets(packURL, sig)
	p.lit(`","key":"` + key + `"}}`)
	return p.done()
}

// storedAnswer is the answer that a consumed session keeps, with what its repetition
// brought again. Installations of before it was packed have it as it went out: JSON,
// which begins with a brace.
func storedAnswer(a *Activation, g given) ([]byte, error) {
	if len(a.Answer) > 0 && a.Answer[0] == '{' {
		return a.Answer, nil
	}
	return unpack(make([]byte, 0, 3*len(a.Answer)), a.Answer, g)
}

// given is what r brought. The session's redemption names these very octets
// (sap.RedemptionID).
func (r *redemption) given() given { return given{givenSAD: r.sadText, givenProof: r.proofText} }
