package sqldb

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"

	"github.com/assent-sign/assent/internal/failpoint"
)

// Our own forty lines instead of a library: samd's list of linked packages is a
// reviewed one, and goose would add thirteen to it for what is a loop.

var migrationName = regexp.MustCompile(`^([0-9]{4})_[a-z0-9_]+\.sql$`)

// migrate runs the files that have not been run yet, in order, each in one
// transaction. A file that was changed after it ran, a gap, and a schema newer
// than the program are ErrSchema: there is no way back.
func migrate(c *conn, files fs.FS) error {
	const table = `CREATE TABLE IF NOT EXISTS schema_migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL) STRICT`
	if err := c.script(table); err != nil {
		return fmt.Errorf("%w: %w", ErrOpen, err)
	}
	list, err := fs.ReadDir(files, ".")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	for i, f := range list { // ReadDir sorts by name
		part := migrationName.FindStringSubmatch(f.Name())
		if part == nil || part[1] != fmt.Sprintf("%04d", i+1) {
			return fmt.Errorf("%w: migration file %s is out of order", ErrSchema, f.Name())
		}
		if err := migrateOne(c, files, f.Name(), i+1); err != nil {
			return err
		}
	}
	tx := &Tx{c: c}
	var newest int
	if err := tx.Row("SELECT coalesce(max(number), 0) FROM schema_migration").Scan(&newest); err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if newest > len(list) {
		return fmt.Errorf("%w: it is of a newer program (migration %d, this program knows %d)", ErrSchema, newest, len(list))
	}
	return nil
}

func migrateOne(c *conn, files fs.FS, name string, number int) error {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	sum := sha256.Sum256(text)
	want := hex.EncodeToString(sum[:])
	var had string
	tx := &Tx{c: c}
	err = tx.Row("SELECT sha256 FROM schema_migration WHERE number = ?", number).Scan(&had)
	if err == nil {
		if had != want {
			return fmt.Errorf("%w: migration %s is not the one that was run", ErrSchema, name)
		}
		return nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if err = c.script(string(text)); err == nil {
		_, err = tx.Exec("INSERT INTO schema_migration (number, name, sha256) VALUES (?, ?, ?)", number, name, want)
	}
	if err == nil {
		failpoint.Before("sqldb/46-migration-step")
		err = c.exec("COMMIT")
		failpoint.After("sqldb/46-migration-step")
	}
	if err != nil {
		_ = c.exec("ROLLBACK")
		return fmt.Errorf("%w: migration %s (%s): %w", ErrSchema, name, strconv.Itoa(number), err)
	}
	return nil
}
