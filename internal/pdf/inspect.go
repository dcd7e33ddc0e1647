package pdf

import (
	"errors"
	"io"
	"strconv"

	"github.com/assent-sign/assent/internal/secret"
)

// Summary is what a signer should know about a file before signing: what could
// make it look different elsewhere or later, or do something by itself. It is a
// best effort over all objects, not a proof of absence.
type Summary struct {
	Encrypted bool `json:"encrypted"`
	// Pages is the number of leaves of the page tree.
	Pages int `json:"pages"`
	// Signatures is the number of signed signature fields.
	Signatures int `json:"signatures"`
	// Fields is the number of form fields other than signatures.
	Fields int `json:"fields"`
	// EmptyFields names signature fields that wait for a signature, 100 at most.
	EmptyFields []string `json:"empty_signature_fields,omitempty"`

	JavaScript    bool `json:"javascript"`     // scripts that a viewer may run
	Launch        bool `json:"launch"`         // actions that start programs or open other files
	EmbeddedFiles bool `json:"embedded_files"` // attachments
	HiddenLayers  bool `json:"hidden_layers"`  // optional content: parts that can be shown or hidden
	XFA           bool `json:"xfa"`            // a second form description that some viewers show instead
	OtherDocument bool `json:"other_document"` // a trailer's /AdditionalStreams, which LibreOffice shows instead of the pages
	Multimedia    bool `json:"multimedia"`     // sound, film, 3D
	ExternalRefs  bool `json:"external_refs"`  // page content or data fetched from elsewhere
	// Unused: content that nothing in the file refers to, which a later revision
	// could put in place of what is shown (shadow attacks, replace).
	Unused bool `json:"unused"`
	// PartlyEncrypted: an encrypted file that has parts in clear.
	PartlyEncrypted bool `json:"partly_encrypted"`

	// Hybrid: readers of before PDF 1.5 do not see all objects. Word processors write
	// such files, so that it is a warning and no hazard.
	Hybrid bool `json:"hybrid"`
	// Damaged: the cross-reference had to be rebuilt, or other readers might rebuild it and
	// find objects that it does not list.
	Damaged bool `json:"damaged"`
	// Incomplete: a limit was reached, or objects could not be read; what is not
	// reported may still be there.
	Incomplete bool `json:"incomplete"`
	// Twofaced: readers take parts of the file for different ones, so that others may see something else than its signer.
	Twofaced bool `json:"two_faced"`
	// Why is the first reason for that in words, if it is a particular one.
	Why string `json:"two_faced_reason,omitempty"`
}

// maxEmptyFields bounds Summary.EmptyFields.
const maxEmptyFields = 100

// Inspect summarises a file. An encrypted file that does not open is summarised as
// such, not refused. Errors: those of Open otherwise.
func Inspect(r io.ReaderAt, size int64, lim Limits) (Summary, error) {
	return InspectWith(r, size, lim, secret.Bytes{})
}

// InspectWith is Inspect for a file that needs a password.
func InspectWith(r io.ReaderAt, size int64, lim Limits, password secret.Bytes) (Summary, error) {
	var s Summary
	d, err := OpenWith(r, size, lim, password)
	if errors.Is(err, ErrEncrypted) || errors.Is(err, ErrPassword) {
		return Summary{Encrypted: true, Incomplete: true}, nil
	}
	if err != nil {
		return s, err
	}
	s.Damaged, s.Hybrid = d.repaired, d.hybrid
	if c := d.crypt; c != nil {
		s.Encrypted, s.PartlyEncrypted = true, !c.streams || !c.strings || !c.files
	}
	steps := []func(*Summary) error{d.scanPlaces, d.scanPages, d.countPages, d.countFields, d.scanFeatures, d.scanUnused}
	for _, step := range steps {
		switch err := step(&s); {
		case errors.Is(err, ErrLimit), errors.Is(err, ErrMalformed), errors.Is(err, ErrUnsupported):
			s.Incomplete = true
		case err != nil:
			return s, err
		}
	}
	if s.Twofaced {
		s.Why = d.reason
	}
	return s, nil
}

func (d *Document) countPages(s *Summary) error {
	return d.eachPage(func(page) (bool, error) {
		s.Pages++
		return true, nil
	})
}

func (d *Document) countFields(s *Summary) error {
	form, err := d.form()
	if err != nil {
		return err
	}
	if form.isDict() {
		xfa, err := form.get("XFA")
		if err != nil {
			return err
		}
		s.XFA = !xfa.isNull()
	}
	_, err = d.eachField(form, func(f field) error {
		if f.ft != "Sig" {
			s.Fields++
			return nil
		}
		v, err := d.resolve(f.v)
		if err != nil {
			return err
		}
		if v.isDict() {
			s.Signatures++
		} else if len(s.EmptyFields) < maxEmptyFields {
			s.EmptyFields = append(s.EmptyFields, f.name)
		}
		return nil
	})
	return err
}

// scanPlaces looks for what other readers see who do not forgive what we do, or find by a search.
func (d *Document) scanPlaces(s *Summary) error {
	found, err := d.oddities(0)
	for _, o := range found {
		s.Damaged = s.Damaged || o.kind == oddForm || o.kind == oddObject
	}
	if d.account != nil {
		s.OtherDocument = s.OtherDocument || d.account.other
	}
	return err
}

// scanFeatures looks at every object. Stream data is not looked at.
func (d *Document) scanFeatures(s *Summary) error {
	metadata, err := d.clearMetadata()
	if err != nil {
		return err
	}
	return d.xref.each(func(num int, e entry) error {
		if e.kind <= entryFree {
			return nil
		}
		o, err := d.loadNumber(num)
		if errors.Is(err, ErrMalformed) || errors.Is(err, ErrUnsupported) {
			s.Incomplete = true
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.scanObject(o); err != nil {
			return err
		}
		if d.crypt != nil {
			if err := d.scanMixed(s, num, o, metadata); err != nil {
				return err
			}
		}
		return d.scanForm(s, o)
	})
}

// Flags of annotations (ISO 32000-1, table 165) that show it here and not there.
const (
	annotHidden       = 1 << 1
	annotPrint        = 1 << 2
	annotNoView       = 1 << 5
	annotToggleNoView = 1 << 8
)

// scanObject looks at what names alone do not say: a stream whose data is another file,
// and an annotation that is on paper but not on the screen, or can be made to appear.
func (s *Summary) scanObject(o object) error {
	if !o.val.isDict() {
		return nil
	}
	flags, err := o.val.getDict("F")
	if err == nil && flags.isNull() && o.stream >= 0 {
		// Some readers decode it by such a key, and show what we would not find.
		var odd string
		odd, err = otherName(o.val)
		s.Incomplete = s.Incomplete || odd != ""
	}
	if err != nil || flags.isNull() {
		return err
	}
	if o.stream >= 0 {
		s.ExternalRefs = true
		return nil
	}
	subtype, err := o.val.getDict("Subtype")
	if err != nil {
		return err
	}
	n, ok := flags.asInt()
	if rect, err := o.val.getDict("Rect"); err != nil || rect.isNull() || !ok || subtype.nameIs("Widget") || subtype.nameIs("Popup") {
		return err
	}
	switch {
	case n&annotNoView != 0 && n&annotPrint != 0, n&annotHidden != 0, n&annotToggleNoView != 0:
		s.HiddenLayers = true
	}
	return nil
}

// scanUnused looks for content that the trailer does not lead to. What readers find
// without a reference (cross-references, object streams, the first object of a
// linearized file and its hints) is none, nor is what shows nothing by itself.
func (d *Document) scanUnused(s *Summary) error {
	used, err := (&comparison{cur: d}).inUse()
	if err != nil {
		return err
	}
	return d.xref.each(func(num int, e entry) error {
		if s.Unused || e.kind <= entryFree || used.has(num) {
			return nil
		}
		o, err := d.loadNumber(num)
		if errors.Is(err, ErrMalformed) || errors.Is(err, ErrUnsupported) {
			return nil // counted by scanFeatures
		}
		if err != nil {
			return err
		}
		s.Unused, err = d.isContent(o)
		return err
	})
}

// isContent tells a stream that could be drawn, and a dictionary that leads to some.
func (d *Document) isContent(o object) (bool, error) {
	if !o.val.isDict() {
		return false, nil
	}
	typ, err := o.val.getDict("Type")
	if err != nil {
		return false, err
	}
	if o.stream >= 0 {
		for plumbing, needs := range map[string]string{"XRef": "W", "ObjStm": "First"} {
			v, err := o.val.getDict(needs)
			if err != nil {
				return false, err
			}
			if typ.nameIs(plumbing) && !v.isNull() {
				return false, nil
			}
		}
		hints, err := o.val.getDict("S") // of a hint stream: where the shared object table begins
		return hints.isNull(), err
	}
	for _, leads := range []string{"Catalog", "Pages", "Page", "Font", "Annot", "XObject", "Pattern", "FontDescriptor", "OCG"} {
		if typ.nameIs(leads) {
			return true, nil
		}
	}
	return false, nil
}

func (s *Summary) note(name []byte) {
	switch string(name) {
	case "JS", "JavaScript":
		s.JavaScript = true
	case "Launch", "GoToR", "ImportData", "SubmitForm", "Thread":
		s.Launch = true
	case "EmbeddedFile", "EmbeddedFiles", "FileAttachment", "GoToE", "AF":
		s.EmbeddedFiles = true
	case "OCG", "OCMD", "OCProperties", "Hide", "Alternates":
		s.HiddenLayers = true
	case otherDocument:
		s.OtherDocument = true
	case "RichMedia", "Movie", "Sound", "Rendition", "Screen", "3D":
		s.Multimedia = true
	case "FFilter", "OPI":
		s.ExternalRefs = true
	}
}

// Warnings words the summary for the signer, one sentence each.
func (s Summary) Warnings() []string {
	out := s.Hazards()
	for _, w := range []warning{
		{s.Fields > 0, "The document is a form; fields can be filled in after signing."},
		{s.Encrypted && !s.Incomplete, "The file is encrypted."},
		{s.Hybrid, "The file has a part that very old readers do not see."},
		{s.Signatures > 0, "The document already carries " + plural(s.Signatures, "signature") + "."},
	} {
		if w.on {
			out = append(out, w.text)
		}
	}
	return out
}

type warning struct {
	on   bool
	text string
}

// Hazards words what a reader may show otherwise than it was shown to the signer, or
// what does something by itself: what a qualified signature should not cover (ADE-04).
func (s Summary) Hazards() []string {
	var out []string
	for _, w := range []warning{
		{s.Encrypted && s.Incomplete, "The file is encrypted."},
		{s.JavaScript, "The document contains scripts."},
		{s.Launch, "The document contains actions that open programs, other files or send data."},
		{s.EmbeddedFiles, "The document has attached files, which are signed but not shown."},
		{s.HiddenLayers, "The document has layers or other parts that can be hidden; it may look different elsewhere."},
		{s.XFA, "The document has a second form description (XFA) that other viewers may show instead."},
		{s.OtherDocument, "The file has another document inside, which some programs (LibreOffice) show instead of the pages."},
		{s.Multimedia, "The document contains sound, film or 3D content."},
		{s.ExternalRefs, "The document refers to content outside of itself."},
		{s.Unused, "The document has content that nothing in it uses; a later change could put it in place of what is shown."},
		{s.PartlyEncrypted, "Parts of the encrypted file are not encrypted; somebody may have added them on its way."},
		{s.Damaged, "The table of contents of the file is damaged or incomplete; other programs may show something else."},
		{s.Twofaced, "Programs show this file in different ways; others may see something else than its signer" + because(s.Why) + "."},
		{s.Incomplete, "The file could not be examined completely."},
	} {
		if w.on {
			out = append(out, w.text)
		}
	}
	return out
}

// because puts a reason in brackets, if there is one.
func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}

func plural(n int, word string) string {
	if n == 1 {
		return "one " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}
