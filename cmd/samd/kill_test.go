//go:build failpoints

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sam"
	"github.com/assent-sign/assent/sam/samtest"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

// process runs this test binary as samd.
func (s *site) process(t *testing.T, at sam.Step) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "SAMD_TEST_CONFIG="+s.config, "ASSENT_FAILPOINT="+string(at))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	a := s.admin(t, "probe", "auditor")
	defer a.Close()
	for range 200 {
		if a.Health(context.Background()) == nil {
			return c
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("samd did not start")
	return nil
}

// FPT-05, F21: real SIGKILLs of a real process between any two steps, over
// mutual TLS: after the restart the same bytes give one signature or a stable
// refusal, and the audit chain tells the truth.
func TestKillMinusNine(t *testing.T) {
	ctx := context.Background()
	for _, at := range []sam.Step{sam.StepRequested, sam.StepVerified, sam.StepReserved, sam.StepSigned, sam.StepRecorded} {
		t.Run(string(at), func(t *testing.T) {
			s := newSite(t, "")
			first := s.process(t, "")
			officer := s.admin(t, "olga", "officer")
			conf, err := mtls.Client(s.pki.Issue("ssad", "sspu", elliptic.P256()), "localhost")
			if err != nil {
				t.Fatal(err)
			}
			ssa, err := sapclient.New(sapclient.Config{URL: "https://" + s.addr, TLS: conf})
			if err != nil {
				t.Fatal(err)
			}
			signer, pub := enrolOver(t, officer, ssa)
			_ = first.Process.Signal(syscall.SIGTERM)
			_ = first.Wait()

			dying := s.process(t, at)
			ask := sapclient.ActivationRequestIn{Signer: signer.ID, Key: signer.Key, N: 1}
			signed, err := ssa.Request(ctx, ask)
			var in sapclient.RedeemIn
			if err == nil {
				in = approve(t, signer, pub, signed)
				_, err = ssa.Redeem(ctx, in)
			}
			if !errors.Is(err, sapclient.ErrUnavailable) {
				t.Fatalf("the process was to die: %v", err)
			}
			var exit *exec.ExitError
			if err := dying.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("it ended with %v", err)
			}
			s.process(t, "")
			switch at {
			case sam.StepRequested:
				signed, err := ssa.Request(ctx, ask)
				if err != nil {
					t.Fatal(err)
				}
				in = approve(t, signer, pub, signed)
				fallthrough
			case sam.StepVerified, sam.StepRecorded:
				out, err := ssa.Redeem(ctx, in)
				if err != nil {
					t.Fatal(err)
				}
				again, err := ssa.Redeem(ctx, in)
				if err != nil || string(again.Signatures[0]) != string(out.Signatures[0]) || again.Receipt.Receipt != out.Receipt.Receipt {
					t.Errorf("not the same bytes: %v", err)
				}
			default:
				for range 2 {
					if _, err := ssa.Redeem(ctx, in); !errors.Is(err, sapclient.ErrRefused) {
						t.Errorf("a burnt approval: %v", err)
					}
				}
			}
		})
	}
}

func enrolOver(t *testing.T, officer *sapclient.Admin, ssa *sapclient.Client) (*samtest.Signer, *ecdsa.PublicKey) {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	info, err := ssa.Info(ctx)
	must(err)
	parsed, err := x509.ParsePKIXPublicKey(info.StatementKey)
	must(err)
	pub := parsed.(*ecdsa.PublicKey)
	_, err = officer.CreateSigner(ctx, sapclient.SignerIn{ID: "anna", Name: "Anna", Proof: "p"})
	must(err)
	code, err := officer.EnrolCode(ctx, "anna")
	must(err)
	req, err := ssa.EnrolBegin(ctx, code.ID)
	must(err)
	s := &samtest.Signer{ID: "anna", Device: samtest.NewDevice("http://localhost:8441", "localhost")}
	reg, err := s.Device.Register(pub, req, code.Code)
	must(err)
	_, err = ssa.EnrolFinish(ctx, code.ID, reg)
	must(err)
	cred, err := officer.Generate(ctx, sapclient.GenerateIn{Signer: "anna", KeyType: "P-256"})
	must(err)
	ca := samtest.NewCA(t)
	s.Key, s.Cert = cred.Key, ca.Issue(t, cred.CSR, time.Now(), nil)
	_, err = officer.LinkCertificate(ctx, s.Key, [][]byte{s.Cert.Raw, ca.Cert.Raw})
	must(err)
	return s, pub
}

func approve(t *testing.T, s *samtest.Signer, pub *ecdsa.PublicKey, signed sap.Signed) sapclient.RedeemIn {
	t.Helper()
	req, err := sap.OpenActivationRequest(pub, signed)
	if err != nil {
		t.Fatal(err)
	}
	full, err := s.Device.SAD(req, s.Items(t, req, 1))
	if err != nil {
		t.Fatal(err)
	}
	sad, proof, err := s.Device.Sign(full)
	if err != nil {
		t.Fatal(err)
	}
	return sapclient.RedeemIn{SAD: sad, Proof: proof}
}
