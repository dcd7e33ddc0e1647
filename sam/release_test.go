package sam_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// startOf reads what the last start put on record about itself.
func startOf(t *testing.T, w *samtest.World) (release int, program, config string) {
	t.Helper()
	var d struct {
		Release         int
		Program, Config string
	}
	if err := json.Unmarshal([]byte(lastOf(t, w, sam.EventStart).Data), &d); err != nil {
		t.Fatal(err)
	}
	return d.Release, d.Program, d.Config
}

// FPT-06: each start records its release and the digests of program and configuration;
// an older release is refused on the records of a newer one, again and again, with its
// reason; the newer one goes on.
func TestFPT06DowngradeIsRefused(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.Release = 2 })
	alice := w.NewSigner("alice", algo.P256)
	sum := sha256.Sum256([]byte("the program of " + samtest.Cluster))
	release, program, config := startOf(t, w)
	if release != 2 || program != hex.EncodeToString(sum[:]) || len(config) != 64 {
		t.Errorf("the start is recorded with release %d, program %s, configuration %s", release, program, config)
	}
	for _, r := range []int{3, 3, 4} { // newer ones open
		w.Stop()
		w.Cfg.Release = r
		if err := w.Open(); err != nil {
			t.Fatalf("release %d: %v", r, err)
		}
	}
	for _, r := range []int{3, 1} {
		w.Stop()
		w.Cfg.Release = r
		if err := w.Open(); !errors.Is(err, sam.ErrOpen) || !strings.Contains(err.Error(), "of release 4") || !strings.Contains(err.Error(), "downgrade") {
			t.Errorf("release %d on the records of 4: %v", r, err)
		}
		w.Cfg.Release = 4
		if err := w.Open(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
		t.Error(err)
	}
	w.Check()
}

// FPT-06, ROL-04: two officers of the newer release let one older release start,
// and no older one than that; the decision is over when the newer one starts again.
func TestFPT06TwoOfficersAllowAnOlderOne(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.Release = 5 })
	ctx := context.Background()
	for _, bad := range []sam.Downgrade{{Release: 5, Why: "x"}, {Release: 6, Why: "x"}, {Release: 0, Why: "x"}, {Release: 3}, {Release: 3, Why: "\x00"}} {
		refused(t, w, sap.ReasonInvalid, func() error {
			_, err := w.M.Propose(ctx, samtest.Officer, sam.DecideDowngrade, w.Args(bad))
			return err
		})
	}
	p, err := w.M.Propose(ctx, samtest.Officer, sam.DecideDowngrade, w.Args(sam.Downgrade{Release: 3, Why: "the new one is slow"}))
	if err != nil {
		t.Fatal(err)
	}
	start := func(release int, want bool) {
		t.Helper()
		w.Stop()
		w.Cfg.Release = release
		err := w.Open()
		if (err == nil) != want || (err != nil && !errors.Is(err, sam.ErrOpen)) {
			t.Fatalf("release %d: %v", release, err)
		}
		if err != nil {
			w.Cfg.Release = 5
			if err := w.Open(); err != nil {
				t.Fatal(err)
			}
		}
	}
	start(3, false) // one officer is not enough
	refused(t, w, sap.ReasonSecond, func() error { _, err := w.M.Approve(ctx, samtest.Officer, p.ID); return err })
	if _, err := w.M.Approve(ctx, samtest.Second, p.ID); err != nil {
		t.Fatal(err)
	}
	if rec := lastOf(t, w, sam.EventDowngrade); !strings.Contains(rec.Data, "the new one is slow") {
		t.Errorf("record: %+v", rec)
	}
	w.Stop()
	w.Cfg.Release = 2
	if err := w.Open(); !errors.Is(err, sam.ErrOpen) {
		t.Fatalf("older than what was allowed: %v", err)
	}
	w.Cfg.Release = 3
	if err := w.Open(); err != nil {
		t.Fatalf("what was allowed: %v", err)
	}
	start(5, true)
	start(3, false) // once
}
