package main

import (
	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap/sapclient"
)

func kekCommand() *cobra.Command {
	return group("kek", "Change the key that wraps signers' keys, by two officers",
		"  assent kek rotate --why yearly\n  assent kek destroy assent-kek --why yearly", kekRotateCommand(), kekDestroyCommand())
}

func kekRotateCommand() *cobra.Command {
	var as, why string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Propose the next wrapping key",
		Long: `Proposes that the token makes its next wrapping key, and that every signer's key is
wrapped anew under it, inside the token, while samd serves. When another officer approves
(assent officer approve), it is done when the approval answers; one that was interrupted is
finished by the next start, or by the same decision again. The old wrapping key stays until
assent kek destroy. A PKCS #11 module that does not let keys be wrapped anew refuses, before
anything is made; samd's log says what it objected to.
` + exitCodes,
		Example: "  assent kek rotate --why yearly",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	asFlag(cmd, &as, "officer")
	cmd.Flags().StringVar(&why, "why", "", "reason, for the audit record")
	_ = cmd.MarkFlagRequired("why")
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
		text, err := jcs.Marshal(map[string]string{"from": st.KEK, "why": why})
		if err != nil {
			return err
		}
		return s.propose(cmd, as, "kek_rotate", text)
	})
	return cmd
}

func kekDestroyCommand() *cobra.Command {
	var as, why string
	cmd := &cobra.Command{
		Use:   "destroy KEK",
		Short: "Propose the end of an old wrapping key",
		Long: `Proposes to destroy a wrapping key under which no key of the database is any more. Backups
of before the rotation cannot be used afterwards: the keys in them do not open. Make a new
backup first.
` + exitCodes,
		Example: "  assent kek destroy assent-kek --why yearly",
		Args:    cobra.ExactArgs(1),
	}
	load := dirFlag(cmd)
	asFlag(cmd, &as, "officer")
	cmd.Flags().StringVar(&why, "why", "", "reason, for the audit record")
	_ = cmd.MarkFlagRequired("why")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		text, err := jcs.Marshal(map[string]string{"kek": args[0], "why": why})
		if err != nil {
			return err
		}
		return s.propose(cmd, as, "kek_destroy", text)
	})
	return cmd
}
