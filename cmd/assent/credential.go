package main

import (
	"context"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/caller"
	"github.com/assent-sign/assent/cmd/assent/internal/setup"
	"github.com/assent-sign/assent/internal/algo"
	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/internal/validate"
	"github.com/assent-sign/assent/sap/sapclient"
)

func credentialCommand() *cobra.Command {
	return group("credential", "Make, list, stop and destroy signers' keys",
		"  assent credential create --signer anna --csr anna.csr\n  assent credential list --signer anna",
		credentialCreateCommand(), credentialListCommand(), credentialStatusCommand(), credentialDestroyCommand(), credentialRawCommand())
}

func credentialCreateCommand() *cobra.Command {
	var in sapclient.GenerateIn
	var csr string
	cmd := &cobra.Command{
		Use:   "create --signer ID --csr FILE",
		Short: "Make a key for an enrolled signer and write its certificate request",
		Long: `As officer, has the module generate a key pair for a signer whose authenticator is
enrolled. The key is used twice before its first signature: one generation test and
one proof of possession, the PKCS #10 request that is written here. Give it to your
CA, then link the certificate with assent cert import.
` + exitCodes,
		Example: "  assent credential create --signer anna --csr anna.csr --key-type P-256",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	f := cmd.Flags()
	f.StringVar(&in.Signer, "signer", "", "signer id")
	f.StringVar(&in.KeyType, "key-type", string(algo.P256), "P-256, P-384, P-521, RSA-3072 or RSA-4096")
	f.StringVar(&in.Subject, "subject", "", "distinguished name of the request (RFC 4514); default: CN=<proofed name>")
	f.StringVar(&csr, "csr", "", "file for the request (PEM)")
	_ = cmd.MarkFlagRequired("signer")
	_ = cmd.MarkFlagRequired("csr")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		officer, err := s.officer()
		if err != nil {
			return err
		}
		defer officer.Close()
		if in.Subject == "" && s.Profile != setup.Production {
			if in.Subject, err = demoSubject(cmd.Context(), officer, in.Signer); err != nil {
				return err
			}
		}
		var c sapclient.Credential
		if err := officer.Post(cmd.Context(), sapclient.PathCredentials, in, &c); err != nil {
			return err
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: c.CSR})
		if err := os.WriteFile(csr, text, 0o644); err != nil {
			return fmt.Errorf("key %s exists, but its request could not be written: %w", c.Key, err)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "key %s (%s) of %s; request in %s\n", c.Key, c.KeyType, c.Signer, csr)
		return err
	})
	return cmd
}

// demoSubject is the subject of a request to the demo CA: the proofed name behind
// the word DEMO. The module links only a certificate with the subject that it
// asked for, and the demo CA issues only names that say DEMO.
func demoSubject(ctx context.Context, officer *caller.Client, signer string) (string, error) {
	var known sapclient.Signer
	if err := officer.Get(ctx, sapclient.PathSigners, url.Values{"id": {signer}}, &known); err != nil {
		return "", err
	}
	name := known.Name
	if !strings.HasPrefix(name, certs.DemoMark+" ") {
		name = certs.DemoMark + " " + name
	}
	return pkix.Name{CommonName: name}.String(), nil
}

func credentialListCommand() *cobra.Command {
	var signer, format string
	cmd := &cobra.Command{
		Use:     "list --signer ID",
		Short:   "List a signer's keys",
		Long:    "Lists the module's keys of a signer with state, algorithms and certificate.\n" + exitCodes,
		Example: "  assent credential list --signer anna -o json",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	cmd.Flags().StringVar(&signer, "signer", "", "signer id")
	_ = cmd.MarkFlagRequired("signer")
	outputFlag(cmd, &format)
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		officer, err := s.officer()
		if err != nil {
			return err
		}
		defer officer.Close()
		var out sapclient.CredentialsOut
		if err := officer.Get(cmd.Context(), sapclient.PathCredentials, url.Values{"signer": {signer}}, &out); err != nil {
			return err
		}
		return output(cmd.OutOrStdout(), format, out.Credentials, func(w io.Writer) error { return printCredentials(w, out.Credentials) })
	})
	return cmd
}

func printCredentials(w io.Writer, list []sapclient.Credential) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no keys")
		return err
	}
	for _, c := range list {
		fmt.Fprintf(w, "%s  %s  %s  %v  %s  since %s\n", c.Key, c.State, c.KeyType, c.Algs, c.Assurance, unixTime(c.Created))
		chain, err := certs.ParseChain(c.Chain)
		if err != nil {
			return err
		}
		if len(chain) > 0 {
			fmt.Fprintf(w, "  certificate of %q by %q, until %s\n  SHA-256 %s\n", validate.Name(chain[0]), chain[0].Issuer.CommonName,
				chain[0].NotAfter.UTC().Format("2006-01-02"), c.Destruction("").Cert)
		}
		if c.Raw {
			fmt.Fprintln(w, "  may sign digests of content that the signer does not see")
		}
	}
	return nil
}

func credentialRawCommand() *cobra.Command {
	var in sapclient.PermissionIn
	cmd := &cobra.Command{
		Use:   "raw --key KEY --allow=true|false",
		Short: "Allow or forbid a key to sign digests of content the signer does not see",
		Long: `The permission is off by default. It also needs an activation policy that allows
raw digests, and never counts under the policy "qualified". To allow it takes two
officers: the command proposes it and prints the id that the second one approves
(assent officer approve ID --as second_officer). To forbid it takes one.
` + exitCodes,
		Example: "  assent credential raw --key k1 --allow=true",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	cmd.Flags().StringVar(&in.Key, "key", "", "key id")
	cmd.Flags().BoolVar(&in.Raw, "allow", false, "true or false")
	_ = cmd.MarkFlagRequired("key")
	_ = cmd.MarkFlagRequired("allow")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		if in.Raw {
			text, err := jcs.Marshal(in)
			if err != nil {
				return err
			}
			return s.propose(cmd, "officer", "raw_permission", text)
		}
		officer, err := s.officer()
		if err != nil {
			return err
		}
		defer officer.Close()
		if err := officer.Post(cmd.Context(), sapclient.PathPermission, in, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "key %s: raw digests allowed: %v\n", in.Key, in.Raw)
		return err
	})
	return cmd
}
