package signer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/xades"
)

// twins draws properties of signatures: most can be composed, many are at a bound or over it.
type twins struct {
	*mathrand.Rand
	cert []byte
}

func (d *twins) one(of ...string) string { return of[d.IntN(len(of))] }

// rarely is an odd one, else a good one.
func (d *twins) rarely(good string, odd ...string) string {
	if d.IntN(12) == 0 {
		return d.one(odd...)
	}
	return good
}

func (d *twins) text() string {
	return d.one("", "a", "Jane & <Bob> \"x\" 'y' ]]> ", " ä\u00a0\u0301ﬀ 契約", "😀\U000E0041x", strings.Repeat("m", 300), strings.Repeat("€", 256), "\u202eabc", "tab\tnew\nline", "\u0085", "\ufeff", "\ufffe", "&amp;#10;")
}

func (d *twins) many() []string {
	out := make([]string, []int{0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 20, 20, 20, 21}[d.IntN(14)])
	for i := range out {
		out[i] = d.one("urn:oid:1.2.3", "http://x.test/?a=1&b=<2>", "URN:OID:1", "urn:oid:", "rôle")
	}
	if len(out) > 0 && d.IntN(12) == 0 {
		out[d.IntN(len(out))] = ""
	}
	return out
}

func (d *twins) digest(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(d.IntN(256))
	}
	return sap.B64(b)
}

func (d *twins) object(size int) sap.XAdESObject {
	return sap.XAdESObject{Name: d.one("b.txt", "c & d.pdf", "é/ü %41.txt", "s2", "s2-x", "s1", "_p", "😀.txt", "!'()*~", "", "..", strings.Repeat("n", 128), strings.Repeat("n", 129)),
		Doc: d.rarely(d.digest(size), d.digest(size-1), "", "!"), MIME: d.rarely("text/plain", "", d.text()), Description: d.text()}
}

func (d *twins) objects(form string, size int) *sap.XAdESObjects {
	o := &sap.XAdESObjects{More: []sap.XAdESObject{}}
	if form == sap.XAdESBeside {
		o.Part = d.one("s0", "s0", "p.1", "_", "", "1s", "xades-id", "xades-id-object", "a b")
	} else if form != sap.XAdESDetached || d.IntN(2) == 0 {
		if d.IntN(12) != 0 {
			return nil
		}
	}
	n := []int{0, 0, 1, 1, 2, 3, 49, 50}[d.IntN(8)]
	for range n {
		more := sap.XAdESObject{Name: "s" + strings.Repeat("x", len(o.More)+3), Doc: d.digest(size), MIME: "text/plain"}
		if d.IntN(2*n) == 0 {
			more = d.object(size)
		}
		o.More = append(o.More, more)
	}
	return o
}

func (d *twins) draw() (sap.Item, algo.Algorithm) {
	alg := []algo.Algorithm{algo.ES256, algo.ES384, algo.ES512, algo.RS256, algo.PS512}[d.IntN(5)]
	size, form := alg.Hash().Size(), d.rarely(d.one(sap.XAdESEnveloped, sap.XAdESParallel, sap.XAdESDetached, sap.XAdESEnveloping, sap.XAdESContained, sap.XAdESBeside), "", "Enveloped")
	x := &sap.XAdES{
		ID: d.rarely("xades-id", "", "1a", "a b", "ü", strings.Repeat("i", 64), strings.Repeat("i", 65), "x.y_z-", "a:b"), Form: form,
		Time: []int64{1_800_000_000, 1_800_000_001, 1, 253402300799, 951782400, 4107542400, 68169600, 2_000_000_000, 0, -1, 253402300800}[d.IntN(11)],
		MIME: d.rarely("application/xml", "", "text/plain; charset=\"utf-8\"", d.text()), Description: d.text(), Commitments: d.many(), Roles: d.many(),
	}
	if d.IntN(2) == 0 {
		x.Place = sap.XAdESPlace{City: d.text(), Street: d.text(), State: d.text(), Postal: d.text(), Country: d.text()}
	}
	if d.IntN(2) == 0 {
		x.Policy = sap.XAdESPolicy{ID: d.rarely("urn:oid:1.2", "", d.text()), Hash: d.rarely("sha384", "", "sha1", "SHA256"), Digest: d.rarely(d.digest(48), "", d.digest(47))}
	}
	x.Objects = d.objects(form, size)
	return sap.Item{Kind: sap.KindXAdES, Name: d.one("invoice.xml", "ä ö.xml", "s2", "a/b%2f.txt", "", "!'()*~"), Hash: algo.HashName(alg.Hash()), Doc: d.digest(size), XAdES: x}, alg
}

// twin is a case as ts/test/twin.test.ts reads it; without octets where it is refused.
type twin struct {
	Name       string     `json:"name"`
	Alg        string     `json:"alg"`
	Hash       string     `json:"hash"`
	Doc        string     `json:"doc"`
	Cert       string     `json:"cert"`
	XAdES      *sap.XAdES `json:"xades"`
	Info       string     `json:"info"`
	Properties string     `json:"properties"`
	Why        string     `json:"why"`
}

func (d *twins) twin(it sap.Item, alg algo.Algorithm) twin {
	c := twin{Name: it.Name, Alg: alg.String(), Hash: it.Hash, Doc: it.Doc, Cert: sap.B64(d.cert), XAdES: it.XAdES}
	p, err := sap.XAdESParameters(it, d.cert, alg)
	var info, properties []byte
	if err == nil {
		info, err = xades.SignedInfo(p)
	}
	if err == nil {
		properties, err = xades.SignedProperties(p)
	}
	if err != nil {
		c.Why = err.Error()
		return c
	}
	a, b := sha256.Sum256(info), sha256.Sum256(properties)
	c.Info, c.Properties = sap.B64(a[:]), sap.B64(b[:])
	return c
}

// displayable: what cannot be shown is refused before anything is composed, by the app in checkItem.
func displayable(it sap.Item) bool {
	x := it.XAdES
	texts := append([]string{x.ID, x.MIME, x.Description, x.Place.City, x.Place.Street, x.Place.State, x.Place.Postal, x.Place.Country, x.Policy.ID}, append(x.Commitments, x.Roles...)...)
	for _, o := range x.Further() {
		texts = append(texts, o.Name, o.MIME, o.Description)
	}
	for _, s := range texts {
		if !sap.Displayable(s) {
			return false
		}
	}
	return true
}

// SAP-02, SGN-04: the module's composer of XAdES and the app's give the same octets, or both refuse, for 3,000 sets of properties drawn at
// random, many at their bounds.
func TestSAP02XAdESTwinsAgree(t *testing.T) {
	node := testenv.Need(t, "node")
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.IssueKey(key, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "Anna"})
	if err != nil {
		t.Fatal(err)
	}
	d := &twins{mathrand.New(mathrand.NewPCG(2026, 11)), chain[0]}
	var cases []twin
	composed := 0
	for len(cases) < 3000 {
		it, alg := d.draw()
		if !displayable(it) {
			continue
		}
		c := d.twin(it, alg)
		if c.Info != "" {
			composed++
		}
		cases = append(cases, c)
	}
	if composed < 800 || composed > 2200 {
		t.Errorf("%d of %d are composed: the draw shows little", composed, len(cases))
	}
	text, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	list, js := filepath.Join(dir, "twins.json"), filepath.Join(dir, "all.test.mjs")
	for path, b := range map[string][]byte{list: text, js: unitTests(t)} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, "--test", "--test-name-pattern", "composed as the module does", js)
	cmd.Env = unitEnv("XADES_TWINS=" + list)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "composed as the module does") {
		t.Fatalf("%v\n%.6000s", err, out)
	}
}
