package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/conformance/matrix"
)

func conformanceCommand() *cobra.Command {
	return group("conformance", "Hold the requirement matrix against a run of the tests",
		"  assent conformance report --results run.jsonl --out report",
		conformanceReportCommand(), conformancePackagesCommand())
}

// table is where the matrix stands in the source tree.
var table = filepath.Join("conformance", "requirements.tsv")

func readTable(root string) ([]*matrix.Row, error) {
	f, err := os.Open(filepath.Join(root, table))
	if err != nil {
		return nil, missing("run it in the source tree, or give --root: %w", err)
	}
	defer func() { _ = f.Close() }()
	return matrix.Read(f)
}

// conformanceFlags are those of "assent conformance report".
type conformanceFlags struct {
	root, out string
	results   []string
	anySkip   bool
}

func conformanceReportCommand() *cobra.Command {
	var in conformanceFlags
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Say which requirements a run of the tests proved",
		Long: `Reads the requirement matrix (conformance/requirements.tsv), what "go test -json"
wrote in a run, and the sources. A row that is marked proven is proven only when
every test that it names ran and passed, nothing below it was skipped, and the code
that it names cites it. Prints the counts; with --out writes index.html, one page,
and requirements.tsv. A row that is marked proven and is not is a failure.
` + exitCodes,
		Example: "  go test -json ./... > run.jsonl\n  assent conformance report --results run.jsonl --out report",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringArrayVar(&in.results, "results", nil, "output of go test -json; may be given again")
	cmd.Flags().StringVar(&in.out, "out", "", "folder for the report")
	cmd.Flags().StringVar(&in.root, "root", ".", "root of the source tree")
	cmd.Flags().BoolVar(&in.anySkip, "any-skip", false, "a row whose only fault is a skipped test is no failure: for developers' machines")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		if len(in.results) == 0 {
			return missing("give --results, the output of go test -json")
		}
		return in.report(cmd.Context(), cmd.OutOrStdout())
	})
	return cmd
}

func (in *conformanceFlags) report(ctx context.Context, out io.Writer) error {
	rows, err := readTable(in.root)
	if err != nil {
		return err
	}
	results := matrix.NewResults()
	for _, path := range in.results {
		if err := readResults(results, path); err != nil {
			return err
		}
	}
	verdicts, err := matrix.Judge(rows, matrix.NewSource(in.root), results)
	if err != nil {
		return err
	}
	r := &matrix.Report{Rows: verdicts, Results: results, Revision: revision(ctx, in.root)}
	if in.out != "" {
		if err := in.write(r); err != nil {
			return err
		}
	}
	if err := r.Words(out); err != nil {
		return err
	}
	wrong := matrix.Wrong(verdicts)
	if in.anySkip {
		wrong = slices.DeleteFunc(wrong, (*matrix.Verdict).OnlySkipped)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d requirements are not what the matrix says", len(wrong))
	}
	return nil
}

func readResults(results *matrix.Results, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return missing("--results: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := results.Read(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (in *conformanceFlags) write(r *matrix.Report) error {
	if err := os.MkdirAll(in.out, 0o755); err != nil {
		return err
	}
	from, err := filepath.Abs(in.out)
	if err != nil {
		return err
	}
	root, err := filepath.Abs(in.root)
	if err != nil {
		return err
	}
	if up, err := filepath.Rel(from, root); err == nil {
		r.Up = filepath.ToSlash(up)
	}
	for name, write := range map[string]func(io.Writer) error{"index.html": r.HTML, "requirements.tsv": r.TSV} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(in.out, name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// revision names the sources, when they are a git work tree.
func revision(ctx context.Context, root string) string {
	head, err := exec.CommandContext(ctx, "git", "-C", root, "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	changed, err := exec.CommandContext(ctx, "git", "-C", root, "status", "--porcelain").Output()
	if err != nil {
		return ""
	}
	r := strings.TrimSpace(string(head))
	if len(changed) > 0 {
		r += " with changes"
	}
	return r
}

func conformancePackagesCommand() *cobra.Command {
	var root string
	cmd := &cobra.Command{
		Use:     "packages",
		Short:   "List the packages whose tests the matrix names",
		Long:    "Prints one package a line, for go test; those below conformance are left out.\n" + exitCodes,
		Example: "  go test -json $(assent conformance packages) > run.jsonl",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().StringVar(&root, "root", ".", "root of the source tree")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		rows, err := readTable(root)
		if err != nil {
			return err
		}
		var names []string
		for _, r := range rows {
			for _, t := range r.Tests {
				if t.Package != "conformance" && !strings.HasPrefix(t.Package, "conformance/") {
					names = append(names, "./"+t.Package)
				}
			}
		}
		slices.Sort(names)
		if len(names) == 0 {
			return errors.New("the matrix names no tests")
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.Join(slices.Compact(names), "\n"))
		return err
	})
	return cmd
}
