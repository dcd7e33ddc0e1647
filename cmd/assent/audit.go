package main

import (
	"errors"
	"fmt"
	"iter"
	"os"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/internal/audit"
)

func auditCommand() *cobra.Command {
	return group("audit", "Read and check the module's audit chain",
		"  assent audit verify --samd\n  assent audit export audit.jsonl",
		auditVerifyCommand(), auditExportCommand())
}

func auditVerifyCommand() *cobra.Command {
	var live bool
	var known []string
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Check an audit chain: an exported file, or samd's own",
		Long: `Recomputes every hash of the chain from record 0. A record that was changed, left
out or moved shows. That the end is missing shows only against a checkpoint that
was kept elsewhere: give it with --known. The last line is the checkpoint to keep.
` + exitCodes,
		Example: "  assent audit verify audit.jsonl\n  assent audit verify --samd --known sam1:41:9f2c...",
		Args:    cobra.MaximumNArgs(1),
	}
	load := dirFlag(cmd)
	cmd.Flags().BoolVar(&live, "samd", false, "read the chain from samd, as auditor")
	cmd.Flags().StringArrayVar(&known, "known", nil, "checkpoint kept elsewhere, chain:seq:hash; may be given again")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		if live == (len(args) == 1) {
			return missing("give a FILE or --samd, one of them")
		}
		var marks []audit.Checkpoint
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
			return checkChain(cmd, c.Audit(cmd.Context(), 0), marks)
		}
		f, _, err := openFile(args[0])
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		return checkChain(cmd, audit.Read(f), marks)
	})
	return cmd
}

func checkChain(cmd *cobra.Command, records iter.Seq2[audit.Record, error], known []audit.Checkpoint) error {
	end, err := audit.Verify(records, known...)
	if errors.Is(err, audit.ErrChain) || errors.Is(err, audit.ErrForm) {
		return &exitError{exitNotValid, err}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "the chain holds: %d records\n%s\n", end.Seq+1, end)
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
