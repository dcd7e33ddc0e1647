package xades

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/assent-sign/assent/internal/c14n"
	"github.com/assent-sign/assent/internal/pdf"
	"github.com/assent-sign/assent/internal/xmlsig"
	"github.com/assent-sign/assent/sap"
	composed "github.com/assent-sign/assent/sap/xades"
	"github.com/assent-sign/assent/workers"
)

// around tells of the forms whose data stands inside of the signature.
func around(form string) bool { return form == sap.XAdESEnveloping || form == sap.XAdESContained }

// content is what the signer's app takes a file for, as a MIME type.
type content string

const (
	contentPDF    content = "application/pdf"
	contentXML    content = "text/xml"
	contentText   content = "text/plain"
	contentOctets content = "application/octet-stream"
)

// look tells what a file is by the rule of the signer's app: a PDF is what readers of PDF open as one; text
// is UTF-8 without control characters but those of lines. Only octets inside of a signature are all looked at: of the other
// forms what they are is known, and read.
func look(doc io.ReaderAt, size int64, form string) (content, error) {
	head := make([]byte, min(size, 1100))
	if _, err := doc.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the document: %w", err)
	}
	if bytes.Contains(head, []byte("%PDF-")) {
		return contentPDF, nil
	}
	begins := contentText
	if bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\uFEFF")), " \t\r\n"), []byte("<")) {
		begins = contentXML
	}
	if form != sap.XAdESContained {
		return begins, nil
	}
	switch err := isText(io.NewSectionReader(doc, 0, size)); {
	case errors.Is(err, errNoText):
		return contentOctets, nil
	case err != nil:
		return "", err
	}
	return begins, nil
}

// errNoText is about a file that cannot be shown as text.
var errNoText = errors.New("is no text in UTF-8")

func isText(r io.Reader) error {
	buf := make([]byte, 64<<10)
	held := 0 // bytes of a character that is not whole yet
	for at := int64(0); ; {
		n, err := r.Read(buf[held:])
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return fmt.Errorf("read the document: %w", err)
		}
		n += held
		i := 0
		for i < n && (utf8.FullRune(buf[i:n]) || end) {
			c, size := utf8.DecodeRune(buf[i:n])
			if c == utf8.RuneError && size == 1 || c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0x7F {
				return fmt.Errorf("byte %d of the file %w", at, errNoText)
			}
			i, at = i+size, at+int64(size)
		}
		if end {
			return nil
		}
		held = copy(buf, buf[i:n])
	}
}

// accepts refuses a file that its form cannot take. A file beside its signature is a PDF that can be read, or text. Octets inside of a signature may be anything,
// except under the policy for qualified signatures what the signer cannot see as what it is (ADE-04): the signer's app
// looks for itself and refuses too.
func (w *worker) accepts(policy string, doc io.ReaderAt, size int64, kind content) error {
	bytewise, qualified := w.form == sap.XAdESContained || w.form == sap.XAdESDetached, policy == sap.PolicyQualified
	switch {
	case !bytewise && kind == contentPDF:
		return fmt.Errorf("%w: the XML document begins so that readers of PDF open it as a PDF; what they show would not be signed", workers.ErrInput)
	case !bytewise || !qualified && w.form == sap.XAdESContained:
		return nil
	case kind == contentOctets:
		return fmt.Errorf("%w: %w: nobody can see what it is: neither a PDF nor text", workers.ErrInput, workers.ErrHazard)
	case kind != contentPDF:
		return nil
	}
	s, err := pdf.Inspect(doc, size, pdf.Limits{})
	if err != nil {
		return refuse(err)
	}
	if found := s.Hazards(); qualified && len(found) > 0 {
		return fmt.Errorf("%w: %w: %s", workers.ErrInput, workers.ErrHazard, strings.Join(found, " "))
	}
	return nil
}

// unsigned refuses a document that cannot become data inside of a signature: of signatures in it
// the meaning would change, with what is around them.
func unsigned(doc io.ReaderAt, size int64, lim c14n.Limits) error {
	d, err := xmlsig.Read(doc, size, lim)
	if err != nil {
		return refuse(err)
	}
	if len(d.Signatures) > 0 {
		return fmt.Errorf("%w: it has signatures, which might not hold inside of another document; only its octets can be signed so (enveloping_content BASE64)", workers.ErrInput)
	}
	return nil
}

// declared is where a document begins that stands in another one: behind the byte order mark and the XML declaration. It
// has been read already, and so is well-formed.
func declared(doc io.ReaderAt) (int64, error) {
	head := make([]byte, 1100)
	n, err := doc.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	rest, mark := bytes.CutPrefix(head[:n], []byte("\uFEFF"))
	from := int64(0)
	if mark {
		from = 3
	}
	if !bytes.HasPrefix(rest, []byte("<?xml")) || len(rest) < 6 || !strings.ContainsRune(" \t\r\n", rune(rest[5])) {
		return from, nil
	}
	end := bytes.Index(rest, []byte("?>"))
	if end < 0 {
		return 0, fmt.Errorf("%w: the XML declaration is longer than %d bytes", workers.ErrInput, len(head))
	}
	return from + int64(end) + 2, nil
}

// object has the canonical form of the Object written that holds a document.
func object(id string, data io.Reader, lim c14n.Limits, job c14n.Job) error {
	if lim.Size += maxTail; job.Unsigned {
		return errors.New("no form has the Object without what is in it")
	}
	return c14n.Canonicalize(io.MultiReader(strings.NewReader(composed.ObjectTag(id)), data, strings.NewReader("</ds:Object>")), lim, job)
}

// write makes the prepared file: the user's document, or an enveloping signature around it with the value
// of no key, of which the state then says where its parts are.
func (w *worker) write(p *workers.Prepared, st *state, certs []*x509.Certificate, doc io.ReaderAt, size int64, out io.Writer) error {
	var before, after []byte
	from := int64(0)
	if around(w.form) {
		var err error
		if after, err = st.element(p, noValue(p, certs)); err != nil {
			return err
		}
		before = st.head
	}
	if w.form == sap.XAdESEnveloping {
		var err error
		if from, err = declared(doc); err != nil {
			return err
		}
	}
	c := &counted{w: out, max: 1 << 62}
	if _, err := c.Write(before); err != nil {
		return fmt.Errorf("copy the document: %w", err)
	}
	if err := w.user(io.NewSectionReader(doc, from, size-from), c); err != nil {
		return fmt.Errorf("copy the document: %w", err)
	}
	if around(w.form) {
		st.Head, st.Offset, st.Size = int64(len(before)), c.n, c.n+int64(len(after))
	}
	if _, err := c.Write(after); err != nil {
		return fmt.Errorf("copy the document: %w", err)
	}
	return nil
}

// user writes the user's bytes as they stand in the prepared file.
func (w *worker) user(r io.Reader, out io.Writer) error {
	if w.form != sap.XAdESContained {
		_, err := io.Copy(out, r)
		return err
	}
	enc := base64.NewEncoder(base64.StdEncoding, out)
	if _, err := io.Copy(enc, r); err != nil {
		return err
	}
	return enc.Close()
}
