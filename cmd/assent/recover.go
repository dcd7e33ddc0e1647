package main

import (
	"crypto/rand"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/proof"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/sap/sapclient"
)

func signerRevokeCommand() *cobra.Command {
	var in sapclient.AuthRevokeIn
	var as string
	cmd := &cobra.Command{
		Use:   "revoke ID CREDENTIAL",
		Short: "Take a signing passkey away at once: lost, copied or not the signer's",
		Long: `Removes one signing passkey of a signer, as an officer. It takes effect at once and only
takes power away. The signer is told in the notices. With the last one gone, nobody can
approve with the signer's keys; recovery (assent signer recover) brings the person back.
` + exitCodes,
		Example: "  assent signer revoke anna pGk3... --why \"lost on a journey\"",
		Args:    cobra.ExactArgs(2),
	}
	load := dirFlag(cmd)
	asFlag(cmd, &as, "officer")
	cmd.Flags().StringVar(&in.Why, "why", "", "reason; it goes into the audit record")
	_ = cmd.MarkFlagRequired("why")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		c, err := s.as(as)
		if err != nil {
			return err
		}
		defer c.Close()
		in.Signer, in.Credential = args[0], args[1]
		if err := c.Post(cmd.Context(), sapclient.PathAuthRevoke, in, nil); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "passkey %s of %s is revoked\n", in.Credential, in.Signer)
		return err
	})
	return cmd
}

func signerRecoverCommand() *cobra.Command {
	var in sapclient.Recovery
	cmd := &cobra.Command{
		Use:   "recover ID",
		Short: "Propose that a signer without a passkey may enrol a new one",
		Long: `Proposes, as the first officer, the recovery of a signer who has no signing passkey any
more and whose identity was proofed again. Another officer approves (assent officer
approve): in that moment the signer's keys are destroyed. Then each of the two
fetches one half of the code (assent signer half). A passkey that is lost and still
known is revoked first (assent signer revoke).
` + exitCodes,
		Example: "  assent signer recover anna --name \"Anna Demo\" --proof file-2026-201 --why \"came in person\"",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&in.Name, "name", "", "name as proofed now; it must be the recorded one")
	cmd.Flags().StringVar(&in.Proof, "proof", "", "reference of the new record of identity proofing")
	_ = cmd.MarkFlagRequired("name")
	_ = cmd.MarkFlagRequired("proof")
	return proposing(cmd, sapclient.KindRecovery, &in.Why, func(_ *cobra.Command, _ *settings, _ string, args []string) (any, error) {
		in.Signer = args[0]
		return in, nil
	})
}

func signerHalfCommand() *cobra.Command {
	var as string
	cmd := &cobra.Command{
		Use:   "half ID",
		Short: "Fetch your half of a recovery code, once",
		Long: `Prints the half of the code that belongs to the calling officer, once, after the
recovery was approved. Give it to the proofed person by a way of your own: not through
the application, and not through the other officer. The person opens the link and
enters both halves.
` + exitCodes,
		Example: "  assent signer half anna\n  assent signer half anna --as second_officer",
		Args:    cobra.ExactArgs(1),
	}
	load := dirFlag(cmd)
	asFlag(cmd, &as, "officer")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		c, err := s.as(as)
		if err != nil {
			return err
		}
		defer c.Close()
		var h sapclient.HalfOut
		if err := c.Post(cmd.Context(), sapclient.PathHalf, sapclient.HalfIn{Signer: args[0]}, &h); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "half %d of the code for %s (until %s):\n  %s\nthe page where both are entered:\n  %s/enrol#id=%s&halves=1\n",
			h.No, h.Signer, unixTime(h.Expires), h.Half, s.SigningOrigin, h.ID)
		return err
	})
	return cmd
}

func signerNoticesCommand() *cobra.Command {
	var as, format string
	cmd := &cobra.Command{
		Use:     "notices ID",
		Short:   "Show what was done to a signer's passkeys, as the module tells the signer",
		Long:    "Asks the module for its signed list of a signer's passkeys and notices, and verifies it.\n" + exitCodes,
		Example: "  assent signer notices anna -o json",
		Args:    cobra.ExactArgs(1),
	}
	load := dirFlag(cmd)
	asFlag(cmd, &as, "officer")
	outputFlag(cmd, &format)
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		list, err := s.notices(cmd, as, args[0])
		if err != nil {
			return err
		}
		return output(cmd.OutOrStdout(), format, list, func(w io.Writer) error {
			for _, a := range list.Authenticators {
				state := "cannot approve now"
				if a.Usable {
					state = "can approve"
				}
				fmt.Fprintf(w, "passkey %s, by %s, since %s: %s\n", a.Credential, a.Via, unixTime(a.Created), state)
			}
			for _, n := range list.Notices {
				fmt.Fprintf(w, "%s  %s %s (record %d)\n", unixTime(n.Created), n.Kind, n.Credential, n.Seq)
			}
			return nil
		})
	})
	return cmd
}

// notices fetches all pages of the list, each with a fresh nonce.
func (s *settings) notices(cmd *cobra.Command, as, signer string) (*sap.AuthenticatorList, error) {
	c, err := s.as(as)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	info, err := s.info(cmd.Context())
	if err != nil {
		return nil, err
	}
	key, err := proof.ReadSAMKey(info.StatementKey)
	if err != nil {
		return nil, err
	}
	var all []sap.NoticeEntry
	for after := int64(0); ; {
		raw := make([]byte, sap.NonceLen)
		if _, err := rand.Read(raw); err != nil {
			return nil, err
		}
		nonce := sap.B64(raw)
		var out sapclient.AuthListOut
		if err := c.Post(cmd.Context(), sapclient.PathAuthList, sapclient.AuthListIn{Signer: signer, Nonce: nonce, After: after}, &out); err != nil {
			return nil, err
		}
		list, err := sap.OpenAuthenticatorList(key, out.List, nonce)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Notices...)
		if !list.More || len(list.Notices) == 0 {
			list.After, list.Notices = 0, all
			return list, nil
		}
		after = list.Notices[len(list.Notices)-1].Seq
	}
}
