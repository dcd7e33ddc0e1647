package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/procs"
	"github.com/assent-sign/assent/cmd/assent/internal/setup"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/sap/sapclient"
)

func runCommand() *cobra.Command {
	var dir string
	var p ports
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the demo system until Ctrl-C, to sign an own PDF in the browser",
		Long: `Starts samd, sicd and ssad on ports 8443, 8441 and 8440 with software keys and a
self-made CA, and prints two one-time links for a signer "me": open both in a
browser that has passkeys, then upload a PDF and approve it. The demo's officer is
automatic: it proofs nobody, makes the key and issues the certificate by itself.

The data stays in DIR; the next run goes on with it. Delete DIR to begin anew.
` + exitCodes,
		Example: "  assent run\n  assent run --dir /tmp/assent",
		Args:    cobra.NoArgs,
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			return runLiving(cmd.Context(), cmd.OutOrStdout(), dir, p)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "var/run", "data directory")
	f.IntVar(&p.app, "app-port", 8440, "port of the application; counts when DIR is made")
	f.IntVar(&p.signing, "signing-port", 8441, "port of the signer's app; counts when DIR is made")
	f.IntVar(&p.samd, "samd-port", 8443, "port of the module; counts when DIR is made")
	f.IntVar(&p.admin, "admin-port", 8442, "port of ssad's admin listener; counts when DIR is made")
	return cmd
}

// ports are where the programs of assent run listen, on the loopback interface.
type ports struct{ app, signing, samd, admin int }

func (p ports) options(dir string) setup.Options {
	at := func(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
	return setup.Options{
		Dir: dir, Profile: setup.Demo, HSM: "none", Cluster: "demo",
		Samd: at(p.samd), Sicd: at(p.signing), Ssad: at(p.app), Admin: at(p.admin),
		SigningOrigin: fmt.Sprintf("http://localhost:%d", p.signing), AppOrigin: fmt.Sprintf("http://localhost:%d", p.app),
	}
}

// The signer of assent run. The name says DEMO, because the demo CA issues no
// other names.
const meID, meName = "me", "DEMO Me"

func runLiving(ctx context.Context, w io.Writer, dir string, p ports) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	g, err := procs.New(filepath.Join(dir, "..", filepath.Base(dir)+"-logs"))
	if err != nil {
		return err
	}
	if _, err := g.Find("samd"); err != nil {
		return missing("%w", err)
	}
	defer func() { err = errors.Join(err, g.StopAll()) }()
	s, err := livingSystem(ctx, g, dir, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "DEMO: software keys, self-made certificates, an automatic officer. Nothing signed here counts.\n\n")
	if err := s.welcome(ctx, w); err != nil {
		return err
	}
	err = s.officerAtWork(ctx, w)
	if ctx.Err() != nil {
		fmt.Fprintln(w, "\nending samd, sicd and ssad")
		return nil
	}
	return err
}

// livingSystem goes on with a directory or sets a new one up.
func livingSystem(ctx context.Context, g *procs.Group, dir string, p ports) (*system, error) {
	if _, err := os.Stat(filepath.Join(dir, settingsFile)); err == nil {
		return resumeSystem(ctx, g, "run", setup.Existing(dir))
	}
	return startSystem(ctx, g, "run", p.options(dir))
}

// welcome prints where everything is, and links for a signer who has none yet.
func (s *system) welcome(ctx context.Context, w io.Writer) error {
	officer, err := s.settings.officer()
	if err != nil {
		return err
	}
	defer officer.Close()
	var known sapclient.Signer
	if err := officer.Get(ctx, sapclient.PathSigners, url.Values{"id": {meID}}, &known); err != nil {
		if err := s.recordMe(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "app       %s/          log in, upload, fetch\nsigning   %s/          where you read and approve\n\n", s.settings.AppOrigin, s.settings.SigningOrigin)
	if len(known.Authenticators) == 0 {
		l, err := s.settings.links(ctx, officer, meID, meName)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "1. make your signing passkey:  %s\n2. make your login passkey:    %s\n3. then upload a PDF:          %s/upload\n\n", l.Enrol, l.Join, s.settings.AppOrigin)
	} else {
		join, err := s.settings.invite(ctx, meID, meName)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "you are enrolled; upload a PDF:    %s/upload\n(a further login passkey:  %s)\n\n", s.settings.AppOrigin, join)
	}
	fmt.Fprintf(w, `or ask yourself as a program would (docs/integrators.md):
  token=$(curl -s -u "cli:$(cat %[2]s)" -d grant_type=client_credentials -d scope=service %[1]s/oauth2/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  doc=$(curl -s -H "Authorization: Bearer $token" -H 'Content-Type: application/pdf' --data-binary @FILE.pdf '%[1]s/api/v1/documents?name=FILE.pdf' | sed 's/.*"id":"\([^"]*\)".*/\1/')
  curl -s -H "Authorization: Bearer $token" -H 'Content-Type: application/json' %[1]s/api/v1/operations \
    -d '{"signer":"%[3]s","level":"B-T","purpose":"a try","items":[{"document":"'"$doc"'","worker":"pades-t"}]}'
verify with:  assent verify SIGNED.pdf --trust %[4]s

Ctrl-C ends everything.
`, s.settings.AppOrigin, rel(s.made.ClientSecretFile), meID, rel(filepath.Join(s.made.PKI, "root.pem")))
	return nil
}

// recordMe is the automatic registration authority.
func (s *system) recordMe(ctx context.Context) error {
	ra, err := s.settings.registrar()
	if err != nil {
		return err
	}
	defer ra.Close()
	return ra.Post(ctx, sapclient.PathSigners, sapclient.SignerIn{ID: meID, Name: meName, Proof: "demo: nobody was proofed"}, nil)
}

// officerAtWork waits until the signer has enrolled, makes their key, has the
// demo CA certify it, and then waits for the end. A child that ends by itself
// ends the run.
func (s *system) officerAtWork(ctx context.Context, w io.Writer) error {
	ready := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p := <-s.group.Ended():
			return fmt.Errorf("%s ended by itself:\n%s", p.Name, p.Tail())
		case <-time.After(500 * time.Millisecond):
		}
		if ready {
			continue
		}
		var err error
		if ready, err = s.giveKey(ctx, w); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// giveKey makes key and certificate once the signer has an authenticator.
func (s *system) giveKey(ctx context.Context, w io.Writer) (bool, error) {
	officer, err := s.settings.officer()
	if err != nil {
		return false, err
	}
	defer officer.Close()
	var known sapclient.Signer
	if err := officer.Get(ctx, sapclient.PathSigners, url.Values{"id": {meID}}, &known); err != nil {
		return false, err
	}
	if len(known.Authenticators) == 0 {
		return false, nil
	}
	var creds sapclient.CredentialsOut
	if err := officer.Get(ctx, sapclient.PathCredentials, url.Values{"signer": {meID}}, &creds); err != nil {
		return false, err
	}
	for _, c := range creds.Credentials {
		if c.State == "active" {
			return true, nil
		}
	}
	ca, err := certs.LoadDemoCA(s.made.PKI, nil)
	if err != nil {
		return false, err
	}
	c, err := s.addKey(ctx, meID, "Me", ca)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(w, "the automatic officer has made your key (%s) and a DEMO certificate: you can sign\n", c.Key)
	return true, nil
}
