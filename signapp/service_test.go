package signapp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/appsqlite"
	"github.com/assent-sign/assent/signapp/apptest"
	"github.com/assent-sign/assent/workers"
)

var bg = context.Background()

func openSQLite(path string) (signapp.Store, error) { return appsqlite.Open(path, appsqlite.Options{}) }

func newRig(t testing.TB, change func(*signapp.Config)) *apptest.Rig {
	return apptest.NewRig(t, openSQLite, change)
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got error %v, want %v", err, target)
	}
}

// checkFinished verifies what the client gets: the document with a signature
// of the signer's certificate behind it, and a receipt that verifies off line.
func checkFinished(t *testing.T, r *apptest.Rig, op *signapp.Operation, texts ...string) {
	t.Helper()
	if op.State != signapp.StateFinished {
		t.Fatalf("state %s (%s)", op.State, op.Reason)
	}
	for i, text := range texts {
		f, it, err := r.Service.Result(bg, apptest.Acme, op.ID, i)
		got := apptest.ReadAll(t, f, err)
		if !bytes.HasPrefix(got, []byte(text)) || len(got) != len(text)+apptest.Hole {
			t.Fatalf("item %d: %d bytes, the original is not a prefix", i, len(got))
		}
		if !bytes.HasPrefix(got[len(text):], op.Signatures[i]) {
			t.Fatalf("item %d does not hold its signature", i)
		}
		if err := workers.CheckSignature(it.Prepared, op.Signatures[i]); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := r.Service.Receipt(bg, apptest.Acme, op.ID)
	if err != nil {
		t.Fatal(err)
	}
	var sr sap.SignedReceipt
	if err := json.Unmarshal(raw, &sr); err != nil {
		t.Fatal(err)
	}
	rec, err := sap.OpenReceipt(&r.Module.Statement.PublicKey, sr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rec.VerifyEvidence(); err != nil {
		t.Fatal(err)
	}
}

// One signature end to end through the service.
func TestSignedUnderApproval(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "first", "second")
	if op.State != signapp.StatePrepared || !strings.HasPrefix(op.ApprovalURL, apptest.AppOrigin+"/approve/") || op.Level != "B-B" {
		t.Fatalf("created: %+v", op)
	}
	g, v := r.Open(apptest.Login("anna", "s1"), op.ID)
	if v.State != signapp.StateShown || v.Asker != "Acme Ltd" || v.Signer.Name != "Person anna" || len(v.Items) != 2 {
		t.Fatalf("view: %+v", v)
	}
	f, it, err := r.Service.ItemDocument(bg, g, 1)
	if doc := apptest.ReadAll(t, f, err); string(doc[:6]) != "second" || int64(len(doc)) != it.Size || it.Size != v.Items[1].Size {
		t.Fatalf("prepared document %q", doc[:6])
	}
	sad, proof := r.Approve(g, v)
	got, err := r.Service.Redeem(bg, g, sad, proof)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != signapp.StateSigned && got.State != signapp.StateFinished || got.Receipt == nil {
		t.Fatalf("after redeem: %s", got.State)
	}
	checkFinished(t, r, r.Await(op.ID), "first", "second")
	if keys, _ := r.Module.Uses(); keys != 2 {
		t.Fatalf("%d key uses", keys)
	}
}

// A repetition of the same bytes is the same success; other bytes are refused.
func TestRedeemRepeated(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "text")
	g, v := r.Open(apptest.Login("anna", "s1"), op.ID)
	sad, proof := r.Approve(g, v)
	for range 3 {
		if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
			t.Fatal(err)
		}
	}
	r.Await(op.ID)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	_, err := r.Service.Redeem(bg, g, sad, append([]byte(nil), proof[:len(proof)-1]...))
	want(t, err, signapp.ErrState)
	if keys, _ := r.Module.Uses(); keys != 1 {
		t.Fatalf("%d key uses", keys)
	}
}

// Create refuses what cannot end well, says what to mend, and leaves nothing.
func TestCreateRefusals(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) { c.Limits.Items, c.Limits.Waiting, c.Limits.Document = 3, 2, 1000 })
	doc := func() string { return r.Upload(rand.Text()).ID }
	good := func() signapp.NewOperation {
		return signapp.NewOperation{Signer: "anna", Purpose: "p", Items: []signapp.NewItem{{Document: doc(), Worker: "paper"}}}
	}
	foreign, err := r.Service.Upload(bg, apptest.Other, "x.pdf", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	bad, err := r.Service.Upload(bg, apptest.Acme, "x.pdf", strings.NewReader("BAD!"))
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, 32)
	for name, c := range map[string]struct {
		change func(*signapp.NewOperation)
		want   error
	}{
		"no items":            {func(n *signapp.NewOperation) { n.Items = nil }, signapp.ErrInput},
		"too many items":      {func(n *signapp.NewOperation) { n.Items = make([]signapp.NewItem, 4) }, signapp.ErrInput},
		"empty item":          {func(n *signapp.NewOperation) { n.Items[0] = signapp.NewItem{} }, signapp.ErrInput},
		"document and digest": {func(n *signapp.NewOperation) { n.Items[0].Digest = digest }, signapp.ErrInput},
		"no worker":           {func(n *signapp.NewOperation) { n.Items[0].Worker = "" }, signapp.ErrInput},
		"unknown worker":      {func(n *signapp.NewOperation) { n.Items[0].Worker = "nope" }, workers.ErrNotFound},
		"foreign document":    {func(n *signapp.NewOperation) { n.Items[0].Document = foreign.ID }, signapp.ErrNotFound},
		"unusable document":   {func(n *signapp.NewOperation) { n.Items[0].Document = bad.ID }, workers.ErrInput},
		"same document twice": {func(n *signapp.NewOperation) { n.Items = append(n.Items, n.Items[0]) }, signapp.ErrInput},
		"two levels": {func(n *signapp.NewOperation) {
			n.Items = append(n.Items, signapp.NewItem{Digest: digest, Name: "h"})
		}, signapp.ErrInput},
		"raw without name":       {func(n *signapp.NewOperation) { n.Items = []signapp.NewItem{{Digest: digest}} }, signapp.ErrInput},
		"raw of wrong size":      {func(n *signapp.NewOperation) { n.Items = []signapp.NewItem{{Digest: digest[1:], Name: "h"}} }, signapp.ErrInput},
		"document and documents": {func(n *signapp.NewOperation) { n.Items[0].Documents = []string{doc()} }, signapp.ErrInput},
		"documents and digest": {func(n *signapp.NewOperation) {
			n.Items[0] = signapp.NewItem{Documents: []string{doc(), doc()}, Worker: "paper", Digest: digest}
		}, signapp.ErrInput},
		"documents without worker": {func(n *signapp.NewOperation) { n.Items[0] = signapp.NewItem{Documents: []string{doc(), doc()}} }, signapp.ErrInput},
		"too many documents": {func(n *signapp.NewOperation) {
			n.Items[0] = signapp.NewItem{Documents: slices.Repeat([]string{doc()}, sap.MaxObjects+1), Worker: "paper"}
		}, signapp.ErrInput},
		"a foreign one among documents": {func(n *signapp.NewOperation) {
			n.Items[0] = signapp.NewItem{Documents: []string{doc(), foreign.ID}, Worker: "paper"}
		}, signapp.ErrNotFound},
		"documents too large together": {func(n *signapp.NewOperation) {
			n.Items[0] = signapp.NewItem{Documents: []string{r.Upload(strings.Repeat("x", 600)).ID, r.Upload(strings.Repeat("y", 600)).ID}, Worker: "paper"}
		}, signapp.ErrTooLarge},
		// This worker signs the first one and does not say so.
		"a worker that leaves documents out": {func(n *signapp.NewOperation) {
			n.Items[0] = signapp.NewItem{Documents: []string{doc(), doc()}, Worker: "paper"}
		}, workers.ErrRehearsal},
		"unknown signer":   {func(n *signapp.NewOperation) { n.Signer = "carl" }, signapp.ErrInput},
		"signer injection": {func(n *signapp.NewOperation) { n.Signer = "anna&key=x" }, signapp.ErrInput},
		"foreign key":      {func(n *signapp.NewOperation) { n.Key = "key-ben" }, signapp.ErrInput},
		"algorithm":        {func(n *signapp.NewOperation) { n.Alg = "RS256" }, signapp.ErrInput},
		"bidi purpose":     {func(n *signapp.NewOperation) { n.Purpose = "pay \u202e100" }, signapp.ErrInput},
		"level":            {func(n *signapp.NewOperation) { n.Level = "B T" }, signapp.ErrInput},
		"lifetime":         {func(n *signapp.NewOperation) { n.Lifetime = 1000 * time.Hour }, signapp.ErrInput},
		"return elsewhere": {func(n *signapp.NewOperation) { n.ReturnURL = "https://evil.example/" }, signapp.ErrInput},
		"return script":    {func(n *signapp.NewOperation) { n.ReturnURL = "javascript:alert(1)" }, signapp.ErrInput},
		"return user":      {func(n *signapp.NewOperation) { n.ReturnURL = "http://localhost:8440@evil.example/" }, signapp.ErrInput},
	} {
		n := good()
		c.change(&n)
		if _, err := r.Service.Create(bg, apptest.Acme, n); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	r.Module.Set(apptest.Vice{Down: true})
	_, err = r.Service.Create(bg, apptest.Acme, good())
	want(t, err, signapp.ErrUnavailable)
	r.Module.Set(apptest.Vice{})
	r.Paper.FailPrepare(errors.New("broken"))
	if _, err := r.Service.Create(bg, apptest.Acme, good()); err == nil {
		t.Fatal("a failed preparation was stored")
	}
	r.Paper.FailPrepare(nil)
	r.Module.Change("anna", func(c *sapclient.Credential) { c.Raw = false })
	_, err = r.Service.Create(bg, apptest.Acme, signapp.NewOperation{Signer: "anna", Items: []signapp.NewItem{{Digest: digest, Name: "h"}}})
	want(t, err, signapp.ErrInput)
	r.Module.Change("anna", func(c *sapclient.Credential) { c.State = "suspended" })
	_, err = r.Service.Create(bg, apptest.Acme, good())
	want(t, err, signapp.ErrInput)
	if n := countFiles(t, r, "prepared") + countFiles(t, r, "partial"); n != 0 {
		t.Errorf("%d files left behind", n)
	}
	r.Module.Change("anna", func(c *sapclient.Credential) { c.State = "active" })
	for range 2 {
		if _, err := r.Service.Create(bg, apptest.Acme, good()); err != nil {
			t.Fatal(err)
		}
	}
	_, err = r.Service.Create(bg, apptest.Acme, good())
	want(t, err, signapp.ErrTooMany)
	if n := countFiles(t, r, "prepared"); n != 2 {
		t.Errorf("%d prepared files for 2 operations", n)
	}
}

func countFiles(t testing.TB, r *apptest.Rig, dir string) int {
	t.Helper()
	e, err := os.ReadDir(filepath.Join(r.Config.Dir, dir))
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}

// A raw digest is signed as such, and has no document.
func TestRawDigest(t *testing.T) {
	r := newRig(t, nil)
	sum := sha256.Sum256([]byte("content elsewhere"))
	op, err := r.Service.Create(bg, apptest.Acme, signapp.NewOperation{Signer: "anna", Purpose: "p", Items: []signapp.NewItem{{Digest: sum[:], Name: "firmware.bin"}}})
	if err != nil {
		t.Fatal(err)
	}
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	if v.Level != "raw" || v.Items[0].Kind != sap.KindRaw || v.Items[0].SignedAttributes != "" || v.Items[0].DTBSR != sap.B64(sum[:]) {
		t.Fatalf("view %+v", v)
	}
	_, _, err = r.Service.ItemDocument(bg, g, 0)
	want(t, err, signapp.ErrNotFound)
	sad, proof := r.Approve(g, v)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	if op = r.Await(op.ID); op.State != signapp.StateFinished || len(op.Signatures) != 1 {
		t.Fatalf("%+v", op)
	}
	_, _, err = r.Service.Result(bg, apptest.Acme, op.ID, 0)
	want(t, err, signapp.ErrNotFound)
}

// Wait returns at once when something happens, without polling, and with the
// present state when its time is over.
func TestWait(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "text")
	ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
	defer cancel()
	if o, err := r.Service.Wait(ctx, apptest.Acme, op.ID); err != nil || o.State != signapp.StatePrepared {
		t.Fatalf("%v, %v", o, err)
	}
	_, err := r.Service.Wait(bg, apptest.Other, op.ID)
	want(t, err, signapp.ErrNotFound)
	done := make(chan signapp.State, 50)
	for range cap(done) {
		go func() {
			o, err := r.Service.Wait(bg, apptest.Acme, op.ID)
			if err != nil {
				done <- signapp.State(err.Error())
				return
			}
			done <- o.State
		}()
	}
	if _, err := r.Service.Cancel(bg, apptest.Acme, op.ID); err != nil {
		t.Fatal(err)
	}
	for range cap(done) {
		select {
		case s := <-done:
			if s != signapp.StateCancelled {
				t.Fatalf("waiter saw %s", s)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("a waiter was forgotten")
		}
	}
}

// I8: what the signer's device found wrong reaches client and operator, once for
// each reason, from the signer's session alone; the operation goes on waiting.
func TestDevicesRefusalIsKnown(t *testing.T) {
	var log bytes.Buffer
	r := newRig(t, func(c *signapp.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	op := r.Create("anna", "text")
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	for range 3 {
		if err := r.Service.Stopped(bg, g, "hole"); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "reason=hole"); n != 1 || !strings.Contains(log.String(), "operation="+op.ID) {
		t.Errorf("in the log %d times:\n%s", n, log.String())
	}
	want(t, r.Service.Stopped(bg, g, "because"), signapp.ErrInput)
	for i := range 200 { // a device that fills the log
		if err := r.Service.Stopped(bg, g, []string{"digest", "hole"}[i%2]); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "refused what it was offered"); n > 20 {
		t.Errorf("%d warnings of one operation", n)
	}
	other := g
	other.Session = apptest.Login("otto", "s")
	want(t, r.Service.Stopped(bg, other, "digest"), signapp.ErrNotFound)
	if got, err := r.Service.Get(bg, apptest.Acme, op.ID); err != nil || got.Stopped == "" || got.State != signapp.StateShown {
		t.Errorf("%+v, %v", got, err)
	}
	sad, proof := r.Approve(g, v) // on another device
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Error(err)
	}
}

// Cancelling, declining and expiring are final, remove the documents and void
// what the signer's app holds.
func TestEndedWithoutSignature(t *testing.T) {
	for name, end := range map[string]func(*apptest.Rig, signapp.Grant) error{
		"cancelled": func(r *apptest.Rig, g signapp.Grant) error {
			_, err := r.Service.Cancel(bg, apptest.Acme, g.Operation)
			return err
		},
		"declined": func(r *apptest.Rig, g signapp.Grant) error {
			_, err := r.Service.Decline(bg, g, "wrong rent")
			return err
		},
		"expired": func(r *apptest.Rig, g signapp.Grant) error { r.Clock.Advance(24 * time.Hour); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			op := r.Create("anna", "text")
			g, v := r.Open(apptest.Login("anna", "s"), op.ID)
			sad, proof := r.Approve(g, v)
			if err := end(r, g); err != nil {
				t.Fatal(err)
			}
			_, err := r.Service.Redeem(bg, g, sad, proof)
			want(t, err, signapp.ErrState)
			got := r.Await(op.ID)
			if string(got.State) != name {
				t.Fatalf("state %s", got.State)
			}
			if name == "declined" && got.Reason != "declined: wrong rent" {
				t.Errorf("reason %q", got.Reason)
			}
			if n := countFiles(t, r, "prepared"); n != 0 {
				t.Errorf("%d prepared files kept", n)
			}
			if keys, redeems := r.Module.Uses(); keys+redeems != 0 {
				t.Error("the module was asked")
			}
			if name != "cancelled" {
				_, err := r.Service.Cancel(bg, apptest.Acme, op.ID)
				want(t, err, signapp.ErrState)
			}
		})
	}
}

// Of two tabs the one that asked last wins; nothing is redeemed for the other.
func TestNewerRequestVoidsOlder(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "text")
	sess := apptest.Login("anna", "s")
	g1, v1 := r.Open(sess, op.ID)
	sad1, proof1 := r.Approve(g1, v1)
	g2, v2 := r.Open(sess, op.ID)
	sad2, proof2 := r.Approve(g2, v2)
	_, err := r.Service.Redeem(bg, g1, sad1, proof1)
	want(t, err, signapp.ErrState)
	if _, err := r.Service.Redeem(bg, g2, sad2, proof2); err != nil {
		t.Fatal(err)
	}
}

// An approval that is not of this operation as prepared never reaches the
// module (each field of context, items and binding).
func TestApprovalOfSomethingElse(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "one", "two")
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	req := r.Request(g)
	dev := r.Module.Device("anna")
	other := sap.B64(bytes.Repeat([]byte{7}, 32))
	for name, change := range map[string]func(*sap.SAD){
		"operation":   func(s *sap.SAD) { s.Ctx.Operation = "op-x" },
		"asker":       func(s *sap.SAD) { s.Ctx.Asker = "Evil" },
		"purpose":     func(s *sap.SAD) { s.Ctx.Purpose = "Gift" },
		"level":       func(s *sap.SAD) { s.Ctx.Level = "B-LT" },
		"order":       func(s *sap.SAD) { s.Items[0].DTBSR, s.Items[1].DTBSR = s.Items[1].DTBSR, s.Items[0].DTBSR },
		"digest":      func(s *sap.SAD) { s.Items[0].DTBSR = other },
		"doc":         func(s *sap.SAD) { s.Items[0].Doc = other },
		"name":        func(s *sap.SAD) { s.Items[0].Name = "else.pdf" },
		"kind":        func(s *sap.SAD) { s.Items[0].Kind, s.Items[0].Doc = sap.KindRaw, "" },
		"signer":      func(s *sap.SAD) { s.Bind.Signer = "ben" },
		"key":         func(s *sap.SAD) { s.Bind.Key = "key-ben" },
		"certificate": func(s *sap.SAD) { s.Bind.Cert = other },
		"algorithm":   func(s *sap.SAD) { s.Bind.Alg = "ES384" },
		"count":       func(s *sap.SAD) { s.Bind.N, s.Items = 1, s.Items[:1] },
	} {
		s := dev.Complete(t, v, req)
		change(s)
		sad, proof := dev.Sign(t, s)
		if _, err := r.Service.Redeem(bg, g, sad, proof); !errors.Is(err, signapp.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, sad := range map[string][]byte{"empty": nil, "no JSON": []byte("x"), "huge": bytes.Repeat([]byte("["), 1<<20)} {
		if _, err := r.Service.Redeem(bg, g, sad, []byte("{}")); !errors.Is(err, signapp.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, redeems := r.Module.Uses(); redeems != 0 {
		t.Errorf("the module was asked %d times", redeems)
	}
	sad, proof := dev.Approve(t, v, req)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatalf("the genuine approval: %v", err)
	}
}

// ADE-02: the signature over files is not called what one of them is called, in no file system.
func TestADE02SignatureHasANameOfItsOwn(t *testing.T) {
	for _, c := range []struct {
		form string
		more []string
		want string
	}{
		{sap.XAdESEnveloped, nil, "a.txt"},
		{sap.XAdESDetached, nil, "a.txt.xades.xml"},
		{sap.XAdESDetached, []string{"b.txt"}, "a.txt.xades.xml"},
		{sap.XAdESDetached, []string{"b.txt", "A.TXT.xades.XML"}, "a.txt.xades.xml.xades.xml"},
		{sap.XAdESDetached, []string{"a.txt.xades.xml.xades.xml", "a.txt.xades.xml"}, "a.txt.xades.xml.xades.xml.xades.xml"},
	} {
		it := signapp.Item{Name: "a.txt", More: c.more, Prepared: &workers.Prepared{XAdES: &sap.XAdES{Form: c.form}}}
		if got := it.ResultName(); got != "a.txt" {
			t.Errorf("before it is signed: %s", got)
		}
		it.Result = &workers.Result{}
		if got := it.ResultName(); got != c.want {
			t.Errorf("%s beside %q: %s, want %s", c.form, c.more, got, c.want)
		}
	}
}
