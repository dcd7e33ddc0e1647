//go:build foreign

package conformance_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/revocation"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/workers/workertest"
)

// ADE-03: the Commission's DSS finds what was extended at the level that it was
// extended to, and TOTAL_PASSED: from B-B with room and without, in one step and in
// several, and after renewals by other time-stamp authorities.
func TestADE03DSSJudgesExtensions(t *testing.T) {
	t.Parallel()
	a := workertest.NewAuthority(t)
	d := newDesk(t)
	d.pki, d.chains = a.PKI, map[algo.KeyType]string{}
	_, _, chain := a.Key(t, "tsa", algo.P256, certs.TSAProfile)
	d.tsa.Chain = chain
	_, _, d.chains[algo.P256] = a.Key(t, "signer-P-256", algo.P256, certs.SignerProfile)
	plain := func(name, room string) string {
		return d.pdf(t, name, plainPDF(false), algo.P256, algo.ES256, map[string]string{"reserve_extra": room})
	}
	want := map[string]wants{}
	raise := func(in string, level extend.Level) string {
		t.Helper()
		out := in + "-" + string(level) + ".pdf"
		extendFile(t, a, in, out, level, fmt.Sprintf("tsa-%d", len(want)), nil)
		return out
	}
	// B-T carries nothing about revocation.
	judged(t, judge.DSSQuestion{Anchor: a.Root, NoRevocation: true}, map[string]wants{raise(plain("t.pdf", "16384"), extend.LevelT): {"PAdES-BASELINE-T", "TOTAL_PASSED", ""}})
	for _, level := range []extend.Level{extend.LevelLT, extend.LevelLTA} {
		want[raise(plain("room-"+string(level)+".pdf", "16384"), level)] = wants{"PAdES-BASELINE-" + string(level)[2:], "TOTAL_PASSED", ""}
	}
	want[raise(raise(plain("steps.pdf", "16384"), extend.LevelT), extend.LevelLTA)] = wants{"PAdES-BASELINE-LTA", "TOTAL_PASSED", ""}
	want[raise(plain("tight.pdf", "0"), extend.LevelLTA)] = wants{"PAdES-BASELINE-LTA", "TOTAL_PASSED", ""}
	renewed := raise(plain("renewed.pdf", "16384"), extend.LevelLTA)
	for range 2 {
		renewed = raise(renewed, extend.LevelLTA)
	}
	want[renewed] = wants{"PAdES-BASELINE-LTA", "TOTAL_PASSED", ""}
	judged(t, judge.DSSQuestion{Anchor: a.Root}, want)
	for file := range want {
		if v, err := judge.QPDF(t.Context(), file); err != nil || !v.OK {
			t.Errorf("%s: %+v %v", file, v, err)
		}
	}
}

// extendFile extends with a new time-stamp authority; beside are files that an XML signature names.
func extendFile(t *testing.T, a *workertest.Authority, in, out string, level extend.Level, name string, parts []string, beside ...string) {
	t.Helper()
	roots, err := certs.LoadPEM(a.Root)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	chain, _ := a.Certify(t, name, key.Public(), certs.TSAProfile)
	r := &tsp.Responder{Signer: key, Alg: algo.ES256, Chain: chain, Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}}
	fetcher := &revocation.Fetcher{Guard: revocation.Guard{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Nonce: revocation.NonceIfAnswered}
	collect, err := longterm.New(longterm.Config{Anchors: [][]byte{roots[0].Raw}, Now: time.Now, Fetcher: fetcher, Fresh: fetcher, Past: true})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	w, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	cfg := extend.Config{Anchors: roots, Stamper: &tsp.InProcess{Authority: r, Anchors: roots}, Collector: collect, Parts: parts}
	how := extend.PDF
	if validate.IsXML(f) {
		how = extend.XML
	}
	for _, path := range beside {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Detached = append(cfg.Detached, validate.Detached{Name: filepath.Base(path), ReaderAt: bytes.NewReader(b), Size: int64(len(b))})
	}
	if _, err := how(t.Context(), filepath.Base(in), f, st.Size(), w, level, cfg); err != nil {
		t.Fatalf("%s to %s: %v", in, level, err)
	}
}
