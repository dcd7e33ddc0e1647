package signapp

import (
	"context"
	"fmt"
	"slices"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// source is a document as it was uploaded, and what is to be done with it.
type source struct {
	Name   string            `json:"name"`
	Size   int64             `json:"size"`
	Worker string            `json:"worker"`
	Level  string            `json:"level,omitempty"` // as asked for
	Params map[string]string `json:"params,omitempty"`
	More   []moreSource      `json:"more,omitempty"` // further files under the one signature
}

// moreSource is a file of an item behind its first.
type moreSource struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// newSource is what an item asks for, of its opened uploads.
func newSource(in NewItem, level string, docs []workers.Beside) source {
	src := source{Name: docs[0].Name, Size: docs[0].Size, Worker: in.Worker, Level: level, Params: in.Params}
	for _, d := range docs[1:] {
		src.More = append(src.More, moreSource{d.Name, d.Size})
	}
	return src
}

// names are those of the files behind the first.
func (src *source) names() (out []string) {
	for _, m := range src.More {
		out = append(out, m.Name)
	}
	return out
}

// sourceName is the file k of one item's source.
func sourceName(op string, item, k int) string {
	if k == 0 {
		return preparedName(op, item) + ".source"
	}
	return fmt.Sprintf("%s.%d.source", preparedName(op, item), k)
}

// uploads opens what an item is over. end is to be called when there is no error. Together they are no larger than one may be: all are
// prepared, shown and hashed together.
func (s *Service) uploads(ctx context.Context, c Client, in NewItem) (docs []workers.Beside, end func(), err error) {
	var list []Beside
	for _, id := range in.uploads() {
		list = append(list, Beside{Document: id})
	}
	if docs, end, err = s.beside(ctx, c, list); err != nil {
		return nil, nil, err
	}
	left := s.cfg.Limits.Document
	for _, d := range docs {
		if left -= d.Size; left < 0 {
			end()
			return nil, nil, fmt.Errorf("%w: the documents of an item may have %d MiB together", ErrTooLarge, s.cfg.Limits.Document>>20)
		}
	}
	return docs, end, nil
}

// covered tells whether a worker prepared a signature over all files of a source, and over nothing else.
func (src *source) covered(p *workers.Prepared) error {
	var more []string
	if p.XAdES != nil && p.XAdES.Form == sap.XAdESDetached {
		for _, o := range p.XAdES.Further() {
			more = append(more, o.Name)
		}
	}
	if !slices.Equal(more, src.names()) {
		return fmt.Errorf("%w: a signature over %d files, asked for were %d", workers.ErrRehearsal, 1+len(more), 1+len(src.More))
	}
	return nil
}

// maxApproval bounds the items of an approval in bytes: in base64, with the proof, it is one body of the relay, which takes 1 MiB.
const maxApproval = 700 << 10

// approvable refuses an operation whose approval would be too large to be taken, before the signer reads it: with many files, what is
// approved of each adds up.
func (r *record) approvable() error {
	size := 0
	for i, it := range r.fixed.Items {
		item := it.Prepared.Item(i)
		item.Kind, item.Name = it.Kind, it.Name
		text, err := jcs.Marshal(item)
		if err != nil {
			return err
		}
		if size += len(text); size > maxApproval {
			return fmt.Errorf("%w: the approval of %d items, with their names and properties, would be larger than %d KiB; make several operations", ErrInput, len(r.fixed.Items), maxApproval>>10)
		}
	}
	return nil
}
