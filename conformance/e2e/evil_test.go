package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

var samdURL = regexp.MustCompile(`https://127\.0\.0\.1:\d+`)

// module is how to reach samd with the certificate of one of the callers.
func (s *system) module(role, name string) sapclient.Config {
	s.t.Helper()
	at := func(p string) string { return filepath.Join(s.dir, p) }
	tls, err := mtls.Client(mtls.Files{Cert: at(role + "/" + name + ".pem"), Key: at(role + "/" + name + ".key.pem"), CA: at("ca/ca.pem")}, "samd")
	if err != nil {
		s.t.Fatal(err)
	}
	url := samdURL.FindString(s.text("assent.yaml"))
	if url == "" {
		s.t.Fatal("assent.yaml names no samd")
	}
	return sapclient.Config{URL: url, TLS: tls}
}

// attacker is who has taken over ssad: its certificate, its database (signers
// and keys), its address.
type attacker struct {
	s       *system
	sspu    *sapclient.Client
	officer *sapclient.Admin
	info    *sapclient.Info
}

func (s *system) attacker() *attacker {
	s.t.Helper()
	sspu, err := sapclient.New(s.module("ssad/tls", "ssad"))
	if err != nil {
		s.t.Fatal(err)
	}
	officer, err := sapclient.NewAdmin(s.module("officer", "officer-1"))
	if err != nil {
		s.t.Fatal(err)
	}
	info, err := sspu.Info(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return &attacker{s, sspu, officer, info}
}

// approval makes signature activation data over a document that nobody was
// shown, with everything in it as samd wants it.
func (a *attacker) approval(signer string) (sad *sap.SAD, text, challenge []byte) {
	t := a.s.t
	t.Helper()
	keys, err := a.sspu.Credentials(t.Context(), signer)
	if err != nil || len(keys) != 1 || len(keys[0].Chain) == 0 {
		t.Fatalf("keys of %s: %+v, %v", signer, keys, err)
	}
	signed, err := a.sspu.Request(t.Context(), sapclient.ActivationRequestIn{Signer: signer, Key: keys[0].Key, N: 1})
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.ParsePKIXPublicKey(a.info.StatementKey)
	if err != nil {
		t.Fatal(err)
	}
	ar, err := sap.OpenActivationRequest(pub.(*ecdsa.PublicKey), signed)
	if err != nil {
		t.Fatal(err)
	}
	alg, err := algo.Parse(ar.Bind.Alg)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("a contract that nobody was shown"))
	item, err := sap.NewPAdESItem(0, "contract.pdf", alg, digest[:], keys[0].Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	sad = &sap.SAD{Type: sap.TypeSAD, Bind: ar.Bind, Auth: sap.Auth{Method: ar.Carrier, Cred: ar.Credentials[0]},
		Ctx: sap.Context{Operation: "evil", Asker: "Your bank", Purpose: "Log in", Level: "B-B"}, Items: []sap.Item{item}}
	if text, err = sad.Encode(); err != nil {
		t.Fatal(err)
	}
	if challenge, err = sad.Challenge(text); err != nil {
		t.Fatal(err)
	}
	return sad, text, challenge
}

// evilPage asks for the signing passkey as the signer's app does, and hands over
// what comes out. It is what an ssad could serve at the app origin.
const evilPage = `<!doctype html><title>Log in</title><script>
const bytes = (s) => Uint8Array.from(atob(s.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const text = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
async function ask(rpId, challenge, cred) {
  const got = await navigator.credentials.get({publicKey: {rpId, challenge: bytes(challenge), userVerification: 'required',
    timeout: 20000, allowCredentials: [{type: 'public-key', id: bytes(cred)}]}});
  const r = got.response;
  return {credential: text(got.rawId), authenticatorData: text(r.authenticatorData), clientDataJSON: text(r.clientDataJSON), signature: text(r.signature)};
}
</script><h1>Please confirm your log-in</h1>`

// answer is what the browser gave to the page that asked.
type answer struct {
	Credential, AuthenticatorData, ClientDataJSON, Signature string
}

// serveEvil answers at the app origin in ssad's place.
func (s *system) serveEvil() {
	s.t.Helper()
	s.kill("ssad")
	u, err := url.Parse(s.app)
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+u.Port())
	if err != nil {
		s.t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, evilPage)
	})}
	go func() { _ = srv.Serve(l) }()
	s.t.Cleanup(func() { _ = srv.Close() })
}

// proof asks the passkey by the page's own function and puts the answer into the
// form that samd reads. It looks that the answer is genuine in everything else.
func (a *attacker) proof(p *browsertest.Page, sad *sap.SAD, challenge []byte, origin string) []byte {
	t := a.s.t
	t.Helper()
	got := browsertest.Eval[answer](p, fmt.Sprintf("ask(%q, %q, %q)", a.info.RPID, sap.B64(challenge), sad.Auth.Cred))
	var cd struct{ Type, Challenge, Origin string }
	raw, err := sap.UnB64(got.ClientDataJSON)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &cd); err != nil {
		t.Fatal(err)
	}
	data, err := sap.UnB64(got.AuthenticatorData)
	rp := sha256.Sum256([]byte(a.info.RPID))
	if err != nil || len(data) < 37 || !bytes.Equal(data[:32], rp[:]) || data[32]&0x05 != 0x05 {
		t.Fatalf("the passkey's answer is not for %s with user verification: %x, %v", a.info.RPID, data, err)
	}
	if got.Credential != sad.Auth.Cred || cd.Type != "webauthn.get" || cd.Challenge != sap.B64(challenge) || cd.Origin != origin {
		t.Fatalf("the answer is %+v from passkey %s; want origin %s", cd, got.Credential, origin)
	}
	proof, err := jcs.Marshal(sap.Assertion{Carrier: sap.CarrierWebAuthn, Credential: got.Credential,
		AuthenticatorData: got.AuthenticatorData, ClientDataJSON: got.ClientDataJSON, Signature: got.Signature})
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

func (a *attacker) keyUses() uint64 {
	a.s.t.Helper()
	st, err := a.officer.Status(a.s.t.Context())
	if err != nil {
		a.s.t.Fatal(err)
	}
	return st.SignerKeyUses
}

// SAP-02, T1: an ssad that was taken over serves a page of its own at the app
// origin and asks the signer's genuine passkey for the signing relying party,
// with the right challenge over a right approval. The browser hands the
// assertion out, because an rpId covers all ports and sub-domains, but writes
// down where it was asked. samd refuses it for that, says so in the audit log,
// and uses no key. The same passkey asked at the signing origin is believed:
// the origin alone made the difference.
func TestSAP02EvilPageAsksTheGenuinePasskey(t *testing.T) {
	s := newSystem(t)
	p := s.person(browsertest.New(t), "anna", "Anna Example")
	a := s.attacker()
	s.serveEvil()
	p.Go(s.app + "/")
	p.WaitText("Please confirm your log-in")
	p.Screenshot("e2e-evil-page")

	sad, text, challenge := a.approval("anna")
	proof := a.proof(p, sad, challenge, s.app)
	before := a.keyUses()
	_, err := a.sspu.Redeem(t.Context(), sapclient.RedeemIn{SAD: text, Proof: proof})
	var refusal *sapclient.Error
	if !errors.As(err, &refusal) || !errors.Is(err, sapclient.ErrRefused) || refusal.Ref == "" {
		t.Fatalf("samd answered %v, want an audited refusal", err)
	}
	rec, err := a.officer.Explain(t.Context(), refusal.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if rec.Outcome != "refused" || sap.Reason(rec.Reason) != sap.ReasonOrigin {
		t.Errorf("the audit record says %s, %s (%s); want the origin", rec.Outcome, rec.Reason, rec.Data)
	}
	if n := a.keyUses() - before; n != 0 {
		t.Errorf("%d key uses", n)
	}

	// The control: the same way of asking, at the signing origin.
	sad, text, challenge = a.approval("anna")
	p.Go(s.signing + "/enrol")
	browsertest.Eval[bool](p, askFunctions()+"; window.ask = ask; true")
	out, err := a.sspu.Redeem(t.Context(), sapclient.RedeemIn{SAD: text, Proof: a.proof(p, sad, challenge, s.signing)})
	if err != nil || len(out.Signatures) != 1 || a.keyUses()-before != 1 {
		t.Errorf("the control failed, so the refusal proves nothing: %v, %d key uses", err, a.keyUses()-before)
	}
}

// askFunctions are the functions of the evil page without the page.
func askFunctions() string {
	return regexp.MustCompile(`(?s)<script>(.*)</script>`).FindStringSubmatch(evilPage)[1]
}
