package sap

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/assent-sign/assent/internal/jcs"
)

const successionTime = 1_800_000_000_000

// succession says that key next follows key old in an epoch.
func succession(t testing.TB, old, next detKey, epoch int64) Succession {
	t.Helper()
	return Succession{
		Type: TypeSuccession, Audience: "demo#1", Instance: "chain-1", Epoch: epoch, Old: must[string](t)(KeyID(old.Public())),
		New: must[string](t)(KeyID(next.Public())), Public: B64(spki(t, next.Public())), Time: successionTime + epoch*1000, Mode: ModeSuccession,
	}
}

func signSuccession(t testing.TB, s Succession, old, next crypto.Signer) SignedSuccession {
	t.Helper()
	text := mustJCS(t, s)
	out := SignedSuccession{Statement: B64(text), Proof: B64(must[[]byte](t)(Sign(next, LabelSuccessionProof, text)))}
	if s.Mode != ModeReplacement {
		out.Signature = B64(must[[]byte](t)(Sign(old, LabelSuccession, text)))
	}
	return out
}

// fixedChain is the keys of n epochs, the first of them "sam", and what leads from one to the next.
func fixedChain(t testing.TB, n int) (keys []detKey, chain []SignedSuccession) {
	t.Helper()
	keys = []detKey{fixedKey(t, "sam")}
	for i := 2; i <= n; i++ {
		next := fixedKey(t, fmt.Sprint("sam-", i))
		chain = append(chain, signSuccession(t, succession(t, keys[len(keys)-1], next, int64(i)), keys[len(keys)-1], next))
		keys = append(keys, next)
	}
	return keys, chain
}

// KPR-06: from a pinned key, each key that follows is found with the time when it went out
// of use; from a later pin the earlier ones are not believed; a pin outside of the chain is
// refused, and without a chain there is only the pin.
func TestKPR06ChainOfStatementKeys(t *testing.T) {
	keys, chain := fixedChain(t, 4)
	id := func(k detKey) string { return must[string](t)(KeyID(k.Public())) }
	for pin := range keys {
		r, err := NewKeyring(&keys[pin].PublicKey, chain)
		if err != nil || r.Len() != len(keys)-pin || r.Last().ID != id(keys[3]) || r.Last().Until != 0 || r.Last().Epoch != 4 {
			t.Fatalf("pin %d: %+v, %v", pin, r, err)
		}
		for i, k := range keys {
			got, err := r.Find(id(k))
			if i < pin {
				wantReason(t, err, ReasonSAMSignature)
				continue
			}
			until := int64(0)
			if i < 3 {
				until = successionTime + int64(i+2)*1000
			}
			if err != nil || got.Until != until || got.Epoch != int64(i+1) || !got.Public.Equal(k.Public()) {
				t.Errorf("pin %d, key %d: %+v, %v", pin, i, got, err)
			}
			if until != 0 {
				wantReason(t, got.At(until+1), ReasonSuccession)
			}
			if err := got.At(max(until, 1)); err != nil {
				t.Errorf("pin %d, key %d, in time: %v", pin, i, err)
			}
		}
	}
	other := fixedKey(t, "other")
	_, err := NewKeyring(&other.PublicKey, chain)
	wantReason(t, err, ReasonSuccession)
	r, err := NewKeyring(&other.PublicKey, nil)
	if err != nil || r.Len() != 1 || r.Last().Until != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = NewKeyring(&keys[2].PublicKey, chain[2:]) // what is before the pin may be missing
	if err != nil || r.Last().ID != id(keys[3]) {
		t.Errorf("%+v, %v", r, err)
	}
}

// KPR-06: forks, gaps, loops, orders, other modules, and keys that their predecessor did not
// vouch for are refused.
func TestKPR06ChainsThatDoNotHold(t *testing.T) {
	keys, chain := fixedChain(t, 4)
	evil := fixedKey(t, "evil")
	edit := func(i int, old, next detKey, f func(*Succession)) []SignedSuccession {
		s := succession(t, keys[i], keys[i+1], int64(i+2))
		f(&s)
		out := slices.Clone(chain)
		out[i] = signSuccession(t, s, old, next)
		return out
	}
	same := func(*Succession) {}
	fork := signSuccession(t, succession(t, keys[1], evil, 3), keys[1], evil)
	back := succession(t, keys[3], keys[0], 5)
	long := slices.Repeat(chain[:1], MaxSuccessions+1)
	for name, c := range map[string]struct {
		list []SignedSuccession
		want Reason
	}{
		"a gap":                {[]SignedSuccession{chain[0], chain[2]}, ReasonSuccession},
		"another order":        {[]SignedSuccession{chain[1], chain[0], chain[2]}, ReasonSuccession},
		"one twice":            {[]SignedSuccession{chain[0], chain[0]}, ReasonSuccession},
		"a fork behind":        {append(slices.Clone(chain[:2]), fork), ReasonSuccession},
		"a fork that goes on":  {append([]SignedSuccession{chain[0], fork}, chain[2]), ReasonSuccession},
		"a loop":               {append(slices.Clone(chain), signSuccession(t, back, keys[3], keys[0])), ReasonSuccession},
		"too long":             {long, ReasonTooLarge},
		"old key did not sign": {edit(1, evil, keys[2], same), ReasonSuccession},
		"new key did not sign": {edit(1, keys[1], evil, same), ReasonSuccession},
		"signatures changed places": {func() []SignedSuccession {
			l := slices.Clone(chain)
			l[1].Signature, l[1].Proof = l[1].Proof, l[1].Signature
			return l
		}(), ReasonSuccession},
		"proof under the wrong label": {func() []SignedSuccession {
			l := slices.Clone(chain)
			text := must[[]byte](t)(UnB64(l[1].Statement))
			l[1].Proof = B64(must[[]byte](t)(Sign(keys[2], LabelSuccession, text)))
			return l
		}(), ReasonSuccession},
		"another module":            {edit(1, keys[1], keys[2], func(s *Succession) { s.Instance = "chain-2" }), ReasonSuccession},
		"another cluster":           {edit(1, keys[1], keys[2], func(s *Succession) { s.Audience = "demo2#1" }), ReasonSuccession},
		"an epoch left out":         {edit(1, keys[1], keys[2], func(s *Succession) { s.Epoch = 4 }), ReasonSuccession},
		"older than the one before": {edit(1, keys[1], keys[2], func(s *Succession) { s.Time = successionTime }), ReasonSuccession},
		"no time":                   {edit(1, keys[1], keys[2], func(s *Succession) { s.Time = 0 }), ReasonEncoding},
		"no epoch":                  {edit(0, keys[0], keys[1], func(s *Succession) { s.Epoch = 1 }), ReasonEncoding},
		"epoch over the bound":      {edit(0, keys[0], keys[1], func(s *Succession) { s.Epoch = MaxSuccessions + 2 }), ReasonEncoding},
		"no cluster":                {edit(0, keys[0], keys[1], func(s *Succession) { s.Audience = "demo" }), ReasonEncoding},
		"follows itself":            {edit(0, keys[0], keys[1], func(s *Succession) { s.Old = s.New }), ReasonEncoding},
		"id of another key":         {edit(0, keys[0], keys[1], func(s *Succession) { s.New = must[string](t)(KeyID(evil.Public())) }), ReasonEncoding},
		"unknown mode":              {edit(0, keys[0], keys[1], func(s *Succession) { s.Mode = "x" }), ReasonEncoding},
		"unknown type":              {edit(0, keys[0], keys[1], func(s *Succession) { s.Type = TypeReceipt }), ReasonType},
		"replacement that claims more": {func() []SignedSuccession {
			l := edit(1, keys[1], keys[2], func(s *Succession) { s.Mode = ModeReplacement })
			l[1].Signature = chain[1].Signature
			return l
		}(), ReasonEncoding},
		"succession without signature": {func() []SignedSuccession { l := slices.Clone(chain); l[1].Signature = ""; return l }(), ReasonEncoding},
	} {
		_, err := NewKeyring(&keys[0].PublicKey, c.list)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		wantReason(t, err, c.want)
	}
}

// KPR-06: a replaced key leads nowhere: the new one is believed by who pinned it only, and
// neither is what follows it.
func TestKPR06ReplacementIsNotBelieved(t *testing.T) {
	keys, chain := fixedChain(t, 4)
	s := succession(t, keys[1], keys[2], 3)
	s.Mode = ModeReplacement
	chain[1] = signSuccession(t, s, nil, keys[2])
	for pin, want := range []int{2, 1, 2, 1} {
		r, err := NewKeyring(&keys[pin].PublicKey, chain)
		if err != nil || r.Len() != want {
			t.Fatalf("pin %d: %+v, %v", pin, r, err)
		}
		for i, k := range keys {
			_, err := r.Find(must[string](t)(KeyID(k.Public())))
			if ok := i >= pin && (pin >= 2 || i < 2); (err == nil) != ok {
				t.Errorf("pin %d, key %d: %v", pin, i, err)
			}
		}
		if pin < 2 {
			_, err := r.Find(must[string](t)(KeyID(keys[2].Public())))
			if err == nil || !strings.Contains(err.Error(), "pin the new key") || r.Last().Until != s.Time {
				t.Errorf("pin %d: %v, %+v", pin, err, r.Last())
			}
		}
	}
}

// KPR-06, SAP-07: no succession with any octet changed is accepted, in any of its parts.
func TestKPR06ChangedSuccessionsAreRefused(t *testing.T) {
	keys, chain := fixedChain(t, 3)
	rapid.Check(t, func(t *rapid.T) {
		l := slices.Clone(chain)
		i := rapid.IntRange(0, len(l)-1).Draw(t, "hop")
		part := rapid.SampledFrom([]*string{&l[i].Statement, &l[i].Signature, &l[i].Proof}).Draw(t, "part")
		raw, err := UnB64(*part)
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, len(raw)-1).Draw(t, "octet")
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			raw[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		case 1:
			raw = slices.Delete(raw, at, at+1)
		case 2:
			raw = slices.Insert(raw, at, rapid.Byte().Draw(t, "more"))
		default:
			raw = raw[:at]
		}
		was := *part
		*part = B64(raw)
		if *part == was {
			return // an octet beside its like: nothing changed
		}
		if _, err := NewKeyring(&keys[0].PublicKey, l); err == nil {
			t.Errorf("accepted: hop %d, %q", i, raw)
		}
	})
}

// KPR-06: a receipt and a statement are opened with the key that they name: not with an
// unknown one, not with another of the ring, not of a time when it was out of use.
func TestKPR06KeyIsTheNamedOneInItsTime(t *testing.T) {
	keys, chain := fixedChain(t, 3)
	signer, authn := fixedKey(t, "signer"), fixedKey(t, "authenticator")
	cert := fixedCert(t, signer)
	ring := must[*Keyring](t)(NewKeyring(&keys[0].PublicKey, chain))
	receipt := func(by, named detKey, at int64) SignedReceipt {
		r := testReceipt(t, signer, authn, cert, 0)
		r.Time = at
		s := signedReceipt(t, by, string(mustJCS(t, r)), 0, 1)
		s.Key = must[string](t)(KeyID(named.Public()))
		return s
	}
	request := func(by, named detKey, at int64) Signed {
		r := testRequest(t, cert, 1)
		r.Bind.IssuedAt, r.Bind.Expires = at/1000, at/1000+300
		return must[Signed](t)(SignStatement(by, must[string](t)(KeyID(named.Public())), LabelActivationRequest, r))
	}
	end := int64(successionTime + 2000) // of the first key
	evil := fixedKey(t, "evil")
	for name, c := range map[string]struct {
		by, named detKey
		at        int64
		want      Reason
	}{
		"first key, before":     {keys[0], keys[0], end, ""},
		"first key, afterwards": {keys[0], keys[0], end + 1000, ReasonSuccession},
		"second key":            {keys[1], keys[1], end + 1000, ""},
		"third key, now":        {keys[2], keys[2], end + 1_000_000, ""},
		"signed by another":     {keys[1], keys[0], end, ReasonSAMSignature},
		"an unknown key":        {evil, evil, end, ReasonSAMSignature},
		"unknown, named so":     {evil, keys[2], end, ReasonSAMSignature},
	} {
		_, err := ring.OpenReceipt(receipt(c.by, c.named, c.at))
		_, err2 := OpenWith(ring, request(c.by, c.named, c.at), OpenActivationRequest, func(r *ActivationRequest) int64 { return r.Bind.IssuedAt })
		for _, err := range []error{err, err2} {
			if c.want == "" && err != nil {
				t.Errorf("%s: %v", name, err)
			} else if c.want != "" {
				wantReason(t, err, c.want)
			}
		}
	}
}

// KPR-06: what a statement key says under one label is no succession: neither a receipt's
// root nor a request can be turned into one, and a succession is nothing else.
func TestKPR06SuccessionHasItsOwnLabels(t *testing.T) {
	keys, chain := fixedChain(t, 2)
	text := must[[]byte](t)(UnB64(chain[0].Statement))
	for _, label := range []string{LabelActivationRequest, LabelReceiptRoot, LabelCheckpoint, LabelRegistration, LabelOneTime, LabelChange, LabelAuthenticators, LabelSuccessionProof} {
		bad := chain[0]
		bad.Signature = B64(must[[]byte](t)(Sign(keys[0], label, text)))
		_, err := NewKeyring(&keys[0].PublicKey, []SignedSuccession{bad})
		wantReason(t, err, ReasonSuccession)
		sig := must[[]byte](t)(UnB64(chain[0].Signature))
		wantReason(t, Verify(&keys[0].PublicKey, label, text, sig), ReasonSAMSignature)
	}
}

// KPR-06: new keys that are not on P-256, or that are written in another way, are refused.
func TestKPR06NewKeyHasOneForm(t *testing.T) {
	keys, _ := fixedChain(t, 1)
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := succession(t, keys[0], fixedKey(t, "sam-2"), 2)
	s.Public, s.New = B64(spki(t, other.Public())), must[string](t)(KeyID(other.Public()))
	for name, public := range map[string]string{"P-384": s.Public, "empty": "", "no key": "AAAA", "more behind": B64(append(spki(t, keys[0].Public()), 0))} {
		bad := s
		bad.Public = public
		if _, err := signSuccession(t, bad, keys[0], fixedKey(t, "sam-2")).Open(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// KPR-06: the file of a chain has one form.
func TestKPR06FileOfSuccessions(t *testing.T) {
	_, chain := fixedChain(t, 3)
	text := must[[]byte](t)(EncodeSuccessions(chain))
	for _, in := range [][]byte{text, text[:len(text)-1]} {
		if got, err := DecodeSuccessions(in); err != nil || !slices.Equal(got, chain) {
			t.Errorf("%v, %v", got, err)
		}
	}
	empty := must[[]byte](t)(EncodeSuccessions(nil))
	if got, err := DecodeSuccessions(empty); err != nil || len(got) != 0 || string(empty) != "[]\n" {
		t.Errorf("%q: %v, %v", empty, got, err)
	}
	long := must[[]byte](t)(jcs.Marshal(slices.Repeat(chain[:1], MaxSuccessions+1)))
	for _, bad := range []string{"", "{}", "[] ", "[{}]", `[{"statement":"","signature":"","proof":"","x":""}]`, strings.Repeat(" ", 1<<20), string(long)} {
		if got, err := DecodeSuccessions([]byte(bad)); err == nil {
			t.Errorf("%.40q: %v", bad, got)
		}
	}
}

// FuzzSuccession: whatever is read as a chain has one spelling, and no chain but the signed
// one leads to another key than the pinned.
func FuzzSuccession(f *testing.F) {
	keys, chain := fixedChain(f, 3)
	text, err := EncodeSuccessions(chain)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("[]"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := DecodeSuccessions(in)
		if err != nil {
			return
		}
		again, err := EncodeSuccessions(got)
		if err != nil || strings.TrimSuffix(string(again), "\n") != strings.TrimSuffix(string(in), "\n") {
			t.Fatalf("%q reads as %q, %v", in, again, err)
		}
		r, err := NewKeyring(&keys[0].PublicKey, got)
		if err != nil {
			return
		}
		for i := range r.Len() - 1 {
			if got[i].Statement != chain[i].Statement {
				t.Errorf("believed: %q", in)
			}
		}
	})
}

type successionVector struct {
	Name   string             `json:"name"`
	Pinned string             `json:"pinned"` // SubjectPublicKeyInfo
	Chain  []SignedSuccession `json:"chain"`
	OK     bool               `json:"ok"`
	Keys   []successionKey    `json:"keys"`
}
type successionKey struct {
	ID    string `json:"id"`
	Until int64  `json:"until"` // 0: in use
}

func vectorsSuccessions(t *testing.T, v *vectors) {
	keys, chain := fixedChain(t, 4)
	add := func(name string, pin detKey, list []SignedSuccession) {
		c := successionVector{Name: name, Pinned: B64(spki(t, pin.Public())), Chain: list, Keys: []successionKey{}}
		if r, err := NewKeyring(&pin.PublicKey, list); err == nil {
			c.OK = true
			for _, k := range r.keys {
				c.Keys = append(c.Keys, successionKey{k.ID, k.Until})
			}
		}
		v.Successions = append(v.Successions, c)
	}
	change := func(i int, f func(*Succession), old, next detKey) []SignedSuccession {
		s := succession(t, keys[i], keys[i+1], int64(i+2))
		f(&s)
		out := append([]SignedSuccession{}, chain...)
		out[i] = signSuccession(t, s, old, next)
		return out
	}
	evil := fixedKey(t, "evil")
	fork := signSuccession(t, succession(t, keys[1], evil, 3), keys[1], evil)
	swapped := append([]SignedSuccession{}, chain...)
	swapped[1].Signature, swapped[1].Proof = swapped[1].Proof, swapped[1].Signature
	add("good", keys[0], chain)
	add("pinned in the middle", keys[2], chain)
	add("no succession", keys[0], []SignedSuccession{})
	add("replacement", keys[0], change(1, func(s *Succession) { s.Mode = ModeReplacement }, keys[1], keys[2]))
	add("another module's", evil, chain)
	add("a gap", keys[0], []SignedSuccession{chain[0], chain[2]})
	add("a fork", keys[0], []SignedSuccession{chain[0], chain[1], fork})
	add("one twice", keys[0], []SignedSuccession{chain[0], chain[0]})
	add("the old key did not sign", keys[0], change(1, func(*Succession) {}, evil, keys[2]))
	add("the new key did not sign", keys[0], change(1, func(*Succession) {}, keys[1], evil))
	add("signatures changed places", keys[0], swapped)
	add("epoch left out", keys[0], change(1, func(s *Succession) { s.Epoch = 4 }, keys[1], keys[2]))
	add("older than the one before", keys[0], change(1, func(s *Succession) { s.Time = 1 }, keys[1], keys[2]))
	add("another cluster", keys[0], change(1, func(s *Succession) { s.Audience = "demo2#1" }, keys[1], keys[2]))
	add("unknown mode", keys[0], change(0, func(s *Succession) { s.Mode = "x" }, keys[0], keys[1]))
	add("id of another key", keys[0], change(0, func(s *Succession) { s.New = must[string](t)(KeyID(evil.Public())) }, keys[0], keys[1]))
}
