package signer_test

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
)

// makePDF writes a small PDF with one line of text on each page, in Helvetica,
// which is not embedded.
func makePDF(lines ...string) []byte {
	var b bytes.Buffer
	var at []int
	obj := func(format string, args ...any) {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(at), fmt.Sprintf(format, args...))
	}
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	var kids []string
	for i := range lines {
		kids = append(kids, fmt.Sprintf("%d 0 R", 4+2*i))
	}
	obj("<< /Type /Catalog /Pages 2 0 R >>")
	obj("<< /Type /Pages /Kids [%s] /Count %d >>", strings.Join(kids, " "), len(lines))
	obj("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	for i, l := range lines {
		obj("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>", 5+2*i)
		s := fmt.Sprintf("BT /F1 28 Tf 60 760 Td (%s) Tj ET\nBT /F1 12 Tf 60 720 Td (Page %d. The rent is 900 EUR a month, payable in advance.) Tj ET\n0.1 0.3 0.6 rg 60 690 475 4 re f", l, i+1)
		obj("<< /Length %d >>\nstream\n%s\nendstream", len(s), s)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, o := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, xref)
	return b.Bytes()
}

// preparePDF prepares a document as the PAdES worker does.
func preparePDF(t testing.TB, in []byte) ([]byte, *pdf.Prepared) {
	t.Helper()
	var out bytes.Buffer
	p, err := pdf.Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), &out, pdf.SignOptions{
		Name: "Anna Example", Reason: "Test", Time: time.Unix(1_800_000_000, 0), Hash: crypto.SHA256, Reserve: 4096,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), p
}

// rebuildTable writes a new cross-reference table for changed objects.
func rebuildTable(b []byte) []byte {
	body := b[:bytes.LastIndex(b, []byte("xref\n0 "))]
	var at []int
	for n := 1; ; n++ {
		i := bytes.Index(body, fmt.Appendf(nil, "\n%d 0 obj\n", n))
		if i < 0 {
			break
		}
		at = append(at, i+1)
	}
	out := bytes.NewBuffer(bytes.Clone(body))
	fmt.Fprintf(out, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, o := range at {
		fmt.Fprintf(out, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(out, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, len(body))
	return out.Bytes()
}
