package samrpc_test

import (
	"encoding/json"
	"net/http"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sap/sapclient"
)

// aboutVictims points a decision at a victim: that is what the walk is after.
func (k *walker) aboutVictims(args map[string]any) {
	s := pick(k, k.victims)
	for name, v := range map[string]string{"key": s.Key, "signer": s.ID} {
		if _, about := args[name]; about {
			args[name] = v
		}
	}
}

// decide has the two officers decide a kind about a victim while nothing is in its way:
// what random calls do to officers, keys and the module must not hide any kind.
func (k *walker) decide(kind string) {
	args := parse(k.t, k.fill(arguments()[kind]))
	k.aboutVictims(args)
	if _, asks := args["why"]; asks {
		args["why"] = "maintenance"
	}
	status, out := k.call(k.certs[sam.RoleOfficer][0], "POST", sapclient.PathDecisions, body(k.t, map[string]any{"kind": kind, "args": body(k.t, args)}))
	k.look(sam.OpPropose, sam.RoleOfficer)
	if status != http.StatusOK {
		return // it asks for more than a random value; step goes on with it
	}
	k.done[sam.OpPropose]++
	var p sapclient.Proposal
	if err := json.Unmarshal(out, &p); err != nil {
		k.t.Fatal(err)
	}
	if status, _ = k.call(k.certs[sam.RoleOfficer][1], "POST", sapclient.PathApprove, body(k.t, sapclient.ProposalIn{ID: p.ID})); status == http.StatusOK {
		k.done[sam.OpApprove]++
		k.decided[kind]++
		k.judge(sam.OpApprove, sam.RoleOfficer)
	}
	k.look(sam.OpApprove, sam.RoleOfficer)
}
