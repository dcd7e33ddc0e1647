package signapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/assent-sign/assent/internal/failpoint"
	"github.com/assent-sign/assent/sap"
)

func isNotFound(err error) bool { return errors.Is(err, ErrNotFound) }

// Upload stores a document of a client. It is streamed to disk and hashed on
// the way; nothing is kept of an upload that breaks off, is over the limit or
// does not fit. ErrInput, ErrTooLarge, ErrFull, ErrQuota.
func (s *Service) Upload(ctx context.Context, c Client, name string, r io.Reader) (*Document, error) {
	name, err := cleanName(name)
	if err != nil {
		return nil, err
	}
	h := s.hold(c)
	defer h.end()
	if err := h.add(ctx, blockSize); err != nil {
		return nil, err
	}
	file, err := s.files.partial()
	if err != nil {
		return nil, err
	}
	size, sum, err := receive(ctx, &granted{ctx: ctx, w: file, hold: h}, r, s.cfg.Limits.Document)
	if err == nil && size == 0 {
		err = fmt.Errorf("%w: the document is empty", ErrInput)
	}
	if err != nil {
		discard(file)
		return nil, err
	}
	return s.keep(ctx, c, name, size, sum, file)
}

// keep makes a whole partial file a document of the client.
func (s *Service) keep(ctx context.Context, c Client, name string, size int64, sum []byte, file *os.File) (*Document, error) {
	now := s.now()
	d := &Document{ID: newID("doc-"), Name: name, Size: size, SHA256: sum, Created: now, Expires: now.Add(s.cfg.Retention.Documents)}
	if err := s.files.commit(file, dirDocuments, d.ID); err != nil {
		return nil, err
	}
	failpoint.Before("ssad/04-document-saved")
	defer failpoint.After("ssad/04-document-saved")
	// A crash here leaves a file without a row; the next start removes it.
	err := s.store.Update(ctx, func(tx Tx) error {
		return tx.Documents().Put(DocumentRow{
			ID: d.ID, Client: c.ID, Name: d.Name, Size: d.Size, SHA256: d.SHA256,
			Created: millis(d.Created), Expires: millis(d.Expires),
		})
	})
	if err != nil && !s.exists(ctx, func(tx Tx) error { _, err := tx.Documents().Get(Everything(), d.ID); return err }, func() error { return s.files.remove(dirDocuments, d.ID) }) {
		return nil, err
	}
	return d, nil
}

// cleanName keeps the last part of a path and refuses what would look on
// screen like something else.
func cleanName(name string) (string, error) {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	if name == "" || strings.TrimSpace(name) != name || !sap.Displayable(name) {
		return "", fmt.Errorf("%w: the document needs a name of 1 to %d displayable characters", ErrInput, sap.MaxText)
	}
	return name, nil
}

// document opens an upload of a client.
func (s *Service) document(ctx context.Context, c Client, id string) (*DocumentRow, *os.File, error) {
	var row *DocumentRow
	err := s.store.View(ctx, func(tx Tx) (err error) {
		row, err = tx.Documents().Get(OfClient(c.ID), id)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if row.Expires <= millis(s.now()) {
		return nil, nil, fmt.Errorf("%w: document %s was kept until %s; upload it again", ErrExpired, id, fromMillis(row.Expires).Format("2006-01-02 15:04Z"))
	}
	f, err := s.files.open(dirDocuments, id)
	return row, f, err
}
