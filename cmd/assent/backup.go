package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/sap/sapclient"
)

func backupCommand() *cobra.Command {
	return group("backup", "Back up samd's database, by two officers",
		"  assent backup make --why nightly\n  assent backup show", backupMakeCommand(), backupShowCommand())
}

// whyArgs are the arguments of decisions that have a reason only.
type whyArgs struct {
	Why string `json:"why"`
}

func backupMakeCommand() *cobra.Command {
	var in whyArgs
	cmd := &cobra.Command{
		Use:   "make",
		Short: "Propose a backup",
		Long: `Proposes a backup of samd's database. When another officer approves (assent officer
approve), samd writes it into the folder that samd.yaml names: one file, encrypted for
samd's token, so that only a samd with this token can restore it (samd restore FILE). It
is whole when the approval answers. The anchor and the lists beside it are not in it. While
records are sealed anew after a change of the sealing key it is refused
(resealing_unfinished): again when assent status shows one epoch.
` + exitCodes,
		Example: "  assent backup make --why nightly",
		Args:    cobra.NoArgs,
	}
	return proposing(cmd, "backup", &in.Why, func(*cobra.Command, *settings, string, []string) (any, error) { return in, nil })
}

func backupShowCommand() *cobra.Command {
	var as, format string
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Show the last backup since samd started",
		Long:    "Shows name, size and last audit record of the last backup since samd started. Earlier\nones are in the audit chain (backup_made).\n" + exitCodes,
		Example: "  assent backup show\n  assent backup show --as operator -o json",
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
		var st sapclient.Status
		if err := c.Get(cmd.Context(), sapclient.PathStatus, nil, &st); err != nil {
			return err
		}
		return output(cmd.OutOrStdout(), format, st.Backup, func(w io.Writer) error {
			if st.Backup == nil {
				_, err := fmt.Fprintln(w, "no backup since samd started")
				return err
			}
			b := st.Backup
			_, err := fmt.Fprintf(w, "%s  %d octets, up to audit record %d, made %s\n", b.Name, b.Size, b.Seq, unixTime(b.Created))
			return err
		})
	})
	return cmd
}
