package sap

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
)

// Message types.
const (
	TypeActivationRequest = "sap/activation-request/1"
	TypeSAD               = "sap/sad/1"
	TypeRegistration      = "sap/registration-request/1"
	TypeReceipt           = "sap/receipt/1"
	TypeOneTime           = "sap/one-time-request/1"
	TypeChange            = "sap/change-request/1"
	TypeAuthenticators    = "sap/authenticator-list/1"
	TypeSuccession        = "sap/key-succession/1"
)

// Bounds of a SAD.
const (
	MaxItems     = 1000 // items of one SAD
	MaxText      = 300  // characters of one shown text
	MaxIDLen     = 128  // bytes of an identifier
	NonceLen     = 32
	SessionLen   = 16
	MaxProofSize = 16 << 10
)

// PolicyQualified is the activation policy whose meaning is the protocol's own: no raw
// digest is signed under it, and no document that may show something else than the
// signer saw or does something by itself (ADE-04).
const PolicyQualified = "qualified"

// Binding is what an activation is bound to (SAP-05). The SAM composes it; the device
// copies it unchanged into the SAD; the SAM keeps only its hash. Times are Unix
// seconds of the SAM's clock.
type Binding struct {
	Audience string `json:"aud"`    // cluster "#" epoch of the SAM
	Session  string `json:"sid"`    // base64url, 16 octets
	Nonce    string `json:"nonce"`  // base64url, 32 octets of the SAM's random numbers
	Signer   string `json:"sub"`    // internal signer id
	Key      string `json:"kid"`    // signing key id
	Cert     string `json:"cert"`   // base64url SHA-256 of the certificate (DER)
	Alg      string `json:"alg"`    // signature algorithm, JOSE name
	Caller   string `json:"caller"` // who asked the SAM (SAP-15)
	Policy   string `json:"policy"` // activation policy id
	N        int    `json:"n"`      // number of signatures, exactly
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// Hash returns what the SAM stores of a binding.
func (b Binding) Hash() ([]byte, error) {
	text, err := jcs.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ReasonEncoding, err)
	}
	return labelled(LabelBinding, text), nil
}

// Check looks at the form of every field; it knows no state.
func (b Binding) Check() error {
	if _, err := unB64Len(b.Session, SessionLen); err != nil {
		return fmt.Errorf("%w: sid", err)
	}
	if _, err := unB64Len(b.Nonce, NonceLen); err != nil {
		return fmt.Errorf("%w: nonce", err)
	}
	if _, err := unB64Len(b.Cert, sha256.Size); err != nil {
		return fmt.Errorf("%w: cert", err)
	}
	for name, id := range map[string]string{"aud": b.Audience, "sub": b.Signer, "kid": b.Key, "caller": b.Caller, "policy": b.Policy} {
		if !ValidID(id) {
			return fmt.Errorf("%w: %s", ReasonEncoding, name)
		}
	}
	if _, err := algo.Parse(b.Alg); err != nil {
		return fmt.Errorf("%w: %q", ReasonAlgorithm, b.Alg)
	}
	if b.N < 1 || b.N > MaxItems {
		return fmt.Errorf("%w: n=%d", ReasonCount, b.N)
	}
	if b.IssuedAt <= 0 || b.Expires <= b.IssuedAt {
		return fmt.Errorf("%w: iat, exp", ReasonEncoding)
	}
	return nil
}

// ActivationRequest is the SAM's offer to a device: sign a SAD over this
// binding with one of these authenticators, at this origin.
type ActivationRequest struct {
	Type        string   `json:"typ"`
	Bind        Binding  `json:"bind"`
	Carrier     string   `json:"carrier"` // "webauthn" or "jws"
	Credentials []string `json:"creds"`   // base64url ids of enrolled authenticators
	Origin      string   `json:"origin"`  // exact origin of the signer's app
	RPID        string   `json:"rpId"`
	Assurance   string   `json:"assurance"` // computed by the SAM from its token: AssuranceDevelopment, ...
}

// Assurance labels, computed and never configured (OPS-04).
const (
	AssuranceDevelopment = "development" // software or self-test-failing token: no claim
	AssuranceSCAL2       = "SCAL2"       // sole control enforced by the SAM, token not certified (OPS-04)
	AssuranceQualified   = "SCAL2-QSCD"  // token reports a certified QSCD
)

// Context is what the device shows besides the documents. The device takes it
// from the SSA and shows it; signing makes it part of what was approved.
type Context struct {
	Operation string `json:"op"`      // the SSA's operation id
	Asker     string `json:"asker"`   // who asks, as shown
	Purpose   string `json:"purpose"` // why, as shown
	Level     string `json:"level"`   // AdES level, such as "B-T"
}

// Item kinds.
const (
	KindPAdES = "pades"
	KindXAdES = "xades"
	KindCAdES = "cades"
	KindJAdES = "jades"
	KindRaw   = "raw"
)

// Item is one signature that the signer approves.
type Item struct {
	I     int    `json:"i"`               // position, from 0
	Kind  string `json:"kind"`            // what the digest is of
	Name  string `json:"name"`            // document name, as shown
	Hash  string `json:"hash"`            // "sha256", "sha384", "sha512"
	Doc   string `json:"doc"`             // base64url digest of the document as the kind defines it; "" for raw
	DTBSR string `json:"dtbsr"`           // base64url digest that the key signs
	XAdES *XAdES `json:"xades,omitempty"` // there exactly with kind xades
}

// Auth names the authenticator that approves.
type Auth struct {
	Method string `json:"method"` // "webauthn" or "jws"
	Cred   string `json:"cred"`   // base64url credential id or device key id
}

// SAD is signature activation data: the signer's approval of exactly these
// items with exactly this key, once.
type SAD struct {
	Type  string  `json:"typ"`
	Bind  Binding `json:"bind"`
	Auth  Auth    `json:"auth"`
	Ctx   Context `json:"ctx"`
	Items []Item  `json:"items"`
}

// Carriers.
const (
	CarrierWebAuthn = "webauthn"
	CarrierJWS      = "jws"
)

// Encode returns the canonical bytes of a SAD after checking its form.
func (s *SAD) Encode() ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	text, err := jcs.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ReasonEncoding, err)
	}
	if len(text) > jcs.MaxSize {
		return nil, fmt.Errorf("%w: SAD of %d octets", ReasonTooLarge, len(text))
	}
	return text, nil
}

// DecodeSAD reads canonical bytes; every other spelling is refused (SAP-07), and so
// is a SAD in which a field is not in its form (SAP-01).
func DecodeSAD(text []byte) (*SAD, error) {
	var s SAD
	if err := jcs.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ReasonEncoding, err)
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	return &s, nil
}

// Check looks at the form of a SAD: type, fields, count, order, uniqueness. It
// knows no state and does not rebuild DTBS/R (see Rebuild).
func (s *SAD) Check() error {
	if s.Type != TypeSAD {
		return fmt.Errorf("%w: %q", ReasonType, s.Type)
	}
	if err := s.Bind.Check(); err != nil {
		return err
	}
	if s.Auth.Method != CarrierWebAuthn && s.Auth.Method != CarrierJWS {
		return fmt.Errorf("%w: method %q", ReasonCarrier, s.Auth.Method)
	}
	if b, err := UnB64(s.Auth.Cred); err != nil || len(b) == 0 || len(b) > 1023 {
		return fmt.Errorf("%w: cred", ReasonEncoding)
	}
	if !ValidID(s.Ctx.Operation) || !ValidID(s.Ctx.Level) {
		return fmt.Errorf("%w: op or level", ReasonEncoding)
	}
	if !Displayable(s.Ctx.Asker) || !Displayable(s.Ctx.Purpose) {
		return fmt.Errorf("%w: asker or purpose", ReasonText)
	}
	return s.checkItems()
}

// checkItems: an ordered list of exactly n items, no digest twice (BLK-02).
func (s *SAD) checkItems() error {
	if len(s.Items) != s.Bind.N {
		return fmt.Errorf("%w: n=%d, %d items", ReasonCount, s.Bind.N, len(s.Items))
	}
	seen := make(map[string]bool, len(s.Items))
	for i, it := range s.Items {
		if it.I != i {
			return fmt.Errorf("%w: item %d has index %d", ReasonCount, i, it.I)
		}
		if err := it.check(); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		if seen[it.DTBSR] {
			return fmt.Errorf("%w: item %d", ReasonDuplicateItem, i)
		}
		seen[it.DTBSR] = true
	}
	return nil
}

func (it Item) check() error {
	switch it.Kind {
	case KindPAdES, KindXAdES, KindCAdES, KindJAdES, KindRaw:
	default:
		return fmt.Errorf("%w: %q", ReasonItemKind, it.Kind)
	}
	if !Displayable(it.Name) || it.Name == "" {
		return fmt.Errorf("%w: name", ReasonText)
	}
	h, err := algo.ParseHash(it.Hash)
	if err != nil {
		return fmt.Errorf("%w: hash %q", ReasonDigest, it.Hash)
	}
	if _, err := unB64Len(it.DTBSR, h.Size()); err != nil {
		return fmt.Errorf("%w: dtbsr", ReasonDigest)
	}
	if (it.Kind == KindXAdES) != (it.XAdES != nil) {
		return fmt.Errorf("%w: properties of XAdES belong to kind xades, and to no other", ReasonEvidence)
	}
	if it.XAdES != nil {
		if err := it.XAdES.check(); err != nil {
			return err
		}
	}
	if it.Kind == KindRaw {
		if it.Doc != "" {
			return fmt.Errorf("%w: raw item with a document digest", ReasonDigest)
		}
		return nil
	}
	if _, err := unB64Len(it.Doc, h.Size()); err != nil {
		return fmt.Errorf("%w: doc", ReasonDigest)
	}
	return nil
}

// ValidID accepts the identifiers of the protocol: 1 to 128 characters of
// letters, digits and . _ : # @ - (ASCII), beginning with a letter or digit.
func ValidID(s string) bool {
	if s == "" || len(s) > MaxIDLen {
		return false
	}
	for i, r := range []byte(s) {
		alnum := r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !alnum && (i == 0 || !strings.ContainsRune("._:#@-", rune(r))) {
			return false
		}
	}
	return true
}

// Displayable accepts text that looks on screen like what it is: at most
// MaxText characters, no control, format (direction overrides, zero width),
// private or unassigned characters, no line breaks.
func Displayable(s string) bool {
	n := 0
	for _, r := range s {
		n++
		if r == unicode.ReplacementChar || n > MaxText {
			return false
		}
		if r != ' ' && !unicode.IsGraphic(r) {
			return false
		}
		if r != ' ' && unicode.Is(unicode.Z, r) && r != '\u00a0' {
			return false
		}
		if unseen(r) {
			return false
		}
	}
	return true
}

// unseen tells of letters, marks and symbols by their class that leave nothing
// on the screen: Hangul fillers, the grapheme joiner, Khmer inherent vowels,
// Mongolian and other variation selectors, the empty Braille pattern. A name made
// of them looks empty, or like another.
func unseen(r rune) bool {
	switch r {
	case 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0:
		return true
	}
	return r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0100 && r <= 0xE01EF
}
