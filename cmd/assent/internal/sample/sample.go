// Package sample writes the demo's documents: a small contract of two pages and an invoice,
// composed here so that no file of a third party is needed. The bytes are the
// same on every run.
package sample

import (
	"bytes"
	"fmt"
	"strings"
)

// Invoice returns a small XML document.
func Invoice() []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<!-- Made by assent demo; nobody owes anything. -->
<invoice xmlns="urn:example:invoice" number="2026-17">
  <seller>Garden Owners</seller>
  <buyer>Anna Demo</buyer>
  <line quantity="1">Lease of a garden shed &amp; its key, one year</line>
  <total currency="EUR">240 euros</total>
</invoice>
`)
}

// Terms are a text, for a detached signature.
func Terms() []byte {
	return []byte("Terms of the lease\n\nThe rent is 240 euros a year.\nΑθήνα, & no <XML>.\n")
}

// Contract returns a PDF 1.7 file with two pages of text (ISO 32000-1: header,
// objects, cross-reference table, trailer).
func Contract() []byte {
	var w writer
	w.raw("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	w.object("<< /Type /Catalog /Pages 2 0 R /Lang (en) /ViewerPreferences << /DisplayDocTitle true >> >>")
	w.object("<< /Type /Pages /Kids [3 0 R 5 0 R] /Count 2 >>")
	for i, page := range pages {
		w.object(fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R"+
			" /Resources << /Font << /F1 7 0 R /F2 8 0 R >> >> >>", 4+2*i))
		content := layout(page, i+1, len(pages))
		w.object(fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content))
	}
	w.object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	w.object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>")
	w.object("<< /Title (Lease of a garden shed) /Author (Assent demo) /CreationDate (D:20260101000000Z) >>")
	return w.finish(1, 9)
}

// line is one line of text; bold lines are headings.
type line struct {
	text string
	bold bool
}

func heading(s string) line { return line{s, true} }

func text(s string) line { return line{s, false} }

var pages = [][]line{
	{
		heading("Lease of a garden shed"),
		text(""),
		text("Between Anna Demo (the tenant) and Garden Owners' Association Demo (the owner)."),
		text(""),
		heading("1. What is leased"),
		text("The owner leases to the tenant the garden shed no. 7, Meadow Lane, of 12 square metres,"),
		text("with its key and the right to use the path that leads to it."),
		text(""),
		heading("2. Time"),
		text("The lease begins on 1 March and runs for one year. It goes on for a further year each"),
		text("time unless one side ends it in writing three months before."),
		text(""),
		heading("3. Rent"),
		text("The rent is 240 euros a year, payable on the first day of the lease year."),
	},
	{
		heading("4. Use"),
		text("The tenant keeps tools and plants in the shed, no fuel, and no more than two bicycles."),
		text("Repairs of the roof are the owner's business, broken panes the tenant's."),
		text(""),
		heading("5. Form"),
		text("Both sides sign electronically. Changes need the same form."),
		text(""),
		text("This document was made by the Assent demonstration. Its parties, its shed and its"),
		text("certificates are invented; nobody owes anybody anything because of it."),
	},
}

// layout composes a page's content stream: text from the top left margin.
func layout(lines []line, page, of int) string {
	var b strings.Builder
	b.WriteString("BT\n70 760 Td\n18 TL\n")
	for _, l := range lines {
		font, size := "/F1", 11
		if l.bold {
			font, size = "/F2", 13
		}
		fmt.Fprintf(&b, "%s %d Tf (%s) Tj T*\n", font, size, escape(l.text))
	}
	fmt.Fprintf(&b, "ET\nBT\n/F1 9 Tf 70 50 Td (Page %d of %d) Tj\nET", page, of)
	return b.String()
}

// escape writes a literal string's special characters (ISO 32000-1, 7.3.4.2).
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`).Replace(s)
}

// writer appends objects, numbered from 1, and remembers where they begin.
type writer struct {
	buf     bytes.Buffer
	offsets []int
}

func (w *writer) raw(s string) { w.buf.WriteString(s) }

func (w *writer) object(body string) {
	w.offsets = append(w.offsets, w.buf.Len())
	fmt.Fprintf(&w.buf, "%d 0 obj\n%s\nendobj\n", len(w.offsets), body)
}

// finish writes the cross-reference table and the trailer.
func (w *writer) finish(root, info int) []byte {
	at := w.buf.Len()
	fmt.Fprintf(&w.buf, "xref\n0 %d\n0000000000 65535 f \n", len(w.offsets)+1)
	for _, off := range w.offsets {
		fmt.Fprintf(&w.buf, "%010d 00000 n \n", off)
	}
	fmt.Fprintf(&w.buf, "trailer\n<< /Size %d /Root %d 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(w.offsets)+1, root, info, at)
	return w.buf.Bytes()
}
