package pkcs11

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/algo"
)

func nextKEK(t *testing.T, tok *Token) string {
	t.Helper()
	label, err := tok.NextKEK(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return label
}

func currentKEK(t *testing.T, tok *Token) string {
	t.Helper()
	label, err := tok.CurrentKEK(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return label
}

func mustRewrap(t *testing.T, tok *Token, w cryptotoken.Wrapped) cryptotoken.Wrapped {
	t.Helper()
	n, err := tok.Rewrap(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// KPR-06: labels and epochs are one to one, and nothing else is an epoch.
func FuzzEpochLabel(f *testing.F) {
	for _, label := range []string{"kek", "kek/2", "kek/1000", "kek/1001", "kek/02", "kek/1", "kek/0", "kek/-2", "kek/+2", "kek/", "kek/2.new", "kek/2/2", "ke", "", "/2"} {
		f.Add("kek", label)
	}
	f.Add("", "/2")
	f.Fuzz(func(t *testing.T, base, label string) {
		n, ok := epochOf(base, label)
		if ok && (n < 1 || n > maxKEKs || epochLabel(base, n) != label) {
			t.Errorf("%q of %q is epoch %d", label, base, n)
		}
		if !ok && len(label) < 300 {
			for n := 1; n <= maxKEKs; n++ {
				if epochLabel(base, n) == label {
					t.Fatalf("%q of %q is no epoch, and %d has this label", label, base, n)
				}
			}
		}
	})
}

// KPR-06, F10: the child dies before or after it made the next wrapping key, wrapped a
// key anew or destroyed the old one: the call goes on with another child, and each
// thing happens once.
func TestKPR06ChildDiesWhileRotating(t *testing.T) {
	for _, fault := range []string{"next-before-die", "next-after-die", "rewrap-before-die", "rewrap-after-die", "destroy-before-die", "destroy-after-die"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			tok, w, dir := openFake(t, func(c *Config) { *c = patient(*c); c.Children = 2 })
			inject(t, dir, fault, 1)
			if label := nextKEK(t, tok); label != "assent-kek/2" || noted(t, dir, "made") != 1 {
				t.Errorf("%s, %d wrapping keys made", label, noted(t, dir, "made"))
			}
			n := mustRewrap(t, tok, w)
			if err := tok.DestroyKEK(t.Context(), w.KEK); err != nil {
				t.Fatal(err)
			}
			wantSign(t, tok, n)
			if _, err := signOne(tok, w); !errors.Is(err, cryptotoken.ErrBadBlob) || !errors.Is(err, cryptotoken.ErrNotStarted) {
				t.Errorf("under the destroyed key: %v", err)
			}
			if made, err := tok.GenerateWrapped(t.Context(), algo.P256); err != nil || made.KEK != "assent-kek/2" {
				t.Errorf("a new key is under %q, %v", made.KEK, err)
			}
		})
	}
}

// KPR-06, F11: a child that hangs after the act leaves the outcome open; asked again,
// or after a restart, the same wrapping key is the next one, and nothing is lost.
func TestKPR06LostAnswersWhileRotating(t *testing.T) {
	t.Parallel()
	tok, w, dir := openFake(t, func(c *Config) { *c = patient(*c); c.Watchdog = 2 * time.Second })
	inject(t, dir, "next-after-hang", 1)
	if _, err := tok.NextKEK(t.Context()); !errors.Is(err, cryptotoken.ErrTimeout) {
		t.Fatalf("%v, want ErrTimeout", err)
	}
	wantSign(t, tok, w) // on the child that took its place, which saw what was made
	if label := currentKEK(t, tok); label != "assent-kek/2" || noted(t, dir, "made") != 1 {
		t.Errorf("%s, %d wrapping keys made", label, noted(t, dir, "made"))
	}
	inject(t, dir, "rewrap-after-hang", 1)
	if _, err := tok.Rewrap(t.Context(), w); !errors.Is(err, cryptotoken.ErrTimeout) {
		t.Fatalf("%v, want ErrTimeout", err)
	}
	n := mustRewrap(t, tok, w)
	inject(t, dir, "destroy-after-hang", 1)
	if err := tok.DestroyKEK(t.Context(), w.KEK); !errors.Is(err, cryptotoken.ErrTimeout) {
		t.Fatalf("%v, want ErrTimeout", err)
	}
	if err := tok.DestroyKEK(t.Context(), w.KEK); err != nil {
		t.Errorf("again: %v", err)
	}
	wantSign(t, tok, n)
}

// KPR-06: what a child answers is checked: no wrapping key, the same one, or one of
// another family is no next one, and an empty blob is no key.
func TestKPR06MalformedAnswersWhileRotating(t *testing.T) {
	tok, w, dir := openFake(t, func(c *Config) { *c = patient(*c) })
	for _, fault := range []string{"next-none", "next-same", "next-other"} {
		inject(t, dir, fault, 1)
		if label, err := tok.NextKEK(t.Context()); !errors.Is(err, cryptotoken.ErrUnavailable) || label != "" {
			t.Errorf("%s: %q, %v", fault, label, err)
		}
		if label := currentKEK(t, tok); label != w.KEK {
			t.Errorf("%s: the current wrapping key is %q", fault, label)
		}
	}
	label := nextKEK(t, tok)
	inject(t, dir, "rewrap-none", 1)
	if n, err := tok.Rewrap(t.Context(), w); !errors.Is(err, cryptotoken.ErrUnavailable) || n.Blob != nil {
		t.Errorf("%+v, %v", n, err)
	}
	if n := mustRewrap(t, tok, w); n.KEK != label {
		t.Errorf("under %q", n.KEK)
	}
}

// KPR-08: when a wrapping key is destroyed, no process that may hold a copy of it
// stays, and the token serves on.
func TestKPR08ChildrenThatKnewADestroyedKeyGo(t *testing.T) {
	cfg := patient(provision(t))
	cfg.Children = 2
	tok := mustOpen(t, cfg)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "two children", func() bool { return liveWorkers(tok) == 2 })
	nextKEK(t, tok)
	n := mustRewrap(t, tok, w)
	before := childPIDs(t)
	if err := tok.DestroyKEK(t.Context(), w.KEK); err != nil {
		t.Fatal(err)
	}
	wantSign(t, tok, n)
	eventually(t, "other children", func() bool {
		wantSign(t, tok, n) // a busy one ends when it is free
		now := childPIDs(t)
		return liveWorkers(tok) == 2 && len(now) == 2 && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(before, pid) })
	})
	wantSign(t, tok, n)
}

// KPR-06, KPR-01: no signature is made to wrap keys anew, no value is read, and the
// module sees no object of the key that it does not destroy.
func TestKPR06ModuleSeesNoUseWhileRotating(t *testing.T) {
	cfg, calls := spied(t, patient(provision(t)))
	cfg.Children = 1
	tok := mustOpen(t, cfg)
	w, err := tok.GenerateWrapped(t.Context(), algo.RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	nextKEK(t, tok)
	signs, unwraps, destroyed, uses := calls("C_SignInit"), calls("C_UnwrapKey"), calls("C_DestroyObject"), keyUses(t, tok)
	mustRewrap(t, tok, w)
	if n := calls("C_SignInit") - signs; n != 0 || keyUses(t, tok) != uses {
		t.Errorf("the module saw %d C_SignInit, the driver counted %d", n, keyUses(t, tok)-uses)
	}
	if un, de := calls("C_UnwrapKey")-unwraps, calls("C_DestroyObject")-destroyed; un != 2 || de != 2 {
		t.Errorf("%d keys unwrapped, %d destroyed, want 2 and 2", un, de)
	}
}

// KPR-06: so many epochs may live at the same time, and no more; the first may be gone.
func TestKPR06WrappingKeysAreBounded(t *testing.T) {
	cfg := patient(provision(t))
	cfg.Children = 1
	tok := mustOpen(t, cfg)
	w, err := tok.GenerateWrapped(t.Context(), algo.P256)
	if err != nil {
		t.Fatal(err)
	}
	for range maxLiveKEKs - 1 {
		nextKEK(t, tok)
	}
	if _, err := tok.NextKEK(t.Context()); !errors.Is(err, cryptotoken.ErrUnsupported) {
		t.Errorf("one too many: %v, want ErrUnsupported", err)
	}
	n := mustRewrap(t, tok, w)
	if err := tok.DestroyKEK(t.Context(), "assent-kek"); err != nil {
		t.Fatal(err)
	}
	if label := nextKEK(t, tok); label != epochLabel("assent-kek", maxLiveKEKs+1) {
		t.Errorf("next is %q", label)
	}
	if err := Init(t.Context(), cfg); !errors.Is(err, cryptotoken.ErrKeyExists) {
		t.Errorf("Init in a token whose first epoch is over: %v, want ErrKeyExists", err)
	}
	wantSign(t, tok, n)
}
