package samrpc_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// A patch is a change of one place of the sources, in the build with holes only: the
// sources themselves have no place where a check could be left out.
type patch struct{ file, was, is string }

// holes are what is planted, beside the decision that signs (sam/hole.go), each behind
// its own name. found says how the walk tells of it.
var holes = map[string]struct {
	found   string
	patches []patch
}{
	"decision": {"a victim's key signed", nil},
	// The application redeems without the signer's assertion.
	"assertion": {"a victim's key signed", []patch{{
		"sam/redeem.go", "\tv := r.m.judge(", "\tif hole(\"assertion\") {\n\t\treturn nil\n\t}\n\tv := r.m.judge(",
	}}},
	// What was approved once is signed again when it is sent again.
	"replay": {"a victim's key signed", []patch{{
		"sam/redeem.go", "\tcase ActConsumed:\n", "\tcase ActConsumed:\n\t\tif hole(\"replay\") {\n\t\t\tr.again(ctx)\n\t\t}\n",
	}}},
	// An operator links certificates.
	"operator": {"certificate_link as operator: it succeeded", []patch{{
		"sam/caller.go", "\tcase OpLink:\n\t\treturn officer\n", "\tcase OpLink:\n\t\tif hole(\"operator\") {\n\t\t\treturn officer | operator\n\t\t}\n\t\treturn officer\n",
	}}},
	// A certificate is linked to another key than the one it is for.
	"certificate": {"is another key's", []patch{
		{"sam/certificate.go", "case !bytes.Equal(leaf.RawSubjectPublicKeyInfo, c.Public):", "case !bytes.Equal(leaf.RawSubjectPublicKeyInfo, c.Public) && !hole(\"certificate\"):"},
		{"sam/certificate.go", "case !sameName(leaf.RawSubject, c.Subject):", "case !sameName(leaf.RawSubject, c.Subject) && !hole(\"certificate\"):"},
	}},
	// Nobody asks for the caller's role.
	"role": {"it succeeded", []patch{{"sam/caller.go", "\tif !Allowed(c.Role, op) {", "\tif !Allowed(c.Role, op) && !hole(\"role\") {"}}},
	// Who proposed a decision approves it too.
	"second": {"decided", []patch{{
		"sam/dual.go", "\tif me.Name == first.Name || samePerson(me.Person, first.Person) {", "\tif (me.Name == first.Name || samePerson(me.Person, first.Person)) && !hole(\"second\") {",
	}}},
}

// withHoles builds the walk with all holes in it; ASSENT_HOLE opens one.
func withHoles(t *testing.T) (program string) {
	t.Helper()
	dir, root := t.TempDir(), testenv.Root()
	replaced := map[string]string{}
	for name, h := range holes {
		for _, p := range h.patches {
			path := filepath.Join(root, p.file)
			from := path
			if replaced[path] != "" {
				from = replaced[path]
			}
			text, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(string(text), p.was) != 1 {
				t.Fatalf("%s: the place for the hole %s is not there any more: %q", p.file, name, p.was)
			}
			replaced[path] = filepath.Join(dir, strings.ReplaceAll(p.file, "/", "-"))
			if err := os.WriteFile(replaced[path], []byte(strings.Replace(string(text), p.was, p.is, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "walk.test")
	cmd := exec.CommandContext(t.Context(), testenv.Need(t, "go"), "test", "-tags", "planted_hole", "-overlay", list, "-c", "-o", program, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// PRV-01: the walk finds holes, each by itself and with any seed: a decision of two officers that
// signs, an application that needs no assertion, an approval that is used twice, an
// operator who links certificates, a certificate of another key, a role that nobody asks
// for, a decision of one. In the same build with all of them shut it finds nothing. The build exists for
// this test only. The soak form takes ten seeds more.
func TestPRV01PlantedHolesAreFound(t *testing.T) {
	if planted {
		return // this is that build
	}
	program := withHoles(t)
	seeds := []string{"20261121", "1", "2"}
	if os.Getenv("ASSENT_SOAK") != "" {
		seeds = append(seeds, "3", "4", "5", "6", "7", "8", "9", "10", "11", "12")
	}
	walk := func(hole, seed string) string {
		cmd := exec.CommandContext(t.Context(), program, "-test.run", "TestPRV01RandomWalkFindsNoSignature$", "-test.v")
		cmd.Env = append(os.Environ(), "ASSENT_SOAK=", "ASSENT_HOLE="+hole, "ASSENT_SEED="+seed)
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	for name, h := range holes {
		t.Run(name, func(t *testing.T) {
			for _, seed := range seeds {
				out := walk(name, seed)
				_, found, ok := strings.Cut(out, "found: call ")
				found, _, _ = strings.Cut(found, "\n")
				if !ok || !strings.Contains(found, h.found) || !strings.Contains(out, "--- PASS: TestPRV01RandomWalkFindsNoSignature") {
					t.Errorf("seed %s: %s", seed, out)
				}
				t.Logf("seed %s: call %s", seed, found)
			}
		})
	}
	if out := walk("none", seeds[0]); !strings.Contains(out, " 0 breaches") || !strings.Contains(out, "the planted hole was not found") {
		t.Errorf("all holes shut: %s", out)
	}
}
