// Package storetest is the suite that every driver of sam.Store passes.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sam"
)

// Open opens the store of one test; called again in the same test, after Close,
// it opens the same data.
type Open func(t *testing.T) sam.Store

// Run runs the suite. fresh returns an Open on empty data.
func Run(t *testing.T, fresh func(t *testing.T) Open) {
	for name, f := range map[string]func(*testing.T, Open){
		"RecordsComeBackAsTheyWere": records, "UpdateIsCompareAndSwap": compareAndSwap, "FailedUpdateLeavesNothing": failedUpdate,
		"CommittedDataSurvives": survives, "OneOfManyWins": oneWins, "ReserveNeedsItsBasis": reserve, "Sessions": sessions,
		"AuditChain": auditChain, "Expiries": expiries, "Tombstones": tombstones, "Lists": lists, "Seals": seals, "Near": near,
	} {
		t.Run(name, func(t *testing.T) { f(t, fresh(t)) })
	}
}

func stamp(version int64) sam.Stamp { return sam.Stamp{Seq: 3, Version: version, MAC: []byte{1, 2, 3}} }

var errStop = errors.New("stop")

func update(t *testing.T, s sam.Store, fn func(*sam.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, s sam.Store, fn func(*sam.Tx) error) {
	t.Helper()
	if err := s.View(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// samples are complete records: every column has a value of its own.
type samples struct {
	meta  *sam.Meta
	cond  *sam.Condition
	conf  *sam.Configuration
	ident *sam.Identity
	prop  *sam.Proposal
	sgn   *sam.Signer
	auth  *sam.Authenticator
	guard *sam.Guard
	enrol *sam.Enrolment
	cred  *sam.Credential
	act   *sam.Activation
	succ  *sam.Succession
}

func make1() samples {
	return samples{
		succ: &sam.Succession{Stamp: stamp(1), Epoch: 2, Old: []byte{7}, New: []byte{8}, Statement: "s", Signature: "t", Proof: "u"},
		cond: &sam.Condition{Stamp: stamp(1), Closed: "why", Since: 5, VoidBefore: 6, Config: "d", Restored: 7, StrictBefore: 8},
		conf: &sam.Configuration{
			Stamp: stamp(1), Number: 4, Digest: "d", Document: []byte(`{"a":"1"}`), Accepted: 9, First: "n", Second: "m",
		},
		meta:  &sam.Meta{Stamp: stamp(1), Cluster: "c", Instance: "i", Epoch: 7, StatementKey: []byte{9}, Ceremony: "h"},
		ident: &sam.Identity{Stamp: stamp(1), Name: "n", Person: "p", Role: sam.RoleAuditor, Key: "00ff", State: sam.IdentityActive, Created: 5},
		prop: &sam.Proposal{
			Stamp: stamp(1), ID: "p1", Kind: "k", Args: []byte(`{"a":1}`), State: sam.ProposalPending, By: "n", ByPerson: "p", Second: "m",
			Created: 1, Expires: 2, Decided: 3,
		},
		sgn: &sam.Signer{Stamp: stamp(1), ID: "s1", Name: "Näme", Proof: "p", State: sam.SignerCreated, Created: 6},
		auth: &sam.Authenticator{
			Stamp: stamp(1), Credential: []byte{0, 255}, Signer: "s1", Public: []byte{1}, AAGUID: []byte{2}, BackupEligible: true,
			Attestation: "none", Carrier: "webauthn", Created: 7, Tier: sam.TierAny, Metadata: 8, UsableFrom: 9, Via: sam.ViaCode,
		},
		guard: &sam.Guard{Stamp: stamp(1), Credential: []byte{0, 255}, Signer: "s1", Failures: 2, LockedUntil: 1 << 61, SignCount: 1<<32 - 1, Alarm: sam.AlarmCopy, CountSeq: 3},
		enrol: &sam.Enrolment{
			Stamp: stamp(1), ID: "e1", Signer: "s1", Code: []byte{4}, State: sam.EnrolOpen, Begun: 1, Wrong: 2, Statement: []byte("{}"), Created: 8, Expires: 9,
			Kind: sam.EnrolProofing, Target: []byte{5}, First: "a", Second: "b", Halves: []byte{6}, Taken: 3,
		},
		cred: &sam.Credential{
			Stamp: stamp(1), Key: "k1", Signer: "s1", KeyType: "P-256", Public: []byte{1}, Blob: []byte{2}, KEK: "kek", Carrier: "webauthn",
			State: sam.KeyActive, Raw: true, AuthHash: []byte{3}, Subject: []byte{4}, CSR: []byte{5}, Chain: [][]byte{{6, 7}, {8}}, CertHash: []byte{9}, Created: 10,
		},
		act: &sam.Activation{
			Stamp: stamp(1), Session: []byte{1, 0}, Signer: "s1", NonceHash: []byte{2}, Binding: []byte{3}, Expires: 100, State: sam.ActOpen,
			Redemption: []byte{}, Digests: []byte{}, Answer: []byte{}, Updated: 50,
		},
	}
}

func (x samples) insert(tx *sam.Tx) error {
	return errors.Join(tx.Meta.Insert(x.meta), tx.Condition.Insert(x.cond), tx.Configurations.Insert(x.conf), tx.Successions.Insert(x.succ), tx.Identities.Insert(x.ident), tx.Proposals.Insert(x.prop), tx.Signers.Insert(x.sgn), tx.Authenticators.Insert(x.auth),
		tx.Guards.Insert(x.guard), tx.Enrolments.Insert(x.enrol), tx.Credentials.Insert(x.cred), tx.Activations.Insert(x.act))
}

func same[R any](t *testing.T, what string, want R) func(R, error) {
	return func(got R, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", what, got, err, want)
		}
	}
}

// seals: the records of each kind are walked in the order of their keys, whole; a new seal
// takes the place of the one that was read, and nothing else changes but an enrolment's
// hidden values.
func seals(t *testing.T, open Open) {
	s, x := open(t), make1()
	second := *x.sgn
	second.ID, second.Name = "s2", "Zwei"
	once := &sam.Once{Stamp: stamp(1), Key: "o1", Signer: "s1", Caller: "c", KeyType: "P-256", State: sam.OnceRequested, Created: 1, Expires: 2}
	stone := &sam.Tombstone{Stamp: stamp(1), Key: "k9", Destroyed: 4}
	note := &sam.Notice{Stamp: stamp(1), Signer: "s1", Kind: sam.NoticeAdded, Credential: []byte{1}, Created: 5}
	update(t, s, func(tx *sam.Tx) error {
		return errors.Join(x.insert(tx), tx.Signers.Insert(&second), tx.Onces.Insert(once), tx.Tombstones.Insert(stone), tx.Notices.Insert(note))
	})
	all := []sam.Record{x.meta, x.cond, x.conf, x.succ, x.ident, x.prop, x.sgn, x.auth, x.guard, x.enrol, x.cred, x.act, once, stone, note}
	for _, r := range all {
		kind, was := sam.SealOf(r)
		walked := 0
		update(t, s, func(tx *sam.Tx) error {
			walked = 0
			for at := any(nil); ; walked++ {
				list, err := tx.Seals.After(kind, at, 1)
				if err != nil || len(list) == 0 {
					return err
				}
				at = list[0].Key
				last := list[0].Record
				if walked > 0 { // the second signer
					continue
				}
				if _, got := sam.SealOf(last); !reflect.DeepEqual(got, was) {
					t.Errorf("%s: %+v", kind, last)
				}
				if err := reseal(tx, last, []byte{9, 9}); !errors.Is(err, sam.ErrConflict) {
					t.Errorf("%s: over another seal: %v", kind, err)
				}
				if err := reseal(tx, last, was.MAC); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
				if err := reseal(tx, last, was.MAC); !errors.Is(err, sam.ErrConflict) {
					t.Errorf("%s: twice: %v", kind, err)
				}
			}
		})
		if want := map[string]int{"signer": 2}[kind]; walked != max(want, 1) {
			t.Errorf("%s: %d records", kind, walked)
		}
		view(t, s, func(tx *sam.Tx) error {
			list, err := tx.Seals.After(kind, nil, 1)
			if err != nil || len(list) != 1 {
				t.Fatalf("%s: %v", kind, err)
			}
			_, now := sam.SealOf(list[0].Record)
			if now.Seq != was.Seq || now.Version != was.Version || !bytes.Equal(now.MAC, []byte{4, 5, 6}) {
				t.Errorf("%s: %+v", kind, now)
			}
			if e, ok := list[0].Record.(*sam.Enrolment); ok && (!bytes.Equal(e.Code, []byte{7}) || !bytes.Equal(e.Halves, []byte{8})) {
				t.Errorf("hidden values: %x, %x", e.Code, e.Halves)
			}
			return nil
		})
	}
	if err := s.View(context.Background(), func(tx *sam.Tx) error { _, err := tx.Seals.After("audit", nil, 1); return err }); err == nil {
		t.Error("a kind that has no seals")
	}
}

// reseal gives a record another seal, and an enrolment other hidden values.
func reseal(tx *sam.Tx, r sam.Record, was []byte) error {
	if e, ok := r.(*sam.Enrolment); ok {
		e.Code, e.Halves = []byte{7}, []byte{8}
	}
	reflect.ValueOf(r).Elem().FieldByName("MAC").SetBytes([]byte{4, 5, 6})
	return tx.Seals.Reseal(r, was)
}

func (x samples) check(t *testing.T, tx *sam.Tx) {
	t.Helper()
	same(t, "meta", x.meta)(tx.Meta.Get())
	same(t, "condition", x.cond)(tx.Condition.Get())
	same(t, "configuration", x.conf)(tx.Configurations.Latest(x.conf.Digest))
	same(t, "successions", []*sam.Succession{x.succ})(tx.Successions.List(2))
	same(t, "identity", x.ident)(tx.Identities.Get(x.ident.Name))
	same(t, "proposal", x.prop)(tx.Proposals.Get(x.prop.ID))
	same(t, "signer", x.sgn)(tx.Signers.Get(x.sgn.ID))
	same(t, "authenticator", x.auth)(tx.Authenticators.Get(x.auth.Credential))
	same(t, "guard", x.guard)(tx.Guards.Get(x.guard.Credential))
	same(t, "enrolment", x.enrol)(tx.Enrolments.Get(x.enrol.ID))
	same(t, "credential", x.cred)(tx.Credentials.Get(x.cred.Key))
	same(t, "activation", x.act)(tx.Activations.Get(x.act.Session))
}

func records(t *testing.T, open Open) {
	s := open(t)
	x := make1()
	view(t, s, func(tx *sam.Tx) error {
		for what, err := range map[string]error{
			"meta": second(tx.Meta.Get()), "condition": second(tx.Condition.Get()), "identity": second(tx.Identities.Get("n")), "proposal": second(tx.Proposals.Get("p1")), "signer": second(tx.Signers.Get("s1")),
			"authenticator": second(tx.Authenticators.Get([]byte{0, 255})), "guard": second(tx.Guards.Get([]byte{0, 255})),
			"enrolment": second(tx.Enrolments.Get("e1")), "credential": second(tx.Credentials.Get("k1")), "activation": second(tx.Activations.Get([]byte{1, 0})),
		} {
			if !errors.Is(err, sam.ErrNotFound) {
				t.Errorf("empty store, %s: %v", what, err)
			}
		}
		return nil
	})
	update(t, s, x.insert)
	view(t, s, func(tx *sam.Tx) error { x.check(t, tx); return nil })
	for what, insert := range map[string]func(*sam.Tx) error{
		"meta": func(tx *sam.Tx) error { return tx.Meta.Insert(x.meta) }, "condition": func(tx *sam.Tx) error { return tx.Condition.Insert(x.cond) }, "identity": func(tx *sam.Tx) error { return tx.Identities.Insert(x.ident) },
		"proposal": func(tx *sam.Tx) error { return tx.Proposals.Insert(x.prop) },
		"signer":   func(tx *sam.Tx) error { return tx.Signers.Insert(x.sgn) }, "authenticator": func(tx *sam.Tx) error { return tx.Authenticators.Insert(x.auth) },
		"guard": func(tx *sam.Tx) error { return tx.Guards.Insert(x.guard) }, "enrolment": func(tx *sam.Tx) error { return tx.Enrolments.Insert(x.enrol) },
		"credential": func(tx *sam.Tx) error { return tx.Credentials.Insert(x.cred) }, "activation": func(tx *sam.Tx) error { return tx.Activations.Insert(x.act) },
	} {
		if err := s.Update(context.Background(), insert); !errors.Is(err, sam.ErrConflict) {
			t.Errorf("second %s: %v", what, err)
		}
	}
}

func second[R any](_ R, err error) error { return err }

func compareAndSwap(t *testing.T, open Open) {
	s := open(t)
	x := make1()
	update(t, s, x.insert)
	swap := func(tx *sam.Tx) map[string]error {
		return map[string]error{
			"meta": tx.Meta.Update(x.meta), "condition": tx.Condition.Update(x.cond), "identity": tx.Identities.Update(x.ident), "proposal": tx.Proposals.Update(x.prop), "signer": tx.Signers.Update(x.sgn), "guard": tx.Guards.Update(x.guard),
			"enrolment": tx.Enrolments.Update(x.enrol), "credential": tx.Credentials.Update(x.cred), "activation": tx.Activations.Update(x.act),
		}
	}
	try := func(version int64, want error) {
		t.Helper()
		for _, st := range []*sam.Stamp{&x.meta.Stamp, &x.cond.Stamp, &x.ident.Stamp, &x.prop.Stamp, &x.sgn.Stamp, &x.guard.Stamp, &x.enrol.Stamp, &x.cred.Stamp, &x.act.Stamp} {
			st.Version = version
		}
		_ = s.Update(context.Background(), func(tx *sam.Tx) error {
			for what, err := range swap(tx) {
				if !errors.Is(err, want) {
					t.Errorf("%s to version %d: %v, want %v", what, version, err, want)
				}
			}
			if want != nil {
				return errStop
			}
			return nil
		})
	}
	x.ident.State, x.ident.Key, x.prop.State, x.prop.Second = sam.IdentityRevoked, "", sam.ProposalApproved, "z"
	x.sgn.State, x.guard.Failures, x.enrol.State, x.cred.State, x.cred.Blob, x.act.State = sam.SignerEnrolled, 0, sam.EnrolUsed, sam.KeyDestroyed, []byte{}, sam.ActBurnt
	x.act.Redemption, x.act.Digests, x.act.Answer, x.meta.Epoch = []byte{8}, []byte{9}, bytes.Repeat([]byte{7}, 9000), 8
	x.cond.Closed, x.cond.Since, x.cond.VoidBefore, x.cond.Config = "", 7, 8, "e"
	try(1, sam.ErrConflict)
	try(3, sam.ErrConflict)
	try(2, nil)
	view(t, s, func(tx *sam.Tx) error { x.check(t, tx); return nil })
	try(2, sam.ErrConflict)
	try(3, nil)
}

func failedUpdate(t *testing.T, open Open) {
	s := open(t)
	x := make1()
	err := s.Update(context.Background(), func(tx *sam.Tx) error {
		if err := x.insert(tx); err != nil {
			t.Error(err)
		}
		x.check(t, tx) // it sees its own changes
		return errStop
	})
	if !errors.Is(err, errStop) {
		t.Errorf("got %v", err)
	}
	view(t, s, func(tx *sam.Tx) error {
		if _, err := tx.Signers.Get("s1"); !errors.Is(err, sam.ErrNotFound) {
			t.Errorf("the failed update left a record: %v", err)
		}
		return nil
	})
	if err := s.View(context.Background(), func(tx *sam.Tx) error { return tx.Signers.Insert(x.sgn) }); err == nil {
		t.Error("a view wrote")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Update(ctx, func(*sam.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func survives(t *testing.T, open Open) {
	s := open(t)
	x := make1()
	update(t, s, x.insert)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t)
	view(t, s, func(tx *sam.Tx) error { x.check(t, tx); return nil })
}

// oneWins: many at once swap the same version; exactly one does.
func oneWins(t *testing.T, open Open) {
	s := open(t)
	x := make1()
	update(t, s, x.insert)
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			a := *x.act
			a.State, a.Version, a.Redemption = sam.ActReserved, 2, []byte{byte(i)}
			err := s.Update(context.Background(), func(tx *sam.Tx) error { return tx.Activations.Update(&a) })
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, sam.ErrConflict):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := won.Load(); n != 1 {
		t.Errorf("%d won", n)
	}
}

func reserve(t *testing.T, open Open) {
	s := open(t)
	x := make1()
	update(t, s, x.insert)
	good := sam.Basis{Key: "k1", KeyVersion: 1, Authenticator: []byte{0, 255}, GuardVersion: 1}
	a := *x.act
	a.State, a.Version, a.Redemption, a.Digests, a.Updated = sam.ActReserved, 2, []byte{5}, []byte{6}, 60
	for name, b := range map[string]sam.Basis{
		"key changed":   {Key: "k1", KeyVersion: 2, Authenticator: good.Authenticator, GuardVersion: 1},
		"guard changed": {Key: "k1", KeyVersion: 1, Authenticator: good.Authenticator, GuardVersion: 2},
		"no such key":   {Key: "k2", KeyVersion: 1, Authenticator: good.Authenticator, GuardVersion: 1},
		"no such guard": {Key: "k1", KeyVersion: 1, Authenticator: []byte{1}, GuardVersion: 1},
	} {
		if err := s.Update(context.Background(), func(tx *sam.Tx) error { return tx.Activations.Reserve(&a, b) }); !errors.Is(err, sam.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	update(t, s, func(tx *sam.Tx) error { return tx.Activations.Reserve(&a, good) })
	view(t, s, func(tx *sam.Tx) error {
		same(t, "reserved", &a)(tx.Activations.Get(a.Session))
		return nil
	})
	a.Version = 3 // right version, but not open any more
	if err := s.Update(context.Background(), func(tx *sam.Tx) error { return tx.Activations.Reserve(&a, good) }); !errors.Is(err, sam.ErrConflict) {
		t.Errorf("reserved twice: %v", err)
	}
}

func sessions(t *testing.T, open Open) {
	s := open(t)
	add := func(id byte, signer, state string, expires, updated int64) {
		update(t, s, func(tx *sam.Tx) error {
			a := *make1().act
			a.Session, a.Signer, a.State, a.Expires, a.Updated = []byte{id}, signer, state, expires, updated
			return tx.Activations.Insert(&a)
		})
	}
	add(1, "s1", sam.ActOpen, 100, 10)
	add(2, "s1", sam.ActOpen, 200, 10)
	add(3, "s2", sam.ActOpen, 200, 10)
	add(4, "s1", sam.ActReserved, 200, 10)
	add(5, "s1", sam.ActConsumed, 200, 10)
	add(6, "s1", sam.ActBurnt, 200, 90)
	view(t, s, func(tx *sam.Tx) error {
		for now, want := range map[int64]int{50: 2, 99: 2, 100: 1, 200: 0} {
			if n, err := tx.Sessions.CountOpen("s1", now); err != nil || n != want {
				t.Errorf("open at %d: %d, %v, want %d", now, n, err, want)
			}
		}
		for limit, want := range map[int]int{1: 1, 9: 2} {
			open, err := tx.Sessions.OpenOf("s1", 50, limit)
			if err != nil || len(open) != want || open[0].State != sam.ActOpen || open[0].Signer != "s1" {
				t.Errorf("open ones, limit %d: %v, %v", limit, open, err)
			}
		}
		list, err := tx.Sessions.Reserved(10)
		if err != nil || len(list) != 1 || list[0].Session[0] != 4 {
			t.Errorf("reserved: %v, %v", list, err)
		}
		return nil
	})
	purge := func(open, done int64, limit int) (n int64) {
		update(t, s, func(tx *sam.Tx) error {
			var err error
			n, err = tx.Sessions.Purge(open, done, limit)
			return err
		})
		return n
	}
	if n := purge(100, 10, 100); n != 0 {
		t.Errorf("purged %d too early", n)
	}
	if n := purge(101, 50, 1); n != 1 {
		t.Errorf("purged %d, want the oldest one", n)
	}
	if n := purge(101, 50, 100); n != 1 {
		t.Errorf("purged %d, want the old consumed one", n)
	}
	if n := purge(1000, 1000, 100); n != 3 {
		t.Errorf("purged %d, want all but the reserved one", n)
	}
	view(t, s, func(tx *sam.Tx) error {
		if _, err := tx.Activations.Get([]byte{4}); err != nil {
			t.Errorf("a reserved session was purged: %v", err)
		}
		return nil
	})
}

func expiries(t *testing.T, open Open) {
	s := open(t)
	update(t, s, func(tx *sam.Tx) error {
		return errors.Join(tx.Expiries.Put("k-2", 100), tx.Expiries.Put("k-1", 100), tx.Expiries.Put("k-3", 50), tx.Expiries.Put("k-3", 60),
			tx.Expiries.Put("k-4", 10), tx.Expiries.Drop("k-4"), tx.Expiries.Drop("nobody"))
	})
	view(t, s, func(tx *sam.Tx) error {
		for _, c := range []struct {
			now   int64
			limit int
			want  []string
		}{{59, 9, nil}, {60, 9, []string{"k-3"}}, {100, 9, []string{"k-3", "k-1", "k-2"}}, {1000, 2, []string{"k-3", "k-1"}}} {
			if got, err := tx.Expiries.Due(c.now, c.limit); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("due at %d: %v, %v, want %v", c.now, got, err, c.want)
			}
		}
		return nil
	})
}

func auditChain(t *testing.T, open Open) {
	s := open(t)
	now := time.UnixMilli(5)
	for i := range 10 {
		update(t, s, func(tx *sam.Tx) error {
			e := audit.Entry{Type: "act", Outcome: audit.OK, Data: audit.Data{"obj": fmt.Sprint("key:", i%3), "guard": "guard:g"}}
			if i == 0 {
				e.Type, e.Data["chain"] = audit.TypeStart, "c"
			}
			_, err := audit.Append(tx.Audit, now, e)
			return err
		})
		// A failed function after a good one must not leave its record's number used.
		_ = s.Update(context.Background(), func(tx *sam.Tx) error {
			if _, err := audit.Append(tx.Audit, now, audit.Entry{Type: "lost", Outcome: audit.OK, Data: audit.Data{"obj": "key:lost"}}); err != nil {
				t.Error(err)
			}
			return errStop
		})
	}
	view(t, s, func(tx *sam.Tx) error {
		list, err := tx.Audit.Page(0, 100)
		if err != nil || len(list) != 10 {
			t.Fatalf("%d records, %v", len(list), err)
		}
		if _, err := audit.Verify(func(yield func(audit.Record, error) bool) {
			for _, r := range list {
				if !yield(r, nil) {
					return
				}
			}
		}); err != nil {
			t.Error(err)
		}
		for object, want := range map[string]int64{"key:0": 9, "key:1": 7, "key:2": 8, "guard:g": 9, "key:lost": -1, "": -1} {
			if n, err := tx.Audit.LastOf(object); err != nil || n != want {
				t.Errorf("last of %q: %d, %v, want %d", object, n, err, want)
			}
		}
		if page, err := tx.Audit.Page(8, 1); err != nil || len(page) != 1 || page[0].Seq != 8 {
			t.Errorf("page: %v, %v", page, err)
		}
		for _, c := range []struct {
			q           sam.AuditQuery
			from, to    int64
			limit, want int
		}{
			{sam.AuditQuery{}, 0, 100, 100, 10}, {sam.AuditQuery{}, 3, 5, 100, 2}, {sam.AuditQuery{}, 0, 100, 4, 4}, {sam.AuditQuery{Type: "act"}, 0, 100, 100, 9},
			{sam.AuditQuery{Since: now}, 0, 100, 100, 10}, {sam.AuditQuery{Until: now}, 0, 100, 100, 0}, {sam.AuditQuery{Identity: "x"}, 0, 100, 100, 0},
		} {
			if found, err := tx.AuditSearch.Find(c.q, c.from, c.to, c.limit); err != nil || len(found) != c.want {
				t.Errorf("%+v: %d records, %v", c, len(found), err)
			}
		}
		return nil
	})
	if err := s.Update(context.Background(), func(tx *sam.Tx) error {
		return tx.Audit.Insert(audit.Record{Seq: 4, Type: "x", Outcome: audit.OK, Data: "{}", Hash: []byte{1}})
	}); !errors.Is(err, sam.ErrConflict) {
		t.Errorf("a record was replaced: %v", err)
	}
}

func tombstones(t *testing.T, open Open) {
	s := open(t)
	a := &sam.Tombstone{Stamp: sam.Stamp{Seq: 5, Version: 1, MAC: []byte{1}}, Key: "k-b", Destroyed: 9}
	b := &sam.Tombstone{Stamp: sam.Stamp{Seq: 9, Version: 1, MAC: []byte{2}}, Key: "k-a", Destroyed: 10}
	update(t, s, func(tx *sam.Tx) error { return errors.Join(tx.Tombstones.Insert(b), tx.Tombstones.Insert(a)) })
	if err := s.Update(context.Background(), func(tx *sam.Tx) error { return tx.Tombstones.Insert(a) }); !errors.Is(err, sam.ErrConflict) {
		t.Errorf("second insert: %v", err)
	}
	view(t, s, func(tx *sam.Tx) error {
		if n, err := tx.Tombstones.Count(); err != nil || n != 2 {
			t.Errorf("%d, %v", n, err)
		}
		same(t, "all", []*sam.Tombstone{a, b})(tx.Tombstones.After(-1, 10))
		same(t, "after 5", []*sam.Tombstone{b})(tx.Tombstones.After(5, 10))
		same(t, "first", []*sam.Tombstone{a})(tx.Tombstones.After(-1, 1))
		return nil
	})
}

func lists(t *testing.T, open Open) {
	s := open(t)
	update(t, s, func(tx *sam.Tx) error {
		for _, id := range []string{"s1", "s2"} {
			g := *make1().sgn
			g.ID = id
			if err := tx.Signers.Insert(&g); err != nil {
				return err
			}
		}
		for i, name := range []string{"c", "a", "b"} {
			n, p := *make1().ident, *make1().prop
			n.Name, p.ID, p.Created = name, name, int64(i+1)
			if i == 1 {
				p.State = sam.ProposalApproved
			}
			if err := errors.Join(tx.Identities.Insert(&n), tx.Proposals.Insert(&p)); err != nil {
				return err
			}
		}
		for i, owner := range []string{"s1", "s2", "s1"} {
			a, c, e := *make1().auth, *make1().cred, *make1().enrol
			a.Credential, a.Signer = []byte{byte(9 - i)}, owner
			c.Key, c.Signer, c.Public, c.Created = fmt.Sprint("k", i), owner, []byte{byte(i)}, int64(10-i)
			e.ID, e.Signer = fmt.Sprint("e", i), owner
			if i == 2 {
				e.State = sam.EnrolClosed
			}
			if err := errors.Join(tx.Authenticators.Insert(&a), tx.Credentials.Insert(&c), tx.Enrolments.Insert(&e)); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx *sam.Tx) error {
		auths, err := tx.Authenticators.BySigner("s1")
		if err != nil || len(auths) != 2 || auths[0].Credential[0] != 7 || auths[1].Credential[0] != 9 {
			t.Errorf("authenticators %v, %v", auths, err)
		}
		keys, err := tx.Credentials.BySigner("s1")
		if err != nil || len(keys) != 2 || keys[0].Key != "k2" || keys[1].Key != "k0" {
			t.Errorf("credentials %v, %v", keys, err)
		}
		idents, err := tx.Identities.List(2)
		if err != nil || len(idents) != 2 || idents[0].Name != "a" || idents[1].Name != "b" {
			t.Errorf("identities %v, %v", idents, err)
		}
		for state, want := range map[string]int{"": 3, sam.ProposalPending: 2, sam.ProposalExpired: 0} {
			got, err := tx.Proposals.List(state, 9)
			if err != nil || len(got) != want || len(got) > 0 && got[0].Created != 3 {
				t.Errorf("proposals in state %q: %v, %v", state, got, err)
			}
		}
		if one, err := tx.Proposals.List("", 1); err != nil || len(one) != 1 {
			t.Errorf("proposals, one of them: %v, %v", one, err)
		}
		same(t, "open enrolments", []string{"e0"})(tx.Enrolments.OpenOf("s1"))
		return nil
	})
}
