package validate_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

// indefinite writes a CMS message as many programs do: the outer elements without their lengths (X.690, 8.1.3.6).
func indefinite(t *testing.T, der []byte) []byte {
	t.Helper()
	content := func(b []byte) []byte {
		switch {
		case b[1] < 0x80:
			return b[2:]
		case b[1] == 0x82:
			return b[4:]
		}
		t.Fatalf("length %x", b[1:4])
		return nil
	}
	info := content(der)
	oid := 2 + int(info[1])
	signed := content(content(info[oid:]))
	out := append([]byte{0x30, 0x80}, info[:oid]...)
	out = append(out, 0xa0, 0x80, 0x30, 0x80)
	out = append(out, signed...)
	return append(out, 0, 0, 0, 0, 0, 0)
}

// withContents puts another message into the place of the only signature's.
func withContents(t *testing.T, file, message []byte) []byte {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	must(t, err)
	sigs, err := d.Signatures()
	must(t, err)
	s := sigs[len(sigs)-1]
	digits := hex.EncodeToString(message)
	room := int(s.ContentsLength) - 2
	if len(digits) > room {
		t.Fatalf("%d digits, room for %d", len(digits), room)
	}
	out := bytes.Clone(file)
	copy(out[s.ContentsOffset+1:], digits+strings.Repeat("0", room-len(digits)))
	return out
}

func messageOf(t *testing.T, file []byte) []byte {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	must(t, err)
	sigs, err := d.Signatures()
	must(t, err)
	der, err := sigs[len(sigs)-1].CMS()
	must(t, err)
	return der
}

// ADE-03: signatures and time-stamps of PDF that others wrote in BER are judged as those in DER; what is behind them and what
// is changed in them counts as before.
func TestADE03SignaturesInBER(t *testing.T) {
	k := newKit(t)
	file := k.sign(t, contract(), true)
	message := indefinite(t, messageOf(t, file))
	rep := k.look(t, withContents(t, file, message), k.trust())
	if s := rep.Signatures[0]; rep.Verdict != validate.Valid || s.Level != "B-T" || s.Proven == nil {
		t.Errorf("%s %v %q", rep.Verdict, s.Why, s.Level)
	}
	behind := append(bytes.Clone(message), 0, 0, 5)
	if rep := k.look(t, withContents(t, file, behind), k.trust()); rep.Verdict == validate.Valid {
		t.Error("bytes behind the message pass")
	}
	digest := bytes.Index(message, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04")) + 20 // in the attribute message-digest
	other := bytes.Clone(message)
	other[digest] ^= 1
	if rep := k.look(t, withContents(t, file, other), k.trust()); rep.Signatures[0].Indication != validate.TotalFailed {
		t.Errorf("a byte of the signed attributes was changed: %s", rep.Signatures[0].Indication)
	}
}
