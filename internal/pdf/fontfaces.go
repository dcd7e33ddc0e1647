package pdf

import (
	"regexp"
	"slices"
	"strings"
)

// Fonts that are not embedded. Each reader takes another instead, and that is a matter of looks as long as all know which characters
// are meant. Where they are known by numbers of glyphs in a font that is not there, by names that not all know, or by codes to which
// no encoding gives a meaning, each shows another text (ADE-04).

// fontFace is what was found about a font.
type fontFace struct {
	why  string   // something about the font as a whole
	some string   // something about the codes that are not in safe
	safe *codeSet // nil: all
}

// oddFont says why readers show another text in a font, of the codes that are shown (ADE-04).
func (d *Document) oddFont(o object, codes *codeSet) (string, error) {
	face, known := d.fonts[o.id.num]
	if !known || o.id.num == 0 {
		var err error
		if face, err = d.faceOf(o.val); err != nil {
			return "", err
		}
		if d.fonts == nil {
			d.fonts = map[int]fontFace{}
		}
		d.fonts[o.id.num] = face
	}
	if face.why != "" || face.safe == nil || codes == nil {
		return face.why, nil
	}
	for i := range codes {
		if codes[i]&^face.safe[i] != 0 {
			return face.some, nil
		}
	}
	return "", nil
}

func (d *Document) faceOf(font value) (fontFace, error) {
	v, err := font.values("Subtype", "BaseFont", "FontDescriptor", "Encoding", "DescendantFonts")
	if err != nil {
		return fontFace{}, err
	}
	if err := d.spend(int64(len(font.raw))); err != nil {
		return fontFace{}, err
	}
	for i := range v {
		if v[i], err = d.resolve(v[i]); err != nil {
			return fontFace{}, err
		}
	}
	switch kind := v[0].name(); {
	case kind == "Type3":
		odd, err := d.oddGlyphs(font)
		if odd {
			return fontFace{why: "glyphs that readers draw in different ways"}, err
		}
		return fontFace{}, err
	case v[1].name() == "":
		return fontFace{why: "a font without a name"}, nil
	case kind == "Type0":
		return d.compositeFace(v[3], v[4])
	case !slices.Contains([]string{"Type1", "MMType1", "TrueType"}, kind):
		return fontFace{why: "a font of no kind"}, nil
	}
	embedded, flags, err := d.described(v[2])
	if err != nil || embedded {
		return fontFace{}, err
	}
	return d.simpleFace(v[1].name(), flags, v[3])
}

// described tells whether a descriptor brings the font, and its flags.
func (d *Document) described(desc value) (embedded bool, flags int64, err error) {
	if !desc.isDict() {
		return false, 0, nil
	}
	for _, key := range []string{"FontFile", "FontFile2", "FontFile3"} {
		at, _, err := desc.find(key)
		if err != nil {
			return false, 0, err
		}
		if at == 0 {
			continue
		}
		file, err := desc.get(key)
		if err != nil {
			return false, 0, err
		}
		o, err := d.objectOf(file)
		if err != nil || o.stream >= 0 {
			return err == nil, 0, err
		}
	}
	flags, err = d.keyInt(desc, "Flags", 0)
	return false, flags, err
}

// knownCMaps are those that every reader has (ISO 32000-2, table 116), besides Identity.
var knownCMaps = regexp.MustCompile(`^(?:GB(?:-EUC|pc-EUC|K-EUC|Kp-EUC|K2K)|UniGB-(?:UCS2|UTF16)|B5pc|HKscs-B5|ETen-B5|ETenms-B5|CNS-EUC|UniCNS-(?:UCS2|UTF16)|` +
	`83pv-RKSJ|90ms-RKSJ|90msp-RKSJ|90pv-RKSJ|Add-RKSJ|EUC|Ext-RKSJ|UniJIS-(?:UCS2|UCS2-HW|UTF16)|KSC-EUC|KSCms-UHC|KSCms-UHC-HW|KSCpc-EUC|UniKS-(?:UCS2|UTF16))-[HV]$|^[HV]$`)

// collections are those whose numbers all readers know as characters (ISO 32000-2, 9.7.3).
var collections = []string{"GB1", "CNS1", "Japan1", "Korea1", "KR"}

// compositeFace judges a Type 0 font.
func (d *Document) compositeFace(encoding, below value) (fontFace, error) {
	list, err := d.elements(below)
	if err != nil {
		return fontFace{}, err
	}
	if !below.isArray() || len(list) != 1 || !list[0].isDict() {
		return fontFace{why: "a font without the one that it is made of"}, nil
	}
	name := encoding.name()
	identity := name == "Identity-H" || name == "Identity-V"
	if !identity && !encoding.isDict() && !knownCMaps.MatchString(name) {
		return fontFace{why: "a font with an unknown encoding"}, nil
	}
	desc, err := d.key(list[0], "FontDescriptor")
	if err != nil {
		return fontFace{}, err
	}
	embedded, _, err := d.described(desc)
	if err != nil || embedded {
		return fontFace{}, err
	}
	info, err := d.key(list[0], "CIDSystemInfo")
	if err != nil || !info.isDict() {
		return fontFace{why: notThere}, err
	}
	order, err := d.key(info, "Ordering")
	if err != nil {
		return fontFace{}, err
	}
	if text, err := d.text(order); err != nil || !slices.Contains(collections, text) {
		return fontFace{why: notThere}, err
	}
	return fontFace{}, nil
}

const (
	notThere   = "a font that is not in the file, with texts in numbers of its glyphs"
	notEncoded = "a font that is not in the file, with characters that not all readers know"
)

var subsetTag = regexp.MustCompile(`^[A-Z]{6}\+`)

// pictures are parts of the names of fonts that have no letters.
var pictures = []string{"symbol", "dingbat", "wingding", "webding", "marlett"}

// ofPictures tells whether a font has no letters.
func ofPictures(name string) bool {
	lower := strings.ToLower(name)
	return slices.ContainsFunc(pictures, func(p string) bool { return strings.Contains(lower, p) })
}

const symbolicFlag = 1 << 2

// simpleFace judges a simple font that is not embedded.
func (d *Document) simpleFace(name string, flags int64, encoding value) (fontFace, error) {
	name = subsetTag.ReplaceAllString(name, "")
	if name == "Symbol" || name == "ZapfDingbats" {
		if encoding.isDict() {
			differ, err1 := encoding.get("Differences")
			base, err2 := encoding.get("BaseEncoding")
			if err := firstError(err1, err2); err != nil || differ.isNull() && base.isNull() {
				return fontFace{some: notEncoded, safe: builtIn(name)}, err
			}
		}
		if !encoding.isNull() {
			return fontFace{why: notEncoded}, nil
		}
		return fontFace{some: notEncoded, safe: builtIn(name)}, nil
	}
	if ofPictures(name) {
		return fontFace{why: notEncoded}, nil
	}
	e, err := d.encodingOf(encoding)
	if err != nil {
		return fontFace{}, err
	}
	if flags&symbolicFlag != 0 && e.base != nil {
		e.base = nil // Ghostscript does not take it
	}
	return fontFace{some: notEncoded, safe: e.safe()}, nil
}

// builtIn are the codes of the two standard fonts without letters.
func builtIn(name string) *codeSet {
	out := &codeSet{}
	for c := range 256 {
		high := c >= 0xa1 && c <= 0xfe && c != 0xf0
		if c < 0x7f || high || name == "ZapfDingbats" && c >= 0x80 && c <= 0x8d {
			out.add(byte(c))
		}
	}
	return out
}
