package e2e

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/assent-sign/assent/cryptotoken/softtoken"
	"github.com/assent-sign/assent/sap"
)

// KPR-11, SAP-09: what unlocks signers' keys is the token's PIN, known to samd alone. In a
// running installation that has signed, it is in none of samd's databases, not
// beside the wrapped keys in clear, in nothing that the application or the signing
// origin store, in no log, and not in the memory of their processes; nor is an
// officer's one-time code. That the search finds what is there is shown with what
// must be there.
func TestKPR11UnlockValuesStayWithTheModule(t *testing.T) {
	s := newSystem(t)
	s.robot("robot")
	if _, err := s.sign("robot", "Secrets"); err != nil {
		t.Fatal(err)
	}
	enrol, _ := s.links("anna", "Anna Example") // prints the officer's code
	_, code, found := strings.Cut(enrol, "#")
	if !found || len(code) < 20 {
		t.Fatalf("no code in the enrolment link %q", enrol)
	}
	if i := strings.LastIndexAny(code, "=/&"); i >= 0 {
		code = code[i+1:]
	}
	pin := bytes.TrimSpace([]byte(s.text("samd/pin")))
	if len(pin) < 8 {
		t.Fatalf("a PIN of %d bytes", len(pin))
	}
	secrets := map[string][]byte{
		"samd's PIN": pin, "samd's PIN in base64": []byte(base64.StdEncoding.EncodeToString(pin)), "samd's PIN in hex": []byte(hex.EncodeToString(pin)),
		"the officer's code": []byte(code),
	}
	searched := 0
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == filepath.Join(s.dir, "samd", "pin") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		searched++
		for name, secret := range secrets {
			if bytes.Contains(text, secret) {
				t.Errorf("%s holds %s", path, name)
			}
		}
		return nil
	})
	if err != nil || searched < 20 {
		t.Fatalf("%d files, %v", searched, err)
	}
	for _, program := range []string{"ssad", "sicd"} {
		memory := s.memory(program)
		if !contains(memory, []byte(s.app)) {
			t.Fatalf("%s's own origin is not in its memory: the search does not work", program)
		}
		for name, secret := range secrets {
			if contains(memory, secret) {
				t.Errorf("the memory of %s holds %s", program, name)
			}
		}
	}
	// The PIN is what unlocks: without it the wrapped keys' token does not open.
	if _, err := softtoken.Open(softtoken.Config{Dir: filepath.Join(s.dir, "samd", "token"), PIN: []byte("another pin"), Profile: "development"}); err == nil {
		t.Error("the token opens with another PIN")
	}
	if _, err := sap.UnB64(code); err != nil {
		t.Errorf("what was searched for is no code: %v", err)
	}
}

func contains(parts [][]byte, what []byte) bool {
	return slices.ContainsFunc(parts, func(p []byte) bool { return bytes.Contains(p, what) })
}

// memory is every readable part of a program's memory.
func (s *system) memory(program string) [][]byte {
	s.t.Helper()
	pid := s.running[program].Process.Pid
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = maps.Close() }()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = mem.Close() }()
	var out [][]byte
	for sc := bufio.NewScanner(maps); sc.Scan(); {
		f := strings.Fields(sc.Text())
		if len(f) < 2 || !strings.HasPrefix(f[1], "rw") {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		a, err1 := strconv.ParseInt(from, 16, 64)
		b, err2 := strconv.ParseInt(to, 16, 64)
		if err1 != nil || err2 != nil {
			continue
		}
		// What is mapped and not backed cannot be read; that is no part of it.
		for at := a; at < b; at += 1 << 20 {
			part := make([]byte, min(1<<20, b-at))
			if n, _ := mem.ReadAt(part, at); n > 0 {
				out = append(out, part[:n])
			}
		}
	}
	if len(out) == 0 {
		s.t.Fatalf("no memory of %s could be read", program)
	}
	return out
}

// IAM-07: each program listens on what its configuration names, on nothing else:
// samd and sicd on one address, ssad on its public one and the operator's, which
// is on loopback. No debugging port, no second admin door.
func TestIAM07Listeners(t *testing.T) {
	s := newSystem(t)
	want := map[string][]string{
		"samd": {s.yaml("samd", "listen")}, "sicd": {s.yaml("sicd", "listen")},
		"ssad": {s.yaml("ssad", "listen"), s.adminListen()},
	}
	for program, addresses := range want {
		got := s.listeners(program)
		slices.Sort(addresses)
		if !slices.Equal(got, addresses) {
			t.Errorf("%s listens on %v, configured are %v", program, got, addresses)
		}
	}
}

// yaml is a top-level value of a program's configuration.
func (s *system) yaml(program, key string) string {
	s.t.Helper()
	for _, l := range strings.Split(s.text(program+"/"+program+".yaml"), "\n") {
		if v, ok := strings.CutPrefix(l, key+":"); ok {
			v, _, _ = strings.Cut(v, "#")
			return strings.Trim(v, ` "`)
		}
	}
	s.t.Fatalf("%s.yaml has no %s", program, key)
	return ""
}

func (s *system) adminListen() string {
	s.t.Helper()
	_, rest, ok := strings.Cut(s.text("ssad/ssad.yaml"), "\nadmin:")
	_, rest, ok2 := strings.Cut(rest, "listen:")
	if !ok || !ok2 {
		s.t.Fatal("ssad.yaml has no admin listener")
	}
	v, _, _ := strings.Cut(rest, "\n")
	v, _, _ = strings.Cut(v, "#")
	v = strings.Trim(v, ` "`)
	if !strings.HasPrefix(v, "127.0.0.1:") {
		s.t.Errorf("the operator's listener %s is not on loopback", v)
	}
	return v
}

// listeners are the addresses on which a process and its children accept TCP,
// from the kernel's own tables.
func (s *system) listeners(program string) []string {
	s.t.Helper()
	inodes := map[string]bool{}
	pids := append(s.children(program), s.running[program].Process.Pid)
	for _, pid := range pids {
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil {
			s.t.Fatal(err)
		}
		for _, l := range links {
			if to, err := os.Readlink(l); err == nil && strings.HasPrefix(to, "socket:[") {
				inodes[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
			}
		}
	}
	var out []string
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pids[0], table))
		if err != nil {
			continue // a kernel without IPv6
		}
		for _, l := range strings.Split(string(text), "\n")[1:] {
			f := strings.Fields(l)
			const listening = "0A"
			if len(f) > 9 && f[3] == listening && inodes[f[9]] {
				out = append(out, address(s.t, f[1]))
			}
		}
	}
	slices.Sort(out)
	return out
}

// children are the process ids below a program.
func (s *system) children(program string) []int {
	pid := s.running[program].Process.Pid
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	var out []int
	for _, f := range strings.Fields(string(text)) {
		if n, err := strconv.Atoi(f); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// address reads the kernel's form of an address: hexadecimal, each group of four
// bytes in the machine's order.
func address(t testing.TB, s string) string {
	t.Helper()
	host, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(host)
	p, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b) != 4 {
		return s // IPv6 has no place in these configurations: shown as it is
	}
	return fmt.Sprintf("%d.%d.%d.%d:%d", b[3], b[2], b[1], b[0], p)
}
