package validate_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-03: that a certificate was revoked is heard wherever a signature is over it: an update that puts other validation data in its place, or such
// that cannot be read, takes nothing away.
func TestADE03ReplacedValidationDataIsHeard(t *testing.T) {
	tr := newTree(t)
	keyA, keyB := newKey(t), newKey(t)
	alice, bob := tr.issue(t, person("Alice"), tr.root, keyA.Public(), tr.key), tr.issue(t, person("Bob"), tr.root, keyB.Public(), tr.key)
	store := regexp.MustCompile(`/DSS [0-9]+ 0 R`)
	for name, c := range map[string]struct {
		revoked bool
		by      string // what is in the place of the store
		later   bool   // Bob signs behind it
	}{
		"revoked": {true, "", false}, "revoked, signed": {true, "", true}, "revoked, taken away": {true, " ", true}, "revoked, emptied": {true, "/DSS << >>", true},
		"revoked, unreadable": {true, "/DSS << /CRLs [(x)] >>", true}, "good": {false, "", true}, "good, taken away": {false, " ", true},
	} {
		data := pdf.ValidationData{CRLs: [][]byte{listOf(t, tr.root, tr.key, time.Minute)}}
		if c.revoked {
			data.CRLs[0] = listOf(t, tr.root, tr.key, time.Minute, alice)
		}
		f := stored(t, signAs(t, contract(), keyA, alice), data)
		if c.later {
			f = signAs(t, f, keyB, bob)
		}
		if c.by != "" {
			f = upd(f, map[int]string{1: store.ReplaceAllString(current(f, 1), c.by)})
		}
		rep := look(t, f, tr.trust())
		if (rep.Verdict == validate.Valid) == c.revoked || (rep.Signatures[0].Verdict == validate.NotValid) != c.revoked {
			t.Errorf("%s: %s %+v", name, rep.Words(), rep.Signatures)
		}
	}
}
