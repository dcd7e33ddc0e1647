package validate_test

import (
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/validate"
)

// D16: programs write a file's title and dates anew when they add a time-stamp or validation data. That is named and leaves
// the verdict, behind a later time-stamp or not, because no page shows it; what comes in with it does not. A certification
// that permits no change is held to.
func TestD16MetadataIsNamedAndLeavesTheVerdict(t *testing.T) {
	k := newKit(t)
	const metadata = "/Type /Metadata /Subtype /XML"
	with := func(signed []byte, more map[int]string) []byte {
		root := current(signed, 1)
		objs := map[int]string{1: root[:strings.LastIndex(root, ">>")] + " /Metadata 40 0 R >>", 40: stream(metadata, "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")}
		for n, text := range more {
			objs[n] = text
		}
		return update(signed, 60, objs)
	}
	signed := k.sign(t, formDoc(), true)
	page := current(signed, 3)
	other := map[int]string{3: page[:strings.LastIndex(page, ">>")] + " /Rotate 180 >>"}
	for name, c := range map[string]struct {
		file  []byte
		valid bool
	}{
		"unsigned":                        {with(signed, nil), true},
		"under a time-stamp":              {k.stamped(t, with(signed, nil), ""), true},
		"with another page":               {with(signed, other), false},
		"with another page, time-stamped": {k.stamped(t, with(signed, other), ""), false},
		"certified, no change":            {with(k.certify(t, formDoc(), 1), nil), false},
		"certified, forms only":           {with(k.certify(t, formDoc(), 2), nil), true},
	} {
		rep := k.look(t, c.file, k.trust())
		s := rep.Signatures[0]
		if (rep.Verdict == validate.Valid) != c.valid || !strings.Contains(strings.Join(s.Later, "; "), "document metadata changed") {
			t.Errorf("%s: %s %v; later: %q", name, rep.Verdict, s.Why, s.Later)
		}
	}
}
