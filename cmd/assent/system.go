package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/assent-sign/assent/cmd/assent/internal/caller"
	"github.com/assent-sign/assent/cmd/assent/internal/person"
	"github.com/assent-sign/assent/cmd/assent/internal/procs"
	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/cmd/assent/internal/setup"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/freeport"
	"github.com/assent-sign/assent/internal/mtls"
	"github.com/assent-sign/assent/sap/sapclient"
)

// system is a whole service made of child processes: samd, sicd, ssad.
type system struct {
	name     string
	made     *setup.Made
	settings *settings
	group    *procs.Group
	info     sapclient.Info
}

// startSystem sets a directory up and starts the three programs on it. name
// tells several systems of one group apart. Each program is asked whether it is
// ready; one that ends at its start is an error with the end of its log.
func startSystem(ctx context.Context, g *procs.Group, name string, o setup.Options) (*system, error) {
	m, err := setup.Make(ctx, o)
	if err != nil {
		return nil, err
	}
	return resumeSystem(ctx, g, name, m)
}

// resumeSystem starts the programs on a directory that was set up before.
func resumeSystem(ctx context.Context, g *procs.Group, name string, m *setup.Made) (*system, error) {
	var err error
	s := &system{name: name, made: m, group: g}
	if s.settings, err = loadSettings(m.Dir); err != nil {
		return nil, err
	}
	for _, start := range []func(context.Context) error{s.startSamd, s.startSsad, s.startSicd} {
		if err := start(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *system) startSamd(ctx context.Context) error {
	p, err := s.group.Start(s.name+"-samd", "samd", "-config", s.made.SamdConfig)
	if err != nil {
		return err
	}
	officer, err := s.settings.officer()
	if err != nil {
		return err
	}
	defer officer.Close()
	err = p.Ready(ctx, func(ctx context.Context) error { return officer.Get(ctx, sapclient.PathInfo, nil, &s.info) })
	if err != nil {
		return err
	}
	return os.WriteFile(s.made.SamKeyFile, proof.SAMKeyPEM(s.info.StatementKey), 0o644)
}

func (s *system) startSsad(ctx context.Context) error {
	p, err := s.group.Start(s.name+"-ssad", "ssad", "-config", s.made.SsadCfg)
	if err != nil {
		return err
	}
	return p.Ready(ctx, ok200(s.settings.AppOrigin+"/livez"))
}

func (s *system) startSicd(ctx context.Context) error {
	p, err := s.group.Start(s.name+"-sicd", "sicd", "-config", s.made.SicdConfig)
	if err != nil {
		return err
	}
	return p.Ready(ctx, ok200(s.settings.SigningOrigin+"/config.json"))
}

func ok200(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("%w (is it running? look at its log)", err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", url, res.Status)
		}
		return nil
	}
}

// sspu is a connection to samd with ssad's own certificate: what an attacker
// has who took ssad over.
func (s *system) sspu() (*caller.Client, error) {
	return caller.New(s.settings.Samd.Address, s.settings.Samd.ServerName, mtls.Files{
		Cert: filepath.Join(s.made.Dir, "ssad/tls/ssad.pem"), Key: filepath.Join(s.made.Dir, "ssad/tls/ssad.key.pem"),
		CA: filepath.Join(s.made.Dir, "ca/ca.pem"),
	})
}

// addSigner records a signer and enrols a software authenticator for them.
func (s *system) addSigner(ctx context.Context, id, name string) (*person.Person, error) {
	officer, err := s.settings.officer()
	if err != nil {
		return nil, err
	}
	defer officer.Close()
	ra, err := s.settings.registrar()
	if err != nil {
		return nil, err
	}
	defer ra.Close()
	if err := ra.Post(ctx, sapclient.PathSigners, sapclient.SignerIn{ID: id, Name: name, Proof: "demo: nobody was proofed"}, nil); err != nil {
		return nil, err
	}
	l, err := s.settings.links(ctx, officer, id, name)
	if err != nil {
		return nil, err
	}
	dev, err := s.settings.newDevice(ctx)
	if err != nil {
		return nil, err
	}
	p, err := person.New(s.settings.AppOrigin, s.settings.SigningOrigin, dev)
	if err != nil {
		return nil, err
	}
	if _, err := p.Enrol(ctx, l.Enrol); err != nil {
		return nil, err
	}
	if err := p.Join(ctx, l.Join); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(s.settings.personFile(id)), 0o700); err != nil {
		return nil, err
	}
	return p, p.Save(s.settings.personFile(id))
}

// addKey makes a key for a signer and links a certificate of the demo CA.
func (s *system) addKey(ctx context.Context, id, name string, ca *certs.DemoCA) (*sapclient.Credential, error) {
	officer, err := s.settings.officer()
	if err != nil {
		return nil, err
	}
	defer officer.Close()
	var c sapclient.Credential
	in := sapclient.GenerateIn{Signer: id, KeyType: "P-256", Subject: "CN=" + certs.DemoMark + " " + name}
	if err := officer.Post(ctx, sapclient.PathCredentials, in, &c); err != nil {
		return nil, err
	}
	if c.Chain, err = ca.IssueSigner(c.CSR, ""); err != nil {
		return nil, err
	}
	return &c, officer.Post(ctx, sapclient.PathCertificate, sapclient.CertificateIn{Key: c.Key, Chain: c.Chain}, nil)
}

// status asks the module about its state.
func (s *system) status(ctx context.Context) (sapclient.Status, error) {
	var st sapclient.Status
	officer, err := s.settings.officer()
	if err != nil {
		return st, err
	}
	defer officer.Close()
	return st, officer.Get(ctx, sapclient.PathStatus, nil, &st)
}

// demoOptions are a system on free loopback ports, with the signing app but
// without the need for a browser.
func demoOptions(dir, hsm, cluster string, ca *certs.DemoCA) (setup.Options, error) {
	ports, err := freeport.Find(4)
	if err != nil {
		return setup.Options{}, err
	}
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	return setup.Options{
		Dir: dir, Profile: setup.Demo, HSM: hsm, Cluster: cluster,
		Samd: at(0), Sicd: at(1), Ssad: at(2), Admin: at(3),
		SigningOrigin: fmt.Sprintf("http://localhost:%d", ports[1]), AppOrigin: fmt.Sprintf("http://localhost:%d", ports[2]),
		NoViewer: true, CA: ca, Now: time.Now,
	}, nil
}
