//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"maps"
	"math/big"
	"slices"
	"time"

	p11 "github.com/miekg/pkcs11"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/failpoint"
)

// What a child does with wrapping keys of several epochs (KPR-06). Each is an object
// of its own in the token. A child finds them when it starts, and looks again when a
// request names one that it does not know: another child made it.

// findKEKs finds the wrapping keys. One that was not known before must be what the
// driver makes, or nothing is wrapped under it: whoever has the PIN could put a key
// that he knows in the place of the next epoch (KPR-01).
func (m *module) findKEKs() *fault {
	found := map[int]p11.ObjectHandle{}
	first, f := m.findOne(p11.CKO_SECRET_KEY, m.labels.kek)
	if f == nil {
		found[1] = first
	} else if f.status != statusKeyNotFound {
		return f
	}
	more, f := m.findUpTo(ofEpochs(m.labels.kek), 2*maxLiveKEKs)
	if f != nil {
		return f
	}
	for _, h := range more {
		a, err := m.ctx.GetAttributeValue(m.session, h, []*p11.Attribute{p11.NewAttribute(p11.CKA_LABEL, nil)})
		if err != nil {
			return ckFault("C_GetAttributeValue", err)
		}
		n, ok := epochOf(m.labels.kek, string(a[0].Value))
		if !ok || n == 1 {
			continue // the first is known by its label; some are not ours
		}
		if found[n] != 0 {
			return faultf(statusFailed, "several wrapping keys have the label %q", a[0].Value)
		}
		found[n] = h
	}
	if len(found) > maxLiveKEKs {
		return faultf(statusFailed, "more than %d wrapping keys begin with %q", maxLiveKEKs, m.labels.kek)
	}
	for n, h := range found {
		if m.keks[n] == h || n == 1 { // the first may be made by other means; the self-test judges it
			continue
		}
		label := epochLabel(m.labels.kek, n)
		if f := m.testTokenKey(label, h, expectedKEK); f != nil {
			return f
		}
	}
	m.keks = found
	return nil
}

// epochs lists the known epochs, the current one last.
func (m *module) epochs() []int { return slices.Sorted(maps.Keys(m.keks)) }

func (m *module) currentKEK() int {
	list := m.epochs()
	if len(list) == 0 {
		return 0
	}
	return list[len(list)-1]
}

// kekOf finds the wrapping key that a request names. A module may show what another
// process made a moment later.
func (m *module) kekOf(label []byte, missing byte) (p11.ObjectHandle, *fault) {
	n, ok := epochOf(m.labels.kek, string(label))
	if !ok {
		return 0, faultf(missing, "%.80q is no wrapping key of this token", label)
	}
	for try := range 4 {
		if h := m.keks[n]; h != 0 {
			return h, nil
		}
		time.Sleep(time.Duration(try) * 10 * time.Millisecond)
		if f := m.findKEKs(); f != nil {
			return 0, f
		}
	}
	return 0, faultf(missing, "wrapping key %q is not in the token: run the token initialisation first, if there never was one", label)
}

// nextKEK answers opNextKEK. When a later epoch than the named one is there already,
// from a request whose answer was lost, it is taken after the same tests.
func (m *module) nextKEK(req message) (message, *fault) {
	from, f := m.kekOf(req.field(0), statusKeyNotFound)
	if f == nil {
		f = m.findKEKs()
	}
	if f != nil {
		return message{}, f
	}
	now, _ := epochOf(m.labels.kek, string(req.field(0)))
	n := m.currentKEK()
	if n > now {
		f = m.fitForUse(epochLabel(m.labels.kek, n), from, m.keks[n])
	} else {
		n++
		f = m.makeKEK(n, from)
	}
	if f != nil {
		return message{}, f
	}
	return message{fields: [][]byte{[]byte(epochLabel(m.labels.kek, n))}}, nil
}

// makeKEK makes the wrapping key of an epoch. It gets its name, by which others find
// it, when it has passed every test; what a kill left without the name is destroyed
// here, and nothing can be under it. Once it has the name it is never destroyed by
// what fails afterwards: another child may have wrapped under it already.
func (m *module) makeKEK(n int, from p11.ObjectHandle) *fault {
	label := epochLabel(m.labels.kek, n)
	switch _, f := parseLabel([]byte(label)); {
	case f != nil:
		return f
	case n > maxKEKs:
		return faultf(statusUnsupported, "%d wrapping keys were made", maxKEKs)
	case len(m.keks) >= maxLiveKEKs:
		return faultf(statusUnsupported, "%d wrapping keys are in the token: destroy old ones first", len(m.keks))
	}
	if f := m.testRewrap(from, from); f != nil { // a module that cannot is told apart before anything is made
		return f
	}
	left, f := m.findAll(byLabel(p11.CKO_SECRET_KEY, label+unfinished))
	if f != nil {
		return f
	}
	if !m.destroy(left...) {
		return faultf(statusFailed, "%q is left of an earlier try and cannot be removed", label+unfinished)
	}
	aes := []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_GEN, nil)}
	failpoint.Before("hsm/kek-generated")
	kek, err := m.ctx.GenerateKey(m.session, aes, kekTemplate(label+unfinished, m.labels.kek))
	failpoint.After("hsm/kek-generated")
	if err != nil {
		return ckFault("C_GenerateKey", err)
	}
	if f = m.fitForUse(label, from, kek); f == nil {
		var taken []p11.ObjectHandle
		if taken, f = m.findAll(byLabel(p11.CKO_SECRET_KEY, label)); f == nil && len(taken) != 0 {
			f = faultf(statusKeyExists, "%q appeared in the token at the same moment", label)
		}
	}
	if f != nil {
		if !m.destroy(kek) {
			f.text += "; the next try removes the unfinished key"
		}
		return f
	}
	// The moment at which it becomes the current one.
	failpoint.Before("hsm/kek-named")
	err = m.ctx.SetAttributeValue(m.session, kek, []*p11.Attribute{p11.NewAttribute(p11.CKA_LABEL, label)})
	failpoint.After("hsm/kek-named")
	if err != nil {
		return ckFault("C_SetAttributeValue", err)
	}
	m.keks[n] = kek
	return nil
}

// fitForUse is what a new wrapping key must pass before anything is under it. That
// the module allows unwrapping as readable is known of it since the start, and no
// reason here.
func (m *module) fitForUse(label string, from, kek p11.ObjectHandle) *fault {
	if _, f := m.testKEK(label, kek); f != nil {
		return f
	}
	return m.testRewrap(from, kek)
}

// destroyKEK answers opDestroyKEK. The current one stays, whoever asks.
func (m *module) destroyKEK(req message) (message, *fault) {
	h, f := m.kekOf(req.field(0), statusKeyNotFound)
	if f == nil {
		f = m.findKEKs()
	}
	if f != nil {
		return message{}, f
	}
	n, _ := epochOf(m.labels.kek, string(req.field(0)))
	if n == m.currentKEK() {
		return message{}, faultf(statusInvalidInput, "%q is the current wrapping key", req.field(0))
	}
	failpoint.Before("hsm/kek-destroyed")
	err := m.ctx.DestroyObject(m.session, h)
	failpoint.After("hsm/kek-destroyed")
	if err != nil {
		return message{}, ckFault("C_DestroyObject", err)
	}
	delete(m.keks, n)
	left, f := m.findAll(byLabel(p11.CKO_SECRET_KEY, epochLabel(m.labels.kek, n)))
	if f == nil && len(left) != 0 {
		f = faultf(statusFailed, "the token destroyed %q and still shows it", req.field(0))
	}
	return message{}, f
}

// rewrap answers opRewrap: never under an older epoch than the blob's.
func (m *module) rewrap(req message) (message, *fault) {
	kt, f := parseKeyType(req.field(0))
	if f != nil {
		return message{}, f
	}
	from, f := m.kekOf(req.field(1), statusBadBlob)
	if f != nil {
		return message{}, f
	}
	to, f := m.kekOf(req.field(2), statusKeyNotFound)
	if f != nil {
		return message{}, f
	}
	old, _ := epochOf(m.labels.kek, string(req.field(1)))
	if n, _ := epochOf(m.labels.kek, string(req.field(2))); n < old || n != m.currentKEK() {
		return message{}, faultf(statusInvalidInput, "%q is not the current wrapping key", req.field(2))
	}
	failpoint.Before("hsm/key-rewrapped")
	blob, f := m.rewrapped(kt, from, to, req.field(3), req.field(4))
	failpoint.After("hsm/key-rewrapped")
	if f != nil {
		return message{}, f
	}
	return message{fields: [][]byte{blob}}, nil
}

// rewrapped wraps the key of a blob under another KEK (KPR-06). The key is never outside the
// token in plain form and never used. The wrappings of this driver are deterministic
// (RFC 3394, RFC 5649): what the new blob holds is wrapped under the old KEK once
// more, and the same octets come out only for the same key.
func (m *module) rewrapped(kt algo.KeyType, from, to p11.ObjectHandle, blob, spki []byte) (out []byte, f *fault) {
	key, f := m.unwrap(kt, from, blob, rewrapTemplate(kt))
	if f != nil {
		return nil, f
	}
	var again p11.ObjectHandle
	defer func() {
		if !m.destroy(key, again) { // the process goes, and with it the objects
			out, f = nil, faultf(statusDevice, "a key that was wrapped anew cannot be destroyed")
		}
	}()
	if f = m.belongs(kt, key, spki); f != nil {
		return nil, f
	}
	if out, f = m.wrap(to, key); f != nil {
		return nil, f
	}
	if again, f = m.unwrap(kt, to, out, rewrapTemplate(kt)); f != nil {
		return nil, faultf(statusFailed, "the new blob does not open: %s", f.text)
	}
	before, f := m.wrap(from, key)
	if f != nil {
		return nil, f
	}
	after, f := m.wrap(from, again)
	if f != nil {
		return nil, f
	}
	if !bytes.Equal(before, after) {
		return nil, faultf(statusFailed, "the new blob holds another key")
	}
	return out, nil
}

// belongs tells, as far as a private key object shows it, that the key is the public
// one's: the modulus of an RSA key, the curve of another.
func (m *module) belongs(kt algo.KeyType, key p11.ObjectHandle, spki []byte) *fault {
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return faultf(statusBadBlob, "public key of %d bytes", len(spki))
	}
	attr, want := uint(p11.CKA_EC_PARAMS), families[kt].curve
	k, isRSA := pub.(*rsa.PublicKey)
	if isRSA {
		attr, want = p11.CKA_MODULUS, k.N.Bytes()
	}
	a, err := m.ctx.GetAttributeValue(m.session, key, []*p11.Attribute{p11.NewAttribute(attr, nil)})
	var got []byte // empty: this module does not say
	if err == nil {
		got = a[0].Value
	}
	if isRSA {
		got = new(big.Int).SetBytes(got).Bytes()
	}
	if len(got) > 0 && !bytes.Equal(got, want) {
		return faultf(statusBadBlob, "the private key inside is of another public key")
	}
	return nil
}

// testRewrap wraps a throw-away key anew and signs with it. A module that does not
// allow it says so here, before there is a wrapping key that no old key can move to.
func (m *module) testRewrap(from, to p11.ObjectHandle) *fault {
	const kt = algo.P256
	pair, f := m.newPair(kt)
	if f != nil {
		return step("generate", f)
	}
	defer m.destroy(pair.private, pair.public)
	blob, f := m.wrap(from, pair.private)
	if f != nil {
		return step("wrap", f)
	}
	key, f := m.unwrap(kt, from, blob, rewrapTemplate(kt))
	if f != nil {
		if f.status != statusDevice {
			f = faultf(statusUnsupported, "the token does not let a wrapped key be wrapped anew (%s): its wrapping key is changed by the means of its maker", f.text)
		}
		return f
	}
	f = m.wantAttributes("unwrapped to be wrapped anew", key, expectedRewrapped)
	if f == nil && m.readable(key) {
		f = testFault("the value of a key can be read while it is wrapped anew")
	}
	if !m.destroy(key) && f == nil {
		f = faultf(statusDevice, "a throw-away key cannot be destroyed")
	}
	if f != nil {
		return f
	}
	if blob, f = m.rewrapped(kt, from, to, blob, pair.spki); f != nil {
		return step("wrap anew", f)
	}
	return m.testUnwrapped(kt, to, pair, blob)
}
