package c14n

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// Offsets are those of the document, a byte order mark and white space included.
func TestIndexOffsets(t *testing.T) {
	const doc = "\uFEFF<?xml version='1.0'?>\n<r><a Id='x' >\u03b1</a ><b ID=\"y\" id='z'/><c xml:id=' w '><d Id='v'></d></c></r>\n"
	x, err := Scan(strings.NewReader(doc), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	of := func(e Element) [4]string {
		return [4]string{doc[e.Start:e.Content], doc[e.Content:e.Tail], doc[e.Tail:e.End], doc[e.Start:e.End]}
	}
	for id, want := range map[string][3]string{
		"x": {"<a Id='x' >", "\u03b1", "</a >"}, "y": {"<b ID=\"y\" id='z'/>", "", ""}, "z": {"<b ID=\"y\" id='z'/>", "", ""},
		"w": {"<c xml:id=' w '>", "<d Id='v'></d>", "</c>"}, "v": {"<d Id='v'>", "", "</d>"},
	} {
		e, err := x.ByID(id)
		if got := of(e); err != nil || [3]string(got[:3]) != want || got[3] != strings.Join(want[:], "") {
			t.Errorf("%s: got %q %v, want %q", id, got, err, want)
		}
		if !x.Root.Contains(e) || e.Contains(x.Root) || e.Contains(e) {
			t.Errorf("%s is inside of the root", id)
		}
	}
	if got := of(x.Root); got[0] != "<r>" || got[2] != "</r>" || x.RootName != "r" || x.Size != int64(len(doc)) {
		t.Errorf("root %q, %q, size %d", got, x.RootName, x.Size)
	}
	if _, err := x.ByID("none"); !errors.Is(err, ErrNoElement) {
		t.Errorf("got %v", err)
	}
}

// An element inserted as Enveloped says leaves the user's bytes as they are, and
// less it the document has the canonical form that it had.
func TestInsertedElementsLeaveTheDocument(t *testing.T) {
	docs := generated(100, 5)
	docs = append(docs, made{doc: "<a/>"}, made{doc: "\uFEFF<p:a xmlns:p='urn:p'\n/>\n<!-- c -->"}, made{doc: "<a></a>"})
	for _, d := range docs {
		const element = `<s:Signature xmlns:s="` + SignatureNamespace + `" Id="s"><s:x/></s:Signature>`
		doc, at := insert(t, d.doc, element)
		before, after, ok := strings.Cut(string(doc), element)
		if !ok || int64(len(before)) != at {
			t.Fatalf("%q: at %d", doc, at)
		}
		x, err := Scan(bytes.NewReader(doc), Limits{})
		if err != nil || len(x.Signatures) != 1 || x.Signatures[0].Start != at || x.Signatures[0].End != at+int64(len(element)) {
			t.Fatalf("%q: %+v, %v", doc, x, err)
		}
		if before+after != d.doc {
			if whole, err := Scan(strings.NewReader(d.doc), Limits{}); err != nil || !whole.Root.Empty {
				t.Fatalf("%q became %q, %v", d.doc, doc, err)
			}
		}
		for _, m := range methods {
			j := Job{Method: m.method, Comments: true}
			want := canonical(t, d.doc, j)
			j.Without = at
			if got := canonical(t, string(doc), j); got != want {
				t.Fatalf("got %q\nwant %q", got, want)
			}
		}
	}
}

// Copy needs the document that was scanned.
func TestInsertionNeedsItsDocument(t *testing.T) {
	for _, i := range []Insertion{{Offset: 5}, {Offset: 4, Drop: 2}} {
		if err := i.Copy(io.Discard, strings.NewReader("<a/>"), nil); !errors.Is(err, io.EOF) {
			t.Errorf("%+v: got %v", i, err)
		}
	}
}

// Two elements of one identifier are refused, in whatever attributes and however
// written, wherever identifiers are used; so the wrapping attack that needs them
// ends here.
func TestDuplicateIdentifiersAreRefused(t *testing.T) {
	for _, doc := range []string{
		"<r><a Id='x'/><b Id='x'/></r>",
		"<r><a Id='x'><b id='x'/></a></r>",
		"<r xml:id=' x '><a ID='&#x78;'/></r>",
		"<r Id='x'><a Id='x'/></r>",
	} {
		if _, err := Scan(strings.NewReader(doc), Limits{}); !errors.Is(err, ErrDuplicateID) {
			t.Errorf("%q: Scan gives %v", doc, err)
		}
		if out, err := try(doc, Job{Method: Exclusive, Target: ElementByID("x")}); !errors.Is(err, ErrDuplicateID) {
			t.Errorf("%q: Canonicalize gives %q, %v", doc, out, err)
		}
	}
	if _, err := Scan(strings.NewReader("<r><a Id='x' id='x' xml:id='x'/></r>"), Limits{}); err != nil {
		t.Errorf("one element: %v", err)
	}
	const configured = `<r xmlns:w="urn:w"><a w:Id="x"/><b Id="x"/></r>`
	if out := canonical(t, configured, Job{Method: Exclusive, Target: ElementByID("x", IDAttr{"urn:w", "Id"})}); out != `<a xmlns:w="urn:w" w:Id="x"></a>` {
		t.Errorf("got %q", out)
	}
	if x, err := Scan(strings.NewReader(configured), Limits{}, IDAttr{"urn:w", "Id"}); err != nil {
		t.Error(err)
	} else if e, err := x.ByID("x"); err != nil || configured[e.Start:e.Content] != `<a w:Id="x"/>` {
		t.Errorf("got %+v, %v", e, err)
	}
}

// What a job names must be there.
func TestElementsThatAreNotThere(t *testing.T) {
	const doc = "<r><a Id='x'><b/></a><c/></r>"
	at := func(s string) int64 { return int64(strings.Index(doc, s)) }
	for name, c := range map[string]struct {
		job  Job
		want error
	}{
		"no identifier":             {Job{Target: ElementByID("y")}, ErrNoElement},
		"no element there":          {Job{Target: ElementAt(at("Id"))}, ErrNoElement},
		"an end tag":                {Job{Target: ElementAt(at("</a>"))}, ErrNoElement},
		"left out, not there":       {Job{Without: 1}, ErrNoElement},
		"left out, outside":         {Job{Target: ElementByID("x"), Without: at("<c/>")}, ErrNoElement},
		"left out, the target":      {Job{Target: ElementByID("x"), Without: at("<a ")}, ErrOptions},
		"method":                    {Job{Method: 9}, ErrOptions},
		"prefixes, inclusive":       {Job{Method: Inclusive10, Prefixes: []string{"a"}}, ErrOptions},
		"prefix":                    {Job{Prefixes: []string{"a:b"}}, ErrOptions},
		"empty prefix":              {Job{Prefixes: []string{""}}, ErrOptions},
		"too many prefixes":         {Job{Prefixes: make([]string, maxPrefixes+1)}, ErrOptions},
		"a negative offset":         {Job{Without: -1}, ErrOptions},
		"a negative offset, target": {Job{Target: ElementAt(-1)}, ErrOptions},
	} {
		if c.job.Method == 0 {
			c.job.Method = Exclusive
		}
		if out, err := try(doc, c.job); !errors.Is(err, c.want) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	if err := Canonicalize(strings.NewReader(doc), Limits{}, Job{Method: Exclusive}); !errors.Is(err, ErrOptions) {
		t.Errorf("no writer: %v", err)
	}
	if got := canonical(t, doc, Job{Method: Exclusive, Target: ElementByID("x"), Without: at("<b/>")}); got != `<a Id="x"></a>` {
		t.Errorf("got %q", got)
	}
}

// The wrapping attacks on signatures of EU DSS: the one with two elements of one
// identifier is refused, in the others each identifier names one element, whose
// place tells what was signed. Nothing is read that is not there.
func TestWrappingAttacks(t *testing.T) {
	dir := testenv.Corpora(t, "xml/xsw")
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(files) != 9 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		x, err := Scan(bytes.NewReader(doc), Limits{})
		twice := strings.Contains(filepath.Base(file), "two-same-id")
		if twice != errors.Is(err, ErrDuplicateID) || !twice && err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
		if err != nil {
			continue
		}
		for id, i := range idsOf(t, doc) {
			e, err := x.ByID(id)
			if err != nil || e.Start != i || doc[e.Start] != '<' || !bytes.HasSuffix(doc[:e.End], []byte(">")) {
				t.Errorf("%s: %s is %+v, %v; want byte %d", filepath.Base(file), id, e, err, i)
			}
		}
	}
}

// idsOf finds the identifiers of a document and their elements' offsets.
func idsOf(t *testing.T, doc []byte) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	s := NewScanner(bytes.NewReader(doc), Limits{})
	for {
		ev, err := s.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range ev.Attrs {
			if ev.Kind == StartElement && strings.EqualFold(string(ev.Attrs[i].Full), "id") {
				out[string(ev.Attrs[i].Value)] = ev.From
			}
		}
	}
}
