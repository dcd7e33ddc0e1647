package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/secret"
)

const canary = "canary-7f3a91"

// I6: no way of printing shows the bytes.
func TestSecretNeverPrints(t *testing.T) {
	s := secret.New([]byte(canary))
	holder := struct {
		Name string
		Key  secret.Bytes
	}{"x", s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "key", s, "holder", holder)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "key", s, "holder", holder)
	js, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	hex := fmt.Sprintf("%x", canary)
	for _, out := range []string{
		fmt.Sprint(s), fmt.Sprintf("%s %v %+v %#v %q %x %d", s, s, s, s, s, s, s),
		fmt.Sprintf("%v %+v %#v %x", holder, holder, holder, holder), log.String(), string(js),
	} {
		if strings.Contains(out, canary) || strings.Contains(out, hex) || strings.Contains(out, "99 97 110") {
			t.Errorf("secret is visible in %q", out)
		}
	}
	if !strings.Contains(string(js), secret.Redacted) {
		t.Errorf("JSON says nothing about the secret: %s", js)
	}
}

// KPR-10: wiping one copy wipes what all copies point at.
func TestWipe(t *testing.T) {
	s := secret.New([]byte(canary))
	c := s
	s.Wipe()
	if !bytes.Equal(c.Reveal(), make([]byte, len(canary))) || c.Len() != len(canary) {
		t.Error("secret survived Wipe")
	}
}
