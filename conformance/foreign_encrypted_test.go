//go:build foreign

package conformance_test

import (
	"fmt"
	"testing"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/testenv"
)

// ADE-03, ADE-04: files that their author encrypted with AES-256 are for DSS and for pyHanko, which decrypt
// them on their own, what others are: each level is recognised and passes, invisible and visible, as signed and as
// extended, because what was added is encrypted as they expect it.
func TestADE03DSSAndPyHankoJudgeEncryptedPDF(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	r.signer(t, d, algo.P256)
	early, late, stamps := map[string]wants{}, map[string]wants{}, map[string]int{}
	for i, option := range []string{"--print=full", "--force-R5", "--cleartext-metadata"} {
		doc := testenv.EncryptPDF(t, plainPDF(false), "", "owner", option)
		make := func(level string, more ...string) string {
			return d.pdf(t, fmt.Sprintf("encrypted-%d-%s-%d.pdf", i, level, len(more)), doc, algo.P256, algo.ES256, r.properties(level, append(more, "reserve_extra", "16384")...))
		}
		b := make("B-B")
		early[b], early[make("B-T")] = wants{"PAdES-BASELINE-B", "TOTAL_PASSED", ""}, wants{"PAdES-BASELINE-T", "TOTAL_PASSED", ""}
		for file, n := range map[string]int{make("B-LT"): 0, make("B-LTA"): 1, make("B-LTA", "add_visible_signature", "true"): 1, r.raise(t, b, extend.LevelLT): 0, r.raise(t, b, extend.LevelLTA): 1} {
			if option != "--force-R5" { // pyHanko takes revision 5, which no standard has, for revision 6
				stamps[file] = n
			}
			late[file] = wants{map[int]string{0: "PAdES-BASELINE-LT", 1: "PAdES-BASELINE-LTA"}[n], "TOTAL_PASSED", ""}
		}
	}
	asked(t, r.a.Root, false, stamps, "PASSED", "")
	judged(t, judge.DSSQuestion{Anchor: r.a.Root}, late)
	judged(t, judge.DSSQuestion{Anchor: r.a.Root, NoRevocation: true}, early)
}
