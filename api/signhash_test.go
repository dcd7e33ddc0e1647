package api_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/api/csc"
)

func signHashBody(p *person, hashes ...[]byte) map[string]any {
	var list []string
	for _, h := range hashes {
		list = append(list, base64.StdEncoding.EncodeToString(h))
	}
	return map[string]any{"credentialID": csc.CredentialID(p.id, p.cred.Key), "hashes": list, "signAlgo": "1.2.840.10045.4.3.2"}
}

const signHashPath = "/csc/v2/signatures/signHash"

// The rules of one use: the byte-identical repetition within the retention gets
// the same bytes, also after the token's end; nothing else does.
func TestCredentialTokenWorksOnce(t *testing.T) {
	w := newWorld(t)
	h := hashOf("one")
	token := w.credentialToken("shop", w.alice, h)
	body := signHashBody(w.alice, h)
	first := w.must(w.call("POST", signHashPath, token, body), 200)
	if again := w.must(w.call("POST", signHashPath, token, body), 200); string(again.body) != string(first.body) {
		t.Error("the repetition differs")
	}
	other := signHashBody(w.alice, h)
	other["clientData"] = "x"
	w.refused(w.call("POST", signHashPath, token, other), 400, "invalid_request", "Invalid parameter SAD")
	w.clock.Advance(6 * time.Minute) // the token is over, the retention is not
	w.must(w.call("POST", signHashPath, token, body), 200)
	w.refused(w.call("POST", signHashPath, token, other), 400, "invalid_request", "Invalid parameter SAD")
	w.clock.Advance(5 * time.Minute)
	w.refused(w.call("POST", signHashPath, token, body), 400, "invalid_request", "Invalid parameter SAD")

	w = newWorld(t)
	unused := w.credentialToken("shop", w.alice, h)
	w.clock.Advance(6 * time.Minute)
	w.refused(w.call("POST", signHashPath, unused, signHashBody(w.alice, h)), 401, "expired_token", "")
	b := signHashBody(w.alice, h)
	b["SAD"] = unused
	w.refused(w.call("POST", signHashPath, w.serviceToken("shop"), b), 400, "invalid_request", "SAD expired")
}

// T13: any other list of digests is refused, and the refusal does not use the
// token up.
func TestChangedHashesAreRefused(t *testing.T) {
	w := newWorld(t)
	h1, h2, h3 := hashOf("1"), hashOf("2"), hashOf("3")
	token := w.credentialToken("shop", w.alice, h1, h2)
	flipped := append([]byte(nil), h1...)
	flipped[31] ^= 1
	for name, list := range map[string][][]byte{"changed": {flipped, h2}, "added": {h1, h2, h3}, "reordered": {h2, h1}, "left out": {h1}, "repeated": {h1, h1}, "doubled": {h1, h2, h1, h2}} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.refused(w.call("POST", signHashPath, token, signHashBody(w.alice, list...)), 400, "invalid_request", "Hash is not authorized by the SAD")
		})
	}
	w.t = t
	w.must(w.call("POST", signHashPath, token, signHashBody(w.alice, h1, h2)), 200)
}

// csc.md 9.2 for signHash; T14, T15, T16.
func TestSignHashRefusals(t *testing.T) {
	w := newWorld(t)
	h := hashOf("one")
	token, service, bank := w.credentialToken("shop", w.alice, h), w.serviceToken("shop"), w.serviceToken("bank")
	with := func(change map[string]any) map[string]any {
		b := signHashBody(w.alice, h)
		for k, v := range change {
			if v == nil {
				delete(b, k)
			} else {
				b[k] = v
			}
		}
		return b
	}
	bad := func(text string) func(answer) { return func(a answer) { w.refused(a, 400, "invalid_request", text) } }
	for name, c := range map[string]struct {
		token string
		body  any
		check func(answer)
	}{
		"service token alone":    {service, with(nil), bad("Missing (or invalid type) string parameter SAD")},
		"service token as SAD":   {service, with(map[string]any{"SAD": service}), bad("Invalid parameter SAD")},
		"garbage SAD":            {service, with(map[string]any{"SAD": "x"}), bad("Invalid parameter SAD")},
		"SAD wrong type":         {service, with(map[string]any{"SAD": 1}), bad("Missing (or invalid type) string parameter SAD")},
		"SAD of other client":    {bank, with(map[string]any{"SAD": token}), bad("Invalid parameter SAD")},
		"two tokens":             {token, with(map[string]any{"SAD": service}), bad("Invalid parameter SAD")},
		"no token":               {"", with(nil), bad("Malformed authorization header")},
		"unknown token":          {"at_" + strings.Repeat("A", 43), with(nil), func(a answer) { w.refused(a, 401, "invalid_token", "") }},
		"no credentialID":        {token, with(map[string]any{"credentialID": nil}), bad("Missing (or invalid type) string parameter credentialID")},
		"credentialID type":      {token, with(map[string]any{"credentialID": 7}), bad("Missing (or invalid type) string parameter credentialID")},
		"other credential":       {token, with(map[string]any{"credentialID": csc.CredentialID("bob", w.bob.cred.Key)}), bad("Invalid parameter credentialID")},
		"no hashes":              {token, with(map[string]any{"hashes": nil}), bad("Missing (or invalid type) array parameter hash")},
		"hashes a string":        {token, with(map[string]any{"hashes": "x"}), bad("Missing (or invalid type) array parameter hash")},
		"empty hashes":           {token, with(map[string]any{"hashes": []string{}}), bad("Empty hash array")},
		"not Base64":             {token, with(map[string]any{"hashes": []string{"%%%"}}), bad("Invalid Base64 hash string parameter")},
		"short digest":           {token, with(map[string]any{"hashes": []string{"AAAA"}}), bad("Invalid digest value length")},
		"no signAlgo":            {token, with(map[string]any{"signAlgo": nil}), bad("Missing (or invalid type) string parameter signAlgo")},
		"SHA-1":                  {token, with(map[string]any{"signAlgo": "1.2.840.10045.4.1"}), bad("Invalid parameter signAlgo")},
		"SHA-1 digest":           {token, with(map[string]any{"hashAlgorithmOID": "1.3.14.3.2.26"}), bad("Invalid parameter hashAlgorithmOID")},
		"other key's algorithm":  {token, with(map[string]any{"signAlgo": "1.2.840.113549.1.1.11"}), bad("Invalid parameter signAlgo")},
		"contradicting digest":   {token, with(map[string]any{"hashAlgorithmOID": csc.OIDSHA384}), bad("String parameter hashAlgorithmOID contradicts with signAlgo parameter")},
		"bare key, no digest":    {token, with(map[string]any{"signAlgo": csc.OIDRSA}), bad("Missing (or invalid type) string parameter hashAlgorithmOID")},
		"raw RSA":                {token, with(map[string]any{"signAlgo": csc.OIDRSA, "hashAlgorithmOID": csc.OIDSHA256}), bad("Invalid parameter signAlgo")},
		"operationMode":          {token, with(map[string]any{"operationMode": "X"}), bad("Invalid parameter operationMode")},
		"response_uri":           {token, with(map[string]any{"operationMode": "A", "response_uri": "http://169.254.169.254/"}), bad("Invalid parameter response_uri")},
		"too many":               {token, with(map[string]any{"hashes": make([]string, 101)}), bad("Numbers of signatures is too high")},
		"not JSON":               {token, "hello", func(a answer) { w.refused(a, 400, "invalid_request", "") }},
		"array":                  {token, "[]", func(a answer) { w.refused(a, 400, "invalid_request", "") }},
		"duplicate member":       {token, `{"hashes":["` + base64.StdEncoding.EncodeToString(h) + `"],"hashes":[]}`, func(a answer) { w.refused(a, 400, "invalid_request", "") }},
		"PSS params not of ours": {token, with(map[string]any{"signAlgo": csc.OIDPSS, "signAlgoParams": "MAA="}), bad("Invalid parameter signAlgoParams")},
	} {
		t.Run(name, func(t *testing.T) { w.t = t; c.check(w.call("POST", signHashPath, c.token, c.body)) })
	}
	w.t = t
	w.refused(w.call("POST", signHashPath, token, with(nil), "Content-Type", "text/plain"), 400, "invalid_request", "")
	// All that did not use it up. SAD next to a service token is the other form,
	// v1 names, unpadded URL-safe Base64, null and unknown members are accepted.
	b := map[string]any{"credentialID": csc.CredentialID("alice", w.alice.cred.Key), "SAD": token, "hash": []string{base64.RawURLEncoding.EncodeToString(h)},
		"hashAlgo": csc.OIDSHA256, "signAlgo": csc.OIDEC, "signAlgoParams": nil, "operationMode": "S", "validity_period": -1, "client_data": map[string]any{"x": 1}}
	w.must(w.call("POST", signHashPath, service, b), 200)
}

// A credential token opens nothing but signHash.
func TestCredentialTokenOpensNothingElse(t *testing.T) {
	w := newWorld(t)
	token := w.credentialToken("shop", w.alice, hashOf("x"))
	for _, path := range []string{"/csc/v2/credentials/list", "/csc/v2/credentials/info", "/csc/v2/signatures/signDoc", "/csc/v2/signatures/signPolling"} {
		w.refused(w.call("POST", path, token, "{}"), 403, "access_denied", "")
	}
	w.problem(w.call("GET", "/api/v1/credentials?signer=alice", token, nil), 403, "insufficient_scope")
	w.problem(w.call("POST", "/api/v1/operations", token, "{}"), 403, "insufficient_scope")
}
