package validate_test

import (
	"bytes"
	"crypto"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// attack makes a file out of a signed one: what the victim opens shows something that the
// signer never saw, or looks signed and is not.
type attack struct {
	name string
	make func(t *testing.T, l *lab) []byte
	// says is part of what the report must say: about a signature, or "not signed".
	says string
}

// lab has what attackers have: files that somebody signed, and tools to write PDF.
type lab struct {
	k      *kit
	signed []byte // formDoc
}

// upd appends an update with a table, objects in order.
func upd(file []byte, objs map[int]string) []byte { return updKeys(file, objs, "") }

func updKeys(file []byte, objs map[int]string, trailer string) []byte {
	out := bytes.Clone(file)
	xref := ""
	for _, n := range slices.Sorted(maps.Keys(objs)) {
		xref += fmt.Sprintf("%d 1\n%010d 00000 n \n", n, len(out))
		out = append(out, fmt.Sprintf("%d 0 obj\n%s\nendobj\n", n, objs[n])...)
	}
	at := len(out)
	if !strings.Contains(trailer, "/Root") {
		trailer += " /Root 1 0 R"
	}
	return append(out, fmt.Sprintf("xref\n%strailer\n<< /Size 200 %s /Prev %s >>\nstartxref\n%d\n%%%%EOF\n", xref, trailer, startxref(file), at)...)
}

func startxref(file []byte) string {
	prev := file[bytes.LastIndex(file, []byte("startxref\n"))+10:]
	return string(prev[:bytes.IndexByte(prev, '\n')])
}

func with(dict, more string) string { return dict[:strings.LastIndex(dict, ">>")] + more + " >>" }

var evilPage = stream("", "BT /F1 14 Tf 20 150 Td (The buyer pays a million) Tj ET")

// same replaces bytes by as many others.
func same(t *testing.T, file []byte, old, by string) []byte {
	t.Helper()
	if len(by) > len(old) || !bytes.Contains(file, []byte(old)) {
		t.Fatalf("%q by %q", old, by)
	}
	return bytes.Replace(file, []byte(old), []byte(by+strings.Repeat(" ", len(old)-len(by))), 1)
}

var (
	rangeForm    = regexp.MustCompile(`/ByteRange \[[^\]]*\]`)
	contentsForm = regexp.MustCompile(`/Contents <[0-9a-fA-F]+>`)
	sigObject    = regexp.MustCompile(`(\d+) 0 obj\n<<[^\n]*/Type /Sig\b`)
)

// within replaces the first match of a form in the file, keeping its length.
func within(t *testing.T, file []byte, form *regexp.Regexp, by string) []byte {
	t.Helper()
	at := form.FindIndex(file)
	if at == nil {
		t.Fatalf("no %s", form)
	}
	return same(t, file, string(file[at[0]:at[1]]), by)
}

// contentsOf are the hexadecimal digits of the signature.
func contentsOf(file []byte) string {
	return strings.TrimSuffix(strings.TrimPrefix(string(contentsForm.Find(file)), "/Contents <"), ">")
}

// signatureOf is the number of the signature's dictionary.
func signatureOf(t *testing.T, file []byte) int {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	must(t, err)
	sigs, err := d.Signatures()
	must(t, err)
	return sigs[0].Object
}

// prepared signs what a dishonest party prepared for shadow attacks (NDSS 2021).
func (l *lab) prepared(t *testing.T, more map[int]string) []byte {
	t.Helper()
	return l.k.sign(t, upd(formDoc(), more), true)
}

// attacks are the classes of "One Trillion Dollar Refund" (CCS 2019: USF, ISA, SWA),
// "Shadow Attacks" (NDSS 2021) and "Breaking the Specification" (S&P 2021: EAA, SSA).
func attacks() []attack {
	return slices.Concat(forgeries(), incremental(), wrappings(), shadows(), certified(), locked())
}

// forgeries: universal signature forgery takes the proof away and leaves the look.
func forgeries() []attack {
	edit := func(form *regexp.Regexp, by string) func(*testing.T, *lab) []byte {
		return func(t *testing.T, l *lab) []byte { return within(t, l.signed, form, by) }
	}
	return []attack{
		{"USF: no ByteRange", edit(rangeForm, ""), "/ByteRange"},
		{"USF: ByteRange null", edit(rangeForm, "/ByteRange null"), "/ByteRange"},
		{"USF: ByteRange of nothing", edit(rangeForm, "/ByteRange [0 0 0 0]"), "revision"},
		{"USF: ByteRange empty", edit(rangeForm, "/ByteRange []"), "/ByteRange"},
		{"USF: ByteRange negative", edit(rangeForm, "/ByteRange [0 -1 -1 -1]"), "/ByteRange"},
		{"USF: ByteRange of three", edit(rangeForm, "/ByteRange [0 1000 2000]"), "/ByteRange"},
		{"USF: ByteRange of strings", edit(rangeForm, "/ByteRange [(a) (b)]"), "/ByteRange"},
		{"USF: no Contents", edit(contentsForm, ""), "no /Contents"},
		{"USF: Contents null", edit(contentsForm, "/Contents null"), "/Contents"},
		{"USF: Contents empty", edit(contentsForm, "/Contents <>"), "/Contents"},
		{"USF: Contents zero", edit(contentsForm, "/Contents <00>"), "/Contents"},
		{"USF: Contents of a literal string", edit(contentsForm, "/Contents (signed)"), "/Contents"},
		{"USF: Contents behind a reference", edit(contentsForm, "/Contents 8 0 R"), "/Contents"},
		{"USF: the signature is freed", func(t *testing.T, l *lab) []byte {
			return upd(l.signed, map[int]string{4: evilPage, signatureOf(t, l.signed): "null"})
		}, "it was taken away"},
		{"USF: no form", func(t *testing.T, l *lab) []byte {
			return upd(l.signed, map[int]string{4: evilPage, signatureOf(t, l.signed): "null", 1: "<< /Type /Catalog /Pages 2 0 R >>"})
		}, "it was taken away"},
		{"USF: another handler", func(t *testing.T, l *lab) []byte {
			return same(t, l.signed, "/SubFilter /ETSI.CAdES.detached", "/SubFilter /none")
		}, "not known here"},
	}
}

// incremental: what a later update shows was never signed.
func incremental() []attack {
	page := func(file []byte) []byte { return upd(file, map[int]string{4: evilPage}) }
	return []attack{
		{"ISA: another page content", func(_ *testing.T, l *lab) []byte { return page(l.signed) }, "page 1 shows other content"},
		{"ISA: update without table", func(_ *testing.T, l *lab) []byte {
			return append(bytes.Clone(l.signed), "4 0 obj\n"+evilPage+"\nendobj\n%%EOF\n"...)
		}, "follow the signed revision"},
		{"ISA: update without end", func(_ *testing.T, l *lab) []byte {
			b := page(l.signed)
			return b[:bytes.LastIndex(b, []byte("startxref"))]
		}, "changed after this signature"},
		{"ISA: table that names another object", func(_ *testing.T, l *lab) []byte {
			b := upd(l.signed, map[int]string{150: evilPage})
			return bytes.Replace(b, []byte("\n150 1\n"), []byte("\n4 1\n"), 1)
		}, "changed after this signature"},
		{"ISA: another root", func(_ *testing.T, l *lab) []byte {
			return updKeys(l.signed, map[int]string{100: "<< /Type /Catalog /Pages 101 0 R >>", 101: "<< /Type /Pages /Count 1 /Kids [102 0 R] >>",
				102: "<< /Type /Page /Parent 101 0 R /MediaBox [0 0 300 200] /Contents 103 0 R >>", 103: evilPage}, "/Root 100 0 R")
		}, "belongs to no form field"},
		{"ISA: the signature is copied into the update", func(t *testing.T, l *lab) []byte {
			n := signatureOf(t, l.signed)
			return upd(l.signed, map[int]string{4: evilPage, n: current(l.signed, n)})
		}, "left out of the signature"},
		{"ISA: an empty second signature", func(_ *testing.T, l *lab) []byte {
			form := strings.Replace(current(l.signed, 6), "[", "[100 0 R ", 1)
			return upd(l.signed, map[int]string{4: evilPage, 6: form, 100: "<< /FT /Sig /T (second) /V 101 0 R >>",
				101: "<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached >>"})
		}, "page 1 shows other content"},
		{"ISA: a second signature without value over it", func(_ *testing.T, l *lab) []byte {
			form := strings.Replace(current(l.signed, 6), "[", "[100 0 R ", 1)
			b := upd(l.signed, map[int]string{4: evilPage, 6: form, 100: "<< /FT /Sig /T (second) /V 101 0 R >>",
				101: "<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 10 12 0000000000] /Contents <00> >>"})
			return bytes.Replace(b, []byte("0000000000]"), fmt.Appendf(nil, "%010d]", len(b)-12), 1)
		}, "page 1 shows other content"},
		{"ISA: a document time-stamp over the change", func(t *testing.T, l *lab) []byte { return l.k.stamped(t, page(l.signed), "") }, "page 1 shows other content"},
		{"ISA: an honest second signature over the change", func(t *testing.T, l *lab) []byte { return l.k.sign(t, page(l.signed), true) }, "page 1 shows other content"},
		{"ISA: a font that draws other letters", func(_ *testing.T, l *lab) []byte {
			return upd(l.signed, map[int]string{5: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding << /Differences [50 /nine] >> >>"})
		}, "page 1 shows other content"},
		{"ISA: an action when it is opened", func(_ *testing.T, l *lab) []byte {
			return upd(l.signed, map[int]string{1: with(current(l.signed, 1), " /OpenAction << /S /JavaScript /JS (app.alert(1)) >>")})
		}, "/OpenAction"},
		{"ISA: pages added", func(_ *testing.T, l *lab) []byte {
			return upd(l.signed, map[int]string{2: strings.Replace(strings.Replace(current(l.signed, 2), "/Kids [3 0 R", "/Kids [3 0 R 100 0 R", 1), "/Count 1", "/Count 2", 1),
				100: "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 101 0 R >>", 101: evilPage})
		}, "had 1 pages when signed and has 2"},
	}
}

// wrappings: the signed bytes are moved, and a reader's idea of them with them.
func wrappings() []attack {
	// closed gives the signature's dictionary a range of the attacker's and ends it where its keys go on, in bytes that nobody
	// signed: what was signed stays, and readers find whole objects.
	closed := func(r ...int) string {
		return fmt.Sprintf(" /ByteRange [%d %d %010d %d] >>\nendobj\n", r[0], r[1], r[2], r[3])
	}
	// moved puts the second signed range behind what is inserted, and a table of the
	// attacker's where its end says that the table is.
	moved := func(t *testing.T, l *lab, padding string, from int) []byte {
		at := contentsForm.FindIndex(l.signed)
		table, err := strconv.Atoi(startxref(l.signed))
		must(t, err)
		rest := string(l.signed[table:])
		rest = rest[:strings.Index(rest, "startxref")]
		end := len(closed(from, at[0]+len("/Contents ")-from, 0, len(l.signed)-at[1]))
		object := "4 0 obj\n" + evilPage + "\nendobj\n"
		length := table - at[1] + len("4 1\n0000000000 00000 n \n") + len(rest) + len(padding)
		rest = regexp.MustCompile(`(\d{10}) 00000 n`).ReplaceAllStringFunc(rest, func(line string) string {
			off, err := strconv.Atoi(line[:10])
			must(t, err)
			if off > at[1] {
				off += length
			}
			return fmt.Sprintf("%010d 00000 n", off)
		})
		rest = strings.Replace(rest, "xref\n", fmt.Sprintf("xref\n4 1\n%010d 00000 n \n", at[1]+end), 1)
		insert := closed(from, at[0]+len("/Contents ")-from, at[1]+length, len(l.signed)-at[1]) + object
		insert += strings.Repeat(" ", table-at[1]-len(insert)) + rest + padding
		return slices.Concat(l.signed[:at[1]], []byte(insert), l.signed[at[1]:])
	}
	return []attack{
		{"SWA: second range moved", func(t *testing.T, l *lab) []byte { return moved(t, l, "", 0) }, "left out of the signature"},
		{"SWA: second range moved, with padding", func(t *testing.T, l *lab) []byte { return moved(t, l, strings.Repeat("0", 4000), 0) }, "left out of the signature"},
		{"SWA: first range moved too", func(t *testing.T, l *lab) []byte { return moved(t, l, "", 20) }, "not at the beginning"},
		{"SWA: objects within Contents", func(t *testing.T, l *lab) []byte {
			at := contentsForm.FindIndex(l.signed)
			hidden := ">" + closed(0, at[0]+len("/Contents "), at[1], len(l.signed)-at[1]) + "4 0 obj\n" + evilPage + "\nendobj\n"
			c := contentsOf(l.signed)
			return same(t, l.signed, c, c[:len(c)-len(hidden)]+hidden)
		}, "left out of the signature"},
		{"SWA: signed bytes within a comment of another file", func(t *testing.T, l *lab) []byte {
			return slices.Concat([]byte("%PDF-1.7\n"), l.signed)
		}, "the signed bytes were changed"},
		{"SWA: two fields, one signature", func(_ *testing.T, l *lab) []byte {
			form := strings.Replace(current(l.signed, 6), "[", "[100 0 R ", 1)
			return upd(l.signed, map[int]string{6: form, 4: evilPage, 100: fmt.Sprintf("<< /FT /Sig /T (Owner) /V %s 0 R >>", sigObject.FindSubmatch(l.signed)[1])})
		}, "share one signature"},
	}
}

// shadows: the attacker prepares the file before it is signed (hide, replace, hide and
// replace).
func shadows() []attack {
	overlay := "/Type /XObject /Subtype /Form /BBox [0 0 300 200] /Resources << /Font << /F1 5 0 R >> >>"
	return []attack{
		{"shadow, hide: an overlay is emptied", func(t *testing.T, l *lab) []byte {
			return upd(l.signed, map[int]string{9: stream(overlay, "")})
		}, "page 1 shows other content"},
		{"shadow, hide: an overlay is freed", func(t *testing.T, l *lab) []byte {
			b := upd(l.signed, map[int]string{150: "null"})
			return bytes.Replace(b, []byte("xref\n150 1\n"), []byte("xref\n9 1\n0000000000 00001 f \n150 1\n"), 1)
		}, "page 1 shows other content"},
		{"shadow, hide: a layer is switched off", func(t *testing.T, l *lab) []byte {
			b := l.prepared(t,
				map[int]string{1: "<< /Type /Catalog /Pages 2 0 R /AcroForm 6 0 R /OCProperties 30 0 R >>", 30: "<< /OCGs [31 0 R] /D << /ON [31 0 R] >> >>", 31: "<< /Type /OCG /Name (x) >>"})
			return upd(b, map[int]string{30: "<< /OCGs [31 0 R] /D << /OFF [31 0 R] >> >>"})
		}, "document settings changed"},
		{"shadow, hide: an annotation over the text is hidden", func(t *testing.T, l *lab) []byte {
			b := l.prepared(t, map[int]string{3: "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Annots [7 0 R 30 0 R] >>",
				30: "<< /Type /Annot /Subtype /Stamp /Rect [0 0 300 200] /F 4 /AP << /N 9 0 R >> >>"})
			return upd(b, map[int]string{30: "<< /Type /Annot /Subtype /Stamp /Rect [0 0 300 200] /F 2 /AP << /N 9 0 R >> >>"})
		}, "page 1"},
		{"shadow, replace: the look of a field", func(t *testing.T, l *lab) []byte {
			return upd(l.signed, map[int]string{8: stream("/Type /XObject /Subtype /Form /BBox [0 0 180 30] /Resources << /Font << /F1 5 0 R >> >>", "BT /F1 14 Tf 2 8 Td (999) Tj ET")})
		}, `form field "amount"`},
		{"shadow, replace: the value of a field", func(t *testing.T, l *lab) []byte {
			return upd(l.signed, map[int]string{7: strings.Replace(current(l.signed, 7), "(240)", "(999)", 1)})
		}, `form field "amount"`},
		{"shadow, replace: fonts of all fields", func(t *testing.T, l *lab) []byte {
			return upd(l.signed, map[int]string{6: with(current(l.signed, 6), " /DR << /Font << /F1 100 0 R >> >> /NeedAppearances true"), 100: "<< /Type /Font /Subtype /Type1 /BaseFont /ZapfDingbats >>"})
		}, "form settings changed: /DR /NeedAppearances"},
		{"shadow, replace: what the form leads to", func(t *testing.T, l *lab) []byte {
			b := l.prepared(t, map[int]string{6: "<< /Fields [7 0 R] /XFA 30 0 R >>", 30: stream("", "<a/>")})
			return upd(b, map[int]string{30: stream("", "<b/>")})
		}, "form settings changed: objects that they lead to"},
		{"shadow, replace: a font", func(t *testing.T, l *lab) []byte {
			return l.k.stamped(t, upd(l.signed, map[int]string{5: "<< /Type /Font /Subtype /Type1 /BaseFont /ZapfDingbats >>"}), "")
		}, "page 1 shows other content"},
		{"shadow, hide and replace: objects that nothing used", func(t *testing.T, l *lab) []byte {
			b := l.prepared(t, map[int]string{40: "<< /Type /Pages /Count 1 /Kids [41 0 R] >>",
				41: "<< /Type /Page /Parent 40 0 R /MediaBox [0 0 300 200] /Contents 42 0 R >>", 42: evilPage})
			return upd(b, map[int]string{1: strings.Replace(current(b, 1), "/Pages 2 0 R", "/Pages 40 0 R", 1)})
		}, "page 1 replaced"},
		{"shadow, hide and replace: the same numbers, by another table", func(t *testing.T, l *lab) []byte {
			b := l.prepared(t, map[int]string{42: evilPage})
			off := bytes.LastIndex(b[:bytes.Index(b, []byte("/ByteRange"))], []byte("42 0 obj\n"))
			b = upd(b, map[int]string{150: "null"})
			return bytes.Replace(b, []byte("xref\n150 1\n"), fmt.Appendf(nil, "xref\n4 1\n%010d 00000 n \n150 1\n", off), 1)
		}, "page 1 shows other content"},
		{"shadow, hide and replace: a page hangs elsewhere", func(t *testing.T, l *lab) []byte {
			b := l.prepared(t, map[int]string{41: "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 42 0 R >>", 42: evilPage})
			return upd(b, map[int]string{2: strings.Replace(current(b, 2), "/Kids [3 0 R]", "/Kids [41 0 R]", 1)})
		}, "page 1 replaced"},
	}
}

// certified: evil annotations (EAA) and sneaky signatures (SSA) over certified files.
func certified() []attack {
	note := "<< /Type /Annot /Subtype /FreeText /Rect [0 0 300 200] /F 4 /Contents (a million) /DA (/F1 14 Tf) /AP << /N 101 0 R >> >>"
	picture := stream(page300, "1 g 0 0 300 200 re f BT /F1 14 Tf 20 150 Td (a million) Tj ET")
	eaa := func(permission int, annot string) func(*testing.T, *lab) []byte {
		return func(t *testing.T, l *lab) []byte {
			b := l.k.certify(t, formDoc(), permission)
			return upd(b, map[int]string{3: strings.Replace(current(b, 3), "[", "[100 0 R ", 1), 100: annot, 101: picture})
		}
	}
	ssa := func(t *testing.T, l *lab, permission int, field, value string) []byte {
		b := l.k.certify(t, formDoc(), permission)
		return upd(b, map[int]string{3: strings.Replace(current(b, 3), "[", "[100 0 R ", 1), 6: strings.Replace(current(b, 6), "[", "[100 0 R ", 1),
			100: "<< /Type /Annot /Subtype /Widget /FT /Sig /T (" + field + ") /Rect [0 0 300 200] /F 4 /P 3 0 R /AP << /N 101 0 R >> " + value + " >>", 101: picture})
	}
	return []attack{
		{"EAA: a text over the page, comments permitted", eaa(3, note), "annotations of page 1"},
		{"EAA: a text over the page, forms permitted", eaa(2, note), "does not permit this"},
		{"EAA: a stamp over the page", eaa(3, strings.Replace(note, "/FreeText", "/Stamp", 1)), "annotations of page 1"},
		{"EAA: a redaction", eaa(3, strings.Replace(note, "/FreeText", "/Redact", 1)), "annotations of page 1"},
		{"EAA: a text, covered by an honest signature", func(t *testing.T, l *lab) []byte { return l.k.sign(t, eaa(3, note)(t, l), true) }, "annotations of page 1"},
		{"EAA: a text, covered by a document time-stamp", func(t *testing.T, l *lab) []byte { return l.k.stamped(t, eaa(2, note)(t, l), "") }, "does not permit this"},
		{"SSA: an unsigned field with a look", func(t *testing.T, l *lab) []byte { return ssa(t, l, 2, "fresh", "") }, "fresh"},
		{"SSA: a signature that is none", func(t *testing.T, l *lab) []byte {
			return ssa(t, l, 2, "fresh", "/V << /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 1 2 3] /Contents <00> >>")
		}, "lays a picture over a page"},
		{"SSA: an honest signature with a picture over the page", func(t *testing.T, l *lab) []byte {
			b := ssa(t, l, 2, "fresh", "")
			return l.k.signField(t, b, "fresh")
		}, "lays a picture over a page"},
		{"SSA: a signature where nothing is permitted", func(t *testing.T, l *lab) []byte { return l.k.forced(t, l.k.certify(t, formDoc(), 1)) }, "does not permit this"},
		{"SSA: the certification is taken back", func(t *testing.T, l *lab) []byte {
			b := eaa(1, note)(t, l)
			root := regexp.MustCompile(`/Perms <<[^>]*>>`).ReplaceAllString(current(b, 1), "")
			return upd(b, map[int]string{1: root})
		}, "does not permit this"},
	}
}

// locked: fields that a signature locks are filled in all the same.
func locked() []attack {
	lockedBy := func(lock string, change map[int]string, after func(*testing.T, *lab, []byte) []byte) func(*testing.T, *lab) []byte {
		return func(t *testing.T, l *lab) []byte {
			b := upd(formDoc(), map[int]string{6: "<< /Fields [7 0 R 30 0 R 31 0 R] >>", 30: "<< /FT /Sig /T (Buyer) /Lock " + lock + " >>", 31: "<< /FT /Tx /T (note) /V (x) >>"})
			b = l.k.signField(t, b, "Buyer")
			objs := maps.Clone(change)
			for n, s := range objs {
				switch s {
				case "fill in":
					objs[n] = strings.Replace(current(b, n), "(240)", "(999)", 1)
				case "unlock":
					objs[n] = strings.Replace(current(b, n), "/Lock "+lock, "", 1)
				}
			}
			return after(t, l, upd(b, objs))
		}
	}
	signed := func(t *testing.T, l *lab, b []byte) []byte { return l.k.sign(t, b, true) }
	sealed := func(t *testing.T, l *lab, b []byte) []byte { return l.k.stamped(t, b, "") }
	amount, noteField := map[int]string{7: "fill in"}, map[int]string{31: "<< /FT /Tx /T (note) /V (y) >>"}
	return []attack{
		{"lock: all fields", lockedBy("<< /Action /All >>", noteField, sealed), "locks form fields (all of them)"},
		{"lock: a field that is included", lockedBy("<< /Action /Include /Fields [(amount)] >>", amount, sealed), "locks form fields (amount)"},
		{"lock: a field that is not excluded", lockedBy("<< /Action /Exclude /Fields [(note)] >>", amount, sealed), "locks form fields (all but note)"},
		{"lock: covered by an honest signature", lockedBy("<< /Action /Include /Fields [(amount)] >>", amount, signed), "locks form fields (amount)"},
		{"lock: the field goes", lockedBy("<< /Action /Include /Fields [(amount)] >>", map[int]string{6: "<< /Fields [30 0 R 31 0 R] >>"}, sealed), "locks form fields (amount)"},
		{"lock: the lock is taken back", lockedBy("<< /Action /Include /Fields [(amount)] >>",
			map[int]string{7: "fill in", 30: "unlock"}, sealed), "locks form fields (amount)"},
	}
}

// signField signs in a field that is there.
func (k *kit) signField(t testing.TB, in []byte, field string) []byte {
	t.Helper()
	return k.finish(t, in, pdf.SignOptions{Time: time.Now(), Hash: crypto.SHA256, Reserve: 16 << 10, Field: field})
}

// forced signs although a certification forbids it: the attacker's writer does not look.
func (k *kit) forced(t testing.TB, in []byte) []byte {
	t.Helper()
	const was, by = "/TransformMethod /DocMDP", "/TransformMethod /DocMDq"
	out := k.sign(t, bytes.Replace(in, []byte(was), []byte(by), 1), true)
	return bytes.Replace(out, []byte(by), []byte(was), 1)
}

// ADE-04, ADE-06, D16: no attack of the published classes passes, and what it did is named.
func TestADE04RevisionAttacksAreNamed(t *testing.T) {
	k := newKit(t)
	l := &lab{k: k, signed: k.sign(t, formDoc(), true)}
	all := attacks()
	if len(all) < 30 {
		t.Fatalf("only %d", len(all))
	}
	files := map[string]string{}
	for _, a := range all {
		t.Run(a.name, func(t *testing.T) {
			file := a.make(t, l)
			if other := files[string(file)]; other != "" || bytes.Equal(file, l.signed) {
				t.Fatalf("the same file as %q", other)
			}
			files[string(file)] = a.name
			rep, err := validate.File(t.Context(), "attack.pdf", bytes.NewReader(file), int64(len(file)), k.trust())
			if err != nil {
				t.Fatalf("refused and not named: %v", err)
			}
			var words strings.Builder
			must(t, rep.Print(&words))
			if rep.Indication == validate.TotalPassed || rep.Verdict == validate.Valid {
				t.Fatalf("it passes:\n%s", words.String())
			}
			if a.says == "" || !strings.Contains(strings.ToLower(words.String()), strings.ToLower(a.says)) {
				t.Errorf("not named (want %q):\n%s", a.says, words.String())
			}
		})
	}
}

// What nobody forbids goes on: a field that is not locked, a permitted filling in, and
// time-stamps and validation data whatever is locked (ADE-06).
func TestD15PermittedChangesAreNotCalledViolations(t *testing.T) {
	k := newKit(t)
	for _, lock := range []string{"<< /Action /All >>", "<< /Action /Include /Fields [(note)] >>", "<< /Action /Exclude /Fields [(amount)] >>"} {
		b := upd(formDoc(), map[int]string{6: "<< /Fields [7 0 R 30 0 R 31 0 R] >>", 30: "<< /FT /Sig /T (Buyer) /Lock " + lock + " >>", 31: "<< /FT /Tx /T (note) /V (x) >>"})
		b = k.signField(t, b, "Buyer")
		sealed := k.stamped(t, b, "")
		if rep := k.look(t, sealed, k.trust()); rep.Verdict != validate.Valid {
			t.Errorf("%s: a time-stamp: %v", lock, rep.Signatures[0].Why)
		}
		if strings.Contains(lock, "/All") {
			continue
		}
		filled := k.stamped(t, upd(b, map[int]string{7: strings.Replace(current(b, 7), "(240)", "(999)", 1)}), "")
		if s := k.look(t, filled, k.trust()).Signatures[0]; s.Verdict != validate.Indeterminate || strings.Contains(strings.Join(s.Why, " "), "locks form fields") {
			t.Errorf("%s: %s %v", lock, s.Verdict, s.Why)
		}
	}
}
