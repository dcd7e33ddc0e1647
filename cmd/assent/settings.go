package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/caller"
	"github.com/assent-sign/assent/internal/config"
	"github.com/assent-sign/assent/internal/mtls"
)

// settingsFile is what "assent init" writes for this program into the data
// directory. Paths in it count from the file's own folder.
const settingsFile = "assent.yaml"

// settings say where the service is and with which certificates this program
// speaks to samd: one certificate for each role, because no identity holds two; on
// a real service they are different people's files, and each has only their own.
type settings struct {
	Profile string `yaml:"profile"` // "demo" or "production"
	Samd    struct {
		Address    string `yaml:"address"`     // https://host:port
		ServerName string `yaml:"server_name"` // name in samd's certificate
		CA         string `yaml:"ca"`          // PEM of the CA that issued samd's certificate
	} `yaml:"samd"`
	Cluster       string   `yaml:"cluster"`
	Officer       identity `yaml:"officer"`
	SecondOfficer identity `yaml:"second_officer"`
	Administrator identity `yaml:"administrator"`
	Operator      identity `yaml:"operator"`
	RA            identity `yaml:"ra"`
	Auditor       identity `yaml:"auditor"`
	SigningOrigin string   `yaml:"signing_origin"` // of sicd
	AppOrigin     string   `yaml:"app_origin"`     // of ssad
	Admin         string   `yaml:"admin"`          // ssad's admin listener, http://127.0.0.1:port
	AdminToken    string   `yaml:"admin_token"`    // file with its token, mode 0600
	Client        struct {
		ID     string `yaml:"id"`
		Secret string `yaml:"secret"` // file, mode 0600
	} `yaml:"client"`
	DemoSigners string `yaml:"demo_signers"` // demo only: folder with software signers, NAME.json each

	dir string
}

type identity struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// dirFlag adds --dir and returns a loader of the settings in it.
func dirFlag(cmd *cobra.Command) func() (*settings, error) {
	def := os.Getenv("ASSENT_DIR")
	if def == "" {
		def = "assent"
	}
	var dir string
	cmd.Flags().StringVar(&dir, "dir", def, "data directory made by assent init (environment ASSENT_DIR)")
	return func() (*settings, error) { return loadSettings(dir) }
}

func loadSettings(dir string) (*settings, error) {
	s := &settings{dir: dir}
	path := filepath.Join(dir, settingsFile)
	if _, err := os.Stat(path); err != nil {
		return nil, missing("%s is not there: say with --dir where assent init put it", path)
	}
	if err := config.Load(path, s); err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return s, nil
}

// path makes a path of the file absolute from its folder.
func (s *settings) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(s.dir, p)
}

func (s *settings) connect(id identity) (*caller.Client, error) {
	return caller.New(s.Samd.Address, s.Samd.ServerName,
		mtls.Files{Cert: s.path(id.Cert), Key: s.path(id.Key), CA: s.path(s.Samd.CA)})
}

func (s *settings) officer() (*caller.Client, error) { return s.connect(s.Officer) }

// registrar records signers.
func (s *settings) registrar() (*caller.Client, error) { return s.connect(s.RA) }

// as connects with one of the identities of the file, by its name there.
func (s *settings) as(name string) (*caller.Client, error) {
	id, ok := map[string]identity{
		"officer": s.Officer, "second_officer": s.SecondOfficer, "administrator": s.Administrator, "operator": s.Operator,
		"ra": s.RA, "auditor": s.Auditor,
	}[name]
	if !ok || id.Cert == "" {
		return nil, missing("--as %q: want officer, second_officer, administrator, operator, auditor or ra, with its files in %s", name, settingsFile)
	}
	return s.connect(id)
}

func (s *settings) auditor() (*caller.Client, error) { return s.connect(s.Auditor) }
