package algo

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
)

// Ended is the error about an algorithm or a key of which the time is over: what was signed with it later, or may have been, proves
// nothing. The dates are of ETSI TS 119 312 V1.5.1 and of its forerunner TS 102 176-1, as the default policy of EU DSS has them. Nothing
// of the kind is verified here; the date is for the answer (EN 319 102-1: CRYPTO_CONSTRAINTS_FAILURE_NO_POE).
type Ended struct {
	Name  string
	Since Month
}

// Month is the first in which something was not accepted any more, in UTC. The zero value stands for none.
type Month struct{ Year, Month int }

// String is "2012-08".
func (m Month) String() string { return fmt.Sprintf("%d-%02d", m.Year, m.Month) }

// Error implements error.
func (e *Ended) Error() string { return fmt.Sprintf("%s is not accepted since %s", e.Name, e.Since) }

var endedDigests = map[string]Month{"MD5": {2004, 8}, "SHA-1": {2012, 8}, "RIPEMD-160": {2014, 8}, "Whirlpool": {2020, 12}}

// EndedDigest is the error about a digest by its name, nil if nothing is known of it.
func EndedDigest(name string) error {
	if since, ok := endedDigests[name]; ok {
		return &Ended{name, since}
	}
	return nil
}

// OfKey adds to an error about a key since when it is too short, if it is.
func OfKey(pub crypto.PublicKey, err error) error {
	if end := endedKey(pub); end != nil {
		return fmt.Errorf("%w: %w", err, end)
	}
	return err
}

func endedKey(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		switch bits := k.N.BitLen(); {
		case bits < 1024:
			return &Ended{fmt.Sprintf("RSA of %d bits", bits), Month{2010, 8}}
		case bits < 1900:
			return &Ended{fmt.Sprintf("RSA of %d bits", bits), Month{2019, 10}}
		}
	case *ecdsa.PublicKey:
		switch bits := k.Curve.Params().BitSize; {
		case bits < 224:
			return &Ended{fmt.Sprintf("an elliptic curve of %d bits", bits), Month{2012, 8}}
		case bits < 256:
			return &Ended{fmt.Sprintf("an elliptic curve of %d bits", bits), Month{2021, 10}}
		}
	}
	return nil
}

// Ends is the month from which on an algorithm with a key is not to be used any more as TS 119 312 V1.5.1 foresees it, zero for none:
// RSA below 3000 bits, and RSASSA-PKCS1-v1_5. A later issue may move it.
func Ends(a Algorithm, pub crypto.PublicKey) Month {
	if k, ok := pub.(*rsa.PublicKey); ok && (!a.IsPSS() || k.N.BitLen() < 3000) {
		return Month{2029, 1}
	}
	return Month{}
}
