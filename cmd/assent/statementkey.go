package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

func statementKeyCommand() *cobra.Command {
	return group("statement-key", "Change the key that signs requests, receipts and checkpoints, by two officers",
		"  assent statement-key rotate --why yearly\n  assent statement-key chain > successions.json",
		statementRotateCommand(), statementDestroyCommand(), statementChainCommand())
}

func statementRotateCommand() *cobra.Command {
	var why string
	var replace bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Propose the next statement key",
		Long: `Proposes that the module makes its next statement key. When another officer approves
(assent officer approve), everything new is signed by it from then on; what is under way
goes on to work. The old key signs that the new one follows it: verifiers that pin the old
one follow. It stays in the token, unused, until assent statement-key destroy: until there
is a backup from after the change, the last backup needs it.

With --replace, for a key that is believed weak or stolen, the old key is not asked and is
destroyed at once. Nobody who pins it believes the new one: pin that one everywhere (sicd,
ssad, who verifies receipts), and make a backup at once; no older one can be restored.
` + exitCodes,
		Example: "  assent statement-key rotate --why yearly",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "the present key is believed weak or stolen")
	return proposing(cmd, "statement_rotate", &why, func(cmd *cobra.Command, s *settings, as string, _ []string) (any, error) {
		c, err := s.as(as)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		var info sapclient.Info
		err = c.Get(cmd.Context(), sapclient.PathInfo, nil, &info)
		return map[string]any{"from": info.KeyID, "replace": replace, "why": why}, err
	})
}

func statementDestroyCommand() *cobra.Command {
	var (
		why     string
		without bool
	)
	cmd := &cobra.Command{
		Use:   "destroy KEY-ID",
		Short: "Propose the end of an old statement key",
		Long: `Proposes to destroy a statement key that the module does not use any more. Backups of
before its change cannot be restored afterwards: the module in them has no key. samd refuses
(backup_needed) unless the last backup of its audit chain was made with the keys in use, or
the key was replaced as stolen; whether that file is still there it does not know: look.
With --without-backup it is done all the same. What the key signed goes on to verify.
` + exitCodes,
		Example: "  assent statement-key destroy 3q2-7w... --why yearly",
		Args:    cobra.ExactArgs(1),
	}
	cmd = proposing(cmd, "statement_destroy", &why, func(_ *cobra.Command, _ *settings, _ string, args []string) (any, error) {
		return ending("key", args[0], why, without), nil
	})
	withoutBackupFlag(cmd, &without)
	return cmd
}

func statementChainCommand() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "chain",
		Short: "Write what leads from the module's first statement key to its present one",
		Long: `Writes the changes of the statement key, each signed by the old key and by the new one,
for assent receipt verify --successions. With --sam-key they are verified from that key
on, and it is said which key they lead to.
` + exitCodes,
		Example: "  assent statement-key chain > successions.json",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	cmd.Flags().StringVar(&keyFile, "sam-key", "", "file with a public key of the module that you trust")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		info, err := moduleInfo(cmd.Context(), s)
		if err != nil {
			return err
		}
		if keyFile != "" {
			key, err := readSAMKey(keyFile)
			if err != nil {
				return err
			}
			ring, err := sap.NewKeyring(key, info.Successions)
			if err == nil {
				_, err = ring.Find(info.KeyID)
			}
			if err != nil {
				return &exitError{exitNotValid, err}
			}
			if _, err := fmt.Fprintf(cmd.ErrOrStderr(), "%d keys from the given one on; the present one is %s\n%s", ring.Len(), info.KeyID, proof.SAMKeyPEM(info.StatementKey)); err != nil {
				return err
			}
		}
		text, err := sap.EncodeSuccessions(info.Successions)
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(text)
		return err
	})
	return cmd
}

func moduleInfo(ctx context.Context, s *settings) (*sapclient.Info, error) {
	c, err := s.officer()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var info sapclient.Info
	return &info, c.Get(ctx, sapclient.PathInfo, nil, &info)
}
