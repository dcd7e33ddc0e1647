//go:build cgo

package pkcs11

import (
	p11 "github.com/miekg/pkcs11"

	"github.com/assent-sign/assent/internal/algo"
)

// Every attribute template of the driver is in this file; what is not here is
// never asked of a module.

// kekTemplate: an AES-256 key that wraps signers' keys, one object for each epoch
// (KPR-06). It never leaves the token and can do nothing but wrap and unwrap: with
// CKA_DECRYPT a wrapped key could be decrypted to plain bytes. The label names the
// epoch, the id all epochs of one token.
func kekTemplate(label, id string) []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY),
		p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_AES),
		p11.NewAttribute(p11.CKA_VALUE_LEN, 32),
		p11.NewAttribute(p11.CKA_LABEL, label),
		p11.NewAttribute(p11.CKA_ID, []byte(id)),
		p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_SENSITIVE, true),
		p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
		p11.NewAttribute(p11.CKA_WRAP, true),
		p11.NewAttribute(p11.CKA_UNWRAP, true),
		p11.NewAttribute(p11.CKA_ENCRYPT, false),
		p11.NewAttribute(p11.CKA_DECRYPT, false),
		p11.NewAttribute(p11.CKA_SIGN, false),
		p11.NewAttribute(p11.CKA_VERIFY, false),
		p11.NewAttribute(p11.CKA_DERIVE, false),
	}
}

// sealTemplate: the secret of DeriveSeal. It can make MACs and nothing else.
func sealTemplate(label string) []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY),
		p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET),
		p11.NewAttribute(p11.CKA_VALUE_LEN, 32),
		p11.NewAttribute(p11.CKA_LABEL, label),
		p11.NewAttribute(p11.CKA_ID, []byte(label)),
		p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_SENSITIVE, true),
		p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
		p11.NewAttribute(p11.CKA_SIGN, true),
		p11.NewAttribute(p11.CKA_VERIFY, true),
		p11.NewAttribute(p11.CKA_ENCRYPT, false),
		p11.NewAttribute(p11.CKA_DECRYPT, false),
		p11.NewAttribute(p11.CKA_WRAP, false),
		p11.NewAttribute(p11.CKA_UNWRAP, false),
		p11.NewAttribute(p11.CKA_DERIVE, false),
	}
}

// expected are the attributes that the self-test wants of the token's own keys.
// The last three cannot be set by anybody: the module keeps them as history, so
// they tell a key that was born inside from one that somebody else may know.
var (
	expectedBoth = []wantAttr{
		{"SENSITIVE", p11.CKA_SENSITIVE, true}, {"EXTRACTABLE", p11.CKA_EXTRACTABLE, false},
		{"PRIVATE", p11.CKA_PRIVATE, true}, {"TOKEN", p11.CKA_TOKEN, true},
		{"ENCRYPT", p11.CKA_ENCRYPT, false}, {"DECRYPT", p11.CKA_DECRYPT, false},
		{"ALWAYS_SENSITIVE", p11.CKA_ALWAYS_SENSITIVE, true},
		{"NEVER_EXTRACTABLE", p11.CKA_NEVER_EXTRACTABLE, true},
		{"LOCAL", p11.CKA_LOCAL, true},
	}
	expectedKEK       = []wantAttr{{"WRAP", p11.CKA_WRAP, true}, {"UNWRAP", p11.CKA_UNWRAP, true}}
	expectedSeal      = []wantAttr{{"SIGN", p11.CKA_SIGN, true}, {"WRAP", p11.CKA_WRAP, false}, {"UNWRAP", p11.CKA_UNWRAP, false}}
	expectedUnwrapped = []wantAttr{
		{"SENSITIVE", p11.CKA_SENSITIVE, true}, {"EXTRACTABLE", p11.CKA_EXTRACTABLE, false},
		{"TOKEN", p11.CKA_TOKEN, false}, {"SIGN", p11.CKA_SIGN, true},
	}
	expectedRewrapped = []wantAttr{
		{"SENSITIVE", p11.CKA_SENSITIVE, true}, {"PRIVATE", p11.CKA_PRIVATE, true},
		{"TOKEN", p11.CKA_TOKEN, false}, {"DECRYPT", p11.CKA_DECRYPT, false}, {"UNWRAP", p11.CKA_UNWRAP, false},
	}
)

type wantAttr struct {
	name string
	attr uint
	want bool
}

// publicTemplate: the public half of a key pair, readable without login. A
// session object, or a token object with a label and an id.
func publicTemplate(kt algo.KeyType, label string, id []byte) []*p11.Attribute {
	token := label != ""
	t := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, token),
		p11.NewAttribute(p11.CKA_PRIVATE, false),
		p11.NewAttribute(p11.CKA_VERIFY, true),
	}
	if token {
		t = append(t, p11.NewAttribute(p11.CKA_LABEL, label), p11.NewAttribute(p11.CKA_ID, id))
	}
	if f := families[kt]; f.curve != nil {
		return append(t, p11.NewAttribute(p11.CKA_EC_PARAMS, f.curve))
	}
	return append(t,
		p11.NewAttribute(p11.CKA_MODULUS_BITS, families[kt].bits),
		p11.NewAttribute(p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
}

// wrappablePrivateTemplate: a signer's key at birth: a session object that is
// extractable only so that it can be wrapped, and destroyed right afterwards.
func wrappablePrivateTemplate() []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, false),
		p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_SENSITIVE, true),
		p11.NewAttribute(p11.CKA_EXTRACTABLE, true),
		p11.NewAttribute(p11.CKA_SIGN, true),
		p11.NewAttribute(p11.CKA_DECRYPT, false),
		p11.NewAttribute(p11.CKA_UNWRAP, false),
		p11.NewAttribute(p11.CKA_DERIVE, false),
	}
}

// namedPrivateTemplate: an infrastructure key (seal, TSA, SAM statements). It
// never leaves the token in any form.
func namedPrivateTemplate(label string, id []byte) []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_LABEL, label),
		p11.NewAttribute(p11.CKA_ID, id),
		p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_SENSITIVE, true),
		p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
		p11.NewAttribute(p11.CKA_SIGN, true),
		p11.NewAttribute(p11.CKA_DECRYPT, false),
		p11.NewAttribute(p11.CKA_UNWRAP, false),
		p11.NewAttribute(p11.CKA_DERIVE, false),
	}
}

// unwrapTemplate: a signer's key for the time of one activation. Only the key
// family varies; nothing that a request says reaches it (KEY-04).
func unwrapTemplate(kt algo.KeyType) []*p11.Attribute {
	return unwrapWith(kt, true, false)
}

// rewrapTemplate: a signer's key while it is wrapped anew, as at its birth: a
// session object that can be wrapped and never read, destroyed right afterwards. A
// module that allows no such object cannot change its wrapping key by PKCS #11.
func rewrapTemplate(kt algo.KeyType) []*p11.Attribute {
	return unwrapWith(kt, true, true)
}

// unwrapWith is for the two above and the downgrade test.
func unwrapWith(kt algo.KeyType, sensitive, extractable bool) []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY),
		p11.NewAttribute(p11.CKA_KEY_TYPE, families[kt].keyType),
		p11.NewAttribute(p11.CKA_TOKEN, false),
		p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_SENSITIVE, sensitive),
		p11.NewAttribute(p11.CKA_EXTRACTABLE, extractable),
		p11.NewAttribute(p11.CKA_SIGN, true),
		p11.NewAttribute(p11.CKA_DECRYPT, false),
		p11.NewAttribute(p11.CKA_UNWRAP, false),
		p11.NewAttribute(p11.CKA_DERIVE, false),
	}
}

// byLabel finds objects of one class.
func byLabel(class uint, label string) []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, class),
		p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_LABEL, label),
	}
}

// ofEpochs finds the wrapping keys that the driver made, of all epochs.
func ofEpochs(id string) []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY),
		p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_ID, []byte(id)),
	}
}

// publicOf finds the public half of a named key.
func publicOf(label string, id []byte) []*p11.Attribute {
	return append(byLabel(p11.CKO_PUBLIC_KEY, label), p11.NewAttribute(p11.CKA_ID, id))
}

// family is what PKCS #11 needs to know of a key type.
type family struct {
	keyType uint
	gen     uint
	curve   []byte // CKA_EC_PARAMS: the curve's OID, DER
	bits    int    // RSA
}

var families = map[algo.KeyType]family{
	algo.P256:    {p11.CKK_EC, p11.CKM_EC_KEY_PAIR_GEN, []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, 0},
	algo.P384:    {p11.CKK_EC, p11.CKM_EC_KEY_PAIR_GEN, []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, 0},
	algo.P521:    {p11.CKK_EC, p11.CKM_EC_KEY_PAIR_GEN, []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23}, 0},
	algo.RSA2048: {p11.CKK_RSA, p11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil, 2048},
	algo.RSA3072: {p11.CKK_RSA, p11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil, 3072},
	algo.RSA4096: {p11.CKK_RSA, p11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil, 4096},
}
