package validate_test

import (
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
)

// renewedTimes signs a file and renews it so many times, each time with news of its own time.
func renewedTimes(t *testing.T, times int) ([]byte, validate.Options) {
	t.Helper()
	tr, key := newTree(t), newKey(t)
	anna := tr.issue(t, person("Anna"), tr.root, key.Public(), tr.key)
	stampKey := newKey(t)
	stamps := person("TSA")
	stamps.KeyUsage, stamps.ExtraExtensions = x509.KeyUsageDigitalSignature, criticalStamping()
	tsa := tr.issue(t, stamps, tr.root, stampKey.Public(), tr.key)
	r := &tsp.Responder{Signer: stampKey, Alg: algo.ES256, Chain: [][]byte{tsa.Raw}, Policy: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Clock: time.Now}
	must(t, r.Check())
	k := &kit{stamp: &tsp.InProcess{Authority: r, Anchors: []*x509.Certificate{tr.root}, Clock: time.Now}}
	file := signAs(t, contract(), key, anna)
	old := lists(t, tr.root, tr.key, 60)
	for i := range times {
		if i < len(old) {
			file = (&authority{}).add(t, file, pdf.ValidationData{CRLs: [][]byte{old[i]}})
		}
		file = k.stamped(t, file, fmt.Sprintf("Stamp%d", i))
	}
	return file, tr.trust()
}

// ADE-03, I9: a file that was renewed many times, each time with news of its own time, is judged within what is spent on one: what
// a revision says of an authority is asked once for each time at which it was current, and not again for each time-stamp of that authority.
func TestADE03FilesRenewedForDecades(t *testing.T) {
	file, trust := renewedTimes(t, 75)
	if rep := look(t, file, trust); rep.Verdict != validate.Valid {
		t.Errorf("%s %q %q", rep.Words(), rep.Notes, rep.Signatures[0].Why)
	}
}

// I9: each signature is compared with what came after it, and does not have all of that read for it again.
func TestI9RenewedFilesAreReadAFewTimes(t *testing.T) {
	file, trust := renewedTimes(t, 20)
	rep, n := counted(t, file, trust)
	if rep.Verdict != validate.Valid {
		t.Errorf("%s %q", rep.Words(), rep.Notes)
	}
	if times := n / int64(len(file)); times > 80 {
		t.Errorf("the file was read %d times for 21 signatures and time-stamps", times)
	}
}
