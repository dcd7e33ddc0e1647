package crash

import (
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assent-sign/assent/conformance/fakehsm"
	"github.com/assent-sign/assent/cryptotoken/pkcs11"
	"github.com/assent-sign/assent/cryptotoken/pkcs11/softhsm"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/testenv"
)

// newHSMSite is an installation whose token is SoftHSM behind the interposer: the
// token log is written by a process that is neither samd nor its child.
func newHSMSite(t *testing.T) *site {
	t.Helper()
	testenv.Need(t, "softhsm2-util")
	testenv.Need(t, "gcc")
	dir, err := os.MkdirTemp("", "hsm") // short: names of sockets have 108 octets
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	env, real, err := softhsm.Provision(dir, "crash", canary, "so"+canary)
	must(t, err)
	s := newSite(t, t.TempDir())
	h, err := fakehsm.Start(fakehsm.Config{Socket: filepath.Join(dir, "s"), Log: s.path("token.log")})
	must(t, err)
	t.Cleanup(func() { _ = h.Close() })
	module := filepath.Join(dir, "shim.so")
	must(t, fakehsm.Build(t.Context(), module))
	cfg := pkcs11.Config{
		Name: "crash", Module: module, TokenLabel: "crash", PIN: []byte(canary), Profile: "development", Development: true, Log: slog.New(slog.DiscardHandler),
		Env: []string{env, "FAKEHSM_MODULE=" + real, "FAKEHSM_SOCKET=" + filepath.Join(dir, "s")},
	}
	must(t, pkcs11.Init(t.Context(), cfg))
	s.token = fmt.Sprintf("{driver: pkcs11, name: crash, module: %q, label: crash, pin_file: %s/pin, children: 1, watchdog: 30s, development: true, env: [%q, %q, %q]}",
		module, s.dir, cfg.Env[0], cfg.Env[1], cfg.Env[2])
	s.configure()
	return s
}

// FPT-05, SAP-03, F21, I1 (fault plan 4.2): samd and its PKCS #11 worker die together
// inside the token's calls, C_UnwrapKey, C_SignInit and C_Sign among them. The
// witness of what was signed is the interposer, which no kill reaches.
func TestFPT05KilledInsideAnHSM(t *testing.T) {
	s := newHSMSite(t)
	must(t, s.start(""))
	s.enrol()
	cl := newClient(s, seed(t))
	must(t, cl.round(1))
	s.stop()
	modes := []string{"before", "after"}
	for i, p := range failpoint.Points() {
		if !strings.HasPrefix(p.Name, "token/") {
			continue
		}
		for j, mode := range modes {
			if !soak() && j != (i+int(seed(t)))%2 {
				continue
			}
			// Self-tests at the start sign too: the count grows until one of the
			// deaths is inside a redemption.
			reached := false
			for n := 1; !reached && n <= 64; n *= 2 {
				c := cell{p, mode, n}
				if err := s.start(c.String()); err == nil {
					c.untilDead(s, cl, 1)
					reached = true
				}
				s.killed()
			}
			if !reached {
				t.Fatalf("%s is not reached by a redemption", p.Name)
			}
			must(t, s.start(""))
			must(t, cl.round(1))
			s.stop()
		}
	}
	must(t, s.start(""))
	cell{}.recovered(s, cl)
	s.stop()
	linearizable(t, true, history(t, s.path("client.log")))
	s.audit(fmt.Sprintf("%d hsm", seed(t)))
}

// KPR-06, FPT-05, I1 (fault plan 4.2): samd and its PKCS #11 worker die together at each
// step of a rotation, in the module and inside the token: the wrapping key is made and
// has no name, has its name and nothing under it, keys are under both, the old one is
// destroyed and nobody wrote it down. Started again, every key signs, the rotation is
// finished, and the next one finds nothing in its way.
func TestKPR06KilledWhileRotatingAnHSM(t *testing.T) {
	s := newHSMSite(t)
	must(t, s.start(""))
	s.enrol()
	cl := newClient(s, seed(t))
	must(t, cl.round(1))
	s.stop()
	modes := []string{"before", "after"}
	for i, p := range failpoint.Points() {
		if p.Workload != failpoint.Rotation {
			continue
		}
		for j, mode := range modes {
			if !soak() && j != (i+int(seed(t)))%2 {
				continue
			}
			c := cell{p, mode, 1}
			must(t, s.start(c.String()))
			c.untilDead(s, cl, 1)
			s.killed()
			must(t, s.start(""))
			must(t, cl.round(1))
			s.wantWrapped(c.String())
			must(t, s.rotate())
			must(t, cl.round(1))
			s.wantWrapped(c.String())
			s.stop()
		}
	}
	must(t, s.start(""))
	cell{}.recovered(s, cl)
	s.stop()
	linearizable(t, true, history(t, s.path("client.log")))
	s.audit(fmt.Sprintf("%d rotation", seed(t)))
}

// wantWrapped: every key of the database is under the current wrapping key.
func (s *site) wantWrapped(after string) {
	s.t.Helper()
	officer := s.admin("olga")
	defer officer.Close()
	st, err := officer.Status(s.t.Context())
	must(s.t, err)
	db, err := sql.Open("sqlite3", "file:"+s.path("data/sam.db")+"?mode=ro")
	must(s.t, err)
	defer func() { _ = db.Close() }()
	var keys, left int
	row := db.QueryRow("SELECT count(*), coalesce(sum(kek <> ?), 0) FROM credential WHERE state <> 'destroyed'", st.KEK)
	must(s.t, row.Scan(&keys, &left))
	if keys == 0 || left != 0 {
		s.t.Errorf("%s: %d of %d keys are not under %s", after, left, keys, st.KEK)
	}
}
