// Package mds reads a FIDO metadata BLOB (FIDO Metadata Service 3.0, section
// 3.1): a signed JWT that tells, for each authenticator model by AAGUID, which
// certificates anchor its attestation and what has become known of it.
//
// The BLOB is a file. Nothing is ever fetched, and nothing in it is followed. A
// vendor's own statement of the same form can be used in its place.
package mds

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/assent-sign/assent/internal/algo"
)

// Errors. Each failure wraps one of them.
var (
	ErrSize      = errors.New("mds: metadata BLOB is too large")
	ErrFormat    = errors.New("mds: metadata BLOB is malformed")
	ErrSignature = errors.New("mds: metadata BLOB is not signed by a trusted key")
)

// Bounds.
const (
	MaxSize    = 32 << 20 // octets of a BLOB; FIDO's has about 9 MiB
	maxHeader  = 64 << 10
	maxChain   = 6
	maxEntries = 20000
	maxAnchors = 256
)

// Status is one status report of a model (section 3.1.4).
type Status string

// Statuses that say that a model no longer keeps what its attestation promises.
const (
	StatusRevoked          Status = "REVOKED"
	StatusUVBypass         Status = "USER_VERIFICATION_BYPASS"
	StatusAttestationKey   Status = "ATTESTATION_KEY_COMPROMISE"
	StatusRemoteCompromise Status = "USER_KEY_REMOTE_COMPROMISE"
	StatusPhysical         Status = "USER_KEY_PHYSICAL_COMPROMISE"
)

// Compromised tells whether a status ends the trust in a model.
func (s Status) Compromised() bool {
	switch s {
	case StatusRevoked, StatusUVBypass, StatusAttestationKey, StatusRemoteCompromise, StatusPhysical:
		return true
	}
	return false
}

// AAGUID names a model.
type AAGUID [16]byte

// String is the form 8-4-4-4-12 in lower case.
func (a AAGUID) String() string {
	h := hex.EncodeToString(a[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ParseAAGUID reads exactly the form that String writes.
func ParseAAGUID(s string) (AAGUID, error) {
	var a AAGUID
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(b) != len(a) {
		return a, fmt.Errorf("%w: AAGUID %.40q", ErrFormat, s)
	}
	if copy(a[:], b); a.String() != s {
		return AAGUID{}, fmt.Errorf("%w: AAGUID %.40q is not in the form 8-4-4-4-12 in lower case", ErrFormat, s)
	}
	return a, nil
}

// Entry is what a BLOB says of one model.
type Entry struct {
	Description string
	Statuses    []Status            // in the order of the BLOB
	Anchors     []*x509.Certificate // of its attestation
}

// Compromise returns the first report that ends the trust in the model, "" when
// there is none. A later report, such as an available update, does not undo it:
// which firmware an authenticator runs cannot be seen.
func (e *Entry) Compromise() Status {
	for _, s := range e.Statuses {
		if s.Compromised() {
			return s
		}
	}
	return ""
}

// Blob is a verified BLOB.
type Blob struct {
	No         int64 // grows with each issue
	NextUpdate time.Time
	Entries    map[AAGUID]*Entry
	Digest     [32]byte // SHA-256 of the file
}

// Options say whom to believe.
type Options struct {
	Roots []*x509.Certificate // of the signer's certificate
	Name  string              // DNS name in the signer's certificate; any when ""
	Now   time.Time
}

// Read verifies and reads a BLOB: RS256 or ES256, the signer's chain in x5c up
// to a root of opt.
func Read(text []byte, opt Options) (*Blob, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("%w: %d octets", ErrSize, len(text))
	}
	sum := sha256.Sum256(text)
	parts := strings.SplitN(strings.TrimSuffix(string(text), "\n"), ".", 4)
	if len(parts) != 3 || len(parts[0]) > maxHeader {
		return nil, fmt.Errorf("%w: no compact JWS", ErrFormat)
	}
	signer, alg, err := readHeader(parts[0], opt)
	if err != nil {
		return nil, err
	}
	sig, err := unB64(parts[2])
	if err != nil {
		return nil, err
	}
	if err := checkSignature(signer, alg, parts[0]+"."+parts[1], sig); err != nil {
		return nil, err
	}
	payload, err := unB64(parts[1])
	if err != nil {
		return nil, err
	}
	b, err := readPayload(payload)
	if err != nil {
		return nil, err
	}
	b.Digest = sum
	return b, nil
}

func unB64(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return nil, fmt.Errorf("%w: base64url", ErrFormat)
	}
	return b, nil
}

// readHeader takes a header with alg, x5c and perhaps typ, and nothing else: no
// key, no address, no critical extension.
func readHeader(part string, opt Options) (*x509.Certificate, string, error) {
	raw, err := unB64(part)
	if err != nil {
		return nil, "", err
	}
	var h struct {
		Alg string   `json:"alg"`
		Typ string   `json:"typ"`
		X5C [][]byte `json:"x5c"`
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&h); err != nil || dec.InputOffset() != int64(len(raw)) {
		return nil, "", fmt.Errorf("%w: header: %w", ErrFormat, err)
	}
	if len(h.X5C) == 0 || len(h.X5C) > maxChain || (h.Typ != "" && h.Typ != "JWT") {
		return nil, "", fmt.Errorf("%w: header typ %.20q, %d certificates", ErrFormat, h.Typ, len(h.X5C))
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, r := range opt.Roots {
		roots.AddCert(r)
	}
	var leaf *x509.Certificate
	for i, der := range h.X5C {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, "", fmt.Errorf("%w: certificate %d: %w", ErrFormat, i, err)
		}
		if algo.TooLong(c.PublicKey) {
			return nil, "", fmt.Errorf("%w: certificate %d has an RSA key of more than %d bits", ErrFormat, i, algo.MaxRSA)
		}
		if i == 0 {
			leaf = c
		} else {
			between.AddCert(c)
		}
	}
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: opt.Now, DNSName: opt.Name, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return leaf, h.Alg, nil
}

func checkSignature(cert *x509.Certificate, alg, signed string, sig []byte) error {
	d := sha256.Sum256([]byte(signed))
	ok := false
	switch pub := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		ok = alg == "RS256" && pub.N.BitLen() >= 2048 && rsa.VerifyPKCS1v15(pub, crypto.SHA256, d[:], sig) == nil
	case *ecdsa.PublicKey:
		ok = alg == "ES256" && pub.Curve.Params().BitSize == 256 && len(sig) == 64 &&
			ecdsa.Verify(pub, d[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	}
	if !ok {
		return fmt.Errorf("%w: %.10q", ErrSignature, alg)
	}
	return nil
}

// payload has the members that matter; a BLOB has many more.
type payload struct {
	No         int64   `json:"no"`
	NextUpdate string  `json:"nextUpdate"`
	Entries    []entry `json:"entries"`
}

type entry struct {
	AAGUID    string `json:"aaguid"`
	Statement struct {
		AAGUID      string   `json:"aaguid"`
		Description string   `json:"description"`
		Roots       [][]byte `json:"attestationRootCertificates"`
	} `json:"metadataStatement"`
	Reports []struct {
		Status Status `json:"status"`
	} `json:"statusReports"`
}

func readPayload(text []byte) (*Blob, error) {
	var p payload
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("%w: payload: %w", ErrFormat, err)
	}
	next, err := time.Parse(time.DateOnly, p.NextUpdate)
	if err != nil || p.No < 1 || p.No > 1<<53 || len(p.Entries) == 0 || len(p.Entries) > maxEntries {
		return nil, fmt.Errorf("%w: number %d, next update %.20q, %d entries", ErrFormat, p.No, p.NextUpdate, len(p.Entries))
	}
	b := &Blob{No: p.No, NextUpdate: next, Entries: map[AAGUID]*Entry{}}
	for _, in := range p.Entries {
		if in.AAGUID == "" {
			continue // a U2F or UAF model; those are named otherwise
		}
		id, err := ParseAAGUID(in.AAGUID)
		if err != nil {
			return nil, err
		}
		if _, twice := b.Entries[id]; twice || (in.Statement.AAGUID != "" && in.Statement.AAGUID != in.AAGUID) {
			return nil, fmt.Errorf("%w: two entries, or two names, for %s", ErrFormat, id)
		}
		if b.Entries[id], err = in.read(); err != nil {
			return nil, fmt.Errorf("%w (%s)", err, id)
		}
	}
	return b, nil
}

func (in *entry) read() (*Entry, error) {
	if len(in.Statement.Roots) > maxAnchors || len(in.Reports) > maxAnchors {
		return nil, fmt.Errorf("%w: %d anchors, %d reports", ErrFormat, len(in.Statement.Roots), len(in.Reports))
	}
	e := &Entry{Description: clip(in.Statement.Description)}
	for _, r := range in.Reports {
		if r.Status == "" {
			return nil, fmt.Errorf("%w: report without a status", ErrFormat)
		}
		e.Statuses = append(e.Statuses, r.Status)
	}
	for _, der := range in.Statement.Roots {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			// Some vendors' certificates break X.509; such an anchor anchors nothing.
			continue
		}
		e.Anchors = append(e.Anchors, c)
	}
	return e, nil
}

func clip(s string) string {
	if len(s) > 200 {
		s = s[:200]
	}
	return strings.ToValidUTF8(s, "?")
}
