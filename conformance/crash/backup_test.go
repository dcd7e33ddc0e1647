package crash

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/assent-sign/assent/sap/sapclient"
)

// backUp has two officers order a backup.
func (s *site) backUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	first, second := s.admin("olga"), s.admin("otto")
	defer first.Close()
	defer second.Close()
	p, err := first.Propose(ctx, "backup", map[string]string{"why": "crash test"})
	if err != nil {
		return err
	}
	_, err = second.Approve(ctx, p.ID)
	return err
}

// restore is samd restore: into database and anchor of a configuration.
func (s *site) restore(config, file, failpoint string) ([]byte, error) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(programs, "samd"), "-config", config, "restore", file)
	cmd.Env = append(os.Environ(), "ASSENT_FAILPOINT="+failpoint, "ASSENT_FAILPOINT_LIVES="+s.path("lives"), "ASSENT_TOKEN_LOG="+s.path("token.log"))
	return cmd.CombinedOutput()
}

// wholeBackups checks that there is no half of a backup: every file of that name
// can be restored, and nothing else lies there once the next one was made.
func (s *site) wholeBackups() {
	s.t.Helper()
	list, err := os.ReadDir(s.path("backups"))
	must(s.t, err)
	if len(list) == 0 {
		s.t.Error("no backup")
	}
	text, err := os.ReadFile(s.path("samd.yaml"))
	must(s.t, err)
	for _, f := range list {
		if !strings.HasSuffix(f.Name(), ".backup") {
			s.t.Errorf("left behind: %s", f.Name())
			continue
		}
		other := s.t.TempDir()
		config := filepath.Join(other, "samd.yaml")
		must(s.t, os.WriteFile(config, []byte(strings.ReplaceAll(string(text), s.path("data/"), other+"/")), 0o600))
		if out, err := s.restore(config, s.path("backups/"+f.Name()), ""); err != nil {
			s.t.Errorf("%s is no whole backup: %v\n%s", f.Name(), err, out)
		}
		if _, err := os.Stat(filepath.Join(other, "sam.db")); err != nil {
			s.t.Error(err)
		}
	}
}

// runPlace kills samd restore: afterwards there is either no database, and the
// restore can be done again, or the whole one, which waits for two officers.
func (c cell) runPlace(s *site, seed uint64) {
	cl := newClient(s, seed)
	checkpoint := c.prepare(s, cl)
	must(s.t, s.start(""))
	must(s.t, s.backUp())
	s.stop()
	list, err := filepath.Glob(s.path("backups/*.backup"))
	must(s.t, err)
	if len(list) != 1 {
		s.t.Fatalf("%v", list)
	}
	db := s.path("data/sam.db")
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(db + end)
	}
	for range map[string]int{"before": 1, "after": 1, "twice": 2}[c.mode] {
		out, err := s.restore(s.path("samd.yaml"), list[0], c.String())
		if err == nil {
			s.t.Fatalf("samd restore lives:\n%s", out)
		}
	}
	if _, err := os.Stat(db); err != nil { // wholly before
		if out, err := s.restore(s.path("samd.yaml"), list[0], ""); err != nil {
			s.t.Fatalf("again: %v\n%s", err, out)
		}
	} else if out, err := s.restore(s.path("samd.yaml"), list[0], ""); err == nil {
		s.t.Fatalf("restored over a database:\n%s", out)
	}
	must(s.t, s.start(""))
	if _, err := cl.approve(1); err == nil {
		s.t.Error("a restored database, and nobody was asked")
	}
	must(s.t, s.acceptRestore())
	c.recovered(s, cl)
	s.stop()
	s.audit("restored "+c.String(), "-checkpoint", checkpoint)
}

// rotate has two officers order the next wrapping key, statement key and sealing key, and
// the end of the ones before.
func (s *site) rotate() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	first, second := s.admin("olga"), s.admin("otto")
	defer first.Close()
	defer second.Close()
	st, err := sealed(ctx, first) // a change that was interrupted ends by itself
	if err != nil {
		return err
	}
	for _, d := range []struct {
		kind string
		args map[string]any
	}{
		{"seal_rotate", map[string]any{"from": st.SealEpoch, "why": "crash test"}},
		{"kek_rotate", map[string]any{"from": st.KEK, "why": "crash test"}},
		{"kek_destroy", map[string]any{"kek": st.KEK, "why": "crash test", "without_backup": true}},
		{"statement_rotate", map[string]any{"from": st.Info.KeyID, "replace": false, "why": "crash test"}},
		{"statement_destroy", map[string]any{"key": st.Info.KeyID, "why": "crash test", "without_backup": true}},
		{"seal_destroy", map[string]any{"epoch": st.SealEpoch, "why": "crash test", "without_backup": true}},
	} {
		if d.kind == "seal_destroy" {
			if _, err := sealed(ctx, first); err != nil {
				return err
			}
		}
		p, err := first.Propose(ctx, d.kind, d.args)
		if err != nil {
			return err
		}
		if _, err := second.Approve(ctx, p.ID); err != nil {
			return err
		}
	}
	return nil
}

// sealed waits until all records are sealed under one epoch.
func sealed(ctx context.Context, a *sapclient.Admin) (*sapclient.Status, error) {
	for {
		st, err := a.Status(ctx)
		if err != nil || st.SealLow == st.SealEpoch {
			return st, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
