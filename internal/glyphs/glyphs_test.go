package glyphs

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"pgregory.net/rapid"
)

// D28: Latin, Greek and Cyrillic are shown, with marks composed; what the font
// cannot show is refused by name.
func TestD28Shape(t *testing.T) {
	for _, text := range []string{"Prüfung von Ærø, Łódź", "Υπογράφηκε ψηφιακά", "Подписано: Иван Ѓорѓиев", "e\u0301 \u03b9\u0301"} {
		line, err := Shape(text)
		if err != nil || len(line) == 0 || Width(line) < len(line)*200 {
			t.Errorf("%q: %d glyphs, width %d, %v", text, len(line), Width(line), err)
		}
	}
	composed, _ := Shape("é")
	marked, err := Shape("e\u0301")
	if err != nil || !slices.Equal(composed, marked) {
		t.Errorf("%v is not %v (%v)", marked, composed, err)
	}
	for _, text := range []string{"署名", "a\nb", "q\u0301", "\u202e", "😀", "\u200d"} {
		if _, err := Shape(text); !errors.Is(err, ErrNoGlyph) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The numbers for the font descriptor are those of the font.
func TestMetricsAreTheFonts(t *testing.T) {
	f, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	if f.UnitsPerEm() != UnitsPerEm {
		t.Errorf("%d units per em", f.UnitsPerEm())
	}
	m, err := f.Metrics(nil, fixed.I(UnitsPerEm), font.HintingNone)
	if err != nil || m.Ascent.Round() != Ascent || -m.Descent.Round() != Descent || m.CapHeight.Round() != CapHeight {
		t.Errorf("%+v, %v", m, err)
	}
	b, err := f.Bounds(nil, fixed.I(UnitsPerEm), font.HintingNone)
	got := [4]int{b.Min.X.Floor(), -b.Max.Y.Ceil(), b.Max.X.Ceil(), -b.Min.Y.Floor()}
	if err != nil || got != Box() {
		t.Errorf("box %v, %v", got, err)
	}
}

// A subset holds the outlines of its glyphs, unchanged, and of no others; it is a
// font that others read, and far smaller.
func TestSubset(t *testing.T) {
	whole, err := directory(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	loca, err := offsets(whole)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("aéäłΩάЖЃё (1,;")), 0, 20, -1).Draw(t, "text")
		line, err := Shape(text)
		if err != nil {
			t.Fatal(err)
		}
		var ids []uint16
		for _, g := range line {
			ids = append(ids, g.ID)
		}
		sub, err := Subset(ids)
		if err != nil {
			t.Fatal(err)
		}
		if sum(sub) != 0xB1B0AFBA {
			t.Errorf("checksum of the file is %x", sum(sub))
		}
		tables, err := directory(sub)
		if err != nil {
			t.Fatal(err)
		}
		got, err := offsets(tables)
		if err != nil || len(got) != len(loca) {
			t.Fatalf("%d offsets, %v", len(got), err)
		}
		used, err := closure(whole["glyf"], loca, append(ids, 0))
		if err != nil {
			t.Fatal(err)
		}
		for id := range len(loca) - 1 {
			was, is := whole["glyf"][loca[id]:loca[id+1]], tables["glyf"][got[id]:got[id+1]]
			if !used[uint16(id)] {
				was = nil
			}
			if len(is) < len(was) || len(is) > len(was)+3 || string(is[:len(was)]) != string(was) {
				t.Fatalf("glyph %d: %d bytes, want %d", id, len(is), len(was))
			}
		}
		if len(sub) > 60<<10 {
			t.Errorf("%d bytes", len(sub))
		}
	})
	if _, err := Subset([]uint16{65535}); err == nil {
		t.Error("a glyph that the font does not have")
	}
}
