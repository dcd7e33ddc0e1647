package sam

import (
	"fmt"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// makeRoom ends the oldest offer that nobody has approved for a new one: there is no key, and
// who looks at requests and goes away is not kept from signing for it. It refuses when all
// are keys, or about to be.
func (w *work) makeRoom(live []*Once) error {
	var oldest *Once
	for _, o := range live {
		if o.State == OnceRequested && (oldest == nil || o.Seq < oldest.Seq) {
			oldest = o
		}
	}
	if oldest == nil {
		return fmt.Errorf("%w: signer has %d one-time keys", sap.ReasonTooMany, len(live))
	}
	if err := w.m.verified(w.Tx, oldest, false); err != nil {
		return err
	}
	return w.moveOnce(oldest, OnceDestroyed, EventDestroyed, audit.Data{"cause": causeNewer})
}
