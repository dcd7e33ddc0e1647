package pdf

import (
	"bytes"
	"compress/lzw"
	"compress/zlib"
	"encoding/ascii85"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// ADE-04: what is drawn is decoded to what was written.
func TestADE04ContentsAreDecoded(t *testing.T) {
	chance := rand.New(rand.NewPCG(3, 4))
	for size := 1; size < 1<<16; size = size*3 + 1 {
		data := make([]byte, size)
		for i := range data {
			data[i] = "0123 .lmScq\n"[chance.IntN(12)]
		}
		var z bytes.Buffer
		w := lzw.NewWriter(&z, lzw.MSB, 8)
		_, err := w.Write(data)
		if err = firstError(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		if out, end, how := lzwDecode(z.Bytes(), false, 1<<20); !bytes.Equal(out, data) || end != z.Len() || how != lzwWhole {
			t.Errorf("LZW of %d: %d to %d of %d, %d", size, len(out), end, z.Len(), how)
		}
		var b85 bytes.Buffer
		e := ascii85.NewEncoder(&b85)
		_, err = e.Write(data)
		if err = firstError(err, e.Close()); err != nil {
			t.Fatal(err)
		}
		if out, err := ascii85Decode(append(b85.Bytes(), "~>"...)); err != nil || !bytes.Equal(out, data) {
			t.Errorf("base 85 of %d: %d, %v", size, len(out), err)
		}
		if out, err := hexDecode([]byte(strings.ToUpper(hex.EncodeToString(data)) + ">")); err != nil || !bytes.Equal(out, data) {
			t.Errorf("hexadecimal of %d: %d, %v", size, len(out), err)
		}
	}
	// The example of ISO 32000-2, 7.4.4.2.
	if out, _, how := lzwDecode([]byte{0x80, 0x0b, 0x60, 0x50, 0x22, 0x0c, 0x0c, 0x85, 0x01}, true, 100); string(out) != "-----A---B" || how != lzwWhole {
		t.Errorf("%q, %d", out, how)
	}
}

func deflated(t *testing.T, data []byte) string {
	t.Helper()
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, err := w.Write(data)
	if err = firstError(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return z.String()
}

// ADE-04: contents that come to more than is decoded are not examined, and not read to their end, be it one that is large or one
// that pages name again and again.
func TestADE04ContentsAreBounded(t *testing.T) {
	bomb, tenth := deflated(t, bytes.Repeat([]byte(" "), maxDrawn)), deflated(t, bytes.Repeat([]byte("q Q "), maxDrawn/40))
	for name, c := range map[string]struct {
		data, contents string
		want           bool
	}{
		"one":             {bomb, "4 0 R", true},
		"again":           {tenth, "[" + strings.Repeat("4 0 R ", 12) + "]", true},
		"an ordinary one": {tenth, "[" + strings.Repeat("4 0 R ", 4) + "]", false},
	} {
		page := strings.Replace(plainPage, "4 0 R", c.contents, 1)
		in := buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R >>", plainPages, page, fmt.Sprintf("<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", len(c.data), c.data))
		s, err := Inspect(bytes.NewReader(in), int64(len(in)), Limits{})
		if err != nil || s.Incomplete != c.want {
			t.Errorf("%s: %v, %v", name, s.Hazards(), err)
		}
	}
}

// I9: what a filter gives counts also where the next one throws it away: a stream of kilobytes, which comes to megabytes and then to
// nothing, is named by as many pages as there is room for.
func TestI9EachFilterOfAContentIsCharged(t *testing.T) {
	z := deflated(t, append([]byte{128}, bytes.Repeat([]byte(" "), maxDrawn*3/4)...))
	const pages = 100
	kids := make([]string, pages)
	objs := []string{"<< /Type /Catalog /Pages 2 0 R >>", "", fmt.Sprintf("<< /Filter [ /FlateDecode /RunLengthDecode ] /Length %d >>\nstream\n%s\nendstream", len(z), z)}
	for i := range kids {
		kids[i] = fmt.Sprintf("%d 0 R", 4+i)
		objs = append(objs, fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [ 0 0 9 9 ] /Contents [ %s] >>", strings.Repeat("3 0 R ", i+1)))
	}
	objs[1] = fmt.Sprintf("<< /Type /Pages /Count %d /Kids [ %s ] >>", pages, strings.Join(kids, " "))
	in := buildPDF("/Root 1 0 R", objs...)
	s, err := Inspect(bytes.NewReader(in), int64(len(in)), Limits{})
	if err != nil || !s.Incomplete {
		t.Errorf("%d bytes that come to %d GiB: %v, %v", len(in), int64(maxDrawn)*3/4*pages*pages/2>>30, s.Hazards(), err)
	}
}

// ADE-04: looking through a content takes time in proportion to its length, whatever it holds.
func TestADE04ContentsTakeLinearTime(t *testing.T) {
	for _, piece := range []string{"BI /W 1 /H 1 ID a EI ", "BI /W 1 /H 1 /F /Fl ID a EI ", "( EI ", "[ ", "% EI ", "/A ", "BI /W 1 /H 1 /F /AHx ID 00", "BI /W 1048576 /H 9 ID ", " EI\n\x80"} {
		b := []byte(strings.Repeat(piece, (1<<20)/len(piece)))
		func() {
			defer timed(t)()
			oddDrawn(b, nil)
			oddDrawn(append([]byte("BI /W 1 /H 1 /F /CCF ID "), b...), []int{1 << 19})
		}()
	}
}

// D12, ADE-04: whatever a content holds, looking through it ends; the first joint is of no account where readers would see the same octets.
func FuzzContent(f *testing.F) {
	for _, s := range []string{"q 1 0 0 1 0 0 cm BT /F1 9 Tf [(a) 1 <62>] TJ ET Q", "BI /W 3 /H 1 /BPC 8 /CS /G ID abc\nEI Q",
		"1 beginbfrange <00> <ffff> <0041> endbfrange 1 beginbfrange <00> <09> [<0041>] endbfrange 1 beginbfchar <01> <0042> endbfchar", "BI /W 1 /H 1 /F [/A85 /Fl] ID GhQ7c~>\nEI", "/P << /X [ true ] >> BDC EMC % end", "BI /W 9 /F /LZW /H 9 ID \x80\x0b\x60 EI", "BI /W 9 /F /DCT /H 9 ID \xff\xd8\xff\xd9 EI"} {
		f.Add([]byte(s), 3)
		f.Add([]byte(s), len(s)-2)
	}
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		defer timed(t)()
		whole := oddDrawn(b, nil)
		if again := oddDrawn(bytes.Clone(b), nil); again != whole {
			t.Errorf("%q, then %q", whole, again)
		}
		if at > 0 && at < len(b) {
			joined := append(append(bytes.Clone(b[:at]), '\n'), b[at:]...)
			if oddDrawn(joined, nil) != "" && oddDrawn(joined, []int{at}) == "" {
				t.Error("sound in two streams, and not in one")
			}
		}
		_, _, _ = lzwDecode(b, true, 1<<16)
		_, _ = inflateAll(b, 1<<16)
		_ = runLengthDecode(b, 1<<16)
		_ = readUnicodeMap(b)
	})
}
