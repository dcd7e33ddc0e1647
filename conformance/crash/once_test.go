package crash

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// onceShared are points of every activation at which the life of a one-time key is
// cut too: around the reservation, the signature and the outcome.
var onceShared = []string{
	"samd/26-consume-committed", "token/31-key-unwrapped", "token/33-sign-entered", "token/34-sign-returned",
	"samd/35-signature-verified", "samd/37-outcome-committed", "token/39-key-destroyed", "samd/38-reply-sent",
}

// oncePoints are the points that the matrix of one-time keys runs.
func oncePoints() []failpoint.Point {
	var out []failpoint.Point
	for _, p := range failpoint.Points() {
		if p.Workload == failpoint.Once || p.Workload == failpoint.OnceStart || slices.Contains(onceShared, p.Name) {
			out = append(out, p)
		}
	}
	return out
}

// KEY-10, FPT-05, I1 to I3: samd is killed before or after every step in the life of a
// one-time key, from the offer to the record of its destruction and in the clearing up
// after another crash. Started again, no one-time key of before can be used, none was
// ever used by two lives of the process, each signed one approval at most, no second
// certificate was asked for, and the audit chain tells every key's life to its end.
func TestKEY10KilledAtEveryPoint(t *testing.T) {
	for i, p := range oncePoints() {
		c := cell{p, []string{"before", "after"}[(uint64(i)+seed(t))%2], 1}
		t.Run(strings.ReplaceAll(p.Name, "/", ":")+"="+c.mode, func(t *testing.T) { c.runOnce(t, seed(t)) })
	}
}

// KEY-10: the whole matrix of one-time keys: before, after and twice, at the first, second
// and fourth key of the process.
func TestKEY10WholeMatrix(t *testing.T) {
	if !soak() {
		return // the short form is above; this one is "make soak"
	}
	done, record := progress(t)
	var ran, skipped int
	for _, p := range oncePoints() {
		for _, mode := range []string{"before", "after", "twice"} {
			for _, n := range []int{1, 2, 4} {
				c := cell{p, mode, n}
				if p.Workload == failpoint.OnceStart && n > 1 {
					continue // one key is alive at a kill
				}
				if done["once "+c.String()] {
					skipped++
					continue
				}
				if t.Run(strings.ReplaceAll(c.String(), "/", ":"), func(t *testing.T) { c.runOnce(t, seed(t)+uint64(n)) }) {
					record("once " + c.String())
				}
				ran++
			}
		}
	}
	t.Logf("seed %d: %d cells run, %d done earlier", seed(t), ran, skipped)
}

var onceReady struct {
	sync.Once
	site *site
}

// onceTemplate is an installation whose policy allows one-time keys of a CA.
func onceTemplate(t testing.TB) *site {
	t.Helper()
	onceReady.Do(func() {
		dir := filepath.Join(programs, "once")
		must(t, os.Mkdir(dir, 0o700))
		s := newSite(t, dir)
		ca, err := certs.NewDemoCA(certs.DemoConfig{})
		must(t, err)
		must(t, os.Mkdir(s.path("pki"), 0o700))
		must(t, ca.Save(s.path("pki")))
		s.more = "demo_cas: {once: pki}\none_time: [{policy: standard, ca: once, key_types: [P-256], life: 10m}]\n"
		s.configure()
		must(t, s.start(""))
		s.enrol()
		s.stop()
		onceReady.site = s
	})
	if onceReady.site == nil {
		t.Fatal("there is no template")
	}
	return onceReady.site
}

// onceTry is one one-time key as its caller knows it.
type onceTry struct {
	key              string
	statement, proof []byte
}

// onceClient lets its signer sign with one-time keys only.
type onceClient struct {
	*client
	tries []onceTry
}

// life asks for a one-time key, has it approved and certified, and signs once.
func (o *onceClient) life() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	signed, err := o.ssa.OnceRequest(ctx, sapclient.OnceRequestIn{Signer: o.s.signer.ID, Subject: "CN=DEMO Anna"})
	if err != nil {
		return err
	}
	var try onceTry
	if try.statement, try.proof, err = o.s.signer.Device.ApproveOnce(o.s.pub, signed); err != nil {
		return err
	}
	offer, err := sap.DecodeOneTime(try.statement)
	if err != nil {
		return err
	}
	try.key = offer.Key
	o.tries = append(o.tries, try)
	made, err := o.ssa.OnceApprove(ctx, sapclient.OnceApproveIn{Statement: try.statement, Proof: try.proof})
	if err != nil {
		return err
	}
	sg := *o.s.signer
	if sg.Cert, err = x509.ParseCertificate(made.Chain[0]); err != nil {
		return err
	}
	sg.Key, o.s.signer = made.Key, &sg
	r, err := o.approve(1)
	if err != nil {
		return err
	}
	status, body, err := o.redeem(r)
	if err == nil && status != 200 {
		return fmt.Errorf("redeem: %d %s", status, body)
	}
	return err
}

// runOnce is one cell: lives of one-time keys until the death, then the restart and
// the judgement.
func (c cell) runOnce(t *testing.T, seed uint64) {
	s := onceTemplate(t).copySite(t)
	o := &onceClient{client: newClient(s, seed)}
	token := names(t, s.path("token"))
	if c.point.Workload == failpoint.OnceStart { // something must be left to clear up
		must(t, s.start("samd/once-linked=after:1"))
		o.untilDead()
	}
	for range map[string]int{"before": 1, "after": 1, "twice": 2}[c.mode] {
		err := s.start(c.String())
		if err == nil && c.point.Workload == failpoint.OnceStart && c.mode == "twice" {
			break // the first death left nothing to clear up
		} else if err == nil {
			o.untilDead()
		}
		s.killed()
	}
	if s.proc.dead() {
		must(t, s.start(""))
	}
	o.recovered()
	s.stop()
	if got := names(t, s.path("token")); !slices.Equal(got, token) {
		t.Errorf("the token keeps %v, before the first one-time key %v", got, token)
	}
	for _, finding := range append(o.checkWitnesses(), o.checkRecords()...) {
		t.Error(finding)
	}
	linearizable(t, true, history(t, s.path("client.log")))
	s.audit(fmt.Sprintf("%d once %s", seed, c))
}

// untilDead lives with one-time keys until samd dies.
func (o *onceClient) untilDead() {
	o.s.t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end) && !o.s.proc.dead(); {
		if err := o.life(); err != nil {
			select {
			case <-o.s.proc.done:
			case <-time.After(10 * time.Second):
				o.s.t.Fatalf("samd lives, and: %v\n%s", err, o.s.log())
			}
		}
	}
	o.s.killed()
}

// recovered tries every old key in every way there is, and then makes a new one.
func (o *onceClient) recovered() {
	t := o.s.t
	t.Helper()
	o.note(event{Ev: "recovered"})
	certified := len(readLines(t, o.s.path("ca.log")))
	for _, try := range o.tries {
		if _, err := o.ssa.OnceApprove(context.Background(), sapclient.OnceApproveIn{Statement: try.statement, Proof: try.proof}); err == nil {
			t.Errorf("%s: the approval of before the restart made or found a key", try.key)
		}
		if _, err := o.ssa.Request(context.Background(), sapclient.ActivationRequestIn{Signer: o.s.signer.ID, Key: try.key, N: 1}); err == nil {
			t.Errorf("%s: it can be asked for after the restart", try.key)
		}
	}
	uses := len(readLines(t, o.s.path("token.log")))
	o.again()
	if n := len(readLines(t, o.s.path("token.log"))); n != uses {
		t.Errorf("repeating what was asked before made %d lines in the token's log", n-uses)
	}
	if n := len(readLines(t, o.s.path("ca.log"))); n != certified {
		t.Errorf("repeating what was asked before asked the CA %d times", n-certified)
	}
	if err := o.life(); err != nil {
		t.Errorf("after the recovery: %v", err)
	}
}

// checkWitnesses reads what the token and the CA wrote down, which samd cannot change.
func (o *onceClient) checkWitnesses() (found []string) {
	t := o.s.t
	t.Helper()
	asked := readLines(t, o.s.path("ca.log"))
	if distinct := slices.Compact(slices.Sorted(slices.Values(asked))); len(distinct) != len(asked) || len(asked) > len(o.tries) {
		found = append(found, fmt.Sprintf("%d approvals, %d certificates asked for, for %d keys", len(o.tries), len(asked), len(distinct)))
	}
	life, lives := 0, map[string]int{}
	for _, line := range readLines(t, o.s.path("token.log")) {
		text, _, _ := strings.Cut(line, "\t")
		var u struct{ Ev, Key string }
		must(t, json.Unmarshal([]byte(text), &u))
		if u.Ev == "start" {
			life++
		}
		if u.Ev != "sign" || !strings.HasPrefix(u.Key, "spki:") {
			continue
		}
		if first, ok := lives[u.Key]; ok && first != life {
			found = append(found, fmt.Sprintf("key %s of life %d of the process was used in life %d", u.Key, first, life))
		}
		lives[u.Key] = life
	}
	if len(lives) < 2 { // the long-term key of the template, and the one after the recovery
		found = append(found, fmt.Sprintf("the token's log tells of %d keys", len(lives)))
	}
	for _, key := range asked {
		if _, ok := lives[key]; !ok {
			found = append(found, fmt.Sprintf("a certificate was asked for %s, which never proved its possession", key))
		}
	}
	return found
}

// onceEvents is the whole life of a one-time key in the audit chain, but for its end.
var onceEvents = []string{
	"one_time_requested", "one_time_approved", "key_generation_intent", "key_generated", "certificate_linked",
	"activation_requested", "one_time_bound", "activation_reserved", "one_time_used", "activation_consumed",
}

// checkRecords reads database and audit chain: every one-time key is destroyed, once, and
// what happened to it before is a whole beginning of a life.
func (o *onceClient) checkRecords() (found []string) {
	t := o.s.t
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+o.s.path("data/sam.db")+"?mode=ro")
	must(t, err)
	defer func() { must(t, db.Close()) }()
	var n int
	must(t, db.QueryRow("SELECT count(*) FROM onetime WHERE state <> 'destroyed'").Scan(&n))
	if n != 0 {
		found = append(found, fmt.Sprintf("%d one-time keys are not destroyed", n))
	}
	for _, try := range o.tries {
		got, ends := o.told(db, try.key)
		if ends != 1 || len(got) == 0 || len(got) > len(onceEvents) || !slices.Equal(got, onceEvents[:len(got)]) {
			found = append(found, fmt.Sprintf("%s ended %d times, its life: %v", try.key, ends, got))
		}
	}
	return found
}

// told is what the audit chain tells of a key, and how often it ended.
func (o *onceClient) told(db *sql.DB, key string) (events []string, ends int) {
	t := o.s.t
	t.Helper()
	rows, err := db.Query("SELECT type FROM audit WHERE outcome = 'ok' AND instr(data, ?) > 0 ORDER BY seq", `"key":"`+key+`"`)
	must(t, err)
	defer func() { must(t, errors.Join(rows.Err(), rows.Close())) }()
	for rows.Next() {
		var typ string
		must(t, rows.Scan(&typ))
		if typ == "key_destroyed" {
			ends++
		} else {
			events = append(events, typ)
		}
	}
	return events, ends
}

func readLines(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	must(t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// names lists what is in a folder and below, with a hash of each file.
func names(t testing.TB, root string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		sum := sha256.Sum256(text)
		out = append(out, strings.TrimPrefix(path, root)+" "+hex.EncodeToString(sum[:]))
		return err
	}))
	return out
}

// KEY-10, I1: what this matrix compares is worth something. In the witnesses of an honest
// life nothing is found; planted in them, a key that a second life of the process used, a
// second certificate for one key, one that nobody approved, a key that is not destroyed
// and a life that goes on after its end are.
func TestKEY10MatrixFindsWhatIsPlanted(t *testing.T) {
	played := onceTemplate(t).copySite(t)
	honest := &onceClient{client: newClient(played, 1)}
	must(t, played.start(""))
	must(t, honest.life())
	must(t, honest.life())
	played.stop()
	add := func(name string, line func([]string) string) func(*testing.T, *site) {
		return func(t *testing.T, s *site) {
			text := line(readLines(t, s.path(name)))
			f, err := os.OpenFile(s.path(name), os.O_APPEND|os.O_WRONLY, 0o600)
			must(t, err)
			_, err = f.WriteString(text + "\n")
			must(t, errors.Join(err, f.Close()))
		}
	}
	change := func(query string) func(*testing.T, *site) {
		return func(t *testing.T, s *site) {
			db, err := sql.Open("sqlite3", "file:"+s.path("data/sam.db"))
			must(t, err)
			_, err = db.Exec(query)
			must(t, errors.Join(err, db.Close()))
		}
	}
	for name, c := range map[string]struct {
		plant func(*testing.T, *site)
		want  string
	}{
		"nothing": {func(*testing.T, *site) {}, ""},
		"a key used in another life": {add("token.log", func(l []string) string {
			i := slices.IndexFunc(l, func(s string) bool { return strings.Contains(s, `"ev":"sign"`) && strings.Contains(s, "spki:") })
			return l[0] + "\n" + l[i]
		}), "was used in life"},
		"a second certificate":        {add("ca.log", func(l []string) string { return l[0] }), "certificates asked for"},
		"a certificate without a key": {add("ca.log", func([]string) string { return "spki:none" }), "never proved its possession"},
		"a key that is alive":         {change("UPDATE onetime SET state = 'certified'"), "2 one-time keys are not destroyed"},
		"a life after its end": {change(`INSERT INTO audit (seq, time, type, actor, outcome, reason, data, hash)
			SELECT (SELECT max(seq)+1 FROM audit), time, type, actor, outcome, reason, data, hash FROM audit WHERE type = 'one_time_used' LIMIT 1`), "ended 1 times"},
		"no end": {change(`DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE type = 'key_destroyed'`), "ended 0 times"},
	} {
		t.Run(name, func(t *testing.T) {
			o := &onceClient{client: &client{s: played.copySite(t)}, tries: honest.tries}
			c.plant(t, o.s)
			found := strings.Join(append(o.checkWitnesses(), o.checkRecords()...), "; ")
			if (found == "") != (c.want == "") || !strings.Contains(found, c.want) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}
