package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/config"
)

type sample struct {
	Listen string        `yaml:"listen"`
	Wait   time.Duration `yaml:"wait"`
	Deep   struct {
		N int `yaml:"n"`
	} `yaml:"deep"`
}

func TestLoadStrict(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "listen: a\nlissten: b\n", "2 | lissten"},
		{"unknown nested key", "listen: a\ndeep:\n  m: 1\n", "m: 1"},
		{"duplicate key", "listen: a\nlisten: b\n", "2 | listen"},
		{"wrong type", "deep:\n  n: many\n", "many"},
		{"bad duration", "wait: soon\n", ""},
		{"second document", "listen: a\n---\nlisten: b\n", "more than one"},
		{"empty", "", "empty"},
		{"no YAML", "listen: [", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s sample
			err := config.Decode("x.yaml", []byte(c.text), &s)
			if !errors.Is(err, config.ErrSyntax) {
				t.Fatalf("got %v, want ErrSyntax", err)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x.yaml") {
				t.Errorf("message does not point at the place: %v", err)
			}
		})
	}
}

func TestLoadKeepsDefaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("listen: 127.0.0.1:1\nwait: 5m\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := sample{}
	s.Deep.N = 7
	if err := config.Load(path, &s); err != nil {
		t.Fatal(err)
	}
	if s.Listen != "127.0.0.1:1" || s.Wait != 5*time.Minute || s.Deep.N != 7 {
		t.Errorf("got %+v", s)
	}
	if err := config.Load(path+"x", &s); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// IAM-06: a secret that others can read is refused and not shown.
func TestReadSecretRefusesOpenFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pin")
	if err := os.WriteFile(path, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := config.ReadSecret(path)
	if err != nil || string(s.Reveal()) != "s3cret" {
		t.Fatalf("got %q, %v", s.Reveal(), err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o620} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := config.ReadSecret(path); !errors.Is(err, config.ErrSecret) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	if _, err := config.ReadSecret(dir); !errors.Is(err, config.ErrSecret) {
		t.Errorf("directory: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("listen: a\nwait: 5m\ndeep: {n: 1}\n")
	f.Add("a: &a [*a]\n")
	f.Add("name: 007\nsize: 1.9\nmany: [{wait: 5, sub: {deep: {n: x}}}]\nproperties: {a: [b], <<: {c: 1}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		var s sample
		_ = config.Decode("fuzz", []byte(text), &s)
		var deep section
		_ = config.Decode("fuzz", []byte(text), &deep)
	})
}
