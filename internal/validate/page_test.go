package validate_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/validate"
)

// The page shows what was covered, of PDF and of XML, and holds nothing that runs or loads.
func TestPageShowsWhatWasCovered(t *testing.T) {
	k := newKit(t)
	pdf := k.sign(t, k.sign(t, contract(), true), true)
	for name, file := range map[string][]byte{"pdf": pdf, "xml": k.signXML(t, invoice, "s1", false, true)} {
		rep := k.look(t, file, k.trust())
		var out bytes.Buffer
		must(t, rep.HTML(&out))
		for _, s := range rep.Signatures {
			if len(s.Parts) == 0 {
				t.Errorf("%s: nothing is said to be covered", name)
			}
			for _, p := range s.Parts {
				if !strings.Contains(out.String(), fmt.Sprintf("bytes %d to %d: ", p.Start, p.End)) {
					t.Errorf("%s: %+v is not shown", name, p)
				}
			}
		}
		if !strings.Contains(out.String(), "TOTAL-PASSED") || !strings.Contains(out.String(), rep.SHA256) {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}

// Text of a hostile file stays text: the page has the same tags and attributes whatever it is.
func TestPageEscapes(t *testing.T) {
	page := func(text string) string {
		rep := validate.Report{File: text, Format: "PDF", Size: 10, Notes: []string{text}, Signatures: []validate.Signature{{
			Kind: "signature", Field: text, Signer: text, Issuer: text, Reason: text, Location: text, Level: text, Algorithm: text, Chain: []string{text},
			Later: []string{text}, Why: []string{text}, Revocation: text, Parts: []validate.Part{{Start: -5, End: 99, Words: text}},
			Stamps: []validate.Stamp{{Authority: text, Serial: text}}}}}
		var out strings.Builder
		must(t, rep.HTML(&out))
		return out.String()
	}
	harmless, hostile := page("x"), page(`"><script src=//x>alert(1)</script><img onerror='a'>`+"\u202e\x1b")
	for _, mark := range []string{"<", ">", `"`, "'"} {
		if strings.Count(harmless, mark) != strings.Count(hostile, mark) {
			t.Errorf("%d %s instead of %d", strings.Count(hostile, mark), mark, strings.Count(harmless, mark))
		}
	}
	if strings.ContainsAny(hostile, "\u202e\x1b") {
		t.Error("a control character is shown")
	}
}
