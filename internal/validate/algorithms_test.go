package validate_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-03, EN 319 102-1, 5.2.8.2 and 5.5.4; TS 119 312: an algorithm is judged by the time at which the signature is proven to have been
// there. One of SHA-1 never passes; which of both reasons it is told for depends on the proof. One of RSA passes, with a warning from the
// day on that is foreseen as its end.
func TestADE03AlgorithmsAreJudgedByDate(t *testing.T) {
	tr := &tree{key: newKey(t), ages: true}
	tr.root = tr.issue(t, authorityOf("Root"), nil, tr.key.Public(), tr.key)
	stampKey, key := newKey(t), newKey(t)
	stamps := person("TSA")
	stamps.KeyUsage, stamps.ExtraExtensions = x509.KeyUsageDigitalSignature, criticalStamping()
	tsa := tr.issue(t, stamps, tr.root, stampKey.Public(), tr.key)
	anna := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key)
	of := func(year int) []byte {
		at := func() time.Time { return time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC) }
		r := &tsp.Responder{Signer: stampKey, Alg: algo.ES256, Chain: [][]byte{tsa.Raw}, Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Clock: at}
		must(t, r.Check())
		k := &kit{key: key, chain: [][]byte{anna.Raw}, stamp: &tsp.InProcess{Authority: r, Anchors: []*x509.Certificate{tr.root}, Clock: at}}
		return k.signXML(t, invoice, "s1", false, true)
	}
	sha1 := func(file []byte) []byte {
		return bytes.Replace(file, []byte("ecdsa-sha256"), []byte("ecdsa-sha1"), 1)
	}
	for name, c := range map[string]struct {
		file []byte
		now  int
		want validate.SubIndication
	}{
		"SHA-256 of 2011":       {of(2011), 2026, ""},
		"SHA-1, proven 2011":    {sha1(of(2011)), 2026, validate.CryptoConstraintsFailure},
		"SHA-1, proven 2013":    {sha1(of(2013)), 2026, validate.CryptoNoPOE},
		"SHA-1, asked in 2011":  {sha1(of(2010)), 2011, validate.CryptoConstraintsFailure},
		"SHA-1, not proven yet": {sha1(of(2024)), 2011, validate.CryptoConstraintsFailure},
	} {
		opt := tr.trust()
		opt.Now = time.Date(c.now, 7, 1, 0, 0, 0, 0, time.UTC)
		rep := look(t, c.file, opt)
		if rep.SubIndication != c.want || (rep.Verdict == validate.Valid) != (c.want == "") {
			t.Errorf("%s: %s %s %q", name, rep.Verdict, rep.Words(), rep.Signatures[0].Why)
		}
	}
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	file := foreign(t, tr, "rsa-sha256", strong, func(d []byte) []byte {
		sig, err := strong.Sign(rand.Reader, d, crypto.SHA256)
		must(t, err)
		return sig
	})
	for year, warned := range map[int]bool{2026: false, 2030: true} {
		opt := tr.trust()
		opt.Now = time.Date(year, 7, 1, 0, 0, 0, 0, time.UTC)
		rep := look(t, file, opt)
		if s := rep.Signatures[0]; rep.Verdict != validate.Valid || strings.Contains(strings.Join(s.Warnings, " "), "2029-01") != warned {
			t.Errorf("RSA in %d: %s %q %q", year, rep.Words(), s.Warnings, s.Why)
		}
	}
}

// ADE-05, EN 319 132-1, 5.2.1: SigningTime is an xs:dateTime, which may say nothing of a zone. It is told as UTC, with a warning; what is no time is
// a wrong form.
func TestADE05SigningTimeWithoutAZone(t *testing.T) {
	k := newKit(t)
	same := func(s string) string { return s }
	for written, want := range map[string]string{"2026-01-02T03:04:05Z": "", "2026-01-02T03:04:05": "no time zone", "2026-01-02": "!", "2026-13-02T03:04:05": "!"} {
		props := func(s string) string {
			return regexp.MustCompile(`<xades:SigningTime>[^<]*`).ReplaceAllString(s, "<xades:SigningTime>"+written)
		}
		rep := k.look(t, k.edited(t, invoice, props, same), k.trust())
		s := rep.Signatures[0]
		if bad := want == "!"; (rep.Verdict == validate.Valid) == bad || !bad && (!strings.Contains(strings.Join(s.Warnings, " "), want) || (len(s.Warnings) > 0) != (want != "")) {
			t.Errorf("%s: %s %q %q", written, rep.Words(), s.Why, s.Warnings)
		}
		if rep.Verdict == validate.Valid && !s.Claimed.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
			t.Errorf("%s: %s", written, s.Claimed)
		}
	}
}
