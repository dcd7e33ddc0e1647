package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"math/big"

	"github.com/assent-sign/assent/internal/algo"
)

var errEncoding = errors.New("pkcs11: the module's answer is malformed")

// ecdsaDER turns the raw r||s of PKCS #11 (each n bytes, n the length of the
// curve's order) into the ASN.1 form that everything outside wants.
func ecdsaDER(kt algo.KeyType, raw []byte) ([]byte, error) {
	c := kt.Curve()
	if c == nil {
		return nil, errEncoding
	}
	n := (c.Params().N.BitLen() + 7) / 8
	if len(raw) != 2*n {
		return nil, errEncoding
	}
	r, s := derInt(raw[:n]), derInt(raw[n:])
	body := len(r) + len(s)
	out := make([]byte, 0, body+3)
	out = append(out, 0x30)
	if body >= 0x80 { // at most 138, for P-521
		out = append(out, 0x81)
	}
	out = append(out, byte(body))
	return append(append(out, r...), s...), nil
}

// derInt encodes a non-negative integer of at most 66 bytes.
func derInt(b []byte) []byte {
	b = bytes.TrimLeft(b, "\x00")
	pad := len(b) == 0 || b[0] >= 0x80
	out := make([]byte, 0, len(b)+3)
	out = append(out, 0x02, byte(len(b)))
	if pad {
		out[1]++
		out = append(out, 0)
	}
	return append(out, b...)
}

// ecPublic decodes CKA_EC_POINT: a DER OCTET STRING around the uncompressed
// point, or, in modules that do not follow the standard, the bare point.
func ecPublic(kt algo.KeyType, point []byte) (crypto.PublicKey, error) {
	c := kt.Curve()
	if c == nil {
		return nil, errEncoding
	}
	size := 1 + 2*((c.Params().BitSize+7)/8)
	if len(point) != size {
		var inner []byte
		if rest, err := asn1.Unmarshal(point, &inner); err != nil || len(rest) != 0 || len(inner) != size {
			return nil, errEncoding
		}
		point = inner
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(c, point)
	if err != nil {
		return nil, errEncoding
	}
	return pub, nil
}

// rsaPublic decodes CKA_MODULUS and CKA_PUBLIC_EXPONENT.
func rsaPublic(kt algo.KeyType, modulus, exponent []byte) (crypto.PublicKey, error) {
	e := new(big.Int).SetBytes(exponent)
	if len(modulus) > 1024 || e.BitLen() > 31 || e.Int64() < 65537 {
		return nil, errEncoding
	}
	pub := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e.Int64())}
	if got, err := algo.KeyTypeOf(pub); err != nil || (kt != "" && got != kt) {
		return nil, errEncoding
	}
	return pub, nil
}

// digestInfo prefixes a digest as RSASSA-PKCS1-v1_5 wants it (RFC 8017 9.2).
func digestInfo(a algo.Algorithm, digest []byte) []byte {
	prefix := map[crypto.Hash]string{
		crypto.SHA256: "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
		crypto.SHA384: "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
		crypto.SHA512: "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
	}[a.Hash()]
	return append([]byte(prefix), digest...)
}
