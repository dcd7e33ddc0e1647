package crash

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap/sapclient"
)

// cell is one run: kill samd at a point, at its n-th hit.
type cell struct {
	point failpoint.Point
	mode  string
	n     int
}

func (c cell) String() string {
	return fmt.Sprintf("%s=%s:%d", c.point.Name, c.mode, c.n)
}

// pkcs11Only tells points that a software token does not reach.
func pkcs11Only(p failpoint.Point) bool {
	return p.Name == "token/32-sign-init" || strings.HasPrefix(p.Name, "hsm/")
}

// samdPoints are the points that the matrix of samd runs.
func samdPoints() []failpoint.Point {
	var out []failpoint.Point
	for _, p := range failpoint.Points() {
		elsewhere := slices.Contains([]failpoint.Workload{failpoint.Signing, failpoint.Adoption, failpoint.Once, failpoint.OnceStart}, p.Workload)
		if p.Name != "" && !elsewhere && !pkcs11Only(p) {
			out = append(out, p)
		}
	}
	return out
}

// soak tells whether the long forms run.
func soak() bool { return os.Getenv("ASSENT_SOAK") == "1" }

func seed(t testing.TB) uint64 {
	t.Helper()
	text := os.Getenv("ASSENT_SEED")
	if text == "" {
		return 1
	}
	n, err := strconv.ParseUint(text, 10, 64)
	must(t, err)
	return n
}

// FPT-05, SAP-03, F21, I1 to I6, I8, I9: samd is killed before or after every named
// step; started again, nothing that was acknowledged is lost, nothing is signed
// twice, and what nobody was told stays withheld. The auditor finds nothing.
func TestFPT05KilledAtEveryPoint(t *testing.T) {
	modes := []string{"before", "after"}
	for i, p := range samdPoints() {
		// One of the two per run, by the seed; the soak runs both, and twice.
		c := cell{p, modes[(uint64(i)+seed(t))%2], 1}
		if p.Name == "sqldb/28-committed" {
			c.n = 4
		}
		t.Run(strings.ReplaceAll(p.Name, "/", ":")+"="+c.mode, func(t *testing.T) { c.run(t, seed(t)) })
	}
}

// The whole matrix: every point before, after and twice, at several hits. An
// interrupted run goes on: cells in the progress file are not run again.
func TestFPT05WholeMatrix(t *testing.T) {
	if !soak() {
		return // the short form is above; this one is "make soak"
	}
	done, record := progress(t)
	var ran, skipped int
	for _, p := range samdPoints() {
		for _, mode := range []string{"before", "after", "twice"} {
			for _, n := range counts(p) {
				c := cell{p, mode, n}
				if done[c.String()] {
					skipped++
					continue
				}
				ok := t.Run(strings.ReplaceAll(c.String(), "/", ":"), func(t *testing.T) { c.run(t, seed(t)+uint64(n)) })
				if ok {
					record(c.String())
				}
				ran++
			}
		}
	}
	t.Logf("seed %d: %d cells run, %d done earlier", seed(t), ran, skipped)
}

// counts are the hits at which a point is tried: commits happen everywhere.
func counts(p failpoint.Point) []int {
	switch {
	case p.Name == "sqldb/28-committed":
		return []int{1, 2, 3, 4, 5, 6, 7, 8}
	case p.Workload == failpoint.Activation:
		return []int{1, 2, 4}
	}
	return []int{1}
}

// progress reads and extends the file of cells that are done for this seed.
func progress(t *testing.T) (map[string]bool, func(string)) {
	t.Helper()
	path := os.Getenv("ASSENT_SOAK_PROGRESS")
	done := map[string]bool{}
	if path == "" {
		return done, func(string) {}
	}
	prefix := fmt.Sprintf("%d ", seed(t))
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if cell, ok := strings.CutPrefix(line, prefix); ok {
			done[cell] = true
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return done, func(cell string) {
		_, err := f.WriteString(prefix + cell + "\n")
		must(t, err)
	}
}

// run is one cell: until the death, recovery, and the judgement.
func (c cell) run(t *testing.T, seed uint64) {
	s := template(t).copySite(t)
	switch c.point.Workload {
	case failpoint.Start:
		c.runFirstStart(t, seed)
		return
	case failpoint.Place:
		c.runPlace(s, seed)
		return
	}
	cl := newClient(s, seed)
	checkpoint := c.prepare(s, cl)
	switch c.point.Workload {
	case failpoint.Restore:
		older := s.path("older.db")
		must(t, os.Rename(older, s.path("data/sam.db")))
	case failpoint.Recovery:
		// Two approvals are left reserved, so that half of the work can be done.
		must(t, s.start("samd/26-consume-committed=after:2"))
		c.untilDead(s, cl, 2)
	}
	deaths := 1
	if c.mode == "twice" {
		deaths = 2
	}
	for range deaths {
		if err := s.start(c.String()); err == nil {
			c.untilDead(s, cl, 2)
		}
		s.killed()
	}
	must(t, s.start(""))
	if c.point.Workload == failpoint.Restore {
		must(t, s.acceptRestore())
	}
	c.recovered(s, cl)
	if c.point.Workload == failpoint.Backup {
		must(t, s.backUp())
		s.wholeBackups()
	}
	if c.point.Workload == failpoint.Rotation {
		must(t, s.rotate()) // and nothing of the last one is in its way
		must(t, cl.round(1))
	}
	s.stop()
	if c.point.Workload != failpoint.Restore { // which voids answers, by the officer's word
		linearizable(t, true, history(t, s.path("client.log")))
	}
	s.audit(fmt.Sprintf("%d %s", seed, c), "-checkpoint", checkpoint, "-samples", s.path("samples.log"), "-max-rss", "300000")
}

// prepare makes honest history and takes a checkpoint of the chain, which the
// recovered module must still fit.
func (c cell) prepare(s *site, cl *client) string {
	s.t.Helper()
	must(s.t, s.start(""))
	must(s.t, cl.round(1))
	officer := s.admin("olga")
	defer officer.Close()
	st, err := officer.Status(context.Background())
	must(s.t, err)
	if c.point.Workload == failpoint.Restore { // approved, and not redeemed before the epoch ends
		_, err := cl.approve(1)
		must(s.t, err)
	}
	s.stop()
	if c.point.Workload == failpoint.Restore {
		text, err := os.ReadFile(s.path("data/sam.db"))
		must(s.t, err)
		must(s.t, os.WriteFile(s.path("older.db"), text, 0o600))
		must(s.t, s.start("")) // the anchor goes on
		s.stop()
	}
	return fmt.Sprintf("%s:%d:%s", st.Info.Instance, st.AuditSeq, hex.EncodeToString(st.AuditHead))
}

// untilDead works until samd dies. A death that the work does not reach in time
// is a failure of the test: a matrix that kills nothing proves nothing.
func (c cell) untilDead(s *site, cl *client, parallel int) {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end) && !s.proc.dead(); {
		var err error
		switch c.point.Workload {
		case failpoint.Officer:
			err = s.officerWork()
		case failpoint.Restore:
			err = s.acceptRestore()
		case failpoint.Backup:
			err = s.backUp()
		case failpoint.Rotation:
			err = s.rotate()
		default:
			err = cl.round(parallel)
		}
		if err != nil {
			select { // a refused connection is noticed before the process is waited for
			case <-s.proc.done:
			case <-time.After(10 * time.Second):
				s.t.Fatalf("samd lives, and: %v\n%s", err, s.log())
			}
		}
	}
	s.killed()
}

// acceptRestore has two officers accept the older database, if samd waits for it.
func (s *site) acceptRestore() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	first, second := s.admin("olga"), s.admin("otto")
	defer first.Close()
	defer second.Close()
	st, err := first.Status(ctx)
	if err != nil {
		return err
	}
	for _, w := range st.Waiting {
		var args map[string]any
		if err := json.Unmarshal(w.Args, &args); err != nil {
			return err
		}
		args["why"] = "crash test"
		p, err := first.Propose(ctx, w.Kind, args)
		if err != nil {
			return err
		}
		if _, err := second.Approve(ctx, p.ID); err != nil {
			return err
		}
	}
	return nil
}

// officerWork makes a key, links its certificate, and decides about it with a
// second officer.
func (s *site) officerWork() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	officer := s.admin("olga")
	defer officer.Close()
	cred, err := officer.Generate(ctx, sapclient.GenerateIn{Signer: s.signer.ID, KeyType: "P-256"})
	if err != nil {
		return err
	}
	cert := s.ca.Issue(s.t, cred.CSR, time.Now(), nil)
	if _, err := officer.LinkCertificate(ctx, cred.Key, [][]byte{cert.Raw, s.ca.Cert.Raw}); err != nil {
		return err
	}
	p, err := officer.Propose(ctx, "raw_permission", map[string]any{"key": cred.Key, "raw": true})
	if err != nil {
		return err
	}
	second := s.admin("otto")
	defer second.Close()
	_, err = second.Approve(ctx, p.ID)
	return err
}

// recovered asks for everything again and goes on working.
func (c cell) recovered(s *site, cl *client) {
	s.t.Helper()
	cl.note(event{Ev: "recovered"})
	cl.again()
	must(s.t, cl.round(2)) // connections and readers are there from here on
	must(s.t, s.officerWork())
	base := s.sample("base", 0)
	must(s.t, cl.round(2))
	last := cl.sent[len(cl.sent)-1]
	status, _, err := cl.redeem(last)
	if err != nil || status != 200 {
		s.t.Errorf("after the recovery: status %d, %v", status, err)
	}
	must(s.t, s.officerWork())
	s.sample("end", base)
}

// sample writes down what the process holds, when it holds no more open files
// than at most, or after 10 s all the same: connections take a moment to close.
func (s *site) sample(phase string, most int) int {
	s.t.Helper()
	pid := s.proc.cmd.Process.Pid
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	for end := time.Now().Add(10 * time.Second); err == nil && most > 0 && len(fds) > most && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
		fds, err = os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	}
	must(s.t, err)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(s.t, err)
	var rss int64
	for _, line := range strings.Split(string(status), "\n") {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			rss, err = strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			must(s.t, err)
		}
	}
	f, err := os.OpenFile(s.path("samples.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(s.t, err)
	_, err = fmt.Fprintf(f, `{"phase":%q,"fds":%d,"rss_kib":%d}`+"\n", phase, len(fds), rss)
	must(s.t, errors.Join(err, f.Close()))
	return len(fds)
}

// runFirstStart kills samd while it makes its database.
func (c cell) runFirstStart(t *testing.T, seed uint64) {
	s := newSite(t, t.TempDir())
	for range map[string]int{"before": 1, "after": 1, "twice": 2}[c.mode] {
		if err := s.start(c.String()); !errors.Is(err, errDied) {
			// The second death of "twice" needs a step that the first left to do.
			if c.mode == "twice" && err == nil {
				s.stop()
				break
			}
			t.Fatalf("samd lives: %v", err)
		}
		s.killed()
	}
	must(t, s.start(""))
	s.enrol()
	cl := newClient(s, seed)
	c.recovered(s, cl)
	s.stop()
	s.audit(fmt.Sprintf("%d %s", seed, c))
}
