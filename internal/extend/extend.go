// Package extend raises the level of signed PDF files and XML documents, our own and foreign ones, without
// their signers (ADE-03; EN 319 142-1, 5.4 and 6.3; EN 319 132-1, 5.3 to 5.5 and 6.3): a time-stamp over the signature
// value, validation data, a document or archive time-stamp; and renews the last one before its
// authority's certificate or its algorithm ends.
//
// Nothing is extended that is not valid: a time-stamp over a broken signature would
// vouch for it. To XML, unsigned properties are added and nothing else. Of a PDF every byte stays as it is, with one exception: a signature
// time-stamp goes into the unused room of its own signature's /Contents, and only if no
// later signature covers that room. Signatures of the kind adbe.pkcs7.detached, which most programs made before PAdES, get the
// same time-stamps and validation data (ISO 32000-2, 12.8.4 and 12.8.5) and become no PAdES by that. What cannot be had is an error and never a lower
// level; the caller throws the output away then.
package extend

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/assent-sign/assent/internal/longterm"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/secret"
	"github.com/assent-sign/assent/internal/tsp"
	"github.com/assent-sign/assent/internal/validate"
)

// Level is what the file shall reach.
type Level string

// The levels of EN 319 142-1 that a signature can be raised to.
const (
	LevelT   Level = "B-T"
	LevelLT  Level = "B-LT"
	LevelLTA Level = "B-LTA"
)

// Why a file is not extended. Each is wrapped together with what was found.
var (
	ErrLevel    = errors.New("extend: not a level to extend to")
	ErrNotValid = errors.New("extend: only a valid file can be extended")
	ErrNotPAdES = errors.New("extend: neither a PAdES signature nor one of the kind adbe.pkcs7.detached")
	ErrCovered  = errors.New("extend: a later signature covers the place of the time-stamp; extend to B-LTA, which proves the time by a document time-stamp")
	ErrNoRoom   = errors.New("extend: the signature left no room for a time-stamp; extend to B-LTA, which proves the time by a document time-stamp")
	ErrNothing  = errors.New("extend: the file has the level already")
	ErrFull     = errors.New("extend: the file has as many time-stamps as are judged; keep it as it is, sign it by a further signature at B-LTA that is over the whole file (assent sign --packaging enveloping), and renew that one")
	ErrReached  = errors.New("extend: the level was not reached")
)

// Output is where the extended file is written, from its first byte.
type Output interface {
	io.ReaderAt
	io.WriterAt
}

// Config is whom to trust and to ask.
type Config struct {
	// Anchors are trusted as they are.
	Anchors []*x509.Certificate
	// StampAnchors are trusted for time-stamp authorities only; without any, those of Anchors are.
	StampAnchors []*x509.Certificate
	// Pool are further certificates that can be part of a path. What a file lacks besides is fetched if the Collector does.
	Pool []*x509.Certificate
	// Stamper gives time-stamps.
	Stamper tsp.Stamper
	// Collector gives validation data; needed from B-LT on.
	Collector *longterm.Collector
	// Current takes a statement about a signer that is current, although it is older
	// than the signature.
	Current bool
	// Hash is what new time-stamps are over, for a renewal before another ends; 0 means SHA-256.
	Hash crypto.Hash
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Limits bounds the reading of a PDF file.
	Limits pdf.Limits
	// Detached are the files beside an XML document that its signatures are over.
	Detached []validate.Detached
	// Parts are the identifiers of the elements that matter, of an XML document whose signatures name only such.
	Parts []string
	// Signatures are the identifiers of the signatures of an XML document that are extended; without any, all
	// are.
	Signatures []string
	// Password opens a PDF file that needs one.
	Password secret.Bytes

	carried []*x509.Certificate // what the file carries as validation data
}

// Result says what was done.
type Result struct {
	Size  int64    `json:"size"`  // of the output, bytes
	Added []string `json:"added"` // in words, in order
	// Notes say what the file is not all the same.
	Notes  []string         `json:"notes,omitempty"`
	Report *validate.Report `json:"report"` // of the output
}

// job is one file on its way.
type job struct {
	ctx  context.Context
	cfg  Config
	name string
	out  Output
	size int64
	done []string

	doc  *pdf.Document
	sigs []pdf.Signature
	rep  *validate.Report
	// judged: rep is about the output as it is.
	judged bool

	unfetched error // what could not be fetched
}

// PDF reads a signed file and writes it at the level. name is for messages.
//
// Errors: the sentinels of this package, those of tsp, longterm and pdf, and of the
// context. On an error the output is not to be used.
func PDF(ctx context.Context, name string, in io.ReaderAt, size int64, out Output, level Level, cfg Config) (*Result, error) {
	if !slices.Contains([]Level{LevelT, LevelLT, LevelLTA}, level) {
		return nil, fmt.Errorf("%w: %q", ErrLevel, level)
	}
	cfg.defaults()
	j := &job{ctx: ctx, cfg: cfg, name: name, out: out, size: size}
	if err := copyFile(ctx, out, in, size); err != nil {
		return nil, err
	}
	if err := j.complete(level); err != nil {
		return nil, err
	}
	if err := j.look(); err != nil {
		return nil, err
	}
	if err := j.extendable(); err != nil {
		return nil, fmt.Errorf("%w%s", err, j.lacks())
	}
	if err := j.steps(level); err != nil {
		return nil, err
	}
	if len(j.done) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrNothing, level)
	}
	if err := j.reached(level); err != nil {
		return nil, err
	}
	return &Result{Size: j.size, Added: j.done, Notes: j.notes(), Report: j.rep}, nil
}

// notes names the signatures that no time-stamp makes PAdES: what they lack had to be signed.
func (j *job) notes() (out []string) {
	for i := range j.sigs {
		if j.sigs[i].SubFilter == pdf.SubFilterPKCS7 {
			out = append(out, fmt.Sprintf("the signature in %q is %s and of no PAdES level; its file has now what %s adds", j.sigs[i].Field, pdf.SubFilterPKCS7, j.rep.Signatures[i].Reached()))
		}
	}
	return out
}

func (c *Config) defaults() {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Hash == 0 {
		c.Hash = crypto.SHA256
	}
}

func (j *job) steps(level Level) error {
	if err := j.proveTimes(level); err != nil {
		return err
	}
	if level == LevelT {
		return nil
	}
	if err := j.store(level == LevelLTA); err != nil {
		return err
	}
	if level == LevelLT {
		return nil
	}
	if err := j.seal("document time-stamp over everything"); err != nil {
		return err
	}
	return j.sealed()
}

// copyFile writes the input to the output in pieces.
func copyFile(ctx context.Context, out io.WriterAt, in io.ReaderAt, size int64) error {
	buf := make([]byte, 256<<10)
	for off := int64(0); off < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.ReadAt(buf[:min(int64(len(buf)), size-off)], off)
		if n == 0 {
			return fmt.Errorf("read at offset %d: %w", off, errors.Join(err, io.ErrUnexpectedEOF))
		}
		if _, err := out.WriteAt(buf[:n], off); err != nil {
			return fmt.Errorf("write at offset %d: %w", off, err)
		}
		off += int64(n)
	}
	return nil
}

// read reads the output as it is now. What the report says is of before.
func (j *job) read() (err error) {
	j.judged = false
	if j.doc, err = pdf.OpenWith(j.out, j.size, j.cfg.Limits, j.cfg.Password); err != nil {
		return err
	}
	j.sigs, err = j.doc.Signatures()
	return err
}

// look reads and judges the output as it is now.
func (j *job) look() (err error) {
	if err = j.read(); err != nil {
		return err
	}
	j.rep, err = validate.File(j.ctx, j.name, j.out, j.size, validate.Options{Anchors: j.cfg.Anchors, StampAnchors: j.cfg.StampAnchors, Pool: j.cfg.Pool, Now: j.cfg.Now(), Limits: j.cfg.Limits, Password: j.cfg.Password})
	if err == nil && len(j.rep.Signatures) != len(j.sigs) {
		err = fmt.Errorf("%w: %d signatures were read and %d judged", ErrNotValid, len(j.sigs), len(j.rep.Signatures))
	}
	j.judged = err == nil
	return err
}

// extendable refuses what must not be vouched for, and what is not PAdES.
func (j *job) extendable() error {
	if j.rep.Verdict != validate.Valid {
		why := slices.Clone(j.rep.Notes)
		for _, s := range j.rep.Signatures {
			why = append(why, s.Why...)
		}
		return fmt.Errorf("%w: %s %s %q", ErrNotValid, j.rep.Verdict, j.rep.Words(), why)
	}
	for i := range j.sigs {
		if f := j.sigs[i].SubFilter; !slices.Contains([]string{pdf.SubFilterCAdES, pdf.SubFilterPKCS7, pdf.SubFilterRFC3161}, f) {
			return fmt.Errorf("%w: the signature in %q is %q", ErrNotPAdES, j.sigs[i].Field, f)
		}
	}
	return nil
}

// reached judges the output: the level is on every signature, and nothing broke.
func (j *job) reached(level Level) error {
	if level != LevelT && len(j.cfg.Pool) > 0 {
		j.cfg.Pool, j.judged = nil, false // a verifier has what the file carries
	}
	if !j.judged { // else nothing was written since: judging a file of many time-stamps takes long
		if err := j.look(); err != nil {
			return fmt.Errorf("%w: %w", ErrReached, err)
		}
	}
	if j.rep.Verdict != validate.Valid {
		return fmt.Errorf("%w: the extended file is %s: %s", ErrReached, j.rep.Verdict, j.rep.Words())
	}
	order := []Level{LevelT, LevelLT, LevelLTA}
	for i := range j.rep.Signatures {
		s := &j.rep.Signatures[i]
		if !s.IsTimeStamp() && slices.Index(order, Level(s.Reached())) < slices.Index(order, level) {
			return fmt.Errorf("%w: the signature in %q is at %s", ErrReached, s.Field, s.Level)
		}
	}
	return nil
}

// write puts an update behind the file and reads all of it again. It is judged when somebody asks for the report: seal and reached do.
func (j *job) write(tail []byte, what string) error {
	if _, err := j.out.WriteAt(tail, j.size); err != nil {
		return fmt.Errorf("write at offset %d: %w", j.size, err)
	}
	j.size += int64(len(tail))
	j.done = append(j.done, what)
	return j.read()
}
