package sam_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// keeper remembers every wrapped key that the token gave, and can fail.
type keeper struct {
	samtest.Full
	mu    sync.Mutex
	blobs [][]byte
	given [][]byte // the very octets that the module got
	fail  error
}

func (k *keeper) GenerateWrapped(ctx context.Context, kt algo.KeyType) (cryptotoken.Wrapped, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return cryptotoken.Wrapped{}, k.fail
	}
	w, err := k.Full.GenerateWrapped(ctx, kt)
	k.blobs, k.given = append(k.blobs, bytes.Clone(w.Blob)), append(k.given, w.Blob)
	return w, err
}

func (k *keeper) made() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.blobs)
}

// onceWorld has an enrolled signer without a key.
type onceWorld struct {
	*samtest.World
	ca    *samtest.Authority
	keys  *keeper
	alice *samtest.Signer
}

func newOnceWorld(t *testing.T, change ...func(*sam.Config)) *onceWorld {
	t.Helper()
	ca, with := samtest.Once(t, "P-256", "P-384", "RSA-3072")
	o := &onceWorld{ca: ca}
	all := append([]func(*sam.Config){with, func(cfg *sam.Config) {
		o.keys = &keeper{Full: cfg.Token.(samtest.Full)}
		cfg.Token = o.keys
	}}, change...)
	o.World = samtest.New(t, all...)
	o.alice = &samtest.Signer{ID: "alice", Device: samtest.NewDevice(samtest.Origin, samtest.RPID)}
	o.Enrol(o.alice)
	return o
}

var askOnce = sam.AskOnce{Signer: "alice", Subject: "CN=DEMO Signer alice"}

// ask gets a request and the signer's approval of it.
func (o *onceWorld) ask() (statement, proof []byte) {
	o.T.Helper()
	signed, err := o.M.RequestOneTime(context.Background(), samtest.SSPU, askOnce)
	if err != nil {
		o.T.Fatal(err)
	}
	if statement, proof, err = o.alice.Device.ApproveOnce(o.StatementKey(), signed); err != nil {
		o.T.Fatal(err)
	}
	return statement, proof
}

func (o *onceWorld) approve(statement, proof []byte) (*sam.OnceView, error) {
	return o.M.ApproveOneTime(context.Background(), samtest.SSPU, statement, proof)
}

// key goes the way to a certified one-time key; alice's key and certificate are
// then this one.
func (o *onceWorld) key() *sam.OnceView {
	o.T.Helper()
	v, err := o.approve(o.ask())
	if err != nil {
		o.T.Fatal(err)
	}
	cert, err := x509.ParseCertificate(v.Chain[0])
	if err != nil {
		o.T.Fatal(err)
	}
	o.alice.Key, o.alice.Cert, o.alice.Chain = v.Key, cert, v.Chain
	return v
}

// dead checks that nothing can use the key any more.
func (o *onceWorld) dead(t *testing.T, key string) {
	t.Helper()
	var state string
	if err := dba(t, o.World).QueryRow("SELECT state FROM onetime WHERE key = ?", key).Scan(&state); err != nil || state != sam.OnceDestroyed {
		t.Errorf("state %s, %v", state, err)
	}
	refused(t, o.World, sap.ReasonKeyState, func() error {
		_, err := o.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: "alice", Key: key, N: 1})
		return err
	})
	o.Check()
}

// onceKeyOf reads the key id of a statement.
func onceKeyOf(t *testing.T, statement []byte) string {
	t.Helper()
	r, err := sap.DecodeOneTime(statement)
	if err != nil {
		t.Fatal(err)
	}
	return r.Key
}

// KEY-10: the whole way: assertion, key, request, certificate, SAD, signature,
// destruction, in this order in the audit chain, with one key use for the proof of
// possession and one for the signature; then the key is dead.
func TestKEY10WholeLife(t *testing.T) {
	o := newOnceWorld(t)
	before := len(o.Records())
	v := o.key()
	if v.Algs[0] != "ES256" || v.Signer != "alice" || v.Expires != o.Clock.Now().Add(10*time.Minute).Unix() {
		t.Errorf("%+v", v)
	}
	sad, proof := o.Approve(o.alice, 2)
	answer, err := o.Redeem(sad, proof)
	if err != nil {
		t.Fatal(err)
	}
	if _, r := o.Decode(answer); len(r.Items) != 2 {
		t.Errorf("%d items", len(r.Items))
	}
	want := "one_time_requested one_time_approved key_generation_intent key_generated certificate_linked " +
		"activation_requested one_time_bound activation_reserved one_time_used activation_consumed key_destroyed"
	if got := events(o.World, before); got != want {
		t.Errorf("events\n%s, want\n%s", got, want)
	}
	o.dead(t, v.Key)
	again, err := o.Redeem(sad, proof) // a lost answer can still be fetched
	if err != nil || !bytes.Equal(again, answer) {
		t.Errorf("byte-identical retry: %v", err)
	}
	if n := o.Token.Uses(); n != 2 {
		t.Errorf("%d key uses", n)
	}
}

// KEY-10, SAP-14: there is no key before the signer's assertion, and none after one that
// is not exactly over what the module offered; the assertion is used up once.
func TestKEY10AssertionComesFirst(t *testing.T) {
	edit := func(f func(*sap.OneTimeRequest)) func(*testing.T, *onceWorld) (sam.Caller, []byte, []byte) {
		return func(t *testing.T, o *onceWorld) (sam.Caller, []byte, []byte) {
			statement, proof := o.ask()
			r, err := sap.DecodeOneTime(statement)
			if err != nil {
				t.Fatal(err)
			}
			f(r)
			if statement, err = jcs.Marshal(r); err != nil {
				t.Fatal(err)
			}
			return samtest.SSPU, statement, proof
		}
	}
	device := func(f func(*samtest.Device)) func(*testing.T, *onceWorld) (sam.Caller, []byte, []byte) {
		return func(t *testing.T, o *onceWorld) (sam.Caller, []byte, []byte) {
			old := *o.alice.Device
			defer func() { *o.alice.Device = old }()
			f(o.alice.Device)
			statement, proof := o.ask()
			return samtest.SSPU, statement, proof
		}
	}
	for name, c := range map[string]struct {
		want sap.Reason
		make func(*testing.T, *onceWorld) (sam.Caller, []byte, []byte)
	}{
		"other key type": {sap.ReasonBinding, edit(func(r *sap.OneTimeRequest) { r.KeyType = "RSA-3072" })},
		"other subject":  {sap.ReasonBinding, edit(func(r *sap.OneTimeRequest) { r.Subject = sap.B64([]byte{0x30, 0}) })},
		"other signer":   {sap.ReasonBinding, edit(func(r *sap.OneTimeRequest) { r.Signer = "bob" })},
		"other policy":   {sap.ReasonBinding, edit(func(r *sap.OneTimeRequest) { r.Policy = "bulk" })},
		"other proofing": {sap.ReasonBinding, edit(func(r *sap.OneTimeRequest) { r.Proofing = "proof-2" })},
		"no proofing":    {sap.ReasonText, edit(func(r *sap.OneTimeRequest) { r.Proofing = "" })},
		"longer life":    {sap.ReasonBinding, edit(func(r *sap.OneTimeRequest) { r.Life = 1800 })},
		"other nonce":    {sap.ReasonBinding, edit(func(r *sap.OneTimeRequest) { r.Nonce = sap.B64(make([]byte, 32)) })},
		"other epoch":    {sap.ReasonAudience, edit(func(r *sap.OneTimeRequest) { r.Audience = "test#2" })},
		"unknown key":    {sap.ReasonSession, edit(func(r *sap.OneTimeRequest) { r.Key = "o-00" })},
		"life of a day":  {sap.ReasonEncoding, edit(func(r *sap.OneTimeRequest) { r.Life = 86400 })},
		"other caller": {sap.ReasonCaller, func(t *testing.T, o *onceWorld) (sam.Caller, []byte, []byte) {
			statement, proof := o.ask()
			other := sam.Caller{Identity: "ssad-2", Role: sam.RoleSSPU}
			if _, err := o.M.Info(context.Background(), other); err != nil { // it is known
				t.Fatal(err)
			}
			return other, statement, proof
		}},
		"without user verification": {sap.ReasonUserVerified, device(func(d *samtest.Device) { d.Flags = samtest.UP })},
		"at another origin":         {sap.ReasonOrigin, device(func(d *samtest.Device) { d.Origin = "https://evil.example" })},
		"in a foreign page":         {sap.ReasonCrossOrigin, device(func(d *samtest.Device) { d.Cross = true })},
		"registration ceremony":     {sap.ReasonCeremony, device(func(d *samtest.Device) { d.Type = "webauthn.create" })},
		"another passkey":           {sap.ReasonSignature, device(func(d *samtest.Device) { d.Key = newKey() })},
		"assertion over a SAD with the same nonce": {sap.ReasonChallenge, func(t *testing.T, o *onceWorld) (sam.Caller, []byte, []byte) {
			statement, _ := o.ask()
			r, err := sap.DecodeOneTime(statement)
			if err != nil {
				t.Fatal(err)
			}
			nonce, err := sap.UnB64(r.Nonce)
			if err != nil {
				t.Fatal(err)
			}
			proof, err := o.alice.Device.Assert(nonce, statement) // the label of a SAD
			if err != nil {
				t.Fatal(err)
			}
			return samtest.SSPU, statement, proof
		}},
		"too late": {sap.ReasonExpired, func(_ *testing.T, o *onceWorld) (sam.Caller, []byte, []byte) {
			statement, proof := o.ask()
			o.Clock.Advance(5 * time.Minute)
			return samtest.SSPU, statement, proof
		}},
		"twice": {sap.ReasonConsumed, func(t *testing.T, o *onceWorld) (sam.Caller, []byte, []byte) {
			statement, proof := o.ask()
			if _, err := o.approve(statement, proof); err != nil {
				t.Fatal(err)
			}
			r, err := sap.DecodeOneTime(statement)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := sap.UnB64(r.Nonce)
			if err != nil {
				t.Fatal(err)
			}
			challenge, err := sap.OneTimeChallenge(raw, statement)
			if err != nil {
				t.Fatal(err)
			}
			if proof, err = o.alice.Device.AssertChallenge(challenge); err != nil { // a fresh assertion
				t.Fatal(err)
			}
			return samtest.SSPU, statement, proof
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOnceWorld(t)
			caller, statement, proof := c.make(t, o)
			made := o.keys.made()
			call := func() error {
				_, err := o.M.ApproveOneTime(context.Background(), caller, statement, proof)
				return err
			}
			switch c.want {
			case sap.ReasonUserVerified, sap.ReasonOrigin, sap.ReasonCrossOrigin, sap.ReasonCeremony:
				// The genuine authenticator did this: it counts, once, and ends the request.
				refused(t, o.World, c.want, call)
				refused(t, o.World, sap.ReasonConsumed, call)
			default:
				refused(t, o.World, c.want, call)
			}
			if n := o.keys.made() - made; n != 0 {
				t.Errorf("%d keys were made", n)
			}
		})
	}
	o := newOnceWorld(t)
	statement, proof := o.ask()
	if o.keys.made() != 0 || o.ca.Calls() != 0 {
		t.Error("a key or certificate exists before the assertion came in")
	}
	first, err := o.approve(statement, proof)
	if err != nil {
		t.Fatal(err)
	}
	again, err := o.approve(statement, proof) // the answer was lost
	if err != nil || again.Key != first.Key || !bytes.Equal(again.Chain[0], first.Chain[0]) || o.keys.made() != 1 || o.ca.Calls() != 1 {
		t.Errorf("byte-identical retry: %v, %d keys, %d certificates", err, o.keys.made(), o.ca.Calls())
	}
}

// KEY-10, KEY-07, SAP-14: one key, one session, one use: the newest activation request
// counts, a second approval finds no key, and the permission is of the policy and
// the signer that were approved.
func TestKEY10OneSessionOneUse(t *testing.T) {
	o := newOnceWorld(t)
	bob := o.NewSigner("bob", algo.P256)
	v := o.key()
	sad, proof := o.Approve(o.alice, 1)
	newer, newerProof := o.Approve(o.alice, 1)
	refused(t, o.World, sap.ReasonBinding, func() error { _, err := o.Redeem(sad, proof); return err })
	ask := func(signer, policy string) func() error {
		return func() error {
			_, err := o.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: signer, Key: v.Key, N: 1, Policy: policy})
			return err
		}
	}
	refused(t, o.World, sap.ReasonPolicy, ask("alice", "bulk"))
	refused(t, o.World, sap.ReasonSigner, ask(bob.ID, ""))
	for name, call := range map[string]func() error{
		"link": func() error {
			_, err := o.M.LinkCertificate(context.Background(), samtest.Officer, v.Key, v.Chain)
			return err
		},
		"raw":     func() error { _, err := o.M.SetRaw(context.Background(), samtest.Officer, v.Key, true); return err },
		"destroy": func() error { return o.Destroy(v.Key) },
	} {
		if err := call(); err == nil {
			t.Errorf("an officer could %s it", name)
		}
	}
	if _, err := o.Redeem(newer, newerProof); err != nil {
		t.Fatal(err)
	}
	o.dead(t, v.Key)

	// Many redemptions of the one session at once, each with an assertion of its own.
	o.key()
	req := o.Ask(o.alice, 1)
	uses := o.Token.Uses()
	var wg sync.WaitGroup
	won := make([]bool, 8)
	for i := range won {
		full, err := o.alice.Device.SAD(req, o.alice.Items(t, req, 1))
		if err != nil {
			t.Fatal(err)
		}
		full.Ctx.Operation = "op-" + string(rune('a'+i))
		sad, proof, err := o.alice.Device.Sign(full)
		if err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, err := o.Redeem(sad, proof)
			won[i] = err == nil
		}()
	}
	wg.Wait()
	n := 0
	for _, ok := range won {
		if ok {
			n++
		}
	}
	if n != 1 || o.Token.Uses()-uses != 1 {
		t.Errorf("%d of 8 won, %d key uses", n, o.Token.Uses()-uses)
	}
	o.dead(t, o.alice.Key)
}

// KEY-10: on every failure after the assertion there is no key: no token, no
// certificate, a wrong one, a CA that hangs, a signature that was not made or may
// have been.
func TestKEY10DestroyedOnEveryFailure(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		want  sap.Reason
		spoil func(*testing.T, *onceWorld)
	}{
		"token makes none": {sap.ReasonToken, func(_ *testing.T, o *onceWorld) { o.keys.fail = broken }},
		"CA refuses": {sap.ReasonCertLink, func(_ *testing.T, o *onceWorld) {
			o.ca.Instead(func(context.Context, []byte) ([][]byte, error) { return nil, broken })
		}},
		"CA gives nothing": {sap.ReasonCertLink, func(_ *testing.T, o *onceWorld) {
			o.ca.Instead(func(context.Context, []byte) ([][]byte, error) { return nil, nil })
		}},
		"certificate for another key": {sap.ReasonCertLink, func(t *testing.T, o *onceWorld) {
			other := o.NewSigner("bob", algo.P256)
			o.ca.Instead(func(context.Context, []byte) ([][]byte, error) { return other.Chain, nil })
		}},
		"no proof of possession": {sap.ReasonCSR, func(_ *testing.T, o *onceWorld) { o.Token.FailBefore(cryptotoken.NotStarted(broken)) }},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOnceWorld(t)
			c.spoil(t, o)
			statement, proof := o.ask()
			if _, err := o.approve(statement, proof); !errors.Is(err, c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			o.Token.FailBefore(nil)
			o.dead(t, onceKeyOf(t, statement))
			if _, err := o.approve(statement, proof); !errors.Is(err, sap.ReasonConsumed) {
				t.Errorf("again: %v", err)
			}
		})
	}
	for name, fail := range map[string]func(*onceWorld){
		"signature not begun":          func(o *onceWorld) { o.Token.FailBefore(cryptotoken.NotStarted(broken)) },
		"signature may have been made": func(o *onceWorld) { o.Token.FailAfter(broken) },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOnceWorld(t)
			o.key()
			sad, proof := o.Approve(o.alice, 1)
			fail(o)
			if _, err := o.Redeem(sad, proof); err == nil {
				t.Fatal("signed")
			}
			o.Token.FailBefore(nil)
			o.Token.FailAfter(nil)
			o.dead(t, o.alice.Key)
		})
	}
}

// KEY-10, FPT-05: killed at each step from the assertion to the answer: after the
// restart every one-time key is destroyed and nothing can use one.
func TestKEY10KilledAtEachStep(t *testing.T) {
	for _, at := range []sam.Step{
		sam.StepOnceApproved, sam.StepOnceGenerated, sam.StepOnceCertified,
		sam.StepVerified, sam.StepReserved, sam.StepSigned, sam.StepRecorded,
	} {
		t.Run(string(at), func(t *testing.T) {
			var die sam.Step
			o := newOnceWorld(t, func(cfg *sam.Config) {
				cfg.Hook = func(s sam.Step) {
					if s == die {
						panic(killed{s})
					}
				}
			})
			statement, proof := o.ask()
			key := onceKeyOf(t, statement)
			if strings.HasPrefix(string(at), "once") {
				die = at
				runKilled(t, o.World, at, func() error { _, err := o.approve(statement, proof); return err })
				die = ""
				refused(t, o.World, sap.ReasonConsumed, func() error { _, err := o.approve(statement, proof); return err })
				o.dead(t, key)
				return
			}
			o.key()
			sad, sadProof := o.Approve(o.alice, 1)
			die = at
			runKilled(t, o.World, at, func() error { _, err := o.Redeem(sad, sadProof); return err })
			die = ""
			uses := o.Token.Uses()
			_, err := o.Redeem(sad, sadProof)
			if (err == nil) != (at == sam.StepRecorded) { // there the outcome was durable
				t.Errorf("after the restart: %v", err)
			}
			if o.Token.Uses() != uses {
				t.Error("the key was used after the restart")
			}
			o.dead(t, o.alice.Key)
			o.dead(t, key)
		})
	}
}

// KEY-10: a wrapped one-time key, used or pooled, is in no file of the module.
func TestKEY10NeverWrittenDown(t *testing.T) {
	o := newOnceWorld(t, func(cfg *sam.Config) { cfg.KeyPool = map[string]int{"P-384": 2} })
	if err := o.M.FillPools(context.Background()); err != nil {
		t.Fatal(err)
	}
	o.key()
	files, err := filepath.Glob(filepath.Join(o.Dir, "*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%v, %v", files, err)
	}
	if o.keys.made() < 3 {
		t.Fatalf("%d keys", o.keys.made())
	}
	for _, f := range files {
		if st, err := os.Stat(f); err != nil || st.IsDir() {
			continue
		}
		text := []byte(readFile(t, f))
		for _, b := range o.keys.blobs {
			if bytes.Contains(text, b[8:40]) {
				t.Errorf("%s holds a wrapped one-time key", f)
			}
		}
	}
}

// SAP-06, KEY-10: a one-time key lives as long as its policy says after the
// signer's approval, to the second, never more than 30 minutes; the activation
// request ends with it, and the sweep destroys it.
func TestSAP06OneTimeKeyLife(t *testing.T) {
	for _, late := range []bool{false, true} {
		o := newOnceWorld(t)
		v := o.key()
		o.Clock.Advance(9 * time.Minute)
		req := o.Ask(o.alice, 1)
		if req.Bind.Expires != v.Expires {
			t.Errorf("request ends at %d, key at %d", req.Bind.Expires, v.Expires)
		}
		full, err := o.alice.Device.SAD(req, o.alice.Items(t, req, 1))
		if err != nil {
			t.Fatal(err)
		}
		sad, proof, err := o.alice.Device.Sign(full)
		if err != nil {
			t.Fatal(err)
		}
		o.Clock.Advance(59 * time.Second)
		if late {
			o.Clock.Advance(time.Second)
			refused(t, o.World, sap.ReasonExpired, func() error { _, err := o.Redeem(sad, proof); return err })
			if err := o.M.EndOneTime(context.Background()); err != nil {
				t.Fatal(err)
			}
		} else if _, err := o.Redeem(sad, proof); err != nil {
			t.Errorf("in the last second: %v", err)
		}
		o.dead(t, v.Key)
	}
	cfg := newOnceWorld(t).Cfg
	for name, change := range map[string]func(*sam.OneTime){
		"31 minutes":      func(r *sam.OneTime) { r.Life = 30*time.Minute + time.Second },
		"no CA":           func(r *sam.OneTime) { r.CA = "nobody" },
		"no key type":     func(r *sam.OneTime) { r.KeyTypes = nil },
		"unknown type":    func(r *sam.OneTime) { r.KeyTypes = []string{"P-224"} },
		"unknown policy":  func(r *sam.OneTime) { r.Policy = "nobody" },
		"no time at all":  func(r *sam.OneTime) { r.Life = 0 },
		"30 minutes: yes": func(r *sam.OneTime) { r.Life = 30 * time.Minute },
	} {
		c := cfg
		c.OneTime = slices.Clone(cfg.OneTime)
		change(&c.OneTime[0])
		c.Store = &nopStore{}
		c.AnchorPath = filepath.Join(t.TempDir(), "missing", "anchor") // never opened
		_, err := sam.Open(context.Background(), c)
		if got := errors.Is(err, sam.ErrConfig); got == strings.HasSuffix(name, "yes") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// KEY-10: the pool is filled in the background to its size and no further, a
// pooled key is nobody's and is given once, and the loss of the last authenticator
// ends a key that is alive.
func TestKEY10Pool(t *testing.T) {
	o := newOnceWorld(t, func(cfg *sam.Config) { cfg.KeyPool = map[string]int{"P-256": 3} })
	for end := time.Now().Add(20 * time.Second); o.keys.made() < 3 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
	}
	if n := o.keys.made(); n != 3 {
		t.Fatalf("%d keys in the pool", n)
	}
	for _, r := range o.Records() {
		if r.Type == sam.EventKey {
			t.Errorf("a pooled key is recorded as somebody's: %s", r.Data)
		}
	}
	public := map[string]bool{}
	var last *sam.OnceView
	for range 4 {
		last = o.key()
		public[string(o.alice.Cert.RawSubjectPublicKeyInfo)] = true
	}
	if len(public) != 4 {
		t.Errorf("%d different keys of 4", len(public))
	}
	if _, err := o.M.RequestOneTime(context.Background(), samtest.SSPU, askOnce); !errors.Is(err, sap.ReasonTooMany) {
		t.Errorf("a fifth live key of one signer: %v", err)
	}
	sad, proof := o.Approve(o.alice, 1)
	if err := o.EndSigner("alice", sam.CauseAuthenticator, "lost"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Redeem(sad, proof); err == nil {
		t.Error("signed after the loss of the authenticator")
	}
	o.dead(t, last.Key)
}
