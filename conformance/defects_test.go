package conformance_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// defects are mistakes that were seen in other software that signs PDF: what D and a number
// mean in the names and comments of tests.
var defects = []string{
	"D1 a second signature lands in zeros of the first",
	"D2 text of the document is taken for a placeholder",
	"D3 the form is replaced, and its fields are gone",
	"D4 annotations that are written in the page are lost",
	"D5 keys of the trailer are lost, title and producer with them",
	"D6 encrypted files get strings in clear, or lose their encryption",
	"D7 other spellings of the trailer are not understood",
	"D8 the catalog is written anew without its escapes",
	"D9 texts that are not ASCII break the signature dictionary",
	"D10 what does not fit is signed again, and again",
	"D11 damaged files cause a panic or a hang",
	"D12 cycles and depth take all time and memory",
	"D13 attributes that PAdES does not have, or not there",
	"D14 keys in the signature dictionary that belong elsewhere",
	"D15 certification without its permissions, and locks that are not honoured",
	"D16 a later change is not seen",
	"D17 numbers of objects change, and no page lists the widget",
	"D18 files are refused that others read",
	"D19 offsets beyond 4 GiB and 10 GB",
	"D20 answers about revocation are believed, or waited for without end",
	"D21 the signing time cannot be left out",
	"D22 RSA-PSS is called RSA",
	"D23 Ed25519 with the wrong digest",
	"D24 the digest does not fit the key",
	"D25 an existing empty field is not used, its lock not heeded",
	"D26 a time-stamp is believed, or waited for without end",
	"D27 all has to happen in one call of one process",
	"D28 visible text in one font, without other scripts",
}

var defectTest = regexp.MustCompile(`(?m)^func TestD(\d+)[A-Z]\w*\(`)

// Each of the mistakes of others that our writers must not make has a test that says so in its name:
// who looks for it finds it, and who renames it away is told.
func TestEveryDefectOfOthersHasANamedTest(t *testing.T) {
	found := map[string]int{}
	err := filepath.WalkDir(testenv.Root(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() && e.Name() == "node_modules" {
			return errorOrSkip(err)
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range defectTest.FindAllSubmatch(text, -1) {
			found[string(m[1])]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, what := range defects {
		n := i + 1
		if found[fmt.Sprint(n)] == 0 || !strings.HasPrefix(what, fmt.Sprintf("D%d ", n)) {
			t.Errorf("no test is named for %s", what)
		}
		delete(found, fmt.Sprint(n))
	}
	for n := range found {
		t.Errorf("a test is named for D%s, which there is not", n)
	}
}

func errorOrSkip(err error) error {
	if err != nil {
		return err
	}
	return fs.SkipDir
}
