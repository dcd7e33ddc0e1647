//go:build !linux

package newfile

import "errors"

// renameNew is a call of Linux.
func renameNew(_, _ string) error { return errors.ErrUnsupported }
