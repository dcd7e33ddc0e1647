package pkcs11

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/assent-sign/assent/cryptotoken"
	"github.com/assent-sign/assent/internal/failpoint"
)

// Config says which module and token to use. Zero values take the defaults that
// the comments name.
type Config struct {
	Name       string // configured name, for Info; "pkcs11"
	Module     string // absolute path of the PKCS #11 library
	TokenLabel string // CKA label of the token; the slot number is never used
	Serial     string // serial number, needed when labels are not unique
	PIN        []byte // user PIN; or
	PINFile    string // a file that holds it, readable by its owner only

	// Children is the number of module instances, each with one call at a time; 2.
	Children int
	// KEKLabel names the AES-256 key that wraps signers' keys; "assent-kek".
	KEKLabel string
	// SealLabel names the secret under which DeriveSeal works; "assent-seal".
	SealLabel string
	// WrapMechanism is "0x210B" (CKM_AES_KEY_WRAP_KWP), "0x210A"
	// (CKM_AES_KEY_WRAP_PAD, which on SoftHSM is KWP) or "" to take the first of
	// these that the token offers.
	WrapMechanism string

	// Profile is the profile of the service. Only "demo" and "development" may set
	// Development, which accepts a module that fails the downgrade test.
	Profile     string
	Development bool

	// Env is added to the children's environment, such as SOFTHSM2_CONF=... .
	Env []string

	Watchdog  time.Duration // a call must answer within this; 3 s
	PerDigest time.Duration // plus this for every digest; 20 ms
	QueueWait time.Duration // a call waits so long for a free child; 3 s
	StartWait time.Duration // a child must be ready within this; 15 s

	// RecycleAfter replaces a child after so many key operations, because modules
	// leak (SoftHSM 250 bytes each: 5 MB); 20,000.
	RecycleAfter uint64

	Log *slog.Logger // slog.Default()

	command func() (path string, args, env []string) // tests: another child
}

func (c *Config) defaults() {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	wait := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.Name, "pkcs11")
	set(&c.KEKLabel, "assent-kek")
	set(&c.SealLabel, "assent-seal")
	if c.Children == 0 {
		c.Children = 2
	}
	if c.RecycleAfter == 0 {
		c.RecycleAfter = 20_000
	}
	wait(&c.Watchdog, 3*time.Second)
	wait(&c.PerDigest, 20*time.Millisecond)
	wait(&c.QueueWait, 3*time.Second)
	wait(&c.StartWait, 15*time.Second)
	if c.Log == nil {
		c.Log = slog.Default()
	}
}

func (c *Config) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("pkcs11 %s: %w: %s", c.Name, cryptotoken.ErrInvalidInput, fmt.Sprintf(format, args...))
	}
	if !filepath.IsAbs(c.Module) {
		return bad("module %q is not an absolute path", c.Module)
	}
	if c.TokenLabel == "" && c.Serial == "" {
		return bad("neither token label nor serial number is set")
	}
	if c.Children < 1 || c.Children > 64 {
		return bad("%d children, want 1 to 64", c.Children)
	}
	if _, err := c.mechanism(); err != nil {
		return err
	}
	for _, label := range []string{c.KEKLabel, c.SealLabel} {
		if err := cryptotoken.CheckLabel(label); err != nil {
			return err
		}
	}
	if c.Development && c.Profile != "demo" && c.Profile != "development" {
		return fmt.Errorf("pkcs11 %s: %w: profile %q may not set the development flag", c.Name, cryptotoken.ErrDevelopment, c.Profile)
	}
	return nil
}

const (
	mechWrapPad uint32 = 0x210A // CKM_AES_KEY_WRAP_PAD
	mechWrapKWP uint32 = 0x210B // CKM_AES_KEY_WRAP_KWP
)

// mechanism returns the configured mechanism, 0 for automatic.
func (c *Config) mechanism() (uint32, error) {
	switch strings.ToLower(c.WrapMechanism) {
	case "", "auto":
		return 0, nil
	case "0x210a":
		return mechWrapPad, nil
	case "0x210b":
		return mechWrapKWP, nil
	}
	return 0, fmt.Errorf("pkcs11 %s: %w: wrap mechanism %q is neither 0x210A nor 0x210B", c.Name, cryptotoken.ErrInvalidInput, c.WrapMechanism)
}

// childCommand returns how a child is started.
func (c *Config) childCommand() (string, []string, []string, error) {
	if c.command != nil {
		path, args, env := c.command()
		return path, args, env, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", nil, nil, fmt.Errorf("pkcs11 %s: %w: own path: %w", c.Name, cryptotoken.ErrUnavailable, err)
	}
	env := append(append(os.Environ(), c.Env...), failpoint.ChildEnv()...)
	return running(exe), []string{exe, childArg}, append(env, childEnv+"=1"), nil
}
