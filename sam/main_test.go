package sam_test

import (
	"os"
	"testing"

	"github.com/assent-sign/assent/cryptotoken/pkcs11"
)

func TestMain(m *testing.M) {
	if pkcs11.RunChildIfAsked() { // of the tests with an HSM
		return
	}
	os.Exit(m.Run())
}
