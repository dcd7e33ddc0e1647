package validate_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap"
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

// D16: how the range of a signature is spelled in the file changes nothing either: with escapes in its name, as an object of
// its own, or with a comment in it, as other software may write it.
func TestD16TakenAwayHoweverItIsSpelled(t *testing.T) {
	k := newKit(t)
	for name, form := range map[string]string{
		"as usual":        "/ByteRange [%s]",
		"with an escape":  "/Byte#52ange [%s]",
		"with a comment":  "/ByteRange%% here it comes\n[%s]",
		"as an object":    "/ByteRange 77 0 R",
		"all of it by #s": "/#42#79#74#65#52#61#6e#67#65 77 0 R",
	} {
		one := k.spelled(t, formDoc(), form)
		if rep := k.look(t, one, k.trust()); rep.Verdict != validate.Valid || len(rep.Signatures) != 1 {
			t.Fatalf("%s, before: %s %+v", name, rep.Words(), rep.Signatures)
		}
		taken := without(t, one, map[int]string{6: current(formDoc(), 6), 3: current(formDoc(), 3)})
		for what, file := range map[string][]byte{"another signature": k.sign(t, taken, true), "a time-stamp": k.stamped(t, taken, "")} {
			rep := k.look(t, file, k.trust())
			if rep.Verdict == validate.Valid || !strings.Contains(strings.Join(rep.Notes, " "), "was taken away") {
				t.Errorf("%s, then %s: %s %q", name, what, rep.Words(), rep.Notes)
			}
		}
	}
}

// spelled signs in a field of its own, with the range written as the form says; object 77 is always the range too.
func (k *kit) spelled(t *testing.T, in []byte, form string) []byte {
	t.Helper()
	const room = 8 << 10
	file := func(at, end int) []byte {
		numbers := fmt.Sprintf("0 %010d %010d %010d", at, at+2*room+2, end-at-2*room-2)
		text := form
		if strings.Contains(form, "%s") {
			text = fmt.Sprintf(form, numbers)
		}
		return upd(in, map[int]string{6: "<< /Fields [7 0 R 60 0 R] /SigFlags 3 >>", 60: "<< /FT /Sig /T (S) /V 61 0 R >>", 77: "[" + numbers + "]",
			61: "<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached " + text + " /Contents <" + strings.Repeat("0", 2*room) + "> >>"})
	}
	draft := file(0, 0)
	at := bytes.Index(draft, []byte("/Contents <00")) + len("/Contents ")
	out := file(at, len(draft))
	h := crypto.SHA256.New()
	h.Write(out[:at])
	h.Write(out[at+2*room+2:])
	attrs, err := sap.PAdESSignedAttributes(h.Sum(nil), k.chain[0])
	must(t, err)
	sum := sha256.Sum256(attrs)
	sig, err := k.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	must(t, err)
	msg, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: algo.ES256, Signature: sig, Chain: k.chain})
	must(t, err)
	hex.Encode(out[at+1:], msg)
	return out
}
