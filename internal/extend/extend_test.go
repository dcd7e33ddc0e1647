package extend_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/revocation"
	"github.com/assent-sign/assent/internal/secret"
	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers/workertest"
)

// desk has an authority, a signer whose software is not ours, and what extends.
type desk struct {
	a      *workertest.Authority
	key    *ecdsa.PrivateKey
	chain  [][]byte
	file   string // of the chain
	stamps [][]byte
	cfg    extend.Config
	opt    pdf.SignOptions // of signed
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{a: workertest.NewAuthority(t)}
	var err error
	d.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	d.chain, d.file = d.a.Certify(t, "anna", d.key.Public(), certs.SignerProfile)
	roots, err := certs.LoadPEM(d.a.Root)
	must(t, err)
	guard := revocation.Guard{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	fetcher := &revocation.Fetcher{Guard: guard, Nonce: revocation.NonceIfAnswered}
	collect, err := longterm.New(longterm.Config{Anchors: [][]byte{roots[0].Raw}, Now: time.Now, Fetcher: fetcher, Fresh: fetcher, Past: true})
	must(t, err)
	d.cfg = extend.Config{Anchors: roots, Collector: collect}
	d.authority(t, "tsa")
	return d
}

// authority changes to a new time-stamp authority.
func (d *desk) authority(t *testing.T, name string) {
	t.Helper()
	d.late(t, name, 0)
}

// late changes to one whose clock is late.
func (d *desk) late(t *testing.T, name string, by time.Duration) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	d.stamps, _ = d.a.Certify(t, name, key.Public(), certs.TSAProfile)
	r := &tsp.Responder{Signer: key, Alg: algo.ES256, Chain: d.stamps, Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1},
		Clock: func() time.Time { return time.Now().Add(-by) }}
	must(t, r.Check())
	d.cfg.Stamper = &tsp.InProcess{Authority: r, Anchors: d.cfg.Anchors, Clock: r.Clock}
}

// signed has room bytes for the message besides what it needs.
func (d *desk) signed(t *testing.T, in []byte, room, certify int) []byte {
	t.Helper()
	opt := d.opt
	opt.Time, opt.Hash, opt.Certify = time.Now(), crypto.SHA256, certify
	attrs, err := sap.PAdESSignedAttributes(make([]byte, 32), d.chain[0])
	must(t, err)
	size, err := cms.MaxSize(cms.Input{SignedAttrs: attrs, Alg: algo.ES256, Chain: d.chain}, 0)
	must(t, err)
	opt.Reserve = size + room
	var out bytes.Buffer
	p, err := pdf.Prepare(t.Context(), bytes.NewReader(in), int64(len(in)), &out, opt)
	must(t, err)
	attrs, err = sap.PAdESSignedAttributes(p.Digest, d.chain[0])
	must(t, err)
	sum := sha256.Sum256(attrs)
	sig, err := d.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	must(t, err)
	der, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: algo.ES256, Signature: sig, Chain: d.chain})
	must(t, err)
	f := memory(out.Bytes())
	must(t, pdf.Embed(&f, p, der))
	return f
}

// foreign is signed by OpenSSL: its own attributes and order, a signing time too.
func (d *desk) foreign(t *testing.T, in []byte) []byte {
	t.Helper()
	return d.openssl(t, in, pdf.SubFilterCAdES, "-cades")
}

// openssl signs by OpenSSL, with options of its own.
func (d *desk) openssl(t *testing.T, in []byte, subFilter string, options ...string) []byte {
	t.Helper()
	tool := testenv.Need(t, "openssl")
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(d.key)
	must(t, err)
	key, data, message := filepath.Join(dir, "key.pem"), filepath.Join(dir, "data"), filepath.Join(dir, "cms.der")
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	issuer := filepath.Join(dir, "issuer.pem")
	must(t, os.WriteFile(issuer, certs.EncodePEM(d.chain[1:]...), 0o600))
	var out bytes.Buffer
	p, err := pdf.Prepare(t.Context(), bytes.NewReader(in), int64(len(in)), &out, pdf.SignOptions{SubFilter: subFilter, Time: time.Now(), Hash: crypto.SHA256, Reserve: 32 << 10})
	must(t, err)
	b := out.Bytes()
	must(t, os.WriteFile(data, append(bytes.Clone(b[:p.ByteRange[1]]), b[p.ByteRange[2]:]...), 0o600))
	cmd := exec.CommandContext(t.Context(), tool, slices.Concat([]string{"cms", "-sign"}, options, []string{"-binary", "-md", "sha256", "-in", data, "-signer", d.file, "-certfile", issuer, "-inkey", key, "-outform", "DER", "-out", message})...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	der, err = os.ReadFile(message)
	must(t, err)
	f := memory(b)
	must(t, pdf.Embed(&f, p, der))
	return f
}

// memory is a file in memory.
type memory []byte

func (m *memory) ReadAt(b []byte, off int64) (int, error) { return bytes.NewReader(*m).ReadAt(b, off) }

func (m *memory) WriteAt(b []byte, off int64) (int, error) {
	if need := int(off) + len(b); need > len(*m) {
		*m = append(*m, make([]byte, need-len(*m))...)
	}
	return copy((*m)[off:], b), nil
}

func (d *desk) extend(t *testing.T, in []byte, level extend.Level) ([]byte, *extend.Result, error) {
	t.Helper()
	var out memory
	res, err := extend.PDF(t.Context(), "a.pdf", bytes.NewReader(in), int64(len(in)), &out, level, d.cfg)
	if err == nil && res.Size != int64(len(out)) {
		t.Errorf("%d bytes, the result says %d", len(out), res.Size)
	}
	return out, res, err
}

// stamped puts a document time-stamp on a file as anybody can.
func (d *desk) stamped(t *testing.T, in []byte) []byte {
	t.Helper()
	doc, err := pdf.Open(bytes.NewReader(in), int64(len(in)), pdf.Limits{})
	must(t, err)
	tail, p, err := doc.PlanSignature(pdf.SignOptions{SubFilter: pdf.SubFilterRFC3161, Hash: crypto.SHA256, Reserve: 16 << 10, Time: time.Now()})
	must(t, err)
	f := memory(append(bytes.Clone(in), tail...))
	digest, err := pdf.HashRange(t.Context(), &f, p.ByteRange, crypto.SHA256)
	must(t, err)
	token, _, err := d.cfg.Stamper.Stamp(t.Context(), crypto.SHA256, digest)
	must(t, err)
	must(t, pdf.Embed(&f, p, token))
	return f
}

func contract() []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var offs []int
	for i, o := range []string{"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>", "<< /Length 3 >>\nstream\n0 w\nendstream"} {
		offs = append(offs, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 5\n0000000000 65535 f \n")
	for _, o := range offs {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", at)
	return b.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// unchanged compares all that was there, but for room within /Contents.
func unchanged(t *testing.T, was, now []byte, stamped bool) {
	t.Helper()
	if stamped {
		i := bytes.Index(was, []byte("/Contents <"))
		n := bytes.IndexByte(was[i:], '>')
		now = bytes.Clone(now)
		copy(now[i:i+n], was[i:i+n])
	}
	if !bytes.HasPrefix(now, was) {
		t.Error("bytes of the file changed")
	}
}

// judges are those of others who read PDF here.
func judges(t *testing.T, file []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.pdf")
	must(t, os.WriteFile(path, file, 0o600))
	for _, c := range [][]string{{"qpdf", "--check", path}, {"pdfsig", "-nocert", path}} {
		out, err := exec.CommandContext(t.Context(), testenv.Need(t, c[0]), c[1:]...).CombinedOutput()
		if err != nil || strings.Contains(string(out), "invalid") || c[0] == "pdfsig" && !strings.Contains(string(out), "Signature is Valid") {
			t.Errorf("%s: %v\n%s", c[0], err, out)
		}
	}
}

// ADE-03: signatures of ours and of others are raised to each level, in one step or in
// several; what was signed stays as it is, whatever a certification permits.
func TestADE03SignaturesAreExtended(t *testing.T) {
	for name, c := range map[string]struct {
		make   func(t *testing.T, d *desk) []byte
		levels []extend.Level
	}{
		"to T":                 {func(t *testing.T, d *desk) []byte { return d.signed(t, contract(), 16<<10, 0) }, []extend.Level{extend.LevelT}},
		"to LT":                {func(t *testing.T, d *desk) []byte { return d.signed(t, contract(), 16<<10, 0) }, []extend.Level{extend.LevelLT}},
		"to LTA":               {func(t *testing.T, d *desk) []byte { return d.signed(t, contract(), 16<<10, 0) }, []extend.Level{extend.LevelLTA}},
		"one after the other":  {func(t *testing.T, d *desk) []byte { return d.signed(t, contract(), 16<<10, 0) }, []extend.Level{extend.LevelT, extend.LevelLT, extend.LevelLTA}},
		"of OpenSSL":           {func(t *testing.T, d *desk) []byte { return d.foreign(t, contract()) }, []extend.Level{extend.LevelT, extend.LevelLTA}},
		"nothing is permitted": {func(t *testing.T, d *desk) []byte { return d.signed(t, contract(), 16<<10, 1) }, []extend.Level{extend.LevelLTA}},
		"no room":              {func(t *testing.T, d *desk) []byte { return d.signed(t, contract(), 0, 0) }, []extend.Level{extend.LevelLTA}},
		"encrypted": {func(t *testing.T, d *desk) []byte {
			return d.signed(t, testenv.EncryptPDF(t, contract(), "", "owner"), 16<<10, 0)
		}, []extend.Level{extend.LevelT, extend.LevelLT, extend.LevelLTA}},
		"encrypted, no room": {func(t *testing.T, d *desk) []byte {
			return d.signed(t, testenv.EncryptPDF(t, contract(), "", "owner", "--cleartext-metadata"), 0, 0)
		}, []extend.Level{extend.LevelLTA}},
		"two signatures, no room": {func(t *testing.T, d *desk) []byte { return d.signed(t, d.signed(t, contract(), 0, 0), 0, 0) }, []extend.Level{extend.LevelLTA}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			file := c.make(t, d)
			for _, level := range c.levels {
				out, res, err := d.extend(t, file, level)
				must(t, err)
				unchanged(t, file, out, strings.Contains(strings.Join(res.Added, " "), "time-stamp over the signature in"))
				judges(t, out)
				for _, s := range res.Report.Signatures {
					if s.Indication != validate.TotalPassed || !s.IsTimeStamp() && s.Level != string(level) {
						t.Errorf("%s: %s %s %v", level, s.Words(), s.Level, s.Why)
					}
				}
				file = out
			}
		})
	}
}

// ADE-03, D6: a file that needs a password is extended with it, its user's or its owner's, and
// not without.
func TestADE03ExtensionWithAPassword(t *testing.T) {
	d := newDesk(t)
	in := testenv.EncryptPDF(t, contract(), "user", "owner")
	word := func(s string) secret.Bytes { return secret.New([]byte(s)) }
	d.opt.Password = word("owner")
	file := d.signed(t, in, 16<<10, 0)
	for _, password := range []string{"", "guess"} {
		d.cfg.Password = word(password)
		if _, _, err := d.extend(t, file, extend.LevelLTA); !errors.Is(err, pdf.ErrPassword) {
			t.Errorf("%q: %v", password, err)
		}
	}
	for _, password := range []string{"user", "owner"} {
		d.cfg.Password = word(password)
		out, res, err := d.extend(t, file, extend.LevelLTA)
		must(t, err)
		unchanged(t, file, out, true)
		if s := res.Report.Signatures; len(s) != 2 || s[0].Level != "B-LTA" || res.Report.Verdict != validate.Valid {
			t.Errorf("%q: %+v", password, res.Report)
		}
	}
}

// ADE-03: a document time-stamp is renewed by one of another authority, with what is
// known of the first; as often as wanted, and all keep their verdict.
func TestADE03Renewal(t *testing.T) {
	d := newDesk(t)
	file, _, err := d.extend(t, d.signed(t, contract(), 16<<10, 0), extend.LevelLTA)
	must(t, err)
	for n := range 3 {
		d.authority(t, fmt.Sprintf("tsa%d", n))
		out, res, err := d.extend(t, file, extend.LevelLTA)
		must(t, err)
		unchanged(t, file, out, false)
		if len(res.Report.Signatures) != n+3 {
			t.Errorf("%d signatures", len(res.Report.Signatures))
		}
		for _, s := range res.Report.Signatures {
			if s.Indication != validate.TotalPassed || !s.Settled() {
				t.Errorf("renewal %d: %s %q %v", n+1, s.Words(), s.Revocation, s.Why)
			}
		}
		file = out
	}
	judges(t, file)
}

// ADE-03: what is not valid, has no place, or cannot be had is refused and said.
func TestADE03ExtensionRefuses(t *testing.T) {
	d := newDesk(t)
	good, tight := d.signed(t, contract(), 16<<10, 0), d.signed(t, contract(), 0, 0)
	twice := d.signed(t, good, 16<<10, 0)
	lt, _, err := d.extend(t, good, extend.LevelLT)
	must(t, err)
	older := d.signed(t, contract(), 16<<10, 0)
	older = bytes.Replace(older, []byte("ETSI.CAdES.detached"), []byte("adbe.pkcs7.detached"), 1)
	for name, c := range map[string]struct {
		file  []byte
		level extend.Level
		want  error
	}{
		"not signed":              {contract(), extend.LevelLTA, extend.ErrNotValid},
		"only a time-stamp":       {d.stamped(t, contract()), extend.LevelLTA, extend.ErrNotValid},
		"changed":                 {bytes.Replace(good, []byte("[0 0 200 200]"), []byte("[0 0 200 300]"), 1), extend.LevelLTA, extend.ErrNotValid},
		"changed afterwards":      {append(bytes.Clone(good), "% more\n"...), extend.LevelLTA, extend.ErrNotValid},
		"another kind":            {older, extend.LevelLTA, extend.ErrNotValid},
		"no room":                 {tight, extend.LevelT, extend.ErrNoRoom},
		"no room, LT":             {tight, extend.LevelLT, extend.ErrNoRoom},
		"covered":                 {twice, extend.LevelT, extend.ErrCovered},
		"has the level":           {lt, extend.LevelLT, extend.ErrNothing},
		"has a higher one":        {lt, extend.LevelT, extend.ErrNothing},
		"no level":                {good, "B-B", extend.ErrLevel},
		"damaged cross-reference": {bytes.Replace(good, []byte("startxref\n"), []byte("startxref\n9"), 1), extend.LevelLTA, extend.ErrNotValid},
	} {
		if _, _, err := d.extend(t, c.file, c.level); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	other := newDesk(t)
	other.cfg.Stamper = d.cfg.Stamper
	if _, _, err := other.extend(t, good, extend.LevelLTA); !errors.Is(err, extend.ErrNotValid) {
		t.Errorf("another anchor: %v", err)
	}
	d.a.Silent = true
	if _, _, err := d.extend(t, good, extend.LevelLT); !errors.Is(err, longterm.ErrStatus) {
		t.Errorf("no answers: %v", err)
	}
	d.a.Silent = false
	d.a.Revoke(t, d.chain[0], time.Now().Add(-time.Minute))
	if _, _, err := d.extend(t, good, extend.LevelLT); !errors.Is(err, revocation.ErrRevoked) {
		t.Errorf("revoked: %v", err)
	}
}
