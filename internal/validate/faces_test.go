package validate_test

import (
	"bytes"
	"crypto"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

const twoWays = "this file can be read in two ways"

// warned tells how many signatures are warned of.
func warned(rep *validate.Report) (n int) {
	for _, s := range rep.Signatures {
		if strings.Contains(strings.Join(s.Warnings, " "), twoWays) {
			n++
		}
	}
	return n
}

// ADE-04, D16: a file that readers took for different documents when somebody signed it is called so, in words, in JSON and on the
// page. The verdict is about the octets and stays.
func TestADE04AFileOfTwoFacesIsCalledSo(t *testing.T) {
	k := newKit(t)
	v := readPageVectors(t)
	judged := 0
	for _, c := range v.Odd {
		if !strings.Contains(c.Name, "(") {
			continue // nobody was seen to take it for another
		}
		f := v.file(c)
		if _, err := pdf.Prepare(t.Context(), bytes.NewReader(f), int64(len(f)), io.Discard, pdf.SignOptions{Time: time.Now(), Hash: crypto.SHA256, Reserve: 4096}); err != nil {
			continue // not by us; others may
		}
		rep := k.look(t, k.sign(t, f, true), k.trust())
		if judged++; rep.Verdict != validate.Valid || warned(rep) != 1 {
			t.Errorf("%s: %s, %v", c.Name, rep.Verdict, rep.Signatures)
		}
	}
	if judged < 25 {
		t.Errorf("only %d files could be signed", judged)
	}
	for _, c := range append(v.Sound, pageChange{}) {
		if rep := k.look(t, k.sign(t, v.file(c), true), k.trust()); rep.Verdict != validate.Valid || warned(rep) != 0 {
			t.Errorf("%s: %s, %v", c.Name, rep.Verdict, rep.Signatures)
		}
	}
	odd := k.sign(t, v.file(pageChange{Old: "/BaseFont", New: "/Encoding /WinAnsiEncoding /Encoding /MacRomanEncoding /BaseFont", Object: 7}), true)
	rep := k.look(t, odd, k.trust())
	var text, page bytes.Buffer
	must(t, rep.Print(&text))
	must(t, rep.HTML(&page))
	js, err := json.Marshal(rep)
	must(t, err)
	for name, b := range map[string][]byte{"text": text.Bytes(), "page": page.Bytes(), "JSON": js} {
		if !bytes.Contains(b, []byte(twoWays)) || !bytes.Contains(b, []byte("object 7")) {
			t.Errorf("not in the %s", name)
		}
	}
	if rep := k.look(t, k.sign(t, odd, true), k.trust()); warned(rep) != 2 {
		t.Errorf("two signatures: %v", rep.Signatures)
	}
}
