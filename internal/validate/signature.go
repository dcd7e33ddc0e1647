package validate

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/paths"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/pkix"
	"github.com/assent-sign/assent/internal/revocation"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/xmlsig"
)

type judge struct {
	ctx  context.Context
	r    io.ReaderAt
	size int64
	opt  Options
	// sealed is the validation data under each document time-stamp, in file order.
	sealed []*material
	// past is validation data that is asked for bad news only: of PDF what a later revision left out, of XML what all signatures carry; nil if there is none.
	past *material
	// inside is what stands open with what signatures carry themselves; nil if they carry nothing.
	inside *material
	// given are Options.Pool.
	given []*pkix.Certificate
	// pool are certificates that the file, or of XML the signature, carries as validation data.
	pool []*pkix.Certificate
	// memory keeps what was verified of the validation data, and bounds it.
	memory *revocation.Memory
	// quiet are questions that need not be asked again.
	quiet  map[quiet]bool
	stored int64 // bytes of validation data read
	unread bool  // there is validation data over a bound, of which nothing was read
}

// signature judges one entry of the file.
func (j *judge) signature(in *pdf.Signature) Signature {
	s := Signature{
		Field: in.Field, Kind: kindSignature, SubFilter: in.SubFilter, Verdict: Valid, Status: passed(),
		Reason: in.Reason, Location: in.Location,
		Covers: in.CoveredEnd, Whole: in.CoversWholeFile, Revision: in.Revision,
	}
	if !in.M.IsZero() {
		t := in.M.UTC()
		s.Claimed = &t
	}
	for _, p := range in.Problems {
		s.fail(subOfProblem(p.Kind), "%s", p.Text)
	}
	rng, err := in.Range()
	if err != nil {
		s.fail(FormatFailure, "%v", err)
		return s
	}
	s.Parts = []Part{
		{Start: rng[0], End: rng[0] + rng[1], Words: "up to the signature's own value"},
		{Start: rng[2], End: rng[2] + rng[3], Words: fmt.Sprintf("from there to the end of revision %d", in.Revision)},
	}
	if in.Type == "DocTimeStamp" || in.SubFilter == pdf.SubFilterRFC3161 {
		s.Kind = kindStamp
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
		s.fail(FormatFailure, "signatures of the kind %q are not known here", in.SubFilter)
		return
	}
	der, err := in.CMS()
	if err != nil {
		s.fail(FormatFailure, "%v", err)
		return
	}
	sd, err := cms.Parse(der)
	if err != nil {
		s.fail(subOfCMS(err), "the signature cannot be read: %v", err)
		return
	}
	si, err := sd.Signer()
	if err != nil {
		s.fail(FormatFailure, "%v", err)
		return
	}
	s.value = si.Signature
	s.Algorithm = si.Algorithm.String()
	cert, err := j.integrity(sd, si, in.SubFilter, rng)
	if err != nil {
		s.fail(subOfCMS(err), "%s", integrityWords(err))
		if s.ended(err) {
			j.stamps(s, si)
		}
		return
	}
	s.certificate, s.others = cert, sd.Certificates()
	if si.Misnamed(cert) {
		s.warn(misnamed)
	}
	s.Signer, s.Issuer = Name(cert), issuerName(cert)
	s.Level = "B-B" // see Signature.named
	j.attributePolicy(s, si)
	s.unjudged(si)
	j.stamps(s, si)
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
	opts := cms.VerifyOptions{AllowUnsorted: true, AllowAnyKey: true, AllowOtherSerial: true}
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
// one tells when the signature existed at the latest; settle takes the level back where there is none.
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

// stamp verifies one token over an imprint that is asked for by the token's digest: computing it can cost reading the whole
// file, for which a token that cannot be read is no reason (I9).
func (j *judge) stamp(s *Signature, token []byte, imprint func(crypto.Hash) ([]byte, error)) {
	if j.ctx.Err() != nil {
		return // File reports it
	}
	var info tsp.Info
	h, err := tsp.ImprintHash(token)
	if err == nil {
		var sum []byte
		if sum, err = imprint(h); err == nil {
			info, err = tsp.VerifyTokenAmong(token, h, sum, tsp.Beside{Issuers: j.issuers, Authorities: func() []*x509.Certificate { return j.stampers(s) }}, j.opt.StampAnchors, time.Time{})
		}
	}
	switch {
	case err != nil && s.Kind == kindSignature && !errors.Is(err, xmlsig.ErrWork):
		s.worthless(token, err)
	case err == nil:
		t := info.Time.UTC()
		s.Stamps = append(s.Stamps, Stamp{Time: t, Authority: Name(info.Certificate), Serial: info.Serial.String(), Chain: names(info.Chain), Trusted: true, chain: info.Chain})
		if s.Proven == nil || t.Before(*s.Proven) {
			s.Proven = &t
		}
	case errors.Is(err, tsp.ErrChain):
		s.doubt(subOfStamp(err), "a time-stamp is there, but its authority is not trusted: %v", err)
	case errors.Is(err, xmlsig.ErrWork):
		s.doubt(SigConstraintsFailure, "a time-stamp is there and was not looked at: %v", err)
	default:
		s.fail(subOfStamp(err), "a time-stamp is there and is wrong: %v", err)
	}
}

// chain builds the path at the proven time, or now when there is none, and says what it
// would be without the proof.
func (j *judge) chain(s *Signature, cert *x509.Certificate, others []*x509.Certificate) {
	at := j.opt.Now
	if s.Proven != nil {
		at = *s.Proven
	}
	between := append(slices.Clone(others), j.issuers(append([]*x509.Certificate{cert}, others...)...)...)
	_, present := j.documentPath(cert, between, j.opt.Now)
	if s.Present = passed(); present != nil {
		s.Present = Status{}
		s.Present.worsen(subOfChain(present))
	}
	path, err := j.documentPath(cert, between, at)
	switch {
	case err == nil:
		s.Chain = names(path)
	case errors.Is(err, certs.ErrNoAnchors):
		s.doubt(NoCertificateChainFound, "no trusted certificates were given, so nobody vouches for the signer's name (--trust root.pem)")
	case errors.Is(err, certs.ErrUnknownIssuer):
		j.leadsNowhere(s, cert, between, at)
	case errors.Is(err, certs.ErrExpired) && s.after.After(cert.NotAfter):
		s.fail(Expired, "%v, and the signature is proven to have been made after %s", err, stampTime(s.after))
	case errors.Is(err, certs.ErrExpired) && s.Proven == nil:
		s.doubt(OutOfBoundsNoPOE, "the certificate has expired and no trusted time-stamp shows that the signature is older: %v", err)
	case errors.Is(err, certs.ErrNotYetValid) && at.Before(cert.NotBefore): // and so it was whenever it was made
		s.fail(NotYetValid, "%v", err)
	default:
		if s.fail(subOfChain(err), "%v", err); s.ended(err) {
			s.aged(at)
		}
	}
}

func (j *judge) documentPath(cert *x509.Certificate, between []*x509.Certificate, at time.Time) ([]*x509.Certificate, error) {
	return paths.Verify(j.ctx, cert, between, j.opt.Anchors, at, certs.Document)
}

// demand doubts a signature about whose certificates the policy wants to know more than
// the file tells.
func (j *judge) demand(s *Signature) {
	defer s.closed()
	j.late(s)
	if s.Kind == kindSignature && slices.Index(levels, s.Level) < slices.Index(levels, j.opt.Level) {
		s.doubt(SigConstraintsFailure, "the signature is at %q, and %s is wanted", s.Level, j.opt.Level)
	}
	if j.opt.Revocation == RevocationRequired && !s.settled {
		s.doubt(TryLater, "the file carries nothing usable that tells whether a certificate was revoked")
	}
}

// closed: without proof of its time a signature is no better than with it.
func (s *Signature) closed() {
	if s.Present.Indication == TotalPassed || s.Indication == TotalFailed {
		s.Present = s.Status
	}
}

// documentStamp judges a DocTimeStamp (ISO 32000-2, 12.8.5): the token is over
// the bytes of the file.
func (j *judge) documentStamp(s *Signature, in *pdf.Signature, rng [4]int64) {
	s.Level = "document time-stamp"
	token, err := in.CMS()
	if err != nil {
		s.fail(FormatFailure, "%v", err)
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
