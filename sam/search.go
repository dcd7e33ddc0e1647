package sam

import (
	"context"
	"fmt"
	"time"

	"github.com/assent-sign/assent/internal/audit"
	"github.com/assent-sign/assent/sap"
)

// Found is a page of a search.
type Found struct {
	Records []audit.Record
	Next    int64 // where the search goes on; -1 at the end
}

// searchSpan is how many records one page of a search looks at, so that it ends
// soon whatever it looks for.
const searchSpan = 200_000

// SearchAudit returns the records from a number on that fit a query, at most limit
// (auditor, AUD-07). A page may be empty and not be the last: Next says whether
// there is more. Each page is a read and recorded as one, with what was looked for.
func (m *Module) SearchAudit(ctx context.Context, c Caller, q AuditQuery, from int64, limit int) (*Found, error) {
	if err := m.admit(ctx, c, OpAudit); err != nil {
		return nil, err
	}
	err := q.check(from, limit)
	if err == nil {
		err = m.update(ctx, c, func(w *work) error {
			_, err := w.log(EventAuditRead, audit.OK, "", q.data(from, limit))
			return err
		})
	}
	out := &Found{}
	if err == nil {
		err = m.view(ctx, func(tx *Tx) error {
			head, err := tx.Audit.Last()
			if err != nil {
				return err
			}
			to := from + searchSpan
			if out.Records, err = tx.AuditSearch.Find(q, from, to, limit); err != nil {
				return err
			}
			out.Next = to
			if len(out.Records) == limit {
				out.Next = out.Records[limit-1].Seq + 1
			}
			if out.Next > head.Seq {
				out.Next = -1
			}
			return nil
		})
	}
	if err != nil {
		return nil, m.refuse(ctx, c, string(OpAudit), err, audit.Data{})
	}
	return out, nil
}

// maxSearchText bounds what is looked for.
const maxSearchText = 160

func (q AuditQuery) check(from int64, limit int) error {
	switch {
	case from < 0 || from > 1<<53 || limit < 1 || limit > MaxAuditPage:
		return fmt.Errorf("%w: from, and a limit of 1 to %d", sap.ReasonInvalid, MaxAuditPage)
	case len(q.Type) > maxSearchText || len(q.Identity) > maxSearchText || !sap.Displayable(q.Type) || !sap.Displayable(q.Identity):
		return fmt.Errorf("%w: type and identity have at most %d octets", sap.ReasonInvalid, maxSearchText)
	}
	return nil
}

// data tells what was looked for.
func (q AuditQuery) data(from int64, limit int) audit.Data {
	d := audit.Data{"from": from, "limit": limit}
	if !q.Since.IsZero() {
		d["since"] = q.Since.UTC().Format(time.RFC3339)
	}
	if !q.Until.IsZero() {
		d["until"] = q.Until.UTC().Format(time.RFC3339)
	}
	if q.Type != "" {
		d["type"] = q.Type
	}
	if q.Identity != "" {
		d["identity"] = q.Identity
	}
	return d
}
