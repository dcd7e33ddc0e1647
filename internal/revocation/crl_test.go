package revocation

import (
	"bytes"
	"crypto"
	"crypto/x509"
	xpkix "crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/pkix"
	. "github.com/assent-sign/assent/internal/pkix/pkixtest"
)

// What PKITS does not say about lists: times that matter for a signature, and
// authorities that lie.
func TestWhatAListMustSay(t *testing.T) {
	w := newWorld(t)
	namesake := Make(t, "issuing", Make(t, "root", nil, CA), CA)
	mayNot := Make(t, "issuing", w.root, func(c *x509.Certificate) { CA(c); c.KeyUsage = x509.KeyUsageCertSign })
	critical := func(l *x509.RevocationList) {
		l.ExtraExtensions = []xpkix.Extension{{Id: []int{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
	}
	for name, c := range map[string]struct {
		list *CRL
		cfg  Config
		want error
	}{
		"good":                         {w.list(w.ca, nil), Config{}, nil},
		"revoked":                      {w.list(w.ca, nil, w.end), Config{}, ErrRevoked},
		"revoked later than it counts": {w.list(w.ca, nil, w.end), Config{Existed: Now.AddDate(0, 0, -2)}, nil},
		"another is revoked":           {w.list(w.ca, nil, w.responder), Config{}, nil},
		"of another key":               {w.list(namesake, nil), Config{}, ErrSignature},
		"of an authority that may not": {w.list(mayNot, nil), Config{Pool: Pool(mayNot)}, ErrUnauthorized},
		"of a stranger's namesake":     {w.list(namesake, nil), Config{Pool: Pool(namesake)}, ErrUnauthorized},
		"no longer current":            {w.list(w.ca, func(l *x509.RevocationList) { l.NextUpdate = Now.Add(-time.Second) }), Config{}, ErrStale},
		"of the future":                {w.list(w.ca, func(l *x509.RevocationList) { l.ThisUpdate = Now.Add(time.Minute) }), Config{}, ErrFuture},
		"of before the signature":      {w.list(w.ca, nil), Config{After: Now}, ErrTooEarly},
		"revoked before the signature": {w.list(w.ca, nil, w.end), Config{After: Now}, ErrRevoked},
		"critical extension":           {w.list(w.ca, critical), Config{}, ErrCritical},
		"for another place":            {w.list(w.ca, place("http://list.example/b.crl")), Config{}, ErrUndetermined},
		"for its place":                {w.list(w.ca, place(w.url+"/a.crl")), Config{}, nil},
	} {
		c.cfg.CRLs = []*CRL{c.list}
		_, err := w.check(c.cfg)
		if !errors.Is(err, c.want) || (c.want != nil && !errors.Is(c.want, ErrRevoked) && !errors.Is(err, ErrUndetermined)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The latest list counts: a certificate that an older one has on hold and the
// newer does not have is good, and the other way round it is revoked.
func TestTheLatestListCounts(t *testing.T) {
	w := newWorld(t)
	older := func(l *x509.RevocationList) { l.ThisUpdate, l.Number = Now.Add(-time.Hour), big.NewInt(4) }
	held := []*CRL{w.list(w.ca, older, w.end), w.list(w.ca, nil)}
	fresh := []*CRL{w.list(w.ca, older), w.list(w.ca, nil, w.end)}
	for range 2 {
		if _, err := w.check(Config{CRLs: held}); err != nil {
			t.Error(err)
		}
		if _, err := w.check(Config{CRLs: fresh}); !errors.Is(err, ErrRevoked) {
			t.Error(err)
		}
		slices.Reverse(held)
		slices.Reverse(fresh)
	}
}

// OCSP is asked first and lists when it does not decide; what was fetched says
// where from, is kept until it is due, and is not kept beyond what it is wanted for.
func TestSourcesInOrderAndTheCache(t *testing.T) {
	w := newWorld(t)
	f := w.fetcher()
	f.Cache = &Cache{}
	w.answerWith(func([]byte) []byte { return refuse(3) })
	w.serveList(w.list(w.ca, nil))
	got, err := w.check(Config{Fetcher: f})
	if asked := w.asked(); err != nil || !slices.Equal(sources(got), []string{w.url + "/a.crl"}) || !slices.Equal(asked, []string{"POST /ocsp", "GET /a.crl"}) {
		t.Fatalf("%v, %v, %v", sources(got), asked, err)
	}
	_, err = w.check(Config{Fetcher: f})
	if asked := w.asked(); err != nil || !slices.Equal(asked, []string{"POST /ocsp"}) {
		t.Errorf("the kept list: %v, %v", asked, err)
	}
	w.answerWith(func(n []byte) []byte { return w.sign(w.good(n), w.responder.Key) })
	for range 2 {
		if got, err = w.check(Config{Fetcher: f}); err != nil || !slices.Equal(sources(got), []string{w.url + "/ocsp"}) {
			t.Errorf("%v, %v", sources(got), err)
		}
	}
	if asked := w.asked(); !slices.Equal(asked, []string{"POST /ocsp"}) {
		t.Errorf("asked %v: a verified answer is kept until it is due", asked)
	}
	_, err = w.check(Config{Fetcher: f, After: Now})
	if asked := w.asked(); !errors.Is(err, ErrTooEarly) || !slices.Equal(asked, []string{"POST /ocsp", "GET /a.crl"}) {
		t.Errorf("wanted later than what is kept: %v, %v", asked, err)
	}
	if _, err = w.check(Config{Fetcher: f, At: Now.Add(2 * time.Hour)}); !errors.Is(err, ErrStale) || f.Cache.Len() != 0 {
		t.Errorf("due: %v, %d kept", err, f.Cache.Len())
	}
}

// A list does not make good what the responder does not know, at hand or fetched; it
// still makes it revoked, and a responder that knows it makes it good.
func TestUnknownIsNotGoodByAList(t *testing.T) {
	w := newWorld(t)
	a := w.good(nil)
	a.singles[0].status = statusUnknown
	unknown, good := w.response(a, w.responder.Key), w.response(w.good(nil), w.responder.Key)
	empty, revoked := w.list(w.ca, nil), w.list(w.ca, nil, w.end)
	for name, c := range map[string]struct {
		cfg  Config
		want error
	}{
		"list without it": {Config{Responses: []*Response{unknown}, CRLs: []*CRL{empty}}, ErrNotGood},
		"list with it":    {Config{Responses: []*Response{unknown}, CRLs: []*CRL{revoked}}, ErrRevoked},
		"known as well":   {Config{Responses: []*Response{unknown, good}, CRLs: []*CRL{empty}}, nil},
	} {
		if _, err := w.check(c.cfg); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.answerWith(func(n []byte) []byte { a.nonce = n; return w.sign(a, w.responder.Key) })
	w.serveList(empty)
	if _, err := w.check(Config{Fetcher: w.fetcher()}); !errors.Is(err, ErrNotGood) {
		t.Errorf("fetched: %v", err)
	}
}

// A revoked certificate is revoked whichever source says so first.
func TestAFetchedListRevokes(t *testing.T) {
	w := newWorld(t)
	w.serveList(w.list(w.ca, nil, w.end))
	if _, err := w.check(Config{Fetcher: w.fetcher()}); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
}

// What is no list, too large a one, and one behind redirects.
func TestAFailingListServer(t *testing.T) {
	w := newWorld(t)
	good := w.list(w.ca, nil)
	hops := 0
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  error
	}{
		"is refused for nonsense":       {func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>")) }, ErrMalformed},
		"is refused for its size":       {func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(bytes.Repeat(good.Raw, 100)) }, ErrLimit},
		"is refused for a missing list": {func(rw http.ResponseWriter, r *http.Request) { http.NotFound(rw, r) }, ErrUnavailable},
		"is not followed in circles":    {func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/a.crl", http.StatusFound) }, ErrAddress},
		"is not followed to a file": {func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "file:///etc/passwd", http.StatusFound)
		}, ErrAddress},
		"is followed once": {func(rw http.ResponseWriter, r *http.Request) {
			if hops++; hops == 1 {
				http.Redirect(rw, r, "/a.crl", http.StatusFound)
				return
			}
			_, _ = rw.Write(good.Raw)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w.crl = c.serve
			f := w.fetcher()
			f.MaxCRL = int64(len(good.Raw)) * 50
			if _, err := w.check(Config{Fetcher: f}); !errors.Is(err, c.want) {
				t.Error(err)
			}
		})
	}
}

// Certificates choose the addresses that are asked: by default none of them leads
// into the own network, whatever its name, and a list of hosts limits them further.
func TestTheGuardKeepsInside(t *testing.T) {
	w := newWorld(t)
	w.serveList(w.list(w.ca, nil))
	for name, f := range map[string]*Fetcher{
		"loopback by default":         {},
		"host that is not listed":     {Guard: Guard{Hosts: []string{"crl.example", ".example.com"}, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}},
		"address that is not allowed": {Guard: Guard{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
	} {
		_, err := w.check(Config{Fetcher: f})
		if asked := w.asked(); !errors.Is(err, ErrAddress) || len(asked) != 0 {
			t.Errorf("%s: %v, asked %v", name, err, asked)
		}
	}
	var g Guard
	for _, a := range []string{"127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255",
		"::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "fe80::1%eth0",
		"fec0::1", "::127.0.0.1", "::10.0.0.1", "100::1", "64:ff9b:1::a00:1", "5f00::1", "::ffff:0:127.0.0.1", "::ffff:0:10.0.0.1"} {
		if g.Allows(netip.MustParseAddr(a)) {
			t.Errorf("%s is allowed", a)
		}
	}
	for _, a := range []string{"8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"} {
		if !g.Allows(netip.MustParseAddr(a)) {
			t.Errorf("%s is not allowed", a)
		}
	}
	for _, u := range []string{"ldap://x.example/cn=a", "file:///etc/passwd", "http://", "http://user:secret@x.example/", "x", "http:x", "gopher://x.example/", "http://" + strings.Repeat("a", maxAddress)} {
		if _, err := g.parse(u); !errors.Is(err, ErrAddress) {
			t.Errorf("%.60s: %v", u, err)
		}
	}
	listed := Guard{Hosts: []string{"crl.example", ".example.com"}}
	for u, want := range map[string]error{"http://CRL.example:8080/a": nil, "https://a.b.example.com/": nil, "http://example.com/": ErrAddress, "http://crl.example.evil.test/": ErrAddress} {
		if _, err := listed.parse(u); !errors.Is(err, want) {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// I9: a certificate with very many places, and a pool with very many signers, cost
// no more than the bounds.
func TestExchangesAndSignaturesAreBounded(t *testing.T) {
	w := newWorld(t)
	w.end = Make(t, "end", w.ca, func(c *x509.Certificate) {
		for range 40 {
			c.OCSPServer = append(c.OCSPServer, w.url+"/ocsp?"+strings.Repeat("a", len(c.OCSPServer)))
			c.CRLDistributionPoints = append(c.CRLDistributionPoints, w.url+"/a.crl?"+strings.Repeat("a", len(c.CRLDistributionPoints)))
		}
	})
	_, err := w.check(Config{Fetcher: w.fetcher()})
	if asked := w.asked(); !errors.Is(err, ErrUndetermined) || len(asked) != 2*maxPlaces {
		t.Errorf("%d exchanges, %v", len(asked), err)
	}
	mallory := Make(t, "issuing", nil, CA)
	var pool []*pkix.Certificate
	for range maxSignatures + 10 {
		pool = append(pool, MakeKey(t, "issuing", nil, mallory.Key, CA).Certificate)
	}
	if _, err := w.check(Config{CRLs: []*CRL{w.list(Make(t, "issuing", nil, CA), nil)}, Pool: pool}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if _, err := New(Config{CRLs: make([]*CRL, maxStatements+1)}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
}

// The cache keeps within its bounds, what was used last longest.
func TestTheCacheIsBounded(t *testing.T) {
	c := &Cache{MaxBytes: 1000, MaxEntries: 5}
	put := func(key string, size int) { c.put(key, &cached{size: size, until: Now.Add(time.Hour)}) }
	for _, k := range []string{"a", "b", "c", "d", "e"} {
		put(k, 100)
	}
	if c.get("a", Now) == nil {
		t.Fatal("a is gone")
	}
	put("f", 100)
	if c.get("b", Now) != nil || c.get("a", Now) == nil || c.Len() != 5 {
		t.Error("entries: b was used least lately")
	}
	put("large", 251)
	if c.get("large", Now) != nil {
		t.Error("one statement takes more than a quarter")
	}
	for _, k := range []string{"g", "h", "i", "j"} {
		put(k, 250)
	}
	if c.bytes > 1000 || c.get("j", Now) == nil {
		t.Errorf("%d bytes", c.bytes)
	}
	if c.get("j", Now.Add(time.Hour)) != nil || (*Cache)(nil).get("j", Now) != nil {
		t.Error("due, or no cache")
	}
}

// The whole way: a responder that is asked over HTTP, with a nonce, in every hash,
// about good, revoked, unknown and foreign certificates.
func TestResponder(t *testing.T) {
	w := newWorld(t)
	records := map[string]Record{w.end.Serial: {}}
	r := &Responder{
		Issuer: w.ca.Certificate, Certificate: w.responder.Certificate, Key: w.responder.Key, Validity: time.Hour,
		Clock:  func() time.Time { return Now },
		Lookup: func(serial string) (Record, bool) { rec, ok := records[serial]; return rec, ok },
	}
	ask := func(h crypto.Hash) error {
		w.ocsp = func(rw http.ResponseWriter, req *http.Request) {
			in := new(bytes.Buffer)
			_, _ = in.ReadFrom(req.Body)
			rw.Header().Set("Content-Type", ocspResponseType)
			_, _ = rw.Write(r.Respond(in.Bytes()))
		}
		f := w.fetcher()
		f.Hash = h
		_, err := w.check(Config{Fetcher: f})
		return err
	}
	for _, h := range []crypto.Hash{0, crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		if err := ask(h); err != nil {
			t.Errorf("%v: %v", h, err)
		}
	}
	records[w.end.Serial] = Record{Revoked: true, At: Now.Add(-time.Hour), Reason: KeyCompromise}
	if err := ask(0); !errors.Is(err, ErrRevoked) {
		t.Error(err)
	}
	delete(records, w.end.Serial)
	if err := ask(0); !errors.Is(err, ErrNotGood) {
		t.Error(err)
	}
	r.Issuer = w.root.Certificate
	if err := ask(0); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	for _, in := range [][]byte{nil, {0x30, 0}, make([]byte, MaxRequest+1)} {
		if !bytes.Equal(r.Respond(in), refuse(1)) {
			t.Errorf("%d bytes are answered", len(in))
		}
	}
}

// pointOf is the extension CRLDistributionPoints that names another issuer of lists (RFC 5280, 4.2.1.13); indirect the IssuingDistributionPoint of its list.
func pointOf(t *testing.T, issuer *Entity) xpkix.Extension {
	t.Helper()
	wrap := func(tag byte, content []byte) []byte { return append([]byte{tag, byte(len(content))}, content...) }
	name := wrap(0xa2, wrap(0xa4, issuer.X509.RawSubject))
	return xpkix.Extension{Id: []int{2, 5, 29, 31}, Value: wrap(0x30, wrap(0x30, name))}
}

func indirect(l *x509.RevocationList) {
	l.ExtraExtensions = append(l.ExtraExtensions, xpkix.Extension{Id: []int{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 3, 0x84, 1, 0xff}})
}

// of has the first entry be about certificates of an authority (certificateIssuer, RFC 5280, 5.3.3).
func of(authority *Entity) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		indirect(l)
		raw := authority.X509.RawSubject
		value := append([]byte{0x30, byte(len(raw) + 2), 0xa4, byte(len(raw))}, raw...)
		for i := range l.RevokedCertificateEntries {
			l.RevokedCertificateEntries[i].ExtraExtensions = []xpkix.Extension{{Id: []int{2, 5, 29, 29}, Critical: true, Value: value}}
		}
	}
}

// RFC 5280, 6.3.3 (b)(1) and (f): a list of another issuer is one that the certificate's distribution point names, says that it is indirect, names whose certificates its
// entries are, and is signed under the same anchor by who was certified for that above the certificate. Another authority of the anchor, who certifies a key by that
// name, clears nobody; that something was revoked counts from there too.
func TestIndirectLists(t *testing.T) {
	w := newWorld(t)
	signs := func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }
	lister, mallory := Make(t, "lister", w.root, signs), Make(t, "mallory", w.root, CA)
	byMallory, other := Make(t, "lister", mallory, signs), Make(t, "another lister", w.root, signs)
	elsewhere := Make(t, "lister", Make(t, "root", nil, CA), signs)
	mute := Make(t, "lister", w.root, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
	end := Make(t, "end", w.ca, func(c *x509.Certificate) { c.ExtraExtensions = append(c.ExtraExtensions, pointOf(t, lister)) })
	plain := Make(t, "end", w.ca, nil)
	later := Config{Existed: Now.AddDate(0, 0, -2)}
	for name, c := range map[string]struct {
		end  *Entity
		list *CRL
		by   []*Entity
		cfg  Config
		want error
	}{
		"good, by the anchor's":              {end, w.list(lister, indirect), []*Entity{lister}, Config{}, nil},
		"revoked":                            {end, w.list(lister, of(w.ca), end), []*Entity{lister}, Config{}, ErrRevoked},
		"revoked later than it counts":       {end, w.list(lister, of(w.ca), end), []*Entity{lister}, later, nil},
		"an entry of another authority":      {end, w.list(lister, of(mallory), end), []*Entity{lister}, Config{}, nil},
		"an entry of nobody":                 {end, w.list(lister, indirect, end), []*Entity{lister}, Config{}, nil},
		"not said to be indirect":            {end, w.list(lister, nil), []*Entity{lister}, Config{}, ErrUndetermined},
		"of one whom nobody named":           {end, w.list(other, indirect), []*Entity{other}, Config{}, ErrUndetermined},
		"of a certificate that names nobody": {plain, w.list(lister, indirect), []*Entity{lister}, Config{}, ErrUndetermined},
		"of another anchor":                  {end, w.list(elsewhere, indirect), []*Entity{elsewhere}, Config{}, ErrUnauthorized},
		"by a key that may not":              {end, w.list(mute, indirect), []*Entity{mute}, Config{}, ErrUnauthorized},
		"good, by another authority's":       {end, w.list(byMallory, indirect), []*Entity{mallory, byMallory}, Config{}, ErrUnauthorized},
		"revoked, by another authority's":    {end, w.list(byMallory, of(w.ca), end), []*Entity{mallory, byMallory}, Config{}, ErrRevoked},
		"revoked later, by another's":        {end, w.list(byMallory, of(w.ca), end), []*Entity{mallory, byMallory}, later, ErrUnauthorized},
	} {
		c.cfg.At, c.cfg.Pool, c.cfg.CRLs = Now, Pool(c.by...), []*CRL{c.list, w.list(w.root, nil), w.list(mallory, nil)}
		k, err := New(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		path := &pkix.Path{Chain: []*pkix.Certificate{c.end.Certificate, w.ca.Certificate, w.root.Certificate}}
		if _, err := k.Check(t.Context(), path); !errors.Is(err, c.want) || c.want == nil && err != nil || errors.Is(err, ErrRevoked) != errors.Is(c.want, ErrRevoked) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
