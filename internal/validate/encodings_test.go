package validate_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/charset"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
)

const utf8Head = `<?xml version="1.0" encoding="UTF-8"?>`

var (
	wideBig    = unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	wideLittle = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
)

// encode writes a document in another encoding, whose name it declares.
func encode(t testing.TB, doc, name string, e encoding.Encoding) string {
	t.Helper()
	out, err := e.NewEncoder().String(strings.Replace(doc, "UTF-8", name, 1))
	must(t, err)
	return out
}

// signedOrder is an order for a person, with an enveloped signature.
func (k *kit) signedOrder(t testing.TB, person string) string {
	t.Helper()
	doc := utf8Head + "\n<order><line Id=\"l\">240 euros, " + person + "</line>" + signHere + "</order>"
	data := form(t, strings.Replace(doc, signHere, "", 1), c14n.Job{})
	enveloped := `<ds:Transform Algorithm="` + xmldsigNS + `enveloped-signature"></ds:Transform>`
	return k.dsig(t, doc, "sig", "", ref{"", "", exclusive(enveloped), data})
}

func (k *kit) fileOf(t testing.TB, doc string) (*validate.Report, error) {
	t.Helper()
	return validate.File(t.Context(), "order.xml", strings.NewReader(doc), int64(len(doc)), k.trust())
}

// ADE-03: a signature of XML is over characters; it is judged in whatever encoding the document is, if there is no doubt about that, and the report says
// which. In the same encodings a changed character is found, and one that stands in other characters when it is declared to be something else.
func TestADE03OtherEncodings(t *testing.T) {
	k := newKit(t)
	for name, c := range map[string]struct {
		person string
		e      encoding.Encoding
		other  string // an encoding in which the octets are other characters
	}{
		"ISO-8859-1":   {"Müller", charmap.ISO8859_1, "ISO-8859-5"},
		"iso-8859-2":   {"Kovács Őrs", charmap.ISO8859_2, "ISO-8859-1"},
		"ISO-8859-15":  {"Œuvre €", charmap.ISO8859_15, "ISO-8859-1"},
		"windows-1251": {"Анна", charmap.Windows1251, "windows-1252"},
		"windows-1252": {"„Anna“ €", charmap.Windows1252, "windows-1251"},
		"UTF-16":       {"Анна 😀", wideLittle, ""},
		"utf-16":       {"Анна 😀", wideBig, ""},
		"US-ASCII":     {"Anna", charmap.ISO8859_1, ""},
	} {
		good := encode(t, k.signedOrder(t, c.person), name, c.e)
		rep, err := k.fileOf(t, good)
		if err != nil || rep.Verdict != validate.Valid || !slices.ContainsFunc(rep.Notes, func(n string) bool { return strings.Contains(n, strings.ToUpper(name)) }) {
			t.Errorf("%s: %v %+v", name, err, rep)
			continue
		}
		if rep.Size != int64(len(good)) {
			t.Errorf("%s: size %d of %d", name, rep.Size, len(good))
		}
		changed := map[string]string{"changed": encode(t, strings.Replace(k.signedOrder(t, c.person), "240", "241", 1), name, c.e)}
		if c.other != "" {
			changed["declared "+c.other] = strings.Replace(good, name, c.other, 1)
		}
		for what, file := range changed {
			rep, err := k.fileOf(t, file)
			if err != nil || rep.Verdict != validate.NotValid || rep.SubIndication != validate.HashFailure {
				t.Errorf("%s, %s: %v %+v", name, what, err, rep)
			}
		}
	}
	bare := strings.Replace(k.signedOrder(t, "Анна"), utf8Head, "", 1)
	if rep, err := k.fileOf(t, encode(t, bare, "", wideBig)); err != nil || rep.Verdict != validate.Valid {
		t.Errorf("UTF-16 by its mark alone: %v %+v", err, rep)
	}
}

// ADE-05: a document about whose encoding readers could differ is refused as a whole, and so is all that is refused in UTF-8.
func TestADE05EncodingsInDoubt(t *testing.T) {
	k := newKit(t)
	good := k.signedOrder(t, "Müller")
	latin := encode(t, good, "ISO-8859-1", charmap.ISO8859_1)
	wide := encode(t, good, "UTF-16", wideBig)
	in := func(doc, from, to string) string { return strings.Replace(doc, from, to, 1) }
	declared := func(name string, e encoding.Encoding) string { return encode(t, good, name, e) }
	for name, c := range map[string]struct {
		file string
		want error
	}{
		"ISO-8859-1 behind the mark of UTF-8":     {"\xEF\xBB\xBF" + latin, c14n.ErrEncoding},
		"ISO-8859-1 that says UTF-8":              {in(latin, "ISO-8859-1", "UTF-8"), c14n.ErrChar},
		"ISO-8859-1 that says UTF-16":             {in(latin, "ISO-8859-1", "UTF-16"), c14n.ErrEncoding},
		"ISO-8859-1 that says US-ASCII":           {in(latin, "ISO-8859-1", "US-ASCII"), charset.ErrOctets},
		"an octet that browsers read differently": {in(latin, "\xFC", "\x80"), charset.ErrOctets},
		"an octet that is not defined":            {in(in(latin, "ISO-8859-1", "windows-1252"), "\xFC", "\x81"), charset.ErrOctets},
		"white space before the declaration":      {" " + latin, c14n.ErrSyntax},
		"encoding named twice":                    {in(latin, `encoding="ISO-8859-1"`, `encoding="ISO-8859-1" encoding="UTF-8"`), c14n.ErrEncoding},
		"encoding behind standalone":              {in(latin, `encoding=`, `standalone="yes" encoding=`), c14n.ErrSyntax},
		"XML 1.1":                                 {in(latin, `"1.0"`, `"1.1"`), c14n.ErrVersion},
		"an encoding that is not read":            {in(latin, "ISO-8859-1", "Shift_JIS"), c14n.ErrEncoding},
		"UTF-7":                                   {in(latin, "ISO-8859-1", "UTF-7"), c14n.ErrEncoding},
		"UTF-16 that says UTF-8":                  {declared("UTF-8", wideBig), charset.ErrDisagree},
		"UTF-16 that says ISO-8859-1":             {declared("ISO-8859-1", wideLittle), charset.ErrDisagree},
		"UTF-16 that says UTF-16LE":               {declared("UTF-16LE", wideLittle), charset.ErrDisagree},
		"UTF-16 with two declarations in one":     {declared(`UTF-16" encoding="UTF-8`, wideLittle), charset.ErrDisagree},
		"UTF-16 with a long declaration":          {declared(`UTF-16"`+strings.Repeat(" ", 600)+`standalone="yes`, wideLittle), charset.ErrDisagree},
		"UTF-16 without a mark":                   {wide[2:], pdf.ErrNotPDF},
		"UTF-16 with two marks":                   {"\xFE\xFF" + wide, pdf.ErrNotPDF},
		"UTF-16 of both orders":                   {"\xFF\xFE" + wide, pdf.ErrNotPDF},
		"UTF-16 and an octet":                     {wide + ">", charset.ErrOctets},
		"UTF-16 with half a pair":                 {in(wide, "\x00\xFC", "\xD8\x3D"), charset.ErrOctets},
		"UTF-16 with the other half":              {in(wide, "\x00\xFC", "\xDE\x00"), charset.ErrOctets},
		"UTF-16 that ends with half a pair":       {wide + "\xD8\x3D", charset.ErrOctets},
		"UTF-16 with a zero":                      {in(wide, "\x00\xFC", "\x00\x00"), c14n.ErrChar},
		"UTF-32":                                  {"\xFF\xFE\x00\x00<\x00\x00\x00", c14n.ErrEncoding},
		"a DTD in UTF-16":                         {encode(t, in(good, "\n<order>", "\n<!DOCTYPE order><order>"), "UTF-16", wideBig), c14n.ErrDTD},
		"a DTD in ISO-8859-1":                     {encode(t, in(good, "\n<order>", "\n<!DOCTYPE order><order>"), "ISO-8859-1", charmap.ISO8859_1), c14n.ErrDTD},
		"a PDF in the octets of UTF-16":           {encode(t, in(good, "\n<order>", "\n<!--\u2550\u4446\u2D31--><order>"), "UTF-16", wideBig), validate.ErrTwoFaced},
		"a PDF in its characters":                 {encode(t, in(good, "\n<order>", "\n<!--%PDF-1.7--><order>"), "UTF-16", wideBig), validate.ErrTwoFaced},
	} {
		if rep, err := k.fileOf(t, c.file); !errors.Is(err, c.want) {
			t.Errorf("%s: %v %+v", name, err, rep)
		}
	}
}

// ADE-05: what nobody signed is in doubt in every encoding.
func TestADE05WrappedInOtherEncodings(t *testing.T) {
	k := newKit(t)
	doc := utf8Head + "\n<order><line Id=\"l\">Müller</line>" + signHere + "</order>"
	part := k.dsig(t, doc, "sig", "", ref{"#l", "", exclusive(""), form(t, strings.Replace(doc, signHere, "", 1), c14n.Job{Target: c14n.ElementByID("l")})})
	for name, e := range map[string]encoding.Encoding{"ISO-8859-1": charmap.ISO8859_1, "UTF-16": wideBig} {
		rep, err := k.fileOf(t, encode(t, part, name, e))
		if err != nil || rep.Verdict == validate.Valid || rep.SubIndication != validate.SigConstraintsFailure {
			t.Errorf("%s, a part: %v %+v", name, err, rep)
		}
		twice := encode(t, strings.Replace(part, "</order>", `<line Id="l">Meier</line></order>`, 1), name, e)
		if rep, err := k.fileOf(t, twice); !errors.Is(err, c14n.ErrDuplicateID) {
			t.Errorf("%s, two of one identifier: %v %+v", name, err, rep)
		}
	}
}

// A document above the bound for other encodings is refused before it is read.
func TestADE03OtherEncodingsAreBounded(t *testing.T) {
	k := newKit(t)
	size := int64(charset.MaxSize + 1)
	head := []byte(`<?xml version="1.0" encoding="ISO-8859-1"?>`)
	if _, err := validate.File(t.Context(), "a.xml", blanks{head}, size, k.trust()); !errors.Is(err, charset.ErrSize) {
		t.Error(err)
	}
}

// blanks are a head and spaces without end.
type blanks struct{ head []byte }

func (b blanks) ReadAt(p []byte, at int64) (int, error) {
	n := 0
	if at < int64(len(b.head)) {
		n = copy(p, b.head[at:])
	}
	copy(p[n:], bytes.Repeat([]byte(" "), len(p)-n))
	return len(p), nil
}
