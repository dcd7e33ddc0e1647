package c14n_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/c14n"
)

// inside is an element with so many elements around it, each with attributes.
func inside(depth int, attrs func(level int) string) string {
	var b strings.Builder
	for level := range depth {
		b.WriteString("<a" + attrs(level) + ">")
	}
	return b.String() + `<b Id="x"/>` + strings.Repeat("</a>", depth)
}

// I9: an element that is taken out of its document inherits the xml: attributes around it. Whoever makes a document chooses how many there
// are, and how many elements are taken out of it: more of them than anybody needs are refused, and looking for them costs little.
func TestI9InheritedAttributesAreBounded(t *testing.T) {
	names := func(n int) func(int) string {
		return func(level int) string {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, " xml:a%d='%d'", i, level)
			}
			return b.String()
		}
	}
	base := func(long int) func(int) string {
		return func(int) string { return " xml:base='" + strings.Repeat("b", long) + "/'" }
	}
	for name, c := range map[string]struct {
		doc    string
		method c14n.Method
		want   error
	}{
		"as many names as there may be": {inside(1000, names(64)), c14n.Inclusive10, nil},
		"one more":                      {inside(1, names(65)), c14n.Inclusive10, c14n.ErrAttributes},
		"one on each":                   {inside(64, func(level int) string { return fmt.Sprintf(" xml:a%d=''", level) }), c14n.Inclusive10, nil},
		"one on each, and one more":     {inside(65, func(level int) string { return fmt.Sprintf(" xml:a%d=''", level) }), c14n.Inclusive10, c14n.ErrAttributes},
		"side by side":                  {"<r>" + strings.Repeat("<c xml:lang='de' xml:k='1'/>", 100) + inside(2, names(63)) + "</r>", c14n.Inclusive10, nil},
		"others on each": {inside(200, func(level int) string {
			return strings.ReplaceAll(names(250)(0), "xml:a", fmt.Sprintf("xml:a%d-", level))
		}), c14n.Inclusive10, c14n.ErrAttributes},
		"a base of many parts":              {inside(64, base(100)), c14n.Inclusive11, nil},
		"of one more":                       {inside(65, base(1)), c14n.Inclusive11, c14n.ErrValue},
		"a base that is longer than any is": {inside(60, base(1500)), c14n.Inclusive11, c14n.ErrValue},
		"bases that are not joined":         {inside(1000, base(1500)), c14n.Inclusive10, nil},
	} {
		var out bytes.Buffer
		jobs := make([]c14n.Job, 20)
		for i := range jobs {
			out.Reset()
			jobs[i] = c14n.Job{W: &bytes.Buffer{}, Method: c.method, Target: c14n.ElementAt(int64(strings.Index(c.doc, "<b")))}
		}
		jobs[0].W = &out
		begin := time.Now()
		if err := c14n.Canonicalize(strings.NewReader(c.doc), c14n.Limits{}, jobs...); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if c.want == nil && name == "as many names as there may be" && strings.Count(out.String(), `="999"`) != 64 {
			t.Errorf("%s: not the innermost: %s", name, out.String())
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%s: %d bytes took %s", name, len(c.doc), took)
		}
	}
}
