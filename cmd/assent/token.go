package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cryptotoken/pkcs11"
)

func tokenCommand() *cobra.Command {
	return group("token", "Prepare and probe a PKCS #11 token for samd",
		"  assent token init --module /usr/lib/vendor/libpkcs11.so --label assent --pin-file samd/pin\n  assent token probe --module /usr/lib/vendor/libpkcs11.so --label assent --pin-file samd/pin",
		tokenInitCommand(), tokenProbeCommand())
}

// tokenFlags are those that name a token and open it.
func tokenFlags(cmd *cobra.Command, c *pkcs11.Config) {
	f := cmd.Flags()
	f.StringVar(&c.Module, "module", "", "absolute path of the PKCS #11 library")
	f.StringVar(&c.TokenLabel, "label", "assent", "label of the token")
	f.StringVar(&c.Serial, "serial", "", "serial number of the token, when labels are not unique")
	f.StringVar(&c.PINFile, "pin-file", "", "file with the user PIN, mode 0600")
	f.StringVar(&c.KEKLabel, "kek", "assent-kek", "label of the key that wraps signers' keys")
	f.StringVar(&c.SealLabel, "seal", "assent-seal", "label of the key that seals samd's records")
	f.StringArrayVar(&c.Env, "env", nil, "NAME=value for the process that loads the library (may be repeated)")
	_ = cmd.MarkFlagRequired("module")
	_ = cmd.MarkFlagRequired("pin-file")
}

func tokenInitCommand() *cobra.Command {
	c := pkcs11.Config{Name: "token"}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the wrapping key and the sealing key in a token",
		Long: `Makes the two keys that samd needs in an initialised PKCS #11 token: an AES-256 key
that wraps signers' keys and a secret that seals samd's records. Neither can be read
out of the token. Keys that are there already are an error and are not touched:
without them every signer's key is lost.
` + exitCodes,
		Example: "  assent token init --module /usr/lib/vendor/libpkcs11.so --label assent --pin-file samd/pin",
		Args:    cobra.NoArgs,
	}
	tokenFlags(cmd, &c)
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		if err := pkcs11.Init(cmd.Context(), c); err != nil {
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "token %q has the keys %s and %s now; back the token up by the means of its maker\n", c.TokenLabel, c.KEKLabel, c.SealLabel)
		return err
	})
	return cmd
}

func tokenProbeCommand() *cobra.Command {
	c := pkcs11.Config{Name: "token", Children: 1}
	var development bool
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Run samd's self-test of a token and say what it is",
		Long: `Opens a prepared token as samd does and runs the self-test: wrap, unwrap, sign,
verify, a changed blob (must fail) and the downgrade (unwrapping a key as readable;
must fail). A token that allows the downgrade is for development only.
` + exitCodes,
		Example: "  assent token probe --module /usr/lib/vendor/libpkcs11.so --label assent --pin-file samd/pin",
		Args:    cobra.NoArgs,
	}
	tokenFlags(cmd, &c)
	cmd.Flags().BoolVar(&development, "development", false, "accept a token that fails the downgrade test, and say so")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		c.Profile, c.Development = "production", development
		if development {
			c.Profile = "development"
		}
		tok, err := pkcs11.Open(c)
		if err != nil {
			return err
		}
		defer func() { _ = tok.Close() }()
		info, err := tok.Info(cmd.Context())
		if err != nil {
			return err
		}
		verdict := "fit: the self-test passed"
		if info.Development {
			verdict = "FOR DEVELOPMENT ONLY: " + info.Reason
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s\n", info.Model, verdict)
		return err
	})
	return cmd
}
