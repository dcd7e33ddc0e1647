package c14n

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func seeds(f *testing.F) {
	for _, r := range refusals {
		f.Add([]byte(r.doc))
	}
	for _, d := range generated(40, 9) {
		f.Add([]byte(d.doc))
	}
	f.Add([]byte(nested))
}

// FuzzScanner: events never overlap and never leave the document, elements nest,
// and a document in pieces has the same events' end.
func FuzzScanner(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		s := NewScanner(bytes.NewReader(doc), Limits{Depth: 50})
		at, depth := int64(0), 0
		for {
			ev, err := s.Next()
			if err != nil {
				var e *Error
				if !errors.Is(err, io.EOF) && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > int64(len(doc)) || e.Line < 1) {
					t.Fatalf("error %v", err)
				}
				if errors.Is(err, io.EOF) && depth != 0 {
					t.Fatalf("%d elements have no end", depth)
				}
				return
			}
			if ev.From < at || ev.To < ev.From || ev.To > int64(len(doc)) {
				t.Fatalf("event %d to %d after %d", ev.From, ev.To, at)
			}
			at = ev.To
			switch ev.Kind {
			case StartElement:
				if depth++; ev.Depth != depth || doc[ev.From] != '<' || doc[ev.To-1] != '>' {
					t.Fatalf("start tag at %d, depth %d", ev.From, ev.Depth)
				}
			case EndElement:
				if ev.Depth != depth {
					t.Fatalf("end tag at %d, depth %d", ev.From, ev.Depth)
				}
				depth--
			}
		}
	})
}

// FuzzCanonicalize: a canonical form is its own canonical form, is no reason for an
// error, and does not depend on how the bytes arrive; what Scan accepts and
// Canonicalize refuses is a relative namespace name.
func FuzzCanonicalize(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		_, scanned := Scan(bytes.NewReader(doc), Limits{}, IDAttr{"urn:none", "none"})
		for _, m := range methods {
			j := Job{Method: m.method, Comments: true}
			once, err := try(string(doc), j)
			if (err == nil) != (scanned == nil) && !errors.Is(err, ErrRelativeNamespace) {
				t.Fatalf("Scan says %v, Canonicalize %v", scanned, err)
			}
			if err != nil {
				continue
			}
			if twice, err := try(once, j); err != nil || twice != once {
				t.Fatalf("%q\nbecomes %q, %v", once, twice, err)
			}
			var pieces strings.Builder
			j.W = &pieces
			if err := Canonicalize(bytes.NewReader(doc), Limits{Token: len(doc) + 1}, j); err != nil || pieces.String() != once {
				t.Fatalf("%q\nin small windows %q, %v", once, pieces.String(), err)
			}
		}
	})
}

// FuzzSubset: every element can be a target and be left out, and what it is as a
// document of its own has the same exclusive form.
func FuzzSubset(f *testing.F) {
	for _, d := range generated(40, 10) {
		f.Add([]byte(d.doc), 3)
	}
	f.Add([]byte(nested), 1)
	f.Fuzz(func(t *testing.T, doc []byte, which int) {
		tree, err := readTree(doc)
		if err != nil {
			return
		}
		nodes := everything(tree)
		n := nodes[uint(which)%uint(len(nodes))]
		for _, m := range methods {
			j := Job{Method: m.method, Comments: true, Target: ElementAt(n.from)}
			out, err := try(string(doc), j)
			if errors.Is(err, ErrRelativeNamespace) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			j.Target = Document()
			if twice, err := try(out, j); err != nil || twice != out {
				t.Fatalf("%q\nbecomes %q, %v", out, twice, err)
			}
			if n.from != nodes[0].from {
				j.Without = n.from
				if _, err := try(string(doc), j); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
