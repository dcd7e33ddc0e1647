package tsp

import (
	"bytes"
	"crypto"
	"errors"
	"math/big"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"

	"github.com/assent-sign/assent/internal/algo"
)

// A request that is written reads back the same.
func TestRequestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := rapid.SampledFrom([]crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}).Draw(t, "hash")
		req := Request{Hash: h, Imprint: rapid.SliceOfN(rapid.Byte(), h.Size(), h.Size()).Draw(t, "imprint"), CertReq: rapid.Bool().Draw(t, "certReq")}
		if rapid.Bool().Draw(t, "policy") {
			req.Policy = testPolicy
		}
		if rapid.Bool().Draw(t, "nonce") {
			req.Nonce = big.NewInt(rapid.Int64().Draw(t, "n"))
		}
		der, err := req.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseRequest(der)
		if err != nil {
			t.Fatal(err)
		}
		if back.Hash != req.Hash || !bytes.Equal(back.Imprint, req.Imprint) || !back.Policy.Equal(req.Policy) || back.CertReq != req.CertReq ||
			(req.Nonce == nil) != (back.Nonce == nil) || (req.Nonce != nil && req.Nonce.Cmp(back.Nonce) != 0) || back.Extended {
			t.Fatalf("%+v read back as %+v", req, back)
		}
	})
}

// The accuracy is written to the microsecond.
func TestAccuracyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(1, 1e10).Draw(t, "us")) * time.Microsecond
		b := cryptobyte.NewBuilder(nil)
		addAccuracy(b, want)
		s := cryptobyte.String(b.BytesOrPanic())
		got, err := readAccuracy(&s)
		if err != nil || got != want {
			t.Fatalf("%s read back as %s, %v", want, got, err)
		}
	})
}

// T41, I9: requests and responses that are bombs cost less than 2 MB and are
// refused by name.
func TestBombsCostNothing(t *testing.T) {
	const mb = 1 << 20
	wrap := func(tag cbasn1.Tag, parts ...[]byte) []byte {
		b := cryptobyte.NewBuilder(nil)
		b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(parts...)) })
		return b.BytesOrPanic()
	}
	arcs := wrap(cbasn1.OBJECT_IDENTIFIER, bytes.Repeat([]byte{1}, mb-1000))
	granted := []byte{0x30, 3, 2, 1, 0}
	for name, der := range map[string][]byte{
		"dots":         bytes.Repeat([]byte{'.'}, mb),
		"zeros":        make([]byte, mb),
		"above limit":  make([]byte, mb+1),
		"token arcs":   wrap(cbasn1.SEQUENCE, granted, wrap(cbasn1.SEQUENCE, arcs)),
		"token nested": wrap(cbasn1.SEQUENCE, granted, bytes.Repeat([]byte{0x30, 0x80}, 1000)),
		"a MB of text": wrap(cbasn1.SEQUENCE, wrap(cbasn1.SEQUENCE, []byte{2, 1, 2}, wrap(cbasn1.SEQUENCE, wrap(cbasn1.UTF8String, bytes.Repeat([]byte{'.'}, mb-1000))))),
		"many texts":   wrap(cbasn1.SEQUENCE, wrap(cbasn1.SEQUENCE, []byte{2, 1, 2}, wrap(cbasn1.SEQUENCE, bytes.Repeat([]byte{12, 0}, mb/2-1000)))),
		"status bits":  wrap(cbasn1.SEQUENCE, wrap(cbasn1.SEQUENCE, []byte{2, 1, 2}, wrap(cbasn1.BIT_STRING, bytes.Repeat([]byte{0xff}, mb-1000)))),
		"long status":  wrap(cbasn1.SEQUENCE, wrap(cbasn1.SEQUENCE, wrap(cbasn1.INTEGER, bytes.Repeat([]byte{1}, mb-1000)))),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			resp, err := ParseResponse(der)
			if err == nil {
				if err = resp.Err(); err == nil {
					_, err = VerifyToken(resp.Token, crypto.SHA256, sum("x"), nil, time.Time{})
				}
			}
			_, qerr := ParseRequest(der)
			runtime.ReadMemStats(&after)
			if err == nil || qerr == nil {
				t.Fatal("accepted")
			}
			if len(err.Error()) > 600 {
				t.Errorf("an error text of %d bytes", len(err.Error()))
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
				t.Errorf("allocated %d bytes", grown)
			}
		})
	}
}

// FuzzTSPRequest: no panic; every refusal names its failure; what the responder
// grants verifies for exactly what was asked.
func FuzzTSPRequest(f *testing.F) {
	r := newTSA(f, algo.ES256)
	f.Add(query(1, oidSHA256, sum("x"), nil))
	f.Add(query(1, oidSHA256, sum("x"), func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(testPolicy)
		b.AddASN1Int64(-7)
		b.AddASN1Boolean(true)
	}))
	f.Add(query(1, oidSHA1, make([]byte, 20), nil))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		resp, err := r.Respond(t.Context(), der)
		var refusal *Refusal
		if err != nil && !errors.As(err, &refusal) {
			t.Fatalf("refusal without a failure code: %v", err)
		}
		parsed, perr := ParseResponse(resp)
		if perr != nil || (err == nil) != (parsed.Err() == nil) {
			t.Fatalf("our own response: %v, error %v", perr, err)
		}
		if err != nil {
			return
		}
		req, qerr := ParseRequest(der)
		if qerr != nil {
			t.Fatal(qerr)
		}
		_, verr := verifyToken(parsed.Token, req.Hash, req.Imprint, req.Nonce, req.Policy, Beside{}, anchors(), time.Time{})
		if req.CertReq && verr != nil {
			t.Fatalf("our own token: %v", verr)
		}
		if !req.CertReq && !errors.Is(verr, ErrNoCertificate) {
			t.Fatalf("token without certificate: %v", verr)
		}
	})
}

// FuzzTSPResponse: no panic; an error or a token, and bounded text.
func FuzzTSPResponse(f *testing.F) {
	good, err := newTSA(f, algo.ES256).Respond(f.Context(), query(1, oidSHA256, sum("x"), nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(Rejection(&Refusal{BadAlg, ErrInput}))
	f.Add(Rejection(errors.New("disk")))
	f.Fuzz(func(t *testing.T, der []byte) {
		resp, err := ParseResponse(der)
		if err != nil {
			return
		}
		if resp.Err() == nil && len(resp.Token) == 0 {
			t.Fatal("granted without a token")
		}
		if len(resp.Text) > 1000 || len(resp.Failures) > 64 {
			t.Fatalf("%d bytes of text, %d failures", len(resp.Text), len(resp.Failures))
		}
	})
}

// FuzzVerifyToken: no changed token is ever accepted for the imprint unless it
// says the same, by the same certificate. Keys differ from process to process,
// so the input is an edit of this process's own token; with cut 0 and mask 0 it
// is a token of its own.
func FuzzVerifyToken(f *testing.F) {
	r := newTSA(f, algo.ES256)
	token, info, err := (&InProcess{Authority: r, Anchors: anchors()}).Stamp(f.Context(), crypto.SHA256, sum("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token, uint16(0), uint16(0), byte(0))
	f.Add([]byte{}, uint16(9), uint16(0), byte(1))
	f.Add([]byte{0x30, 0x80}, uint16(100), uint16(2), byte(0))
	f.Fuzz(func(t *testing.T, patch []byte, at, cut uint16, mask byte) {
		der := patch
		if cut != 0 || mask != 0 { // replace cut bytes by patch, flip one behind it
			i := int(at) % len(token)
			j := min(i+int(cut), len(token))
			der = slices.Concat(token[:i], patch, token[j:])
			if k := i + len(patch); k < len(der) {
				der[k] ^= mask
			}
		}
		if _, err := VerifyToken(der, crypto.SHA256, sum("y"), anchors(), time.Time{}); err == nil {
			t.Fatal("accepted for another imprint")
		}
		got, err := VerifyToken(der, crypto.SHA256, sum("x"), anchors(), time.Time{})
		if err != nil {
			return
		}
		if !got.Time.Equal(info.Time) || got.Serial.Cmp(info.Serial) != 0 || !got.Certificate.Equal(info.Certificate) {
			t.Fatalf("a token that nobody made: %+v", got)
		}
	})
}
