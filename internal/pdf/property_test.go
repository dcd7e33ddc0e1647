package pdf

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// drawSpec draws a document.
func drawSpec(t *rapid.T) docSpec {
	s := docSpec{
		kind:     rapid.SampledFrom([]string{"table", "stream", "hybrid"}).Draw(t, "kind"),
		packed:   rapid.Bool().Draw(t, "packed"),
		flate:    rapid.Bool().Draw(t, "flate"),
		annots:   rapid.SampledFrom([]string{"absent", "null", "direct", "indirect"}).Draw(t, "annots"),
		form:     rapid.SampledFrom([]string{"absent", "direct", "indirect"}).Draw(t, "form"),
		fields:   rapid.SampledFrom([]string{"direct", "indirect", "absent"}).Draw(t, "fields"),
		untyped:  rapid.Bool().Draw(t, "untyped"),
		junk:     rapid.IntRange(0, 100).Draw(t, "junk"),
		eol:      rapid.SampledFrom([]string{"\n", "\r\n", "\r"}).Draw(t, "eol"),
		padding:  rapid.SampledFrom([]string{"", "\n", "\r", "\r\n", "\n\x00\x00\x00", "\n" + string(make([]byte, 5000))}).Draw(t, "padding"),
		trailer:  rapid.SampledFrom([]string{"", "/Custom#20Key (a\\)b)", "% comment >> \n/X[1 2 R]"}).Draw(t, "trailer"),
		catalog:  rapid.SampledFrom([]string{"", "/Lang (en\\)x)", "/Na#20me /V#2Fal /Z<</A[<<>>]>>"}).Draw(t, "catalog"),
		pages:    rapid.IntRange(1, 4).Draw(t, "pages"),
		sigField: rapid.Bool().Draw(t, "sigField"),
	}
	if rapid.Bool().Draw(t, "encrypted") {
		s.lock = &lockSpec{
			revision: rapid.SampledFrom([]int{5, 6}).Draw(t, "revision"), direct: rapid.Bool().Draw(t, "direct"),
			stm: rapid.SampledFrom([]string{"", "Identity"}).Draw(t, "StmF"), str: rapid.SampledFrom([]string{"", "Identity"}).Draw(t, "StrF"),
		}
	}
	return s
}

func drawOptions(t *rapid.T) SignOptions {
	text := rapid.StringN(0, 40, 160)
	return SignOptions{
		Name: text.Draw(t, "name"), Reason: text.Draw(t, "reason"),
		Location: text.Draw(t, "location"), ContactInfo: text.Draw(t, "contact"),
		Time: testTime, Hash: rapid.SampledFrom([]crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}).Draw(t, "hash"),
		Reserve: rapid.IntRange(minReserve, 20000).Draw(t, "reserve"),
	}
}

func try(t *rapid.T, in []byte, opt SignOptions) (*memFile, *Prepared) {
	out := &memFile{}
	p, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), out, opt)
	if err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	agrees(t, in, opt, out.b, p)
	return out, p
}

// 1.3 rules 1 and 3, D1, D2, D27: for every shape of document and all options, the
// input is a prefix, two runs give the same bytes, the state survives JSON, the
// prepared file is recognised, Embed changes the hole only, and a second signature
// leaves the first as it was and is the only later change.
func TestSigningPropertiesHoldForEveryShape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, opt := drawSpec(t).build(), drawOptions(t)
		out, p := try(t, in, opt)
		again, p2 := try(t, in, opt)
		if !bytes.HasPrefix(out.b, in) || !bytes.Equal(out.b, again.b) || !reflect.DeepEqual(p, p2) {
			t.Fatal("no prefix, or not deterministic")
		}
		hole, err := ReadPrepared(out, p.Size)
		if err != nil || hole.ByteRange != p.ByteRange || hole.Length != p.ContentsLength {
			t.Fatalf("ReadPrepared: %+v, %v", hole, err)
		}
		stored, _ := json.Marshal(p)
		var back Prepared
		if err := json.Unmarshal(stored, &back); err != nil || !reflect.DeepEqual(&back, p) {
			t.Fatalf("JSON: %v %+v", err, back)
		}
		before := bytes.Clone(out.b)
		if err := Embed(out, &back, fakeCMS(200)); err != nil {
			t.Fatal(err)
		}
		a, b := p.ContentsOffset+1, p.ContentsOffset+p.ContentsLength-1
		if !bytes.Equal(before[:a], out.b[:a]) || !bytes.Equal(before[b:], out.b[b:]) {
			t.Fatal("Embed wrote outside the hole")
		}
		checkFirst(t, out.b, p, opt)

		second, p3 := try(t, out.b, opt)
		if err := Embed(second, p3, fakeCMS(220)); err != nil {
			t.Fatal(err)
		}
		checkSecond(t, out.b, second.b, p)
	})
}

// checkFirst reads a signature back.
func checkFirst(t *rapid.T, b []byte, p *Prepared, opt SignOptions) {
	sigs := openRapid(t, b)
	if len(sigs) != 1 {
		t.Fatalf("%d signatures", len(sigs))
	}
	s := sigs[0]
	if !s.CoversWholeFile || len(s.Problems) > 0 || s.Field != p.Field {
		t.Fatalf("%+v", s)
	}
	// D9: texts are read back as they were given.
	if s.Name != opt.Name || s.Reason != opt.Reason || s.Location != opt.Location || s.ContactInfo != opt.ContactInfo {
		t.Fatalf("texts changed: %q %q %q %q", s.Name, s.Reason, s.Location, s.ContactInfo)
	}
}

// checkSecond compares a file before and after a second signature.
func checkSecond(t *rapid.T, once, twice []byte, first *Prepared) {
	if !bytes.HasPrefix(twice, once) {
		t.Fatal("the signed file is no prefix of the file signed twice")
	}
	sigs := openRapid(t, twice)
	if len(sigs) != 2 || len(sigs[0].Problems) > 0 || len(sigs[1].Problems) > 0 || !sigs[1].CoversWholeFile {
		t.Fatalf("%+v", sigs)
	}
	h, err := hashByName(first.HashName)
	if err != nil {
		t.Fatal(err)
	}
	r, err := sigs[0].Range()
	if err != nil || r != first.ByteRange {
		t.Fatalf("range of the first signature: %v, %v", r, err)
	}
	digest, err := HashRange(context.Background(), bytes.NewReader(twice), r, h)
	if err != nil || !bytes.Equal(digest, first.Digest) {
		t.Fatalf("the first signature's digest changed: %v", err)
	}
	d, err := Open(bytes.NewReader(twice), int64(len(twice)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	changes, err := d.LaterChanges(sigs[0])
	if err != nil || len(changes) != 1 || changes[0].Kind != ChangeSignature {
		t.Fatalf("later changes: %+v, %v", changes, err)
	}
}

func openRapid(t *rapid.T, b []byte) []Signature {
	d, err := Open(bytes.NewReader(b), int64(len(b)), Limits{})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	sigs, err := d.Signatures()
	if err != nil {
		t.Fatalf("Signatures: %v", err)
	}
	return sigs
}

// A byte changed anywhere in the update of a prepared file is noticed by
// ReadPrepared, before anybody signs. Only the texts (date, field name) may be
// others: that is another prepared file, which is shown and hashed as it is.
func TestAnyChangeInTheUpdateIsNoticed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opt := testOptions()
		opt.Reserve = 300
		out, p := try(t, drawSpec(t).build(), opt)
		at := rapid.Int64Range(p.OriginalSize+1, p.Size-1).Draw(t, "at")
		if text := out.b[p.OriginalSize:at]; bytes.Count(text, []byte("(")) > bytes.Count(text, []byte(")")) {
			return
		}
		out.b[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		if _, err := ReadPrepared(out, p.Size); err == nil {
			t.Fatalf("a change at %d of the update passes", at-p.OriginalSize)
		}
	})
}

// D9: every text is written so that it is read back equal, and in ASCII only.
func TestD9TextsAreReadBackEqual(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, s string) {
		raw := encodeText(s)
		l := lexer{b: raw, eof: true, maxDepth: 1}
		if _, end, err := l.value(); err != nil || end != len(raw) {
			t.Fatalf("%q is written as %q, which is no single string: %v", s, raw, err)
		}
		if got := (value{raw: raw}).text(); got != s {
			t.Fatalf("%q is read back as %q", s, got)
		}
	}
	for _, s := range []string{"ĩ name", "Ω) y", "\u5c5c\u295c", "(", ")", "\\", "a\rb\n", "😀", "þÿ", "\ufeff", "\x00"} {
		check(t, s)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.String().Draw(t, "text")) })
}
