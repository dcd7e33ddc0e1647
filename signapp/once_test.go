package signapp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/apptest"
)

// onceRig offers one-time keys to signers who have no key; anna has none.
func onceRig(t *testing.T, change ...func(*signapp.Config)) *apptest.Rig {
	t.Helper()
	r := newRig(t, func(c *signapp.Config) {
		c.OneTime, c.Certifier = signapp.OneTimeNoKey, c.Module.(signapp.Certifier)
		for _, f := range change {
			f(c)
		}
	})
	r.Module.Change("anna", func(c *sapclient.Credential) { c.State = "destroyed" })
	return r
}

// approveOnce lets the signer approve that a one-time key is made.
func approveOnce(t *testing.T, r *apptest.Rig, g signapp.Grant) *signapp.View {
	t.Helper()
	offer, err := r.Service.RequestOneTime(bg, g)
	if err != nil {
		t.Fatal(err)
	}
	statement, proof := r.Module.Device(g.Session.Signer).ApproveOnce(t, *offer)
	v, err := r.Service.ApproveOneTime(bg, g, statement, proof)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sources lists the files of an operation that hold documents as uploaded.
func sources(t *testing.T, r *apptest.Rig) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(r.Dir, "files", "prepared", "*.source"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// KEY-10, SGN-04: a signer without a key signs with one that is made for it. Before the
// signer's assertion there is neither key nor certificate nor a prepared document, and what
// is signed is prepared around the certificate that the module linked; the upload may be
// gone by then.
func TestKEY10OperationWithOneTimeKey(t *testing.T) {
	r := onceRig(t)
	sess := apptest.Login("anna", "s1")
	op := r.Create("anna", "one", "two")
	if op.Key != "" || op.State != signapp.StatePrepared || op.Level != "B-B" || r.Module.OnceMade() != 0 {
		t.Fatalf("%+v, %d keys", op, r.Module.OnceMade())
	}
	r.Clock.Advance(23 * time.Hour) // the link still works; uploads may go
	if err := os.RemoveAll(filepath.Join(r.Dir, "files", "documents")); err != nil {
		t.Fatal(err)
	}
	g, v := r.Open(sess, op.ID)
	if !v.OneTime || len(v.Chain) != 0 || v.Key != "" || len(v.Items) != 2 || v.Items[0].DTBSR != "" || v.Signer.Name != "Person anna" {
		t.Fatalf("%+v", v)
	}
	if _, err := r.Service.RequestActivation(bg, g); !errors.Is(err, signapp.ErrState) {
		t.Errorf("an activation without a key: %v", err)
	}
	if _, _, err := r.Service.ItemDocument(bg, g, 0); !errors.Is(err, signapp.ErrState) {
		t.Errorf("a document that is not prepared: %v", err)
	}
	v = approveOnce(t, r, g)
	if v.OneTime || !strings.HasPrefix(v.Key, "o-") || v.Alg != "ES256" || len(v.Chain) != 1 || r.Module.OnceMade() != 1 {
		t.Fatalf("%+v", v)
	}
	cert, err := x509.ParseCertificate(v.Chain[0])
	if err != nil || cert.Subject.CommonName != v.Signer.Name {
		t.Errorf("%v, %v", cert, err)
	}
	sad, proof := r.Approve(g, v)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	o := r.Await(op.ID)
	if o.State != signapp.StateFinished || o.Key != v.Key || len(o.Signatures) != 2 {
		t.Fatalf("%+v", o)
	}
	if left := sources(t, r); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	for i := range 2 {
		f, _, err := r.Service.Result(bg, apptest.Acme, op.ID, i)
		if text := apptest.ReadAll(t, f, err); len(text) == 0 {
			t.Errorf("result %d is empty", i)
		}
	}
	if keys, _ := r.Module.Uses(); keys != 2 {
		t.Errorf("%d key uses", keys)
	}
}

// KEY-10: the approval of a one-time key is of this signer, of the offer opened last, once;
// a lost answer is repeated with the same bytes and makes no second key.
func TestKEY10ApprovalOfTheKeyIsForThisOperation(t *testing.T) {
	r := onceRig(t)
	r.Module.Change("ben", func(c *sapclient.Credential) { c.State = "destroyed" })
	anna, ben := apptest.Login("anna", "s1"), apptest.Login("ben", "s2")
	g, _ := r.Open(anna, r.Create("anna", "one").ID)
	other, _ := r.Open(ben, r.Create("ben", "theirs").ID)
	ask := func(g signapp.Grant) sap.Signed {
		s, err := r.Service.RequestOneTime(bg, g)
		if err != nil {
			t.Fatal(err)
		}
		return *s
	}
	theirs, theirProof := r.Module.Device("ben").ApproveOnce(t, ask(other))
	if _, err := r.Service.ApproveOneTime(bg, g, theirs, theirProof); !errors.Is(err, signapp.ErrInput) {
		t.Errorf("the approval of another signer: %v", err)
	}
	older, olderProof := r.Module.Device("anna").ApproveOnce(t, ask(g))
	newer, _ := r.Module.Device("anna").ApproveOnce(t, ask(g))
	if _, err := r.Service.ApproveOneTime(bg, g, older, olderProof); !errors.Is(err, signapp.ErrState) {
		t.Errorf("an older offer: %v", err)
	}
	if _, err := r.Service.ApproveOneTime(bg, g, newer, theirProof); !errors.Is(err, signapp.ErrRefused) {
		t.Errorf("another assertion: %v", err)
	}
	newer, newerProof := r.Module.Device("anna").ApproveOnce(t, ask(g))
	r.Module.Set(apptest.Vice{LoseAnswer: true})
	if _, err := r.Service.ApproveOneTime(bg, g, newer, newerProof); !errors.Is(err, signapp.ErrUnavailable) {
		t.Errorf("a lost answer: %v", err)
	}
	r.Module.Set(apptest.Vice{})
	v, err := r.Service.ApproveOneTime(bg, g, newer, newerProof)
	if err != nil || v.OneTime {
		t.Fatalf("%+v, %v", v, err)
	}
	again, err := r.Service.ApproveOneTime(bg, g, newer, newerProof)
	if err != nil || again.Key != v.Key || r.Module.OnceMade() != 1 {
		t.Errorf("%+v, %v, %d keys", again, err, r.Module.OnceMade())
	}
	if _, err := r.Service.RequestOneTime(bg, g); !errors.Is(err, signapp.ErrState) {
		t.Errorf("a second key beside the first: %v", err)
	}
}

// KEY-10, SAP-06: a one-time key that ended before it signed is never asked for again: the
// operation goes back to where the signer approves another, and an approval over the old
// certificate is worth nothing.
func TestKEY10KeyThatEndedBeforeItSigned(t *testing.T) {
	r := onceRig(t)
	g, _ := r.Open(apptest.Login("anna", "s1"), r.Create("anna", "one").ID)
	v := approveOnce(t, r, g)
	sad, proof := r.Approve(g, v)
	r.Module.EndOnce("anna")
	if _, err := r.Service.RequestActivation(bg, g); !errors.Is(err, signapp.ErrRefused) {
		t.Fatalf("%v", err)
	}
	keyless, err := r.Service.View(bg, g)
	if err != nil || !keyless.OneTime || keyless.Key != "" || len(keyless.Chain) != 0 {
		t.Fatalf("%+v, %v", keyless, err)
	}
	if _, err := r.Service.Redeem(bg, g, sad, proof); !errors.Is(err, signapp.ErrInput) && !errors.Is(err, signapp.ErrState) {
		t.Errorf("an approval over a key that ended: %v", err)
	}
	r.Restart()
	next := approveOnce(t, r, g)
	if next.Key == v.Key || bytes.Equal(next.Chain[0], v.Chain[0]) || next.Items[0].DTBSR == v.Items[0].DTBSR {
		t.Errorf("%+v", next)
	}
	if _, err := r.Service.Redeem(bg, g, sad, proof); !errors.Is(err, signapp.ErrInput) && !errors.Is(err, signapp.ErrState) {
		t.Errorf("an approval over a key that ended: %v", err)
	}
	sad, proof = r.Approve(g, next)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	if o := r.Await(g.Operation); o.State != signapp.StateFinished || o.Key != next.Key {
		t.Errorf("%+v", o)
	}
}

// KEY-10: a crash at any commit of the way to a one-time key loses nothing and shows no
// document of another certificate: the same bytes are sent again, or the signer begins
// again, and the signature is made with the key that the operation names.
func TestKEY10CrashOnTheWayToTheKey(t *testing.T) {
	for n := range 4 { // two commits, each before and after
		after := n%2 == 1
		r := onceRig(t)
		g, _ := r.Open(apptest.Login("anna", "s1"), r.Create("anna", "one").ID)
		offer, err := r.Service.RequestOneTime(bg, g)
		if err != nil {
			t.Fatal(err)
		}
		statement, proof := r.Module.Device("anna").ApproveOnce(t, *offer)
		r.Store.DieAt(1+n/2, after)
		if _, err := r.Service.ApproveOneTime(bg, g, statement, proof); err == nil || !r.Store.Dead() {
			t.Fatalf("alive: %v", err)
		}
		r.Restart()
		v, err := r.Service.ApproveOneTime(bg, g, statement, proof)
		if err != nil || v.OneTime || r.Module.OnceMade() != 1 {
			t.Fatalf("%d, after %v: %+v, %v, %d keys", n, after, v, err, r.Module.OnceMade())
		}
		sad, proof := r.Approve(g, v)
		if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
			t.Fatal(err)
		}
		if o := r.Await(g.Operation); o.State != signapp.StateFinished {
			t.Errorf("after %v: %+v", after, o)
		}
	}
}

// KEY-10: what a one-time key cannot do is said when the operation is made, and nothing is
// left of it: no document kept, no operation.
func TestKEY10OperationsThatCannotHaveAOneTimeKey(t *testing.T) {
	r := onceRig(t)
	doc := r.Upload("one").ID
	item := []signapp.NewItem{{Document: doc, Worker: "paper"}}
	sum := sha256.Sum256([]byte("x"))
	for name, n := range map[string]signapp.NewOperation{
		"an algorithm":          {Signer: "anna", Alg: "ES256", Items: item},
		"a digest":              {Signer: "anna", Items: []signapp.NewItem{{Digest: sum[:], Name: "x.bin"}}},
		"nobody":                {Signer: "nobody", Items: item},
		"unknown worker":        {Signer: "anna", Items: []signapp.NewItem{{Document: doc, Worker: "none"}}},
		"the same one twice":    {Signer: "anna", Items: append(item[:1:1], item[0])},
		"one document, one not": {Signer: "anna", Items: append(item[:1:1], signapp.NewItem{Document: "doc-none", Worker: "paper"})},
	} {
		if _, err := r.Service.Create(bg, apptest.Acme, n); !errors.Is(err, signapp.ErrInput) && !errors.Is(err, signapp.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left := sources(t, r); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	ben, err := r.Service.Create(bg, apptest.Acme, signapp.NewOperation{Signer: "ben", Items: item})
	if err != nil || ben.Key != "key-ben" {
		t.Errorf("a signer who has a key: %+v, %v", ben, err)
	}
	ben, err = r.Service.Create(bg, apptest.Acme, signapp.NewOperation{Signer: "ben", Key: signapp.KeyOneTime, Items: item})
	if err != nil || ben.Key != "" {
		t.Errorf("asked for: %+v, %v", ben, err)
	}
	if left := sources(t, r); len(left) != 1 {
		t.Errorf("kept: %v", left)
	}
	if _, err := r.Service.Cancel(bg, apptest.Acme, ben.ID); err != nil || len(sources(t, r)) != 0 {
		t.Errorf("cancelled: %v, kept %v", err, sources(t, r))
	}
	always := onceRig(t, func(c *signapp.Config) { c.OneTime = signapp.OneTimeAlways })
	if op := always.Create("ben", "x"); op.Key != "" {
		t.Errorf("always: %+v", op)
	}
	never := newRig(t, nil)
	if _, err := never.Service.Create(bg, apptest.Acme, signapp.NewOperation{Signer: "anna", Key: signapp.KeyOneTime,
		Items: []signapp.NewItem{{Document: never.Upload("x").ID, Worker: "paper"}}}); !errors.Is(err, signapp.ErrInput) {
		t.Errorf("not offered: %v", err)
	}
	for _, c := range []signapp.Config{{OneTime: "sometimes", Certifier: r.Module}, {OneTime: signapp.OneTimeNoKey}} {
		cfg := r.Config
		cfg.OneTime, cfg.Certifier, cfg.Dir = c.OneTime, c.Certifier, t.TempDir()
		if _, err := signapp.Open(context.Background(), cfg); err == nil {
			t.Errorf("%q with %v opened", c.OneTime, c.Certifier)
		}
	}
}

// KEY-10: a one-time key that will not sign is destroyed at once, whatever stands in the
// way: the documents cannot be prepared, the signer says no or wants another key, the
// client withdraws, time is over. One that signed is the module's to end.
func TestKEY10KeyThatWillNotSignIsGivenUp(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *apptest.Rig, signapp.Grant){
		"declined": func(t *testing.T, r *apptest.Rig, g signapp.Grant) {
			if _, err := r.Service.Decline(bg, g, ""); err != nil {
				t.Fatal(err)
			}
		},
		"cancelled": func(t *testing.T, r *apptest.Rig, g signapp.Grant) {
			if _, err := r.Service.Cancel(bg, apptest.Acme, g.Operation); err != nil {
				t.Fatal(err)
			}
		},
		"another is wanted": func(t *testing.T, r *apptest.Rig, g signapp.Grant) {
			v, err := r.Service.EndOneTime(bg, g)
			if err != nil || !v.OneTime || v.Key != "" {
				t.Fatalf("%+v, %v", v, err)
			}
			if v, err = r.Service.EndOneTime(bg, g); err != nil || !v.OneTime {
				t.Fatalf("again: %+v, %v", v, err)
			}
		},
		"the module refuses the approval": func(t *testing.T, r *apptest.Rig, g signapp.Grant) {
			v, err := r.Service.View(bg, g)
			if err != nil {
				t.Fatal(err)
			}
			sad, proof := r.Approve(g, v)
			proof[len(proof)/2] ^= 1
			if _, err := r.Service.Redeem(bg, g, sad, proof); !errors.Is(err, signapp.ErrRefused) {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := onceRig(t)
			g, _ := r.Open(apptest.Login("anna", "s1"), r.Create("anna", "one").ID)
			key := approveOnce(t, r, g).Key
			if got := r.Module.OnceGivenUp(); len(got) != 0 {
				t.Fatalf("given up too soon: %v", got)
			}
			end(t, r, g)
			if got := r.Module.OnceGivenUp(); len(got) != 1 || got[0] != key {
				t.Errorf("given up: %v, want %s", got, key)
			}
		})
	}
	t.Run("documents that cannot be prepared", func(t *testing.T) {
		r := onceRig(t)
		g, _ := r.Open(apptest.Login("anna", "s1"), r.Create("anna", "one").ID)
		offer, err := r.Service.RequestOneTime(bg, g)
		if err != nil {
			t.Fatal(err)
		}
		statement, proof := r.Module.Device("anna").ApproveOnce(t, *offer)
		r.Paper.FailPrepare(errors.New("broken"))
		if _, err := r.Service.ApproveOneTime(bg, g, statement, proof); err == nil {
			t.Fatal("prepared")
		}
		if got := r.Module.OnceGivenUp(); len(got) != 1 || r.Module.OnceMade() != 1 {
			t.Fatalf("%d made, given up: %v", r.Module.OnceMade(), got)
		}
		r.Paper.FailPrepare(nil)
		v := approveOnce(t, r, g) // the signer is asked again
		sad, proof := r.Approve(g, v)
		if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
			t.Fatal(err)
		}
		if o := r.Await(g.Operation); o.State != signapp.StateFinished || len(r.Module.OnceGivenUp()) != 1 {
			t.Errorf("%+v, given up: %v", o, r.Module.OnceGivenUp())
		}
	})
	t.Run("the module is away", func(t *testing.T) {
		r := onceRig(t)
		g, _ := r.Open(apptest.Login("anna", "s1"), r.Create("anna", "one").ID)
		key := approveOnce(t, r, g).Key
		r.Module.Set(apptest.Vice{Down: true})
		if _, err := r.Service.EndOneTime(bg, g); !errors.Is(err, signapp.ErrUnavailable) {
			t.Errorf("%v", err)
		}
		if v, err := r.Service.View(bg, g); err != nil || v.Key != key {
			t.Errorf("a key that is still there was forgotten: %+v, %v", v, err)
		}
	})
}
