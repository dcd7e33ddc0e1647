//go:build foreign

package conformance_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/workers"
)

// deal are the files of one signature.
var deal = map[string]string{"terms 1.txt": "Terms: 240 euros, \u0391 & <more>\n", "order.xml": plainXML, "prices.csv": "shed;240\n"}

// beside puts files into a folder of their own.
func beside(t *testing.T, files map[string]string) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(files[name]), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// ADE-02, ADE-03: DSS finds one signature over several files TOTAL_PASSED at every level, as made and as extended and renewed, of every kind of key, with all of them
// beside it; and not when one is changed or left out; that two are swapped or one is renamed it warns about (we refuse it).
func TestADE02DSSJudgesSeveralFiles(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	r.beside = beside(t, deal)
	d.name = "terms 1.txt"
	for _, name := range []string{"order.xml", "prices.csv"} {
		d.more = append(d.more, workers.Beside{Name: name, ReaderAt: strings.NewReader(deal[name]), Size: int64(len(deal[name]))})
	}
	early, late, counts := map[string]wants{}, map[string]wants{}, map[string]int{}
	for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA3072} {
		r.signer(t, d, kt)
		for _, level := range []string{"B", "T", "LT", "LTA"} {
			file := d.xml(t, fmt.Sprintf("%s-%s.xml", kt, level), deal[d.name], kt, kt.Default(), map[string]string{"level": "B-" + level, "tsa": "worker:tsa", "signature_packaging": "DETACHED",
				"trust_anchors": r.a.Root, "revocation_addresses": "127.0.0.0/8", "ocsp_nonce": "if_answered"})
			want := wants{"XAdES-BASELINE-" + level, "TOTAL_PASSED", ""}
			if level == "B" || level == "T" {
				early[file] = want
				continue
			}
			late[file], counts[file] = want, strings.Count(level, "A")
		}
	}
	bare := filepath.Join(d.dir, "P-256-B.xml")
	early[r.raise(t, bare, extend.LevelT)] = wants{"XAdES-BASELINE-T", "TOTAL_PASSED", ""}
	for n, file := 1, r.raise(t, bare, extend.LevelLTA); n <= 2; n, file = n+1, r.raise(t, file, extend.LevelLTA) {
		late[file], counts[file] = wants{"XAdES-BASELINE-LTA", "TOTAL_PASSED", ""}, n
	}
	judged(t, judge.DSSQuestion{Anchor: r.a.Root, NoRevocation: true, Detached: r.beside}, early)
	stamped(t, judged(t, judge.DSSQuestion{Anchor: r.a.Root, Detached: r.beside}, late), counts)
	const b, renamed = "XAdES-BASELINE-B", "The reference name does not match the name of the document!"
	for name, c := range map[string]struct {
		cheat func(map[string]string)
		want  wants
		words string
	}{
		// DSS takes a file by its digest if the name fits none, and warns.
		"swapped":  {func(f map[string]string) { f["order.xml"], f["prices.csv"] = f["prices.csv"], f["order.xml"] }, wants{b, "TOTAL_PASSED", ""}, renamed},
		"renamed":  {func(f map[string]string) { f["cost.csv"] = f["prices.csv"]; delete(f, "prices.csv") }, wants{b, "TOTAL_PASSED", ""}, renamed},
		"changed":  {func(f map[string]string) { f["prices.csv"] += " " }, wants{b, "TOTAL_FAILED", "HASH_FAILURE"}, ""},
		"left out": {func(f map[string]string) { delete(f, "order.xml") }, wants{b, "INDETERMINATE", "SIGNED_DATA_NOT_FOUND"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(deal)
			c.cheat(files)
			got, err := judge.DSS(t.Context(), testenv.Root(), judge.DSSQuestion{Anchor: r.a.Root, NoRevocation: true, Detached: beside(t, files)}, bare)
			if err != nil || len(got) != 1 || (wants{got[0].Level, got[0].Indication, got[0].Sub}) != c.want || !strings.Contains(got[0].Words, c.words) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
