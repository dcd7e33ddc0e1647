package device

import (
	"crypto/ecdsa"

	"github.com/assent-sign/assent/sap"
)

// open opens a statement with the SAM's key that it names: the pinned one, or one that
// follows it and was in use at iat (KPR-06).
func open[T any](d *Software, s sap.Signed, read func(*ecdsa.PublicKey, sap.Signed) (T, error), iat func(T) int64) (T, error) {
	if len(d.Successions) == 0 {
		return read(d.SAMKey, s)
	}
	ring, err := sap.NewKeyring(d.SAMKey, d.Successions)
	if err != nil {
		var none T
		return none, err
	}
	return sap.OpenWith(ring, s, read, iat)
}

// statementOf reads a statement that has no checks of its own.
func statementOf[T any](label string) func(*ecdsa.PublicKey, sap.Signed) (T, error) {
	return func(pub *ecdsa.PublicKey, s sap.Signed) (T, error) {
		var v T
		err := sap.OpenStatement(pub, label, s, &v)
		return v, err
	}
}
