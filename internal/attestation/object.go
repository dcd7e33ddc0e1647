package attestation

import (
	"crypto"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Errors of this package. Each refusal wraps one of them.
var (
	ErrObject    = errors.New("attestation: attestation object is malformed")
	ErrAuthData  = errors.New("attestation: authenticator data is malformed")
	ErrKey       = errors.New("attestation: credential key is malformed")
	ErrAlgorithm = errors.New("attestation: algorithm is not known")
	ErrFormat    = errors.New("attestation: attestation format is not known")
	ErrStatement = errors.New("attestation: attestation statement does not verify")
	ErrTrust     = errors.New("attestation: no trust path to an anchor")
)

// Bounds.
const (
	MaxObject       = 48 << 10 // octets of an attestation object
	MaxCredentialID = 1023     // WebAuthn level 3, section 4
	maxChain        = 8
	maxCert         = 16 << 10
)

// Flags of the authenticator data (section 6.1).
const (
	FlagUP = 0x01
	FlagUV = 0x04
	FlagBE = 0x08
	FlagBS = 0x10
	FlagAT = 0x40
	FlagED = 0x80
)

// Object is a decoded attestation object.
type Object struct {
	Format    string
	AuthData  AuthData
	raw       []byte // authenticator data as signed
	statement cbor.RawMessage
}

// AuthData is authenticator data with attested credential data.
type AuthData struct {
	RPIDHash     []byte
	Flags        byte
	SignCount    uint32
	AAGUID       [16]byte
	CredentialID []byte
	Public       crypto.PublicKey // *ecdsa.PublicKey, *rsa.PublicKey or ed25519.PublicKey
	Algorithm    int              // COSE algorithm of Public
}

// Type is what kind of statement was verified (section 6.5.4).
type Type string

// Types.
const (
	TypeNone  Type = "none"  // nothing is proven; the AAGUID is a claim
	TypeSelf  Type = "self"  // the credential key signed: possession, no model
	TypeBasic Type = "basic" // a certified attestation key signed; see Chain
)

// Result is what a statement proves once its chain is found good (Trust).
type Result struct {
	Type  Type
	Chain []*x509.Certificate // leaf first; only for TypeBasic
	// Bound tells that the statement itself shows a key that was made in, and
	// cannot leave, its hardware. Where the format has nothing to say about that
	// (packed) it is true: the model's metadata says it.
	Bound bool
}

// decoder is strict: no duplicate keys, no indefinite lengths, no tags, no
// unknown or differently spelt members, nothing after the item, little depth.
func decoder() (cbor.DecMode, error) {
	return cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 4, MaxArrayElements: 64, MaxMapPairs: 64,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField, FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		UTF8: cbor.UTF8RejectInvalid,
	}.DecMode()
}

func decode(b []byte, v any) error {
	m, err := decoder()
	if err != nil {
		return err
	}
	return m.Unmarshal(b, v)
}

// formError is why a statement is not of its form: what the decoder said, or,
// where it had nothing to say, that a member is missing or not the one demanded.
func formError(err error) error {
	if err == nil {
		return errors.New("a member is missing or not as its format demands")
	}
	return err
}

// Parse reads an attestation object. Extension data is refused: nobody asks for
// any. A credential id has 16 to 1023 octets.
func Parse(object []byte) (*Object, error) {
	if len(object) > MaxObject {
		return nil, fmt.Errorf("%w: %d octets", ErrObject, len(object))
	}
	var o struct {
		Format    *string         `cbor:"fmt"`
		Statement cbor.RawMessage `cbor:"attStmt"`
		AuthData  []byte          `cbor:"authData"`
	}
	if err := decode(object, &o); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrObject, err)
	}
	if o.Format == nil || o.Statement == nil || o.AuthData == nil {
		return nil, fmt.Errorf("%w: a member is missing", ErrObject)
	}
	a, err := parseAuthData(o.AuthData)
	if err != nil {
		return nil, err
	}
	return &Object{Format: *o.Format, AuthData: *a, raw: o.AuthData, statement: o.Statement}, nil
}

func parseAuthData(d []byte) (*AuthData, error) {
	const fixed = 32 + 1 + 4 + 16 + 2
	if len(d) < fixed {
		return nil, fmt.Errorf("%w: %d octets", ErrAuthData, len(d))
	}
	a := &AuthData{RPIDHash: d[:32], Flags: d[32], SignCount: binary.BigEndian.Uint32(d[33:])}
	if a.Flags&^(FlagUP|FlagUV|FlagBE|FlagBS|FlagAT) != 0 || a.Flags&FlagAT == 0 {
		return nil, fmt.Errorf("%w: no attested credential, extension data or reserved flags (%#x)", ErrAuthData, a.Flags)
	}
	copy(a.AAGUID[:], d[37:])
	n := int(binary.BigEndian.Uint16(d[53:]))
	if n < 16 || n > MaxCredentialID || len(d) < fixed+n {
		return nil, fmt.Errorf("%w: credential id of %d octets", ErrAuthData, n)
	}
	a.CredentialID = d[fixed : fixed+n]
	var err error
	a.Public, a.Algorithm, err = parseKey(d[fixed+n:])
	return a, err
}

// Verify verifies the statement over the authenticator data and the SHA-256 of
// the client data. For TypeBasic the chain is only internally checked: call
// Trust.
func (o *Object) Verify(clientDataHash []byte) (*Result, error) {
	signed := append(append(make([]byte, 0, len(o.raw)+len(clientDataHash)), o.raw...), clientDataHash...)
	switch o.Format {
	case "none":
		if string(o.statement) != "\xa0" {
			return nil, fmt.Errorf("%w: none with a statement", ErrStatement)
		}
		return &Result{Type: TypeNone}, nil
	case "packed":
		return o.packed(signed)
	case "tpm":
		return o.tpm(signed)
	case "android-key":
		return o.androidKey(signed, clientDataHash)
	case "apple":
		return o.apple(signed)
	case "fido-u2f":
		return o.u2f(clientDataHash)
	}
	return nil, fmt.Errorf("%w: %.32q", ErrFormat, o.Format)
}
