package samrpc_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// wiretap is what the application can read: every byte of every call that it
// makes for a signer, in the clear, as it stands before TLS.
type wiretap struct {
	next http.Handler
	mu   sync.Mutex
	text bytes.Buffer
	n    int
}

func (w *wiretap) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	if in.TLS.PeerCertificates[0].Subject.OrganizationalUnit[0] != "sspu" {
		w.next.ServeHTTP(out, in)
		return
	}
	body, _ := io.ReadAll(in.Body)
	in.Body = io.NopCloser(bytes.NewReader(body))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	_ = in.Header.Write(&w.text)
	w.text.WriteString(in.URL.String() + "\n")
	w.text.Write(body)
	w.next.ServeHTTP(&tee{out, &w.text}, in)
}

type tee struct {
	http.ResponseWriter
	text *bytes.Buffer
}

func (t *tee) Write(b []byte) (int, error) {
	t.text.Write(b)
	return t.ResponseWriter.Write(b)
}

// SAP-09: all that the relay sees, from the enrolment to the signature, holds no
// secret: not the officer's one-time code or the key made of it, not the device's
// private key, not the token's PIN. What it does see is of no further use: each
// part of it, sent again by the relay itself, uses no key (the suite of the evil
// application has the variations).
func TestSAP09RelaySeesNoSecret(t *testing.T) {
	w := samtest.New(t)
	pki := samtest.NewPKI(t, t.TempDir())
	conf, err := mtls.Server(pki.Issue("samd", "samd", elliptic.P256()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rpc := samrpc.New(w.M, slog.New(slog.DiscardHandler))
	srv := rpc.HTTPServer(conf)
	tap := &wiretap{next: srv.Handler}
	srv.Handler = tap
	go func() { _ = rpc.Serve(srv, l) }()
	t.Cleanup(func() { _ = srv.Close() })
	r := &rig{World: w, pki: pki, url: "https://" + l.Addr().String()}

	ctx := context.Background()
	ssa, officer := r.client("ssad-1"), r.admin("officer-1", "officer")
	if _, err := r.admin("rosa", "ra").CreateSigner(ctx, sapclient.SignerIn{ID: "anna", Name: "Anna", Proof: "p-1"}); err != nil {
		t.Fatal(err)
	}
	code, err := officer.EnrolCode(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	dev := samtest.NewDevice(samtest.Origin, samtest.RPID)
	req, err := ssa.EnrolBegin(ctx, code.ID)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := dev.Register(w.StatementKey(), req, code.Code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ssa.EnrolFinish(ctx, code.ID, reg); err != nil {
		t.Fatal(err)
	}
	cred, err := officer.Generate(ctx, sapclient.GenerateIn{Signer: "anna", KeyType: "P-256"})
	if err != nil {
		t.Fatal(err)
	}
	cert := w.CA.Issue(t, cred.CSR, w.Clock.Now(), nil)
	if _, err := officer.LinkCertificate(ctx, cred.Key, [][]byte{cert.Raw, w.CA.Cert.Raw}); err != nil {
		t.Fatal(err)
	}
	signed, err := ssa.Request(ctx, sapclient.ActivationRequestIn{Signer: "anna", Key: cred.Key, N: 1})
	if err != nil {
		t.Fatal(err)
	}
	ar, err := sap.OpenActivationRequest(w.StatementKey(), signed)
	if err != nil {
		t.Fatal(err)
	}
	full, err := dev.SAD(ar, (&samtest.Signer{Cert: cert}).Items(t, ar, 1))
	if err != nil {
		t.Fatal(err)
	}
	sad, proof, err := dev.Sign(full)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ssa.Redeem(ctx, sapclient.RedeemIn{SAD: sad, Proof: proof}); err != nil {
		t.Fatal(err)
	}
	uses := w.Token.Uses()
	if _, err := ssa.EnrolFinish(ctx, code.ID, reg); err == nil {
		t.Error("the registration was taken twice")
	}
	if _, err := ssa.Redeem(ctx, sapclient.RedeemIn{SAD: sad, Proof: proof}); err != nil {
		t.Errorf("the same bytes: %v", err)
	}
	if n := w.Token.Uses(); n != uses {
		t.Errorf("%d key uses by what was captured", n-uses)
	}

	text := tap.text.String()
	if !strings.Contains(text, sap.B64(proof)[:40]) && !strings.Contains(text, ar.Bind.Nonce) || tap.n < 6 {
		t.Fatalf("%d calls were captured: the tap is not where it should be", tap.n)
	}
	scalar, err := dev.Key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(dev.Key)
	if err != nil {
		t.Fatal(err)
	}
	codeKey, err := sap.CodeKey(code.Code)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sap.UnB64(code.Code)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{
		"enrolment code": raw, "key of the code": codeKey, "device's scalar": scalar, "device's key": pkcs8, "PIN": []byte("test-pin"),
	} {
		for _, form := range []string{string(secret), sap.B64(secret), base64.StdEncoding.EncodeToString(secret), hex.EncodeToString(secret)} {
			if strings.Contains(text, form) {
				t.Errorf("the relay saw the %s", name)
			}
		}
	}
}
