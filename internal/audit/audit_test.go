package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/internal/jcs"
)

// memory is a Table in a slice.
type memory struct{ list []audit.Record }

func (m *memory) Last() (audit.Head, error) {
	if len(m.list) == 0 {
		return audit.Head{Seq: -1}, nil
	}
	r := m.list[len(m.list)-1]
	return audit.Head{Seq: r.Seq, Hash: r.Hash}, nil
}

func (m *memory) Insert(r audit.Record) error { m.list = append(m.list, r); return nil }

func chain(t testing.TB, name string, n int) []audit.Record {
	t.Helper()
	m := &memory{}
	for i := range n {
		e := audit.Entry{Type: "act", Actor: "officer:olga", Outcome: audit.OK, Data: audit.Data{"i": i, "list": []string{"a", "b"}}}
		if i == 0 {
			e.Type, e.Data = audit.TypeStart, audit.Data{"chain": name}
		}
		if _, err := audit.Append(m, time.UnixMilli(int64(1000+i)), e); err != nil {
			t.Fatal(err)
		}
	}
	return m.list
}

func seq(list []audit.Record) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func head(name string, list []audit.Record) audit.Checkpoint {
	r := list[len(list)-1]
	return audit.Checkpoint{Chain: name, Seq: r.Seq, Hash: r.Hash}
}

// AUD-05, T37: delete, edit, reorder, insert, duplicate, truncate, fork, another
// chain: the verifier names the index of the first bad record.
func TestVerifyNamesTheFirstBadRecord(t *testing.T) {
	good := chain(t, "c1", 20)
	end := head("c1", good)
	mid := head("c1", good[:11])
	rehash := func(list []audit.Record, from int) []audit.Record { // an insider recomputes the rest
		for i := from; i < len(list); i++ {
			prev := []byte(nil)
			if i > 0 {
				prev = list[i-1].Hash
			}
			list[i].Seq = int64(i)
			list[i].Hash = list[i].Sum(prev)
		}
		return list
	}
	edit := func(i int, f func(*audit.Record)) []audit.Record {
		l := slices.Clone(good)
		f(&l[i])
		return l
	}
	for name, c := range map[string]struct {
		list  []audit.Record
		index int64
	}{
		"deleted":              {slices.Delete(slices.Clone(good), 5, 6), 5},
		"first deleted":        {good[1:], 0},
		"edited type":          {edit(7, func(r *audit.Record) { r.Type = "other" }), 7},
		"edited actor":         {edit(7, func(r *audit.Record) { r.Actor = "x" }), 7},
		"edited reason":        {edit(7, func(r *audit.Record) { r.Reason = "x" }), 7},
		"edited outcome":       {edit(7, func(r *audit.Record) { r.Outcome = audit.Refused }), 7},
		"edited time":          {edit(7, func(r *audit.Record) { r.Time++ }), 7},
		"edited data":          {edit(7, func(r *audit.Record) { r.Data = `{"i":8}` }), 7},
		"edited hash":          {edit(7, func(r *audit.Record) { r.Hash = bytes.Clone(r.Hash); r.Hash[0] ^= 1 }), 7},
		"moved text":           {edit(7, func(r *audit.Record) { r.Type, r.Actor = "ac", "tofficer:olga" }), 7},
		"reordered":            {swap(good, 8, 9), 8},
		"doubled":              {slices.Insert(slices.Clone(good), 4, good[3]), 4},
		"truncated":            {good[:15], 15},
		"emptied":              {nil, 0},
		"fork after a record":  {rehash(edit(9, func(r *audit.Record) { r.Data = `{"i":99}` }), 9), 10},
		"deleted and rehashed": {rehash(slices.Delete(slices.Clone(good), 5, 6), 5), 10},
		"another chain":        {chain(t, "c2", 20), 10},
		"no chain name":        {rehash(edit(0, func(r *audit.Record) { r.Data = `{}` }), 0), 0},
		"wrong first type":     {rehash(edit(0, func(r *audit.Record) { r.Type = "act" }), 0), 0},
		"second start":         {rehash(edit(3, func(r *audit.Record) { r.Type = audit.TypeStart }), 3), 3},
	} {
		_, err := audit.Verify(seq(c.list), mid, end)
		var bad *audit.BadRecord
		if !errors.As(err, &bad) || !errors.Is(err, audit.ErrChain) || bad.Index != c.index {
			t.Errorf("%s: %v, want index %d", name, err, c.index)
		}
	}
	if got, err := audit.Verify(seq(good), mid, end); err != nil || got.String() != end.String() {
		t.Errorf("good chain: %v, %v", got, err)
	}
	if got, err := audit.VerifyFrom(mid, seq(good[11:]), end); err != nil || got.String() != end.String() {
		t.Errorf("from a checkpoint: %v, %v", got, err)
	}
	if _, err := audit.VerifyFrom(mid, seq(good[12:]), end); !errors.Is(err, audit.ErrChain) {
		t.Errorf("gap after the checkpoint: %v", err)
	}
	fork := audit.Checkpoint{Chain: "c1", Seq: mid.Seq, Hash: make([]byte, 32)}
	if _, err := audit.Verify(seq(good), mid, fork); !errors.Is(err, audit.ErrChain) {
		t.Errorf("contradicting checkpoints: %v", err)
	}
}

func swap(list []audit.Record, i, j int) []audit.Record {
	l := slices.Clone(list)
	l[i], l[j] = l[j], l[i]
	return l
}

// AUD-08: an export reads back and verifies off line; checkpoints have one
// spelling.
func TestExportAndCheckpointRoundTrip(t *testing.T) {
	good := chain(t, "c1", 30)
	var out bytes.Buffer
	n, err := audit.Write(&out, seq(good))
	if err != nil || n != 30 {
		t.Fatalf("%d, %v", n, err)
	}
	end, err := audit.Verify(audit.Read(bytes.NewReader(out.Bytes())), head("c1", good))
	if err != nil {
		t.Fatal(err)
	}
	again, err := audit.ParseCheckpoint(end.String())
	if err != nil || again.String() != end.String() {
		t.Errorf("%v, %v", again, err)
	}
	for _, bad := range []string{"", "a", "a:b:c", "c1:1:00", "c1:-1:" + strings.Repeat("0", 64), "c1:1:" + strings.Repeat("0", 63) + "g", strings.Repeat("x", 600)} {
		if _, err := audit.ParseCheckpoint(bad); !errors.Is(err, audit.ErrForm) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	lines := strings.SplitAfter(out.String(), "\n")
	for name, text := range map[string]string{
		"no header":      strings.Join(lines[1:], ""),
		"other format":   `{"format":"x"}` + "\n",
		"unknown member": lines[0] + strings.Replace(lines[1], `{"seq"`, `{"x":1,"seq"`, 1),
		"trailing":       lines[0] + strings.TrimSuffix(lines[1], "\n") + "{}\n",
		"not UTF-8":      lines[0] + strings.Replace(lines[1], "olga", "olg\xff", 1),
		"empty":          "",
		"torn":           lines[0] + lines[1][:20],
	} {
		if _, err := audit.Verify(audit.Read(strings.NewReader(text))); !errors.Is(err, audit.ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The payload is canonical JSON, equal to what internal/jcs makes of it.
func TestDataIsCanonical(t *testing.T) {
	d := audit.Data{"b": "x\"\n\u00e9\u2028", "a": int64(-5), "c": true, "d": []string{}, "e": []string{"1", "\\"}, "f": 0}
	text, err := d.Text()
	if err != nil {
		t.Fatal(err)
	}
	want, err := jcs.Marshal(map[string]any(d))
	if err != nil || text != string(want) {
		t.Errorf("got %s, want %s (%v)", text, want, err)
	}
	for _, bad := range []audit.Data{{"A": "x"}, {"": "x"}, {"a": 1.5}, {"a": nil}, {"a": map[string]any{}}} {
		if _, err := bad.Text(); !errors.Is(err, audit.ErrEntry) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// Entries that cannot be recorded are errors, so that the act does not happen.
func TestEntriesThatAreRefused(t *testing.T) {
	for name, e := range map[string]audit.Entry{
		"outcome":   {Type: "a", Outcome: "maybe"},
		"no type":   {Outcome: audit.OK},
		"too long":  {Type: strings.Repeat("a", 300), Outcome: audit.OK},
		"too large": {Type: "a", Outcome: audit.OK, Data: audit.Data{"x": strings.Repeat("a", 300<<10)}},
		"start":     {Type: audit.TypeStart, Outcome: audit.OK},
	} {
		m := &memory{list: chain(t, "c", 2)}
		if _, err := audit.Append(m, time.Now(), e); !errors.Is(err, audit.ErrEntry) || len(m.list) != 2 {
			t.Errorf("%s: %v, %d records", name, err, len(m.list))
		}
	}
}

// FuzzRead: an export that anyone may hand in neither breaks the reader nor
// verifies unless it is a chain.
func FuzzRead(f *testing.F) {
	var out bytes.Buffer
	if _, err := audit.Write(&out, seq(chain(f, "c1", 3))); err != nil {
		f.Fatal(err)
	}
	f.Add(out.String())
	f.Add(`{"format":"assent-audit/1"}` + "\n" + `{"seq":0}` + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		end, err := audit.Verify(func(yield func(audit.Record, error) bool) {
			for r, err := range audit.Read(strings.NewReader(text)) {
				n++
				if !yield(r, err) {
					return
				}
			}
		})
		if err == nil && end.Seq != int64(n)-1 {
			t.Errorf("%d records verify as up to %d", n, end.Seq)
		}
	})
}

// BenchmarkVerify is B18.
func BenchmarkVerify(b *testing.B) {
	list := chain(b, "c", 1000)
	b.ResetTimer()
	for range b.N {
		if _, err := audit.Verify(seq(list)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "records/s")
}

func ExampleCheckpoint_String() {
	fmt.Println(audit.Checkpoint{Chain: "c1", Seq: 7, Hash: []byte{1, 2}})
	// Output: c1:7:0102
}
