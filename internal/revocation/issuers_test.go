package revocation

import (
	"bytes"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/assent-sign/assent/internal/cms"
	. "github.com/assent-sign/assent/internal/pkix/pkixtest"
)

// bundle is a CMS message with certificates only.
func bundle(t testing.TB, list ...[]byte) []byte {
	t.Helper()
	tag0 := cbasn1.Tag(0).ContextSpecific().Constructed()
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(cms.OIDSignedData)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(1)
				b.AddASN1(cbasn1.SET, func(*cryptobyte.Builder) {})
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(cms.OIDData) })
				b.AddASN1(tag0, func(b *cryptobyte.Builder) {
					for _, c := range list {
						b.AddBytes(c)
					}
				})
				b.AddASN1(cbasn1.SET, func(*cryptobyte.Builder) {})
			})
		})
	})
	return b.BytesOrPanic()
}

// ADE-03: a certificate and a bundle are read; only those of the issuer's name are given, from the first place that has one; an
// answer is kept for an hour; the guard, the bound and the kind of the answer are kept to.
func TestADE03IssuersAreFetched(t *testing.T) {
	asked := map[string]int{}
	answers := map[string][]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		b, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(b)
	}))
	t.Cleanup(server.Close)
	ca, other := Make(t, "issuing", nil, CA), Make(t, "other", nil, CA)
	end := func(paths ...string) *Entity {
		return Make(t, "end", ca, func(c *x509.Certificate) {
			for _, p := range paths {
				c.IssuingCertificateURL = append(c.IssuingCertificateURL, server.URL+p)
			}
		})
	}
	answers["/der"], answers["/bundle"] = ca.Raw, bundle(t, other.Raw, ca.Raw, []byte{0x30, 0})
	answers["/other"], answers["/none"], answers["/text"] = other.Raw, bundle(t), []byte("-----BEGIN CERTIFICATE-----")
	answers["/large"], answers["/many"] = make([]byte, MaxIssuers+1), bundle(t, bytes.Split(bytes.Repeat(append(bytes.Clone(ca.Raw), "|||"...), 21), []byte("|||"))...)
	now := time.Now()
	i := &Issuers{Fetcher: &Fetcher{Guard: Guard{Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}, Now: func() time.Time { return now }}
	for _, c := range []struct {
		places []string
		good   bool
		why    string
	}{
		{nil, false, ""}, {[]string{"/der"}, true, ""}, {[]string{"/bundle"}, true, ""}, {[]string{"/missing", "/other", "/der"}, true, ""},
		{[]string{"/other"}, false, "no certificate of"}, {[]string{"/none"}, false, "none can be read"}, {[]string{"/text"}, false, "neither a certificate"},
		{[]string{"/large"}, false, "limit exceeded"}, {[]string{"/many"}, false, "21 certificates"}, {[]string{"/1", "/2", "/3", "/4", "/der"}, false, "404"},
	} {
		got, err := i.Of(t.Context(), end(c.places...).Certificate)
		if good := len(got) == 1 && bytes.Equal(got[0].Raw, ca.Raw); good != c.good || !good && (err == nil) != (c.why == "") || c.why != "" && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%v: %v %v", c.places, got, err)
		}
	}
	was := asked["/der"]
	if _, err := i.Of(t.Context(), end("/der").Certificate); err != nil || asked["/der"] != was {
		t.Errorf("asked again: %v", err)
	}
	if now = now.Add(2 * time.Hour); true {
		if _, err := i.Of(t.Context(), end("/der").Certificate); err != nil || asked["/der"] != was+1 {
			t.Errorf("kept for too long: %v", err)
		}
	}
	guarded := &Issuers{Fetcher: &Fetcher{}}
	if _, err := guarded.Of(t.Context(), end("/der").Certificate); !errors.Is(err, ErrAddress) {
		t.Errorf("this machine: %v", err)
	}
}

// FuzzIssuers: any octets are certificates or an error, within the bounds.
func FuzzIssuers(f *testing.F) {
	ca := Make(f, "issuing", nil, CA)
	f.Add(ca.Raw)
	f.Add(bundle(f, ca.Raw, ca.Raw))
	f.Add(bundle(f))
	f.Fuzz(func(t *testing.T, in []byte) {
		list, err := ParseIssuers(in)
		if err != nil {
			if !errors.Is(err, ErrIssuers) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if len(list) == 0 || len(list) > maxIssuersOf {
			t.Fatalf("%d certificates", len(list))
		}
		for _, c := range list {
			if !bytes.Contains(in, c.Raw) {
				t.Fatal("a certificate that is not in the answer")
			}
		}
	})
}
