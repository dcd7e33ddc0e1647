package pdf

import (
	"slices"
	"strings"
	"testing"
)

// D16, ADE-03: the defaults that programs write into a form with a new field for a signature are named and expected where no
// viewer draws anything of the signed revision with them; otherwise they can change what is seen, and count.
func TestD16DefaultsOfTheForm(t *testing.T) {
	const trailer = "/Size 200 /Root 1 0 R /Info 5 0 R"
	const defaults = " /DA (/Helv 0 Tf 0 g) /DR << /Font << /Helv 150 0 R >> >>"
	font := "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
	plain := docSpec{kind: "table"}.build()
	with := func(annot string) []byte {
		page := strings.Replace(objectOf(t, plain, 20), ">>", "/X 0 >>", 1) // an object of its own
		page = page[:strings.LastIndex(page, ">>")] + " /Annots [90 0 R] >>"
		return appendUpdate(plain, newestOffset(t, plain), trailer, map[int]string{20: page, 90: annot})
	}
	for name, c := range map[string]struct {
		in       []byte
		form     string // what the update adds to the form
		expected bool
	}{
		"fonts and look":           {plain, defaults, true},
		"a link":                   {with("<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] >>"), defaults, true},
		"more settings":            {plain, defaults + " /NeedAppearances true", false},
		"a form of another kind":   {plain, defaults + " /XFA [(a) 151 0 R]", false},
		"a text field":             {docSpec{kind: "table", form: "indirect"}.build(), defaults, false},
		"a comment":                {with("<< /Type /Annot /Subtype /FreeText /Rect [0 0 99 99] /DA (/Helv 9 Tf) /Contents (10 EUR) >>"), defaults, false},
		"a field outside the form": {with("<< /Type /Annot /Subtype /Widget /FT /Tx /T (sum) /V (10) /Rect [0 0 99 99] >>"), defaults, false},
		"its kind is above it":     {with("<< /Type /Annot /Subtype /Widget /Parent << /FT /Tx >> /Rect [0 0 99 99] >>"), defaults, false},
		"a kind that is unknown":   {with("<< /Type /Annot /Subtype /Widget /Rect [0 0 99 99] >>"), defaults, false},
		"its parents are a circle": {with("<< /Type /Annot /Subtype /Widget /Parent 90 0 R /Rect [0 0 99 99] >>"), defaults, false},
	} {
		t.Run(name, func(t *testing.T) {
			signed := sign(t, c.in, testOptions())
			number, form := formObject(t, signed)
			b := appendUpdate(signed, newestOffset(t, signed), "/Size 300 /Root 1 0 R /Info 5 0 R", map[int]string{
				number: form[:strings.LastIndex(form, ">>")] + c.form + " >>", 150: font, 151: "<< /Length 0 >>\nstream\n\nendstream",
			})
			changes, err := open(t, b).LaterChanges(signatures(t, b)[0])
			if err != nil {
				t.Fatal(err)
			}
			all := !slices.ContainsFunc(changes, func(ch Change) bool { return !ch.Expected() })
			want := ChangeForm
			if c.expected {
				want = ChangeFormDefaults
			}
			if all != c.expected || !slices.ContainsFunc(changes, func(ch Change) bool { return ch.Kind == want }) {
				t.Errorf("all expected: %t, want %t and %s: %+v", all, c.expected, want, changes)
			}
		})
	}
}

// D16: an update that changes nothing of the form but what its other settings lead to is not lost beside the defaults.
func TestD16WhatAFormLeadsToCounts(t *testing.T) {
	in := docSpec{kind: "table", form: "indirect"}.build()
	number, form := formObject(t, in)
	in = appendUpdate(in, newestOffset(t, in), "/Size 200 /Root 1 0 R", map[int]string{
		number: form[:strings.LastIndex(form, ">>")] + " /XFA [(a) 151 0 R] /DR << /X 150 0 R >> >>", 150: "<< >>", 151: "<< /Length 0 >>\nstream\n\nendstream",
	})
	signed := sign(t, in, testOptions())
	b := appendUpdate(signed, newestOffset(t, signed), "/Size 200 /Root 1 0 R", map[int]string{150: "<< /A 1 >>", 151: "<< /Length 1 >>\nstream\nx\nendstream"})
	changes, err := open(t, b).LaterChanges(signatures(t, b)[0])
	if err != nil || !slices.ContainsFunc(changes, func(c Change) bool { return c.Kind == ChangeForm }) {
		t.Errorf("%+v %v", changes, err)
	}
}

// formObject is the object that is the form.
func formObject(t *testing.T, b []byte) (number int, text string) {
	t.Helper()
	cat, err := open(t, b).catalog()
	if err != nil {
		t.Fatal(err)
	}
	v, err := cat.val.getDict("AcroForm")
	if err != nil {
		t.Fatal(err)
	}
	id, ok := v.asRef()
	if !ok {
		t.Fatalf("the form is %s", v.raw)
	}
	return id.num, objectOf(t, b, id.num)
}
