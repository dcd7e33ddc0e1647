package api_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
	"github.com/assent-sign/assent/signapp"
	"github.com/assent-sign/assent/workers"
)

// person is a signer with a real key and certificate.
type person struct {
	id   string
	key  *ecdsa.PrivateKey
	cred sapclient.Credential
}

func newPerson(t testing.TB, id string, now time.Time) *person {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(0xABC), Subject: pkix.Name{CommonName: id, Country: []string{"EE"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(365 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &person{id: id, key: key, cred: sapclient.Credential{Key: "key-" + id + "-" + rand.Text()[:8], Signer: id, KeyType: string(algo.P256),
		Algs: []string{"ES256"}, State: "active", Carrier: "webauthn", Chain: [][]byte{der}, Raw: true, Assurance: sap.AssuranceDevelopment, Created: now.Unix()}}
}

// app is the signing application as the front doors may use it: strict about
// owners, states and inputs, with a signer who approves when the test says so.
type app struct {
	mu      sync.Mutex
	clock   clock.Clock
	people  map[string]*person
	docs    map[string]*fakeDocument
	ops     map[string]*signapp.Operation
	results map[string][]byte // operation/item
	changed chan struct{}
	creates int
	fail    error // returned by everything when set
	n       int
}

type fakeDocument struct {
	owner string
	body  []byte
	signapp.Document
}

func newApp(c clock.Clock, people ...*person) *app {
	a := &app{clock: c, people: map[string]*person{}, docs: map[string]*fakeDocument{}, ops: map[string]*signapp.Operation{}, results: map[string][]byte{}, changed: make(chan struct{})}
	for _, p := range people {
		a.people[p.id] = p
	}
	return a
}

func (a *app) id(prefix string) string {
	a.n++
	return fmt.Sprintf("%s-%d-%s", prefix, a.n, rand.Text())
}

func (a *app) Upload(_ context.Context, c signapp.Client, name string, r io.Reader) (*signapp.Document, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", signapp.ErrUnavailable, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.fail != nil:
		return nil, a.fail
	case c.ID == "" || c.Name == "":
		return nil, errors.New("fake: no client")
	case !sap.Displayable(name) || name == "":
		return nil, fmt.Errorf("%w: the document needs a name", signapp.ErrInput)
	case !bytes.HasPrefix(body, []byte("%PDF-")):
		return nil, fmt.Errorf("%w: not a PDF", workers.ErrInput)
	}
	sum := sha256.Sum256(body)
	d := &fakeDocument{owner: c.ID, body: body, Document: signapp.Document{ID: a.id("doc"), Name: name, Size: int64(len(body)), SHA256: sum[:],
		Created: a.clock.Now(), Expires: a.clock.Now().Add(time.Hour)}}
	a.docs[d.ID] = d
	return &d.Document, nil
}

func (a *app) Create(_ context.Context, c signapp.Client, n signapp.NewOperation) (*signapp.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return nil, a.fail
	}
	p, ok := a.people[n.Signer]
	if !ok || n.Key != "" && n.Key != p.cred.Key || p.cred.State != "active" {
		return nil, fmt.Errorf("%w: the signer has no such key that is active", signapp.ErrInput)
	}
	if c.ID == "" || !sap.Displayable(n.Purpose) || len(n.Items) == 0 || n.Lifetime < 0 {
		return nil, fmt.Errorf("%w: not displayable or empty", signapp.ErrInput)
	}
	if n.Alg != "" && n.Alg != "ES256" {
		return nil, fmt.Errorf("%w: the key signs with ES256", signapp.ErrInput)
	}
	if n.ReturnURL != "" && !strings.HasPrefix(n.ReturnURL, "http") {
		return nil, fmt.Errorf("%w: return_url", signapp.ErrInput)
	}
	op := &signapp.Operation{ID: a.id("op"), Client: c, Signer: n.Signer, Key: p.cred.Key, Alg: "ES256", Level: n.Level, Purpose: n.Purpose,
		State: signapp.StatePrepared, ReturnURL: n.ReturnURL, Created: a.clock.Now(), Expires: a.clock.Now().Add(max(n.Lifetime, time.Minute)),
		ApprovalURL: "http://app.test/approve/" + rand.Text()}
	for i, it := range n.Items {
		item, err := a.item(c, p, it)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		op.Items = append(op.Items, *item)
	}
	a.creates++
	a.ops[op.ID] = op
	return copyOf(op), nil
}

func copyOf(op *signapp.Operation) *signapp.Operation {
	out := *op
	out.Items, out.Signatures = slices.Clone(op.Items), slices.Clone(op.Signatures)
	return &out
}

func (a *app) item(c signapp.Client, p *person, it signapp.NewItem) (*signapp.Item, error) {
	if it.Document == "" {
		if len(it.Digest) != 32 || it.Worker != "" || it.Name == "" || !p.cred.Raw {
			return nil, fmt.Errorf("%w: digest, name or permission", signapp.ErrInput)
		}
		return &signapp.Item{Name: it.Name, Kind: sap.KindRaw, Prepared: &workers.Prepared{Kind: sap.KindRaw, DTBSR: it.Digest}}, nil
	}
	d, ok := a.docs[it.Document]
	if !ok || d.owner != c.ID {
		return nil, signapp.ErrNotFound
	}
	if it.Worker != "pades" {
		return nil, fmt.Errorf("%w: %q", workers.ErrNotFound, it.Worker)
	}
	sum := sha256.Sum256(append([]byte("signed attributes over "), d.SHA256...))
	return &signapp.Item{Name: d.Name, Kind: sap.KindPAdES, Worker: it.Worker, Size: d.Size, Prepared: &workers.Prepared{Kind: sap.KindPAdES, DTBSR: sum[:]}}, nil
}

func (a *app) get(c signapp.Client, id string) (*signapp.Operation, error) {
	if a.fail != nil {
		return nil, a.fail
	}
	op, ok := a.ops[id]
	if !ok || op.Client.ID != c.ID {
		return nil, signapp.ErrNotFound
	}
	out := copyOf(op)
	out.ApprovalURL = ""
	return out, nil
}

func (a *app) Get(_ context.Context, c signapp.Client, id string) (*signapp.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.get(c, id)
}

func (a *app) Wait(ctx context.Context, c signapp.Client, id string) (*signapp.Operation, error) {
	for {
		a.mu.Lock()
		op, err := a.get(c, id)
		changed := a.changed
		a.mu.Unlock()
		if err != nil || op.State.Terminal() {
			return op, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return op, nil
		}
	}
}

func (a *app) Cancel(_ context.Context, c signapp.Client, id string) (*signapp.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.get(c, id); err != nil {
		return nil, err
	}
	if a.ops[id].State.Terminal() {
		return nil, fmt.Errorf("%w: the operation is %s", signapp.ErrState, a.ops[id].State)
	}
	a.move(id, signapp.StateCancelled)
	return a.get(c, id)
}

func (a *app) DeleteDocument(_ context.Context, c signapp.Client, id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d, ok := a.docs[id]; !ok || d.owner != c.ID {
		return signapp.ErrNotFound
	}
	delete(a.docs, id)
	return nil
}

func (a *app) DeleteResult(_ context.Context, c signapp.Client, id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	op, err := a.get(c, id)
	if err == nil && !op.State.Terminal() {
		err = signapp.ErrState
	}
	if err != nil {
		return err
	}
	for i := range op.Items {
		a.results[fmt.Sprintf("%s/%d", id, i)] = nil
	}
	return nil
}

func (a *app) move(id string, s signapp.State) {
	a.ops[id].State = s
	close(a.changed)
	a.changed = make(chan struct{})
}

// approve signs an operation with the signer's key.
func (a *app) approve(t testing.TB, id string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	op := a.ops[id]
	for i, it := range op.Items {
		sig, err := ecdsa.SignASN1(rand.Reader, a.people[op.Signer].key, it.Prepared.DTBSR)
		if err != nil {
			t.Fatal(err)
		}
		op.Signatures = append(op.Signatures, sig)
		if it.Kind != sap.KindRaw {
			body := []byte("%PDF-1.7 signed " + it.Name)
			a.results[fmt.Sprintf("%s/%d", id, i)] = body
			op.Items[i].Result = &workers.Result{Level: "B-B", Size: int64(len(body)), MIME: "application/pdf"}
		}
	}
	a.move(id, signapp.StateFinished)
}

func (a *app) end(id string, s signapp.State) { a.mu.Lock(); defer a.mu.Unlock(); a.move(id, s) }

// only returns the one operation that there is.
func (a *app) only(t testing.TB) *signapp.Operation {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ops) != 1 {
		t.Fatalf("%d operations, want 1", len(a.ops))
	}
	for _, op := range a.ops {
		return copyOf(op)
	}
	return nil
}

type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

func (a *app) Result(_ context.Context, c signapp.Client, id string, item int) (io.ReadSeekCloser, *signapp.Item, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	op, err := a.get(c, id)
	if err != nil {
		return nil, nil, err
	}
	body, ok := a.results[fmt.Sprintf("%s/%d", id, item)]
	if !ok {
		return nil, nil, signapp.ErrNotFound
	}
	if body == nil {
		return nil, nil, signapp.ErrExpired
	}
	return closer{bytes.NewReader(body)}, &op.Items[item], nil
}

func (a *app) Receipt(_ context.Context, c signapp.Client, id string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	op, err := a.get(c, id)
	if err != nil {
		return nil, err
	}
	if op.State != signapp.StateFinished {
		return nil, signapp.ErrState
	}
	return []byte(`{"receipt":"` + id + `"}`), nil
}

func (a *app) Validate(_ context.Context, c signapp.Client, document, worker string, parts []string, beside ...signapp.Beside) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range beside {
		if d, ok := a.docs[b.Document]; !ok || d.owner != c.ID {
			return nil, signapp.ErrNotFound
		}
	}
	switch d, ok := a.docs[document]; {
	case a.fail != nil:
		return nil, a.fail
	case !ok || d.owner != c.ID:
		return nil, signapp.ErrNotFound
	case worker != "check":
		return nil, fmt.Errorf("%w: worker %q does not validate", signapp.ErrInput, worker)
	default:
		return fmt.Appendf(nil, `{"file":%q,"parts":%q}`, d.Name, strings.Join(parts, ",")), nil
	}
}

func (a *app) Credentials(_ context.Context, signer string) ([]sapclient.Credential, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return nil, a.fail
	}
	if p, ok := a.people[signer]; ok {
		return []sapclient.Credential{p.cred}, nil
	}
	return nil, nil
}

// fakePortal logs a browser in by a plain cookie.
type fakePortal struct{ tickets int }

func (*fakePortal) SignerOf(r *http.Request) (string, bool) {
	c, err := r.Cookie("fake_login")
	if err != nil {
		return "", false
	}
	return c.Value, true
}

func (*fakePortal) LoginURL(next string) string { return "/login?next=" + url.QueryEscape(next) }

func (p *fakePortal) ApprovalTicketURL(_ context.Context, r *http.Request, opID string) (string, error) {
	if _, ok := p.SignerOf(r); !ok {
		return "", errors.New("fake: nobody is logged in")
	}
	p.tickets++
	return fmt.Sprintf("http://signing.test/#op=%s&ticket=%d", opID, p.tickets), nil
}
