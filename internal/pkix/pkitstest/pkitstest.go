// Package pkitstest reads NIST's Public Key Interoperability Test Suite (PKITS,
// version 1.0.1) for the tests of packages pkix and revocation: 224 numbered tests,
// some of them with several settings.
package pkitstest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/der"
	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/testenv"
)

// At is when all of PKITS is judged; its certificates are of 2010 to 2030.
var At = time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC)

// sections are the numbers of tests in sections 4.1 to 4.16 of the suite.
var sections = []int{6, 8, 11, 21, 8, 17, 5, 20, 8, 14, 11, 10, 38, 35, 10, 2}

// Case is one test with one setting.
type Case struct {
	Number string // such as 4.13.38
	Name   string
	Cert   string   // file of the end certificate
	Others []string // files of intermediate certificates, anchor excluded
	CRLs   []string
	Config pkix.Config // policies and initial indicators
	// Valid, or why not: Class is PathValidationError, RevokedError,
	// InsufficientRevinfoError or StaleRevinfoError.
	Valid bool
	Class string
}

type file struct {
	ID, Name, Cert string
	OtherCerts     []string `json:"other_certs"`
	CRLs           []string `json:"crls"`
	Error          *struct{ Class string }
	Params         struct {
		Explicit bool     `json:"initial_explicit_policy"`
		NoAny    bool     `json:"initial_any_policy_inhibit"`
		NoMap    bool     `json:"initial_policy_mapping_inhibit"`
		Policies []string `json:"user_initial_policy_set"`
	}
}

// Suite is the certificates, CRLs and cases.
type Suite struct {
	Anchor *pkix.Certificate
	Certs  map[string]*pkix.Certificate
	CRLs   map[string][]byte
	Cases  []Case
}

// Load reads the suite. Every one of its 224 tests has a case, or the test fails.
func Load(t testing.TB) *Suite {
	t.Helper()
	dir := testenv.Corpora(t, "pkits")
	s := &Suite{Certs: map[string]*pkix.Certificate{}, CRLs: map[string][]byte{}}
	for name, raw := range files(t, dir, "certs") {
		c, err := pkix.Parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s.Certs[name] = c
	}
	s.CRLs = files(t, dir, "crls")
	s.Anchor = s.Certs["TrustAnchorRootCertificate.crt"]
	seen := map[string]bool{}
	for _, name := range []string{"pkits.json", "pkits-user-notice.json"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var list []file
		if err := json.Unmarshal(text, &list); err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			c := f.read(t)
			seen[c.Number] = true
			s.Cases = append(s.Cases, c)
		}
	}
	// The two that the lists leave out.
	for n, cert := range map[string]string{"4.8.19": "UserNoticeQualifierTest19EE.crt", "4.8.20": "CPSPointerQualifierTest20EE.crt"} {
		c := Case{Number: n, Name: "qualifier", Cert: cert, Valid: true}
		if n == "4.8.20" {
			c.Others, c.CRLs = []string{"GoodCACert.crt"}, []string{"GoodCACRL.crl"}
		}
		seen[n] = true
		s.Cases = append(s.Cases, c)
	}
	for i, count := range sections {
		for j := 1; j <= count; j++ {
			if n := fmt.Sprintf("4.%d.%d", i+1, j); !seen[n] {
				t.Fatalf("PKITS %s has no case", n)
			}
		}
	}
	sort.SliceStable(s.Cases, func(i, j int) bool { return s.Cases[i].Name < s.Cases[j].Name })
	return s
}

func (f file) read(t testing.TB) Case {
	var section, number int
	if _, err := fmt.Sscanf(f.ID, "4%2d%2d", &section, &number); err != nil {
		t.Fatalf("%s: %v", f.ID, err)
	}
	if f.ID == "40818" && f.Name == "user_notice_qualifier_test19" {
		number = 19
	}
	c := Case{Number: fmt.Sprintf("4.%d.%d", section, number), Name: f.Name, Cert: f.Cert, Others: f.OtherCerts, CRLs: f.CRLs, Valid: f.Error == nil}
	if f.Error != nil {
		c.Class = f.Error.Class
	}
	c.Config = pkix.Config{At: At, RequireExplicitPolicy: f.Params.Explicit, InhibitAnyPolicy: f.Params.NoAny, InhibitPolicyMapping: f.Params.NoMap}
	for _, p := range f.Params.Policies {
		oid, err := der.ParseOID(p)
		if err != nil {
			t.Fatal(err)
		}
		c.Config.Policies = append(c.Config.Policies, oid)
	}
	return c
}

func files(t testing.TB, dir, kind string) map[string][]byte {
	paths, err := filepath.Glob(filepath.Join(dir, kind, "*"))
	if err != nil || len(paths) < 100 {
		t.Fatalf("%d files in %s of PKITS, %v", len(paths), kind, err)
	}
	out := map[string][]byte{}
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(p)] = raw
	}
	return out
}

// Pick returns the certificates of a case that may be part of its path.
func (s *Suite) Pick(names []string) []*pkix.Certificate {
	var out []*pkix.Certificate
	for _, n := range names {
		out = append(out, s.Certs[n])
	}
	return out
}

// All returns every certificate of the suite.
func (s *Suite) All() []*pkix.Certificate {
	var names []string
	for n := range s.Certs {
		names = append(names, n)
	}
	sort.Strings(names)
	return s.Pick(names)
}

// NotApplicable reads the list of tests that are not run: number, tab, reason.
func NotApplicable(t testing.TB) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "internal", "pkix", "testdata", "pkits-not-applicable.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for n, reason := range lines(string(text)) {
		if len(reason) < 30 {
			t.Fatalf("PKITS %s is left out without a reason", n)
		}
		out[n] = reason
	}
	return out
}

func lines(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if n, reason, ok := strings.Cut(line, "\t"); ok && !strings.HasPrefix(line, "#") {
			out[n] = reason
		}
	}
	return out
}
