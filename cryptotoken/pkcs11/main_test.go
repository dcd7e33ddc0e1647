package pkcs11

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if RunChildIfAsked() || runFakeIfAsked() || runParentIfAsked() || runReplacedIfAsked() {
		return
	}
	os.Exit(m.Run())
}
