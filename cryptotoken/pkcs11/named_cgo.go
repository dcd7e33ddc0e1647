//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto/rand"

	p11 "github.com/miekg/pkcs11"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// lookup finds a named key and remembers its handle: a search costs a module
// time in proportion to its objects.
func (m *module) lookup(label string) (namedKey, *fault) {
	if k, ok := m.named[label]; ok {
		return k, nil
	}
	private, f := m.findOne(p11.CKO_PRIVATE_KEY, label)
	if f != nil {
		return namedKey{}, f
	}
	a, err := m.ctx.GetAttributeValue(m.session, private, []*p11.Attribute{p11.NewAttribute(p11.CKA_ID, nil)})
	if err != nil {
		return namedKey{}, ckFault("C_GetAttributeValue", err)
	}
	pubs, f := m.findAll(publicOf(label, a[0].Value))
	if f != nil {
		return namedKey{}, f
	}
	if len(pubs) != 1 {
		return namedKey{}, faultf(statusFailed, "key %q has %d public halves, want 1", label, len(pubs))
	}
	kt, f := m.keyType(pubs[0])
	if f != nil {
		return namedKey{}, f
	}
	_, spki, f := m.publicKey(kt, pubs[0])
	if f != nil {
		return namedKey{}, f
	}
	k := namedKey{private: private, kt: kt, public: spki}
	m.named[label] = k
	return k, nil
}

// keyType reads kind and size of a public key object.
func (m *module) keyType(h p11.ObjectHandle) (algo.KeyType, *fault) {
	if a, err := m.ctx.GetAttributeValue(m.session, h, []*p11.Attribute{p11.NewAttribute(p11.CKA_EC_PARAMS, nil)}); err == nil && len(a[0].Value) > 0 {
		for kt, f := range families {
			if f.curve != nil && bytes.Equal(f.curve, a[0].Value) {
				return kt, nil
			}
		}
		return "", faultf(statusUnsupported, "the key is on an unknown curve")
	}
	a, err := m.ctx.GetAttributeValue(m.session, h, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_MODULUS, nil), p11.NewAttribute(p11.CKA_PUBLIC_EXPONENT, nil)})
	if err != nil {
		return "", ckFault("C_GetAttributeValue", err)
	}
	pub, err := rsaPublic("", a[0].Value, a[1].Value)
	if err != nil {
		return "", faultf(statusUnsupported, "RSA key of an unknown size")
	}
	kt, err := algo.KeyTypeOf(pub)
	if err != nil {
		return "", faultf(statusUnsupported, "%v", err)
	}
	return kt, nil
}

// find answers opFind.
func (m *module) find(req message) (message, *fault) {
	label, f := parseLabel(req.field(0))
	if f != nil {
		return message{}, f
	}
	k, f := m.lookup(label)
	if f != nil {
		return message{}, f
	}
	return message{fields: [][]byte{k.public}}, nil
}

// signNamed answers opNamed.
func (m *module) signNamed(req message) (message, *fault) {
	label, f := parseLabel(req.field(0))
	if f != nil {
		return message{}, f
	}
	k, f := m.lookup(label)
	if f != nil {
		return message{}, f
	}
	a := algo.Algorithm(req.num)
	if req.num > 255 || len(req.fields) != 2 || cryptotoken.CheckSign(k.kt, a, req.fields[1:]) != nil {
		return message{}, faultf(statusInvalidInput, "algorithm or digest does not fit key %q of type %s", label, k.kt)
	}
	rep := message{}
	rep.fields, rep.num, f = m.signAll(k.kt, a, k.private, req.fields[1:])
	return rep, f
}

// create answers opCreate. PKCS #11 lets two objects have one label; the search
// after the generation makes sure that of two processes at most one wins.
func (m *module) create(req message) (message, *fault) {
	label, f := parseLabel(req.field(0))
	if f != nil {
		return message{}, f
	}
	kt, f := parseKeyType(req.field(1))
	if f != nil {
		return message{}, f
	}
	template := byLabel(p11.CKO_PRIVATE_KEY, label)
	if found, f := m.findAll(template); f != nil {
		return message{}, f
	} else if len(found) > 0 {
		return message{}, faultf(statusKeyExists, "%q", label)
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return message{}, faultf(statusFailed, "%v", err)
	}
	p, f := m.newPairWith(kt, publicTemplate(kt, label, id), namedPrivateTemplate(label, id))
	if f != nil {
		return message{}, f
	}
	rep := message{fields: [][]byte{p.spki}}
	rep.num, f = m.generationTest(kt, p)
	if f == nil {
		var found []p11.ObjectHandle
		if found, f = m.findAll(template); f == nil && len(found) != 1 {
			f = faultf(statusKeyExists, "%q appeared in the token at the same moment", label)
		}
	}
	if f != nil {
		if !m.destroy(p.private, p.public) {
			f.text += "; the new key could not be removed again"
		}
		return rep, f
	}
	return rep, nil
}

// destroyNamed answers opDestroyKey: the private half first, since it is the secret. A
// public half that a death in between left is removed by the next try.
func (m *module) destroyNamed(req message) (message, *fault) {
	label, f := parseLabel(req.field(0))
	if f != nil {
		return message{}, f
	}
	delete(m.named, label)
	found := 0
	for _, class := range []uint{p11.CKO_PRIVATE_KEY, p11.CKO_PUBLIC_KEY} {
		list, f := m.findAll(byLabel(class, label))
		if f != nil {
			return message{}, f
		}
		for _, h := range list {
			if err := m.ctx.DestroyObject(m.session, h); err != nil {
				return message{}, ckFault("C_DestroyObject", err)
			}
		}
		left, f := m.findAll(byLabel(class, label))
		if f == nil && len(left) != 0 {
			f = faultf(statusFailed, "the token destroyed %q and still shows it", label)
		}
		if f != nil {
			return message{}, f
		}
		found += len(list)
	}
	if found == 0 {
		return message{}, faultf(statusKeyNotFound, "%q", label)
	}
	return message{}, nil
}

// init answers opInit: the first wrapping key and the seal key, in a token that has neither.
func (m *module) init(message) (message, *fault) {
	if len(m.keks) != 0 || m.seal != 0 {
		return message{}, faultf(statusKeyExists, "wrapping key %q or seal key %q", m.labels.kek, m.labels.seal)
	}
	aes := []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_GEN, nil)}
	generic := []*p11.Mechanism{p11.NewMechanism(p11.CKM_GENERIC_SECRET_KEY_GEN, nil)}
	kek, err := m.ctx.GenerateKey(m.session, aes, kekTemplate(m.labels.kek, m.labels.kek))
	if err != nil {
		return message{}, ckFault("C_GenerateKey", err)
	}
	seal, err := m.ctx.GenerateKey(m.session, generic, sealTemplate(m.labels.seal))
	if err != nil {
		f := ckFault("C_GenerateKey", err)
		if !m.destroy(kek) {
			f.text += "; remove the key " + m.labels.kek + " by hand before the next try"
		}
		return message{}, f
	}
	m.keks, m.seal = map[int]p11.ObjectHandle{1: kek}, seal
	return message{}, nil
}
