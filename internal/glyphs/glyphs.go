// Package glyphs is the font of visible signatures: it turns text into glyphs of
// the Go typeface (Latin, Greek, Cyrillic), measures it, and cuts the font down
// to the glyphs that a document uses, so that it can be embedded.
package glyphs

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/norm"
)

// ErrNoGlyph means that the font cannot show a character; the message names it.
var ErrNoGlyph = errors.New("glyphs: the font has no such character")

// Name is the PostScript name of the font.
const Name = "GoRegular"

// UnitsPerEm is the font's own scale.
const UnitsPerEm = 2048

// Metrics of the font in its own units, for a font descriptor (ISO 32000-1,
// table 122).
const (
	Ascent    = 1935
	Descent   = -432
	CapHeight = 1480
)

// Box is the font's bounding box in its own units.
func Box() [4]int { return [4]int{-440, -543, 2160, 2291} }

var parsed = sync.OnceValues(func() (*sfnt.Font, error) { return sfnt.Parse(goregular.TTF) })

// Glyph is one glyph of a text: its number in the font, the character it stands
// for and its advance in font units.
type Glyph struct {
	ID      uint16
	Rune    rune
	Advance int
}

// Shape turns one line of text into glyphs. The text is composed first (NFC), so
// that letters with marks use the font's own; a mark that no letter takes, a
// control character, and any character that the font lacks is ErrNoGlyph: a
// signature must not show less than what it says.
func Shape(text string) ([]Glyph, error) {
	f, err := parsed()
	if err != nil {
		return nil, fmt.Errorf("glyphs: %w", err)
	}
	var buf sfnt.Buffer
	var out []Glyph
	for _, r := range norm.NFC.String(text) {
		id, err := f.GlyphIndex(&buf, r)
		if err != nil {
			return nil, fmt.Errorf("glyphs: %w", err)
		}
		if id == 0 || r < 0x20 || norm.NFC.PropertiesString(string(r)).CCC() != 0 {
			return nil, fmt.Errorf("%w: %q (U+%04X)", ErrNoGlyph, r, r)
		}
		adv, err := f.GlyphAdvance(&buf, id, fixed.I(UnitsPerEm), font.HintingNone)
		if err != nil {
			return nil, fmt.Errorf("glyphs: %w", err)
		}
		out = append(out, Glyph{uint16(id), r, adv.Round()})
	}
	return out, nil
}

// Width is the width of a line in font units.
func Width(line []Glyph) (w int) {
	for _, g := range line {
		w += g.Advance
	}
	return w
}
