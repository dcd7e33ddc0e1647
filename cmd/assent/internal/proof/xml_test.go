package proof_test

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/device"
	"github.com/assent-sign/assent/sap/xades"
)

const invoice = "<invoice xmlns='urn:example:invoice'><!-- c --><line>240 euros</line></invoice>"

// parted is a document of parts.
const parted = "<order xmlns='urn:example:order'><line Id='l'>240 euros</line><line Id='m'>2 sheds</line><note>none</note></order>"

// severalFiles is the form detached over invoice.xml, b.txt and c.txt.
const severalFiles = "several"

// newXMLAct plays an approval of an XML document and its signature, without any service.
func newXMLAct(t testing.TB, form string) *act {
	t.Helper()
	a := &act{sam: newKey(t)}
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	must(t, err)
	key := newKey(t)
	chain, err := ca.IssueKey(key, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "Anna"})
	must(t, err)
	dev, err := device.New(&a.sam.PublicKey, origin, rpID)
	must(t, err)
	var shown strings.Builder
	var objects *sap.XAdESObjects
	var sizes []int64
	switch form {
	case severalFiles:
		form = sap.XAdESDetached
		objects = &sap.XAdESObjects{More: []sap.XAdESObject{{Name: "b.txt", MIME: "text/plain"}, {Name: "c.txt", MIME: "text/plain"}}}
		shown.WriteString(invoice + "second" + "third")
		sizes = []int64{int64(len(invoice)), 6, 5}
	case sap.XAdESDetached, sap.XAdESContained:
		shown.WriteString(invoice)
	case sap.XAdESBeside:
		objects = &sap.XAdESObjects{Part: "l", More: []sap.XAdESObject{{Name: "m", MIME: "text/xml"}}}
		for _, id := range []string{"l", "m"} {
			must(t, c14n.Canonicalize(strings.NewReader(parted), c14n.Limits{}, c14n.Job{W: &shown, Method: c14n.Exclusive, Target: c14n.ElementByID(id)}))
			sizes = append(sizes, int64(shown.Len()))
		}
		sizes[1] -= sizes[0]
	case sap.XAdESEnveloping:
		must(t, c14n.Canonicalize(strings.NewReader(xades.ObjectTag("sig")+invoice+"</ds:Object>"), c14n.Limits{}, c14n.Job{W: &shown, Method: c14n.Exclusive}))
	default:
		must(t, c14n.Canonicalize(strings.NewReader(invoice), c14n.Limits{}, c14n.Job{W: &shown, Method: c14n.Exclusive, Unsigned: form == sap.XAdESParallel}))
	}
	x := sap.XAdES{ID: "sig", Form: form, Time: 1_800_000_000, MIME: "text/xml", Roles: []string{"Buyer"}, Commitments: []string{}, Objects: objects}
	sadText, proofText, err := dev.Approve(t.Context(), device.Offer{
		Request: a.request(t, dev, chain[0]), Chain: chain, Ctx: sap.Context{Operation: "op1", Asker: "Garden Owners", Purpose: "invoice", Level: "B-B"},
		Items: []device.OfferItem{{Kind: sap.KindXAdES, Name: "invoice.xml", Document: strings.NewReader(shown.String()), Size: int64(shown.Len()), XAdES: &x, Sizes: sizes}},
	})
	must(t, err)
	a.sad, err = sap.DecodeSAD(sadText)
	must(t, err)
	dtbsr, err := sap.UnB64(a.sad.Items[0].DTBSR)
	must(t, err)
	sig, err := key.Sign(rand.Reader, dtbsr, crypto.SHA256)
	must(t, err)
	p, err := sap.XAdESParameters(a.sad.Items[0], chain[0], algo.ES256)
	must(t, err)
	before, after, err := xades.Around(p, sig, chain)
	must(t, err)
	switch form {
	case sap.XAdESDetached:
		a.file = memFile(append(before, after...))
	case sap.XAdESBeside:
		a.file = memFile(strings.Replace(parted, "</order>", string(before)+string(after)+"</order>", 1))
	case sap.XAdESContained:
		a.file = memFile(string(before) + base64.StdEncoding.EncodeToString([]byte(invoice)) + string(after))
	case sap.XAdESEnveloping:
		a.file = memFile(string(before) + invoice + string(after))
	default:
		a.file = memFile(strings.Replace(invoice, "</invoice>", string(before)+string(after)+"</invoice>", 1))
	}
	a.receipt = a.sign(t, sap.Receipt{
		Type: sap.TypeReceipt, Audience: a.sad.Bind.Audience, Instance: "sam1", Time: time.Now().UnixMilli(),
		SAD: sap.B64(sadText), Proof: sap.B64(proofText), Authenticator: sap.B64(spki(t, dev)), Certificate: sap.B64(chain[0]),
		Origin: origin, RPID: rpID, Assurance: sap.AssuranceDevelopment, AuditSeq: 7, AuditHash: sap.B64(make([]byte, 32)),
		Items: []sap.ReceiptItem{{I: 0, DTBSR: a.sad.Items[0].DTBSR, Signature: sap.B64(sig), Shown: true}},
	})
	return a
}

// AUD-11: a receipt of an XML signature holds for its file, whose canonical octets are computed anew: three
// equal fingerprints; and for no file in which something else was approved than stands there.
func TestAUD11XMLReceiptHoldsForItsFile(t *testing.T) {
	for _, form := range []string{sap.XAdESEnveloped, sap.XAdESParallel} {
		a := newXMLAct(t, form)
		res, err := a.verify(t, a.receipt, a.file, &a.sam.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		if res.InFile == "" || res.InFile != res.Approved || res.InFile != res.Signed || !res.Shown || !res.Whole || res.Field != "sig" || res.Name != "invoice.xml" || res.DTBSR == "" {
			t.Errorf("%s: %+v", form, res)
		}
		for name, c := range map[string]struct {
			old, by string
			want    error
		}{
			"data":          {"240", "999", proof.ErrChanged},
			"role":          {"Buyer", "Owner", proof.ErrChanged},
			"value":         {`-value">`, `-value">AAAA`, proof.ErrFile},
			"no signature":  {"ds:Signature ", "ds:Signatur ", proof.ErrFile},
			"identifiers":   {"<line>", `<line Id="sig-props">`, proof.ErrFile},
			"document type": {"<invoice ", "<!DOCTYPE invoice><invoice ", proof.ErrFile},
		} {
			changed := strings.Replace(string(a.file), c.old, c.by, 1)
			if changed == string(a.file) {
				t.Fatal(name)
			}
			if _, err := a.verify(t, a.receipt, []byte(changed), &a.sam.PublicKey); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v", form, name, err)
			}
		}
		if _, err := a.verify(t, newXMLAct(t, form).receipt, a.file, &a.sam.PublicKey); err == nil {
			t.Errorf("%s: the receipt of another approval holds", form)
		}
	}
}

// AUD-11: a receipt of a detached signature holds for the file that was signed, byte for byte, and for no other; of the
// signature's own file it says which file it is about.
func TestAUD11DetachedReceiptHoldsForTheSignedFile(t *testing.T) {
	a := newXMLAct(t, sap.XAdESDetached)
	res, err := a.verify(t, a.receipt, []byte(invoice), &a.sam.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if res.InFile == "" || res.InFile != res.Approved || res.InFile != res.Signed || !res.Shown || !res.Whole || res.Field != "sig" || res.Name != "invoice.xml" || res.DTBSR == "" {
		t.Errorf("%+v", res)
	}
	if _, err := a.verify(t, a.receipt, []byte(invoice+"\n"), &a.sam.PublicKey); !errors.Is(err, proof.ErrFile) {
		t.Errorf("another file: %v", err)
	}
	if _, err := a.verify(t, a.receipt, a.file, &a.sam.PublicKey); !errors.Is(err, proof.ErrFile) || !strings.Contains(err.Error(), "the file that was signed") {
		t.Errorf("the signature itself: %v", err)
	}
}

// AUD-11: a receipt of an enveloping signature holds for its file, and for the file that stands inside in base64; not if
// the data was changed, or another Object is named; and what is put around it is not called the whole file.
func TestAUD11EnvelopingReceiptHoldsForItsFile(t *testing.T) {
	for _, form := range []string{sap.XAdESEnveloping, sap.XAdESContained} {
		a := newXMLAct(t, form)
		res, err := a.verify(t, a.receipt, a.file, &a.sam.PublicKey)
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		if res.InFile == "" || res.InFile != res.Approved || res.InFile != res.Signed || !res.Shown || !res.Whole || res.Field != "sig" || res.DTBSR == "" {
			t.Errorf("%s: %+v", form, res)
		}
		if _, err := a.verify(t, a.receipt, []byte(invoice), &a.sam.PublicKey); (err == nil) != (form == sap.XAdESContained) {
			t.Errorf("%s, the data alone: %v", form, err)
		}
		start := strings.Index(string(a.file), `<ds:Object Encoding="`)
		if form == sap.XAdESEnveloping {
			start = strings.Index(string(a.file), `<ds:Object Id="`)
		}
		at := start + strings.Index(string(a.file)[start:], ">") + 1
		for name, changed := range map[string]string{
			"data":         string(a.file[:at]) + "AAAA" + string(a.file[at:]),
			"a second one": string(a.file[:start]) + `<ds:Object Id="sig-object">AAAA</ds:Object>` + string(a.file[start:]),
			"no Object":    strings.Replace(string(a.file), `"sig-object"`, `"sig-objekt"`, 1),
		} {
			if _, err := a.verify(t, a.receipt, []byte(changed), &a.sam.PublicKey); err == nil || changed == string(a.file) {
				t.Errorf("%s, %s: the receipt holds", form, name)
			}
		}
		if res, err := a.verify(t, a.receipt, []byte("<a>"+string(a.file)+"</a>"), &a.sam.PublicKey); err != nil || res.Whole {
			t.Errorf("%s: wrapped: %v, %+v", form, err, res)
		}
		// A style sheet draws something else than was approved.
		sheet := `<?xml-stylesheet type="text/xsl" href="evil.xsl"?>`
		if res, err := a.verify(t, a.receipt, append([]byte(sheet), a.file...), &a.sam.PublicKey); err != nil || res.Whole {
			t.Errorf("%s: with a style sheet: %v, %+v", form, err, res)
		}
	}
}

// AUD-11: a receipt over elements of a document holds while these are what was approved, wherever they stand, and says that it is not
// about the whole file; not if one was changed, is another one, or is there twice.
func TestAUD11InternallyDetachedReceiptHoldsForItsElements(t *testing.T) {
	a := newXMLAct(t, sap.XAdESBeside)
	res, err := a.verify(t, a.receipt, a.file, &a.sam.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if res.InFile == "" || res.InFile != res.Approved || res.InFile != res.Signed || !res.Shown || res.Whole || res.Field != "sig" || res.DTBSR == "" {
		t.Errorf("%+v", res)
	}
	for name, c := range map[string]struct {
		old, by string
		holds   bool
	}{
		"what was not signed": {"none", "much", true},
		"the first element":   {"240", "999", false},
		"the second element":  {"2 sheds", "3 sheds", false},
		"an identifier":       {"Id='m'", "Id='n'", false},
		"two of one":          {"<note>", "<note Id='m'>", false},
		"swapped":             {`URI="#l"`, `URI="#m"`, false},
	} {
		changed := strings.Replace(string(a.file), c.old, c.by, 1)
		if changed == string(a.file) {
			t.Fatal(name)
		}
		if _, err := a.verify(t, a.receipt, []byte(changed), &a.sam.PublicKey); (err == nil) != c.holds {
			t.Errorf("%s: %v", name, err)
		}
	}
}
