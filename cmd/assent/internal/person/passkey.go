package person

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/assent-sign/assent/sap"
)

// ErrCeremony means that the app origin's passkey ceremony is not as expected.
var ErrCeremony = errors.New("person: the login ceremony is not as expected")

// Flags of WebAuthn authenticator data: user present, user verified, attested
// credential data included.
const (
	flagUP = 0x01
	flagUV = 0x04
	flagAT = 0x40
)

// passkey is a software login passkey of the app origin. It has nothing to do
// with signing: the module never sees it and would refuse it.
type passkey struct {
	key    *ecdsa.PrivateKey
	id     []byte
	handle []byte // user handle given by the service
	rpID   string
	count  uint32
}

func newPasskey(rpID string) (*passkey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id)
	return &passkey{key: key, id: id, rpID: rpID}, nil
}

// options are the members of a ceremony's options that matter here.
type options struct {
	PublicKey struct {
		Challenge string `json:"challenge"`
		RPID      string `json:"rpId"`
		RP        struct {
			ID string `json:"id"`
		} `json:"rp"`
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	} `json:"publicKey"`
}

type answer struct {
	ID         string            `json:"id"`
	RawID      string            `json:"rawId"`
	Type       string            `json:"type"`
	Extensions map[string]string `json:"clientExtensionResults"`
	Response   map[string]any    `json:"response"`
}

func (p *passkey) answer(response map[string]any) answer {
	id := sap.B64(p.id)
	return answer{ID: id, RawID: id, Type: "public-key", Extensions: map[string]string{}, Response: response}
}

// register answers a registration ceremony (WebAuthn level 3, section 7.1) with
// attestation "none".
func (p *passkey) register(text []byte, origin string) (answer, error) {
	var o options
	if err := json.Unmarshal(text, &o); err != nil || o.PublicKey.Challenge == "" || o.PublicKey.RP.ID != p.rpID {
		return answer{}, fmt.Errorf("%w: registration for %q", ErrCeremony, o.PublicKey.RP.ID)
	}
	handle, err := sap.UnB64(o.PublicKey.User.ID)
	if err != nil {
		return answer{}, fmt.Errorf("%w: user handle", ErrCeremony)
	}
	p.handle = handle
	pub, err := p.key.PublicKey.Bytes()
	if err != nil {
		return answer{}, err
	}
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return answer{}, err
	}
	cose, err := mode.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: pub[1:33], -3: pub[33:]})
	if err != nil {
		return answer{}, err
	}
	data := p.authData(flagUP | flagUV | flagAT)
	data = append(data, make([]byte, 16)...) // AAGUID: none
	data = binary.BigEndian.AppendUint16(data, uint16(len(p.id)))
	data = append(append(data, p.id...), cose...)
	att, err := mode.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		return answer{}, err
	}
	cd, err := clientData("webauthn.create", o.PublicKey.Challenge, origin)
	if err != nil {
		return answer{}, err
	}
	return p.answer(map[string]any{"clientDataJSON": sap.B64(cd), "attestationObject": sap.B64(att), "transports": []string{"internal"}}), nil
}

// login answers a login ceremony (section 7.2).
func (p *passkey) login(text []byte, origin string) (answer, error) {
	var o options
	if err := json.Unmarshal(text, &o); err != nil || o.PublicKey.Challenge == "" || o.PublicKey.RPID != p.rpID {
		return answer{}, fmt.Errorf("%w: login for %q", ErrCeremony, o.PublicKey.RPID)
	}
	cd, err := clientData("webauthn.get", o.PublicKey.Challenge, origin)
	if err != nil {
		return answer{}, err
	}
	data := p.authData(flagUP | flagUV)
	h := sha256.Sum256(cd)
	sum := sha256.Sum256(append(append([]byte(nil), data...), h[:]...))
	sig, err := p.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return answer{}, err
	}
	return p.answer(map[string]any{"clientDataJSON": sap.B64(cd), "authenticatorData": sap.B64(data), "signature": sap.B64(sig), "userHandle": sap.B64(p.handle)}), nil
}

func (p *passkey) authData(flags byte) []byte {
	p.count++
	rp := sha256.Sum256([]byte(p.rpID))
	return binary.BigEndian.AppendUint32(append(rp[:], flags), p.count)
}

func clientData(typ, challenge, origin string) ([]byte, error) {
	return json.Marshal(struct {
		Type        string `json:"type"`
		Challenge   string `json:"challenge"`
		Origin      string `json:"origin"`
		CrossOrigin bool   `json:"crossOrigin"`
	}{typ, challenge, origin, false})
}

// savedPasskey is the form of a passkey in a file of the demo.
type savedPasskey struct {
	Key    []byte `json:"key"` // PKCS #8
	ID     []byte `json:"id"`
	Handle []byte `json:"handle"`
	RPID   string `json:"rp_id"`
	Count  uint32 `json:"count"`
}

func (p *passkey) save() (savedPasskey, error) {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	return savedPasskey{der, p.id, p.handle, p.rpID, p.count}, err
}

func (s savedPasskey) open() (*passkey, error) {
	k, err := x509.ParsePKCS8PrivateKey(s.Key)
	if err != nil {
		return nil, err
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: saved key is %T", ErrCeremony, k)
	}
	// The counter jumps ahead: uses after the last save are not known.
	return &passkey{key, s.ID, s.Handle, s.RPID, s.Count + 1000}, nil
}
