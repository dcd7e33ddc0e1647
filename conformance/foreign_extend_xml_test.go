//go:build foreign

package conformance_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/workers/workertest"
)

// raiser extends files by time-stamp authorities, each time another one.
type raiser struct {
	a      *workertest.Authority
	n      int
	beside []string
	parts  []string
}

// raise extends a file and gives the new one.
func (r *raiser) raise(t *testing.T, in string, level extend.Level) string {
	t.Helper()
	r.n++
	out := fmt.Sprintf("%s-%d-%s%s", strings.TrimSuffix(in, filepath.Ext(in)), r.n, level, filepath.Ext(in))
	extendFile(t, r.a, in, out, level, fmt.Sprintf("tsa-%d", r.n), r.parts, r.beside...)
	return out
}

func longTermDesk(t *testing.T) (*desk, *raiser) {
	t.Helper()
	a := workertest.NewAuthority(t)
	d := newDesk(t)
	d.pki, d.chains = a.PKI, map[algo.KeyType]string{}
	_, _, d.tsa.Chain = a.Key(t, "tsa", algo.P256, certs.TSAProfile)
	return d, &raiser{a: a}
}

// signer gives a kind of key a certificate of the authority that answers about revocation.
func (r *raiser) signer(t *testing.T, d *desk, kt algo.KeyType) {
	t.Helper()
	if d.chains[kt] == "" {
		_, _, d.chains[kt] = r.a.Key(t, "signer-"+string(kt), kt, certs.SignerProfile)
	}
}

// properties are those of a worker for a level, with the authority's certificates, and more of them in pairs.
func (r *raiser) properties(level string, more ...string) map[string]string {
	p := map[string]string{"level": level, "tsa": "worker:tsa", "trust_anchors": r.a.Root, "revocation_addresses": "127.0.0.0/8", "ocsp_nonce": "if_answered"}
	for i := 0; i < len(more); i += 2 {
		p[more[i]] = more[i+1]
	}
	return p
}

// ADE-03: the Commission's DSS recognises each level to which an XML signature was extended and finds it TOTAL_PASSED and
// every time-stamp intact and passed: of every kind of key, in one step and in several, renewed twice by other authorities.
func TestADE03DSSJudgesXMLExtensions(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	want, early, counts := map[string]wants{}, map[string]wants{}, map[string]int{}
	for _, c := range []struct {
		kt  algo.KeyType
		alg algo.Algorithm
	}{{algo.P256, algo.ES256}, {algo.P384, algo.ES384}, {algo.P521, algo.ES512}, {algo.RSA3072, algo.RS256}, {algo.RSA3072, algo.PS512}} {
		r.signer(t, d, c.kt)
		for _, parallel := range []string{"false", "true"} {
			in := d.xml(t, fmt.Sprintf("%s-%s-%s.xml", c.kt, c.alg, parallel), plainXML, c.kt, c.alg, map[string]string{"parallel": parallel})
			at := r.raise(t, in, extend.LevelT)
			early[at] = wants{"XAdES-BASELINE-T", "TOTAL_PASSED", ""} // it carries nothing about revocation
			lt := r.raise(t, at, extend.LevelLT)
			want[lt], counts[lt] = wants{"XAdES-BASELINE-LT", "TOTAL_PASSED", ""}, 0
			for n, file := 1, r.raise(t, in, extend.LevelLTA); n <= 3; n, file = n+1, r.raise(t, file, extend.LevelLTA) {
				want[file], counts[file] = wants{"XAdES-BASELINE-LTA", "TOTAL_PASSED", ""}, n
			}
			steps := r.raise(t, lt, extend.LevelLTA)
			want[steps], counts[steps] = wants{"XAdES-BASELINE-LTA", "TOTAL_PASSED", ""}, 1
		}
	}
	judged(t, judge.DSSQuestion{Anchor: r.a.Root, NoRevocation: true}, early)
	stamped(t, judged(t, judge.DSSQuestion{Anchor: r.a.Root}, want), counts)
}

// stamped holds what DSS says of time-stamps against how many archive time-stamps there are.
func stamped(t *testing.T, stamps map[string]string, archives map[string]int) {
	t.Helper()
	for file, got := range stamps {
		if want := "SIGNATURE_TIMESTAMP intact PASSED" + strings.Repeat("; ARCHIVE_TIMESTAMP intact PASSED", archives[file]); got != want {
			t.Errorf("%s: %s, want %s", filepath.Base(file), got, want)
		}
	}
}

// ADE-03: the same for signatures of others, whose prefixes and canonicalization are not ours, for enveloping, detached and internally detached ones, and for one
// that has validation data already, which does not settle the matter.
func TestADE03DSSJudgesXMLExtensionsOfOthers(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	r.signer(t, d, algo.P256)
	want, counts := map[string]wants{}, map[string]int{}
	lta := func(file string, n int) {
		for i := 1; i <= n; i++ {
			file = r.raise(t, file, extend.LevelLTA)
			want[file], counts[file] = wants{"XAdES-BASELINE-LTA", "TOTAL_PASSED", ""}, i
		}
	}
	for i, unsigned := range []string{"", "<etsi:UnsignedProperties/>", "<etsi:UnsignedProperties>\n<etsi:UnsignedSignatureProperties/>\n</etsi:UnsignedProperties>"} {
		lta(theirs(t, r.a, filepath.Join(d.dir, fmt.Sprintf("theirs-%d.xml", i)), unsigned), 2)
	}
	for name, content := range map[string]string{"contained.xml": "BASE64", "enveloping.xml": "XML"} {
		lta(d.xml(t, name, plainXML, algo.P256, algo.ES256, map[string]string{"signature_packaging": "ENVELOPING", "enveloping_content": content}), 2)
	}
	r.parts = []string{"l"}
	const elements = "<order xmlns='urn:example:order' xml:lang='el'><head Id='h'>240 euros</head><line Id='l' no = '1'>2 sheds</line></order>"
	lta(d.xml(t, "internally.xml", elements, algo.P256, algo.ES256, map[string]string{"signature_packaging": "INTERNALLY_DETACHED", "reference_ids": "l,h"}), 2)
	r.parts = nil
	// Answers that are older than the signature, which the worker was told to take.
	r.a.Skew = -10 * time.Minute
	old := d.xml(t, "old.xml", plainXML, algo.P256, algo.ES256, map[string]string{"level": "B-LT", "tsa": "worker:tsa", "trust_anchors": r.a.Root, "revocation_addresses": "127.0.0.0/8",
		"ocsp_nonce": "if_answered", "revocation_freshness": "current"})
	r.a.Skew = 0
	fresh := r.raise(t, old, extend.LevelLT)
	want[fresh], counts[fresh] = wants{"XAdES-BASELINE-LT", "TOTAL_PASSED", ""}, 0
	if b, err := os.ReadFile(fresh); err != nil || strings.Count(string(b), "<xades141:AnyValidationData") != 1 {
		t.Errorf("the second material is not where it belongs: %v", err)
	}
	lta(fresh, 1)
	stamped(t, judged(t, judge.DSSQuestion{Anchor: r.a.Root}, want), counts)

	want, counts = map[string]wants{}, map[string]int{}
	const text = "Terms: 240 euros, \u0391 & <more>\n"
	beside := filepath.Join(t.TempDir(), "terms 1.txt")
	if err := os.WriteFile(beside, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d.name, r.beside = "terms 1.txt", []string{beside}
	lta(d.xml(t, "detached.xml", text, algo.P256, algo.ES256, map[string]string{"signature_packaging": "DETACHED", "mime_type": "text/plain"}), 3)
	stamped(t, judged(t, judge.DSSQuestion{Anchor: r.a.Root, Detached: []string{beside}}, want), counts)
}

// ADE-03: DSS finds both of two parallel signatures at the level, with their time-stamps, after both were extended and renewed.
func TestADE03DSSJudgesParallelXMLExtensions(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	r.signer(t, d, algo.P256)
	r.signer(t, d, algo.P384)
	one, err := os.ReadFile(d.xml(t, "one.xml", plainXML, algo.P256, algo.ES256, map[string]string{"parallel": "true"}))
	if err != nil {
		t.Fatal(err)
	}
	file := r.raise(t, r.raise(t, d.xml(t, "two.xml", string(one), algo.P384, algo.ES384, map[string]string{"parallel": "true"}), extend.LevelLTA), extend.LevelLTA)
	got, err := judge.DSS(t.Context(), testenv.Root(), judge.DSSQuestion{Anchor: r.a.Root}, file)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, v := range got {
		if v.Level != "XAdES-BASELINE-LTA" || v.Indication != "TOTAL_PASSED" || v.Stamps != "SIGNATURE_TIMESTAMP intact PASSED; ARCHIVE_TIMESTAMP intact PASSED; ARCHIVE_TIMESTAMP intact PASSED" {
			t.Errorf("%+v", v)
		}
	}
}

// theirs is a XAdES signature that xmlsec1 makes from a template.
func theirs(t *testing.T, a *workertest.Authority, out, unsigned string) string {
	t.Helper()
	tool := testenv.Need(t, "xmlsec1")
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	chain, _ := a.Certify(t, "theirs", private.Public(), certs.SignerProfile)
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	leaf, issuer := write("leaf.pem", certs.EncodePEM(chain[0])), write("issuer.pem", certs.EncodePEM(chain[1:]...))
	template, err := os.ReadFile(filepath.Join("testdata", "xades-template.xml"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(chain[0])
	text := strings.NewReplacer("TIME", time.Now().UTC().Format(time.RFC3339), "CERT", base64.StdEncoding.EncodeToString(sum[:]), "UNSIGNED", unsigned).Replace(string(template))
	in := write("in.xml", []byte(strings.Replace(plainXML, "</invoice>", text+"</invoice>", 1)))
	cmd := exec.CommandContext(t.Context(), tool, "--sign", "--privkey-pem", key+","+leaf+","+issuer, "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "--output", out, in)
	if words, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, words)
	}
	return out
}
