package validate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/conformance/judge"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/validate"
)

// Our verdict and the judges' verdicts about a good file agree.
func TestGoodFileIsValidForUsAndForTheJudges(t *testing.T) {
	for _, tool := range []string{"pdfsig", "qpdf", "openssl"} {
		testenv.Need(t, tool)
	}
	k := newKit(t)
	root := write(t, "root.pem", certs.EncodePEM(k.ca.Root.Raw))
	for _, stamped := range []bool{false, true} {
		signed := k.sign(t, contract(), stamped)
		rep := k.look(t, signed, k.trust())
		if rep.Verdict != validate.Valid || len(rep.Signatures) != 1 {
			t.Fatalf("stamped=%v: %+v", stamped, rep)
		}
		s := rep.Signatures[0]
		if !s.Whole || s.Signer != "DEMO Anna Demo" || (s.Proven != nil) != stamped || len(s.Chain) != 3 {
			t.Errorf("stamped=%v: %+v", stamped, s)
		}
		file := write(t, "signed.pdf", signed)
		all := []func(context.Context) (judge.Verdict, error){
			func(ctx context.Context) (judge.Verdict, error) { return judge.PDFSig(ctx, file) },
			func(ctx context.Context) (judge.Verdict, error) { return judge.QPDF(ctx, file) },
			func(ctx context.Context) (judge.Verdict, error) { return judge.CMS(ctx, file, root) },
		}
		if stamped {
			all = append(all, func(ctx context.Context) (judge.Verdict, error) { return judge.TimeStamp(ctx, file, root) })
		}
		for _, ask := range all {
			v, err := ask(t.Context())
			if err != nil || !v.OK || v.Version == "" {
				t.Errorf("stamped=%v: %+v %v", stamped, v, err)
			}
		}
	}
}

// A judge that always agrees proves nothing: each must refuse a changed file.
func TestJudgesRefuseAChangedFile(t *testing.T) {
	for _, tool := range []string{"pdfsig", "qpdf", "openssl"} {
		testenv.Need(t, tool)
	}
	k, other := newKit(t), newKit(t)
	signed := k.sign(t, contract(), true)
	changed := bytes.Replace(signed, []byte("240 euros"), []byte("999 euros"), 1)
	if bytes.Equal(changed, signed) {
		t.Fatal("nothing was changed")
	}
	file := write(t, "changed.pdf", changed)
	root := write(t, "root.pem", certs.EncodePEM(k.ca.Root.Raw))
	foreign := write(t, "foreign.pem", certs.EncodePEM(other.ca.Root.Raw))
	appended := write(t, "appended.pdf", append(bytes.Clone(signed), "% more\n%%EOF\n"...))
	cut := write(t, "cut.pdf", signed[:len(signed)-40])
	for name, ask := range map[string]func(context.Context) (judge.Verdict, error){
		"pdfsig, changed":   func(ctx context.Context) (judge.Verdict, error) { return judge.PDFSig(ctx, file) },
		"pdfsig, appended":  func(ctx context.Context) (judge.Verdict, error) { return judge.PDFSig(ctx, appended) },
		"qpdf, cut":         func(ctx context.Context) (judge.Verdict, error) { return judge.QPDF(ctx, cut) },
		"cms, changed":      func(ctx context.Context) (judge.Verdict, error) { return judge.CMS(ctx, file, root) },
		"cms, foreign root": func(ctx context.Context) (judge.Verdict, error) { return judge.CMS(ctx, file, foreign) },
		"ts, foreign root":  func(ctx context.Context) (judge.Verdict, error) { return judge.TimeStamp(ctx, file, foreign) },
		"pdfsig, not signed": func(ctx context.Context) (judge.Verdict, error) {
			return judge.PDFSig(ctx, write(t, "c.pdf", contract()))
		},
		"cms, no PDF signature": func(ctx context.Context) (judge.Verdict, error) {
			return judge.CMS(ctx, write(t, "c.pdf", contract()), root)
		},
	} {
		if v, err := ask(t.Context()); err == nil && v.OK {
			t.Errorf("%s: the judge agreed: %+v", name, v)
		} else if err != nil && !errors.Is(err, judge.ErrNoSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pdfsign's verifier is a judge in a process of its own.
func TestPDFSignJudgeAgreesAndRefuses(t *testing.T) {
	goTool := testenv.Need(t, "go")
	program := filepath.Join(t.TempDir(), "pdfsignjudge")
	testenv.BuiltFrom(t, "./conformance/cmd/pdfsignjudge")
	build := exec.Command(goTool, "-C", testenv.Root(), "build", "-o", program, "./conformance/cmd/pdfsignjudge")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	k := newKit(t)
	signed := k.sign(t, contract(), true)
	v, err := judge.PDFSign(t.Context(), program, write(t, "a.pdf", signed))
	if err != nil || !v.OK || !strings.Contains(v.Words, "valid=true time-stamp=valid") {
		t.Errorf("good file: %+v %v", v, err)
	}
	changed := bytes.Replace(signed, []byte("240 euros"), []byte("999 euros"), 1)
	if v, err = judge.PDFSign(t.Context(), program, write(t, "b.pdf", changed)); err != nil || v.OK {
		t.Errorf("changed file: %+v %v", v, err)
	}
}

// What is wrong is named, and the verdict follows (D16: later changes too).
func TestVerdicts(t *testing.T) {
	k, other := newKit(t), newKit(t)
	plain, stamped := k.sign(t, contract(), false), k.sign(t, contract(), true)
	twice := k.sign(t, stamped, true)
	mixed := other.sign(t, stamped, true)
	year := func(n int) validate.Options {
		return validate.Options{Anchors: k.anchors(), Now: time.Now().AddDate(n, 0, 0)}
	}
	for _, c := range []struct {
		name string
		file []byte
		opt  validate.Options
		want validate.Verdict
		say  string
	}{
		{"no signature", contract(), k.trust(), validate.Unsigned, "no signature in the file"},
		{"no trust", plain, validate.Options{}, validate.Indeterminate, "--trust"},
		{"foreign trust", plain, other.trust(), validate.Indeterminate, "does not lead to a trusted one"},
		{"changed byte", bytes.Replace(plain, []byte("240 euros"), []byte("999 euros"), 1), k.trust(), validate.NotValid, "changed after signing"},
		{"expired, B-B", plain, year(2), validate.Indeterminate, "has expired"},
		{"expired, B-T", stamped, year(2), validate.Valid, "proven by a time-stamp"},
		{"expired, its time-stamp too", stamped, year(5), validate.Indeterminate, "proves nothing any more"},
		{"two signatures", twice, k.trust(), validate.Valid, "signature 2 of 2: valid"},
		{"second signer not trusted", mixed, k.trust(), validate.Indeterminate, "signature 2 of 2: cannot be decided"},
		{"bytes behind the end", append(bytes.Clone(plain), "% hello\n"...), k.trust(), validate.NotValid, "nobody signed the change"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rep := k.look(t, c.file, c.opt)
			var words bytes.Buffer
			must(t, rep.Print(&words))
			if rep.Verdict != c.want || !strings.Contains(words.String(), c.say) {
				t.Errorf("verdict %q, want %q; words (want %q):\n%s", rep.Verdict, c.want, c.say, words.String())
			}
			if _, err := json.Marshal(rep); err != nil {
				t.Error(err)
			}
		})
	}
}

// No single changed byte of a signed file passes, wherever it is; one of the time-stamp over the signature takes that away, and is told.
func TestEveryChangedByteShows(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, contract(), true)
	step := max(1, len(signed)/400)
	for i := 0; i < len(signed); i += step {
		b := bytes.Clone(signed)
		b[i] ^= 0x04
		rep, err := validate.File(t.Context(), "x", bytes.NewReader(b), int64(len(b)), k.trust())
		if err == nil && rep.Verdict == validate.Valid && !sameMessage(t, signed, b) && !tokenLost(&rep.Signatures[0]) {
			t.Fatalf("byte %d of %d changed and the verdict is still valid: %+v", i, len(signed), rep.Signatures)
		}
	}
}

// tokenLost tells whether a signature that carries a time-stamp is said to have none that holds, and that one is there: nobody signed the token.
func tokenLost(s *validate.Signature) bool {
	return s.Proven == nil && s.Level == "B-B" && len(s.Warnings) == 1 && len(s.Stamps) == 0
}

// sameMessage tells whether both files state the same: only octets within /Contents
// differ, and there none of what anybody signed. The letter case of a hexadecimal digit
// means nothing; version, the list of digests and the names of unsigned attributes
// vouch for nothing (a time-stamp that is not found any more lowers the level).
func sameMessage(t *testing.T, a, b []byte) bool {
	t.Helper()
	ca, cb := contents(t, a), contents(t, b)
	if bytes.Equal(ca, cb) {
		return true
	}
	hole := func(f []byte) []byte {
		i := bytes.Index(f, []byte("/Contents <"))
		return slices.Concat(f[:i], f[i+bytes.IndexByte(f[i:], '>'):])
	}
	was, now := signedParts(ca), signedParts(cb)
	return bytes.Equal(hole(a), hole(b)) && len(now) >= 2 && len(now) <= len(was) && slices.EqualFunc(was[:len(now)], now, bytes.Equal)
}

// signedParts are the signed attributes and the value, of the signature and of its
// time-stamps.
func signedParts(contents []byte) [][]byte {
	sd, _, err := cms.ParsePadded(contents)
	if err != nil {
		return nil
	}
	si, err := sd.Signer()
	if err != nil {
		return nil
	}
	out := [][]byte{fmt.Append(nil, si.SignedAttrs), si.Signature}
	for _, token := range si.TimeStampTokens() {
		out = append(out, signedParts(token)...)
	}
	return out
}

func contents(t *testing.T, b []byte) []byte {
	d, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Limits{})
	must(t, err)
	sigs, err := d.Signatures()
	must(t, err)
	if len(sigs) != 1 {
		return nil
	}
	return sigs[0].Contents
}

// Text of the file cannot steer the reader's terminal.
func TestPrintHidesControlCharacters(t *testing.T) {
	rep := validate.Report{File: "a\x1b[2Jb.pdf", Verdict: validate.NotValid, Signatures: []validate.Signature{{
		Kind: "signature", Reason: "x\u202egnp", Signer: "A\x07B", Verdict: validate.NotValid}}}
	var out bytes.Buffer
	must(t, rep.Print(&out))
	if strings.ContainsAny(out.String(), "\x1b\x07\u202e") {
		t.Errorf("%q", out.String())
	}
}

// FuzzFile: any bytes end in a report or an error, never a panic, and a file
// that is not what was signed is never valid.
func FuzzFile(f *testing.F) {
	k := newKit(f)
	signed := k.sign(f, contract(), true)
	f.Add(contract())
	f.Add(signed)
	f.Add(signed[:len(signed)/2])
	f.Add([]byte(invoice))
	f.Fuzz(func(t *testing.T, b []byte) {
		rep, err := validate.File(t.Context(), "fuzz", bytes.NewReader(b), int64(len(b)), k.trust())
		if err != nil {
			return
		}
		if rep.Verdict == validate.Valid && !bytes.Contains(b, signed[:1000]) {
			t.Errorf("valid: %q", b)
		}
	})
}
