package validate_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/secret"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/validate"
)

// ADE-04: what was done to an encrypted file after its signature is named as in any other, and an
// update that changes how the file is encrypted, and so what the signed bytes mean, is refused.
func TestADE04ChangesOfEncryptedFilesAreNamed(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, testenv.EncryptPDF(t, contract(), "", "owner"), true)
	if rep := k.look(t, signed, k.trust()); rep.Verdict != validate.Valid || rep.Signatures[0].Reason != "test" {
		t.Fatalf("as it was signed: %+v", rep)
	}
	twice := k.sign(t, signed, true)
	if rep := k.look(t, twice, k.trust()); rep.Verdict != validate.Valid || len(rep.Signatures) != 2 {
		t.Errorf("signed again: %+v", rep)
	}
	own := regexp.MustCompile(`(?s)trailer\n<<(.*?)\n/Size`).FindSubmatch(signed[len(signed)-2000:])
	if own == nil || !bytes.Contains(own[1], []byte("/Encrypt")) {
		t.Fatalf("%q", own)
	}
	trailer := string(own[1])
	page := "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"
	for _, n := range []int{3, 4, 5, 6} { // wherever qpdf put the pages: a page with other content or a resource that is none
		bad := updKeys(signed, map[int]string{n: page}, trailer)
		if rep := k.look(t, bad, k.trust()); rep.Verdict == validate.Valid {
			t.Errorf("object %d replaced: %+v", n, rep)
		}
	}
	for name, keys := range map[string]string{
		"dropped": strings.Replace(trailer, "/Encrypt", "/Unused", 1), "another one": strings.Replace(trailer, "/Encrypt", "/Encrypt << /Filter /Standard /V 5 >> /Unused", 1),
	} {
		bad := updKeys(signed, map[int]string{90: "null"}, keys)
		rep, err := validate.File(context.Background(), "a.pdf", bytes.NewReader(bad), int64(len(bad)), k.trust())
		if !errors.Is(err, pdf.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, rep, err)
		}
	}
}

// ADE-04, D6: a file that needs a password is judged with it, and told as such without it.
func TestADE04JudgedWithAPassword(t *testing.T) {
	k := newKit(t)
	opt := pdf.SignOptions{Time: time.Now(), Hash: crypto.SHA256, Reserve: 16 << 10, Reason: "test", Password: secret.New([]byte("user"))}
	signed := k.finish(t, k.finish(t, testenv.EncryptPDF(t, contract(), "user", "owner"), opt), opt)
	for password, want := range map[string]error{"user": nil, "owner": nil, "": pdf.ErrPassword, "guess": pdf.ErrPassword} {
		o := k.trust()
		o.Password = secret.New([]byte(password))
		rep, err := validate.File(context.Background(), "a.pdf", bytes.NewReader(signed), int64(len(signed)), o)
		if !errors.Is(err, want) || err == nil && (rep.Verdict != validate.Valid || len(rep.Signatures) != 2) {
			t.Errorf("%q: %+v, %v", password, rep, err)
		}
	}
}
