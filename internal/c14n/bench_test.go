package c14n

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strconv"
	"testing"
)

// invoice is a document of n bytes or a little more, made while it is read: like
// an invoice, with three namespaces, unsorted attributes and references.
type invoice struct {
	n, line   int
	buf, part []byte // part of buf is still to be read
	state     int
}

const (
	invoiceHead = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<inv:Invoice xmlns:inv="urn:example:invoice:2" xmlns:cbc="urn:example:basic:2" xmlns:cac="urn:example:aggregate:2" Id="inv">` + "\n"
	invoiceTail = "</inv:Invoice>\n"
)

func (v *invoice) Read(p []byte) (int, error) {
	for len(v.part) == 0 {
		switch {
		case v.state == 0:
			v.buf, v.state = append(v.buf[:0], invoiceHead...), 1
		case v.state == 1 && v.n > 0:
			v.buf = v.appendLine(v.buf[:0])
			v.n -= len(v.buf)
		case v.state == 1:
			v.buf, v.state = append(v.buf[:0], invoiceTail...), 2
		default:
			return 0, io.EOF
		}
		v.part = v.buf
	}
	n := copy(p, v.part)
	v.part = v.part[n:]
	return n, nil
}

func (v *invoice) appendLine(b []byte) []byte {
	v.line++
	b = append(b, "  <cac:InvoiceLine z=\"1\" a=\"2\" cbc:k=\"v\">\n    <cbc:ID schemeID='lines' schemeAgency=\"6\">"...)
	b = strconv.AppendInt(b, int64(v.line), 10)
	b = append(b, "</cbc:ID>\n    <cbc:Note languageID=\"el\">Bolts &amp; nuts, size &lt; 8 mm, \xce\xba\xce\xb1\xce\xbb\xce\xb7\xce\xbc\xce\xad\xcf\x81\xce\xb1 &#64; home</cbc:Note>\n"...)
	b = append(b, "    <cac:Price><cbc:PriceAmount currencyID=\"EUR\">12.50</cbc:PriceAmount><cbc:BaseQuantity unitCode=\"C62\"/></cac:Price>\n  </cac:InvoiceLine>\n"...)
	return b
}

func document(n int) []byte {
	b, err := io.ReadAll(&invoice{n: n})
	if err != nil {
		panic(err)
	}
	return b
}

const tenMB = 10 << 20

func BenchmarkSHA256(b *testing.B) {
	doc := document(tenMB)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		sha256.Sum256(doc)
	}
}

func BenchmarkScan(b *testing.B) {
	doc := document(tenMB)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		s := NewScanner(bytes.NewReader(doc), Limits{})
		for {
			if _, err := s.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkExclusiveSHA256(b *testing.B) { benchmark(b, Exclusive) }

func BenchmarkInclusiveSHA256(b *testing.B) { benchmark(b, Inclusive10) }

func benchmark(b *testing.B, m Method) {
	doc := document(tenMB)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		h := sha256.New()
		if err := Canonicalize(bytes.NewReader(doc), Limits{}, Job{W: h, Method: m}); err != nil {
			b.Fatal(err)
		}
	}
}
