package validate_test

import (
	"crypto"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/secret"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/validate"
)

// I9: the comparisons of an encrypted file are charged to the file, as those of one in
// clear (TestD16ManyPeopleSignOneFile): its MaxWork bounds all its signatures together.
func TestI9WorkOnEncryptedIsBounded(t *testing.T) {
	tr := newTree(t)
	key := newKey(t)
	anna := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key)
	f := testenv.EncryptPDF(t, contract(), "", "owner")
	for range 40 {
		f = signAs(t, f, key, anna)
	}
	opt := tr.trust()
	opt.Limits.MaxWork = 48 << 20
	if rep := look(t, f, opt); rep.Verdict == validate.Valid {
		t.Errorf("40 comparisons within the room of one: %s", rep.Words())
	}
}

// D16, I9: with more than eight signatures the file is opened again with more room for
// its comparison, by the same password.
func TestD16ManySignaturesWithAPassword(t *testing.T) {
	k := newKit(t)
	user := secret.New([]byte("user"))
	f := testenv.EncryptPDF(t, contract(), "user", "owner")
	for range 9 {
		f = k.finish(t, f, pdf.SignOptions{Time: time.Now(), Hash: crypto.SHA256, Reserve: 16 << 10, Password: user})
	}
	o := k.trust()
	o.Password = user
	if rep := k.look(t, f, o); rep.Verdict != validate.Valid {
		t.Errorf("%s", rep.Words())
	}
}
