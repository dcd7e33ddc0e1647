package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

const canSign = "document.querySelector('#sign')?.getAttribute('aria-disabled') === 'false'"

// document is a small PDF made here, unlike any other of the tests.
func document(t testing.TB, words string) (path string, text []byte) {
	t.Helper()
	var b bytes.Buffer
	var off []int
	obj := func(format string, args ...any) {
		off = append(off, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n", len(off))
		fmt.Fprintf(&b, format, args...)
		b.WriteString("\nendobj\n")
	}
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	content := "BT /F1 18 Tf 40 150 Td (" + words + ") Tj ET"
	obj("<< /Type /Catalog /Pages 2 0 R /Lang (en) >>")
	obj("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	obj("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 200] /Resources << /Font << /F1 4 0 R >> >> /Contents 5 0 R >>")
	obj("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	obj("<< /Length %d >>\nstream\n%s\nendstream", len(content), content)
	x := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(off)+1)
	for _, o := range off {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(off)+1, x)
	path = filepath.Join(t.TempDir(), strings.ReplaceAll(strings.ToLower(words), " ", "-")+".pdf")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, b.Bytes()
}

// person is a signer in a browser, enrolled and with a login.
func (s *system) person(b *browsertest.Browser, id, name string) *browsertest.Page {
	s.t.Helper()
	p := s.keyless(b, id, name)
	s.certify(id)
	return p
}

// keyless is a person who has no key.
func (s *system) keyless(b *browsertest.Browser, id, name string) *browsertest.Page {
	s.t.Helper()
	p := b.Person(s.t)
	s.enrolIn(p, id, name)
	return p
}

// enrolIn enrols a person in a tab, who is logged in there afterwards.
func (s *system) enrolIn(p *browsertest.Page, id, name string) {
	s.t.Helper()
	enrol, join := s.links(id, name)
	p.Go(enrol)
	p.Screenshot("e2e-enrol-" + id)
	p.Click("#create")
	p.WaitFor("document.querySelector('#enrolled')")
	p.Go(join)
	p.Screenshot("e2e-join-" + id)
	p.Click("[data-ceremony=join]")
	p.WaitFor("location.pathname === '/'")
}

// choose puts a file into the upload form, as dropping it there does.
func choose(p *browsertest.Page, name string, text []byte) {
	browsertest.Eval[bool](p, fmt.Sprintf(`(() => {
		const bytes = Uint8Array.from(atob(%q), (c) => c.charCodeAt(0));
		const all = new DataTransfer();
		all.items.add(new File([bytes], %q, { type: 'application/pdf' }));
		document.querySelector('#document').files = all.files;
		return true;
	})()`, base64.StdEncoding.EncodeToString(text), name))
}

// A person enrols, logs in, uploads an own PDF, reads it, approves it, gets it
// signed, and judges that we did not write agree (SAP-08).
func TestSAP08OwnDocumentInTheBrowser(t *testing.T) {
	s := newSystem(t)
	p := s.person(browsertest.New(t), "anna", "Anna Example")
	_, original := document(t, "My own lease")
	p.Go(s.app + "/upload")
	p.Screenshot("e2e-upload")
	choose(p, "my-own-lease.pdf", original)
	p.ClickText("Upload and go to the signing page")
	p.WaitFor("location.origin === '" + s.signing + "'")
	p.WaitFor(canSign)
	p.WaitText("DEMO Anna Example")
	p.WaitText("my-own-lease.pdf")
	p.Screenshot("e2e-review")
	before := s.uses()
	dir := p.Downloads()
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	p.Screenshot("e2e-signed")
	if after := s.uses(); after == before {
		t.Error("signed without a key use")
	}
	p.ClickText("Download signed “my-own-lease.pdf”")
	signed := p.Downloaded(dir, "my-own-lease-signed.pdf")
	if !bytes.HasPrefix(signed, original) {
		t.Error("the original bytes are no prefix of the signed file")
	}
	s.judge(signed)
	if bad := p.Problems(); len(bad) > 0 {
		t.Errorf("policy violations or errors: %v", bad)
	}
	p.Go(s.app + "/")
	p.WaitText("my-own-lease.pdf")
	p.Screenshot("e2e-list")
}

var approval = regexp.MustCompile(`approve at (\S+)`)

// request starts "assent sign" in the background and returns the approval link
// and how to wait for the end.
func (s *system) request(signer, file, out string, more ...string) (url string, wait func() error) {
	s.t.Helper()
	cmd := s.command(append([]string{"sign", file, "-o", out, "--signer", signer, "--level", "B-T", "--purpose", "Lease of flat 12", "--wait", "2m", "--dir", s.dir}, more...)...)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	buf := make([]byte, 4096)
	var said string
	for approval.FindStringSubmatch(said) == nil {
		n, err := pipe.Read(buf)
		said += string(buf[:n])
		if err != nil {
			s.t.Fatalf("assent sign: %v\n%s%s", err, said, errs.String())
		}
	}
	return approval.FindStringSubmatch(said)[1], func() error {
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%w: %s", err, errs.String())
		}
		return nil
	}
}

// refusedLink is waited for: a page that has only just begun shows no button either.
const refusedLink = "This link was used already, has expired, or was sent to somebody else."

// An integrator asks; the signer gets the link, logs in, approves; the
// integrator has the file. A second use of the link and another signer's use are
// refused (T8: session fixation both ways).
func TestT8ApprovalLinksBelongToTheirSigner(t *testing.T) {
	s := newSystem(t)
	b := browsertest.New(t)
	anna, otto := s.person(b, "anna", "Anna Example"), s.person(b, "otto", "Otto Other")
	file, original := document(t, "Lease of flat 12")
	out := filepath.Join(t.TempDir(), "signed.pdf")
	url, wait := s.request("anna", file, out)

	before := s.uses()
	otto.Go(url) // somebody else's link, while logged in
	otto.WaitText(refusedLink)
	if n := browsertest.Eval[int](otto, "document.querySelectorAll('#sign').length"); n != 0 || strings.Contains(otto.Text(), "flat 12") {
		t.Errorf("another signer sees the request:\n%s", otto.Text())
	}
	otto.Screenshot("e2e-not-yours")

	anna.Go(url)
	anna.WaitFor("location.origin === '" + s.signing + "'")
	anna.WaitFor(canSign)
	stolen := browsertest.Eval[string](anna, "location.href")

	// The signing page's address, taken over by somebody else.
	otto.Go(stolen)
	otto.WaitFor("document.querySelector('#error, .notice, #stop') || document.body.innerText.includes('again')")
	if n := browsertest.Eval[int](otto, "document.querySelectorAll('#sign').length"); n != 0 {
		t.Error("a stolen address of the signing page works in another browser")
	}
	if s.uses() != before {
		t.Error("a key was used")
	}
	anna.Click("#sign")
	anna.WaitFor("document.querySelector('#signed')")
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	signed, err := os.ReadFile(out)
	if err != nil || !bytes.HasPrefix(signed, original) {
		t.Fatalf("signed file: %v", err)
	}
	s.judge(signed)
	anna.Go(url) // a link works once
	anna.WaitText(refusedLink)
	if n := browsertest.Eval[int](anna, "document.querySelectorAll('#sign').length"); n != 0 {
		t.Error("an approval link works twice")
	}
}

// login logs in again. Browsers ask the person which passkey to use; a virtual
// authenticator takes any, so it is given one after the other.
func (s *system) login(p *browsertest.Page) {
	s.t.Helper()
	all := p.Authenticator().Credentials()
	for _, c := range all {
		p.Authenticator().Clear()
		p.Authenticator().Add(c)
		p.Go(s.app + "/login")
		p.Click("[data-ceremony]")
		p.WaitFor("location.pathname === '/' || document.body.innerText.includes('not accepted')")
		if browsertest.Eval[string](p, "location.pathname") == "/" {
			break
		}
	}
	p.Authenticator().Clear()
	for _, c := range all {
		p.Authenticator().Add(c)
	}
	p.WaitFor("location.pathname === '/'")
}

// Two signers share a browser: one cookie jar, a tab each, and the login of the
// second takes the place of the first's. Neither login gets the other's request;
// what the first approves in her tab then is refused with the reason, uses no key,
// and can be approved again after a new login (T8, both ways).
func TestT8TwoSignersInOneBrowser(t *testing.T) {
	s := newSystem(t)
	anna := s.person(browsertest.New(t), "anna", "Anna Example")
	leaseFile, lease := document(t, "Lease of Anna")
	giftFile, gift := document(t, "Gift of Otto")
	leaseOut, giftOut := filepath.Join(t.TempDir(), "lease.pdf"), filepath.Join(t.TempDir(), "gift.pdf")
	leaseURL, leaseDone := s.request("anna", leaseFile, leaseOut)
	anna.Go(leaseURL)
	anna.WaitFor(canSign)

	otto := anna.Tab()
	otto.Authenticator().Clear() // a person's passkeys are his own
	s.enrolIn(otto, "otto", "Otto Other")
	s.certify("otto")
	giftURL, giftDone := s.request("otto", giftFile, giftOut)
	otto.Go(leaseURL)
	otto.WaitText(refusedLink)
	otto.Go(giftURL)
	otto.WaitFor(canSign)

	before := s.uses()
	anna.Front()
	anna.Click("#sign")
	anna.WaitText("somebody else has logged in with this browser")
	anna.Screenshot("e2e-two-in-one-browser")
	anna.Go(s.app + "/") // the list is Otto's by now
	anna.WaitText("gift-of-otto.pdf")
	if strings.Contains(anna.Text(), "lease-of-anna.pdf") {
		t.Error("the list of one signer shows the other's request")
	}
	if s.uses() != before {
		t.Fatal("a key was used for an approval under somebody else's login")
	}
	finish := func(p *browsertest.Page, name string, done func() error, out string, original []byte) {
		p.Front()
		p.WaitFor(canSign)
		p.WaitText("DEMO " + name)
		p.Click("#sign")
		p.WaitFor("document.querySelector('#signed')")
		if err := done(); err != nil {
			t.Fatal(err)
		}
		signed, err := os.ReadFile(out)
		if err != nil || !bytes.HasPrefix(signed, original) {
			t.Fatalf("signed file of %s: %v", name, err)
		}
		s.judge(signed)
	}
	finish(otto, "Otto Other", giftDone, giftOut, gift)

	anna.ClickText("Log out Otto Other")
	anna.WaitText("New here?")
	s.login(anna)
	anna.WaitText("lease-of-anna.pdf")
	anna.ClickText("Open on the signing page")
	finish(anna, "Anna Example", leaseDone, leaseOut, lease)
}

// Do-not-sign is as easy as signing, uses no key, and the asker is told.
func TestDeclineEndsTheRequest(t *testing.T) {
	s := newSystem(t)
	p := s.person(browsertest.New(t), "anna", "Anna Example")
	file, _ := document(t, "Never mind")
	out := filepath.Join(t.TempDir(), "signed.pdf")
	url, wait := s.request("anna", file, out)
	before := s.uses()
	p.Go(url)
	p.Click("#decline")
	p.Click("#confirm-decline")
	p.WaitText("You did not sign")
	if err := wait(); err == nil || !strings.Contains(err.Error(), "declined") {
		t.Errorf("the asker was told: %v", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a declined request left a file")
	}
	if s.uses() != before {
		t.Error("a key was used")
	}
}
