package validate_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/pades"
	"github.com/assent-sign/assent/workers/tsa"
	"github.com/assent-sign/assent/workers/workertest"
	"github.com/assent-sign/assent/workers/xades"
)

// authority signs PDF and XML files at a level and knows what was revoked.
type authority struct {
	*workertest.Authority
	set            *workers.Set
	signer, stamps [][]byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{Authority: workertest.NewAuthority(t)}
	_, stamps, tsaFile := a.Key(t, "tsa", algo.P256, certs.TSAProfile)
	_, signer, file := a.Key(t, "anna", algo.P256, certs.SignerProfile)
	a.signer, a.stamps = signer, stamps
	var err error
	a.set, err = workers.NewSet(t.Context(), []workers.Config{
		{Name: "tsa", Kind: "tsa", Token: "local", Key: "tsa", Chain: tsaFile, Properties: map[string]string{"policy": "1.3.6.1.4.1.99999.1.1"}},
		{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: file, Properties: map[string]string{"level": "B-LTA", "tsa": "worker:tsa",
			"trust_anchors": a.Root, "revocation_addresses": "127.0.0.0/8", "ocsp_nonce": "if_answered"}},
		{Name: "xml", Kind: "xades", Token: "local", Key: "anna", Chain: file, Properties: map[string]string{"level": "B-LTA", "tsa": "worker:tsa",
			"trust_anchors": a.Root, "revocation_addresses": "127.0.0.0/8", "ocsp_nonce": "if_answered"}},
	}, a.Options(map[string]workers.Kind{"pades": pades.Kind(), "xades": xades.Kind(), "tsa": tsa.Kind()}, nil))
	must(t, err)
	return a
}

func (a *authority) sign(t *testing.T, level string) []byte {
	t.Helper()
	e, err := a.set.Get("pdf")
	must(t, err)
	doc := contract()
	out := workertest.File(t, "out.pdf")
	in := workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf", Level: level, Chain: e.Chain, Alg: algo.ES256}
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

func (a *authority) report(t *testing.T, file []byte) *validate.Report {
	t.Helper()
	root, err := certs.LoadPEM(a.Root)
	must(t, err)
	rep, err := validate.File(t.Context(), "a.pdf", bytes.NewReader(file), int64(len(file)), validate.Options{Anchors: root})
	must(t, err)
	return rep
}

// fetch asks the authority about a certificate as anybody can.
func (a *authority) fetch(t *testing.T, chain [][]byte) (response, crl []byte) {
	t.Helper()
	leaf, err := x509.ParseCertificate(chain[0])
	must(t, err)
	issuer, err := x509.ParseCertificate(chain[1])
	must(t, err)
	req, err := ocsp.CreateRequest(leaf, issuer, nil)
	must(t, err)
	get := func(res *http.Response, err error) []byte {
		must(t, err)
		defer func() { _ = res.Body.Close() }()
		b, err := io.ReadAll(res.Body)
		must(t, err)
		return b
	}
	return get(http.Post(a.Server.URL+"/ocsp", "application/ocsp-request", bytes.NewReader(req))), get(http.Get(a.Server.URL + "/root.crl"))
}

// store adds validation data that no worker would.
func (a *authority) store(t *testing.T, file []byte, ocsps ...[]byte) []byte {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	must(t, err)
	_, crl := a.fetch(t, a.signer)
	tail, err := d.PlanDSS(pdf.ValidationData{Certs: [][]byte{a.signer[1], a.stamps[0]}, OCSPs: ocsps, CRLs: [][]byte{crl}})
	must(t, err)
	return slices.Concat(file, tail)
}

// ADE-03: what the file carries decides about revocation, off line: the levels are
// recognised, a revocation before the proven time makes the signature not valid,
// a later one does not, and what proves nothing is no proof.
func TestADE03RevocationByWhatTheFileCarries(t *testing.T) {
	for name, c := range map[string]struct {
		make              func(t *testing.T, a *authority) []byte
		verdict           validate.Verdict
		level, revocation string
	}{
		"B-LTA": {func(t *testing.T, a *authority) []byte { return a.sign(t, "B-LTA") }, validate.Valid, "B-LTA", "good, by what the file carries"},
		"B-LT":  {func(t *testing.T, a *authority) []byte { return a.sign(t, "B-LT") }, validate.Valid, "B-LT", "good, by what the file carries"},
		"B-T":   {func(t *testing.T, a *authority) []byte { return a.sign(t, "B-T") }, validate.Valid, "B-T", ""},
		"revoked before": {func(t *testing.T, a *authority) []byte {
			file := a.sign(t, "B-T")
			a.Revoke(t, a.signer[0], time.Now().Add(-time.Hour))
			mine, _ := a.fetch(t, a.signer)
			his, _ := a.fetch(t, a.stamps)
			return a.store(t, file, mine, his)
		}, validate.NotValid, "B-T", "revoked on"},
		"revoked afterwards": {func(t *testing.T, a *authority) []byte {
			file := a.sign(t, "B-T")
			a.Revoke(t, a.signer[0], time.Now().Add(2*time.Second))
			mine, _ := a.fetch(t, a.signer)
			his, _ := a.fetch(t, a.stamps)
			return a.store(t, file, mine, his)
		}, validate.Valid, "B-LT", "was revoked later"},
		"time-stamper revoked before": {func(t *testing.T, a *authority) []byte {
			file := a.sign(t, "B-T")
			a.Revoke(t, a.stamps[0], time.Now().Add(-time.Hour))
			mine, _ := a.fetch(t, a.signer)
			his, _ := a.fetch(t, a.stamps)
			return a.store(t, file, mine, his)
		}, validate.NotValid, "B-T", "revoked on"},
		"nothing about the time-stamper": {func(t *testing.T, a *authority) []byte {
			file := a.sign(t, "B-T")
			mine, _ := a.fetch(t, a.signer)
			return a.store(t, file, mine)
		}, validate.Valid, "B-T", ""},
		"answers of another authority": {func(t *testing.T, a *authority) []byte {
			other := newAuthority(t)
			file := a.sign(t, "B-T")
			mine, _ := other.fetch(t, other.signer)
			his, _ := other.fetch(t, other.stamps)
			return a.store(t, file, mine, his)
		}, validate.Valid, "B-T", ""},
		"no answers at all": {func(t *testing.T, a *authority) []byte { return a.store(t, a.sign(t, "B-T"), []byte("none")) }, validate.Valid, "B-T", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t)
			s := a.report(t, c.make(t, a)).Signatures[0]
			if s.Verdict != c.verdict || s.Level != c.level || (c.revocation == "") != (s.Revocation == "") || !strings.Contains(s.Revocation, c.revocation) {
				t.Errorf("%s, %s, %q (%v); want %s, %s, %q", s.Verdict, s.Level, s.Revocation, s.Why, c.verdict, c.level, c.revocation)
			}
		})
	}
}

// The words say what was not looked at, and do not where it was.
func TestRevocationInWords(t *testing.T) {
	a := newAuthority(t)
	for level, want := range map[string]string{"B-LTA": "revocation  good, by what the file carries", "B-T": "unchecked   whether a certificate was revoked"} {
		var b bytes.Buffer
		must(t, a.report(t, a.sign(t, level)).Print(&b))
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s: %s", level, b.String())
		}
	}
}
