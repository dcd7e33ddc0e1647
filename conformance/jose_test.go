package conformance

import (
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/assent-sign/assent/internal/testenv"
	"github.com/assent-sign/assent/sap"
)

// jwxAccepts are the vectors that jwx accepts and we refuse: with a key given,
// jwx v3.3.0 does not compare the header's alg with the key's (3: none, 4:
// HS256, both with a genuine ES256 signature), and a fixed kid and typ are rules
// of ours (6, 7). It is why a general library does not guard a signer's key.
var jwxAccepts = map[int]bool{3: true, 4: true, 6: true, 7: true}

// SAP-07: the device-key carrier is plain JOSE to a library that we did not
// write: jwx reads our good vectors to the same payload, and what it makes of the
// bad ones is known.
func TestSAP07DeviceJWSReadByJWX(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testenv.Root(), "sap/testdata/vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Keys map[string]string `json:"keys"`
		JWS  []struct {
			SAD, Proof string
			OK         bool `json:"ok"`
		} `json:"jws"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	der, err := sap.UnB64(v.Keys["device"])
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for i, c := range v.JWS {
		raw, err := sap.UnB64(c.Proof)
		if err != nil {
			t.Fatal(err)
		}
		var p sap.DeviceJWS
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		payload, err := jws.Verify([]byte(p.JWS), jws.WithKey(jwa.ES256(), key), jws.WithCritValidation(true))
		if (err == nil) != (c.OK || jwxAccepts[i]) {
			t.Errorf("case %d: ours says ok=%v, jwx says %v", i, c.OK, err)
		}
		if c.OK && sap.B64(payload) != c.SAD {
			t.Errorf("case %d: jwx reads another payload", i)
		}
		if c.OK {
			good++
		}
	}
	if good == 0 {
		t.Fatal("no good vector")
	}
}
