package pades_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// ADE-04: what may show something else than the signer saw, or does something by
// itself, is refused under the policy for qualified signatures, by name; where the
// operator says so under every policy, or under none.
func TestADE04HazardsAreRefusedUnderTheQualifiedPolicy(t *testing.T) {
	pki := workertest.NewPKI(t)
	_, _, chain := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	try := func(hygiene, policy string, doc []byte) error {
		c := workers.Config{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: chain, Properties: map[string]string{}}
		if hygiene != "" {
			c.Properties["hygiene"] = hygiene
		}
		e, err := newSet(t, pki, c).Get("pdf")
		if err != nil {
			t.Fatal(err)
		}
		in := workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "a.pdf", Policy: policy}
		_, err = workers.SignNow(context.Background(), e, in, workertest.File(t, "out.pdf"))
		return err
	}
	for name, catalog := range map[string]string{
		"scripts":           `/Names << /JavaScript << /Names [(a) << /S /JavaScript /JS (app.alert\(1\)) >>] >> >>`,
		"scripts.":          "/OpenAction << /S /Java#53cript /J#53 (x) >>",
		"actions that open": "/OpenAction << /S /Launch /F (calc.exe) >>",
		"attached files":    "/Names << /EmbeddedFiles << /Names [(b) << /Type /Filespec /F (b) >>] >> >>",
		"layers":            "/OCProperties << /OCGs [] /D << >> >>",
		"XFA":               "/AcroForm << /Fields [] /XFA (x) >>",
		"sound, film or 3D": "/AA << /WC << /S /Rendition /R << /Type /Rendition >> >> >>",
		"outside of itself": "/X << /FFilter /ASCIIHexDecode >>",
		"in different ways": "/X << /Y 1 /Y 2 >>",
	} {
		doc := pdfWith(catalog)
		for _, c := range []struct {
			hygiene, policy string
			refused         bool
		}{
			{"", sap.PolicyQualified, true}, {"", "standard", false}, {"", "", false},
			{"qualified", sap.PolicyQualified, true}, {"always", "standard", true}, {"never", sap.PolicyQualified, false},
		} {
			err := try(c.hygiene, c.policy, doc)
			switch {
			case !c.refused && err != nil:
				t.Errorf("%s, hygiene %q, policy %q: %v", name, c.hygiene, c.policy, err)
			case c.refused && (!errors.Is(err, workers.ErrHazard) || !errors.Is(err, workers.ErrInput) || !strings.Contains(err.Error(), name)):
				t.Errorf("%s, hygiene %q, policy %q: %v", name, c.hygiene, c.policy, err)
			}
		}
	}
	if err := try("always", sap.PolicyQualified, minimalPDF()); err != nil {
		t.Errorf("a plain document: %v", err)
	}
}
