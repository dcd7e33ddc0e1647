package pdf

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// D25: an existing empty field is signed in place: same object, no new field.
func TestD25ExistingEmptyFieldIsUsed(t *testing.T) {
	for _, kind := range []string{"table", "stream", "hybrid"} {
		in := docSpec{kind: kind, packed: true, form: "direct", sigField: true}.build()
		opt := testOptions()
		opt.Field = "Approval"
		out, p := prepare(t, in, opt)
		if _, err := ReadPrepared(out, p.Size); err != nil {
			t.Error(err)
		}
		signed := sign(t, in, opt)
		sigs := signatures(t, signed)
		if len(sigs) != 1 || sigs[0].Field != "Approval" || !sigs[0].CoversWholeFile {
			t.Fatalf("%+v", sigs)
		}
		if got := fieldNames(t, signed); strings.Join(got, ",") != "name,Approval" {
			t.Errorf("fields %v", got)
		}
		qpdfClean(t, signed)
		refused(t, signed, opt, ErrField) // signed already
	}
}

// Fields that cannot be signed are refused by name.
func TestUnusableFieldsAreRefused(t *testing.T) {
	withField := func(field string) []byte {
		return buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R] >> >>",
			plainPages, plainPage, plainContent, field)
	}
	for name, c := range map[string]struct {
		in    []byte
		field string
		want  error
	}{
		"text field":     {withField("<< /FT /Tx /T (a) >>"), "a", ErrField},
		"no such group":  {withField("<< /FT /Tx /T (a) >>"), "b.c", ErrField},
		"group":          {withField("<< /T (a) /Kids [<< /T (b) /FT /Sig >>] >>"), "a", ErrField},
		"direct field":   {withField("<< /T (a) /Kids [<< /T (b) /FT /Sig >>] >>"), "a.b", ErrUnsupported},
		"lock with P":    {withField("<< /FT /Sig /T (a) /Lock << /Action /All /P 1 >> >>"), "a", ErrUnsupported},
		"lock of none":   {withField("<< /FT /Sig /T (a) /Lock << /Action /Include /Fields [] >> >>"), "a", ErrMalformed},
		"unknown lock":   {withField("<< /FT /Sig /T (a) /Lock << /Action /Some >> >>"), "a", ErrMalformed},
		"no lock at all": {withField("<< /FT /Sig /T (a) /Lock (x) >>"), "a", ErrMalformed},
		"required seeds": {withField("<< /FT /Sig /T (a) /SV << /Ff 2 >> >>"), "a", ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			opt := testOptions()
			opt.Field = c.field
			refused(t, c.in, opt, c.want)
		})
	}
}

// New names do not collide, whatever their encoding.
func TestNewFieldNameIsFree(t *testing.T) {
	in := buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R 6 0 R] >> >>",
		plainPages, plainPage, plainContent, "<< /FT /Tx /T (Signature1) >>", "<< /FT /Tx /T <FEFF005300690067006E006100740075007200650032> >>")
	if _, p := prepare(t, in, testOptions()); p.Field != "Signature3" {
		t.Errorf("field %q", p.Field)
	}
}

// D15, ADE-06: what an earlier signature forbids is refused; what it permits is done.
func TestD15EarlierLocksAreHonoured(t *testing.T) {
	for name, c := range map[string]struct {
		reference, lock, field string
		want                   error
	}{
		"DocMDP 1":                {"<< /TransformMethod /DocMDP /TransformParams << /P 1 >> >>", "", "", ErrForbidden},
		"DocMDP 2":                {"<< /TransformMethod /DocMDP /TransformParams << /P 2 >> >>", "", "", nil},
		"DocMDP default":          {"<< /TransformMethod /DocMDP /TransformParams << /V /1.2 >> >>", "", "", nil},
		"FieldMDP all":            {"<< /TransformMethod /FieldMDP /TransformParams << /Action /All >> >>", "", "", ErrForbidden},
		"FieldMDP include":        {"<< /TransformMethod /FieldMDP /TransformParams << /Action /Include /Fields [(b)] >> >>", "", "b", ErrForbidden},
		"FieldMDP include others": {"<< /TransformMethod /FieldMDP /TransformParams << /Action /Include /Fields [(c)] >> >>", "", "b", nil},
		"FieldMDP exclude":        {"<< /TransformMethod /FieldMDP /TransformParams << /Action /Exclude /Fields [(c)] >> >>", "", "b", ErrForbidden},
		"lock dictionary":         {"", "/Lock << /Action /Include /Fields [(b)] >>", "b", ErrForbidden},
		"lock with P 1":           {"", "/Lock << /Action /Include /Fields [(c)] /P 1 >>", "b", ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			in := buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R 7 0 R] >> >>",
				plainPages, plainPage, plainContent, "<< /FT /Sig /T (a) /V 6 0 R "+c.lock+" >>",
				"<< /Type /Sig /Contents <00> /ByteRange [0 1 2 3] /Reference ["+c.reference+"] >>", "<< /FT /Sig /T (b) >>")
			opt := testOptions()
			opt.Field = c.field
			if c.want != nil {
				refused(t, in, opt, c.want)
				return
			}
			prepare(t, in, opt)
		})
	}
}

// A field tree that loops, or that lists one field many times, ends.
func TestFieldTreeLoopsEnd(t *testing.T) {
	in := buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R 5 0 R] >> >>",
		plainPages, plainPage, plainContent, "<< /T (a) /Kids [6 0 R] >>", "<< /T (b) /Kids [5 0 R 6 0 R] >>")
	signed := sign(t, in, testOptions())
	if s := signatures(t, signed); len(s) != 1 {
		t.Errorf("%+v", s)
	}
}

// Dates are read in all their spellings; what is none is no date.
func TestDates(t *testing.T) {
	zone := time.FixedZone("", -(5*3600 + 30*60))
	for s, want := range map[string]time.Time{
		"D:20260304050607Z":       testTime,
		"D:20260304050607Z00'00'": testTime,
		"20260304050607":          testTime,
		"D:20260304050607-05'30'": time.Date(2026, 3, 4, 5, 6, 7, 0, zone),
		"D:20260304050607-05'30":  time.Date(2026, 3, 4, 5, 6, 7, 0, zone),
		"D:2026":                  time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got, ok := parseTime(s); !ok || !got.Equal(want) {
			t.Errorf("%s: %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "D:", "D:20260231", "D:20261301", "yesterday", "D:20260304050607+9", "D:202603040506070'"} {
		if got, ok := parseTime(s); ok {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}

// Duplicate keys are ambiguous: readers disagree which one counts.
func TestDuplicateKeysAreRefused(t *testing.T) {
	for _, catalog := range []string{
		"<< /Type /Catalog /Pages 2 0 R /Pages 9 0 R >>",
		"<< /Type /Catalog /Pages 2 0 R /AcroForm null /Acro#46orm null >>",
	} {
		refused(t, buildPDF("/Root 1 0 R", catalog, plainPages, plainPage, plainContent), testOptions(), ErrMalformed)
	}
}

// Damaged cross-references are rebuilt as others do, but never in a signed file,
// where the rebuilt view might differ from the one that was signed.
func TestRepairOnlyUnsignedFiles(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"startxref": func(b []byte) []byte {
			i := bytes.LastIndex(b, []byte("startxref"))
			return append(bytes.Clone(b[:i]), "startxref\n7\n%%EOF\n"...)
		},
		"object offsets": func(b []byte) []byte {
			return bytes.Replace(bytes.Clone(b), []byte("00000 n"), []byte("00001 n"), 3)
		},
		"Prev loop": func(b []byte) []byte {
			i := bytes.LastIndex(b, []byte("startxref\n"))
			var off int
			_, _ = fmt.Sscanf(string(b[i:]), "startxref\n%d", &off)
			return bytes.Replace(bytes.Clone(b), []byte("/Root"), []byte(fmt.Sprintf("/Prev %d /Root", off)), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := damage(plainPDF())
			out, p := prepare(t, in, testOptions())
			if hole, err := ReadPrepared(out, p.Size); err != nil || hole.ByteRange != p.ByteRange {
				t.Errorf("ReadPrepared: %v", err)
			}
			signed := sign(t, in, testOptions())
			if d := open(t, signed); d.Repaired() {
				t.Error("the signed file still needs a repair")
			}
			qpdfClean(t, signed)
		})
	}
	signed := sign(t, plainPDF(), testOptions())
	i := bytes.LastIndex(signed, []byte("startxref"))
	refused(t, append(bytes.Clone(signed[:i]), "startxref\n7\n%%EOF\n"...), testOptions(), ErrMalformed)
}

// Inspect names what a signer should know; an escape in a name hides nothing.
func TestInspectNamesWhatSignersShouldKnow(t *testing.T) {
	in := docSpec{kind: "stream", packed: true, flate: true, pages: 3, form: "direct", sigField: true,
		catalog: "/OpenAction << /S /Java#53cript /#4aS (x) >> /OCProperties << >> /Names << /EmbeddedFiles << >> >> /AA << /WC << /S /Launch >> >>"}.build()
	s, err := Inspect(bytes.NewReader(in), int64(len(in)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := Summary{Pages: 3, Fields: 1, EmptyFields: []string{"Approval"}, JavaScript: true, Launch: true, EmbeddedFiles: true, HiddenLayers: true,
		Unused:   true, // an annotation that no page has
		Twofaced: true, Why: "a text without a font"}
	if fmt.Sprint(s) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", s, want)
	}
	if len(s.Warnings()) != 7 || len(s.Hazards()) != 6 {
		t.Errorf("%v", s.Warnings())
	}
	plain, err := Inspect(bytes.NewReader(plainPDF()), int64(len(plainPDF())), Limits{})
	if err != nil || fmt.Sprint(plain) != fmt.Sprint(Summary{Pages: 1}) || len(plain.Warnings()) > 0 {
		t.Errorf("plain: %+v, %v", plain, err)
	}
}

// ADE-04: content that nothing uses waits to be put in place of what is shown (shadow
// attacks, replace); what readers find without a reference is none.
func TestADE04UnusedContentIsFlagged(t *testing.T) {
	for name, c := range map[string]struct {
		object string
		want   bool
	}{
		"none":              {"null", false},
		"content stream":    {"<< /Length 4 >>\nstream\nQ q \nendstream", true},
		"font":              {"<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>", true},
		"page":              {"<< /Type /Page /Parent 2 0 R >>", true},
		"catalogue":         {"<< /Type /Cat#61log /Pages 2 0 R >>", true},
		"image":             {"<< /Type /XObject /Subtype /Image /Length 0 >>\nstream\n\nendstream", true},
		"annotation":        {"<< /Type /Annot /Subtype /Stamp >>", true},
		"number":            {"12", false},
		"dictionary":        {"<< /Producer (x) >>", false},
		"linearization":     {"<< /Linearized 1 /L 1000 /H [ 10 10 ] /O 3 /E 500 /N 1 /T 900 >>", false},
		"hints":             {"<< /S 36 /Length 0 >>\nstream\n\nendstream", false},
		"metadata":          {"<< /Type /Metadata /Subtype /XML /Length 0 >>\nstream\n\nendstream", true},
		"posing as a table": {"<< /Type /XRef /Length 4 >>\nstream\nQ q \nendstream", true},
		"used by an unused": {"<< /Type /Page /Contents 4 0 R >>", true},
	} {
		in := buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R >>", plainPages, plainPage, plainContent, c.object)
		s, err := Inspect(bytes.NewReader(in), int64(len(in)), Limits{})
		if err != nil || s.Unused != c.want || (len(s.Hazards()) > 0) != c.want {
			t.Errorf("%s: %v, %q, %v", name, s.Unused, s.Hazards(), err)
		}
	}
}

// ADE-04: what is on paper and not on the screen, what appears later, and what is taken
// from another file.
func TestADE04WhatNamesDoNotSay(t *testing.T) {
	for object, want := range map[string]bool{
		"<< /Type /Annot /Subtype /Stamp /Rect [0 0 9 9] /F 36 >>":                   true, // printed, not viewed
		"<< /Type /Annot /Subtype /Stamp /Rect [0 0 9 9] /F 2 >>":                    true, // hidden
		"<< /Type /Annot /Subtype /Stamp /Rect [0 0 9 9] /F 256 >>":                  true, // appears under the mouse
		"<< /Type /Annot /Subtype /Stamp /Rect [0 0 9 9] /F 4 >>":                    true, // each reader draws its own
		"<< /Type /Annot /Subtype /Stamp /Rect [0 0 9 9] /F 4 /AP << /N 4 0 R >> >>": false,
		"<< /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /F 2 >>":                   false, // an invisible signature
		"<< /Type /XObject /Subtype /Image /Length 0 /F (x) >>\nstream\n\nendstream": true,
		"<< /Alternates [ << /DefaultForPrinting true >> ] >>":                       true,
		"<< /S /Hide /T (x) >>":            true,
		"<< /S /GoTo /D [ 3 0 R /Fit ] >>": false,
	} {
		in := buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R /Use 5 0 R >>", plainPages, plainPage, plainContent, object)
		s, err := Inspect(bytes.NewReader(in), int64(len(in)), Limits{})
		if err != nil || (len(s.Hazards()) > 0) != want {
			t.Errorf("%s: %q, %v", object, s.Hazards(), err)
		}
	}
}

// D25, ISO 32000-1, 12.8.2.4: a signature in a field that wants others locked says so,
// and afterwards those are locked and the others are not.
func TestFieldLocksAreSigned(t *testing.T) {
	for lock, c := range map[string]struct {
		locked, free string
	}{
		"<< /Type /SigFieldLock /Action /All >>":                            {"b", ""},
		"<< /Action /Include /Fields [(b) <FEFF03A9>] >>":                   {"b", "c"},
		"<< /Action /Include /Fields [(x) <FEFF03A9>] >>":                   {"Ω", "b"},
		"<< /Type /SigFieldLock /Action /Exclude /Fields [(b) (Ω\\051)] >>": {"c", "b"},
	} {
		t.Run(lock, func(t *testing.T) {
			in := buildPDF("/Root 1 0 R", "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R 6 0 R 7 0 R 8 0 R] >> >>",
				plainPages, plainPage, plainContent, "<< /FT /Sig /T (a) /Lock "+lock+" >>", "<< /FT /Sig /T (b) >>", "<< /FT /Sig /T (c) >>", "<< /FT /Sig /T <FEFF03A9> >>")
			opt := testOptions()
			opt.Field = "a"
			out, p := prepare(t, in, opt)
			if _, err := ReadPrepared(out, p.Size); err != nil {
				t.Fatalf("not read back: %v", err)
			}
			signed := sign(t, in, opt)
			qpdfClean(t, signed)
			if dict := objectOf(t, signed, signatures(t, signed)[0].Object); !strings.Contains(dict, "/FieldMDP /Data 1 0 R") {
				t.Errorf("the signature locks nothing: %s", dict)
			}
			opt.Field = c.locked
			refused(t, signed, opt, ErrForbidden)
			if c.free != "" {
				opt.Field = c.free
				prepare(t, signed, opt)
			}
		})
	}
}
