package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/testenv"
)

// lockedTable is a form whose objects are all in the open, encrypted.
func lockedTable(l *lockSpec) docSpec {
	return docSpec{kind: "table", form: "indirect", annots: "indirect", sigField: true, lock: l}
}

// D16: an update that changes, moves, drops or adds the encryption gives the bytes
// before it another meaning; such a file is refused, signed or not, and a repair does
// not choose among several.
func TestD16ChangedEncryptionIsRefused(t *testing.T) {
	_, dict := (&lockSpec{}).make()
	_, other := (&lockSpec{stm: "Identity"}).make()
	const root = "/Size 200 /Root 1 0 R /ID [<0102> <0304>]"
	for name, c := range map[string]struct {
		lock    *lockSpec
		trailer string
		objs    map[int]string
	}{
		"its object replaced":        {&lockSpec{}, root + " /Encrypt 92 0 R", map[int]string{encryptNum: other}},
		"its object written again":   {&lockSpec{}, root + " /Encrypt 92 0 R", map[int]string{encryptNum: dict}},
		"another object":             {&lockSpec{}, root + " /Encrypt 93 0 R", map[int]string{93: other}},
		"in the trailer now":         {&lockSpec{}, root + " /Encrypt " + dict, map[int]string{93: "null"}},
		"another one in the trailer": {&lockSpec{direct: true}, root + " /Encrypt " + other, map[int]string{93: "null"}},
		"dropped":                    {&lockSpec{}, root, map[int]string{93: "null"}},
		"null":                       {&lockSpec{}, root + " /Encrypt null", map[int]string{93: "null"}},
		"added":                      {nil, root + " /Encrypt 92 0 R", map[int]string{encryptNum: dict}},
		"added to the trailer":       {nil, root + " /Encrypt " + dict, map[int]string{93: "null"}},
	} {
		for _, kind := range []string{"table", "stream"} {
			spec := lockedTable(c.lock)
			spec.kind = kind
			signed := sign(t, spec.build(), testOptions())
			bad := appendUpdate(signed, newestOffset(t, signed), c.trailer, c.objs)
			if _, err := Open(bytes.NewReader(bad), int64(len(bad)), Limits{}); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
			refused(t, bad, testOptions(), ErrMalformed)
			broken := append(bytes.Clone(bad[:bytes.LastIndex(bad, []byte("startxref"))]), "startxref\n1\n%%EOF\n"...)
			if _, err := Open(bytes.NewReader(broken), int64(len(broken)), Limits{}); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s, %s, damaged: %v", name, kind, err)
			}
		}
	}
	// An earlier revision that is encrypted otherwise than the whole.
	plain, locked := lockedTable(nil).build(), lockedTable(&lockSpec{direct: true}).build()
	for _, c := range [][2][]byte{{plain, locked}, {locked, plain}, {locked, lockedTable(&lockSpec{direct: true, denied: mayFill}).build()}} {
		d := open(t, c[0])
		d.r = bytes.NewReader(c[1])
		if _, err := d.Before(int64(len(c[1]))); !errors.Is(err, ErrMalformed) {
			t.Errorf("before: %v", err)
		}
	}
}

// ADE-04: content in clear in an encrypted file ("PDFex", direct exfiltration) is a
// hazard; metadata that the file declares to be in clear is none, nor is a file that
// is encrypted as a whole.
func TestADE04PartlyEncryptedIsAHazard(t *testing.T) {
	clear := map[int]string{50: "<< /Subtype /XML /Filter /Crypt /Length 3 >>\nstream\nabc\nendstream"}
	withKey := func(object string) string { // the catalog, with one more key
		c, _ := (&lockSpec{}).make()
		return c.sealBody(1, strings.Replace(lockedTable(nil).objects()[1], "/Type", object+" /Type", 1))
	}
	for name, c := range map[string]struct {
		lock lockSpec
		objs map[int]string
		want bool
	}{
		"whole":                        {lockSpec{}, nil, false},
		"streams in clear":             {lockSpec{stm: "Identity"}, nil, true},
		"strings in clear":             {lockSpec{str: "Identity"}, nil, true},
		"attachments in clear":         {lockSpec{eff: "Identity"}, nil, true},
		"attachments only":             {lockSpec{stm: "Identity", str: "Identity"}, nil, true},
		"a string in clear":            {lockSpec{}, map[int]string{50: "<< /S /URI /URI (http://example.org/) >>"}, true},
		"a string of two clear blocks": {lockSpec{}, map[int]string{50: "[(http://example.org/0123456789ab)]"}, true},
		"an empty string":              {lockSpec{}, map[int]string{50: "[()]"}, false},
		"a stream that opts out":       {lockSpec{}, clear, true},
		"one of several filters":       {lockSpec{}, map[int]string{50: "<< /Filter [/Crypt /ASCIIHexDecode] /DecodeParms [<< /Name /Identity >> null] /Length 2 >>\nstream\n0>\nendstream"}, true},
		"a stream that opts in":        {lockSpec{}, map[int]string{50: "<< /Filter [/Crypt] /DecodeParms [<< /Name /StdCF >>] /Length 32 >>\nstream\n0123456789abcdef0123456789abcdef\nendstream"}, false},
		"a stream of odd length":       {lockSpec{}, map[int]string{50: "<< /Length 5 >>\nstream\n0 0 m\nendstream"}, true},
		"the contents of no signature": {lockSpec{}, map[int]string{50: "<< /Subtype /Text /Contents <41> >>"}, true},
		"metadata":                     {lockSpec{clearMetadata: true}, map[int]string{50: clear[50], 1: withKey("/Metadata 50 0 R")}, false},
		"metadata, not declared":       {lockSpec{}, map[int]string{50: clear[50], 1: withKey("/Metadata 50 0 R")}, true},
		"content as metadata":          {lockSpec{clearMetadata: true}, clear, true},
	} {
		in := lockedTable(&c.lock).build()
		if c.objs != nil {
			in = appendUpdate(in, newestOffset(t, in), "/Size 200 /Root 1 0 R /Encrypt 92 0 R", c.objs)
		}
		s, err := Inspect(bytes.NewReader(in), int64(len(in)), Limits{})
		if err != nil || s.PartlyEncrypted != c.want || s.Incomplete {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		if found := strings.Join(s.Hazards(), " "); strings.Contains(found, "not encrypted") != c.want || strings.Contains(found, "The file is encrypted") {
			t.Errorf("%s: %q", name, found)
		}
	}
	if s, err := Inspect(bytes.NewReader(sign(t, lockedForm(&lockSpec{}).build(), testOptions())), int64(len(sign(t, lockedForm(&lockSpec{}).build(), testOptions()))), Limits{}); err != nil || s.PartlyEncrypted || s.Incomplete {
		t.Errorf("after signing: %+v, %v", s, err)
	}
}

// D16: in an object stream a string means what it says, elsewhere what it decrypts
// to. The same bytes at the other place are a change; the same text under another
// vector is none.
func TestD16ChangesAreSeenThroughTheEncryption(t *testing.T) {
	c, _ := (&lockSpec{}).make()
	hidden := hexString(c.sealData(ref{num: 1}, []byte("evil")))
	spec := lockedForm(&lockSpec{})
	spec.catalog = "/PieceInfo " + string(hidden)
	signed := sign(t, spec.build(), testOptions())
	d := open(t, signed)
	cat, err := d.catalog()
	if err != nil || cat.val.off < 0 {
		t.Fatalf("%+v, %v", cat, err)
	}
	same := strings.Replace(string(cat.val.raw), string(must(t, cat.val, "PieceInfo")), string(hidden), 1)
	const trailer = "/Size 200 /Root 1 0 R /Info 5 0 R /Encrypt 92 0 R"
	moved := appendUpdate(signed, newestOffset(t, signed), trailer, map[int]string{1: same})
	changes, err := open(t, moved).LaterChanges(signatures(t, moved)[0])
	if err != nil || !slices.ContainsFunc(changes, func(c Change) bool { return c.Kind == ChangeCatalog && strings.Contains(c.Text, "PieceInfo") }) {
		t.Errorf("moved: %+v, %v", changes, err)
	}

	signed = sign(t, lockedTable(&lockSpec{}).build(), testOptions())
	body := lockedTable(nil).objects()[6]
	again := appendUpdate(signed, newestOffset(t, signed), trailer, map[int]string{6: c.sealBody(66, body)})
	changes, err = open(t, again).LaterChanges(signatures(t, again)[0])
	if err != nil || len(changes) != 1 || changes[0].Kind != ChangeTail {
		t.Errorf("the same under another vector: %+v, %v", changes, err)
	}
	filled := appendUpdate(signed, newestOffset(t, signed), trailer, map[int]string{6: c.sealBody(6, strings.Replace(body, "/V (x)", "/V (y)", 1))})
	changes, err = open(t, filled).LaterChanges(signatures(t, filled)[0])
	if err != nil || len(changes) != 1 || changes[0].Kind != ChangeFormFill || changes[0].Field != "name" {
		t.Errorf("filled in: %+v, %v", changes, err)
	}
}

func must(t *testing.T, dict value, key string) []byte {
	t.Helper()
	v, err := dict.get(key)
	if err != nil || v.isNull() {
		t.Fatalf("/%s: %v", key, err)
	}
	return v.raw
}

// D6: strings and streams that are not encrypted as the file demands are an error
// where they count, and never read as something else.
func TestD6BadCiphertextIsRefused(t *testing.T) {
	c, _ := (&lockSpec{}).make()
	good := c.sealData(ref{num: 6}, []byte("name"))
	padding := bytes.Clone(good)
	padding[len(padding)-17] ^= 1 // the vector, or the block before: the last byte of plain text changes
	const trailer = "/Size 200 /Root 1 0 R /Encrypt 92 0 R"
	for name, b := range map[string][]byte{"bad padding": padding, "in clear": []byte("name"), "cut": good[:24], "the vector alone": good[:16]} {
		in := lockedTable(&lockSpec{}).build()
		bad := appendUpdate(in, newestOffset(t, in), trailer, map[int]string{6: fmt.Sprintf("<< /FT /Tx /T %s >>", hexString(b))})
		if _, err := open(t, bad).Signatures(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
		refused(t, bad, testOptions(), ErrMalformed)

		signed := sign(t, in, SignOptions{Field: "Approval", Time: testTime, Hash: testOptions().Hash, Reserve: 1024})
		sig := signatures(t, signed)[0]
		claim := fmt.Sprintf("<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /Contents %s /ByteRange [0 1 2 3] /Name %s >>",
			signed[sig.ContentsOffset:sig.ContentsOffset+sig.ContentsLength], hexString(b))
		bad = appendUpdate(signed, newestOffset(t, signed), trailer, map[int]string{sig.Object: claim})
		found := signatures(t, bad)
		if len(found) != 1 || found[0].Name != "" || !slices.ContainsFunc(found[0].Problems, func(p Problem) bool { return p.Kind == ProblemStrings }) {
			t.Errorf("%s: %+v", name, found)
		}
	}
	in := lockedForm(&lockSpec{}).build()
	at := bytes.Index(in, []byte("/ObjStm"))
	end := at + bytes.Index(in[at:], []byte("\nendstream"))
	for name, edit := range map[string]func([]byte) []byte{
		"bad padding": func(b []byte) []byte { b[end-17] ^= 1; return b },
		"cut":         func(b []byte) []byte { return append(b[:end-8], append([]byte("        "), b[end:]...)...) },
	} {
		if _, err := Open(bytes.NewReader(edit(bytes.Clone(in))), int64(len(in)), Limits{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("object stream, %s: %v", name, err)
		}
	}
}

// D11: mutated encrypted files: no panic, each within its time, every error typed, and
// what is prepared begins with its input and is recognised.
func TestD11MutatedEncryptedFiles(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, in := range [][]byte{
		lockedForm(&lockSpec{revision: 5}).build(), lockedTable(&lockSpec{revision: 5, direct: true}).build(), lockedTable(&lockSpec{}).build(),
		sign(t, lockedForm(&lockSpec{revision: 5, clearMetadata: true}).build(), testOptions()),
	} {
		for range 200 {
			b := mutate(r, in)
			testenv.Within(t, "mutated", fileTime, func() {
				exerciseReading(t, "mutated", b)
				out := &memFile{}
				p, err := Prepare(t.Context(), bytes.NewReader(b), int64(len(b)), out, testOptions())
				typedOrNil(t, "mutated", err)
				if err != nil {
					return
				}
				if !bytes.HasPrefix(out.b, b) {
					t.Error("the input is no prefix")
				}
				if _, err := open(t, out.b).Signatures(); err != nil {
					typedOrNil(t, "signed", err)
				}
				_, err = ReadPrepared(out, p.Size)
				typedOrNil(t, "prepared", err)
			})
		}
	}
}

// F28: the hash of revision 6 lets its input choose the number of rounds; it ends by
// 288 of them, whatever a hostile file or password is.
func TestD6PasswordHashIsBounded(t *testing.T) {
	long := strings.Repeat("p", 1<<20)
	if got := spellings(word(long)); len(got) != 1 || len(got[0]) != maxPassword {
		t.Fatalf("a password of %d bytes counts", len(got[0]))
	}
	seen := map[string]bool{}
	for i := range 64 {
		h := passwordHash(6, []byte(long[:maxPassword]), []byte{byte(i), 1, 2, 3, 4, 5, 6, 7}, bytes.Repeat([]byte{byte(i)}, 48))
		if len(h) != 32 || seen[string(h)] {
			t.Fatalf("hash %x", h)
		}
		seen[string(h)] = true
	}
}

// D6, D11: whatever an encryption dictionary says, opening ends with a typed error or
// a file that can be read and, if its permissions allow it, signed.
func FuzzEncrypt(f *testing.F) {
	for _, l := range []lockSpec{{}, {revision: 5}, {stm: "Identity"}, {str: "Identity", clearMetadata: true}, {user: "u"}, {denied: mayFill | mayAnnotate}} {
		_, dict := l.make()
		f.Add([]byte(dict), "u")
	}
	f.Fuzz(func(t *testing.T, dict []byte, password string) {
		defer timed(t)()
		in := lockedForm(&lockSpec{edit: func(string) string { return string(dict) }}).build()
		_, err := InspectWith(bytes.NewReader(in), int64(len(in)), fuzzLimits(), word(password))
		typedOrNil(t, "Inspect", err)
		opt := testOptions()
		opt.Password, opt.Limits = word(password), fuzzLimits()
		out := &memFile{}
		p, err := Prepare(t.Context(), bytes.NewReader(in), int64(len(in)), out, opt)
		typedOrNil(t, "Prepare", err)
		if err != nil {
			return
		}
		if hole, err := ReadPreparedWith(out, p.Size, word(password)); err != nil || hole.ByteRange != p.ByteRange {
			t.Fatalf("%+v, %v", hole, err)
		}
	})
}
