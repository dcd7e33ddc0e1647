package xades_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// named is a file of a test.
type named struct{ name, data string }

// threeFiles are texts; the second is XML, the third begins like a signature.
var threeFiles = []named{{"terms.txt", terms}, {"Όροι #1?.xml", "<?xml version='1.0'?>\n<a>240 euros</a>\n"}, {"note.txt", "<ds:Signature xmlns:ds='urn:ours'>not one</ds:Signature>\n"}}

// several is the input of one signature over files.
func several(files []named) workers.Input {
	in := input(files[0].data)
	in.Name = files[0].name
	for _, f := range files[1:] {
		in.More = append(in.More, workers.Beside{Name: f.name, ReaderAt: strings.NewReader(f.data), Size: int64(len(f.data))})
	}
	return in
}

// beholds judges a signature over files, which stand beside it.
func beholds(t *testing.T, root string, signed []byte, level string, files []named) *validate.Report {
	t.Helper()
	opt := validate.Options{Level: level}
	var err error
	if opt.Anchors, err = certs.LoadPEM(root); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		opt.Detached = append(opt.Detached, validate.Detached{Name: f.name, ReaderAt: strings.NewReader(f.data), Size: int64(len(f.data))})
	}
	rep, err := validate.File(t.Context(), "s.xml", bytes.NewReader(signed), int64(len(signed)), opt)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// cheats are what somebody can do with signed files, none of which a verifier may pass.
var cheats = map[string]func([]named) []named{
	"swapped":  func(f []named) []named { f[0].data, f[1].data = f[1].data, f[0].data; return f },
	"renamed":  func(f []named) []named { f[1].name = "other.xml"; return f },
	"left out": func(f []named) []named { return slices.Delete(f, 1, 2) },
	"changed":  func(f []named) []named { f[2].data += " "; return f },
	"doubled":  func(f []named) []named { return append(f, named{f[1].name, f[0].data}) },
	"one more": func(f []named) []named { return append(f, named{"more.txt", "more"}) },
}

// ADE-02, ADE-03: one signature is over several files, each with a Reference and a DataObjectFormat of its own, at every level; our validator and xmlsec1
// verify it with the files beside it, in whatever order these are given, and not when one was swapped, renamed, changed, left out, given twice, or when
// one is given that the signature does not name.
func TestADE02SeveralFilesSignedAndJudged(t *testing.T) {
	for _, level := range []string{"B-B", "B-T", "B-LT", "B-LTA"} {
		a := workertest.NewAuthority(t)
		e, _, _ := longterm(t, a, level, map[string]string{"signature_packaging": "DETACHED"})
		out := workertest.File(t, "out")
		res, err := workers.SignNow(context.Background(), e, several(threeFiles), out)
		if err != nil || res.Level != level || res.MIME != "application/xml" {
			t.Fatalf("%s: %+v, %v", level, res, err)
		}
		signed, err := os.ReadFile(out.Name())
		if err != nil || int64(len(signed)) != res.Size {
			t.Fatalf("%d bytes, %+v, %v", len(signed), res, err)
		}
		d, err := xmlsig.Read(bytes.NewReader(signed), int64(len(signed)), c14n.Limits{})
		if err != nil || len(d.Signatures) != 1 || !slices.Equal(d.Signatures[0].Properties.MimeTypes, []string{"text/plain", "text/xml", "text/xml"}) {
			t.Fatalf("%v: %s", err, signed)
		}
		for _, files := range [][]named{threeFiles, {threeFiles[2], threeFiles[0], threeFiles[1]}} {
			if rep := beholds(t, a.Root, signed, level, files); rep.Indication != validate.TotalPassed {
				t.Errorf("%s: %+v", level, rep)
			}
		}
		for name, cheat := range cheats {
			if rep := beholds(t, a.Root, signed, level, cheat(slices.Clone(threeFiles))); rep.Indication == validate.TotalPassed {
				t.Errorf("%s, %s: passed", level, name)
			}
		}
		xmlsecFiles(t, a.Root, signed)
	}
}

// xmlsecFiles has xmlsec1 judge a signature over the files, and over changed ones.
func xmlsecFiles(t *testing.T, root string, signed []byte) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "s.xml", signed)
	for _, change := range []string{"", " "} {
		for _, f := range threeFiles {
			if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "note.txt"), []byte(threeFiles[2].data+change), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(testenv.Need(t, "xmlsec1"), "--verify", "--enabled-key-data", "x509", "--trusted-pem", root, "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "s.xml")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); (err == nil) != (change == "") {
			t.Errorf("%q: %v\n%s", change, err, out)
		}
	}
}

// SGN-04, ADE-05: what is shown are the files, one after the other, with the size of each; rebuilding from their digests, names and types gives what the
// key signs, and from swapped, renamed, reordered, doubled or fewer ones something else or nothing.
func TestADE05SeveralFilesShownIsSigned(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, chain, _ := longterm(t, a, "B-B", map[string]string{"signature_packaging": "DETACHED"})
	in, out := several(threeFiles), workertest.File(t, "out")
	in.Chain, in.Alg = chain, algo.ES256
	in.Params = map[string]string{"mime_type": ",application/xml,text/csv", "description": "the deal"}
	p, sig := workertest.Approved(t, e, in, out)
	var shown bytes.Buffer
	all := threeFiles[0].data + threeFiles[1].data + threeFiles[2].data
	if err := e.Worker.(workers.Shower).Show(t.Context(), p, out, &shown); err != nil || shown.String() != all || p.ShownSize != int64(len(all)) {
		t.Fatalf("%q, %v", &shown, err)
	}
	o := p.XAdES.Objects
	if o == nil || o.Part != "" || len(o.More) != 2 || p.XAdES.MIME != "text/plain" || o.More[0].MIME != "application/xml" || o.More[1].MIME != "text/csv" || o.More[1].Description != "the deal" {
		t.Fatalf("%+v", p.XAdES)
	}
	for i, f := range threeFiles {
		doc := sap.B64(p.DocDigest)
		if i > 0 {
			doc = o.More[i-1].Doc
		}
		if p.ShownSizes[i] != int64(len(f.data)) || doc != sap.B64(digest([]byte(f.data))) {
			t.Errorf("%s: %d bytes, %s", f.name, p.ShownSizes[i], doc)
		}
	}
	for name, edit := range map[string]func(it *sap.Item, o *sap.XAdESObjects){
		"":              func(*sap.Item, *sap.XAdESObjects) {},
		"swapped":       func(it *sap.Item, o *sap.XAdESObjects) { it.Doc, o.More[0].Doc = o.More[0].Doc, it.Doc },
		"names swapped": func(it *sap.Item, o *sap.XAdESObjects) { it.Name, o.More[0].Name = o.More[0].Name, it.Name },
		"renamed":       func(_ *sap.Item, o *sap.XAdESObjects) { o.More[1].Name = "x" },
		"reordered":     func(_ *sap.Item, o *sap.XAdESObjects) { o.More[0], o.More[1] = o.More[1], o.More[0] },
		"doubled":       func(_ *sap.Item, o *sap.XAdESObjects) { o.More[1] = o.More[0] },
		"left out":      func(_ *sap.Item, o *sap.XAdESObjects) { o.More = o.More[:1] },
	} {
		it, own := p.Item(0), *p.XAdES
		own.Objects = &sap.XAdESObjects{More: slices.Clone(o.More)}
		it.XAdES = &own
		edit(&it, own.Objects)
		sum, err := sap.Rebuild(it, chain[0], p.Alg, nil)
		if same := err == nil && bytes.Equal(sum, p.DTBSR); same != (name == "") {
			t.Errorf("%s: %x, %v", name, sum, err)
		}
	}
	for i := range threeFiles { // one was changed meanwhile
		changed := workertest.File(t, "changed")
		at := len(strings.Join([]string{threeFiles[0].data, threeFiles[1].data, threeFiles[2].data}[:i], ""))
		b := []byte(all)
		b[at+8]++
		if _, err := changed.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Worker.Finish(t.Context(), p, sig, changed); !errors.Is(err, workers.ErrState) {
			t.Errorf("file %d changed: %v", i, err)
		}
	}
}

// FPT-05: wherever the attempt to write a signature over several files is killed, at B-LT and at B-LTA, where the archive time-stamp is over the
// files too, the next attempt completes it; and once more after that.
func TestFPT05SeveralFilesCutAnywhere(t *testing.T) {
	long := append(slices.Clone(threeFiles), named{"long.txt", strings.Repeat(terms, 1500)})
	for _, level := range []string{"B-LT", "B-LTA"} {
		for _, files := range [][]named{threeFiles, long} {
			a := workertest.NewAuthority(t)
			e, chain, _ := longterm(t, a, level, map[string]string{"signature_packaging": "DETACHED"})
			in, out := several(files), workertest.File(t, "out")
			in.Chain, in.Alg = chain, algo.ES256
			p, sig := workertest.Approved(t, e, in, out)
			prepared, err := os.ReadFile(out.Name())
			if err != nil {
				t.Fatal(err)
			}
			const lives = 1 << 30
			cuts := []mortal{}
			for steps := range 7 {
				cuts = append(cuts, mortal{nil, lives, steps})
			}
			for _, octets := range []int{0, 1, 50, 5_000, 15_000, 25_000} {
				cuts = append(cuts, mortal{nil, octets, lives})
			}
			for i, cut := range cuts {
				f := workertest.File(t, "doc")
				if _, err := f.Write(prepared); err != nil {
					t.Fatal(err)
				}
				cut.File = f
				if _, err := e.Worker.Finish(t.Context(), p, sig, &cut); err != nil && !errors.Is(err, errKilled) {
					t.Fatalf("%s, cut %d: %v", level, i, err)
				}
				for range 2 {
					res, err := e.Worker.Finish(t.Context(), p, sig, f)
					if err != nil {
						t.Fatalf("%s, cut %d: %v", level, i, err)
					}
					signed, err := os.ReadFile(f.Name())
					if err != nil || int64(len(signed)) != res.Size || res.Level != level {
						t.Fatalf("%s, cut %d: %d bytes, %+v, %v", level, i, len(signed), res, err)
					}
					if rep := beholds(t, a.Root, signed, level, files); rep.Indication != validate.TotalPassed {
						t.Fatalf("%s, cut %d: %+v", level, i, rep)
					}
				}
			}
		}
	}
}

// ADE-02, ADE-04: each file is looked at by itself: binary ones, empty ones, XML with a document type and types that do not fit are refused wherever
// they stand, as are names that are no names, names that file systems take for the same, more files than are possible and more octets.
func TestADE05SeveralFilesRefusals(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, chain, _ := longterm(t, a, "B-B", map[string]string{"signature_packaging": "DETACHED", "max_size": "4096"})
	try := func(e *workers.Entry, edit func(in *workers.Input), files ...named) error {
		in := several(files)
		in.Chain, in.Alg = chain, algo.ES256
		edit(&in)
		_, err := e.Worker.Prepare(t.Context(), in, workertest.File(t, "out"))
		return err
	}
	as := func(params ...string) func(in *workers.Input) {
		return func(in *workers.Input) {
			in.Policy = sap.PolicyQualified
			if len(params) > 0 {
				in.Params = map[string]string{"mime_type": params[0]}
			}
		}
	}
	good := named{"a.txt", "text"}
	if err := try(e, as(), good, named{"b.txt", "text"}); err != nil {
		t.Fatal(err) // files of the same content are two files
	}
	for name, files := range map[string][]named{
		"binary": {good, {"b", "a\x00b"}}, "binary first": {{"b", "a\x00b"}, good}, "empty": {good, {"b", ""}}, "document type": {good, {"b.xml", "<!DOCTYPE a><a/>"}}, "no PDF": {good, {"b.pdf", "x\n%PDF-1.7 \n"}},
		"same name": {good, {"a.txt", "other"}}, "same but for case": {good, {"A.TXT", "other"}}, "same but for a dot": {good, {"a.txt.", "other"}}, "same but for composition": {{"caf\u00e9", "x"}, {"cafe\u0301", "y"}},
		"same in capitals": {{"Stra\u00dfe.txt", "x"}, {"STRASSE.txt", "y"}}, "same but for a ligature": {{"of\ufb01ce.txt", "x"}, {"office.txt", "y"}}, "same but for a final sigma": {{"ΟΡΟΣ.txt", "x"}, {"ορος.txt", "y"}},
		"no name": {good, {"", "x"}}, "parent": {good, {"..", "x"}}, "folder": {good, {"../b.txt", "x"}}, "other folder": {good, {`c:\b.txt`, "x"}}, "this": {{".", "x"}, good}, "bidi": {good, {"b\u202etxt.exe", "x"}},
		"too long": {good, {strings.Repeat("n", 301), "x"}}, "too large together": {{"b", strings.Repeat("x", 2049)}, {"c", strings.Repeat("x", 2049)}},
	} {
		if err := try(e, func(*workers.Input) {}, files...); !errors.Is(err, workers.ErrInput) && !errors.Is(err, workers.ErrParams) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := try(e, as(), good, named{"b.pdf", pdfWith("") + "<script>"}); !errors.Is(err, workers.ErrHazard) {
		t.Errorf("a second kind of file: %v", err)
	}
	for name, mime := range map[string]string{"HTML": "text/plain,text/html", "HTML for all": "text/html", "a PDF": "application/pdf,text/plain"} {
		if err := try(e, as(mime), good, named{"b.txt", "text"}); !errors.Is(err, workers.ErrHazard) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, mime := range map[string]string{"one too many": "text/plain,text/plain,text/plain", "one too few": "text/plain,text/plain"} {
		files := []named{good, {"b", "x"}}
		if name == "one too few" {
			files = append(files, named{"c", "x"})
		}
		if err := try(e, as(mime), files...); !errors.Is(err, workers.ErrParams) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var many []named
	for i := range sap.MaxObjects + 1 {
		many = append(many, named{fmt.Sprint("n", i), "x"})
	}
	if err := try(e, as(), many[1:]...); err != nil {
		t.Error(err)
	}
	if err := try(e, as(), many...); !errors.Is(err, workers.ErrInput) {
		t.Errorf("%d files: %v", len(many), err)
	}
	for _, packaging := range []string{"ENVELOPED", "ENVELOPING", "INTERNALLY_DETACHED"} {
		other, _, _ := longterm(t, workertest.NewAuthority(t), "B-B", map[string]string{"signature_packaging": packaging})
		if err := try(other, func(*workers.Input) {}, named{"a.xml", "<a/>"}, named{"b.xml", "<a/>"}); !errors.Is(err, workers.ErrInput) {
			t.Errorf("%s: %v", packaging, err)
		}
	}
}

// ADE-04: a PDF stands beside its signature like a text, alone or with others; under the policy for qualified signatures none with hazards.
func TestADE04DetachedPDF(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, chain, _ := longterm(t, a, "B-B", map[string]string{"signature_packaging": "DETACHED"})
	safe, unsafe := pdfWith(""), pdfWith("/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>")
	for _, files := range [][]named{{{"a.pdf", safe}}, {{"a.txt", "text"}, {"b.pdf", safe}}} {
		in, out := several(files), workertest.File(t, "out")
		in.Policy, in.Chain, in.Alg = sap.PolicyQualified, chain, algo.ES256
		p, sig := workertest.Approved(t, e, in, out)
		if _, err := e.Worker.Finish(t.Context(), p, sig, out); err != nil {
			t.Fatal(err)
		}
		signed, err := os.ReadFile(out.Name())
		if err != nil || !bytes.Contains(signed, []byte("<xades:MimeType>application/pdf</xades:MimeType>")) {
			t.Errorf("%s, %v", signed, err)
		}
		if rep := beholds(t, a.Root, signed, "B-B", files); rep.Indication != validate.TotalPassed {
			t.Errorf("%+v", rep)
		}
	}
	in := several([]named{{"a.txt", "text"}, {"b.pdf", unsafe}})
	in.Policy, in.Chain, in.Alg = sap.PolicyQualified, chain, algo.ES256
	if _, err := e.Worker.Prepare(t.Context(), in, workertest.File(t, "out")); !errors.Is(err, workers.ErrHazard) {
		t.Errorf("hazards: %v", err)
	}
}

// FPT-05, ADE-03: a signature over several files that an attempt left is taken up only if its archive time-stamp is over all of them.
func TestFPT05StagedOverSeveralFilesIsTheApproved(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, chain, _ := longterm(t, a, "B-LTA", map[string]string{"signature_packaging": "DETACHED"})
	make := func(files []named) (*workers.Prepared, []byte, []byte) {
		in, out := several(files), workertest.File(t, "out")
		in.Chain, in.Alg = chain, algo.ES256
		p, sig := workertest.Approved(t, e, in, out)
		if _, err := e.Worker.Finish(t.Context(), p, sig, out); err != nil {
			t.Fatal(err)
		}
		done, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return p, sig, done
	}
	other := slices.Clone(threeFiles)
	other[1].data = strings.Replace(other[1].data, "240", "999", 1)
	p, sig, mine := make(threeFiles)
	_, _, others := make(other)
	for name, c := range map[string]struct {
		left []byte
		want error
	}{
		"":                                {mine, nil},
		"an archive time-stamp of others": {bytes.Replace(mine, archiveToken(t, mine), archiveToken(t, others), 1), workers.ErrState},
		"the files of others":             {[]byte(other[0].data + other[1].data + other[2].data), workers.ErrState},
	} {
		f := workertest.File(t, "left")
		if _, err := f.Write(c.left); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Worker.Finish(t.Context(), p, sig, f); !errors.Is(err, c.want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
