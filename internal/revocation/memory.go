package revocation

import (
	"crypto/sha256"
	"fmt"

	"github.com/assent-sign/assent/internal/pkix"
)

// DefaultRoom is how many bytes of statements a Memory has verified and searched, unless told
// otherwise: some seconds.
const DefaultRoom = 512 << 20

// Memory is what Checkers that are asked about the same statements, at different times, need not do
// again: verifying their signatures, and looking certificates up in lists. It also bounds all that
// together, since who made a file chose how many statements are in it, how large they are, and of how
// many times (I9). It is for one goroutine.
type Memory struct {
	// Room is how many bytes may still be verified and searched.
	Room int64

	responses  map[[32]byte]*Response
	crls       map[[32]byte]*CRL
	certs      map[[32]byte]*pkix.Certificate
	signatures map[signed]error
	entries    map[listed]found
}

type signed struct {
	key string // the signer's
	tbs *byte  // the first byte of what is signed
}

type listed struct {
	crl    *CRL
	issuer string
	serial string
}

type found struct {
	entry *entry
	err   error
}

// NewMemory returns one with the default room.
func NewMemory() *Memory {
	return &Memory{Room: DefaultRoom, responses: map[[32]byte]*Response{}, crls: map[[32]byte]*CRL{}, certs: map[[32]byte]*pkix.Certificate{}, signatures: map[signed]error{}, entries: map[listed]found{}}
}

// Exhausted tells whether something was not looked at for want of room: then bad news may have
// been missed.
func (m *Memory) Exhausted() bool { return m.Room < 0 }

// ParseCRL is the function of that name; the same octets give the same list.
func (m *Memory) ParseCRL(raw []byte) (*CRL, error) {
	return intern(m.crls, raw, ParseCRL)
}

// ParseResponse is the function of that name; the same octets give the same response.
func (m *Memory) ParseResponse(raw []byte) (*Response, error) {
	return intern(m.responses, raw, ParseResponse)
}

// ParseCertificate is pkix.Parse; the same octets give the same certificate.
func (m *Memory) ParseCertificate(raw []byte) (*pkix.Certificate, error) {
	return intern(m.certs, raw, pkix.Parse)
}

// Question takes the room of one question: building a path, and a Checker.
func (m *Memory) Question() error { return m.spend(4 << 10) }

func intern[T any](known map[[32]byte]*T, raw []byte, parse func([]byte) (*T, error)) (*T, error) {
	sum := sha256.Sum256(raw)
	if have := known[sum]; have != nil {
		return have, nil
	}
	out, err := parse(raw)
	if err == nil {
		known[sum] = out
	}
	return out, err
}

// Issued is pkix.Certificate.CheckIssuedBy, once for each certificate and key; for pkix.Config.
func (m *Memory) Issued(c, issuer *pkix.Certificate) error {
	return c.CheckIssuedWith(issuer, m.signature)
}

// spend takes from the room.
func (m *Memory) spend(n int) error {
	if m.Room -= int64(n); m.Room < 0 {
		return fmt.Errorf("%w: statements of more bytes than are verified and searched", ErrLimit)
	}
	return nil
}

// signature is VerifySignature, once for each key and statement.
func (m *Memory) signature(signer *pkix.Certificate, algorithm, tbs, sig []byte) error {
	if m == nil || len(tbs) == 0 {
		return pkix.VerifySignature(signer.PublicKey, algorithm, tbs, sig)
	}
	key := signed{string(signer.SPKI), &tbs[0]}
	err, known := m.signatures[key]
	if known {
		return err
	}
	// What a small statement costs is the work with the key, a millisecond for some.
	const least = 128 << 10
	if err := m.spend(max(len(tbs), least)); err != nil {
		return err
	}
	err = pkix.VerifySignature(signer.PublicKey, algorithm, tbs, sig)
	m.signatures[key] = err
	return err
}

// find is CRL.find, once for each certificate.
func (m *Memory) find(c *CRL, cert *pkix.Certificate) (*entry, error) {
	if m == nil {
		return c.find(cert)
	}
	key := listed{c, cert.Issuer.Key(), cert.Serial}
	if have, known := m.entries[key]; known {
		return have.entry, have.err
	}
	if err := m.spend(len(c.entries)); err != nil {
		return nil, err
	}
	e, err := c.find(cert)
	m.entries[key] = found{e, err}
	return e, err
}
