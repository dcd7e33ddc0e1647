package pdf

import (
	"errors"
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
		"a box twice":                   {strings.Replace(page, "/MediaBox", "/MediaBox [0 0 612 792] /MediaBox", 1), nil, ChangePageContent},
		"another box behind it":         {strings.Replace(page, "/Resources", "/MediaBox [0 0 10 10] /Resources", 1), nil, ChangePageContent},
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

// D16: a key that occurs twice says two things: no dictionary with it is one without, however its values look side by side.
func TestD16KeysThatOccurTwice(t *testing.T) {
	for a, b := range map[string]string{
		"/Rotate 90":               "/Rotate 9 /Rotate 0",
		"/Contents 12 0 R":         "/Contents 1 /Contents 2 0 R",
		"/Resources << /A 1 >>":    "/Resources << /A 1 >> /Resources << /A 2 >>",
		"/AP << /N 5 0 R >>":       "/AP << /N 5 0 R >> /AP << /N 6 0 R >>",
		"/MediaBox [0 0 612 792]":  "/MediaBox [0 0 612 792] /MediaBox [0 0 10 10]",
		"/A 1 /A 23":               "/A 12 /A 3",
		"/A 1 /A 2 /A 3":           "/A 1 /A 3 /A 2",
		"/A [1] /A [2]":            "/A [1] /A [3]",
		"/A << /B 1 >> /A << >>":   "/A << /B 1 >>",
		"/A << /B 1 >> /A << >> ":  "/A << /B 1 >> /A << /C 1 >>",
		"/Contents [5 0 R 6 0 R ]": "/Contents [5 0 R 6 0 R] /Contents [7 0 R]",
	} {
		for _, way := range [][2]string{{a, b}, {b, a}} {
			if keys, err := diffKeys(value{raw: []byte("<< " + way[0] + " >>")}, value{raw: []byte("<< " + way[1] + " >>")}); err != nil || len(keys) != 1 {
				t.Errorf("%s and %s: %q %v", way[0], way[1], keys, err)
			}
		}
		if keys, err := diffKeys(value{raw: []byte("<< " + b + " >>")}, value{raw: []byte("<< " + b + " >>")}); err != nil || len(keys) != 0 {
			t.Errorf("%s and itself: %q %v", b, keys, err)
		}
	}
}

// D16: a second dictionary of resources, which some readers take, is told as an error, since nobody can say what the page is drawn from.
func TestD16ResourcesTwice(t *testing.T) {
	const resources = "/Resources << /Font << /F 80 0 R >> >>"
	base := docSpec{kind: "table"}.build()
	page := strings.Replace(objectOf(t, base, 20), "/Resources << >>", resources, 1)
	font := "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
	signed := sign(t, appendUpdate(base, newestOffset(t, base), "/Size 90 /Root 1 0 R", map[int]string{20: page, 80: font}), testOptions())
	page = strings.Replace(objectOf(t, signed, 20), resources, resources+" "+strings.Replace(resources, "80 0 R", "5 0 R", 1), 1)
	changed := appendUpdate(signed, newestOffset(t, signed), "/Size 300 /Root 1 0 R", map[int]string{20: page})
	if changes, err := open(t, changed).LaterChanges(signatures(t, signed)[0]); !errors.Is(err, ErrMalformed) {
		t.Errorf("%+v %v", changes, err)
	}
}

// D16: the boxes of a page are numbers: one that is written with a fraction of zeros is the same. No other number is, since some readers take a
// whole number only.
func TestD16BoxesAreNumbers(t *testing.T) {
	for _, c := range []struct {
		key, a, b string
		same      bool
	}{
		{"MediaBox", "[0 0 612.0 792]", "[ 0 0 612 792.00 ]", true},
		{"CropBox", "[-1.50 0 612.25 792]", "[-1.5 0.0 612.250 792]", true},
		{"Rect", "[0 0 1 1]", "[0 0 1.0 1]", true},
		{"MediaBox", "[0 0 612 792]", "[0 0 612.1 792]", false},
		{"MediaBox", "[0 0 612 792]", "[0 0 6120 792]", false},
		{"MediaBox", "[0 0 600 792]", "[0 0 6 792]", false},
		{"MediaBox", "[0 0 612 792]", "[0 0 612 792 0]", false},
		{"MediaBox", "[0 0 612 792]", "[0 0 612]", false},
		{"MediaBox", "[0 0 612 792]", "[0 612 0 792.0]", false},
		{"MediaBox", "[0 0 612 792]", "[-0 0 612 792]", false},
		{"MediaBox", "[0 0 612 792]", "[0 0 612. 792]", false},
		{"MediaBox", "[0 0 612 792]", "[0 0 +612 792]", false},
		{"MediaBox", "[0 0 612 792]", "[0 0 0612 792]", false},
		{"MediaBox", "[0 0 612 792]", "[0 0 612.000000000000 792]", false},
		{"MediaBox", "[0 0 612 792]", "[0 0 12 0 R 792]", false},
		{"MediaBox", "[0 0 612 792]", "(0 0 612.0 792)", false},
		{"UserUnit", "1", "1.0", false},
		{"Rotate", "90", "90.0", false},
		{"VP", "[0 0 612 792]", "[0 0 612.0 792]", false},
	} {
		for _, way := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			keys, err := diffKeys(value{raw: []byte("<< /" + c.key + " " + way[0] + " >>")}, value{raw: []byte("<< /" + c.key + " " + way[1] + " >>")})
			if err != nil || (len(keys) == 0) != c.same {
				t.Errorf("%s %s and %s: %q %v", c.key, way[0], way[1], keys, err)
			}
		}
	}
}
