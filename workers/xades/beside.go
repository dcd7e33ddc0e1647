package xades

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// besides reads the identifiers of the elements that an internally detached signature is over. Each element has
// a DataObjectFormat of the same type and description.
func besides(x *sap.XAdES, ids string) error {
	if x.Form != sap.XAdESBeside {
		if ids != "" {
			return fmt.Errorf("reference_ids: only of signature_packaging INTERNALLY_DETACHED")
		}
		return nil
	}
	list := strings.Split(ids, ",")
	if len(list) > sap.MaxObjects {
		return fmt.Errorf("reference_ids: %d identifiers; %d are possible", len(list), sap.MaxObjects)
	}
	x.Objects = &sap.XAdESObjects{More: []sap.XAdESObject{}}
	for i, id := range list {
		id = strings.TrimSpace(id)
		if id == "" || !sap.Displayable(id) || slices.Contains(list[:i], list[i]) {
			return fmt.Errorf("reference_ids: want the identifiers of the elements to be signed, each once, separated by commas, got %q", ids)
		}
		if i == 0 {
			x.Objects.Part = id
			continue
		}
		x.Objects.More = append(x.Objects.More, sap.XAdESObject{Name: id, MIME: x.MIME, Description: x.Description})
	}
	return nil
}

// parts are the identifiers of the elements that a signature is over.
func parts(x *sap.XAdES) []string {
	if x.Form != sap.XAdESBeside || x.Objects == nil {
		return nil
	}
	out := []string{x.Objects.Part}
	for _, o := range x.Objects.More {
		out = append(out, o.Name)
	}
	return out
}

// apart refuses elements that the signature cannot stand beside: the root, which it stands in, and parts of
// other signatures.
func apart(d *xmlsig.Document, ids []string) error {
	for _, id := range ids {
		e, err := d.Index.ByID(id)
		if err != nil {
			return fmt.Errorf("%w: reference_ids: %w", workers.ErrInput, err)
		}
		if e == d.Index.Root {
			return fmt.Errorf("%w: reference_ids: %q is the root, which the signature stands in; sign the whole document with signature_packaging ENVELOPED", workers.ErrInput, id)
		}
		for _, s := range d.Signatures {
			if s.Element == e || s.Element.Contains(e) {
				return fmt.Errorf("%w: reference_ids: %q is a signature or a part of one", workers.ErrInput, id)
			}
		}
	}
	return nil
}

// elements writes the canonical form of each element into a writer of its own, in one pass.
func elements(r io.Reader, lim c14n.Limits, ids []string, outs []io.Writer) error {
	var jobs []c14n.Job
	for i, id := range ids {
		jobs = append(jobs, c14n.Job{W: outs[i], Method: c14n.Exclusive, Target: c14n.ElementByID(id)})
	}
	return c14n.Canonicalize(r, lim, jobs...)
}
