package proof_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/cmd/assent/internal/sample"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/device"
)

const origin, rpID = "http://localhost:8441", "localhost"

// act is one finished activation made by hand: what the module, the device and
// the worker do, without any of the services.
type act struct {
	sam     *ecdsa.PrivateKey
	receipt []byte
	file    []byte
	sad     *sap.SAD
}

func newAct(t testing.TB) *act {
	t.Helper()
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	must(t, err)
	a := &act{sam: newKey(t)}
	key := newKey(t)
	chain, err := ca.IssueKey(key, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "Anna"})
	must(t, err)
	dev, err := device.New(&a.sam.PublicKey, origin, rpID)
	must(t, err)
	in := sample.Contract()
	var prepared bytes.Buffer
	p, err := pdf.Prepare(t.Context(), bytes.NewReader(in), int64(len(in)), &prepared, pdf.SignOptions{Time: time.Now(), Hash: crypto.SHA256, Reserve: 8 << 10})
	must(t, err)
	attrs, err := sap.PAdESSignedAttributes(p.Digest, chain[0])
	must(t, err)
	dtbsr := sha256.Sum256(attrs)
	sadText, proofText, err := dev.Approve(t.Context(), device.Offer{
		Request: a.request(t, dev, chain[0]), Chain: chain,
		Ctx:   sap.Context{Operation: "op1", Asker: "Garden Owners", Purpose: "lease", Level: "B-B"},
		Items: []device.OfferItem{{Kind: sap.KindPAdES, Name: "contract.pdf", Document: bytes.NewReader(prepared.Bytes()), Size: int64(prepared.Len()), DTBSR: dtbsr[:]}},
	})
	must(t, err)
	sig, err := key.Sign(rand.Reader, dtbsr[:], crypto.SHA256)
	must(t, err)
	msg, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: algo.ES256, Signature: sig, Chain: chain})
	must(t, err)
	out := memFile(prepared.Bytes())
	must(t, pdf.Embed(out, p, msg))
	a.file = out
	a.sad, err = sap.DecodeSAD(sadText)
	must(t, err)
	a.receipt = a.sign(t, sap.Receipt{
		Type: sap.TypeReceipt, Audience: a.sad.Bind.Audience, Instance: "sam1", Time: time.Now().UnixMilli(),
		SAD: sap.B64(sadText), Proof: sap.B64(proofText), Authenticator: sap.B64(spki(t, dev)), Certificate: sap.B64(chain[0]),
		Origin: origin, RPID: rpID, Assurance: sap.AssuranceDevelopment, AuditSeq: 7, AuditHash: sap.B64(make([]byte, 32)),
		Items: []sap.ReceiptItem{{I: 0, DTBSR: a.sad.Items[0].DTBSR, Signature: sap.B64(sig), Shown: true}},
	})
	return a
}

func (a *act) request(t testing.TB, dev *device.Software, cert []byte) sap.Signed {
	t.Helper()
	sum := sha256.Sum256(cert)
	now := time.Now().Unix()
	s, err := sap.SignStatement(a.sam, "k", sap.LabelActivationRequest, sap.ActivationRequest{
		Type: sap.TypeActivationRequest, Carrier: sap.CarrierWebAuthn, Credentials: []string{sap.B64(dev.CredentialID())},
		Origin: origin, RPID: rpID, Assurance: sap.AssuranceDevelopment,
		Bind: sap.Binding{Audience: "demo#1", Session: sap.B64(make([]byte, 16)), Nonce: sap.B64(make([]byte, 32)), Signer: "anna", Key: "k1",
			Cert: sap.B64(sum[:]), Alg: "ES256", Caller: "ssad", Policy: "default", N: 1, IssuedAt: now, Expires: now + 300},
	})
	must(t, err)
	return s
}

func (a *act) sign(t testing.TB, r sap.Receipt) []byte {
	t.Helper()
	text, err := jcs.Marshal(r)
	must(t, err)
	tree := sap.NewReceiptTree([][]byte{text})
	sig, err := sap.Sign(a.sam, sap.LabelReceiptRoot, tree.Root())
	must(t, err)
	id, err := sap.KeyID(a.sam.Public())
	must(t, err)
	b, err := json.Marshal(sap.SignedReceipt{Receipt: sap.B64(text), Path: []string{}, Index: 0, Size: 1, Signature: sap.B64(sig), Key: id})
	must(t, err)
	return b
}

func (a *act) verify(t testing.TB, receipt, file []byte, key *ecdsa.PublicKey) (*proof.Result, error) {
	t.Helper()
	return proof.Verify(t.Context(), receipt, bytes.NewReader(file), int64(len(file)), key)
}

type memFile []byte

func (m memFile) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return k
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// KPR-06, AUD-11: a receipt of a later statement key verifies from the kept one with the
// successions that lead there; without them, or with those of another module, it does not.
func TestKPR06ReceiptOfALaterKey(t *testing.T) {
	a := newAct(t)
	kept := newKey(t)
	id := func(k *ecdsa.PrivateKey) string {
		v, err := sap.KeyID(k.Public())
		must(t, err)
		return v
	}
	der, err := x509.MarshalPKIXPublicKey(a.sam.Public())
	must(t, err)
	chain := func(by *ecdsa.PrivateKey) sap.SignedSuccession {
		text, err := jcs.Marshal(sap.Succession{
			Type: sap.TypeSuccession, Audience: "demo#1", Instance: "c1", Epoch: 2, Old: id(kept), New: id(a.sam), Public: sap.B64(der), Time: 1000, Mode: sap.ModeSuccession,
		})
		must(t, err)
		old, err := sap.Sign(by, sap.LabelSuccession, text)
		must(t, err)
		next, err := sap.Sign(a.sam, sap.LabelSuccessionProof, text)
		must(t, err)
		return sap.SignedSuccession{Statement: sap.B64(text), Signature: sap.B64(old), Proof: sap.B64(next)}
	}
	check := func(list ...sap.SignedSuccession) error {
		_, err := proof.Verify(t.Context(), a.receipt, bytes.NewReader(a.file), int64(len(a.file)), &kept.PublicKey, list...)
		return err
	}
	if err := check(chain(kept)); err != nil {
		t.Error(err)
	}
	if err := check(); !errors.Is(err, sap.ReasonSAMSignature) {
		t.Errorf("without the succession: %v", err)
	}
	if err := check(chain(newKey(t))); !errors.Is(err, sap.ReasonSuccession) {
		t.Errorf("a succession that the kept key did not sign: %v", err)
	}
}

// AUD-11: a receipt and the file it belongs to verify off line, and the three
// fingerprints are one.
func TestReceiptHoldsForItsFile(t *testing.T) {
	a := newAct(t)
	res, err := a.verify(t, a.receipt, a.file, &a.sam.PublicKey)
	must(t, err)
	if res.InFile == "" || res.InFile != res.Approved || res.InFile != res.Signed || res.DTBSR == "" || !res.Shown || !res.Whole {
		t.Errorf("%+v", res)
	}
	var words bytes.Buffer
	must(t, res.Print(&words))
	for _, want := range []string{"RECEIPT HOLDS", "Garden Owners", "contract.pdf", "shown to the signer", "no claim is made"} {
		if !strings.Contains(words.String(), want) {
			t.Errorf("words lack %q:\n%s", want, words.String())
		}
	}
}

// AUD-11: another file, a changed file, another module, and a changed receipt
// are each refused.
func TestReceiptDoesNotHoldForAnythingElse(t *testing.T) {
	a, b := newAct(t), newAct(t)
	changed := bytes.Replace(a.file, []byte("240 euros"), []byte("999 euros"), 1)
	var sr sap.SignedReceipt
	must(t, json.Unmarshal(a.receipt, &sr))
	edited := bytes.Replace(a.receipt, []byte(sr.Signature), []byte(sap.B64(make([]byte, 64))), 1)
	for _, c := range []struct {
		name          string
		receipt, file []byte
		key           *ecdsa.PublicKey
		want          error
	}{
		{"changed file", a.receipt, changed, &a.sam.PublicKey, proof.ErrChanged},
		{"another file", a.receipt, b.file, &a.sam.PublicKey, proof.ErrFile},
		{"no signature", a.receipt, sample.Contract(), &a.sam.PublicKey, proof.ErrFile},
		{"no PDF", a.receipt, []byte("hello"), &a.sam.PublicKey, proof.ErrFile},
		{"another module", a.receipt, a.file, &b.sam.PublicKey, sap.ReasonSAMSignature},
		{"another signature", edited, a.file, &a.sam.PublicKey, sap.ReasonSAMSignature},
		{"no JSON", []byte("x"), a.file, &a.sam.PublicKey, proof.ErrForm},
		{"bytes behind", append(bytes.Clone(a.receipt), "{}"...), a.file, &a.sam.PublicKey, proof.ErrForm},
		{"too long", bytes.Repeat([]byte(" "), proof.MaxReceipt+1), a.file, &a.sam.PublicKey, proof.ErrForm},
	} {
		if _, err := a.verify(t, c.receipt, c.file, c.key); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// A module that signs a receipt with evidence that does not hold is caught: the
// receipt does not need its word.
func TestModuleCannotInventAnApproval(t *testing.T) {
	a := newAct(t)
	var sr sap.SignedReceipt
	must(t, json.Unmarshal(a.receipt, &sr))
	r, err := sap.OpenReceipt(&a.sam.PublicKey, sr)
	must(t, err)
	sad := *a.sad
	sad.Ctx.Purpose = "something else"
	text, err := sad.Encode()
	must(t, err)
	r.SAD = sap.B64(text)
	if _, err := a.verify(t, a.sign(t, *r), a.file, &a.sam.PublicKey); !errors.Is(err, sap.ReasonChallenge) {
		t.Errorf("%v, want %v", err, sap.ReasonChallenge)
	}
}

// The key is read in each form that the service gives it, and nothing else.
func TestReadSAMKey(t *testing.T) {
	a := newAct(t)
	der, err := x509.MarshalPKIXPublicKey(&a.sam.PublicKey)
	must(t, err)
	for name, form := range map[string][]byte{"DER": der, "PEM": proof.SAMKeyPEM(der), "base64url": []byte(sap.B64(der) + "\n")} {
		if k, err := proof.ReadSAMKey(form); err != nil || !k.Equal(&a.sam.PublicKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	other, err := x509.MarshalPKIXPublicKey(&p384.PublicKey)
	must(t, err)
	for name, form := range map[string][]byte{"empty": nil, "P-384": other, "text": []byte("key"), "twice": append(proof.SAMKeyPEM(der), proof.SAMKeyPEM(der)...)} {
		if _, err := proof.ReadSAMKey(form); !errors.Is(err, proof.ErrKey) {
			t.Errorf("%s: %v, want %v", name, err, proof.ErrKey)
		}
	}
}

// FuzzVerify: any receipt ends in a result or an error.
func FuzzVerify(f *testing.F) {
	a := newAct(f)
	f.Add(a.receipt)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := a.verify(t, b, a.file, &a.sam.PublicKey); err == nil {
			var x, y sap.SignedReceipt
			if json.Unmarshal(b, &x) != nil || json.Unmarshal(a.receipt, &y) != nil || x.Receipt != y.Receipt {
				t.Errorf("another receipt holds: %q", b)
			}
		}
	})
}

// spki is the public key of a software authenticator, as the module keeps it.
func spki(t testing.TB, dev *device.Software) []byte {
	t.Helper()
	text, err := dev.Marshal()
	must(t, err)
	var saved struct{ Key string }
	must(t, json.Unmarshal(text, &saved))
	der, err := sap.UnB64(saved.Key)
	must(t, err)
	key, err := x509.ParsePKCS8PrivateKey(der)
	must(t, err)
	out, err := x509.MarshalPKIXPublicKey(key.(*ecdsa.PrivateKey).Public())
	must(t, err)
	return out
}
