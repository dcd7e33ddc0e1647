//go:build foreign

package conformance_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/workers/workertest"
)

// ADE-03: pyHanko, with its demand for revocation data in force, finds PDF signatures passed that were extended to B-LT
// and B-LTA, with room for a time-stamp, and after renewals by other authorities, with as many document time-stamps
// as were made; and those extended to B-T without that demand.
func TestADE03PyHankoJudgesExtensions(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	stamps, tight, early, longterm, wrong := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	for _, c := range []struct {
		kt  algo.KeyType
		alg algo.Algorithm
	}{{algo.P256, algo.ES256}, {algo.P384, algo.ES384}, {algo.RSA3072, algo.PS256}} {
		r.signer(t, d, c.kt)
		plain := func(name, room string) string {
			return d.pdf(t, string(c.alg.String())+"-"+name, plainPDF(false), c.kt, c.alg, map[string]string{"reserve_extra": room})
		}
		at := r.raise(t, plain("t.pdf", "16384"), extend.LevelT)
		lt := r.raise(t, at, extend.LevelLT)
		early[at], longterm[lt], stamps[lt], wrong[changed(t, lt)] = 0, 0, 0, 0
		for n, file := 1, r.raise(t, lt, extend.LevelLTA); n <= 3; n, file = n+1, r.raise(t, file, extend.LevelLTA) {
			stamps[file] = n
		}
		tight[r.raise(t, plain("tight.pdf", "0"), extend.LevelLTA)] = 2
	}
	asked(t, r.a.Root, false, stamps, "PASSED", "")
	// pyHanko does not take a document time-stamp for one over the signature, as EN 319 142-1, 6.3, does.
	asked(t, r.a.Root, false, tight, "INDETERMINATE", "SIG_CONSTRAINTS_FAILURE")
	asked(t, r.a.Root, true, early, "PASSED", "")
	// The judge can say no.
	asked(t, r.a.Root, false, early, "INDETERMINATE", "CERTIFICATE_CHAIN_GENERAL_FAILURE")
	asked(t, workertest.NewPKI(t).Root, false, longterm, "INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND")
	asked(t, r.a.Root, false, wrong, "FAILED", "HASH_FAILURE")
}

// asked has pyHanko judge files, each with one signature and so many document time-stamps.
func asked(t *testing.T, anchor string, noRevocation bool, stamps map[string]int, indication, sub string) {
	t.Helper()
	var files []string
	for f := range stamps {
		files = append(files, f)
	}
	got, err := judge.PyHanko(t.Context(), testenv.Root(), anchor, noRevocation, files...)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(files) {
		t.Errorf("%d answers about %d files", len(got), len(files))
	}
	for _, v := range got {
		if v.Indication != indication || v.Sub != sub || v.Stamps != stamps[v.File] || v.Stamped != (v.Stamps > 0) {
			t.Errorf("%s: pyHanko says %+v, want %s %s, %d document time-stamps", filepath.Base(v.File), v, indication, sub, stamps[v.File])
		}
	}
}

// changed is a file in which a signed byte is another one.
func changed(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte("/MediaBox"))
	at := i + bytes.IndexByte(b[i:], ']') - 1
	b[at]++
	out := file + "-changed.pdf"
	if err := os.WriteFile(out, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}
