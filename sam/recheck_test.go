package sam_test

import (
	"context"
	"errors"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// AUD-05, KPR-03, T33: the administrator of the database edits the audit chain of
// a running module, with all hashes recomputed, without, or cuts it: the next
// write refuses, no key is used, and the module closes at once.
func TestAUD05ChainEditedWhileRunning(t *testing.T) {
	const free = "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete;"
	for name, attack := range map[string]func(t *testing.T, w *samtest.World){
		"edit": func(t *testing.T, w *samtest.World) {
			exec(t, dba(t, w), free+"UPDATE audit SET data = '{}' WHERE seq = 6")
		},
		"edit, hashes recomputed": func(t *testing.T, w *samtest.World) {
			db, list := dba(t, w), w.Records()
			list[6].Data = "{}"
			if _, err := db.Exec(free); err != nil {
				t.Fatal(err)
			}
			for i := 6; i < len(list); i++ {
				list[i].Hash = list[i].Sum(list[i-1].Hash)
				exec(t, db, "UPDATE audit SET data = ?, hash = ? WHERE seq = ?", list[i].Data, list[i].Hash, i)
			}
		},
		"cut": func(t *testing.T, w *samtest.World) {
			exec(t, dba(t, w), free+"DELETE FROM audit WHERE seq > (SELECT max(seq) FROM audit) - 2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t)
			s := w.NewSigner("alice", algo.P256)
			sad, proof := w.Approve(s, 1)
			uses := w.Token.Uses()
			attack(t, w)
			if _, err := w.Redeem(sad, proof); !errors.Is(err, sap.ReasonSeal) && !errors.Is(err, sap.ReasonStore) {
				t.Errorf("got %v", err)
			}
			if w.Token.Uses() != uses {
				t.Error("a key was used")
			}
			if err := w.M.Health(context.Background(), samtest.SSPU); !errors.Is(err, sam.ErrClosed) {
				t.Errorf("the module goes on: %v", err)
			}
		})
	}
}
