package xades_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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

const terms = "Terms: 240 euros,\n\tΑθήνα, <not XML> & 100 %\r\n"

// checkDetached has our reader check a detached signature over a file.
func checkDetached(t *testing.T, signed []byte, name, data string) (*xmlsig.Signature, error) {
	t.Helper()
	d, err := xmlsig.Read(bytes.NewReader(signed), int64(len(signed)), c14n.Limits{})
	if err != nil || len(d.Signatures) != 1 {
		t.Fatalf("%v: %s", err, signed)
	}
	d.Detached = func(uri string) (xmlsig.File, bool) {
		return xmlsig.File{ReaderAt: strings.NewReader(data), Size: int64(len(data))}, uri == sap.FileURI(name)
	}
	c, err := d.Check(bytes.NewReader(signed), &d.Signatures[0], c14n.Limits{})
	if err == nil && (len(c.Covers) != 2 || !c.Covers[0].Content || c.Covers[0].File != sap.FileURI(name) || len(c.Stray) > 0) {
		t.Errorf("%+v", c.Covers)
	}
	return &d.Signatures[0], err
}

// ADE-02, ADE-03: a detached signature is over the bytes of the file, which it names, at every level;
// xmlsec1 verifies it with the file beside it, and not with another.
func TestADE02DetachedSignedAndJudged(t *testing.T) {
	for level, want := range map[string]int{"B-B": 0, "B-T": 1, "B-LT": 4, "B-LTA": 5} {
		a := workertest.NewAuthority(t)
		e, _, _ := longterm(t, a, level, map[string]string{"signature_packaging": "DETACHED", "mime_type": "text/plain"})
		for _, data := range []string{terms, documents[1], "x"} {
			out := workertest.File(t, "out")
			in := input(data)
			in.Name = "terms.txt"
			res, err := workers.SignNow(context.Background(), e, in, out)
			if err != nil || res.Level != level || res.MIME != "application/xml" {
				t.Fatalf("%s: %+v, %v", level, res, err)
			}
			signed, err := os.ReadFile(out.Name())
			if err != nil || int64(len(signed)) != res.Size {
				t.Fatalf("%d bytes, %+v, %v", len(signed), res, err)
			}
			s, err := checkDetached(t, signed, "terms.txt", data)
			if err != nil || len(s.Properties.Unsigned) != want {
				t.Fatalf("%s: %v, %d properties", level, err, len(s.Properties.Unsigned))
			}
			dir := t.TempDir()
			write(t, dir, "s.xml", signed)
			for beside, ok := range map[string]bool{data: true, data + " ": false} {
				write(t, dir, "terms.txt", []byte(beside))
				cmd := exec.Command(testenv.Need(t, "xmlsec1"), "--verify", "--enabled-key-data", "x509", "--trusted-pem", a.Root, "--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "s.xml")
				cmd.Dir = dir
				if out, err := cmd.CombinedOutput(); (err == nil) != ok {
					t.Errorf("%s, %q: %v\n%s", level, beside, err, out)
				}
			}
			run(t, "xmllint", "--noout", "--nonet", filepath.Join(dir, "s.xml"))
		}
	}
}

// SGN-04, ADE-05: what is shown is the file itself, byte for byte, and rebuilding from its digest, its name and the properties
// gives what the key signs; another name gives something else.
func TestADE05DetachedShownIsSigned(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, chain, _ := longterm(t, a, "B-B", map[string]string{"signature_packaging": "DETACHED"})
	in, out := input(terms), workertest.File(t, "out")
	in.Chain, in.Alg, in.Name = chain, algo.ES256, "Όροι #1?.txt"
	p, err := e.Worker.Prepare(context.Background(), in, out)
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	if err := e.Worker.(workers.Shower).Show(context.Background(), p, out, &shown); err != nil || shown.String() != terms || p.ShownSize != int64(len(terms)) || !bytes.Equal(digest(shown.Bytes()), p.DocDigest) {
		t.Errorf("%q, %v", &shown, err)
	}
	it := p.Item(0)
	if sum, err := sap.Rebuild(it, chain[0], p.Alg, nil); err != nil || !bytes.Equal(sum, p.DTBSR) {
		t.Errorf("%x, %v", sum, err)
	}
	it.Name = "other.txt"
	if sum, err := sap.Rebuild(it, chain[0], p.Alg, nil); err == nil && bytes.Equal(sum, p.DTBSR) {
		t.Error("the name is not part of what is signed")
	}
	sig, err := e.Signer.Sign(nil, p.DTBSR, in.Alg.SignerOpts())
	if err != nil {
		t.Fatal(err)
	}
	// The file was changed meanwhile.
	changed := workertest.File(t, "changed")
	if _, err := changed.WriteString(strings.Replace(terms, "240", "999", 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Worker.Finish(context.Background(), p, sig, changed); !errors.Is(err, workers.ErrState) {
		t.Errorf("changed: %v", err)
	}
	if _, err := e.Worker.Finish(context.Background(), p, sig, out); err != nil {
		t.Fatal(err)
	}
	signed, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checkDetached(t, signed, in.Name, terms); err != nil {
		t.Error(err)
	}
}

// FPT-05: the signature takes the file's place in one write; whatever a killed attempt has
// written of it, the next one completes it.
func TestFPT05DetachedCutAnywhere(t *testing.T) {
	for _, data := range []string{terms, strings.Repeat(terms, 2000)} {
		e, chain, _ := longterm(t, workertest.NewAuthority(t), "B-LT", map[string]string{"signature_packaging": "DETACHED"})
		in, out := input(data), workertest.File(t, "out")
		in.Chain, in.Alg, in.Name = chain, algo.ES256, "terms.txt"
		p, sig := workertest.Approved(t, e, in, out)
		if _, err := e.Worker.Finish(context.Background(), p, sig, out); err != nil {
			t.Fatal(err)
		}
		done, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		states := [][]byte{done, slices.Concat(done, []byte("more"))}
		for _, n := range []int{0, 1, 5, 40, 400, len(done) - 1} {
			state := []byte(data)
			if n > len(state) {
				state = slices.Clone(done[:n])
			} else {
				copy(state, done[:n])
			}
			states = append(states, state)
		}
		for i, state := range states {
			f := workertest.File(t, "taken-up")
			if _, err := f.WriteAt(state, 0); err != nil {
				t.Fatal(err)
			}
			res, err := e.Worker.Finish(context.Background(), p, sig, f)
			if err != nil {
				t.Errorf("state %d: %v", i, err)
				continue
			}
			signed, err := os.ReadFile(f.Name())
			if err != nil || int64(len(signed)) != res.Size {
				t.Errorf("state %d: %d bytes, %+v, %v", i, len(signed), res, err)
			}
			if _, err := checkDetached(t, signed, "terms.txt", data); err != nil {
				t.Errorf("state %d: %v", i, err)
			}
		}
	}
}

// ADE-05: what the signer's app cannot show as text is not signed detached, and neither is XML that two readers could read in
// two ways.
func TestADE05DetachedRefusals(t *testing.T) {
	a := workertest.NewAuthority(t)
	e, chain, _ := longterm(t, a, "B-B", map[string]string{"signature_packaging": "DETACHED"})
	for name, data := range map[string]string{
		"empty": "", "binary": "a\x00b", "Latin-1": "caf\xe9", "escape": "a\x1b[2Jb", "a PDF": "text\n%PDF-1.7 \n", "document type": `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`,
		"two of an id": `<a Id="x"><b Id="x"/></a>`, "not closed": "<a>", "XML after spaces": " \n<!DOCTYPE a><a/>",
	} {
		in, out := input(data), workertest.File(t, "out")
		in.Chain, in.Alg = chain, algo.ES256
		if _, err := e.Worker.Prepare(context.Background(), in, out); !errors.Is(err, workers.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	in := input(terms)
	in.Chain, in.Alg, in.Name = chain, algo.ES256, ""
	if _, err := e.Worker.Prepare(context.Background(), in, workertest.File(t, "out")); !errors.Is(err, workers.ErrParams) {
		t.Errorf("without a name: %v", err)
	}
}
