package xades_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// enveloping are the properties of a worker that puts XML inside of the signature, or any octets.
func enveloping(content string) map[string]string {
	return map[string]string{"signature_packaging": "ENVELOPING", "enveloping_content": content}
}

var (
	declaration = regexp.MustCompile("^(\uFEFF)?(<\\?xml .*?\\?>)?")
	octets      = []string{"x", "any bytes \x00\xff, 240 euros", "%PDF-1.4\nno PDF at all", documents[1], strings.Repeat("caf\xe9\r\n", 5000)}
)

// inside gives the user's bytes as they stand in an enveloping signature.
func inside(content, data string) string {
	if content == "BASE64" {
		return base64.StdEncoding.EncodeToString([]byte(data))
	}
	return declaration.ReplaceAllString(data, "")
}

// checkEnveloping has our reader check an enveloping signature, and looks for the user's bytes in it.
func checkEnveloping(t *testing.T, signed []byte, content, data string) (*xmlsig.Signature, error) {
	t.Helper()
	d, err := xmlsig.Read(bytes.NewReader(signed), int64(len(signed)), c14n.Limits{})
	if err != nil || len(d.Signatures) != 1 || d.Signatures[0].Element != d.Index.Root {
		t.Fatalf("%v: %s", err, signed)
	}
	c, err := d.Check(bytes.NewReader(signed), &d.Signatures[0], c14n.Limits{})
	if err != nil {
		return nil, err
	}
	if v := c.Covers[0]; len(c.Covers) != 2 || v.Content != (content == "BASE64") || v.ID != d.Signatures[0].ID+"-object" || len(c.Stray) > 0 || string(signed[v.Element.Content:v.Element.Tail]) != inside(content, data) {
		t.Errorf("%+v, stray %v\n%s", c.Covers, c.Stray, signed)
	}
	return &d.Signatures[0], nil
}

func xmlsecObject(t *testing.T, root, file string) error {
	t.Helper()
	return xmlsec(t, root, file, "--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:Object")
}

// ADE-02, ADE-03: an XML document, or any octets, are signed inside of the signature at every level; xmlsec1 verifies the
// result, and not after a change of what is inside; every byte of the user is there.
func TestADE02EnvelopingSignedAndJudged(t *testing.T) {
	for level, want := range map[string]int{"B-B": 0, "B-T": 1, "B-LT": 4, "B-LTA": 5} {
		for content, list := range map[string][]string{"XML": documents, "BASE64": octets} {
			a := workertest.NewAuthority(t)
			e, _, _ := longterm(t, a, level, enveloping(content))
			for _, data := range list {
				out := workertest.File(t, "out.xml")
				res, err := workers.SignNow(context.Background(), e, input(data), out)
				if err != nil || res.Level != level || res.MIME != "application/xml" {
					t.Fatalf("%s, %q: %+v, %v", level, data, res, err)
				}
				signed, err := os.ReadFile(out.Name())
				if err != nil || int64(len(signed)) != res.Size {
					t.Fatalf("%d bytes, %+v, %v", len(signed), res, err)
				}
				s, err := checkEnveloping(t, signed, content, data)
				if err != nil || len(s.Properties.Unsigned) != want {
					t.Fatalf("%s, %q: %v", level, data, err)
				}
				run(t, "xmllint", "--noout", "--nonet", out.Name())
				if err := xmlsecObject(t, a.Root, out.Name()); err != nil {
					t.Errorf("%s, %q: %v", level, data, err)
				}
				if level == "B-LTA" {
					opensslEnveloping(t, a.Root, string(signed), content, data)
				}
				at := bytes.LastIndex(signed, []byte("-object\">")) + len("-object\">")
				changed := slices.Concat(signed[:at], []byte("AAAA"), signed[at:])
				write(t, filepath.Dir(out.Name()), "changed.xml", changed)
				if xmlsecObject(t, a.Root, filepath.Join(filepath.Dir(out.Name()), "changed.xml")) == nil {
					t.Errorf("%s, %q: verified with four characters more", level, data)
				}
				if _, err := checkEnveloping(t, changed, content, data); !errors.Is(err, xmlsig.ErrDigest) {
					t.Errorf("%s, %q: %v", level, data, err)
				}
			}
		}
	}
}

// opensslEnveloping verifies the archive time-stamp over octets that are put together here by the clause (EN 319 132-1,
// 5.5.2.2): what the references are over, the parts of the signature, and the Object.
func opensslEnveloping(t *testing.T, root, signed, content, data string) {
	t.Helper()
	dir := t.TempDir()
	part := func(tag string) string {
		var b bytes.Buffer
		at := strings.Index(signed, "<"+tag+" ")
		if at < 0 {
			at = strings.Index(signed, "<"+tag+">")
		}
		if err := c14n.Canonicalize(strings.NewReader(signed), c14n.Limits{}, c14n.Job{W: &b, Method: c14n.Exclusive, Target: c14n.ElementAt(int64(at))}); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	all := part("ds:Object")
	if content == "BASE64" {
		all = data
	}
	for _, tag := range []string{"xades:SignedProperties", "ds:SignedInfo", "ds:SignatureValue", "ds:KeyInfo", "xades:SignatureTimeStamp", "xades:CertificateValues", "xades:RevocationValues", "xades141:TimeStampValidationData", "ds:Object"} {
		all += part(tag)
	}
	token := regexp.MustCompile(`<xades141:ArchiveTimeStamp.*<xades:EncapsulatedTimeStamp>([^<]*)<`).FindStringSubmatch(signed)
	der, err := base64.StdEncoding.DecodeString(token[1])
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "octets.bin", []byte(all))
	write(t, dir, "token.der", der)
	run(t, "openssl", "ts", "-verify", "-in", filepath.Join(dir, "token.der"), "-token_in", "-data", filepath.Join(dir, "octets.bin"), "-CAfile", root)
}

// approveEnveloping prepares a document and has it signed, without finishing it.
func approveEnveloping(t *testing.T, level, content, data string) (e *workers.Entry, p *workers.Prepared, sig []byte, out *os.File) {
	t.Helper()
	e, chain, _ := longterm(t, workertest.NewAuthority(t), level, enveloping(content))
	in, out := input(data), workertest.File(t, "out.xml")
	in.Chain, in.Alg = chain, algo.ES256
	p, sig = workertest.Approved(t, e, in, out)
	return e, p, sig, out
}

// SGN-04, ADE-05: what is shown has the digest that is signed: of XML the canonical form of the Object, in which the user's
// document stands, of other content its octets themselves; and rebuilding it gives what the key signs, in this form only.
func TestADE05EnvelopingShownIsSigned(t *testing.T) {
	for content, list := range map[string][]string{"XML": documents, "BASE64": octets} {
		for _, data := range list {
			e, p, sig, out := approveEnveloping(t, "B-B", content, data)
			var shown bytes.Buffer
			if err := e.Worker.(workers.Shower).Show(t.Context(), p, out, &shown); err != nil || p.ShownSize != int64(shown.Len()) || !bytes.Equal(digest(shown.Bytes()), p.DocDigest) {
				t.Fatalf("%q, %v", &shown, err)
			}
			if content == "BASE64" && shown.String() != data {
				t.Errorf("%q is shown, not %q", &shown, data)
			}
			it := p.Item(0)
			if sum, err := sap.Rebuild(it, p.Chain[0], p.Alg, nil); err != nil || !bytes.Equal(sum, p.DTBSR) {
				t.Errorf("%x, %v", sum, err)
			}
			for _, form := range []string{sap.XAdESEnveloped, sap.XAdESDetached, sap.XAdESEnveloping, sap.XAdESContained} {
				x := *p.XAdES
				x.Form = form
				it.XAdES = &x
				if _, err := sap.Rebuild(it, p.Chain[0], p.Alg, nil); (err == nil) != (form == p.XAdES.Form) {
					t.Errorf("approved as %s, rebuilt as %s: %v", p.XAdES.Form, form, err)
				}
			}
			if _, err := e.Worker.Finish(t.Context(), p, sig, out); err != nil {
				t.Fatal(err)
			}
			signed, err := os.ReadFile(out.Name())
			if err != nil {
				t.Fatal(err)
			}
			if content == "XML" {
				// xmllint says what the Object is in canonical form, with the comments that stand in it.
				write(t, filepath.Dir(out.Name()), "object.xml", []byte(strings.Replace(string(signed[bytes.LastIndex(signed, []byte(`<ds:Object Id="`+p.XAdES.ID)):bytes.Index(signed, []byte("</ds:Object>"))])+"</ds:Object>",
					"<ds:Object ", `<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#" `, 1)))
				want, err := exec.Command(testenv.Need(t, "xmllint"), "--exc-c14n", filepath.Join(filepath.Dir(out.Name()), "object.xml")).Output()
				if err != nil || strings.NewReplacer("<!-- c -->", "", "<!-- end -->", "").Replace(string(want)) != shown.String() {
					t.Errorf("xmllint says %q, shown is %q (%v)", want, &shown, err)
				}
			}
		}
	}
}

// FPT-05: an enveloping signature is put around the data before anybody is asked; only its value and what the level adds
// behind it are written afterwards. Whatever a killed attempt has written of that, the next one completes it; what was changed
// of the data meanwhile is noticed.
func TestFPT05EnvelopingCutAnywhere(t *testing.T) {
	for content, data := range map[string]string{"XML": documents[1], "BASE64": octets[4]} {
		for _, level := range []string{"B-B", "B-LTA"} {
			e, p, sig, out := approveEnveloping(t, level, content, data)
			before, err := os.ReadFile(out.Name())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Worker.Finish(t.Context(), p, sig, out); err != nil {
				t.Fatal(err)
			}
			done, err := os.ReadFile(out.Name())
			if err != nil {
				t.Fatal(err)
			}
			end := bytes.LastIndex(done, []byte("<ds:Object><xades:"))
			states := [][]byte{before, done, slices.Concat(done, []byte("more")), slices.Concat(before[:end], done[end:]), slices.Concat(done[:500], before[500:]), done[:end]}
			for i := range 4 {
				states = append(states, slices.Concat(before[:end], done[end:end+(len(done)-end)*i/4]))
			}
			for i, state := range states {
				f := workertest.File(t, "taken-up")
				if _, err := f.WriteAt(state, 0); err != nil {
					t.Fatal(err)
				}
				res, err := e.Worker.Finish(t.Context(), p, sig, f)
				if err != nil {
					t.Errorf("%s, state %d: %v", content, i, err)
					continue
				}
				signed, err := os.ReadFile(f.Name())
				if err != nil || int64(len(signed)) != res.Size {
					t.Errorf("%s, state %d: %d bytes, %+v, %v", content, i, len(signed), res, err)
				}
				if _, err := checkEnveloping(t, signed, content, data); err != nil {
					t.Errorf("%s, state %d: %v", content, i, err)
				}
			}
			changed := workertest.File(t, "changed")
			at := bytes.Index(before, []byte("</ds:Object>")) - 20
			if content == "XML" {
				at = bytes.Index(before, []byte("1 &amp; 2"))
			}
			if _, err := changed.WriteAt(slices.Concat(before[:at], []byte("A"), before[at+1:]), 0); err != nil {
				t.Fatal(err)
			}
			if _, err := e.Worker.Finish(t.Context(), p, sig, changed); !errors.Is(err, workers.ErrState) {
				t.Errorf("%s, changed: %v", content, err)
			}
			wrong := slices.Clone(sig)
			wrong[len(wrong)-1] ^= 1
			if _, err := e.Worker.Finish(t.Context(), p, wrong, changed); !errors.Is(err, workers.ErrSignature) {
				t.Errorf("%s, another value: %v", content, err)
			}
		}
	}
}

// ADE-04, ADE-05: XML with signatures in it, or that two readers could read in two ways, is not put inside of a signature;
// under the policy for qualified signatures neither is what nobody can see, nor a PDF that hides something.
func TestADE05EnvelopingRefusals(t *testing.T) {
	prepare := func(content, data, policy string) error {
		e, chain, _ := longterm(t, workertest.NewAuthority(t), "B-B", enveloping(content))
		in, out := input(data), workertest.File(t, "out.xml")
		in.Chain, in.Alg, in.Policy = chain, algo.ES256, policy
		_, err := e.Worker.Prepare(t.Context(), in, out)
		if info, bad := out.Stat(); bad != nil || err != nil && info.Size() != 0 {
			t.Errorf("%q: %d bytes were written (%v)", data, info.Size(), bad)
		}
		return err
	}
	for name, data := range map[string]string{
		"empty": "", "no XML": "text", "document type": `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, "a signature in it": `<a><s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"/></a>`,
		"a signature": `<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"/>`, "two of an id": `<a Id="x"><b Id="x"/></a>`, "not closed": "<a>", "two roots": "<a/><b/>",
		"out of the Object": "<a/></ds:Object><ds:Object><b/>", "a PDF too": "<!-- %PDF-1.7 --><a/>", "a prefix of what is around": `<ds:a/>`, "Latin-1": `<?xml version="1.0" encoding="ISO-8859-1"?><a/>`,
	} {
		if err := prepare("XML", data, ""); !errors.Is(err, workers.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	hostile := pdfWith("/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>")
	for name, c := range map[string]struct {
		data string
		ok   bool
	}{"text": {"text", true}, "XML": {"<a/>", true}, "a PDF": {pdfWith(""), true}, "octets": {"a\x00", false}, "Latin-1": {"caf\xe9", false}, "scripts": {hostile, false}, "no PDF": {"%PDF-", false}} {
		if err := prepare("BASE64", c.data, sap.PolicyQualified); (err == nil) != c.ok || err != nil && !errors.Is(err, workers.ErrInput) {
			t.Errorf("%s under the policy: %v", name, err)
		}
		if err := prepare("BASE64", c.data, ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pdfWith is a PDF of one empty page whose catalog has something more.
func pdfWith(more string) string {
	var b strings.Builder
	b.WriteString("%PDF-1.7\n")
	var off []int
	for _, o := range []string{"<< /Type /Catalog /Pages 2 0 R " + more + " >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Resources << >> >>"} {
		off = append(off, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(off), o)
	}
	x := b.Len()
	fmt.Fprintf(&b, "xref\n0 4\n0000000000 65535 f \n")
	for _, o := range off {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", x)
	return b.String()
}
