package main

import (
	"bytes"
	"fmt"
	"slices"
)

// span is a place in a file, in bytes.
type span struct{ from, to int }

// mutant is one change.
type mutant struct {
	ID     string // file:function:operator:n, n counting from 1 in the function
	File   string
	Func   string
	Op     string
	Line   int
	Change string // on one line: from => to
	Print  string // fingerprint of the function's text
	number int    // what the switch is thrown with; 0 is none
	text   string // what stands there instead; "" for a statement that is left out
	broken bool
}

// site is an expression or a statement with its mutants.
type site struct {
	span
	kind    kind
	typ     string // of an expression
	mutants []*mutant
}

type kind int

const (
	expression kind = iota // evaluated as it is or as the mutant says
	result                 // evaluated as it is, then replaced by the type's zero value
	statement              // done, left out or done otherwise
)

// render returns the file with the switches of some mutants.
func (s *source) render(in func(*mutant) bool) []byte {
	var sites []*site
	for _, x := range s.sites {
		keep := *x
		keep.mutants = nil
		for _, m := range x.mutants {
			if !m.broken && in(m) {
				keep.mutants = append(keep.mutants, m)
			}
		}
		if len(keep.mutants) > 0 {
			sites = append(sites, &keep)
		}
	}
	// Outer sites before inner ones; sites nest, as nodes of a syntax tree do.
	slices.SortFunc(sites, func(a, b *site) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return b.to - a.to
	})
	var out bytes.Buffer
	s.renderSpan(&out, span{0, len(s.text)}, sites)
	return out.Bytes()
}

func (s *source) renderSpan(out *bytes.Buffer, at span, sites []*site) {
	pos := at.from
	for i := 0; i < len(sites); {
		x := sites[i]
		out.Write(s.text[pos:x.from])
		j := i + 1
		for j < len(sites) && sites[j].to <= x.to {
			j++
		}
		var inner bytes.Buffer
		s.renderSpan(&inner, x.span, sites[i+1:j])
		out.WriteString(x.wrap(inner.String()))
		pos, i = x.to, j
	}
	out.Write(s.text[pos:at.to])
}

// wrap puts the switches of a site around its text.
func (x *site) wrap(inner string) string {
	var b bytes.Buffer
	switch x.kind {
	case result:
		for _, m := range x.mutants {
			inner = fmt.Sprintf("mutantZero[%s](%d, %s)", x.typ, m.number, inner)
		}
		return inner
	case expression:
		fmt.Fprintf(&b, "(func() %s { ", x.typ)
		for _, m := range x.mutants {
			fmt.Fprintf(&b, "if mutantIs(%d) { return %s }; ", m.number, m.text)
		}
		fmt.Fprintf(&b, "return %s }())", inner)
	case statement:
		for _, m := range x.mutants {
			if m.text == "" {
				fmt.Fprintf(&b, "if mutantIs(%d) { } else ", m.number)
			} else {
				fmt.Fprintf(&b, "if mutantIs(%d) { %s } else ", m.number, m.text)
			}
		}
		fmt.Fprintf(&b, "{ %s }", inner)
	}
	return b.String()
}

// Environment of a test program with switches.
const (
	envMutant = "ASSENT_MUTANT"       // the number of the mutant that is on
	envReach  = "ASSENT_MUTANT_REACH" // file to which the numbers of reached mutants are appended
)

// switchSource is the file that is added to the package.
func (p *pack) switchSource() []byte {
	return fmt.Appendf(nil, `package %s

import (
	"os"
	"strconv"
	"sync/atomic"
)

var mutantOn = func() int { n, _ := strconv.Atoi(os.Getenv(%q)); return n }()

var mutantReach = func() *os.File {
	name := os.Getenv(%q)
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	return f
}()

var mutantReached [%d]atomic.Bool

func mutantIs(n int) bool {
	if mutantReach != nil && mutantReached[n].CompareAndSwap(false, true) {
		if _, err := mutantReach.WriteString(strconv.Itoa(n) + "\n"); err != nil {
			panic(err)
		}
	}
	return n == mutantOn
}

func mutantZero[T any](n int, v T) T {
	if mutantIs(n) {
		var zero T
		return zero
	}
	return v
}
`, p.types.Name(), envMutant, envReach, p.highest()+1)
}

// highest is the highest number of a switch.
func (p *pack) highest() int {
	n := 0
	for _, s := range p.files {
		for _, x := range s.sites {
			for _, m := range x.mutants {
				n = max(n, m.number)
			}
		}
	}
	return n
}
