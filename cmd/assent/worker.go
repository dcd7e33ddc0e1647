package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"time"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/procs"
	"github.com/assent-sign/assent/internal/config"
	"github.com/assent-sign/assent/workers"
)

func workerCommand() *cobra.Command {
	return group("worker", "See and check ssad's workers", "  assent worker list\n  assent worker check ssad/ssad.yaml",
		workerListCommand(), workerCheckCommand())
}

func workerListCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the workers of the running ssad",
		Long:    "Asks ssad's admin listener which workers are configured and what they need.\n" + exitCodes,
		Example: "  assent worker list -o json",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	outputFlag(cmd, &format)
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		s, err := load()
		if err != nil {
			return err
		}
		var out struct {
			Workers []workers.Info `json:"workers"`
		}
		if err := s.adminGet(cmd.Context(), "/admin/v1/workers", &out); err != nil {
			return err
		}
		return output(cmd.OutOrStdout(), format, out.Workers, func(w io.Writer) error {
			for _, wk := range out.Workers {
				who := "token " + wk.Token + ", signs at once"
				switch {
				case wk.Activation:
					who = "token " + wk.Token + ", signs when the signer approves"
				case wk.Token == "":
					who = "no key"
				}
				fmt.Fprintf(w, "%-12s %-9s %s%s\n", wk.Name, wk.Kind, who, propertyWords(wk.Properties))
			}
			return nil
		})
	})
	return cmd
}

func propertyWords(p map[string]string) string {
	names := make([]string, 0, len(p))
	for n := range p {
		names = append(names, n)
	}
	sort.Strings(names)
	s := ""
	for _, n := range names {
		s += fmt.Sprintf(", %s %s", n, p[n])
	}
	return s
}

// workerCheckCommand lets ssad itself read the file: a second reader of the
// configuration here could be of another opinion.
func workerCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check SSAD.YAML",
		Short:   "Check ssad's configuration before it is used",
		Long:    "Has ssad read the configuration file and say what is wrong with it; nothing is started.\n" + exitCodes,
		Example: "  assent worker check ssad/ssad.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: action(func(cmd *cobra.Command, args []string) error {
			g, err := procs.New(os.TempDir())
			if err != nil {
				return err
			}
			program, err := g.Find("ssad")
			if err != nil {
				return missing("%w", err)
			}
			path, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			run := exec.CommandContext(cmd.Context(), program, "-config", path, "-check")
			run.Stdout, run.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			err = run.Run()
			var ended *exec.ExitError
			if errors.As(err, &ended) && ended.ExitCode() == exitUsage {
				return &exitError{exitUsage, nil} // the file is wrong or missing; ssad has said why
			}
			return err
		}),
	}
	return cmd
}

// adminGet reads from ssad's admin listener.
func (s *settings) adminGet(ctx context.Context, path string, out any) error {
	token, err := config.ReadSecret(s.path(s.AdminToken))
	if err != nil {
		return err
	}
	defer token.Wipe()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Admin+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+string(token.Reveal()))
	res, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return fmt.Errorf("ssad's admin listener at %s: %w", s.Admin, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("ssad's admin listener: %s: %.200s", res.Status, text)
	}
	return json.Unmarshal(text, out)
}
