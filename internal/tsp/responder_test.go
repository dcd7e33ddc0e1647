package tsp

import (
	"bytes"
	"context"
	"crypto"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/cms"
)

// query writes a request with any hash identifier and tail, right or wrong.
func query(version int64, hashOID asn1.ObjectIdentifier, imprint []byte, tail func(*cryptobyte.Builder)) []byte {
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(version)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(hashOID)
				b.AddASN1NULL()
			})
			b.AddASN1OctetString(imprint)
		})
		if tail != nil {
			tail(b)
		}
	})
	return b.BytesOrPanic()
}

var (
	oidSHA1   = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

// RFC 3161 section 2.4.2: each unacceptable request has its failure code, and no
// token.
func TestResponderNamesTheFailure(t *testing.T) {
	r := newTSA(t, algo.ES256)
	ok := sum("x")
	for name, c := range map[string]struct {
		der  []byte
		want FailInfo
	}{
		"SHA-1":         {query(1, oidSHA1, make([]byte, 20), nil), BadAlg},
		"short imprint": {query(1, oidSHA256, ok[:31], nil), BadDataFormat},
		"version 2":     {query(2, oidSHA256, ok, nil), BadRequest},
		"empty":         {nil, BadDataFormat},
		"garbage":       {[]byte("hello"), BadDataFormat},
		"trailing":      {append(query(1, oidSHA256, ok, nil), 0), BadDataFormat},
		"oversized":     {make([]byte, MaxRequest+1), BadDataFormat},
		"extra":         {query(1, oidSHA256, ok, func(b *cryptobyte.Builder) { b.AddASN1NULL() }), BadDataFormat},
		"endless nonce": {query(1, oidSHA256, ok, func(b *cryptobyte.Builder) { b.AddASN1BigInt(new(big.Int).Lsh(big.NewInt(1), 4000)) }), BadDataFormat},
		"endless policy": {query(1, oidSHA256, ok, func(b *cryptobyte.Builder) {
			b.AddBytes(append([]byte{6, 0x82, 8, 0}, bytes.Repeat([]byte{1}, 2048)...))
		}), BadDataFormat},
		"policy":    {query(1, oidSHA256, ok, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 3}) }), UnacceptedPolicy},
		"extension": {query(1, oidSHA256, ok, func(b *cryptobyte.Builder) { b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1NULL() }) }), UnacceptedExtension},
	} {
		t.Run(name, func(t *testing.T) {
			der, err := r.Respond(t.Context(), c.der)
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Failure != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			resp, perr := ParseResponse(der)
			if perr != nil {
				t.Fatal(perr)
			}
			if resp.Status != 2 || resp.Token != nil || !slices.Equal(resp.Failures, []FailInfo{c.want}) || !errors.Is(resp.Err(), ErrRejected) {
				t.Errorf("response %+v", resp)
			}
			dir := t.TempDir()
			put(t, dir, "r.tsr", der)
			out, oerr := openssl(t, dir, "ts", "-reply", "-in", "r.tsr", "-text")
			if oerr != nil || !strings.Contains(out, "Status: Rejected") {
				t.Errorf("openssl cannot read the rejection: %v\n%s", oerr, out)
			}
		})
	}
}

// A further policy is accepted when it is configured, and written.
func TestResponderAcceptsConfiguredPolicies(t *testing.T) {
	r := newTSA(t, algo.ES256)
	other := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2}
	r.Policies = []asn1.ObjectIdentifier{other}
	p := &InProcess{Authority: r, Anchors: anchors()}
	if _, info, err := p.Stamp(t.Context(), crypto.SHA256, sum("x")); err != nil || !info.Policy.Equal(testPolicy) {
		t.Errorf("policy %s, %v", info.Policy, err)
	}
	c := newClient(serve(t, Handler(r, nil)))
	c.Policy = other
	if _, info, err := c.Stamp(t.Context(), crypto.SHA256, sum("x")); err != nil || !info.Policy.Equal(other) {
		t.Errorf("policy %s, %v", info.Policy, err)
	}
}

// brokenSigner signs other bytes than it is asked to, like a failing module.
type brokenSigner struct{ crypto.Signer }

func (b brokenSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	wrong := bytes.Clone(digest)
	wrong[0] ^= 1
	return b.Signer.Sign(r, wrong, opts)
}

// A wrong signature, a wrong clock or a cancelled request is a rejection with
// its failure code: never a void token.
func TestResponderNeverSendsAVoidToken(t *testing.T) {
	good := query(1, oidSHA256, sum("x"), nil)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		edit func(*Responder)
		want FailInfo
	}{
		"broken signer": {t.Context(), func(r *Responder) { r.Signer = brokenSigner{r.Signer} }, SystemFailure},
		"clock behind":  {t.Context(), func(r *Responder) { r.Clock = func() time.Time { return time.Unix(0, 0) } }, TimeNotAvailable},
		"clock ahead":   {t.Context(), func(r *Responder) { r.Clock = func() time.Time { return time.Now().AddDate(5, 0, 0) } }, TimeNotAvailable},
		"no signer":     {t.Context(), func(r *Responder) { r.Signer = nil }, SystemFailure},
		"zero serial":   {t.Context(), func(r *Responder) { r.Serial = func() (*big.Int, error) { return new(big.Int), nil } }, SystemFailure},
		"serial fails":  {t.Context(), func(r *Responder) { r.Serial = func() (*big.Int, error) { return nil, errors.New("disk") } }, SystemFailure},
		"cancelled":     {cancelled, func(*Responder) {}, SystemFailure},
	} {
		t.Run(name, func(t *testing.T) {
			base := newTSA(t, algo.ES256)
			r := &Responder{Signer: base.Signer, Alg: base.Alg, Chain: base.Chain, Policy: base.Policy}
			c.edit(r)
			der, err := r.Respond(c.ctx, good)
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Failure != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if resp, err := ParseResponse(der); err != nil || resp.Token != nil || resp.Text != c.want.String() {
				t.Errorf("response %+v, %v", resp, err)
			}
		})
	}
}

// A responder that could only make tokens nobody accepts does not start.
func TestResponderRefusesUnfitConfigurations(t *testing.T) {
	tsa := newPair(t, testCA(), algo.ES256, certs.DemoRequest{Profile: certs.TSAProfile})
	plain := newPair(t, testCA(), algo.ES256, certs.DemoRequest{Profile: certs.SignerProfile})
	rsaTSA := newPair(t, testCA(), algo.RS256, certs.DemoRequest{Profile: certs.TSAProfile})
	for name, r := range map[string]*Responder{
		"empty":      {},
		"no policy":  {Signer: tsa.key, Alg: algo.ES256, Chain: tsa.chain},
		"purpose":    {Signer: plain.key, Alg: algo.ES256, Chain: plain.chain, Policy: testPolicy},
		"algorithm":  {Signer: tsa.key, Alg: algo.RS256, Chain: tsa.chain, Policy: testPolicy},
		"PSS":        {Signer: rsaTSA.key, Alg: algo.PS256, Chain: rsaTSA.chain, Policy: testPolicy},
		"other key":  {Signer: plain.key, Alg: algo.ES256, Chain: tsa.chain, Policy: testPolicy},
		"not a cert": {Signer: tsa.key, Alg: algo.ES256, Chain: [][]byte{{1}}, Policy: testPolicy},
	} {
		if err := r.Check(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Respond(t.Context(), query(1, oidSHA256, sum("x"), nil)); err == nil {
			t.Errorf("%s: answers", name)
		}
	}
}

// The two phases survive a restart: a worker stores what is pending.
func TestPendingTokenSurvivesStorage(t *testing.T) {
	r := newTSA(t, algo.ES256)
	p, err := r.Prepare(query(1, oidSHA256, sum("x"), func(b *cryptobyte.Builder) { b.AddASN1Boolean(true) }))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var again Pending
	if err := json.Unmarshal(stored, &again); err != nil {
		t.Fatal(err)
	}
	sig, err := r.Signer.Sign(nil, again.Digest(), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := r.Finish(&again, sig)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := ParseResponse(der)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyToken(resp.Token, crypto.SHA256, sum("x"), anchors(), time.Time{}); err != nil {
		t.Error(err)
	}
}

// RFC 3161 section 3.4, and the bounds of the HTTP side.
func TestHandlerIsStrictAndBounded(t *testing.T) {
	var observed []error
	url := serve(t, Handler(newTSA(t, algo.ES256), func(err error) { observed = append(observed, err) }))
	good := query(1, oidSHA256, sum("x"), nil)
	post := func(contentType string, body []byte) *http.Response {
		resp, err := http.Post(url, contentType, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	if resp := post(QueryType, good); resp.StatusCode != 200 || resp.Header.Get("Content-Type") != ReplyType || len(observed) != 0 {
		t.Errorf("%s %v", resp.Status, observed)
	}
	if resp := post("Application/Timestamp-Query; charset=x", good); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	if resp := post("application/json", good); resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Error(resp.Status)
	}
	if resp := post(QueryType, make([]byte, MaxRequest+1)); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(resp.Status)
	}
	if resp := post(QueryType, []byte("x")); resp.StatusCode != 200 || len(observed) != 2 {
		t.Errorf("a rejection is an answer: %s, observed %v", resp.Status, observed)
	}
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Error(resp.Status)
	}
}

// failing is a Stamper that always fails.
type failing struct{ err error }

func (f failing) Stamp(context.Context, crypto.Hash, []byte) ([]byte, Info, error) {
	return nil, Info{}, f.err
}

// F17: the next authority helps out and the failure is told; when all fail the
// error holds every cause and there is no token.
func TestF17ListOfAuthorities(t *testing.T) {
	down, up := newClient("http://127.0.0.1:1/"), newClient(serve(t, Handler(newTSA(t, algo.ES256), nil)))
	var told []error
	list := &Clients{List: []Stamper{down, failing{ErrImprint}, up}, OnFailure: func(err error) { told = append(told, err) }}
	token, _, err := list.Stamp(t.Context(), crypto.SHA256, sum("x"))
	if err != nil || token == nil || len(told) != 2 || !errors.Is(told[0], ErrUnavailable) {
		t.Errorf("%d bytes, %v, told %v", len(token), err, told)
	}
	list.List = list.List[:2]
	token, _, err = list.Stamp(t.Context(), crypto.SHA256, sum("x"))
	if token != nil || !errors.Is(err, ErrAllFailed) || !errors.Is(err, ErrUnavailable) || !errors.Is(err, ErrImprint) {
		t.Errorf("%d bytes, %v", len(token), err)
	}
	if _, _, err := (&Clients{}).Stamp(t.Context(), crypto.SHA256, sum("x")); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	told = nil
	list.List = []Stamper{down, up}
	if _, _, err := list.Stamp(gone, crypto.SHA256, sum("x")); err == nil || len(told) != 1 {
		t.Errorf("went on after the caller had gone: %v, told %v", err, told)
	}
}

// The in-process authority passes the same checks, and its rejection keeps the
// cause.
func TestInProcessIsCheckedLikeAnyAuthority(t *testing.T) {
	r := newTSA(t, algo.ES512)
	p := &InProcess{Authority: r, Anchors: anchors()}
	token, info, err := p.Stamp(t.Context(), crypto.SHA512, make([]byte, 64))
	if err != nil || len(token) == 0 || info.Accuracy != r.Accuracy {
		t.Errorf("%v, %+v", err, info)
	}
	p.Clock = func() time.Time { return time.Now().Add(time.Hour) }
	if _, _, err := p.Stamp(t.Context(), crypto.SHA512, make([]byte, 64)); !errors.Is(err, ErrPast) {
		t.Error(err)
	}
	r2 := newTSA(t, algo.ES256)
	r2.Signer = brokenSigner{r2.Signer}
	if _, _, err := (&InProcess{Authority: r2, Anchors: anchors()}).Stamp(t.Context(), crypto.SHA256, sum("x")); !errors.Is(err, ErrRejected) || !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
	for _, c := range []struct {
		h       crypto.Hash
		imprint []byte
	}{{crypto.SHA1, make([]byte, 20)}, {crypto.SHA256, make([]byte, 31)}, {0, nil}} {
		if _, _, err := p.Stamp(t.Context(), c.h, c.imprint); !errors.Is(err, ErrInput) {
			t.Errorf("%v with %d bytes: %v", c.h, len(c.imprint), err)
		}
	}
}

// signedMessage is a detached CMS signature to be stamped.
func signedMessage(t testing.TB) []byte {
	t.Helper()
	p := newPair(t, testCA(), algo.ES256, certs.DemoRequest{Profile: certs.SignerProfile, CommonName: "alice"})
	attrs := cms.SortedSet([][]byte{cms.ContentTypeAttr(cms.OIDData), cms.MessageDigestAttr(sum("document")), cms.SigningCertificateV2Attr(p.chain[0], crypto.SHA256)})
	sig, err := p.key.Sign(nil, sum(string(attrs)), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := cms.Assemble(cms.Input{SignedAttrs: attrs, Alg: algo.ES256, Signature: sig, Chain: p.chain})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// E1: the imprint is over the signature value, not over the document; a token
// over the document's digest is refused when found.
func TestE1TimeStampIsOverTheSignatureValue(t *testing.T) {
	message := signedMessage(t)
	p := &InProcess{Authority: newTSA(t, algo.ES256), Anchors: anchors()}
	stamped, info, err := StampSignature(t.Context(), p, message, crypto.SHA384)
	if err != nil {
		t.Fatal(err)
	}
	sd, err := cms.Parse(stamped)
	if err != nil {
		t.Fatal(err)
	}
	si := sd.Signers[0]
	want, err := hashOf(crypto.SHA384, si.Signature)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(info.Imprint, want) {
		t.Error("the imprint is not the digest of the signature value")
	}
	infos, err := VerifySignatureTimeStamps(si, anchors(), time.Time{})
	if err != nil || len(infos) != 1 || infos[0].Serial.Cmp(info.Serial) != 0 {
		t.Errorf("%d, %v", len(infos), err)
	}
	if _, err := sd.Verify(si, sum("document"), cms.VerifyOptions{}); err != nil {
		t.Errorf("the signature under the time-stamp: %v", err)
	}
	token, _, err := p.Stamp(t.Context(), crypto.SHA256, sum("document"))
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := cms.AddUnsigned(message, cms.Attribute(cms.OIDTimeStampToken, token))
	if err != nil {
		t.Fatal(err)
	}
	if sd, err = cms.Parse(wrong); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifySignatureTimeStamps(sd.Signers[0], anchors(), time.Time{}); !errors.Is(err, ErrImprint) {
		t.Errorf("token over the document: %v", err)
	}
}

// A failed time-stamp leaves nothing behind: no message that looks finished.
func TestF17NoTokenNoMessage(t *testing.T) {
	out, _, err := StampSignature(t.Context(), failing{ErrUnavailable}, signedMessage(t), crypto.SHA256)
	if out != nil || !errors.Is(err, ErrUnavailable) {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

// GeneralizedTime: DER has no trailing zeros and no bare point (RFC 3161 2.4.2).
func TestGenTimeEncoding(t *testing.T) {
	for ms, want := range map[int]string{0: "20261121130501Z", 500: "20261121130501.5Z", 120: "20261121130501.12Z", 7: "20261121130501.007Z"} {
		at := time.Date(2026, 11, 21, 14, 5, 1, ms*1e6, time.FixedZone("", 3600))
		got := encodeTime(at)
		if string(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
		if back, err := decodeTime(got); err != nil || !back.Equal(at) {
			t.Errorf("%s read back as %s, %v", got, back, err)
		}
	}
	for _, bad := range []string{"", "2026112113050Z", "20261121130501", "20261121130501+0100", "20261121130501,5Z", "20261321130501Z", "20261121130501.Z", "20261121130501.5.5Z", strings.Repeat("0", 1000) + "Z"} {
		if at, err := decodeTime([]byte(bad)); err == nil {
			t.Errorf("%.40q accepted as %s", bad, at)
		}
	}
	if s := fmt.Sprint(FailInfo(3)); s != "unknown failure" {
		t.Error(s)
	}
}
