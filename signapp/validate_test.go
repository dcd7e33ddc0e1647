package signapp_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/apptest"
	"github.com/assent-sign/assent/workers"
)

// slow is a validator that judges until it is told to go on.
type slow struct {
	signapp.Workers
	began chan string
	open  chan struct{}
	mu    sync.Mutex
	now   map[string]int // being judged, by name of the document
	most  map[string]int
}

func (s *slow) Get(string) (*workers.Entry, error) { return &workers.Entry{Validator: s}, nil }

func (s *slow) count(name string, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now[name] += by
	s.most[name] = max(s.most[name], s.now[name])
}

func (s *slow) Validate(ctx context.Context, name string, _ io.ReaderAt, _ int64, _ []string, _ ...workers.Beside) ([]byte, error) {
	s.count(name, 1)
	defer s.count(name, -1)
	s.began <- name
	select {
	case <-s.open:
		return []byte("{}"), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// I9: one client's files that take long to judge leave room for those of others; who gives up
// waiting gives up the turn too.
func TestI9OneClientLeavesRoomForJudgingOthers(t *testing.T) {
	for parallel, most := range map[int]int{4: 2, 5: 2, 1: 1} {
		w := &slow{began: make(chan string, 100), open: make(chan struct{}), now: map[string]int{}, most: map[string]int{}}
		r := newRig(t, func(c *signapp.Config) { c.Limits.Parallel = parallel; c.Workers = w })
		ids := map[string]string{}
		for _, c := range []signapp.Client{apptest.Acme, apptest.Other} {
			d, err := r.Service.Upload(bg, c, c.ID, strings.NewReader("file"))
			if err != nil {
				t.Fatal(err)
			}
			ids[c.ID] = d.ID
		}
		var impatient, others sync.WaitGroup
		judge := func(ctx context.Context, all *sync.WaitGroup, c signapp.Client, want error) {
			all.Go(func() {
				if _, err := r.Service.Validate(ctx, c, ids[c.ID], "slow", nil); !errors.Is(err, want) {
					t.Errorf("%s: %v", c.ID, err)
				}
			})
		}
		gone, give := context.WithCancel(t.Context())
		for range 8 {
			judge(gone, &impatient, apptest.Acme, context.Canceled)
		}
		for range most {
			<-w.began
		}
		if parallel > 1 {
			judge(bg, &others, apptest.Other, nil)
			if name := <-w.began; name != apptest.Other.ID {
				t.Errorf("%d places: %s has all of them", parallel, name)
			}
		}
		give()
		impatient.Wait()
		judge(bg, &others, apptest.Acme, nil)
		close(w.open)
		others.Wait()
		if w.most[apptest.Acme.ID] != most {
			t.Errorf("%d places: %d files of one client were judged at one time", parallel, w.most[apptest.Acme.ID])
		}
	}
}

// late is a validator that says how it ended.
type late struct {
	signapp.Workers
	err error
}

func (l *late) Get(string) (*workers.Entry, error) { return &workers.Entry{Validator: l}, nil }

func (l *late) Validate(context.Context, string, io.ReaderAt, int64, []string, ...workers.Beside) ([]byte, error) {
	return nil, l.err
}

// I9: that the time for judging one file was over is no fault of the file, and asking again is right.
func TestI9JudgingThatTookTooLongIsNoBadInput(t *testing.T) {
	for _, c := range []struct {
		err, want, not error
	}{
		{errors.Join(context.DeadlineExceeded, errors.New("read at 7")), context.DeadlineExceeded, signapp.ErrInput},
		{errors.Join(workers.ErrInput, errors.New("no PDF")), signapp.ErrInput, context.DeadlineExceeded},
	} {
		w := &late{err: c.err}
		r := newRig(t, func(cfg *signapp.Config) { cfg.Workers = w })
		d, err := r.Service.Upload(bg, apptest.Acme, "a.pdf", strings.NewReader("file"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Service.Validate(t.Context(), apptest.Acme, d.ID, "judge", nil); !errors.Is(err, c.want) || errors.Is(err, c.not) {
			t.Errorf("%v: %v", c.err, err)
		}
	}
}

// beside is a validator that says what it was given.
type beside struct{ signapp.Workers }

func (b beside) Get(string) (*workers.Entry, error) { return &workers.Entry{Validator: b}, nil }

func (beside) Validate(_ context.Context, name string, _ io.ReaderAt, _ int64, parts []string, files ...workers.Beside) ([]byte, error) {
	for _, f := range files {
		b := make([]byte, f.Size)
		if _, err := f.ReadAt(b, 0); err != nil {
			return nil, err
		}
		name += "|" + f.Name + "=" + string(b)
	}
	for _, id := range parts {
		name += "#" + id
	}
	return []byte(name), nil
}

// ADE-05: the files of a detached signature are uploads of the same client, named as the request or the upload says, and
// not too many.
func TestADE05FilesBesideASignature(t *testing.T) {
	r := newRig(t, func(c *signapp.Config) { c.Workers = beside{} })
	up := func(c signapp.Client, name, text string) string {
		d, err := r.Service.Upload(bg, c, name, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return d.ID
	}
	sig, data, theirs := up(apptest.Acme, "s.xml", "<s/>"), up(apptest.Acme, "a.txt", "one"), up(apptest.Other, "b.txt", "two")
	got, err := r.Service.Validate(bg, apptest.Acme, sig, "judge", nil, signapp.Beside{Document: data}, signapp.Beside{Document: data, Name: "x y"})
	if err != nil || string(got) != "s.xml|a.txt=one|x y=one" {
		t.Errorf("%s %v", got, err)
	}
	if _, err := r.Service.Validate(bg, apptest.Acme, sig, "judge", nil, signapp.Beside{Document: data}, signapp.Beside{Document: theirs}); !errors.Is(err, signapp.ErrNotFound) {
		t.Errorf("of another client: %v", err)
	}
	if _, err := r.Service.Validate(bg, apptest.Acme, sig, "judge", nil, make([]signapp.Beside, 51)...); !errors.Is(err, signapp.ErrInput) {
		t.Errorf("fifty-one: %v", err)
	}
	if got, err := r.Service.Validate(bg, apptest.Acme, sig, "judge", []string{"head", "line 2"}); err != nil || string(got) != "s.xml#head#line 2" {
		t.Errorf("parts: %s %v", got, err)
	}
	for name, parts := range map[string][]string{"fifty-one": slices.Repeat([]string{"a"}, 51), "empty": {""}, "long": {strings.Repeat("a", 257)}} {
		if _, err := r.Service.Validate(bg, apptest.Acme, sig, "judge", parts); !errors.Is(err, signapp.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
