//go:build foreign

package conformance_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/pades"
	"github.com/assent-sign/assent/workers/tsa"
	"github.com/assent-sign/assent/workers/workertest"
	"github.com/assent-sign/assent/workers/xades"
)

// desk is a set of workers with the demo CA, to make what judges look at.
type desk struct {
	pki    *workertest.PKI
	dir    string
	tsa    workers.Config
	chains map[algo.KeyType]string
	name   string // of documents, if it is not that of the result
	params map[string]string
	more   []workers.Beside
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	p := workertest.NewPKI(t)
	_, _, chain := p.Key(t, "tsa", algo.P256, certs.TSAProfile)
	return &desk{pki: p, dir: t.TempDir(), tsa: workers.Config{Name: "tsa", Kind: "tsa", Token: "local", Key: "tsa", Chain: chain,
		Properties: map[string]string{"policy": "1.3.6.1.4.1.99999.1.1"}}, chains: map[algo.KeyType]string{}}
}

// pdf signs a PDF and returns the file.
func (d *desk) pdf(t *testing.T, name string, doc []byte, kt algo.KeyType, alg algo.Algorithm, properties map[string]string) string {
	t.Helper()
	return d.sign(t, "pades", name, doc, kt, alg, properties)
}

// xml signs an XML document and returns the file.
func (d *desk) xml(t *testing.T, name, doc string, kt algo.KeyType, alg algo.Algorithm, properties map[string]string) string {
	t.Helper()
	return d.sign(t, "xades", name, []byte(doc), kt, alg, properties)
}

func (d *desk) sign(t *testing.T, kind, name string, doc []byte, kt algo.KeyType, alg algo.Algorithm, properties map[string]string) string {
	t.Helper()
	if d.chains[kt] == "" {
		_, _, d.chains[kt] = d.pki.Key(t, "signer-"+string(kt), kt, certs.SignerProfile)
	}
	file, err := d.try(kind, name, doc, kt, alg, properties)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return file
}

// try signs with a key that is there.
func (d *desk) try(kind, name string, doc []byte, kt algo.KeyType, alg algo.Algorithm, properties map[string]string) (string, error) {
	cfg := workers.Config{Name: kind, Kind: kind, Token: "local", Key: "signer-" + string(kt), Chain: d.chains[kt], Properties: properties}
	kinds := map[string]workers.Kind{"pades": pades.Kind(), "xades": xades.Kind(), "tsa": tsa.Kind()}
	set, err := workers.NewSet(context.Background(), []workers.Config{d.tsa, cfg}, d.pki.Options(kinds, nil))
	if err != nil {
		return "", err
	}
	e, err := set.Get(kind)
	if err != nil {
		return "", err
	}
	out, err := os.Create(filepath.Join(d.dir, name))
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close() }()
	in := workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: name, Alg: alg, Params: d.params, More: d.more}
	if d.name != "" {
		in.Name = d.name
	}
	_, err = workers.SignNow(context.Background(), e, in, out)
	return out.Name(), err
}

// wants is what DSS must say of a file.
type wants struct{ level, indication, sub string }

// judged has DSS judge the files, each with one signature, and compares. It gives
// what DSS says of each file's time-stamps.
func judged(t *testing.T, q judge.DSSQuestion, want map[string]wants) map[string]string {
	t.Helper()
	var files []string
	for f := range want {
		files = append(files, f)
	}
	got, err := judge.DSS(t.Context(), testenv.Root(), q, files...)
	if err != nil {
		t.Fatal(err)
	}
	seen, stamps := map[string]int{}, map[string]string{}
	for _, v := range got {
		seen[v.File]++
		if w := want[v.File]; v.Level != w.level || v.Indication != w.indication || v.Sub != w.sub {
			t.Errorf("%s: DSS says %s %s %s (%s%s), want %v", filepath.Base(v.File), v.Level, v.Indication, v.Sub, v.Words, v.Error, w)
		}
		stamps[v.File] = v.Stamps
	}
	for f := range want {
		if seen[f] != 1 {
			t.Errorf("%s: DSS found %d signatures, want 1", filepath.Base(f), seen[f])
		}
	}
	t.Logf("DSS judged %d signatures", len(got))
	alsoByTheJDK(t, q, want)
	return stamps
}

// alsoByTheJDK has the JDK check what of XML it understands: the value, each reference, the way to the anchor. It
// agrees with DSS about what passes.
func alsoByTheJDK(t *testing.T, q judge.DSSQuestion, want map[string]wants) {
	t.Helper()
	var files []string
	for f, w := range want {
		if strings.HasPrefix(w.level, "XAdES") {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return
	}
	got, err := judge.JDK(t.Context(), testenv.Root(), q.Anchor, q.Detached, files...)
	if err != nil || len(got) != len(files) {
		t.Fatalf("JDK: %d answers about %d files: %v", len(got), len(files), err)
	}
	for _, v := range got {
		if pass := want[v.File].indication == "TOTAL_PASSED"; v.Valid != pass || v.Error != "" {
			t.Errorf("%s: the JDK says %t (%s%s), want %t", filepath.Base(v.File), v.Valid, v.Words, v.Error, pass)
		}
	}
	t.Logf("the JDK judged %d signatures", len(got))
}

// ADE-01, ADE-03: the Commission's DSS recognises the level of each PDF signature
// and finds it TOTAL_PASSED under its default policy with the demo root as
// anchor, for every algorithm of every kind of key.
func TestADE01DSSJudgesPDF(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	doc := plainPDF(false)
	want := map[string]wants{}
	for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA3072, algo.RSA4096} {
		for _, alg := range algo.All() {
			if !kt.Fits(alg) {
				continue
			}
			for _, level := range []string{"B", "T"} {
				name := fmt.Sprintf("%s-%s-%s.pdf", kt, alg, level)
				file := d.pdf(t, name, doc, kt, alg, map[string]string{"level": "B-" + level, "tsa": "worker:tsa"})
				want[file] = wants{"PAdES-BASELINE-" + level, "TOTAL_PASSED", ""}
			}
		}
	}
	certified := d.pdf(t, "certified.pdf", doc, algo.P256, algo.ES256, map[string]string{"level": "B-T", "tsa": "worker:tsa", "certification_level": "no_changes_allowed"})
	want[certified] = wants{"PAdES-BASELINE-T", "TOTAL_PASSED", ""}
	seen := d.pdf(t, "visible.pdf", doc, algo.P256, algo.ES256, map[string]string{"level": "B-T", "tsa": "worker:tsa", "add_visible_signature": "true"})
	want[seen] = wants{"PAdES-BASELINE-T", "TOTAL_PASSED", ""}
	if len(want) < 20 {
		t.Fatalf("only %d combinations", len(want))
	}
	judged(t, judge.DSSQuestion{Anchor: d.pki.Root, NoRevocation: true}, want)
}

// The judge can say no: a byte of the document changed, a signature value
// changed, the anchor of somebody else, and no revocation data where the policy
// wants some.
func TestDSSRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	good := d.pdf(t, "good.pdf", plainPDF(false), algo.P256, algo.ES256, map[string]string{"level": "B-T", "tsa": "worker:tsa"})
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(d.dir, "changed.pdf")
	if err := os.WriteFile(changed, bytes.Replace(text, []byte("Hello, judge"), []byte("Hello, thief"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	judged(t, judge.DSSQuestion{Anchor: d.pki.Root, NoRevocation: true}, map[string]wants{
		good:    {"PAdES-BASELINE-T", "TOTAL_PASSED", ""},
		changed: {"PAdES-BASELINE-T", "TOTAL_FAILED", "HASH_FAILURE"},
	})
	judged(t, judge.DSSQuestion{Anchor: workertest.NewPKI(t).Root, NoRevocation: true}, map[string]wants{
		good: {"PAdES-BASELINE-T", "INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND"},
	})
	judged(t, judge.DSSQuestion{Anchor: d.pki.Root}, map[string]wants{
		good: {"PAdES-BASELINE-T", "INDETERMINATE", "CERTIFICATE_CHAIN_GENERAL_FAILURE"},
	})
}

// ADE-03, ADE-04: a file of each part of PDF/A is one after signing, at every level, by the word of
// veraPDF; the judge sees what is broken in a file that is none.
func TestADE04VeraPDFStillSaysPDFA(t *testing.T) {
	t.Parallel()
	d, r := longTermDesk(t)
	r.signer(t, d, algo.P256)
	other := filepath.Join(d.dir, "other.pdf")
	if err := os.WriteFile(other, plainPDF(false), 0o600); err != nil {
		t.Fatal(err)
	}
	files, flavours := []string{}, map[string]string{other: "1b"}
	for _, part := range []string{"1", "2", "3"} {
		plain := filepath.Join(d.dir, "plain-"+part+".pdf")
		if err := os.WriteFile(plain, archivalPDF(part), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, plain)
		for _, level := range []string{"B-B", "B-T", "B-LT", "B-LTA"} {
			files = append(files, d.pdf(t, "pdfa-"+part+"-"+level+".pdf", archivalPDF(part), algo.P256, algo.ES256, r.properties(level, "reason", "seen")))
		}
		for _, f := range files[len(files)-5:] {
			flavours[f] = part + "b"
		}
	}
	seen := d.pdf(t, "pdfa-visible.pdf", plainPDF(true), algo.P256, algo.ES256, map[string]string{"add_visible_signature": "true", "certification_level": "form_filling_allowed", "visible_signature_text": "Υπογραφή {name}", "visible_signature_custom_image_path": picture(t, d.dir)})
	files, flavours[seen] = append(files, seen), "2b"
	got, err := judge.VeraPDF(t.Context(), testenv.Root(), append(files, other)...)
	if err != nil || len(got) != len(files)+1 {
		t.Fatalf("%d verdicts: %v", len(got), err)
	}
	for i, v := range got {
		if want := i < len(files); v.Compliant != want || v.Flavour != flavours[v.File] {
			t.Errorf("%s: veraPDF says %s %v %s %s, want %v", filepath.Base(v.File), v.Flavour, v.Compliant, v.Rules, v.Error, want)
		}
	}
}

// plainPDF is a document of one page, as PDF/A-2b or as any PDF.
func plainPDF(archival bool) []byte {
	if archival {
		return archivalPDF("2")
	}
	return filePDF("1.7", "<< /Type /Catalog /Pages 2 0 R >>", onePage, greeting, helvetica)
}

// archivalPDF is a document of one page by a part of PDF/A, level B. It draws a picture of lines,
// since a font would have to be embedded.
func archivalPDF(part string) []byte {
	xmp := `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		`<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"><pdfaid:part>` + part + `</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`
	return filePDF(map[string]string{"1": "1.4", "2": "1.7", "3": "1.7"}[part], "<< /Type /Catalog /Pages 2 0 R /Metadata 5 0 R >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Resources << >> /Contents 4 0 R >>", streamPDF("", "10 10 m 100 100 l n"), streamPDF("/Type /Metadata /Subtype /XML", xmp))
}

const (
	onePage   = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>"
	helvetica = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
)

var greeting = streamPDF("", "BT /F1 24 Tf 50 100 Td (Hello, judge) Tj ET")

func streamPDF(keys, content string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", keys, len(content), content)
}

// filePDF writes a file of one page: the catalog is object 1, the pages object 2; the page and what follows are those behind.
func filePDF(version, catalog string, rest ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%%PDF-%s\n%%\xe2\xe3\xcf\xd3\n", version)
	var off []int
	for i, obj := range append([]string{catalog, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"}, rest...) {
		off = append(off, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, obj)
	}
	x := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(off)+1)
	for _, o := range off {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>] >>\nstartxref\n%d\n%%%%EOF\n", len(off)+1, x)
	return b.Bytes()
}

// picture writes a PNG without transparency, which PDF/A wants.
func picture(t *testing.T, dir string) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 20, 20))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	img.Set(5, 5, color.RGBA{0, 90, 180, 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "logo.png")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
