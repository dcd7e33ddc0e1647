package pdf

import (
	"errors"
	"fmt"
)

// The reasons for which a file or a request is refused. Every error of this
// package wraps one of them (or an I/O error or a context's error).
var (
	// ErrNotPDF: no %PDF- header within the first 1024 bytes.
	ErrNotPDF = errors.New("pdf: not a PDF file")
	// ErrEncrypted: the file is encrypted otherwise than with a password and AES-256.
	ErrEncrypted = errors.New("pdf: the file is encrypted")
	// ErrPassword: the file needs a password, and the one given does not open it.
	ErrPassword = errors.New("pdf: the file needs a password")
	// ErrPermission: the permissions of an encrypted file forbid the change.
	ErrPermission = errors.New("pdf: the file's permissions forbid this change")
	// ErrMalformed: the structure is broken. The message says what and where.
	ErrMalformed = errors.New("pdf: malformed")
	// ErrLimit: a bound of Limits, or of the file format, is exceeded.
	ErrLimit = errors.New("pdf: limit exceeded")
	// ErrForbidden: a signature or field lock in the file forbids the change.
	ErrForbidden = errors.New("pdf: an earlier signature forbids this change")
	// ErrField: the named signature field cannot be used.
	ErrField = errors.New("pdf: signature field cannot be used")
	// ErrReserve: the CMS is larger than the space reserved for it.
	ErrReserve = errors.New("pdf: signature does not fit the reserved space")
	// ErrUnsupported: valid, but outside what this package handles.
	ErrUnsupported = errors.New("pdf: not supported")
	// ErrOptions: the caller's options are not usable.
	ErrOptions = errors.New("pdf: invalid options")
	// ErrNotPrepared: the file is not one that waits for exactly one signature.
	ErrNotPrepared = errors.New("pdf: not a prepared file")
)

// errDamaged marks a broken cross-reference, which a full scan may repair. It is
// always wrapped together with ErrMalformed.
var errDamaged = errors.New("cross-reference damaged")

// malformed reports broken structure at a file offset (-1: inside an object
// stream or unknown).
func malformed(off int64, format string, args ...any) error {
	return located(ErrMalformed, off, format, args...)
}

// damaged is malformed where the cross-reference is to blame.
func damaged(off int64, format string, args ...any) error {
	return fmt.Errorf("%w (%w)", malformed(off, format, args...), errDamaged)
}

func located(kind error, off int64, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if off < 0 {
		return fmt.Errorf("%w: %s", kind, what)
	}
	return fmt.Errorf("%w: %s at offset %d", kind, what, off)
}

func overLimit(format string, args ...any) error {
	return located(ErrLimit, -1, format, args...)
}
