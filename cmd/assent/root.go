package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

const exitCodes = `
Exit codes: 0 it worked; 1 failed or refused; 2 wrong command line or something
needed is missing; 3 a signature, receipt or audit chain does not hold.`

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "assent",
		Short:         "Remote signing under the signer's sole control",
		Long:          "Assent signs documents with keys that only their owner's approval can use.\n" + exitCodes,
		Example:       "  assent demo\n  assent verify contract-signed.pdf --trust root.pem",
		SilenceErrors: true, SilenceUsage: true,
		Version: version(),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		initCommand(), ceremonyCommand(), roleCommand(), officerCommand(), policyCommand(), backupCommand(), restoreCommand(), kekCommand(), statementKeyCommand(), sealKeyCommand(), tokenCommand(), statusCommand(), signerCommand(), credentialCommand(), certCommand(), demoCACommand(),
		signCommand(), workerCommand(), demoCommand(), runCommand(),
		verifyCommand(), extendCommand(), receiptCommand(), auditCommand(), explainCommand(), lockoutCommand(), conformanceCommand(), samdCommand(),
	)
	return root
}

// action turns a function into cobra's form; what it returns ends in an exit code.
func action(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error { return failed(f(cmd, args)) }
}

// output prints v as JSON when asked for, else in words.
func output(w io.Writer, format string, v any, words func(io.Writer) error) error {
	switch format {
	case "", "text":
		return words(w)
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	return &exitError{exitUsage, fmt.Errorf("output %q: want text or json", format)}
}

func outputFlag(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVarP(format, "output", "o", "text", "text or json")
}

// group is a command that only holds others.
func group(use, short, example string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: short + ".\n" + exitCodes, Example: example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(children...)
	return c
}

// version is the module's version as the Go toolchain knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version
}
