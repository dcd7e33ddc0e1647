package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/cryptotoken/pkcs11/softhsm"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/device"
	"github.com/assent-sign/assent/sap/sapclient"
)

const (
	benchOrigin = "http://localhost:8441"
	benchRPID   = "localhost"
	benchPIN    = "bench-pin-1234"
	maxCallers  = 64
)

// benchActivation measures one activation through samd: mutual TLS, the SAD
// verified, two durable commits, the signature verified before release.
func benchActivation(ctx context.Context, c config) error {
	heading("Activation through samd (floor: verify SAD + sign + verify, P-256)")
	dir, err := os.MkdirTemp("", "assent-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	bin := filepath.Join(dir, "samd-bin")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/assent-sign/assent/cmd/samd").CombinedOutput(); err != nil {
		return fmt.Errorf("build samd: %w\n%s", err, out)
	}
	n := 3000
	if c.short {
		n = 300
	}
	if err := activationSoft(ctx, c, bin, filepath.Join(dir, "soft"), n); err != nil {
		return err
	}
	return activationHSM(ctx, c, bin, filepath.Join(dir, "hsm"), n)
}

func activationSoft(ctx context.Context, c config, bin, dir string, n int) error {
	s, err := startSite(ctx, bin, dir, "token: {driver: softtoken, dir: "+dir+"/token, pin_file: "+dir+"/pin, create: true}")
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Printf("\nsofttoken, %d activations each round; CPU of samd only. \"keyed\" is the floor with the wrapped key opened, as the token must\n", n/3)
	for _, callers := range []int{1, 8, 64} {
		err := s.measure(ctx, c, callers, n/3, func() ([]yardstick, error) {
			bare, err := floorCPU(1000, false)
			keyed, err2 := floorCPU(1000, true)
			return []yardstick{{"of the floor", bare, 0}, {"keyed", keyed, 0}}, errors.Join(err, err2)
		})
		if err != nil {
			return err
		}
	}
	return s.measureWhole(ctx, n)
}

func activationHSM(ctx context.Context, c config, bin, dir string, n int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	env, module, err := softhsm.Provision(filepath.Join(dir, "hsm"), "bench", benchPIN, "so-"+benchPIN)
	if errors.Is(err, softhsm.ErrMissing) {
		fmt.Printf("\nSoftHSM2: not measured: %v\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	cfg := pkcs11.Config{Name: "bench", Module: module, TokenLabel: "bench", PIN: []byte(benchPIN), Children: 2, Profile: "development", Development: true, Env: []string{env}}
	if err := pkcs11.Init(ctx, cfg); err != nil {
		return err
	}
	tok, err := pkcs11.Open(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = tok.Close() }()
	w, err := tok.GenerateWrapped(ctx, algo.P256)
	if err != nil {
		return err
	}
	s, err := startSite(ctx, bin, dir, fmt.Sprintf("token: {driver: pkcs11, module: %s, label: bench, pin_file: %s/pin, children: 2, development: true, env: [%q]}", module, dir, env))
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Printf("\nSoftHSM2, two children, beside the same token alone: unwrap + sign, 64 callers; CPU of samd and its children\n")
	for _, callers := range []int{1, 8, 64} {
		err := s.measure(ctx, c, callers, n/6, func() ([]yardstick, error) {
			cpu, rate, err := tokenAlone(ctx, tok, w, n/3)
			return []yardstick{{"of the token", cpu, rate}}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// parallel runs fn n times with some callers; fn gets the caller's number.
func parallel(callers, n int, fn func(caller int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				if errs[i] = fn(i); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// person is one enrolled signer with a key.
type person struct {
	id, key string
	chain   [][]byte
	dev     *device.Software
}

// site is a running samd with enrolled signers.
type site struct {
	cmd     *exec.Cmd
	client  *sapclient.Client
	admin   *sapclient.Admin
	ra      *sapclient.Admin
	persons []*person
}

func (s *site) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
}

func startSite(ctx context.Context, bin, dir, token string) (*site, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "pin"), []byte(benchPIN+"\n"), 0o600); err != nil {
		return nil, err
	}
	pki, err := newCallers(dir)
	if err != nil {
		return nil, err
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	server, err := pki.issue("samd", "samd")
	if err != nil {
		return nil, err
	}
	document, err := pki.ceremony("bench")
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("profile: development\ncluster: bench\nlisten: %s\ntls: {cert: %s, key: %s, ca: %s}\nceremony: %s\ndatabase: %s/sam.db\nanchor: %s/anchor\n%s\norigin: %s\nrp_id: %s\nopen_sessions: 100000\n",
		addr, server.Cert, server.Key, server.CA, document, dir, dir, token, benchOrigin, benchRPID)
	file := filepath.Join(dir, "samd.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	s := &site{cmd: exec.CommandContext(ctx, bin, "-config", file)}
	var log strings.Builder
	s.cmd.Stderr = &log
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) }
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.connect(ctx, pki, addr); err != nil {
		s.stop()
		return nil, fmt.Errorf("%w\n%s", err, log.String())
	}
	return s, s.enrol(ctx)
}

func (s *site) connect(ctx context.Context, pki *callers, addr string) error {
	sspu, err := pki.client("ssad", "sspu")
	if err != nil {
		return err
	}
	officer, err := pki.client("olga", "officer")
	if err != nil {
		return err
	}
	registrar, err := pki.client("rosa", "ra")
	if err != nil {
		return err
	}
	if s.ra, err = sapclient.NewAdmin(sapclient.Config{URL: "https://" + addr, TLS: registrar}); err != nil {
		return err
	}
	if s.client, err = sapclient.New(sapclient.Config{URL: "https://" + addr, TLS: sspu}); err != nil {
		return err
	}
	if s.admin, err = sapclient.NewAdmin(sapclient.Config{URL: "https://" + addr, TLS: officer}); err != nil {
		return err
	}
	for range 200 {
		if err = s.client.Health(ctx); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("samd does not answer: %w", err)
}

func (s *site) enrol(ctx context.Context) error {
	info, err := s.client.Info(ctx)
	if err != nil {
		return err
	}
	pub, err := x509.ParsePKIXPublicKey(info.StatementKey)
	if err != nil {
		return err
	}
	ca, err := certs.NewDemoCA(certs.DemoConfig{})
	if err != nil {
		return err
	}
	for i := range maxCallers {
		p := &person{id: fmt.Sprintf("signer-%02d", i)}
		if p.dev, err = device.New(pub.(*ecdsa.PublicKey), benchOrigin, benchRPID); err != nil {
			return err
		}
		if err := s.enrolOne(ctx, p, ca); err != nil {
			return fmt.Errorf("enrol %s: %w", p.id, err)
		}
		s.persons = append(s.persons, p)
	}
	return nil
}

func (s *site) enrolOne(ctx context.Context, p *person, ca *certs.DemoCA) error {
	if _, err := s.ra.CreateSigner(ctx, sapclient.SignerIn{ID: p.id, Name: "DEMO " + p.id, Proof: "bench"}); err != nil {
		return err
	}
	code, err := s.admin.EnrolCode(ctx, p.id)
	if err != nil {
		return err
	}
	req, err := s.client.EnrolBegin(ctx, code.ID)
	if err != nil {
		return err
	}
	reg, err := p.dev.Register(req, code.Code)
	if err != nil {
		return err
	}
	if _, err := s.client.EnrolFinish(ctx, code.ID, reg); err != nil {
		return err
	}
	cred, err := s.admin.Generate(ctx, sapclient.GenerateIn{Signer: p.id, KeyType: string(algo.P256)})
	if err != nil {
		return err
	}
	if p.chain, err = ca.IssueSigner(cred.CSR, ""); err != nil {
		return err
	}
	p.key = cred.Key
	_, err = s.admin.LinkCertificate(ctx, cred.Key, p.chain)
	return err
}

var counter atomic.Int64

// approve asks for an activation request and lets the device approve a fresh
// document digest.
func (s *site) approve(ctx context.Context, p *person) (sapclient.RedeemIn, error) {
	req, err := s.client.Request(ctx, sapclient.ActivationRequestIn{Signer: p.id, Key: p.key, N: 1})
	if err != nil {
		return sapclient.RedeemIn{}, err
	}
	sad, err := p.dev.Compose(ctx, device.Offer{Request: req, Chain: p.chain, Ctx: sap.Context{Operation: "op1", Asker: "bench", Purpose: "bench", Level: "B-B"}})
	if err != nil {
		return sapclient.RedeemIn{}, err
	}
	doc := sha256.Sum256(fmt.Appendf(nil, "document %d", counter.Add(1)))
	item, err := sap.NewPAdESItem(0, "bench.pdf", algo.ES256, doc[:], p.chain[0])
	if err != nil {
		return sapclient.RedeemIn{}, err
	}
	sad.Items = []sap.Item{item}
	text, err := sad.Encode()
	if err != nil {
		return sapclient.RedeemIn{}, err
	}
	proof, err := p.dev.Assert(sad, text)
	return sapclient.RedeemIn{SAD: text, Proof: proof}, err
}

// yardstick is what a round is compared with: CPU time for one, and for a token
// how many it does in a second alone.
type yardstick struct {
	name string
	cpu  time.Duration
	rate float64
}

// measure redeems per approvals in each round with some callers, beside the
// yardsticks of the same round. The first round warms up.
func (s *site) measure(ctx context.Context, c config, callers, per int, beside func() ([]yardstick, error)) error {
	var cpus []time.Duration
	var sticks [][]yardstick
	var seen float64
	each := max(per/callers, 1)
	for r := range max(c.rounds, 5) + 1 {
		work, err := s.approvals(ctx, callers, each)
		if err != nil {
			return err
		}
		y, err := beside()
		if err != nil {
			return err
		}
		cpu, wall, err := s.redeemAll(ctx, work)
		if err != nil {
			return err
		}
		if r > 0 {
			cpus, sticks = append(cpus, cpu), append(sticks, y)
			seen = max(seen, float64(callers*each)/wall.Seconds())
		}
	}
	r := median(cpus)
	fmt.Printf("  %2d callers   CPU %10s each", callers, round(r))
	for i, y := range sticks[0] {
		low, mid, high := quartiles(eachRound(cpus, func(k int, cpu time.Duration) float64 { return float64(cpu) / float64(sticks[k][i].cpu) }))
		fmt.Printf("  %5.2fx %s (%.2f to %.2f)", mid, y.name, low, high)
		if y.rate > 0 {
			low, mid, high = quartiles(eachRound(cpus, func(k int, cpu time.Duration) float64 { return 2 / cpu.Seconds() / sticks[k][i].rate }))
			fmt.Printf("  ceiling %.0f %% of its own rate (%.0f to %.0f)", 100*mid, 100*low, 100*high)
		}
	}
	fmt.Printf("   ceiling on 2 CPUs %6.0f/s   seen %6.0f/s (load shares the CPUs)\n", 2/r.Seconds(), seen)
	return nil
}

func eachRound(cpus []time.Duration, f func(int, time.Duration) float64) []float64 {
	out := make([]float64, len(cpus))
	for k, cpu := range cpus {
		out[k] = f(k, cpu)
	}
	return out
}

// approvals prepares per approvals for each caller; nothing of it is measured.
// One signer's approvals are redeemed in order, since counters must grow.
func (s *site) approvals(ctx context.Context, callers, per int) ([][]sapclient.RedeemIn, error) {
	work := make([][]sapclient.RedeemIn, callers)
	err := parallel(callers, callers*per, func(i int) error {
		in, err := s.approve(ctx, s.persons[i])
		work[i] = append(work[i], in)
		return err
	})
	return work, err
}

func (s *site) redeemAll(ctx context.Context, work [][]sapclient.RedeemIn) (cpu, wall time.Duration, err error) {
	n := 0
	for _, w := range work {
		n += len(w)
	}
	pid := s.cmd.Process.Pid
	cpu0, t0 := treeCPU(pid), time.Now()
	var wg sync.WaitGroup
	errs := make([]error, len(work))
	for i, w := range work {
		wg.Go(func() {
			for _, in := range w {
				if _, errs[i] = s.client.Redeem(ctx, in); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return (treeCPU(pid) - cpu0) / time.Duration(n), time.Since(t0), errors.Join(errs...)
}

// measureWhole is request and redemption together, 64 callers.
func (s *site) measureWhole(ctx context.Context, n int) error {
	pid := s.cmd.Process.Pid
	cpu0, t0 := treeCPU(pid), time.Now()
	err := parallel(maxCallers, n, func(i int) error {
		in, err := s.approve(ctx, s.persons[i])
		if err != nil {
			return err
		}
		_, err = s.client.Redeem(ctx, in)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("  request + redeem, 64 callers: CPU %s each, seen %.0f/s (device and load generator share the CPUs)\n",
		round((treeCPU(pid)-cpu0)/time.Duration(n)), float64(n)/time.Since(t0).Seconds())
	return nil
}
