package main

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"iter"
	"os"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap/notary"
)

func auditCommand() *cobra.Command {
	return group("audit", "Read and check the module's audit chain",
		"  assent audit verify --samd\n  assent audit export audit.jsonl",
		auditVerifyCommand(), auditExportCommand(), auditSearchCommand())
}

func auditVerifyCommand() *cobra.Command {
	var live bool
	var known []string
	var keyFiles []string
	var witness string
	var receipts []string
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Check an audit chain: an exported file, or samd's own",
		Long: `Recomputes every hash of the chain from record 0. A record that was changed, left
out or moved shows. That the end is missing shows only against a checkpoint that
was kept elsewhere: give it with --known. The last line is the checkpoint to keep.

With --key, the module's first public key, nobody who keeps the chain need be trusted:
every checkpoint in it must be signed and confirm the records before it. Where the
module changed its statement key, the chain holds the old key's word for the new
one; a key that was replaced as stolen gives none: give the new key too. --witness
is the file that samd writes on another medium: what it confirms must be there.
--receipt is a receipt that somebody kept: its outcome must be in the chain, at its
place. One that is not shows a fork: another chain was shown to its owner.
` + exitCodes,
		Example: "  assent audit verify audit.jsonl --key sam-key.pem\n  assent audit verify --samd --known sam1:41:9f2c...",
		Args:    cobra.MaximumNArgs(1),
	}
	load := dirFlag(cmd)
	cmd.Flags().BoolVar(&live, "samd", false, "read the chain from samd, as auditor")
	cmd.Flags().StringArrayVar(&known, "known", nil, "checkpoint kept elsewhere, chain:seq:hash; may be given again")
	cmd.Flags().StringArrayVar(&keyFiles, "key", nil, "file with the module's first public key: check the signed checkpoints too; may be given again")
	cmd.Flags().StringVar(&witness, "witness", "", "file with signed checkpoints that a witness kept; needs --key")
	cmd.Flags().StringArrayVar(&receipts, "receipt", nil, "receipt whose outcome must be in the chain; needs --key; may be given again")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		if live == (len(args) == 1) {
			return missing("give a FILE or --samd, one of them")
		}
		signed, err := readNotary(keyFiles, witness, receipts)
		if err != nil {
			return err
		}
		marks := signed.marks()
		for _, k := range known {
			c, err := audit.ParseCheckpoint(k)
			if err != nil {
				return missing("--known %q: %w", k, err)
			}
			marks = append(marks, c)
		}
		if live {
			s, err := load()
			if err != nil {
				return err
			}
			c, err := s.auditor()
			if err != nil {
				return err
			}
			defer c.Close()
			return checkChain(cmd, c.Audit(cmd.Context(), 0), marks, signed)
		}
		f, _, err := openFile(args[0])
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		return checkChain(cmd, audit.Read(f), marks, signed)
	})
	return cmd
}

// confirmed is what --key and --witness give.
type confirmed struct {
	*notary.Notary
	witness  []audit.Signed
	receipts []keptReceipt
}

func readNotary(keyFiles []string, witness string, receipts []string) (*confirmed, error) {
	if len(keyFiles) == 0 && witness == "" && len(receipts) == 0 {
		return nil, nil
	}
	if len(keyFiles) == 0 {
		return nil, missing("--witness and --receipt need --key")
	}
	kept, err := readReceipts(receipts)
	if err != nil {
		return nil, err
	}
	var pins []*ecdsa.PublicKey
	for _, path := range keyFiles {
		key, err := readSAMKey(path)
		if err != nil {
			return nil, err
		}
		pins = append(pins, key)
	}
	n, err := notary.New(pins...)
	if err != nil || witness == "" {
		return &confirmed{n, nil, kept}, err
	}
	f, _, err := openFile(witness)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	list, err := audit.ReadWitness(f)
	if err != nil {
		return nil, &exitError{exitNotValid, err}
	}
	return &confirmed{n, list, kept}, nil
}

func checkChain(cmd *cobra.Command, records iter.Seq2[audit.Record, error], known []audit.Checkpoint, n *confirmed) error {
	var end audit.Checkpoint
	var sum audit.Summary
	var err error
	if n == nil {
		end, err = audit.Verify(records, known...)
	} else {
		sum, err = audit.VerifySigned(n.Watch(records), n.Check, n.witness, known...)
		end = sum.End
		if err == nil {
			err = n.openReceipts()
		}
	}
	if err == nil && end.Seq < 0 {
		err = &audit.BadRecord{Why: "missing: there is no record at all"}
	}
	if errors.Is(err, audit.ErrChain) || errors.Is(err, audit.ErrForm) {
		return &exitError{exitNotValid, err}
	}
	if err != nil {
		return err
	}
	signed := ""
	if n != nil {
		signed = fmt.Sprintf(", signed by the module up to record %d (%d checkpoints)", sum.Confirmed, sum.Checkpoints)
	}
	if n != nil && len(n.receipts) > 0 {
		signed += fmt.Sprintf("; the outcomes of %d receipts are in it", len(n.receipts))
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "the chain holds: %d records%s\n%s\n", end.Seq+1, signed, end)
	return err
}

func auditExportCommand() *cobra.Command {
	var from int64
	cmd := &cobra.Command{
		Use:     "export FILE",
		Short:   "Write samd's audit records to a file that anyone can check",
		Long:    "Writes JSON lines, one record a line, readable by assent audit verify.\n" + exitCodes,
		Example: "  assent audit export audit.jsonl",
		Args:    cobra.ExactArgs(1),
	}
	load := dirFlag(cmd)
	cmd.Flags().Int64Var(&from, "from", 0, "first record; the file of a later one does not verify alone")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		c, err := s.auditor()
		if err != nil {
			return err
		}
		defer c.Close()
		f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		n, err := audit.Write(f, c.Audit(cmd.Context(), from))
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return errors.Join(err, os.Remove(args[0]))
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d records written to %s\n", n, args[0])
		return err
	})
	return cmd
}
