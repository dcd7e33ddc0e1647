package samrpc_test

import (
	"maps"
	mrand "math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
)

// walk runs episodes of random calls, each on a fresh module, until steps calls
// are made.
func walk(t *testing.T, seed uint64, steps int) (calls, signed, accepted int, done map[sam.Op]int, breach []string) {
	t.Helper()
	done = map[sam.Op]int{}
	routes := samrpc.Routes()
	for _, rt := range samrpc.Routes() { // what seldom succeeds, and opens much, is tried more often
		switch rt.Op {
		case sam.OpPropose:
			routes = append(routes, rt, rt, rt)
		case sam.OpWithdraw, sam.OpGenerate, sam.OpLink, sam.OpEnrolFinish, sam.OpReopen:
			routes = append(routes, rt)
		case sam.OpRequest, sam.OpRedeem: // which the whole is about
			routes = append(routes, rt, rt)
		}
	}
	kinds := slices.Sorted(maps.Keys(arguments()))
	order, tried := mrand.New(mrand.NewPCG(seed, 1)).Perm(len(kinds)), 0
	for episode := uint64(0); calls < steps && (!planted || len(breach) == 0); episode++ {
		k := newWalker(t, seed<<20+episode)
		seldom := leastDone(done)
		for i := range uint64(2) { // each kind in turn, early, whatever the seed
			k.decide(kinds[order[(2*episode+i)%uint64(len(order))]])
			tried++
		}
		old := ""
		if episode%3 == 1 {
			old = k.copyDB()
		}
		for todo, disturbed := min(300, steps-calls), false; k.calls < todo && (!planted || len(k.breach) == 0); {
			switch {
			case !disturbed && episode%3 == 1 && k.calls > 150:
				k.restart(old, func(*sam.Config) {})
				disturbed = true
			case !disturbed && episode%3 == 2 && k.calls > 150:
				k.restart("", func(c *sam.Config) { c.LockoutLimit++ })
				disturbed = true
			case disturbed && k.calls > 200 && k.waits():
				if !k.accept() {
					todo = k.calls // nobody is left who could
				}
				accepted++
			}
			if k.rnd.IntN(25) == 0 {
				k.honest()
			}
			if k.rnd.IntN(80) == 0 {
				k.honestOnce()
			}
			if k.rnd.IntN(60) == 0 {
				k.honestChange()
			}
			if k.calls > 220 && k.rnd.IntN(15) == 0 { // late: it ends a victim's keys
				k.conspire()
			}
			if k.rnd.IntN(4) == 0 { // the crowd of others must not keep an operation from its turn
				k.step(seldom)
			} else {
				k.step(routes)
			}
		}
		calls, signed, breach = calls+k.calls, signed+k.signed, append(breach, k.breach...)
		for op, n := range k.done {
			done[op] += n
		}
		if err := k.M.Close(); err != nil {
			t.Fatal(err)
		}
		k.M = nil
	}
	if tried < len(kinds) && !planted {
		t.Errorf("%d of %d kinds of decisions had their turn: walk longer", tried, len(kinds))
	}
	return calls, signed, accepted, done, breach
}

// leastDone are the routes whose operations succeeded least often until now.
func leastDone(done map[sam.Op]int) []samrpc.Route {
	routes := samrpc.Routes()
	slices.SortStableFunc(routes, func(a, b samrpc.Route) int { return done[a.Op] - done[b.Op] })
	return routes[:len(routes)/4]
}

// PRV-01, ROL-05: a random walk over every operation of every privileged role,
// all of them conspiring, finds no sequence of calls that uses a signer's key
// for anything its owner has not approved; honest approvals in the same walk are
// signed. The walk must get somewhere: every operation succeeds at some time.
func TestPRV01RandomWalkFindsNoSignature(t *testing.T) {
	for _, rt := range samrpc.Routes() {
		if _, ok := inputs()[rt.Op]; rt.Method == "POST" && !ok {
			t.Errorf("operation %s cannot be walked: give it a line in inputs", rt.Op)
		}
	}
	for _, kind := range sam.Kinds() {
		if _, ok := arguments()[kind]; !ok {
			t.Errorf("decision %s cannot be walked: give it a line in arguments", kind)
		}
	}
	if t.Failed() {
		return
	}
	seed, steps := uint64(20261121), 4000
	if s := os.Getenv("ASSENT_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	if os.Getenv("ASSENT_SOAK") != "" {
		steps = 400_000
	}
	calls, signed, accepted, done, breach := walk(t, seed, steps)
	t.Logf("seed %d: %d calls of %d operations, %d honest signatures, %d modules that waited for officers, %d breaches", seed, calls, len(done), signed, accepted, len(breach))
	if planted {
		if len(breach) == 0 {
			t.Error("the planted hole was not found: the walk proves nothing")
		}
		t.Logf("found: %s", strings.Join(breach[:min(3, len(breach))], "; "))
		return
	}
	for _, b := range breach {
		t.Error(b)
	}
	if accepted == 0 {
		t.Error("no older database and no other configuration was walked past")
	}
	if signed == 0 {
		t.Error("no honest approval was signed")
	}
	for _, rt := range samrpc.Routes() {
		if done[rt.Op] == 0 {
			t.Errorf("operation %s never succeeded: what it opens was not walked", rt.Op)
		}
	}
}
