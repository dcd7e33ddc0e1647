package samrpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap/sapclient"
)

// evil is a signing application in the hands of an attacker: its client
// certificate and therefore all its rights, everything that has ever passed
// through it, two signers who approve honestly, and a signing application of
// another module where the same people have the same passkeys.
type evil struct {
	*rig
	t         *testing.T
	web       *http.Client
	alice     *samtest.Signer
	bob       *samtest.Signer
	spent     sapclient.RedeemIn // alice's, redeemed long ago
	answer    []byte             // of it
	open      sapclient.RedeemIn // alice's, seen by the attacker before it was redeemed
	other     sapclient.RedeemIn // bob's, open too
	elsewhere sapclient.RedeemIn // alice's, genuine, for the other module
	tries     int
	kinds     map[string]int
}

func newEvil(t *testing.T) *evil {
	t.Helper()
	generous := func(c *sam.Config) { c.LockoutLimit, c.OpenSessions, c.WrongCodes = 1<<30, 1<<20, 1<<30 }
	e := &evil{rig: newRig(t, generous), t: t, kinds: map[string]int{}}
	e.web = &http.Client{Transport: &http.Transport{TLSClientConfig: e.tls(samtest.SSPU.Identity, "sspu")}}
	e.alice, e.bob = e.NewSigner("alice", algo.P256), e.NewSigner("bob", algo.P256)
	e.spent = e.approve(e.World, e.alice)
	status, answer := e.post(sapclient.PathRedeem, body(t, e.spent))
	if status != http.StatusOK {
		t.Fatalf("honest redemption: %d %s", status, answer)
	}
	e.answer = answer
	e.open, e.other = e.approve(e.World, e.alice), e.approve(e.World, e.bob)
	there := samtest.New(t, generous, func(c *sam.Config) { c.Cluster = "elsewhere" })
	twin := &samtest.Signer{ID: e.alice.ID, Device: e.alice.Device}
	there.Enrol(twin)
	there.NewKey(twin, algo.P256)
	e.elsewhere = e.approve(there, twin)
	return e
}

// approve is a signer's honest approval of two documents.
func (e *evil) approve(w *samtest.World, s *samtest.Signer) sapclient.RedeemIn {
	sad, proof := w.Approve(s, 2)
	return sapclient.RedeemIn{SAD: sad, Proof: proof, Evidence: []byte("[]")}
}

func body(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (e *evil) send(req *http.Request) (int, []byte) {
	e.t.Helper()
	res, err := e.web.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		e.t.Fatal(err)
	}
	return res.StatusCode, out
}

func (e *evil) request(method, path string, text []byte) *http.Request {
	e.t.Helper()
	req, err := http.NewRequest(method, e.url+path, bytes.NewReader(text))
	if err != nil {
		e.t.Fatal(err)
	}
	return req
}

func (e *evil) post(path string, text []byte) (int, []byte) {
	e.t.Helper()
	return e.send(e.request("POST", path, text))
}

// try sends what must not succeed: it is refused without a key use, and when it
// reached the module there is one more record with a reason.
func (e *evil) try(kind, what string, req *http.Request) {
	e.t.Helper()
	e.tries++
	e.kinds[kind]++
	uses, before := e.Token.Uses(), e.last().Seq
	status, out := e.send(req)
	if status < 400 {
		e.t.Errorf("%s: %s: status %d %s", kind, what, status, out)
	}
	if n := e.Token.Uses() - uses; n != 0 {
		e.t.Errorf("%s: %s: %d key uses", kind, what, n)
	}
	var answer sapclient.ErrorBody
	if err := json.Unmarshal(out, &answer); err != nil {
		e.t.Errorf("%s: %s: answer %q", kind, what, out)
	}
	if answer.Ref == "" {
		return // refused before the module: no record is promised
	}
	if last := e.last(); last.Seq != before+1 || last.Outcome == audit.OK || last.Reason == "" || answer.Ref != fmt.Sprint(last.Seq) {
		e.t.Errorf("%s: %s: ref %s, record %+v", kind, what, answer.Ref, last)
	}
}

func (e *evil) last() (r audit.Record) {
	e.t.Helper()
	err := e.Store.View(context.Background(), func(tx *sam.Tx) error {
		head, err := tx.Audit.Last()
		if err != nil {
			return err
		}
		page, err := tx.Audit.Page(head.Seq, 1)
		if err == nil {
			r = page[0]
		}
		return err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return r
}

func (e *evil) redeem(kind, what string, in sapclient.RedeemIn) {
	e.t.Helper()
	if in.Evidence == nil {
		in.Evidence = []byte("[]")
	}
	e.try(kind, what, e.request("POST", sapclient.PathRedeem, body(e.t, in)))
}

// PRV-04, ROL-05, SAP-01, SAP-03, SAP-04, IAM-05, SGN-05: whoever has the signing
// application's certificate, its code and all its past traffic gets no signature:
// more than 300 forged, edited, reordered, replayed, cross-signer and
// cross-cluster requests, and pages of its own, reach the token not once. Then the
// two approvals that the attacker held in its hands all the time still work, once
// each: they were refused for what was done to them.
func TestPRV04EvilSSADGetsNoSignature(t *testing.T) {
	e := newEvil(t)
	uses := e.Token.Uses()
	for _, attack := range []func(*evil){
		(*evil).editedSADs, (*evil).editedProofs, (*evil).recombined, (*evil).replayed, (*evil).forged,
		(*evil).ownPages, (*evil).otherModule, (*evil).officersWork, (*evil).enrolments, (*evil).passkeys, (*evil).spellings,
	} {
		attack(e)
	}
	if n := e.Token.Uses() - uses; n != 0 {
		t.Fatalf("%d key uses", n)
	}
	if e.tries < 300 {
		t.Errorf("only %d attempts", e.tries)
	}
	for _, in := range []sapclient.RedeemIn{e.open, e.other} {
		if status, out := e.post(sapclient.PathRedeem, body(t, in)); status != http.StatusOK {
			t.Errorf("the genuine approval: %d %s", status, out)
		}
	}
	if n := e.Token.Uses() - uses; n != 2 {
		t.Errorf("%d key uses for two genuine approvals", n)
	}
	e.Check()
	for _, kind := range slices.Sorted(maps.Keys(e.kinds)) {
		t.Logf("%4d %s", e.kinds[kind], kind)
	}
	t.Logf("%4d attempts, 0 key uses", e.tries)
}

// SAP-03, BLK-03: alice is asked 64 times for one approval and 64 valid proofs
// race: one of them wins, the key is used once.
func TestSAP03ManyProofsOfOneApprovalSpendItOnce(t *testing.T) {
	r := newRig(t, func(c *sam.Config) { c.Clock = clock.System{}; c.LockoutLimit = 1 << 30 })
	r.Clock.Set(time.Now())
	s := r.NewSigner("alice", algo.P256)
	req := r.Ask(s, 2)
	full, err := s.Device.SAD(req, s.Items(t, req, 2))
	if err != nil {
		t.Fatal(err)
	}
	const racers = 64
	ssa := r.client(samtest.SSPU.Identity)
	ins := make([]sapclient.RedeemIn, racers)
	for i := range ins {
		if ins[i].SAD, ins[i].Proof, err = s.Device.Sign(full); err != nil {
			t.Fatal(err)
		}
	}
	uses := r.Token.Uses()
	var won atomic.Int64
	var wg sync.WaitGroup
	for _, in := range ins {
		wg.Go(func() {
			if _, err := ssa.Redeem(context.Background(), in); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if n := r.Token.Uses() - uses; won.Load() != 1 || n != 1 {
		t.Errorf("%d of %d won, %d key uses", won.Load(), racers, n)
	}
	r.Check()
}
