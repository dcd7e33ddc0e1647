package sam_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// AUD-07: an auditor finds records by date, type and identity, of who acted or of
// the signer whom they are about; pages are bounded and go on; the search finds what a
// reader of the whole chain finds; nobody else may search, and every page is on
// record with what was looked for.
func TestAUD07Search(t *testing.T) {
	w := samtest.New(t)
	start := w.Clock.Now()
	alice := w.NewSigner("alice", algo.P256)
	w.Clock.Advance(24 * time.Hour)
	w.NewSigner("bob", algo.P256)
	for range 3 {
		if _, err := w.Redeem(w.Approve(alice, 1)); err != nil {
			t.Fatal(err)
		}
	}
	day := start.Add(12 * time.Hour)
	nobody := map[string]bool{"a part of a name": true, "SQL": true}
	for name, c := range map[string]struct {
		q    sam.AuditQuery
		fits func(r audit.Record, signer string) bool
	}{
		"everything": {sam.AuditQuery{}, func(audit.Record, string) bool { return true }},
		"type":       {sam.AuditQuery{Type: sam.EventReserved}, func(r audit.Record, _ string) bool { return r.Type == sam.EventReserved }},
		"who acted":  {sam.AuditQuery{Identity: "officer-1"}, func(r audit.Record, _ string) bool { return r.Actor == "officer:officer-1" }},
		"the signer": {sam.AuditQuery{Identity: "bob"}, func(_ audit.Record, signer string) bool { return signer == "bob" }},
		"the module": {sam.AuditQuery{Identity: "samd"}, func(r audit.Record, _ string) bool { return r.Actor == "samd" }},
		"since":      {sam.AuditQuery{Since: day}, func(r audit.Record, _ string) bool { return r.Time >= day.UnixMilli() }},
		"until":      {sam.AuditQuery{Until: day}, func(r audit.Record, _ string) bool { return r.Time < day.UnixMilli() }},
		"all of it": {sam.AuditQuery{Since: day, Until: day.Add(24 * time.Hour), Type: sam.EventSigned, Identity: "alice"},
			func(r audit.Record, signer string) bool { return r.Type == sam.EventSigned && signer == "alice" }},
		"a part of a name": {sam.AuditQuery{Identity: "officer"}, func(audit.Record, string) bool { return false }},
		"SQL":              {sam.AuditQuery{Identity: "' OR 1=1 --", Type: "%"}, func(audit.Record, string) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []int64
			for _, r := range w.Records() {
				var d struct {
					Signer string `json:"signer"`
				}
				if err := json.Unmarshal([]byte(r.Data), &d); err != nil {
					t.Fatal(err)
				}
				if c.fits(r, d.Signer) {
					want = append(want, r.Seq)
				}
			}
			var got []int64
			pages := 0
			for from := int64(0); from >= 0; pages++ {
				found, err := w.M.SearchAudit(context.Background(), samtest.Auditor, c.q, from, 7)
				if err != nil || len(found.Records) > 7 || (found.Next >= 0 && found.Next <= from) {
					t.Fatalf("page from %d: %+v, %v", from, found, err)
				}
				for _, r := range found.Records {
					got = append(got, r.Seq)
				}
				from = found.Next
			}
			got = got[:min(len(got), len(want))] // its own records came behind
			if !slices.Equal(got, want) || (len(want) == 0) != nobody[name] {
				t.Errorf("got %v, want %v", got, want)
			}
			if rec := lastOf(t, w, sam.EventAuditRead); rec.Actor != "auditor:auditor-1" || (c.q.Identity != "" && !strings.Contains(rec.Data, "identity")) {
				t.Errorf("the read is recorded as %+v", rec)
			}
		})
	}
	for _, role := range []sam.Caller{samtest.SSPU, samtest.Officer, samtest.Admin, samtest.Watch, samtest.RA} {
		refused(t, w, sap.ReasonRole, func() error {
			_, err := w.M.SearchAudit(context.Background(), role, sam.AuditQuery{}, 0, 1)
			return err
		})
	}
	for _, bad := range []struct {
		q           sam.AuditQuery
		from, limit int64
	}{{from: -1, limit: 1}, {limit: 0}, {limit: sam.MaxAuditPage + 1}, {q: sam.AuditQuery{Type: strings.Repeat("x", 200)}, limit: 1}, {from: 1 << 60, limit: 1}} {
		refused(t, w, sap.ReasonInvalid, func() error {
			_, err := w.M.SearchAudit(context.Background(), samtest.Auditor, bad.q, bad.from, int(bad.limit))
			return err
		})
	}
}
