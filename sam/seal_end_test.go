package sam_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// endsLater seals everything anew, sees that the old epoch does not end as long as
// something is in the way of the anchor, and ends it after repair and a kill.
func endsLater(t *testing.T, w *samtest.World, s *samtest.Signer, repair func()) {
	t.Helper()
	rotateSeal(t, w)
	var err error
	for range 50 {
		if _, err = w.M.Reseal(context.Background()); err != nil {
			break
		}
	}
	if low, now := sealsOf(t, w); err == nil || low != 1 || now != 2 || count(w, sam.EventResealed) != 0 {
		t.Errorf("epochs %d to %d, %v", low, now, err)
	}
	w.Stop()
	repair()
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	resealAll(t, w)
	w.Crash()
	if low, now := sealsOf(t, w); low != 2 || now != 2 || count(w, sam.EventResealed) != 1 {
		t.Errorf("epochs %d to %d", low, now)
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Error(err)
	}
	w.Check()
}

// KPR-06, FPT-05: the old epoch ends only when the anchor is sealed under the new one: an
// anchor that could not be replaced since the change is one that the next start reads.
func TestKPR06SealEndsOnlyUnderItsAnchor(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	if err := os.Mkdir(w.Cfg.AnchorPath+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	endsLater(t, w, s, func() { remove(t, w.Cfg.AnchorPath+".new") })
}

// KPR-06, KEY-09: a tombstone that somebody wrote into the database holds up the anchor and
// with it the end of the old epoch; when it is repaired the module opens and goes on.
func TestKPR06SealForgedTombstoneLocksNobodyOut(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	exec(t, dba(t, w), "INSERT INTO tombstone (key, destroyed, seq, version, mac) VALUES ('k-none', 1, 1, 1, x'00')")
	endsLater(t, w, s, func() { quick(t, w, "DROP TRIGGER tombstone_no_delete; DELETE FROM tombstone WHERE key = 'k-none'") })
}

// KPR-06, KPR-03, T33: a row that somebody made unreadable does not keep the old epoch
// alive: it is on record by its name, keeps its seal, is refused when used, before and
// afterwards, and neither the walk nor another signer is held up by it.
func TestKPR06SealUnreadableRowHoldsUpNothing(t *testing.T) {
	for name, c := range map[string]struct {
		table, where, spoil string
		record              string
		used                bool // by alice's signature
	}{
		"a truth that is none":    {"authenticator", "signer = 'alice'", "UPDATE authenticator SET backup_eligible = 2 WHERE signer = 'alice'", `"authenticator:`, true},
		"a chain that is none":    {"credential", "signer = 'alice'", "UPDATE credential SET chain = x'ff' WHERE signer = 'alice'", `"credential:k-`, true},
		"a key's truth":           {"credential", "signer = 'alice'", "UPDATE credential SET raw = 7 WHERE signer = 'alice'", `"credential:k-`, true},
		"a one-time key's chain":  {"onetime", "1", "UPDATE onetime SET chain = x'ff'", `"onetime:`, false},
		"a name that is no text":  {"proposal", "id = CAST(x'ff' AS TEXT)", "UPDATE proposal SET id = CAST(x'ff' AS TEXT) WHERE id = (SELECT min(id) FROM proposal)", `"proposal:?"`, false},
		"the last one of a table": {"signer", "id = CAST(x'ff' AS TEXT)", "INSERT INTO signer (id, name, proof, state, created, seq, version, mac) SELECT CAST(x'ff' AS TEXT), name, proof, state, created, seq, version, mac FROM signer WHERE id = 'alice'", `"signer:?"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOnceWorld(t)
			w, alice := o.World, o.alice
			w.NewKey(alice, algo.P256)
			bob := w.NewSigner("bob", algo.P256)
			o.ask()
			var held, more [2][]byte
			held[0], held[1] = w.Approve(alice, 1)
			more[0], more[1] = w.Approve(alice, 1)
			rotateSeal(t, w)
			exec(t, dba(t, w), c.spoil)
			was, uses := sealed(t, w, c.table, c.where), w.Token.Uses()
			if _, err := w.Redeem(held[0], held[1]); c.used && (err == nil || w.Token.Uses() != uses) {
				t.Errorf("used in between: %v", err)
			}
			resealAll(t, w)
			if low, now := sealsOf(t, w); low != 2 || now != 2 || count(w, sam.EventNotResealed) != 1 {
				t.Errorf("epochs %d to %d, %d refused", low, now, count(w, sam.EventNotResealed))
			}
			if r := last(w, sam.EventNotResealed); !contains(r.Data, `"record":`+c.record) || r.Reason != string(sap.ReasonSeal) {
				t.Errorf("record %s", r.Data)
			}
			if now := sealed(t, w, c.table, c.where); string(now) != string(was) || seals(t, w)[1] != 1 {
				t.Errorf("sealed under epoch %d, records by epoch: %v", sealedUnder(now), seals(t, w))
			}
			uses = w.Token.Uses()
			if _, err := w.Redeem(more[0], more[1]); c.used && (err == nil || w.Token.Uses() != uses) {
				t.Errorf("used afterwards: %v", err)
			}
			if _, err := w.Redeem(w.Approve(bob, 1)); err != nil {
				t.Error(err)
			}
		})
	}
}

// KPR-06, AUD-01: an order to end an epoch that was killed before its record is recorded
// by its repetition, which finds nothing left to end and says so.
func TestKPR06SealDestroyedBeforeIsOnRecord(t *testing.T) {
	w := samtest.New(t)
	rotateSeal(t, w)
	resealAll(t, w)
	ended := cryptotoken.KeyRef{Label: "assent-seal-epoch/" + samtest.Cluster + "/1-ended"}
	if _, err := w.Token.CreateKey(context.Background(), ended, algo.P256); err != nil {
		t.Fatal(err)
	}
	w.Crash()
	if _, err := w.Try(sam.DecideSealEnd, sam.DestroySeal{Epoch: 1, Why: "again", WithoutBackup: true}); !errors.Is(err, sap.ReasonState) {
		t.Errorf("destroyed twice: %v", err)
	}
	if r := last(w, sam.EventSealKeyDestroyed); count(w, sam.EventSealKeyDestroyed) != 1 || !contains(r.Data, `"through":1`) || !contains(r.Data, `"epochs":[]`) {
		t.Errorf("%+v", r)
	}
}
