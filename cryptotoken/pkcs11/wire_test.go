package pkcs11

import (
	"bufio"
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"reflect"
	"runtime"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

func frame(t testing.TB, m message) []byte {
	t.Helper()
	b, err := appendFrame(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func seeds(f *testing.F) {
	for _, m := range []message{
		{}, {kind: opPing, seq: 7}, {kind: opSeal, fields: [][]byte{[]byte("label")}},
		{kind: opSign, num: uint32(algo.ES256), fields: [][]byte{[]byte("P-256"), []byte("assent-kek"), make([]byte, 80), make([]byte, 32)}},
		{kind: opNextKEK, fields: [][]byte{[]byte("assent-kek")}}, {kind: opDestroyKEK, fields: [][]byte{[]byte("assent-kek/2")}}, {kind: opDestroyKey, fields: [][]byte{[]byte("samd-statement")}},
		{kind: opRewrap, fields: [][]byte{[]byte("P-256"), []byte("assent-kek"), []byte("assent-kek/2"), make([]byte, 80), make([]byte, 91)}},
		{kind: statusDevice, flags: flagNotStarted, fields: [][]byte{[]byte("text\x00\xff")}},
		{kind: opHello, fields: [][]byte{[]byte("/nonexistent.so"), nil, nil, []byte("1"), nil, nil}},
	} {
		f.Add(frame(f, m))
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})
}

// FuzzFrame: what decodes encodes to the same bytes, and nothing else decodes;
// the parent turns any reply into an error without a panic.
func FuzzFrame(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := readFrame(bufio.NewReader(bytes.NewReader(in)))
		if err != nil {
			if len(in) > 0 && errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("io.EOF in the middle of %d bytes", len(in))
			}
			return
		}
		out := frame(t, m)
		if !bytes.HasPrefix(in, out) {
			t.Errorf("decoded and encoded again: %x became %x", in, out)
		}
		if m.kind != statusOK {
			err := replyError("x", m)
			if errors.Is(err, cryptotoken.ErrNotStarted) != (m.flags&flagNotStarted != 0) {
				t.Error("ErrNotStarted does not follow the flag")
			}
		}
	})
}

// FuzzChild feeds any bytes to the loop of a real child (no module is loaded
// before a hello with a good path): it ends or answers, and never panics.
func FuzzChild(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		for r := bufio.NewReader(bytes.NewReader(in)); ; {
			m, err := readFrame(r)
			if err != nil {
				break
			}
			if m.kind == opHello && len(m.field(0)) > 0 {
				return // dlopen of what a fuzzer names is no part of the protocol
			}
		}
		var out bytes.Buffer
		b := newBackend()
		_ = serve(b, bytes.NewReader(in), &out)
		r := bufio.NewReader(&out)
		for {
			rep, err := readFrame(r)
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Errorf("the child wrote a malformed reply: %v", err)
				}
				return
			}
			if rep.kind == statusOK || rep.flags&flagNotStarted == 0 {
				t.Errorf("a child without a module answered %+v", rep)
			}
		}
	})
}

// I9: a length that promises much costs only what arrives.
func TestFrameBounds(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		in := binary.BigEndian.AppendUint32(nil, maxFrame)
		if _, err := readFrame(bufio.NewReaderSize(bytes.NewReader(in), 64)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut frame: %v", err)
		}
	}
	runtime.ReadMemStats(&after)
	if grew := after.TotalAlloc - before.TotalAlloc; grew > 100*256<<10 {
		t.Errorf("100 cut frames allocated %d bytes", grew)
	}
	for _, size := range []uint32{0, headSize - 1, maxFrame + 1, 1<<32 - 1} {
		in := binary.BigEndian.AppendUint32(nil, size)
		if _, err := readFrame(bufio.NewReader(bytes.NewReader(append(in, make([]byte, 64)...)))); !errors.Is(err, errFrame) {
			t.Errorf("length %d: %v, want errFrame", size, err)
		}
	}
	if _, err := appendFrame(nil, message{fields: make([][]byte, maxFields+1)}); !errors.Is(err, errFrame) {
		t.Errorf("too many fields: %v", err)
	}
	if _, err := appendFrame(nil, message{fields: [][]byte{make([]byte, maxFrame)}}); !errors.Is(err, errFrame) {
		t.Errorf("too many bytes: %v", err)
	}
	// The largest legitimate reply fits.
	sigs := make([][]byte, cryptotoken.MaxDigests)
	for i := range sigs {
		sigs[i] = make([]byte, 512)
	}
	m, err := readFrame(bufio.NewReader(bytes.NewReader(frame(t, message{fields: sigs}))))
	if err != nil || !reflect.DeepEqual(m.fields, sigs) {
		t.Errorf("largest reply: %v", err)
	}
}

// FuzzECDSADER compares with encoding/asn1.
func FuzzECDSADER(f *testing.F) {
	f.Add(make([]byte, 64))
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Add(append(make([]byte, 31), bytes.Repeat([]byte{0x80}, 33)...))
	f.Add(bytes.Repeat([]byte{0xff}, 132))
	f.Add(make([]byte, 96))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.P521, algo.RSA2048} {
			n := map[algo.KeyType]int{algo.P256: 32, algo.P384: 48, algo.P521: 66}[kt]
			got, err := ecdsaDER(kt, raw)
			if n == 0 || len(raw) != 2*n {
				if err == nil {
					t.Errorf("%s: %d bytes were accepted", kt, len(raw))
				}
				continue
			}
			want, err2 := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:n]), new(big.Int).SetBytes(raw[n:])})
			if err != nil || err2 != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %x, want %x (%v, %v)", kt, got, want, err, err2)
			}
		}
	})
}

// FuzzPublicKey: a module's public key is a key of the wanted type or refused.
func FuzzPublicKey(f *testing.F) {
	f.Add([]byte{4, 65, 4, 1}, []byte{1, 0, 1})
	f.Add(append([]byte{4}, make([]byte, 64)...), []byte{3})
	f.Add(bytes.Repeat([]byte{0xff}, 256), []byte{1, 0, 1})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, kt := range []algo.KeyType{algo.P256, algo.P384, algo.P521} {
			if pub, err := ecPublic(kt, a); err == nil {
				if got, err := algo.KeyTypeOf(pub); err != nil || got != kt {
					t.Errorf("%s became %s (%v)", kt, got, err)
				}
			}
		}
		if pub, err := rsaPublic(algo.RSA2048, a, b); err == nil {
			if got, err := algo.KeyTypeOf(pub); err != nil || got != algo.RSA2048 {
				t.Errorf("RSA-2048 became %s (%v)", got, err)
			}
		}
	})
}
