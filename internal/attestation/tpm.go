package attestation

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// Constants of TPM 2.0, part 2 (structures).
const (
	tpmGenerated     = 0xff544347 // TPM_GENERATED_VALUE
	tpmAttestCertify = 0x8017     // TPM_ST_ATTEST_CERTIFY
	tpmRSA           = 0x0001
	tpmECC           = 0x0023
	tpmNull          = 0x0010
	tpmSHA256        = 0x000b
	tpmSHA384        = 0x000c
	tpmSHA512        = 0x000d

	attrFixedTPM            = 1 << 1
	attrFixedParent         = 1 << 4
	attrSensitiveDataOrigin = 1 << 5
)

var (
	oidTPMManufacturer = asn1.ObjectIdentifier{2, 23, 133, 2, 1}
	oidTPMModel        = asn1.ObjectIdentifier{2, 23, 133, 2, 2}
	oidTPMVersion      = asn1.ObjectIdentifier{2, 23, 133, 2, 3}
	oidAIK             = asn1.ObjectIdentifier{2, 23, 133, 8, 3} // tcg-kp-AIKCertificate
)

// tpm is section 8.3: the AIK signs certInfo, which certifies the name of
// pubArea, which is the credential's key.
func (o *Object) tpm(signed []byte) (*Result, error) {
	var s struct {
		Ver      string   `cbor:"ver"`
		Alg      *int     `cbor:"alg"`
		X5C      [][]byte `cbor:"x5c"`
		Sig      []byte   `cbor:"sig"`
		CertInfo []byte   `cbor:"certInfo"`
		PubArea  []byte   `cbor:"pubArea"`
	}
	if err := decode(o.statement, &s); err != nil || s.Alg == nil || s.Ver != "2.0" {
		return nil, fmt.Errorf("%w: tpm: version %.8q: %w", ErrStatement, s.Ver, formError(err))
	}
	area, err := parsePubArea(s.PubArea)
	if err != nil {
		return nil, err
	}
	if !area.is(o.AuthData.Public) {
		return nil, fmt.Errorf("%w: pubArea is another key", ErrStatement)
	}
	h, err := hashOf(*s.Alg)
	if err != nil {
		return nil, err
	}
	sum := h.New()
	sum.Write(signed)
	if err := checkCertInfo(s.CertInfo, sum.Sum(nil), area.name); err != nil {
		return nil, err
	}
	chain, err := parseChain(s.X5C)
	if err != nil {
		return nil, err
	}
	if err := checkSignature(chain[0], *s.Alg, s.CertInfo, s.Sig); err != nil {
		return nil, err
	}
	if err := o.checkAIK(chain[0]); err != nil {
		return nil, err
	}
	const bound = attrFixedTPM | attrFixedParent | attrSensitiveDataOrigin
	return &Result{Type: TypeBasic, Chain: chain, Bound: area.attributes&bound == bound}, nil
}

// reader reads big-endian TPM structures; the first shortage spoils it.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return make([]byte, n&0xffff)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u16() uint16   { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32   { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) sized() []byte { return r.take(int(r.u16())) } // TPM2B_*

// done tells that all was there and nothing is left.
func (r *reader) done() bool { return !r.bad && len(r.b) == 0 }

// pubArea is the part of a TPMT_PUBLIC that matters.
type pubArea struct {
	kind       uint16
	attributes uint32
	curve      uint16
	exponent   uint32
	x, y, n    []byte
	name       []byte // nameAlg || hash of the area
}

func parsePubArea(text []byte) (*pubArea, error) {
	r := &reader{b: text}
	a := &pubArea{kind: r.u16()}
	nameAlg := r.u16()
	a.attributes = r.u32()
	r.sized() // authPolicy
	if sym := r.u16(); sym != tpmNull {
		return nil, fmt.Errorf("%w: pubArea is a storage key (%#x)", ErrStatement, sym)
	}
	if scheme := r.u16(); scheme != tpmNull {
		r.u16() // its hash
	}
	switch a.kind {
	case tpmECC:
		a.curve = r.u16()
		if kdf := r.u16(); kdf != tpmNull {
			r.u16()
		}
		a.x, a.y = r.sized(), r.sized()
	case tpmRSA:
		r.u16() // key bits: the modulus says it
		if a.exponent = r.u32(); a.exponent == 0 {
			a.exponent = 65537
		}
		a.n = r.sized()
	default:
		return nil, fmt.Errorf("%w: pubArea type %#x", ErrStatement, a.kind)
	}
	h := map[uint16]crypto.Hash{tpmSHA256: crypto.SHA256, tpmSHA384: crypto.SHA384, tpmSHA512: crypto.SHA512}[nameAlg]
	if !r.done() || h == 0 {
		return nil, fmt.Errorf("%w: pubArea, or its name algorithm %#x", ErrStatement, nameAlg)
	}
	sum := h.New()
	sum.Write(text)
	a.name = sum.Sum(binary.BigEndian.AppendUint16(nil, nameAlg))
	return a, nil
}

// is tells whether the area holds exactly this key.
func (a *pubArea) is(pub crypto.PublicKey) bool {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		curve := map[int]uint16{256: 3, 384: 4, 521: 5}[k.Curve.Params().BitSize]
		point, err := k.Bytes()
		n := (len(point) - 1) / 2
		return err == nil && a.kind == tpmECC && a.curve == curve &&
			bytes.Equal(pad(a.x, n), point[1:1+n]) && bytes.Equal(pad(a.y, n), point[1+n:])
	case *rsa.PublicKey:
		return a.kind == tpmRSA && int64(a.exponent) == int64(k.E) && bytes.Equal(a.n, k.N.Bytes())
	}
	return false
}

// pad restores leading zeros, which some TPMs leave out.
func pad(b []byte, n int) []byte {
	if len(b) >= n {
		return b
	}
	return append(make([]byte, n-len(b)), b...)
}

// checkCertInfo reads a TPMS_ATTEST: made by the TPM, about these bytes, for the
// key of that name.
func checkCertInfo(text, extraData, name []byte) error {
	r := &reader{b: text}
	magic, kind := r.u32(), r.u16()
	r.sized() // qualifiedSigner
	extra := r.sized()
	r.take(8 + 4 + 4 + 1 + 8) // clockInfo, firmwareVersion
	certified := r.sized()
	r.sized() // qualifiedName
	switch {
	case !r.done():
		return fmt.Errorf("%w: certInfo is malformed", ErrStatement)
	case magic != tpmGenerated || kind != tpmAttestCertify:
		return fmt.Errorf("%w: certInfo %#x, type %#x", ErrStatement, magic, kind)
	case !bytes.Equal(extra, extraData):
		return fmt.Errorf("%w: certInfo is about other data", ErrStatement)
	case !bytes.Equal(certified, name):
		return fmt.Errorf("%w: certInfo certifies another key", ErrStatement)
	}
	return nil
}

// checkAIK is section 8.3.1.
func (o *Object) checkAIK(c *x509.Certificate) error {
	switch {
	case c.Version != 3:
		return fmt.Errorf("%w: AIK certificate version %d", ErrStatement, c.Version)
	case len(c.Subject.Names) != 0:
		return fmt.Errorf("%w: AIK certificate has a subject", ErrStatement)
	case !slices.ContainsFunc(c.UnknownExtKeyUsage, oidAIK.Equal):
		return fmt.Errorf("%w: AIK certificate without tcg-kp-AIKCertificate", ErrStatement)
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(oidSAN) {
			if err := checkTPMName(e.Value); err != nil {
				return err
			}
			return o.checkLeaf(c)
		}
	}
	return fmt.Errorf("%w: AIK certificate without the TPM's name", ErrStatement)
}

// checkTPMName wants one directory name that gives manufacturer, model and
// version (TCG EK credential profile 3.2.9). Who the manufacturer is matters
// through the anchors only.
func checkTPMName(san []byte) error {
	bad := func(what string) error { return fmt.Errorf("%w: AIK certificate's TPM name: %s", ErrStatement, what) }
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(san, &names); err != nil || len(rest) != 0 {
		return bad("malformed")
	}
	found := map[string]string{}
	for _, n := range names {
		if n.Class != asn1.ClassContextSpecific || n.Tag != 4 {
			continue
		}
		var rdns pkix.RDNSequence
		if rest, err := asn1.Unmarshal(n.Bytes, &rdns); err != nil || len(rest) != 0 {
			return bad("directory name")
		}
		for _, set := range rdns {
			for _, a := range set {
				text, _ := a.Value.(string)
				if _, twice := found[a.Type.String()]; twice {
					return bad("an attribute twice")
				}
				found[a.Type.String()] = text
			}
		}
	}
	maker := found[oidTPMManufacturer.String()]
	if len(maker) != 11 || !strings.HasPrefix(maker, "id:") || found[oidTPMModel.String()] == "" || found[oidTPMVersion.String()] == "" {
		return bad("manufacturer, model or version")
	}
	return nil
}
