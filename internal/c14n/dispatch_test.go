package c14n

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
)

// I9: each element of a document by itself, all in one pass, costs no more than the document: an event is looked at by
// the forms that it belongs to. The files of an attacker have as many elements for an archive time-stamp as they like.
func TestI9FormsOfManyElementsInOnePass(t *testing.T) {
	const n = 60_000
	doc := "<r>" + strings.Repeat("<a>x</a>", n) + "</r>"
	var jobs []Job
	var sum int
	for i := range n {
		jobs = append(jobs, Job{W: counting{&sum}, Method: Exclusive, Target: ElementAt(int64(len("<r>") + i*len("<a>x</a>")))})
	}
	testenv.Within(t, "60,000 elements", 3*time.Second, func() {
		if err := Canonicalize(strings.NewReader(doc), Limits{}, jobs...); err != nil {
			t.Error(err)
		}
	})
	if sum != n*len("<a>x</a>") {
		t.Errorf("%d bytes", sum)
	}
}

type counting struct{ n *int }

func (c counting) Write(b []byte) (int, error) { *c.n += len(b); return len(b), nil }

// Forms of elements that lie in one another, beside one another, are the same, and empty, in whatever order they are asked for, are
// each what one pass gives that asks for nothing else.
func TestFormsTogetherAreThoseAlone(t *testing.T) {
	const doc = `<r xmlns:p="urn:u"><a Id="1"><b p:x="1"><c/><c/></b></a><!-- c --><d/><e xml:lang="x"><f>t</f></e><?p i?></r>`
	var jobs []Job
	for i := range doc {
		if doc[i] == '<' && strings.ContainsRune("rabcdef", rune(doc[i+1])) {
			for _, m := range []Method{Exclusive, Inclusive10, Inclusive11} {
				jobs = append(jobs, Job{Method: m, Comments: i%2 == 0, Target: ElementAt(int64(i))})
			}
		}
	}
	jobs = append(jobs, Job{Method: Exclusive}, Job{Method: Inclusive10, Target: ElementByID("1")}, Job{Method: Exclusive, Without: int64(strings.Index(doc, "<b")), Target: ElementAt(int64(strings.Index(doc, "<a")))})
	outs := make([]bytes.Buffer, 2*len(jobs))
	var all []Job
	for k := range outs {
		j := jobs[(k*7)%len(jobs)]
		j.W = &outs[k]
		all = append(all, j)
	}
	if err := Canonicalize(strings.NewReader(doc), Limits{}, all...); err != nil {
		t.Fatal(err)
	}
	for k, j := range all {
		if want := canonical(t, doc, j); outs[k].String() != want {
			t.Errorf("%+v: %q, alone %q", j.Target, outs[k].String(), want)
		}
	}
	for _, at := range []int64{1, int64(strings.Index(doc, "<!--")), int64(len(doc))} {
		err := Canonicalize(strings.NewReader(doc), Limits{}, Job{W: io.Discard, Method: Exclusive}, Job{W: io.Discard, Method: Exclusive, Target: ElementAt(at)})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(at)) {
			t.Errorf("no element at %d: %v", at, err)
		}
	}
}
