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
Make a backup when the change is done.
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
	var why string
	cmd := &cobra.Command{
		Use:   "destroy EPOCH",
		Short: "Propose the end of an old sealing key",
		Long: `Proposes to end an epoch of the sealing key, and all before it, when nothing in the
database is sealed under it any more. Backups of before its change, and databases put back
from before it, cannot be opened afterwards. Make a new backup first.
` + exitCodes,
		Example: "  assent seal-key destroy 1 --why yearly",
		Args:    cobra.ExactArgs(1),
	}
	return proposing(cmd, "seal_destroy", &why, func(_ *cobra.Command, _ *settings, _ string, args []string) (any, error) {
		epoch, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("%q is no number of an epoch; assent status shows the present one", args[0])}
		}
		return map[string]any{"epoch": epoch, "why": why}, nil
	})
}
