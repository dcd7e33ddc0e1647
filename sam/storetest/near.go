package storetest

import (
	"testing"

	"github.com/assent-sign/assent/sam"
)

// near: ids are found by what is left of them without case and punctuation (ROL-03).
func near(t *testing.T, open Open) {
	s := open(t)
	update(t, s, func(tx *sam.Tx) error {
		for _, id := range []string{"A.n_n:a#1@x-2", "ANNA1X2", "anna1x2", "anna1x", "1"} {
			g := *make1().sgn
			g.ID = id
			if err := tx.Signers.Insert(&g); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *sam.Tx) error {
		same(t, "three of them, two are told", []string{"A.n_n:a#1@x-2", "ANNA1X2"})(tx.Signers.Near("anna1x2"))
		same(t, "one", []string{"anna1x"})(tx.Signers.Near("anna1x"))
		same(t, "a number", []string{"1"})(tx.Signers.Near("1"))
		for _, plain := range []string{"", "anna", "ANNA1X2", "%", "anna1x%"} {
			if list, err := tx.Signers.Near(plain); err != nil || len(list) != 0 {
				t.Errorf("%q: %v, %v", plain, list, err)
			}
		}
		return nil
	})
}
