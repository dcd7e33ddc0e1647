package signer_test

import (
	"strings"
	"testing"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/xades"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// SAP-02, SGN-04: what a signature of each form is over is shown as what it is, by its bytes and not by a claimed type: XML and
// text as text, a PDF as its pages, other bytes by their numbers and with a warning. Approving it gives a signature over
// exactly that, which can be saved.
func TestSAP02EveryFormIsShownAndSigned(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	object := xades.ObjectTag("xades-1") + "<a>240 euros</a></ds:Object>"
	for _, c := range []struct{ name, octets, form, shown, words string }{
		{"terms.txt", "Terms: 240 euros\r\n\u202eΑθήνα", sap.XAdESDetached, "Terms: 240 euros[U+000D]\n[U+202E]Αθήνα", "the file as it is, by its name; text, shown now; exactly the bytes whose fingerprint"},
		{"a.xml", object, sap.XAdESEnveloping, object, "which is put inside of the signature; XML, shown as text, shown now"},
		{"terms.txt", "<b>240</b> & euros\n", sap.XAdESContained, "<b>240</b> & euros\n", "the file as it is, which is put inside of the signature; text, shown now"},
		{"a.bin", "240\x00\xff\n", sap.XAdESContained, "00000000  32 34 30 00 ff 0a" + strings.Repeat(" ", 31) + " 240...\n", "neither text nor a PDF, shown by its bytes, shown now; Sign it only if you know what it is; All bytes are here."},
		{"a.txt", string(makePDF("Lease", "House rules")), sap.XAdESContained, "", "2 pages, shown now; This picture is drawn from exactly the bytes"},
	} {
		_, link := f.addForm(c.name, c.octets, c.form)
		uses := f.uses()
		p.Go(link)
		p.WaitFor(canSign)
		for _, words := range strings.Split(c.words, "; ") {
			p.WaitText(words)
		}
		if got := browsertest.Eval[string](p, "document.querySelector('.octets')?.textContent ?? ''"); got != c.shown {
			t.Errorf("%s, %s: on the page is\n%q, want\n%q", c.form, c.name, got, c.shown)
		}
		p.Click("#sign")
		p.WaitFor("document.querySelector('#signed')")
		p.ClickText("Download signed “" + c.name + "”")
		p.WaitText("has the signature that you approved and was saved")
		if f.uses() != uses+1 {
			t.Errorf("%s, %s: %d key uses", c.form, c.name, f.uses()-uses)
		}
	}
	clean(t, p)
}

// ADE-04: under the policy for qualified signatures nothing is signed that is neither text nor a PDF, nor a PDF with hidden
// parts, inside of a signature too.
func TestADE04QualifiedPolicyInsideOfASignature(t *testing.T) {
	needViewer(t)
	f, b := newFake(t, nil), browsertest.New(t)
	f.policy = "qualified"
	p := enrolled(t, f, b)
	for octets, words := range map[string]string{"240\x00": "“a.bin” is neither text nor a PDF", string(hiddenParts()): "“a.bin” holds parts"} {
		_, link := f.addForm("a.bin", octets, sap.XAdESContained)
		p.Go(link)
		p.WaitText(words)
		p.Click("#sign")
		if gets, _ := p.Ceremonies(); gets != 0 {
			t.Errorf("%q reached the passkey dialog", words)
		}
	}
	_, link := f.addForm("a.bin", "text", sap.XAdESContained)
	p.Go(link)
	p.WaitFor(canSign)
	p.Click("#sign")
	p.WaitText("Signed: 1 document")
	clean(t, p)
}

// SGN-04, T2: whatever the application changes of a request of the new forms, the page stops before the passkey: other bytes
// than were announced, another form, a name that a detached signature would not have.
func TestSGN04FormCheats(t *testing.T) {
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	form := func(to string) func(o *operation) lies {
		return func(o *operation) lies {
			return lies{view: func(v map[string]any) {
				x := *o.items[0].of.XAdES
				x.Form = to
				firstItem(v)["xades"] = []sap.XAdES{x}
			}}
		}
	}
	other := func(*operation) lies {
		return lies{document: func(b []byte) []byte { return []byte(strings.Replace(string(b), "240", "999", 1)) }}
	}
	const text = "Terms: 240 euros"
	for _, c := range []struct {
		name, form, code string
		lie              func(o *operation) lies
	}{
		{"other bytes, detached", sap.XAdESDetached, "attributes", other},
		{"other bytes, inside", sap.XAdESContained, "attributes", other},
		{"other XML inside", sap.XAdESEnveloping, "attributes", other},
		{"another name", sap.XAdESDetached, "attributes", func(*operation) lies {
			return lies{view: func(v map[string]any) { firstItem(v)["name"] = "other.txt" }}
		}},
		{"inside, said to be beside", sap.XAdESContained, "attributes", form(sap.XAdESDetached)},
		{"octets, said to be XML", sap.XAdESContained, "attributes", form(sap.XAdESEnveloping)},
		{"XML, said to be octets", sap.XAdESEnveloping, "attributes", form(sap.XAdESContained)},
		{"said to be in the document", sap.XAdESContained, "attributes", form(sap.XAdESEnveloped)},
		{"a form of no kind", sap.XAdESContained, "attributes", form("enclosed")},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, link := f.addForm("terms.txt", text, c.form)
			lie := c.lie(o)
			f.set(func() { f.lie = lie })
			defer f.set(func() { f.lie = lies{} })
			p.Go(link)
			p.WaitFor("document.querySelector('#stop, #sign, #error')")
			if got := browsertest.Eval[string](p, "document.querySelector('#stop')?.dataset.code ?? 'no stop'"); got != c.code {
				t.Errorf("stop code %q, want %q; the page says:\n%s", got, c.code, p.Text())
			}
			if gets, _ := p.Ceremonies(); gets != 0 || f.uses() != 0 {
				t.Errorf("%d times a passkey was asked for, %d key uses", gets, f.uses())
			}
		})
	}
}

// SAP-02, SGN-04: of several data objects under one signature each is on the page with its name and its own fingerprint, can be
// opened, and is counted until it was; elements of a document are said to be all that is signed of it. Approving gives one
// signature over all of them.
func TestSAP02SeveralDataObjectsAreShownAndSigned(t *testing.T) {
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	more := func(names ...string) *sap.XAdESObjects {
		o := &sap.XAdESObjects{More: []sap.XAdESObject{}}
		for _, n := range names {
			o.More = append(o.More, sap.XAdESObject{Name: n, MIME: "text/csv", Description: "the annex " + n})
		}
		return o
	}
	elements := more("e2")
	elements.Part = "e1"
	for _, c := range []struct {
		name, form, words string
		octets            []string
		objects           *sap.XAdESObjects
		open              []string // titles of what is opened besides the first one
	}{
		{"terms.txt", sap.XAdESDetached, "Read, then decide: 3 documents to sign; Sign 3 documents as Anna Example; 1 signature, now, once; the annex b.txt; text/csv; You have not opened 2 of the documents.", []string{"Terms", "annex A", "annex B"}, more("a.txt", "b.txt"), []string{"a.txt", "b.txt"}},
		{"order.xml", sap.XAdESBeside, "Sign 2 elements of a document as Anna Example; only the elements that are shown here; You have not opened 1 of the documents.", []string{`<a Id="e1">1</a>`, `<b Id="e2">2</b>`}, elements, []string{"element “e2” of “order.xml”"}},
		{"order.xml", sap.XAdESBeside, "Sign 1 element of a document as Anna Example; only the elements that are shown here; element “e1” of “order.xml”", []string{`<a Id="e1">1</a>`}, &sap.XAdESObjects{Part: "e1", More: []sap.XAdESObject{}}, nil},
	} {
		_, link := f.addObjects(c.name, c.octets, c.form, c.objects)
		uses := f.uses()
		p.Go(link)
		p.WaitFor(canSign)
		for _, words := range strings.Split(c.words, "; ") {
			p.WaitText(words)
		}
		shown := func(want string) {
			t.Helper()
			if got := browsertest.Eval[string](p, "document.querySelector('.octets').textContent"); got != want {
				t.Errorf("%s: on the page is %q, want %q", c.form, got, want)
			}
		}
		shown(c.octets[0])
		for i, title := range c.open {
			p.ClickText("Show " + title)
			p.WaitText("shown now")
			shown(c.octets[i+1])
		}
		if strings.Contains(p.Text(), "You have not opened") {
			t.Errorf("%s: all were opened, and the page says:\n%s", c.form, p.Text())
		}
		p.Click("#sign")
		p.WaitFor("document.querySelector('#signed')")
		if n := browsertest.Eval[int](p, "document.querySelectorAll('table.three').length"); n != len(c.octets) || f.uses() != uses+1 {
			t.Errorf("%s: %d tables of fingerprints, %d key uses", c.form, n, f.uses()-uses)
		}
		if n := browsertest.Eval[int](p, "[...document.querySelectorAll('table.three')].filter((t) => new Set([...t.querySelectorAll('td')].map((d) => d.textContent)).size === 1).length"); n != len(c.octets) {
			t.Errorf("%s: only %d data objects have three equal fingerprints:\n%s", c.form, n, p.Text())
		}
	}
	clean(t, p)
}

// SGN-04, T2: whatever the application changes of the data objects of a signature, the page stops before the passkey: none can be
// left out, added, swapped, renamed, or be another one than what is signed.
func TestSGN04DataObjectCheats(t *testing.T) {
	f, b := newFake(t, nil), browsertest.New(t)
	p := enrolled(t, f, b)
	item := func(change func(it map[string]any, x *sap.XAdES, o *sap.XAdESObjects)) func(o *operation) lies {
		return func(o *operation) lies {
			return lies{view: func(v map[string]any) {
				x := *o.items[0].of.XAdES
				objects := sap.XAdESObjects{Part: x.Objects.Part, More: append([]sap.XAdESObject{}, x.Objects.More...)}
				x.Objects = &objects
				change(firstItem(v), &x, &objects)
				firstItem(v)["xades"] = []sap.XAdES{x}
			}}
		}
	}
	bytesOf := func(from, to string) func(*operation) lies {
		return func(*operation) lies {
			return lies{document: func(b []byte) []byte { return []byte(strings.Replace(string(b), from, to, 1)) }}
		}
	}
	for _, c := range []struct {
		name, code string
		lie        func(o *operation) lies
	}{
		{"another second file", "attributes", bytesOf("annex A", "annex X")},
		{"files swapped", "attributes", bytesOf("annex A, annex B", "annex B, annex A")},
		{"bytes cut elsewhere", "attributes", item(func(it map[string]any, _ *sap.XAdES, _ *sap.XAdESObjects) { it["sizes"] = []int{6, 8, 9} })},
		{"one left out", "document", item(func(_ map[string]any, _ *sap.XAdES, o *sap.XAdESObjects) { o.More = o.More[:1] })},
		{"one left out, with its size", "attributes", item(func(it map[string]any, _ *sap.XAdES, o *sap.XAdESObjects) {
			o.More, it["sizes"] = o.More[:1], []int{5, 18}
		})},
		{"one more, of no bytes", "attributes", item(func(it map[string]any, _ *sap.XAdES, o *sap.XAdESObjects) {
			o.More, it["sizes"] = append(o.More, sap.XAdESObject{Name: "c.txt", MIME: "text/csv", Doc: o.More[0].Doc}), []int{5, 9, 9, 0}
		})},
		{"no sizes", "document", item(func(it map[string]any, _ *sap.XAdES, _ *sap.XAdESObjects) { delete(it, "sizes") })},
		{"a negative size", "document", item(func(it map[string]any, _ *sap.XAdES, _ *sap.XAdESObjects) { it["sizes"] = []int{-4, 18, 9} })},
		{"names swapped", "attributes", item(func(_ map[string]any, _ *sap.XAdES, o *sap.XAdESObjects) {
			o.More[0].Name, o.More[1].Name = o.More[1].Name, o.More[0].Name
		})},
		{"a name twice", "attributes", item(func(_ map[string]any, _ *sap.XAdES, o *sap.XAdESObjects) { o.More[1].Name = o.More[0].Name })},
		{"another type", "attributes", item(func(_ map[string]any, _ *sap.XAdES, o *sap.XAdESObjects) { o.More[1].MIME = "text/html" })},
		{"a name that turns direction", "view", item(func(_ map[string]any, _ *sap.XAdES, o *sap.XAdESObjects) { o.More[1].Name = "\u202etxt.exe" })},
		{"files, said to be elements", "attributes", item(func(_ map[string]any, x *sap.XAdES, o *sap.XAdESObjects) { x.Form, o.Part = sap.XAdESBeside, "terms" })},
		{"only one, said", "document", item(func(_ map[string]any, x *sap.XAdES, _ *sap.XAdESObjects) { x.Objects = nil })},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, link := f.addObjects("terms.txt", []string{"Terms", ", annex A", ", annex B"}, sap.XAdESDetached, &sap.XAdESObjects{More: []sap.XAdESObject{{Name: "a.txt", MIME: "text/csv"}, {Name: "b.txt", MIME: "text/csv"}}})
			lie := c.lie(o)
			f.set(func() { f.lie = lie })
			defer f.set(func() { f.lie = lies{} })
			p.Go(link)
			p.WaitFor("document.querySelector('#stop, #sign, #error')")
			if got := browsertest.Eval[string](p, "document.querySelector('#stop')?.dataset.code ?? 'no stop'"); got != c.code {
				t.Errorf("stop code %q, want %q; the page says:\n%s", got, c.code, p.Text())
			}
			if gets, _ := p.Ceremonies(); gets != 0 || f.uses() != 0 {
				t.Errorf("%d times a passkey was asked for, %d key uses", gets, f.uses())
			}
		})
	}
}
