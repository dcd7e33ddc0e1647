package sqldb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
)

// Our own forty lines instead of a library: samd's list of linked packages is a
// reviewed one, and goose would add thirteen to it for what is a loop.

var migrationName = regexp.MustCompile(`^([0-9]{4})_[a-z0-9_]+\.sql$`)

// migrate runs the files that have not been run yet, in order, each in one
// transaction. A file that was changed after it ran, a gap, and a schema newer
// than the program are ErrSchema: there is no way back.
func migrate(ctx context.Context, c *sql.Conn, files fs.FS) error {
	const table = `CREATE TABLE IF NOT EXISTS schema_migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL) STRICT`
	if _, err := c.ExecContext(ctx, table); err != nil {
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
		if err := migrateOne(ctx, c, files, f.Name(), i+1); err != nil {
			return err
		}
	}
	var newest sql.NullInt64
	if err := c.QueryRowContext(ctx, "SELECT max(number) FROM schema_migration").Scan(&newest); err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if newest.Int64 > int64(len(list)) {
		return fmt.Errorf("%w: it is of a newer program (migration %d, this program knows %d)", ErrSchema, newest.Int64, len(list))
	}
	return nil
}

func migrateOne(ctx context.Context, c *sql.Conn, files fs.FS, name string, number int) error {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	sum := sha256.Sum256(text)
	want := hex.EncodeToString(sum[:])
	var had string
	err = c.QueryRowContext(ctx, "SELECT sha256 FROM schema_migration WHERE number = ?", number).Scan(&had)
	if err == nil {
		if had != want {
			return fmt.Errorf("%w: migration %s is not the one that was run", ErrSchema, name)
		}
		return nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, string(text)); err != nil {
		return fmt.Errorf("%w: migration %s (%s): %w", ErrSchema, name, strconv.Itoa(number), err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO schema_migration (number, name, sha256) VALUES (?, ?, ?)", number, name, want); err != nil {
		return fmt.Errorf("%w: %w", ErrSchema, err)
	}
	return tx.Commit()
}
