package sqldb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// snapshotEnd is the end of the name of a copy that is being made.
const snapshotEnd = ".snapshot"

// Snapshot makes a consistent copy of the database beside it, hands it to use and
// removes it again. Others go on reading and writing. The copy is one file without
// free pages, mode 0600; it needs as much room as the database.
func (d *DB) Snapshot(_ context.Context, use func(path string) error) error {
	d.snapshots.Lock()
	defer d.snapshots.Unlock()
	copied := d.path + snapshotEnd
	if err := removeIfThere(copied); err != nil { // of a process that was killed
		return err
	}
	f, err := os.OpenFile(copied, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // SQLite takes an empty file for none
	if err != nil {
		return fmt.Errorf("sqldb: snapshot: %w", err)
	}
	err = f.Close()
	if err == nil {
		err = d.copyTo(copied)
	}
	if err == nil {
		err = use(copied)
	}
	return errors.Join(err, removeIfThere(copied))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("sqldb: snapshot: %w", err)
	}
	return nil
}

// copyTo uses a connection of its own: a long copy takes no reader away.
func (d *DB) copyTo(path string) error {
	c, err := openConn("file:" + (&url.URL{Path: d.path}).EscapedPath() + "?mode=ro&_busy_timeout=5000")
	if err != nil {
		return err
	}
	defer c.close()
	st, err := c.prepare("VACUUM INTO ?")
	if err != nil {
		return err
	}
	if _, err := st.exec([]any{path}); err != nil {
		return fmt.Errorf("sqldb: snapshot: %w", err)
	}
	return nil
}

// ReadCopy runs fn on a copy that nobody writes to.
func ReadCopy(path string, fn func(*Tx) error) error {
	c, err := openConn("file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=ro&immutable=1")
	if err != nil {
		return err
	}
	defer c.close()
	return guard(fn, &Tx{c: c})
}
