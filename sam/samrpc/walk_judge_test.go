package samrpc_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/assent-sign/assent/sam"
)

// roles says, in the walk's own words, who may succeed with what (IAM-04, ROL-01): a
// call that succeeds for anybody else is a breach, whatever the module's table says.
func roles(op sam.Op) string {
	switch op {
	case sam.OpInfo, sam.OpHealth:
		return "sspu officer administrator operator auditor ra"
	case sam.OpStatus:
		return "officer administrator operator auditor"
	case sam.OpRequest, sam.OpRedeem, sam.OpOnceRequest, sam.OpOnceApprove, sam.OpOnceEnd, sam.OpEnrolBegin, sam.OpEnrolFinish, sam.OpChangeBegin, sam.OpChangeFinish:
		return "sspu"
	case sam.OpAuthList:
		return "sspu officer"
	case sam.OpCredentials, sam.OpSigner:
		return "sspu officer ra"
	case sam.OpSignerNew:
		return "ra"
	case sam.OpAudit:
		return "auditor"
	case sam.OpExplain, sam.OpProposals:
		return "officer auditor"
	case sam.OpRoles:
		return "officer administrator auditor"
	case sam.OpSelfTest:
		return "officer administrator"
	}
	return "officer"
}

// judge looks at what a call that succeeded has done beside the use of a key: who made
// it, who decided, and what certificates say.
func (k *walker) judge(op sam.Op, role sam.Role) {
	if !slices.Contains(strings.Fields(roles(op)), string(role)) {
		k.found(op, role, "it succeeded")
	}
	switch op {
	case sam.OpApprove:
		k.twoPersons(op, role)
	case sam.OpLink:
		k.ownCertificates(op, role)
	}
}

func (k *walker) found(op sam.Op, role sam.Role, what string, args ...any) {
	k.breach = append(k.breach, fmt.Sprintf("call %d, %s as %s: ", k.calls, op, role)+fmt.Sprintf(what, args...))
}

// twoPersons: the last decision has two officers, who are two persons (ROL-04).
func (k *walker) twoPersons(op sam.Op, role sam.Role) {
	records := k.Records()
	for _, r := range slices.Backward(records) {
		if r.Type != sam.EventApproved {
			continue
		}
		var d struct{ Kind, First, Second string }
		if err := json.Unmarshal([]byte(r.Data), &d); err != nil {
			k.t.Fatal(err)
		}
		if first, second := k.person(d.First), k.person(d.Second); d.First == d.Second || strings.EqualFold(first, second) {
			k.found(op, role, "%s (%s) and %s (%s) decided %s", d.First, first, d.Second, second, d.Kind)
		}
		return
	}
	k.found(op, role, "it left no record")
}

func (k *walker) person(name string) (person string) {
	err := k.Store.View(context.Background(), func(tx *sam.Tx) error {
		i, err := tx.Identities.Get(name)
		if err == nil {
			person = i.Person
		}
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return person
}

// ownCertificates: what is linked to a key certifies this key, for this signer's name
// as it was asked for (KEY-08).
func (k *walker) ownCertificates(op sam.Op, role sam.Role) {
	err := k.Store.View(context.Background(), func(tx *sam.Tx) error {
		for _, signer := range []string{"alice", "bob", "carol", "mallory"} {
			list, err := tx.Credentials.BySigner(signer)
			if err != nil {
				return err
			}
			for _, c := range list {
				if len(c.Chain) == 0 {
					continue
				}
				cert, err := x509.ParseCertificate(c.Chain[0])
				if err != nil || !bytes.Equal(cert.RawSubjectPublicKeyInfo, c.Public) {
					k.found(op, role, "the certificate of %s's key %s is another key's", signer, c.Key)
				}
			}
		}
		return nil
	})
	if err != nil {
		k.t.Fatal(err)
	}
}
