package c14n

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
)

func manyAttrs(n int) string {
	var b strings.Builder
	b.WriteString("<a")
	for i := range n {
		fmt.Fprintf(&b, " a%d=''", i)
	}
	return b.String() + "/>"
}

func manySpaces(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<a xmlns:p%d='urn:x'>", i)
	}
	return b.String() + strings.Repeat("</a>", n)
}

func manyIDs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<a Id='%d'/>", i)
	}
	return "<r>" + b.String() + "</r>"
}

// Each bound of Limits lets through what meets it and refuses the next, with its
// own error, which says the bound and the place.
func TestLimits(t *testing.T) {
	long := strings.Repeat
	for _, c := range []struct {
		name    string
		lim     Limits
		fits    string
		exceeds string
		err     error
		offset  int64
	}{
		{"depth", Limits{Depth: 5}, long("<a>", 5) + long("</a>", 5), long("<a>", 6) + long("</a>", 6), ErrDepth, 15},
		{"attributes", Limits{Attributes: 3}, manyAttrs(3), manyAttrs(4), ErrAttributes, 21},
		{"declarations", Limits{Attributes: 1}, "<a xmlns='urn:x'/>", "<a xmlns='urn:x' b=''/>", ErrAttributes, 17},
		{"name", Limits{Name: 4}, "<abcd/>", "<abcde/>", ErrName, 1},
		{"attribute's name", Limits{Name: 4}, "<a abcd=''/>", "<a abcde=''/>", ErrName, 3},
		{"target", Limits{Name: 4}, "<a><?abcd?></a>", "<a><?abcde?></a>", ErrName, 5},
		{"name that does not end", Limits{Name: 4}, "<a/>", "<abcde", ErrName, 1},
		{"namespace name", Limits{Name: 5}, "<a xmlns='urn:x'/>", "<a xmlns='urn:xx'/>", ErrName, 3},
		{"value", Limits{Value: 3}, "<a b='123'/>", "<a b='1234'/>", ErrValue, 6},
		{"value as written", Limits{Value: 4}, "<a b='&lt;'/>", "<a b='&amp;'/>", ErrValue, 6},
		{"namespaces", Limits{Namespaces: 3}, manySpaces(3), manySpaces(4), ErrNamespaces, 63},
		{"tag", Limits{Token: 16}, "<a b='12345678'>x</a>", "<a b='123456789'>x</a>", ErrToken, 0},
		{"comment", Limits{Token: 16}, "<a><!--123456789--></a>", "<a><!--1234567890--></a>", ErrToken, 3},
		{"instruction", Limits{Token: 16}, "<a><?p 12345678 ?></a>", "<a><?p 12345678901?></a>", ErrToken, 3},
		{"text", Limits{Token: 16}, "<a>" + long("text ", 100) + "</a>", "<a>" + long("text ", 100) + "<b 12345678901234", ErrSyntax, 506},
		{"context", Limits{Context: 8}, "<aaaa><bbbb/></aaaa>", "<aaaa><bbbbb/></aaaa>", ErrContext, 6},
		{"context, inherited", Limits{Context: 8}, "<a xml:lang='en'/>", "<a xml:lang='en-e'/>", ErrContext, 0},
		{"identifiers", Limits{IDs: 3}, manyIDs(3), manyIDs(4), ErrIDs, 36},
		{"size", Limits{Size: 10}, "<a>123</a>", "<a>1234</a>", ErrSize, 11},
	} {
		if _, err := Scan(strings.NewReader(c.fits), c.lim); err != nil {
			t.Errorf("%s: %q: %v", c.name, c.fits, err)
		}
		_, err := Scan(strings.NewReader(c.exceeds), c.lim)
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, c.err) || e.Offset != c.offset {
			t.Errorf("%s: %q: got %v, want %v at %d", c.name, c.exceeds, err, c.err, c.offset)
		}
	}
}

// The XML bombs and external entities of others: refused at the declaration.
func TestBombsAreRefused(t *testing.T) {
	dir := testenv.Corpora(t, "xml/bad-xml")
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	refused := 0
	for _, file := range files {
		doc, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		declares := bytes.Contains(doc, []byte("<!DOCTYPE"))
		testenv.Within(t, filepath.Base(file), 250*time.Millisecond, func() { _, err = Scan(bytes.NewReader(doc), Limits{}) })
		if declares != errors.Is(err, ErrDTD) || !declares && err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
		if declares {
			refused++
		}
	}
	if refused < 7 {
		t.Errorf("%d of %d files have a DTD", refused, len(files))
	}
}

// endless repeats a piece after a beginning, up to a size.
type endless struct {
	head, piece string
	left        int64
	rest        string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		if e.rest == "" {
			e.rest = e.piece
		}
		k := copy(p[n:], e.rest)
		e.rest = e.rest[k:]
		n += k
	}
	e.left -= int64(n)
	return n, nil
}

// Bombs of our own, 64 MB each if they were read: stopped by a bound, after at most
// some megabytes.
func TestBombsOfOurOwn(t *testing.T) {
	for name, c := range map[string]struct {
		head, piece string
		want        error
	}{
		"depth":                 {"", "<a>", ErrDepth},
		"depth, long names":     {"", "<" + strings.Repeat("n", 1000) + ">", ErrDepth},
		"namespaces":            {"", "<a xmlns:b='urn:x'>", ErrNamespaces},
		"namespaces, long":      {"<r>", "<a xmlns:b='urn:" + strings.Repeat("x", 1000) + "'>", ErrNamespaces},
		"inherited":             {"<r>", "<a xml:lang='" + strings.Repeat("x", 5000) + "'>", ErrContext},
		"attributes":            {"<r", " a='1'", ErrAttributes},
		"a tag without end":     {"<r", " ", ErrToken},
		"a name without end":    {"<", "r", ErrName},
		"a value without end":   {"<r a='", "v", ErrValue},
		"a comment without end": {"<r><!--", " -", ErrToken},
		"an instruction":        {"<r><?p ", "?", ErrToken},
		"an end tag":            {"<r></r", " ", ErrToken},
		"a reference":           {"<r>&#", "0", ErrEntity},
		"a declaration":         {"<?xml version='1.0' ", " ", ErrToken},
		"identifiers":           {"<r>", "", ErrIDs},
	} {
		var in io.Reader = &endless{head: c.head, piece: c.piece, left: 64 << 20}
		if c.piece == "" {
			in = &numbered{left: 64 << 20}
		}
		var err error
		testenv.Within(t, name, 2*time.Second, func() {
			switch r := in.(type) {
			case *endless:
				*r = endless{head: c.head, piece: c.piece, left: 64 << 20}
			case *numbered:
				*r = numbered{left: 64 << 20}
			}
			_, err = Scan(in, Limits{})
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// numbered is a document of elements with ever new identifiers.
type numbered struct {
	left, n int64
	rest    []byte
}

func (r *numbered) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	if len(r.rest) == 0 {
		if r.n == 0 {
			r.rest = []byte("<r>")
		} else {
			r.rest = fmt.Appendf(nil, "<a Id='%d'/>", r.n)
		}
		r.n++
	}
	k := copy(p, r.rest)
	r.rest = r.rest[k:]
	r.left -= int64(k)
	return k, nil
}

// What costs most for each byte is still linear: tags with as many attributes and
// prefixes as may be, all of which compare as slowly as can be.
func TestWorstCasesAreLinear(t *testing.T) {
	uri := "urn:" + strings.Repeat("x", 1000)
	var head, tag strings.Builder
	head.WriteString("<r")
	for i := range 200 {
		fmt.Fprintf(&head, " xmlns:p%d='%s%03d'", i, uri, i)
	}
	head.WriteString(">")
	tag.WriteString("<a")
	for i := range 200 {
		fmt.Fprintf(&tag, " p%d:a=''", (i*77)%200)
	}
	tag.WriteString("/>")
	doc := head.String() + strings.Repeat(tag.String(), 100) + "</r>"
	testenv.Within(t, fmt.Sprintf("%d bytes", len(doc)), 2*time.Second, func() {
		for _, m := range methods {
			canonical(t, doc, Job{Method: m.method})
		}
	})
}

// Memory does not depend on the size: 8 MB of document, less than 1 MB allocated.
func TestMemoryIsConstant(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := Canonicalize(&invoice{n: 8 << 20}, Limits{}, Job{W: io.Discard, Method: Exclusive}, Job{W: io.Discard, Method: Inclusive11}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes allocated", got)
	}
}

// broken writes some bytes, or reads some, and fails.
type broken struct{ left int }

var errBroken = errors.New("broken")

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errBroken
	}
	b.left--
	return copy(p, "<a>"), nil
}

// Errors of reader and writer come out, wherever they happen.
func TestReaderAndWriterErrors(t *testing.T) {
	doc := document(200_000)
	for _, room := range []int{0, 1, 40_000, 150_000} {
		if err := Canonicalize(bytes.NewReader(doc), Limits{}, Job{W: &broken{room}, Method: Exclusive}); !errors.Is(err, errBroken) {
			t.Errorf("writer of %d: %v", room, err)
		}
	}
	for _, n := range []int{0, 1, 100} {
		s := NewScanner(&broken{n}, Limits{})
		var err error
		for err == nil {
			_, err = s.Next()
		}
		if _, again := s.Next(); !errors.Is(err, errBroken) || !errors.Is(again, errBroken) {
			t.Errorf("reader of %d: %v, then %v", n, err, again)
		}
	}
	if _, err := Scan(idle{}, Limits{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }
