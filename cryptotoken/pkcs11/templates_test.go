package pkcs11

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// KEY-04: what a key may do is said in one file, templates.go, where it can be read at once. Elsewhere attributes
// are asked for (nil), and the one that is set is the name of a wrapping key that was tested.
func TestTemplatesAreInOneFile(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	attribute := regexp.MustCompile(`NewAttribute\(([^,()]+), ([^)]*)\)`)
	asked, set, templates := 0, []string{}, 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := attribute.FindAllStringSubmatch(string(text), -1)
		if n := strings.Count(string(text), "NewAttribute("); n != len(found) {
			t.Errorf("%s: %d attributes, %d of a form that is understood", file, n, len(found))
		}
		for _, m := range found {
			switch {
			case file == "templates.go":
				templates++
			case m[2] == "nil":
				asked++
			default:
				set = append(set, file+": "+m[1])
			}
		}
	}
	if strings.Join(set, "; ") != "kek_cgo.go: p11.CKA_LABEL" || asked < 5 || templates < 30 {
		t.Errorf("attributes are set in %q; %d are asked for, %d stand in templates.go", set, asked, templates)
	}
}
