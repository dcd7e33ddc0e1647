package audit_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/audit"
)

// AUD-08: an export has one spelling. A line that some reader takes for another record than
// the one whose hash is checked (a member twice, in other letters, out of order, with
// escapes or blanks) is refused, and so is everything but records behind the header.
func TestAUD08AnExportHasOneSpelling(t *testing.T) {
	c := &memory{}
	for i, typ := range []string{audit.TypeStart, "signature"} {
		if _, err := audit.Append(c, time.UnixMilli(int64(1000+i)), audit.Entry{Type: typ, Actor: "ssad", Outcome: audit.OK, Data: audit.Data{"chain": "c1", "who": "<a & b>\u2028"}}); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if n, err := audit.Write(&out, seq(c.list)); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if _, err := audit.Verify(audit.Read(bytes.NewReader(out.Bytes()))); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"a member twice":           {`"outcome":"ok"`, `"outcome":"refused","outcome":"ok"`},
		"a member in capitals too": {`"outcome":"ok"`, `"OUTCOME":"refused","outcome":"ok"`},
		"a member in capitals":     {`"outcome"`, `"Outcome"`},
		"out of order":             {`"type":"signature","actor":"ssad"`, `"actor":"ssad","type":"signature"`},
		"an escape":                {`"signature"`, `"\u0073ignature"`},
		"a blank":                  {`"seq":1`, `"seq": 1`},
		"another number":           {`"seq":1`, `"seq":1e0`},
		"a member left out":        {`"reason":"",`, ``},
		"a header with a member":   {`"format":"assent-audit/1"`, `"format":"x","format":"assent-audit/1"`},
		"a blank line":             {"\n", "\n\n"},
	} {
		text := strings.Replace(out.String(), change[0], change[1], 1)
		if strings.Contains(change[0], "outcome") || strings.Contains(change[0], "reason") {
			i := strings.LastIndex(out.String(), change[0])
			text = out.String()[:i] + change[1] + out.String()[i+len(change[0]):]
		}
		if text == out.String() {
			t.Fatal(what)
		}
		if _, err := audit.Verify(audit.Read(strings.NewReader(text))); !errors.Is(err, audit.ErrForm) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
