package sam_test

import (
	"context"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
)

// KPR-07: whoever watches the module sees how many revoked keys wait for two officers to
// destroy them, and since when the first does: from its revocation, whatever happens to its
// record meanwhile, until it is destroyed. Keys in use, on hold, expired or destroyed do
// not wait.
func TestKPR07KeysThatWaitForDestruction(t *testing.T) {
	w := samtest.New(t)
	ctx := context.Background()
	var key []string
	for _, id := range []string{"alice", "bob", "carol", "dora"} {
		key = append(key, w.NewSigner(id, algo.P256).Key)
	}
	set := func(key, status string) {
		t.Helper()
		if _, err := w.M.SetCertificateStatus(ctx, samtest.Officer, key, status, "test"); err != nil {
			t.Fatal(err)
		}
	}
	want := func(n int64, since time.Time) {
		t.Helper()
		ms := int64(0)
		if n != 0 {
			ms = since.UnixMilli()
		}
		for _, c := range []sam.Caller{samtest.Officer, samtest.Admin, samtest.Watch, samtest.Auditor} {
			st, err := w.M.Status(ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			if st.ToDestroy != (sam.WaitingKeys{Count: n, Since: ms}) {
				t.Errorf("%s sees %+v, want %d since %d", c.Role, st.ToDestroy, n, ms)
			}
		}
	}
	want(0, time.Time{})
	set(key[3], sam.StatusOnHold)
	want(0, time.Time{})
	first := w.Clock.Now()
	set(key[0], sam.StatusRevoked)
	w.Clock.Advance(time.Hour)
	second := w.Clock.Now()
	set(key[1], sam.StatusRevoked)
	set(key[3], sam.StatusRevoked)
	want(3, first)
	if _, err := w.Try(sam.DecideRotate, sam.RotateKEK{From: kekOf(t, w), Why: "yearly"}); err != nil { // each key is wrapped anew
		t.Fatal(err)
	}
	want(3, first)
	if err := w.M.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	want(3, first)
	if err := w.Destroy(key[0]); err != nil {
		t.Fatal(err)
	}
	want(2, second)
	for _, k := range []string{key[1], key[2], key[3]} { // two that wait and one in use
		if err := w.Destroy(k); err != nil {
			t.Fatal(err)
		}
	}
	want(0, time.Time{})
}
