package validate_test

import (
	"testing"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-03: who is trusted to tell the time vouches for no signer, and the other way round.
func TestADE03StampAnchorsVouchForNoSigner(t *testing.T) {
	a, b := newKit(t), newKit(t)
	mixed := *a
	mixed.stamp = b.stamp
	for name, file := range map[string][]byte{"pdf": mixed.sign(t, contract(), true), "xml": mixed.signXML(t, invoice, "s1", false, true)} {
		for _, c := range []struct {
			name    string
			opt     validate.Options
			valid   bool
			stamped bool
		}{
			{"each its own", validate.Options{Anchors: a.anchors(), StampAnchors: b.anchors()}, true, true},
			{"exchanged", validate.Options{Anchors: b.anchors(), StampAnchors: a.anchors()}, false, false},
			{"only the authority's", validate.Options{Anchors: b.anchors()}, false, true},
			{"only the signer's", validate.Options{Anchors: a.anchors()}, true, false},
			{"both of the authority", validate.Options{Anchors: b.anchors(), StampAnchors: b.anchors()}, false, true},
		} {
			rep := a.look(t, file, c.opt)
			if s := rep.Signatures[0]; (rep.Verdict == validate.Valid) != c.valid || (s.Proven != nil) != c.stamped || (len(s.Chain) > 0) != c.valid || (s.Level == "B-T") != c.stamped {
				t.Errorf("%s, %s: %+v", name, c.name, rep)
			}
		}
	}
}

// ADE-03: that holds for what the file carries about revocation too.
func TestADE03StampAnchorsAndRevocation(t *testing.T) {
	a := newAuthority(t)
	root, err := certs.LoadPEM(a.Root)
	must(t, err)
	k := newKit(t)
	for name, file := range map[string][]byte{"pdf": a.sign(t, "B-LTA"), "xml": a.signXML(t, "B-LTA", invoice)} {
		if rep := k.look(t, file, validate.Options{Anchors: root, StampAnchors: root}); rep.Verdict != validate.Valid || rep.Signatures[0].Level != "B-LTA" {
			t.Errorf("%s, one anchor for both: %+v", name, rep)
		}
		rep := k.look(t, file, validate.Options{Anchors: k.anchors(), StampAnchors: root})
		if s := rep.Signatures; rep.Verdict == validate.Valid || s[0].Settled() || s[1].Verdict != validate.Valid || !s[1].Settled() {
			t.Errorf("%s, the authority's anchor: %+v", name, rep)
		}
		rep = k.look(t, file, validate.Options{Anchors: root, StampAnchors: k.anchors()})
		if s := rep.Signatures; s[0].Proven != nil || s[0].Level != "B-B" || rep.Verdict == validate.Valid || s[1].Verdict == validate.Valid {
			t.Errorf("%s, the signer's anchor: %+v", name, rep)
		}
	}
}
