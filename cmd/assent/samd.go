package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/sap/sapclient"
)

func samdCommand() *cobra.Command {
	return group("samd", "Test the module, and open it after a failure",
		"  assent samd selftest\n  assent samd reopen --why \"token replaced\"",
		samdSelfTestCommand(), samdReopenCommand())
}

func samdSelfTestCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "selftest",
		Short: "Run all self-tests of samd now",
		Long: `As officer. When a test fails, samd closes: no key is used until an officer opens it
(assent samd reopen). The result is in the audit chain and in assent status.
` + exitCodes,
		Example: "  assent samd selftest",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	outputFlag(cmd, &format)
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		return postSelfTest(cmd, load, format, sapclient.PathSelfTest, struct{}{})
	})
	return cmd
}

func samdReopenCommand() *cobra.Command {
	var format string
	var in sapclient.ReopenIn
	cmd := &cobra.Command{
		Use:   "reopen",
		Short: "Open samd again after a failure",
		Long: `As officer, after you know what failed and that it is repaired. All self-tests run
first; when one fails, samd stays closed. Approvals given before the failure are void.
` + exitCodes,
		Example: "  assent samd reopen --why \"token replaced, cause known\"",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	outputFlag(cmd, &format)
	cmd.Flags().StringVar(&in.Why, "why", "", "why it is safe; goes into the audit record")
	_ = cmd.MarkFlagRequired("why")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		return postSelfTest(cmd, load, format, sapclient.PathReopen, in)
	})
	return cmd
}

// postSelfTest posts to a route that answers with a self-test, prints it and
// fails when a test did.
func postSelfTest(cmd *cobra.Command, load func() (*settings, error), format, path string, in any) error {
	s, err := load()
	if err != nil {
		return err
	}
	officer, err := s.officer()
	if err != nil {
		return err
	}
	defer officer.Close()
	var out sapclient.SelfTest
	if err := officer.Post(cmd.Context(), path, in, &out); err != nil {
		return err
	}
	failures := 0
	for _, r := range out.Results {
		if !r.OK {
			failures++
		}
	}
	err = output(cmd.OutOrStdout(), format, out, func(w io.Writer) error {
		for _, r := range out.Results {
			word := "ok    "
			if !r.OK {
				word = "FAILED"
			}
			if _, err := fmt.Fprintf(w, "%s %-15s %s\n", word, r.Name, r.Shows); err != nil {
				return err
			}
			if r.Detail != "" {
				if _, err := fmt.Fprintf(w, "       %s\n", r.Detail); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil && failures > 0 {
		err = fmt.Errorf("%d self-tests failed: samd is closed", failures)
	}
	return err
}
