package xades

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// A detached signature takes the place of its file. At B-LTA its archive time-stamp is over the file too, so that
// an attempt that was killed while it wrote could not be repeated from what it left. So the whole signature is first
// written behind the file, with a seal behind it, and synced; then in its place; then the rest is cut off
// (FPT-05). At every moment the file is there, or the sealed signature, or the signature alone.

// rewritable is what a file can do besides.
type rewritable interface {
	workers.Output
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
}

// sealMagic begins a seal: then come the signature's length, 8 octets, and its SHA-256.
const sealMagic = "assent: staged signature\n"

const sealSize = len(sealMagic) + 8 + sha256.Size

func seal(element []byte) []byte {
	digest := sha256.Sum256(element)
	return append(binary.BigEndian.AppendUint64([]byte(sealMagic), uint64(len(element))), digest[:]...)
}

// staged tells whether a signature is written by way of a sealed one.
func staged(p *workers.Prepared) bool {
	return p.Level == LevelLTA && p.XAdES.Form == sap.XAdESDetached
}

// under is the state of SHA-256 after a file.
func under(doc io.ReaderAt, size int64) ([]byte, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(doc, 0, size)); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	m, ok := h.(encoding.BinaryMarshaler)
	if !ok {
		return nil, errors.New("the state of SHA-256 cannot be kept")
	}
	return m.MarshalBinary()
}

// resumed is SHA-256 in the state that under gave.
func resumed(state []byte) (hash.Hash, error) {
	h := sha256.New()
	m, ok := h.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, errors.New("the state of SHA-256 cannot be taken up")
	}
	return h, m.UnmarshalBinary(state)
}

// putStaged puts the signature in the place of the file.
func putStaged(doc workers.Output, st *state, element []byte) (int64, error) {
	f, ok := doc.(rewritable)
	if !ok {
		return 0, fmt.Errorf("%w: a detached signature at %s needs an output that can be cut", workers.ErrState, LevelLTA)
	}
	// Behind the file, and where the signature in its place will not reach.
	at := max(st.Size, int64(len(element)))
	if err := f.Truncate(at); err != nil { // what an attempt left there is no longer wanted
		return 0, err
	}
	if _, err := f.WriteAt(append(bytes.Clone(element), seal(element)...), at); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return unstage(f, element)
}

// unstage writes a signature that is sealed behind the file in its place, and cuts the file. The caller syncs.
func unstage(f rewritable, element []byte) (int64, error) {
	if _, err := f.WriteAt(element, 0); err != nil {
		return 0, err
	}
	// Before the sealed one goes.
	if err := f.Sync(); err != nil {
		return 0, err
	}
	size := int64(len(element))
	return size, f.Truncate(size)
}

// takeUp completes what a killed attempt left that had begun to replace the file: bare is the signature without unsigned
// properties, why the file is no longer what was approved. The signature that it finds was whole when it was
// sealed, and begins with what is composed from the approval.
func (w *worker) takeUp(ctx context.Context, p *workers.Prepared, doc workers.Output, st *state, bare []byte, why error) (*workers.Result, error) {
	if err := w.reaches(p.Level); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrLevel, err)
	}
	f, ok := doc.(rewritable)
	if !ok || ctx.Err() != nil {
		return nil, errors.Join(ctx.Err(), fmt.Errorf("%w: %w", workers.ErrState, why))
	}
	element, sealed, err := left(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrState, errors.Join(why, err))
	}
	res := &workers.Result{Level: p.Level, MIME: "application/xml", Size: int64(len(element))}
	if err := w.whole(p, st, element, bare, res); err != nil {
		return nil, fmt.Errorf("%w: %w", workers.ErrState, errors.Join(why, err))
	}
	if !sealed {
		return res, f.Sync()
	}
	if _, err := unstage(f, element); err != nil {
		return nil, fmt.Errorf("put the signature in: %w", err)
	}
	return res, f.Sync()
}

// left reads the sealed signature at the end of a file; if there is none, all of the file.
func left(f rewritable) (element []byte, sealed bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	end := make([]byte, sealSize)
	at := info.Size() - int64(sealSize)
	if at >= 0 {
		if _, err := f.ReadAt(end, at); err != nil {
			return nil, false, err
		}
	}
	if n, found := bytes.CutPrefix(end, []byte(sealMagic)); found {
		size := binary.BigEndian.Uint64(n)
		if size > maxSigned || int64(size) > at {
			return nil, false, errors.New("the seal of a staged signature is damaged")
		}
		element = make([]byte, size)
		if _, err := f.ReadAt(element, at-int64(size)); err != nil {
			return nil, false, err
		}
		if !bytes.Equal(seal(element), end) {
			return nil, false, errors.New("a staged signature is not whole")
		}
		return element, true, nil
	}
	if info.Size() > maxSigned {
		return nil, false, fmt.Errorf("no signature has %d bytes", info.Size())
	}
	element = make([]byte, info.Size())
	_, err = f.ReadAt(element, 0)
	if errors.Is(err, io.EOF) && len(element) == 0 {
		err = errors.New("the file is empty")
	}
	return element, false, err
}

// maxSigned bounds a detached signature with its unsigned properties.
const maxSigned = maxKept + 1<<20

// whole tells whether an element is the signature of an approval at B-LTA, and when it was time-stamped. Both time-stamps
// are verified by what they are over: who can write to the file could put those of another in.
func (w *worker) whole(p *workers.Prepared, st *state, element, bare []byte, res *workers.Result) error {
	start, ok := bytes.CutSuffix(bare, []byte(ends))
	if !ok || !bytes.HasPrefix(element, start) || !bytes.HasSuffix(element, []byte(ends)) {
		return errors.New("it is not the approved signature either")
	}
	r := bytes.NewReader(element)
	d, err := xmlsig.Read(r, int64(len(element)), c14n.Limits{})
	if err != nil {
		return err
	}
	if len(d.Signatures) != 1 || d.Signatures[0].ID != p.XAdES.ID || d.Signatures[0].Properties == nil {
		return errors.New("it is not one signature")
	}
	s := &d.Signatures[0]
	if len(s.Properties.Archives) != 1 || len(s.Properties.Stamps) != 1 || s.Properties.Archives[0].Err != nil {
		return fmt.Errorf("it is not at %s", LevelLTA)
	}
	stamp, archive := s.Properties.Stamps[0], s.Properties.Archives[0]
	imprint, err := d.Imprint(r, s, stamp, crypto.SHA256, c14n.Limits{})
	if err != nil {
		return err
	}
	if res.TimeStamp, err = w.keep.Time(stamp.Token, crypto.SHA256, imprint); err != nil {
		return err
	}
	over, err := resumed(st.Under)
	if err != nil {
		return err
	}
	d.Detached = beside(p, st, r) // their names: what is in them is gone
	if imprint, err = d.ArchiveImprintBehind(r, s, archive, 1+len(p.XAdES.Further()), over, c14n.Limits{}); err != nil {
		return err
	}
	_, err = w.keep.Time(archive.Token, crypto.SHA256, imprint)
	return err
}
