package validate_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// without is an update that takes the last signature away: its field, and its value.
func without(t *testing.T, signed []byte, more map[int]string) []byte {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(signed), int64(len(signed)), pdf.Limits{})
	must(t, err)
	sigs, err := d.Signatures()
	must(t, err)
	objs := map[int]string{sigs[len(sigs)-1].Object: "null"}
	for n, body := range more {
		objs[n] = body
	}
	return upd(signed, objs)
}

// D16: a time-stamp is no signature. Whoever takes the signatures away and puts one on top
// gets no valid file, at whatever level is wanted.
func TestD16OnlyATimeStamp(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, formDoc(), true)
	bare := map[int]string{1: "<< /Type /Catalog /Pages 2 0 R >>", 4: evilPage}
	for name, c := range map[string]struct {
		file  []byte
		level string
		note  string
	}{
		"a signature was taken away":         {k.stamped(t, without(t, signed, bare), ""), "", "it was taken away"},
		"a signature, and the form stays":    {k.stamped(t, without(t, signed, map[int]string{4: evilPage}), ""), "", "it was taken away"},
		"nobody ever signed":                 {k.stamped(t, contract(), ""), "", "nobody signed"},
		"nobody ever signed, and at a level": {k.stamped(t, contract(), ""), "B-LTA", "nobody signed"},
	} {
		opt := k.trust()
		opt.Level = c.level
		rep := k.look(t, c.file, opt)
		if rep.Verdict != validate.Unsigned || rep.Indication != validate.InDoubt || !strings.Contains(strings.Join(rep.Notes, " "), c.note) {
			t.Errorf("%s: %s, %s, %q", name, rep.Verdict, rep.Words(), rep.Notes)
		}
	}
	broken := k.stamped(t, contract(), "")
	copy(broken[bytes.Index(broken, []byte("240 euros")):], "999")
	if rep := k.look(t, broken, k.trust()); rep.Verdict != validate.NotValid {
		t.Errorf("a broken time-stamp: %s, %s", rep.Verdict, rep.Words())
	}
}

// D16: of two signatures one is taken away, and the other says nothing about that: the
// file is not valid, since it is not what it was.
func TestD16OneOfTwoIsTakenAway(t *testing.T) {
	k := newKit(t)
	one := k.sign(t, formDoc(), true)
	two := k.sign(t, one, true)
	taken := without(t, two, map[int]string{6: current(one, 6), 3: current(one, 3)})
	for name, file := range map[string][]byte{"as it is": taken, "under a time-stamp": k.stamped(t, taken, ""), "under a third signature": k.sign(t, taken, true)} {
		rep := k.look(t, file, k.trust())
		if rep.Verdict == validate.Valid || !strings.Contains(strings.Join(rep.Notes, " "), "was taken away") {
			t.Errorf("%s: %s, %q", name, rep.Verdict, rep.Notes)
		}
	}
	// What only looks like the bytes of one takes nothing away.
	words := strings.Replace(string(contract()), "The rent is 240 euros a year.", "/ByteRange [0 400 500 600] <00>", 1)
	if rep := k.look(t, k.sign(t, []byte(words), true), k.trust()); rep.Verdict != validate.Valid {
		t.Errorf("words in a text: %s %q", rep.Verdict, rep.Notes)
	}
	for _, honest := range [][]byte{one, two, k.stamped(t, two, "")} {
		if rep := k.look(t, honest, k.trust()); rep.Verdict != validate.Valid || len(rep.Notes) > 0 {
			t.Errorf("honest: %s %q", rep.Verdict, rep.Notes)
		}
	}
}

// D16: where in the file the bytes of the signature stand changes nothing: not across the
// pieces in which it is read either.
func TestD16TakenAwayWhereverItStood(t *testing.T) {
	k := newKit(t)
	page := func(n int) []byte {
		return upd(formDoc(), map[int]string{40: stream("", strings.Repeat("x", n))})
	}
	const piece, base = 64 << 10, 50000
	at := bytes.Index(k.sign(t, page(base), false), []byte("/ByteRange"))
	for _, before := range []int{0, 1, 9, 10, 60, 200, 255, 256, 257} {
		one := k.sign(t, page(base+piece-before-at), false)
		if got := bytes.Index(one, []byte("/ByteRange")); got != piece-before {
			t.Fatalf("at %d, want %d", got, piece-before)
		}
		file := k.sign(t, without(t, one, map[int]string{6: current(formDoc(), 6), 3: current(formDoc(), 3)}), false)
		if rep := k.look(t, file, k.trust()); rep.Verdict == validate.Valid {
			t.Errorf("%d before the end of a piece: %s", before, rep.Verdict)
		}
	}
}
