package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/sap/sapclient"
)

func sealKeyCommand() *cobra.Command {
	return group("seal-key", "Change the key that seals samd's records, by two officers",
		"  assent seal-key rotate --why yearly\n  assent seal-key destroy 1 --why yearly", sealRotateCommand(), sealDestroyCommand())
}

func sealRotateCommand() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Propose the next sealing key",
		Long: `Proposes that the token makes the next epoch of the key under which samd seals its
records, hides secrets in them, and seals the anchor and the lists beside it. When another
officer approves (assent officer approve), everything new is sealed under it; what is there
is verified and sealed anew in the background, while samd serves, also over restarts:
assent status shows both epochs until it is done, and then the old one counts no more. A
record that does not verify is left as it is and named in the audit chain
(record_not_resealed).

The old epoch stays in the token until assent seal-key destroy: backups of before need it.
Until it is done samd makes no backup (resealing_unfinished): it would be worth nothing when
the old epoch is destroyed. Make one then.
` + exitCodes,
		Example: "  assent seal-key rotate --why yearly",
		Args:    cobra.NoArgs,
	}
	return proposing(cmd, "seal_rotate", &why, func(cmd *cobra.Command, s *settings, as string, _ []string) (any, error) {
		c, err := s.as(as)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		var st sapclient.Status
		err = c.Get(cmd.Context(), sapclient.PathStatus, nil, &st)
		return map[string]any{"from": st.SealEpoch, "why": why}, err
	})
}

func sealDestroyCommand() *cobra.Command {
	var (
		why     string
		without bool
	)
	cmd := &cobra.Command{
		Use:   "destroy EPOCH",
		Short: "Propose the end of an old sealing key",
		Long: `Proposes to end an epoch of the sealing key, and all before it, when nothing in the
database is sealed under it any more. Backups of before its change, and databases put back
from before it, cannot be opened afterwards by anybody. samd refuses unless its audit chain
has a backup of a later epoch (backup_made, seal_epoch), made with the wrapping key and the
statement key that are in use; it does not know whether that file
is still there: look, and keep a copy elsewhere, before you propose it and before you
approve it. With --without-backup it is done all the same, and if samd's database is lost
before the next backup, all signers' keys are.
` + exitCodes,
		Example: "  assent seal-key destroy 1 --why yearly",
		Args:    cobra.ExactArgs(1),
	}
	cmd = proposing(cmd, "seal_destroy", &why, func(_ *cobra.Command, _ *settings, _ string, args []string) (any, error) {
		epoch, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("%q is no number of an epoch; assent status shows the present one", args[0])}
		}
		return ending("epoch", epoch, why, without), nil
	})
	withoutBackupFlag(cmd, &without)
	return cmd
}

// ending are the arguments of a decision that destroys a key of samd: member names it.
func ending(member string, key any, why string, without bool) map[string]any {
	in := map[string]any{member: key, "why": why}
	if without {
		in["without_backup"] = true
	}
	return in
}

func withoutBackupFlag(cmd *cobra.Command, without *bool) {
	cmd.Flags().BoolVar(without, "without-backup", false, "also when no backup could be restored afterwards; it goes into the audit record")
}
