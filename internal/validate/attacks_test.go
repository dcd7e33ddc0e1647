package validate_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// writer writes a PDF by hand.
type writer struct {
	buf  bytes.Buffer
	offs map[int]int
}

func (w *writer) obj(n int, body string) {
	if w.offs == nil {
		w.offs = map[int]int{}
	}
	w.offs[n] = w.buf.Len()
	fmt.Fprintf(&w.buf, "%d 0 obj\n%s\nendobj\n", n, body)
}

// finish writes the table of the objects 1 to n.
func (w *writer) finish(n int, trailer string) []byte {
	at := w.buf.Len()
	fmt.Fprintf(&w.buf, "xref\n0 %d\n0000000000 65535 f \n", n+1)
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&w.buf, "%010d 00000 n \n", w.offs[i])
	}
	fmt.Fprintf(&w.buf, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", n+1, trailer, at)
	return w.buf.Bytes()
}

func stream(dict, s string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(s), s)
}

// formDoc has a text field with a look of its own, and a picture that its page inherits.
func formDoc() []byte {
	w := &writer{}
	w.buf.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	w.obj(1, "<< /Type /Catalog /Pages 2 0 R /AcroForm 6 0 R >>")
	w.obj(2, "<< /Type /Pages /Kids [3 0 R] /Count 1 /Resources << /XObject << /X 9 0 R >> /Font << /F1 5 0 R >> >> /MediaBox [0 0 300 200] >>")
	w.obj(3, "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Annots [7 0 R] >>")
	w.obj(4, stream("", "BT /F1 14 Tf 20 150 Td (The buyer pays, in euros:) Tj ET /X Do"))
	w.obj(5, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
	w.obj(6, "<< /Fields [7 0 R] >>")
	w.obj(7, "<< /Type /Annot /Subtype /Widget /FT /Tx /T (amount) /V (240) /Rect [20 100 200 130] /F 4 /P 3 0 R /AP << /N 8 0 R >> >>")
	w.obj(8, stream("/Type /XObject /Subtype /Form /BBox [0 0 180 30] /Resources << /Font << /F1 5 0 R >> >>", "BT /F1 14 Tf 2 8 Td (240) Tj ET"))
	w.obj(9, stream("/Type /XObject /Subtype /Form /BBox [0 0 300 200] /Resources << /Font << /F1 5 0 R >> >>", "BT /F1 14 Tf 20 50 Td (Due in 2027) Tj ET"))
	return w.finish(9, "")
}

// update appends changed and new objects.
func update(file []byte, size int, objs map[int]string) []byte {
	prev := file[bytes.LastIndex(file, []byte("startxref\n"))+10:]
	prev = prev[:bytes.IndexByte(prev, '\n')]
	out := bytes.Clone(file)
	xref := ""
	for n, b := range objs {
		xref += fmt.Sprintf("%d 1\n%010d 00000 n \n", n, len(out))
		out = append(out, fmt.Sprintf("%d 0 obj\n%s\nendobj\n", n, b)...)
	}
	at := len(out)
	return append(out, fmt.Sprintf("xref\n%strailer\n<< /Size %d /Root 1 0 R /Prev %s >>\nstartxref\n%d\n%%%%EOF\n", xref, size, prev, at)...)
}

// stamped adds a document time-stamp, into a field if it is named.
func (k *kit) stamped(t *testing.T, file []byte, field string) []byte {
	t.Helper()
	d, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	must(t, err)
	tail, pp, err := d.PlanSignature(pdf.SignOptions{SubFilter: pdf.SubFilterRFC3161, Field: field, Hash: crypto.SHA256, Reserve: 16 << 10, Time: time.Now()})
	must(t, err)
	out := append(bytes.Clone(file), tail...)
	digest, err := pdf.HashRange(t.Context(), bytes.NewReader(out), pp.ByteRange, crypto.SHA256)
	must(t, err)
	token, _, err := k.stamp.Stamp(t.Context(), crypto.SHA256, digest)
	must(t, err)
	f := fileOf(out)
	must(t, pdf.Embed(f, pp, token))
	return *f
}

// current is the newest text of an object.
func current(file []byte, n int) string {
	i := bytes.LastIndex(file, fmt.Appendf(nil, "\n%d 0 obj\n", n))
	s := file[i+1:]
	s = s[bytes.IndexByte(s, '\n')+1:]
	return string(s[:bytes.Index(s, []byte("\nendobj"))])
}

// certify signs with a certification.
func (k *kit) certify(t testing.TB, in []byte, level int) []byte {
	var out bytes.Buffer
	p, err := pdf.Prepare(t.Context(), bytes.NewReader(in), int64(len(in)), &out, pdf.SignOptions{
		Time: time.Now(), Hash: crypto.SHA256, Reserve: 16 << 10, Certify: level})
	must(t, err)
	attrs, err := sap.PAdESSignedAttributes(p.Digest, k.chain[0])
	must(t, err)
	sum := sha256.Sum256(attrs)
	sig, err := k.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	must(t, err)
	msg, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: algo.ES256, Signature: sig, Chain: k.chain})
	must(t, err)
	f := fileOf(out.Bytes())
	must(t, pdf.Embed(f, p, msg))
	return *f
}

const page300 = "/Type /XObject /Subtype /Form /BBox [0 0 300 200] /Resources << /Font << /F1 5 0 R >> >>"

// D16: a change of what was there does not hide behind a later signature, a
// document time-stamp, validation data or an extension, whoever trusts its maker.
func TestD16ChangesBehindLaterSignatures(t *testing.T) {
	k := newKit(t)
	amount := stream("/Type /XObject /Subtype /Form /BBox [0 0 180 30] /Resources << /Font << /F1 5 0 R >> >>", "BT /F1 14 Tf 2 8 Td (999 000) Tj ET")
	due := stream(page300, "BT /F1 14 Tf 20 50 Td (NEVER DUE) Tj ET")
	signed := k.sign(t, formDoc(), true)
	form, root := current(signed, 6), current(signed, 1)
	other := strings.Replace(root, "/Pages 2 0 R", "/Pages 50 0 R", 1)
	inherits := "<< /Type /Pages /Kids [3 0 R] /Count 1 /Resources << /XObject << /X 51 0 R >> /Font << /F1 5 0 R >> >> /MediaBox [0 0 300 200] >>"
	comment := strings.Replace(string(formDoc()), "/Fields [7 0 R]", "/Fields []     ", 1)
	comment = strings.Replace(comment, "/Subtype /Widget /FT /Tx /T (amount) /V (240)", "/Subtype /Stamp  /Contents (240)             ", 1)
	commented := k.sign(t, []byte(comment), true)
	for name, file := range map[string][]byte{
		"the look of a field, taken by the stamp's field": k.stamped(t, update(signed, 60, map[int]string{6: strings.Replace(form, "[", "[40 0 R ", 1), 8: amount,
			40: "<< /Type /Annot /Subtype /Widget /FT /Sig /T (TS) /P 3 0 R /Rect [0 0 0 0] /F 132 /PMD 8 0 R >>"}), "TS"),
		"a comment, taken by the stamp's field": k.stamped(t, update(commented, 60, map[int]string{6: strings.Replace(current(commented, 6), "[", "[40 0 R ", 1),
			7: strings.Replace(current(commented, 7), "/AP << /N 8 0 R >>", "/AP << /N 41 0 R >>", 1), 41: amount, 40: "<< /FT /Sig /T (TS) /Kids [7 0 R] >>"}), "TS"),
		"what pages inherit, as validation data": update(signed, 60, map[int]string{1: other[:strings.LastIndex(other, ">>")] + " /DSS << /X 50 0 R >> >>", 50: inherits, 51: due}),
		"what pages inherit, as an extension":    update(signed, 60, map[int]string{1: other[:strings.LastIndex(other, ">>")] + " /Extensions << /X 50 0 R >> >>", 50: inherits, 51: due}),
		"the root of the pages, as validation data": update(signed, 60, map[int]string{1: root[:strings.LastIndex(root, ">>")] + " /DSS << /X 2 0 R >> >>",
			2: strings.Replace(inherits, "[3 0 R]", "[3 0 R] ", 1), 51: due}),
	} {
		t.Run(name, func(t *testing.T) {
			if rep := k.look(t, file, k.trust()); rep.Verdict == validate.Valid {
				t.Errorf("valid; later: %v", rep.Signatures[0].Later)
			}
		})
	}
	if rep := k.look(t, k.stamped(t, signed, ""), k.trust()); rep.Verdict != validate.Valid {
		t.Errorf("an honest time-stamp: %s %v", rep.Verdict, rep.Signatures[0].Why)
	}
}

// ISO 32000-1, table 254: what a certification forbids makes it not valid, even
// where somebody signed it later.
func TestCertificationsAreHeldTo(t *testing.T) {
	k := newKit(t)
	for permission := 1; permission <= 3; permission++ {
		signed := k.certify(t, formDoc(), permission)
		annots := strings.Replace(current(signed, 3), "[", "[40 0 R ", 1)
		changed := update(signed, 60, map[int]string{3: annots, 40: "<< /Type /Annot /Subtype /Text /Rect [10 10 30 30] /Contents (not agreed) >>"})
		s := k.look(t, k.stamped(t, changed, ""), k.trust()).Signatures[0]
		if said := strings.Contains(strings.Join(s.Why, " "), "certifies the document"); said != (permission < 3) {
			t.Errorf("a comment under permission %d: %s %v", permission, s.Verdict, s.Why)
		}
		if s := k.look(t, k.stamped(t, signed, ""), k.trust()).Signatures[0]; s.Verdict == validate.NotValid {
			t.Errorf("a time-stamp under permission %d: %v", permission, s.Why)
		}
	}
}

// secondStamper is another time-stamp authority below the same root.
func secondStamper(t *testing.T, a *authority, ahead time.Duration) (*kit, [][]byte) {
	t.Helper()
	key, chain, _ := a.Key(t, "tsa2", algo.P256, certs.TSAProfile)
	root, err := certs.LoadPEM(a.Root)
	must(t, err)
	r := &tsp.Responder{Signer: key, Alg: algo.ES256, Chain: chain, Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Clock: func() time.Time { return time.Now().Add(ahead) }}
	must(t, r.Check())
	return &kit{stamp: &tsp.InProcess{Authority: r, Anchors: root, Clock: r.Clock}}, chain
}

// stale makes answers of before a revocation that comes before the signature.
func (a *authority) stale(t *testing.T) (mine, his []byte) {
	t.Helper()
	a.Skew = -20 * time.Minute
	mine, _ = a.fetch(t, a.signer)
	his, _ = a.fetch(t, a.stamps)
	a.Revoke(t, a.signer[0], time.Now().Add(-10*time.Minute))
	a.Skew = 0
	return mine, his
}

// ADE-03: an answer of before the signature does not say that the certificate was
// good when it was used, and a revocation that the file carries anywhere counts,
// also where older good news stands under a document time-stamp.
func TestADE03OldAnswersProveLittle(t *testing.T) {
	a := newAuthority(t)
	mine, his := a.stale(t)
	file := a.store(t, a.sign(t, "B-T"), mine, his)
	if s := a.report(t, file).Signatures[0]; !strings.Contains(s.Revocation, "before the signature") {
		t.Errorf("%s %q", s.Level, s.Revocation)
	}
	k, _ := secondStamper(t, a, 0)
	now, _ := a.fetch(t, a.signer)
	for name, f := range map[string][]byte{"open": a.store(t, file, now), "sealed": a.store(t, k.stamped(t, file, ""), now)} {
		if s := a.report(t, f).Signatures[0]; s.Verdict != validate.NotValid || !strings.Contains(s.Revocation, "revoked on") {
			t.Errorf("%s: %s %s %q", name, s.Verdict, s.Level, s.Revocation)
		}
	}
}

// ADE-03: a document time-stamp of a revoked authority raises nothing and is not
// valid; one of before the signature does not cover it.
func TestADE03DocumentTimeStampsAreJudged(t *testing.T) {
	a := newAuthority(t)
	k, chain := secondStamper(t, a, 0)
	a.Revoke(t, chain[0], time.Now().Add(-50*time.Minute))
	his, _ := a.fetch(t, chain)
	rep := a.report(t, k.stamped(t, a.store(t, a.sign(t, "B-LT"), his), ""))
	if seal := rep.Signatures[1]; seal.Verdict != validate.NotValid || rep.Signatures[0].Level != "B-LT" {
		t.Errorf("%s %q; the signature is %s", seal.Verdict, seal.Revocation, rep.Signatures[0].Level)
	}
	a = newAuthority(t)
	k, _ = secondStamper(t, a, 20*time.Second)
	mine, _ := a.fetch(t, a.signer)
	his, _ = a.fetch(t, a.stamps)
	doc := k.stamped(t, a.store(t, contract(), mine, his), "")
	e, err := a.set.Get("pdf")
	must(t, err)
	out := workertest.File(t, "out.pdf")
	_, err = workers.SignNow(t.Context(), e, workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf", Level: "B-T"}, out)
	must(t, err)
	info, err := out.Stat()
	must(t, err)
	got := make([]byte, info.Size())
	_, err = out.ReadAt(got, 0)
	must(t, err)
	for _, s := range a.report(t, got).Signatures {
		if s.Kind == "signature" && s.Level == "B-LTA" {
			t.Errorf("a time-stamp of before the signature makes it %s", s.Level)
		}
	}
}

// RFC 3161, section 4: with a stolen key any time can be claimed, so an authority
// that was revoked for that proves no time, whatever its token says.
func TestADE03StolenStamper(t *testing.T) {
	a := newAuthority(t)
	file := a.sign(t, "B-T")
	a.Revoke(t, a.stamps[0], time.Now().Add(2*time.Second))
	mine, _ := a.fetch(t, a.signer)
	his, _ := a.fetch(t, a.stamps)
	if s := a.report(t, a.store(t, file, mine, his)).Signatures[0]; s.Proven != nil || s.Level != "B-B" || len(s.Warnings) == 0 {
		t.Errorf("%s %s %v %q", s.Verdict, s.Level, s.Why, s.Warnings)
	}
}

// ADE-05: a document that readers of PDF open as another one is refused: what
// they show stands in a comment, which nobody signed.
func TestADE05TwoFacedDocuments(t *testing.T) {
	k := newKit(t)
	good := string(k.signXML(t, invoice, "s1", false, true))
	file := []byte("<?xml version=\"1.0\"?>\n<!--\n%PDF-1.4\n-->" + strings.TrimPrefix(good, "<?xml version=\"1.0\"?>"))
	if _, err := validate.File(t.Context(), "two.xml", bytes.NewReader(file), int64(len(file)), validate.Options{}); !errors.Is(err, validate.ErrTwoFaced) {
		t.Errorf("%v", err)
	}
}

// ADE-05: a signature over a part says nothing of the rest.
func TestADE05PartOfADocument(t *testing.T) {
	k := newKit(t)
	part := `<part Id="p">I agree.</part>`
	d := sha256.Sum256([]byte(part))
	info := `<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"></ds:SignatureMethod><ds:Reference URI="#p"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>` + base64.StdEncoding.EncodeToString(d[:]) + `</ds:DigestValue></ds:Reference></ds:SignedInfo>`
	sum := sha256.Sum256([]byte(info))
	der, err := k.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	must(t, err)
	var rs struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(der, &rs)
	must(t, err)
	val := append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
	x := ""
	for _, c := range k.chain {
		x += "<ds:X509Certificate>" + base64.StdEncoding.EncodeToString(c) + "</ds:X509Certificate>"
	}
	sig := `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + info + `<ds:SignatureValue>` + base64.StdEncoding.EncodeToString(val) + `</ds:SignatureValue><ds:KeyInfo><ds:X509Data>` + x + `</ds:X509Data></ds:KeyInfo></ds:Signature>`
	doc := `<contract><pay>999000</pay>` + part + sig + `</contract>`
	rep := k.look(t, []byte(doc), k.trust())
	if rep.Verdict != validate.Indeterminate {
		t.Errorf("%s %q %v", rep.Verdict, rep.Signatures[0].Scope, rep.Signatures[0].Why)
	}
}
