package validate_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
)

// keepBare adds validation data to an XML signature at B-B.
func (a *authority) keepBare(t *testing.T, file []byte, ocsps ...[]byte) []byte {
	t.Helper()
	const end = "</xades:QualifyingProperties>"
	file = bytes.Replace(file, []byte(end), []byte("<xades:UnsignedProperties><xades:UnsignedSignatureProperties></xades:UnsignedSignatureProperties></xades:UnsignedProperties>"+end), 1)
	return a.keep(t, file, ocsps...)
}

// ADE-03, EN 319 102-1, 5.3: a signature whose time nothing proves is asked about the revocation that the file
// carries too, as of now. A revoked certificate under it is not passed over.
func TestADE03UnprovenSignaturesAreAskedToo(t *testing.T) {
	for name, form := range map[string]func(a *authority, ocsps ...[]byte) []byte{
		"PDF": func(a *authority, ocsps ...[]byte) []byte { return a.store(t, a.sign(t, "B-B"), ocsps...) },
		"XML": func(a *authority, ocsps ...[]byte) []byte {
			return a.keepBare(t, a.signXML(t, "B-B", invoice), ocsps...)
		},
	} {
		a := newAuthority(t)
		good := form(a, a.asked(t, a.signer, 0))
		root, err := certs.LoadPEM(a.Root)
		must(t, err)
		strict := validate.Options{Anchors: root, Revocation: validate.RevocationRequired}
		rep := look(t, good, strict)
		if s := rep.Signatures[0]; rep.Verdict != validate.Valid || s.Level != "B-B" || s.Revocation != "good at present, by what the file carries" || !s.Settled() {
			t.Errorf("%s, good: %s %s %q", name, rep.Words(), s.Level, s.Revocation)
		}
		// What is not current any more says nothing of today.
		strict.Now = time.Now().Add(6 * time.Hour)
		if rep := look(t, good, strict); rep.SubIndication != validate.TryLater || rep.Signatures[0].Revocation != "" {
			t.Errorf("%s, later: %s %q", name, rep.Words(), rep.Signatures[0].Revocation)
		}
		before := a.asked(t, a.signer, 0)
		a.Revoke(t, a.signer[0], time.Now().Add(-time.Minute))
		bad := form(a, a.asked(t, a.signer, 0), before)
		for _, by := range []time.Duration{0, 6 * time.Hour, 20 * time.Hour} {
			s := a.later(t, bad, by)
			if s.Verdict != validate.NotValid || s.SubIndication != validate.RevokedNoPOE || !strings.Contains(strings.Join(s.Why, " "), "nothing shows that the signature is older") {
				t.Errorf("%s, revoked, %s later: %s %q", name, by, s.Words(), s.Why)
			}
		}
	}
}

// stamperAt is another time-stamp authority, at another time.
func (a *authority) stamperAt(t *testing.T, name string, ahead time.Duration) *kit {
	t.Helper()
	key := newKey(t)
	chain, _ := a.Certify(t, name, key.Public(), certs.TSAProfile)
	root, err := certs.LoadPEM(a.Root)
	must(t, err)
	r := &tsp.Responder{Signer: key, Alg: algo.ES256, Chain: chain, Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Clock: func() time.Time { return time.Now().Add(ahead) }}
	must(t, r.Check())
	return &kit{stamp: &tsp.InProcess{Authority: r, Anchors: root, Clock: r.Clock}}
}

// ADE-03, EN 319 102-1, 5.2.5: answers that an authority gave some minutes after the time-stamp go on telling that the
// certificate was good then, also when they are not current any more: as files of others have it.
func TestADE03AnswersThatCameLater(t *testing.T) {
	a := newAuthority(t)
	file, his := a.at(t, 30*time.Minute)
	late := a.store(t, file, a.asked(t, a.signer, -20*time.Minute), a.asked(t, his, -10*time.Minute))
	for _, by := range []time.Duration{0, time.Hour, 6 * time.Hour, 20 * time.Hour} {
		if s := a.later(t, late, by); s.Verdict != validate.Valid || s.Level != "B-LT" || !s.Settled() {
			t.Errorf("%s later: %s %s %q", by, s.Words(), s.Level, s.Revocation)
		}
	}
	// Under a document time-stamp of a day when they were over.
	sealed := a.stamperAt(t, "evening", 5*time.Hour).stamped(t, late, "")
	if s := a.later(t, sealed, 8*time.Hour); s.Verdict != validate.Valid || s.Level != "B-LTA" || !s.Settled() {
		t.Errorf("sealed: %s %s %q %q", s.Words(), s.Level, s.Revocation, s.Why)
	}
	// What was said before the signature settles nothing, whenever it is asked.
	early := a.store(t, file, a.asked(t, a.signer, -50*time.Minute), a.asked(t, his, -10*time.Minute))
	for _, by := range []time.Duration{0, 6 * time.Hour} {
		if s := a.later(t, early, by); s.Settled() {
			t.Errorf("said before, %s later: %s", by, s.Revocation)
		}
	}
	// What came last is told: that the certificate was revoked afterwards.
	soon := a.asked(t, a.signer, -20*time.Minute)
	a.Revoke(t, a.signer[0], time.Now().Add(-15*time.Minute))
	both := a.add(t, a.store(t, file, soon, a.asked(t, his, -10*time.Minute)), pdf.ValidationData{OCSPs: [][]byte{a.asked(t, a.signer, 0)}})
	for _, by := range []time.Duration{0, 6 * time.Hour} {
		if s := a.later(t, both, by); s.Verdict != validate.Valid || !strings.Contains(s.Revocation, "was revoked later") || s.Present.SubIndication != validate.RevokedNoPOE {
			t.Errorf("revoked since, %s later: %s %q, at present %s", by, s.Words(), s.Revocation, s.Present.Words())
		}
	}
}
