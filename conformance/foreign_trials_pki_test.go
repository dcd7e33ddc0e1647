//go:build foreign

package conformance_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/assent-sign/assent/internal/pdf"
)

func until(at time.Time) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotAfter = at }
}

// certificates: the signer's, and those above it.
func (r *trials) certificates() {
	r.both("good", false, made{})
	lapsed := r.issue(r.ca, "Lapsed", until(r.yesterday))
	r.one("expired now", false, made{by: lapsed, at: r.days})
	r.one("expired now, stamped before", false, made{by: lapsed, at: r.days, stamps: &stampOf{at: r.days}})
	r.one("expired before the stamp", false, made{by: lapsed, stamps: &stampOf{at: r.hour}})
	r.one("not yet valid", false, made{by: r.issue(r.ca, "Early", func(c *x509.Certificate) { c.NotBefore = r.now.Add(time.Hour) })})
	r.one("not yet valid at the stamp", false, made{by: r.issue(r.ca, "Early", func(c *x509.Certificate) { c.NotBefore = r.yesterday }), stamps: &stampOf{at: r.days}})
	r.one("key usage of encipherment", false, made{by: r.issue(r.ca, "Cipher", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })})
	r.one("key usage of digitalSignature", false, made{by: r.issue(r.ca, "Digital", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })})
	r.one("no key usage", false, made{by: r.issue(r.ca, "Any", func(c *x509.Certificate) { c.KeyUsage = 0 })})
	r.one("issued by a person", false, made{by: r.issue(r.anna, "Bob", nil)})
	noSign := r.issue(r.root, "CA without keyCertSign", func(c *x509.Certificate) { authority(c); c.KeyUsage = x509.KeyUsageDigitalSignature })
	r.one("issued without keyCertSign", false, made{by: r.issue(noSign, "Carl", nil)})
	short := r.issue(r.root, "CA of path length 0", func(c *x509.Certificate) { authority(c); c.MaxPathLenZero = true })
	r.one("path length kept", false, made{by: r.issue(short, "Dora", nil)})
	r.one("path length exceeded", false, made{by: r.issue(r.issue(short, "Lower CA", authority), "Dora", nil)})
	dead := r.issue(r.root, "Expired CA", func(c *x509.Certificate) { authority(c); c.NotAfter = r.yesterday })
	r.one("expired authority", false, made{by: r.issue(dead, "Emil", nil)})
	r.one("expired authority, stamped before", false, made{by: r.issue(dead, "Emil", nil), at: r.days, stamps: &stampOf{at: r.days}})
	r.one("unknown critical extension", false, made{by: r.issue(r.ca, "Fritz", func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 3, 6, 1, 4, 1, 99999, 7}, Critical: true, Value: []byte{5, 0}}}
	})})
	r.one("of another root", false, made{by: r.issue(r.issue(nil, "Other root", authority), "Gina", nil)})
	r.one("without its issuer", false, made{certs: [][]byte{r.anna.cert.Raw}})
	r.one("certificates in another order", false, made{certs: [][]byte{r.root.cert.Raw, r.ca.cert.Raw, r.anna.cert.Raw}})
	r.one("certificates twice", false, made{certs: [][]byte{r.anna.cert.Raw, r.ca.cert.Raw, r.anna.cert.Raw, r.ca.cert.Raw}})
	r.limits()
	r.keys()
}

// nameLimits is the extension of an authority that may issue for one organisation only, or for all but that.
func nameLimits(m *mill, permitted bool, critical bool, organisation string) pkix.Extension {
	tag := 1
	if permitted {
		tag = 0
	}
	name := m.der(pkix.Name{Organization: []string{organisation}}.ToRDNSequence())
	return pkix.Extension{Id: []int{2, 5, 29, 30}, Critical: critical, Value: m.der(tagged(0, 16, m.der(tagged(2, tag, m.der(tagged(0, 16, m.der(tagged(2, 4, name))))))))}
}

func (r *trials) limits() {
	of := func(name string, org string, e ...pkix.Extension) made {
		ca := r.issue(r.root, "CA: "+name, func(c *x509.Certificate) { authority(c); c.ExtraExtensions = e })
		return made{by: r.issue(ca, "Hugo", func(c *x509.Certificate) {
			c.Subject = pkix.Name{Organization: []string{org}, CommonName: "Hugo"}
		})}
	}
	for _, critical := range []bool{true, false} {
		word := map[bool]string{true: "critical", false: "not critical"}[critical]
		r.one("permitted name, "+word, false, of("permitted "+word, "Mill", nameLimits(r.mill, true, critical, "Mill")))
		r.one("name not permitted, "+word, false, of("not permitted "+word, "Mint", nameLimits(r.mill, true, critical, "Mill")))
		r.one("excluded name, "+word, false, of("excluded "+word, "Mill", nameLimits(r.mill, false, critical, "Mill")))
	}
	r.one("permitted name in another case", false, of("case", "MILL", nameLimits(r.mill, true, true, "Mill")))
	explicit := pkix.Extension{Id: []int{2, 5, 29, 36}, Critical: true, Value: []byte{0x30, 3, 0x80, 1, 0}}
	r.one("explicit policy wanted, none", false, of("explicit", "Mill", explicit))
	upper := r.issue(r.root, "Explicit CA", func(c *x509.Certificate) {
		authority(c)
		c.ExtraExtensions = []pkix.Extension{explicit}
		c.PolicyIdentifiers = []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 99999, 5}}
		c.Policies = []x509.OID{must(x509.OIDFromInts([]uint64{1, 3, 6, 1, 4, 1, 99999, 5}))}
	})
	r.one("explicit policy wanted, there", false, made{by: r.issue(upper, "Ida", func(c *x509.Certificate) {
		c.Policies = []x509.OID{must(x509.OIDFromInts([]uint64{1, 3, 6, 1, 4, 1, 99999, 5}))}
	})})
	r.one("explicit policy wanted, another", false, made{by: r.issue(upper, "Ida", func(c *x509.Certificate) {
		c.Policies = []x509.OID{must(x509.OIDFromInts([]uint64{1, 3, 6, 1, 4, 1, 99999, 6}))}
	})})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// keys and digests, by the dates of ETSI TS 119 312.
func (r *trials) keys() {
	weak := func(bits int, edit func(*x509.Certificate)) *party {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		r.must(err)
		return r.certify(r.ca, "Rosa", key, edit)
	}
	r.both("RSA of 2048 bits", false, made{by: weak(2048, nil)})
	r.both("RSA of 1536 bits", false, made{by: weak(1536, nil)})
	r.both("RSA of 1024 bits", false, made{by: weak(1024, nil)})
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	r.must(err)
	r.both("curve of 224 bits", false, made{by: r.certify(r.ca, "Short", key, nil)})
	r.both("SHA-1", false, made{hash: crypto.SHA1})
	r.both("MD5", false, made{by: weak(2048, nil), hash: crypto.MD5})
	r.both("certificate signed with SHA-1", false, made{by: r.issue(r.ca, "Old", func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })})
	r.both("SHA-1, stamped", false, made{hash: crypto.SHA1, at: r.days, stamps: &stampOf{at: r.days}})
}

// kept is good validation data.
func (r *trials) kept(of *party, crls, ocsps [][]byte) *pdf.ValidationData {
	return &pdf.ValidationData{Certs: append(of.raws(), r.stamps.cert.Raw), CRLs: crls, OCSPs: ocsps}
}

// revocations: what the file carries about them.
func (r *trials) revocations() {
	soon := r.now.Add(-30 * time.Minute)
	root := r.crl(r.root, soon)
	stamp := &stampOf{at: r.hour}
	with := func(name string, by *party, crls, ocsps [][]byte) {
		r.one(name, true, made{by: by, store: r.kept(by, append(crls, root), ocsps)})
		r.one(name+", stamped", true, made{by: by, stamps: stamp, store: r.kept(by, append(crls, root), ocsps)})
	}
	list := func(at time.Time, e ...x509.RevocationListEntry) [][]byte { return [][]byte{r.crl(r.ca, at, e...)} }
	with("CRL, good", r.anna, list(soon), nil)
	with("no revocation data", r.anna, nil, nil)
	for reason, word := range map[int]string{0: "unspecified", 1: "keyCompromise", 5: "cessation", 6: "hold"} {
		with("revoked before, "+word, r.anna, list(soon, entry(r.anna, r.days, reason)), nil)
		with("revoked after, "+word, r.anna, list(soon, entry(r.anna, r.now.Add(-40*time.Minute), reason)), nil)
	}
	with("removed from CRL", r.anna, list(soon, entry(r.anna, r.days, 8)), nil)
	with("CRL before the signature", r.anna, list(r.days), nil)
	with("CRL stale", r.anna, list(r.now.AddDate(0, 0, -40)), nil)
	twin := r.issue(r.issue(nil, "Root", authority), "Issuing CA", authority)
	with("CRL of a namesake", r.anna, [][]byte{r.crl(twin, soon)}, nil)
	with("CRL of another authority", r.anna, [][]byte{r.crl(r.issue(r.root, "Another CA", authority), soon)}, nil)
	r.one("authority revoked", true, made{store: r.kept(r.anna, append(list(soon), r.crl(r.root, soon, entry(r.ca, r.days, 1))), nil)})
	r.one("authority revoked after, stamped", true, made{stamps: stamp, store: r.kept(r.anna, append(list(soon), r.crl(r.root, soon, entry(r.ca, r.now.Add(-40*time.Minute), 1))), nil)})
	r.one("time-stamp authority revoked after", true, made{stamps: stamp, store: r.kept(r.anna, append(list(soon), r.crl(r.root, soon, entry(r.stamps, r.now.Add(-40*time.Minute), 1))), nil)})
	r.one("time-stamp authority revoked before", true, made{stamps: stamp, store: r.kept(r.anna, append(list(soon), r.crl(r.root, soon, entry(r.stamps, r.days, 1))), nil)})
	lapsed := r.issue(r.ca, "Lapsed", until(r.yesterday))
	then := r.now.AddDate(0, 0, -5)
	for word, lists := range map[string][][]byte{"now": list(soon), "then": list(then), "then, revoked": list(then, entry(lapsed, r.now.AddDate(0, 0, -20), 4)), "then, revoked since": list(then, entry(lapsed, r.now.AddDate(0, 0, -6), 4))} {
		r.xml("expired since, stamped, CRL of "+word, true, r.mill.xml(lease, made{by: lapsed, at: r.days, stamps: &stampOf{at: r.days}, store: r.kept(lapsed, append(lists, root), nil)}))
	}
	r.responders(with, soon)
}

func (r *trials) responders(with func(string, *party, [][]byte, [][]byte), soon time.Time) {
	responder := func(name string, by *party, eku, noCheck bool) *party {
		return r.issue(by, name, func(c *x509.Certificate) {
			c.KeyUsage = x509.KeyUsageDigitalSignature
			if eku {
				c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
			}
			if noCheck {
				c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}}
			}
		})
	}
	one := func(by *party, edit func(*ocsp.Response)) [][]byte { return [][]byte{r.answer(r.anna, by, soon, edit)} }
	with("OCSP of the issuer", r.anna, nil, one(r.ca, nil))
	with("OCSP, delegated", r.anna, nil, one(responder("R1", r.ca, true, true), nil))
	with("OCSP, without nocheck", r.anna, nil, one(responder("R2", r.ca, true, false), nil))
	with("OCSP, without EKU", r.anna, nil, one(responder("R3", r.ca, false, true), nil))
	with("OCSP, delegated by another", r.anna, nil, one(responder("R4", r.root, true, true), nil))
	with("OCSP of a stranger", r.anna, nil, one(responder("R5", r.issue(nil, "Root", authority), true, true), nil))
	with("OCSP, unknown", r.anna, nil, one(r.ca, func(o *ocsp.Response) { o.Status = ocsp.Unknown }))
	revoked := func(at time.Time, reason int) func(*ocsp.Response) {
		return func(o *ocsp.Response) { o.Status, o.RevokedAt, o.RevocationReason = ocsp.Revoked, at, reason }
	}
	with("OCSP, revoked before", r.anna, nil, one(r.ca, revoked(r.days, 1)))
	with("OCSP, revoked after", r.anna, nil, one(r.ca, revoked(r.now.Add(-40*time.Minute), 1)))
	with("OCSP, on hold before", r.anna, nil, one(r.ca, revoked(r.days, 6)))
	with("OCSP of another certificate", r.anna, nil, one(r.ca, func(o *ocsp.Response) { o.SerialNumber = r.ca.cert.SerialNumber }))
	with("OCSP stale", r.anna, nil, [][]byte{r.answer(r.anna, r.ca, r.now.AddDate(0, 0, -20), nil)})
	with("OCSP good and CRL revoked", r.anna, [][]byte{r.crl(r.ca, soon, entry(r.anna, r.days, 1))}, one(r.ca, nil))
}
