package samrpc_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap/sapclient"
)

// ROL-04, KPR-07: a random walk over every route by one officer together with every
// other role, but without a second officer, destroys no long-term key: whatever the
// calls, each key that ever was is there with its wrapped octets.
func TestROL04OneOfficerDestroysNoKeyByAnyRoute(t *testing.T) {
	if planted {
		return // about the other hole
	}
	done := map[sam.Op]int{}
	revoked, kept := 0, 0
	for seed := range uint64(4) {
		k := newWalker(t, 4711+seed)
		alone := k.certs[sam.RoleOfficer][0]
		k.certs[sam.RoleOfficer] = []*x509.Certificate{alone, alone} // the second officer is not there
		k.begin(alone)
		routes := samrpc.Routes()
		for _, rt := range samrpc.Routes() {
			switch rt.Op {
			case sam.OpPropose, sam.OpApprove:
				routes = append(routes, rt, rt, rt)
			case sam.OpReopen, sam.OpKeyStatus:
				routes = append(routes, rt)
			}
		}
		for k.calls < 400 {
			if k.rnd.IntN(25) == 0 {
				k.honest()
			}
			k.step(routes)
		}
		for op, n := range k.done {
			done[op] += n
		}
		err := k.Store.View(context.Background(), func(tx *sam.Tx) error {
			for _, s := range []string{"alice", "bob", "carol"} {
				list, err := tx.Credentials.BySigner(s)
				if err != nil {
					return err
				}
				for _, c := range list {
					kept++
					if c.State == sam.KeyRevoked {
						revoked++
					}
					if c.State == sam.KeyDestroyed || len(c.Blob) < 32 {
						t.Errorf("seed %d: key %s of %s is %s, %d octets are left", seed, c.Key, s, c.State, len(c.Blob))
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w := k.World
		if n := countOf(w, sam.EventApproved); n != 0 {
			t.Errorf("seed %d: %d decisions without a second officer", seed, n)
		}
		if err := k.M.Close(); err != nil {
			t.Fatal(err)
		}
		k.M = nil
	}
	if revoked < 4 || kept < 8 || done[sam.OpApprove] != 0 {
		t.Errorf("%d keys, %d of them revoked, %d approvals", kept, revoked, done[sam.OpApprove])
	}
	t.Logf("%d keys kept, %d of them revoked, %d proposals", kept, revoked, done[sam.OpPropose])
}

// begin has the officer do what is his alone: he revokes one key, and proposes to
// destroy both.
func (k *walker) begin(officer *x509.Certificate) {
	k.t.Helper()
	post := func(path string, op sam.Op, in any) {
		status, out := k.call(officer, "POST", path, body(k.t, in))
		if status != http.StatusOK {
			k.t.Fatalf("%s: %d %s", path, status, out)
		}
		k.harvest(op, out)
	}
	post(sapclient.PathKeyStatus, sam.OpKeyStatus, sapclient.KeyStatusIn{Key: k.victims[0].Key, Status: sam.StatusRevoked, Why: "the CA revoked it"})
	for _, s := range k.victims {
		post(sapclient.PathDecisions, sam.OpPropose, sapclient.ProposeIn{Kind: sam.DecideDestroy, Args: k.Args(k.Destruction(s.Key))})
	}
}

func countOf(w *samtest.World, event string) int {
	n := 0
	for _, r := range w.Records() {
		if r.Type == event {
			n++
		}
	}
	return n
}
