package newfile

import "golang.org/x/sys/unix"

// renameNew renames unless the name is taken, in one step of the kernel. FAT knows it.
func renameNew(from, to string) error {
	return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
}
