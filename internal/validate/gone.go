package validate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

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
	t, err := j.traces(found)
	if err != nil {
		return err
	}
	if t.stray && !slices.ContainsFunc(rep.Signatures, func(s Signature) bool { return s.Kind == kindSignature }) {
		rep.note("the file holds the bytes of a signature, and nothing leads to it: it was taken away, or never put in")
	}
	ends := t.revisions()
	if len(ends) > maxRevisions {
		rep.taken("the file holds the bytes of more than %d signatures to which nothing leads; whether one was taken away cannot be told", maxRevisions)
		return nil
	}
	for _, end := range ends {
		if err := j.ctx.Err(); err != nil {
			return err
		}
		old, err := pdf.Open(io.NewSectionReader(j.r, 0, end), end, j.opt.Limits)
		if err != nil {
			continue // no reader ever showed it as signed
		}
		sigs, err := old.Signatures()
		if err != nil {
			continue
		}
		for i := range sigs {
			s := &sigs[i]
			here := s.CoveredEnd == end || s.CoveredEnd > end-eolRoom && s.CoveredEnd < end && slices.Contains(t.values, s.ContentsOffset)
			if len(s.Problems) == 0 && here && !slices.ContainsFunc(found, func(o pdf.Signature) bool { return slices.Equal(o.ByteRange, s.ByteRange) }) {
				rep.taken("the signature in %q, of the revision that ends at byte %d, was taken away by a later one", s.Field, s.CoveredEnd)
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

// traces are what is left in the file of signatures to which nothing leads.
type traces struct {
	stray  bool    // there are any
	ends   []int64 // where the revisions end that a readable /ByteRange covers
	begins []int64 // of the signature values of those
	values []int64 // offsets of the values, by what they look like: their /ByteRange can be spelled in many ways
	closed []int64 // where "%%EOF" stands, behind it
}

// Bounds on what is kept of traces; after each value that no readable range goes with so many
// ends of revisions are tried, and eolRoom is how far behind "%%EOF" one can reach.
const (
	maxClosed   = 10_000
	triesBehind = 3
	eolRoom     = 3
)

// revisions are the ends that are worth looking at, each once.
func (t *traces) revisions() []int64 {
	out := slices.Clone(t.ends)
	for _, v := range t.values {
		if slices.Contains(t.begins, v) {
			continue
		}
		i, _ := slices.BinarySearch(t.closed, v)
		for _, end := range t.closed[i:min(len(t.closed), i+triesBehind)] {
			if !slices.Contains(out, end) && len(out) <= maxRevisions {
				out = append(out, end)
			}
		}
	}
	return out
}

// traces finds each /ByteRange of which no signature of the file is the owner, and each value of a
// signature that is none's.
func (j *judge) traces(found []pdf.Signature) (*traces, error) {
	t := &traces{}
	buf := make([]byte, 64<<10)
	kept := 0
	for off := int64(0); off < j.size; {
		if err := j.ctx.Err(); err != nil {
			return nil, err
		}
		n, err := j.r.ReadAt(buf[kept:min(int64(len(buf)), int64(kept)+j.size-off)], off)
		if n == 0 {
			return nil, fmt.Errorf("read at offset %d: %w", off, errors.Join(err, io.ErrUnexpectedEOF))
		}
		off += int64(n)
		end := kept + n
		whole := end // the words that begin before it are looked at now
		if off < j.size {
			whole = max(0, end-rangeRoom)
		}
		each(buf[:end], "/ByteRange", whole, func(rest []byte, _ int) { j.strayRange(t, rest, found) })
		each(buf[:end], "<", whole, func(rest []byte, at int) { t.value(rest, off-int64(end-at), found) })
		each(buf[:end], "%%EOF", whole, func(_ []byte, at int) {
			if behind := off - int64(end-at) + int64(len("%%EOF")); len(t.closed) < maxClosed {
				t.closed = append(t.closed, min(j.size, behind+eolRoom-1))
			}
		})
		if len(t.ends) > maxRevisions {
			break
		}
		kept = copy(buf, buf[whole:end])
	}
	return t, nil
}

// each calls do for each place of a word that begins before an offset, with what comes behind it.
func each(b []byte, word string, before int, do func(rest []byte, at int)) {
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], []byte(word))
		if i < 0 || at+i >= before {
			return
		}
		at += i
		rest := b[at+len(word):]
		do(rest[:min(len(rest), rangeRoom-len(word))], at)
	}
}

func (j *judge) strayRange(t *traces, rest []byte, found []pdf.Signature) {
	r := fourNumbers(rest)
	if r != nil && slices.ContainsFunc(found, func(s pdf.Signature) bool { return slices.Equal(s.ByteRange, r) }) {
		return
	}
	t.stray = true
	if e, ok := j.covers(r); ok && !slices.Contains(t.ends, e) && len(t.ends) <= maxRevisions {
		t.ends, t.begins = append(t.ends, e), append(t.begins, r[1])
	}
}

// value takes a hexadecimal string that begins as CMS SignedData does (RFC 5652, section 3).
func (t *traces) value(rest []byte, at int64, found []pdf.Signature) {
	const signedData = "06092a864886f70d010702"
	if len(rest) < 40 || rest[0] != '3' && !isBlank(rest[0]) || len(t.values) > maxRevisions {
		return
	}
	text := strings.ToLower(strings.Join(strings.Fields(string(rest)), ""))
	i := strings.Index(text, signedData)
	if !strings.HasPrefix(text, "30") || i < 4 || i > 12 || slices.ContainsFunc(found, func(s pdf.Signature) bool { return s.ContentsOffset == at }) {
		return
	}
	t.stray = true
	t.values = append(t.values, at)
}

func isBlank(c byte) bool { return c <= ' ' }

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
