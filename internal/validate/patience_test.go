package validate_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/validate"
)

// slow is a file on a device that never ends to answer, from a number of readings on.
type slow struct {
	io.ReaderAt
	quick int
}

func (s *slow) ReadAt(b []byte, off int64) (int, error) {
	if s.quick--; s.quick < 0 {
		time.Sleep(5 * time.Millisecond)
	}
	return s.ReaderAt.ReadAt(b, off)
}

// I9, ADE-04: a judgement ends when its time is over, and says that nothing is decided, not even what had been looked at by then. Whoever
// ends it from outside gets no report.
func TestI9JudgementEndsInTimeUndecided(t *testing.T) {
	k := newKit(t)
	good := k.sign(t, contract(), true)
	opt := k.trust()
	opt.Patience = time.Minute
	if rep := k.look(t, good, opt); rep.Verdict != validate.Valid {
		t.Fatalf("%+v", rep)
	}
	for _, quick := range []int{0, 1, 10} {
		opt.Patience = 20 * time.Millisecond
		begin := time.Now()
		rep, err := validate.File(t.Context(), "slow.pdf", &slow{bytes.NewReader(good), quick}, int64(len(good)), opt)
		if err != nil || rep.Verdict != validate.Indeterminate || rep.Indication != validate.InDoubt || rep.SubIndication != validate.SigConstraintsFailure || len(rep.Signatures) != 0 {
			t.Fatalf("%d: %+v, %v", quick, rep, err)
		}
		var words strings.Builder
		must(t, rep.Print(&words))
		if took := time.Since(begin); took > 5*time.Second || !strings.Contains(words.String(), "20ms") || strings.Contains(words.String(), "no signature") {
			t.Errorf("%d: after %s:\n%s", quick, took, words.String())
		}
		var page strings.Builder
		must(t, rep.HTML(&page))
		if !strings.Contains(page.String(), "20ms") || strings.Contains(page.String(), "No signature") {
			t.Errorf("%d: %s", quick, page.String())
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	opt.Patience = time.Minute
	if rep, err := validate.File(ctx, "slow.pdf", &slow{bytes.NewReader(good), 0}, int64(len(good)), opt); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", rep, err)
	}
}
