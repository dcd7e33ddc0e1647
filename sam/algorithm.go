package sam

import (
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sap"
)

// legacyEnd ends RSA below 3000 bits and RSASSA-PKCS1-v1_5 (ETSI TS 119 312
// V1.5.1; CRY-01): they are not used at or after it.
var legacyEnd = time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)

// endOf tells when an algorithm with a key type ends; ok is false for none.
func endOf(kt algo.KeyType, a algo.Algorithm) (end time.Time, ok bool) {
	if kt == algo.RSA2048 || (!a.IsECDSA() && !a.IsPSS()) {
		return legacyEnd, true
	}
	return time.Time{}, false
}

// allowedAt tells whether a key type may sign with a at time t.
func allowedAt(kt algo.KeyType, a algo.Algorithm, t time.Time) bool {
	end, ends := endOf(kt, a)
	return kt.Fits(a) && (!ends || t.Before(end))
}

// algorithmsAt lists what a key type may sign with at time t, default first.
func algorithmsAt(kt algo.KeyType, t time.Time) []algo.Algorithm {
	var out []algo.Algorithm
	if d := kt.Default(); allowedAt(kt, d, t) {
		out = append(out, d)
	}
	for _, a := range algo.All() {
		if a != kt.Default() && allowedAt(kt, a, t) {
			out = append(out, a)
		}
	}
	return out
}

// chooseAlgorithm reads the name of an algorithm that kt may use now; "" is the
// key's default.
func chooseAlgorithm(name string, kt algo.KeyType, now time.Time) (algo.Algorithm, error) {
	list := algorithmsAt(kt, now)
	if name == "" && len(list) > 0 {
		return list[0], nil
	}
	for _, a := range list {
		if a.String() == name {
			return a, nil
		}
	}
	return 0, fmt.Errorf("%w: %q with %s", sap.ReasonAlgorithm, clip(name, 16), kt)
}
