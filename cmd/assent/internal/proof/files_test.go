package proof_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/internal/validate"
)

func given(pairs ...string) (out []validate.Detached) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, validate.Detached{Name: pairs[i], ReaderAt: strings.NewReader(pairs[i+1]), Size: int64(len(pairs[i+1]))})
	}
	return out
}

// AUD-11: a receipt of one signature over several files holds for all of them in any order, tells which were not given, and
// holds for none that was swapped, renamed, changed, put in or given twice.
func TestAUD11ReceiptOverSeveralFiles(t *testing.T) {
	a := newXMLAct(t, severalFiles)
	verify := func(pairs ...string) (*proof.Result, error) {
		return proof.VerifyFiles(t.Context(), a.receipt, given(pairs...), &a.sam.PublicKey)
	}
	for _, files := range [][]string{{"invoice.xml", invoice, "b.txt", "second", "c.txt", "third"}, {"c.txt", "third", "invoice.xml", invoice, "b.txt", "second"}} {
		res, err := verify(files...)
		if err != nil {
			t.Fatal(err)
		}
		var words strings.Builder
		if err := res.Print(&words); err != nil {
			t.Fatal(err)
		}
		if res.Name != "invoice.xml" || len(res.More) != 2 || res.More[1].Name != "c.txt" || len(res.Missing) != 0 || !res.Shown || res.InFile == "" || !strings.Contains(words.String(), "b.txt, under the same signature") {
			t.Errorf("%+v\n%s", res, &words)
		}
	}
	if res, err := verify("c.txt", "third", "b.txt", "second"); err != nil || res.Name != "b.txt" || !slices.Equal(res.Missing, []string{"invoice.xml"}) {
		t.Errorf("one left out: %+v, %v", res, err)
	}
	if res, err := verify("any name", "second"); err != nil || res.Name != "b.txt" || !slices.Equal(res.Missing, []string{"invoice.xml", "c.txt"}) {
		t.Errorf("one alone: %+v, %v", res, err)
	}
	for name, c := range map[string]struct {
		files []string
		want  error
	}{
		"swapped": {[]string{"invoice.xml", "second", "b.txt", invoice}, proof.ErrChanged},
		"renamed": {[]string{"invoice.xml", invoice, "d.txt", "second"}, proof.ErrFile},
		"changed": {[]string{"invoice.xml", invoice, "b.txt", "second "}, proof.ErrChanged},
		"put in":  {[]string{"invoice.xml", invoice, "d.txt", "fourth"}, proof.ErrFile},
		"doubled": {[]string{"b.txt", "second", "b.txt", "second"}, proof.ErrFile},
	} {
		if _, err := verify(c.files...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := newXMLAct(t, "enveloped")
	if _, err := proof.VerifyFiles(t.Context(), b.receipt, given("a", "x", "b", "y"), &b.sam.PublicKey); !errors.Is(err, proof.ErrFile) {
		t.Errorf("of another form: %v", err)
	}
}
