package extend_test

import (
	"bytes"
	"crypto"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap/xades"
)

// ADE-03: of a document with a counter-signature the signature is extended by itself, which keeps the counter-signature;
// both together, or the counter-signature under an archive time-stamp, are refused with what to do.
func TestADE03CounterSignedDocuments(t *testing.T) {
	d := newDesk(t)
	first, _, err := d.extendXML(t, d.enveloped(t, []byte(invoice), "s1", false), extend.LevelT)
	must(t, err)
	h := crypto.SHA256.New()
	must(t, c14n.Canonicalize(bytes.NewReader(first), c14n.Limits{}, c14n.Job{W: h, Method: c14n.Exclusive, Target: c14n.ElementByID("s1-value")}))
	counter := d.element(t, "c1", xades.Object{Element: true, URI: "#s1-value", Hash: crypto.SHA256, Digest: h.Sum(nil), MimeType: "text/xml"}, nil)
	const end = "</xades:UnsignedSignatureProperties>"
	doc := []byte(strings.Replace(string(first), end, `<xades:CounterSignature>`+counter+`</xades:CounterSignature>`+end, 1))
	if rep := d.alone(t, first); rep.Signatures[0].Level != "B-T" {
		t.Fatal(rep.Words())
	}
	if _, _, err := d.extendXML(t, doc, extend.LevelLTA); !errors.Is(err, extend.ErrBreaks) || !strings.Contains(err.Error(), `extend "s1" alone`) {
		t.Errorf("both: %v", err)
	}
	d.cfg.Signatures = []string{"s1"}
	out, res, err := d.extendXML(t, doc, extend.LevelLTA)
	if err != nil || res.Report.Verdict != validate.Valid || !bytes.Contains(out, []byte(counter)) {
		t.Fatalf("the signature: %v", err)
	}
	d.cfg.Signatures = []string{"c1"}
	if _, _, err := d.extendXML(t, out, extend.LevelLTA); !errors.Is(err, extend.ErrBreaks) {
		t.Errorf("under an archive time-stamp: %v", err)
	}
	if out, _, err := d.extendXML(t, doc, extend.LevelT); err != nil || d.alone(t, out).Signatures[0].Verdict == validate.NotValid {
		t.Errorf("the counter-signature: %v", err)
	}
}
