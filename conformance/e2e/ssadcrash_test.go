package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/internal/testenv"
)

// armed is an installation whose samd and ssad are built to kill themselves.
type armed struct {
	*system
	bin    string // folder of these programs and of the auditor
	lives  string
	client string // id of the integrator
}

func newArmed(t *testing.T) *armed {
	t.Helper()
	return newArmedWith(t, func(*system) {})
}

func newArmedWith(t *testing.T, configure func(*system)) *armed {
	t.Helper()
	a := &armed{bin: t.TempDir()}
	testenv.BuiltFrom(t, "-tags", "failpoint", "./cmd/samd", "./cmd/ssad", "./conformance/auditor")
	build := exec.CommandContext(t.Context(), "go", "-C", testenv.Root(), "build", "-tags", "failpoint", "-o", a.bin+"/", "./cmd/samd", "./cmd/ssad", "./conformance/auditor")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a.system = newSystemWith(t, configure)
	a.robot("robot")
	a.client = regexp.MustCompile(`(?m)^  id: "?([^"\n]+)"?`).FindStringSubmatch(a.text("assent.yaml"))[1]
	// From here on samd writes down every use of a signer's key.
	a.end("samd")
	a.startArmed("samd", "")
	a.eventually("samd", func() error { _, err := a.try("status", "--dir", a.dir); return err })
	a.end("ssad")
	return a
}

// end stops a program in order.
func (a *armed) end(program string) {
	a.t.Helper()
	cmd := a.running[program]
	delete(a.running, program)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		a.t.Fatal(err)
	}
	_ = cmd.Wait()
}

func (a *armed) startArmed(program, point string) {
	a.t.Helper()
	log, err := os.OpenFile(filepath.Join(a.dir, program+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(filepath.Join(a.bin, program), "-config", filepath.Join(a.dir, program, program+".yaml"))
	cmd.Env = append(os.Environ(), "ASSENT_FAILPOINT="+point, "ASSENT_FAILPOINT_LIVES="+a.lives, "ASSENT_TOKEN_LOG="+filepath.Join(a.dir, "token.log"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.running[program] = cmd
}

// up starts ssad with a point and waits until it serves. One that is to die is not
// asked whether it is ready: its answer could be what it dies at.
func (a *armed) up(point string) {
	a.t.Helper()
	a.startArmed("ssad", point)
	if point == "" {
		a.eventually("ssad", func() error { return get(a.app + "/readyz") })
		return
	}
	a.eventually("ssad", func() error {
		c, err := net.Dial("tcp", strings.TrimPrefix(a.app, "http://"))
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// died waits for ssad's own SIGKILL.
func (a *armed) died() {
	a.t.Helper()
	cmd := a.running["ssad"]
	delete(a.running, "ssad")
	timer := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer timer.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		a.t.Fatalf("ssad was to kill itself and ended with %v\n%s", err, a.logs())
	}
}

// gone ends an ssad that a failed test left.
func (a *armed) gone() {
	if cmd := a.running["ssad"]; cmd != nil {
		delete(a.running, "ssad")
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// call asks the native API as the integrator; nil when ssad did not answer.
func (a *armed) call(method, path, key string, body []byte) (int, []byte) {
	a.t.Helper()
	token, ok := a.token()
	if !ok {
		return 0, nil
	}
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.app+path, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/api/v1/documents") {
		req.Header.Set("Content-Type", "application/pdf")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil
	}
	return res.StatusCode, text
}

func (a *armed) token() (string, bool) {
	a.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"service"}}
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.app+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	req.SetBasicAuth(a.client, strings.TrimSpace(a.text("client/secret")))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return "", false
	}
	defer func() { _ = res.Body.Close() }()
	var out struct {
		Token string `json:"access_token"`
	}
	return out.Token, json.NewDecoder(res.Body).Decode(&out) == nil && out.Token != ""
}

// keyUses counts the digests that the token was asked to sign.
func (a *armed) keyUses() int {
	a.t.Helper()
	return strings.Count(a.text("token.log"), `"ev":"sign"`)
}

var requestID = regexp.MustCompile(`request (op-[a-z0-9]+):`)

// task is what the integrator has signed with ssad dying in the middle.
type task struct {
	files []string
	args  []string // of assent sign
	judge func(signed []byte)
}

// onePDF is a task over a file whose words are its name.
func (a *armed) onePDF(t *testing.T, words string) task {
	file, _ := document(t, words)
	return task{files: []string{file}, args: []string{"--level", "B-T"}, judge: a.judge}
}

// crashAt signs with ssad dying at a point, starts it again and brings the
// request to its end: what was acknowledged is there, byte by byte, and no
// approval used the key twice.
func (a *armed) crashAt(t *testing.T, point string, make func(t *testing.T, words string) task) {
	a.t = t
	a.lives = filepath.Join(t.TempDir(), "lives")
	defer a.gone() // what fails here shall not fail the next point as well
	do := make(t, "Crash at "+regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(point, " "))
	before := a.keyUses()
	out := filepath.Join(t.TempDir(), "signed")
	a.up(point)
	var asked []request
	sign := func(out, wait string) {
		args := append(append([]string{"sign"}, do.files...), "-o", out, "--signer", "robot", "--demo-approve", "--wait", wait, "--dir", a.dir)
		text, err := a.try(append(args, do.args...)...)
		if m := requestID.FindStringSubmatch(text + fmt.Sprint(err)); m != nil {
			asked = append(asked, request{m[1], out, err == nil, do.judge})
		} else if err == nil {
			t.Errorf("signed without a request:\n%s", text)
		}
	}
	sign(out, "20s")
	if strings.Contains(point, "=twice") {
		a.died()
		a.startArmed("ssad", point) // it may die again before it serves, while it takes up what was left
		for end := time.Now().Add(10 * time.Second); len(a.deaths()) < 2 && time.Now().Before(end); {
			sign(fmt.Sprintf("%s.%d", out, len(asked)), "3s")
		}
	}
	a.died()
	a.up("")
	finished := 0
	for _, r := range asked {
		if a.bringHome(r) {
			finished++
		}
	}
	if uses := a.keyUses() - before; uses != finished {
		t.Errorf("%d key uses for %d requests that are finished, of %d", uses, finished, len(asked))
	}
	if _, err := a.sign("robot", "After "+filepath.Base(do.files[0])); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	a.end("ssad")
}

func (a *armed) deaths() []byte {
	b, _ := os.ReadFile(a.lives)
	return b
}

// request is what a client asked for: its id, where the file goes, and whether the
// client was told that it is signed.
type request struct {
	id, out      string
	acknowledged bool
	judge        func(signed []byte)
}

// bringHome looks at a request after the restart. One whose approval ssad had not
// stored waits for the signer, until it expires; every other ends finished.
func (a *armed) bringHome(r request) (finished bool) {
	a.t.Helper()
	var op struct{ State, Reason string }
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); {
		status, body := a.call(http.MethodGet, "/api/v1/operations/"+r.id+"?wait=5", "", nil)
		if status == 0 || status == http.StatusTooManyRequests { // the request must come to its end all the same
			time.Sleep(200 * time.Millisecond)
			continue
		}
		if status != http.StatusOK || json.Unmarshal(body, &op) != nil {
			a.t.Fatalf("operation %s: status %d", r.id, status)
		}
		if slices.Contains([]string{"finished", "failed", "prepared", "shown", "expired"}, op.State) {
			break
		}
	}
	if op.State != "finished" && op.State != "failed" && !r.acknowledged {
		return false
	}
	if op.State != "finished" {
		a.t.Fatalf("operation %s is %s (%s)", r.id, op.State, op.Reason)
	}
	status, signed := a.call(http.MethodGet, "/api/v1/operations/"+r.id+"/items/0/document", "", nil)
	if status != http.StatusOK {
		a.t.Fatalf("document: status %d", status)
	}
	r.judge(signed)
	if got, err := os.ReadFile(r.out); err == nil && !bytes.Equal(got, signed) {
		a.t.Errorf("the document that was acknowledged is not the one that is kept")
	}
	return true
}

// The points that a run of the short form visits; the soak visits all.
var shortPoints = []string{
	"ssad/04-document-saved=after:1", "ssad/08-approval-stored=after:1", "ssad/10-sam-reply-read=before:1",
	"ssad/11-signature-embedded=after:1", "ssad/17-result-row-committed=before:1", "ssad/19-half-the-body-sent=before:5",
}

// FPT-05, SAP-03, F21, I1 to I5 (crash points 1 to 19 of the SSA): ssad is killed at named
// points between upload and download. Each request ends with one signature that
// was approved, or waits for the signer; the auditor finds nothing.
func TestFPT05SSAKilledAtNamedPoints(t *testing.T) {
	a := newArmed(t)
	points := pointsOr(shortPoints)
	for _, p := range points {
		t.Run(strings.ReplaceAll(p, "/", ":"), func(t *testing.T) { a.crashAt(t, p, a.onePDF) })
	}
	a.t = t
	a.keyIsTaken()
	a.audited()
	t.Logf("%d points", len(points))
}

// pointsOr are the points of a run: of the short form these, of the soak all and these.
func pointsOr(short []string) (points []string) {
	if os.Getenv("ASSENT_SOAK") != "1" {
		return short
	}
	for _, p := range failpoint.Points() {
		if p.Workload != failpoint.Signing || p.No == 3 { // 3 has a test of its own
			continue
		}
		for _, mode := range []string{"before", "after", "twice"} {
			points = append(points, p.Name+"="+mode+":1")
		}
	}
	return append(points, short...)
}

// audited stops samd and has the auditor judge what it left.
func (a *armed) audited() {
	t := a.t
	t.Helper()
	a.end("samd")
	db, err := filepath.Glob(filepath.Join(a.dir, "samd/db/*.db"))
	if err != nil || len(db) != 1 {
		t.Fatalf("database: %v %v", db, err)
	}
	out, err := exec.Command(filepath.Join(a.bin, "auditor"), "-db", db[0], "-token", filepath.Join(a.dir, "token.log"), "-open", "1s", "-seed", "ssad").CombinedOutput()
	if err != nil {
		t.Errorf("auditor: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// keyIsTaken: killed right before and right after the row of an Idempotency-Key is
// written, ssad never makes two requests of one key.
func (a *armed) keyIsTaken() {
	for _, mode := range []string{"before", "after"} {
		a.up("ssad/03-idempotency-row-inserted=" + mode)
		_, text := document(a.t, "Key "+mode)
		status, body := a.call(http.MethodPost, "/api/v1/documents?name=key.pdf", "", text)
		var doc struct{ ID string }
		if status/100 != 2 || json.Unmarshal(body, &doc) != nil {
			a.t.Fatalf("upload: status %d %s", status, body)
		}
		ask := fmt.Appendf(nil, `{"signer":"robot","purpose":"Key","items":[{"document":%q,"worker":"pades"}]}`, doc.ID)
		if status, _ := a.call(http.MethodPost, "/api/v1/operations", "key-"+mode, ask); status != 0 {
			a.t.Errorf("ssad answered %d and was to die", status)
		}
		a.died()
		a.up("")
		first, firstBody := a.call(http.MethodPost, "/api/v1/operations", "key-"+mode, ask)
		again, againBody := a.call(http.MethodPost, "/api/v1/operations", "key-"+mode, ask)
		switch {
		case mode == "before" && first == http.StatusCreated && again == first && bytes.Equal(firstBody, againBody):
		case mode == "after" && first == http.StatusConflict && again == first: // until the lease ends
		default:
			a.t.Errorf("%s: %d %s, then %d %s", mode, first, firstBody, again, againBody)
		}
		a.end("ssad")
	}
}
