package signer_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"time"

	"github.com/assent-sign/assent/sap"
)

// addOnce stores an operation that waits for a one-time key in Anna's name.
func (f *fake) addOnce(names ...string) (*operation, string) {
	f.t.Helper()
	o, link := f.add(names...)
	f.set(func() { o.keyless, o.keyID = true, "" })
	return o, link
}

func commonNameDER(cn string) []byte {
	der, err := asn1.Marshal(pkix.Name{CommonName: cn}.ToRDNSequence())
	if err != nil {
		panic(err)
	}
	return der
}

func (f *fake) onceRequest(o *operation) (any, *apiError) {
	nonce := make([]byte, sap.NonceLen)
	_, _ = rand.Read(nonce)
	now := time.Now().Unix()
	r := sap.OneTimeRequest{
		Type: sap.TypeOneTime, Audience: "demo#1", Key: "o-" + o.id + strings.Repeat("x", o.ended), Nonce: sap.B64(nonce), Signer: testSigner, Display: "Anna Example", Proofing: "passport 7",
		KeyType: "P-256", Subject: sap.B64(commonNameDER("Anna Example")), CA: "demo-ca", Policy: "standard", Caller: "ssad-1", Carrier: sap.CarrierWebAuthn,
		Credentials: []string{f.credential}, Origin: f.origin, RPID: "localhost", Assurance: sap.AssuranceDevelopment, Life: 600, IssuedAt: now, Expires: now + f.lifetime,
	}
	if f.lie.once != nil {
		f.lie.once(&r)
	}
	s, err := sap.SignStatement(f.sam, f.samID, sap.LabelOneTime, r)
	if err != nil {
		return nil, refusal(500, err.Error(), "later")
	}
	if f.lie.onceRaw != nil {
		f.lie.onceRaw(&s)
	}
	o.offer = s
	return map[string]any{"request": s}, nil
}

// onceApprove is the SAM: the assertion over exactly the offer, once; then a key, its
// certificate, and the documents prepared around it.
func (f *fake) onceApprove(o *operation, body map[string]string) (any, *apiError) {
	id := body["statement"] + "." + body["proof"]
	if o.made == id {
		return f.view(o), nil
	}
	if !o.keyless || body["statement"] != o.offer.Statement {
		return nil, refusal(409, "state", "never")
	}
	if err := f.checkOnce(body["statement"], body["proof"]); err != nil {
		o.offer = sap.Signed{}
		return nil, refusal(403, err.Error(), "never")
	}
	f.key = newKey(f.t)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: f.onceName}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Assent DEMO Issuing CA"}}
	var err error
	if f.cert, err = x509.CreateCertificate(rand.Reader, tmpl, ca, f.key.Public(), newKey(f.t)); err != nil {
		return nil, refusal(500, err.Error(), "later")
	}
	for i, it := range o.items {
		o.items[i] = f.item(it.name, it.bytes, it.prepared)
	}
	o.keyless, o.keyID, o.made = false, "o-"+o.id+strings.Repeat("x", o.ended), id
	f.keysMade++
	return f.view(o), nil
}

// onceEnd destroys the key; the operation waits for another.
func (f *fake) onceEnd(o *operation) (any, *apiError) {
	if !o.keyless {
		o.keyless, o.keyID, o.made = true, "", ""
		o.ended++
	}
	return f.view(o), nil
}

func (f *fake) checkOnce(statement, proof string) error {
	text, err := sap.UnB64(statement)
	if err != nil {
		return err
	}
	r, err := sap.DecodeOneTime(text)
	if err != nil {
		return err
	}
	raw, err := sap.UnB64(proof)
	if err != nil {
		return err
	}
	a, err := sap.DecodeAssertion(raw)
	if err != nil {
		return err
	}
	nonce, err := sap.UnB64(r.Nonce)
	if err != nil {
		return err
	}
	challenge, err := sap.OneTimeChallenge(nonce, text)
	if err != nil {
		return err
	}
	count, err := sap.VerifyAssertion(a, challenge, *f.authenticator, sap.AssertionPolicy{Origin: f.origin, RPID: "localhost"})
	if err == nil {
		f.authenticator.SignCount = count
	}
	return err
}
