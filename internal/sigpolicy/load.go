package sigpolicy

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// identified is how FILE is said to be the document of a policy: by its OID or URI, before the last "=".
var identified = regexp.MustCompile(`^(?i:[0-2](?:\.[0-9]+)+|urn:[^=].*|https?://.*)=`)

// Load reads policy documents, each named as FILE or as ID=FILE, where ID is the policy's object identifier or URI. A
// file name that begins like such an identifier is written with "./" before it. ErrDocument, or the error of the file.
func Load(names []string) (*Documents, error) {
	var list []Document
	for _, name := range names {
		id, path := "", name
		if identified.MatchString(name) {
			i := strings.LastIndexByte(name, '=')
			id, path = name[:i], name[i+1:]
		}
		if len(list) == MaxDocuments {
			return nil, fmt.Errorf("%w: more than %d are given", ErrDocument, MaxDocuments)
		}
		content, err := readFile(path)
		if err != nil {
			return nil, err
		}
		list = append(list, Document{ID: id, Name: filepath.Base(path), Content: content})
	}
	return NewDocuments(list...)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is no regular file", ErrDocument, path)
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxDocument+1))
	if err == nil && len(b) > MaxDocument {
		err = fmt.Errorf("%w: %s is larger than %d bytes", ErrDocument, path, MaxDocument)
	}
	return b, err
}
