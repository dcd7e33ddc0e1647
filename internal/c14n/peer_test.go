package c14n

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/testenv"
)

// cpu is the processor time that this process, or its ended children, have used.
func cpu(b *testing.B, who int) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPeerXmllint canonicalizes 10 MB with both in turn and reports our
// processor time, SHA-256 included, as a share of xmllint's, writing to nowhere.
// The goal is at most 0.6.
func BenchmarkPeerXmllint(b *testing.B) {
	program := testenv.Need(b, "xmllint")
	doc := document(tenMB)
	file := filepath.Join(b.TempDir(), "invoice.xml")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		b.Fatal(err)
	}
	var ours, theirs time.Duration
	for b.Loop() {
		begin := cpu(b, syscall.RUSAGE_SELF)
		in, err := os.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		if err := Canonicalize(in, Limits{}, Job{W: sha256.New(), Method: Exclusive}); err != nil {
			b.Fatal(err)
		}
		if err := in.Close(); err != nil {
			b.Fatal(err)
		}
		ours += cpu(b, syscall.RUSAGE_SELF) - begin
		begin = cpu(b, syscall.RUSAGE_CHILDREN)
		if err := exec.Command(program, "--nonet", "--exc-c14n", file).Run(); err != nil {
			b.Fatal(err)
		}
		theirs += cpu(b, syscall.RUSAGE_CHILDREN) - begin
	}
	b.ReportMetric(float64(ours.Microseconds())/1000/float64(b.N), "our-CPU-ms")
	b.ReportMetric(float64(theirs.Microseconds())/1000/float64(b.N), "xmllint-CPU-ms")
	b.ReportMetric(float64(ours)/float64(theirs), "of-xmllint")
}

// streamEnv has BenchmarkStream read so many bytes.
const streamEnv = "ASSENT_C14N_BENCH_BYTES"

// BenchmarkStream canonicalizes a document that exists nowhere.
func BenchmarkStream(b *testing.B) {
	n := tenMB
	if v := os.Getenv(streamEnv); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(n))
	for b.Loop() {
		if err := Canonicalize(&invoice{n: n}, Limits{}, Job{W: sha256.New(), Method: Exclusive}); err != nil {
			b.Fatal(err)
		}
	}
	// The kernel's usage counter would include what the parent held before exec.
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		if m := peak.FindSubmatch(status); m != nil {
			kb, _ := strconv.Atoi(string(m[1])) // digits
			b.ReportMetric(float64(kb)/1024, "peak-MB")
		}
	}
}

var (
	peak     = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)
	reported = regexp.MustCompile(`([\d.]+) peak-MB`)
)

// BenchmarkResident1GB reports the largest resident memory of a process that
// canonicalizes 1 GB. The goal is at most 24 MB.
func BenchmarkResident1GB(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cmd := exec.Command(self, "-test.run=^$", "-test.bench=^BenchmarkStream$", "-test.benchtime=1x")
		cmd.Env = append(os.Environ(), streamEnv+"="+strconv.Itoa(1<<30))
		out, err := cmd.CombinedOutput()
		m := reported.FindSubmatch(out)
		if err != nil || m == nil {
			b.Fatalf("%v: %s", err, out)
		}
		mb, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(mb, "peak-MB")
		b.ReportMetric(float64((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Milliseconds()), "CPU-ms/GB")
	}
}
