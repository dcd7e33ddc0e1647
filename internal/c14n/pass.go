package c14n

import (
	"errors"
	"io"
)

// Pass is one reading of a document for several purposes: its index, what a caller makes of its events, and
// canonical forms, some of which the caller may only come to know while it reads.
type Pass struct {
	s    *Scanner
	jobs []*canonizer
}

func newPass(r io.Reader, lim Limits) *Pass {
	p := &Pass{s: NewScanner(r, lim)}
	p.s.strict = true
	return p
}

// ScanPass is Scan and Canonicalize in one pass, held to the rules of both. each looks at every event before it is
// written; it may add jobs, for a target that begins there or later. An error of any of them ends it, and no output
// is to be used then.
func ScanPass(r io.Reader, lim Limits, each func(*Pass, *Event) error, jobs ...Job) (*Index, error) {
	p := newPass(r, lim)
	if err := p.Add(jobs...); err != nil {
		return nil, err
	}
	return p.run(func(ev *Event) error {
		if err := each(p, ev); err != nil {
			return err
		}
		return p.write(ev)
	}, nil)
}

// Add has the pass compute further canonical forms.
func (p *Pass) Add(jobs ...Job) error {
	for i := range jobs {
		c, err := newCanonizer(p.s, &jobs[i])
		if err != nil {
			return err
		}
		p.jobs = append(p.jobs, c)
	}
	return nil
}

func (p *Pass) write(ev *Event) error {
	for _, c := range p.jobs {
		if err := c.event(ev); err != nil {
			return err
		}
	}
	return nil
}

func (p *Pass) finish() error {
	for _, c := range p.jobs {
		if err := c.finish(); err != nil {
			return err
		}
	}
	return nil
}

// run reads to the end and makes the index.
func (p *Pass) run(each func(*Event) error, attrs []IDAttr) (*Index, error) {
	if len(attrs) == 0 {
		attrs = DefaultIDs()
	}
	b := &indexer{s: p.s, attrs: attrs, x: &Index{}}
	for {
		ev, err := b.s.Next()
		if errors.Is(err, io.EOF) {
			b.x.Size = b.s.base + int64(b.s.end)
			if err := p.finish(); err != nil {
				return nil, err
			}
			return b.x, nil
		}
		if err != nil {
			return nil, err
		}
		switch ev.Kind {
		case StartElement:
			err = b.start(ev)
		case EndElement:
			b.end(ev)
		}
		if err == nil {
			err = each(ev)
		}
		if err != nil {
			return nil, err
		}
	}
}
