package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"testing"
)

// twoPages is the data of an object stream: its first object is good when it is
// decrypted, and evil as it is.
func twoPages(c *crypt, num int, good, evil string) []byte {
	pad := func(b []byte) []byte {
		for len(b)%aes.BlockSize != 0 {
			b = append(b, ' ')
		}
		return b
	}
	iv := []byte(fmt.Sprintf("%-16s", fmt.Sprintf("%d 600", num)))
	enc := pad([]byte(fmt.Sprintf("%-16s", fmt.Sprintf("%d 0", num)) + good))
	cipher.NewCBCEncrypter(c.block, iv).CryptBlocks(enc, enc)
	data := append(iv, enc...)
	data = pad([]byte(fmt.Sprintf("%-616s%s ", data, evil)))
	// The last block decrypts to padding and nothing else.
	last := make([]byte, aes.BlockSize)
	for i, b := range data[len(data)-aes.BlockSize:] {
		last[i] = aes.BlockSize ^ b
	}
	c.block.Encrypt(last, last)
	return append(data, last...)
}

// D16, ADE-04: an object stream of a later revision that is encrypted for some readers
// and in clear for others (a /Crypt filter whose parameters stand where pdf.js, MuPDF and
// Poppler do not look) would show two pages; the comparison refuses it.
func TestADE04ObjectStreamInClearIsRefused(t *testing.T) {
	c, _ := (&lockSpec{}).make()
	plain := docSpec{pages: 2, form: "indirect", annots: "indirect"}
	spec := plain
	spec.kind, spec.packed, spec.lock = "stream", true, &lockSpec{}
	signed := sign(t, spec.build(), testOptions())
	evil := "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Resources << >> /Contents 151 0 R >>"
	data := twoPages(c, 22, plain.objects()[22], evil)
	for keys, bad := range map[string]bool{
		"": false,
		"/Filter /Crypt /DecodeParms [<< /Name /StdCF >>]":   true,
		"/Filter [/Crypt] /DecodeParms << /Name /StdCF >>":   true,
		"/Filter /Crypt /DecodeParms << /Name /StdCF >>":     true,
		"/Filter [/Crypt] /DecodeParms [<< /Name /StdCF >>]": true,
		"/Filter /Crypt": true,
	} {
		var b bytes.Buffer
		b.Write(signed)
		var rows []byte
		index := ""
		row := func(num, kind, a int) {
			index += fmt.Sprintf("%d 1 ", num)
			rows = append(rows, byte(kind), byte(a>>16), byte(a>>8), byte(a), 0)
		}
		row(22, 2, 150)
		row(150, 1, b.Len())
		fmt.Fprintf(&b, "150 0 obj\n<< /Type /ObjStm /N 1 /First 16 %s /Length %d >>\nstream\n%s\nendstream\nendobj\n", keys, len(data), data)
		row(151, 1, b.Len())
		fmt.Fprintf(&b, "151 0 obj\n%s\nendobj\n", c.sealBody(151, "<< /Length 1 >>\nstream\n0 0 m\nendstream"))
		start := b.Len()
		row(152, 1, start)
		fmt.Fprintf(&b, "152 0 obj\n<< /Type /XRef /Size 200 /W [1 3 1] /Index [%s] /Root 1 0 R /Info 5 0 R /ID [<0102> <0304>] /Encrypt 92 0 R /Prev %d /Length %d >>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n",
			index, newestOffset(t, signed), len(rows), rows, start)
		changes, err := open(t, b.Bytes()).LaterChanges(signatures(t, b.Bytes())[0])
		if bad != errors.Is(err, ErrUnsupported) || !bad && (err != nil || len(changes) != 1 || changes[0].Kind != ChangeUnused) {
			t.Errorf("%q: %+v, %v", keys, changes, err)
		}
	}
}

// The values of several keys are those that get finds one by one; a key that occurs twice is an error for both.
func TestSeveralValuesAreFoundInOneWalk(t *testing.T) {
	keys := []string{"A", "None", "B", "C D", "E"}
	for _, raw := range []string{"<< /A 1 /B [2 /A] /C#20D (x) /Z << /A 9 >> /E null >>", "<< /B 1 0 R>>", "<<>>", "<< /Z 1 /Z 2 /A /A >>"} {
		v := value{raw: []byte(raw), off: 7}
		got, err := v.values(keys...)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		for i, key := range keys {
			if want, err := v.get(key); err != nil || string(want.raw) != string(got[i].raw) || want.off != got[i].off {
				t.Errorf("%s: /%s is %q at %d, want %q at %d, %v", raw, key, got[i].raw, got[i].off, want.raw, want.off, err)
			}
		}
	}
	for _, raw := range []string{"<< /A 1 /B 2 /A 3 >>", "<< /B 1 /#42 1 >>", "<< /A 1", "[/A 1]"} {
		v := value{raw: []byte(raw)}
		if _, err := v.values(keys...); err == nil || !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
