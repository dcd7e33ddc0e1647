package samtest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"testing"

	"github.com/assent-sign/assent/internal/ceremony"
	"github.com/assent-sign/assent/sam"
)

// People are the callers that a world's ceremony lets in, by role. Any
// certificate with the name will do for them: their keys are not named.
func People() map[sam.Role][]string {
	return map[sam.Role][]string{
		sam.RoleOfficer:  {Officer.Identity, Second.Identity, "olga", "otto"},
		sam.RoleAuditor:  {Auditor.Identity, "arne", "probe"},
		sam.RoleSSPU:     {SSPU.Identity, "ssad-2", "ssad"},
		sam.RoleRA:       {RA.Identity, "rosa"},
		sam.RoleAdmin:    {Admin.Identity},
		sam.RoleOperator: {Watch.Identity},
	}
}

// Ceremony is the signed document of a ceremony with People, of some CA.
func Ceremony(t testing.TB, cluster string) []byte {
	t.Helper()
	return held(t, cluster, NewCA(t).Key, true)
}

// Ceremony is the document of a ceremony with People that this CA signed.
func (p *PKI) Ceremony(cluster string) []byte {
	p.t.Helper()
	return held(p.t, cluster, p.key, true)
}

// ProductionCeremony names everyone's key, which is CallerKey, and the officers
// have signed.
func ProductionCeremony(t testing.TB, cluster string) []byte {
	t.Helper()
	return held(t, cluster, NewCA(t).Key, false)
}

func held(t testing.TB, cluster string, ca crypto.Signer, automatic bool) []byte {
	t.Helper()
	hash, err := ceremony.KeyHash(ca.Public())
	if err != nil {
		t.Fatal(err)
	}
	signers := map[string]crypto.Signer{ceremony.Authority: ca}
	d := &ceremony.Document{Type: ceremony.Type, Cluster: cluster, Created: 1, CA: hash, Automatic: automatic}
	for _, role := range sam.Roles() {
		for _, name := range People()[role] {
			id := ceremony.Identity{Name: name, Person: name, Role: string(role)}
			if !automatic {
				id.Key, signers[name] = keyHash(name), CallerKey(name)
			}
			d.Identities = append(d.Identities, id)
		}
	}
	signed, err := ceremony.Sign(d, signers)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// CallerKey is the same key for a name every time: the callers of this package
// can be named before any test runs.
func CallerKey(name string) *ecdsa.PrivateKey {
	for seed := sha256.Sum256([]byte("samtest caller " + name)); ; seed = sha256.Sum256(seed[:]) {
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:]); err == nil {
			return key
		}
	}
}

func keyHash(name string) string {
	hash, err := ceremony.KeyHash(CallerKey(name).Public())
	if err != nil {
		panic(err) // a P-256 key always has a SubjectPublicKeyInfo
	}
	return hash
}

func caller(name string, role sam.Role) sam.Caller {
	return sam.Caller{Identity: name, Role: role, Key: keyHash(name)}
}

// Grant lets a caller in, by two officers, unless the name is known already.
func (w *World) Grant(name string, role sam.Role) sam.Caller {
	w.T.Helper()
	list, err := w.M.Identities(context.Background(), Officer)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, r := range list {
		if r.Name == name {
			return sam.Caller{Identity: name, Role: role}
		}
	}
	w.Decide(sam.DecideGrant, sam.Grant{Name: name, Person: name, Role: role})
	return sam.Caller{Identity: name, Role: role}
}
