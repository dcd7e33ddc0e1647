package plain_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/plain"
	"github.com/assent-sign/assent/workers/workertest"
)

var kinds = map[string]workers.Kind{"plain": plain.Kind()}

// A plain token signs at once; the result is the bare signature value.
func TestPlainSignsAtOnce(t *testing.T) {
	pki := workertest.NewPKI(t)
	key, _, chain := pki.Key(t, "seal", algo.P256, certs.SignerProfile)
	set, err := workers.NewSet(context.Background(), []workers.Config{{Name: "raw", Kind: "plain", Token: "local", Key: "seal", Chain: chain}}, pki.Options(kinds, nil))
	if err != nil {
		t.Fatal(err)
	}
	e, _ := set.Get("raw")
	out := workertest.File(t, "sig")
	doc := []byte("any bytes")
	if _, err := workers.SignNow(context.Background(), e, workers.Input{Document: bytes.NewReader(doc), Size: int64(len(doc)), Name: "x"}, out); err != nil {
		t.Fatal(err)
	}
	sig, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	h := algo.ES256.Hash().New()
	h.Write(doc)
	if err := algo.Verify(key.Public(), algo.ES256, h.Sum(nil), sig); err != nil {
		t.Fatal(err)
	}
}

// signersToken is a token whose every use needs a signer.
type signersToken struct{ cryptotoken.Token }

func (signersToken) Info(context.Context) (cryptotoken.Info, error) {
	return cryptotoken.Info{Driver: "samtoken", Activation: true}, nil
}

// SGN-05, SAP-10: with a signers' token there is no way to sign at once, and
// what is prepared is an item of kind raw.
func TestSGN05SignersTokenNeverSignsAtOnce(t *testing.T) {
	pki := workertest.NewPKI(t)
	_, chain, path := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	opt := pki.Options(kinds, map[string]cryptotoken.Token{"signers": signersToken{}})
	if _, err := workers.NewSet(context.Background(), []workers.Config{{Name: "raw", Kind: "plain", Token: "signers", Key: "anna", Chain: path}}, opt); !errors.Is(err, workers.ErrConfig) {
		t.Fatalf("a signers' token with a configured key: %v", err)
	}
	set, err := workers.NewSet(context.Background(), []workers.Config{{Name: "raw", Kind: "plain", Token: "signers"}}, opt)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := set.Get("raw")
	in := workers.Input{Document: bytes.NewReader([]byte("x")), Size: 1, Name: "x", Chain: chain, Alg: algo.ES256}
	if _, err := workers.SignNow(context.Background(), e, in, workertest.File(t, "o")); !errors.Is(err, workers.ErrNeedSigner) {
		t.Fatalf("got %v", err)
	}
	p, err := e.Worker.Prepare(context.Background(), in, workertest.File(t, "p"))
	if err != nil || p.Kind != sap.KindRaw || p.DocDigest != nil {
		t.Fatalf("%+v, %v", p, err)
	}
}
