package main

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/cryptotoken/samtoken"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/workers"
)

// SAP-12: no setting of ssad makes it approve for a signer. Other products'
// providers of activation data are unknown keys; an own token cannot take the
// place of the module; a worker over signers' keys takes no key of its own, and
// its kinds know no property by which it would sign at once.
func TestSAP12NoSettingLetsTheServerApprove(t *testing.T) {
	for name, more := range map[string]string{
		"provider":             "sad_provider: internal",
		"provider's key":       "sad_provider_keystore: own",
		"provider over HTTP":   "sad_provider_url: https://sad.example/buildSad",
		"automatic approval":   "auto_approve: true",
		"software signers":     "software_signers: [robot]",
		"module in a property": "sam_internal: true",
		"own token as signers": "tokens: [{name: signers, driver: pkcs11, module: /x.so, label: a, pin_file: p}]",
	} {
		if _, err := loadText(t, least+more+"\n"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, with := range map[string]string{
		"unverified module":       "sam: {insecure: true, ",
		"self-signed module":      "sam: {trust_self_signed: true, ",
		"module without a client": "sam: {auth: none, ",
	} {
		if _, err := loadText(t, strings.Replace(least, "sam: {", with, 1)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	opt := workers.Options{
		Kinds: kinds(), Tokens: map[string]cryptotoken.Token{signersToken: samtoken.New(signersToken, developmentModule{})},
		LoadChain: func(string) ([][]byte, error) { return nil, nil }, Now: clock.System{}.Now, Random: rand.Reader,
	}
	good := workers.Config{Name: "w", Kind: "pades", Token: signersToken, Properties: map[string]string{"level": "B-B"}}
	if _, err := workers.NewSet(context.Background(), []workers.Config{good}, opt); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*workers.Config){
		"an own key":            func(c *workers.Config) { c.Key = "k-1" },
		"an own chain":          func(c *workers.Config) { c.Chain = "own.pem" },
		"the provider property": func(c *workers.Config) { c.Properties = map[string]string{"SAD_PROVIDER": "internal"} },
		"approval property":     func(c *workers.Config) { c.Properties = map[string]string{"approval": "none"} },
		"immediate property":    func(c *workers.Config) { c.Properties = map[string]string{"immediate": "true"} },
		"label property":        func(c *workers.Config) { c.Properties = map[string]string{"scal": "2"} },
		"a stamping worker":     func(c *workers.Config) { c.Kind, c.Properties = "tsa", nil },
	} {
		c := good
		change(&c)
		if _, err := workers.NewSet(context.Background(), []workers.Config{c}, opt); err == nil {
			t.Errorf("a worker over signers' keys with %s was accepted", name)
		}
	}
	set, err := workers.NewSet(context.Background(), []workers.Config{good}, opt)
	if err != nil {
		t.Fatal(err)
	}
	e, err := set.Get("w")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := workers.SignNow(context.Background(), e, workers.Input{}, nil); !errors.Is(err, workers.ErrNeedSigner) {
		t.Errorf("signing at once: %v", err)
	}
}

// developmentModule is a module that can be asked who it is.
type developmentModule struct{ samtoken.Module }

func (developmentModule) Info(context.Context) (*sapclient.Info, error) {
	return &sapclient.Info{Audience: "test#1", Assurance: sap.AssuranceDevelopment}, nil
}
