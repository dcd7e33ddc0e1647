package signapp_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/apptest"
)

func ask(r *apptest.Rig, c signapp.Client, signer string) (*signapp.Operation, error) {
	doc, err := r.Service.Upload(bg, c, "a.pdf", strings.NewReader("text"))
	if err != nil {
		return nil, err
	}
	return r.Service.Create(bg, c, signapp.NewOperation{Signer: signer, Purpose: "p", Items: []signapp.NewItem{{Document: doc.ID, Worker: "paper"}}})
}

func decline(t *testing.T, r *apptest.Rig, c signapp.Client, signer string) {
	t.Helper()
	op, err := ask(r, c, signer)
	if err != nil {
		t.Fatal(err)
	}
	g, _ := r.Open(apptest.Login(signer, "s"), op.ID)
	if _, err := r.Service.Decline(bg, g, ""); err != nil {
		t.Fatal(err)
	}
}

// AFL-04: who is refused three times in a row has to wait, twice as long with
// each further refusal, also over a restart; other clients may ask the same
// signer, and the same client other signers; an approval ends the row.
func TestAFL04DeclinesPauseRequests(t *testing.T) {
	r := newRig(t, nil)
	globex := signapp.Client{ID: "globex", Name: "Globex"}
	paused := func() {
		t.Helper()
		_, err := ask(r, apptest.Acme, "anna")
		want(t, err, signapp.ErrPaused)
	}
	for range 3 {
		decline(t, r, apptest.Acme, "anna")
	}
	paused()
	r.Restart()
	paused()
	if _, err := ask(r, globex, "anna"); err != nil {
		t.Errorf("another client: %v", err)
	}
	if _, err := ask(r, apptest.Acme, "ben"); err != nil {
		t.Errorf("another signer: %v", err)
	}
	r.Clock.Advance(15*time.Minute - time.Millisecond)
	paused()
	r.Clock.Advance(time.Millisecond)
	for i, pause := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
		t.Run(fmt.Sprint(i+4), func(t *testing.T) {
			decline(t, r, apptest.Acme, "anna")
			r.Clock.Advance(pause - time.Millisecond)
			paused()
			r.Clock.Advance(time.Millisecond)
		})
	}
	op, err := ask(r, apptest.Acme, "anna")
	if err != nil {
		t.Fatal(err)
	}
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	if got := r.Await(op.ID); got.State != signapp.StateFinished {
		t.Fatalf("state %s: %s", got.State, got.Reason)
	}
	for range 3 {
		r.Clock.Advance(time.Millisecond)
		decline(t, r, apptest.Acme, "anna")
	}
	paused()
}

// AFL-04: what a signer leaves alone, and what a client takes back, is no refusal.
func TestAFL04OnlyRefusalsCount(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) { c.Limits.Declines = 1 })
	op := r.Create("anna", "text")
	if _, err := r.Service.Cancel(bg, apptest.Acme, op.ID); err != nil {
		t.Fatal(err)
	}
	op = r.Create("anna", "text")
	r.Clock.Advance(25 * time.Hour)
	if got := r.Await(op.ID); got.State != signapp.StateExpired {
		t.Fatalf("state %s", got.State)
	}
	decline(t, r, apptest.Acme, "anna")
	_, err := ask(r, apptest.Acme, "anna")
	want(t, err, signapp.ErrPaused)
}
