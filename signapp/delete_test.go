package signapp_test

import (
	"testing"
	"time"

	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/apptest"
)

// A client deletes an upload before its time: it is gone at once, the file with it, and gives room. What was
// prepared from it is signed as if it were there. Nobody else deletes it.
func TestUploadDeletedBeforeItsTime(t *testing.T) {
	r := newRig(t, nil)
	doc := r.Upload("text")
	again := signapp.NewOperation{Signer: "anna", Purpose: "p", Items: []signapp.NewItem{{Document: doc.ID, Worker: "paper"}}}
	op, err := r.Service.Create(bg, apptest.Acme, again)
	if err != nil {
		t.Fatal(err)
	}
	want(t, r.Service.DeleteDocument(bg, apptest.Other, doc.ID), signapp.ErrNotFound)
	want(t, r.Service.DeleteDocument(bg, signapp.Client{}, doc.ID), signapp.ErrNotFound)
	if n := countFiles(t, r, "documents"); n != 1 {
		t.Fatalf("%d uploads after others tried", n)
	}
	before := kept(t, r, "acme").Bytes
	if err := r.Service.DeleteDocument(bg, apptest.Acme, doc.ID); err != nil {
		t.Fatal(err)
	}
	if n := countFiles(t, r, "documents"); n != 0 || kept(t, r, "acme").Bytes >= before {
		t.Errorf("%d uploads are left, %d of %d bytes", n, kept(t, r, "acme").Bytes, before)
	}
	want(t, r.Service.DeleteDocument(bg, apptest.Acme, doc.ID), signapp.ErrNotFound)
	_, err = r.Service.Create(bg, apptest.Acme, again)
	want(t, err, signapp.ErrNotFound)
	r.Restart()
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	checkFinished(t, r, r.Await(op.ID), "text")
}

// A client deletes signed documents before their time: it gets them no more at once; the signer has a day after the
// end to fetch them, for the receipt alone proves nothing to whoever never got the document; then the files are gone
// and give room. What is known of the operation and its receipt stay as long as they would. What is not decided yet
// is cancelled, and not deleted; nobody else deletes anything.
func TestResultDeletedBeforeItsTime(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "text")
	want(t, r.Service.DeleteResult(bg, apptest.Acme, op.ID), signapp.ErrState)
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	checkFinished(t, r, r.Await(op.ID), "text")
	want(t, r.Service.DeleteResult(bg, apptest.Other, op.ID), signapp.ErrNotFound)
	checkFinished(t, r, r.Await(op.ID), "text")
	before := kept(t, r, "acme").Bytes
	gone := func(signersToo bool) {
		t.Helper()
		if err := r.Service.DeleteResult(bg, apptest.Acme, op.ID); err != nil {
			t.Fatal(err)
		}
		r.Restart()
		if err := r.Service.Step(bg); err != nil {
			t.Fatal(err)
		}
		_, _, err := r.Service.Result(bg, apptest.Acme, op.ID, 0)
		want(t, err, signapp.ErrExpired)
		f, _, err := r.Service.SignerResult(bg, "anna", op.ID, 0)
		if signersToo {
			want(t, err, signapp.ErrExpired)
		} else if err != nil {
			t.Errorf("the signer's copy went with the client's: %v", err)
		} else {
			_ = f.Close()
		}
		if n := countFiles(t, r, "prepared"); (n == 0) != signersToo || (kept(t, r, "acme").Bytes < before) != signersToo {
			t.Errorf("%d files are left, %d of %d bytes", n, kept(t, r, "acme").Bytes, before)
		}
		if o, err := r.Service.Get(bg, apptest.Acme, op.ID); err != nil || o.State != signapp.StateFinished {
			t.Errorf("%+v, %v", o, err)
		}
		if _, err := r.Service.Receipt(bg, apptest.Acme, op.ID); err != nil {
			t.Errorf("the receipt went with the document: %v", err)
		}
	}
	gone(false)
	gone(false) // the second finds it done
	r.Clock.Advance(24*time.Hour - time.Second)
	gone(false)
	r.Clock.Advance(time.Second)
	gone(true)
	gone(true)
	r.Clock.Advance(398 * 24 * time.Hour)
	if err := r.Service.Step(bg); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Service.Receipt(bg, apptest.Acme, op.ID); err != nil {
		t.Errorf("a day before its time the operation is gone: %v", err)
	}
	r.Clock.Advance(2 * 24 * time.Hour)
	if err := r.Service.Step(bg); err != nil {
		t.Fatal(err)
	}
	_, err := r.Service.Get(bg, apptest.Acme, op.ID)
	want(t, err, signapp.ErrNotFound)
	want(t, r.Service.DeleteResult(bg, apptest.Acme, op.ID), signapp.ErrNotFound)
}

// After the signer's day signed documents go at once.
func TestResultDeletedAfterTheSignersDay(t *testing.T) {
	r := newRig(t, nil)
	op := r.Create("anna", "text")
	g, v := r.Open(apptest.Login("anna", "s"), op.ID)
	sad, proof := r.Approve(g, v)
	if _, err := r.Service.Redeem(bg, g, sad, proof); err != nil {
		t.Fatal(err)
	}
	checkFinished(t, r, r.Await(op.ID), "text")
	r.Clock.Advance(25 * time.Hour)
	if err := r.Service.DeleteResult(bg, apptest.Acme, op.ID); err != nil {
		t.Fatal(err)
	}
	if n := countFiles(t, r, "prepared"); n != 0 {
		t.Errorf("%d files are left", n)
	}
	_, _, err := r.Service.SignerResult(bg, "anna", op.ID, 0)
	want(t, err, signapp.ErrExpired)
}
