package signer_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

func firstItem(v map[string]any) map[string]any {
	return v["items"].([]any)[0].(map[string]any)
}

// resign has the genuine SAM sign a request that is for something else.
func resign(f *fake, change func(r *sap.ActivationRequest)) func(s *sap.Signed) {
	return func(s *sap.Signed) {
		text, _ := sap.UnB64(s.Statement)
		var r sap.ActivationRequest
		if err := jcs.Unmarshal(text, &r); err != nil {
			f.t.Error(err)
		}
		change(&r)
		n, err := sap.SignStatement(f.sam, f.samID, sap.LabelActivationRequest, r)
		if err != nil {
			f.t.Error(err)
		}
		*s = n
	}
}

// widen moves the end of the gap in a prepared file's byte range, in place.
func widen(b []byte) []byte {
	out := bytes.Clone(b)
	i := bytes.LastIndex(out, []byte("/ByteRange"))
	open, end := bytes.IndexByte(out[i:], '[')+i, bytes.IndexByte(out[i:], ']')+i
	var r [4]int
	if _, err := fmt.Sscanf(string(out[open+1:end]), "%d %d %d %d", &r[0], &r[1], &r[2], &r[3]); err != nil {
		panic(err)
	}
	copy(out[open+1:end], fmt.Sprintf("%-*s", end-open-1, fmt.Sprintf("%d %d %d %d", r[0], r[1], r[2]+40, r[3]-40)))
	return out
}

// withTail appends a further revision that replaces a page.
func withTail(b []byte) []byte {
	tail := fmt.Sprintf("4 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 10 10] >>\nendobj\nxref\n4 1\n%010d 00000 n \ntrailer\n<< /Size 9 /Root 1 0 R /Prev 9 >>\nstartxref\n%d\n%%%%EOF\n", len(b), len(b)+69)
	return append(bytes.Clone(b), tail...)
}

// withKey writes a key into the signature dictionary that a signature does not have: as an annotation it
// would show what is put into the hole. No offset moves.
func withKey(b []byte) []byte {
	out := bytes.Clone(b)
	i := bytes.LastIndex(out, []byte("/SubFilter"))
	copy(out[i:], "/AnnotText")
	return out
}

func flipPage(b []byte) []byte {
	return bytes.Replace(bytes.Clone(b), []byte("900 EUR"), []byte("990 EUR"), 1)
}

// SGN-04, CHN-01, T5, T6, design step 3: whatever the application lies about, the page
// stops before the passkey dialog and says what does not fit.
func TestLyingApplicationIsStopped(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	evil := newKey(t)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "Anna Example"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	evilCert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, evil.Public(), evil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, code string
		lie        func(o *operation) lies
	}{
		{"another document than the announced digest", "attributes", func(*operation) lies { return lies{document: flipPage} }},
		{"an attribute more", "attributes", func(o *operation) lies {
			return lies{view: func(v map[string]any) {
				firstItem(v)["signed_attributes"] = sap.B64(append(o.items[0].attributes, 0x30, 0))
			}}
		}},
		{"attributes of another document", "attributes", func(*operation) lies {
			d := sha256.Sum256([]byte("another"))
			a, _ := sap.PAdESSignedAttributes(d[:], f.cert)
			return lies{view: func(v map[string]any) { firstItem(v)["signed_attributes"] = sap.B64(a) }}
		}},
		{"another DTBS/R", "digest", func(*operation) lies {
			return lies{view: func(v map[string]any) { firstItem(v)["dtbsr"] = sap.B64(make([]byte, 32)) }}
		}},
		{"a request that the SAM did not sign", "request", func(*operation) lies {
			return lies{request: func(s *sap.Signed) {
				text, _ := sap.UnB64(s.Statement)
				sig, _ := sap.Sign(evil, sap.LabelActivationRequest, text)
				s.Signature = sap.B64(sig)
			}}
		}},
		{"a request without a signature", "request", func(*operation) lies { return lies{request: func(s *sap.Signed) { s.Signature = "" }} }},
		{"a request signed for another purpose", "request", func(*operation) lies {
			return lies{request: func(s *sap.Signed) {
				text, _ := sap.UnB64(s.Statement)
				sig, _ := sap.Sign(f.sam, sap.LabelReceiptRoot, text)
				s.Signature = sap.B64(sig)
			}}
		}},
		{"a genuine request for another key", "binding", func(*operation) lies {
			return lies{request: resign(f, func(r *sap.ActivationRequest) { r.Bind.Key = "key-0002" })}
		}},
		{"a genuine request for another person", "binding", func(*operation) lies {
			return lies{request: resign(f, func(r *sap.ActivationRequest) { r.Bind.Signer = "bob" })}
		}},
		{"a genuine request of another cluster", "binding", func(*operation) lies {
			return lies{request: resign(f, func(r *sap.ActivationRequest) { r.Bind.Audience = "other#1" })}
		}},
		{"a genuine request for more signatures", "binding", func(*operation) lies {
			return lies{request: resign(f, func(r *sap.ActivationRequest) { r.Bind.N = 2 })}
		}},
		{"a genuine request for another origin", "binding", func(*operation) lies {
			return lies{request: resign(f, func(r *sap.ActivationRequest) { r.Origin = "http://localhost:1" })}
		}},
		{"another certificate with the same name", "certificate", func(*operation) lies {
			return lies{view: func(v map[string]any) { v["chain"] = [][]byte{evilCert} }}
		}},
		{"wide gap", "gap", func(*operation) lies { return lies{document: widen} }},
		{"a page replaced in a tail behind the signed bytes", "tail", func(o *operation) lies {
			n := len(withTail(o.items[0].bytes))
			return lies{document: withTail, view: func(v map[string]any) { firstItem(v)["size"] = n }}
		}},
		{"something already in the gap", "gap", func(o *operation) lies {
			return lies{document: func(b []byte) []byte {
				out := bytes.Clone(b)
				out[o.items[0].prepared.ContentsOffset+10] = 'f'
				return out
			}}
		}},
		{"a key that no signature has", "hole", func(*operation) lies { return lies{document: withKey} }},
		{"a raw digest disguised as a document", "document", func(o *operation) lies {
			f.set(func() { o.items[0].bytes = nil })
			return lies{}
		}},
		{"more bytes than announced", "too_large", func(*operation) lies {
			return lies{document: func(b []byte) []byte { return append(bytes.Clone(b), 'x') }}
		}},
		{"larger than the app accepts", "too_large", func(*operation) lies {
			return lies{view: func(v map[string]any) { firstItem(v)["size"] = 11 << 20 }}
		}},
		{"a name that turns direction", "view", func(*operation) lies {
			return lies{view: func(v map[string]any) { v["asker"] = "Bank \u202eliveE" }}
		}},
		{"a kind that cannot be checked", "kind", func(*operation) lies {
			return lies{view: func(v map[string]any) { firstItem(v)["kind"] = "cades" }}
		}},
		{"a member of the wrong type", "view", func(*operation) lies {
			return lies{view: func(v map[string]any) { v["items"] = "none" }}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, link := f.add("lease.pdf")
			lie := c.lie(o)
			f.set(func() { f.lie = lie })
			defer f.set(func() { f.lie = lies{} })
			p.Go(link)
			p.WaitFor("document.querySelector('#stop, #sign, #error')")
			if got := browsertest.Eval[string](p, "document.querySelector('#stop')?.dataset.code ?? 'no stop'"); got != c.code {
				t.Errorf("stop code %q, want %q; the page says:\n%s", got, c.code, p.Text())
			}
			if !strings.Contains(p.Text(), "This request is not what it claims; nothing was signed") {
				t.Error("the page does not say that nothing was signed")
			}
			if browsertest.Eval[int](p, "document.querySelectorAll('button').length") != 0 {
				t.Error("the stop page has buttons")
			}
			if gets, _ := p.Ceremonies(); gets != 0 {
				t.Errorf("%d passkey dialogs", gets)
			}
			if f.uses() != 0 {
				t.Errorf("%d key uses", f.uses())
			}
			told := func() (code string) { f.set(func() { code = o.stopped }); return }
			want := c.code
			if c.name == "a member of the wrong type" {
				want = "" // in the answer that would have let the page in
			}
			for end := time.Now().Add(5 * time.Second); told() != want && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			}
			if told() != want {
				t.Errorf("the service was told %q", told())
			}
			clean(t, p)
			if c.name == "wide gap" {
				p.Screenshot("stop-1280")
			}
		})
	}
}

// SGN-04, design step 3: what the signer reads is the very octets that were hashed. An application that would
// give another document to who asks again is asked once: the page shows, and the signer reads in the frame, what the
// approval is over.
func TestSGN04ShownIsWhatWasHashed(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.add("lease.pdf")
	asked := 0 // f.set and the answers are under one lock
	f.set(func() {
		f.lie = lies{document: func(b []byte) []byte {
			if asked++; asked > 1 {
				return flipPage(b)
			}
			return b
		}}
	})
	p.Go(link)
	p.WaitFor(canSign)
	frame := p.DocumentFrame()
	frame.WaitFor("document.querySelector('canvas')")
	browsertest.EvalFrame[bool](frame, "(document.getElementById('text').click(), true)")
	frame.WaitFor("document.getElementById('reading').innerText.includes('The rent is 900 EUR a month')")
	var times int
	f.set(func() { times, f.lie = asked, lies{} })
	if times != 1 {
		t.Errorf("the document was asked for %d times", times)
	}
	p.Click("#sign")
	p.WaitFor("document.querySelector('#signed')")
	threeEqual(t, p, 1)
	if f.uses() != 1 || !bytes.Contains(o.items[0].bytes, []byte("900 EUR")) {
		t.Errorf("%d key uses over another document", f.uses())
	}
	clean(t, p)
}

// The app believes no receipt that is not about what was approved.
func TestLyingReceiptIsNoticed(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	for name, lie := range map[string]func(s *sap.SignedReceipt){
		"wrong place in the group": func(s *sap.SignedReceipt) { s.Index = 0 },
		"no signature":             func(s *sap.SignedReceipt) { s.Signature = sap.B64(make([]byte, 64)) },
		"about something else": func(s *sap.SignedReceipt) {
			text, _ := sap.UnB64(s.Receipt)
			var r sap.Receipt
			_ = jcs.Unmarshal(text, &r)
			r.SAD = sap.B64([]byte("{}"))
			text, _ = jcs.Marshal(r)
			sig, _ := sap.Sign(f.sam, sap.LabelReceiptRoot, sap.NewReceiptTree([][]byte{text}).Root())
			*s = sap.SignedReceipt{Receipt: sap.B64(text), Path: []string{}, Size: 1, Signature: sap.B64(sig), Key: f.samID}
		},
		"a signature of another key": func(s *sap.SignedReceipt) {
			text, _ := sap.UnB64(s.Receipt)
			var r sap.Receipt
			_ = jcs.Unmarshal(text, &r)
			d, _ := sap.UnB64(r.Items[0].DTBSR)
			sig, _ := newKey(t).Sign(rand.Reader, d, nil)
			r.Items[0].Signature = sap.B64(sig)
			text, _ = jcs.Marshal(r)
			sig, _ = sap.Sign(f.sam, sap.LabelReceiptRoot, sap.NewReceiptTree([][]byte{text}).Root())
			*s = sap.SignedReceipt{Receipt: sap.B64(text), Path: []string{}, Size: 1, Signature: sap.B64(sig), Key: f.samID}
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, link := f.add("lease.pdf")
			f.set(func() { f.lie = lies{receipt: lie} })
			defer f.set(func() { f.lie = lies{} })
			p.Go(link)
			p.WaitFor("document.querySelector('#sign')?.getAttribute('aria-disabled') === 'false'")
			p.Click("#sign")
			p.WaitFor("document.querySelector('#stop')?.dataset.code === 'receipt'")
			p.WaitText("The result does not match what you approved")
		})
	}
}

// A signed file that is not the approved document is not saved: neither one with
// a changed page nor one with an update behind the signature.
func TestOtherResultIsNotSaved(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	_, link := f.add("lease.pdf")
	p.Go(link)
	p.WaitFor("document.querySelector('#sign')?.getAttribute('aria-disabled') === 'false'")
	p.Click("#sign")
	p.WaitText("Download signed “lease.pdf”")
	for _, lie := range []func([]byte) []byte{
		flipPage,
		func(file []byte) []byte { return append(bytes.Clone(file), "\n3 0 obj\n<<>>\nendobj\n%%EOF\n"...) },
	} {
		f.set(func() { f.lie = lies{document: lie} })
		p.ClickText("Download signed “lease.pdf”")
		p.WaitFor("/was not saved/.test(document.querySelector('#result-status').textContent)")
		browsertest.Eval[bool](p, "(document.querySelector('#result-status').textContent = '', true)")
	}
}

// Long-term levels add to the file behind what was approved. Then the page saves it
// and says what it did not check; without the receipt's signature in its place, and
// with a changed page in the approved part, it does not.
func TestLongTermResultIsSavedWithAWord(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	f.set(func() { f.lie = lies{view: func(v map[string]any) { v["level"] = "B-LTA" }} })
	o, link := f.add("lease.pdf")
	p.Go(link)
	p.WaitFor("document.querySelector('#sign')?.getAttribute('aria-disabled') === 'false'")
	p.Click("#sign")
	p.WaitText("Download signed “lease.pdf”")
	longer := func(file []byte) []byte {
		return append(bytes.Clone(file), "\n90 0 obj\n<< /Type /DSS >>\nendobj\n%%EOF\n"...)
	}
	for name, lie := range map[string]func([]byte) []byte{
		"a changed page": func(file []byte) []byte { return longer(flipPage(file)) },
		"an empty hole": func(file []byte) []byte {
			file = bytes.Clone(file)
			for i := range 200 {
				file[o.items[0].prepared.ContentsOffset+1+int64(i)] = '0'
			}
			return longer(file)
		},
		"a shorter file": func(file []byte) []byte { return file[:len(file)-1] },
	} {
		t.Run(name, func(t *testing.T) {
			f.set(func() { f.lie.document = lie })
			p.ClickText("Download signed “lease.pdf”")
			p.WaitFor("/was not saved/.test(document.querySelector('#result-status').textContent)")
			browsertest.Eval[bool](p, "(document.querySelector('#result-status').textContent = '', true)")
		})
	}
	f.set(func() { f.lie.document = longer })
	dir := p.Downloads()
	p.ClickText("Download signed “lease.pdf”")
	if got := p.Downloaded(dir, "lease-signed.pdf"); !bytes.Equal(got, longer(o.items[0].bytes)) {
		t.Error("the saved file is not the one that came")
	}
	p.WaitFor("/were not checked here/.test(document.querySelector('#result-status').textContent)")
}

// T5: markup in every string is text on the page and no script runs.
func TestMarkupInStringsIsText(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	const payload = `<img src=x onerror=window.pwned=1><script>window.pwned=1</script>`
	o, link := f.add("lease.pdf")
	f.set(func() { o.asker, o.purpose, o.items[0].name = payload, payload, payload })
	p.Go(link)
	p.WaitFor("document.querySelector('#sign')?.getAttribute('aria-disabled') === 'false'")
	if n := strings.Count(p.Text(), payload); n < 3 {
		t.Errorf("the payload is shown %d times as text, want 3 or more", n)
	}
	if browsertest.Eval[bool](p, "window.pwned !== undefined || document.querySelectorAll('#step img, #step script').length > 0") {
		t.Error("markup of a string became part of the page")
	}
	clean(t, p)
}

// T7: inside another page nothing starts; the ticket is not even used.
func TestFramedPageDoesNotStart(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	o, link := f.add("lease.pdf")
	p.Go(f.api() + "/frame?url=" + strings.NewReplacer("#", "%23", "&", "%26").Replace(link))
	p.WaitFor("document.getElementById('victim')")
	time.Sleep(1500 * time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	if o.ticket == "" {
		t.Error("the framed page traded its ticket")
	}
}

// T8: a link that was made for another login session opens nothing.
func TestLinkOfAnotherSessionOpensNothing(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	anna := enrolled(t, f, b)
	bob := b.Person(t)
	bob.Go(f.api() + "/login?s=session-of-bob")
	o, link := f.add("lease.pdf")
	f.set(func() { o.session = "session-of-anna" })
	bob.Go(link)
	bob.WaitText("Open the request again from the page where you signed in.")
	nobody := b.Person(t)
	nobody.Go(link)
	nobody.WaitText("Open the request again from the page where you signed in.")
	anna.Go(link)
	anna.WaitFor("document.querySelector('#sign')")
}
