package sap

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/jcs"
)

// refused wants a reason, and words that tell whoever reads the audit record what
// it was about.
func refused(t testing.TB, what string, err error, want Reason, words string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: accepted", what)
	case !errors.Is(err, want):
		t.Errorf("%s: got %v, want reason %s", what, err, want)
	case !strings.Contains(err.Error(), words):
		t.Errorf("%s: %q does not tell of %q", what, err, words)
	}
}

// SAP-01, SAP-05: each field of a binding at its bounds.
func TestSAP05BindingBounds(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	for _, c := range []struct {
		what  string
		edit  func(*Binding)
		want  Reason // "" is accepted
		words string
	}{
		{"as many as a SAD may have", func(b *Binding) { b.N = MaxItems }, "", ""},
		{"one", func(b *Binding) { b.N = 1 }, "", ""},
		{"one more", func(b *Binding) { b.N = MaxItems + 1 }, ReasonCount, "n=1001"},
		{"none", func(b *Binding) { b.N = 0 }, ReasonCount, "n=0"},
		{"the first second", func(b *Binding) { b.IssuedAt, b.Expires = 1, 2 }, "", ""},
		{"issued at no time", func(b *Binding) { b.IssuedAt = 0 }, ReasonEncoding, "iat, exp"},
		{"over at once", func(b *Binding) { b.Expires = b.IssuedAt }, ReasonEncoding, "iat, exp"},
		{"session is no base64url", func(b *Binding) { b.Session = "!!" }, ReasonEncoding, "sid"},
		{"session longer", func(b *Binding) { b.Session = B64(make([]byte, SessionLen+1)) }, ReasonEncoding, "sid"},
		{"nonce is no base64url", func(b *Binding) { b.Nonce = "!!" }, ReasonEncoding, "nonce"},
		{"nonce longer", func(b *Binding) { b.Nonce = B64(make([]byte, NonceLen+1)) }, ReasonEncoding, "nonce"},
		{"certificate hash is no base64url", func(b *Binding) { b.Cert = "!!" }, ReasonEncoding, "cert"},
		{"certificate hash shorter", func(b *Binding) { b.Cert = B64(make([]byte, 31)) }, ReasonEncoding, "cert"},
		{"audience", func(b *Binding) { b.Audience = "" }, ReasonEncoding, "aud"},
		{"key", func(b *Binding) { b.Key = "a b" }, ReasonEncoding, "kid"},
		{"caller", func(b *Binding) { b.Caller = "" }, ReasonEncoding, "caller"},
		{"policy", func(b *Binding) { b.Policy = "" }, ReasonEncoding, "policy"},
	} {
		b := testBinding(t, cert, 2)
		c.edit(&b)
		err := b.Check()
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
			continue
		}
		refused(t, c.what, err, c.want, c.words)
	}
	late := testBinding(t, cert, 1)
	late.Expires = 1 << 60
	h, err := late.Hash()
	refused(t, "a number that JSON does not carry", err, ReasonEncoding, "")
	if h != nil {
		t.Errorf("it has the hash %x", h)
	}
}

// SAP-01: the fields of a SAD beside the binding, at their bounds.
func TestSAP01SADBounds(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	for _, c := range []struct {
		what  string
		edit  func(*SAD)
		want  Reason
		words string
	}{
		{"longest credential id", func(s *SAD) { s.Auth.Cred = B64(make([]byte, 1023)) }, "", ""},
		{"longer", func(s *SAD) { s.Auth.Cred = B64(make([]byte, 1024)) }, ReasonEncoding, "cred"},
		{"credential id is no base64url", func(s *SAD) { s.Auth.Cred = "!!" }, ReasonEncoding, "cred"},
		{"operation", func(s *SAD) { s.Ctx.Operation = "" }, ReasonEncoding, "op"},
		{"level", func(s *SAD) { s.Ctx.Level = "" }, ReasonEncoding, "level"},
		{"asker", func(s *SAD) { s.Ctx.Asker = "a\nb" }, ReasonText, "asker"},
		{"purpose", func(s *SAD) { s.Ctx.Purpose = "a\nb" }, ReasonText, "purpose"},
		{"digest to be signed, shorter", func(s *SAD) { s.Items[0].DTBSR = B64(make([]byte, 31)) }, ReasonDigest, "dtbsr"},
		{"digest to be signed is no base64url", func(s *SAD) { s.Items[0].DTBSR = "!!" }, ReasonDigest, "dtbsr"},
		{"document digest, longer", func(s *SAD) { s.Items[0].Doc = B64(make([]byte, 33)) }, ReasonDigest, "doc"},
		{"no document digest", func(s *SAD) { s.Items[0].Doc = "" }, ReasonDigest, "doc"},
	} {
		s := testSAD(t, cert, "a.pdf")
		c.edit(s)
		_, err := s.Encode()
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
			continue
		}
		refused(t, c.what, err, c.want, c.words)
	}
}

// I9: a SAD that no SAM would read does not come out: the signer is not asked for
// an approval that is refused afterwards.
func TestSADThatCannotBeRead(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	names := make([]string, MaxItems)
	for i := range names {
		names[i] = strings.Repeat("€", MaxText-4) + fmt.Sprintf("%04d", i)
	}
	large := testSAD(t, cert, names...)
	text, err := large.Encode()
	refused(t, "1,000 long names", err, ReasonTooLarge, "SAD of")
	if text != nil {
		t.Errorf("%d octets of it came out", len(text))
	}
	// As many euro signs less as make it fit exactly: three octets each.
	size := len(mustJCS(t, large))
	for i := 0; size > jcs.MaxSize; i++ {
		less := min((size-jcs.MaxSize+2)/3, 200)
		large.Items[i].Name = large.Items[i].Name[3*less:]
		size -= 3 * less
	}
	large.Items[0].Name += strings.Repeat("x", jcs.MaxSize-size)
	if text, err = large.Encode(); err != nil || len(text) != jcs.MaxSize {
		t.Errorf("%d octets: %v", len(text), err)
	} else if _, err := DecodeSAD(text); err != nil {
		t.Errorf("what was encoded is not read: %v", err)
	}
	large.Items[0].Name += "x"
	_, err = large.Encode()
	refused(t, "one octet more", err, ReasonTooLarge, "SAD of 1048577 octets")
	late := testSAD(t, cert, "a.pdf")
	late.Bind.Expires = 1 << 60
	text, err = late.Encode()
	refused(t, "a number that JSON does not carry", err, ReasonEncoding, "")
	if text != nil {
		t.Errorf("%s came out", text)
	}
}

// SAP-01: an identifier has 1 to 128 letters, digits and . _ : # @ -, and begins
// with a letter or digit. Each end of each range, and its neighbour outside.
func TestSAP01Identifiers(t *testing.T) {
	for _, good := range []string{"a", "0", "9", "a", "z", "A", "Z", "a.b_c:d#e@f-0", strings.Repeat("x", MaxIDLen)} {
		if !ValidID(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", MaxIDLen+1), "/", ":", "@", "[", "`", "{", "a/b", "a[b", "a`b", "a{b", "a b", "a\x00", "aé", "-a", ".a", "#1"} {
		if ValidID(bad) {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// SAP-02: the signer reads names and purposes; what looks like nothing or like
// something else is not shown. Each end of each range, and its neighbour.
func TestSAP02TextsOnTheScreen(t *testing.T) {
	for _, good := range []string{"", " ", "Lease 2027", "a\u00a0b", strings.Repeat("x", MaxText), strings.Repeat("€", MaxText), "\ufdff", "\ufe10", "契約書"} {
		if !Displayable(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		strings.Repeat("x", MaxText+1), "\ufffd", "a\xffb", "a\nb", "a\tb", "a\u2003b", "a\u3000b", "a\u2028b", "a\u202eb", "a\u200bb", "\ue000",
		"a\ufe00", "a\ufe0f", "a\U000e0100", "a\U000e01ef", "\u3164", "\u034f", "\u2800",
	} {
		if Displayable(bad) {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// SGN-01, SGN-04: nothing is rebuilt from half of what it takes.
func TestSGN04RebuildNeedsEverything(t *testing.T) {
	cert := fixedCert(t, fixedKey(t, "signer"))
	if _, err := PAdESSignedAttributes([]byte{1}, []byte{2}); err != nil {
		t.Errorf("one octet each: %v", err)
	}
	for what, c := range map[string][2][]byte{"no digest": {nil, cert}, "no certificate": {{1}, nil}, "neither": {nil, nil}} {
		_, err := PAdESSignedAttributes(c[0], c[1])
		refused(t, what, err, ReasonDigest, "no digest or no certificate")
	}
	_, err := NewPAdESItem(0, "a.pdf", algo.ES256, nil, cert)
	refused(t, "an item of no document", err, ReasonDigest, "")
	good := must[Item](t)(NewPAdESItem(0, "a.pdf", algo.ES256, bytes.Repeat([]byte{7}, 32), cert))
	for what, c := range map[string]struct {
		edit  func(*Item)
		cert  []byte
		words string
	}{
		"digest to be signed, shorter":         {func(it *Item) { it.DTBSR = B64(make([]byte, 31)) }, cert, "dtbsr"},
		"the same of a kind that is not shown": {func(it *Item) { it.Kind, it.DTBSR = KindRaw, B64(make([]byte, 31)) }, cert, "dtbsr"},
		"document digest, shorter":             {func(it *Item) { it.Doc = B64(make([]byte, 31)) }, cert, "doc"},
		"document digest is no base64url":      {func(it *Item) { it.Doc = "!!" }, cert, "doc"},
		"no certificate":                       {func(*Item) {}, nil, "no certificate"},
	} {
		it := good
		c.edit(&it)
		sum, err := Rebuild(it, c.cert, algo.ES256, nil)
		refused(t, what, err, ReasonDigest, c.words)
		if sum != nil {
			t.Errorf("%s: a digest came out", what)
		}
	}
}

// ENR-04, I9: the message of a registration, the code and the challenge at their
// bounds.
func TestENR04RegistrationBounds(t *testing.T) {
	const frame = len(`{"attestationObject":"","clientDataJSON":"","codeProof":""}`)
	fits := mustJCS(t, Registration{AttestationObject: strings.Repeat("A", 64<<10-frame)})
	r, err := DecodeRegistration(fits)
	if err != nil || len(fits) != 64<<10 || len(r.AttestationObject) != 64<<10-frame {
		t.Errorf("%d octets: %v", len(fits), err)
	}
	_, err = DecodeRegistration(mustJCS(t, Registration{AttestationObject: strings.Repeat("A", 64<<10-frame+1)}))
	refused(t, "one more", err, ReasonTooLarge, "registration")
	for _, text := range []string{"", "{}", `{"attestationObject":"","clientDataJSON":"","codeProof":"","x":""}`, string(fits) + " "} {
		if len(text) <= 64<<10 {
			_, err = DecodeRegistration([]byte(text))
			refused(t, text, err, ReasonEncoding, "registration")
		}
	}
	for _, n := range []int{0, NonceLen - 1, NonceLen + 1} {
		_, err := RegistrationChallenge(make([]byte, n), []byte("statement"))
		refused(t, "nonce of another length", err, ReasonEncoding, "nonce")
	}
	for _, n := range []int{16, 64} {
		if _, err := CodeKey(B64(make([]byte, n))); err != nil {
			t.Errorf("code of %d octets: %v", n, err)
		}
	}
	_, err = CodeKey("!!")
	refused(t, "code", err, ReasonEncoding, "code")
	if strings.Contains(err.Error(), "octets") {
		t.Errorf("%v: it has no length", err)
	}
	_, err = CodeKey(B64(make([]byte, 15)))
	refused(t, "short code", err, ReasonEncoding, "code of 15 octets")
}
