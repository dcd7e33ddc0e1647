package verify

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"io"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/tsp"
)

type judge struct {
	ctx  context.Context
	r    io.ReaderAt
	size int64
	opt  Options
}

// signature judges one entry of the file.
func (j *judge) signature(in *pdf.Signature) Signature {
	s := Signature{
		Field: in.Field, Kind: "signature", SubFilter: in.SubFilter, Verdict: Valid,
		Reason: in.Reason, Location: in.Location,
		Covers: in.CoveredEnd, Whole: in.CoversWholeFile, Revision: in.Revision,
	}
	if !in.M.IsZero() {
		t := in.M.UTC()
		s.Claimed = &t
	}
	for _, p := range in.Problems {
		s.fail("%s", p.Text)
	}
	rng, err := in.Range()
	if err != nil {
		s.fail("%v", err)
		return s
	}
	if in.Type == "DocTimeStamp" || in.SubFilter == pdf.SubFilterRFC3161 {
		s.Kind = "document time-stamp"
		j.documentStamp(&s, in, rng)
		return s
	}
	j.cms(&s, in, rng)
	return s
}

// cms judges a signature in CMS form: EN 319 142-1 for ETSI.CAdES.detached, and
// the older adbe.pkcs7.detached, which need not name its certificate.
func (j *judge) cms(s *Signature, in *pdf.Signature, rng [4]int64) {
	if in.SubFilter != pdf.SubFilterCAdES && in.SubFilter != pdf.SubFilterPKCS7 {
		s.fail("signatures of the kind %q are not known here", in.SubFilter)
		return
	}
	der, err := in.CMS()
	if err != nil {
		s.fail("%v", err)
		return
	}
	sd, err := cms.Parse(der)
	if err != nil {
		s.fail("the signature cannot be read: %v", err)
		return
	}
	si, err := sd.Signer()
	if err != nil {
		s.fail("%v", err)
		return
	}
	s.value = si.Signature
	s.Algorithm = si.Algorithm.String()
	cert, err := j.integrity(sd, si, in.SubFilter, rng)
	if err != nil {
		s.fail("%s", integrityWords(err))
		return
	}
	s.certificate = cert
	s.Signer, s.Issuer = Name(cert), issuerName(cert)
	s.Level = "B-B"
	if in.SubFilter == pdf.SubFilterPKCS7 {
		s.Level = "PKCS#7 (not PAdES)"
	}
	j.stamps(s, si)
	s.others = sd.Certificates()
	j.chain(s, cert, s.others)
}

func (j *judge) integrity(sd *cms.SignedData, si *cms.SignerInfo, subFilter string, rng [4]int64) (*x509.Certificate, error) {
	if si.Digest == 0 {
		// Verify names the algorithm that is not accepted; the digest is not reached.
		_, err := sd.Verify(si, nil, cms.VerifyOptions{})
		return nil, errors.Join(cms.ErrAlgorithm, err)
	}
	digest, err := pdf.HashRange(j.ctx, j.r, rng, si.Digest)
	if err != nil {
		return nil, err
	}
	opts := cms.VerifyOptions{AllowUnsorted: true}
	if subFilter == pdf.SubFilterPKCS7 {
		opts.AllowESSv1, opts.AllowNoESS = true, true
	}
	return sd.Verify(si, digest, opts)
}

func integrityWords(err error) string {
	switch {
	case errors.Is(err, cms.ErrMessageDigest):
		return "the signed bytes were changed after signing (their digest is not the signed one)"
	case errors.Is(err, cms.ErrSignature):
		return "the signature value does not fit the certificate's key"
	}
	return err.Error()
}

// stamps reads the time-stamps over the signature value. The earliest trusted
// one tells when the signature existed at the latest.
func (j *judge) stamps(s *Signature, si *cms.SignerInfo) {
	tokens := si.TimeStampTokens()
	if len(tokens) == 0 {
		return
	}
	if s.Level == "B-B" {
		s.Level = "B-T"
	}
	for _, token := range tokens {
		j.stamp(s, token, func(h crypto.Hash) ([]byte, error) {
			w := h.New()
			w.Write(si.Signature)
			return w.Sum(nil), nil
		})
	}
}

// stamp verifies one token over an imprint that is asked for by digest.
func (j *judge) stamp(s *Signature, token []byte, imprint func(crypto.Hash) ([]byte, error)) {
	var info tsp.Info
	var err error
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		var sum []byte
		if sum, err = imprint(h); err != nil {
			break
		}
		if info, err = tsp.VerifyToken(token, h, sum, j.opt.Anchors, time.Time{}); !errors.Is(err, tsp.ErrImprint) {
			break
		}
	}
	switch {
	case err == nil:
		t := info.Time.UTC()
		s.Stamps = append(s.Stamps, Stamp{Time: t, Authority: Name(info.Certificate), Serial: info.Serial.String(), Chain: names(info.Chain), Trusted: true, chain: info.Chain})
		if s.Proven == nil || t.Before(*s.Proven) {
			s.Proven = &t
		}
	case errors.Is(err, tsp.ErrChain):
		s.doubt("a time-stamp is there, but its authority is not trusted: %v", err)
	default:
		s.fail("a time-stamp is there and is wrong: %v", err)
	}
}

// chain builds the path at the proven time, or now when there is none.
func (j *judge) chain(s *Signature, cert *x509.Certificate, others []*x509.Certificate) {
	at := j.opt.Now
	if s.Proven != nil {
		at = *s.Proven
	}
	path, err := certs.Verify(cert, others, j.opt.Anchors, at, certs.Document)
	switch {
	case err == nil:
		s.Chain = names(path)
	case errors.Is(err, certs.ErrNoAnchors):
		s.doubt("no trusted certificates were given, so nobody vouches for the signer's name (--trust root.pem)")
	case errors.Is(err, certs.ErrUnknownIssuer):
		s.doubt("the certificate of %q does not lead to a trusted one", s.Signer)
	case errors.Is(err, certs.ErrExpired) && s.Proven == nil:
		s.doubt("the certificate has expired and no trusted time-stamp shows that the signature is older: %v", err)
	default:
		s.fail("%v", err)
	}
}

// documentStamp judges a DocTimeStamp (ISO 32000-2, 12.8.5): the token is over
// the bytes of the file.
func (j *judge) documentStamp(s *Signature, in *pdf.Signature, rng [4]int64) {
	s.Level = "document time-stamp"
	token, err := in.CMS()
	if err != nil {
		s.fail("%v", err)
		return
	}
	j.stamp(s, token, func(h crypto.Hash) ([]byte, error) { return pdf.HashRange(j.ctx, j.r, rng, h) })
	if len(s.Stamps) > 0 {
		s.Signer, s.Chain = s.Stamps[0].Authority, s.Stamps[0].Chain
	}
}

// Name is how a person reads a certificate's subject: its common name, or the
// whole name where there is none.
func Name(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	return c.Subject.String()
}

func issuerName(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return c.Issuer.CommonName
	}
	return c.Issuer.String()
}

func names(chain []*x509.Certificate) []string {
	var out []string
	for _, c := range chain {
		out = append(out, Name(c))
	}
	return out
}
