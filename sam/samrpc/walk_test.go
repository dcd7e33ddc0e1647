package samrpc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samrpc"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// walker calls everything that privileged callers can call, in random order and
// with whatever earlier answers gave it, as all of them together: officers,
// auditors, the signing application and every further role. It owns
// authenticators, a certification authority and certificates for identities that
// it may get granted. What it has not is the signers' passkeys.
type walker struct {
	*samtest.World
	t       *testing.T
	rnd     *mrand.Rand
	handler http.Handler
	certs   map[sam.Role][]*x509.Certificate
	pool    map[string][]string       // JSON member -> values seen
	bytes   map[string][][]byte       // JSON member -> octets seen
	offers  []sap.Signed              // activation requests
	enrols  map[string]sap.Signed     // registration requests by enrolment
	codes   map[string]string         // enrolment codes by enrolment
	device  *samtest.Device           // the walker's own
	victims []*samtest.Signer         // who approve honestly
	allowed map[string]map[string]int // key -> digest that its owner approved -> uses left
	checked int                       // key uses looked at
	made    string                    // the youngest key; the last chain is for it
	once    string                    // the youngest one-time key
	calls   int
	done    map[sam.Op]int // calls that succeeded
	decided map[string]int // kinds that decide carried out
	spent   []sapclient.RedeemIn
	signed  int // honest approvals that led to signatures
	breach  []string
	change  changeLore
	samKey  *ecdsa.PublicKey
}

// inputs are the bodies of all operations that have one; values of their members
// come from the pool. An operation without a line here cannot be walked, and the
// test says so. nil: the walker composes it.
func inputs() map[sam.Op]any {
	return map[sam.Op]any{
		sam.OpRequest: sapclient.ActivationRequestIn{}, sam.OpRedeem: nil, sam.OpGenerate: sapclient.GenerateIn{}, sam.OpLink: nil,
		sam.OpPermission: sapclient.PermissionIn{}, sam.OpEnrolBegin: sapclient.EnrolBeginIn{}, sam.OpEnrolFinish: nil,
		sam.OpSignerNew: sapclient.SignerIn{}, sam.OpEnrolOpen: nil, sam.OpLift: sapclient.LiftIn{},
		sam.OpPropose: nil, sam.OpApprove: sapclient.ProposalIn{}, sam.OpWithdraw: nil,
		sam.OpSelfTest: struct{}{}, sam.OpReopen: sapclient.ReopenIn{},
		sam.OpKeyStatus:   sapclient.KeyStatusIn{},
		sam.OpOnceRequest: sapclient.OnceRequestIn{}, sam.OpOnceApprove: sapclient.OnceApproveIn{}, sam.OpOnceEnd: nil,
		sam.OpChangeBegin: sapclient.ChangeBeginIn{}, sam.OpChangeFinish: nil, sam.OpAuthList: nil, sam.OpAuthRevoke: sapclient.AuthRevokeIn{}, sam.OpHalf: sapclient.HalfIn{},
	}
}

// arguments are those of all kinds of decisions.
func arguments() map[string]any {
	out := map[string]any{
		sam.DecideGrant: sam.Grant{}, sam.DecideRevoke: sam.Revoke{}, sam.DecideRaw: sam.RawPermission{},
		sam.DecidePolicy: sam.AcceptPolicy{}, sam.DecideRestore: sam.AcceptRestore{}, sam.DecideBackup: sam.MakeBackup{}, sam.DecideRotate: sam.RotateKEK{}, sam.DecideDestroyKEK: sam.DestroyKEK{WithoutBackup: true},
		sam.DecideDestroy: sam.DestroyKey{}, sam.DecideEndSigner: sam.EndSigner{},
		sam.DecideRecovery: sam.Recovery{}, sam.DecideDowngrade: sam.Downgrade{},
		sam.DecideStatement: sam.RotateStatement{}, sam.DecideStatementEnd: sam.DestroyStatement{WithoutBackup: true},
		sam.DecideSeal: sam.RotateSeal{}, sam.DecideSealEnd: sam.DestroySeal{WithoutBackup: true},
	}
	maps.Copy(out, plantedArguments)
	return out
}

func newWalker(t *testing.T, seed uint64) *walker {
	t.Helper()
	_, once := samtest.Once(t, "P-256")
	w := samtest.New(t, once, func(c *sam.Config) { c.OpenSessions, c.Release = 1<<20, 2 })
	k := &walker{
		World: w, t: t, rnd: mrand.New(mrand.NewPCG(seed, 0)), handler: samrpc.New(w.M, slog.New(slog.NewTextHandler(io.Discard, nil))).Handler(),
		certs: map[sam.Role][]*x509.Certificate{}, pool: map[string][]string{}, bytes: map[string][][]byte{}, enrols: map[string]sap.Signed{},
		codes: map[string]string{}, device: samtest.NewDevice(samtest.Origin, samtest.RPID), allowed: map[string]map[string]int{}, done: map[sam.Op]int{}, decided: map[string]int{}, change: newLore(), samKey: w.StatementKey(),
	}
	for _, c := range []sam.Caller{samtest.SSPU, samtest.Officer, samtest.Second, samtest.Auditor, samtest.RA, samtest.Admin, samtest.Watch} {
		k.certs[c.Role] = append(k.certs[c.Role], certificate(t, c.Identity, c.Role))
	}
	for role := range k.certs { // to be granted, or not
		k.certs[role] = append(k.certs[role], certificate(t, "mallory-"+string(role), role))
		k.pool["name"] = append(k.pool["name"], "mallory-"+string(role))
	}
	for _, id := range []string{"alice", "bob"} {
		s := w.NewSigner(id, algo.P256)
		k.victims = append(k.victims, s)
		k.see("signer", id)
		k.see("key", s.Key)
		k.see("credential", sap.B64(s.Device.ID))
		k.bytes["chain"] = append(k.bytes["chain"], s.Cert.Raw)
	}
	if _, err := w.M.CreateSigner(context.Background(), samtest.RA, sam.NewSigner{ID: "carol", Name: "Carol", Proof: "proof-1"}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"carol", "mallory"} { // who has no passkey yet, and who does not exist yet
		k.see("signer", id)
		k.see("id", id)
	}
	for name, values := range map[string][]string{
		"key_type": {"P-256", "P-384"}, "subject": {"", "", "", "CN=Signer alice", "CN=Mallory"}, "alg": {"", "ES256"}, "why": {"maintenance"},
		"policy": {"", "standard", "bulk", sam.PolicyQualified}, "proof": {"proof-1"}, "role": {"sspu", "officer", "auditor", "ra", "administrator", "operator"}, "person": {"mallory", "officer-1", "p-9"},
		"status": {"good", "on_hold", "revoked"}, "cause": {"signer_request", "last_authenticator_lost"},
		"action": {"add", "remove"}, "name": {"Signer alice", "Signer bob"},
	} {
		k.pool[name] = append(k.pool[name], values...)
	}
	k.checked = len(w.Token.Log())
	k.learnKeys()
	return k
}

func certificate(t *testing.T, name string, role sam.Role) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(p256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, OrganizationalUnit: []string{string(role)}}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// learnKeys finds the victims' keys in the database: every key that any officer
// made for them counts.
func (k *walker) learnKeys() {
	err := k.Store.View(context.Background(), func(tx *sam.Tx) error {
		for _, s := range k.victims {
			list, err := tx.Credentials.BySigner(s.ID)
			if err != nil {
				return err
			}
			for _, c := range list {
				if k.change.taken[s.ID] {
					continue
				}
				if k.allowed[string(c.Public)] == nil {
					k.allowed[string(c.Public)] = map[string]int{}
				}
			}
		}
		return nil
	})
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *walker) see(name, value string) {
	if len(k.pool[name]) > 64 {
		k.pool[name] = slices.Delete(k.pool[name], 8, 16)
	}
	k.pool[name] = append(k.pool[name], value)
}

// alias: the same thing under other names.
var alias = map[string][]string{
	"id": {"id", "signer", "enrolment", "proposal"}, "signer": {"signer"}, "key": {"key", "key", "key", "fingerprint"},
	"name": {"name", "signer", "identity"}, "identity": {"name", "identity"},
	"target": {"credential"},
}

func pick[T any](k *walker, list []T) T { return list[k.rnd.IntN(len(list))] }

func (k *walker) value(name string) string {
	if k.rnd.IntN(40) == 0 {
		return pick(k, []string{"", "x", "' OR 1=1 --", "../alice", "ALICE", strings.Repeat("a", 200)})
	}
	names := []string{name}
	if a := alias[name]; a != nil {
		names = a
	}
	if list := k.pool[pick(k, names)]; len(list) > 0 {
		return pick(k, list)
	}
	return "x"
}

// fill makes a value of in's type with members from the pool.
func (k *walker) fill(in any) []byte {
	raw, err := json.Marshal(in)
	if err != nil {
		k.t.Fatal(err)
	}
	v := parse(k.t, raw)
	for _, name := range slices.Sorted(maps.Keys(v)) {
		switch v[name].(type) {
		case string:
			v[name] = k.value(name)
		case bool:
			v[name] = k.rnd.IntN(2) == 0
		case json.Number:
			v[name] = pick(k, []int{0, 1, 1, 1, 2, 3, 1000, -1})
		case nil: // octets or a list
			if list := k.bytes[name]; len(list) > 0 {
				v[name] = pick(k, list)
			}
		}
	}
	if _, both := v["key"]; both && v["signer"] != nil && k.rnd.IntN(4) > 0 {
		s := pick(k, k.victims) // what belongs together
		v["signer"], v["key"] = s.ID, s.Key
	}
	return body(k.t, v) // maps come out sorted: canonical as long as all is ASCII
}

// compose makes the bodies that need more than values.
func (k *walker) compose(op sam.Op) []byte {
	switch op {
	case sam.OpChangeFinish, sam.OpAuthList:
		return k.composeChange(op)
	case sam.OpRedeem:
		return k.composeRedemption()
	case sam.OpOnceEnd:
		key := k.value("key")
		if k.once != "" && k.rnd.IntN(2) == 0 {
			key = k.once
		}
		return body(k.t, sapclient.OnceEndIn{Key: key})
	case sam.OpLink:
		key, cert := k.value("key"), pick(k, k.bytes["chain"])
		if k.made != "" {
			switch k.rnd.IntN(4) {
			case 0, 1:
				key, cert = k.made, k.bytes["chain"][len(k.bytes["chain"])-1]
			case 2: // a key that waits for its certificate, and another one's
				key = k.made
			}
		}
		return body(k.t, map[string]any{"key": key, "chain": [][]byte{cert, k.CA.Cert.Raw}})
	case sam.OpWithdraw:
		id := k.value("id")
		if list := k.pool["proposal"]; len(list) > 0 && k.rnd.IntN(2) == 0 {
			id = list[len(list)-1]
		}
		return body(k.t, sapclient.ProposalIn{ID: id})
	case sam.OpEnrolOpen:
		id := k.value("signer")
		if k.rnd.IntN(2) == 0 {
			id = "carol" // who has no passkey yet
		}
		return body(k.t, map[string]any{"signer": id})
	case sam.OpPropose:
		kinds := slices.Sorted(maps.Keys(arguments()))
		kind := pick(k, kinds)
		if k.rnd.IntN(10) > 0 && k.Waits(kind) == nil { // mostly what can be decided now
			kind = pick(k, slices.DeleteFunc(kinds, func(x string) bool {
				return x == sam.DecidePolicy || x == sam.DecideRestore || x == sam.DecideStatement || x == sam.DecideStatementEnd || x == sam.DecideSeal || x == sam.DecideSealEnd // which ask for the key's very id or number
			}))
		}
		if in := k.Waits(kind); in != nil && k.rnd.IntN(2) == 0 { // as the module says
			return body(k.t, map[string]any{"kind": kind, "args": k.Args(in)})
		}
		if text := k.destruction(kind); text != nil && k.rnd.IntN(2) == 0 {
			return body(k.t, map[string]any{"kind": kind, "args": text})
		}
		args := parse(k.t, k.fill(arguments()[kind]))
		if k.rnd.IntN(2) == 0 {
			k.aboutVictims(args)
		}
		return body(k.t, map[string]any{"kind": kind, "args": body(k.t, args)})
	case sam.OpEnrolFinish:
		id := k.value("enrolment")
		if len(k.enrols) > 0 && k.rnd.IntN(2) == 0 {
			id = pick(k, slices.Sorted(maps.Keys(k.enrols)))
		}
		if signed, ok := k.enrols[id]; ok {
			if reg, err := k.device.Register(k.StatementKey(), signed, k.codes[id]); err == nil {
				return body(k.t, map[string]any{"id": id, "registration": reg})
			}
		}
		return body(k.t, map[string]any{"id": id, "registration": []byte("{}")})
	}
	k.t.Fatalf("the walker cannot compose %s", op)
	return nil
}

// destruction is what can be decided about a victim's keys now.
func (k *walker) destruction(kind string) []byte {
	s := pick(k, k.victims)
	switch kind {
	case sam.DecideDestroy:
		return k.Args(k.Destruction(s.Key))
	case sam.DecideEndSigner:
		return k.Args(k.End(s.ID, sam.CauseSigner, "asked"))
	}
	return nil
}

// composeRedemption answers an offer with the walker's own passkey, or uses a
// spent approval once more, or mixes both.
func (k *walker) composeRedemption() []byte {
	if len(k.spent) > 0 && k.rnd.IntN(5) == 0 {
		return body(k.t, pick(k, k.spent))
	}
	in := sapclient.RedeemIn{Evidence: []byte("[]")}
	if len(k.offers) > 0 {
		offer := k.offers[len(k.offers)-1] // mostly the youngest, which is open if any is
		if k.rnd.IntN(3) == 0 {
			offer = pick(k, k.offers)
		}
		if req, err := sap.OpenActivationRequest(k.StatementKey(), offer); err == nil && req.Bind.N < 10 {
			d, s := *k.device, pick(k, k.victims)
			for _, v := range k.victims { // mostly as its owner would answer it
				if v.Key == req.Bind.Key && k.rnd.IntN(4) > 0 {
					s = v
				}
			}
			if k.rnd.IntN(2) == 0 {
				d.ID = s.Device.ID
			}
			if full, err := d.SAD(req, s.Items(k.t, req, req.Bind.N)); err == nil {
				if in.SAD, in.Proof, err = d.Sign(full); err != nil {
					in.SAD, in.Proof = nil, nil
				}
			}
		}
	}
	if list := k.bytes["proof"]; len(list) > 0 && k.rnd.IntN(4) == 0 {
		in.Proof = pick(k, list)
	}
	if list := k.bytes["sad"]; len(list) > 0 && (in.SAD == nil || k.rnd.IntN(4) == 0) {
		in.SAD = pick(k, list)
	}
	return body(k.t, in)
}

// step is one call.
func (k *walker) step(routes []samrpc.Route) {
	rt := pick(k, routes)
	var text []byte
	if rt.Method == "POST" {
		if in := inputs()[rt.Op]; in != nil {
			text = k.fill(in)
		} else {
			text = k.compose(rt.Op)
		}
	}
	role := pick(k, slices.Sorted(maps.Keys(k.certs)))
	if k.rnd.IntN(10) > 0 { // mostly somebody who may
		for range 20 {
			if sam.Allowed(role, rt.Op) {
				break
			}
			role = pick(k, slices.Sorted(maps.Keys(k.certs)))
		}
	}
	path := rt.Path
	if rt.Method == "GET" {
		path += fmt.Sprintf("?%s=%s&id=%s&ref=%d&from=%d&limit=10", pick(k, []string{"signer", "key", "state"}), k.query(pick(k, []string{"signer", "key"})),
			k.query("id"), k.rnd.IntN(k.calls+1), k.rnd.IntN(k.calls+1))
	}
	status, out := k.call(pick(k, k.certs[role]), rt.Method, path, text)
	if status == http.StatusOK {
		k.done[rt.Op]++
		k.judge(rt.Op, role)
		k.harvest(rt.Op, out)
	}
	k.look(rt.Op, role)
}

func (k *walker) query(name string) string {
	v := k.value(name)
	if !sap.ValidID(v) {
		return "x"
	}
	return strings.ReplaceAll(v, "#", "%23")
}

// call goes through the whole router, as a connection with this certificate.
func (k *walker) call(cert *x509.Certificate, method, path string, text []byte) (int, []byte) {
	k.calls++
	req := httptest.NewRequest(method, path, strings.NewReader(string(text)))
	req.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}
	res := httptest.NewRecorder()
	k.handler.ServeHTTP(res, req)
	return res.Code, res.Body.Bytes()
}

// harvest keeps everything that an answer tells.
func (k *walker) harvest(op sam.Op, out []byte) {
	var v any
	if err := json.Unmarshal(out, &v); err != nil {
		k.t.Fatal(err)
	}
	for _, path := range leaves(v) {
		if s, ok := at(v, path).(string); ok {
			if name, named := path[len(path)-1].(string); named {
				k.see(name, s)
			}
		}
	}
	m, _ := v.(map[string]any)
	k.harvestChange(op, out)
	switch op {
	case sam.OpRequest, sam.OpEnrolBegin:
		var o struct{ Request sap.Signed }
		if err := json.Unmarshal(out, &o); err != nil {
			k.t.Fatal(err)
		}
		if op == sam.OpRequest {
			k.offers = append(k.offers[max(0, len(k.offers)-32):], o.Request)
			return
		}
		var req sap.RegistrationRequest
		if err := sap.OpenStatement(k.StatementKey(), sap.LabelRegistration, o.Request, &req); err != nil {
			k.t.Fatal(err)
		}
		k.enrols[req.ID] = o.Request
	case sam.OpEnrolOpen:
		k.see("enrolment", m["id"].(string))
		k.codes[m["id"].(string)] = m["code"].(string)
	case sam.OpPropose:
		id := m["id"].(string)
		k.see("proposal", id)
		if k.rnd.IntN(2) == 0 { // a second officer who agrees at once
			status, _ := k.call(k.certs[sam.RoleOfficer][k.rnd.IntN(2)], "POST", sapclient.PathApprove, body(k.t, sapclient.ProposalIn{ID: id}))
			if status == http.StatusOK {
				k.done[sam.OpApprove]++
				k.judge(sam.OpApprove, sam.RoleOfficer)
			}
			k.look(sam.OpApprove, sam.RoleOfficer)
		}
	case sam.OpGenerate:
		k.learnKeys()
		var o sapclient.Credential
		if err := json.Unmarshal(out, &o); err != nil {
			k.t.Fatal(err)
		}
		if others := k.bytes["chain"]; k.rnd.IntN(2) == 0 { // while it waits for its certificate: another one's
			role := sam.RoleOfficer
			status, _ := k.call(k.certs[role][k.rnd.IntN(2)], "POST", sapclient.PathCertificate,
				body(k.t, map[string]any{"key": o.Key, "chain": [][]byte{pick(k, others), k.CA.Cert.Raw}}))
			if status == http.StatusOK {
				k.judge(sam.OpLink, role)
			}
		}
		k.bytes["chain"], k.made = append(k.bytes["chain"], k.CA.Issue(k.t, o.CSR, k.Clock.Now(), nil).Raw), o.Key
	}
}

// look examines every key use since the last look: of a victim's key only what
// the victim approved, once.
func (k *walker) look(op sam.Op, role sam.Role) {
	log := k.Token.Log()
	for _, use := range log[k.checked:] {
		owed, victim := k.allowed[string(use.Public)]
		if !victim {
			continue
		}
		if op == sam.OpGenerate && len(owed) == 0 {
			continue // the proof of possession of the key that this call made
		}
		for _, d := range use.Digests {
			if owed[string(d)]--; owed[string(d)] < 0 {
				k.found(op, role, "a victim's key signed %x", d)
			}
		}
	}
	k.checked = len(log)
}

// honest lets a victim approve something, and the signing application redeem it.
func (k *walker) honest() {
	s := pick(k, k.victims)
	signed, err := k.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
	if err != nil {
		return // the key was destroyed, or the passkey is locked, by those who may
	}
	req, err := sap.OpenActivationRequest(k.StatementKey(), signed)
	if err != nil {
		k.t.Fatal(err)
	}
	doc := make([]byte, 32)
	_, _ = rand.Read(doc)
	item, err := sap.NewPAdESItem(0, "walk.pdf", algo.ES256, doc, s.Cert.Raw)
	if err != nil {
		k.t.Fatal(err)
	}
	full, err := s.Device.SAD(req, []sap.Item{item})
	if err != nil {
		k.t.Fatal(err)
	}
	sad, proof, err := s.Device.Sign(full)
	if err != nil {
		k.t.Fatal(err)
	}
	dtbsr, err := sap.UnB64(item.DTBSR)
	if err != nil {
		k.t.Fatal(err)
	}
	k.learnKeys()
	for public := range k.allowed {
		k.allowed[public][string(dtbsr)] = 0
	}
	k.allowed[k.public(s.Key)][string(dtbsr)] = 1
	if k.rnd.IntN(12) == 0 { // a failing token closes the module, and an officer opens it again
		k.Token.Spoil(true)
		defer k.Token.Spoil(false)
	}
	if _, err := k.Redeem(sad, proof); err == nil {
		k.signed++
		k.bytes["sad"], k.bytes["proof"] = append(k.bytes["sad"], sad), append(k.bytes["proof"], proof)
		k.spent = append(k.spent, sapclient.RedeemIn{SAD: sad, Proof: proof, Evidence: []byte("[]")})
	}
	k.look(sam.OpRedeem, sam.RoleSSPU)
}

// honestOnce lets a victim approve that a one-time key is made; what it signs is
// not approved with that.
func (k *walker) honestOnce() {
	s, sspu := pick(k, k.victims), k.certs[sam.RoleSSPU][0]
	status, out := k.call(sspu, "POST", sapclient.PathOnceRequest, body(k.t, sapclient.OnceRequestIn{
		Signer: s.ID, KeyType: "P-256", Policy: "standard", Subject: "CN=DEMO Signer " + s.ID,
	}))
	if status != http.StatusOK {
		return // closed, or locked, by those who may
	}
	k.done[sam.OpOnceRequest]++
	var offer sapclient.OnceRequestOut
	if err := json.Unmarshal(out, &offer); err != nil {
		k.t.Fatal(err)
	}
	statement, proof, err := s.Device.ApproveOnce(k.StatementKey(), offer.Request)
	if err != nil {
		k.t.Fatal(err)
	}
	if status, out = k.call(sspu, "POST", sapclient.PathOnceApprove, body(k.t, sapclient.OnceApproveIn{Statement: statement, Proof: proof})); status != http.StatusOK {
		return
	}
	k.look(sam.OpOnceApprove, sam.RoleSSPU) // the proof of possession, of a key that is not known yet
	k.done[sam.OpOnceApprove]++
	k.harvest(sam.OpOnceApprove, out)
	var made sapclient.OnceApproveOut
	if err := json.Unmarshal(out, &made); err != nil {
		k.t.Fatal(err)
	}
	k.once = made.Key
	cert, err := x509.ParseCertificate(made.Chain[0])
	if err != nil {
		k.t.Fatal(err)
	}
	k.allowed[string(cert.RawSubjectPublicKeyInfo)] = map[string]int{}
	k.bytes["statement"], k.bytes["proof"] = append(k.bytes["statement"], statement), append(k.bytes["proof"], proof)
}

func (k *walker) public(key string) (out string) {
	err := k.Store.View(context.Background(), func(tx *sam.Tx) error {
		c, err := tx.Credentials.Get(key)
		if err == nil {
			out = string(c.Public)
		}
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}
