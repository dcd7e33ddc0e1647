package sam

import (
	"cmp"
	"errors"
	"fmt"
	"testing"

	"github.com/assent-sign/assent/sap"
)

// people is a table of callers in memory; nobody is a signer.
type people struct {
	IdentityTable
	list []*Identity
	err  error
}

func (p *people) List(limit int) ([]*Identity, error) {
	return p.list[:min(limit, len(p.list))], p.err
}

type noSigners struct{ SignerTable }

func (noSigners) Near(string) ([]string, error) { return nil, nil }

// crowd is a module with n callers, two of them officers: the first in the order of
// names and the last.
func crowd(t *testing.T, n int) (*work, *people) {
	t.Helper()
	s, _ := newTestSealer(t, "test")
	m := &Module{seal: s, floors: floors{newCache[int64](4096)}}
	p := &people{}
	for i := range n {
		r := &Identity{Name: fmt.Sprintf("n%05d", i), Person: fmt.Sprintf("p%05d", i), Role: RoleAuditor, State: IdentityActive}
		if i == 0 || i == n-1 {
			r.Role = RoleOfficer
		}
		s.stamp(r, int64(i+1))
		m.floors.raise(r.object(), r.Seq)
		p.list = append(p.list, r)
	}
	return &work{Tx: &Tx{Identities: p, Signers: noSigners{}}, m: m}, p
}

// ROL-02, ROL-03: duties are kept apart from everyone who has a role, to the last of as
// many as a module may have; it never gets more than it can compare with.
func TestROL03NobodyIsTooManyToBeSeen(t *testing.T) {
	fresh := Grant{Name: "new", Person: "new", Role: RoleAuditor}
	for n, want := range map[int]error{999: nil, 1000: sap.ReasonTooMany} {
		w, p := crowd(t, n)
		if err := w.mayGrant(fresh); !errors.Is(err, want) {
			t.Errorf("one more than %d: %v", n, err)
		}
		last := p.list[n-1]
		if err := w.mayGrant(Grant{Name: last.Name, Person: last.Person, Role: last.Role, Key: ""}); err != nil {
			t.Errorf("the last of %d gets another key: %v", n, err)
		}
		for what, g := range map[string]Grant{
			"other role":         {Name: last.Name, Person: last.Person, Role: RoleSSPU},
			"other person":       {Name: last.Name, Person: "other", Role: last.Role},
			"its name, spelt":    {Name: "N-" + last.Name[1:], Person: "other", Role: RoleAuditor},
			"its person, spelt":  {Name: p.list[0].Name, Person: "P." + last.Person[1:], Role: RoleOfficer},
			"its person's other": {Name: p.list[1].Name, Person: last.Person, Role: RoleAuditor},
		} {
			if err := w.separate(g); !errors.Is(err, sap.ReasonSeparation) && !errors.Is(err, sap.ReasonTooMany) {
				t.Errorf("the last of %d: %s: %v", n, what, err)
			}
		}
		for _, id := range []string{last.Name, last.Person, "N." + last.Name[1:]} {
			if err := w.noRole(id); !errors.Is(err, sap.ReasonSeparation) {
				t.Errorf("the last of %d as signer %s: %v", n, id, err)
			}
		}
		if err := w.noRole("anna"); err != nil {
			t.Errorf("a signer without a role: %v", err)
		}
	}
}

// ROL-04: when an officer goes, two other persons remain who can decide, however many
// others there are and wherever in the list they stand.
func TestROL04WhoCountsAsOfficer(t *testing.T) {
	for what, c := range map[string]struct {
		others []Identity // in the places 1, 2, ...; the first of the list goes, the last is an officer
		ok     bool
	}{
		"nobody else":          {nil, false},
		"one more":             {[]Identity{{Role: RoleOfficer}}, true},
		"one more, revoked":    {[]Identity{{Role: RoleOfficer, State: IdentityRevoked}}, false},
		"the last one again":   {[]Identity{{Role: RoleOfficer, Person: "P-00999"}}, false},
		"others in plenty":     {[]Identity{{Role: RoleAdmin}, {Role: RoleSSPU}, {Role: RoleRA}}, false},
		"who goes, once again": {[]Identity{{Role: RoleOfficer, Person: "p00000"}}, true}, // another identity, which stays
	} {
		w, p := crowd(t, 1000)
		for i, x := range c.others {
			r := p.list[i+1]
			r.Role, r.State = x.Role, cmp.Or(x.State, r.State)
			r.Person = cmp.Or(x.Person, r.Person)
			w.m.seal.stamp(r, r.Seq)
		}
		if err := w.enoughOfficers(p.list[0]); (err == nil) != c.ok || err != nil && !errors.Is(err, sap.ReasonState) {
			t.Errorf("%s: %v", what, err)
		}
	}
	w, p := crowd(t, 3)
	if err := w.enoughOfficers(p.list[1]); err != nil {
		t.Errorf("who is no officer can always go: %v", err)
	}
}

// ROL-02, ROL-03, ROL-04: duties are kept apart from what the module wrote: a record of
// a caller that was edited in the database, or a list that cannot be read, stops a
// grant, a revocation and a new signer.
func TestROL02NothingIsComparedWithAnEditedRecord(t *testing.T) {
	check := func(what string, w *work, p *people, want error) {
		for act, err := range map[string]error{
			"grant": w.separate(Grant{Name: "x", Person: "x", Role: RoleAuditor}), "signer": w.noRole("x"), "revocation": w.enoughOfficers(p.list[0]),
		} {
			if !errors.Is(err, want) {
				t.Errorf("%s, %s: %v, want %v", what, act, err, want)
			}
		}
	}
	for i := range 3 {
		w, p := crowd(t, 3)
		p.list[i].Person = "somebody"
		check(fmt.Sprintf("record %d edited", i), w, p, sap.ReasonSeal)
	}
	w, p := crowd(t, 3)
	p.err = sap.ReasonStore
	check("no list", w, p, sap.ReasonStore)
}
