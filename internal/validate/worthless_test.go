package validate_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// restamped puts another token in the place of that of the first signature of a PDF.
func restamped(t *testing.T, file []byte, token func(own []byte) []byte) []byte {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	must(t, err)
	found, err := d.Signatures()
	must(t, err)
	der, err := found[0].CMS()
	must(t, err)
	sd, err := cms.Parse(der)
	must(t, err)
	own := sd.Signers[0].TimeStampTokens()[0]
	bare := bytes.Replace(der, own, token(bytes.Clone(own)), 1)
	if len(bare) != len(der) {
		t.Fatalf("a token of %d bytes more", len(bare)-len(der))
	}
	out := bytes.Clone(file)
	copy(out[found[0].ContentsOffset+1:], hex.EncodeToString(bare))
	return out
}

// tokenIn is the token of the first signature.
func tokenIn(t *testing.T, file []byte) (token []byte) {
	t.Helper()
	restamped(t, file, func(own []byte) []byte { token = own; return own })
	return token
}

// ADE-03, EN 319 102-1, 5.5.4: a time-stamp over a signature that does not hold is no proof of existence and harms nothing. The signature is judged as if it were not
// there, with a warning that names the token and why; no level, no time and no old certificate stands on it.
func TestADE03ABadTimeStampProvesNothing(t *testing.T) {
	k, stranger := newKit(t), newKit(t)
	mixed, early := *k, k.ahead(t, 25*time.Hour)
	mixed.stamp = stranger.stamp
	file, xml := k.sign(t, contract(), true), k.signXML(t, invoice, "s1", false, true)
	sameSize := func(in []byte, stamper *kit) []byte { // a token of another signature, as long as its own
		for range 50 {
			if token := tokenIn(t, stamper.sign(t, in, true)); len(token) == len(tokenIn(t, file)) {
				return token
			}
		}
		t.Fatal("no token of that length")
		return nil
	}
	copied := sameSize(contract(), k)
	broken := func(own []byte) []byte { own[len(own)-1] ^= 1; return own }
	inXML := func(edit func([]byte) []byte) []byte {
		return regexp.MustCompile(`(<xades:EncapsulatedTimeStamp[^>]*>)([^<]*)`).ReplaceAllFunc(xml, func(m []byte) []byte {
			i := bytes.IndexByte(m, '>') + 1
			own, err := base64.StdEncoding.DecodeString(string(m[i:]))
			must(t, err)
			return append(bytes.Clone(m[:i]), base64.StdEncoding.EncodeToString(edit(own))...)
		})
	}
	for name, c := range map[string]struct {
		file []byte
		why  string
	}{
		"PDF, of another signature":     {restamped(t, file, func([]byte) []byte { return copied }), "is over other data"},
		"PDF, broken":                   {restamped(t, file, broken), "proves nothing"},
		"PDF, of a stranger":            {mixed.sign(t, contract(), true), "authority is not trusted"},
		"PDF, of the future":            {early.sign(t, contract(), true), "still to come"},
		"XML, of another signature":     {inXML(func([]byte) []byte { return copied }), "is over other data"},
		"XML, broken":                   {inXML(broken), "proves nothing"},
		"XML, of a stranger":            {mixed.signXML(t, invoice, "s1", false, true), "authority is not trusted"},
		"XML, of the future":            {early.signXML(t, invoice, "s1", false, true), "still to come"},
		"PDF, good, and one of another": {k.stamped(t, restamped(t, file, broken), ""), "proves nothing"},
	} {
		sealed := strings.Contains(name, "good, and")
		rep := look(t, c.file, k.trust())
		s := rep.Signatures[0]
		if rep.Verdict != validate.Valid || (s.Level == "B-T") != sealed || (s.Proven != nil) != sealed || !strings.Contains(strings.Join(s.Warnings, " "), c.why) {
			t.Errorf("%s: %s at %q, proven %v, %q %q", name, rep.Words(), s.Level, s.Proven, s.Why, s.Warnings)
		}
		for _, want := range []struct {
			opt validate.Options
			sub validate.SubIndication
		}{
			{validate.Options{Anchors: k.anchors(), Level: "B-T"}, validate.SigConstraintsFailure},
			{validate.Options{Anchors: k.anchors(), Now: time.Now().AddDate(2, 0, 0)}, validate.OutOfBoundsNoPOE},
			{validate.Options{Anchors: stranger.anchors()}, validate.NoCertificateChainFound},
		} {
			if strings.Contains(c.why, "still to come") && want.sub == validate.OutOfBoundsNoPOE || sealed {
				continue // it has come then
			}
			if rep := look(t, c.file, want.opt); rep.SubIndication != want.sub {
				t.Errorf("%s, as %v: %s %q", name, want.opt.Now, rep.Words(), rep.Signatures[0].Why)
			}
		}
	}
}

// ADE-05: what stands for a time-stamp in XML and is none is data that nobody signed.
func TestADE05WhatIsNoTimeStampIsData(t *testing.T) {
	k := newKit(t)
	xml := k.signXML(t, invoice, "s1", false, true)
	data := regexp.MustCompile(`(<xades:EncapsulatedTimeStamp[^>]*>)[^<]*`).ReplaceAll(xml, []byte("${1}"+base64.StdEncoding.EncodeToString([]byte("999 euros"))))
	if rep := look(t, data, k.trust()); rep.SubIndication != validate.SigConstraintsFailure || rep.Signatures[0].Level == "B-T" {
		t.Errorf("%s %q", rep.Words(), rep.Signatures[0].Why)
	}
}

// The same where the authority was revoked before, or its key stolen: what it said of the time goes, and what stood on it.
func TestADE03ARevokedAuthorityProvesNothing(t *testing.T) {
	for name, sign := range map[string]func(a *authority) []byte{
		"PDF": func(a *authority) []byte { return a.sign(t, "B-T") },
		"XML": func(a *authority) []byte { return a.signXML(t, "B-T", invoice) },
	} {
		a := newAuthority(t)
		file := sign(a)
		good := a.asked(t, a.signer, 0)
		a.Revoke(t, a.stamps[0], time.Now().Add(-10*time.Minute))
		bad := a.asked(t, a.stamps, 0)
		if name == "PDF" {
			file = a.store(t, file, good, bad)
		} else {
			file = a.keep(t, file, good, bad)
		}
		s := a.later(t, file, 0)
		if s.Verdict != validate.Valid || s.Proven != nil || s.Level != "B-B" || !strings.Contains(strings.Join(s.Warnings, " "), "was revoked on") {
			t.Errorf("%s: %s at %q, proven %v, %q %q", name, s.Words(), s.Level, s.Proven, s.Why, s.Warnings)
		}
	}
}
