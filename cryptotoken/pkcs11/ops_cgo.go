//go:build cgo

package pkcs11

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"

	p11 "github.com/miekg/pkcs11"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/failpoint"
)

// Blobs of this driver: version, which mechanism wrapped (so that a token that
// learns a better one still opens old blobs), then what C_WrapKey gave.
const (
	blobVersion = 1
	blobPad     = 0x5A // mechWrapPad
	blobKWP     = 0xA5 // mechWrapKWP; no bit flip leads from one to the other
)

func (m *module) wrapMechanism() []*p11.Mechanism {
	return []*p11.Mechanism{p11.NewMechanism(uint(m.mech), nil)}
}

// wrap encrypts a key under a KEK.
func (m *module) wrap(kek, key p11.ObjectHandle) ([]byte, *fault) {
	raw, err := m.ctx.WrapKey(m.session, m.wrapMechanism(), kek, key)
	if err != nil {
		return nil, ckFault("C_WrapKey", err)
	}
	tag := byte(blobPad)
	if m.mech == mechWrapKWP {
		tag = blobKWP
	}
	return append([]byte{blobVersion, tag}, raw...), nil
}

// unwrap makes a session object of a blob. Modules report a damaged blob in
// many ways (SoftHSM: CKR_GENERAL_ERROR, like a broken device), so a refusal is
// followed by a check with a throw-away key: if the KEK works, the blob is bad. A
// blob opens under the KEK of its epoch and no other: that is what binds it to the
// epoch that its record names (KPR-01, KPR-06).
func (m *module) unwrap(kt algo.KeyType, kek p11.ObjectHandle, blob []byte, template []*p11.Attribute) (p11.ObjectHandle, *fault) {
	var mech uint32
	switch {
	case len(blob) < 2+24 || len(blob) > cryptotoken.MaxBlob || blob[0] != blobVersion || len(blob[2:])%8 != 0:
		return 0, faultf(statusBadBlob, "form of the blob (%d bytes)", len(blob))
	case blob[1] == blobPad:
		mech = mechWrapPad
	case blob[1] == blobKWP:
		mech = mechWrapKWP
	default:
		return 0, faultf(statusBadBlob, "unknown mechanism %#x", blob[1])
	}
	key, err := m.ctx.UnwrapKey(m.session, []*p11.Mechanism{p11.NewMechanism(uint(mech), nil)}, kek, blob[2:], template)
	if err == nil {
		return key, nil
	}
	f := ckFault("C_UnwrapKey", err)
	if f.status == statusDevice && !ambiguousUnwrap(err) {
		return 0, f
	}
	if m.kekWorks(kek) != nil {
		f.status = statusDevice
		return 0, f
	}
	return 0, faultf(statusBadBlob, "%s %s", kt, f.text)
}

// ambiguousUnwrap: errors that modules give both for bad input and for trouble.
func ambiguousUnwrap(err error) bool {
	var ck p11.Error
	return errors.As(err, &ck) && (ck == p11.CKR_GENERAL_ERROR || ck == p11.CKR_FUNCTION_FAILED || ck == p11.CKR_DEVICE_ERROR)
}

// kekWorks wraps and unwraps a throw-away key.
func (m *module) kekWorks(kek p11.ObjectHandle) *fault {
	pair, f := m.newPair(algo.P256)
	if f != nil {
		return f
	}
	defer m.destroy(pair.private, pair.public)
	raw, err := m.ctx.WrapKey(m.session, m.wrapMechanism(), kek, pair.private)
	if err != nil {
		return ckFault("C_WrapKey", err)
	}
	key, err := m.ctx.UnwrapKey(m.session, m.wrapMechanism(), kek, raw, unwrapTemplate(algo.P256))
	if err != nil {
		return ckFault("C_UnwrapKey", err)
	}
	m.destroy(key)
	return nil
}

// destroy reports whether all objects are gone. Zero handles are skipped.
func (m *module) destroy(objects ...p11.ObjectHandle) bool {
	ok := true
	for _, o := range objects {
		if o != 0 && m.ctx.DestroyObject(m.session, o) != nil {
			ok = false
		}
	}
	return ok
}

type keyPair struct {
	private, public p11.ObjectHandle
	spki            []byte
	key             crypto.PublicKey
}

// newPair makes a pair of session objects that can be wrapped.
func (m *module) newPair(kt algo.KeyType) (keyPair, *fault) {
	return m.newPairWith(kt, publicTemplate(kt, "", nil), wrappablePrivateTemplate())
}

func (m *module) newPairWith(kt algo.KeyType, public, private []*p11.Attribute) (keyPair, *fault) {
	pub, priv, err := m.ctx.GenerateKeyPair(m.session, []*p11.Mechanism{p11.NewMechanism(families[kt].gen, nil)}, public, private)
	if err != nil {
		return keyPair{}, ckFault("C_GenerateKeyPair", err)
	}
	p := keyPair{private: priv, public: pub}
	var f *fault
	if p.key, p.spki, f = m.publicKey(kt, pub); f != nil {
		m.destroy(priv, pub)
		return keyPair{}, f
	}
	return p, nil
}

// publicKey reads a public key object.
func (m *module) publicKey(kt algo.KeyType, h p11.ObjectHandle) (crypto.PublicKey, []byte, *fault) {
	var key crypto.PublicKey
	var err error
	if families[kt].curve != nil {
		var a []*p11.Attribute
		if a, err = m.ctx.GetAttributeValue(m.session, h, []*p11.Attribute{p11.NewAttribute(p11.CKA_EC_POINT, nil)}); err == nil {
			key, err = ecPublic(kt, a[0].Value)
		}
	} else {
		var a []*p11.Attribute
		if a, err = m.ctx.GetAttributeValue(m.session, h, []*p11.Attribute{
			p11.NewAttribute(p11.CKA_MODULUS, nil), p11.NewAttribute(p11.CKA_PUBLIC_EXPONENT, nil)}); err == nil {
			key, err = rsaPublic(kt, a[0].Value, a[1].Value)
		}
	}
	if errors.Is(err, errEncoding) {
		return nil, nil, faultf(statusFailed, "public key of type %s: %v", kt, err)
	}
	if err != nil {
		return nil, nil, ckFault("C_GetAttributeValue", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, nil, faultf(statusFailed, "public key: %v", err)
	}
	return key, spki, nil
}

// signOne runs one C_SignInit and C_Sign. A fault with started false proves
// that C_Sign was not called.
func (m *module) signOne(kt algo.KeyType, a algo.Algorithm, key p11.ObjectHandle, digest []byte) ([]byte, *fault) {
	mech, input := mechanism(a, digest)
	failpoint.Before("token/32-sign-init")
	if err := m.ctx.SignInit(m.session, []*p11.Mechanism{mech}, key); err != nil {
		return nil, ckFault("C_SignInit", err)
	}
	failpoint.After("token/32-sign-init")
	failpoint.After("token/33-sign-entered")
	sig, err := m.ctx.Sign(m.session, input)
	failpoint.Before("token/34-sign-returned")
	if err != nil {
		f := ckFault("C_Sign", err)
		f.started = true
		return nil, f
	}
	if !a.IsECDSA() {
		return sig, nil
	}
	der, err := ecdsaDER(kt, sig)
	if err != nil {
		return nil, &fault{status: statusFailed, started: true, text: "C_Sign: signature of wrong length"}
	}
	return der, nil
}

func mechanism(a algo.Algorithm, digest []byte) (*p11.Mechanism, []byte) {
	switch {
	case a.IsECDSA():
		return p11.NewMechanism(p11.CKM_ECDSA, nil), digest
	case !a.IsPSS():
		return p11.NewMechanism(p11.CKM_RSA_PKCS, nil), digestInfo(a, digest)
	}
	hash := map[crypto.Hash][2]uint{
		crypto.SHA256: {p11.CKM_SHA256, p11.CKG_MGF1_SHA256},
		crypto.SHA384: {p11.CKM_SHA384, p11.CKG_MGF1_SHA384},
		crypto.SHA512: {p11.CKM_SHA512, p11.CKG_MGF1_SHA512},
	}[a.Hash()]
	// The parameters are plain bytes on Go's side; the binding copies them for
	// the call and frees the copy, so nothing is left to free here.
	params := p11.NewPSSParams(hash[0], hash[1], uint(a.Hash().Size()))
	return p11.NewMechanism(p11.CKM_RSA_PKCS_PSS, params), digest
}

// signAll signs digests in order; made counts those that exist when it fails.
func (m *module) signAll(kt algo.KeyType, a algo.Algorithm, key p11.ObjectHandle, digests [][]byte) (sigs [][]byte, made uint32, f *fault) {
	sigs = make([][]byte, len(digests))
	for i, d := range digests {
		if sigs[i], f = m.signOne(kt, a, key, d); f != nil {
			if f.started {
				made++
			}
			return nil, made, f
		}
		made++
	}
	return sigs, made, nil
}

// generationTest signs and verifies what GenerationTest composes.
func (m *module) generationTest(kt algo.KeyType, p keyPair) (uint32, *fault) {
	a, digest := cryptotoken.GenerationTest(kt, p.spki)
	sig, f := m.signOne(kt, a, p.private, digest)
	if f != nil {
		if f.started {
			return 1, f
		}
		return 0, f
	}
	if err := algo.Verify(p.key, a, digest, sig); err != nil {
		return 1, &fault{status: statusSelfTest, started: true, text: "generation test: " + err.Error()}
	}
	return 1, nil
}

// generate answers opGenerate.
func (m *module) generate(req message) (message, *fault) {
	kt, f := parseKeyType(req.field(0))
	if f != nil {
		return message{}, f
	}
	kek, f := m.kekOf(req.field(1), statusKeyNotFound)
	if f != nil {
		return message{}, f
	}
	p, f := m.newPair(kt)
	if f != nil {
		return message{}, f
	}
	rep := message{}
	if rep.num, f = m.generationTest(kt, p); f == nil {
		var blob []byte
		if blob, f = m.wrap(kek, p.private); f == nil {
			rep.fields = [][]byte{p.spki, blob}
		}
	}
	return m.drop(rep, f, p.private, p.public)
}

// drop destroys the objects of a request. A key that cannot be destroyed does
// not undo signatures that exist; the child asks to be replaced, and with its
// process the session objects go.
func (m *module) drop(rep message, f *fault, objects ...p11.ObjectHandle) (message, *fault) {
	if m.destroy(objects...) {
		return rep, f
	}
	if f != nil {
		f.status = statusDevice
	}
	rep.flags |= flagRetire
	return rep, f
}

// sign answers opSign: unwrap, sign every digest, destroy.
func (m *module) sign(req message) (message, *fault) {
	kt, f := parseKeyType(req.field(0))
	if f != nil {
		return message{}, f
	}
	a := algo.Algorithm(req.num)
	if req.num > 255 || len(req.fields) < 4 || cryptotoken.CheckSign(kt, a, req.fields[3:]) != nil {
		return message{}, faultf(statusInvalidInput, "algorithm or digests do not fit a key of type %s", kt)
	}
	kek, f := m.kekOf(req.field(1), statusBadBlob)
	if f != nil {
		return message{}, f
	}
	failpoint.Before("token/31-key-unwrapped")
	key, f := m.unwrap(kt, kek, req.field(2), unwrapTemplate(kt))
	if f != nil {
		return message{}, f
	}
	failpoint.After("token/31-key-unwrapped")
	rep := message{}
	rep.fields, rep.num, f = m.signAll(kt, a, key, req.fields[3:])
	failpoint.Before("token/39-key-destroyed")
	defer failpoint.After("token/39-key-destroyed")
	return m.drop(rep, f, key)
}

// check answers opCheck: unwrap and destroy.
func (m *module) check(req message) (message, *fault) {
	kt, f := parseKeyType(req.field(0))
	if f != nil {
		return message{}, f
	}
	kek, f := m.kekOf(req.field(1), statusBadBlob)
	if f != nil {
		return message{}, f
	}
	key, f := m.unwrap(kt, kek, req.field(2), unwrapTemplate(kt))
	if f != nil {
		return message{}, f
	}
	return m.drop(message{}, nil, key)
}

// deriveSeal answers opSeal: HMAC-SHA-256 of the label under the token's secret.
func (m *module) deriveSeal(req message) (message, *fault) {
	label, f := parseLabel(req.field(0))
	if f != nil {
		return message{}, f
	}
	if m.seal == 0 {
		return message{}, faultf(statusKeyNotFound, "seal key %q is not in the token: run the token initialisation first", m.labels.seal)
	}
	mac, f := m.hmac(m.seal, []byte(cryptotoken.SealPrefix+label))
	if f != nil {
		return message{}, f
	}
	return message{fields: [][]byte{mac}}, nil
}

func (m *module) hmac(key p11.ObjectHandle, data []byte) ([]byte, *fault) {
	if err := m.ctx.SignInit(m.session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_SHA256_HMAC, nil)}, key); err != nil {
		return nil, ckFault("C_SignInit", err)
	}
	mac, err := m.ctx.Sign(m.session, data)
	if err != nil {
		return nil, ckFault("C_Sign", err)
	}
	if len(mac) != sha256.Size {
		return nil, faultf(statusFailed, "MAC of %d bytes", len(mac))
	}
	return mac, nil
}
