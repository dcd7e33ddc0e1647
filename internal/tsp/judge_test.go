package tsp

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/digitorus/timestamp"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
)

// OpenSSL asks our responder and accepts the answer, with every algorithm.
func TestOpenSSLAcceptsOurTokens(t *testing.T) {
	for _, a := range algo.All() {
		if a.IsPSS() {
			continue // refused by Check, see TestResponderRefusesUnfitConfigurations
		}
		t.Run(a.String(), func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "data", []byte("hello"))
			put(t, dir, "root.pem", certs.EncodePEM(testCA().Root.Raw))
			if out, err := openssl(t, dir, "ts", "-query", "-data", "data", "-sha384", "-cert", "-out", "q.tsq"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			resp, err := newTSA(t, a).Respond(t.Context(), get(t, dir, "q.tsq"))
			if err != nil {
				t.Fatal(err)
			}
			put(t, dir, "r.tsr", resp)
			if out, err := openssl(t, dir, "ts", "-verify", "-queryfile", "q.tsq", "-in", "r.tsr", "-CAfile", "root.pem"); err != nil {
				t.Errorf("openssl refuses: %v\n%s", err, out)
			}
			put(t, dir, "data", []byte("jello"))
			if out, err := openssl(t, dir, "ts", "-verify", "-data", "data", "-in", "r.tsr", "-CAfile", "root.pem"); err == nil {
				t.Errorf("openssl accepts other data\n%s", out)
			}
			out, err := openssl(t, dir, "ts", "-reply", "-in", "r.tsr", "-text")
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range []string{"Status: Granted", testPolicy.String(), "sha384", "0x01 seconds, 0x01F4 millis", "Nonce: 0x", "DirName:"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

// certReq is honoured: without it the token has no certificate, and OpenSSL
// verifies it with the certificate given beside.
func TestCertReqIsHonoured(t *testing.T) {
	dir := t.TempDir()
	r := newTSA(t, algo.ES256)
	put(t, dir, "data", []byte("hello"))
	put(t, dir, "root.pem", certs.EncodePEM(testCA().Root.Raw))
	put(t, dir, "tsa.pem", certs.EncodePEM(r.Chain...))
	if out, err := openssl(t, dir, "ts", "-query", "-data", "data", "-sha256", "-out", "q.tsq"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	resp, err := r.Respond(t.Context(), get(t, dir, "q.tsq"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "r.tsr", resp)
	if bytes.Contains(resp, r.Chain[0]) {
		t.Error("a certificate that was not asked for")
	}
	if out, err := openssl(t, dir, "ts", "-verify", "-queryfile", "q.tsq", "-in", "r.tsr", "-CAfile", "root.pem", "-untrusted", "tsa.pem"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// digitorus/timestamp reads our answers and we read its requests.
func TestDigitorusReadsOurTokens(t *testing.T) {
	query, err := timestamp.CreateRequest(strings.NewReader("hello"), &timestamp.RequestOptions{Hash: crypto.SHA512, Certificates: true, Nonce: big.NewInt(77), TSAPolicyOID: testPolicy})
	if err != nil {
		t.Fatal(err)
	}
	r := newTSA(t, algo.ES384)
	resp, err := r.Respond(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	ts, err := timestamp.ParseResponse(resp)
	if err != nil {
		t.Fatal(err)
	}
	if ts.Nonce.Int64() != 77 || !ts.Policy.Equal(testPolicy) || ts.HashAlgorithm != crypto.SHA512 || ts.Accuracy != r.Accuracy || time.Since(ts.Time) > time.Minute {
		t.Errorf("read %+v", ts)
	}
}

// digitorusTSA answers with the token of another implementation.
func digitorusTSA(t *testing.T, p pair) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		query, err := timestamp.ParseRequest(body)
		if err != nil {
			t.Error(err)
			return
		}
		mid, err := x509.ParseCertificate(p.chain[1])
		if err != nil {
			t.Error(err)
			return
		}
		ts := timestamp.Timestamp{
			HashAlgorithm: query.HashAlgorithm, HashedMessage: query.HashedMessage, Time: time.Now(), Accuracy: time.Second,
			Nonce: query.Nonce, Policy: testPolicy, Qualified: true, AddTSACertificate: query.Certificates, Certificates: []*x509.Certificate{mid},
		}
		resp, err := ts.CreateResponseWithOpts(p.leaf(), p.key, crypto.SHA256)
		if err != nil {
			t.Error(err)
			return
		}
		w.Header().Set("Content-Type", ReplyType)
		_, _ = w.Write(resp)
	})
}

// opensslTSA answers with "openssl ts -reply".
func opensslTSA(t *testing.T, p pair) http.Handler {
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	put(t, dir, "tsa.pem", certs.EncodePEM(p.chain[0]))
	put(t, dir, "mid.pem", certs.EncodePEM(p.chain[1]))
	put(t, dir, "serial", []byte("01"))
	put(t, dir, "ts.cnf", []byte(`[tsa]
default_tsa = t
[t]
serial = serial
signer_cert = tsa.pem
certs = mid.pem
signer_key = key.pem
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha1
`))
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		put(t, dir, "q.tsq", body)
		if out, err := openssl(t, dir, "ts", "-reply", "-config", "ts.cnf", "-queryfile", "q.tsq", "-out", "r.tsr"); err != nil {
			t.Errorf("%v\n%s", err, out)
			return
		}
		w.Header().Set("Content-Type", ReplyType)
		_, _ = w.Write(get(t, dir, "r.tsr"))
	})
}

// The client works with three independent authorities: ours, digitorus and
// OpenSSL (with ESS version 1, as older authorities write it).
func TestClientWithIndependentAuthorities(t *testing.T) {
	tsa := newPair(t, testCA(), algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile})
	for name, h := range map[string]http.Handler{
		"ours":      Handler(newTSA(t, algo.ES256), nil),
		"digitorus": digitorusTSA(t, tsa),
		"openssl":   opensslTSA(t, tsa),
	} {
		t.Run(name, func(t *testing.T) {
			c := &Client{URL: serve(t, h), Anchors: anchors(), Policy: testPolicy, Timeout: 20 * time.Second}
			for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA512} {
				imprint, err := hashOf(h, []byte("hello"))
				if err != nil {
					t.Fatal(err)
				}
				token, info, err := c.Stamp(context.Background(), h, imprint)
				if err != nil {
					t.Fatal(err)
				}
				if info.Nonce == nil || info.Nonce.BitLen() < 64 || !bytes.Equal(info.Imprint, imprint) || info.Hash != h || len(info.Chain) != 3 {
					t.Errorf("info %+v", info)
				}
				again, err := VerifyToken(token, h, imprint, anchors(), time.Time{})
				if err != nil {
					t.Fatal(err)
				}
				if again.Serial.Cmp(info.Serial) != 0 || !again.Time.Equal(info.Time) {
					t.Error("the token reads differently a second time")
				}
			}
		})
	}
}
