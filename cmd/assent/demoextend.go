package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/validate"
)

// What the demo extends: a file at B-B, and one at B-LTA, whose archive time-stamp is renewed.
const (
	extendedPDF = "contract-extended.pdf"
	renewedXML  = "invoice-renewed.xml"
)

// signedName is the file of a signed document: a detached signature of a text is XML.
func signedName(name, of string) string {
	if packaging(of) != "" {
		return name + ".xml"
	}
	return name + filepath.Ext(of)
}

func packaging(of string) string {
	if filepath.Ext(of) == ".txt" {
		return "detached"
	}
	return ""
}

func (d *demo) signDetached(ctx context.Context) (string, error) {
	return d.sign(ctx, d.soft, d.anna, "B-LTA", "terms.txt", detachedXML)
}

// extend runs "assent extend" against the demo's own time-stamp authority and CA.
func (d *demo) extend(ctx context.Context) (string, error) {
	for _, f := range []struct{ in, out string }{{"contract-signed-bb.pdf", extendedPDF}, {longTermXML + ".xml", renewedXML}} {
		var words bytes.Buffer
		c := newRoot()
		c.SetArgs([]string{"extend", d.path(f.in), "-o", d.path(f.out), "--level", "B-LTA", "--anchor", d.path("pki/root.pem"),
			"--tsa", d.soft.settings.AppOrigin + "/tsa", "--revocation-addresses", "127.0.0.0/8"})
		c.SetOut(&words)
		c.SetErr(&words)
		if err := c.ExecuteContext(ctx); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", f.in, err, &words)
		}
	}
	return rel(d.path(extendedPDF)) + ", " + rel(d.path(renewedXML)), nil
}

// judgeDetached asks about a detached signature with its file beside it, which it is over, and with another.
func (d *demo) judgeDetached(ctx context.Context, name string, _ bool, original []byte) []judge.Verdict {
	file, root := d.path(name), d.path("pki/root.pem")
	beside := func(b []byte) validate.Detached {
		return validate.Detached{Name: "terms.txt", ReaderAt: bytes.NewReader(b), Size: int64(len(b))}
	}
	return askAll([]func() (judge.Verdict, error){
		func() (judge.Verdict, error) { return judge.XMLLint(ctx, file) },
		func() (judge.Verdict, error) { return judge.XMLSec(ctx, file, root) },
		func() (judge.Verdict, error) { return longTermVerdict(ctx, file, root, 1, beside(original)) },
		func() (judge.Verdict, error) {
			v, err := longTermVerdict(ctx, file, root, 1, beside(bytes.Replace(original, []byte("240"), []byte("999"), 1)))
			v.Judge, v.OK = "assent verify, 240 is 999", err == nil && strings.HasPrefix(v.Words, string(validate.NotValid))
			if v.OK {
				v.Words = "not valid, as it must be"
			}
			return v, err
		},
	})
}

// judgeExtended asks about what was extended: the level, and that the file from before is in it.
func (d *demo) judgeExtended(ctx context.Context) iter.Seq2[string, []judge.Verdict] {
	root := d.path("pki/root.pem")
	return func(yield func(string, []judge.Verdict) bool) {
		file := d.path(extendedPDF)
		if !yield(extendedPDF, askAll([]func() (judge.Verdict, error){
			func() (judge.Verdict, error) { return judge.QPDF(ctx, file) },
			func() (judge.Verdict, error) { return judge.DocTimeStamp(ctx, file, root) },
			// There is no room in its signature: one document time-stamp proves the time, and one is over everything.
			func() (judge.Verdict, error) { return longTermVerdict(ctx, file, root, 2) },
			func() (judge.Verdict, error) { return d.prefixOf("contract.pdf", file) },
		})) {
			return
		}
		file = d.path(renewedXML)
		yield(renewedXML, askAll([]func() (judge.Verdict, error){
			func() (judge.Verdict, error) { return judge.XMLLint(ctx, file) },
			func() (judge.Verdict, error) { return judge.XMLSec(ctx, file, root) },
			func() (judge.Verdict, error) { return longTermVerdict(ctx, file, root, 2) },
			func() (judge.Verdict, error) {
				original, err := os.ReadFile(d.path("invoice.xml"))
				v, err2 := aroundVerdict(file, original)
				return v, errors.Join(err, err2)
			},
		}))
	}
}

func (d *demo) prefixOf(of, file string) (judge.Verdict, error) {
	original, err := os.ReadFile(d.path(of))
	v, err2 := prefixVerdict(file, original)
	return v, errors.Join(err, err2)
}
