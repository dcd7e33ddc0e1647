package attestation

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
)

var (
	oidAndroidKey = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 1, 17}
	oidApple      = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 8, 2}
)

// Tags of Android's AuthorizationList.
const (
	androidPurpose         = 1
	androidAllApplications = 600
	androidOrigin          = 702
)

// androidKey is section 8.4. Bound tells that the hardware's own list says the
// key was generated there; a list that is silent is no proof.
func (o *Object) androidKey(signed, clientDataHash []byte) (*Result, error) {
	var s struct {
		Alg *int     `cbor:"alg"`
		Sig []byte   `cbor:"sig"`
		X5C [][]byte `cbor:"x5c"`
	}
	if err := decode(o.statement, &s); err != nil || s.Alg == nil {
		return nil, fmt.Errorf("%w: android-key: %w", ErrStatement, formError(err))
	}
	chain, err := parseChain(s.X5C)
	if err != nil {
		return nil, err
	}
	if err := checkSignature(chain[0], *s.Alg, signed, s.Sig); err != nil {
		return nil, err
	}
	if !o.certifies(chain[0].PublicKey) {
		return nil, fmt.Errorf("%w: certificate is for another key", ErrStatement)
	}
	for _, e := range chain[0].Extensions {
		if e.Id.Equal(oidAndroidKey) {
			bound, err := checkAndroidKey(e.Value, clientDataHash)
			if err != nil {
				return nil, err
			}
			return &Result{Type: TypeBasic, Chain: chain, Bound: bound}, nil
		}
	}
	return nil, fmt.Errorf("%w: no key description", ErrStatement)
}

func checkAndroidKey(ext, clientDataHash []byte) (bound bool, err error) {
	var d struct {
		Version, Level, KeymasterVersion, KeymasterLevel asn1.RawValue
		Challenge, UniqueID                              []byte
		Software, TEE                                    asn1.RawValue
	}
	if rest, err := asn1.Unmarshal(ext, &d); err != nil || len(rest) != 0 {
		return false, fmt.Errorf("%w: key description: %w", ErrStatement, formError(err))
	}
	if !bytes.Equal(d.Challenge, clientDataHash) {
		return false, fmt.Errorf("%w: key description is about other data", ErrStatement)
	}
	soft, err := androidList(d.Software)
	if err != nil {
		return false, err
	}
	tee, err := androidList(d.TEE)
	if err != nil {
		return false, err
	}
	if _, ok := soft[androidAllApplications]; ok {
		return false, fmt.Errorf("%w: key is for all applications", ErrStatement)
	}
	if _, ok := tee[androidAllApplications]; ok {
		return false, fmt.Errorf("%w: key is for all applications", ErrStatement)
	}
	// KM_ORIGIN_GENERATED is 0, KM_PURPOSE_SIGN is 2.
	generated := bytes.Equal(tee[androidOrigin], []byte{2, 1, 0})
	signs := bytes.Equal(tee[androidPurpose], []byte{0x31, 3, 2, 1, 2})
	return generated && signs, nil
}

// androidList reads the members of an AuthorizationList by their tags.
func androidList(v asn1.RawValue) (map[int][]byte, error) {
	out := map[int][]byte{}
	if v.Class != asn1.ClassUniversal || v.Tag != asn1.TagSequence {
		return nil, fmt.Errorf("%w: authorization list", ErrStatement)
	}
	for rest := v.Bytes; len(rest) > 0; {
		var m asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &m); err != nil || m.Class != asn1.ClassContextSpecific {
			return nil, fmt.Errorf("%w: authorization list", ErrStatement)
		}
		if _, twice := out[m.Tag]; twice {
			return nil, fmt.Errorf("%w: authorization list has tag %d twice", ErrStatement, m.Tag)
		}
		out[m.Tag] = m.Bytes
	}
	return out, nil
}

// certifies tells whether a certificate's key is the credential's.
func (o *Object) certifies(pub crypto.PublicKey) bool {
	k, ok := o.AuthData.Public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(pub)
}

// apple is section 8.8: the certificate is made for this one registration.
func (o *Object) apple(signed []byte) (*Result, error) {
	var s struct {
		X5C [][]byte `cbor:"x5c"`
	}
	if err := decode(o.statement, &s); err != nil {
		return nil, fmt.Errorf("%w: apple: %w", ErrStatement, err)
	}
	chain, err := parseChain(s.X5C)
	if err != nil {
		return nil, err
	}
	if !o.certifies(chain[0].PublicKey) {
		return nil, fmt.Errorf("%w: certificate is for another key", ErrStatement)
	}
	nonce := sha256.Sum256(signed)
	for _, e := range chain[0].Extensions {
		if !e.Id.Equal(oidApple) {
			continue
		}
		var v struct {
			Nonce []byte `asn1:"tag:1,explicit"`
		}
		if rest, err := asn1.Unmarshal(e.Value, &v); err != nil || len(rest) != 0 || !bytes.Equal(v.Nonce, nonce[:]) {
			return nil, fmt.Errorf("%w: certificate is about other data", ErrStatement)
		}
		return &Result{Type: TypeBasic, Chain: chain, Bound: true}, nil
	}
	return nil, fmt.Errorf("%w: certificate without a nonce", ErrStatement)
}

// u2f is section 8.6. It proves no user verification and names no model, so no
// policy of ours should take it.
func (o *Object) u2f(clientDataHash []byte) (*Result, error) {
	var s struct {
		Sig []byte   `cbor:"sig"`
		X5C [][]byte `cbor:"x5c"`
	}
	if err := decode(o.statement, &s); err != nil || len(s.X5C) != 1 {
		return nil, fmt.Errorf("%w: fido-u2f: %d certificates: %w", ErrStatement, len(s.X5C), formError(err))
	}
	chain, err := parseChain(s.X5C)
	if err != nil {
		return nil, err
	}
	pub, ok := o.AuthData.Public.(*ecdsa.PublicKey)
	signer, ok2 := chain[0].PublicKey.(*ecdsa.PublicKey)
	if !ok || !ok2 || pub.Curve != elliptic.P256() || signer.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: U2F knows P-256 only", ErrStatement)
	}
	point, err := pub.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	msg := append([]byte{0}, o.AuthData.RPIDHash...)
	msg = append(msg, clientDataHash...)
	msg = append(msg, o.AuthData.CredentialID...)
	msg = append(msg, point...)
	if err := checkSignature(chain[0], ES256, msg, s.Sig); err != nil {
		return nil, err
	}
	return &Result{Type: TypeBasic, Chain: chain, Bound: true}, nil
}
