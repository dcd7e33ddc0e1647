package validate_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/validate"
)

// EN 319 102-1, tables 5 and 6: each cause has its words, and a file passes if and only
// if it is valid.
func TestADE03IndicationsOfTheStandard(t *testing.T) {
	k, other := newKit(t), newKit(t)
	plain, stamped := k.sign(t, contract(), false), k.sign(t, contract(), true)
	at := func(years int) validate.Options {
		return validate.Options{Anchors: k.anchors(), Now: time.Now().AddDate(years, 0, 0)}
	}
	required := k.trust()
	required.Revocation = validate.RevocationRequired
	cut := bytes.Index(plain, []byte("/ByteRange [")) + len("/ByteRange [")
	beyond := slices.Concat(plain[:cut], []byte("1"), plain[cut+1:])
	wrongKey := newKey(t)
	forged := *k
	forged.key = wrongKey
	machine := *k
	var err error
	machine.key = newKey(t)
	machine.chain, err = k.ca.IssueKey(machine.key, certs.DemoRequest{Profile: certs.TSAProfile, CommonName: "Machine"})
	must(t, err)
	early := *k
	early.key = newKey(t)
	early.chain, err = k.ca.IssueKey(early.key, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "Early",
		NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(48 * time.Hour)})
	must(t, err)
	over := *k
	over.key = newKey(t)
	over.chain, err = k.ca.IssueKey(over.key, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "Over",
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	must(t, err)
	for _, c := range []struct {
		name string
		file []byte
		opt  validate.Options
		in   validate.Indication
		sub  validate.SubIndication
	}{
		{"good", plain, k.trust(), validate.TotalPassed, ""},
		{"good, proven", stamped, at(2), validate.TotalPassed, ""},
		{"other bytes", bytes.Replace(plain, []byte("240 euros"), []byte("999 euros"), 1), k.trust(), validate.TotalFailed, validate.HashFailure},
		{"another key", forged.sign(t, contract(), false), k.trust(), validate.TotalFailed, validate.SigCryptoFailure},
		{"a range that is none", beyond, k.trust(), validate.TotalFailed, validate.FormatFailure},
		{"bytes behind", append(bytes.Clone(plain), "% hello\n"...), k.trust(), validate.TotalFailed, validate.FormatFailure},
		{"no anchors", plain, validate.Options{}, validate.InDoubt, validate.NoCertificateChainFound},
		{"other anchors", plain, other.trust(), validate.InDoubt, validate.NoCertificateChainFound},
		{"for other purposes", machine.sign(t, contract(), false), k.trust(), validate.InDoubt, validate.ChainConstraintsFailure},
		{"over, no proof", plain, at(2), validate.InDoubt, validate.OutOfBoundsNoPOE},
		{"over, and the proof too", stamped, at(5), validate.InDoubt, validate.OutOfBoundsNoPOE},
		{"not yet valid, proven", early.sign(t, contract(), true), k.trust(), validate.TotalFailed, validate.NotYetValid},
		{"made when it was over", over.sign(t, stamped, true), k.trust(), validate.TotalFailed, validate.Expired},
		{"over, below a later time-stamp", k.stamped(t, over.sign(t, k.sign(t, contract(), false), false), ""), k.trust(), validate.InDoubt, validate.OutOfBoundsNoPOE},
		{"over when it was stamped", over.sign(t, contract(), true), k.trust(), validate.InDoubt, validate.OutOfBoundsNoPOE},
		{"nothing about revocation", stamped, required, validate.InDoubt, validate.TryLater},
	} {
		t.Run(c.name, func(t *testing.T) {
			rep := k.look(t, c.file, c.opt)
			if rep.Indication != c.in || rep.SubIndication != c.sub || (rep.Verdict == validate.Valid) != (c.in == validate.TotalPassed) {
				t.Errorf("%s %s, want %s %s", rep.Verdict, rep.Words(), c.in, c.sub)
				for _, s := range rep.Signatures {
					t.Log(s.Verdict, s.Words(), s.Why)
				}
			}
			var back map[string]any
			text, err := json.Marshal(rep)
			must(t, err)
			must(t, json.Unmarshal(text, &back))
			if back["schema"] != validate.Schema || back["indication"] != string(c.in) {
				t.Errorf("%s", text)
			}
		})
	}
}

// ADE-03: a document time-stamp from when the first authority's certificate still held
// keeps what that one proved, and what is above is judged by the standard's order.
func TestADE03LaterTimeStampsKeepEarlierOnes(t *testing.T) {
	k := newKit(t)
	renewed := k.longer(t, 8).stamped(t, k.sign(t, contract(), true), "")
	for years, want := range map[int]validate.Indication{5: validate.TotalPassed, 9: validate.InDoubt} {
		rep := k.look(t, renewed, validate.Options{Anchors: k.anchors(), Now: time.Now().AddDate(years, 0, 0)})
		if rep.Indication != want {
			t.Errorf("after %d years: %s %v", years, rep.Words(), rep.Signatures[0].Why)
		}
		if p := rep.Signatures[0].Present; p.SubIndication != validate.OutOfBoundsNoPOE {
			t.Errorf("at present: %s", p.Words())
		}
	}
	early := k.ahead(t, -time.Hour).stamped(t, k.sign(t, contract(), true), "")
	if rep := k.look(t, early, k.trust()); rep.SubIndication != validate.TimestampOrderFailure {
		t.Errorf("a covering time-stamp that is older: %s", rep.Words())
	}
}
