package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"unicode/utf8"
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

// Read reads an export. Lines are bounded; unknown members, a wrong header and
// bytes after a record end the walk with ErrForm.
func Read(r io.Reader) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 64<<10), maxLine)
		var h header
		if !lines.Scan() || strict(lines.Bytes(), &h) != nil || h.Format != Format {
			yield(Record{}, fmt.Errorf("%w: the first line is not {\"format\":%q}", ErrForm, Format))
			return
		}
		for n := 2; lines.Scan(); n++ {
			var rec Record
			if err := strict(lines.Bytes(), &rec); err != nil {
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

func strict(line []byte, v any) error {
	// encoding/json would replace invalid bytes, and two different lines would
	// then read as one record.
	if !utf8.Valid(line) {
		return fmt.Errorf("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if dec.InputOffset() != int64(len(line)) {
		return fmt.Errorf("bytes after the record")
	}
	return nil
}
