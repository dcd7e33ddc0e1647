package xades_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/tsa"
	"github.com/assent-sign/assent/workers/workertest"
	"github.com/assent-sign/assent/workers/xades"
)

// documents are what surrounds a signature in all its variety.
var documents = []string{
	"<a/>",
	"\uFEFF<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<?style x?><!-- c --><invoice xmlns=\"urn:example:invoice\" xml:lang=\"el\" xml:space=\"preserve\"><line a='1'\tb = \"2\">1 &amp; 2</line>\r\n</invoice>\n<!-- end -->\n",
	`<ds:a xmlns:ds="urn:other" xmlns:xades="urn:another" xmlns:u="urn:unused"><xades:b ds:c="d"></xades:b></ds:a >`,
	`<a Id="data"><![CDATA[<x>]]></a>`,
}

var kinds = map[string]workers.Kind{"xades": xades.Kind(), "tsa": tsa.Kind()}

func tsaConfig(t *testing.T, p *workertest.PKI) workers.Config {
	_, _, chain := p.Key(t, "tsa", algo.P256, certs.TSAProfile)
	return workers.Config{Name: "tsa", Kind: "tsa", Token: "local", Key: "tsa", Chain: chain, Properties: map[string]string{"policy": "1.3.6.1.4.1.99999.1.1"}}
}

func entry(t *testing.T, p *workertest.PKI, cfgs ...workers.Config) *workers.Entry {
	t.Helper()
	s, err := workers.NewSet(context.Background(), cfgs, p.Options(kinds, nil))
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Get(cfgs[len(cfgs)-1].Name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func input(doc string) workers.Input {
	return workers.Input{Document: strings.NewReader(doc), Size: int64(len(doc)), Name: "a.xml"}
}

// properties that every signature of the table has.
func properties(more ...string) map[string]string {
	out := map[string]string{"description": `Invoice > 100 & "more"`, "claimed_role": "Buyer & payer", "city": "Αθήνα", "country": "GR",
		"commitment_types": "PROOF_OF_ORIGIN, urn:example:a&b", "policy_id": "urn:oid:1.2.3", "policy_hash": "sha256:" + base64.StdEncoding.EncodeToString(make([]byte, 32))}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// ADE-02, ADE-03: every key type signs B-B and B-T in both forms, and judges that we did not
// write accept the result: well-formed, data and properties unchanged, the value, and the time-stamp.
// The user's bytes are all there.
func TestADE02SignedAndJudged(t *testing.T) {
	p := workertest.NewPKI(t)
	tsaCfg := tsaConfig(t, p)
	for i, kt := range []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA2048, algo.RSA3072} {
		_, _, chain := p.Key(t, "signer-"+string(kt), kt, certs.SignerProfile)
		for k, level := range []string{"B-B", "B-T"} {
			for _, parallel := range []string{"false", "true"} {
				t.Run(string(kt)+" "+level+" parallel "+parallel, func(t *testing.T) {
					doc := documents[(i+k)%len(documents)]
					e := entry(t, p, tsaCfg, workers.Config{Name: "xml", Kind: "xades", Token: "local", Key: "signer-" + string(kt), Chain: chain,
						Properties: properties("level", level, "tsa", "worker:tsa", "parallel", parallel)})
					out := workertest.File(t, "out.xml")
					res, err := workers.SignNow(context.Background(), e, input(doc), out)
					if err != nil {
						t.Fatal(err)
					}
					if res.Level != level || (level == "B-T") != !res.TimeStamp.IsZero() || res.MIME != "application/xml" {
						t.Fatalf("result %+v", res)
					}
					judge(t, out.Name(), doc, p.Root, level)
				})
			}
		}
	}
}

// judge asks xmllint, xmlsec1 and openssl, and looks for the user's bytes.
func judge(t *testing.T, file, original, root, level string) {
	t.Helper()
	signed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	kept(t, string(signed), original)
	run(t, "xmllint", "--noout", "--nonet", file)
	if err := xmlsec(t, root, file); err != nil {
		t.Errorf("%v\n%s", err, signed)
	}
	token := regexp.MustCompile(`<xades:EncapsulatedTimeStamp>([^<]*)<`).FindAllSubmatch(signed, -1)
	if (level == "B-T") != (len(token) == 1) {
		t.Fatalf("%d time-stamps at %s", len(token), level)
	}
	if level == "B-T" {
		dir := t.TempDir()
		der, err := base64.StdEncoding.DecodeString(string(token[0][1]))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, "t.der", der)
		// What the token is over, written down here by the rule: the element with its namespace.
		value := regexp.MustCompile(`<ds:SignatureValue( Id="[^"]*">[^<]*</ds:SignatureValue>)`).FindSubmatch(signed)
		write(t, dir, "t.bin", []byte(`<ds:SignatureValue xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`+string(value[1])))
		run(t, "openssl", "ts", "-verify", "-in", filepath.Join(dir, "t.der"), "-token_in", "-data", filepath.Join(dir, "t.bin"), "-CAfile", root)
	}
}

// kept: less the one inserted element, a signed document is the user's.
func kept(t *testing.T, signed, original string) {
	t.Helper()
	i, j := strings.LastIndex(signed, "<ds:Signature xmlns:ds="), strings.LastIndex(signed, "</ds:Signature>")
	if i < 0 || j < i {
		t.Fatalf("no signature in %s", signed)
	}
	head, tail := signed[:i], signed[j+len("</ds:Signature>"):]
	if head+tail != original && !(strings.HasSuffix(original, "/>") && strings.TrimSuffix(original, "/>")+">" == head) {
		t.Errorf("%q and %q are left of %q", head, tail, original)
	}
}

func xmlsec(t *testing.T, root, file string, more ...string) error {
	t.Helper()
	args := append([]string{"--verify", "--enabled-key-data", "x509", "--trusted-pem", root, "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties",
		"--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:Signature"}, more...)
	out, err := exec.Command(testenv.Need(t, "xmlsec1"), append(args, file)...).CombinedOutput()
	if err != nil {
		return errors.New(string(out))
	}
	return nil
}

func write(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(testenv.Need(t, name), args...).CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
}

// X14: RSA-PSS is checked by our own reader, since xmlsec1 1.2 does not know it; make conformance asks DSS and the JDK.
func TestADE02PSSIsSigned(t *testing.T) {
	p := workertest.NewPKI(t)
	_, _, chain := p.Key(t, "anna", algo.RSA2048, certs.SignerProfile)
	e := entry(t, p, workers.Config{Name: "xml", Kind: "xades", Token: "local", Key: "anna", Chain: chain})
	for _, a := range []algo.Algorithm{algo.PS256, algo.PS384, algo.PS512, algo.RS384, algo.RS512} {
		in, out := input(documents[1]), workertest.File(t, "out.xml")
		in.Alg = a
		res, err := workers.SignNow(context.Background(), e, in, out)
		if err != nil {
			t.Fatal(err)
		}
		d, err := xmlsig.Read(out, res.Size, c14n.Limits{})
		if err != nil || len(d.Signatures) != 1 || d.Signatures[0].Algorithm() != a {
			t.Fatalf("%v: %v", a, err)
		}
		if _, err := d.Check(out, &d.Signatures[0], c14n.Limits{}); err != nil {
			t.Errorf("%v: %v", a, err)
		}
	}
}

// Parallel signatures: several signers sign beside each other and all signatures hold; beside a
// signature that covers the whole document nobody signs, since that would break it.
func TestADE02ParallelSignatures(t *testing.T) {
	p := workertest.NewPKI(t)
	worker := func(signer, parallel string) *workers.Entry {
		_, _, chain := p.Key(t, signer, algo.P256, certs.SignerProfile)
		return entry(t, p, workers.Config{Name: "xml", Kind: "xades", Token: "local", Key: signer, Chain: chain, Properties: map[string]string{"parallel": parallel}})
	}
	anna, otto, alone := worker("anna", "true"), worker("otto", "true"), worker("alone", "false")
	sign := func(e *workers.Entry, doc string) (string, string, error) {
		out := workertest.File(t, "out.xml")
		_, err := workers.SignNow(context.Background(), e, input(doc), out)
		text, _ := os.ReadFile(out.Name())
		return string(text), out.Name(), err
	}
	for _, doc := range documents {
		one, _, err := sign(anna, doc)
		if err != nil {
			t.Fatal(err)
		}
		two, file, err := sign(otto, one)
		if err != nil {
			t.Fatal(err)
		}
		kept(t, two, one)
		// A signature over everything but itself may come last, and then none.
		last, lastFile, err := sign(alone, two)
		if err != nil {
			t.Fatal(err)
		}
		for f, n := range map[string]int{file: 2, lastFile: 3} {
			text, _ := os.ReadFile(f)
			ids := regexp.MustCompile(`<ds:Signature [^>]*Id="([^"]*)"`).FindAllStringSubmatch(string(text), -1)
			if len(ids) != n {
				t.Fatalf("%d signatures, want %d", len(ids), n)
			}
			for _, id := range ids {
				if err := xmlsec(t, p.Root, f, "--node-id", id[1]); err != nil {
					t.Errorf("%s of %d: %v", id[1], n, err)
				}
			}
		}
		for _, e := range []*workers.Entry{anna, alone} {
			if _, _, err := sign(e, last); !errors.Is(err, workers.ErrInput) || !strings.Contains(err.Error(), "would break") {
				t.Errorf("signed beside a signature over everything: %v", err)
			}
		}
	}
}

type prepared struct {
	e    *workers.Entry
	p    *workers.Prepared
	file *os.File
	key  cryptotoken.Signer
}

func prepare(t *testing.T, level string, stamper workers.Stamper, doc string) prepared {
	t.Helper()
	pki := workertest.NewPKI(t)
	key, chain, path := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	opt := pki.Options(kinds, nil)
	opt.HTTPStamper = func(string) (workers.Stamper, error) { return stamper, nil }
	props := map[string]string{"level": level}
	if stamper != nil {
		props["tsa"] = "http://127.0.0.1:1/"
	}
	set, err := workers.NewSet(context.Background(), []workers.Config{{Name: "xml", Kind: "xades", Token: "local", Key: "anna", Chain: path, Properties: props}}, opt)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := set.Get("xml")
	f := workertest.File(t, "x.xml")
	in := input(doc)
	in.Chain, in.Alg = chain, algo.ES256
	p, err := e.Worker.Prepare(context.Background(), in, f)
	if err != nil {
		t.Fatal(err)
	}
	return prepared{e, p, f, key}
}

func (p prepared) sign(t *testing.T) []byte {
	t.Helper()
	sig, err := p.key.Sign(rand.Reader, p.p.DTBSR, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func (p prepared) text(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(p.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type stampFunc func() ([]byte, time.Time, error)

func (f stampFunc) Stamp(context.Context, crypto.Hash, []byte) ([]byte, time.Time, error) { return f() }

// What is shown is what is signed: the octets that a Shower gives have the digest that is
// approved, and rebuilding it as the module does gives what the key signs.
func TestADE05ShownIsSigned(t *testing.T) {
	for _, doc := range documents {
		p := prepare(t, "B-B", nil, doc)
		if p.text(t) != doc {
			t.Error("the prepared file is not the user's")
		}
		var shown bytes.Buffer
		if err := p.e.Worker.(workers.Shower).Show(context.Background(), p.p, p.file, &shown); err != nil {
			t.Fatal(err)
		}
		if int64(shown.Len()) != p.p.ShownSize || !bytes.Equal(digest(shown.Bytes()), p.p.DocDigest) {
			t.Errorf("%d octets shown, of another digest: %s", shown.Len(), &shown)
		}
		want, err := exec.Command(testenv.Need(t, "xmllint"), "--exc-c14n", p.file.Name()).Output()
		if err != nil {
			t.Fatal(err)
		}
		// xmllint's form has the comments, each with its line feed outside of the root.
		if got := strings.NewReplacer("<!-- c -->\n", "", "\n<!-- end -->", "").Replace(string(want)); got != shown.String() {
			t.Errorf("xmllint says %q, shown is %q", got, &shown)
		}
		if sum, err := sap.Rebuild(p.p.Item(0), p.p.Chain[0], p.p.Alg, nil); err != nil || !bytes.Equal(sum, p.p.DTBSR) {
			t.Errorf("rebuilt: %x, %v", sum, err)
		}
	}
	p := prepare(t, "B-B", nil, documents[1])
	p.p.ShownSize--
	if err := p.e.Worker.(workers.Shower).Show(context.Background(), p.p, p.file, io.Discard); err == nil {
		t.Error("more octets were shown than prepared")
	}
}

func digest(b []byte) []byte {
	h := crypto.SHA256.New()
	h.Write(b)
	return h.Sum(nil)
}

// D10, TIM-02, ADE-03: a failing, empty or oversized time-stamp is an error, never a lower level;
// the file stays as it was.
func TestADE03TimeStampFailureIsNoLowerLevel(t *testing.T) {
	for name, st := range map[string]stampFunc{
		"down":      func() ([]byte, time.Time, error) { return nil, time.Time{}, errors.New("down") },
		"empty":     func() ([]byte, time.Time, error) { return nil, time.Now(), nil },
		"oversized": func() ([]byte, time.Time, error) { return make([]byte, 1<<20), time.Now(), nil },
	} {
		p := prepare(t, "B-T", st, documents[1])
		if _, err := p.e.Worker.Finish(context.Background(), p.p, p.sign(t), p.file); !errors.Is(err, workers.ErrTimeStamp) {
			t.Errorf("%s: %v", name, err)
		}
		if p.text(t) != documents[1] {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// D27: the state survives JSON and a restart, and Finish may be repeated, also after a crash in
// the middle of writing and with a shorter time-stamp.
func TestD27RestartBetweenThePhases(t *testing.T) {
	token := make([]byte, 3000)
	p := prepare(t, "B-T", stampFunc(func() ([]byte, time.Time, error) { return token, time.Now(), nil }), documents[1])
	text, err := json.Marshal(p.p)
	if err != nil {
		t.Fatal(err)
	}
	var again workers.Prepared
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	sig := p.sign(t)
	finish := func() string {
		t.Helper()
		if _, err := p.e.Worker.Finish(context.Background(), &again, sig, p.file); err != nil {
			t.Fatal(err)
		}
		return p.text(t)
	}
	first := finish()
	if finish() != first {
		t.Error("a repeated Finish made another file")
	}
	// The disk had only part of the write.
	if err := os.WriteFile(p.file.Name(), []byte(first[:len(documents[1])+40]), 0o600); err != nil {
		t.Fatal(err)
	}
	if finish() != first {
		t.Error("a Finish after a crash made another file")
	}
	token = token[:2000]
	if short := finish(); len(short) >= len(first) || !strings.HasSuffix(short, "</invoice>\n<!-- end -->\n") {
		t.Errorf("after a shorter time-stamp %d bytes, before %d", len(short), len(first))
	}
}

// SGN-03: a wrong signature value, or a state that is not of this document, is refused before
// the file is touched.
func TestSGN03WrongSignatureValue(t *testing.T) {
	p := prepare(t, "B-B", nil, documents[1])
	good := p.sign(t)
	changed := func(f func(q *workers.Prepared)) *workers.Prepared {
		q := *p.p
		x := *p.p.XAdES
		q.XAdES = &x
		f(&q)
		return &q
	}
	wrong := bytes.Clone(good)
	wrong[len(wrong)-1] ^= 1
	for name, c := range map[string]struct {
		p    *workers.Prepared
		sig  []byte
		want error
	}{
		"value":      {p.p, wrong, workers.ErrSignature},
		"no value":   {p.p, nil, workers.ErrSignature},
		"properties": {changed(func(q *workers.Prepared) { q.XAdES.Roles = []string{"Boss"} }), good, workers.ErrState},
		"digest":     {changed(func(q *workers.Prepared) { q.DocDigest = make([]byte, 32) }), good, workers.ErrState},
		"to sign":    {changed(func(q *workers.Prepared) { q.DTBSR = make([]byte, 32) }), good, workers.ErrState},
		"kind":       {changed(func(q *workers.Prepared) { q.Kind = sap.KindPAdES }), good, workers.ErrState},
		"no state":   {changed(func(q *workers.Prepared) { q.State = nil }), good, workers.ErrState},
		"place": {changed(func(q *workers.Prepared) {
			q.State = bytes.Replace(q.State, []byte(`"offset":`), []byte(`"offset":1`), 1)
		}), good, workers.ErrState},
		"no chain": {changed(func(q *workers.Prepared) { q.Chain = nil }), good, workers.ErrState},
	} {
		if _, err := p.e.Worker.Finish(context.Background(), c.p, c.sig, p.file); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if p.text(t) != documents[1] {
			t.Fatalf("%s: the file was changed", name)
		}
	}
	// The file itself was changed meanwhile.
	if _, err := p.file.WriteAt([]byte("3"), int64(strings.Index(documents[1], "1 &amp;"))); err != nil {
		t.Fatal(err)
	}
	if _, err := p.e.Worker.Finish(context.Background(), p.p, good, p.file); !errors.Is(err, workers.ErrState) {
		t.Errorf("changed file: %v", err)
	}
}
