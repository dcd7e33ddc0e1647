package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/secret"
	"github.com/assent-sign/assent/internal/testenv"
)

// word is a password.
func word(s string) secret.Bytes { return secret.New([]byte(s)) }

// qpdfEncrypt encrypts a file with qpdf: user password, owner password, bits, options.
func qpdfEncrypt(t testing.TB, in []byte, before []string, encrypt ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "e.pdf")
	args := slices.Concat([]string{"--allow-weak-crypto"}, before, []string{"--encrypt"}, encrypt, []string{"--", save(t, in), path})
	if out, err := exec.Command(testenv.Need(t, "qpdf"), args...).CombinedOutput(); err != nil {
		t.Fatalf("qpdf: %v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// qpdfDecrypt decrypts a file with qpdf, which writes it in a readable form.
func qpdfDecrypt(t testing.TB, b []byte, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "d.pdf")
	out, err := exec.Command(testenv.Need(t, "qpdf"), "--password="+password, "--decrypt", "--qdf", "--object-streams=disable", save(t, b), path).CombinedOutput()
	if err != nil {
		t.Fatalf("qpdf: %v: %s", err, out)
	}
	plain, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// lockedForm is a document with a form, text fields and an empty signature field.
func lockedForm(l *lockSpec) docSpec {
	return docSpec{kind: "stream", packed: true, flate: true, form: "direct", fields: "indirect", annots: "indirect", sigField: true, catalog: "/Lang (en\\)x)", lock: l}
}

// D6: files with RC4, AES-128 or somebody's certificate are refused, with the reason,
// before a byte is written.
func TestD6WeakEncryptionIsRefused(t *testing.T) {
	for name, args := range map[string][]string{
		"RC4-40": {"40"}, "RC4-128": {"128", "--use-aes=n"}, "RC4-128 in V4": {"128", "--use-aes=n", "--force-V4"}, "AES-128": {"128", "--use-aes=y"},
	} {
		in := qpdfEncrypt(t, plainPDF(), nil, append([]string{"", "owner"}, args...)...)
		refused(t, in, testOptions(), ErrEncrypted)
		_, err := Open(bytes.NewReader(in), int64(len(in)), Limits{})
		if err == nil || !strings.Contains(err.Error(), "too weak") {
			t.Errorf("%s: %v", name, err)
		}
		sum, err := Inspect(bytes.NewReader(in), int64(len(in)), Limits{})
		if err != nil || !sum.Encrypted || len(sum.Hazards()) == 0 {
			t.Errorf("%s: Inspect: %+v, %v", name, sum, err)
		}
	}
	for name, edit := range map[string][2]string{
		"for certificates":       {"/Filter /Standard", "/Filter /Adobe.PubSec"},
		"AES-128 in a newer one": {"/CFM /AESV3", "/CFM /AESV2"},
		"RC4 in a newer one":     {"/CFM /AESV3", "/CFM /V2"},
		"by the viewer itself":   {"/CFM /AESV3", "/CFM /None"},
		"a later revision":       {"/R 6", "/R 7"},
	} {
		in := lockedForm(&lockSpec{edit: func(s string) string { return strings.Replace(s, edit[0], edit[1], 1) }}).build()
		if _, err := Open(bytes.NewReader(in), int64(len(in)), Limits{}); !errors.Is(err, ErrEncrypted) {
			t.Errorf("%s: %v", name, err)
		}
		refused(t, in, testOptions(), ErrEncrypted)
	}
}

// ADE-04, D6, E7: files that qpdf encrypts with AES-256 and that open without a password
// are signed three times: others read them as before and find what is new, nothing
// new stands in them in clear, and the trailer keeps /Encrypt and /ID.
func TestADE04EncryptedFilesAreSigned(t *testing.T) {
	form := docSpec{kind: "table", form: "direct", annots: "direct", sigField: true, catalog: "/Lang (en\\)x)"}.build()
	for _, before := range [][]string{{"--object-streams=disable"}, {"--object-streams=generate"}, {"--linearize"}, {"--linearize", "--object-streams=generate"}} {
		for _, args := range [][]string{{}, {"--force-R5"}, {"--cleartext-metadata"}} {
			t.Run(strings.Join(append(before, args...), ""), func(t *testing.T) {
				in := qpdfEncrypt(t, form, before, append([]string{"", "owner", "256"}, args...)...)
				opt := testOptions()
				opt.Reason, opt.Field = "Grund (ĩ)", "Approval"
				signed := sign(t, in, opt)
				opt.Field, opt.Name, opt.Reason = "", "plainly readable", ""
				signed = sign(t, sign(t, signed, opt), opt)
				if !bytes.HasPrefix(signed, in) {
					t.Fatal("the input is no prefix")
				}
				qpdfClean(t, signed)
				sigs := signatures(t, signed)
				if len(sigs) != 3 || sigs[0].Reason != "Grund (ĩ)" || sigs[2].Name != opt.Name || !sigs[2].M.Equal(testTime) || !sigs[2].CoversWholeFile || len(sigs[2].Problems) > 0 {
					t.Errorf("own reading: %+v", sigs)
				}
				for _, secret := range []string{opt.Name, "Signature1", "(D:20"} {
					if bytes.Contains(signed[len(in):], []byte(secret)) {
						t.Errorf("%q stands in the file in clear", secret)
					}
				}
				readByOthers(t, in, signed)
				for _, key := range []string{"Encrypt", "ID"} {
					a, err1 := open(t, in).trailer.get(key)
					b, err2 := open(t, signed).trailer.get(key)
					if err1 != nil || err2 != nil || a.isNull() || !bytes.Equal(a.raw, b.raw) {
						t.Errorf("/%s was %q and is %q", key, a.raw, b.raw)
					}
				}
			})
		}
	}
}

// readByOthers compares what other readers make of a file before and after, and
// looks for what was added.
func readByOthers(t *testing.T, in, signed []byte) {
	t.Helper()
	a, b := save(t, in), save(t, signed)
	for _, judge := range [][]string{{testenv.Need(t, "mutool"), "pages"}, {testenv.Need(t, "pdftotext"), "-q"}} {
		if was, is := seenBy(judge, a), seenBy(judge, b); was != is {
			t.Errorf("%s sees before:\n%s\nand after:\n%s", judge[0], was, is)
		}
	}
	plain := qpdfDecrypt(t, signed, "")
	for _, want := range []string{"(D:20", "plainly readable", "/Lang (en\\)x)", "(Signature1)", "(Signature2)", "/DA (/Helv 0 Tf\\))"} {
		if !strings.Contains(plain, want) {
			t.Errorf("qpdf does not read %q in the decrypted file", want)
		}
	}
	cmd := exec.Command(testenv.Need(t, "pdfsig"), "-nocert", b)
	report, _ := cmd.Output() // exits 1: the fake CMS cannot be parsed
	if n := strings.Count(string(report), "Total document signed"); n == 0 || strings.Count(string(report), "Signature #") != 3 {
		t.Errorf("pdfsig: %s", report)
	}
}

// ADE-04, D6: validation data, visible fields with text and picture, document time-stamps and
// certifications in an encrypted file are encrypted as well, and read back.
func TestADE04UpdatesOfEncryptedFiles(t *testing.T) {
	for _, spec := range []docSpec{
		lockedForm(&lockSpec{}), lockedForm(&lockSpec{revision: 5, direct: true}), lockedForm(&lockSpec{str: "Identity"}), lockedForm(&lockSpec{stm: "Identity"}),
		{kind: "table", form: "indirect", lock: &lockSpec{}}, {kind: "hybrid", packed: true, annots: "indirect", lock: &lockSpec{}},
	} {
		in := spec.build()
		d := open(t, in)
		tail, field, err := d.PlanField(FieldOptions{Page: 1, Rect: [4]float64{10, 10, 150, 60}, Lines: []string{"Σωκράτης signs"}, Image: stamp(t, false)})
		if err != nil {
			t.Fatal(err)
		}
		in = append(bytes.Clone(in), tail...)
		opt := testOptions()
		opt.Field, opt.Certify = field, 2
		out := sign(t, in, opt)
		certificate := []byte("a certificate, known by these words")
		all := ValidationData{Certs: [][]byte{certificate}, OCSPs: data("o"), CRLs: data("c")}
		out = withDSS(t, out, all, SignatureData{signatures(t, out)[0].Contents, all})
		seal := testOptions()
		seal.SubFilter, seal.Name, seal.Reason, seal.Location, seal.ContactInfo = SubFilterRFC3161, "", "", "", ""
		out = sign(t, out, seal)
		qpdfClean(t, out)
		if s := storeOf(t, out); text(s.Certs) != string(certificate) || text(s.OCSPs) != "DER of o" || text(s.CRLs) != "DER of c" || len(s.VRI) != 1 {
			t.Errorf("%+v: store %+v", spec.lock, s)
		}
		if hidden := !bytes.Contains(out, certificate); hidden != (spec.lock.stm == "") {
			t.Errorf("%+v: the certificate is encrypted: %t", spec.lock, hidden)
		}
		sigs := signatures(t, out)
		if len(sigs) != 2 || sigs[0].Certification != 2 || sigs[1].Type != "DocTimeStamp" || !sigs[1].CoversWholeFile {
			t.Errorf("%+v: %+v", spec.lock, sigs)
		}
		changes, err := open(t, out).LaterChanges(sigs[0])
		if err != nil || slices.ContainsFunc(changes, func(c Change) bool { return !c.Expected() }) || len(changes) != 2 {
			t.Errorf("%+v: later changes %+v, %v", spec.lock, changes, err)
		}
		if plain := qpdfDecrypt(t, out, ""); !strings.Contains(plain, string(certificate)) || !strings.Contains(plain, "/Registry (Adobe)") {
			t.Errorf("%+v: others do not read the update", spec.lock)
		}
		if spec.lock.stm != "" || spec.lock.str != "" {
			continue // poppler reads no file of which only a part is encrypted
		}
		if words := output(t, "pdftotext", save(t, out), "-"); !strings.Contains(words, "Σωκράτης signs") {
			t.Errorf("%+v: the appearance reads %q", spec.lock, words)
		}
	}
}

// D6: a file that needs a password is read and signed with its user's and its
// owner's, also where they are not ASCII, and with no other; no error tells one.
func TestD6Passwords(t *testing.T) {
	for _, password := range []string{"s3cret", "пароль", "ﬁne", strings.Repeat("long", 60)} {
		in := lockedForm(&lockSpec{user: password, owner: password}).build()
		if password == "ﬁne" { // a writer that normalises
			in = lockedForm(&lockSpec{user: "fine", owner: "ﬁne"}).build()
		}
		for given, want := range map[string]error{password: nil, password + "owner": nil, "": ErrPassword, "another guess": ErrPassword} {
			if len(password) > maxPassword && given == password+"owner" {
				continue // what follows the 127th byte does not count: it is the user's
			}
			opt := testOptions()
			opt.Password = word(given)
			out := &memFile{}
			p, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), out, opt)
			if !errors.Is(err, want) || err == nil && want != nil {
				t.Fatalf("%q: %v", given, err)
			}
			if err != nil {
				if given != "" && strings.Contains(err.Error(), given) {
					t.Errorf("%v: tells the password", err)
				}
				continue
			}
			if _, err := ReadPrepared(out, p.Size); !errors.Is(err, ErrPassword) {
				t.Errorf("read without a password: %v", err)
			}
			if hole, err := ReadPreparedWith(out, p.Size, word(given)); err != nil || hole.ByteRange != p.ByteRange {
				t.Errorf("%q: %+v, %v", given, hole, err)
			}
			s, err := InspectWith(out, p.Size, Limits{}, word(given))
			if err != nil || !s.Encrypted || s.Incomplete || len(s.EmptyFields) != 1 {
				t.Errorf("%q: %+v, %v", given, s, err)
			}
		}
	}
	s, err := Inspect(bytes.NewReader(lockedForm(&lockSpec{user: "u"}).build()), int64(len(lockedForm(&lockSpec{user: "u"}).build())), Limits{})
	if err != nil || !s.Encrypted || len(s.Hazards()) == 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// D6: the files of the corpus with AES-256 open with their passwords and are signed.
func TestD6CorpusWithPasswords(t *testing.T) {
	dir := testenv.Corpora(t, "pdf/pyhanko")
	for _, name := range []string{"minimal-aes256.pdf", "minimal-with-field-aes256.pdf", "minimal-two-fields-aes256.pdf"} {
		in, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, password := range []string{"usersecret", "ownersecret"} {
			opt := testOptions()
			opt.Password, opt.Reason = word(password), "a reason in words"
			out := &memFile{}
			p, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), out, opt)
			if err != nil {
				t.Errorf("%s, %s: %v", name, password, err)
				continue
			}
			if err := Embed(out, p, fakeCMS(300)); err != nil {
				t.Fatal(err)
			}
			if plain := qpdfDecrypt(t, out.b, password); !strings.Contains(plain, opt.Reason) {
				t.Errorf("%s, %s: qpdf does not read the reason", name, password)
			}
		}
	}
}

// ISO 32000-2, table 22: what the permissions forbid is refused with the user's
// password, and not with the owner's.
func TestD6Permissions(t *testing.T) {
	for _, c := range []struct {
		denied        int32
		fill, newOne  bool
		certify, seal bool
	}{
		{0, true, true, true, true},
		{mayModify, true, false, true, false},
		{mayAnnotate, true, false, true, false},
		{mayFill, true, true, true, true},
		{mayAnnotate | mayFill, false, false, false, false},
		{mayModify | mayAnnotate, true, false, true, false},
		{mayModify | mayAnnotate | mayFill, false, false, false, false},
	} {
		in := lockedForm(&lockSpec{denied: c.denied}).build()
		allowed := func(change string, want bool, password string, edit func(*SignOptions)) {
			opt := testOptions()
			opt.Password = word(password)
			edit(&opt)
			out := &memFile{}
			_, err := Prepare(context.Background(), bytes.NewReader(in), int64(len(in)), out, opt)
			if want && err != nil || !want && (!errors.Is(err, ErrPermission) || len(out.b) > 0) {
				t.Errorf("denied %b, %s with password %q: %v", c.denied, change, password, err)
			}
		}
		for _, password := range []string{"", "owner"} {
			owner := password != ""
			allowed("signing the field", c.fill || owner, password, func(o *SignOptions) { o.Field = "Approval" })
			allowed("certifying in the field", c.certify || owner, password, func(o *SignOptions) { o.Field, o.Certify = "Approval", 1 })
			allowed("a new field", c.newOne || owner, password, func(*SignOptions) {})
			allowed("a time-stamp", c.seal || owner, password, func(o *SignOptions) { o.SubFilter = SubFilterRFC3161 })
		}
		_, _, err := open(t, in).PlanField(FieldOptions{Page: 1, Rect: [4]float64{10, 10, 90, 90}, Lines: []string{"x"}})
		if c.newOne && err != nil || !c.newOne && !errors.Is(err, ErrPermission) {
			t.Errorf("denied %b, a visible field: %v", c.denied, err)
		}
	}
}

// D6: an encryption dictionary that is broken or was tampered with is refused.
func TestD6BrokenEncryptionIsRefused(t *testing.T) {
	change := func(old, with string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("no %q in %s", old, s)
			}
			return strings.Replace(s, old, with, 1)
		}
	}
	flip := func(key string, at int) func(string) string {
		return func(s string) string {
			i := strings.Index(s, key+" <") + len(key) + 2 + 2*at
			b := []byte(s)
			b[i] = "0123456789abcdef0"[strings.IndexByte("0123456789abcdef", b[i])+1]
			return string(b)
		}
	}
	for name, c := range map[string]struct {
		edit func(string) string
		want error
	}{
		"/U":                           {flip("/U", 0), ErrPassword},
		"the salt in /U":               {flip("/U", 33), ErrPassword},
		"the salt of the key":          {flip("/U", 41), ErrMalformed},
		"/UE":                          {flip("/UE", 5), ErrMalformed},
		"/Perms":                       {flip("/Perms", 3), ErrMalformed},
		"/P":                           {change("/P -4", "/P -12"), ErrMalformed},
		"/P of too many bits":          {change("/P -4", "/P 99999999999"), ErrMalformed},
		"no /P":                        {change("/P -4", ""), ErrMalformed},
		"/EncryptMetadata":             {change("/Length 256", "/EncryptMetadata false"), ErrMalformed},
		"/EncryptMetadata is a word":   {change("/Length 256", "/EncryptMetadata maybe"), ErrMalformed},
		"a key of 128 bits":            {change("/Length 256", "/Length 128"), ErrMalformed},
		"a filter's key of 16 bytes":   {change("/Length 32", "/Length 16"), ErrMalformed},
		"a short /U":                   {change("/U <", "/U <00> /X <"), ErrMalformed},
		"a long /UE":                   {change("/UE <", "/UE <ab"), ErrMalformed},
		"a reference":                  {change("/P -4", "/P 20 0 R"), ErrMalformed},
		"two of a key":                 {change("/P -4", "/P -4 /P -4"), ErrMalformed},
		"an unknown filter":            {change("/StmF /StdCF", "/StmF /Other"), ErrMalformed},
		"no handler":                   {change("/Filter /Standard", ""), ErrEncrypted},
		"no dictionary":                {func(string) string { return "[]" }, ErrMalformed},
		"/CF is no dictionary":         {change("/CF <<", "/CF [] /X <<"), ErrMalformed},
		"a crypt filter of no method":  {change("/CFM /AESV3", ""), ErrEncrypted},
		"/V is no number":              {change("/V 5", "/V /5"), ErrMalformed},
		"/Perms copied to another key": {change("/Perms <", "/Perms <00112233445566778899aabbccddeeff> /X <"), ErrMalformed},
	} {
		for _, direct := range []bool{true, false} {
			in := lockedForm(&lockSpec{edit: c.edit, direct: direct}).build()
			if _, err := Open(bytes.NewReader(in), int64(len(in)), Limits{}); !errors.Is(err, c.want) {
				t.Errorf("%s, direct %t: %v, want %v", name, direct, err, c.want)
			}
			refused(t, in, testOptions(), c.want)
		}
	}
	in := lockedForm(&lockSpec{edit: change("/P -4", fmt.Sprint("/P ", uint32(0xfffffffc)))}).build()
	open(t, in) // the same bits without a sign
}
