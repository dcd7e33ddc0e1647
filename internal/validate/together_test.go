package validate_test

import (
	"bytes"
	"crypto"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// I9: a document with many signatures side by side is read a few times for all of them, and not once for each. A signature that does not
// hold among them is still the one that is told.
func TestI9ParallelSignaturesAreReadTogether(t *testing.T) {
	k := newKit(t)
	doc := "<invoice xmlns='urn:example:invoice'>" + strings.Repeat("<line no='1'>240 euros</line>\n", 20_000) + "</invoice>"
	times := map[int]float64{}
	for i := 1; i <= 20; i++ {
		doc = string(k.signXML(t, doc, fmt.Sprintf("s%d", i), true, i%3 == 0))
		if i != 2 && i != 20 {
			continue
		}
		rep, n := counted(t, []byte(doc), k.trust())
		if rep.Verdict != validate.Valid || len(rep.Signatures) != i {
			t.Fatalf("%d signatures: %s %q", i, rep.Words(), rep.Signatures[0].Why)
		}
		times[i] = float64(n) / float64(len(doc))
	}
	if times[20] > times[2]+1 {
		t.Errorf("the document was read %.1f times for 20 signatures, %.1f times for 2", times[20], times[2])
	}
	broken := []byte(strings.Replace(doc, `Id="s7-value">`, `Id="s7-value">AAAA`, 1))
	rep, err := validate.File(t.Context(), "x.xml", bytes.NewReader(broken), int64(len(broken)), k.trust())
	must(t, err)
	for i, s := range rep.Signatures {
		if want := map[bool]validate.SubIndication{true: validate.SigCryptoFailure}[i == 6]; s.SubIndication != want {
			t.Errorf("signature %d: %s %q", i+1, s.Words(), s.Why)
		}
	}
	changed := []byte(strings.Replace(doc, "240", "999", 1))
	rep, err = validate.File(t.Context(), "x.xml", bytes.NewReader(changed), int64(len(changed)), k.trust())
	must(t, err)
	for i, s := range rep.Signatures {
		if s.SubIndication != validate.HashFailure {
			t.Errorf("changed, signature %d: %s %q", i+1, s.Words(), s.Why)
		}
	}
}

// I9: so are archive time-stamps: each is over all that comes before it, and what they are over is put together from one reading.
func TestI9ArchiveTimeStampsAreReadTogether(t *testing.T) {
	k := newKit(t)
	token, _, err := k.stamp.Stamp(t.Context(), crypto.SHA256, make([]byte, 32))
	must(t, err)
	doc := crowd(20, 16, token, 1<<20)
	rep, n := counted(t, doc, k.trust())
	if len(rep.Signatures) != 20*9 || rep.Verdict != validate.NotValid {
		t.Fatalf("%d judged, %s", len(rep.Signatures), rep.Words())
	}
	if times := n / int64(len(doc)); times > 16 {
		t.Errorf("the document was read %d times for 20 signatures with 8 archive time-stamps each", times)
	}
}

// What is read for all signatures together is octet for octet what each reads for itself.
func TestADE05ReadTogetherIsReadAlone(t *testing.T) {
	k := newKit(t)
	token, _, err := k.stamp.Stamp(t.Context(), crypto.SHA256, make([]byte, 32))
	must(t, err)
	signed := invoice
	for i := range 3 {
		signed = string(k.signXML(t, signed, fmt.Sprintf("p%d", i), i > 0, true))
	}
	crowded := strings.Replace(string(crowd(3, 8, token, 100)), "<a:ArchiveTimeStamp", "<!-- c --> <a:ArchiveTimeStamp", 3)
	inclusive := strings.Replace(crowded, "http://www.w3.org/2001/10/xml-exc-c14n#", "http://www.w3.org/2006/12/xml-c14n11#WithComments", 20)
	for name, doc := range map[string]string{"signed": signed, "crowd": crowded, "inclusive": inclusive} {
		r := strings.NewReader(doc)
		all, err := xmlsig.Read(r, int64(len(doc)), c14n.Limits{})
		must(t, err)
		compared := 0
		for i := range all.Signatures {
			one, err := xmlsig.Read(r, int64(len(doc)), c14n.Limits{})
			must(t, err)
			a, aErr := all.Check(r, &all.Signatures[i], c14n.Limits{})
			b, bErr := one.Check(r, &one.Signatures[i], c14n.Limits{})
			if fmt.Sprint(aErr) != fmt.Sprint(bErr) || aErr == nil && (!bytes.Equal(a.Info, b.Info) || !reflect.DeepEqual(a.Digests, b.Digests)) {
				t.Errorf("%s, signature %d: %v, %v", name, i+1, aErr, bErr)
			}
			for s, st := range all.Signatures[i].Properties.Archives {
				x, xErr := all.ArchiveImprint(r, &all.Signatures[i], st, crypto.SHA256, c14n.Limits{})
				y, yErr := one.ArchiveImprint(r, &one.Signatures[i], one.Signatures[i].Properties.Archives[s], crypto.SHA256, c14n.Limits{})
				if !bytes.Equal(x, y) || xErr != nil || yErr != nil {
					t.Errorf("%s, signature %d, archive time-stamp %d: %x %v, %x %v", name, i+1, s+1, x, xErr, y, yErr)
				}
				compared++
			}
			for _, st := range all.Signatures[i].Properties.Stamps {
				x, xErr := all.Imprint(r, &all.Signatures[i], st, crypto.SHA256, c14n.Limits{})
				y, yErr := one.Imprint(r, &one.Signatures[i], st, crypto.SHA256, c14n.Limits{})
				if !bytes.Equal(x, y) || xErr != nil || yErr != nil {
					t.Errorf("%s, signature %d: %x %v, %x %v", name, i+1, x, xErr, y, yErr)
				}
				compared++
			}
		}
		if compared < 3 {
			t.Errorf("%s: only %d compared", name, compared)
		}
	}
}
