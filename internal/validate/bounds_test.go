package validate_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// lists are CRLs of an authority, each of its own time, none of them current any more, and older
// from one to the next.
func lists(t *testing.T, issuer *x509.Certificate, key crypto.Signer, n int, revoked ...*x509.Certificate) (out [][]byte) {
	t.Helper()
	var entries []x509.RevocationListEntry
	for _, c := range revoked {
		entries = append(entries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now().Add(-time.Hour)})
	}
	for i := range n {
		at := time.Now().Add(-time.Duration(i+1) * 30 * time.Minute)
		raw, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(int64(i + 1)), ThisUpdate: at, NextUpdate: at.Add(10 * time.Minute), RevokedCertificateEntries: entries}, issuer, key)
		must(t, err)
		out = append(out, raw)
	}
	return out
}

// I9: statements of more times than are asked, more statements than are looked at, and more work than
// is done for one file: each doubts the signature, since what was passed over could be that the certificate was
// revoked. One below the bound is whole.
func TestI9BoundsOfValidationDataAreTold(t *testing.T) {
	tr := newTree(t)
	key, fake := newKey(t), newKey(t)
	anna := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key)
	one := signAs(t, contract(), key, anna)
	thieves := func(n int) (out [][]byte) {
		for range n {
			k := newKey(t)
			out = append(out, tr.issue(t, authorityOf("Root"), nil, k.Public(), k).Raw)
		}
		return out
	}
	other := tr.issue(t, authorityOf("Root"), nil, fake.Public(), fake)
	for name, c := range map[string]struct {
		data pdf.ValidationData
		why  string
	}{
		"63 times":            {pdf.ValidationData{CRLs: lists(t, tr.root, tr.key, 63)}, ""},
		"64 times":            {pdf.ValidationData{CRLs: lists(t, tr.root, tr.key, 64)}, "of more than 64 times"},
		"401 lists":           {pdf.ValidationData{CRLs: lists(t, other, fake, 401)}, "more statements than are asked"},
		"more work than that": {pdf.ValidationData{Certs: thieves(70), CRLs: lists(t, other, fake, 63)}, "too much to be looked through"},
	} {
		rep := look(t, (&authority{}).add(t, one, c.data), tr.trust())
		s := rep.Signatures[0]
		if (rep.Verdict == validate.Valid) != (c.why == "") || !strings.Contains(strings.Join(s.Why, "\n"), c.why) || c.why != "" && rep.SubIndication != validate.TryLater {
			t.Errorf("%s: %s %q", name, rep.Words(), s.Why)
		}
	}
	// The bad news is found among as many as are asked, wherever it stands.
	bad := (&authority{}).add(t, one, pdf.ValidationData{CRLs: append(lists(t, other, fake, 30), lists(t, tr.root, tr.key, 1, anna)...)})
	if rep := look(t, bad, tr.trust()); rep.SubIndication != validate.RevokedNoPOE {
		t.Errorf("among others: %s", rep.Words())
	}
}

// ADE-06, D16, I9: of more revisions with the bytes of signatures to which nothing leads than are opened nothing is said to be
// whole; as many as are opened are.
func TestD16BoundOfRevisionsThatAreLookedAt(t *testing.T) {
	k := newKit(t)
	for n, want := range map[int]validate.Verdict{32: validate.Valid, 33: validate.Indeterminate} {
		doc := contract()
		for range n {
			// What looks like the range of a signature over this very revision, in a text.
			with := func(end int) []byte {
				at := bytes.IndexByte(doc, '<')
				return upd(doc, map[int]string{30: fmt.Sprintf("(/ByteRange [0 %010d %010d %010d])", at, at+1, end-at-1)})
			}
			doc = with(len(with(0)))
		}
		rep := k.look(t, k.sign(t, doc, true), k.trust())
		if rep.Verdict != want || (want != validate.Valid) != strings.Contains(strings.Join(rep.Notes, " "), "more than 32 signatures") {
			t.Errorf("%d: %s %q", n, rep.Words(), rep.Notes)
		}
	}
}

// ADE-06, D16: many people sign one file, and none of them spoils it; what is too much to be compared is not decided, and is
// not said to be broken.
func TestD16ManyPeopleSignOneFile(t *testing.T) {
	tr := newTree(t)
	key := newKey(t)
	anna := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key)
	f := contract()
	for range 40 {
		f = signAs(t, f, key, anna)
	}
	if rep := look(t, f, tr.trust()); rep.Verdict != validate.Valid || len(rep.Signatures) != 40 {
		t.Errorf("%s", rep.Words())
	}
	opt := tr.trust()
	opt.Limits.MaxWork = 16 << 20
	rep := look(t, f, opt)
	if rep.Verdict != validate.Indeterminate || !strings.Contains(strings.Join(rep.Signatures[20].Why, " ")+strings.Join(rep.Signatures[30].Why, " "), "too much to be looked through") {
		t.Errorf("over a limit: %s", rep.Words())
	}
}
