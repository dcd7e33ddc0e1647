package sam

import (
	"errors"
	"testing"

	"github.com/assent-sign/assent/sap"
)

// AFL-01: a guard at its bounds: the limit, the time of a lock to the second, and a lock
// that only an officer ends.
func TestAFL01GuardToTheSecond(t *testing.T) {
	for what, c := range map[string]struct {
		before  Guard
		now     int64
		seconds int64
		after   Guard
	}{
		"the first of two":            {Guard{}, 100, 1, Guard{Failures: 1}},
		"the second of two":           {Guard{Failures: 1}, 100, 1, Guard{Failures: 2, LockedUntil: 101}},
		"for ever":                    {Guard{Failures: 1}, 100, 0, Guard{Failures: 2, LockedUntil: forever}},
		"within a lock":               {Guard{Failures: 2, LockedUntil: 101}, 100, 60, Guard{Failures: 3, LockedUntil: 160}},
		"in the second after a lock":  {Guard{Failures: 2, LockedUntil: 100}, 100, 60, Guard{Failures: 1}},
		"long after a lock":           {Guard{Failures: 9, LockedUntil: 1}, 100, 60, Guard{Failures: 1}},
		"an alarm stays":              {Guard{Alarm: AlarmCopy}, 100, 60, Guard{Failures: 1, Alarm: AlarmCopy}},
		"the count of a lock is kept": {Guard{Failures: 5}, 100, 60, Guard{Failures: 6, LockedUntil: 160}},
	} {
		g := c.before
		g.fail(c.now, 2, c.seconds)
		if g.Failures != c.after.Failures || g.LockedUntil != c.after.LockedUntil || g.Alarm != c.after.Alarm {
			t.Errorf("%s: %+v, want %+v", what, g, c.after)
		}
	}
	for what, c := range map[string]struct {
		g    Guard
		now  int64
		want bool
	}{
		"never":              {Guard{}, 0, false},
		"in the last second": {Guard{LockedUntil: 100}, 99, true},
		"over":               {Guard{LockedUntil: 100}, 100, false},
		"an alarm":           {Guard{Alarm: AlarmCopy}, 100, true},
		"for ever":           {Guard{LockedUntil: forever}, 1 << 50, true},
	} {
		if c.g.locked(c.now) != c.want {
			t.Errorf("%s: %v", what, !c.want)
		}
	}
}

// AFL-01, ENR-06: a counter that did not grow proves a copy when the request it answers was
// made after the counter last grew; before it ever grew, after its enrolment. One that
// answers an older request may have come late.
func TestAFL01WhatProvesACopy(t *testing.T) {
	for what, c := range map[string]struct {
		g    Guard
		seq  int64
		want bool
	}{
		"never grown, asked before the last change": {Guard{Stamp: Stamp{Seq: 10}}, 9, false},
		"never grown, asked afterwards":             {Guard{Stamp: Stamp{Seq: 10}}, 11, true},
		"asked before it grew":                      {Guard{Stamp: Stamp{Seq: 20}, CountSeq: 10}, 9, false},
		"asked with what made it grow":              {Guard{Stamp: Stamp{Seq: 20}, CountSeq: 10}, 10, false},
		"asked after it grew":                       {Guard{Stamp: Stamp{Seq: 20}, CountSeq: 10}, 11, true},
	} {
		if got := c.g.copied(c.seq); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// KPR-03, T33: a row counts when its seal fits, the chain knows no later change of it, and
// it is no older than what this process knows to be committed. A number is remembered of a
// committed one only.
func TestKPR03WhatCountsAsVerified(t *testing.T) {
	s, _ := newTestSealer(t, "test")
	sealed := func(seq int64) *Identity {
		r := &Identity{Name: "anna", Person: "anna", Role: RoleAuditor, State: IdentityActive}
		s.stamp(r, seq)
		return r
	}
	for what, c := range map[string]struct {
		row, chain, known int64 // known: 0 is nothing
		want              error
		floor             int64 // afterwards, of a committed reading
	}{
		"nothing known":                     {5, 5, 0, nil, 5},
		"as known":                          {5, 5, 5, nil, 5},
		"as known, and not asked for":       {5, 9, 5, nil, 5},
		"newer than known":                  {6, 6, 5, nil, 6},
		"older than known, and the last":    {5, 5, 6, errStale, 6},
		"older than the chain":              {5, 6, 0, sap.ReasonSeal, 0},
		"older than the chain and known":    {5, 6, 6, sap.ReasonSeal, 6},
		"newer than the chain":              {6, 5, 0, sap.ReasonSeal, 0},
		"newer than the chain, older known": {6, 5, 5, sap.ReasonSeal, 5},
	} {
		for _, committed := range []bool{true, false} {
			m := &Module{seal: s, floors: floors{newCache[int64](16)}}
			if c.known > 0 {
				m.floors.raise("identity:anna", c.known)
			}
			tx := &Tx{Audit: lastOf{seq: c.chain}}
			if err := m.verified(tx, sealed(c.row), committed); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%s: %v", what, err)
			}
			want := c.floor
			if !committed {
				want = c.known
			}
			if got, _ := m.floors.get("identity:anna"); got != want {
				t.Errorf("%s, committed %v: remembers %d, want %d", what, committed, got, want)
			}
		}
	}
	m := &Module{seal: s, floors: floors{newCache[int64](16)}}
	edited := sealed(5)
	edited.Role = RoleOfficer
	if err := m.verified(&Tx{Audit: lastOf{seq: 5}}, edited, true); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("edited: %v", err)
	}
	if err := m.verified(&Tx{Audit: lastOf{err: sap.ReasonStore}}, sealed(5), true); !errors.Is(err, sap.ReasonStore) {
		t.Errorf("a chain that cannot be asked: %v", err)
	}
	other := &guardOf{Guard{Credential: []byte("c"), Signer: "bob"}}
	if _, err := m.guard(&Tx{Guards: other}, &Authenticator{Credential: []byte("c"), Signer: "anna"}, true); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("another signer's guard: %v", err)
	}
	if _, err := m.guard(&Tx{Guards: noGuard{}}, &Authenticator{Credential: []byte("c"), Signer: "anna"}, true); !errors.Is(err, sap.ReasonSeal) {
		t.Errorf("an authenticator without its guard: %v", err)
	}
}

type lastOf struct {
	AuditTable
	seq int64
	err error
}

func (l lastOf) LastOf(string) (int64, error) { return l.seq, l.err }

type guardOf struct{ g Guard }

func (o *guardOf) Get([]byte) (*Guard, error) { return &o.g, nil }
func (*guardOf) Insert(*Guard) error          { return nil }
func (*guardOf) Update(*Guard) error          { return nil }
func (*guardOf) Delete([]byte) error          { return nil }

type noGuard struct{ GuardTable }

func (noGuard) Get([]byte) (*Guard, error) { return nil, ErrNotFound }

// I4, SAP-03: a call that waits for its outcome when the module stops is told so: it gets
// no answer, and never neither an answer nor an error.
func TestSAP03OutcomeOfAStoppedModule(t *testing.T) {
	stopped := make(chan struct{})
	close(stopped)
	nobody := &outcomes{m: &Module{stop: stopped}, in: make(chan *outcome)} // takes nothing
	if answer, err := nobody.record(&activation{}, nil); !errors.Is(err, errAbandoned) || !errors.Is(err, sap.ReasonStore) || answer != nil {
		t.Errorf("not taken: %q, %v", answer, err)
	}
	stop := make(chan struct{})
	taken := &outcomes{m: &Module{stop: stop}, in: make(chan *outcome)}
	go func() {
		<-taken.in
		close(stop)
	}()
	if answer, err := taken.record(&activation{}, nil); !errors.Is(err, errAbandoned) || !errors.Is(err, sap.ReasonStore) || answer != nil {
		t.Errorf("taken and never done: %q, %v", answer, err)
	}
}

// I4: the recorder takes what waits, as many as a group holds and in their order, and none
// is left out or taken twice.
func TestSAP03GroupsOfOutcomes(t *testing.T) {
	for waiting, want := range map[int]int{0: 1, 1: 2, 5: 6, maxOutcomes - 1: maxOutcomes, maxOutcomes: maxOutcomes} {
		o := &outcomes{in: make(chan *outcome, 2*maxOutcomes)}
		list := make([]*outcome, waiting+1)
		for i := range list {
			list[i] = &outcome{}
		}
		for _, f := range list[1:] {
			o.in <- f
		}
		group := o.fill(list[:1:1])
		if len(group) != want || len(o.in) != waiting+1-want {
			t.Errorf("%d wait: a group of %d, %d are left", waiting, len(group), len(o.in))
		}
		for i, f := range group {
			if f != list[i] {
				t.Fatalf("%d wait: place %d is another one", waiting, i)
			}
		}
	}
}
