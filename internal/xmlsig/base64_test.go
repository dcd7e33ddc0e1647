package xmlsig

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// What the text of an element stands for comes out, however the canonical form is cut, with white space
// anywhere.
func TestBase64OfAnElement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data")
		text := []byte(`<o a="<>&quot;" b=">">`)
		for _, c := range []byte(base64.StdEncoding.EncodeToString(data)) {
			text = append(text, c)
			if rapid.IntRange(0, 9).Draw(t, "space") == 0 {
				text = append(text, '\n')
			}
		}
		text = append(text, "</o>"...)
		var out bytes.Buffer
		d := &decoder{w: &out}
		for rest := text; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			if m, err := d.Write(rest[:n]); m != n || err != nil {
				t.Fatal(m, err)
			}
			rest = rest[n:]
		}
		if err := d.done(); err != nil || !bytes.Equal(out.Bytes(), data) {
			t.Fatalf("%q: %x, %v", text, out.Bytes(), err)
		}
	})
}

// ADE-05: other elements, processing instructions, other text, and text behind the padding are refused:
// two readers could find two files in it.
func TestADE05Base64HasOneReading(t *testing.T) {
	for _, text := range []string{"<o>AAA</o>", "<o>AAAA<b></b></o>", "<o><b>AAAA</b></o>", "<o>AA==AAAA</o>", "<o>AA=A</o>", "<o>AB==</o>", "<o>AA&amp;A</o>", "<o>AA\u00a0AA</o>", "<o>AAAA<?x y?></o>", "<o>-_-_</o>", "<o"} {
		for cut := range len(text) {
			d := &decoder{w: &bytes.Buffer{}}
			_, _ = d.Write([]byte(text[:cut]))
			_, _ = d.Write([]byte(text[cut:]))
			if err := d.done(); !errors.Is(err, ErrStructure) {
				t.Errorf("%s cut at %d: %v", text, cut, err)
			}
		}
	}
}
