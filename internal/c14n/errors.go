package c14n

import (
	"errors"
	"fmt"
	"strconv"
)

// The reasons for which a document or a request is refused. Errors about a
// document are of type *Error and wrap one of these.
var (
	// ErrDTD: the document has a document type declaration. There is no reader
	// of them here, so that no entity can expand, no attribute can appear by
	// default, and nothing is fetched.
	ErrDTD = errors.New("c14n: document type declarations are refused")
	// ErrEntity: a reference to something other than a character or one of the
	// five predefined entities.
	ErrEntity = errors.New("c14n: only character references and the five predefined entities exist")
	// ErrEncoding: the document is not, or does not claim to be, UTF-8.
	ErrEncoding = errors.New("c14n: the encoding must be UTF-8")
	// ErrVersion: XML of another version than 1.0.
	ErrVersion = errors.New("c14n: the XML version must be 1.0")
	// ErrChar: a byte sequence that is not UTF-8, or a character that XML forbids.
	ErrChar = errors.New("c14n: illegal character")
	// ErrSyntax: the document is not well-formed.
	ErrSyntax = errors.New("c14n: not well-formed")
	// ErrTruncated: the document ends too early.
	ErrTruncated = errors.New("c14n: the document ends too early")
	// ErrNamespace: a rule of Namespaces in XML 1.0 is broken.
	ErrNamespace = errors.New("c14n: namespace rule broken")
	// ErrRelativeNamespace: a namespace name without a scheme, which Canonical
	// XML 1.0, 1.1 (section 1.3) refuses.
	ErrRelativeNamespace = errors.New("c14n: relative namespace names have no canonical form")

	// ErrDepth, ErrAttributes and so on: a bound of Limits, by its field's name.
	ErrDepth      = errors.New("c14n: elements are nested too deeply")
	ErrAttributes = errors.New("c14n: too many attributes on one element")
	ErrName       = errors.New("c14n: name or namespace name too long")
	ErrValue      = errors.New("c14n: attribute value too long")
	ErrNamespaces = errors.New("c14n: too many namespaces in scope")
	ErrToken      = errors.New("c14n: tag, comment or processing instruction too long")
	ErrContext    = errors.New("c14n: the open elements need too much memory")
	ErrIDs        = errors.New("c14n: too many identifiers")
	ErrSize       = errors.New("c14n: the document is too large")

	// ErrNoElement: no element has the wanted identifier or offset.
	ErrNoElement = errors.New("c14n: no such element")
	// ErrDuplicateID: two elements have one identifier, so that a reference to
	// it names either of them (signature wrapping).
	ErrDuplicateID = errors.New("c14n: two elements have the same identifier")
	// ErrOptions: the caller's options make no sense.
	ErrOptions = errors.New("c14n: invalid options")
)

// Error says why a document is refused, and where.
type Error struct {
	Err    error  // one of the sentinels of this package
	Offset int64  // in bytes, from the beginning of the document, a byte order mark included
	Line   int64  // counted by line feeds, from 1
	Detail string // what was found; the bound, if one is exceeded
}

func (e *Error) Error() string {
	return fmt.Sprintf("%v (line %d, byte %d): %s", e.Err, e.Line, e.Offset, e.Detail)
}

// Unwrap gives the sentinel.
func (e *Error) Unwrap() error { return e.Err }

// fault is an error inside of a token, not yet located.
type fault struct {
	err    error
	at     int // in the bytes that the token's reader was given
	detail string
}

func (f *fault) Error() string { return f.detail }

// errShort says that a token goes on after the end of the window.
var errShort = errors.New("c14n: token continues")

func bad(err error, at int, detail string) error { return &fault{err, at, detail} }

func syntax(at int, detail string) error { return bad(ErrSyntax, at, detail) }

func namespaces(at int, detail string) error { return bad(ErrNamespace, at, detail) }

func over(err error, at, bound int) error {
	return bad(err, at, "the bound is "+strconv.Itoa(bound))
}

// shown quotes a piece of a document for a message.
func shown(b []byte) string {
	const most = 40
	if len(b) > most {
		return strconv.Quote(string(b[:most])) + "..."
	}
	return strconv.Quote(string(b))
}
