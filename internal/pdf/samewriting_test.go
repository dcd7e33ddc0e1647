package pdf

import (
	"strings"
	"testing"
)

// D16: what is only written otherwise is no change.
func TestD16WhatIsWrittenOtherwise(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"<< /S /Transparency /CS /DeviceRGB >>", "<</CS/DeviceRGB\n/S % a comment\n/Transparency>>", true},
		{"[0 0 595 842]", "[ 0  0\n595 842 ]", true},
		{"<< /F << /A 1 0 R >> /B [(x) <6162>] >>", "<</B[(x)<6162>]/F<</A 1  0\nR>>>>", true},
		{"<< >>", "<<\n>>", true},
		{"[0 1]", "[1 0]", false},
		{"[0 1]", "[0 1 2]", false},
		{"[0 1 2]", "[0 1]", false},
		{"<< /A 1 >>", "<< /A 1 /B 2 >>", false},
		{"<< /A 1 /B 2 >>", "<< /A 1 >>", false},
		{"<< /A 1 /A 1 >>", "<</A 1/A 1>>", false},
		{"<< /A 1 >>", "<< /A 1 /A 2 >>", false},
		{"<< /A 1 0 R >>", "<< /A 2 0 R >>", false},
		{"<< /A 1 0 R >>", "<< /A 1 1 R >>", false},
		{"<< /A 1 0 R >>", "<< /A 1 >>", false},
		{"(a b)", "(a  b)", false},
		{"(a)", "<61>", false},
		{"1", "1.0", false},
		{"/A", "/a", false},
		{"<< /A /B >>", "[/A /B]", false},
		{"<< /A << /B 1 >> >>", "<< /A << /B 2 >> >>", false},
		{"[" + strings.Repeat("0 ", 20_000) + "]", "[ " + strings.Repeat("0 ", 20_000) + "]", false},
	} {
		if got := sameWriting([]byte(c.a), []byte(c.b)); got != c.same {
			t.Errorf("%.60s and %.60s: %t", c.a, c.b, got)
		}
		if got := sameWriting([]byte(c.b), []byte(c.a)); got != c.same {
			t.Errorf("%.60s and %.60s, the other way: %t", c.a, c.b, got)
		}
	}
}

// D16: a program that writes a page anew to put a field on it may order it otherwise and copy its resources; a page that is
// drawn from anything else is named.
func TestD16PagesThatAreWrittenAnew(t *testing.T) {
	base := docSpec{kind: "table"}.build()
	page := strings.Replace(objectOf(t, base, 20), "/Resources << >>", "/Group << /S /Transparency /I true >> /Resources << /Font << /F 80 0 R >> /ProcSet [/PDF] >>", 1)
	font := "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
	signed := sign(t, appendUpdate(base, newestOffset(t, base), "/Size 90 /Root 1 0 R", map[int]string{20: page, 80: font}), testOptions())
	page = objectOf(t, signed, 20)
	const resources = "/Resources << /Font << /F 80 0 R >> /ProcSet [/PDF] >>"
	for name, c := range map[string]struct {
		page string
		more map[int]string
		want ChangeKind
	}{
		"ordered otherwise":             {strings.NewReplacer("/S /Transparency /I true", "/I true\n/S /Transparency", "<< /Font", "<</Font").Replace(page), nil, ""},
		"resources copied":              {strings.Replace(page, resources, "/Resources 150 0 R", 1), map[int]string{150: "<</ProcSet[/PDF]/Font<</F 80 0 R>>>>"}, ""},
		"copied, with another font":     {strings.Replace(page, resources, "/Resources 150 0 R", 1), map[int]string{150: "<</ProcSet[/PDF]/Font<</F 151 0 R>>>>", 151: font}, ChangePageContent},
		"copied, and the font is other": {strings.Replace(page, resources, "/Resources 150 0 R", 1), map[int]string{150: "<</ProcSet[/PDF]/Font<</F 80 0 R>>>>", 80: "<< /Type /Font /Subtype /Type3 >>"}, ChangePageContent},
		"copied, with more in it":       {strings.Replace(page, resources, "/Resources 150 0 R", 1), map[int]string{150: "<</ProcSet[/PDF]/Font<</F 80 0 R>>/XObject<<>>>>"}, ChangePageContent},
		"over an object that was there": {strings.Replace(page, resources, "/Resources 5 0 R", 1), map[int]string{5: "<</ProcSet[/PDF]/Font<</F 80 0 R>>>>"}, ChangePageContent},
		"a stream of the same words":    {strings.Replace(page, resources, "/Resources 150 0 R", 1), map[int]string{150: "<</ProcSet[/PDF]/Font<</F 80 0 R>>>>\nstream\n\nendstream"}, ChangePageContent},
		"another group":                 {strings.Replace(page, "/I true", "/I false", 1), nil, ChangePageContent},
		"a key twice":                   {strings.Replace(page, "/I true", "/I true /I true", 1), nil, ChangePageContent},
	} {
		objs := map[int]string{20: c.page}
		for n, text := range c.more {
			objs[n] = text
		}
		changes, err := open(t, appendUpdate(signed, newestOffset(t, signed), "/Size 300 /Root 1 0 R", objs)).LaterChanges(signatures(t, signed)[0])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ChangeKind("")
		for _, ch := range changes {
			if ch.Kind == ChangePageContent {
				got = ch.Kind
			}
		}
		if got != c.want || c.want == "" && len(changes) > 0 {
			t.Errorf("%s: %+v", name, changes)
		}
	}
}
