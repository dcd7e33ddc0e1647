package signer_test

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
)

func (f *fake) request(o *operation) (any, *apiError) {
	sum := sha256.Sum256(f.cert)
	nonce, sid := make([]byte, sap.NonceLen), make([]byte, sap.SessionLen)
	_, _ = rand.Read(nonce)
	_, _ = rand.Read(sid)
	now := time.Now().Unix()
	o.bind = sap.Binding{
		Audience: "demo#1", Session: sap.B64(sid), Nonce: sap.B64(nonce), Signer: testSigner, Key: o.keyID, Cert: sap.B64(sum[:]), Alg: "ES256",
		Caller: "ssad-1", Policy: cmp.Or(f.policy, "standard"), N: len(o.items), IssuedAt: now, Expires: now + f.lifetime,
	}
	cred := f.credential
	if cred == "" {
		cred = sap.B64([]byte("nobody has enrolled"))
	}
	s, err := sap.SignStatement(f.sam, f.samID, sap.LabelActivationRequest, sap.ActivationRequest{
		Type: sap.TypeActivationRequest, Bind: o.bind, Carrier: sap.CarrierWebAuthn, Credentials: []string{cred},
		Origin: f.origin, RPID: "localhost", Assurance: cmp.Or(f.assurance, sap.AssuranceDevelopment),
	})
	if err != nil {
		return nil, refusal(500, err.Error(), "later")
	}
	if f.lie.request != nil {
		f.lie.request(&s)
	}
	return map[string]any{"request": s}, nil
}

// redeem is the SAM: every check that package sap has, then one key use for
// each item, then a receipt. A byte-identical repetition gets the same answer.
func (f *fake) redeem(o *operation, body map[string]string) (any, *apiError) {
	id := body["sad"] + "." + body["proof"]
	if o.answer != nil {
		if o.redeemed == id {
			return json.RawMessage(o.answer), nil
		}
		return nil, refusal(409, "sad_consumed", "never")
	}
	sadText, err1 := sap.UnB64(body["sad"])
	proof, err2 := sap.UnB64(body["proof"])
	if err1 != nil || err2 != nil {
		return nil, refusal(400, "encoding", "never")
	}
	sad, err := f.verify(o, sadText, proof)
	if err != nil {
		return nil, refusal(403, err.Error(), "never")
	}
	answer, err := f.activate(o, sad, sadText, proof)
	if err != nil {
		return nil, refusal(500, err.Error(), "later")
	}
	o.state, o.answer, o.redeemed, o.polls = "signed", answer, id, 0
	return json.RawMessage(answer), nil
}

func (f *fake) verify(o *operation, sadText, proof []byte) (*sap.SAD, error) {
	sad, err := sap.DecodeSAD(sadText)
	if err != nil {
		return nil, err
	}
	if sad.Bind != o.bind {
		return nil, sap.ReasonBinding
	}
	if time.Now().Unix() > sad.Bind.Expires {
		return nil, sap.ReasonExpired
	}
	if f.authenticator == nil || sad.Auth.Cred != f.credential {
		return nil, sap.ReasonAuthenticator
	}
	a, err := sap.DecodeAssertion(proof)
	if err != nil {
		return nil, err
	}
	challenge, err := sad.Challenge(sadText)
	if err != nil {
		return nil, err
	}
	count, err := sap.VerifyAssertion(a, challenge, *f.authenticator, sap.AssertionPolicy{Origin: f.origin, RPID: "localhost"})
	if err != nil {
		return nil, err
	}
	f.authenticator.SignCount = count
	return sad, nil
}

func (f *fake) activate(o *operation, sad *sap.SAD, sadText, proof []byte) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(f.authenticator.Public)
	if err != nil {
		return nil, err
	}
	r := sap.Receipt{
		Type: sap.TypeReceipt, Audience: "demo#1", Instance: "chain-1", Time: time.Now().UnixMilli(), SAD: sap.B64(sadText), Proof: sap.B64(proof),
		Authenticator: sap.B64(spki), Certificate: sap.B64(f.cert), Origin: f.origin, RPID: "localhost",
		Assurance: cmp.Or(f.assurance, sap.AssuranceDevelopment), AuditSeq: 1, AuditHash: sap.B64(make([]byte, 32)),
	}
	for i, it := range sad.Items {
		d, err := sap.Rebuild(it, f.cert, algo.ES256, nil)
		if err != nil {
			return nil, err
		}
		sig, err := f.key.Sign(rand.Reader, d, crypto.SHA256)
		if err != nil {
			return nil, err
		}
		f.signatures++
		if it.Kind == sap.KindPAdES {
			o.items[i].fill(sig)
		}
		r.Items = append(r.Items, sap.ReceiptItem{I: i, DTBSR: it.DTBSR, Signature: sap.B64(sig), Shown: it.Kind != sap.KindRaw})
		if o.items[i].of != nil {
			if err := o.items[i].finishXML(f.cert, sig); err != nil {
				return nil, err
			}
		}
		if p := o.items[i].prepared; p != nil {
			o.items[i].bytes = bytes.Clone(o.items[i].bytes)
			copy(o.items[i].bytes[p.ContentsOffset+1:], hex.EncodeToString(sig))
		}
	}
	text, err := jcs.Marshal(r)
	if err != nil {
		return nil, err
	}
	tree := sap.NewReceiptTree([][]byte{[]byte("another receipt of the same commit"), text})
	sig, err := sap.Sign(f.sam, sap.LabelReceiptRoot, tree.Root())
	if err != nil {
		return nil, err
	}
	s := sap.SignedReceipt{Receipt: sap.B64(text), Path: []string{}, Index: 1, Size: 2, Signature: sap.B64(sig), Key: f.samID}
	for _, p := range tree.Path(1) {
		s.Path = append(s.Path, sap.B64(p))
	}
	if f.lie.receipt != nil {
		f.lie.receipt(&s)
	}
	return json.Marshal(map[string]any{"state": "signed", "receipt": s})
}

// enrolFinish verifies a registration as samd does (attestation none).
func (f *fake) enrolFinish(body map[string]string) (any, *apiError) {
	text, err := sap.UnB64(body["registration"])
	if err != nil {
		return nil, refusal(400, "encoding", "never")
	}
	cred, err := f.registered(text)
	if err != nil {
		return nil, refusal(403, err.Error(), "never")
	}
	f.credential = cred
	return map[string]string{"signer": testSigner, "credential": cred}, nil
}

func (f *fake) registered(text []byte) (string, error) {
	reg, err := sap.DecodeRegistration(text)
	if err != nil {
		return "", err
	}
	statement, _ := sap.UnB64(f.enrolment.Statement)
	var req sap.RegistrationRequest
	if err := jcs.Unmarshal(statement, &req); err != nil {
		return "", err
	}
	nonce, _ := sap.UnB64(req.Nonce)
	challenge, err := sap.RegistrationChallenge(nonce, statement)
	if err != nil {
		return "", err
	}
	att, err1 := sap.UnB64(reg.AttestationObject)
	client, err2 := sap.UnB64(reg.ClientDataJSON)
	if err1 != nil || err2 != nil {
		return "", sap.ReasonEncoding
	}
	key, err := sap.CodeKey(f.code)
	if err != nil {
		return "", err
	}
	if sap.B64(sap.CodeProof(key, statement, att, client)) != reg.CodeProof {
		return "", sap.ReasonEnrolCode
	}
	if err := sap.CheckRegistrationClientData(client, challenge, f.origin); err != nil {
		return "", err
	}
	var obj struct {
		Fmt      string         `cbor:"fmt"`
		AuthData []byte         `cbor:"authData"`
		AttStmt  map[string]any `cbor:"attStmt"`
	}
	if err := cbor.Unmarshal(att, &obj); err != nil || obj.Fmt != "none" || len(obj.AuthData) < 55 || obj.AuthData[32]&0x45 != 0x45 {
		return "", sap.ReasonAttestation
	}
	n := int(obj.AuthData[53])<<8 | int(obj.AuthData[54])
	id := obj.AuthData[55 : 55+n]
	var cose map[int]any
	if _, err := cbor.UnmarshalFirst(obj.AuthData[55+n:], &cose); err != nil {
		return "", err
	}
	x, y := cose[-2].([]byte), cose[-3].([]byte)
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		return "", err
	}
	f.authenticator = &sap.Authenticator{CredentialID: id, Public: pub, BackupEligible: obj.AuthData[32]&0x08 != 0}
	return sap.B64(id), nil
}
