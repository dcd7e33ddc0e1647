package sam_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// The names follow the list of RUB-NDS/passkeys.tools, which attacks relying
// parties in the place of a browser or an authenticator: 23 modifications of a
// registration, 25 of an authentication. Each is signed again by the genuine key
// wherever an attacker who controls browser or authenticator could do so.

// The world of these tests has an rpId with three labels, so that up- and
// downscoping both exist.
const (
	deepOrigin = "https://sign.trust.example"
	deepRPID   = "sign.trust.example"
)

func deep(c *sam.Config) { c.Origin, c.RPID = deepOrigin, deepRPID }

// ceremony is what a browser and an authenticator put together; the zero value of
// a field is the honest one.
type ceremony struct {
	client    map[string]any // members of the client data to set, or to remove when nil
	challenge []byte
	rpID      string
	flags     byte // to flip
	count     uint32
	id        []byte               // credential id in the authenticator data or the assertion
	key       *ecdsa.PrivateKey    // that is registered, or that signs
	cose      func(map[int]any)    // alters the COSE key
	sig       func([]byte) []byte  // alters the signature
	length    int                  // of the credential id field, when not 0
	sad       func(*sap.SAD)       // alters the approval before it is signed
	spare     func(*sap.Assertion) // alters the unsigned envelope
	hash      crypto.Hash          // that the authenticator signs with; SHA-256
}

func (c ceremony) clientData(t *testing.T, typ string, challenge []byte) []byte {
	t.Helper()
	if c.challenge != nil {
		challenge = c.challenge
	}
	m := map[string]any{"type": typ, "challenge": sap.B64(challenge), "origin": deepOrigin, "crossOrigin": false}
	for k, v := range c.client {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (c ceremony) authData(flags byte, count uint32) []byte {
	rp := deepRPID
	if c.rpID != "" {
		rp = c.rpID
	}
	sum := sha256.Sum256([]byte(rp))
	return binary.BigEndian.AppendUint32(append(sum[:], flags^c.flags), count)
}

// flipped returns a copy with the last bit changed.
func flipped(b []byte) []byte {
	out := bytes.Clone(b)
	out[len(out)-1] ^= 1
	return out
}

// answer is a registration that reaches samd, with the proof of the officer's code.
func (o *opened) answer(t *testing.T, object, client []byte) []byte {
	t.Helper()
	statement, err := sap.UnB64(o.req.Statement)
	if err != nil {
		t.Fatal(err)
	}
	key, err := sap.CodeKey(o.code.Code)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := jcs.Marshal(sap.Registration{
		AttestationObject: sap.B64(object), ClientDataJSON: sap.B64(client), CodeProof: sap.B64(sap.CodeProof(key, statement, object, client)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

// registration is what browser and authenticator return for a challenge.
func (c ceremony) registration(t *testing.T, d *samtest.Device, challenge []byte) (object, client []byte) {
	t.Helper()
	client = c.clientData(t, "webauthn.create", challenge)
	return c.attest(t, d, client), client
}

// attest is a packed self attestation by the device's key over modified data.
func (c ceremony) attest(t *testing.T, d *samtest.Device, client []byte) []byte {
	t.Helper()
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	pub, id := d.Key, d.ID
	if c.key != nil {
		pub = c.key
	}
	if c.id != nil {
		id = c.id
	}
	point, err := pub.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	cose := map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]}
	if c.cose != nil {
		c.cose(cose)
	}
	key, err := mode.Marshal(cose)
	if err != nil {
		t.Fatal(err)
	}
	n := len(id)
	if c.length != 0 {
		n = c.length
	}
	auth := append(c.authData(samtest.UP|samtest.UV|samtest.AT, 0), make([]byte, 16)...)
	auth = append(append(binary.BigEndian.AppendUint16(auth, uint16(n)), id...), key...)
	sum := sha256.Sum256(client)
	digest := sha256.Sum256(append(bytes.Clone(auth), sum[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, d.Key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	object, err := mode.Marshal(map[string]any{"fmt": "packed", "attStmt": map[string]any{"alg": -7, "sig": sig}, "authData": auth})
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// approve makes SAD and proof of a signer with the modification.
func (c ceremony) approve(t *testing.T, w *samtest.World, s *samtest.Signer) (sad, proof []byte) {
	t.Helper()
	req := w.Ask(s, 1)
	full, err := s.Device.SAD(req, s.Items(t, req, 1))
	if err != nil {
		t.Fatal(err)
	}
	if c.sad != nil {
		c.sad(full)
	}
	if sad, err = full.Encode(); err != nil {
		t.Fatal(err)
	}
	challenge, err := full.Challenge(sad)
	if err != nil {
		t.Fatal(err)
	}
	a := c.assertion(t, s.Device, challenge)
	if c.spare != nil {
		c.spare(&a)
	}
	if proof, err = jcs.Marshal(a); err != nil {
		t.Fatal(err)
	}
	return sad, proof
}

// assertion is what browser and authenticator return for a challenge.
func (c ceremony) assertion(t *testing.T, d *samtest.Device, challenge []byte) sap.Assertion {
	t.Helper()
	d.Count++
	count := d.Count
	if c.count != 0 {
		count = c.count
	}
	client, auth := c.clientData(t, "webauthn.get", challenge), c.authData(samtest.UP|samtest.UV, count)
	key, id, hash := d.Key, d.ID, crypto.SHA256
	if c.key != nil {
		key = c.key
	}
	if c.id != nil {
		id = c.id
	}
	if c.hash != 0 {
		hash = c.hash
	}
	sum := sha256.Sum256(client)
	h := hash.New()
	h.Write(append(bytes.Clone(auth), sum[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, key, h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.sig != nil {
		sig = c.sig(sig)
	}
	return sap.Assertion{Carrier: sap.CarrierWebAuthn, Credential: sap.B64(id), AuthenticatorData: sap.B64(auth), ClientDataJSON: sap.B64(client), Signature: sap.B64(sig)}
}

func client(k string, v any) ceremony { return ceremony{client: map[string]any{k: v}} }

// shared are the modifications that both ceremonies have; swap is the other type.
func shared(swap string) map[string]struct {
	want sap.Reason
	c    ceremony
} {
	type m = struct {
		want sap.Reason
		c    ceremony
	}
	return map[string]m{
		"Context | Nonsense":       {sap.ReasonCeremony, client("type", "abc.def")},
		"Context | Swap":           {sap.ReasonCeremony, client("type", swap)},
		"Origin | Cross Site":      {sap.ReasonOrigin, client("origin", "https://sign.trust.test")},
		"Origin | Downscoping":     {sap.ReasonOrigin, client("origin", "https://sub.sign.trust.example")},
		"Origin | Upscoping":       {sap.ReasonOrigin, client("origin", "https://trust.example")},
		"Cross Origin":             {sap.ReasonCrossOrigin, client("crossOrigin", true)},
		"Top Origin | Cross Site":  {sap.ReasonCrossOrigin, client("topOrigin", "https://sign.trust.test")},
		"Top Origin | Downscoping": {sap.ReasonCrossOrigin, client("topOrigin", "https://sub.sign.trust.example")},
		"Top Origin | Upscoping":   {sap.ReasonCrossOrigin, client("topOrigin", "https://trust.example")},
		"RP ID Hash | Cross Site":  {sap.ReasonRPID, ceremony{rpID: "sign.trust.test"}},
		"RP ID Hash | Downscoping": {sap.ReasonRPID, ceremony{rpID: "sub.sign.trust.example"}},
		"RP ID Hash | Upscoping":   {sap.ReasonRPID, ceremony{rpID: "trust.example"}},
		"User Present":             {sap.ReasonUserPresence, ceremony{flags: samtest.UP}},
		"User Verified":            {sap.ReasonUserVerified, ceremony{flags: samtest.UV}},
		"Backup State":             {sap.ReasonBackup, ceremony{flags: samtest.BS}},
	}
}

// T4, ENR-03, SAP-02: the 48 passkey modifications, each through the module, each
// refused for its own reason with one audit record and no call of the token.
func TestT4PasskeyModifications(t *testing.T) {
	created := createModifications(t, enrolments(t))
	got := getModifications(t)
	if created != 23 || got != 25 {
		t.Errorf("%d modifications of a registration and %d of an authentication, want 23 and 25", created, got)
	}
}

// getModifications runs those of an authentication and counts them.
func getModifications(t *testing.T) (n int) {
	w := samtest.New(t, deep, func(c *sam.Config) { c.LockoutLimit = 1000 })
	mk := func(id string) *samtest.Signer {
		s := &samtest.Signer{ID: id, Device: samtest.NewDevice(deepOrigin, deepRPID)}
		w.Enrol(s)
		w.NewKey(s, algo.P256)
		return s
	}
	alice, mallory := mk("alice"), mk("mallory")
	synced := &samtest.Signer{ID: "synced", Device: samtest.NewDevice(deepOrigin, deepRPID)}
	synced.Device.Flags |= samtest.BE
	w.Enrol(synced)
	w.NewKey(synced, algo.P256)
	honest := func(s *samtest.Signer) (sad, proof []byte) { return ceremony{}.approve(t, w, s) }
	run := func(name string, want sap.Reason, make func(t *testing.T) (sad, proof []byte)) {
		n++
		t.Run("get/"+name, func(t *testing.T) {
			sad, proof := make(t)
			calls := len(w.Token.Log())
			refused(t, w, want, func() error { _, err := w.Redeem(sad, proof); return err })
			if len(w.Token.Log()) != calls {
				t.Error("the token was called")
			}
			if want == sap.ReasonCounter { // the alarm of a copy
				if err := w.M.Lift(context.Background(), samtest.Officer, alice.ID, sap.B64(alice.Device.ID), "tested"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.Redeem(honest(alice)); err != nil {
				t.Errorf("honest approval afterwards: %v", err)
			}
		})
	}
	for name, m := range shared("webauthn.create") {
		run(name, m.want, func(t *testing.T) ([]byte, []byte) { return m.c.approve(t, w, alice) })
	}
	run("Challenge | Bit Flip", sap.ReasonChallenge, func(t *testing.T) ([]byte, []byte) {
		return ceremony{challenge: flipped(make([]byte, 32))}.approve(t, w, alice)
	})
	run("Challenge | Reuse", sap.ReasonChallenge, func(t *testing.T) ([]byte, []byte) {
		_, used := honest(alice) // a genuine assertion of another approval
		sad, _ := honest(alice)
		return sad, used
	})
	run("Challenge | Session Binding", sap.ReasonBinding, func(t *testing.T) ([]byte, []byte) {
		theirs := w.Ask(mallory, 1)
		return ceremony{sad: func(s *sap.SAD) { s.Bind.Session, s.Bind.Nonce = theirs.Bind.Session, theirs.Bind.Nonce }}.approve(t, w, alice)
	})
	run("Backup Eligible | Swap to On", sap.ReasonBackup, func(t *testing.T) ([]byte, []byte) {
		return ceremony{flags: samtest.BE | samtest.BS}.approve(t, w, alice)
	})
	run("Allow Credentials", sap.ReasonAuthenticator, func(t *testing.T) ([]byte, []byte) {
		return ceremony{id: make([]byte, 16), sad: func(s *sap.SAD) { s.Auth.Cred = sap.B64(make([]byte, 16)) }}.approve(t, w, alice)
	})
	run("Non-Discoverable Identification", sap.ReasonAuthenticator, func(t *testing.T) ([]byte, []byte) {
		// Mallory's own passkey for Alice's key.
		return ceremony{id: mallory.Device.ID, key: mallory.Device.Key, sad: func(s *sap.SAD) { s.Auth.Cred = sap.B64(mallory.Device.ID) }}.approve(t, w, alice)
	})
	run("Discoverable Identification", sap.ReasonBinding, func(t *testing.T) ([]byte, []byte) {
		// Mallory's approval that says it is Alice's: signer and key are hers.
		return ceremony{sad: func(s *sap.SAD) { s.Bind.Signer, s.Bind.Key = alice.ID, alice.Key }}.approve(t, w, mallory)
	})
	run("Backup Eligible | Swap to Off", sap.ReasonBackup, func(t *testing.T) ([]byte, []byte) {
		return ceremony{}.approve(t, w, synced) // enrolled with BE=1, asserts with BE=0
	})
	run("Signature", sap.ReasonSignature, func(t *testing.T) ([]byte, []byte) {
		return ceremony{sig: flipped}.approve(t, w, alice)
	})
	run("Signature Counter", sap.ReasonCounter, func(t *testing.T) ([]byte, []byte) {
		return ceremony{count: 1}.approve(t, w, alice)
	})
	w.Check()
	return n
}

// AFL-01, AFL-02, T27: what proves nothing locks nobody. Garbage, replayed
// assertions, foreign keys and edited envelopes, far over the limit, leave the
// owner's authenticator as it was; and a failure that does count, counts once
// however often it is relayed.
func TestAFL01GarbageLocksNobody(t *testing.T) {
	w := samtest.New(t) // limit 3
	s := w.NewSigner("alice", algo.P256)
	_, recorded := w.Approve(s, 1)
	for i := range 12 {
		sad, proof := w.Approve(s, 1)
		switch i % 4 {
		case 0:
			proof = recorded
		case 1:
			proof = respell(t, proof, func(a *sap.Assertion) { a.Signature = sap.B64([]byte("garbage")) })
		case 2:
			proof = respell(t, proof, func(a *sap.Assertion) { a.Credential = sap.B64(make([]byte, 16)) })
		case 3:
			thief := *s.Device
			thief.Key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			req, err := sap.DecodeSAD(sad)
			if err != nil {
				t.Fatal(err)
			}
			if _, proof, err = thief.Sign(req); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Redeem(sad, proof); err == nil {
			t.Fatal("accepted")
		}
		if locked(t, w, s) {
			t.Fatalf("locked after %d pieces of garbage", i+1)
		}
	}
	bad := failing(t, w, s)
	if _, err := w.Redeem(bad.sad, bad.proof); !errors.Is(err, sap.ReasonUserVerified) {
		t.Fatal(err)
	}
	for range 5 {
		refused(t, w, sap.ReasonConsumed, func() error { _, err := w.Redeem(bad.sad, bad.proof); return err })
	}
	v, err := w.M.Signer(context.Background(), samtest.Officer, s.ID)
	if err != nil || v.Authenticators[0].Failures != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := w.Redeem(w.Approve(s, 1)); err != nil {
		t.Errorf("the owner: %v", err)
	}
}

func respell(t *testing.T, proof []byte, change func(*sap.Assertion)) []byte {
	t.Helper()
	a, err := sap.DecodeAssertion(proof)
	if err != nil {
		t.Fatal(err)
	}
	change(a)
	out, err := jcs.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// AFL-01 (CVE-2025-6004): one spelling of every id. Other spellings of signer,
// credential and session are refused; none of them opens a second count, and a
// locked authenticator stays locked under all of them.
func TestAFL01OtherSpellingsOfIDs(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 1)
	for range 3 {
		bad := failing(t, w, s)
		if _, err := w.Redeem(bad.sad, bad.proof); err == nil {
			t.Fatal("accepted")
		}
	}
	std := func(id string) string { return id + "==" }
	uses := w.Token.Uses()
	for name, change := range map[string]func(*sap.SAD, *sap.Assertion){
		"as it is":              func(*sap.SAD, *sap.Assertion) {},
		"padded credential":     func(s *sap.SAD, a *sap.Assertion) { s.Auth.Cred, a.Credential = std(s.Auth.Cred), std(a.Credential) },
		"credential, more bits": func(s *sap.SAD, a *sap.Assertion) { s.Auth.Cred, a.Credential = s.Auth.Cred+"A", a.Credential+"A" },
		"credential, line end":  func(s *sap.SAD, a *sap.Assertion) { s.Auth.Cred, a.Credential = s.Auth.Cred+"\n", a.Credential+"\n" },
		"signer in capitals":    func(s *sap.SAD, _ *sap.Assertion) { s.Bind.Signer = "ALICE" },
		"signer with a space":   func(s *sap.SAD, _ *sap.Assertion) { s.Bind.Signer = "alice " },
		"signer look-alike":     func(s *sap.SAD, _ *sap.Assertion) { s.Bind.Signer = "\u0430lice" },
		"signer, NUL behind":    func(s *sap.SAD, _ *sap.Assertion) { s.Bind.Signer = "alice\x00" },
		"key in capitals":       func(s *sap.SAD, _ *sap.Assertion) { s.Bind.Key = "K" + s.Bind.Key[1:] },
		"padded session":        func(s *sap.SAD, _ *sap.Assertion) { s.Bind.Session = std(s.Bind.Session) },
	} {
		t.Run(name, func(t *testing.T) {
			full, err := sap.DecodeSAD(sad)
			if err != nil {
				t.Fatal(err)
			}
			a, err := sap.DecodeAssertion(proof)
			if err != nil {
				t.Fatal(err)
			}
			change(full, a)
			text, err := jcs.Marshal(full)
			if err != nil {
				t.Fatal(err)
			}
			p, err := jcs.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Redeem(text, p); err == nil {
				t.Error("accepted")
			}
			v, err := w.M.Signer(context.Background(), samtest.Officer, s.ID)
			if err != nil || len(v.Authenticators) != 1 || v.Authenticators[0].Failures != 3 || !v.Authenticators[0].Locked {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
	if w.Token.Uses() != uses {
		t.Error("a key was used")
	}
	for _, id := range []string{std(sap.B64(s.Device.ID)), sap.B64(s.Device.ID) + "A", " " + sap.B64(s.Device.ID)} {
		if err := w.M.Lift(context.Background(), samtest.Officer, s.ID, id, "spelling"); err == nil {
			t.Errorf("lifted by %q", id)
		}
	}
}

// AFL-03: a redemption that is refused because of what the module knows (signer,
// key, session, authenticator, lock, consumption) costs the same verification of
// an assertion as one that is refused for the assertion itself.
func TestAFL03TheSameWorkForEveryRefusal(t *testing.T) {
	w := samtest.New(t)
	s, other, lockedOut := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256), w.NewSigner("carl", algo.P256)
	late := sign(t, w, lockedOut, 1, nil)
	for range 3 {
		bad := failing(t, w, lockedOut)
		if _, err := w.Redeem(bad.sad, bad.proof); err == nil {
			t.Fatal("accepted")
		}
	}
	used := sign(t, w, s, 1, nil)
	if _, err := w.Redeem(used.sad, used.proof); err != nil {
		t.Fatal(err)
	}
	again, err := sap.DecodeSAD(used.sad)
	if err != nil {
		t.Fatal(err)
	}
	_, used.proof, err = s.Device.Sign(again)
	if err != nil {
		t.Fatal(err)
	}
	stranger := *s
	stranger.Device = other.Device
	for name, a := range map[string]approval{
		"wrong signature":       device(func(d *samtest.Device) { d.Key = newKey() })(t, w, s, other),
		"UV=0":                  failing(t, w, s),
		"unknown session":       sign(t, w, s, 1, func(s *sap.SAD) { s.Bind.Session = sap.B64(make([]byte, 16)) }),
		"unknown signer":        sign(t, w, s, 1, func(s *sap.SAD) { s.Bind.Signer = "nobody" }),
		"unknown key":           sign(t, w, s, 1, func(s *sap.SAD) { s.Bind.Key = "k-none" }),
		"unknown authenticator": sign(t, w, &stranger, 1, nil),
		"other cluster":         sign(t, w, s, 1, func(s *sap.SAD) { s.Bind.Audience = "prod#1" }),
		"consumed":              used,
		"locked out":            late,
	} {
		before := w.M.Judged()
		if _, err := w.Redeem(a.sad, a.proof); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if n := w.M.Judged() - before; n != 1 {
			t.Errorf("%s: %d assertions were verified, want 1", name, n)
		}
	}
}
