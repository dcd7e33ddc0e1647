// Package device is a signer's device in Go: it does, step by step, what the
// signer's app in TypeScript does, with a software authenticator instead of a
// passkey. The demo, scripts and tests use it. It is no substitute for a
// passkey: its key is in memory or in a file, and "the user" is whoever runs
// the program. Nothing that serves signers links it.
package device

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/sap"
)

// ErrNotAsClaimed means that what the SSA says of a document is not what the
// document is. Nothing was signed.
var ErrNotAsClaimed = errors.New("device: the request is not what it claims to be")

// Software is a software authenticator with one credential.
type Software struct {
	SAMKey *ecdsa.PublicKey // the one SAM whose statements count
	// Successions lead from SAMKey to the key that the SAM uses now (KPR-06). Whoever
	// hands them over is not believed: each key vouches for the next.
	Successions []sap.SignedSuccession
	Origin      string // the signing origin that this device believes to be at
	RPID        string

	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	id    []byte
	count uint32
}

// New makes an authenticator with a fresh P-256 key.
func New(samKey *ecdsa.PublicKey, origin, rpID string) (*Software, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 32)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	return &Software{SAMKey: samKey, Origin: origin, RPID: rpID, key: key, id: id}, nil
}

// CredentialID returns the id that the authenticator was given.
func (d *Software) CredentialID() []byte { return append([]byte(nil), d.id...) }

// Register answers a registration request with "none" attestation, in
// canonical form. The code goes into the proof and nowhere else.
func (d *Software) Register(req sap.Signed, code string) ([]byte, error) {
	r, err := open(d, req, statementOf[sap.RegistrationRequest](sap.LabelRegistration), func(r sap.RegistrationRequest) int64 { return r.IssuedAt })
	if err != nil {
		return nil, err
	}
	if r.Type != sap.TypeRegistration || r.Origin != d.Origin || r.RPID != d.RPID {
		return nil, fmt.Errorf("%w: registration for %s at %s", ErrNotAsClaimed, r.RPID, r.Origin)
	}
	statement, err := sap.UnB64(req.Statement)
	if err != nil {
		return nil, err
	}
	nonce, err := sap.UnB64(r.Nonce)
	if err != nil {
		return nil, err
	}
	challenge, err := sap.RegistrationChallenge(nonce, statement)
	if err != nil {
		return nil, err
	}
	codeKey, err := sap.CodeKey(code)
	if err != nil {
		return nil, err
	}
	att, err := d.attestation()
	if err != nil {
		return nil, err
	}
	cd := clientData("webauthn.create", challenge, d.Origin)
	return jcs.Marshal(sap.Registration{
		AttestationObject: sap.B64(att), ClientDataJSON: sap.B64(cd),
		CodeProof: sap.B64(sap.CodeProof(codeKey, statement, att, cd)),
	})
}

// attestation builds an attestation object of format none (WebAuthn level 3,
// section 6.5): flags UP, UV and AT, the COSE form of the key.
func (d *Software) attestation() ([]byte, error) {
	pub, err := d.key.PublicKey.Bytes() // 0x04 || X || Y
	if err != nil {
		return nil, err
	}
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	cose, err := mode.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: pub[1:33], -3: pub[33:]})
	if err != nil {
		return nil, err
	}
	rp := sha256.Sum256([]byte(d.RPID))
	ad := append(rp[:], 0x01|0x04|0x40)
	ad = append(ad, 0, 0, 0, 0)          // signature counter
	ad = append(ad, make([]byte, 16)...) // AAGUID: none
	ad = binary.BigEndian.AppendUint16(ad, uint16(len(d.id)))
	ad = append(append(ad, d.id...), cose...)
	return mode.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": ad})
}

func clientData(typ string, challenge []byte, origin string) []byte {
	return []byte(`{"type":"` + typ + `","challenge":"` + sap.B64(challenge) + `","origin":"` + origin + `","crossOrigin":false}`)
}

// Offer is what the SSA presents for approval.
type Offer struct {
	Request sap.Signed // the SAM's activation request
	Chain   [][]byte   // signer's certificate chain, DER
	Ctx     sap.Context
	Items   []OfferItem
}

// OfferItem is one item of an offer. Document is nil for kind raw; for xades it is the
// canonical octets, and XAdES what else is signed.
type OfferItem struct {
	Kind     string
	Name     string
	Document io.ReaderAt
	Size     int64
	DTBSR    []byte // the SSA's claim; for raw, the digest itself
	XAdES    *sap.XAdES
	Sizes    []int64 // of several data objects, which Document holds one after the other
}

// Approve checks an offer as the signer's app does (design step 3): the SAM's
// signature, the binding to the certificate, the hole in each document, the
// digest, the rebuilt signed attributes; then it composes the SAD and signs it.
func (d *Software) Approve(ctx context.Context, o Offer) (sad, proof []byte, err error) {
	s, err := d.Compose(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	if sad, err = s.Encode(); err != nil {
		return nil, nil, err
	}
	proof, err = d.Assert(s, sad)
	return sad, proof, err
}

// Compose does everything of Approve up to the SAD.
func (d *Software) Compose(ctx context.Context, o Offer) (*sap.SAD, error) {
	ar, err := open(d, o.Request, sap.OpenActivationRequest, func(r *sap.ActivationRequest) int64 { return r.Bind.IssuedAt })
	if err != nil {
		return nil, err
	}
	if ar.Origin != d.Origin || ar.RPID != d.RPID {
		return nil, fmt.Errorf("%w: activation for %s at %s", ErrNotAsClaimed, ar.RPID, ar.Origin)
	}
	if len(o.Chain) == 0 {
		return nil, fmt.Errorf("%w: no certificate", ErrNotAsClaimed)
	}
	if h := sha256.Sum256(o.Chain[0]); sap.B64(h[:]) != ar.Bind.Cert {
		return nil, fmt.Errorf("%w: another certificate than the SAM's", ErrNotAsClaimed)
	}
	alg, err := algo.Parse(ar.Bind.Alg)
	if err != nil {
		return nil, err
	}
	s := &sap.SAD{Type: sap.TypeSAD, Bind: ar.Bind, Auth: sap.Auth{Method: sap.CarrierWebAuthn, Cred: sap.B64(d.id)}, Ctx: o.Ctx}
	for i, it := range o.Items {
		item, err := composeItem(ctx, i, it, alg, o.Chain[0])
		if err != nil {
			return nil, fmt.Errorf("item %d (%s): %w", i, it.Name, err)
		}
		s.Items = append(s.Items, item)
	}
	return s, nil
}

func composeItem(ctx context.Context, i int, it OfferItem, alg algo.Algorithm, cert []byte) (sap.Item, error) {
	switch it.Kind {
	case sap.KindRaw:
		return sap.NewRawItem(i, it.Name, alg, it.DTBSR), nil
	case sap.KindXAdES:
		return composeXAdES(i, it, alg, cert)
	case sap.KindPAdES:
		hole, err := pdf.ReadPrepared(it.Document, it.Size)
		if err != nil {
			return sap.Item{}, fmt.Errorf("%w: %w", ErrNotAsClaimed, err)
		}
		digest, err := pdf.HashRange(ctx, it.Document, hole.ByteRange, alg.Hash())
		if err != nil {
			return sap.Item{}, err
		}
		item, err := sap.NewPAdESItem(i, it.Name, alg, digest, cert)
		if err != nil {
			return sap.Item{}, err
		}
		if it.DTBSR != nil && item.DTBSR != sap.B64(it.DTBSR) {
			return sap.Item{}, fmt.Errorf("%w: the document's digest is not the announced one", ErrNotAsClaimed)
		}
		return item, nil
	}
	return sap.Item{}, fmt.Errorf("%w: kind %q", ErrNotAsClaimed, it.Kind)
}

// composeXAdES hashes the octets that the SSA presents and composes what is signed.
func composeXAdES(i int, it OfferItem, alg algo.Algorithm, cert []byte) (sap.Item, error) {
	if it.XAdES == nil || it.Document == nil {
		return sap.Item{}, fmt.Errorf("%w: no octets or no properties", ErrNotAsClaimed)
	}
	x := *it.XAdES
	digests, err := objects(it, alg.Hash(), 1+len(x.Further()))
	if err != nil {
		return sap.Item{}, err
	}
	if x.Objects != nil {
		// What is approved is what is there, whatever the SSA says of it.
		own := sap.XAdESObjects{Part: x.Objects.Part, More: slices.Clone(x.Objects.More)}
		for k := range own.More {
			own.More[k].Doc = sap.B64(digests[k+1])
		}
		x.Objects = &own
	}
	item, err := sap.NewXAdESItem(i, it.Name, alg, digests[0], cert, x)
	if err != nil {
		return sap.Item{}, fmt.Errorf("%w: %w", ErrNotAsClaimed, err)
	}
	if it.DTBSR != nil && item.DTBSR != sap.B64(it.DTBSR) {
		return sap.Item{}, fmt.Errorf("%w: the document's digest is not the announced one", ErrNotAsClaimed)
	}
	return item, nil
}

// objects hashes the data objects of an item.
func objects(it OfferItem, h crypto.Hash, n int) ([][]byte, error) {
	sizes := it.Sizes
	if len(sizes) == 0 {
		sizes = []int64{it.Size}
	}
	if len(sizes) != n {
		return nil, fmt.Errorf("%w: %d sizes of %d data objects", ErrNotAsClaimed, len(sizes), n)
	}
	var out [][]byte
	at := int64(0)
	for _, size := range sizes {
		if size < 0 || size > it.Size-at {
			return nil, fmt.Errorf("%w: data objects of other sizes", ErrNotAsClaimed)
		}
		w := h.New()
		if _, err := io.Copy(w, io.NewSectionReader(it.Document, at, size)); err != nil {
			return nil, err
		}
		out, at = append(out, w.Sum(nil)), at+size
	}
	if at != it.Size {
		return nil, fmt.Errorf("%w: %d octets are of no data object", ErrNotAsClaimed, it.Size-at)
	}
	return out, nil
}

// Assert signs a SAD's canonical bytes as a WebAuthn assertion with UP and UV.
func (d *Software) Assert(s *sap.SAD, canonical []byte) ([]byte, error) {
	challenge, err := s.Challenge(canonical)
	if err != nil {
		return nil, err
	}
	return d.AssertWith(Ceremony{Type: "webauthn.get", Challenge: challenge, Origin: d.Origin, RPID: d.RPID, Flags: 0x05})
}

// ApproveOneTime checks the SAM's offer of a one-time key as the signer's app does and
// approves it: for this signer, in this name, at this origin, by this authenticator. What
// the key signs is approved by Approve, when there is a certificate.
func (d *Software) ApproveOneTime(offer sap.Signed, signer, name string) (statement, proof []byte, err error) {
	r, err := open(d, offer, statementOf[sap.OneTimeRequest](sap.LabelOneTime), func(r sap.OneTimeRequest) int64 { return r.IssuedAt })
	if err != nil {
		return nil, nil, err
	}
	if statement, err = sap.UnB64(offer.Statement); err != nil {
		return nil, nil, err
	}
	if _, err := sap.DecodeOneTime(statement); err != nil {
		return nil, nil, err
	}
	if r.Origin != d.Origin || r.RPID != d.RPID || r.Carrier != sap.CarrierWebAuthn || !slices.Contains(r.Credentials, sap.B64(d.id)) {
		return nil, nil, fmt.Errorf("%w: one-time key for %s at %s", ErrNotAsClaimed, r.RPID, r.Origin)
	}
	if r.Signer != signer || r.Display != name {
		return nil, nil, fmt.Errorf("%w: one-time key for %q, not for %q", ErrNotAsClaimed, r.Display, name)
	}
	nonce, err := sap.UnB64(r.Nonce)
	if err != nil {
		return nil, nil, err
	}
	challenge, err := sap.OneTimeChallenge(nonce, statement)
	if err != nil {
		return nil, nil, err
	}
	proof, err = d.AssertWith(Ceremony{Type: "webauthn.get", Challenge: challenge, Origin: d.Origin, RPID: d.RPID, Flags: 0x05})
	return statement, proof, err
}

// Ceremony is an assertion with every field open, for tests that cheat.
type Ceremony struct {
	Type      string
	Challenge []byte
	Origin    string
	RPID      string
	Flags     byte
}

// AssertWith makes an assertion as told and returns the canonical proof.
func (d *Software) AssertWith(c Ceremony) ([]byte, error) {
	d.mu.Lock()
	d.count++
	count := d.count
	d.mu.Unlock()
	cd := clientData(c.Type, c.Challenge, c.Origin)
	rp := sha256.Sum256([]byte(c.RPID))
	ad := binary.BigEndian.AppendUint32(append(rp[:], c.Flags), count)
	h := sha256.Sum256(cd)
	sum := sha256.Sum256(append(append([]byte(nil), ad...), h[:]...))
	sig, err := d.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return jcs.Marshal(sap.Assertion{
		Carrier: sap.CarrierWebAuthn, Credential: sap.B64(d.id), AuthenticatorData: sap.B64(ad),
		ClientDataJSON: sap.B64(cd), Signature: sap.B64(sig),
	})
}

// saved is the form of a software authenticator in a file.
type saved struct {
	Origin string `json:"origin"`
	RPID   string `json:"rpId"`
	SAM    string `json:"sam"` // SubjectPublicKeyInfo
	Key    string `json:"key"` // PKCS #8
	ID     string `json:"id"`
	Count  int64  `json:"count"`
}

// Marshal returns the authenticator with its private key in clear. Only a demo
// may store it.
func (d *Software) Marshal() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key, err := x509.MarshalPKCS8PrivateKey(d.key)
	if err != nil {
		return nil, err
	}
	sam, err := x509.MarshalPKIXPublicKey(d.SAMKey)
	if err != nil {
		return nil, err
	}
	return jcs.Marshal(saved{d.Origin, d.RPID, sap.B64(sam), sap.B64(key), sap.B64(d.id), int64(d.count)})
}

// Unmarshal is the inverse of Marshal. The counter jumps ahead, because uses
// after the last Marshal are not known.
func Unmarshal(text []byte) (*Software, error) {
	var s saved
	if err := jcs.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	var raw [3][]byte
	for i, v := range []string{s.SAM, s.Key, s.ID} {
		b, err := sap.UnB64(v)
		if err != nil {
			return nil, err
		}
		raw[i] = b
	}
	pub, err := x509.ParsePKIXPublicKey(raw[0])
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(raw[1])
	if err != nil {
		return nil, err
	}
	sam, ok1 := pub.(*ecdsa.PublicKey)
	priv, ok2 := key.(*ecdsa.PrivateKey)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("%w: saved keys", sap.ReasonAlgorithm)
	}
	return &Software{SAMKey: sam, Origin: s.Origin, RPID: s.RPID, key: priv, id: raw[2], count: uint32(s.Count) + 1000}, nil
}
