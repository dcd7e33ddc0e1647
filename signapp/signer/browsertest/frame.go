package browsertest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// Frame is the document frame, which Chromium runs in a process of its own
// because it is sandboxed.
type Frame struct {
	t   testing.TB
	ctx context.Context
}

// DocumentFrame attaches to the page's visible document frame.
func (p *Page) DocumentFrame() *Frame {
	p.t.Helper()
	c := chromedp.FromContext(p.ctx)
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		infos, err := chromedp.Targets(p.ctx)
		if err != nil {
			p.t.Fatalf("targets: %v", err)
		}
		for _, i := range infos {
			if i.Type == "iframe" && strings.HasSuffix(i.URL, "/viewer.html") && (i.BrowserContextID == c.BrowserContextID || c.BrowserContextID == "") {
				return p.attach(i)
			}
		}
		if time.Now().After(end) {
			p.t.Fatalf("no document frame among %d targets", len(infos))
		}
	}
}

func (p *Page) attach(i *target.Info) *Frame {
	p.t.Helper()
	ctx, stop := chromedp.NewContext(p.ctx, chromedp.WithTargetID(i.TargetID), chromedp.WithDetachOnCancel())
	p.t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		p.t.Fatalf("attach to the document frame: %v", err)
	}
	go p.listen(chromedp.Console(ctx)) // the browser repeats what was logged before
	return &Frame{t: p.t, ctx: ctx}
}

// EvalFrame evaluates a JavaScript expression inside the frame.
func EvalFrame[T any](f *Frame, js string) T {
	f.t.Helper()
	v, err := try[T](f.ctx, js)
	if err != nil {
		f.t.Fatalf("evaluate in the frame: %.200s: %v", js, err)
	}
	return v
}

// WaitFor waits until a JavaScript expression is true inside the frame.
func (f *Frame) WaitFor(js string) {
	f.t.Helper()
	wait(f.t, f.ctx, js, func() string {
		s, err := try[string](f.ctx, "document.documentElement.outerHTML.slice(0, 2000)")
		if err != nil {
			return err.Error()
		}
		return s
	})
}
