package conformance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

var update = flag.Bool("update", false, "write testdata/samd.deps anew; the difference is to be reviewed")

const module = "github.com/assent-sign/assent"

// rule says what the packages of a tree may import of ours, without their tests.
// The longest tree that fits counts. A name with /... stands for a whole tree.
type rule struct {
	tree string
	may  []string
}

// rules is design section 3 (and exemplars part C) for what exists.
var rules = []rule{
	{"internal", []string{"internal/..."}},
	{"cryptotoken", []string{"internal/...", "cryptotoken"}},
	{"cryptotoken/pkcs11", []string{"internal/...", "cryptotoken", "cryptotoken/pkcs11/..."}},
	{"cryptotoken/samtoken", []string{"internal/...", "cryptotoken", "sap", "sap/sapclient"}},
	{"sap", []string{"internal/algo", "internal/jcs", "sap/xades"}},
	{"sap/xades", []string{"internal/algo"}},
	{"sap/sapclient", []string{"sap", "internal/..."}},
	{"sap/device", []string{"sap", "internal/..."}},
	{"sap/notary", []string{"sap", "internal/..."}},
	{"sam", []string{"sam/...", "sap", "sap/sapclient", "cryptotoken", "internal/..."}},
	{"workers", []string{"workers/...", "cryptotoken", "sap", "internal/..."}},
	{"workers/xades", []string{"workers", "sap", "sap/xades", "internal/..."}},
	{"signapp", []string{"signapp/...", "workers", "sap", "sap/xades", "sap/sapclient", "internal/..."}},
	{"signapp/signer", []string{"signapp/signer/...", "sap", "internal/..."}},
	{"api", []string{"api/...", "signapp", "workers", "sap", "sap/sapclient", "internal/..."}},
	{"api/csc", []string{"api/csc", "internal/..."}},
	{"conformance", []string{"conformance/...", "internal/...", "sap/...", "sam/...", "cryptotoken/...", "workers/...", "signapp/...", "api/..."}},
	{"conformance/judge", []string{"internal/..."}},
	{"conformance/matrix", nil},
	{"conformance/auditor", []string{"conformance/auditor/..."}}, // nothing of what it judges
	{"conformance/fakehsm", nil},                                 // nor this, of what it watches
	{"cmd/samd", []string{"cmd/samd/...", "sam/...", "sap", "sap/sapclient", "cryptotoken/...", "internal/..."}},
	{"cmd/sicd", []string{"cmd/sicd/...", "signapp/signer/...", "sap", "internal/..."}},
	{"cmd/ssad", []string{"cmd/ssad/...", "api/...", "workers/...", "signapp/...", "sap", "sap/sapclient", "cryptotoken/...", "internal/..."}},
	{"cmd/assent", []string{"cmd/assent/...", "conformance/judge", "conformance/matrix", "sap", "sap/xades", "sap/sapclient", "sap/device", "sap/notary", "workers", "cryptotoken/...", "internal/..."}},
}

// only says which packages of ours may import a package at all, without tests.
var only = []rule{
	{"cryptotoken/softtoken", []string{"cmd/...", "conformance/bench"}},
	{"cryptotoken/pkcs11/softhsm", []string{"cmd/assent/...", "conformance/bench"}},
	{"sap/device", []string{"cmd/assent/...", "conformance/bench"}},
	{"internal/testenv", nil},
	{"internal/c14n", []string{"workers/xades", "internal/xmlsig", "internal/sigpolicy", "internal/validate", "internal/extend", "cmd/assent/...", "conformance/bench"}}, // never where a signer's approval is checked: sap/xades composes
	{"internal/xmlsig", []string{"workers/xades", "internal/validate", "internal/extend", "cmd/assent/..."}},                                                             // a reader, for workers and for who verifies
	{"encoding/xml", nil}, // drops the octets that are signed
	{"github.com/mattn/go-sqlite3", []string{"internal/sqldb", "sam/samsqlite", "signapp/appsqlite", "api/apisqlite", "conformance/auditor/..."}},
	{"github.com/luikyv/go-oidc/...", []string{"api/oauth/...", "api/apisqlite", "cmd/ssad"}},
	{"github.com/lestrrat-go/jwx/v3/...", []string{}}, // a counterpart in tests
	{"github.com/miekg/pkcs11", []string{"cryptotoken/pkcs11"}},
	{"github.com/digitorus/...", []string{"conformance/cmd/pdfsignjudge", "conformance/bench"}},
	{"github.com/evanw/esbuild/...", []string{"signapp/signer/bundle"}},
	{"github.com/spf13/cobra", []string{"cmd/assent/..."}},
	{"github.com/fxamacker/cbor/v2", []string{"sap/device", "internal/attestation/...", "sam/samtest", "cmd/assent/internal/person"}},
	{"github.com/anishathalye/porcupine", nil},
	{"github.com/chromedp/...", nil},
	{"github.com/descope/virtualwebauthn", nil},
	{"github.com/rogpeppe/go-internal/...", nil},
	{"pgregory.net/rapid", nil},
	{"net/http/pprof", nil},
	{"plugin", nil},
}

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath, Name string
	Imports          []string
	CgoFiles         []string
	Standard         bool
}

// Design section 3: each package imports what it may and nothing else.
func TestPackagesImportWhatTheyMay(t *testing.T) {
	for _, p := range list(t, "./...") {
		name := ours(p.ImportPath)
		if suite(name) {
			continue
		}
		r, ok := ruleOf(name)
		if !ok {
			t.Errorf("%s: no rule says what it may import; add it to the table, with design.md section 3 at hand", name)
			continue
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module) && (!fits(ours(imp), r.may) || suite(ours(imp))) {
				t.Errorf("%s imports %s; packages below %s may import %v", name, ours(imp), r.tree, r.may)
			}
		}
	}
}

// Dangerous and foreign packages have few users, named one by one: the software
// token only where programs are put together, database drivers in the stores,
// the PDF verifier that knows no bounds only in its own child program.
func TestRestrictedPackagesHaveNamedUsers(t *testing.T) {
	for _, p := range list(t, "./...") {
		name := ours(p.ImportPath)
		if suite(name) {
			continue
		}
		for _, imp := range p.Imports {
			for _, o := range only {
				if fits(ours(imp), []string{o.tree}) && !fits(name, o.may) && !fits(name, []string{o.tree + "/..."}) {
					t.Errorf("%s imports %s; only %v may", name, ours(imp), o.may)
				}
			}
		}
		if len(p.CgoFiles) > 0 && name != "cryptotoken/pkcs11" {
			t.Errorf("%s uses cgo (%v); of ours only cryptotoken/pkcs11 may", name, p.CgoFiles)
		}
	}
}

// Threat: code that reads foreign PDFs, XML or HTTP from the net inside the
// trusted process. pdf and cms are two packages on purpose: pdf knows no CMS.
func TestProgramsDoNotLinkWhatTheyMustNot(t *testing.T) {
	for _, c := range []struct {
		program string
		never   []string
	}{
		{"./cmd/samd", []string{"api/...", "signapp/...", "workers/...", "internal/pdf", "internal/c14n", "internal/xmlsig", "sap/device", "internal/testenv", "testing", "net/http/pprof"}},
		{"./cmd/ssad", []string{"sam/...", "sap/device", "internal/testenv", "testing"}},
		{"./sap", []string{"internal/c14n", "internal/xmlsig", "encoding/xml"}},
		{"./cmd/sicd", []string{"sam/...", "api/...", "cryptotoken/...", "workers/...", "sap/sapclient", "sap/device", "testing", "database/sql", "net/http/pprof"}},
		{"./cmd/assent", []string{"sam/...", "api/...", "signapp/...", "github.com/digitorus/...", "testing"}},
		{"./internal/pdf", []string{"internal/cms", "net/..."}},
	} {
		if _, err := os.Stat(filepath.Join(testenv.Root(), c.program)); err != nil {
			t.Errorf("%s: %v", c.program, err)
			continue
		}
		for _, p := range list(t, "-deps", c.program) {
			if fits(ours(p.ImportPath), c.never) {
				t.Errorf("%s links %s", c.program, ours(p.ImportPath))
			}
		}
	}
}

// Fault plan, 4.3: an auditor or a recording token that shared our code would
// share its mistakes.
func TestAuditorSharesNoCodeWithWhatItJudges(t *testing.T) {
	for _, program := range []string{"conformance/auditor", "conformance/fakehsm"} {
		for _, p := range list(t, "-deps", "./"+program) {
			if name := ours(p.ImportPath); strings.HasPrefix(p.ImportPath, module) && !fits(name, []string{program + "/..."}) {
				t.Errorf("%s links %s", program, name)
			}
		}
	}
}

// sap and the leaves under it are pure: what they decide depends on bytes alone,
// so that the same vectors hold in Go and in the signer's app.
func TestProtocolDoesNoIO(t *testing.T) {
	for _, p := range list(t, "./sap", "./internal/algo", "./internal/jcs") {
		for _, imp := range p.Imports {
			if fits(imp, []string{"net/...", "os/...", "database/...", "syscall", "time", "log/..."}) {
				t.Errorf("%s imports %s", ours(p.ImportPath), imp)
			}
		}
	}
}

// T-BOUNDARY: the packages linked into samd are a reviewed list. A new line is a
// decision: it becomes part of what a certified module would contain.
func TestPackagesLinkedIntoSamdAreReviewed(t *testing.T) {
	var now []string
	for _, p := range list(t, "-deps", "./cmd/samd") {
		if !p.Standard {
			now = append(now, p.ImportPath)
		}
	}
	slices.Sort(now)
	path := filepath.Join("testdata", "samd.deps")
	if *update {
		if err := os.WriteFile(path, []byte(strings.Join(now, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reviewed := strings.Fields(string(b))
	for _, p := range now {
		if !slices.Contains(reviewed, p) {
			t.Errorf("samd links %s, which is not in %s (review it, then: go test ./conformance -run Samd -update)", p, path)
		}
	}
	for _, p := range reviewed {
		if !slices.Contains(now, p) {
			t.Errorf("%s names %s, which samd does not link any more", path, p)
		}
	}
}

// The table itself: the longest tree wins, and a wrong import is noticed.
func TestRulesNoticeAWrongImport(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"cryptotoken/softtoken", "sap", false},
		{"cryptotoken/samtoken", "sap", true},
		{"sap", "internal/pdf", false},
		{"signapp/signer", "signapp", false},
		{"signapp/portal", "signapp", true},
		{"cmd/ssad", "sam/samrpc", false},
		{"samuel", "sam", false},
	} {
		r, found := ruleOf(c.from)
		if got := found && fits(c.to, r.may); got != c.ok {
			t.Errorf("%s -> %s: allowed %v, want %v", c.from, c.to, got, c.ok)
		}
	}
}

// suite tells whether a package is a test suite or a test helper, by its name:
// only tests import it (TestRulesNoticeAWrongImport), and it may import more.
func suite(name string) bool {
	last := name[strings.LastIndex(name, "/")+1:]
	return strings.HasSuffix(last, "test") || name == "internal/testenv"
}

func ruleOf(name string) (rule, bool) {
	var best rule
	for _, r := range rules {
		if fits(name, []string{r.tree + "/..."}) && len(r.tree) > len(best.tree) {
			best = r
		}
	}
	return best, best.tree != ""
}

// fits tells whether a name is one of the patterns; x/... is x and all below.
func fits(name string, patterns []string) bool {
	for _, p := range patterns {
		tree, all := strings.CutSuffix(p, "/...")
		if name == tree || all && strings.HasPrefix(name, tree+"/") {
			return true
		}
	}
	return false
}

func ours(path string) string { return strings.TrimPrefix(path, module+"/") }

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testenv.Need(t, "go"), append([]string{"list", "-json=ImportPath,Name,Imports,CgoFiles,Standard"}, args...)...)
	cmd.Dir = testenv.Root()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v\n%s", args, err, stderr.String())
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatalf("go list %v found nothing", args)
	}
	return all
}

// Design 3: what a program does lies in packages with tests; its main assembles, in
// 150 lines at the most.
func TestMainsAreShort(t *testing.T) {
	for _, program := range []string{"samd", "sicd", "ssad", "assent"} {
		b, err := os.ReadFile(filepath.Join(testenv.Root(), "cmd", program, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b, []byte("\n")); n > 150 {
			t.Errorf("cmd/%s/main.go has %d lines", program, n)
		}
	}
}
