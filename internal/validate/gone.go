package validate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/assent-sign/assent/internal/pdf"
)

// maxRevisions bounds how many earlier revisions are opened to look for signatures that
// the file has no more, and rangeRoom how long the text of a /ByteRange can be.
const (
	maxRevisions = 32
	rangeRoom    = 256
)

// gone looks for signatures that an update took away as well as their fields (D16). What
// remains, or a time-stamp put on top, would speak for a file from which the evidence against
// it was removed. Only what was a whole signature of an earlier revision counts; text
// that looks like the bytes of one is noted where nobody signed.
func (j *judge) gone(rep *Report, found []pdf.Signature) error {
	ends, stray, err := j.strayRanges(found)
	if err != nil {
		return err
	}
	if stray && !slices.ContainsFunc(rep.Signatures, func(s Signature) bool { return s.Kind == kindSignature }) {
		rep.note("the file holds the bytes of a signature, and nothing leads to it: it was taken away, or never put in")
	}
	if len(ends) > maxRevisions {
		rep.taken("the file holds the bytes of more than %d signatures to which nothing leads; whether one was taken away cannot be told", maxRevisions)
		return nil
	}
	for _, end := range ends {
		if err := j.ctx.Err(); err != nil {
			return err
		}
		old, err := pdf.OpenWith(io.NewSectionReader(j.r, 0, end), end, j.opt.Limits, j.opt.Password)
		if err != nil {
			continue // no reader ever showed it as signed
		}
		sigs, err := old.Signatures()
		if err != nil {
			continue
		}
		for i := range sigs {
			if s := &sigs[i]; len(s.Problems) == 0 && s.CoveredEnd == end && !slices.ContainsFunc(found, func(o pdf.Signature) bool { return slices.Equal(o.ByteRange, s.ByteRange) }) {
				rep.taken("the signature in %q, of the revision that ends at byte %d, was taken away by a later one", s.Field, end)
			}
		}
	}
	return nil
}

// taken doubts all of a file that was signed otherwise than it is.
func (r *Report) taken(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.note("%s", text)
	for i := range r.Signatures {
		r.Signatures[i].doubt(SigConstraintsFailure, "%s", text)
	}
}

// strayRanges finds each /ByteRange of which no signature of the file is the owner: stray tells
// whether there is any, and ends are where the revisions end that they cover.
func (j *judge) strayRanges(found []pdf.Signature) (ends []int64, stray bool, err error) {
	word := []byte("/ByteRange")
	buf := make([]byte, 64<<10)
	kept := 0
	for off := int64(0); off < j.size; {
		if err := j.ctx.Err(); err != nil {
			return nil, false, err
		}
		n, err := j.r.ReadAt(buf[kept:min(int64(len(buf)), int64(kept)+j.size-off)], off)
		if n == 0 {
			return nil, false, fmt.Errorf("read at offset %d: %w", off, errors.Join(err, io.ErrUnexpectedEOF))
		}
		off += int64(n)
		end := kept + n
		whole := end // the words that begin before it are looked at now
		if off < j.size {
			whole = max(0, end-rangeRoom)
		}
		at := 0
		for {
			i := bytes.Index(buf[at:end], word)
			if i < 0 || at+i >= whole {
				break
			}
			at += i + len(word)
			r := fourNumbers(buf[at:min(end, at+rangeRoom-len(word))])
			if r != nil && slices.ContainsFunc(found, func(s pdf.Signature) bool { return slices.Equal(s.ByteRange, r) }) {
				continue
			}
			stray = true
			if e, ok := j.covers(r); ok && !slices.Contains(ends, e) {
				if ends = append(ends, e); len(ends) > maxRevisions {
					return ends, stray, nil
				}
			}
		}
		kept = copy(buf, buf[whole:end])
	}
	return ends, stray, nil
}

// fourNumbers reads "[0 1 2 3]", nil if it is anything else.
func fourNumbers(b []byte) []int64 {
	b = bytes.TrimLeft(b, "\x00\t\n\f\r ")
	end := bytes.IndexByte(b, ']')
	if end < 0 || b[0] != '[' {
		return nil
	}
	words := bytes.FieldsFunc(b[1:end], func(r rune) bool { return r <= ' ' })
	if len(words) != 4 {
		return nil
	}
	out := make([]int64, 4)
	for i, w := range words {
		var err error
		if out[i], err = strconv.ParseInt(string(w), 10, 64); err != nil || out[i] < 0 {
			return nil
		}
	}
	return out
}

// covers tells whether a range could be that of a signature here, and where the revision ends.
func (j *judge) covers(r []int64) (int64, bool) {
	if r == nil || r[0] != 0 || r[1] >= r[2] || r[2] > j.size || r[3] > j.size-r[2] {
		return 0, false
	}
	end := r[2] + r[3]
	hole, tail := make([]byte, 1), make([]byte, min(end, 64))
	if _, err := j.r.ReadAt(hole, r[1]); err != nil || hole[0] != '<' {
		return 0, false
	}
	if n, err := j.r.ReadAt(tail, end-int64(len(tail))); n < len(tail) && err != nil {
		return 0, false
	}
	return end, bytes.HasSuffix(bytes.TrimRight(tail, "\x00\t\n\f\r "), []byte("%%EOF"))
}
