package main

import (
	"context"
	"errors"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/config"
)

// SAP-12: other products let the service itself make activation data, by a
// provider of its own, by keys of an identity provider that nobody pinned, by
// trust in whatever certificate, or by dropping a check of the signer. Here no
// such setting exists: each is an unknown key and samd does not start; and no key
// that does exist has a name for such a thing.
func TestSAP12NoSettingLetsTheServerApprove(t *testing.T) {
	for _, line := range []string{
		"sad_provider: internal", "sad_provider: {class: InternalSAMSadProvider, key: own}", "internal_sad: true", "sad_issuers: [self]",
		"sad_carriers: [webauthn, pin, delegated]", "carriers: [none]", "auth_type: none", "auth_delegated: true", "delegated_issuers: [{issuer: x}]",
		"jwks_url: https://idp.example/jwks", "trust_self_signed: true", "trust_all: true", "insecure_skip_verify: true",
		"require_uv: false", "user_verification: preferred", "origins: [\"http://localhost:8441\", \"http://localhost:8440\"]",
		"auto_approve: true", "software_signers: true", "policies: [{id: a, max_items: 1, lifetime: 1m, approval: none}]",
		"policies: [{id: qualified, max_items: 1, lifetime: 1m, scal: 2}]", "assurance: SCAL2", "token: {certified: true}",
	} {
		s := newSite(t, "")
		text, err := os.ReadFile(s.config)
		if err != nil {
			t.Fatal(err)
		}
		changed := string(text) + line + "\n"
		if strings.HasPrefix(line, "token: {") {
			changed = strings.Replace(string(text), "token: {", "token: {"+strings.TrimSuffix(strings.TrimPrefix(line, "token: {"), "}")+", ", 1)
		}
		if err := os.WriteFile(s.config, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(context.Background(), []string{"-config", s.config}, &buffer{}); !errors.Is(err, config.ErrSyntax) {
			t.Errorf("%s: %v", line, err)
		}
	}
	forbidden := regexp.MustCompile(`sad|issuer|jwks|jwt|provider|delegat|trust|insecure|skip|bypass|self_?(sign|issu|sad|approv)|auto|assurance|scal|^uv|_uv|approv`)
	keys := yamlKeys(Config{})
	for _, key := range keys {
		if forbidden.MatchString(key) {
			t.Errorf("samd has a setting %q: does it let the service approve? Read SAP-12", key)
		}
	}
	if len(keys) < 40 || !slices.Contains(keys, "origin") || reflect.TypeFor[Config]().NumField() < 15 {
		t.Errorf("only %d keys were found", len(keys))
	}
}
