package sap

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/assent-sign/assent/internal/jcs"
)

// ENR-04: the challenges of a change depend on each of their parts, and no two
// purposes share one.
func TestENR04ChallengesOfAChange(t *testing.T) {
	nonce, other := bytes.Repeat([]byte{1}, NonceLen), bytes.Repeat([]byte{2}, NonceLen)
	seen := map[string]string{}
	note := func(name string, c []byte, err error) {
		t.Helper()
		if err != nil || len(c) != 32 {
			t.Fatalf("%s: %x, %v", name, c, err)
		}
		if before, ok := seen[string(c)]; ok {
			t.Errorf("%s is %s", name, before)
		}
		seen[string(c)] = name
	}
	for _, n := range [][]byte{nonce, other} {
		for _, statement := range []string{"a", "b"} {
			for _, object := range []string{"", "o", "p"} {
				for _, client := range []string{"", "o", "p"} {
					c, err := ChangeChallenge(n, []byte(statement), []byte(object), []byte(client))
					note("change "+statement+"/"+object+"/"+client, c, err)
				}
			}
			c, err := AdditionChallenge(n, []byte(statement))
			note("addition "+statement, c, err)
			c, err = RegistrationChallenge(n, []byte(statement))
			note("registration "+statement, c, err)
			c, err = OneTimeChallenge(n, []byte(statement))
			note("one-time "+statement, c, err)
			c, err = Challenge(n, []byte(statement))
			note("SAD "+statement, c, err)
		}
	}
	for _, bad := range [][]byte{nil, nonce[1:], append(bytes.Clone(nonce), 0)} {
		if _, err := ChangeChallenge(bad, nil, nil, nil); !errors.Is(err, ReasonEncoding) {
			t.Errorf("nonce of %d octets: %v", len(bad), err)
		}
		if _, err := AdditionChallenge(bad, nil); !errors.Is(err, ReasonEncoding) {
			t.Errorf("nonce of %d octets: %v", len(bad), err)
		}
	}
}

// ENR-04, SAP-07: an answer has one form, offers and lists are what they say.
func TestENR04FormOfAChange(t *testing.T) {
	good, err := jcs.Marshal(Change{Proof: Assertion{Carrier: CarrierWebAuthn}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeChange(good); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		text []byte
		want Reason
	}{
		"white space":      {append(bytes.Clone(good), ' '), ReasonEncoding},
		"a further member": {bytes.Replace(good, []byte("{"), []byte(`{"a":1,`), 1), ReasonEncoding},
		"another carrier":  {bytes.Replace(good, []byte(CarrierWebAuthn), []byte("jws"), 1), ReasonCarrier},
		"too long":         {append(bytes.Clone(good), make([]byte, maxChange)...), ReasonTooLarge},
		"no proof":         {[]byte(`{"attestationObject":"","clientDataJSON":""}`), ReasonEncoding},
	} {
		if _, err := DecodeChange(x.text); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %s", name, err, x.want)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(label string, v any) Signed {
		t.Helper()
		s, err := SignStatement(key, "k", label, v)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	open := func(r ChangeRequest) error {
		_, err := OpenChangeRequest(&key.PublicKey, sign(LabelChange, r))
		return err
	}
	for name, x := range map[string]struct {
		r    ChangeRequest
		want error
	}{
		"an addition":               {ChangeRequest{Type: TypeChange, Action: ActionAdd}, nil},
		"a removal":                 {ChangeRequest{Type: TypeChange, Action: ActionRemove, Target: "AA"}, nil},
		"another type":              {ChangeRequest{Type: TypeRegistration, Action: ActionAdd}, ReasonType},
		"another action":            {ChangeRequest{Type: TypeChange, Action: "replace", Target: "AA"}, ReasonType},
		"an addition with a target": {ChangeRequest{Type: TypeChange, Action: ActionAdd, Target: "AA"}, ReasonType},
		"a removal of nothing":      {ChangeRequest{Type: TypeChange, Action: ActionRemove}, ReasonType},
	} {
		if err := open(x.r); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
	}
	if _, err := OpenChangeRequest(&key.PublicKey, sign(LabelRegistration, ChangeRequest{Type: TypeChange, Action: ActionAdd})); !errors.Is(err, ReasonSAMSignature) {
		t.Errorf("signed as something else: %v", err)
	}
	list := func(l AuthenticatorList, label string) error {
		_, err := OpenAuthenticatorList(&key.PublicKey, sign(label, l), "n")
		return err
	}
	for name, x := range map[string]struct {
		l     AuthenticatorList
		label string
		want  error
	}{
		"a list":             {AuthenticatorList{Type: TypeAuthenticators, Nonce: "n"}, LabelAuthenticators, nil},
		"an older one":       {AuthenticatorList{Type: TypeAuthenticators, Nonce: "m"}, LabelAuthenticators, ReasonBinding},
		"another type":       {AuthenticatorList{Type: TypeChange, Nonce: "n"}, LabelAuthenticators, ReasonBinding},
		"signed as an offer": {AuthenticatorList{Type: TypeAuthenticators, Nonce: "n"}, LabelChange, ReasonSAMSignature},
	} {
		if err := list(x.l, x.label); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
	}
}
