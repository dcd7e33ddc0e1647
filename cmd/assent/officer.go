package main

import (
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap/sapclient"
)

// maxArgsFile bounds a file with a decision's arguments, in octets.
const maxArgsFile = 64 << 10

func officerCommand() *cobra.Command {
	return group("officer", "Decide by two officers what nobody decides alone",
		"  assent officer proposals\n  assent officer approve d-4f1c... --as second_officer",
		proposeCommand(), decideCommand("approve", sapclient.PathApprove, "Agree as the second officer: the act happens",
			`Agrees to another officer's proposal. Read it first (assent officer proposals): the
act happens in this moment. Nobody can approve an own proposal, nor one of the same
person under another name.`),
		decideCommand("withdraw", sapclient.PathWithdraw, "End a proposal", "Ends a proposal before it was approved. One officer is enough to stop."),
		proposalsCommand())
}

// asFlag chooses which of the identities of assent.yaml speaks.
func asFlag(cmd *cobra.Command, as *string, def string) {
	cmd.Flags().StringVar(as, "as", def, "identity of assent.yaml: officer, second_officer, auditor, administrator, operator, ra")
}

func proposeCommand() *cobra.Command {
	var as, file string
	cmd := &cobra.Command{
		Use:   "propose KIND [ARGS]",
		Short: "Propose an act as the first officer",
		Long: `Proposes an act that needs two officers, with its arguments as a JSON object. Prints
the proposal's id, which the second officer approves within 24 hours. Kinds and their
arguments are in docs/operators.md.
` + exitCodes,
		Example: `  assent officer propose raw_permission '{"key":"k-71ab...","raw":true}'`,
		Args:    cobra.RangeArgs(1, 2),
	}
	load := dirFlag(cmd)
	asFlag(cmd, &as, "officer")
	cmd.Flags().StringVar(&file, "args", "", "file with the arguments, in place of ARGS")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		if (len(args) == 2) == (file != "") {
			return missing("give ARGS or --args FILE, one of them")
		}
		s, err := load()
		if err != nil {
			return err
		}
		var text []byte
		if file != "" {
			if text, err = readBounded(file, maxArgsFile); err != nil {
				return err
			}
		} else {
			text = []byte(args[1])
		}
		// One form: what both officers read is what happens.
		if text, err = jcs.Transform(text); err != nil {
			return missing("arguments: %w", err)
		}
		return s.propose(cmd, as, args[0], text)
	})
	return cmd
}

// proposing gives cmd the flags --dir, --as and --why and has it propose a decision:
// argument makes its argument, with the officer's settings and the words of the line.
func proposing(cmd *cobra.Command, kind string, why *string, argument func(cmd *cobra.Command, s *settings, as string, args []string) (any, error)) *cobra.Command {
	var as string
	load := dirFlag(cmd)
	asFlag(cmd, &as, "officer")
	cmd.Flags().StringVar(why, "why", "", "reason; it goes into the audit record")
	_ = cmd.MarkFlagRequired("why")
	cmd.RunE = action(func(cmd *cobra.Command, args []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		in, err := argument(cmd, s, as, args)
		if err != nil {
			return err
		}
		text, err := jcs.Marshal(in)
		if err != nil {
			return err
		}
		return s.propose(cmd, as, kind, text)
	})
	return cmd
}

// propose sends a proposal and prints its id alone, for scripts, with the words
// about it beside.
func (s *settings) propose(cmd *cobra.Command, as, kind string, args []byte) error {
	c, err := s.as(as)
	if err != nil {
		return err
	}
	defer c.Close()
	var p sapclient.Proposal
	if err := c.Post(cmd.Context(), sapclient.PathDecisions, sapclient.ProposeIn{Kind: kind, Args: args}, &p); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "proposed: %s %s\nanother officer approves until %s: assent officer approve %s\n", p.Kind, p.Args, unixTime(p.Expires), p.ID)
	_, err = fmt.Fprintln(cmd.OutOrStdout(), p.ID)
	return err
}

func decideCommand(verb, path, short, long string) *cobra.Command {
	var as string
	cmd := &cobra.Command{
		Use: verb + " ID", Short: short, Long: long + "\n" + exitCodes,
		Example: "  assent officer " + verb + " d-4f1c... --as second_officer",
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
		var p sapclient.Proposal
		if err := c.Post(cmd.Context(), path, sapclient.ProposalIn{ID: args[0]}, &p); err != nil {
			return err
		}
		return printProposal(cmd.OutOrStdout(), p)
	})
	return cmd
}

func printProposal(w io.Writer, p sapclient.Proposal) error {
	second := ""
	if p.Second != "" {
		second = ", then " + p.Second
	}
	_, err := fmt.Fprintf(w, "%s  %-9s  %s %s\n  by %s (%s)%s; until %s; record %d\n", p.ID, p.State, p.Kind, p.Args, p.By, p.Person, second, unixTime(p.Expires), p.AuditSeq)
	return err
}

func proposalsCommand() *cobra.Command {
	var as, state, format string
	cmd := &cobra.Command{
		Use:     "proposals",
		Short:   "List proposals, the youngest first",
		Long:    "Lists what was proposed, by whom, and what became of it.\n" + exitCodes,
		Example: "  assent officer proposals --state pending\n  assent officer proposals --as auditor -o json",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	outputFlag(cmd, &format)
	asFlag(cmd, &as, "officer")
	cmd.Flags().StringVar(&state, "state", "", "pending, approved, withdrawn or expired; all when not given")
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
		var out sapclient.ProposalsOut
		if err := c.Get(cmd.Context(), sapclient.PathDecisions, url.Values{"state": {state}}, &out); err != nil {
			return err
		}
		return output(cmd.OutOrStdout(), format, out, func(w io.Writer) error {
			for _, p := range out.Proposals {
				if err := printProposal(w, p); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return cmd
}
