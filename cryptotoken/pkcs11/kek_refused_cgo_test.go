//go:build cgo

package pkcs11

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

// onlyUnreadable is a CKA_UNWRAP_TEMPLATE (PKCS #11 v2.40, 4.9.3 and 4.14): whatever is
// unwrapped is sensitive and not extractable. The binding has no attribute of attributes;
// these are CK_ATTRIBUTEs as a 64-bit module reads them. The pinner holds what they point to.
func onlyUnreadable(pin *runtime.Pinner) *p11.Attribute {
	type attribute struct {
		kind  uint64
		value uintptr
		size  uint64
	}
	values := []byte{0, 1} // CK_FALSE, CK_TRUE
	pin.Pin(&values[0])
	at := uintptr(unsafe.Pointer(&values[0]))
	inner := [...]attribute{{p11.CKA_EXTRACTABLE, at, 1}, {p11.CKA_SENSITIVE, at + 1, 1}}
	return p11.NewAttribute(p11.CKA_UNWRAP_TEMPLATE, unsafe.Slice((*byte)(unsafe.Pointer(&inner)), int(unsafe.Sizeof(inner))))
}

// forbidding gives a token a first wrapping key under which nothing is unwrapped that could be
// wrapped again, which is how a module is to be set up for production.
func forbidding(t *testing.T) Config {
	t.Helper()
	cfg := patient(provision(t))
	m := inside(t, cfg)
	found, f := m.findAll(byLabel(p11.CKO_SECRET_KEY, "assent-kek"))
	if f != nil || len(found) != 1 || !m.destroy(found...) {
		t.Fatalf("the first wrapping key: %v, %v", found, f)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	template := append(kekTemplate("assent-kek", m.labels.kek), onlyUnreadable(&pin))
	if _, err := m.ctx.GenerateKey(m.session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_GEN, nil)}, template); err != nil {
		t.Fatal(err)
	}
	return cfg
}

// KPR-06: a module that lets no wrapped key be wrapped anew, for good reason, keeps its
// first wrapping key. The order for the next one is refused before anything is made, as
// often as it comes, and says what to do; keys are made and sign as before, and none goes
// under another.
func TestKPR06ModuleThatForbidsWrappingAnew(t *testing.T) {
	cfg := forbidding(t)
	tok := mustOpen(t, cfg)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil || w.KEK != "assent-kek" {
		t.Fatalf("under %q, %v", w.KEK, err)
	}
	wantSign(t, tok, w)
	for range 2 {
		label, err := tok.NextKEK(t.Context())
		if !errors.Is(err, cryptotoken.ErrUnsupported) || label != "" || !strings.Contains(err.Error(), "by the means of its maker") {
			t.Errorf("%q, %v, want ErrUnsupported that says what to do", label, err)
		}
	}
	m := inside(t, cfg)
	for _, label := range []string{"assent-kek/2", "assent-kek/2" + unfinished} {
		if n := objects(t, m, label); n != 0 {
			t.Errorf("%d objects %q were made", n, label)
		}
	}
	if label := currentKEK(t, tok); label != "assent-kek" {
		t.Errorf("the current wrapping key is %q", label)
	}
	if n, err := tok.Rewrap(t.Context(), w); err == nil && n.KEK != "assent-kek" {
		t.Errorf("a key went under %q", n.KEK)
	}
	w2, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil || w2.KEK != "assent-kek" {
		t.Fatalf("under %q, %v", w2.KEK, err)
	}
	wantSign(t, tok, w)
	wantSign(t, tok, w2)
}

// KPR-01: such a module passes the second part of the self-test, to which a module that
// unwraps as readable does not, and so needs no word that it is for development.
func TestKPR01StrictModuleIsNoDevelopmentToken(t *testing.T) {
	cfg := forbidding(t)
	cfg.Profile, cfg.Development = "production", false
	tok := mustOpen(t, cfg)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	wantSign(t, tok, w)
	loose := patient(provision(t))
	loose.Profile, loose.Development = "production", false
	if tok, err := Open(loose); !errors.Is(err, cryptotoken.ErrSelfTest) {
		if err == nil {
			_ = tok.Close()
		}
		t.Errorf("a module that unwraps as readable: %v", err)
	}
}
