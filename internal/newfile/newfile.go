// Package newfile makes files that appear whole or not at all, under a name that nothing has yet: what a
// command writes must never replace what somebody else has there, and never be half of it.
package newfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Write has fill write a file in the directory of path, and gives it that name when it is whole and on the disk.
// If the name is taken, before or meanwhile, the error is fs.ErrExist and what has it stays. On any error nothing is left
// behind, except where the directory could not be brought to the disk: the file then stands there whole.
func Write(path string, fill func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".assent-*")
	if err != nil {
		return err
	}
	err = fill(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = publish(f.Name(), path, link, renameNew, reserve)
	}
	named := err == nil
	if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	if named { // a name is on the disk when its directory is
		err = errors.Join(err, syncDir(filepath.Dir(path)))
	}
	return err
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil // one that may be written and not read
	}
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil // a file system that has no such thing
	}
	return errors.Join(err, d.Close())
}

// way gives a file a name that nothing has, or says why it cannot.
type way func(from, to string) error

// publish takes the first way that the file system knows. That the name is taken is an answer.
func publish(from, to string, ways ...way) error {
	var all error
	for _, w := range ways {
		err := w(from, to)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
		all = errors.Join(all, err)
	}
	return fmt.Errorf("give the file the name %s: %w", to, all)
}

// link is known to most file systems; FAT, exFAT and some of the net do not have it.
func link(from, to string) error { return os.Link(from, to) }

// reserve is for those that know neither, such as exFAT in user space. It takes the name with an empty file of ours and puts the whole one in its place. Only if the machine
// ends in between does the empty one stay.
func reserve(from, to string) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(f.Close(), os.Rename(from, to)); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}
