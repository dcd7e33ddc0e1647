package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Format is the first line's format name of an export: JSON lines, one header,
// then one record a line.
const Format = "assent-audit/1"

const maxLine = maxData * 2

type header struct {
	Format string `json:"format"`
}

// Write exports records, so that anyone can verify them off line (AUD-08). It
// returns the number of records written.
func Write(w io.Writer, records iter.Seq2[Record, error]) (int64, error) {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(header{Format}); err != nil {
		return 0, err
	}
	var n int64
	for r, err := range records {
		if err != nil {
			return n, err
		}
		if err := enc.Encode(r); err != nil {
			return n, err
		}
		n++
	}
	return n, out.Flush()
}

// Read reads an export. Lines are bounded and have the one spelling that Write gives them:
// a line that another reader could take for another record, by a member that is
// there twice or in other letters, ends the walk with ErrForm, as does a wrong header.
func Read(r io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var one spelling
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 64<<10), maxLine)
		var h header
		if !lines.Scan() || one.read(lines.Bytes(), &h) != nil || h.Format != Format {
			yield(Record{}, fmt.Errorf("%w: the first line is not {\"format\":%q}", ErrForm, Format))
			return
		}
		for n := 2; lines.Scan(); n++ {
			var rec Record
			if err := one.read(lines.Bytes(), &rec); err != nil {
				yield(Record{}, fmt.Errorf("%w: line %d: %w", ErrForm, n, err))
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Record{}, fmt.Errorf("%w: %w", ErrForm, err))
		}
	}
}

// spelling writes again what was read, to compare.
type spelling struct{ again bytes.Buffer }

func (s *spelling) read(line []byte, v any) error {
	// encoding/json takes the last of two members and any case of their names; what
	// people or other programs see in the line has to be what is judged here.
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	s.again.Reset()
	enc := json.NewEncoder(&s.again)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	if !bytes.Equal(bytes.TrimSuffix(s.again.Bytes(), []byte("\n")), line) {
		return errors.New("not spelled as an export is: a member is there twice, in another place or in another form")
	}
	return nil
}
