package der_test

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/assent-sign/assent/internal/der"
)

// One number, one identifier, one time has one encoding; the others are refused.
func TestOnlyOneEncodingIsRead(t *testing.T) {
	for name, in := range map[string]struct {
		der  string
		read func(s *cryptobyte.String) error
	}{
		"integer with a leading zero":  {"\x02\x02\x00\x01", integer},
		"integer with a leading FF":    {"\x02\x02\xff\x80", integer},
		"empty integer":                {"\x02\x00", integer},
		"long form of a short length":  {"\x02\x81\x01\x01", integer},
		"indefinite length":            {"\x30\x80\x00\x00", sequence},
		"identifier with padded arc":   {"\x06\x03\x55\x80\x01", identifier},
		"identifier without end":       {"\x06\x02\x55\x81", identifier},
		"empty identifier":             {"\x06\x00", identifier},
		"boolean that is neither":      {"\x01\x01\x01", boolean},
		"time without seconds":         {"\x17\x0b2401010000Z", clock},
		"time with an offset":          {"\x17\x11240101000000+0100", clock},
		"time with a fraction":         {"\x18\x1120240101000000.5Z", clock},
		"the 30th of February":         {"\x18\x0f20240230000000Z", clock},
		"a leap second":                {"\x18\x0f20161231235960Z", clock},
		"flags with unused bits set":   {"\x03\x02\x07\xff", flags},
		"flags that claim empty bits":  {"\x03\x01\x04", flags},
		"bit string with unused bits":  {"\x03\x02\x01\x02", bits},
		"an element that is too short": {"\x02\x05\x01", integer},
	} {
		s := cryptobyte.String(in.der)
		if err := in.read(&s); !errors.Is(err, der.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func integer(s *cryptobyte.String) error    { _, err := der.ReadInteger(s, "test"); return err }
func sequence(s *cryptobyte.String) error   { _, err := der.Read(s, 0x30, "test"); return err }
func identifier(s *cryptobyte.String) error { _, err := der.ReadOID(s, "test"); return err }
func boolean(s *cryptobyte.String) error    { _, err := der.ReadBool(s, "test"); return err }
func clock(s *cryptobyte.String) error      { _, err := der.ReadTime(s, "test"); return err }
func bits(s *cryptobyte.String) error       { _, err := der.ReadBits(s, "test"); return err }
func flags(s *cryptobyte.String) error {
	c, err := der.Read(s, 0x03, "test")
	if err != nil {
		return err
	}
	_, err = der.Flags(c, "test")
	return err
}

// RFC 5280 section 4.1.2.5.1: years of two digits are 1950 to 2049.
func TestTwoDigitYears(t *testing.T) {
	for in, year := range map[string]int{"\x17\x0d500101000000Z": 1950, "\x17\x0d491231235959Z": 2049, "\x18\x0f20500101000000Z": 2050} {
		s := cryptobyte.String(in)
		got, err := der.ReadTime(&s, "test")
		if err != nil || got.Year() != year || got.Location() != time.UTC {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
}

func TestNamedBits(t *testing.T) {
	got, err := der.Flags([]byte{7, 0x06, 0x80}, "test") // bits 5, 6 and 8
	if err != nil || got != 1<<5|1<<6|1<<8 {
		t.Fatalf("%b, %v", got, err)
	}
}

func TestSmallNumbers(t *testing.T) {
	if n, err := der.Small("\x7f\xff\xff\xff", "test"); err != nil || n != 1<<31-1 {
		t.Errorf("%d, %v", n, err)
	}
	for _, big := range []string{"", "\x80", "\x00\x80\x00\x00\x00", "\x01\x00\x00\x00\x00", "\x00\xff\xff\xff\xff\xff"} {
		if _, err := der.Small(big, "test"); !errors.Is(err, der.ErrLimit) {
			t.Errorf("%x: %v", big, err)
		}
	}
}

// An identifier survives both directions, arcs of any size included.
func TestObjectIdentifiers(t *testing.T) {
	for _, dotted := range []string{"2.5.29.15", "1.3.6.1.5.5.7.48.1", "2.25.329800735698586629295641978511506172918"} {
		o, err := der.ParseOID(dotted)
		if err != nil || o.String() != dotted {
			t.Errorf("%s: %s, %v", dotted, o, err)
		}
	}
	if _, err := der.ParseOID("3.1"); !errors.Is(err, der.ErrMalformed) {
		t.Errorf("3.1: %v", err)
	}
}
