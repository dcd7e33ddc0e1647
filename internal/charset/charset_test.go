package charset_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/charset"
	"github.com/assent-sign/assent/internal/testenv"
)

func read(doc string) (text, name string, err error) {
	b, name, err := charset.UTF8(strings.NewReader(doc), int64(len(doc)))
	return string(b), name, err
}

func wide(text string) string {
	var out strings.Builder
	out.WriteString("\xFE\xFF")
	for _, c := range text { // of the first plane
		out.WriteByte(byte(c >> 8))
		out.WriteByte(byte(c))
	}
	return out.String()
}

// ADE-03: every octet above ASCII that we decode, libxml2 decodes to the same character; and those that we do not decode are told with their place.
func TestADE03EveryOctetAsLibxml2ReadsIt(t *testing.T) {
	program := testenv.Need(t, "xmllint")
	for _, name := range charset.Names() {
		if name == "UTF-16" {
			continue
		}
		head := `<?xml version="1.0" encoding="` + name + `"?><a>`
		var body strings.Builder
		for b := 0x80; b < 0x100; b++ {
			_, got, err := read(head + string([]byte{byte(b)}) + "</a>")
			if err == nil && got == name {
				body.WriteByte(byte(b))
			} else if !errors.Is(err, charset.ErrOctets) || !strings.Contains(err.Error(), fmt.Sprintf("octet %#x at byte %d ", b, len(head))) {
				t.Errorf("%s: octet %#x: %v", name, b, err)
			}
		}
		if n := body.Len(); n < 90 && name != "US-ASCII" {
			t.Errorf("%s: %d octets", name, n)
		}
		agrees(t, program, name, head+body.String()+"</a>")
	}
	const text = `<?xml version="1.0" encoding="UTF-16"?><Ж a="ä">€ 䑆 ` + "\uFEFF\r\n</Ж>"
	agrees(t, program, "UTF-16, big end first", wide(text))
	agrees(t, program, "UTF-16, declared by its mark alone", wide(strings.TrimPrefix(text, `<?xml version="1.0" encoding="UTF-16"?>`)))
	agrees(t, program, "UTF-16, little end first", "\xFF\xFE<\x00a\x00>\x00\x3D\xD8\x00\xDE<\x00/\x00a\x00>\x00")
}

// agrees compares our canonical form of a document with that of libxml2.
func agrees(t *testing.T, xmllint, name, doc string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.xml")
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	theirs, err := exec.CommandContext(t.Context(), xmllint, "--c14n", file).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	text, _, err := read(doc)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var ours bytes.Buffer
	if err := c14n.Canonicalize(strings.NewReader(text), c14n.Limits{}, c14n.Job{W: &ours, Method: c14n.Inclusive10}); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if ours.String() != string(theirs) {
		t.Errorf("%s: %q, libxml2 %q", name, ours.String(), theirs)
	}
}

// ADE-03: the encoding is that of the mark and the declaration, where they agree; the declaration says UTF-8 then, and nothing else is changed.
func TestADE03EncodingIsDeclaredOnce(t *testing.T) {
	for doc, want := range map[string]string{
		`<?xml version="1.0" encoding="ISO-8859-1"?><a>` + "\xE4\r\n</a>":                      `<?xml version="1.0" encoding="UTF-8"?><a>ä` + "\r\n</a>",
		`<?xml  version = '1.0'` + "\n" + `encoding='iso-8859-15' standalone="no" ?>` + "\xA4": `<?xml  version = '1.0'` + "\n" + `encoding='UTF-8' standalone="no" ?>€`,
		wide(`<?xml version="1.0" encoding="utf-16"?><Ж/>`):                                    `<?xml version="1.0" encoding="UTF-8"?><Ж/>`,
		wide(`<?xml version="1.0"?><a/>`):                                                      `<?xml version="1.0"?><a/>`,
		wide(`<?xml-stylesheet encoding="x"?><a/>`):                                            `<?xml-stylesheet encoding="x"?><a/>`,
		wide(`<a/>`): `<a/>`,
		wide(``):     ``,
	} {
		if text, name, err := read(doc); text != want || name == "" || err != nil {
			t.Errorf("%q: %q %q %v", doc, text, name, err)
		}
	}
	for _, doc := range []string{"", "<", "<?xml", `<?xml version="1.0"?><a/>`, `<?xml version="1.0" encoding="UTF-8"?><a/>`, "\xEF\xBB\xBF" + `<?xml version="1.0" encoding="ISO-8859-1"?>`,
		` <?xml version="1.0" encoding="ISO-8859-1"?>`, `<?xml encoding="ISO-8859-1"?>`, `<?xml version="1.0" encoding="ISO-8859-1" x="y"?>`, `<?xml version="1.0" encoding="ISO-8859-7"?>`,
		`<?xml version="1.0" encoding="ISO-8859-1'?>`, `<?xml version="1.0" encoding="UTF-16"?>`, "<\x00?\x00", "%PDF-1.7"} {
		if text, name, err := read(doc); text != "" || name != "" || err != nil {
			t.Errorf("%q: %q %q %v", doc, text, name, err)
		}
	}
}

// FuzzUTF8: what is decoded is UTF-8 that says nothing else, of at most three octets for each, and is not decoded again.
func FuzzUTF8(f *testing.F) {
	for _, name := range charset.Names() {
		f.Add([]byte(`<?xml version="1.0" encoding="` + name + `"?><a>` + "\xE4</a>"))
	}
	f.Add([]byte(wide(`<?xml version="1.0" encoding="UTF-16"?><Ж/>`)))
	f.Add([]byte("\xFF\xFE<\x00a\x00/\x00>\x00\x3D\xD8\x00\xDE"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		text, name, err := charset.UTF8(bytes.NewReader(doc), int64(len(doc)))
		if err != nil || text == nil {
			return
		}
		if !utf8.Valid(text) || len(text) > 3*len(doc) || name == "" {
			t.Errorf("%q: %q %s", doc, text, name)
		}
		if again, name, err := read(string(text)); again != "" || err != nil {
			t.Errorf("%q: again %q %s %v", text, again, name, err)
		}
	})
}
