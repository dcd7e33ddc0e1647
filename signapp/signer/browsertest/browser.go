// Package browsertest drives a real Chromium with virtual authenticators, for
// tests of the signer's pages. It is linked into tests only.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/assent-sign/assent/internal/testenv"
)

// patience is how long one wait may take before it fails the test.
const patience = 30 * time.Second

// Browser is one Chromium with a profile of its own.
type Browser struct {
	ctx context.Context
}

// New starts Chromium. It ends with the test.
func New(t testing.TB) *Browser {
	t.Helper()
	exe := testenv.Need(t, "chromium")
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(exe), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en-GB"),
	)
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		stop()
		stopAlloc()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return &Browser{ctx: ctx}
}

// Page is a tab of one person: isolated cookies and storage, own authenticator.
type Page struct {
	t    testing.TB
	ctx  context.Context
	auth *Authenticator

	mu       sync.Mutex
	problems []string
}

// watch records what a test wants to know afterwards: policy violations and
// passkey ceremonies. It runs in every document before its own scripts.
const watch = `(() => {
  const w = { violations: [], gets: 0, creates: 0 };
  Object.defineProperty(window, '__watch', { value: w });
  document.addEventListener('securitypolicyviolation', (e) => w.violations.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));
  if (navigator.credentials) {
    const { get, create } = navigator.credentials;
    navigator.credentials.get = function (o) { w.gets++; return get.call(this, o); };
    navigator.credentials.create = function (o) { w.creates++; return create.call(this, o); };
  }
})()`

// Person opens a tab in a new browser context, with a virtual authenticator
// (CTAP2, built in, user verification works).
func (b *Browser) Person(t testing.TB) *Page {
	t.Helper()
	p := newPage(t, b.ctx, chromedp.WithNewBrowserContext())
	p.auth = addAuthenticator(p)
	return p
}

// Tab opens a further tab of the same person. Chromium gives each tab its own
// virtual authenticators, so the new one gets copies of the passkeys.
func (p *Page) Tab() *Page {
	p.t.Helper()
	n := newPage(p.t, p.ctx)
	n.auth = addAuthenticator(n)
	for _, c := range p.auth.Credentials() {
		n.auth.Add(c)
	}
	return n
}

func newPage(t testing.TB, parent context.Context, opts ...chromedp.ContextOption) *Page {
	t.Helper()
	ctx, stop := chromedp.NewContext(parent, opts...)
	t.Cleanup(stop)
	p := &Page{t: t, ctx: ctx}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	go p.listen(chromedp.Console(ctx))
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch}); err != nil {
		t.Fatalf("watch script: %v", err)
	}
	return p
}

func (p *Page) listen(messages func(func(chromedp.ConsoleMessage, error) bool)) {
	for m, err := range messages {
		if err != nil {
			return
		}
		bad := m.IsException() || m.Source == "security" || strings.Contains(m.Text, "Content Security Policy")
		if bad {
			p.mu.Lock()
			p.problems = append(p.problems, m.String())
			p.mu.Unlock()
		}
	}
}

// Context is for chromedp calls that this package does not have.
func (p *Page) Context() context.Context { return p.ctx }

// Authenticator is the person's passkey device.
func (p *Page) Authenticator() *Authenticator { return p.auth }

// Go opens an address and waits for the load event. It leaves the old page
// first, because a link that differs only behind "#" would not load anew.
func (p *Page) Go(url string) {
	p.t.Helper()
	p.do("open "+url, chromedp.Navigate("about:blank"), anew(chromedp.Navigate(url)))
}

// anew opens a page again where the machine's own network changed meanwhile (an address that is renewed is
// enough): Chromium gives up what is under way then, on loopback too.
func anew(open chromedp.Action[chromedp.Void]) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		for n := 0; ; n++ {
			v, err := open(ctx, target)
			if err == nil || n == 3 || !strings.Contains(err.Error(), "ERR_NETWORK_CHANGED") {
				return v, err
			}
		}
	}
}

// Reload loads the page again.
func (p *Page) Reload() {
	p.t.Helper()
	p.do("reload", chromedp.Reload())
}

func (p *Page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// Eval evaluates a JavaScript expression; a promise is awaited.
func Eval[T any](p *Page, js string) T {
	p.t.Helper()
	v, err := try[T](p.ctx, js)
	if err != nil {
		p.t.Fatalf("evaluate %.200s: %v", js, err)
	}
	return v
}

func try[T any](parent context.Context, js string) (T, error) {
	ctx, cancel := context.WithTimeout(parent, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise, func(e *runtime.EvaluateParams) {
		yes := true
		e.UserGesture = &yes
	}))
}

// WaitFor waits until a JavaScript expression is true.
func (p *Page) WaitFor(js string) {
	p.t.Helper()
	wait(p.t, p.ctx, js, p.Text)
}

func wait(t testing.TB, ctx context.Context, js string, state func() string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		// Errors come while a page is being replaced.
		if ok, err := try[bool](ctx, "Boolean("+js+")"); err == nil && ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s; the page says:\n%s", js, state())
		}
	}
}

// WaitText waits until the page shows a text.
func (p *Page) WaitText(text string) {
	p.t.Helper()
	p.WaitFor(fmt.Sprintf("document.body && document.body.innerText.includes(%q)", text))
}

// Text returns what the page shows.
func (p *Page) Text() string {
	s, err := try[string](p.ctx, "document.body ? document.body.innerText : ''")
	if err != nil {
		return err.Error()
	}
	return s
}

// Click clicks the middle of an element found by a CSS selector, as a mouse does.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.still(fmt.Sprintf("document.querySelector(%q)", selector))
	p.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// still waits until an element is there and stays where it is: a page that is still
// being filled moves it from under the mouse.
func (p *Page) still(js string) {
	p.t.Helper()
	p.WaitFor(js)
	where := "JSON.stringify([" + js + "?.getBoundingClientRect(), document.documentElement.scrollHeight])"
	before := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(80 * time.Millisecond) {
		now, err := try[string](p.ctx, where) // errors come while a page is being replaced
		if err == nil && now == before {
			return
		}
		before = now
	}
	p.t.Fatalf("%s moves all the time; the page says:\n%s", js, p.Text())
}

// ClickText clicks the first button or link with this text.
func (p *Page) ClickText(text string) {
	p.t.Helper()
	js := fmt.Sprintf("[...document.querySelectorAll('button,a')].find((e) => e.innerText.trim() === %q)", text)
	p.still(js)
	Eval[bool](p, "("+js+".setAttribute('data-test-click', '1'), true)")
	p.do("click "+text, chromedp.Click(chromedp.CSS("[data-test-click]")))
	_, _ = try[bool](p.ctx, "(document.querySelector('[data-test-click]')?.removeAttribute('data-test-click'), true)")
}

// Front makes the tab the one that has the keyboard.
func (p *Page) Front() {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, page.BringToFront, cdp.Empty{}); err != nil {
		p.t.Fatalf("bring to front: %v", err)
	}
}

// Keys presses keys one after the other (package kb of chromedp names them).
func (p *Page) Keys(keys string, opts ...chromedp.KeyOption) {
	p.t.Helper()
	p.do("press keys", chromedp.KeyEvent(keys, opts...))
}

// Viewport sets the size of the window and the colour scheme.
func (p *Page) Viewport(width, height int64, dark bool) {
	p.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p.do("viewport", chromedp.EmulateViewport(width, height))
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		p.t.Fatalf("colour scheme: %v", err)
	}
}

// Screenshot writes a picture of the whole page into the folder that the
// environment variable ASSENT_SHOTS names; without it, it does nothing. Browsers
// do not paint frames that are out of view, so a second picture is taken with
// the document frame in view.
func (p *Page) Screenshot(name string) {
	p.t.Helper()
	dir := os.Getenv("ASSENT_SHOTS")
	if dir == "" {
		return
	}
	p.shoot(filepath.Join(dir, name+".png"), chromedp.FullScreenshot(100))
	if !Eval[bool](p, "document.querySelector('.stage iframe')?.scrollIntoView(), document.querySelector('.stage iframe') !== null") {
		return
	}
	time.Sleep(500 * time.Millisecond)
	p.shoot(filepath.Join(dir, name+"-document.png"), chromedp.CaptureScreenshot())
	Eval[bool](p, "window.scrollTo(0, 0), true")
}

func (p *Page) shoot(file string, how chromedp.Action[[]byte]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, how)
	if err != nil {
		p.t.Fatalf("screenshot: %v", err)
	}
	if err := os.WriteFile(file, png, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Downloads makes the tab save downloads into a folder and returns it.
func (p *Page) Downloads() string {
	p.t.Helper()
	dir := p.t.TempDir()
	_, err := chromedp.CallBrowser(p.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir, BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID,
	})
	if err != nil {
		p.t.Fatalf("downloads: %v", err)
	}
	return dir
}

// Downloaded waits for a file in a downloads folder and returns its bytes.
func (p *Page) Downloaded(dir, name string) []byte {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil && len(b) > 0 {
			return b
		}
		if time.Now().After(end) {
			list, _ := filepath.Glob(filepath.Join(dir, "*"))
			p.t.Fatalf("no download %s; there are %v; the page says:\n%s", name, list, p.Text())
		}
	}
}

// Ceremonies returns how often the page asked for a passkey assertion and for a
// new passkey since it was loaded.
func (p *Page) Ceremonies() (gets, creates int) {
	p.t.Helper()
	return Eval[int](p, "__watch.gets"), Eval[int](p, "__watch.creates")
}

// Problems returns policy violations, uncaught errors and security messages of
// the page and of its frames in the same process.
func (p *Page) Problems() []string {
	p.t.Helper()
	out := Eval[[]string](p, "__watch.violations")
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(out, p.problems...)
}
