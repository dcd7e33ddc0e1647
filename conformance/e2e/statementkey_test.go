package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp/signer/browsertest"
)

// chain is the answer that the signer's app gets for the module's successions.
type chain struct {
	Successions []sap.SignedSuccession `json:"successions"`
}

// teller stands before ssad at the application's address and can change what it tells of
// the module's keys; everything else passes.
type teller struct {
	lie   atomic.Pointer[func(chain) chain]
	asked atomic.Int64
}

// before puts the teller at ssad's address; ssad listens somewhere else.
func (l *teller) before(t testing.TB) func(*system) {
	return func(s *system) {
		front := strings.TrimPrefix(s.app, "http://localhost:")
		behind := freePorts(t, 1)[0]
		at := &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", behind)}
		s.edit("ssad/ssad.yaml", "\nlisten: \"127.0.0.1:"+front+"\"\n", "\nlisten: \""+at.Host+"\"\n")
		proxy := &httputil.ReverseProxy{
			Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(at); r.Out.Host = r.In.Host },
			ModifyResponse: l.change,
			ErrorLog:       log.New(io.Discard, "", 0), // of requests before ssad is up
		}
		srv := httptest.NewUnstartedServer(proxy)
		must(t, srv.Listener.Close())
		l, err := net.Listen("tcp", "127.0.0.1:"+front)
		must(t, err)
		srv.Listener = l
		srv.Start()
		t.Cleanup(srv.Close)
	}
}

func (l *teller) change(res *http.Response) error {
	if res.Request.URL.Path != "/sap/v1/successions" {
		return nil
	}
	l.asked.Add(1)
	lie := l.lie.Load()
	if lie == nil {
		return nil
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var c chain
	if err := json.Unmarshal(body, &c); err != nil {
		return err
	}
	if body, err = json.Marshal((*lie)(c)); err != nil {
		return err
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// forged replaces the last succession by one of somebody's own key: in the module's words,
// with a proof of possession, and signed by that key where the old one's signature belongs.
func forged(t testing.TB) func(chain) chain {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	spki, err := x509.MarshalPKIXPublicKey(own.Public())
	must(t, err)
	id, err := sap.KeyID(&own.PublicKey)
	must(t, err)
	return func(c chain) chain {
		last := &c.Successions[len(c.Successions)-1]
		s, err := last.Open()
		must(t, err)
		s.New, s.Public = id, sap.B64(spki)
		text, err := jcs.Marshal(s)
		must(t, err)
		signature, err := sap.Sign(own, sap.LabelSuccession, text)
		must(t, err)
		proof, err := sap.Sign(own, sap.LabelSuccessionProof, text)
		must(t, err)
		*last = sap.SignedSuccession{Statement: sap.B64(text), Signature: sap.B64(signature), Proof: sap.B64(proof)}
		return c
	}
}

// lies are what an application can tell instead of the truth.
func lies(t testing.TB) map[string]func(chain) chain {
	return map[string]func(chain) chain{
		"kept back":              func(chain) chain { return chain{[]sap.SignedSuccession{}} },
		"the last one kept back": func(c chain) chain { return chain{c.Successions[:1]} },
		"one left out":           func(c chain) chain { return chain{c.Successions[1:]} },
		"forged":                 forged(t),
		"in another order": func(c chain) chain {
			c.Successions[0], c.Successions[1] = c.Successions[1], c.Successions[0]
			return c
		},
		"signature exchanged": func(c chain) chain {
			c.Successions[1].Signature = c.Successions[0].Signature
			return c
		},
	}
}

// rotateStatementKey has the two officers change the module's statement key.
func (s *system) rotateStatementKey() {
	s.t.Helper()
	id := strings.TrimSpace(s.stdout("statement-key", "rotate", "--why", "a test", "--dir", s.dir))
	if out, err := s.try("officer", "approve", id, "--dir", s.dir); err == nil {
		s.t.Fatalf("a new statement key by one officer alone:\n%s", out)
	}
	s.run("officer", "approve", id, "--as", "second_officer", "--dir", s.dir)
}

// KPR-06: the module's statement key changes, twice, while people sign. Their app pins the
// first key, as the signing origin does that nobody touches; it goes on signing, also the
// request that lay open when the key changed. An application that keeps the change back,
// or tells of another key, is stopped before the passkey, and no key is used; its receipts
// and its signatures verify as they did.
func TestKPR06BrowserAcrossChangesOfTheStatementKey(t *testing.T) {
	var l teller
	s := newSystemWith(t, l.before(t))
	pinned := s.text("sicd/sam-statement.pem")
	p := s.person(browsertest.New(t), "anna", "Anna Example")
	sign := func(words string, open func()) {
		t.Helper()
		file, original := document(t, words)
		out := filepath.Join(t.TempDir(), "signed.pdf")
		link, wait := s.request("anna", file, out)
		p.Go(link)
		p.WaitFor(canSign)
		open()
		p.Click("#sign")
		p.WaitFor("document.querySelector('#signed')")
		must(t, wait())
		signed, err := os.ReadFile(out)
		if err != nil || !bytes.HasPrefix(signed, original) {
			t.Fatalf("%s: %v", words, err)
		}
		s.judge(signed)
	}
	sign("Before the change", func() {})
	if n := l.asked.Load(); n != 0 {
		t.Errorf("asked %d times for a chain that nobody needs", n)
	}
	sign("Open while it changes", s.rotateStatementKey)
	sign("After the change", func() {})
	s.rotateStatementKey()

	sign("Lied about, then not", func() {
		for name, lie := range lies(t) {
			before, asked := s.uses(), l.asked.Load()
			l.lie.Store(&lie)
			p.Reload()
			p.WaitFor("document.querySelector('#stop')")
			if code := browsertest.Eval[string](p, "document.querySelector('#stop').dataset.code"); code != "request" {
				t.Errorf("%s: stopped for %s", name, code)
			}
			if gets, _ := p.Ceremonies(); gets != 0 || s.uses() != before || l.asked.Load() == asked {
				t.Errorf("%s: the passkey was asked %d times, key uses %s to %s, %d times asked", name, gets, before, s.uses(), l.asked.Load()-asked)
			}
		}
		l.lie.Store(nil)
		p.Reload()
		p.WaitFor(canSign)
	})
	if s.text("sicd/sam-statement.pem") != pinned {
		t.Error("the signing origin pins another key than at the beginning")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
