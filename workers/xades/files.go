package xades

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// data are the files that a signature is over, one after the other: of all forms but detached one document. The prepared file of
// a detached signature is the same octets, so that an index and the sizes tell where each file is.
type data struct {
	files []workers.Beside
	kinds []content
	size  int64 // bytes of all
}

// data takes the files of a request, and refuses what no form takes.
func (w *worker) data(ctx context.Context, in workers.Input) (*data, []*x509.Certificate, error) {
	d := &data{}
	for _, f := range append([]workers.Beside{{Name: in.Name, ReaderAt: in.Document, Size: in.Size}}, in.More...) {
		f.ReaderAt = &patient{ctx, f.ReaderAt}
		d.files = append(d.files, f)
		// Of each, so that the sum of many cannot overflow.
		if d.size += f.Size; f.Size < 0 || f.Size > w.max || d.size > w.max {
			return nil, nil, fmt.Errorf("%w: %d bytes; worker %q takes %d", workers.ErrInput, max(f.Size, d.size), w.name, w.max)
		}
	}
	certs, err := w.checkInput(in)
	if err == nil && w.form != sap.XAdESDetached {
		err = in.Alone()
	} else if err == nil {
		err = d.named()
	}
	if err != nil {
		return nil, nil, err
	}
	for _, f := range d.files {
		kind, err := look(f, f.Size, w.form)
		if err == nil {
			err = w.accepts(in.Policy, f, f.Size, kind)
		}
		if err == nil {
			err = single(in.Policy, f, f.Size, kind)
		}
		if err != nil {
			return nil, nil, d.about(f, err)
		}
		d.kinds = append(d.kinds, kind)
	}
	return d, certs, nil
}

// about says which of several files an error is about.
func (d *data) about(f workers.Beside, err error) error {
	if len(d.files) == 1 {
		return err
	}
	return fmt.Errorf("file %q: %w", f.Name, err)
}

// named refuses names under which the files could not stand beside the signature, each as itself: a verifier takes a file by its name, and
// of two that a file system does not tell apart (those of Windows and macOS, by case, composition or dots at the end) the wrong one.
func (d *data) named() error {
	if len(d.files) > sap.MaxObjects {
		return fmt.Errorf("%w: %d files; one signature is over at most %d", workers.ErrInput, len(d.files), sap.MaxObjects)
	}
	seen, fold := map[string]string{}, cases.Fold()
	for _, f := range d.files {
		if strings.ContainsAny(f.Name, `/\`) || f.Name == "." || f.Name == ".." {
			return fmt.Errorf("%w: %q is not the name of a file without its folder, by which the signature could name it", workers.ErrInput, f.Name)
		}
		// Some fold "ß" as "ss", others go by capital letters alone.
		key := norm.NFC.String(fold.String(strings.ToUpper(norm.NFC.String(strings.TrimRight(f.Name, ". ")))))
		if other, twice := seen[key]; twice {
			return fmt.Errorf("%w: two files %q and %q; a file system may take one name for the other, and the signature names each; rename one", workers.ErrInput, other, f.Name)
		}
		seen[key] = f.Name
	}
	return nil
}

// ReadAt implements io.ReaderAt over all files.
func (d *data) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for _, f := range d.files {
		if off >= f.Size {
			off -= f.Size
			continue
		}
		part := b[n:min(int64(len(b)), int64(n)+f.Size-off)]
		m, err := f.ReadAt(part, off)
		if n += m; m < len(part) {
			if err == nil {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
		if off = 0; n == len(b) {
			return n, nil
		}
	}
	return n, io.EOF
}

// types are the MIME types of the files: one for all, or one of each, separated by commas; where there is none, by what a file is.
func (w *worker) types(params map[string]string, d *data) ([]string, error) {
	given, ok := params["mime_type"]
	if !ok {
		given = w.defaults["mime_type"]
	}
	list := strings.Split(given, ",")
	if len(list) != 1 && len(list) != len(d.files) {
		return nil, fmt.Errorf("%w: mime_type: %d types of %d files; want one for all, or one of each in their order", workers.ErrParams, len(list), len(d.files))
	}
	out := make([]string, len(d.files))
	for i, kind := range d.kinds {
		if out[i] = strings.TrimSpace(list[i%len(list)]); out[i] == "" && (len(list) > 1 || !ok) {
			out[i] = string(kind)
		}
	}
	return out, nil
}

// described are the properties of a signature over the files, but for digests.
func (w *worker) described(in workers.Input, d *data) (*sap.XAdES, error) {
	if len(d.files) == 1 {
		return w.asked(in, d.kinds[0])
	}
	types, err := w.types(in.Params, d)
	if err != nil {
		return nil, err
	}
	in.Params = maps.Clone(in.Params)
	if in.Params == nil {
		in.Params = map[string]string{}
	}
	in.Params["mime_type"] = types[0]
	x, err := w.asked(in, d.kinds[0])
	if err != nil {
		return nil, err
	}
	x.Objects = &sap.XAdESObjects{}
	for i, f := range d.files[1:] {
		x.Objects.More = append(x.Objects.More, sap.XAdESObject{Name: f.Name, MIME: types[i+1], Description: x.Description})
	}
	return x, nil
}

// typed holds the type of each file against what the signer sees.
func (d *data) typed(policy string, x *sap.XAdES) error {
	if err := typed(policy, x.MIME, d.kinds[0]); err != nil {
		return d.about(d.files[0], err)
	}
	if x.Form != sap.XAdESDetached {
		return nil
	}
	for i, o := range x.Further() {
		if err := typed(policy, o.MIME, d.kinds[i+1]); err != nil {
			return d.about(d.files[i+1], err)
		}
	}
	return nil
}

// readable refuses files that the signer's app cannot show.
func (w *worker) readable(d *data) error {
	for i, f := range d.files {
		if err := readable(f, f.Size, d.kinds[i], w.limits()); err != nil {
			return d.about(f, err)
		}
	}
	return nil
}

// beside gives the files of a detached signature, from its prepared file, by what a reference names.
func beside(p *workers.Prepared, st *state, file io.ReaderAt) func(uri string) (xmlsig.File, bool) {
	if !st.Detached {
		return nil
	}
	sizes, at := p.ShownSizes, int64(0)
	if len(sizes) == 0 {
		sizes = []int64{st.Size}
	}
	files := map[string]xmlsig.File{}
	for i, size := range sizes {
		files[sap.FileURI(fileName(p, i))] = xmlsig.File{ReaderAt: io.NewSectionReader(file, at, size), Size: size}
		at += size
	}
	return func(uri string) (xmlsig.File, bool) {
		f, ok := files[uri]
		return f, ok
	}
}

// fileName is what the file i of a detached signature is called.
func fileName(p *workers.Prepared, i int) string {
	if i == 0 {
		return p.Name
	}
	return p.XAdES.Objects.More[i-1].Name
}
