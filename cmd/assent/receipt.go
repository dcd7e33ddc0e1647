package main

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/sap"
)

func receiptCommand() *cobra.Command {
	return group("receipt", "Check what a receipt proves", "  assent receipt verify contract.receipt.json contract-signed.pdf --sam-key sam-key.pem",
		receiptVerifyCommand())
}

func receiptVerifyCommand() *cobra.Command {
	var keyFile, chainFile, format string
	cmd := &cobra.Command{
		Use:   "verify RECEIPT FILE...",
		Short: "Check a receipt against the signed file, off line",
		Long: `Recomputes the digest of the file from its ByteRange (of XML: from its canonical
octets), rebuilds what the key
signed from that digest and the certificate, and compares both with the signer's
approval and with the signature in the file. Checks the module's signature over
the receipt and the authenticator's signature over the approval. Asks no server.
Of a detached XML signature FILE is what was signed; of one over several files give all
of them, under the names that were approved: each is compared, and none may be a stranger.

Where the module has changed its statement key since --sam-key was kept, --successions
is what leads from one to the other: assent statement-key chain writes it. A receipt of a
time when its key was out of use is refused.
` + exitCodes,
		Example: `  assent receipt verify contract.receipt.json contract-signed.pdf --sam-key sam-key.pem
  assent receipt verify deal.receipt.json offer.pdf terms.txt --sam-key sam-key.pem`,
		Args: cobra.RangeArgs(2, 1+sap.MaxObjects),
		RunE: action(func(cmd *cobra.Command, args []string) error {
			key, err := readSAMKey(keyFile)
			if err != nil {
				return err
			}
			chain, err := readSuccessions(chainFile)
			if err != nil {
				return err
			}
			receipt, err := readBounded(args[0], proof.MaxReceipt)
			if err != nil {
				return err
			}
			files, shut, err := openDetached(args[1:])
			defer shut()
			if err != nil {
				return err
			}
			res, err := proof.VerifyFiles(cmd.Context(), receipt, files, key, chain...)
			if errors.Is(err, sap.ReasonSAMSignature) && chainFile == "" {
				err = fmt.Errorf("%w; if the module has changed its key since, give --successions (assent statement-key chain writes that file)", err)
			}
			if err != nil {
				return &exitError{exitNotValid, fmt.Errorf("the receipt does not hold for %s: %w", strings.Join(args[1:], ", "), err)}
			}
			return output(cmd.OutOrStdout(), format, res, func(w io.Writer) error { return res.Print(w) })
		}),
	}
	cmd.Flags().StringVar(&keyFile, "sam-key", "", "file with the module's public key: PEM, DER, or base64url as in config.json of the signing origin")
	cmd.Flags().StringVar(&chainFile, "successions", "", "file with the changes of the module's key since then")
	_ = cmd.MarkFlagRequired("sam-key")
	outputFlag(cmd, &format)
	return cmd
}

func readSAMKey(path string) (*ecdsa.PublicKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, missing("--sam-key: %w", err)
	}
	key, err := proof.ReadSAMKey(b)
	if err != nil {
		return nil, missing("--sam-key %s: %w", path, err)
	}
	return key, nil
}

// maxSuccessions bounds the file of a chain, in bytes.
const maxSuccessions = 1 << 20

func readSuccessions(path string) ([]sap.SignedSuccession, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readBounded(path, maxSuccessions)
	if err != nil {
		return nil, err
	}
	chain, err := sap.DecodeSuccessions(text)
	if err != nil {
		return nil, missing("--successions %s: %w", path, err)
	}
	return chain, nil
}
