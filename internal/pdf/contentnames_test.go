package pdf

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func facesOf(t *testing.T, in []byte) Summary {
	t.Helper()
	s, err := Inspect(bytes.NewReader(in), int64(len(in)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func drawing(dict, content string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(content), content)
}

const (
	fontPage  = "<< /Type /Page /Parent 2 0 R /MediaBox [ 0 0 9 9 ] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
	plainRoot = "<< /Type /Catalog /Pages 2 0 R >>"
	onePage   = "<< /Type /Pages /Count 1 /Kids [ 3 0 R ] >>"
)

// ADE-04: a file that readers show in different ways is called so, with the reason where there is one, and not one that could not be
// examined.
func TestADE04TwoFacesHaveTheirOwnWords(t *testing.T) {
	for content, want := range map[string]string{
		"BT /F9 9 Tf (a) Tj ET":      "signer (a name that the resources do not have (Font /F9)).",
		"BT /F1 9 Tf (\xe4) Tj ET":   "signer (" + notEncoded + ").",
		"BT /F1 9 Tf 9 Tr (a) Tj ET": "signer (a text that is to be drawn in a way that does not exist).",
		"BT /F1 9 Tf (a) Tj ET":      "",
	} {
		in := buildPDF("/Root 1 0 R", plainRoot, onePage, fontPage, drawing("", content), "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
		s := facesOf(t, in)
		words := strings.Join(s.Hazards(), " ")
		if s.Incomplete || s.Twofaced != (want != "") || !strings.HasSuffix(words, want) || strings.Contains(words, "examined") {
			t.Errorf("%q: %q", content, words)
		}
		d, err := Open(bytes.NewReader(in), int64(len(in)), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		why, err := d.Faces(d.Size())
		if err != nil || (len(why) > 0) != s.Twofaced || s.Twofaced && !strings.Contains(why[0], s.Why) {
			t.Errorf("%q: %q, %v", content, why, err)
		}
	}
	damaged := buildPDF("/Root 1 0 R", plainRoot, onePage, strings.Replace(fontPage, "4 0 R", "[ 4 0 R 4 0 R ]", 1),
		drawing("", strings.Repeat(" ", maxDrawn/2)), "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	if s := facesOf(t, damaged); !s.Incomplete || s.Twofaced {
		t.Errorf("too large: %v", s.Hazards())
	}
}

// I9, ADE-04: contents with many names, shared by many pages, forms that draw each other, and fields with large looks take bounded time.
func TestI9NamesAndFieldsAreBounded(t *testing.T) {
	var names, fonts strings.Builder
	for i := range mostNames - 1 {
		fmt.Fprintf(&names, "/N%d gs ", i)
		fmt.Fprintf(&fonts, "/N%d 5 0 R ", i)
	}
	const pages = 3000
	objs := []string{plainRoot, "", "<< /ExtGState << " + fonts.String() + " >> >>", drawing("", names.String()), "<< /CA 1 >>"}
	var kids strings.Builder
	for i := range pages {
		fmt.Fprintf(&kids, "%d 0 R ", len(objs)+1)
		objs = append(objs, fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [ 0 0 9 %d ] /Contents 4 0 R /Resources 3 0 R >>", 9+i))
	}
	objs[1] = fmt.Sprintf("<< /Type /Pages /Count %d /Kids [ %s ] >>", pages, kids.String())
	forms := []string{plainRoot, onePage, "<< /Type /Page /Parent 2 0 R /MediaBox [ 0 0 9 9 ] /Contents 4 0 R /Resources << /XObject << @ >> >> >>", drawing("", "/X5 Do")}
	var drawn, named strings.Builder
	for i := 5; i < 200; i++ {
		fmt.Fprintf(&drawn, "/X%d Do ", i)
		fmt.Fprintf(&named, "/X%d %d 0 R ", i, i)
	}
	for range 195 {
		forms = append(forms, drawing("/Subtype /Form /BBox [ 0 0 9 9 ]", drawn.String()))
	}
	forms[2] = strings.Replace(forms[2], "@", named.String(), 1)
	ranges := drawing("", strings.Repeat("1 beginbfrange <0000> <ffffffff> <0041> endbfrange ", 1000))
	for name, in := range map[string][]byte{
		"names": buildPDF("/Root 1 0 R", objs...),
		"forms": buildPDF("/Root 1 0 R", forms...),
		"ranges": buildPDF("/Root 1 0 R", plainRoot, onePage, strings.Replace(fontPage, "/Contents", "/Annots [ 6 0 R ] /Contents", 1), drawing("", ""),
			"<< /Type /Font /Subtype /Type3 /ToUnicode 8 0 R >>", "<< /Subtype /Widget /Rect [ 0 0 9 9 ] /FT /Tx /V (a) /AP << /N 7 0 R >> >>",
			drawing("/Subtype /Form /BBox [ 0 0 9 9 ] /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Foo /ToUnicode 8 0 R >> >> >>", "BT /F1 9 Tf (a) Tj ET"), ranges),
	} {
		func() {
			defer timed(t)()
			if s := facesOf(t, in); !s.Twofaced && !s.Incomplete {
				t.Errorf("%s: %v", name, s.Hazards())
			}
		}()
	}
}

// ADE-04: a map of characters is read as it is written, and one that is too large is none.
func TestADE04MapsOfCharactersAreRead(t *testing.T) {
	m := readUnicodeMap([]byte("/X 12 dict begin 1 begincodespacerange <0000> <ffff> endcodespacerange 2 beginbfchar <0001> <0041> <0002> <00660069> endbfchar " +
		"2 beginbfrange <0010> <0012> <0061> <0020> <0021> [ <0391> <0392> ] endbfrange"))
	if text, ok := m.text([]byte("\x00\x01\x00\x02\x00\x10\x00\x12\x00\x20\x00\x21"), 2); text != "AfiacΑΒ" || !ok {
		t.Errorf("%q, %v", text, ok)
	}
	for _, in := range []string{"\x00\x03", "\x00", "\x00\x01\x00"} {
		if text, ok := m.text([]byte(in), 2); ok {
			t.Errorf("%q: %q", in, text)
		}
	}
	if m := readUnicodeMap([]byte("1 beginbfrange <00> <fffffff0> <0041> endbfrange")); m != nil {
		t.Errorf("%d characters", len(m))
	}
}
