package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// largeDocument is a one-page PDF with a stream of n incompressible bytes.
func largeDocument(t testing.TB, n int) string {
	t.Helper()
	body := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(body)
	var b bytes.Buffer
	var off []int
	obj := func(head string, stream []byte) {
		off = append(off, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s", len(off), head)
		if stream != nil {
			b.WriteString("\nstream\n")
			b.Write(stream)
			b.WriteString("\nendstream")
		}
		b.WriteString("\nendobj\n")
	}
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	obj("<< /Type /Catalog /Pages 2 0 R >>", nil)
	obj("<< /Type /Pages /Kids [3 0 R] /Count 1 >>", nil)
	obj("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>", nil)
	obj(fmt.Sprintf("<< /Length %d >>", n), body)
	x := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(off)+1)
	for _, o := range off {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(off)+1, x)
	path := filepath.Join(t.TempDir(), "large.pdf")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// peak is the largest resident set of a program so far, in MiB (proc(5), VmHWM).
func (s *system) peak(program string) int {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.running[program].Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				s.t.Fatal(err)
			}
			return n >> 10
		}
	}
	s.t.Fatal("no VmHWM")
	return 0
}

// I9: a document of 100 MB goes through upload, preparation, approval, finishing
// and download while the application stays below 64 MiB, and the module does not
// notice the size at all.
func TestI9LargeDocumentInLittleMemory(t *testing.T) {
	s := newSystem(t)
	s.robot("robot")
	file := largeDocument(t, 99<<20)
	out := filepath.Join(t.TempDir(), "signed.pdf")
	s.in("sign", file, "-o", out, "--signer", "robot", "--demo-approve", "--wait", "5m")
	app, sam := s.peak("ssad"), s.peak("samd")
	t.Logf("peak resident set: ssad %d MiB, samd %d MiB", app, sam)
	if app >= 64 {
		t.Errorf("ssad needed %d MiB for a document of 99 MiB", app)
	}
	signed, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	s.judge(signed)
}
