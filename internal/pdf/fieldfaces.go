package pdf

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Form fields say what they hold (/V) beside what they look like (/AP). pdf.js, Poppler, PDFium and Acrobat draw the value anew where
// /NeedAppearances asks for it or where there is no look, each in other cases, and pages in which fields can be filled in show the
// value at any time; MuPDF, Ghostscript and the signer's app show the look (ISO 32000-2, 12.7.4.3). So the two have to say the same,
// and what is to be drawn anew has to be empty (ADE-04).

// Flags of fields (ISO 32000-2, tables 229 and 233).
const (
	fieldPush  = 1 << 16
	fieldCombo = 1 << 17
)

// fieldLevels bounds how far above a widget its field is looked for. Readers look further, or give up before.
const fieldLevels = 32

// widgetField is a widget with what it inherits from its field.
type widgetField struct {
	dict               value
	kind               string // of the field: Tx, Ch, Btn, Sig
	held, flags, opt   value
	rich               value  // /RV
	normal             object // its look, or the dictionary of its looks
	states, look, need bool
}

// oddAnnotation says why readers draw an annotation in different ways (ADE-04).
func (d *Document) oddAnnotation(dict value) (string, error) {
	if !dict.isDict() {
		return "", nil
	}
	v, err := dict.values("Subtype", "AP")
	if err != nil || v[0].name() == "" {
		return "", ignoreOdd(err)
	}
	if v[1].isNull() && !v[0].nameIs("Widget") {
		return "", nil
	}
	w := widgetField{dict: dict}
	if err := d.lookOf(&w, v[1]); err != nil {
		return "", err
	}
	if why, err := d.oddLooks(&w); err != nil || why != "" {
		return why, err
	}
	if !v[0].nameIs("Widget") {
		return d.oddState(&w)
	}
	if whole, err := d.inheritField(&w); err != nil || !whole {
		return "a field below too many others", err
	}
	switch w.kind {
	case "Tx", "Ch":
		return d.oddTextField(&w)
	case "Btn":
		return d.oddButton(&w)
	}
	return "", nil
}

// lookOf reads the normal look.
func (d *Document) lookOf(w *widgetField, ap value) error {
	looks, err := d.resolve(ap)
	if err != nil || !looks.isDict() {
		return err
	}
	normal, err := looks.get("N")
	if err != nil {
		return err
	}
	if w.normal, err = d.objectOf(normal); err != nil {
		return err
	}
	w.look = w.normal.stream >= 0
	w.states = !w.look && w.normal.val.isDict()
	return nil
}

// oddLooks judges looks without resources: some readers take the form's or the page's.
func (d *Document) oddLooks(w *widgetField) (string, error) {
	if w.look {
		return d.oddLookOf(w.normal)
	}
	if !w.states {
		return "", nil
	}
	why := ""
	var inner error
	err := w.normal.val.eachPair(func(_ []byte, v value) bool {
		var o object
		if o, inner = d.objectOf(v); inner == nil && o.stream >= 0 {
			why, inner = d.oddLookOf(o)
		}
		return why == "" && inner == nil
	})
	return why, firstError(inner, err)
}

func (d *Document) oddLookOf(o object) (string, error) {
	own, err := d.key(o.val, "Resources")
	if err != nil || own.isDict() {
		return "", err
	}
	u, odd, err := d.drawnStream(o)
	if err != nil || odd || len(u.names) == 0 {
		return "", err
	}
	return "a look without resources", nil
}

// oddState judges the state of an annotation that has several looks and is no field.
func (d *Document) oddState(w *widgetField) (string, error) {
	if !w.states {
		return "", nil
	}
	state, err := d.key(w.dict, "AS")
	if err != nil || state.name() != "" && hasKey(w.normal.val, state.name()) {
		return "", err
	}
	return "looks of which none is chosen", nil
}

// inheritField reads what a widget has, or its field; false if that is too far above.
func (d *Document) inheritField(w *widgetField) (bool, error) {
	at := w.dict
	var kind value
	for range fieldLevels {
		v, err := at.values("FT", "V", "Ff", "Opt", "RV", "Parent")
		if err != nil {
			return false, err
		}
		if err := d.spend(int64(len(at.raw))); err != nil {
			return false, err
		}
		for i, to := range []*value{&kind, &w.held, &w.flags, &w.opt, &w.rich} {
			if !to.isNull() {
				continue
			}
			if *to, err = d.resolve(v[i]); err != nil {
				return false, err
			}
		}
		if at, err = d.resolve(v[5]); err != nil {
			return false, err
		}
		if !at.isDict() {
			break
		}
	}
	w.kind = kind.name()
	form, err := d.form()
	if err != nil || !form.isDict() {
		return !at.isDict(), err
	}
	need, err := d.key(form, "NeedAppearances")
	w.need = string(need.raw) == "true"
	return !at.isDict(), err
}

func (w *widgetField) flag(bit int64) bool {
	n, _ := w.flags.asInt()
	return n&bit != 0
}

const (
	fieldUnseen = "a field with a value and without a look"
	fieldOther  = "a field whose value is another than what it looks like"
	fieldState  = "a field whose state is another than its value"
	// What a look shows cannot be told from its text: it may be white, covered, outside of the look or in a font that lies, and strokes
	// beside it may show another value. Where readers are asked to draw the value anew, only an empty one is the same in all.
	fieldAnew = "a field whose value is to be drawn anew (/NeedAppearances)"
)

// oddTextField judges a field of text or of choices.
func (d *Document) oddTextField(w *widgetField) (string, error) {
	options, err := d.optionsOf(w)
	if err != nil {
		return "", err
	}
	parts, ok, err := d.heldTexts(w, options)
	held := strings.Join(parts, "")
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "a field whose value is no text", nil
	case !w.look && held == "" && !w.states:
		return d.oddGround(w)
	case !w.look:
		return fieldUnseen, nil
	}
	if same, err := d.sameRich(w, held); err != nil || !same {
		return "a field whose value is another than its value with a format (/RV)", err
	}
	if w.need && held != "" {
		return fieldAnew, nil
	}
	seen, ok, err := d.seenText(w.normal)
	if err != nil || ok && seen == held {
		return "", err
	}
	if ok && w.kind == "Ch" && !w.flag(fieldCombo) && listed(seen, parts, options) {
		return "", nil
	}
	return fieldOther, nil
}

// richMarks are what is no text in a value with a format (ISO 32000-2, 12.7.4.4), and plainMarks what stands for a character.
var (
	richMarks  = regexp.MustCompile(`<[^>]*>`)
	plainMarks = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", "\"", "&apos;", "'", "&amp;", "&")
)

// sameRich tells whether a value with a format, by which some programs draw a field anew, has the same text.
func (d *Document) sameRich(w *widgetField, held string) (bool, error) {
	if w.rich.isNull() {
		return true, nil
	}
	text, err := d.text(w.rich)
	return w.rich.isString() && squeezed(plainMarks.Replace(richMarks.ReplaceAllString(text, ""))) == held, err
}

// oddGround judges a field without a look that has a colour: who draws one covers with it what is behind.
func (d *Document) oddGround(w *widgetField) (string, error) {
	if w.look {
		return "", nil
	}
	style, err := d.key(w.dict, "MK")
	if err != nil || !style.isDict() {
		return "", err
	}
	ground, err := d.key(style, "BG")
	if err != nil || !ground.isArray() {
		return "", err
	}
	if list, err := d.elements(ground); err != nil || len(list) == 0 {
		return "", err
	}
	return "a field with a colour and without a look", nil
}

// option is one choice: its value, and what is shown for it.
type option struct{ value, shown string }

// listed tells whether a list shows what was chosen, among what was not.
func listed(seen string, held []string, options []option) bool {
	all := ""
	for _, o := range options {
		all += o.shown
	}
	return strings.Contains(all, seen) && !slices.ContainsFunc(held, func(text string) bool { return !strings.Contains(seen, text) })
}

func (d *Document) optionsOf(w *widgetField) ([]option, error) {
	if w.kind != "Ch" || !w.opt.isArray() {
		return nil, nil
	}
	if err := d.spend(int64(len(w.opt.raw))); err != nil {
		return nil, err
	}
	list, err := d.elements(w.opt)
	if err != nil {
		return nil, err
	}
	var out []option
	for _, e := range list {
		pair := []value{e, e}
		if e.isArray() {
			if pair, err = d.elements(e); err != nil || len(pair) != 2 {
				return nil, err
			}
		}
		value, err1 := d.text(pair[0])
		shown, err2 := d.text(pair[1])
		if err := firstError(err1, err2); err != nil {
			return nil, err
		}
		out = append(out, option{value, squeezed(shown)})
	}
	return out, nil
}

// heldTexts are the values of a field as they would be shown, without spaces; false if they are no texts.
func (d *Document) heldTexts(w *widgetField, options []option) (out []string, ok bool, err error) {
	var texts []value
	switch {
	case w.held.isNull():
	case w.held.isString():
		texts = []value{w.held}
	case w.kind == "Ch" && w.held.isArray():
		if texts, err = d.elements(w.held); err != nil {
			return nil, false, err
		}
	default:
		return nil, false, nil
	}
	for _, v := range texts {
		text, err := d.text(v)
		if err != nil {
			return nil, false, err
		}
		if i := slices.IndexFunc(options, func(o option) bool { return o.value == text }); i >= 0 {
			text = options[i].shown
		}
		out = append(out, squeezed(text))
	}
	return out, true, nil
}

// squeezed is a text without what lines are broken at.
func squeezed(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == '\u00ad' || r == '\ufeff' {
			return -1
		}
		return r
	}, s)
}

// oddButton judges a push button by its caption, and another one by its state.
func (d *Document) oddButton(w *widgetField) (string, error) {
	if w.flag(fieldPush) {
		return d.oddCaption(w)
	}
	state, err := d.key(w.dict, "AS")
	if err != nil {
		return "", err
	}
	held, err := d.stateHeld(w)
	if err != nil {
		return "", err
	}
	switch on := state.name(); {
	case !w.states && (on != "" && on != stateOff || held != stateOff):
		return fieldUnseen, nil
	case !w.states:
		return d.oddGround(w)
	case w.states && on != held:
		return fieldState, nil
	case w.need && held != stateOff:
		return fieldAnew, nil
	}
	return "", nil
}

// stateOff is that of a button that is not chosen, and need not have a look.
const stateOff = "Off"

// stateHeld is the state of a widget that its field's value means.
func (d *Document) stateHeld(w *widgetField) (string, error) {
	held := w.held.name()
	if w.held.isString() {
		var err error
		if held, err = d.text(w.held); err != nil {
			return "", err
		}
	}
	if !w.states {
		if held == "" {
			held = stateOff
		}
		return held, nil
	}
	v, err := w.normal.val.get(held)
	if err != nil || v.isNull() {
		return stateOff, err
	}
	return held, nil
}

// oddCaption judges a push button: those who draw it anew write its caption.
func (d *Document) oddCaption(w *widgetField) (string, error) {
	if w.look && !w.need {
		return "", nil
	}
	if why, err := d.oddGround(w); err != nil || why != "" {
		return why, err
	}
	style, err := d.key(w.dict, "MK")
	if err != nil || !style.isDict() {
		return "", err
	}
	caption, err := d.key(style, "CA")
	if err != nil {
		return "", err
	}
	text, err := d.text(caption)
	if err != nil || squeezed(text) == "" {
		return "", err
	}
	if !w.look {
		return fieldUnseen, nil
	}
	return fieldAnew, nil
}
