package sam_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
)

// traces are the ways in which a text could hold a part of b: as it is, in hex and
// in base64, wherever the part begins.
func traces(b []byte) [][]byte {
	const part = 24
	var out [][]byte
	for _, at := range []int{0, (len(b) - part) / 2, len(b) - part} {
		w := b[at : at+part]
		out = append(out, w, []byte(hex.EncodeToString(w)), bytes.ToUpper([]byte(hex.EncodeToString(w))))
		for shift := range 3 { // base64 of a longer text begins at any of three places
			for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				text := enc.EncodeToString(append(make([]byte, shift), w...))
				out = append(out, []byte(text[4:len(text)-4]))
			}
		}
	}
	return out
}

func holdsKey(text, blob []byte) bool {
	for _, p := range traces(blob) {
		if bytes.Contains(text, p) {
			return true
		}
	}
	return false
}

func wrappedBlob(t *testing.T, w *samtest.World, key string) []byte {
	t.Helper()
	var blob []byte
	err := w.Store.View(context.Background(), func(tx *sam.Tx) error {
		c, err := tx.Credentials.Get(key)
		if err == nil {
			blob = bytes.Clone(c.Blob)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

// KPR-09: signing keys are never archived: what is kept for years is the audit chain,
// receipts and certificates, over the whole life of a key, and none of them holds
// it, not even wrapped. The test finds a key where it is: in the database.
func TestKPR09WhatIsArchivedHoldsNoKey(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	anna := w.NewSigner("anna", algo.P256)
	blob := wrappedBlob(t, w, anna.Key)
	if len(blob) < 48 {
		t.Fatalf("a wrapped key of %d octets", len(blob))
	}
	var archive [][]byte
	keep := func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		archive = append(archive, text)
	}
	sad, proof := w.Approve(anna, 2)
	answer, err := w.Redeem(sad, proof)
	if err != nil {
		t.Fatal(err)
	}
	_, receipt := w.Decode(answer)
	keep(receipt)
	archive = append(archive, answer)
	creds, err := w.M.Credentials(ctx, samtest.SSPU, "anna", "")
	if err != nil || len(creds) != 1 {
		t.Fatalf("%v %v", creds, err)
	}
	keep(creds)
	if err := w.Destroy(anna.Key); err != nil {
		t.Fatal(err)
	}
	for _, r := range w.Records() {
		keep(r)
		archive = append(archive, []byte(r.Data))
	}
	page, err := w.M.Audit(ctx, samtest.Auditor, 0, 500)
	if err != nil {
		t.Fatal(err)
	}
	keep(page)
	for _, text := range archive {
		if holdsKey(text, blob) {
			t.Errorf("a key, wrapped, in %.200s", text)
		}
	}
	for _, planted := range []string{
		string(blob), hex.EncodeToString(blob), base64.StdEncoding.EncodeToString(blob),
		base64.RawURLEncoding.EncodeToString(append([]byte("x"), blob...)), base64.StdEncoding.EncodeToString(append([]byte("xy"), blob...)),
	} {
		if !holdsKey([]byte("before"+planted+"after"), blob) {
			t.Errorf("the search misses %.40q", planted)
		}
	}
}

// KPR-07, KPR-09: of a destroyed key no copy stays in its record.
func TestKPR09NothingStaysOfADestroyedKey(t *testing.T) {
	w := samtest.New(t)
	anna := w.NewSigner("anna", algo.P256)
	blob := wrappedBlob(t, w, anna.Key)
	if err := w.Destroy(anna.Key); err != nil {
		t.Fatal(err)
	}
	if left := wrappedBlob(t, w, anna.Key); len(left) != 0 {
		t.Errorf("%d octets are left in the record, of %d", len(left), len(blob))
	}
}
