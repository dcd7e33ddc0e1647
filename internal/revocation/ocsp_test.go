package revocation

import (
	"bytes"
	"crypto"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"errors"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"

	"github.com/assent-sign/assent/internal/der"
	"github.com/assent-sign/assent/internal/pkix"
	. "github.com/assent-sign/assent/internal/pkix/pkixtest"
)

func noCheck() xpkix.Extension {
	return xpkix.Extension{Id: []int{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}
}

// RFC 6960 section 4.2.2.2: who may speak for an issuer, and who may not.
func TestWhoMaySignAnOCSPResponse(t *testing.T) {
	w := newWorld(t)
	other := Make(t, "issuing", w.root, CA) // the same name, another key
	notForOCSP := Make(t, "responder", w.ca, nil)
	anyPurpose := Make(t, "responder", w.ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })
	ofAnother := Make(t, "responder", other, delegate)
	ofRoot := Make(t, "responder", w.root, delegate)
	expired := Make(t, "responder", w.ca, func(c *x509.Certificate) { delegate(c); c.NotAfter = Now.Add(-time.Hour) })
	unchecked := Make(t, "responder", w.ca, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		c.CRLDistributionPoints = []string{"http://list.example/responders"}
	})
	forResponders := place("http://list.example/responders") // it says nothing about the end certificate
	for name, c := range map[string]struct {
		signer *Entity
		crls   []*CRL
		want   error
	}{
		"the issuer":                          {w.ca, nil, nil},
		"a delegate":                          {w.responder, nil, nil},
		"a certificate without the purpose":   {notForOCSP, nil, ErrUnauthorized},
		"a certificate for any purpose":       {anyPurpose, nil, ErrUnauthorized},
		"a delegate of a namesake":            {ofAnother, nil, ErrUnauthorized},
		"a delegate of the issuer's issuer":   {ofRoot, nil, ErrUnauthorized},
		"an expired delegate":                 {expired, nil, ErrUnauthorized},
		"a delegate of unknown status":        {unchecked, nil, ErrUnauthorized},
		"a delegate that a list knows":        {unchecked, []*CRL{w.list(w.ca, forResponders)}, nil},
		"a revoked delegate":                  {unchecked, []*CRL{w.list(w.ca, forResponders, unchecked)}, ErrUnauthorized},
		"a namesake of the issuer":            {other, nil, ErrUnauthorized},
		"the certificate in question, itself": {w.end, nil, ErrUnauthorized},
	} {
		a := w.good(nil)
		a.responder, a.certs = c.signer.Certificate, [][]byte{c.signer.Raw}
		findings, err := w.check(Config{Responses: []*Response{w.response(a, c.signer.Key)}, CRLs: c.crls})
		if c.want == nil {
			if err != nil || len(findings) != 1 || findings[0].Evidence[0].Response == nil || !findings[0].Evidence[0].Signer[0].Equal(c.signer.Certificate) {
				t.Errorf("%s: %v, %v", name, findings, err)
			}
			continue
		}
		if !errors.Is(err, c.want) || !errors.Is(err, ErrUndetermined) || errors.Is(err, ErrRevoked) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// place makes a list one for a distribution point.
func place(uri string) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		b := cryptobyte.NewBuilder(nil)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(der.Context(0), func(b *cryptobyte.Builder) {
				b.AddASN1(der.Context(0), func(b *cryptobyte.Builder) {
					b.AddASN1(der.Primitive(6), func(b *cryptobyte.Builder) { b.AddBytes([]byte(uri)) })
				})
			})
		})
		l.ExtraExtensions = append(l.ExtraExtensions, xpkix.Extension{Id: []int{2, 5, 29, 28}, Critical: true, Value: b.BytesOrPanic()})
	}
}

// A responder without nocheck whose own status nobody else tells does not count by
// what it says about itself.
func TestAResponderDoesNotSpeakForItself(t *testing.T) {
	w := newWorld(t)
	r := Make(t, "responder", w.ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} })
	a := w.good(nil)
	a.responder, a.certs = r.Certificate, [][]byte{r.Raw}
	self := a.singles[0]
	self.id = idOf(r.Certificate, w.ca.Certificate, crypto.SHA1)
	a.singles = append(a.singles, self)
	if _, err := w.check(Config{Responses: []*Response{w.response(a, r.Key)}}); !errors.Is(err, ErrUndetermined) {
		t.Error(err)
	}
}

// Each way in which a statement about a certificate does not hold has its name, and
// none of them is good.
func TestWhatAnOCSPResponseMustSay(t *testing.T) {
	w := newWorld(t)
	other := Make(t, "other", w.ca, nil)
	for name, c := range map[string]struct {
		edit func(*answer)
		cfg  Config
		want error
	}{
		"good":                         {nil, Config{}, nil},
		"unknown":                      {func(a *answer) { a.singles[0].status = statusUnknown }, Config{}, ErrNotGood},
		"revoked":                      {revoke(Now.AddDate(0, -1, 0)), Config{}, ErrRevoked},
		"revoked later than it counts": {revoke(Now.AddDate(0, -1, 0)), Config{Existed: Now.AddDate(0, -2, 0)}, nil},
		"revoked before that":          {revoke(Now.AddDate(0, -1, 0)), Config{Existed: Now.AddDate(0, 0, -1)}, ErrRevoked},
		"revoked at that moment":       {revoke(Now.AddDate(0, -1, 0)), Config{Existed: Now.AddDate(0, -1, 0)}, ErrRevoked},
		"nextUpdate is past":           {func(a *answer) { a.singles[0].nextUpdate = Now.Add(-time.Second) }, Config{}, ErrStale},
		"nextUpdate is past, by skew":  {func(a *answer) { a.singles[0].nextUpdate = Now.Add(-time.Second) }, Config{Skew: time.Minute}, nil},
		"no nextUpdate":                {func(a *answer) { a.singles[0].nextUpdate = time.Time{} }, Config{}, nil},
		"no nextUpdate and old":        {func(a *answer) { a.singles[0].nextUpdate = time.Time{} }, Config{MaxAge: 30 * time.Second}, ErrStale},
		"thisUpdate to come":           {func(a *answer) { a.singles[0].thisUpdate = Now.Add(time.Minute) }, Config{}, ErrFuture},
		"producedAt to come":           {func(a *answer) { a.producedAt = Now.Add(time.Minute) }, Config{}, ErrFuture},
		"produced before it was known": {func(a *answer) { a.producedAt = Now.Add(-time.Hour) }, Config{}, ErrFuture},
		"of before the signature":      {nil, Config{After: Now.Add(-time.Second)}, ErrTooEarly},
		"of after the signature":       {nil, Config{After: Now.Add(-time.Hour)}, nil},
		"revoked before the signature": {revoke(Now.AddDate(0, -1, 0)), Config{After: Now}, ErrRevoked},
		"critical extension":           {func(a *answer) { a.singles[0].unknown = "\x2a\x03" }, Config{}, ErrCritical},
		"another serial number":        {func(a *answer) { a.singles[0].id.serial = other.Serial }, Config{}, ErrUndetermined},
		"another issuer's name": {func(a *answer) {
			a.singles[0].id.nameHash = idOf(w.ca.Certificate, w.ca.Certificate, crypto.SHA1).nameHash
		}, Config{}, ErrUndetermined},
		"another issuer's key": {func(a *answer) {
			a.singles[0].id.keyHash = idOf(w.end.Certificate, w.root.Certificate, crypto.SHA1).keyHash
		}, Config{}, ErrUndetermined},
		"SHA-256":              {func(a *answer) { a.singles[0].id = idOf(w.end.Certificate, w.ca.Certificate, crypto.SHA256) }, Config{}, nil},
		"SHA-512":              {func(a *answer) { a.singles[0].id = idOf(w.end.Certificate, w.ca.Certificate, crypto.SHA512) }, Config{}, nil},
		"hash by another name": {func(a *answer) { a.singles[0].id.hash = crypto.SHA256 }, Config{}, ErrUndetermined},
	} {
		a := w.good(nil)
		if c.edit != nil {
			c.edit(a)
		}
		r := w.response(a, w.responder.Key)
		if a.singles[0].unknown != "" {
			r.singles[0].unknown = a.singles[0].unknown
		}
		c.cfg.Responses = []*Response{r}
		f, err := w.check(c.cfg)
		if !errors.Is(err, c.want) || (c.want == nil && len(f) != 1) || (c.want != nil && !errors.Is(c.want, ErrRevoked) && !errors.Is(err, ErrUndetermined)) {
			t.Errorf("%s: %v", name, err)
		}
		if c.want == nil && !c.cfg.Existed.IsZero() && (!f[0].RevokedAt.Equal(Now.AddDate(0, -1, 0)) || f[0].Reason != KeyCompromise) {
			t.Errorf("%s: revoked at %s (%s)", name, f[0].RevokedAt, f[0].Reason)
		}
	}
}

func revoke(at time.Time) func(*answer) {
	return func(a *answer) {
		a.singles[0].status, a.singles[0].revokedAt, a.singles[0].reason = statusRevoked, at, KeyCompromise
	}
}

// A statement that was made after a certificate expired says nothing about it,
// unless its maker keeps expired certificates.
func TestStatementsAfterExpiry(t *testing.T) {
	w := newWorld(t)
	w.end = Make(t, "end", w.ca, func(c *x509.Certificate) { c.NotAfter = Now.Add(-time.Hour) })
	r := w.response(w.good(nil), w.responder.Key)
	if _, err := w.check(Config{Responses: []*Response{r}}); !errors.Is(err, ErrExpired) {
		t.Error(err)
	}
	r.singles[0].keepsExpired = Now.AddDate(-5, 0, 0)
	if _, err := w.check(Config{Responses: []*Response{r}}); err != nil {
		t.Error(err)
	}
	c := w.list(w.ca, nil)
	if _, err := w.check(Config{CRLs: []*CRL{c}}); !errors.Is(err, ErrExpired) {
		t.Error(err)
	}
	c.KeepsExpired = Now.AddDate(-5, 0, 0)
	if _, err := w.check(Config{CRLs: []*CRL{c}}); err != nil {
		t.Error(err)
	}
	if _, err := w.check(Config{CRLs: []*CRL{w.list(w.ca, nil, w.end)}}); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
}

// What must be of after the signature is the statement about the end certificate;
// one about its authority need only be current, and revokes whenever it was made.
func TestFreshnessIsAboutTheEndCertificate(t *testing.T) {
	w := newWorld(t)
	path := &pkix.Path{Chain: []*pkix.Certificate{w.end.Certificate, w.ca.Certificate, w.root.Certificate}}
	older := func(l *x509.RevocationList) { l.ThisUpdate = Now.Add(-time.Hour) }
	signed := Now.Add(-30 * time.Minute)
	for name, c := range map[string]struct {
		end, ca *CRL
		want    error
	}{
		"end after, authority before":   {w.list(w.ca, nil), w.list(w.root, older), nil},
		"end before, authority after":   {w.list(w.ca, older), w.list(w.root, nil), ErrTooEarly},
		"authority revoked long before": {w.list(w.ca, nil), w.list(w.root, older, w.ca), ErrRevoked},
	} {
		k, err := New(Config{At: Now, After: signed, CRLs: []*CRL{c.end, c.ca}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Check(t.Context(), path); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Revoked wins over good, in whichever order and form they come.
func TestRevokedWinsOverGood(t *testing.T) {
	w := newWorld(t)
	bad := w.good(nil)
	revoke(Now.AddDate(0, 0, -1))(bad)
	good, revoked := w.response(w.good(nil), w.responder.Key), w.response(bad, w.responder.Key)
	for i, cfg := range []Config{
		{Responses: []*Response{good, revoked}},
		{Responses: []*Response{revoked, good}},
		{Responses: []*Response{good}, CRLs: []*CRL{w.list(w.ca, nil, w.end)}},
		{Responses: []*Response{revoked}, CRLs: []*CRL{w.list(w.ca, nil)}},
	} {
		_, err := w.check(cfg)
		var r *RevokedError
		if !errors.As(err, &r) || r.Reason != KeyCompromise || !r.Certificate.Equal(w.end.Certificate) || !r.At.Equal(Now.AddDate(0, 0, -1)) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// D20, E5: a lying or failing responder is refused by name, over HTTP, and what it says is
// neither good nor kept.
func TestD20ALyingResponder(t *testing.T) {
	w := newWorld(t)
	other := Make(t, "other", w.ca, nil)
	mallory := Make(t, "mallory", nil, CA)
	honest := func(nonce []byte) []byte { return w.sign(w.good(nonce), w.responder.Key) }
	edited := func(edit func(*answer)) func([]byte) []byte {
		return func(nonce []byte) []byte { a := w.good(nonce); edit(a); return w.sign(a, w.responder.Key) }
	}
	var recorded []byte
	for name, c := range map[string]struct {
		make func(nonce []byte) []byte
		rule NonceRule
		want error
	}{
		"refuses another certificate's status": {edited(func(a *answer) { a.singles[0].id.serial = other.Serial }), 0, ErrScope},
		"refuses another key":                  {func(n []byte) []byte { return w.sign(w.good(n), mallory.Key) }, 0, ErrSignature},
		"refuses an expired answer":            {edited(func(a *answer) { a.singles[0].nextUpdate = Now.Add(-time.Second) }), 0, ErrStale},
		"refuses an answer of the future":      {edited(func(a *answer) { a.singles[0].thisUpdate = Now.Add(time.Hour) }), 0, ErrFuture},
		"refuses a missing nonce":              {func([]byte) []byte { return honest(nil) }, NonceRequired, ErrNonce},
		"refuses another nonce":                {func([]byte) []byte { return honest([]byte("not what was asked")) }, NonceRequired, ErrNonce},
		"refuses another nonce, leniently":     {func([]byte) []byte { return honest([]byte("not what was asked")) }, NonceIfAnswered, ErrNonce},
		"refuses a shortened nonce":            {func(n []byte) []byte { return honest(n[:8]) }, NonceIfAnswered, ErrNonce},
		"refuses a replayed answer": {func(n []byte) []byte {
			if recorded == nil {
				recorded = honest([]byte("the nonce of an earlier question"))
			}
			return recorded
		}, NonceIfAnswered, ErrNonce},
		"refuses an unauthorized delegate": {func(n []byte) []byte {
			a := w.good(n)
			a.responder, a.certs = other.Certificate, [][]byte{other.Raw}
			return w.sign(a, other.Key)
		}, 0, ErrUnauthorized},
		"refuses a delegate of another authority": {func(n []byte) []byte {
			d := Make(t, "responder", mallory, delegate)
			a := w.good(n)
			a.responder, a.certs = d.Certificate, [][]byte{d.Raw}
			return w.sign(a, d.Key)
		}, 0, ErrUnauthorized},
		"refuses an answer of no certificate": {edited(func(a *answer) { a.certs = nil }), 0, ErrUnauthorized},
		"refuses unknown":                     {edited(func(a *answer) { a.singles[0].status = statusUnknown }), 0, ErrNotGood},
		"refuses tryLater":                    {func([]byte) []byte { return refuse(3) }, 0, ErrRefused},
		"refuses an oversized answer":         {func([]byte) []byte { return make([]byte, MaxResponse+1) }, 0, ErrLimit},
		"refuses an empty answer":             {func([]byte) []byte { return nil }, 0, ErrMalformed},
		"refuses bytes behind the answer":     {func(n []byte) []byte { return append(honest(n), 0) }, 0, ErrMalformed},
		"refuses a changed answer": {func(n []byte) []byte {
			out := honest(n)
			i := bytes.LastIndex(out, []byte(w.good(nil).singles[0].thisUpdate.Format("20060102150405Z")))
			out[i+3]-- // a year earlier
			return out
		}, 0, ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			w.answerWith(c.make)
			f := w.fetcher()
			f.Nonce, f.Cache = c.rule, &Cache{}
			_, err := w.check(Config{Fetcher: f})
			if !errors.Is(err, c.want) || !errors.Is(err, ErrUndetermined) {
				t.Error(err)
			}
			if f.Cache.Len() != 0 {
				t.Error("it is kept")
			}
		})
	}
	t.Run("revoked is believed", func(t *testing.T) {
		w.answerWith(edited(revoke(Now.AddDate(0, 0, -1))))
		if _, err := w.check(Config{Fetcher: w.fetcher()}); !errors.Is(err, ErrRevoked) {
			t.Error(err)
		}
	})
	t.Run("honest is believed", func(t *testing.T) {
		for _, rule := range []NonceRule{NonceRequired, NonceIfAnswered} {
			w.answerWith(honest)
			f := w.fetcher()
			f.Nonce = rule
			if got, err := w.check(Config{Fetcher: f}); err != nil || sources(got)[0] != w.url+"/ocsp" {
				t.Error(err)
			}
		}
	})
}

// D20: a responder that does not answer as HTTP wants, or not in time, or too much.
func TestAFailingResponder(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  error
	}{
		"is refused for an error":       {func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "no", http.StatusInternalServerError) }, ErrUnavailable},
		"is refused for its media type": {func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>")) }, ErrUnavailable},
		"is not followed": {func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, ErrAddress},
		"is not waited for": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, ErrDeadline},
		"is not waited for while it drips": {func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", ocspResponseType)
			_, _ = rw.Write([]byte{0x30})
			rw.(http.Flusher).Flush()
			<-r.Context().Done()
		}, ErrDeadline},
		"is not read to no end": {func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", ocspResponseType)
			for r.Context().Err() == nil {
				if _, err := rw.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			w.ocsp = c.serve
			f := w.fetcher()
			if errors.Is(c.want, ErrDeadline) {
				f.Timeout = 50 * time.Millisecond
			} else {
				f.Timeout = time.Minute
			}
			if _, err := w.check(Config{Fetcher: f}); !errors.Is(err, c.want) || !errors.Is(err, ErrUndetermined) {
				t.Error(err)
			}
		})
	}
}

// E4: what x/crypto/ocsp reads and writes is what is written and read here, the hash of the issuer's key bits with it.
func TestOCSPAgreesWithXCrypto(t *testing.T) {
	w := newWorld(t)
	request, err := MarshalRequest(w.end.Certificate, w.ca.Certificate, crypto.SHA256, nil)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ocsp.CreateRequest(w.end.X509, w.ca.X509, &ocsp.RequestOptions{Hash: crypto.SHA256})
	if err != nil || !bytes.Equal(request, theirs) {
		t.Errorf("requests differ: %x, %x, %v", request, theirs, err)
	}
	if withNonce, err := MarshalRequest(w.end.Certificate, w.ca.Certificate, crypto.SHA1, []byte("nonce")); err != nil {
		t.Error(err)
	} else if _, err := ocsp.ParseRequest(withNonce); err != nil {
		t.Error(err)
	}
	a := w.good([]byte("nonce"))
	revoke(Now.AddDate(0, -1, 0))(a)
	read, err := ocsp.ParseResponseForCert(w.sign(a, w.responder.Key), w.end.X509, w.ca.X509)
	if err != nil || read.Status != ocsp.Revoked || read.RevocationReason != ocsp.KeyCompromise || !read.RevokedAt.Equal(Now.AddDate(0, -1, 0)) {
		t.Errorf("%+v, %v", read, err)
	}
	made, err := ocsp.CreateResponse(w.ca.X509, w.responder.X509, ocsp.Response{
		Status: ocsp.Good, SerialNumber: w.end.X509.SerialNumber, ThisUpdate: Now.Add(-time.Minute), NextUpdate: Now.Add(time.Hour), Certificate: w.responder.X509,
	}, w.responder.Key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseResponse(made)
	if err != nil {
		t.Fatal(err)
	}
	r.ProducedAt = Now // theirs is the clock's
	if _, err := w.check(Config{Responses: []*Response{r}}); err != nil {
		t.Error(err)
	}
}
