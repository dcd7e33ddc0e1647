package xmlsig_test

import (
	"crypto"
	"encoding/base64"
)

func sha256(s string) []byte {
	h := crypto.SHA256.New()
	h.Write([]byte(s))
	return h.Sum(nil)
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
