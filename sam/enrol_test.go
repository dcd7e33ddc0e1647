package sam_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// opened is a signer with an open enrolment and its registration request.
type opened struct {
	*samtest.World
	code *sam.Code
	req  sap.Signed
}

func open(t *testing.T, change ...func(*sam.Config)) *opened {
	t.Helper()
	w := samtest.New(t, change...)
	ctx := context.Background()
	if _, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p-1"}); err != nil {
		t.Fatal(err)
	}
	o := &opened{World: w}
	var err error
	if o.code, err = w.M.OpenEnrolment(ctx, samtest.Officer, "carol"); err != nil {
		t.Fatal(err)
	}
	if o.req, err = w.M.BeginEnrolment(ctx, samtest.SSPU, o.code.ID); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *opened) finish(reg []byte) error {
	_, err := o.M.FinishEnrolment(context.Background(), samtest.SSPU, o.code.ID, reg)
	return err
}

func (o *opened) register(t *testing.T, d *samtest.Device, code string) []byte {
	t.Helper()
	reg, err := d.Register(o.StatementKey(), o.req, code)
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

// ENR-03: attestation none and packed (self), ES256 and ES384, device-bound and
// backed up.
func TestEnrolmentsThatAreAccepted(t *testing.T) {
	for name, change := range map[string]func(*samtest.Device){
		"none":        func(*samtest.Device) {},
		"packed self": func(d *samtest.Device) { d.Format = "packed" },
		"ES384": func(d *samtest.Device) {
			k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			d.Key = k
		},
		"synced passkey": func(d *samtest.Device) { d.Flags |= samtest.BE | samtest.BS },
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			d := samtest.NewDevice(samtest.Origin, samtest.RPID)
			change(d)
			if err := o.finish(o.register(t, d, o.code.Code)); err != nil {
				t.Fatal(err)
			}
			v, err := o.M.Signer(context.Background(), samtest.Officer, "carol")
			if err != nil || len(v.Authenticators) != 1 || v.State != sam.SignerEnrolled ||
				v.Authenticators[0].BackupEligible != (d.Flags&samtest.BE != 0) {
				t.Fatalf("%+v, %v", v, err)
			}
			o.Check()
		})
	}
}

// ENR-03, ENR-04, SAP-02, T21: registrations that are refused, each for its own reason.
func TestEnrolmentsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		want   sap.Reason
		device func(*samtest.Device)
		edit   func(*sap.Registration)
		code   string
	}{
		"UV=0":                {sap.ReasonUserVerified, func(d *samtest.Device) { d.Flags = samtest.UP }, nil, ""},
		"UP=0":                {sap.ReasonUserPresence, func(d *samtest.Device) { d.Flags = samtest.UV }, nil, ""},
		"BS without BE":       {sap.ReasonBackup, func(d *samtest.Device) { d.Flags |= samtest.BS }, nil, ""},
		"wrong origin":        {sap.ReasonOrigin, func(d *samtest.Device) { d.Origin = "http://localhost:8440" }, nil, ""},
		"wrong rpId":          {sap.ReasonRPID, func(d *samtest.Device) { d.RPID = "evil.example" }, nil, ""},
		"login ceremony":      {sap.ReasonCeremony, func(d *samtest.Device) { d.Type = "webauthn.get" }, nil, ""},
		"foreign page":        {sap.ReasonCrossOrigin, func(d *samtest.Device) { d.Cross = true }, nil, ""},
		"unknown format":      {sap.ReasonAttestation, func(d *samtest.Device) { d.Format = "tmp" }, nil, ""},
		"short credential id": {sap.ReasonAuthData, func(d *samtest.Device) { d.ID = []byte{1, 2, 3} }, nil, ""},
		"P-521 key": {sap.ReasonAttestation, func(d *samtest.Device) {
			d.Key, _ = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
		}, nil, ""},
		"wrong code": {sap.ReasonEnrolCode, nil, nil, sap.B64(bytes.Repeat([]byte{7}, 20))},
		"SSA swaps the authenticator": {sap.ReasonEnrolCode, nil, func(r *sap.Registration) {
			own := samtest.NewDevice(samtest.Origin, samtest.RPID)
			client, _ := sap.UnB64(r.ClientDataJSON)
			object, err := own.AttestationObject(client)
			if err != nil {
				panic(err)
			}
			r.AttestationObject = sap.B64(object)
		}, ""},
		"no proof":        {sap.ReasonEnrolCode, nil, func(r *sap.Registration) { r.CodeProof = "" }, ""},
		"proof shortened": {sap.ReasonEnrolCode, nil, func(r *sap.Registration) { r.CodeProof = r.CodeProof[:4] }, ""},
		"not base64url":   {sap.ReasonEncoding, nil, func(r *sap.Registration) { r.CodeProof += "=" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			d := samtest.NewDevice(samtest.Origin, samtest.RPID)
			if c.device != nil {
				c.device(d)
			}
			code := o.code.Code
			if c.code != "" {
				code = c.code
			}
			reg := o.register(t, d, code)
			if c.edit != nil {
				r, err := sap.DecodeRegistration(reg)
				if err != nil {
					t.Fatal(err)
				}
				c.edit(r)
				if reg, err = jcs.Marshal(r); err != nil {
					t.Fatal(err)
				}
			}
			refused(t, o.World, c.want, func() error { return o.finish(reg) })
			// The genuine one still can.
			if err := o.finish(o.register(t, samtest.NewDevice(samtest.Origin, samtest.RPID), o.code.Code)); err != nil {
				t.Errorf("genuine registration afterwards: %v", err)
			}
		})
	}
}

// ENR-03: keys of other kinds in an otherwise perfect attestation object.
func TestRegisteredKeysThatAreRefused(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := samtest.NewDevice(samtest.Origin, samtest.RPID)
	point, err := p.Key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := point[1:33], point[33:]
	for name, cose := range map[string]map[int]any{
		"RS256":                   {1: 3, 3: -257, -1: rsaKey.N.Bytes(), -2: []byte{1, 0, 1}},
		"Ed25519":                 {1: 1, 3: -8, -1: 6, -2: x},
		"ES384 on P-256":          {1: 2, 3: -35, -1: 1, -2: x, -3: y},
		"point not on the curve":  {1: 2, 3: -7, -1: 1, -2: y, -3: x},
		"coordinates of 31 bytes": {1: 2, 3: -7, -1: 1, -2: x[1:], -3: y},
		"infinity":                {1: 2, 3: -7, -1: 1, -2: make([]byte, 32), -3: make([]byte, 32)},
		"no key":                  {},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			statement, err := sap.UnB64(o.req.Statement)
			if err != nil {
				t.Fatal(err)
			}
			reg := craft(t, o, statement, func(auth []byte) map[string]any {
				mode, err := cbor.CTAP2EncOptions().EncMode()
				if err != nil {
					t.Fatal(err)
				}
				key, err := mode.Marshal(cose)
				if err != nil {
					t.Fatal(err)
				}
				return map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": append(auth, key...)}
			})
			err = o.finish(reg)
			if !errors.Is(err, sap.ReasonAttestation) && !errors.Is(err, sap.ReasonAlgorithm) {
				t.Errorf("got %v", err)
			}
			if v, err := o.M.Signer(context.Background(), samtest.Officer, "carol"); err != nil || len(v.Authenticators) != 0 {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

// craft makes a registration with a hand-made attestation object and a correct
// code proof: what an attacker with the signer's code could send.
func craft(t *testing.T, o *opened, statement []byte, object func(auth []byte) map[string]any) []byte {
	t.Helper()
	var req sap.RegistrationRequest
	if err := jcs.Unmarshal(statement, &req); err != nil {
		t.Fatal(err)
	}
	nonce, err := sap.UnB64(req.Nonce)
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := sap.RegistrationChallenge(nonce, statement)
	if err != nil {
		t.Fatal(err)
	}
	client, err := json.Marshal(map[string]any{
		"type": "webauthn.create", "challenge": base64.RawURLEncoding.EncodeToString(challenge), "origin": samtest.Origin,
	})
	if err != nil {
		t.Fatal(err)
	}
	rp := sha256.Sum256([]byte(samtest.RPID))
	auth := append(rp[:], samtest.UP|samtest.UV|samtest.AT, 0, 0, 0, 0)
	auth = append(auth, make([]byte, 16)...)
	auth = append(auth, 0, 16)
	auth = append(auth, bytes.Repeat([]byte{9}, 16)...)
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	text, err := mode.Marshal(object(auth))
	if err != nil {
		t.Fatal(err)
	}
	key, err := sap.CodeKey(o.code.Code)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := jcs.Marshal(sap.Registration{
		AttestationObject: sap.B64(text), ClientDataJSON: sap.B64(client), CodeProof: sap.B64(sap.CodeProof(key, statement, text, client)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

// ENR-04: a limit of wrong code proofs closes the enrolment, over restarts too,
// and then the right code does not help.
func TestWrongCodesCloseTheEnrolment(t *testing.T) {
	o := open(t) // limit 3
	right := o.register(t, samtest.NewDevice(samtest.Origin, samtest.RPID), o.code.Code)
	wrong := o.register(t, samtest.NewDevice(samtest.Origin, samtest.RPID), sap.B64(bytes.Repeat([]byte{1}, 20)))
	for range 3 {
		o.Crash()
		refused(t, o.World, sap.ReasonEnrolCode, func() error { return o.finish(wrong) })
	}
	refused(t, o.World, sap.ReasonEnrolment, func() error { return o.finish(right) })
}

// ENR-04, SAP-11: codes are single-use, expire, are replaced by newer ones, and belong to
// one registration request.
func TestEnrolmentIsOnceOnly(t *testing.T) {
	o := open(t, func(c *sam.Config) { c.CodeLifetime = time.Hour })
	ctx := context.Background()
	dev := samtest.NewDevice(samtest.Origin, samtest.RPID)
	old := o.register(t, dev, o.code.Code)
	req, err := o.M.BeginEnrolment(ctx, samtest.SSPU, o.code.ID)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, o.World, sap.ReasonEnrolCode, func() error { return o.finish(old) }) // a newer request voids the older
	o.req = req
	first := o.code
	if o.code, err = o.M.OpenEnrolment(ctx, samtest.Officer, "carol"); err != nil {
		t.Fatal(err)
	}
	refused(t, o.World, sap.ReasonEnrolment, func() error { // the newer code voids the older
		_, err := o.M.FinishEnrolment(ctx, samtest.SSPU, first.ID, o.register(t, dev, first.Code))
		return err
	})
	if o.req, err = o.M.BeginEnrolment(ctx, samtest.SSPU, o.code.ID); err != nil {
		t.Fatal(err)
	}
	reg := o.register(t, dev, o.code.Code)
	o.Clock.Advance(11 * time.Minute)
	refused(t, o.World, sap.ReasonExpired, func() error { return o.finish(reg) })
	if o.req, err = o.M.BeginEnrolment(ctx, samtest.SSPU, o.code.ID); err != nil {
		t.Fatal(err)
	}
	reg = o.register(t, dev, o.code.Code)
	if err := o.finish(reg); err != nil {
		t.Fatal(err)
	}
	refused(t, o.World, sap.ReasonEnrolment, func() error { return o.finish(reg) })
	refused(t, o.World, sap.ReasonEnrolment, func() error { _, err := o.M.BeginEnrolment(ctx, samtest.SSPU, o.code.ID); return err })
	// A second authenticator, or the same for another signer, is refused.
	refused(t, o.World, sap.ReasonState, func() error { _, err := o.M.OpenEnrolment(ctx, samtest.Officer, "carol"); return err })
	if _, err := o.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "dave", Name: "Dave", Proof: "p-2"}); err != nil {
		t.Fatal(err)
	}
	if o.code, err = o.M.OpenEnrolment(ctx, samtest.Officer, "dave"); err != nil {
		t.Fatal(err)
	}
	if o.req, err = o.M.BeginEnrolment(ctx, samtest.SSPU, o.code.ID); err != nil {
		t.Fatal(err)
	}
	refused(t, o.World, sap.ReasonExists, func() error { return o.finish(o.register(t, dev, o.code.Code)) })
	o.Clock.Advance(2 * time.Hour)
	refused(t, o.World, sap.ReasonEnrolment, func() error { _, err := o.M.BeginEnrolment(ctx, samtest.SSPU, o.code.ID); return err })
}

// ENR-03: policy "device bound" refuses keys that can be backed up.
func TestDeviceBoundPolicy(t *testing.T) {
	o := open(t, func(c *sam.Config) { c.DeviceBound = true })
	d := samtest.NewDevice(samtest.Origin, samtest.RPID)
	d.Flags |= samtest.BE
	refused(t, o.World, sap.ReasonBackup, func() error { return o.finish(o.register(t, d, o.code.Code)) })
}

// ENR-01, ENR-04, ROL-05, PRV-01, PRV-04: with every right that it has, the SSPU
// cannot enrol, add, recreate, lift, generate, link, permit or destroy.
func TestSSPUAlone(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	ctx, c := context.Background(), samtest.SSPU
	for name, call := range map[string]func() error{
		"create a signer": func() error {
			_, err := w.M.CreateSigner(ctx, c, sam.NewSigner{ID: "x", Name: "X", Proof: "p"})
			return err
		},
		"recreate the signer": func() error {
			_, err := w.M.CreateSigner(ctx, c, sam.NewSigner{ID: s.ID, Name: "X", Proof: "p"})
			return err
		},
		"open an enrolment":  func() error { _, err := w.M.OpenEnrolment(ctx, c, s.ID); return err },
		"generate a key":     func() error { _, err := w.M.Generate(ctx, c, s.ID, "P-256", ""); return err },
		"link a certificate": func() error { _, err := w.M.LinkCertificate(ctx, c, s.Key, s.Chain); return err },
		"permit raw":         func() error { _, err := w.M.SetRaw(ctx, c, s.Key, true); return err },
		"propose to destroy": func() error {
			_, err := w.M.Propose(ctx, c, sam.DecideDestroy, w.Args(w.Destruction(s.Key)))
			return err
		},
		"lift a lockout":           func() error { return w.M.Lift(ctx, c, s.ID, sap.B64(s.Device.ID), "because") },
		"read the audit chain":     func() error { _, err := w.M.Audit(ctx, c, 0, 10); return err },
		"have a refusal explained": func() error { _, err := w.M.Explain(ctx, c, "1"); return err },
	} {
		t.Run(name, func(t *testing.T) { refused(t, w, sap.ReasonRole, call) })
	}
	// An enrolment id without the code is worth nothing, nor is a made-up one.
	if _, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "bob", Name: "Bob", Proof: "p"}); err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonEnrolment, func() error { _, err := w.M.BeginEnrolment(ctx, c, "e-made-up"); return err })
	refused(t, w, sap.ReasonExists, func() error { // nor can an officer overwrite a signer
		_, err := w.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: s.ID, Name: "Mallory", Proof: "p"})
		return err
	})
}
