package signapp

import "testing"

// T18: unless set, a signer's bound has room to look at the largest documents that the service takes.
func TestT18TheSignersBoundHoldsTheLargestDocuments(t *testing.T) {
	for _, c := range []struct{ document, client, want int64 }{
		{100 << 20, 1 << 40, 1 << 30},
		{2 << 30, 1 << 40, 8 << 30},
		{2 << 30, 5 << 30, 5 << 30},
	} {
		if got := signerBytes(Limits{Document: c.document, ClientBytes: c.client}); got != c.want {
			t.Errorf("documents of %d, clients with %d: %d, want %d", c.document, c.client, got, c.want)
		}
	}
}
