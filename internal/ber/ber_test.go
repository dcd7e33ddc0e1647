package ber_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/ber"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ADE-03: messages with indefinite lengths and strings in segments mean what their DER says (X.690, 8.1.3.6 and 8.7.3).
func TestADE03BERIsReadAsDER(t *testing.T) {
	long := strings.Repeat("aa", 200)
	for name, c := range map[string]struct{ in, out, rest string }{
		"DER as it is":                  {"30 03 020105", "30 03 020105", ""},
		"indefinite":                    {"30 80 020105 0000", "30 03 020105", ""},
		"bytes behind":                  {"30 80 020105 0000 0000", "30 03 020105", "0000"},
		"one in the other":              {"30 80 a0 80 30 80 0500 0000 0000 0000", "30 06 a0 04 30 02 0500", ""},
		"empty":                         {"30 80 0000", "30 00", ""},
		"a string in segments":          {"24 80 04 02 0102 04 01 03 0000", "04 03 010203", ""},
		"segments of definite length":   {"24 07 04 02 0102 04 01 03", "04 03 010203", ""},
		"segments in segments":          {"24 80 24 80 04 01 01 0000 24 03 04 01 02 04 00 0000", "04 02 0102", ""},
		"string without segments":       {"30 80 24 80 0000 0000", "30 02 04 00", ""},
		"definite inside is kept":       {"30 80 30 04 0201 0505 0000", "30 06 30 04 0201 0505", ""},
		"long":                          {"30 80 0481c8" + long + "0000", "30 81cb 0481c8" + long, ""},
		"string behind a string":        {"30 80 24 80 04 01 01 0000 24 80 04 01 02 0000 0000", "30 06 04 01 01 04 01 02", ""},
		"what a definite one has in it": {"30 04 30 80 0000", "30 04 30 80 0000", ""},
	} {
		in := unhex(t, c.in)
		out, n, err := ber.ToDER(in)
		if err != nil || !bytes.Equal(out, unhex(t, c.out)) || !bytes.Equal(in[n:], unhex(t, c.rest)) {
			t.Errorf("%s: %x, %d of %d bytes, %v", name, out, n, len(in), err)
		}
	}
}

func TestI9HostileBER(t *testing.T) {
	for name, in := range map[string][]byte{
		"nothing":                   nil,
		"one byte":                  {0x30},
		"no end":                    unhex(t, "30 80 020105"),
		"half an end":               unhex(t, "30 80 020105 00"),
		"primitive":                 unhex(t, "04 80 01 0000"),
		"end at the beginning":      unhex(t, "0000"),
		"longer than the message":   unhex(t, "30 05 01"),
		"longer than what it is in": unhex(t, "24 03 04 05 01 02 03 04 05"),
		"end beyond a string":       unhex(t, "24 04 24 80 04 00 0000"),
		"length of five bytes":      unhex(t, "30 85 0000000001 00"),
		"length of 2 GB":            unhex(t, "30 84 ffffffff 00"),
		"a number in a string":      unhex(t, "24 80 020105 0000"),
		"tag of several bytes":      unhex(t, "3f 81 01 00"),
		"deep":                      append(bytes.Repeat([]byte{0x30, 0x80}, 1<<20), make([]byte, 2<<20)...),
		"many":                      append(append([]byte{0x30, 0x80}, bytes.Repeat([]byte{0x05, 0x00}, 1<<20)...), 0, 0),
	} {
		if out, n, err := ber.ToDER(in); (!errors.Is(err, ber.ErrMalformed) && !errors.Is(err, ber.ErrLimit)) || out != nil || n != 0 {
			t.Errorf("%s: %x %d %v", name, out[:min(len(out), 20)], n, err)
		}
	}
}

// Whatever comes in: bounds hold, what is read once is read again as itself, and nothing is longer than it was by more than
// the headers.
func FuzzToDER(f *testing.F) {
	for _, s := range []string{"3080a080308005000000000000 00", "248004020102040103 0000", "3003020105", "30802480240304010100000000"} {
		b, _ := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, n, err := ber.ToDER(in)
		if err != nil {
			return
		}
		if n > len(in) || len(out) > 4*len(in)+8 || ber.Indefinite(out) {
			t.Fatalf("%d of %d bytes, %x", n, len(in), out)
		}
		again, m, err := ber.ToDER(out)
		if err != nil || m != len(out) || !bytes.Equal(again, out) {
			t.Fatalf("%x, then %x, %v", out, again, err)
		}
	})
}
