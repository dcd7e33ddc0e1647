package pades_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// ADE-03, ADE-04: a file that its author encrypted with AES-256 is signed at every level, seen on
// the page or not, also under the qualified policy; the level is found and passes, poppler and
// qpdf agree, and another signature and time-stamp follow.
func TestADE03EncryptedAtEveryLevel(t *testing.T) {
	n := 0
	for _, more := range []map[string]string{nil, {"add_visible_signature": "true", "visible_signature_rectangle": "20,20,180,80"}} {
		a := workertest.NewAuthority(t)
		anchors, err := certs.LoadPEM(a.Root)
		if err != nil {
			t.Fatal(err)
		}
		e, _, _ := longterm(t, a, "B-LTA", more)
		for _, level := range []string{"B-B", "B-T", "B-LT", "B-LTA"} {
			in := testenv.EncryptPDF(t, minimalPDF(), "", "owner", []string{"--print=full", "--cleartext-metadata", "--force-R5", "--extract=n"}[n%4])
			n++
			once := signEncrypted(t, e, in, level)
			judgeEncrypted(t, once, level, anchors, 1)
			if more == nil { // a later picture over a page is for a human to judge
				judgeEncrypted(t, signEncrypted(t, e, once, level), level, anchors, 2)
			}
		}
	}
}

func signEncrypted(t *testing.T, e *workers.Entry, in []byte, level string) []byte {
	t.Helper()
	out := workertest.File(t, "out.pdf")
	_, err := workers.SignNow(t.Context(), e, workers.Input{Document: bytes.NewReader(in), Size: int64(len(in)), Name: "e.pdf", Level: level,
		Policy: sap.PolicyQualified, Params: map[string]string{"reason": "because it is right"}}, out)
	if err != nil {
		t.Fatalf("%s: %v", level, err)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b, in) || bytes.Contains(b, []byte("because it is right")) {
		t.Errorf("%s: the original is no prefix, or the reason stands in clear", level)
	}
	return b
}

func judgeEncrypted(t *testing.T, file []byte, level string, anchors []*x509.Certificate, signed int) {
	t.Helper()
	rep, err := validate.File(t.Context(), "e.pdf", bytes.NewReader(file), int64(len(file)), validate.Options{Anchors: anchors})
	if err != nil || rep.Verdict != validate.Valid {
		t.Fatalf("%s: %+v, %v", level, rep, err)
	}
	found := 0
	for _, s := range rep.Signatures {
		if !s.IsTimeStamp() {
			found++
			if s.Level != level || s.Reason != "because it is right" || s.Indication != validate.TotalPassed {
				t.Errorf("%s: %s %q %s", level, s.Level, s.Reason, s.Words())
			}
		}
	}
	path := workertest.File(t, "judged.pdf").Name()
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	say, err := exec.Command(testenv.Need(t, "pdfsig"), "-nocert", path).CombinedOutput()
	if err != nil || bytes.Count(say, []byte("Signature is Valid")) < signed || !bytes.Contains(say, []byte("Total document signed")) && level != "B-LT" && level != "B-LTA" || found != signed {
		t.Errorf("%s: %d signatures, pdfsig: %v\n%s", level, found, err, say)
	}
	if class := qpdfCheck(testenv.Need(t, "qpdf"), path); class != 0 {
		t.Errorf("%s: qpdf --check exits with %d", level, class)
	}
}

// ADE-04, D6: encrypted files that cannot be signed are refused before anybody is asked, with the
// reason: weak encryption, a password, permissions, also those that only a later step needs;
// and, under the qualified policy, parts in clear.
func TestADE04EncryptedRefusals(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, _, _ := longterm(t, a, "B-LTA", nil)
	for name, c := range map[string]struct {
		options []string
		user    string
		level   string
		want    error
		words   string
	}{
		"needs a password":   {nil, "secret", "B-B", pdf.ErrPassword, "needs a password"},
		"no change at all":   {[]string{"--modify=none"}, "", "B-B", pdf.ErrPermission, "does not permit"},
		"no new fields":      {[]string{"--modify=form"}, "", "B-B", pdf.ErrPermission, "add a signature field"},
		"no time-stamp":      {[]string{"--modify=form"}, "", "B-LTA", pdf.ErrPermission, "add a signature field"},
		"comments, no field": {[]string{"--modify=annotate", "--modify-other=n"}, "", "B-T", pdf.ErrPermission, "add a signature field"},
	} {
		in := testenv.EncryptPDF(t, minimalPDF(), c.user, "owner", c.options...)
		out := workertest.File(t, "out.pdf")
		_, err := workers.SignNow(t.Context(), e, workers.Input{Document: bytes.NewReader(in), Size: int64(len(in)), Name: "e.pdf", Level: c.level}, out)
		if !errors.Is(err, c.want) || !errors.Is(err, workers.ErrInput) || !strings.Contains(fmt.Sprint(err), c.words) {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := out.Stat(); err != nil || info.Size() != 0 {
			t.Errorf("%s: %d bytes written, %v", name, info.Size(), err)
		}
	}
}
