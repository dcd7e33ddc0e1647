package paths_test

import (
	"crypto/x509"
	"testing"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/paths"
	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/pkix/pkitstest"
)

// RFC 5280, section 6.1, by PKITS, for what is asked of a signer's path (any policy, no initial indicator): what the suite calls a path that
// does not validate is none, and all others are found but those whose certificates crypto/x509 cannot read.
func TestPKITSPathsOfSigners(t *testing.T) {
	s := pkitstest.Load(t)
	skipped := pkitstest.NotApplicable(t)
	ran, alone, unread := 0, 0, 0
	for _, c := range s.Cases {
		if skipped[c.Number] != "" || len(c.Config.Policies) > 0 || c.Config.RequireExplicitPolicy || c.Config.InhibitAnyPolicy || c.Config.InhibitPolicyMapping {
			continue
		}
		ran++
		leaf, err := x509.ParseCertificate(s.Certs[c.Cert].Raw)
		if err != nil {
			t.Logf("%s: %v", c.Number, err)
			unread++
			continue
		}
		between, anchors := read(t, s.Pick(c.Others)), read(t, []*pkix.Certificate{s.Anchor})
		path, err := paths.Verify(t.Context(), leaf, between, anchors, pkitstest.At, certs.Document)
		if _, first := certs.Verify(leaf, between, anchors, pkitstest.At, certs.Document); first == nil && err == nil {
			alone++
		}
		if want := c.Class != "PathValidationError"; want != (err == nil) {
			t.Errorf("%s %s: got %v, want valid %t", c.Number, c.Name, err, want)
		}
		if err == nil && (!path[0].Equal(leaf) || !path[len(path)-1].Equal(anchors[0])) {
			t.Errorf("%s: path %v", c.Number, path)
		}
	}
	if unread > 5 || ran < 200 {
		t.Errorf("%d cases, of which %d certificates cannot be read", ran, unread)
	}
	t.Logf("%d cases; crypto/x509 alone finds %d of the valid paths", ran, alone)
}

func read(t *testing.T, list []*pkix.Certificate) (out []*x509.Certificate) {
	t.Helper()
	for _, c := range list {
		if p, err := x509.ParseCertificate(c.Raw); err == nil {
			out = append(out, p)
		}
	}
	return out
}
