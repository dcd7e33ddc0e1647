package pdf

const (
	// mostNames bounds the names of resources that one content may use, allNames those of all contents.
	mostNames = 10_000
	allNames  = 1 << 18
	// mostTexts bounds the texts in front of one operator.
	mostTexts = 1 << 16
)

// contentUses is what a content makes use of.
type contentUses struct {
	names map[resourceName]bool
	order []resourceName // names as they come, so that a file has the same reason each time
	// codes are the octets of the texts that are shown in a font.
	codes map[string]*codeSet
	many  bool // more names or texts than there may be
}

// resourceName is a name in a content, and the part of the resources that it stands in (ISO 32000-2, table 34).
type resourceName struct{ part, name string }

// codeSet is a set of octets.
type codeSet [4]uint64

func (c *codeSet) add(b byte) { c[b>>6] |= 1 << (b & 63) }

func (u *contentUses) name(part, name string) {
	if u.names == nil {
		u.names, u.codes = map[resourceName]bool{}, map[string]*codeSet{}
	}
	use := resourceName{part, name}
	if u.many = u.many || len(u.names) >= mostNames; !u.many && !u.names[use] {
		u.names[use], u.order = true, append(u.order, use)
	}
}

// show notes that a text is shown in a font.
func (u *contentUses) show(font string, text []byte) {
	u.name("Font", font)
	set := u.codes[font]
	if set == nil {
		if u.many {
			return
		}
		set = &codeSet{}
		u.codes[font] = set
	}
	for _, c := range text {
		set.add(c)
	}
}

// drawnState follows a content as far as it says what is used, and what may stand where (ISO 32000-2, figure 9 and 9.4.1).
type drawnState struct {
	uses   contentUses
	texts  func(font string, text []byte) // also called for each text that is shown, if set; font as below
	other  bool                           // something is drawn beside texts that are seen
	inText bool
	font   string   // "/" and its name; "" if none was chosen, anotherFont of a state
	saved  []string // the fonts of q without Q

	name, number []byte   // the last ones in front of the present token
	strings      [][]byte // all texts in front of it
}

// anotherFont is what may have been chosen by gs: that of the state is judged with it. Fonts by name have a slash in front.
const anotherFont = "gs"

// operand notes an operand; those in arrays count as far as they are texts.
func (s *drawnState) operand(word []byte, kind tokenKind, alone bool) {
	switch {
	case kind == tokString || kind == tokHex:
		if s.uses.many = s.uses.many || len(s.strings) >= mostTexts; !s.uses.many {
			s.strings = append(s.strings, word)
		}
	case !alone:
	case kind == tokName:
		s.name = word
	case kind == tokNumber:
		s.number = word
	}
}

func (s *drawnState) forget() { s.name, s.number, s.strings = nil, nil, s.strings[:0] }

// usedIn is the part of the resources in which the name of an operator stands.
var usedIn = map[string]string{"Do": "XObject", "gs": "ExtGState", "sh": "Shading", "CS": "ColorSpace", "cs": "ColorSpace"}

// deviceSpaces need no resources.
var deviceSpaces = map[string]bool{"DeviceGray": true, "DeviceRGB": true, "DeviceCMYK": true, "Pattern": true}

// operator says what is odd about an operator that has its operands.
func (s *drawnState) operator(op string, args []byte) string {
	if part := usedIn[op]; part != "" {
		if name := string(decodeName(s.name)); part != "ColorSpace" || !deviceSpaces[name] {
			s.uses.name(part, name)
		}
	}
	switch op {
	case "SCN", "scn":
		if args[len(args)-1] == 'N' {
			s.uses.name("Pattern", string(decodeName(s.name)))
		}
	case "gs":
		s.font = anotherFont
	case "Tf":
		s.font = "/" + string(decodeName(s.name))
	case "Tj", "TJ", "'", "\"":
		return s.show()
	case "Tr":
		// Of another mode, 3.0 among them, some draw the text and others do not.
		if len(s.number) != 1 || s.number[0] > '7' {
			return "a text that is to be drawn in a way that does not exist"
		}
		s.other = s.other || s.number[0] > '2'
	}
	return s.nest(op)
}

func (s *drawnState) show() string {
	if s.font == "" {
		return "a text without a font"
	}
	for _, word := range s.strings {
		text := stringBytes(word)
		if s.font != anotherFont {
			s.uses.show(s.font[1:], text)
		}
		if s.texts != nil {
			s.texts(s.font, text)
		}
	}
	if s.font != anotherFont {
		s.uses.name("Font", s.font[1:])
	}
	return ""
}

// nest says what stands where it may not.
func (s *drawnState) nest(op string) string {
	switch op {
	case "BT":
		if s.inText {
			return "a text object within another" // MuPDF, Ghostscript and PDFium forget what it clips
		}
		s.inText = true
	case "ET":
		if !s.inText {
			return "the end of a text object that does not begin"
		}
		s.inText = false
	case "q":
		if s.saved = append(s.saved, s.font); len(s.saved) > mostSaved {
			return "states that are saved too deep"
		}
	case "Q":
		n := len(s.saved) - 1
		if n < 0 {
			return "Q without q"
		}
		s.font, s.saved = s.saved[n], s.saved[:n]
	}
	if s.inText && withinText[op] != "" {
		return withinText[op]
	}
	return ""
}

// withinText are operators after which readers do not draw a text object at one place: some restore where the next text stands, and
// Poppler leaves out what follows a path.
var withinText = func() map[string]string {
	out := map[string]string{"q": "a state that is saved within a text object", "Q": "a state that is restored within a text object"}
	for _, op := range []string{"m", "l", "c", "v", "y", "h", "re", "S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "n", "W", "W*"} {
		out[op] = "a path within a text object"
	}
	return out
}()

// end says what does not end.
func (s *drawnState) end() string {
	switch {
	case s.inText:
		return "a text object that does not end"
	case s.uses.many:
		return "too many names of resources, or texts at once"
	}
	return ""
}
