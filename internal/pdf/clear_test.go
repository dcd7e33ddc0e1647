package pdf

import (
	"bytes"
	"crypto/cipher"
	"fmt"
	"strings"
	"testing"
)

// clearAndLocked is stream data that says one thing in clear and another when it is decrypted.
func clearAndLocked(c *crypt, clear, locked string) []byte {
	clear += strings.Repeat(" ", 64-len(clear)%64+1)
	clear = clear[:len(clear)-1] + "%"
	for len(clear)%16 != 0 {
		clear += "%"
	}
	plain := []byte("\n\n\n" + locked)
	n := 16 - len(plain)%16
	plain = append(plain, bytes.Repeat([]byte{byte(n)}, n)...)
	out := append([]byte(clear), make([]byte, 16)...)
	copy(out[len(clear):], "%%%%%%%%%%%%%%%%")
	iv := out[len(out)-16:]
	enc := make([]byte, len(plain))
	cipher.NewCBCEncrypter(c.block, iv).CryptBlocks(enc, plain)
	return append(out, enc...)
}

const clearPage = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Resources << /Font << /F1 98 0 R >> >> /Annots 10 0 R /Contents 21 0 R >>"

func withContent(t *testing.T, l *lockSpec, keys string, data []byte, more map[int]string) []byte {
	t.Helper()
	in := lockedTable(l).build()
	objs := map[int]string{
		20: clearPage, 98: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
		21: fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", keys, len(data), data),
	}
	for n, o := range more {
		objs[n] = o
	}
	return appendUpdate(in, newestOffset(t, in), "/Size 200 /Root 1 0 R /ID [<0102> <0304>] /Encrypt 92 0 R", objs)
}

// ADE-04: content that some reader shows in clear is named as such, whatever way it has
// out of the encryption: parameters of a crypt filter that some readers pass over, a
// cross-reference stream that is none, metadata that is drawn. A key by which some decode
// a stream and others do not makes the look incomplete.
func TestADE04ContentInClearIsNamed(t *testing.T) {
	c, _ := (&lockSpec{}).make()
	const clear, locked = "BT /F1 11 Tf 20 60 Td (CLEAR) Tj ET", "BT /F1 11 Tf 20 60 Td (LOCKED) Tj ET"
	two := clearAndLocked(c, clear, locked)
	odd := []byte(clear + " ")
	catalog := c.sealBody(1, strings.Replace(lockedTable(nil).objects()[1], "/Type", "/Metadata 21 0 R /Type", 1))
	for _, x := range []struct {
		name, keys string
		lock       lockSpec
		data       []byte
		more       map[int]string
	}{
		{"parms-array", "/Filter /Crypt /DecodeParms [<< /Name /StdCF >>]", lockSpec{}, two, nil},
		{"parms-dict", "/Filter [/Crypt] /DecodeParms << /Name /StdCF >>", lockSpec{}, two, nil},
		{"xref", "/Type /XRef", lockSpec{}, odd, nil},
		{"metadata-type", "/Type /Metadata /Subtype /XML", lockSpec{clearMetadata: true}, two, nil},
		{"metadata-root", "/Type /Metadata /Subtype /XML", lockSpec{clearMetadata: true}, odd, map[int]string{1: catalog}},
		{"dp", "/DP << /Predictor 12 >>", lockSpec{}, c.sealData(ref{num: 21}, []byte(locked)), nil},
		{"f", "/F null", lockSpec{}, c.sealData(ref{num: 21}, []byte(locked)), nil},
		{"metadata-root-two", "/Type /Metadata /Subtype /XML", lockSpec{clearMetadata: true}, two, map[int]string{1: catalog}},
	} {
		b := withContent(t, &x.lock, x.keys, x.data, x.more)
		s, err := Inspect(bytes.NewReader(b), int64(len(b)), Limits{})
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
		} else if !s.PartlyEncrypted && !s.Incomplete {
			t.Errorf("%s: not named: %v incomplete %v", x.name, s.Hazards(), s.Incomplete)
		}
	}
}
