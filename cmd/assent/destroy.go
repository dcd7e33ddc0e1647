package main

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/sap/sapclient"
)

// stateDestroyed is the state of a key that is gone.
const stateDestroyed = "destroyed"

func credentialStatusCommand() *cobra.Command {
	var in sapclient.KeyStatusIn
	var as string
	cmd := &cobra.Command{
		Use:   "status --key KEY --set on_hold|good|revoked --why TEXT",
		Short: "Stop a key at once, or let it be used again",
		Long: `Tells the module what the CA says of the key's certificate; it counts before the next use
of the key, and open requests of its signer are void. One officer is enough.

  on_hold  the key cannot be used until the hold is lifted; this is what to do in an emergency
  good     lifts a hold
  revoked  the key cannot be used any more, for ever; it waits for its destruction
           (assent credential destroy), which takes two officers
` + exitCodes,
		Example: "  assent credential status --key k-71ab... --set on_hold --why \"laptop stolen\"",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	asFlag(cmd, &as, "officer")
	f := cmd.Flags()
	f.StringVar(&in.Key, "key", "", "key id")
	f.StringVar(&in.Status, "set", "", "on_hold, good or revoked")
	f.StringVar(&in.Why, "why", "", "reason; it goes into the audit record")
	for _, name := range []string{"key", "set", "why"} {
		_ = cmd.MarkFlagRequired(name)
	}
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
		var out sapclient.Credential
		if err := c.Post(cmd.Context(), sapclient.PathKeyStatus, in, &out); err != nil {
			return err
		}
		if in.Status == "revoked" {
			fmt.Fprintf(cmd.ErrOrStderr(), "two officers destroy it: assent credential destroy --key %s --why ...\n", out.Key)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "key %s of %s is %s\n", out.Key, out.Signer, out.State)
		return err
	})
	return cmd
}

func credentialDestroyCommand() *cobra.Command {
	var key, why string
	cmd := &cobra.Command{
		Use:   "destroy --key KEY --why TEXT",
		Short: "Propose to destroy a key for ever",
		Long: `Shows the key, and proposes as the first officer to destroy it. When another officer
approves (assent officer approve), the wrapped key is deleted from the module in that
moment; signatures made with it stay valid. The proposal names signer and certificate,
and counts only while they are so. To stop a key at once takes one officer: assent
credential status.
` + exitCodes,
		Example: "  assent credential destroy --key k-71ab... --why \"certificate revoked\"",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&key, "key", "", "key id")
	_ = cmd.MarkFlagRequired("key")
	return proposing(cmd, sapclient.KindDestroy, &why, func(cmd *cobra.Command, s *settings, as string, _ []string) (any, error) {
		list, err := s.keys(cmd, as, url.Values{"key": {key}})
		if err != nil {
			return nil, err
		}
		return list[0].Destruction(why), nil
	})
}

// keys fetches keys and shows them beside the answer; there is at least one when
// the query names one.
func (s *settings) keys(cmd *cobra.Command, as string, query url.Values) ([]sapclient.Credential, error) {
	c, err := s.as(as)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var out sapclient.CredentialsOut
	if err := c.Get(cmd.Context(), sapclient.PathCredentials, query, &out); err != nil {
		return nil, err
	}
	if query.Has("key") && len(out.Credentials) != 1 {
		return nil, fmt.Errorf("samd names %d keys", len(out.Credentials))
	}
	return out.Credentials, printCredentials(cmd.ErrOrStderr(), out.Credentials)
}

func signerEndCommand() *cobra.Command {
	in := sapclient.EndSigner{Keys: []string{}}
	cmd := &cobra.Command{
		Use:   "end ID --cause signer_request|last_authenticator_lost --why TEXT",
		Short: "Propose to destroy all keys of a signer",
		Long: `Shows the signer's keys, and proposes as the first officer to destroy all of them: because
the signer asks for it, or because the last authenticator is lost. Another officer
approves (assent officer approve). The proposal names the keys, and counts only while
these are the signer's keys.
` + exitCodes,
		Example: "  assent signer end anna --cause signer_request --why \"letter of 2 May\"",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&in.Cause, "cause", "signer_request", "signer_request or last_authenticator_lost")
	return proposing(cmd, sapclient.KindEndSigner, &in.Why, func(cmd *cobra.Command, s *settings, as string, args []string) (any, error) {
		in.Signer = args[0]
		list, err := s.keys(cmd, as, url.Values{"signer": {in.Signer}})
		for _, k := range list {
			if k.State != stateDestroyed {
				in.Keys = append(in.Keys, k.Key)
			}
		}
		slices.Sort(in.Keys)
		return in, err
	})
}
