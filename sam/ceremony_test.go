package sam_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	first "github.com/assent-sign/assent/internal/ceremony"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// held is a ceremony as an operator holds it: everyone with a key, officers sign.
func held(t *testing.T, cluster string) (signed []byte, ca string, officers [2]sam.Caller) {
	t.Helper()
	make1 := func() (*ecdsa.PrivateKey, string) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h, err := first.KeyHash(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		return k, h
	}
	caKey, ca := make1()
	signers := map[string]crypto.Signer{first.Authority: caKey}
	d := &first.Document{Type: first.Type, Cluster: cluster, Created: 1, CA: ca}
	for i, id := range []first.Identity{{Name: "o1", Person: "olga", Role: "officer"}, {Name: "o2", Person: "otto", Role: "officer"}, {Name: "a1", Person: "arne", Role: "auditor"}} {
		signers[id.Name], id.Key = make1()
		d.Identities = append(d.Identities, id)
		if i < 2 {
			officers[i] = sam.Caller{Identity: id.Name, Role: sam.RoleOfficer, Key: id.Key}
		}
	}
	signed, err := first.Sign(d, signers)
	if err != nil {
		t.Fatal(err)
	}
	return signed, ca, officers
}

// ROL-06: a fresh module refuses all work, to everyone, and says why; after the
// ceremony it works, for those whom the document names and with their keys only.
func TestROL06NothingWorksBeforeTheCeremony(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.Ceremony = nil })
	ctx := context.Background()
	n := 0
	for op, call := range everyOp(w) {
		for _, role := range sam.Roles() {
			for _, name := range append(samtest.People()[role], "samd", "admin", "root") {
				err := call(ctx, sam.Caller{Identity: name, Role: role})
				if want := sam.Allowed(role, op); errors.Is(err, sap.ReasonNotSetUp) != want || err == nil {
					t.Errorf("%s as %s %s: %v", op, role, name, err)
				}
				n++
			}
		}
	}
	if n < 500 {
		t.Errorf("%d calls", n)
	}
	if err := w.M.Health(ctx, samtest.Watch); !errors.Is(err, sam.ErrCeremony) {
		t.Errorf("health: %v", err)
	}
	signed, ca, officers := held(t, samtest.Cluster)
	w.Cfg.Ceremony, w.Cfg.CallerCAs = signed, []string{ca}
	w.Crash()
	if _, err := w.M.Status(ctx, officers[0]); err != nil {
		t.Fatal(err)
	}
	p, err := w.M.Propose(ctx, officers[0], sam.DecideGrant, w.Args(grantOf("r1", "rosa", sam.RoleRA)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.M.Approve(ctx, officers[1], p.ID); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonRole, func() error {
		_, err := w.M.Status(ctx, sam.Caller{Identity: "o1", Role: sam.RoleOfficer, Key: keyOf("stolen name")})
		return err
	})
	if count(w, sam.EventCeremony) != 1 || count(w, sam.EventGranted) != 4 {
		t.Errorf("%d ceremonies, %d grants are recorded", count(w, sam.EventCeremony), count(w, sam.EventGranted))
	}
	// It is read once: later starts do not need it, and roles stay as they are.
	w.Cfg.Ceremony = nil
	w.Crash()
	if _, err := w.M.Status(ctx, officers[0]); err != nil || count(w, sam.EventCeremony) != 1 {
		t.Errorf("%v", err)
	}
}

// ROL-06: a second ceremony would make other people officers: it keeps the module
// closed, also with the same people.
func TestROL06NoSecondCeremony(t *testing.T) {
	w := samtest.New(t)
	w.Stop()
	w.Cfg.Ceremony, _, _ = held(t, samtest.Cluster)
	if err := w.Open(); !errors.Is(err, sam.ErrOpen) || !contains(err.Error(), "already") {
		t.Fatalf("opened: %v", err)
	}
	w.Cfg.Ceremony = samtest.Ceremony(t, samtest.Cluster)
	if err := w.Open(); !errors.Is(err, sam.ErrOpen) {
		t.Fatalf("opened: %v", err)
	}
	// Nor does it help to make the database forget the first one.
	exec(t, dba(t, w), "UPDATE meta SET ceremony = ''")
	if err := w.Open(); !errors.Is(err, sam.ErrOpen) {
		t.Fatalf("opened: %v", err)
	}
}

// ROL-06: documents that do not count.
func TestROL06DocumentsThatAreRefused(t *testing.T) {
	good, ca, _ := held(t, samtest.Cluster)
	other, _, _ := held(t, "another")
	edited := append([]byte{}, good...)
	edited[len(edited)/2] ^= 1
	for name, c := range map[string]struct {
		doc  []byte
		cas  []string
		prod bool
	}{
		"another module's":                   {doc: other},
		"edited":                             {doc: edited},
		"empty object":                       {doc: []byte("{}")},
		"CA that callers do not have":        {doc: good, cas: []string{keyOf("x")}},
		"automatic officers in production":   {doc: samtest.Ceremony(t, samtest.Cluster), prod: true},
		"right one, but a foreign CA beside": {doc: good, cas: []string{keyOf("x"), keyOf("y")}},
	} {
		t.Run(name, func(t *testing.T) {
			w := samtest.New(t, func(c *sam.Config) { c.Ceremony = nil })
			w.Stop()
			w.Cfg.Ceremony, w.Cfg.CallerCAs = c.doc, c.cas
			if c.prod {
				w.Cfg.Production, w.Cfg.Token, w.Cfg.TimeSources = true, grownUp{w.Token}, []clock.Source{w.Time}
				w.Cfg.Policies = w.Cfg.Policies[:2] // not the one that needs a certified token
			}
			if err := w.Open(); !errors.Is(err, sam.ErrOpen) {
				t.Fatalf("opened: %v", err)
			}
			w.Cfg.Ceremony, w.Cfg.CallerCAs = good, []string{ca}
			if err := w.Open(); err != nil {
				t.Errorf("the right document afterwards: %v", err)
			}
		})
	}
}

// grownUp says of a software token that it is none, which only a test can.
type grownUp struct{ *samtest.Token }

func (g grownUp) Info(ctx context.Context) (cryptotoken.Info, error) {
	info, err := g.Token.Info(ctx)
	info.Development = false
	return info, err
}
