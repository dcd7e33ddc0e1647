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
	revocationCarried(t, func(t *testing.T, a *authority, level string) []byte { return a.sign(t, level) },
		func(t *testing.T, a *authority, file []byte, ocsps ...[]byte) []byte {
			return a.store(t, file, ocsps...)
		})
}

// revocationCarried judges files of one format: sign makes one of a level, keep adds
// answers that no worker would.
func revocationCarried(t *testing.T, sign func(t *testing.T, a *authority, level string) []byte, keep func(t *testing.T, a *authority, file []byte, ocsps ...[]byte) []byte) {
	plain := func(level string) func(*testing.T, *authority) []byte {
		return func(t *testing.T, a *authority) []byte { return sign(t, a, level) }
	}
	revoked := func(level string, who func(*authority) []byte, after time.Duration) func(*testing.T, *authority) []byte {
		return func(t *testing.T, a *authority) []byte {
			file := sign(t, a, level)
			a.Revoke(t, who(a), time.Now().Add(after))
			mine, _ := a.fetch(t, a.signer)
			his, _ := a.fetch(t, a.stamps)
			return keep(t, a, file, mine, his)
		}
	}
	signer := func(a *authority) []byte { return a.signer[0] }
	stamper := func(a *authority) []byte { return a.stamps[0] }
	const good = "good, by what the file carries"
	for name, c := range map[string]struct {
		make              func(t *testing.T, a *authority) []byte
		verdict           validate.Verdict
		level, revocation string
	}{
		"B-LTA":                                  {plain("B-LTA"), validate.Valid, "B-LTA", good},
		"B-LT":                                   {plain("B-LT"), validate.Valid, "B-LT", good},
		"B-T":                                    {plain("B-T"), validate.Valid, "B-T", ""},
		"B-B":                                    {plain("B-B"), validate.Valid, "B-B", ""},
		"revoked before":                         {revoked("B-T", signer, -time.Hour), validate.NotValid, "B-T", "revoked on"},
		"revoked afterwards":                     {revoked("B-T", signer, 2*time.Second), validate.Valid, "B-LT", "was revoked later"},
		"bad news behind the archive time-stamp": {revoked("B-LTA", signer, -time.Hour), validate.NotValid, "B-T", "revoked on"},
		"time-stamper revoked before":            {revoked("B-T", stamper, -time.Hour), validate.Valid, "B-B", "good at present"},
		"nothing about the time-stamper": {func(t *testing.T, a *authority) []byte {
			mine, _ := a.fetch(t, a.signer)
			return keep(t, a, sign(t, a, "B-T"), mine)
		}, validate.Valid, "B-T", ""},
		"answers of another authority": {func(t *testing.T, a *authority) []byte {
			other := newAuthority(t)
			mine, _ := other.fetch(t, other.signer)
			his, _ := other.fetch(t, other.stamps)
			return keep(t, a, sign(t, a, "B-T"), mine, his)
		}, validate.Valid, "B-T", ""},
		"no answers at all": {func(t *testing.T, a *authority) []byte {
			return keep(t, a, sign(t, a, "B-T"), []byte("none"))
		}, validate.Valid, "B-T", ""},
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
