package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/callerca"
	"github.com/assent-sign/assent/cmd/assent/internal/setup"
	"github.com/assent-sign/assent/internal/ceremony"
)

func ceremonyCommand() *cobra.Command {
	return group("ceremony", "Begin the module's life: first officers and everyone else with a role",
		"  assent ceremony init --officer olga=Olga.Example --officer otto=Otto.Example ...\n  assent ceremony certificate paul --role operator --out paul/",
		ceremonyInitCommand(), ceremonyShowCommand(), ceremonyCertificateCommand())
}

func ceremonyInitCommand() *cobra.Command {
	members := map[string]*[]string{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the caller CA, the first certificates, and the document that samd begins with",
		Long: `Makes the CA of samd's callers, samd's own certificate, and a certificate for each
role, and records who they are in a document that the CA and every officer sign. samd
reads it at its next start; before that it refuses all work, and after that it refuses
any other. There are no default identities: everyone is named here, as NAME=PERSON.
Two officers at least, and no person twice.

Hold it with everyone present, on a machine without a network. Each person takes the
folder with their key away; ca/ goes off line; everyone notes the printed hash, which
samd's audit record "ceremony_held" repeats.
` + exitCodes,
		Example: `  assent ceremony init --officer olga=Olga.Example --officer otto=Otto.Example \
    --auditor arne=Arne.Example --administrator ada=Ada.Example --operator oscar=Oscar.Example --ra rosa=Rosa.Example`,
		Args: cobra.NoArgs,
	}
	load := dirFlag(cmd)
	for _, role := range []string{"officer", "auditor", "administrator", "operator", "ra"} {
		members[role] = cmd.Flags().StringArray(role, nil, "NAME=PERSON; may be given again")
		_ = cmd.MarkFlagRequired(role)
	}
	members["sspu"] = cmd.Flags().StringArray("sspu", []string{"ssad=ssad"}, "NAME=PERSON of a signing application; may be given again")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		c := setup.Ceremony{Dir: s.dir, Cluster: s.Cluster, Samd: strings.TrimPrefix(s.Samd.Address, "https://"), Now: time.Now}
		for _, role := range slices.Sorted(maps.Keys(members)) {
			for _, m := range *members[role] {
				name, person, ok := strings.Cut(m, "=")
				if !ok || name == "" || person == "" {
					return missing("--%s %q: want NAME=PERSON", role, m)
				}
				c.Members = append(c.Members, setup.Member{Name: name, Person: person, Role: role})
			}
		}
		if err := distinct(c.Members); err != nil {
			return err
		}
		h, err := setup.Hold(c)
		if errors.Is(err, setup.ErrHeld) || errors.Is(err, setup.ErrOptions) || errors.Is(err, ceremony.ErrDocument) {
			return &exitError{exitUsage, err}
		}
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		fmt.Fprintf(w, "the ceremony was held; document %s\n  SHA-256 %s\neveryone who took part notes this hash; certificates:\n", h.Document, h.Hash)
		for _, name := range slices.Sorted(maps.Keys(h.Files)) {
			fmt.Fprintf(w, "  %-12s %s\n", name, h.Files[name])
		}
		_, err = fmt.Fprintf(w, "now give each person their folder, take %s off line, and start samd\n", h.CA)
		return err
	})
	return cmd
}

// distinct refuses a person with two entries before anything is made.
func distinct(list []setup.Member) error {
	names, persons := map[string]bool{}, map[string]bool{}
	for _, m := range list {
		if names[m.Name] || persons[m.Person] {
			return missing("%s=%s: every name and every person has one role", m.Name, m.Person)
		}
		names[m.Name], persons[m.Person] = true, true
	}
	return nil
}

func ceremonyShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show FILE",
		Short:   "Check a ceremony's document and print what it says",
		Long:    "Checks the signatures of the CA and the officers, and prints hash and identities.\n" + exitCodes,
		Example: "  assent ceremony show samd/ceremony.json",
		Args:    cobra.ExactArgs(1),
	}
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		text, err := readBounded(args[0], ceremony.MaxSize)
		if err != nil {
			return err
		}
		d, err := ceremony.Open(text)
		if err != nil {
			return &exitError{exitNotValid, err}
		}
		w := cmd.OutOrStdout()
		fmt.Fprintf(w, "ceremony of %s, held %s\n  SHA-256 %s\n  caller CA %s\n", d.Cluster, unixTime(d.Created), ceremony.Hash(text), d.CA)
		if d.Automatic {
			fmt.Fprintln(w, "  AUTOMATIC: its officers are names of a demo, no people")
		}
		for _, id := range d.Identities {
			fmt.Fprintf(w, "  %-14s %-12s %-24s key %s\n", id.Role, id.Name, id.Person, id.Key)
		}
		return nil
	})
	return cmd
}

func ceremonyCertificateCommand() *cobra.Command {
	var role, out string
	var server []string
	cmd := &cobra.Command{
		Use:   "certificate NAME",
		Short: "Make a further certificate with the caller CA",
		Long: `Makes a key and a certificate for a caller of samd. It lets nobody in: two officers
grant the role to exactly this key (assent role grant). With --server it is samd's own
TLS certificate, for its next two years, which takes no decision: put both files in the
place of those that samd.yaml names (tls), and restart samd.
` + exitCodes,
		Example: "  assent ceremony certificate paul --role operator --out paul/\n  assent ceremony certificate samd --server 127.0.0.1 --out samd-2028/",
		Args:    cobra.ExactArgs(1),
	}
	load := dirFlag(cmd)
	cmd.Flags().StringVar(&role, "role", "", "sspu, officer, administrator, operator, auditor or ra")
	cmd.Flags().StringVar(&out, "out", "", "folder for NAME.pem and NAME.key.pem")
	cmd.Flags().StringSliceVar(&server, "server", nil, "samd's own certificate: its addresses and host names besides NAME, as ssad calls it")
	_ = cmd.MarkFlagRequired("out")
	cmd.MarkFlagsOneRequired("role", "server")
	cmd.MarkFlagsMutuallyExclusive("role", "server")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		ca, err := callerca.Open(filepath.Join(s.dir, "ca"), time.Now)
		if err != nil {
			return missing("%w (is the CA off line?)", err)
		}
		if len(server) > 0 {
			return serverCertificate(cmd.OutOrStdout(), ca, out, args[0], server)
		}
		cert, _, err := ca.Caller(out, args[0], role)
		if errors.Is(err, callerca.ErrRole) {
			return &exitError{exitUsage, err}
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\nnow an officer proposes: assent role grant %s --role %s --person PERSON --cert %s\n", cert, args[0], role, cert)
		return err
	})
	return cmd
}

// serverCertificate renews samd's own.
func serverCertificate(w io.Writer, ca *callerca.CA, out, name string, hosts []string) error {
	dns, ips := []string{name}, []net.IP(nil)
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			ips = append(ips, ip)
		} else {
			dns = append(dns, h)
		}
	}
	cert, key, err := ca.Server(out, name, dns, ips)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\nnow put it and %s in the place of tls.cert and tls.key of samd.yaml, and restart samd\n", cert, key)
	return err
}
