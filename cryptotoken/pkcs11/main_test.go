package pkcs11

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if RunChildIfAsked() || runFakeIfAsked() || runParentIfAsked() {
		return
	}
	os.Exit(m.Run())
}
