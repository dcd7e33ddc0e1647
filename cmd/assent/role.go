package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/internal/ceremony"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap/sapclient"
)

func roleCommand() *cobra.Command {
	return group("role", "Grant and revoke roles by two officers, and list them",
		"  assent role list\n  assent role grant paul --role operator --person Paul.Example --cert paul/paul.pem",
		roleGrantCommand(), roleRevokeCommand(), roleListCommand())
}

// grantArgs are the arguments of the decision role_grant.
type grantArgs struct {
	Name   string `json:"name"`
	Person string `json:"person"`
	Role   string `json:"role"`
	Key    string `json:"key"`
}

// revokeArgs are the arguments of the decision role_revoke.
type revokeArgs struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

func roleGrantCommand() *cobra.Command {
	var in grantArgs
	var as, cert string
	cmd := &cobra.Command{
		Use:   "grant NAME",
		Short: "Propose that a certificate gets its role, or a new key for a name that has it",
		Long: `Proposes to let a caller in: the name and role of a certificate, who the person is, and
its key. Another officer approves (assent officer approve). A name keeps role and
person for ever, no person has two roles, and no signer has one.
` + exitCodes,
		Example: "  assent role grant paul --role operator --person Paul.Example --cert paul/paul.pem",
		Args:    cobra.ExactArgs(1),
	}
	load := dirFlag(cmd)
	asFlag(cmd, &as, "officer")
	cmd.Flags().StringVar(&in.Role, "role", "", "sspu, officer, administrator, operator, auditor or ra")
	cmd.Flags().StringVar(&in.Person, "person", "", "who it is; for a program its own name")
	cmd.Flags().StringVar(&cert, "cert", "", "the certificate (PEM); its key is what is let in")
	for _, f := range []string{"role", "person", "cert"} {
		_ = cmd.MarkFlagRequired(f)
	}
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		in.Name = args[0]
		if in.Key, err = certKey(cert, in); err != nil {
			return err
		}
		text, err := jcs.Marshal(in)
		if err != nil {
			return err
		}
		return s.propose(cmd, as, "role_grant", text)
	})
	return cmd
}

// certKey names the key of a certificate, which must be the one of this name and
// role: an officer who grants by mistake what the certificate does not say would
// grant nothing.
func certKey(path string, in grantArgs) (string, error) {
	text, err := readBounded(path, maxArgsFile)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", missing("%s holds no PEM certificate", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", missing("%s: %w", path, err)
	}
	if c.Subject.CommonName != in.Name || len(c.Subject.OrganizationalUnit) != 1 || c.Subject.OrganizationalUnit[0] != in.Role {
		return "", missing("%s is of %q with the role %q, not of %s as %s", path, c.Subject.CommonName, c.Subject.OrganizationalUnit, in.Name, in.Role)
	}
	return ceremony.KeyHash(c.PublicKey)
}

func roleRevokeCommand() *cobra.Command {
	var in revokeArgs
	cmd := &cobra.Command{
		Use:     "revoke NAME",
		Short:   "Propose that a caller is not let in any more",
		Long:    "Proposes to take a role away. Once another officer approves it counts at once, on\nopen connections too. Two officers always remain.\n" + exitCodes,
		Example: "  assent role revoke paul --why \"left the company\"",
		Args:    cobra.ExactArgs(1),
	}
	return proposing(cmd, "role_revoke", &in.Why, func(_ *cobra.Command, _ *settings, _ string, args []string) (any, error) {
		in.Name = args[0]
		return in, nil
	})
}

func roleListCommand() *cobra.Command {
	var as, format string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List who may call the module",
		Long:    "Lists every caller that the module knows, also those whose role was revoked.\n" + exitCodes,
		Example: "  assent role list\n  assent role list --as auditor -o json",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	outputFlag(cmd, &format)
	asFlag(cmd, &as, "officer")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		c, err := s.as(as)
		if err != nil {
			return err
		}
		defer c.Close()
		var out sapclient.RolesOut
		if err := c.Get(cmd.Context(), sapclient.PathRoles, nil, &out); err != nil {
			return err
		}
		return output(cmd.OutOrStdout(), format, out, func(w io.Writer) error {
			for _, r := range out.Roles {
				if _, err := fmt.Fprintf(w, "%-14s %-14s %-24s %-8s since %s\n", r.Role, r.Name, r.Person, r.State, unixTime(r.Created)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return cmd
}
