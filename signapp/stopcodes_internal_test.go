package signapp

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// I8: the reasons for which the signer's device stops are the same where they are made, where they are taken
// and where integrators read of them: one that the application does not know would be lost.
func TestReasonsOfTheDeviceAreTheSameEverywhere(t *testing.T) {
	list := func(file, where, each string) []string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(testenv.Root(), file))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(where).FindStringSubmatch(string(text))
		if m == nil {
			t.Fatalf("%s: nothing like %s", file, where)
		}
		var out []string
		for _, w := range regexp.MustCompile(each).FindAllStringSubmatch(m[1], -1) {
			out = append(out, w[1])
		}
		slices.Sort(out)
		return out
	}
	want := slices.Sorted(slices.Values(stopCodes))
	for file, got := range map[string][]string{
		"signapp/signer/ts/offer.ts": list("signapp/signer/ts/offer.ts", `type StopCode = ([^;]*);`, `"([a-z_]+)"`),
		"api/openapi.yaml":           list("api/openapi.yaml", `device_refused: \{.*enum: \[([^\]]*)\]`, `([a-z_]+)`),
		"docs/integrators.md":        list("docs/integrators.md", "(?s)Then `device_refused` says what did(.*?)No key was used", "`([a-z_]+)`"),
	} {
		if !slices.Equal(got, want) {
			t.Errorf("%s has %s, the application takes %s", file, strings.Join(got, " "), strings.Join(want, " "))
		}
	}
}
