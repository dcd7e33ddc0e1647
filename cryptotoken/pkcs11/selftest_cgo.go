//go:build cgo

package pkcs11

import (
	"bytes"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// selfTest answers opSelfTest with throw-away keys. It fails on what no module
// may do; what some modules allow and a production token must not (making a
// wrapped key readable) comes back as one field each, for the parent to judge.
func (m *module) selfTest(message) (message, *fault) {
	if f := m.findKEKs(); f != nil {
		return message{}, f
	}
	if len(m.keks) == 0 {
		return message{}, faultf(statusKeyNotFound, "wrapping key %q is not in the token: run the token initialisation first", m.labels.kek)
	}
	if m.seal == 0 {
		return message{}, faultf(statusKeyNotFound, "seal key %q is not in the token: run the token initialisation first", m.labels.seal)
	}
	if f := m.testTokenKey(m.labels.seal, m.seal, expectedSeal); f != nil {
		return message{}, f
	}
	rep := message{}
	for _, n := range m.epochs() {
		found, f := m.testKEK(epochLabel(m.labels.kek, n), m.keks[n])
		if f != nil {
			return message{}, f
		}
		for _, what := range found {
			if !slices.ContainsFunc(rep.fields, func(b []byte) bool { return bytes.Equal(b, what) }) {
				rep.fields = append(rep.fields, what)
			}
		}
	}
	return rep, nil
}

// testKEK tests one wrapping key; every epoch passes it before it is used.
func (m *module) testKEK(label string, kek p11.ObjectHandle) ([][]byte, *fault) {
	if f := m.testTokenKey(label, kek, expectedKEK); f != nil {
		return nil, f
	}
	const kt = algo.P256
	pair, f := m.newPair(kt)
	if f != nil {
		return nil, step("generate", f)
	}
	defer m.destroy(pair.private, pair.public)
	blob, f := m.wrap(kek, pair.private)
	if f != nil {
		return nil, step("wrap", f)
	}
	if f := m.testUnwrapped(kt, kek, pair, blob); f != nil {
		return nil, f
	}
	if f := m.testTamper(kt, kek, blob); f != nil {
		return nil, f
	}
	return m.testDowngrade(kt, kek, blob)
}

// step makes a fault one of the self-test; a broken device stays one.
func step(name string, f *fault) *fault {
	status := statusSelfTest
	if f.status == statusDevice || f.status == statusKeyNotFound {
		status = f.status
	}
	return &fault{status: status, text: name + ": " + f.text}
}

func testFault(format string, args ...any) *fault { return faultf(statusSelfTest, format, args...) }

// testTokenKey: a KEK or the seal key is what its template made.
func (m *module) testTokenKey(label string, h p11.ObjectHandle, want []wantAttr) *fault {
	if f := m.wantAttributes(label, h, want); f != nil {
		return f
	}
	if f := m.wantAttributes(label, h, expectedBoth); f != nil {
		return f
	}
	if m.readable(h) {
		return testFault("the value of key %q can be read", label)
	}
	return nil
}

func (m *module) wantAttributes(label string, h p11.ObjectHandle, want []wantAttr) *fault {
	for _, w := range want {
		a, err := m.ctx.GetAttributeValue(m.session, h, []*p11.Attribute{p11.NewAttribute(w.attr, nil)})
		if err != nil {
			return step("attribute "+w.name+" of "+label, ckFault("C_GetAttributeValue", err))
		}
		if got := len(a[0].Value) == 1 && a[0].Value[0] != 0; got != w.want {
			return testFault("key %q has CKA_%s=%v, want %v", label, w.name, got, w.want)
		}
	}
	return nil
}

// readable tells whether the module gives a key's value away.
func (m *module) readable(h p11.ObjectHandle) bool {
	a, err := m.ctx.GetAttributeValue(m.session, h, []*p11.Attribute{p11.NewAttribute(p11.CKA_VALUE, nil)})
	return err == nil && len(a[0].Value) > 0
}

// testUnwrapped: the unwrapped key signs correctly and cannot be taken out.
func (m *module) testUnwrapped(kt algo.KeyType, kek p11.ObjectHandle, pair keyPair, blob []byte) *fault {
	key, f := m.unwrap(kt, kek, blob, unwrapTemplate(kt))
	if f != nil {
		return step("unwrap", f)
	}
	defer m.destroy(key)
	if f := m.wantAttributes("unwrapped", key, expectedUnwrapped); f != nil {
		return f
	}
	if m.readable(key) {
		return testFault("the value of an unwrapped key can be read")
	}
	if _, err := m.ctx.WrapKey(m.session, m.wrapMechanism(), kek, key); err == nil {
		return testFault("an unwrapped key can be wrapped again")
	}
	a, digest := cryptotoken.GenerationTest(kt, pair.spki)
	sig, f := m.signOne(kt, a, key, digest)
	if f != nil {
		return step("sign", f)
	}
	if err := algo.Verify(pair.key, a, digest, sig); err != nil {
		return testFault("verify: %v", err)
	}
	return nil
}

// testTamper: a changed bit anywhere in the blob is refused.
func (m *module) testTamper(kt algo.KeyType, kek p11.ObjectHandle, blob []byte) *fault {
	for pos := 2; pos < len(blob); pos += 8 {
		bad := bytes.Clone(blob)
		bad[pos] ^= 0x10
		if key, f := m.unwrap(kt, kek, bad, unwrapTemplate(kt)); f == nil {
			m.destroy(key)
			return testFault("tamper: a blob with a changed bit in byte %d was unwrapped", pos)
		} else if f.status != statusBadBlob {
			return step("tamper", f)
		}
	}
	return nil
}

// testDowngrade tries to unwrap a key as one that can be taken out.
func (m *module) testDowngrade(kt algo.KeyType, kek p11.ObjectHandle, blob []byte) ([][]byte, *fault) {
	var found [][]byte
	for _, d := range []struct{ sensitive, extractable bool }{{false, true}, {true, true}, {false, false}} {
		key, f := m.unwrap(kt, kek, blob, unwrapWith(kt, d.sensitive, d.extractable))
		if f != nil {
			if f.status == statusDevice {
				return nil, f
			}
			continue
		}
		open := fmt.Sprintf("a wrapped key can be unwrapped with SENSITIVE=%v, EXTRACTABLE=%v", d.sensitive, d.extractable)
		if m.readable(key) {
			open += ", and then its value can be read"
		}
		found = append(found, []byte(open))
		m.destroy(key)
	}
	return found, nil
}
