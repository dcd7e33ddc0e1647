package main

import (
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/internal/certs"
	"github.com/assent-sign/assent/sap/sapclient"
)

func certCommand() *cobra.Command {
	return group("cert", "Link certificates to signers' keys",
		"  assent cert import --key k1 --chain anna.pem", certImportCommand())
}

func certImportCommand() *cobra.Command {
	var key, chainFile string
	cmd := &cobra.Command{
		Use:   "import --key KEY --chain FILE",
		Short: "Link a certificate to the key it was issued for",
		Long: `As officer, gives the module the certificate chain (PEM, leaf first) of a key. The
module checks that the certificate is for this key before it becomes active.
` + exitCodes,
		Example: "  assent cert import --key k1 --chain anna.pem",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	cmd.Flags().StringVar(&key, "key", "", "key id, as assent credential create printed it")
	cmd.Flags().StringVar(&chainFile, "chain", "", "PEM file: certificate, then its issuers")
	_ = cmd.MarkFlagRequired("key")
	_ = cmd.MarkFlagRequired("chain")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		chain, err := certs.LoadPEM(chainFile)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		in := sapclient.CertificateIn{Key: key}
		for _, c := range chain {
			in.Chain = append(in.Chain, c.Raw)
		}
		officer, err := s.officer()
		if err != nil {
			return err
		}
		defer officer.Close()
		if err := officer.Post(cmd.Context(), sapclient.PathCertificate, in, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "key %s is active with the certificate of %s\n", key, chain[0].Subject)
		return err
	})
	return cmd
}

// demoCACommand stands in for a CA where there is none.
func demoCACommand() *cobra.Command {
	return group("demo-ca", "The self-made CA of the demo and development profiles",
		"  assent demo-ca issue anna.csr anna.pem", demoCAIssueCommand())
}

func demoCAIssueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "issue CSR CHAIN",
		Short: "Issue a DEMO certificate for a request",
		Long: `Issues a signer's certificate from the demo CA in DIR/pki. Nobody should trust it:
every subject says DEMO, and its keys lie in files.
` + exitCodes,
		Example: "  assent demo-ca issue anna.csr anna.pem",
		Args:    cobra.ExactArgs(2),
	}
	load := dirFlag(cmd)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		if s.Profile == "production" {
			return missing("the profile production has no demo CA: give the request to yours")
		}
		text, err := readBounded(args[0], 64<<10)
		if err != nil {
			return err
		}
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE REQUEST" || len(rest) > 0 {
			return missing("%s is not one PEM CERTIFICATE REQUEST", args[0])
		}
		ca, err := certs.LoadDemoCA(s.path("pki"), time.Now)
		if err != nil {
			return err
		}
		chain, err := ca.IssueSigner(block.Bytes, "")
		if err != nil {
			return err
		}
		if err := os.WriteFile(args[1], certs.EncodePEM(chain...), 0o644); err != nil {
			return err
		}
		leaf, err := certs.ParseChain(chain)
		if err != nil || len(leaf) == 0 {
			return errors.Join(err, certs.ErrMalformed)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "DEMO certificate of %s in %s; root: %s\n", leaf[0].Subject, args[1], s.path("pki/root.pem"))
		return err
	})
	return cmd
}
