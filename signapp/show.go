package signapp

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/assent-sign/assent/internal/jcs"
	"github.com/assent-sign/assent/sap"
	sapxades "github.com/assent-sign/assent/sap/xades"
	"github.com/assent-sign/assent/workers"
)

// claim fills in what the application says is signed for an item: the signer's app
// composes it again and compares.
func (o *ViewItem) claim(it *fixedItem, leaf []byte) error {
	p := it.Prepared
	switch it.Kind {
	case sap.KindPAdES:
		attrs, err := sap.PAdESSignedAttributes(p.DocDigest, leaf)
		if err != nil {
			return err
		}
		o.SignedAttributes = sap.B64(attrs)
	case sap.KindXAdES:
		par, err := sap.XAdESParameters(p.Item(o.I), leaf, p.Alg)
		if err != nil {
			return err
		}
		properties, err := sapxades.SignedProperties(par)
		if err != nil {
			return err
		}
		info, err := sapxades.SignedInfo(par)
		if err != nil {
			return err
		}
		o.SignedAttributes, o.SignedProperties, o.XAdES = sap.B64(info), sap.B64(properties), []sap.XAdES{*p.XAdES}
		o.Sizes = p.ShownSizes
	}
	return nil
}

// shownSize is how much the signer's app fetches of an item.
func (it *fixedItem) shownSize() int64 {
	if it.Prepared != nil && it.Prepared.ShownSize > 0 {
		return it.Prepared.ShownSize
	}
	return it.Size
}

// sameItem tells whether two items are the same, in the one form that they have.
func sameItem(a, b sap.Item) bool {
	x, err := jcs.Marshal(a)
	if err != nil {
		return false
	}
	y, err := jcs.Marshal(b)
	return err == nil && string(x) == string(y)
}

// openShown opens what the signer's app shows of an item and hashes: the prepared file,
// or what its worker makes of it. That is in a file without a name, which is gone
// when it is closed.
func (s *Service) openShown(ctx context.Context, r *record, item int) (io.ReadSeekCloser, *Item, error) {
	f, it, err := s.openItem(r, item)
	if err != nil {
		return nil, nil, err
	}
	e, err := s.cfg.Workers.Get(it.Worker)
	if err != nil {
		return f, it, nil // the file is there; that nobody can finish it is told when it is to be finished
	}
	show, ok := e.Worker.(workers.Shower)
	if !ok || it.Prepared.ShownSize == 0 {
		return f, it, nil
	}
	defer func() { _ = f.Close() }()
	doc, ok := f.(io.ReaderAt)
	if !ok {
		return nil, nil, fmt.Errorf("signapp: a prepared file that cannot be read at an offset: %T", f)
	}
	h := s.hold(Client{ID: SignerPrefix + r.signer}) // as long as somebody reads it
	if err := h.add(ctx, it.Prepared.ShownSize+blockSize); err != nil {
		return nil, nil, err
	}
	out, err := s.unnamed()
	if err != nil {
		h.end()
		return nil, nil, err
	}
	if err = show.Show(ctx, it.Prepared, doc, out); err == nil {
		_, err = out.Seek(0, io.SeekStart)
	}
	shown := &heldFile{out, h}
	if err != nil {
		_ = shown.Close()
		return nil, nil, storageError(err)
	}
	return shown, it, nil
}

// unnamed is a file that is gone when it is closed.
func (s *Service) unnamed() (*os.File, error) {
	out, err := s.files.partial()
	if err != nil {
		return nil, err
	}
	if err := os.Remove(out.Name()); err != nil {
		discard(out)
		return nil, storageError(err)
	}
	return out, nil
}

// heldFile is a file whose room is granted until it is closed.
type heldFile struct {
	*os.File
	hold *hold
}

// Close implements io.Closer.
func (f *heldFile) Close() error {
	defer f.hold.end()
	return f.File.Close()
}
