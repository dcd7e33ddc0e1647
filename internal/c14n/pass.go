package c14n

import (
	"cmp"
	"errors"
	"io"
	"slices"
)

// Pass is one reading of a document for several purposes: its index, what a caller makes of its events, and
// canonical forms, some of which the caller may only come to know while it reads.
type Pass struct {
	s    *Scanner
	jobs []*canonizer

	// A document can have as many targets as elements (I9): an event is shown to those jobs only that it can be
	// part of.
	always  []*canonizer // whose target is told by more than where it begins
	waiting []*canonizer // whose target begins further on, in that order
	within  []*canonizer // whose target the event is in
	free    [][]byte     // buffers of those that are done
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
		if !c.Target.element || c.Target.id != "" {
			c.out.init(c.W, p.buffer())
			p.always = append(p.always, c)
			continue
		}
		p.waiting = append(p.waiting, c)
	}
	slices.SortStableFunc(p.waiting, func(a, b *canonizer) int { return cmp.Compare(a.Target.offset, b.Target.offset) })
	return nil
}

func (p *Pass) buffer() []byte {
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return make([]byte, 0, outputSize)
}

func (p *Pass) write(ev *Event) error {
	for _, c := range p.always {
		if err := c.event(ev); err != nil {
			return err
		}
	}
	if ev.Kind == StartElement {
		p.begin(ev)
	}
	if len(p.within) == 0 {
		return nil
	}
	for _, c := range p.within {
		if err := c.event(ev); err != nil {
			return err
		}
	}
	if ev.Kind == EndElement {
		return p.end()
	}
	return nil
}

// begin takes the jobs whose target an element is. Those whose target no element was are told by finish.
func (p *Pass) begin(ev *Event) {
	for len(p.waiting) > 0 && p.waiting[0].Target.offset <= ev.From {
		if c := p.waiting[0]; c.Target.offset == ev.From {
			c.out.init(c.W, p.buffer())
			p.within = append(p.within, c)
		}
		p.waiting = p.waiting[1:]
	}
}

// end lets the jobs go whose target has ended.
func (p *Pass) end() error {
	left := p.within[:0]
	for _, c := range p.within {
		if c.apex > 0 {
			left = append(left, c)
			continue
		}
		c.out.flush()
		if c.out.err != nil {
			return c.out.err
		}
		p.free, c.out.buf = append(p.free, c.out.buf), nil
	}
	p.within = left
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
