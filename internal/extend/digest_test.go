package extend_test

import (
	"bytes"
	"crypto"
	"errors"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/extend"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// ADE-03: before a digest algorithm ends, the last time-stamp is renewed by one over a stronger digest of everything, the
// signed data too and not only of its digest.
func TestADE03RenewalByAStrongerDigest(t *testing.T) {
	d := newDesk(t)
	file, _, err := d.extend(t, d.signed(t, contract(), 16<<10, 0), extend.LevelLTA)
	must(t, err)
	document, _, err := d.extendXML(t, d.enveloped(t, []byte(invoice), "s1", false), extend.LevelLTA)
	must(t, err)
	d.cfg.Hash = crypto.SHA512
	file, _, err = d.extend(t, file, extend.LevelLTA)
	must(t, err)
	document, _, err = d.extendXML(t, document, extend.LevelLTA)
	must(t, err)

	doc, err := pdf.Open(bytes.NewReader(file), int64(len(file)), pdf.Limits{})
	must(t, err)
	sigs, err := doc.Signatures()
	must(t, err)
	last := sigs[len(sigs)-1]
	token, err := last.CMS()
	must(t, err)
	rng, err := last.Range()
	must(t, err)
	d.over(t, token, func(h crypto.Hash) ([]byte, error) {
		return pdf.HashRange(t.Context(), bytes.NewReader(file), rng, h)
	})

	x, err := xmlsig.Read(bytes.NewReader(document), int64(len(document)), c14n.Limits{})
	must(t, err)
	s := &x.Signatures[0]
	st := s.Properties.Archives[len(s.Properties.Archives)-1]
	d.over(t, st.Token, func(h crypto.Hash) ([]byte, error) {
		return x.ArchiveImprint(bytes.NewReader(document), s, st, h, c14n.Limits{})
	})
}

// over holds a token against what it must be over, by SHA-512.
func (d *desk) over(t *testing.T, token []byte, imprint func(crypto.Hash) ([]byte, error)) {
	t.Helper()
	for h, want := range map[crypto.Hash]error{crypto.SHA512: nil, crypto.SHA256: tsp.ErrImprint} {
		sum, err := imprint(h)
		must(t, err)
		if _, err := tsp.VerifyToken(token, h, sum, d.cfg.Anchors, time.Time{}); !errors.Is(err, want) {
			t.Errorf("%v: %v", h, err)
		}
	}
}
