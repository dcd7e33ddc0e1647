package validate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/validate"
)

// ending ends a context at a certain read, and counts those that come after.
type ending struct {
	io.ReaderAt
	end   context.CancelFunc
	left  int
	reads int
	late  int
}

func (e *ending) ReadAt(b []byte, off int64) (int, error) {
	if e.reads++; e.left == 0 {
		e.late++
	} else if e.left--; e.left == 0 {
		e.end()
	}
	return e.ReaderAt.ReadAt(b, off)
}

// I9: judging ends with its context, whatever is being read then: an interrupted judgement is
// an error and no verdict, and nothing more is read.
func TestI9JudgingEndsWithItsContext(t *testing.T) {
	k := newKit(t)
	pdf := contract()
	for range 3 {
		pdf = k.sign(t, pdf, true)
	}
	one := k.signXML(t, invoice, "s1", true, true)
	for name, file := range map[string][]byte{"pdf": pdf, "xml": k.signXML(t, string(one), "s2", true, true)} {
		all := judged(t, file, k.trust(), 1<<30)
		for _, at := range []int{1, 2, all / 8, all / 4, all / 2, all * 3 / 4, all - 1, all} {
			if n := judged(t, file, k.trust(), max(at, 1)); n != max(at, 1) {
				t.Errorf("%s: %d reads before the end of the context at %d", name, n, at)
			}
		}
	}
}

// judged gives how often a file is read when the context ends at a read.
func judged(t *testing.T, file []byte, opt validate.Options, at int) int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := &ending{ReaderAt: bytes.NewReader(file), end: cancel, left: at}
	rep, err := validate.File(ctx, "test", r, int64(len(file)), opt)
	if ended := ctx.Err() != nil; ended != errors.Is(err, context.Canceled) || ended != (rep == nil) {
		t.Errorf("ended at read %d of %d: %v, %v", at, r.reads, rep, err)
	}
	if r.late > 0 {
		t.Errorf("%d reads after the end", r.late)
	}
	return r.reads
}

// I9: a file of very many signatures is refused before any of them is judged.
func TestI9ManySignaturesAreRefused(t *testing.T) {
	k := newKit(t)
	const empty = `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>`
	fields, objs := "", map[int]string{}
	for i := range 101 {
		objs[20+i] = fmt.Sprintf("<< /FT /Sig /T (s%d) /V << /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 9 10 9] /Contents <00> >> >>", i)
		fields += fmt.Sprintf(" %d 0 R", 20+i)
	}
	objs[1] = "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [" + fields + " ] >> >>"
	for name, file := range map[string]string{"xml": "<a>" + strings.Repeat(empty, 101) + "</a>", "pdf": string(upd(contract(), objs))} {
		_, err := validate.File(t.Context(), "test", strings.NewReader(file), int64(len(file)), k.trust())
		if !errors.Is(err, validate.ErrTooMany) || !strings.Contains(err.Error(), "101; at most 100") {
			t.Errorf("%s: %v", name, err)
		}
	}
	file := "<a>" + strings.Repeat(empty, 100) + "</a>"
	if rep := k.look(t, []byte(file), k.trust()); len(rep.Signatures) != 100 || rep.Verdict != validate.NotValid {
		t.Errorf("a hundred: %+v", rep)
	}
}
