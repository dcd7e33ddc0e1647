package pkcs11

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if RunChildIfAsked() {
		return
	}
	os.Exit(m.Run())
}
