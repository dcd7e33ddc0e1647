package apptest

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/signapp"
)

// ErrDead is what a dead store answers.
var ErrDead = errors.New("apptest: the process is dead")

// Rig is a service over a directory, with its fakes, that can die and come
// back.
type Rig struct {
	T       testing.TB
	Dir     string
	Clock   *clock.Fake
	Module  *Module
	Paper   *Worker
	Config  signapp.Config // what the next start uses
	OpenDB  func(path string) (signapp.Store, error)
	Service *signapp.Service
	Store   *Mortal
}

// NewRig starts a service for the signers anna and ben. open opens the store
// in a directory.
func NewRig(t testing.TB, open func(path string) (signapp.Store, error), change func(*signapp.Config)) *Rig {
	t.Helper()
	c := clock.NewFake(time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC))
	r := &Rig{T: t, Dir: t.TempDir(), Clock: c, Module: NewModule(t, c, "anna", "ben"), Paper: &Worker{}, OpenDB: open}
	r.Config = signapp.Config{Dir: filepath.Join(r.Dir, "files"), Module: r.Module, Workers: Workers{Paper: r.Paper},
		StatementKey: &r.Module.Statement.PublicKey, AppOrigin: AppOrigin, SigningOrigin: SigningOrigin, Clock: c,
		Limits: signapp.Limits{MinFree: 1}}
	if change != nil {
		change(&r.Config)
	}
	r.Start()
	t.Cleanup(r.Stop)
	return r
}

// Start opens the service again over what is on disk.
func (r *Rig) Start() {
	r.T.Helper()
	db, err := r.OpenDB(filepath.Join(r.Dir, "app.db"))
	if err != nil {
		r.T.Fatal(err)
	}
	r.Store = &Mortal{db: db}
	r.Config.Store = r.Store
	if r.Service, err = signapp.Open(context.Background(), r.Config); err != nil {
		r.T.Fatal(err)
	}
}

// Stop ends the service in order.
func (r *Rig) Stop() {
	if r.Service != nil {
		_ = r.Service.Close()
		_ = r.Store.db.Close()
		r.Service = nil
	}
}

// Restart is a kill (nothing more reaches the disk) and a new start.
func (r *Rig) Restart() {
	r.T.Helper()
	r.Store.Kill()
	r.Stop()
	r.Start()
}

// Mortal is a store that can die at a commit: just before it, so that nothing
// of it exists, or just after it, so that it exists and nobody was told.
type Mortal struct {
	db      signapp.Store
	mu      sync.Mutex
	dead    bool
	left    int // Updates until death; 0: none planned
	after   bool
	updates int
}

// Kill makes every further call fail.
func (m *Mortal) Kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

// DieAt plans death at the n-th Update from now (1 is the next).
func (m *Mortal) DieAt(n int, afterCommit bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.after = n, afterCommit
}

// Updates counts the updates so far.
func (m *Mortal) Updates() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.updates
}

// Dead tells whether the planned death has happened.
func (m *Mortal) Dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// View implements signapp.Store.
func (m *Mortal) View(ctx context.Context, f func(signapp.Tx) error) error {
	if m.Dead() {
		return ErrDead
	}
	return m.db.View(ctx, f)
}

// Update implements signapp.Store.
func (m *Mortal) Update(ctx context.Context, f func(signapp.Tx) error) error {
	m.mu.Lock()
	if m.dead {
		m.mu.Unlock()
		return ErrDead
	}
	m.updates++
	last := m.left == 1
	if m.left > 0 {
		m.left--
	}
	if last && !m.after {
		m.dead = true
		m.mu.Unlock()
		return ErrDead
	}
	m.mu.Unlock()
	err := m.db.Update(ctx, f)
	if last {
		m.Kill()
		return ErrDead
	}
	return err
}

// Close implements signapp.Store.
func (m *Mortal) Close() error { return m.db.Close() }

// Acme and Other are two integrators.
var (
	Acme  = signapp.Client{ID: "acme", Name: "Acme Ltd"}
	Other = signapp.Client{ID: "other", Name: "Other GmbH"}
)

// Login is a login session of a signer.
func Login(signer, name string) signapp.Session {
	return signapp.Session{Signer: signer, ID: signapp.HashSecret(name)}
}

// Upload stores a document of Acme.
func (r *Rig) Upload(text string) *signapp.Document {
	r.T.Helper()
	d, err := r.Service.Upload(context.Background(), Acme, "contract.pdf", strings.NewReader(text))
	if err != nil {
		r.T.Fatal(err)
	}
	return d
}

// Create makes an operation of Acme for a signer over fresh documents.
func (r *Rig) Create(signer string, texts ...string) *signapp.Operation {
	r.T.Helper()
	n := signapp.NewOperation{Signer: signer, Purpose: "Lease 7"}
	for _, t := range texts {
		n.Items = append(n.Items, signapp.NewItem{Document: r.Upload(t).ID, Worker: "paper"})
	}
	op, err := r.Service.Create(context.Background(), Acme, n)
	if err != nil {
		r.T.Fatal(err)
	}
	return op
}

// Open opens an operation in a session, as the signer's app does.
func (r *Rig) Open(sess signapp.Session, op string) (signapp.Grant, *signapp.View) {
	r.T.Helper()
	ticket, err := r.Service.Ticket(context.Background(), sess, op)
	if err != nil {
		r.T.Fatal(err)
	}
	token, v, err := r.Service.OpenSession(context.Background(), sess, ticket)
	if err != nil {
		r.T.Fatal(err)
	}
	return signapp.Grant{Session: sess, Token: token, Operation: op}, v
}

// Approve gets an activation request and lets the signer's device approve it.
func (r *Rig) Approve(g signapp.Grant, v *signapp.View) (sad, proof []byte) {
	r.T.Helper()
	return r.Module.Device(g.Session.Signer).Approve(r.T, v, r.Request(g))
}

// Request gets an activation request.
func (r *Rig) Request(g signapp.Grant) sap.Signed {
	r.T.Helper()
	req, err := r.Service.RequestActivation(context.Background(), g)
	if err != nil {
		r.T.Fatal(err)
	}
	return *req
}

// Await waits until Acme's operation has ended.
func (r *Rig) Await(op string) *signapp.Operation {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	o, err := r.Service.Wait(ctx, Acme, op)
	if err != nil {
		r.T.Fatal(err)
	}
	if !o.State.Terminal() {
		r.T.Fatalf("operation is still %s", o.State)
	}
	return o
}

// ReadAll reads and closes a result.
func ReadAll(t testing.TB, f io.ReadSeekCloser, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
