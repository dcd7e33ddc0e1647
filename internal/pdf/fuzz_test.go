package pdf

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
)

// fuzzLimits keep one input short: the fuzzer's own time limit is no bound.
func fuzzLimits() Limits {
	return Limits{MaxObjects: 1 << 14, MaxDepth: 60, MaxXrefSections: 50, MaxPages: 500, MaxFields: 500,
		MaxObjectBytes: 1 << 18, MaxInflate: 1 << 20, MaxWork: 1 << 24}
}

// fuzzTime is generous for a busy machine; the work budget allows far less.
const fuzzTime = 5 * time.Second

// addSeeds adds one document of every shape.
func addSeeds(f *testing.F) {
	f.Helper()
	specs := []docSpec{
		{kind: "table"}, {kind: "table", annots: "direct", form: "direct", fields: "indirect", sigField: true, eol: "\r"},
		{kind: "stream", packed: true, flate: true, form: "indirect", annots: "indirect"}, {kind: "stream"},
		{kind: "hybrid", packed: true, annots: "indirect", pages: 3}, {kind: "table", junk: 3, untyped: true, padding: "\n\x00\x00"},
		lockedForm(&lockSpec{}), lockedTable(&lockSpec{direct: true}),
	}
	opt := testOptions()
	opt.Reserve = 320
	for _, s := range specs {
		in := s.build()
		f.Add(in)
		out, _ := prepare(f, in, opt)
		f.Add(out.b)
		signed := sign(f, in, opt)
		f.Add(appendUpdate(signed, newestOffset(f, signed), "/Size 200 /Root 1 0 R", map[int]string{22: otherPage}))
	}
	f.Add([]byte("%PDF-1.7\n1 0 obj<</Pages 2 0 R>>\n2 0 obj<</Kids[2 0 R]>>\ntrailer<</Root 1 0 R>>"))
}

// typedOrNil demands a typed error.
func typedOrNil(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil && strings.HasPrefix(sentinelName(err), "untyped") && !errors.Is(err, ErrNotPrepared) {
		t.Errorf("%s: untyped error %v", what, err)
	}
}

// timed fails an input that takes too long; the race detector makes all slower.
func timed(t *testing.T) func() {
	start := time.Now()
	return func() {
		if took := time.Since(start); took > fuzzTime*testenv.Slowdown {
			t.Errorf("took %v", took)
		}
	}
}

// D11: no input makes the reader panic, hang or return an untyped error.
func FuzzOpen(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		defer timed(t)()
		_, err := Inspect(bytes.NewReader(b), int64(len(b)), fuzzLimits())
		typedOrNil(t, "Inspect", err)
		d, err := Open(bytes.NewReader(b), int64(len(b)), fuzzLimits())
		typedOrNil(t, "Open", err)
		if err != nil {
			return
		}
		typedOrNil(t, "objects", d.xref.each(func(num int, _ entry) error {
			_, err := d.loadNumber(num)
			if errors.Is(err, ErrLimit) {
				return err
			}
			typedOrNil(t, "load", err)
			return nil
		}))
	})
}

// EN 319 142-1, 5.4.2: validation data added to whatever file keeps its bytes, is
// read back, and is not added again.
func FuzzDSS(f *testing.F) {
	addSeeds(f)
	f.Add(withDSS(f, sign(f, plainPDF(), testOptions()), ValidationData{Certs: data("a"), CRLs: data("b")}, SignatureData{[]byte("s"), ValidationData{Certs: data("a")}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		defer timed(t)()
		d, err := Open(bytes.NewReader(b), int64(len(b)), fuzzLimits())
		if err != nil {
			return
		}
		_, err = d.DSS()
		typedOrNil(t, "DSS", err)
		all := ValidationData{Certs: data("new"), OCSPs: data("new")}
		tail, err := d.PlanDSS(all, SignatureData{[]byte("new"), all})
		typedOrNil(t, "PlanDSS", err)
		if err != nil || tail == nil {
			return
		}
		out := append(bytes.Clone(b), tail...)
		d, err = Open(bytes.NewReader(out), int64(len(out)), Limits{})
		if err != nil {
			t.Fatalf("the extended file does not open: %v", err)
		}
		s, err := d.DSS()
		if err != nil || s == nil || !slices.Contains(s.VRI, VRIKey([]byte("new"))) {
			t.Fatalf("%+v, %v", s, err)
		}
		if again, err := d.PlanDSS(all, SignatureData{[]byte("new"), all}); err != nil || again != nil {
			t.Fatalf("added again: %q, %v", again, err)
		}
	})
}

// D11, 1.3: whatever is prepared has its input as prefix, is recognised as
// prepared in the same way whether it is read again or not, and reads back as one
// signature more that covers the whole file.
func FuzzPrepare(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		defer timed(t)()
		opt := testOptions()
		opt.Reserve, opt.Limits = minReserve, fuzzLimits()
		out := &memFile{}
		p, err := Prepare(context.Background(), bytes.NewReader(b), int64(len(b)), out, opt)
		typedOrNil(t, "Prepare", err)
		if err != nil {
			if len(out.b) > 0 {
				t.Error("an error, but output")
			}
			return
		}
		if !bytes.HasPrefix(out.b, b) {
			t.Fatal("the input is no prefix")
		}
		agrees(t, b, opt, out.b, p)
		if err := Embed(out, p, fakeCMS(100)); err != nil {
			t.Fatal(err)
		}
		d, err := Open(out, p.Size, Limits{})
		if err != nil {
			t.Fatalf("the signed file does not open: %v", err)
		}
		sigs, err := d.Signatures()
		if err != nil {
			typedOrNil(t, "Signatures", err) // something else in the file is broken
			return
		}
		n := 0
		for _, s := range sigs {
			if s.CoversWholeFile && s.ContentsOffset == p.ContentsOffset && s.Field == p.Field {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%d signatures that cover the whole file in %d", n, len(sigs))
		}
	})
}

// D11, D16: reading signatures and comparing revisions ends with a typed error or
// an answer; bytes behind a signature are never passed over in silence.
func FuzzSignatures(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		defer timed(t)()
		d, err := Open(bytes.NewReader(b), int64(len(b)), fuzzLimits())
		if err != nil {
			return
		}
		sigs, err := d.Signatures()
		typedOrNil(t, "Signatures", err)
		for _, s := range sigs {
			if s.CoversWholeFile && s.CoveredEnd != int64(len(b)) {
				t.Errorf("covers the whole file, but ends at %d of %d", s.CoveredEnd, len(b))
			}
			if _, err := s.CMS(); err != nil {
				typedOrNil(t, "CMS", err)
			}
			changes, err := d.LaterChanges(s)
			typedOrNil(t, "LaterChanges", err)
			if err == nil && len(changes) == 0 && s.CoveredEnd < int64(len(b)) {
				t.Errorf("%d bytes behind the signature and no change", int64(len(b))-s.CoveredEnd)
			}
		}
	})
}

// Whatever ReadPrepared accepts has its hole where it says, zeros in it, and all
// other bytes covered.
func FuzzReadPrepared(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		defer timed(t)()
		h, err := ReadPrepared(bytes.NewReader(b), int64(len(b)))
		typedOrNil(t, "ReadPrepared", err)
		if err != nil {
			return
		}
		end := h.Offset + h.Length
		if h.ByteRange != [4]int64{0, h.Offset, end, int64(len(b)) - end} {
			t.Fatalf("range %v, hole %d+%d, size %d", h.ByteRange, h.Offset, h.Length, len(b))
		}
		gap := b[h.Offset:end]
		if gap[0] != '<' || gap[len(gap)-1] != '>' || len(bytes.Trim(gap[1:len(gap)-1], "0")) > 0 {
			t.Fatalf("gap %q", gap)
		}
	})
}
