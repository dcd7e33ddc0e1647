package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/assent-sign/assent/cmd/assent/internal/caller"
	"github.com/assent-sign/assent/sap/sapclient"
)

func auditSearchCommand() *cobra.Command {
	var since, until, event, who, format string
	var limit int
	cmd := &cobra.Command{
		Use:   "search",
		Short: "Find audit records by date, type and identity",
		Long: `As auditor, asks samd for the records that fit all of what is given. --who is an
identity, of who acted or of the signer whom a record is about; --type is an event, or
the name of an operation that was refused. Every search is recorded itself.
` + exitCodes,
		Example: "  assent audit search --type alarm\n  assent audit search --who anna --since 2026-11-01 --until 2026-12-01",
		Args:    cobra.NoArgs,
	}
	load := dirFlag(cmd)
	outputFlag(cmd, &format)
	cmd.Flags().StringVar(&since, "since", "", "day or time (2026-11-01, 2026-11-01T08:00:00Z): at or after it")
	cmd.Flags().StringVar(&until, "until", "", "before it")
	cmd.Flags().StringVar(&event, "type", "", "type of the record")
	cmd.Flags().StringVar(&who, "who", "", "identity")
	cmd.Flags().IntVar(&limit, "limit", 1000, "at most so many")
	cmd.RunE = action(func(cmd *cobra.Command, _ []string) error {
		q := url.Values{"type": {event}, "identity": {who}}
		for name, text := range map[string]string{"since": since, "until": until} {
			if text == "" {
				continue
			}
			at, err := parseMoment(text)
			if err != nil {
				return missing("--%s %q is no day and no time such as 2026-11-01T08:00:00Z", name, text)
			}
			q.Set(name, at.UTC().Format(time.RFC3339))
		}
		s, err := load()
		if err != nil {
			return err
		}
		c, err := s.auditor()
		if err != nil {
			return err
		}
		defer c.Close()
		list, err := searchAudit(cmd.Context(), c, q, limit)
		if err != nil {
			return err
		}
		return output(cmd.OutOrStdout(), format, list, func(w io.Writer) error { return printRecords(w, list) })
	})
	return cmd
}

// parseMoment reads a day, at its begin in UTC, or a time.
func parseMoment(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, text)
}

// searchAudit fetches page after page.
func searchAudit(ctx context.Context, c *caller.Client, q url.Values, limit int) ([]sapclient.AuditRecord, error) {
	list := []sapclient.AuditRecord{}
	for from := int64(0); from >= 0 && len(list) < limit; {
		q.Set("from", strconv.FormatInt(from, 10))
		q.Set("limit", strconv.Itoa(min(limit-len(list), 500)))
		var out sapclient.AuditOut
		if err := c.Get(ctx, sapclient.PathAudit, q, &out); err != nil {
			return nil, err
		}
		list, from = append(list, out.Records...), out.Next
	}
	return list, nil
}

func printRecords(w io.Writer, list []sapclient.AuditRecord) error {
	for _, r := range list {
		result := r.Outcome
		if r.Reason != "" {
			result += " " + r.Reason
		}
		if _, err := fmt.Fprintf(w, "%d %s %s by %s: %s %s\n", r.Seq, unixTime(r.Time/1000), r.Type, r.Actor, result, r.Data); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d records\n", len(list))
	return err
}
