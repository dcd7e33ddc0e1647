package conformance_test

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// roots are the first components of absolute paths that the tree may name.
// Whatever is not here could be a path of the machine on which a file was made.
var roots = map[string][]string{
	// Of systems: below these only what every Debian has or an operator of Assent
	// is told to make.
	"files": {"dev", "etc", "proc", "usr", "var"},
	// Of our servers, in addresses and templates.
	"routes": {"admin", "api", "approve", "assets", "auth", "credentials", "csc", "debug", "enrolment", "items", "join",
		"login", "oauth2", "onetime", "operations", "passkeys", "pdfjs", "sap", "signatures", "site", "softhsm", "v1"},
}

// places are the only paths below other roots.
var places = []string{"/tmp/assent", "/srv/assent", "/opt/homebrew", "/nothing/here"}

// hosts are whose addresses the tree may name: standards and licences, what RFC
// 2606 reserves for examples, this machine.
var (
	hosts    = []string{"localhost", "www.w3.org", "www.ietf.org", "uri.etsi.org", "www.apache.org", "cloudsignatureconsortium.org", "www.aiim.org", "example.org", "example.com", "example.net"}
	reserved = []string{".example", ".test", ".localhost", ".example.org", ".example.com"}
	// words stand in the place of a host in patterns and bad input.
	words = []string{"a", "host", "user", "127"}
)

var (
	address = regexp.MustCompile(`(?i)\bhttps?://([^\s/"'` + "`" + `<>\\)\]}?#,;]+)`)
	path    = regexp.MustCompile(`(?:^|[\s"'` + "`" + `(=,:;>])(/(?:Users|[a-z][A-Za-z0-9_.-]*)/[A-Za-z0-9_.+@-]+)`)
)

// The tree names no machine: no path outside of standard roots and our own
// routes, no address outside of standards, examples and loopback. The lists are
// short on purpose; what is added to them is to be reviewed.
func TestTreeNamesNoMachine(t *testing.T) {
	list := exec.CommandContext(t.Context(), testenv.Need(t, "git"), "ls-files", "-z")
	list.Dir = testenv.Root()
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(testenv.Root(), name))
		if os.IsNotExist(err) || bytes.IndexByte(text, 0) >= 0 || strings.Contains(name, "/dist/") {
			continue // deleted here; binary; made from sources that are read
		}
		if err != nil {
			t.Fatal(err)
		}
		read++
		for i, line := range strings.Split(string(text), "\n") {
			for _, what := range strangers(line) {
				t.Errorf("%s:%d: %s", name, i+1, what)
			}
		}
	}
	if read < 300 {
		t.Errorf("only %d files were read", read)
	}
}

// strangers are the paths and addresses of a line that the lists do not have.
func strangers(line string) (out []string) {
	for _, m := range address.FindAllStringSubmatch(line, -1) {
		if !knownHost(m[1]) {
			out = append(out, "the address "+m[0])
		}
	}
	for _, m := range path.FindAllStringSubmatch(line, -1) {
		root, _, _ := strings.Cut(m[1][1:], "/")
		if !slices.Contains(roots["files"], root) && !slices.Contains(roots["routes"], root) &&
			!slices.ContainsFunc(places, func(p string) bool { return strings.HasPrefix(m[1], p) }) {
			out = append(out, "the path "+m[1])
		}
	}
	return out
}

func knownHost(authority string) bool {
	host := strings.ToLower(authority[strings.LastIndexByte(authority, '@')+1:])
	if a, err := netip.ParseAddr(strings.Trim(regexp.MustCompile(`:[0-9%$a-z{.]*$`).ReplaceAllString(host, ""), "[]")); err == nil {
		return a.IsLoopback() || a.IsLinkLocalUnicast()
	}
	host, _, _ = strings.Cut(host, ":")
	host = strings.TrimRight(host, ".")
	if host == "" || strings.HasPrefix(host, "%") || strings.HasPrefix(host, "$") || strings.HasPrefix(host, "{") || strings.HasPrefix(host, "[") {
		return true // filled in at run time
	}
	return slices.Contains(hosts, host) || slices.Contains(words, host) ||
		slices.ContainsFunc(reserved, func(r string) bool { return strings.HasSuffix(host, r) })
}

// The check sees what it is for.
func TestStrangersAreSeen(t *testing.T) {
	for _, bad := range []string{
		`open("/ho` + `me/anna/assent/x")`, "cd /ro" + "ot/assent", `"/wo` + `rk/tree/a.go"`, "DIR=/da" + "ta/ci/1", "see htt" + "ps://registry.corp/x",
		`"resolved": "htt` + `ps://npm.corp.net/a.tgz"`, "htt" + "p://10.0.0.7/x", "/mn" + "t/disk",
	} {
		if len(strangers(bad)) == 0 {
			t.Errorf("%q passes", bad)
		}
	}
	for _, good := range []string{`"/etc/assent/pin"`, "https://tsa.example.org/tsr", "http://127.0.0.1:%d/x", "http://localhost:8440", "GET /api/v1/documents", "/usr/lib/softhsm/libsofthsm2.so"} {
		if bad := strangers(good); len(bad) > 0 {
			t.Errorf("%q: %v", good, bad)
		}
	}
}
