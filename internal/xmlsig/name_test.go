package xmlsig_test

import (
	"testing"

	"github.com/assent-sign/assent/internal/xmlsig"
)

// ADE-05: the name of a file is told as the file has it, and what a terminal or a person's eye would be misled by is not written
// out.
func TestADE05NamesOfFilesAreTold(t *testing.T) {
	for uri, want := range map[string]string{
		"plain.txt":                 `"plain.txt"`,
		"a%20b%C3%A9.txt":           `"a bé.txt"`,
		"a%2520b.txt":               `"a%20b.txt"`,
		"cont%E2%80%AEfdp.exe":      `"cont\u202efdp.exe"`,
		"a%22%20and%20%22b":         `"a\" and \"b"`,
		"a%0A%1B[2Jb":               `"a\n\x1b[2Jb"`,
		"bad%zz":                    `"bad%zz"`,
		"not%FFtext":                `"not\xfftext"`,
		"zero%E2%80%8Bwidth%00.txt": `"zero\u200bwidth\x00.txt"`,
	} {
		if got := (xmlsig.Coverage{File: uri, Content: true}).Words(); got != "the bytes of the file "+want {
			t.Errorf("%s: %s", uri, got)
		}
	}
}
