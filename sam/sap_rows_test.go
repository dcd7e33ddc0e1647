package sam_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samsqlite"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
)

// known makes the module know a second application.
func known(t *testing.T, w *samtest.World, name string) {
	t.Helper()
	if _, err := w.M.Info(context.Background(), sam.Caller{Identity: name, Role: sam.RoleSSPU}); err != nil {
		t.Fatal(err)
	}
}

// loosely encodes a message without looking at its form.
func loosely(t *testing.T, v any) []byte {
	t.Helper()
	text, err := jcs.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// flip is another value of one field of a SAD that is still well formed, and the
// reasons of its refusal: when the SSA changes it behind the device, and when the
// device itself signs the changed SAD (a lying page).
type flip struct {
	change      func(s *sap.SAD, other *samtest.Signer)
	edited, own sap.Reason
}

// sadFields is one flip for every field of a SAD. "" for own: what the device
// states itself and nobody else knows; signing it is the approval.
func sadFields() map[string]flip {
	digest := otherDigest()
	set := func(edited, own sap.Reason, f func(*sap.SAD)) flip {
		return flip{func(s *sap.SAD, _ *samtest.Signer) { f(s) }, edited, own}
	}
	return map[string]flip{
		"Type":          set(sap.ReasonType, sap.ReasonType, func(s *sap.SAD) { s.Type = sap.TypeReceipt }),
		"Bind.Audience": set(sap.ReasonAudience, sap.ReasonAudience, func(s *sap.SAD) { s.Bind.Audience = samtest.Cluster + "#9" }),
		"Bind.Session":  set(sap.ReasonSession, sap.ReasonSession, func(s *sap.SAD) { s.Bind.Session = sap.B64(bytes.Repeat([]byte{7}, sap.SessionLen)) }),
		"Bind.Nonce":    set(sap.ReasonBinding, sap.ReasonBinding, func(s *sap.SAD) { s.Bind.Nonce = digest }),
		"Bind.Signer":   {func(s *sap.SAD, o *samtest.Signer) { s.Bind.Signer = o.ID }, sap.ReasonBinding, sap.ReasonBinding},
		"Bind.Key":      {func(s *sap.SAD, o *samtest.Signer) { s.Bind.Key = o.Key }, sap.ReasonBinding, sap.ReasonBinding},
		"Bind.Cert":     set(sap.ReasonBinding, sap.ReasonBinding, func(s *sap.SAD) { s.Bind.Cert = digest }),
		"Bind.Alg":      set(sap.ReasonBinding, sap.ReasonBinding, func(s *sap.SAD) { s.Bind.Alg = "ES384" }),
		"Bind.Caller":   set(sap.ReasonCaller, sap.ReasonCaller, func(s *sap.SAD) { s.Bind.Caller = "ssad-2" }),
		"Bind.Policy":   set(sap.ReasonBinding, sap.ReasonBinding, func(s *sap.SAD) { s.Bind.Policy = "bulk" }),
		"Bind.N": set(sap.ReasonBinding, sap.ReasonBinding, func(s *sap.SAD) {
			s.Bind.N, s.Items = 1, s.Items[:1]
		}),
		"Bind.IssuedAt": set(sap.ReasonBinding, sap.ReasonBinding, func(s *sap.SAD) { s.Bind.IssuedAt-- }),
		"Bind.Expires":  set(sap.ReasonBinding, sap.ReasonBinding, func(s *sap.SAD) { s.Bind.Expires++ }),
		"Auth.Method":   set(sap.ReasonCarrier, sap.ReasonCarrier, func(s *sap.SAD) { s.Auth.Method = sap.CarrierJWS }),
		"Auth.Cred": {func(s *sap.SAD, o *samtest.Signer) { s.Auth.Cred = sap.B64(o.Device.ID) },
			sap.ReasonAuthenticator, sap.ReasonAuthenticator},
		"Ctx.Operation": set(sap.ReasonChallenge, "", func(s *sap.SAD) { s.Ctx.Operation = "op-2" }),
		"Ctx.Asker":     set(sap.ReasonChallenge, "", func(s *sap.SAD) { s.Ctx.Asker = "Somebody Else" }),
		"Ctx.Purpose":   set(sap.ReasonChallenge, "", func(s *sap.SAD) { s.Ctx.Purpose = "something else" }),
		"Ctx.Level":     set(sap.ReasonChallenge, "", func(s *sap.SAD) { s.Ctx.Level = "B-T" }),
		"Items.I":       set(sap.ReasonCount, sap.ReasonCount, func(s *sap.SAD) { s.Items[0].I = 1 }),
		"Items.Kind":    set(sap.ReasonChallenge, sap.ReasonItemKind, func(s *sap.SAD) { s.Items[0].Kind = sap.KindCAdES }),
		"Items.Name":    set(sap.ReasonChallenge, "", func(s *sap.SAD) { s.Items[0].Name = "harmless.pdf" }),
		"Items.Hash":    set(sap.ReasonDigest, sap.ReasonDigest, func(s *sap.SAD) { s.Items[0].Hash = "sha384" }),
		"Items.Doc":     set(sap.ReasonChallenge, sap.ReasonDTBSR, func(s *sap.SAD) { s.Items[0].Doc = digest }),
		"Items.DTBSR":   set(sap.ReasonChallenge, sap.ReasonDTBSR, func(s *sap.SAD) { s.Items[0].DTBSR = digest }),
	}
}

// xadesFields is one flip for every property of an XAdES signature: what the SSA
// changes breaks the approval, and what the device says besides what it hashed is not what
// the module rebuilds.
func xadesFields() map[string]flip {
	add := func(s *sap.SAD, _ *samtest.Signer) {
		x := samtest.XAdES()
		s.Items[0].XAdES = &x
	}
	out := map[string]flip{"Items.XAdES": {add, sap.ReasonEvidence, sap.ReasonEvidence}} // in an item of kind pades
	for path, f := range map[string]func(x *sap.XAdES){
		"ID":          func(x *sap.XAdES) { x.ID = "another" },
		"Form":        func(x *sap.XAdES) { x.Form = sap.XAdESParallel },
		"Time":        func(x *sap.XAdES) { x.Time++ },
		"MIME":        func(x *sap.XAdES) { x.MIME = "application/xml" },
		"Description": func(x *sap.XAdES) { x.Description = "" },
		"Commitments": func(x *sap.XAdES) {
			x.Commitments = append(x.Commitments, "http://uri.etsi.org/01903/v1.2.2#ProofOfApproval")
		},
		"Roles":         func(x *sap.XAdES) { x.Roles[0] = "Seller" },
		"Place.City":    func(x *sap.XAdES) { x.Place.City = "Berlin" },
		"Place.Street":  func(x *sap.XAdES) { x.Place.Street = "" },
		"Place.State":   func(x *sap.XAdES) { x.Place.State = "Berlin" },
		"Place.Postal":  func(x *sap.XAdES) { x.Place.Postal = "10115" },
		"Place.Country": func(x *sap.XAdES) { x.Place.Country = "DE" },
		"Policy.ID":     func(x *sap.XAdES) { x.Policy.ID = "urn:oid:1.2.3.5" },
		"Policy.Hash":   func(x *sap.XAdES) { x.Policy = sap.XAdESPolicy{ID: x.Policy.ID, Hash: "sha256", Digest: otherDigest()} },
		"Policy.Digest": func(x *sap.XAdES) { x.Policy.Digest = sap.B64(bytes.Repeat([]byte{1}, 64)) },

		"Objects.Part":             func(x *sap.XAdES) { x.Objects.Part = "order" },
		"Objects.More":             func(x *sap.XAdES) { x.Objects.More = nil },
		"Objects.More.Name":        func(x *sap.XAdES) { x.Objects.More[0].Name = "order" },
		"Objects.More.Doc":         func(x *sap.XAdES) { x.Objects.More[0].Doc = otherDigest() },
		"Objects.More.MIME":        func(x *sap.XAdES) { x.Objects.More[0].MIME = "application/xml" },
		"Objects.More.Description": func(x *sap.XAdES) { x.Objects.More[0].Description = "" },
	} {
		out["Items.XAdES."+path] = flip{func(s *sap.SAD, _ *samtest.Signer) { f(s.Items[0].XAdES) }, sap.ReasonChallenge, sap.ReasonDTBSR}
	}
	return out
}

// leaves are the paths of a struct's fields, lists taken as their elements.
func leaves(t reflect.Type, path string) []string {
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return []string{path}
	}
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		out = append(out, leaves(f.Type, strings.TrimPrefix(path+"."+f.Name, "."))...)
	}
	return out
}

// SAP-01, SAP-11, IAM-05: the SAD names signer, key and every DTBS/R, and each field of it counts:
// changed behind the device, and changed before it signs, each is refused for its
// own reason, without a key use. A field that is added to the SAD and not to this
// table fails the test.
func TestSAP01EachFieldFlipped(t *testing.T) {
	fields := sadFields()
	maps.Copy(fields, xadesFields())
	for _, path := range leaves(reflect.TypeOf(sap.SAD{}), "") {
		if _, ok := fields[path]; !ok {
			t.Errorf("the SAD has a field %s that no case flips", path)
		}
	}
	w := samtest.New(t, func(c *sam.Config) { c.LockoutLimit, c.OpenSessions = 1000, 1000 })
	alice, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	known(t, w, "ssad-2")
	for path, f := range fields {
		for name, want := range map[string]sap.Reason{"edited by the SSA": f.edited, "signed by the device": f.own} {
			t.Run(path+"/"+name, func(t *testing.T) {
				req := w.Ask(alice, 2)
				items := alice.Items(t, req, 2)
				if strings.HasPrefix(path, "Items.XAdES.") {
					items = alice.XMLItems(t, req, 2)
				}
				if strings.HasPrefix(path, "Items.XAdES.Objects.") {
					items = alice.XMLItemsOf(t, req, 2, samtest.XAdESBeside)
				}
				s, err := alice.Device.SAD(req, items)
				if err != nil {
					t.Fatal(err)
				}
				_, proof, err := alice.Device.Sign(s)
				if err != nil {
					t.Fatal(err)
				}
				before := loosely(t, s)
				f.change(s, bob)
				text := loosely(t, s)
				if bytes.Equal(text, before) {
					t.Fatal("nothing was flipped")
				}
				if name == "signed by the device" {
					nonce, err := sap.UnB64(req.Bind.Nonce)
					if err != nil {
						t.Fatal(err)
					}
					if proof, err = alice.Device.Assert(nonce, text); err != nil {
						t.Fatal(err)
					}
				}
				redeem := func() error { _, err := w.Redeem(text, proof); return err }
				if want == "" {
					if err := redeem(); err != nil {
						t.Errorf("what the signer approved was refused: %v", err)
					}
					return
				}
				refused(t, w, want, redeem)
			})
		}
	}
	w.Check()
}

// SAP-05: nonces come from the module, are 256 bits, never the same, and each
// belongs to one session, signer and key: of all ways to put session, nonce and the
// rest of four requests together, only those that were issued are taken.
func TestSAP05NonceBelongsToSessionSignerKey(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.OpenSessions = 1000 })
	alice, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	second := *alice
	w.NewKey(&second, algo.P256)
	seen := map[string]bool{}
	for range 300 {
		b := w.Ask(alice, 1).Bind
		if n, err := sap.UnB64(b.Nonce); err != nil || len(n) != 32 || seen[b.Nonce] || seen[b.Session] || b.Nonce == b.Session {
			t.Fatalf("nonce %q, session %q: %v", b.Nonce, b.Session, err)
		}
		seen[b.Nonce], seen[b.Session] = true, true
	}
	signers := []*samtest.Signer{alice, alice, &second, bob}
	var asked []*sap.ActivationRequest
	for _, s := range signers {
		asked = append(asked, w.Ask(s, 1))
	}
	tried := 0
	for session := range asked {
		for nonce := range asked {
			for owner := range asked {
				mixed := asked[owner].Bind
				mixed.Session, mixed.Nonce = asked[session].Bind.Session, asked[nonce].Bind.Nonce
				if mixed == asked[session].Bind {
					continue // as it was issued
				}
				a := sign(t, w, signers[owner], 1, func(x *sap.SAD) { x.Bind = mixed })
				tried++
				refused(t, w, sap.ReasonBinding, func() error { _, err := w.Redeem(a.sad, a.proof); return err })
			}
		}
	}
	if tried != 58 {
		t.Errorf("%d combinations were tried, want 58", tried)
	}
	for i, s := range signers {
		a := sign(t, w, s, 1, func(x *sap.SAD) { x.Bind = asked[i].Bind })
		if _, err := w.Redeem(a.sad, a.proof); err != nil {
			t.Errorf("request %d as it was issued: %v", i, err)
		}
	}
	w.Check()
}

// SAP-04: a second node. On the same database, or on a copy of it with the same
// anchor, a second module does not open while the first lives; a node of another
// cluster or epoch refuses the first one's approvals; and when the first is gone,
// a node on the older copy does not open either.
func TestSAP04SecondNodeRefuses(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 1)
	closeAll(t, w)
	copied := filepath.Join(t.TempDir(), "sam.db")
	samtest.CopyFile(t, w.DB(), copied)
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Fatal(err)
	}
	second := func(path string, cfg sam.Config) error {
		db, err := samsqlite.Open(samsqlite.Config{Path: path})
		if err != nil {
			return err
		}
		cfg.Store = db
		m, err := sam.Open(context.Background(), cfg)
		if err == nil { // closed, for two officers to look at
			_, err = m.Redeem(context.Background(), samtest.SSPU, sad, proof, []byte("[]"))
			return errors.Join(err, m.Close())
		}
		return err
	}
	uses := w.Token.Uses()
	if err := second(w.DB(), w.Cfg); err == nil {
		t.Error("two nodes on one database")
	}
	if err := second(copied, w.Cfg); !errors.Is(err, sam.ErrOpen) || !strings.Contains(err.Error(), "another samd") {
		t.Errorf("a copy of the database, while the first lives: %v", err)
	}
	own := w.Cfg
	own.AnchorPath = filepath.Join(t.TempDir(), "anchor")
	if err := second(copied, own); !errors.Is(err, sam.ErrOpen) || !strings.Contains(err.Error(), "anchor") {
		t.Errorf("a copy of the database without the anchor: %v", err)
	}
	w.Stop() // without a last word: the anchor is the one of the start
	if err := second(copied, w.Cfg); !errors.Is(err, sam.ErrClosed) || !strings.Contains(err.Error(), "older than the anchor") {
		t.Errorf("an older copy, after the first: %v", err)
	}
	if w.Token.Uses() != uses {
		t.Error("a second node used the key")
	}
	// The module's own restart is none of these.
	if err := w.Open(); err != nil {
		t.Fatal(err)
	}
	other := samtest.New(t, func(c *sam.Config) { c.Cluster = "elsewhere" })
	known(t, other, samtest.SSPU.Identity)
	refused(t, other, sap.ReasonAudience, func() error { _, err := other.Redeem(sad, proof); return err })
	w.Check()
}

// IAM-05: a signer acts on the own record and key only: each field by which a
// request, an approval or its proof can name signer, key or authenticator,
// exchanged with another signer's.
func TestIAM05OwnRecordAndKeyOnly(t *testing.T) {
	w := samtest.New(t, func(c *sam.Config) { c.LockoutLimit = 1000 })
	alice, bob := w.NewSigner("alice", algo.P256), w.NewSigner("bob", algo.P256)
	ctx := context.Background()
	ask := func(signer, key string) func() error {
		return func() error {
			_, err := w.M.Request(ctx, samtest.SSPU, sam.Ask{Signer: signer, Key: key, N: 1})
			return err
		}
	}
	refused(t, w, sap.ReasonSigner, ask(alice.ID, bob.Key))
	refused(t, w, sap.ReasonSigner, ask(bob.ID, alice.Key))
	for name, c := range map[string]struct {
		want   sap.Reason
		change func(*sap.SAD)
	}{
		"signer":                   {sap.ReasonBinding, func(s *sap.SAD) { s.Bind.Signer = bob.ID }},
		"key":                      {sap.ReasonBinding, func(s *sap.SAD) { s.Bind.Key = bob.Key }},
		"signer and key":           {sap.ReasonBinding, func(s *sap.SAD) { s.Bind.Signer, s.Bind.Key = bob.ID, bob.Key }},
		"authenticator":            {sap.ReasonAuthenticator, func(s *sap.SAD) { s.Auth.Cred = sap.B64(bob.Device.ID) }},
		"everything but the proof": {sap.ReasonBinding, func(s *sap.SAD) { s.Bind.Signer, s.Bind.Key, s.Auth.Cred = bob.ID, bob.Key, sap.B64(bob.Device.ID) }},
	} {
		t.Run("SAD names bob: "+name, func(t *testing.T) {
			a := sign(t, w, alice, 1, c.change)
			refused(t, w, c.want, func() error { _, err := w.Redeem(a.sad, a.proof); return err })
		})
	}
	for name, pretend := range map[string]struct {
		want   sap.Reason
		id     []byte
		device *samtest.Device
	}{
		"bob's device for alice's request":                    {sap.ReasonAuthenticator, bob.Device.ID, bob.Device},
		"bob's device under alice's credential id":            {sap.ReasonSignature, alice.Device.ID, bob.Device},
		"alice's device under bob's credential id, own proof": {sap.ReasonAuthenticator, bob.Device.ID, alice.Device},
	} {
		t.Run(name, func(t *testing.T) {
			d := *pretend.device
			d.ID = pretend.id
			x := *alice
			x.Device = &d
			a := sign(t, w, &x, 1, nil)
			refused(t, w, pretend.want, func() error { _, err := w.Redeem(a.sad, a.proof); return err })
		})
	}
	t.Run("proof names bob's credential", func(t *testing.T) {
		a := sign(t, w, alice, 1, nil)
		p, err := sap.DecodeAssertion(a.proof)
		if err != nil {
			t.Fatal(err)
		}
		p.Credential = sap.B64(bob.Device.ID)
		a.proof = loosely(t, p)
		refused(t, w, sap.ReasonAuthenticator, func() error { _, err := w.Redeem(a.sad, a.proof); return err })
	})
	for _, s := range []*samtest.Signer{alice, bob} {
		sad, proof := w.Approve(s, 1)
		if _, err := w.Redeem(sad, proof); err != nil {
			t.Errorf("%s's own: %v", s.ID, err)
		}
	}
	w.Check()
}

// SAP-15: who brings the DTBS/R is authenticated, stands in the request that the
// device signs, and is in the record of the request, of the reservation and of
// the signature. An application that is not known gets no request; one that is
// known cannot redeem what another asked for.
func TestSAP15SourceIsKnownAndRecorded(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	known(t, w, "ssad-2")
	ctx := context.Background()
	for _, c := range []sam.Caller{{Identity: "", Role: sam.RoleSSPU}, {Identity: "ssad-1"}, samtest.Officer, samtest.Auditor} {
		refused(t, w, sap.ReasonRole, func() error {
			_, err := w.M.Request(ctx, c, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
			return err
		})
	}
	req := w.Ask(s, 1)
	if req.Bind.Caller != samtest.SSPU.Identity {
		t.Errorf("the request names %q", req.Bind.Caller)
	}
	full, err := s.Device.SAD(req, s.Items(t, req, 1))
	if err != nil {
		t.Fatal(err)
	}
	sad, proof, err := s.Device.Sign(full)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, w, sap.ReasonCaller, func() error {
		_, err := w.M.Redeem(ctx, sam.Caller{Identity: "ssad-2", Role: sam.RoleSSPU}, sad, proof, []byte("[]"))
		return err
	})
	if _, err := w.Redeem(sad, proof); err != nil {
		t.Fatal(err)
	}
	recorded := map[string]string{}
	for _, r := range w.Records() {
		recorded[r.Type] = r.Actor
	}
	for _, event := range []string{sam.EventRequested, sam.EventReserved, sam.EventSigned} {
		if recorded[event] != "sspu:ssad-1" {
			t.Errorf("%s was recorded for %q", event, recorded[event])
		}
	}
}

// SGN-01: the token signs the digests that stand in the SAD, in its order, with
// its algorithm, and nothing else: redemption takes no digest beside the SAD.
// Digests that do not fit the hash, and another algorithm, are refused.
func TestSGN01TokenSignsWhatTheSADSays(t *testing.T) {
	w := samtest.New(t)
	for _, c := range []struct {
		kt   algo.KeyType
		alg  string
		hash string
	}{{algo.P256, "ES256", "sha384"}, {algo.P384, "ES384", "sha256"}, {algo.RSA3072, "PS256", "sha512"}, {algo.RSA3072, "PS512", "sha256"}} {
		t.Run(c.alg+" on "+string(c.kt), func(t *testing.T) {
			id := strings.ToLower(c.alg + "-" + string(c.kt))
			s := w.NewSigner(id, c.kt)
			approve := func(change func(*sap.SAD)) ([]byte, []byte, *sap.SAD) {
				req := w.AskFor(samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, Alg: c.alg, N: 3})
				full, err := s.Device.SAD(req, s.Items(t, req, 3))
				if err != nil {
					t.Fatal(err)
				}
				change(full)
				text := loosely(t, full)
				nonce, err := sap.UnB64(req.Bind.Nonce)
				if err != nil {
					t.Fatal(err)
				}
				proof, err := s.Device.Assert(nonce, text)
				if err != nil {
					t.Fatal(err)
				}
				return text, proof, full
			}
			sad, proof, full := approve(func(*sap.SAD) {})
			if _, err := w.Redeem(sad, proof); err != nil {
				t.Fatal(err)
			}
			log := w.Token.Log()
			last := log[len(log)-1]
			if last.Alg.String() != c.alg || len(last.Digests) != 3 {
				t.Fatalf("the token was asked for %d signatures with %s", len(last.Digests), last.Alg)
			}
			for i, d := range last.Digests {
				if sap.B64(d) != full.Items[i].DTBSR || len(d) != last.Alg.Hash().Size() {
					t.Errorf("item %d: signed %x, approved %s", i, d, full.Items[i].DTBSR)
				}
			}
			for name, m := range map[string]struct {
				want   sap.Reason
				change func(*sap.SAD)
			}{
				"a digest too long":  {sap.ReasonDigest, func(s *sap.SAD) { s.Items[1].DTBSR += "AAAA" }},
				"a digest too short": {sap.ReasonDigest, func(s *sap.SAD) { s.Items[1].DTBSR = s.Items[1].DTBSR[:40] }},
				"another hash":       {sap.ReasonDigest, func(s *sap.SAD) { s.Items[2].Hash = c.hash }},
				"another algorithm": {sap.ReasonBinding, func(s *sap.SAD) {
					s.Bind.Alg = map[string]string{"ES256": "ES384", "ES384": "ES256", "PS256": "RS256", "PS512": "PS384"}[c.alg]
				}},
			} {
				sad, proof, _ := approve(m.change)
				err := func() error { _, err := w.Redeem(sad, proof); return err }
				var ref *sam.Refusal
				if got := err(); !errors.As(got, &ref) || ref.Reason != m.want {
					t.Errorf("%s: %v, want %s", name, got, m.want)
				}
			}
			if n := len(w.Token.Log()); n != len(log) {
				t.Errorf("%d key uses for refused approvals", n-len(log))
			}
		})
	}
	w.Check()
}

// SGN-05: an approval activates nothing that lasts. After a signature, at once or
// later, after a restart or not, the next one needs an approval of its own:
// whatever the application can still bring gets the old answer or a refusal.
func TestSGN05NoSecondSignatureWithoutApproval(t *testing.T) {
	w := samtest.New(t)
	s := w.NewSigner("alice", algo.P256)
	sad, proof := w.Approve(s, 1)
	first, err := w.Redeem(sad, proof)
	if err != nil {
		t.Fatal(err)
	}
	uses := w.Token.Uses()
	full, err := sap.DecodeSAD(sad)
	if err != nil {
		t.Fatal(err)
	}
	changed := *full
	changed.Items = slices.Clone(full.Items)
	changed.Items[0].Doc = otherDigest()
	for _, restart := range []bool{false, true} {
		if restart {
			w.Crash()
		}
		if again, err := w.Redeem(sad, proof); err != nil || !bytes.Equal(again, first) {
			t.Errorf("the same bytes: %v", err)
		}
		for name, c := range map[string]struct {
			want       sap.Reason
			sad, proof []byte
		}{
			"the proof alone":         {sap.ReasonEncoding, nil, proof},
			"the SAD alone":           {sap.ReasonEncoding, sad, nil},
			"another document":        {sap.ReasonConsumed, loosely(t, &changed), proof},
			"a proof spelt otherwise": {sap.ReasonEncoding, sad, append(slices.Clone(proof), ' ')},
		} {
			t.Run(fmt.Sprintf("%s/restart=%v", name, restart), func(t *testing.T) {
				refused(t, w, c.want, func() error { _, err := w.Redeem(c.sad, c.proof); return err })
			})
		}
		fresh := w.Ask(s, 1) // a new request is no approval
		reused := *full
		reused.Bind = fresh.Bind
		refused(t, w, sap.ReasonChallenge, func() error { _, err := w.Redeem(loosely(t, &reused), proof); return err })
	}
	if w.Token.Uses() != uses {
		t.Errorf("%d key uses without an approval", w.Token.Uses()-uses)
	}
	w.Check()
}
