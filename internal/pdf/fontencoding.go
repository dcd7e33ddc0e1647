package pdf

import "strings"

// The characters of the standard Latin set (ISO 32000-2, annex D.2) by the names of their glyphs, besides the letters that are their
// own names: those are all that every reader has in the fonts that it takes for others.
const (
	latinNames = "space exclam quotedbl numbersign dollar percent ampersand quotesingle parenleft parenright asterisk plus comma hyphen period slash zero one two three four five six seven eight nine colon semicolon less equal greater question at bracketleft backslash bracketright asciicircum underscore grave braceleft bar braceright asciitilde exclamdown cent sterling currency yen brokenbar section dieresis copyright ordfeminine guillemotleft logicalnot registered macron degree plusminus twosuperior threesuperior acute mu paragraph periodcentered cedilla onesuperior ordmasculine guillemotright onequarter onehalf threequarters questiondown Agrave Aacute Acircumflex Atilde Adieresis Aring AE Ccedilla Egrave Eacute Ecircumflex Edieresis Igrave Iacute Icircumflex Idieresis Eth Ntilde Ograve Oacute Ocircumflex Otilde Odieresis multiply Oslash Ugrave Uacute Ucircumflex Udieresis Yacute Thorn germandbls agrave aacute acircumflex atilde adieresis aring ae ccedilla egrave eacute ecircumflex edieresis igrave iacute icircumflex idieresis eth ntilde ograve oacute ocircumflex otilde odieresis divide oslash ugrave uacute ucircumflex udieresis yacute thorn ydieresis dotlessi Lslash lslash OE oe Scaron scaron Ydieresis Zcaron zcaron florin circumflex caron breve dotaccent ring ogonek tilde hungarumlaut endash emdash quoteleft quoteright quotesinglbase quotedblleft quotedblright quotedblbase dagger daggerdbl bullet ellipsis perthousand guilsinglleft guilsinglright fraction Euro trademark minus fi fl"
	latinRunes = " !\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`{|}~¡¢£¤¥¦§¨©ª«¬®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿıŁłŒœŠšŸŽžƒˆˇ˘˙˚˛˜˝–—‘’‚“”„†‡•…‰‹›⁄€™−ﬁﬂ"
)

var latin = func() map[string]rune {
	out := map[string]rune{}
	runes := []rune(latinRunes)
	for i, name := range strings.Fields(latinNames) {
		out[name] = runes[i]
	}
	for c := 'A'; c <= 'Z'; c++ {
		out[string(c)], out[string(c+'a'-'A')] = c, c+'a'-'A'
	}
	return out
}()

// encodingTable is what the octets from 0x80 mean; 0 for what has no meaning.
type encodingTable [128]rune

// winAnsi and macRoman are those of annex D.2. Below, they are ASCII.
var winAnsi, macRoman = func() (win, mac encodingTable) {
	for i, r := range []rune("€•‚ƒ„…†‡ˆ‰Š‹Œ•Ž••‘’“”•–—˜™š›œ•žŸ") {
		win[i] = r
	}
	for i := 0x20; i < len(win); i++ {
		win[i] = rune(0x80 + i)
	}
	copy(mac[:], []rune("ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨\x00ÆØ\x00±\x00\x00¥µ\x00\x00\x00\x00\x00ªº\x00æø¿¡¬\x00ƒ\x00\x00«»… ÀÃÕŒœ–—“”‘’÷\x00ÿŸ⁄¤‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\x00ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ"))
	return win, mac
}()

// encoding is that of a simple font, as far as all readers know it.
type encoding struct {
	base   *encodingTable // nil: another, of which all agree in ASCII
	expert bool           // not even that
	differ map[byte]string
}

// encodingOf reads /Encoding (ISO 32000-2, 9.6.5).
func (d *Document) encodingOf(v value) (encoding, error) {
	var e encoding
	if !v.isDict() {
		e.named(v.name())
		return e, nil
	}
	base, err := d.key(v, "BaseEncoding")
	if err != nil {
		return e, err
	}
	e.named(base.name())
	differ, err := d.key(v, "Differences")
	if err != nil || !differ.isArray() {
		return e, err
	}
	if err := d.spend(int64(len(differ.raw))); err != nil {
		return e, err
	}
	e.differ = map[byte]string{}
	code := int64(0)
	var inner error
	err = differ.eachElem(func(x value) bool {
		if x, inner = d.resolve(x); inner != nil {
			return false
		}
		if n, ok := x.asInt(); ok {
			code = n
			return true
		}
		if code >= 0 && code < 256 {
			e.differ[byte(code)] = x.name()
		}
		code++
		return true
	})
	return e, firstError(inner, err)
}

func (e *encoding) named(name string) {
	switch name {
	case "WinAnsiEncoding":
		e.base = &winAnsi
	case "MacRomanEncoding":
		e.base = &macRoman
	case "MacExpertEncoding":
		e.expert = true
	}
}

// character is what an octet means, 0 if that is not known; what is below a space is drawn by nobody.
func (e *encoding) character(c byte) rune {
	if name, differs := e.differ[c]; differs {
		return latin[name]
	}
	switch {
	case e.expert:
		return 0
	case c < 0x20:
		return ' '
	case c < 0x7f:
		return rune(c)
	case c == 0x7f && e.base == &winAnsi:
		return '•' // what has no meaning in it is drawn so by all readers
	case c == 0x7f || e.base == nil:
		return 0
	}
	return e.base[c-0x80]
}

// safe are the codes whose meaning all readers know.
func (e *encoding) safe() *codeSet {
	out := &codeSet{}
	for c := range 256 {
		if e.character(byte(c)) != 0 {
			out.add(byte(c))
		}
	}
	return out
}
