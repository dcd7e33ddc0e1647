package c14n

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// window is the size of the buffer through which a document passes. It grows
// only for a token that is longer.
const window = 64 << 10

// where a document stands.
const (
	atBegin = iota
	inProlog
	inRoot
	inEpilog
)

// Scanner reads a document in one pass as a sequence of events with their byte
// offsets. It is strict: what it accepts is a well-formed XML 1.0 document of
// Namespaces in XML 1.0, in UTF-8, without a document type declaration, within
// its Limits. Only the pass to the end (io.EOF) tells that it is.
type Scanner struct {
	r   io.Reader
	lim Limits

	buf      []byte
	pos, end int   // what is not yet read of buf
	base     int64 // offset of buf[0]
	lines    int64 // line feeds before buf[0]
	eof      bool
	err      error

	state   int
	cdata   bool // within a CDATA section
	empty   bool // the end of an empty-element tag is to be reported
	leaving bool // the scope of the last event's element ends
	strict  bool // relative namespace names are refused

	ev    Event
	attrs []Attr
	decls []declaration
	arena []byte // values and text that differ from how they are written

	open  []element
	names []byte // of the open elements
	ns    scope
	xml   inherited
}

// element is an open element.
type element struct {
	name  int32 // its name is names[name:], up to the next one's
	local int32
	ns    int32 // bindings in scope outside of it
	xml   int32 // xml: attributes outside of it
}

// NewScanner reads a document from r.
func NewScanner(r io.Reader, lim Limits) *Scanner {
	s := &Scanner{r: r, lim: lim.withDefaults()}
	s.buf = make([]byte, min(window, s.lim.Token))
	s.ns.init()
	return s
}

// Next gives the next event, io.EOF after the end of a complete document, or
// why there is none: an *Error, or the reader's error. After an error it gives
// the same again.
func (s *Scanner) Next() (*Event, error) {
	if s.err != nil {
		return nil, s.err
	}
	ok, err := s.next()
	if err != nil {
		s.err = err
		return nil, err
	}
	if !ok {
		s.err = io.EOF
		return nil, io.EOF
	}
	return &s.ev, nil
}

func (s *Scanner) next() (bool, error) {
	if s.leaving {
		s.leave()
	}
	if s.empty {
		s.empty = false
		s.endElement(0)
		return true, nil
	}
	for {
		n, done, err := s.token(s.buf[s.pos:s.end])
		if err == nil {
			if n > s.lim.Token {
				return false, s.located(over(ErrToken, 0, s.lim.Token))
			}
			s.pos += n
			if done {
				return true, nil
			}
			continue
		}
		if !errors.Is(err, errShort) {
			return false, s.located(err)
		}
		if s.eof {
			if s.pos == s.end && s.state == inEpilog {
				return false, nil
			}
			return false, s.located(bad(ErrTruncated, s.end-s.pos, s.unfinished()))
		}
		if err := s.more(); err != nil {
			return false, err
		}
	}
}

// unfinished says what a document that ends here lacks.
func (s *Scanner) unfinished() string {
	switch {
	case s.pos < s.end:
		return "within a tag, comment, processing instruction, section or reference"
	case s.cdata:
		return "within a CDATA section"
	case s.state == inRoot:
		return "the element " + shown(s.names[s.open[len(s.open)-1].name:]) + " has no end"
	}
	return "there is no root element"
}

// more gets more of the document into the window.
func (s *Scanner) more() error {
	if s.pos > 0 {
		s.lines += int64(bytes.Count(s.buf[:s.pos], []byte{'\n'}))
		s.base += int64(s.pos)
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}
	if s.end == len(s.buf) {
		if len(s.buf) >= s.lim.Token {
			return s.located(over(ErrToken, 0, s.lim.Token))
		}
		s.buf = append(s.buf, make([]byte, min(len(s.buf), s.lim.Token-len(s.buf)))...)
	}
	for idle := 0; s.end < len(s.buf); {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if s.base+int64(s.end) > s.lim.Size {
			return s.located(bad(ErrSize, s.end-s.pos, fmt.Sprintf("the bound is %d bytes", s.lim.Size)))
		}
		if errors.Is(err, io.EOF) {
			s.eof = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("c14n: reading the document: %w", err)
		}
		if n > 0 {
			idle = 0
		} else if idle++; idle == 100 {
			return fmt.Errorf("c14n: reading the document: %w", io.ErrNoProgress)
		}
	}
	return nil
}

// located turns a fault inside the token at the window's beginning into an *Error.
func (s *Scanner) located(err error) error {
	var f *fault
	if !errors.As(err, &f) {
		return err
	}
	at := s.pos + f.at
	return &Error{
		Err:    f.err,
		Offset: s.base + int64(at),
		Line:   s.lines + int64(bytes.Count(s.buf[:at], []byte{'\n'})) + 1,
		Detail: f.detail,
	}
}

// refused is an *Error about the event that was given last.
func (s *Scanner) refused(ev *Event, err error, detail string) error {
	return s.located(bad(err, int(ev.From-s.base)-s.pos, detail))
}

// token reads one token at the beginning of b: its length, and whether it is an
// event. It changes nothing when it fails, so that it can be called again with
// more.
func (s *Scanner) token(b []byte) (n int, event bool, err error) {
	if len(b) == 0 && (s.state != atBegin || !s.eof) {
		return 0, false, errShort
	}
	s.arena = s.arena[:0]
	switch {
	case s.state == atBegin:
		n, err = s.begin(b)
		return n, false, err
	case s.cdata:
		return s.section(b)
	case b[0] != '<':
		if s.state == inRoot {
			return s.text(b)
		}
		for n < len(b) && classes[b[n]]&spaceByte != 0 {
			n++
		}
		if n == 0 {
			return 0, false, syntax(0, "text outside of the root element: "+shown(b[:1]))
		}
		return n, false, nil
	case len(b) < 2:
		return 0, false, errShort
	}
	switch b[1] {
	case '/':
		n, err = s.endTag(b)
	case '?':
		n, err = s.instruction(b)
	case '!':
		return s.declared(b)
	default:
		n, err = s.startTag(b)
	}
	return n, err == nil, err
}

// declared reads what begins with <! at b: a comment, a CDATA section's begin,
// or what is refused.
func (s *Scanner) declared(b []byte) (int, bool, error) {
	const open, doctype = "<![CDATA[", "<!DOCTYPE"
	switch {
	case len(b) > 2 && b[2] == '-':
		n, err := s.comment(b)
		return n, err == nil, err
	case len(b) > 2 && b[2] == '[':
		if len(b) < len(open) {
			return 0, false, errShort
		}
		if string(b[:len(open)]) != open || s.state != inRoot {
			return 0, false, syntax(0, "a marked section that is not CDATA, or is outside of the root element")
		}
		s.cdata = true
		return len(open), false, nil
	case len(b) < len(doctype) && string(b) == doctype[:len(b)]:
		return 0, false, errShort
	case len(b) >= len(doctype) && string(b[:len(doctype)]) == doctype:
		return 0, false, bad(ErrDTD, 0, "<!DOCTYPE")
	}
	return 0, false, syntax(0, "markup that begins with "+shown(b[:min(len(b), 3)]))
}

// set makes the event of a token of n bytes.
func (s *Scanner) set(kind Kind, n int) {
	from := s.base + int64(s.pos)
	s.ev = Event{Kind: kind, From: from, To: from + int64(n), Depth: len(s.open), ns: &s.ns}
}

// leave ends the scope of the element whose end was the last event.
func (s *Scanner) leave() {
	e := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	s.names = s.names[:e.name]
	s.ns.pop(int(e.ns))
	s.xml.pop(int(e.xml))
	s.leaving = false
	if len(s.open) == 0 {
		s.state = inEpilog
	}
}

// endElement reports the end of the innermost element.
func (s *Scanner) endElement(n int) {
	s.set(EndElement, n)
	e := s.open[len(s.open)-1]
	full := s.names[e.name:]
	s.ev.Name = Name{Full: full, Space: s.space(full, e.local), local: e.local}
	s.leaving = true
}

// space gives the namespace name of an element's name in scope.
func (s *Scanner) space(full []byte, local int32) []byte {
	var prefix []byte
	if local > 0 {
		prefix = full[:local-1]
	}
	if string(prefix) == "xml" {
		return xmlName
	}
	uri, _ := s.ns.lookup(prefix)
	return uri
}

// endTag reads </name S?> at b.
func (s *Scanner) endTag(b []byte) (int, error) {
	if s.state != inRoot {
		return 0, syntax(0, "an end tag outside of the root element")
	}
	want := s.names[s.open[len(s.open)-1].name:]
	i := 2 + len(want)
	if len(b) <= i || string(b[2:i]) != string(want) {
		end, _, err := name(b, 2, s.lim.Name)
		if err != nil {
			return 0, err
		}
		return 0, syntax(0, "the end tag "+shown(b[2:end])+" where "+shown(want)+" was expected")
	}
	for i < len(b) && classes[b[i]]&spaceByte != 0 {
		i++
	}
	if i == len(b) {
		return 0, errShort
	}
	if b[i] != '>' {
		return 0, syntax(i, shown(b[i:i+1])+" in an end tag of "+shown(want))
	}
	s.endElement(i + 1)
	return i + 1, nil
}
