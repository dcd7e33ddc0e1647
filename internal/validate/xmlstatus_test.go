package validate_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// signXML signs an XML document at a level.
func (a *authority) signXML(t *testing.T, level, doc string) []byte {
	t.Helper()
	e, err := a.set.Get("xml")
	must(t, err)
	out := workertest.File(t, "out.xml")
	in := workers.Input{Document: strings.NewReader(doc), Size: int64(len(doc)), Name: "a.xml", Level: level, Chain: e.Chain, Alg: algo.ES256}
	p, err := e.Worker.Prepare(context.Background(), in, out)
	must(t, err)
	sig, err := e.Signer.Sign(nil, p.DTBSR, crypto.SHA256)
	must(t, err)
	_, err = e.Worker.Finish(context.Background(), p, sig, out)
	must(t, err)
	got, err := os.ReadFile(out.Name())
	must(t, err)
	return got
}

// keep adds validation data that no worker would, to a signature at B-T.
func (a *authority) keep(t *testing.T, file []byte, ocsps ...[]byte) []byte {
	t.Helper()
	_, crl := a.fetch(t, a.signer)
	item := func(name string, der []byte) string {
		return "<xades:" + name + ">" + base64.StdEncoding.EncodeToString(der) + "</xades:" + name + ">"
	}
	values := "<xades:CertificateValues>" + item("EncapsulatedX509Certificate", a.signer[1]) + item("EncapsulatedX509Certificate", a.stamps[0]) + "</xades:CertificateValues>" +
		"<xades:RevocationValues><xades:CRLValues>" + item("EncapsulatedCRLValue", crl) + "</xades:CRLValues><xades:OCSPValues>"
	for _, o := range ocsps {
		values += item("EncapsulatedOCSPValue", o)
	}
	const end = "</xades:UnsignedSignatureProperties>"
	return bytes.Replace(file, []byte(end), []byte(values+"</xades:OCSPValues></xades:RevocationValues>"+end), 1)
}

// ADE-03: what an XML signature carries decides about revocation, off line: the levels are
// recognised, a revocation before the proven time makes the signature not valid, a later
// one does not, and what proves nothing is no proof.
func TestADE03RevocationByWhatTheXMLCarries(t *testing.T) {
	revocationCarried(t, func(t *testing.T, a *authority, level string) []byte { return a.signXML(t, level, invoice) },
		func(t *testing.T, a *authority, file []byte, ocsps ...[]byte) []byte {
			return a.keep(t, file, ocsps...)
		})
}

// ADE-03, ADE-05: an archive time-stamp is judged by itself, over exactly what EN 319 132-1, 5.5.2
// says, and named; whatever of that is changed, the file is not valid.
func TestADE03ArchiveTimeStampsAreJudged(t *testing.T) {
	a := newAuthority(t)
	good := string(a.signXML(t, "B-LTA", invoice))
	rep := a.report(t, []byte(good))
	if rep.Verdict != validate.Valid || len(rep.Signatures) != 2 || len(rep.Notes) > 0 {
		t.Fatalf("%+v", rep)
	}
	s := rep.Signatures[1]
	if s.Kind != "archive time-stamp" || s.Proven == nil || s.Revocation == "" || !strings.Contains(s.Scope, "with its data, and the 4 of its unsigned properties that come before") || s.Certificate() != nil {
		t.Errorf("%+v", s)
	}
	var words strings.Builder
	must(t, rep.Print(&words))
	if !strings.Contains(words.String(), "archive time-stamp 2 of 2: valid") || !strings.Contains(words.String(), "level       B-LTA") {
		t.Error(words.String())
	}
	token := regexp.MustCompile(`(<xades141:ArchiveTimeStamp.*<xades:EncapsulatedTimeStamp>)`)
	for name, changed := range map[string]string{
		"validation data":      strings.Replace(good, "<xades:OCSPValues>", "<xades:OCSPValues> ", 1),
		"key info":             strings.Replace(good, "<ds:X509Data>", "<ds:X509Data> ", 1),
		"signature time-stamp": strings.Replace(good, `-tst">`, `-tst"> `, 1),
		"another object":       strings.Replace(good, "<ds:Object>", "<ds:Object>more</ds:Object><ds:Object>", 1),
		"property put before":  strings.Replace(good, "<xades:CertificateValues>", "<xades:CertificateValues></xades:CertificateValues><xades:CertificateValues>", 1),
		"data":                 strings.Replace(good, "240", "999", 1),
		"token":                token.ReplaceAllString(good, "${1}AAAA"),
		"list of its own":      regexp.MustCompile(`(<xades141:ArchiveTimeStamp[^>]*>)`).ReplaceAllString(good, `${1}<xades:Include URI="#x"></xades:Include>`),
		"no token":             regexp.MustCompile(`(<xades141:ArchiveTimeStamp.*)<xades:EncapsulatedTimeStamp>[^<]*</xades:EncapsulatedTimeStamp>`).ReplaceAllString(good, "${1}"),
		"forty of them": regexp.MustCompile(`<xades141:ArchiveTimeStamp.*</xades141:ArchiveTimeStamp>`).ReplaceAllStringFunc(good, func(s string) string {
			return strings.Repeat(regexp.MustCompile(` Id="[^"]*"`).ReplaceAllString(s, ""), 40)
		}),
		"signature's own token": regexp.MustCompile(`(-tst">.*?<xades:EncapsulatedTimeStamp>)`).ReplaceAllString(good, "${1}AAAA"),
	} {
		if changed == good {
			t.Fatal(name)
		}
		b := []byte(changed)
		rep, err := validate.File(t.Context(), "a.xml", bytes.NewReader(b), int64(len(b)), validate.Options{})
		if err == nil {
			rep = a.report(t, b)
		}
		if err == nil && rep.Verdict == validate.Valid {
			t.Errorf("%s: %+v", name, rep.Signatures)
		}
		if name != "list of its own" && err == nil && rep.Verdict != validate.NotValid {
			t.Errorf("%s: %s", name, rep.Verdict)
		}
	}
	// What comes behind is not covered, and data about somebody else changes nothing.
	mine, _ := a.fetch(t, a.signer)
	if rep := a.report(t, a.keep(t, []byte(good), mine)); rep.Verdict != validate.Valid || rep.Signatures[0].Level != "B-LTA" {
		t.Errorf("%+v", rep)
	}
	// When the authorities' certificates have ended nothing proves the time any more.
	root, err := certs.LoadPEM(a.Root)
	must(t, err)
	late, err := validate.File(t.Context(), "a.xml", strings.NewReader(good), int64(len(good)), validate.Options{Anchors: root, Now: time.Now().Add(48 * time.Hour)})
	must(t, err)
	if late.Verdict != validate.Indeterminate || late.SubIndication != validate.OutOfBoundsNoPOE || late.Signatures[0].Proven != nil {
		t.Errorf("%+v", late)
	}
	strict, err := validate.File(t.Context(), "a.xml", strings.NewReader(good), int64(len(good)), validate.Options{Anchors: root, Revocation: validate.RevocationRequired})
	must(t, err)
	if strict.Verdict != validate.Valid {
		t.Errorf("%+v", strict)
	}
}
