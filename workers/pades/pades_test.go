package pades_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/pades"
	"github.com/assent-sign/assent/workers/tsa"
	"github.com/assent-sign/assent/workers/workertest"
)

// minimalPDF is a one-page document with exact offsets.
func minimalPDF() []byte { return pdfWith("") }

// pdfWith is minimalPDF with more in its catalogue.
func pdfWith(catalog string) []byte {
	var b bytes.Buffer
	var off []int
	obj := func(s string) {
		off = append(off, b.Len())
		b.WriteString(s)
	}
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	obj("1 0 obj\n<< /Type /Catalog /Pages 2 0 R " + catalog + " >>\nendobj\n")
	obj("2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n")
	obj("3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Resources << /Font << /F1 4 0 R >> >> /Contents 5 0 R >>\nendobj\n")
	obj("4 0 obj\n<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\n")
	obj("5 0 obj\n<< /Length 44 >>\nstream\nBT /F1 24 Tf 50 100 Td (Hello, signer) Tj ET\nendstream\nendobj\n")
	x := b.Len()
	b.WriteString("xref\n0 6\n0000000000 65535 f \n")
	for _, o := range off {
		b.WriteString(strings.Repeat("0", 10-len(itoa(o))) + itoa(o) + " 00000 n \n")
	}
	b.WriteString("trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n" + itoa(x) + "\n%%EOF\n")
	return b.Bytes()
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

var kinds = map[string]workers.Kind{"pades": pades.Kind(), "tsa": tsa.Kind()}

func tsaConfig(t *testing.T, p *workertest.PKI) workers.Config {
	_, _, chain := p.Key(t, "tsa", algo.P256, certs.TSAProfile)
	return workers.Config{Name: "tsa", Kind: "tsa", Token: "local", Key: "tsa", Chain: chain, Properties: map[string]string{"policy": "1.3.6.1.4.1.99999.1.1"}}
}

func newSet(t *testing.T, p *workertest.PKI, cfgs ...workers.Config) *workers.Set {
	t.Helper()
	s, err := workers.NewSet(context.Background(), cfgs, p.Options(kinds, nil))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ADE-01: every key type signs B-B and B-T, and judges that we did not write
// accept the result: structure, coverage, CMS and time-stamp.
func TestADE01SignedAndJudged(t *testing.T) {
	p := workertest.NewPKI(t)
	tsaCfg := tsaConfig(t, p)
	doc := minimalPDF()
	for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA2048, algo.RSA3072} {
		_, _, chain := p.Key(t, "signer-"+string(kt), kt, certs.SignerProfile)
		for _, level := range []string{"B-B", "B-T"} {
			t.Run(string(kt)+" "+level, func(t *testing.T) {
				set := newSet(t, p, tsaCfg, workers.Config{Name: "pdf", Kind: "pades", Token: "local", Key: "signer-" + string(kt), Chain: chain,
					Properties: map[string]string{"level": level, "tsa": "worker:tsa", "reason": "Ω) Prüfung"}})
				e, err := set.Get("pdf")
				if err != nil {
					t.Fatal(err)
				}
				out := workertest.File(t, "out.pdf")
				res, err := workers.SignNow(context.Background(), e, workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf"}, out)
				if err != nil {
					t.Fatal(err)
				}
				if res.Level != level || (level == "B-T") != !res.TimeStamp.IsZero() {
					t.Fatalf("result %+v", res)
				}
				judge(t, out.Name(), doc, p.Root, level)
			})
		}
	}
}

// A file that is signed at once goes to the disk once, after its last byte was
// written; nobody would take it up before.
func TestSignedAtOnceIsSyncedAtTheEnd(t *testing.T) {
	p := workertest.NewPKI(t)
	_, _, chain := p.Key(t, "anna", algo.P256, certs.SignerProfile)
	e, err := newSet(t, p, workers.Config{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: chain}).Get("pdf")
	if err != nil {
		t.Fatal(err)
	}
	doc, out := minimalPDF(), &countedFile{File: workertest.File(t, "out.pdf")}
	if _, err := workers.SignNow(context.Background(), e, workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf"}, out); err != nil {
		t.Fatal(err)
	}
	if out.syncs != 1 || out.unsynced {
		t.Errorf("%d syncs; bytes after the last one: %t", out.syncs, out.unsynced)
	}
}

// countedFile counts syncs and knows whether something was written since.
type countedFile struct {
	*os.File
	syncs    int
	unsynced bool
}

func (f *countedFile) Write(b []byte) (int, error) { f.unsynced = true; return f.File.Write(b) }

func (f *countedFile) WriteAt(b []byte, off int64) (int, error) {
	f.unsynced = true
	return f.File.WriteAt(b, off)
}

func (f *countedFile) Sync() error {
	f.syncs++
	f.unsynced = false
	return f.File.Sync()
}

// judge asks pdfsig, qpdf and openssl, and checks that the input is a prefix.
func judge(t *testing.T, file string, original []byte, root, level string) {
	t.Helper()
	signed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(signed, original) {
		t.Error("the original is no prefix of the signed file")
	}
	say := run(t, "pdfsig", "-nocert", file)
	if !strings.Contains(say, "Signature is Valid") || !strings.Contains(say, "Total document signed") {
		t.Errorf("pdfsig:\n%s", say)
	}
	run(t, "qpdf", "--check", file)
	d, err := pdf.Open(bytes.NewReader(signed), int64(len(signed)), pdf.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	sigs, err := d.Signatures()
	if err != nil || len(sigs) != 1 {
		t.Fatalf("signatures: %d, %v", len(sigs), err)
	}
	dir := t.TempDir()
	r := sigs[0].ByteRange
	content := append(bytes.Clone(signed[:r[1]]), signed[r[2]:r[2]+r[3]]...)
	sd, der, err := cms.ParsePadded(sigs[0].Contents)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "c.der", der)
	write(t, dir, "c.bin", content)
	run(t, "openssl", "cms", "-verify", "-inform", "DER", "-in", filepath.Join(dir, "c.der"), "-content", filepath.Join(dir, "c.bin"), "-binary", "-CAfile", root, "-purpose", "any", "-out", os.DevNull)
	si, err := sd.Signer()
	if err != nil {
		t.Fatal(err)
	}
	// D13: exactly these signed attributes, and no signing-time.
	var oids []string
	for _, a := range si.SignedAttrs {
		oids = append(oids, a.Type.String())
	}
	slices.Sort(oids) // their order in DER depends on the digest's length
	if got := strings.Join(oids, " "); got != "1.2.840.113549.1.9.16.2.47 1.2.840.113549.1.9.3 1.2.840.113549.1.9.4" {
		t.Errorf("signed attributes %s", got)
	}
	tokens := si.TimeStampTokens()
	if (level == "B-T") != (len(tokens) == 1) {
		t.Fatalf("%d time-stamps at %s", len(tokens), level)
	}
	if level == "B-T" {
		write(t, dir, "t.der", tokens[0])
		write(t, dir, "t.bin", si.Signature) // E1: over the signature value
		run(t, "openssl", "ts", "-verify", "-in", filepath.Join(dir, "t.der"), "-token_in", "-data", filepath.Join(dir, "t.bin"), "-CAfile", root)
	}
}

func write(t *testing.T, dir, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(testenv.Need(t, name), args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

type prepared struct {
	set  *workers.Set
	e    *workers.Entry
	p    *workers.Prepared
	file *os.File
	key  cryptotoken.Signer
}

func prepare(t *testing.T, level string, stamper workers.Stamper) prepared {
	t.Helper()
	pki := workertest.NewPKI(t)
	key, chain, path := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	opt := pki.Options(kinds, nil)
	opt.HTTPStamper = func(string) (workers.Stamper, error) { return stamper, nil }
	props := map[string]string{"level": level}
	if stamper != nil {
		props["tsa"] = "http://127.0.0.1:1/"
	}
	set, err := workers.NewSet(context.Background(), []workers.Config{{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: path, Properties: props}}, opt)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := set.Get("pdf")
	f := workertest.File(t, "x.pdf")
	doc := minimalPDF()
	p, err := e.Worker.Prepare(context.Background(), workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf", Chain: chain, Alg: algo.ES256}, f)
	if err != nil {
		t.Fatal(err)
	}
	return prepared{set, e, p, f, key}
}

func (p prepared) sign(t *testing.T) []byte {
	t.Helper()
	sig, err := p.key.Sign(rand.Reader, p.p.DTBSR, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

type stampFunc func() ([]byte, time.Time, error)

func (f stampFunc) Stamp(context.Context, crypto.Hash, []byte) ([]byte, time.Time, error) { return f() }

// D10, TIM-02, ADE-03: a failing or oversized time-stamp is an error, never a lower
// level, never a second signature; the file keeps its empty place.
func TestD10TimeStampFailureIsNoLowerLevel(t *testing.T) {
	for name, c := range map[string]struct {
		stamp stampFunc
		want  error
	}{
		"down": {func() ([]byte, time.Time, error) { return nil, time.Time{}, errors.New("down") }, workers.ErrTimeStamp},
		"oversized": {func() ([]byte, time.Time, error) {
			return append([]byte{0x30, 0x83, 1, 0x86, 0xa0}, make([]byte, 100000)...), time.Now(), nil
		}, pdf.ErrReserve},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			p := prepare(t, "B-T", stampFunc(func() ([]byte, time.Time, error) { calls++; return c.stamp() }))
			before, err := os.ReadFile(p.file.Name())
			if err != nil {
				t.Fatal(err)
			}
			if res, err := p.e.Worker.Finish(context.Background(), p.p, p.sign(t), p.file); !errors.Is(err, c.want) || res != nil {
				t.Fatalf("%+v, %v; want %v", res, err, c.want)
			}
			if calls != 1 {
				t.Errorf("the authority was asked %d times", calls)
			}
			after, err := os.ReadFile(p.file.Name())
			if err != nil || !bytes.Equal(before, after) {
				t.Fatalf("the file was changed (%v)", err)
			}
		})
	}
}

// D27: the state survives JSON and a restart, and Finish may be repeated.
func TestD27RestartBetweenThePhases(t *testing.T) {
	p := prepare(t, "B-B", nil)
	text, err := json.Marshal(p.p)
	if err != nil {
		t.Fatal(err)
	}
	var again workers.Prepared
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	sig := p.sign(t)
	var files [2][]byte
	for i := range files {
		f, err := os.OpenFile(p.file.Name(), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.e.Worker.Finish(context.Background(), &again, sig, f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if files[i], err = os.ReadFile(p.file.Name()); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Fatal("a repeated Finish made another file")
	}
}

// SGN-03: a wrong signature value is refused before the file is touched.
func TestSGN03WrongSignatureValue(t *testing.T) {
	p := prepare(t, "B-B", nil)
	sig := p.sign(t)
	sig[len(sig)-1] ^= 1
	if _, err := p.e.Worker.Finish(context.Background(), p.p, sig, p.file); !errors.Is(err, workers.ErrSignature) {
		t.Fatalf("got %v", err)
	}
	text, _ := os.ReadFile(p.file.Name())
	if _, err := pdf.ReadPrepared(bytes.NewReader(text), int64(len(text))); err != nil {
		t.Fatalf("the place is not empty any more: %v", err)
	}
}

// The configuration is strict and says what to mend.
func TestConfigRefusals(t *testing.T) {
	pki := workertest.NewPKI(t)
	_, _, chain := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	_, _, other := pki.Key(t, "otto", algo.P256, certs.SignerProfile)
	base := workers.Config{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: chain}
	for name, edit := range map[string]func(*workers.Config){
		"unknown property":   func(c *workers.Config) { c.Properties = map[string]string{"levle": "B-T"} },
		"unknown level":      func(c *workers.Config) { c.Properties = map[string]string{"level": "B-X"} },
		"B-T without tsa":    func(c *workers.Config) { c.Properties = map[string]string{"level": "B-T"} },
		"tsa does not exist": func(c *workers.Config) { c.Properties = map[string]string{"tsa": "worker:none"} },
		"unknown kind":       func(c *workers.Config) { c.Kind = "pdaes" },
		"unknown token":      func(c *workers.Config) { c.Token = "hsm" },
		"chain of another":   func(c *workers.Config) { c.Chain = other },
		"bad name":           func(c *workers.Config) { c.Name = "<img>" },
		"certification":      func(c *workers.Config) { c.Properties = map[string]string{"certification_level": "1"} },
		"visible":            func(c *workers.Config) { c.Properties = map[string]string{"add_visible_signature": "yes please"} },
		"visible without":    func(c *workers.Config) { c.Properties = map[string]string{"visible_signature_page": "1"} },
		"visible page": func(c *workers.Config) {
			c.Properties = map[string]string{"add_visible_signature": "true", "visible_signature_page": "0"}
		},
		"visible rectangle": func(c *workers.Config) {
			c.Properties = map[string]string{"add_visible_signature": "true", "visible_signature_rectangle": "1,2,3"}
		},
		"visible image": func(c *workers.Config) {
			c.Properties = map[string]string{"add_visible_signature": "true", "visible_signature_custom_image_path": "none.png"}
		},
		"hygiene":     func(c *workers.Config) { c.Properties = map[string]string{"hygiene": "sometimes"} },
		"bad reserve": func(c *workers.Config) { c.Properties = map[string]string{"reserve_extra": "-1"} },
	} {
		c := base
		edit(&c)
		if _, err := workers.NewSet(context.Background(), []workers.Config{c}, pki.Options(kinds, nil)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := workers.NewSet(context.Background(), []workers.Config{base, base}, pki.Options(kinds, nil)); err == nil {
		t.Error("one name twice: accepted")
	}
}

// Requests are checked: parameters and levels that are not known are refused
// before anything is written.
func TestRequestRefusals(t *testing.T) {
	pki := workertest.NewPKI(t)
	_, chain, path := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	set := newSet(t, pki, workers.Config{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: path})
	e, _ := set.Get("pdf")
	doc := minimalPDF()
	good := workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf", Chain: chain, Alg: algo.ES256}
	for name, c := range map[string]struct {
		edit func(*workers.Input)
		want error
	}{
		"visible_page": {func(in *workers.Input) { in.Params = map[string]string{"visible_page": "1"} }, workers.ErrParams},
		"parameter":    {func(in *workers.Input) { in.Params = map[string]string{"colour": "red"} }, workers.ErrParams},
		"level":        {func(in *workers.Input) { in.Level = "B-LTA" }, workers.ErrLevel},
		"B-T here":     {func(in *workers.Input) { in.Level = "B-T" }, workers.ErrLevel},
		"algorithm":    {func(in *workers.Input) { in.Alg = algo.RS256 }, workers.ErrInput},
		"no chain":     {func(in *workers.Input) { in.Chain = nil }, workers.ErrInput},
		"no PDF":       {func(in *workers.Input) { in.Document, in.Size = strings.NewReader("hello"), 5 }, workers.ErrInput},
	} {
		in := good
		c.edit(&in)
		out := workertest.File(t, "o.pdf")
		if _, err := e.Worker.Prepare(context.Background(), in, out); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if st, _ := out.Stat(); st.Size() != 0 {
			t.Errorf("%s: %d bytes were written", name, st.Size())
		}
	}
}

// ISO 32000-1, 12.8.4: a certifying worker says in the document what may still
// change, poppler and qpdf accept it, and it signs nothing that is signed already.
func TestCertificationLevels(t *testing.T) {
	qpdf, pdfsig := testenv.Need(t, "qpdf"), testenv.Need(t, "pdfsig")
	pki := workertest.NewPKI(t)
	_, _, chain := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	doc := minimalPDF()
	for want, level := range []string{"not_certified", "no_changes_allowed", "form_filling_allowed", "form_filling_and_annotations_allowed"} {
		set := newSet(t, pki, workers.Config{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: chain, Properties: map[string]string{"certification_level": level}})
		e, err := set.Get("pdf")
		if err != nil {
			t.Fatal(err)
		}
		out := workertest.File(t, "out.pdf")
		res, err := workers.SignNow(context.Background(), e, workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf"}, out)
		if err != nil {
			t.Fatal(err)
		}
		d, err := pdf.Open(out, res.Size, pdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if sigs, err := d.Signatures(); err != nil || len(sigs) != 1 || sigs[0].Certification != want {
			t.Errorf("%s: %+v, %v", level, sigs, err)
		}
		say, err := exec.Command(pdfsig, "-nocert", out.Name()).CombinedOutput()
		if err != nil || !bytes.Contains(say, []byte("Signature is Valid")) || !bytes.Contains(say, []byte("Total document signed")) {
			t.Errorf("%s: pdfsig: %v\n%s", level, err, say)
		}
		if class := qpdfCheck(qpdf, out.Name()); class != 0 {
			t.Errorf("%s: qpdf --check exits with %d", level, class)
		}
		_, err = workers.SignNow(context.Background(), e, workers.Input{Document: out, Size: res.Size, Name: "a.pdf"}, workertest.File(t, "again.pdf"))
		if (want == 0) != (err == nil) || err != nil && !errors.Is(err, workers.ErrInput) {
			t.Errorf("%s: once more: %v", level, err)
		}
	}
}

// D28: a visible signature says who signed, why and when, on the page and at the
// place that the worker or the request names; the user's bytes stay a prefix, and
// judges find all of it signed.
func TestD28VisibleSignature(t *testing.T) {
	qpdf, pdfsig, mutool := testenv.Need(t, "qpdf"), testenv.Need(t, "pdfsig"), testenv.Need(t, "mutool")
	pki := workertest.NewPKI(t)
	_, _, chain := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	set := newSet(t, pki, tsaConfig(t, pki), workers.Config{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: chain,
		Properties: map[string]string{"level": "B-T", "tsa": "worker:tsa", "add_visible_signature": "true", "visible_signature_page": "Last", "certification_level": "form_filling_allowed"}})
	e, err := set.Get("pdf")
	if err != nil {
		t.Fatal(err)
	}
	doc := minimalPDF()
	for name, c := range map[string]struct {
		params map[string]string
		want   string
	}{
		"defaults": {map[string]string{"reason": "Έγκριση"}, "Signed by DEMO anna Reason: Έγκριση Date: 2026-03-01 12:00:00 UTC"},
		"request":  {map[string]string{"name": "A. Ж.", "location": "Łódź", "visible_page": "1", "visible_rectangle": "20, 20, 280, 90", "field": "Approval"}, "Signed by A. Ж. Location: Łódź Date: 2026-03-01 12:00:00 UTC"},
	} {
		t.Run(name, func(t *testing.T) {
			out := workertest.File(t, "out.pdf")
			in := workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf", Params: c.params, Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
			if _, err := workers.SignNow(context.Background(), e, in, out); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(out.Name())
			if err != nil || !bytes.HasPrefix(got, doc) {
				t.Fatalf("the original is no prefix: %v", err)
			}
			text, err := exec.Command(mutool, "draw", "-q", "-F", "txt", out.Name()).Output()
			if seen := strings.Join(strings.Fields(strings.Replace(string(text), "Hello, signer", "", 1)), " "); err != nil || seen != c.want {
				t.Errorf("the page says %q, want %q (%v)", seen, c.want, err)
			}
			say, err := exec.Command(pdfsig, "-nocert", out.Name()).CombinedOutput()
			if err != nil || !bytes.Contains(say, []byte("Signature is Valid")) || !bytes.Contains(say, []byte("Total document signed")) {
				t.Errorf("pdfsig: %v\n%s", err, say)
			}
			if class := qpdfCheck(qpdf, out.Name()); class != 0 {
				t.Errorf("qpdf --check exits with %d", class)
			}
		})
	}
	in := workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf", Params: map[string]string{"name": "署名"}}
	if _, err := workers.SignNow(context.Background(), e, in, workertest.File(t, "no.pdf")); !errors.Is(err, workers.ErrInput) || !strings.Contains(err.Error(), "U+7F72") {
		t.Errorf("a name that the font cannot show: %v", err)
	}
}

// A worker whose properties are spelled as SignServer spells them signs by them.
func TestPropertiesOfSignServerAreUnderstood(t *testing.T) {
	pki := workertest.NewPKI(t)
	_, _, chain := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	set := newSet(t, pki, tsaConfig(t, pki), workers.Config{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: chain, Properties: map[string]string{
		"REASON": "Approved", "LOCATION": "Athens", "CONTACT_INFO": "it@example.org", "SIGNER_NAME": "Anna", "CERTIFICATION_LEVEL": "FORM_FILLING", "XADESFORM": "T", "TSA_WORKER": "tsa"}})
	e, err := set.Get("pdf")
	if err != nil {
		t.Fatal(err)
	}
	doc, out := minimalPDF(), workertest.File(t, "out.pdf")
	res, err := workers.SignNow(context.Background(), e, workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf"}, out)
	if err != nil || res.Level != "B-T" {
		t.Fatalf("%+v %v", res, err)
	}
	got, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"/Reason (Approved)", "/Location (Athens)", "/ContactInfo (it@example.org)", "/Name (Anna)", "/P 2"} {
		if !bytes.Contains(got, []byte(key)) {
			t.Errorf("no %s", key)
		}
	}
}
