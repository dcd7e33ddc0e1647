package validate_test

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// later asks the question at another time than now.
func (a *authority) later(t *testing.T, file []byte, by time.Duration) validate.Signature {
	t.Helper()
	root, err := certs.LoadPEM(a.Root)
	must(t, err)
	rep, err := validate.File(t.Context(), "a", bytes.NewReader(file), int64(len(file)), validate.Options{Anchors: root, Now: time.Now().Add(by)})
	must(t, err)
	return rep.Signatures[0]
}

// at signs at B-B, and a document time-stamp of before now proves when; the chain is that of
// its authority.
func (a *authority) at(t *testing.T, ago time.Duration) ([]byte, [][]byte) {
	t.Helper()
	k, chain := secondStamper(t, a, -ago)
	return k.stamped(t, a.sign(t, "B-B"), ""), chain
}

// asked gives the answer of another time.
func (a *authority) asked(t *testing.T, chain [][]byte, skew time.Duration) []byte {
	t.Helper()
	a.Skew = skew
	defer func() { a.Skew = 0 }()
	answer, _ := a.fetch(t, chain)
	return answer
}

// news is a list that the issuing authority makes in three hours, in the file.
func (a *authority) news(t *testing.T, file []byte) []byte {
	t.Helper()
	list := a.List(t, 3*time.Hour)
	if !bytes.HasPrefix(file, []byte("%PDF")) {
		const at = "<xades:CRLValues>"
		item := "<xades:EncapsulatedCRLValue>" + base64.StdEncoding.EncodeToString(list) + "</xades:EncapsulatedCRLValue>"
		return bytes.Replace(file, []byte(at), []byte(at+item), 1)
	}
	return a.add(t, file, pdf.ValidationData{CRLs: [][]byte{list}})
}

// add stores validation data and nothing else.
func (a *authority) add(t *testing.T, file []byte, data pdf.ValidationData) []byte {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	must(t, err)
	tail, err := d.PlanDSS(data)
	must(t, err)
	return slices.Concat(file, tail)
}

// ADE-03: that a certificate was revoked does not stop counting when the statement that
// says so would be replaced: neither in a PDF nor in XML.
func TestADE03BadNewsStays(t *testing.T) {
	for name, form := range map[string]func(t *testing.T, a *authority) []byte{
		"PDF, by a document time-stamp": func(t *testing.T, a *authority) []byte {
			file, his := a.at(t, 10*time.Minute)
			good := a.asked(t, a.signer, -20*time.Minute)
			a.Revoke(t, a.signer[0], time.Now().Add(-15*time.Minute))
			return a.store(t, file, good, a.asked(t, his, 0), a.asked(t, a.signer, 0))
		},
		"PDF, of later": func(t *testing.T, a *authority) []byte {
			file := a.sign(t, "B-T")
			good := a.asked(t, a.signer, 0)
			a.Revoke(t, a.signer[0], time.Now().Add(-15*time.Minute))
			return a.news(t, a.store(t, file, good, a.asked(t, a.stamps, 0)))
		},
		"XML, of later": func(t *testing.T, a *authority) []byte {
			file := a.signXML(t, "B-T", invoice)
			good := a.asked(t, a.signer, 0)
			a.Revoke(t, a.signer[0], time.Now().Add(-15*time.Minute))
			return a.news(t, a.keep(t, file, good, a.asked(t, a.stamps, 0)))
		},
	} {
		a := newAuthority(t)
		file := form(t, a)
		for _, by := range []time.Duration{200 * time.Minute, 6 * time.Hour, 20 * time.Hour} {
			if s := a.later(t, file, by); s.Verdict != validate.NotValid || s.SubIndication != validate.RevokedNoPOE {
				t.Errorf("%s, %s later: %s %s %q", name, by, s.Verdict, s.Words(), s.Revocation)
			}
		}
	}
}

// RFC 3161, section 4: the same for who gives the time, whose key was stolen afterwards: what was
// good before does not outweigh it, sealed or not. What is proven to be older than
// the theft stays.
func TestADE03TheftStays(t *testing.T) {
	a := newAuthority(t)
	file := a.sign(t, "B-T")
	mine, his := a.asked(t, a.signer, 0), a.asked(t, a.stamps, 0)
	a.Revoke(t, a.stamps[0], time.Now().Add(2*time.Hour))
	open := a.news(t, a.store(t, file, mine, his))
	xml := a.news(t, a.keep(t, a.signXML(t, "B-T", invoice), mine, his))
	for name, f := range map[string][]byte{"PDF": open, "XML": xml} {
		for _, by := range []time.Duration{200 * time.Minute, 6 * time.Hour, 20 * time.Hour} {
			if s := a.later(t, f, by); s.Proven != nil || s.Level != "B-B" || !strings.Contains(strings.Join(s.Warnings, " "), "with its key any time can be claimed") {
				t.Errorf("%s, %s later: %s %s, proven %v, %q", name, by, s.Words(), s.Level, s.Proven, s.Warnings)
			}
		}
	}
	b := newAuthority(t)
	stamped, thief := b.at(t, 10*time.Minute)
	good := b.asked(t, b.signer, 0)
	before := b.asked(t, thief, -9*time.Minute)
	b.Revoke(t, thief[0], time.Now().Add(-5*time.Minute))
	stolen := b.store(t, stamped, good, before, b.asked(t, thief, 0))
	for _, by := range []time.Duration{0, 30 * time.Minute, 6 * time.Hour} {
		if s := b.later(t, stolen, by); s.Verdict == validate.Valid && s.Proven != nil {
			t.Errorf("document time-stamp, %s later: %s, proven %v", by, s.Words(), s.Proven)
		}
	}
	// Another authority's time-stamp shows that the first is older than the theft.
	k, _ := secondStamper(t, a, 0)
	sealed := a.news(t, k.stamped(t, a.store(t, file, mine, his), ""))
	if s := a.later(t, sealed, 6*time.Hour); s.Verdict != validate.Valid || s.Level != "B-LTA" {
		t.Errorf("sealed before: %s %s %s %q", s.Verdict, s.Words(), s.Level, s.Why)
	}
}

// ADE-03: that nothing is known of the issuing authority does not hide what is known of
// the signer.
func TestADE03BadNewsBelowTheUnknown(t *testing.T) {
	a := newAuthority(t)
	file := a.sign(t, "B-T")
	a.Revoke(t, a.signer[0], time.Now().Add(-15*time.Minute))
	file = a.add(t, file, pdf.ValidationData{Certs: [][]byte{a.signer[1]}, OCSPs: [][]byte{a.asked(t, a.signer, 0)}})
	if s := a.later(t, file, 0); s.Verdict != validate.NotValid {
		t.Errorf("%s %s", s.Verdict, s.Words())
	}
}
