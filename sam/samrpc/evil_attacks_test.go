package samrpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// leaves lists the paths of all scalar members of a JSON value.
func leaves(v any, path ...any) [][]any {
	var out [][]any
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, leaves(v[k], append(slices.Clone(path), k)...)...)
		}
	case []any:
		for i := range v {
			out = append(out, leaves(v[i], append(slices.Clone(path), i)...)...)
		}
	default:
		out = append(out, path)
	}
	return out
}

func at(v any, path []any) any {
	for _, p := range path {
		switch k := p.(type) {
		case string:
			v = v.(map[string]any)[k]
		case int:
			v = v.([]any)[k]
		}
	}
	return v
}

func parse(t testing.TB, text []byte) map[string]any {
	t.Helper()
	var v map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// set returns text with the member at path changed; drop takes it away. Texts are
// ASCII with sorted members, so that what comes out is canonical again.
func set(t testing.TB, text []byte, path []any, value any, drop bool) []byte {
	t.Helper()
	v := parse(t, text)
	parent := at(v, path[:len(path)-1])
	switch k := path[len(path)-1].(type) {
	case string:
		if parent.(map[string]any)[k] = value; drop {
			delete(parent.(map[string]any), k)
		}
	case int:
		parent.([]any)[k] = value
	}
	return body(t, v)
}

// changes are the values that an attacker who has traffic would put in a place.
func changes(old any, recorded ...any) map[string]any {
	out := map[string]any{"empty": "", "another type": []any{old}}
	switch v := old.(type) {
	case json.Number:
		n, _ := v.Int64()
		out["one more"], out["a string"] = n+1, v.String()
	case string:
		if v != "" {
			out["last character"] = v[:len(v)-1] + string('A'+(v[len(v)-1]+1)%26)
		}
	}
	for i, r := range recorded {
		if fmt.Sprint(r) != fmt.Sprint(old) {
			out[fmt.Sprint("recorded value ", i)] = r
		}
	}
	return out
}

// editedSADs: every member of an open approval changed to what an attacker has,
// with the genuine proof, and with a proof made by a key of the attacker's own in
// the name of alice's passkey.
func (e *evil) editedSADs() {
	thief := *e.alice.Device
	thief.Key = samtest.NewDevice(samtest.Origin, samtest.RPID).Key
	genuine, bobs, old := parse(e.t, e.open.SAD), parse(e.t, e.other.SAD), parse(e.t, e.spent.SAD)
	nonce, err := sap.UnB64(at(genuine, []any{"bind", "nonce"}).(string))
	if err != nil {
		e.t.Fatal(err)
	}
	for _, path := range leaves(genuine) {
		values := changes(at(genuine, path), at(bobs, path), at(old, path))
		for _, how := range slices.Sorted(maps.Keys(values)) {
			sad := set(e.t, e.open.SAD, path, values[how], false)
			e.redeem("edited SAD", fmt.Sprint(path, " ", how), sapclient.RedeemIn{SAD: sad, Proof: e.open.Proof})
			proof, err := thief.Assert(nonce, sad)
			if err != nil {
				e.t.Fatal(err)
			}
			e.redeem("edited SAD with an own key", fmt.Sprint(path, " ", how), sapclient.RedeemIn{SAD: sad, Proof: proof})
		}
		if _, named := path[len(path)-1].(string); named {
			e.redeem("edited SAD", fmt.Sprint(path, " left out"), sapclient.RedeemIn{SAD: set(e.t, e.open.SAD, path, nil, true), Proof: e.open.Proof})
		}
	}
}

// editedProofs: every member of the assertion, and every part of what is inside.
func (e *evil) editedProofs() {
	genuine, bobs, old := parse(e.t, e.open.Proof), parse(e.t, e.other.Proof), parse(e.t, e.spent.Proof)
	for _, path := range leaves(genuine) {
		values := changes(at(genuine, path), at(bobs, path), at(old, path))
		for _, how := range slices.Sorted(maps.Keys(values)) {
			e.redeem("edited proof", fmt.Sprint(path, " ", how), sapclient.RedeemIn{SAD: e.open.SAD, Proof: set(e.t, e.open.Proof, path, values[how], false)})
		}
		e.redeem("edited proof", fmt.Sprint(path, " left out"), sapclient.RedeemIn{SAD: e.open.SAD, Proof: set(e.t, e.open.Proof, path, nil, true)})
	}
	raw := func(member string) []byte {
		b, err := sap.UnB64(genuine[member].(string))
		if err != nil {
			e.t.Fatal(err)
		}
		return b
	}
	with := func(what, member string, value []byte) {
		e.redeem("edited proof", what, sapclient.RedeemIn{SAD: e.open.SAD, Proof: set(e.t, e.open.Proof, []any{member}, sap.B64(value), false)})
	}
	data := raw("authenticatorData")
	for bit := range 8 {
		b := bytes.Clone(data)
		b[32] ^= 1 << bit
		with(fmt.Sprint("flag ", bit), "authenticatorData", b)
	}
	for _, i := range []int{0, 31, 33, 36} {
		b := bytes.Clone(data)
		b[i] ^= 1
		with(fmt.Sprint("authenticator data, octet ", i), "authenticatorData", b)
	}
	with("authenticator data with extensions", "authenticatorData", append(bytes.Clone(data), 0xa0))
	with("authenticator data cut", "authenticatorData", data[:36])
	client := string(raw("clientDataJSON"))
	for what, edit := range map[string][2]string{
		"other type": {"webauthn.get", "webauthn.create"}, "other origin": {samtest.Origin, "http://localhost:8440"},
		"in a frame": {`"crossOrigin":false`, `"crossOrigin":true`}, "top origin": {`"crossOrigin":false`, `"crossOrigin":false,"topOrigin":"http://localhost:8440"`},
		"white space": {`{"`, `{ "`}, "member twice": {`"crossOrigin":false`, `"crossOrigin":false,"crossOrigin":false`},
	} {
		changed := strings.Replace(client, edit[0], edit[1], 1)
		if changed == client {
			e.t.Fatalf("%s: nothing to edit in %s", what, client)
		}
		with("client data: "+what, "clientDataJSON", []byte(changed))
	}
	sig := raw("signature")
	with("signature cut", "signature", sig[:len(sig)-1])
	with("signature with an octet more", "signature", append(bytes.Clone(sig), 0))
	with("signature of zeros", "signature", []byte{0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00})
	with("signature of r and s swapped", "signature", swapped(e.t, sig))
}

// swapped is the DER signature with r and s exchanged.
func swapped(t testing.TB, sig []byte) []byte {
	t.Helper()
	r := sig[2 : 4+int(sig[3])]
	s := sig[4+int(sig[3]):]
	return slices.Concat(sig[:2], s, r)
}

// recombined: parts of genuine approvals put together anew.
func (e *evil) recombined() {
	all := map[string]sapclient.RedeemIn{"open": e.open, "bob": e.other, "spent": e.spent, "elsewhere": e.elsewhere}
	for a, x := range all {
		for b, y := range all {
			if a != b {
				e.redeem("recombined", a+" with the proof of "+b, sapclient.RedeemIn{SAD: x.SAD, Proof: y.Proof})
			}
		}
	}
	items := parse(e.t, e.open.SAD)["items"].([]any)
	theirs := parse(e.t, e.other.SAD)["items"].([]any)
	for what, list := range map[string][]any{
		"reordered": {items[1], items[0]}, "first twice": {items[0], items[0]}, "one left out": {items[0]}, "none": {},
		"one more": {items[0], items[1], theirs[0]}, "one of bob's": {items[0], theirs[1]}, "all of bob's": theirs,
	} {
		e.redeem("recombined", "items: "+what, sapclient.RedeemIn{SAD: set(e.t, e.open.SAD, []any{"items"}, list, false), Proof: e.open.Proof})
	}
	for _, evidence := range []string{"", "null", "[1]", `["x"]`, "{}", "[] "} {
		e.try("recombined", "evidence "+evidence, e.request("POST", sapclient.PathRedeem, body(e.t, sapclient.RedeemIn{SAD: e.open.SAD, Proof: e.open.Proof, Evidence: []byte(evidence)})))
	}
}

// replayed: the byte-identical repetition gets the stored bytes and no key is
// used; everything else that uses the approval again is refused.
func (e *evil) replayed() {
	uses := e.Token.Uses()
	for range 20 {
		if status, out := e.post(sapclient.PathRedeem, body(e.t, e.spent)); status != http.StatusOK || !bytes.Equal(out, e.answer) {
			e.t.Errorf("byte-identical repetition: %d, equal %v", status, bytes.Equal(out, e.answer))
		}
	}
	if n := e.Token.Uses() - uses; n != 0 {
		e.t.Errorf("repetitions used the key %d times", n)
	}
	again := e.spent
	again.Proof = e.malleated(e.spent.Proof)
	e.redeem("replayed", "spent, with the other form of its signature", again)
	full, err := sap.DecodeSAD(e.spent.SAD)
	if err != nil {
		e.t.Fatal(err)
	}
	// A page that asks alice's passkey once more for what she approved before.
	if _, again.Proof, err = e.alice.Device.Sign(full); err != nil {
		e.t.Fatal(err)
	}
	e.redeem("replayed", "spent, approved once more", again)
	mine := e.web
	e.web = &http.Client{Transport: &http.Transport{TLSClientConfig: e.tls("ssad-2", "sspu")}}
	e.send(e.request("GET", sapclient.PathInfo, nil)) // it is known before
	for what, in := range map[string]sapclient.RedeemIn{"spent": e.spent, "open": e.open, "bob's": e.other} {
		e.redeem("replayed", what+", by another signing application", in)
	}
	e.web = mine
}

// malleated is the assertion with (r, n-s) for (r, s): just as valid.
func (e *evil) malleated(proof []byte) []byte {
	sig, err := sap.UnB64(parse(e.t, proof)["signature"].(string))
	if err != nil {
		e.t.Fatal(err)
	}
	n := e.alice.Device.Key.Params().N
	r := sig[2 : 4+int(sig[3])]
	s := new(big.Int).SetBytes(sig[6+int(sig[3]):])
	b := new(big.Int).Sub(n, s).Bytes()
	if b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	inner := slices.Concat(r, []byte{0x02, byte(len(b))}, b)
	return set(e.t, proof, []any{"signature"}, sap.B64(append([]byte{0x30, byte(len(inner))}, inner...)), false)
}

// forged: activation requests that the module issues to the attacker, answered
// with authenticators that are not the signer's.
func (e *evil) forged() {
	own := samtest.NewDevice(samtest.Origin, samtest.RPID)
	named := samtest.NewDevice(samtest.Origin, samtest.RPID)
	named.ID = e.alice.Device.ID
	for what, d := range map[string]*samtest.Device{"own passkey": own, "own key under alice's id": named, "bob's passkey": e.bob.Device} {
		for _, policy := range []string{"standard", "bulk", sam.PolicyQualified} {
			req := e.AskFor(samtest.SSPU, sam.Ask{Signer: e.alice.ID, Key: e.alice.Key, N: 1, Policy: policy})
			full, err := d.SAD(req, e.alice.Items(e.t, req, 1))
			if err != nil {
				e.t.Fatal(err)
			}
			for _, method := range []string{sap.CarrierWebAuthn, sap.CarrierJWS} {
				full.Auth.Method = method
				sad, proof, err := d.Sign(full)
				if err != nil {
					e.t.Fatal(err)
				}
				e.redeem("forged", fmt.Sprint(what, " ", policy, " ", method), sapclient.RedeemIn{SAD: sad, Proof: proof})
			}
		}
	}
	for what, in := range map[string]sapclient.ActivationRequestIn{
		"bob's key for alice": {Signer: e.alice.ID, Key: e.bob.Key, N: 1}, "none": {Signer: e.alice.ID, Key: e.alice.Key},
		"too many": {Signer: e.alice.ID, Key: e.alice.Key, N: 1001}, "a policy of its own": {Signer: e.alice.ID, Key: e.alice.Key, N: 1, Policy: "evil"},
		"no algorithm": {Signer: e.alice.ID, Key: e.alice.Key, N: 1, Alg: "none"}, "nobody": {Signer: "nobody", Key: e.alice.Key, N: 1},
		"no such key": {Signer: e.alice.ID, Key: "k-0", N: 1}, "weak hash": {Signer: e.alice.ID, Key: e.alice.Key, N: 1, Alg: "ES1"},
	} {
		e.try("forged", "request for "+what, e.request("POST", sapclient.PathRequest, body(e.t, in)))
	}
}

// ownPages: the attacker serves its own page and asks alice's genuine passkey,
// over the right challenge.
func (e *evil) ownPages() {
	for _, origin := range []string{
		"http://localhost:8440", "https://localhost:8441", "http://localhost", "http://localhost:8441/", "http://localhost:8441.evil.example",
		"http://LOCALHOST:8441", "http://127.0.0.1:8441", "http://evil.localhost:8441", "http://localhost.:8441", "null", "file://", "",
		"http://localhost:8441 ", "http://localhost:08441", "android:apk-key-hash:x", "http://user@localhost:8441",
	} {
		d := *e.alice.Device
		d.Origin = origin
		e.asked("origin "+origin, &d)
	}
	for what, change := range map[string]func(*samtest.Device){
		"in a frame of it": func(d *samtest.Device) { d.Cross = true }, "other rpId": func(d *samtest.Device) { d.RPID = "evil.example" },
		"wider rpId": func(d *samtest.Device) { d.RPID = "host" }, "without verification": func(d *samtest.Device) { d.Flags = samtest.UP },
		"without presence": func(d *samtest.Device) { d.Flags = samtest.UV }, "as a registration": func(d *samtest.Device) { d.Type = "webauthn.create" },
		"as a payment": func(d *samtest.Device) { d.Type = "payment.get" },
	} {
		d := *e.alice.Device
		change(&d)
		e.asked(what, &d)
	}
}

func (e *evil) asked(what string, d *samtest.Device) {
	s := *e.alice
	s.Device = d
	e.redeem("own page", what, e.approve(e.World, &s))
}

// otherModule: what alice approved for another module, as it is and renamed.
func (e *evil) otherModule() {
	e.redeem("other module", "as it is", e.elsewhere)
	mine := parse(e.t, e.open.SAD)
	for _, path := range leaves(mine["bind"]) {
		full := append([]any{"bind"}, path...)
		e.redeem("other module", fmt.Sprint(full, " of ours"), sapclient.RedeemIn{SAD: set(e.t, e.elsewhere.SAD, full, at(mine, full), false), Proof: e.elsewhere.Proof})
	}
	e.redeem("other module", "the whole binding of ours", sapclient.RedeemIn{SAD: set(e.t, e.elsewhere.SAD, []any{"bind"}, mine["bind"], false), Proof: e.elsewhere.Proof})
	// Another epoch of our own module: what a restore leaves behind.
	e.redeem("other module", "next epoch", sapclient.RedeemIn{SAD: set(e.t, e.open.SAD, []any{"bind", "aud"}, samtest.Cluster+"#2", false), Proof: e.open.Proof})
}

// officersWork: every operation that is not the signing application's, with
// arguments that would work for those who may (ROL-05).
func (e *evil) officersWork() {
	args := map[string]any{
		"id": "mallory", "name": "Mallory", "proof": "p", "signer": e.alice.ID, "key": e.alice.Key, "key_type": "P-256", "subject": "",
		"raw": true, "credential": sap.B64(e.alice.Device.ID), "why": "please", "reason": "please", "chain": e.alice.Chain, "kind": sam.DecideRaw,
	}
	query := "?signer=alice&key=" + e.alice.Key + "&id=alice&from=0&limit=10&ref=1"
	for _, rt := range samrpc.Routes() {
		if sam.Allowed(sam.RoleSSPU, rt.Op) {
			continue
		}
		for what, text := range map[string][]byte{"empty": []byte("{}"), "all arguments": body(e.t, args)} {
			if rt.Method == "GET" {
				text = nil
			}
			e.try("officer's work", string(rt.Op)+" "+what, e.request(rt.Method, rt.Path+query, text))
			claim := e.request(rt.Method, rt.Path+query, text)
			for _, h := range []string{"X-Role", "X-Forwarded-Client-Cert", "X-SSL-Client-S-DN", "X-Remote-User", "Authorization"} {
				claim.Header.Set(h, "CN=officer-1,OU=officer")
			}
			e.try("officer's work", string(rt.Op)+" in an officer's name", claim)
		}
	}
}

// enrolments: the attacker relays enrolments, and may not become part of one.
func (e *evil) enrolments() {
	ctx := context.Background()
	if _, err := e.M.CreateSigner(ctx, samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "p"}); err != nil {
		e.t.Fatal(err)
	}
	code, err := e.M.OpenEnrolment(ctx, samtest.Officer, "carol")
	if err != nil {
		e.t.Fatal(err)
	}
	begin := func() sap.Signed {
		signed, err := e.client(samtest.SSPU.Identity).EnrolBegin(ctx, code.ID)
		if err != nil {
			e.t.Fatal(err)
		}
		return signed
	}
	finish := func(what, id string, reg []byte) {
		e.try("enrolment", what, e.request("POST", sapclient.PathEnrolFinish, body(e.t, map[string]any{"id": id, "registration": reg})))
	}
	own, carol := samtest.NewDevice(samtest.Origin, samtest.RPID), samtest.NewDevice(samtest.Origin, samtest.RPID)
	signed := begin()
	for _, guess := range []string{sap.B64(make([]byte, 20)), sap.B64(bytes.Repeat([]byte{1}, 20)), strings.Repeat("A", 27)} {
		reg, err := own.Register(e.StatementKey(), signed, guess)
		if err != nil {
			continue // not even the form of a code
		}
		finish("guessed code "+guess, code.ID, reg)
	}
	genuine, err := carol.Register(e.StatementKey(), signed, code.Code)
	if err != nil {
		e.t.Fatal(err)
	}
	mine, err := own.Register(e.StatementKey(), signed, sap.B64(make([]byte, 20)))
	if err != nil {
		e.t.Fatal(err)
	}
	for _, member := range []string{"attestationObject", "clientDataJSON", "codeProof"} {
		if theirs, ours := parse(e.t, genuine)[member], parse(e.t, mine)[member]; theirs != ours { // client data names no key
			finish("own "+member+" with carol's proof", code.ID, set(e.t, genuine, []any{member}, ours, false))
			finish("carol's "+member+" with an own key", code.ID, set(e.t, mine, []any{member}, theirs, false))
		}
		finish(member+" left out", code.ID, set(e.t, genuine, []any{member}, nil, true))
	}
	begin() // voids what carol answered to
	finish("answer to an older request", code.ID, genuine)
	if genuine, err = carol.Register(e.StatementKey(), begin(), code.Code); err != nil {
		e.t.Fatal(err)
	}
	for _, id := range []string{"", "x", "alice", code.ID + "x", strings.ToUpper(code.ID)} {
		if id != code.ID {
			finish("under the id "+id, id, genuine)
			e.try("enrolment", "begin "+id, e.request("POST", sapclient.PathEnrolBegin, body(e.t, map[string]any{"id": id})))
		}
	}
	if status, out := e.post(sapclient.PathEnrolFinish, body(e.t, map[string]any{"id": code.ID, "registration": genuine})); status != http.StatusOK {
		e.t.Errorf("carol's genuine enrolment: %d %s", status, out)
	}
	finish("once more", code.ID, genuine)
	e.try("enrolment", "begin once more", e.request("POST", sapclient.PathEnrolBegin, body(e.t, map[string]any{"id": code.ID})))
}

// spellings: what a careless server would read differently.
func (e *evil) spellings() {
	good := body(e.t, e.open)
	for what, text := range map[string][]byte{
		"nothing": nil, "null": []byte("null"), "array": append(append([]byte("["), good...), ']'), "two values": append(bytes.Clone(good), good...),
		"unknown member": bytes.Replace(good, []byte("{"), []byte(`{"admin":true,`), 1), "cut": good[:len(good)-1],
		"not UTF-8": append([]byte{0xff}, good...), "a byte order mark": append([]byte("\ufeff"), good...),
		"too large": bytes.Repeat([]byte(" "), 4<<20),
	} {
		e.try("spelling", what, e.request("POST", sapclient.PathRedeem, text))
	}
	for _, sad := range [][]byte{append(bytes.Clone(e.open.SAD), '\n'), append([]byte(" "), e.open.SAD...), bytes.ReplaceAll(e.open.SAD, []byte(`":`), []byte(`": `)),
		bytes.Replace(e.open.SAD, []byte(`{"auth"`), []byte(`{"auth":{},"auth"`), 1), bytes.Replace(e.open.SAD, []byte(`"n":2`), []byte(`"n":2.0`), 1),
		bytes.Replace(e.open.SAD, []byte(`"n":2`), []byte(`"n":2e0`), 1), bytes.Replace(e.open.SAD, []byte("alice"), []byte(`\u0061lice`), 1),
	} {
		if bytes.Equal(sad, e.open.SAD) {
			e.t.Fatal("nothing changed")
		}
		e.redeem("spelling", string(sad[:24]), sapclient.RedeemIn{SAD: sad, Proof: e.open.Proof})
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		req := e.request(method, sapclient.PathRedeem, good)
		req.Header.Set("X-HTTP-Method-Override", "POST")
		e.try("spelling", method, req)
	}
	for _, path := range []string{"/v1/sign", "/v1/activation/redeem/", "/v1//activation/redeem", "/v1/activation/../activation/redeem", "/V1/activation/redeem", "/v1/keys", "/debug/pprof/", "/metrics"} {
		e.try("spelling", path, e.request("POST", path, good))
	}
}
