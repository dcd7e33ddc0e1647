package portal_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/signapp/appsqlite"
	"github.com/assent-sign/assent/signapp/apptest"
	"github.com/assent-sign/assent/signapp/portal"
	"github.com/assent-sign/assent/signapp/signer/browsertest"

	"github.com/go-chi/chi/v5"
)

// In a real Chromium with a virtual authenticator, by keyboard and at 320 px:
// join, log out, log in, and see the list; no page scrolls sideways, every
// field and button has a name, the strict CSP stops nothing of ours.
func TestPortalInChromium(t *testing.T) {
	rig := apptest.NewRig(t, func(p string) (signapp.Store, error) { return appsqlite.Open(p, appsqlite.Options{}) }, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://localhost:" + port
	p, err := portal.New(portal.Config{Service: rig.Service, Store: rig.Store, AppOrigin: origin, SigningOrigin: apptest.SigningOrigin,
		Name: "Assent test", Contact: "help@example.org", Demo: true, UploadWorker: "paper", MaxDocument: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	r := chi.NewRouter()
	p.Mount(r)
	srv := &http.Server{Handler: r}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	link, _, err := p.Invite(context.Background(), "anna", "Anna Example")
	if err != nil {
		t.Fatal(err)
	}
	rig.Create("anna", "text")

	page := browsertest.New(t).Person(t)
	page.Viewport(320, 640, false)
	sound := func(where string) {
		t.Helper()
		page.WaitFor(`document.readyState === "complete"`) // the style sheet moves what is clicked next
		if bad := page.Problems(); len(bad) != 0 {
			t.Errorf("%s: %v", where, bad)
		}
		if w := browsertest.Eval[int](page, "document.documentElement.scrollWidth"); w > 320 {
			t.Errorf("%s: %d px wide at 320", where, w)
		}
		unnamed := browsertest.Eval[int](page, `[...document.querySelectorAll("button,a,input")].filter(e => !(e.innerText || "").trim() && !(e.labels && e.labels.length) && !e.ariaLabel).length`)
		if unnamed != 0 {
			t.Errorf("%s: %d controls without a name", where, unnamed)
		}
		if n := browsertest.Eval[int](page, `document.querySelectorAll("h1").length`); n != 1 {
			t.Errorf("%s: %d first headings", where, n)
		}
	}
	page.Go(link)
	sound("join")
	browsertest.Eval[bool](page, `document.querySelector("[data-ceremony]").focus(), true`)
	page.Keys(kb.Enter)
	page.WaitText("Waiting for you")
	page.WaitText("Lease 7")
	sound("list")
	page.ClickText("Sign a document")
	page.WaitText("PDF document")
	sound("upload")
	page.ClickText("History")
	page.WaitText("Everything that you were asked to sign")
	sound("history")
	page.ClickText("Log out Anna Example")
	page.WaitText("New here?")
	sound("landing")
	page.Go(origin + "/login?next=%2Fhistory")
	sound("login")

	// The dialog is refused by the device: words in a live region, and the
	// button works again.
	page.Authenticator().UserVerified(false)
	browsertest.Eval[bool](page, `document.querySelector("[data-ceremony]").focus(), true`)
	page.Keys(kb.Enter)
	page.WaitFor(`document.getElementById("problem").textContent.includes("Nothing was done") && !document.querySelector("[data-ceremony]").disabled`)
	if role := browsertest.Eval[string](page, `document.getElementById("problem").getAttribute("role")`); role != "alert" {
		t.Errorf("the problem has role %q", role)
	}
	page.Authenticator().UserVerified(true)
	page.Keys(kb.Enter)
	page.WaitText("Everything that you were asked to sign")
	if at := browsertest.Eval[string](page, "location.pathname"); at != "/history" {
		t.Errorf("login went on to %s", at)
	}
	if c := browsertest.Eval[string](page, "document.cookie"); strings.Contains(c, "assent") {
		t.Errorf("a script can read the cookie %q", c)
	}
}
