package extend

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sort"
	"strings"
)

// spliced is a document with properties put in, without anything being written.
type spliced struct {
	ctx    context.Context
	in     io.ReaderAt
	pieces []piece
	size   int64
}

// piece is a part of it: of the document that was given, or of what was put in.
type piece struct {
	at, size int64
	from     int64  // in the document
	text     string // else
}

// splice puts what was added into the document that was given.
func (j *xmlJob) splice() (*spliced, error) {
	s := &spliced{ctx: j.ctx, in: j.in}
	type insertion struct {
		at   int64
		drop int
		text string
	}
	var all []insertion
	for i, properties := range j.added {
		p, err := j.base.Signatures[i].Place()
		if err != nil {
			return nil, err
		}
		all = append(all, insertion{p.Offset, p.Drop, p.Before + strings.Join(properties, "") + p.After})
	}
	slices.SortFunc(all, func(a, b insertion) int { return cmp.Compare(a.at, b.at) })
	from := int64(0)
	for _, in := range all {
		s.add(piece{from: from, size: in.at - from})
		s.add(piece{text: in.text, size: int64(len(in.text))})
		from = in.at + int64(in.drop)
	}
	s.add(piece{from: from, size: j.size - from})
	return s, nil
}

func (s *spliced) add(p piece) {
	if p.size > 0 {
		p.at = s.size
		s.pieces = append(s.pieces, p)
		s.size += p.size
	}
}

// ReadAt implements io.ReaderAt, until the context ends.
func (s *spliced) ReadAt(b []byte, off int64) (n int, err error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	for i := sort.Search(len(s.pieces), func(i int) bool { return s.pieces[i].at+s.pieces[i].size > off }); i < len(s.pieces) && n < len(b); i++ {
		p := &s.pieces[i]
		skip := off + int64(n) - p.at
		part := b[n:min(int64(len(b)), int64(n)+p.size-skip)]
		if p.text != "" {
			n += copy(part, p.text[skip:])
			continue
		}
		m, err := s.in.ReadAt(part, p.from+skip)
		if n += m; m < len(part) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
