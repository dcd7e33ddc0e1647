package device_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/device"
	"github.com/assent-sign/assent/workers"
	"github.com/assent-sign/assent/workers/pades"
	"github.com/assent-sign/assent/workers/workertest"
)

const (
	origin = "http://localhost:8441"
	rpID   = "localhost"
)

type world struct {
	sam   *ecdsa.PrivateKey
	samID string
	dev   *device.Software
	chain [][]byte
	doc   []byte // prepared
	dtbsr []byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	var err error
	if w.sam, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if w.samID, err = sap.KeyID(w.sam.Public()); err != nil {
		t.Fatal(err)
	}
	if w.dev, err = device.New(&w.sam.PublicKey, origin, rpID); err != nil {
		t.Fatal(err)
	}
	pki := workertest.NewPKI(t)
	_, chain, path := pki.Key(t, "anna", algo.P256, certs.SignerProfile)
	w.chain = chain
	set, err := workers.NewSet(context.Background(), []workers.Config{{Name: "pdf", Kind: "pades", Token: "local", Key: "anna", Chain: path}},
		pki.Options(map[string]workers.Kind{"pades": pades.Kind()}, nil))
	if err != nil {
		t.Fatal(err)
	}
	e, _ := set.Get("pdf")
	out := workertest.File(t, "p.pdf")
	in := []byte("%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>\nendobj\nxref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000054 00000 n \n0000000105 00000 n \ntrailer\n<</Size 4/Root 1 0 R>>\nstartxref\n166\n%%EOF\n")
	p, err := e.Worker.Prepare(context.Background(), workers.Input{Document: bytes.NewReader(in), Size: int64(len(in)), Name: "a.pdf", Chain: chain, Alg: algo.ES256}, out)
	if err != nil {
		t.Fatal(err)
	}
	st, _ := out.Stat()
	w.doc = make([]byte, st.Size())
	if _, err := out.ReadAt(w.doc, 0); err != nil {
		t.Fatal(err)
	}
	w.dtbsr = p.DTBSR
	return w
}

func (w *world) offer(t *testing.T, edit func(*sap.ActivationRequest)) device.Offer {
	t.Helper()
	h := sha256.Sum256(w.chain[0])
	ar := sap.ActivationRequest{Type: sap.TypeActivationRequest, Carrier: sap.CarrierWebAuthn, Credentials: []string{sap.B64(w.dev.CredentialID())},
		Origin: origin, RPID: rpID, Assurance: sap.AssuranceDevelopment, Bind: sap.Binding{Audience: "demo#1", Session: sap.B64(make([]byte, 16)),
			Nonce: sap.B64(bytes.Repeat([]byte{1}, 32)), Signer: "anna", Key: "k1", Cert: sap.B64(h[:]), Alg: "ES256", Caller: "ssad", Policy: "standard", N: 1, IssuedAt: 1, Expires: 2}}
	if edit != nil {
		edit(&ar)
	}
	req, err := sap.SignStatement(w.sam, w.samID, sap.LabelActivationRequest, ar)
	if err != nil {
		t.Fatal(err)
	}
	return device.Offer{Request: req, Chain: w.chain, Ctx: sap.Context{Operation: "op1", Asker: "Example", Purpose: "Test", Level: "B-B"},
		Items: []device.OfferItem{{Kind: sap.KindPAdES, Name: "a.pdf", Document: bytes.NewReader(w.doc), Size: int64(len(w.doc)), DTBSR: w.dtbsr}}}
}

// SGN-04: the device derives from the prepared bytes what the worker prepared,
// and its SAD and proof pass the checks of the protocol.
func TestSGN04DeviceAndWorkerAgree(t *testing.T) {
	w := newWorld(t)
	sad, proof, err := w.dev.Approve(context.Background(), w.offer(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	s, err := sap.DecodeSAD(sad)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sap.Rebuild(s.Items[0], w.chain[0], algo.ES256, nil)
	if err != nil || !bytes.Equal(got, w.dtbsr) {
		t.Fatalf("rebuilt %x, worker prepared %x (%v)", got, w.dtbsr, err)
	}
	if _, err := sap.DecodeAssertion(proof); err != nil {
		t.Fatal(err)
	}
}

// widened moves the end of the gap in the byte range of a prepared file, in place: what is behind the
// signature's own string would be unsigned too.
func widened(t *testing.T, doc []byte) []byte {
	t.Helper()
	out := bytes.Clone(doc)
	i := bytes.LastIndex(out, []byte("/ByteRange"))
	open, end := i+bytes.IndexByte(out[i:], '['), i+bytes.IndexByte(out[i:], ']')
	var r [4]int
	if _, err := fmt.Sscanf(string(out[open+1:end]), "%d %d %d %d", &r[0], &r[1], &r[2], &r[3]); err != nil {
		t.Fatal(err)
	}
	copy(out[open+1:end], fmt.Sprintf("%-*s", end-open-1, fmt.Sprintf("%d %d %d %d", r[0], r[1], r[2]+40, r[3]-40)))
	return out
}

// PRV-04, T6: an SSA that lies in the document, in its claim, in the request or
// in the certificate gets no SAD from the device, for the reason that belongs to the lie.
func TestPRV04LyingSSAGetsNothing(t *testing.T) {
	w := newWorld(t)
	evil, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(w.doc, []byte("[0 0 9 9]"), []byte("[0 0 9 8]")) // in the update, too
	if bytes.Equal(changed, w.doc) {
		t.Fatal("nothing was changed")
	}
	wide := widened(t, w.doc)
	tail := append(bytes.Clone(w.doc), []byte("\n3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 1 1]>>\nendobj\ntrailer\n<</Size 9/Root 1 0 R/Prev 166>>\nstartxref\n166\n%%EOF\n")...)
	claim := device.ErrNotAsClaimed
	for name, c := range map[string]struct {
		lie  func(*device.Offer)
		want []error
		says string
	}{
		"document changed":      {func(o *device.Offer) { o.Items[0].Document = bytes.NewReader(changed) }, []error{claim}, "digest is not the announced one"},
		"page-replacing tail":   {func(o *device.Offer) { o.Items[0].Document, o.Items[0].Size = bytes.NewReader(tail), int64(len(tail)) }, []error{claim, pdf.ErrNotPrepared}, "no field waits"},
		"wide gap":              {func(o *device.Offer) { o.Items[0].Document = bytes.NewReader(wide) }, []error{claim, pdf.ErrNotPrepared}, "field \"Signature1\""},
		"claim of other digest": {func(o *device.Offer) { o.Items[0].DTBSR = make([]byte, 32) }, []error{claim}, "digest is not the announced one"},
		"other certificate":     {func(o *device.Offer) { o.Chain = [][]byte{o.Chain[1]} }, []error{claim}, "another certificate"},
		"no certificate":        {func(o *device.Offer) { o.Chain = nil }, []error{claim}, "no certificate"},
		"not a prepared PDF":    {func(o *device.Offer) { o.Items[0].Document, o.Items[0].Size = bytes.NewReader(w.doc[:100]), 100 }, []error{claim, pdf.ErrMalformed}, ""},
		"unknown kind":          {func(o *device.Offer) { o.Items[0].Kind = "docx" }, []error{claim}, "docx"},
		"hidden direction":      {func(o *device.Offer) { o.Items[0].Name = "a\u202efdp" }, []error{sap.ReasonText}, ""},
		"other origin": {func(o *device.Offer) {
			*o = w.offer(t, func(a *sap.ActivationRequest) { a.Origin = "http://localhost:8440" })
		}, []error{claim}, "http://localhost:8440"},
		"more than asked": {func(o *device.Offer) { o.Items = append(o.Items, o.Items[0]) }, []error{sap.ReasonCount}, ""},
		"forged request": {func(o *device.Offer) {
			s, err := sap.SignStatement(evil, w.samID, sap.LabelActivationRequest, sap.ActivationRequest{})
			if err != nil {
				t.Fatal(err)
			}
			o.Request = s
		}, []error{sap.ReasonSAMSignature}, ""},
	} {
		o := w.offer(t, nil)
		c.lie(&o)
		sad, proof, err := w.dev.Approve(context.Background(), o)
		if err == nil || sad != nil || proof != nil {
			t.Errorf("%s: the device approved %s", name, sad)
			continue
		}
		for _, want := range c.want {
			if !errors.Is(err, want) {
				t.Errorf("%s: refused for %v, want %v", name, err, want)
			}
		}
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: refused for %v, want %q", name, err, c.says)
		}
	}
}

// ENR-03: a foreign WebAuthn library reads the registration, and the code proof
// is that of the protocol.
func TestENR03RegistrationReadByAnotherLibrary(t *testing.T) {
	w := newWorld(t)
	req := sap.RegistrationRequest{Type: sap.TypeRegistration, Audience: "demo#1", ID: sap.B64(make([]byte, 16)), Nonce: sap.B64(make([]byte, 32)),
		Signer: "anna", Display: "Anna", Origin: origin, RPID: rpID, IssuedAt: 1, Expires: 2}
	signed, err := sap.SignStatement(w.sam, w.samID, sap.LabelRegistration, req)
	if err != nil {
		t.Fatal(err)
	}
	code := sap.B64(bytes.Repeat([]byte{7}, 20))
	text, err := w.dev.Register(signed, code)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := sap.DecodeRegistration(text)
	if err != nil {
		t.Fatal(err)
	}
	var raw [4][]byte
	for i, s := range []string{reg.AttestationObject, reg.ClientDataJSON, reg.CodeProof, signed.Statement} {
		if raw[i], err = sap.UnB64(s); err != nil {
			t.Fatal(err)
		}
	}
	resp := protocol.AuthenticatorAttestationResponse{AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: raw[1]}, AttestationObject: raw[0]}
	parsed, err := resp.Parse()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(parsed.AttestationObject.AuthData.AttData.CredentialID, w.dev.CredentialID()) {
		t.Fatal("credential id")
	}
	key, err := sap.CodeKey(code)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw[2], sap.CodeProof(key, raw[3], raw[0], raw[1])) {
		t.Fatal("code proof")
	}
}

// A stored authenticator goes on after its counter.
func TestMarshalRoundTrip(t *testing.T) {
	w := newWorld(t)
	text, err := w.dev.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := device.Unmarshal(text)
	if err != nil || !bytes.Equal(again.CredentialID(), w.dev.CredentialID()) {
		t.Fatal(err)
	}
	if _, _, err := again.Approve(context.Background(), w.offer(t, nil)); err != nil {
		t.Fatal(err)
	}
}

// KEY-10, PRV-04: the device approves the making of a one-time key only when the SAM offers
// it to this signer, in this name, at this place and for this authenticator, and its proof
// is over exactly the offer: a SAD's label makes another challenge of the same octets.
func TestKEY10OneTimeOfferIsChecked(t *testing.T) {
	w := newWorld(t)
	good := sap.OneTimeRequest{
		Type: sap.TypeOneTime, Audience: "a#1", Key: "o-1", Nonce: sap.B64(make([]byte, 32)), Signer: "anna", Display: "Anna", Proofing: "p-1", KeyType: "P-256",
		Subject: "MAA", CA: "demo", Policy: "standard", Caller: "ssad", Carrier: sap.CarrierWebAuthn, Credentials: []string{sap.B64(w.dev.CredentialID())},
		Origin: origin, RPID: rpID, Assurance: sap.AssuranceDevelopment, Life: 600, IssuedAt: 1, Expires: 2,
	}
	sign := func(label string, r sap.OneTimeRequest) sap.Signed {
		s, err := sap.SignStatement(w.sam, w.samID, label, r)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	statement, proof, err := w.dev.ApproveOneTime(sign(sap.LabelOneTime, good), "anna", "Anna")
	if err != nil {
		t.Fatal(err)
	}
	a, err := sap.DecodeAssertion(proof)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sap.UnB64(a.ClientDataJSON)
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := sap.OneTimeChallenge(make([]byte, 32), statement)
	if err != nil || !bytes.Contains(client, []byte(sap.B64(challenge))) {
		t.Errorf("%v: the proof is not over the offer: %s", err, client)
	}
	if other, err := sap.Challenge(make([]byte, 32), statement); err != nil || bytes.Equal(other, challenge) {
		t.Errorf("%v: an approval of the key could be one of a signature", err)
	}
	for name, change := range map[string]func(*sap.OneTimeRequest){
		"another signer":        func(r *sap.OneTimeRequest) { r.Signer = "ben" },
		"another name":          func(r *sap.OneTimeRequest) { r.Display = "Anna B" },
		"another place":         func(r *sap.OneTimeRequest) { r.Origin = "https://evil.example" },
		"another rpId":          func(r *sap.OneTimeRequest) { r.RPID = "evil.example" },
		"another authenticator": func(r *sap.OneTimeRequest) { r.Credentials = []string{"AAAA"} },
		"another carrier":       func(r *sap.OneTimeRequest) { r.Carrier = "devicekey" },
		"a life of a day":       func(r *sap.OneTimeRequest) { r.Life = 86400 },
		"another type":          func(r *sap.OneTimeRequest) { r.Type = "sap/other/1" },
	} {
		r := good
		change(&r)
		if _, _, err := w.dev.ApproveOneTime(sign(sap.LabelOneTime, r), "anna", "Anna"); err == nil {
			t.Errorf("approved: %s", name)
		}
	}
	if _, _, err := w.dev.ApproveOneTime(sign(sap.LabelActivationRequest, good), "anna", "Anna"); err == nil {
		t.Error("approved what the SAM signed for another purpose")
	}
}
