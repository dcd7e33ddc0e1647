package signapp_test

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/apptest"
)

// KEY-09: an operation of a key that the module uses under the policy "qualified" only asks
// for an activation under it, whatever policy is configured, and takes no digests of unseen
// content; one of another key goes by the configuration.
func TestKEY09QualifiedKeysPolicyIsAskedFor(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) { c.Policy, c.RawPolicy = "standard", "bulk" })
	r.Module.Change("anna", func(c *sapclient.Credential) { c.Raw, c.Policy = true, sap.PolicyQualified })
	r.Module.Change("ben", func(c *sapclient.Credential) { c.Raw = true })
	for signer, want := range map[string]string{"anna": sap.PolicyQualified, "ben": "standard"} {
		g, _ := r.Open(apptest.Login(signer, "s-"+signer), r.Create(signer, "one").ID)
		signed, err := r.Service.RequestActivation(bg, g)
		if err != nil {
			t.Fatal(err)
		}
		text, err := sap.UnB64(signed.Statement)
		if err != nil {
			t.Fatal(err)
		}
		var req sap.ActivationRequest
		if err := jcs.Unmarshal(text, &req); err != nil || req.Bind.Policy != want {
			t.Errorf("%s: policy %q, %v", signer, req.Bind.Policy, err)
		}
		sum := sha256.Sum256([]byte(signer))
		_, err = r.Service.Create(bg, apptest.Acme, signapp.NewOperation{Signer: signer, Items: []signapp.NewItem{{Digest: sum[:], Name: "x.bin"}}})
		if refused := errors.Is(err, signapp.ErrInput); refused != (want == sap.PolicyQualified) {
			t.Errorf("%s, unseen content: %v", signer, err)
		}
	}
}
