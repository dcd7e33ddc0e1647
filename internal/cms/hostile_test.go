package cms_test

import (
	"bytes"
	"crypto"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/testenv"
)

// tlv writes a definite-length element of any size.
func tlv(tag byte, content ...[]byte) []byte {
	body := bytes.Join(content, nil)
	n := len(body)
	switch {
	case n < 128:
		return append([]byte{tag, byte(n)}, body...)
	case n < 1<<16:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	}
	return append([]byte{tag, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// signedDataOf wraps the parts of a SignedData.
func signedDataOf(parts ...[]byte) []byte {
	oid := []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2}
	return tlv(0x30, oid, tlv(0xA0, tlv(0x30, parts...)))
}

// bombs are messages that cost a careless reader memory, stack or time.
func bombs() map[string][]byte {
	const mb = 1 << 20
	version, digests := []byte{2, 1, 1}, []byte{0x31, 0}
	encap := tlv(0x30, []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1})
	arcs := tlv(6, bytes.Repeat([]byte{1}, mb))
	nest := bytes.Repeat([]byte{0x30, 0x80}, mb/2)
	deep := []byte{5, 0}
	for range 1000 { // quadratic to build, so not more
		deep = tlv(0x30, deep)
	}
	sid := tlv(0x30, tlv(0x30), []byte{2, 1, 1})
	alg := tlv(0x30, []byte{6, 2, 0x2a, 3})
	manyAttrs := tlv(0xA0, bytes.Repeat(tlv(0x30, []byte{6, 2, 0x2a, 3}, tlv(0x31, []byte{5, 0})), mb/10))
	manyValues := tlv(0xA0, tlv(0x30, []byte{6, 2, 0x2a, 3}, tlv(0x31, bytes.Repeat([]byte{5, 0}, mb/2))))
	signer := func(attrs []byte) []byte {
		return tlv(0x31, tlv(0x30, version, sid, alg, attrs, alg, tlv(4, []byte("sig"))))
	}
	return map[string][]byte{
		"type of a million arcs":     tlv(0x30, arcs),
		"eContentType of arcs":       signedDataOf(version, digests, tlv(0x30, arcs)),
		"attribute type of arcs":     signedDataOf(version, digests, encap, signer(tlv(0xA0, tlv(0x30, arcs, tlv(0x31))))),
		"algorithm of arcs":          signedDataOf(version, digests, encap, tlv(0x31, tlv(0x30, version, sid, tlv(0x30, arcs)))),
		"serial number of a MB":      signedDataOf(version, digests, encap, tlv(0x31, tlv(0x30, version, tlv(0x30, tlv(0x30), tlv(2, bytes.Repeat([]byte{1}, mb)))))),
		"a hundred thousand attrs":   signedDataOf(version, digests, encap, signer(manyAttrs)),
		"half a million values":      signedDataOf(version, digests, encap, signer(manyValues)),
		"half a million certs":       signedDataOf(version, digests, encap, tlv(0xA0, bytes.Repeat([]byte{0x30, 0}, mb/2)), tlv(0x31)),
		"a certificate of a MB":      signedDataOf(version, digests, encap, tlv(0xA0, tlv(0x30, make([]byte, mb))), tlv(0x31)),
		"a hundred thousand signers": signedDataOf(version, digests, encap, tlv(0x31, bytes.Repeat(tlv(0x30, version, sid, alg, alg, tlv(4)), mb/30))),
		"indefinite nesting":         nest,
		"deep nesting":               signedDataOf(version, digests, tlv(0x30, deep)),
		"length of 4 GB":             append([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, make([]byte, mb)...),
		"length of 2^63":             append([]byte{0x30, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, make([]byte, mb)...),
		"a MB of dots":               bytes.Repeat([]byte{'.'}, mb),
		"a MB of zeros":              make([]byte, mb),
		"above the limit":            make([]byte, cms.MaxMessage+1),
	}
}

// T41 (CVE-2025-66564 and its kin), I9: every bomb is refused with a sentinel,
// at once, and with less than 2 MB of heap beyond the message itself.
func TestBombsCostNothing(t *testing.T) {
	for name, der := range bombs() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			_, err := cms.Parse(der)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("accepted")
			}
			known := false
			for _, s := range []error{cms.ErrLimit, cms.ErrMalformed, cms.ErrBER} {
				known = known || errors.Is(err, s)
			}
			if !known {
				t.Errorf("error without a sentinel: %v", err)
			}
			if len(err.Error()) > 300 {
				t.Errorf("an error text of %d bytes", len(err.Error()))
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
				t.Errorf("allocated %d bytes", grown)
			}
			testenv.Within(t, name, time.Second, func() { _, _ = cms.Parse(der) })
		})
	}
}

// A message cut anywhere, or with any byte changed, never panics and is never
// taken for the original: it fails, or says the same signed things.
func TestEveryCutAndFlipIsHarmless(t *testing.T) {
	der := assemble(t, input(t, algo.ES256, content))
	for n := range der {
		if _, err := cms.Parse(der[:n]); err == nil {
			t.Fatalf("accepted when cut at %d", n)
		}
	}
	want := mustParse(t, der).Signers[0].RawSignedAttrs()
	for i := range der {
		for _, mask := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(der)
			bad[i] ^= mask
			leaf, err := verify(bad, content, cms.VerifyOptions{})
			if err != nil {
				continue
			}
			if !bytes.Equal(leaf.Raw, pki().chain(algo.P256)[0]) || !bytes.Equal(mustParse(t, bad).Signers[0].RawSignedAttrs(), want) {
				t.Fatalf("byte %d: another signature verifies", i)
			}
		}
	}
}

func seeds(f *testing.F) [][]byte {
	f.Helper()
	plain := assemble(f, input(f, algo.ES256, content))
	stamped, err := cms.AddUnsigned(plain, cms.Attribute(cms.OIDTimeStampToken, plain))
	if err != nil {
		f.Fatal(err)
	}
	out := [][]byte{plain, stamped, assemble(f, input(f, algo.ES384, content)), append(bytes.Clone(plain), 0, 0), {0x30, 0x80}, nil}
	return append(out, rawFor(f, sorted(attrs(pki().chain(algo.P256)[0], crypto.SHA256, content)...)).der(f))
}

// FuzzParse: no panic; what parses can be verified and asked without panic, and
// Parse and ParsePadded agree.
func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		sd, err := cms.Parse(der)
		padded, message, perr := cms.ParsePadded(der)
		if err != nil {
			if perr == nil && len(message) == len(der) {
				t.Fatal("ParsePadded accepts what Parse refuses")
			}
			return
		}
		if perr != nil || !bytes.Equal(message, der) || len(padded.Signers) != len(sd.Signers) {
			t.Fatalf("ParsePadded disagrees: %v", perr)
		}
		if st, err := sd.Statements(); err == nil && len(st.Certs)+len(st.CRLs)+len(st.OCSPs) > cms.MaxStatements || err != nil && st != nil {
			t.Fatal("statements out of bounds")
		}
		for _, si := range sd.Signers {
			_ = si.TimeStampTokens()
			for _, opts := range []cms.VerifyOptions{{}, {ContentType: sd.ContentType, AllowUnsorted: true, AllowESSv1: true, AllowNoESS: true}} {
				leaf, err := sd.Verify(si, digest(crypto.SHA256, content), opts)
				if (err == nil) != (leaf != nil) {
					t.Fatal("certificate and error")
				}
			}
		}
	})
}

// FuzzAddUnsigned: what can be edited parses again, holds one attribute more and
// nothing else.
func FuzzAddUnsigned(f *testing.F) {
	attr := cms.ContentTypeAttr(cms.OIDData)
	for _, s := range seeds(f) {
		f.Add(s, attr)
	}
	f.Add([]byte{0x30, 0}, []byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der, attr []byte) {
		out, err := cms.AddUnsigned(der, attr)
		if err != nil {
			if out != nil {
				t.Fatal("output with an error")
			}
			return
		}
		before, after := mustParse(t, der), mustParse(t, out)
		if len(after.Signers[0].UnsignedAttrs) != len(before.Signers[0].UnsignedAttrs)+1 ||
			!bytes.Equal(after.Signers[0].RawSignedAttrs(), before.Signers[0].RawSignedAttrs()) ||
			!bytes.Equal(after.Signers[0].Signature, before.Signers[0].Signature) {
			t.Fatal("more than one attribute changed")
		}
	})
}
