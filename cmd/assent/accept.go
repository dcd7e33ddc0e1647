package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap/sapclient"
)

func policyCommand() *cobra.Command {
	return group("policy", "Accept a changed configuration of samd, by two officers",
		"  assent policy show\n  assent policy accept --why \"new signing host, change 2031\"",
		waitingCommand("policy", "Show what a changed configuration changes", "Shows which settings differ from the configuration that two officers accepted last, and\nwhich of them ask for less."),
		acceptCommand("policy", "Propose to accept the configuration that samd was started with",
			`samd stays closed after its configuration was changed, until two officers accept it.
Read what changes first (assent policy show). Another officer approves (assent officer
approve); what is accepted goes on record, whole and sealed.`,
			`  assent policy accept --why "new signing host, change 2031"`))
}

func restoreCommand() *cobra.Command {
	return group("restore", "Accept a restored database of samd, by two officers",
		"  assent restore show\n  assent restore accept --why \"disk of host 2 failed\"",
		waitingCommand("restore", "Show what samd found of an older database", "Shows how much older the database is than what samd's anchor knows, and what is lost."),
		acceptCommand("restore", "Propose to accept the older database",
			`samd stays closed with a database that is older than its anchor, until two officers
accept it. Another officer approves (assent officer approve). A new epoch begins: what
was asked for, approved, proposed or opened before is void. Destroyed keys stay
destroyed, lockouts locked, revoked officers revoked. When the anchor or a list beside
it is lost, name each with --lost, as assent restore show does: what happened after the
backup is then unknown, and every authenticator has one failure left until it locks.`,
			"  assent restore accept --why \"disk of host 2 failed\"\n  assent restore accept --lost anchor --lost failures --why \"host 2 burnt\""))
}

// waiting asks samd what it waits for.
func (s *settings) waiting(cmd *cobra.Command, as, kind string) (*sapclient.Waiting, error) {
	c, err := s.as(as)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var st sapclient.Status
	if err := c.Get(cmd.Context(), sapclient.PathStatus, nil, &st); err != nil {
		return nil, err
	}
	for _, w := range st.Waiting {
		if w.Kind == kind {
			return &w, nil
		}
	}
	return nil, fmt.Errorf("samd does not wait for the decision %s: nothing is to be accepted", kind)
}

func waitingCommand(kind, short, long string) *cobra.Command {
	var as, format string
	cmd := &cobra.Command{
		Use: "show", Short: short, Long: long + "\n" + exitCodes,
		Example: "  assent " + kind + " show\n  assent " + kind + " show --as auditor -o json",
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
		found, err := s.waiting(cmd, as, kind)
		if err != nil {
			return err
		}
		return output(cmd.OutOrStdout(), format, found, func(w io.Writer) error { return printWaiting(w, found) })
	})
	return cmd
}

func printWaiting(w io.Writer, found *sapclient.Waiting) error {
	if _, err := fmt.Fprintf(w, "%s\n", found.Why); err != nil {
		return err
	}
	for _, c := range found.Changes {
		note := ""
		if c.Weaker {
			note = "  (weaker)"
		}
		if _, err := fmt.Fprintf(w, "  %-32s %q -> %q%s\n", c.Name, c.Before, c.After, note); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "the proposal: %s\n", found.Args)
	return err
}

func acceptCommand(kind, short, long, example string) *cobra.Command {
	var as, why string
	var lost []string
	cmd := &cobra.Command{
		Use: "accept", Short: short, Long: long + "\n" + exitCodes, Example: example,
		Args: cobra.NoArgs,
	}
	load := dirFlag(cmd)
	asFlag(cmd, &as, "officer")
	cmd.Flags().StringVar(&why, "why", "", "reason, for the audit record")
	_ = cmd.MarkFlagRequired("why")
	if kind == "restore" {
		cmd.Flags().StringArrayVar(&lost, "lost", nil, "acknowledge what is lost beside the database: anchor, tombstones, failures")
	}
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		found, err := s.waiting(cmd, as, kind)
		if err != nil {
			return err
		}
		if err := printWaiting(cmd.ErrOrStderr(), found); err != nil {
			return err
		}
		var args map[string]any
		if err := json.Unmarshal(found.Args, &args); err != nil {
			return err
		}
		args["why"] = why
		if kind == "restore" { // in the officer's own words, not in samd's
			args["lost"] = append([]string{}, lost...)
		}
		text, err := json.Marshal(args)
		if err != nil {
			return err
		}
		if text, err = jcs.Transform(text); err != nil {
			return err
		}
		return s.propose(cmd, as, kind, text)
	})
	return cmd
}
