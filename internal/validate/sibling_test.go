package validate_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/validate"
)

// ADE-03: that a certificate was revoked is heard wherever in the file it stands, also in another signature of an XML document, which no
// later signer can take away; what is good there does not speak for others.
func TestADE03BadNewsInAnotherSignature(t *testing.T) {
	tr := newTree(t)
	mine, last := newKey(t), newKey(t)
	first := &kit{key: mine, chain: [][]byte{tr.issue(t, person("Mallory"), tr.root, mine.Public(), tr.key).Raw}}
	second := &kit{key: last, chain: [][]byte{tr.issue(t, person("Second"), tr.root, last.Public(), tr.key).Raw}}
	leaf := parsed(t, first.chain[0])
	for news, list := range map[string][]byte{"good": listOf(t, tr.root, tr.key, time.Minute), "bad": listOf(t, tr.root, tr.key, time.Minute, leaf)} {
		file := second.signXML(t, string(first.signXML(t, invoice, "s1", true, false)), "s2", true, false)
		end := bytes.LastIndex(file, []byte("</ds:X509Data>"))
		more := []byte("<ds:X509CRL>" + base64.StdEncoding.EncodeToString(list) + "</ds:X509CRL>")
		file = append(append(bytes.Clone(file[:end]), more...), file[end:]...)
		rep := look(t, file, tr.trust())
		s := rep.Signatures[0]
		if len(rep.Signatures) != 2 || (s.Verdict == validate.Valid) != (news == "good") || news == "bad" && s.SubIndication != validate.RevokedNoPOE || s.Revocation != "" && news == "good" {
			t.Errorf("%s: %s %q %q", news, s.Words(), s.Why, s.Revocation)
		}
		if s := rep.Signatures[1]; s.Verdict != validate.Valid {
			t.Errorf("%s, the second: %s %q", news, s.Words(), s.Why)
		}
	}
}

func parsed(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	must(t, err)
	return c
}
