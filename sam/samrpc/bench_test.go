package samrpc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/clock"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

func TestMain(m *testing.M) {
	if os.Getenv("SAMRPC_BENCH_CALLER") != "" {
		if err := benchCaller(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// load is what the calling process gets: the server's CPU time is then the
// server's alone.
type load struct {
	URL     string
	Files   mtls.Files
	Callers int
	In      []sapclient.RedeemIn
}

func benchCaller() error {
	var l load
	if err := json.NewDecoder(bufio.NewReader(os.Stdin)).Decode(&l); err != nil {
		return err
	}
	conf, err := mtls.Client(l.Files, "localhost")
	if err != nil {
		return err
	}
	c, err := sapclient.New(sapclient.Config{URL: l.URL, TLS: conf})
	if err != nil {
		return err
	}
	var warm sync.WaitGroup // connections are kept: their handshakes are not the subject
	for range l.Callers {
		warm.Go(func() { _ = c.Health(context.Background()) })
	}
	warm.Wait()
	fmt.Println("ready")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		_ = err // stdin was read ahead; the signal to go is its end
	}
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	for range l.Callers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(l.In) {
					return
				}
				if _, err := c.Redeem(context.Background(), l.In[i]); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d redemptions failed", n)
	}
	return nil
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRedeemMTLS redeems over mutual TLS from another process with 1, 8 and
// 64 callers. Metric cpu-us/op is this process's CPU time (B1, B7); compare it
// with BenchmarkFloor of package sam in the same run.
func BenchmarkRedeemMTLS(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) { benchRedeem(b, callers) })
	}
}

func benchRedeem(b *testing.B, callers int) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as cmd/samd does
	r := newRig(b, func(c *sam.Config) {
		c.Clock, c.OpenSessions, c.AnchorEvery = clock.System{}, 1<<30, time.Second
		c.Policies = []sam.Policy{{ID: "standard", MaxItems: 1000, Lifetime: 15 * time.Minute}}
	})
	r.Clock.Set(time.Now())
	s := r.NewSigner("alice", algo.P256)
	l := load{URL: r.url, Files: r.pki.Issue("ssad-1", "sspu", p256()), Callers: callers}
	pub := r.StatementKey()
	for range b.N {
		signed, err := r.M.Request(context.Background(), samtest.SSPU, sam.Ask{Signer: s.ID, Key: s.Key, N: 1})
		if err != nil {
			b.Fatal(err)
		}
		req, err := sap.OpenActivationRequest(pub, signed)
		if err != nil {
			b.Fatal(err)
		}
		full, err := s.Device.SAD(req, s.Items(b, req, 1))
		if err != nil {
			b.Fatal(err)
		}
		sad, proof, err := s.Device.Sign(full)
		if err != nil {
			b.Fatal(err)
		}
		l.In = append(l.In, sapclient.RedeemIn{SAD: sad, Proof: proof})
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "SAMRPC_BENCH_CALLER=1")
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	if err := json.NewEncoder(in).Encode(l); err != nil {
		b.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	before := cpu()
	if err := in.Close(); err != nil { // go
		b.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}
