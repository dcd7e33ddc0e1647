package main

import (
	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/sap/sapclient"
)

func kekCommand() *cobra.Command {
	return group("kek", "Change the key that wraps signers' keys, by two officers",
		"  assent kek rotate --why yearly\n  assent kek destroy assent-kek --why yearly", kekRotateCommand(), kekDestroyCommand())
}

func kekRotateCommand() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Propose the next wrapping key",
		Long: `Proposes that the token makes its next wrapping key, and that every signer's key is
wrapped anew under it, inside the token, while samd serves. When another officer approves
(assent officer approve), it is done when the approval answers; one that was interrupted is
finished by the next start, or by the same decision again; until then samd makes no backup
(rewrapping_unfinished). The old wrapping key stays until assent kek destroy. A PKCS #11 module that does not let keys be wrapped anew refuses, before
anything is made; samd's log says what it objected to.
` + exitCodes,
		Example: "  assent kek rotate --why yearly",
		Args:    cobra.NoArgs,
	}
	return proposing(cmd, "kek_rotate", &why, func(cmd *cobra.Command, s *settings, as string, _ []string) (any, error) {
		c, err := s.as(as)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		var st sapclient.Status
		err = c.Get(cmd.Context(), sapclient.PathStatus, nil, &st)
		return map[string]string{"from": st.KEK, "why": why}, err
	})
}

func kekDestroyCommand() *cobra.Command {
	var (
		why     string
		without bool
	)
	cmd := &cobra.Command{
		Use:   "destroy KEK",
		Short: "Propose the end of an old wrapping key",
		Long: `Proposes to destroy a wrapping key under which no key of the database is any more. Backups
of before the rotation cannot be used afterwards: the keys in them do not open. samd refuses
(backup_needed) unless the last backup of its audit chain was made with the keys in use; it
does not know whether that file is still there: look, before you propose it and before you
approve it. With --without-backup it is done all the same.
` + exitCodes,
		Example: "  assent kek destroy assent-kek --why yearly",
		Args:    cobra.ExactArgs(1),
	}
	cmd = proposing(cmd, "kek_destroy", &why, func(_ *cobra.Command, _ *settings, _ string, args []string) (any, error) {
		return ending("kek", args[0], why, without), nil
	})
	withoutBackupFlag(cmd, &without)
	return cmd
}
