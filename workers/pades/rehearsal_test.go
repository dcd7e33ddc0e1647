package pades

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/workertest"
)

// The rehearsal of a document is refused, on a worker whose keys are proven
// already, whenever the container of this very document would not validate.
func TestRehearsalRefusesWhatWouldNotValidate(t *testing.T) {
	pki := workertest.NewPKI(t)
	_, annas, _ := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	_, others, _ := pki.Key(t, "other", algo.P256, certs.SignerProfile)
	parsed, err := cms.ParseChain(annas)
	if err != nil {
		t.Fatal(err)
	}
	doc := sum(algo.ES256.Hash(), []byte("doc"))
	attrs, err := sap.PAdESSignedAttributes(doc, annas[0])
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{rehearse: workers.NewRehearser(workers.NewThrowAways(rand.Reader)), now: time.Now}
	good := func() *workers.Prepared {
		return &workers.Prepared{Level: LevelB, Alg: algo.ES256, DocDigest: doc, DTBSR: sum(algo.ES256.Hash(), attrs), Chain: annas}
	}
	if err := w.rehearsal(good(), parsed, 8<<10); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(p *workers.Prepared) int{
		"reserve too small":        func(*workers.Prepared) int { return 500 },
		"no room for a time-stamp": func(p *workers.Prepared) int { p.Level = LevelT; return 8 << 10 },
		"another certificate":      func(p *workers.Prepared) int { p.Chain = others; return 8 << 10 },
		"another digest to sign":   func(p *workers.Prepared) int { p.DTBSR = doc; return 8 << 10 },
		"digest of another length": func(p *workers.Prepared) int { p.DocDigest = doc[:31]; return 8 << 10 },
		"algorithm of another key": func(p *workers.Prepared) int { p.Alg = algo.ES384; return 8 << 10 },
		"issuer is no certificate": func(p *workers.Prepared) int { p.Chain = [][]byte{annas[0], []byte("x")}; return 8 << 10 },
	} {
		p := good()
		if err := w.rehearsal(p, parsed, spoil(p)); !errors.Is(err, workers.ErrRehearsal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
