package api_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/api"
	"github.com/assent-sign/assent/api/csc"
	"github.com/assent-sign/assent/signapp"
)

// CSC 11.1, csc.md 9.5: what is said is what is served.
func TestInfo(t *testing.T) {
	w := newWorld(t)
	var post, get csc.Info
	w.must(w.call("POST", "/csc/v2/info", "", `{"lang":"en-US"}`), 200).json(t, &post)
	a := w.must(w.call("GET", "/csc/v2/info", "", nil), 200)
	a.json(t, &get)
	if fmt.Sprint(post) != fmt.Sprint(get) {
		t.Error("GET and POST differ")
	}
	if get.Specs != "2.0.0.0" || get.OAuth2 != baseURL+"/csc/v2" || strings.Contains(string(a.body), "oauth2Issuer") || get.SignAlgorithms.AlgoParams == nil ||
		!slices.Equal(get.ConformanceLevels, []string{"Ades-B-B", "Ades-B-T"}) || !slices.Equal(get.SignatureFormats.Formats, []string{"P"}) {
		t.Errorf("%s", a.body)
	}
	routes := routesOf(t, w.router)
	for _, m := range get.Methods {
		if !slices.ContainsFunc(routes, func(r string) bool { return strings.HasSuffix(r, " /csc/v2/"+m) }) {
			t.Errorf("method %s is no route", m)
		}
	}
	want := []string{csc.MethodInfo, csc.MethodCredentialsList, csc.MethodCredentialsInfo, csc.MethodSignHash, csc.MethodSignDoc, csc.MethodSignPolling,
		csc.MethodAuthorize, csc.MethodToken, csc.MethodPushedAuthorize, csc.MethodRevoke}
	if !slices.Equal(get.Methods, want) {
		t.Errorf("methods %v", get.Methods)
	}
	logo := w.must(w.call("GET", strings.TrimPrefix(get.Logo, baseURL), "", nil), 200)
	if logo.Header.Get("Content-Type") != "image/png" {
		t.Errorf("logo is %s", logo.Header.Get("Content-Type"))
	}
	w.refused(w.call("POST", "/csc/v2/info", "", `{"lang":1}`), 400, "invalid_request", "Invalid parameter lang")
	w.must(w.call("POST", "/csc/v2/info", "", ``), 200)

	off := newWorld(t, func(c *api.Config) { c.SignDoc = api.SignDoc{} })
	off.must(off.call("GET", "/csc/v2/info", "", nil), 200).json(t, &get)
	if slices.Contains(get.Methods, csc.MethodSignDoc) || len(get.SignatureFormats.Formats) != 0 {
		t.Errorf("signDoc is said to be served: %+v", get)
	}
	off.refused(off.call("POST", "/csc/v2/signatures/signDoc", off.serviceToken("shop"), "{}"), 501, "invalid_request", "")
	w.refused(w.call("POST", "/csc/v2/credentials/authorize", "", "{}"), 501, "invalid_request", "")
	w.refused(w.call("POST", "/csc/v2/nothing", "", "{}"), 404, "invalid_request", "")
	if a := w.call("GET", "/csc/v2/credentials/list", "", nil); a.StatusCode != 405 || a.Header.Get("Allow") != "POST" {
		t.Errorf("GET of a POST method: %d", a.StatusCode)
	}
}

// CSC 11.4, 11.5; the field rules of csc.md 6.2 (Kotlin) and 6.3 (go-csc).
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	token := w.serviceToken("shop")
	id := csc.CredentialID("alice", w.alice.cred.Key)
	var info csc.CredentialInfo
	a := w.must(w.call("POST", "/csc/v2/credentials/info", token, map[string]any{"credentialID": id, "certificates": "chain", "certInfo": "true", "authInfo": true, "extra": 1}), 200)
	a.json(t, &info)
	if info.CredentialID != "" || info.Key.Status != "enabled" || !slices.Equal(info.Key.Algo, []string{"1.2.840.10045.4.3.2", csc.OIDEC}) || info.Key.Len != 256 || info.Key.Curve != csc.OIDP256 ||
		info.Auth.Mode != "oauth2code" || info.SCAL != "2" || info.Assurance != "development" || info.Multisign != 100 || info.Cert.SerialNumber != "abc" || info.Cert.SubjectDN != "CN=alice,C=EE" {
		t.Errorf("%s", a.body)
	}
	if _, err := time.Parse("20060102150405Z", info.Cert.ValidTo); err != nil {
		t.Error(err)
	}
	if der, err := base64.StdEncoding.DecodeString(info.Cert.Certificates[0]); err != nil || string(der) != string(w.alice.cred.Chain[0]) {
		t.Error("certificate is another one")
	}
	if !strings.Contains(string(a.body), `"objects":null`) || !strings.Contains(string(a.body), `"multisign":100`) {
		t.Errorf("%s", a.body)
	}
	a = w.must(w.call("POST", "/csc/v2/credentials/info", token, map[string]any{"credentialID": id}), 200)
	if strings.Contains(string(a.body), "issuerDN") {
		t.Error("certificate details without certInfo")
	}
	a = w.must(w.call("POST", "/csc/v2/credentials/info", token, map[string]any{"credentialID": id, "certificates": "none"}), 200)
	if strings.Contains(string(a.body), "certificates\"") || !strings.Contains(string(a.body), `"cert":{`) {
		t.Errorf("%s", a.body)
	}
	// A key without an activation carrier does not bind digests.
	w.alice.cred.Carrier = ""
	w.must(w.call("POST", "/csc/v2/credentials/info", token, map[string]any{"credentialID": id}), 200).json(t, &info)
	if info.SCAL != "1" {
		t.Errorf("SCAL %q", info.SCAL)
	}
	w.alice.cred.Carrier = "webauthn"

	bad := func(body any, text string) {
		t.Helper()
		w.refused(w.call("POST", "/csc/v2/credentials/info", token, body), 400, "invalid_request", text)
	}
	bad(`{}`, "Missing (or invalid type) string parameter credentialID")
	bad(`{"credentialID":1}`, "Missing (or invalid type) string parameter credentialID")
	bad(`{"credentialID":"alice/none"}`, "Invalid parameter credentialID")
	bad(`{"credentialID":"nobody/none"}`, "Invalid parameter credentialID")
	bad(map[string]any{"credentialID": id, "certificates": "all"}, "Invalid parameter certificates")

	var list csc.List
	w.must(w.call("POST", "/csc/v2/credentials/list", token, `{"userID":"alice","credentialInfo":true}`), 200).json(t, &list)
	if len(list.CredentialIDs) != 1 || list.CredentialIDs[0] != id || list.CredentialInfos[0].CredentialID != id {
		t.Errorf("%+v", list)
	}
	w.alice.cred.State = "suspended"
	w.must(w.call("POST", "/csc/v2/credentials/list", token, `{"userID":"alice","onlyValid":true}`), 200).json(t, &list)
	if len(list.CredentialIDs) != 0 || !list.OnlyValid {
		t.Errorf("%+v", list)
	}
	a = w.must(w.call("POST", "/csc/v2/credentials/list", token, `{"userID":"nobody"}`), 200)
	if !strings.Contains(string(a.body), `"credentialIDs":[]`) {
		t.Errorf("%s", a.body)
	}
	w.refused(w.call("POST", "/csc/v2/credentials/list", token, `{}`), 400, "invalid_request", "Invalid parameter userID")
	// A client without the right to a signer sees what there is of an unknown one.
	foreign := w.must(w.call("POST", "/csc/v2/credentials/list", w.serviceToken("small"), `{"userID":"alice"}`), 200)
	if string(foreign.body) != string(a.body) {
		t.Errorf("%s / %s", foreign.body, a.body)
	}
	w.refused(w.call("POST", "/csc/v2/credentials/info", w.serviceToken("small"), map[string]any{"credentialID": id}), 400, "invalid_request", "Invalid parameter credentialID")
}

const signDocPath, pollPath = "/csc/v2/signatures/signDoc", "/csc/v2/signatures/signPolling"

func docBody(p *person, change map[string]any) map[string]any {
	d := map[string]any{"document": base64.StdEncoding.EncodeToString([]byte("%PDF-1.7 one")), "signature_format": "P", "conformance_level": "AdES-B-B", "signAlgo": "1.2.840.10045.4.3.2"}
	b := map[string]any{"credentialID": csc.CredentialID(p.id, p.cred.Key), "documents": []any{d}}
	for k, v := range change {
		switch {
		case strings.HasPrefix(k, "."):
			d[k[1:]] = v
		case v == nil:
			delete(b, k)
		default:
			b[k] = v
		}
	}
	return b
}

// CSC 11.11, 11.12 with a service token: the signer approves elsewhere.
func TestSignDoc(t *testing.T) {
	w := newWorld(t)
	token := w.serviceToken("shop")
	a := w.must(w.call("POST", signDocPath, token, docBody(w.alice, map[string]any{"operationMode": "A",
		".signed_props": []any{map[string]any{"attribute_name": "Reason", "attribute_value": "SSBhZ3JlZQ=="}}})), 200)
	id := a.field("responseID")
	if id == "" || !strings.HasPrefix(a.field("approval_url"), baseURL+"/approve/") {
		t.Fatalf("%s", a.body)
	}
	poll := func(tok string) answer { return w.call("POST", pollPath, tok, map[string]any{"requestID": id}) }
	w.refused(poll(token), 202, "accepted_request", "The previous async request has been accepted but not yet completed")
	w.refused(poll(w.serviceToken("bank")), 400, "invalid_request", "Invalid parameter requestID")
	w.app.approve(t, id)
	a = w.must(poll(token), 200)
	var out struct{ DocumentWithSignature []string }
	a.json(t, &out)
	if doc, err := base64.StdEncoding.DecodeString(out.DocumentWithSignature[0]); err != nil || string(doc) != "%PDF-1.7 signed document-1.pdf" {
		t.Errorf("%v %q", err, doc)
	}

	// Synchronous: waits, and says how to go on when the signer takes longer.
	a = w.call("POST", signDocPath, token, docBody(w.alice, nil))
	w.refused(a, 202, "accepted_request", "")
	if a.field("responseID") == "" || a.field("approval_url") == "" {
		t.Errorf("%s", a.body)
	}
	w.app.end(a.field("responseID"), signapp.StateDeclined)
	id = a.field("responseID")
	w.refused(poll(token), 403, "access_denied", "The signer declined or the request was cancelled")

	quick := newWorld(t, func(c *api.Config) { c.Limits.SignDocWait = time.Minute })
	go func() {
		for {
			time.Sleep(10 * time.Millisecond)
			quick.app.mu.Lock()
			ids := []string{}
			for id := range quick.app.ops {
				ids = append(ids, id)
			}
			quick.app.mu.Unlock()
			if len(ids) == 1 {
				quick.app.approve(t, ids[0])
				return
			}
		}
	}()
	body := docBody(quick.alice, nil)
	body["documents"] = []any{body["documents"].([]any)[0], body["documents"].([]any)[0]}
	quick.must(quick.call("POST", signDocPath, quick.serviceToken("shop"), body), 200).json(t, &out)
	if len(out.DocumentWithSignature) != 2 {
		t.Errorf("%+v", out)
	}
}

func TestSignDocRefusals(t *testing.T) {
	w := newWorld(t)
	token := w.serviceToken("shop")
	for name, c := range map[string]struct {
		body any
		text string
	}{
		"no documents":       {docBody(w.alice, map[string]any{"documents": nil}), "Empty documentDigests and documents objects"},
		"empty documents":    {docBody(w.alice, map[string]any{"documents": []any{}}), "Empty documentDigests and documents objects"},
		"both":               {docBody(w.alice, map[string]any{"documentDigests": map[string]any{}}), "Both documentDigests and documents parameters passed"},
		"digests":            {docBody(w.alice, map[string]any{"documents": nil, "documentDigests": map[string]any{}}), "Invalid object parameter documentDigests: send documents"},
		"documents type":     {docBody(w.alice, map[string]any{"documents": "x"}), "Invalid array parameter documents"},
		"not Base64":         {docBody(w.alice, map[string]any{".document": "%%"}), "Invalid Base64 documents string parameter"},
		"no format":          {docBody(w.alice, map[string]any{".signature_format": nil}), "Missing (or invalid type) string parameter signature_format"},
		"format":             {docBody(w.alice, map[string]any{".signature_format": "X"}), "Invalid parameter signature_format"},
		"level":              {docBody(w.alice, map[string]any{".conformance_level": "Ades-B-LTA"}), "Invalid parameter conformance_level"},
		"envelope":           {docBody(w.alice, map[string]any{".signed_envelope_property": "Certification"}), "Invalid parameter signed_envelope_property"},
		"no signAlgo":        {docBody(w.alice, map[string]any{".signAlgo": nil}), "Missing (or invalid type) string parameter signAlgo"},
		"SHA-1":              {docBody(w.alice, map[string]any{".signAlgo": "1.2.840.10045.4.1"}), "Invalid parameter signAlgo"},
		"not the key's":      {docBody(w.alice, map[string]any{".signAlgo": "1.2.840.113549.1.1.11"}), "Invalid parameter signAlgo"},
		"props":              {docBody(w.alice, map[string]any{".signed_props": []any{map[string]any{"attribute_name": "SignerRoleV2"}}}), "Invalid parameter signed_props (SignerRoleV2)"},
		"no credential":      {docBody(w.alice, map[string]any{"credentialID": nil}), "Missing (or invalid type) string parameter credentialID"},
		"unknown credential": {docBody(w.alice, map[string]any{"credentialID": "alice/none"}), "Invalid parameter credentialID"},
		"SAD":                {docBody(w.alice, map[string]any{"SAD": "x"}), "Invalid parameter SAD"},
		"mode":               {docBody(w.alice, map[string]any{"operationMode": "X"}), "Invalid parameter operationMode"},
		"response_uri":       {docBody(w.alice, map[string]any{"operationMode": "A", "response_uri": "http://127.0.0.1/"}), "Invalid parameter response_uri"},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.refused(w.call("POST", signDocPath, token, c.body), 400, "invalid_request", c.text)
		})
	}
	w.t = t
	w.refused(w.call("POST", signDocPath, w.serviceToken("small"), docBody(w.bob, nil)), 403, "access_denied", "")
	w.alice.cred.State = "suspended"
	w.refused(w.call("POST", signDocPath, token, docBody(w.alice, nil)), 400, "invalid_request", "The credential identified by credentialID is disabled")
	if w.app.creates != 0 {
		t.Errorf("%d operations were created by refused requests", w.app.creates)
	}
	w.refused(w.call("POST", pollPath, token, `{}`), 400, "invalid_request", "Missing (or invalid type) string parameter requestID")
	w.refused(w.call("POST", pollPath, token, `{"requestID":"../x"}`), 400, "invalid_request", "Invalid parameter requestID")
}

// operationMode A of signHash: the outcome is polled with a service token.
func TestSignHashAsynchronous(t *testing.T) {
	w := newWorld(t)
	h := hashOf("x")
	body := signHashBody(w.alice, h)
	body["operationMode"] = "A"
	id := w.must(w.call("POST", signHashPath, w.credentialToken("shop", w.alice, h), body), 200).field("responseID")
	var out csc.Signatures
	w.must(w.call("POST", pollPath, w.serviceToken("shop"), map[string]any{"requestID": id}), 200).json(t, &out)
	if len(out.Signatures) != 1 {
		t.Errorf("%+v", out)
	}
}

// Any body is answered with JSON and never with a failure of ours.
func FuzzCSCBodies(f *testing.F) {
	w := newWorld(f)
	h := hashOf("x")
	service, credential := w.serviceToken("shop"), w.credentialToken("shop", w.alice, h)
	paths := []string{"/csc/v2/info", "/csc/v2/credentials/list", "/csc/v2/credentials/info", signHashPath, signDocPath, pollPath, "/api/v1/operations"}
	for i := range paths {
		for _, seed := range []any{map[string]any{}, signHashBody(w.alice, h), docBody(w.alice, map[string]any{"operationMode": "A"}), map[string]any{"userID": "alice", "certificates": "chain", "certInfo": true},
			map[string]any{"requestID": "x"}, map[string]any{"signAlgo": csc.OIDPSS, "signAlgoParams": "MDSgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIDAgEg", "hashes": []string{"AA=="}, "credentialID": "a/b"}} {
			text, _ := json.Marshal(seed)
			f.Add(i, text)
		}
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		path := paths[uint(i)%uint(len(paths))]
		token := service
		if path == signHashPath {
			token = credential
		}
		w.t = t
		a := w.call("POST", path, token, body)
		if a.StatusCode == 0 || a.StatusCode >= 500 || !json.Valid(a.body) || len(a.body) > 1<<20 {
			t.Fatalf("%s %q: %d %s", path, body, a.StatusCode, a.body)
		}
	})
}
