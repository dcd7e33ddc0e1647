package sam

import "syscall"

// fullDisk is a file on a disk without room, for tests (Config.Fault).
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }
