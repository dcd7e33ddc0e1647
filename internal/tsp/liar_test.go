package tsp

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
)

// forge is a token that differs from the right one where a lie wants it.
type forge struct {
	info      *tstInfo
	chain     [][]byte      // in the message; chain[0] is named by sid and ESS
	key       crypto.Signer // signs
	omitCerts bool
	content   asn1.ObjectIdentifier
	rawInfo   func([]byte) []byte // edits TSTInfo before signing
	edit      func([]byte) []byte // edits the token after signing
}

func (f forge) token(t testing.TB) []byte {
	t.Helper()
	tst, err := f.info.marshal()
	if err != nil {
		t.Error(err)
		return nil
	}
	if f.rawInfo != nil {
		tst = f.rawInfo(tst)
	}
	attrs := cms.SortedSet([][]byte{cms.ContentTypeAttr(f.content), cms.MessageDigestAttr(sum(string(tst))), cms.SigningCertificateV2Attr(f.chain[0], crypto.SHA256)})
	sig, err := f.key.Sign(rand.Reader, sum(string(attrs)), crypto.SHA256)
	if err != nil {
		t.Error(err)
		return nil
	}
	token, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: algo.ES256, Signature: sig, Chain: f.chain, OmitCertificates: f.omitCerts, ContentType: f.content, Content: tst})
	if err != nil {
		t.Error(err)
		return nil
	}
	if f.edit != nil {
		token = f.edit(token)
	}
	return token
}

// honest is the forge that tells the truth for a request.
func honest(req *Request, tsa pair) forge {
	serial, err := randomNumber()
	if err != nil {
		panic(err)
	}
	return forge{
		info:  &tstInfo{policy: testPolicy, hash: req.Hash, imprint: req.Imprint, serial: serial, time: time.Now(), accuracy: time.Second, nonce: req.Nonce},
		chain: tsa.chain, key: tsa.key, content: cms.OIDTSTInfo,
	}
}

// liar serves answers made by lie from the parsed request.
func liar(t *testing.T, lie func(w http.ResponseWriter, req *Request)) string {
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		req, err := ParseRequest(body)
		if err != nil {
			t.Errorf("our own request: %v", err)
			return
		}
		if req.Nonce == nil || req.Nonce.BitLen() < 64 || !req.CertReq {
			t.Errorf("request without a nonce of 64 bits or without certReq: %+v", req)
		}
		w.Header().Set("Content-Type", ReplyType)
		lie(w, req)
	}))
}

// refused demands the sentinel and no token.
func refused(t *testing.T, c *Client, want ...error) {
	t.Helper()
	token, info, err := c.Stamp(t.Context(), crypto.SHA256, sum("signature"))
	if err == nil || token != nil || info.Certificate != nil {
		t.Fatalf("accepted a lie: %d bytes, error %v", len(token), err)
	}
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("got %v, want %v", err, w)
		}
	}
}

func newClient(url string) *Client {
	return &Client{URL: url, Anchors: anchors(), Policy: testPolicy, Timeout: 5 * time.Second}
}

// rawCert issues a certificate with exactly this template from a throw-away CA
// and returns the pair and the CA as anchor.
func rawCert(t testing.TB, edit func(*x509.Certificate)) (pair, *x509.Certificate) {
	t.Helper()
	caKey, key := newKey(t, algo.ES256), newKey(t, algo.ES256)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "DEMO odd CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "DEMO odd TSA"}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	edit(leaf)
	der, err := x509.CreateCertificate(rand.Reader, leaf, parsed, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	return pair{key, [][]byte{der, caDER}}, parsed
}

func criticalEKU(t testing.TB, oids ...asn1.ObjectIdentifier) pkix.Extension {
	t.Helper()
	v, err := asn1.Marshal(oids)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: v}
}

// TIM-02, T39, F19, D26: an authority that lies in the token. Every lie has its own
// reason and yields no token.
func TestD26TokenLiesAreRefused(t *testing.T) {
	ca := testCA()
	good := newPair(t, ca, algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile})
	plain := newPair(t, ca, algo.ES256, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "alice"})
	second := newPair(t, ca, algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile})
	foreignCA, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		t.Fatal(err)
	}
	foreign := newPair(t, foreignCA, algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile})
	expired := newPair(t, ca, algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile, NotBefore: time.Now().Add(-50 * time.Minute), NotAfter: time.Now().Add(-time.Minute)})
	early := newPair(t, ca, algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile, NotBefore: time.Now().Add(time.Minute), NotAfter: time.Now().Add(time.Hour)})
	for name, c := range map[string]struct {
		lie  func(*forge)
		want []error
	}{
		"other nonce":     {func(f *forge) { f.info.nonce = new(big.Int).Add(f.info.nonce, big.NewInt(1)) }, []error{ErrNonce}},
		"no nonce":        {func(f *forge) { f.info.nonce = nil }, []error{ErrNonce}},
		"other imprint":   {func(f *forge) { f.info.imprint = sum("another") }, []error{ErrImprint}},
		"other hash":      {func(f *forge) { f.info.hash, f.info.imprint = crypto.SHA512, make([]byte, 64) }, []error{ErrImprint}},
		"other policy":    {func(f *forge) { f.info.policy = asn1.ObjectIdentifier{1, 2, 3} }, []error{ErrPolicy}},
		"expired":         {func(f *forge) { f.chain, f.key = expired.chain, expired.key }, []error{ErrChain, certs.ErrExpired}},
		"not yet valid":   {func(f *forge) { f.chain, f.key = early.chain, early.key }, []error{ErrChain, certs.ErrNotYetValid}},
		"unknown CA":      {func(f *forge) { f.chain, f.key = foreign.chain, foreign.key }, []error{ErrChain, certs.ErrUnknownIssuer}},
		"signer's cert":   {func(f *forge) { f.chain, f.key = plain.chain, plain.key }, []error{ErrPurpose}},
		"no certificate":  {func(f *forge) { f.omitCerts = true }, []error{ErrNoCertificate}},
		"only the issuer": {func(f *forge) { f.edit = dropLeaf(t, f.chain[0]) }, []error{ErrNoCertificate}},
		"other key":       {func(f *forge) { f.key = plain.key }, []error{ErrSignature}},
		"flipped bit":     {func(f *forge) { f.edit = func(b []byte) []byte { b[len(b)-1] ^= 1; return b } }, []error{ErrSignature}},
		"flipped time":    {func(f *forge) { f.edit = flipAt(f.info.imprint, 64) }, []error{ErrSignature}},
		"future":          {func(f *forge) { f.info.time = time.Now().Add(2 * time.Minute) }, []error{ErrFuture}},
		"past":            {func(f *forge) { f.info.time = time.Now().Add(-2 * time.Minute) }, []error{ErrPast}},
		"other tsa name":  {func(f *forge) { f.info.tsaName = plain.leaf().RawSubject }, []error{ErrName}},
		"not a TSTInfo":   {func(f *forge) { f.content = cms.OIDData }, []error{ErrMalformed}},
		"critical ext":    {func(f *forge) { f.rawInfo = addCriticalExtension }, []error{ErrExtension}},
		"trailing bytes":  {func(f *forge) { f.edit = func(b []byte) []byte { return append(b, 0) } }, []error{ErrMalformed}},
		"ESS of another":  {func(f *forge) { essOfAnother(f, good, second) }, []error{ErrESS}},
		"two certs":       {func(f *forge) { f.chain, f.key = [][]byte{good.chain[0], plain.chain[0], ca.Issuing.Raw}, plain.key }, []error{ErrSignature}},
		"CVE-2026-39984":  {func(f *forge) { f.chain, f.key = [][]byte{plain.chain[0], good.chain[0], ca.Issuing.Raw}, plain.key }, []error{ErrPurpose}},
		"injected and CVE": {func(f *forge) {
			f.chain, f.key = [][]byte{foreign.chain[0], good.chain[0], ca.Issuing.Raw}, foreign.key
		}, []error{ErrChain}},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, newClient(liar(t, func(w http.ResponseWriter, req *Request) {
				f := honest(req, good)
				c.lie(&f)
				resp, err := granted(f.token(t))
				if err != nil {
					t.Error(err)
				}
				_, _ = w.Write(resp)
			})), c.want...)
		})
	}
	t.Run("the truth passes", func(t *testing.T) {
		c := newClient(liar(t, func(w http.ResponseWriter, req *Request) {
			resp, err := granted(honest(req, good).token(t))
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(resp)
		}))
		if _, _, err := c.Stamp(t.Context(), crypto.SHA256, sum("signature")); err != nil {
			t.Error(err)
		}
	})
}

// essOfAnother makes the signer identifier name second while the protected
// attribute names good; second signs. Both are real authorities.
func essOfAnother(f *forge, good, second pair) {
	f.key = second.key
	f.chain = [][]byte{good.chain[0], second.chain[0], good.chain[1]}
	from, to := good.leaf().SerialNumber.Bytes(), second.leaf().SerialNumber.Bytes()
	f.edit = func(b []byte) []byte {
		i := bytes.LastIndex(b, from) // the one in SignerInfo
		copy(b[i:], to)
		return b
	}
}

// flipAt changes a bit some bytes behind a mark: inside TSTInfo.
func flipAt(mark []byte, n int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[bytes.Index(b, mark)+n] ^= 1
		return b
	}
}

// dropLeaf replaces the leaf in the certificate set by a certificate of equal
// length that nobody asked for: the same with another last byte.
// ADE-03: a token without certificates, as an authority gives it to who did not ask for them, is judged by one that is given
// beside it, if that is named and protected by the token; by nothing else.
func TestADE03TokenWithoutCertificates(t *testing.T) {
	good := newPair(t, testCA(), algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile})
	other := newPair(t, testCA(), algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile})
	plain := newPair(t, testCA(), algo.ES256, certs.DemoRequest{Profile: certs.SignerProfile})
	h := sum("data")
	token := func(p pair) []byte {
		f := honest(&Request{Hash: crypto.SHA256, Imprint: h, Nonce: big.NewInt(7), CertReq: false}, p)
		f.omitCerts = true
		return f.token(t)
	}
	verify := func(token []byte, beside ...*x509.Certificate) error {
		_, err := VerifyTokenAmong(token, crypto.SHA256, h, Beside{
			Issuers:     func(...*x509.Certificate) []*x509.Certificate { return []*x509.Certificate{testCA().Issuing} },
			Authorities: func() []*x509.Certificate { return beside },
		}, anchors(), time.Time{})
		return err
	}
	if err := verify(token(good), other.leaf(), plain.leaf(), good.leaf()); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"nothing beside it":      verify(token(good)),
		"that of another":        verify(token(good), other.leaf(), testCA().Root),
		"of no authority":        verify(token(plain), plain.leaf()),
		"nobody asked for there": func() error { _, err := VerifyToken(token(good), crypto.SHA256, h, anchors(), time.Time{}); return err }(),
	} {
		want := ErrNoCertificate
		if name == "of no authority" {
			want = ErrPurpose
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

func dropLeaf(t testing.TB, leaf []byte) func([]byte) []byte {
	return func(b []byte) []byte {
		c, err := x509.ParseCertificate(leaf)
		if err != nil {
			t.Error(err)
			return nil
		}
		serial := c.SerialNumber.Bytes()
		b[bytes.Index(b, serial)+5] ^= 1 // the first one is in the certificate
		return b
	}
}

// addCriticalExtension appends extensions with one critical, unknown one.
func addCriticalExtension(tst []byte) []byte {
	s := cryptobyte.String(tst)
	var body cryptobyte.String
	if !s.ReadASN1(&body, cbasn1.SEQUENCE) {
		panic("TSTInfo")
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(body)
		b.AddASN1(tag1, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 3, 4})
				b.AddASN1Boolean(true)
				b.AddASN1OctetString([]byte{5, 0})
			})
		})
	})
	return b.BytesOrPanic()
}

// TIM-02, RFC 3161 section 2.3: the certificate must be for time-stamping only, and say
// so critically. The anchors trust these certificates otherwise.
func TestF19PurposeOfTheCertificate(t *testing.T) {
	ts, code := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 3}
	for name, edit := range map[string]func(*x509.Certificate){
		"not critical":  func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping} },
		"two purposes":  func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{criticalEKU(t, ts, code)} },
		"other purpose": func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{criticalEKU(t, code)} },
		"no purpose":    func(*x509.Certificate) {},
		"no signing": func(c *x509.Certificate) {
			c.ExtraExtensions, c.KeyUsage = []pkix.Extension{criticalEKU(t, ts)}, x509.KeyUsageKeyEncipherment
		},
	} {
		t.Run(name, func(t *testing.T) {
			odd, anchor := rawCert(t, edit)
			c := newClient(liar(t, func(w http.ResponseWriter, req *Request) {
				resp, err := granted(honest(req, odd).token(t))
				if err != nil {
					t.Error(err)
				}
				_, _ = w.Write(resp)
			}))
			c.Anchors = []*x509.Certificate{anchor}
			refused(t, c, ErrPurpose)
		})
	}
}

// F19: every status but granted, even with a perfect token behind it.
func TestF19StatusIsObeyed(t *testing.T) {
	good := newPair(t, testCA(), algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile})
	for status, want := range map[int64]error{1: ErrGrantedWithMods, 2: ErrRejected, 3: ErrWaiting, 4: ErrRevocationWarning, 5: ErrRevocationNotification, 6: ErrStatus, -1: ErrStatus} {
		for _, withToken := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d %v", status, withToken), func(t *testing.T) {
				refused(t, newClient(liar(t, func(w http.ResponseWriter, req *Request) {
					b := cryptobyte.NewBuilder(nil)
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(status) })
						if withToken {
							b.AddBytes(honest(req, good).token(t))
						}
					})
					_, _ = w.Write(b.BytesOrPanic())
				})), want)
			})
		}
	}
	t.Run("granted without token", func(t *testing.T) {
		refused(t, newClient(liar(t, func(w http.ResponseWriter, _ *Request) { _, _ = w.Write([]byte{0x30, 5, 0x30, 3, 2, 1, 0}) })), ErrNoToken)
	})
}

// F17, F18, F19: the transport lies, drips, floods, redirects or is not there.
func TestF18TransportFaultsAreRefused(t *testing.T) {
	good := newPair(t, testCA(), algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile})
	answer := func(req *Request) []byte {
		resp, err := granted(honest(req, good).token(t))
		if err != nil {
			t.Error(err)
		}
		return resp
	}
	flood := func(w http.ResponseWriter, n int) {
		chunk := make([]byte, 64<<10)
		for range n / len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return // the client hung up: what we want
			}
		}
	}
	for name, c := range map[string]struct {
		lie  func(w http.ResponseWriter, req *Request)
		want error
	}{
		"truncated": {func(w http.ResponseWriter, req *Request) { b := answer(req); _, _ = w.Write(b[:len(b)-7]) }, ErrMalformed},
		"empty":     {func(http.ResponseWriter, *Request) {}, ErrMalformed},
		"100 MB":    {func(w http.ResponseWriter, _ *Request) { flood(w, 100<<20) }, ErrTooLarge},
		"announced": {func(w http.ResponseWriter, _ *Request) { w.Header().Set("Content-Length", "2000000"); flood(w, 1<<20) }, ErrTooLarge},
		"broken off": {func(w http.ResponseWriter, req *Request) {
			w.Header().Set("Content-Length", "9000")
			_, _ = w.Write(answer(req))
		}, ErrUnavailable},
		"redirect": {func(w http.ResponseWriter, _ *Request) { w.Header().Set("Location", "/x"); w.WriteHeader(307) }, ErrRedirect},
		"HTTP 500": {func(w http.ResponseWriter, _ *Request) { w.WriteHeader(500) }, ErrHTTPStatus},
		"HTTP 204": {func(w http.ResponseWriter, _ *Request) { w.WriteHeader(204) }, ErrHTTPStatus},
		"HTML": {func(w http.ResponseWriter, req *Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(answer(req))
		}, ErrContentType},
		"no type": {func(w http.ResponseWriter, req *Request) {
			w.Header().Set("Content-Type", "")
			_, _ = w.Write(answer(req))
		}, ErrContentType},
		"header flood": {func(w http.ResponseWriter, _ *Request) {
			w.Header().Set("Content-Type", string(bytes.Repeat([]byte{'.'}, 1<<20)))
			_, _ = w.Write([]byte{1})
		}, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) { refused(t, newClient(liar(t, c.lie)), c.want) })
	}
	t.Run("closed port", func(t *testing.T) { refused(t, newClient("http://127.0.0.1:1/"), ErrUnavailable) })
	t.Run("no URL", func(t *testing.T) { refused(t, newClient(""), ErrConfig) })
	t.Run("no anchors", func(t *testing.T) {
		c := newClient(liar(t, func(http.ResponseWriter, *Request) { t.Error("asked without anchors") }))
		c.Anchors = nil
		refused(t, c, ErrConfig)
	})
}

// F18: one byte a second never ends, but the deadline does.
func TestF18DripMeetsTheDeadline(t *testing.T) {
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	url := liar(t, func(w http.ResponseWriter, _ *Request) {
		for {
			if _, err := w.Write([]byte{0x30}); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	c := newClient(url)
	c.Timeout = 400 * time.Millisecond
	refused(t, c, ErrDeadline) // the server drips for ever
}

// F19: an answer to an earlier request, and a serial number used twice.
func TestF19ReplayAndSerialReuse(t *testing.T) {
	good := newPair(t, testCA(), algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile})
	var first []byte
	replay := newClient(liar(t, func(w http.ResponseWriter, req *Request) {
		if first == nil {
			first, _ = granted(honest(req, good).token(t))
		}
		_, _ = w.Write(first)
	}))
	if _, _, err := replay.Stamp(t.Context(), crypto.SHA256, sum("signature")); err != nil {
		t.Fatal(err)
	}
	refused(t, replay, ErrNonce)
	same := newClient(liar(t, func(w http.ResponseWriter, req *Request) {
		f := honest(req, good)
		f.info.serial = big.NewInt(42)
		resp, _ := granted(f.token(t))
		_, _ = w.Write(resp)
	}))
	if _, _, err := same.Stamp(t.Context(), crypto.SHA256, sum("signature")); err != nil {
		t.Fatal(err)
	}
	refused(t, same, ErrSerialReused)
}
