package extend

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/internal/xmlsig"
)

// maxCarried bounds the certificates of a file that are looked at for its paths.
const maxCarried = 500

// complete adds to the pool what the file carries, and fetches what its paths lack, if the Collector does. What was fetched
// becomes part of the file only as a part of a path that is valid up to an anchor.
func (j *job) complete(level Level) error {
	doc, err := pdf.OpenWith(j.out, j.size, j.cfg.Limits, j.cfg.Password)
	if err != nil {
		return err
	}
	sigs, err := doc.Signatures()
	if err != nil {
		return err
	}
	if level == LevelLTA && len(sigs) >= validate.MaxSignatures {
		return fmt.Errorf("%w: %d signatures and time-stamps are in %s", ErrFull, len(sigs), j.name)
	}
	var own carried
	for i := range sigs {
		if der, err := sigs[i].CMS(); err == nil {
			own.message(der)
		}
	}
	var data carried
	if dss, err := doc.DSS(); err == nil && dss != nil { // what cannot be read the report says
		data.add(dss.Certs...)
	}
	j.unfetched = j.cfg.complete(j.ctx, own, data)
	return j.ctx.Err()
}

// lacks says what could not be fetched.
func (j *job) lacks() string { return lacks(j.unfetched) }

func lacks(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf("; and what a path lacks could not be fetched: %v", err)
}

// complete is the same for an XML document.
func (j *xmlJob) complete() error {
	doc, err := xmlsig.Read(j.in, j.size, c14n.Limits{})
	if err != nil {
		return nil //nolint:nilerr // the judgement that follows says what is wrong
	}
	var own, data carried
	for i := range doc.Signatures {
		s := &doc.Signatures[i]
		own.add(s.Certs...)
		if s.Properties == nil {
			continue
		}
		for _, st := range slices.Concat(s.Properties.Stamps, s.Properties.Archives) {
			own.message(st.Token)
		}
		data.add(s.Properties.Values(-1).Certs...)
	}
	j.unfetched = j.cfg.complete(j.ctx, own, data)
	return j.ctx.Err()
}

// carried are certificates that a file carries.
type carried []*x509.Certificate

func (c *carried) add(list ...[]byte) {
	for _, raw := range list {
		if len(*c) >= maxCarried {
			return
		}
		if cert, err := x509.ParseCertificate(raw); err == nil {
			*c = append(*c, cert)
		}
	}
}

// message adds those of a CMS message and of the time-stamps in it.
func (c *carried) message(der []byte) {
	sd, err := cms.Parse(der)
	if err != nil {
		return
	}
	c.add(sd.RawCertificates...)
	for _, si := range sd.Signers {
		for _, token := range si.TimeStampTokens() {
			if stamp, err := cms.ParseBER(token); err == nil {
				c.add(stamp.RawCertificates...)
			}
		}
	}
}

func (c *Config) complete(ctx context.Context, own, data carried) error {
	c.carried = data
	if c.Collector == nil {
		return nil
	}
	more, err := c.Collector.Candidates(ctx, append(own, certs.Issuers(own, c.pool())...)...)
	c.Pool = append(slices.Clone(c.Pool), more...)
	return err
}

// pool is all that can be part of a path.
func (c *Config) pool() []*x509.Certificate { return slices.Concat(c.Pool, c.carried) }
