package sam

import (
	"errors"
	"testing"

	"github.com/assent-sign/assent/sap"
)

// leftover is a database with one key that is wrapped under "old".
type leftover struct{}

func (leftover) After(string, string, int) ([]*Credential, error) {
	return []*Credential{{Key: "k-1", KEK: "old"}}, nil
}

// KPR-06, BKP-01: with a token whose wrapping key has no epochs, and so no name, no key is
// left under another one; with one that names it, it is.
func TestKPR06WrappingKeyWithoutEpochs(t *testing.T) {
	if err := rewrapped(&Tx{OtherKEK: leftover{}}, ""); err != nil {
		t.Error(err)
	}
	if err := rewrapped(&Tx{OtherKEK: leftover{}}, "new"); !errors.Is(err, sap.ReasonRewrapping) {
		t.Error(err)
	}
}
