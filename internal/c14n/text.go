package c14n

import (
	"bytes"
	"unicode/utf8"
)

// text reads character data at b, up to the next markup or the window's end.
func (s *Scanner) text(b []byte) (int, bool, error) {
	i, kept := 0, 0 // b[kept:i] is not yet in the arena
	special, copied := false, false
loop:
	for {
		for i < len(b) && classes[b[i]]&textByte != 0 {
			i++
		}
		if i == len(b) || b[i] == '<' {
			break
		}
		var r rune
		var n int
		var err error
		replaced := false
		switch b[i] {
		case '>':
			n, special = 1, true
		case ']':
			n, err = bracket(b[i:], s.eof)
		case '&':
			r, n, err = reference(b, i)
			replaced = true
			special = special || r == '&' || r == '<' || r == '>' || r == '\r'
		case '\r':
			n, err = lineEnd(b[i:], s.eof)
			r, replaced = '\n', true
		default:
			_, n, err = character(b, i)
		}
		if err == errShort && i > 0 { //nolint:errorlint // our own value, never wrapped
			break loop
		}
		if err != nil {
			return 0, false, shifted(err, i, b[i])
		}
		if replaced {
			s.arena = utf8.AppendRune(append(s.arena, b[kept:i]...), r)
			kept, copied = i+n, true
		}
		i += n
	}
	s.set(Text, i)
	s.ev.Text = s.gathered(b, kept, i, copied)
	s.ev.special = special
	return i, true, nil
}

// gathered gives what a token's bytes mean: themselves, or the arena with the
// rest of them.
func (s *Scanner) gathered(b []byte, kept, i int, copied bool) []byte {
	if !copied {
		return b[kept:i]
	}
	s.arena = append(s.arena, b[kept:i]...)
	return s.arena
}

// shifted places a fault that was found by bracket, which sees the rest only.
func shifted(err error, i int, c byte) error {
	if f, ok := err.(*fault); ok && c == ']' { //nolint:errorlint // our own value, never wrapped
		f.at += i
	}
	return err
}

// bracket reads a closing bracket in text, where "]]>" may not be (XML 1.0,
// section 2.4).
func bracket(b []byte, eof bool) (int, error) {
	if len(b) < 3 && !eof {
		return 0, errShort
	}
	if bytes.HasPrefix(b, []byte("]]>")) {
		return 0, syntax(0, `"]]>" in text`)
	}
	return 1, nil
}

// lineEnd reads a carriage return and the line feed that may follow (XML 1.0,
// section 2.11).
func lineEnd(b []byte, eof bool) (int, error) {
	switch {
	case len(b) > 1 && b[1] == '\n':
		return 2, nil
	case len(b) > 1 || eof:
		return 1, nil
	}
	return 0, errShort
}

// section reads within a CDATA section at b.
func (s *Scanner) section(b []byte) (int, bool, error) {
	i, kept := 0, 0
	special, copied := false, false
	for {
		for i < len(b) && classes[b[i]]&(insideByte|textByte) == insideByte|textByte {
			i++
		}
		if i == len(b) {
			break
		}
		n := 1
		var err error
		switch b[i] {
		case ']':
			if len(b)-i < 3 && !s.eof {
				err = errShort
				break
			}
			if bytes.HasPrefix(b[i:], []byte("]]>")) {
				if i > 0 {
					err = errShort // ends this piece; the next is the section's end
					break
				}
				s.cdata = false
				return 3, false, nil
			}
		case '\r':
			if n, err = lineEnd(b[i:], s.eof); err == nil {
				s.arena = append(append(s.arena, b[kept:i]...), '\n')
				kept, copied = i+n, true
			}
		case '&', '<', '>':
			special = true
		default:
			_, n, err = character(b, i)
		}
		if err == errShort && i > 0 { //nolint:errorlint // our own value, never wrapped
			break
		}
		if err != nil {
			return 0, false, err
		}
		i += n
	}
	s.set(Text, i)
	s.ev.Text = s.gathered(b, kept, i, copied)
	s.ev.special = special
	return i, true, nil
}

// inside reads the content of a comment or an instruction, b[from:to], which is
// whole: characters checked, line ends normalised.
func (s *Scanner) inside(b []byte, from, to int) ([]byte, error) {
	i, kept, copied := from, from, false
	for i < to {
		if classes[b[i]]&insideByte != 0 || b[i] == '-' || b[i] == '?' || b[i] == ']' {
			i++
			continue
		}
		if b[i] == '\r' {
			n, _ := lineEnd(b[i:to], true)
			s.arena = append(append(s.arena, b[kept:i]...), '\n')
			i += n
			kept, copied = i, true
			continue
		}
		_, n, err := character(b[:to], i)
		if err == errShort { //nolint:errorlint // our own value, never wrapped
			err = bad(ErrChar, i, "a character that is cut off")
		}
		if err != nil {
			return nil, err
		}
		i += n
	}
	if !copied {
		return b[kept:to], nil
	}
	s.arena = append(s.arena, b[kept:to]...)
	return s.arena, nil
}

// comment reads <!-- ... --> at b. Within it "--" may not be (XML 1.0, section 2.5).
func (s *Scanner) comment(b []byte) (int, error) {
	const open = "<!--"
	if len(b) < len(open) {
		return 0, errShort
	}
	if b[3] != '-' {
		return 0, syntax(0, "markup that begins with "+shown(b[:4]))
	}
	end := bytes.Index(b[len(open):], []byte("--"))
	if end < 0 || len(open)+end+2 >= len(b) {
		return 0, errShort
	}
	end += len(open)
	if b[end+2] != '>' {
		return 0, syntax(end, `"--" in a comment`)
	}
	content, err := s.inside(b, len(open), end)
	if err != nil {
		return 0, err
	}
	s.set(Comment, end+3)
	s.ev.Text = content
	s.ev.special = bytes.IndexByte(content, '\r') >= 0
	return end + 3, nil
}

// instruction reads <?target data?> at b. The target may not be xml in any
// case, nor have a colon.
func (s *Scanner) instruction(b []byte) (int, error) {
	end, colon, err := name(b, 2, s.lim.Name)
	if err != nil {
		return 0, err
	}
	if colon >= 0 {
		return 0, namespaces(colon, "a colon in the target of a processing instruction")
	}
	if bytes.EqualFold(b[2:end], []byte("xml")) {
		return 0, syntax(2, "a processing instruction with the reserved target "+shown(b[2:end]))
	}
	closing := bytes.Index(b[end:], []byte("?>"))
	if closing < 0 {
		return 0, errShort
	}
	closing += end
	from := end
	for from < closing && classes[b[from]]&spaceByte != 0 {
		from++
	}
	if from == end && from < closing {
		return 0, syntax(end, "a processing instruction with "+shown(b[end:end+1])+" in its target")
	}
	data, err := s.inside(b, from, closing)
	if err != nil {
		return 0, err
	}
	s.set(ProcInst, closing+2)
	s.ev.Name = Name{Full: b[2:end]}
	s.ev.Text = data
	return closing + 2, nil
}
