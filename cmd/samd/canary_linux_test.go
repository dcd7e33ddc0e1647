package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// victim is samd as a process of its own, under a parent that would get its core
// file.
type victim struct {
	*site
	t   *testing.T
	cmd *exec.Cmd
	log *buffer
	pin string
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	random := make([]byte, 18)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	v := &victim{site: newSite(t, ""), t: t, log: &buffer{}, pin: "pin-" + base64.RawURLEncoding.EncodeToString(random)}
	if err := os.WriteFile(filepath.Join(v.dir, "pin"), []byte(v.pin+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v.cmd = exec.Command(os.Args[0])
	v.cmd.Dir = v.dir
	v.cmd.Env = append(os.Environ(), "SAMD_TEST_CONFIG="+v.config, "GOTRACEBACK=crash")
	v.cmd.Stdout, v.cmd.Stderr = v.log, v.log
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.cmd.Process.Kill(); _ = v.cmd.Wait() })
	probe := v.admin(t, "probe", "auditor")
	defer probe.Close()
	for end := time.Now().Add(time.Minute); probe.Health(context.Background()) != nil; {
		if time.Now().After(end) {
			t.Fatalf("samd does not answer\n%s", v.log)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return v
}

// lived is what became known during a life of samd.
type lived struct {
	code  string
	proof *sap.Assertion
	sad   []byte
	name  string
}

// live is everything that secrets go through: enrolment, a key, a signature,
// a repetition, and failures of each kind.
func (v *victim) live() lived {
	v.t.Helper()
	ctx := context.Background()
	must := func(err error) {
		v.t.Helper()
		if err != nil {
			v.t.Fatalf("%v\n%s", err, v.log)
		}
	}
	ra, officer := v.admin(v.t, "rosa", "ra"), v.admin(v.t, "olga", "officer")
	defer ra.Close()
	defer officer.Close()
	conf, err := mtls.Client(v.pki.Issue("ssad", "sspu", elliptic.P256()), "localhost")
	must(err)
	app, err := sapclient.New(sapclient.Config{URL: "https://" + v.addr, TLS: conf})
	must(err)
	defer app.Close()
	out := lived{name: "Canary Of Names 20261121"}
	_, err = ra.CreateSigner(ctx, sapclient.SignerIn{ID: "anna", Name: out.name, Proof: "p-1"})
	must(err)
	code, err := officer.EnrolCode(ctx, "anna")
	must(err)
	out.code = code.Code
	info, err := app.Info(ctx)
	must(err)
	pub, err := x509.ParsePKIXPublicKey(info.StatementKey)
	must(err)
	statement := pub.(*ecdsa.PublicKey)
	request, err := app.EnrolBegin(ctx, code.ID)
	must(err)
	device := samtest.NewDevice("http://localhost:8441", "localhost")
	wrong, err := device.Register(statement, request, sap.B64(make([]byte, 16)))
	must(err)
	if _, err := app.EnrolFinish(ctx, code.ID, wrong); err == nil {
		v.t.Error("a wrong code enrolled")
	}
	reg, err := device.Register(statement, request, code.Code)
	must(err)
	_, err = app.EnrolFinish(ctx, code.ID, reg)
	must(err)
	key, err := officer.Generate(ctx, sapclient.GenerateIn{Signer: "anna", KeyType: string(algo.P256)})
	must(err)
	ca := samtest.NewCA(v.t)
	s := &samtest.Signer{ID: "anna", Device: device, Key: key.Key, Cert: ca.Issue(v.t, key.CSR, time.Now(), nil)}
	_, err = officer.LinkCertificate(ctx, key.Key, [][]byte{s.Cert.Raw, ca.Cert.Raw})
	must(err)
	for round := range 3 {
		signed, err := app.Request(ctx, sapclient.ActivationRequestIn{Signer: "anna", Key: key.Key, N: 1})
		must(err)
		req, err := sap.OpenActivationRequest(statement, signed)
		must(err)
		full, err := device.SAD(req, s.Items(v.t, req, 1))
		must(err)
		sad, proof, err := device.Sign(full)
		must(err)
		in := sapclient.RedeemIn{SAD: sad, Proof: proof, Evidence: []byte("[]")}
		if round == 1 { // refused: the assertion is not over these bytes
			in.SAD = bytes.Replace(sad, []byte(`contract.pdf`), []byte(`kontract.pdf`), 1)
			if _, err := app.Redeem(ctx, in); err == nil {
				v.t.Error("an edited approval was redeemed")
			}
			continue
		}
		_, err = app.Redeem(ctx, in)
		must(err)
		_, err = app.Redeem(ctx, in)
		must(err)
		out.sad = sad
		if out.proof, err = sap.DecodeAssertion(proof); err != nil {
			v.t.Fatal(err)
		}
	}
	for _, body := range []string{"{", `{"sad":"AAAA"}`, strings.Repeat("[", 20_000)} {
		_, _ = app.Redeem(ctx, sapclient.RedeemIn{SAD: []byte(body), Proof: []byte(body), Evidence: []byte(body)})
	}
	return out
}

// tokenSecrets opens the token's file as its format says, by code of this test's own:
// the key that wraps signers' keys, the one that wraps the module's, the seal.
func (v *victim) tokenSecrets() map[string][]byte {
	v.t.Helper()
	var h struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
		ID      string `json:"id"`
		KDF     struct {
			Name      string `json:"name"`
			Time      uint32 `json:"time"`
			MemoryKiB uint32 `json:"memoryKiB"`
			Salt      []byte `json:"salt"`
		} `json:"kdf"`
		Secrets []byte `json:"secrets,omitempty"`
	}
	text, err := os.ReadFile(filepath.Join(v.dir, "token", "token.json"))
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	if err != nil {
		v.t.Fatal(err)
	}
	sealed := h.Secrets
	h.Secrets = nil
	aad, err := json.Marshal(h)
	if err != nil {
		v.t.Fatal(err)
	}
	gcm := func(key []byte) cipher.AEAD {
		block, err := aes.NewCipher(key)
		if err != nil {
			v.t.Fatal(err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			v.t.Fatal(err)
		}
		return aead
	}
	unlock := argon2.IDKey([]byte(v.pin), h.KDF.Salt, h.KDF.Time, h.KDF.MemoryKiB, 1, 32)
	raw, err := gcm(unlock).Open(nil, sealed[:12], sealed[12:], aad)
	if err != nil || len(raw) != 96 {
		v.t.Fatalf("the token's file: %v", err)
	}
	return map[string][]byte{"unlocking key": unlock, "KEK": raw[:32], "key of named keys": raw[32:64], "seal": raw[64:]}
}

// forms are the spellings in which a secret could appear.
func forms(b []byte) map[string][]byte {
	return map[string][]byte{
		"": b, " in hex": []byte(hex.EncodeToString(b)), " in base64": []byte(base64.StdEncoding.EncodeToString(b)),
		" in base64url": []byte(base64.RawURLEncoding.EncodeToString(b)),
	}
}

// memory is every part of the process that can be written and read, children's too.
func (v *victim) memory() []byte {
	v.t.Helper()
	pid := v.cmd.Process.Pid
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = maps.Close() }()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = mem.Close() }()
	var out []byte
	for sc := bufio.NewScanner(maps); sc.Scan(); {
		f := strings.Fields(sc.Text())
		if len(f) < 2 || !strings.HasPrefix(f[1], "rw") {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		a, err1 := strconv.ParseInt(from, 16, 64)
		b, err2 := strconv.ParseInt(to, 16, 64)
		for at := a; errors.Join(err1, err2) == nil && at < b; at += 1 << 20 {
			part := make([]byte, min(1<<20, b-at))
			if n, _ := mem.ReadAt(part, at); n > 0 { // reserved and not backed: nothing there
				out = append(out, part[:n]...)
			}
		}
	}
	return out
}

// files is every file that samd has written, and its log.
func (v *victim) files() map[string][]byte {
	v.t.Helper()
	out := map[string][]byte{"the log": []byte(v.log.String())}
	err := filepath.WalkDir(v.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == filepath.Join(v.dir, "pin") {
			return err
		}
		text, err := os.ReadFile(path)
		out[path] = text
		return err
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return out
}

// auditText is all data of the audit chain.
func (v *victim) auditText() []byte {
	v.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(v.dir, "sam.db")+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var text []byte
	if err := db.QueryRow("SELECT group_concat(type || actor || reason || data, char(10)) FROM audit").Scan(&text); err != nil {
		v.t.Fatal(err)
	}
	return text
}

// KPR-10, AUD-04, T26: after a whole life of a signature, with failures, and after
// samd was made to crash with a dump of every goroutine: the
// PIN, the token's keys, the officer's code and what of an approval could be used again
// are in no file, log, database or audit record; the kernel wrote no core file. That the
// search finds what is there is shown with what must be there.
func TestKPR10CanariesInAProcess(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	wide := syscall.Rlimit{Cur: limit.Max, Max: limit.Max} // what the process is given; it must not use it
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &wide); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit) }()
	v := newVictim(t)
	l := v.live()
	noCore(t, v)
	secrets := v.tokenSecrets()
	if os.Getuid() == 0 {
		searchMemory(t, v, l, secrets)
	} else if f, err := os.Open(fmt.Sprintf("/proc/%d/mem", v.cmd.Process.Pid)); err == nil {
		_ = f.Close()
		t.Error("another process of the same user may read samd's memory")
	}
	if err := v.cmd.Process.Signal(syscall.SIGQUIT); err != nil { // the runtime prints every goroutine and aborts
		t.Fatal(err)
	}
	err := v.cmd.Wait()
	if st, ok := v.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !st.Signaled() || st.CoreDump() {
		t.Errorf("the end of samd: %v, core file: %v", err, st.CoreDump())
	}
	if !strings.Contains(v.log.String(), "goroutine ") {
		t.Error("samd did not show its goroutines: nothing was proven of such a dump")
	}
	searchFiles(t, v, l, secrets)
}

// noCore looks at the running process's own limits.
func noCore(t *testing.T, v *victim) {
	t.Helper()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", v.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if f := strings.Fields(line); strings.HasPrefix(line, "Max core file size") && (f[4] != "0" || f[5] != "0") {
			t.Errorf("core files: %s", line)
		}
	}
}

// searchMemory tells what is found and does not judge it. The token's keys must be
// there while it is open, in samd only with the software token. What samd itself holds of
// the PIN it wipes; what the library that derives a key from it leaves in dropped
// buffers stays until the memory is used again, and Go gives no means against that
// (docs/sam.md).
func searchMemory(t *testing.T, v *victim, l lived, secrets map[string][]byte) {
	t.Helper()
	memory := v.memory()
	if !bytes.Contains(memory, []byte("http://localhost:8441")) || !bytes.Contains(memory, []byte(l.name)) {
		t.Fatal("the search does not find what must be in the memory")
	}
	for form, b := range forms([]byte(v.pin)) {
		t.Logf("PIN%s in the memory: %v", form, bytes.Contains(memory, b))
	}
	for _, name := range []string{"unlocking key", "KEK", "key of named keys", "seal"} {
		t.Logf("software token, %s in the memory: %v", name, bytes.Contains(memory, secrets[name]))
	}
	t.Logf("one-time code in the memory after its use: %v", bytes.Contains(memory, []byte(l.code)))
}

func searchFiles(t *testing.T, v *victim, l lived, secrets map[string][]byte) {
	t.Helper()
	all := map[string][]byte{"the PIN": []byte(v.pin), "the officer's code": []byte(l.code)}
	for name, text := range map[string]string{"the approval's signature": l.proof.Signature, "the client data": l.proof.ClientDataJSON} {
		raw, err := sap.UnB64(text)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = raw
	}
	if raw, err := sap.UnB64(l.code); err == nil {
		all["the code's octets"] = raw
	}
	for name, b := range secrets {
		all[name] = b
	}
	files := v.files()
	planted := false
	for path, text := range files {
		planted = planted || bytes.Contains(text, []byte(l.name))
		for name, secret := range all {
			if len(secret) < 8 {
				t.Fatalf("%s: %d octets", name, len(secret))
			}
			for form, b := range forms(secret) {
				// Receipts are evidence: they hold the approval, used up, and lie in the database.
				evidence := strings.HasPrefix(filepath.Base(path), "sam.db") && (name == "the approval's signature" || name == "the client data")
				if bytes.Contains(text, b) && !evidence {
					t.Errorf("%s holds %s%s", path, name, form)
				}
			}
		}
	}
	if len(files) < 8 || !planted {
		t.Errorf("%d files, the signer's name in one of them: %v: the search does not work", len(files), planted)
	}
	text := v.auditText()
	if !bytes.Contains(text, []byte("activation_consumed")) {
		t.Error("the search does not find what must be in the audit chain")
	}
	all["the signer's name"] = []byte(l.name)
	for name, secret := range all {
		for form, b := range forms(secret) {
			if bytes.Contains(text, b) {
				t.Errorf("the audit chain holds %s%s", name, form)
			}
		}
	}
}
