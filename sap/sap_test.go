package sap

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
)

// SAP-07: a SAD has one encoding, and decoding gives back what was encoded.
func TestSAP07DecodeEncodeIdentity(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(r, "n")
		s := testSAD(t, cert, make([]string, n)...)
		for i := range s.Items {
			s.Items[i].Name = rapid.StringMatching(`[\pL\pN .,()-]{1,40}`).Draw(r, "name")
			doc := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(r, "doc")
			s.Items[i].Doc, s.Items[i].DTBSR = B64(doc), B64(digest(algo.ES256.Hash(), append(doc, byte(i))))
		}
		s.Ctx.Purpose = rapid.StringMatching(`[\pL\pN "\\/€😀]{0,60}`).Draw(r, "purpose")
		text, err := s.Encode()
		if err != nil {
			if errors.Is(err, ReasonText) || errors.Is(err, ReasonDuplicateItem) {
				return // the generator drew text that may not be shown, or a digest twice
			}
			r.Fatal(err)
		}
		back, err := DecodeSAD(text)
		if err != nil {
			r.Fatal(err)
		}
		again, err := back.Encode()
		if err != nil || !bytes.Equal(again, text) {
			r.Fatalf("encoded again: %v\n%s\n%s", err, text, again)
		}
	})
}

// SAP-01, SAP-07: no mutation of a SAD or of its assertion is ever accepted as
// the approval: every changed byte of either is refused by form or by signature.
func TestSAP01NoMutationAccepted(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	s := testSAD(t, cert, "a.pdf", "b.pdf")
	text := must[[]byte](t)(s.Encode())
	proof := mustJCS(t, goodAssertion(t).make(t, must[[]byte](t)(s.Challenge(text))))
	if err := accept(text, proof, testAuthenticator(t)); err != nil {
		t.Fatalf("the genuine one: %v", err)
	}
	auth := testAuthenticator(t)
	rapid.Check(t, func(r *rapid.T) {
		a, b := bytes.Clone(text), bytes.Clone(proof)
		target := &a
		if rapid.Bool().Draw(r, "proof") {
			target = &b
		}
		switch rapid.IntRange(0, 3).Draw(r, "how") {
		case 0:
			i := rapid.IntRange(0, len(*target)-1).Draw(r, "at")
			(*target)[i] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
		case 1:
			i := rapid.IntRange(0, len(*target)-1).Draw(r, "cut")
			*target = append((*target)[:i], (*target)[i+1:]...)
		case 2:
			i := rapid.IntRange(0, len(*target)).Draw(r, "ins")
			*target = append((*target)[:i], append([]byte{rapid.Byte().Draw(r, "b")}, (*target)[i:]...)...)
		case 3:
			*target = (*target)[:rapid.IntRange(0, len(*target)-1).Draw(r, "len")]
		}
		if bytes.Equal(a, text) && bytes.Equal(b, proof) {
			return
		}
		if err := accept(a, b, auth); err == nil {
			r.Fatalf("accepted:\n%s\n%s", a, b)
		}
	})
}

// accept is all that the pure checks of the protocol say about a redemption.
func accept(sadText, proof []byte, auth Authenticator) error {
	s, err := DecodeSAD(sadText)
	if err != nil {
		return err
	}
	a, err := DecodeAssertion(proof)
	if err != nil {
		return err
	}
	ch, err := s.Challenge(sadText)
	if err != nil {
		return err
	}
	_, err = VerifyAssertion(a, ch, auth, AssertionPolicy{Origin: testOrigin, RPID: testRPID})
	return err
}

// SAP-01, SAP-02, BLK-02: every field of a SAD has a form, and each breach its reason.
func TestSADForm(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	for name, c := range map[string]struct {
		edit func(*SAD)
		want Reason
	}{
		"type":        {func(s *SAD) { s.Type = "sap/sad/2" }, ReasonType},
		"session":     {func(s *SAD) { s.Bind.Session = "AA" }, ReasonEncoding},
		"nonce short": {func(s *SAD) { s.Bind.Nonce = B64(make([]byte, 31)) }, ReasonEncoding},
		"algorithm":   {func(s *SAD) { s.Bind.Alg = "none" }, ReasonAlgorithm},
		"signer":      {func(s *SAD) { s.Bind.Signer = "anna\n" }, ReasonEncoding},
		"n":           {func(s *SAD) { s.Bind.N = 3 }, ReasonCount},
		"n zero":      {func(s *SAD) { s.Bind.N = 0; s.Items = []Item{} }, ReasonCount},
		"index":       {func(s *SAD) { s.Items[0].I = 1 }, ReasonCount},
		"order":       {func(s *SAD) { s.Items[0], s.Items[1] = s.Items[1], s.Items[0] }, ReasonCount},
		"duplicate":   {func(s *SAD) { s.Items[1] = s.Items[0]; s.Items[1].I = 1 }, ReasonDuplicateItem},
		"kind":        {func(s *SAD) { s.Items[0].Kind = "pdf" }, ReasonItemKind},
		"properties of XAdES": {func(s *SAD) {
			x := testXAdES()
			s.Items[0].XAdES = &x
		}, ReasonEvidence},
		"XAdES without properties": {func(s *SAD) { s.Items[0].Kind = KindXAdES }, ReasonEvidence},
		"hash":                     {func(s *SAD) { s.Items[0].Hash = "sha1" }, ReasonDigest},
		"digest length":            {func(s *SAD) { s.Items[0].Hash = "sha384" }, ReasonDigest},
		"raw with document":        {func(s *SAD) { s.Items[0].Kind = KindRaw }, ReasonDigest},
		"direction trick":          {func(s *SAD) { s.Items[0].Name = "contract\u202efdp.exe" }, ReasonText},
		"empty name":               {func(s *SAD) { s.Items[0].Name = "" }, ReasonText},
		"long purpose":             {func(s *SAD) { s.Ctx.Purpose = strings.Repeat("x", MaxText+1) }, ReasonText},
		"method":                   {func(s *SAD) { s.Auth.Method = "pin" }, ReasonCarrier},
		"cred":                     {func(s *SAD) { s.Auth.Cred = "" }, ReasonEncoding},
		"times":                    {func(s *SAD) { s.Bind.Expires = s.Bind.IssuedAt }, ReasonEncoding},
	} {
		t.Run(name, func(t *testing.T) {
			s := testSAD(t, cert, "a.pdf", "b.pdf")
			c.edit(s)
			_, err := s.Encode()
			wantReason(t, err, c.want)
			_, err = DecodeSAD(mustJCS(t, s))
			wantReason(t, err, c.want)
		})
	}
}

// SAP-07: other spellings of the same content are refused.
func TestSAP07OtherSpellings(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	text := must[[]byte](t)(testSAD(t, cert, "a.pdf").Encode())
	var loose map[string]any
	if err := json.Unmarshal(text, &loose); err != nil {
		t.Fatal(err)
	}
	indented, err := json.MarshalIndent(loose, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	str := string(text)
	for name, in := range map[string]string{
		"indented":       string(indented),
		"trailing":       str + "\n",
		"leading":        " " + str,
		"two values":     str + str,
		"escape":         strings.Replace(str, "a.pdf", `\u0061.pdf`, 1),
		"duplicate name": strings.Replace(str, `{"auth":`, `{"auth":{},"auth":`, 1),
		"unknown name":   strings.Replace(str, `{"auth":`, `{"a":1,"auth":`, 1),
		"case":           strings.Replace(str, `"typ"`, `"Typ"`, 1),
		"missing":        strings.Replace(str, `,"purpose":"Sign the lease — 2 years, 900 €"`, ``, 1),
		"number form":    strings.Replace(str, `"n":1`, `"n":1.0`, 1),
		"text number":    strings.Replace(str, `"n":1`, `"n":"1"`, 1),
	} {
		if _, err := DecodeSAD([]byte(in)); !errors.Is(err, ReasonEncoding) || in == str {
			t.Errorf("%s: got %v", name, err)
		}
		if broken := strings.Contains(name, "two") || name == "trailing"; !broken && !json.Valid([]byte(in)) {
			t.Errorf("%s: is no JSON, and refused for that", name)
		}
	}
}

// SAP-02, SAP-05, T4: each condition on an assertion has its own reason.
func TestAssertionChecks(t *testing.T) {
	ch := bytes.Repeat([]byte{9}, 32)
	for name, c := range map[string]struct {
		edit func(*assertionFor)
		want Reason
	}{
		"registration reused":   {func(a *assertionFor) { a.typ = "webauthn.create" }, ReasonCeremony},
		"other origin":          {func(a *assertionFor) { a.origin = "http://localhost:8440" }, ReasonOrigin},
		"origin with path":      {func(a *assertionFor) { a.origin += "/" }, ReasonOrigin},
		"origin case":           {func(a *assertionFor) { a.origin = strings.ToUpper(testOrigin) }, ReasonOrigin},
		"cross origin":          {func(a *assertionFor) { a.extraClient = `,"crossOrigin":true` }, ReasonCrossOrigin},
		"top origin":            {func(a *assertionFor) { a.extraClient = `,"topOrigin":"http://evil.example"` }, ReasonCrossOrigin},
		"top origin null":       {func(a *assertionFor) { a.extraClient = `,"topOrigin":null` }, ReasonCrossOrigin},
		"challenge twice":       {func(a *assertionFor) { a.extraClient = `,"challenge":"x"` }, ReasonEncoding},
		"trailing bytes":        {func(a *assertionFor) { a.suffix = "{}" }, ReasonEncoding},
		"other rpId":            {func(a *assertionFor) { a.rpID = "example.com" }, ReasonRPID},
		"UP=0":                  {func(a *assertionFor) { a.flags &^= flagUP }, ReasonUserPresence},
		"UV=0":                  {func(a *assertionFor) { a.flags &^= flagUV }, ReasonUserVerified},
		"BE flips on":           {func(a *assertionFor) { a.flags |= flagBE }, ReasonBackup},
		"BS without BE":         {func(a *assertionFor) { a.flags |= flagBS }, ReasonBackup},
		"extension data flag":   {func(a *assertionFor) { a.flags |= 0x80 }, ReasonAuthData},
		"attested data flag":    {func(a *assertionFor) { a.flags |= 0x40 }, ReasonAuthData},
		"counter same":          {func(a *assertionFor) { a.count = 6 }, ReasonCounter},
		"counter back":          {func(a *assertionFor) { a.count = 1 }, ReasonCounter},
		"counter to zero":       {func(a *assertionFor) { a.count = 0 }, ReasonCounter},
		"another authenticator": {func(a *assertionFor) { a.key = fixedKey(t, "evil") }, ReasonSignature},
	} {
		t.Run(name, func(t *testing.T) {
			a := goodAssertion(t)
			c.edit(&a)
			count, err := VerifyAssertion(a.make(t, ch), ch, testAuthenticator(t), AssertionPolicy{testOrigin, testRPID})
			wantReason(t, err, c.want)
			if count != 0 && c.want != ReasonCounter {
				t.Errorf("a refused assertion moves the counter to %d", count)
			}
		})
	}
	t.Run("another challenge", func(t *testing.T) {
		other := bytes.Repeat([]byte{8}, 32)
		_, err := VerifyAssertion(goodAssertion(t).make(t, other), ch, testAuthenticator(t), AssertionPolicy{testOrigin, testRPID})
		wantReason(t, err, ReasonChallenge)
	})
	t.Run("another credential id", func(t *testing.T) {
		a := goodAssertion(t).make(t, ch)
		a.Credential = B64([]byte("other"))
		_, err := VerifyAssertion(a, ch, testAuthenticator(t), AssertionPolicy{testOrigin, testRPID})
		wantReason(t, err, ReasonAuthenticator)
	})
	t.Run("unknown members are browsers' business", func(t *testing.T) {
		a := goodAssertion(t)
		a.extraClient = `,"crossOrigin":false,"other_keys_can_be_added_here":"do not compare"`
		if _, err := VerifyAssertion(a.make(t, ch), ch, testAuthenticator(t), AssertionPolicy{testOrigin, testRPID}); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("zero counters are legal", func(t *testing.T) {
		a, auth := goodAssertion(t), testAuthenticator(t)
		a.count, auth.SignCount = 0, 0
		if _, err := VerifyAssertion(a.make(t, ch), ch, auth, AssertionPolicy{testOrigin, testRPID}); err != nil {
			t.Fatal(err)
		}
	})
}

// SGN-01, SGN-04: the DTBS/R is rebuilt from the document digest; whatever
// else an SSA would like to have signed cannot come out.
func TestSGN04Rebuild(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	other := fixedCert(t, fixedKey(t, "other"))
	doc := sha256.Sum256([]byte("document"))
	it := must[Item](t)(NewPAdESItem(0, "a.pdf", algo.ES256, doc[:], cert))
	if _, err := Rebuild(it, cert, algo.ES256, nil); err != nil {
		t.Fatal(err)
	}
	changed := it
	changed.Doc = B64(bytes.Repeat([]byte{1}, 32))
	bare := it
	bare.DTBSR = it.Doc // the document digest itself, not that of the attributes
	for name, c := range map[string]struct {
		it   Item
		cert []byte
		alg  algo.Algorithm
		ev   []byte
		want Reason
	}{
		"other document":    {changed, cert, algo.ES256, nil, ReasonDTBSR},
		"other certificate": {it, other, algo.ES256, nil, ReasonDTBSR},
		"document digest":   {bare, cert, algo.ES256, nil, ReasonDTBSR},
		"other hash":        {it, cert, algo.ES384, nil, ReasonDigest},
		"extra evidence":    {it, cert, algo.ES256, []byte("x"), ReasonEvidence},
		"kind not here":     {Item{Kind: KindCAdES, Hash: "sha256", Doc: it.Doc, DTBSR: it.DTBSR}, cert, algo.ES256, nil, ReasonItemKind},
		"no properties":     {Item{Kind: KindXAdES, Hash: "sha256", Doc: it.Doc, DTBSR: it.DTBSR}, cert, algo.ES256, nil, ReasonEvidence},
	} {
		_, err := Rebuild(c.it, c.cert, c.alg, c.ev)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// AUD-11: a receipt convinces by itself, and no part of it can be exchanged.
func TestAUD11ReceiptEvidence(t *testing.T) {
	signer, authn := fixedKey(t, "signer"), fixedKey(t, "authenticator")
	cert := fixedCert(t, signer)
	good := testReceipt(t, signer, authn, cert, 0)
	if _, err := good.VerifyEvidence(); err != nil {
		t.Fatal(err)
	}
	evil := fixedKey(t, "evil")
	for name, c := range map[string]struct {
		edit func(*Receipt)
		want Reason
	}{
		"authenticator": {func(r *Receipt) { r.Authenticator = B64(spki(t, evil.Public())) }, ReasonSignature},
		"certificate":   {func(r *Receipt) { r.Certificate = B64(fixedCert(t, evil)) }, ReasonCertificate},
		"origin":        {func(r *Receipt) { r.Origin = "http://evil.example" }, ReasonOrigin},
		"rpId":          {func(r *Receipt) { r.RPID = "evil.example" }, ReasonRPID},
		"items":         {func(r *Receipt) { r.Items = nil }, ReasonCount},
		"dtbsr":         {func(r *Receipt) { r.Items[0].DTBSR = B64(make([]byte, 32)) }, ReasonBinding},
		"shown":         {func(r *Receipt) { r.Items[0].Shown = false }, ReasonBinding},
		"signature":     {func(r *Receipt) { r.Items[0].Signature = B64([]byte("x")) }, ReasonSignatureCheck},
		"sad":           {func(r *Receipt) { r.SAD = B64(must[[]byte](t)(testSAD(t, cert, "other.pdf").Encode())) }, ReasonChallenge},
	} {
		r := good
		r.Items = append([]ReceiptItem{}, good.Items...)
		c.edit(&r)
		if _, err := r.VerifyEvidence(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// The receipt tree gives every leaf of every group size a path that holds for
// this leaf only.
func TestReceiptTreePaths(t *testing.T) {
	for n := 1; n <= 33; n++ {
		var leaves [][]byte
		for i := range n {
			leaves = append(leaves, []byte{byte(n), byte(i)})
		}
		tree := NewReceiptTree(leaves)
		for i := range n {
			p := tree.Path(i)
			root, ok := rootFrom(tree.leaves[i], i, n, p)
			if !ok || !bytes.Equal(root, tree.Root()) {
				t.Fatalf("leaf %d of %d: path does not lead to the root", i, n)
			}
			if root, ok := rootFrom(tree.leaves[(i+1)%n], i, n, p); n > 1 && ok && bytes.Equal(root, tree.Root()) {
				t.Fatalf("leaf %d of %d: path holds for another leaf", i, n)
			}
		}
	}
}

// T21: the proof of the code is for one authenticator only.
func TestENR04CodeProofBindsTheAuthenticator(t *testing.T) {
	key := must[[]byte](t)(CodeKey(B64(bytes.Repeat([]byte{4}, 20))))
	p := CodeProof(key, []byte("st"), []byte("att"), []byte("cd"))
	for _, q := range [][]byte{CodeProof(key, []byte("st"), []byte("evil"), []byte("cd")), CodeProof(key, []byte("s"), []byte("tatt"), []byte("cd")),
		CodeProof(must[[]byte](t)(CodeKey(B64(bytes.Repeat([]byte{5}, 20)))), []byte("st"), []byte("att"), []byte("cd"))} {
		if bytes.Equal(p, q) {
			t.Fatal("one proof for two things")
		}
	}
	for _, code := range []string{"", "AAAA", B64(make([]byte, 15)), B64(make([]byte, 65)), "!!"} {
		if _, err := CodeKey(code); err == nil {
			t.Errorf("code %q accepted", code)
		}
	}
}

func FuzzDecodeSAD(f *testing.F) {
	cert := fixedCert(f, fixedKey(f, "signer"))
	f.Add(must[[]byte](f)(testSAD(f, cert, "a.pdf").Encode()))
	f.Add(must[[]byte](f)(xadesSAD(f, cert).Encode()))
	f.Add([]byte(strings.Repeat("[", 20000)))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := DecodeSAD(in)
		if err != nil {
			return
		}
		out, err := s.Encode()
		if err != nil || !bytes.Equal(in, out) {
			t.Fatalf("accepted but encodes to %q (%v)", out, err)
		}
	})
}

func FuzzAssertion(f *testing.F) {
	ch := bytes.Repeat([]byte{9}, 32)
	good := mustJCS(f, goodAssertion(f).make(f, ch))
	f.Add(good)
	auth := testAuthenticator(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := DecodeAssertion(in)
		if err != nil {
			return
		}
		if _, err := VerifyAssertion(a, ch, auth, AssertionPolicy{testOrigin, testRPID}); err == nil && !bytes.Equal(in, good) {
			t.Fatalf("accepted: %s", in)
		}
	})
}

func FuzzClientData(f *testing.F) {
	f.Add([]byte(`{"type":"webauthn.get","challenge":"AA","origin":"http://localhost:8441","crossOrigin":false}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		if _, err := parseClientData(in); err == nil && !json.Valid(in) {
			t.Fatalf("accepted what is no JSON: %q", in)
		}
	})
}

func FuzzDeviceJWS(f *testing.F) {
	cert := fixedCert(f, fixedKey(f, "signer"))
	sad := must[[]byte](f)(testSAD(f, cert, "a.pdf").Encode())
	f.Add([]byte(`{"carrier":"jws","jws":"a.b.c"}`))
	pub := &fixedKey(f, "device").PublicKey
	f.Fuzz(func(t *testing.T, in []byte) {
		if VerifyDeviceJWS(in, sad, "AAAA", pub) == nil {
			t.Fatalf("accepted: %s", in)
		}
	})
}

func FuzzOpenReceipt(f *testing.F) {
	f.Add([]byte("x"), 0, 1, []byte("p"))
	pub := &fixedKey(f, "sam").PublicKey
	f.Fuzz(func(t *testing.T, text []byte, i, n int, p []byte) {
		s := SignedReceipt{Receipt: B64(text), Index: i, Size: n, Path: []string{B64(p)}, Signature: B64(make([]byte, 64))}
		if _, err := OpenReceipt(pub, s); err == nil {
			t.Fatal("accepted without a signature")
		}
	})
}

func FuzzJCS(f *testing.F) {
	f.Add([]byte(`{"b":1,"a":[true,"x"]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := jcs.Transform(in)
		if err != nil {
			return
		}
		again, err := jcs.Transform(out)
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("not a fixed point: %q -> %q (%v)", out, again, err)
		}
	})
}

// BenchmarkVerifyAssertion is B14; compare with BenchmarkVerifyFloor of the
// same run.
func BenchmarkVerifyAssertion(b *testing.B) {
	cert := fixedCert(b, fixedKey(b, "signer"))
	s := testSAD(b, cert, "a.pdf")
	text := must[[]byte](b)(s.Encode())
	proof := mustJCS(b, goodAssertion(b).make(b, must[[]byte](b)(s.Challenge(text))))
	auth := testAuthenticator(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := accept(text, proof, auth); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyFloor is the bare signature check inside it.
func BenchmarkVerifyFloor(b *testing.B) {
	key := fixedKey(b, "authenticator")
	d := sha256.Sum256([]byte("x"))
	sig := must[[]byte](b)(key.Sign(nil, d[:], algo.ES256.Hash()))
	for b.Loop() {
		if err := algo.Verify(&key.PublicKey, algo.ES256, d[:], sig); err != nil {
			b.Fatal(err)
		}
	}
}
