package xades

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"regexp"
	"slices"
	"strings"

	"github.com/assent-sign/assent/sap"
	"github.com/assent-sign/assent/workers"
)

// textTypes are the types of what the signer's app shows as text, which has the same lists. Besides: all that end in +xml or
// +json, but what browsers draw.
var (
	textTypes = []string{"text/plain", "text/csv", "text/xml", "application/xml", "application/json"}
	drawn     = []string{"application/xhtml+xml", "image/svg+xml"}
)

// typed holds the type that is signed of the data against what the signer sees (ADE-04): whoever gets the file opens it by that
// type, and what was shown as the pages of a PDF can be a page of HTML too, and text in another character set another text.
// Only the policy for qualified signatures refuses it: under others a type may be one of an application that nobody here knows.
func typed(policy, signed string, kind content) error {
	if policy != sap.PolicyQualified {
		return nil
	}
	t, params, err := mime.ParseMediaType(signed)
	fits := isTextType(t) && inUTF8(params)
	if kind == contentPDF {
		fits = t == string(contentPDF) && len(params) == 0
	}
	if err != nil || !fits {
		return fmt.Errorf("%w: %w: mime_type: the file would be signed as %q, and it is shown as %s; want application/pdf of a PDF, and of text one of %s, in UTF-8",
			workers.ErrInput, workers.ErrHazard, signed, kind, strings.Join(textTypes, ", "))
	}
	return nil
}

// zipEnd is how far from the end of a file its directory of ZIP is looked for, with a comment of at most 65,535 bytes.
const zipEnd = 22 + 65535

// single refuses, under the policy for qualified signatures, a file that is of another kind to other readers (ADE-04). Those of PDF pass
// over bytes around it, and ZIP is read from its end, wherever that stands; text that declares itself to be of
// another character set says something else in it.
func single(policy string, doc io.ReaderAt, size int64, kind content) error {
	if policy != sap.PolicyQualified || kind == contentOctets {
		return nil
	}
	head, err1 := window(doc, 0, min(size, 1024))
	tail, err2 := window(doc, max(0, size-zipEnd), min(size, zipEnd))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	good := kind == contentPDF && onlyPDF(head, tail) || kind != contentPDF && declaresUTF8(head)
	if !good {
		return fmt.Errorf("%w: %w: the file is more than one kind of file; other programs may not show it as %s", workers.ErrInput, workers.ErrHazard, kind)
	}
	return nil
}

func window(doc io.ReaderAt, from, n int64) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(doc, from, n), b); err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	return b, nil
}

// onlyPDF: the file begins with the header, nothing but white space follows the last end mark, and it ends with no directory of ZIP.
func onlyPDF(head, tail []byte) bool {
	end := bytes.LastIndex(tail, []byte("%%EOF"))
	return bytes.HasPrefix(head, []byte("%PDF-")) && end >= 0 && len(bytes.Trim(tail[end+5:], "\x00\t\n\f\r ")) == 0 &&
		!bytes.Contains(tail, []byte("PK\x05\x06"))
}

var (
	declaration  = regexp.MustCompile(`^(?:\x{FEFF})?<\?xml[ \t\r\n]`)
	charsetNamed = regexp.MustCompile(`(?i)encoding(?:[ \t\r\n]*=[ \t\r\n]*["']utf-8["'])?`)
)

// declaresUTF8 tells of text that it has no XML declaration, or a whole one that names no other character set.
func declaresUTF8(head []byte) bool {
	if !declaration.Match(head) {
		return true
	}
	declared, _, whole := bytes.Cut(head, []byte("?>"))
	for _, m := range charsetNamed.FindAll(declared, -1) {
		whole = whole && len(m) > len("encoding")
	}
	return whole
}

func isTextType(t string) bool {
	return slices.Contains(textTypes, t) || (strings.HasSuffix(t, "+xml") || strings.HasSuffix(t, "+json")) && !slices.Contains(drawn, t)
}

func inUTF8(params map[string]string) bool {
	charset, ok := params["charset"]
	return len(params) == 0 || len(params) == 1 && ok && strings.EqualFold(charset, "utf-8")
}
