package attestation

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/assent-sign/assent/internal/attestation/attestationtest"
)

type vector struct {
	Name   string
	Create struct{ ClientDataJSON, AttestationObject, CredentialID, AAGUID hexBytes }
	Get    struct{ AuthenticatorData, ClientDataJSON, Signature hexBytes }
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func vectors(t testing.TB) (root *x509.Certificate, list []vector) {
	t.Helper()
	text, err := os.ReadFile("testdata/w3c-webauthn.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Root    hexBytes
		Vectors []vector
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	if root, err = x509.ParseCertificate(f.Root); err != nil {
		t.Fatal(err)
	}
	return root, f.Vectors
}

// ENR-03: all 15 registrations of the W3C standard: their type, their path to the
// standard's root, and not to another; Ed448 is refused as an algorithm.
func TestENR03W3CVectors(t *testing.T) {
	root, list := vectors(t)
	want := map[string]Type{
		"none-es256": TypeNone, "none-es256-crossOrigin": TypeNone, "none-es256-topOrigin": TypeNone, "none-es256-long-credential-id": TypeNone,
		"packed-self-es256": TypeSelf, "packed-es256": TypeBasic, "packed-es384": TypeBasic, "packed-es512": TypeBasic, "packed-rs256": TypeBasic,
		"packed-eddsa": TypeBasic, "packed-ed448": "", "tpm-es256": TypeBasic, "android-key-es256": TypeBasic, "apple-es256": TypeBasic, "fido-u2f-es256": TypeBasic,
	}
	if len(list) != 15 || len(want) != 15 {
		t.Fatalf("%d vectors", len(list))
	}
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	other := attestationtest.New(t).Root
	for _, v := range list {
		t.Run(v.Name, func(t *testing.T) {
			o, err := Parse(v.Create.AttestationObject)
			if v.Name == "packed-ed448" {
				if !errors.Is(err, ErrAlgorithm) {
					t.Fatalf("Ed448: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(o.AuthData.CredentialID, v.Create.CredentialID) || !bytes.Equal(o.AuthData.AAGUID[:], v.Create.AAGUID) {
				t.Error("credential id or AAGUID")
			}
			sum := sha256.Sum256(v.Create.ClientDataJSON)
			r, err := o.Verify(sum[:])
			if err != nil || r.Type != want[v.Name] {
				t.Fatalf("%+v, %v", r, err)
			}
			if err := r.Trust([]*x509.Certificate{root}, at); (err == nil) != (r.Type == TypeBasic) {
				t.Errorf("trust: %v", err)
			}
			if err := r.Trust([]*x509.Certificate{other}, at); !errors.Is(err, ErrTrust) {
				t.Errorf("another root: %v", err)
			}
			if err := r.Trust([]*x509.Certificate{root}, at.AddDate(1000, 0, 0)); !errors.Is(err, ErrTrust) {
				t.Errorf("after its time: %v", err)
			}
			sum[0] ^= 1
			if _, err := o.Verify(sum[:]); (err == nil) != (r.Type == TypeNone) {
				t.Errorf("other client data: %v", err)
			}
			// The same key signs the standard's authentication.
			sum = sha256.Sum256(v.Get.ClientDataJSON)
			cert := &x509.Certificate{PublicKey: o.AuthData.Public}
			if err := checkSignature(cert, o.AuthData.Algorithm, append(slices.Clone(v.Get.AuthenticatorData), sum[:]...), v.Get.Signature); err != nil {
				t.Errorf("authentication: %v", err)
			}
		})
	}
}

// ENR-03: no single changed bit of a vector's attestation object verifies as what
// it was: statement, certificate, key, flags, counter.
func TestENR03NoBitOfAnAttestationIsFree(t *testing.T) {
	_, list := vectors(t)
	for _, v := range list {
		if slices.Contains([]string{"packed-ed448", "packed-rs256"}, v.Name) || bytes.Contains([]byte(v.Name), []byte("none")) {
			continue // RS256 takes long; none signs nothing
		}
		sum := sha256.Sum256(v.Create.ClientDataJSON)
		root, _ := vectors(t)
		free := 0
		for i := range v.Create.AttestationObject {
			b := bytes.Clone(v.Create.AttestationObject)
			b[i] ^= 1 << (i % 8)
			o, err := Parse(b)
			if err != nil {
				continue
			}
			r, err := o.Verify(sum[:])
			if err != nil {
				continue
			}
			if r.Type == TypeBasic && r.Trust([]*x509.Certificate{root}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) != nil {
				continue
			}
			free++
			t.Logf("%s: octet %d is free", v.Name, i)
		}
		// apple signs nothing itself: its certificate names the digest, so that
		// every bit counts there too.
		if free != allowedFree[v.Name] {
			t.Errorf("%s: %d free octets, want %d", v.Name, free, allowedFree[v.Name])
		}
	}
}

// allowedFree: U2F signs neither flags nor counter nor AAGUID (1 + 4 + 16
// octets); that is one reason why policy refuses it.
var allowedFree = map[string]int{"fido-u2f-es256": 21}

// credential is a key with its authenticator data.
func credential(t *testing.T) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := k.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return k, authData(t, map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	m, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func model() (id [16]byte) { copy(id[:], "test-model-00001"); return id }

func authData(t testing.TB, key any) []byte {
	t.Helper()
	d := append(make([]byte, 32), FlagUP|FlagUV|FlagAT, 0, 0, 0, 0)
	id := model()
	d = append(d, id[:]...)
	d = binary.BigEndian.AppendUint16(d, 16)
	return append(append(d, make([]byte, 16)...), encode(t, key)...)
}

func object(t testing.TB, format string, stmt map[string]any, auth []byte) []byte {
	t.Helper()
	return encode(t, map[string]any{"fmt": format, "attStmt": stmt, "authData": auth})
}

func verify(t *testing.T, text []byte) (*Result, error) {
	t.Helper()
	o, err := Parse(text)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte("client data"))
	return o.Verify(sum[:])
}

// ENR-03: packed with x5c, every rule of section 8.2.1 broken once.
func TestENR03PackedCertificateRules(t *testing.T) {
	m, sum := attestationtest.New(t), sha256.Sum256([]byte("client data"))
	_, auth := credential(t)
	for name, c := range map[string]struct {
		want   error
		change func(*x509.Certificate)
		aaguid [16]byte
	}{
		"genuine":         {nil, nil, model()},
		"other AAGUID":    {ErrStatement, nil, [16]byte{1}},
		"CA":              {ErrStatement, func(c *x509.Certificate) { c.IsCA = true }, model()},
		"no OU":           {ErrStatement, func(c *x509.Certificate) { c.Subject.OrganizationalUnit = nil }, model()},
		"other OU":        {ErrStatement, func(c *x509.Certificate) { c.Subject.OrganizationalUnit[0] = "authenticator attestation" }, model()},
		"no country":      {ErrStatement, func(c *x509.Certificate) { c.Subject.Country = nil }, model()},
		"no name":         {ErrStatement, func(c *x509.Certificate) { c.Subject.CommonName = "" }, model()},
		"AAGUID critical": {ErrStatement, func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = true }, model()},
		"AAGUID twice wrapped": {ErrStatement, func(c *x509.Certificate) {
			c.ExtraExtensions[0].Value = append([]byte{4, byte(len(c.ExtraExtensions[0].Value))}, c.ExtraExtensions[0].Value...)
		}, model()},
		"no AAGUID extension": {nil, func(c *x509.Certificate) { c.ExtraExtensions = nil }, model()},
	} {
		t.Run(name, func(t *testing.T) {
			m.Change = c.change
			r, err := verify(t, object(t, "packed", m.Packed(auth, sum[:], c.aaguid), auth))
			if !errors.Is(err, c.want) || (c.want == nil && (err != nil || r.Type != TypeBasic || !r.Bound)) {
				t.Fatalf("%+v, %v", r, err)
			}
			if err == nil && r.Trust([]*x509.Certificate{m.Root}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) != nil {
				t.Error("no trust path")
			}
		})
	}
	// The leaf itself may be an anchor; a different leaf of the same name is none.
	stmt := m.Packed(auth, sum[:], model())
	r, err := verify(t, object(t, "packed", stmt, auth))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Trust(r.Chain, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Errorf("leaf as anchor: %v", err)
	}
	stmt2, err := verify(t, object(t, "packed", m.Packed(auth, sum[:], model()), auth))
	if err != nil {
		t.Fatal(err)
	}
	if err := stmt2.Trust(r.Chain, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); !errors.Is(err, ErrTrust) {
		t.Errorf("another leaf: %v", err)
	}
	// Self attestation must use the credential's own algorithm and key.
	stmt = m.Packed(auth, sum[:], model())
	delete(stmt, "x5c")
	if _, err := verify(t, object(t, "packed", stmt, auth)); !errors.Is(err, ErrStatement) {
		t.Errorf("self attestation by another key: %v", err)
	}
}

// I9: a key that takes seconds to verify with is not tried: whoever enrols chooses it, and the module would be busy for as long.
func TestI9AttestationsWithKeysThatAreTooLong(t *testing.T) {
	m, sum := attestationtest.New(t), sha256.Sum256([]byte("client data"))
	key, auth := credential(t)
	for bits, want := range map[int]error{8192: nil, 8200: ErrStatement} {
		n := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
		c := &x509.Certificate{SerialNumber: big.NewInt(1)}
		long, err := x509.CreateCertificate(rand.Reader, c, c, &rsa.PublicKey{N: n, E: 65537}, key)
		if err != nil {
			t.Fatal(err)
		}
		stmt := m.Packed(auth, sum[:], model())
		stmt["x5c"] = append(stmt["x5c"].([][]byte), long)
		if _, err := verify(t, object(t, "packed", stmt, auth)); !errors.Is(err, want) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

// ENR-03: tpm, every rule of section 8.3 broken once.
func TestENR03TPMRules(t *testing.T) {
	m, sum := attestationtest.New(t), sha256.Sum256([]byte("client data"))
	k, auth := credential(t)
	zero := uint32(0)
	flip := func(i int) func([]byte) { return func(b []byte) { b[i] ^= 1 } }
	for name, c := range map[string]struct {
		want   error
		bound  bool
		tpm    attestationtest.TPM
		change func(*x509.Certificate)
		edit   func(map[string]any)
	}{
		"genuine":            {nil, true, attestationtest.TPM{}, nil, nil},
		"key may leave":      {nil, false, attestationtest.TPM{Attributes: &zero}, nil, nil},
		"magic":              {ErrStatement, false, attestationtest.TPM{CertInfo: flip(0)}, nil, nil},
		"type":               {ErrStatement, false, attestationtest.TPM{CertInfo: flip(5)}, nil, nil},
		"extraData":          {ErrStatement, false, attestationtest.TPM{CertInfo: flip(12)}, nil, nil},
		"name":               {ErrStatement, false, attestationtest.TPM{CertInfo: flip(80)}, nil, nil},
		"cut":                {ErrStatement, false, attestationtest.TPM{}, nil, func(s map[string]any) { s["certInfo"] = s["certInfo"].([]byte)[:40] }},
		"octet behind":       {ErrStatement, false, attestationtest.TPM{}, nil, func(s map[string]any) { s["certInfo"] = append(s["certInfo"].([]byte), 0) }},
		"pubArea cut":        {ErrStatement, false, attestationtest.TPM{}, nil, func(s map[string]any) { s["pubArea"] = s["pubArea"].([]byte)[:30] }},
		"other key":          {ErrStatement, false, attestationtest.TPM{PubArea: flip(30)}, nil, nil},
		"other curve":        {ErrStatement, false, attestationtest.TPM{PubArea: flip(17)}, nil, nil},
		"storage key":        {ErrStatement, false, attestationtest.TPM{PubArea: func(b []byte) { b[11] = 6 }}, nil, nil},
		"name by SHA-1":      {ErrStatement, false, attestationtest.TPM{PubArea: func(b []byte) { b[3] = 4 }}, nil, nil},
		"version":            {ErrStatement, false, attestationtest.TPM{}, nil, func(s map[string]any) { s["ver"] = "1.2" }},
		"algorithm":          {ErrAlgorithm, false, attestationtest.TPM{}, nil, func(s map[string]any) { s["alg"] = -65535 }},
		"no certificate":     {ErrStatement, false, attestationtest.TPM{}, nil, func(s map[string]any) { delete(s, "x5c") }},
		"unknown member":     {ErrStatement, false, attestationtest.TPM{}, nil, func(s map[string]any) { s["ecdaaKeyId"] = []byte{1} }},
		"AIK with a subject": {ErrStatement, false, attestationtest.TPM{}, func(c *x509.Certificate) { c.Subject.CommonName = "x" }, nil},
		"AIK without usage":  {ErrStatement, false, attestationtest.TPM{}, func(c *x509.Certificate) { c.ExtraExtensions = c.ExtraExtensions[:1] }, nil},
		"AIK without name":   {ErrStatement, false, attestationtest.TPM{}, func(c *x509.Certificate) { c.ExtraExtensions = c.ExtraExtensions[1:] }, nil},
		"AIK is a CA":        {ErrStatement, false, attestationtest.TPM{}, func(c *x509.Certificate) { c.IsCA = true }, nil},
		"AIK of another AAGUID": {ErrStatement, false, attestationtest.TPM{}, func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, m.AAGUID([16]byte{9}))
		}, nil},
		"AIK name is a DNS name": {ErrStatement, false, attestationtest.TPM{}, func(c *x509.Certificate) {
			c.ExtraExtensions[0].Value = []byte{0x30, 3, 0x82, 1, 'x'}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m.TPM, m.Change = c.tpm, c.change
			stmt := m.TPMStatement(&k.PublicKey, auth, sum[:])
			if c.edit != nil {
				c.edit(stmt)
			}
			r, err := verify(t, object(t, "tpm", stmt, auth))
			if !errors.Is(err, c.want) || (c.want == nil && (err != nil || r.Type != TypeBasic || r.Bound != c.bound)) {
				t.Fatalf("%+v, %v", r, err)
			}
			if err == nil {
				if err := r.Trust([]*x509.Certificate{m.Root}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
					t.Errorf("trust: %v", err)
				}
			}
		})
	}
}

// SAP-07: one form of an attestation object; what does not belong is refused.
func TestObjectsThatAreMalformed(t *testing.T) {
	_, auth := credential(t)
	ok := map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": auth}
	with := func(key string, v any) []byte {
		o := map[string]any{}
		for k, x := range ok {
			o[k] = x
		}
		if o[key] = v; v == nil {
			delete(o, key)
		}
		return encode(t, o)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	short := bytes.Clone(auth)
	short[54] = 15
	ed := bytes.Clone(auth)
	ed[32] |= FlagED
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pt, _ := k.PublicKey.Bytes()
	ec := func(change map[int]any) []byte {
		key := map[int]any{1: 2, 3: -7, -1: 1, -2: pt[1:33], -3: pt[33:]}
		for l, v := range change {
			if key[l] = v; v == nil {
				delete(key, l)
			}
		}
		return with("authData", authData(t, key))
	}
	off := bytes.Clone(pt[33:])
	off[31] ^= 1
	for name, c := range map[string]struct {
		want error
		text []byte
	}{
		"genuine":             {nil, encode(t, ok)},
		"octet behind":        {ErrObject, append(encode(t, ok), 0)},
		"empty":               {ErrObject, nil},
		"too large":           {ErrObject, make([]byte, MaxObject+1)},
		"no format":           {ErrObject, with("fmt", nil)},
		"no statement":        {ErrObject, with("attStmt", nil)},
		"no data":             {ErrObject, with("authData", nil)},
		"unknown member":      {ErrObject, with("epAtt", true)},
		"other case":          {ErrObject, with("Fmt", "none")},
		"format is bytes":     {ErrObject, with("fmt", []byte("none"))},
		"indefinite length":   {ErrObject, append(append([]byte{0xbf}, encode(t, ok)[1:]...), 0xff)},
		"tagged":              {ErrObject, append([]byte{0xd9, 0xd9, 0xf7}, encode(t, ok)...)},
		"member twice":        {ErrObject, append(append([]byte{0xa4}, encode(t, ok)[1:]...), encode(t, map[string]any{"fmt": "none"})[1:]...)},
		"none with content":   {ErrStatement, with("attStmt", map[string]any{"alg": -7})},
		"unknown format":      {ErrFormat, with("fmt", "android-safetynet")},
		"compound":            {ErrFormat, with("fmt", "compound")},
		"short data":          {ErrAuthData, with("authData", auth[:50])},
		"short credential id": {ErrAuthData, with("authData", short)},
		"extension flag":      {ErrAuthData, with("authData", ed)},
		"data behind the key": {ErrKey, with("authData", append(bytes.Clone(auth), 0xa0))},
		"no key":              {ErrKey, with("authData", auth[:71])},
		"point off the curve": {ErrKey, ec(map[int]any{-3: off})},
		"short coordinate":    {ErrKey, ec(map[int]any{-2: pt[1:32]})},
		"compressed point":    {ErrKey, ec(map[int]any{-3: true})},
		"extra key member":    {ErrKey, ec(map[int]any{4: 1})},
		"no algorithm":        {ErrKey, ec(map[int]any{3: nil, 4: 1})},
		"ES384 on P-256":      {ErrAlgorithm, ec(map[int]any{3: -35})},
		"secp256k1":           {ErrAlgorithm, ec(map[int]any{-1: 8, 3: -47})},
		"RS1":                 {ErrAlgorithm, with("authData", authData(t, map[int]any{1: 3, 3: -65535, -1: rsaKey.N.Bytes(), -2: []byte{1, 0, 1}}))},
		"RSA exponent 3":      {ErrKey, with("authData", authData(t, map[int]any{1: 3, 3: -257, -1: rsaKey.N.Bytes(), -2: []byte{3}}))},
		"RSA 1024":            {ErrKey, with("authData", authData(t, map[int]any{1: 3, 3: -257, -1: rsaKey.N.Bytes()[:128], -2: []byte{1, 0, 1}}))},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := verify(t, c.text); !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
		})
	}
}

// FuzzVerify: whatever arrives, nothing breaks, and what is signed verifies only
// as one of the known types.
func FuzzVerify(f *testing.F) {
	_, list := vectors(f)
	for _, v := range list {
		sum := sha256.Sum256(v.Create.ClientDataJSON)
		f.Add([]byte(v.Create.AttestationObject), sum[:])
	}
	f.Fuzz(func(t *testing.T, text, sum []byte) {
		o, err := Parse(text)
		if err != nil {
			return
		}
		r, err := o.Verify(sum)
		if err != nil {
			return
		}
		if r.Type != TypeNone && r.Type != TypeSelf && (r.Type != TypeBasic || len(r.Chain) == 0) {
			t.Errorf("%+v", r)
		}
	})
}

// TestAndroidKeyLists: the hardware's own list decides; software's is nobody's
// word, and a key for all applications is refused wherever it says so.
func TestAndroidKeyLists(t *testing.T) {
	sum := sha256.Sum256([]byte("client data"))
	list := func(b ...byte) []byte { return append([]byte{0x30, byte(len(b))}, b...) }
	generated := []byte{0xa1, 5, 0x31, 3, 2, 1, 2, 0xbf, 0x85, 0x3e, 3, 2, 1, 0}
	all := []byte{0xbf, 0x84, 0x58, 2, 5, 0}
	desc := func(soft, tee []byte) []byte {
		body := append([]byte{2, 1, 3, 10, 1, 1, 2, 1, 4, 10, 1, 1, 4, 32}, sum[:]...)
		body = append(append(append(body, 4, 0), soft...), tee...)
		return append([]byte{0x30, byte(len(body))}, body...)
	}
	for name, c := range map[string]struct {
		text  []byte
		bound bool
		err   bool
	}{
		"hardware says it":    {desc(list(), list(generated...)), true, false},
		"only software":       {desc(list(generated...), list()), false, false},
		"imported":            {desc(list(), list(0xa1, 5, 0x31, 3, 2, 1, 2, 0xbf, 0x85, 0x3e, 3, 2, 1, 2)), false, false},
		"for all (software)":  {desc(list(all...), list(generated...)), false, true},
		"for all (hardware)":  {desc(list(), list(append(bytes.Clone(generated), all...)...)), false, true},
		"member twice":        {desc(list(), list(append(bytes.Clone(generated), generated...)...)), false, true},
		"list is no sequence": {desc([]byte{4, 0}, list()), false, true},
		"something behind":    {append(desc(list(), list()), 0), false, true},
		"other challenge":     {bytes.Replace(desc(list(), list()), sum[:1], []byte{sum[0] ^ 1}, 1), false, true},
		"not a description":   {[]byte{0x30, 0}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			bound, err := checkAndroidKey(c.text, sum[:])
			if bound != c.bound || (err != nil) != c.err {
				t.Errorf("bound %v, %v", bound, err)
			}
		})
	}
}
