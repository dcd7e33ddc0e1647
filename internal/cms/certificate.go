package cms

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"sync"
)

// Certificates are parsed again and again: of one signature when its message is measured, rehearsed, assembled and
// read back, and those of the issuers for every signature. What a parse gives depends on the octets alone, so that
// the last ones are kept.
var parsed certCache

// maxParsed bounds each of the two halves of a certCache, in certificates, and maxKept one of them, in bytes: what
// strangers send may be large, and is parsed each time then.
const (
	maxParsed = 64
	maxKept   = 8 << 10
)

// certCache keeps certificates by the digest of their octets: the newest, and those before them.
type certCache struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]*x509.Certificate
}

// parse is x509.ParseCertificate. The certificate may be in use elsewhere: nobody may change it.
func (c *certCache) parse(der []byte) (*x509.Certificate, error) {
	if len(der) > maxKept {
		return x509.ParseCertificate(der)
	}
	key := sha256.Sum256(der)
	if known := c.get(key); known != nil {
		return known, nil
	}
	// Its fields point into the octets, and those of a message are the caller's.
	cert, err := x509.ParseCertificate(bytes.Clone(der))
	if err != nil {
		return nil, err
	}
	c.put(key, cert)
	return cert, nil
}

func (c *certCache) get(key [sha256.Size]byte) *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cert := c.young[key]; cert != nil {
		return cert
	}
	cert := c.old[key]
	if cert != nil {
		c.add(key, cert)
	}
	return cert
}

func (c *certCache) put(key [sha256.Size]byte, cert *x509.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(key, cert)
}

// add makes the young ones old when they are many: who was not asked for meanwhile is forgotten.
func (c *certCache) add(key [sha256.Size]byte, cert *x509.Certificate) {
	if len(c.young) >= maxParsed || c.young == nil {
		c.young, c.old = make(map[[sha256.Size]byte]*x509.Certificate), c.young
	}
	c.young[key] = cert
}
