package validate_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// D16: what leaves the verdict (title and dates, defaults of fields, validation data, what a time-stamp brings) carries no
// change of what is shown into it. In each file the signed revision has an object in two places, of which one is such a place; the
// other is on the page where the comparison does not look twice: above a field or a comment, in a list of values, not yet there.
func TestD16WhatLeavesTheVerdictCarriesNothing(t *testing.T) {
	k := newKit(t)
	const (
		asSigned = "AS SIGNED" // with another font
		info     = "/Info 61 0 R"
		popup    = "<< /Type /Annot /Subtype /Popup /Parent 60 0 R /Rect [20 100 200 130] /Open true >>"
		link     = "<< /Type /Annot /Subtype /Link /Rect [20 100 200 130] /AP << /N 60 0 R >> >>"
		orphan   = "<< /Type /Annot /Subtype /Widget /Parent 60 0 R /Rect [20 100 200 130] /F 4 >>"
		choice   = "<< /Type /Annot /Subtype /Widget /FT /Ch /Ff 2097152 /T (amount) /V [60 0 R] /Rect [20 100 200 130] /F 4 >>"
		above    = "<< /Fields [60 0 R] /NeedAppearances true >>"
		named    = "<< /Type /Annot /Subtype /Widget /FT /Tx /T (amount) /V (240) /Parent 60 0 R /Rect [20 100 200 130] /F 4 >>"
		seal     = "<< /Type /Annot /Subtype /Widget /FT /Sig /T (seal) /Rect [20 100 200 130] /F 4 /AP << /N 8 0 R >> >>"
		waiting  = "<< /Type /Annot /Subtype /Widget /FT /Sig /T (later) /Rect [0 0 0 0] /F 2 /MK 60 0 R >>"
	)
	text := func(s string) string { return "<< /FT /Tx /T (amount) /V (" + s + ") >>" }
	look := func(s string) string { return stream(page300, "BT /F1 14 Tf 2 8 Td ("+s+") Tj ET") }
	font := func(name string) string { return "<< /Type /Font /Subtype /Type1 /BaseFont /" + name + " >>" }
	for name, c := range map[string]struct {
		signed  map[int]string // beside formDoc
		trailer string
		later   map[int]string
		field   string // for the time-stamp
	}{
		"a value in a list, and /Info": {map[int]string{7: choice, 60: "(240)", 61: "<< /Title 60 0 R >>"}, info, map[int]string{60: "(999 000)"}, ""},
		"a value in a list, and /Metadata": {map[int]string{1: "<< /Type /Catalog /Pages 2 0 R /AcroForm 6 0 R /Metadata 61 0 R >>", 7: choice, 60: "(240)",
			61: stream("/Type /Metadata /Subtype /XML /X 60 0 R", "<x/>")}, "", map[int]string{60: "(999 000)"}, ""},
		"a value in a list, and /DSS": {map[int]string{1: "<< /Type /Catalog /Pages 2 0 R /AcroForm 6 0 R /DSS << /X 60 0 R >> >>", 7: choice, 60: "(240)"}, "",
			map[int]string{60: "(999 000)"}, ""},
		"what a widget inherits outside the form": {map[int]string{6: "<< /Fields [] >>", 7: orphan, 60: text("240"), 61: "<< /Title 60 0 R >>"}, info,
			map[int]string{60: text("999 000")}, ""},
		"the same, not there when signed": {map[int]string{6: "<< /Fields [] >>", 7: orphan, 61: "<< /Title 60 0 R >>"}, info,
			map[int]string{60: text("999 000")}, ""},
		"what is above a field": {map[int]string{6: above, 7: named, 60: "<< /Kids [7 0 R] /DA (/F1 1 Tf) >>", 61: "<< /Title 60 0 R >>"}, info,
			map[int]string{60: "<< /Kids [7 0 R] /DA (/F1 99 Tf) >>"}, ""},
		"the comment of a window": {map[int]string{6: "<< /Fields [] >>", 7: popup, 60: "<< /Type /Annot /Subtype /Text /Contents (240) >>", 61: "<< /Title 60 0 R >>"}, info,
			map[int]string{60: "<< /Type /Annot /Subtype /Text /Contents (999 000) >>"}, ""},
		"a picture in the defaults": {map[int]string{6: "<< /Fields [] /DR << /XObject << /X 60 0 R >> >> >>", 7: link, 60: look("240")}, "",
			map[int]string{60: look("999 000")}, ""},
		"a font in the defaults": {map[int]string{6: "<< /Fields [7 0 R] /DR << /Font << /F1 60 0 R >> >> >>", 7: seal, 60: font("Helvetica"),
			8: strings.Replace(look("240"), "/F1 5 0 R", "/F1 60 0 R", 1)}, "", map[int]string{60: font("Symbol")}, ""},
		"a look without resources, drawn with the defaults": {map[int]string{6: "<< /Fields [7 0 R] /DR << /Font << /F1 5 0 R >> >> >>", 7: seal,
			8: stream("/Type /XObject /Subtype /Form /BBox [0 0 180 30]", "BT /F1 14 Tf 2 8 Td (240) Tj ET")}, "",
			map[int]string{6: asSigned, 60: font("Symbol")}, ""},
		"a picture that comes with a time-stamp": {map[int]string{6: "<< /Fields [62 0 R] >>", 7: link, 62: waiting}, "", map[int]string{60: look("999 000")}, "later"},
	} {
		signed := k.sign(t, updKeys(formDoc(), c.signed, c.trailer), true)
		if rep := k.look(t, signed, k.trust()); rep.Verdict != validate.Valid {
			t.Errorf("%s: as signed: %s %v", name, rep.Verdict, rep.Signatures[0].Why)
			continue
		}
		for n, body := range c.later {
			c.later[n] = strings.Replace(body, asSigned, strings.Replace(current(signed, n), "5 0 R", "60 0 R", 1), 1)
		}
		changed := updKeys(signed, c.later, c.trailer)
		changed = append(bytes.Clone(signed), bytes.Replace(changed[len(signed):], []byte("/Size 200"), []byte("/Size 300"), 1)...)
		files := map[string][]byte{"time-stamped": k.stamped(t, changed, c.field)}
		if c.field == "" {
			files["bare"] = changed
		}
		for how, file := range files {
			rep := k.look(t, file, k.trust())
			if s := rep.Signatures[0]; rep.Verdict == validate.Valid || s.Verdict == validate.Valid {
				t.Errorf("%s, %s: %s, signature %s; later: %q", name, how, rep.Verdict, s.Verdict, s.Later)
			}
		}
	}
}

// D16: an object that is part of a signature's field and also drawn is no part of the field alone: one that changes with the
// signature changes what is shown, even where it names the field as what it belongs to.
func TestD16PartsOfAFieldThatAreDrawn(t *testing.T) {
	k := newKit(t)
	const (
		field = "<< /FT /Sig /T (later) /Kids [60 0 R] >>"
		page  = "<< /Type /Page /Parent 2 0 R /Contents %s /Annots [7 0 R] >>"
		tx    = "<< /Type /Annot /Subtype /Widget /FT /Tx /T (amount) /V (240) /Rect [20 100 200 130] /F 4 /AP "
		link  = "<< /Type /Annot /Subtype /Link /Rect [20 100 200 130] /AP "
	)
	text := func(s string) string {
		return stream("/Parent 62 0 R /Type /XObject /Subtype /Form /BBox [0 0 180 30] /Resources << /Font << /F1 5 0 R >> >>", "BT /F1 14 Tf 2 8 Td ("+s+") Tj ET")
	}
	font := func(s string) string {
		return "<< /Parent 62 0 R /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /" + s + " >> >> /XObject << >> >>"
	}
	const above = "<< /Type /Annot /Rect [20 100 200 130] /Parent 60 0 R "
	layers := func(off string) string {
		return "<< /Parent 62 0 R /OCGs [64 0 R] /D << " + off + " /Order [64 0 R] >> >>"
	}
	value := func(s string) string { return "<< /Parent 62 0 R /V (" + s + ") /Contents (" + s + ") >>" }
	for name, c := range map[string]struct{ signed, later map[int]string }{
		"content of a page":                {map[int]string{3: fmt.Sprintf(page, "60 0 R"), 60: text("240")}, map[int]string{60: text("999 000")}},
		"content, not there when signed":   {map[int]string{3: fmt.Sprintf(page, "60 0 R")}, map[int]string{60: text("999 000")}},
		"resources of a page":              {map[int]string{3: fmt.Sprintf(page, "4 0 R /Resources 60 0 R"), 60: font("Helvetica")}, map[int]string{60: font("Symbol")}},
		"look of a field":                  {map[int]string{7: tx + "<< /N 60 0 R >> >>", 60: text("240")}, map[int]string{60: text("999 000")}},
		"look of a comment":                {map[int]string{6: "<< /Fields [62 0 R] >>", 7: link + "<< /N 60 0 R >> >>", 60: text("240")}, map[int]string{60: text("999 000")}},
		"looks of a comment":               {map[int]string{6: "<< /Fields [62 0 R] >>", 7: link + "60 0 R >>", 60: "<< /Parent 62 0 R /N 8 0 R >>"}, map[int]string{60: "<< /Parent 62 0 R /N 9 0 R >>"}},
		"resources of a look of a comment": {map[int]string{6: "<< /Fields [62 0 R] >>", 7: link + "<< /N 63 0 R >> >>", 60: font("Helvetica"), 63: strings.Replace(text("240"), "<< /Font << /F1 5 0 R >> >>", "60 0 R", 1)}, map[int]string{60: font("Symbol")}},
		"layers that are shown":            {map[int]string{1: "<< /Type /Catalog /Pages 2 0 R /AcroForm 6 0 R /OCProperties 60 0 R >>", 60: layers("/OFF [64 0 R]"), 64: "<< /Type /OCG /Name (sum) >>"}, map[int]string{60: layers("")}},
		"what a form is made of":           {map[int]string{6: "<< /Fields [62 0 R 7 0 R] /XFA 60 0 R >>", 60: text("240")}, map[int]string{60: text("999 000")}},
		"what a widget inherits":           {map[int]string{6: "<< /Fields [62 0 R] >>", 7: above + "/Subtype /Widget /FT /Tx /F 4 >>", 60: value("240")}, map[int]string{60: value("999 000")}},
		"what a widget inherits from afar": {map[int]string{6: "<< /Fields [62 0 R] >>", 7: strings.Replace(above, "60", "63", 1) + "/Subtype /Widget /FT /Tx /F 4 >>", 63: "<< /Parent 60 0 R >>", 60: value("240")}, map[int]string{60: value("999 000")}},
		"the comment of a window":          {map[int]string{6: "<< /Fields [62 0 R] >>", 7: above + "/Subtype /Popup /Open true >>", 60: value("240")}, map[int]string{60: value("999 000")}},
		"the icon of a button":             {map[int]string{7: "<< /Type /Annot /Subtype /Widget /FT /Btn /Ff 65536 /T (amount) /Rect [20 100 200 130] /F 4 /MK << /I 63 0 R >> >>", 60: font("Helvetica"), 63: strings.Replace(text("240"), "<< /Font << /F1 5 0 R >> >>", "60 0 R", 1)}, map[int]string{60: font("Symbol")}},
		"resources of a page, copied": {map[int]string{3: fmt.Sprintf(page, "4 0 R /Resources << /Font 60 0 R >>"), 60: "<< /Parent 62 0 R /F1 5 0 R >>"},
			map[int]string{3: "with a copy", 60: "<< /Parent 62 0 R /F1 64 0 R >>", 63: "<< /Font 60 0 R >>", 64: "<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>"}},
	} {
		c.signed[62] = field
		if c.signed[6] == "" {
			c.signed[6] = "<< /Fields [62 0 R 7 0 R] >>"
		}
		signed := k.sign(t, upd(formDoc(), c.signed), true)
		if rep := k.look(t, signed, k.trust()); rep.Verdict != validate.Valid {
			t.Errorf("%s: as signed: %s %v", name, rep.Verdict, rep.Signatures[0].Why)
			continue
		}
		if c.later[3] != "" {
			c.later[3] = strings.Replace(current(signed, 3), "/Resources << /Font 60 0 R >>", "/Resources 63 0 R", 1)
		}
		rep := k.look(t, k.stamped(t, updKeys(signed, c.later, ""), "later"), k.trust())
		if s := rep.Signatures[0]; rep.Verdict == validate.Valid || s.Verdict == validate.Valid {
			t.Errorf("%s: %s, signature %s; later: %q", name, rep.Verdict, s.Verdict, s.Later)
		}
	}
}

// D16: the dictionary of a later signature itself, too: a comment that was there without what it takes its text from does not get it so.
func TestD16DictionaryOfALaterSignatureIsDrawn(t *testing.T) {
	k := newKit(t)
	file := func(parent int) []byte {
		orphan := fmt.Sprintf("<< /Type /Annot /Subtype /Widget /FT /Tx /Parent %d 0 R /Rect [20 100 200 130] /F 4 >>", parent)
		return k.stamped(t, k.sign(t, upd(formDoc(), map[int]string{6: "<< /Fields [] >>", 7: orphan}), true), "")
	}
	dictionary := func(file []byte) int {
		d, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
		must(t, err)
		sigs, err := d.Signatures()
		must(t, err)
		return sigs[len(sigs)-1].Object
	}
	n := dictionary(file(150))
	attack := file(n)
	if dictionary(attack) != n {
		t.Fatal("another number")
	}
	if rep := k.look(t, attack, k.trust()); rep.Signatures[0].Verdict == validate.Valid {
		t.Errorf("%s; later: %q", rep.Verdict, rep.Signatures[0].Later)
	}
	if rep := k.look(t, file(150), k.trust()); rep.Verdict != validate.Valid {
		t.Errorf("nothing there: %s %q", rep.Verdict, rep.Signatures[0].Why)
	}
}

// D16: some programs write the number of their next object into the trailer, and it becomes validation data later. A reference
// from the trailer to what was not there is no use of it; one to what was there is.
func TestD16NumbersInATrailer(t *testing.T) {
	k := newKit(t)
	plain := formDoc()
	for name, c := range map[string]struct {
		before map[int]string
		valid  bool
	}{
		"not there yet": {nil, true},
		"there already": {map[int]string{60: "<< /Length 1 >>\nstream\na\nendstream"}, false},
	} {
		signed := k.sign(t, updKeys(plain, c.before, "/AdditionalStreams [/application#2Fodt 60 0 R]"), true)
		root := current(signed, 1)
		file := upd(signed, map[int]string{1: root[:strings.LastIndex(root, ">>")] + " /DSS 60 0 R >>", 60: "<< /Certs [] >>"})
		file = append(bytes.Clone(signed), bytes.Replace(file[len(signed):], []byte("/Size 200"), []byte("/Size 300"), 1)...)
		if rep := k.look(t, file, k.trust()); (rep.Verdict == validate.Valid) != c.valid {
			t.Errorf("%s: %s %v", name, rep.Verdict, rep.Signatures[0].Why)
		}
	}
}

// D16: LibreOffice shows the document that /AdditionalStreams of the trailer leads to in place of the pages. One that comes behind a
// signature is no object that nothing refers to, nor validation data.
func TestD16AnotherDocumentInTheTrailer(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, formDoc(), true)
	root := current(signed, 1)
	for name, objs := range map[string]map[int]string{
		"unused":          {62: stream("", "PK")},
		"validation data": {62: stream("", "PK"), 1: root[:strings.LastIndex(root, ">>")] + " /DSS << /Certs [62 0 R] >> >>"},
	} {
		changed := updKeys(signed, objs, "/AdditionalStreams [/application#2Fvnd.oasis.opendocument.text 62 0 R]")
		for how, file := range map[string][]byte{"bare": changed, "time-stamped": k.stamped(t, changed, "")} {
			if rep := k.look(t, file, k.trust()); rep.Verdict == validate.Valid {
				t.Errorf("%s, %s: valid; later: %q", name, how, rep.Signatures[0].Later)
			}
		}
	}
}
